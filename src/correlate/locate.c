/* src/correlate/locate.c - what a correlated layout has at an address. */
#include "base/scope.h"
#include <segmap/at.h>
#include <stdio.h>
#include <string.h>

/* The label that a VMA has for a reader: its name, its image's, or what it is. */
static const char *name_of(const struct segmap_layout *layout, size_t index)
{
	int32_t image = layout->annotations[index].image;
	const char *name = layout->vmas[index].name, *slash;

	if (!name[0] && image >= 0)
		name = segmap_layout_image_path(layout, image);
	slash = name[0] == '/' && strncmp(name, "/memfd:", 7) != 0 ? strrchr(name, '/') : NULL;
	return slash && slash[1] ? slash + 1 : name[0] ? name : "[anon]";
}

/* "4 KiB", "1.5 MiB", "16 bytes". */
static void format_distance(uint64_t bytes, char *text, size_t size)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned int unit = 0;

	if (bytes < 1024) {
		snprintf(text, size, "%u byte%s", (unsigned int)bytes, bytes == 1 ? "" : "s");
		return;
	}
	while (unit < 5 && bytes >> (10 * (unit + 2)))
		unit++;
	bytes = (bytes >> (10 * unit)) * 10 / 1024; /* tenths */
	if (bytes % 10)
		snprintf(text, size, "%u.%u %s", (unsigned int)(bytes / 10),
			 (unsigned int)(bytes % 10), units[unit]);
	else
		snprintf(text, size, "%u %s", (unsigned int)(bytes / 10), units[unit]);
}

/* The VMAs on either side of an address that is not mapped. */
static bool describe_neighbours(const struct segmap_layout *layout, uint64_t addr,
				struct segmap_answer *answer)
{
	/* mm/mmap.c:stack_guard_gap: so many pages below a stack stay free. */
	enum { STACK_GUARD_GAP = 256 };
	size_t low = 0, high = layout->n_vmas;
	char distance[32];

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (layout->vmas[middle].start > addr)
			high = middle;
		else
			low = middle + 1;
	}
	if (low > 0) {
		format_distance(addr - layout->vmas[low - 1].end, distance, sizeof(distance));
		if (asprintf(&answer->before, "%s above %s", distance, name_of(layout, low - 1)) <
		    0)
			return false;
	}
	if (low < layout->n_vmas) {
		const struct segmap_vma *vma = &layout->vmas[low];
		bool guard = strcmp(vma->name, "[stack]") == 0 &&
			     vma->start - addr <= STACK_GUARD_GAP * layout->page_size;

		format_distance(vma->start - addr, distance, sizeof(distance));
		if (asprintf(&answer->after, "%s below %s%s", distance, name_of(layout, low),
			     guard ? ": guard gap" : "") < 0)
			return false;
	}
	return true;
}

static const struct segmap_piece *find_piece(const struct segmap_layout *layout,
					     const struct segmap_annotation *annotation,
					     uint64_t addr)
{
	const struct segmap_piece *pieces = segmap_layout_pieces(layout, annotation);
	size_t low = 0, high = annotation->n_pieces;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (pieces[middle].end > addr)
			high = middle;
		else
			low = middle + 1;
	}
	return low < annotation->n_pieces ? &pieces[low] : NULL;
}

/* Where in its section the byte is; a piece is only as much of one as its VMA holds. */
static void find_section(const struct segmap_layout *layout, struct segmap_answer *answer)
{
	const struct segmap_piece *piece = answer->piece;
	const struct segmap_image *image = &layout->images[answer->image];
	const struct segmap_elf *elf = image->elf;
	const struct segmap_label *label;
	const struct segmap_section *section;
	bool by_off = image->role == SEGMAP_ROLE_ALIAS;
	uint64_t until, at = by_off ? answer->off - elf->elf_off :
				      segmap_vaddr(answer->addr, image->bias);

	if (piece->kind != SEGMAP_PIECE_SECTION && piece->kind != SEGMAP_PIECE_PART)
		return;
	label = by_off ? segmap_label_find(elf->by_off, elf->n_by_off, at, &until) :
			 segmap_label_find(elf->by_vaddr, elf->n_by_vaddr, at, &until);
	if (!label || label->kind != SEGMAP_LABEL_SECTION)
		return;
	section = &elf->sections[label->section];
	answer->in_section = true;
	answer->section_off = at - (by_off ? section->off : section->vaddr);
}

struct segmap_error *segmap_layout_locate(const struct segmap_layout *layout, const char *asked,
					  uint64_t addr, struct segmap_answer *ret)
{
	__attribute__((cleanup(segmap_answer_free))) struct segmap_answer answer = {
		.asked = strdup(asked),
		.found = true,
		.addr = addr,
		.vma = segmap_layout_find(layout, addr),
		.image = -1,
		.segment = -1,
		.off = SEGMAP_NO_OFF,
	};
	const struct segmap_annotation *annotation;
	const struct segmap_vma *vma;

	if (!answer.asked ||
	    (answer.vma < 0 && !describe_neighbours(layout, addr, &answer)))
		return segmap_error_no_memory();
	if (answer.vma >= 0) {
		vma = &layout->vmas[answer.vma];
		annotation = &layout->annotations[answer.vma];
		answer.piece = find_piece(layout, annotation, addr);
		if (answer.piece) {
			answer.image = answer.piece->image;
			answer.segment = answer.piece->segment;
			if (answer.piece->off != SEGMAP_NO_OFF)
				answer.off = answer.piece->off + (addr - answer.piece->start);
			if (answer.image >= 0)
				find_section(layout, &answer);
		} else if (annotation->backing >= 0) {
			answer.off = vma->off + (addr - vma->start);
		}
	}
	*ret = answer;
	answer = (struct segmap_answer){ 0 };
	return NULL;
}
