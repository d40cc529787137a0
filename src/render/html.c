/* src/render/html.c - a page with a map: foldable pictures, and the same facts as a table. */
#include "render/html.h"
#include "page_parts.h"
#include "render/caption.h"
#include "render/markup.h"
#include "render/say.h"
#include "render/svg.h"
#include "render/words.h"
#include <string.h>

/* ---- head ---- */

/* Append "'sha256-…'" for @hex, the digest in hexadecimal: a Content-Security-Policy has base64. */
static void append_source(struct segmap_text *markup, const char *hex)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char nibbles[] = "0123456789abcdef";
	unsigned int bits = 0, value = 0;

	segmap_text_append_trusted(markup, "'sha256-");
	for (; *hex; hex++) {
		value = value << 4 | (unsigned int)(strchr(nibbles, *hex) - nibbles);
		bits += 4;
		if (bits < 6)
			continue;
		bits -= 6;
		segmap_text_append_char(markup, digits[value >> bits & 63]);
		value &= (1U << bits) - 1;
	}
	/* 256 bits are 42 digits and four bits more. */
	segmap_text_append_char(markup, digits[value << (6 - bits) & 63]);
	segmap_text_append_trusted(markup, "='");
}

static void append_policy(struct segmap_text *markup)
{
	segmap_text_append_trusted(markup, "<meta http-equiv=\"Content-Security-Policy\" content=\""
					   "default-src 'none'; base-uri 'none'; form-action 'none'; "
					   "style-src ");
	append_source(markup, PICTURE_CSS_SHA256);
	segmap_text_append_char(markup, ' ');
	append_source(markup, PAGE_CSS_SHA256);
	segmap_text_append_trusted(markup, "; script-src ");
	append_source(markup, PAGE_JS_SHA256);
	segmap_text_append_trusted(markup, "\">\n");
}

void html_begin(struct segmap_text *markup, const struct segmap_text *title)
{
	segmap_text_append_trusted(markup, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
					   "<meta charset=\"utf-8\">\n");
	append_policy(markup);
	segmap_text_append_trusted(markup, "<meta name=\"viewport\" content=\"width=device-width, "
					   "initial-scale=1\">\n<title>segmap: ");
	segmap_text_append_bytes(markup, title->bytes, title->size);
	segmap_text_append_trusted(markup, "</title>\n<style>" PICTURE_CSS "</style>\n"
					   "<style>" PAGE_CSS "</style>\n</head>\n<body>\n");
	say(markup, "<svg class=\"picture hidden\" width=\"0\" height=\"0\" "
			      "aria-hidden=\"true\">");
	svg_hatches(markup);
	segmap_text_append_trusted(markup, "</svg>\n<header>\n<h1>");
	segmap_text_append_bytes(markup, title->bytes, title->size);
	segmap_text_append_trusted(markup, "</h1>\n<p>");
	segmap_text_append_trusted(markup, caption_scale);
	say(markup, "</p>\n<figure class=\"legend\"><svg class=\"picture\" "
			      "viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Legend\">\n",
		      SVG_WIDTH, SVG_LEGEND);
	svg_legend(markup, 2);
	segmap_text_append_trusted(markup,
		"</svg></figure>\n<p class=\"hint\">Point at a section, or go to the pictures by Tab and "
		"through them by the arrow keys: it lights up wherever it is, and below is said "
		"where. Enter leads to its row in the table.</p>\n</header>\n<main>\n");
}

void html_end(struct segmap_text *markup)
{
	segmap_text_append_trusted(markup, "</main>\n<p id=\"told\" role=\"status\" "
					   "aria-live=\"polite\"></p>\n<script>" PAGE_JS
					   "</script>\n</body>\n</html>\n");
}

/* ---- pictures ---- */

