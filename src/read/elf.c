/* src/read/elf.c - parsing ELF objects with libelf. */
#include "read/elf.h"
#include "base/range.h"
#include "base/scope.h"
#include "model/elf.h"
#include "read/bytes.h"
#include "read/linking.h"
#include <endian.h>
#include <errno.h>
#include <gelf.h>
#include <segmap/limits.h>
#include <string.h>
#include <stdlib.h>
#include <sys/mman.h>

/*
 * libelf never sees the file. It is given a window: memory into which only the
 * ranges that were found sane are read, one behind the other, and before them a
 * copy of the ELF header that says where they are now. The file's own stays as
 * it is: other tables can overlap it, program headers above all.
 *
 *   file          |ehdr|phdrs|.note|  …   |.dynamic| … |names|shdrs|
 *   window  |copy |  head (4 KiB)  |shdrs|.dynamic|
 *
 * So a file that is truncated meanwhile is a short read and no SIGBUS, a count
 * in a header costs nothing before it is believed, and a file, a range of a
 * file, and a process's memory are parsed by the same code. The memory is used
 * again for the next file.
 */
struct window {
	const struct bytes *bytes;
	uint64_t elf_off; /* of the ELF header in @bytes */
	uint64_t size;	  /* bytes there from the ELF header on */
	struct elf_scratch *scratch;
	size_t head; /* so many bytes behind the copy are the file's first */
	size_t used; /* bytes of the scratch memory */
	unsigned char ident[EI_NIDENT]; /* e_ident as the kernel takes it; in the head as it stands */
};

enum {
	HEAD_AT = sizeof(Elf64_Ehdr), /* behind the copy of the ELF header, the larger of the two */
	HEAD_SIZE = 4096, /* of the file, read at once: mostly holds program headers and notes too */
	/* Once libelf points into the window it cannot move: what may still come must fit. */
	ROOM_FOR_REST = 4 * SEGMAP_MAX_DYNAMIC_BYTES + SEGMAP_MAX_NOTES * SEGMAP_MAX_NOTES_BYTES +
			(SEGMAP_MAX_NOTES + 8) * 16,
	ALIGNMENT = 16,
	OWN_DATA = BYTE_ORDER == LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB,
};

/* The section header table, once it is in the window and in the machine's byte order. */
struct section_table {
	size_t at;	  /* where in the window */
	const void *rows; /* the same as a pointer, when the window moves no more */
	size_t n;	  /* 0: there is none that can be believed */
	bool is_64;	  /* rows are Elf64_Shdr, else Elf32_Shdr */
	uint32_t names;	  /* e_shstrndx */
};

static void scope_elf_end_(Elf **elf)
{
	if (*elf)
		elf_end(*elf);
}

static void scope_segmap_elf_free_(struct segmap_elf **elf)
{
	segmap_elf_free(*elf);
}

void elf_scratch_free(struct elf_scratch *scratch)
{
	free(scratch->memory);
	*scratch = (struct elf_scratch){ 0 };
}

static struct segmap_error *format_error(const struct window *window, const char *problem)
{
	return segmap_error_new(SEGMAP_ERROR_FORMAT, window->bytes->name, "%s", problem);
}

bool elf_has_magic(const void *start, size_t size)
{
	return size >= EI_NIDENT && memcmp(start, ELFMAG, SELFMAG) == 0;
}

/* The two bytes at @at, in this machine's byte order; 0 beyond the @size bytes at @start. */
static uint16_t half_at(const unsigned char *start, size_t size, size_t at)
{
	uint16_t ret = 0;

	if (at + sizeof(ret) <= size)
		memcpy(&ret, start + at, sizeof(ret));
	return ret;
}

/*
 * The e_machine of programs that this machine's kernel runs without an emulator,
 * the machine that is meant, and the class that their files are taken for by
 * that alone (elf_check_arch of arch/x86, arm64 and powerpc). ELFCLASSNONE: it
 * goes by EI_CLASS, as those of s390, riscv and loongarch do.
 */
static const struct own_machine {
	unsigned int e_machine, machine;
	unsigned char class;
} own_machines[] = {
#if defined(__x86_64__) || defined(__i386__)
	{ EM_X86_64, EM_X86_64, ELFCLASS64 },
	{ EM_386, EM_386, ELFCLASS32 },
	{ 6 /* EM_486 */, EM_386, ELFCLASS32 },
#elif defined(__aarch64__) || defined(__arm__)
	{ EM_AARCH64, EM_AARCH64, ELFCLASS64 },
	{ EM_ARM, EM_ARM, ELFCLASS32 },
#elif defined(__riscv)
	{ EM_RISCV, EM_RISCV, ELFCLASSNONE },
#elif defined(__powerpc__)
	{ EM_PPC64, EM_PPC64, ELFCLASS64 },
	{ EM_PPC, EM_PPC, ELFCLASS32 },
#elif defined(__s390__)
	{ EM_S390, EM_S390, ELFCLASSNONE },
	{ 0xa390 /* EM_S390_OLD */, EM_S390, ELFCLASSNONE },
#elif defined(__mips__)
	{ EM_MIPS, EM_MIPS, ELFCLASSNONE },
#elif defined(__loongarch__)
	{ EM_LOONGARCH, EM_LOONGARCH, ELFCLASSNONE },
#endif
};

static const struct own_machine *find_own_machine(unsigned int e_machine)
{
	for (size_t i = 0; i < sizeof(own_machines) / sizeof(own_machines[0]); i++)
		if (own_machines[i].e_machine == e_machine)
			return &own_machines[i];
	return NULL;
}

/* The one that the file which begins with the @size bytes at @start is for, as its kernel reads. */
static const struct own_machine *own_machine_of(const unsigned char *start, size_t size)
{
	return find_own_machine(half_at(start, size, offsetof(Elf64_Ehdr, e_machine)));
}

unsigned int elf_class_as_loaded(const unsigned char *start, size_t size)
{
	const struct own_machine *own = own_machine_of(start, size);

	if (!own || own->class == ELFCLASSNONE)
		return start[EI_CLASS];
	/*
	 * x32 and ILP32 have the e_machine of 64 bits, and program headers of another size, by which
	 * the kernel's loader for 64 bits refuses them (fs/binfmt_elf.c:load_elf_phdrs).
	 */
	if (own->class == ELFCLASS64 &&
	    half_at(start, size, offsetof(Elf64_Ehdr, e_phentsize)) != sizeof(Elf64_Phdr) &&
	    half_at(start, size, offsetof(Elf32_Ehdr, e_phentsize)) == sizeof(Elf32_Phdr))
		return ELFCLASS32;
	return own->class;
}

static unsigned char *window_at(const struct window *window, size_t at)
{
	return window->scratch->memory + at;
}

