/* tests/unit/model_segment.c - a PT_LOAD or PT_GNU_RELRO, rounded to pages. */
#include "unit.h"
#include <segmap/segment.h>

#define LOAD SEGMAP_SEGMENT_LOAD
#define RELRO SEGMAP_SEGMENT_RELRO

/*
 * The picture in segmap/segment.h, with numbers. Sources: glibc
 * elf/dl-load.c:_dl_map_object_from_fd (struct loadcmd), elf/dl-reloc.c:
 * _dl_protect_relro, Linux fs/binfmt_elf.c:elf_load.
 */
static const struct {
	const char *claim;
	enum segmap_segment_type type;
	uint64_t page_size;
	uint64_t off, vaddr, filesz, memsz;
	uint64_t map_start, map_off, file_end, mem_end;
} cases[] = {
	{ "aligned segment of whole pages is itself", LOAD, 4096, 0x1000, 0x1000, 0x2000, 0x2000,
	  0x1000, 0x1000, 0x3000, 0x3000 },
	{ "end is rounded up", LOAD, 4096, 0, 0, 0x520, 0x520, 0, 0, 0x1000, 0x1000 },
	{ "start is rounded down, with its offset", LOAD, 4096, 0x2de8, 0x3de8, 0x248, 0x248,
	  0x3000, 0x2000, 0x5000, 0x5000 },
	{ ".bss in the last file page adds none", LOAD, 4096, 0x2de8, 0x3de8, 0x248, 0x260, 0x3000,
	  0x2000, 0x5000, 0x5000 },
	{ ".bss beyond the last file page is anonymous", LOAD, 4096, 0x2de8, 0x3de8, 0x218, 0x2218,
	  0x3000, 0x2000, 0x4000, 0x6000 },
	{ ".bss that begins on a page boundary", LOAD, 4096, 0x1000, 0x1000, 0x1000, 0x1001,
	  0x1000, 0x1000, 0x2000, 0x3000 },
	{ "one byte is a page", LOAD, 4096, 0xfff, 0x1fff, 1, 1, 0x1000, 0, 0x2000, 0x2000 },
	{ "no file bytes: all pages are anonymous", LOAD, 4096, 0x4000, 0x4000, 0, 0x1800, 0x4000,
	  0x4000, 0x4000, 0x6000 },
	{ "no file bytes, unaligned: from the page of its start on", LOAD, 4096, 0x4010, 0x4010, 0,
	  0x10, 0x4000, 0x4000, 0x4000, 0x5000 },
	{ "empty segment has no page when aligned", LOAD, 4096, 0, 0x2000, 0, 0, 0x2000, 0, 0x2000,
	  0x2000 },
	{ "offset and address differ by whole pages", LOAD, 4096, 0x4c0, 0x24c0, 0x1a0, 0xb40,
	  0x2000, 0, 0x3000, 0x3000 },
	{ "offset behind the address", LOAD, 4096, 0x5000, 0x1000, 0x10, 0x10, 0x1000, 0x5000,
	  0x2000, 0x2000 },
	{ "pages of 64 KiB", LOAD, 65536, 0x1fd00, 0x2fd00, 0x400, 0x20000, 0x20000, 0x10000,
	  0x40000, 0x50000 },
	{ "pages of 16 KiB", LOAD, 16384, 0x7de8, 0xbde8, 0x218, 0x218, 0x8000, 0x4000, 0xc000,
	  0xc000 },
	{ "ET_EXEC of 32 bits", LOAD, 4096, 0, 0x8048000, 0x1234, 0x1234, 0x8048000, 0, 0x804a000,
	  0x804a000 },
	{ "a kernel-like address", LOAD, 4096, 0x1000, 0xffffffff81000000, 0x1800, 0x1800,
	  0xffffffff81000000, 0x1000, 0xffffffff81002000, 0xffffffff81002000 },
	{ "relro end is rounded down", RELRO, 4096, 0x2de8, 0x3de8, 0x300, 0x300, 0x3000, 0x2000,
	  0x4000, 0x4000 },
	{ "relro that ends on a page boundary keeps it", RELRO, 4096, 0x2de8, 0x3de8, 0x218, 0x218,
	  0x3000, 0x2000, 0x4000, 0x4000 },
	{ "relro within one page covers nothing", RELRO, 4096, 0x2100, 0x3100, 0x200, 0x200,
	  0x3000, 0x2000, 0x3000, 0x3000 },
	{ "relro counts p_memsz, not p_filesz", RELRO, 4096, 0x4c0, 0x24c0, 0x1a0, 0xb40, 0x2000,
	  0, 0x3000, 0x3000 },
	{ "relro of many pages", RELRO, 4096, 0x10010, 0x20010, 0x8000, 0x8000, 0x20000, 0x10000,
	  0x28000, 0x28000 },
	{ "relro on pages of 64 KiB", RELRO, 65536, 0xfd00, 0x1fd00, 0x300, 0x300, 0x10000, 0,
	  0x20000, 0x20000 },
};

