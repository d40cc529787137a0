/* include/segmap/diff.h - what differs between two maps once load bases are taken out. */
#ifndef SEGMAP_DIFF_H
#define SEGMAP_DIFF_H

#include <segmap/compare.h>

/* Where something that both maps have lies in either. */
struct segmap_move {
	char *name;	   /* path of an image, raw; or "[heap]", "[stack]"; owned */
	bool is_image;	   /* the addresses are load biases; else first ones, of the stack the end */
	bool known_a, known_b; /* false: a prediction whose base is chosen at each run */
	uint64_t a, b;
};

struct segmap_diff {
	struct segmap_comparison *found; /* its changes and notes; owned */
	struct segmap_move *moves;	 /* in the order of a's images; owned */
	size_t n_moves, cap_moves;
};

/*
 * Compare two correlated layouts of whatever sources. Pure.
 *
 * Images are matched by build-id and path, then by path, inode, build-id or soname, the first load
 * of a file with the first. Their pages are compared by ELF virtual address, so
 * that neither bases nor what neighbours have merged with makes a difference:
 *
 *	a   |--- .data ---|--- .bss + somebody's memory ------|
 *	b   |--- .data ---|-- .bss --|   |-- the same memory --|
 *
 * What belongs to no image is compared by name, file offset, permissions and size, as far as
 * sizes do not add up to the same: where the kernel puts anonymous memory, and what it can merge
 * there, is chance. Of two builds of one file only that is told; of one whose headers are known on
 * one side only a note. What either side does not say (a core not what is shared, nor all
 * permissions) is no difference.
 *
 * With a prediction nothing is said of memory that no rule foretells: anonymous
 * memory, data files, the heap, and the size of the stack.
 *
 * With @figures, Rss, Anonymous and Swap are compared as well, where both have them.
 * The caller frees *@ret.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *segmap_diff(const struct segmap_layout *a,
							      const struct segmap_layout *b,
							      bool figures,
							      struct segmap_diff **ret);

SEGMAP_API void segmap_diff_free(struct segmap_diff *diff);

#endif