/*
 * Make room for @size bytes more and what may come after them. Most of the
 * window is never touched, and so takes no memory; realloc() would copy, and so
 * touch, all of it (two thirds of the time for a process with 30 files).
 */
static struct segmap_error *window_grow(struct window *window, uint64_t size)
{
	uint64_t needed = window->used + size + ROOM_FOR_REST + 2 * ALIGNMENT;
	unsigned char *bigger;

	if (needed <= window->scratch->size)
		return NULL;
	needed += needed / 8;
	bigger = malloc(needed);
	if (!bigger)
		return segmap_error_no_memory();
	if (window->scratch->memory)
		memcpy(bigger, window->scratch->memory, window->used);
	free(window->scratch->memory);
	window->scratch->memory = bigger;
	window->scratch->size = needed;
	return NULL;
}

/*
 * Whether @size bytes at @off can be believed to be there: inside the file, and
 * not more than the file has on disk.
 */
static bool is_there(const struct window *window, uint64_t off, uint64_t size)
{
	uint64_t end;

	return checked_add(off, size, &end) && end <= window->size &&
	       (size <= SEGMAP_SMALL_TABLE || size <= window->bytes->on_disk);
}

/* Read @size bytes at @off of the file, all of them, into @buffer. */
static struct segmap_error *read_exactly(const struct window *window, void *buffer, uint64_t size,
					 uint64_t off)
{
	const struct bytes *bytes = window->bytes;
	int64_t got = bytes_read(bytes, buffer, size, window->elf_off + off);

	if (got < 0)
		return segmap_error_system((int)-got, bytes->name, "read");
	if ((uint64_t)got < size)
		return format_error(window, "it was truncated while it was read");
	return NULL;
}

/* Bring @size bytes at @off, which are there, to an aligned place of their own in the window. */
static struct segmap_error *window_read_anew(struct window *window, uint64_t off, uint64_t size,
					     size_t *at)
{
	struct segmap_error *error;

	window->used = (window->used + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	error = read_exactly(window, window_at(window, window->used), size, off);
	if (error)
		return error;
	*at = window->used;
	window->used += size;
	return NULL;
}

/*
 * Bring @size bytes at @off, which are there, into the window; *@at is where
 * they stand. What is in the head is read once only: what was checked in it
 * cannot change any more.
 */
static struct segmap_error *window_read(struct window *window, uint64_t off, uint64_t size,
					size_t *at)
{
	if (off + size > window->head)
		return window_read_anew(window, off, size, at);
	*at = HEAD_AT + (size_t)off;
	return NULL;
}

/* The ELF header in either class and byte order. There is no Elf yet that gelf could use. */
static bool decode_ehdr(const struct window *window, GElf_Ehdr *ret)
{
	const unsigned char *ident = window->ident;
	Elf_Data in = { .d_buf = window_at(window, HEAD_AT), .d_type = ELF_T_EHDR,
			.d_version = EV_CURRENT };
	Elf_Data out = { .d_type = ELF_T_EHDR, .d_version = EV_CURRENT };

	if (ident[EI_CLASS] == ELFCLASS64) {
		if (window->head < sizeof(Elf64_Ehdr))
			return false;
		in.d_size = out.d_size = sizeof(Elf64_Ehdr);
		out.d_buf = ret;
		if (!elf64_xlatetom(&out, &in, ident[EI_DATA]))
			return false;
		memcpy(ret->e_ident, ident, EI_NIDENT);
		return true;
	}
	if (ident[EI_CLASS] == ELFCLASS32) {
		Elf32_Ehdr ehdr;

		if (window->head < sizeof(ehdr))
			return false;
		in.d_size = out.d_size = sizeof(ehdr);
		out.d_buf = &ehdr;
		if (!elf32_xlatetom(&out, &in, ident[EI_DATA]))
			return false;
		*ret = (GElf_Ehdr){
			.e_type = ehdr.e_type,		 .e_machine = ehdr.e_machine,
			.e_version = ehdr.e_version,	 .e_entry = ehdr.e_entry,
			.e_phoff = ehdr.e_phoff,	 .e_shoff = ehdr.e_shoff,
			.e_flags = ehdr.e_flags,	 .e_ehsize = ehdr.e_ehsize,
			.e_phentsize = ehdr.e_phentsize, .e_phnum = ehdr.e_phnum,
			.e_shentsize = ehdr.e_shentsize, .e_shnum = ehdr.e_shnum,
			.e_shstrndx = ehdr.e_shstrndx,
		};
		memcpy(ret->e_ident, ident, EI_NIDENT);
		return true;
	}
	return false;
}

/* Put @ehdr, which says where the tables are in the window, where libelf looks for it. */
static bool encode_ehdr(struct window *window, const GElf_Ehdr *ehdr)
{
	Elf_Data in = { .d_type = ELF_T_EHDR, .d_version = EV_CURRENT };
	Elf_Data out = { .d_buf = window_at(window, 0), .d_type = ELF_T_EHDR,
			 .d_version = EV_CURRENT };

	if (ehdr->e_ident[EI_CLASS] == ELFCLASS64) {
		in.d_size = out.d_size = sizeof(Elf64_Ehdr);
		in.d_buf = (void *)ehdr;
		return elf64_xlatetof(&out, &in, ehdr->e_ident[EI_DATA]);
	}
	Elf32_Ehdr ehdr_32 = {
		.e_type = ehdr->e_type,
		.e_machine = ehdr->e_machine,
		.e_version = ehdr->e_version,
		.e_entry = (Elf32_Addr)ehdr->e_entry,
		.e_phoff = (Elf32_Off)ehdr->e_phoff,
		.e_shoff = (Elf32_Off)ehdr->e_shoff,
		.e_flags = ehdr->e_flags,
		.e_ehsize = ehdr->e_ehsize,
		.e_phentsize = ehdr->e_phentsize,
		.e_phnum = ehdr->e_phnum,
		.e_shentsize = ehdr->e_shentsize,
		.e_shnum = ehdr->e_shnum,
		.e_shstrndx = ehdr->e_shstrndx,
	};

	memcpy(ehdr_32.e_ident, ehdr->e_ident, EI_NIDENT);
	in.d_size = out.d_size = sizeof(ehdr_32);
	in.d_buf = &ehdr_32;
	return elf32_xlatetof(&out, &in, ehdr->e_ident[EI_DATA]);
}

/* Whether the file's byte order is not the machine's. */
static bool elf_is_swapped(const unsigned char *ident)
{
	return ident[EI_DATA] != OWN_DATA;
}

bool elf_is_foreign(unsigned int machine, bool swapped)
{
	return swapped || (sizeof(own_machines) != 0 && !find_own_machine(machine));
}

bool elf_machine_of(const unsigned char *start, size_t size, unsigned int *machine, bool *foreign)
{
	enum { E_MACHINE = offsetof(Elf64_Ehdr, e_machine) }; /* the same in both classes */
	const struct own_machine *own;
	uint16_t e_machine;

	if (size < E_MACHINE + sizeof(e_machine) || !elf_has_magic(start, size))
		return false;
	own = own_machine_of(start, size);
	e_machine = half_at(start, size, E_MACHINE);
	if (!own && elf_is_swapped(start))
		e_machine = __builtin_bswap16(e_machine);
	*machine = own ? own->machine : e_machine;
	*foreign = !own && elf_is_foreign(e_machine, elf_is_swapped(start));
	return true;
}

static int prot_of(GElf_Word flags)
{
	return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) |
	       (flags & PF_X ? PROT_EXEC : 0);
}

