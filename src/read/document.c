/* src/read/document.c - segmap's own documents, read back: a layout, or what is wrong and where. */
#include <segmap/document.h>
#include "base/range.h"
#include "base/scope.h"
#include "model/elf.h"
#include "model/layout.h"
#include "model/memory.h"
#include "read/bytes.h"
#include "read/json.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <segmap/limits.h>
#include <segmap/text.h>
#include <segmap/words.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What is being read. Each function does nothing once there is an error. */
struct reader {
	const char *name; /* for errors */
	struct segmap_json_c json_c;
	struct segmap_layout *layout;
	struct segmap_error *error; /* the first */
	struct segmap_piece_memory *figures; /* of the layout's pieces; owned */
	bool has_figures; /* some piece has some */
};

/* Where in the document: "vmas[3].pieces[2]". */
struct place {
	const struct place *in; /* NULL: the document itself is */
	const char *list;	/* key of a list; NULL: it is the document */
	size_t index;		/* in the list; SIZE_MAX: it is no list but an object */
};

static void append_place(struct segmap_text *text, const struct place *place)
{
	if (!place->list)
		return;
	append_place(text, place->in);
	segmap_text_append_trusted(text, place->list);
	if (place->index != SIZE_MAX) {
		segmap_text_append_char(text, '[');
		segmap_text_append_decimal(text, place->index);
		segmap_text_append_char(text, ']');
	}
	segmap_text_append_char(text, '.');
}

/* Say what is wrong with @key of the object at @place, unless something was wrong before. */
static void refuse(struct reader *reader, const struct place *place, const char *key,
		   const char *why)
{
	__attribute__((cleanup(segmap_text_free))) struct segmap_text text = { 0 };

	if (reader->error)
		return;
	append_place(&text, place);
	segmap_text_append_trusted(&text, key);
	segmap_text_append_char(&text, '\0');
	reader->error = text.failed ? segmap_error_no_memory() :
				      segmap_error_new(SEGMAP_ERROR_FORMAT, reader->name,
						       "%s: %s", text.bytes, why);
}

static void *have_memory(struct reader *reader, void *memory)
{
	if (!memory && !reader->error)
		reader->error = segmap_error_no_memory();
	return memory;
}

/* ---- objects and their members ---- */

enum shape { TEXT, NUMBER, BOOLEAN, OBJECT, LIST };

enum { REQUIRED = 1, CAN_BE_NULL = 2 };

struct member {
	const char *key;
	enum shape shape;
	int how; /* REQUIRED, CAN_BE_NULL */
};

/* An object with the values of its members, by their place in the table; NULL: absent or null. */
struct object {
	const struct place *place;
	const struct member *members;
	struct json_object *values[24];
};

static bool has_shape(const struct reader *reader, struct json_object *value, enum shape shape)
{
	static const enum json_type types[] = {
		[TEXT] = json_type_string, [NUMBER] = json_type_int,
		[BOOLEAN] = json_type_boolean, [OBJECT] = json_type_object,
		[LIST] = json_type_array,
	};

	return reader->json_c.json_object_get_type(value) == types[shape];
}

static const char *words_of_shape(enum shape shape)
{
	static const char *const words[] = {
		[TEXT] = "it is no text", [NUMBER] = "it is no number",
		[BOOLEAN] = "it is neither true nor false", [OBJECT] = "it is no object",
		[LIST] = "it is no list",
	};

	return words[shape];
}

/* Take the members of @json, which must all be among @members; the last of those has no key. */
static struct object take_object(struct reader *reader, const struct place *place,
				 struct json_object *json, const struct member *members)
{
	struct object object = { .place = place, .members = members };
	bool present[sizeof(object.values) / sizeof(object.values[0])] = { 0 };

	if (reader->error)
		return object;
	if (!has_shape(reader, json, OBJECT)) {
		refuse(reader, place, "", words_of_shape(OBJECT));
		return object;
	}
	for (struct lh_entry *entry = reader->json_c.json_object_get_object(json)->head; entry;
	     entry = entry->next) {
		struct json_object *value = (struct json_object *)(uintptr_t)entry->v;
		const char *key = entry->k;
		size_t i = 0;

		while (members[i].key && strcmp(members[i].key, key) != 0)
			i++;
		if (!members[i].key)
			refuse(reader, place, key, "no document of this version has this key here");
		else if (value ? !has_shape(reader, value, members[i].shape) :
				 !(members[i].how & CAN_BE_NULL))
			refuse(reader, place, key, words_of_shape(members[i].shape));
		if (reader->error)
			return object;
		present[i] = true;
		object.values[i] = value;
	}
	for (size_t i = 0; members[i].key; i++)
		if (members[i].how & REQUIRED && !present[i])
			refuse(reader, place, members[i].key, "it is missing");
	return object;
}

static void refuse_member(struct reader *reader, const struct object *object, size_t member,
			  const char *why)
{
	refuse(reader, object->place, object->members[member].key, why);
}

static bool has(const struct object *object, size_t member)
{
	return object->values[member];
}

/* The text of a member, json-c's own; NULL where there is none. */
static const char *text_of(struct reader *reader, const struct object *object, size_t member)
{
	if (reader->error || !has(object, member))
		return NULL;
	return reader->json_c.json_object_get_string(object->values[member]);
}

/* The same as a copy; NULL where there is none. */
static char *copy_of(struct reader *reader, const struct object *object, size_t member)
{
	const char *text = text_of(reader, object, member);

	return text ? have_memory(reader, strdup(text)) : NULL;
}

/* The same, that the layout keeps; "" where there is none. */
static const char *name_of(struct reader *reader, const struct object *object, size_t member)
{
	const char *text = text_of(reader, object, member), *kept;

	if (!text)
		return "";
	kept = layout_keep_name(reader->layout, text);
	have_memory(reader, (void *)(uintptr_t)kept);
	return kept;
}

/* A number that is at most @most; 0 where there is none. */
static uint64_t number_of(struct reader *reader, const struct object *object, size_t member,
			  uint64_t most)
{
	uint64_t number;

	if (reader->error || !has(object, member))
		return 0;
	number = reader->json_c.json_object_get_uint64(object->values[member]);
	if (number > most)
		refuse_member(reader, object, member, "the number is too great");
	return number;
}

/* An index below @n; -1 where there is none. */
static int32_t index_of(struct reader *reader, const struct object *object, size_t member, size_t n)
{
	uint64_t index = number_of(reader, object, member, UINT64_MAX);

	if (!has(object, member))
		return -1;
	if (index < n)
		return (int32_t)index;
	refuse_member(reader, object, member, "there is nothing of this number");
	return -1;
}

