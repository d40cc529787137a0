/* tests/library/show.c - a small complete program that uses libsegmap: the sections of a process. */
#include <segmap/segmap.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int fail(struct segmap_error *error)
{
	fprintf(stderr, "show: %s: %s\n", error->what, error->why);
	segmap_error_free(error);
	return 1;
}

int main(int argc, char **argv)
{
	int pid = argc > 1 ? atoi(argv[1]) : getpid();
	struct segmap_layout *layout = NULL;
	struct segmap_files *files = NULL;
	struct segmap_error *error;

	error = segmap_files_new((uint64_t)sysconf(_SC_PAGESIZE), 0, &files);
	if (!error)
		error = segmap_process_open(pid, files, &layout);
	if (!error)
		error = segmap_files_parse(files, layout);
	if (!error)
		error = segmap_layout_correlate(layout);
	for (size_t i = 0; !error && i < layout->n_pieces; i++)
		if (layout->pieces[i].kind == SEGMAP_PIECE_SECTION)
			printf("%jx %jx %s\n", (uintmax_t)layout->pieces[i].start,
			       (uintmax_t)layout->pieces[i].end, layout->pieces[i].name);
	segmap_layout_free(layout);
	segmap_files_free(files);
	return error ? fail(error) : 0;
}
