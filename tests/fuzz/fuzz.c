/* tests/fuzz/fuzz.c - what the fuzz targets share: inputs in parts, files that are none, invariants. */
#include "fuzz.h"
#include "cli/options.h"
#include "cli/show.h"
#include "render/explain.h"
#include "render/verdict.h"
#include <fcntl.h>
#include <getopt.h>
#include <json-c/json.h>
#include <segmap/audit.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void fuzz_fail(const char *file, int line, const char *condition)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
	abort();
}

bool fuzz_ok(struct segmap_error *error)
{
	if (!error)
		return true;
	FUZZ_CHECK(error->code != SEGMAP_ERROR_NO_MEMORY);
	FUZZ_CHECK(error->why[0] || error->what[0]);
	segmap_error_free(error);
	return false;
}

/* ---- inputs in parts ---- */

/* The next part of [*@at, @end); false behind the last. */
static bool take_part(const uint8_t **at, const uint8_t *end, struct fuzz_part *ret)
{
	size_t name, left = (size_t)(end - *at), size = 0;

	if (left < 1 + sizeof(uint32_t))
		return false;
	name = **at;
	if (left - 1 - sizeof(uint32_t) < name)
		return false;
	memcpy(ret->name, *at + 1, name);
	ret->name[name] = '\0';
	for (size_t i = 0; i < sizeof(uint32_t); i++)
		size |= (size_t)(*at)[1 + name + i] << 8 * i;
	*at += 1 + name + sizeof(uint32_t);
	left = (size_t)(end - *at);
	ret->size = size < left ? size : left;
	ret->bytes = malloc(ret->size + 1);
	FUZZ_CHECK(ret->bytes);
	memcpy(ret->bytes, *at, ret->size);
	ret->bytes[ret->size] = '\0';
	ret->fd = -1;
	*at += ret->size;
	return true;
}

void fuzz_input_take(const uint8_t *data, size_t size, struct fuzz_input *ret)
{
	const uint8_t *at = data;

	ret->n = 0;
	while (ret->n < FUZZ_MAX_PARTS && take_part(&at, data + size, &ret->parts[ret->n]))
		ret->n++;
}

void fuzz_input_free(struct fuzz_input *input)
{
	for (size_t i = 0; i < input->n; i++) {
		free(input->parts[i].bytes);
		if (input->parts[i].fd >= 0)
			close(input->parts[i].fd);
	}
}

struct fuzz_part *fuzz_input_find(struct fuzz_input *input, const char *name)
{
	for (size_t i = 0; i < input->n; i++)
		if (strcmp(input->parts[i].name, name) == 0)
			return &input->parts[i];
	return NULL;
}

unsigned int fuzz_option(struct fuzz_input *input, size_t index)
{
	const struct fuzz_part *part = fuzz_input_find(input, "options");

	return part && index < part->size ? part->bytes[index] : 0;
}

/* ---- files ---- */

int fuzz_file(const void *bytes, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	FUZZ_CHECK(fd >= 0);
	FUZZ_CHECK(write(fd, bytes, size) == (ssize_t)size);
	return fd;
}

int fuzz_part_file(struct fuzz_part *part)
{
	if (part->fd < 0)
		part->fd = fuzz_file(part->bytes, part->size);
	return part->fd;
}

static char empty_directory[] = "/tmp/segmap-fuzz-XXXXXX";

static void remove_directory(void)
{
	rmdir(empty_directory);
}

const char *fuzz_empty_directory(void)
{
	static bool made;

	if (!made) {
		FUZZ_CHECK(mkdtemp(empty_directory));
		atexit(remove_directory);
		made = true;
	}
	return empty_directory;
}

/* ---- invariants ---- */

static void check_pieces(const struct segmap_layout *layout, size_t index)
{
	const struct segmap_annotation *annotation = &layout->annotations[index];
	const struct segmap_vma *vma = &layout->vmas[index];
	const struct segmap_piece *pieces = segmap_layout_pieces(layout, annotation);
	uint64_t at = vma->start;

	FUZZ_CHECK(annotation->n_pieces || annotation->image < 0 || layout->cap_pieces == 0 ||
		   annotation->kind == SEGMAP_KIND_OTHER);
	FUZZ_CHECK(annotation->first_piece + (size_t)annotation->n_pieces <= layout->n_pieces);
	for (uint32_t i = 0; i < annotation->n_pieces; i++) {
		FUZZ_CHECK(pieces[i].start == at && pieces[i].end > at);
		FUZZ_CHECK(pieces[i].image >= -1 && pieces[i].image < (int32_t)layout->n_images);
		FUZZ_CHECK(pieces[i].name);
		at = pieces[i].end;
	}
	FUZZ_CHECK(!annotation->n_pieces || at == vma->end);
}