static bool is_true(struct reader *reader, const struct object *object, size_t member)
{
	return !reader->error && has(object, member) &&
	       reader->json_c.json_object_get_boolean(object->values[member]);
}

/* The value that the member's word stands for; @otherwise where there is none. */
static int word_of(struct reader *reader, const struct object *object, size_t member,
		   enum segmap_words words, int otherwise)
{
	const char *word = text_of(reader, object, member);
	int value = word ? segmap_word_find(words, word) : otherwise;

	if (word && value < 0)
		refuse_member(reader, object, member, "no document of this version has this word here");
	return value;
}

/* Lower-case hexadecimal digits, at most @most of them, up to @end; false if it is something else. */
static bool parse_hex(const char *text, const char *end, size_t most, uint64_t *ret)
{
	uint64_t value = 0;

	if (text == end || (size_t)(end - text) > most)
		return false;
	for (; text < end; text++) {
		bool is_letter = *text >= 'a' && *text <= 'f';

		if (!is_letter && (*text < '0' || *text > '9'))
			return false;
		value = value << 4 | (uint64_t)(is_letter ? *text - 'a' + 10 : *text - '0');
	}
	*ret = value;
	return true;
}

static uint64_t address_of(struct reader *reader, const struct object *object, size_t member)
{
	const char *text = text_of(reader, object, member);
	uint64_t address = 0;

	if (text && (strncmp(text, "0x", 2) != 0 ||
		     !parse_hex(text + 2, text + strlen(text), 16, &address)))
		refuse_member(reader, object, member, "no address, as 0x7f00");
	return address;
}

/* Device numbers, "fe:00"; 0, 0 where there are none. */
static void dev_of(struct reader *reader, const struct object *object, size_t member,
		   uint32_t *major, uint32_t *minor)
{
	const char *text = text_of(reader, object, member);
	const char *colon = text ? strchr(text, ':') : NULL;
	uint64_t first = 0, second = 0;

	if (text && (!colon || !parse_hex(text, colon, 3, &first) ||
		     !parse_hex(colon + 1, text + strlen(text), 8, &second)))
		refuse_member(reader, object, member, "no device, as fe:00");
	*major = (uint32_t)first;
	*minor = (uint32_t)second;
}

/* The permissions in @text, which has at least three characters; -1 if it is something else. */
/* Into *@unknown those that are ?; NULL: none may be. -1: they are no permissions. */
static int parse_prot(const char *text, int *unknown)
{
	static const char letters[3] = "rwx";
	int prot = 0;

	for (int i = 0; i < 3; i++) {
		if (text[i] == letters[i])
			prot |= 1 << i;
		else if (text[i] == '?' && unknown)
			*unknown |= 1 << i;
		else if (text[i] != '-')
			return -1;
	}
	return prot;
}

/* Permissions that a file calls for; SEGMAP_NO_PROT where there are none. */
static int16_t expected_of(struct reader *reader, const struct object *object, size_t member,
			   int16_t otherwise)
{
	const char *text = text_of(reader, object, member);
	int prot;

	if (!text)
		return otherwise;
	prot = strlen(text) == 4 && (text[3] == 'p' || text[3] == 's') ? parse_prot(text, NULL) : -1;
	if (prot < 0)
		refuse_member(reader, object, member, "no permissions, as r-xp");
	return (int16_t)prot;
}

/* Those of a VMA, with ? for what is not known. */
static void perms_of(struct reader *reader, const struct object *object, size_t member,
		     struct segmap_vma *vma)
{
	const char *text = text_of(reader, object, member);
	int prot = -1, unknown = 0;

	if (!text)
		return;
	if (strlen(text) == 4 && strchr("ps?", text[3]))
		prot = parse_prot(text, &unknown);
	if (prot < 0) {
		refuse_member(reader, object, member, "no permissions, as r-xp");
		return;
	}
	vma->prot = (uint8_t)prot;
	vma->unknown_prot = (uint8_t)unknown & SEGMAP_ALL_PROT;
	vma->unknown_shared = text[3] == '?';
	vma->shared = text[3] == 's';
}

/* ---- lists ---- */

static size_t length_of(const struct reader *reader, struct json_object *list)
{
	return list ? reader->json_c.json_object_array_length(list) : 0;
}

static struct json_object *element_of(const struct reader *reader, struct json_object *list,
				      size_t index)
{
	return reader->json_c.json_object_array_get_idx(list, index);
}

/* The text of an element; NULL where it is none. */
static const char *element_text(struct reader *reader, const struct object *object, size_t member,
				size_t index)
{
	struct json_object *element = element_of(reader, object->values[member], index);

	if (element && has_shape(reader, element, TEXT))
		return reader->json_c.json_object_get_string(element);
	refuse_member(reader, object, member, "a list of texts has something else in it");
	return NULL;
}

/* ---- ELF objects ---- */

static const char *const flags_problem = "no permissions, as r-x";

static void read_segment(struct reader *reader, const struct place *place,
			 struct json_object *json, struct segmap_segment *ret)
{
	enum { INDEX, TYPE, FLAGS, OFFSET, VADDR, FILESZ, MEMSZ, ALIGN };
	static const struct member members[] = {
		[INDEX] = { "index", NUMBER, REQUIRED },   [TYPE] = { "type", TEXT, REQUIRED },
		[FLAGS] = { "flags", TEXT, REQUIRED },	   [OFFSET] = { "offset", NUMBER, REQUIRED },
		[VADDR] = { "vaddr", TEXT, REQUIRED },	   [FILESZ] = { "filesz", NUMBER, REQUIRED },
		[MEMSZ] = { "memsz", NUMBER, REQUIRED },   [ALIGN] = { "align", NUMBER, REQUIRED },
		{ NULL, TEXT, 0 },
	};
	struct object object = take_object(reader, place, json, members);
	const char *type = text_of(reader, &object, TYPE);
	const char *flags = text_of(reader, &object, FLAGS);
	uint64_t end;

