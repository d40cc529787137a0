/* src/read/elf.h - parsing ELF objects with libelf. */
#ifndef READ_ELF_H
#define READ_ELF_H

#include "model/bytes.h"
#include <segmap/file.h>

/* Memory that one parse after the other works in. Zero-initialize. */
struct elf_scratch {
	unsigned char *memory;
	size_t size;
};

void elf_scratch_free(struct elf_scratch *scratch);

/*
 * Parse the ELF object whose header is at @elf_off of @bytes; @wants is of enum
 * segmap_want.
 *
 * *@ret becomes NULL where there is no ELF header, or one of a file that no
 * loader maps (ET_REL, ET_CORE). The error is SEGMAP_ERROR_FORMAT or
 * SEGMAP_ERROR_LIMIT where the header promises what the file does not hold.
 */
SEGMAP_MUST_CHECK struct segmap_error *elf_parse(const struct bytes *bytes, uint64_t elf_off,
						 uint64_t page_size, unsigned int wants,
						 struct elf_scratch *scratch,
						 struct segmap_elf **ret);

/*
 * Whether another machine than this one, or an emulator, runs ELF files for @machine; @swapped: in
 * the other byte order.
 */
bool elf_is_foreign(unsigned int machine, bool swapped);

/*
 * The machine that the ELF file which begins with the @size bytes at @start is for;
 * false if they are not the beginning of one. *@foreign as elf_is_foreign().
 */
bool elf_machine_of(const unsigned char *start, size_t size, unsigned int *machine, bool *foreign);

/*
 * ELFCLASS32 or ELFCLASS64: what the kernel takes the ELF file for that begins with the @size
 * bytes at @start, EI_NIDENT at least. Of its own machine's that is by e_machine, whatever
 * EI_CLASS says; else EI_CLASS as it stands.
 */
unsigned int elf_class_as_loaded(const unsigned char *start, size_t size);

/* Whether the @size bytes at @start are the beginning of an ELF file. */
bool elf_has_magic(const void *start, size_t size);

#endif
