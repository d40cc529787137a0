/* src/render/explain.h - what a program file says, and the story of its loading. */
#ifndef RENDER_EXPLAIN_H
#define RENDER_EXPLAIN_H

#include "render/columns.h"
#include <stdio.h>

/*
 * Write what the file of @layout, a prediction, asks for, and then the calls that
 * load it, in order, each with its reason. The map itself is render_table()'s.
 */
SEGMAP_MUST_CHECK struct segmap_error *
render_explanation(const struct segmap_layout *layout, const struct style *style, FILE *file);

/* Write what the file of @layout, a prediction, asks for, and nothing else. */
SEGMAP_MUST_CHECK struct segmap_error *render_program_file(const struct segmap_layout *layout,
							   const struct style *style, FILE *file);

#endif
