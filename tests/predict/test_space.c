/* tests/predict/test_space.c - the model of an address space, by tables of calls. */
#include "predict/space.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { R = PROT_READ, W = PROT_WRITE, X = PROT_EXEC, PAGE = 0x1000 };

enum step_name { END, MMAP, ANON, BRK, MUNMAP, MPROTECT, TOUCH };

struct step {
	enum step_name name;
	uint64_t start, end; /* in pages */
	int prot;
	uint64_t off; /* in pages */
	uint32_t file;
	int errnum; /* that it returns */
};

#define NOEXEC (2 | SPACE_NOEXEC)

/* One case is a claim: after these calls the space is this. */
static const struct {
	const char *claim;
	bool rie, pkeys;
	struct step steps[8];
	const char *space; /* "start-end perms off file, ..." in pages */
} cases[] = {
	{ "same_file_and_going_on_is_one_vma", 0, 0,
	  { { MMAP, 1, 2, R, 0, 1, 0 }, { MMAP, 2, 4, R, 1, 1, 0 } },
	  "1-4 r-- 0 1" },
	{ "offsets_that_do_not_go_on_stay_two", 0, 0,
	  { { MMAP, 1, 2, R, 0, 1, 0 }, { MMAP, 2, 4, R, 2, 1, 0 } },
	  "1-2 r-- 0 1, 2-4 r-- 2 1" },
	{ "different_files_stay_two", 0, 0,
	  { { MMAP, 1, 2, R, 0, 1, 0 }, { MMAP, 2, 4, R, 1, 2, 0 } },
	  "1-2 r-- 0 1, 2-4 r-- 1 2" },
	{ "a_mapping_between_two_joins_all_three", 0, 0,
	  { { MMAP, 1, 2, R, 0, 1, 0 }, { MMAP, 3, 4, R, 2, 1, 0 }, { MMAP, 2, 3, R, 1, 1, 0 } },
	  "1-4 r-- 0 1" },
	{ "relro_stays_apart_from_rodata_by_its_account", 0, 0,
	  { { MMAP, 1, 2, R, 0, 1, 0 }, { MMAP, 2, 4, R | W, 1, 1, 0 },
	    { MPROTECT, 2, 3, R, 0, 0, 0 } },
	  "1-2 r-- 0 1, 2-3 r-- 1 1, 3-4 rw- 2 1" },
	{ "whole_segment_relro_does_not_merge_either", 0, 0,
	  { { MMAP, 1, 2, R, 0, 1, 0 }, { MMAP, 2, 4, R | W, 1, 1, 0 },
	    { MPROTECT, 2, 4, R, 0, 0, 0 } },
	  "1-2 r-- 0 1, 2-4 r-- 1 1" },
	{ "mprotect_back_joins_what_it_cut", 0, 0,
	  { { MMAP, 1, 5, R | W, 0, 1, 0 }, { MPROTECT, 2, 3, R, 0, 0, 0 },
	    { MPROTECT, 2, 3, R | W, 0, 0, 0 } },
	  "1-5 rw- 0 1" },
	{ "untouched_anonymous_memory_loses_its_account", 0, 0,
	  { { ANON, 1, 2, R, 0, 0, 0 }, { ANON, 2, 3, R | W, 0, 0, 0 },
	    { MPROTECT, 2, 3, R, 0, 0, 0 } },
	  "1-3 r-- 0 0" },
	{ "touched_anonymous_memory_keeps_its_account", 0, 0,
	  { { ANON, 1, 2, R, 0, 0, 0 }, { ANON, 2, 3, R | W, 0, 0, 0 }, { TOUCH, 2, 3, 0, 0, 0, 0 },
	    { MPROTECT, 2, 3, R, 0, 0, 0 } },
	  "1-2 r-- 0 0, 2-3 r-- 0 0" },
	{ "textrel_leaves_an_account_behind", 0, 0,
	  { { MMAP, 1, 2, R, 0, 1, 0 }, { MMAP, 2, 3, R | X, 1, 1, 0 },
	    { MPROTECT, 2, 3, R | W | X, 0, 0, 0 }, { MPROTECT, 2, 3, R, 0, 0, 0 } },
	  "1-2 r-- 0 1, 2-3 r-- 1 1" },
	{ "different_anon_vmas_stay_two", 0, 0,
	  { { MMAP, 1, 2, R | W, 0, 1, 0 }, { MMAP, 3, 4, R | W, 2, 1, 0 }, { TOUCH, 1, 2, 0, 0, 0, 0 },
	    { TOUCH, 3, 4, 0, 0, 0, 0 }, { MMAP, 2, 3, R | W, 1, 1, 0 } },
	  "1-3 rw- 0 1, 3-4 rw- 2 1" },
	{ "neighbours_that_differ_in_access_share_an_anon_vma", 0, 0,
	  { { MMAP, 1, 3, R | W, 0, 1, 0 }, { MPROTECT, 2, 3, W, 0, 0, 0 }, { TOUCH, 1, 2, 0, 0, 0, 0 },
	    { TOUCH, 2, 3, 0, 0, 0, 0 }, { MPROTECT, 2, 3, R | W, 0, 0, 0 } },
	  "1-3 rw- 0 1" },
	{ "execute_only_memory_shares_none_with_keys", 0, 1,
	  { { MMAP, 1, 2, W, 0, 1, 0 }, { TOUCH, 1, 2, 0, 0, 0, 0 }, { MPROTECT, 1, 2, X, 0, 0, 0 },
	    { MMAP, 2, 3, W, 1, 1, 0 }, { TOUCH, 2, 3, 0, 0, 0, 0 }, { MPROTECT, 2, 3, X, 0, 0, 0 } },
	  "1-2 --x 0 1, 2-3 --x 1 1" },
	{ "without_keys_it_does", 0, 0,
	  { { MMAP, 1, 2, W, 0, 1, 0 }, { TOUCH, 1, 2, 0, 0, 0, 0 }, { MPROTECT, 1, 2, X, 0, 0, 0 },
	    { MMAP, 2, 3, W, 1, 1, 0 }, { TOUCH, 2, 3, 0, 0, 0, 0 }, { MPROTECT, 2, 3, X, 0, 0, 0 } },
	  "1-3 --x 0 1" },
	{ "brk_merges_with_what_is_before", 0, 0,
	  { { BRK, 1, 2, 0, 0, 0, 0 }, { BRK, 2, 3, 0, 0, 0, 0 } },
	  "1-3 rw- 0 0" },
	{ "brk_does_not_merge_with_what_is_behind", 0, 0,
	  { { BRK, 2, 3, 0, 0, 0, 0 }, { BRK, 1, 2, 0, 0, 0, 0 } },
	  "1-2 rw- 0 0, 2-3 rw- 0 0" },
	{ "brk_is_rw_whatever_is_asked_for", 0, 0,
	  { { BRK, 1, 2, R, 0, 0, 0 }, { BRK, 2, 3, R | W | X, 0, 0, 0 } },
	  "1-2 rw- 0 0, 2-3 rwx 0 0" },
	{ "an_empty_brk_is_no_call", 0, 0, { { BRK, 1, 1, 0, 0, 0, 0 } }, "" },
	{ "brk_replaces_file_pages", 0, 0,
	  { { MMAP, 1, 4, R, 0, 1, 0 }, { BRK, 2, 3, 0, 0, 0, 0 } },
	  "1-2 r-- 0 1, 2-3 rw- 0 0, 3-4 r-- 2 1" },
	{ "munmap_cuts_in_two", 0, 0,
	  { { MMAP, 1, 4, R, 5, 1, 0 }, { MUNMAP, 2, 3, 0, 0, 0, 0 } },
	  "1-2 r-- 5 1, 3-4 r-- 7 1" },
	{ "mprotect_stops_at_a_hole_and_keeps_what_it_did", 0, 0,
	  { { MMAP, 1, 3, R | W, 0, 1, 0 }, { MMAP, 4, 5, R | W, 3, 1, 0 },
	    { MPROTECT, 2, 5, R, 0, 0, ENOMEM } },
	  "1-2 rw- 0 1, 2-3 r-- 1 1, 4-5 rw- 3 1" },
	{ "mprotect_over_several_vmas_changes_each", 0, 0,
	  { { MMAP, 1, 2, R, 0, 1, 0 }, { MMAP, 2, 3, R | X, 1, 1, 0 },
	    { MPROTECT, 1, 3, 0, 0, 0, 0 } },
	  "1-3 --- 0 1" },
	{ "an_unaligned_offset_is_einval", 0, 0, { { MMAP, 1, 2, R, 0x10, 9, EINVAL } }, "" },
	{ "past_the_end_is_enomem", 0, 0, { { MMAP, 0xff, 0x101, R, 0, 1, ENOMEM } }, "" },
	{ "read_implies_exec_where_the_personality_says_so", 1, 0,
	  { { MMAP, 1, 2, R, 0, 1, 0 }, { MMAP, 3, 4, W, 0, 1, 0 }, { BRK, 5, 6, 0, 0, 0, 0 },
	    { MPROTECT, 3, 4, R, 0, 0, 0 } },
	  "1-2 r-x 0 1, 3-4 r-x 0 1, 5-6 rwx 0 0" },
	{ "the_same_personality_adds_nothing_where_it_is_mounted_noexec", 1, 0,
	  { { MMAP, 1, 2, R, 0, NOEXEC, 0 }, { MMAP, 3, 4, W, 0, NOEXEC, 0 },
	    { MPROTECT, 3, 4, R, 0, 0, 0 }, { ANON, 5, 6, R, 0, 0, 0 } },
	  "1-2 r-- 0 2, 3-4 r-- 0 2, 5-6 r-x 0 0" },
	{ "what_is_mounted_noexec_is_not_mapped_executable", 0, 0,
	  { { MMAP, 1, 2, R, 0, NOEXEC, 0 }, { MMAP, 2, 3, R | X, 1, NOEXEC, EPERM } },
	  "1-2 r-- 0 2" },
	{ "nor_does_it_become_executable", 0, 0,
	  { { MMAP, 1, 2, R | W, 0, 1, 0 }, { MMAP, 2, 3, R | W, 1, NOEXEC, 0 },
	    { MPROTECT, 1, 3, R | X, 0, 0, EACCES } },
	  "1-2 r-x 0 1, 2-3 rw- 1 2" },
};

