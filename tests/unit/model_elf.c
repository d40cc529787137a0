/* tests/unit/model_elf.c - labels: what each byte of an ELF object is. */
#include "builder.h"
#include "unit.h"
#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "40-78 [phdrs]+40; 1000-1100 .text+1000": range, name, offset of its first byte or "nobits". */
static char *labels_text(const struct segmap_elf *elf, const struct segmap_label *labels, size_t n)
{
	static const char *const headers[] = {
		[SEGMAP_LABEL_EHDR] = "[ehdr]",
		[SEGMAP_LABEL_PHDRS] = "[phdrs]",
		[SEGMAP_LABEL_SHDRS] = "[shdrs]",
	};
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(file);
	for (size_t i = 0; i < n; i++) {
		bool is_section = labels[i].kind == SEGMAP_LABEL_SECTION;

		fprintf(file, "%s%" PRIx64 "-%" PRIx64 " %s", i ? "; " : "", labels[i].start,
			labels[i].end,
			is_section ? elf->sections[labels[i].section].name :
				     headers[labels[i].kind]);
		if (labels[i].nobits)
			fputs(" nobits", file);
		else
			fprintf(file, "+%" PRIx64, labels[i].off);
	}
	ck_assert_int_eq(fclose(file), 0);
	return text;
}

static void check_order(const struct segmap_label *labels, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_lt(labels[i].start, labels[i].end);
		ck_assert(i == 0 || labels[i - 1].end <= labels[i].start);
	}
}

