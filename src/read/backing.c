/* src/read/backing.c - finding and opening the file behind a VMA. */
#include "read/backing.h"
#include "base/idmap.h"
#include "base/range.h"
#include "base/scope.h"
#include "read/elf.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <segmap/limits.h>
#include <segmap/process.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

/* A file of the run, with what only this room needs. */
struct entry {
	struct segmap_file file;
	struct idmap probed; /* offsets at which an ELF header was looked for */
};

struct segmap_files {
	uint64_t page_size;
	bool want_sonames;
	struct elf_scratch scratch;
	struct entry **entries; /* each on its own: layouts point to them */
	size_t n_entries, capacity;
	struct idmap by_id; /* (st_dev, st_ino) to index */
};

struct segmap_error *segmap_files_new(uint64_t page_size, bool want_sonames,
				      struct segmap_files **ret)
{
	struct segmap_files *files = calloc(1, sizeof(*files));

	if (!files)
		return segmap_error_no_memory();
	files->page_size = page_size;
	files->want_sonames = want_sonames;
	*ret = files;
	return NULL;
}

void segmap_files_free(struct segmap_files *files)
{
	if (!files)
		return;
	for (size_t i = 0; i < files->n_entries; i++) {
		struct segmap_file *file = &files->entries[i]->file;

		if (file->fd >= 0)
			close(file->fd);
		for (size_t j = 0; j < file->n_elfs; j++)
			segmap_elf_free(file->elfs[j]);
		free(file->elfs);
		segmap_error_free(file->error);
		idmap_free(&files->entries[i]->probed);
		free(files->entries[i]);
	}
	free(files->entries);
	idmap_free(&files->by_id);
	elf_scratch_free(&files->scratch);
	free(files);
}

/*
 * The ladder (docs/how-it-works.md, "Which file"): each rung can give an O_PATH
 * descriptor of the file, and each but the first is believed only if device
 * and inode are those that maps shows.
 */
struct ladder {
	int process_dir;
	int map_files;		/* directory; -1 not yet, or refused */
	bool map_files_refused; /* only CAP_CHECKPOINT_RESTORE may open its entries */
	int root;		/* directory; -1 */
	int exe;		/* O_PATH; -1 if it cannot be had */
	struct stat exe_stat;
	struct open_fd { /* the regular files that the process has open */
		struct stat stat;
		int number;
	} *fds;
	size_t n_fds, fds_capacity;
	bool fds_listed;
};

static void ladder_close(struct ladder *ladder)
{
	if (ladder->map_files >= 0)
		close(ladder->map_files);
	if (ladder->root >= 0)
		close(ladder->root);
	if (ladder->exe >= 0)
		close(ladder->exe);
	free(ladder->fds);
}

static bool is_same_file(const struct stat *stat, const struct segmap_backing *backing)
{
	return stat->st_ino == backing->ino && major(stat->st_dev) == backing->dev_major &&
	       minor(stat->st_dev) == backing->dev_minor;
}

