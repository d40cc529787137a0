/* src/cli/diff.c - segmap --diff: two maps side by side. */
#include "cli/diff.h"
#include "cli/explain.h"
#include "cli/output.h"
#include "cli/show.h"
#include "cli/status.h"
#include "cli/target.h"
#include "render/diff.h"
#include "render/json.h"
#include "render/words.h"
#include <segmap/diff.h>
#include <segmap/document.h>
#include <segmap/json_c.h>
#include <string.h>
#include <unistd.h>

/* One side, and what it borrows from. */
struct side {
	const char *name;
	struct segmap_layout *layout;
	struct foreseen foreseen; /* a prediction's: its layout is this one's */
};

struct comparing {
	struct options *options;
	struct segmap_files *files; /* of processes */
	struct side a, b;
	struct segmap_diff *diff;
};

static void side_free(struct side *side)
{
	if (!side->foreseen.layout)
		segmap_layout_free(side->layout);
	foreseen_free(&side->foreseen);
}

static void comparing_free(struct comparing *comparing)
{
	segmap_diff_free(comparing->diff);
	side_free(&comparing->a);
	side_free(&comparing->b);
	segmap_files_free(comparing->files);
}

static bool is_document(const char *name)
{
	static const char suffix[] = ".json";
	size_t size = strlen(name), suffix_size = sizeof(suffix) - 1;

	return strchr(name, '/') ||
	       (size > suffix_size && strcmp(name + size - suffix_size, suffix) == 0);
}

static struct segmap_error *open_process(struct comparing *comparing, struct side *side)
{
	const struct options *options = comparing->options;
	struct segmap_error *error;
	int pid;

	error = target_one(side->name, &pid);
	if (!error)
		error = segmap_process_open_memory(pid, comparing->files, options->wanted,
						   &side->layout);
	return error ? error : examine(options, comparing->files, side->layout);
}

static struct segmap_error *open_side(struct comparing *comparing, struct side *side)
{
	const char *program = options_explained(side->name);
	struct segmap_error *error;
	int pid;

	if (program) {
		error = foresee(comparing->options, program, &side->foreseen);
		side->layout = side->foreseen.layout;
		return error;
	}
	if (!target_pid(side->name, &pid) && is_document(side->name))
		return segmap_document_open(side->name, &side->layout);
	return open_process(comparing, side);
}

/*
 * What is compared is opened and parsed by turns, so it is done where it can do little. Documents
 * are parsed by json-c, which has to be there before.
 */
static struct segmap_error *confine_comparing(struct comparing *comparing, struct output *output)
{
	struct side *sides[] = { &comparing->a, &comparing->b };
	enum sandbox what = SANDBOX_BELOW;
	struct segmap_error *error = NULL;
	struct segmap_json_c json_c;
	int pid;

	for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]) && !error; i++) {
		const char *name = sides[i]->name;

		if (options_explained(name)) {
			what = what == SANDBOX_BELOW ? SANDBOX_PROGRAMS : what;
			error = foresee_begin(comparing->options, &sides[i]->foreseen);
		} else if (target_pid(name, &pid) || !is_document(name)) {
			what = SANDBOX_PROCESSES;
		} else {
			error = segmap_json_c_load(&json_c); /* for good: the reader finds it */
		}
	}
	return error ? error : confine(comparing->options, output, what, "/");
}

static struct segmap_error *compare(struct comparing *comparing)
{
	struct segmap_error *error = segmap_files_new((uint64_t)sysconf(_SC_PAGESIZE),
						      SEGMAP_WANT_SONAME, &comparing->files);

	if (!error)
		error = open_side(comparing, &comparing->a);
	if (!error)
		error = open_side(comparing, &comparing->b);
	if (!error)
		error = segmap_diff(comparing->a.layout, comparing->b.layout,
				    comparing->options->style.figures != FIGURES_NONE,
				    &comparing->diff);
	return error;
}

/* Why the program of @side will not run; NULL: it will, or it is there. */
static const struct segmap_outcome *outcome_of(const struct side *side)
{
	const struct segmap_prediction *prediction = side->layout->prediction;

	return prediction && prediction->outcome.reason ? &prediction->outcome : NULL;
}

static void report_side(const struct side *side)
{
	const struct segmap_layout *layout = side->layout;
	const struct segmap_outcome *outcome = outcome_of(side);

	if (outcome)
		report(segmap_error_new(SEGMAP_ERROR_FORMAT, side->name, "%s: %s",
					words_of_outcome(outcome), outcome->reason));
	/* What no prediction knows is not compared. A saved one was told of when it was saved. */
	for (size_t i = 0; i < layout->n_notes && (!layout->prediction || side->foreseen.layout); i++)
		if (!layout->prediction || layout->notes[i] != layout->prediction->unknown)
			report(segmap_error_new(SEGMAP_ERROR_FORMAT, side->name, "%s",
						layout->notes[i]));
}

/* What could not be read of a side, or compared: where the form has no room for it. */
static void report_all_notes(const struct comparing *comparing)
{
	const struct options *options = comparing->options;
	const struct segmap_comparison *found = comparing->diff->found;

	report_side(&comparing->a);
	report_side(&comparing->b);
	for (size_t i = 0; i < found->n_notes; i++)
		if (options->form != FORM_TABLE || !options->style.frame)
			report(segmap_error_new(SEGMAP_ERROR_FORMAT, "--diff", "%s",
						found->notes[i]));
}

static struct segmap_error *render(const struct comparing *comparing, FILE *file)
{
	const struct options *options = comparing->options;
	const struct diff_view view = {
		.diff = comparing->diff,
		.name_a = comparing->a.name,
		.name_b = comparing->b.name,
		.a = comparing->a.layout,
		.b = comparing->b.layout,
	};

	switch (options->form) {
	case FORM_JSON:
		return render_diff_json(&view, file);
	case FORM_RAW:
		return render_diff_raw(&view, &options->style, file);
	default:
		return render_diff_table(&view, &options->style, file);
	}
}

int show_diff(struct options *options)
{
	__attribute__((cleanup(comparing_free))) struct comparing comparing = {
		.options = options,
		.a.name = options->targets[0],
		.b.name = options->targets[1],
	};
	struct output output;
	struct segmap_error *error = show_open(options, &output), *unwritten;

	if (error) {
		report(error);
		return STATUS_NOT_SHOWN;
	}
	error = confine_comparing(&comparing, &output);
	if (!error)
		error = compare(&comparing);
	if (!error)
		error = render(&comparing, output.file);
	if (error)
		report(error);
	else
		report_all_notes(&comparing);
	unwritten = output_commit(&output, !error);
	if (unwritten)
		report(unwritten);
	if (!error && comparing.diff->found->n_changes)
		return STATUS_DIFFERS;
	if (error || unwritten || outcome_of(&comparing.a) || outcome_of(&comparing.b))
		return STATUS_NOT_SHOWN;
	return STATUS_SHOWN;
}
