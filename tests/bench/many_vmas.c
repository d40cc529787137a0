/* tests/bench/many_vmas.c - a process with very many VMAs: neighbours with different permissions. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	size_t n_vmas = argc > 1 ? strtoul(argv[1], NULL, 10) : 60000;
	size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
	char *pages = mmap(NULL, n_vmas * page_size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (pages == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	for (size_t i = 0; i < n_vmas; i += 2) {
		if (mprotect(pages + i * page_size, page_size, PROT_READ)) {
			perror("mprotect (vm.max_map_count?)");
			return 1;
		}
	}
	/* Whoever started it waits for this line. */
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}
