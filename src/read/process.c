/* src/read/process.c - reading a live process through one descriptor of its /proc directory. */
#include <segmap/process.h>
#include "base/scope.h"
#include "model/memory.h"
#include "read/auxv.h"
#include "read/backing.h"
#include "read/bytes.h"
#include "read/evidence.h"
#include "read/maps.h"
#include "read/query.h"
#include <bsd/stdlib.h>
#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <segmap/limits.h>
#include <segmap/text.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/types.h>

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
	struct segmap_error *error = file_read_if_there(dir, "stat", 4096, &stat, &size);

	if (error || !stat)
		return error ? error : ended(name);
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
 * The map to read: with figures it is smaps, and maps is not read at all, so
 * that ranges and figures are of one moment. The kernel can be built without
 * smaps, or keep it from us; then there are ranges alone.
 */
static struct segmap_error *open_map(struct segmap_layout *layout, int dir, const char *name,
				     unsigned int wanted, int *ret)
{
	int fd = wanted & SEGMAP_WANT_FIGURES ? openat(dir, "smaps", O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0 && wanted & SEGMAP_WANT_FIGURES) {
		scope_error struct segmap_error *why =
			segmap_error_system(errno, name, "read smaps");
		struct segmap_error *error = segmap_layout_note(
			layout, "what memory costs is not known: %s", why->why);

		if (error)
			return error;
	}
	if (fd < 0)
		fd = openat(dir, "maps", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return read_error(errno, name, "read its map");
	*ret = fd;
	return NULL;
}

static struct segmap_error *read_maps(struct segmap_layout *layout, int dir, const char *name,
				      unsigned int wanted)
{
	scope_close int fd = -1;
	struct segmap_error *error = open_map(layout, dir, name, wanted, &fd);
	int problem = 0;

	if (!error)
		error = maps_read(layout, fd, name, &problem);
	if (error)
		return error;
	if (problem)
		return read_error(problem, name, "read its map");
	return layout->n_vmas ? NULL : explain_empty_map(dir, name);
}

/* Name and arguments. They are the process's own to write, so they are only shown. */
static struct segmap_error *read_names(struct segmap_layout *layout, int dir, const char *name)
{
	size_t size;
	int result = file_read_whole(dir, "comm", 4096, &layout->comm, &size);

	if (result < 0)
		return read_error(-result, name, "read its name");
	if (size && layout->comm[size - 1] == '\n')
		layout->comm[size - 1] = '\0';
	result = file_read_whole(dir, "cmdline", SEGMAP_MAX_COMMAND, &layout->command,
			    &layout->command_size);
	return result < 0 ? read_error(-result, name, "read its command line") : NULL;
}

/*
 * The auxiliary vector tells where the kernel put the program and its
 * interpreter. It is in the process's own word size: the one in which it has a
 * sane AT_PAGESZ.
 */
static struct segmap_error *read_auxv(struct segmap_layout *layout, int dir)
{
	scope_free char *bytes = NULL;
	size_t size;
	struct segmap_error *error = file_read_if_there(dir, "auxv", 65536, &bytes, &size);

	for (unsigned int width = 8; bytes && width >= 4; width /= 2) {
		struct auxv auxv = auxv_parse(bytes, size, width, false);

		if (auxv.page_size != layout->page_size)
			continue;
		layout->auxv_phdr = auxv.phdr;
		layout->auxv_base = auxv.base;
		layout->auxv_entry = auxv.entry;
		layout->word_size = width;
		break;
	}
	return error;
}

static struct segmap_error *read_personality(struct segmap_layout *layout, int dir)
{
	scope_free char *text = NULL;
	size_t size;
	struct segmap_error *error = file_read_if_there(dir, "personality", 64, &text, &size);

	if (text)
		layout->read_implies_exec = strtoul(text, NULL, 16) & READ_IMPLIES_EXEC;
	return error;
}

/* Whether all pages of @vma are in memory, so that reading them brings none in. */
static bool is_resident(const struct segmap_layout *layout, int dir, const struct segmap_vma *vma)
{
	enum { MOST_PAGES = 64 };
	scope_close int fd = openat(dir, "pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entries[MOST_PAGES], n = segmap_vma_size(vma) / layout->page_size;
	size_t size = n * sizeof(entries[0]);

	if (fd < 0 || n > MOST_PAGES ||
	    fd_read(fd, entries, size, vma->start / layout->page_size * sizeof(entries[0])) !=
		    (int64_t)size)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!(entries[i] >> 63))
			return false;
	return true;
}

/*
 * The vdso is an ELF object that no file holds: the kernel has put it into the
 * process, headers and all. Where the process's memory cannot be read, segmap's
 * own is the same one, if it has the same size. So it is where reading would change
 * the process: a page that is read becomes resident. 0, or an errno value: ENOEXEC
 * where segmap's own is another.
 */
static int find_vdso(const struct segmap_layout *layout, int dir, uint64_t size,
		     void *buffer, enum segmap_opened *opened)
{
	const struct segmap_vma *vma = &layout->vmas[layout->vdso_vma];
	scope_close int mem = openat(dir, "mem", O_RDONLY | O_CLOEXEC);
	scope_free char *own_maps = NULL;
	const char *line;
	uint64_t start, end;
	size_t maps_size;
	int result;

	*opened = SEGMAP_OPENED_MEMORY;
	if (is_resident(layout, dir, vma) && mem >= 0 &&
	    fd_read(mem, buffer, size, vma->start) == (int64_t)size)
		return 0;
	*opened = SEGMAP_OPENED_SELF;
	if (layout->word_size && layout->word_size != sizeof(void *))
		return ENOEXEC;
	result = file_read_whole(AT_FDCWD, "/proc/self/maps", 1 << 20, &own_maps, &maps_size);
	if (result < 0)
		return -result;
	for (line = own_maps; line && *line; line = strchr(line, '\n'), line += line != NULL) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) == 2 &&
		    start == getauxval(AT_SYSINFO_EHDR) && end - start == size) {
			memcpy(buffer, (const void *)(uintptr_t)start, size);
			return 0;
		}
	}
	return ENOEXEC;
}

