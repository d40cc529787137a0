/* src/read/backing.h - finding and opening the file behind a VMA. */
#ifndef READ_BACKING_H
#define READ_BACKING_H

#include <segmap/layout.h>

/*
 * Open the files behind @layout's VMAs, as seen from the process whose
 * /proc/PID is open as @process_dir. Nothing is opened for reading before
 * fstat has shown that it is a regular file and the right one.
 */
SEGMAP_MUST_CHECK struct segmap_error *backings_open(struct segmap_layout *layout, int process_dir,
						     struct segmap_files *files);

#define PATH_DELETED_MARK " (deleted)" /* of the kernel, behind the name of an unlinked file */

/* Whether @name ends in the kernel's mark. */
bool path_is_marked(const char *name);

/*
 * @name with its newlines: maps shows one as \012 (fs/proc/task_mmu.c gives
 * seq_path "\n" to escape). The caller frees it; NULL if there is no memory.
 */
char *path_decode(const char *name);

/* Names that stand for memory, with an inode of the kernel's own and never a path. */
bool backing_is_memory_object(const struct segmap_layout *layout,
			      const struct segmap_backing *backing);

#endif
