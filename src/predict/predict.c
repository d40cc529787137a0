/* src/predict/predict.c - from a file and a world to the map it will have. */
#include "base/scope.h"
#include "predict/outcome.h"
#include "predict/predictor.h"
#include "predict/script.h"
#include <elf.h>
#include <errno.h>

static void predictor_free(struct predictor *predictor)
{
	plan_free(&predictor->plan);
	space_free(&predictor->space);
	free(predictor->loads);
	free(predictor->loaded);
	segmap_layout_free(predictor->layout);
}

/* ld.so is the only program that is made like a library, and is taken for one. */
static bool is_program(const struct segmap_elf *elf)
{
	bool says_pie = elf->linking && (elf->linking->flags_1 & DF_1_PIE);

	return elf->type == ET_EXEC || says_pie || (elf->interp && !elf->soname);
}

static struct segmap_error *note_missing(struct predictor *predictor)
{
	struct segmap_layout *layout = predictor->layout;

	if (lacks_foreign_interpreter(predictor))
		return NULL; /* nothing was looked for */

	for (size_t i = 0; i < predictor->plan.n_missing; i++) {
		const struct plan_missing *missing = &predictor->plan.missing[i];
		struct segmap_error *error = segmap_layout_note(
			layout, "%s, %s%s: %s", missing->name,
			missing->needed_by < 0 ? "to be preloaded" : "needed by ",
			missing->needed_by < 0 ? "" :
				predictor->plan.objects[missing->needed_by].file.path,
			missing->why);

		if (error)
			return error;
	}
	return NULL;
}

static struct segmap_error *note_plan(struct predictor *predictor)
{
	struct segmap_layout *layout = predictor->layout;
	struct segmap_error *error = NULL;

	for (size_t i = 0; i < predictor->plan.n_notes && !error; i++)
		error = segmap_layout_note(layout, "%s", predictor->plan.notes[i]);
	for (size_t i = first_library(predictor); i < n_shown(predictor) && !error; i++)
		if (!predictor->loaded[i] && predictor->fate.end == FATE_GOES_ON)
			error = segmap_layout_note(
				layout, "%s: cannot be mapped as a library, so the dynamic linker "
				"says so and goes on without it",
				predictor->plan.objects[i].file.path);
	return error;
}

static bool has_open_ends(const struct segmap_layout *layout)
{
	for (size_t i = 0; i < layout->n_vmas; i++)
		if (layout->prediction->placements[i].open_end && !layout->vmas[i].name[0])
			return true;
	return false;
}

/* What cannot be known before the run. */
static struct segmap_error *note_unknowns(struct predictor *predictor)
{
	struct segmap_layout *layout = predictor->layout;
	struct segmap_error *error = NULL;
	bool linked = predictor->moment == SEGMAP_MOMENT_ENTRY && !predictor->is_library &&
		      elf_of(predictor, PROGRAM)->interp;

	if (predictor->fate.end != FATE_GOES_ON)
		return NULL;
	if (predictor->is_library && predictor->moment == SEGMAP_MOMENT_EXEC)
		return segmap_layout_note(layout, "a library is mapped by the dynamic linker: right "
						  "after execve there is nothing of it");
	if (lacks_foreign_interpreter(predictor))
		return segmap_layout_note(layout,
					  "its interpreter %s is not here: the program alone is "
					  "explained, as execve leaves it",
					  elf_of(predictor, PROGRAM)->interp);
	if (linked && predictor->plan.libc == PLAN_LIBC_UNKNOWN)
		return segmap_layout_note(layout,
					  "%s is neither glibc's nor musl's dynamic linker: what it "
					  "will do is not known, this is the map as execve leaves it",
					  elf_of(predictor, PROGRAM)->interp);
	if (linked)
		error = segmap_layout_note(
			layout, "not known before the run: two or three unnamed pages that the "
				"dynamic linker takes for itself%s",
			has_open_ends(layout) ?
				"; where they come to lie right behind a .bss (+), they are one VMA "
				"with it" :
				"");
	if (!error && linked)
		layout->prediction->unknown = layout->notes[layout->n_notes - 1];
	if (!error && linked && predictor->world->kernel_major &&
	    (predictor->world->kernel_major < 6 || (predictor->world->kernel_major == 6 &&
						    predictor->world->kernel_minor < 7)))
		error = segmap_layout_note(layout,
					   "predicted by the rules of Linux 6.7 (6.6.92, 6.1.140) and "
					   "later: before, a .bss that is not in the last PT_LOAD was "
					   "mapped otherwise");
	return error;
}

/* Missing libraries and whatever else the plan knows to be the end. */
static struct segmap_error *decide_outcome(struct predictor *predictor)
{
	struct segmap_outcome *outcome = &predictor->layout->prediction->outcome;
	const struct plan *plan = &predictor->plan;

	outcome->by = SEGMAP_ACTOR_PROGRAM;
	if (predictor->fate.end != FATE_GOES_ON && predictor->fate.end != FATE_LEFT_OUT) {
		const struct plan_object *object = &plan->objects[predictor->fate_object];

		return outcome_of_fate(&predictor->fate, predictor->fate_actor, &object->file,
				       plan->objects[PROGRAM].file.elf, outcome);
	}
	if (predictor->not_executable && !predictor->is_library)
		return outcome_of_permission(plan->objects[PROGRAM].file.path, outcome);
	/* Where another dynamic linker than those known looks, nothing says that it finds nothing. */
	if (predictor->moment != SEGMAP_MOMENT_ENTRY || predictor->foreign ||
	    plan->libc == PLAN_LIBC_UNKNOWN)
		return NULL;
	for (size_t i = 0; i < plan->n_missing; i++)
		if (plan->missing[i].needed_by >= 0)
			return outcome_of_missing(plan->missing[i].name,
						  plan->objects[plan->missing[i].needed_by].file.path,
						  outcome);
	return plan->refused ? outcome_of_refusal(plan->refused, outcome) : NULL;
}

static struct segmap_error *make_layout(struct predictor *predictor)
{
	struct segmap_error *error;

	if (!forecast(predictor))
		return segmap_error_no_memory();
	error = decide_outcome(predictor);
	if (!error)
		error = note_missing(predictor);
	if (!error)
		error = note_plan(predictor);
	return error ? error : note_unknowns(predictor);
}

static struct segmap_error *start_layout(struct predictor *predictor, const char *path)
{
	struct segmap_layout *layout;
	struct segmap_error *error = segmap_layout_new(&predictor->layout);

	if (error)
		return error;
	layout = predictor->layout;
	layout->source = SEGMAP_SOURCE_PREDICTION;
	layout->moment = predictor->moment;
	layout->page_size = predictor->world->page_size;
	layout->prediction = calloc(1, sizeof(*layout->prediction));
	if (!layout->prediction || !copy_string(&layout->target, path))
		return segmap_error_no_memory();
	layout->prediction->is_library = predictor->is_library;
	return NULL;
}

/* Why @file cannot be explained. */
static struct segmap_error *no_elf(const char *path, const struct segmap_world_file *file)
{
	const struct segmap_error *why = file->file ? file->file->error : NULL;

	return segmap_error_new(SEGMAP_ERROR_FORMAT, path, "%s",
				why ? why->why :
				      "it is neither an ELF program nor a library, nor a script "
				      "that begins with #!");
}

/*
 * The file that will be loaded. One that may not be executed is explained all
 * the same, and the outcome says that it is refused.
 */
static int open_target(struct predictor *predictor, const char *path,
		       struct segmap_world_file *file, struct script *script)
{
	bool as_library = predictor->options->as == SEGMAP_AS_LIBRARY;
	int errnum = script_follow(predictor->world, path, as_library, file, script);

