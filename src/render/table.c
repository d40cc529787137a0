/* src/render/table.c - the map as a table, and as raw records. */
#include "render/table.h"
#include "render/legend.h"
#include "render/say.h"
#include "render/words.h"
#include <stdlib.h>
#include <string.h>

/*
 * A table is written in two passes over the map, the first only for the widths
 * of its columns: to keep the cells of a process with very many VMAs takes
 * more time than to make them again.
 */
struct table {
	const struct segmap_layout *layout;
	const struct fields *fields;
	const struct style *style;
	const struct range *range;
	struct slot {
		const struct field *field;
		const struct column *column; /* the field's */
		size_t width;
		uint64_t total;
		bool has_total;
		bool some_known, some_unknown; /* amounts that go into the total */
		bool right;		       /* aligned */
		enum {
			BY_NAME,   /* all cells are of one width */
			BY_TEXT,   /* each cell is written to see */
			BY_NUMBER, /* the greatest number is the widest */
			BY_LAST,   /* and the greatest is in the last row */
		} measured;
		uint64_t greatest;
		struct row widest; /* where it was */
	} *slots; /* the columns that stand in the row itself */
	size_t n_slots;
	const struct slot *painted; /* that bears a row's colour: the permissions, else the first */
};

/* Call @visit for every row. */
static inline __attribute__((always_inline)) void
each_row(const struct table *table, void (*visit)(void *context, const struct row *row),
	 void *context)
{
	const struct segmap_layout *layout = table->layout;

	for (size_t i = 0; i < layout->n_vmas; i++) {
		struct row row = row_of_vma(layout, i);

		if (!range_overlaps(table->range, layout, i))
			continue;
		visit(context, &row);
		if (!table->style->pieces)
			continue;
		for (uint32_t j = 0; j < row.annotation->n_pieces; j++) {
			row.piece = &layout->pieces[row.annotation->first_piece + j];
			visit(context, &row);
		}
	}
}

/* The first pass. */
struct measure {
	struct table *table;
	struct segmap_text cell;
	struct row last;
	const char *name; /* of the row before, if it has neither image nor label; else NULL */
	/* The slots with something to measure in each row: first those BY_NUMBER, then those
	 * BY_TEXT, of them last those by name. */
	struct slot **slots;
	size_t n_numbers, n_always, n_slots;
};

/* Whether a prediction cannot say that the VMA will be there. */
static inline bool is_unsure(const struct row *row)
{
	return row->layout->prediction &&
	       segmap_layout_placement(row->layout, (size_t)(row->vma - row->layout->vmas))->unsure;
}

/* The number in the cell; SEGMAP_NO_FIGURE where it is an amount that is not known. */
static inline uint64_t slot_number(const struct slot *slot, const struct row *row)
{
	return slot->column->amount ? field_amount(slot->field, row) : slot->column->number(row);
}

static inline bool is_known(const struct slot *slot, uint64_t number)
{
	return !slot->column->amount || number != SEGMAP_NO_FIGURE;
}

static inline void add_to_total(struct slot *slot, const struct row *row, uint64_t number)
{
	if (!slot->has_total || row->piece || is_unsure(row))
		return;
	if (is_known(slot, number)) {
		slot->total += number;
		slot->some_known = true;
	} else {
		slot->some_unknown = true;
	}
}

static void measure_cell(struct measure *measure, struct slot *slot, const struct row *row)
{
	size_t width;

	measure->cell.size = 0;
	field_append(slot->field, row, measure->table->style, &measure->cell);
	width = segmap_text_columns(measure->cell.bytes, measure->cell.size);
	if (width > slot->width)
		slot->width = width;
}

static inline void measure_row(void *context, const struct row *row)
{
	struct measure *measure = context;
	bool has_image = row->piece || row->annotation->image >= 0 ||
			 (row->layout->n_labels &&
			  segmap_layout_label(row->layout, (size_t)(row->vma - row->layout->vmas)));
	bool is_same = !has_image && row->vma->name == measure->name;
	size_t n_slots = is_same ? measure->n_always : measure->n_slots, i;

	measure->name = has_image ? NULL : row->vma->name;
	measure->last = *row;
	for (i = 0; i < measure->n_numbers; i++) {
		struct slot *slot = measure->slots[i];
		uint64_t number = slot_number(slot, row);

		add_to_total(slot, row, number);
		/* The greatest is the widest. */
		if (!is_known(slot, number))
			number = 0;
		if (number > slot->greatest || !slot->widest.layout) {
			slot->greatest = number;
			slot->widest = *row;
		}
	}
	for (; i < n_slots; i++) {
		struct slot *slot = measure->slots[i];

		if (slot->has_total)
			add_to_total(slot, row, slot_number(slot, row));
		measure_cell(measure, slot, row);
	}
}

