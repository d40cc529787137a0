/* src/cli/watch.h - segmap --watch: one process, as long as it lives. */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include "cli/options.h"

/* Watch the one target of @options; returns the exit status. */
int watch_process(struct options *options);

#endif