void fuzz_check_layout(const struct segmap_layout *layout)
{
	for (size_t i = 0; i < layout->n_vmas; i++) {
		const struct segmap_vma *vma = &layout->vmas[i];

		FUZZ_CHECK(vma->start < vma->end && vma->name);
		/* A prediction's are in groups, each of which counts from its own base. */
		FUZZ_CHECK(!i || layout->prediction || vma[-1].end <= vma->start);
		FUZZ_CHECK(layout->annotations[i].image < (int32_t)layout->n_images);
		FUZZ_CHECK(layout->annotations[i].backing < (int32_t)layout->n_backings);
		check_pieces(layout, i);
	}
}

void fuzz_check_text(const char *bytes, size_t size)
{
	for (size_t at = 0, length; at < size; at += length) {
		uint32_t character;

		length = segmap_utf8_decode(bytes + at, size - at, &character);
		FUZZ_CHECK(length);
		FUZZ_CHECK(character == '\n' || !segmap_is_control(character));
	}
}

/* NULL if it is no JSON; strictly read, which 0.18 of json-c is not able to (its issue 892). */
static struct json_object *parse_json(struct json_tokener *tokener, const char *bytes, size_t size)
{
	bool is_able = json_c_version_num() >> 8 != 18;

	json_tokener_set_flags(tokener,
			       is_able ? JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8 : 0);
	return json_tokener_parse_ex(tokener, bytes, (int)size);
}

/* One strict document, and a newline behind it. */
static void check_json(const char *bytes, size_t size)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *document;

	FUZZ_CHECK(tokener);
	FUZZ_CHECK(size && bytes[size - 1] == '\n' && size < INT32_MAX);
	document = parse_json(tokener, bytes, size - 1);
	if (!document) { /* what ends a number at the top can only be known by more */
		FUZZ_CHECK(json_tokener_get_error(tokener) == json_tokener_success);
	}
	FUZZ_CHECK(json_object_is_type(document, json_type_object));
	FUZZ_CHECK(json_tokener_get_parse_end(tokener) == size - 1);
	FUZZ_CHECK(!memchr(bytes, '\n', size - 1));
	json_object_put(document);
	json_tokener_free(tokener);
}

static size_t count_blanks(const char *line, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++)
		n += line[i] == ' ';
	return n;
}

/* Each record has as many fields as the first, which has the names. */
static void check_records(const char *bytes, size_t size)
{
	const char *at = bytes, *end = bytes + size;
	size_t fields = 0;

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t blanks;

		FUZZ_CHECK(newline && newline > at);
		blanks = count_blanks(at, (size_t)(newline - at));
		FUZZ_CHECK(at == bytes || blanks == fields);
		fields = blanks;
		at = newline + 1;
	}
}

/* ---- every form ---- */

enum { MOST_WORDS = 12, MOST_COLUMNS_TEXT = 4096 };

/* Command lines that between them show all there is. ALL stands for the names of all columns. */
static const char *const command_lines[][MOST_WORDS] = {
	{ "segmap", "-J", "1" },
	{ "segmap", "-J", "-x", "1" },
	{ "segmap", "-r", "1" },
	{ "segmap", "-r", "-S", "-o", "ALL", "1" },
	{ "segmap", "1" },
	{ "segmap", "-S", "-x", "-p", "1" },
	{ "segmap", "-XX", "-b", "1" },
	{ "segmap", "-S", "-n", "-q", "-A", "1000,7fffffffffff", "-o", "ALL", "1" },
	{ "segmap", "--summary", "1" },
	{ "segmap", "--summary", "-J", "1" },
	{ "segmap", "--svg", "1" },
	{ "segmap", "--html", "1" },
	{ "segmap", "--summary", "-r", "1" },
	/* Of what was audited. */
	{ "segmap", "--audit", "1" },
	{ "segmap", "--audit", "-r", "1" },
	{ "segmap", "--audit", "-J", "1" },
};
enum {
	N_COMMAND_LINES = sizeof(command_lines) / sizeof(command_lines[0]),
	N_OF_AUDITS = 3,
	N_OF_MAPS = N_COMMAND_LINES - N_OF_AUDITS,
};

