/* src/render/trace.h - the system calls by which a program's memory came about. */
#ifndef RENDER_TRACE_H
#define RENDER_TRACE_H

#include "render/columns.h"
#include <segmap/layout.h>
#include <segmap/trace.h>
#include <stdio.h>

/* Append what @call, one of @layout's trace, is for: "libc.so.6 LOAD 3 .text". */
void append_purpose(struct segmap_text *text, const struct segmap_layout *layout,
		    const struct segmap_traced *call);

/* Append a predicted call of @layout's trace that was not made: "mprotect RELRO of ls". */
void append_missing(struct segmap_text *text, const struct segmap_layout *layout,
		    const struct segmap_call *call);

/* Write the calls of @layout's trace as a table, a line for each. */
SEGMAP_MUST_CHECK struct segmap_error *render_trace(const struct segmap_layout *layout,
						    const struct style *style, FILE *file);

#endif