/* Fields whose sum says something: not page sizes, nor what no figure stands for. */
static bool has_total(const struct table *table, const struct field *field)
{
	if (!field->column->sum || (field->column->figure && field->figure < 0))
		return false;
	return field->figure < 0 || table->layout->memory->figures[field->figure].sums;
}

static bool make_slots(struct table *table)
{
	const struct fields *fields = table->fields;

	table->slots = calloc(fields->n + 1, sizeof(*table->slots));
	for (size_t i = 0; table->slots && i < fields->n; i++) {
		const struct column *column = fields->array[i].column;
		struct slot *slot = &table->slots[table->n_slots];

		if (column->under)
			continue;
		slot->field = &fields->array[i];
		slot->column = column;
		slot->has_total = has_total(table, slot->field);
		slot->width = column->width;
		/* With a base before them numbers are in line only at their ends. */
		slot->right = column->right || (table->layout->prediction && column->ascending);
		if (table->style->heading && strlen(column->name) > slot->width)
			slot->width = strlen(column->name);
		if (column->width)
			slot->measured = BY_NAME;
		else if (table->layout->prediction || (!column->number && !column->amount) ||
			 (table->style->pieces && !column->monotone))
			slot->measured = BY_TEXT;
		else
			slot->measured = column->ascending ? BY_LAST : BY_NUMBER;
		if (!table->painted || strcmp(column->name, "PERM") == 0)
			table->painted = slot;
		table->n_slots++;
	}
	return table->slots;
}

/* Put the slots in the order of measuring. */
static bool order_slots(struct measure *measure)
{
	struct slot *slots = measure->table->slots;
	size_t n_slots = measure->table->n_slots, n = 0;

	measure->slots = reallocarray(NULL, n_slots + 1, sizeof(*measure->slots));
	if (!measure->slots)
		return false;
	for (size_t i = 0; i < n_slots; i++)
		if (slots[i].measured == BY_NUMBER)
			measure->slots[n++] = &slots[i];
	measure->n_numbers = n;
	for (size_t i = 0; i < n_slots; i++)
		if (slots[i].measured == BY_TEXT && !slots[i].column->by_name)
			measure->slots[n++] = &slots[i];
	measure->n_always = n;
	for (size_t i = 0; i < n_slots; i++)
		if (slots[i].measured == BY_TEXT && slots[i].column->by_name)
			measure->slots[n++] = &slots[i];
	measure->n_slots = n;
	return true;
}

/* A total can be wider than what it is the total of, and the first has a word before it. */
static void measure_totals(struct table *table, struct segmap_text *cell)
{
	size_t at = 0, word_end = strlen("total ");

	for (struct slot *slot = table->slots; slot < table->slots + table->n_slots; slot++) {
		/* What is not known at all is not nothing. */
		slot->has_total = slot->has_total && (slot->some_known || !slot->some_unknown);
		if (slot->has_total) {
			size_t start = at > word_end ? at : word_end;

			cell->size = 0;
			append_amount(slot->field, table->style, cell, slot->total);
			if (at + slot->width < start + cell->size)
				slot->width = start + cell->size - at;
			word_end = 0;
		}
		at += slot->width + 1;
	}
}

static struct segmap_error *measure(struct table *table)
{
	struct measure measure = { .table = table };
	bool failed;

	if (!make_slots(table) || !order_slots(&measure))
		return segmap_error_no_memory();
	each_row(table, measure_row, &measure);
	for (struct slot *slot = table->slots; slot < table->slots + table->n_slots; slot++) {
		const struct row *widest =
			slot->measured == BY_LAST ? &measure.last : &slot->widest;

		if (widest->layout)
			measure_cell(&measure, slot, widest);
	}
	if (table->style->frame)
		measure_totals(table, &measure.cell);
	failed = measure.cell.failed;
	segmap_text_free(&measure.cell);
	free(measure.slots);
	return failed ? segmap_error_no_memory() : NULL;
}

