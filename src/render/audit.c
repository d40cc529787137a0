/* src/render/audit.c - findings of an audit, as text and as raw records. */
#include "render/audit.h"
#include "render/table.h"
#include <segmap/audit.h>
#include <string.h>

/* One finding in its layout. */
struct told {
	const struct segmap_layout *layout;
	const struct segmap_finding *finding;
	bool full_paths;
};

static void append_words(struct segmap_text *text, const char *string)
{
	if (string)
		segmap_text_append_safe(text, string, strlen(string));
}

/* The fields. Each appends its text, or nothing where it does not apply. */
static void get_pid(const struct told *told, struct segmap_text *text)
{
	if (told->layout->pid)
		segmap_text_append_decimal(text, (uint64_t)told->layout->pid);
}

static void get_severity(const struct told *told, struct segmap_text *text)
{
	segmap_text_append_trusted(text, segmap_severity_word(told->finding->severity));
}

static void get_confidence(const struct told *told, struct segmap_text *text)
{
	segmap_text_append_trusted(text, segmap_confidence_word(told->finding->confidence));
}

static void get_id(const struct told *told, struct segmap_text *text)
{
	segmap_text_append_trusted(text, segmap_finding_word(told->finding->id));
}

static void get_image(const struct told *told, struct segmap_text *text)
{
	const char *path, *slash;

	if (told->finding->image < 0)
		return;
	path = segmap_layout_image_path(told->layout, told->finding->image);
	slash = told->full_paths ? NULL : strrchr(path, '/');
	append_words(text, slash && slash[1] ? slash + 1 : path);
}

static void get_section(const struct told *told, struct segmap_text *text)
{
	append_words(text, told->finding->section);
}

/* An address as it is shown in the map: in a prediction it can count from a base. */
static void append_bound(const struct told *told, struct segmap_text *text, uint64_t address)
{
	const struct segmap_finding *finding = told->finding;
	const struct segmap_placement *placement =
		finding->vma < 0 ? NULL :
				   segmap_layout_placement(told->layout, (size_t)finding->vma);

	if (finding->start == finding->end)
		return;
	if (placement && placement->base_name[0]) {
		segmap_text_append_trusted(text, placement->base_name);
		segmap_text_append_char(text, '+');
	}
	segmap_text_append_hex(text, address - (placement ? placement->origin : 0), 8);
}

static void get_start(const struct told *told, struct segmap_text *text)
{
	append_bound(told, text, told->finding->start);
}

static void get_end(const struct told *told, struct segmap_text *text)
{
	append_bound(told, text, told->finding->end);
}

static void get_expected(const struct told *told, struct segmap_text *text)
{
	append_words(text, told->finding->expected);
}

static void get_actual(const struct told *told, struct segmap_text *text)
{
	append_words(text, told->finding->actual);
}

static void get_symbol(const struct told *told, struct segmap_text *text)
{
	const struct segmap_altered *altered = told->finding->altered;

	if (!altered || !altered->symbol)
		return;
	append_words(text, altered->symbol);
	segmap_text_append_trusted(text, "+0x");
	segmap_text_append_hex(text, altered->symbol_off, 1);
}

static void get_bytes(const struct told *told, struct segmap_text *text)
{
	if (told->finding->altered)
		segmap_text_append_decimal(text, told->finding->altered->n_bytes);
}

static void get_reason(const struct told *told, struct segmap_text *text)
{
	append_words(text, told->finding->reason);
}

static void get_benign(const struct told *told, struct segmap_text *text)
{
	append_words(text, told->finding->benign);
}

static const struct {
	const char *name;
	void (*get)(const struct told *told, struct segmap_text *text);
} fields[] = {
	{ "PID", get_pid },
	{ "SEVERITY", get_severity },
	{ "CONFIDENCE", get_confidence },
	{ "FINDING", get_id },
	{ "IMAGE", get_image },
	{ "SECTION", get_section },
	{ "START", get_start },
	{ "END", get_end },
	{ "EXPECTED", get_expected },
	{ "ACTUAL", get_actual },
	{ "SYMBOL", get_symbol },
	{ "BYTES", get_bytes },
	{ "REASON", get_reason },
	{ "HARMLESS-IF", get_benign },
};

enum { N_FIELDS = sizeof(fields) / sizeof(fields[0]) };

struct segmap_error *render_raw_audit(const struct segmap_layout *layout, const struct style *style,
				      FILE *file)
{
	__attribute__((cleanup(segmap_text_free))) struct segmap_text line = { 0 }, cell = { 0 };

	for (size_t i = 0; i < N_FIELDS && style->heading; i++)
		append_raw_field(&line, fields[i].name, strlen(fields[i].name), i + 1 == N_FIELDS);
	for (size_t i = 0; i < layout->audit->n_findings; i++) {
		struct told told = { layout, &layout->audit->findings[i], true };

		for (size_t j = 0; j < N_FIELDS; j++) {
			cell.size = 0;
			fields[j].get(&told, &cell);
			append_raw_field(&line, cell.bytes, cell.size, j + 1 == N_FIELDS);
		}
	}
	if (line.size)
		fwrite(line.bytes, 1, line.size, file);
	return line.failed || cell.failed ? segmap_error_no_memory() : NULL;
}

