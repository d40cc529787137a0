/* src/read/launch.c - becoming a program that a detached process of our own traces for a while. */
#include <segmap/launch.h>
#include "base/scope.h"
#include "read/bytes.h"
#include "read/privileges.h"
#include "read/startup.h"
#include "read/syscalls.h"
#include "read/trace.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* A thread of the program that is traced. */
struct task {
	pid_t tid;
	bool leaving; /* it is on its way out (PTRACE_EVENT_EXIT) */
};

struct segmap_launch {
	struct segmap_launch_options options;
	enum segmap_side side;
	int channel; /* to the other side; -1 once it has served */
	pid_t pid;   /* of the program; 0 when there is nothing to be traced any more */
	uint64_t page_size;

	/* The tracer's own. */
	struct privileges privileges;
	enum segmap_moment reached;
	enum segmap_run_state state; /* as it ended; STOPPED while it has not */
	int signal, status;
	struct task *tasks;
	size_t n_tasks, cap_tasks;
	pid_t stopped; /* the thread that is held still; 0: none */
	int pending;   /* signal that has stopped it and that it still has to get */
	int request;   /* how the main thread goes on: PTRACE_CONT or PTRACE_SYSCALL */
	bool software, replaced, unprivileged, randomized, leaving;
	bool failed; /* for want of memory: a thread or the list of libraries is not known */
	struct startup startup;
	struct breakpoint breakpoint;
	struct recorder recorder;
	uint64_t *linked;
	size_t n_linked;
	sigset_t mask; /* as inherited */
};

/* ---- two processes ---- */

/* What one side tells the other. */
enum word {
	WORD_NONE, /* it is no more */
	WORD_MAY_TRACE,
	WORD_MAY_EXECUTE,
	WORD_GIVEN_UP,
};

