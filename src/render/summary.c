/* src/render/summary.c - what a process's memory is made of, as a table and as raw records. */
#include "render/summary.h"
#include "render/table.h"
#include "render/words.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A column: a figure, or one of those that tell what the row is of. */
static const struct {
	const char *name;
	const char *help;
	int figure; /* enum segmap_summary_figure; -1: it is none */
} columns[] = {
	{ "MAPPING", "file, or kind of memory that is of no loaded file", -1 },
	{ "CLASS", "of a file: code, rodata, relro, data, bss, other", -1 },
	{ "PROCESSES", "how many processes have some of it", -1 },
	{ "SIZE", "address space", SEGMAP_SUMMARY_SIZE },
	{ "RSS", "in memory", SEGMAP_SUMMARY_RSS },
	{ "PSS", "in memory, each page divided by its users, if that is known",
	  SEGMAP_SUMMARY_PSS },
	{ "DIRTY", "written to and not saved, where that is known", SEGMAP_SUMMARY_DIRTY },
	{ "ANONYMOUS", "in memory, and of no file: private copies too", SEGMAP_SUMMARY_ANONYMOUS },
	{ "PRIVATE", "in memory and mapped by no other", SEGMAP_SUMMARY_PRIVATE },
	{ "FILE", "in memory, pages of files", SEGMAP_SUMMARY_FILE },
	{ "SWAP", "in swap", SEGMAP_SUMMARY_SWAP },
};

enum { MAPPING, CLASS, PROCESSES, N_COLUMNS = sizeof(columns) / sizeof(columns[0]) };

const char *const summary_column_names[] = {
	"MAPPING", "CLASS", "PROCESSES", "SIZE", "RSS", "PSS", "DIRTY", "ANONYMOUS", "PRIVATE",
	"FILE", "SWAP", NULL,
};

const char default_summary_columns[] = "MAPPING,CLASS,SIZE,RSS,PSS,PRIVATE,ANONYMOUS,SWAP";
const char default_census_columns[] = "MAPPING,CLASS,PROCESSES,SIZE,RSS,PSS,PRIVATE,ANONYMOUS,SWAP";

const char *summary_column_help(size_t index)
{
	return columns[index].help;
}

int summary_column_find(const char *name, size_t size)
{
	for (int i = 0; i < N_COLUMNS; i++)
		if (strlen(columns[i].name) == size && strncasecmp(columns[i].name, name, size) == 0)
			return i;
	return -1;
}

static bool is_number(int column)
{
	return column == PROCESSES || columns[column].figure >= 0;
}

/* "[heap]": a kind is set off from files. */
static void append_group(struct segmap_text *cell, const struct segmap_summary_row *row,
			 const struct style *style)
{
	if (!row->path) {
		segmap_text_append_char(cell, '[');
		segmap_text_append_trusted(cell, word_of_kind(row->kind));
		segmap_text_append_char(cell, ']');
		return;
	}
	append_name(cell, row->path, style);
	if (row->status == SEGMAP_STATUS_OK)
		return;
	segmap_text_append_trusted(cell, " (");
	segmap_text_append_trusted(cell, word_of_status(row->status));
	segmap_text_append_char(cell, ')');
}

static void append_figure(struct segmap_text *cell, const struct style *style, uint64_t figure)
{
	if (figure != SEGMAP_NO_FIGURE)
		append_size(cell, style, figure);
}

static void append_summary_cell(struct segmap_text *cell, const struct segmap_summary_row *row,
				int column, const struct style *style)
{
	if (columns[column].figure >= 0)
		append_figure(cell, style, row->figures.of[columns[column].figure]);
	else if (column == MAPPING)
		append_group(cell, row, style);
	else if (column == PROCESSES)
		segmap_text_append_decimal(cell, row->processes);
	else if (row->path)
		segmap_text_append_trusted(cell, word_of_class(row->class));
}

/* What rows are compared by. */
struct key {
	struct segmap_summary_row row;
	struct segmap_text text;
	uint64_t number;
	size_t index;
};

