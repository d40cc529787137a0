/* src/render/json_c.h - json-c, loaded when JSON is asked for. */
#ifndef RENDER_JSON_C_H
#define RENDER_JSON_C_H

#include <json-c/json.h>
#include <segmap/error.h>

/*
 * The functions of json-c that segmap uses. Most runs write a table, and to
 * load a library that they do not use costs more than all of their output
 * (docs/how-it-works.md, "Speed").
 */
#define JSON_C_FUNCTIONS(X)             \
	X(json_object_new_object)       \
	X(json_object_new_array)        \
	X(json_object_new_string_len)   \
	X(json_object_new_uint64)       \
	X(json_object_new_int)          \
	X(json_object_new_boolean)      \
	X(json_object_object_add_ex)    \
	X(json_object_array_add)        \
	X(json_object_to_json_string_ext) \
	X(json_object_put)

struct json_c {
	void *handle;
#define JSON_C_MEMBER(name) __typeof__(name) *name;
	JSON_C_FUNCTIONS(JSON_C_MEMBER)
#undef JSON_C_MEMBER
};

/* Load it. The error says what to install. */
SEGMAP_MUST_CHECK struct segmap_error *json_c_load(struct json_c *ret);
void json_c_unload(struct json_c *json_c);

#endif
