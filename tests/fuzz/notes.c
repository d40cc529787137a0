/* tests/fuzz/notes.c - notes alone, without the headers that lead to them: of a program, and of a core. */
#include "fuzz.h"
#include "read/bytes.h"
#include "read/elf.h"
#include <elf.h>
#include <segmap/core.h>
#include <segmap/limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An ELF file with two program headers, behind which the notes stand. */
struct file {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdrs[2];
	uint8_t notes[];
};

static struct file *make_file(unsigned int type, const uint8_t *notes, size_t size, uint64_t align)
{
	struct file *file = malloc(sizeof(*file) + size);

	FUZZ_CHECK(file);
	*file = (struct file){
		.ehdr = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			  .e_type = (Elf64_Half)type, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
			  .e_phoff = offsetof(struct file, phdrs), .e_ehsize = sizeof(Elf64_Ehdr),
			  .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 2 },
		.phdrs = { { .p_type = PT_LOAD, .p_flags = PF_R, .p_vaddr = 0x1000, .p_memsz = 0x1000 },
			   { .p_type = PT_NOTE, .p_offset = sizeof(*file), .p_filesz = size,
			     .p_memsz = size, .p_align = align } },
	};
	memcpy(file->notes, notes, size);
	return file;
}

static void parse_program(const uint8_t *notes, size_t size, uint64_t align)
{
	struct file *file = make_file(ET_DYN, notes, size, align);
	struct bytes bytes = { .read = bytes_read_buffer, .name = "input",
			       .size = sizeof(*file) + size, .on_disk = sizeof(*file) + size,
			       .memory = file };
	static struct elf_scratch scratch; /* of all inputs: to get it anew costs more than they do */
	struct segmap_elf *elf = NULL;

	FUZZ_CHECK(fuzz_ok(elf_parse(&bytes, 0, 4096, SEGMAP_WANT_LINKING, &scratch, &elf)));
	FUZZ_CHECK(!elf->build_id || strlen(elf->build_id) <= 2 * SEGMAP_MAX_BUILD_ID);
	segmap_elf_free(elf);
	free(file);
}

static void parse_core(const uint8_t *notes, size_t size)
{
	struct file *file = make_file(ET_CORE, notes, size, 4);
	struct segmap_elsewhere elsewhere = { .sysroot = fuzz_empty_directory() };
	int fd = fuzz_file(file, sizeof(*file) + size);
	struct segmap_layout *layout;
	struct segmap_files *files;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	FUZZ_CHECK(fuzz_ok(segmap_files_new(4096, 0, &files)));
	if (fuzz_ok(segmap_core_open(path, &elsewhere, files, &layout)))
		segmap_layout_free(layout);
	segmap_files_free(files);
	close(fd);
	free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	parse_program(data, size, 4);
	parse_program(data, size, 8);
	parse_core(data, size);
	return 0;
}