/* Rung 1: /proc/PID/map_files/START-END is the mapped file itself, whatever its name. */
static int open_map_files(struct ladder *ladder, const struct segmap_layout *layout,
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

/* Rung 2: the program itself. */
static int open_exe(struct ladder *ladder, const struct segmap_backing *backing, struct stat *stat)
{
	if (ladder->exe < 0 || !is_same_file(&ladder->exe_stat, backing))
		return -1;
	*stat = ladder->exe_stat;
	return fcntl(ladder->exe, F_DUPFD_CLOEXEC, 0);
}

/* Open @path, an absolute one, as the process sees it: links cannot lead out of its root. */
static int open_in_root(struct ladder *ladder, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	if (ladder->root < 0)
		ladder->root =
			openat(ladder->process_dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (ladder->root < 0)
		return -1;
	fd = (int)syscall(SYS_openat2, ladder->root, path, &how, sizeof(how));
	if (fd < 0 && errno == ENOSYS)
		fd = openat(ladder->root, path + 1, O_PATH | O_CLOEXEC);
	return fd;
}

/* Rung 3: its path, from the process's own root. */
static int open_root(struct ladder *ladder, const struct segmap_backing *backing,
		     struct stat *stat)
{
	scope_close int fd = -1;

	if (backing->path[0] != '/')
		return -1;
	fd = open_in_root(ladder, backing->path);
	if (fd < 0 || fstat(fd, stat) || !is_same_file(stat, backing))
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
		close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		struct open_fd *open_fd;

		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		if (!grow(&ladder->fds, &ladder->fds_capacity, ladder->n_fds,
			  sizeof(*ladder->fds)))
			return;
		open_fd = &ladder->fds[ladder->n_fds];
		if (fstatat(fd, entry->d_name, &open_fd->stat, 0) == 0 &&
		    S_ISREG(open_fd->stat.st_mode)) {
			open_fd->number = atoi(entry->d_name);
			ladder->n_fds++;
		}
	}
}

/* Rung 4: a descriptor that the process happens to have open. */
static int open_fd(struct ladder *ladder, const struct segmap_backing *backing, struct stat *stat)
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

static int climb(struct ladder *ladder, const struct segmap_layout *layout,
		 struct segmap_backing *backing, struct stat *stat)
{
	int fd;

	backing->opened = SEGMAP_OPENED_MAP_FILES;
	fd = open_map_files(ladder, layout, backing, stat);
	if (fd >= 0)
		return fd;
	backing->opened = SEGMAP_OPENED_EXE;
	fd = open_exe(ladder, backing, stat);
	if (fd >= 0)
		return fd;
	backing->opened = SEGMAP_OPENED_ROOT;
	fd = open_root(ladder, backing, stat);
	if (fd >= 0)
		return fd;
	backing->opened = SEGMAP_OPENED_FD;
	fd = open_fd(ladder, backing, stat);
	if (fd < 0)
		backing->opened = SEGMAP_OPENED_NOT;
	return fd;
}

/* From a descriptor that names a regular file to one that reads it. */
static int open_for_reading(int path_fd, const struct stat *stat)
{
	char link[sizeof("/proc/self/fd/") + 12];
	int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

	/* Looking should not change the time of the last access; only the owner may ask that. */
	if (geteuid() == 0 || geteuid() == stat->st_uid)
		flags |= O_NOATIME;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
	for (;;) {
		int fd = open(link, flags);

		if (fd >= 0 || errno != EPERM || !(flags & O_NOATIME))
			return fd;
		flags &= ~O_NOATIME;
	}
}

/* The file of the run that @stat describes: the one there is, or a new one. */
static struct segmap_error *find_file(struct segmap_files *files, const struct stat *stat,
				      bool *is_new, struct segmap_file **ret)
{
	const struct timespec *ctime = &stat->st_ctim, *mtime = &stat->st_mtim;
	struct entry *entry;
	uint32_t index;

	if (!grow(&files->entries, &files->capacity, files->n_entries, sizeof(*files->entries)) ||
	    !idmap_find_or_add(&files->by_id, stat->st_dev, stat->st_ino,
			       (uint32_t)files->n_entries, &index))
		return segmap_error_no_memory();
	*is_new = index == files->n_entries;
	if (!*is_new) {
		*ret = &files->entries[index]->file;
		return NULL;
	}
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return segmap_error_no_memory();
	entry->file = (struct segmap_file){
		.st_dev = stat->st_dev,
		.st_ino = stat->st_ino,
		.size = stat->st_size < 0 ? 0 : (uint64_t)stat->st_size,
		.on_disk = stat->st_blocks < 0 ? 0 : (uint64_t)stat->st_blocks * 512,
		.ctime = ctime->tv_sec > mtime->tv_sec ||
					 (ctime->tv_sec == mtime->tv_sec &&
					  ctime->tv_nsec > mtime->tv_nsec) ?
				 *ctime :
				 *mtime,
		.type = S_ISREG(stat->st_mode) ? SEGMAP_FILE_REGULAR :
			S_ISCHR(stat->st_mode) || S_ISBLK(stat->st_mode) ? SEGMAP_FILE_DEVICE :
									   SEGMAP_FILE_OTHER,
		.fd = -1,
	};
	files->entries[files->n_entries++] = entry;
	*ret = &entry->file;
	return NULL;
}

static bool is_executable(const struct segmap_layout *layout, const struct segmap_backing *backing)
{
	for (uint32_t i = 0; i < backing->n_vmas; i++)
		if (layout->vmas[backing->vmas[i]].prot & PROT_EXEC)
			return true;
	return false;
}

/*
 * Record that the file of @backing cannot be read. Only where it holds code is
 * that worth a note: data files have nothing to annotate.
 */
static struct segmap_error *unreadable(struct segmap_layout *layout,
				       struct segmap_backing *backing, struct segmap_error *why)
{
	if (why->code == SEGMAP_ERROR_NO_MEMORY)
		return why;
	backing->status = SEGMAP_STATUS_UNREADABLE;
	backing->opened = SEGMAP_OPENED_NOT;
	backing->error = why;
	if (!is_executable(layout, backing))
		return NULL;
	return segmap_layout_note(layout, "%s: %s", backing->path, why->why);
}

/* Names that stand for memory, with an inode of the kernel's own and never a path. */
static bool is_memory_object(const char *name)
{
	static const char *const prefixes[] = { "/SYSV", "/dev/zero", "/anon_hugepage", "anon_inode:",
						"[" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static struct segmap_error *open_backing(struct segmap_layout *layout, struct ladder *ladder,
					 struct segmap_files *files,
					 struct segmap_backing *backing)
{
	scope_close int path_fd = -1;
	struct segmap_error *error;
	struct segmap_file *file = NULL;
	struct stat stat;
	bool is_new;

	if (is_memory_object(backing->path))
		return NULL;
	path_fd = climb(ladder, layout, backing, &stat);
	if (path_fd < 0)
		return unreadable(layout, backing,
				  segmap_error_new(SEGMAP_ERROR_PERMISSION, backing->path,
						   ladder->map_files_refused ?
							   "the mapped file is not at its path any "
							   "more; root could still read it" :
							   "the mapped file is not at its path any "
							   "more, and nothing else leads to it"));
	error = find_file(files, &stat, &is_new, &file);
	if (error)
		return error;
	if (is_new && file->type == SEGMAP_FILE_REGULAR) {
		file->fd = open_for_reading(path_fd, &stat);
		if (file->fd < 0)
			file->error = segmap_error_system(errno, backing->path, "open");
	}
	if (file->fd < 0 && file->error && !file->parsed)
		return unreadable(layout, backing,
				  segmap_error_new(file->error->code, backing->path, "%s",
						   file->error->why));
	backing->file = file;
	if (stat.st_nlink == 0)
		backing->status = SEGMAP_STATUS_DELETED;
	return NULL;
}

struct segmap_error *backings_open(struct segmap_layout *layout, int process_dir,
				   struct segmap_files *files)
{
	__attribute__((cleanup(ladder_close))) struct ladder ladder = {
		.process_dir = process_dir, .map_files = -1, .root = -1,
	};

	ladder.exe = openat(process_dir, "exe", O_PATH | O_CLOEXEC);
	if (ladder.exe >= 0 && fstat(ladder.exe, &ladder.exe_stat) == 0)
		layout->exe_ino = ladder.exe_stat.st_ino;
	for (size_t i = 0; i < layout->n_backings; i++) {
		struct segmap_error *error =
			open_backing(layout, &ladder, files, &layout->backings[i]);

		if (error)
			return error;
	}
	return NULL;
}

int64_t fd_read(int fd, void *buffer, size_t size, uint64_t off)
{
	size_t got = 0;

	while (got < size) {
		ssize_t n = pread(fd, (char *)buffer + got, size - got, (off_t)(off + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (int64_t)got;
}

static int64_t file_read(const struct bytes *bytes, void *buffer, size_t size, uint64_t off)
{
	return fd_read(bytes->fd, buffer, size, off);
}

/*
 * Whether what is mapped from @off begins where a PT_LOAD or the writable rest
 * behind a RELRO begins: then it needs no other ELF object to explain it.
 */
static bool is_explained(const struct segmap_file *file, uint64_t off)
{
	for (size_t i = 0; i < file->n_elfs; i++) {
		const struct segmap_elf *elf = file->elfs[i];

		for (size_t j = 0; j < elf->n_segments; j++) {
			const struct segmap_segment *segment = &elf->segments[j];
			uint64_t begins = elf->elf_off + segment->map_off;

			if (segment->type == SEGMAP_SEGMENT_RELRO)
				begins += segment->mem_end - segment->map_start;
			if (begins == off)
				return true;
		}
	}
	return false;
}

/* Parse the ELF object at @off, if there is one, into @file. */
static struct segmap_error *parse_at(struct segmap_files *files, struct segmap_file *file,
				     const char *path, uint64_t off)
{
	struct bytes bytes = {
		.read = file_read,
		.name = path,
		.size = file->size,
		.on_disk = file->on_disk,
		.fd = file->fd,
	};
	struct segmap_error *error;
	struct segmap_elf *elf, **elfs;

	error = elf_parse(&bytes, off, files->page_size, files->want_sonames, &files->scratch,
			  &elf);
	if (error && error->code == SEGMAP_ERROR_NO_MEMORY)
		return error;
	if (error) {
		if (file->error)
			segmap_error_free(error);
		else
			file->error = error;
		return NULL;
	}
	if (!elf)
		return NULL;
	elfs = reallocarray(file->elfs, file->n_elfs + 1, sizeof(*elfs));
	if (!elfs) {
		segmap_elf_free(elf);
		return segmap_error_no_memory();
	}
	file->elfs = elfs;
	file->elfs[file->n_elfs++] = elf;
	return NULL;
}

/* Look for ELF objects at the offsets that @backing's VMAs are mapped from (files in files). */
static struct segmap_error *parse_embedded(struct segmap_files *files,
					   const struct segmap_layout *layout,
					   const struct segmap_backing *backing)
{
	struct entry *entry = (struct entry *)backing->file; /* file is its first member */

	for (uint32_t i = 0; i < backing->n_vmas; i++) {
		const struct segmap_vma *vma = &layout->vmas[backing->vmas[i]];
		struct segmap_file *file = backing->file;
		struct segmap_error *error;
		unsigned char start[16];
		uint32_t found, fresh = (uint32_t)entry->probed.n_used;

		if (!vma->off || !vma->prot || is_explained(file, vma->off))
			continue;
		if (fresh == SEGMAP_MAX_EMBEDDED)
			break;
		if (!idmap_find_or_add(&entry->probed, vma->off, 0, fresh, &found))
			return segmap_error_no_memory();
		if (found != fresh)
			continue;
		if (fd_read(file->fd, start, sizeof(start), vma->off) != sizeof(start) ||
		    !elf_has_magic(start, sizeof(start)))
			continue;
		error = parse_at(files, file, backing->path, vma->off);
		if (error)
			return error;
	}
	return NULL;
}

struct segmap_error *segmap_files_parse(struct segmap_files *files, struct segmap_layout *layout)
{
	for (size_t i = 0; i < layout->n_backings; i++) {
		struct segmap_backing *backing = &layout->backings[i];
		struct segmap_file *file = backing->file;
		struct segmap_error *error = NULL;

		if (!file || file->fd < 0)
			continue;
		if (!file->parsed)
			error = parse_at(files, file, backing->path, 0);
		file->parsed = true;
		if (!error)
			error = parse_embedded(files, layout, backing);
		if (error)
			return error;
		if (file->error && !file->n_elfs) {
			backing->status = SEGMAP_STATUS_MALFORMED;
			backing->error = segmap_error_new(file->error->code, backing->path, "%s",
							  file->error->why);
			if (is_executable(layout, backing))
				error = segmap_layout_note(layout, "%s: %s", backing->path,
							   file->error->why);
			if (error)
				return error;
		}
	}
	return NULL;
}