static struct space new_space(void)
{
	return (struct space){ .limits = { .page_size = PAGE, .task_size = 0x100 * PAGE,
					   .mmap_base = 0x80 * PAGE } };
}

static int make(struct space *space, const struct step *step)
{
	struct segmap_call call = { .start = step->start * PAGE, .end = step->end * PAGE,
				    .prot = step->prot, .off = step->off * PAGE };

	switch (step->name) {
	case MMAP:
		if (step->errnum == EINVAL)
			call.off = step->off;
		return space_mmap(space, &call, step->file);
	case ANON:
		return space_mmap(space, &call, 0);
	case BRK:
		return space_brk(space, &call);
	case MUNMAP:
		return space_munmap(space, &call);
	case MPROTECT:
		return space_mprotect(space, &call);
	default:
		space_touch(space, call.start, call.end);
		return 0;
	}
}

static void format(const struct space *space, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < space->n_vmas; i++) {
		const struct space_vma *vma = &space->vmas[i];

		used += (size_t)snprintf(text + used, size - used, "%s%d-%d %c%c%c %d %u",
					 i ? ", " : "", (int)(vma->start / PAGE),
					 (int)(vma->end / PAGE), vma->prot & R ? 'r' : '-',
					 vma->prot & W ? 'w' : '-', vma->prot & X ? 'x' : '-',
					 (int)(vma->off / PAGE), vma->file & ~SPACE_NOEXEC);
	}
}