	ret->index = (unsigned int)number_of(reader, &object, INDEX, UINT16_MAX);
	ret->off = number_of(reader, &object, OFFSET, UINT64_MAX);
	ret->vaddr = address_of(reader, &object, VADDR);
	ret->filesz = number_of(reader, &object, FILESZ, UINT64_MAX);
	ret->memsz = number_of(reader, &object, MEMSZ, UINT64_MAX);
	ret->align = number_of(reader, &object, ALIGN, UINT64_MAX);
	if (reader->error)
		return;
	if (strcmp(type, "LOAD") != 0 && strcmp(type, "GNU_RELRO") != 0)
		refuse_member(reader, &object, TYPE, "neither LOAD nor GNU_RELRO");
	ret->type = strcmp(type, "LOAD") == 0 ? SEGMAP_SEGMENT_LOAD : SEGMAP_SEGMENT_RELRO;
	ret->prot = strlen(flags) == 3 ? parse_prot(flags, NULL) : -1;
	if (ret->prot < 0)
		refuse_member(reader, &object, FLAGS, flags_problem);
	if (!checked_add(ret->vaddr, ret->memsz, &end) || !checked_add(ret->off, ret->filesz, &end) ||
	    !checked_add(ret->vaddr, ret->filesz, &end))
		refuse_member(reader, &object, MEMSZ, "it reaches beyond the end of the address space");
	segmap_segment_expand(ret, reader->layout->page_size);
}

/* Members of an image; those from BUILD_ID on stand there if its file could be read. */
enum image_member {
	ID, PATH, ROLE, ALIAS_OF, STATUS, ERROR, SECTIONS, OPENED, DEV, INODE, PATH_BUILD_ID, FOUND,
	BIAS, BUILD_ID, ELF_OFFSET, CLASS, MACHINE, TYPE, SONAME, SEGMENTS,
};

static const struct member image_members[] = {
	[ID] = { "id", NUMBER, REQUIRED },
	[PATH] = { "path", TEXT, REQUIRED },
	[ROLE] = { "role", TEXT, REQUIRED },
	[ALIAS_OF] = { "alias_of", NUMBER, CAN_BE_NULL },
	[STATUS] = { "status", TEXT, REQUIRED },
	[ERROR] = { "error", TEXT, CAN_BE_NULL },
	[SECTIONS] = { "sections", TEXT, 0 },
	[OPENED] = { "opened", TEXT, CAN_BE_NULL },
	[DEV] = { "dev", TEXT, CAN_BE_NULL },
	[INODE] = { "inode", NUMBER, CAN_BE_NULL },
	[PATH_BUILD_ID] = { "path_build_id", TEXT, CAN_BE_NULL },
	[FOUND] = { "found", TEXT, CAN_BE_NULL },
	[BIAS] = { "bias", TEXT, REQUIRED | CAN_BE_NULL },
	[BUILD_ID] = { "build_id", TEXT, CAN_BE_NULL },
	[ELF_OFFSET] = { "elf_offset", NUMBER, 0 },
	[CLASS] = { "class", NUMBER, CAN_BE_NULL },
	[MACHINE] = { "machine", TEXT, CAN_BE_NULL },
	[TYPE] = { "type", TEXT, CAN_BE_NULL },
	[SONAME] = { "soname", TEXT, CAN_BE_NULL },
	[SEGMENTS] = { "segments", LIST, 0 },
	{ NULL, TEXT, 0 },
};

/* A build-id as a copy; NULL where there is none. */
static char *build_id_of(struct reader *reader, const struct object *object, size_t member)
{
	char *build_id = copy_of(reader, object, member);

	if (build_id && (!build_id[0] || build_id[strspn(build_id, "0123456789abcdef")]))
		refuse_member(reader, object, member, "no build-id: hexadecimal digits");
	return build_id;
}

/* The number of a machine of elf.h by its name there, or in decimal if it has none. */
static unsigned int machine_of(struct reader *reader, const struct object *object)
{
	const char *text = text_of(reader, object, MACHINE);
	char decimal[8];
	unsigned int machine;

	if (!text || elf_machine_find(text, &machine))
		return text ? machine : 0;
	machine = (unsigned int)min_u64(strtoul(text, NULL, 10), UINT16_MAX);
	snprintf(decimal, sizeof(decimal), "%u", machine);
	if (strcmp(decimal, text) == 0 && !segmap_machine_name(machine))
		return machine;
	refuse_member(reader, object, MACHINE, "no machine that this version knows");
	return 0;
}

static void read_segments(struct reader *reader, const struct object *object,
			  struct segmap_elf *elf)
{
	enum { MOST = SEGMAP_MAX_PHDRS_BYTES / sizeof(Elf32_Phdr) };
	size_t n = length_of(reader, object->values[SEGMENTS]);

	if (n > MOST)
		refuse_member(reader, object, SEGMENTS, "more than a file can have");
	if (reader->error)
		return;
	elf->segments = have_memory(reader, calloc(n + 1, sizeof(*elf->segments)));
	for (size_t i = 0; i < n && !reader->error; i++) {
		struct place place = { object->place, "segments", i };

		read_segment(reader, &place, element_of(reader, object->values[SEGMENTS], i),
			     &elf->segments[i]);
		elf->n_segments = i + 1;
	}
}

static struct segmap_elf *add_elf(struct reader *reader)
{
	struct segmap_layout *layout = reader->layout;
	struct segmap_elf **elfs = have_memory(
		reader, reallocarray(layout->elfs, layout->n_elfs + 1, sizeof(*elfs)));
	struct segmap_elf *elf;

	if (!elfs)
		return NULL;
	layout->elfs = elfs;
	elf = have_memory(reader, calloc(1, sizeof(*elf)));
	if (elf)
		elfs[layout->n_elfs++] = elf;
	return elf;
}

static void read_elf(struct reader *reader, const struct object *object,
		     struct segmap_image *image)
{
	const char *type = text_of(reader, object, TYPE);
	uint64_t class = number_of(reader, object, CLASS, 64);
	struct segmap_elf *elf = reader->error ? NULL : add_elf(reader);

	if (!elf)
		return;
	image->elf = elf;
	elf->build_id = build_id_of(reader, object, BUILD_ID);
	elf->elf_off = number_of(reader, object, ELF_OFFSET, UINT64_MAX);
	elf->class = (unsigned int)class;
	elf->machine = machine_of(reader, object);
	elf->soname = copy_of(reader, object, SONAME);
	elf->sections_from = (enum segmap_sections_from)word_of(
		reader, object, SECTIONS, SEGMAP_WORDS_SECTIONS, SEGMAP_SECTIONS_NONE);
	elf->stack_prot = SEGMAP_NO_STACK;
	if (class != 32 && class != 64)
		refuse_member(reader, object, CLASS, "neither 32 nor 64");
	if (!type || (strcmp(type, "EXEC") != 0 && strcmp(type, "DYN") != 0))
		refuse_member(reader, object, TYPE, "neither EXEC nor DYN");
	else
		elf->type = strcmp(type, "EXEC") == 0 ? ET_EXEC : ET_DYN;
	read_segments(reader, object, elf);
}