static void list_columns(char *ret, size_t size)
{
	ret[0] = '\0';
	for (size_t i = 0; all_columns[i].name; i++)
		snprintf(ret + strlen(ret), size - strlen(ret), "%s%s", i ? "," : "",
			 all_columns[i].name);
}

/* The options of all command lines, parsed once. */
static const struct options *parse_command_lines(void)
{
	static struct options all[N_COMMAND_LINES];
	static char columns[MOST_COLUMNS_TEXT];
	static bool parsed;

	if (parsed)
		return all;
	list_columns(columns, sizeof(columns));
	for (size_t i = 0; i < N_COMMAND_LINES; i++) {
		char *words[MOST_WORDS + 1] = { 0 };
		int n = 0;

		for (; command_lines[i][n]; n++)
			words[n] = strcmp(command_lines[i][n], "ALL") == 0 ?
					   columns :
					   (char *)(uintptr_t)command_lines[i][n];
		optind = 0; /* getopt(3): begin again, from nothing */
		FUZZ_CHECK(fuzz_ok(options_parse(n, words, &all[i])));
		all[i].style.indent = all[i].form == FORM_TABLE;
		all[i].style.utf8 = i % 2;
		all[i].style.width = i % 2 ? 0 : 80;
		all[i].style.wrap = 80;
	}
	parsed = true;
	return all;
}

void fuzz_write(void (*write)(const void *context, FILE *file), const void *context)
{
	char *bytes = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&bytes, &size);

	FUZZ_CHECK(file);
	write(context, file);
	FUZZ_CHECK(fclose(file) == 0);
	fuzz_check_text(bytes, size);
	free(bytes);
}

/* Write what @write writes, and check it as text and, if it is one, as a form. */
static void render_one(const struct options *options, const struct segmap_layout *layout,
		       struct segmap_error *(*write)(const struct options *options,
						     const struct segmap_layout *layout, FILE *file))
{
	char *bytes = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&bytes, &size);

	FUZZ_CHECK(file);
	FUZZ_CHECK(fuzz_ok(write(options, layout, file)));
	FUZZ_CHECK(fclose(file) == 0);
	fuzz_check_text(bytes, size);
	if (write == show_layout && options->form == FORM_JSON)
		check_json(bytes, size);
	if (write == show_layout && options->form == FORM_RAW && !layout->is_asked)
		check_records(bytes, size);
	free(bytes);
}

static struct segmap_error *explain(const struct options *options,
				    const struct segmap_layout *layout, FILE *file)
{
	struct segmap_error *error = render_explanation(layout, &options->style, file);

	return error ? error : render_verdict(layout, &options->style, file);
}

bool fuzz_every_form;

static size_t choose_form(const uint8_t *data, size_t size)
{
	uint32_t hash = 0x811c9dc5; /* FNV-1a */

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ data[i]) * 0x01000193;
	return hash % (N_OF_MAPS + 1);
}

void fuzz_render(const struct segmap_layout *layout, const uint8_t *data, size_t size)
{
	const struct options *all = parse_command_lines();
	size_t chosen = choose_form(data, size);

	for (size_t i = 0; i < N_OF_MAPS; i++)
		if (fuzz_every_form || !i || i == chosen)
			render_one(&all[i], layout, show_layout);
	if (layout->prediction && (fuzz_every_form || chosen == N_OF_MAPS))
		render_one(&all[N_OF_MAPS - 1], layout, explain);
}

static void check_finding(const struct segmap_layout *layout, const struct segmap_finding *finding)
{
	FUZZ_CHECK(finding->id < SEGMAP_N_FINDING_IDS && finding->reason);
	FUZZ_CHECK(finding->start <= finding->end);
	FUZZ_CHECK(finding->vma >= -1 && finding->vma < (int64_t)layout->n_vmas);
	FUZZ_CHECK(finding->image >= -1 && finding->image < (int32_t)layout->n_images);
}

void fuzz_audit(struct segmap_layout *layout)
{
	const struct options *all = parse_command_lines();

	FUZZ_CHECK(fuzz_ok(segmap_layout_audit(layout)));
	FUZZ_CHECK(layout->audit && layout->audit->n_serious <= layout->audit->n_findings);
	for (size_t i = 0; i < layout->audit->n_findings; i++)
		check_finding(layout, &layout->audit->findings[i]);
	for (size_t i = N_OF_MAPS; i < N_COMMAND_LINES; i++)
		render_one(&all[i], layout, show_layout);
}
