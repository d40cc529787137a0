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
	enum figures {
		FIGURES_NONE,
		FIGURES_FEW,  /* -x */
		FIGURES_MOST, /* -X: those of pmap -X */
		FIGURES_ALL,  /* -XX: whatever smaps has */
	} figures;
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

/* Whether the row's piece has figures that are not exact. */
static inline bool row_is_about(const struct row *row)
{
	const struct segmap_memory *memory = row->layout->memory;

	return memory && memory->about && memory->about[row->vma - row->layout->vmas];
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
	bool costs;	/* it needs figures of memory */
	bool pages;	/* it needs the pages of every VMA */
	bool sum;	/* the line behind the table has a total of it */
	/* A figure of memory: what it is, or SEGMAP_NO_FIGURE. Such a column has no number, and
	 * get is not asked. */
	uint64_t (*amount)(const struct row *row, int32_t figure);
	const char *figure; /* the field of smaps that amount is asked for; NULL: none */
	/* Append the cell's text; nothing where it does not apply. Sees to hostile bytes itself. */
	void (*get)(const struct row *row, const struct style *style, struct segmap_text *cell);
};

/* All columns; the last has no name. */
extern const struct column all_columns[];

/* These two stand for the figures that smaps turns out to have: those of pmap -X, and all. */
extern const struct column most_figures, every_figure;

/*
 * A column of one layout's output. Which figures there are is known only when
 * smaps was read, so they are looked up once, before the first row.
 */
struct field {
	const struct column *column;
	int32_t figure; /* index in the layout's figures; -1 for none */
	bool is_size;	/* its amounts are bytes */
};

struct fields {
	struct field *array;
	size_t n;
	struct column *made; /* for figures that this version has never heard of */
	size_t n_made;
};

/* Which columns, in which order. */
struct selection {
	const struct column **array;
	size_t n;
};

/* The fields of @layout that @selection asks for; false if there is no memory. */
bool fields_make(const struct segmap_layout *layout, const struct selection *selection,
		 struct fields *ret);
void fields_free(struct fields *fields);

/* The figure in a cell, or SEGMAP_NO_FIGURE; the column has amounts. */
static inline uint64_t field_amount(const struct field *field, const struct row *row)
{
	/* Most cells of a long table: a field of smaps as it is. */
	if (field->figure >= 0 && !row->piece)
		return segmap_memory_figure(row->layout->memory,
					    (size_t)(row->vma - row->layout->vmas), field->figure);
	return field->column->amount(row, field->figure);
}

/* Append @amount, which is not SEGMAP_NO_FIGURE, as the column has it. */
void append_amount(const struct field *field, const struct style *style, struct segmap_text *cell,
		   uint64_t amount);

/* Append the text of a cell. */
static inline void field_append(const struct field *field, const struct row *row,
				const struct style *style, struct segmap_text *cell)
{
	uint64_t amount;

	if (!field->column->amount) {
		field->column->get(row, style, cell);
		return;
	}
	amount = field_amount(field, row);
	if (amount == SEGMAP_NO_FIGURE)
		return;
	if (!amount && !style->bytes && !row->piece && field->is_size) {
		segmap_text_append_bytes(cell, "0K", 2); /* nearly always */
		return;
	}
	if (row->piece && style->indent && row_is_about(row))
		segmap_text_append_char(cell, '~');
	append_amount(field, style, cell, amount);
}

/*
 * The columns of a table where no -o says otherwise, comma-separated; with a
 * row for each @piece or without. FIGURES and ALL-FIGURES are the two above.
 */
const char *default_columns(enum figures figures, bool pieces);

/* The column called by the @size bytes at @name, in either case; NULL if there is none. */
const struct column *column_find(const char *name, size_t size);

/* Which VMAs are shown: those that overlap these addresses. */
struct range {
	uint64_t low, high; /* both included */
};

/* Whether VMA @index is one of them, by its addresses as they are shown: from its base on. */
static inline bool range_overlaps(const struct range *range, const struct segmap_layout *layout,
				  size_t index)
{
	const struct segmap_vma *vma = &layout->vmas[index];
	uint64_t origin = segmap_layout_placement(layout, index)->origin;

	return vma->start - origin <= range->high && vma->end - 1 - origin >= range->low;
}

/* Append the name of a VMA or file: its base name, or as the style has it. */
void append_name(struct segmap_text *cell, const char *name, const struct style *style);

/* Append @address, which lies in @row's VMA: in a prediction as base+offset, "B+00003000". */
void append_address(struct segmap_text *cell, const struct row *row, uint64_t address);

/* Append @bytes in KiB with a K, or as the style has it. */
void append_size(struct segmap_text *text, const struct style *style, uint64_t bytes);

/*
 * Names of a VMA's sections, one call of @append for each: safe text with its
 * marks. False if there is no memory for one.
 */
bool sections_each(const struct row *row, void (*append)(void *context, const char *name, size_t size),
		   void *context);

#endif
