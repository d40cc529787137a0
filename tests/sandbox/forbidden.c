/*
 * forbidden.c - enters segmap's sandbox, and then tries what it is told.
 *
 *     forbidden SANDBOX DIRECTORY CALL
 *
 * SANDBOX is opened, below, programs, processes or watched; DIRECTORY can be empty.
 * Says "done" and why not, if the call comes back at all. CALL "wait" says "ready" and
 * waits for standard input to end. Without arguments it lists the calls; with "describe" it says
 * what there is of a sandbox. LANDLOCK=VERSION in the environment: the kernel's Landlock is not asked
 * for more than this version has.
 */
#include "cli/sandbox.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

/* What a call works with. */
static int socket_of_ours, file_of_ours;
static pid_t parent;
static char page[4096] __attribute__((aligned(4096)));
static char path[4096]; /* of a file in the directory */

/* All calls of this program are linked to it (--wrap=syscall); the sandbox asks for the version. */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
	enum { LANDLOCK_CREATE_RULESET = 444, ASK_VERSION = 1 };
	const char *most = getenv("LANDLOCK");
	long with[6], answer;
	va_list rest;

	va_start(rest, number);
	for (int i = 0; i < 6; i++)
		with[i] = va_arg(rest, long);
	va_end(rest);
	answer = __real_syscall(number, with[0], with[1], with[2], with[3], with[4], with[5]);
	if (most && number == LANDLOCK_CREATE_RULESET && (with[2] & ASK_VERSION) && answer > atol(most))
		answer = atol(most);
	return answer;
}

static long open_as(int flags)
{
	return syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
}

static long open2_as(int flags)
{
	struct open_how how = { .flags = (unsigned int)flags };

	return syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

static long connect_somewhere(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/nowhere" };

	return syscall(SYS_connect, socket_of_ours, &address, sizeof(address));
}

static long write_to_parent(void)
{
	struct iovec here = { page, 1 }, there = { page, 1 };

	return syscall(SYS_process_vm_writev, parent, &here, 1, &there, 1, 0);
}

static long set_limit(void)
{
	struct rlimit limit = { 0, 0 };

	return syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, NULL);
}