START_TEST(calls_leave_this)
{
	struct space space = new_space();
	char text[512];

	space.read_implies_exec = cases[_i].rie;
	space.limits.pkeys = cases[_i].pkeys;
	for (const struct step *step = cases[_i].steps; step->name; step++)
		ck_assert_msg(make(&space, step) == step->errnum, "%s: step %d", cases[_i].claim,
			      (int)(step - cases[_i].steps));
	format(&space, text, sizeof(text));
	ck_assert_msg(strcmp(text, cases[_i].space) == 0, "%s: %s, not %s", cases[_i].claim, text,
		      cases[_i].space);
	ck_assert(!space.failed);
	space_free(&space);
}
END_TEST

START_TEST(a_vma_knows_the_calls_that_made_it)
{
	static const struct step steps[] = {
		{ MMAP, 1, 5, R | W, 0, 1, 0 },	    /* 0 */
		{ MPROTECT, 1, 2, R, 0, 0, 0 },	    /* 1: of the first page */
		{ MPROTECT, 3, 4, R, 0, 0, 0 },	    /* 2: of the third */
		{ MPROTECT, 3, 4, R | W, 0, 0, 0 }, /* 3: which is joined again */
		{ MMAP, 5, 6, R | W, 4, 1, 0 },	    /* 4: and grows */
	};
	struct space space = new_space();
	uint32_t calls[8] = { 0 };

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		ck_assert_int_eq(make(&space, &steps[i]), 0);
	ck_assert_uint_eq(space.n_vmas, 2);
	ck_assert_uint_eq(space_causes(&space, &space.vmas[0], calls, 8), 2);
	ck_assert_uint_eq(calls[0], 0);
	ck_assert_uint_eq(calls[1], 1);
	ck_assert_uint_eq(space_causes(&space, &space.vmas[1], calls, 8), 4);
	ck_assert_uint_eq(calls[1], 2);
	ck_assert_uint_eq(calls[3], 4);
	space_free(&space);
}
END_TEST

