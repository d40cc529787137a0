/* tests/unit/base_text.c - text that grows, and names that can do nothing to a terminal. */
#include "unit.h"
#include <inttypes.h>
#include <locale.h>
#include <segmap/text.h>
#include <stdio.h>
#include <string.h>

#define BYTES(literal) (literal), sizeof(literal) - 1

static void assert_text(struct segmap_text *text, const char *expected, size_t size)
{
	ck_assert(!text->failed);
	ck_assert_msg(text->size == size && (!size || memcmp(text->bytes, expected, size) == 0),
		      "\"%.*s\" is not \"%s\"", (int)text->size, text->bytes, expected);
	segmap_text_free(text);
}

/* Decoding. A length of 0 stands for bytes that are no UTF-8. */
static const struct {
	const char *bytes;
	size_t size;
	size_t length;
	uint32_t character;
} sequences[] = {
	{ BYTES("a"), 1, 'a' },
	{ BYTES("\0"), 1, 0 },
	{ BYTES("\x7f"), 1, 0x7f },
	{ BYTES("ab"), 1, 'a' },
	{ BYTES("\xc2\x80"), 2, 0x80 },
	{ BYTES("\xc3\xa9"), 2, 0xe9 },
	{ BYTES("\xdf\xbf"), 2, 0x7ff },
	{ BYTES("\xe0\xa0\x80"), 3, 0x800 },
	{ BYTES("\xe2\x80\xae"), 3, 0x202e },
	{ BYTES("\xed\x9f\xbf"), 3, 0xd7ff },
	{ BYTES("\xee\x80\x80"), 3, 0xe000 },
	{ BYTES("\xef\xbf\xbf"), 3, 0xffff },
	{ BYTES("\xf0\x90\x80\x80"), 4, 0x10000 },
	{ BYTES("\xf4\x8f\xbf\xbf"), 4, 0x10ffff },
	{ BYTES("\xc3\xa9\xff"), 2, 0xe9 },
	/* a continuation byte without a beginning */
	{ BYTES("\x80"), 0, 0 },
	{ BYTES("\xbf"), 0, 0 },
	/* overlong forms: of '/', of NUL, of the last that two and three bytes can hold */
	{ BYTES("\xc0\xaf"), 0, 0 },
	{ BYTES("\xc0\x80"), 0, 0 },
	{ BYTES("\xc1\xbf"), 0, 0 },
	{ BYTES("\xe0\x80\x80"), 0, 0 },
	{ BYTES("\xe0\x80\xaf"), 0, 0 },
	{ BYTES("\xe0\x9f\xbf"), 0, 0 },
	{ BYTES("\xf0\x80\x80\x80"), 0, 0 },
	{ BYTES("\xf0\x8f\xbf\xbf"), 0, 0 },
	/* surrogates */
	{ BYTES("\xed\xa0\x80"), 0, 0 },
	{ BYTES("\xed\xaf\xbf"), 0, 0 },
	{ BYTES("\xed\xbf\xbf"), 0, 0 },
	/* above U+10FFFF, and what once were five and six bytes */
	{ BYTES("\xf4\x90\x80\x80"), 0, 0 },
	{ BYTES("\xf5\x80\x80\x80"), 0, 0 },
	{ BYTES("\xf7\xbf\xbf\xbf"), 0, 0 },
	{ BYTES("\xf8\x88\x80\x80\x80"), 0, 0 },
	{ BYTES("\xfc\x84\x80\x80\x80\x80"), 0, 0 },
	{ BYTES("\xfe"), 0, 0 },
	{ BYTES("\xff"), 0, 0 },
	/* cut short: by the end, by another character, by another beginning */
	{ BYTES("\xc3"), 0, 0 },
	{ BYTES("\xe2\x80"), 0, 0 },
	{ BYTES("\xf0\x9f\x98"), 0, 0 },
	{ BYTES("\xc3("), 0, 0 },
	{ BYTES("\xe2\x80("), 0, 0 },
	{ BYTES("\xe2(\x80"), 0, 0 },
	{ BYTES("\xf0\x9f\xc3\xa9"), 0, 0 },
};

