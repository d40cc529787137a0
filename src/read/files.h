/* src/read/files.h - the files of a run: opened once, parsed once. */
#ifndef READ_FILES_H
#define READ_FILES_H

#include "read/bytes.h"
#include <segmap/layout.h>
#include <sys/stat.h>

/*
 * The file that @stat describes, which @path_fd, an O_PATH descriptor, names:
 * the one there is already, or a new one, then opened for reading if it is a
 * regular file. An error of opening it is in its error.
 */
SEGMAP_MUST_CHECK struct segmap_error *files_open(struct segmap_files *files, int path_fd,
						  const struct stat *stat, const char *name,
						  struct segmap_file **ret);

/*
 * A descriptor that reads the regular file with @stat, which @path_fd, an O_PATH descriptor,
 * names; -1 and errno if it cannot be opened, EAGAIN if that would break a lease. Its time of the
 * last access stays, where the kernel allows that.
 */
int files_open_for_reading(struct segmap_files *files, int path_fd, const struct stat *stat);

/* Why files_open() could not open @file for reading, as an errno value; 0 if it could. */
int files_open_errno(const struct segmap_file *file);

/* Parse the ELF object that @file begins with, unless that was done; errors about @name. */
SEGMAP_MUST_CHECK struct segmap_error *files_parse_start(struct segmap_files *files,
							 struct segmap_file *file,
							 const char *name);

/*
 * Parse the vdso that is the @size bytes at @memory. One that cannot be parsed
 * is only a VMA without sections: *@ret is then NULL, and there is no error.
 */
SEGMAP_MUST_CHECK struct segmap_error *files_parse_vdso(struct segmap_files *files,
							const void *memory, uint64_t size,
							struct segmap_elf **ret);

/* Bytes of a page that ELF objects are parsed for. */
uint64_t files_page_size(const struct segmap_files *files);

/* Whether segmap_files_let_go() has closed @file; opening it again takes files_open(). */
bool files_is_let_go(const struct segmap_file *file);

/* A process's view of paths: what of it is a file's is the same for all with this view. */
struct view {
	uint64_t root_dev, root_ino, mounts; /* 0, 0, 0: unknown */
};

/*
 * The file with device and inode of maps that was found at @backing's path for
 * an earlier process with this @view: fills in file and opened. False where none
 * was, or the run does not want that (SEGMAP_WANT_KNOWN_PATHS).
 */
bool files_recall(const struct segmap_files *files, const struct view *view,
		  struct segmap_backing *backing);

/* Remember it for the next. False if there is no memory. */
bool files_remember(struct segmap_files *files, const struct view *view,
		    const struct segmap_backing *backing);

bool files_want_known_paths(const struct segmap_files *files);

/* A file of which only what a process has of it in memory can be read; takes @memory. */
SEGMAP_MUST_CHECK struct segmap_error *files_add_memory(struct segmap_files *files,
							struct file_memory *memory,
							struct segmap_file **ret);

#endif
