/* src/read/pagemap.h - what the kernel tells of single pages: /proc/PID/pagemap. */
#ifndef READ_PAGEMAP_H
#define READ_PAGEMAP_H

#include <stdint.h>
#include <sys/ioctl.h>

/* A word of /proc/PID/pagemap (Linux Documentation/admin-guide/mm/pagemap.rst). */
#define ENTRY_FRAME ((UINT64_C(1) << 55) - 1) /* its number; 0 for those who may not know it */
#define ENTRY_PRESENT (UINT64_C(1) << 63)
#define ENTRY_SWAPPED (UINT64_C(1) << 62)
#define ENTRY_FILE (UINT64_C(1) << 61)	   /* or shared memory */
#define ENTRY_GUARD (UINT64_C(1) << 58)	   /* a guard page that looks swapped, Linux 6.15 */
#define ENTRY_EXCLUSIVE (UINT64_C(1) << 56) /* mapped once, Linux 4.2 */

/* What is behind a page. */
enum page_kind {
	PAGE_ABSENT, /* or it is not known */
	PAGE_FILE,
	PAGE_PRIVATE, /* anonymous */
	PAGE_SWAPPED,
};

static inline enum page_kind page_kind_of(uint64_t entry)
{
	if (entry & ENTRY_PRESENT)
		return entry & ENTRY_FILE ? PAGE_FILE : PAGE_PRIVATE;
	return entry & ENTRY_SWAPPED && !(entry & ENTRY_GUARD) ? PAGE_SWAPPED : PAGE_ABSENT;
}

/*
 * The PAGEMAP_SCAN ioctl, Linux 6.7 (include/uapi/linux/fs.h). It tells pages
 * of zeros from others, to everyone who may read the page map, and passes over
 * what is absent; but it does not tell who else maps a page. Declared here,
 * since segmap is also built with older headers.
 */
struct scanned {
	uint64_t start, end; /* [start, end) */
	uint64_t categories;
};

struct scan {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define SCAN_IOCTL _IOWR('f', 16, struct scan)

enum {
	SCAN_FILE = 1 << 2,
	SCAN_PRESENT = 1 << 3,
	SCAN_SWAPPED = 1 << 4,
	SCAN_ZERO = 1 << 5,
	SCAN_GUARD = 1 << 8, /* Linux 6.15; before, asking for it is an error */
};

#endif
