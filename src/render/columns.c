/* src/render/columns.c - one table that describes every column. */
#include "render/columns.h"
#include "render/watch.h"
#include "render/words.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int32_t image_index(const struct row *row)
{
	return row->piece && row->piece->image >= 0 ? row->piece->image : row->annotation->image;
}

static const struct segmap_image *image_of(const struct row *row)
{
	int32_t index = image_index(row);

	return index < 0 ? NULL : &row->layout->images[index];
}

static const struct segmap_backing *backing_of(const struct row *row)
{
	const struct segmap_image *image = image_of(row);
	int32_t index = image ? image->backing : row->annotation->backing;

	return index < 0 ? NULL : &row->layout->backings[index];
}

static uint64_t start_of(const struct row *row)
{
	return row->piece ? row->piece->start : row->vma->start;
}

static uint64_t end_of(const struct row *row)
{
	return row->piece ? row->piece->end : row->vma->end;
}

static uint64_t size_of(const struct row *row)
{
	return end_of(row) - start_of(row);
}

static uint64_t off_of(const struct row *row)
{
	if (!row->piece)
		return row->vma->off;
	return row->piece->off == SEGMAP_NO_OFF ? 0 : row->piece->off;
}

static const struct segmap_placement *placement_of(const struct row *row)
{
	return segmap_layout_placement(row->layout, (size_t)(row->vma - row->layout->vmas));
}

void append_address(struct segmap_text *cell, const struct row *row, uint64_t address)
{
	const struct segmap_placement *placement = placement_of(row);

	if (placement->base_name[0]) {
		segmap_text_append_trusted(cell, placement->base_name);
		segmap_text_append_char(cell, '+');
	}
	segmap_text_append_hex(cell, address - placement->origin, 8);
}

static void get_address(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	(void)style;
	append_address(cell, row, start_of(row));
}

static void get_end(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	(void)style;
	append_address(cell, row, end_of(row));
}

void append_size(struct segmap_text *text, const struct style *style, uint64_t bytes)
{
	if (style->bytes) {
		segmap_text_append_decimal(text, bytes);
	} else if (bytes % 1024 == 0) {
		segmap_text_append_decimal(text, bytes / 1024);
		segmap_text_append_char(text, 'K');
	} else if (bytes < 1024) {
		/* Pieces are not whole pages; a fraction of a K would hide what is there. */
		segmap_text_append_decimal(text, bytes);
	} else {
		segmap_text_append_decimal(text, bytes / 1024);
		segmap_text_append_char(text, '.');
		segmap_text_append_char(text, (char)('0' + bytes % 1024 * 10 / 1024));
		segmap_text_append_char(text, 'K');
	}
}

static void get_size(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	append_size(cell, style, size_of(row));
	/* In a record numbers stay numbers. */
	if (!row->piece && style->indent && placement_of(row)->open_end)
		segmap_text_append_char(cell, '+');
}

static void append_perms(struct segmap_text *cell, int prot, bool shared)
{
	if (!segmap_text_reserve(cell, 5))
		return;
	segmap_perms_format(prot, shared, cell->bytes + cell->size);
	cell->size += 4;
}

static void get_perm(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	(void)style;
	if (row->piece || !segmap_text_reserve(cell, 5))
		return;
	segmap_vma_perms_format(row->vma, cell->bytes + cell->size);
	cell->size += 4;
}

static void get_offset(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	(void)style;
	if (!row->piece || row->piece->off != SEGMAP_NO_OFF)
		segmap_text_append_hex(cell, off_of(row), 8);
}

static void get_dev(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	(void)style;
	if (!row->vma->ino)
		return;
	segmap_text_append_hex(cell, row->vma->dev_major, 2);
	segmap_text_append_char(cell, ':');
	segmap_text_append_hex(cell, row->vma->dev_minor, 2);
}

static void get_inode(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	(void)style;
	if (row->vma->ino)
		segmap_text_append_decimal(cell, row->vma->ino);
}

