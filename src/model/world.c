/* src/model/world.c - the machine that a prediction is for. */
#include <segmap/world.h>
#include <string.h>

const char *segmap_world_getenv(const struct segmap_world *world, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; world->environment && world->environment[i]; i++) {
		const char *entry = world->environment[i];

		if (strncmp(entry, name, length) == 0 && entry[length] == '=')
			return entry + length + 1;
	}
	return NULL;
}
