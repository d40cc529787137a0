/* src/cli/sandbox.h - giving up what the rest of a run does not need (SECURITY.md). */
#ifndef CLI_SANDBOX_H
#define CLI_SANDBOX_H

#include <stdbool.h>
#include <stdio.h>

/* What is still to be done. */
enum sandbox {
	SANDBOX_OPENED,	   /* everything is open: it is read, and what comes of it written */
	SANDBOX_BELOW,	   /* files below one directory are opened for reading */
	SANDBOX_PROGRAMS,  /* the same, and it is asked whether they may be executed */
	SANDBOX_PROCESSES, /* other processes are opened for reading, with their files */
	SANDBOX_WATCHED,   /* the same, again and again, on a terminal with keys */
};

/*
 * From here on this process, which has one thread, can do no more than @what says, and
 * neither can what it forks. @directory is SANDBOX_BELOW's and SANDBOX_PROGRAMS's.
 * A system call that is not part of it ends the process with a message and status 1.
 * It can be entered again: what both allow is then allowed.
 *
 * The kernel may offer less than all of this, or nothing: then it is that.
 */
void sandbox_enter(enum sandbox what, const char *directory);

/* One line: what this build has, and this kernel offers. */
void sandbox_describe(FILE *file);

#endif
