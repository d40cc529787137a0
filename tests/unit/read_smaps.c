/* tests/unit/read_smaps.c - the fields under each line of smaps, however the text is cut. */
#include "unit.h"
#include <inttypes.h>
#include <segmap/layout.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


/* As the kernel prints it; the fourth has a figure too long for its column, and one field more. */
static const char whole[] =
	"1000-2000 r--p 00000000 fe:00 7                          /usr/bin/cat\n"
	"Size:                  4 kB\n"
	"Rss:                   4 kB\n"
	"Pss:                   1 kB\n"
	"Private_Dirty:         0 kB\n"
	"THPeligible:           0\n"
	"VmFlags: rd mr mw me \n"
	"2000-3000 rw-p 00001000 fe:00 7                          /usr/bin/cat\n"
	"Size:                  4 kB\n"
	"Rss:                   8 kB\n"
	"Pss:                   8 kB\n"
	"Private_Dirty:        12 kB\n"
	"THPeligible:           1\n"
	"VmFlags: rd wr mr mw me ac \n"
	"3000-4000 rw-p 00000000 00:00 0 \n"
	"Size:                  4 kB\n"
	"Rss:            12345678 kB\n"
	"Pss:                   0 kB\n"
	"Private_Dirty:         7 kB\n"
	"THPeligible:           1\n"
	"VmFlags: rd wr zz mr \n"
	"4000-5000 rw-p 00000000 00:00 0 \n"
	"Size:                  4 kB\n"
	"Rss:            123456789012 kB\n"
	"Pss:                   0 kB\n"
	"Private_Dirty:         7 kB\n"
	"New:                   3\n"
	"THPeligible:           1\n"
	"VmFlags: \n"
	"5000-6000 rw-p 00000000 00:00 0 \n"
	"Size:                  4 kB\n"
	"Rss:                   0 kB\n"
	"Pss:                   0 kB\n"
	"Private_Dirty:         0 kB\n"
	"New:                   5\n"
	"THPeligible:           0\n"
	"6000-7000 ---p 00000000 00:00 0 \n";

static const char expected[] =
	"1000 Size=4096 Rss=4096 Pss=1024 Private_Dirty=0 THPeligible=0 rd mr mw me\n"
	"2000 Size=4096 Rss=8192 Pss=8192 Private_Dirty=12288 THPeligible=1 rd wr mr mw me ac\n"
	"3000 Size=4096 Rss=12641974272 Pss=0 Private_Dirty=7168 THPeligible=1 rd wr mr zz\n"
	"4000 Size=4096 Rss=126419751948288 Pss=0 Private_Dirty=7168 THPeligible=1 New=3\n"
	"5000 Size=4096 Rss=0 Pss=0 Private_Dirty=0 THPeligible=0 New=5\n"
	"6000\n";

/* Parse @text in pieces of @step bytes. */
static struct segmap_error *parse(struct segmap_layout *layout, const char *text, size_t step)
{
	size_t size = strlen(text), waiting = 0, taken = 0;
	char *buffer = malloc(size + 1);
	struct segmap_error *error = NULL;

	ck_assert_ptr_nonnull(buffer);
	for (size_t at = 0; at <= size && !error; at += step) {
		size_t fresh = step < size - at ? step : size - at;

		memcpy(buffer + waiting, text + at, fresh);
		waiting += fresh;
		error = segmap_layout_parse_maps(layout, "the smaps", buffer, waiting,
						 at + step > size, &taken);
		waiting -= taken;
		memmove(buffer, buffer + taken, waiting);
	}
	free(buffer);
	return error;
}

static char *text_of(const struct segmap_layout *layout)
{
	const struct segmap_memory *memory = layout->memory;
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(file);
	for (size_t i = 0; i < layout->n_vmas; i++) {
		fprintf(file, "%" PRIx64, layout->vmas[i].start);
		for (size_t j = 0; j < memory->n_figures; j++) {
			uint64_t figure = segmap_memory_figure(memory, i, (int32_t)j);

			if (figure != SEGMAP_NO_FIGURE)
				fprintf(file, " %s=%" PRIu64, memory->figures[j].name, figure);
		}
		for (size_t j = 0; j < memory->n_flag_words; j++)
			if (memory->vm_flags[i] >> j & 1)
				fprintf(file, " %s", memory->flag_words[j]);
		fputc('\n', file);
	}
	fclose(file);
	return text;
}

START_TEST(figures_are_the_same_wherever_the_text_is_cut)
{
	struct segmap_layout *layout;
	char *text;

	unit_no_error(segmap_layout_new(&layout));
	layout->page_size = 4096;
	unit_no_error(parse(layout, whole, (size_t)_i + 1));
	text = text_of(layout);
	ck_assert_str_eq(text, expected);
	ck_assert_uint_eq(layout->n_notes, 0);
	ck_assert_int_eq(segmap_memory_find(layout->memory, "Nothing"), -1);
	ck_assert(segmap_memory_known(layout->memory, 1, SEGMAP_FIGURE_PRIVATE_DIRTY) == 12288);
	ck_assert(segmap_memory_known(layout->memory, 1, SEGMAP_FIGURE_SWAP) == SEGMAP_NO_FIGURE);
	free(text);
	segmap_layout_free(layout);
}
END_TEST

