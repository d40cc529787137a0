/* src/render/legend.c - the colours of a table, and what they and its marks mean. */
#include "render/legend.h"
#include "render/words.h"
#include <segmap/summary.h>
#include <string.h>
#include <sys/mman.h>

static const struct {
	const char *codes;
	const char *perms; /* as such a row mostly has them */
	const char *words;
} tones[N_TONES] = {
	[TONE_NONE] = { NULL, "rw-p", "of no ELF file: heap, stack, anonymous memory, mapped files" },
	[TONE_CODE] = { "1;97;44", "r-xp", "code: instructions of a program or library" },
	[TONE_RODATA] = { "30;46", "r--p", "read-only: constants, tables, headers of the file" },
	[TONE_RELRO] = { "4;97;45", "r--p",
			 "relocated: written by ld.so, then made read-only (GNU_RELRO)" },
	[TONE_DATA] = { "30;43", "rw-p", "data: variables whose first values are in the file" },
	[TONE_BSS] = { "1;33;40", "rw-p", "bss: variables that begin as zeroes, which no file holds" },
	[TONE_GAP] = { "2", "---p", "gap: addresses held between two segments, without access" },
	[TONE_ODD] = { "1;97;41", "rwxp",
		       "odd: w and x at once, not as the file asks, remapped or alias" },
};

static enum tone tone_of_piece(const struct row *row)
{
	static const enum tone of_class[] = {
		[SEGMAP_CLASS_CODE] = TONE_CODE,   [SEGMAP_CLASS_RODATA] = TONE_RODATA,
		[SEGMAP_CLASS_RELRO] = TONE_RELRO, [SEGMAP_CLASS_DATA] = TONE_DATA,
		[SEGMAP_CLASS_BSS] = TONE_BSS,	   [SEGMAP_CLASS_OTHER] = TONE_NONE,
	};
	enum segmap_piece_kind kind = row->piece->kind;

	return kind == SEGMAP_PIECE_SECTION || kind == SEGMAP_PIECE_PART ?
		       of_class[segmap_piece_class(row->layout, row->piece)] :
		       TONE_NONE;
}

static bool is_odd(const struct row *row)
{
	const int both = PROT_WRITE | PROT_EXEC;
	int expected = row->annotation->expected_prot;

	return (row->vma->prot & both) == both || row->annotation->kind == SEGMAP_KIND_REMAPPED ||
	       row->annotation->kind == SEGMAP_KIND_ALIAS ||
	       (expected != SEGMAP_NO_PROT && !segmap_vma_has_prot(row->vma, expected));
}

enum tone tone_of(const struct row *row)
{
	if (row->piece)
		return tone_of_piece(row);
	if (is_odd(row))
		return TONE_ODD;
	switch (row->annotation->kind) {
	case SEGMAP_KIND_RELRO:
		return TONE_RELRO;
	case SEGMAP_KIND_BSS:
		return TONE_BSS;
	case SEGMAP_KIND_GAP:
		return TONE_GAP;
	case SEGMAP_KIND_SEGMENT:
	case SEGMAP_KIND_VDSO:
		return row->vma->unknown_prot & PROT_EXEC ? TONE_NONE :
		       row->vma->prot & PROT_EXEC	  ? TONE_CODE :
		       row->vma->prot & PROT_WRITE	  ? TONE_DATA : TONE_RODATA;
	default:
		return TONE_NONE;
	}
}

const char *tone_codes(enum tone tone)
{
	return tones[tone].codes;
}

void begin_colour(struct segmap_text *line, const char *codes)
{
	segmap_text_append_trusted(line, "\033[");
	segmap_text_append_trusted(line, codes);
	segmap_text_append_char(line, 'm');
}

void end_colour(struct segmap_text *line)
{
	segmap_text_append_trusted(line, "\033[0m");
}

struct entry {
	const char *mark, *words;
};

static const struct entry marks[] = {
	{ ".bss>", "the section goes on in a later VMA" },
	{ ">.bss", "it began in an earlier one" },
	{ "K", "KiB, 1024 bytes; with -b, and without a K, bytes" },
	{ "132K+", "this much or more: known only when it runs" },
	{ "B+ L1+", "predicted addresses count from a base; the line \"bases\" says which" },
	{ "~", "about: with -S -x, where it cannot be told exactly" },
	{ "LOAD 2", "row 2 of the program headers, as readelf -l counts" },
	{ "[padding]", "bytes in no section: between two, or to the end of a page" },
	{ "spill", "with -S: bytes of a neighbour, there because pages are whole" },
};