static const struct {
	const char *claim;
	struct plan plan;
	const char *by_vaddr, *by_off; /* NULL: not looked at */
} cases[] = {
	{ "headers and sections where a PT_LOAD maps them",
	  { .segments = { LOAD(R, 0, 0, 0x300, 0x300), LOAD(RX, 0x1000, 0x1000, 0x200, 0x200) },
	    .sections = { SECTION(".interp", 0x200, 0x200, 0x1c),
			  SECTION(".text", 0x1000, 0x1000, 0x180) } },
	  "0-40 [ehdr]+0; 40-b0 [phdrs]+40; 200-21c .interp+200; 1000-1180 .text+1000",
	  "0-40 [ehdr]+0; 40-b0 [phdrs]+40; 200-21c .interp+200; 1000-1180 .text+1000" },
	{ "sections out of order are sorted",
	  { .segments = { LOAD(RX, 0, 0, 0x1000, 0x1000) },
	    .sections = { SECTION(".fini", 0x800, 0x800, 0x10),
			  SECTION(".init", 0x400, 0x400, 0x10),
			  SECTION(".text", 0x600, 0x600, 0x10) } },
	  "0-40 [ehdr]+0; 40-78 [phdrs]+40; 400-410 .init+400; 600-610 .text+600; 800-810 "
	  ".fini+800",
	  NULL },
	{ "of overlapping sections the first keeps the bytes",
	  { .segments = { LOAD(RX, 0, 0, 0x1000, 0x1000) },
	    .sections = { SECTION(".a", 0x400, 0x400, 0x200), SECTION(".b", 0x500, 0x500, 0x200),
			  SECTION(".c", 0x580, 0x580, 0x20) } },
	  "0-40 [ehdr]+0; 40-78 [phdrs]+40; 400-600 .a+400; 600-700 .b+600",
	  "0-40 [ehdr]+0; 40-78 [phdrs]+40; 400-600 .a+400; 600-700 .b+600" },
	{ "of sections that begin together the first in the table keeps the bytes",
	  { .segments = { LOAD(RX, 0, 0, 0x1000, 0x1000) },
	    .sections = { SECTION(".a", 0x400, 0x400, 0x100),
			  SECTION(".b", 0x400, 0x400, 0x180) } },
	  "0-40 [ehdr]+0; 40-78 [phdrs]+40; 400-500 .a+400; 500-580 .b+500", NULL },
	{ "a section cannot take a header's bytes",
	  { .segments = { LOAD(RX, 0, 0, 0x1000, 0x1000) },
	    .sections = { SECTION(".liar", 0, 0, 0x1000) } },
	  "0-40 [ehdr]+0; 40-78 [phdrs]+40; 78-1000 .liar+78",
	  "0-40 [ehdr]+0; 40-78 [phdrs]+40; 78-1000 .liar+78" },
	{ "a section that begins before a header cannot take its bytes either",
	  { .segments = { LOAD(RX, 0, 0, 0x1000, 0x1000) },
	    .sections = { SECTION(".liar", 0x20, 0x20, 0x800) } },
	  "0-40 [ehdr]+0; 40-78 [phdrs]+40; 78-820 .liar+78",
	  "0-40 [ehdr]+0; 40-78 [phdrs]+40; 78-820 .liar+78" },
	{ "section headers in the middle keep their bytes from a section around them",
	  { .segments = { LOAD(RX, 0, 0, 0x1000, 0x1000) },
	    .sections = { SECTION(".liar", 0x100, 0x100, 0xf00) },
	    .shdrs_off = 0x400, .shdrs_size = 0x80 },
	  "0-40 [ehdr]+0; 40-78 [phdrs]+40; 100-400 .liar+100; 400-480 [shdrs]+400; "
	  "480-1000 .liar+480",
	  "0-40 [ehdr]+0; 40-78 [phdrs]+40; 100-400 .liar+100; 400-480 [shdrs]+400; "
	  "480-1000 .liar+480" },
	{ "a section outside every PT_LOAD labels no address",
	  { .segments = { LOAD(RX, 0x1000, 0x1000, 0x1000, 0x1000) },
	    .sections = { SECTION(".below", 0x800, 0x800, 0x10),
			  SECTION(".above", 0x2000, 0x2000, 0x10),
			  SECTION(".text", 0x1000, 0x1000, 0x10) } },
	  "1000-1010 .text+1000",
	  "0-40 [ehdr]+0; 40-78 [phdrs]+40; 800-810 .below+800; 1000-1010 .text+1000; "
	  "2000-2010 .above+2000" },
	{ "a section at another offset than the PT_LOAD has there labels no address",
	  { .segments = { LOAD(RX, 0x1000, 0x1000, 0x1000, 0x1000) },
	    .sections = { SECTION(".liar", 0x1000, 0x1100, 0x10),
			  SECTION(".text", 0x1200, 0x1200, 0x10) } },
	  "1200-1210 .text+1200", NULL },
	{ "a section without SHF_ALLOC labels no address",
	  { .segments = { LOAD(RX, 0, 0, 0x1000, 0x1000) },
	    .sections = { UNLOADED(".comment", 0x800, 0x20) } },
	  "0-40 [ehdr]+0; 40-78 [phdrs]+40",
	  "0-40 [ehdr]+0; 40-78 [phdrs]+40; 800-820 .comment+800" },
	{ "an empty section labels nothing",
	  { .segments = { LOAD(RX, 0, 0, 0x1000, 0x1000) },
	    .sections = { SECTION(".empty", 0x800, 0x800, 0),
			  SECTION(".text", 0x800, 0x800, 0x10) } },
	  "0-40 [ehdr]+0; 40-78 [phdrs]+40; 800-810 .text+800",
	  "0-40 [ehdr]+0; 40-78 [phdrs]+40; 800-810 .text+800" },
	{ ".tbss labels nothing, .tdata does",
	  { .segments = { LOAD(RW, 0x1000, 0x1000, 0x100, 0x100) },
	    .sections = { TDATA(".tdata", 0x1000, 0x1000, 0x10),
			  TBSS(".tbss", 0x1010, 0x1010, 0x40),
			  SECTION(".data", 0x1010, 0x1010, 0x40) } },
	  "1000-1010 .tdata+1000; 1010-1050 .data+1010",
	  "0-40 [ehdr]+0; 40-78 [phdrs]+40; 1000-1010 .tdata+1000; 1010-1050 .data+1010" },
	{ ".bss has addresses and no bytes in the file",
	  { .segments = { LOAD(RW, 0x1000, 0x1000, 0x100, 0x3000) },
	    .sections = { SECTION(".data", 0x1000, 0x1000, 0x100),
			  NOBITS(".bss", 0x1100, 0x1100, 0x2f00),
			  UNLOADED(".comment", 0x1100, 0x20) } },
	  "1000-1100 .data+1000; 1100-4000 .bss nobits",
	  "0-40 [ehdr]+0; 40-78 [phdrs]+40; 1000-1100 .data+1000; 1100-1120 .comment+1100" },
	{ "a section longer than its PT_LOAD ends with it",
	  { .segments = { LOAD(RX, 0x1000, 0x1000, 0x100, 0x100) },
	    .sections = { SECTION(".text", 0x1080, 0x1080, 0x1000) } },
	  "1080-1100 .text+1080", NULL },
	{ "a section with bytes labels no address behind p_filesz",
	  { .segments = { LOAD(RW, 0x1000, 0x1000, 0x100, 0x2000) },
	    .sections = { SECTION(".liar", 0x1200, 0x1200, 0x10) } },
	  "", NULL },
	{ "a section with bytes ends where its PT_LOAD's file bytes end",
	  { .segments = { LOAD(RW, 0x1000, 0x1000, 0x100, 0x2000) },
	    .sections = { SECTION(".data", 0x1080, 0x1080, 0x200) } },
	  "1080-1100 .data+1080", NULL },
	{ "NOBITS ends where the PT_LOAD's memory ends",
	  { .segments = { LOAD(RW, 0x1000, 0x1000, 0x100, 0x200) },
	    .sections = { NOBITS(".bss", 0x1100, 0x1100, 0x10000) } },
	  "1100-1200 .bss nobits", NULL },
	{ "sections of two PT_LOADs in one file page are told apart by address",
	  { .segments = { LOAD(R, 0, 0, 0x3c0, 0x3c0), LOAD(RX, 0x3c0, 0x13c0, 0x100, 0x100) },
	    .sections = { SECTION(".rodata", 0x300, 0x300, 0xc0),
			  SECTION(".text", 0x13c0, 0x3c0, 0x100) } },
	  "0-40 [ehdr]+0; 40-b0 [phdrs]+40; 300-3c0 .rodata+300; 13c0-14c0 .text+3c0",
	  "0-40 [ehdr]+0; 40-b0 [phdrs]+40; 300-3c0 .rodata+300; 3c0-4c0 .text+3c0" },
	{ "a section where PT_LOADs overlap belongs to the one that has its offset",
	  { .segments = { LOAD(R, 0x1000, 0x1000, 0x2000, 0x2000),
			  LOAD(RX, 0x5000, 0x2000, 0x1000, 0x1000) },
	    .sections = { SECTION(".first", 0x2100, 0x2100, 0x10),
			  SECTION(".second", 0x2200, 0x5200, 0x10) } },
	  "2100-2110 .first+2100; 2200-2210 .second+5200", NULL },
	{ "the headers are labelled in every PT_LOAD that maps them",
	  { .segments = { LOAD(R, 0, 0, 0x200, 0x200), LOAD(RX, 0, 0x10000, 0x200, 0x200) } },
	  "0-40 [ehdr]+0; 40-b0 [phdrs]+40; 10000-10040 [ehdr]+0; 10040-100b0 [phdrs]+40",
	  "0-40 [ehdr]+0; 40-b0 [phdrs]+40" },
	{ "headers that a PT_LOAD maps in part are labelled in part",
	  { .segments = { LOAD(R, 0x50, 0x1050, 0x100, 0x100) }, .n_phdrs = 10 },
	  "1050-1150 [phdrs]+50", "0-40 [ehdr]+0; 40-270 [phdrs]+40" },
	{ "headers that no PT_LOAD maps have no address",
	  { .segments = { LOAD(RX, 0x1000, 0x1000, 0x100, 0x100) }, .shdrs_off = 0x2000,
	    .shdrs_size = 0x100 },
	  "", "0-40 [ehdr]+0; 40-78 [phdrs]+40; 2000-2100 [shdrs]+2000" },
	{ "a section that begins behind the end of the file has no bytes in it",
	  { .size = 0x1000, .segments = { LOAD(R, 0, 0, 0x1000, 0x1000) },
	    .sections = { UNLOADED(".beyond", 0x1000, 0x10), UNLOADED(".last", 0xff0, 0x10) } },
	  NULL, "0-40 [ehdr]+0; 40-78 [phdrs]+40; ff0-1000 .last+ff0" },
	{ "a file without anything but its header",
	  { .size = 0x40 }, "", "0-40 [ehdr]+0" },
	{ "RELRO alone loads nothing",
	  { .segments = { RELRO(0, 0, 0x1000) }, .sections = { SECTION(".got", 0x800, 0x800, 8) } },
	  "", NULL },
};