/* A section header of either class, translated in place; @raw is aligned. */
static bool translate_shdrs(const GElf_Ehdr *ehdr, void *raw, uint64_t size)
{
	Elf_Data data = { .d_buf = raw, .d_size = size, .d_type = ELF_T_SHDR,
			  .d_version = EV_CURRENT };
	Elf_Data out = data;
	unsigned int encoding = ehdr->e_ident[EI_DATA];

	return ehdr->e_ident[EI_CLASS] == ELFCLASS64 ? elf64_xlatetom(&out, &data, encoding) :
						       elf32_xlatetom(&out, &data, encoding);
}

/* Row @index of a translated table. */
static GElf_Shdr shdr_at(const struct section_table *table, size_t index)
{
	const Elf32_Shdr *shdr;

	if (table->is_64)
		return ((const Elf64_Shdr *)table->rows)[index];
	shdr = &((const Elf32_Shdr *)table->rows)[index];
	return (GElf_Shdr){
		.sh_name = shdr->sh_name,     .sh_type = shdr->sh_type,
		.sh_flags = shdr->sh_flags,   .sh_addr = shdr->sh_addr,
		.sh_offset = shdr->sh_offset, .sh_size = shdr->sh_size,
		.sh_link = shdr->sh_link,
	};
}

/*
 * How many section headers there are: gABI, 65280 and more are counted in
 * sh_size of the first. 0 if there are none.
 */
static struct segmap_error *count_section_headers(struct window *window, const GElf_Ehdr *ehdr,
						  size_t entry_size, uint64_t *ret)
{
	Elf64_Shdr row; /* the larger of the two */
	struct section_table table = { .rows = &row, .is_64 = entry_size == sizeof(Elf64_Shdr) };
	struct segmap_error *error;

	*ret = ehdr->e_shnum;
	if (ehdr->e_shnum || !is_there(window, ehdr->e_shoff, entry_size))
		return NULL;
	error = read_exactly(window, &row, entry_size, ehdr->e_shoff);
	if (!error && translate_shdrs(ehdr, &row, entry_size))
		*ret = shdr_at(&table, 0).sh_size;
	return error;
}

/*
 * Bring the section header table into the window if it can be believed. Else
 * *@problem says why not (NULL if the file just has none). libelf is told that
 * there is none in any case: it would believe its count, and a file can change
 * between two looks at it.
 */
static struct segmap_error *read_section_headers(struct window *window, GElf_Ehdr *ehdr,
						 struct elf_headers *headers,
						 struct section_table *table,
						 const char **problem)
{
	size_t entry_size = ehdr->e_ident[EI_CLASS] == ELFCLASS64 ? sizeof(Elf64_Shdr) :
								    sizeof(Elf32_Shdr);
	struct segmap_error *error;
	uint64_t count = 0;

	*problem = NULL;
	if (!ehdr->e_shoff || window->bytes->loaded)
		return NULL;
	*problem = "the section headers have an unknown size";
	if (ehdr->e_shentsize != entry_size)
		return NULL;
	*problem = NULL;
	error = count_section_headers(window, ehdr, entry_size, &count);
	if (error || !count)
		return error;
	*problem = "it claims more sections than any linker makes";
	if (count > SEGMAP_MAX_SECTIONS)
		return NULL;
	*problem = "the section header table is not all in the file";
	if (!is_there(window, ehdr->e_shoff, count * entry_size))
		return NULL;
	*problem = NULL;
	error = window_grow(window, count * entry_size);
	if (!error)
		error = window_read_anew(window, ehdr->e_shoff, count * entry_size, &table->at);
	if (error)
		return error;
	if (!translate_shdrs(ehdr, window_at(window, table->at), count * entry_size)) {
		*problem = "the section headers cannot be decoded";
		return NULL;
	}
	headers->shdrs_off = ehdr->e_shoff;
	headers->shdrs_size = count * entry_size;
	table->n = count;
	table->is_64 = entry_size == sizeof(Elf64_Shdr);
	table->names = ehdr->e_shstrndx;
	return NULL;
}

static struct segmap_error *read_program_headers(struct window *window, GElf_Ehdr *ehdr,
						 struct elf_headers *headers)
{
	bool is_64 = ehdr->e_ident[EI_CLASS] == ELFCLASS64;
	size_t entry_size = is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	uint64_t size = (uint64_t)ehdr->e_phnum * entry_size;
	struct segmap_error *error;
	size_t at;

	if (!ehdr->e_phnum)
		return NULL;
	/* As strict as the kernel, fs/binfmt_elf.c:load_elf_phdrs. */
	if (ehdr->e_phentsize != entry_size)
		return format_error(window, "the program headers have an unknown size");
	if (size > SEGMAP_MAX_PHDRS_BYTES)
		return format_error(window, "it has more program headers than the kernel accepts");
	if (!is_there(window, ehdr->e_phoff, size))
		return format_error(window, "the program headers go past the end of the file");
	headers->phdrs_off = ehdr->e_phoff;
	headers->phdrs_size = size;
	error = window_grow(window, size);
	if (!error)
		error = window_read(window, ehdr->e_phoff, size, &at);
	if (!error)
		ehdr->e_phoff = at;
	return error;
}

/* PT_LOAD and PT_GNU_RELRO. */
static struct segmap_error *parse_segments(const struct window *window, Elf *libelf, size_t n_phdrs,
					   uint64_t page_size, struct segmap_elf *elf)
{
	elf->segments = reallocarray(NULL, n_phdrs + 1, sizeof(*elf->segments));
	if (!elf->segments)
		return segmap_error_no_memory();
	for (size_t i = 0; i < n_phdrs; i++) {
		struct segmap_segment *segment = &elf->segments[elf->n_segments];
		uint64_t sum;
		GElf_Phdr phdr;

		if (!gelf_getphdr(libelf, (int)i, &phdr))
			return format_error(window, "a program header cannot be read");
		if (phdr.p_type != PT_LOAD && phdr.p_type != PT_GNU_RELRO)
			continue;
		if (!checked_add(phdr.p_vaddr, max_u64(phdr.p_memsz, phdr.p_filesz), &sum) ||
		    !checked_add(sum, page_size - 1, &sum) || /* it is mapped in whole pages */
		    !checked_add(phdr.p_offset, phdr.p_filesz, &sum))
			return segmap_error_new(SEGMAP_ERROR_FORMAT, window->bytes->name,
						"program header %zu: its end wraps around", i);
		*segment = (struct segmap_segment){
			.index = (unsigned int)i,
			.type = phdr.p_type == PT_LOAD ? SEGMAP_SEGMENT_LOAD : SEGMAP_SEGMENT_RELRO,
			.prot = prot_of(phdr.p_flags),
			.off = phdr.p_offset,
			.vaddr = phdr.p_vaddr,
			.filesz = phdr.p_filesz,
			.memsz = phdr.p_memsz,
			.align = phdr.p_align,
		};
		segmap_segment_expand(segment, page_size);
		elf->n_segments++;
	}
	return NULL;
}

