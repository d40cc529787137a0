/* src/read/link_map.c - the dynamic linker's own list of what it has loaded. */
#include "base/scope.h"
#include "model/layout.h"
#include "read/bytes.h"
#include "read/evidence.h"
#include "read/maps.h"
#include <segmap/limits.h>
#include <string.h>
#include <time.h>

/*
 * <link.h>. DT_DEBUG of the program points to struct r_debug, for debuggers:
 *
 *   r_debug    version, r_map, r_brk, r_state, r_ldbase, with version 2 r_next (glibc 2.35)
 *   link_map   l_addr, l_name, l_ld, l_next, l_prev
 *
 * Each field takes a word of the process. musl has the same, without r_next.
 */
enum { DEBUG_VERSION, DEBUG_MAP, DEBUG_BRK, DEBUG_STATE, DEBUG_LDBASE, DEBUG_NEXT, DEBUG_WORDS };
enum { MAP_ADDR, MAP_NAME, MAP_LD, MAP_NEXT, MAP_PREV, MAP_WORDS };

enum { MOST_LISTS = 64 }; /* glibc has 16 (DL_NNS) */

struct walk {
	struct segmap_layout *layout;
	struct segmap_evidence *evidence;
	struct page_window *window;
	size_t word; /* bytes of an address */
};

/* Read @n words at @addr. */
static bool read_words(const struct walk *walk, uint64_t addr, uint64_t *words, size_t n)
{
	unsigned char bytes[DEBUG_WORDS * sizeof(uint64_t)];

	if (!evidence_read(walk->evidence, walk->window, bytes, n * walk->word, addr))
		return false;
	for (size_t i = 0; i < n; i++)
		words[i] = bytes_word(bytes + i * walk->word, walk->word, false);
	return true;
}

/* The string at @addr; NULL if it could not be read. */
static struct segmap_error *read_name(const struct walk *walk, uint64_t addr, char **ret)
{
	enum { AT_ONCE = 64 };
	char name[SEGMAP_MAX_SONAME + 1];
	size_t size = 0;

	*ret = NULL;
	while (size + AT_ONCE <= SEGMAP_MAX_SONAME) {
		/* Not over the end of a page, behind which there can be nothing. */
		uint64_t left = walk->layout->page_size - (addr + size) % walk->layout->page_size;
		size_t n = left < AT_ONCE ? left : AT_ONCE;

		if (!evidence_read(walk->evidence, walk->window, name + size, n, addr + size))
			return NULL;
		size += n;
		if (memchr(name + size - n, '\0', n))
			break;
	}
	name[size] = '\0';
	*ret = strdup(name);
	return *ret ? NULL : segmap_error_no_memory();
}

/* What is at @addr cannot be read: only what is in swap says nothing of the list. */
static void give_up(struct walk *walk, uint64_t addr)
{
	walk->evidence->list = page_window_at(walk->window, addr, addr) == PAGE_SWAPPED ?
				       SEGMAP_LIST_NONE :
				       SEGMAP_LIST_BROKEN;
}

/* Follow one list from its first entry at @addr on. */
static struct segmap_error *read_list(struct walk *walk, uint64_t addr)
{
	struct segmap_evidence *evidence = walk->evidence;

	while (addr) {
		uint64_t words[MAP_WORDS];
		struct segmap_linked_object object;
		struct segmap_error *error;

		if (evidence->n_linked == SEGMAP_MAX_OBJECTS ||
		    !read_words(walk, addr, words, MAP_WORDS)) {
			give_up(walk, addr);
			return NULL;
		}
		object = (struct segmap_linked_object){ .bias = words[MAP_ADDR],
							.dynamic = words[MAP_LD] };
		error = read_name(walk, words[MAP_NAME], &object.name);
		if (error)
			return error;
		if (!grow(&evidence->linked, &evidence->cap_linked, evidence->n_linked,
			  sizeof(object))) {
			free(object.name);
			return segmap_error_no_memory();
		}
		evidence->linked[evidence->n_linked++] = object;
		addr = words[MAP_NEXT];
	}
	return NULL;
}

/* The first int of a word, as the machine has it. */
static int int_of(const struct walk *walk, uint64_t word)
{
	int value;

	if (walk->word == sizeof(value))
		return (int)word;
	memcpy(&value, &word, sizeof(value));
	return value;
}

/* Read the lists from struct r_debug at @addr on, one for each namespace. */
static struct segmap_error *read_lists(struct walk *walk, uint64_t addr)
{
	struct segmap_evidence *evidence = walk->evidence;