void append_name(struct segmap_text *cell, const char *name, const struct style *style)
{
	const char *slash = name[0] == '/' && !style->full_paths ? strrchr(name, '/') : NULL;

	/* "/memfd:a/b (deleted)" has no directories. */
	if (slash && strncmp(name, "/memfd:", 7) == 0)
		slash = name;
	if (slash && slash[1])
		name = slash + 1;
	segmap_text_append_safe(cell, name, strlen(name));
}

/* An anonymous VMA of an image bears the image's name: its memory is that file's .bss. */
static void get_mapping(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	const struct segmap_image *image = image_of(row);
	const struct segmap_vma *vma = row->vma;

	if (row->piece) {
		if (style->indent)
			segmap_text_append_trusted(cell, "  ");
		if (row->piece->comes_from)
			segmap_text_append_char(cell, '>');
		segmap_text_append_safe(cell, row->piece->name, strlen(row->piece->name));
		if (row->piece->goes_on)
			segmap_text_append_char(cell, '>');
	} else if (vma->name[0]) {
		append_name(cell, vma->name, style);
	} else if (image) {
		append_name(cell, segmap_layout_image_path(row->layout, image_index(row)), style);
	} else {
		segmap_text_append_trusted(cell, "[anon]");
	}
}

static const struct segmap_segment *segment_of(const struct row *row)
{
	const struct segmap_image *image = image_of(row);
	int32_t index = row->piece ? row->piece->segment : row->annotation->segment;

	return image && image->elf && index >= 0 ? &image->elf->segments[index] : NULL;
}

/* Every PT_LOAD that has a piece here, as readelf -l counts them: "LOAD 2", "LOAD 2+3". */
static void append_loads(const struct row *row, struct segmap_text *cell)
{
	const struct segmap_annotation *annotation = row->annotation;
	const struct segmap_piece *pieces = segmap_layout_pieces(row->layout, annotation);
	int32_t last = -1;

	for (uint32_t i = 0; i < annotation->n_pieces; i++) {
		const struct segmap_piece *piece = &pieces[i];

		if (piece->segment < 0 || piece->segment == last || piece->image < 0)
			continue;
		segmap_text_append_trusted(cell, last < 0 ? "LOAD " : "+");
		segmap_text_append_decimal(
			cell, row->layout->images[piece->image].elf->segments[piece->segment].index);
		last = piece->segment;
	}
}

static bool drifts(const struct row *row)
{
	return row->annotation->expected_prot != SEGMAP_NO_PROT &&
	       !segmap_vma_has_prot(row->vma, row->annotation->expected_prot);
}

static void get_label(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	const char *label = NULL;

	(void)style;
	if (!row->piece && row->layout->prediction)
		label = placement_of(row)->label;
	else if (!row->piece && row->layout->n_labels)
		label = segmap_layout_label(row->layout, (size_t)(row->vma - row->layout->vmas));
	if (label)
		segmap_text_append_safe(cell, label, strlen(label));
}

static void get_segment(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	static const char *const explanations[] = {
		[SEGMAP_KIND_RELRO] = ", read-only (RELRO)",
		[SEGMAP_KIND_BSS] = ", beyond the file",
		[SEGMAP_KIND_REMAPPED] = ", now anonymous",
		[SEGMAP_KIND_ALIAS] = ", mapped again",
		[SEGMAP_KIND_OTHER] = NULL,
	};
	const struct segmap_annotation *annotation = row->annotation;
	const char *explanation = explanations[annotation->kind];

	get_label(row, style, cell);
	if (annotation->image < 0)
		return;
	if (row->piece) {
		if (row->piece->kind != SEGMAP_PIECE_SECTION)
			segmap_text_append_trusted(cell, word_of_piece(row->piece->kind));
		return;
	}
	if (annotation->kind == SEGMAP_KIND_GAP) {
		segmap_text_append_trusted(cell, "gap between LOADs");
		return;
	}
	append_loads(row, cell);
	if (explanation)
		segmap_text_append_trusted(cell, explanation);
	if (drifts(row)) {
		segmap_text_append_trusted(cell, ", expected ");
		append_perms(cell, annotation->expected_prot, false);
	}
}

