/* include/segmap/vma.h - one line of /proc/PID/maps, decoded but not interpreted. */
#ifndef SEGMAP_VMA_H
#define SEGMAP_VMA_H

#include <segmap/error.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

/* Kept small: to touch fresh memory is what costs most in a map with very many VMAs. */
struct segmap_vma {
	uint64_t start, end; /* runtime addresses, [start, end), start < end, page-aligned */
	uint64_t off;	     /* bytes into the file; 0 if there is none */
	uint64_t ino;	     /* 0: no backing file */
	uint32_t dev_minor;  /* as maps prints it; can differ from stat's st_dev (btrfs) */
	uint16_t dev_major;  /* twelve bits in the kernel (include/linux/kdev_t.h) */
	uint8_t prot;	     /* PROT_READ | PROT_WRITE | PROT_EXEC */
	bool shared : 1;     /* 's', not 'p' */
	uint8_t unknown_prot : 3; /* bits that the source does not say; prot has none of them */
	bool unknown_shared : 1;  /* likewise; shared is then false */
	const char *name;    /* owned by the layout; "" if none; a newline is shown as "\012" */
};

/* All that unknown_prot can have. */
enum { SEGMAP_ALL_PROT = PROT_READ | PROT_WRITE | PROT_EXEC };

/*
 * Parse one maps line, without its newline (Linux fs/proc/task_mmu.c:show_map_vma).
 *
 * @ret->name points into @line, so @line must outlive @ret. The error's text
 * says what is wrong with the line and names no file.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *segmap_vma_parse(const char *line,
								   struct segmap_vma *ret);

/* Bytes. */
static inline uint64_t segmap_vma_size(const struct segmap_vma *vma)
{
	return vma->end - vma->start;
}

/* Write "rwxp" and a NUL for @prot and @shared. */
static inline void segmap_perms_format(int prot, bool shared, char ret[static 5])
{
	/* By PROT_READ 1, PROT_WRITE 2 and PROT_EXEC 4, which are the same on every machine. */
	static const char words[2][8][5] = {
		{ "---p", "r--p", "-w-p", "rw-p", "--xp", "r-xp", "-wxp", "rwxp" },
		{ "---s", "r--s", "-w-s", "rw-s", "--xs", "r-xs", "-wxs", "rwxs" },
	};

	memcpy(ret, words[shared][prot & 7], sizeof(words[0][0]));
}

/* The same for @vma, with ? for what is not known. */
static inline void segmap_vma_perms_format(const struct segmap_vma *vma, char ret[static 5])
{
	segmap_perms_format(vma->prot, vma->shared, ret);
	for (int i = 0; i < 3; i++)
		if (vma->unknown_prot & (1 << i))
			ret[i] = '?';
	if (vma->unknown_shared)
		ret[3] = '?';
}

/* Whether the VMA has the permissions @prot, as far as is known. */
static inline bool segmap_vma_has_prot(const struct segmap_vma *vma, int prot)
{
	return !((vma->prot ^ prot) & ~vma->unknown_prot);
}

/* Whether the VMA can be executed, or that is not known. */
static inline bool segmap_vma_may_execute(const struct segmap_vma *vma)
{
	return (vma->prot | vma->unknown_prot) & PROT_EXEC;
}

#endif