START_TEST(decodes_utf8_and_nothing_else)
{
	uint32_t character = 12345;
	size_t length = segmap_utf8_decode(sequences[_i].bytes, sequences[_i].size, &character);

	ck_assert_uint_eq(length, sequences[_i].length);
	if (length)
		ck_assert_uint_eq(character, sequences[_i].character);
}
END_TEST

/* The encoder that Unicode's table 3-6 describes; 0 for what has no UTF-8 form. */
static size_t encode(uint32_t character, char ret[4])
{
	if (character < 0x80) {
		ret[0] = (char)character;
		return 1;
	}
	if (character < 0x800) {
		ret[0] = (char)(0xc0 | character >> 6);
		ret[1] = (char)(0x80 | (character & 0x3f));
		return 2;
	}
	if (character >= 0xd800 && character < 0xe000)
		return 0;
	if (character < 0x10000) {
		ret[0] = (char)(0xe0 | character >> 12);
		ret[1] = (char)(0x80 | (character >> 6 & 0x3f));
		ret[2] = (char)(0x80 | (character & 0x3f));
		return 3;
	}
	ret[0] = (char)(0xf0 | character >> 18);
	ret[1] = (char)(0x80 | (character >> 12 & 0x3f));
	ret[2] = (char)(0x80 | (character >> 6 & 0x3f));
	ret[3] = (char)(0x80 | (character & 0x3f));
	return 4;
}

START_TEST(every_character_decodes_to_itself)
{
	for (uint32_t character = 0; character <= 0x10ffff; character++) {
		uint32_t decoded = 0;
		char bytes[4];
		size_t length = encode(character, bytes);

		if (!length)
			continue;
		if (segmap_utf8_decode(bytes, length, &decoded) != length || decoded != character)
			ck_abort_msg("U+%04" PRIX32 " does not decode to itself", character);
		/* And not from fewer bytes than it has. */
		if (length > 1 && segmap_utf8_decode(bytes, length - 1, &decoded))
			ck_abort_msg("U+%04" PRIX32 " decodes though it is cut short", character);
	}
}
END_TEST

/* UnicodeData.txt: categories Cc, Cf, Zl, Zp, and neighbours that are none of them. */
static const struct {
	uint32_t character;
	bool control;
} characters[] = {
	{ 0, true },	   { '\t', true },    { '\n', true },	  { 0x1b, true },
	{ 0x1f, true },	   { ' ', false },    { '\\', false },	  { '~', false },
	{ 0x7f, true },	   { 0x80, true },    { 0x85, true },	  { 0x9b, true },
	{ 0x9f, true },	   { 0xa0, false },   { 0xac, false },	  { 0xad, true },
	{ 0xae, false },   { 0x600, true },   { 0x605, true },	  { 0x606, false },
	{ 0x61b, false },  { 0x61c, true },   { 0x6dd, true },	  { 0x70f, true },
	{ 0x890, true },   { 0x891, true },   { 0x892, false },	  { 0x8e2, true },
	{ 0x180d, false }, { 0x180e, true },  { 0x2000, false },  { 0x200a, false },
	{ 0x200b, true },  { 0x200d, true },  { 0x200f, true },	  { 0x2010, false },
	{ 0x2027, false }, { 0x2028, true },  { 0x2029, true },	  { 0x202a, true },
	{ 0x202e, true },  { 0x202f, false }, { 0x2060, true },	  { 0x2064, true },
	{ 0x2066, true },  { 0x206f, true },  { 0x2070, false },  { 0xfeff, true },
	{ 0xfff8, false }, { 0xfff9, true },  { 0xfffb, true },	  { 0xfffc, false },
	{ 0xfffd, false }, { 0x110bd, true }, { 0x110cd, true },  { 0x13430, true },
	{ 0x1343f, true }, { 0x13440, false },{ 0x1bca0, true },  { 0x1bca3, true },
	{ 0x1d173, true }, { 0x1d17a, true }, { 0x1d17b, false }, { 0x1f600, false },
	{ 0xe0001, true }, { 0xe0020, true }, { 0xe007f, true },  { 0xe0080, false },
	{ 0xe000, false }, { 0x10ffff, false },
};

