/*
 * tests/unit/elffile.h - the bytes of an ELF file of either class and byte
 * order, made by hand and spoilt field by field.
 */
#ifndef ELFFILE_H
#define ELFFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elffile {
	unsigned char *bytes;
	size_t size;
	bool is_32, is_big;
};

/* Fields of the headers, in either class. */
enum elffile_field {
	E_TYPE, E_MACHINE, E_VERSION, E_ENTRY, E_PHOFF, E_SHOFF, E_PHENTSIZE, E_PHNUM, E_SHENTSIZE,
	E_SHNUM, E_SHSTRNDX,
	P_TYPE, P_FLAGS, P_OFFSET, P_VADDR, P_FILESZ, P_MEMSZ, P_ALIGN,
	SH_NAME, SH_TYPE, SH_FLAGS, SH_ADDR, SH_OFFSET, SH_SIZE, SH_LINK,
};

/* Rows of the sample's tables. */
enum {
	SAMPLE_TEXT_LOAD, SAMPLE_DATA_LOAD, SAMPLE_NOTE, SAMPLE_DYNAMIC, SAMPLE_INTERP,
	SAMPLE_RELRO, SAMPLE_PHDRS,
};
enum {
	SAMPLE_NULL, SAMPLE_TEXT, SAMPLE_DATA, SAMPLE_BSS, SAMPLE_TBSS, SAMPLE_COMMENT,
	SAMPLE_SHSTRTAB, SAMPLE_SHDRS,
};

/* Where things are in the sample. */
enum {
	SAMPLE_NOTE_AT = 0x300, SAMPLE_NOTE_SIZE = 36,
	SAMPLE_DYNAMIC_AT = 0x380,
	SAMPLE_INTERP_AT = 0x440,
	SAMPLE_DYNSTR_AT = 0x480,
	SAMPLE_TEXT_AT = 0x600,
	SAMPLE_DATA_AT = 0x1000,
	SAMPLE_NAMES_AT = 0x1200, SAMPLE_NAMES_SIZE = 64,
	SAMPLE_SHDRS_AT = 0x1280,
};
#define SAMPLE_BASE 0x400000 /* p_vaddr of its first PT_LOAD */
#define SAMPLE_BUILD_ID "000102030405060708090a0b0c0d0e0f10111213"

/* A well-formed file with a bit of everything. */
void elffile_sample(struct elffile *file, bool is_32, bool is_big);
void elffile_free(struct elffile *file);

/* Longer, with zeros behind; or cut. */
void elffile_resize(struct elffile *file, size_t size);

/* A number of @width bytes at @at, in the file's byte order. */
void elffile_put(struct elffile *file, size_t at, unsigned int width, uint64_t value);

/* A field of the ELF header, or of row @row of the table where the header says it is. */
void elffile_set(struct elffile *file, enum elffile_field field, size_t row, uint64_t value);
uint64_t elffile_get(const struct elffile *file, enum elffile_field field, size_t row);

/* A note at @at, its parts padded to @align; returns where it ends. */
size_t elffile_note(struct elffile *file, size_t at, size_t align, uint32_t type, const char *name,
		    uint32_t name_size, const void *desc, uint32_t desc_size);

/* Row @row of a dynamic section at @at. */
void elffile_dynamic(struct elffile *file, size_t at, size_t row, uint64_t tag, uint64_t value);

#endif
