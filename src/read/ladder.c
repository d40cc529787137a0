/* src/read/ladder.c - ways to the file behind a VMA, surest first. */
#include "read/ladder.h"
#include "base/scope.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

void ladder_close(struct ladder *ladder)
{
	if (ladder->map_files >= 0)
		close(ladder->map_files);
	if (ladder->root >= 0)
		close(ladder->root);
	if (ladder->exe >= 0)
		close(ladder->exe);
	free(ladder->fds);
}

void ladder_take_view(struct ladder *ladder)
{
	struct stat root, mounts;

	if (fstatat(ladder->process_dir, "root", &root, 0) ||
	    fstatat(ladder->process_dir, "ns/mnt", &mounts, 0))
		return;
	ladder->view = (struct view){ root.st_dev, root.st_ino, mounts.st_ino };
}

bool is_same_file(const struct stat *stat, const struct segmap_backing *backing)
{
	return stat->st_ino == backing->ino && major(stat->st_dev) == backing->dev_major &&
	       minor(stat->st_dev) == backing->dev_minor;
}

int ladder_open_map_files(struct ladder *ladder, const struct segmap_layout *layout,
			  const struct segmap_backing *backing, struct stat *stat)
{
	/* A VMA can have gone since maps was read; one of a few is mostly still there. */
	enum { TRIES = 3 };

	if (ladder->map_files_refused)
		return -1;
	if (ladder->map_files < 0) {
		ladder->map_files = openat(ladder->process_dir, "map_files",
					   O_PATH | O_DIRECTORY | O_CLOEXEC);
		ladder->map_files_refused = ladder->map_files < 0;
	}
	for (uint32_t i = 0; i < backing->n_vmas && i < TRIES; i++) {
		const struct segmap_vma *vma = &layout->vmas[backing->vmas[i]];
		char range[2 * 16 + 2];
		scope_close int fd = -1;

		snprintf(range, sizeof(range), "%jx-%jx", (uintmax_t)vma->start,
			 (uintmax_t)vma->end);
		fd = openat(ladder->map_files, range, O_PATH | O_CLOEXEC);
		if (fd < 0 && (errno == EPERM || errno == EACCES)) {
			ladder->map_files_refused = true;
			return -1;
		}
		/* The device may differ from maps' (btrfs); the inode shows that it is no other
		 * file, mapped there since. */
		if (fd >= 0 && fstat(fd, stat) == 0 && stat->st_ino == backing->ino)
			return return_fd(&fd);
	}
	return -1;
}

/*
 * Whether the program is the file by its inode and its path: its device in maps is
 * another than stat()'s on btrfs, and on overlayfs of several file systems.
 */
static bool has_name_of_exe(const struct ladder *ladder, const struct segmap_backing *backing)
{
	char target[PATH_MAX];
	ssize_t length;

	if (ladder->exe_stat.st_ino != backing->ino)
		return false;
	length = readlinkat(ladder->process_dir, "exe", target, sizeof(target));
	return length > 0 && (size_t)length == strlen(backing->path) &&
	       memcmp(target, backing->path, (size_t)length) == 0;
}

int ladder_open_exe(struct ladder *ladder, const struct segmap_backing *backing,
		    struct stat *stat)
{
	if (!ladder->exe_tried) {
		ladder->exe_tried = true;
		ladder->exe = openat(ladder->process_dir, "exe", O_PATH | O_CLOEXEC);
		if (ladder->exe >= 0 && fstat(ladder->exe, &ladder->exe_stat)) {
			close(ladder->exe);
			ladder->exe = -1;
		}
	}
	if (ladder->exe < 0 || !(is_same_file(&ladder->exe_stat, backing) ||
				 has_name_of_exe(ladder, backing)))
		return -1;
	*stat = ladder->exe_stat;
	return fcntl(ladder->exe, F_DUPFD_CLOEXEC, 0);
}

