/* src/read/files.c - the files of a run: opened once, parsed once. */
#include "read/files.h"
#include "base/idmap.h"
#include "base/range.h"
#include "base/scope.h"
#include "model/elf.h"
#include "model/layout.h"
#include "read/elf.h"
#include "read/leases.h"
#include <errno.h>
#include <fcntl.h>
#include <segmap/limits.h>
#include <segmap/process.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

/* A file that was at its path, for processes that see paths alike. */
struct known {
	struct known *next; /* of the same file */
	struct view view;
	enum segmap_opened opened;
	char path[];
};

/* A file of the run, with what only this room needs. */
struct entry {
	struct segmap_file file;
	struct idmap probed; /* offsets at which an ELF header was looked for */
	struct idmap begun;  /* offsets at which a part of an ELF object begins, see is_explained() */
	size_t n_segments;   /* of all ELF objects in it */
	uint64_t embedded_bytes; /* read of the tables of those at other offsets than 0 */
	struct file_memory *memory; /* instead of a descriptor; owned; mostly NULL */
	int open_errno; /* why it could not be opened */
	bool let_go; /* it was open, see segmap_files_let_go() */
	struct known *known; /* where it was found at its path; owned */
};

struct segmap_files {
	uint64_t page_size;
	unsigned int wants; /* enum segmap_want */
	struct elf_scratch scratch;
	uid_t uid;   /* the effective one */
	int own_fds; /* directory of segmap's own descriptors; -1 not yet */
	pid_t own_pid; /* whose they are: a process that was forked has others */
	struct entry **entries; /* each on its own: layouts point to them */
	size_t n_entries, capacity;
	size_t n_open; /* that are open */
	struct idmap by_id; /* (st_dev, st_ino) to index */
	struct leases leases;
};

struct segmap_error *segmap_files_new(uint64_t page_size, unsigned int wants,
				      struct segmap_files **ret)
{
	struct segmap_files *files = calloc(1, sizeof(*files));

	if (!files)
		return segmap_error_no_memory();
	files->page_size = page_size;
	files->wants = wants;
	files->uid = geteuid();
	files->own_fds = -1;
	*ret = files;
	return NULL;
}

static void entry_free(struct entry *entry)
{
	struct segmap_file *file = &entry->file;

	if (file->fd >= 0)
		close(file->fd);
	for (size_t i = 0; i < file->n_elfs; i++)
		segmap_elf_free(file->elfs[i]);
	free(file->elfs);
	segmap_error_free(file->error);
	idmap_free(&entry->probed);
	idmap_free(&entry->begun);
	file_memory_close(entry->memory);
	for (struct known *known = entry->known, *next; known; known = next) {
		next = known->next;
		free(known);
	}
	free(entry);
}

void segmap_files_free(struct segmap_files *files)
{
	if (!files)
		return;
	for (size_t i = 0; i < files->n_entries; i++)
		if (files->entries[i])
			entry_free(files->entries[i]);
	free(files->entries);
	if (files->own_fds >= 0)
		close(files->own_fds);
	idmap_free(&files->by_id);
	leases_free(&files->leases);
	elf_scratch_free(&files->scratch);
	free(files);
}

void segmap_files_let_go(struct segmap_files *files, size_t most)
{
	bool too_many = files->n_open > most;

	for (size_t i = 0; i < files->n_entries; i++) {
		struct entry *entry = files->entries[i];

		if (entry && entry->memory) {
			/* No index refers to it: it has no identity. */
			entry_free(entry);
			files->entries[i] = NULL;
		} else if (too_many && entry && entry->file.fd >= 0 && entry->file.parsed) {
			close(entry->file.fd);
			entry->file.fd = -1;
			entry->let_go = true;
			files->n_open--;
		}
	}
	while (files->n_entries && !files->entries[files->n_entries - 1])
		files->n_entries--;
}

uint64_t files_page_size(const struct segmap_files *files)
{
	return files->page_size;
}

static int open_own_fds(struct segmap_files *files)
{
	if (files->own_fds >= 0 && files->own_pid == getpid())
		return files->own_fds;
	if (files->own_fds >= 0)
		close(files->own_fds);
	files->own_fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	files->own_pid = getpid();
	return files->own_fds;
}

