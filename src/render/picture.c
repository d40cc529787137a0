/* src/render/picture.c - what stands where in a picture of a map: computed once, drawn by svg.c. */
#include "render/picture.h"
#include <segmap/summary.h>
#include <stdlib.h>
#include <string.h>

enum {
	LITTLE = 4096,	    /* bytes: padding of less is drawn thin */
	LEAST_HEIGHT = 15,  /* of a box with a line of text */
	THIN_HEIGHT = 5,    /* of such padding */
	DOUBLING_HEIGHT = 4, /* for each doubling above a page */
	ROW_HEIGHT = 31,    /* of a VMA of an image: two lines stand beside it */
	LONE_HEIGHT = 18,   /* of a VMA that belongs to no image, and half for each doubling */
	ROW_SPACE = 4,
	MOST_BOXES = 16,    /* of one segment; of more the smallest are drawn together */
	BIGGEST_BOXES = 10, /* which are not, then */
	MOST_ITEMS = 48,    /* of one VMA */
	MOST_ROWS = 40,	    /* in a row of one group; of more those in the middle are one */
	END_ROWS = 18,	    /* which are left at either end, then */
};

const struct picture_look picture_looks[N_PICTURE_CLASSES] = {
	[PICTURE_CODE] = { "code", "code" },
	[PICTURE_RODATA] = { "rodata", "read-only" },
	[PICTURE_RELRO] = { "relro", "relocated, then read-only" },
	[PICTURE_DATA] = { "data", "data" },
	[PICTURE_BSS] = { "bss", "zeroes that no file holds" },
	[PICTURE_HEADER] = { "head", "ELF's own headers" },
	[PICTURE_PADDING] = { "pad", "padding, in no section" },
	[PICTURE_SPILL] = { "spill", "there because pages are whole" },
	[PICTURE_GAP] = { "gap", "gap, held without access" },
	[PICTURE_OTHER] = { "other", "of no ELF file" },
	[PICTURE_UNLOADED] = { "unloaded", "not loaded" },
};

/* Make room for one more element of @size bytes in *@array, which has @count of them. */
static bool make_room(void *array, size_t *capacity, size_t count, size_t size)
{
	size_t wanted = count < 16 ? 16 : count * 2;
	void *bigger;

	if (count < *capacity)
		return true;
	bigger = reallocarray(*(void **)array, wanted, size);
	if (!bigger)
		return false;
	*(void **)array = bigger;
	*capacity = wanted;
	return true;
}

/* ---- heights ---- */

static int height_of(uint64_t size, int least)
{
	enum { PAGE = 4096 };

	for (size /= PAGE; size; size /= 2)
		least += DOUBLING_HEIGHT;
	return least;
}

static int height_of_class(uint64_t size, enum picture_class class)
{
	if (class == PICTURE_PADDING && size < LITTLE)
		return THIN_HEIGHT;
	return height_of(size, LEAST_HEIGHT);
}

/* ---- the file, on the left ---- */

static bool is_in(uint64_t at, uint64_t start, uint64_t size)
{
	return at >= start && at - start < size;
}

/* Whether RELRO, of several the last, makes all of [@start, @end) read-only: vaddrs, whole pages. */
static bool is_in_relro(const struct segmap_elf *elf, uint64_t start, uint64_t end)
{
	for (size_t i = elf->n_segments; i-- > 0;)
		if (elf->segments[i].type == SEGMAP_SEGMENT_RELRO)
			return start >= elf->segments[i].map_start && end <= elf->segments[i].mem_end;
	return false;
}

