/* src/read/smaps.c - the lines of smaps under each line of maps. */
#include "read/smaps.h"
#include "base/scope.h"
#include "model/memory.h"
#include <ctype.h>
#include <string.h>

/*
 * Every VMA has the same fields in the same order, 25 of them: a line is first
 * compared with the field that follows the one before it. Which fields there
 * are is found out here, so that a newer kernel's are passed through.
 */

/* The decimal number at @at, with blanks before it and perhaps " kB" behind it. */
static bool parse_value(const char *at, uint64_t *ret, bool *bytes)
{
	uint64_t value = 0;
	const char *start;

	while (*at == ' ')
		at++;
	for (start = at; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
			return false;
	*bytes = strcmp(at, " kB") == 0;
	if (at == start || (*at && !*bytes) ||
	    (*bytes && __builtin_mul_overflow(value, 1024, &value)) || value == SEGMAP_NO_FIGURE)
		return false;
	*ret = value;
	return true;
}

/* As parse_flags(), if it is what one of the VMAs before has. */
static bool recall_flags(struct segmap_memory *memory, const char *text, size_t vma)
{
	for (size_t i = 0; i < 2; i++) {
		if (!memory->last_flags[i][0] || strcmp(memory->last_flags[i], text) != 0)
			continue;
		memory->vm_flags[vma] = memory->last_bits[i];
		return true;
	}
	return false;
}

static void remember_flags(struct segmap_memory *memory, const char *text, uint64_t flags)
{
	char *last = memory->last_flags[memory->oldest_flags];

	if (strlen(text) >= sizeof(memory->last_flags[0]))
		return;
	memcpy(last, text, strlen(text) + 1);
	memory->last_bits[memory->oldest_flags] = flags;
	memory->oldest_flags ^= 1;
}

/* "rd ex mr mw": two letters each. */
static bool parse_flags(struct segmap_memory *memory, const char *at, size_t vma)
{
	const char *text = at;
	uint64_t flags = 0;
	int bit = -1;

	if (recall_flags(memory, text, vma))
		return true;

	for (;;) {
		while (*at == ' ')
			at++;
		if (!at[0])
			break;
		if (!isgraph((unsigned char)at[0]) || !isgraph((unsigned char)at[1]) ||
		    (at[2] && at[2] != ' '))
			return false;
		bit = memory_flag_bit(memory, at, bit);
		if (bit < 0)
			return false;
		flags |= UINT64_C(1) << bit;
		at += 2;
	}
	memory->vm_flags[vma] = flags;
	remember_flags(memory, text, flags);
	return true;
}

static bool make_room_for_flags(struct segmap_memory *memory, size_t vma)
{
	while (memory->n_vm_flags <= vma) {
		if (!grow(&memory->vm_flags, &memory->cap_vm_flags, memory->n_vm_flags,
			  sizeof(*memory->vm_flags)))
			return false;
		memory->vm_flags[memory->n_vm_flags++] = 0;
	}
	return true;
}

/* Fields are printed so: name, colon and blanks up to here, then this many columns of number. */
enum { NUMBER_AT = 16, NUMBER_WIDTH = 8 };

/*
 * The number right-aligned in the eight bytes at @at; false where they are
 * anything but blanks and then digits.
 */
static inline bool parse_eight(const char *at, uint64_t *ret)
{
	uint64_t value = 0;
	size_t i = 0;

	if (memcmp(at, "       0", NUMBER_WIDTH) == 0) { /* nearly always */
		*ret = 0;
		return true;
	}
	while (i < NUMBER_WIDTH - 1 && at[i] == ' ')
		i++;
	for (; i < NUMBER_WIDTH; i++) {
		unsigned int figure = (unsigned char)at[i] - (unsigned int)'0';

		if (figure > 9)
			return false;
		value = value * 10 + figure;
	}
	*ret = value;
	return true;
}

size_t smaps_skim_fields(struct segmap_layout *layout, const char *text, const char *end)
{
	struct segmap_memory *memory = layout->memory;
	size_t vma = layout->n_vmas - 1;
	const char *at = text;
	uint64_t *row;

	/* The first two VMAs settle which fields there are. */
	if (!memory || layout->n_vmas < 3 || !memory->stride)
		return 0;
	if (vma >= memory->n_rows) {
		if (!memory_reach(memory, vma))
			return 0; /* the slow way will say so */
		memory->next = 0;
	}
	row = &memory->values[vma * memory->stride];
	while (memory->next < memory->n_figures) {
		const struct segmap_figure *figure = &memory->figures[memory->next];
		const char *behind = at + NUMBER_AT + NUMBER_WIDTH;
		size_t size = NUMBER_AT + NUMBER_WIDTH + (figure->bytes ? 4 : 1);
		uint64_t value;

		if ((size_t)(end - at) < size || memcmp(at, figure->head, NUMBER_AT) != 0 ||
		    (figure->bytes ? memcmp(behind, " kB\n", 4) != 0 : *behind != '\n') ||
		    !parse_eight(at + NUMBER_AT, &value))
			break;
		row[memory->next++] = figure->bytes ? value * 1024 : value;
		layout->n_lines++;
		at += size;
	}
	return (size_t)(at - text);
}

/* The length of the name that a colon ends; 0 if there is none. */
static size_t name_size(const char *line)
{
	const char *at = line;

	while (isalnum((unsigned char)*at) || *at == '_')
		at++;
	return *at == ':' ? (size_t)(at - line) : 0;
}

struct segmap_error *smaps_parse_field(struct segmap_layout *layout, const char *line,
				       const char *end)
{
	struct segmap_memory *memory = layout->memory;
	const struct segmap_figure *expected;
	size_t vma = layout->n_vmas - 1, size;
	int32_t figure = -1;
	bool bytes, failed;
	uint64_t value;

	if (!layout->n_vmas)
		return segmap_error_new(SEGMAP_ERROR_FORMAT, "", "no address range precedes it");
	if (!memory && !(memory = layout->memory = memory_new()))
		return segmap_error_no_memory();
	if (vma >= memory->n_rows) { /* the VMA's first field */
		memory->next = 0;
		/* All fields are known now: the first row is where it was. */
		if (vma == 1 && memory->n_figures)
			memory->stride = memory->n_figures;
		if (memory->stride && !memory_reach(memory, vma))
			return segmap_error_no_memory();
	}
	expected = &memory->figures[memory->next];
	if (memory->next < memory->n_figures && (size_t)(end - line) > expected->size &&
	    line[expected->size] == ':' && memcmp(line, expected->name, expected->size) == 0) {
		figure = (int32_t)memory->next;
		size = expected->size;
	} else {
		size = name_size(line);
		if (!size)
			return segmap_error_new(SEGMAP_ERROR_FORMAT, "",
						"it does not begin with an address range");
		if (size == strlen("VmFlags") && memcmp(line, "VmFlags", size) == 0) {
			if (!make_room_for_flags(memory, vma))
				return segmap_error_no_memory();
			if (!parse_flags(memory, line + size + 1, vma))
				memory->left_out = true;
			return NULL;
		}
	}
	if (!parse_value(line + size + 1, &value, &bytes)) {
		memory->left_out = true;
		return NULL;
	}
	if (figure < 0) {
		figure = memory_find_or_add(memory, line, size, bytes, &failed);
		if (failed || (figure >= 0 && !memory_reach(memory, vma)))
			return segmap_error_no_memory();
		if (figure < 0) {
			memory->left_out = true;
			return NULL;
		}
	}
	memory->values[vma * memory->stride + (size_t)figure] = value;
	memory->next = (size_t)figure + 1;
	return NULL;
}

struct segmap_error *smaps_finish(struct segmap_layout *layout)
{
	struct segmap_memory *memory = layout->memory;

	if (!memory || !layout->n_vmas)
		return NULL;
	if ((memory->stride && !memory_reach(memory, layout->n_vmas - 1)) ||
	    (memory->n_vm_flags && !make_room_for_flags(memory, layout->n_vmas - 1)))
		return segmap_error_no_memory();
	return memory->left_out ?
		       segmap_layout_note(layout, "smaps has fields that this version cannot "
						  "read: they are left out") :
		       NULL;
}
