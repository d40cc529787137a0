/* src/cli/target.h - the process that a word on the command line means. */
#ifndef CLI_TARGET_H
#define CLI_TARGET_H

#include <segmap/error.h>
#include <stdbool.h>

/*
 * Whether @name is a pid or /proc/PID, with or without a slash behind it; /proc/self is segmap's
 * own. *@ret becomes it, or 0 where no process can have it.
 */
bool target_pid(const char *name, int *ret);

/* The one process that @name means: a pid as above, or the name of exactly one. */
SEGMAP_MUST_CHECK struct segmap_error *target_one(const char *name, int *ret);

/* There is no process with this pid, or of this name. */
struct segmap_error *target_unknown(const char *pid);
struct segmap_error *target_unnamed(const char *name);

#endif
