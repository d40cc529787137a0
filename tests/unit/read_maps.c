/* tests/unit/read_maps.c - a whole maps text into VMAs, grouped by the file behind them. */
#include "unit.h"
#include <inttypes.h>
#include <segmap/layout.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char whole[] =
	"55d0c0a00000-55d0c0a02000 r--p 00000000 fe:01 183                        /usr/bin/cat\n"
	"55d0c0a02000-55d0c0a06000 r-xp 00002000 fe:01 183                        /usr/bin/cat\n"
	"55d0c0a06000-55d0c0a07000 rw-p 00005000 fe:01 183                        /usr/bin/cat\n"
	"55d0c1b9d000-55d0c1bbe000 rw-p 00000000 00:00 0                          [heap]\n"
	"7f0000000000-7f0000021000 rw-p 00000000 00:00 0 \n"
	"7f1000000000-7f1000001000 r--p 00000000 fe:01 184                        /a b\\012c\n"
	"7f1000001000-7f1000002000 rw-s 00000000 00:05 183                        /dev/x "
	"(deleted)\n"
	"7f1000002000-7f1000003000 r--p 00001000 fe:01 184                        /a b\\012c\n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";

/*
 * Feed @size bytes of @text in chunks that end at the @n_cuts places in @cuts,
 * as a caller with one buffer does: what was not taken comes again.
 */
static struct segmap_error *parse_chunks(struct segmap_layout *layout, const char *text,
					 size_t size, const size_t *cuts, size_t n_cuts)
{
	size_t waiting = 0, done = 0;
	char *buffer = malloc(size + 1);
	struct segmap_error *error = NULL;

	ck_assert_ptr_nonnull(buffer);
	for (size_t i = 0; i <= n_cuts && !error; i++) {
		size_t end = i < n_cuts ? cuts[i] : size, taken = 12345;
		size_t fresh = waiting + (end - done);
		/* Of exactly this size, for the sanitizer. */
		char *chunk = malloc(fresh ? fresh : 1);

		ck_assert_ptr_nonnull(chunk);
		memcpy(chunk, buffer, waiting);
		memcpy(chunk + waiting, text + done, end - done);
		done = end;
		error = segmap_layout_parse_maps(layout, "the maps", chunk, fresh, i == n_cuts,
						 &taken);
		if (!error) {
			ck_assert_uint_le(taken, fresh);
			/* What waits holds no whole line; at the end nothing does. */
			waiting = fresh - taken;
			ck_assert(!memchr(chunk + taken, '\n', waiting));
			ck_assert(i < n_cuts || !waiting);
			memcpy(buffer, chunk + taken, waiting);
		}
		memset(chunk, 'X', fresh); /* it is not needed afterwards */
		free(chunk);
	}
	free(buffer);
	return error;
}

/* Everything that parsing fills in, as text. */
static char *layout_text(const struct segmap_layout *layout)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(file);
	for (size_t i = 0; i < layout->n_vmas; i++) {
		const struct segmap_vma *vma = &layout->vmas[i];
		char perms[5];

		segmap_perms_format(vma->prot, vma->shared, perms);
		fprintf(file,
			"%" PRIx64 "-%" PRIx64 " %s %" PRIx64 " %x:%x %" PRIu64
			" '%s' backing %d\n",
			vma->start, vma->end, perms, vma->off, vma->dev_major, vma->dev_minor,
			vma->ino, vma->name, (int)layout->annotations[i].backing);
	}
	for (size_t i = 0; i < layout->n_backings; i++) {
		const struct segmap_backing *backing = &layout->backings[i];

		fprintf(file, "%x:%x %" PRIu64 " '%s':", backing->dev_major, backing->dev_minor,
			backing->ino, backing->path);
		for (uint32_t j = 0; j < backing->n_vmas; j++)
			fprintf(file, " %" PRIu32, backing->vmas[j]);
		fputc('\n', file);
	}
	ck_assert_int_eq(fclose(file), 0);
	return text;
}

static char *parse_to_text(const char *text, size_t size, const size_t *cuts, size_t n_cuts)
{
	struct segmap_layout *layout;
	char *result;

	unit_no_error(segmap_layout_new(&layout));
	unit_no_error(parse_chunks(layout, text, size, cuts, n_cuts));
	result = layout_text(layout);
	segmap_layout_free(layout);
	return result;
}

