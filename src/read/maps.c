/* src/read/maps.c - a whole maps text into VMAs, grouped by the file behind them. */
#include "read/maps.h"
#include "base/idmap.h"
#include "base/range.h"
#include "base/scope.h"
#include "model/layout.h"
#include "model/vma.h"
#include "read/smaps.h"
#include <errno.h>
#include <segmap/layout.h>
#include <segmap/limits.h>
#include <string.h>
#include <sys/mman.h>

/*
 * Make the name of the last VMA the layout's own. Neighbours mostly share a
 * name, and then its memory.
 */
static bool keep_name(struct segmap_layout *layout)
{
	struct segmap_vma *vma = &layout->vmas[layout->n_vmas];

	if (layout->n_vmas && strcmp(vma[-1].name, vma->name) == 0)
		vma->name = vma[-1].name;
	else
		vma->name = layout_keep_name(layout, vma->name);
	return vma->name;
}

/* @error, which says what is wrong with a line, with the name of the file and the line's number. */
static struct segmap_error *name_line(struct segmap_error *error, const char *name, size_t number)
{
	struct segmap_error *named;

	if (error->code == SEGMAP_ERROR_NO_MEMORY)
		return error;
	named = segmap_error_new(SEGMAP_ERROR_FORMAT, name, "line %zu: %s", number, error->why);
	segmap_error_free(error);
	return named;
}

/*
 * Have the kernel give memory to the whole pages in @memory now. Each page costs
 * 1.5 us here when it is asked for, 2.4 us as a page fault, and with 60,000 VMAs
 * there are a thousand. That it did not work is no error: then they are faults.
 */
static void populate(void *memory, size_t size, uint64_t page_size)
{
#ifdef MADV_POPULATE_WRITE /* Linux 5.14 */
	uint64_t start = page_up((uintptr_t)memory, page_size);
	uint64_t end = page_down((uintptr_t)memory + size, page_size);

	if (start < end)
		madvise((void *)(uintptr_t)start, end - start, MADV_POPULATE_WRITE);
#else
	(void)memory, (void)size, (void)page_size;
#endif
}

/* So many VMAs make a long map; their memory is asked for by the piece, ahead of them. */
enum { AT_ONCE = 4096 };

/* Room for one more VMA. */
static bool make_room(struct segmap_layout *layout)
{
	size_t n = layout->n_vmas;

	if (!grow(&layout->vmas, &layout->cap_vmas, n, sizeof(*layout->vmas)))
		return false;
	if (n && n % AT_ONCE == 0)
		populate(&layout->vmas[n], AT_ONCE * sizeof(*layout->vmas), layout->page_size);
	return true;
}

/*
 * The line's own VMA, or in smaps a field of the last one's. A VMA is checked
 * against the one before it: maps is ascending.
 */
static struct segmap_error *parse_line(struct segmap_layout *layout, const char *name,
				       const char *line, const char *end)
{
	size_t number = ++layout->n_lines;
	struct segmap_error *error;
	struct segmap_vma *vma;

	if (smaps_is_field(line)) {
		error = smaps_parse_field(layout, line, end);
		return error ? name_line(error, name, number) : NULL;
	}
	if (!make_room(layout))
		return segmap_error_no_memory();
	vma = &layout->vmas[layout->n_vmas];
	error = vma_parse(line, end, vma);
	if (error)
		return name_line(error, name, number);
	if (layout->n_vmas && vma->start < vma[-1].end)
		return segmap_error_new(SEGMAP_ERROR_FORMAT, name,
					"line %zu: it overlaps or precedes the line before it",
					number);
	if (layout->n_vmas == SEGMAP_MAX_VMAS)
		return segmap_error_new(SEGMAP_ERROR_LIMIT, name, "it has more than %d VMAs",
					SEGMAP_MAX_VMAS);
	if (!keep_name(layout))
		return segmap_error_no_memory();
	if (vma->name[0] == '[' && strcmp(vma->name, "[vdso]") == 0)
		layout->vdso_vma = (int64_t)layout->n_vmas;
	layout->n_vmas++;
	return NULL;
}