static int compare_keys(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	size_t size = x->text.size < y->text.size ? x->text.size : y->text.size;
	int order = (x->number < y->number) - (x->number > y->number);

	if (!order && size)
		order = memcmp(x->text.bytes, y->text.bytes, size);
	if (!order)
		order = (x->text.size > y->text.size) - (x->text.size < y->text.size);
	return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* By what number rows are sorted; what is not known comes last: SEGMAP_NO_FIGURE + 1 is 0. */
static uint64_t number_of(const struct segmap_summary_row *row, int column)
{
	int figure = columns[column].figure;

	return figure >= 0 ? row->figures.of[figure] + 1 : column == PROCESSES ? row->processes : 0;
}

struct segmap_error *summary_sort(const struct summary_view *view,
				  const struct summary_selection *selection,
				  const struct style *style)
{
	struct segmap_summary *summary = view->summary;
	bool failed = false;
	struct key *keys;

	if (selection->sort < 0)
		return NULL;
	keys = calloc(summary->n_rows + 1, sizeof(*keys));
	if (!keys)
		return segmap_error_no_memory();
	for (size_t i = 0; i < summary->n_rows; i++) {
		keys[i] = (struct key){ .row = summary->rows[i],
					.number = number_of(&summary->rows[i], selection->sort),
					.index = i };
		if (!is_number(selection->sort))
			append_summary_cell(&keys[i].text, &keys[i].row, selection->sort, style);
		failed |= keys[i].text.failed;
	}
	qsort(keys, summary->n_rows, sizeof(*keys), compare_keys);
	for (size_t i = 0; i < summary->n_rows; i++) {
		summary->rows[i] = keys[i].row;
		segmap_text_free(&keys[i].text);
	}
	free(keys);
	return failed ? segmap_error_no_memory() : NULL;
}

/* Everything as text, to know how wide it is; a summary is short. */
struct widths {
	size_t of[N_COLUMNS];
};

static void widen(size_t *width, const struct segmap_text *cell)
{
	size_t columns_of_cell = segmap_text_columns(cell->bytes, cell->size);

	if (columns_of_cell > *width)
		*width = columns_of_cell;
}

static void append_total_cell(struct segmap_text *cell, const struct segmap_summary *summary,
			      int column, const struct style *style)
{
	if (columns[column].figure >= 0)
		append_figure(cell, style, summary->totals.of[columns[column].figure]);
	else if (column == PROCESSES)
		segmap_text_append_decimal(cell, summary->n_processes);
	else if (column == MAPPING)
		segmap_text_append_trusted(cell, "total");
}

static void measure_columns(const struct segmap_summary *summary,
			    const struct summary_selection *selection, const struct style *style,
			    struct segmap_text *cell, struct widths *ret)
{
	for (size_t i = 0; i < selection->n; i++) {
		int column = selection->array[i];
		size_t *width = &ret->of[column];

		*width = style->heading ? strlen(columns[column].name) : 0;
		for (size_t j = 0; j <= summary->n_rows; j++) {
			cell->size = 0;
			if (j < summary->n_rows)
				append_summary_cell(cell, &summary->rows[j], column, style);
			else if (style->frame)
				append_total_cell(cell, summary, column, style);
			widen(width, cell);
		}
	}
}

/* Names give way where the terminal is narrow. */
static void fit_columns(const struct summary_selection *selection, const struct style *style,
			struct widths *widths)
{
	enum { NARROWEST = 12 };
	size_t wanted = 0, *name = &widths->of[MAPPING], excess;

	for (size_t i = 0; i < selection->n; i++)
		wanted += widths->of[selection->array[i]] + (i > 0);
	if (!style->width || style->full_paths || wanted <= style->width || *name <= NARROWEST)
		return;
	excess = wanted - style->width;
	*name = *name - NARROWEST > excess ? *name - excess : NARROWEST;
}

/* Put the cell behind the others; @blanks are due before the next. */
static void append_aligned(struct segmap_text *line, const struct segmap_text *cell, int column,
			   size_t width, const struct style *style, size_t *blanks)
{
	size_t size = segmap_text_columns(cell->bytes, cell->size);
	size_t missing = width > size ? width - size : 0;
	bool right = is_number(column);

	for (size_t i = 0; cell->size && i < *blanks + (right ? missing : 0); i++)
		segmap_text_append_char(line, ' ');
	if (size > width)
		append_cut(line, cell->bytes, cell->size, width, style->utf8);
	else
		segmap_text_append_bytes(line, cell->bytes, cell->size);
	*blanks = cell->size ? 1 + (right ? 0 : missing) : *blanks + width + 1;
}

/* Row @index of the table; the one behind the last is the total, the one before the first (-1) the
 * heading. */
static void append_summary_row(struct segmap_text *line, struct segmap_text *cell,
			       const struct segmap_summary *summary, int64_t index,
			       const struct summary_selection *selection,
			       const struct style *style, const struct widths *widths)
{
	size_t blanks = 0;

	for (size_t i = 0; i < selection->n; i++) {
		int column = selection->array[i];

		cell->size = 0;
		if (index < 0)
			segmap_text_append_trusted(cell, columns[column].name);
		else if ((size_t)index < summary->n_rows)
			append_summary_cell(cell, &summary->rows[index], column, style);
		else
			append_total_cell(cell, summary, column, style);
		append_aligned(line, cell, column, widths->of[column], style, &blanks);
	}
	segmap_text_append_char(line, '\n');
}

/* The line above the table. */
static void append_scope(struct segmap_text *line, const struct summary_view *view,
			 const struct style *style)
{
	if (view->layout) {
		append_process(line, view->layout, style);
		return;
	}
	segmap_text_append_decimal(line, view->summary->n_processes);
	segmap_text_append_trusted(line, view->summary->n_processes == 1 ? " process\n" :
									   " processes\n");
}

/* @text of @size bytes, and blanks up to @width columns. */
static void append_padded(struct segmap_text *line, const char *text, size_t width)
{
	size_t before = line->size, columns_of_text;

	segmap_text_append_safe(line, text, strlen(text));
	columns_of_text = segmap_text_columns(line->bytes + before, line->size - before);
	for (size_t i = columns_of_text; i < width; i++)
		segmap_text_append_char(line, ' ');
}

/* The second table: who maps files that are deleted or replaced. */
static void append_stale(struct segmap_text *line, const struct segmap_census *census,
			 const struct style *style)
{
	enum { STATUS_WIDTH = 8, PID_WIDTH = 7, COMMAND_WIDTH = 15 };
	char pid[16];

	if (!census->n_stale)
		return;
	segmap_text_append_char(line, '\n');
	if (style->heading)
		segmap_text_append_trusted(line, "STATUS       PID COMMAND         FILE\n");
	for (size_t i = 0; i < census->n_stale; i++) {
		const struct segmap_stale *stale = &census->stale[i];

		append_padded(line, word_of_status(stale->status), STATUS_WIDTH);
		snprintf(pid, sizeof(pid), " %*d ", PID_WIDTH, stale->pid);
		segmap_text_append_trusted(line, pid);
		append_padded(line, stale->comm, COMMAND_WIDTH);
		segmap_text_append_char(line, ' ');
		segmap_text_append_safe(line, stale->path, strlen(stale->path));
		segmap_text_append_char(line, '\n');
	}
}

static void append_end(struct segmap_text *line, const struct summary_view *view,
		       const struct style *style)
{
	if (view->layout) {
		append_notes(line, view->layout);
		return;
	}
	append_stale(line, view->census, style);
	for (size_t i = 0; i < view->census->n_notes; i++) {
		segmap_text_append_trusted(line, "note: ");
		segmap_text_append_safe(line, view->census->notes[i],
					strlen(view->census->notes[i]));
		segmap_text_append_char(line, '\n');
	}
}

struct segmap_error *render_summary_table(const struct summary_view *view,
					  const struct summary_selection *selection,
					  const struct style *style, FILE *file)
{
	__attribute__((cleanup(segmap_text_free))) struct segmap_text line = { 0 }, cell = { 0 };
	const struct segmap_summary *summary = view->summary;
	int64_t first = style->heading ? -1 : 0;
	int64_t end = (int64_t)summary->n_rows + (style->frame ? 1 : 0);
	struct widths widths = { 0 };

	measure_columns(summary, selection, style, &cell, &widths);
	fit_columns(selection, style, &widths);
	if (style->frame)
		append_scope(&line, view, style);
	for (int64_t i = first; i < end; i++)
		append_summary_row(&line, &cell, summary, i, selection, style, &widths);
	if (style->frame)
		append_end(&line, view, style);
	if (line.size)
		fwrite(line.bytes, 1, line.size, file);
	return line.failed || cell.failed ? segmap_error_no_memory() : NULL;
}

struct segmap_error *render_summary_raw(const struct summary_view *view,
					const struct summary_selection *selection,
					const struct style *style, FILE *file)
{
	__attribute__((cleanup(segmap_text_free))) struct segmap_text line = { 0 }, cell = { 0 };
	const struct segmap_summary *summary = view->summary;

	for (int64_t i = style->heading ? -1 : 0; i < (int64_t)summary->n_rows; i++) {
		for (size_t j = 0; j < selection->n; j++) {
			cell.size = 0;
			if (i < 0)
				segmap_text_append_trusted(&cell, columns[selection->array[j]].name);
			else
				append_summary_cell(&cell, &summary->rows[i], selection->array[j],
						    style);
			if (j)
				segmap_text_append_char(&line, ' ');
			append_raw(&line, cell.bytes, cell.size);
		}
		segmap_text_append_char(&line, '\n');
	}
	if (line.size)
		fwrite(line.bytes, 1, line.size, file);
	return line.failed || cell.failed ? segmap_error_no_memory() : NULL;
}
