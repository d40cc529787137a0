/* src/read/startup.h - how a program that has just been executed starts up. */
#ifndef READ_STARTUP_H
#define READ_STARTUP_H

#include "read/trace.h"
#include <segmap/error.h>

/*
 * From now on what this thread executes, itself or in children that it forks, is at the same
 * addresses each time (personality(2), ADDR_NO_RANDOMIZE). The error is about @program.
 */
SEGMAP_MUST_CHECK struct segmap_error *startup_without_aslr(const char *program);

/*
 * Whether @pid, executed after that, is randomized all the same: execve has taken the personality
 * back (fs/exec.c:begin_new_exec, PER_CLEAR_ON_SETID). False where it cannot be read.
 */
bool startup_lost_no_aslr(pid_t pid);

/* Of a program at the moment exec. Addresses are runtime addresses. */
struct startup {
	uint64_t entry;			 /* AT_ENTRY; 0 if unknown */
	bool has_linker;		 /* AT_BASE: the kernel has loaded an interpreter */
	uint64_t relro_start, relro_end; /* what becomes read-only, [start, end); 0, 0: nothing */
	uint64_t dynamic;		 /* of its dynamic section; 0 if there is none */
	bool is_64;
};

/* What auxiliary vector and program headers tell; all is zero where they cannot be read. */
void startup_read(pid_t pid, uint64_t page_size, struct startup *ret);

/* The same of the executable and the auxiliary vector that are open as @exe and @auxv; -1: not. */
void startup_read_from(int exe, int auxv, uint64_t page_size, struct startup *ret);

/* The call is the mprotect of the program's RELRO. @place enters it. */
bool startup_is_relro(const struct startup *startup, const struct trace_place *place);

/* Whether the start-up of a static program's C library makes this call, which @place enters. */
bool startup_makes(const struct trace_place *place);

/*
 * The dynamic linker's list of what it has loaded (DT_DEBUG of the program:
 * struct r_debug and struct link_map of link.h), of each object the address of
 * its dynamic section. At most @most; returns their number, 0 where there is
 * no such list.
 */
size_t startup_linked(pid_t pid, const struct startup *startup, uint64_t *ret, size_t most);

#endif
