/* src/render/say.c - words and names, appended to a text. */
#include "render/say.h"
#include <segmap/elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void say(struct segmap_text *text, const char *format, ...)
{
	va_list arguments;
	char *words;
	int size;

	va_start(arguments, format);
	size = vasprintf(&words, format, arguments);
	va_end(arguments);
	if (size < 0) {
		text->failed = true;
		return;
	}
	segmap_text_append_trusted(text, words);
	free(words);
}

void say_safe(struct segmap_text *text, const char *string)
{
	segmap_text_append_safe(text, string, strlen(string));
}

const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

void say_image_name(struct segmap_text *text, const struct segmap_layout *layout, int32_t image)
{
	say_safe(text, base_name(segmap_layout_image_path(layout, image)));
}

size_t say_sections(struct segmap_text *text, const struct segmap_elf *elf, uint64_t start,
		    uint64_t end, size_t most)
{
	size_t n = 0;

	for (size_t i = 0; i < elf->n_by_vaddr; i++) {
		const struct segmap_label *label = &elf->by_vaddr[i];

		if (label->kind != SEGMAP_LABEL_SECTION || label->end <= start ||
		    label->start >= end || n++ >= most)
			continue;
		segmap_text_append_char(text, ' ');
		say_safe(text, elf->sections[label->section].name);
	}
	if (n > most)
		say(text, " and %zu more", n - most);
	return n;
}

void say_range_from(struct segmap_text *text, const struct segmap_placement *placement,
		    uint64_t start, uint64_t end)
{
	if (placement->base_name[0])
		say(text, "%s+", placement->base_name);
	say(text, HEX "-" HEX, start - placement->origin, end - placement->origin);
}

void say_blanks(struct segmap_text *text, size_t n)
{
	while (n--)
		segmap_text_append_char(text, ' ');
}

void say_wrapped(struct segmap_text *text, struct segmap_text *sentence, size_t indent,
		 size_t width)
{
	const char *at = sentence->bytes, *end = at + sentence->size;
	size_t column = 0;

	while (at < end) {
		const char *word = at;
		size_t size, columns;

		while (at < end && *at != ' ')
			at++;
		size = (size_t)(at - word);
		columns = segmap_text_columns(word, size);
		if (column && column + 1 + columns > width) {
			segmap_text_append_char(text, '\n');
			column = 0;
		}
		if (!column) {
			say_blanks(text, indent);
			column = indent;
		} else {
			segmap_text_append_char(text, ' ');
			column++;
		}
		segmap_text_append_bytes(text, word, size);
		column += columns;
		at += at < end;
	}
	if (column)
		segmap_text_append_char(text, '\n');
	text->failed |= sentence->failed;
	sentence->size = 0;
}

const char *rwx(int prot, char ret[static 5])
{
	segmap_perms_format(prot, false, ret);
	ret[3] = '\0';
	return ret;
}

struct segmap_error *write_text(struct segmap_text *text, FILE *file)
{
	bool failed = text->failed;

	if (!failed && text->size)
		fwrite(text->bytes, 1, text->size, file);
	segmap_text_free(text);
	return failed ? segmap_error_no_memory() : NULL;
}