START_TEST(knows_what_a_terminal_could_act_on)
{
	ck_assert_msg(segmap_is_control(characters[_i].character) == characters[_i].control,
		      "U+%04" PRIX32 " is %sa control", characters[_i].character,
		      characters[_i].control ? "" : "not ");
}
END_TEST

static const struct {
	const char *claim;
	const char *bytes;
	size_t size;
	const char *safe;
} names[] = {
	{ "an ordinary name stays", BYTES("/usr/lib/libc.so.6"), "/usr/lib/libc.so.6" },
	{ "nothing stays nothing", BYTES(""), "" },
	{ "blanks stay", BYTES("a b  c "), "a b  c " },
	{ "a newline is escaped", BYTES("a\nb"), "a\\012b" },
	{ "a tab is escaped", BYTES("\t"), "\\011" },
	{ "a carriage return is escaped", BYTES("\r"), "\\015" },
	{ "a NUL is escaped", BYTES("a\0b"), "a\\000b" },
	{ "ESC is escaped", BYTES("\033[31m"), "\\033[31m" },
	{ "DEL is escaped", BYTES("\x7f"), "\\177" },
	{ "C1's CSI is escaped, byte by byte", BYTES("\xc2\x9b"), "\\302\\233" },
	{ "C1's NEL is escaped", BYTES("\xc2\x85"), "\\302\\205" },
	{ "a bidi override is escaped", BYTES("a\xe2\x80\xae""b"), "a\\342\\200\\256b" },
	{ "an isolate is escaped", BYTES("\xe2\x81\xa6"), "\\342\\201\\246" },
	{ "a zero-width space is escaped", BYTES("\xe2\x80\x8b"), "\\342\\200\\213" },
	{ "a zero-width joiner is escaped", BYTES("\xe2\x80\x8d"), "\\342\\200\\215" },
	{ "a line separator is escaped", BYTES("\xe2\x80\xa8"), "\\342\\200\\250" },
	{ "a byte order mark is escaped", BYTES("\xef\xbb\xbf"), "\\357\\273\\277" },
	{ "a tag character is escaped", BYTES("\xf3\xa0\x81\x81"), "\\363\\240\\201\\201" },
	{ "letters beyond ASCII stay", BYTES("caf\xc3\xa9"), "caf\xc3\xa9" },
	{ "characters of three and four bytes stay", BYTES("\xe4\xb8\xad\xf0\x9f\x98\x80"),
	  "\xe4\xb8\xad\xf0\x9f\x98\x80" },
	{ "Latin-1 is escaped", BYTES("caf\xe9"), "caf\\351" },
	{ "a lone continuation byte is escaped", BYTES("a\x80""b"), "a\\200b" },
	{ "the highest byte is escaped", BYTES("\xff\xfe"), "\\377\\376" },
	{ "an overlong slash is escaped", BYTES("\xc0\xaf"), "\\300\\257" },
	{ "a surrogate is escaped", BYTES("\xed\xa0\x80"), "\\355\\240\\200" },
	{ "a character cut short is escaped, and what follows stays", BYTES("\xe2\x80x"),
	  "\\342\\200x" },
	{ "a backslash stays one", BYTES("a\\b"), "a\\b" },
	{ "the kernel's own escape stays as it is", BYTES("/tmp/a\\012b"), "/tmp/a\\012b" },
	{ "quotes and shell characters stay", BYTES("'\"$`*"), "'\"$`*" },
};

START_TEST(hostile_names_become_safe)
{
	struct segmap_text text = { 0 };

	segmap_text_append_safe(&text, names[_i].bytes, names[_i].size);
	ck_assert_msg(text.size == strlen(names[_i].safe) &&
			      (!text.size || memcmp(text.bytes, names[_i].safe, text.size) == 0),
		      "%s: \"%.*s\"", names[_i].claim, (int)text.size, text.bytes);
	ck_assert(!text.failed);
	segmap_text_free(&text);
}
END_TEST

