/* src/cli/verify.c - segmap --explain --verify: predictions against a run. */
#include "cli/verify.h"
#include "cli/show.h"
#include "render/verdict.h"
#include <segmap/process.h>
#include <segmap/run.h>
#include <string.h>

/* For each way from one moment to the next: library constructors can take some time. */
enum { SECONDS = 20 };

/* The map of the program as it stands still at @moment, with its files parsed. */
static struct segmap_error *read_map(int pid, enum segmap_moment moment, struct segmap_files *files,
				     struct segmap_layout **ret)
{
	struct segmap_layout *layout;
	struct segmap_error *error = segmap_process_open(pid, files, &layout);

	if (error)
		return error;
	layout->source = SEGMAP_SOURCE_RUN;
	layout->moment = moment;
	error = segmap_files_parse(files, layout);
	if (error)
		segmap_layout_free(layout);
	else
		*ret = layout;
	return error;
}

static struct segmap_error *take_notes(struct segmap_layout *layout, const struct segmap_stop *stop)
{
	const struct segmap_comparison *comparison = layout->comparison;
	struct segmap_error *error = NULL;

	for (size_t i = 0; i < comparison->n_notes && !error; i++)
		error = segmap_layout_note(layout, "%s", comparison->notes[i]);
	if (!error && stop->state == SEGMAP_RUN_TIMED_OUT)
		error = segmap_layout_note(layout,
					   "it was killed when it had not got to that moment after "
					   "%d seconds", SECONDS);
	if (!error && stop->software)
		error = segmap_layout_note(
			layout, "there is no hardware breakpoint here: it was stopped at its entry "
				"point by an instruction put there, which makes that page private");
	return error;
}

static struct segmap_error *verify_moment(struct segmap_run *run, struct segmap_files *files,
					  struct segmap_layout *predicted)
{
	struct segmap_layout *real = NULL;
	struct segmap_stop stop;
	struct segmap_error *error = segmap_run_to(run, predicted->moment, &stop);

	if (!error && stop.state == SEGMAP_RUN_STOPPED)
		error = read_map(stop.pid, predicted->moment, files, &real);
	if (!error)
		error = segmap_compare_prediction(predicted, real, &stop, &predicted->comparison);
	segmap_layout_free(real);
	return error ? error : take_notes(predicted, &stop);
}

struct segmap_error *verify(const struct options *options, const char *path,
			    struct segmap_files *files, struct segmap_layout *const *layouts,
			    size_t n)
{
	static const enum segmap_moment moments[] = { SEGMAP_MOMENT_EXEC, SEGMAP_MOMENT_ENTRY };
	struct segmap_run_options run_options = {
		.path = path,
		.no_aslr = options->predict.no_aslr,
		.apart = true,
		.seconds = SECONDS,
	};
	struct segmap_run *run;
	struct segmap_error *error = segmap_run_new(&run_options, &run);

	if (error)
		return error;
	/* In the order in which they come, whatever the order in which they are shown. */
	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++)
		for (size_t j = 0; j < n && !error; j++)
			if (layouts[j]->moment == moments[i])
				error = verify_moment(run, files, layouts[j]);
	segmap_run_free(run);
	return error;
}

static void report_text(const struct segmap_layout *layout, struct segmap_text *text)
{
	segmap_text_append_char(text, '\0');
	report(text->failed ? segmap_error_no_memory() :
			      segmap_error_new(SEGMAP_ERROR_FORMAT, layout->target, "%s",
					       text->bytes));
	text->size = 0;
}

void report_verdict(const struct options *options, const struct segmap_layout *layout)
{
	__attribute__((cleanup(segmap_text_free))) struct segmap_text text = { 0 };
	const struct segmap_comparison *comparison = layout->comparison;

	if (!comparison || (options->form == FORM_TABLE && options->style.frame))
		return;
	if (comparison->n_changes || comparison->unreached) {
		append_verdict(&text, layout);
		report_text(layout, &text);
	}
	for (size_t i = 0; i < comparison->n_changes && options->form != FORM_JSON; i++) {
		append_change(&text, &comparison->changes[i]);
		report_text(layout, &text);
	}
}
