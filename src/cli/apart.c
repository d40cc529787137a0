/* src/cli/apart.c - a process beside this one. */
#include "cli/apart.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int above_streams(int fd)
{
	int above, problem;

	if (fd < 0 || fd > 2)
		return fd;
	above = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	problem = errno;
	close(fd);
	errno = problem;
	return above;
}

struct segmap_error *apart_begin(const char *name, struct apart *ret)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return segmap_error_system(errno, name, "make a process beside this one");
	ends[0] = above_streams(ends[0]);
	ends[1] = above_streams(ends[1]);
	pid = ends[0] < 0 || ends[1] < 0 ? -1 : fork();
	if (pid < 0) {
		struct segmap_error *error =
			segmap_error_system(errno, name, "make a process beside this one");

		close(ends[0]);
		close(ends[1]);
		return error;
	}
	close(ends[pid == 0 ? 0 : 1]);
	*ret = (struct apart){ .pid = pid, .channel = ends[pid == 0 ? 1 : 0] };
	return NULL;
}

/* By write(2) and read(2), which every sandbox allows. */
bool apart_tell(const struct apart *apart, const void *what, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(apart->channel, (const char *)what + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

bool apart_hear(const struct apart *apart, void *ret, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(apart->channel, (char *)ret + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

void apart_end(const struct apart *apart)
{
	close(apart->channel);
	while (waitpid(apart->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}
