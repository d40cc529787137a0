/* src/render/summary.h - what a process's memory is made of, as a table and as raw records. */
#ifndef RENDER_SUMMARY_H
#define RENDER_SUMMARY_H

#include "render/columns.h"
#include <segmap/summary.h>
#include <stdio.h>

/* All columns of a summary; NULL ends them. */
extern const char *const summary_column_names[];
const char *summary_column_help(size_t index);

/* The index of the column called by the @size bytes at @name, in either case; -1: there is none. */
int summary_column_find(const char *name, size_t size);

/* Which columns of a summary, in which order: indices. */
struct summary_selection {
	int array[32];
	size_t n;
	int sort; /* by this column, numbers from the greatest on; -1: as they come */
};

/* Those of the list without -o. */
extern const char default_summary_columns[];

/* Bring the rows into the order that @selection asks for. */
SEGMAP_MUST_CHECK struct segmap_error *summary_sort(const struct segmap_layout *layout,
						    struct segmap_summary *summary,
						    const struct summary_selection *selection,
						    const struct style *style);

/* Write @summary of @layout to @file. Errors of writing stay in @file; the error is for memory. */
SEGMAP_MUST_CHECK struct segmap_error *
render_summary_table(const struct segmap_layout *layout, const struct segmap_summary *summary,
		     const struct summary_selection *selection, const struct style *style,
		     FILE *file);
SEGMAP_MUST_CHECK struct segmap_error *
render_summary_raw(const struct segmap_layout *layout, const struct segmap_summary *summary,
		   const struct summary_selection *selection, const struct style *style, FILE *file);

#endif
