/* include/segmap/saved.h - maps that were saved as text. */
#ifndef SEGMAP_SAVED_H
#define SEGMAP_SAVED_H

#include <segmap/layout.h>

/* Where the files are that a map or a core of another time or machine speaks of. */
struct segmap_elsewhere {
	const char *sysroot; /* directory below which paths are looked for; NULL: the root */
	uint64_t page_size;  /* bytes, a power of two; 0: what the source or its files tell */
};

/*
 * Step one for the saved text of /proc/PID/maps or smaps in the file @path ("-"
 * for standard input; a pipe will do): read it and open the files that it
 * speaks of. Step two is segmap_files_parse(). @files must outlive @ret.
 *
 * A file is taken by its path. Where some have the device and inode of the map,
 * this is the machine it was saved on: then a file with another inode has
 * replaced the mapped one and is not believed. One with another device alone is
 * taken, with a note: btrfs, and overlayfs of several file systems, show one in maps
 * and another in stat(). Otherwise nothing can be compared, and a note says so.
 * Missing files are notes.
 *
 * Errors: SEGMAP_ERROR_SYSTEM where @path or the sysroot cannot be opened,
 * SEGMAP_ERROR_FORMAT with the line's number where the text is no map.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_maps_open(const char *path, const struct segmap_elsewhere *elsewhere,
		 struct segmap_files *files, struct segmap_layout **ret);

#endif
