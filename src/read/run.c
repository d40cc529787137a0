/* src/read/run.c - running a program under ptrace, to a defined moment of its life. */
#include <segmap/run.h>
#include "base/scope.h"
#include "read/bytes.h"
#include "read/startup.h"
#include "read/trace.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/*
 * ptrace belongs to a thread, and so does waiting for its children (__WNOTHREAD).
 * Therefore one thread of its own does all of it, and the caller only says how
 * far the program shall go, and waits, for as long as the time limit allows:
 *
 *   caller   wanted = entry ........ waits ........ stop, or kills it when the time is up
 *   tracer   .......... runs it to the entry point, says so, waits for the next wish
 */
struct segmap_run {
	struct segmap_run_options options;
	uint64_t page_size;
	pthread_t thread;
	bool has_thread;

	pthread_mutex_t lock; /* for what follows, up to the next comment */
	pthread_cond_t changed;
	enum segmap_moment wanted; /* by the caller; NONE: it is not waiting */
	bool leave;		   /* the caller is done with it */
	bool answered;		   /* stop and error are for the last wish */
	bool timed_out;
	bool gone;		   /* the thread does nothing more but end */
	struct segmap_stop stop;
	struct segmap_error *error; /* the caller takes it */
	int pidfd;		    /* of the program; -1 before it is there */

	/* The tracer's own. */
	enum segmap_moment reached;
	enum segmap_run_state state; /* as it ended; STOPPED while it has not */
	int errnum, signal, status;
	pid_t pid;
	pid_t *others; /* its threads and what else it has started, as long as they live */
	size_t n_others, cap_others;
	int refusal; /* pipe on which the child says why execve failed */
	int pending; /* signal that has stopped it and that it still has to get */
	bool software;
	struct startup startup;
	struct breakpoint breakpoint;
	uint64_t *linked;
	size_t n_linked;
	sigset_t mask; /* the caller's, which the program gets */
};

/* ---- the child ---- */

static void use_null_streams(void)
{
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd <= 2 && null >= 0; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
}

/* read(2), again where it is interrupted. Safe between fork and execve. */
static bool read_pipe(int fd, void *ret, size_t size)
{
	ssize_t got;

	do {
		got = read(fd, ret, size);
	} while (got < 0 && errno == EINTR);
	return got == (ssize_t)size;
}

static void write_pipe(int fd, const void *what, size_t size)
{
	while (write(fd, what, size) < 0 && errno == EINTR)
		continue;
}

/* Only what is safe between fork and execve in a process with threads. */
static _Noreturn void become(const struct segmap_run *run, int go, int refusal)
{
	const struct segmap_run_options *options = &run->options;
	char *alone[] = { (char *)(uintptr_t)options->path, NULL };
	int errnum;
	char byte;

	if (options->apart) {
		setsid();
		use_null_streams();
	}
	sigprocmask(SIG_SETMASK, &run->mask, NULL);
	/* Nothing comes if whoever traces it is no more. */
	if (!read_pipe(go, &byte, 1))
		_exit(127);
	execve(options->path, options->arguments ? options->arguments : alone,
	       options->environment ? options->environment : environ);
	errnum = errno;
	write_pipe(refusal, &errnum, sizeof(errnum));
	_exit(127);
}

/* ---- the tracer: events ---- */

