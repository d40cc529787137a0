/* src/read/elf.c - parsing ELF objects with libelf. */
#include "read/elf.h"
#include "base/range.h"
#include "base/scope.h"
#include "model/elf.h"
#include <endian.h>
#include <errno.h>
#include <gelf.h>
#include <segmap/limits.h>
#include <string.h>
#include <sys/mman.h>

/*
 * libelf never sees the file. It is given a window: anonymous memory of the
 * file's size, zero but for the ranges that were found sane and read into it.
 * So a file that is truncated meanwhile is a short read and no SIGBUS, a count
 * in a header costs nothing before it is believed, and a file, a range of a
 * file, and a process's memory are parsed by the same code.
 */
struct window {
	const struct bytes *bytes;
	uint64_t elf_off; /* of the window's first byte in @bytes */
	unsigned char *base;
	size_t size;
	size_t head; /* the first so many bytes are read already */
};

enum {
	HEAD_SIZE = 4096, /* of the file, read at once: mostly holds program headers and notes too */
	/* No table of a sane file lies further in; mapping more address space would fail. */
	MAX_WINDOW_GIB = 64,
};

static void window_unmap(struct window *window)
{
	if (window->base)
		munmap(window->base, window->size);
}

static void scope_elf_end_(Elf **elf)
{
	if (*elf)
		elf_end(*elf);
}

static void scope_segmap_elf_free_(struct segmap_elf **elf)
{
	segmap_elf_free(*elf);
}

static struct segmap_error *format_error(const struct window *window, const char *problem)
{
	return segmap_error_new(SEGMAP_ERROR_FORMAT, window->bytes->name, "%s", problem);
}

bool elf_has_magic(const void *start, size_t size)
{
	return size >= EI_NIDENT && memcmp(start, ELFMAG, SELFMAG) == 0;
}

static struct segmap_error *window_map(struct window *window)
{
	uint64_t rest = window->bytes->size - window->elf_off;

	window->size = (size_t)min_u64(rest, (uint64_t)MAX_WINDOW_GIB << 30);
	window->base = mmap(NULL, window->size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (window->base == MAP_FAILED) {
		window->base = NULL;
		return segmap_error_system(errno, window->bytes->name, "room to parse it");
	}
	return NULL;
}

/*
 * Whether @size bytes at @off can be believed to be there: inside the file, and
 * not more than the file has on disk. NULL, or the problem.
 */
static const char *window_check(const struct window *window, uint64_t off, uint64_t size)
{
	uint64_t end;

	if (!checked_add(off, size, &end) || end > window->size)
		return "goes past the end of the file";
	if (size > SEGMAP_SMALL_TABLE && size > window->bytes->on_disk)
		return "is larger than what the file has on disk";
	return NULL;
}

/*
 * Bring @size bytes at @off into the window. The range has passed window_check().
 * The head is read once only: what was checked in it cannot change any more.
 */
static struct segmap_error *window_read(struct window *window, uint64_t off, uint64_t size)
{
	const struct bytes *bytes = window->bytes;
	int64_t got;