START_TEST(rounds_once)
{
	struct segmap_segment segment = {
		.type = cases[_i].type,
		.off = cases[_i].off,
		.vaddr = cases[_i].vaddr,
		.filesz = cases[_i].filesz,
		.memsz = cases[_i].memsz,
	};

	segmap_segment_expand(&segment, cases[_i].page_size);
	ck_assert_msg(segment.mappable, "%s", cases[_i].claim);
	ck_assert_msg(segment.map_start == cases[_i].map_start &&
			      segment.map_off == cases[_i].map_off &&
			      segment.mem_end == cases[_i].mem_end,
		      "%s: pages [%jx, %jx) at %jx, not [%jx, %jx) at %jx", cases[_i].claim,
		      (uintmax_t)segment.map_start, (uintmax_t)segment.mem_end,
		      (uintmax_t)segment.map_off, (uintmax_t)cases[_i].map_start,
		      (uintmax_t)cases[_i].mem_end, (uintmax_t)cases[_i].map_off);
	ck_assert_msg(cases[_i].type == RELRO || segment.file_end == cases[_i].file_end,
		      "%s: file pages up to %jx, not %jx", cases[_i].claim,
		      (uintmax_t)segment.file_end, (uintmax_t)cases[_i].file_end);
	/* What the file says stays as it is. */
	ck_assert_uint_eq(segment.off, cases[_i].off);
	ck_assert_uint_eq(segment.vaddr, cases[_i].vaddr);
	ck_assert_uint_eq(segment.filesz, cases[_i].filesz);
	ck_assert_uint_eq(segment.memsz, cases[_i].memsz);
}
END_TEST

static const struct {
	const char *claim;
	uint64_t page_size, off, vaddr, filesz, memsz;
	bool mappable;
} mappings[] = {
	{ "offset and address agree", 4096, 0x2de8, 0x3de8, 8, 8, true },
	{ "they differ by one byte", 4096, 0x2de8, 0x3de9, 8, 8, false },
	{ "they differ by half a page", 4096, 0x2800, 0x3000, 8, 8, false },
	{ "linked for pages of 4 KiB, and the machine has them", 4096, 0x1000, 0x401000, 8, 8,
	  true },
	{ "linked for pages of 4 KiB, and the machine's have 64", 65536, 0x2000, 0x401000, 8, 8,
	  false },
	{ "its last page is the address space's last but one", 4096, 0, 0xffffffffffffe000, 0x1000,
	  0x1000, true },
	{ "its end rounds up to 2^64", 4096, 0x800, 0xfffffffffffff800, 0x10, 0x10, false },
	{ "its memory rounds up to 2^64, its file bytes do not", 4096, 0, 0xffffffffffffe000, 0x10,
	  0x1fff, false },
};

START_TEST(segment_that_no_loader_can_map_is_known)
{
	struct segmap_segment segment = {
		.type = LOAD,
		.off = mappings[_i].off,
		.vaddr = mappings[_i].vaddr,
		.filesz = mappings[_i].filesz,
		.memsz = mappings[_i].memsz,
	};

	segmap_segment_expand(&segment, mappings[_i].page_size);
	ck_assert_msg(segment.mappable == mappings[_i].mappable, "%s", mappings[_i].claim);
}
END_TEST

