/* tests/fuzz/smaps.c - the text of /proc/PID/smaps: its fields into figures, and these into tables. */
#include "fuzz.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct segmap_layout *layout;
	char *text = malloc(size + 1);
	size_t taken;

	FUZZ_CHECK(text && fuzz_ok(segmap_layout_new(&layout)));
	memcpy(text, data, size);
	layout->page_size = 4096;
	layout->source = SEGMAP_SOURCE_MAPS;
	layout->target = strdup("smaps");
	if (fuzz_ok(segmap_layout_parse_maps(layout, "smaps", text, size, true, &taken)) &&
	    layout->n_vmas) {
		FUZZ_CHECK(taken == size);
		FUZZ_CHECK(!layout->memory || layout->memory->n_figures <= SEGMAP_MAX_FIGURES);
		FUZZ_CHECK(!layout->memory || !layout->memory->stride ||
			   layout->memory->n_rows == layout->n_vmas);
		FUZZ_CHECK(fuzz_ok(segmap_layout_correlate(layout)));
		fuzz_check_layout(layout);
		fuzz_render(layout, data, size);
	}
	segmap_layout_free(layout);
	free(text);
	return 0;
}