/* Keep the vdso's bytes; they are parsed with the files. */
static struct segmap_error *read_vdso(struct segmap_layout *layout, int dir)
{
	/* The kernel's are of one to four pages; believe no more than this. */
	enum { MAX_VDSO = 1 << 20 };
	scope_free void *bytes = NULL;
	uint64_t size;
	int problem;

	if (layout->vdso_vma < 0)
		return NULL;
	size = segmap_vma_size(&layout->vmas[layout->vdso_vma]);
	if (size > MAX_VDSO)
		return NULL;
	bytes = malloc(size);
	if (!bytes)
		return segmap_error_no_memory();
	problem = find_vdso(layout, dir, size, bytes, &layout->vdso_opened);
	if (problem == ENOMEM)
		return segmap_error_no_memory();
	if (problem)
		return problem == ENOEXEC ? NULL :
					    segmap_layout_note(layout, "[vdso] cannot be read: %s",
							      strerror(problem));
	layout->vdso_bytes = return_ptr(bytes);
	layout->vdso_size = size;
	return NULL;
}

/*
 * Where a thread's stack pointer is, if it is in a system call or stopped:
 * proc_pid_syscall(5), the last number but one. Returns an errno value or 0.
 */
static int read_stack_pointer(int tasks, const char *tid, uint64_t *ret)
{
	char path[NAME_MAX + sizeof("/syscall")], *last, *before;
	scope_free char *text = NULL;
	size_t size;
	int result;

	snprintf(path, sizeof(path), "%s/syscall", tid);
	result = file_read_whole(tasks, path, 4096, &text, &size);
	if (result < 0)
		return -result;
	last = strrchr(text, ' ');
	if (!last) /* "running" */
		return EAGAIN;
	*last = '\0';
	before = strrchr(text, ' ');
	*ret = before ? strtoull(before + 1, NULL, 16) : 0;
	return before ? 0 : EAGAIN;
}

/*
 * Where the threads stand, of a process that has more than one. It takes the
 * right to trace them, more than to read the map; without it stacks have no
 * names.
 */
