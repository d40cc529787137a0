/* src/correlate/summary.h - what summaries of one process and of many have in common. */
#ifndef CORRELATE_SUMMARY_H
#define CORRELATE_SUMMARY_H

#include <segmap/summary.h>

/*
 * The group of a row of one process: its kind, or this and the index of its
 * backing (the vdso has -1).
 */
#define SUMMARY_FIRST_BACKING (UINT64_C(1) << 32)

/* What is not known of one part is not known of the sum. */
void summary_add_figures(struct segmap_summary_figures *sum,
			 const struct segmap_summary_figures *figures);

/* Bring @rows into order: the group with the most of @by first. False if there is no memory. */
bool summary_sort_rows(struct segmap_summary_row *rows, size_t n_rows,
		       enum segmap_summary_figure by);

/*
 * As segmap_layout_summarize(), in no order; and where figures of a piece
 * cannot be known exactly, what the kernel says of the VMA is shared out.
 */
SEGMAP_MUST_CHECK struct segmap_error *summary_of_process(const struct segmap_layout *layout,
							  uint64_t low, uint64_t high,
							  struct segmap_summary *ret);

#endif
