/* src/render/svg.c - a picture drawn: the columns of its groups, for a page or a sheet. */
#include "render/svg.h"
#include "render/caption.h"
#include "render/markup.h"
#include "render/say.h"
#include <string.h>

/*
 * From left to right:
 *
 *   GNU_RELRO [   LOAD 3 r-x [  offset |  file  | bands | memory | address, permissions, role
 */
enum {
	X_RELRO = 84,	/* of the braces */
	X_LOAD = 172,
	X_OFFSET = 240, /* where offsets end */
	X_FILE = 246,
	X_MEMORY = 606,
	X_BESIDE = 844, /* where the lines beside a VMA begin */
	FILE_WIDTH = 230,
	MEMORY_WIDTH = 230,
	STRIP = 7,	/* the strong colour at the outer edge of a box */
	BASELINE = 11,	/* of text, from the top of its line */
	LINE = 13,
	LEAST_FOR_TEXT = 11,
};

/* One group as it is drawn. */
struct drawing {
	const struct svg *svg;
	const struct picture_group *group;
	size_t index; /* of the group */
	int y;	      /* where its columns begin */
};

/* ---- ids ---- */

void svg_box_id(struct segmap_text *markup, size_t map, size_t group, uint32_t box)
{
	say(markup, "m%zug%zub%u", map, group, box);
}

void svg_piece_id(struct segmap_text *markup, size_t map, uint32_t piece)
{
	say(markup, "m%zup%u", map, piece);
}

void svg_row_id(struct segmap_text *markup, size_t map, uint32_t piece)
{
	say(markup, "m%zur%u", map, piece);
}

void svg_part_id(struct segmap_text *markup, size_t map, uint32_t part)
{
	say(markup, "m%zuf%u", map, part);
}

void svg_vma_id(struct segmap_text *markup, size_t map, size_t vma, bool is_row)
{
	say(markup, "m%zu%c%zu", map, is_row ? 'w' : 'v', vma);
}

/* ---- small things ---- */

static void append_text(struct segmap_text *markup, int x, int y, const char *class)
{
	say(markup, "<text x=\"%d\" y=\"%d\" class=\"%s\">", x, y, class);
}

static void end_text(struct segmap_text *markup)
{
	segmap_text_append_trusted(markup, "</text>\n");
}

/* A rectangle of @class's colour, its strip and its hatch. */
static void append_chip(struct segmap_text *markup, int x, int y, int width, int height,
			enum picture_class class, bool strip_right)
{
	const char *name = picture_looks[class].name;

	say(markup, "<rect class=\"f\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>", x, y,
		      width, height);
	if (class == PICTURE_RELRO || class == PICTURE_BSS || class == PICTURE_GAP ||
	    class == PICTURE_SPILL)
		say(markup,
			      "<rect class=\"h\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "
			      "fill=\"url(#hatch-%s)\"/>",
			      x, y, width, height, name);
	say(markup, "<rect class=\"s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>",
		      strip_right ? x + width - STRIP : x, y, STRIP, height);
}

/* A box on either side, as far as both are the same. */
struct box {
	int x, width, y, height;
	enum picture_class class;
	const char *name; /* raw */
	uint32_t more;	  /* that are drawn in the same box */
	uint64_t size;
};

/* ".note.ABI-tag +3 more" and the size, within the box. */
static void append_box(struct segmap_text *markup, const struct box *box)
{
	enum { COLUMN = 7, SIZE_COLUMNS = 9, MORE_COLUMNS = 9 };
	size_t columns = (size_t)box->width / COLUMN - SIZE_COLUMNS - 3;

	append_chip(markup, box->x, box->y, box->width, box->height, box->class, box->x == X_FILE);
	if (box->height < LEAST_FOR_TEXT)
		return;
	if (box->more)
		columns -= MORE_COLUMNS;
	append_text(markup, box->x + STRIP + (box->x == X_FILE ? 0 : 4), box->y + BASELINE, "t");
	markup_append_cut(markup, box->name, strlen(box->name), columns);
	if (box->more)
		say(markup, " +%u more", box->more);
	segmap_text_append_trusted(markup, "</text>");
	append_text(markup, box->x + box->width - STRIP - 5, box->y + BASELINE, "z");
	markup_append_amount(markup, box->size);
	end_text(markup);
}

