/* src/render/page.c - documents made of pictures: a sheet of SVG, a page of HTML. */
#include "render/page.h"
#include "page_parts.h"
#include "render/caption.h"
#include "render/html.h"
#include "render/markup.h"
#include "render/say.h"
#include "render/svg.h"
#include <stdlib.h>

struct page {
	bool is_html;
	struct segmap_text title; /* markup: what the maps are of */
	struct segmap_text body;  /* markup: the maps so far */
	size_t n_maps;
	int y; /* of a sheet: where the next map begins */
};

struct segmap_error *page_new(bool is_html, struct page **ret)
{
	struct page *page = calloc(1, sizeof(*page));

	if (!page)
		return segmap_error_no_memory();
	page->is_html = is_html;
	*ret = page;
	return NULL;
}

void page_free(struct page *page)
{
	if (!page)
		return;
	segmap_text_free(&page->title);
	segmap_text_free(&page->body);
	free(page);
}

/* One map of a sheet: all of its groups unfolded, one beneath the other. */
static void add_to_sheet(struct page *page, const struct picture *picture)
{
	enum { TITLE = 30 };
	struct svg svg = { .markup = &page->body, .picture = picture, .map = page->n_maps };

	page->y += TITLE;
	say(&page->body, "<text x=\"12\" y=\"%d\" class=\"m\">", page->y - 8);
	caption_map(&page->body, picture->layout);
	segmap_text_append_trusted(&page->body, "</text>\n");
	for (size_t i = 0; i < picture->n_groups; i++) {
		if (picture->groups[i].hole) {
			svg_break(&page->body, page->y, picture->groups[i].hole);
			page->y += PICTURE_HOLE;
		}
		svg_group(&svg, i, page->y);
		page->y += svg_group_height(&picture->groups[i]);
	}
}

struct segmap_error *page_add(struct page *page, const struct segmap_layout *layout,
			      const struct range *range)
{
	__attribute__((cleanup(picture_free))) struct picture picture = { 0 };
	struct segmap_error *error = picture_make(layout, range, &picture);
	size_t title_size = page->title.size, body_size = page->body.size;
	int y = page->y;

	if (error)
		return error;
	if (page->n_maps)
		segmap_text_append_trusted(&page->title, "; ");
	caption_map(&page->title, layout);
	if (page->is_html)
		html_map(&page->body, &picture, page->n_maps);
	else
		add_to_sheet(page, &picture);
	if (!page->body.failed && !page->title.failed) {
		page->n_maps++;
		return NULL;
	}
	/* Of a map that there is no room for nothing stays: the others are whole. */
	page->title.size = title_size;
	page->body.size = body_size;
	page->y = y;
	page->title.failed = page->body.failed = false;
	return segmap_error_no_memory();
}

static void append_sheet(struct segmap_text *document, const struct page *page)
{
	enum { LINE = 18, LINES_BEFORE = 2, BEFORE = LINES_BEFORE * LINE + SVG_LEGEND + 8 };

	say(document,
		      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"picture sheet\" "
		      "viewBox=\"0 %d %d %d\" width=\"%d\" height=\"%d\" role=\"img\" "
		      "aria-labelledby=\"title desc\">\n<title id=\"title\">",
		      -BEFORE, SVG_WIDTH, page->y + BEFORE, SVG_WIDTH, page->y + BEFORE);
	segmap_text_append_bytes(document, page->title.bytes, page->title.size);
	say(document, "</title>\n<desc id=\"desc\">%s</desc>\n<style>", caption_scale);
	segmap_text_append_trusted(document, PICTURE_CSS "</style>\n");
	svg_hatches(document);
	say(document, "<rect class=\"paper\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n",
		      -BEFORE, SVG_WIDTH, page->y + BEFORE);
	say(document, "<text x=\"12\" y=\"%d\" class=\"k\">Left the file, right the memory; "
				"two bands from one place: a page that is mapped twice.</text>\n"
				"<text x=\"12\" y=\"%d\" class=\"k\">Not to scale: heights grow with the "
				"logarithm of the size; a zigzag stands for addresses that are not "
				"mapped.</text>\n", LINE - BEFORE, 2 * LINE - BEFORE);
	svg_legend(document, LINES_BEFORE * LINE + 8 - BEFORE);
	segmap_text_append_bytes(document, page->body.bytes, page->body.size);
	segmap_text_append_trusted(document, "</svg>\n");
}

struct segmap_error *page_write(struct page *page, FILE *file)
{
	__attribute__((cleanup(segmap_text_free))) struct segmap_text document = { 0 };

	if (!page->n_maps)
		return NULL;
	if (page->is_html) {
		html_begin(&document, &page->title);
		segmap_text_append_bytes(&document, page->body.bytes, page->body.size);
		html_end(&document);
	} else {
		append_sheet(&document, page);
	}
	if (document.failed)
		return segmap_error_no_memory();
	fwrite(document.bytes, 1, document.size, file);
	page->title.size = page->body.size = page->n_maps = 0;
	page->y = 0;
	return NULL;
}
