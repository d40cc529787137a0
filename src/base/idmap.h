/* src/base/idmap.h - from a pair of numbers (device and inode, say) to an index, in constant time. */
#ifndef BASE_IDMAP_H
#define BASE_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialize. */
struct idmap {
	struct idmap_slot {
		uint64_t a, b;
		uint32_t value_plus_1; /* 0: free */
	} *slots;
	size_t n_slots; /* a power of two, or 0 */
	size_t n_used;
};

void idmap_free(struct idmap *map);

/*
 * Find (@a, @b), or put it there with value @fresh. *@ret becomes its value;
 * equal to @fresh where it is new. False if there is no memory.
 */
bool idmap_find_or_add(struct idmap *map, uint64_t a, uint64_t b, uint32_t fresh, uint32_t *ret);

/* Have (@a, @b), which is there, mean @value from now on. */
void idmap_replace(struct idmap *map, uint64_t a, uint64_t b, uint32_t value);

/* Find (@a, @b); false, and *@ret is left alone, where it is not. */
bool idmap_find(const struct idmap *map, uint64_t a, uint64_t b, uint32_t *ret);

#endif