static struct segmap_error *read_threads(struct segmap_layout *layout, int dir)
{
	int tasks = openat(dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scope_closedir DIR *list = tasks < 0 ? NULL : fdopendir(tasks);
	size_t capacity = 0, looked_at = 0;
	struct dirent *entry;

	if (!list) {
		bool no_memory = errno == ENOMEM;

		if (tasks >= 0)
			close(tasks);
		return no_memory ? segmap_error_no_memory() : NULL;
	}
	while ((entry = readdir(list))) {
		struct segmap_thread thread = { .tid = atoi(entry->d_name) };
		int problem;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		if (looked_at++ == SEGMAP_MAX_THREADS)
			return segmap_layout_note(layout,
						  "it has more than %d threads: the stacks of the "
						  "others have no names",
						  SEGMAP_MAX_THREADS);
		problem = read_stack_pointer(tasks, entry->d_name, &thread.sp);
		if (problem == EPERM || problem == EACCES)
			break;
		if (problem == ENOMEM)
			return segmap_error_no_memory();
		if (problem)
			continue;
		if (!grow(&layout->threads, &capacity, layout->n_threads, sizeof(thread)))
			return segmap_error_no_memory();
		layout->threads[layout->n_threads++] = thread;
	}
	return NULL;
}

/*
 * When the process began, by the clock that files are dated with: proc(5),
 * field 22 of stat, in ticks since the machine was started. Rounded up, since
 * a file that is mapped was mostly there before. Field 20 is the number of threads.
 */
static struct segmap_error *read_start(struct segmap_layout *layout, int dir, long *n_threads)
{
	scope_free char *stat = NULL;
	unsigned long long ticks;
	struct timespec since_boot, now;
	const char *fields;
	long per_second = sysconf(_SC_CLK_TCK);
	int64_t began; /* nanoseconds */
	size_t size;
	struct segmap_error *error = file_read_if_there(dir, "stat", 4096, &stat, &size);

	if (!stat || !(fields = strrchr(stat, ')')) ||
	    sscanf(fields + 1,
		   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld %*d "
		   "%llu",
		   n_threads, &ticks) != 2 ||
	    per_second <= 0 || clock_gettime(CLOCK_BOOTTIME, &since_boot) ||
	    clock_gettime(CLOCK_REALTIME, &now))
		return error;
	/* In this order: time that passes between the two clocks makes it later, never earlier. */
	began = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	began -= (int64_t)since_boot.tv_sec * 1000000000 + since_boot.tv_nsec;
	began += (int64_t)((ticks + 2) * (1000000000ull / (unsigned long)per_second));
	layout->started.tv_sec = began / 1000000000;
	layout->started.tv_nsec = began % 1000000000;
	return NULL;
}

/* What changes if the process executes another program, or its memory grows or shrinks. */
struct moment {
	dev_t exe_dev;
	ino_t exe_ino;
	unsigned long pages;
	uint64_t first; /* address of its first VMA, as a fresh opening of maps has it */
	char auxv[512]; /* of a brief look instead: its random bytes are elsewhere after an exec */
};

/*
 * A census adds up what smaps has said, whatever the process maps meanwhile; but
 * an exec cuts smaps short. Without an auxiliary vector reading smaps tells why.
 */
static struct segmap_error *read_brief_moment(int dir, struct moment *ret)
{
	scope_close int fd = openat(dir, "auxv", O_RDONLY | O_CLOEXEC);
	struct moment moment = { 0 };

	if (fd >= 0 && fd_read(fd, moment.auxv, sizeof(moment.auxv), 0) < 0)
		memset(moment.auxv, 0, sizeof(moment.auxv));
	*ret = moment;
	return NULL;
}

static struct segmap_error *read_moment(int dir, const char *name, unsigned int wanted,
					struct moment *ret)
{
	struct moment moment = { 0 };
	scope_free char *text = NULL;
	scope_close int maps = -1;
	char start[32] = "";
	struct stat stat;
	size_t size;
	int result;

	if (wanted & SEGMAP_WANT_BRIEF)
		return read_brief_moment(dir, ret);
	result = file_read_whole(dir, "statm", 256, &text, &size);
	if (result < 0)
		return read_error(-result, name, "read its size");
	moment.pages = strtoul(text, NULL, 10);
	if (fstatat(dir, "exe", &stat, 0) == 0) {
		moment.exe_dev = stat.st_dev;
		moment.exe_ino = stat.st_ino;
	}
	/* An old descriptor just ends after an exec; only a new one shows the new program. */
	maps = openat(dir, "maps", O_RDONLY | O_CLOEXEC);
	if (maps < 0)
		return read_error(errno, name, "read its map");
	if (fd_read(maps, start, sizeof(start) - 1, 0) > 0)
		moment.first = strtoull(start, NULL, 16);
	*ret = moment;
	return NULL;
}

static bool is_same_moment(const struct moment *a, const struct moment *b)
{
	return a->exe_dev == b->exe_dev && a->exe_ino == b->exe_ino && a->pages == b->pages &&
	       a->first == b->first &&
	       memcmp(a->auxv, b->auxv, sizeof(a->auxv)) == 0;
}

/* Bytes in all VMAs together. */
static uint64_t sum_rss(const struct segmap_layout *layout)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < layout->n_vmas && sum != SEGMAP_NO_FIGURE; i++)
		sum = segmap_figure_add(sum, segmap_memory_known(layout->memory, i,
								 SEGMAP_FIGURE_RSS));
	return sum;
}