START_TEST(safe_text_is_valid_utf8_without_controls)
{
	uint64_t state = 0x5eed + (uint64_t)_i;
	struct segmap_text text = { 0 };
	char bytes[64];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(unit_random(&state) >> 32);
	segmap_text_append_safe(&text, bytes, sizeof(bytes));
	for (size_t at = 0; at < text.size;) {
		uint32_t character;
		size_t length = segmap_utf8_decode(text.bytes + at, text.size - at, &character);

		ck_assert_uint_gt(length, 0);
		ck_assert(!segmap_is_control(character));
		at += length;
	}
	segmap_text_free(&text);
}
END_TEST

static const struct {
	const char *bytes;
	size_t size;
	size_t columns;
} widths[] = {
	{ BYTES(""), 0 },
	{ BYTES("abc"), 3 },
	{ BYTES("/usr/lib/x86_64-linux-gnu/libc.so.6"), 35 },
	{ BYTES("a\\012b"), 6 },
	{ BYTES("\xc3\xa9"), 1 },
	{ BYTES("caf\xc3\xa9 au lait"), 12 },
	{ BYTES("\xe4\xb8\xad"), 2 },			/* a CJK ideograph */
	{ BYTES("\xe4\xb8\xad\xe6\x96\x87.so"), 7 },
	{ BYTES("1234567\xe4\xb8\xad"), 9 },		/* on either side of eight bytes */
	{ BYTES("12345678\xe4\xb8\xad"), 10 },
	{ BYTES("123456789\xe4\xb8\xad""123456789"), 20 },
	{ BYTES("\xef\xbc\xa1"), 2 },			/* fullwidth A */
	{ BYTES("\xef\xbd\xb1"), 1 },			/* halfwidth katakana */
	{ BYTES("e\xcc\x81"), 1 },			/* a combining accent */
	{ BYTES("\xe2\x80\xa6"), 1 },			/* the ellipsis of cut cells */
	{ BYTES("\xf0\x9f\x98\x80"), 2 },		/* an emoji */
};

START_TEST(counts_columns_of_a_terminal)
{
	if (!setlocale(LC_CTYPE, "C.UTF-8") && !setlocale(LC_CTYPE, "en_US.UTF-8"))
		return; /* the C library knows no widths beyond ASCII here */
	ck_assert_uint_eq(segmap_text_columns(widths[_i].bytes, widths[_i].size),
			  widths[_i].columns);
}
END_TEST

static const uint64_t numbers[] = {
	0, 1, 7, 8, 9, 10, 0xf, 0x10, 0x99, 0x9a, 0xa0, 0xff, 0x100, 0xfff, 0x1000, 0xabcdef,
	0x9fffffff, 0xffffffff, 0x100000000, 0x123456789, 0x7fffffffffff, 0xffffffffff600000,
	0x123456789abcdef0, 0x7fffffffffffffff, 0x8000000000000000, 0xfffffffffffffffe, UINT64_MAX,
	9, 99, 100, 999, 1000, 4294967295, 4294967296, 9999999999, 10000000000,
	9999999999999999999u, 10000000000000000000u,
};

START_TEST(hex_is_as_printf_has_it)
{
	for (unsigned int width = 0; width <= 16; width++) {
		struct segmap_text text = { 0 };
		char expected[32];
		int size = snprintf(expected, sizeof(expected), "%0*" PRIx64, (int)width,
				    numbers[_i]);

		segmap_text_append_hex(&text, numbers[_i], width);
		assert_text(&text, expected, (size_t)size);
	}
}
END_TEST

START_TEST(hex_is_at_most_16_digits_wide)
{
	struct segmap_text text = { 0 };

	segmap_text_append_hex(&text, 0xa, 17);
	segmap_text_append_hex(&text, 0xb, 1000000);
	assert_text(&text, BYTES("000000000000000a000000000000000b"));
}
END_TEST

