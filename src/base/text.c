/* src/base/text.c - growing text, and names that can do nothing to a terminal. */
#define LIBBSD_NETBSD_VIS /* only vis() is used, which all agree on */
#include <bsd/vis.h>
#include <endian.h>
#include <segmap/text.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

void segmap_text_free(struct segmap_text *text)
{
	free(text->bytes);
	*text = (struct segmap_text){ 0 };
}

bool segmap_text_grow(struct segmap_text *text, size_t more)
{
	size_t needed, capacity;
	char *moved;

	if (text->failed)
		return false;
	if (__builtin_add_overflow(text->size, more, &needed) || needed > SIZE_MAX / 2)
		goto failed;
	capacity = needed < 256 ? 256 : needed + needed / 2;
	moved = realloc(text->bytes, capacity);
	if (!moved)
		goto failed;
	text->bytes = moved;
	text->capacity = capacity;
	return true;
failed:
	text->failed = true;
	return false;
}

/*
 * Two addresses in every row, digit by digit, were a tenth of the time for
 * 60,000 rows; all sixteen digits at once, in the compiler's own vectors, take
 * a third of the instructions that two times eight in an integer did.
 */
typedef unsigned char bytes_8 __attribute__((vector_size(8)));
typedef unsigned char bytes_16 __attribute__((vector_size(16)));
typedef unsigned short shorts_8 __attribute__((vector_size(16)));

void segmap_text_append_hex(struct segmap_text *text, uint64_t value, unsigned int width)
{
	unsigned int digits = (67 - (unsigned int)__builtin_clzll(value | 1)) / 4;
	shorts_8 pairs;
	bytes_16 nibbles;
	bytes_8 bytes;

	if (digits < width)
		digits = width < 16 ? width : 16;
	if (!segmap_text_reserve(text, sizeof(nibbles)))
		return;
	/* The first digit that is wanted in front; what comes behind the last is not used. */
	value = htobe64(value << (64 - 4 * digits));
	memcpy(&bytes, &value, sizeof(bytes));
	pairs = __builtin_convertvector(bytes, shorts_8);
	pairs = BYTE_ORDER == LITTLE_ENDIAN ? pairs >> 4 | (pairs & 15) << 8 :
					      pairs >> 4 << 8 | (pairs & 15);
	memcpy(&nibbles, &pairs, sizeof(nibbles));
	nibbles += '0' + ((bytes_16)(nibbles > 9) & ('a' - '0' - 10));
	memcpy(text->bytes + text->size, &nibbles, sizeof(nibbles));
	text->size += digits;
}

/* As segmap_text_append_decimal(), for more than one digit. */
static __attribute__((noinline)) void append_digits(struct segmap_text *text, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	segmap_text_append_bytes(text, digits + at, sizeof(digits) - at);
}

void segmap_text_append_decimal(struct segmap_text *text, uint64_t value)
{
	/* Sizes in pages are mostly of one digit, which needs no buffer and no stack guard. */
	if (value < 10)
		segmap_text_append_char(text, (char)('0' + value));
	else
		append_digits(text, value);
}

size_t segmap_utf8_decode(const char *bytes, size_t size, uint32_t *ret)
{
	const unsigned char *at = (const unsigned char *)bytes;
	uint32_t character, least;
	size_t length;

	if (at[0] < 0x80) {
		*ret = at[0];
		return 1;
	} else if (at[0] >= 0xc2 && at[0] < 0xe0) {
		length = 2, character = at[0] & 0x1f, least = 0x80;
	} else if (at[0] >= 0xe0 && at[0] < 0xf0) {
		length = 3, character = at[0] & 0x0f, least = 0x800;
	} else if (at[0] >= 0xf0 && at[0] < 0xf5) {
		length = 4, character = at[0] & 0x07, least = 0x10000;
	} else {
		return 0;
	}
	if (length > size)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (at[i] & 0x3f);
	}
	if (character < least || character > 0x10ffff ||
	    (character >= 0xd800 && character < 0xe000))
		return 0;
	*ret = character;
	return length;
}