/* So few bytes go at once or not at all. */
static bool send_whole(const struct segmap_launch *launch, const void *what, size_t size)
{
	ssize_t sent;

	do {
		sent = send(launch->channel, what, size, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent == (ssize_t)size;
}

static void say(const struct segmap_launch *launch, enum word word)
{
	char byte = (char)word;

	send_whole(launch, &byte, sizeof(byte));
}

static bool receive_whole(const struct segmap_launch *launch, void *ret, size_t size)
{
	ssize_t got;

	do {
		got = recv(launch->channel, ret, size, MSG_WAITALL);
	} while (got < 0 && errno == EINTR);
	return got == (ssize_t)size;
}

static enum word hear(const struct segmap_launch *launch)
{
	char byte;

	return receive_whole(launch, &byte, sizeof(byte)) ? (enum word)byte : WORD_NONE;
}

static struct segmap_error *cannot_start(const struct segmap_launch *launch, int errnum)
{
	return segmap_error_system(errnum, launch->options.arguments[0],
				   "make a process that traces it");
}

/* The grandchild: no child of the program, and out of reach of its terminal's signals. */
static void become_tracer(struct segmap_launch *launch)
{
	int null;

	launch->side = SEGMAP_SIDE_TRACER;
	setsid();
	/* To read standard input is the program's business alone. */
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null >= 0)
		dup2(null, 0);
	if (null > 0)
		close(null);
}

/*
 * Wait for the child between the two, and return its exit status. If the caller has
 * blocked SIGCHLD, the one that this has made would wait for the program.
 */
static int reap(pid_t child, bool had_signal)
{
	sigset_t ended, pending;
	int status = 0;

	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		continue;
	sigemptyset(&ended);
	sigaddset(&ended, SIGCHLD);
	if (!had_signal && sigpending(&pending) == 0 && sigismember(&pending, SIGCHLD))
		sigtimedwait(&ended, NULL, &(struct timespec){ 0 });
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

/* Orphans must not come to this process, where it is one that takes them. */
static int take_no_orphans(void)
{
	int takes = 0;

	if (prctl(PR_GET_CHILD_SUBREAPER, &takes) == 0 && takes)
		prctl(PR_SET_CHILD_SUBREAPER, 0);
	return takes;
}

/* With all signals blocked. Both the caller and its grandchild come back from it. */
static struct segmap_error *fork_twice(struct segmap_launch *launch, const int ends[2])
{
	int takes_orphans = take_no_orphans();
	sigset_t pending;
	bool had_signal = sigpending(&pending) == 0 && sigismember(&pending, SIGCHLD);
	pid_t child = fork();
	int errnum = errno;

	if (child == 0) {
		child = fork();
		/* Numbers of errors are below 256. */
		if (child != 0)
			_exit(child < 0 ? errno : 0);
		close(ends[0]);
		launch->channel = ends[1];
		become_tracer(launch);
		return NULL;
	}
	close(ends[1]);
	launch->channel = ends[0];
	if (child > 0)
		errnum = reap(child, had_signal);
	if (takes_orphans)
		prctl(PR_SET_CHILD_SUBREAPER, takes_orphans);
	return errnum ? cannot_start(launch, errnum) : NULL;
}

/* A pair of connected sockets, neither in the place of a standard stream that is closed. */
static bool open_channel(int ret[2])
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return false;
	for (int i = 0; i < 2; i++)
		ret[i] = fd_above_streams(ends[i]);
	if (ret[0] >= 0 && ret[1] >= 0)
		return true;
	for (int i = 0; i < 2; i++)
		if (ret[i] >= 0)
			close(ret[i]);
	return false;
}

struct segmap_error *segmap_launch_split(const struct segmap_launch_options *options,
					 struct segmap_launch **ret, enum segmap_side *ret_side)
{
	struct segmap_launch *launch = calloc(1, sizeof(*launch));
	struct segmap_error *error;
	sigset_t all;
	int ends[2];

	if (!launch)
		return segmap_error_no_memory();
	launch->options = *options;
	launch->pid = getpid();
	launch->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	launch->channel = -1;
	launch->request = PTRACE_CONT;
	privileges_ask(&launch->privileges);
	if (!open_channel(ends)) {
		error = cannot_start(launch, errno);
		segmap_launch_free(launch);
		return error;
	}
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &launch->mask);
	error = fork_twice(launch, ends);
	if (launch->side == SEGMAP_SIDE_PROGRAM)
		sigprocmask(SIG_SETMASK, &launch->mask, NULL);
	if (error) {
		segmap_launch_free(launch);
		return error;
	}
	*ret = launch;
	*ret_side = launch->side;
	return NULL;
}

/* ---- the program's side ---- */

/* execve @name in each directory of PATH; returns the errno that says most. */
static int execute_in_path(char *const *arguments)
{
	const char *path = getenv("PATH");
	int errnum = ENOENT;

	if (!path)
		path = "/bin:/usr/bin"; /* as execvp() where there is no PATH */
	for (const char *at = path;; at++) {
		size_t size = strcspn(at, ":");
		char *candidate;

		/* An empty element is the working directory. */
		if (asprintf(&candidate, "%.*s%s%s", (int)size, at, size ? "/" : "./",
			     arguments[0]) < 0)
			return ENOMEM;
		execve(candidate, arguments, environ);
		free(candidate);
		/* As glibc's execvp(): what may be elsewhere is looked for further on. */
		if (errno != ENOENT && errno != ENOTDIR && errno != EACCES && errno != ESTALE &&
		    errno != ENODEV && errno != ETIMEDOUT)
			return errno;
		if (errno == EACCES)
			errnum = EACCES;
		at += size;
		if (!*at)
			return errnum;
	}
}

