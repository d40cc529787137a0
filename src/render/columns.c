/* src/render/columns.c - one table that describes every column. */
#include "render/columns.h"
#include "render/words.h"
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

/* An address, in a prediction as base+offset: "B+00003000". */
static void append_address(struct segmap_text *cell, const struct row *row, uint64_t address)
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
	if (!row->piece)
		append_perms(cell, row->vma->prot, row->vma->shared);
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

static void append_name(struct segmap_text *cell, const char *name, const struct style *style)
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
	const struct segmap_piece *pieces = &row->layout->pieces[annotation->first_piece];
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
	       row->annotation->expected_prot != row->vma->prot;
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

	(void)style;
	if (!row->piece && placement_of(row)->label)
		segmap_text_append_trusted(cell, placement_of(row)->label);
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
		append_perms(cell, annotation->expected_prot, row->vma->shared);
	}
}

void sections_each(const struct row *row,
		   void (*append)(void *context, const char *name, size_t size), void *context)
{
	const struct segmap_annotation *annotation = row->annotation;
	const struct segmap_piece *pieces = &row->layout->pieces[annotation->first_piece];
	struct segmap_text name = { 0 };

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
		if (!name.failed)
			append(context, name.bytes, name.size);
	}
	segmap_text_free(&name);
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
	if (!row->piece)
		sections_each(row, append_to_list, &list);
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
	{ "ADDRESS", "first address, hexadecimal", .monotone = true, .ascending = true, .ascii = true,
	  .number = start_of, .get = get_address },
	{ "END", "first address behind it", .monotone = true, .ascending = true, .ascii = true, .number = end_of,
	  .get = get_end },
	{ "SIZE", "in KiB, with a K; bytes without one", true, .number = size_of, .ascii = true,
	  .get = get_size },
	{ "PERM", "r read, w write, x execute; p private or s shared", .width = 4, .ascii = true,
	  .get = get_perm },
	{ "OFFSET", "into the file, hexadecimal, bytes", true, .monotone = true, .ascii = true,
	  .number = off_of, .get = get_offset },
	{ "DEV", "device of the file, major:minor as in maps", .get = get_dev },
	{ "INODE", "inode of the file", true, .get = get_inode },
	{ "MAPPING", "file or [label]; .bss has the name of the file it belongs to",
	  .shrinks = true, .by_name = true, .get = get_mapping },
	{ "SEGMENT", "row of the program header table (readelf -l), and what became of it",
	  .by_name = true, .get = get_segment },
	{ "SECTIONS", "names of the sections in it; > marks one that begins before or goes on behind",
	  .under = true, .get = get_sections },
	{ "KIND", "segment, relro, bss, gap, heap, stack, anon …; with -S also of the piece",
	  .get = get_kind },
	{ "PIECE", "with -S: section, header, padding or spill", .get = get_piece },
	{ "EXPECTED", "permissions that PT_LOAD and GNU_RELRO call for", .get = get_expected },
	{ "PHDR", "index in the program header table", true, .get = get_phdr },
	{ "IMAGE", "number of the loaded file, as in the JSON", true, .get = get_image },
	{ "ROLE", "program, interpreter, library, vdso, alias", .get = get_role },
	{ "BIAS", "runtime address minus ELF virtual address", true, .get = get_bias },
	{ "VADDR", "ELF virtual address of its first byte", true, .get = get_vaddr },
	{ "PID", "process", true, .get = get_pid },
	{ "PATH", "path of the file", .get = get_path },
	{ "SOURCE", "where the file was read: map_files, exe, root, fd, memory",
	  .get = get_source },
	{ "STATUS", "of the file: ok, deleted, replaced, rewritten, truncated, unreadable, malformed",
	  .get = get_status },
	{ "BUILD-ID", "of the file", .get = get_build_id },
	{ "CALLS", "with --explain: numbers of the calls that made it, as the story counts them",
	  .get = get_calls },
	{ NULL },
};

const char default_columns[] = "ADDRESS,SIZE,PERM,OFFSET,MAPPING,SEGMENT,SECTIONS";
const char piece_columns[] = "ADDRESS,SIZE,PERM,OFFSET,MAPPING,SEGMENT";

const struct column *column_find(const char *name, size_t size)
{
	for (size_t i = 0; all_columns[i].name; i++)
		if (strlen(all_columns[i].name) == size &&
		    strncasecmp(all_columns[i].name, name, size) == 0)
			return &all_columns[i];
	return NULL;
}
