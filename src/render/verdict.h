/* src/render/verdict.h - what comparing predictions with a run has found. */
#ifndef RENDER_VERDICT_H
#define RENDER_VERDICT_H

#include "render/columns.h"
#include <segmap/compare.h>
#include <stdio.h>

/* "perms /usr/lib/libz.so.1 program header 3" */
void append_subject(struct segmap_text *text, const struct segmap_change *change);

/* "perms libz.so.1 3: predicted 0x1000-0x2000 rw-p anonymous, is …" */
void append_change(struct segmap_text *text, const struct segmap_change *change);

/* "verified at entry: 9 images, 38 VMAs, no difference", or why it could not be. */
void append_verdict(struct segmap_text *text, const struct segmap_layout *layout);

/* Write the verdict on @layout, if it was compared, and a line for each difference. */
SEGMAP_MUST_CHECK struct segmap_error *render_verdict(const struct segmap_layout *layout,
						      const struct style *style, FILE *file);

#endif