/* The section name table into elf->names; *@problem, if it cannot be believed. */
static struct segmap_error *read_names(struct window *window, const struct section_table *table,
				       struct segmap_elf *elf, uint64_t *size,
				       const char **problem)
{
	/* gABI: an index that does not fit is in sh_link of the first header. */
	size_t index = table->names == SHN_XINDEX ? shdr_at(table, 0).sh_link : table->names;
	GElf_Shdr shdr;

	*problem = "there is no section name table";
	if (!index || index >= table->n)
		return NULL;
	shdr = shdr_at(table, index);
	if (shdr.sh_type != SHT_STRTAB)
		return NULL;
	*problem = "the section name table is not all in the file";
	if (!is_there(window, shdr.sh_offset, shdr.sh_size) ||
	    shdr.sh_size > SEGMAP_MAX_NAMES_BYTES)
		return NULL;
	*problem = NULL;
	*size = shdr.sh_size;
	elf->names = malloc(shdr.sh_size + 1);
	if (!elf->names)
		return segmap_error_no_memory();
	elf->names[shdr.sh_size] = '\0';
	return read_exactly(window, elf->names, shdr.sh_size, shdr.sh_offset);
}

static struct segmap_error *parse_sections(struct window *window, struct section_table *table,
					   struct segmap_elf *elf, const char **problem)
{
	uint64_t names_size = 0, names_total = 0, claimed = 0, sum;
	struct segmap_error *error;

	table->rows = window_at(window, table->at);
	error = read_names(window, table, elf, &names_size, problem);
	if (error || *problem)
		return error;
	elf->sections = reallocarray(NULL, table->n, sizeof(*elf->sections));
	if (!elf->sections)
		return segmap_error_no_memory();
	for (size_t i = 1; i < table->n; i++) {
		GElf_Shdr shdr = shdr_at(table, i);
		const char *name;

		if (shdr.sh_type == SHT_NULL)
			continue;
		if (shdr.sh_type != SHT_NOBITS && !checked_add(claimed, shdr.sh_size, &claimed))
			claimed = UINT64_MAX;
		elf->claimed = max_u64(elf->claimed, claimed);
		if (!checked_add(shdr.sh_addr, shdr.sh_size, &sum) ||
		    !checked_add(shdr.sh_offset, shdr.sh_size, &sum))
			continue; /* it lies: it labels nothing */
		name = shdr.sh_name < names_size ? elf->names + shdr.sh_name : "";
		/* Names can overlap, so a small table can make very much text. */
		names_total += strlen(name);
		if (names_total > SEGMAP_MAX_NAMES_BYTES) {
			*problem = "the section names are too long";
			elf->n_sections = 0;
			return NULL;
		}
		elf->sections[elf->n_sections++] = (struct segmap_section){
			.name = name,
			.vaddr = shdr.sh_addr,
			.off = shdr.sh_offset,
			.size = shdr.sh_size,
			.alloc = shdr.sh_flags & SHF_ALLOC,
			.nobits = shdr.sh_type == SHT_NOBITS,
			.tls = shdr.sh_flags & SHF_TLS,
		};
	}
	return NULL;
}

/* Whether @note of @data has @type, and is one of GNU's. */
static bool is_gnu_note(const Elf_Data *data, const GElf_Nhdr *note, size_t name_at, uint32_t type)
{
	return note->n_type == type && note->n_namesz == sizeof("GNU") &&
	       memcmp((char *)data->d_buf + name_at, "GNU", sizeof("GNU")) == 0;
}

/* Keep the build-id whose bytes are at @desc. */
static struct segmap_error *take_build_id(const unsigned char *desc, size_t size,
					  struct segmap_elf *elf)
{
	elf->build_id = malloc(size * 2 + 1);
	if (!elf->build_id)
		return segmap_error_no_memory();
	for (size_t i = 0; i < size; i++) {
		elf->build_id[2 * i] = "0123456789abcdef"[desc[i] >> 4];
		elf->build_id[2 * i + 1] = "0123456789abcdef"[desc[i] & 15];
	}
	elf->build_id[size * 2] = '\0';
	return NULL;
}

/*
 * The level of x86-64 that is needed, among the properties of one note: type and size of the
 * value, 32 bits each, and the value up to the next word; in ascending order of types
 * (sysdeps/x86/dl-prop.h:_dl_process_property_note). 0 if there is none.
 */
static uint32_t find_isa_needed(const unsigned char *desc, size_t size, size_t word, bool swapped)
{
	static const uint32_t isa_needed = 0xc0008002; /* GNU_PROPERTY_X86_ISA_1_NEEDED */
	uint32_t before = 0;
	size_t at = 0;

	while (size % word == 0 && size - at >= 8) {
		uint32_t type = (uint32_t)bytes_word(desc + at, 4, swapped);
		uint32_t length = (uint32_t)bytes_word(desc + at + 4, 4, swapped);

		at += 8;
		if (type < before || length > size - at)
			break;
		if (type == isa_needed)
			return length == 4 ? (uint32_t)bytes_word(desc + at, 4, swapped) : 0;
		before = type;
		at += page_up(length, word);
	}
	return 0;
}

static void take_properties(const unsigned char *desc, size_t size, bool swapped,
			    struct segmap_elf *elf)
{
	if (!elf->isa_needed && (elf->machine == EM_X86_64 || elf->machine == EM_386))
		elf->isa_needed = find_isa_needed(desc, size, elf->class / 8, swapped);
}

/* The first build-id among notes, whether there is an ABI note, and with @properties those. */
static struct segmap_error *walk_notes(const struct window *window, Elf_Data *data, bool properties,
				       struct segmap_elf *elf)
{
	size_t at = 0, next, name_at, desc_at;
	GElf_Nhdr note;