/* What the bytes [@off, @end), from the ELF header, are loaded as, and by which segment. */
static enum picture_class class_of_offs(const struct segmap_elf *elf, uint64_t off, uint64_t end,
					int32_t *segment)
{
	const struct segmap_segment *load = NULL;
	uint64_t vaddr;

	for (size_t i = 0; i < elf->n_segments && !load; i++)
		if (elf->segments[i].type == SEGMAP_SEGMENT_LOAD &&
		    is_in(off, elf->segments[i].off, elf->segments[i].filesz))
			load = &elf->segments[i];
	*segment = load ? (int32_t)(load - elf->segments) : -1;
	if (!load)
		return PICTURE_UNLOADED;
	if (load->prot & PROT_EXEC)
		return PICTURE_CODE;
	if (!(load->prot & PROT_WRITE))
		return PICTURE_RODATA;
	vaddr = load->vaddr + (off - load->off);
	return is_in_relro(elf, vaddr, vaddr + (end - off)) ? PICTURE_RELRO : PICTURE_DATA;
}

/* @name NULL: it has none. */
static bool add_part(struct picture *picture, const struct segmap_elf *elf, uint64_t start,
		     uint64_t end, const char *name, bool is_header)
{
	struct picture_part part = { .start = start + elf->elf_off, .end = end + elf->elf_off,
				     .name = name ? name : "[padding]" };

	part.class = class_of_offs(elf, start, end, &part.segment);
	if (is_header)
		part.class = PICTURE_HEADER;
	else if (!name && (end - start < LITTLE || part.class == PICTURE_UNLOADED))
		part.class = PICTURE_PADDING;
	if (!make_room(&picture->parts, &picture->cap_parts, picture->n_parts, sizeof(part)))
		return false;
	picture->parts[picture->n_parts++] = part;
	return true;
}

/* Where, behind @off and before @end, another segment begins or one ends; @end if nowhere. */
static uint64_t next_border(const struct segmap_elf *elf, uint64_t off, uint64_t end)
{
	for (size_t i = 0; i < elf->n_segments; i++) {
		const struct segmap_segment *segment = &elf->segments[i];
		uint64_t borders[] = { segment->off, segment->off + segment->filesz };

		for (size_t j = 0; segment->type == SEGMAP_SEGMENT_LOAD && j < 2; j++)
			if (borders[j] > off && borders[j] < end)
				end = borders[j];
	}
	return end;
}

/* Bytes that have no name. Much of them is more than padding: each segment has its own. */
static bool add_nameless(struct picture *picture, const struct segmap_elf *elf, uint64_t start,
			 uint64_t end)
{
	bool is_little = end - start < LITTLE;

	while (start < end) {
		uint64_t border = is_little ? end : next_border(elf, start, end);

		if (!add_part(picture, elf, start, border, NULL, false))
			return false;
		start = border;
	}
	return true;
}

static const char *name_of_label(const struct segmap_elf *elf, const struct segmap_label *label)
{
	switch (label->kind) {
	case SEGMAP_LABEL_EHDR:
		return "[ELF header]";
	case SEGMAP_LABEL_PHDRS:
		return "[program headers]";
	case SEGMAP_LABEL_SHDRS:
		return "[section headers]";
	default:
		return elf->sections[label->section].name;
	}
}

/* The whole file, part by part. */
static bool add_parts(struct picture *picture, struct picture_group *group,
		      const struct segmap_elf *elf)
{
	uint64_t at = 0;

	group->first_part = (uint32_t)picture->n_parts;
	for (size_t i = 0; i < elf->n_by_off; i++) {
		const struct segmap_label *label = &elf->by_off[i];

		if (!add_nameless(picture, elf, at, label->start) ||
		    !add_part(picture, elf, label->start, label->end, name_of_label(elf, label),
			      label->kind != SEGMAP_LABEL_SECTION))
			return false;
		at = label->end;
	}
	if (!add_nameless(picture, elf, at, elf->size))
		return false;
	group->n_parts = (uint32_t)picture->n_parts - group->first_part;
	return true;
}

static int compare_sizes(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x < y) - (x > y);
}