static bool is_stopping(int signal)
{
	return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

/*
 * Let @pid go on from a stop that is none of ours: with the signal that has
 * stopped it, or as a stopped process (PTRACE_LISTEN), or just on from an event.
 */
static void pass(pid_t pid, int status, int request)
{
	int event = status >> 16, signal = WSTOPSIG(status);

	if (event == PTRACE_EVENT_STOP && is_stopping(signal))
		ptrace(PTRACE_LISTEN, pid, NULL, NULL);
	else if (event || signal == (SIGTRAP | 0x80))
		ptrace(request, pid, NULL, NULL);
	else
		ptrace(request, pid, NULL, (void *)(intptr_t)signal);
}

/* It has ended: take down how. */
static void take_end(struct segmap_run *run, int status)
{
	int errnum;

	run->pid = 0;
	if (run->reached == SEGMAP_MOMENT_NONE && WIFEXITED(status) &&
	    read_pipe(run->refusal, &errnum, sizeof(errnum))) {
		run->state = SEGMAP_RUN_REFUSED;
		run->errnum = errnum;
	} else if (WIFEXITED(status)) {
		run->state = SEGMAP_RUN_EXITED;
		run->status = WEXITSTATUS(status);
	} else {
		run->state = SEGMAP_RUN_KILLED;
		run->signal = WIFSIGNALED(status) ? WTERMSIG(status) : SIGKILL;
	}
}

/* Keep in mind who is traced beside the program: @pid has stopped, or has ended. */
static void note_other(struct segmap_run *run, pid_t pid, bool ended)
{
	size_t i = 0;

	while (i < run->n_others && run->others[i] != pid)
		i++;
	if (ended && i < run->n_others)
		run->others[i] = run->others[--run->n_others];
	if (ended || i < run->n_others)
		return;
	if (grow(&run->others, &run->cap_others, run->n_others, sizeof(*run->others)))
		run->others[run->n_others++] = pid;
	else
		kill(pid, SIGKILL);
}

static bool is_exec(int status)
{
	return WIFSTOPPED(status) && status >> 16 == PTRACE_EVENT_EXEC;
}

/*
 * @pid has executed a program. If another thread than the main one did, that has the main
 * one's number now, and its own can become anybody's without an event (ptrace(2)).
 */
static void forget_executed(struct segmap_run *run, pid_t pid)
{
	unsigned long before;

	if (ptrace(PTRACE_GETEVENTMSG, pid, NULL, &before) == 0 && (pid_t)before != pid)
		note_other(run, (pid_t)before, true);
}

/* The next event of whoever is traced. False if there is nobody left. */
static bool wait_for_any(struct segmap_run *run, pid_t *pid, int *status)
{
	do {
		*pid = waitpid(-1, status, __WALL | __WNOTHREAD);
	} while (*pid < 0 && errno == EINTR);
	if (*pid > 0 && *pid != run->pid)
		note_other(run, *pid, !WIFSTOPPED(*status));
	if (*pid > 0 && is_exec(*status))
		forget_executed(run, *pid);
	return *pid > 0;
}

/*
 * Wait for an event of the program itself; its threads and whatever else it
 * has started just go on meanwhile. Its end is taken down, and is false.
 */
static bool wait_for_program(struct segmap_run *run, int *status)
{
	pid_t pid;

	while (wait_for_any(run, &pid, status)) {
		if (pid != run->pid && WIFSTOPPED(*status))
			pass(pid, *status, PTRACE_CONT);
		if (pid != run->pid)
			continue;
		if (!WIFSTOPPED(*status))
			take_end(run, *status);
		return WIFSTOPPED(*status);
	}
	take_end(run, SIGKILL);
	return false;
}

/* The signal that the event would give to the program; 0 where it is none. */
static int signal_of(int status)
{
	int signal = WSTOPSIG(status);

	return status >> 16 || signal == (SIGTRAP | 0x80) ? 0 : signal;
}

/*
 * Go on to the next event of the program, over those that are no concern of the
 * caller's: forks, and having been stopped. A signal is an event. False if it has ended.
 */
static bool go_on(struct segmap_run *run, int request, int signal, int *status)
{
	/* What cannot go on because it was just killed has its end as the next event. */
	ptrace(request, run->pid, NULL, (void *)(intptr_t)signal);
	while (wait_for_program(run, status)) {
		int event = *status >> 16;

		if (!event || event == PTRACE_EVENT_EXEC)
			return true;
		pass(run->pid, *status, request);
	}
	return false;
}

/* ---- the tracer: from moment to moment ---- */

/* From before its execve to the return of that. */
static struct segmap_error *run_to_exec(struct segmap_run *run)
{
	struct trace_place place;
	int status;

	while (wait_for_program(run, &status)) {
		if (!is_exec(status)) {
			pass(run->pid, status, PTRACE_CONT);
			continue;
		}
		if (!trace_place(run->pid, &place))
			return segmap_error_new(SEGMAP_ERROR_SYSTEM, run->options.path,
						"the kernel does not tell where it stands "
						"(PTRACE_GET_SYSCALL_INFO, Linux 5.3)");
		startup_read(run->pid, run->page_size, &run->startup);
		run->reached = SEGMAP_MOMENT_EXEC;
		break;
	}
	return NULL;
}

/* Whether it stands at its entry point: stopped there, or about to die there. */
static bool is_at_entry(const struct segmap_run *run, int status)
{
	struct trace_place place;

	if (signal_of(status) == SIGTRAP && breakpoint_reached(run->pid, &run->breakpoint))
		return true;
	return signal_of(status) == SIGSEGV && trace_place(run->pid, &place) &&
	       place.counter == run->startup.entry;
}

/*
 * Have it stop at its entry point. Where nothing is mapped yet it needs no
 * breakpoint: it cannot get past.
 */
static struct segmap_error *set_stop(struct segmap_run *run)
{
	unsigned char byte;

	if (breakpoint_set(run->pid, run->startup.entry, &run->breakpoint))
		run->software = !run->breakpoint.hardware;
	else if (trace_read(run->pid, run->startup.entry, &byte, 1))
		return segmap_error_new(SEGMAP_ERROR_SYSTEM, run->options.path,
					"it cannot be stopped at its entry point: segmap knows no "
					"breakpoint for this machine");
	return NULL;
}

/* False if it ended before. */
static bool run_to_entry(struct segmap_run *run)
{
	int status, signal = 0;

	while (go_on(run, PTRACE_CONT, signal, &status)) {
		if (is_exec(status)) {
			run->state = SEGMAP_RUN_REPLACED;
			return false;
		}
		signal = signal_of(status);
		if (is_at_entry(run, status)) {
			run->pending = signal == SIGTRAP ? 0 : signal;
			breakpoint_clear(run->pid, &run->breakpoint);
			return true;
		}
	}
	return false;
}

/*
 * From the entry point of a program without a dynamic linker to the end of its
 * start-up. A signal ends it, too: what gets one is not on its way to main.
 */
static void run_start_up(struct segmap_run *run)
{
	enum { MOST_CALLS = 1000 };
	bool protects = false;
	int status;

	for (int i = 0; i < MOST_CALLS && go_on(run, PTRACE_SYSCALL, 0, &status); i++) {
		struct trace_place place;

		run->pending = signal_of(status);
		if (is_exec(status))
			run->state = SEGMAP_RUN_REPLACED;
		if (is_exec(status) || run->pending || !trace_place(run->pid, &place))
			return;
		if (place.leaves && protects)
			return;
		if (!place.enters)
			continue;
		if (!startup_makes(&place))
			return;
		protects = startup_is_relro(&run->startup, &place);
	}
}

static struct segmap_error *read_linked(struct segmap_run *run)
{
	run->linked = calloc(SEGMAP_MAX_LINKED, sizeof(*run->linked));
	if (!run->linked)
		return segmap_error_no_memory();
	run->n_linked = startup_linked(run->pid, &run->startup, run->linked, SEGMAP_MAX_LINKED);
	return NULL;
}

/* From exec to entry. */
static struct segmap_error *run_from_exec(struct segmap_run *run)
{
	struct segmap_error *error = NULL;
	struct trace_place place;
	bool there = trace_place(run->pid, &place) && place.counter == run->startup.entry;

	if (!there)
		error = set_stop(run);
	if (error || (!there && !run_to_entry(run)))
		return error;
	if (run->startup.has_linker)
		error = read_linked(run);
	else
		run_start_up(run);
	if (run->state == SEGMAP_RUN_STOPPED)
		run->reached = SEGMAP_MOMENT_ENTRY;
	return error;
}

static struct segmap_error *run_on(struct segmap_run *run, enum segmap_moment wanted)
{
	struct segmap_error *error = NULL;

	if (run->state == SEGMAP_RUN_STOPPED && run->reached == SEGMAP_MOMENT_NONE)
		error = run_to_exec(run);
	if (!error && run->state == SEGMAP_RUN_STOPPED && wanted == SEGMAP_MOMENT_ENTRY &&
	    run->reached == SEGMAP_MOMENT_EXEC)
		error = run_from_exec(run);
	return error;
}

/* ---- the tracer: beginning and end ---- */

/* Neither end in the place of a standard stream that is closed: the child gets others there. */
static bool open_pipe(int *ret_read, int *ret_write)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return false;
	*ret_read = fd_above_streams(ends[0]);
	*ret_write = fd_above_streams(ends[1]);
	return *ret_read >= 0 && *ret_write >= 0;
}

