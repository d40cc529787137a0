/* src/read/smaps.h - the lines of smaps under each line of maps. */
#ifndef READ_SMAPS_H
#define READ_SMAPS_H

#include <segmap/layout.h>

/* Whether @line is a field of smaps, "Rss: 4 kB"; lines of maps begin with a small letter or a digit. */
static inline bool smaps_is_field(const char *line)
{
	return *line >= 'A' && *line <= 'Z';
}

/*
 * Take the fields at @text, up to @end, that stand there just as the VMA before
 * had them; the text is left as it is. Returns how many bytes that was, and
 * adds the number of lines to @layout->n_lines. What remains is for the slow
 * way: a line at a time.
 */
size_t smaps_skim_fields(struct segmap_layout *layout, const char *text, const char *end);

/*
 * Take a field's line, without its newline but with a NUL at @end, as one of
 * the last VMA's. A field without a number, or one too many, is left out. The
 * error's text says what is wrong with the line and names no file.
 */
SEGMAP_MUST_CHECK struct segmap_error *smaps_parse_field(struct segmap_layout *layout,
							 const char *line, const char *end);

/* All lines are there: VMAs without fields have no figures. */
SEGMAP_MUST_CHECK struct segmap_error *smaps_finish(struct segmap_layout *layout);

#endif
