/* src/render/markup.h - text for SVG and HTML, in which a hostile name is only a name. */
#ifndef RENDER_MARKUP_H
#define RENDER_MARKUP_H

#include <segmap/text.h>

/*
 * Append @size bytes that came from a process or a file, for text and for quoted
 * attributes alike, in HTML and in XML: what segmap_text_append_safe() leaves, with
 * the five characters of markup as entities. U+FFFE and U+FFFF, which no XML
 * document may hold (XML 1.0, production Char), become octal as controls do.
 */
void markup_append(struct segmap_text *markup, const char *bytes, size_t size);

/* The same, cut in its middle where it takes more than @columns of a fixed-width font. */
void markup_append_cut(struct segmap_text *markup, const char *bytes, size_t size, size_t columns);

/* Append @bytes with a unit that leaves at most four digits: "812", "1.5 KiB", "37.4 TiB". */
void markup_append_amount(struct segmap_text *markup, uint64_t bytes);

#endif
