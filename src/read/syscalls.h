/* src/read/syscalls.h - taking down the calls that change an address space. */
#ifndef READ_SYSCALLS_H
#define READ_SYSCALLS_H

#include "read/trace.h"
#include <segmap/trace.h>

/* Zero-initialize but for the first two. */
struct recorder {
	struct segmap_trace *trace;
	uint64_t page_size;
	uint64_t heap_end; /* as far as it has been heard of; 0: not yet */
	bool inside;	   /* the call below has been entered and not left */
	struct segmap_traced call;
	uint64_t asked; /* brk: the end of the heap that it asks for */
	bool failed;	/* for want of memory: the trace lacks a call, or a call its file */
};

void recorder_free(struct recorder *recorder);

/* @pid has just executed a program: what was before is of no interest any more. */
void recorder_restart(struct recorder *recorder, pid_t pid);

/* @pid enters or leaves a system call, as @place has it. */
void recorder_take(struct recorder *recorder, pid_t pid, const struct trace_place *place);

#endif
