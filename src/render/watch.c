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
		[SEGMAP_MARK_GONE] = "-",
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

static bool holds(const struct segmap_vma *outer, const struct segmap_vma *inner)
{
	return outer->start <= inner->start && inner->end <= outer->end;
}

/*
 * Whether @stretch is all that makes @was and @now differ in size: not where there was a hole, or
 * where another VMA joined in.
 */
static bool tells_sizes(const struct segmap_stretch *stretch, const struct segmap_vma *was,
			const struct segmap_vma *now)
{
	uint64_t size = stretch->end - stretch->start;

	if (stretch->mark == SEGMAP_MARK_GROWN)
		return holds(now, was) && segmap_vma_size(was) + size == segmap_vma_size(now);
	return stretch->mark == SEGMAP_MARK_SHRUNK && holds(was, now) &&
	       segmap_vma_size(now) + size == segmap_vma_size(was);
}

/* Where, what was, where that is another thing than what is, and what is. */
static void append_stretch(struct segmap_text *text, const struct segmap_layout *before,
			   const struct segmap_layout *after, const struct segmap_stretch *stretch,
			   const struct style *style)
{
	bool is_lost = stretch->mark == SEGMAP_MARK_GONE || stretch->mark == SEGMAP_MARK_SHRUNK;
	const struct segmap_vma *was =
		stretch->before == UINT32_MAX ? NULL : &before->vmas[stretch->before];
	const struct segmap_vma *now =
		stretch->after == UINT32_MAX ? NULL : &after->vmas[stretch->after];
	bool with_sizes = tells_sizes(stretch, was, now);

	segmap_text_append_trusted(text, sign_of_mark(stretch->mark));
	segmap_text_append_char(text, ' ');
	segmap_text_append_hex(text, with_sizes ? now->start : stretch->start, 8);
	segmap_text_append_char(text, ' ');
	if (with_sizes) {
		append_size(text, style, segmap_vma_size(was));
		segmap_text_append_trusted(text, " -> ");
	}
	append_size(text, style,
		    with_sizes ? segmap_vma_size(now) : stretch->end - stretch->start);
	segmap_text_append_char(text, ' ');
	if (stretch->mark == SEGMAP_MARK_PERMS) {
		append_perms(text, was);
		segmap_text_append_trusted(text, " -> ");
	}
	append_perms(text, is_lost ? was : now);
	if (stretch->mark == SEGMAP_MARK_MEMORY)
		append_figures(text, before->memory, stretch->before, after->memory,
			       stretch->after, style);
	append_name_of(text, is_lost ? before : after, is_lost ? stretch->before : stretch->after,
		       style);
}

/* Whether a VMA to which it has happened is or was in @range. */
static bool is_in_range(const struct range *range, const struct segmap_layout *before,
			const struct segmap_layout *after, const struct segmap_stretch *stretch)
{
	return (stretch->after != UINT32_MAX && range_overlaps(range, after, stretch->after)) ||
	       (stretch->before != UINT32_MAX && range_overlaps(range, before, stretch->before));
}

size_t append_followed(struct segmap_text *text, const struct segmap_layout *before,
		       const struct segmap_layout *after, const struct range *range,
		       const struct style *style)
{
	const struct segmap_followed *followed = after->followed;
	size_t n = 0;

	for (size_t i = 0; i < followed->n_stretches; i++) {
		if (!is_in_range(range, before, after, &followed->stretches[i]))
			continue;
		n++;
		append_time(text, &after->time);
		append_stretch(text, before, after, &followed->stretches[i], style);
	}
	return n;
}
