/* tests/bench/reserved.c - a process with much address space and less memory: GIB MIB. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	size_t size = (size_t)(argc > 1 ? strtoull(argv[1], NULL, 10) : 1024) << 30;
	size_t touched = (size_t)(argc > 2 ? strtoull(argv[2], NULL, 10) : 1024) << 20;
	char *start = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (start == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	memset(start, 1, touched);
	/* Whoever started it waits for this line. */
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}
