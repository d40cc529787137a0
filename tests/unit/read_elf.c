/* tests/unit/read_elf.c - parsing ELF objects: what is well-formed, and what is not. */
#include "read/elf.h"
#include "model/elf.h"
#include "builder.h"
#include "elffile.h"
#include "unit.h"
#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <segmap/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVERYTHING = SEGMAP_WANT_SONAME | SEGMAP_WANT_LINKING };

/* A reader over memory that can fail, and change its mind. */
struct reader {
	struct bytes bytes; /* first: what elf_parse() sees of it */
	const unsigned char *memory;
	size_t held;		 /* bytes that can be read; bytes.size is what it says it has */
	unsigned int n_reads;	 /* so far */
	unsigned int fail_at;	 /* this read fails, counted from 1; 0: none */
	int failure;		 /* with this negative errno value; 0: it is short */
	/* From read number @change_at on, @change_size bytes at @change_off are others. */
	unsigned int change_at;
	uint64_t change_off;
	unsigned char change[16];
	size_t change_size;
};

static int64_t reader_read(const struct bytes *bytes, void *buffer, size_t size, uint64_t off)
{
	struct reader *reader = (struct reader *)bytes;
	size_t there = off < reader->held ? reader->held - off : 0;

	reader->n_reads++;
	if (reader->n_reads == reader->fail_at) {
		if (reader->failure)
			return reader->failure;
		size /= 2;
	}
	if (size > there)
		size = there;
	if (size)
		memcpy(buffer, reader->memory + off, size);
	for (size_t i = 0; reader->change_at && reader->n_reads >= reader->change_at &&
			   i < reader->change_size; i++)
		if (reader->change_off + i >= off && reader->change_off + i < off + size)
			((unsigned char *)buffer)[reader->change_off + i - off] = reader->change[i];
	return (int64_t)size;
}

static struct reader reader_of(const struct elffile *file)
{
	return (struct reader){
		.bytes = { .read = reader_read, .name = "sample", .size = file->size,
			   .on_disk = file->size, .fd = -1 },
		.memory = file->bytes,
		.held = file->size,
	};
}

static struct segmap_error *parse(struct reader *reader, uint64_t elf_off, struct segmap_elf **ret)
{
	struct elf_scratch scratch = { 0 };
	struct segmap_error *error =
		elf_parse(&reader->bytes, elf_off, PAGE, EVERYTHING, &scratch, ret);

	elf_scratch_free(&scratch);
	return error;
}

/* Parse @file, which must be one. */
static struct segmap_elf *parse_file(const struct elffile *file)
{
	struct reader reader = reader_of(file);
	struct segmap_elf *elf = NULL;

	unit_no_error(parse(&reader, 0, &elf));
	ck_assert_ptr_nonnull(elf);
	return elf;
}

/* What holds for everything that was parsed, however hostile. */
static void check_elf(const struct segmap_elf *elf)
{
	ck_assert(elf->class == 32 || elf->class == 64);
	ck_assert(elf->type == ET_EXEC || elf->type == ET_DYN);
	for (size_t i = 0; i < elf->n_segments; i++) {
		const struct segmap_segment *segment = &elf->segments[i];

		ck_assert_uint_ge(segment->vaddr + segment->memsz, segment->vaddr);
		ck_assert_uint_ge(segment->vaddr + segment->filesz, segment->vaddr);
		ck_assert_uint_ge(segment->off + segment->filesz, segment->off);
		ck_assert(i == 0 || segment[-1].index < segment->index);
	}
	for (size_t i = 0; i < elf->n_sections; i++) {
		const struct segmap_section *section = &elf->sections[i];

		ck_assert_ptr_nonnull(section->name);
		ck_assert_uint_le(strlen(section->name), SEGMAP_MAX_NAMES_BYTES);
		ck_assert_uint_ge(section->vaddr + section->size, section->vaddr);
		ck_assert_uint_ge(section->off + section->size, section->off);
	}
	if (elf->sections_from == SEGMAP_SECTIONS_HEADERS)
		ck_assert_uint_gt(elf->n_sections, 0);
	for (size_t i = 1; i < elf->n_by_vaddr; i++)
		ck_assert_uint_le(elf->by_vaddr[i - 1].end, elf->by_vaddr[i].start);
	for (size_t i = 1; i < elf->n_by_off; i++)
		ck_assert_uint_le(elf->by_off[i - 1].end, elf->by_off[i].start);
	if (elf->build_id)
		ck_assert_uint_eq(strspn(elf->build_id, "0123456789abcdef"),
				  strlen(elf->build_id));
}

/* ------------------------------------------------------------ what is well-formed */

/* Both classes and both byte orders. */
static const struct {
	bool is_32, is_big;
} kinds[] = { { false, false }, { true, false }, { false, true }, { true, true } };