/* Narrow the columns that may be, until the table fits. */
static void fit(struct table *table)
{
	enum { NARROWEST = 12 };
	size_t wanted = 0;

	for (size_t i = 0; i < table->n_slots; i++)
		wanted += table->slots[i].width + (i > 0);
	if (!table->style->width || table->style->full_paths)
		return;
	for (size_t i = 0; i < table->n_slots && wanted > table->style->width; i++) {
		size_t excess = wanted - table->style->width, spare;
		struct slot *slot = &table->slots[i];

		if (!slot->column->shrinks || slot->width <= NARROWEST)
			continue;
		spare = slot->width - NARROWEST;
		slot->width -= spare < excess ? spare : excess;
		wanted -= spare < excess ? spare : excess;
	}
}

/* Mostly a few blanks: they are written sixteen at a time, as many as count stay. */
static inline void pad(struct segmap_text *line, size_t columns)
{
	enum { STEP = 16 };
	char *at;

	if (!columns || !segmap_text_reserve(line, columns + STEP))
		return;
	at = line->bytes + line->size;
	memcpy(at, "                ", STEP);
	for (size_t i = STEP; i < columns; i += STEP)
		memcpy(at + i, "                ", STEP);
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

void append_cut(struct segmap_text *line, const char *bytes, size_t size, size_t columns, bool utf8)
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

/* Replace what is in @line from @start on by as much of it as is @width wide. */
static void cut_cell(struct segmap_text *line, size_t start, size_t width, bool utf8)
{
	size_t size = line->size - start;
	char *whole = malloc(size);

	if (!whole) {
		line->failed = true;
		return;
	}
	memcpy(whole, line->bytes + start, size);
	line->size = start;
	append_cut(line, whole, size, width, utf8);
	free(whole);
}

/* Move the last @size bytes of @line @missing columns to the right. */
static inline void push_right(struct segmap_text *line, size_t size, size_t missing)
{
	enum { STEP = 16 };
	char *cell, moved[STEP];

	/* Nearly every number: its bytes and as many blanks as may be are copied, whatever count. */
	if (size <= STEP && missing <= STEP) {
		if (!segmap_text_reserve(line, 2 * STEP))
			return;
		cell = line->bytes + line->size - size;
		memcpy(moved, cell, STEP);
		memcpy(cell, "                ", STEP);
		memcpy(cell + missing, moved, STEP);
	} else {
		if (!segmap_text_reserve(line, missing))
			return;
		cell = line->bytes + line->size - size;
		memmove(cell + missing, cell, size);
		memset(cell, ' ', missing);
	}
	line->size += missing;
}

/*
 * Bring the cell that is the last @size bytes of @line to its column's width.
 * Returns the blanks that are due before the next cell: lines do not end in them.
 */
static inline size_t align_cell(struct segmap_text *line, size_t size, const struct slot *slot,
				bool utf8)
{
	size_t columns = size;

	if (line->failed)
		return 0; /* the cell is not there, or not all of it */
	if (!slot->column->ascii)
		columns = segmap_text_columns(line->bytes + line->size - size, size);
	if (columns > slot->width) {
		cut_cell(line, line->size - size, slot->width, utf8);
		return 0;
	}
	if (!slot->right)
		return slot->width - columns;
	if (columns < slot->width)
		push_right(line, size, slot->width - columns);
	return 0;
}

/* Give what stands in @line from @start on the colour of @codes. */
static void paint(struct segmap_text *line, size_t start, const char *codes)
{
	size_t size = line->size - start, before;

	if (!segmap_text_reserve(line, size))
		return;
	begin_colour(line, codes);
	before = line->size - start - size; /* of the escape sequence */
	if (!segmap_text_reserve(line, size))
		return;
	memmove(line->bytes + line->size, line->bytes + start, size);
	memmove(line->bytes + start, line->bytes + start + size, before + size);
	end_colour(line);
}

/* The line with the columns' names. */
static void append_heading(struct segmap_text *line, const struct table *table)
{
	const struct style *style = table->style;
	size_t blanks = 0;

	if (style->colour)
		begin_colour(line, "1");
	for (size_t i = 0; i < table->n_slots; i++) {
		const struct slot *slot = &table->slots[i];

		pad(line, blanks);
		segmap_text_append_trusted(line, slot->column->name);
		blanks = align_cell(line, strlen(slot->column->name), slot, style->utf8) + 1;
	}
	if (style->colour)
		end_colour(line);
	segmap_text_append_char(line, '\n');
}

/* An empty cell is only more blanks, unless it has a ground and others stand behind it. */
static size_t append_empty(struct segmap_text *line, const struct slot *slot, size_t blanks,
			   const char *codes, bool is_last)
{
	size_t start;

	if (!codes || is_last)
		return blanks + slot->width + 1;
	pad(line, blanks);
	start = line->size;
	pad(line, slot->width);
	paint(line, start, codes);
	return 1;
}

static inline void append_row(struct segmap_text *line, const struct table *table,
			      const struct row *row)
{
	const struct slot *end = table->slots + table->n_slots;
	const struct style *style = table->style;
	enum tone tone = style->colour ? tone_of(row) : TONE_NONE;
	/* What is held without access steps back as a whole; else one cell is enough. */
	bool is_faint = tone == TONE_GAP;
	size_t blanks = 0;

	if (is_faint)
		begin_colour(line, tone_codes(tone));
	for (const struct slot *slot = table->slots; slot < end; slot++) {
		const char *codes = slot == table->painted && !is_faint ? tone_codes(tone) : NULL;
		size_t before = line->size, start;

		pad(line, blanks);
		start = line->size;
		field_append(slot->field, row, style, line);
		if (line->size == start && !slot->right) {
			line->size = before;
			blanks = append_empty(line, slot, blanks, codes, slot + 1 == end);
		} else {
			blanks = align_cell(line, line->size - start, slot, style->utf8) + 1;
			if (codes)
				paint(line, start, codes);
		}
	}
	if (is_faint)
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

static void append_under(struct segmap_text *line, const struct table *table,
			 const struct row *row, size_t indent)
{
	struct wrapped wrapped = { line, indent, table->style->wrap, 0 };

	for (size_t i = 0; i < table->fields->n; i++)
		if (table->fields->array[i].column->under &&
		    !sections_each(row, append_wrapped, &wrapped))
			line->failed = true;
	if (wrapped.column)
		segmap_text_append_char(line, '\n');
}

/* "/bin/ls, before it runs: the map at its entry point". */
static void append_prediction(struct segmap_text *line, const struct segmap_layout *layout)
{
	/* Of a library there is no image at exec; and a document need not tell what it is of. */
	const char *path = layout->n_images ? segmap_layout_image_path(layout, 0) : layout->target;

	if (!path)
		path = "a program";
	segmap_text_append_safe(line, path, strlen(path));
	segmap_text_append_trusted(line, ", predicted: ");
	if (layout->prediction->outcome.reason && layout->prediction->outcome.error[0])
		segmap_text_append_trusted(line, "the map as far as it gets");
	else if (layout->moment == SEGMAP_MOMENT_EXEC)
		segmap_text_append_trusted(line, "the map right after execve");
	else if (layout->prediction->is_library)
		segmap_text_append_trusted(line, "the map as the dynamic linker will make it");
	else if (layout->n_images && layout->images[0].elf && !layout->images[0].elf->interp)
		segmap_text_append_trusted(line, "the map after its own start-up");
	else
		segmap_text_append_trusted(line, "the map at its entry point");
}

/* When in its life a program that was run is shown. */
static void append_moment(struct segmap_text *line, const struct segmap_layout *layout)
{
	static const char *const words[] = {
		[SEGMAP_MOMENT_NONE] = "",
		[SEGMAP_MOMENT_EXEC] = " (right after execve)",
		[SEGMAP_MOMENT_ENTRY] = " (at its entry point)",
		[SEGMAP_MOMENT_EXIT] = " (as it exits)",
	};

	if (layout->source == SEGMAP_SOURCE_RUN)
		segmap_text_append_trusted(line, words[layout->moment]);
}

void append_process(struct segmap_text *line, const struct segmap_layout *layout,
		    const struct style *style)
{
	const char *at = layout->command ? layout->command : "";
	const char *end = at + layout->command_size;
	size_t before;

	if (style->colour)
		begin_colour(line, "1");
	before = line->size;
	if (layout->prediction) {
		append_prediction(line, layout);
	} else if (layout->source != SEGMAP_SOURCE_PROCESS && layout->target) {
		segmap_text_append_safe(line, layout->target, strlen(layout->target));
		segmap_text_append_char(line, ':');
	}
	if (layout->pid) {
		if (line->size > before)
			segmap_text_append_char(line, ' ');
		segmap_text_append_decimal(line, (uint64_t)layout->pid);
		segmap_text_append_char(line, ':');
	}
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
	append_moment(line, layout);
	if (style->colour)
		end_colour(line);
	segmap_text_append_char(line, '\n');
}

/* One of the bases: "L3 libz.so.1". */
static void append_base(struct wrapped *wrapped, const char *base, const char *what)
{
	struct segmap_text text = { 0 };

	segmap_text_append_trusted(&text, base);
	if (base[0])
		segmap_text_append_char(&text, ' ');
	segmap_text_append_safe(&text, what, strlen(what));
	segmap_text_append_char(&text, ',');
	if (text.failed)
		wrapped->line->failed = true;
	else
		append_wrapped(wrapped, text.bytes, text.size);
	segmap_text_free(&text);
}

/* Each base that stands before an address, once, and what it is. */
static void append_bases(struct segmap_text *line, const struct segmap_layout *layout,
			 size_t wrap)
{
	struct wrapped wrapped = { line, strlen("bases:"), wrap, 0 };
	static const struct {
		enum segmap_base base;
		const char *words;
	} others[] = {
		{ SEGMAP_BASE_HEAP, "H the heap's start" },
		{ SEGMAP_BASE_MMAP, "M the first of the kernel's own pages" },
		{ SEGMAP_BASE_STACK, "S the stack's lowest page" },
	};
	const struct segmap_prediction *prediction = layout->prediction;

	for (size_t i = 0; i < prediction->n_images; i++) {
		if (!prediction->images[i].floating)
			continue;
		if (!wrapped.column) {
			segmap_text_append_trusted(line, "bases:");
			wrapped.column = strlen("bases:");
		}
		append_base(&wrapped, prediction->images[i].base,
			    base_name(segmap_layout_image_path(layout, (int32_t)i)));
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]) && wrapped.column; i++) {
		for (size_t j = 0; j < layout->n_vmas; j++) {
			if (prediction->placements[j].base != others[i].base)
				continue;
			append_base(&wrapped, "", others[i].words);
			break;
		}
	}
	if (wrapped.column) {
		append_wrapped(&wrapped, "chosen at each run", strlen("chosen at each run"));
		segmap_text_append_char(line, '\n');
	}
}