	while (data && (next = gelf_getnote(data, at, &note, &name_at, &desc_at)) > 0) {
		struct segmap_error *error = NULL;

		if (is_gnu_note(data, &note, name_at, NT_GNU_ABI_TAG))
			elf->abi_note = true;
		if (properties && is_gnu_note(data, &note, name_at, NT_GNU_PROPERTY_TYPE_0))
			take_properties((unsigned char *)data->d_buf + desc_at, note.n_descsz,
					elf_is_swapped(window->ident), elf);
		if (!elf->build_id && is_gnu_note(data, &note, name_at, NT_GNU_BUILD_ID) &&
		    note.n_descsz > 0 && note.n_descsz <= SEGMAP_MAX_BUILD_ID)
			error = take_build_id((unsigned char *)data->d_buf + desc_at, note.n_descsz,
					      elf);
		if (error)
			return error;
		at = next;
	}
	return NULL;
}

/* @size bytes at @at of what libelf was given; NULL where it finds no sense in them. */
static struct segmap_error *read_chunk(Elf *libelf, size_t at, uint64_t size, Elf_Type type,
				       Elf_Data **ret)
{
	errno = 0;
	*ret = elf_getdata_rawchunk(libelf, (int64_t)at, size, type);
	return !*ret && errno == ENOMEM ? segmap_error_no_memory() : NULL;
}

/*
 * The notes of a PT_NOTE. Where it is aligned to 8 bytes, so should each of them
 * be; mold puts those that are aligned to 4 behind a property note all the same.
 * A property note counts only where the segment is aligned to words (sysdeps/x86/dl-prop.h).
 */
static struct segmap_error *parse_notes(struct window *window, Elf *libelf, const GElf_Phdr *phdr,
					struct segmap_elf *elf)
{
	static const Elf_Type types[] = { ELF_T_NHDR8, ELF_T_NHDR };
	struct segmap_error *error;
	Elf_Data *data;
	size_t at = 0;

	if (phdr->p_filesz > SEGMAP_MAX_NOTES_BYTES ||
	    !is_there(window, phdr->p_offset, phdr->p_filesz))
		return NULL;
	error = window_read(window, phdr->p_offset, phdr->p_filesz, &at);
	for (size_t i = phdr->p_align != 8; i < sizeof(types) / sizeof(types[0]) && !error; i++) {
		error = read_chunk(libelf, at, phdr->p_filesz, types[i], &data);
		if (!error)
			error = walk_notes(window, data, phdr->p_align == elf->class / 8, elf);
	}
	return error;
}

/*
 * The virtual address that pointer @value of the dynamic section means. glibc
 * adds the bias to them in memory (elf/get-dynamic-info.h).
 */
static uint64_t dynamic_pointer(const struct window *window, const struct segmap_elf *elf,
				uint64_t value)
{
	uint64_t off;

	if (window->bytes->loaded && !elf_off_of_vaddr(elf, value, &off))
		return value - window->bytes->bias;
	return value;
}

/* The string at @off, of at most @most bytes, into *@ret; not a string or not there: NULL. */
static struct segmap_error *read_string(const struct window *window, uint64_t off, uint64_t most,
					char **ret)
{
	uint64_t size = off < window->size ? min_u64(most, window->size - off) : 0;
	scope_free char *string = malloc(size + 1);
	struct segmap_error *error;

	if (!string)
		return segmap_error_no_memory();
	if (off + size <= window->head && window->head - size >= off)
		memcpy(string, window_at(window, HEAD_AT + (size_t)off), size);
	else if ((error = read_exactly(window, string, size, off)))
		return error;
	if (memchr(string, '\0', size))
		*ret = return_ptr(string);
	return NULL;
}

/*
 * Of a loaded image not every byte need be there (not resident, not dumped): what is
 * not there tells nothing, and the rest stands.
 */
static struct segmap_error *forgive(const struct window *window, struct segmap_error *error)
{
	if (!error || !window->bytes->loaded || error->code == SEGMAP_ERROR_NO_MEMORY)
		return error;
	segmap_error_free(error);
	return NULL;
}

/* Whether one of the entries, of either class, in the @size bytes at @at is DT_NULL. */
static bool has_end(const unsigned char *at, uint64_t size, bool is_64)
{
	static const unsigned char null[sizeof(uint64_t)];
	size_t entry = is_64 ? sizeof(Elf64_Dyn) : sizeof(Elf32_Dyn);

	for (; size >= entry; at += entry, size -= entry)
		if (memcmp(at, null, entry / 2) == 0)
			return true;
	return false;
}

/*
 * The dynamic section as dynamic linkers find it: in memory, at p_vaddr, up to
 * DT_NULL, whatever p_offset and p_filesz say (glibc elf/get-dynamic-info.h,
 * musl ldso/dynlink.c:decode_vec). *@ret is NULL where the file has nothing there.
 */
static struct segmap_error *read_dynamic(struct window *window, Elf *libelf,
					 const struct segmap_elf *elf, const GElf_Phdr *phdr,
					 Elf_Data **ret)
{
	uint64_t off, most, size;
	struct segmap_error *error;
	size_t at, longer;

	*ret = NULL;
	if (!elf_range_at_vaddr(elf, phdr->p_vaddr, &off, &most) || off >= window->size)
		return NULL;
	most = min_u64(min_u64(most, window->size - off), SEGMAP_MAX_DYNAMIC_BYTES);
	size = min_u64(phdr->p_filesz, most);
	if (!is_there(window, off, size))
		return NULL;
	error = window_read(window, off, size, &at);
	if (error)
		return error;
	if (size < most && !has_end(window_at(window, at), size, elf->class == 64) &&
	    is_there(window, off, most)) {
		error = window_read(window, off, most, &longer);
		if (!error) {
			at = longer;
			size = most;
		}
		error = forgive(window, error);
	}
	return error || !size ? error : read_chunk(libelf, at, size, ELF_T_DYN, ret);
}

/* The value of the last entry with @tag; false if there is none. */
static bool find_dynamic(Elf_Data *dynamic, int64_t tag, uint64_t *ret)
{
	bool found = false;
	GElf_Dyn dyn;

	for (int i = 0; dynamic && gelf_getdyn(dynamic, i, &dyn) && dyn.d_tag != DT_NULL; i++) {
		if (dyn.d_tag == tag) {
			*ret = dyn.d_un.d_val;
			found = true;
		}
	}
	return found;
}

static struct segmap_error *parse_soname(struct window *window, Elf_Data *dynamic,
					 struct segmap_elf *elf)
{
	uint64_t strtab = 0, strtab_size = 0, soname = 0, off;

	if (!find_dynamic(dynamic, DT_SONAME, &soname) ||
	    !find_dynamic(dynamic, DT_STRTAB, &strtab) ||
	    !find_dynamic(dynamic, DT_STRSZ, &strtab_size) || soname >= strtab_size ||
	    !elf_off_of_vaddr(elf, dynamic_pointer(window, elf, strtab), &off) ||
	    !checked_add(off, soname, &off))
		return NULL;
	return read_string(window, off, min_u64(strtab_size - soname, SEGMAP_MAX_SONAME),
			   &elf->soname);
}

