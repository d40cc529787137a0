/* src/model/change.c - what differs between two maps. */
#include "model/change.h"
#include "base/scope.h"
#include <inttypes.h>
#include <stdio.h>

const char *segmap_change_word(enum segmap_change_what what)
{
	static const char *const words[] = {
		[SEGMAP_CHANGE_ADDED] = "added",     [SEGMAP_CHANGE_REMOVED] = "removed",
		[SEGMAP_CHANGE_MOVED] = "moved",     [SEGMAP_CHANGE_RESIZED] = "resized",
		[SEGMAP_CHANGE_PERMS] = "perms",     [SEGMAP_CHANGE_OFFSET] = "offset",
		[SEGMAP_CHANGE_MEMORY] = "memory",   [SEGMAP_CHANGE_IMAGE] = "image",
	};

	return words[what];
}

static void change_free(struct segmap_change *change)
{
	free(change->image);
	free(change->a);
	free(change->b);
	free(change->why);
}

bool comparison_add(struct segmap_comparison *comparison, struct segmap_change change)
{
	if (grow(&comparison->changes, &comparison->cap_changes, comparison->n_changes,
		 sizeof(*comparison->changes))) {
		comparison->changes[comparison->n_changes++] = change;
		return true;
	}
	change_free(&change);
	return false;
}

bool comparison_note(struct segmap_comparison *comparison, char *note)
{
	if (note && grow(&comparison->notes, &comparison->cap_notes, comparison->n_notes,
			 sizeof(*comparison->notes))) {
		comparison->notes[comparison->n_notes++] = note;
		return true;
	}
	free(note);
	return false;
}

char *stretch_describe(const struct stretch *stretch)
{
	const struct segmap_vma vma = {
		.prot = (uint8_t)stretch->prot,
		.unknown_prot = stretch->unknown_prot & SEGMAP_ALL_PROT,
		.shared = stretch->shared,
	};
	char perms[5], *text;
	int length;

	segmap_vma_perms_format(&vma, perms);
	length = stretch->is_file ?
			 asprintf(&text, "0x%" PRIx64 "-0x%" PRIx64 " %s offset 0x%" PRIx64,
				  stretch->start, stretch->end, perms, stretch->off) :
			 asprintf(&text, "0x%" PRIx64 "-0x%" PRIx64 " %s anonymous",
				  stretch->start, stretch->end, perms);
	return length < 0 ? NULL : text;
}

void segmap_comparison_free(struct segmap_comparison *comparison)
{
	if (!comparison)
		return;
	for (size_t i = 0; i < comparison->n_changes; i++)
		change_free(&comparison->changes[i]);
	for (size_t i = 0; i < comparison->n_notes; i++)
		free(comparison->notes[i]);
	free(comparison->unreached);
	free(comparison->changes);
	free(comparison->notes);
	free(comparison);
}