static struct segmap_error *not_executed(const char *name, int errnum)
{
	if (!name[0])
		return segmap_error_new(SEGMAP_ERROR_SYSTEM, "--run", "the program's name is empty");
	if (errnum == ENOENT && !strchr(name, '/'))
		return segmap_error_new(SEGMAP_ERROR_SYSTEM, name,
					"there is no such program in PATH");
	if (errnum == EACCES && !strchr(name, '/'))
		return segmap_error_new(SEGMAP_ERROR_PERMISSION, name,
					"there is no such program in PATH, as far as its directories "
					"may be searched and what is there may be executed");
	if (errnum == ENOENT && access(name, F_OK) == 0)
		return segmap_error_new(SEGMAP_ERROR_SYSTEM, name,
					"run it: its interpreter is not there (%s)",
					strerror(errnum));
	if (errnum == ENOEXEC)
		return segmap_error_new(SEGMAP_ERROR_FORMAT, name,
					"run it: %s (it is no program for this machine; a script "
					"begins with #! and its interpreter)",
					strerror(errnum));
	if (errnum == EACCES)
		return segmap_error_new(SEGMAP_ERROR_PERMISSION, name,
					"run it: %s (it has to be a file with execute permission)",
					strerror(errnum));
	return segmap_error_system(errnum, name, "run it");
}

struct segmap_error *segmap_launch_become(struct segmap_launch *launch)
{
	char *const *arguments = launch->options.arguments;
	enum word word = WORD_NONE;
	int tracer;

	/* Yama allows it to descendants only, or to whom we name; later to nobody any more. */
	if (receive_whole(launch, &tracer, sizeof(tracer))) {
		prctl(PR_SET_PTRACER, (unsigned long)tracer, 0, 0, 0);
		say(launch, WORD_MAY_TRACE);
		word = hear(launch);
		prctl(PR_SET_PTRACER, 0, 0, 0, 0);
	}
	if (word == WORD_GIVEN_UP)
		return NULL;
	if (word != WORD_MAY_EXECUTE)
		return segmap_error_new(SEGMAP_ERROR_SYSTEM, arguments[0],
					"the process that was to trace it has ended");
	if (launch->options.no_aslr) {
		struct segmap_error *error = startup_without_aslr(arguments[0]);

		if (error)
			return error;
	}
	if (!arguments[0][0] || strchr(arguments[0], '/')) {
		execve(arguments[0], arguments, environ);
		return not_executed(arguments[0], errno);
	}
	return not_executed(arguments[0], execute_in_path(arguments));
}

/* ---- the tracer: beginning ---- */

struct segmap_error *segmap_launch_attach(struct segmap_launch *launch)
{
	long options = PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD;
	int pid = getpid();

	/* Only its own threads are followed: what it forks is none of ours (ptrace(2)). */
	if (launch->options.to_exit)
		options |= PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXIT;
	if (launch->options.calls && !launch->recorder.trace) {
		options |= PTRACE_O_TRACEEXIT; /* to show what led to an early end */
		launch->recorder.page_size = launch->page_size;
		launch->recorder.trace = calloc(1, sizeof(*launch->recorder.trace));
		if (!launch->recorder.trace)
			return segmap_error_no_memory();
		launch->request = PTRACE_SYSCALL;
	}
	if (!send_whole(launch, &pid, sizeof(pid)) ||
	    hear(launch) != WORD_MAY_TRACE)
		return segmap_error_new(SEGMAP_ERROR_NO_PROCESS, launch->options.arguments[0],
					"it ended before it began");
	if (ptrace(PTRACE_SEIZE, launch->pid, NULL, (void *)options))
		return segmap_error_new(SEGMAP_ERROR_PERMISSION, launch->options.arguments[0],
					"trace it: %s (a tracer or a sandbox may forbid it; see "
					"kernel.yama.ptrace_scope)",
					strerror(errno));
	return NULL;
}

void segmap_launch_close_others(const struct segmap_launch *launch, int keep)
{
	unsigned int low = (unsigned int)(keep < launch->channel ? keep : launch->channel);
	unsigned int high = (unsigned int)(keep < launch->channel ? launch->channel : keep);

	if (keep < 3)
		low = high = (unsigned int)launch->channel;
	if (low > 3)
		close_range(3, low - 1, 0);
	if (low + 1 < high)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, UINT_MAX, 0);
}

