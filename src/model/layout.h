/* src/model/layout.h - small questions about layouts. */
#ifndef MODEL_LAYOUT_H
#define MODEL_LAYOUT_H

#include <segmap/layout.h>

/* Whether something of the file is mapped executable. */
bool backing_has_code(const struct segmap_layout *layout, const struct segmap_backing *backing);

/* A copy of @name that lives as long as @layout; NULL if there is no memory. */
const char *layout_keep_name(struct segmap_layout *layout, const char *name);

#endif
