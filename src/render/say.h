/* src/render/say.h - words and names, appended to a text. */
#ifndef RENDER_SAY_H
#define RENDER_SAY_H

#include <inttypes.h>
#include <segmap/layout.h>
#include <segmap/text.h>
#include <stdio.h>

/* A number as the files' own tools print it. */
#define HEX "0x%" PRIx64

/* Append our own words and numbers: nothing that comes from a file or a process. */
void say(struct segmap_text *text, const char *format, ...) SEGMAP_PRINTF(2, 3);

/* Append what a file or a process says, escaped. */
void say_safe(struct segmap_text *text, const char *string);

/* The path behind its last slash; the path itself where nothing is there. */
const char *base_name(const char *path);

/* Append the base name of the image with this index, escaped. */
void say_image_name(struct segmap_text *text, const struct segmap_layout *layout, int32_t image);

/*
 * Append the names of the sections in [@start, @end) (vaddr), each behind a
 * blank: the first @most, and how many more there are. Returns how many there
 * are in all.
 */
size_t say_sections(struct segmap_text *text, const struct segmap_elf *elf, uint64_t start,
		    uint64_t end, size_t most);

/* Append "B+0x3000-0x5000": [@start, @end) in the layout's own addresses, as @placement shows them. */
void say_range_from(struct segmap_text *text, const struct segmap_placement *placement,
		    uint64_t start, uint64_t end);

void say_blanks(struct segmap_text *text, size_t n);

/*
 * Append @sentence in lines of at most @width columns that begin with @indent
 * blanks, and make it empty. A word that is longer has a line of its own.
 */
void say_wrapped(struct segmap_text *text, struct segmap_text *sentence, size_t indent,
		 size_t width);

/* "r-x" of permissions or p_flags, into @ret. */
const char *rwx(int prot, char ret[static 5]);

/* Write @text to @file, and free it. Errors of writing stay in @file; the error is for memory. */
SEGMAP_MUST_CHECK struct segmap_error *write_text(struct segmap_text *text, FILE *file);

#endif
