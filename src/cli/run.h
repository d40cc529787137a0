/* src/cli/run.h - segmap --run: a program at defined moments of its life. */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "cli/options.h"

/*
 * Become the program. Returns, with an exit status, only in the process that traces
 * it; in the other one if there can be none. @pipe_handler: what was to become of
 * SIGPIPE when segmap was called, which the program inherits.
 */
int run_program(struct options *options, void (*pipe_handler)(int));

#endif
