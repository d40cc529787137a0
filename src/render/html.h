/* src/render/html.h - a page with a map: foldable pictures, and the same facts as a table. */
#ifndef RENDER_HTML_H
#define RENDER_HTML_H

#include "render/picture.h"

/* What stands before the first map; @title is markup. */
void html_begin(struct segmap_text *markup, const struct segmap_text *title);

/* @picture, the map of number @map in its page. */
void html_map(struct segmap_text *markup, const struct picture *picture, size_t map);

/* What stands behind the last one. */
void html_end(struct segmap_text *markup);

#endif