bool sections_each(const struct row *row,
		   void (*append)(void *context, const char *name, size_t size), void *context)
{
	const struct segmap_annotation *annotation = row->annotation;
	const struct segmap_piece *pieces = segmap_layout_pieces(row->layout, annotation);
	__attribute__((cleanup(segmap_text_free))) struct segmap_text name = { 0 };

	for (uint32_t i = 0; i < annotation->n_pieces; i++) {
		const struct segmap_piece *piece = &pieces[i];
		bool again = i && pieces[i - 1].name == piece->name;

		if ((piece->kind != SEGMAP_PIECE_SECTION && piece->kind != SEGMAP_PIECE_PART) ||
		    again)
			continue;
		/* Pieces of one section that a change of permissions parts are one name. */
		while (i + 1 < annotation->n_pieces && pieces[i + 1].name == piece->name)
			i++;
		name.size = 0;
		if (piece->comes_from)
			segmap_text_append_char(&name, '>');
		segmap_text_append_safe(&name, piece->name, strlen(piece->name));
		if (pieces[i].goes_on)
			segmap_text_append_char(&name, '>');
		if (name.failed)
			return false;
		append(context, name.bytes, name.size);
	}
	return true;
}

struct list {
	struct segmap_text *cell;
	bool begun;
};

static void append_to_list(void *context, const char *name, size_t size)
{
	struct list *list = context;

	if (list->begun)
		segmap_text_append_char(list->cell, ' ');
	segmap_text_append_bytes(list->cell, name, size);
	list->begun = true;
}

static void get_sections(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	struct list list = { .cell = cell };

	(void)style;
	if (!row->piece && !sections_each(row, append_to_list, &list))
		cell->failed = true;
}

/* What --watch has seen happen to the VMA. */
static void get_change(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	const struct segmap_followed *followed = row->layout->followed;

	(void)style;
	if (followed && !row->piece)
		segmap_text_append_trusted(
			cell, sign_of_mark(followed->marks[row->vma - row->layout->vmas].mark));
}

static void get_kind(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	(void)style;
	segmap_text_append_trusted(cell, row->piece ? word_of_piece(row->piece->kind) :
						      word_of_kind(row->annotation->kind));
}

static void get_piece(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	(void)style;
	if (row->piece)
		segmap_text_append_safe(cell, row->piece->name, strlen(row->piece->name));
}

static void get_expected(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	int prot = row->piece ? row->piece->expected_prot : row->annotation->expected_prot;

	(void)style;
	if (prot != SEGMAP_NO_PROT)
		append_perms(cell, prot, false);
}

static void get_image(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	(void)style;
	if (image_index(row) >= 0)
		segmap_text_append_decimal(cell, (uint64_t)image_index(row));
}

static void get_role(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	(void)style;
	if (image_of(row))
		segmap_text_append_trusted(cell, word_of_role(image_of(row)->role));
}

static void get_bias(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	(void)style;
	if (image_of(row) && image_of(row)->elf && placement_of(row)->base != SEGMAP_BASE_IMAGE)
		segmap_text_append_hex(cell, image_of(row)->bias, 1);
}

static void get_vaddr(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	(void)style;
	if (image_of(row) && image_of(row)->elf)
		segmap_text_append_hex(cell, segmap_vaddr(start_of(row), image_of(row)->bias), 1);
}

static void get_phdr(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	(void)style;
	if (segment_of(row))
		segmap_text_append_decimal(cell, segment_of(row)->index);
}

static void get_dumped(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	if (row->layout->dumped && !row->piece)
		append_size(cell, style, row->layout->dumped[row->vma - row->layout->vmas]);
}

static void get_pid(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	(void)style;
	if (row->layout->pid)
		segmap_text_append_decimal(cell, (uint64_t)row->layout->pid);
}