/* Among the @n parts at @parts, of one segment: those smaller than this are drawn together. */
static bool threshold_of(const struct picture_part *parts, size_t n, uint64_t *ret)
{
	uint64_t *sizes;

	*ret = 0;
	if (n <= MOST_BOXES)
		return true;
	sizes = reallocarray(NULL, n, sizeof(*sizes));
	if (!sizes)
		return false;
	for (size_t i = 0; i < n; i++)
		sizes[i] = parts[i].end - parts[i].start;
	qsort(sizes, n, sizeof(*sizes), compare_sizes);
	*ret = sizes[BIGGEST_BOXES];
	free(sizes);
	return true;
}

/* The parts of one segment, from @first on. */
static bool add_boxes_of_segment(struct picture *picture, uint32_t first_box, uint32_t first,
				 uint32_t n)
{
	struct picture_part *parts = &picture->parts[first];
	uint64_t threshold;
	bool joins = false;

	if (!threshold_of(parts, n, &threshold))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		bool is_small = parts[i].end - parts[i].start <= threshold && threshold;
		struct picture_box box = { .first = first + i, .n = 1, .piece = -1 };

		if (is_small && joins) {
			picture->boxes[picture->n_boxes - 1].n++;
		} else {
			if (!make_room(&picture->boxes, &picture->cap_boxes, picture->n_boxes,
				       sizeof(box)))
				return false;
			picture->boxes[picture->n_boxes++] = box;
		}
		parts[i].box = (uint32_t)picture->n_boxes - 1 - first_box;
		joins = is_small;
	}
	return true;
}

static void place_boxes(struct picture *picture, struct picture_group *group)
{
	int y = 0;

	for (uint32_t i = 0; i < group->n_boxes; i++) {
		struct picture_box *box = &picture->boxes[group->first_box + i];
		const struct picture_part *first = &picture->parts[box->first];
		uint64_t size = first[box->n - 1].end - first->start;

		box->y = y;
		box->height = box->n > 1 ? height_of(size, LEAST_HEIGHT) :
					   height_of_class(size, first->class);
		y += box->height;
	}
	if (y > group->height)
		group->height = y;
}

static bool add_file(struct picture *picture, struct picture_group *group)
{
	const struct segmap_elf *elf = picture->layout->images[group->image].elf;
	uint32_t end, next;

	if (!elf)
		return true;
	if (!add_parts(picture, group, elf))
		return false;
	group->first_box = (uint32_t)picture->n_boxes;
	end = group->first_part + group->n_parts;
	for (uint32_t at = group->first_part; at < end; at = next) {
		next = at + 1;
		while (next < end && picture->parts[next].segment == picture->parts[at].segment)
			next++;
		if (!add_boxes_of_segment(picture, group->first_box, at, next - at))
			return false;
	}
	group->n_boxes = (uint32_t)picture->n_boxes - group->first_box;
	place_boxes(picture, group);
	return true;
}

/* The part of @group's file that holds the byte at @off; NULL if none does. */
static const struct picture_part *find_part(const struct picture *picture,
					    const struct picture_group *group, uint64_t off)
{
	uint32_t low = group->first_part, high = low + group->n_parts;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct picture_part *part = &picture->parts[middle];

		if (off < part->start)
			high = middle;
		else if (off >= part->end)
			low = middle + 1;
		else
			return part;
	}
	return NULL;
}

int picture_y_of_off(const struct picture *picture, const struct picture_group *group, uint64_t off)
{
	const struct picture_part *part = find_part(picture, group, off), *last;
	const struct picture_box *box;
	uint64_t start, size;

	if (!group->n_boxes)
		return 0;
	if (!part) {
		last = &picture->parts[group->first_part + group->n_parts - 1];
		box = &picture->boxes[group->first_box + group->n_boxes - 1];
		return off >= last->end ? box->y + box->height : 0;
	}
	box = &picture->boxes[group->first_box + part->box];
	start = picture->parts[box->first].start;
	size = picture->parts[box->first + box->n - 1].end - start;
	return box->y + (int)((double)(off - start) / (double)size * box->height + 0.5);
}

/* ---- the memory, on the right ---- */

