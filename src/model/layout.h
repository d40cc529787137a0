/* src/model/layout.h - small questions about layouts. */
#ifndef MODEL_LAYOUT_H
#define MODEL_LAYOUT_H

#include <segmap/layout.h>

/* Whether something of the file is mapped executable. */
bool backing_has_code(const struct segmap_layout *layout, const struct segmap_backing *backing);

#endif