static void get_path(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	const struct segmap_backing *backing = backing_of(row);

	(void)style;
	if (backing)
		segmap_text_append_safe(cell, backing->path, strlen(backing->path));
}

static void get_source(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	const struct segmap_backing *backing = backing_of(row);
	const char *word = NULL;

	(void)style;
	if (backing)
		word = word_of_opened(backing->opened);
	else if (image_of(row))
		word = word_of_opened(row->layout->vdso_opened);
	if (word)
		segmap_text_append_trusted(cell, word);
}

static void get_status(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	const struct segmap_backing *backing = backing_of(row);

	(void)style;
	if (backing)
		segmap_text_append_trusted(cell, word_of_status(backing->status));
}

static void get_build_id(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	const struct segmap_image *image = image_of(row);

	(void)style;
	if (image && image->elf && image->elf->build_id)
		segmap_text_append_trusted(cell, image->elf->build_id);
}

static size_t index_of(const struct row *row)
{
	return (size_t)(row->vma - row->layout->vmas);
}

/* What is known of the row's piece; NULL if nothing is. */
static const struct segmap_piece_memory *piece_memory(const struct row *row)
{
	const struct segmap_memory *memory = row->layout->memory;

	return memory && memory->pieces ? &memory->pieces[row->piece - row->layout->pieces] : NULL;
}

/* A field of smaps. Of a piece some are known. */
static uint64_t amount_of_figure(const struct row *row, int32_t figure)
{
	const struct segmap_memory *memory = row->layout->memory;
	const struct segmap_piece_memory *piece;

	if (!memory || figure < 0)
		return SEGMAP_NO_FIGURE;
	if (!row->piece)
		return segmap_memory_figure(memory, index_of(row), figure);
	piece = piece_memory(row);
	if (!piece)
		return SEGMAP_NO_FIGURE;
	if (figure == memory->known[SEGMAP_FIGURE_RSS])
		return piece->rss;
	if (figure == memory->known[SEGMAP_FIGURE_ANONYMOUS])
		return piece->anonymous;
	if (figure == memory->known[SEGMAP_FIGURE_PSS])
		return piece->pss;
	return figure == memory->known[SEGMAP_FIGURE_SWAP] ? piece->swap : SEGMAP_NO_FIGURE;
}

/* The sum of two of the kernel's figures of the row's VMA. */
static uint64_t sum_of(const struct row *row, enum segmap_known_figure one,
		       enum segmap_known_figure other)
{
	const struct segmap_memory *memory = row->layout->memory;
	size_t vma = index_of(row);

	if (!memory)
		return SEGMAP_NO_FIGURE;
	return segmap_figure_add(segmap_memory_known(memory, vma, one),
				 segmap_memory_known(memory, vma, other));
}

/* As pmap -x: what was written to and is not saved, here or by whoever shares the page. */
static uint64_t amount_of_dirty(const struct row *row, int32_t figure)
{
	(void)figure;
	if (row->piece)
		return piece_memory(row) ? piece_memory(row)->dirty : SEGMAP_NO_FIGURE;
	return sum_of(row, SEGMAP_FIGURE_SHARED_DIRTY, SEGMAP_FIGURE_PRIVATE_DIRTY);
}

static uint64_t amount_of_private(const struct row *row, int32_t figure)
{
	(void)figure;
	if (row->piece)
		return piece_memory(row) ? piece_memory(row)->exclusive : SEGMAP_NO_FIGURE;
	return sum_of(row, SEGMAP_FIGURE_PRIVATE_CLEAN, SEGMAP_FIGURE_PRIVATE_DIRTY);
}

static uint64_t amount_of_file(const struct row *row, int32_t figure)
{
	const struct segmap_memory *memory = row->layout->memory;
	uint64_t rss, anonymous;

	(void)figure;
	if (!memory)
		return SEGMAP_NO_FIGURE;
	if (row->piece)
		return piece_memory(row) ? piece_memory(row)->file : SEGMAP_NO_FIGURE;
	rss = segmap_memory_known(memory, index_of(row), SEGMAP_FIGURE_RSS);
	anonymous = segmap_memory_known(memory, index_of(row), SEGMAP_FIGURE_ANONYMOUS);
	return rss == SEGMAP_NO_FIGURE || anonymous > rss ? SEGMAP_NO_FIGURE : rss - anonymous;
}