	for (int i = 0; addr; i++) {
		uint64_t words[DEBUG_WORDS] = { 0 };
		struct segmap_error *error;

		if (i == MOST_LISTS || !read_words(walk, addr, words, DEBUG_NEXT)) {
			give_up(walk, addr);
			return NULL;
		}
		if (int_of(walk, words[DEBUG_STATE]) != 0) { /* RT_CONSISTENT */
			evidence->list = SEGMAP_LIST_CHANGING;
			return NULL;
		}
		if (!words[DEBUG_MAP] && !i) {
			evidence->list = SEGMAP_LIST_NOT_YET;
			return NULL;
		}
		evidence->list = SEGMAP_LIST_READ;
		error = read_list(walk, words[DEBUG_MAP]);
		if (error || evidence->list != SEGMAP_LIST_READ)
			return error;
		evidence->list_has_next |= int_of(walk, words[DEBUG_VERSION]) >= 2;
		if (int_of(walk, words[DEBUG_VERSION]) >= 2 &&
		    !read_words(walk, addr, words, DEBUG_WORDS))
			return NULL;
		addr = words[DEBUG_NEXT];
	}
	return NULL;
}

/*
 * DT_DEBUG of image @index into *@ret: 0 until the dynamic linker has filled it in.
 * False if the image has none that can be read.
 */
static bool find_debug(struct walk *walk, size_t index, uint64_t *ret)
{
	const struct segmap_image *image = &walk->layout->images[index];
	const struct segmap_elf *elf = image->elf;
	uint64_t entry;

	if (!elf || elf->foreign || !elf->linking || elf->linking->debug_entry < 0 ||
	    image->role == SEGMAP_ROLE_ALIAS || image->role == SEGMAP_ROLE_VDSO)
		return false;
	walk->word = elf->class / 8;
	entry = segmap_addr(elf->dynamic, image->bias) +
		(uint64_t)elf->linking->debug_entry * 2 * walk->word;
	entry += walk->word;
	/* A page that nobody has touched is as it is in the file: not filled in. */
	*ret = 0;
	return page_window_at(walk->window, entry, entry) == PAGE_ABSENT ||
	       read_words(walk, entry, ret, 1);
}

/* Whether image @index is one that the list should have, and does not. */
static bool is_unlisted(const struct walk *walk, size_t index)
{
	const struct segmap_image *image = &walk->layout->images[index];
	uint64_t dynamic;

	/* glibc strikes itself from the list where no object needs it by name (elf/rtld.c). */
	if (!image->elf || !image->elf->dynamic || image->elf->foreign ||
	    (image->role != SEGMAP_ROLE_PROGRAM && image->role != SEGMAP_ROLE_LIBRARY))
		return false;
	dynamic = segmap_addr(image->elf->dynamic, image->bias);
	for (size_t i = 0; i < walk->evidence->n_linked; i++)
		if (walk->evidence->linked[i].dynamic == dynamic)
			return false;
	return true;
}

static bool is_unmapped(const struct walk *walk, const struct segmap_linked_object *object)
{
	return segmap_layout_find(walk->layout, object->dynamic) < 0;
}

/* Whether the map has what the list has not, or the other way round. */
static bool is_contradicted(const struct walk *walk)
{
	for (size_t i = 0; i < walk->layout->n_images; i++)
		if (is_unlisted(walk, i))
			return true;
	for (size_t i = 0; i < walk->evidence->n_linked; i++)
		if (is_unmapped(walk, &walk->evidence->linked[i]))
			return true;
	return false;
}

/* Whether the file's pages of @vma are where they were in @now, a later map. */
static bool is_still_there(const struct segmap_layout *now, const struct segmap_vma *vma)
{
	int64_t index = segmap_layout_find(now, vma->start);
	const struct segmap_vma *there = index < 0 ? NULL : &now->vmas[index];

	return there && vma->ino && there->ino == vma->ino &&
	       there->dev_major == vma->dev_major && there->dev_minor == vma->dev_minor &&
	       there->off + (vma->start - there->start) == vma->off;
}

/*
 * What was unmapped since the map was read was taken from the list as well, and what was
 * mapped since is in the list only: that is no contradiction. *@ret: whether @now shows such.
 */
