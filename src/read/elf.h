/* src/read/elf.h - parsing ELF objects with libelf. */
#ifndef READ_ELF_H
#define READ_ELF_H

#include "model/bytes.h"
#include <segmap/elf.h>

/*
 * Parse the ELF object whose header is at @elf_off of @bytes.
 *
 * *@ret becomes NULL where there is no ELF header, or one of a file that no
 * loader maps (ET_REL, ET_CORE). The error is SEGMAP_ERROR_FORMAT or
 * SEGMAP_ERROR_LIMIT where the header promises what the file does not hold.
 */
SEGMAP_MUST_CHECK struct segmap_error *elf_parse(const struct bytes *bytes, uint64_t elf_off,
						 uint64_t page_size, struct segmap_elf **ret);

/* Whether the @size bytes at @start are the beginning of an ELF file. */
bool elf_has_magic(const void *start, size_t size);

#endif
