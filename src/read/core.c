/* src/read/core.c - core dumps: what the headers and notes tell of the process. */
#include <segmap/core.h>
#include "base/range.h"
#include "base/scope.h"
#include "model/layout.h"
#include "read/auxv.h"
#include "read/backing.h"
#include "read/bytes.h"
#include "read/elf.h"
#include "read/files.h"
#include "read/maps.h"
#include "read/sysroot.h"
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <segmap/limits.h>
#include <string.h>
#include <sys/stat.h>

/*
 * VMAs are the union of two lists. The kernel has each VMA in the first
 * (fs/binfmt_elf.c:elf_core_dump), gdb's gcore leaves unmodified file pages and
 * what cannot be read out of it; the second has every mapping of a file.
 *
 *   PT_LOAD   |r--|       |r--|rw-|     |rw-|     permissions, and bytes that were dumped
 *   NT_FILE   |a 0|a 1000 |a 2|a 3|               paths and offsets
 *   VMAs      |r--|???    |r--|rw-|     |rw-|
 */
struct load {
	uint64_t start, end; /* addresses, [start, end) */
	uint64_t off, filesz; /* of the bytes that are there, in the dump */
	uint8_t prot;
};

struct mapping {
	uint64_t start, end; /* addresses, [start, end) */
	uint64_t off;	     /* bytes into the file */
	const char *path;    /* the layout's */
};

struct segmap_core {
	const char *name; /* for errors */
	struct shared_fd *dump; /* the files that are in it read it, too */
	uint64_t size, on_disk; /* bytes */
	unsigned int class;	/* ELFCLASS64 or ELFCLASS32 */
	unsigned int encoding;	/* ELFDATA2LSB or ELFDATA2MSB */
	bool swapped;		/* that is not this machine's */
	unsigned int machine;	/* EM_X86_64 … */
	struct load *loads;	/* ascending by start */
	size_t n_loads;
	uint64_t *dumped_at; /* of each of the layout's VMAs: where in the dump its bytes begin */
	size_t cap_dumped_at;
	struct mapping *mappings; /* ascending by start */
	size_t n_mappings, cap_mappings;
	uint64_t missing; /* bytes that the headers promise behind the end of the file */
	bool notes_missing;
	bool tells_readable; /* a program header has no PF_R; see unknown_prot() */
	uint64_t notes_left; /* bytes of notes that are still believed */
	bool notes_cut; /* there are more, or one is too long */
	struct auxv auxv;
	struct sysroot sysroot;
	uint64_t page_size_told; /* 0: what the dump tells counts */
};

void segmap_core_free(struct segmap_core *core)
{
	if (!core)
		return;
	shared_fd_let_go(core->dump);
	sysroot_close(&core->sysroot);
	free(core->loads);
	free(core->dumped_at);
	free(core->mappings);
	free(core);
}

static struct segmap_error *format_error(const struct segmap_core *core, const char *problem)
{
	return segmap_error_new(SEGMAP_ERROR_FORMAT, core->name, "%s", problem);
}

/* Open a regular file; anything else is not even opened for reading. */
static struct segmap_error *open_dump(struct segmap_core *core)
{
	scope_close int path_fd = open(core->name, O_PATH | O_CLOEXEC);
	scope_close int fd = -1;
	struct stat stat;

	if (path_fd < 0 || fstat(path_fd, &stat))
		return segmap_error_system(errno, core->name, "open");
	if (!S_ISREG(stat.st_mode))
		return format_error(core, "it is no regular file, so no core dump");
	fd = open(core->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &stat))
		return segmap_error_system(errno, core->name, "open");
	core->dump = shared_fd_new(return_fd(&fd));
	if (!core->dump)
		return segmap_error_no_memory();
	core->size = (uint64_t)stat.st_size;
	core->on_disk = (uint64_t)stat.st_blocks * 512;
	/* Each of them is there once: program headers can name the same bytes again and again. */
	core->notes_left = SEGMAP_SMALL_TABLE + min_u64(core->size, core->on_disk);
	return NULL;
}

static bool read_exactly(const struct segmap_core *core, void *buffer, uint64_t size, uint64_t off)
{
	uint64_t end;

	return checked_add(off, size, &end) && end <= core->size &&
	       fd_read(core->dump->fd, buffer, size, off) == (int64_t)size;
}