static void append_outcome(struct segmap_text *line, const struct segmap_outcome *outcome)
{
	if (!outcome->reason)
		return;
	segmap_text_append_trusted(line, "outcome: ");
	segmap_text_append_trusted(line, words_of_outcome(outcome));
	if (outcome->error[0]) {
		segmap_text_append_trusted(line, " (");
		segmap_text_append_safe(line, outcome->error, strlen(outcome->error));
		segmap_text_append_char(line, ')');
	}
	segmap_text_append_trusted(line, ": ");
	segmap_text_append_safe(line, outcome->reason, strlen(outcome->reason));
	segmap_text_append_char(line, '\n');
}

/* Each total under its column, as pmap has it. */
static void append_totals(struct segmap_text *line, const struct table *table)
{
	struct segmap_text total = { 0 };
	size_t end = 0, at = strlen("total");

	segmap_text_append_trusted(line, "total");
	for (size_t i = 0; i < table->n_slots; i++) {
		const struct slot *slot = &table->slots[i];

		end += slot->width + (i > 0);
		if (!slot->has_total)
			continue;
		total.size = 0;
		append_amount(slot->field, table->style, &total, slot->total);
		pad(line, end > at + total.size ? end - at - total.size : 1);
		at = end > at + total.size ? end : at + 1 + total.size;
		segmap_text_append_bytes(line, total.bytes, total.size);
	}
	segmap_text_append_char(line, '\n');
	if (total.failed)
		line->failed = true;
	segmap_text_free(&total);
}

