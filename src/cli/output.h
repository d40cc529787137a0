/* src/cli/output.h - where the output goes: standard output, or a file that is replaced whole. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "cli/apart.h"
#include <segmap/error.h>
#include <stdbool.h>
#include <stdio.h>

struct output {
	FILE *file;
	const char *name; /* for errors */
	char *target;	  /* the file to replace, links followed; NULL: written through */
	int problem;	  /* errno of the write that failed; 0: none has */
	bool outlives_reader; /* a closed pipe does not end this process, only its output */
	bool has_delegate;
	struct apart delegate; /* the process that replaces the file, if it has one */
};

/*
 * Begin writing to @path, or to standard output if it is NULL. A regular or
 * absent file is not touched before output_commit().
 */
SEGMAP_MUST_CHECK struct segmap_error *output_open(const char *path, struct output *ret);

/*
 * Make a process that will put the file in its place when output_commit() asks for it:
 * for one that is about to give up the right to. It ends with this one, without having
 * done anything, if it is not asked. Nothing is made where there is no file to replace,
 * or where it is made already.
 */
SEGMAP_MUST_CHECK struct segmap_error *output_delegate(struct output *output);

/*
 * Whether writing has failed. To be asked after each piece of work, while errno still says why.
 * A pipe that nobody reads any more ends the process, as SIGPIPE would have.
 */
bool output_failed(struct output *output);

/*
 * End it: everything has been written, or the error says why not. With @keep
 * false nothing is put in the file's place.
 */
SEGMAP_MUST_CHECK struct segmap_error *output_commit(struct output *output, bool keep);

#endif
