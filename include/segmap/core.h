/* include/segmap/core.h - core dumps. */
#ifndef SEGMAP_CORE_H
#define SEGMAP_CORE_H

#include <segmap/saved.h>

/* A core dump that is open, and the directory below which its files are. */
struct segmap_core;

/*
 * Open the core dump @path. Nothing is read of it yet: from here on only the files that it
 * speaks of are opened, below @elsewhere's sysroot. @path must outlive @ret.
 *
 * Errors: SEGMAP_ERROR_SYSTEM where @path or the sysroot cannot be opened,
 * SEGMAP_ERROR_FORMAT where @path is no regular file.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_core_begin(const char *path, const struct segmap_elsewhere *elsewhere,
		  struct segmap_core **ret);
SEGMAP_API void segmap_core_free(struct segmap_core *core);

/*
 * Step one for a core dump, of the kernel or of a debugger, for any
 * machine: read its headers and notes and open the files that it speaks of. Step
 * two is segmap_files_parse(). @files must outlive @ret.
 *
 * VMAs are the union of PT_LOAD and NT_FILE: gdb leaves code and gaps out of
 * the first. Neither says whether a VMA is shared, NT_FILE says nothing of
 * permissions, and gdb's PT_LOADs do not say what can be read. A file at its path
 * is believed only if it has the build-id that is in the dump; where none is in the
 * dump, if its headers are those in the dump, with a note. The kernel dumps one page
 * of a file, and the build-id can be in another. Of several ELF objects in a file
 * that holds for each. What the dump leaves out, and what it should have and has
 * not, is in the layout's dumped and in notes.
 *
 * Errors: SEGMAP_ERROR_FORMAT where it is no core dump or too short for its own headers.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_core_read(struct segmap_core *core, struct segmap_files *files,
		 struct segmap_layout **ret);

/* Both at once. */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_core_open(const char *path, const struct segmap_elsewhere *elsewhere,
		 struct segmap_files *files, struct segmap_layout **ret);

#endif