static bool has_textrel(Elf_Data *dynamic)
{
	uint64_t value;

	return find_dynamic(dynamic, DT_TEXTREL, &value) ||
	       (find_dynamic(dynamic, DT_FLAGS, &value) && (value & DF_TEXTREL));
}

/* What the dynamic linker is told, from the entries of @dynamic. */
static struct segmap_error *parse_linking(struct window *window, Elf_Data *dynamic,
					  struct segmap_elf *elf)
{
	scope_free struct dynamic_entry *entries = NULL;
	struct linking_source source = {
		.bytes = window->bytes,
		.elf_off = window->elf_off,
		.size = window->size,
		.swapped = elf_is_swapped(window->ident),
		.elf = elf,
	};
	size_t capacity = 0;
	GElf_Dyn dyn;

	for (int i = 0; gelf_getdyn(dynamic, i, &dyn) && dyn.d_tag != DT_NULL; i++) {
		if (!grow(&entries, &capacity, source.n_entries, sizeof(*entries)))
			return segmap_error_no_memory();
		entries[source.n_entries++] =
			(struct dynamic_entry){ dyn.d_tag, dyn.d_un.d_val };
	}
	source.entries = entries;
	return linking_parse(&source, &elf->linking);
}

/* PT_DYNAMIC: where it is, and what is wanted of it. */
static struct segmap_error *parse_dynamic(struct window *window, Elf *libelf,
					  const GElf_Phdr *phdr, unsigned int wants,
					  struct segmap_elf *elf)
{
	struct segmap_error *error;
	Elf_Data *dynamic;
	uint64_t end;

	if (checked_add(phdr->p_vaddr, phdr->p_memsz, &end)) {
		elf->dynamic = phdr->p_vaddr;
		elf->dynamic_end = end;
		elf->dynamic_writable = phdr->p_flags & PF_W;
	}
	if (!wants)
		return NULL;
	error = read_dynamic(window, libelf, elf, phdr, &dynamic);
	if (!error)
		error = parse_soname(window, dynamic, elf);
	if (error)
		return error;
	elf->textrel = has_textrel(dynamic);
	return dynamic && (wants & SEGMAP_WANT_LINKING) ? parse_linking(window, dynamic, elf) :
							  NULL;
}

/* The kernel wants a string of 1 to 4095 bytes that ends where p_filesz does. */
static bool is_interp_path(const GElf_Phdr *phdr, const char *path)
{
	return path && phdr->p_filesz >= 2 && phdr->p_filesz <= SEGMAP_MAX_SONAME;
}

/*
 * Of several PT_DYNAMIC the last is the one that dynamic linkers go by (glibc elf/rtld.c and
 * elf/dl-load.c, musl ldso/dynlink.c). False if there is none.
 */
static bool find_dynamic_header(Elf *libelf, size_t n_phdrs, GElf_Phdr *ret)
{
	for (size_t i = n_phdrs; i-- > 0;)
		if (gelf_getphdr(libelf, (int)i, ret) && ret->p_type == PT_DYNAMIC)
			return true;
	return false;
}

/* What loaders want to know besides PT_LOAD, PT_GNU_RELRO and the dynamic section. */
static void parse_loading(const GElf_Phdr *phdr, struct segmap_elf *elf)
{
	if (phdr->p_type == PT_DYNAMIC && !phdr->p_filesz)
		elf->has_empty_dynamic = true;
	if (phdr->p_type != PT_LOAD && !checked_add(elf->claimed, phdr->p_filesz, &elf->claimed))
		elf->claimed = UINT64_MAX;
	if (phdr->p_type == PT_GNU_STACK)
		elf->stack_prot = prot_of(phdr->p_flags);
}

/* The program headers beside PT_LOAD and PT_GNU_RELRO that tell something of the file. */
static struct segmap_error *parse_properties(struct window *window, Elf *libelf, size_t n_phdrs,
					     unsigned int wants, struct segmap_elf *elf)
{
	struct segmap_error *error = NULL;
	size_t notes = 0;
	GElf_Phdr phdr;

	for (size_t i = 0; i < n_phdrs && !error; i++) {
		if (!gelf_getphdr(libelf, (int)i, &phdr))
			break;
		parse_loading(&phdr, elf);
		if (phdr.p_type == PT_NOTE && notes < SEGMAP_MAX_NOTES &&
		    (!elf->build_id || (wants & SEGMAP_WANT_LINKING))) {
			notes++;
			error = parse_notes(window, libelf, &phdr, elf);
		} else if (phdr.p_type == PT_INTERP && !elf->interp && !elf->bad_interp) {
			error = read_string(window, phdr.p_offset,
					    min_u64(phdr.p_filesz, SEGMAP_MAX_SONAME),
					    &elf->interp);
			elf->bad_interp = !is_interp_path(&phdr, elf->interp);
		}
		error = forgive(window, error);
	}
	if (!error && find_dynamic_header(libelf, n_phdrs, &phdr))
		error = forgive(window, parse_dynamic(window, libelf, &phdr, wants, elf));
	return error;
}

/*
 * A file without section headers (sstrip, packers, a loaded image) still tells
 * of parts of itself: by its program headers and its dynamic section. They are
 * named in brackets, as no section is.
 */
static void add_part(struct segmap_elf *elf, const char *name, uint64_t vaddr, uint64_t size)
{
	uint64_t off, sum;

	if (!size || !elf_off_of_vaddr(elf, vaddr, &off) || !checked_add(vaddr, size, &sum) ||
	    !checked_add(off, size, &sum))
		return;
	elf->sections[elf->n_sections++] = (struct segmap_section){
		.name = name,
		.vaddr = vaddr,
		.off = off,
		.size = size,
		.alloc = true,
		.part = true,
	};
}

/* 32-bit words of a hash table, one after the other; the file is read in blocks of them. */
struct words {
	const struct window *window;
	uint64_t off;	/* of the next block */
	uint64_t left;	/* bytes that are still believed of the table */
	size_t at, n;	/* in the block */
	uint32_t block[1024];
};

static void words_begin(struct words *words, uint64_t off)
{
	words->off = off;
	words->at = words->n = 0;
}

static bool words_next(struct words *words, uint32_t *ret)
{
	const struct window *window = words->window;

	if (words->at == words->n) {
		uint64_t there = words->off < window->size ? window->size - words->off : 0;
		uint64_t size = min_u64(sizeof(words->block), min_u64(there, words->left));
		int64_t got = bytes_read(window->bytes, words->block, size,
					 window->elf_off + words->off);

		words->at = 0;
		words->n = got > 0 ? (size_t)got / sizeof(*ret) : 0;
		words->off += words->n * sizeof(*ret);
		words->left -= words->n * sizeof(*ret);
	}
	if (!words->n)
		return false;
	*ret = words->block[words->at++];
	if (elf_is_swapped(window->ident))
		*ret = __builtin_bswap32(*ret);
	return true;
}