START_TEST(decimal_is_as_printf_has_it)
{
	struct segmap_text text = { 0 };
	char expected[32];
	int size = snprintf(expected, sizeof(expected), "%" PRIu64, numbers[_i]);

	segmap_text_append_decimal(&text, numbers[_i]);
	assert_text(&text, expected, (size_t)size);
}
END_TEST

START_TEST(random_numbers_are_as_printf_has_them)
{
	uint64_t state = 42;

	for (int i = 0; i < 100000; i++) {
		/* All magnitudes, not only the greatest. */
		uint64_t value = unit_random(&state) >> (unit_random(&state) & 63);
		struct segmap_text text = { 0 };
		char expected[64];
		int size = snprintf(expected, sizeof(expected), "%" PRIx64 " %" PRIu64, value,
				    value);

		segmap_text_append_hex(&text, value, 0);
		segmap_text_append_char(&text, ' ');
		segmap_text_append_decimal(&text, value);
		assert_text(&text, expected, (size_t)size);
	}
}
END_TEST

START_TEST(grows_and_keeps_what_it_has)
{
	struct segmap_text text = { 0 };
	enum { MANY = 100000 };

	for (int i = 0; i < MANY; i++) {
		segmap_text_append_char(&text, (char)('a' + i % 26));
		segmap_text_append_trusted(&text, "");
		segmap_text_append_bytes(&text, "xyz", 2);
	}
	ck_assert_uint_eq(text.size, 3 * MANY);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(text.bytes[3 * i], 'a' + i % 26);
		ck_assert(memcmp(text.bytes + 3 * i + 1, "xy", 2) == 0);
	}
	segmap_text_free(&text);
}
END_TEST

START_TEST(reset_text_is_used_again)
{
	struct segmap_text text = { 0 };

	segmap_text_append_trusted(&text, "the first");
	text.size = 0;
	segmap_text_append_trusted(&text, "second");
	assert_text(&text, BYTES("second"));
	ck_assert(!text.bytes && !text.size && !text.capacity);
}
END_TEST

START_TEST(lack_of_memory_is_remembered)
{
	struct segmap_text text = { 0 };

	segmap_text_append_trusted(&text, "kept");
	ck_assert(!segmap_text_reserve(&text, SIZE_MAX - 1));
	ck_assert(text.failed);
	ck_assert_uint_eq(text.size, 4);
	segmap_text_free(&text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base/text");
	TCase *utf8 = unit_case(suite, "utf8"), *safe = unit_case(suite, "safe text");
	TCase *numbers_case = unit_case(suite, "numbers"), *growth = unit_case(suite, "growth");

	tcase_add_loop_test(utf8, decodes_utf8_and_nothing_else, 0, N_ROWS(sequences));
	tcase_add_test(utf8, every_character_decodes_to_itself);
	tcase_add_loop_test(utf8, knows_what_a_terminal_could_act_on, 0, N_ROWS(characters));
	tcase_add_loop_test(safe, hostile_names_become_safe, 0, N_ROWS(names));
	tcase_add_loop_test(safe, safe_text_is_valid_utf8_without_controls, 0, 50);
	tcase_add_loop_test(safe, counts_columns_of_a_terminal, 0, N_ROWS(widths));
	tcase_add_loop_test(numbers_case, hex_is_as_printf_has_it, 0, N_ROWS(numbers));
	tcase_add_test(numbers_case, hex_is_at_most_16_digits_wide);
	tcase_add_loop_test(numbers_case, decimal_is_as_printf_has_it, 0, N_ROWS(numbers));
	tcase_add_test(numbers_case, random_numbers_are_as_printf_has_them);
	tcase_add_test(growth, grows_and_keeps_what_it_has);
	tcase_add_test(growth, reset_text_is_used_again);
	tcase_add_test(growth, lack_of_memory_is_remembered);
	return unit_run(suite);
}