static long copy_of_itself(void)
{
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static char *const no_arguments[] = { (char *)(unsigned long)"/bin/true", NULL };

#define CALLS(X)                                                                             \
	X(read_only, open_as(O_RDONLY))                                                      \
	X(write_only, open_as(O_WRONLY))                                                     \
	X(read_and_write, open_as(O_RDWR))                                                   \
	X(append, open_as(O_WRONLY | O_APPEND))                                              \
	X(truncating, open_as(O_RDONLY | O_TRUNC))                                           \
	X(creating, open_as(O_RDONLY | O_CREAT))                                             \
	X(nameless, open_as(O_TMPFILE | O_RDWR))                                             \
	X(openat2_to_read, open2_as(O_RDONLY))                                               \
	X(openat2_to_write, open2_as(O_RDWR))                                                \
	X(openat2_to_truncate, open2_as(O_RDONLY | O_TRUNC))                                 \
	X(look_up, syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", page, sizeof(page)))  \
	X(socket, syscall(SYS_socket, AF_INET, SOCK_STREAM, 0))                              \
	X(socketpair, syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, page))                \
	X(connect, connect_somewhere())                                                      \
	X(sendmsg, syscall(SYS_sendmsg, socket_of_ours, page, 0))                            \
	X(execve, syscall(SYS_execve, "/bin/true", no_arguments, NULL))                      \
	X(execveat, syscall(SYS_execveat, AT_FDCWD, "/bin/true", no_arguments, NULL, 0))     \
	X(clone, copy_of_itself())                                                           \
	X(unshare, syscall(SYS_unshare, CLONE_NEWNS))                                        \
	X(setns, syscall(SYS_setns, file_of_ours, 0))                                        \
	X(ptrace, syscall(SYS_ptrace, PTRACE_SEIZE, parent, 0, 0))                        \
	X(process_vm_writev, write_to_parent())                                              \
	X(process_vm_readv, syscall(SYS_process_vm_readv, parent, page, 0, page, 0, 0))   \
	X(pidfd_open, syscall(SYS_pidfd_open, parent, 0))                                 \
	X(kill, syscall(SYS_kill, parent, 0))                                             \
	X(tgkill, syscall(SYS_tgkill, parent, parent, 0))                              \
	X(rt_sigqueueinfo, syscall(SYS_rt_sigqueueinfo, parent, 0, page))                 \
	X(make_executable, mprotect(page, sizeof(page), PROT_READ | PROT_EXEC))              \
	X(map_executable, (long)mmap(NULL, 4096, PROT_READ | PROT_EXEC,                      \
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))                    \
	X(pkey_mprotect, syscall(SYS_pkey_mprotect, page, 4096, PROT_READ, -1))              \
	X(memfd_create, syscall(SYS_memfd_create, "x", 0))                                   \
	X(unlink, syscall(SYS_unlinkat, AT_FDCWD, path, 0))                                  \
	X(rename, syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, path, 0))                 \
	X(link, syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, "x", 0))                       \
	X(symlink, syscall(SYS_symlinkat, path, AT_FDCWD, "x"))                              \
	X(mkdir, syscall(SYS_mkdirat, AT_FDCWD, "x", 0700))                                  \
	X(mknod, syscall(SYS_mknodat, AT_FDCWD, "x", S_IFIFO | 0600, 0))                     \
	X(chmod, syscall(SYS_fchmodat, AT_FDCWD, path, 0777))                                \
	X(fchmod, syscall(SYS_fchmod, file_of_ours, 0777))                                   \
	X(chown, syscall(SYS_fchownat, AT_FDCWD, path, 0, 0, 0))                             \
	X(truncate, syscall(SYS_truncate, path, 0))                                          \
	X(ftruncate, syscall(SYS_ftruncate, file_of_ours, 0))                                \
	X(utimensat, syscall(SYS_utimensat, AT_FDCWD, path, NULL, 0))                        \
	X(setxattr, syscall(SYS_setxattr, path, "user.x", "x", 1, 0))                        \
	X(mount, syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, NULL))                       \
	X(chroot, syscall(SYS_chroot, "/"))                                                  \
	X(setuid, syscall(SYS_setuid, 0))                                                    \
	X(setgroups, syscall(SYS_setgroups, 0, NULL))                                        \
	X(set_limit, set_limit())                                                            \
	X(personality, syscall(SYS_personality, 0))                                          \
	X(type_ahead, syscall(SYS_ioctl, 0, TIOCSTI, "x"))                                   \
	X(terminal_of_its_own, syscall(SYS_ioctl, 0, TIOCSCTTY, 0))                          \
	X(flushed_terminal, syscall(SYS_ioctl, 0, TCSETSF, page))                            \
	X(terminal_size, syscall(SYS_ioctl, 0, TIOCSWINSZ, page))                            \
	X(name_memory, syscall(SYS_prctl, 0x53564d41, 0, page, sizeof(page), "segmap"))      \
	X(memory_otherwise, syscall(SYS_prctl, 0x53564d41, 1, page, sizeof(page), NULL))     \
	X(dumpable, syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0))                         \
	X(ptracer, syscall(SYS_prctl, PR_SET_PTRACER, -1L, 0, 0, 0))                         \
	X(handler, sigaction(SIGSEGV, NULL, &(struct sigaction){ 0 }))                       \
	X(io_uring, syscall(SYS_io_uring_setup, 1, page))                                    \
	X(bpf, syscall(SYS_bpf, 0, page, 0))                                                 \
	X(userfaultfd, syscall(SYS_userfaultfd, 0))                                          \
	X(perf_event_open, syscall(SYS_perf_event_open, page, 0, -1, -1, 0))                 \
	X(keyctl, syscall(SYS_keyctl, 0))                                                    \
	X(init_module, syscall(SYS_init_module, page, 0, ""))                                \
	X(reboot, syscall(SYS_reboot, 0, 0, 0, NULL))                                        \
	X(shmget, syscall(SYS_shmget, 0, 4096, 0))

#define FUNCTION(name, call)         \
	static long try_##name(void) \
	{                            \
		return call;         \
	}
CALLS(FUNCTION)

static const struct {
	const char *name;
	long (*try)(void);
} calls[] = {
#define ROW(name, call) { #name, try_##name },
	CALLS(ROW)
};

enum { N_CALLS = sizeof(calls) / sizeof(calls[0]) };

static enum sandbox sandbox_of(const char *name)
{
	static const char *const names[] = {
		[SANDBOX_OPENED] = "opened",
		[SANDBOX_BELOW] = "below",
		[SANDBOX_PROGRAMS] = "programs",
		[SANDBOX_PROCESSES] = "processes",
		[SANDBOX_WATCHED] = "watched",
	};

	for (int i = 0; i < (int)(sizeof(names) / sizeof(names[0])); i++)
		if (strcmp(names[i], name) == 0)
			return (enum sandbox)i;
	exit(99);
}

static int wait_for_end(void)
{
	char byte;

	(void)!write(1, "ready\n", 6);
	(void)!read(0, &byte, 1);
	return 0;
}

int main(int argc, char **argv)
{
	const char *directory, *problem;

	for (size_t i = 0; argc == 1 && i < N_CALLS; i++)
		puts(calls[i].name);
	if (argc == 2 && strcmp(argv[1], "describe") == 0)
		sandbox_describe(stdout);
	if (argc != 4)
		return argc > 2;
	directory = argv[2][0] ? argv[2] : NULL;
	snprintf(path, sizeof(path), "%s/file", directory ? directory : "");
	parent = getppid();
	socket_of_ours = socket(AF_UNIX, SOCK_STREAM, 0);
	file_of_ours = open("/dev/null", O_RDWR);
	sandbox_enter(sandbox_of(argv[1]), directory);
	if (strcmp(argv[3], "wait") == 0)
		return wait_for_end();
	for (size_t i = 0; i < N_CALLS; i++) {
		if (strcmp(argv[3], calls[i].name) != 0)
			continue;
		errno = 0;
		problem = calls[i].try() < 0 ? strerror(errno) : "nothing";
		(void)!write(1, "done: ", 6);
		(void)!write(1, problem, strlen(problem));
		return 0;
	}
	return 99;
}
