/*
 * tests/fuzz/replay.c - run a fuzz target on inputs that are there: main() of every build but the
 * fuzzer's own.
 *
 *     TARGET FILE-OR-DIRECTORY...
 *
 * Each input's name is printed before it is run: behind a crash the last line names its cause. No input
 * at all is a failure.
 */
#include "fuzz.h"
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t n_run;

static void run_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat stat;
	uint8_t *bytes;

	if (fd < 0 || fstat(fd, &stat))
		err(1, "%s", path);
	/* No byte more: a sanitizer sees a look behind the end. */
	bytes = malloc((size_t)stat.st_size);
	if ((!bytes && stat.st_size) || read(fd, bytes, (size_t)stat.st_size) != stat.st_size)
		err(1, "%s", path);
	close(fd);
	puts(path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(bytes, (size_t)stat.st_size);
	free(bytes);
	n_run++;
}

static int is_no_dot(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void run(const char *path)
{
	struct dirent **entries;
	struct stat found;
	int n;

	if (stat(path, &found))
		err(1, "%s", path);
	if (!S_ISDIR(found.st_mode)) {
		run_file(path);
		return;
	}
	n = scandir(path, &entries, is_no_dot, alphasort);
	if (n < 0)
		err(1, "%s", path);
	for (int i = 0; i < n; i++) {
		char *name;

		if (asprintf(&name, "%s/%s", path, entries[i]->d_name) < 0)
			errx(1, "no memory");
		run(name);
		free(name);
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	fuzz_every_form = true;
	for (int i = 1; i < argc; i++)
		run(argv[i]);
	printf("%zu inputs\n", n_run);
	return n_run ? 0 : 1;
}