static void get_vmflags(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	const struct segmap_memory *memory = row->layout->memory;
	size_t vma = index_of(row), before = cell->size;

	(void)style;
	if (row->piece || !memory || vma >= memory->n_vm_flags)
		return;
	for (size_t i = 0; i < memory->n_flag_words; i++) {
		if (!(memory->vm_flags[vma] >> i & 1))
			continue;
		if (cell->size > before)
			segmap_text_append_char(cell, ' ');
		segmap_text_append_trusted(cell, memory->flag_words[i]);
	}
}

static void get_vmflags_words(const struct row *row, const struct style *style,
			      struct segmap_text *cell)
{
	const struct segmap_memory *memory = row->layout->memory;
	size_t vma = index_of(row), before = cell->size;

	(void)style;
	if (row->piece || !memory || vma >= memory->n_vm_flags)
		return;
	for (size_t i = 0; i < memory->n_flag_words; i++) {
		if (!(memory->vm_flags[vma] >> i & 1))
			continue;
		if (cell->size > before)
			segmap_text_append_trusted(cell, ", ");
		segmap_text_append_trusted(cell, words_of_vm_flag(memory->flag_words[i]));
	}
}

#define FIGURE(name, figure_, help)                                                      \
	{ (name), (help), true, .ascii = true, .costs = true, .sum = true, .amount = amount_of_figure, \
	  .figure = (figure_) }

enum { STRIP_WIDTH = 16 };

/*
 * A letter for each cell: large if all its pages are of that sort, small if the
 * others are absent, an asterisk for several sorts.
 */
static char letter_of_cell(unsigned char cell)
{
	switch (cell) {
	case SEGMAP_CELL_ABSENT:
		return '.';
	case SEGMAP_CELL_FILE:
		return 'R';
	case SEGMAP_CELL_PRIVATE:
		return 'P';
	case SEGMAP_CELL_SWAPPED:
		return 'S';
	case SEGMAP_CELL_ZERO:
		return 'Z';
	case SEGMAP_CELL_FILE | SEGMAP_CELL_ABSENT:
		return 'r';
	case SEGMAP_CELL_PRIVATE | SEGMAP_CELL_ABSENT:
		return 'p';
	case SEGMAP_CELL_SWAPPED | SEGMAP_CELL_ABSENT:
		return 's';
	case SEGMAP_CELL_ZERO | SEGMAP_CELL_ABSENT:
		return 'z';
	default:
		return '*';
	}
}

static void get_pages(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	const struct segmap_memory *memory = row->layout->memory;
	unsigned char strip[STRIP_WIDTH];
	size_t n_cells;

	(void)style;
	if (!memory || !memory->pages.known || segmap_memory_leaves_out(memory, index_of(row)))
		return;
	n_cells = segmap_layout_strip(row->layout, start_of(row), end_of(row), STRIP_WIDTH, strip);
	for (size_t i = 0; i < n_cells; i++)
		segmap_text_append_char(cell, letter_of_cell(strip[i]));
}

/* Calls that touch no VMA of the model, as the zeroing of a page, made none. */
static void get_calls(const struct row *row, const struct style *style, struct segmap_text *cell)
{
	const struct segmap_placement *placement = placement_of(row);

	(void)style;
	for (uint32_t i = 0; !row->piece && i < placement->n_causes; i++) {
		if (i)
			segmap_text_append_char(cell, ',');
		segmap_text_append_decimal(
			cell,
			row->layout->prediction->causes[placement->first_cause + i] + 1);
	}
}

