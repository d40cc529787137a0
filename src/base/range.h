/* src/base/range.h - arithmetic on sizes and page-aligned ranges that cannot wrap unnoticed. */
#ifndef BASE_RANGE_H
#define BASE_RANGE_H

#include <stdbool.h>
#include <stdint.h>

/* a + b into *ret; false (and *ret untouched) where it does not fit. */
static inline bool checked_add(uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return false;
	*ret = sum;
	return true;
}

/* @page_size is a power of two in all of these. */
static inline uint64_t page_down(uint64_t value, uint64_t page_size)
{
	return value & ~(page_size - 1);
}

/* Rounds up modulo 2^64: the last page of the address space ends at 0. */
static inline uint64_t page_up(uint64_t value, uint64_t page_size)
{
	return (value + page_size - 1) & ~(page_size - 1);
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif
