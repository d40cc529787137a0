/* src/predict/predictor.h - one prediction being made. */
#ifndef PREDICT_PREDICTOR_H
#define PREDICT_PREDICTOR_H

#include "predict/exec.h"
#include "predict/plan.h"
#include <segmap/predict.h>
#include <stdlib.h>
#include <string.h>

enum { PROGRAM = 0, INTERPRETER = 1 };

/* In the space, the file of what is no file of an image. */
enum { STAND_IN = INT32_MAX };

/* One prediction being made. Images have the numbers of the plan's objects. */
struct predictor {
	const struct segmap_world *world;
	const struct segmap_predict_options *options;
	enum segmap_moment moment;
	bool is_library, foreign;
	bool not_executable; /* execve will refuse it for that: EACCES */
	struct plan plan;
	struct space space;
	struct load *loads; /* one for each object */
	bool *loaded;	    /* likewise: it stays mapped */
	struct exec_result exec;
	uint64_t stack_start; /* in the model; 0: there is no room for it */
	bool stack_is_cut;    /* by RLIMIT_STACK: it has no room for longer arguments */
	uint64_t areas_start; /* of the kernel's own pages; 0: there are none */
	struct fate fate; /* of the whole */
	int32_t fate_object;
	enum segmap_actor fate_actor;
	struct segmap_layout *layout;
};

static inline const struct segmap_elf *elf_of(const struct predictor *predictor,
						    size_t object)
{
	return predictor->plan.objects[object].file.elf;
}

static inline bool is_musl(const struct predictor *predictor)
{
	return predictor->plan.libc == PLAN_LIBC_MUSL;
}

static inline size_t first_library(const struct predictor *predictor)
{
	return predictor->is_library ? 0 : predictor->plan.has_interpreter ? 2 : 1;
}

/* A program for another machine, whose interpreter would be on that machine. */
static inline bool lacks_foreign_interpreter(const struct predictor *predictor)
{
	return predictor->foreign && !predictor->is_library &&
	       elf_of(predictor, PROGRAM)->interp && !predictor->plan.has_interpreter;
}

/* The program runs with a personality without randomization, unless the kernel takes it back. */
static inline bool is_told_to_be_still(const struct predictor *predictor)
{
	return predictor->options->no_aslr || predictor->world->not_randomized;
}

/* The kernel randomizes, and lets no personality keep it from that (fs/exec.c:begin_new_exec). */
static inline bool is_always_random(const struct predictor *predictor)
{
	return predictor->world->randomizes &&
	       predictor->plan.objects[PROGRAM].file.clears_personality;
}

/* Whether the kernel puts everything where it always does. */
static inline bool is_still(const struct predictor *predictor)
{
	return !predictor->foreign && !predictor->world->other_layout &&
	       !is_always_random(predictor) &&
	       (is_told_to_be_still(predictor) || !predictor->world->randomizes);
}

static inline bool is_fixed(const struct segmap_area *area)
{
	return area->start != 0;
}

/* Which objects are part of the answer: at exec no library is. */
static inline size_t n_shown(const struct predictor *predictor)
{
	if (predictor->moment == SEGMAP_MOMENT_EXEC)
		return first_library(predictor);
	return predictor->plan.n_objects;
}

static inline bool copy_string(char **ret, const char *string)
{
	*ret = string ? strdup(string) : NULL;
	return *ret || !string;
}

/*
 * Replay, on the predictor's space, what the plan's files make the kernel and the
 * dynamic linker do until the moment. Sets loads, loaded, exec and fate.
 */
SEGMAP_MUST_CHECK struct segmap_error *replay(struct predictor *predictor, int interp_errnum);

/* Fill in the layout's images, VMAs and calls from what was replayed. False: no memory. */
bool forecast(struct predictor *predictor);

#endif
