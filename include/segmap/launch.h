/* include/segmap/launch.h - becoming a program that a detached process of our own traces for a
 * while. */
#ifndef SEGMAP_LAUNCH_H
#define SEGMAP_LAUNCH_H

#include <segmap/run.h>
#include <segmap/trace.h>

/*
 * The calling process becomes the program, and a process that is none of its
 * children holds it where it is looked at (as strace -D does it):
 *
 *   caller    split .. waits until it is traced .. execve .. the program
 *   tracer      `----- traces it ------------- shows it, lets go, ends
 *
 * So status, signals, job control, parent, terminal and descriptors of the
 * program are those of whoever called, by construction.
 */
struct segmap_launch;

enum segmap_side {
	SEGMAP_SIDE_PROGRAM, /* the calling process itself */
	SEGMAP_SIDE_TRACER,  /* a new process: in a session of its own, no child of the other */
};

struct segmap_launch_options {
	char *const *arguments; /* argv, NULL at the end; the first is the program: without a slash
				   it is looked up in PATH */
	bool no_aslr; /* personality(ADDR_NO_RANDOMIZE), which its children inherit */
	bool to_exit; /* moment exit will be asked for: its threads are traced, too */
	bool calls;   /* segmap_launch_take_trace() will be asked for */
};

/*
 * Split in two: returns in both processes. The tracer has all signals blocked, and
 * nothing to read from; what else is open stays so until segmap_launch_close_others().
 * Until segmap_launch_begin() nothing is executed.
 *
 * Errors (in the calling process alone): no process can be made.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_launch_split(const struct segmap_launch_options *options, struct segmap_launch **ret,
		    enum segmap_side *ret_side);

/* Let go of the program, if it is traced, and free. NULL is allowed. */
SEGMAP_API void segmap_launch_free(struct segmap_launch *launch);

/*
 * In the program's process: wait until it is traced, and execute. Returns only if
 * it cannot: an error, or NULL if the tracer has given up (and has said why). A
 * file that is neither ELF nor begins with #! is refused: no shell is tried.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_launch_become(struct segmap_launch *launch);

/* In the tracer: trace the other process. Errors: that is not allowed. */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_launch_attach(struct segmap_launch *launch);

/* In the tracer: close every descriptor that segmap has inherited, but the standard ones and
 * @keep (-1: none). They are the program's. */
SEGMAP_API void segmap_launch_close_others(const struct segmap_launch *launch, int keep);

/* In the tracer: the other process may execute the program. Without, it never does. */
SEGMAP_API void segmap_launch_begin(struct segmap_launch *launch);

/*
 * In the tracer: let the program go on to @moment; they are asked for in the
 * order in which they come. While it is stopped it can be read by its pid.
 *
 * exec and entry: see segmap_run_to(). If it executes another program before its
 * entry point, that one's is meant (@ret->replaced). exit: the last of its threads is about
 * to end (PTRACE_EVENT_EXIT), by a call or by a signal, and all memory is still there.
 *
 * Processes that it makes are not traced. That it ends before is a state;
 * SEGMAP_RUN_REFUSED: it was not executed, and segmap_launch_become() says why.
 *
 * Errors: its entry point cannot be found; memory, also for what was to be taken down on the way.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_launch_to(struct segmap_launch *launch, enum segmap_moment moment, struct segmap_stop *ret);

/*
 * The calls that its main thread has made so far, from execve to its entry point
 * at most. The caller frees the trace; NULL if none was asked for.
 */
SEGMAP_API struct segmap_trace *segmap_launch_take_trace(struct segmap_launch *launch);

#endif
