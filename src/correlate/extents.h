/* src/correlate/extents.h - which PT_LOAD each page of an ELF object belongs to. */
#ifndef CORRELATE_EXTENTS_H
#define CORRELATE_EXTENTS_H

#include <segmap/elf.h>

/* Whole pages that one PT_LOAD has in the end, when all are mapped in table order. */
struct extent {
	uint64_t start, end; /* vaddr, [start, end), page-aligned */
	uint32_t segment;    /* index in the ELF object's segments */
	bool file;	     /* pages of the file; else anonymous */
};

/* Sorted and disjoint. */
struct extents {
	const struct segmap_elf *elf;
	struct extent *array;
	size_t n;
	/*
	 * A library's span is reserved by one mapping: of the first PT_LOAD (glibc
	 * elf/dl-map-segments.h), or of that with the lowest p_vaddr, and then too long
	 * by its offset (musl ldso/dynlink.c:map_library). Indices; of no meaning without any.
	 */
	uint32_t first_load, lowest_load;
	uint64_t span_end;   /* vaddr: where musl's mapping ends; 0 without any */
	int32_t relro;	     /* index of the PT_GNU_RELRO that counts, the last; -1 for none */
};

/*
 * Lay out @elf's mappable PT_LOADs. @ret->n is 0 where there are none. False
 * if there is no memory.
 */
bool extents_make(const struct segmap_elf *elf, struct extents *ret);
void extents_free(struct extents *extents);

/* The extent that holds @vaddr, or NULL; then *@until is where the next one starts. */
const struct extent *extents_find(const struct extents *extents, uint64_t vaddr, uint64_t *until);

/* Whether RELRO makes the page at @vaddr read-only; *@until is where that changes. */
bool extents_in_relro(const struct extents *extents, uint64_t vaddr, uint64_t *until);

#endif
