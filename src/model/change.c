/* src/model/change.c - what differs between two maps. */
#include <segmap/compare.h>
#include <stdlib.h>

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

void segmap_comparison_free(struct segmap_comparison *comparison)
{
	if (!comparison)
		return;
	for (size_t i = 0; i < comparison->n_changes; i++) {
		free(comparison->changes[i].image);
		free(comparison->changes[i].a);
		free(comparison->changes[i].b);
		free(comparison->changes[i].why);
	}
	for (size_t i = 0; i < comparison->n_notes; i++)
		free(comparison->notes[i]);
	free(comparison->unreached);
	free(comparison->changes);
	free(comparison->notes);
	free(comparison);
}
