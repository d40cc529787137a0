/* src/cli/apart.h - a process beside this one: what one of them must not do, the other does. */
#ifndef CLI_APART_H
#define CLI_APART_H

#include <segmap/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct apart {
	pid_t pid;   /* of the new process; 0 in itself */
	int channel; /* to the other one */
};

/*
 * Make a copy of this process: it returns in both. What is open is open in both, and
 * nothing may wait to be written. Errors, about @name: no process can be made.
 */
SEGMAP_MUST_CHECK struct segmap_error *apart_begin(const char *name, struct apart *ret);

/*
 * A descriptor for the same that is in no standard stream's place, where that is closed: else what
 * is written to the stream, or put in its place, comes there. @fd is closed if it is another.
 * -1 with errno, and for -1.
 */
int above_streams(int fd);

/* Tell the other process, or wait for what it tells; false: it has ended. */
bool apart_tell(const struct apart *apart, const void *what, size_t size);
bool apart_hear(const struct apart *apart, void *ret, size_t size);

/* In the first process: there is nothing more to tell; wait for the other one's end. */
void apart_end(const struct apart *apart);

#endif
