/* src/read/sysroot.h - files found by their paths below a directory. */
#ifndef READ_SYSROOT_H
#define READ_SYSROOT_H

#include "read/ladder.h"
#include <segmap/saved.h>

struct sysroot {
	struct ladder ladder; /* of which only the root is there */
	char *name;	      /* the directory, for messages; "" if none was named; owned */
};

/* Open the directory @elsewhere names. The error is about the directory. */
SEGMAP_MUST_CHECK struct segmap_error *sysroot_open(const struct segmap_elsewhere *elsewhere,
						    struct sysroot *ret);
void sysroot_close(struct sysroot *sysroot);

/*
 * An O_PATH descriptor of what has @backing's path below the directory, and its
 * fstat; -1 if nothing has. The path is tried as it stands, then with its
 * newlines decoded. The kernel's " (deleted)" is taken off it where no file has
 * that name; *@deleted then becomes true.
 */
int sysroot_find(struct sysroot *sysroot, struct segmap_backing *backing, struct stat *stat,
		 bool *deleted);

#endif
