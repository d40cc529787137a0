/* src/render/audit.h - findings of an audit, as text and as raw records. */
#ifndef RENDER_AUDIT_H
#define RENDER_AUDIT_H

#include "render/columns.h"
#include <stdio.h>

/*
 * Write what was found in @layout, which was audited: each finding with what was
 * expected, what there is and when that is harmless; what is only information a line for
 * each sort of it.
 */
SEGMAP_MUST_CHECK struct segmap_error *render_audit(const struct segmap_layout *layout,
						    const struct style *style, FILE *file);

/* The same as one record a line, information too. */
SEGMAP_MUST_CHECK struct segmap_error *render_raw_audit(const struct segmap_layout *layout,
							const struct style *style, FILE *file);

#endif
