/* src/cli/verify.h - segmap --explain --verify: predictions against a run. */
#ifndef CLI_VERIFY_H
#define CLI_VERIFY_H

#include "cli/apart.h"
#include "cli/options.h"
#include <segmap/compare.h>
#include <segmap/world.h>

/*
 * Have @runner, a process that is in verify_serve(), run the program at @path, which
 * @layouts[0..n) predict, each at another moment of it, and give each its comparison
 * with what is there. Then the program is killed. What a reader should know of the
 * run becomes notes of the layouts.
 *
 * Errors: it cannot be run or traced, or its map cannot be read.
 */
SEGMAP_MUST_CHECK struct segmap_error *verify(const struct apart *runner, const char *path,
					      struct segmap_files *files,
					      struct segmap_layout *const *layouts, size_t n);

/* Nothing more is to be run: lets verify_serve() return. */
void verify_end(const struct apart *runner);

/*
 * Run what the process @apart asks for, in one that parses nothing: of @world no file is
 * opened. False if that process has ended without verify_end().
 */
bool verify_serve(const struct options *options, const struct segmap_world *world,
		  const struct apart *apart);

/* Where the form has no room for it: differences, and what was not verified, on standard error. */
void report_verdict(const struct options *options, const struct segmap_layout *layout);

#endif