/* Colours of a group in small, in the order of its VMAs: to be seen while it is folded. */
static void append_strip(struct segmap_text *markup, const struct picture *picture,
			 const struct picture_group *group)
{
	enum { MOST = 24, WIDTH = 9, HEIGHT = 12 };
	uint32_t n = group->n_rows < MOST ? group->n_rows : MOST;

	say(markup, "<svg class=\"picture strip\" width=\"%u\" height=\"%d\" "
			      "aria-hidden=\"true\">", n * WIDTH, HEIGHT);
	for (uint32_t i = 0; i < n; i++) {
		const struct picture_row *row = &picture->rows[group->first_row + i];
		enum picture_class class = PICTURE_OTHER;

		/* The last piece that is what the VMA is for. */
		for (uint32_t j = 0; j < row->n_items; j++) {
			enum picture_class of = picture->items[row->first_item + j].class;

			if (of <= PICTURE_BSS || of == PICTURE_GAP || !j)
				class = of;
		}
		say(markup, "<g class=\"i c-%s\"><rect class=\"s\" x=\"%u\" width=\"%d\" "
				      "height=\"%d\"/></g>", picture_looks[class].name, i * WIDTH,
			      WIDTH - 1, HEIGHT);
	}
	segmap_text_append_trusted(markup, "</svg>");
}

static void append_group(const struct svg *svg, size_t index, bool is_open)
{
	const struct picture_group *group = &svg->picture->groups[index];
	struct segmap_text *markup = svg->markup;

	if (group->hole) {
		segmap_text_append_trusted(markup, "<p class=\"hole\"><span aria-hidden=\"true\">≈"
						   "</span> ");
		markup_append_amount(markup, group->hole);
		segmap_text_append_trusted(markup, " of addresses are not mapped</p>\n");
	}
	say(markup, "<details%s><summary>", is_open ? " open" : "");
	append_strip(markup, svg->picture, group);
	segmap_text_append_trusted(markup, "<span>");
	caption_group(markup, svg->picture, group);
	say(markup, "</span></summary>\n<figure><svg class=\"picture\" viewBox=\"0 0 %d %d\" "
			      "role=\"group\" aria-label=\"Picture: ",
		      SVG_WIDTH, svg_group_height(group));
	caption_group(markup, svg->picture, group);
	segmap_text_append_trusted(markup, "\">\n");
	svg_group(svg, index, 0);
	segmap_text_append_trusted(markup, "</svg></figure></details>\n");
}

/* ---- the table ---- */

/* What its rows are made for. */
struct listing {
	struct segmap_text *markup;
	const struct picture *picture;
	size_t map;
	size_t group;
};

static void append_cell(struct segmap_text *markup, const char *class)
{
	say(markup, "</td><td%s>", class);
}

static void append_span(const struct listing *listing, size_t vma, uint64_t start, uint64_t end)
{
	const struct segmap_layout *layout = listing->picture->layout;

	caption_address(listing->markup, layout, vma, start);
	segmap_text_append_trusted(listing->markup, "–<wbr>");
	caption_address(listing->markup, layout, vma, end);
}

static void append_offsets(struct segmap_text *markup, uint64_t start, uint64_t end)
{
	say(markup, "%jx–<wbr>%jx", (uintmax_t)start, (uintmax_t)end);
}

/* Offsets in the file that lead to their box on the left. */
static void append_file_link(const struct listing *listing, uint32_t box, uint64_t start,
			     uint64_t end)
{
	segmap_text_append_trusted(listing->markup, "<a href=\"#");
	svg_box_id(listing->markup, listing->map, listing->group, box);
	segmap_text_append_trusted(listing->markup, "\">");
	append_offsets(listing->markup, start, end);
	segmap_text_append_trusted(listing->markup, "</a>");
}

