/* src/render/verdict.c - what comparing predictions with a run has found. */
#include "render/verdict.h"
#include "render/words.h"
#include <string.h>

static void append_string(struct segmap_text *text, const char *string)
{
	segmap_text_append_safe(text, string, strlen(string));
}

void append_subject(struct segmap_text *text, const struct segmap_change *change)
{
	segmap_text_append_trusted(text, segmap_change_word(change->what));
	if (change->image) {
		segmap_text_append_char(text, ' ');
		append_string(text, change->image);
	}
	if (change->segment >= 0) {
		segmap_text_append_trusted(text, " program header ");
		segmap_text_append_decimal(text, (uint64_t)change->segment);
	}
}

void append_change(struct segmap_text *text, const struct segmap_change *change)
{
	const char *before = ": ";

	append_subject(text, change);
	if (change->a) {
		segmap_text_append_trusted(text, ": predicted ");
		append_string(text, change->a);
		before = ", ";
	}
	if (change->b) {
		segmap_text_append_trusted(text, before);
		segmap_text_append_trusted(text, change->a ? "is " : "there is ");
		append_string(text, change->b);
	} else if (change->a) {
		segmap_text_append_trusted(text, ", is not there");
	}
	if (change->why) {
		segmap_text_append_trusted(text, change->a || change->b ? " (" : ": ");
		append_string(text, change->why);
		if (change->a || change->b)
			segmap_text_append_char(text, ')');
	}
}

/* "1 VMA", "3 VMAs". */
static void append_count(struct segmap_text *text, size_t n, const char *what)
{
	segmap_text_append_decimal(text, n);
	segmap_text_append_char(text, ' ');
	segmap_text_append_trusted(text, what);
	if (n != 1)
		segmap_text_append_char(text, 's');
}

void append_verdict(struct segmap_text *text, const struct segmap_layout *layout)
{
	const struct segmap_comparison *comparison = layout->comparison;

	segmap_text_append_trusted(text, comparison->unreached ? "not verified at " :
								 "verified at ");
	segmap_text_append_trusted(text, word_of_moment(layout->moment));
	segmap_text_append_trusted(text, ": ");
	if (comparison->unreached) {
		append_string(text, comparison->unreached);
		return;
	}
	/* Where nothing was compared it came to an end that was predicted, or was not. */
	if (comparison->n_images) {
		append_count(text, comparison->n_images, "image");
		segmap_text_append_trusted(text, ", ");
	}
	if (comparison->n_vmas) {
		append_count(text, comparison->n_vmas, "VMA");
		segmap_text_append_trusted(text, ", ");
	}
	if (comparison->n_changes)
		append_count(text, comparison->n_changes, "difference");
	else
		segmap_text_append_trusted(text, comparison->n_vmas ? "no difference" :
								      "it ends as predicted");
}

struct segmap_error *render_verdict(const struct segmap_layout *layout, const struct style *style,
				    FILE *file)
{
	__attribute__((cleanup(segmap_text_free))) struct segmap_text text = { 0 };
	const struct segmap_comparison *comparison = layout->comparison;
	bool bad;

	if (!comparison)
		return NULL;
	bad = style->colour && (comparison->n_changes || comparison->unreached);
	if (bad)
		segmap_text_append_trusted(&text, "\033[1;31m");
	append_verdict(&text, layout);
	if (bad)
		segmap_text_append_trusted(&text, "\033[0m");
	segmap_text_append_char(&text, '\n');
	for (size_t i = 0; i < comparison->n_changes; i++) {
		segmap_text_append_trusted(&text, "  ");
		append_change(&text, &comparison->changes[i]);
		segmap_text_append_char(&text, '\n');
	}
	if (text.failed)
		return segmap_error_no_memory();
	fwrite(text.bytes, 1, text.size, file);
	return NULL;
}
