/* src/cli/explain.c - segmap --explain: the maps of programs before they run. */
#include "cli/explain.h"
#include "cli/apart.h"
#include "cli/find.h"
#include "cli/output.h"
#include "cli/quiz.h"
#include "cli/show.h"
#include "cli/status.h"
#include "cli/verify.h"
#include "render/explain.h"
#include "render/verdict.h"
#include "render/words.h"
#include <errno.h>
#include <segmap/audit.h>
#include <segmap/run.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What has come of the programs so far. One process tells another: nothing pads it. */
struct tally {
	size_t n_shown, n_failed, n_refused;
	size_t n_unreached; /* programs that ended before --verify could look at them */
	size_t n_differ;    /* programs of which --verify or --audit has found something */
	size_t n_misused;   /* libraries that were to be verified */
};

/* One run of --explain. */
struct explaining {
	struct options *options;
	struct segmap_files *files;
	struct segmap_world *world;
	uint64_t page_size; /* of files and world */
	const struct apart *runner; /* with --verify: the process that runs programs */
	struct tally tally;
};

/* One program and its maps. */
struct explained {
	char *path;
	bool from_here; /* it was not in PATH: the file in the working directory */
	struct segmap_layout *layouts[2]; /* one for each moment */
};

static void explained_free(struct explained *explained)
{
	free(explained->path);
	for (size_t i = 0; i < 2; i++)
		segmap_layout_free(explained->layouts[i]);
}

static void close_world(struct explaining *explaining)
{
	segmap_world_free(explaining->world);
	segmap_files_free(explaining->files);
}

/* Files and world for pages of @page_size bytes: ELF files are rounded when they are parsed. */
static struct segmap_error *open_world(struct explaining *explaining, uint64_t page_size)
{
	struct segmap_files *files;
	struct segmap_error *error;

	if (explaining->world && explaining->page_size == page_size)
		return NULL;
	error = segmap_files_new(page_size, SEGMAP_WANT_SONAME | SEGMAP_WANT_LINKING, &files);
	if (error)
		return error;
	explaining->page_size = page_size;
	if (explaining->world)
		error = segmap_world_use(explaining->world, files);
	else
		error = segmap_world_new(files, &explaining->world);
	segmap_files_free(explaining->files);
	explaining->files = files;
	return error;
}

/* What is said of where the program was found and of the machine. */
static struct segmap_error *note_circumstances(const struct explaining *explaining,
					       const struct explained *explained,
					       struct segmap_layout *layout)
{
	/* At exec there is nothing of a library. */
	const struct segmap_elf *elf = layout->n_images ? layout->images[0].elf : NULL;
	const char *machine = elf ? segmap_machine_name(elf->machine) : NULL;
	struct segmap_error *error = NULL;

	if (explained->from_here)
		error = segmap_layout_note(layout, "%s is not in PATH: this is the file in the "
						   "working directory", explained->path);
	if (!error && elf && elf->foreign)
		error = segmap_layout_note(
			layout, "%s is for another machine (%s%s): it cannot run here; pages are taken "
				"to have %ju bytes%s", layout->target, machine ? machine : "unknown",
			elf->machine && !machine ? " to segmap" : "",
			(uintmax_t)layout->page_size,
			explaining->options->predict.page_size ? "" : ", that machine's usual size");
	return error;
}

/* The page size to explain @path with: as asked for, or this machine's, or the file's machine's. */
static struct segmap_error *choose_page_size(struct explaining *explaining, const char *path)
{
	uint64_t asked = explaining->options->predict.page_size;
	uint64_t own = (uint64_t)sysconf(_SC_PAGESIZE);
	struct segmap_world_file file;
	int errnum;

	if (asked)
		return NULL;
	errnum = explaining->world->open(explaining->world->context, path, &file);
	if (errnum == ENOMEM)
		return segmap_error_no_memory();
	if (errnum || !file.elf)
		return NULL;
	return open_world(explaining,
			  file.elf->foreign ? segmap_usual_page_size(file.elf->machine) : own);
}

static struct segmap_error *predict(struct explaining *explaining, struct explained *explained)
{
	const struct options *options = explaining->options;

	for (size_t i = 0; i < options->n_moments; i++) {
		struct segmap_error *error =
			segmap_predict(explaining->world, explained->path, &options->predict,
				       options->moments[i], &explained->layouts[i]);

		if (!error)
			error = segmap_layout_correlate(explained->layouts[i]);
		if (!error && options->audit)
			error = segmap_layout_audit(explained->layouts[i]);
		if (!error)
			error = note_circumstances(explaining, explained, explained->layouts[i]);
		if (error)
			return error;
	}
	return NULL;
}

