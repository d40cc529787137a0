/* tests/predict/test_loaders.c - what loaders make of program headers, by tables. */
#include "predict/exec.h"
#include "predict/ldso.h"
#include "predict/musl.h"
#include <check.h>
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { R = PROT_READ, W = PROT_WRITE, X = PROT_EXEC, PAGE = 0x1000, MAX = 6 };

enum loader { EXEC, PIE, GLIBC, MUSL, EXEC_32_NO_STACK, GLIBC_TEXTREL, MUSL_TEXTREL };

struct row {
	uint64_t off, vaddr, filesz, memsz;
	int prot; /* RELRO: it is the PT_GNU_RELRO */
	uint64_t align;
};

#define RELRO (-1)

/* Program headers in, map out: "start-end perms off", in hex, minus the bias; '+' marks the file. */
static const struct {
	const char *claim;
	enum loader loader;
	struct row rows[MAX];
	uint64_t size; /* of the file */
	const char *map;
	enum fate_reason reason;
} cases[] = {
	{ "gnu_ld_makes_five_vmas_of_four_loads", GLIBC,
	  { { 0, 0, 0x500, 0x500, R }, { 0x1000, 0x1000, 0x200, 0x200, R | X },
	    { 0x2000, 0x2000, 0x100, 0x100, R }, { 0x2dd0, 0x3dd0, 0x254, 0x300, R | W },
	    { 0x2dd0, 0x3dd0, 0x230, 0x230, RELRO } }, 0x4000,
	  "0-1000 r-- +0, 1000-2000 r-x +1000, 2000-3000 r-- +2000, 3000-4000 r-- +2000, "
	  "4000-5000 rw- +3000", 0 },
	{ "relro_does_not_merge_with_the_rodata_before_it", GLIBC,
	  { { 0, 0, 0x2000, 0x2000, R }, { 0x2000, 0x2000, 0x2000, 0x2000, R | W },
	    { 0x2000, 0x2000, 0x1000, 0x1000, RELRO } }, 0x4000,
	  "0-2000 r-- +0, 2000-3000 r-- +2000, 3000-4000 rw- +3000", 0 },
	{ "the_kernel_leaves_holes_unmapped", PIE,
	  { { 0, 0, 0x500, 0x500, R }, { 0x1000, 0x3000, 0x200, 0x200, R | X } }, 0x2000,
	  "0-1000 r-- +0, 3000-4000 r-x +1000", 0 },
	{ "glibc_holds_holes_without_access", GLIBC,
	  { { 0, 0, 0x500, 0x500, R }, { 0x1000, 0x3000, 0x200, 0x200, R | X } }, 0x2000,
	  "0-1000 r-- +0, 1000-3000 --- +1000, 3000-4000 r-x +1000", 0 },
	{ "musl_leaves_the_first_mapping_in_holes", MUSL,
	  { { 0, 0, 0x500, 0x500, R }, { 0x1000, 0x3000, 0x200, 0x200, R | X } }, 0x2000,
	  "0-3000 r-- +0, 3000-4000 r-x +1000", 0 },
	{ "musl_maps_too_much_by_the_first_offset", MUSL,
	  { { 0x1000, 0, 0x500, 0x500, R } }, 0x2000, "0-2000 r-- +1000", 0 },
	{ "the_kernels_bss_is_writable_whatever_p_flags_say", PIE,
	  { { 0, 0, 0x500, 0x2000, R }, { 0x1000, 0x2000, 0x500, 0x2000, R | X },
	    { 0x2000, 0x5000, 0, 0x1000, 0 } }, 0x3000,
	  "0-1000 r-- +0, 1000-2000 rw- 0, 2000-3000 r-x +1000, 3000-4000 rwx 0, "
	  "5000-6000 rw- 0", 0 },
	{ "glibcs_bss_has_p_flags", GLIBC,
	  { { 0, 0, 0x500, 0x2000, R } }, 0x1000, "0-1000 r-- +0, 1000-2000 r-- 0", 0 },
	{ "musls_read_only_bss_stays_file", MUSL,
	  { { 0, 0, 0x500, 0x500, R }, { 0x1000, 0x1000, 0x500, 0x2000, R | X } }, 0x2000,
	  "0-1000 r-- +0, 1000-3000 r-x +1000", 0 },
	{ "an_empty_file_part_replaces_the_page_before_it_in_the_kernel", PIE,
	  { { 0, 0, 0x1500, 0x1500, R }, { 0x1500, 0x1500, 0, 0x1000, R | W } }, 0x2000,
	  "0-1000 r-- +0, 1000-3000 rw- 0", 0 },
	{ "glibc_maps_a_file_page_for_an_empty_file_part", GLIBC,
	  { { 0, 0, 0x1000, 0x1000, R }, { 0x1500, 0x1500, 0, 0x1000, R | W } }, 0x2000,
	  "0-1000 r-- +0, 1000-2000 rw- +1000, 2000-3000 rw- 0", 0 },
	{ "bss_of_two_loads_merges_in_the_kernel", EXEC,
	  { { 0, 0x400000, 0x1000, 0x2000, R | W }, { 0, 0x402000, 0, 0x1000, R | W } }, 0x1000,
	  "400000-401000 rw- +0, 401000-403000 rw- 0", 0 },
	{ "loads_that_go_on_with_equal_permissions_are_one_vma", EXEC,
	  { { 0, 0x400000, 0x1000, 0x1000, R }, { 0x1000, 0x401000, 0x1000, 0x1000, R } }, 0x2000,
	  "400000-402000 r-- +0", 0 },
	{ "one_file_page_can_be_in_several_vmas", EXEC,
	  { { 0, 0x400000, 0x400, 0x400, R }, { 0x400, 0x401400, 0x100, 0x100, R | X },
	    { 0x500, 0x402500, 0x100, 0x100, R | W } }, 0x1000,
	  "400000-401000 r-- +0, 401000-402000 r-x +0, 402000-403000 rw- +0", 0 },
	{ "later_loads_overwrite_earlier_ones", EXEC,
	  { { 0, 0x400000, 0x3000, 0x3000, R }, { 0, 0x401000, 0x1000, 0x1000, R | X } }, 0x3000,
	  "400000-401000 r-- +0, 401000-402000 r-x +0, 402000-403000 r-- +2000", 0 },
	{ "both_ends_of_relro_are_rounded_down", GLIBC,
	  { { 0, 0, 0x4000, 0x4000, R | W }, { 0x1800, 0x1800, 0x1f00, 0x1f00, RELRO } }, 0x4000,
	  "0-1000 rw- +0, 1000-3000 r-- +1000, 3000-4000 rw- +3000", 0 },
	{ "relro_within_a_page_does_nothing", GLIBC,
	  { { 0, 0, 0x2000, 0x2000, R | W }, { 0x1100, 0x1100, 0x200, 0x200, RELRO } }, 0x2000,
	  "0-2000 rw- +0", 0 },
	{ "relro_takes_away_execute_too", MUSL,
	  { { 0, 0, 0x2000, 0x2000, R | X }, { 0, 0, 0x1000, 0x1000, RELRO } }, 0x2000,
	  "0-1000 r-- +0, 1000-2000 r-x +1000", 0 },
	{ "the_last_relro_counts", GLIBC,
	  { { 0, 0, 0x2000, 0x2000, R | W }, { 0, 0, 0x1000, 0x1000, RELRO },
	    { 0, 0x1000, 0x1000, 0x1000, RELRO } }, 0x2000,
	  "0-1000 rw- +0, 1000-2000 r-- +1000", 0 },
	{ "relro_over_a_hole_of_the_program_is_the_end", PIE,
	  { { 0, 0, 0x1000, 0x1000, R | W }, { 0, 0, 0x2000, 0x2000, RELRO } }, 0x1000,
	  "0-1000 r-- +0", FATE_RELRO_NOT_MAPPED },
	{ "textrel_keeps_text_from_merging", GLIBC_TEXTREL,
	  { { 0, 0, 0x1000, 0x1000, R | X }, { 0x1000, 0x1000, 0x1000, 0x1000, R | W },
	    { 0x1000, 0x1000, 0x1000, 0x1000, RELRO } }, 0x2000,
	  "0-1000 r-x +0, 1000-2000 r-- +1000", 0 },
	{ "textrel_lets_text_merge_with_relro", GLIBC_TEXTREL,
	  { { 0, 0, 0x1000, 0x1000, R }, { 0x1000, 0x1000, 0x1000, 0x1000, R | W },
	    { 0x1000, 0x1000, 0x1000, 0x1000, RELRO } }, 0x2000,
	  "0-2000 r-- +0", 0 },
	{ "musls_textrel_stays_rwx", MUSL_TEXTREL,
	  { { 0, 0, 0x1000, 0x1000, R | X }, { 0x1000, 0x2000, 0x1000, 0x1000, R | W } }, 0x2000,
	  "0-2000 rwx +0, 2000-3000 rwx +1000", 0 },
	{ "no_gnu_stack_makes_32_bit_memory_executable", EXEC_32_NO_STACK,
	  { { 0, 0x8048000, 0x1000, 0x2000, R } }, 0x1000,
	  "8048000-8049000 r-x +0, 8049000-804a000 rwx 0", 0 },
	{ "an_offset_that_disagrees_kills", EXEC,
	  { { 0, 0x400000, 0x1000, 0x1000, R }, { 0x1010, 0x401000, 0x100, 0x100, R } }, 0x2000,
	  "400000-401000 r-- +0", FATE_UNALIGNED_OFF },
	{ "glibc_refuses_an_offset_that_disagrees", GLIBC,
	  { { 0, 0, 0x1000, 0x1000, R }, { 0x1010, 0x1000, 0x100, 0x100, R } }, 0x2000, "",
	  FATE_UNALIGNED_OFF },
	{ "more_in_the_file_than_in_memory_kills", EXEC,
	  { { 0, 0x400000, 0x1000, 0x800, R } }, 0x1000, "400000-401000 r-- +0",
	  FATE_FILESZ_OVER_MEMSZ },
	{ "bss_past_the_end_of_the_file_kills", EXEC,
	  { { 0, 0x400000, 0x1800, 0x2000, R | W } }, 0x1000, "400000-402000 rw- +0",
	  FATE_ZERO_PAST_EOF },
	{ "not_if_the_page_is_read_only", EXEC,
	  { { 0, 0x400000, 0x1800, 0x2000, R } }, 0x1000, "400000-402000 r-- +0", 0 },
	{ "glibc_writes_there_all_the_same", GLIBC,
	  { { 0, 0, 0x1800, 0x2000, R } }, 0x1000, "0-1000 r-- +0, 1000-2000 rw- +1000",
	  FATE_ZERO_PAST_EOF },
	{ "past_the_address_space_kills", EXEC,
	  { { 0, 0x7fffffffe000, 0x2000, 0x2000, R } }, 0x2000, "", FATE_NOT_MAPPED },
	{ "a_program_without_loads_is_no_error", EXEC, { { 0 } }, 0x1000, "", 0 },
	{ "a_library_without_loads_is_one", GLIBC, { { 0 } }, 0x1000, "", FATE_NO_LOAD },
	{ "glibc_wants_the_last_load_behind_the_first", GLIBC,
	  { { 0, 0, 0x1800, 0x1800, R }, { 0x1900, 0x1900, 0x100, 0x100, R | W } }, 0x2000,
	  "0-2000 r-- +0", FATE_ORDER },
	{ "musl_clears_the_rest_of_a_page_that_it_cannot_write", MUSL,
	  { { 0, 0, 0x1000, 0x1100, R | W }, { 0x1100, 0x1100, 0x100, 0x100, R } }, 0x2000,
	  "0-1000 rw- +0, 1000-2000 r-- +1000", FATE_NOT_WRITABLE },
};