/* Begin a box: in a page a link to a row of its table, else a group. */
static void begin_box(const struct svg *svg, enum picture_class class, size_t group, int64_t key)
{
	say(svg->markup, "<%s class=\"i c-%s\"", svg->is_page ? "a" : "g",
		      picture_looks[class].name);
	if (svg->is_page && key >= 0)
		say(svg->markup, " data-k=\"%zu.%jd\"", group, (intmax_t)key);
	if (svg->is_page)
		segmap_text_append_trusted(svg->markup, " tabindex=\"-1\" id=\"");
}

static void end_box(const struct svg *svg)
{
	segmap_text_append_trusted(svg->markup, svg->is_page ? "</a>\n" : "</g>\n");
}

/* ---- left ---- */

/* The names of what is drawn as one box, as far as a reader has patience. */
static void append_listed(struct segmap_text *markup, const char *name, uint32_t index)
{
	enum { MOST = 40 };

	if (index > MOST)
		return;
	if (index)
		segmap_text_append_trusted(markup, ", ");
	if (index == MOST)
		segmap_text_append_trusted(markup, "…");
	else
		markup_append(markup, name, strlen(name));
}

static void append_box_title(const struct drawing *drawing, const struct picture_box *box)
{
	const struct picture *picture = drawing->svg->picture;
	const struct picture_part *first = &picture->parts[box->first];
	struct segmap_text *markup = drawing->svg->markup;

	segmap_text_append_trusted(markup, "<title>");
	for (uint32_t i = 0; i < box->n; i++)
		append_listed(markup, first[i].name, i);
	say(markup, ": file 0x%jx to 0x%jx, ", (uintmax_t)first->start,
		      (uintmax_t)first[box->n - 1].end);
	markup_append_amount(markup, first[box->n - 1].end - first->start);
	segmap_text_append_trusted(markup, "; ");
	caption_part(markup, picture, drawing->group, first);
	segmap_text_append_trusted(markup, "</title>");
}

/* The row of the table that tells of @box: of its first piece, or of the part that none maps. */
static void append_row_of_box(const struct svg *svg, const struct picture_box *box)
{
	segmap_text_append_trusted(svg->markup, "\" href=\"#");
	if (box->piece >= 0)
		svg_row_id(svg->markup, svg->map, (uint32_t)box->piece);
	else
		svg_part_id(svg->markup, svg->map, box->first);
	segmap_text_append_trusted(svg->markup, "\"");
}

static void draw_file_box(const struct drawing *drawing, uint32_t index)
{
	const struct svg *svg = drawing->svg;
	const struct picture_box *box = &svg->picture->boxes[drawing->group->first_box + index];
	const struct picture_part *first = &svg->picture->parts[box->first];
	struct box drawn = {
		.x = X_FILE, .width = FILE_WIDTH, .y = drawing->y + box->y, .height = box->height,
		.class = first->class, .name = first->name, .more = box->n - 1,
		.size = first[box->n - 1].end - first->start,
	};

	begin_box(svg, drawn.class, drawing->index, index);
	if (svg->is_page) {
		svg_box_id(svg->markup, svg->map, drawing->index, index);
		append_row_of_box(svg, box);
	}
	segmap_text_append_char(svg->markup, '>');
	append_box_title(drawing, box);
	if (box->height >= LEAST_FOR_TEXT) {
		append_text(svg->markup, X_OFFSET, drawn.y + BASELINE, "n");
		say(svg->markup, "%jx</text>", (uintmax_t)first->start);
	}
	append_box(svg->markup, &drawn);
	end_box(svg);
}

/* A brace on the left of what it embraces. */
static void append_brace(struct segmap_text *markup, int x, int top, int bottom, const char *class)
{
	say(markup, "<path class=\"%s\" d=\"M%d,%dh-6V%dh6\"/>\n", class, x + 6, top + 1,
		      bottom - 1);
}

/* PT_LOAD and PT_GNU_RELRO: which part of the file each is. */
static void draw_braces(const struct drawing *drawing, enum segmap_segment_type type)
{
	const struct picture *picture = drawing->svg->picture;
	const struct segmap_elf *elf = picture->layout->images[drawing->group->image].elf;
	bool is_load = type == SEGMAP_SEGMENT_LOAD;
	int x = is_load ? X_LOAD : X_RELRO, free_from = 0;
	struct segmap_text *markup = drawing->svg->markup;

	for (size_t i = 0; i < elf->n_segments; i++) {
		const struct segmap_segment *segment = &elf->segments[i];
		uint64_t start = segment->off + elf->elf_off;
		char perms[5];
		int top, bottom, text;

		if (segment->type != type || !segment->filesz)
			continue;
		top = drawing->y + picture_y_of_off(picture, drawing->group, start);
		bottom = drawing->y +
			 picture_y_of_off(picture, drawing->group, start + segment->filesz);
		append_brace(markup, x, top, bottom, is_load ? "brace" : "brace c-relro");
		text = (top + bottom) / 2 + 4;
		text = text < free_from ? free_from : text;
		free_from = text + LINE;
		append_text(markup, x - 5, text, "n");
		segmap_perms_format(segment->prot, false, perms);
		if (is_load)
			say(markup, "LOAD %u %.3s", segment->index, perms);
		else
			segmap_text_append_trusted(markup, "GNU_RELRO");
		end_text(markup);
	}
}

