/* src/model/elf.h - building an ELF object once its headers are read. */
#ifndef MODEL_ELF_H
#define MODEL_ELF_H

#include <segmap/elf.h>

/* Bytes of an ELF header. */
uint64_t elf_header_size(bool is_64);

/* Where the file's own headers lie: bytes from the ELF header. Sums do not overflow. */
struct elf_headers {
	uint64_t ehdr_size;
	uint64_t phdrs_off, phdrs_size;
	uint64_t shdrs_off, shdrs_size; /* 0, 0 if there are none that can be believed */
};

/* Fill in @elf's labels from its segments and sections; false if there is no memory. */
bool elf_label(struct segmap_elf *elf, const struct elf_headers *headers);

/*
 * The offset of the byte that memory will have at @vaddr: in whole pages, of the last PT_LOAD that
 * is mapped there. False if it is none of the file's.
 */
bool elf_off_of_vaddr(const struct segmap_elf *elf, uint64_t vaddr, uint64_t *ret);

/* The same, and how many of the bytes that follow in memory follow in the file, with the first. */
bool elf_range_at_vaddr(const struct segmap_elf *elf, uint64_t vaddr, uint64_t *off,
			uint64_t *size);

/* The index of the PT_LOAD with the lowest p_vaddr of those that can be mapped; UINT32_MAX: none. */
uint32_t elf_lowest_load(const struct segmap_elf *elf);

/* Whether two are of one class, machine and type, and have the same segments. */
bool elf_has_same_segments(const struct segmap_elf *a, const struct segmap_elf *b);

/* The machine that segmap_machine_name() calls @name; false if there is none. */
bool elf_machine_find(const char *name, unsigned int *ret);

/* Whether a machine that runs code for @kernel also runs code for @machine: the 32 bits of 64. */
bool elf_runs_on(unsigned int machine, unsigned int kernel);

#endif
