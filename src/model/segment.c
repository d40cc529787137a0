/* src/model/segment.c - a PT_LOAD or PT_GNU_RELRO, rounded to pages once. */
#include "base/range.h"
#include <segmap/segment.h>

void segmap_segment_expand(struct segmap_segment *segment, uint64_t page_size)
{
	uint64_t slack = segment->vaddr & (page_size - 1);
	uint64_t memory_end = segment->vaddr + segment->memsz;
	uint64_t data_end = segment->vaddr + segment->filesz;

	segment->map_start = segment->vaddr - slack;
	if (segment->type == SEGMAP_SEGMENT_RELRO) {
		segment->map_off = segment->off - slack;
		segment->mem_end = max_u64(page_down(memory_end, page_size), segment->map_start);
		segment->file_end = segment->mem_end;
		segment->mappable = true;
		return;
	}
	/*
	 * The kernel and glibc refuse a segment whose offset and address differ
	 * within the page: mmap takes whole pages of a file only.
	 */
	segment->mappable = ((segment->vaddr - segment->off) & (page_size - 1)) == 0 &&
			    page_up(memory_end, page_size) >= memory_end &&
			    page_up(data_end, page_size) >= data_end;
	segment->map_off = segment->off - slack;
	segment->file_end = segment->filesz ? page_up(data_end, page_size) : segment->map_start;
	segment->mem_end = max_u64(page_up(memory_end, page_size), segment->file_end);
}
