/* tests/library/calls.c - what the headers promise to those who call the library themselves. */
#include "../unit/unit.h"
#include <elf.h>
#include <segmap/segmap.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NATIVE (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB)

/* The smallest core that speaks of a file: one mapping of "/none". */
struct smallest_core {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdrs[2];
	uint32_t unused; /* so that nothing is between a note's name and its contents */
	Elf64_Nhdr nhdr;
	char name[8];
	uint64_t count, page_size, mapping[3];
	char path[8];
};

/* Written into a file of its own, whose name @path becomes. */
static void write_core(char *path)
{
	struct smallest_core core = {
		.ehdr = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, NATIVE, EV_CURRENT },
			  .e_type = ET_CORE,
			  .e_machine = EM_X86_64,
			  .e_version = EV_CURRENT,
			  .e_phoff = offsetof(struct smallest_core, phdrs),
			  .e_ehsize = sizeof(Elf64_Ehdr),
			  .e_phentsize = sizeof(Elf64_Phdr),
			  .e_phnum = 2 },
		.phdrs = { { .p_type = PT_NOTE,
			     .p_offset = offsetof(struct smallest_core, nhdr),
			     .p_filesz = sizeof(core) - offsetof(struct smallest_core, nhdr) },
			   { .p_type = PT_LOAD, .p_vaddr = 0x10000, .p_memsz = 0x1000 } },
		.nhdr = { .n_namesz = 5,
			  .n_descsz = sizeof(core) - offsetof(struct smallest_core, count),
			  .n_type = NT_FILE },
		.name = "CORE",
		.count = 1,
		.page_size = 0x1000,
		.mapping = { 0x10000, 0x11000, 0 },
		.path = "/none",
	};
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, &core, sizeof(core)), sizeof(core));
	close(fd);
}

START_TEST(a_core_keeps_what_it_needs_of_where_files_are)
{
	char path[] = "/tmp/segmap-core-XXXXXX", *sysroot = strdup("/proc/self");
	struct segmap_elsewhere elsewhere = { .sysroot = sysroot };
	struct segmap_files *files = NULL;
	struct segmap_core *core = NULL;
	struct segmap_layout *layout = NULL;
	bool found = false;

	write_core(path);
	unit_no_error(segmap_files_new(4096, 0, &files));
	unit_no_error(segmap_core_begin(path, &elsewhere, &core));
	unlink(path); /* it is open */
	memset(sysroot, 'x', strlen(sysroot));
	free(sysroot);
	unit_no_error(segmap_core_read(core, files, &layout));
	segmap_core_free(core);
	unit_no_error(segmap_files_parse(files, layout));
	for (size_t i = 0; i < layout->n_notes; i++)
		found |= strcmp(layout->notes[i], "/none: it is not there below /proc/self") == 0;
	ck_assert(found);
	segmap_layout_free(layout);
	segmap_files_free(files);
}
END_TEST

/* This process, correlated. */
static struct segmap_layout *look_at_this_process(struct segmap_files *files, unsigned int wanted)
{
	struct segmap_layout *layout = NULL;

	unit_no_error(segmap_process_open_memory(getpid(), files, wanted, &layout));
	unit_no_error(segmap_files_parse(files, layout));
	unit_no_error(segmap_layout_correlate(layout));
	return layout;
}

START_TEST(symbols_of_no_directory_are_an_error_that_names_it)
{
	struct segmap_files *files = NULL;
	struct segmap_symbols *symbols = NULL;
	struct segmap_layout *layout;
	struct segmap_error *error;

	unit_no_error(segmap_files_new((uint64_t)sysconf(_SC_PAGESIZE), 0, &files));
	layout = look_at_this_process(files, 0);
	error = segmap_symbols_new(layout, "/nonexistent", &symbols);
	ck_assert(error && strcmp(error->what, "/nonexistent") == 0);
	unit_error(error, SEGMAP_ERROR_SYSTEM, "No such file");
	ck_assert_ptr_null(symbols);
	segmap_layout_free(layout);
	segmap_files_free(files);
}
END_TEST

START_TEST(pages_and_the_sum_come_with_the_figures)
{
	struct segmap_files *files = NULL;
	struct segmap_layout *layout;

	unit_no_error(segmap_files_new((uint64_t)sysconf(_SC_PAGESIZE), 0, &files));
	layout = look_at_this_process(files, _i ? SEGMAP_WANT_PAGES : SEGMAP_WANT_ROLLUP);
	ck_assert(layout->memory->n_figures > 0);
	if (_i) {
		unit_no_error(segmap_layout_read_pages(layout, SEGMAP_PAGES_OF_IMAGES));
		unit_no_error(segmap_layout_account(layout));
		ck_assert(layout->memory->pages.known && layout->memory->pages.n_runs > 0);
		ck_assert(layout->memory->pieces != NULL);
	}
	segmap_layout_free(layout);
	segmap_files_free(files);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("calls");
	TCase *tc = unit_case(suite, "what is promised");

	tcase_add_test(tc, a_core_keeps_what_it_needs_of_where_files_are);
	tcase_add_test(tc, symbols_of_no_directory_are_an_error_that_names_it);
	tcase_add_loop_test(tc, pages_and_the_sum_come_with_the_figures, 0, 2);
	return unit_run(suite);
}