START_TEST(labels_what_is_there)
{
	struct segmap_elf *elf = plan_build(&cases[_i].plan, PAGE);
	char *by_vaddr = labels_text(elf, elf->by_vaddr, elf->n_by_vaddr);
	char *by_off = labels_text(elf, elf->by_off, elf->n_by_off);

	check_order(elf->by_vaddr, elf->n_by_vaddr);
	check_order(elf->by_off, elf->n_by_off);
	ck_assert_msg(!cases[_i].by_vaddr || strcmp(by_vaddr, cases[_i].by_vaddr) == 0,
		      "%s: by address:\n%s\nis not\n%s", cases[_i].claim, by_vaddr,
		      cases[_i].by_vaddr);
	ck_assert_msg(!cases[_i].by_off || strcmp(by_off, cases[_i].by_off) == 0,
		      "%s: by offset:\n%s\nis not\n%s", cases[_i].claim, by_off, cases[_i].by_off);
	free(by_vaddr);
	free(by_off);
	segmap_elf_free(elf);
}
END_TEST

/* Sections and PT_LOADs that no linker makes: whatever they say, labels stay in order. */
START_TEST(labels_of_random_headers_are_sorted_and_disjoint)
{
	uint64_t state = 0x1abe1 + (uint64_t)_i;

	for (int round = 0; round < 300; round++) {
		struct segmap_elf *elf;
		struct plan plan = { .size = 0x10000 };

		for (uint64_t i = 0; i < 1 + unit_random(&state) % 6; i++) {
			uint64_t start = unit_random(&state) % 0x8000;
			uint64_t size = 1 + unit_random(&state) % 0x6000;

			plan.segments[i] = (struct segmap_segment)LOAD(
				RX, start, start + unit_random(&state) % 3 * PAGE, size,
				size + unit_random(&state) % 3 * 0x800);
		}
		for (uint64_t i = 0; i < unit_random(&state) % MAX_SECTIONS; i++)
			plan.sections[i] = (struct segmap_section){
				.name = ".x",
				.vaddr = unit_random(&state) % 0x10000,
				.off = unit_random(&state) % 0x10000,
				.size = unit_random(&state) % 0x2000,
				.alloc = unit_random(&state) % 4,
				.nobits = unit_random(&state) % 4 == 0,
			};
		for (size_t i = 0; i < MAX_SECTIONS && plan.sections[i].name; i++)
			if (unit_random(&state) & 1) /* half of them honest */
				plan.sections[i].off = plan.sections[i].vaddr;
		elf = plan_build(&plan, PAGE);
		check_order(elf->by_vaddr, elf->n_by_vaddr);
		check_order(elf->by_off, elf->n_by_off);
		for (size_t i = 0; i < elf->n_by_vaddr; i++) {
			const struct segmap_label *label = &elf->by_vaddr[i];
			bool loaded = false;

			for (size_t j = 0; j < elf->n_segments; j++)
				loaded |= label->start >= elf->segments[j].vaddr &&
					  label->end <= elf->segments[j].vaddr +
								elf->segments[j].memsz;
			ck_assert_msg(loaded, "a label outside of every PT_LOAD");
		}
		segmap_elf_free(elf);
	}
}
END_TEST