	if (off + size <= window->head || !size)
		return NULL;
	if (off < window->head) {
		size -= window->head - off;
		off = window->head;
	}
	got = bytes->read(bytes, window->base + off, size, window->elf_off + off);
	if (got < 0)
		return segmap_error_system((int)-got, bytes->name, "read");
	if ((uint64_t)got < size)
		return format_error(window, "it was truncated while it was read");
	return NULL;
}

/* As window_read() for a range from the file that was not checked; *@ret says if it is there. */
static struct segmap_error *window_try(struct window *window, uint64_t off, uint64_t size,
				       bool *ret)
{
	*ret = !window_check(window, off, size);
	return *ret ? window_read(window, off, size) : NULL;
}

/* The ELF header in either class and byte order. There is no Elf yet that gelf could use. */
static bool decode_ehdr(const struct window *window, GElf_Ehdr *ret)
{
	const unsigned char *ident = window->base;
	Elf_Data in = { .d_buf = window->base, .d_type = ELF_T_EHDR, .d_version = EV_CURRENT };
	Elf_Data out = { .d_type = ELF_T_EHDR, .d_version = EV_CURRENT };

	if (ident[EI_CLASS] == ELFCLASS64) {
		if (window->head < sizeof(Elf64_Ehdr))
			return false;
		in.d_size = out.d_size = sizeof(Elf64_Ehdr);
		out.d_buf = ret;
		return elf64_xlatetom(&out, &in, ident[EI_DATA]);
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
		memcpy(ret->e_ident, ehdr.e_ident, EI_NIDENT);
		return true;
	}
	return false;
}

/* Whether this machine's kernel runs programs for @machine itself, without an emulator. */
static bool is_foreign(unsigned int machine, unsigned char data)
{
	static const unsigned int own[] = {
#if defined(__x86_64__) || defined(__i386__)
		EM_X86_64, EM_386,
#elif defined(__aarch64__) || defined(__arm__)
		EM_AARCH64, EM_ARM,
#elif defined(__riscv)
		EM_RISCV,
#elif defined(__powerpc__)
		EM_PPC64, EM_PPC,
#elif defined(__s390__)
		EM_S390,
#elif defined(__mips__)
		EM_MIPS,
#elif defined(__loongarch__)
		EM_LOONGARCH,
#endif
	};
	unsigned char own_data = BYTE_ORDER == LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB;

	if (data != own_data)
		return true;
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (own[i] == machine)
			return false;
	return sizeof(own) != 0;
}

static int prot_of(GElf_Word flags)
{
	return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) |
	       (flags & PF_X ? PROT_EXEC : 0);
}

/* Hide the section headers from libelf, which would believe their count. */
static void forget_section_headers(struct window *window, struct elf_headers *headers)
{
	if (window->base[EI_CLASS] == ELFCLASS64) {
		Elf64_Ehdr *ehdr = (Elf64_Ehdr *)(void *)window->base;

		ehdr->e_shoff = 0;
		ehdr->e_shnum = ehdr->e_shstrndx = 0;
	} else {
		Elf32_Ehdr *ehdr = (Elf32_Ehdr *)(void *)window->base;

		ehdr->e_shoff = 0;
		ehdr->e_shnum = ehdr->e_shstrndx = 0;
	}
	headers->shdrs_off = headers->shdrs_size = 0;
}

/*
 * Bring the section header table into the window if it can be believed;
 * otherwise *@problem says why not (NULL if the file has none) and
 * headers->shdrs_size stays 0.
 */
static struct segmap_error *read_section_headers(struct window *window, const GElf_Ehdr *ehdr,
						 struct elf_headers *headers,
						 const char **problem)
{
	bool is_64 = window->base[EI_CLASS] == ELFCLASS64;
	size_t entry_size = is_64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
	uint64_t count = ehdr->e_shnum;
	struct segmap_error *error;

	*problem = NULL;
	if (!ehdr->e_shoff)
		return NULL;
	if (ehdr->e_shentsize != entry_size) {
		*problem = "the section headers have an unknown size";
		return NULL;
	}
	if (!count) {
		/* gABI: 65280 sections and more are counted in sh_size of the first header. */
		Elf64_Shdr first;
		Elf_Data in = { .d_type = ELF_T_SHDR, .d_version = EV_CURRENT, .d_size = entry_size };
		Elf_Data out = { .d_type = ELF_T_SHDR, .d_version = EV_CURRENT,
				 .d_size = entry_size, .d_buf = &first };

		if (window_check(window, ehdr->e_shoff, entry_size)) {
			*problem = "the section headers go past the end of the file";
			return NULL;
		}
		error = window_read(window, ehdr->e_shoff, entry_size);
		if (error)
			return error;
		in.d_buf = window->base + ehdr->e_shoff;
		if (is_64 && elf64_xlatetom(&out, &in, window->base[EI_DATA])) {
			count = first.sh_size;
		} else if (!is_64) {
			Elf32_Shdr first_32;

			out.d_buf = &first_32;
			if (elf32_xlatetom(&out, &in, window->base[EI_DATA]))
				count = first_32.sh_size;
		}
		if (!count)
			return NULL;
	}
	if (count > SEGMAP_MAX_SECTIONS) {
		*problem = "it claims more sections than any linker makes";
		return NULL;
	}
	*problem = window_check(window, ehdr->e_shoff, count * entry_size);
	if (*problem) {
		*problem = "the section header table is not all in the file";
		return NULL;
	}
	error = window_read(window, ehdr->e_shoff, count * entry_size);
	if (error)
		return error;
	headers->shdrs_off = ehdr->e_shoff;
	headers->shdrs_size = count * entry_size;
	return NULL;
}