const struct column all_columns[] = {
	{ "CHANGE", "with --watch: + new, > grown, < shrunk, ~ permissions, * memory",
	  .ascii = true, .get = get_change },
	{ "ADDRESS", "first address, hexadecimal", .monotone = true, .ascending = true, .ascii = true,
	  .number = start_of, .get = get_address },
	{ "END", "first address behind it", .monotone = true, .ascending = true, .ascii = true, .number = end_of,
	  .get = get_end },
	{ "SIZE", "in KiB, with a K; bytes without one", true, .number = size_of, .ascii = true,
	  .sum = true, .get = get_size },
	{ "PERM", "r read, w write, x execute; p private or s shared", .width = 4, .ascii = true,
	  .get = get_perm },
	{ "OFFSET", "into the file, hexadecimal, bytes", true, .monotone = true, .ascii = true,
	  .number = off_of, .get = get_offset },
	{ "DEV", "device of the file, major:minor as in maps", .get = get_dev },
	{ "INODE", "inode of the file", true, .get = get_inode },
	{ "MAPPING", "file or [label]; .bss has the name of the file it belongs to",
	  .shrinks = true, .by_name = true, .get = get_mapping },
	{ "SEGMENT", "row of readelf -l's program headers, and what became of it",
	  .shrinks = true, .by_name = true, .get = get_segment },
	{ "SECTIONS", "names of the sections in it; > where one goes on in another VMA",
	  .under = true, .get = get_sections },
	{ "KIND", "segment, relro, bss, gap, heap ...; with -S of the piece too",
	  .get = get_kind },
	{ "LABEL", "what is known beyond the name: thread stack of TID, guard", .get = get_label },
	{ "PIECE", "with -S: section, header, padding or spill", .get = get_piece },
	{ "EXPECTED", "permissions that PT_LOAD and GNU_RELRO call for", .get = get_expected },
	{ "PHDR", "index in the program header table", true, .get = get_phdr },
	{ "IMAGE", "number of the loaded file, as in the JSON", true, .get = get_image },
	{ "ROLE", "program, interpreter, library, vdso, alias", .get = get_role },
	{ "BIAS", "runtime address minus ELF virtual address", true, .get = get_bias },
	{ "VADDR", "ELF virtual address of its first byte", true, .get = get_vaddr },
	{ "DUMPED", "core: how much of it the dump holds", true, .get = get_dumped },
	{ "PID", "process", true, .get = get_pid },
	{ "PATH", "path of the file", .get = get_path },
	{ "SOURCE", "where the file was read: map_files, exe, fd, root, memory ...",
	  .get = get_source },
	{ "STATUS", "of the file: ok, deleted, replaced, rewritten, unreadable ...",
	  .get = get_status },
	{ "BUILD-ID", "of the file", .get = get_build_id },
	FIGURE("RSS", "Rss", "in memory"),
	FIGURE("PSS", "Pss", "in memory, each page divided by the number of those that map it"),
	{ "DIRTY", "written to and not saved: Shared_Dirty and Private_Dirty", true, .ascii = true,
	  .costs = true, .sum = true, .amount = amount_of_dirty },
	{ "PRIVATE", "in memory, mapped by no other: Private_Clean and Private_Dirty", true,
	  .ascii = true, .costs = true, .sum = true, .amount = amount_of_private },
	{ "FILE", "in memory, pages of files: Rss without Anonymous", true, .ascii = true,
	  .costs = true, .sum = true, .amount = amount_of_file },
	FIGURE("ANONYMOUS", "Anonymous", "in memory, and of no file: private copies too"),
	FIGURE("SWAP", "Swap", "in swap"),
	{ "PAGES", "cells: R file, P private, S swap, Z zeros, . absent, * mixed",
	  .width = STRIP_WIDTH, .ascii = true, .costs = true, .pages = true, .get = get_pages },
	{ "VMFLAGS", "the kernel's flags of the VMA, as smaps has them", .ascii = true,
	  .costs = true, .get = get_vmflags },
	{ "VMFLAGS-WORDS", "the same in words", .ascii = true, .costs = true, .get = get_vmflags_words },
	FIGURE("KERNELPAGESIZE", "KernelPageSize", "size of a page for the kernel"),
	FIGURE("MMUPAGESIZE", "MMUPageSize", "size of a page for the processor"),
	FIGURE("PSS_DIRTY", "Pss_Dirty", "of Pss, dirty"),
	FIGURE("SHARED_CLEAN", "Shared_Clean", "of Rss, mapped by others too, not written to"),
	FIGURE("SHARED_DIRTY", "Shared_Dirty", "of Rss, mapped by others too, written to"),
	FIGURE("PRIVATE_CLEAN", "Private_Clean", "of Rss, mapped by no other, not written to"),
	FIGURE("PRIVATE_DIRTY", "Private_Dirty", "of Rss, mapped by no other, written to"),
	FIGURE("REFERENCED", "Referenced", "of Rss, used of late"),
	FIGURE("KSM", "KSM", "of Rss, merged with pages of the same content"),
	FIGURE("LAZYFREE", "LazyFree", "of Rss, given up by MADV_FREE and not yet taken"),
	FIGURE("ANONHUGEPAGES", "AnonHugePages", "of Rss, transparent huge pages"),
	FIGURE("SHMEMPMDMAPPED", "ShmemPmdMapped", "of Rss, huge pages of shared memory"),
	FIGURE("FILEPMDMAPPED", "FilePmdMapped", "of Rss, huge pages of files"),
	FIGURE("SHARED_HUGETLB", "Shared_Hugetlb", "hugetlbfs pages that others map too; not in Rss"),
	FIGURE("PRIVATE_HUGETLB", "Private_Hugetlb", "hugetlbfs pages that no other maps; not in Rss"),
	FIGURE("SWAPPSS", "SwapPss", "in swap, each page divided by the number of its users"),
	FIGURE("LOCKED", "Locked", "kept in memory by mlock"),
	FIGURE("THPELIGIBLE", "THPeligible", "1: huge pages are possible here"),
	FIGURE("PROTECTIONKEY", "ProtectionKey", "number of the memory protection key"),
	{ "CALLS", "with --explain: numbers of the calls that made it", .get = get_calls },
	{ NULL },
};

