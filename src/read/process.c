/* src/read/process.c - reading a live process through one descriptor of its /proc directory. */
#include <segmap/process.h>
#include "base/scope.h"
#include "model/bytes.h"
#include "read/backing.h"
#include "read/elf.h"
#include <bsd/stdlib.h>
#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <segmap/limits.h>
#include <segmap/text.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/types.h>

/*
 * All of the file @name in @dir, at most @most bytes, with a NUL behind the
 * last. Returns a negative errno value or 0; on success the caller frees *@ret.
 */
static int read_whole(int dir, const char *name, size_t most, char **ret, size_t *ret_size)
{
	scope_free char *bytes = NULL;
	scope_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	size_t size = 0, capacity = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t got;

		if (capacity - size < 4096) {
			/* maps comes in pages; doubling keeps copying linear. */
			char *moved = realloc(bytes, (capacity = capacity ? capacity * 2 : 16384));

			if (!moved)
				return -ENOMEM;
			bytes = moved;
		}
		got = read(fd, bytes + size, capacity - size - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		size += (size_t)got;
		if (got == 0 || size > most)
			break;
	}
	if (size > most)
		size = most;
	bytes[size] = '\0';
	*ret = return_ptr(bytes);
	*ret_size = size;
	return 0;
}

static struct segmap_error *no_process(const char *name)
{
	return segmap_error_new(SEGMAP_ERROR_NO_PROCESS, name, "there is no such process");
}

static struct segmap_error *ended(const char *name)
{
	return segmap_error_new(SEGMAP_ERROR_NO_PROCESS, name, "it ended while it was read");
}

static struct segmap_error *read_error(int errnum, const char *name, const char *doing)
{
	return errnum == ESRCH || errnum == ENOENT ? ended(name) :
						     segmap_error_system(errnum, name, doing);
}

/*
 * Why a process has no memory map. proc(5): field 3 of stat is the state and
 * field 9 the kernel's flags, of which 0x00200000 is PF_KTHREAD.
 */
static struct segmap_error *explain_empty_map(int dir, const char *name)
{
	scope_free char *stat = NULL;
	unsigned long flags = 0;
	const char *fields;
	char state = '?';
	size_t size;

	if (read_whole(dir, "stat", 4096, &stat, &size) < 0)
		return ended(name);
	fields = strrchr(stat, ')');
	if (!fields || sscanf(fields + 1, " %c %*d %*d %*d %*d %*d %lu", &state, &flags) != 2)
		return segmap_error_new(SEGMAP_ERROR_FORMAT, name, "its stat has an unknown form");
	if (state == 'Z' || state == 'X')
		return segmap_error_new(SEGMAP_ERROR_NO_MEMORY_MAP, name,
					"it is a zombie: it has ended and waits for its parent; "
					"it has no memory any more");
	if (flags & 0x00200000)
		return segmap_error_new(SEGMAP_ERROR_NO_MEMORY_MAP, name,
					"it is a kernel thread: it has no memory of its own");
	return segmap_error_new(SEGMAP_ERROR_NO_MEMORY_MAP, name, "its memory map is empty");
}

/*
 * Read and parse the map page by page: with very many VMAs most of the time
 * goes into memory, so the text is not kept.
 */
static struct segmap_error *read_maps(struct segmap_layout *layout, int dir, const char *name)
{
	scope_close int fd = openat(dir, "maps", O_RDONLY | O_CLOEXEC);
	size_t capacity = 65536, size = 0, taken;
	scope_free char *text = malloc(capacity);
	struct segmap_error *error;

	if (!text)
		return segmap_error_no_memory();
	if (fd < 0)
		return read_error(errno, name, "read its map");
	for (;;) {
		ssize_t got = read(fd, text + size, capacity - size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return read_error(errno, name, "read its map");
		size += (size_t)got;
		error = segmap_layout_parse_maps(layout, name, text, size, got == 0, &taken);
		if (error)
			return error;
		if (got == 0)
			break;
		size -= taken;
		memmove(text, text + taken, size);
		if (size == capacity) { /* one line, with a very long name */
			char *moved = realloc(text, capacity *= 2);

			if (!moved)
				return segmap_error_no_memory();
			text = moved;
		}
	}
	return layout->n_vmas ? NULL : explain_empty_map(dir, name);
}

/* Name and arguments. They are the process's own to write, so they are only shown. */
static struct segmap_error *read_names(struct segmap_layout *layout, int dir, const char *name)
{
	size_t size;
	int result = read_whole(dir, "comm", 4096, &layout->comm, &size);