static int root_of(struct ladder *ladder)
{
	if (ladder->root < 0)
		ladder->root =
			openat(ladder->process_dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return ladder->root;
}

bool ladder_root_is_ours(struct ladder *ladder)
{
	struct stat ours, theirs;

	return root_of(ladder) < 0 || fstat(ladder->root, &theirs) || stat("/", &ours) ||
	       (ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino);
}

/*
 * The same where there is no openat2(2): before Linux 5.6, and in a sandbox that does
 * without it. Links are not followed, which maps' paths have no need of.
 */
static int walk_below(int dir, const char *path, int flags)
{
	scope_close int at = fcntl(dir, F_DUPFD_CLOEXEC, 0);
	char name[NAME_MAX + 1];

	for (;;) {
		size_t size;
		bool is_last;
		int next;

		path += strspn(path, "/");
		size = strcspn(path, "/");
		is_last = !path[size + strspn(path + size, "/")];
		if (at < 0 || !size || size > NAME_MAX)
			return -1;
		memcpy(name, path, size);
		name[size] = '\0';
		if (strcmp(name, "..") == 0)
			return -1;
		next = openat(at, name,
			      O_PATH | O_NOFOLLOW | O_CLOEXEC | (is_last ? flags : O_DIRECTORY));
		if (is_last)
			return next;
		close(at);
		at = next;
		path += size;
	}
}

/* One openat2() below @dir, which links cannot lead out of. */
static int open_below(int dir, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(O_PATH | O_CLOEXEC | flags),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));

	return fd < 0 && errno == ENOSYS ? walk_below(dir, path, flags) : fd;
}

bool ladder_stat_root(struct ladder *ladder, const char *path, struct stat *stat)
{
	return path[0] == '/' && path[1] && root_of(ladder) >= 0 &&
	       fstatat(ladder->root, path + 1, stat, AT_SYMLINK_NOFOLLOW) == 0;
}

int ladder_open_root(struct ladder *ladder, const char *path, int flags, struct stat *stat)
{
	scope_close int dir = -1, fd = -1;

	if (path[0] != '/' || root_of(ladder) < 0)
		return -1;
	/* A path longer than the kernel takes at once is walked in parts. */
	while (strlen(path) >= PATH_MAX) {
		char part[PATH_MAX];
		const char *slash = path + PATH_MAX - 2;
		int next;

		while (slash > path && *slash != '/')
			slash--;
		if (slash == path)
			return -1;
		memcpy(part, path, (size_t)(slash - path));
		part[slash - path] = '\0';
		next = open_below(dir < 0 ? ladder->root : dir, part, O_DIRECTORY);
		if (dir >= 0)
			close(dir);
		dir = next;
		if (dir < 0)
			return -1;
		path = slash;
	}
	fd = open_below(dir < 0 ? ladder->root : dir, path, flags);
	if (fd < 0 || fstat(fd, stat))
		return -1;
	return return_fd(&fd);
}

/* What regular files the process has open, once per process. */
static void list_fds(struct ladder *ladder)
{
	scope_closedir DIR *dir = NULL;
	struct dirent *entry;
	int fd;

	ladder->fds_listed = true;
	fd = openat(ladder->process_dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	dir = fdopendir(fd);
	if (!dir) {
		ladder->failed |= errno == ENOMEM;
		close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		struct open_fd *open_fd;

		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		if (!grow(&ladder->fds, &ladder->fds_capacity, ladder->n_fds,
			  sizeof(*ladder->fds))) {
			ladder->failed = true;
			return;
		}
		open_fd = &ladder->fds[ladder->n_fds];
		if (fstatat(fd, entry->d_name, &open_fd->stat, 0) == 0 &&
		    S_ISREG(open_fd->stat.st_mode)) {
			open_fd->number = atoi(entry->d_name);
			ladder->n_fds++;
		}
	}
}

int ladder_open_fd(struct ladder *ladder, const struct segmap_backing *backing, struct stat *stat)
{
	if (!ladder->fds_listed)
		list_fds(ladder);
	for (size_t i = 0; i < ladder->n_fds; i++) {
		scope_close int fd = -1;
		char name[32];

		if (!is_same_file(&ladder->fds[i].stat, backing))
			continue;
		snprintf(name, sizeof(name), "fd/%d", ladder->fds[i].number);
		fd = openat(ladder->process_dir, name, O_PATH | O_CLOEXEC);
		if (fd >= 0 && fstat(fd, stat) == 0 && is_same_file(stat, backing))
			return return_fd(&fd);
	}
	return -1;
}