void segmap_launch_begin(struct segmap_launch *launch)
{
	say(launch, WORD_MAY_EXECUTE);
	close(launch->channel);
	launch->channel = -1;
}

/* ---- the tracer: threads ---- */

static struct task *find_task(struct segmap_launch *launch, pid_t tid)
{
	for (size_t i = 0; i < launch->n_tasks; i++)
		if (launch->tasks[i].tid == tid)
			return &launch->tasks[i];
	return NULL;
}

static void add_task(struct segmap_launch *launch, pid_t tid)
{
	if (find_task(launch, tid))
		return;
	if (grow(&launch->tasks, &launch->cap_tasks, launch->n_tasks, sizeof(*launch->tasks)))
		launch->tasks[launch->n_tasks++] = (struct task){ .tid = tid };
	else
		launch->failed = true;
}

static void remove_task(struct segmap_launch *launch, pid_t tid)
{
	struct task *task = find_task(launch, tid);

	if (task)
		*task = launch->tasks[--launch->n_tasks];
}

static bool is_thread_of(pid_t tid, pid_t pid)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)pid, (int)tid);
	return access(path, F_OK) == 0;
}

/*
 * Whether @tid will execute nothing more: it has ended, or SIGKILL waits for it. When
 * another thread ends all of them (exit_group(2), a signal), that wakes those that
 * stand still because they are on their way out, too: their stop may never be seen
 * (Linux kernel/signal.c:zap_other_threads, ptrace_stop).
 */
static bool is_doomed(pid_t pid, pid_t tid)
{
	enum { MOST = 1 << 20 }; /* 65536 groups stand in it, too, and before what is looked for */
	unsigned long long pending = 0;
	scope_free char *text = NULL;
	char path[48];
	const char *line;
	size_t size;
	int problem;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", (int)pid, (int)tid);
	problem = file_read_whole(AT_FDCWD, path, MOST, &text, &size);
	if (problem)
		return problem != -ENOMEM;
	line = strstr(text, "\nState:\t");
	if (line && (line[8] == 'Z' || line[8] == 'X'))
		return true;
	line = strstr(text, "\nSigPnd:\t");
	return line && sscanf(line + 9, "%llx", &pending) == 1 && pending >> (SIGKILL - 1) & 1;
}

/* @tid is on its way out. Whether it is the last of the program's threads. */
static bool is_last_to_leave(struct segmap_launch *launch, pid_t tid)
{
	struct task *task;

	add_task(launch, tid);
	task = find_task(launch, tid);
	if (task)
		task->leaving = true;
	for (size_t i = 0; i < launch->n_tasks; i++)
		if (!launch->tasks[i].leaving && !is_doomed(launch->pid, launch->tasks[i].tid))
			return false;
	return true;
}

/* ---- the tracer: events ---- */

enum happening {
	HAPPENING_ENDED,    /* the program is no more */
	HAPPENING_EXECUTED, /* execve has loaded a program */
	HAPPENING_LEAVING,  /* its last thread is about to end */
	HAPPENING_SIGNAL,   /* the main thread is about to get launch->pending */
	HAPPENING_SYSCALL,  /* the main thread enters or leaves a system call */
};

/* Let the thread @tid go on, with @signal if that is not 0. */
static void resume(const struct segmap_launch *launch, pid_t tid, int signal)
{
	int request = tid == launch->pid ? launch->request : PTRACE_CONT;

	/* One that cannot go on because it was just killed has its end as the next event. */
	ptrace(request, tid, NULL, (void *)(intptr_t)signal);
}

