/* src/read/saved.c - the saved text of maps or smaps, and the files it speaks of. */
#include <segmap/saved.h>
#include "base/scope.h"
#include "model/layout.h"
#include "read/backing.h"
#include "read/files.h"
#include "read/sysroot.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <segmap/limits.h>
#include <stdio.h>
#include <string.h>

/* What is being read. */
struct reading {
	struct segmap_layout *layout;
	const char *name; /* for errors */
	size_t n_lines;	  /* so far */
	uint64_t page_size; /* the least that smaps has told; 0: none */
};

/*
 * smaps has lines like "Rss:      4 kB" and "VmFlags: rd ex" between those of
 * maps (Linux fs/proc/task_mmu.c:show_smap): a word of letters, digits and
 * underscores that begins with a capital and has a colon behind it. Addresses have
 * lower-case digits.
 */
static bool is_field(const char *line, size_t size)
{
	size_t at = 0;

	if (!size || !isupper((unsigned char)line[0]))
		return false;
	while (at < size && (isalnum((unsigned char)line[at]) || line[at] == '_'))
		at++;
	return at < size && line[at] == ':';
}

/* KernelPageSize tells the machine's page size, but for huge pages, which are greater. */
static void read_field(struct reading *reading, const char *line)
{
	uint64_t kib, size;

	if (sscanf(line, "KernelPageSize: %" SCNu64 " kB", &kib) != 1 ||
	    __builtin_mul_overflow(kib, 1024, &size) || size < SEGMAP_LEAST_PAGE_SIZE ||
	    size > SEGMAP_MOST_PAGE_SIZE || (size & (size - 1)))
		return;
	if (!reading->page_size || size < reading->page_size)
		reading->page_size = size;
}

/* One line of @size bytes with its newline, or a NUL, behind it. */
static struct segmap_error *read_line(struct reading *reading, char *line, size_t size)
{
	struct segmap_layout *layout = reading->layout;
	struct segmap_error *error;
	size_t taken;

	reading->n_lines++;
	if (!size)
		return NULL;
	if (is_field(line, size) && layout->n_vmas) {
		line[size] = '\0';
		read_field(reading, line);
	}
	layout->n_lines = reading->n_lines - 1;
	line[size] = '\n';
	error = segmap_layout_parse_maps(layout, reading->name, line, size + 1, false, &taken);
	if (!error && strcmp(layout->vmas[layout->n_vmas - 1].name, "[rollup]") == 0)
		error = segmap_error_new(SEGMAP_ERROR_FORMAT, reading->name,
					 "it is smaps_rollup, a sum and no map: save maps or smaps");
	return error;
}

/* All lines that are whole in @text; *@taken becomes their bytes. */
static struct segmap_error *read_lines(struct reading *reading, char *text, size_t size,
				       size_t *taken)
{
	char *line = text, *end = text + size, *newline;

	while ((newline = memchr(line, '\n', (size_t)(end - line)))) {
		struct segmap_error *error = read_line(reading, line, (size_t)(newline - line));

		if (error)
			return error;
		line = newline + 1;
	}
	*taken = (size_t)(line - text);
	return NULL;
}

static struct segmap_error *read_text(struct reading *reading, int fd)
{
	size_t capacity = 65536, size = 0, taken = 0;
	scope_free char *text = malloc(capacity + 1);
	struct segmap_error *error;

	if (!text)
		return segmap_error_no_memory();
	for (;;) {
		ssize_t got = read(fd, text + size, capacity - size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return segmap_error_system(errno, reading->name, "read");
		size += (size_t)got;
		if (!got)
			break;
		error = read_lines(reading, text, size, &taken);
		if (error)
			return error;
		size -= taken;
		memmove(text, text + taken, size);
		if (size == capacity) {
			char *moved = capacity < SEGMAP_MAX_LINE ? realloc(text, 2 * capacity + 1) :
								   NULL;

			if (!moved)
				return segmap_error_new(SEGMAP_ERROR_LIMIT, reading->name,
							"line %zu: it is longer than a map's are",
							reading->n_lines + 1);
			text = moved;
			capacity *= 2;
		}
	}
	error = size ? read_line(reading, text, size) : NULL;
	if (error)
		return error;
	if (!reading->layout->n_vmas)
		return segmap_error_new(SEGMAP_ERROR_FORMAT, reading->name,
					"there is no map in it: save /proc/PID/maps or smaps");
	/* Groups the VMAs by file. */
	return segmap_layout_parse_maps(reading->layout, reading->name, text, 0, true, &taken);
}

/* Note what became of a file that is not there, and is missed: what is no code is not. */
static struct segmap_error *miss(struct segmap_layout *layout, struct segmap_backing *backing,
				 const struct sysroot *sysroot, const char *why)
{
	backing->status = SEGMAP_STATUS_UNREADABLE;
	backing->error = segmap_error_new(SEGMAP_ERROR_SYSTEM, backing->path, "%s%s%s", why,
					  sysroot->name[0] ? " below " : "", sysroot->name);
	return segmap_layout_note(layout, "%s: %s", backing->path, backing->error->why);
}

/* Open what has @backing's path now; whether that is the mapped file is asked later. */
static struct segmap_error *open_at_path(struct segmap_layout *layout, struct sysroot *sysroot,
					 struct segmap_files *files, struct segmap_backing *backing)
{
	bool deleted;
	struct stat stat;
	scope_close int fd = -1;
	struct segmap_error *error;

