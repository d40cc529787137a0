/* src/cli/diff.h - segmap --diff: two maps side by side. */
#ifndef CLI_DIFF_H
#define CLI_DIFF_H

#include "cli/options.h"

/* Compare the two targets of @options and show what differs; returns the exit status. */
int show_diff(struct options *options);

#endif