/*
 * It is traced before it executes anything, and with PTRACE_O_EXITKILL from the
 * first: the child waits until then, and ends if nobody will trace it.
 */
static struct segmap_error *begin(struct segmap_run *run)
{
	const char *path = run->options.path;
	scope_close int go_read = -1, go_write = -1, refusal_write = -1;
	long options = PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD |
		       PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;

	if (!open_pipe(&go_read, &go_write) || !open_pipe(&run->refusal, &refusal_write))
		return segmap_error_system(errno, path, "run it");
	/* This thread's children are this program alone. */
	if (run->options.no_aslr) {
		struct segmap_error *error = startup_without_aslr(path);

		if (error)
			return error;
	}
	run->pid = fork();
	if (run->pid < 0) {
		run->pid = 0;
		return segmap_error_system(errno, path, "make a process for it");
	}
	if (!run->pid) {
		close(go_write);
		become(run, go_read, refusal_write);
	}
	pthread_mutex_lock(&run->lock);
	run->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
	pthread_mutex_unlock(&run->lock);
	if (ptrace(PTRACE_SEIZE, run->pid, NULL, (void *)options))
		return segmap_error_new(SEGMAP_ERROR_PERMISSION, path,
					"trace it: %s (a tracer or a sandbox may forbid it; see "
					"kernel.yama.ptrace_scope)",
					strerror(errno));
	write_pipe(go_write, "", 1);
	return NULL;
}

