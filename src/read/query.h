/* src/read/query.h - asking the kernel for single VMAs, where it can answer that. */
#ifndef READ_QUERY_H
#define READ_QUERY_H

#include <segmap/layout.h>

/*
 * Fill @layout's VMAs with those around the @n addresses @addrs: what is there, the
 * other parts of the images that it belongs to, and the neighbours of what is not
 * mapped. *@ret becomes false, and @layout is left alone, where only the whole map
 * will do: before Linux 6.11, for [vsyscall], for images that are not found
 * where their own headers put them, and where very many VMAs would be asked for.
 * Files are opened and parsed on the way.
 */
SEGMAP_MUST_CHECK struct segmap_error *query_vmas(struct segmap_layout *layout, int process_dir,
						  const uint64_t *addrs, size_t n,
						  struct segmap_files *files, bool *ret);

#endif
