/* src/render/at.c - answers to --at, as text and as raw records. */
#include "render/at.h"
#include "render/table.h"
#include "render/words.h"
#include <string.h>

/* One answer in its layout. */
struct said {
	const struct segmap_layout *layout;
	const struct segmap_answer *answer;
};

static const struct segmap_image *image_of(const struct said *said)
{
	return said->answer->image < 0 ? NULL : &said->layout->images[said->answer->image];
}

static const struct segmap_vma *vma_of(const struct said *said)
{
	return said->answer->vma < 0 ? NULL : &said->layout->vmas[said->answer->vma];
}

/* The fields of a raw record. Each appends its text, or nothing where it does not apply. */
static void get_asked(const struct said *said, struct segmap_text *text)
{
	segmap_text_append_safe(text, said->answer->asked, strlen(said->answer->asked));
}

static void get_address(const struct said *said, struct segmap_text *text)
{
	if (said->answer->found)
		segmap_text_append_hex(text, said->answer->addr, 8);
}

static void get_start(const struct said *said, struct segmap_text *text)
{
	if (vma_of(said))
		segmap_text_append_hex(text, vma_of(said)->start, 8);
}

static void get_end(const struct said *said, struct segmap_text *text)
{
	if (vma_of(said))
		segmap_text_append_hex(text, vma_of(said)->end, 8);
}

static void get_perm(const struct said *said, struct segmap_text *text)
{
	char perms[5];

	if (!vma_of(said))
		return;
	segmap_vma_perms_format(vma_of(said), perms);
	segmap_text_append_trusted(text, perms);
}

static void get_mapping(const struct said *said, struct segmap_text *text)
{
	const char *name = vma_of(said) ? vma_of(said)->name : "";

	if (!name[0] && said->answer->image >= 0)
		name = segmap_layout_image_path(said->layout, said->answer->image);
	segmap_text_append_safe(text, name, strlen(name));
}

static void get_build_id(const struct said *said, struct segmap_text *text)
{
	if (image_of(said) && image_of(said)->elf && image_of(said)->elf->build_id)
		segmap_text_append_trusted(text, image_of(said)->elf->build_id);
}

static const struct segmap_segment *segment_of(const struct said *said)
{
	return image_of(said) && image_of(said)->elf && said->answer->segment >= 0 ?
		       &image_of(said)->elf->segments[said->answer->segment] :
		       NULL;
}

static void get_segment(const struct said *said, struct segmap_text *text)
{
	if (segment_of(said))
		segmap_text_append_decimal(text, segment_of(said)->index);
}

static void get_section(const struct said *said, struct segmap_text *text)
{
	const struct segmap_piece *piece = said->answer->piece;

	if (piece)
		segmap_text_append_safe(text, piece->name, strlen(piece->name));
}

static void append_prefixed(struct segmap_text *text, uint64_t value)
{
	segmap_text_append_trusted(text, "0x");
	segmap_text_append_hex(text, value, 1);
}

static void get_section_off(const struct said *said, struct segmap_text *text)
{
	if (said->answer->in_section)
		append_prefixed(text, said->answer->section_off);
}

static void get_off(const struct said *said, struct segmap_text *text)
{
	if (said->answer->found && said->answer->off != SEGMAP_NO_OFF)
		append_prefixed(text, said->answer->off);
}

static void get_vaddr(const struct said *said, struct segmap_text *text)
{
	if (image_of(said) && image_of(said)->elf)
		append_prefixed(text, segmap_vaddr(said->answer->addr, image_of(said)->bias));
}

static void get_symbol(const struct said *said, struct segmap_text *text)
{
	if (said->answer->symbol)
		segmap_text_append_safe(text, said->answer->symbol, strlen(said->answer->symbol));
}

static void get_symbol_off(const struct said *said, struct segmap_text *text)
{
	if (said->answer->symbol)
		append_prefixed(text, said->answer->symbol_off);
}

static void get_source(const struct said *said, struct segmap_text *text)
{
	if (said->answer->source)
		segmap_text_append_safe(text, said->answer->source, strlen(said->answer->source));
}

static void get_page(const struct said *said, struct segmap_text *text)
{
	if (word_of_page(said->answer->page))
		segmap_text_append_trusted(text, word_of_page(said->answer->page));
}

static void append_text(struct segmap_text *text, const char *name)
{
	if (name)
		segmap_text_append_safe(text, name, strlen(name));
}

static void get_before(const struct said *said, struct segmap_text *text)
{
	append_text(text, said->answer->before);
}

static void get_after(const struct said *said, struct segmap_text *text)
{
	append_text(text, said->answer->after);
}

static const struct {
	const char *name;
	void (*get)(const struct said *said, struct segmap_text *text);
} fields[] = {
	{ "ASKED", get_asked },
	{ "ADDRESS", get_address },
	{ "START", get_start },
	{ "END", get_end },
	{ "PERM", get_perm },
	{ "MAPPING", get_mapping },
	{ "BUILD-ID", get_build_id },
	{ "PHDR", get_segment },
	{ "PIECE", get_section },
	{ "PIECE-OFFSET", get_section_off },
	{ "OFFSET", get_off },
	{ "VADDR", get_vaddr },
	{ "SYMBOL", get_symbol },
	{ "SYMBOL-OFFSET", get_symbol_off },
	{ "LINE", get_source },
	{ "PAGE", get_page },
	{ "BEFORE", get_before },
	{ "AFTER", get_after },
};

