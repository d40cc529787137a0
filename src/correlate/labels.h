/* src/correlate/labels.h - what is known of a VMA beyond its name. */
#ifndef CORRELATE_LABELS_H
#define CORRELATE_LABELS_H

#include <segmap/layout.h>

/*
 * Name the stacks of threads, by where their stack pointers are, and the guard
 * below each. Their VMAs stay of kind anon: of a thread that is running just then
 * it is not known where it stands. False if there is no memory.
 */
bool label_threads(struct segmap_layout *layout);

/* Whether VMA @vma is the main thread's stack, or is known to be or to hold another's. */
bool is_stack(const struct segmap_layout *layout, size_t vma);

#endif