/* The table that @tag points to: begin with its words, and take the first @n. */
static bool find_hash_table(struct words *words, const struct segmap_elf *elf, Elf_Data *dynamic,
			    int64_t tag, uint64_t *off, uint32_t *head, size_t n)
{
	uint64_t table;

	if (!find_dynamic(dynamic, tag, &table) ||
	    !elf_off_of_vaddr(elf, dynamic_pointer(words->window, elf, table), off))
		return false;
	words_begin(words, *off);
	for (size_t i = 0; i < n; i++)
		if (!words_next(words, &head[i]))
			return false;
	*off += n * sizeof(*head);
	return true;
}

/*
 * How many chains DT_HASH has, its second entry. Entries are 32-bit words, but
 * twice that in 64-bit files for Alpha and s390 (glibc's Elf_Symndx). False if
 * there is no such table.
 */
static bool count_chains(struct words *words, const struct segmap_elf *elf, Elf_Data *dynamic,
			 uint64_t *ret)
{
	bool is_wide = elf->class == 64 && (elf->machine == EM_ALPHA || elf->machine == EM_S390);
	bool is_big = words->window->ident[EI_DATA] == ELFDATA2MSB;
	uint32_t head[4];
	uint64_t off;

	if (!find_hash_table(words, elf, dynamic, DT_HASH, &off, head, is_wide ? 4 : 2))
		return false;
	if (!is_wide)
		*ret = head[1];
	else if (head[is_big ? 2 : 3])
		*ret = 0; /* more than a file can hold: that is no number */
	else
		*ret = head[is_big ? 3 : 2];
	return true;
}

/*
 * How many dynamic symbols there are: only the hash tables know. DT_HASH has a
 * chain for each; of DT_GNU_HASH's, the highest that a bucket leads to is
 * followed to its end (https://sourceware.org/gnu-gabi/program-loading-and-dynamic-linking.txt).
 * 0 where that cannot be told.
 */
static uint64_t count_symbols(const struct window *window, const struct segmap_elf *elf,
			      Elf_Data *dynamic)
{
	struct words words = { .window = window, .left = SEGMAP_MAX_HASH_BYTES };
	uint32_t head[4], word;
	uint64_t off, last = 0;

	if (count_chains(&words, elf, dynamic, &last))
		return last;
	/* Number of buckets, first hashed symbol, words of the Bloom filter, its shift. */
	if (!find_hash_table(&words, elf, dynamic, DT_GNU_HASH, &off, head, 4) ||
	    !checked_add(off, (uint64_t)head[2] * (elf->class / 8), &off) ||
	    !is_there(window, off, (uint64_t)head[0] * sizeof(word)))
		return 0;
	words_begin(&words, off);
	for (uint32_t i = 0; i < head[0]; i++) {
		if (!words_next(&words, &word))
			return 0;
		last = max_u64(last, word);
	}
	if (last < head[1])
		return head[1];
	off += ((uint64_t)head[0] + last - head[1]) * sizeof(word);
	words_begin(&words, off);
	do {
		last++;
		if (!words_next(&words, &word))
			return 0;
	} while (!(word & 1));
	return last;
}

static void add_dynamic_parts(struct window *window, struct segmap_elf *elf, Elf_Data *dynamic)
{
	/* Address and size in bytes by two tags; elf(5). */
	static const struct {
		int64_t addr, size;
		const char *name;
	} parts[] = {
		{ DT_STRTAB, DT_STRSZ, "[dynstr]" },
		{ DT_RELA, DT_RELASZ, "[rela.dyn]" },
		{ DT_REL, DT_RELSZ, "[rel.dyn]" },
		{ DT_JMPREL, DT_PLTRELSZ, "[rel.plt]" },
		{ 36 /* DT_RELR */, 35 /* DT_RELRSZ */, "[relr.dyn]" },
		{ DT_INIT_ARRAY, DT_INIT_ARRAYSZ, "[init_array]" },
		{ DT_FINI_ARRAY, DT_FINI_ARRAYSZ, "[fini_array]" },
		{ DT_PREINIT_ARRAY, DT_PREINIT_ARRAYSZ, "[preinit_array]" },
	};
	uint64_t symbols = count_symbols(window, elf, dynamic), addr = 0, size = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (find_dynamic(dynamic, parts[i].addr, &addr) &&
		    find_dynamic(dynamic, parts[i].size, &size))
			add_part(elf, parts[i].name, dynamic_pointer(window, elf, addr), size);
	if (symbols && find_dynamic(dynamic, DT_SYMTAB, &addr))
		add_part(elf, "[dynsym]", dynamic_pointer(window, elf, addr),
			 symbols * (elf->class == 64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym)));
	if (symbols && find_dynamic(dynamic, DT_VERSYM, &addr))
		add_part(elf, "[gnu.version]", dynamic_pointer(window, elf, addr),
			 symbols * sizeof(Elf64_Versym));
}

static struct segmap_error *parse_parts(struct window *window, Elf *libelf, size_t n_phdrs,
					struct segmap_elf *elf)
{
	enum { MOST_DYNAMIC_PARTS = 16 };
	static const struct {
		uint32_t type;
		const char *name;
	} parts[] = {
		{ PT_INTERP, "[interp]" },
		{ PT_NOTE, "[note]" },
		{ PT_DYNAMIC, "[dynamic]" },
		{ PT_GNU_EH_FRAME, "[eh_frame_hdr]" },
		{ PT_TLS, "[tdata]" },
	};
	struct segmap_error *error;
	Elf_Data *dynamic = NULL;
	GElf_Phdr phdr;

	free(elf->sections);
	elf->n_sections = 0;
	elf->sections = reallocarray(NULL, n_phdrs + MOST_DYNAMIC_PARTS, sizeof(*elf->sections));
	if (!elf->sections)
		return segmap_error_no_memory();
	for (size_t i = 0; i < n_phdrs; i++) {
		if (!gelf_getphdr(libelf, (int)i, &phdr))
			break;
		for (size_t j = 0; j < sizeof(parts) / sizeof(parts[0]); j++)
			if (parts[j].type == phdr.p_type)
				add_part(elf, parts[j].name, phdr.p_vaddr, phdr.p_filesz);
	}
	if (find_dynamic_header(libelf, n_phdrs, &phdr)) {
		error = forgive(window, read_dynamic(window, libelf, elf, &phdr, &dynamic));
		if (error)
			return error;
	}
	if (dynamic)
		add_dynamic_parts(window, elf, dynamic);
	elf->sections_from = elf->n_sections ? SEGMAP_SECTIONS_PARTS : SEGMAP_SECTIONS_NONE;
	return NULL;
}

