/* src/render/table.c - the map as a table, and as raw records. */
#include "render/table.h"
#include <stdlib.h>
#include <string.h>

/* Cells as they are written, row after row; widths are known when all are there. */
struct table {
	const struct selection *selection;
	const struct style *style;
	struct segmap_text text;
	size_t *ends; /* in text, of each cell */
	size_t n_cells, cells_capacity;
	struct row *rows;
	size_t n_rows, rows_capacity;
	size_t *widths; /* of each column */
	uint64_t total; /* bytes in the VMAs */
	bool failed;
};

static void table_free(struct table *table)
{
	segmap_text_free(&table->text);
	free(table->ends);
	free(table->rows);
	free(table->widths);
}

static bool make_room(void *array, size_t *capacity, size_t count, size_t size)
{
	void **at = array, *moved;
	size_t bigger = *capacity ? *capacity * 2 : 256;

	if (count <= *capacity)
		return true;
	while (bigger < count)
		bigger *= 2;
	moved = reallocarray(*at, bigger, size);
	if (!moved)
		return false;
	*at = moved;
	*capacity = bigger;
	return true;
}

static void add_row(struct table *table, struct row row)
{
	const struct selection *selection = table->selection;

	if (!make_room(&table->rows, &table->rows_capacity, table->n_rows + 1, sizeof(row)) ||
	    !make_room(&table->ends, &table->cells_capacity, table->n_cells + selection->n,
		       sizeof(*table->ends))) {
		table->failed = true;
		return;
	}
	table->rows[table->n_rows++] = row;
	for (size_t i = 0; i < selection->n; i++) {
		size_t start = table->text.size, columns;

		if (!selection->array[i]->under)
			selection->array[i]->get(&row, table->style, &table->text);
		table->ends[table->n_cells++] = table->text.size;
		columns = segmap_text_columns(table->text.bytes + start, table->text.size - start);
		if (columns > table->widths[i])
			table->widths[i] = columns;
	}
}

/* All rows of @layout that are in @range. */
static void fill(struct table *table, const struct segmap_layout *layout, const struct range *range)
{
	for (size_t i = 0; i < layout->n_vmas && !table->failed; i++) {
		const struct segmap_annotation *annotation = &layout->annotations[i];

		if (!range_overlaps(range, &layout->vmas[i]))
			continue;
		table->total += segmap_vma_size(&layout->vmas[i]);
		add_row(table, (struct row){ layout, i, NULL });
		for (uint32_t j = 0; table->style->pieces && j < annotation->n_pieces; j++)
			add_row(table, (struct row){ layout, i,
						     &layout->pieces[annotation->first_piece + j] });
	}
}

/* The index of the last column that stands in the row itself. */
static size_t last_column(const struct selection *selection)
{
	size_t last = 0;

	for (size_t i = 0; i < selection->n; i++)
		if (!selection->array[i]->under)
			last = i;
	return last;
}

/* Narrow the columns that may be, until the table fits. */
static void fit(struct table *table)
{
	enum { NARROWEST = 12 };
	size_t wanted = 0;

	for (size_t i = 0; i < table->selection->n; i++)
		if (!table->selection->array[i]->under)
			wanted += table->widths[i] + (wanted > 0);
	if (!table->style->width || table->style->full_paths)
		return;
	for (size_t i = 0; i < table->selection->n && wanted > table->style->width; i++) {
		size_t excess = wanted - table->style->width, spare;

		if (!table->selection->array[i]->shrinks || table->widths[i] <= NARROWEST)
			continue;
		spare = table->widths[i] - NARROWEST;
		table->widths[i] -= spare < excess ? spare : excess;
		wanted -= spare < excess ? spare : excess;
	}
}

static void pad(struct segmap_text *line, size_t columns)
{
	if (!segmap_text_reserve(line, columns))
		return;
	memset(line->bytes + line->size, ' ', columns);
	line->size += columns;
}

