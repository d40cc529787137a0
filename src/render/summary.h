/* src/render/summary.h - what a process's memory is made of, as a table and as raw records. */
#ifndef RENDER_SUMMARY_H
#define RENDER_SUMMARY_H

#include "render/columns.h"
#include <segmap/census.h>
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
extern const char default_summary_columns[], default_census_columns[];

/* A summary, and what it is of: one process, or all that are in a census. */
struct summary_view {
	struct segmap_summary *summary;
	const struct segmap_layout *layout; /* or NULL */
	const struct segmap_census *census; /* or NULL */
};

/* Bring the rows into the order that @selection asks for. */
SEGMAP_MUST_CHECK struct segmap_error *summary_sort(const struct summary_view *view,
						    const struct summary_selection *selection,
						    const struct style *style);

/* Write @view to @file. Errors of writing stay in @file; the error is for memory. */
SEGMAP_MUST_CHECK struct segmap_error *
render_summary_table(const struct summary_view *view, const struct summary_selection *selection,
		     const struct style *style, FILE *file);
SEGMAP_MUST_CHECK struct segmap_error *
render_summary_raw(const struct summary_view *view, const struct summary_selection *selection,
		   const struct style *style, FILE *file);

#endif