const struct column most_figures = { .name = "FIGURES", .costs = true };
const struct column every_figure = { .name = "ALL-FIGURES", .costs = true };

const char *default_columns(enum figures figures, bool pieces)
{
	static const char *const lists[][2] = {
		[FIGURES_NONE] = { "ADDRESS,SIZE,PERM,OFFSET,MAPPING,SEGMENT,SECTIONS",
				   "ADDRESS,SIZE,PERM,OFFSET,MAPPING,SEGMENT" },
		[FIGURES_FEW] = { "ADDRESS,SIZE,RSS,PSS,DIRTY,ANONYMOUS,SWAP,PERM,MAPPING,SEGMENT,"
				  "SECTIONS",
				  "ADDRESS,SIZE,RSS,PSS,DIRTY,ANONYMOUS,SWAP,PERM,MAPPING,SEGMENT" },
		/* The order of pmap -X. */
		[FIGURES_MOST] = { "ADDRESS,PERM,OFFSET,DEV,INODE,SIZE,FIGURES,MAPPING,SEGMENT",
				   "ADDRESS,PERM,OFFSET,DEV,INODE,SIZE,FIGURES,MAPPING,SEGMENT" },
		[FIGURES_ALL] = {
			"ADDRESS,PERM,OFFSET,DEV,INODE,SIZE,ALL-FIGURES,VMFLAGS,MAPPING,SEGMENT",
			"ADDRESS,PERM,OFFSET,DEV,INODE,SIZE,ALL-FIGURES,VMFLAGS,MAPPING,SEGMENT" },
	};

	return lists[figures][pieces];
}

/* Whether pmap -X has it: it leaves these out (procps, src/pmap.c:is_unimportant). */
static bool is_in_most(const char *figure)
{
	static const char *const left_out[] = {
		"AnonHugePages", "KernelPageSize", "MMUPageSize", "Shared_Dirty",
		"Private_Dirty", "Shared_Clean", "Private_Clean",
	};

	for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (strcmp(left_out[i], figure) == 0)
			return false;
	return true;
}