/* "NAME  text" if there is a text. */
static void append_line(struct segmap_text *text, const char *name, const struct told *told,
			void (*get)(const struct told *told, struct segmap_text *text))
{
	__attribute__((cleanup(segmap_text_free))) struct segmap_text detail = { 0 };

	get(told, &detail);
	append_named(text, "        ", name, 10, &detail);
}

/* A blank and @get's text, if there is one. */
static void append_word(struct segmap_text *text, const struct told *told,
			void (*get)(const struct told *told, struct segmap_text *text))
{
	size_t start = text->size;

	segmap_text_append_char(text, ' ');
	get(told, text);
	if (text->size == start + 1)
		text->size = start;
}

static void append_severity(struct segmap_text *text, const struct told *told,
			    const struct style *style)
{
	enum { COLUMNS = 8 };
	size_t start;

	if (style->colour && told->finding->severity > SEGMAP_SEVERITY_LOW)
		segmap_text_append_trusted(text, "\033[1;31m");
	start = text->size;
	get_severity(told, text);
	for (size_t i = text->size - start; i < COLUMNS; i++)
		segmap_text_append_char(text, ' ');
	if (style->colour && told->finding->severity > SEGMAP_SEVERITY_LOW)
		segmap_text_append_trusted(text, "\033[0m");
}

static void append_finding(struct segmap_text *text, const struct told *told,
			   const struct style *style)
{
	append_severity(text, told, style);
	get_id(told, text);
	segmap_text_append_trusted(text, " (");
	get_confidence(told, text);
	segmap_text_append_char(text, ')');
	append_word(text, told, get_image);
	append_word(text, told, get_section);
	append_word(text, told, get_start);
	if (told->finding->start != told->finding->end) {
		segmap_text_append_char(text, '-');
		get_end(told, text);
	}
	segmap_text_append_trusted(text, "\n        ");
	get_reason(told, text);
	segmap_text_append_char(text, '\n');
	append_line(text, "expected", told, get_expected);
	append_line(text, "is", told, get_actual);
	append_line(text, "harmless", told, get_benign);
}

/* What is only information: each sort of it a line with the files that it is about. */
static void append_information(struct segmap_text *text, const struct segmap_layout *layout,
			       const struct style *style, enum segmap_finding_id id)
{
	enum { MOST = 8 };
	int32_t last = -1;
	size_t n = 0;

	for (size_t i = 0; i < layout->audit->n_findings; i++) {
		struct told told = { layout, &layout->audit->findings[i], style->full_paths };

		if (told.finding->severity != SEGMAP_SEVERITY_INFO || told.finding->id != id ||
		    (n && last >= 0 && told.finding->image == last) || ++n > MOST)
			continue;
		last = told.finding->image;
		if (n == 1) {
			append_severity(text, &told, style);
			get_id(&told, text);
			segmap_text_append_char(text, ':');
		}
		segmap_text_append_trusted(text, n > 1 ? ", " : " ");
		if (told.finding->image >= 0)
			get_image(&told, text);
		else
			get_reason(&told, text);
	}
	if (n > MOST) {
		segmap_text_append_trusted(text, " and ");
		segmap_text_append_decimal(text, n - MOST);
		segmap_text_append_trusted(text, " more (--raw has all)");
	}
	if (n)
		segmap_text_append_char(text, '\n');
}

/* "findings: 2, for information: 5". */
static void append_counts(struct segmap_text *text, const struct segmap_audit *audit)
{
	segmap_text_append_trusted(text, "findings: ");
	segmap_text_append_decimal(text, audit->n_serious);
	segmap_text_append_trusted(text, ", for information: ");
	segmap_text_append_decimal(text, audit->n_findings - audit->n_serious);
	segmap_text_append_char(text, '\n');
}

struct segmap_error *render_audit(const struct segmap_layout *layout, const struct style *style,
				  FILE *file)
{
	__attribute__((cleanup(segmap_text_free))) struct segmap_text text = { 0 };

	if (style->frame)
		append_process(&text, layout, style);
	for (size_t i = 0; i < layout->audit->n_findings; i++) {
		struct told told = { layout, &layout->audit->findings[i], style->full_paths };

		if (told.finding->severity != SEGMAP_SEVERITY_INFO)
			append_finding(&text, &told, style);
	}
	for (int id = 0; id < SEGMAP_N_FINDING_IDS; id++)
		append_information(&text, layout, style, (enum segmap_finding_id)id);
	if (style->frame) {
		append_counts(&text, layout->audit);
		append_notes(&text, layout);
	}
	if (text.size)
		fwrite(text.bytes, 1, text.size, file);
	return text.failed ? segmap_error_no_memory() : NULL;
}
