/* src/read/evidence.h - what an audit reads of a process beside its map. */
#ifndef READ_EVIDENCE_H
#define READ_EVIDENCE_H

#include "read/pagemap.h"
#include <segmap/audit.h>

/*
 * Open what segmap_layout_gather() will read of the process whose directory of /proc is
 * open as @dir, and read what else an audit wants to know, into @layout->evidence.
 * What is not allowed is no error. Nothing of @files is kept.
 */
SEGMAP_MUST_CHECK struct segmap_error *evidence_open(struct segmap_layout *layout, int dir,
						     struct segmap_files *files);

/* The page map of a process, a stretch at a time. Zero-initialize but for the first two. */
struct page_window {
	int pagemap; /* descriptor */
	uint64_t page_size;
	uint64_t start, end; /* runtime addresses of the entries that are there, [start, end) */
	uint64_t n_read; /* entries, all together */
	bool exhausted;	 /* there are more pages than are looked at: the others count as absent */
	uint64_t entries[1024];
};

/* What is behind the page that holds @addr; entries up to @end may be read at once. */
enum page_kind page_window_at(struct page_window *window, uint64_t addr, uint64_t end);

/*
 * Read the @size bytes at @addr of the process's memory; false unless all of them are on pages
 * that are in memory.
 */
bool evidence_read(const struct segmap_evidence *evidence, struct page_window *window, void *buffer,
		   size_t size, uint64_t addr);

/* Read the dynamic linker's list (struct r_debug of <link.h>). The error is for memory. */
SEGMAP_MUST_CHECK struct segmap_error *link_map_read(struct segmap_layout *layout,
						     struct page_window *window);

#endif
