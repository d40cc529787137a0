/* tests/fuzz/core.c - a core dump, to the end: read, correlated, and shown in every form. */
#include <segmap/core.h>
#include "fuzz.h"
#include <segmap/process.h>
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
	if (fuzz_ok(segmap_core_open(path, &elsewhere, files, &layout))) {
		layout->target = strdup("core");
		FUZZ_CHECK(fuzz_ok(segmap_files_parse(files, layout)));
		FUZZ_CHECK(fuzz_ok(segmap_layout_correlate(layout)));
		fuzz_check_layout(layout);
		for (size_t i = 0; i < layout->n_vmas; i++)
			FUZZ_CHECK(layout->dumped[i] <= segmap_vma_size(&layout->vmas[i]));
		fuzz_render(layout, data, size);
		segmap_layout_free(layout);
	}
	segmap_files_free(files);
	close(fd);
	return 0;
}
