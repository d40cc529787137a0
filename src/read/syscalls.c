/* src/read/syscalls.c - taking down the calls that change an address space. */
#include "read/syscalls.h"
#include "base/range.h"
#include "base/scope.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* More than any program makes before its entry point; a constructor can be hostile. */
enum { MOST_CALLS = 1 << 20 };

/* Calls of interest; NAME_OTHER also for the one that only tells where the thread is. */
enum number {
	NUMBER_OTHER,
	NUMBER_MMAP,
	NUMBER_MMAP_PAGES, /* the offset is in units of 4096 bytes (i386's mmap2) */
	NUMBER_MMAP_BLOCK, /* the arguments are in memory (i386's first mmap) */
	NUMBER_MUNMAP,
	NUMBER_MPROTECT,
	NUMBER_MREMAP,
	NUMBER_BRK,
	NUMBER_EXECVE,
	NUMBER_EXECVEAT,
	NUMBER_SET_TID_ADDRESS,
};

struct number_row {
	unsigned int call;
	enum number number;
};

static const struct number_row native[] = {
#ifdef SYS_mmap
	{ SYS_mmap, sizeof(long) == 8 ? NUMBER_MMAP : NUMBER_MMAP_BLOCK },
#endif
#ifdef SYS_mmap2
	{ SYS_mmap2, NUMBER_MMAP_PAGES },
#endif
	{ SYS_munmap, NUMBER_MUNMAP },
	{ SYS_mprotect, NUMBER_MPROTECT },
	{ SYS_pkey_mprotect, NUMBER_MPROTECT },
	{ SYS_mremap, NUMBER_MREMAP },
	{ SYS_brk, NUMBER_BRK },
	{ SYS_execve, NUMBER_EXECVE },
	{ SYS_execveat, NUMBER_EXECVEAT },
	{ SYS_set_tid_address, NUMBER_SET_TID_ADDRESS },
};

/* arch/x86/entry/syscalls/syscall_32.tbl of the kernel. */
static const struct number_row i386[] = {
	{ 90, NUMBER_MMAP_BLOCK }, { 192, NUMBER_MMAP_PAGES }, { 91, NUMBER_MUNMAP },
	{ 125, NUMBER_MPROTECT },  { 380, NUMBER_MPROTECT },   { 163, NUMBER_MREMAP },
	{ 45, NUMBER_BRK },	   { 11, NUMBER_EXECVE },      { 358, NUMBER_EXECVEAT },
	{ 258, NUMBER_SET_TID_ADDRESS },
};

static enum number find_number(const struct trace_place *place)
{
	const struct number_row *rows = place->is_i386 ? i386 : native;
	size_t n = place->is_i386 ? sizeof(i386) / sizeof(i386[0]) :
				    sizeof(native) / sizeof(native[0]);

	for (size_t i = 0; i < n; i++)
		if (place->call == rows[i].call)
			return rows[i].number;
	return NUMBER_OTHER;
}

void recorder_free(struct recorder *recorder)
{
	free(recorder->call.file);
	segmap_trace_free(recorder->trace);
	*recorder = (struct recorder){ 0 };
}

/* The call is whole: it goes into the trace. */
static void add(struct recorder *recorder)
{
	struct segmap_trace *trace = recorder->trace;

	recorder->inside = false;
	trace->incomplete |= trace->n_calls == MOST_CALLS;
	if (!trace->incomplete &&
	    grow(&trace->calls, &trace->cap_calls, trace->n_calls, sizeof(*trace->calls))) {
		trace->calls[trace->n_calls++] = recorder->call;
	} else {
		recorder->failed |= !trace->incomplete;
		free(recorder->call.file);
	}
	recorder->call = (struct segmap_traced){ 0 };
}

static void set_file(struct recorder *recorder, const char *name)
{
	recorder->call.file = strdup(name);
	recorder->failed |= !recorder->call.file;
}

/* The name and identity of the file behind a link of /proc/PID. */
static void name_file(struct recorder *recorder, const char *link)
{
	struct segmap_traced *call = &recorder->call;
	char target[PATH_MAX];
	ssize_t size = readlink(link, target, sizeof(target) - 1);
	struct stat stat_of_file;

	if (size < 0)
		return;
	target[size] = '\0';
	set_file(recorder, target);
	if (stat(link, &stat_of_file) == 0) {
		call->st_dev = stat_of_file.st_dev;
		call->st_ino = stat_of_file.st_ino;
	}
}

void recorder_restart(struct recorder *recorder, pid_t pid)
{
	struct segmap_trace *trace = recorder->trace;
	char link[32];

	for (size_t i = 0; i < trace->n_calls; i++)
		free(trace->calls[i].file);
	free(recorder->call.file);
	trace->n_calls = 0;
	trace->thread = 0;
	trace->incomplete = false;
	recorder->heap_end = 0;
	recorder->call = (struct segmap_traced){ .name = SEGMAP_CALL_EXECVE, .anonymous = true };
	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	name_file(recorder, link);
	add(recorder);
}

static void set_range(struct recorder *recorder, uint64_t start, uint64_t size)
{
	uint64_t end;

	recorder->call.start = start;
	/* What wraps is refused by the kernel (mm/mmap.c, mm/mprotect.c): then it is empty. */
	recorder->call.end = checked_add(start, page_up(size, recorder->page_size), &end) ? end : start;
}