/* The column of all_columns for this field of smaps, or NULL. */
static const struct column *column_of_figure(const char *figure)
{
	for (size_t i = 0; all_columns[i].name; i++)
		if (all_columns[i].figure && strcmp(all_columns[i].figure, figure) == 0)
			return &all_columns[i];
	return NULL;
}

/* A column for a field of smaps that a newer kernel has. */
static const struct column *make_column(struct fields *fields, const struct segmap_figure *figure)
{
	fields->made[fields->n_made] = (struct column){
		.name = figure->name,
		.right = true,
		.ascii = true,
		.sum = true,
		.amount = amount_of_figure,
		.figure = figure->name,
	};
	return &fields->made[fields->n_made++];
}

static void add_field(struct fields *fields, const struct segmap_memory *memory,
		      const struct column *column)
{
	int32_t figure = memory && column->figure ? segmap_memory_find(memory, column->figure) : -1;

	fields->array[fields->n++] =
		(struct field){ column, figure, figure < 0 || memory->figures[figure].bytes };
}

/* What smaps has; where it could not be read, the columns that it mostly has. */
static void add_figures(struct fields *fields, const struct segmap_memory *memory, bool every)
{
	for (size_t i = 0; memory && i < memory->n_figures; i++) {
		const struct segmap_figure *figure = &memory->figures[i];
		const struct column *column = column_of_figure(figure->name);

		if (strcmp(figure->name, "Size") == 0 || (!every && !is_in_most(figure->name)))
			continue;
		add_field(fields, memory, column ? column : make_column(fields, figure));
	}
	for (size_t i = 0; (!memory || !memory->n_figures) && all_columns[i].name; i++)
		if (all_columns[i].figure && (every || is_in_most(all_columns[i].figure)))
			add_field(fields, memory, &all_columns[i]);
}

bool fields_make(const struct segmap_layout *layout, const struct selection *selection,
		 struct fields *ret)
{
	const struct segmap_memory *memory = layout->memory;
	size_t n_figures = sizeof(all_columns) / sizeof(all_columns[0]), n_expanded = 0;
	struct fields fields = { 0 };

	if (memory && memory->n_figures > n_figures)
		n_figures = memory->n_figures;
	for (size_t i = 0; i < selection->n; i++)
		n_expanded += selection->array[i] == &most_figures ||
			      selection->array[i] == &every_figure;
	fields.array = reallocarray(NULL, selection->n + n_expanded * n_figures + 1,
				    sizeof(*fields.array));
	fields.made = reallocarray(NULL, n_expanded * n_figures + 1, sizeof(*fields.made));
	if (!fields.array || !fields.made) {
		fields_free(&fields);
		return false;
	}
	for (size_t i = 0; i < selection->n; i++) {
		const struct column *column = selection->array[i];

		if (column == &most_figures || column == &every_figure)
			add_figures(&fields, memory, column == &every_figure);
		else
			add_field(&fields, memory, column);
	}
	*ret = fields;
	return true;
}

void fields_free(struct fields *fields)
{
	free(fields->array);
	free(fields->made);
	*fields = (struct fields){ 0 };
}

void append_amount(const struct field *field, const struct style *style, struct segmap_text *cell,
		   uint64_t amount)
{
	if (field->is_size)
		append_size(cell, style, amount);
	else
		segmap_text_append_decimal(cell, amount);
}

const struct column *column_find(const char *name, size_t size)
{
	for (size_t i = 0; all_columns[i].name; i++)
		if (strlen(all_columns[i].name) == size &&
		    strncasecmp(all_columns[i].name, name, size) == 0)
			return &all_columns[i];
	if (size == strlen(most_figures.name) && strncasecmp(most_figures.name, name, size) == 0)
		return &most_figures;
	if (size == strlen(every_figure.name) && strncasecmp(every_figure.name, name, size) == 0)
		return &every_figure;
	return NULL;
}