/* The VMAs that have a file, and how many of them each has. */
struct grouping {
	struct idmap by_id; /* (device, inode) to backing */
	uint32_t *vmas;
	size_t n_vmas, vmas_capacity, backings_capacity;
	uint32_t *firsts; /* by name: for each backing its first VMA */
	size_t firsts_capacity;
};

static void grouping_free(struct grouping *grouping)
{
	idmap_free(&grouping->by_id);
	free(grouping->vmas);
	free(grouping->firsts);
}

static uint64_t hash_name(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3;
	return hash;
}

/* A new backing for a VMA that is the first of its file. */
static void add_backing(struct segmap_layout *layout, const struct segmap_vma *vma)
{
	layout->backings[layout->n_backings++] = (struct segmap_backing){
		.dev_major = vma->dev_major,
		.dev_minor = vma->dev_minor,
		.ino = vma->ino,
	};
}

/* By name: a name's hash and, where another name has the same, a number. */
static bool find_named(struct segmap_layout *layout, struct grouping *grouping,
		       const struct segmap_vma *vma, int32_t *ret)
{
	/* More names with one hash were made to hurt; they may be files of their own. */
	enum { MOST = 8 };
	uint64_t hash = hash_name(vma->name);
	uint32_t found;

	if (!grow(&layout->backings, &grouping->backings_capacity, layout->n_backings,
		  sizeof(*layout->backings)))
		return false;
	for (unsigned int i = 0;; i++) {
		if (!idmap_find_or_add(&grouping->by_id, hash, i, (uint32_t)layout->n_backings,
				       &found))
			return false;
		if (found == layout->n_backings || i == MOST)
			break;
		if (strcmp(layout->vmas[grouping->firsts[found]].name, vma->name) == 0) {
			*ret = (int32_t)found;
			return true;
		}
	}
	if (!grow(&grouping->firsts, &grouping->firsts_capacity, layout->n_backings,
		  sizeof(*grouping->firsts)))
		return false;
	*ret = (int32_t)layout->n_backings;
	grouping->firsts[layout->n_backings] = (uint32_t)(vma - layout->vmas);
	add_backing(layout, vma);
	return true;
}

static bool find_backing(struct segmap_layout *layout, struct grouping *grouping,
			 const struct segmap_vma *vma, int32_t *ret)
{
	uint64_t dev = (uint64_t)vma->dev_major << 32 | vma->dev_minor;
	uint32_t found;

	if (!grow(&layout->backings, &grouping->backings_capacity, layout->n_backings,
		  sizeof(*layout->backings)) ||
	    !idmap_find_or_add(&grouping->by_id, dev, vma->ino, (uint32_t)layout->n_backings,
			       &found))
		return false;
	if (found == layout->n_backings)
		add_backing(layout, vma);
	*ret = (int32_t)found;
	return true;
}

/* Whether @a and @b, neighbours that have files, have the same, so that it need not be looked up. */
static bool is_same_backing(const struct segmap_vma *a, const struct segmap_vma *b,
			    enum grouping_key key)
{
	if (key == GROUP_BY_NAME)
		return a->name == b->name || strcmp(a->name, b->name) == 0;
	return a->ino == b->ino && a->dev_minor == b->dev_minor && a->dev_major == b->dev_major;
}

static bool group_by_file(struct segmap_layout *layout, struct grouping *grouping,
			  enum grouping_key key)
{
	const struct segmap_vma *before = NULL;
	int32_t index = -1;

	for (size_t i = 0; i < layout->n_vmas; i++) {
		const struct segmap_vma *vma = &layout->vmas[i];

		if (key == GROUP_BY_NAME ? !vma->name[0] || vma->name[0] == '[' : !vma->ino) {
			layout->annotations[i].backing = -1;
			before = NULL;
			continue;
		}
		if ((!before || !is_same_backing(before, vma, key)) &&
		    !(key == GROUP_BY_NAME ? find_named(layout, grouping, vma, &index) :
					     find_backing(layout, grouping, vma, &index)))
			return false;
		before = vma;
		layout->annotations[i].backing = index;
		layout->backings[index].n_vmas++;
		if (!grow(&grouping->vmas, &grouping->vmas_capacity, grouping->n_vmas,
			  sizeof(*grouping->vmas)))
			return false;
		grouping->vmas[grouping->n_vmas++] = (uint32_t)i;
	}
	return true;
}

