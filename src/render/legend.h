/* src/render/legend.h - the colours of a table, and what they and its marks mean. */
#ifndef RENDER_LEGEND_H
#define RENDER_LEGEND_H

#include "render/columns.h"
#include <stdio.h>

/*
 * What the eye shall find at once. Each is a pair of ink and ground out of 16
 * colours, so that it is as readable on a dark terminal as on a light one; blue,
 * cyan, magenta and yellow stay apart for the colour-blind, and bold, underline or
 * the permissions beside it say the same without colour.
 */
enum tone {
	TONE_NONE,
	TONE_CODE,
	TONE_RODATA,
	TONE_RELRO,
	TONE_DATA,
	TONE_BSS,
	TONE_GAP,
	TONE_ODD, /* not as the file asks for, or writable and executable */
	N_TONES,
};

enum tone tone_of(const struct row *row);

/* Its SGR codes without the frame, "1;97;44"; NULL for none. */
const char *tone_codes(enum tone tone);

/* Append the escape sequence for SGR @codes, and the one that ends it. */
void begin_colour(struct segmap_text *line, const char *codes);
void end_colour(struct segmap_text *line);

/* Write what colours, marks and words of a table mean; the error is for memory. */
SEGMAP_MUST_CHECK struct segmap_error *render_legend(const struct style *style, FILE *file);

#endif