static bool is_stopping(int signal)
{
	return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

/* A thread begins, or the program has been stopped by its user, or goes on after that. */
static void pass_stop(struct segmap_launch *launch, pid_t tid, int signal)
{
	if (tid != launch->pid && !find_task(launch, tid)) {
		/* clone(2) makes other processes as well (ptrace(2), PTRACE_O_TRACECLONE). */
		if (!is_thread_of(tid, launch->pid)) {
			ptrace(PTRACE_DETACH, tid, NULL, NULL);
			return;
		}
		add_task(launch, tid);
	}
	if (is_stopping(signal))
		ptrace(PTRACE_LISTEN, tid, NULL, NULL);
	else
		resume(launch, tid, 0);
}

static void take_end(struct segmap_launch *launch, int status)
{
	launch->pid = launch->stopped = 0;
	if (launch->reached == SEGMAP_MOMENT_NONE) {
		launch->state = SEGMAP_RUN_REFUSED;
	} else if (WIFEXITED(status)) {
		launch->state = SEGMAP_RUN_EXITED;
		launch->status = WEXITSTATUS(status);
	} else {
		launch->state = SEGMAP_RUN_KILLED;
		launch->signal = WIFSIGNALED(status) ? WTERMSIG(status) : SIGKILL;
	}
}

/* An event of the thread @tid that has stopped it. False: it goes on, nobody needs to know. */
static bool take_event(struct segmap_launch *launch, pid_t tid, int status, enum happening *ret)
{
	int signal = WSTOPSIG(status);
	unsigned long made;

	switch (status >> 16) {
	case PTRACE_EVENT_EXEC:
		/* All other threads are gone, and the one that called it is the main thread now. */
		launch->n_tasks = 0;
		add_task(launch, launch->pid);
		*ret = HAPPENING_EXECUTED;
		return true;
	case PTRACE_EVENT_EXIT:
		*ret = HAPPENING_LEAVING;
		if (is_last_to_leave(launch, tid))
			return true;
		resume(launch, tid, 0);
		return false;
	case PTRACE_EVENT_CLONE:
		/* It counts before it runs: the thread that made it can end first. */
		if (ptrace(PTRACE_GETEVENTMSG, tid, NULL, &made) == 0 &&
		    is_thread_of((pid_t)made, launch->pid))
			add_task(launch, (pid_t)made);
		resume(launch, tid, 0);
		return false;
	case PTRACE_EVENT_STOP:
		pass_stop(launch, tid, signal);
		return false;
	case 0:
		break;
	default:
		resume(launch, tid, 0);
		return false;
	}
	if (tid != launch->pid) {
		resume(launch, tid, signal);
		return false;
	}
	*ret = signal == (SIGTRAP | 0x80) ? HAPPENING_SYSCALL : HAPPENING_SIGNAL;
	launch->pending = *ret == HAPPENING_SIGNAL ? signal : 0;
	return true;
}

/* Go on from where it is held still to what comes next. */
static enum happening go_on(struct segmap_launch *launch)
{
	enum happening happening;
	int status;
	pid_t tid;

	if (launch->stopped)
		resume(launch, launch->stopped, launch->pending);
	launch->stopped = 0;
	launch->pending = 0;
	for (;;) {
		tid = waitpid(-1, &status, __WALL);
		if (tid < 0 && errno == EINTR)
			continue;
		if (tid < 0) {
			/* The kernel lets go of the main thread without an event where another
			 * one, not traced, executes a program (Linux fs/exec.c:de_thread). */
			launch->pid = launch->stopped = 0;
			launch->state = SEGMAP_RUN_REPLACED;
			return HAPPENING_ENDED;
		}
		if (!WIFSTOPPED(status) && tid == launch->pid) {
			take_end(launch, status);
			return HAPPENING_ENDED;
		}
		if (!WIFSTOPPED(status)) {
			remove_task(launch, tid);
		} else if (take_event(launch, tid, status, &happening)) {
			launch->stopped = tid;
			return happening;
		}
	}
}

/* ---- the tracer: from moment to moment ---- */

/*
 * Whether the file would give the program other privileges, were it not traced by
 * somebody without CAP_SYS_PTRACE (Linux security/commoncap.c:cap_bprm_creds_from_file).
 */
static bool loses_privileges(const struct segmap_launch *launch)
{
	struct stat stat;
	char exe[32];
	scope_close int fd = -1;

	if (segmap_run_keeps_privileges())
		return false;
	snprintf(exe, sizeof(exe), "/proc/%d/exe", (int)launch->pid);
	fd = open(exe, O_PATH | O_CLOEXEC);
	return fd >= 0 && fstat(fd, &stat) == 0 &&
	       privileges_are_given(&launch->privileges, fd, &stat);
}

/* A program has been executed: where it starts, and how. */
static void read_program(struct segmap_launch *launch)
{
	startup_read(launch->pid, launch->page_size, &launch->startup);
	launch->breakpoint = (struct breakpoint){ 0 };
	launch->unprivileged = loses_privileges(launch);
	launch->randomized = launch->options.no_aslr && startup_lost_no_aslr(launch->pid);
	if (launch->recorder.trace)
		recorder_restart(&launch->recorder, launch->pid);
}

static void run_to_exec(struct segmap_launch *launch)
{
	enum happening happening;

	do {
		happening = go_on(launch);
	} while (happening != HAPPENING_ENDED && happening != HAPPENING_EXECUTED);
	if (happening == HAPPENING_EXECUTED) {
		launch->reached = SEGMAP_MOMENT_EXEC;
		read_program(launch);
	}
}

static void take_call(struct segmap_launch *launch, const struct trace_place *place)
{
	if (launch->recorder.trace)
		recorder_take(&launch->recorder, launch->pid, place);
}

static struct segmap_error *set_breakpoint(struct segmap_launch *launch)
{
	if (!launch->startup.entry ||
	    !breakpoint_set(launch->pid, launch->startup.entry, &launch->breakpoint))
		return segmap_error_new(SEGMAP_ERROR_PERMISSION, launch->options.arguments[0],
					"its entry point cannot be found: it is not readable (root "
					"or the owner may)");
	launch->software = !launch->breakpoint.hardware;
	return NULL;
}

/* Whether it stands at its entry point: stopped there, or about to die there. */
static bool is_at_entry(const struct segmap_launch *launch)
{
	struct trace_place place;

	if (launch->pending == SIGTRAP && breakpoint_reached(launch->pid, &launch->breakpoint))
		return true;
	return launch->pending == SIGSEGV && trace_place(launch->pid, &place) &&
	       place.counter == launch->startup.entry;
}

/* It is gone before the entry point if launch->state says so. */
static struct segmap_error *run_to_entry(struct segmap_launch *launch)
{
	struct segmap_error *error = launch->breakpoint.set ? NULL : set_breakpoint(launch);
	struct trace_place place;

	while (!error) {
		switch (go_on(launch)) {
		case HAPPENING_ENDED:
			return NULL;
		case HAPPENING_EXECUTED:
			launch->replaced = true;
			read_program(launch);
			error = set_breakpoint(launch);
			break;
		case HAPPENING_SYSCALL:
			if (trace_place(launch->pid, &place))
				take_call(launch, &place);
			break;
		case HAPPENING_SIGNAL:
			if (!is_at_entry(launch))
				break;
			if (launch->pending == SIGTRAP)
				launch->pending = 0;
			breakpoint_clear(launch->pid, &launch->breakpoint);
			return NULL;
		case HAPPENING_LEAVING:
			launch->leaving = launch->options.calls;
			if (launch->leaving)
				return NULL;
			break;
		}
	}
	return error;
}

/*
 * From the entry point of a program without a dynamic linker to the end of its
 * start-up (see segmap_run_to()). A signal ends it, too.
 */
static void run_start_up(struct segmap_launch *launch)
{
	enum { MOST_CALLS = 1000 };
	bool protects = false;

	launch->request = PTRACE_SYSCALL;
	for (int i = 0; i < MOST_CALLS && !launch->pending; i++) {
		struct trace_place place;

		if (go_on(launch) != HAPPENING_SYSCALL || !trace_place(launch->pid, &place))
			break;
		if (place.enters && !startup_makes(&place))
			break;
		take_call(launch, &place);
		if (place.leaves && protects)
			break;
		if (place.enters)
			protects = startup_is_relro(&launch->startup, &place);
	}
}

static void read_linked(struct segmap_launch *launch)
{
	launch->linked = calloc(SEGMAP_MAX_LINKED, sizeof(*launch->linked));
	if (launch->linked)
		launch->n_linked = startup_linked(launch->pid, &launch->startup, launch->linked,
						  SEGMAP_MAX_LINKED);
	else
		launch->failed = true;
}

static struct segmap_error *reach_entry(struct segmap_launch *launch)
{
	struct segmap_error *error;

	launch->leaving = false;
	error = run_to_entry(launch);

	if (error || launch->leaving || launch->state != SEGMAP_RUN_STOPPED)
		return error;
	if (launch->startup.has_linker)
		read_linked(launch);
	else
		run_start_up(launch);
	launch->request = PTRACE_CONT;
	if (launch->state == SEGMAP_RUN_STOPPED)
		launch->reached = SEGMAP_MOMENT_ENTRY;
	return NULL;
}

/* From here on the tracer may be killed: the program then just goes on. */
static void reach_exit(struct segmap_launch *launch)
{
	enum happening happening;

	sigaddset(&launch->mask, SIGPIPE); /* a write that fails is enough */
	sigprocmask(SIG_SETMASK, &launch->mask, NULL);
	launch->request = PTRACE_CONT;
	do {
		happening = go_on(launch);
		if (happening == HAPPENING_EXECUTED)
			launch->unprivileged = loses_privileges(launch);
	} while (happening != HAPPENING_ENDED && happening != HAPPENING_LEAVING);
	if (happening == HAPPENING_LEAVING)
		launch->reached = SEGMAP_MOMENT_EXIT;
}

struct segmap_error *segmap_launch_to(struct segmap_launch *launch, enum segmap_moment moment,
				      struct segmap_stop *ret)
{
	struct segmap_error *error = NULL;

	if (launch->state == SEGMAP_RUN_STOPPED && launch->reached == SEGMAP_MOMENT_NONE)
		run_to_exec(launch);
	if (launch->state == SEGMAP_RUN_STOPPED && launch->reached < moment &&
	    moment == SEGMAP_MOMENT_ENTRY)
		error = reach_entry(launch);
	if (launch->state == SEGMAP_RUN_STOPPED && launch->reached < moment &&
	    moment == SEGMAP_MOMENT_EXIT)
		reach_exit(launch);
	if (!error && (launch->failed || launch->recorder.failed))
		error = segmap_error_no_memory();
	if (error)
		return error;
	*ret = (struct segmap_stop){
		.state = launch->state,
		.pid = launch->pid,
		.signal = launch->signal,
		.status = launch->status,
		.software = launch->software,
		.replaced = launch->replaced,
		.leaving = launch->leaving,
		.unprivileged = launch->unprivileged,
		.randomized = launch->randomized,
		.linked = launch->linked,
		.n_linked = launch->n_linked,
	};
	return NULL;
}

struct segmap_trace *segmap_launch_take_trace(struct segmap_launch *launch)
{
	return return_ptr(launch->recorder.trace);
}

/* ---- the end ---- */

/*
 * Only a thread that stands still can be let go with the signal that it waits
 * for. The others go on by themselves when their tracer ends.
 */
static void let_go(struct segmap_launch *launch)
{
	if (!launch->stopped)
		return;
	if (launch->stopped == launch->pid)
		breakpoint_clear(launch->pid, &launch->breakpoint);
	ptrace(PTRACE_DETACH, launch->stopped, NULL, (void *)(intptr_t)launch->pending);
	launch->stopped = 0;
}

void segmap_launch_free(struct segmap_launch *launch)
{
	if (!launch)
		return;
	if (launch->side == SEGMAP_SIDE_TRACER) {
		let_go(launch);
		if (launch->channel >= 0)
			say(launch, WORD_GIVEN_UP);
	}
	if (launch->channel >= 0)
		close(launch->channel);
	recorder_free(&launch->recorder);
	free(launch->tasks);
	free(launch->linked);
	free(launch);
}
