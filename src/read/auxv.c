/* src/read/auxv.c - the auxiliary vector, which the process itself can have written. */
#include "read/auxv.h"
#include "read/bytes.h"
#include <elf.h>

/* Where the value of @type belongs; NULL: it is not wanted. */
static uint64_t *place_of(struct auxv *auxv, uint64_t type)
{
	switch (type) {
	case AT_PHDR:
		return &auxv->phdr;
	case AT_BASE:
		return &auxv->base;
	case AT_ENTRY:
		return &auxv->entry;
	case AT_PAGESZ:
		return &auxv->page_size;
	case AT_SYSINFO_EHDR:
		return &auxv->vdso;
	case AT_RANDOM:
		return &auxv->random;
	default:
		return NULL;
	}
}

struct auxv auxv_parse(const void *bytes, size_t size, size_t width, bool swapped)
{
	const unsigned char *at = bytes;
	struct auxv auxv = { 0 };

	for (; size >= 2 * width; at += 2 * width, size -= 2 * width) {
		uint64_t type = bytes_word(at, width, swapped);
		uint64_t *place = place_of(&auxv, type);

		if (type == AT_NULL)
			break;
		if (place)
			*place = bytes_word(at + width, width, swapped);
	}
	return auxv;
}
