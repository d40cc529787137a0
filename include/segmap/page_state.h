/* include/segmap/page_state.h - what is behind single pages of a process. */
#ifndef SEGMAP_PAGE_STATE_H
#define SEGMAP_PAGE_STATE_H

#include <segmap/at.h>

/*
 * The page that holds @addr, of a process that was opened with SEGMAP_WANT_STATES or by
 * segmap_process_open_at(); else, and where it may not be read, it is unknown.
 */
SEGMAP_API enum segmap_page_state segmap_page_state_at(const struct segmap_layout *layout,
						       uint64_t addr);

#endif
