/* src/model/layout.h - small questions about layouts. */
#ifndef MODEL_LAYOUT_H
#define MODEL_LAYOUT_H

#include <segmap/layout.h>

static inline void scope_layout_free_(struct segmap_layout **layout)
{
	segmap_layout_free(*layout);
}

/* As the guards of base/scope.h. */
#define scope_layout __attribute__((cleanup(scope_layout_free_)))

/* Whether something of the file is mapped executable. */
bool backing_has_code(const struct segmap_layout *layout, const struct segmap_backing *backing);

/* A copy of @name that lives as long as @layout; NULL if there is no memory. */
const char *layout_keep_name(struct segmap_layout *layout, const char *name);

/* The index of the first VMA that ends behind @addr; n_vmas if there is none. */
size_t layout_first_behind(const struct segmap_layout *layout, uint64_t addr);

#endif