/*
 * Whether opening the file with @stat would break somebody's lease: 0 or an errno value. Only the
 * owner of a file and whoever has CAP_LEASE can have one on it: root's files, which mostly all
 * are, and the user's own are opened without asking.
 */
static int ask_for_lease(struct segmap_files *files, const struct stat *stat)
{
	bool leased = false;

	if (stat->st_uid && stat->st_uid != files->uid &&
	    !leases_find(&files->leases, stat, &leased))
		return ENOMEM;
	return leased ? EAGAIN : 0;
}

int files_open_for_reading(struct segmap_files *files, int path_fd, const struct stat *stat)
{
	char number[16];
	int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

	/* Looking should not change the time of the last access; only the owner may ask that. */
	if (files->uid == 0 || files->uid == stat->st_uid)
		flags |= O_NOATIME;
	errno = ask_for_lease(files, stat);
	if (errno || open_own_fds(files) < 0)
		return -1;
	snprintf(number, sizeof(number), "%d", path_fd);
	for (;;) {
		int fd = openat(files->own_fds, number, flags);

		if (fd >= 0 || errno != EPERM || !(flags & O_NOATIME))
			return fd;
		flags &= ~O_NOATIME;
	}
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

/* An entry for one more file; *@ret stays the run's. */
static struct segmap_error *add_entry(struct segmap_files *files, struct entry **ret)
{
	struct entry *entry;

	if (!grow(&files->entries, &files->capacity, files->n_entries, sizeof(*files->entries)))
		return segmap_error_no_memory();
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return segmap_error_no_memory();
	entry->file.fd = -1;
	files->entries[files->n_entries++] = entry;
	*ret = entry;
	return NULL;
}

/* Of one that was let go what was parsed of it stays, whether it can be opened again or not. */
static void open_again(struct segmap_files *files, struct entry *entry, int path_fd,
		       const struct stat *stat)
{
	if (!entry->let_go)
		return;
	entry->file.fd = files_open_for_reading(files, path_fd, stat);
	files->n_open += entry->file.fd >= 0;
	entry->let_go = entry->file.fd < 0;
}

static struct timespec last_change(const struct stat *stat)
{
	return is_later(&stat->st_ctim, &stat->st_mtim) ? stat->st_ctim : stat->st_mtim;
}

/* Whether the file at @stat is as it was when it was opened: an inode can be written to, or used again. */
static bool is_unchanged(const struct segmap_file *file, const struct stat *stat)
{
	struct timespec change = last_change(stat);

	return (uint64_t)stat->st_size == file->size && change.tv_sec == file->ctime.tv_sec &&
	       change.tv_nsec == file->ctime.tv_nsec;
}

/* Why the file @name could not be opened. */
static struct segmap_error *not_opened(const struct segmap_files *files, int errnum,
				       const char *name)
{
	if (errnum == EAGAIN)
		return segmap_error_new(SEGMAP_ERROR_SYSTEM, name,
					"open: a process has a lease on it, and would be told");
	/* By a network file system, or FUSE. */
	if (errnum == EACCES && files->uid == 0)
		return segmap_error_new(SEGMAP_ERROR_SYSTEM, name,
					"open: root is refused by its file system");
	return segmap_error_system(errnum, name, "open");
}

struct segmap_error *files_open(struct segmap_files *files, int path_fd, const struct stat *stat,
				const char *name, struct segmap_file **ret)
{
	struct segmap_error *error;
	struct entry *entry = NULL;
	struct segmap_file *file;
	uint32_t index;

	if (idmap_find(&files->by_id, stat->st_dev, stat->st_ino, &index) &&
	    is_unchanged(&files->entries[index]->file, stat)) {
		open_again(files, files->entries[index], path_fd, stat);
		*ret = &files->entries[index]->file;
		return NULL;
	}
	error = add_entry(files, &entry);
	if (error)
		return error;
	if (!idmap_find_or_add(&files->by_id, stat->st_dev, stat->st_ino,
			       (uint32_t)files->n_entries - 1, &index)) {
		files->n_entries--;
		free(entry);
		return segmap_error_no_memory();
	}
	/* What was there before it stays for the layouts that it is of. */
	idmap_replace(&files->by_id, stat->st_dev, stat->st_ino, (uint32_t)files->n_entries - 1);
	file = &entry->file;
	file->st_dev = stat->st_dev;
	file->st_ino = stat->st_ino;
	file->size = stat->st_size < 0 ? 0 : (uint64_t)stat->st_size;
	file->on_disk = stat->st_blocks < 0 ? 0 : (uint64_t)stat->st_blocks * 512;
	file->ctime = last_change(stat);
	file->type = S_ISREG(stat->st_mode) ? SEGMAP_FILE_REGULAR :
		     S_ISCHR(stat->st_mode) || S_ISBLK(stat->st_mode) ? SEGMAP_FILE_DEVICE :
									SEGMAP_FILE_OTHER;
	if (file->type == SEGMAP_FILE_REGULAR) {
		file->fd = files_open_for_reading(files, path_fd, stat);
		files->n_open += file->fd >= 0;
		if (file->fd < 0) {
			entry->open_errno = errno;
			file->error = not_opened(files, errno, name);
			if (file->error->code == SEGMAP_ERROR_NO_MEMORY)
				return file->error;
		}
	}
	*ret = file;
	return NULL;
}

static const struct entry *entry_of(const struct segmap_file *file)
{
	return (const struct entry *)file; /* file is its first member */
}

bool files_is_let_go(const struct segmap_file *file)
{
	return entry_of(file)->let_go;
}

bool files_want_known_paths(const struct segmap_files *files)
{
	return files->wants & SEGMAP_WANT_KNOWN_PATHS;
}

static uint64_t dev_of(const struct segmap_backing *backing)
{
	return makedev(backing->dev_major, backing->dev_minor);
}

bool files_recall(const struct segmap_files *files, const struct view *view,
		  struct segmap_backing *backing)
{
	const struct entry *entry;
	uint32_t index;

	if (!view->root_ino || !view->mounts ||
	    !idmap_find(&files->by_id, dev_of(backing), backing->ino, &index))
		return false;
	entry = files->entries[index];
	for (const struct known *known = entry->let_go ? NULL : entry->known; known;
	     known = known->next) {
		if (memcmp(&known->view, view, sizeof(*view)) == 0 &&
		    strcmp(known->path, backing->path) == 0) {
			backing->file = &files->entries[index]->file;
			backing->opened = known->opened;
			return true;
		}
	}
	return false;
}

bool files_remember(struct segmap_files *files, const struct view *view,
		    const struct segmap_backing *backing)
{
	struct entry *entry = (struct entry *)backing->file; /* file is its first member */
	size_t size = strlen(backing->path) + 1;
	struct known *known;

	if (!files_want_known_paths(files) || !view->root_ino || !view->mounts)
		return true;
	known = malloc(sizeof(*known) + size);
	if (!known)
		return false;
	known->next = entry->known;
	known->view = *view;
	known->opened = backing->opened;
	memcpy(known->path, backing->path, size);
	entry->known = known;
	return true;
}

int files_open_errno(const struct segmap_file *file)
{
	return entry_of(file)->open_errno;
}

struct segmap_error *files_add_memory(struct segmap_files *files, struct file_memory *memory,
				      struct segmap_file **ret)
{
	struct entry *entry = NULL;
	struct segmap_error *error = add_entry(files, &entry);

	if (error) {
		file_memory_close(memory);
		return error;
	}
	entry->memory = memory;
	for (size_t i = 0; i < memory->n_ranges; i++)
		entry->file.size = max_u64(entry->file.size, memory->ranges[i].end);
	entry->file.on_disk = entry->file.size;
	*ret = &entry->file;
	return NULL;
}

/* What @file can be read through. */
static struct bytes bytes_of(const struct segmap_file *file, const char *name)
{
	const struct file_memory *memory = ((const struct entry *)file)->memory;
	struct bytes bytes = {
		.read = bytes_read_fd,
		.name = name,
		.size = file->size,
		.on_disk = file->on_disk,
		.fd = file->fd,
	};

	if (memory) {
		bytes.read = bytes_read_file_memory;
		bytes.memory = memory;
		bytes.loaded = true;
		bytes.bias = memory->first_addr;
	}
	return bytes;
}

static bool is_readable(const struct segmap_file *file)
{
	return file->fd >= 0 || ((const struct entry *)file)->memory;
}

/*
 * Remember where what is mapped of @elf begins: each PT_LOAD, and the writable
 * rest behind a RELRO. False without memory.
 */
static bool note_begins(struct entry *entry, const struct segmap_elf *elf)
{
	for (size_t i = 0; i < elf->n_segments; i++) {
		const struct segmap_segment *segment = &elf->segments[i];
		uint64_t begins = elf->elf_off + segment->map_off;
		uint32_t found;

		if (segment->type == SEGMAP_SEGMENT_RELRO)
			begins += segment->mem_end - segment->map_start;
		if (!idmap_find_or_add(&entry->begun, begins, 0, 0, &found))
			return false;
	}
	entry->n_segments += elf->n_segments;
	return true;
}

/* Whether what is mapped from @off needs no other ELF object to explain it. */
static bool is_explained(const struct entry *entry, uint64_t off)
{
	uint32_t found;

	return idmap_find(&entry->begun, off, 0, &found);
}

/* Parse the ELF object at @off, if there is one, into @file. */
static struct segmap_error *parse_at(struct segmap_files *files, struct segmap_file *file,
				     const char *path, uint64_t off)
{
	struct bytes bytes = bytes_of(file, path);
	struct segmap_error *error;
	struct segmap_elf *elf, **elfs;

	if (off)
		bytes.counted = &((struct entry *)file)->embedded_bytes;
	error = elf_parse(&bytes, off, files->page_size, files->wants, &files->scratch,
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
	if (elfs)
		file->elfs = elfs;
	if (!elfs || !note_begins((struct entry *)file, elf)) {
		segmap_elf_free(elf);
		return segmap_error_no_memory();
	}
	file->elfs[file->n_elfs++] = elf;
	return NULL;
}

/* Look in @file for ELF objects where @backing's VMAs are mapped from (files in files). */
static struct segmap_error *parse_embedded(struct segmap_files *files, struct segmap_file *file,
					   const struct segmap_layout *layout,
					   const struct segmap_backing *backing)
{
	struct entry *entry = (struct entry *)file; /* file is its first member */

	for (uint32_t i = 0; i < backing->n_vmas; i++) {
		const struct segmap_vma *vma = &layout->vmas[backing->vmas[i]];
		struct bytes bytes = bytes_of(file, backing->path);
		struct segmap_error *error;
		unsigned char start[16];
		uint32_t found, fresh = (uint32_t)entry->probed.n_used;

		if (!vma->off || (!vma->prot && !vma->unknown_prot) ||
		    is_explained(entry, vma->off))
			continue;
		if (fresh == SEGMAP_MAX_EMBEDDED ||
		    entry->n_segments > SEGMAP_MAX_EMBEDDED_SEGMENTS ||
		    entry->embedded_bytes > SEGMAP_MAX_EMBEDDED_BYTES)
			break;
		if (!idmap_find_or_add(&entry->probed, vma->off, 0, fresh, &found))
			return segmap_error_no_memory();
		if (found != fresh)
			continue;
		if (bytes.read(&bytes, start, sizeof(start), vma->off) != sizeof(start) ||
		    !elf_has_magic(start, sizeof(start)))
			continue;
		error = parse_at(files, file, backing->path, vma->off);
		if (error)
			return error;
	}
	return NULL;
}

struct segmap_error *files_parse_start(struct segmap_files *files, struct segmap_file *file,
				       const char *name)
{
	struct segmap_error *error;

	if (file->parsed || !is_readable(file))
		return NULL;
	error = parse_at(files, file, name, 0);
	file->parsed = !error; /* what there was no memory for can be asked for again */
	return error;
}

/* Parse @file, once, and what else @backing has mapped of it if that is or may be @file. */
static struct segmap_error *parse_file(struct segmap_files *files, struct segmap_file *file,
				       const struct segmap_layout *layout,
				       const struct segmap_backing *backing)
{
	struct segmap_error *error;

	if (!is_readable(file))
		return NULL;
	error = files_parse_start(files, file, backing->path);
	if (!error && (file == backing->file || file == backing->twin))
		error = parse_embedded(files, file, layout, backing);
	return error;
}

/* The ELF object whose header is at @elf_off of @file; NULL if there is none. */
static const struct segmap_elf *elf_at(const struct segmap_file *file, uint64_t elf_off)
{
	for (size_t i = 0; i < file->n_elfs; i++)
		if (file->elfs[i]->elf_off == elf_off)
			return file->elfs[i];
	return NULL;
}

/* The build-id of the ELF object that @file is; NULL if it is none or has none. */
static const char *build_id_of(const struct segmap_file *file)
{
	const struct segmap_elf *elf = file ? elf_at(file, 0) : NULL;

	return elf ? elf->build_id : NULL;
}

/* Whether two ELF objects have the same headers, as far as they tell of what is mapped. */
static bool has_same_headers(const struct segmap_elf *a, const struct segmap_elf *b)
{
	return a->entry == b->entry && elf_has_same_segments(a, b);
}

/* What headers in memory or in a dump tell of the file on disk. */
enum agreement {
	AGREEMENT_NONE,	      /* it is another file */
	AGREEMENT_UNKNOWN,    /* there are no headers to compare */
	AGREEMENT_OF_HEADERS, /* they are alike; the page with the build-id is not there */
	AGREEMENT_WITHOUT_ID, /* they are alike, and have no build-id */
	AGREEMENT_OF_BUILD_IDS,
};

static enum agreement compare_elfs(const struct segmap_elf *seen, const struct segmap_elf *on_disk)
{
	if (!on_disk)
		return AGREEMENT_NONE;
	if (seen->build_id)
		return on_disk->build_id && strcmp(seen->build_id, on_disk->build_id) == 0 ?
			       AGREEMENT_OF_BUILD_IDS :
			       AGREEMENT_NONE;
	if (!has_same_headers(seen, on_disk))
		return AGREEMENT_NONE;
	return on_disk->build_id ? AGREEMENT_OF_HEADERS : AGREEMENT_WITHOUT_ID;
}

/*
 * @seen is what there is of the file in memory or in a dump. Of several ELF objects
 * that are mapped of it the one that agrees least counts: each can have been replaced.
 */
static enum agreement compare_files(const struct segmap_file *seen,
				    const struct segmap_file *on_disk)
{
	enum agreement least = seen->n_elfs ? AGREEMENT_OF_BUILD_IDS : AGREEMENT_UNKNOWN;

	for (size_t i = 0; i < seen->n_elfs; i++) {
		enum agreement agreement =
			compare_elfs(seen->elfs[i], elf_at(on_disk, seen->elfs[i]->elf_off));

		if (agreement < least)
			least = agreement;
	}
	for (size_t i = 0; i < on_disk->n_elfs && least > AGREEMENT_UNKNOWN; i++)
		if (!elf_at(seen, on_disk->elfs[i]->elf_off))
			least = AGREEMENT_UNKNOWN;
	return least;
}

/*
 * A file with the mapped one's inode on another device than maps shows (btrfs
 * gives each subvolume a device of its own, overlayfs of several file systems each of them):
 * it is believed if it has the build-id that is in memory.
 */
static struct segmap_error *judge_twin(struct segmap_layout *layout, struct segmap_backing *backing)
{
	enum agreement agreement = compare_files(backing->file, backing->twin);

	if (agreement == AGREEMENT_NONE && (backing->twin->n_elfs || is_readable(backing->twin))) {
		backing->path_file = backing->twin;
		backing->status = SEGMAP_STATUS_REPLACED;
		return NULL;
	}
	segmap_error_free(backing->error);
	backing->error = NULL;
	if (agreement != AGREEMENT_OF_BUILD_IDS) {
		backing->error = segmap_error_new(
			SEGMAP_ERROR_PERMISSION, backing->path,
			"its device is %02x:%02x in maps and another one to stat(), and %s to tell "
			"whether the file at its path is the mapped one; root could read it",
			backing->dev_major, backing->dev_minor,
			is_readable(backing->twin) ? "memory has no build-id" : "that file cannot be read");
		return NULL;
	}
	backing->file = backing->twin;
	backing->opened = SEGMAP_OPENED_ROOT;
	return segmap_layout_note(layout,
				  "%s: its device is %02x:%02x in maps and another one to stat(); "
				  "taken for the mapped file because inode and build-id agree",
				  backing->path, backing->dev_major, backing->dev_minor);
}

/* Whether pages are mapped that lie behind the end of the file. */
static bool is_short(const struct segmap_layout *layout, const struct segmap_backing *backing)
{
	uint64_t end = page_up(backing->file->size, layout->page_size);

	for (uint32_t i = 0; i < backing->n_vmas; i++) {
		const struct segmap_vma *vma = &layout->vmas[backing->vmas[i]];

		/* A library's gaps reach past its end, without access. */
		if (vma->prot && (vma->off >= end || end - vma->off < segmap_vma_size(vma)))
			return true;
	}
	return false;
}

/* Whether the file holds all that its own program headers speak of. */
static bool is_whole(const struct segmap_file *file)
{
	for (size_t i = 0; i < file->n_elfs; i++) {
		const struct segmap_elf *elf = file->elfs[i];

		for (size_t j = 0; j < elf->n_segments; j++)
			if (elf->segments[j].off + elf->segments[j].filesz > elf->size)
				return false;
	}
	return file->n_elfs;
}

/*
 * The same inode is no proof of the same bytes. Nothing says when a file was
 * mapped but that it was after the process began, so this says "may".
 */
static struct segmap_error *judge_age(struct segmap_layout *layout, struct segmap_backing *backing)
{
	const struct segmap_file *file = backing->file;

	if (backing->status != SEGMAP_STATUS_OK || backing->opened == SEGMAP_OPENED_MEMORY ||
	    strncmp(backing->path, "/memfd:", 7) == 0)
		return NULL;
	/* musl maps a library's gaps, past the end of the file too: that alone means nothing. */
	if (is_short(layout, backing) && !is_whole(file)) {
		backing->status = SEGMAP_STATUS_TRUNCATED;
		return segmap_layout_note(layout,
					  "%s: the file was truncated in place: it is shorter than what "
					  "is mapped of it, and may not be what was mapped",
					  backing->path);
	}
	if (!layout->started.tv_sec || !is_later(&file->ctime, &layout->started))
		return NULL;
	backing->status = SEGMAP_STATUS_REWRITTEN;
	return segmap_layout_note(layout,
				  "%s: the file, or its attributes, changed after the process began: it may not be "
				  "what was mapped",
				  backing->path);
}

/* The file cannot be read; its error says why. What its headers in memory make of that. */
static struct segmap_error *judge_memory(struct segmap_layout *layout,
					 struct segmap_backing *backing)
{
	if (backing->file->n_elfs)
		return segmap_layout_note(layout, "%s: %s; shown by its headers in memory",
					  backing->path, backing->error->why);
	backing->status = SEGMAP_STATUS_UNREADABLE;
	return segmap_layout_note(layout, "%s: %s", backing->path, backing->error->why);
}

/* What the parsed files tell of @backing. */
static struct segmap_error *judge(struct segmap_layout *layout, struct segmap_backing *backing)
{
	struct segmap_error *error = NULL;

	if (backing->twin)
		error = judge_twin(layout, backing);
	if (error)
		return error;
	if (backing->file->n_elfs || backing_has_code(layout, backing))
		error = judge_age(layout, backing);
	if (error || backing->status == SEGMAP_STATUS_TRUNCATED)
		return error;
	if (backing->opened == SEGMAP_OPENED_MEMORY)
		return judge_memory(layout, backing);
	if (backing->file->n_elfs || !backing->file->error)
		return NULL;
	backing->status = SEGMAP_STATUS_MALFORMED;
	backing->error = segmap_error_new(SEGMAP_ERROR_FORMAT, backing->path, "%s",
					  backing->file->error->why);
	if (!backing_has_code(layout, backing))
		return NULL;
	return segmap_layout_note(layout, "%s: %s", backing->path, backing->file->error->why);
}

struct segmap_error *files_parse_vdso(struct segmap_files *files, const void *memory,
				      uint64_t size, struct segmap_elf **ret)
{
	struct bytes bytes = {
		.read = bytes_read_buffer,
		.name = "[vdso]",
		.size = size,
		.on_disk = size,
		.memory = memory,
	};
	scope_error struct segmap_error *error =
		elf_parse(&bytes, 0, files->page_size, files->wants, &files->scratch, ret);

	return error && error->code == SEGMAP_ERROR_NO_MEMORY ? return_ptr(error) : NULL;
}

static struct segmap_error *parse_vdso(struct segmap_files *files, struct segmap_layout *layout)
{
	if (!layout->vdso_bytes || layout->vdso)
		return NULL;
	return files_parse_vdso(files, layout->vdso_bytes, layout->vdso_size, &layout->vdso);
}

/* Look for the ELF files' machine: one that all of them are for, and that is not this one. */
static bool find_machine(const struct segmap_layout *layout, unsigned int *ret)
{
	unsigned char start[64];
	bool found = false;

	for (size_t i = 0; i < layout->n_backings; i++) {
		const struct segmap_file *file = layout->backings[i].file;
		int64_t got = file && file->fd >= 0 ?
				      fd_read(file->fd, start, sizeof(start), 0) :
				      -1;
		unsigned int machine;
		bool foreign;

		if (got < 0 || !elf_machine_of(start, (size_t)got, &machine, &foreign))
			continue;
		if (!foreign || (found && !elf_runs_on(machine, *ret)))
			return false;
		*ret = machine;
		found = true;
	}
	return found;
}

/* The greatest page size, beginning with @page_size, that all VMAs are aligned to. */
static uint64_t fitting_page_size(const struct segmap_layout *layout, uint64_t page_size)
{
	uint64_t all = 0;

	for (size_t i = 0; i < layout->n_vmas; i++)
		all |= layout->vmas[i].start | layout->vmas[i].end | layout->vmas[i].off;
	while (page_size > SEGMAP_LEAST_PAGE_SIZE && (all & (page_size - 1)))
		page_size /= 2;
	return page_size;
}

/*
 * A saved map does not say of which machine it is; the files that it is of do.
 * One of this machine is enough for it to be this one: an emulator's is.
 */
static struct segmap_error *settle_machine(const struct segmap_files *files,
					   struct segmap_layout *layout)
{
	const char *name;

	if (layout->source == SEGMAP_SOURCE_MAPS && !layout->machine &&
	    !find_machine(layout, &layout->machine))
		layout->machine = 0;
	if (layout->page_size)
		return NULL;
	if (!layout->machine) {
		layout->page_size = fitting_page_size(layout, files->page_size);
		return NULL;
	}
	layout->page_size =
		fitting_page_size(layout, segmap_usual_page_size(layout->machine));
	name = segmap_machine_name(layout->machine);
	return segmap_layout_note(layout,
				  "its page size is taken to be %ju bytes, as is usual on %s; "
				  "--page-size sets another",
				  (uintmax_t)layout->page_size, name ? name : "its machine");
}

/* Foreign is what the machine that the map is of does not run by itself. */
static void settle_foreign(struct segmap_layout *layout)
{
	if (!layout->machine)
		return;
	for (size_t i = 0; i < layout->n_backings; i++) {
		const struct segmap_file *file = layout->backings[i].file;

		for (size_t j = 0; file && j < file->n_elfs; j++)
			file->elfs[j]->foreign =
				!elf_runs_on(file->elfs[j]->machine, layout->machine);
	}
	if (layout->vdso)
		layout->vdso->foreign = !elf_runs_on(layout->vdso->machine, layout->machine);
}

/* What a core dump itself has of the file is all that is shown of it. */
static struct segmap_error *show_dumped(struct segmap_layout *layout,
					struct segmap_backing *backing, const char *why)
{
	bool has_headers = backing->file->n_elfs;

	if (!backing->error)
		backing->error = segmap_error_new(SEGMAP_ERROR_FORMAT, backing->path, "%s", why);
	backing->opened = has_headers ? SEGMAP_OPENED_CORE : SEGMAP_OPENED_NOT;
	if (!has_headers && backing->status != SEGMAP_STATUS_REPLACED)
		backing->status = SEGMAP_STATUS_UNREADABLE;
	return segmap_layout_note(layout, "%s: %s%s", backing->path, why,
				  has_headers ? "; shown by its headers in the dump" : "");
}

/* The file at its path is the one that the process had. */
static void believe_twin(struct segmap_backing *backing)
{
	backing->file = backing->twin;
	backing->opened = SEGMAP_OPENED_PATH;
	segmap_error_free(backing->error);
	backing->error = NULL;
}

static struct segmap_error *replaced_twin(struct segmap_layout *layout,
					  struct segmap_backing *backing)
{
	backing->status = SEGMAP_STATUS_REPLACED;
	backing->path_file = backing->twin;
	return show_dumped(layout, backing, "the file at its path is another than the one in the dump");
}

/*
 * Whether the file that has the path (the twin) is the one that the dump is of
 * (file: what of it was dumped). The build-id decides.
 */
static struct segmap_error *judge_dumped(struct segmap_layout *layout,
					 struct segmap_backing *backing)
{
	const struct segmap_file *dumped = backing->file, *twin = backing->twin;
	enum agreement agreement;

	if (!twin)
		return show_dumped(layout, backing,
				   backing->error ? backing->error->why : "it is not there");
	if (!dumped->n_elfs && !twin->n_elfs) {
		believe_twin(backing); /* data: nothing of it is shown but the name */
		return NULL;
	}
	agreement = compare_files(dumped, twin);
	if (agreement == AGREEMENT_NONE)
		return replaced_twin(layout, backing);
	if (agreement == AGREEMENT_UNKNOWN) {
		backing->path_file = backing->twin;
		return show_dumped(layout, backing,
				   dumped->n_elfs ?
					   "not all of its headers are in the dump, so the file at "
					   "its path cannot be compared" :
					   "its headers are not in the dump, so the file at its path "
					   "cannot be compared");
	}
	believe_twin(backing);
	if (agreement == AGREEMENT_OF_BUILD_IDS)
		return NULL;
	return segmap_layout_note(layout,
				  "%s: %s; the file at its path is taken for it because its headers "
				  "are those in the dump",
				  backing->path,
				  agreement == AGREEMENT_WITHOUT_ID ?
					  "it has no build-id" :
					  "its build-id is not in the dump");
}

static struct segmap_error *keep_path_build_id(struct segmap_backing *backing)
{
	const char *build_id = build_id_of(backing->path_file);

	if (!build_id)
		return NULL;
	backing->path_build_id = strdup(build_id);
	return backing->path_build_id ? NULL : segmap_error_no_memory();
}

/* All that @backing has led to, and what that tells of it. */
static struct segmap_error *parse_backing(struct segmap_files *files, struct segmap_layout *layout,
					  struct segmap_backing *backing)
{
	struct segmap_file *each[] = { backing->file, backing->twin, backing->path_file };

	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
		struct segmap_error *error =
			each[i] ? parse_file(files, each[i], layout, backing) : NULL;

		if (error)
			return error;
	}
	if (backing->file && is_readable(backing->file)) {
		struct segmap_error *error = layout->source == SEGMAP_SOURCE_CORE ?
						     judge_dumped(layout, backing) :
						     judge(layout, backing);

		if (error)
			return error;
	}
	return keep_path_build_id(backing);
}

struct segmap_error *segmap_files_parse(struct segmap_files *files, struct segmap_layout *layout)
{
	struct segmap_error *error = settle_machine(files, layout);

	/* All that is parsed from here on is rounded to the layout's pages. */
	files->page_size = layout->page_size;
	for (size_t i = 0; i < layout->n_backings && !error; i++)
		error = parse_backing(files, layout, &layout->backings[i]);
	if (!error)
		error = parse_vdso(files, layout);
	settle_foreign(layout);
	return error;
}
