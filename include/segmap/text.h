/* include/segmap/text.h - growing text, and names that can do nothing to a terminal. */
#ifndef SEGMAP_TEXT_H
#define SEGMAP_TEXT_H

#include <segmap/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Bytes that grow. Zero-initialize, or keep and reset @size to use the memory
 * again. Out of memory is remembered in @failed and checked once at the end,
 * so that a run of appends reads as one sentence.
 */
struct segmap_text {
	char *bytes; /* not NUL-terminated; NULL if nothing was appended */
	size_t size;
	size_t capacity;
	bool failed;
};

SEGMAP_API void segmap_text_free(struct segmap_text *text);

/* What segmap_text_reserve() does when there is no room. */
SEGMAP_API bool segmap_text_grow(struct segmap_text *text, size_t more);

/* Make room for @more bytes; false if there is no memory (and @failed is set). */
static inline bool segmap_text_reserve(struct segmap_text *text, size_t more)
{
	return more <= text->capacity - text->size || segmap_text_grow(text, more);
}

static inline void segmap_text_append_bytes(struct segmap_text *text, const char *bytes, size_t size)
{
	if (!size || !segmap_text_reserve(text, size))
		return;
	memcpy(text->bytes + text->size, bytes, size);
	text->size += size;
}

static inline void segmap_text_append_char(struct segmap_text *text, char c)
{
	if (segmap_text_reserve(text, 1))
		text->bytes[text->size++] = c;
}

/* Append a constant or otherwise trusted string as it is. */
static inline void segmap_text_append_trusted(struct segmap_text *text, const char *string)
{
	segmap_text_append_bytes(text, string, strlen(string));
}

/* Append @value in lower-case hex, with leading zeros up to @width digits (at most 16). */
SEGMAP_API void segmap_text_append_hex(struct segmap_text *text, uint64_t value, unsigned int width);
SEGMAP_API void segmap_text_append_decimal(struct segmap_text *text, uint64_t value);

/*
 * Append @size bytes that came from a process or a file: valid UTF-8 stays
 * unless it is a control, a format character or a line separator (Unicode
 * categories Cc, Cf, Zl, Zp: U+009B and the bidi controls move a terminal too);
 * every other byte becomes a backslash and three octal digits. A backslash
 * stays one, so that the kernel's own "\012" for a newline is shown as it is.
 */
SEGMAP_API void segmap_text_append_safe(struct segmap_text *text, const char *bytes, size_t size);

/*
 * Have segmap_text_append_safe() escape every letter beyond ASCII, too, or let
 * them stay, as it does at first: a terminal with another character set than
 * UTF-8 can take their bytes for controls. This is one setting for all threads.
 * Returns what it was.
 */
SEGMAP_API bool segmap_text_escape_letters(bool escape);

/* How many terminal columns @size bytes of safe text take. */
SEGMAP_API size_t segmap_text_columns(const char *bytes, size_t size);

/*
 * Decode one character of UTF-8 at @bytes; @size > 0. Returns its length and
 * sets *@ret, or returns 0 where the bytes are no valid UTF-8 (overlong forms,
 * surrogates and what lies above U+10FFFF included).
 */
SEGMAP_API size_t segmap_utf8_decode(const char *bytes, size_t size, uint32_t *ret);

/* Whether a terminal could act on @character: categories Cc, Cf, Zl and Zp. */
SEGMAP_API bool segmap_is_control(uint32_t character);

#endif