/* ---- right ---- */

static void append_piece_title(const struct drawing *drawing, const struct picture_item *item)
{
	const struct segmap_layout *layout = drawing->svg->picture->layout;
	const struct segmap_piece *first = &layout->pieces[item->piece];
	const struct segmap_piece *last = first + item->n - 1;
	size_t vma = drawing->svg->picture->vma_of[item->piece];
	struct segmap_text *markup = drawing->svg->markup;
	char perms[5];

	segmap_vma_perms_format(&layout->vmas[vma], perms);
	segmap_text_append_trusted(markup, "<title>");
	for (uint32_t i = 0; i < item->n; i++)
		append_listed(markup, first[i].name, i);
	segmap_text_append_trusted(markup, ": memory ");
	caption_address(markup, layout, vma, first->start);
	segmap_text_append_trusted(markup, " to ");
	caption_address(markup, layout, vma, last->end);
	segmap_text_append_trusted(markup, ", ");
	markup_append_amount(markup, last->end - first->start);
	say(markup, ", %s; ", perms);
	caption_piece(markup, drawing->svg->picture, item->piece);
	segmap_text_append_trusted(markup, "</title>");
}

static void draw_item(const struct drawing *drawing, const struct picture_item *item)
{
	const struct svg *svg = drawing->svg;
	const struct segmap_piece *first = &svg->picture->layout->pieces[item->piece];
	struct box drawn = {
		.x = X_MEMORY, .width = MEMORY_WIDTH, .y = drawing->y + item->y,
		.height = item->height, .class = item->class, .name = first->name,
		.more = item->n - 1, .size = first[item->n - 1].end - first->start,
	};

	begin_box(svg, drawn.class, drawing->index, item->key);
	if (svg->is_page) {
		svg_piece_id(svg->markup, svg->map, item->piece);
		segmap_text_append_trusted(svg->markup, "\" href=\"#");
		svg_row_id(svg->markup, svg->map, item->piece);
		segmap_text_append_char(svg->markup, '"');
	}
	segmap_text_append_char(svg->markup, '>');
	append_piece_title(drawing, item);
	append_box(svg->markup, &drawn);
	end_box(svg);
}

/* From the bytes of the file to where @item holds them. */
static void draw_band(const struct drawing *drawing, const struct picture_item *item)
{
	enum { LEFT = X_FILE + FILE_WIDTH, RIGHT = X_MEMORY, MIDDLE = (LEFT + RIGHT) / 2 };
	const struct svg *svg = drawing->svg;
	const struct picture *picture = svg->picture;
	const struct segmap_piece *first = &picture->layout->pieces[item->piece];
	const struct segmap_piece *last = first + item->n - 1;
	int top, bottom, to = drawing->y + item->y;

	if (item->key >= drawing->group->n_boxes || last->off == SEGMAP_NO_OFF)
		return;
	top = drawing->y + picture_y_of_off(picture, drawing->group, first->off);
	bottom = drawing->y + picture_y_of_off(picture, drawing->group,
					      last->off + (last->end - last->start));
	say(svg->markup, "<path class=\"b c-%s\"", picture_looks[item->class].name);
	if (svg->is_page)
		say(svg->markup, " data-k=\"%zu.%u\"", drawing->index, item->key);
	say(svg->markup, " d=\"M%d,%dC%d,%d %d,%d %d,%dV%dC%d,%d %d,%d %d,%dZ\"/>\n", LEFT,
		      top, MIDDLE, top, MIDDLE, to, RIGHT, to, to + item->height, MIDDLE,
		      to + item->height, MIDDLE, bottom, LEFT, bottom);
}