static void make_elf(int index, struct segmap_elf *elf, struct segmap_segment *segments)
{
	enum loader loader = cases[index].loader;

	*elf = (struct segmap_elf){ .class = loader == EXEC_32_NO_STACK ? 32 : 64,
				    .machine = loader == EXEC_32_NO_STACK ? EM_386 : EM_X86_64,
				    .type = loader == EXEC || loader == EXEC_32_NO_STACK ? ET_EXEC :
											ET_DYN,
				    .size = cases[index].size,
				    .segments = segments,
				    .dynamic_end = 0x10,
				    .textrel = loader >= GLIBC_TEXTREL,
				    .stack_prot = loader == EXEC_32_NO_STACK ? SEGMAP_NO_STACK :
									       R | W };
	for (size_t i = 0; i < MAX; i++) {
		const struct row *row = &cases[index].rows[i];
		struct segmap_segment *segment = &segments[elf->n_segments];

		if (!row->memsz)
			continue;
		*segment = (struct segmap_segment){
			.type = row->prot == RELRO ? SEGMAP_SEGMENT_RELRO : SEGMAP_SEGMENT_LOAD,
			.off = row->off,
			.vaddr = row->vaddr,
			.filesz = row->filesz,
			.memsz = row->memsz,
			.prot = row->prot == RELRO ? R : row->prot,
			.align = row->align,
		};
		segmap_segment_expand(segment, PAGE);
		elf->n_segments++;
	}
}

