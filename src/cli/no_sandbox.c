/* src/cli/no_sandbox.c - in the place of sandbox.c, in a build with a sanitizer or for coverage. */
#include "cli/sandbox.h"

/* What is built in besides has its own work at the end: to trace itself, to write files. */
void sandbox_enter(enum sandbox what, const char *directory)
{
	(void)what, (void)directory;
}

void sandbox_describe(FILE *file)
{
	fputs("sandbox: none (built with a sanitizer or for coverage)\n", file);
}
