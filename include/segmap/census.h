/* include/segmap/census.h - what the memory of many processes is made of. */
#ifndef SEGMAP_CENSUS_H
#define SEGMAP_CENSUS_H

#include <segmap/summary.h>

/* A process that maps a file which is deleted, or whose path another file has. */
struct segmap_stale {
	const char *path; /* as maps shows it, without " (deleted)"; borrowed from the census */
	enum segmap_status status;
	int pid;
	char comm[16]; /* raw bytes, at most 15 */
	uint32_t file; /* the same number for the same file */
};

struct segmap_counting;

/*
 * The summary of all processes that were added so far. Files are told apart by
 * device, inode and path, so that the old and the new file of one path are two
 * groups. Owns everything; needs no layout any more.
 */
struct segmap_census {
	struct segmap_summary summary;
	struct segmap_stale *stale; /* by path, file and pid */
	size_t n_stale;
	char **notes; /* what should be known of it */
	size_t n_notes;
	struct segmap_counting *counting; /* what adding needs; not for others */
};

SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *segmap_census_new(struct segmap_census **ret);

/*
 * Add the VMAs of @layout that overlap [@low, @high], both included, and its
 * notes (each text once). The layout is correlated, and accounted if its pages
 * were read: SEGMAP_PAGES_OF_MIXED will do. Pure. Where there is no memory for
 * all of it, nothing is added but, perhaps, some notes.
 *
 * The sums are those of smaps. Where several classes share pages of one VMA and
 * a figure of a class cannot be known exactly, the VMA's is shared out in
 * proportion to what each has in memory.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_census_add(struct segmap_census *census, const struct segmap_layout *layout, uint64_t low,
		  uint64_t high);

/* Add a note; @format as for printf. */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_census_note(struct segmap_census *census, const char *format, ...) SEGMAP_PRINTF(2, 3);

/* All were added: bring rows into order, the group with the most Pss first, and stale by file. */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_census_finish(struct segmap_census *census);

SEGMAP_API void segmap_census_free(struct segmap_census *census);

#endif