	if (result < 0)
		return read_error(-result, name, "read its name");
	if (size && layout->comm[size - 1] == '\n')
		layout->comm[size - 1] = '\0';
	result = read_whole(dir, "cmdline", SEGMAP_MAX_COMMAND, &layout->command,
			    &layout->command_size);
	return result < 0 ? read_error(-result, name, "read its command line") : NULL;
}

/* One word of the vector in the process's own size; false behind the last. */
static bool auxv_word(const char *auxv, size_t size, size_t word, bool is_64, uint64_t *ret)
{
	size_t width = is_64 ? 8 : 4;

	if ((word + 1) * width > size)
		return false;
	if (is_64) {
		memcpy(ret, auxv + word * width, width);
	} else {
		uint32_t value;

		memcpy(&value, auxv + word * width, width);
		*ret = value;
	}
	return true;
}

/*
 * The auxiliary vector tells where the kernel put the program and its
 * interpreter. It is in the process's own word size: the one in which it ends
 * with AT_NULL and has a sane AT_PAGESZ.
 */
static void read_auxv(struct segmap_layout *layout, int dir)
{
	scope_free char *auxv = NULL;
	size_t size;

	if (read_whole(dir, "auxv", 65536, &auxv, &size) < 0)
		return;
	for (int is_64 = 1; is_64 >= 0; is_64--) {
		uint64_t type, value, phdr = 0, base = 0, page_size = 0;

		for (size_t i = 0; auxv_word(auxv, size, i, is_64, &type) && type != AT_NULL &&
				   auxv_word(auxv, size, i + 1, is_64, &value);
		     i += 2) {
			if (type == AT_PHDR)
				phdr = value;
			else if (type == AT_BASE)
				base = value;
			else if (type == AT_PAGESZ)
				page_size = value;
		}
		if (page_size == layout->page_size) {
			layout->auxv_phdr = phdr;
			layout->auxv_base = base;
			return;
		}
	}
}

static void read_personality(struct segmap_layout *layout, int dir)
{
	scope_free char *text = NULL;
	size_t size;

	if (read_whole(dir, "personality", 64, &text, &size) == 0)
		layout->read_implies_exec = strtoul(text, NULL, 16) & READ_IMPLIES_EXEC;
}

static int64_t memory_read(const struct bytes *bytes, void *buffer, size_t size, uint64_t off)
{
	if (off >= bytes->size)
		return 0;
	if (size > bytes->size - off)
		size = (size_t)(bytes->size - off);
	memcpy(buffer, (const char *)bytes->memory + off, size);
	return (int64_t)size;
}

/*
 * The vdso is an ELF object that no file holds: the kernel has copied it into
 * the process, headers and all. Where its memory cannot be read, segmap's own
 * is the same one if it has the same size (and so the same class).
 */
static struct segmap_error *read_vdso(struct segmap_layout *layout, int dir)
{
	/* The kernel's are of one to four pages; believe no more than this. */
	enum { MAX_VDSO = 1 << 20 };
	const struct segmap_vma *vma =
		layout->vdso_vma < 0 ? NULL : &layout->vmas[layout->vdso_vma];
	struct bytes bytes = { .read = memory_read, .name = "[vdso]" };
	scope_error struct segmap_error *error = NULL;
	struct elf_scratch scratch = { 0 };
	scope_free void *copy = NULL;
	scope_close int mem = -1;

