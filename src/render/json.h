/* src/render/json.h - the map as a JSON document, after docs/segmap.schema.json. */
#ifndef RENDER_JSON_H
#define RENDER_JSON_H

#include "render/columns.h"
#include "render/quiz.h"
#include "render/diff.h"
#include "render/summary.h"
#include <stdio.h>

/*
 * Write @layout as one document on one line. VMA by VMA: what is held in memory
 * does not grow with the map.
 */
SEGMAP_MUST_CHECK struct segmap_error *render_json(const struct segmap_layout *layout,
						   const struct range *range, enum figures figures,
						   FILE *file);

/* The same for a summary. */
SEGMAP_MUST_CHECK struct segmap_error *render_summary_json(const struct summary_view *view,
							   FILE *file);

/* A quiz with its key. */
SEGMAP_MUST_CHECK struct segmap_error *render_quiz_json(const struct quiz *quiz, FILE *file);
/* The same for what differs between two maps. */
SEGMAP_MUST_CHECK struct segmap_error *render_diff_json(const struct diff_view *view, FILE *file);

#endif