enum picture_class picture_class_of_piece(const struct segmap_layout *layout,
					  const struct segmap_piece *piece)
{
	switch (piece->kind) {
	case SEGMAP_PIECE_EHDR:
	case SEGMAP_PIECE_PHDRS:
	case SEGMAP_PIECE_SHDRS:
		return PICTURE_HEADER;
	case SEGMAP_PIECE_PADDING:
		return PICTURE_PADDING;
	case SEGMAP_PIECE_SPILL:
		return PICTURE_SPILL;
	case SEGMAP_PIECE_GAP:
		return PICTURE_GAP;
	case SEGMAP_PIECE_ANON:
		return PICTURE_OTHER;
	default:
		break;
	}
	switch (segmap_piece_class(layout, piece)) {
	case SEGMAP_CLASS_CODE:
		return PICTURE_CODE;
	case SEGMAP_CLASS_RODATA:
		return PICTURE_RODATA;
	case SEGMAP_CLASS_RELRO:
		return PICTURE_RELRO;
	case SEGMAP_CLASS_BSS:
		return PICTURE_BSS;
	case SEGMAP_CLASS_DATA:
		return piece->off == SEGMAP_NO_OFF ? PICTURE_BSS : PICTURE_DATA;
	default:
		return PICTURE_OTHER;
	}
}

/* What gives keys to the pieces of a group. */
struct keying {
	const struct picture_group *group;
	const struct segmap_piece *last; /* the last piece without bytes of the file */
	uint32_t next, last_key;	 /* the first key that is free; that of @last */
};

static uint32_t key_of_piece(const struct picture *picture, struct keying *keying,
			     const struct segmap_piece *piece)
{
	const struct picture_part *part = NULL;

	if (piece->off != SEGMAP_NO_OFF && piece->image == keying->group->image)
		part = find_part(picture, keying->group, piece->off);
	if (part)
		return part->box;
	/* A .bss that goes on in the next VMA is one. */
	if (!keying->last || !piece->comes_from || strcmp(keying->last->name, piece->name) != 0)
		keying->last_key = keying->next++;
	if (piece->goes_on || piece->comes_from)
		keying->last = piece;
	return keying->last_key;
}

/* A box leads to where its bytes belong, or else to where they are mapped besides. */
static void lead_to(struct picture *picture, const struct picture_group *group, uint32_t key,
		    uint32_t piece)
{
	const struct segmap_piece *pieces = picture->layout->pieces;
	struct picture_box *box;

	if (key >= group->n_boxes)
		return;
	box = &picture->boxes[group->first_box + key];
	if (box->piece < 0 || (pieces[box->piece].kind == SEGMAP_PIECE_SPILL &&
			       pieces[piece].kind != SEGMAP_PIECE_SPILL))
		box->piece = piece;
}

static void give_keys(struct picture *picture, struct picture_group *group)
{
	const struct segmap_layout *layout = picture->layout;
	struct keying keying = { .group = group, .next = group->n_boxes };

	for (size_t i = 0; i < group->n; i++) {
		const struct segmap_annotation *annotation =
			&layout->annotations[picture->order[group->first + i]];

		for (uint32_t j = 0; j < annotation->n_pieces; j++) {
			uint32_t piece = annotation->first_piece + j;

			picture->keys[piece] = key_of_piece(picture, &keying, &layout->pieces[piece]);
			lead_to(picture, group, picture->keys[piece], piece);
		}
	}
}

/* The pieces of @row's VMA as boxes; those of one key that stand in a row are one. */
static bool add_items(struct picture *picture, struct picture_row *row)
{
	const struct segmap_layout *layout = picture->layout;
	const struct segmap_annotation *annotation = &layout->annotations[row->vma];

	row->first_item = (uint32_t)picture->n_items;
	for (uint32_t i = 0; i < annotation->n_pieces; i++) {
		uint32_t piece = annotation->first_piece + i;
		struct picture_item item = { .piece = piece, .n = 1, .key = picture->keys[piece] };
		struct picture_item *before = row->n_items ?
						      &picture->items[picture->n_items - 1] : NULL;

		if (before && (before->key == item.key || row->n_items >= MOST_ITEMS)) {
			before->n++;
			continue;
		}
		item.class = picture_class_of_piece(layout, &layout->pieces[piece]);
		if (!make_room(&picture->items, &picture->cap_items, picture->n_items,
			       sizeof(item)))
			return false;
		picture->items[picture->n_items++] = item;
		row->n_items++;
	}
	return true;
}