/* ---- images ---- */

/* What the image's file has become; each image has a backing of its own. */
static void read_backing(struct reader *reader, const struct object *object,
			 struct segmap_image *image)
{
	struct segmap_layout *layout = reader->layout;
	struct segmap_backing *backing = &layout->backings[layout->n_backings];
	const char *error = text_of(reader, object, ERROR);

	image->backing = (int32_t)layout->n_backings++;
	backing->path = copy_of(reader, object, PATH);
	backing->status = (enum segmap_status)word_of(reader, object, STATUS, SEGMAP_WORDS_STATUS, 0);
	backing->opened = (enum segmap_opened)word_of(reader, object, OPENED, SEGMAP_WORDS_OPENED,
						      SEGMAP_OPENED_NOT);
	dev_of(reader, object, DEV, &backing->dev_major, &backing->dev_minor);
	backing->ino = number_of(reader, object, INODE, UINT64_MAX);
	backing->path_build_id = build_id_of(reader, object, PATH_BUILD_ID);
	if (error)
		backing->error = segmap_error_new(SEGMAP_ERROR_FORMAT,
						  backing->path ? backing->path : "", "%s", error);
}

static void read_image(struct reader *reader, size_t index, struct json_object *json)
{
	struct place document = { 0 }, place = { &document, "images", index };
	struct segmap_layout *layout = reader->layout;
	struct segmap_image *image = &layout->images[index];
	struct object object = take_object(reader, &place, json, image_members);

	*image = (struct segmap_image){ .backing = -1, .alias_of = -1 };
	if (number_of(reader, &object, ID, UINT64_MAX) != index)
		refuse_member(reader, &object, ID, "it is not the image's place in the list");
	image->role = (enum segmap_role)word_of(reader, &object, ROLE, SEGMAP_WORDS_ROLE, 0);
	image->bias = address_of(reader, &object, BIAS);
	image->alias_of = index_of(reader, &object, ALIAS_OF, layout->n_images);
	if (!reader->error && has(&object, CLASS))
		read_elf(reader, &object, image);
	if (reader->error)
		return;
	if (image->role == SEGMAP_ROLE_VDSO)
		layout->vdso_opened = (enum segmap_opened)word_of(
			reader, &object, OPENED, SEGMAP_WORDS_OPENED, SEGMAP_OPENED_NOT);
	else
		read_backing(reader, &object, image);
	if (layout->prediction) {
		layout->prediction->images[index].found = copy_of(reader, &object, FOUND);
		layout->prediction->images[index].floating = !has(&object, BIAS);
		layout->prediction->images[index].needed_by = -1;
	}
}

static void read_images(struct reader *reader, struct json_object *list)
{
	struct segmap_layout *layout = reader->layout;
	size_t n = length_of(reader, list);

	if (reader->error)
		return;
	layout->images = have_memory(reader, calloc(n + 1, sizeof(*layout->images)));
	layout->backings = have_memory(reader, calloc(n + 1, sizeof(*layout->backings)));
	if (layout->prediction)
		layout->prediction->images =
			have_memory(reader, calloc(n + 1, sizeof(*layout->prediction->images)));
	if (reader->error)
		return;
	layout->n_images = n;
	if (layout->prediction)
		layout->prediction->n_images = n;
	for (size_t i = 0; i < n && !reader->error; i++)
		read_image(reader, i, element_of(reader, list, i));
}

/* ---- figures of memory ---- */

/* The kernel's spelling of a figure's key: each word begins with a capital. */
static void spell_figure(const char *key, char *ret, size_t size)
{
	bool begins = true;

	snprintf(ret, size, "%s", key);
	for (char *at = ret; *at; at++) {
		if (begins && *at >= 'a' && *at <= 'z')
			*at = (char)(*at - 'a' + 'A');
		begins = *at == '_';
	}
}

/* The figures of VMA @vma. */
static void read_figures(struct reader *reader, const struct place *in, size_t vma,
			 struct json_object *json)
{
	struct segmap_layout *layout = reader->layout;
	struct place place = { in, "memory", SIZE_MAX };

	if (reader->error)
		return;
	if (!layout->memory)
		layout->memory = have_memory(reader, memory_new());
	for (struct lh_entry *entry = reader->json_c.json_object_get_object(json)->head;
	     entry && !reader->error; entry = entry->next) {
		struct json_object *value = (struct json_object *)(uintptr_t)entry->v;
		struct segmap_memory *memory = layout->memory;
		const char *key = entry->k;
		char name[64];
		int32_t figure;
		bool failed;

		if (!value || !has_shape(reader, value, NUMBER)) {
			refuse(reader, &place, key, words_of_shape(NUMBER));
			return;
		}
		if (!key[0] || strlen(key) >= sizeof(name)) {
			refuse(reader, &place, key, "no figure of memory has such a name");
			return;
		}
		spell_figure(key, name, sizeof(name));
		figure = memory_find_or_add(memory, name, strlen(name), true, &failed);
		if (failed || (figure >= 0 && !memory_reach(memory, vma)))
			have_memory(reader, NULL);
		else if (figure < 0)
			refuse(reader, &place, key, "there are more figures than smaps has");
		else
			memory->values[vma * memory->stride + (size_t)figure] =
				reader->json_c.json_object_get_uint64(value);
	}
}

/* Only figures that the document has a sum of make sense as a sum. */
static void read_totals(struct reader *reader, struct json_object *totals)
{
	struct segmap_memory *memory = reader->layout->memory;

	for (size_t i = 0; memory && i < memory->n_figures; i++)
		memory->figures[i].sums = false;
	for (struct lh_entry *entry =
		     totals ? reader->json_c.json_object_get_object(totals)->head : NULL;
	     entry && !reader->error; entry = entry->next) {
		struct json_object *value = (struct json_object *)(uintptr_t)entry->v;
		struct place document = { 0 }, place = { &document, "totals", SIZE_MAX };
		int32_t figure = -1;
		char name[64];

		if (!value || !has_shape(reader, value, NUMBER))
			refuse(reader, &place, entry->k, words_of_shape(NUMBER));
		spell_figure(entry->k, name, sizeof(name));
		if (memory)
			figure = segmap_memory_find(memory, name);
		if (figure >= 0)
			memory->figures[figure].sums = true;
	}
}