/* The story is told once, up to the latest moment. */
static struct segmap_error *tell(const struct options *options, const struct explained *explained,
				 FILE *file)
{
	const struct segmap_layout *fullest = explained->layouts[0];

	if (options->form != FORM_TABLE || !options->style.frame || options->audit)
		return NULL;
	if (options->n_moments > 1 &&
	    explained->layouts[1]->prediction->n_calls > fullest->prediction->n_calls)
		fullest = explained->layouts[1];
	return render_explanation(fullest, &options->style, file);
}

/* Where the form has no room for it, the outcome goes to standard error. */
static void report_outcome(const struct options *options, const struct segmap_layout *layout)
{
	const struct segmap_outcome *outcome = &layout->prediction->outcome;

	if (options->form == FORM_TABLE && options->style.frame && !options->audit)
		return;
	report(segmap_error_new(SEGMAP_ERROR_FORMAT, layout->target, "%s: %s",
				words_of_outcome(outcome), outcome->reason));
}

/* Verified beside what was asked for: a table of it would only be in the way. */
static bool is_hidden(const struct options *options, const struct segmap_layout *layout)
{
	return options->all_moments && options->form != FORM_JSON &&
	       layout->moment != SEGMAP_MOMENT_ENTRY;
}

static bool has_findings(const struct options *options, const struct explained *explained)
{
	for (size_t i = 0; i < options->n_moments; i++)
		if (explained->layouts[i]->audit && explained->layouts[i]->audit->n_serious)
			return true;
	return false;
}

static struct segmap_error *show_explained(struct explaining *explaining,
					   const struct explained *explained, struct output *output)
{
	struct options *options = explaining->options;
	struct segmap_error *error = tell(options, explained, output->file);
	bool refused = false, any = false;

	for (size_t i = 0; i < options->n_moments && !error; i++) {
		const struct segmap_layout *layout = explained->layouts[i];

		if (layout->prediction->outcome.reason && !refused)
			report_outcome(options, layout);
		refused |= layout->prediction->outcome.reason != NULL;
		report_verdict(options, layout);
		if (is_hidden(options, layout))
			continue;
		if (any && options->form == FORM_TABLE && options->style.frame)
			fputc('\n', output->file);
		error = show_layout(options, layout, output->file);
		if (error)
			break;
		report_notes(options, layout);
		if (options->form == FORM_RAW)
			options->style.heading = false;
		any = true;
	}
	for (size_t i = 0; i < options->n_moments && !error; i++)
		if (options->form == FORM_TABLE && options->style.frame)
			error = render_verdict(explained->layouts[i], &options->style, output->file);
	explaining->tally.n_refused += refused && !error;
	explaining->tally.n_differ += !error && has_findings(options, explained);
	return error;
}

/* Run it, and see whether all is as predicted. */
static struct segmap_error *verify_explained(struct explaining *explaining,
					     const struct explained *explained)
{
	const struct options *options = explaining->options;
	const struct segmap_layout *first = explained->layouts[0];
	bool differs = false, unreached = false;
	struct segmap_error *error;

	if (first->prediction->is_library) {
		explaining->tally.n_misused++;
		return segmap_error_new(SEGMAP_ERROR_FORMAT, first->target,
					"--verify: a library cannot be run");
	}
	if (first->n_images && first->images[0].elf->foreign)
		return segmap_error_new(SEGMAP_ERROR_FORMAT, first->target,
					"--verify: it is for another machine");
	error = verify(explaining->runner, explained->path, explaining->files,
		       explained->layouts, options->n_moments);
	for (size_t i = 0; i < options->n_moments && !error; i++) {
		differs |= explained->layouts[i]->comparison->n_changes > 0;
		unreached |= explained->layouts[i]->comparison->unreached != NULL;
	}
	explaining->tally.n_differ += differs;
	explaining->tally.n_unreached += unreached;
	return error;
}

static struct segmap_error *explain_one(struct explaining *explaining, const char *name,
					struct output *output)
{
	__attribute__((cleanup(explained_free))) struct explained explained = { 0 };
	struct segmap_error *error = find_program(explaining->world, name, &explained.path,
						  &explained.from_here);

	if (!error)
		error = choose_page_size(explaining, explained.path);
	if (!error)
		error = predict(explaining, &explained);
	if (!error && explaining->options->verify)
		error = verify_explained(explaining, &explained);
	if (error)
		return error;
	if (explaining->options->quiz)
		return hold_quiz(explaining->options, explained.layouts[0], explained.layouts[1],
				 output);
	if (explaining->tally.n_shown && explaining->options->form == FORM_TABLE &&
	    explaining->options->style.frame)
		fputc('\n', output->file);
	return show_explained(explaining, &explained, output);
}

