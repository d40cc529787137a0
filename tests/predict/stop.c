/*
 * tests/predict/stop.c - the map of a program at the moments that can be predicted.
 *
 *     stop [-s] [-r] [-e NAME=VALUE] PROGRAM [ARGUMENT...]
 *
 * Runs the program under ptrace, prints /proc/PID/maps when execve has
 * returned ("moment exec") and at the program's entry point ("moment entry"),
 * with -s also after the first mprotect that it makes itself, or at the first
 * system call that start-up code does not make ("moment started"), and kills
 * it. Before each map stands a line "auxv ENTRY BASE PC". The last line says
 * how it ended: "end stopped", "end refused ERRNO", "end killed SIGNAL",
 * "end exited STATUS", "end timeout". -r: without address space randomization. -e
 * puts NAME=VALUE into the program's environment.
 *
 * The stop is a hardware breakpoint, since an int3 changes the page it is in;
 * where there are none, it is an int3 after all.
 */
#include <elf.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <signal.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 20, MAX_START_CALLS = 100, NR_MPROTECT_32 = 125 };

static pid_t child;

static void time_out(int signal)
{
	(void)signal;
	kill(child, SIGKILL);
}

static void copy_file(const char *name)
{
	char path[64], buffer[16384];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", child, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (n = read(fd, buffer, sizeof(buffer))) > 0)
		fwrite(buffer, 1, (size_t)n, stdout);
	if (fd >= 0)
		close(fd);
}

static uint64_t program_counter(void)
{
	struct user_regs_struct registers = { 0 };

	ptrace(PTRACE_GETREGS, child, NULL, &registers);
	return registers.rip;
}

/* Of the code segment; what the file's header says is not asked. */
static bool is_64(void)
{
	enum { USER_CS_64 = 0x33 };
	struct user_regs_struct registers = { 0 };

	ptrace(PTRACE_GETREGS, child, NULL, &registers);
	return registers.cs == USER_CS_64;
}

/* AT_ENTRY and AT_BASE. */
static void read_auxv(uint64_t *entry, uint64_t *base)
{
	char path[64], buffer[4096];
	size_t size;
	FILE *file;

	*entry = *base = 0;
	snprintf(path, sizeof(path), "/proc/%d/auxv", child);
	file = fopen(path, "re");
	if (!file)
		return;
	size = fread(buffer, 1, sizeof(buffer), file);
	fclose(file);
	for (size_t at = 0, step = is_64() ? 16 : 8; at + step <= size; at += step) {
		uint64_t pair[2] = { 0 };

		memcpy(&pair[0], buffer + at, step / 2);
		memcpy(&pair[1], buffer + at + step / 2, step / 2);
		if (pair[0] == AT_ENTRY)
			*entry = pair[1];
		if (pair[0] == AT_BASE)
			*base = pair[1];
	}
}

static void print_moment(const char *moment)
{
	uint64_t entry, base;

	read_auxv(&entry, &base);
	printf("moment %s\nauxv %lx %lx %lx\n", moment, entry, base, program_counter());
	copy_file("maps");
}

/* Wait for the next stop; when it has ended, say how, and exit. Returns the stopping signal. */
static int wait_for_stop(void)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			err(1, "waitpid");
	if (WIFSTOPPED(status))
		return status >> 8;
	if (WIFSIGNALED(status))
		printf(WTERMSIG(status) == SIGKILL ? "end timeout\n" : "end killed %d\n",
		       WTERMSIG(status));
	else
		printf("end exited %d\n", WEXITSTATUS(status));
	exit(0);
}

static bool set_breakpoint(uint64_t entry)
{
	return !ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg[0]), entry) &&
	       !ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg[7]), 1);
}

