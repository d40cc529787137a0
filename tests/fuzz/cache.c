/* tests/fuzz/cache.c - /etc/ld.so.cache, in both formats. */
#include "predict/cache.h"
#include "fuzz.h"
#include <elf.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "libc.so.6", "libm.so.6", "libx-2.10.so", "", "z" };
	static const char *const hwcaps[] = { "x86-64-v3", "x86-64-v2", NULL };
	static const struct segmap_elf elfs[] = {
		{ .class = 64, .machine = EM_X86_64 },
		{ .class = 32, .machine = EM_386 },
		{ .class = 32, .machine = EM_ARM },
	};
	struct cache cache = { .bytes = (const char *)data, .size = size };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		for (size_t j = 0; j < sizeof(elfs) / sizeof(elfs[0]); j++) {
			struct cache_wants wants = { .name = names[i], .elf = &elfs[j],
						     .hwcaps = hwcaps, .isa_level = 2 };
			const char *path = cache_find(&cache, &wants);

			FUZZ_CHECK(!path || (path >= cache.bytes && path < cache.bytes + size &&
					     memchr(path, '\0',
						    (size_t)(cache.bytes + size - path))));
		}
	}
	return 0;
}