/*
 * The kernel's own sums, right behind what they are the sums of. Without them
 * there are ours, whose Pss is less by the fraction of a KiB in each VMA. The
 * kernel looks at every page once more for it: not worth the time where there
 * are very many.
 */
static struct segmap_error *read_rollup(struct segmap_layout *layout, int dir)
{
	const uint64_t MANY = UINT64_C(1) << 30;
	scope_free char *text = NULL;
	const char *rss, *pss;
	struct segmap_error *error;
	size_t size;

	if (!layout->memory || sum_rss(layout) > MANY)
		return NULL;
	error = file_read_if_there(dir, "smaps_rollup", 65536, &text, &size);
	rss = text ? strstr(text, "\nRss:") : NULL;
	pss = text ? strstr(text, "\nPss:") : NULL;
	if (!rss || !pss)
		return error;
	layout->memory->rollup_rss = strtoull(rss + strlen("\nRss:"), NULL, 10) * 1024;
	layout->memory->rollup_pss = strtoull(pss + strlen("\nPss:"), NULL, 10) * 1024;
	return NULL;
}

/*
 * The page map is read when it is known which pages matter; opened now, it
 * stays the same memory's whatever the process executes, and nothing has to be
 * opened any more once files are parsed.
 */
static struct segmap_error *open_pagemap(struct segmap_layout *layout, int dir, unsigned int wanted)
{
	if (!layout->memory && !(layout->memory = memory_new()))
		return segmap_error_no_memory();
	layout->memory->pagemap = openat(dir, "pagemap", O_RDONLY | O_CLOEXEC);
	layout->memory->pagemap_problem = layout->memory->pagemap < 0 ? errno : 0;
	/* A summary of many shares out what this would tell of one. */
	if (!(wanted & SEGMAP_WANT_BRIEF))
		layout->memory->kpagecount = open("/proc/kpagecount", O_RDONLY | O_CLOEXEC);
	return NULL;
}

/* What is of interest. */
struct wanted {
	unsigned int memory;   /* SEGMAP_WANT_… */
	const uint64_t *addrs; /* these addresses; none: all of the map */
	size_t n_addrs;
};

/* The files of a brief look; the process's name only where it is to be named, for an old file. */
static struct segmap_error *open_briefly(struct segmap_layout *layout, int dir, const char *name,
					 struct segmap_files *files)
{
	struct segmap_error *error = backings_open(layout, dir, files);

	for (size_t i = 0; !error && i < layout->n_backings; i++)
		if (layout->backings[i].status == SEGMAP_STATUS_DELETED ||
		    layout->backings[i].status == SEGMAP_STATUS_REPLACED)
			return read_names(layout, dir, name);
	return error;
}

static struct segmap_error *read_once(struct segmap_layout *layout, int dir, const char *name,
				      struct segmap_files *files, const struct wanted *wanted)
{
	struct segmap_error *error = NULL;
	bool queried = false;
	long n_threads = 1;

	layout->source = SEGMAP_SOURCE_PROCESS;
	layout->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	clock_gettime(CLOCK_REALTIME, &layout->time);
	if (wanted->n_addrs)
		error = query_vmas(layout, dir, wanted->addrs, wanted->n_addrs, files, &queried);
	if (!error && !queried)
		error = read_maps(layout, dir, name, wanted->memory);
	if (!error && wanted->memory & SEGMAP_WANT_ROLLUP)
		error = read_rollup(layout, dir);
	if (!error && wanted->memory & SEGMAP_WANT_PAGES)
		error = open_pagemap(layout, dir, wanted->memory);
	if (!error && wanted->memory & SEGMAP_WANT_AUDIT)
		error = evidence_open(layout, dir, files);
	if (!error && wanted->memory & SEGMAP_WANT_STATES)
		layout->pagemap = openat(dir, "pagemap", O_RDONLY | O_CLOEXEC);
	if (!error && wanted->memory & SEGMAP_WANT_BRIEF)
		return open_briefly(layout, dir, name, files);
	if (!error)
		error = read_names(layout, dir, name);
	if (!error)
		error = read_auxv(layout, dir);
	if (!error)
		error = read_personality(layout, dir);
	if (!error)
		error = read_start(layout, dir, &n_threads);
	if (!error && n_threads > 1)
		error = read_threads(layout, dir);
	if (!error)
		error = read_vdso(layout, dir);
	return error ? error : backings_open(layout, dir, files);
}

