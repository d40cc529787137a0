/* src/read/json.c - JSON that is taken at its word. */
#include "read/json.h"
#include <errno.h>
#include <limits.h>
#include <segmap/text.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/*
 * json-c takes the last of two members with one key, makes the nearest number of
 * one that is too great, and takes NaN and numbers with a fraction (json_tokener.c:
 * json_tokener_parse_ex, json_object.c:json_object_object_add). None of that
 * can be seen in what it returns. So the words of the text are looked at
 * first, one by one; how they go together is left to json-c.
 *
 * JSON_TOKENER_STRICT would refuse less than that, and in 0.18 every text with letters
 * beyond ASCII (its issue 892).
 */
struct scanner {
	const char *name; /* for errors */
	const char *text;
	size_t size, at;
	struct level {
		bool is_object;
		size_t n_keys;
		struct key {
			const char *bytes;
			size_t size;
		} keys[JSON_MOST_KEYS];
	} levels[JSON_DEEPEST];
	size_t depth;
	size_t n_containers, n_words;
};

static struct segmap_error *bad(const struct scanner *scanner, const char *why)
{
	return segmap_error_new(SEGMAP_ERROR_FORMAT, scanner->name, "byte %zu: %s",
				scanner->at + 1, why);
}

static void skip_blanks(struct scanner *scanner)
{
	while (scanner->at < scanner->size && scanner->text[scanner->at] &&
	       strchr(" \t\r\n", scanner->text[scanner->at]))
		scanner->at++;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct segmap_error *scan_number(struct scanner *scanner)
{
	const char *digits = scanner->text + scanner->at;
	size_t left = scanner->size - scanner->at, n = 0;
	char copy[24];

	while (n < left && is_digit(digits[n]))
		n++;
	if (!n || (n < left && strchr(".eE+-", digits[n])))
		return bad(scanner, "not a whole number from 0 on");
	if (n > 1 && digits[0] == '0')
		return bad(scanner, "a number that begins with 0");
	errno = ERANGE;
	if (n < sizeof(copy)) {
		memcpy(copy, digits, n);
		copy[n] = '\0';
		errno = 0;
		strtoull(copy, NULL, 10);
	}
	if (errno)
		return bad(scanner, "a number that does not fit 64 bits");
	scanner->at += n;
	return NULL;
}

/* true, false, null; what else begins with a letter, NaN say, is no JSON. */
static struct segmap_error *scan_word(struct scanner *scanner)
{
	static const char *const words[] = { "true", "false", "null" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t size = strlen(words[i]);

		if (scanner->size - scanner->at >= size &&
		    memcmp(scanner->text + scanner->at, words[i], size) == 0) {
			scanner->at += size;
			return NULL;
		}
	}
	return bad(scanner, "no JSON");
}

/* Go to the quote at the end of the text that has begun; *@plain: it has no escapes. */
static struct segmap_error *scan_characters(struct scanner *scanner, bool *plain)
{
	*plain = true;
	while (scanner->at < scanner->size && scanner->text[scanner->at] != '"') {
		const char *at = scanner->text + scanner->at;
		size_t left = scanner->size - scanner->at, length;
		uint32_t character;

		if ((unsigned char)*at < 0x20)
			return bad(scanner, "a control character in a text");
		if (*at == '\\') {
			*plain = false;
			if (left >= 6 && memcmp(at, "\\u0000", 6) == 0)
				return bad(scanner, "a NUL in a text");
			length = left < 2 ? left : 2;
		} else {
			length = segmap_utf8_decode(at, left, &character);
			/* As a key it would be written as one. */
			if (length && segmap_is_control(character))
				*plain = false;
		}
		if (!length)
			return bad(scanner, "a text that is not UTF-8");
		scanner->at += length;
	}
	return scanner->at < scanner->size ? NULL : bad(scanner, "a text does not end");
}

/* Take down a key; a second one of its name in one object is refused. */
static struct segmap_error *add_key(struct scanner *scanner, struct key key, bool plain)
{
	struct level *level = scanner->depth ? &scanner->levels[scanner->depth - 1] : NULL;

	if (!level || !level->is_object)
		return bad(scanner, "a key outside of an object");
	if (!plain)
		return bad(scanner, "a key with an escape, which no document has");
	if (level->n_keys == JSON_MOST_KEYS)
		return bad(scanner, "more keys than any document has");
	for (size_t i = 0; i < level->n_keys; i++)
		if (level->keys[i].size == key.size &&
		    memcmp(level->keys[i].bytes, key.bytes, key.size) == 0)
			return bad(scanner, "a key that stands twice in its object");
	level->keys[level->n_keys++] = key;
	return NULL;
}

static struct segmap_error *scan_text(struct scanner *scanner)
{
	struct segmap_error *error;
	struct key key;
	bool plain;

	scanner->at++;
	key.bytes = scanner->text + scanner->at;
	error = scan_characters(scanner, &plain);
	if (error)
		return error;
	key.size = (size_t)(scanner->text + scanner->at - key.bytes);
	scanner->at++;
	skip_blanks(scanner);
	return scanner->at < scanner->size && scanner->text[scanner->at] == ':' ?
		       add_key(scanner, key, plain) :
		       NULL;
}

static struct segmap_error *open_level(struct scanner *scanner, bool is_object)
{
	/* json-c takes up to a kilobyte for each, which no document has so few bytes for. */
	enum { LEAST_BYTES = 24, ALWAYS = 64 };

	if (scanner->depth == JSON_DEEPEST)
		return bad(scanner, "nested deeper than any document");
	if (++scanner->n_containers > ALWAYS + scanner->size / LEAST_BYTES)
		return bad(scanner, "more objects and lists than a document of its size has");
	scanner->levels[scanner->depth].is_object = is_object;
	scanner->levels[scanner->depth].n_keys = 0;
	scanner->depth++;
	scanner->at++;
	return NULL;
}

static struct segmap_error *scan_comma(struct scanner *scanner)
{
	scanner->at++;
	skip_blanks(scanner);
	if (scanner->at < scanner->size &&
	    (scanner->text[scanner->at] == '}' || scanner->text[scanner->at] == ']'))
		return bad(scanner, "nothing behind a comma");
	return NULL;
}

static struct segmap_error *scan_one(struct scanner *scanner)
{
	char c = scanner->text[scanner->at];

	scanner->n_words++;
	switch (c) {
	case '{':
	case '[':
		return open_level(scanner, c == '{');
	case '}':
	case ']':
		if (!scanner->depth)
			return bad(scanner, "an end without a beginning");
		scanner->depth--;
		scanner->at++;
		return NULL;
	case ',':
		return scan_comma(scanner);
	case ':':
		scanner->at++;
		return NULL;
	case '"':
		return scan_text(scanner);
	default:
		return is_digit(c) || c == '-' ? scan_number(scanner) : scan_word(scanner);
	}
}

/* Look at all words of the one object that the text is. */
static struct segmap_error *scan(struct scanner *scanner)
{
	struct segmap_error *error = NULL;

	skip_blanks(scanner);
	if (scanner->at == scanner->size || scanner->text[scanner->at] != '{')
		return bad(scanner, "a document begins with {");
	do {
		error = scan_one(scanner);
		skip_blanks(scanner);
	} while (!error && scanner->depth && scanner->at < scanner->size);
	if (error)
		return error;
	if (scanner->depth)
		return bad(scanner, "the document does not end: it was cut off");
	if (scanner->at == scanner->size)
		return NULL;
	return bad(scanner, scanner->text[scanner->at] == '{' ?
				    "a second document: keep the line of the one that is meant in a "
				    "file of its own" :
				    "something behind the document");
}

/*
 * Without memory json-c crashes or leaves members out, and says nothing of it: before 0.17 (its
 * pull request 759), and here and there before 0.18. So as much as it can take for what the scanner
 * has seen is asked for first, and given back: two to four times what it takes for a document.
 */
static bool is_room_for(const struct scanner *scanner)
{
	/* A list or object as it begins; a word with its part of tables that are doubled. */
	enum { CONTAINER = 1024, WORD = 192, ALWAYS = 2 * 1024 * 1024 };
	size_t room = scanner->n_containers * CONTAINER + scanner->n_words * WORD +
		      2 * scanner->size + ALWAYS;
	void *mapped = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mapped != MAP_FAILED && munmap(mapped, room) == 0;
}

/* Why json-c gives no object for a text that the scanner has passed. */
static struct segmap_error *explain(const struct segmap_json_c *json_c, const char *name,
				    struct json_tokener *tokener)
{
	enum json_tokener_error why = json_c->json_tokener_get_error(tokener);

	if (why == json_tokener_success)
		return segmap_error_no_memory();
	return segmap_error_new(SEGMAP_ERROR_FORMAT, name, "no JSON: %s",
				json_c->json_tokener_error_desc(why));
}

struct segmap_error *json_parse(const struct segmap_json_c *json_c, const char *name,
				const char *text, size_t size, struct json_object **ret)
{
	struct scanner *scanner = calloc(1, sizeof(*scanner));
	struct json_tokener *tokener;
	struct json_object *object;
	struct segmap_error *error;

	if (!scanner)
		return segmap_error_no_memory();
	*scanner = (struct scanner){ .name = name, .text = text, .size = size };
	error = size <= INT_MAX ? scan(scanner) : bad(scanner, "it is too long");
	if (!error && !is_room_for(scanner))
		error = segmap_error_no_memory();
	free(scanner);
	if (error)
		return error;
	tokener = json_c->json_tokener_new_ex(JSON_DEEPEST + 1);
	if (!tokener)
		return segmap_error_no_memory();
	object = json_c->json_tokener_parse_ex(tokener, text, (int)size);
	if (object)
		*ret = object;
	else
		error = explain(json_c, name, tokener);
	json_c->json_tokener_free(tokener);
	return error;
}
