/*
 * tests/doors/reread.c - read saved documents and write them again.
 *
 *     reread FILE...
 *
 * One line for each file: the document, or on standard error what is wrong with it.
 * Exits with 1 if something is wrong with one.
 */
#include "render/json.h"
#include <segmap/document.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	const struct range everything = { 0, UINT64_MAX };
	int status = EXIT_SUCCESS;

	for (int i = 1; i < argc; i++) {
		struct segmap_layout *layout = NULL;
		struct segmap_error *error = segmap_document_open(argv[i], &layout);

		if (!error)
			error = render_json(layout, &everything,
					    layout->memory ? FIGURES_ALL : FIGURES_NONE, stdout);
		segmap_layout_free(layout);
		if (!error)
			continue;
		fprintf(stderr, "%s: %s\n", error->what, error->why);
		segmap_error_free(error);
		status = EXIT_FAILURE;
	}
	return fflush(stdout) || ferror(stdout) ? EXIT_FAILURE : status;
}