static void format(const struct space *space, uint64_t bias, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < space->n_vmas; i++) {
		const struct space_vma *vma = &space->vmas[i];

		used += (size_t)snprintf(text + used, size - used,
					 "%s%" PRIx64 "-%" PRIx64 " %c%c%c %s%" PRIx64, i ? ", " : "",
					 vma->start - bias, vma->end - bias,
					 vma->prot & R ? 'r' : '-', vma->prot & W ? 'w' : '-',
					 vma->prot & X ? 'x' : '-', vma->file ? "+" : "", vma->off);
	}
}

static struct fate load_case(enum loader loader, struct load *load, struct exec_params *params)
{
	struct exec_result result;
	struct fate fate;

	switch (loader) {
	case GLIBC:
	case GLIBC_TEXTREL:
		fate = ldso_map(load, false);
		return fate.end == FATE_GOES_ON ? ldso_relocate(load) : fate;
	case MUSL:
	case MUSL_TEXTREL:
		fate = musl_map(load, false);
		return fate.end == FATE_GOES_ON ? musl_relocate(load) : fate;
	default:
		exec_program(params, load, NULL, &result);
		return result.fate.end == FATE_GOES_ON ? ldso_relocate(load) : result.fate;
	}
}

START_TEST(headers_become_this_map)
{
	struct segmap_segment segments[MAX];
	struct segmap_elf elf;
	struct space space = { 0 };
	struct load load = { .space = &space, .elf = &elf };
	struct exec_params params;
	struct fate fate;
	char text[1024];

	make_elf(_i, &elf, segments);
	exec_defaults(&elf, PAGE, &space.limits, &params);
	fate = load_case(cases[_i].loader, &load, &params);
	format(&space, load.bias, text, sizeof(text));
	ck_assert_msg(fate.reason == cases[_i].reason, "%s: reason %d, not %d", cases[_i].claim,
		      (int)fate.reason, (int)cases[_i].reason);
	ck_assert_msg(strcmp(text, cases[_i].map) == 0, "%s:\n is  %s\n not %s", cases[_i].claim,
		      text, cases[_i].map);
	space_free(&space);
}
END_TEST