/* The longest beginning of @bytes that takes at most @columns. */
static size_t fitting_prefix(const char *bytes, size_t size, size_t columns)
{
	size_t at = 0;

	while (at < size) {
		uint32_t character;
		size_t length = segmap_utf8_decode(bytes + at, size - at, &character);

		if (!length)
			length = 1;
		if (segmap_text_columns(bytes, at + length) > columns)
			break;
		at += length;
	}
	return at;
}

/* Cut out the middle: both a file's first letters and its version tell it from others. */
static void append_cut(struct segmap_text *line, const char *bytes, size_t size, size_t columns,
		       bool utf8)
{
	const char *ellipsis = utf8 ? "…" : "..";
	size_t room = columns - (utf8 ? 1 : 2), head, tail;

	head = fitting_prefix(bytes, size, room - room / 2);
	tail = size;
	/* Whole characters from the end. */
	while (tail > head && segmap_text_columns(bytes + tail - 1, size - tail + 1) <= room / 2)
		tail--;
	while (tail < size && ((unsigned char)bytes[tail] & 0xc0) == 0x80)
		tail++;
	segmap_text_append_bytes(line, bytes, head);
	segmap_text_append_trusted(line, ellipsis);
	segmap_text_append_bytes(line, bytes + tail, size - tail);
}

static void append_cell(struct segmap_text *line, const struct table *table, size_t column,
			const char *bytes, size_t size, bool is_last)
{
	size_t columns = segmap_text_columns(bytes, size), width = table->widths[column];
	bool right = table->selection->array[column]->right;

	if (columns > width) {
		append_cut(line, bytes, size, width, table->style->utf8);
		return;
	}
	if (right)
		pad(line, width - columns);
	segmap_text_append_bytes(line, bytes, size);
	if (!right && !is_last)
		pad(line, width - columns);
}

/*
 * SGR codes that stay readable on dark and light, in 16 colours, and that no
 * meaning hangs on alone: the words beside them say the same.
 */
static const char *colour_of(const struct row *row)
{
	const struct segmap_annotation *annotation = &row->layout->annotations[row->vma];
	const struct segmap_vma *vma = &row->layout->vmas[row->vma];

	if (row->piece)
		return NULL;
	if ((vma->prot & 6) == 6 || (annotation->expected_prot != SEGMAP_NO_PROT &&
				     annotation->expected_prot != vma->prot))
		return "1;31";
	switch (annotation->kind) {
	case SEGMAP_KIND_REMAPPED:
	case SEGMAP_KIND_ALIAS:
		return "1;31";
	case SEGMAP_KIND_RELRO:
		return "35";
	case SEGMAP_KIND_BSS:
		return "34";
	case SEGMAP_KIND_GAP:
		return "2";
	case SEGMAP_KIND_SEGMENT:
	case SEGMAP_KIND_VDSO:
		return vma->prot & 4 ? "36" : vma->prot & 2 ? "33" : NULL;
	case SEGMAP_KIND_HEAP:
	case SEGMAP_KIND_STACK:
		return "32";
	default:
		return NULL;
	}
}

static void begin_colour(struct segmap_text *line, const char *colour)
{
	segmap_text_append_trusted(line, "\033[");
	segmap_text_append_trusted(line, colour);
	segmap_text_append_char(line, 'm');
}

static void end_colour(struct segmap_text *line)
{
	segmap_text_append_trusted(line, "\033[0m");
}

static void trim(struct segmap_text *line, size_t from)
{
	while (line->size > from && line->bytes[line->size - 1] == ' ')
		line->size--;
}

static void append_row(struct segmap_text *line, const struct table *table, size_t index)
{
	const char *colour = table->style->colour ? colour_of(&table->rows[index]) : NULL;
	size_t n = table->selection->n, last = last_column(table->selection);
	size_t begins = line->size;
	bool begun = false;

	if (colour)
		begin_colour(line, colour);
	for (size_t i = 0; i < n; i++) {
		size_t cell = index * n + i;
		size_t start = cell ? table->ends[cell - 1] : 0;

		if (table->selection->array[i]->under)
			continue;
		if (begun)
			segmap_text_append_char(line, ' ');
		append_cell(line, table, i, table->text.bytes + start, table->ends[cell] - start,
			    i == last);
		begun = true;
	}
	trim(line, begins);
	if (colour)
		end_colour(line);
	segmap_text_append_char(line, '\n');
}

