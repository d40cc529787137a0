/* tests/fuzz/document.c - a saved JSON document as --diff reads it: what is taken comes out again as it is. */
#include "fuzz.h"
#include "render/json.h"
#include <segmap/diff.h>
#include <segmap/document.h>
#include <stdlib.h>
#include <string.h>

struct written {
	char *bytes;
	size_t size;
};

static struct written write_document(const struct segmap_layout *layout)
{
	const struct range everything = { 0, UINT64_MAX };
	struct written written = { 0 };
	FILE *file = open_memstream(&written.bytes, &written.size);

	FUZZ_CHECK(file);
	FUZZ_CHECK(fuzz_ok(render_json(layout, &everything,
				       layout->memory ? FIGURES_ALL : FIGURES_NONE, file)));
	FUZZ_CHECK(fclose(file) == 0);
	return written;
}

/* What was written is read again, and written as it was. */
static void check_round_trip(const struct segmap_layout *layout)
{
	struct written first = write_document(layout), second;
	struct segmap_layout *again;

	FUZZ_CHECK(fuzz_ok(segmap_document_parse("again", first.bytes, first.size, &again)));
	second = write_document(again);
	FUZZ_CHECK(first.size == second.size && memcmp(first.bytes, second.bytes, first.size) == 0);
	segmap_layout_free(again);
	free(first.bytes);
	free(second.bytes);
}

/* A map differs in nothing from itself. */
static void check_diff(const struct segmap_layout *layout)
{
	struct segmap_diff *diff;

	FUZZ_CHECK(fuzz_ok(segmap_diff(layout, layout, true, &diff)));
	FUZZ_CHECK(diff->found->n_changes == 0);
	segmap_diff_free(diff);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct segmap_layout *layout;

	if (!fuzz_ok(segmap_document_parse("document", (const char *)data, size, &layout)))
		return 0;
	fuzz_check_layout(layout);
	/* Calls, differences and findings are dropped when they are read, so a prediction is no round. */
	if (!layout->prediction)
		check_round_trip(layout);
	check_diff(layout);
	fuzz_render(layout, data, size);
	segmap_layout_free(layout);
	return 0;
}
