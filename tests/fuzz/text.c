/* tests/fuzz/text.c - names that can do nothing to a terminal, whatever bytes they are of. */
#include <segmap/text.h>
#include "fuzz.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct segmap_text once = { 0 }, twice = { 0 };

	segmap_text_append_safe(&once, (const char *)data, size);
	FUZZ_CHECK(!once.failed && once.size <= 4 * size);
	fuzz_check_text(once.bytes, once.size);
	FUZZ_CHECK(!once.size || !memchr(once.bytes, '\n', once.size));
	/* What is safe stays as it is. */
	segmap_text_append_safe(&twice, once.bytes, once.size);
	FUZZ_CHECK(twice.size == once.size);
	FUZZ_CHECK(!once.size || memcmp(once.bytes, twice.bytes, once.size) == 0);
	FUZZ_CHECK(segmap_text_columns(once.bytes, once.size) <= 2 * once.size);
	segmap_text_free(&once);
	segmap_text_free(&twice);
	return 0;
}