/*
 * Whether @error can come of rows of two moments: maps goes on behind the last
 * row that it gave out, in the middle of a VMA if two have become one since
 * (fs/proc/task_mmu.c:m_start).
 */
static bool can_be_of_two_moments(const struct segmap_error *error)
{
	return error->code == SEGMAP_ERROR_FORMAT;
}

/*
 * Read the process until nothing has changed meanwhile; if it never holds still,
 * say so.
 */
static struct segmap_error *read_until_still(int dir, const char *name, struct segmap_files *files,
					     const struct wanted *wanted, struct segmap_layout **ret)
{
	/* Rows that contradict one another cannot be shown, and seldom come twice. */
	enum { TRIES = 3, TRIES_OF_ROWS = 16 };
	struct moment before, after;
	struct segmap_layout *layout;
	struct segmap_error *error;

	for (int i = 1;; i++) {
		error = read_moment(dir, name, wanted->memory, &before);
		if (!error)
			error = segmap_layout_new(&layout);
		if (error)
			return error;
		layout->exe_ino = before.exe_ino;
		layout->brief = wanted->memory & SEGMAP_WANT_BRIEF;
		error = read_once(layout, dir, name, files, wanted);
		if (!error)
			error = read_moment(dir, name, wanted->memory, &after);
		if (!error && is_same_moment(&before, &after))
			break;
		if (error && (i == TRIES_OF_ROWS || !can_be_of_two_moments(error)))
			break;
		if (!error && i >= TRIES) {
			layout->changed = true;
			error = segmap_layout_note(layout, "it changed while it was read, %d times "
							   "over: rows can be of different moments",
						   i);
			break;
		}
		segmap_error_free(error);
		segmap_layout_free(layout);
	}
	if (error)
		segmap_layout_free(layout);
	else
		*ret = layout;
	return error;
}

/* Whether @dir, the directory of a thread, is one of process @pid's with a memory map. */
static bool is_live_thread(int dir, int pid)
{
	scope_free char *status = NULL, *maps = NULL;
	const char *tgid;
	size_t size;

	return file_read_whole(dir, "status", 65536, &status, &size) == 0 &&
	       (tgid = strstr(status, "\nTgid:")) && atoi(tgid + strlen("\nTgid:")) == pid &&
	       file_read_whole(dir, "maps", 64, &maps, &size) == 0 && size;
}

/*
 * The main thread can end before the others, and takes the view of the memory
 * in /proc/PID with it. /proc/TID of a thread that lives has it all still; a
 * thread's directory under /proc/PID/task lacks some of it.
 */