/*
 * Kill all that this thread traces, and wait for it. A process that was just
 * being made is seen when it stops for the first time.
 */
static void end_all(struct segmap_run *run)
{
	int status;
	pid_t pid;

	if (run->pid)
		kill(run->pid, SIGKILL);
	for (size_t i = 0; i < run->n_others; i++)
		kill(run->others[i], SIGKILL);
	while (wait_for_any(run, &pid, &status))
		if (WIFSTOPPED(status))
			kill(pid, SIGKILL);
}

static void release(struct segmap_run *run)
{
	if (run->refusal >= 0)
		close(run->refusal);
	if (run->pidfd >= 0)
		close(run->pidfd);
	segmap_error_free(run->error);
	pthread_cond_destroy(&run->changed);
	pthread_mutex_destroy(&run->lock);
	free(run->linked);
	free(run->others);
	free(run);
}

/* With the lock held: what the caller gets. */
static void answer(struct segmap_run *run, struct segmap_error *error)
{
	run->stop = (struct segmap_stop){
		.state = run->state,
		.pid = run->state == SEGMAP_RUN_STOPPED ? run->pid : 0,
		.errnum = run->errnum,
		.signal = run->signal,
		.status = run->status,
		.software = run->software,
		.linked = run->linked,
		.n_linked = run->n_linked,
	};
	run->error = error;
	run->answered = true;
	run->wanted = SEGMAP_MOMENT_NONE;
	pthread_cond_signal(&run->changed);
}

static void *trace(void *context)
{
	struct segmap_run *run = context;
	bool begun = false;

	pthread_mutex_lock(&run->lock);
	for (;;) {
		enum segmap_moment wanted = run->wanted;
		struct segmap_error *error = NULL;

		if (run->leave)
			break;
		if (wanted == SEGMAP_MOMENT_NONE) {
			pthread_cond_wait(&run->changed, &run->lock);
			continue;
		}
		pthread_mutex_unlock(&run->lock);
		if (!begun)
			error = begin(run);
		begun = true;
		if (!error)
			error = run_on(run, wanted);
		pthread_mutex_lock(&run->lock);
		answer(run, error);
	}
	pthread_mutex_unlock(&run->lock);
	end_all(run);
	pthread_mutex_lock(&run->lock);
	run->gone = true;
	pthread_cond_signal(&run->changed);
	pthread_mutex_unlock(&run->lock);
	return NULL;
}