static void enter_mmap(struct recorder *recorder, pid_t pid, const uint64_t *arguments,
		       uint64_t unit)
{
	struct segmap_traced *call = &recorder->call;
	char link[48];

	call->name = SEGMAP_CALL_MMAP;
	set_range(recorder, arguments[0], arguments[1]);
	call->prot = (int)arguments[2];
	call->flags = (int)arguments[3];
	call->anonymous = call->flags & MAP_ANONYMOUS;
	if (call->anonymous)
		return;
	call->off = arguments[5] * unit;
	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, (int)arguments[4]);
	name_file(recorder, link);
}

/* The six words to which the one argument points. */
static bool read_block(pid_t pid, uint64_t addr, uint64_t ret[6])
{
	uint32_t words[6];

	if (!trace_read(pid, addr, words, sizeof(words)))
		return false;
	for (size_t i = 0; i < 6; i++)
		ret[i] = words[i];
	return true;
}

static void enter_range(struct recorder *recorder, enum segmap_call_name name,
			const struct trace_place *place)
{
	recorder->call.name = name;
	recorder->call.anonymous = true;
	set_range(recorder, place->arguments[0], place->arguments[1]);
	if (name == SEGMAP_CALL_MPROTECT)
		recorder->call.prot = (int)place->arguments[2];
	/* Until it is known where the pages go to: how many, from where. */
	if (name == SEGMAP_CALL_MREMAP)
		set_range(recorder, place->arguments[0], place->arguments[2]);
}

static void enter_execve(struct recorder *recorder, pid_t pid, uint64_t path)
{
	char name[256] = "";

	recorder->call.name = SEGMAP_CALL_EXECVE;
	recorder->call.anonymous = true;
	/* One that succeeds starts a new trace; for one that fails the name is enough, if whole. */
	if (trace_read(pid, path, name, sizeof(name) - 1) && strnlen(name, sizeof(name)) < 255)
		set_file(recorder, name);
}

/* False if the call is none of those that are taken down. */
static bool enter(struct recorder *recorder, pid_t pid, const struct trace_place *place)
{
	uint64_t block[6];

	switch (find_number(place)) {
	case NUMBER_MMAP:
		enter_mmap(recorder, pid, place->arguments, 1);
		return true;
	case NUMBER_MMAP_PAGES:
		enter_mmap(recorder, pid, place->arguments, 4096);
		return true;
	case NUMBER_MMAP_BLOCK:
		if (!read_block(pid, place->arguments[0], block))
			return false;
		enter_mmap(recorder, pid, block, 1);
		return true;
	case NUMBER_MUNMAP:
		enter_range(recorder, SEGMAP_CALL_MUNMAP, place);
		return true;
	case NUMBER_MPROTECT:
		enter_range(recorder, SEGMAP_CALL_MPROTECT, place);
		return true;
	case NUMBER_MREMAP:
		enter_range(recorder, SEGMAP_CALL_MREMAP, place);
		return true;
	case NUMBER_BRK:
		enter_range(recorder, SEGMAP_CALL_BRK, place);
		recorder->asked = place->arguments[0];
		return true;
	case NUMBER_EXECVE:
		enter_execve(recorder, pid, place->arguments[0]);
		return true;
	case NUMBER_EXECVEAT:
		enter_execve(recorder, pid, place->arguments[1]);
		return true;
	case NUMBER_SET_TID_ADDRESS:
		recorder->trace->thread = place->arguments[0];
		return false;
	case NUMBER_OTHER:
		break;
	}
	return false;
}

/*
 * brk(2) always returns the end of the heap, and so never an error (mm/mmap.c:brk);
 * that it has not moved although it was asked to is lack of memory.
 */
static void leave_brk(struct recorder *recorder, uint64_t now)
{
	struct segmap_traced *call = &recorder->call;
	uint64_t before = recorder->heap_end ? recorder->heap_end : now;

	call->start = min_u64(before, now);
	call->end = max_u64(before, now);
	call->result = now;
	if (recorder->asked && recorder->asked != now)
		call->errnum = ENOMEM;
	recorder->heap_end = now;
}

static void leave(struct recorder *recorder, const struct trace_place *place)
{
	struct segmap_traced *call = &recorder->call;
	uint64_t size = call->end - call->start;

	if (call->name == SEGMAP_CALL_BRK) {
		leave_brk(recorder, (uint64_t)place->result);
	} else if (place->failed) {
		call->errnum = place->result < 0 && place->result > -4096 ? (int)-place->result :
									    EINVAL;
	} else if (call->name == SEGMAP_CALL_MMAP || call->name == SEGMAP_CALL_MREMAP) {
		call->result = call->start = (uint64_t)place->result;
		call->end = call->start + size;
	}
	add(recorder);
}

void recorder_take(struct recorder *recorder, pid_t pid, const struct trace_place *place)
{
	if (place->enters) {
		free(recorder->call.file);
		recorder->call = (struct segmap_traced){ .counter = place->counter };
		recorder->inside = enter(recorder, pid, place);
	} else if (place->leaves && recorder->inside) {
		leave(recorder, place);
	}
}