/* Names under a row, broken where the line is full. */
struct wrapped {
	struct segmap_text *line;
	size_t indent, width, column;
};

static void append_wrapped(void *context, const char *name, size_t size)
{
	struct wrapped *wrapped = context;
	size_t columns = segmap_text_columns(name, size);

	if (wrapped->column && wrapped->column + 1 + columns > wrapped->width) {
		segmap_text_append_char(wrapped->line, '\n');
		wrapped->column = 0;
	}
	if (!wrapped->column) {
		pad(wrapped->line, wrapped->indent);
		wrapped->column = wrapped->indent;
	} else {
		segmap_text_append_char(wrapped->line, ' ');
		wrapped->column++;
	}
	segmap_text_append_bytes(wrapped->line, name, size);
	wrapped->column += columns;
}

static void append_under(struct segmap_text *line, const struct table *table, size_t index,
			 size_t indent)
{
	struct wrapped wrapped = { line, indent, table->style->wrap, 0 };

	if (table->rows[index].piece)
		return;
	for (size_t i = 0; i < table->selection->n; i++)
		if (table->selection->array[i]->under)
			sections_each(&table->rows[index], append_wrapped, &wrapped);
	if (wrapped.column)
		segmap_text_append_char(line, '\n');
}

static void append_heading(struct segmap_text *line, const struct table *table)
{
	size_t begins = line->size;
	size_t last = last_column(table->selection);

	if (table->style->colour)
		begin_colour(line, "1");
	for (size_t i = 0; i < table->selection->n; i++) {
		const struct column *column = table->selection->array[i];

		if (column->under)
			continue;
		if (i)
			segmap_text_append_char(line, ' ');
		append_cell(line, table, i, column->name, strlen(column->name), i == last);
	}
	trim(line, begins);
	if (table->style->colour)
		end_colour(line);
	segmap_text_append_char(line, '\n');
}

/* "4242: program argument argument", as pmap has it. */
static void append_process(struct segmap_text *line, const struct segmap_layout *layout,
			   const struct style *style)
{
	const char *at = layout->command, *end = at + layout->command_size;

	if (style->colour)
		begin_colour(line, "1");
	segmap_text_append_decimal(line, (uint64_t)layout->pid);
	segmap_text_append_char(line, ':');
	if (layout->command_size) {
		while (at < end) {
			size_t size = strnlen(at, (size_t)(end - at));

			segmap_text_append_char(line, ' ');
			segmap_text_append_safe(line, at, size);
			at += size + 1;
		}
	} else if (layout->comm) {
		/* It has overwritten its arguments, or was started without any. */
		segmap_text_append_trusted(line, " [");
		segmap_text_append_safe(line, layout->comm, strlen(layout->comm));
		segmap_text_append_char(line, ']');
	}
	if (style->colour)
		end_colour(line);
	segmap_text_append_char(line, '\n');
}

static void append_footer(struct segmap_text *line, const struct table *table,
			  const struct segmap_layout *layout)
{
	struct segmap_text total = { 0 };
	size_t indent = 0;

	/* Under SIZE, as pmap has it. */
	for (size_t i = 0; i < table->selection->n; i++) {
		const struct column *column = table->selection->array[i];

		if (strcmp(column->name, "SIZE") == 0) {
			indent += table->widths[i];
			break;
		}
		indent += column->under ? 0 : table->widths[i] + 1;
	}
	append_size(&total, table->style, table->total);
	segmap_text_append_trusted(line, "total");
	pad(line, indent > strlen("total") + total.size ? indent - strlen("total") - total.size : 1);
	segmap_text_append_bytes(line, total.bytes, total.size);
	segmap_text_append_char(line, '\n');
	if (total.failed)
		line->failed = true;
	segmap_text_free(&total);
	for (size_t i = 0; i < layout->n_notes; i++) {
		segmap_text_append_trusted(line, "note: ");
		segmap_text_append_safe(line, layout->notes[i], strlen(layout->notes[i]));
		segmap_text_append_char(line, '\n');
	}
}

