/* src/read/maps.c - a whole maps text into VMAs, grouped by the file behind them. */
#include "base/idmap.h"
#include "base/scope.h"
#include <segmap/layout.h>
#include <string.h>

static void scope_idmap_free_(struct idmap *map)
{
	idmap_free(map);
}

/*
 * Make the name of the last VMA the layout's own. Neighbours mostly share a
 * name, and then its memory.
 */
static bool keep_name(struct segmap_layout *layout)
{
	enum { BLOCK_SIZE = 16384 };
	struct segmap_vma *vma = &layout->vmas[layout->n_vmas];
	struct segmap_names *names = layout->names;
	size_t size;

	if (!vma->name[0]) {
		vma->name = "";
		return true;
	}
	if (layout->n_vmas && strcmp(vma[-1].name, vma->name) == 0) {
		vma->name = vma[-1].name;
		return true;
	}
	size = strlen(vma->name) + 1;
	if (!names || names->size - names->used < size) {
		size_t block = size > BLOCK_SIZE ? size : BLOCK_SIZE;

		names = malloc(sizeof(*names) + block);
		if (!names)
			return false;
		*names = (struct segmap_names){ .next = layout->names, .size = block };
		layout->names = names;
	}
	vma->name = memcpy(names->bytes + names->used, vma->name, size);
	names->used += size;
	return true;
}

/* The line's own VMA, checked against the one before it: maps is ascending. */
static struct segmap_error *parse_line(struct segmap_layout *layout, const char *name,
				       const char *line)
{
	scope_error struct segmap_error *error = NULL;
	size_t number = ++layout->n_lines;
	struct segmap_vma *vma;

	if (!grow(&layout->vmas, &layout->cap_vmas, layout->n_vmas, sizeof(*layout->vmas)))
		return segmap_error_no_memory();
	vma = &layout->vmas[layout->n_vmas];
	error = segmap_vma_parse(line, vma);
	if (error && error->code == SEGMAP_ERROR_NO_MEMORY)
		return return_ptr(error);
	if (error)
		return segmap_error_new(SEGMAP_ERROR_FORMAT, name, "line %zu: %s", number,
					error->why);
	if (layout->n_vmas && vma->start < vma[-1].end)
		return segmap_error_new(SEGMAP_ERROR_FORMAT, name,
					"line %zu: it overlaps or precedes the line before it",
					number);
	if (layout->n_vmas == INT32_MAX)
		return segmap_error_new(SEGMAP_ERROR_LIMIT, name, "it has too many lines");
	if (!keep_name(layout))
		return segmap_error_no_memory();
	layout->n_vmas++;
	return NULL;
}

/* Give each file its backing; first only counting its VMAs. */
static struct segmap_error *group_by_file(struct segmap_layout *layout)
{
	__attribute__((cleanup(scope_idmap_free_))) struct idmap by_id = { 0 };
	struct segmap_vma *before = NULL;
	size_t capacity = 0;
	int32_t index = -1;

	for (size_t i = 0; i < layout->n_vmas; i++) {
		struct segmap_vma *vma = &layout->vmas[i];
		uint32_t found;

		if (!vma->ino) {
			layout->annotations[i].backing = -1;
			before = NULL;
			continue;
		}
		if (!before || before->ino != vma->ino || before->dev_minor != vma->dev_minor ||
		    before->dev_major != vma->dev_major) {
			uint64_t dev = (uint64_t)vma->dev_major << 32 | vma->dev_minor;

			if (!grow(&layout->backings, &capacity, layout->n_backings,
				  sizeof(*layout->backings)) ||
			    !idmap_find_or_add(&by_id, dev, vma->ino,
					       (uint32_t)layout->n_backings, &found))
				return segmap_error_no_memory();
			index = (int32_t)found;
			if (found == layout->n_backings)
				layout->backings[layout->n_backings++] = (struct segmap_backing){
					.dev_major = vma->dev_major,
					.dev_minor = vma->dev_minor,
					.ino = vma->ino,
				};
		}
		before = vma;
		layout->annotations[i].backing = index;
		layout->backings[index].n_vmas++;
	}
	return NULL;
}

/* Hand each backing its slice of one array, then fill the slices in the order of the VMAs. */
static struct segmap_error *list_vmas(struct segmap_layout *layout)
{
	uint32_t *next = reallocarray(NULL, layout->n_vmas + 1, sizeof(*next));

	layout->vma_lists = next;
	if (!next)
		return segmap_error_no_memory();
	for (size_t i = 0; i < layout->n_backings; i++) {
		layout->backings[i].vmas = next;
		next += layout->backings[i].n_vmas;
		layout->backings[i].n_vmas = 0;
	}
	for (size_t i = 0; i < layout->n_vmas; i++) {
		struct segmap_backing *backing;

		if (layout->annotations[i].backing < 0)
			continue;
		backing = &layout->backings[layout->annotations[i].backing];
		backing->vmas[backing->n_vmas++] = (uint32_t)i;
	}
	for (size_t i = 0; i < layout->n_backings; i++) {
		struct segmap_backing *backing = &layout->backings[i];

		backing->path = strdup(layout->vmas[backing->vmas[0]].name);
		if (!backing->path)
			return segmap_error_no_memory();
	}
	return NULL;
}

static struct segmap_error *finish(struct segmap_layout *layout)
{
	struct segmap_error *error;

	layout->annotations = calloc(layout->n_vmas + 1, sizeof(*layout->annotations));
	if (!layout->annotations)
		return segmap_error_no_memory();
	error = group_by_file(layout);
	return error ? error : list_vmas(layout);
}

struct segmap_error *segmap_layout_parse_maps(struct segmap_layout *layout, const char *name,
					      char *text, size_t size, bool last, size_t *taken)
{
	char *line = text, *end = text + size;

	if (memchr(text, '\0', size))
		return segmap_error_new(SEGMAP_ERROR_FORMAT, name, "there is a NUL byte in it");
	while (line < end) {
		char *newline = memchr(line, '\n', (size_t)(end - line));
		struct segmap_error *error;

		if (!newline)
			break;
		*newline = '\0';
		error = parse_line(layout, name, line);
		if (error)
			return error;
		line = newline + 1;
	}
	*taken = (size_t)(line - text);
	if (!last)
		return NULL;
	if (line < end) {
		scope_free char *rest = strndup(line, (size_t)(end - line));
		struct segmap_error *error =
			rest ? parse_line(layout, name, rest) : segmap_error_no_memory();

		if (error)
			return error;
		*taken = size;
	}
	return finish(layout);
}