static const char row[] = "1000-2000 r--p 00000000 00:00 0 \n";

/* Lines that are no fields with a number. */
static const struct {
	const char *line;
	bool refused; /* else left out, with a note */
} bad[] = {
	{ "Rss: four kB", false },
	{ "Rss: ", false },
	{ "Rss: 4 MB", false },
	{ "Rss: -4 kB", false },
	{ "Rss: 18446744073709551616 kB", false },
	{ "Rss: 18446744073709551615 kB", false }, /* as bytes */
	{ "Rss: 18446744073709551615", false },	   /* it stands for "none" */
	{ "VmFlags: r", false },
	{ "VmFlags: rd wrx", false },
	{ "VmFlags: rd \033[", false },
	{ "Rss", true },
	{ "Rss 4 kB", true },
	{ "A000-B000 r--p 00000000 00:00 0", true },
	{ "rss: 4 kB", true },
};

START_TEST(line_without_a_number_is_left_out_or_refused)
{
	struct segmap_layout *layout;
	struct segmap_error *error;
	char text[256];

	snprintf(text, sizeof(text), "%s%s\nPss: 4 kB\n", row, bad[_i].line);
	unit_no_error(segmap_layout_new(&layout));
	layout->page_size = 4096;
	error = parse(layout, text, sizeof(text));
	if (bad[_i].refused) {
		unit_error(error, SEGMAP_ERROR_FORMAT, "line 2: ");
	} else {
		unit_no_error(error);
		ck_assert_uint_eq(layout->n_notes, 1);
		ck_assert(segmap_memory_known(layout->memory, 0, SEGMAP_FIGURE_PSS) == 4096);
		ck_assert(segmap_memory_known(layout->memory, 0, SEGMAP_FIGURE_RSS) ==
			  SEGMAP_NO_FIGURE);
	}
	segmap_layout_free(layout);
}
END_TEST

START_TEST(field_before_any_range_is_refused)
{
	struct segmap_layout *layout;

	unit_no_error(segmap_layout_new(&layout));
	layout->page_size = 4096;
	unit_error(parse(layout, "Rss: 4 kB\n1000-2000 r--p 00000000 00:00 0 \n", 1000),
		   SEGMAP_ERROR_FORMAT, "line 1: no address range");
	segmap_layout_free(layout);
}
END_TEST

/* More fields and flags than there is room for: what is too much is left out. */
START_TEST(fields_and_flags_are_bounded)
{
	struct segmap_layout *layout;
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(file);
	for (int vma = 1; vma <= 4; vma++) {
		fprintf(file, "%d000-%d000 r--p 00000000 00:00 0 \n", vma, vma + 1);
		for (int i = 0; i < 50 * vma; i++)
			fprintf(file, "F%-3d:             %8d kB\n", i, i + vma);
		fputs("VmFlags: rd", file);
		for (int i = 0; vma == 4 && i < 100; i++)
			fprintf(file, " %c%c", 'A' + i / 10, '0' + i % 10);
		fputs("\n", file);
	}
	fclose(file);
	for (char *at = text; (at = strstr(at, " :  ")); at++) /* "F7  :" has a blank in its name */
		memcpy(at, ":   ", 4);
	for (char *at = text; (at = strstr(at, " : ")); at++)
		memcpy(at, ":  ", 3);
	unit_no_error(segmap_layout_new(&layout));
	layout->page_size = 4096;
	unit_no_error(parse(layout, text, 4096));
	ck_assert_uint_eq(layout->memory->n_figures, SEGMAP_MAX_FIGURES);
	ck_assert_uint_eq(layout->memory->n_flag_words, SEGMAP_MAX_VM_FLAGS);
	ck_assert_uint_eq(layout->n_notes, 1);
	for (uint64_t vma = 1; vma <= 4; vma++)
		for (int32_t i = 0; i < SEGMAP_MAX_FIGURES; i++) {
			uint64_t figure = segmap_memory_figure(layout->memory, vma - 1, i);

			ck_assert(figure == ((uint64_t)i < 50 * vma ? ((uint64_t)i + vma) * 1024 :
								      SEGMAP_NO_FIGURE));
		}
	segmap_layout_free(layout);
	free(text);
}
END_TEST

START_TEST(maps_without_fields_have_no_memory)
{
	struct segmap_layout *layout;

	unit_no_error(segmap_layout_new(&layout));
	layout->page_size = 4096;
	unit_no_error(parse(layout, row, 1000));
	ck_assert_ptr_null(layout->memory);
	segmap_layout_free(layout);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("read/smaps");
	TCase *tcase = unit_case(suite, "smaps");

	tcase_add_loop_test(tcase, figures_are_the_same_wherever_the_text_is_cut, 0,
			    (int)sizeof(whole));
	tcase_add_loop_test(tcase, line_without_a_number_is_left_out_or_refused, 0, N_ROWS(bad));
	tcase_add_test(tcase, field_before_any_range_is_refused);
	tcase_add_test(tcase, fields_and_flags_are_bounded);
	tcase_add_test(tcase, maps_without_fields_have_no_memory);
	return unit_run(suite);
}
