/* include/segmap/compare.h - where two maps differ once it is known what they have in common. */
#ifndef SEGMAP_COMPARE_H
#define SEGMAP_COMPARE_H

#include <segmap/layout.h>
#include <segmap/run.h>

enum segmap_change_what {
	SEGMAP_CHANGE_ADDED,   /* only b has it */
	SEGMAP_CHANGE_REMOVED, /* only a has it */
	SEGMAP_CHANGE_MOVED,   /* it starts elsewhere */
	SEGMAP_CHANGE_RESIZED, /* it ends elsewhere */
	SEGMAP_CHANGE_PERMS,
	SEGMAP_CHANGE_OFFSET, /* other bytes of the file, or of none */
	SEGMAP_CHANGE_MEMORY,
	SEGMAP_CHANGE_IMAGE, /* it is another file, or has come to another end */
};

/* All texts are raw, since they can hold names of files; owned by the comparison. */
struct segmap_change {
	enum segmap_change_what what;
	char *image;	 /* path of the file that it is about; NULL if it is about none */
	int32_t segment; /* row of its program header table; -1 if unknown */
	char *a, *b;	 /* the row, or the value, on either side; NULL where there is none */
	char *why;	 /* NULL: the two speak for themselves */
};

/* What became of comparing a (a prediction) with b (the same program, as it runs). */
struct segmap_comparison {
	struct segmap_change *changes;
	size_t n_changes, cap_changes;
	char **notes; /* what differs, and is no difference, and why; raw */
	size_t n_notes, cap_notes;
	size_t n_images, n_vmas; /* of a, that have been compared */
	/* The program did not get to the moment, through no fault of the prediction: why, a
	 * phrase. Nothing has been compared. NULL: all has. */
	char *unreached;
};

/* The words of the JSON schema: "added". */
SEGMAP_API const char *segmap_change_word(enum segmap_change_what what);

/*
 * Compare @predicted, correlated, with @real: the map of the program at the
 * same moment, parsed (segmap_files_parse()) or not; NULL if it is not @stop->state
 * SEGMAP_RUN_STOPPED. Pure.
 *
 * Images are matched by device and inode, else by path. Where each is in
 * reality is taken from what the kernel says (AT_ENTRY for the program, AT_BASE
 * for the interpreter), and for a library from its own file pages. Then VMA by
 * VMA: start, end, permissions, offset, file or anonymous; also absolute addresses,
 * where those are predicted. The stack's permissions, and size and permissions of
 * vdso and vvar.
 *
 * No difference: memory that belongs to no image and to no file with code; a
 * later end where one was predicted to be open. What a constructor has opened
 * with dlopen(3) is a note: it stands in the dynamic linker's list
 * (@stop->linked) behind all that start-up has loaded, and no object needs it.
 *
 * A program that was to run, and that a constructor ends before, cannot be
 * compared. With status 127 the dynamic linker gives up (glibc elf/dl-minimal.c,
 * elf/rtld.c:_dl_fatal_printf), and a signal can be its doing: those are differences.
 *
 * The caller frees *@ret.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_compare_prediction(const struct segmap_layout *predicted, const struct segmap_layout *real,
			  const struct segmap_stop *stop, struct segmap_comparison **ret);

SEGMAP_API void segmap_comparison_free(struct segmap_comparison *comparison);

#endif