	if (backing_is_memory_object(layout, backing))
		return NULL;
	fd = sysroot_find(sysroot, backing, &stat, &deleted);
	if (deleted)
		backing->status = SEGMAP_STATUS_DELETED;
	if (fd < 0)
		return miss(layout, backing, sysroot,
			    deleted ? "it was deleted when the map was saved, and nothing is at "
				      "its path" :
				      "it is not there");
	error = files_open(files, fd, &stat, backing->path, &backing->file);
	if (error)
		return error;
	backing->opened = SEGMAP_OPENED_PATH;
	if (backing->file->fd < 0 && backing->file->error) {
		backing->opened = SEGMAP_OPENED_NOT;
		backing->status = SEGMAP_STATUS_UNREADABLE;
		backing->error = segmap_error_new(SEGMAP_ERROR_PERMISSION, backing->path, "%s",
						  backing->file->error->why);
		backing->file = NULL;
		return segmap_layout_note(layout, "%s: %s", backing->path, backing->error->why);
	}
	return NULL;
}

/* Whether device and inode are those of the map. */
static bool is_same(const struct segmap_backing *backing)
{
	struct stat stat = { .st_dev = backing->file->st_dev, .st_ino = backing->file->st_ino };

	return is_same_file(&stat, backing);
}

/* How many files are so; *@n_files becomes the number of all that were opened. */
static size_t count_same(const struct segmap_layout *layout, size_t *n_files)
{
	size_t n_same = 0;

	*n_files = 0;
	for (size_t i = 0; i < layout->n_backings; i++) {
		if (!layout->backings[i].file)
			continue;
		++*n_files;
		n_same += is_same(&layout->backings[i]);
	}
	return n_same;
}

/* Another file has the path now: it is not what was mapped. */
static struct segmap_error *disbelieve(struct segmap_layout *layout,
				       struct segmap_backing *backing)
{
	backing->path_file = backing->file;
	backing->file = NULL;
	backing->opened = SEGMAP_OPENED_NOT;
	backing->status = SEGMAP_STATUS_REPLACED;
	if (!backing_has_code(layout, backing))
		return NULL;
	return segmap_layout_note(layout,
				  "%s: another file has its path now; it is not shown for the one "
				  "that was mapped",
				  backing->path);
}

/*
 * Which of the files are the mapped ones. On the machine that the map was
 * saved on, device and inode tell, or the inode alone: stat() has another device
 * than maps on btrfs, and on overlayfs of several file systems. Elsewhere they never
 * agree, and the path is all there is; so it is where a directory was named,
 * which somebody filled.
 */
static struct segmap_error *judge_paths(struct segmap_layout *layout,
					const struct sysroot *sysroot)
{
	size_t n_files, n_by_path = 0;
	bool by_inode = count_same(layout, &n_files) && !sysroot->name[0];
	struct segmap_error *error = NULL;

	for (size_t i = 0; i < layout->n_backings && !error; i++) {
		struct segmap_backing *backing = &layout->backings[i];
		bool deleted = backing->status == SEGMAP_STATUS_DELETED;

		/* A deleted file's inode is free for the next file that is made. */
		if (!backing->file || (is_same(backing) && !deleted))
			continue;
		if ((by_inode && backing->file->st_ino != backing->ino) ||
		    (deleted && !sysroot->name[0])) {
			error = disbelieve(layout, backing);
			continue;
		}
		n_by_path++;
		if (deleted)
			error = segmap_layout_note(layout,
						   "%s: it was deleted when the map was saved; the "
						   "file below %s is taken for it",
						   backing->path, sysroot->name);
	}
	if (error || !n_by_path)
		return error;
	return segmap_layout_note(layout,
				  "%zu of %zu files are taken by their paths alone: they have another "
				  "device or inode than in the saved map, and may not be what was mapped",
				  n_by_path, n_files);
}

static struct segmap_error *open_files(struct segmap_layout *layout, struct sysroot *sysroot,
				       struct segmap_files *files)
{
	for (size_t i = 0; i < layout->n_backings; i++) {
		struct segmap_error *error =
			open_at_path(layout, sysroot, files, &layout->backings[i]);

		if (error)
			return error;
	}
	return judge_paths(layout, sysroot);
}

struct segmap_error *segmap_maps_open(const char *path, const struct segmap_elsewhere *elsewhere,
				      struct segmap_files *files, struct segmap_layout **ret)
{
	bool is_stdin = strcmp(path, "-") == 0;
	scope_layout struct segmap_layout *layout = NULL;
	__attribute__((cleanup(sysroot_close))) struct sysroot sysroot = {
		.ladder = { .map_files = -1, .root = -1, .exe = -1 },
	};
	scope_close int fd = -1;
	struct reading reading = { .name = is_stdin ? "standard input" : path };
	struct segmap_error *error = sysroot_open(elsewhere, &sysroot);

	if (!error)
		error = segmap_layout_new(&layout);
	if (error)
		return error;
	fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) :
			open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return segmap_error_system(errno, reading.name, "open");
	layout->source = SEGMAP_SOURCE_MAPS;
	reading.layout = layout;
	error = read_text(&reading, fd);
	if (error)
		return error;
	layout->page_size = elsewhere->page_size ? elsewhere->page_size : reading.page_size;
	error = open_files(layout, &sysroot, files);
	if (error)
		return error;
	*ret = return_ptr(layout);
	return NULL;
}
