/* src/read/auxv.h - the auxiliary vector, which the process itself can have written. */
#ifndef READ_AUXV_H
#define READ_AUXV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What it tells; 0 for what is not there. Of a type that is there twice the last counts. */
struct auxv {
	uint64_t phdr;	    /* AT_PHDR: address of the program's headers */
	uint64_t base;	    /* AT_BASE: bias of the dynamic linker */
	uint64_t entry;	    /* AT_ENTRY: address of the program's entry point */
	uint64_t page_size; /* AT_PAGESZ: bytes, as it stands there */
	uint64_t vdso;	    /* AT_SYSINFO_EHDR: address */
	uint64_t random;    /* AT_RANDOM: address of 16 bytes on the stack */
};

/*
 * Read the @size bytes at @bytes, pairs of words of @width bytes (4 or 8), up to
 * AT_NULL or to where no whole pair is left. @swapped: in the other byte order.
 */
struct auxv auxv_parse(const void *bytes, size_t size, size_t width, bool swapped);

#endif