static void read_vm_flags(struct reader *reader, const struct object *object, size_t member,
			  size_t vma, size_t n_vmas)
{
	struct segmap_memory *memory = reader->layout->memory;
	size_t n = length_of(reader, object->values[member]);

	if (!memory || reader->error || !has(object, member))
		return;
	if (!memory->vm_flags) {
		memory->vm_flags = have_memory(reader, calloc(n_vmas + 1, sizeof(uint64_t)));
		memory->cap_vm_flags = n_vmas;
	}
	for (size_t i = 0; i < n && !reader->error; i++) {
		const char *word = element_text(reader, object, member, i);
		int bit = word && strlen(word) == 2 ? memory_flag_bit(memory, word, -1) : -1;

		if (bit < 0)
			refuse_member(reader, object, member, "no flags of smaps, as rd");
		else
			memory->vm_flags[vma] |= UINT64_C(1) << bit;
	}
	memory->n_vm_flags = vma + 1;
}

/* ---- pieces ---- */

/* Members of a piece's memory in the order of the fields. */
static void read_piece_memory(struct reader *reader, const struct place *in,
			      struct json_object *json, struct segmap_piece_memory *ret)
{
	static const struct member members[] = {
		{ "rss", NUMBER, 0 },	  { "pss", NUMBER, 0 },	 { "dirty", NUMBER, 0 },
		{ "anonymous", NUMBER, 0 }, { "private", NUMBER, 0 }, { "file", NUMBER, 0 },
		{ "swap", NUMBER, 0 },	  { NULL, TEXT, 0 },
	};
	struct place place = { in, "memory", SIZE_MAX };
	struct object object = { 0 };
	uint64_t *const fields[] = { &ret->rss,	      &ret->pss,  &ret->dirty, &ret->anonymous,
				     &ret->exclusive, &ret->file, &ret->swap };

	if (json)
		object = take_object(reader, &place, json, members);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		*fields[i] = json && object.values[i] ?
				     number_of(reader, &object, i, UINT64_MAX) :
				     SEGMAP_NO_FIGURE;
}

/* The index among an image's segments of the one that is row @row of its program headers. */
static int32_t find_segment(const struct segmap_layout *layout, int32_t image, uint64_t row)
{
	const struct segmap_elf *elf = image < 0 ? NULL : layout->images[image].elf;

	for (size_t i = 0; elf && i < elf->n_segments; i++)
		if (elf->segments[i].index == row)
			return (int32_t)i;
	return -1;
}

static int32_t segment_of(struct reader *reader, const struct object *object, size_t member,
			  int32_t image)
{
	uint64_t row = number_of(reader, object, member, UINT16_MAX);
	int32_t segment;

	if (!has(object, member))
		return -1;
	segment = find_segment(reader->layout, image, row);
	if (segment < 0)
		refuse_member(reader, object, member, "its image has no such segment");
	return segment;
}

/* One more piece of @vma, which begins at @at where the one before has ended. */
static void read_piece(struct reader *reader, const struct place *place, struct json_object *json,
		       const struct segmap_annotation *vma, uint64_t at)
{
	enum { START, END, SIZE, KIND, NAME, IMAGE, SEGMENT, EXPECTED, OFFSET, CLIPPED, MEMORY };
	static const struct member members[] = {
		[START] = { "start", TEXT, REQUIRED }, [END] = { "end", TEXT, REQUIRED },
		[SIZE] = { "size", NUMBER, REQUIRED }, [KIND] = { "kind", TEXT, REQUIRED },
		[NAME] = { "name", TEXT, REQUIRED },   [IMAGE] = { "image", NUMBER, 0 },
		[SEGMENT] = { "segment", NUMBER, 0 },  [EXPECTED] = { "expected_perms", TEXT, 0 },
		[OFFSET] = { "offset", NUMBER, CAN_BE_NULL },
		[CLIPPED] = { "clipped", BOOLEAN, 0 }, [MEMORY] = { "memory", OBJECT, 0 },
		{ NULL, TEXT, 0 },
	};
	struct segmap_layout *layout = reader->layout;
	struct object object = take_object(reader, place, json, members);
	struct segmap_piece *piece = &layout->pieces[layout->n_pieces];
	bool is_anon;

	*piece = (struct segmap_piece){ 0 };
	piece->start = address_of(reader, &object, START);
	piece->end = address_of(reader, &object, END);
	piece->kind = (enum segmap_piece_kind)word_of(reader, &object, KIND, SEGMAP_WORDS_PIECE, 0);
	piece->name = name_of(reader, &object, NAME);
	is_anon = piece->kind == SEGMAP_PIECE_ANON;
	piece->image = is_anon		     ? -1 :
		       has(&object, IMAGE) ? index_of(reader, &object, IMAGE, layout->n_images) :
					       vma->image;
	piece->segment = is_anon ? -1 :
			 has(&object, SEGMENT) ?
				   segment_of(reader, &object, SEGMENT, piece->image) :
			 piece->image == vma->image ? vma->segment : -1;
	piece->expected_prot = expected_of(reader, &object, EXPECTED,
					   is_anon ? SEGMAP_NO_PROT : vma->expected_prot);
	piece->off = has(&object, OFFSET) ? number_of(reader, &object, OFFSET, UINT64_MAX - 1) :
					    SEGMAP_NO_OFF;
	piece->goes_on = is_true(reader, &object, CLIPPED);
	if (piece->start != at || piece->end <= piece->start)
		refuse_member(reader, &object, START, "the pieces do not cover the VMA one by one");
	if (number_of(reader, &object, SIZE, UINT64_MAX) != piece->end - piece->start)
		refuse_member(reader, &object, SIZE, "it is not end minus start");
	read_piece_memory(reader, place, object.values[MEMORY], &reader->figures[layout->n_pieces]);
	reader->has_figures |= has(&object, MEMORY);
	layout->n_pieces++;
}

/* Room for @n more pieces, and for their figures. */
static bool make_room(struct reader *reader, size_t n)
{
	struct segmap_layout *layout = reader->layout;
	size_t needed = layout->n_pieces + n, capacity = 2 * layout->cap_pieces;
	struct segmap_piece_memory *figures;
	struct segmap_piece *pieces;

	if (needed <= layout->cap_pieces)
		return true;
	if (capacity < needed)
		capacity = needed;
	pieces = have_memory(reader, reallocarray(layout->pieces, capacity, sizeof(*pieces)));
	if (pieces)
		layout->pieces = pieces;
	figures = have_memory(reader, reallocarray(reader->figures, capacity, sizeof(*figures)));
	if (figures)
		reader->figures = figures;
	if (!pieces || !figures)
		return false;
	layout->cap_pieces = capacity;
	return true;
}