START_TEST(room_is_the_highest_gap_that_fits)
{
	struct space space = new_space();
	struct step top = { MMAP, 0x7e, 0x80, R, 0, 1, 0 }, below = { MMAP, 0x70, 0x7c, R, 0, 2, 0 };

	ck_assert_uint_eq(space_find_room(&space, 2 * PAGE), 0x7e * PAGE);
	make(&space, &top);
	make(&space, &below);
	ck_assert_uint_eq(space_find_room(&space, 2 * PAGE), 0x7c * PAGE);
	ck_assert_uint_eq(space_find_room(&space, 3 * PAGE), 0x6d * PAGE);
	ck_assert_uint_eq(space_find_room(&space, 0x71 * PAGE), 0);
	space_free(&space);
}
END_TEST

START_TEST(more_than_there_is_memory_for_is_refused)
{
	struct space space = new_space();
	struct step writable = { MMAP, 1, 6, R | W, 0, 1, 0 }, readable = { MMAP, 1, 6, R, 0, 1, 0 };

	space.limits.commit = 4 * PAGE;
	ck_assert_int_eq(make(&space, &writable), ENOMEM);
	ck_assert_int_eq(make(&space, &readable), 0);
	space_free(&space);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("space");
	TCase *tcase = tcase_create("space");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, calls_leave_this, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tcase, a_vma_knows_the_calls_that_made_it);
	tcase_add_test(tcase, room_is_the_highest_gap_that_fits);
	tcase_add_test(tcase, more_than_there_is_memory_for_is_refused);
	tcase_add_test(tcase, more_than_there_is_memory_for_is_refused);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
