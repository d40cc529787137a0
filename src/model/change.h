/* src/model/change.h - taking down what differs between two maps. */
#ifndef MODEL_CHANGE_H
#define MODEL_CHANGE_H

#include <segmap/compare.h>

/* Take @change with all its texts; false if there is no memory. */
bool comparison_add(struct segmap_comparison *comparison, struct segmap_change change);

/* Take @note; false if it is NULL or there is no memory. */
bool comparison_note(struct segmap_comparison *comparison, char *note);

/* A stretch of one map, in whatever addresses are compared. */
struct stretch {
	uint64_t start, end; /* [start, end) */
	uint64_t off;	     /* into the file, of start; 0 if anonymous */
	int prot, unknown_prot; /* as a VMA's */
	bool shared;
	bool is_file;
};

/* "0x1000-0x2000 rw-p offset 0x1000", or anonymous; NULL if there is no memory. */
char *stretch_describe(const struct stretch *stretch);

#endif