static const char whole_parsed[] =
	"55d0c0a00000-55d0c0a02000 r--p 0 fe:1 183 '/usr/bin/cat' backing 0\n"
	"55d0c0a02000-55d0c0a06000 r-xp 2000 fe:1 183 '/usr/bin/cat' backing 0\n"
	"55d0c0a06000-55d0c0a07000 rw-p 5000 fe:1 183 '/usr/bin/cat' backing 0\n"
	"55d0c1b9d000-55d0c1bbe000 rw-p 0 0:0 0 '[heap]' backing -1\n"
	"7f0000000000-7f0000021000 rw-p 0 0:0 0 '' backing -1\n"
	"7f1000000000-7f1000001000 r--p 0 fe:1 184 '/a b\\012c' backing 1\n"
	"7f1000001000-7f1000002000 rw-s 0 0:5 183 '/dev/x (deleted)' backing 2\n"
	"7f1000002000-7f1000003000 r--p 1000 fe:1 184 '/a b\\012c' backing 1\n"
	"ffffffffff600000-ffffffffff601000 --xp 0 0:0 0 '[vsyscall]' backing -1\n"
	"fe:1 183 '/usr/bin/cat': 0 1 2\n"
	"fe:1 184 '/a b\\012c': 5 7\n"
	"0:5 183 '/dev/x (deleted)': 6\n";

START_TEST(groups_vmas_by_file)
{
	char *text = parse_to_text(whole, sizeof(whole) - 1, NULL, 0);

	ck_assert_str_eq(text, whole_parsed);
	free(text);
}
END_TEST

START_TEST(cut_at_any_place_is_the_same)
{
	for (size_t cut = 0; cut < sizeof(whole); cut++) {
		char *text = parse_to_text(whole, sizeof(whole) - 1, &cut, 1);

		ck_assert_msg(strcmp(text, whole_parsed) == 0, "cut at %zu:\n%s", cut, text);
		free(text);
	}
}
END_TEST

START_TEST(cut_in_many_places_is_the_same)
{
	/* Byte by byte, and by other steps. */
	static const size_t steps[] = { 1, 2, 3, 7, 64, 89, 90, 91 };
	size_t cuts[sizeof(whole)], n = 0;
	char *text;

	for (size_t at = steps[_i]; at < sizeof(whole) - 1; at += steps[_i])
		cuts[n++] = at;
	text = parse_to_text(whole, sizeof(whole) - 1, cuts, n);
	ck_assert_str_eq(text, whole_parsed);
	free(text);
}
END_TEST

START_TEST(last_line_needs_no_newline)
{
	size_t size = sizeof(whole) - 2; /* without it */

	for (size_t cut = 0; cut <= size; cut++) {
		char *text = parse_to_text(whole, size, &cut, 1);

		ck_assert_msg(strcmp(text, whole_parsed) == 0, "cut at %zu:\n%s", cut, text);
		free(text);
	}
}
END_TEST

START_TEST(nothing_is_a_map_without_vmas)
{
	struct segmap_layout *layout;

	unit_no_error(segmap_layout_new(&layout));
	unit_no_error(parse_chunks(layout, "", 0, NULL, 0));
	ck_assert_uint_eq(layout->n_vmas, 0);
	ck_assert_uint_eq(layout->n_backings, 0);
	ck_assert_int_eq(segmap_layout_find(layout, 0), -1);
	segmap_layout_free(layout);
}
END_TEST

#define LINE(start, end) start "-" end " r--p 00000000 08:01 7 /x\n"

static const struct {
	const char *claim, *text;
	size_t line; /* that the error names */
	const char *words;
} refused[] = {
	{ "a line that is none", LINE("1000", "2000") "nonsense\n", 2, "address range" },
	{ "an empty line", LINE("1000", "2000") "\n" LINE("3000", "4000"), 2, "address range" },
	{ "an empty first line", "\n", 1, "address range" },
	{ "a last line cut short", LINE("1000", "2000") LINE("2000", "3000") "3000-40", 3, "" },
	{ "the same line twice", LINE("1000", "2000") LINE("1000", "2000"), 2, "overlaps" },
	{ "lines that overlap", LINE("1000", "3000") LINE("2000", "4000"), 2, "overlaps" },
	{ "a line within the one before it", LINE("1000", "9000") LINE("2000", "3000"), 2,
	  "overlaps" },
	{ "lines out of order", LINE("5000", "6000") LINE("1000", "2000"), 2, "precedes" },
	{ "an overlap far down", LINE("1000", "2000") LINE("2000", "3000") LINE("3000", "4000")
				 LINE("4000", "6000") LINE("5000", "7000"), 5, "overlaps" },
	{ "carriage returns", "1000-2000 r--p 00000000 00:00 0\r\n", 1, "follows the inode" },
	{ "a page of something else", "<!DOCTYPE html>\n<html>\n", 1, "address range" },
};

