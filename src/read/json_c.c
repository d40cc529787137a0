/* src/read/json_c.c - json-c, loaded when JSON is read or written. */
#include <segmap/json_c.h>
#include <dlfcn.h>
#include <errno.h>
#include <string.h>

/* The soname of the headers that this was compiled with: 5 since json-c 0.15. */
#if JSON_C_VERSION_NUM < ((0 << 16) | (15 << 8))
#error "json-c 0.15 or newer is needed"
#endif
#define SONAME "libjson-c.so.5"

struct segmap_error *segmap_json_c_load(struct segmap_json_c *ret)
{
	struct segmap_json_c json_c = { 0 };
	void *found;

	errno = 0;
	json_c.handle = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
	if (!json_c.handle && errno == ENOMEM)
		return segmap_error_no_memory();
	if (!json_c.handle)
		return segmap_error_new(SEGMAP_ERROR_SYSTEM, "JSON", "%s (install json-c)",
					dlerror());
#define FIND(name)                                                                       \
	found = dlsym(json_c.handle, #name);                                             \
	if (!found) {                                                                    \
		dlclose(json_c.handle);                                                  \
		return segmap_error_new(SEGMAP_ERROR_SYSTEM, "JSON", "%s has no %s", SONAME, \
					#name);                                          \
	}                                                                                \
	memcpy(&json_c.name, &found, sizeof(found));
	SEGMAP_JSON_C_FUNCTIONS(FIND)
#undef FIND
	*ret = json_c;
	return NULL;
}

void segmap_json_c_unload(struct segmap_json_c *json_c)
{
	if (json_c->handle)
		dlclose(json_c->handle);
	json_c->handle = NULL;
}