/* Place @row's items below one another from @y on; what they lack in height the last one gets. */
static void place_items(struct picture *picture, struct picture_row *row, int y)
{
	int least = row->height;
	struct picture_item *item = NULL;

	row->y = y;
	for (uint32_t i = 0; i < row->n_items; i++) {
		const struct segmap_piece *first;

		item = &picture->items[row->first_item + i];
		first = &picture->layout->pieces[item->piece];
		item->y = y;
		item->height = item->n > 1 ?
				       height_of(first[item->n - 1].end - first->start, LEAST_HEIGHT) :
				       height_of_class(first->end - first->start, item->class);
		y += item->height;
	}
	if (item && y - row->y < least)
		item->height += least - (y - row->y);
	else if (item)
		row->height = y - row->y;
}

/* Whether there is more to be said beside a VMA than where it is. */
static bool has_label(const struct segmap_layout *layout, size_t vma)
{
	return segmap_layout_placement(layout, vma)->label || segmap_layout_label(layout, vma);
}

static void place_rows(struct picture *picture, struct picture_group *group)
{
	int y = 0;

	for (uint32_t i = 0; i < group->n_rows; i++) {
		struct picture_row *row = &picture->rows[group->first_row + i];
		uint64_t size = segmap_vma_size(&picture->layout->vmas[row->vma]);

		y += row->hole || row->elsewhere ? PICTURE_HOLE : i ? ROW_SPACE : 0;
		row->height = LONE_HEIGHT + height_of(size, 0) / 2;
		if (row->n_items || (row->height < ROW_HEIGHT && has_label(picture->layout, row->vma)))
			row->height = ROW_HEIGHT;
		place_items(picture, row, y);
		y += row->height;
	}
	if (y > group->height)
		group->height = y;
}

/* Bytes between two VMAs that nothing is mapped at, if they count from one base. */
static uint64_t hole_between(const struct segmap_layout *layout, size_t before, size_t after)
{
	const struct segmap_placement *a = segmap_layout_placement(layout, before);
	const struct segmap_placement *b = segmap_layout_placement(layout, after);
	uint64_t end = layout->vmas[before].end, start = layout->vmas[after].start;

	if (after != before + 1 || start <= end || a->base != b->base ||
	    strcmp(a->base_name, b->base_name) != 0)
		return 0;
	return start - end;
}

/* ---- which VMAs belong together ---- */

/* Where VMAs are collected, group by group. */
struct collecting {
	struct picture *picture;
	const struct range *range;
	uint32_t *group_of;	 /* for each VMA; NOT_SHOWN */
	int64_t *last;		 /* for each image: its last VMA that is shown; -1: none */
	int64_t *group_of_image; /* -1: none yet */
};

enum { NOT_SHOWN = UINT32_MAX };

static void collecting_free(struct collecting *collecting)
{
	free(collecting->group_of);
	free(collecting->last);
	free(collecting->group_of_image);
}

static bool collecting_begin(struct collecting *collecting)
{
	const struct segmap_layout *layout = collecting->picture->layout;

	collecting->group_of = calloc(layout->n_vmas + 1, sizeof(*collecting->group_of));
	collecting->last = calloc(layout->n_images + 1, sizeof(*collecting->last));
	collecting->group_of_image = calloc(layout->n_images + 1, sizeof(*collecting->last));
	if (!collecting->group_of || !collecting->last || !collecting->group_of_image)
		return false;
	for (size_t i = 0; i < layout->n_images; i++)
		collecting->last[i] = collecting->group_of_image[i] = -1;
	for (size_t i = 0; i < layout->n_vmas; i++) {
		int32_t image = layout->annotations[i].image;

		if (image >= 0 && range_overlaps(collecting->range, layout, i))
			collecting->last[image] = (int64_t)i;
	}
	return true;
}