static const char *compressor_of(const unsigned char *start)
{
	static const struct {
		const char *name, *magic;
	} all[] = {
		{ "zstd", "\x28\xb5\x2f\xfd" },
		{ "xz", "\xfd"
			"7zX" },
		{ "lz4", "\x04\x22\x4d\x18" },
		{ "gzip", "\x1f\x8b" },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (memcmp(start, all[i].magic, strlen(all[i].magic)) == 0)
			return all[i].name;
	return NULL;
}

/* What the ELF header says, of either class and byte order. */
static struct segmap_error *read_ehdr(struct segmap_core *core, GElf_Ehdr *ret)
{
	union {
		unsigned char ident[EI_NIDENT];
		Elf32_Ehdr ehdr_32;
		Elf64_Ehdr ehdr_64;
	} raw = { 0 };
	Elf_Data in = { .d_buf = &raw, .d_type = ELF_T_EHDR, .d_version = EV_CURRENT }, out;
	int64_t got = fd_read(core->dump->fd, &raw, sizeof(raw), 0);

	if (got < 0)
		return segmap_error_system((int)-got, core->name, "read");
	if (!elf_has_magic(&raw, (size_t)got)) {
		const char *compressor = compressor_of(raw.ident);

		return compressor ? segmap_error_new(SEGMAP_ERROR_FORMAT, core->name,
						     "it is compressed with %s: unpack it first",
						     compressor) :
				    format_error(core, "it is no core dump: it does not begin as an "
						       "ELF file does");
	}
	core->class = raw.ident[EI_CLASS];
	core->encoding = raw.ident[EI_DATA];
	core->swapped = core->encoding !=
			(BYTE_ORDER == LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB);
	in.d_size = core->class == ELFCLASS64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
	if ((size_t)got < in.d_size)
		return format_error(core, "it is truncated: its ELF header is cut short");
	out = in;
	if ((core->class != ELFCLASS64 && core->class != ELFCLASS32) ||
	    !(core->class == ELFCLASS64 ? elf64_xlatetom(&out, &in, core->encoding) :
					  elf32_xlatetom(&out, &in, core->encoding)))
		return format_error(core, "its ELF header is of an unknown class or byte order");
	if (core->class == ELFCLASS64)
		*ret = raw.ehdr_64;
	else
		*ret = (GElf_Ehdr){
			.e_type = raw.ehdr_32.e_type,
			.e_machine = raw.ehdr_32.e_machine,
			.e_phoff = raw.ehdr_32.e_phoff,
			.e_shoff = raw.ehdr_32.e_shoff,
			.e_phentsize = raw.ehdr_32.e_phentsize,
			.e_phnum = raw.ehdr_32.e_phnum,
		};
	if (ret->e_type != ET_CORE)
		return format_error(core, ret->e_type == ET_EXEC || ret->e_type == ET_DYN ?
						  "it is no core dump but a program or library" :
						  "it is an ELF file, but no core dump");
	return NULL;
}

/* A number of 4 or, in a 64-bit core, 8 bytes. */
static uint64_t word_at(const struct segmap_core *core, const char *bytes)
{
	uint64_t word_64;
	uint32_t word_32;

	if (core->class == ELFCLASS64) {
		memcpy(&word_64, bytes, sizeof(word_64));
		return core->swapped ? __builtin_bswap64(word_64) : word_64;
	}
	memcpy(&word_32, bytes, sizeof(word_32));
	return core->swapped ? __builtin_bswap32(word_32) : word_32;
}

static size_t word_size(const struct segmap_core *core)
{
	return core->class == ELFCLASS64 ? 8 : 4;
}

static uint32_t number_at(const struct segmap_core *core, const char *bytes)
{
	uint32_t number;

	memcpy(&number, bytes, sizeof(number));
	return core->swapped ? __builtin_bswap32(number) : number;
}

/* How many program headers: gABI, 65535 means that sh_info of section header 0 has it. */
static bool count_phdrs(const struct segmap_core *core, const GElf_Ehdr *ehdr, uint64_t *ret)
{
	size_t at = core->class == ELFCLASS64 ? offsetof(Elf64_Shdr, sh_info) :
						offsetof(Elf32_Shdr, sh_info);
	char count[4];

	*ret = ehdr->e_phnum;
	if (ehdr->e_phnum != PN_XNUM)
		return true;
	if (ehdr->e_shoff > core->size || !read_exactly(core, count, sizeof(count), ehdr->e_shoff + at))
		return false;
	*ret = number_at(core, count);
	return true;
}

/* The program headers in the machine's byte order; the caller frees *@ret. */
static struct segmap_error *read_phdrs(const struct segmap_core *core, const GElf_Ehdr *ehdr,
				       void **ret, size_t *n_ret)
{
	size_t entry = core->class == ELFCLASS64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	scope_free void *table = NULL;
	uint64_t n, size, end;
	Elf_Data data;

	if (ehdr->e_phentsize != entry)
		return format_error(core, "its program headers have an unknown size");
	if (!count_phdrs(core, ehdr, &n))
		return format_error(core, "it is truncated: the number of its program headers is "
					  "behind its end");
	if (!n)
		return format_error(core, "it has no program headers, so no memory");
	if (n > SEGMAP_MAX_CORE_PHDRS)
		return segmap_error_new(SEGMAP_ERROR_LIMIT, core->name,
					"it claims more program headers than a process has VMAs");
	size = n * entry;
	if (!checked_add(ehdr->e_phoff, size, &end) || end > core->size ||
	    (size > SEGMAP_SMALL_TABLE && size > core->on_disk))
		return format_error(core, "it is truncated: its program headers go past its end");
	table = malloc(size);
	if (!table)
		return segmap_error_no_memory();
	if (!read_exactly(core, table, size, ehdr->e_phoff))
		return format_error(core, "it was truncated while it was read");
	data = (Elf_Data){ .d_buf = table, .d_size = size, .d_type = ELF_T_PHDR,
			   .d_version = EV_CURRENT };
	if (!(core->class == ELFCLASS64 ? elf64_xlatetom(&data, &data, core->encoding) :
					  elf32_xlatetom(&data, &data, core->encoding)))
		return format_error(core, "its program headers cannot be decoded");
	*ret = return_ptr(table);
	*n_ret = n;
	return NULL;
}

static GElf_Phdr phdr_at(const struct segmap_core *core, const void *table, size_t index)
{
	const Elf32_Phdr *phdr;

	if (core->class == ELFCLASS64)
		return ((const Elf64_Phdr *)table)[index];
	phdr = &((const Elf32_Phdr *)table)[index];
	return (GElf_Phdr){
		.p_type = phdr->p_type,	    .p_flags = phdr->p_flags,
		.p_offset = phdr->p_offset, .p_vaddr = phdr->p_vaddr,
		.p_filesz = phdr->p_filesz, .p_memsz = phdr->p_memsz,
	};
}

/* How many of the @size bytes at @off are in the file; the others are counted as missing. */
static uint64_t held(struct segmap_core *core, uint64_t off, uint64_t size)
{
	uint64_t there = off < core->size ? min_u64(size, core->size - off) : 0;

	core->missing += size - there;
	return there;
}

static struct segmap_error *add_load(struct segmap_core *core, const GElf_Phdr *phdr)
{
	struct load *load = &core->loads[core->n_loads];
	uint64_t end;

	if (!phdr->p_memsz)
		return NULL;
	if (!checked_add(phdr->p_vaddr, phdr->p_memsz, &end))
		return format_error(core, "a program header's end wraps around");
	*load = (struct load){
		.start = phdr->p_vaddr,
		.end = end,
		.off = phdr->p_offset,
		.filesz = held(core, phdr->p_offset, min_u64(phdr->p_filesz, phdr->p_memsz)),
		.prot = (uint8_t)((phdr->p_flags & PF_R ? PROT_READ : 0) |
				  (phdr->p_flags & PF_W ? PROT_WRITE : 0) |
				  (phdr->p_flags & PF_X ? PROT_EXEC : 0)),
	};
	core->n_loads++;
	return NULL;
}

/* AT_PAGESZ is believed if it is one. */
static void read_auxv(struct segmap_core *core, const char *desc, size_t size)
{
	uint64_t page_size;

	core->auxv = auxv_parse(desc, size, word_size(core), core->swapped);
	page_size = core->auxv.page_size;
	if (page_size < SEGMAP_LEAST_PAGE_SIZE || page_size > SEGMAP_MOST_PAGE_SIZE ||
	    (page_size & (page_size - 1)))
		core->auxv.page_size = 0;
}

/*
 * struct elf_prpsinfo (include/linux/elfcore.h) differs between machines in its
 * first members, and ends the same everywhere: pid, ppid, pgrp and sid, then 16
 * bytes of name and 80 of arguments, which blanks part.
 */
static struct segmap_error *read_prpsinfo(const struct segmap_core *core,
					  struct segmap_layout *layout,
					  const char *desc, size_t size)
{
	enum { ARGUMENTS = 80, NAME = 16, IDS = 16 };
	size_t length;

	if (size < IDS + NAME + ARGUMENTS || layout->comm)
		return NULL;
	layout->pid = (int)number_at(core, desc + size - ARGUMENTS - NAME - IDS);
	if (layout->pid < 0)
		layout->pid = 0;
	layout->comm = strndup(desc + size - ARGUMENTS - NAME, NAME);
	layout->command = strndup(desc + size - ARGUMENTS, ARGUMENTS);
	if (!layout->comm || !layout->command)
		return segmap_error_no_memory();
	length = strlen(layout->command);
	while (length && layout->command[length - 1] == ' ')
		layout->command[--length] = '\0';
	for (size_t i = 0; i < length; i++)
		if (layout->command[i] == ' ')
			layout->command[i] = '\0';
	layout->command_size = length ? length + 1 : 0;
	return NULL;
}

/*
 * NT_FILE (fs/binfmt_elf.c:fill_files_note): count, page size, for each mapping
 * its start, its end and its offset in pages, then the paths, each with its NUL. @desc
 * is the layout's and ends in a NUL.
 */
static struct segmap_error *read_mappings(struct segmap_core *core, const char *desc, size_t size)
{
	size_t width = word_size(core);
	uint64_t count, unit;
	const char *path, *row = desc + 2 * width;

	if (size < 2 * width)
		return NULL;
	count = word_at(core, desc);
	unit = word_at(core, desc + width);
	if (count > (size - 2 * width) / (3 * width))
		return format_error(core, "its NT_FILE note is cut short");
	path = row + count * 3 * width;
	for (uint64_t i = 0; i < count && path < desc + size; i++, row += 3 * width) {
		struct mapping mapping = {
			.start = word_at(core, row),
			.end = word_at(core, row + width),
			.path = path,
		};

		path += strlen(path) + 1;
		if (mapping.start >= mapping.end ||
		    __builtin_mul_overflow(word_at(core, row + 2 * width), unit, &mapping.off))
			continue;
		if (!grow(&core->mappings, &core->cap_mappings, core->n_mappings,
			  sizeof(*core->mappings)))
			return segmap_error_no_memory();
		core->mappings[core->n_mappings++] = mapping;
	}
	return NULL;
}

/* The @size bytes at @off of the dump with a NUL behind them, in the layout's memory for names. */
static struct segmap_error *read_desc(const struct segmap_core *core, struct segmap_layout *layout,
				      uint64_t off, size_t size, const char **ret)
{
	struct segmap_names *block = malloc(sizeof(*block) + size + 1);

	if (!block)
		return segmap_error_no_memory();
	*block = (struct segmap_names){ .next = layout->names, .size = size + 1, .used = size + 1 };
	layout->names = block;
	if (!read_exactly(core, block->bytes, size, off))
		return format_error(core, "it was truncated while it was read");
	block->bytes[size] = '\0';
	*ret = block->bytes;
	return NULL;
}

/* A note's contents, if they are of interest. */
static struct segmap_error *read_note(struct segmap_core *core, struct segmap_layout *layout,
				      uint32_t type, uint64_t off, size_t size)
{
	struct segmap_error *error;
	const char *desc = NULL;

	if (type != NT_AUXV && type != NT_PRPSINFO && type != NT_FILE)
		return NULL;
	if (size > SEGMAP_MAX_CORE_NOTE) {
		core->notes_cut = true;
		return NULL;
	}
	error = read_desc(core, layout, off, size, &desc);
	if (error)
		return error;
	if (type == NT_AUXV)
		read_auxv(core, desc, size);
	else if (type == NT_PRPSINFO)
		return read_prpsinfo(core, layout, desc, size);
	else
		return read_mappings(core, desc, size);
	return NULL;
}

/* Walk the notes; those of very many threads are passed over unread. */
static struct segmap_error *read_notes(struct segmap_core *core, struct segmap_layout *layout,
				       const GElf_Phdr *phdr)
{
	/* namesz, descsz, type, and what is of interest has the name "CORE". */
	enum { HEADER = 12, NAME = 8 };
	uint64_t there = held(core, phdr->p_offset, phdr->p_filesz);
	uint64_t at = phdr->p_offset, end = at + min_u64(there, core->notes_left);

	core->notes_missing |= there < phdr->p_filesz;
	core->notes_cut |= end - at < there;
	core->notes_left -= end - at;
	while (at < end && end - at >= HEADER) {
		char header[HEADER + NAME] = { 0 };
		uint64_t size = min_u64(sizeof(header), end - at), name_size, desc_size;

		if (!read_exactly(core, header, size, at))
			return format_error(core, "it was truncated while it was read");
		name_size = ((uint64_t)number_at(core, header) + 3) & ~(uint64_t)3;
		desc_size = number_at(core, header + 4);
		at += HEADER;
		if (name_size > end - at || desc_size > end - at - name_size)
			break;
		at += name_size;
		if (memcmp(header + HEADER, "CORE", 5) == 0) {
			struct segmap_error *error = read_note(
				core, layout, number_at(core, header + 8), at, desc_size);

			if (error)
				return error;
		}
		at += min_u64((desc_size + 3) & ~(uint64_t)3, end - at);
	}
	return NULL;
}

static int compare_loads(const void *a, const void *b)
{
	const struct load *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static int compare_mappings(const void *a, const void *b)
{
	const struct mapping *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* Program headers and notes of the whole file. */
static struct segmap_error *read_headers(struct segmap_core *core, struct segmap_layout *layout)
{
	scope_free void *phdrs = NULL;
	size_t n_phdrs = 0;
	GElf_Ehdr ehdr = { 0 };
	struct segmap_error *error = read_ehdr(core, &ehdr);

	if (!error)
		error = read_phdrs(core, &ehdr, &phdrs, &n_phdrs);
	if (error)
		return error;
	core->machine = ehdr.e_machine;
	if (elf_is_foreign(ehdr.e_machine, core->swapped))
		layout->machine = ehdr.e_machine;
	core->loads = reallocarray(NULL, n_phdrs, sizeof(*core->loads));
	if (!core->loads || !grow(&core->mappings, &core->cap_mappings, 0, sizeof(*core->mappings)))
		return segmap_error_no_memory();
	for (size_t i = 0; i < n_phdrs && !error; i++) {
		GElf_Phdr phdr = phdr_at(core, phdrs, i);

		core->tells_readable |= !(phdr.p_flags & PF_R);
		if (phdr.p_type == PT_LOAD)
			error = add_load(core, &phdr);
		else if (phdr.p_type == PT_NOTE)
			error = read_notes(core, layout, &phdr);
	}
	if (error)
		return error;
	qsort(core->loads, core->n_loads, sizeof(*core->loads), compare_loads);
	if (core->n_mappings)
		qsort(core->mappings, core->n_mappings, sizeof(*core->mappings),
		      compare_mappings);
	return core->n_loads || core->n_mappings ?
		       NULL :
		       format_error(core, "it speaks of no memory: there is no PT_LOAD in it");
}

/*
 * gdb gives PF_R to every segment, that of the notes too (gcore.c:make_output_phdrs), whether
 * it can be read or not. What can be written to can be read, on all but a few machines.
 */
static uint8_t unknown_prot(const struct segmap_core *core, const struct load *load)
{
	if (!load)
		return SEGMAP_ALL_PROT;
	return core->tells_readable || load->prot & PROT_WRITE ? 0 : PROT_READ;
}

/* A VMA that @load or @mapping, or both, have; one of them can be NULL. */
static bool add_vma(struct segmap_core *core, struct segmap_layout *layout, size_t *cap_dumped,
		    uint64_t start, uint64_t end, const struct load *load,
		    const struct mapping *mapping)
{
	uint64_t dumped_end = load ? load->start + load->filesz : 0;
	uint8_t unknown = unknown_prot(core, load);

	if (!grow(&layout->vmas, &layout->cap_vmas, layout->n_vmas, sizeof(*layout->vmas)) ||
	    !grow(&layout->dumped, cap_dumped, layout->n_vmas, sizeof(*layout->dumped)) ||
	    !grow(&core->dumped_at, &core->cap_dumped_at, layout->n_vmas,
		  sizeof(*core->dumped_at)))
		return false;
	core->dumped_at[layout->n_vmas] = load ? load->off + (start - load->start) : 0;
	layout->dumped[layout->n_vmas] = dumped_end > start ? min_u64(dumped_end, end) - start : 0;
	layout->vmas[layout->n_vmas++] = (struct segmap_vma){
		.start = start,
		.end = end,
		.off = mapping ? mapping->off + (start - mapping->start) : 0,
		.prot = load ? load->prot & (uint8_t)~unknown : 0,
		.unknown_prot = unknown & SEGMAP_ALL_PROT,
		.unknown_shared = true,
		.name = mapping ? mapping->path : "",
	};
	return true;
}

/* The union of both lists; where ranges of one list overlap, which no dumper writes, the first has
 * the addresses. */
static bool make_vmas(struct segmap_core *core, struct segmap_layout *layout)
{
	const struct load *load = core->loads, *loads_end = load + core->n_loads;
	const struct mapping *mapping = core->mappings,
			     *mappings_end = mapping + core->n_mappings;
	size_t cap_dumped = 0;
	uint64_t at = 0;

	while (layout->n_vmas < SEGMAP_MAX_VMAS) {
		uint64_t load_start, mapping_start, start, end;

		while (load < loads_end && load->end <= at)
			load++;
		while (mapping < mappings_end && mapping->end <= at)
			mapping++;
		if (load == loads_end && mapping == mappings_end)
			break;
		load_start = load < loads_end ? max_u64(load->start, at) : UINT64_MAX;
		mapping_start = mapping < mappings_end ? max_u64(mapping->start, at) : UINT64_MAX;
		start = min_u64(load_start, mapping_start);
		end = min_u64(load_start > start	? load_start :
			      load < loads_end		? load->end :
							  UINT64_MAX,
			      mapping_start > start	? mapping_start :
			      mapping < mappings_end	? mapping->end :
							  UINT64_MAX);
		if (!add_vma(core, layout, &cap_dumped, start, end,
			     load_start == start ? load : NULL,
			     mapping_start == start ? mapping : NULL))
			return false;
		at = end;
	}
	return true;
}

static bool is_special(const struct segmap_vma *vma)
{
	return !vma->name[0] && vma->prot == PROT_READ && !vma->unknown_prot;
}

/*
 * Names that follow from the auxiliary vector and from what the kernel does. What
 * the heap is, it does not tell.
 */
static void name_areas(const struct segmap_core *core, struct segmap_layout *layout)
{
	const uint64_t vsyscall = 0xffffffffff600000; /* asm/vsyscall.h, on x86-64 */
	int64_t vdso = core->auxv.vdso ? segmap_layout_find(layout, core->auxv.vdso) : -1;
	/* The kernel puts them on the stack: fs/binfmt_elf.c:create_elf_tables(). */
	uint64_t on_stack = core->auxv.random;
	int64_t stack = on_stack ? segmap_layout_find(layout, on_stack) : -1;
	struct segmap_vma *vma;

	if (stack >= 0 && !layout->vmas[stack].name[0])
		layout->vmas[stack].name = "[stack]";
	vma = &layout->vmas[layout->n_vmas - 1];
	if (core->machine == EM_X86_64 && vma->start == vsyscall && !vma->name[0])
		vma->name = "[vsyscall]";
	if (vdso < 0 || layout->vmas[vdso].name[0] || layout->vmas[vdso].start != core->auxv.vdso)
		return;
	vma = &layout->vmas[vdso];
	vma->name = "[vdso]";
	layout->vdso_vma = vdso;
	/* They end where the vdso begins: vdso_install() and its like, arch/NAME/…/vdso. */
	if (vdso >= 1 && vma[-1].end == vma->start && is_special(&vma[-1]))
		vma[-1].name = "[vvar]";
	else
		return;
	/* Since Linux 6.13 on x86 two pages of it are a VMA of their own. */
	if (vdso >= 2 && vma[-2].end == vma[-1].start && is_special(&vma[-2]) &&
	    segmap_vma_size(&vma[-1]) == 2 * SEGMAP_LEAST_PAGE_SIZE &&
	    segmap_vma_size(&vma[-2]) == 4 * SEGMAP_LEAST_PAGE_SIZE) {
		vma[-1].name = "[vvar_vclock]";
		vma[-2].name = "[vvar]";
	}
}

static struct segmap_error *read_vdso(const struct segmap_core *core, struct segmap_layout *layout)
{
	enum { MAX_VDSO = 1 << 20 };
	const struct segmap_vma *vma;
	scope_free void *bytes = NULL;
	uint64_t size;

	if (layout->vdso_vma < 0)
		return NULL;
	vma = &layout->vmas[layout->vdso_vma];
	size = segmap_vma_size(vma);
	if (size > MAX_VDSO || layout->dumped[layout->vdso_vma] < size)
		return NULL;
	bytes = malloc(size);
	if (!bytes)
		return segmap_error_no_memory();
	if (!read_exactly(core, bytes, size, core->dumped_at[layout->vdso_vma]))
		return segmap_layout_note(layout, "[vdso] cannot be read from the dump");
	layout->vdso_bytes = return_ptr(bytes);
	layout->vdso_size = size;
	layout->vdso_opened = SEGMAP_OPENED_CORE;
	return NULL;
}

/* Without a stack that says otherwise the kernel makes all that is readable executable, in 32 bits. */
static bool implies_exec(const struct segmap_core *core)
{
	bool any = false;

	for (size_t i = 0; i < core->n_loads; i++) {
		if (!(core->loads[i].prot & PROT_WRITE))
			continue;
		if (!(core->loads[i].prot & PROT_EXEC))
			return false;
		any = true;
	}
	return any;
}

/* What the dump holds of @backing's file, to be read like the file. */
static struct segmap_error *open_dumped(const struct segmap_core *core, const
					struct segmap_layout *layout,
					struct segmap_files *files, struct segmap_backing *backing)
{
	struct file_memory *memory = file_memory_new(
		shared_fd_share(core->dump), backing->n_vmas, SEGMAP_LEAST_PAGE_SIZE);

	if (!memory)
		return segmap_error_no_memory();
	for (uint32_t i = 0; i < backing->n_vmas; i++) {
		uint32_t index = backing->vmas[i];
		const struct segmap_vma *vma = &layout->vmas[index];

		if (layout->dumped[index])
			file_memory_add(memory, vma->off, layout->dumped[index], vma->start,
					core->dumped_at[index]);
	}
	file_memory_sort(memory);
	return files_add_memory(files, memory, &backing->file);
}

static struct segmap_error *open_backing(struct segmap_core *core, struct segmap_layout *layout,
					 struct segmap_files *files, struct segmap_backing *backing)
{
	struct segmap_error *error;
	scope_close int fd = -1;
	struct stat stat;
	bool deleted;

	if (backing_is_memory_object(layout, backing))
		return NULL;
	error = open_dumped(core, layout, files, backing);
	if (error)
		return error;
	fd = backing->path[0] == '/' ? sysroot_find(&core->sysroot, backing, &stat, &deleted) : -1;
	if (backing->path[0] == '/' && deleted)
		backing->status = SEGMAP_STATUS_DELETED;
	if (fd >= 0)
		error = files_open(files, fd, &stat, backing->path, &backing->twin);
	if (error)
		return error;
	if (fd >= 0 && backing->twin->fd < 0 && backing->twin->error) {
		backing->error = segmap_error_new(SEGMAP_ERROR_PERMISSION, backing->path, "%s",
						  backing->twin->error->why);
		backing->twin = NULL;
	} else if (fd < 0) {
		backing->error = segmap_error_new(SEGMAP_ERROR_SYSTEM, backing->path,
						  "it is not there%s%s",
						  core->sysroot.name[0] ? " below " : "",
						  core->sysroot.name);
	}
	return NULL;
}

/* What the dump does not hold. */
static struct segmap_error *note_left_out(const struct segmap_core *core,
					  struct segmap_layout *layout)
{
	uint64_t size = 0, dumped = 0;
	struct segmap_error *error = NULL;

	for (size_t i = 0; i < layout->n_vmas; i++) {
		size += segmap_vma_size(&layout->vmas[i]);
		dumped += layout->dumped[i];
	}
	if (core->missing)
		error = segmap_layout_note(layout,
					   "the core is truncated: %ju bytes that its headers promise "
					   "are behind its end%s",
					   (uintmax_t)core->missing,
					   core->notes_missing ? ", with notes that tell of files and "
								 "of the process" :
								 "");
	if (!error && core->notes_cut)
		error = segmap_layout_note(layout, "it claims longer notes than a dump of its size "
						   "has: not all of them were read");
	if (error || dumped == size)
		return error;
	return segmap_layout_note(layout,
				  "the dump holds %ju of %ju KiB; the rest was left out when it was "
				  "written (column DUMPED)",
				  (uintmax_t)dumped / 1024, (uintmax_t)size / 1024);
}

static struct segmap_error *make_layout(struct segmap_core *core, struct segmap_layout *layout,
					struct segmap_files *files)
{
	struct segmap_error *error = read_headers(core, layout);

	if (error)
		return error;
	if (!make_vmas(core, layout))
		return segmap_error_no_memory();
	if (layout->n_vmas == SEGMAP_MAX_VMAS)
		return segmap_error_new(SEGMAP_ERROR_LIMIT, core->name,
					"it speaks of more than %d VMAs", SEGMAP_MAX_VMAS);
	layout->page_size = core->page_size_told ? core->page_size_told : core->auxv.page_size;
	layout->auxv_phdr = core->auxv.phdr;
	layout->auxv_base = core->auxv.base;
	layout->read_implies_exec = implies_exec(core);
	name_areas(core, layout);
	error = read_vdso(core, layout);
	if (!error)
		error = maps_group(layout, GROUP_BY_NAME);
	for (size_t i = 0; i < layout->n_backings && !error; i++)
		error = open_backing(core, layout, files, &layout->backings[i]);
	return error ? error : note_left_out(core, layout);
}

struct segmap_error *segmap_core_begin(const char *path, const struct segmap_elsewhere *elsewhere,
				       struct segmap_core **ret)
{
	struct segmap_core *core = calloc(1, sizeof(*core));
	struct segmap_error *error;

	if (!core)
		return segmap_error_no_memory();
	core->name = path;
	core->page_size_told = elsewhere->page_size;
	core->sysroot.ladder = (struct ladder){ .map_files = -1, .root = -1, .exe = -1 };
	error = open_dump(core);
	if (!error)
		error = sysroot_open(elsewhere, &core->sysroot);
	if (error)
		segmap_core_free(core);
	else
		*ret = core;
	return error;
}

struct segmap_error *segmap_core_read(struct segmap_core *core, struct segmap_files *files,
				      struct segmap_layout **ret)
{
	scope_layout struct segmap_layout *layout = NULL;
	struct segmap_error *error = segmap_layout_new(&layout);

	if (error)
		return error;
	elf_version(EV_CURRENT);
	layout->source = SEGMAP_SOURCE_CORE;
	error = make_layout(core, layout, files);
	if (error)
		return error;
	*ret = return_ptr(layout);
	return NULL;
}

struct segmap_error *segmap_core_open(const char *path, const struct segmap_elsewhere *elsewhere,
				      struct segmap_files *files, struct segmap_layout **ret)
{
	struct segmap_core *core;
	struct segmap_error *error = segmap_core_begin(path, elsewhere, &core);

	if (error)
		return error;
	error = segmap_core_read(core, files, ret);
	segmap_core_free(core);
	return error;
}
