/* src/predict/script.c - a program whose first line names another. */
#include "predict/script.h"
#include <errno.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Copy what is left of blanks in [@start, @end) without those at its ends. */
static void copy_trimmed(char *ret, const char *start, const char *end)
{
	while (start < end && is_blank(*start))
		start++;
	while (end > start && is_blank(end[-1]))
		end--;
	memcpy(ret, start, (size_t)(end - start));
	ret[end - start] = '\0';
}

/*
 * Take the first line of a script apart. ENOEXEC where it names nothing, or its
 * name may be cut off because the line is too long.
 */
static int parse_line(const char *line, size_t size, struct script *script)
{
	const char *end = memchr(line, '\n', size), *start = line + 2, *path_end;

	if (!end) {
		/* A name that a blank ends is whole even so. */
		end = line + size;
		while (start < end && is_blank(*start))
			start++;
		while (size == SCRIPT_LINE && start < end && !is_blank(*start) && *start)
			start++;
		if (size == SCRIPT_LINE && start == end)
			return ENOEXEC;
		start = line + 2;
	}
	end = start + strnlen(start, (size_t)(end - start));
	while (start < end && is_blank(*start))
		start++;
	for (path_end = start; path_end < end && !is_blank(*path_end); path_end++)
		;
	if (start == path_end)
		return ENOEXEC;
	copy_trimmed(script->path, start, path_end);
	copy_trimmed(script->argument, path_end, end);
	return 0;
}

int script_follow(const struct segmap_world *world, const char *path, bool as_library,
		  struct segmap_world_file *ret, struct script *script)
{
	char line[SCRIPT_LINE];

	for (;;) {
		int errnum = as_library && !script->depth ?
				     world->open(world->context, path, ret) :
				     world->open_program(world->context, path, ret);
		int64_t size;

		if (errnum || ret->elf)
			return errnum;
		size = world->read(world->context, ret, line, sizeof(line), 0);
		if (size < 2 || memcmp(line, "#!", 2) != 0)
			return 0;
		if (script->depth++ == SCRIPT_DEPTH)
			return ELOOP;
		errnum = parse_line(line, (size_t)size, script);
		if (errnum)
			return errnum;
		path = script->path;
	}
}

struct segmap_error *script_note(const struct script *script, struct segmap_layout *layout)
{
	if (!script->depth)
		return NULL;
	return segmap_layout_note(layout,
				  "%s is a script: its #! line runs %s%s%s, and that is the program "
				  "that is explained",
				  layout->target, script->path, script->argument[0] ? " " : "",
				  script->argument);
}
