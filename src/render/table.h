/* src/render/table.h - the map as a table, and as raw records. */
#ifndef RENDER_TABLE_H
#define RENDER_TABLE_H

#include "render/columns.h"
#include <stdio.h>

/* Which columns, in which order. */
struct selection {
	const struct column **array;
	size_t n;
};

/* Write @layout to @file. Errors of writing stay in @file; the error is for memory. */
SEGMAP_MUST_CHECK struct segmap_error *render_table(const struct segmap_layout *layout,
						    const struct selection *selection,
						    const struct style *style,
						    const struct range *range, FILE *file);

/* The same as one record a line: fields parted by one blank, a blank in a field as \x20. */
SEGMAP_MUST_CHECK struct segmap_error *render_raw(const struct segmap_layout *layout,
						  const struct selection *selection,
						  const struct style *style,
						  const struct range *range, FILE *file);

#endif
