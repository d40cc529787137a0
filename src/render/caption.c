/* src/render/caption.c - what a picture and the table beneath it say: the same words for both. */
#include "render/caption.h"
#include "render/markup.h"
#include "render/say.h"
#include "render/table.h"
#include "render/words.h"
#include <string.h>

const char caption_scale[] =
	"Left the file, right the memory; a band leads from bytes of the file to where they are "
	"mapped, two bands from one place to a page that is mapped twice. Not to scale: heights "
	"grow with the logarithm of the size, and a zigzag stands for addresses that are not mapped.";

/* What getters of columns and others want to know. */
static const struct style plain = { .utf8 = true };

static void append_safe_markup(struct segmap_text *markup, struct segmap_text *text, size_t columns)
{
	markup_append_cut(markup, text->bytes, text->size, columns);
	markup->failed |= text->failed;
	segmap_text_free(text);
}

void caption_address(struct segmap_text *markup, const struct segmap_layout *layout, size_t vma,
		     uint64_t addr)
{
	struct row row = row_of_vma(layout, vma);

	append_address(markup, &row, addr); /* digits, and a base of segmap's own making */
}

void caption_image(struct segmap_text *markup, const struct segmap_layout *layout, int32_t image,
		   size_t columns)
{
	struct segmap_text name = { 0 };

	append_name(&name, segmap_layout_image_path(layout, image), &plain);
	append_safe_markup(markup, &name, columns);
}

void caption_vma(struct segmap_text *markup, const struct segmap_layout *layout, size_t vma,
		 size_t columns)
{
	struct segmap_text name = { 0 };

	append_name(&name, layout->vmas[vma].name[0] ? layout->vmas[vma].name : "[anon]", &plain);
	append_safe_markup(markup, &name, columns);
}

static void append_count(struct segmap_text *markup, size_t n, const char *what)
{
	say(markup, "%zu %s%s", n, what, n == 1 ? "" : "s");
}

/* The names of neighbours of no image, each once in a row, as far as there is room. */
static void append_names(struct segmap_text *markup, const struct picture *picture,
			 const struct picture_group *group)
{
	enum { MOST = 4, COLUMNS = 24 };
	const char *last = NULL;
	int n = 0;

	for (size_t i = 0; i < group->n; i++) {
		size_t vma = picture->order[group->first + i];
		const char *name = picture->layout->vmas[vma].name;

		if (last && strcmp(last, name) == 0)
			continue;
		last = name;
		segmap_text_append_trusted(markup, n ? ", " : ": ");
		if (n++ == MOST) {
			segmap_text_append_trusted(markup, "…");
			return;
		}
		caption_vma(markup, picture->layout, vma, COLUMNS);
	}
}

static void append_image(struct segmap_text *markup, const struct segmap_layout *layout,
			 int32_t index)
{
	enum { COLUMNS = 60 };
	const struct segmap_image *image = &layout->images[index];
	enum segmap_status status = segmap_layout_image_status(layout, index);

	caption_image(markup, layout, index, COLUMNS);
	say(markup, ": %s", word_of_role(image->role));
	if (status != SEGMAP_STATUS_OK)
		say(markup, ", %s", word_of_status(status));
	if (layout->prediction && layout->prediction->images[index].floating)
		say(markup, ", at base %s, which is chosen at each run",
			      layout->prediction->images[index].base);
	if (!image->elf)
		segmap_text_append_trusted(markup, ", what is in the file is not known");
	segmap_text_append_trusted(markup, ", ");
}

void caption_group(struct segmap_text *markup, const struct picture *picture,
		   const struct picture_group *group)
{
	const struct segmap_layout *layout = picture->layout;
	uint64_t size = 0;

	for (size_t i = 0; i < group->n; i++)
		size += segmap_vma_size(&layout->vmas[picture->order[group->first + i]]);
	if (group->image >= 0)
		append_image(markup, layout, group->image);
	append_count(markup, group->n, "VMA");
	if (group->image < 0) {
		segmap_text_append_trusted(markup, " of no ELF file");
		append_names(markup, picture, group);
	}
	segmap_text_append_trusted(markup, ", ");
	markup_append_amount(markup, size);
}

void caption_role(struct segmap_text *markup, const struct segmap_layout *layout, size_t vma)
{
	static const char name[] = "SEGMENT";
	struct row row = row_of_vma(layout, vma);
	struct segmap_text role = { 0 };

	column_find(name, strlen(name))->get(&row, &plain, &role);
	append_safe_markup(markup, &role, SIZE_MAX);
}

/* Of another image than the VMA's, or nothing. */
static void append_other_image(struct segmap_text *markup, const struct picture *picture,
			       uint32_t index)
{
	enum { COLUMNS = 60 };
	const struct segmap_layout *layout = picture->layout;
	int32_t image = layout->pieces[index].image;

	if (image < 0 || image == layout->annotations[picture->vma_of[index]].image)
		return;
	segmap_text_append_trusted(markup, ", of ");
	caption_image(markup, layout, image, COLUMNS);
}

void caption_piece(struct segmap_text *markup, const struct picture *picture, uint32_t index)
{
	const struct segmap_layout *layout = picture->layout;
	const struct segmap_piece *piece = &layout->pieces[index];
	enum picture_class class = picture_class_of_piece(layout, piece);
	uint32_t vma = picture->vma_of[index], twice = picture->twice[index];

	segmap_text_append_trusted(markup, picture_looks[class].words);
	append_other_image(markup, picture, index);
	if (class == PICTURE_PADDING && piece->off == SEGMAP_NO_OFF)
		segmap_text_append_trusted(markup, ", zeroes that no file holds");
	if (class == PICTURE_RELRO && layout->annotations[vma].kind == SEGMAP_KIND_RELRO)
		segmap_text_append_trusted(markup, ": GNU_RELRO has made it so");
	if (class == PICTURE_RELRO && (layout->vmas[vma].prot & 2))
		segmap_text_append_trusted(markup, ": still writable");
	if (piece->goes_on)
		segmap_text_append_trusted(markup, ", goes on in a later VMA");
	if (piece->comes_from)
		segmap_text_append_trusted(markup, ", began in an earlier VMA");
	if (twice != PICTURE_ONCE) {
		segmap_text_append_trusted(markup, ", bytes of the file that are mapped twice: also at ");
		caption_address(markup, layout, picture->vma_of[twice],
				layout->pieces[twice].start);
	}
}

void caption_part(struct segmap_text *markup, const struct picture *picture,
		  const struct picture_group *group, const struct picture_part *part)
{
	const struct segmap_elf *elf = picture->layout->images[group->image].elf;

	if (part->segment < 0) {
		segmap_text_append_trusted(markup, "no segment loads it");
		return;
	}
	say(markup, "LOAD %u, %s", elf->segments[part->segment].index,
		      picture_looks[part->class].words);
}

void caption_map(struct segmap_text *markup, const struct segmap_layout *layout)
{
	enum { COLUMNS = 110 }; /* a heading, not the whole command line of a java */
	struct segmap_text text = { 0 };
	char *newline;

	append_process(&text, layout, &plain);
	newline = text.size ? memchr(text.bytes, '\n', text.size) : NULL;
	if (newline)
		text.size = (size_t)(newline - text.bytes);
	append_safe_markup(markup, &text, COLUMNS);
}
