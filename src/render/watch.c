/* src/render/watch.c - what has become of a process that is watched. */
#include "render/watch.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

const char *sign_of_mark(enum segmap_mark mark)
{
	static const char *const signs[] = {
		[SEGMAP_MARK_SAME] = "",   [SEGMAP_MARK_NEW] = "+",    [SEGMAP_MARK_GROWN] = ">",
		[SEGMAP_MARK_SHRUNK] = "<", [SEGMAP_MARK_PERMS] = "~", [SEGMAP_MARK_MEMORY] = "*",
	};

	return signs[mark];
}

/* "12:00:01.250 ", by the clock on the wall. */
static void append_time(struct segmap_text *text, const struct timespec *time)
{
	char words[32] = "";
	struct tm local;
	size_t size;

	if (!localtime_r(&time->tv_sec, &local))
		return;
	size = strftime(words, sizeof(words), "%H:%M:%S", &local);
	snprintf(words + size, sizeof(words) - size, ".%03d ", (int)(time->tv_nsec / 1000000));
	segmap_text_append_trusted(text, words);
}

void append_event(struct segmap_text *text, const struct timespec *time, const char *words)
{
	append_time(text, time);
	segmap_text_append_safe(text, words, strlen(words));
	segmap_text_append_char(text, '\n');
}

static void append_perms(struct segmap_text *text, const struct segmap_vma *vma)
{
	char perms[5];

	segmap_vma_perms_format(vma, perms);
	segmap_text_append_trusted(text, perms);
}

/* A blank and the cell that the column @name has in @row; nothing where that is empty. */
static void append_cell(struct segmap_text *text, const struct row *row, const char *name,
			const struct style *style)
{
	size_t before = text->size;

	segmap_text_append_char(text, ' ');
	column_find(name, strlen(name))->get(row, style, text);
	if (text->size == before + 1)
		text->size = before;
}

/* What VMA @index of @layout is, and to whom it belongs. */
static void append_name_of(struct segmap_text *text, const struct segmap_layout *layout,
			   size_t index, const struct style *style)
{
	struct row row = row_of_vma(layout, index);

	append_cell(text, &row, "MAPPING", style);
	append_cell(text, &row, "SEGMENT", style);
	segmap_text_append_char(text, '\n');
}

static void append_figure(struct segmap_text *text, const char *name, uint64_t before,
			  uint64_t after, const struct style *style)
{
	if (before == after || before == SEGMAP_NO_FIGURE || after == SEGMAP_NO_FIGURE)
		return;
	segmap_text_append_char(text, ' ');
	segmap_text_append_trusted(text, name);
	segmap_text_append_char(text, ' ');
	append_size(text, style, before);
	segmap_text_append_trusted(text, " -> ");
	append_size(text, style, after);
}

static void append_figures(struct segmap_text *text, const struct segmap_memory *before, size_t i,
			   const struct segmap_memory *after, size_t j, const struct style *style)
{
	static const struct {
		const char *name;
		enum segmap_known_figure figure;
	} figures[] = { { "Rss", SEGMAP_FIGURE_RSS },
			{ "Anonymous", SEGMAP_FIGURE_ANONYMOUS },
			{ "Swap", SEGMAP_FIGURE_SWAP } };

	for (size_t k = 0; k < sizeof(figures) / sizeof(figures[0]); k++)
		append_figure(text, figures[k].name, segmap_memory_known(before, i, figures[k].figure),
			      segmap_memory_known(after, j, figures[k].figure), style);
}

/* What was, where that is another thing than what is, and what is. */
static void append_marked(struct segmap_text *text, const struct segmap_layout *before,
			  const struct segmap_layout *after, size_t index,
			  const struct style *style)
{
	const struct segmap_marked *marked = &after->followed->marks[index];
	const struct segmap_vma *vma = &after->vmas[index];
	const struct segmap_vma *was =
		marked->before == UINT32_MAX ? NULL : &before->vmas[marked->before];

	segmap_text_append_trusted(text, sign_of_mark(marked->mark));
	segmap_text_append_char(text, ' ');
	segmap_text_append_hex(text, vma->start, 8);
	segmap_text_append_char(text, ' ');
	if (marked->mark == SEGMAP_MARK_GROWN || marked->mark == SEGMAP_MARK_SHRUNK) {
		append_size(text, style, segmap_vma_size(was));
		segmap_text_append_trusted(text, " -> ");
	}
	append_size(text, style, segmap_vma_size(vma));
	segmap_text_append_char(text, ' ');
	if (marked->mark == SEGMAP_MARK_PERMS) {
		append_perms(text, was);
		segmap_text_append_trusted(text, " -> ");
	}
	append_perms(text, vma);
	if (marked->mark == SEGMAP_MARK_MEMORY)
		append_figures(text, before->memory, marked->before, after->memory, index, style);
	append_name_of(text, after, index, style);
}

/* Whether VMA @index has changed, and is or was in @range. */
static bool is_marked_in(const struct range *range, const struct segmap_layout *before,
			 const struct segmap_layout *after, size_t index)
{
	const struct segmap_marked *marked = &after->followed->marks[index];

	return marked->mark != SEGMAP_MARK_SAME &&
	       (range_overlaps(range, after, index) ||
		(marked->before != UINT32_MAX && range_overlaps(range, before, marked->before)));
}

size_t append_followed(struct segmap_text *text, const struct segmap_layout *before,
		       const struct segmap_layout *after, const struct range *range,
		       const struct style *style)
{
	const struct segmap_followed *followed = after->followed;
	size_t n = 0;

	for (size_t i = 0; i < followed->n_gone; i++) {
		const struct segmap_vma *vma = &before->vmas[followed->gone[i]];

		if (!range_overlaps(range, before, followed->gone[i]))
			continue;
		n++;
		append_time(text, &after->time);
		segmap_text_append_trusted(text, "- ");
		segmap_text_append_hex(text, vma->start, 8);
		segmap_text_append_char(text, ' ');
		append_size(text, style, segmap_vma_size(vma));
		segmap_text_append_char(text, ' ');
		append_perms(text, vma);
		append_name_of(text, before, followed->gone[i], style);
	}
	for (size_t i = 0; i < after->n_vmas; i++) {
		if (!is_marked_in(range, before, after, i))
			continue;
		n++;
		append_time(text, &after->time);
		append_marked(text, before, after, i, style);
	}
	return n;
}