static struct segmap_error *compare_maps(const struct walk *walk, const struct segmap_layout *now,
					 bool *ret)
{
	const struct segmap_layout *layout = walk->layout;
	scope_free bool *there = calloc(layout->n_images + 1, sizeof(*there));

	if (!there)
		return segmap_error_no_memory();
	for (size_t i = 0; i < layout->n_vmas; i++)
		if (layout->annotations[i].image >= 0 && is_still_there(now, &layout->vmas[i]))
			there[layout->annotations[i].image] = true;
	*ret = false;
	for (size_t i = 0; i < layout->n_images && !*ret; i++)
		*ret = !there[i] && is_unlisted(walk, i);
	for (size_t i = 0; i < walk->evidence->n_linked && !*ret; i++)
		*ret = is_unmapped(walk, &walk->evidence->linked[i]) &&
		       segmap_layout_find(now, walk->evidence->linked[i].dynamic) >= 0;
	return NULL;
}

/* *@ret: whether the map, read anew, has changed in what contradicts the list. */
static struct segmap_error *has_changed(const struct walk *walk, bool *ret)
{
	scope_layout struct segmap_layout *now = NULL;
	struct segmap_error *error;
	int problem = 0;

	*ret = false;
	if (walk->evidence->maps < 0 || lseek(walk->evidence->maps, 0, SEEK_SET))
		return NULL;
	error = segmap_layout_new(&now);
	if (!error)
		error = maps_read(now, walk->evidence->maps, "maps", &problem);
	if (error && error->code != SEGMAP_ERROR_NO_MEMORY) {
		/* Its rows are of two moments. */
		segmap_error_free(error);
		*ret = true;
		return NULL;
	}
	if (error || problem)
		return error;
	return compare_maps(walk, now, ret);
}

static void forget_list(struct walk *walk)
{
	struct segmap_evidence *evidence = walk->evidence;

	for (size_t i = 0; i < evidence->n_linked; i++)
		free(evidence->linked[i].name);
	evidence->n_linked = 0;
	evidence->list = SEGMAP_LIST_NONE;
	walk->window->start = walk->window->end = 0;
}

/* One that was being changed while it was read can look broken: it is so if it is twice. */
static struct segmap_error *read_lists_twice(struct walk *walk, uint64_t addr)
{
	struct segmap_error *error = read_lists(walk, addr);

	if (error || walk->evidence->list != SEGMAP_LIST_BROKEN)
		return error;
	forget_list(walk);
	return read_lists(walk, addr);
}

/*
 * A list that is not as the map is can be of a moment: glibc maps a library before it says that
 * it is changing the list (elf/dl-load.c:_dl_map_object_from_fd). So both are read again,
 * and each time after a longer pause, for whoever loads it can have to wait for
 * a processor. What is out of order stays so; what comes and goes is elsewhere sooner or later.
 */
static struct segmap_error *confirm_list(struct walk *walk, uint64_t addr)
{
	enum { TIMES = 6, FIRST_PAUSE = 1000000 }; /* nanoseconds */
	struct segmap_evidence *evidence = walk->evidence;
	struct timespec pause = { .tv_nsec = FIRST_PAUSE };
	struct segmap_error *error = NULL;

	for (int i = 0; i < TIMES && !error && evidence->list == SEGMAP_LIST_READ &&
			is_contradicted(walk);
	     i++) {
		bool changed;

		nanosleep(&pause, NULL);
		pause.tv_nsec *= 2;
		error = has_changed(walk, &changed);
		if (error || changed) {
			evidence->list = SEGMAP_LIST_CHANGING;
			break;
		}
		forget_list(walk);
		error = read_lists_twice(walk, addr);
	}
	return error;
}

struct segmap_error *link_map_read(struct segmap_layout *layout, struct page_window *window)
{
	struct segmap_evidence *evidence = layout->evidence;
	struct walk walk = { .layout = layout, .evidence = evidence, .window = window };
	struct segmap_error *error = NULL;
	uint64_t addr;

	/* Mostly the program's own; of `ld.so PROGRAM` the one that ld.so has loaded. */
	for (size_t i = 0; i < layout->n_images && !error; i++) {
		if (!find_debug(&walk, i, &addr))
			continue;
		if (!addr) {
			/* A static program has the entry and nobody who fills it in. */
			if (layout->images[i].role == SEGMAP_ROLE_PROGRAM &&
			    layout->images[i].elf->interp)
				evidence->list = SEGMAP_LIST_NOT_YET;
			continue;
		}
		error = read_lists_twice(&walk, addr);
		if (!error)
			error = confirm_list(&walk, addr);
		break;
	}
	if (!error && evidence->list == SEGMAP_LIST_CHANGING)
		error = segmap_layout_note(layout,
					   "the dynamic linker is loading or unloading just "
					   "now: its list was not compared");
	return error;
}