START_TEST(reads_either_class_and_byte_order)
{
	struct elffile file;
	struct segmap_elf *elf;

	elffile_sample(&file, kinds[_i].is_32, kinds[_i].is_big);
	elf = parse_file(&file);
	check_elf(elf);
	ck_assert_uint_eq(elf->class, kinds[_i].is_32 ? 32 : 64);
	ck_assert_uint_eq(elf->machine, kinds[_i].is_32 ? EM_386 : EM_X86_64);
	ck_assert_uint_eq(elf->type, ET_EXEC);
	ck_assert_uint_eq(elf->entry, SAMPLE_BASE + SAMPLE_TEXT_AT);
	ck_assert_uint_eq(elf->elf_off, 0);
	ck_assert_uint_eq(elf->size, file.size);
	ck_assert_str_eq(elf->build_id, SAMPLE_BUILD_ID);
	ck_assert_str_eq(elf->soname, "libsample.so.1");
	ck_assert_str_eq(elf->interp, "/lib/ld.so");
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

START_TEST(segments_are_the_loads_and_relro_with_their_rows)
{
	struct elffile file;
	struct segmap_elf *elf;

	elffile_sample(&file, kinds[_i].is_32, kinds[_i].is_big);
	elf = parse_file(&file);
	ck_assert_uint_eq(elf->n_segments, 3);
	ck_assert_uint_eq(elf->segments[0].index, SAMPLE_TEXT_LOAD);
	ck_assert_int_eq(elf->segments[0].type, SEGMAP_SEGMENT_LOAD);
	ck_assert_int_eq(elf->segments[0].prot, RX);
	ck_assert_uint_eq(elf->segments[0].vaddr, SAMPLE_BASE);
	ck_assert_uint_eq(elf->segments[0].filesz, 0x800);
	ck_assert_uint_eq(elf->segments[0].align, 0x1000);
	ck_assert_uint_eq(elf->segments[1].index, SAMPLE_DATA_LOAD);
	ck_assert_int_eq(elf->segments[1].prot, RW);
	ck_assert_uint_eq(elf->segments[1].off, SAMPLE_DATA_AT);
	ck_assert_uint_eq(elf->segments[1].memsz, 0x1400);
	ck_assert_uint_eq(elf->segments[1].map_start, SAMPLE_BASE + 0x1000);
	ck_assert_uint_eq(elf->segments[1].file_end, SAMPLE_BASE + 0x2000);
	ck_assert_uint_eq(elf->segments[1].mem_end, SAMPLE_BASE + 0x3000);
	ck_assert(elf->segments[1].mappable);
	ck_assert_uint_eq(elf->segments[2].index, SAMPLE_RELRO);
	ck_assert_int_eq(elf->segments[2].type, SEGMAP_SEGMENT_RELRO);
	ck_assert_uint_eq(elf->segments[2].memsz, 0x1000);
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

START_TEST(sections_are_those_of_the_table)
{
	static const struct segmap_section expected[] = {
		SECTION(".text", SAMPLE_BASE + SAMPLE_TEXT_AT, SAMPLE_TEXT_AT, 0x200),
		SECTION(".data", SAMPLE_BASE + 0x1000, SAMPLE_DATA_AT, 0x100),
		NOBITS(".bss", SAMPLE_BASE + 0x1100, SAMPLE_DATA_AT + 0x100, 0x1300),
		TBSS(".tbss", SAMPLE_BASE + 0x1100, SAMPLE_DATA_AT + 0x100, 0x80),
		UNLOADED(".comment", SAMPLE_DATA_AT + 0x100, 0x20),
		UNLOADED(".shstrtab", SAMPLE_NAMES_AT, SAMPLE_NAMES_SIZE),
	};
	struct elffile file;
	struct segmap_elf *elf;

	elffile_sample(&file, kinds[_i].is_32, kinds[_i].is_big);
	elf = parse_file(&file);
	ck_assert_int_eq(elf->sections_from, SEGMAP_SECTIONS_HEADERS);
	ck_assert_ptr_null(elf->sections_problem);
	ck_assert_uint_eq(elf->n_sections, (size_t)N_ROWS(expected));
	for (size_t i = 0; i < elf->n_sections; i++) {
		ck_assert_str_eq(elf->sections[i].name, expected[i].name);
		ck_assert_uint_eq(elf->sections[i].vaddr, expected[i].vaddr);
		ck_assert_uint_eq(elf->sections[i].off, expected[i].off);
		ck_assert_uint_eq(elf->sections[i].size, expected[i].size);
		ck_assert_int_eq(elf->sections[i].alloc, expected[i].alloc);
		ck_assert_int_eq(elf->sections[i].nobits, expected[i].nobits);
		ck_assert_int_eq(elf->sections[i].tls, expected[i].tls);
		ck_assert(!elf->sections[i].part);
	}
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

START_TEST(soname_is_looked_for_only_if_it_is_wanted)
{
	struct elf_scratch scratch = { 0 };
	struct segmap_elf *elf = NULL;
	struct elffile file;
	struct reader reader;

	elffile_sample(&file, false, false);
	reader = reader_of(&file);
	unit_no_error(elf_parse(&reader.bytes, 0, PAGE, 0, &scratch, &elf));
	ck_assert_ptr_null(elf->soname);
	segmap_elf_free(elf);
	elf_scratch_free(&scratch);
	elffile_free(&file);
}
END_TEST

START_TEST(page_size_is_the_callers)
{
	struct elf_scratch scratch = { 0 };
	struct segmap_elf *elf = NULL;
	struct elffile file;
	struct reader reader;

	elffile_sample(&file, false, false);
	reader = reader_of(&file);
	unit_no_error(elf_parse(&reader.bytes, 0, 65536, 0, &scratch, &elf));
	ck_assert_uint_eq(elf->segments[0].file_end, SAMPLE_BASE + 0x10000);
	ck_assert_uint_eq(elf->segments[1].map_start, SAMPLE_BASE);
	segmap_elf_free(elf);
	elf_scratch_free(&scratch);
	elffile_free(&file);
}
END_TEST

static const struct {
	unsigned int machine;
	bool is_big, foreign;
} machines[] = {
#if defined(__x86_64__)
	{ EM_X86_64, false, false },
	{ EM_386, false, false },
	{ EM_X86_64, true, true },
#endif
	{ EM_SPARCV9, BYTE_ORDER == BIG_ENDIAN, true },
	{ EM_SPARCV9, BYTE_ORDER != BIG_ENDIAN, true },
	{ EM_BPF, BYTE_ORDER == BIG_ENDIAN, true },
	{ 0xfffe, false, true },
};

/*
 * The smallest programs: e_phnum and e_shentsize are p_type of the only program header,
 * e_shnum and e_shstrndx its p_flags (64 bits) or its p_offset (32).
 */
START_TEST(program_headers_can_overlap_the_elf_header)
{
	bool is_32 = _i;
	struct segmap_elf *elf;
	struct elffile file;

	elffile_sample(&file, is_32, false);
	elffile_set(&file, E_SHOFF, 0, 0);
	elffile_set(&file, E_SHENTSIZE, 0, 0);
	elffile_set(&file, E_PHNUM, 0, 1);
	elffile_set(&file, E_PHOFF, 0, is_32 ? offsetof(Elf32_Ehdr, e_phnum) :
					       offsetof(Elf64_Ehdr, e_phnum));
	elffile_set(&file, P_OFFSET, 0, 0x1000);
	elffile_set(&file, P_FLAGS, 0, PF_R | PF_X);
	elffile_set(&file, P_VADDR, 0, SAMPLE_BASE);
	elffile_set(&file, P_FILESZ, 0, 0x100);
	elffile_set(&file, P_MEMSZ, 0, 0x100);
	elf = parse_file(&file);
	check_elf(elf);
	ck_assert_uint_eq(elf->n_segments, 1);
	ck_assert_int_eq(elf->segments[0].type, SEGMAP_SEGMENT_LOAD);
	ck_assert_int_eq(elf->segments[0].prot, RX);
	ck_assert_uint_eq(elf->segments[0].off, 0x1000);
	ck_assert_uint_eq(elf->segments[0].vaddr, SAMPLE_BASE);
	ck_assert_uint_eq(elf->segments[0].filesz, 0x100);
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

/* What is not used of the ELF header has room for the interpreter's name. */
START_TEST(strings_can_be_in_the_elf_header)
{
	bool is_32 = kinds[_i].is_32;
	size_t at = is_32 ? offsetof(Elf32_Ehdr, e_shoff) : offsetof(Elf64_Ehdr, e_shoff);
	struct segmap_elf *elf;
	struct elffile file;

	elffile_sample(&file, is_32, kinds[_i].is_big);
	elffile_set(&file, P_OFFSET, SAMPLE_INTERP, at);
	elffile_set(&file, P_FILESZ, SAMPLE_INTERP, sizeof("/ld"));
	memcpy(file.bytes + at, "/ld", sizeof("/ld"));
	elf = parse_file(&file);
	check_elf(elf);
	ck_assert_str_eq(elf->interp, "/ld");
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

START_TEST(another_machines_file_is_foreign)
{
	struct elffile file;
	struct segmap_elf *elf;

	elffile_sample(&file, false, machines[_i].is_big);
	elffile_set(&file, E_MACHINE, 0, machines[_i].machine);
	elf = parse_file(&file);
	ck_assert_uint_eq(elf->machine, machines[_i].machine);
	ck_assert_int_eq(elf->foreign, machines[_i].foreign);
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

/* What this machine's kernel takes for programs of its own, by e_machine alone. */
static const struct {
	unsigned int class;
	unsigned int machine;
} own_machines[] = {
#if defined(__x86_64__) || defined(__i386__)
	{ 64, EM_X86_64 }, { 32, EM_386 },
#elif defined(__aarch64__) || defined(__arm__)
	{ 64, EM_AARCH64 }, { 32, EM_ARM },
#elif defined(__powerpc__)
	{ 64, EM_PPC64 }, { 32, EM_PPC },
#else
	{ 0, EM_NONE }, /* it goes by EI_CLASS */
#endif
};

static const struct {
	unsigned char class, data, version;
	bool misleads;
} misleading[] = {
	{ ELFCLASS64, ELFDATA2LSB, EV_CURRENT, BYTE_ORDER == BIG_ENDIAN },
	{ ELFCLASS64, ELFDATA2MSB, EV_CURRENT, BYTE_ORDER == LITTLE_ENDIAN },
	{ ELFCLASS32, ELFDATA2LSB, EV_CURRENT, BYTE_ORDER == BIG_ENDIAN },
	{ ELFCLASS32, ELFDATA2MSB, EV_CURRENT, BYTE_ORDER == LITTLE_ENDIAN },
	{ 0, 0, 0, true },	{ 0xff, 0xff, 0xff, true },
	{ ELFCLASS64, 0, EV_CURRENT, true }, { ELFCLASS32, 0, EV_CURRENT, true },
	{ ELFCLASS64, ELFDATA2LSB, 2, true }, { ELFCLASS32, ELFDATA2MSB, 2, true },
};

START_TEST(ident_of_the_own_machine_is_not_looked_at)
{
	unsigned int class = own_machines[_i % N_ROWS(own_machines)].class;
	size_t row = (size_t)_i / N_ROWS(own_machines);
	bool says_64 = misleading[row].class == ELFCLASS64;
	struct segmap_elf *elf, *honest;
	struct elffile file;

	if (!class)
		return;
	elffile_sample(&file, class == 32, BYTE_ORDER == BIG_ENDIAN);
	elffile_set(&file, E_MACHINE, 0, own_machines[_i % N_ROWS(own_machines)].machine);
	honest = parse_file(&file);
	ck_assert(!honest->header_misleads);
	file.bytes[EI_CLASS] = misleading[row].class;
	file.bytes[EI_DATA] = misleading[row].data;
	file.bytes[EI_VERSION] = misleading[row].version;
	elf = parse_file(&file);
	check_elf(elf);
	ck_assert_int_eq(elf->header_misleads,
			 misleading[row].misleads || says_64 != (class == 64));
	ck_assert_uint_eq(elf->ident_class, misleading[row].class);
	ck_assert_uint_eq(elf->ident_data, misleading[row].data);
	ck_assert_uint_eq(elf->ident_version, misleading[row].version);
	ck_assert(!elf->foreign);
	ck_assert_int_eq(elf->big_endian, BYTE_ORDER == BIG_ENDIAN);
	ck_assert(elf_has_same_segments(elf, honest));
	ck_assert_uint_eq(elf->n_sections, honest->n_sections);
	ck_assert_uint_eq(elf->entry, honest->entry);
	ck_assert_uint_eq(elf->machine, honest->machine);
	ck_assert_uint_eq(elf->header_machine, honest->machine);
	ck_assert_str_eq(elf->build_id, honest->build_id);
	ck_assert_uint_eq(elf_class_as_loaded(file.bytes, file.size),
			  class == 64 ? ELFCLASS64 : ELFCLASS32);
	segmap_elf_free(honest);
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

#ifdef __x86_64__
START_TEST(the_kernel_knows_i386_by_another_number_too)
{
	enum { EM_OF_486 = 6 };
	struct segmap_elf *elf;
	unsigned int machine;
	struct elffile file;
	bool foreign;

	elffile_sample(&file, true, false);
	elffile_set(&file, E_MACHINE, 0, EM_OF_486);
	elf = parse_file(&file);
	ck_assert_uint_eq(elf->machine, EM_386);
	ck_assert_uint_eq(elf->header_machine, EM_OF_486);
	ck_assert(elf->header_misleads && !elf->foreign);
	ck_assert(elf_machine_of(file.bytes, file.size, &machine, &foreign));
	ck_assert_uint_eq(machine, EM_386);
	ck_assert(!foreign);
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

START_TEST(x32_has_32_bits)
{
	struct segmap_elf *elf;
	struct elffile file;

	elffile_sample(&file, true, false);
	elffile_set(&file, E_MACHINE, 0, EM_X86_64);
	file.bytes[EI_CLASS] = (unsigned char)_i;
	elf = parse_file(&file);
	ck_assert_uint_eq(elf->class, 32);
	ck_assert_int_eq(elf->header_misleads, _i != ELFCLASS32);
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

/*
 * A program of 45 bytes, whose program header begins in e_ident and which ends
 * in e_phnum (https://www.muppetlabs.com/~breadbox/software/tiny/teensy.html).
 * As long as it takes to have a program header there is a program.
 */
START_TEST(header_that_ends_early_goes_on_with_zeros)
{
	enum { WHOLE = 45, BASE = 0x10000, SIZE = 0x10020 };
	struct elffile file = { .is_32 = true };
	struct segmap_elf *elf = NULL;
	struct reader reader;

	elffile_resize(&file, sizeof(Elf32_Ehdr));
	memcpy(file.bytes, ELFMAG, SELFMAG);
	elffile_put(&file, 4, 4, PT_LOAD);
	elffile_put(&file, 12, 4, BASE);
	elffile_set(&file, E_TYPE, 0, ET_EXEC);
	elffile_set(&file, E_MACHINE, 0, EM_386);
	elffile_put(&file, 20, 4, SIZE);
	elffile_set(&file, E_ENTRY, 0, SIZE);
	elffile_set(&file, E_PHOFF, 0, 4);
	elffile_set(&file, E_PHENTSIZE, 0, sizeof(Elf32_Phdr));
	elffile_set(&file, E_PHNUM, 0, 1);
	elffile_resize(&file, (size_t)_i);
	reader = reader_of(&file);
	if (_i < WHOLE) {
		unit_error(parse(&reader, 0, &elf), SEGMAP_ERROR_FORMAT, "cut short");
		ck_assert_ptr_null(elf);
	} else {
		elf = parse_file(&file);
		check_elf(elf);
		ck_assert_uint_eq(elf->class, 32);
		ck_assert(elf->header_misleads);
		ck_assert_uint_eq(elf->n_segments, 1);
		ck_assert_uint_eq(elf->segments[0].vaddr, BASE);
		ck_assert_uint_eq(elf->segments[0].filesz, SIZE);
		ck_assert_uint_eq(elf->segments[0].memsz, SIZE);
		ck_assert_uint_eq(elf->n_sections, 0);
	}
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST
#endif

START_TEST(object_inside_a_file_is_the_same_but_for_its_offset)
{
	static const uint64_t offsets[] = { 1, 16, 4096, 4097, 70000 };
	struct segmap_elf *elf = NULL;
	struct elffile file, outer = { 0 };
	struct reader reader;

	elffile_sample(&file, kinds[_i % 4].is_32, kinds[_i % 4].is_big);
	elffile_resize(&outer, offsets[_i / 4] + file.size + 100);
	memcpy(outer.bytes + offsets[_i / 4], file.bytes, file.size);
	reader = reader_of(&outer);
	unit_no_error(parse(&reader, offsets[_i / 4], &elf));
	ck_assert_ptr_nonnull(elf);
	check_elf(elf);
	ck_assert_uint_eq(elf->elf_off, offsets[_i / 4]);
	ck_assert_uint_eq(elf->size, file.size + 100);
	ck_assert_uint_eq(elf->segments[1].off, SAMPLE_DATA_AT);
	ck_assert_str_eq(elf->sections[0].name, ".text");
	ck_assert_str_eq(elf->build_id, SAMPLE_BUILD_ID);
	ck_assert_str_eq(elf->soname, "libsample.so.1");
	segmap_elf_free(elf);
	elf = (void *)1;
	unit_no_error(parse(&reader, 0, &elf));
	ck_assert_ptr_null(elf); /* there is none at 0 */
	elffile_free(&file);
	elffile_free(&outer);
}
END_TEST

START_TEST(scratch_memory_is_used_again_and_changes_nothing)
{
	struct elf_scratch scratch = { 0 };
	struct elffile big, small;

	elffile_sample(&big, false, false);
	elffile_resize(&big, 0x200000);
	elffile_sample(&small, true, true);
	for (int i = 0; i < 6; i++) {
		struct reader reader = reader_of(i & 1 ? &small : &big);
		struct segmap_elf *elf = NULL;

		unit_no_error(elf_parse(&reader.bytes, 0, PAGE, SEGMAP_WANT_SONAME, &scratch, &elf));
		ck_assert_uint_eq(elf->class, i & 1 ? 32 : 64);
		ck_assert_uint_eq(elf->n_sections, SAMPLE_SHDRS - 1);
		ck_assert_str_eq(elf->sections[5].name, ".shstrtab");
		ck_assert_str_eq(elf->soname, "libsample.so.1");
		segmap_elf_free(elf);
	}
	elf_scratch_free(&scratch);
	ck_assert(!scratch.memory && !scratch.size);
	elffile_free(&big);
	elffile_free(&small);
}
END_TEST

/* ------------------------------------------------------------ what is no ELF file */

static const struct {
	const char *claim;
	size_t at, size; /* of the bytes that are changed */
	const char *bytes;
	size_t file_size; /* 0: as it is */
} no_elf_files[] = {
	{ "an empty file", 0, 0, "", 1 },
	{ "a script", 0, 10, "#!/bin/sh\n", 0 },
	{ "another magic", 0, 4, "\177ELE", 0 },
	{ "a magic alone", 0, 0, "", 4 },
	{ "an ident cut short", 0, 0, "", 15 },
	{ "an object file", 16, 2, "\1\0", 0 },
	{ "a core dump", 16, 2, "\4\0", 0 },
	{ "no type", 16, 2, "\0\0", 0 },
};

START_TEST(what_no_loader_maps_is_no_object_and_no_error)
{
	struct segmap_elf *elf = (void *)1;
	struct elffile file;
	struct reader reader;

	elffile_sample(&file, false, false);
	memcpy(file.bytes + no_elf_files[_i].at, no_elf_files[_i].bytes, no_elf_files[_i].size);
	if (no_elf_files[_i].file_size)
		elffile_resize(&file, no_elf_files[_i].file_size);
	reader = reader_of(&file);
	unit_no_error(parse(&reader, 0, &elf));
	ck_assert_msg(elf == NULL, "%s was parsed", no_elf_files[_i].claim);
	unit_no_error(parse(&reader, file.size, &elf));
	ck_assert_ptr_null(elf);
	unit_no_error(parse(&reader, UINT64_MAX, &elf));
	ck_assert_ptr_null(elf);
	elffile_free(&file);
}
END_TEST

/* ------------------------------------------------------------ what is malformed */

/* One field of the 64-bit sample that is wrong, and the error that it makes. */
static const struct {
	const char *claim;
	enum elffile_field field;
	size_t row;
	uint64_t value;
	const char *words;
} refused[] = {
	{ "program headers of an unknown size", E_PHENTSIZE, 0, 57, "unknown size" },
	{ "program headers of the other class", E_PHENTSIZE, 0, sizeof(Elf32_Phdr),
	  "unknown size" },
	{ "program headers of no size", E_PHENTSIZE, 0, 0, "unknown size" },
	{ "PN_XNUM program headers", E_PHNUM, 0, PN_XNUM, "more program headers" },
	{ "one more than 64 KiB of program headers", E_PHNUM, 0,
	  SEGMAP_MAX_PHDRS_BYTES / sizeof(Elf64_Phdr) + 1, "more program headers" },
	{ "program headers behind the end", E_PHOFF, 0, 0x100000, "past the end" },
	{ "program headers over the end", E_PHOFF, 0, SAMPLE_SHDRS_AT + 300, "past the end" },
	{ "program headers that wrap around", E_PHOFF, 0, UINT64_MAX, "past the end" },
	{ "a PT_LOAD whose memory wraps around", P_MEMSZ, SAMPLE_DATA_LOAD, UINT64_MAX, "wraps" },
	{ "a PT_LOAD whose memory wraps around by one byte", P_MEMSZ, SAMPLE_TEXT_LOAD,
	  0 - (uint64_t)SAMPLE_BASE, "wraps" },
	{ "a PT_LOAD whose file bytes wrap around", P_FILESZ, SAMPLE_DATA_LOAD, UINT64_MAX,
	  "wraps" },
	{ "a PT_LOAD whose offset wraps around", P_OFFSET, SAMPLE_DATA_LOAD, UINT64_MAX, "wraps" },
	{ "a PT_LOAD at the end of the address space", P_VADDR, SAMPLE_DATA_LOAD,
	  UINT64_MAX - 0x10, "wraps" },
	{ "a PT_LOAD that ends in the last page of the address space", P_MEMSZ, SAMPLE_TEXT_LOAD,
	  UINT64_MAX - SAMPLE_BASE - 0x800, "wraps" },
	{ "a PT_GNU_RELRO that wraps around", P_MEMSZ, SAMPLE_RELRO, UINT64_MAX, "wraps" },
};

START_TEST(headers_that_lie_are_an_error_with_a_reason)
{
	struct segmap_elf *elf = NULL;
	struct elffile file;
	struct reader reader;
	struct segmap_error *error;

	elffile_sample(&file, false, _i & 1);
	elffile_set(&file, refused[_i].field, refused[_i].row, refused[_i].value);
	reader = reader_of(&file);
	error = parse(&reader, 0, &elf);
	ck_assert_msg(error != NULL, "%s: no error", refused[_i].claim);
	ck_assert_str_eq(error->what, "sample");
	ck_assert_ptr_null(elf);
	unit_error(error, SEGMAP_ERROR_FORMAT, refused[_i].words);
	elffile_free(&file);
}
END_TEST

static const struct {
	int at;
	unsigned char byte;
} idents[] = {
	{ EI_CLASS, 0 }, { EI_CLASS, 3 }, { EI_CLASS, 0xff }, { EI_DATA, 0 }, { EI_DATA, 3 },
	{ EI_DATA, 0xff }, { EI_VERSION, 0 }, { EI_VERSION, 2 },
};

START_TEST(unknown_ident_of_another_machine_is_an_error)
{
	struct segmap_elf *elf = NULL;
	struct elffile file;
	struct reader reader;

	elffile_sample(&file, false, false);
	elffile_set(&file, E_MACHINE, 0, EM_ALPHA);
	file.bytes[idents[_i].at] = idents[_i].byte;
	reader = reader_of(&file);
	unit_error(parse(&reader, 0, &elf), SEGMAP_ERROR_FORMAT, NULL);
	elffile_free(&file);
}
END_TEST

START_TEST(file_without_program_headers_has_no_segments)
{
	struct segmap_elf *elf;
	struct elffile file;

	elffile_sample(&file, kinds[_i].is_32, kinds[_i].is_big);
	elffile_set(&file, E_PHNUM, 0, 0);
	elffile_set(&file, E_PHOFF, 0, UINT32_MAX);
	elf = parse_file(&file);
	ck_assert_uint_eq(elf->n_segments, 0);
	ck_assert_uint_eq(elf->n_sections, SAMPLE_SHDRS - 1);
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

START_TEST(segments_that_wrap_are_only_those_that_are_used)
{
	struct segmap_elf *elf;
	struct elffile file;

	/* No loader looks at the addresses of a PT_NOTE. */
	elffile_sample(&file, false, false);
	elffile_set(&file, P_VADDR, SAMPLE_NOTE, UINT64_MAX);
	elffile_set(&file, P_MEMSZ, SAMPLE_NOTE, UINT64_MAX);
	elf = parse_file(&file);
	ck_assert_str_eq(elf->build_id, SAMPLE_BUILD_ID);
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

/* ------------------------------------------------------------ section headers that lie */

static const struct {
	const char *claim;
	struct {
		enum elffile_field field;
		size_t row;
		uint64_t value;
	} changes[4]; /* a value of 0 for E_TYPE ends them */
	const char *problem; /* words of sections_problem; NULL: none, the file just has none */
} bad_tables[] = {
	{ "no section headers", { { E_SHOFF, 0, 0 }, { E_SHNUM, 0, 0 } }, NULL },
	{ "an offset of 0 and a count", { { E_SHOFF, 0, 0 } }, NULL },
	{ "an unknown entry size", { { E_SHENTSIZE, 0, 65 } }, "unknown size" },
	{ "an entry size of 0", { { E_SHENTSIZE, 0, 0 } }, "unknown size" },
	{ "the other class's entry size", { { E_SHENTSIZE, 0, sizeof(Elf32_Shdr) } },
	  "unknown size" },
	{ "a table behind the end", { { E_SHOFF, 0, 0x100000 } }, "not all in the file" },
	{ "a table over the end by one byte", { { E_SHOFF, 0, SAMPLE_SHDRS_AT + 1 } },
	  "not all in the file" },
	{ "a table that wraps around", { { E_SHOFF, 0, UINT64_MAX } }, "not all in the file" },
	{ "one section more than there is", { { E_SHNUM, 0, SAMPLE_SHDRS + 1 } },
	  "not all in the file" },
	{ "the most that e_shnum can say", { { E_SHNUM, 0, 0xfeff } }, "not all in the file" },
	{ "no count and 2^25 in sh_size", { { SH_SIZE, 0, 1 << 25 }, { E_SHNUM, 0, 0 } },
	  "more sections than any linker makes" },
	{ "no count and 2^64 - 1 in sh_size", { { SH_SIZE, 0, UINT64_MAX }, { E_SHNUM, 0, 0 } },
	  "more sections than any linker makes" },
	{ "no count and one too many in sh_size",
	  { { SH_SIZE, 0, SAMPLE_SHDRS + 1 }, { E_SHNUM, 0, 0 } }, "not all in the file" },
	{ "no count and 2^58 in sh_size: its bytes are 2^64",
	  { { SH_SIZE, 0, 1ull << 58 }, { E_SHNUM, 0, 0 } },
	  "more sections than any linker makes" },
	{ "no count at all", { { E_SHNUM, 0, 0 } }, NULL },
	{ "no name table", { { E_SHSTRNDX, 0, 0 } }, "no section name table" },
	{ "a name table behind the last section", { { E_SHSTRNDX, 0, SAMPLE_SHDRS } },
	  "no section name table" },
	{ "the greatest index for the name table", { { E_SHSTRNDX, 0, 0xfeff } },
	  "no section name table" },
	{ "an escaped index for the name table that is not there",
	  { { E_SHSTRNDX, 0, SHN_XINDEX } },
	  "no section name table" },
	{ "a name table of another type", { { SH_TYPE, SAMPLE_SHSTRTAB, SHT_PROGBITS } },
	  "no section name table" },
	{ "a name table behind the end", { { SH_OFFSET, SAMPLE_SHSTRTAB, 0x100000 } },
	  "name table is not all in the file" },
	{ "a name table over the end", { { SH_SIZE, SAMPLE_SHSTRTAB, 0x10000 } },
	  "name table is not all in the file" },
	{ "a name table that wraps around", { { SH_OFFSET, SAMPLE_SHSTRTAB, UINT64_MAX } },
	  "name table is not all in the file" },
	{ "a name table of 2^64 - 1 bytes", { { SH_SIZE, SAMPLE_SHSTRTAB, UINT64_MAX } },
	  "name table is not all in the file" },
};

START_TEST(bad_section_headers_leave_the_segments_alone)
{
	struct segmap_elf *elf;
	struct elffile file;

	elffile_sample(&file, false, _i & 1);
	/* From the last on: E_SHOFF and E_SHNUM come first in the table, and say where rows are. */
	for (int i = 3; i >= 0; i--)
		if (bad_tables[_i].changes[i].field != E_TYPE)
			elffile_set(&file, bad_tables[_i].changes[i].field,
				    bad_tables[_i].changes[i].row, bad_tables[_i].changes[i].value);
	elf = parse_file(&file);
	check_elf(elf);
	ck_assert_msg(elf->sections_from != SEGMAP_SECTIONS_HEADERS, "%s: believed",
		      bad_tables[_i].claim);
	ck_assert_msg(!bad_tables[_i].problem == !elf->sections_problem &&
			      (!elf->sections_problem ||
			       strstr(elf->sections_problem, bad_tables[_i].problem)),
		      "%s: the problem is \"%s\"", bad_tables[_i].claim,
		      elf->sections_problem ? elf->sections_problem : "(none)");
	for (size_t i = 0; i < elf->n_sections; i++)
		ck_assert(elf->sections[i].part);
	ck_assert_uint_eq(elf->n_segments, 3);
	ck_assert_str_eq(elf->build_id, SAMPLE_BUILD_ID);
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

START_TEST(count_and_name_table_can_be_in_the_first_section_header)
{
	struct segmap_elf *elf;
	struct elffile file;

	/* gABI, "ELF Header": e_shnum 0 and SHN_XINDEX. */
	elffile_sample(&file, kinds[_i].is_32, kinds[_i].is_big);
	elffile_set(&file, SH_SIZE, 0, SAMPLE_SHDRS);
	elffile_set(&file, SH_LINK, 0, SAMPLE_SHSTRTAB);
	elffile_set(&file, E_SHNUM, 0, 0);
	elffile_set(&file, E_SHSTRNDX, 0, SHN_XINDEX);
	elf = parse_file(&file);
	ck_assert_int_eq(elf->sections_from, SEGMAP_SECTIONS_HEADERS);
	ck_assert_uint_eq(elf->n_sections, SAMPLE_SHDRS - 1);
	ck_assert_str_eq(elf->sections[0].name, ".text");
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

START_TEST(more_sections_than_16_bits_count)
{
	enum { MANY = 70000, NAMES_AT = SAMPLE_NAMES_AT };
	struct segmap_elf *elf;
	struct elffile file;

	elffile_sample(&file, false, _i);
	elffile_resize(&file, 0x2000 + MANY * sizeof(Elf64_Shdr));
	memmove(file.bytes + 0x2000, file.bytes + SAMPLE_SHDRS_AT,
		SAMPLE_SHDRS * sizeof(Elf64_Shdr));
	elffile_set(&file, E_SHOFF, 0, 0x2000);
	for (size_t i = SAMPLE_SHDRS; i < MANY; i++) {
		elffile_set(&file, SH_TYPE, i, SHT_PROGBITS);
		elffile_set(&file, SH_NAME, i, 1);
	}
	elffile_set(&file, SH_SIZE, 0, MANY);
	elffile_set(&file, SH_LINK, 0, SAMPLE_SHSTRTAB);
	elffile_set(&file, E_SHNUM, 0, 0);
	elffile_set(&file, E_SHSTRNDX, 0, SHN_XINDEX);
	elf = parse_file(&file);
	ck_assert_uint_eq(elf->n_sections, MANY - 1);
	ck_assert_str_eq(elf->sections[MANY - 2].name, ".text");
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

START_TEST(name_that_does_not_end_is_cut_at_the_end_of_the_table)
{
	struct segmap_elf *elf;
	struct elffile file;

	elffile_sample(&file, false, false);
	memset(file.bytes + SAMPLE_NAMES_AT, 'n', SAMPLE_NAMES_SIZE + 16);
	elf = parse_file(&file);
	for (size_t i = 0; i < elf->n_sections; i++)
		ck_assert_uint_eq(strlen(elf->sections[i].name),
				  SAMPLE_NAMES_SIZE - elffile_get(&file, SH_NAME, i + 1));
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

START_TEST(name_table_of_zeros_has_empty_names)
{
	struct segmap_elf *elf;
	struct elffile file;

	elffile_sample(&file, false, false);
	memset(file.bytes + SAMPLE_NAMES_AT, 0, SAMPLE_NAMES_SIZE);
	elf = parse_file(&file);
	ck_assert_uint_eq(elf->n_sections, SAMPLE_SHDRS - 1);
	for (size_t i = 0; i < elf->n_sections; i++)
		ck_assert_str_eq(elf->sections[i].name, "");
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

START_TEST(empty_name_table_has_empty_names)
{
	struct segmap_elf *elf;
	struct elffile file;

	elffile_sample(&file, false, false);
	elffile_set(&file, SH_SIZE, SAMPLE_SHSTRTAB, 0);
	elf = parse_file(&file);
	for (size_t i = 0; i < elf->n_sections; i++)
		ck_assert_str_eq(elf->sections[i].name, "");
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

START_TEST(name_outside_of_the_table_is_empty)
{
	static const uint64_t places[] = { SAMPLE_NAMES_SIZE, SAMPLE_NAMES_SIZE + 1, 0x7fffffff,
					   0xffffffff };
	struct segmap_elf *elf;
	struct elffile file;

	elffile_sample(&file, false, false);
	elffile_set(&file, SH_NAME, SAMPLE_TEXT, places[_i]);
	elf = parse_file(&file);
	ck_assert_str_eq(elf->sections[0].name, "");
	ck_assert_str_eq(elf->sections[1].name, ".data");
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

/* A small table can name a thousand sections with nearly all of its bytes each. */
START_TEST(overlapping_names_cannot_make_much_text)
{
	enum { SECTIONS = 1100, NAMES = 65000, AT = 0x10000 };
	struct segmap_elf *elf;
	struct elffile file;

	elffile_sample(&file, false, false);
	elffile_resize(&file, AT + NAMES + SECTIONS * sizeof(Elf64_Shdr) + 64);
	memset(file.bytes + AT, 'n', NAMES);
	elffile_set(&file, E_SHOFF, 0, (AT + NAMES + 63) & ~63ull);
	elffile_set(&file, E_SHNUM, 0, SECTIONS);
	for (size_t i = 1; i < SECTIONS; i++)
		elffile_set(&file, SH_TYPE, i, SHT_PROGBITS);
	elffile_set(&file, SH_TYPE, SAMPLE_SHSTRTAB, SHT_STRTAB);
	elffile_set(&file, SH_OFFSET, SAMPLE_SHSTRTAB, AT);
	elffile_set(&file, SH_SIZE, SAMPLE_SHSTRTAB, NAMES);
	elf = parse_file(&file);
	check_elf(elf);
	ck_assert(elf->sections_from != SEGMAP_SECTIONS_HEADERS);
	ck_assert_ptr_nonnull(elf->sections_problem);
	ck_assert_ptr_nonnull(strstr(elf->sections_problem, "too long"));
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

START_TEST(section_that_wraps_around_is_left_out_alone)
{
	static const struct {
		enum elffile_field field;
		uint64_t value;
	} changes[] = {
		{ SH_ADDR, UINT64_MAX }, { SH_SIZE, UINT64_MAX }, { SH_OFFSET, UINT64_MAX },
	};
	struct segmap_elf *elf;
	struct elffile file;

	elffile_sample(&file, false, false);
	elffile_set(&file, changes[_i].field, SAMPLE_TEXT, changes[_i].value);
	elf = parse_file(&file);
	check_elf(elf);
	ck_assert_uint_eq(elf->n_sections, SAMPLE_SHDRS - 2);
	ck_assert_str_eq(elf->sections[0].name, ".data");
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

/* ------------------------------------------------------------ parts without sections */

/* The sample without section headers and with more in its dynamic section, at DYNAMIC_AT. */
enum { DYNAMIC_AT = 0x700, HASH_AT = 0x540, SYMBOLS = 3 };

static void parts_sample(struct elffile *file, bool is_32, bool is_big, bool gnu_hash)
{
	static const uint64_t rows[][2] = {
		{ DT_STRTAB, SAMPLE_BASE + SAMPLE_DYNSTR_AT }, { DT_STRSZ, 32 },
		{ DT_SONAME, 1 },
		{ DT_SYMTAB, SAMPLE_BASE + 0x4a0 },
		{ DT_RELA, SAMPLE_BASE + 0x580 }, { DT_RELASZ, 0x18 },
		{ DT_INIT_ARRAY, SAMPLE_BASE + 0x1010 }, { DT_INIT_ARRAYSZ, 8 },
		/* What has an address and no size, or the other way round, is no part. */
		{ DT_FINI_ARRAY, SAMPLE_BASE + 0x1018 }, { DT_PREINIT_ARRAYSZ, 8 },
		/* Nor what no PT_LOAD has in the file. */
		{ DT_JMPREL, SAMPLE_BASE + 0x1200 }, { DT_PLTRELSZ, 0x18 },
	};
	size_t n = sizeof(rows) / sizeof(rows[0]), width = is_32 ? 8 : 16;

	elffile_sample(file, is_32, is_big);
	elffile_set(file, E_SHOFF, 0, 0);
	elffile_set(file, E_SHNUM, 0, 0);
	elffile_set(file, E_SHSTRNDX, 0, 0);
	for (size_t i = 0; i < n; i++)
		elffile_dynamic(file, DYNAMIC_AT, i, rows[i][0], rows[i][1]);
	elffile_dynamic(file, DYNAMIC_AT, n++, gnu_hash ? DT_GNU_HASH : DT_HASH,
			SAMPLE_BASE + HASH_AT);
	elffile_dynamic(file, DYNAMIC_AT, n++, DT_NULL, 0);
	elffile_set(file, P_OFFSET, SAMPLE_DYNAMIC, DYNAMIC_AT);
	elffile_set(file, P_VADDR, SAMPLE_DYNAMIC, SAMPLE_BASE + DYNAMIC_AT);
	elffile_set(file, P_FILESZ, SAMPLE_DYNAMIC, n * width);
	if (gnu_hash) {
		/* 1 bucket, symbols from 1 on are hashed, 1 word of Bloom filter. */
		size_t at = HASH_AT + 16 + (is_32 ? 4 : 8);

		elffile_put(file, HASH_AT, 4, 1);
		elffile_put(file, HASH_AT + 4, 4, 1);
		elffile_put(file, HASH_AT + 8, 4, 1);
		elffile_put(file, at, 4, 1);
		elffile_put(file, at + 4, 4, 0xabcdef10);
		elffile_put(file, at + 8, 4, 0xabcdef11); /* the last of its chain */
	} else {
		elffile_put(file, HASH_AT, 4, 1);
		elffile_put(file, HASH_AT + 4, 4, SYMBOLS);
	}
}

static const struct segmap_section *part_of(const struct segmap_elf *elf, const char *name)
{
	for (size_t i = 0; i < elf->n_sections; i++)
		if (strcmp(elf->sections[i].name, name) == 0)
			return &elf->sections[i];
	ck_abort_msg("there is no %s", name);
}

START_TEST(parts_are_named_by_program_and_dynamic_headers)
{
	bool is_32 = kinds[_i % 4].is_32;
	const struct {
		const char *name;
		uint64_t off, size;
	} expected[] = {
		{ "[note]", SAMPLE_NOTE_AT, SAMPLE_NOTE_SIZE },
		{ "[interp]", SAMPLE_INTERP_AT, 11 },
		{ "[dynstr]", SAMPLE_DYNSTR_AT, 32 },
		{ "[dynsym]", 0x4a0, SYMBOLS * (is_32 ? sizeof(Elf32_Sym) : sizeof(Elf64_Sym)) },
		{ "[rela.dyn]", 0x580, 0x18 },
		{ "[dynamic]", DYNAMIC_AT, 14 * (is_32 ? 8 : 16) },
		{ "[init_array]", 0x1010, 8 },
	};
	struct segmap_elf *elf;
	struct elffile file;

	parts_sample(&file, is_32, kinds[_i % 4].is_big, _i / 4);
	elf = parse_file(&file);
	check_elf(elf);
	ck_assert_int_eq(elf->sections_from, SEGMAP_SECTIONS_PARTS);
	ck_assert_ptr_null(elf->sections_problem);
	for (int i = 0; i < N_ROWS(expected); i++) {
		const struct segmap_section *found = part_of(elf, expected[i].name);

		ck_assert_msg(found->off == expected[i].off && found->size == expected[i].size &&
				      found->vaddr == SAMPLE_BASE + expected[i].off,
			      "%s is at %jx of %jx bytes", found->name, (uintmax_t)found->off,
			      (uintmax_t)found->size);
		ck_assert(found->part && found->alloc && !found->nobits && !found->tls);
	}
	ck_assert_uint_eq(elf->n_sections, (size_t)N_ROWS(expected));
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

/* glibc's Elf_Symndx: in 64-bit files for two machines the entries of DT_HASH are twice as wide. */
START_TEST(hash_entries_are_as_wide_as_the_machine_has_them)
{
	static const unsigned int tried[] = { EM_S390, EM_ALPHA, EM_PPC64, EM_X86_64 };
	bool is_32 = kinds[_i % 4].is_32, is_wide = !is_32 && _i / 4 < 2;
	size_t symbol = is_32 ? sizeof(Elf32_Sym) : sizeof(Elf64_Sym);

	/* And once with more symbols than any file holds. */
	for (uint64_t high = 0; high <= is_wide; high++) {
		struct segmap_elf *elf;
		struct elffile file;

		parts_sample(&file, is_32, kinds[_i % 4].is_big, false);
		elffile_set(&file, E_MACHINE, 0, tried[_i / 4]);
		elffile_put(&file, HASH_AT, is_wide ? 8 : 4, 1);
		elffile_put(&file, HASH_AT + (is_wide ? 8 : 4), is_wide ? 8 : 4, 2 | high << 32);
		elf = parse_file(&file);
		check_elf(elf);
		if (!high)
			ck_assert_uint_eq(part_of(elf, "[dynsym]")->size, 2 * symbol);
		for (size_t i = 0; high && i < elf->n_sections; i++)
			ck_assert_str_ne(elf->sections[i].name, "[dynsym]");
		segmap_elf_free(elf);
		elffile_free(&file);
	}
}
END_TEST

/* As dynamic linkers have it: what the others say counts for nothing. */
START_TEST(of_several_dynamic_sections_the_last_counts)
{
	static const struct {
		uint64_t tag, value;
	} rows[] = { { DT_STRTAB, SAMPLE_BASE + SAMPLE_DYNSTR_AT }, { DT_STRSZ, 20 },
		     { DT_SONAME, 4 }, { DT_NEEDED, 1 }, { DT_NULL, 0 } };
	size_t size = sizeof(rows) / sizeof(rows[0]) * (kinds[_i].is_32 ? 8 : 16);
	struct segmap_elf *elf;
	struct elffile file;

	parts_sample(&file, kinds[_i].is_32, kinds[_i].is_big, false);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		elffile_dynamic(&file, SAMPLE_DYNAMIC_AT, i, rows[i].tag, rows[i].value);
	elffile_set(&file, P_TYPE, SAMPLE_RELRO, PT_DYNAMIC);
	elffile_set(&file, P_FLAGS, SAMPLE_RELRO, PF_R | PF_W);
	elffile_set(&file, P_OFFSET, SAMPLE_RELRO, SAMPLE_DYNAMIC_AT);
	elffile_set(&file, P_VADDR, SAMPLE_RELRO, SAMPLE_BASE + SAMPLE_DYNAMIC_AT);
	elffile_set(&file, P_FILESZ, SAMPLE_RELRO, size);
	elffile_set(&file, P_MEMSZ, SAMPLE_RELRO, size);
	elf = parse_file(&file);
	check_elf(elf);
	ck_assert_uint_eq(elf->dynamic, SAMPLE_BASE + SAMPLE_DYNAMIC_AT);
	ck_assert_uint_eq(elf->dynamic_end, SAMPLE_BASE + SAMPLE_DYNAMIC_AT + size);
	ck_assert(elf->dynamic_writable);
	ck_assert_str_eq(elf->soname, "sample.so.1");
	ck_assert_uint_eq(elf->linking->n_needed, 1);
	ck_assert_uint_eq(part_of(elf, "[dynstr]")->size, 20);
	for (size_t i = 0; i < elf->n_sections; i++)
		ck_assert_str_ne(elf->sections[i].name, "[dynsym]");
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

START_TEST(bare_file_has_no_parts_either)
{
	struct segmap_elf *elf;
	struct elffile file;

	elffile_sample(&file, kinds[_i].is_32, kinds[_i].is_big);
	elffile_set(&file, E_SHOFF, 0, 0);
	elffile_set(&file, E_PHNUM, 0, SAMPLE_DATA_LOAD + 1);
	elf = parse_file(&file);
	ck_assert_int_eq(elf->sections_from, SEGMAP_SECTIONS_NONE);
	ck_assert_uint_eq(elf->n_sections, 0);
	ck_assert_uint_eq(elf->n_segments, 2);
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

/* The hash tables say how long others are; what they say is not believed without end. */
START_TEST(hostile_hash_tables_cost_nothing)
{
	static const struct {
		bool gnu;
		uint32_t words[6];
	} tables[] = {
		{ false, { 1, 0xffffffff } },
		{ false, { 0, 0 } },
		{ true, { 0xffffffff, 1, 1, 0, 0, 0 } },
		{ true, { 1, 0xffffffff, 1, 0, 0, 0 } },
		{ true, { 1, 1, 0xffffffff, 0, 0, 0 } },
		{ true, { 1, 1, 0, 0, 0xfffffffe, 0 } },
		{ true, { 1, 0, 0, 0, 0, 0 } }, /* a chain without its end */
		{ true, { 0, 0, 0, 0, 0, 0 } },
		{ true, { 0x10000, 0x10, 0, 0, 7, 8 } },
	};
	struct segmap_elf *elf;
	struct elffile file;

	parts_sample(&file, false, false, tables[_i].gnu);
	for (size_t i = 0; i < 6; i++)
		elffile_put(&file, HASH_AT + 4 * i, 4, tables[_i].words[i]);
	elf = parse_file(&file);
	check_elf(elf);
	ck_assert_int_eq(elf->sections_from, SEGMAP_SECTIONS_PARTS);
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

/* GNU ld takes 65537 buckets for very many symbols. They are not read one by one. */
START_TEST(more_hash_buckets_than_16_bits_count)
{
	enum { BUCKETS = 65537, LAST = 70001, AT = 0x4000, ENTRIES = AT + 16 + 8 };
	const size_t chain = ENTRIES + 4 * (size_t)BUCKETS;
	struct segmap_elf *elf = NULL;
	struct elffile file;
	struct reader reader;

	parts_sample(&file, false, _i, true);
	elffile_resize(&file, chain + 4 * (size_t)LAST);
	elffile_set(&file, P_FILESZ, SAMPLE_TEXT_LOAD, file.size);
	elffile_set(&file, P_MEMSZ, SAMPLE_TEXT_LOAD, file.size);
	elffile_dynamic(&file, DYNAMIC_AT, 12, DT_GNU_HASH, SAMPLE_BASE + AT);
	elffile_put(&file, AT, 4, BUCKETS);
	elffile_put(&file, AT + 4, 4, 1);
	elffile_put(&file, AT + 8, 4, 1);
	elffile_put(&file, ENTRIES + 4 * 3, 4, 17);
	elffile_put(&file, chain - 4, 4, LAST - 1);
	/* The chain for symbol 1 is the first: of the last two, the latter ends it. */
	elffile_put(&file, chain + 4 * (size_t)(LAST - 2), 4, 0xabcdef10);
	elffile_put(&file, chain + 4 * (size_t)(LAST - 1), 4, 0xabcdef11);
	reader = reader_of(&file);
	unit_no_error(parse(&reader, 0, &elf));
	check_elf(elf);
	ck_assert_uint_eq(part_of(elf, "[dynsym]")->size, (LAST + 1) * sizeof(Elf64_Sym));
	ck_assert_uint_lt(reader.n_reads, 100);
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

/*
 * A loaded image: its section headers are not there, and ld.so has (glibc) or
 * has not (musl, read-only dynamic sections) added the bias to pointers.
 */
START_TEST(loaded_image_has_parts_and_its_soname)
{
	static const uint64_t biases[] = { 0, 0x7f0000000000 };
	struct segmap_elf *elf = NULL;
	struct elffile file;
	struct reader reader;

	elffile_sample(&file, false, false);
	elffile_dynamic(&file, SAMPLE_DYNAMIC_AT, 0, DT_STRTAB,
			SAMPLE_BASE + SAMPLE_DYNSTR_AT + biases[_i]);
	reader = reader_of(&file);
	reader.bytes.loaded = true;
	reader.bytes.bias = 0x7f0000000000;
	unit_no_error(parse(&reader, 0, &elf));
	check_elf(elf);
	ck_assert_int_eq(elf->sections_from, SEGMAP_SECTIONS_PARTS);
	ck_assert_str_eq(elf->soname, "libsample.so.1");
	ck_assert_str_eq(elf->build_id, SAMPLE_BUILD_ID);
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

/* Every table as great as it may be: all of them must fit into the window. */
START_TEST(the_most_that_is_read_of_a_file_fits)
{
	enum { NOTES = SEGMAP_MAX_NOTES, AT = 0x10000 };
	size_t dynamic_at = AT + (size_t)NOTES * SEGMAP_MAX_NOTES_BYTES;
	struct segmap_elf *elf;
	struct elffile file;

	elffile_sample(&file, false, _i);
	elffile_resize(&file, dynamic_at + SEGMAP_MAX_DYNAMIC_BYTES + 64);
	elffile_set(&file, E_SHOFF, 0, 0);
	/* Two rows more than notes: PT_LOAD and PT_DYNAMIC. All at odd places. */
	elffile_set(&file, E_PHOFF, 0, 0x8000);
	elffile_set(&file, E_PHNUM, 0, NOTES + 2);
	for (size_t i = 0; i < NOTES + 2; i++) {
		elffile_set(&file, P_TYPE, i, i < NOTES ? PT_NOTE : PT_DYNAMIC);
		elffile_set(&file, P_OFFSET, i, AT + 1 + i * SEGMAP_MAX_NOTES_BYTES);
		elffile_set(&file, P_VADDR, i, AT + 1 + i * SEGMAP_MAX_NOTES_BYTES);
		elffile_set(&file, P_FILESZ, i, i < NOTES ? SEGMAP_MAX_NOTES_BYTES :
							     SEGMAP_MAX_DYNAMIC_BYTES);
		elffile_set(&file, P_ALIGN, i, 4);
	}
	elffile_set(&file, P_TYPE, NOTES + 1, PT_LOAD);
	elffile_set(&file, P_OFFSET, NOTES + 1, 0);
	elffile_set(&file, P_VADDR, NOTES + 1, 0);
	elffile_set(&file, P_FILESZ, NOTES + 1, file.size);
	elffile_set(&file, P_MEMSZ, NOTES + 1, file.size);
	for (size_t i = 0; i < SEGMAP_MAX_DYNAMIC_BYTES / 16; i++)
		elffile_dynamic(&file, dynamic_at + 1, i, DT_NEEDED, 1);
	elf = parse_file(&file);
	check_elf(elf);
	ck_assert_int_eq(elf->sections_from, SEGMAP_SECTIONS_PARTS);
	ck_assert_uint_eq(elf->n_sections, NOTES + 1);
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

/* ------------------------------------------------------------ sparse files */

START_TEST(table_that_is_not_on_disk_is_not_believed)
{
	enum { SECTIONS = 4000 }; /* 256,000 bytes of headers, all of them a hole */
	struct segmap_elf *elf = NULL;
	struct elffile file;
	struct reader reader;

	elffile_sample(&file, false, false);
	elffile_resize(&file, 0x100000);
	elffile_set(&file, E_SHNUM, 0, SECTIONS);
	reader = reader_of(&file);
	reader.bytes.on_disk = 8192;
	unit_no_error(parse(&reader, 0, &elf));
	ck_assert(elf->sections_from != SEGMAP_SECTIONS_HEADERS);
	ck_assert_ptr_nonnull(elf->sections_problem);
	segmap_elf_free(elf);
	/* And is believed where the bytes are held. */
	reader.bytes.on_disk = file.size;
	unit_no_error(parse(&reader, 0, &elf));
	ck_assert_int_eq(elf->sections_from, SEGMAP_SECTIONS_HEADERS);
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

START_TEST(name_table_that_is_not_on_disk_is_not_believed)
{
	struct segmap_elf *elf = NULL;
	struct elffile file;
	struct reader reader;

	elffile_sample(&file, false, false);
	elffile_resize(&file, 0x100000);
	elffile_set(&file, SH_SIZE, SAMPLE_SHSTRTAB, 0x80000);
	reader = reader_of(&file);
	reader.bytes.on_disk = 8192;
	unit_no_error(parse(&reader, 0, &elf));
	ck_assert(elf->sections_from != SEGMAP_SECTIONS_HEADERS);
	ck_assert_ptr_nonnull(strstr(elf->sections_problem, "name table"));
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

START_TEST(small_tables_need_no_blocks)
{
	struct segmap_elf *elf = NULL;
	struct elffile file;
	struct reader reader;

	/* As btrfs (inline), zfs and tmpfs under load report small files. */
	elffile_sample(&file, false, false);
	reader = reader_of(&file);
	reader.bytes.on_disk = 0;
	unit_no_error(parse(&reader, 0, &elf));
	ck_assert_int_eq(elf->sections_from, SEGMAP_SECTIONS_HEADERS);
	ck_assert_uint_eq(elf->n_sections, SAMPLE_SHDRS - 1);
	ck_assert_str_eq(elf->build_id, SAMPLE_BUILD_ID);
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

START_TEST(file_that_says_it_is_enormous_costs_nothing)
{
	struct segmap_elf *elf = NULL;
	struct elffile file;
	struct reader reader;

	elffile_sample(&file, false, false);
	elffile_set(&file, E_SHOFF, 0, 1ull << 61);
	elffile_set(&file, E_SHNUM, 0, 0xfeff);
	elffile_set(&file, P_FILESZ, SAMPLE_NOTE, 1ull << 60);
	elffile_set(&file, P_FILESZ, SAMPLE_DYNAMIC, 1ull << 60);
	elffile_set(&file, P_FILESZ, SAMPLE_INTERP, 1ull << 60);
	reader = reader_of(&file);
	reader.bytes.size = 1ull << 62;
	unit_no_error(parse(&reader, 0, &elf));
	ck_assert(elf->sections_from != SEGMAP_SECTIONS_HEADERS);
	ck_assert_ptr_null(elf->build_id);
	ck_assert_str_eq(elf->soname, "libsample.so.1");
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

/* ------------------------------------------------------------ notes */

enum { NOTES_AT = 0x2000, NOTES_ROOM = 0x1000 };

/* The sample with a PT_NOTE of @size bytes at NOTES_AT, still empty. */
static void notes_sample(struct elffile *file, uint64_t size, uint64_t align, bool is_big)
{
	elffile_sample(file, false, is_big);
	elffile_resize(file, NOTES_AT + NOTES_ROOM);
	elffile_set(file, P_OFFSET, SAMPLE_NOTE, NOTES_AT);
	elffile_set(file, P_FILESZ, SAMPLE_NOTE, size);
	elffile_set(file, P_ALIGN, SAMPLE_NOTE, align);
}

static void assert_build_id(const struct elffile *file, const char *expected, const char *claim)
{
	struct segmap_elf *elf = parse_file(file);

	check_elf(elf);
	ck_assert_msg(!expected == !elf->build_id &&
			      (!expected || strcmp(elf->build_id, expected) == 0),
		      "%s: the build-id is %s", claim, elf->build_id ? elf->build_id : "(none)");
	segmap_elf_free(elf);
}

static const char sixty_six[] =
	"0123456789012345678901234567890123456789012345678901234567890123xx";

static const struct {
	const char *claim;
	uint32_t type;
	const char *name;
	uint32_t name_size;
	const char *desc;
	uint32_t desc_size;
	const char *build_id;
} notes[] = {
	{ "a build-id", NT_GNU_BUILD_ID, "GNU", 4, "\xde\xad\xbe\xef", 4, "deadbeef" },
	{ "of one byte", NT_GNU_BUILD_ID, "GNU", 4, "\x07", 1, "07" },
	{ "of 64 bytes", NT_GNU_BUILD_ID, "GNU", 4, sixty_six, 64,
	  "3031323334353637383930313233343536373839303132333435363738393031"
	  "3233343536373839303132333435363738393031323334353637383930313233" },
	{ "of 65 bytes is none", NT_GNU_BUILD_ID, "GNU", 4, sixty_six, 65, NULL },
	{ "of no bytes is none", NT_GNU_BUILD_ID, "GNU", 4, "", 0, NULL },
	{ "another type is none", NT_GNU_ABI_TAG, "GNU", 4, "\1\2\3\4", 4, NULL },
	{ "another owner's is none", NT_GNU_BUILD_ID, "Go\0\0", 4, "\1\2\3\4", 4, NULL },
	{ "an owner without an end is none", NT_GNU_BUILD_ID, "GNU", 3, "\1\2\3\4", 4, NULL },
	{ "a longer owner is none", NT_GNU_BUILD_ID, "GNUX", 5, "\1\2\3\4", 4, NULL },
	{ "an owner with more behind its end is none", NT_GNU_BUILD_ID, "GNU\0X", 5, "\1\2\3\4", 4,
	  NULL },
	{ "no owner is none", NT_GNU_BUILD_ID, "", 0, "\1\2\3\4", 4, NULL },
};

START_TEST(build_id_is_gnus_note_of_its_type)
{
	static const struct {
		uint64_t align;
		bool is_big;
	} forms[] = { { 4, false }, { 4, true }, { 8, false } };

	for (int i = 0; i < N_ROWS(forms); i++) {
		struct elffile file;
		size_t end;

		notes_sample(&file, 0, forms[i].align, forms[i].is_big);
		end = elffile_note(&file, NOTES_AT, forms[i].align, notes[_i].type, notes[_i].name,
				   notes[_i].name_size, notes[_i].desc, notes[_i].desc_size);
		elffile_set(&file, P_FILESZ, SAMPLE_NOTE, end - NOTES_AT);
		assert_build_id(&file, notes[_i].build_id, notes[_i].claim);
		elffile_free(&file);
	}
}
END_TEST

START_TEST(build_id_can_follow_other_notes)
{
	struct elffile file;
	size_t end = NOTES_AT;

	notes_sample(&file, 0, 4, false);
	end = elffile_note(&file, end, 4, NT_GNU_ABI_TAG, "GNU", 4, "0123456789abcdef", 16);
	end = elffile_note(&file, end, 4, 7, "stapsdt", 8, "xyz", 3);
	end = elffile_note(&file, end, 4, NT_GNU_BUILD_ID, "GNU", 4, "\xab\xcd", 2);
	elffile_set(&file, P_FILESZ, SAMPLE_NOTE, end - NOTES_AT);
	assert_build_id(&file, "abcd", "the third note");
	elffile_free(&file);
}
END_TEST

START_TEST(build_id_can_be_in_a_later_pt_note)
{
	struct elffile file;

	/* The first PT_NOTE is empty; PT_INTERP's row becomes the second. */
	notes_sample(&file, 0, 4, false);
	elffile_note(&file, NOTES_AT, 4, NT_GNU_BUILD_ID, "GNU", 4, "\x12\x34", 2);
	elffile_set(&file, P_TYPE, SAMPLE_INTERP, PT_NOTE);
	elffile_set(&file, P_OFFSET, SAMPLE_INTERP, NOTES_AT);
	elffile_set(&file, P_FILESZ, SAMPLE_INTERP, 20);
	elffile_set(&file, P_ALIGN, SAMPLE_INTERP, 4);
	assert_build_id(&file, "1234", "the second PT_NOTE");
	elffile_free(&file);
}
END_TEST

static const struct {
	const char *claim;
	uint32_t name_size, desc_size;
	uint64_t size; /* of the PT_NOTE */
} malformed_notes[] = {
	{ "an owner over the end", 100, 4, 24 },
	{ "a description over the end", 4, 100, 24 },
	{ "an owner of 2^32 - 1 bytes", 0xffffffff, 4, 24 },
	{ "a description of 2^32 - 1 bytes", 4, 0xffffffff, 24 },
	{ "sizes that add up to 0", 0xfffffff4, 0, 24 },
	{ "both of 2^31 bytes", 0x80000000, 0x80000000, 24 },
	{ "a header cut short", 4, 4, 11 },
	{ "an owner cut short", 4, 4, 14 },
	{ "a description cut short", 4, 4, 18 },
	{ "no bytes at all", 4, 4, 0 },
};

START_TEST(malformed_note_is_no_build_id)
{
	struct elffile file;

	notes_sample(&file, malformed_notes[_i].size, _i & 1 ? 8 : 4, false);
	elffile_note(&file, NOTES_AT, 4, NT_GNU_BUILD_ID, "GNU", 4, "\1\2\3\4", 4);
	elffile_put(&file, NOTES_AT, 4, malformed_notes[_i].name_size);
	elffile_put(&file, NOTES_AT + 4, 4, malformed_notes[_i].desc_size);
	/* Nothing behind it that could be read by mistake, for the sanitizer. */
	elffile_resize(&file, NOTES_AT + (malformed_notes[_i].size ? malformed_notes[_i].size : 1));
	assert_build_id(&file, NULL, malformed_notes[_i].claim);
	elffile_free(&file);
}
END_TEST

START_TEST(notes_that_are_not_there_are_no_error)
{
	static const struct {
		enum elffile_field field;
		uint64_t value;
	} changes[] = {
		{ P_OFFSET, 0x100000 }, { P_OFFSET, UINT64_MAX }, { P_FILESZ, 0x100000 },
		{ P_FILESZ, UINT64_MAX }, { P_FILESZ, SEGMAP_MAX_NOTES_BYTES + 1 },
	};
	struct elffile file;

	elffile_sample(&file, false, false);
	elffile_set(&file, changes[_i].field, SAMPLE_NOTE, changes[_i].value);
	assert_build_id(&file, NULL, "notes that are not there");
	elffile_free(&file);
}
END_TEST

/* ------------------------------------------------------------ soname and interpreter */

/* Both may be NULL: there is none. */
static void assert_string(const char *got, const char *expected, const char *claim)
{
	ck_assert_msg(!got == !expected && (!got || strcmp(got, expected) == 0), "%s: \"%s\"",
		      claim, got ? got : "(none)");
}

static const struct {
	const char *claim;
	struct {
		uint64_t tag, value;
	} rows[4];
	const char *soname;
} dynamics[] = {
	{ "all three", { { DT_STRTAB, SAMPLE_BASE + SAMPLE_DYNSTR_AT }, { DT_STRSZ, 32 },
			 { DT_SONAME, 1 } }, "libsample.so.1" },
	{ "in another order", { { DT_SONAME, 4 }, { DT_STRSZ, 32 },
				{ DT_STRTAB, SAMPLE_BASE + SAMPLE_DYNSTR_AT } }, "sample.so.1" },
	{ "an empty one", { { DT_STRTAB, SAMPLE_BASE + SAMPLE_DYNSTR_AT }, { DT_STRSZ, 32 },
			    { DT_SONAME, 0 } }, "" },
	{ "no DT_NULL", { { DT_STRTAB, SAMPLE_BASE + SAMPLE_DYNSTR_AT }, { DT_STRSZ, 32 },
			  { DT_SONAME, 1 }, { DT_NEEDED, 1 } }, "libsample.so.1" },
	{ "nothing behind DT_NULL", { { DT_STRTAB, SAMPLE_BASE + SAMPLE_DYNSTR_AT },
				      { DT_STRSZ, 32 }, { DT_NULL, 0 }, { DT_SONAME, 1 } }, NULL },
	{ "no DT_SONAME", { { DT_STRTAB, SAMPLE_BASE + SAMPLE_DYNSTR_AT }, { DT_STRSZ, 32 } },
	  NULL },
	{ "no DT_STRTAB", { { DT_STRSZ, 32 }, { DT_SONAME, 1 } }, NULL },
	{ "no DT_STRSZ", { { DT_STRTAB, SAMPLE_BASE + SAMPLE_DYNSTR_AT }, { DT_SONAME, 1 } },
	  NULL },
	{ "outside of the table", { { DT_STRTAB, SAMPLE_BASE + SAMPLE_DYNSTR_AT }, { DT_STRSZ, 32 },
				    { DT_SONAME, 32 } }, NULL },
	{ "outside of the table, where a string is", { { DT_STRTAB, SAMPLE_BASE + 0x450 },
						       { DT_STRSZ, 32 }, { DT_SONAME, 0x31 } },
	  NULL },
	{ "far outside", { { DT_STRTAB, SAMPLE_BASE + SAMPLE_DYNSTR_AT }, { DT_STRSZ, UINT64_MAX },
			   { DT_SONAME, UINT64_MAX - 1 } }, NULL },
	{ "without its end", { { DT_STRTAB, SAMPLE_BASE + SAMPLE_DYNSTR_AT }, { DT_STRSZ, 8 },
			       { DT_SONAME, 1 } }, NULL },
	{ "in a table that no PT_LOAD maps", { { DT_STRTAB, 0x123 }, { DT_STRSZ, 32 },
					       { DT_SONAME, 1 } }, NULL },
	{ "in a table behind p_filesz", { { DT_STRTAB, SAMPLE_BASE + 0x1200 }, { DT_STRSZ, 32 },
					  { DT_SONAME, 1 } }, NULL },
};

START_TEST(soname_is_a_string_of_the_dynamic_string_table)
{
	for (int i = 0; i < N_ROWS(kinds); i++) {
		struct segmap_elf *elf;
		struct elffile file;

		elffile_sample(&file, kinds[i].is_32, kinds[i].is_big);
		for (size_t j = 0; j < 4; j++)
			elffile_dynamic(&file, SAMPLE_DYNAMIC_AT, j, dynamics[_i].rows[j].tag,
					dynamics[_i].rows[j].value);
		elf = parse_file(&file);
		assert_string(elf->soname, dynamics[_i].soname, dynamics[_i].claim);
		segmap_elf_free(elf);
		elffile_free(&file);
	}
}
END_TEST

/* As dynamic linkers do: no offset, no size of the header's is asked. */
static const struct {
	enum elffile_field field;
	uint64_t value;
	const char *soname;
} dynamic_places[] = {
	{ P_OFFSET, 0x100000, "libsample.so.1" },
	{ P_OFFSET, UINT64_MAX, "libsample.so.1" },
	{ P_OFFSET, SAMPLE_TEXT_AT, "libsample.so.1" },
	{ P_FILESZ, 0, "libsample.so.1" },
	{ P_FILESZ, 7, "libsample.so.1" },
	{ P_FILESZ, 32, "libsample.so.1" },
	{ P_FILESZ, UINT64_MAX, "libsample.so.1" },
	{ P_FILESZ, SEGMAP_MAX_DYNAMIC_BYTES + 1, "libsample.so.1" },
	{ P_VADDR, 0, NULL },
	{ P_VADDR, UINT64_MAX, NULL },
	{ P_VADDR, SAMPLE_BASE + 0x7f8, NULL },	 /* the last half of an entry in its segment */
	{ P_VADDR, SAMPLE_BASE + 0x800, NULL },	 /* behind that */
	{ P_VADDR, SAMPLE_BASE + 0x1800, NULL }, /* in .bss */
};

START_TEST(dynamic_section_is_where_it_will_be_in_memory)
{
	struct segmap_elf *elf;
	struct elffile file;

	elffile_sample(&file, false, false);
	elffile_set(&file, dynamic_places[_i].field, SAMPLE_DYNAMIC, dynamic_places[_i].value);
	elf = parse_file(&file);
	assert_string(elf->soname, dynamic_places[_i].soname, "soname");
	ck_assert_int_eq(elf->has_empty_dynamic, dynamic_places[_i].field == P_FILESZ &&
							 !dynamic_places[_i].value);
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

/* The first PT_LOAD ends within the dynamic section, but its last page does not. */
START_TEST(dynamic_section_goes_on_to_the_end_of_its_page)
{
	struct segmap_elf *elf;
	struct elffile file;

	elffile_sample(&file, false, false);
	elffile_set(&file, P_FILESZ, SAMPLE_TEXT_LOAD, SAMPLE_DYNAMIC_AT + 16);
	elffile_set(&file, P_MEMSZ, SAMPLE_TEXT_LOAD, SAMPLE_DYNAMIC_AT + 16 + _i);
	elf = parse_file(&file);
	assert_string(elf->soname, _i ? NULL : "libsample.so.1", "soname");
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

/* Where two PT_LOADs have a page, the bytes are the last one's. */
START_TEST(dynamic_section_is_that_of_the_last_segment_there)
{
	enum { AT = 0x2000 };
	struct segmap_elf *elf;
	struct elffile file;

	elffile_sample(&file, false, false);
	elffile_resize(&file, 0x3000);
	memcpy(file.bytes + AT, file.bytes + SAMPLE_DYNAMIC_AT, 0x100);
	elffile_set(&file, P_FILESZ, SAMPLE_TEXT_LOAD, 0x1200);
	elffile_set(&file, P_MEMSZ, SAMPLE_TEXT_LOAD, 0x1200);
	elffile_set(&file, P_OFFSET, SAMPLE_DATA_LOAD, AT);
	elffile_set(&file, P_VADDR, SAMPLE_DYNAMIC, SAMPLE_BASE + 0x1000);
	elf = parse_file(&file);
	assert_string(elf->soname, "libsample.so.1", "soname");
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

static const struct {
	const char *claim;
	uint64_t off, filesz;
	const char *interp;
} interps[] = {
	{ "with its NUL", SAMPLE_INTERP_AT, 11, "/lib/ld.so" },
	{ "with more behind it", SAMPLE_INTERP_AT, 20, "/lib/ld.so" },
	{ "without its NUL", SAMPLE_INTERP_AT, 10, NULL },
	{ "of no bytes", SAMPLE_INTERP_AT, 0, NULL },
	{ "behind the end", 0x100000, 11, NULL },
	{ "at the end of all offsets", UINT64_MAX, 11, NULL },
	{ "of all bytes there could be", SAMPLE_INTERP_AT, UINT64_MAX, "/lib/ld.so" },
};

START_TEST(interpreter_is_a_string)
{
	struct segmap_elf *elf;
	struct elffile file;

	elffile_sample(&file, false, false);
	elffile_set(&file, P_OFFSET, SAMPLE_INTERP, interps[_i].off);
	elffile_set(&file, P_FILESZ, SAMPLE_INTERP, interps[_i].filesz);
	elf = parse_file(&file);
	assert_string(elf->interp, interps[_i].interp, interps[_i].claim);
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

/* ------------------------------------------------------------ files that fail and change */

START_TEST(file_cut_at_any_length_is_parsed_or_refused)
{
	struct elf_scratch scratch = { 0 };
	struct elffile whole;

	elffile_sample(&whole, kinds[_i].is_32, kinds[_i].is_big);
	for (size_t size = 0; size <= whole.size; size++) {
		struct elffile cut = { .is_32 = whole.is_32, .is_big = whole.is_big };
		struct segmap_elf *elf = NULL;
		struct segmap_error *error;
		struct reader reader;

		elffile_resize(&cut, size); /* of exactly this size, for the sanitizer */
		memcpy(cut.bytes, whole.bytes, size);
		reader = reader_of(&cut);
		error = elf_parse(&reader.bytes, 0, PAGE, EVERYTHING, &scratch, &elf);
		ck_assert(!error || !elf);
		if (error)
			ck_assert(error->code == SEGMAP_ERROR_FORMAT ||
				  error->code == SEGMAP_ERROR_LIMIT);
		if (elf)
			check_elf(elf);
		/* Less than an ident is nothing; less than its headers is malformed. */
		ck_assert(size >= EI_NIDENT || (!error && !elf));
		ck_assert(size < EI_NIDENT || error || elf);
		ck_assert(size < whole.size || elf);
		segmap_error_free(error);
		segmap_elf_free(elf);
		elffile_free(&cut);
	}
	elf_scratch_free(&scratch);
	elffile_free(&whole);
}
END_TEST

/* The file is shorter than fstat said, from some byte on. */
START_TEST(file_truncated_meanwhile_is_an_error_or_lacks_something)
{
	struct elf_scratch scratch = { 0 };
	struct elffile file;

	elffile_sample(&file, kinds[_i].is_32, kinds[_i].is_big);
	/* At every byte of the headers, then here and there. */
	for (size_t held = 0; held < file.size; held += held < 0x500 ? 1 : 13) {
		struct reader reader = reader_of(&file);
		struct segmap_elf *elf = NULL;
		struct segmap_error *error;

		reader.held = held;
		error = elf_parse(&reader.bytes, 0, PAGE, EVERYTHING, &scratch, &elf);
		ck_assert(!error || !elf);
		if (error)
			ck_assert_int_eq(error->code, SEGMAP_ERROR_FORMAT);
		if (elf)
			check_elf(elf);
		segmap_error_free(error);
		segmap_elf_free(elf);
	}
	elf_scratch_free(&scratch);
	elffile_free(&file);
}
END_TEST

START_TEST(any_read_can_fail)
{
	for (unsigned int fail_at = 1; fail_at < 12; fail_at++) {
		for (int failure = -EIO; failure <= 0; failure += EIO) {
			struct segmap_elf *elf = NULL;
			struct segmap_error *error;
			struct elffile file;
			struct reader reader;

			/* Everything behind the first 4 KiB, so that it is many reads. */
			elffile_sample(&file, false, false);
			elffile_resize(&file, 0x4000);
			memcpy(file.bytes + 0x2000, file.bytes + SAMPLE_NOTE_AT, 0x300);
			elffile_set(&file, P_OFFSET, SAMPLE_NOTE, 0x2000);
			elffile_set(&file, P_FILESZ, SAMPLE_DATA_LOAD, 0x1200);
			elffile_set(&file, P_VADDR, SAMPLE_DYNAMIC, SAMPLE_BASE + 0x2080);
			elffile_set(&file, P_OFFSET, SAMPLE_INTERP, 0x2140);
			reader = reader_of(&file);
			reader.fail_at = fail_at;
			reader.failure = failure;
			error = parse(&reader, 0, &elf);
			ck_assert(!error || !elf);
			if (error && failure) {
				ck_assert_int_eq(error->code, SEGMAP_ERROR_SYSTEM);
				ck_assert_str_eq(error->what, "sample");
			} else if (error) {
				ck_assert_int_eq(error->code, SEGMAP_ERROR_FORMAT);
			}
			ck_assert(error || !failure || reader.n_reads < fail_at);
			if (elf)
				check_elf(elf);
			segmap_error_free(error);
			segmap_elf_free(elf);
			elffile_free(&file);
		}
	}
}
END_TEST

/*
 * The count of sections in sh_size of the first header, which is read once to
 * decide how much to read and stands again in what is read then.
 */
START_TEST(count_that_grows_between_two_reads_is_not_believed)
{
	static const uint64_t counts[] = { SAMPLE_SHDRS + 1, 1000, 30000, 1ull << 40, 0 };
	enum { BEFORE = 30000 };
	struct elf_scratch scratch = { 0 };
	struct segmap_elf *elf = NULL;
	struct segmap_error *error;
	struct elffile file, before;
	struct reader reader;

	/* A file before it has left section headers of its own in the scratch memory. */
	elffile_sample(&before, false, false);
	elffile_resize(&before, 0x2000 + BEFORE * sizeof(Elf64_Shdr));
	memmove(before.bytes + 0x2000, before.bytes + SAMPLE_SHDRS_AT,
		SAMPLE_SHDRS * sizeof(Elf64_Shdr));
	elffile_set(&before, E_SHOFF, 0, 0x2000);
	elffile_set(&before, E_SHNUM, 0, BEFORE);
	for (size_t i = SAMPLE_SHDRS; i < BEFORE; i++)
		elffile_set(&before, SH_TYPE, i, SHT_PROGBITS);
	reader = reader_of(&before);
	unit_no_error(elf_parse(&reader.bytes, 0, PAGE, SEGMAP_WANT_SONAME, &scratch, &elf));
	segmap_elf_free(elf);
	elf = NULL;

	elffile_sample(&file, false, false);
	elffile_set(&file, SH_SIZE, 0, SAMPLE_SHDRS);
	elffile_set(&file, E_SHNUM, 0, 0);
	reader = reader_of(&file);
	reader.change_at = 3; /* the head, the first header, then the table */
	reader.change_off = SAMPLE_SHDRS_AT + offsetof(Elf64_Shdr, sh_size);
	reader.change_size = 8;
	for (size_t i = 0; i < 8; i++)
		reader.change[i] = (unsigned char)(counts[_i] >> 8 * i);
	error = elf_parse(&reader.bytes, 0, PAGE, SEGMAP_WANT_SONAME, &scratch, &elf);
	ck_assert_uint_ge(reader.n_reads, 3);
	if (elf) {
		ck_assert_uint_lt(elf->n_sections, SAMPLE_SHDRS);
		check_elf(elf);
	}
	segmap_error_free(error);
	segmap_elf_free(elf);
	elf_scratch_free(&scratch);
	elffile_free(&before);
	elffile_free(&file);
}
END_TEST

START_TEST(random_damage_never_crashes)
{
	uint64_t state = 0xe1f + (uint64_t)_i;
	struct elf_scratch scratch = { 0 };
	struct elffile whole;

	elffile_sample(&whole, kinds[_i % 4].is_32, kinds[_i % 4].is_big);
	for (int round = 0; round < 300; round++) {
		struct elffile file = whole;
		struct segmap_elf *elf = NULL;
		struct segmap_error *error;
		struct reader reader;

		file.bytes = malloc(whole.size);
		ck_assert_ptr_nonnull(file.bytes);
		memcpy(file.bytes, whole.bytes, whole.size);
		for (uint64_t i = 0; i <= unit_random(&state) % 8; i++) {
			/* Mostly in the headers, mostly extreme. */
			uint64_t random = unit_random(&state);
			size_t at = random & 1 ? SAMPLE_SHDRS_AT + (random >> 20) %
								(whole.size - SAMPLE_SHDRS_AT) :
				    random & 2 ? (random >> 20) % 0x1d0 :
						 (random >> 20) % whole.size;
			static const unsigned char extremes[] = { 0, 1, 0x7f, 0x80, 0xff };

			file.bytes[at] = random & 4 ? extremes[(random >> 8) % 5] :
						      (unsigned char)(random >> 8);
		}
		reader = reader_of(&file);
		error = elf_parse(&reader.bytes, 0, PAGE, EVERYTHING, &scratch, &elf);
		ck_assert(!error || !elf);
		if (elf)
			check_elf(elf);
		segmap_error_free(error);
		segmap_elf_free(elf);
		elffile_free(&file);
	}
	elf_scratch_free(&scratch);
	elffile_free(&whole);
}
END_TEST

START_TEST(magic_needs_a_whole_ident)
{
	ck_assert(elf_has_magic("\177ELF\2\1\1\0\0\0\0\0\0\0\0", EI_NIDENT));
	ck_assert(!elf_has_magic("\177ELF\2\1\1\0\0\0\0\0\0\0\0", EI_NIDENT - 1));
	ck_assert(!elf_has_magic("\177elf\2\1\1\0\0\0\0\0\0\0\0", EI_NIDENT));
	ck_assert(!elf_has_magic("", 0));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("read/elf");
	TCase *good = unit_case(suite, "well-formed"), *bad = unit_case(suite, "malformed");
	TCase *sections = unit_case(suite, "sections"), *sparse = unit_case(suite, "sparse");
	TCase *notes_case = unit_case(suite, "notes"), *strings = unit_case(suite, "strings");
	TCase *changing = unit_case(suite, "changing"), *parts = unit_case(suite, "parts");

	tcase_add_loop_test(good, reads_either_class_and_byte_order, 0, 4);
	tcase_add_loop_test(good, segments_are_the_loads_and_relro_with_their_rows, 0, 4);
	tcase_add_loop_test(good, sections_are_those_of_the_table, 0, 4);
	tcase_add_test(good, soname_is_looked_for_only_if_it_is_wanted);
	tcase_add_test(good, page_size_is_the_callers);
	tcase_add_loop_test(good, program_headers_can_overlap_the_elf_header, 0, 2);
	tcase_add_loop_test(good, strings_can_be_in_the_elf_header, 0, N_ROWS(kinds));
	tcase_add_loop_test(good, another_machines_file_is_foreign, 0, N_ROWS(machines));
	tcase_add_loop_test(good, ident_of_the_own_machine_is_not_looked_at, 0,
			    N_ROWS(own_machines) * N_ROWS(misleading));
#ifdef __x86_64__
	tcase_add_test(good, the_kernel_knows_i386_by_another_number_too);
	tcase_add_loop_test(good, x32_has_32_bits, 0, 4);
	tcase_add_loop_test(good, header_that_ends_early_goes_on_with_zeros, EI_NIDENT,
			    sizeof(Elf32_Ehdr) + 1);
#endif
	tcase_add_loop_test(good, object_inside_a_file_is_the_same_but_for_its_offset, 0, 20);
	tcase_add_test(good, scratch_memory_is_used_again_and_changes_nothing);
	tcase_add_test(good, magic_needs_a_whole_ident);
	tcase_add_loop_test(bad, what_no_loader_maps_is_no_object_and_no_error, 0,
			    N_ROWS(no_elf_files));
	tcase_add_loop_test(bad, headers_that_lie_are_an_error_with_a_reason, 0, N_ROWS(refused));
	tcase_add_loop_test(bad, unknown_ident_of_another_machine_is_an_error, 0, N_ROWS(idents));
	tcase_add_loop_test(bad, file_without_program_headers_has_no_segments, 0, 4);
	tcase_add_test(bad, segments_that_wrap_are_only_those_that_are_used);
	tcase_add_loop_test(sections, bad_section_headers_leave_the_segments_alone, 0,
			    N_ROWS(bad_tables));
	tcase_add_loop_test(sections, count_and_name_table_can_be_in_the_first_section_header, 0,
			    4);
	tcase_add_loop_test(sections, more_sections_than_16_bits_count, 0, 2);
	tcase_add_test(sections, name_that_does_not_end_is_cut_at_the_end_of_the_table);
	tcase_add_test(sections, name_table_of_zeros_has_empty_names);
	tcase_add_test(sections, empty_name_table_has_empty_names);
	tcase_add_loop_test(sections, name_outside_of_the_table_is_empty, 0, 4);
	tcase_add_test(sections, overlapping_names_cannot_make_much_text);
	tcase_add_loop_test(sections, section_that_wraps_around_is_left_out_alone, 0, 3);
	tcase_add_loop_test(parts, parts_are_named_by_program_and_dynamic_headers, 0, 8);
	tcase_add_loop_test(parts, hash_entries_are_as_wide_as_the_machine_has_them, 0, 16);
	tcase_add_loop_test(parts, of_several_dynamic_sections_the_last_counts, 0, N_ROWS(kinds));
	tcase_add_loop_test(parts, bare_file_has_no_parts_either, 0, 4);
	tcase_add_loop_test(parts, hostile_hash_tables_cost_nothing, 0, 9);
	tcase_add_loop_test(parts, more_hash_buckets_than_16_bits_count, 0, 2);
	tcase_add_loop_test(parts, loaded_image_has_parts_and_its_soname, 0, 2);
	tcase_add_loop_test(parts, the_most_that_is_read_of_a_file_fits, 0, 2);
	tcase_add_test(sparse, table_that_is_not_on_disk_is_not_believed);
	tcase_add_test(sparse, name_table_that_is_not_on_disk_is_not_believed);
	tcase_add_test(sparse, small_tables_need_no_blocks);
	tcase_add_test(sparse, file_that_says_it_is_enormous_costs_nothing);
	tcase_add_loop_test(notes_case, build_id_is_gnus_note_of_its_type, 0, N_ROWS(notes));
	tcase_add_test(notes_case, build_id_can_follow_other_notes);
	tcase_add_test(notes_case, build_id_can_be_in_a_later_pt_note);
	tcase_add_loop_test(notes_case, malformed_note_is_no_build_id, 0, N_ROWS(malformed_notes));
	tcase_add_loop_test(notes_case, notes_that_are_not_there_are_no_error, 0, 5);
	tcase_add_loop_test(strings, soname_is_a_string_of_the_dynamic_string_table, 0,
			    N_ROWS(dynamics));
	tcase_add_loop_test(strings, dynamic_section_is_where_it_will_be_in_memory, 0,
			    N_ROWS(dynamic_places));
	tcase_add_loop_test(strings, dynamic_section_goes_on_to_the_end_of_its_page, 0, 2);
	tcase_add_test(strings, dynamic_section_is_that_of_the_last_segment_there);
	tcase_add_loop_test(strings, interpreter_is_a_string, 0, N_ROWS(interps));
	tcase_add_loop_test(changing, file_cut_at_any_length_is_parsed_or_refused, 0, 4);
	tcase_add_loop_test(changing, file_truncated_meanwhile_is_an_error_or_lacks_something, 0,
			    4);
	tcase_add_test(changing, any_read_can_fail);
	tcase_add_loop_test(changing, count_that_grows_between_two_reads_is_not_believed, 0, 5);
	tcase_add_loop_test(changing, random_damage_never_crashes, 0, 24);
	return unit_run(suite);
}
