/* src/correlate/labels.h - what is known of a VMA beyond its name. */
#ifndef CORRELATE_LABELS_H
#define CORRELATE_LABELS_H

#include <segmap/layout.h>

/*
 * Name the stacks of threads, by where their stack pointers are, and the guard
 * below each. A VMA that is one becomes of kind stack, as on Linux before 4.5,
 * which named it [stack:TID]. False if there is no memory.
 */
bool label_threads(struct segmap_layout *layout);

#endif
