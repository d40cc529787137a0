/* src/cli/sandbox.c - giving up what the rest of a run does not need. */
#include "cli/sandbox.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef SANDBOX_FILTERS
#include "filters.h"
#endif

#define CAPABILITY(number) (UINT64_C(1) << (number))

/* Reading whatever can be read, without a trace in the time of its last access. */
#define TO_READ_FILES (CAPABILITY(CAP_DAC_READ_SEARCH) | CAPABILITY(CAP_FOWNER))

/* Since Linux 5.9; before, CAP_SYS_ADMIN stands for it. */
enum { TO_FOLLOW_MAP_FILES = 40 };

/* Page frames are told to CAP_SYS_ADMIN alone. */
#define TO_READ_PROCESSES                                                              \
	(TO_READ_FILES | CAPABILITY(CAP_SYS_PTRACE) | CAPABILITY(CAP_SYS_ADMIN) | \
	 CAPABILITY(TO_FOLLOW_MAP_FILES))

/* Kept for the rest of the run, where they are there. */
static const uint64_t kept[] = {
	[SANDBOX_OPENED] = 0,
	[SANDBOX_BELOW] = TO_READ_FILES,
	/* faccessat(2) answers for root by the capability that execve(2) goes by. */
	[SANDBOX_PROGRAMS] = TO_READ_FILES | CAPABILITY(CAP_DAC_OVERRIDE),
	[SANDBOX_PROCESSES] = TO_READ_PROCESSES,
	[SANDBOX_WATCHED] = TO_READ_PROCESSES,
};

static void drop_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, data))
		return;
	for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted &= (uint32_t)(keep >> 32 * i);
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	(void)!syscall(SYS_capset, &header, data);
}

/* ---- Landlock ---- */

/* <linux/landlock.h>, declared here, since segmap is also built with older headers. */
struct landlock_ruleset {
	uint64_t files, network, scoped; /* what is refused unless a rule allows it */
};

struct landlock_below {
	uint64_t allowed;
	int32_t directory; /* O_PATH */
} __attribute__((packed));

enum { RULE_BELOW = 1, ASK_VERSION = 1 };
#ifndef SYS_landlock_create_ruleset
enum {
	SYS_landlock_create_ruleset = 444,
	SYS_landlock_add_rule = 445,
	SYS_landlock_restrict_self = 446,
};
#endif

#define LANDLOCK_READ_FILE (UINT64_C(1) << 2)
#define LANDLOCK_READ_DIRECTORY (UINT64_C(1) << 3)

/*
 * Before Linux 6.2 (commit b9f5ce27c8f8) a file that may be read can be truncated by
 * opening it, O_RDONLY | O_TRUNC.
 */
enum { LANDLOCK_SEES_TRUNCATION = 3 };

/* 0 where there is none. */
static int landlock_version(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, ASK_VERSION);

	return version < 0 ? 0 : (int)version;
}

/* All that this version can refuse. */
static struct landlock_ruleset everything(int version)
{
	/* How many rights to files each has (Documentation/userspace-api/landlock.rst). */
	static const int rights[] = { 0, 13, 14, 15, 15, 16 };
	int last = (int)(sizeof(rights) / sizeof(rights[0])) - 1;

	return (struct landlock_ruleset){
		.files = (UINT64_C(1) << rights[version < last ? version : last]) - 1,
		.network = version >= 4 ? 3 : 0, /* to bind and to connect TCP sockets */
		.scoped = version >= 6 ? 3 : 0,	 /* abstract sockets and signals */
	};
}

/*
 * Nothing can be opened any more, but for reading below @directory (NULL: nowhere).
 * Returns the version that sees to it; 0: none does.
 */