/* "7f3e9abd000 r-xp 772 KiB", and beneath it what the VMA is. */
static void append_beside(const struct drawing *drawing, const struct picture_row *row)
{
	const struct segmap_layout *layout = drawing->svg->picture->layout;
	struct segmap_text *markup = drawing->svg->markup;
	const struct segmap_vma *vma = &layout->vmas[row->vma];
	int y = drawing->y + row->y + BASELINE + 1;
	char perms[5];

	segmap_vma_perms_format(vma, perms);
	append_text(markup, X_BESIDE, y, "a");
	caption_address(markup, layout, row->vma, vma->start);
	say(markup, " <tspan class=\"p\">%s</tspan> ", perms);
	markup_append_amount(markup, segmap_vma_size(vma));
	if (segmap_layout_placement(layout, row->vma)->open_end)
		segmap_text_append_trusted(markup, " or more");
	if (row->height >= 2 * LINE + 4) {
		end_text(markup);
		append_text(markup, X_BESIDE, y + LINE, "a k");
	} else {
		segmap_text_append_char(markup, ' ');
	}
	caption_role(markup, layout, row->vma);
	end_text(markup);
}

/* Several VMAs of which only the first and the last are told. */
static void append_beside_many(const struct drawing *drawing, const struct picture_row *row)
{
	const struct picture *picture = drawing->svg->picture;
	size_t last = picture->order[row->first + row->n - 1];
	struct segmap_text *markup = drawing->svg->markup;

	append_text(markup, X_BESIDE, drawing->y + row->y + BASELINE + 1, "a");
	caption_address(markup, picture->layout, row->vma, picture->layout->vmas[row->vma].start);
	segmap_text_append_trusted(markup, " to ");
	caption_address(markup, picture->layout, last, picture->layout->vmas[last].end);
	end_text(markup);
}

/* A VMA without pieces, or several: one box. */
static void draw_lone(const struct drawing *drawing, const struct picture_row *row)
{
	enum { COLUMNS = 30 };
	const struct svg *svg = drawing->svg;
	const struct picture *picture = svg->picture;
	enum segmap_kind kind = picture->layout->annotations[row->vma].kind;
	enum picture_class class = kind == SEGMAP_KIND_GAP ? PICTURE_GAP : PICTURE_OTHER;
	struct segmap_text *markup = svg->markup;

	begin_box(svg, class, drawing->index, -1);
	if (svg->is_page) {
		svg_vma_id(markup, svg->map, row->vma, false);
		segmap_text_append_trusted(markup, "\" href=\"#");
		svg_vma_id(markup, svg->map, row->vma, true);
		segmap_text_append_char(markup, '"');
	}
	segmap_text_append_char(markup, '>');
	append_chip(markup, X_MEMORY, drawing->y + row->y, MEMORY_WIDTH, row->height, class, false);
	append_text(markup, X_MEMORY + STRIP + 4, drawing->y + row->y + BASELINE + 1, "t");
	if (row->n > 1)
		say(markup, "… %zu more VMAs", row->n);
	else
		caption_vma(markup, picture->layout, row->vma, COLUMNS);
	end_text(markup);
	end_box(svg);
}

/* A zigzag over the width of the memory, and the words beside it. */
static void append_zigzag(struct segmap_text *markup, int y)
{
	enum { TEETH = 11, TOOTH = 10 };

	for (int line = 0; line < 2; line++) {
		say(markup, "<path class=\"zigzag\" d=\"M%d,%d", X_MEMORY, y + 10 + 6 * line);
		for (int i = 0; i < TEETH; i++)
			say(markup, "l%d,-5l%d,5", TOOTH, TOOTH);
		segmap_text_append_trusted(markup, "\"/>");
	}
	append_text(markup, X_BESIDE, y + 16, "a k");
}

void svg_break(struct segmap_text *markup, int y, uint64_t bytes)
{
	append_zigzag(markup, y);
	markup_append_amount(markup, bytes);
	segmap_text_append_trusted(markup, " not mapped");
	end_text(markup);
}

static void draw_row(const struct drawing *drawing, const struct picture_row *row)
{
	const struct svg *svg = drawing->svg;
	int above = drawing->y + row->y - PICTURE_HOLE;

	if (row->hole) {
		svg_break(svg->markup, above, row->hole);
	} else if (row->elsewhere) {
		append_zigzag(svg->markup, above);
		segmap_text_append_trusted(svg->markup, "other memory lies between");
		end_text(svg->markup);
	}
	for (uint32_t i = 0; i < row->n_items; i++)
		draw_item(drawing, &svg->picture->items[row->first_item + i]);
	if (!row->n_items)
		draw_lone(drawing, row);
	say(svg->markup,
		      "<rect class=\"vma\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", X_MEMORY,
		      drawing->y + row->y, MEMORY_WIDTH, row->height);
	if (row->n > 1)
		append_beside_many(drawing, row);
	else
		append_beside(drawing, row);
}