enum { N_FIELDS = sizeof(fields) / sizeof(fields[0]) };

struct segmap_error *render_raw_answers(const struct segmap_layout *layout,
					const struct style *style, FILE *file)
{
	__attribute__((cleanup(segmap_text_free))) struct segmap_text line = { 0 }, cell = { 0 };

	for (size_t i = 0; i < N_FIELDS && style->heading; i++)
		append_raw_field(&line, fields[i].name, strlen(fields[i].name), i + 1 == N_FIELDS);
	for (size_t i = 0; i < layout->n_answers; i++) {
		struct said said = { layout, &layout->answers[i] };

		for (size_t j = 0; j < N_FIELDS; j++) {
			cell.size = 0;
			fields[j].get(&said, &cell);
			append_raw_field(&line, cell.bytes, cell.size, j + 1 == N_FIELDS);
		}
	}
	if (line.size)
		fwrite(line.bytes, 1, line.size, file);
	return line.failed || cell.failed ? segmap_error_no_memory() : NULL;
}

/* "7f10917e6010: libc.so.6 .data+0x10, stderr+0x8" */
static void append_summary(struct segmap_text *text, const struct said *said,
			   const struct style *style)
{
	const struct segmap_answer *answer = said->answer;
	struct row row;

	get_address(said, text);
	if (answer->asked[0] < '0' || answer->asked[0] > '9' || strpbrk(answer->asked, "!+")) {
		segmap_text_append_trusted(text, " (");
		get_asked(said, text);
		segmap_text_append_char(text, ')');
	}
	segmap_text_append_trusted(text, ": ");
	if (answer->vma < 0) {
		segmap_text_append_trusted(text, "not mapped");
		return;
	}
	row = row_of_vma(said->layout, (size_t)answer->vma);
	column_find("MAPPING", strlen("MAPPING"))->get(&row, style, text);
	if (answer->piece) {
		segmap_text_append_char(text, ' ');
		get_section(said, text);
		if (answer->in_section) {
			segmap_text_append_char(text, '+');
			get_section_off(said, text);
		}
	}
	if (answer->symbol) {
		segmap_text_append_trusted(text, ", ");
		get_symbol(said, text);
		segmap_text_append_char(text, '+');
		get_symbol_off(said, text);
	}
}

/* "    NAME  text" if there is a text. */
static void append_detail(struct segmap_text *text, const char *name, const struct said *said,
			  void (*get)(const struct said *said, struct segmap_text *text))
{
	__attribute__((cleanup(segmap_text_free))) struct segmap_text detail = { 0 };

	get(said, &detail);
	append_named(text, "    ", name, 13, &detail);
}

static void get_vma(const struct said *said, struct segmap_text *text)
{
	if (!vma_of(said))
		return;
	get_start(said, text);
	segmap_text_append_char(text, '-');
	get_end(said, text);
	segmap_text_append_char(text, ' ');
	get_perm(said, text);
	segmap_text_append_char(text, ' ');
	segmap_text_append_trusted(
		text, word_of_kind(said->layout->annotations[said->answer->vma].kind));
}

static void get_image(const struct said *said, struct segmap_text *text)
{
	if (!image_of(said))
		return;
	append_text(text, segmap_layout_image_path(said->layout, said->answer->image));
	if (image_of(said)->elf && image_of(said)->elf->build_id) {
		segmap_text_append_trusted(text, ", build-id ");
		get_build_id(said, text);
	}
}

static void get_load(const struct said *said, struct segmap_text *text)
{
	if (segment_of(said)) {
		segmap_text_append_trusted(text, "LOAD ");
		get_segment(said, text);
	}
}

static void append_details(struct segmap_text *text, const struct said *said)
{
	append_detail(text, "VMA", said, get_vma);
	append_detail(text, "image", said, get_image);
	append_detail(text, "segment", said, get_load);
	append_detail(text, "file offset", said, get_off);
	append_detail(text, "ELF address", said, get_vaddr);
	append_detail(text, "line", said, get_source);
	append_detail(text, "page", said, get_page);
	append_detail(text, "before it", said, get_before);
	append_detail(text, "behind it", said, get_after);
}

struct segmap_error *render_answers(const struct segmap_layout *layout, const struct style *style,
				    FILE *file)
{
	__attribute__((cleanup(segmap_text_free))) struct segmap_text text = { 0 };

	if (style->frame)
		append_process(&text, layout, style);
	for (size_t i = 0; i < layout->n_answers; i++) {
		struct said said = { layout, &layout->answers[i] };

		if (!said.answer->found)
			continue; /* an error message has said so */
		append_summary(&text, &said, style);
		segmap_text_append_char(&text, '\n');
		if (style->frame)
			append_details(&text, &said);
	}
	if (style->frame)
		append_notes(&text, layout);
	if (text.size)
		fwrite(text.bytes, 1, text.size, file);
	return text.failed ? segmap_error_no_memory() : NULL;
}
