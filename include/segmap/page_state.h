/* include/segmap/page_state.h - what is behind single pages of a process. */
#ifndef SEGMAP_PAGE_STATE_H
#define SEGMAP_PAGE_STATE_H

#include <segmap/at.h>

/* Opened before the process is read, so that it is the same one. NULL if they cannot be seen. */
SEGMAP_API struct segmap_page_states *segmap_page_states_open(int pid);
SEGMAP_API void segmap_page_states_close(struct segmap_page_states *pages);

/* The page that holds @addr. */
SEGMAP_API enum segmap_page_state segmap_page_state_at(struct segmap_page_states *pages, uint64_t addr);

#endif
