/* include/segmap/run.h - running a program under ptrace, to a defined moment of its life. */
#ifndef SEGMAP_RUN_H
#define SEGMAP_RUN_H

#include <segmap/layout.h>

struct segmap_run_options {
	const char *path;	/* what execve(2) gets: nothing is looked up in PATH */
	char *const *arguments; /* argv, NULL at the end; NULL: only the path */
	char *const *environment; /* "NAME=VALUE", NULL at the end; NULL: segmap's own */
	bool no_aslr; /* personality(ADDR_NO_RANDOMIZE), for this process only */
	bool apart;   /* standard streams are /dev/null, and it is in a session of its own: it
			 has no terminal, and signals to segmap's process group do not reach it */
	unsigned int seconds; /* how long it may take from one stop to the next; 0: no limit */
};

/* How a program came to a stop, or why it did not. */
enum segmap_run_state {
	SEGMAP_RUN_STOPPED,   /* it holds still at the moment asked for */
	SEGMAP_RUN_REFUSED,   /* execve(2) returned: errnum */
	SEGMAP_RUN_KILLED,    /* by a signal, before that moment */
	SEGMAP_RUN_EXITED,    /* before that moment, with a status */
	SEGMAP_RUN_REPLACED,  /* it has executed another program before that moment */
	SEGMAP_RUN_TIMED_OUT, /* the time was up before that moment; it has been killed */
};

/* At most so many objects of the dynamic linker's list are read. */
enum { SEGMAP_MAX_LINKED = 4096 };

struct segmap_stop {
	enum segmap_run_state state;
	int pid;    /* of the program; 0 unless it is stopped */
	int errnum; /* SEGMAP_RUN_REFUSED: errno of execve(2) */
	int signal; /* SEGMAP_RUN_KILLED: which */
	int status; /* SEGMAP_RUN_EXITED: its exit status */
	/* The breakpoint at the entry point was an instruction put in the place of another, for
	 * want of a hardware breakpoint: that page is private to the process now. */
	bool software;
	bool unprivileged; /* segmap_launch_to(): it would have other privileges were it not traced */
	bool randomized;   /* segmap_launch_to(): the kernel has taken no_aslr back from it, for
			      set-user-ID, set-group-ID or capabilities (PER_CLEAR_ON_SETID) */
	/* segmap_launch_to(), when calls are traced: it does not get to its entry point, but is
	 * about to end. To ask for the entry point once more lets it. */
	bool leaving;
	bool replaced; /* segmap_launch_to(): it has executed another program on its way */
	/*
	 * At the entry point of a dynamic program: what the dynamic linker has loaded, in its
	 * own order (struct link_map of link.h), each by the address of its dynamic section.
	 * What a constructor has opened with dlopen(3) stands behind all that start-up loaded
	 * (glibc elf/dl-object.c:_dl_add_to_namespace_list). Owned by the run.
	 */
	const uint64_t *linked;
	size_t n_linked;
};

/*
 * A program that is run. It and all processes that it makes are traced, and
 * die with the run or with the process that made it, in whatever way that
 * ends (PTRACE_O_EXITKILL, set before execve).
 *
 * The tracing goes on in a thread of its own: the caller's other children and
 * its signals have nothing to do with it.
 */
struct segmap_run;

/*
 * Whether set-user-ID and the like have the effect under segmap's tracing that they
 * have without: else the program is run with the privileges of whoever runs it
 * (Linux security/commoncap.c:cap_bprm_creds_from_file, by CAP_SYS_PTRACE).
 */
SEGMAP_API bool segmap_run_keeps_privileges(void);

/* Prepare a run; nothing is executed yet. The strings of @options must outlive it. */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_run_new(const struct segmap_run_options *options, struct segmap_run **ret);

/*
 * Let the program go on to @moment: SEGMAP_MOMENT_EXEC, then SEGMAP_MOMENT_ENTRY
 * (or at once to that). While it is stopped there it can be read by its pid, as
 * any process (segmap_process_open()).
 *
 * exec: execve(2) has loaded it. entry: its entry point (AT_ENTRY) is reached,
 * by a hardware breakpoint where there are any: a dynamic linker has done its
 * work, and glibc's has run the constructors of libraries. A program without a
 * dynamic linker goes on from there to the end of its start-up: until the
 * mprotect(2) of its PT_GNU_RELRO has returned, else until the first system call
 * that no C library's start-up makes, or the first signal.
 *
 * That the program ends before is no error, but a state. Once it has ended every
 * later moment has the same state.
 *
 * Errors: no process can be made, or it cannot be traced.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_run_to(struct segmap_run *run, enum segmap_moment moment, struct segmap_stop *ret);

/* Kill the program and whatever it has started, wait for their end, and free. NULL is allowed. */
SEGMAP_API void segmap_run_free(struct segmap_run *run);

#endif
