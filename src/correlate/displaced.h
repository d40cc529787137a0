/* src/correlate/displaced.h - pages that lie where an image's code or constants should be. */
#ifndef CORRELATE_DISPLACED_H
#define CORRELATE_DISPLACED_H

#include "correlate/extents.h"
#include <segmap/layout.h>

/*
 * Find what of @layout's loaded images has been mapped over, into @layout->displaced. Its VMAs are
 * annotated; @extents has one entry for each image (borrowed, NULL for one without an ELF object).
 * When nothing is left of @lookups_left (see correlate/bias.h), it ends with what was found until
 * then. False if there is no memory.
 */
bool displaced_find(struct segmap_layout *layout, const struct extents *const *extents,
		    size_t *lookups_left);

#endif