/* Hand each backing its slice of one array, then fill the slices in the order of the VMAs. */
static bool list_vmas(struct segmap_layout *layout, const struct grouping *grouping)
{
	uint32_t *next = reallocarray(NULL, grouping->n_vmas + 1, sizeof(*next));

	layout->vma_lists = next;
	if (!next)
		return false;
	for (size_t i = 0; i < layout->n_backings; i++) {
		layout->backings[i].vmas = next;
		next += layout->backings[i].n_vmas;
		layout->backings[i].n_vmas = 0;
	}
	for (size_t i = 0; i < grouping->n_vmas; i++) {
		uint32_t vma = grouping->vmas[i];
		struct segmap_backing *backing =
			&layout->backings[layout->annotations[vma].backing];

		backing->vmas[backing->n_vmas++] = vma;
	}
	for (size_t i = 0; i < layout->n_backings; i++) {
		struct segmap_backing *backing = &layout->backings[i];

		backing->path = strdup(layout->vmas[backing->vmas[0]].name);
		if (!backing->path)
			return false;
	}
	return true;
}

struct segmap_error *maps_group(struct segmap_layout *layout, enum grouping_key key)
{
	__attribute__((cleanup(grouping_free))) struct grouping grouping = { 0 };

	layout->annotations = calloc(layout->n_vmas + 1, sizeof(*layout->annotations));
	if (layout->annotations && layout->n_vmas > AT_ONCE)
		populate(layout->annotations, layout->n_vmas * sizeof(*layout->annotations),
			 layout->page_size);
	if (!layout->annotations || !group_by_file(layout, &grouping, key) ||
	    !list_vmas(layout, &grouping))
		return segmap_error_no_memory();
	return smaps_finish(layout);
}

static struct segmap_error *nul_error(const struct segmap_layout *layout, const char *name,
				      const char *text, const char *nul)
{
	size_t number = layout->n_lines + 1;

	for (; text < nul; text++)
		number += *text == '\n';
	return segmap_error_new(SEGMAP_ERROR_FORMAT, name, "line %zu: there is a NUL byte in it",
				number);
}

struct segmap_error *segmap_layout_parse_maps(struct segmap_layout *layout, const char *name,
					      char *text, size_t size, bool last, size_t *taken)
{
	char *line = text, *end = text + size, *nul = memchr(text, '\0', size);

	if (nul)
		return nul_error(layout, name, text, nul);
	while (line < end) {
		struct segmap_error *error;
		char *newline;

		if (smaps_is_field(line))
			line += smaps_skim_fields(layout, line, end);
		newline = memchr(line, '\n', (size_t)(end - line));

		if (!newline)
			break;
		*newline = '\0';
		error = parse_line(layout, name, line, newline);
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
			rest ? parse_line(layout, name, rest, rest + (end - line)) :
			       segmap_error_no_memory();

		if (error)
			return error;
		*taken = size;
	}
	return maps_group(layout, GROUP_BY_INODE);
}

/*
 * Page by page: with very many VMAs most of the time goes into memory, so the text is not kept.
 */
struct segmap_error *maps_read(struct segmap_layout *layout, int fd, const char *name,
			       int *problem)
{
	size_t capacity = 65536, size = 0, taken;
	scope_free char *text = malloc(capacity);

	*problem = 0;
	if (!text)
		return segmap_error_no_memory();
	for (;;) {
		ssize_t got = read(fd, text + size, capacity - size);
		struct segmap_error *error;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			*problem = errno;
			return NULL;
		}
		size += (size_t)got;
		error = segmap_layout_parse_maps(layout, name, text, size, got == 0, &taken);
		if (error || got == 0)
			return error;
		size -= taken;
		memmove(text, text + taken, size);
		if (size == capacity) { /* one line, with a very long name */
			char *moved = realloc(text, capacity *= 2);

			if (!moved)
				return segmap_error_no_memory();
			text = moved;
		}
	}
}
