/* src/read/maps.h - grouping a layout's VMAs by the file behind them. */
#ifndef READ_MAPS_H
#define READ_MAPS_H

#include <segmap/layout.h>

enum grouping_key {
	GROUP_BY_INODE, /* and device; VMAs without an inode have no file */
	GROUP_BY_NAME,	/* for a source that knows no inodes; a name in brackets is no file */
};

/*
 * Read maps or smaps from @fd on into @layout's VMAs and group them by file. *@problem becomes
 * the errno value of reading; there is no error then, nor if there is nothing to be read.
 * Errors name @name.
 */
SEGMAP_MUST_CHECK struct segmap_error *maps_read(struct segmap_layout *layout, int fd,
						 const char *name, int *problem);

/* Make @layout's annotations and backings of its VMAs. */
SEGMAP_MUST_CHECK struct segmap_error *maps_group(struct segmap_layout *layout,
						  enum grouping_key key);

#endif
