/* src/render/at.h - answers to --at, as text and as raw records. */
#ifndef RENDER_AT_H
#define RENDER_AT_H

#include "render/columns.h"
#include <segmap/at.h>
#include <stdio.h>

/* A few lines for each of @layout's answers; with style->frame false, the first of them only. */
SEGMAP_MUST_CHECK struct segmap_error *render_answers(const struct segmap_layout *layout,
						      const struct style *style, FILE *file);

/* One record a line, fields parted by one blank. */
SEGMAP_MUST_CHECK struct segmap_error *
render_raw_answers(const struct segmap_layout *layout, const struct style *style, FILE *file);

#endif
