/* src/render/json.c - the map as a JSON document, after docs/segmap.schema.json. */
#include "render/json.h"
#include "render/reason.h"
#include "render/trace.h"
#include "render/words.h"
#include <elf.h>
#include <errno.h>
#include <segmap/at.h>
#include <segmap/audit.h>
#include <segmap/compare.h>
#include <segmap/json_c.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * json-c builds and writes every value; the writer only puts members and
 * elements one behind the other, so that a VMA is freed before the next is made.
 * The document is handed on when it is whole: half of one is of use to nobody.
 */
struct writer {
	struct segmap_json_c json_c;
	struct segmap_text document;
	struct segmap_text text; /* for strings being made valid */
	struct segmap_text reason; /* a sentence in the making */
	bool failed;		 /* out of memory */
	bool begun;		 /* a comma is due before the next member or element */
	enum figures figures;	 /* of memory, that were asked for */
	uint64_t totals[SEGMAP_MAX_FIGURES]; /* of the figures that are written */
	char keys[SEGMAP_MAX_FIGURES][64];   /* of smaps' figures; "" until one is needed */
};

static void writer_free(struct writer *writer)
{
	segmap_json_c_unload(&writer->json_c);
	segmap_text_free(&writer->document);
	segmap_text_free(&writer->text);
	segmap_text_free(&writer->reason);
}

static struct json_object *checked(struct writer *writer, struct json_object *value)
{
	writer->failed |= !value;
	return value;
}

static void append_escaped(struct segmap_text *text, uint32_t character)
{
	segmap_text_append_trusted(text, "\\u");
	segmap_text_append_hex(text, character, 4);
}

/*
 * Serialized JSON, with the characters that can act on a terminal written as
 * \u: json-c does so below U+0020 only. Outside of strings there are none.
 */
static void write_escaped(struct segmap_text *document, const char *json, size_t size)
{
	const char *end = json + size, *plain = json;

	while (json < end) {
		uint32_t character;
		size_t length;

		if (*json > 0 && *json < 0x7f) {
			json++;
			continue;
		}
		length = segmap_utf8_decode(json, (size_t)(end - json), &character);
		if (!length || !segmap_is_control(character)) {
			json += length ? length : 1;
			continue;
		}
		segmap_text_append_bytes(document, plain, (size_t)(json - plain));
		if (character >= 0x10000) {
			append_escaped(document, 0xd800 + ((character - 0x10000) >> 10));
			append_escaped(document, 0xdc00 + ((character - 0x10000) & 0x3ff));
		} else {
			append_escaped(document, character);
		}
		plain = json += length;
	}
	segmap_text_append_bytes(document, plain, (size_t)(end - plain));
}

/*
 * Serialize @value. Where its buffer cannot grow, json-c 0.16 leaves out what
 * has no room, and says nothing (printbuf_memappend); but malloc sets errno,
 * and the other reason, 2 GiB of text, shows in the length.
 */
