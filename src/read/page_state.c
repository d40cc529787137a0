/* src/read/page_state.c - what is behind single pages of a process: /proc/PID/pagemap. */
#include <segmap/page_state.h>
#include "read/bytes.h"
#include "base/range.h"
#include "base/scope.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>

struct segmap_page_states {
	int fd;
	uint64_t page_size;
};

/* Linux 6.7, <linux/fs.h>: headers can be older than the kernel. */
struct scan_region {
	uint64_t start, end, categories;
};

struct scan_arguments {
	uint64_t size, flags, start, end, walk_end, regions, n_regions, max_pages;
	uint64_t inverted, mask, any_of, return_mask;
};

#define SCAN_IOCTL _IOWR('f', 16, struct scan_arguments)
enum { SCAN_IS_ZERO = 1 << 5 }; /* PAGE_IS_PFNZERO */

struct segmap_page_states *segmap_page_states_open(int pid)
{
	struct segmap_page_states *pages;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	pages = calloc(1, sizeof(*pages));
	if (!pages) {
		close(fd);
		return NULL;
	}
	pages->fd = fd;
	pages->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	return pages;
}

void segmap_page_states_close(struct segmap_page_states *pages)
{
	if (!pages)
		return;
	close(pages->fd);
	free(pages);
}

static bool is_zero(const struct segmap_page_states *pages, uint64_t start)
{
	struct scan_region region;
	struct scan_arguments arguments = {
		.size = sizeof(arguments),
		.start = start,
		.end = start + pages->page_size,
		.regions = (uintptr_t)&region,
		.n_regions = 1,
		.mask = SCAN_IS_ZERO,
		.return_mask = SCAN_IS_ZERO,
	};

	return ioctl(pages->fd, SCAN_IOCTL, &arguments) > 0;
}

enum segmap_page_state segmap_page_state_at(struct segmap_page_states *pages, uint64_t addr)
{
	/* proc(5), Linux Documentation/admin-guide/mm/pagemap.rst */
	const uint64_t present = UINT64_C(1) << 63, swapped = UINT64_C(1) << 62;
	const uint64_t file = UINT64_C(1) << 61;
	uint64_t entry, start = page_down(addr, pages->page_size);

	if (fd_read(pages->fd, &entry, sizeof(entry), start / pages->page_size * sizeof(entry)) !=
	    sizeof(entry))
		return SEGMAP_STATE_UNKNOWN;
	if (entry & swapped)
		return SEGMAP_STATE_SWAPPED;
	if (!(entry & present))
		return SEGMAP_STATE_ABSENT;
	if (entry & file)
		return SEGMAP_STATE_FILE;
	return is_zero(pages, start) ? SEGMAP_STATE_ZERO : SEGMAP_STATE_PRIVATE;
}
