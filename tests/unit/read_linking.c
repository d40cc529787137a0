/* tests/unit/read_linking.c - what the dynamic section tells the dynamic linker. */
#include "read/elf.h"
#include "read/bytes.h"
#include "elffile.h"
#include "unit.h"
#include <elf.h>
#include <segmap/limits.h>
#include <stdlib.h>
#include <string.h>

enum {
	PAGE = 4096,
	DYNAMIC_AT = 0x2000, STRINGS_AT = 0x2400, NEED_AT = 0x2600, DEF_AT = 0x2800,
	END = 0x2a00,
	WANTS = SEGMAP_WANT_SONAME | SEGMAP_WANT_LINKING,
};

static const struct {
	bool is_32, is_big;
} kinds[] = { { false, false }, { true, false }, { false, true }, { true, true } };

/* Offsets of these names in the string table. */
#define NAMES "\0liba.so\0libb.so\0libf.so\0$ORIGIN/r\0/run\0V1\0V2\0libme.so"
enum { LIBA = 1, LIBB = 9, LIBF = 17, RPATH = 25, RUNPATH = 35, V1 = 40, V2 = 43, LIBME = 46 };

static void put_record(struct elffile *file, size_t at, const char *widths, const uint64_t *values)
{
	for (size_t i = 0; widths[i]; i++) {
		unsigned int width = (unsigned int)(widths[i] - '0');

		elffile_put(file, at, width, values[i]);
		at += width;
	}
}

#define PUT(file, at, widths, ...) put_record(file, at, widths, (const uint64_t[]){ __VA_ARGS__ })

/* The sample with all that is looked for, and tables that its first PT_LOAD maps. */
static void make(struct elffile *file, bool is_32, bool is_big)
{
	static const struct {
		uint64_t tag, value;
	} rows[] = {
		{ DT_NEEDED, LIBB }, { DT_NEEDED, LIBA }, { DT_AUXILIARY, LIBF },
		{ DT_FILTER, LIBA }, { DT_NEEDED, 0x7000 }, { DT_SONAME, LIBME },
		{ DT_RPATH, RPATH }, { DT_RUNPATH, RUNPATH }, { DT_FLAGS, DF_BIND_NOW | DF_ORIGIN },
		{ DT_FLAGS_1, DF_1_NODEFLIB }, { DT_INIT_ARRAYSZ, 8 },
		{ DT_STRTAB, SAMPLE_BASE + STRINGS_AT }, { DT_STRSZ, sizeof(NAMES) },
		{ DT_VERNEED, SAMPLE_BASE + NEED_AT }, { DT_VERNEEDNUM, 2 },
		{ DT_VERDEF, SAMPLE_BASE + DEF_AT }, { DT_VERDEFNUM, 2 }, { DT_NULL, 0 },
		{ DT_NEEDED, LIBF },
	};
	size_t n = sizeof(rows) / sizeof(rows[0]);

	elffile_sample(file, is_32, is_big);
	elffile_resize(file, END);
	elffile_set(file, P_FILESZ, SAMPLE_TEXT_LOAD, END);
	elffile_set(file, P_MEMSZ, SAMPLE_TEXT_LOAD, END);
	elffile_set(file, P_VADDR, SAMPLE_DATA_LOAD, SAMPLE_BASE + 0x100000); /* out of its way */
	elffile_set(file, P_OFFSET, SAMPLE_DYNAMIC, DYNAMIC_AT);
	elffile_set(file, P_VADDR, SAMPLE_DYNAMIC, SAMPLE_BASE + DYNAMIC_AT);
	elffile_set(file, P_FILESZ, SAMPLE_DYNAMIC, n * (is_32 ? 8 : 16));
	for (size_t i = 0; i < n; i++)
		elffile_dynamic(file, DYNAMIC_AT, i, rows[i].tag, rows[i].value);
	memcpy(file->bytes + STRINGS_AT, NAMES, sizeof(NAMES));
	/* Elf64_Verneed and Elf64_Vernaux; Elf64_Verdef and Elf64_Verdaux (gABI, LSB). */
	PUT(file, NEED_AT, "22444", 1, 2, LIBA, 16, 48);
	PUT(file, NEED_AT + 16, "42244", 0x11, 0, 2, V1, 16);
	PUT(file, NEED_AT + 32, "42244", 0x22, VER_FLG_WEAK, 3, V2, 0);
	PUT(file, NEED_AT + 48, "22444", 1, 1, LIBB, 16, 0);
	PUT(file, NEED_AT + 64, "42244", 0x22, 0, 4, V2, 0);
	PUT(file, DEF_AT, "2222444", 1, 1, 1, 1, 0x33, 20, 28);
	PUT(file, DEF_AT + 20, "44", LIBME, 0);
	PUT(file, DEF_AT + 28, "2222444", 1, 0, 2, 1, 0x11, 20, 0);
	PUT(file, DEF_AT + 48, "44", V1, 0);
}