static void explain_all(struct explaining *explaining, struct output *output)
{
	struct segmap_error *held;

	for (int i = 0; i < explaining->options->n_targets && !output_failed(output); i++) {
		struct segmap_error *error =
			explain_one(explaining, explaining->options->targets[i], output);

		explaining->tally.n_failed += error != NULL;
		explaining->tally.n_shown += !error;
		if (error)
			report(error);
	}
	held = show_held(explaining->options, output->file);
	if (held) {
		report(held);
		explaining->tally.n_failed += explaining->tally.n_shown;
		explaining->tally.n_shown = 0;
	}
	if (explaining->tally.n_misused)
		fputs("Try 'segmap --help'\n", stderr);
}

/*
 * In a process of its own, for --verify: parse, and have @explaining->runner run programs; then
 * tell the tally and what the problem was in writing.
 */
static _Noreturn void explain_apart(struct explaining *explaining, struct output *output)
{
	struct segmap_error *error =
		confine(explaining->options, NULL, SANDBOX_PROCESSES, NULL);

	if (error) {
		report(error);
		explaining->tally.n_failed++;
	} else {
		explain_all(explaining, output);
	}
	fflush(output->file);
	output_failed(output);
	verify_end(explaining->runner);
	if (apart_tell(explaining->runner, &explaining->tally, sizeof(explaining->tally)))
		apart_tell(explaining->runner, &output->problem, sizeof(output->problem));
	_exit(0);
}

/*
 * --verify: what runs a program parses nothing, and what parses is in a sandbox, of which
 * nothing gets to the program.
 */
static struct segmap_error *verify_all(struct explaining *explaining, struct output *output)
{
	struct tally tally;
	struct apart apart;
	struct segmap_error *error = apart_begin("--verify", &apart);

	if (error)
		return error;
	if (!apart.pid) {
		explaining->runner = &apart;
		explain_apart(explaining, output);
	}
	if (verify_serve(explaining->options, explaining->world, &apart) &&
	    apart_hear(&apart, &tally, sizeof(tally)) &&
	    apart_hear(&apart, &output->problem, sizeof(output->problem)))
		explaining->tally = tally;
	else
		explaining->tally.n_failed++; /* it was ended: by its sandbox, then it said so */
	apart_end(&apart);
	return NULL;
}

static int status_of(const struct tally *tally)
{
	if (tally->n_misused)
		return STATUS_USAGE;
	if (tally->n_differ)
		return STATUS_DIFFERS;
	if (tally->n_failed && tally->n_shown)
		return STATUS_SOME;
	return tally->n_failed || tally->n_refused || tally->n_unreached ? STATUS_NOT_SHOWN :
									    STATUS_SHOWN;
}

/* The page size that was asked for, or this machine's. */
static uint64_t first_page_size(const struct options *options)
{
	return options->predict.page_size ? options->predict.page_size :
					    (uint64_t)sysconf(_SC_PAGESIZE);
}

struct segmap_error *foresee_begin(const struct options *options, struct foreseen *ret)
{
	struct explaining explaining = { 0 };
	struct segmap_error *error = open_world(&explaining, first_page_size(options));

	if (!error)
		*ret = (struct foreseen){ explaining.files, explaining.world, NULL };
	return error;
}

struct segmap_error *foresee(struct options *options, const char *name, struct foreseen *foreseen)
{
	__attribute__((cleanup(explained_free))) struct explained explained = { 0 };
	struct explaining explaining = {
		.options = options,
		.files = foreseen->files,
		.world = foreseen->world,
		.page_size = first_page_size(options),
	};
	struct segmap_error *error = find_program(explaining.world, name, &explained.path,
						  &explained.from_here);

	if (!error)
		error = choose_page_size(&explaining, explained.path);
	if (!error)
		error = predict(&explaining, &explained);
	foreseen->files = explaining.files;
	if (error)
		return error;
	foreseen->layout = explained.layouts[0];
	explained.layouts[0] = NULL;
	return NULL;
}

void foreseen_free(struct foreseen *foreseen)
{
	segmap_layout_free(foreseen->layout);
	segmap_world_free(foreseen->world);
	segmap_files_free(foreseen->files);
}

int explain(struct options *options)
{
	__attribute__((cleanup(close_world))) struct explaining explaining = { .options = options };
	struct segmap_error *error = open_world(&explaining, first_page_size(options));
	struct output output;

	if (!error)
		error = show_open(options, &output);
	if (error) {
		report(error);
		return STATUS_NOT_SHOWN;
	}
	if (options->quiz)
		prepare_quiz(options);
	options->predict.traced = options->verify && !segmap_run_keeps_privileges();
	error = options->verify ? verify_all(&explaining, &output) :
				  confine(options, &output, SANDBOX_PROGRAMS, "/");
	if (error) {
		report(error);
		explaining.tally.n_failed++;
	} else if (!options->verify) {
		explain_all(&explaining, &output);
	}
	error = output_commit(&output, explaining.tally.n_shown > 0);
	if (error) {
		report(error);
		explaining.tally.n_shown = 0;
		explaining.tally.n_failed++;
	}
	return status_of(&explaining.tally);
}