/* ---- the caller ---- */

bool segmap_run_keeps_privileges(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return syscall(SYS_capget, &header, data) == 0 &&
	       (data[0].effective >> CAP_SYS_PTRACE & 1);
}

struct segmap_error *segmap_run_new(const struct segmap_run_options *options,
				    struct segmap_run **ret)
{
	struct segmap_run *run = calloc(1, sizeof(*run));
	pthread_condattr_t attributes;

	if (!run)
		return segmap_error_no_memory();
	run->options = *options;
	run->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	run->pidfd = run->refusal = -1;
	pthread_mutex_init(&run->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&run->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	*ret = run;
	return NULL;
}

/* Signals are the caller's: the thread has all of them blocked, and the child opens them again. */
static struct segmap_error *start_thread(struct segmap_run *run)
{
	enum { STACK_SIZE = 1 << 20 }; /* not RLIMIT_STACK, which can be more than there is room for */
	pthread_attr_t attributes;
	sigset_t all;
	int problem;

	if (run->has_thread)
		return NULL;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &run->mask);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	problem = pthread_create(&run->thread, &attributes, trace, run);
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &run->mask, NULL);
	if (problem)
		return segmap_error_system(problem, run->options.path, "make a thread to trace it");
	run->has_thread = true;
	return NULL;
}

/* With the lock held: wait until *@what, at most for @seconds (0: as long as it takes). */
static bool wait_until(struct segmap_run *run, const bool *what, unsigned int seconds)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += seconds;
	while (!*what) {
		if (!seconds)
			pthread_cond_wait(&run->changed, &run->lock);
		else if (pthread_cond_timedwait(&run->changed, &run->lock, &until) == ETIMEDOUT)
			return *what;
	}
	return true;
}

/* How long a process that has been killed may take to end: one that the kernel holds on to,
 * for a disk or a server that does not answer, is left to it. */
enum { SECONDS_TO_DIE = 5 };

static void kill_program(struct segmap_run *run)
{
	if (run->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, run->pidfd, SIGKILL, NULL, 0);
}

struct segmap_error *segmap_run_to(struct segmap_run *run, enum segmap_moment moment,
				   struct segmap_stop *ret)
{
	struct segmap_error *error = start_thread(run);
	struct segmap_stop stop;

	if (error)
		return error;
	pthread_mutex_lock(&run->lock);
	if (!run->timed_out) {
		run->answered = false;
		run->wanted = moment;
		pthread_cond_broadcast(&run->changed);
		run->timed_out = !wait_until(run, &run->answered, run->options.seconds);
		if (run->timed_out) {
			kill_program(run);
			wait_until(run, &run->answered, SECONDS_TO_DIE);
		}
	}
	stop = run->timed_out ? (struct segmap_stop){ .state = SEGMAP_RUN_TIMED_OUT } : run->stop;
	error = run->error;
	run->error = NULL;
	pthread_mutex_unlock(&run->lock);
	if (!error)
		*ret = stop;
	return error;
}

void segmap_run_free(struct segmap_run *run)
{
	bool gone;

	if (!run)
		return;
	if (!run->has_thread) {
		release(run);
		return;
	}
	pthread_mutex_lock(&run->lock);
	run->leave = true;
	kill_program(run);
	pthread_cond_broadcast(&run->changed);
	gone = wait_until(run, &run->gone, 2 * SECONDS_TO_DIE);
	pthread_mutex_unlock(&run->lock);
	if (gone) {
		pthread_join(run->thread, NULL);
		release(run);
	} else {
		/* The thread still waits in the kernel, and what it uses stays with it. */
		pthread_detach(run->thread);
	}
}
