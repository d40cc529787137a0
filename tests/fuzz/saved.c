/* tests/fuzz/saved.c - a saved map as --maps reads it from a file; none of its own files are there. */
#include "fuzz.h"
#include <segmap/process.h>
#include <segmap/saved.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct segmap_elsewhere elsewhere = { .sysroot = fuzz_empty_directory() };
	int fd = fuzz_file(data, size);
	struct segmap_layout *layout;
	struct segmap_files *files;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	FUZZ_CHECK(fuzz_ok(segmap_files_new(4096, SEGMAP_WANT_SONAME, &files)));
	if (fuzz_ok(segmap_maps_open(path, &elsewhere, files, &layout))) {
		FUZZ_CHECK(layout->n_vmas);
		layout->target = strdup("saved");
		FUZZ_CHECK(fuzz_ok(segmap_files_parse(files, layout)));
		FUZZ_CHECK(fuzz_ok(segmap_layout_correlate(layout)));
		fuzz_check_layout(layout);
		fuzz_render(layout, data, size);
		segmap_layout_free(layout);
	}
	segmap_files_free(files);
	close(fd);
	return 0;
}
