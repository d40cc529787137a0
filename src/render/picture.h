/* src/render/picture.h - what stands where in a picture of a map: computed once, drawn by svg.c. */
#ifndef RENDER_PICTURE_H
#define RENDER_PICTURE_H

#include "render/columns.h"

#define PICTURE_ONCE UINT32_MAX /* no other piece maps the same bytes */

enum { PICTURE_HOLE = 26 }; /* height of the mark for addresses that are not mapped */

/* What a box looks like. */
enum picture_class {
	PICTURE_CODE,
	PICTURE_RODATA,
	PICTURE_RELRO,
	PICTURE_DATA,
	PICTURE_BSS,	  /* zeroes that no file holds */
	PICTURE_HEADER,	  /* ELF header, program headers, section headers */
	PICTURE_PADDING,  /* in no section */
	PICTURE_SPILL,	  /* mapped because pages are whole */
	PICTURE_GAP,	  /* held without access */
	PICTURE_OTHER,	  /* of no file, or of one that is no loaded image */
	PICTURE_UNLOADED, /* of the file: no segment loads it */
	N_PICTURE_CLASSES,
};

/* Its name in the style sheet, and what the legend says of it. */
struct picture_look {
	const char *name, *words;
};
extern const struct picture_look picture_looks[N_PICTURE_CLASSES];

/* A stretch of a file that is one section, header or padding. */
struct picture_part {
	uint64_t start, end; /* [start, end): offsets in the file */
	const char *name;    /* raw bytes; borrowed from the ELF object, or constant */
	enum picture_class class;
	int32_t segment;     /* index in the ELF object's segments of its PT_LOAD; -1: none */
	uint32_t box;	     /* in which it is drawn: index in the group's boxes */
};

/* A box on the left: a part, or several small ones in a row. */
struct picture_box {
	uint32_t first, n;  /* parts */
	int64_t piece;	    /* the first in memory that holds bytes of it: index; -1: none */
	int y, height;	    /* from the top of the group's columns */
};

/* A box on the right: a piece, or several in a row that are one box on the left. */
struct picture_item {
	uint32_t piece, n; /* indices in the layout's pieces */
	enum picture_class class;
	uint32_t key;	   /* of its pieces: see picture.keys */
	int y, height;
};

/* A VMA on the right; or several in a row that are too many, without items. */
struct picture_row {
	size_t first, n; /* in the picture's order */
	size_t vma;	 /* the first: index in the layout's */
	uint32_t first_item, n_items;
	uint64_t hole;	 /* bytes of address space before it that are not mapped; 0: none */
	bool elsewhere;	 /* other memory lies between it and the row before */
	int y, height;	 /* without the mark for what lies before it */
};

/* An image with its file, or neighbours that belong to none. */
struct picture_group {
	int32_t image; /* -1: of no image */
	size_t first, n; /* its VMAs, in the picture's order */
	uint32_t first_part, n_parts;
	uint32_t first_box, n_boxes;
	uint32_t first_row, n_rows;
	uint64_t hole; /* bytes before its first VMA that are not mapped; 0: none, or not known */
	int height;    /* of its columns */
};

/*
 * Heights grow with the logarithm of the size, so that a page and 128 TiB stand
 * on one sheet; widths mean nothing. All is in user units of SVG, whole numbers.
 */
struct picture {
	const struct segmap_layout *layout; /* borrowed */
	size_t *order; /* indices of the VMAs that are shown, group by group */
	struct picture_group *groups;
	size_t n_groups, cap_groups;
	struct picture_part *parts;
	size_t n_parts, cap_parts;
	struct picture_box *boxes;
	size_t n_boxes, cap_boxes;
	struct picture_row *rows;
	size_t n_rows, cap_rows;
	struct picture_item *items;
	size_t n_items, cap_items;
	/*
	 * For each piece of the layout: what is the same bytes has the same key within
	 * its group. Below the group's n_boxes it is the box on the left.
	 */
	uint32_t *keys;
	uint32_t *vma_of; /* for each piece: index of its VMA */
	uint32_t *twice; /* for each piece: another that maps some of its bytes; or PICTURE_ONCE */
};

/* Which VMAs: those of @range. Names are borrowed from @layout, which must outlive it. */
SEGMAP_MUST_CHECK struct segmap_error *picture_make(const struct segmap_layout *layout,
						    const struct range *range, struct picture *ret);
void picture_free(struct picture *picture);

/* The y, from the top of @group's columns, of the byte at @off of its file. */
int picture_y_of_off(const struct picture *picture, const struct picture_group *group, uint64_t off);

/* Of a piece; @layout is the picture's. */
enum picture_class picture_class_of_piece(const struct segmap_layout *layout,
					  const struct segmap_piece *piece);

#endif