static int open_live_thread(int dir, int pid)
{
	int tasks = openat(dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scope_closedir DIR *list = tasks < 0 ? NULL : fdopendir(tasks);
	struct dirent *entry;

	if (!list) {
		if (tasks >= 0)
			close(tasks);
		return -1;
	}
	while ((entry = readdir(list))) {
		char path[sizeof("/proc/") + NAME_MAX];
		scope_close int thread = -1;

		if (!isdigit((unsigned char)entry->d_name[0]) || atoi(entry->d_name) == pid)
			continue;
		snprintf(path, sizeof(path), "/proc/%s", entry->d_name);
		thread = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (thread >= 0 && is_live_thread(thread, pid))
			return return_fd(&thread);
	}
	return -1;
}

/*
 * The map as one of the threads that live sees it. That one can end before it is
 * read: then there may be others. False if there is none; *@error is why one
 * could not be read.
 */
static bool read_by_thread(int dir, int pid, const char *name, struct segmap_files *files,
			   const struct wanted *wanted, struct segmap_layout **ret,
			   struct segmap_error **error)
{
	enum { MOST_TRIES = 64, MOST_MISSES = 2 };
	int misses = 0;

	for (int i = 0; i < MOST_TRIES && misses < MOST_MISSES; i++) {
		scope_close int thread = open_live_thread(dir, pid);

		/* The list of threads that end while it is read can lack one that lives. */
		if (thread < 0) {
			misses++;
			continue;
		}
		*error = read_until_still(thread, name, files, wanted, ret);
		if (!*error || ((*error)->code != SEGMAP_ERROR_NO_MEMORY_MAP &&
				(*error)->code != SEGMAP_ERROR_NO_PROCESS))
			return true;
		segmap_error_free(*error);
		*error = NULL;
	}
	return false;
}

static struct segmap_error *read_process(int pid, struct segmap_files *files,
					 const struct wanted *wanted, struct segmap_layout **ret)
{
	struct segmap_error *error, *by_thread = NULL;
	scope_close int dir = -1;
	char name[32];

	snprintf(name, sizeof(name), "/proc/%d", pid);
	dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(name, sizeof(name), "%d", pid);
	if (dir < 0)
		return errno == ENOENT ? no_process(name) :
					 segmap_error_system(errno, name, "open /proc");
	error = read_until_still(dir, name, files, wanted, ret);
	if (!error || error->code != SEGMAP_ERROR_NO_MEMORY_MAP)
		return error;
	if (!read_by_thread(dir, pid, name, files, wanted, ret, &by_thread))
		return error;
	segmap_error_free(error);
	return by_thread;
}

static struct segmap_error *open_process(int pid, struct segmap_files *files,
					 const struct wanted *wanted, struct segmap_layout **ret)
{
	struct segmap_error *error = read_process(pid, files, wanted, ret);

	if (!error)
		(*ret)->pid = pid;
	return error;
}

struct segmap_error *segmap_process_open(int pid, struct segmap_files *files,
					 struct segmap_layout **ret)
{
	return segmap_process_open_memory(pid, files, 0, ret);
}

struct segmap_error *segmap_process_open_memory(int pid, struct segmap_files *files,
						unsigned int wanted, struct segmap_layout **ret)
{
	struct wanted all = { .memory = wanted };

	/* Without the figures of VMAs nothing can be said of what they are the sums or the pages of. */
	if (wanted & (SEGMAP_WANT_PAGES | SEGMAP_WANT_ROLLUP))
		all.memory |= SEGMAP_WANT_FIGURES;
	return open_process(pid, files, &all, ret);
}

struct segmap_error *segmap_process_open_at(int pid, const uint64_t *addrs, size_t n,
					    struct segmap_files *files, struct segmap_layout **ret)
{
	struct wanted few = { .memory = SEGMAP_WANT_STATES, .addrs = addrs, .n_addrs = n };

	return open_process(pid, files, &few, ret);
}

/* *@ret: whether /proc/@pid is called @name; see segmap_process_find(). */
static struct segmap_error *has_name(int proc, const char *pid, const char *name, bool *ret)
{
	enum { COMM_LENGTH = 15 }; /* TASK_COMM_LEN without the NUL */
	scope_free char *comm = NULL, *command = NULL;
	const char *base;
	char path[NAME_MAX + sizeof("/cmdline")];
	struct segmap_error *error;
	size_t size;

	*ret = false;
	snprintf(path, sizeof(path), "%s/comm", pid);
	error = file_read_if_there(proc, path, 4096, &comm, &size);
	if (!comm || !size)
		return error;
	if (comm[size - 1] == '\n')
		comm[size - 1] = '\0';
	if (strlen(name) <= COMM_LENGTH)
		*ret = strcmp(comm, name) == 0;
	if (strncmp(comm, name, COMM_LENGTH) != 0 || strlen(name) <= COMM_LENGTH ||
	    strlen(comm) != COMM_LENGTH)
		return NULL;
	snprintf(path, sizeof(path), "%s/cmdline", pid);
	error = file_read_if_there(proc, path, SEGMAP_MAX_COMMAND, &command, &size);
	if (!command)
		return error;
	base = strrchr(command, '/');
	*ret = strcmp(base ? base + 1 : command, name) == 0;
	return NULL;
}

static int compare_pids(const void *a, const void *b)
{
	return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

/* The processes but segmap's own that are called @name (NULL: all), ascending. */
static struct segmap_error *list_processes(const char *name, int **ret, size_t *n_ret)
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
		bool is_meant = true;

		if (problem || pid == getpid())
			continue;
		if (name) {
			struct segmap_error *error =
				has_name(dirfd(proc), entry->d_name, name, &is_meant);

			if (error)
				return error;
		}
		if (!is_meant)
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

struct segmap_error *segmap_process_find(const char *name, int **ret, size_t *n_ret)
{
	return list_processes(name, ret, n_ret);
}

struct segmap_error *segmap_process_list(int **ret, size_t *n_ret)
{
	return list_processes(NULL, ret, n_ret);
}