START_TEST(error_names_the_text_and_the_line)
{
	size_t size = strlen(refused[_i].text);

	for (size_t cut = 0; cut <= size; cut++) {
		struct segmap_layout *layout;
		struct segmap_error *error;
		char words[32];

		unit_no_error(segmap_layout_new(&layout));
		error = parse_chunks(layout, refused[_i].text, size, &cut, 1);
		ck_assert_msg(error != NULL, "%s, cut at %zu, was parsed", refused[_i].claim, cut);
		ck_assert_str_eq(error->what, "the maps");
		snprintf(words, sizeof(words), "line %zu: ", refused[_i].line);
		ck_assert_msg(strncmp(error->why, words, strlen(words)) == 0,
			      "%s, cut at %zu: \"%s\" does not begin with \"%s\"",
			      refused[_i].claim, cut, error->why, words);
		unit_error(error, SEGMAP_ERROR_FORMAT, refused[_i].words);
		segmap_layout_free(layout);
	}
}
END_TEST

START_TEST(neighbours_that_touch_are_fine)
{
	struct segmap_layout *layout;
	static const char text[] = LINE("1000", "2000") LINE("2000", "3000") LINE("3000", "4000");

	unit_no_error(segmap_layout_new(&layout));
	unit_no_error(parse_chunks(layout, text, sizeof(text) - 1, NULL, 0));
	ck_assert_uint_eq(layout->n_vmas, 3);
	segmap_layout_free(layout);
}
END_TEST

/* A name cannot hold one, so a NUL is no map; and nothing behind it may be lost in silence. */
START_TEST(nul_is_refused_wherever_it_stands)
{
	for (size_t at = 0; at < sizeof(whole) - 1; at++) {
		struct segmap_layout *layout;
		char text[sizeof(whole)];

		memcpy(text, whole, sizeof(whole));
		text[at] = '\0';
		for (size_t cut = 0; cut < 3; cut++) {
			size_t cuts[] = { at / 2, at, at + 1 };

			unit_no_error(segmap_layout_new(&layout));
			unit_error(parse_chunks(layout, text, sizeof(whole) - 1, &cuts[cut], 1),
				   SEGMAP_ERROR_FORMAT, NULL);
			segmap_layout_free(layout);
		}
	}
}
END_TEST

/* segmap/layout.h: "An error names @name and the line's number." */
START_TEST(error_for_a_nul_names_the_line)
{
	static const char text[] = LINE("1000", "2000") "2000-3000 r--p 00000000 08:01 7 /a\0b\n";
	struct segmap_layout *layout;
	struct segmap_error *error;

	unit_no_error(segmap_layout_new(&layout));
	error = parse_chunks(layout, text, sizeof(text) - 1, NULL, 0);
	ck_assert_ptr_nonnull(error);
	ck_assert_str_eq(error->what, "the maps");
	unit_error(error, SEGMAP_ERROR_FORMAT, "line 2");
	segmap_layout_free(layout);
}
END_TEST

START_TEST(long_names_are_kept_whole)
{
	/* Around the kernel's page, PATH_MAX, and the size of a block of names. */
	static const size_t lengths[] = { 4095, 4096, 6000, 16383, 16384, 16385, 40000 };
	struct segmap_layout *layout;
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(file);
	for (size_t i = 0; i < (size_t)N_ROWS(lengths); i++) {
		fprintf(file, "%zx-%zx r--p 00000000 08:01 %zu ", (i + 1) * 0x1000,
			(i + 2) * 0x1000, i + 1);
		for (size_t j = 0; j < lengths[i]; j++)
			fputc('a' + (int)i, file);
		fputc('\n', file);
	}
	ck_assert_int_eq(fclose(file), 0);
	unit_no_error(segmap_layout_new(&layout));
	unit_no_error(parse_chunks(layout, text, size, NULL, 0));
	ck_assert_uint_eq(layout->n_vmas, (size_t)N_ROWS(lengths));
	for (size_t i = 0; i < layout->n_vmas; i++) {
		ck_assert_uint_eq(strlen(layout->vmas[i].name), lengths[i]);
		ck_assert_uint_eq(strspn(layout->vmas[i].name, (char[]){ (char)('a' + i), 0 }),
				  lengths[i]);
		ck_assert_str_eq(layout->backings[i].path, layout->vmas[i].name);
	}
	segmap_layout_free(layout);
	free(text);
}
END_TEST