static void read_pieces(struct reader *reader, const struct object *object, size_t member,
			size_t vma)
{
	struct segmap_layout *layout = reader->layout;
	struct segmap_annotation *annotation = &layout->annotations[vma];
	struct json_object *list = object->values[member];
	size_t n = length_of(reader, list);
	uint64_t at = layout->vmas[vma].start;

	annotation->first_piece = (uint32_t)layout->n_pieces;
	if (reader->error || (!n && annotation->image < 0))
		return;
	if (annotation->image < 0 || n > INT32_MAX - layout->n_pieces) {
		refuse_member(reader, object, member, "only a VMA with an image has pieces");
		return;
	}
	if (!make_room(reader, n))
		return;
	for (size_t i = 0; i < n && !reader->error; i++) {
		struct place place = { object->place, "pieces", i };

		read_piece(reader, &place, element_of(reader, list, i), annotation, at);
		at = layout->pieces[layout->n_pieces - 1].end;
	}
	annotation->n_pieces = (uint32_t)(layout->n_pieces - annotation->first_piece);
	if (at != layout->vmas[vma].end)
		refuse_member(reader, object, member, "they do not cover the VMA to its end");
}

/* ---- VMAs ---- */

/* Where a predicted VMA lies, as far as a document says. */
static void read_placement(struct reader *reader, const struct object *object, size_t base,
			   size_t open_end, const char *label, size_t vma)
{
	struct segmap_placement *placement = &reader->layout->prediction->placements[vma];

	placement->base_name = "";
	placement->base = (enum segmap_base)word_of(reader, object, base, SEGMAP_WORDS_BASE,
						    SEGMAP_BASE_NONE);
	placement->open_end = is_true(reader, object, open_end);
	placement->label = label;
}

static void add_label(struct reader *reader, size_t vma, char *label)
{
	struct segmap_layout *layout = reader->layout;
	struct segmap_vma_label *labels = have_memory(
		reader, reallocarray(layout->labels, layout->n_labels + 1, sizeof(*labels)));

	if (!labels) {
		free(label);
		return;
	}
	layout->labels = labels;
	labels[layout->n_labels++] = (struct segmap_vma_label){ (uint32_t)vma, label };
}

enum vma_member {
	VMA_START, VMA_END, VMA_BASE, VMA_OPEN_END, VMA_SIZE, VMA_PERMS, VMA_OFFSET, VMA_DEV, VMA_INODE,
	VMA_NAME, VMA_LABEL, VMA_KIND, VMA_IMAGE, VMA_SEGMENT, VMA_EXPECTED, VMA_PIECES, VMA_MEMORY,
	VMA_FLAGS, VMA_DUMPED,
};

static const struct member vma_members[] = {
	[VMA_START] = { "start", TEXT, REQUIRED },
	[VMA_END] = { "end", TEXT, REQUIRED },
	[VMA_BASE] = { "base", TEXT, CAN_BE_NULL },
	[VMA_OPEN_END] = { "open_end", BOOLEAN, 0 },
	[VMA_SIZE] = { "size", NUMBER, REQUIRED },
	[VMA_PERMS] = { "perms", TEXT, REQUIRED },
	[VMA_OFFSET] = { "offset", NUMBER, REQUIRED },
	[VMA_DEV] = { "dev", TEXT, CAN_BE_NULL },
	[VMA_INODE] = { "inode", NUMBER, CAN_BE_NULL },
	[VMA_NAME] = { "name", TEXT, CAN_BE_NULL },
	[VMA_LABEL] = { "label", TEXT, CAN_BE_NULL },
	[VMA_KIND] = { "kind", TEXT, REQUIRED },
	[VMA_IMAGE] = { "image", NUMBER, CAN_BE_NULL },
	[VMA_SEGMENT] = { "segment", NUMBER, CAN_BE_NULL },
	[VMA_EXPECTED] = { "expected_perms", TEXT, CAN_BE_NULL },
	[VMA_PIECES] = { "pieces", LIST, REQUIRED },
	[VMA_MEMORY] = { "memory", OBJECT, 0 },
	[VMA_FLAGS] = { "vm_flags", LIST, 0 },
	[VMA_DUMPED] = { "dumped", NUMBER, 0 },
	{ NULL, TEXT, 0 },
};

/* The row of maps itself. */
static void read_row(struct reader *reader, const struct object *object, size_t index)
{
	struct segmap_layout *layout = reader->layout;
	struct segmap_vma *vma = &layout->vmas[index];
	uint32_t major;

	vma->start = address_of(reader, object, VMA_START);
	vma->end = address_of(reader, object, VMA_END);
	vma->off = number_of(reader, object, VMA_OFFSET, UINT64_MAX);
	vma->ino = number_of(reader, object, VMA_INODE, UINT64_MAX);
	dev_of(reader, object, VMA_DEV, &major, &vma->dev_minor);
	vma->dev_major = (uint16_t)major;
	vma->name = name_of(reader, object, VMA_NAME);
	perms_of(reader, object, VMA_PERMS, vma);
	if (vma->start >= vma->end || ((vma->start | vma->end) & (layout->page_size - 1)))
		refuse_member(reader, object, VMA_END, "start and end are not those of whole pages");
	if (number_of(reader, object, VMA_SIZE, UINT64_MAX) != vma->end - vma->start)
		refuse_member(reader, object, VMA_SIZE, "it is not end minus start");
	if (index && !layout->prediction && vma->start < vma[-1].end)
		refuse_member(reader, object, VMA_START, "it overlaps or precedes the VMA before it");
}