/* ---- a group ---- */

int svg_group_height(const struct picture_group *group)
{
	enum { BELOW = 18 };

	return SVG_HEADING + group->height + BELOW;
}

/* As far as the picture knows: to the end of its last part. */
static uint64_t file_size(const struct drawing *drawing)
{
	const struct picture_group *group = drawing->group;
	const struct picture_part *parts = &drawing->svg->picture->parts[group->first_part];

	return parts[group->n_parts - 1].end - parts->start;
}

static void draw_heading(const struct drawing *drawing)
{
	struct segmap_text *markup = drawing->svg->markup;
	bool has_file = drawing->group->n_boxes;

	if (!drawing->svg->is_page) {
		append_text(markup, 12, drawing->y - SVG_HEADING + 14, "g");
		caption_group(markup, drawing->svg->picture, drawing->group);
		end_text(markup);
	}
	if (has_file) {
		append_text(markup, X_OFFSET, drawing->y - 8, "n q");
		segmap_text_append_trusted(markup, "offset</text>");
		append_text(markup, X_FILE, drawing->y - 8, "q");
		segmap_text_append_trusted(markup, "the file, ");
		markup_append_amount(markup, file_size(drawing));
		end_text(markup);
	}
	append_text(markup, X_MEMORY, drawing->y - 8, "q");
	segmap_text_append_trusted(markup, "memory</text>");
	append_text(markup, X_BESIDE, drawing->y - 8, "q");
	segmap_text_append_trusted(markup, "address, permissions, size</text>\n");
}

void svg_group(const struct svg *svg, size_t index, int y)
{
	const struct picture *picture = svg->picture;
	const struct picture_group *group = &picture->groups[index];
	const struct drawing drawing = { svg, group, index, y + SVG_HEADING };

	draw_heading(&drawing);
	for (uint32_t i = 0; i < group->n_rows; i++) {
		const struct picture_row *row = &picture->rows[group->first_row + i];

		for (uint32_t j = 0; j < row->n_items; j++)
			draw_band(&drawing, &picture->items[row->first_item + j]);
	}
	for (uint32_t i = 0; i < group->n_boxes; i++)
		draw_file_box(&drawing, i);
	if (group->n_boxes) {
		draw_braces(&drawing, SEGMAP_SEGMENT_LOAD);
		draw_braces(&drawing, SEGMAP_SEGMENT_RELRO);
	}
	for (uint32_t i = 0; i < group->n_rows; i++)
		draw_row(&drawing, &picture->rows[group->first_row + i]);
}

/* ---- what belongs to a document ---- */

void svg_hatches(struct segmap_text *markup)
{
	static const struct {
		enum picture_class class;
		int size;
		const char *path;
	} hatches[] = {
		{ PICTURE_RELRO, 6, "M0,1.5H6" },
		{ PICTURE_BSS, 8, "M-2,2l4,-4M0,8l8,-8M6,10l4,-4" },
		{ PICTURE_GAP, 8, "M0,0l8,8M8,0l-8,8" },
		{ PICTURE_SPILL, 6, "M1,1h1M4,4h1" },
	};

	segmap_text_append_trusted(markup, "<defs>");
	for (size_t i = 0; i < sizeof(hatches) / sizeof(hatches[0]); i++)
		say(markup,
			      "<pattern id=\"hatch-%s\" width=\"%d\" height=\"%d\" "
			      "patternUnits=\"userSpaceOnUse\"><path class=\"hatch c-%s\" "
			      "d=\"%s\"/></pattern>",
			      picture_looks[hatches[i].class].name, hatches[i].size, hatches[i].size,
			      picture_looks[hatches[i].class].name, hatches[i].path);
	segmap_text_append_trusted(markup, "</defs>\n");
}

void svg_legend(struct segmap_text *markup, int y)
{
	enum { IN_A_LINE = 4, STEP = 290, CHIP = 26, CHIP_HEIGHT = 13, LINE_HEIGHT = 20 };

	for (int i = 0; i < N_PICTURE_CLASSES; i++) {
		int x = 12 + i % IN_A_LINE * STEP, at = y + i / IN_A_LINE * LINE_HEIGHT;

		say(markup, "<g class=\"i c-%s\">", picture_looks[i].name);
		append_chip(markup, x, at, CHIP, CHIP_HEIGHT, (enum picture_class)i, false);
		append_text(markup, x + CHIP + 8, at + BASELINE, "l");
		say(markup, "%s</text></g>\n", picture_looks[i].words);
	}
}
