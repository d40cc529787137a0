/* tests/fuzz/startup.c - an auxiliary vector, 256 bytes of it, and the executable that it goes with. */
#include "read/startup.h"
#include "fuzz.h"
#include "read/auxv.h"
#include <unistd.h>

enum { VECTOR = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t vector = size < VECTOR ? size : VECTOR;
	int auxv = fuzz_file(data, vector), exe = fuzz_file(data + vector, size - vector);
	struct startup startup;

	for (size_t width = 4; width <= 8; width += 4)
		for (int swapped = 0; swapped < 2; swapped++)
			auxv_parse(data, vector, width, swapped);
	startup_read_from(exe, auxv, 4096, &startup);
	FUZZ_CHECK(startup.relro_start % 4096 == 0 && startup.relro_end % 4096 == 0);
	close(auxv);
	close(exe);
	return 0;
}
