/* src/read/watch.c - one process looked at again and again, for as little as possible. */
#include <segmap/watch.h>
#include "base/scope.h"
#include "read/bytes.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <segmap/process.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

struct segmap_watch {
	int pid;
	char name[16]; /* the pid, for errors */
	int dir;       /* /proc/PID */
	int pidfd;     /* -1: the kernel is older than Linux 5.3 */
	bool figures;
	char *map; /* its text when it was last looked at; NULL: not yet */
	size_t map_size;
	/* Which program it executes: its random bytes are elsewhere after an exec. */
	char *auxv;
	size_t auxv_size;
	dev_t exe_dev;
	ino_t exe_ino;
};

void segmap_watch_free(struct segmap_watch *watch)
{
	if (!watch)
		return;
	free(watch->map);
	free(watch->auxv);
	if (watch->dir >= 0)
		close(watch->dir);
	if (watch->pidfd >= 0)
		close(watch->pidfd);
	free(watch);
}

static int open_pidfd(int pid)
{
#ifdef SYS_pidfd_open
	return (int)syscall(SYS_pidfd_open, pid, 0);
#else
	(void)pid;
	return -1;
#endif
}

static struct segmap_error *ended(const struct segmap_watch *watch)
{
	return segmap_error_new(SEGMAP_ERROR_NO_PROCESS, watch->name, "it has ended");
}

/* Without a pidfd a process that has ended shows when it is read. */
static bool has_ended(const struct segmap_watch *watch)
{
	struct pollfd poll_it = { .fd = watch->pidfd, .events = POLLIN };
	struct stat stat;

	if (watch->pidfd >= 0)
		return poll(&poll_it, 1, 0) > 0;
	return fstatat(watch->dir, "maps", &stat, 0) != 0;
}

struct segmap_error *segmap_watch_open(int pid, bool figures, struct segmap_watch **ret)
{
	struct segmap_watch *watch = calloc(1, sizeof(*watch));
	struct segmap_error *error = NULL;
	char path[32];

	if (!watch)
		return segmap_error_no_memory();
	watch->pid = pid;
	watch->figures = figures;
	snprintf(watch->name, sizeof(watch->name), "%d", pid);
	snprintf(path, sizeof(path), "/proc/%d", pid);
	watch->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (watch->dir < 0)
		error = errno == ENOENT ?
				segmap_error_new(SEGMAP_ERROR_NO_PROCESS, watch->name,
						 "there is no such process") :
				segmap_error_system(errno, watch->name, "open /proc");
	watch->pidfd = error ? -1 : open_pidfd(pid);
	/* The directory was opened first: if it is alive now, both are of one process. */
	if (!error && faccessat(watch->dir, "maps", F_OK, 0))
		error = ended(watch);
	if (error)
		segmap_watch_free(watch);
	else
		*ret = watch;
	return error;
}

/* Put @bytes in the place of *@kept; whether they are others. */
static bool replace(char **kept, size_t *kept_size, char *bytes, size_t size)
{
	bool same = *kept && *kept_size == size && memcmp(*kept, bytes, size) == 0;

	free(*kept);
	*kept = bytes;
	*kept_size = size;
	return !same;
}

/*
 * *@executed: it executes another program than when it was last asked; false the first time.
 * *@busy: execve(2) is at it, and has not made an auxiliary vector yet (Linux
 * fs/binfmt_elf.c:create_elf_tables).
 */
static struct segmap_error *look_at_program(struct segmap_watch *watch, bool *executed, bool *busy)
{
	bool known = watch->auxv, other = false;
	struct stat exe = { 0 };
	char *auxv = NULL;
	size_t size = 0;
	struct segmap_error *error = file_read_if_there(watch->dir, "auxv", 65536, &auxv, &size);

	*executed = *busy = false;
	if (error)
		return error;
	if (auxv) {
		*busy = size >= sizeof(uint64_t) && auxv[0] == 0 &&
			memcmp(auxv, auxv + 1, size - 1) == 0;
		if (*busy) {
			free(auxv);
			return NULL;
		}
		other = replace(&watch->auxv, &watch->auxv_size, auxv, size);
	}
	if (fstatat(watch->dir, "exe", &exe, 0) == 0) {
		other |= watch->exe_dev != exe.st_dev || watch->exe_ino != exe.st_ino;
		watch->exe_dev = exe.st_dev;
		watch->exe_ino = exe.st_ino;
	}
	*executed = known && other;
	return NULL;
}

struct segmap_error *segmap_watch_look(struct segmap_watch *watch, enum segmap_event *ret)
{
	bool first = !watch->map, executed, other, busy;
	const char *name = watch->figures ? "smaps" : "maps";
	struct segmap_error *error;
	size_t size;
	char *map;
	int result;

	if (has_ended(watch)) {
		*ret = SEGMAP_EVENT_EXIT;
		return NULL;
	}
	error = look_at_program(watch, &executed, &busy);
	if (error)
		return error;
	if (busy) {
		*ret = SEGMAP_EVENT_NONE;
		return NULL;
	}
	result = file_read_whole(watch->dir, name, SIZE_MAX, &map, &size);
	if (result == -ENOENT && watch->figures) /* a kernel without smaps */
		result = file_read_whole(watch->dir, "maps", SIZE_MAX, &map, &size);
	if (result < 0) {
		if (result == -ESRCH || result == -ENOENT) {
			*ret = SEGMAP_EVENT_EXIT;
			return NULL;
		}
		return segmap_error_system(-result, watch->name, "read its map");
	}
	/* Where the main thread has ended its map is empty, and another thread's has to be looked at. */
	other = replace(&watch->map, &watch->map_size, map, size) || !size;
	*ret = first	? SEGMAP_EVENT_FIRST :
	       executed ? SEGMAP_EVENT_EXEC :
	       other	? SEGMAP_EVENT_CHANGE :
			  SEGMAP_EVENT_NONE;
	return NULL;
}

struct segmap_error *segmap_watch_read(struct segmap_watch *watch, struct segmap_files *files,
				       unsigned int wanted, struct segmap_layout **ret)
{
	struct segmap_layout *layout;
	struct segmap_error *error =
		segmap_process_open_memory(watch->pid, files, wanted, &layout);

	if (has_ended(watch) && !(error && error->code == SEGMAP_ERROR_NO_MEMORY_MAP)) {
		segmap_error_free(error);
		if (!error)
			segmap_layout_free(layout);
		return ended(watch);
	}
	if (!error)
		*ret = layout;
	return error;
}

int segmap_watch_fd(const struct segmap_watch *watch)
{
	return watch->pidfd;
}