void append_notes(struct segmap_text *line, const struct segmap_layout *layout)
{
	for (size_t i = 0; i < layout->n_notes; i++) {
		segmap_text_append_trusted(line, "note: ");
		segmap_text_append_safe(line, layout->notes[i], strlen(layout->notes[i]));
		segmap_text_append_char(line, '\n');
	}
}

static void append_footer(struct segmap_text *line, const struct table *table,
			  const struct segmap_layout *layout)
{
	append_totals(line, table);
	if (layout->prediction) {
		append_bases(line, layout, table->style->wrap);
		append_outcome(line, &layout->prediction->outcome);
	}
	append_notes(line, layout);
}

/* Hand what is in @line to @file, and begin again. Nothing comes behind what has failed. */
static void flush(struct segmap_text *line, FILE *file)
{
	if (line->size && !line->failed)
		fwrite(line->bytes, 1, line->size, file);
	line->size = 0;
}

/* The second pass. */
struct writing {
	const struct table *table;
	struct segmap_text line;
	size_t indent; /* of names under a row */
	FILE *file;
};

static void write_row(void *context, const struct row *row)
{
	enum { ENOUGH = 32768 };
	struct writing *writing = context;

	append_row(&writing->line, writing->table, row);
	if (!row->piece && row->annotation->n_pieces)
		append_under(&writing->line, writing->table, row, writing->indent);
	if (writing->line.size > ENOUGH)
		flush(&writing->line, writing->file);
}

