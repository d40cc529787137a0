/* src/read/maps.c - a whole maps text into VMAs, grouped by the file behind them. */
#include "base/idmap.h"
#include "base/scope.h"
#include <segmap/layout.h>
#include <string.h>

static void scope_idmap_free_(struct idmap *map)
{
	idmap_free(map);
}

/* The line's own VMA, checked against the one before it: maps is ascending. */
static struct segmap_error *parse_line(struct segmap_layout *layout, const char *name,
				       const char *line, size_t number)
{
	struct segmap_vma *vma = &layout->vmas[layout->n_vmas];
	scope_error struct segmap_error *error = segmap_vma_parse(line, vma);

	if (error && error->code == SEGMAP_ERROR_NO_MEMORY)
		return return_ptr(error);
	if (error)
		return segmap_error_new(SEGMAP_ERROR_FORMAT, name, "line %zu: %s", number,
					error->why);
	if (layout->n_vmas && vma->start < vma[-1].end)
		return segmap_error_new(SEGMAP_ERROR_FORMAT, name,
					"line %zu: it overlaps or precedes the line before it",
					number);
	layout->n_vmas++;
	return NULL;
}

static struct segmap_error *parse_lines(struct segmap_layout *layout, const char *name, char *text,
					size_t size)
{
	size_t capacity = 0, number = 0;
	char *end = text + size;

	for (char *line = text; line < end; number++) {
		char *newline = memchr(line, '\n', (size_t)(end - line));
		struct segmap_error *error;

		if (newline)
			*newline = '\0';
		if (strlen(line) != (size_t)((newline ? newline : end) - line))
			return segmap_error_new(SEGMAP_ERROR_FORMAT, name,
						"line %zu: there is a NUL byte in it", number + 1);
		if (layout->n_vmas == INT32_MAX)
			return segmap_error_new(SEGMAP_ERROR_LIMIT, name, "it has too many lines");
		if (!grow(&layout->vmas, &capacity, layout->n_vmas, sizeof(*layout->vmas)))
			return segmap_error_no_memory();
		error = parse_line(layout, name, line, number + 1);
		if (error)
			return error;
		line = newline ? newline + 1 : end;
	}
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

struct segmap_error *segmap_layout_parse_maps(struct segmap_layout *layout, const char *name,
					      char *text, size_t size)
{
	struct segmap_error *error;

	layout->text = text;
	error = parse_lines(layout, name, text, size);
	if (error)
		return error;
	layout->annotations = calloc(layout->n_vmas + 1, sizeof(*layout->annotations));
	if (!layout->annotations)
		return segmap_error_no_memory();
	error = group_by_file(layout);
	if (error)
		return error;
	return list_vmas(layout);
}
