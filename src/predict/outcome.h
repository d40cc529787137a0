/* src/predict/outcome.h - what becomes of a program, in words. */
#ifndef PREDICT_OUTCOME_H
#define PREDICT_OUTCOME_H

#include "predict/fate.h"
#include <segmap/layout.h>
#include <segmap/world.h>

/*
 * Why @actor refuses or kills @program because of @file, which is the program
 * itself, its interpreter or a library. The errors are for memory.
 */
SEGMAP_MUST_CHECK struct segmap_error *outcome_of_fate(const struct fate *fate,
						       enum segmap_actor actor,
						       const struct segmap_world_file *file,
						       const struct segmap_elf *program,
						       struct segmap_outcome *ret);

/* @path may not be executed. */
SEGMAP_MUST_CHECK struct segmap_error *outcome_of_permission(const char *path,
							     struct segmap_outcome *ret);

/* The dynamic linker does not find @name, which @needed_by needs. */
SEGMAP_MUST_CHECK struct segmap_error *outcome_of_missing(const char *name, const char *needed_by,
							  struct segmap_outcome *ret);

/* The dynamic linker gives up for a reason that is a sentence already. */
SEGMAP_MUST_CHECK struct segmap_error *outcome_of_refusal(const char *reason,
							  struct segmap_outcome *ret);

#endif
