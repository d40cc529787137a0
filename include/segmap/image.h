/* include/segmap/image.h - one ELF object as loaded once. */
#ifndef SEGMAP_IMAGE_H
#define SEGMAP_IMAGE_H

#include <segmap/elf.h>

enum segmap_role {
	SEGMAP_ROLE_PROGRAM,
	SEGMAP_ROLE_INTERPRETER,
	SEGMAP_ROLE_LIBRARY,
	SEGMAP_ROLE_VDSO,
	SEGMAP_ROLE_ALIAS, /* part of a file at an address that no load of it chose */
};

/* A file loaded twice is two images that share @elf. Borrowed from the layout. */
struct segmap_image {
	const struct segmap_elf *elf; /* NULL: the file could not be read or parsed */
	int32_t backing; /* index in the layout's backings; -1 for the vdso */
	enum segmap_role role;
	int32_t alias_of;    /* image index; -1 if no alias */
	uint64_t bias;	     /* runtime address minus ELF virtual address, modulo 2^64 */
	uint64_t start, end; /* [start, end): runtime addresses from its first to its last page */
};

#endif
