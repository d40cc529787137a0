/* src/read/json.h - JSON that is taken at its word: what json-c lets pass is refused. */
#ifndef READ_JSON_H
#define READ_JSON_H

#include <segmap/json_c.h>
#include <stddef.h>

/*
 * Parse the one object that @text, of @size bytes, is; errors are about @name and
 * tell the byte. Stricter than RFC 8259 where documents of segmap need no more:
 * keys are plain and stand once in their object, numbers are whole, not negative
 * and fit 64 bits, no text has a NUL, and nothing is nested deeper than JSON_DEEPEST.
 * The caller puts *@ret.
 */
enum { JSON_DEEPEST = 8, JSON_MOST_KEYS = 256 };

SEGMAP_MUST_CHECK struct segmap_error *json_parse(const struct segmap_json_c *json_c,
						  const char *name, const char *text, size_t size,
						  struct json_object **ret);

#endif
