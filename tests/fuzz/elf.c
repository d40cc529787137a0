/* tests/fuzz/elf.c - an ELF image: as a file, as what is in memory of one, and for other pages. */
#include "read/elf.h"
#include "fuzz.h"
#include "model/elf.h"
#include "read/bytes.h"
#include <segmap/limits.h>
#include <string.h>

/* Sorted, without overlap, and each of a section that is there. */
static void check_labels(const struct segmap_elf *elf, const struct segmap_label *labels, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		FUZZ_CHECK(labels[i].start < labels[i].end);
		FUZZ_CHECK(!i || labels[i - 1].end <= labels[i].start);
		FUZZ_CHECK(labels[i].kind != SEGMAP_LABEL_SECTION ||
			   labels[i].section < elf->n_sections);
	}
}

static void check_segments(const struct segmap_elf *elf, uint64_t page_size)
{
	for (size_t i = 0; i < elf->n_segments; i++) {
		const struct segmap_segment *segment = &elf->segments[i];

		FUZZ_CHECK(segment->vaddr + segment->memsz >= segment->vaddr);
		FUZZ_CHECK(segment->off + segment->filesz >= segment->off);
		FUZZ_CHECK(!segment->mappable || segment->map_start % page_size == 0);
	}
}

static void check_strings(const struct segmap_elf *elf)
{
	const struct segmap_linking *linking = elf->linking;

	FUZZ_CHECK(!elf->build_id || strlen(elf->build_id) <= 2 * SEGMAP_MAX_BUILD_ID);
	FUZZ_CHECK(!elf->soname || strlen(elf->soname) < SEGMAP_MAX_SONAME);
	for (size_t i = 0; i < elf->n_sections; i++)
		FUZZ_CHECK(strlen(elf->sections[i].name) <= SEGMAP_MAX_NAMES_BYTES);
	for (size_t i = 0; linking && i < linking->n_needed; i++)
		FUZZ_CHECK(strlen(linking->needed[i].name) < SEGMAP_MAX_SONAME);
	for (size_t i = 0; linking && i < linking->n_wanted; i++)
		FUZZ_CHECK(strlen(linking->wanted[i].name) < SEGMAP_MAX_SONAME);
}

static void parse(const struct bytes *bytes, uint64_t page_size, unsigned int wants)
{
	static struct elf_scratch scratch; /* of all inputs: to get it anew costs more than they do */
	struct segmap_elf *elf = NULL;

	if (fuzz_ok(elf_parse(bytes, 0, page_size, wants, &scratch, &elf)) && elf) {
		FUZZ_CHECK(elf->n_sections <= SEGMAP_MAX_SECTIONS);
		check_segments(elf, page_size);
		check_strings(elf);
		check_labels(elf, elf->by_vaddr, elf->n_by_vaddr);
		check_labels(elf, elf->by_off, elf->n_by_off);
	}
	segmap_elf_free(elf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes bytes = { .read = bytes_read_buffer, .name = "input", .size = size,
			       .on_disk = size, .memory = data };
	struct bytes loaded = bytes;

	loaded.loaded = true;
	loaded.bias = 0x7f0000000000;
	parse(&bytes, 4096, SEGMAP_WANT_SONAME | SEGMAP_WANT_LINKING);
	parse(&bytes, 65536, 0);
	parse(&loaded, 4096, SEGMAP_WANT_SONAME | SEGMAP_WANT_LINKING);
	return 0;
}