static void write_serialized(struct writer *writer, struct json_object *value)
{
	const char *json;
	size_t size;

	errno = 0;
	json = writer->json_c.json_object_to_json_string_ext(
		value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	size = json ? strlen(json) : 0;
	if (!json || errno == ENOMEM || size > INT32_MAX / 2)
		writer->failed = true;
	else
		write_escaped(&writer->document, json, size);
}

/* Write @value, which this takes, and forget it. */
static void write_value(struct writer *writer, struct json_object *value)
{
	if (value)
		write_serialized(writer, value);
	else
		segmap_text_append_trusted(&writer->document, "null");
	writer->json_c.json_object_put(value);
}

static void begin_next(struct writer *writer)
{
	if (writer->begun)
		segmap_text_append_char(&writer->document, ',');
	writer->begun = true;
}

/* @key is one of ours and needs no escapes. */
static void write_key(struct writer *writer, const char *key)
{
	begin_next(writer);
	segmap_text_append_char(&writer->document, '"');
	segmap_text_append_trusted(&writer->document, key);
	segmap_text_append_trusted(&writer->document, "\":");
}

/* A member of the document. */
static void write_member(struct writer *writer, const char *key, struct json_object *value)
{
	write_key(writer, key);
	write_value(writer, value);
}

static void open_list(struct writer *writer, const char *key)
{
	write_key(writer, key);
	segmap_text_append_char(&writer->document, '[');
	writer->begun = false;
}

static void close_list(struct writer *writer)
{
	segmap_text_append_char(&writer->document, ']');
	writer->begun = true;
}

static void write_element(struct writer *writer, struct json_object *value)
{
	begin_next(writer);
	write_value(writer, value);
}

static void open_document(struct writer *writer)
{
	segmap_text_append_char(&writer->document, '{');
}

/* End the document, and hand all of it to @file, or nothing. */
static struct segmap_error *close_document(struct writer *writer, FILE *file)
{
	segmap_text_append_trusted(&writer->document, "}\n");
	if (writer->failed || writer->document.failed || writer->reason.failed)
		return segmap_error_no_memory();
	fwrite(writer->document.bytes, 1, writer->document.size, file);
	return NULL;
}

/* Text of any bytes: what is not UTF-8 becomes U+FFFD. */
static struct json_object *text_of(struct writer *writer, const char *bytes, size_t size)
{
	struct segmap_text *text = &writer->text;

	text->size = 0;
	while (size) {
		uint32_t character;
		size_t length = segmap_utf8_decode(bytes, size, &character);

		if (length)
			segmap_text_append_bytes(text, bytes, length);
		else
			segmap_text_append_trusted(text, "\xef\xbf\xbd");
		bytes += length ? length : 1;
		size -= length ? length : 1;
	}
	writer->failed |= text->failed || text->size > INT32_MAX;
	if (writer->failed)
		return NULL;
	return checked(writer, writer->json_c.json_object_new_string_len(
				       text->size ? text->bytes : "", (int)text->size));
}

static struct json_object *string_of(struct writer *writer, const char *string)
{
	return string ? text_of(writer, string, strlen(string)) : NULL;
}

static struct json_object *number_of(struct writer *writer, uint64_t number)
{
	return checked(writer, writer->json_c.json_object_new_uint64(number));
}

static struct json_object *boolean_of(struct writer *writer, bool value)
{
	return checked(writer, writer->json_c.json_object_new_boolean(value));
}

static struct json_object *address_of(struct writer *writer, uint64_t address)
{
	char text[2 + 16 + 1];

	snprintf(text, sizeof(text), "0x%jx", (uintmax_t)address);
	return string_of(writer, text);
}

static struct json_object *perms_of(struct writer *writer, int prot, bool shared)
{
	char perms[5];

	segmap_perms_format(prot, shared, perms);
	return string_of(writer, perms);
}

static struct json_object *dev_of(struct writer *writer, uint32_t major, uint32_t minor)
{
	char text[2 * 8 + 2];

	snprintf(text, sizeof(text), "%02x:%02x", major, minor);
	return string_of(writer, text);
}

/* @key must outlive @object: json-c, which would copy it, loses the copy where memory runs out. */
static void add(struct writer *writer, struct json_object *object, const char *key,
		struct json_object *value)
{
	if (object && writer->json_c.json_object_object_add_ex(
			      object, key, value, JSON_C_OBJECT_KEY_IS_CONSTANT) == 0)
		return;
	writer->failed = true;
	writer->json_c.json_object_put(value);
}

static struct json_object *new_object(struct writer *writer)
{
	return checked(writer, writer->json_c.json_object_new_object());
}

static struct json_object *new_array(struct writer *writer)
{
	return checked(writer, writer->json_c.json_object_new_array());
}

static void append(struct writer *writer, struct json_object *array, struct json_object *value)
{
	if (array && writer->json_c.json_object_array_add(array, value) == 0)
		return;
	writer->failed = true;
	writer->json_c.json_object_put(value);
}

static struct json_object *segment_of(struct writer *writer, const struct segmap_segment *segment)
{
	struct json_object *object = new_object(writer);
	char flags[5];

	segmap_perms_format(segment->prot, false, flags);
	flags[3] = '\0';
	add(writer, object, "index", number_of(writer, segment->index));
	add(writer, object, "type",
	    string_of(writer, segment->type == SEGMAP_SEGMENT_LOAD ? "LOAD" : "GNU_RELRO"));
	add(writer, object, "flags", string_of(writer, flags));
	add(writer, object, "offset", number_of(writer, segment->off));
	add(writer, object, "vaddr", address_of(writer, segment->vaddr));
	add(writer, object, "filesz", number_of(writer, segment->filesz));
	add(writer, object, "memsz", number_of(writer, segment->memsz));
	add(writer, object, "align", number_of(writer, segment->align));
	return object;
}

static struct json_object *machine_of(struct writer *writer, unsigned int machine)
{
	const char *name = segmap_machine_name(machine);
	char number[16];

	snprintf(number, sizeof(number), "%u", machine);
	return string_of(writer, name ? name : number);
}

/* What the ELF object itself says. */
static void add_elf(struct writer *writer, struct json_object *object, const struct segmap_elf *elf)
{
	struct json_object *segments = new_array(writer);

	add(writer, object, "build_id", string_of(writer, elf->build_id));
	add(writer, object, "elf_offset", number_of(writer, elf->elf_off));
	add(writer, object, "class", number_of(writer, elf->class));
	add(writer, object, "machine", machine_of(writer, elf->machine));
	add(writer, object, "type", string_of(writer, elf->type == ET_EXEC ? "EXEC" : "DYN"));
	add(writer, object, "soname", string_of(writer, elf->soname));
	for (size_t i = 0; i < elf->n_segments; i++)
		append(writer, segments, segment_of(writer, &elf->segments[i]));
	add(writer, object, "segments", segments);
}

static bool is_floating(const struct segmap_layout *layout, int32_t image)
{
	return layout->prediction && layout->prediction->images[image].floating;
}

/* How a predicted image comes in. */
static void add_forecast(struct writer *writer, struct json_object *object,
			 const struct segmap_forecast *forecast)
{
	if (forecast->found)
		add(writer, object, "found", string_of(writer, forecast->found));
}

static struct json_object *image_of(struct writer *writer, const struct segmap_layout *layout,
				    int32_t index)
{
	const struct segmap_image *image = &layout->images[index];
	const struct segmap_backing *backing =
		image->backing < 0 ? NULL : &layout->backings[image->backing];
	struct json_object *object = new_object(writer);

	add(writer, object, "id", number_of(writer, (uint64_t)index));
	add(writer, object, "path", string_of(writer, segmap_layout_image_path(layout, index)));
	add(writer, object, "role", string_of(writer, word_of_role(image->role)));
	if (image->alias_of >= 0)
		add(writer, object, "alias_of", number_of(writer, (uint64_t)image->alias_of));
	add(writer, object, "status",
	    string_of(writer, word_of_status(segmap_layout_image_status(layout, index))));
	if (backing && backing->error)
		add(writer, object, "error", string_of(writer, backing->error->why));
	else if (image->elf && image->elf->sections_problem)
		add(writer, object, "error", string_of(writer, image->elf->sections_problem));
	add(writer, object, "sections",
	    string_of(writer, word_of_sections(image->elf ? image->elf->sections_from :
							    SEGMAP_SECTIONS_NONE)));
	add(writer, object, "opened",
	    string_of(writer,
		      word_of_opened(backing ? backing->opened : layout->vdso_opened)));
	if (backing) {
		add(writer, object, "dev",
		    backing->ino ? dev_of(writer, backing->dev_major, backing->dev_minor) : NULL);
		add(writer, object, "inode",
		    backing->ino ? number_of(writer, backing->ino) : NULL);
		if (backing->path_build_id)
			add(writer, object, "path_build_id",
			    string_of(writer, backing->path_build_id));
	}
	if (layout->prediction)
		add_forecast(writer, object, &layout->prediction->images[index]);
	add(writer, object, "bias",
	    image->elf && !is_floating(layout, index) ? address_of(writer, image->bias) : NULL);
	if (image->elf)
		add_elf(writer, object, image->elf);
	return object;
}

static const struct segmap_segment *segment_at(const struct segmap_layout *layout, int32_t image,
					       int32_t segment)
{
	return image < 0 || segment < 0 || !layout->images[image].elf ?
		       NULL :
		       &layout->images[image].elf->segments[segment];
}

static void add_figure(struct writer *writer, struct json_object *object, const char *key,
		       uint64_t figure)
{
	if (figure != SEGMAP_NO_FIGURE)
		add(writer, object, key, number_of(writer, figure));
}

/* The key of figure @index of smaps: "private_dirty". */
static const char *key_of(struct writer *writer, const struct segmap_memory *memory, size_t index)
{
	const char *name = memory->figures[index].name;
	char *key = writer->keys[index];

	for (size_t i = key[0] ? strlen(name) : 0; name[i] && i + 1 < sizeof(writer->keys[0]); i++)
		key[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
	return key;
}

static void add_to_total(uint64_t *total, uint64_t figure)
{
	if (figure != SEGMAP_NO_FIGURE && __builtin_add_overflow(*total, figure, total))
		*total = SEGMAP_NO_FIGURE;
}

/* Those of -x; dirty is no field of smaps but the sum of two, as in pmap -x. */
static uint64_t few_figure(const struct segmap_memory *memory, size_t vma, size_t index,
			   const char **name)
{
	static const struct {
		const char *name;
		enum segmap_known_figure a, b; /* the same: this one alone */
	} few[] = {
		{ "rss", SEGMAP_FIGURE_RSS, SEGMAP_FIGURE_RSS },
		{ "pss", SEGMAP_FIGURE_PSS, SEGMAP_FIGURE_PSS },
		{ "dirty", SEGMAP_FIGURE_SHARED_DIRTY, SEGMAP_FIGURE_PRIVATE_DIRTY },
		{ "anonymous", SEGMAP_FIGURE_ANONYMOUS, SEGMAP_FIGURE_ANONYMOUS },
		{ "swap", SEGMAP_FIGURE_SWAP, SEGMAP_FIGURE_SWAP },
	};
	uint64_t figure;

	*name = index < sizeof(few) / sizeof(few[0]) ? few[index].name : NULL;
	if (!*name)
		return SEGMAP_NO_FIGURE;
	figure = segmap_memory_known(memory, vma, few[index].a);
	return few[index].a == few[index].b ?
		       figure :
		       segmap_figure_add(figure, segmap_memory_known(memory, vma, few[index].b));
}

static struct json_object *memory_of_vma(struct writer *writer, const struct segmap_memory *memory,
					 size_t vma)
{
	struct json_object *object = new_object(writer);
	const char *name;
	uint64_t figure;

	if (writer->figures == FIGURES_FEW) {
		for (size_t i = 0; figure = few_figure(memory, vma, i, &name), name; i++) {
			add_figure(writer, object, name, figure);
			add_to_total(&writer->totals[i], figure);
		}
		return object;
	}
	for (size_t i = 0; i < memory->n_figures; i++) {
		figure = segmap_memory_figure(memory, vma, (int32_t)i);
		add_figure(writer, object, key_of(writer, memory, i), figure);
		add_to_total(&writer->totals[i], figure);
	}
	return object;
}

/* Sums over the VMAs that were written. */
static struct json_object *totals_of(struct writer *writer, const struct segmap_memory *memory)
{
	struct json_object *object = new_object(writer);
	const char *name;

	if (writer->figures == FIGURES_FEW) {
		for (size_t i = 0; few_figure(memory, 0, i, &name), name; i++)
			add_figure(writer, object, name, writer->totals[i]);
		return object;
	}
	for (size_t i = 0; i < memory->n_figures; i++)
		if (memory->figures[i].sums)
			add_figure(writer, object, key_of(writer, memory, i), writer->totals[i]);
	return object;
}

static struct json_object *memory_of_piece(struct writer *writer,
					   const struct segmap_piece_memory *piece)
{
	struct json_object *object = new_object(writer);

	add_figure(writer, object, "rss", piece->rss);
	add_figure(writer, object, "pss", piece->pss);
	add_figure(writer, object, "dirty", piece->dirty);
	add_figure(writer, object, "anonymous", piece->anonymous);
	add_figure(writer, object, "private", piece->exclusive);
	add_figure(writer, object, "file", piece->file);
	add_figure(writer, object, "swap", piece->swap);
	return object;
}

static struct json_object *vm_flags_of(struct writer *writer, const struct segmap_memory *memory,
				       size_t vma)
{
	struct json_object *array = new_array(writer);

	for (size_t i = 0; i < memory->n_flag_words; i++)
		if (memory->vm_flags[vma] >> i & 1)
			append(writer, array, string_of(writer, memory->flag_words[i]));
	return array;
}

/* What the VMA costs, if that was asked for and is known. */
static void add_memory(struct writer *writer, struct json_object *object,
		       const struct segmap_memory *memory, size_t vma)
{
	if (!memory || writer->figures == FIGURES_NONE)
		return;
	if (memory->n_figures)
		add(writer, object, "memory", memory_of_vma(writer, memory, vma));
	if (writer->figures >= FIGURES_MOST && vma < memory->n_vm_flags)
		add(writer, object, "vm_flags", vm_flags_of(writer, memory, vma));
}

static struct json_object *piece_of(struct writer *writer, const struct segmap_layout *layout,
				    const struct segmap_annotation *annotation,
				    const struct segmap_piece *piece, uint64_t origin)
{
	const struct segmap_segment *segment = segment_at(layout, piece->image, piece->segment);
	struct json_object *object = new_object(writer);

	add(writer, object, "start", address_of(writer, piece->start - origin));
	add(writer, object, "end", address_of(writer, piece->end - origin));
	add(writer, object, "size", number_of(writer, piece->end - piece->start));
	add(writer, object, "kind", string_of(writer, word_of_piece(piece->kind)));
	add(writer, object, "name", string_of(writer, piece->name));
	if (piece->image >= 0 && piece->image != annotation->image)
		add(writer, object, "image", number_of(writer, (uint64_t)piece->image));
	if (segment && (piece->segment != annotation->segment ||
			piece->image != annotation->image))
		add(writer, object, "segment", number_of(writer, segment->index));
	if (piece->expected_prot != SEGMAP_NO_PROT &&
	    piece->expected_prot != annotation->expected_prot)
		add(writer, object, "expected_perms",
		    perms_of(writer, piece->expected_prot, false));
	add(writer, object, "offset",
	    piece->off == SEGMAP_NO_OFF ? NULL : number_of(writer, piece->off));
	if (piece->comes_from || piece->goes_on)
		add(writer, object, "clipped", boolean_of(writer, true));
	if (writer->figures != FIGURES_NONE && layout->memory && layout->memory->pieces)
		add(writer, object, "memory",
		    memory_of_piece(writer, &layout->memory->pieces[piece - layout->pieces]));
	return object;
}

static struct json_object *vma_of(struct writer *writer, const struct segmap_layout *layout,
				  size_t index)
{
	const struct segmap_annotation *annotation = &layout->annotations[index];
	const struct segmap_segment *segment =
		segment_at(layout, annotation->image, annotation->segment);
	const struct segmap_placement *placement = segmap_layout_placement(layout, index);
	const struct segmap_vma *vma = &layout->vmas[index];
	struct json_object *object = new_object(writer);
	struct json_object *pieces = new_array(writer);
	char perms[5];

	add(writer, object, "start", address_of(writer, vma->start - placement->origin));
	add(writer, object, "end", address_of(writer, vma->end - placement->origin));
	if (layout->prediction) {
		add(writer, object, "base", string_of(writer, word_of_base(placement->base)));
		add(writer, object, "open_end", boolean_of(writer, placement->open_end));
	}
	add(writer, object, "size", number_of(writer, segmap_vma_size(vma)));
	segmap_vma_perms_format(vma, perms);
	add(writer, object, "perms", string_of(writer, perms));
	add(writer, object, "offset", number_of(writer, vma->off));
	add(writer, object, "dev",
	    vma->ino ? dev_of(writer, vma->dev_major, vma->dev_minor) : NULL);
	add(writer, object, "inode", vma->ino ? number_of(writer, vma->ino) : NULL);
	add(writer, object, "name", vma->name[0] ? string_of(writer, vma->name) : NULL);
	if (segmap_layout_label(layout, index))
		add(writer, object, "label", string_of(writer, segmap_layout_label(layout, index)));
	if (placement->label)
		add(writer, object, "label", string_of(writer, placement->label));
	add(writer, object, "kind", string_of(writer, word_of_kind(annotation->kind)));
	add(writer, object, "image",
	    annotation->image < 0 ? NULL : number_of(writer, (uint64_t)annotation->image));
	add(writer, object, "segment", segment ? number_of(writer, segment->index) : NULL);
	add(writer, object, "expected_perms",
	    annotation->expected_prot == SEGMAP_NO_PROT ?
		    NULL :
		    perms_of(writer, annotation->expected_prot, false)); /* loaders map privately */
	for (uint32_t i = 0; i < annotation->n_pieces; i++)
		append(writer, pieces,
		       piece_of(writer, layout, annotation,
				&layout->pieces[annotation->first_piece + i],
				placement->origin));
	add(writer, object, "pieces", pieces);
	add_memory(writer, object, layout->memory, index);
	if (layout->dumped)
		add(writer, object, "dumped", number_of(writer, layout->dumped[index]));
	return object;
}

static struct json_object *command_of(struct writer *writer, const struct segmap_layout *layout)
{
	struct json_object *array = new_array(writer);
	size_t at = 0;

	while (at < layout->command_size) {
		size_t size = strnlen(layout->command + at, layout->command_size - at);

		append(writer, array, text_of(writer, layout->command + at, size));
		at += size + 1;
	}
	return array;
}

/* RFC 3339 in UTC, to the millisecond. */
static struct json_object *time_of(struct writer *writer, const struct timespec *time)
{
	char text[64];
	struct tm utc;

	if ((!time->tv_sec && !time->tv_nsec) || !gmtime_r(&time->tv_sec, &utc))
		return NULL;
	/* Not by strftime(3), which looks for the time zone: no file can be opened any more. */
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900,
		 utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
		 (int)(time->tv_nsec / 1000000));
	return string_of(writer, text);
}

static struct json_object *outcome_of(struct writer *writer, const struct segmap_outcome *outcome)
{
	struct json_object *object;

	if (!outcome->reason)
		return NULL;
	object = new_object(writer);
	add(writer, object, "by",
	    string_of(writer, outcome->by == SEGMAP_ACTOR_KERNEL ? "kernel" : "ld.so"));
	add(writer, object, "error",
	    outcome->error[0] ? string_of(writer, outcome->error) : NULL);
	add(writer, object, "reason", string_of(writer, outcome->reason));
	return object;
}

/* What a call is about, and why it is made: the sentence is in the writer's reason. */
static void add_subject(struct writer *writer, struct json_object *object,
			const struct segmap_layout *layout, int32_t image, int32_t segment)
{
	const struct segmap_segment *found = segment_at(layout, image, segment);

	add(writer, object, "image", image < 0 ? NULL : number_of(writer, (uint64_t)image));
	add(writer, object, "segment", found ? number_of(writer, found->index) : NULL);
	add(writer, object, "reason", text_of(writer, writer->reason.bytes, writer->reason.size));
	writer->reason.size = 0;
}

/* One of the calls that are predicted, in the addresses of the image that it is about. */
static struct json_object *call_of(struct writer *writer, const struct segmap_layout *layout,
				   const struct segmap_call *call)
{
	uint64_t origin = segmap_layout_call_placement(layout, call).origin;
	bool has_place = segmap_call_has_place(call);
	bool protects = call->reason != SEGMAP_REASON_AREAS && call->name != SEGMAP_CALL_ZERO &&
			call->name != SEGMAP_CALL_MUNMAP;
	bool has_off = protects && !call->anonymous && call->name != SEGMAP_CALL_MPROTECT;
	struct json_object *object = new_object(writer);

	add(writer, object, "actor", string_of(writer, segmap_actor_word(call->actor)));
	add(writer, object, "name", string_of(writer, segmap_call_word(call->name)));
	add(writer, object, "start", has_place ? address_of(writer, call->start - origin) : NULL);
	add(writer, object, "end", has_place ? address_of(writer, call->end - origin) : NULL);
	add(writer, object, "perms", protects ? perms_of(writer, call->prot, false) : NULL);
	add(writer, object, "offset", has_off ? number_of(writer, call->off) : NULL);
	add(writer, object, "result",
	    call->errnum ? string_of(writer, strerror(call->errnum)) : NULL);
	append_reason(&writer->reason, layout, call);
	add_subject(writer, object, layout, call->image, call->segment);
	add(writer, object, "source", string_of(writer, call->source));
	return object;
}

static void write_calls(struct writer *writer, const struct segmap_layout *layout)
{
	open_list(writer, "calls");
	for (size_t i = 0; i < layout->prediction->n_calls && !writer->failed; i++)
		write_element(writer, call_of(writer, layout, &layout->prediction->calls[i]));
	close_list(writer);
}

/* What a call that was made has brought about, or why it has not; NULL where that is nothing. */
static struct json_object *result_of(struct writer *writer, const struct segmap_traced *call)
{
	bool is_address = call->name == SEGMAP_CALL_MMAP || call->name == SEGMAP_CALL_MREMAP ||
			  call->name == SEGMAP_CALL_BRK;

	if (call->errnum)
		return string_of(writer, strerror(call->errnum));
	return is_address ? address_of(writer, call->result) : NULL;
}

/* One of the calls that were made. */
static struct json_object *traced_of(struct writer *writer, const struct segmap_layout *layout,
				     const struct segmap_traced *call)
{
	const struct segmap_layout *predicted = layout->trace->prediction;
	bool maps = call->name == SEGMAP_CALL_MMAP;
	bool has_range = call->name != SEGMAP_CALL_EXECVE;
	struct json_object *object = new_object(writer);

	add(writer, object, "actor", string_of(writer, segmap_actor_word(call->actor)));
	add(writer, object, "name", string_of(writer, segmap_call_word(call->name)));
	add(writer, object, "start", has_range ? address_of(writer, call->start) : NULL);
	add(writer, object, "end", has_range ? address_of(writer, call->end) : NULL);
	add(writer, object, "perms",
	    maps || call->name == SEGMAP_CALL_MPROTECT ?
		    perms_of(writer, call->prot, call->flags & MAP_SHARED) : NULL);
	add(writer, object, "offset",
	    maps && !call->anonymous ? number_of(writer, call->off) : NULL);
	add(writer, object, "result", result_of(writer, call));
	append_purpose(&writer->reason, layout, call);
	add_subject(writer, object, layout, call->image, call->segment);
	if (call->predicted >= 0)
		add(writer, object, "source",
		    string_of(writer, predicted->prediction->calls[call->predicted].source));
	add(writer, object, "matched",
	    predicted && has_range ? boolean_of(writer, call->predicted >= 0) : NULL);
	return object;
}

static void write_trace(struct writer *writer, const struct segmap_layout *layout)
{
	open_list(writer, "calls");
	for (size_t i = 0; i < layout->trace->n_calls && !writer->failed; i++)
		write_element(writer, traced_of(writer, layout, &layout->trace->calls[i]));
	close_list(writer);
}

static void write_head(struct writer *writer, const struct segmap_layout *layout)
{
	write_member(writer, "segmap", number_of(writer, 1));
	write_member(writer, "source", string_of(writer, word_of_source(layout->source)));
	if (layout->target)
		write_member(writer, "target", string_of(writer, layout->target));
	if (layout->time.tv_sec)
		write_member(writer, "time", time_of(writer, &layout->time));
	if (layout->event)
		write_member(writer, "event", string_of(writer, word_of_event(layout->event)));
	if (layout->pid)
		write_member(writer, "pid", number_of(writer, (uint64_t)layout->pid));
	if (layout->comm)
		write_member(writer, "comm", string_of(writer, layout->comm));
	if (layout->command)
		write_member(writer, "command", command_of(writer, layout));
	write_member(writer, "page_size", number_of(writer, layout->page_size));
	if (layout->changed)
		write_member(writer, "changed", boolean_of(writer, true));
	if (layout->moment)
		write_member(writer, "moment", string_of(writer, word_of_moment(layout->moment)));
	if (layout->prediction)
		write_member(writer, "outcome",
			     outcome_of(writer, &layout->prediction->outcome));
}

/* What lies in a prediction at an address chosen at each run counts from its base, as its VMA does. */
static uint64_t origin_of(const struct segmap_layout *layout, const struct segmap_finding *finding)
{
	return finding->vma < 0 ? 0 : segmap_layout_placement(layout, (size_t)finding->vma)->origin;
}

static struct json_object *finding_of(struct writer *writer, const struct segmap_layout *layout,
				      const struct segmap_finding *finding)
{
	const struct segmap_altered *altered = finding->altered;
	struct json_object *object = new_object(writer);
	bool has_range = finding->start != finding->end;
	uint64_t origin = origin_of(layout, finding);

	add(writer, object, "id", string_of(writer, segmap_finding_word(finding->id)));
	add(writer, object, "severity", string_of(writer, segmap_severity_word(finding->severity)));
	add(writer, object, "confidence",
	    string_of(writer, segmap_confidence_word(finding->confidence)));
	add(writer, object, "vma",
	    finding->vma < 0 ? NULL : number_of(writer, (uint64_t)finding->vma));
	add(writer, object, "image",
	    finding->image < 0 ? NULL : number_of(writer, (uint64_t)finding->image));
	add(writer, object, "section", string_of(writer, finding->section));
	add(writer, object, "start",
	    has_range ? address_of(writer, finding->start - origin) : NULL);
	add(writer, object, "end", has_range ? address_of(writer, finding->end - origin) : NULL);
	add(writer, object, "expected", string_of(writer, finding->expected));
	add(writer, object, "actual", string_of(writer, finding->actual));
	add(writer, object, "reason", string_of(writer, finding->reason));
	add(writer, object, "benign", string_of(writer, finding->benign));
	if (!altered)
		return object;
	add(writer, object, "bytes", number_of(writer, altered->n_bytes));
	add(writer, object, "file_offset", number_of(writer, altered->off));
	add(writer, object, "symbol", string_of(writer, altered->symbol));
	if (altered->symbol)
		add(writer, object, "symbol_offset", number_of(writer, altered->symbol_off));
	return object;
}

static void write_findings(struct writer *writer, const struct segmap_layout *layout)
{
	open_list(writer, "findings");
	for (size_t i = 0; i < layout->audit->n_findings && !writer->failed; i++)
		write_element(writer, finding_of(writer, layout, &layout->audit->findings[i]));
	close_list(writer);
}

static struct json_object *change_of(struct writer *writer, const struct segmap_change *change)
{
	struct json_object *object = new_object(writer);

	add(writer, object, "what", string_of(writer, segmap_change_word(change->what)));
	add(writer, object, "image", string_of(writer, change->image));
	add(writer, object, "segment",
	    change->segment < 0 ? NULL : number_of(writer, (uint64_t)change->segment));
	add(writer, object, "a", string_of(writer, change->a));
	add(writer, object, "b", string_of(writer, change->b));
	add(writer, object, "why", string_of(writer, change->why));
	return object;
}

/* Of two maps that were compared: an empty list means that there are none. */
static void write_changes(struct writer *writer, const char *key,
			  const struct segmap_comparison *comparison)
{
	open_list(writer, key);
	for (size_t i = 0; i < comparison->n_changes && !writer->failed; i++)
		write_element(writer, change_of(writer, &comparison->changes[i]));
	close_list(writer);
}

/* For each VMA its place among those that hold an answer, counted from 1; 0 for the others. */
static uint32_t *list_answered(const struct segmap_layout *layout)
{
	uint32_t *listed = calloc(layout->n_vmas + 1, sizeof(*listed)), n = 0;

	for (size_t i = 0; listed && i < layout->n_answers; i++)
		if (layout->answers[i].vma >= 0)
			listed[layout->answers[i].vma] = 1;
	for (size_t i = 0; listed && i < layout->n_vmas; i++)
		if (listed[i])
			listed[i] = ++n;
	return listed;
}

static struct json_object *answer_of(struct writer *writer, const struct segmap_layout *layout,
				     const struct segmap_answer *answer, const uint32_t *listed)
{
	const struct segmap_segment *segment = segment_at(layout, answer->image, answer->segment);
	const struct segmap_image *image =
		answer->image < 0 ? NULL : &layout->images[answer->image];
	struct json_object *object = new_object(writer);

	add(writer, object, "asked", string_of(writer, answer->asked));
	if (!answer->found)
		return object;
	add(writer, object, "address", address_of(writer, answer->addr));
	add(writer, object, "vma",
	    answer->vma < 0 ? NULL : number_of(writer, listed[answer->vma] - 1));
	if (image)
		add(writer, object, "image", number_of(writer, (uint64_t)answer->image));
	if (segment)
		add(writer, object, "segment", number_of(writer, segment->index));
	if (answer->in_section) {
		add(writer, object, "section", string_of(writer, answer->piece->name));
		add(writer, object, "section_offset", number_of(writer, answer->section_off));
	}
	if (answer->off != SEGMAP_NO_OFF)
		add(writer, object, "file_offset", number_of(writer, answer->off));
	if (image && image->elf)
		add(writer, object, "vaddr",
		    address_of(writer, segmap_vaddr(answer->addr, image->bias)));
	if (answer->symbol) {
		add(writer, object, "symbol", string_of(writer, answer->symbol));
		add(writer, object, "symbol_offset", number_of(writer, answer->symbol_off));
	}
	if (answer->source)
		add(writer, object, "source", string_of(writer, answer->source));
	if (word_of_page(answer->page))
		add(writer, object, "page", string_of(writer, word_of_page(answer->page)));
	if (answer->before)
		add(writer, object, "before", string_of(writer, answer->before));
	if (answer->after)
		add(writer, object, "after", string_of(writer, answer->after));
	return object;
}

static void write_answers(struct writer *writer, const struct segmap_layout *layout,
			  const uint32_t *listed)
{
	open_list(writer, "answers");
	for (size_t i = 0; i < layout->n_answers && !writer->failed; i++)
		write_element(writer, answer_of(writer, layout, &layout->answers[i], listed));
	close_list(writer);
}

struct segmap_error *render_json(const struct segmap_layout *layout, const struct range *range,
				 enum figures figures, FILE *file)
{
	__attribute__((cleanup(writer_free))) struct writer writer = { .figures = figures };
	struct segmap_error *error = segmap_json_c_load(&writer.json_c);
	uint32_t *listed = NULL;

	if (!error && layout->is_asked && !(listed = list_answered(layout)))
		error = segmap_error_no_memory();
	if (error)
		return error;
	open_document(&writer);
	write_head(&writer, layout);
	open_list(&writer, "images");
	for (size_t i = 0; i < layout->n_images && !writer.failed; i++)
		write_element(&writer, image_of(&writer, layout, (int32_t)i));
	close_list(&writer);
	open_list(&writer, "vmas");
	for (size_t i = 0; i < layout->n_vmas && !writer.failed; i++)
		if (listed ? listed[i] : range_overlaps(range, layout, i))
			write_element(&writer, vma_of(&writer, layout, i));
	close_list(&writer);
	if (listed)
		write_answers(&writer, layout, listed);
	free(listed);
	if (figures != FIGURES_NONE && layout->memory && layout->memory->n_figures)
		write_member(&writer, "totals", totals_of(&writer, layout->memory));
	open_list(&writer, "notes");
	for (size_t i = 0; i < layout->n_notes && !writer.failed; i++)
		write_element(&writer, string_of(&writer, layout->notes[i]));
	close_list(&writer);
	if (layout->prediction)
		write_calls(&writer, layout);
	if (layout->trace)
		write_trace(&writer, layout);
	if (layout->comparison)
		write_changes(&writer, "differences", layout->comparison);
	if (layout->audit)
		write_findings(&writer, layout);
	return close_document(&writer, file);
}

static struct json_object *figures_of_summary(struct writer *writer,
					      const struct segmap_summary_figures *figures)
{
	static const char *const names[SEGMAP_N_SUMMARY_FIGURES] = {
		[SEGMAP_SUMMARY_RSS] = "rss",
		[SEGMAP_SUMMARY_PSS] = "pss",
		[SEGMAP_SUMMARY_DIRTY] = "dirty",
		[SEGMAP_SUMMARY_ANONYMOUS] = "anonymous",
		[SEGMAP_SUMMARY_PRIVATE] = "private",
		[SEGMAP_SUMMARY_FILE] = "file",
		[SEGMAP_SUMMARY_SWAP] = "swap",
	};
	struct json_object *object = new_object(writer);

	for (size_t i = 0; i < SEGMAP_N_SUMMARY_FIGURES; i++)
		if (names[i])
			add_figure(writer, object, names[i], figures->of[i]);
	return object;
}

static struct json_object *row_of_summary(struct writer *writer, bool of_census,
					  const struct segmap_summary_row *row)
{
	struct json_object *object = new_object(writer);

	add(writer, object, "group",
	    string_of(writer, row->path ? row->path : word_of_kind(row->kind)));
	add(writer, object, "class", string_of(writer, word_of_class(row->class)));
	if (of_census)
		add(writer, object, "processes", number_of(writer, row->processes));
	add(writer, object, "size", number_of(writer, row->figures.of[SEGMAP_SUMMARY_SIZE]));
	add(writer, object, "memory", figures_of_summary(writer, &row->figures));
	return object;
}

/* A note for the file of the stale entry @first, with all who map it; returns where the next is. */
static size_t write_stale(struct writer *writer, const struct segmap_census *census, size_t first)
{
	__attribute__((cleanup(segmap_text_free))) struct segmap_text note = { 0 };
	const struct segmap_stale *stale = &census->stale[first];
	size_t end = first;

	while (end < census->n_stale && census->stale[end].file == stale->file)
		end++;
	segmap_text_append_trusted(&note, stale->path);
	segmap_text_append_trusted(&note, ": ");
	segmap_text_append_trusted(&note, word_of_status(stale->status));
	segmap_text_append_trusted(&note, "; mapped by ");
	for (size_t i = first; i < end; i++) {
		segmap_text_append_trusted(&note, i > first ? ", " : "");
		segmap_text_append_decimal(&note, (uint64_t)census->stale[i].pid);
		segmap_text_append_trusted(&note, " (");
		segmap_text_append_trusted(&note, census->stale[i].comm);
		segmap_text_append_char(&note, ')');
	}
	writer->failed |= note.failed;
	if (!note.failed)
		write_element(writer, text_of(writer, note.bytes, note.size));
	return end;
}

static void write_notes(struct writer *writer, char **notes, size_t n_notes)
{
	for (size_t i = 0; i < n_notes && !writer->failed; i++)
		write_element(writer, string_of(writer, notes[i]));
}

/* What a summary is of, a pid, what was named where there is none, or all; of how many processes. */
static void write_scope(struct writer *writer, const struct summary_view *view)
{
	const char *scope = "all";
	char pid[16];

	if (view->layout && view->layout->pid) {
		snprintf(pid, sizeof(pid), "%d", view->layout->pid);
		scope = pid;
	} else if (view->layout) {
		scope = view->layout->target ? view->layout->target : "";
	}
	write_member(writer, "scope", string_of(writer, scope));
	if (view->census)
		write_member(writer, "processes", number_of(writer, view->summary->n_processes));
}

struct segmap_error *render_summary_json(const struct summary_view *view, FILE *file)
{
	__attribute__((cleanup(writer_free))) struct writer writer = { 0 };
	const struct segmap_summary *summary = view->summary;
	struct segmap_error *error = segmap_json_c_load(&writer.json_c);

	if (error)
		return error;
	open_document(&writer);
	write_member(&writer, "segmap", number_of(&writer, 1));
	write_member(&writer, "document", string_of(&writer, "summary"));
	write_scope(&writer, view);
	open_list(&writer, "rows");
	for (size_t i = 0; i < summary->n_rows && !writer.failed; i++)
		write_element(&writer, row_of_summary(&writer, view->census, &summary->rows[i]));
	close_list(&writer);
	write_member(&writer, "totals", figures_of_summary(&writer, &summary->totals));
	open_list(&writer, "notes");
	if (view->layout)
		write_notes(&writer, view->layout->notes, view->layout->n_notes);
	for (size_t i = 0; view->census && i < view->census->n_stale && !writer.failed;)
		i = write_stale(&writer, view->census, i);
	if (view->census)
		write_notes(&writer, view->census->notes, view->census->n_notes);
	close_list(&writer);
	return close_document(&writer, file);
}

/* The row that a question is about: as in a map's vmas. */
static struct json_object *row_of_question(struct writer *writer, const struct quiz *quiz,
					   const struct question *question)
{
	const struct segmap_layout *layout = quiz->entry;
	const struct segmap_vma *vma = &layout->vmas[question->vma];
	const struct segmap_placement *placement =
		segmap_layout_placement(layout, (size_t)question->vma);
	struct json_object *object = new_object(writer);

	add(writer, object, "start", address_of(writer, vma->start - placement->origin));
	add(writer, object, "end", address_of(writer, vma->end - placement->origin));
	add(writer, object, "base", string_of(writer, word_of_base(placement->base)));
	return object;
}

static struct json_object *question_of(struct writer *writer, const struct quiz *quiz, size_t index)
{
	const struct question *question = &quiz->questions[index];
	struct json_object *object = new_object(writer);

	add(writer, object, "id", number_of(writer, index + 1));
	add(writer, object, "kind", string_of(writer, word_of_question(question->kind)));
	add(writer, object, "text", string_of(writer, question->text));
	add(writer, object, "row",
	    question->vma < 0 ? NULL : row_of_question(writer, quiz, question));
	return object;
}

static struct json_object *answer_to(struct writer *writer, const struct question *question)
{
	struct json_object *array;

	switch (question->kind) {
	case QUESTION_PERMS:
		return perms_of(writer, (int)question->number, false);
	case QUESTION_RELRO_END:
		return address_of(writer, question->number);
	case QUESTION_SECTIONS:
		array = new_array(writer);
		for (size_t i = 0; i < question->n_sections; i++)
			append(writer, array, string_of(writer, question->sections[i]));
		return array;
	default:
		return number_of(writer, question->number);
	}
}

static struct json_object *solution_of(struct writer *writer, const struct quiz *quiz, size_t index)
{
	const struct question *question = &quiz->questions[index];
	struct json_object *object = new_object(writer);

	add(writer, object, "id", number_of(writer, index + 1));
	add(writer, object, "answer", answer_to(writer, question));
	add(writer, object, "explanation", string_of(writer, question->explanation));
	return object;
}

struct segmap_error *render_quiz_json(const struct quiz *quiz, FILE *file)
{
	__attribute__((cleanup(writer_free))) struct writer writer = { 0 };
	struct segmap_error *error = segmap_json_c_load(&writer.json_c);

	if (error)
		return error;
	open_document(&writer);
	write_member(&writer, "segmap", number_of(&writer, 1));
	write_member(&writer, "document", string_of(&writer, "quiz"));
	write_member(&writer, "target", string_of(&writer, quiz->entry->target));
	write_member(&writer, "seed", number_of(&writer, quiz->seed));
	open_list(&writer, "questions");
	for (size_t i = 0; i < quiz->n_questions && !writer.failed; i++)
		write_element(&writer, question_of(&writer, quiz, i));
	close_list(&writer);
	open_list(&writer, "key");
	for (size_t i = 0; i < quiz->n_questions && !writer.failed; i++)
		write_element(&writer, solution_of(&writer, quiz, i));
	close_list(&writer);
	return close_document(&writer, file);
}

static struct json_object *move_of(struct writer *writer, const struct segmap_move *move)
{
	struct json_object *object = new_object(writer);

	add(writer, object, "image", string_of(writer, move->name));
	add(writer, object, "a", move->known_a ? address_of(writer, move->a) : NULL);
	add(writer, object, "b", move->known_b ? address_of(writer, move->b) : NULL);
	return object;
}

struct segmap_error *render_diff_json(const struct diff_view *view, FILE *file)
{
	__attribute__((cleanup(writer_free))) struct writer writer = { 0 };
	const struct segmap_diff *diff = view->diff;
	struct segmap_error *error = segmap_json_c_load(&writer.json_c);

	if (error)
		return error;
	open_document(&writer);
	write_member(&writer, "segmap", number_of(&writer, 1));
	write_member(&writer, "document", string_of(&writer, "diff"));
	write_member(&writer, "a", string_of(&writer, view->name_a));
	write_member(&writer, "b", string_of(&writer, view->name_b));
	open_list(&writer, "bases");
	for (size_t i = 0; i < diff->n_moves && !writer.failed; i++)
		write_element(&writer, move_of(&writer, &diff->moves[i]));
	close_list(&writer);
	write_changes(&writer, "changes", diff->found);
	return close_document(&writer, file);
}
