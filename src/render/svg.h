/* src/render/svg.h - a picture drawn: the columns of its groups, for a page or a sheet. */
#ifndef RENDER_SVG_H
#define RENDER_SVG_H

#include "render/picture.h"

enum {
	SVG_WIDTH = 1200,
	SVG_HEADING = 40, /* over a group's columns: its name, and what is left and right */
	SVG_LEGEND = 64,  /* height of the legend */
};

/* How groups are drawn. */
struct svg {
	struct segmap_text *markup; /* what is drawn is appended here */
	const struct picture *picture;
	size_t map;    /* number of the picture in its document, from 0: part of every id */
	bool is_page;  /* boxes are links to the rows of the table in the page */
};

/* Group @index, its heading at @y. */
void svg_group(const struct svg *svg, size_t index, int y);

/* Of its heading and columns. */
int svg_group_height(const struct picture_group *group);

/* What the colours and hatches mean. */
void svg_legend(struct segmap_text *markup, int y);

/* <defs> with the hatches; once in a document. */
void svg_hatches(struct segmap_text *markup);

/* The mark for @bytes of address space that are not mapped, PICTURE_HOLE high. */
void svg_break(struct segmap_text *markup, int y, uint64_t bytes);

/* Ids, without quotes: of a box on the left, on the right, and of a table's row. */
void svg_box_id(struct segmap_text *markup, size_t map, size_t group, uint32_t box);
void svg_piece_id(struct segmap_text *markup, size_t map, uint32_t piece);
void svg_row_id(struct segmap_text *markup, size_t map, uint32_t piece);
void svg_part_id(struct segmap_text *markup, size_t map, uint32_t part);
void svg_vma_id(struct segmap_text *markup, size_t map, size_t vma, bool is_row);

#endif