static bool add_group(struct collecting *collecting, int32_t image)
{
	struct picture *picture = collecting->picture;
	struct picture_group group = { .image = image };

	if (!make_room(&picture->groups, &picture->cap_groups, picture->n_groups, sizeof(group)))
		return false;
	if (image >= 0)
		collecting->group_of_image[image] = (int64_t)picture->n_groups;
	picture->groups[picture->n_groups++] = group;
	return true;
}

/*
 * What belongs to no image and lies inside of one is shown there; the rest of it
 * in groups of its own, between.
 */
static bool choose_groups(struct collecting *collecting)
{
	struct picture *picture = collecting->picture;
	const struct segmap_layout *layout = picture->layout;
	int64_t current = -1; /* group */
	int32_t image = -1;   /* of that group */

	for (size_t i = 0; i < layout->n_vmas; i++) {
		int32_t own = layout->annotations[i].image;

		if (!range_overlaps(collecting->range, layout, i)) {
			collecting->group_of[i] = NOT_SHOWN;
			continue;
		}
		if (own >= 0 && collecting->group_of_image[own] >= 0) {
			current = collecting->group_of_image[own];
			image = own;
		} else if (own >= 0 || current < 0 ||
			   (image >= 0 && collecting->last[image] < (int64_t)i)) {
			current = (int64_t)picture->n_groups;
			image = own;
			if (!add_group(collecting, own))
				return false;
		}
		collecting->group_of[i] = (uint32_t)current;
		picture->groups[current].n++;
	}
	return true;
}

/* Fill the picture's order. */
static bool order_vmas(struct collecting *collecting)
{
	struct picture *picture = collecting->picture;
	size_t n_vmas = picture->layout->n_vmas, n = 0;

	picture->order = reallocarray(NULL, n_vmas + 1, sizeof(*picture->order));
	if (!picture->order)
		return false;
	for (size_t i = 0; i < picture->n_groups; i++) {
		picture->groups[i].first = n;
		n += picture->groups[i].n;
		picture->groups[i].n = 0;
	}
	for (size_t i = 0; i < n_vmas; i++) {
		struct picture_group *group;

		if (collecting->group_of[i] == (uint32_t)NOT_SHOWN)
			continue;
		group = &picture->groups[collecting->group_of[i]];
		picture->order[group->first + group->n++] = i;
	}
	return true;
}

/* What lies before @row, the last of @group so far. */
static void note_hole(const struct picture *picture, struct picture_group *group,
		      struct picture_row *row)
{
	const struct segmap_layout *layout = picture->layout;
	size_t before;

	if (group->n_rows) {
		before = picture->order[row->first - 1];
		row->hole = hole_between(layout, before, row->vma);
		row->elsewhere = row->vma != before + 1;
	} else if (row->vma) {
		group->hole = hole_between(layout, row->vma - 1, row->vma);
	} else if (!layout->prediction) {
		group->hole = layout->vmas[0].start;
	}
}

/* The VMAs of @group, in order; of very many those in the middle are one row. */
static bool add_rows(struct picture *picture, struct picture_group *group)
{
	group->first_row = (uint32_t)picture->n_rows;
	for (size_t i = 0; i < group->n;) {
		struct picture_row row = { .first = group->first + i, .n = 1 };

		if (group->n > MOST_ROWS && i == END_ROWS)
			row.n = group->n - 2 * END_ROWS;
		i += row.n;
		row.vma = picture->order[row.first];
		note_hole(picture, group, &row);
		if ((row.n == 1 && !add_items(picture, &row)) ||
		    !make_room(&picture->rows, &picture->cap_rows, picture->n_rows, sizeof(row)))
			return false;
		picture->rows[picture->n_rows++] = row;
		group->n_rows++;
	}
	return true;
}

