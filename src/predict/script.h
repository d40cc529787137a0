/* src/predict/script.h - a program whose first line names another. */
#ifndef PREDICT_SCRIPT_H
#define PREDICT_SCRIPT_H

#include <segmap/layout.h>
#include <segmap/world.h>

enum { SCRIPT_LINE = 256, SCRIPT_DEPTH = 5 };

/* What was followed; zero-initialize. */
struct script {
	unsigned int depth;	   /* how many #! lines; 0: the file is no script */
	char path[SCRIPT_LINE];	   /* what the last of them names; "" if there is none, or it names
				      nothing */
	char argument[SCRIPT_LINE]; /* of the last #! line; "" if there is none */
};

/*
 * Open @path as execve(2) would, and what its #! line names instead, and so on
 * (fs/binfmt_script.c:load_script: 256 bytes of a line, one argument; fs/exec.c:
 * exec_binprm: five interpreters at most, then ELOOP). Returns an errno value.
 * @as_library: it need not be executable.
 */
int script_follow(const struct segmap_world *world, const char *path, bool as_library,
		  struct segmap_world_file *ret, struct script *script);

/* Say in a note what was followed. */
SEGMAP_MUST_CHECK struct segmap_error *script_note(const struct script *script,
						   struct segmap_layout *layout);

#endif
