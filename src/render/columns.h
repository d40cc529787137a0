/* src/render/columns.h - one table that describes every column. */
#ifndef RENDER_COLUMNS_H
#define RENDER_COLUMNS_H

#include <segmap/layout.h>
#include <segmap/text.h>

/* How values are written. */
struct style {
	bool full_paths; /* not base names */
	bool bytes;	 /* exact sizes, not KiB */
	bool utf8;	 /* the output's character set has an ellipsis */
	bool colour;
	size_t width;	 /* terminal columns; 0: as wide as it takes */
	size_t wrap;	 /* where lists of sections are broken */
	bool heading;	 /* the line with the columns' names */
	bool frame;	 /* the lines before and behind: process, total, notes */
	bool pieces;	 /* a row for each piece, too */
	bool indent;	 /* pieces are set in from their VMA */
};

/* What a row shows: a VMA, or one of its pieces. */
struct row {
	const struct segmap_layout *layout;
	const struct segmap_vma *vma;
	const struct segmap_annotation *annotation; /* of the VMA */
	const struct segmap_piece *piece;	    /* NULL: the VMA itself */
};

/* The row of VMA @index itself. */
static inline struct row row_of_vma(const struct segmap_layout *layout, size_t index)
{
	return (struct row){ layout, &layout->vmas[index], &layout->annotations[index], NULL };
}

struct column {
	const char *name;
	const char *help;
	bool right;	/* aligned */
	bool shrinks;	/* cut in the middle where the terminal is too narrow */
	bool under;	/* in a table, written under the row */
	size_t width;	/* of every cell; 0: it differs */
	/* What the cell is made of, if it is a number. The greatest makes the widest cell: among
	 * VMAs always, among their pieces if @monotone. */
	uint64_t (*number)(const struct row *row);
	bool monotone;
	bool ascending;	/* numbers grow from row to row */
	bool ascii;	/* a byte is a column of the terminal */
	bool by_name;	/* the same for neighbours of one name that belong to no image */
	/* Append the cell's text; nothing where it does not apply. Sees to hostile bytes itself. */
	void (*get)(const struct row *row, const struct style *style, struct segmap_text *cell);
};

/* All columns; the last has no name. */
extern const struct column all_columns[];

/* Those of the default table, and with a row for each piece; comma-separated. */
extern const char default_columns[];
extern const char piece_columns[];

/* The column called by the @size bytes at @name, in either case; NULL if there is none. */
const struct column *column_find(const char *name, size_t size);

/* Which VMAs are shown: those that overlap these addresses. */
struct range {
	uint64_t low, high; /* both included */
};

static inline bool range_overlaps(const struct range *range, const struct segmap_vma *vma)
{
	return vma->start <= range->high && vma->end - 1 >= range->low;
}

/* Append @bytes in KiB with a K, or as the style has it. */
void append_size(struct segmap_text *text, const struct style *style, uint64_t bytes);

/* Names of a VMA's sections, one call of @append for each: safe text with its marks. */
void sections_each(const struct row *row, void (*append)(void *context, const char *name, size_t size),
		   void *context);

#endif