/* The row of @piece; @item, its box on the right, is NULL where it is not drawn. */
static void append_piece_row(const struct listing *listing, uint32_t index,
			     const struct picture_item *item)
{
	const struct picture *picture = listing->picture;
	const struct segmap_piece *piece = &picture->layout->pieces[index];
	const struct picture_group *group = &picture->groups[listing->group];
	struct segmap_text *markup = listing->markup;
	size_t vma = picture->vma_of[index];
	char perms[5];

	segmap_text_append_trusted(markup, "<tr id=\"");
	svg_row_id(markup, listing->map, index);
	say(markup, "\" data-k=\"%zu.%u\" class=\"c-%s\"><td class=\"s\">", listing->group,
		      picture->keys[index],
		      picture_looks[picture_class_of_piece(picture->layout, piece)].name);
	markup_append(markup, piece->name, strlen(piece->name));
	append_cell(markup, "");
	if (piece->off != SEGMAP_NO_OFF) {
		uint64_t end = piece->off + (piece->end - piece->start);

		if (picture->keys[index] < group->n_boxes)
			append_file_link(listing, picture->keys[index], piece->off, end);
		else
			append_offsets(markup, piece->off, end);
	}
	append_cell(markup, "");
	if (item) {
		segmap_text_append_trusted(markup, "<a href=\"#");
		svg_piece_id(markup, listing->map, item->piece);
		segmap_text_append_trusted(markup, "\">");
	}
	append_span(listing, vma, piece->start, piece->end);
	segmap_text_append_trusted(markup, item ? "</a>" : "");
	append_cell(markup, " class=\"z\"");
	say(markup, "%ju", (uintmax_t)(piece->end - piece->start));
	append_cell(markup, "");
	segmap_vma_perms_format(&picture->layout->vmas[vma], perms);
	segmap_text_append_trusted(markup, perms);
	append_cell(markup, "");
	caption_piece(markup, picture, index);
	segmap_text_append_trusted(markup, "</td></tr>\n");
}

/* The row of a VMA, over those of its pieces; @is_drawn: it has a box of its own. */
static void append_vma_row(const struct listing *listing, size_t vma, bool is_drawn)
{
	const struct segmap_layout *layout = listing->picture->layout;
	const struct segmap_annotation *annotation = &layout->annotations[vma];
	struct segmap_text *markup = listing->markup;
	char perms[5];

	segmap_text_append_trusted(markup, "<tr class=\"v\" id=\"");
	svg_vma_id(markup, listing->map, vma, true);
	segmap_text_append_trusted(markup, "\"><th scope=\"rowgroup\">VMA ");
	if (annotation->image < 0)
		caption_vma(markup, layout, vma, 60);
	segmap_text_append_trusted(markup, "</th><td>");
	if (layout->vmas[vma].ino)
		append_offsets(markup, layout->vmas[vma].off,
			       layout->vmas[vma].off + segmap_vma_size(&layout->vmas[vma]));
	append_cell(markup, "");
	if (is_drawn) {
		segmap_text_append_trusted(markup, "<a href=\"#");
		svg_vma_id(markup, listing->map, vma, false);
		segmap_text_append_trusted(markup, "\">");
	}
	append_span(listing, vma, layout->vmas[vma].start, layout->vmas[vma].end);
	segmap_text_append_trusted(markup, is_drawn ? "</a>" : "");
	append_cell(markup, " class=\"z\"");
	say(markup, "%ju", (uintmax_t)segmap_vma_size(&layout->vmas[vma]));
	append_cell(markup, "");
	segmap_vma_perms_format(&layout->vmas[vma], perms);
	segmap_text_append_trusted(markup, perms);
	append_cell(markup, "");
	say(markup, "%s ", word_of_kind(annotation->kind));
	caption_role(markup, layout, vma);
	segmap_text_append_trusted(markup, "</td></tr>\n");
}

/* Parts of the file that no segment loads, and those that are mapped nowhere that is shown. */
static void append_unloaded_rows(const struct listing *listing)
{
	const struct picture *picture = listing->picture;
	const struct picture_group *group = &picture->groups[listing->group];
	struct segmap_text *markup = listing->markup;

	for (uint32_t i = group->first_part; i < group->first_part + group->n_parts; i++) {
		const struct picture_part *part = &picture->parts[i];

		if ((part->segment >= 0 || part->class == PICTURE_PADDING) &&
		    picture->boxes[group->first_box + part->box].piece >= 0)
			continue;
		segmap_text_append_trusted(markup, "<tr id=\"");
		svg_part_id(markup, listing->map, i);
		say(markup, "\" data-k=\"%zu.%u\" class=\"c-%s\"><td class=\"s\">",
			      listing->group, part->box, picture_looks[part->class].name);
		markup_append(markup, part->name, strlen(part->name));
		append_cell(markup, "");
		append_file_link(listing, part->box, part->start, part->end);
		say(markup, "</td><td></td><td class=\"z\">%ju</td><td></td><td>",
			      (uintmax_t)(part->end - part->start));
		caption_part(markup, picture, group, part);
		segmap_text_append_trusted(markup, "</td></tr>\n");
	}
}