bool segmap_is_control(uint32_t character)
{
	/*
	 * Unicode 15.1, DerivedGeneralCategory.txt: Cc, Cf, Zl, Zp above ASCII. The C
	 * library's iswcntrl() would depend on the locale and does not know Cf.
	 */
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x80, 0x9f },	      { 0xad, 0xad },	    { 0x600, 0x605 },
		{ 0x61c, 0x61c },     { 0x6dd, 0x6dd },	    { 0x70f, 0x70f },
		{ 0x890, 0x891 },     { 0x8e2, 0x8e2 },	    { 0x180e, 0x180e },
		{ 0x200b, 0x200f },   { 0x2028, 0x202e },   { 0x2060, 0x2064 },
		{ 0x2066, 0x206f },   { 0xfeff, 0xfeff },   { 0xfff9, 0xfffb },
		{ 0x110bd, 0x110bd }, { 0x110cd, 0x110cd }, { 0x13430, 0x1343f },
		{ 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a }, { 0xe0001, 0xe0001 },
		{ 0xe0020, 0xe007f },
	};

	if (character < 0x80)
		return character < 0x20 || character == 0x7f;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (character >= ranges[i].first && character <= ranges[i].last)
			return true;
	return false;
}

static bool escapes_letters;

bool segmap_text_escape_letters(bool escape)
{
	bool before = escapes_letters;

	escapes_letters = escape;
	return before;
}

void segmap_text_append_safe(struct segmap_text *text, const char *bytes, size_t size)
{
	while (size) {
		uint32_t character;
		size_t plain = 0, length;
		char escaped[8];

		while (plain < size && (unsigned char)bytes[plain] >= 0x20 &&
		       (unsigned char)bytes[plain] < 0x7f)
			plain++;
		segmap_text_append_bytes(text, bytes, plain);
		bytes += plain;
		size -= plain;
		if (!size)
			break;
		length = segmap_utf8_decode(bytes, size, &character);
		if (length && !escapes_letters && !segmap_is_control(character)) {
			segmap_text_append_bytes(text, bytes, length);
		} else {
			if (!length)
				length = 1;
			for (size_t i = 0; i < length; i++) {
				/* It takes memory for itself; without, it fails or writes nothing. */
				if (vis(escaped, (unsigned char)bytes[i],
					VIS_OCTAL | VIS_TAB | VIS_NL | VIS_NOLOCALE, 0) &&
				    escaped[0])
					segmap_text_append_trusted(text, escaped);
				else
					text->failed = true;
			}
		}
		bytes += length;
		size -= length;
	}
}

/* Nearly all names are. */
static inline bool is_ascii(const char *bytes, size_t size)
{
	uint64_t first = 0, last = 0, any = 0;

	if (size >= sizeof(first)) {
		for (size_t at = 0; at < size - sizeof(first); at += sizeof(first)) {
			memcpy(&first, bytes + at, sizeof(first));
			any |= first;
		}
		memcpy(&last, bytes + size - sizeof(last), sizeof(last));
	} else if (size >= 4) { /* two halves, which may overlap */
		memcpy(&first, bytes, 4);
		memcpy(&last, bytes + size - 4, 4);
		any = first;
	} else {
		for (size_t at = 0; at < size; at++)
			any |= (unsigned char)bytes[at];
	}
	return !((any | last) & 0x8080808080808080);
}

size_t segmap_text_columns(const char *bytes, size_t size)
{
	size_t columns = 0;

	if (is_ascii(bytes, size))
		return size;
	for (size_t at = 0; at < size;) {
		uint32_t character;
		size_t length = segmap_utf8_decode(bytes + at, size - at, &character);
		int width = 1;

		if (length > 1)
			width = wcwidth((wchar_t)character);
		columns += width < 0 ? 1 : (size_t)width;
		at += length ? length : 1;
	}
	return columns;
}
