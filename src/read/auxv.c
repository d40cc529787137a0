/* src/read/auxv.c - the auxiliary vector, which the process itself can have written. */
#include "read/auxv.h"
#include <elf.h>
#include <string.h>

static uint64_t word_at(const unsigned char *at, size_t width, bool swapped)
{
	uint64_t wide;
	uint32_t narrow;

	if (width == sizeof(wide)) {
		memcpy(&wide, at, sizeof(wide));
		return swapped ? __builtin_bswap64(wide) : wide;
	}
	memcpy(&narrow, at, sizeof(narrow));
	return swapped ? __builtin_bswap32(narrow) : narrow;
}

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
		uint64_t type = word_at(at, width, swapped);
		uint64_t *place = place_of(&auxv, type);

		if (type == AT_NULL)
			break;
		if (place)
			*place = word_at(at + width, width, swapped);
	}
	return auxv;
}
