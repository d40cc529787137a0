/* src/correlate/extents.c - which PT_LOAD each page of an ELF object belongs to. */
#include "correlate/extents.h"
#include "model/elf.h"
#include <stdlib.h>
#include <string.h>

/*
 * Put @fresh over what is there, as MAP_FIXED does:
 *
 *   before   |---- A ----|      |------ B ------|
 *   fresh            |=====================|
 *   after    |-- A --|=====================| B |
 *
 * The array has room for two more.
 */
static void lay_over(struct extents *extents, struct extent fresh)
{
	struct extent *array = extents->array, tail;
	size_t first = 0, last;
	bool has_tail = false;

	if (fresh.start >= fresh.end)
		return;
	/* Linkers sort PT_LOADs, so mostly it goes behind the last. */
	if (!extents->n || array[extents->n - 1].end <= fresh.start) {
		array[extents->n++] = fresh;
		return;
	}
	while (first < extents->n && array[first].end <= fresh.start)
		first++;
	for (last = first; last < extents->n && array[last].start < fresh.end; last++) {
		if (array[last].end > fresh.end) {
			tail = array[last];
			tail.start = fresh.end;
			has_tail = true;
		}
	}
	/* [first, last) overlap; the first keeps its head, the last its tail. */
	if (first < last && array[first].start < fresh.start) {
		array[first].end = fresh.start;
		first++;
	}
	if (first > last)
		last = first;
	memmove(array + first + 1 + has_tail, array + last,
		(extents->n - last) * sizeof(*array));
	array[first] = fresh;
	if (has_tail)
		array[first + 1] = tail;
	extents->n = extents->n - last + first + 1 + has_tail;
}

bool extents_make(const struct segmap_elf *elf, struct extents *ret)
{
	struct extents extents = {
		.elf = elf,
		.first_load = UINT32_MAX,
		.lowest_load = elf_lowest_load(elf),
		.relro = -1,
	};

	/* A PT_LOAD lays down two extents, and each of them can cut one in two. */
	extents.array = reallocarray(NULL, 4 * elf->n_segments + 1, sizeof(*extents.array));
	if (!extents.array)
		return false;
	for (uint32_t i = 0; i < elf->n_segments; i++) {
		const struct segmap_segment *segment = &elf->segments[i];

		if (segment->type == SEGMAP_SEGMENT_RELRO)
			extents.relro = (int32_t)i;
		if (segment->type != SEGMAP_SEGMENT_LOAD || !segment->mappable)
			continue;
		if (extents.first_load == UINT32_MAX)
			extents.first_load = i;
		lay_over(&extents, (struct extent){ segment->map_start, segment->file_end, i,
						    true });
		lay_over(&extents, (struct extent){ segment->file_end, segment->mem_end, i,
						    false });
	}
	if (extents.n) {
		uint64_t end = extents.array[extents.n - 1].end;
		uint64_t off = elf->segments[extents.lowest_load].map_off;

		extents.span_end = end > UINT64_MAX - off ? end : end + off;
	}
	*ret = extents;
	return true;
}

void extents_free(struct extents *extents)
{
	free(extents->array);
	extents->array = NULL;
}

const struct extent *extents_find(const struct extents *extents, uint64_t vaddr, uint64_t *until)
{
	size_t low = 0, high = extents->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (extents->array[middle].end > vaddr)
			high = middle;
		else
			low = middle + 1;
	}
	if (low < extents->n && extents->array[low].start <= vaddr) {
		*until = extents->array[low].end;
		return &extents->array[low];
	}
	*until = low < extents->n ? extents->array[low].start : UINT64_MAX;
	return NULL;
}

bool extents_in_relro(const struct extents *extents, uint64_t vaddr, uint64_t *until)
{
	const struct segmap_segment *relro;

	*until = UINT64_MAX;
	if (extents->relro < 0)
		return false;
	relro = &extents->elf->segments[extents->relro];
	if (vaddr < relro->map_start) {
		*until = relro->map_start;
		return false;
	}
	if (vaddr >= relro->mem_end)
		return false;
	*until = relro->mem_end;
	return true;
}
