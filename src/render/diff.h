/* src/render/diff.h - what differs between two maps. */
#ifndef RENDER_DIFF_H
#define RENDER_DIFF_H

#include "render/columns.h"
#include <segmap/diff.h>
#include <stdio.h>

struct diff_view {
	const struct segmap_diff *diff;
	const char *name_a, *name_b; /* as the user named them */
	const struct segmap_layout *a, *b;
};

/* Bases and how far they moved, then a line for each change, and notes. */
SEGMAP_MUST_CHECK struct segmap_error *render_diff_table(const struct diff_view *view,
							 const struct style *style, FILE *file);

/* One record a line, WHAT NAME PHDR A B WHY; of a base WHAT is "base". */
SEGMAP_MUST_CHECK struct segmap_error *render_diff_raw(const struct diff_view *view,
						       const struct style *style, FILE *file);

#endif