	if (!vma || segmap_vma_size(vma) > MAX_VDSO)
		return NULL;
	bytes.size = bytes.on_disk = segmap_vma_size(vma);
	copy = malloc(bytes.size);
	if (!copy)
		return segmap_error_no_memory();
	mem = openat(dir, "mem", O_RDONLY | O_CLOEXEC);
	if (mem >= 0 && fd_read(mem, copy, bytes.size, vma->start) == (int64_t)bytes.size) {
		layout->vdso_opened = SEGMAP_OPENED_MEMORY;
		bytes.memory = copy;
	} else {
		return NULL;
	}
	error = elf_parse(&bytes, 0, layout->page_size, true, &scratch, &layout->vdso);
	elf_scratch_free(&scratch);
	return error && error->code == SEGMAP_ERROR_NO_MEMORY ? return_ptr(error) : NULL;
}

static struct segmap_error *read_process(int pid, struct segmap_files *files,
					 struct segmap_layout *layout)
{
	scope_close int dir = -1;
	struct segmap_error *error;
	char name[32];

	snprintf(name, sizeof(name), "/proc/%d", pid);
	dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(name, sizeof(name), "%d", pid);
	if (dir < 0)
		return errno == ENOENT ? no_process(name) :
					 segmap_error_system(errno, name, "open /proc");
	layout->pid = pid;
	layout->source = SEGMAP_SOURCE_PROCESS;
	layout->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	clock_gettime(CLOCK_REALTIME, &layout->time);
	error = read_maps(layout, dir, name);
	if (!error)
		error = read_names(layout, dir, name);
	if (error)
		return error;
	read_auxv(layout, dir);
	read_personality(layout, dir);
	error = read_vdso(layout, dir);
	return error ? error : backings_open(layout, dir, files);
}

struct segmap_error *segmap_process_open(int pid, struct segmap_files *files,
					 struct segmap_layout **ret)
{
	struct segmap_layout *layout;
	struct segmap_error *error = segmap_layout_new(&layout);

	if (error)
		return error;
	error = read_process(pid, files, layout);
	if (error) {
		segmap_layout_free(layout);
		return error;
	}
	*ret = layout;
	return NULL;
}

/* Whether /proc/@pid is called @name; see segmap_process_find(). */
static bool has_name(int proc, const char *pid, const char *name)
{
	enum { COMM_LENGTH = 15 }; /* TASK_COMM_LEN without the NUL */
	scope_free char *comm = NULL, *command = NULL;
	const char *base;
	char path[NAME_MAX + sizeof("/cmdline")];
	size_t size;

	snprintf(path, sizeof(path), "%s/comm", pid);
	if (read_whole(proc, path, 4096, &comm, &size) < 0 || !size)
		return false;
	if (comm[size - 1] == '\n')
		comm[size - 1] = '\0';
	if (strlen(name) <= COMM_LENGTH)
		return strcmp(comm, name) == 0;
	if (strncmp(comm, name, COMM_LENGTH) != 0 || strlen(comm) != COMM_LENGTH)
		return false;
	snprintf(path, sizeof(path), "%s/cmdline", pid);
	if (read_whole(proc, path, SEGMAP_MAX_COMMAND, &command, &size) < 0)
		return false;
	base = strrchr(command, '/');
	return strcmp(base ? base + 1 : command, name) == 0;
}

static int compare_pids(const void *a, const void *b)
{
	return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

struct segmap_error *segmap_process_find(const char *name, int **ret, size_t *n_ret)
{
	scope_closedir DIR *proc = opendir("/proc");
	scope_free int *pids = NULL;
	size_t n_pids = 0, capacity = 0;
	struct dirent *entry;

	if (!proc)
		return segmap_error_system(errno, "/proc", "open (is it mounted?)");
	while ((entry = readdir(proc))) {
		const char *problem;
		int pid = (int)strtonum(entry->d_name, 1, INT32_MAX, &problem);

		if (problem || pid == getpid() || !has_name(dirfd(proc), entry->d_name, name))
			continue;
		if (!grow(&pids, &capacity, n_pids, sizeof(*pids)))
			return segmap_error_no_memory();
		pids[n_pids++] = pid;
	}
	if (n_pids)
		qsort(pids, n_pids, sizeof(*pids), compare_pids);
	*ret = return_ptr(pids);
	*n_ret = n_pids;
	return NULL;
}