static struct segmap_error *read_program_headers(struct window *window, const GElf_Ehdr *ehdr,
						 struct elf_headers *headers)
{
	bool is_64 = window->base[EI_CLASS] == ELFCLASS64;
	size_t entry_size = is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	uint64_t size = (uint64_t)ehdr->e_phnum * entry_size;

	if (!ehdr->e_phnum)
		return NULL;
	/* As strict as the kernel, fs/binfmt_elf.c:load_elf_phdrs. */
	if (ehdr->e_phentsize != entry_size)
		return format_error(window, "the program headers have an unknown size");
	if (size > SEGMAP_MAX_PHDRS_BYTES)
		return format_error(window, "it has more program headers than the kernel accepts");
	if (window_check(window, ehdr->e_phoff, size))
		return format_error(window, "the program headers go past the end of the file");
	headers->phdrs_off = ehdr->e_phoff;
	headers->phdrs_size = size;
	return window_read(window, ehdr->e_phoff, size);
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
		if (!checked_add(phdr.p_vaddr, phdr.p_memsz, &sum) ||
		    !checked_add(phdr.p_vaddr, phdr.p_filesz, &sum) ||
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
static struct segmap_error *read_names(struct window *window, Elf *libelf, struct segmap_elf *elf,
				       uint64_t *size, const char **problem)
{
	const struct bytes *bytes = window->bytes;
	GElf_Shdr shdr;
	Elf_Scn *scn;
	size_t index;
	int64_t got;

	*problem = "there is no section name table";
	if (elf_getshdrstrndx(libelf, &index) || !(scn = elf_getscn(libelf, index)) ||
	    !gelf_getshdr(scn, &shdr) || shdr.sh_type != SHT_STRTAB)
		return NULL;
	*problem = "the section name table is not all in the file";
	if (window_check(window, shdr.sh_offset, shdr.sh_size) ||
	    shdr.sh_size > SEGMAP_MAX_NAMES_BYTES)
		return NULL;
	*problem = NULL;
	*size = shdr.sh_size;
	elf->names = malloc(shdr.sh_size + 1);
	if (!elf->names)
		return segmap_error_no_memory();
	elf->names[shdr.sh_size] = '\0';
	if (shdr.sh_offset + shdr.sh_size <= window->head) {
		memcpy(elf->names, window->base + shdr.sh_offset, shdr.sh_size);
		return NULL;
	}
	got = bytes->read(bytes, elf->names, shdr.sh_size, window->elf_off + shdr.sh_offset);
	if (got < 0)
		return segmap_error_system((int)-got, bytes->name, "read");
	if ((uint64_t)got < shdr.sh_size)
		return format_error(window, "it was truncated while it was read");
	return NULL;
}

static struct segmap_error *parse_sections(struct window *window, Elf *libelf, size_t n_shdrs,
					   struct segmap_elf *elf, const char **problem)
{
	uint64_t names_size = 0, names_total = 0, sum;
	struct segmap_error *error;
	Elf_Scn *scn = NULL;

	error = read_names(window, libelf, elf, &names_size, problem);
	if (error || *problem)
		return error;
	elf->sections = reallocarray(NULL, n_shdrs, sizeof(*elf->sections));
	if (!elf->sections)
		return segmap_error_no_memory();
	while ((scn = elf_nextscn(libelf, scn))) {
		GElf_Shdr shdr;
		const char *name;

		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type == SHT_NULL)
			continue;
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

/* The build-id among the notes of a PT_NOTE, if it is there. */
static struct segmap_error *parse_notes(struct window *window, Elf *libelf, const GElf_Phdr *phdr,
					struct segmap_elf *elf)
{
	struct segmap_error *error;
	size_t at = 0, next, name_at, desc_at;
	Elf_Data *data;
	GElf_Nhdr note;
	bool there;

	if (phdr->p_filesz > SEGMAP_MAX_NOTES_BYTES)
		return NULL;
	error = window_try(window, phdr->p_offset, phdr->p_filesz, &there);
	if (error || !there)
		return error;
	data = elf_getdata_rawchunk(libelf, (int64_t)phdr->p_offset, phdr->p_filesz,
				    phdr->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
	while (data && (next = gelf_getnote(data, at, &note, &name_at, &desc_at)) > 0) {
		const unsigned char *desc = (unsigned char *)data->d_buf + desc_at;

		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof("GNU") &&
		    memcmp((char *)data->d_buf + name_at, "GNU", sizeof("GNU")) == 0 &&
		    note.n_descsz > 0 && note.n_descsz <= SEGMAP_MAX_BUILD_ID) {
			elf->build_id = malloc(note.n_descsz * 2 + 1);
			if (!elf->build_id)
				return segmap_error_no_memory();
			for (size_t i = 0; i < note.n_descsz; i++) {
				elf->build_id[2 * i] = "0123456789abcdef"[desc[i] >> 4];
				elf->build_id[2 * i + 1] = "0123456789abcdef"[desc[i] & 15];
			}
			elf->build_id[note.n_descsz * 2] = '\0';
			return NULL;
		}
		at = next;
	}
	return NULL;
}

/* The offset of the byte at @vaddr, by the PT_LOAD that holds it. */
static bool off_of_vaddr(const struct segmap_elf *elf, uint64_t vaddr, uint64_t *ret)
{
	for (size_t i = 0; i < elf->n_segments; i++) {
		const struct segmap_segment *load = &elf->segments[i];

		if (load->type == SEGMAP_SEGMENT_LOAD && vaddr >= load->vaddr &&
		    vaddr - load->vaddr < load->filesz) {
			*ret = segmap_off(load, vaddr);
			return true;
		}
	}
	return false;
}

/* The string at @off, of at most @most bytes, into *@ret; not a string or not there: NULL. */
static struct segmap_error *read_string(struct window *window, uint64_t off, uint64_t most,
					char **ret)
{
	uint64_t size = off < window->size ? min_u64(most, window->size - off) : 0;
	struct segmap_error *error;

	if (!size)
		return NULL;
	error = window_read(window, off, size);
	if (error)
		return error;
	if (!memchr(window->base + off, '\0', size))
		return NULL;
	*ret = strdup((char *)window->base + off);
	return *ret ? NULL : segmap_error_no_memory();
}

/* What segmap wants of the dynamic section: DT_SONAME. */
static struct segmap_error *parse_dynamic(struct window *window, Elf *libelf,
					  const GElf_Phdr *phdr, struct segmap_elf *elf)
{
	uint64_t strtab = 0, strtab_size = 0, soname = 0, off;
	struct segmap_error *error;
	bool there, named = false;
	Elf_Data *data;
	GElf_Dyn dyn;

	if (phdr->p_filesz > SEGMAP_MAX_DYNAMIC_BYTES)
		return NULL;
	error = window_try(window, phdr->p_offset, phdr->p_filesz, &there);
	if (error || !there)
		return error;
	data = elf_getdata_rawchunk(libelf, (int64_t)phdr->p_offset, phdr->p_filesz, ELF_T_DYN);
	for (int i = 0; data && gelf_getdyn(data, i, &dyn) && dyn.d_tag != DT_NULL; i++) {
		if (dyn.d_tag == DT_STRTAB)
			strtab = dyn.d_un.d_ptr;
		else if (dyn.d_tag == DT_STRSZ)
			strtab_size = dyn.d_un.d_val;
		else if (dyn.d_tag == DT_SONAME)
			soname = dyn.d_un.d_val, named = true;
	}
	if (!named || soname >= strtab_size || !off_of_vaddr(elf, strtab, &off) ||
	    !checked_add(off, soname, &off))
		return NULL;
	return read_string(window, off, min_u64(strtab_size - soname, SEGMAP_MAX_SONAME),
			   &elf->soname);
}

/* The program headers beside PT_LOAD and PT_GNU_RELRO that tell something of the file. */
static struct segmap_error *parse_properties(struct window *window, Elf *libelf, size_t n_phdrs,
					     struct segmap_elf *elf)
{
	struct segmap_error *error = NULL;
	size_t notes = 0;

	for (size_t i = 0; i < n_phdrs && !error; i++) {
		GElf_Phdr phdr;

		if (!gelf_getphdr(libelf, (int)i, &phdr))
			break;
		if (phdr.p_type == PT_NOTE && !elf->build_id && notes++ < SEGMAP_MAX_NOTES)
			error = parse_notes(window, libelf, &phdr, elf);
		else if (phdr.p_type == PT_DYNAMIC && !elf->soname)
			error = parse_dynamic(window, libelf, &phdr, elf);
		else if (phdr.p_type == PT_INTERP && !elf->interp)
			error = read_string(window, phdr.p_offset,
					    min_u64(phdr.p_filesz, SEGMAP_MAX_SONAME),
					    &elf->interp);
	}
	return error;
}

static struct segmap_error *parse_window(struct window *window, uint64_t page_size,
					 struct segmap_elf **ret)
{
	__attribute__((cleanup(scope_segmap_elf_free_))) struct segmap_elf *elf = NULL;
	__attribute__((cleanup(scope_elf_end_))) Elf *libelf = NULL;
	struct elf_headers headers = { 0 };
	struct segmap_error *error;
	GElf_Ehdr ehdr;

	if (!decode_ehdr(window, &ehdr) || ehdr.e_ident[EI_VERSION] != EV_CURRENT)
		return format_error(window, "its ELF header is cut short or of an unknown kind");
	if (ehdr.e_type != ET_EXEC && ehdr.e_type != ET_DYN)
		return NULL;
	elf = calloc(1, sizeof(*elf));
	if (!elf)
		return segmap_error_no_memory();
	elf->class = ehdr.e_ident[EI_CLASS] == ELFCLASS64 ? 64 : 32;
	elf->machine = ehdr.e_machine;
	elf->type = ehdr.e_type;
	elf->foreign = is_foreign(ehdr.e_machine, ehdr.e_ident[EI_DATA]);
	elf->entry = ehdr.e_entry;
	elf->elf_off = window->elf_off;
	elf->size = window->bytes->size - window->elf_off;
	headers.ehdr_size = elf->class == 64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);

	error = read_program_headers(window, &ehdr, &headers);
	if (!error)
		error = read_section_headers(window, &ehdr, &headers, &elf->sections_problem);
	if (error)
		return error;
	if (!headers.shdrs_size)
		forget_section_headers(window, &headers);

	elf_version(EV_CURRENT);
	libelf = elf_memory((char *)window->base, window->size);
	if (!libelf || elf_kind(libelf) != ELF_K_ELF)
		return segmap_error_new(SEGMAP_ERROR_FORMAT, window->bytes->name, "libelf: %s",
					elf_errmsg(-1));
	error = parse_segments(window, libelf, ehdr.e_phnum, page_size, elf);
	if (!error)
		error = parse_properties(window, libelf, ehdr.e_phnum, elf);
	if (!error && headers.shdrs_size)
		error = parse_sections(window, libelf,
				       headers.shdrs_size / ehdr.e_shentsize, elf,
				       &elf->sections_problem);
	if (error)
		return error;
	elf->sections_from = elf->n_sections ? SEGMAP_SECTIONS_HEADERS : SEGMAP_SECTIONS_NONE;
	if (!elf_label(elf, &headers))
		return segmap_error_no_memory();
	*ret = return_ptr(elf);
	return NULL;
}

struct segmap_error *elf_parse(const struct bytes *bytes, uint64_t elf_off, uint64_t page_size,
			       struct segmap_elf **ret)
{
	__attribute__((cleanup(window_unmap))) struct window window = {
		.bytes = bytes,
		.elf_off = elf_off,
	};
	struct segmap_error *error;
	int64_t got;

	*ret = NULL;
	if (elf_off >= bytes->size || bytes->size - elf_off < EI_NIDENT)
		return NULL;
	error = window_map(&window);
	if (error)
		return error;
	got = bytes->read(bytes, window.base, min_u64(HEAD_SIZE, window.size), elf_off);
	if (got < 0)
		return segmap_error_system((int)-got, bytes->name, "read");
	window.head = (size_t)got;
	if (!elf_has_magic(window.base, window.head))
		return NULL;
	return parse_window(&window, page_size, ret);
}
