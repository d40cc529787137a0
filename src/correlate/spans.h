/* src/correlate/spans.h - stretches of memory of one nature, and two lists of them side by side. */
#ifndef CORRELATE_SPANS_H
#define CORRELATE_SPANS_H

#include <segmap/layout.h>

struct span {
	uint64_t start, end; /* [start, end): vaddr, or runtime addresses */
	uint64_t off;	     /* into the file, of start; 0 if anonymous */
	int32_t image;	     /* index in the layout's images; -1: none */
	int32_t segment;     /* index in its ELF object's segments; -1: unknown */
	size_t vma;	     /* index */
	int prot;
	int unknown_prot; /* bits of prot, as a VMA's */
	bool shared;
	bool unknown_shared;
	bool is_file;
};

/* Ascending by image, then by start. */
struct spans {
	struct span *array;
	size_t n, capacity;
};

/* The stretches of all images of @layout, by ELF virtual address; false if there is no memory. */
bool spans_of_images(const struct segmap_layout *layout, struct spans *ret);

/* Each VMA of @layout, by runtime address and of image -1; false if there is no memory. */
bool spans_of_vmas(const struct segmap_layout *layout, struct spans *ret);

void spans_free(struct spans *spans);

/* The first span of @image; *@n becomes how many it has. */
size_t spans_find(const struct spans *spans, int32_t image, size_t *n);

/*
 * Go through the spans of image @of_a in @a and of image @of_b in @b side by side:
 *
 *	a  |-----------|   |------|
 *	b        |---------------------|
 *	   |  1  |  2  | 3 |  2   | 3  |
 *
 * @visit is called for each stretch in which neither begins nor ends, ascending; a span is
 * NULL where that side has none.
 */
void spans_walk(const struct spans *a, int32_t of_a, const struct spans *b, int32_t of_b,
		void (*visit)(void *context, uint64_t start, uint64_t end, const struct span *a,
			      const struct span *b),
		void *context);

#endif
