/* tests/unit/elffile.c - the bytes of an ELF file. */
#include "elffile.h"
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(header, member)                                                        \
	{ offsetof(Elf64_##header, member), sizeof(((Elf64_##header *)0)->member),     \
	  offsetof(Elf32_##header, member), sizeof(((Elf32_##header *)0)->member) }

static const struct {
	size_t at_64;
	unsigned int width_64;
	size_t at_32;
	unsigned int width_32;
} fields[] = {
	[E_TYPE] = FIELD(Ehdr, e_type),
	[E_MACHINE] = FIELD(Ehdr, e_machine),
	[E_VERSION] = FIELD(Ehdr, e_version),
	[E_ENTRY] = FIELD(Ehdr, e_entry),
	[E_PHOFF] = FIELD(Ehdr, e_phoff),
	[E_SHOFF] = FIELD(Ehdr, e_shoff),
	[E_PHENTSIZE] = FIELD(Ehdr, e_phentsize),
	[E_PHNUM] = FIELD(Ehdr, e_phnum),
	[E_SHENTSIZE] = FIELD(Ehdr, e_shentsize),
	[E_SHNUM] = FIELD(Ehdr, e_shnum),
	[E_SHSTRNDX] = FIELD(Ehdr, e_shstrndx),
	[P_TYPE] = FIELD(Phdr, p_type),
	[P_FLAGS] = FIELD(Phdr, p_flags),
	[P_OFFSET] = FIELD(Phdr, p_offset),
	[P_VADDR] = FIELD(Phdr, p_vaddr),
	[P_FILESZ] = FIELD(Phdr, p_filesz),
	[P_MEMSZ] = FIELD(Phdr, p_memsz),
	[P_ALIGN] = FIELD(Phdr, p_align),
	[SH_NAME] = FIELD(Shdr, sh_name),
	[SH_TYPE] = FIELD(Shdr, sh_type),
	[SH_FLAGS] = FIELD(Shdr, sh_flags),
	[SH_ADDR] = FIELD(Shdr, sh_addr),
	[SH_OFFSET] = FIELD(Shdr, sh_offset),
	[SH_SIZE] = FIELD(Shdr, sh_size),
	[SH_LINK] = FIELD(Shdr, sh_link),
};

void elffile_put(struct elffile *file, size_t at, unsigned int width, uint64_t value)
{
	for (unsigned int i = 0; i < width; i++)
		file->bytes[at + i] =
			(unsigned char)(value >> 8 * (file->is_big ? width - 1 - i : i));
}

static uint64_t get(const struct elffile *file, size_t at, unsigned int width)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < width; i++)
		value = value << 8 | file->bytes[at + (file->is_big ? i : width - 1 - i)];
	return value;
}

static size_t place(const struct elffile *file, enum elffile_field field, size_t row,
		    unsigned int *width)
{
	size_t at = file->is_32 ? fields[field].at_32 : fields[field].at_64;

	*width = file->is_32 ? fields[field].width_32 : fields[field].width_64;
	if (field >= SH_NAME)
		at += elffile_get(file, E_SHOFF, 0) +
		      row * (file->is_32 ? sizeof(Elf32_Shdr) : sizeof(Elf64_Shdr));
	else if (field >= P_TYPE)
		at += elffile_get(file, E_PHOFF, 0) +
		      row * (file->is_32 ? sizeof(Elf32_Phdr) : sizeof(Elf64_Phdr));
	return at;
}

void elffile_set(struct elffile *file, enum elffile_field field, size_t row, uint64_t value)
{
	unsigned int width;
	size_t at = place(file, field, row, &width);

	elffile_put(file, at, width, value);
}

uint64_t elffile_get(const struct elffile *file, enum elffile_field field, size_t row)
{
	unsigned int width;
	size_t at = place(file, field, row, &width);

	return get(file, at, width);
}

void elffile_resize(struct elffile *file, size_t size)
{
	unsigned char *moved = realloc(file->bytes, size ? size : 1);

	if (!moved)
		abort();
	if (size > file->size)
		memset(moved + file->size, 0, size - file->size);
	file->bytes = moved;
	file->size = size;
}

size_t elffile_note(struct elffile *file, size_t at, size_t align, uint32_t type, const char *name,
		    uint32_t name_size, const void *desc, uint32_t desc_size)
{
	elffile_put(file, at, 4, name_size);
	elffile_put(file, at + 4, 4, desc_size);
	elffile_put(file, at + 8, 4, type);
	at += 12;
	memcpy(file->bytes + at, name, name_size);
	at = (at + name_size + align - 1) & ~(align - 1);
	memcpy(file->bytes + at, desc, desc_size);
	return (at + desc_size + align - 1) & ~(align - 1);
}

void elffile_dynamic(struct elffile *file, size_t at, size_t row, uint64_t tag, uint64_t value)
{
	unsigned int width = file->is_32 ? 4 : 8;

	elffile_put(file, at + 2 * row * width, width, tag);
	elffile_put(file, at + (2 * row + 1) * width, width, value);
}

static void set_phdr(struct elffile *file, size_t row, uint32_t type, uint32_t flags, uint64_t off,
		     uint64_t vaddr, uint64_t filesz, uint64_t memsz, uint64_t align)
{
	elffile_set(file, P_TYPE, row, type);
	elffile_set(file, P_FLAGS, row, flags);
	elffile_set(file, P_OFFSET, row, off);
	elffile_set(file, P_VADDR, row, vaddr);
	elffile_set(file, P_FILESZ, row, filesz);
	elffile_set(file, P_MEMSZ, row, memsz);
	elffile_set(file, P_ALIGN, row, align);
}

static void set_shdr(struct elffile *file, size_t row, uint32_t name, uint32_t type, uint64_t flags,
		     uint64_t addr, uint64_t off, uint64_t size)
{
	elffile_set(file, SH_NAME, row, name);
	elffile_set(file, SH_TYPE, row, type);
	elffile_set(file, SH_FLAGS, row, flags);
	elffile_set(file, SH_ADDR, row, addr);
	elffile_set(file, SH_OFFSET, row, off);
	elffile_set(file, SH_SIZE, row, size);
}

static void put_headers(struct elffile *file)
{
	size_t ehdr_size = file->is_32 ? sizeof(Elf32_Ehdr) : sizeof(Elf64_Ehdr);

	memcpy(file->bytes, ELFMAG, SELFMAG);
	file->bytes[EI_CLASS] = file->is_32 ? ELFCLASS32 : ELFCLASS64;
	file->bytes[EI_DATA] = file->is_big ? ELFDATA2MSB : ELFDATA2LSB;
	file->bytes[EI_VERSION] = EV_CURRENT;
	elffile_set(file, E_TYPE, 0, ET_EXEC);
	elffile_set(file, E_MACHINE, 0, file->is_32 ? EM_386 : EM_X86_64);
	elffile_set(file, E_VERSION, 0, EV_CURRENT);
	elffile_set(file, E_ENTRY, 0, SAMPLE_BASE + SAMPLE_TEXT_AT);
	elffile_set(file, E_PHOFF, 0, ehdr_size);
	elffile_set(file, E_SHOFF, 0, SAMPLE_SHDRS_AT);
	elffile_set(file, E_PHENTSIZE, 0, file->is_32 ? sizeof(Elf32_Phdr) : sizeof(Elf64_Phdr));
	elffile_set(file, E_PHNUM, 0, SAMPLE_PHDRS);
	elffile_set(file, E_SHENTSIZE, 0, file->is_32 ? sizeof(Elf32_Shdr) : sizeof(Elf64_Shdr));
	elffile_set(file, E_SHNUM, 0, SAMPLE_SHDRS);
	elffile_set(file, E_SHSTRNDX, 0, SAMPLE_SHSTRTAB);
}

void elffile_sample(struct elffile *file, bool is_32, bool is_big)
{
	static const char names[SAMPLE_NAMES_SIZE] =
		"\0.text\0.data\0.bss\0.tbss\0.comment\0.shstrtab";
	unsigned char build_id[20];
	size_t dynamic_width = is_32 ? 8 : 16;

	*file = (struct elffile){ .is_32 = is_32, .is_big = is_big };
	elffile_resize(file, SAMPLE_SHDRS_AT + SAMPLE_SHDRS * (is_32 ? sizeof(Elf32_Shdr) :
								       sizeof(Elf64_Shdr)));
	put_headers(file);
	set_phdr(file, SAMPLE_TEXT_LOAD, PT_LOAD, PF_R | PF_X, 0, SAMPLE_BASE, 0x800, 0x800,
		 0x1000);
	set_phdr(file, SAMPLE_DATA_LOAD, PT_LOAD, PF_R | PF_W, SAMPLE_DATA_AT, SAMPLE_BASE + 0x1000,
		 0x100, 0x1400, 0x1000);
	set_phdr(file, SAMPLE_NOTE, PT_NOTE, PF_R, SAMPLE_NOTE_AT, SAMPLE_BASE + SAMPLE_NOTE_AT,
		 SAMPLE_NOTE_SIZE, SAMPLE_NOTE_SIZE, 4);
	set_phdr(file, SAMPLE_DYNAMIC, PT_DYNAMIC, PF_R, SAMPLE_DYNAMIC_AT,
		 SAMPLE_BASE + SAMPLE_DYNAMIC_AT, 4 * dynamic_width, 4 * dynamic_width, 8);
	set_phdr(file, SAMPLE_INTERP, PT_INTERP, PF_R, SAMPLE_INTERP_AT,
		 SAMPLE_BASE + SAMPLE_INTERP_AT, sizeof("/lib/ld.so"), sizeof("/lib/ld.so"), 1);
	set_phdr(file, SAMPLE_RELRO, PT_GNU_RELRO, PF_R, SAMPLE_DATA_AT, SAMPLE_BASE + 0x1000,
		 0x100, 0x1000, 1);
	for (unsigned char i = 0; i < sizeof(build_id); i++)
		build_id[i] = i;
	elffile_note(file, SAMPLE_NOTE_AT, 4, NT_GNU_BUILD_ID, "GNU", 4, build_id,
		     sizeof(build_id));
	elffile_dynamic(file, SAMPLE_DYNAMIC_AT, 0, DT_STRTAB, SAMPLE_BASE + SAMPLE_DYNSTR_AT);
	elffile_dynamic(file, SAMPLE_DYNAMIC_AT, 1, DT_STRSZ, 32);
	elffile_dynamic(file, SAMPLE_DYNAMIC_AT, 2, DT_SONAME, 1);
	elffile_dynamic(file, SAMPLE_DYNAMIC_AT, 3, DT_NULL, 0);
	memcpy(file->bytes + SAMPLE_DYNSTR_AT, "\0libsample.so.1", 16);
	memcpy(file->bytes + SAMPLE_INTERP_AT, "/lib/ld.so", sizeof("/lib/ld.so"));
	memcpy(file->bytes + SAMPLE_NAMES_AT, names, sizeof(names));
	set_shdr(file, SAMPLE_TEXT, 1, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR,
		 SAMPLE_BASE + SAMPLE_TEXT_AT, SAMPLE_TEXT_AT, 0x200);
	set_shdr(file, SAMPLE_DATA, 7, SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, SAMPLE_BASE + 0x1000,
		 SAMPLE_DATA_AT, 0x100);
	set_shdr(file, SAMPLE_BSS, 13, SHT_NOBITS, SHF_ALLOC | SHF_WRITE, SAMPLE_BASE + 0x1100,
		 SAMPLE_DATA_AT + 0x100, 0x1300);
	set_shdr(file, SAMPLE_TBSS, 18, SHT_NOBITS, SHF_ALLOC | SHF_WRITE | SHF_TLS,
		 SAMPLE_BASE + 0x1100, SAMPLE_DATA_AT + 0x100, 0x80);
	set_shdr(file, SAMPLE_COMMENT, 24, SHT_PROGBITS, 0, 0, SAMPLE_DATA_AT + 0x100, 0x20);
	set_shdr(file, SAMPLE_SHSTRTAB, 33, SHT_STRTAB, 0, 0, SAMPLE_NAMES_AT, SAMPLE_NAMES_SIZE);
}

void elffile_free(struct elffile *file)
{
	free(file->bytes);
	*file = (struct elffile){ 0 };
}
