/* tests/fuzz/options.c - a command line, a word a line: --range, --at, -o, --page-size and the others. */
#include "cli/options.h"
#include "fuzz.h"
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_WORDS = 64 };

/* --at - reads them. */
static void close_stdin(void)
{
	static bool closed;

	if (!closed)
		stdin = fopen("/dev/null", "r");
	closed = true;
	FUZZ_CHECK(stdin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *words[MOST_WORDS + 2] = { (char[]){ "segmap" } }, *rest = text;
	struct options options;
	int n = 1;

	close_stdin();
	FUZZ_CHECK(text);
	memcpy(text, data, size);
	text[size] = '\0';
	while (n <= MOST_WORDS && (words[n] = strsep(&rest, "\n")))
		n++;
	words[n] = NULL;
	optind = 0; /* getopt(3): begin again, from nothing */
	if (fuzz_ok(options_parse(n, words, &options))) {
		FUZZ_CHECK(options.range.low <= options.range.high);
		FUZZ_CHECK(options.n_moments <= MOST_MOMENTS);
		FUZZ_CHECK(!(options.predict.page_size & (options.predict.page_size - 1)));
		options_free(&options);
	}
	free(text);
	return 0;
}