/* Have libelf read what the window has of headers. Its number for a lack of memory is not public. */
static struct segmap_error *open_libelf(const struct window *window, Elf **ret)
{
	elf_version(EV_CURRENT);
	errno = 0;
	*ret = elf_memory((char *)window->scratch->memory, window->scratch->size);
	if (*ret && elf_kind(*ret) == ELF_K_ELF)
		return NULL;
	return errno == ENOMEM ? segmap_error_no_memory() :
				 segmap_error_new(SEGMAP_ERROR_FORMAT, window->bytes->name,
						  "libelf: %s", elf_errmsg(-1));
}

static struct segmap_error *parse_window(struct window *window, uint64_t page_size,
					 unsigned int wants, struct segmap_elf **ret)
{
	__attribute__((cleanup(scope_segmap_elf_free_))) struct segmap_elf *elf = NULL;
	__attribute__((cleanup(scope_elf_end_))) Elf *libelf = NULL;
	const struct own_machine *own =
		own_machine_of(window_at(window, HEAD_AT), window->head);
	unsigned char ident[EI_NIDENT]; /* as it stands */
	struct section_table table = { 0 };
	struct elf_headers headers = { 0 };
	struct segmap_error *error;
	GElf_Ehdr ehdr;

	memcpy(ident, window_at(window, HEAD_AT), EI_NIDENT);
	if (!decode_ehdr(window, &ehdr) || ehdr.e_ident[EI_VERSION] != EV_CURRENT ||
	    (!ehdr.e_phnum && window->size < elf_header_size(ehdr.e_ident[EI_CLASS] == ELFCLASS64)))
		return format_error(window, "its ELF header is cut short or of an unknown kind");
	if (ehdr.e_type != ET_EXEC && ehdr.e_type != ET_DYN)
		return NULL;
	elf = calloc(1, sizeof(*elf));
	if (!elf)
		return segmap_error_no_memory();
	elf->class = ehdr.e_ident[EI_CLASS] == ELFCLASS64 ? 64 : 32;
	elf->machine = own ? own->machine : ehdr.e_machine;
	elf->type = ehdr.e_type;
	elf->osabi = ehdr.e_ident[EI_OSABI];
	elf->abi_version = ehdr.e_ident[EI_ABIVERSION];
	elf->ident_class = ident[EI_CLASS];
	elf->ident_data = ident[EI_DATA];
	elf->ident_version = ident[EI_VERSION];
	elf->header_machine = ehdr.e_machine;
	elf->header_misleads = elf->machine != ehdr.e_machine ||
			       memcmp(ident, ehdr.e_ident, EI_NIDENT) != 0;
	for (int i = EI_PAD; i < EI_NIDENT; i++)
		elf->ident_padded |= ehdr.e_ident[i] != 0;
	elf->other_version = ehdr.e_version != EV_CURRENT;
	elf->big_endian = ehdr.e_ident[EI_DATA] == ELFDATA2MSB;
	elf->foreign = elf_is_foreign(ehdr.e_machine, elf_is_swapped(ehdr.e_ident));
	elf->entry = ehdr.e_entry;
	elf->elf_off = window->elf_off;
	elf->size = window->size;
	elf->stack_prot = SEGMAP_NO_STACK;
	headers.ehdr_size = min_u64(elf_header_size(elf->class == 64), elf->size);

	error = read_program_headers(window, &ehdr, &headers);
	elf->phdrs = headers.phdrs_off;
	elf->phdrs_end = headers.phdrs_off + headers.phdrs_size;
	if (!error)
		error = read_section_headers(window, &ehdr, &headers, &table,
					     &elf->sections_problem);
	if (error)
		return error;
	ehdr.e_shoff = ehdr.e_shnum = ehdr.e_shstrndx = 0;
	if (!encode_ehdr(window, &ehdr))
		return format_error(window, "its byte order is unknown");
	error = open_libelf(window, &libelf);
	if (error)
		return error;
	error = parse_segments(window, libelf, ehdr.e_phnum, page_size, elf);
	if (!error)
		error = parse_properties(window, libelf, ehdr.e_phnum, wants, elf);
	if (!error && table.n)
		error = parse_sections(window, &table, elf, &elf->sections_problem);
	if (error)
		return error;
	elf->sections_from = SEGMAP_SECTIONS_HEADERS;
	if (!elf->n_sections)
		error = parse_parts(window, libelf, ehdr.e_phnum, elf);
	if (error)
		return error;
	if (!elf_label(elf, &headers))
		return segmap_error_no_memory();
	*ret = return_ptr(elf);
	return NULL;
}

/*
 * What the kernel takes the ELF header for. Of a file for its own machine it
 * looks at EI_CLASS no more than elf_class_as_loaded() says, and at neither
 * EI_DATA nor EI_VERSION; what a short file lacks of the header is zeros
 * (fs/binfmt_elf.c:load_elf_binary, fs/exec.c:prepare_binprm).
 */
static void take_as_loaded(struct window *window)
{
	unsigned char *head = window_at(window, HEAD_AT);

	memcpy(window->ident, head, EI_NIDENT);
	if (!own_machine_of(head, window->head))
		return;
	window->ident[EI_CLASS] = (unsigned char)elf_class_as_loaded(head, window->head);
	window->ident[EI_DATA] = OWN_DATA;
	window->ident[EI_VERSION] = EV_CURRENT;
	if (window->head == window->size && window->head < sizeof(Elf64_Ehdr)) {
		memset(head + window->head, 0, sizeof(Elf64_Ehdr) - window->head);
		window->head = sizeof(Elf64_Ehdr);
	}
}

struct segmap_error *elf_parse(const struct bytes *bytes, uint64_t elf_off, uint64_t page_size,
			       unsigned int wants, struct elf_scratch *scratch,
			       struct segmap_elf **ret)
{
	struct window window = {
		.bytes = bytes,
		.elf_off = elf_off,
		.scratch = scratch,
		.used = HEAD_AT + HEAD_SIZE,
	};
	struct segmap_error *error;
	int64_t got;

	*ret = NULL;
	if (elf_off >= bytes->size || bytes->size - elf_off < EI_NIDENT)
		return NULL;
	window.size = bytes->size - elf_off;
	error = window_grow(&window, 0);
	if (error)
		return error;
	got = bytes->read(bytes, window_at(&window, HEAD_AT), min_u64(HEAD_SIZE, window.size),
			  elf_off);
	if (got < 0)
		return segmap_error_system((int)-got, bytes->name, "read");
	window.head = (size_t)got;
	if (!elf_has_magic(window_at(&window, HEAD_AT), window.head))
		return NULL;
	take_as_loaded(&window);
	return parse_window(&window, page_size, wants, ret);
}