/* Hand what is in @line to @file, and begin again. */
static void flush(struct segmap_text *line, FILE *file)
{
	if (line->size)
		fwrite(line->bytes, 1, line->size, file);
	line->size = 0;
}

static struct segmap_error *make_table(struct table *table, const struct segmap_layout *layout,
				       const struct range *range)
{
	const struct selection *selection = table->selection;

	table->widths = calloc(selection->n + 1, sizeof(*table->widths));
	if (!table->widths)
		return segmap_error_no_memory();
	for (size_t i = 0; i < selection->n && table->style->heading; i++)
		if (!selection->array[i]->under)
			table->widths[i] = strlen(selection->array[i]->name);
	fill(table, layout, range);
	return table->failed || table->text.failed ? segmap_error_no_memory() : NULL;
}

struct segmap_error *render_table(const struct segmap_layout *layout,
				  const struct selection *selection, const struct style *style,
				  const struct range *range, FILE *file)
{
	__attribute__((cleanup(table_free))) struct table table = {
		.selection = selection,
		.style = style,
	};
	__attribute__((cleanup(segmap_text_free))) struct segmap_text line = { 0 };
	struct segmap_error *error = make_table(&table, layout, range);
	size_t indent = 0;

	if (error)
		return error;
	fit(&table);
	/* Names stand two columns in from the second column, clear of the addresses. */
	if (selection->n)
		indent = table.widths[0] + 3;
	if (style->frame)
		append_process(&line, layout, style);
	if (style->heading)
		append_heading(&line, &table);
	for (size_t i = 0; i < table.n_rows; i++) {
		append_row(&line, &table, i);
		append_under(&line, &table, i, indent);
		if (line.size > 32768)
			flush(&line, file);
	}
	if (style->frame)
		append_footer(&line, &table, layout);
	flush(&line, file);
	return line.failed ? segmap_error_no_memory() : NULL;
}

static void append_raw(struct segmap_text *line, const char *bytes, size_t size)
{
	if (!size)
		segmap_text_append_char(line, '-');
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == ' ')
			segmap_text_append_trusted(line, "\\x20");
		else
			segmap_text_append_char(line, bytes[i]);
	}
}

static void append_raw_row(struct segmap_text *line, struct segmap_text *cell,
			   const struct selection *selection, const struct style *style,
			   const struct row *row)
{
	for (size_t i = 0; i < selection->n; i++) {
		size_t leading = 0;

		cell->size = 0;
		selection->array[i]->get(row, style, cell);
		/* What sets pieces apart in a table means nothing here. */
		while (row->piece && leading < cell->size && cell->bytes[leading] == ' ')
			leading++;
		if (i)
			segmap_text_append_char(line, ' ');
		append_raw(line, cell->bytes + leading, cell->size - leading);
	}
	segmap_text_append_char(line, '\n');
}

struct segmap_error *render_raw(const struct segmap_layout *layout,
				const struct selection *selection, const struct style *style,
				const struct range *range, FILE *file)
{
	__attribute__((cleanup(segmap_text_free))) struct segmap_text line = { 0 }, cell = { 0 };

	for (size_t i = 0; i < selection->n && style->heading; i++) {
		if (i)
			segmap_text_append_char(&line, ' ');
		segmap_text_append_trusted(&line, selection->array[i]->name);
	}
	if (style->heading)
		segmap_text_append_char(&line, '\n');
	for (size_t i = 0; i < layout->n_vmas; i++) {
		const struct segmap_annotation *annotation = &layout->annotations[i];
		struct row row = { layout, i, NULL };

		if (!range_overlaps(range, &layout->vmas[i]))
			continue;
		append_raw_row(&line, &cell, selection, style, &row);
		for (uint32_t j = 0; style->pieces && j < annotation->n_pieces; j++) {
			row.piece = &layout->pieces[annotation->first_piece + j];
			append_raw_row(&line, &cell, selection, style, &row);
		}
		flush(&line, file);
	}
	flush(&line, file);
	return line.failed || cell.failed ? segmap_error_no_memory() : NULL;
}
