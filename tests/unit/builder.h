/*
 * tests/unit/builder.h - ELF objects and layouts made by hand.
 *
 * A plan says what the headers of a file say; no bytes exist. A world is the
 * map of a process, parsed from maps text, with plans behind its files.
 */
#ifndef BUILDER_H
#define BUILDER_H

#include <segmap/layout.h>
#include <sys/mman.h>

enum { PAGE = 4096, MAX_SEGMENTS = 10, MAX_SECTIONS = 20, MAX_FILES = 6, MAX_ELFS = 3 };

/* Permissions, short enough for tables. */
enum {
	NO = PROT_NONE,
	R = PROT_READ,
	W = PROT_WRITE,
	X = PROT_EXEC,
	RW = PROT_READ | PROT_WRITE,
	RX = PROT_READ | PROT_EXEC,
	RWX = PROT_READ | PROT_WRITE | PROT_EXEC,
};

struct plan {
	const char *path;  /* in maps; NULL ends an array of plans */
	uint64_t elf_off;  /* of the ELF header in the file */
	uint64_t size;	   /* bytes from the ELF header on; 0: as many as the headers need */
	unsigned int machine; /* 0: EM_X86_64 */
	unsigned int type; /* 0: ET_DYN */
	bool foreign;
	struct segmap_segment segments[MAX_SEGMENTS]; /* p_memsz and p_filesz 0: ends them */
	struct segmap_section sections[MAX_SECTIONS]; /* no name: ends them */
	uint64_t n_phdrs;  /* 0: as many as there are segments */
	uint64_t shdrs_off, shdrs_size; /* 0, 0: none */
};

/* Rows of a plan, as readelf -lS prints them. A PT_GNU_RELRO has no file bytes of its own. */
#define LOAD(prot_, off_, vaddr_, filesz_, memsz_)                                      \
	{ .type = SEGMAP_SEGMENT_LOAD, .prot = (prot_), .off = (off_), .vaddr = (vaddr_), \
	  .filesz = (filesz_), .memsz = (memsz_), .align = PAGE }
#define RELRO(off_, vaddr_, memsz_)                                                    \
	{ .type = SEGMAP_SEGMENT_RELRO, .prot = PROT_READ, .off = (off_), .vaddr = (vaddr_), \
	  .filesz = (memsz_), .memsz = (memsz_), .align = 1 }
#define SECTION(name_, vaddr_, off_, size_) \
	{ .name = (name_), .vaddr = (vaddr_), .off = (off_), .size = (size_), .alloc = true }
#define NOBITS(name_, vaddr_, off_, size_)                                               \
	{ .name = (name_), .vaddr = (vaddr_), .off = (off_), .size = (size_), .alloc = true, \
	  .nobits = true }
#define TBSS(name_, vaddr_, off_, size_)                                                 \
	{ .name = (name_), .vaddr = (vaddr_), .off = (off_), .size = (size_), .alloc = true, \
	  .nobits = true, .tls = true }
#define TDATA(name_, vaddr_, off_, size_)                                                \
	{ .name = (name_), .vaddr = (vaddr_), .off = (off_), .size = (size_), .alloc = true, \
	  .tls = true }
#define UNLOADED(name_, off_, size_) { .name = (name_), .off = (off_), .size = (size_) }

/* The ELF object that @plan describes, its segments rounded to @page_size; segmap_elf_free() it. */
struct segmap_elf *plan_build(const struct plan *plan, uint64_t page_size);

struct world {
	struct segmap_layout *layout;
	struct segmap_file files[MAX_FILES];
	struct segmap_elf *elfs[MAX_FILES][MAX_ELFS];
	size_t n_files;
};

/* A process with this map; parsing must succeed. */
void world_make(struct world *world, const char *maps);

/*
 * The file at @path, for all its backings. Several plans of one path are ELF
 * objects in one file.
 */
struct segmap_file *world_file(struct world *world, const char *path);
void world_put(struct world *world, const struct plan *plan);

/* Correlate, and check what holds for every layout (see world_check). */
void world_correlate(struct world *world);

/*
 * Fail unless each VMA is described as a whole: pieces of a VMA with an image
 * cover it, ascending, without overlap; one without has none; indices exist;
 * images ascend.
 */
void world_check(const struct segmap_layout *layout);

/* The annotated layout as text (describe.h), to be freed. */
char *world_text(const struct world *world);

void world_free(struct world *world);

/* A map, the files behind it, and what correlation must make of them. */
struct scenario {
	const char *claim;
	const char *maps;
	const struct plan *plans[MAX_FILES];
	uint64_t auxv_phdr, auxv_base, exe_ino; /* as in struct segmap_layout */
	bool read_implies_exec;
	const struct plan *vdso; /* NULL: none */
	/* "ROLE BIAS PATH[ of INDEX][, …]", bias in hexadecimal; NULL: not looked at. */
	const char *images;
	const char *vmas; /* world_text(); NULL: not looked at */
};

/* Build @scenario, correlate it, and fail with both texts where they differ. */
void scenario_check(const struct scenario *scenario);

#endif
