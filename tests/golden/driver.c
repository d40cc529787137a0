/*
 * tests/golden/driver.c - annotate a saved maps text and print what came out.
 *
 *     driver DIRECTORY FILE
 *
 * The files that FILE speaks of are below DIRECTORY; a file that is not there
 * could not be read. Lines that begin with # come before the map and say what
 * a map does not:
 *
 *     # page_size BYTES                    of the machine, in decimal; else 4096
 *     # phdr ADDRESS, # base ADDRESS       AT_PHDR and AT_BASE
 *     # personality read_implies_exec
 *     # foreign PATH                       another machine's; all others are this machine's
 *     # device PATH                        a device, not to be read
 *     # vdso PATH                          the file holds what [vdso] holds
 *     # anything else                      a remark
 */
#include "../unit/describe.h"
#include "read/files.h"
#include <errno.h>
#include <fcntl.h>
#include <segmap/process.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_MARKS = 8 };

/* What the lines with # say. */
struct remarks {
	unsigned long page_size, phdr, base;
	bool read_implies_exec;
	char *foreign[MOST_MARKS], *devices[MOST_MARKS], *vdso;
	size_t n_foreign, n_devices;
};

static void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

static void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("driver: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(EXIT_FAILURE);
}

static void check(struct segmap_error *error)
{
	if (error)
		fail("%s: %s", error->what, error->why);
}

static char *read_input(int fd, size_t *size)
{
	struct stat stat;
	char *bytes;

	if (fd < 0 || fstat(fd, &stat) || !(bytes = malloc((size_t)stat.st_size + 1)) ||
	    read(fd, bytes, (size_t)stat.st_size) != stat.st_size)
		fail("a file cannot be read: %s", strerror(errno));
	bytes[stat.st_size] = '\0';
	*size = (size_t)stat.st_size;
	close(fd);
	return bytes;
}

