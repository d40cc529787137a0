/* src/render/reason.h - why a call is made, as a sentence with its numbers. */
#ifndef RENDER_REASON_H
#define RENDER_REASON_H

#include <segmap/layout.h>
#include <segmap/text.h>

/*
 * Append why @call, one of @layout's prediction, is made: one or more sentences
 * in which every number is named. Addresses in them are ELF virtual addresses.
 */
void append_reason(struct segmap_text *text, const struct segmap_layout *layout,
		   const struct segmap_call *call);

#endif