START_TEST(one_inode_on_two_devices_is_two_files)
{
	static const char text[] = "1000-2000 r--p 00000000 08:01 7 /a\n"
				   "2000-3000 r--p 00000000 08:02 7 /a\n"
				   "3000-4000 r--p 00000000 09:01 7 /a\n"
				   "4000-5000 r--p 00000000 08:01 8 /a\n"
				   "5000-6000 r--p 00000000 08:01 7 /other name\n";
	struct segmap_layout *layout;
	static const int expected[] = { 0, 1, 2, 3, 0 };

	unit_no_error(segmap_layout_new(&layout));
	unit_no_error(parse_chunks(layout, text, sizeof(text) - 1, NULL, 0));
	ck_assert_uint_eq(layout->n_backings, 4);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(layout->annotations[i].backing, expected[i]);
	segmap_layout_free(layout);
}
END_TEST

START_TEST(finds_the_vma_of_an_address)
{
	struct segmap_layout *layout;
	static const struct {
		uint64_t addr;
		int64_t index;
	} rows[] = {
		{ 0, -1 },
		{ 0x55d0c09fffff, -1 },
		{ 0x55d0c0a00000, 0 },
		{ 0x55d0c0a01fff, 0 },
		{ 0x55d0c0a02000, 1 },
		{ 0x55d0c0a06fff, 2 },
		{ 0x55d0c0a07000, -1 },
		{ 0x7f0000020fff, 4 },
		{ 0x7f0000021000, -1 },
		{ 0xffffffffff5fffff, -1 },
		{ 0xffffffffff600000, 8 },
		{ 0xffffffffff600fff, 8 },
		{ 0xffffffffff601000, -1 },
		{ UINT64_MAX, -1 },
	};

	unit_no_error(segmap_layout_new(&layout));
	unit_no_error(parse_chunks(layout, whole, sizeof(whole) - 1, NULL, 0));
	for (int i = 0; i < N_ROWS(rows); i++)
		ck_assert_int_eq(segmap_layout_find(layout, rows[i].addr), rows[i].index);
	segmap_layout_free(layout);
}
END_TEST

START_TEST(as_many_vmas_as_a_kernel_allows)
{
	enum { MANY = 65530 }; /* vm.max_map_count */
	struct segmap_layout *layout;
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(file);
	for (uint64_t i = 0; i < MANY; i++)
		fprintf(file,
			"%" PRIx64 "-%" PRIx64 " r--p 00000000 08:01 %" PRIu64 " /f%" PRIu64 "\n",
			(2 * i + 1) << 12, (2 * i + 2) << 12, i % 1000 + 1, i % 1000);
	ck_assert_int_eq(fclose(file), 0);
	unit_no_error(segmap_layout_new(&layout));
	unit_no_error(parse_chunks(layout, text, size, NULL, 0));
	ck_assert_uint_eq(layout->n_vmas, MANY);
	ck_assert_uint_eq(layout->n_backings, 1000);
	ck_assert_int_eq(segmap_layout_find(layout, (2 * 65529 + 1) << 12), 65529);
	segmap_layout_free(layout);
	free(text);
}
END_TEST

START_TEST(notes_are_kept_in_order)
{
	struct segmap_layout *layout;

	unit_no_error(segmap_layout_new(&layout));
	for (int i = 0; i < 100; i++)
		unit_no_error(segmap_layout_note(layout, "note %d: %s", i, "100% true"));
	ck_assert_uint_eq(layout->n_notes, 100);
	ck_assert_str_eq(layout->notes[0], "note 0: 100% true");
	ck_assert_str_eq(layout->notes[99], "note 99: 100% true");
	segmap_layout_free(layout);
}
END_TEST

START_TEST(nothing_can_be_freed)
{
	segmap_layout_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("read/maps");
	TCase *tcase = unit_case(suite, "maps"), *layout = unit_case(suite, "layout");

	tcase_add_test(tcase, groups_vmas_by_file);
	tcase_add_test(tcase, cut_at_any_place_is_the_same);
	tcase_add_loop_test(tcase, cut_in_many_places_is_the_same, 0, 8);
	tcase_add_test(tcase, last_line_needs_no_newline);
	tcase_add_test(tcase, nothing_is_a_map_without_vmas);
	tcase_add_loop_test(tcase, error_names_the_text_and_the_line, 0, N_ROWS(refused));
	tcase_add_test(tcase, neighbours_that_touch_are_fine);
	tcase_add_test(tcase, nul_is_refused_wherever_it_stands);
	tcase_add_test(tcase, error_for_a_nul_names_the_line);
	tcase_add_test(tcase, long_names_are_kept_whole);
	tcase_add_test(tcase, one_inode_on_two_devices_is_two_files);
	tcase_add_test(tcase, as_many_vmas_as_a_kernel_allows);
	tcase_add_test(layout, finds_the_vma_of_an_address);
	tcase_add_test(layout, notes_are_kept_in_order);
	tcase_add_test(layout, nothing_can_be_freed);
	return unit_run(suite);
}
