/* src/read/ladder.h - ways to the file behind a VMA, surest first. */
#ifndef READ_LADDER_H
#define READ_LADDER_H

#include "read/files.h"
#include <sys/stat.h>

/*
 * What the ways of one process have in common, opened when it is needed. Each
 * way gives an O_PATH descriptor, which opens nothing, and its fstat; -1 if it
 * leads nowhere.
 */
struct ladder {
	int process_dir;	/* /proc/PID; borrowed */
	int map_files;		/* directory; -1 not yet, or refused */
	bool map_files_refused; /* only CAP_CHECKPOINT_RESTORE may open its entries */
	int root;		/* the process's root directory; -1 not yet */
	int exe;		/* -1 not yet, or if it cannot be had */
	bool exe_tried;
	struct stat exe_stat;
	struct view view; /* of paths; unknown unless it was taken */
	struct open_fd { /* the regular files that the process has open */
		struct stat stat;
		int number;
	} *fds;
	size_t n_fds, fds_capacity;
	bool fds_listed;
	bool failed; /* there was no memory to look everywhere */
};

void ladder_close(struct ladder *ladder);

/* Find out how the process sees paths. */
void ladder_take_view(struct ladder *ladder);

/* Whether device and inode are those that maps shows. */
bool is_same_file(const struct stat *stat, const struct segmap_backing *backing);

/* /proc/PID/map_files/START-END: the mapped file itself, whatever its name. */
int ladder_open_map_files(struct ladder *ladder, const struct segmap_layout *layout,
			  const struct segmap_backing *backing, struct stat *stat);

/* The program itself, if that is the file. */
int ladder_open_exe(struct ladder *ladder, const struct segmap_backing *backing,
		    struct stat *stat);

/* Whether the process has segmap's own root directory, as far as can be seen. */
bool ladder_root_is_ours(struct ladder *ladder);

/*
 * What has the absolute @path now, as the process sees it, if no link is on the
 * way: the path that maps shows has none, unless one was put there since. A
 * cheap look for what is mostly true; only a match means anything.
 */
bool ladder_stat_root(struct ladder *ladder, const char *path, struct stat *stat);

/*
 * Whatever has the absolute @path now, as the process sees it: links stay in its root. @flags are
 * 0 or O_NOFOLLOW: then a link that has that path is itself what is opened.
 */
int ladder_open_root(struct ladder *ladder, const char *path, int flags, struct stat *stat);

/* A descriptor of the file that the process happens to have open. */
int ladder_open_fd(struct ladder *ladder, const struct segmap_backing *backing, struct stat *stat);

#endif
