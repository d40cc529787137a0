/* src/read/maps.h - grouping a layout's VMAs by the file behind them. */
#ifndef READ_MAPS_H
#define READ_MAPS_H

#include <segmap/layout.h>

enum grouping_key {
	GROUP_BY_INODE, /* and device; VMAs without an inode have no file */
	GROUP_BY_NAME,	/* for a source that knows no inodes; a name in brackets is no file */
};

/* Make @layout's annotations and backings of its VMAs. */
SEGMAP_MUST_CHECK struct segmap_error *maps_group(struct segmap_layout *layout,
						  enum grouping_key key);

#endif
