/* src/read/page_state.c - what is behind single pages of a process. */
#include <segmap/page_state.h>
#include "base/range.h"
#include "base/scope.h"
#include "read/bytes.h"
#include "read/pagemap.h"

static bool is_zero(const struct segmap_layout *layout, uint64_t start)
{
	struct scanned scanned;
	struct scan scan = {
		.size = sizeof(scan),
		.start = start,
		.end = start + layout->page_size,
		.vec = (uintptr_t)&scanned,
		.vec_len = 1,
		.category_mask = SCAN_ZERO,
		.return_mask = SCAN_ZERO,
	};

	return ioctl(layout->pagemap, SCAN_IOCTL, &scan) > 0;
}

enum segmap_page_state segmap_page_state_at(const struct segmap_layout *layout, uint64_t addr)
{
	uint64_t entry, start = page_down(addr, layout->page_size);

	if (layout->pagemap < 0 ||
	    fd_read(layout->pagemap, &entry, sizeof(entry),
		    start / layout->page_size * sizeof(entry)) != sizeof(entry))
		return SEGMAP_STATE_UNKNOWN;
	switch (page_kind_of(entry)) {
	case PAGE_FILE:
		return SEGMAP_STATE_FILE;
	case PAGE_PRIVATE:
		return is_zero(layout, start) ? SEGMAP_STATE_ZERO : SEGMAP_STATE_PRIVATE;
	case PAGE_SWAPPED:
		return SEGMAP_STATE_SWAPPED;
	default:
		return SEGMAP_STATE_ABSENT;
	}
}