static void read_vma(struct reader *reader, size_t index, size_t n, struct json_object *json)
{
	struct place document = { 0 }, place = { &document, "vmas", index };
	struct segmap_layout *layout = reader->layout;
	struct object object = take_object(reader, &place, json, vma_members);
	struct segmap_annotation *annotation = &layout->annotations[index];

	read_row(reader, &object, index);
	annotation->kind = (enum segmap_kind)word_of(reader, &object, VMA_KIND, SEGMAP_WORDS_KIND, 0);
	annotation->image = index_of(reader, &object, VMA_IMAGE, layout->n_images);
	annotation->segment = segment_of(reader, &object, VMA_SEGMENT, annotation->image);
	annotation->expected_prot = expected_of(reader, &object, VMA_EXPECTED, SEGMAP_NO_PROT);
	annotation->backing = annotation->image < 0 || !layout->vmas[index].ino ?
				      -1 :
				      layout->images[annotation->image].backing;
	if (!layout->prediction && (has(&object, VMA_BASE) || has(&object, VMA_OPEN_END)))
		refuse_member(reader, &object, VMA_BASE, "only a predicted VMA has it");
	if (layout->prediction)
		read_placement(reader, &object, VMA_BASE, VMA_OPEN_END,
			       has(&object, VMA_LABEL) ? name_of(reader, &object, VMA_LABEL) : NULL,
			       index);
	else if (!reader->error && has(&object, VMA_LABEL))
		add_label(reader, index, copy_of(reader, &object, VMA_LABEL));
	if (!reader->error && has(&object, VMA_MEMORY))
		read_figures(reader, &place, index, object.values[VMA_MEMORY]);
	read_vm_flags(reader, &object, VMA_FLAGS, index, n);
	read_pieces(reader, &object, VMA_PIECES, index);
	if (!reader->error && has(&object, VMA_DUMPED) && !layout->dumped)
		layout->dumped = have_memory(reader, calloc(n + 1, sizeof(*layout->dumped)));
	if (layout->dumped)
		layout->dumped[index] = number_of(reader, &object, VMA_DUMPED, UINT64_MAX);
}

/* From the first to the last page of each image, in the layout's addresses. */
static void find_extents(struct segmap_layout *layout)
{
	for (size_t i = 0; i < layout->n_pieces; i++) {
		const struct segmap_piece *piece = &layout->pieces[i];
		struct segmap_image *image = piece->image < 0 ? NULL : &layout->images[piece->image];

		if (!image)
			continue;
		if (!image->end || piece->start < image->start)
			image->start = piece->start;
		image->end = max_u64(image->end, piece->end);
	}
}

static void read_vmas(struct reader *reader, struct json_object *list)
{
	struct segmap_layout *layout = reader->layout;
	size_t n = length_of(reader, list);

	if (reader->error)
		return;
	layout->vmas = have_memory(reader, calloc(n + 1, sizeof(*layout->vmas)));
	layout->annotations = have_memory(reader, calloc(n + 1, sizeof(*layout->annotations)));
	if (layout->prediction)
		layout->prediction->placements =
			have_memory(reader, calloc(n + 1, sizeof(*layout->prediction->placements)));
	for (size_t i = 0; i < n && !reader->error; i++) {
		layout->n_vmas = i + 1;
		read_vma(reader, i, n, element_of(reader, list, i));
	}
	if (reader->error)
		return;
	find_extents(layout);
	if (!reader->has_figures)
		return;
	if (!layout->memory)
		layout->memory = have_memory(reader, memory_new());
	if (layout->memory)
		layout->memory->pieces = return_ptr(reader->figures);
}

/* ---- the document ---- */

enum document_member {
	SEGMAP, DOCUMENT, SOURCE, TARGET, TIME, EVENT, PID, COMM, COMMAND, MOMENT, PAGE_SIZE, CHANGED,
	OUTCOME, IMAGES, VMAS, TOTALS, NOTES, ANSWERS, CALLS, DIFFERENCES, FINDINGS,
};

static const struct member document_members[] = {
	[SEGMAP] = { "segmap", NUMBER, REQUIRED },
	[DOCUMENT] = { "document", TEXT, 0 },
	[SOURCE] = { "source", TEXT, REQUIRED },
	[TARGET] = { "target", TEXT, 0 },
	[TIME] = { "time", TEXT, CAN_BE_NULL },
	[EVENT] = { "event", TEXT, CAN_BE_NULL },
	[PID] = { "pid", NUMBER, CAN_BE_NULL },
	[COMM] = { "comm", TEXT, CAN_BE_NULL },
	[COMMAND] = { "command", LIST, CAN_BE_NULL },
	[MOMENT] = { "moment", TEXT, CAN_BE_NULL },
	[PAGE_SIZE] = { "page_size", NUMBER, REQUIRED },
	[CHANGED] = { "changed", BOOLEAN, 0 },
	[OUTCOME] = { "outcome", OBJECT, CAN_BE_NULL },
	[IMAGES] = { "images", LIST, REQUIRED },
	[VMAS] = { "vmas", LIST, REQUIRED },
	[TOTALS] = { "totals", OBJECT, 0 },
	[NOTES] = { "notes", LIST, 0 },
	[ANSWERS] = { "answers", LIST, 0 },
	[CALLS] = { "calls", LIST, 0 },
	[DIFFERENCES] = { "differences", LIST, 0 },
	[FINDINGS] = { "findings", LIST, 0 },
	{ NULL, TEXT, 0 },
};

/* RFC 3339 as segmap writes it, in UTC to the millisecond. */
static void read_time(struct reader *reader, const struct object *object, struct timespec *ret)
{
	const char *text = text_of(reader, object, TIME);
	struct tm utc = { 0 };
	const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &utc) : NULL;

	if (!text)
		return;
	if (!rest || strlen(rest) != 5 || rest[0] != '.' || strspn(rest + 1, "0123456789") != 3 ||
	    rest[4] != 'Z') {
		refuse_member(reader, object, TIME, "no time, as 2026-01-31T12:00:00.000Z");
		return;
	}
	ret->tv_sec = timegm(&utc);
	ret->tv_nsec = strtol(rest + 1, NULL, 10) * 1000000;
}

/* The arguments, each with its NUL. */
static void read_command(struct reader *reader, const struct object *object)
{
	struct segmap_text text = { 0 };
	size_t n = length_of(reader, object->values[COMMAND]);

	for (size_t i = 0; i < n && !reader->error; i++) {
		const char *word = element_text(reader, object, COMMAND, i);

		if (word)
			segmap_text_append_bytes(&text, word, strlen(word) + 1);
	}
	if (!text.bytes && !reader->error)
		segmap_text_reserve(&text, 1); /* an empty list is a command line, too */
	if (text.failed)
		have_memory(reader, NULL);
	reader->layout->command = text.bytes;
	reader->layout->command_size = text.size;
}

static void read_notes(struct reader *reader, const struct object *object)
{
	size_t n = length_of(reader, object->values[NOTES]);

	for (size_t i = 0; i < n && !reader->error; i++) {
		const char *note = element_text(reader, object, NOTES, i);

		if (note)
			reader->error = segmap_layout_note(reader->layout, "%s", note);
	}
}

