/* src/read/trace.h - what ptrace can do to a stopped process, on each machine. */
#ifndef READ_TRACE_H
#define READ_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All of these are for the thread that traces @pid, while it is stopped. */

/* Where a process stands. */
struct trace_place {
	uint64_t counter; /* address of the next instruction */
	bool enters;	  /* it is about to make the system call below */
	bool leaves;	  /* a system call is about to return */
	bool is_i386;	  /* with the numbers of i386, on x86-64 */
	uint64_t call, arguments[6]; /* if it enters */
	int64_t result; /* if it leaves; what failed has a negative errno value */
	bool failed;	/* likewise */
};

/* False if it is gone. */
bool trace_place(pid_t pid, struct trace_place *ret);

/* Read or write its memory, whatever the permissions of the pages; false unless all could be. */
bool trace_read(pid_t pid, uint64_t addr, void *buffer, size_t size);
bool trace_write(pid_t pid, uint64_t addr, const void *buffer, size_t size);

/* Longest instruction that stops a process, over all machines. */
enum { MOST_TRAP_BYTES = 4 };

struct breakpoint {
	uint64_t addr;
	bool set;
	bool hardware;
	unsigned char replaced[MOST_TRAP_BYTES]; /* what was there, if it is not hardware */
};

/*
 * Have the main thread of @pid stop with SIGTRAP before it executes what is at
 * @addr: by a debug register, which leaves no trace in its memory, else by an
 * instruction. False where there can be neither (nothing is mapped there).
 */
bool breakpoint_set(pid_t pid, uint64_t addr, struct breakpoint *ret);

/* Likewise, by an instruction in any case. */
bool breakpoint_set_software(pid_t pid, uint64_t addr, struct breakpoint *ret);

/* Whether @pid, stopped with SIGTRAP, is at @breakpoint. */
bool breakpoint_reached(pid_t pid, const struct breakpoint *breakpoint);

/* Take it away; a process that it has stopped then goes on as if it had never been. */
void breakpoint_clear(pid_t pid, struct breakpoint *breakpoint);

#endif