static int landlock(const char *directory)
{
	int version = landlock_version();
	struct landlock_ruleset ruleset = everything(version);
	struct landlock_below below = {
		.allowed = LANDLOCK_READ_FILE | LANDLOCK_READ_DIRECTORY,
		.directory = directory ? open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1,
	};
	bool done = false;
	int rules;

	rules = version ? (int)syscall(SYS_landlock_create_ruleset, &ruleset, sizeof(ruleset), 0) :
			  -1;
	if (rules >= 0) {
		if (below.directory >= 0)
			(void)!syscall(SYS_landlock_add_rule, rules, RULE_BELOW, &below, 0);
		done = syscall(SYS_landlock_restrict_self, rules, 0) == 0;
		close(rules);
	}
	if (below.directory >= 0)
		close(below.directory);
	return done ? version : 0;
}

/* ---- the filter ---- */

#ifdef SANDBOX_FILTERS
/* In the middle of anything: no more than write(2) and _exit(2). */
static void refuse(int signal, siginfo_t *info, void *context)
{
	char line[160] = "segmap: sandbox: system call ";
	size_t index = (size_t)info->si_syscall - FIRST_CALL;
	unsigned int number = (unsigned int)info->si_syscall;
	char digits[12], *digit = digits + sizeof(digits) - 1;
	size_t known = sizeof(call_names) / sizeof(call_names[0]);

	(void)signal, (void)context;
	*digit = '\0';
	do
		*--digit = (char)('0' + number % 10);
	while (number /= 10);
	strcat(line, index < known && call_names[index][0] ? call_names[index] : "unknown");
	strcat(line, " (");
	strcat(line, digit);
	strcat(line, ") is not allowed here; --no-sandbox leaves the sandbox out (please report "
		     "this)\n");
	(void)!write(STDERR_FILENO, line, strlen(line));
	_exit(1);
}

/* Have a violation say what it was. */
static void catch_violations(void)
{
	struct sigaction action = { .sa_sigaction = refuse, .sa_flags = SA_SIGINFO };
	sigset_t set;

	sigfillset(&action.sa_mask);
	sigaction(SIGSYS, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* @version: of the Landlock that is in force; 0: none. */
static void filter_calls(enum sandbox what, int version)
{
	struct sock_fprog program;
	const void *filter = filter_reading;
	size_t size = sizeof(filter_reading);

	if (what == SANDBOX_OPENED) {
		filter = filter_open;
		size = sizeof(filter_open);
	} else if (what == SANDBOX_WATCHED) {
		filter = filter_watching;
		size = sizeof(filter_watching);
	} else if (version >= LANDLOCK_SEES_TRUNCATION) {
		filter = filter_landlocked;
		size = sizeof(filter_landlocked);
	}
	program.len = (unsigned short)(size / sizeof(struct sock_filter));
	program.filter = (struct sock_filter *)(uintptr_t)filter; /* it is only read */
	catch_violations();
	(void)!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}
#endif

void sandbox_enter(enum sandbox what, const char *directory)
{
	int version = 0;

	/* What it has read is for nobody else: neither in a core dump nor for a debugger. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* No program that it executes gets more than it has; the rest asks for this. */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	/* In a Landlock domain no process outside of it can be read. */
	if (what != SANDBOX_PROCESSES && what != SANDBOX_WATCHED)
		version = landlock(directory);
	drop_capabilities(kept[what]);
#ifdef SANDBOX_FILTERS
	filter_calls(what, version);
#else
	(void)version;
#endif
}

void sandbox_describe(FILE *file)
{
	int version = landlock_version();

#ifdef SANDBOX_FILTERS
	uint32_t action = SECCOMP_RET_TRAP;
	bool filters = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;

	fputs(filters ? "sandbox: seccomp" : "sandbox: no seccomp (not in this kernel)", file);
#else
	fputs("sandbox: no seccomp (built without libseccomp)", file);
#endif
	if (version)
		fprintf(file, ", Landlock %d%s\n", version,
			version < LANDLOCK_SEES_TRUNCATION ? " (no openat2: it would not see O_TRUNC)" :
							     "");
	else
		fputs(", no Landlock (not in this kernel)\n", file);
}
