/* include/segmap/watch.h - one process looked at again and again. */
#ifndef SEGMAP_WATCH_H
#define SEGMAP_WATCH_H

#include <segmap/layout.h>

struct segmap_watch;

/*
 * Begin to watch @pid. With @figures its smaps is looked at, else its maps. Errors as
 * segmap_process_open() has them.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *segmap_watch_open(int pid, bool figures,
								    struct segmap_watch **ret);
SEGMAP_API void segmap_watch_free(struct segmap_watch *watch);

/*
 * What has become of the process since it was last looked at. Its map is read as text
 * and not parsed: for SEGMAP_EVENT_NONE, which is nearly always, nothing else is done.
 * After SEGMAP_EVENT_EXIT there is nothing more to come.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *segmap_watch_look(struct segmap_watch *watch,
								    enum segmap_event *ret);

/*
 * Step one for its map, as segmap_process_open_memory(): never that of another process which has
 * the pid by now. If it has ended, the error is SEGMAP_ERROR_NO_PROCESS.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_watch_read(struct segmap_watch *watch, struct segmap_files *files, unsigned int wanted,
		  struct segmap_layout **ret);

/* A descriptor that poll(2) finds readable once the process has ended; -1: the kernel has none. */
SEGMAP_API int segmap_watch_fd(const struct segmap_watch *watch);

/* What has become of a VMA. */
enum segmap_mark {
	SEGMAP_MARK_SAME,
	SEGMAP_MARK_NEW,
	SEGMAP_MARK_GROWN,
	SEGMAP_MARK_SHRUNK,
	SEGMAP_MARK_PERMS,
	SEGMAP_MARK_MEMORY, /* Rss, Anonymous or Swap is another */
	SEGMAP_MARK_GONE,   /* of a stretch alone */
};

/* Addresses to which one thing has happened. */
struct segmap_stretch {
	enum segmap_mark mark;	/* not SAME */
	uint64_t start, end;	/* [start, end); what a VMA has lost where it has shrunk */
	uint32_t before, after; /* the VMA that had it, and the one that it belongs to; UINT32_MAX: none */
};

/* How a map of a process differs from its map before. */
struct segmap_followed {
	struct segmap_marked {
		enum segmap_mark mark;
		uint32_t before; /* the VMA that it was; UINT32_MAX: none */
	} *marks;		/* one for each VMA; owned */
	size_t n_marked;	/* marks that are not SAME */
	struct segmap_stretch *stretches; /* all that has happened: ascending, then MEMORY; owned */
	size_t n_stretches, cap_stretches;
};

/*
 * Compare two maps of one process that has not executed another program meanwhile: by
 * addresses. A VMA that was cut in two without anything else being done to it is the same.
 * Pure. The caller frees *@ret.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_layout_follow(const struct segmap_layout *before, const struct segmap_layout *after,
		     struct segmap_followed **ret);

SEGMAP_API void segmap_followed_free(struct segmap_followed *followed);

#endif