static const struct entry cells[] = {
	{ "R", "in memory, a page of the file" },
	{ "P", "in memory, private: a copy, or of no file" },
	{ "S", "in swap" },
	{ "Z", "the page of zeroes" },
	{ ".", "absent: nobody has touched it" },
	{ "r p s z", "some of that and some absent" },
	{ "*", "several sorts" },
};

static const char *const kinds[] = {
	[SEGMAP_KIND_SEGMENT] = "pages of an ELF file that a PT_LOAD maps",
	[SEGMAP_KIND_RELRO] = "those of them that were made read-only after relocation",
	[SEGMAP_KIND_BSS] = "the rest of a PT_LOAD, behind its file: zeroes at first",
	[SEGMAP_KIND_GAP] = "address space between segments, held without access",
	[SEGMAP_KIND_REMAPPED] = "anonymous pages where the file's are expected",
	[SEGMAP_KIND_ALIAS] = "part of a loaded file, mapped again somewhere else",
	[SEGMAP_KIND_FILE] = "a file that is mapped and not loaded as a program",
	[SEGMAP_KIND_HEAP] = "memory that brk has added",
	[SEGMAP_KIND_STACK] = "the main thread's stack",
	[SEGMAP_KIND_VDSO] = "the kernel's own shared object",
	[SEGMAP_KIND_VVAR] = "the kernel's data for it",
	[SEGMAP_KIND_VSYSCALL] = "its predecessor, at a fixed address",
	[SEGMAP_KIND_SHM] = "shared memory of no file: System V, anonymous",
	[SEGMAP_KIND_DEVICE] = "memory of a device",
	[SEGMAP_KIND_ANON] = "memory of no file: malloc, stacks of threads",
	[SEGMAP_KIND_OTHER] = "none of these",
};

static void append_entry(struct segmap_text *text, const char *mark, const char *words)
{
	enum { COLUMN = 12 };

	segmap_text_append_trusted(text, "  ");
	segmap_text_append_trusted(text, mark);
	for (size_t at = segmap_text_columns(mark, strlen(mark)); at < COLUMN; at++)
		segmap_text_append_char(text, ' ');
	segmap_text_append_trusted(text, words);
	segmap_text_append_char(text, '\n');
}

static void append_title(struct segmap_text *text, const struct style *style, const char *title)
{
	if (style->colour)
		begin_colour(text, "1");
	segmap_text_append_trusted(text, title);
	if (style->colour)
		end_colour(text);
	segmap_text_append_char(text, '\n');
}

static void append_tones(struct segmap_text *text, const struct style *style)
{
	append_title(text, style, style->colour ? "Colours, on the permissions" :
						  "Colours, on the permissions (now off: --color)");
	for (int i = 0; i < N_TONES; i++) {
		const char *codes = style->colour ? tones[i].codes : NULL;

		segmap_text_append_trusted(text, "  ");
		if (codes)
			begin_colour(text, codes);
		segmap_text_append_trusted(text, tones[i].perms);
		if (codes)
			end_colour(text);
		segmap_text_append_trusted(text, "        ");
		segmap_text_append_trusted(text, tones[i].words);
		segmap_text_append_char(text, '\n');
	}
}

struct segmap_error *render_legend(const struct style *style, FILE *file)
{
	__attribute__((cleanup(segmap_text_free))) struct segmap_text text = { 0 };

	append_tones(&text, style);
	append_title(&text, style, "Marks");
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		append_entry(&text, marks[i].mark, marks[i].words);
	append_title(&text, style, "Kinds (-o +KIND)");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		append_entry(&text, word_of_kind((enum segmap_kind)i), kinds[i]);
	append_title(&text, style, "Cells of PAGES (-o +PAGES): each a page, or a sixteenth of the VMA");
	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
		append_entry(&text, cells[i].mark, cells[i].words);
	segmap_text_append_char(&text, '\n');
	if (text.failed)
		return segmap_error_no_memory();
	fwrite(text.bytes, 1, text.size, file);
	return NULL;
}
