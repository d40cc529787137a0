/* src/cli/find.c - the program that a word of the command line names. */
#include "cli/find.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first file in PATH that execvp() would take; *@ret is NULL where there is none. */
static struct segmap_error *find_in_path(const struct segmap_world *world, const char *name,
					 char **ret)
{
	const char *path = segmap_world_getenv(world, "PATH");

	*ret = NULL;
	if (!path)
		path = "/bin:/usr/bin"; /* as execvp() where there is no PATH */
	for (const char *at = path;; at++) {
		size_t size = strcspn(at, ":");
		char *candidate;
		int errnum;

		/* An empty element is the working directory. */
		if (asprintf(&candidate, "%.*s%s%s", (int)size, at, size ? "/" : "./", name) < 0)
			return segmap_error_no_memory();
		errnum = world->look(world->context, candidate, true);
		if (!errnum) {
			*ret = candidate;
			return NULL;
		}
		free(candidate);
		if (errnum == ENOMEM)
			return segmap_error_no_memory();
		at += size;
		if (!*at)
			return NULL;
	}
}

struct segmap_error *find_program(const struct segmap_world *world, const char *name, char **ret,
				  bool *from_here)
{
	struct segmap_error *error;
	char *path = NULL;
	int errnum = 0;

	*from_here = false;
	if (!strchr(name, '/')) {
		error = find_in_path(world, name, &path);
		if (error)
			return error;
		*from_here = !path;
	}
	if (*from_here)
		errnum = name[0] ? world->look(world->context, name, false) : ENOENT;
	if (errnum == ENOMEM)
		return segmap_error_no_memory();
	if (errnum)
		return segmap_error_new(SEGMAP_ERROR_SYSTEM, name,
					"there is no such program in PATH, and no such file in the "
					"working directory");
	*ret = path ? path : strdup(name);
	return *ret ? NULL : segmap_error_no_memory();
}
