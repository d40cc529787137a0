/* src/render/watch.h - what has become of a process that is watched. */
#ifndef RENDER_WATCH_H
#define RENDER_WATCH_H

#include "render/columns.h"
#include <segmap/watch.h>

/* The sign that stands before a VMA: "+" new, ">" grown …; "" for none. */
const char *sign_of_mark(enum segmap_mark mark);

/*
 * Append a line for all that has happened from @before to @after, which was followed from it, to
 * VMAs that are or were in @range: the time, a sign, where, and what was and is. Returns how many.
 */
size_t append_followed(struct segmap_text *text, const struct segmap_layout *before,
		       const struct segmap_layout *after, const struct range *range,
		       const struct style *style);

/* Append a line of @layout's time and @words. */
void append_event(struct segmap_text *text, const struct timespec *time, const char *words);

#endif
