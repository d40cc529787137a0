/* include/segmap/process.h - reading a live process. */
#ifndef SEGMAP_PROCESS_H
#define SEGMAP_PROCESS_H

#include <segmap/layout.h>

/*
 * Step one: read the map of @pid and open and check every file behind it.
 * Nothing of an ELF file is interpreted yet, so that a program can give up its
 * privileges between the two steps.
 *
 * Everything is reached through one descriptor of /proc/PID, so the answer is
 * never a mixture of two processes. @files must outlive @ret.
 *
 * Errors: SEGMAP_ERROR_NO_PROCESS, SEGMAP_ERROR_NO_MEMORY_MAP (a zombie or a
 * kernel thread), SEGMAP_ERROR_PERMISSION. A file that cannot be opened is no
 * error: its backing has status unreadable and the layout a note.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_process_open(int pid, struct segmap_files *files, struct segmap_layout **ret);

/*
 * The same with figures of memory, as @wanted has it (SEGMAP_WANT_… of
 * memory.h): the map is then read from smaps. Figures that the kernel does not
 * give are no error: the layout has a note.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_process_open_memory(int pid, struct segmap_files *files, unsigned int wanted,
			   struct segmap_layout **ret);

/*
 * The same, where only the @n addresses @addrs are of interest: what is there, and
 * what must be known to say what it is. Where the kernel answers for single VMAs
 * (Linux 6.11) the others are not read, and are missing from @ret; files are parsed
 * here already. Worth it for a few addresses.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_process_open_at(int pid, const uint64_t *addrs, size_t n, struct segmap_files *files,
		       struct segmap_layout **ret);

/*
 * Step two: parse the ELF objects of every file that @layout refers to and
 * that is not parsed yet.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *segmap_files_parse(struct segmap_files *files,
								     struct segmap_layout *layout);

/*
 * The processes whose name is @name, ascending: comm is compared with its first
 * 15 bytes and, where it is longer, the base name of argv[0] with all of it.
 * Segmap's own process is left out. The caller frees *@ret.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_process_find(const char *name, int **ret, size_t *n_ret);

/* All processes that can be seen, ascending, without segmap's own. The caller frees *@ret. */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *segmap_process_list(int **ret, size_t *n_ret);

#endif
