/* src/render/diff.c - what differs between two maps. */
#include "render/diff.h"
#include "render/table.h"
#include "render/verdict.h"
#include <string.h>

static void append_string(struct segmap_text *text, const char *string)
{
	segmap_text_append_safe(text, string, strlen(string));
}

/* Fill up with blanks to the next column; lines do not end in them. */
static void pad_to(struct segmap_text *text, size_t start, size_t width)
{
	size_t columns = segmap_text_columns(text->bytes + start, text->size - start);

	for (; columns < width; columns++)
		segmap_text_append_char(text, ' ');
}

/* "A  4242: sleep 600", or what the user named. */
static void append_side(struct segmap_text *text, const char *letter, const char *name,
			const struct segmap_layout *layout, const struct style *style)
{
	segmap_text_append_trusted(text, letter);
	segmap_text_append_trusted(text, "  ");
	if (!name[strspn(name, "0123456789")]) {
		append_process(text, layout, style);
		return;
	}
	append_string(text, name);
	segmap_text_append_char(text, '\n');
}

static void append_base(struct segmap_text *text, bool known, uint64_t addr)
{
	if (known)
		segmap_text_append_hex(text, addr, 8);
	else
		segmap_text_append_trusted(text, "at each run");
}

/* How far: "+0x1a2b000". */
static void append_distance(struct segmap_text *text, const struct segmap_move *move)
{
	if (move->a == move->b) {
		segmap_text_append_char(text, '0');
		return;
	}
	segmap_text_append_trusted(text, move->b > move->a ? "+0x" : "-0x");
	segmap_text_append_hex(text, move->b > move->a ? move->b - move->a : move->a - move->b, 1);
}

static void append_moves(struct segmap_text *text, const struct segmap_diff *diff,
			 const struct style *style)
{
	enum { ADDRESS = 17 };
	__attribute__((cleanup(segmap_text_free))) struct segmap_text name = { 0 };
	size_t width = strlen("BASE OF"), start;

	for (size_t i = 0; i < diff->n_moves; i++) {
		size_t columns;

		name.size = 0;
		append_name(&name, diff->moves[i].name, style);
		columns = segmap_text_columns(name.bytes, name.size);
		width = columns > width ? columns : width;
	}
	text->failed |= name.failed;
	for (size_t i = 0; i <= diff->n_moves && diff->n_moves; i++) {
		const struct segmap_move *move = i ? &diff->moves[i - 1] : NULL;

		if (!move && !style->heading)
			continue;
		start = text->size;
		if (move)
			append_name(text, move->name, style);
		else
			segmap_text_append_trusted(text, "BASE OF");
		pad_to(text, start, width + 1);
		if (move)
			append_base(text, move->known_a, move->a);
		else
			segmap_text_append_char(text, 'A');
		pad_to(text, start, width + 1 + ADDRESS);
		if (move)
			append_base(text, move->known_b, move->b);
		else
			segmap_text_append_char(text, 'B');
		if (move && !(move->known_a && move->known_b)) {
			segmap_text_append_char(text, '\n');
			continue;
		}
		pad_to(text, start, width + 1 + 2 * ADDRESS);
		if (move)
			append_distance(text, move);
		else
			segmap_text_append_trusted(text, "MOVED");
		segmap_text_append_char(text, '\n');
	}
}

/* "perms libz.so.1 program header 3: 0x1000-0x2000 rw-p anonymous -> … (.bss)" */
static void append_difference(struct segmap_text *text, const struct segmap_change *change)
{
	append_subject(text, change);
	segmap_text_append_trusted(text, ": ");
	if (change->a)
		append_string(text, change->a);
	if (change->a && change->b)
		segmap_text_append_trusted(text, " -> ");
	if (change->b)
		append_string(text, change->b);
	if (!change->why)
		return;
	segmap_text_append_trusted(text, " (");
	append_string(text, change->why);
	segmap_text_append_char(text, ')');
}

/* The last word: how many differences. */
static void append_result(struct segmap_text *text, const struct segmap_diff *diff)
{
	size_t n = diff->found->n_changes;

	if (!n) {
		segmap_text_append_trusted(text, "no difference but load bases\n");
		return;
	}
	segmap_text_append_decimal(text, n);
	segmap_text_append_trusted(text, n == 1 ? " difference\n" : " differences\n");
}

static struct segmap_error *write_text(const struct segmap_text *text, FILE *file)
{
	if (text->failed)
		return segmap_error_no_memory();
	if (text->size)
		fwrite(text->bytes, 1, text->size, file);
	return NULL;
}

struct segmap_error *render_diff_table(const struct diff_view *view, const struct style *style,
				       FILE *file)
{
	__attribute__((cleanup(segmap_text_free))) struct segmap_text text = { 0 };
	const struct segmap_comparison *found = view->diff->found;

	if (style->frame) {
		append_side(&text, "A", view->name_a, view->a, style);
		append_side(&text, "B", view->name_b, view->b, style);
	}
	append_moves(&text, view->diff, style);
	for (size_t i = 0; i < found->n_changes; i++) {
		append_difference(&text, &found->changes[i]);
		segmap_text_append_char(&text, '\n');
	}
	if (style->frame)
		append_result(&text, view->diff);
	for (size_t i = 0; i < found->n_notes && style->frame; i++) {
		segmap_text_append_trusted(&text, "note: ");
		append_string(&text, found->notes[i]);
		segmap_text_append_char(&text, '\n');
	}
	return write_text(&text, file);
}

/* A field of a record, and what parts it from the one before. */
static void append_field(struct segmap_text *text, const char *field)
{
	segmap_text_append_char(text, ' ');
	append_raw(text, field ? field : "", field ? strlen(field) : 0);
}

static void append_address_field(struct segmap_text *text, bool known, uint64_t addr)
{
	segmap_text_append_char(text, ' ');
	if (known)
		segmap_text_append_hex(text, addr, 8);
	else
		segmap_text_append_char(text, '-');
}

struct segmap_error *render_diff_raw(const struct diff_view *view, const struct style *style,
				     FILE *file)
{
	__attribute__((cleanup(segmap_text_free))) struct segmap_text text = { 0 };
	const struct segmap_diff *diff = view->diff;

	if (style->heading)
		segmap_text_append_trusted(&text, "WHAT NAME PHDR A B WHY\n");
	for (size_t i = 0; i < diff->n_moves; i++) {
		const struct segmap_move *move = &diff->moves[i];

		segmap_text_append_trusted(&text, "base");
		append_field(&text, move->name);
		append_field(&text, NULL);
		append_address_field(&text, move->known_a, move->a);
		append_address_field(&text, move->known_b, move->b);
		append_field(&text, NULL);
		segmap_text_append_char(&text, '\n');
	}
	for (size_t i = 0; i < diff->found->n_changes; i++) {
		const struct segmap_change *change = &diff->found->changes[i];
		char number[16] = "";

		if (change->segment >= 0)
			snprintf(number, sizeof(number), "%d", change->segment);
		segmap_text_append_trusted(&text, segmap_change_word(change->what));
		append_field(&text, change->image);
		append_field(&text, number);
		append_field(&text, change->a);
		append_field(&text, change->b);
		append_field(&text, change->why);
		segmap_text_append_char(&text, '\n');
	}
	return write_text(&text, file);
}
