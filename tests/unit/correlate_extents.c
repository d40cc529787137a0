/* tests/unit/correlate_extents.c - which PT_LOAD each page of an ELF object belongs to. */
#include "correlate/extents.h"
#include "builder.h"
#include "unit.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * One letter for each page from 0 on: a digit is the PT_LOAD whose file pages
 * they are, a letter its anonymous ones (a is 0's), a dot is nobody's.
 */
static char *pages_text(const struct extents *extents)
{
	uint64_t end = extents->n ? extents->array[extents->n - 1].end / PAGE : 0;
	char *text = malloc(end + 1);

	ck_assert_ptr_nonnull(text);
	memset(text, '.', end);
	text[end] = '\0';
	for (size_t i = 0; i < extents->n; i++) {
		const struct extent *extent = &extents->array[i];

		ck_assert_uint_lt(extent->start, extent->end);
		ck_assert(i == 0 || extent[-1].end <= extent->start);
		for (uint64_t page = extent->start / PAGE; page < extent->end / PAGE; page++)
			text[page] = (char)((extent->file ? '0' : 'a') + (char)extent->segment);
	}
	return text;
}

static const struct {
	const char *claim;
	struct segmap_segment segments[MAX_SEGMENTS];
	const char *pages;
} cases[] = {
	{ "as linkers lay them out",
	  { LOAD(R, 0, 0, 0x500, 0x500), LOAD(RX, 0x1000, 0x1000, 0x1345, 0x1345),
	    LOAD(R, 0x3000, 0x3000, 0xe00, 0xe00), LOAD(RW, 0x3de8, 0x4de8, 0x248, 0x2400) },
	  "011233dd" },
	{ "a hole between PT_LOADs is nobody's",
	  { LOAD(R, 0, 0, 0x1000, 0x1000), LOAD(RW, 0x1000, 0x4000, 0x1000, 0x1000) }, "0...1" },
	{ ".bss in the last file page is no anonymous page",
	  { LOAD(RW, 0, 0, 0x800, 0x900) }, "0" },
	{ ".bss behind it is",
	  { LOAD(RW, 0, 0, 0x800, 0x2800) }, "0aa" },
	{ "no file bytes, only memory",
	  { LOAD(RX, 0, 0, 0x1000, 0x1000), LOAD(RW, 0x1000, 0x1000, 0, 0x2000) }, "0bb" },
	{ "a later PT_LOAD takes the end of an earlier one",
	  { LOAD(R, 0, 0, 0x3000, 0x3000), LOAD(RX, 0x2000, 0x2000, 0x2000, 0x2000) }, "0011" },
	{ "a later PT_LOAD takes the beginning of an earlier one",
	  { LOAD(R, 0x2000, 0x2000, 0x3000, 0x3000), LOAD(RX, 0x1000, 0x1000, 0x2000, 0x2000) },
	  ".1100" },
	{ "a later PT_LOAD takes the middle of an earlier one",
	  { LOAD(R, 0, 0, 0x5000, 0x5000), LOAD(RX, 0x1000, 0x1000, 0x2000, 0x2000) }, "01100" },
	{ "a later PT_LOAD hides an earlier one",
	  { LOAD(R, 0x1000, 0x1000, 0x1000, 0x1000), LOAD(RX, 0, 0, 0x3000, 0x3000) }, "111" },
	{ "a later PT_LOAD hides several and cuts their neighbours",
	  { LOAD(R, 0, 0, 0x2000, 0x2000), LOAD(R, 0x2000, 0x2000, 0x1000, 0x1000),
	    LOAD(R, 0x4000, 0x4000, 0x1000, 0x1000), LOAD(R, 0x5000, 0x5000, 0x2000, 0x2000),
	    LOAD(RX, 0x1000, 0x1000, 0x5000, 0x5000) },
	  "0444443" },
	{ "the same page twice is the later one's",
	  { LOAD(R, 0, 0, 0x1000, 0x1000), LOAD(RW, 0x1000, 0, 0x1000, 0x1000) }, "1" },
	{ ".bss of an earlier PT_LOAD is cut too",
	  { LOAD(RW, 0, 0, 0x1000, 0x5000), LOAD(R, 0x1000, 0x2000, 0x1000, 0x1000) }, "0a1aa" },
	{ ".bss of a later PT_LOAD covers an earlier one's file pages",
	  { LOAD(R, 0x1000, 0x1000, 0x3000, 0x3000), LOAD(RW, 0, 0, 0x800, 0x2800) }, "1bb0" },
	{ "memory of a later PT_LOAD replaces the first page of an earlier one",
	  { LOAD(RW, 0, 0, 0x1800, 0x1800), LOAD(RW, 0x1800, 0x1800, 0, 0x1800) }, "0bb" },
	{ "PT_LOADs out of order are sorted",
	  { LOAD(RW, 0x3000, 0x3000, 0x1000, 0x1000), LOAD(R, 0, 0, 0x1000, 0x1000),
	    LOAD(RX, 0x1000, 0x1000, 0x1000, 0x1000) },
	  "12.0" },
	{ "a segment that no loader can map is left out",
	  { LOAD(R, 0, 0, 0x1000, 0x1000), LOAD(RX, 0x1001, 0x1000, 0x1000, 0x1000),
	    LOAD(RW, 0x2000, 0x2000, 0x1000, 0x1000) },
	  "0.2" },
	{ "RELRO has no pages of its own",
	  { LOAD(RW, 0, 0, 0x1000, 0x1000), RELRO(0, 0, 0x3000) }, "0" },
	{ "RELRO alone is nothing", { RELRO(0, 0, 0x3000) }, "" },
	{ "no segments", { { .type = SEGMAP_SEGMENT_LOAD } }, "" },
};

START_TEST(later_loads_lie_over_earlier_ones)
{
	struct plan plan = { 0 };
	struct extents extents;
	struct segmap_elf *elf;
	char *pages;

	memcpy(plan.segments, cases[_i].segments, sizeof(plan.segments));
	elf = plan_build(&plan, PAGE);
	ck_assert(extents_make(elf, &extents));
	pages = pages_text(&extents);
	ck_assert_msg(strcmp(pages, cases[_i].pages) == 0, "%s: %s is not %s", cases[_i].claim,
		      pages, cases[_i].pages);
	free(pages);
	extents_free(&extents);
	segmap_elf_free(elf);
}
END_TEST

/* A model that cannot be wrong: an array of pages, written as MAP_FIXED would. */
START_TEST(agrees_with_an_array_of_pages)
{
	enum { PAGES = 40 };
	uint64_t state = 0xe47 + (uint64_t)_i;

	for (int round = 0; round < 500; round++) {
		char model[PAGES + 1], *pages;
		struct plan plan = { 0 };
		struct extents extents;
		struct segmap_elf *elf;
		size_t n = 1 + unit_random(&state) % MAX_SEGMENTS, last = 0;

		memset(model, '.', sizeof(model));
		for (size_t i = 0; i < n; i++) {
			uint64_t vaddr = unit_random(&state) % (20 * PAGE);
			uint64_t filesz = unit_random(&state) % 3 ?
						  unit_random(&state) % (8 * PAGE) : 0;
			uint64_t more = unit_random(&state) % 3 * (PAGE / 2 + 1);
			uint64_t memsz = filesz + more + !filesz;
			uint64_t first = vaddr / PAGE;
			uint64_t file_end = (vaddr + filesz + PAGE - 1) / PAGE;
			uint64_t end = (vaddr + memsz + PAGE - 1) / PAGE;

			plan.segments[i] = (struct segmap_segment)LOAD(RW, vaddr, vaddr, filesz,
								       memsz);
			if (!filesz)
				file_end = first;
			for (uint64_t page = first; page < end; page++)
				model[page] = (char)((page < file_end ? '0' : 'a') + (char)i);
		}
		for (size_t i = 0; i < PAGES; i++)
			if (model[i] != '.')
				last = i + 1;
		model[last] = '\0';
		elf = plan_build(&plan, PAGE);
		ck_assert(extents_make(elf, &extents));
		pages = pages_text(&extents);
		ck_assert_msg(strcmp(pages, model) == 0, "%s is not %s", pages, model);
		/* And each page is found. */
		for (uint64_t i = 0; i < last; i++) {
			uint64_t until = 0;
			const struct extent *extent = extents_find(&extents, i * PAGE + 17, &until);

			ck_assert_int_eq(extent != NULL, model[i] != '.');
			ck_assert_uint_gt(until, i * PAGE + 17);
			if (extent)
				ck_assert(model[i] == (char)((extent->file ? '0' : 'a') +
							     (char)extent->segment));
		}
		free(pages);
		extents_free(&extents);
		segmap_elf_free(elf);
	}
}
END_TEST

START_TEST(finds_the_extent_of_an_address)
{
	static const struct plan plan = {
		.segments = { LOAD(R, 0, 0x1000, 0x1000, 0x1000), LOAD(RW, 0x1000, 0x4000, 0x800,
								      0x1800) },
	};
	static const struct {
		uint64_t vaddr;
		int segment; /* -1: none */
		uint64_t until;
	} rows[] = {
		{ 0, -1, 0x1000 },	     { 0xfff, -1, 0x1000 },	{ 0x1000, 0, 0x2000 },
		{ 0x1fff, 0, 0x2000 },	     { 0x2000, -1, 0x4000 },	{ 0x4000, 1, 0x5000 },
		{ 0x5000, 1, 0x6000 },	     { 0x5fff, 1, 0x6000 },	{ 0x6000, -1, UINT64_MAX },
		{ UINT64_MAX, -1, UINT64_MAX },
	};
	struct segmap_elf *elf = plan_build(&plan, PAGE);
	struct extents extents;

	ck_assert(extents_make(elf, &extents));
	for (int i = 0; i < N_ROWS(rows); i++) {
		uint64_t until = 0;
		const struct extent *extent = extents_find(&extents, rows[i].vaddr, &until);

		ck_assert_int_eq(extent ? (int)extent->segment : -1, rows[i].segment);
		ck_assert_uint_eq(until, rows[i].until);
	}
	extents_free(&extents);
	segmap_elf_free(elf);
}
END_TEST

static const struct {
	const char *claim;
	struct segmap_segment segments[MAX_SEGMENTS];
	const char *pages; /* R where RELRO makes pages read-only */
} relros[] = {
	{ "the head of the writable PT_LOAD",
	  { LOAD(R, 0, 0, 0x1000, 0x1000), LOAD(RW, 0x1de8, 0x2de8, 0x1218, 0x1400),
	    RELRO(0x1de8, 0x2de8, 0x218) },
	  "..R.." },
	{ "its end is rounded down",
	  { LOAD(RW, 0, 0, 0x3000, 0x3000), RELRO(0, 0, 0x1fff) }, "R...." },
	{ "less than a page is nothing", { LOAD(RW, 0, 0, 0x3000, 0x3000), RELRO(0, 0, 0xfff) },
	  "....." },
	{ "no PT_GNU_RELRO", { LOAD(RW, 0, 0, 0x3000, 0x3000) }, "....." },
	{ "of two the last counts",
	  { LOAD(RW, 0, 0, 0x4000, 0x4000), RELRO(0, 0, 0x2000), RELRO(0x2000, 0x2000, 0x1000) },
	  "..R.." },
};

START_TEST(relro_is_where_the_dynamic_linker_puts_it)
{
	struct plan plan = { 0 };
	struct extents extents;
	struct segmap_elf *elf;
	char pages[] = ".....";

	memcpy(plan.segments, relros[_i].segments, sizeof(plan.segments));
	elf = plan_build(&plan, PAGE);
	ck_assert(extents_make(elf, &extents));
	for (uint64_t page = 0; page < 5; page++) {
		uint64_t until = 0, next = 0;
		bool in = extents_in_relro(&extents, page * PAGE + 8, &until);

		pages[page] = in ? 'R' : '.';
		/* *until is where the answer changes, and not before. */
		ck_assert_uint_gt(until, page * PAGE + 8);
		ck_assert_int_eq(extents_in_relro(&extents, until - 1, &next), in);
		if (until != UINT64_MAX)
			ck_assert_int_eq(extents_in_relro(&extents, until, &next), !in);
	}
	ck_assert_msg(strcmp(pages, relros[_i].pages) == 0, "%s: %s is not %s", relros[_i].claim,
		      pages, relros[_i].pages);
	extents_free(&extents);
	segmap_elf_free(elf);
}
END_TEST

START_TEST(first_load_is_the_first_that_can_be_mapped)
{
	static const struct plan plan = {
		.segments = { RELRO(0, 0, 0x1000), LOAD(R, 0x1001, 0x1000, 0x10, 0x10),
			      LOAD(RX, 0x2000, 0x2000, 0x10, 0x10), LOAD(RW, 0, 0, 0x10, 0x10) },
	};
	struct segmap_elf *elf = plan_build(&plan, PAGE);
	struct extents extents;

	ck_assert(extents_make(elf, &extents));
	ck_assert_uint_eq(extents.first_load, 2);
	ck_assert_uint_eq(extents.lowest_load, 3);
	ck_assert_uint_eq(extents.span_end, 0x3000);
	ck_assert_int_eq(extents.relro, 0);
	extents_free(&extents);
	segmap_elf_free(elf);
}
END_TEST

START_TEST(span_is_longer_by_the_lowest_loads_offset)
{
	static const struct {
		uint64_t off, vaddr, span_end;
	} lowest[] = {
		{ 0, 0, 0x5000 },
		{ 0x3000, 0, 0x8000 },
		{ 0x3456, 0x456, 0x8000 },
		{ 0xfffffffffffff000, 0, 0x5000 }, /* it would wrap around */
	};
	struct plan plan = {
		.segments = { LOAD(RW, 0x9000, 0x4000, 0x10, 0x10),
			      LOAD(R, lowest[_i].off, lowest[_i].vaddr, 0x10, 0x10) },
	};
	struct segmap_elf *elf = plan_build(&plan, PAGE);
	struct extents extents;

	ck_assert(extents_make(elf, &extents));
	ck_assert_uint_eq(extents.span_end, lowest[_i].span_end);
	extents_free(&extents);
	segmap_elf_free(elf);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("correlate/extents");
	TCase *tcase = unit_case(suite, "extents");

	tcase_add_loop_test(tcase, later_loads_lie_over_earlier_ones, 0, N_ROWS(cases));
	tcase_add_loop_test(tcase, agrees_with_an_array_of_pages, 0, 10);
	tcase_add_test(tcase, finds_the_extent_of_an_address);
	tcase_add_loop_test(tcase, relro_is_where_the_dynamic_linker_puts_it, 0, N_ROWS(relros));
	tcase_add_test(tcase, first_load_is_the_first_that_can_be_mapped);
	tcase_add_loop_test(tcase, span_is_longer_by_the_lowest_loads_offset, 0, 4);
	return unit_run(suite);
}
