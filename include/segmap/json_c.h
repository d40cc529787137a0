/*
 * include/segmap/json_c.h - json-c, loaded when JSON is read or written.
 *
 * For who writes documents beside the library's own reader; <segmap/segmap.h> leaves it
 * out, since it needs json-c's headers.
 */
#ifndef SEGMAP_JSON_C_H
#define SEGMAP_JSON_C_H

#include <json-c/json.h>
#include <segmap/error.h>

/*
 * The functions of json-c that segmap uses. Most runs write a table, and to
 * load a library that they do not use costs more than all of their output
 * (docs/how-it-works.md, "Speed").
 */
#define SEGMAP_JSON_C_FUNCTIONS(X)      \
	X(json_object_new_object)       \
	X(json_object_new_array)        \
	X(json_object_new_string_len)   \
	X(json_object_new_uint64)       \
	X(json_object_new_int)          \
	X(json_object_new_boolean)      \
	X(json_object_object_add_ex)    \
	X(json_object_array_add)        \
	X(json_object_to_json_string_ext) \
	X(json_object_put)              \
	X(json_tokener_new_ex)          \
	X(json_tokener_free)            \
	X(json_tokener_parse_ex)        \
	X(json_tokener_get_error)       \
	X(json_tokener_error_desc)      \
	X(json_object_get_type)         \
	X(json_object_get_object)       \
	X(json_object_get_string)       \
	X(json_object_get_uint64)       \
	X(json_object_get_boolean)      \
	X(json_object_array_length)     \
	X(json_object_array_get_idx)

struct segmap_json_c {
	void *handle; /* NULL: not loaded */
#define SEGMAP_JSON_C_MEMBER(name) __typeof__(name) *name;
	SEGMAP_JSON_C_FUNCTIONS(SEGMAP_JSON_C_MEMBER)
#undef SEGMAP_JSON_C_MEMBER
};

/* Load it. The error says what to install. */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *segmap_json_c_load(struct segmap_json_c *ret);
SEGMAP_API void segmap_json_c_unload(struct segmap_json_c *json_c);

#endif
