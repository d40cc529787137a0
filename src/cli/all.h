/* src/cli/all.h - every process that can be read. */
#ifndef CLI_ALL_H
#define CLI_ALL_H

#include "cli/options.h"

/* Do what --all asks for. Returns the exit status. */
int show_all(struct options *options);

#endif
