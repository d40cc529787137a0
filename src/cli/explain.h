/* src/cli/explain.h - segmap --explain: the maps of programs before they run. */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "cli/options.h"
#include <segmap/world.h>

/* Explain every target. Prints errors; returns the exit status. */
int explain(struct options *options);

/* A prediction with what it borrows from. */
struct foreseen {
	struct segmap_files *files;
	struct segmap_world *world;
	struct segmap_layout *layout; /* correlated */
};

/* What has to be asked of this process before it is confined; @ret has no layout yet. */
SEGMAP_MUST_CHECK struct segmap_error *foresee_begin(const struct options *options,
						     struct foreseen *ret);

/* Predict the map of the program or library @name at the first of the moments in @options. */
SEGMAP_MUST_CHECK struct segmap_error *foresee(struct options *options, const char *name,
					       struct foreseen *foreseen);
void foreseen_free(struct foreseen *foreseen);

#endif
