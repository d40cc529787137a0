/* tests/unit/read_trace.c - breakpoints, by a debug register and by an instruction. */
#include "read/trace.h"
#include "unit.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AROUND = 16 };

static __attribute__((noinline)) int twice(volatile int x)
{
	return x + x;
}

static int wait_for(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

/* A child that is traced, and calls twice() once it goes on; its status says if that went well. */
static pid_t start(void)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(1);
		raise(SIGSTOP);
		_exit(twice(21) == 42 && twice(4) == 8 ? 0 : 2);
	}
	ck_assert(WIFSTOPPED(wait_for(pid)));
	return pid;
}

static void check_ends_well(pid_t pid)
{
	int status;

	ck_assert_int_eq(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
	status = wait_for(pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
}

START_TEST(process_stops_at_a_breakpoint_and_goes_on_as_if_without)
{
	uint64_t addr = (uint64_t)(uintptr_t)twice;
	unsigned char before[AROUND], during[AROUND], after[AROUND];
	struct breakpoint breakpoint = { 0 };
	struct trace_place place;
	pid_t pid = start();
	int status;

	ck_assert(trace_read(pid, addr, before, sizeof(before)));
	ck_assert(!breakpoint_reached(pid, &breakpoint));
	ck_assert(_i ? breakpoint_set_software(pid, addr, &breakpoint) :
		       breakpoint_set(pid, addr, &breakpoint));
	ck_assert(!breakpoint_reached(pid, &breakpoint));
	ck_assert(trace_read(pid, addr, during, sizeof(during)));
	ck_assert_int_eq(memcmp(before, during, sizeof(before)) != 0, !breakpoint.hardware);
	ck_assert(!_i || !breakpoint.hardware);
	ck_assert_int_eq(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
	status = wait_for(pid);
	ck_assert(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
	ck_assert(breakpoint_reached(pid, &breakpoint));
	breakpoint_clear(pid, &breakpoint);
	ck_assert(!breakpoint.set);
	ck_assert(trace_place(pid, &place));
	ck_assert_uint_eq(place.counter, addr);
	ck_assert(trace_read(pid, addr, after, sizeof(after)));
	ck_assert_mem_eq(before, after, sizeof(before));
	check_ends_well(pid);
}
END_TEST

START_TEST(no_instruction_can_be_put_where_nothing_is_mapped)
{
	long page = sysconf(_SC_PAGESIZE);
	void *hole = mmap(NULL, (size_t)page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct breakpoint breakpoint = { 0 };
	unsigned char byte;
	pid_t pid;

	ck_assert_ptr_ne(hole, MAP_FAILED);
	munmap(hole, (size_t)page);
	pid = start();
	ck_assert(!trace_read(pid, (uintptr_t)hole, &byte, 1));
	ck_assert(!breakpoint_set_software(pid, (uintptr_t)hole, &breakpoint));
	ck_assert(!breakpoint_set_software(pid, UINT64_MAX - 2, &breakpoint));
	ck_assert(!breakpoint.set);
	breakpoint_clear(pid, &breakpoint);
	check_ends_well(pid);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("read/trace");
	TCase *tcase = unit_case(suite, "trace");

	tcase_add_loop_test(tcase, process_stops_at_a_breakpoint_and_goes_on_as_if_without,
			    0, 2);
	tcase_add_test(tcase, no_instruction_can_be_put_where_nothing_is_mapped);
	return unit_run(suite);
}