/* ---- what is mapped twice ---- */

/* Some bytes of a file, and the piece that maps them. */
struct mapped {
	int32_t image;
	uint64_t start, end; /* offsets in the file */
	uint32_t piece;
};

static int compare_mapped(const void *a, const void *b)
{
	const struct mapped *x = a, *y = b;

	if (x->image != y->image)
		return x->image < y->image ? -1 : 1;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->piece < y->piece ? -1 : x->piece > y->piece;
}

/* Tell each piece of another that maps some of its bytes, too. */
static bool find_twice(struct picture *picture)
{
	const struct segmap_layout *layout = picture->layout;
	struct mapped *mapped = reallocarray(NULL, layout->n_pieces + 1, sizeof(*mapped));
	const struct mapped *reaching = mapped; /* of those before, the one that reaches farthest */
	size_t n = 0;

	if (!mapped)
		return false;
	for (uint32_t i = 0; i < layout->n_pieces; i++) {
		const struct segmap_piece *piece = &layout->pieces[i];

		if (piece->off != SEGMAP_NO_OFF && piece->image >= 0)
			mapped[n++] = (struct mapped){
				piece->image, piece->off, piece->off + (piece->end - piece->start), i
			};
	}
	qsort(mapped, n, sizeof(*mapped), compare_mapped);
	for (const struct mapped *at = mapped + 1; at < mapped + n; at++) {
		if (at->image == reaching->image && at->start < reaching->end) {
			picture->twice[at->piece] = reaching->piece;
			picture->twice[reaching->piece] = at->piece;
		}
		if (at->image != reaching->image || at->end > reaching->end)
			reaching = at;
	}
	free(mapped);
	return true;
}

/* ---- all of it ---- */

/* What is known of each piece before it is drawn; those of VMAs that are not, too. */
static bool know_pieces(struct picture *picture)
{
	const struct segmap_layout *layout = picture->layout;

	picture->keys = calloc(layout->n_pieces + 1, sizeof(*picture->keys));
	picture->twice = calloc(layout->n_pieces + 1, sizeof(*picture->twice));
	picture->vma_of = calloc(layout->n_pieces + 1, sizeof(*picture->vma_of));
	if (!picture->keys || !picture->twice || !picture->vma_of)
		return false;
	for (size_t i = 0; i < layout->n_pieces; i++)
		picture->twice[i] = PICTURE_ONCE;
	for (size_t i = 0; i < layout->n_vmas; i++)
		for (uint32_t j = 0; j < layout->annotations[i].n_pieces; j++)
			picture->vma_of[layout->annotations[i].first_piece + j] = (uint32_t)i;
	return find_twice(picture);
}

static bool make(struct picture *picture, const struct range *range)
{
	__attribute__((cleanup(collecting_free))) struct collecting collecting = {
		.picture = picture,
		.range = range,
	};

	if (!know_pieces(picture) || !collecting_begin(&collecting) ||
	    !choose_groups(&collecting) || !order_vmas(&collecting))
		return false;
	for (size_t i = 0; i < picture->n_groups; i++) {
		struct picture_group *group = &picture->groups[i];

		if (group->image >= 0 && !add_file(picture, group))
			return false;
		give_keys(picture, group);
		if (!add_rows(picture, group))
			return false;
		place_rows(picture, group);
	}
	return true;
}

struct segmap_error *picture_make(const struct segmap_layout *layout, const struct range *range,
				  struct picture *ret)
{
	struct picture picture = { .layout = layout };

	if (!make(&picture, range)) {
		picture_free(&picture);
		return segmap_error_no_memory();
	}
	*ret = picture;
	return NULL;
}

void picture_free(struct picture *picture)
{
	free(picture->order);
	free(picture->groups);
	free(picture->parts);
	free(picture->boxes);
	free(picture->rows);
	free(picture->items);
	free(picture->keys);
	free(picture->vma_of);
	free(picture->twice);
	*picture = (struct picture){ 0 };
}