static void read_outcome(struct reader *reader, struct json_object *json,
			 struct segmap_outcome *ret)
{
	enum { BY, ERROR_NAME, REASON };
	static const struct member members[] = {
		[BY] = { "by", TEXT, REQUIRED },
		[ERROR_NAME] = { "error", TEXT, CAN_BE_NULL },
		[REASON] = { "reason", TEXT, REQUIRED },
		{ NULL, TEXT, 0 },
	};
	struct place document = { 0 }, place = { &document, "outcome", SIZE_MAX };
	struct object object = { 0 };
	const char *by, *name;

	ret->by = SEGMAP_ACTOR_PROGRAM;
	if (!json)
		return;
	object = take_object(reader, &place, json, members);
	by = text_of(reader, &object, BY);
	name = text_of(reader, &object, ERROR_NAME);
	if (by && strcmp(by, "kernel") != 0 && strcmp(by, "ld.so") != 0)
		refuse_member(reader, &object, BY, "neither kernel nor ld.so");
	if (name && strlen(name) >= sizeof(ret->error))
		refuse_member(reader, &object, ERROR_NAME, "no name of an error or a signal");
	if (reader->error)
		return;
	ret->by = strcmp(by, "kernel") == 0 ? SEGMAP_ACTOR_KERNEL : SEGMAP_ACTOR_LDSO;
	snprintf(ret->error, sizeof(ret->error), "%s", name ? name : "");
	ret->reason = copy_of(reader, &object, REASON);
}

/* What can be said of a document before anything else of it is believed. */
static void check_kind(struct reader *reader, struct json_object *json)
{
	struct place document = { 0 };

	for (struct lh_entry *entry = reader->json_c.json_object_get_object(json)->head;
	     entry && !reader->error; entry = entry->next) {
		struct json_object *value = (struct json_object *)(uintptr_t)entry->v;

		if (strcmp(entry->k, "document") == 0 && value && has_shape(reader, value, TEXT) &&
		    strcmp(reader->json_c.json_object_get_string(value), "map") != 0)
			refuse(reader, &document, "document", "it is another document than a map");
		if (strcmp(entry->k, "segmap") == 0 && value && has_shape(reader, value, NUMBER) &&
		    reader->json_c.json_object_get_uint64(value) != 1)
			refuse(reader, &document, "segmap", "this version reads documents of version 1");
	}
}

static void read_head(struct reader *reader, const struct object *object)
{
	struct segmap_layout *layout = reader->layout;

	layout->source = (enum segmap_source)word_of(reader, object, SOURCE, SEGMAP_WORDS_SOURCE, 0);
	layout->target = copy_of(reader, object, TARGET);
	read_time(reader, object, &layout->time);
	layout->event = (enum segmap_event)word_of(reader, object, EVENT, SEGMAP_WORDS_EVENT,
						   SEGMAP_EVENT_NONE);
	layout->pid = (int)number_of(reader, object, PID, INT32_MAX);
	layout->comm = copy_of(reader, object, COMM);
	if (!reader->error && has(object, COMMAND))
		read_command(reader, object);
	layout->moment = (enum segmap_moment)word_of(reader, object, MOMENT, SEGMAP_WORDS_MOMENT,
						     SEGMAP_MOMENT_NONE);
	layout->page_size = number_of(reader, object, PAGE_SIZE, SEGMAP_MOST_PAGE_SIZE);
	if (layout->page_size < SEGMAP_LEAST_PAGE_SIZE || (layout->page_size & (layout->page_size - 1)))
		refuse_member(reader, object, PAGE_SIZE, "no size of a page");
	layout->changed = is_true(reader, object, CHANGED);
	if (has(object, ANSWERS))
		refuse_member(reader, object, ANSWERS,
			      "it has the answers of --at, and not the whole map");
}

static void read_document(struct reader *reader, struct json_object *json)
{
	struct segmap_layout *layout = reader->layout;
	struct place document = { 0 };
	struct object object;

	check_kind(reader, json);
	object = take_object(reader, &document, json, document_members);
	read_head(reader, &object);
	if (reader->error)
		return;
	if (layout->source == SEGMAP_SOURCE_PREDICTION) {
		layout->prediction = have_memory(reader, calloc(1, sizeof(*layout->prediction)));
		if (layout->prediction)
			read_outcome(reader, object.values[OUTCOME], &layout->prediction->outcome);
	}
	read_images(reader, object.values[IMAGES]);
	read_vmas(reader, object.values[VMAS]);
	read_totals(reader, object.values[TOTALS]);
	read_notes(reader, &object);
}

struct segmap_error *segmap_document_parse(const char *name, const char *text, size_t size,
					   struct segmap_layout **ret)
{
	struct reader reader = { .name = name };
	struct json_object *json = NULL;

	reader.error = segmap_json_c_load(&reader.json_c);
	if (reader.error)
		return reader.error;
	reader.error = json_parse(&reader.json_c, name, text, size, &json);
	if (!reader.error)
		reader.error = segmap_layout_new(&reader.layout);
	if (!reader.error)
		read_document(&reader, json);
	if (json)
		reader.json_c.json_object_put(json);
	free(reader.figures);
	segmap_json_c_unload(&reader.json_c);
	if (reader.error)
		segmap_layout_free(reader.layout);
	else
		*ret = reader.layout;
	return reader.error;
}

struct segmap_error *segmap_document_open(const char *path, struct segmap_layout **ret)
{
	scope_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	scope_free char *text = NULL;
	struct stat stat;
	int64_t size;

	if (fd < 0 || fstat(fd, &stat))
		return segmap_error_system(errno, path, "open");
	if (!S_ISREG(stat.st_mode))
		return segmap_error_new(SEGMAP_ERROR_FORMAT, path,
					"no regular file: save a document of --json in one");
	if (stat.st_size > SEGMAP_MAX_DOCUMENT)
		return segmap_error_new(SEGMAP_ERROR_LIMIT, path,
					"it is larger than the %d bytes that a document can have",
					SEGMAP_MAX_DOCUMENT);
	text = malloc((size_t)stat.st_size + 1);
	if (!text)
		return segmap_error_no_memory();
	size = fd_read(fd, text, (size_t)stat.st_size, 0);
	if (size < 0)
		return segmap_error_system((int)-size, path, "read");
	return segmap_document_parse(path, text, (size_t)size, ret);
}