static bool is_one_of(char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* Read the remarks; returns where the map begins. */
static char *read_remarks(char *text, struct remarks *remarks)
{
	remarks->page_size = 4096;
	while (text[0] == '#') {
		char *line = text + 1 + (text[1] == ' '), *end = strchr(line, '\n'), *value;

		if (!end)
			fail("there is no map behind the remarks");
		*end = '\0';
		text = end + 1;
		value = strchr(line, ' ');
		if (!value)
			continue;
		*value++ = '\0';
		if (strcmp(line, "page_size") == 0)
			remarks->page_size = strtoul(value, NULL, 10);
		else if (strcmp(line, "phdr") == 0)
			remarks->phdr = strtoul(value, NULL, 16);
		else if (strcmp(line, "base") == 0)
			remarks->base = strtoul(value, NULL, 16);
		else if (strcmp(line, "personality") == 0)
			remarks->read_implies_exec = strcmp(value, "read_implies_exec") == 0;
		else if (strcmp(line, "vdso") == 0)
			remarks->vdso = value;
		else if (strcmp(line, "foreign") == 0 && remarks->n_foreign < MOST_MARKS)
			remarks->foreign[remarks->n_foreign++] = value;
		else if (strcmp(line, "device") == 0 && remarks->n_devices < MOST_MARKS)
			remarks->devices[remarks->n_devices++] = value;
	}
	return text;
}

/*
 * Open @path below @directory as O_PATH, a component after the other: a name
 * can be longer than a system call takes. The kernel's \012 is a newline.
 */
static int open_below(int directory, const char *path)
{
	char *copy = strdup(path), *to = copy, *rest, *part;
	int at = dup(directory);

	if (!copy || at < 0)
		fail("no memory");
	for (const char *from = copy; *from; to++) {
		bool newline = strncmp(from, "\\012", 4) == 0;

		*to = newline ? '\n' : *from;
		from += newline ? 4 : 1;
	}
	*to = '\0';
	for (part = strtok_r(copy, "/", &rest); part && at >= 0;
	     part = strtok_r(NULL, "/", &rest)) {
		int next = openat(at, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);

		close(at);
		at = next;
	}
	free(copy);
	return at;
}

/* The name as it stands; else without the kernel's mark, if it bears that. */
static int find_file(int directory, struct segmap_backing *backing)
{
	static const char mark[] = " (deleted)";
	size_t size = strlen(backing->path);
	int fd = open_below(directory, backing->path);

	if (fd >= 0 || size < strlen(mark) ||
	    strcmp(backing->path + size - strlen(mark), mark) != 0)
		return fd;
	backing->path[size - strlen(mark)] = '\0';
	backing->status = SEGMAP_STATUS_DELETED;
	return open_below(directory, backing->path);
}

static void open_backing(struct segmap_files *files, int directory, const struct remarks *remarks,
			 struct segmap_backing *backing)
{
	struct stat stat;
	int fd;

	if (backing->path[0] != '/' || strncmp(backing->path, "/SYSV", 5) == 0 ||
	    strncmp(backing->path, "/dev/zero ", 10) == 0 ||
	    strncmp(backing->path, "/anon_hugepage", 14) == 0)
		return;
	/* Any device does: none is opened. */
	fd = is_one_of(remarks->devices, remarks->n_devices, backing->path) ?
		     open("/dev/null", O_PATH | O_CLOEXEC) :
		     find_file(directory, backing);
	if (fd < 0) {
		backing->status = SEGMAP_STATUS_UNREADABLE;
		return;
	}
	if (fstat(fd, &stat))
		fail("%s: %s", backing->path, strerror(errno));
	check(files_open(files, fd, &stat, backing->path, &backing->file));
	backing->opened = SEGMAP_OPENED_PATH;
	close(fd);
}

/* Which machine this is must not show. */
static void settle_machine(struct segmap_layout *layout, const struct remarks *remarks)
{
	for (size_t i = 0; i < layout->n_backings; i++) {
		const struct segmap_backing *backing = &layout->backings[i];

		for (size_t j = 0; backing->file && j < backing->file->n_elfs; j++)
			backing->file->elfs[j]->foreign = is_one_of(
				remarks->foreign, remarks->n_foreign, backing->path);
	}
	if (layout->vdso)
		layout->vdso->foreign = false;
}

int main(int argc, char **argv)
{
	struct remarks remarks = { 0 };
	struct segmap_files *files;
	struct segmap_layout *layout;
	char *text, *map;
	size_t size, taken;
	int directory;

	if (argc != 3)
		fail("usage: driver DIRECTORY FILE");
	directory = open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		fail("%s: %s", argv[1], strerror(errno));
	text = read_input(open(argv[2], O_RDONLY | O_CLOEXEC), &size);
	map = read_remarks(text, &remarks);
	check(segmap_files_new(remarks.page_size, 0, &files));
	check(segmap_layout_new(&layout));
	layout->source = SEGMAP_SOURCE_MAPS;
	layout->page_size = remarks.page_size;
	layout->auxv_phdr = remarks.phdr;
	layout->auxv_base = remarks.base;
	layout->read_implies_exec = remarks.read_implies_exec;
	check(segmap_layout_parse_maps(layout, argv[2], map, size - (size_t)(map - text), true,
				       &taken));
	for (size_t i = 0; i < layout->n_backings; i++)
		open_backing(files, directory, &remarks, &layout->backings[i]);
	if (remarks.vdso)
		layout->vdso_bytes = read_input(openat(directory, remarks.vdso + 1,
						       O_RDONLY | O_CLOEXEC),
						&layout->vdso_size);
	check(segmap_files_parse(files, layout));
	settle_machine(layout, &remarks);
	check(segmap_layout_correlate(layout));
	describe_full(layout, stdout);
	segmap_layout_free(layout);
	segmap_files_free(files);
	free(text);
	close(directory);
	if (fflush(stdout) || ferror(stdout))
		fail("the output cannot be written");
	return EXIT_SUCCESS;
}
