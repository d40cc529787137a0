/* include/segmap/segment.h - a PT_LOAD or PT_GNU_RELRO, rounded to pages once. */
#ifndef SEGMAP_SEGMENT_H
#define SEGMAP_SEGMENT_H

#include <segmap/error.h>
#include <stdbool.h>
#include <stdint.h>

enum segmap_segment_type {
	SEGMAP_SEGMENT_LOAD,
	SEGMAP_SEGMENT_RELRO,
};

/*
 * The program header as it stands in the file, and the same "expanded out" to
 * pages, as glibc's struct loadcmd (elf/dl-load.h) does it:
 *
 *            map_start   vaddr        vaddr+filesz  file_end  vaddr+memsz  mem_end
 *                |         |                |          |           |          |
 *   vaddr  ------+---------+----------------+----------+-----------+----------+-----
 *                |<------- pages of the file ---------->|<-- anonymous pages ->|
 *   off       map_off     off           off+filesz
 *
 * For PT_GNU_RELRO both ends are rounded down, as the dynamic linker does
 * (glibc elf/dl-reloc.c:_dl_protect_relro): map_start to mem_end is what
 * becomes read-only.
 */
struct segmap_segment {
	unsigned int index; /* row of the program header table, from 0 */
	enum segmap_segment_type type;
	int prot;	      /* p_flags as PROT_READ | PROT_WRITE | PROT_EXEC */
	uint64_t off;	      /* p_offset: bytes from the ELF header */
	uint64_t vaddr;	      /* p_vaddr */
	uint64_t filesz;      /* bytes */
	uint64_t memsz;	      /* bytes; vaddr + memsz and off + filesz do not overflow */
	uint64_t align;	      /* p_align */
	uint64_t map_start;   /* vaddr, page-aligned: first page */
	uint64_t map_off;     /* off of map_start */
	uint64_t file_end;    /* vaddr, page-aligned: past the last file page; map_start if none */
	uint64_t mem_end;     /* vaddr, page-aligned: past the last page */
	bool mappable;	      /* p_vaddr and p_offset agree modulo the page size; else no loader
				 can map it and the four fields above mean nothing */
};

/*
 * Fill in the page-rounded fields of @segment from its others.
 * @page_size is a power of two.
 */
SEGMAP_API void segmap_segment_expand(struct segmap_segment *segment, uint64_t page_size);

/* The three address domains. Conversions stand here and nowhere else. */

/* Runtime address of an ELF virtual address; modulo 2^64. */
static inline uint64_t segmap_addr(uint64_t vaddr, uint64_t bias)
{
	return vaddr + bias;
}

/* ELF virtual address of a runtime address; modulo 2^64. */
static inline uint64_t segmap_vaddr(uint64_t addr, uint64_t bias)
{
	return addr - bias;
}

/* Offset from the ELF header of the file byte that @segment maps at @vaddr; modulo 2^64. */
static inline uint64_t segmap_off(const struct segmap_segment *segment, uint64_t vaddr)
{
	return vaddr - segment->vaddr + segment->off;
}

#endif