/* The picture holds for everything that a file can say and a loader can map. */
START_TEST(pages_of_a_mappable_segment_are_in_order)
{
	uint64_t state = 0xabcdef + (uint64_t)_i;

	for (int i = 0; i < 20000; i++) {
		uint64_t page_size = 4096ull << (unit_random(&state) % 3 * 2);
		uint64_t random = unit_random(&state);
		struct segmap_segment segment = {
			.type = LOAD,
			.vaddr = unit_random(&state) >> (unit_random(&state) & 63),
			.filesz = unit_random(&state) >> (unit_random(&state) & 63),
			.memsz = unit_random(&state) >> (unit_random(&state) & 63),
		};

		if (random & 1)
			segment.vaddr = ~segment.vaddr; /* near the end of the address space */
		segment.off = (segment.vaddr & (page_size - 1)) + (random >> 20 & 0xff) * page_size;
		/* What src/read/elf.c lets pass. */
		if (segment.vaddr + segment.memsz < segment.vaddr ||
		    segment.vaddr + segment.filesz < segment.vaddr)
			continue;
		segmap_segment_expand(&segment, page_size);
		if (!segment.mappable)
			continue;
		ck_assert_msg(segment.map_start <= segment.file_end &&
				      segment.file_end <= segment.mem_end &&
				      segment.map_start <= segment.vaddr &&
				      segment.vaddr + segment.memsz <= segment.mem_end &&
				      (!segment.filesz ||
				       segment.vaddr + segment.filesz <= segment.file_end),
			      "vaddr %jx filesz %jx memsz %jx page %jx: pages %jx, %jx, %jx",
			      (uintmax_t)segment.vaddr, (uintmax_t)segment.filesz,
			      (uintmax_t)segment.memsz, (uintmax_t)page_size,
			      (uintmax_t)segment.map_start, (uintmax_t)segment.file_end,
			      (uintmax_t)segment.mem_end);
		ck_assert_uint_eq((segment.map_start | segment.map_off | segment.file_end |
				   segment.mem_end) & (page_size - 1), 0);
	}
}
END_TEST

START_TEST(addresses_are_converted_back_and_forth)
{
	static const struct {
		uint64_t vaddr, bias, addr;
	} rows[] = {
		{ 0x1139, 0x555555554000, 0x555555555139 },
		{ 0x401000, 0, 0x401000 },
		/* A library linked high and loaded low: the bias is negative. */
		{ 0x7f0000001000, (uint64_t)0 - 0x7e0000000000, 0x10000001000 },
		{ 0, UINT64_MAX, UINT64_MAX },
	};
	struct segmap_segment segment = { .off = 0x2de8, .vaddr = 0x3de8 };

	for (int i = 0; i < N_ROWS(rows); i++) {
		ck_assert_uint_eq(segmap_addr(rows[i].vaddr, rows[i].bias), rows[i].addr);
		ck_assert_uint_eq(segmap_vaddr(rows[i].addr, rows[i].bias), rows[i].vaddr);
	}
	ck_assert_uint_eq(segmap_off(&segment, 0x3de8), 0x2de8);
	ck_assert_uint_eq(segmap_off(&segment, 0x4000), 0x3000);
	ck_assert_uint_eq(segmap_off(&segment, 0x3000), 0x2000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("model/segment");
	TCase *tcase = unit_case(suite, "segment");

	tcase_add_loop_test(tcase, rounds_once, 0, N_ROWS(cases));
	tcase_add_loop_test(tcase, segment_that_no_loader_can_map_is_known, 0, N_ROWS(mappings));
	tcase_add_loop_test(tcase, pages_of_a_mappable_segment_are_in_order, 0, 10);
	tcase_add_test(tcase, addresses_are_converted_back_and_forth);
	return unit_run(suite);
}