struct segmap_error *render_table(const struct segmap_layout *layout,
				  const struct selection *selection, const struct style *style,
				  const struct range *range, FILE *file)
{
	__attribute__((cleanup(fields_free))) struct fields fields = { 0 };
	struct table table = {
		.layout = layout,
		.fields = &fields,
		.style = style,
		.range = range,
	};
	struct writing writing = { .table = &table, .file = file };
	struct segmap_error *error;
	bool failed;

	if (!fields_make(layout, selection, &fields))
		return segmap_error_no_memory();
	error = measure(&table);
	if (error) {
		free(table.slots);
		return error;
	}
	fit(&table);
	/* Names stand a little in from the second column, clear of the addresses. */
	if (table.n_slots)
		writing.indent = table.slots[0].width + 3;
	if (style->frame)
		append_process(&writing.line, layout, style);
	if (style->heading)
		append_heading(&writing.line, &table);
	each_row(&table, write_row, &writing);
	if (style->frame)
		append_footer(&writing.line, &table, layout);
	flush(&writing.line, file);
	failed = writing.line.failed;
	segmap_text_free(&writing.line);
	free(table.slots);
	return failed ? segmap_error_no_memory() : NULL;
}

void append_raw(struct segmap_text *line, const char *bytes, size_t size)
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

void append_raw_field(struct segmap_text *line, const char *bytes, size_t size, bool last)
{
	append_raw(line, bytes, size);
	segmap_text_append_char(line, last ? '\n' : ' ');
}

void append_named(struct segmap_text *line, const char *indent, const char *name, size_t columns,
		  const struct segmap_text *text)
{
	line->failed |= text->failed;
	if (!text->size)
		return;
	segmap_text_append_trusted(line, indent);
	segmap_text_append_trusted(line, name);
	for (size_t i = strlen(name); i < columns; i++)
		segmap_text_append_char(line, ' ');
	segmap_text_append_bytes(line, text->bytes, text->size);
	segmap_text_append_char(line, '\n');
}

static void append_raw_row(struct segmap_text *line, struct segmap_text *cell,
			   const struct fields *fields, const struct style *style,
			   const struct row *row)
{
	for (size_t i = 0; i < fields->n; i++) {
		cell->size = 0;
		field_append(&fields->array[i], row, style, cell);
		if (i)
			segmap_text_append_char(line, ' ');
		append_raw(line, cell->bytes, cell->size);
	}
	segmap_text_append_char(line, '\n');
}

struct segmap_error *render_raw(const struct segmap_layout *layout,
				const struct selection *selection, const struct style *style,
				const struct range *range, FILE *file)
{
	__attribute__((cleanup(segmap_text_free))) struct segmap_text line = { 0 }, cell = { 0 };
	__attribute__((cleanup(fields_free))) struct fields fields = { 0 };

	if (!fields_make(layout, selection, &fields))
		return segmap_error_no_memory();
	for (size_t i = 0; i < fields.n && style->heading; i++) {
		if (i)
			segmap_text_append_char(&line, ' ');
		segmap_text_append_trusted(&line, fields.array[i].column->name);
	}
	if (style->heading)
		segmap_text_append_char(&line, '\n');
	for (size_t i = 0; i < layout->n_vmas; i++) {
		struct row row = row_of_vma(layout, i);

		if (!range_overlaps(range, layout, i))
			continue;
		append_raw_row(&line, &cell, &fields, style, &row);
		for (uint32_t j = 0; style->pieces && j < row.annotation->n_pieces; j++) {
			row.piece = &layout->pieces[row.annotation->first_piece + j];
			append_raw_row(&line, &cell, &fields, style, &row);
		}
		flush(&line, file);
	}
	flush(&line, file);
	return line.failed || cell.failed ? segmap_error_no_memory() : NULL;
}