	if (errnum == EACCES && !as_library && !script->depth) {
		predictor->not_executable = true;
		errnum = script_follow(predictor->world, path, true, file, script);
	}
	return errnum;
}

/* What other tools are misled by: the program, and its interpreter. */
static struct segmap_error *note_headers(const struct predictor *predictor)
{
	struct segmap_error *error = NULL;

	for (size_t i = 0; i < first_library(predictor) && i < n_shown(predictor) && !error; i++) {
		const struct segmap_elf *elf = elf_of(predictor, i);

		if (elf && elf->header_misleads)
			error = segmap_layout_note(
				predictor->layout,
				"%s: its ELF header (EI_CLASS %u, EI_DATA %u, EI_VERSION %u, e_machine "
				"%u) is not that of a %u-bit program for this machine, but the kernel "
				"takes it for one; readelf and debuggers are misled",
				predictor->plan.objects[i].file.path, elf->ident_class, elf->ident_data,
				elf->ident_version, elf->header_machine, elf->class);
	}
	return error;
}

/* What the prediction is without, or would be for another tracer. */
static struct segmap_error *note_limits(const struct predictor *predictor, const char *path,
					bool secure)
{
	const struct segmap_world *world = predictor->world;
	struct segmap_error *error = NULL;

	if (world->areas_errnum && !predictor->foreign)
		error = segmap_layout_note(predictor->layout,
					   "the kernel's own pages ([vdso] and the like) are not known, "
					   "or not all: /proc/self/maps: %s",
					   strerror(world->areas_errnum));
	if (!error && secure && predictor->options->traced)
		error = segmap_layout_note(predictor->layout,
					   "%s would have other privileges than its user (set-user-ID, "
					   "set-group-ID or capabilities): under a tracer it has not, but "
					   "the dynamic linker is as careful as if it had", path);
	if (!error && is_told_to_be_still(predictor) && is_always_random(predictor) &&
	    !predictor->is_library && !predictor->foreign)
		error = segmap_layout_note(predictor->layout,
					   "%s has set-user-ID, set-group-ID or capabilities: the kernel "
					   "randomizes it all the same", path);
	return error;
}

struct segmap_error *segmap_predict(const struct segmap_world *world, const char *path,
				    const struct segmap_predict_options *options,
				    enum segmap_moment moment, struct segmap_layout **ret)
{
	__attribute__((cleanup(predictor_free))) struct predictor predictor = {
		.world = world, .options = options, .moment = moment,
	};
	struct plan_options plan_options = { .no_deps = options->no_deps };
	struct segmap_world_file file = { 0 };
	struct script script = { 0 };
	struct segmap_error *error;
	int errnum, interp_errnum = 0;

	errnum = open_target(&predictor, path, &file, &script);
	if (errnum == EACCES)
		return segmap_error_new(SEGMAP_ERROR_PERMISSION, script.path[0] ? script.path : path,
					"it may not be read, or is no regular file");
	if (errnum)
		return segmap_error_system(errnum, script.path[0] ? script.path : path, "open");
	if (!file.elf)
		return no_elf(script.path[0] ? script.path : path, &file);
	predictor.foreign = file.elf->foreign;
	predictor.is_library = options->as == SEGMAP_AS_LIBRARY ||
			       (options->as == SEGMAP_AS_IT_IS && !is_program(file.elf));
	error = start_layout(&predictor, path);
	if (error)
		return error;
	plan_options.is_library = predictor.is_library;
	plan_options.foreign = predictor.foreign;
	error = plan_make(world, &plan_options, &file, &interp_errnum, &predictor.plan);
	if (!error)
		error = replay(&predictor, interp_errnum);
	if (!error)
		error = make_layout(&predictor);
	if (!error)
		error = note_limits(&predictor, path, file.secure);
	if (!error)
		error = note_headers(&predictor);
	if (!error)
		error = script_note(&script, predictor.layout);
	if (!error)
		*ret = return_ptr(predictor.layout);
	return error;
}
