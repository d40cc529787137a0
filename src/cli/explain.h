/* src/cli/explain.h - segmap --explain: the maps of programs before they run. */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "cli/options.h"

/* Explain every target. Prints errors; returns the exit status. */
int explain(struct options *options);

#endif