/* Go on to @entry. A signal before that is the program's own; a deadly one ends it. */
static void run_to(uint64_t entry)
{
	bool hardware = set_breakpoint(entry);
	int signal = 0;

	if (!hardware) {
		long word = ptrace(PTRACE_PEEKTEXT, child, entry, NULL);

		ptrace(PTRACE_POKETEXT, child, entry, (word & ~0xffL) | 0xcc);
		printf("note int3\n");
	}
	for (;;) {
		if (ptrace(PTRACE_CONT, child, NULL, signal))
			err(1, "ptrace");
		signal = wait_for_stop() & 0xff;
		if (signal == SIGTRAP && program_counter() - !hardware == entry)
			return;
		if (signal == SIGSEGV && program_counter() == entry)
			return; /* it is there, on a page that is not executable */
		if (signal == SIGTRAP || signal == SIGSTOP)
			signal = 0;
	}
}

static bool is_start_up_call(long number)
{
	static const long calls[] = { SYS_brk,	     SYS_arch_prctl, SYS_set_tid_address,
				      SYS_set_robust_list, SYS_rseq,  SYS_prlimit64,
				      SYS_readlink,  SYS_readlinkat, SYS_getrandom, SYS_mprotect,
				      SYS_uname,     SYS_getrlimit };

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i] == number)
			return true;
	return false;
}

static void run_start_up(void)
{
	bool protects = false;

	ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg[7]), 0);
	for (int i = 0; i < MAX_START_CALLS; i++) {
		struct __ptrace_syscall_info info = { 0 };
		bool is_32;

		if (ptrace(PTRACE_SYSCALL, child, NULL, 0))
			err(1, "ptrace");
		if ((wait_for_stop() & 0xff) != (SIGTRAP | 0x80) ||
		    ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info), &info) <= 0)
			return;
		is_32 = info.arch == AUDIT_ARCH_I386;
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
			protects = info.entry.nr == (is_32 ? NR_MPROTECT_32 : SYS_mprotect);
			if (!is_32 && !is_start_up_call((long)info.entry.nr))
				return;
		} else if (protects) {
			return;
		}
	}
}

static void become(char **argv, char *setting, int pipe_end, bool still)
{
	int null = open("/dev/null", O_RDWR), errnum;

	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	if (setting)
		putenv(setting);
	if (still)
		personality(ADDR_NO_RANDOMIZE);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(1);
	raise(SIGSTOP);
	execv(argv[0], argv);
	errnum = errno;
	if (write(pipe_end, &errnum, sizeof(errnum)) < 0)
		_exit(1);
	_exit(0);
}

int main(int argc, char **argv)
{
	bool start_up = false, still = false;
	int option, ends[2], signal, errnum;
	char *setting = NULL;
	uint64_t entry, base;

	while ((option = getopt(argc, argv, "+sre:")) >= 0) {
		if (option == 'e')
			setting = optarg;
		start_up |= option == 's';
		still |= option == 'r';
	}
	if (optind >= argc || pipe2(ends, O_CLOEXEC))
		errx(2, "which program?");
	child = fork();
	if (child < 0)
		err(1, "fork");
	if (!child)
		become(argv + optind, setting, ends[1], still);
	close(ends[1]);
	signal = wait_for_stop();
	ptrace(PTRACE_SETOPTIONS, child, NULL,
	       PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD);
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = time_out }, NULL);
	alarm(SECONDS);
	for (signal = 0; signal != (SIGTRAP | PTRACE_EVENT_EXEC << 8);) {
		int status;

		if (ptrace(PTRACE_CONT, child, NULL, signal & 0xff))
			err(1, "ptrace");
		if (waitpid(child, &status, 0) < 0)
			err(1, "waitpid");
		if (WIFEXITED(status) && read(ends[0], &errnum, sizeof(errnum)) > 0) {
			printf("end refused %d\n", errnum);
			return 0;
		}
		if (!WIFSTOPPED(status)) {
			printf("end killed %d\n", WTERMSIG(status));
			return 0;
		}
		signal = status >> 8;
	}
	print_moment("exec");
	read_auxv(&entry, &base);
	if (program_counter() != entry)
		run_to(entry);
	print_moment("entry");
	if (start_up) {
		run_start_up();
		print_moment("started");
	}
	printf("end stopped\n");
	fflush(stdout);
	kill(child, SIGKILL);
	return 0;
}