static const struct segmap_label some_labels[] = {
	{ .start = 0x10, .end = 0x20 },
	{ .start = 0x20, .end = 0x30 },
	{ .start = 0x40, .end = 0x41 },
	{ .start = 0xfffffffffffffff0, .end = UINT64_MAX },
};

static const struct {
	uint64_t at;
	int label; /* -1: none */
	uint64_t until;
} finds[] = {
	{ 0, -1, 0x10 },     { 0xf, -1, 0x10 },	  { 0x10, 0, 0x20 },
	{ 0x1f, 0, 0x20 },   { 0x20, 1, 0x30 },	  { 0x2f, 1, 0x30 },
	{ 0x30, -1, 0x40 },  { 0x3f, -1, 0x40 },  { 0x40, 2, 0x41 },
	{ 0x41, -1, 0xfffffffffffffff0 },	  { 0xfffffffffffffff0, 3, UINT64_MAX },
	{ UINT64_MAX - 1, 3, UINT64_MAX },	  { UINT64_MAX, -1, UINT64_MAX },
};

START_TEST(finds_the_label_of_a_byte)
{
	uint64_t until = 0;
	const struct segmap_label *found = segmap_label_find(some_labels, N_ROWS(some_labels),
							     finds[_i].at, &until);

	ck_assert_ptr_eq(found, finds[_i].label < 0 ? NULL : &some_labels[finds[_i].label]);
	ck_assert_uint_eq(until, finds[_i].until);
}
END_TEST

START_TEST(nothing_is_found_where_there_are_no_labels)
{
	uint64_t until = 0;

	ck_assert_ptr_null(segmap_label_find(NULL, 0, 0x1000, &until));
	ck_assert_uint_eq(until, UINT64_MAX);
}
END_TEST

START_TEST(machines_have_their_names)
{
	ck_assert_str_eq(segmap_machine_name(EM_X86_64), "X86_64");
	ck_assert_str_eq(segmap_machine_name(EM_AARCH64), "AARCH64");
	ck_assert_str_eq(segmap_machine_name(EM_386), "386");
	ck_assert_str_eq(segmap_machine_name(EM_RISCV), "RISCV");
	ck_assert_ptr_null(segmap_machine_name(0xfffe));
}
END_TEST

START_TEST(nothing_can_be_freed)
{
	segmap_elf_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("model/elf");
	TCase *labels = unit_case(suite, "labels"), *other = unit_case(suite, "other");

	tcase_add_loop_test(labels, labels_what_is_there, 0, N_ROWS(cases));
	tcase_add_loop_test(labels, labels_of_random_headers_are_sorted_and_disjoint, 0, 20);
	tcase_add_loop_test(labels, finds_the_label_of_a_byte, 0, N_ROWS(finds));
	tcase_add_test(labels, nothing_is_found_where_there_are_no_labels);
	tcase_add_test(other, machines_have_their_names);
	tcase_add_test(other, nothing_can_be_freed);
	return unit_run(suite);
}
