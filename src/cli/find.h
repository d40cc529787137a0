/* src/cli/find.h - the program that a word of the command line names. */
#ifndef CLI_FIND_H
#define CLI_FIND_H

#include <segmap/error.h>
#include <segmap/world.h>

/*
 * Where @name is: itself where it has a slash; else the first file in PATH that execvp()
 * would take; else the file in the working directory, then *@from_here is true. No file is
 * opened. The caller frees *@ret.
 *
 * Errors: there is no such file.
 */
SEGMAP_MUST_CHECK struct segmap_error *find_program(const struct segmap_world *world,
						    const char *name, char **ret, bool *from_here);

#endif
