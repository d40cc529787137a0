/* src/correlate/bias.h - which loads of an ELF object the VMAs of its file are. */
#ifndef CORRELATE_BIAS_H
#define CORRELATE_BIAS_H

#include "correlate/extents.h"
#include <segmap/layout.h>
#include <sys/mman.h>

/* The loads of one ELF object in one process. Zero-initialize; free with biases_free(). */
struct biases {
	uint64_t *array; /* best first */
	size_t n, capacity;
};

/*
 * How often one correlation may look something up to tell loads from other
 * mappings: a file that is mapped very often, with very many segments or ELF objects in
 * it, would take more than anybody has time for. No real process comes near.
 */
enum { MOST_LOOKUPS = 1 << 22 };

/* Take @n from what is left of the lookups; false, and nothing is left, where there are not so many. */
static inline bool may_look(size_t *lookups_left, size_t n)
{
	if (*lookups_left < n) {
		*lookups_left = 0;
		return false;
	}
	*lookups_left -= n;
	return true;
}

/*
 * Find every bias at which @backing's VMAs are a load of @extents->elf, one of
 * the ELF objects in its file. VMAs of a load are marked in @claimed, which has
 * a byte for each VMA of @layout; what is marked already belongs to another
 * load. When nothing is left of @lookups_left, it ends with what was found until then.
 * False if there is no memory.
 */
bool biases_find(const struct segmap_layout *layout, const struct segmap_backing *backing,
		 const struct extents *extents, unsigned char *claimed, size_t *lookups_left,
		 struct biases *ret);
void biases_free(struct biases *biases);

/* Whether @vma, a VMA of the object's file, maps at @addr the byte that the load puts there. */
bool bias_is_consistent(const struct segmap_elf *elf, const struct segmap_segment *load,
			const struct segmap_vma *vma, uint64_t addr, uint64_t bias);

/*
 * Whether the page of @vma, a VMA of the object's file, at @addr, where no PT_LOAD is, is what
 * the mapping that reserves a library's span has there.
 */
bool bias_is_reserved(const struct extents *extents, const struct segmap_vma *vma, uint64_t addr,
		      uint64_t bias);

/* The permissions of a page that @prot is asked for, under the process's personality. */
static inline int prot_implied(const struct segmap_layout *layout, int prot)
{
	return layout->read_implies_exec && (prot & PROT_READ) ? prot | PROT_EXEC : prot;
}

#endif