/* The same for programs that execve refuses: the caller lives on. */
START_TEST(files_that_cannot_run_are_refused)
{
	static const struct {
		struct segmap_elf program;
		int interp_errnum, errnum;
		bool has_interp;
	} refusals[] = {
		{ { .foreign = true }, 0, ENOEXEC, false },
		{ { .bad_interp = true }, 0, ENOEXEC, false },
		{ { .interp = (char *)"/no" }, ENOENT, ENOENT, false },
		{ { .interp = (char *)"/etc/passwd" }, 0, ELIBBAD, false },
		{ { .interp = (char *)"/lib/other", .machine = EM_X86_64 }, 0, ELIBBAD, true },
	};
	struct segmap_elf other = { .machine = EM_386 };
	struct space space = { 0 };
	struct load program = { .space = &space, .elf = &refusals[_i].program };
	struct load interp = { .space = &space, .elf = &other };
	struct exec_params params;
	struct exec_result result;

	exec_defaults(program.elf, PAGE, &space.limits, &params);
	params.interp_errnum = refusals[_i].interp_errnum;
	exec_program(&params, &program, refusals[_i].has_interp ? &interp : NULL, &result);
	ck_assert_int_eq(result.fate.end, FATE_REFUSED);
	ck_assert_int_eq(result.fate.errnum, refusals[_i].errnum);
	ck_assert_uint_eq(space.n_vmas, 0);
}
END_TEST

/* As programs of either class had it (setarch -R, ulimit -s; Linux 6.18). */
START_TEST(mmap_begins_below_the_room_for_the_stack)
{
	static const struct {
		unsigned int class;
		uint64_t stack_limit, mmap_base;
	} limits[] = {
		{ 64, 0, 0x7ffff7fff000 },
		{ 64, 127 << 20, 0x7ffff7fff000 },
		{ 64, (127 << 20) + PAGE, 0x7ffff7ffe000 },
		{ 64, (127 << 20) + 1, 0x7ffff7fff000 },
		{ 64, UINT64_MAX, 0x155555556000 },
		{ 64, UINT64_MAX - PAGE, 0x155555556000 },
		{ 32, 8 << 20, 0xf7ffe000 },
		{ 32, 1000 << 20, 0xc16fe000 },
		{ 32, UINT64_MAX, 0x2aaab000 },
	};
	struct segmap_elf elf = { .class = limits[_i].class };
	struct space_limits space;
	struct exec_params params;

	exec_defaults(&elf, PAGE, &space, &params);
	ck_assert_uint_eq(exec_mmap_base(&space, limits[_i].stack_limit), limits[_i].mmap_base);
}
END_TEST

START_TEST(ldso_protects_itself_always_since_2_41)
{
	ck_assert(!ldso_protects_itself(36, false));
	ck_assert(ldso_protects_itself(36, true));
	ck_assert(ldso_protects_itself(41, false));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("loaders");
	TCase *tcase = tcase_create("loaders");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, headers_become_this_map, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_loop_test(tcase, files_that_cannot_run_are_refused, 0, 5);
	tcase_add_loop_test(tcase, mmap_begins_below_the_room_for_the_stack, 0, 9);
	tcase_add_test(tcase, ldso_protects_itself_always_since_2_41);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