/* The VMAs of @row with their pieces. */
static void append_rows(const struct listing *listing, const struct picture_row *row)
{
	const struct picture *picture = listing->picture;

	for (size_t i = 0; i < row->n; i++) {
		size_t vma = picture->order[row->first + i];
		const struct segmap_annotation *annotation = &picture->layout->annotations[vma];
		const struct picture_item *item =
			row->n_items ? &picture->items[row->first_item] : NULL;

		append_vma_row(listing, vma, !row->n_items && !i);
		for (uint32_t j = 0; j < annotation->n_pieces; j++) {
			uint32_t piece = annotation->first_piece + j;

			if (item && piece >= item->piece + item->n)
				item++;
			append_piece_row(listing, piece, item);
		}
	}
}

static void append_table(struct segmap_text *markup, const struct picture *picture, size_t map)
{
	segmap_text_append_trusted(markup,
		"<details open class=\"facts\"><summary><span>The same as a table</span></summary>\n"
		"<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr><th scope=\"col\">What</th>"
		"<th scope=\"col\">In the file</th><th scope=\"col\">In memory</th>"
		"<th scope=\"col\">Bytes</th><th scope=\"col\">Perm</th>"
		"<th scope=\"col\">What is to be known</th></tr></thead>\n");
	for (size_t i = 0; i < picture->n_groups; i++) {
		const struct picture_group *group = &picture->groups[i];
		struct listing listing = { markup, picture, map, i };

		segmap_text_append_trusted(markup, "<tbody><tr class=\"g\"><th colspan=\"6\" "
						   "scope=\"rowgroup\">");
		caption_group(markup, picture, group);
		segmap_text_append_trusted(markup, "</th></tr>\n");
		for (uint32_t j = 0; j < group->n_rows; j++)
			append_rows(&listing, &picture->rows[group->first_row + j]);
		append_unloaded_rows(&listing);
		segmap_text_append_trusted(markup, "</tbody>\n");
	}
	segmap_text_append_trusted(markup, "</table></div></details>\n");
}

/* ---- a map ---- */

static void append_notes(struct segmap_text *markup, const struct segmap_layout *layout)
{
	const struct segmap_outcome *outcome =
		layout->prediction ? &layout->prediction->outcome : NULL;

	if (outcome && outcome->reason) {
		say(markup, "<p class=\"note\">%s: ", words_of_outcome(outcome));
		markup_append(markup, outcome->reason, strlen(outcome->reason));
		segmap_text_append_trusted(markup, "</p>\n");
	}
	for (size_t i = 0; i < layout->n_notes; i++) {
		segmap_text_append_trusted(markup, "<p class=\"note\">");
		markup_append(markup, layout->notes[i], strlen(layout->notes[i]));
		segmap_text_append_trusted(markup, "</p>\n");
	}
}

void html_map(struct segmap_text *markup, const struct picture *picture, size_t map)
{
	struct svg svg = { .markup = markup, .picture = picture, .map = map, .is_page = true };

	segmap_text_append_trusted(markup, "<article class=\"map\">\n<h2>");
	caption_map(markup, picture->layout);
	segmap_text_append_trusted(markup, "</h2>\n");
	append_notes(markup, picture->layout);
	for (size_t i = 0; i < picture->n_groups; i++)
		append_group(&svg, i, picture->n_groups <= 3 || !i);
	append_table(markup, picture, map);
	segmap_text_append_trusted(markup, "</article>\n");
}