static struct segmap_error *parse(const struct elffile *file, unsigned int wants,
				  struct segmap_elf **ret)
{
	struct elf_scratch scratch = { 0 };
	const struct bytes bytes = { .read = bytes_read_buffer, .name = "sample",
				     .size = file->size, .on_disk = file->size,
				     .memory = file->bytes };
	struct segmap_error *error = elf_parse(&bytes, 0, PAGE, wants, &scratch, ret);

	elf_scratch_free(&scratch);
	return error;
}

static void assert_version(const struct segmap_version *version, const char *file, const char *name,
			   uint32_t hash, bool weak)
{
	ck_assert_str_eq(version->name, name);
	if (file)
		ck_assert_str_eq(version->file, file);
	else
		ck_assert_ptr_null(version->file);
	ck_assert_uint_eq(version->hash, hash);
	ck_assert(version->weak == weak);
}

START_TEST(linking_is_what_the_dynamic_section_says)
{
	const struct segmap_linking *linking;
	struct segmap_elf *elf = NULL;
	struct elffile file;

	make(&file, kinds[_i].is_32, kinds[_i].is_big);
	unit_no_error(parse(&file, WANTS, &elf));
	linking = elf->linking;
	ck_assert_ptr_nonnull(linking);
	ck_assert_str_eq(elf->soname, "libme.so");
	ck_assert_uint_eq(linking->n_needed, 4);
	ck_assert_str_eq(linking->needed[0].name, "libb.so");
	ck_assert_str_eq(linking->needed[1].name, "liba.so");
	ck_assert_str_eq(linking->needed[2].name, "libf.so");
	ck_assert(linking->needed[2].kind == SEGMAP_AUXILIARY);
	ck_assert(linking->needed[3].kind == SEGMAP_FILTER);
	ck_assert_str_eq(linking->rpath, "$ORIGIN/r");
	ck_assert_str_eq(linking->runpath, "/run");
	ck_assert_uint_eq(linking->flags, DF_BIND_NOW | DF_ORIGIN);
	ck_assert_uint_eq(linking->flags_1, DF_1_NODEFLIB);
	ck_assert(linking->bind_now && linking->has_constructors);
	ck_assert_uint_eq(linking->n_wanted, 3);
	assert_version(&linking->wanted[0], "liba.so", "V1", 0x11, false);
	assert_version(&linking->wanted[1], "liba.so", "V2", 0x22, true);
	assert_version(&linking->wanted[2], "libb.so", "V2", 0x22, false);
	ck_assert_uint_eq(linking->n_defined, 2);
	assert_version(&linking->defined[0], NULL, "libme.so", 0x33, false);
	assert_version(&linking->defined[1], NULL, "V1", 0x11, false);
	ck_assert(linking->defines_versions && !linking->versions_cut_short);
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

START_TEST(linking_is_looked_for_only_if_it_is_wanted)
{
	struct segmap_elf *elf = NULL;
	struct elffile file;

	make(&file, false, false);
	unit_no_error(parse(&file, SEGMAP_WANT_SONAME, &elf));
	ck_assert_ptr_null(elf->linking);
	ck_assert_str_eq(elf->soname, "libme.so");
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

/* A string table that is too large to be read whole is read name by name. */
START_TEST(a_large_string_table_is_read_name_by_name)
{
	enum { BIG = SEGMAP_MAX_STRINGS_BYTES + 0x1000, LONG = 300 };
	struct segmap_elf *elf = NULL;
	struct elffile file;
	char name[LONG + 1];

	make(&file, kinds[_i].is_32, kinds[_i].is_big);
	elffile_resize(&file, STRINGS_AT + BIG + 0x100);
	elffile_set(&file, P_FILESZ, SAMPLE_TEXT_LOAD, file.size);
	elffile_set(&file, P_MEMSZ, SAMPLE_TEXT_LOAD, file.size);
	elffile_dynamic(&file, DYNAMIC_AT, 12, DT_STRSZ, BIG);
	elffile_dynamic(&file, DYNAMIC_AT, 0, DT_NEEDED, BIG - LONG - 1);
	elffile_dynamic(&file, DYNAMIC_AT, 4, DT_NEEDED, BIG - 1); /* its last byte: "" */
	memset(name, 'n', LONG);
	name[LONG] = '\0';
	memcpy(file.bytes + STRINGS_AT + BIG - LONG - 1, name, LONG);
	unit_no_error(parse(&file, WANTS, &elf));
	ck_assert_str_eq(elf->linking->needed[0].name, name);
	ck_assert_str_eq(elf->linking->needed[1].name, "liba.so");
	ck_assert_str_eq(elf->linking->needed[4].name, "");
	ck_assert_uint_eq(elf->linking->n_wanted, 3);
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

/* Chains that go back, out of the table, or that say another version. */
static const struct {
	const char *claim;
	size_t at;
	unsigned int width;
	uint64_t value;
	size_t n_wanted, n_defined;
} damages[] = {
	{ "a need out of the table", NEED_AT + 12, 4, 0x7fffffff, 2, 2 },
	{ "names out of the table", NEED_AT + 8, 4, 0xfffffff0, 0, 2 },
	{ "a need of another version", NEED_AT, 2, 2, 0, 2 },
	{ "a name that is no string", NEED_AT + 16 + 8, 4, 0x7fff, 0, 2 },
	{ "names that never end", NEED_AT + 64 + 12, 4, 0xffffffff, 3, 2 },
	{ "a definition out of the table", DEF_AT + 16, 4, 0x10000, 3, 1 },
	{ "a definition of another version", DEF_AT + 28, 2, 3, 3, 1 },
	{ "a definition without its name", DEF_AT + 12, 4, 0x10000, 3, 0 },
};

START_TEST(versions_are_believed_up_to_what_is_damaged)
{
	struct segmap_elf *elf = NULL;
	struct elffile file;

	make(&file, false, false);
	elffile_put(&file, damages[_i].at, damages[_i].width, damages[_i].value);
	unit_no_error(parse(&file, WANTS, &elf));
	ck_assert_msg(elf->linking->n_wanted == damages[_i].n_wanted &&
			      elf->linking->n_defined == damages[_i].n_defined &&
			      elf->linking->versions_cut_short,
		      "%s: %zu wanted, %zu defined", damages[_i].claim, elf->linking->n_wanted,
		      elf->linking->n_defined);
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

/* Each record of a chain leads to itself: it ends all the same. */
START_TEST(a_chain_of_no_end_is_bounded)
{
	struct segmap_elf *elf = NULL;
	struct elffile file;

	make(&file, false, false);
	/* Each offset wraps a 32-bit sum around to the record itself; here it leads out. */
	elffile_put(&file, NEED_AT + 32 + 12, 4, 0xfffffff0);
	elffile_put(&file, DEF_AT + 28 + 16, 4, 0xffffffe4);
	unit_no_error(parse(&file, WANTS, &elf));
	ck_assert(elf->linking->versions_cut_short);
	ck_assert_uint_le(elf->linking->n_wanted, SEGMAP_MAX_VERSIONS);
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

START_TEST(more_libraries_than_are_believed_are_an_error)
{
	struct segmap_elf *elf = NULL;
	struct segmap_error *error;
	struct elffile file;

	make(&file, false, false);
	elffile_resize(&file, END + (SEGMAP_MAX_NEEDED + 16) * 16);
	elffile_set(&file, P_FILESZ, SAMPLE_TEXT_LOAD, file.size);
	elffile_set(&file, P_MEMSZ, SAMPLE_TEXT_LOAD, file.size);
	elffile_set(&file, P_VADDR, SAMPLE_DYNAMIC, SAMPLE_BASE + END);
	elffile_set(&file, P_FILESZ, SAMPLE_DYNAMIC, (SEGMAP_MAX_NEEDED + 4) * 16);
	elffile_dynamic(&file, END, 0, DT_STRTAB, SAMPLE_BASE + STRINGS_AT);
	elffile_dynamic(&file, END, 1, DT_STRSZ, sizeof(NAMES));
	for (size_t i = 0; i <= SEGMAP_MAX_NEEDED; i++)
		elffile_dynamic(&file, END, i + 2, DT_NEEDED, LIBA);
	error = parse(&file, WANTS, &elf);
	ck_assert_ptr_nonnull(error);
	ck_assert_int_eq(error->code, SEGMAP_ERROR_LIMIT);
	ck_assert_ptr_null(elf);
	segmap_error_free(error);
	elffile_free(&file);
}
END_TEST

START_TEST(the_abi_note_tells_of_glibcs_start_files)
{
	static const uint32_t desc[4] = { 0, 3, 2, 0 };
	struct segmap_elf *elf = NULL;
	struct elffile file;
	size_t end;

	make(&file, kinds[_i].is_32, kinds[_i].is_big);
	unit_no_error(parse(&file, WANTS, &elf));
	ck_assert(!elf->abi_note && elf->build_id);
	segmap_elf_free(elf);
	elf = NULL;
	/* Behind the build-id, in the same segment. */
	end = elffile_note(&file, SAMPLE_NOTE_AT + SAMPLE_NOTE_SIZE, 4, NT_GNU_ABI_TAG, "GNU", 4,
			   desc, sizeof(desc));
	elffile_set(&file, P_FILESZ, SAMPLE_NOTE, end - SAMPLE_NOTE_AT);
	unit_no_error(parse(&file, WANTS, &elf));
	ck_assert(elf->abi_note);
	ck_assert_str_eq(elf->build_id, SAMPLE_BUILD_ID);
	segmap_elf_free(elf);
	elffile_free(&file);
}
END_TEST

/* What is parsed of a damaged file can be read to its end. */
static void read_all(const struct segmap_linking *linking)
{
	size_t total = 0;

	for (size_t i = 0; i < linking->n_needed; i++)
		total += strlen(linking->needed[i].name);
	for (size_t i = 0; i < linking->n_wanted; i++)
		total += strlen(linking->wanted[i].name) + strlen(linking->wanted[i].file);
	for (size_t i = 0; i < linking->n_defined; i++)
		total += strlen(linking->defined[i].name);
	total += strlen(linking->rpath ? linking->rpath : "");
	total += strlen(linking->runpath ? linking->runpath : "");
	ck_assert_uint_lt(total, 64 * 1024 * 1024);
}

START_TEST(random_damage_never_crashes)
{
	uint64_t state = (uint64_t)_i + 1;

	for (int round = 0; round < 300; round++) {
		struct segmap_elf *elf = NULL;
		struct segmap_error *error;
		struct elffile file;

		make(&file, kinds[_i & 3].is_32, kinds[_i & 3].is_big);
		for (uint64_t i = 0; i <= unit_random(&state) % 6; i++) {
			uint64_t random = unit_random(&state);

			file.bytes[DYNAMIC_AT + (random >> 16) % (END - DYNAMIC_AT)] =
				random & 1 ? 0xff : (unsigned char)(random >> 8);
		}
		error = parse(&file, WANTS, &elf);
		ck_assert(!error || !elf);
		if (elf && elf->linking)
			read_all(elf->linking);
		segmap_error_free(error);
		segmap_elf_free(elf);
		elffile_free(&file);
	}
}
END_TEST

START_TEST(a_file_cut_anywhere_is_harmless)
{
	struct elffile whole;

	make(&whole, kinds[_i].is_32, kinds[_i].is_big);
	for (size_t size = DYNAMIC_AT; size <= whole.size; size += 7) {
		struct elffile cut = { .is_32 = whole.is_32, .is_big = whole.is_big };
		struct segmap_elf *elf = NULL;

		elffile_resize(&cut, size);
		memcpy(cut.bytes, whole.bytes, size);
		segmap_error_free(parse(&cut, WANTS, &elf));
		if (elf && elf->linking)
			read_all(elf->linking);
		segmap_elf_free(elf);
		elffile_free(&cut);
	}
	elffile_free(&whole);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("read/linking");
	TCase *tcase = unit_case(suite, "linking");

	tcase_add_loop_test(tcase, linking_is_what_the_dynamic_section_says, 0, 4);
	tcase_add_test(tcase, linking_is_looked_for_only_if_it_is_wanted);
	tcase_add_loop_test(tcase, a_large_string_table_is_read_name_by_name, 0, 4);
	tcase_add_loop_test(tcase, versions_are_believed_up_to_what_is_damaged, 0,
			    N_ROWS(damages));
	tcase_add_test(tcase, a_chain_of_no_end_is_bounded);
	tcase_add_test(tcase, more_libraries_than_are_believed_are_an_error);
	tcase_add_loop_test(tcase, the_abi_note_tells_of_glibcs_start_files, 0, 4);
	tcase_add_loop_test(tcase, random_damage_never_crashes, 0, 8);
	tcase_add_loop_test(tcase, a_file_cut_anywhere_is_harmless, 0, 4);
	return unit_run(suite);
}
