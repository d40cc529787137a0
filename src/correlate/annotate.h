/* src/correlate/annotate.h - cutting the VMAs of images into pieces. */
#ifndef CORRELATE_ANNOTATE_H
#define CORRELATE_ANNOTATE_H

#include "correlate/extents.h"
#include <segmap/layout.h>

/*
 * Fill in @layout's annotations and pieces. Its images are known and sorted by
 * start; @extents has one entry for each of them (borrowed, NULL for an image
 * without an ELF object). When nothing is left of @cuts_left, each VMA that follows becomes
 * one piece, "[uncut]". False if there is no memory.
 */
bool annotate(struct segmap_layout *layout, const struct extents *const *extents,
	      size_t *cuts_left);

#endif
