/* tests/unit/read_syscalls.c - what is taken down of calls, by tables. */
#include "read/syscalls.h"
#include "unit.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096 };

struct call_case {
	const char *claim;
	bool is_i386;
	uint64_t call, arguments[6];
	int64_t result;
	bool failed;
	struct segmap_traced expected;
};

#define PRIVATE MAP_PRIVATE | MAP_ANONYMOUS

static const struct call_case cases[] = {
	{ "a mapping is where it came to lie, in whole pages", false, SYS_mmap,
	  { 0, 5000, PROT_READ, PRIVATE, (uint64_t)-1, 0 }, 0x700000, false,
	  { .name = SEGMAP_CALL_MMAP, .start = 0x700000, .end = 0x702000, .prot = PROT_READ,
	    .flags = PRIVATE, .anonymous = true, .result = 0x700000 } },
	{ "one that fails is where it was asked for", false, SYS_mmap,
	  { 0x1000, PAGE, PROT_READ, PRIVATE | MAP_FIXED, (uint64_t)-1, 0 }, -EPERM, true,
	  { .name = SEGMAP_CALL_MMAP, .start = 0x1000, .end = 0x2000, .prot = PROT_READ,
	    .flags = PRIVATE | MAP_FIXED, .anonymous = true, .errnum = EPERM } },
	{ "a size that wraps is no range", false, SYS_munmap, { 0x1000, UINT64_MAX }, -EINVAL, true,
	  { .name = SEGMAP_CALL_MUNMAP, .start = 0x1000, .end = 0x1000, .anonymous = true,
	    .errnum = EINVAL } },
	{ "a range ends with a whole page", false, SYS_mprotect, { 0x1000, 1, PROT_NONE }, 0, false,
	  { .name = SEGMAP_CALL_MPROTECT, .start = 0x1000, .end = 0x2000, .anonymous = true } },
	{ "pages that move are where they went", false, SYS_mremap,
	  { 0x1000, PAGE, 3 * PAGE, MREMAP_MAYMOVE, 0 }, 0x9000, false,
	  { .name = SEGMAP_CALL_MREMAP, .start = 0x9000, .end = 0xc000, .anonymous = true,
	    .result = 0x9000 } },
	{ "i386 has other numbers", true, 125, { 0x1000, PAGE, PROT_READ }, 0, false,
	  { .name = SEGMAP_CALL_MPROTECT, .start = 0x1000, .end = 0x2000, .prot = PROT_READ,
	    .anonymous = true } },
	{ "i386 counts offsets in pages", true, 192,
	  { 0, PAGE, PROT_READ, MAP_PRIVATE, 999999, 3 }, 0xf7000000, false,
	  { .name = SEGMAP_CALL_MMAP, .start = 0xf7000000, .end = 0xf7001000, .prot = PROT_READ,
	    .flags = MAP_PRIVATE, .off = 3 * PAGE, .result = 0xf7000000 } },
};

enum { N_CASES = sizeof(cases) / sizeof(cases[0]) };

static void make_call(struct recorder *recorder, bool is_i386, uint64_t call,
		      const uint64_t *arguments, int64_t result, bool failed)
{
	struct trace_place enters = { .enters = true, .is_i386 = is_i386, .call = call };
	struct trace_place leaves = { .leaves = true, .result = result, .failed = failed };

	for (size_t i = 0; i < 6; i++)
		enters.arguments[i] = arguments[i];
	recorder_take(recorder, getpid(), &enters);
	recorder_take(recorder, getpid(), &leaves);
}

static struct recorder make_recorder(void)
{
	struct recorder recorder = { .trace = calloc(1, sizeof(*recorder.trace)), .page_size = PAGE };

	ck_assert_ptr_nonnull(recorder.trace);
	return recorder;
}

START_TEST(call_is_taken_down)
{
	const struct call_case *c = &cases[_i];
	const struct segmap_traced *expected = &c->expected, *call;
	struct recorder recorder = make_recorder();

	make_call(&recorder, c->is_i386, c->call, c->arguments, c->result, c->failed);
	ck_assert_uint_eq(recorder.trace->n_calls, 1);
	call = &recorder.trace->calls[0];
	ck_assert_msg(call->name == expected->name && call->start == expected->start &&
			      call->end == expected->end && call->prot == expected->prot &&
			      call->flags == expected->flags && call->off == expected->off &&
			      call->anonymous == expected->anonymous &&
			      call->result == expected->result && call->errnum == expected->errnum &&
			      !call->file,
		      "%s: %d %#jx-%#jx %d %d %#jx %d %#jx %d", c->claim, call->name,
		      (uintmax_t)call->start, (uintmax_t)call->end, call->prot, call->flags,
		      (uintmax_t)call->off, call->anonymous, (uintmax_t)call->result, call->errnum);
	recorder_free(&recorder);
}
END_TEST

START_TEST(heap_is_what_it_has_won_or_lost)
{
	static const struct {
		uint64_t asked, now, start, end;
		int errnum;
	} steps[] = {
		{ 0, 0x5000, 0x5000, 0x5000, 0 },
		{ 0x9000, 0x9000, 0x5000, 0x9000, 0 },
		{ 0xa0000000, 0x9000, 0x9000, 0x9000, ENOMEM },
		{ 0x8000, 0x8000, 0x8000, 0x9000, 0 },
		{ 0, 0x8000, 0x8000, 0x8000, 0 },
	};
	enum { N_STEPS = sizeof(steps) / sizeof(steps[0]) };
	struct recorder recorder = make_recorder();

	for (size_t i = 0; i < N_STEPS; i++)
		make_call(&recorder, false, SYS_brk, (uint64_t[6]){ steps[i].asked },
			  (int64_t)steps[i].now, false);
	ck_assert_uint_eq(recorder.trace->n_calls, N_STEPS);
	for (size_t i = 0; i < N_STEPS; i++) {
		ck_assert_uint_eq(recorder.trace->calls[i].start, steps[i].start);
		ck_assert_uint_eq(recorder.trace->calls[i].end, steps[i].end);
		ck_assert_int_eq(recorder.trace->calls[i].errnum, steps[i].errnum);
	}
	recorder_free(&recorder);
}
END_TEST

START_TEST(only_calls_of_interest_are_taken_down)
{
	struct recorder recorder = make_recorder();

	make_call(&recorder, false, SYS_read, (uint64_t[6]){ 0 }, 0, false);
	make_call(&recorder, false, SYS_set_tid_address, (uint64_t[6]){ 0x1234 }, 1, false);
	ck_assert_uint_eq(recorder.trace->n_calls, 0);
	ck_assert_uint_eq(recorder.trace->thread, 0x1234);
	/* One that was entered and has not been left is not there. */
	recorder_take(&recorder, getpid(),
		      &(struct trace_place){ .enters = true, .call = SYS_munmap });
	ck_assert_uint_eq(recorder.trace->n_calls, 0);
	recorder_restart(&recorder, getpid());
	ck_assert_uint_eq(recorder.trace->n_calls, 1);
	ck_assert_int_eq(recorder.trace->calls[0].name, SEGMAP_CALL_EXECVE);
	ck_assert_ptr_nonnull(recorder.trace->calls[0].file);
	ck_assert_uint_eq(recorder.trace->thread, 0);
	recorder_free(&recorder);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("read/syscalls");
	TCase *tcase = unit_case(suite, "syscalls");

	tcase_add_loop_test(tcase, call_is_taken_down, 0, N_CASES);
	tcase_add_test(tcase, heap_is_what_it_has_won_or_lost);
	tcase_add_test(tcase, only_calls_of_interest_are_taken_down);
	return unit_run(suite);
}
