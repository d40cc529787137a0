/* src/cli/verify.c - segmap --explain --verify: predictions against a run. */
#include "cli/verify.h"
#include "cli/find.h"
#include "cli/show.h"
#include "render/verdict.h"
#include <errno.h>
#include <limits.h>
#include <segmap/process.h>
#include <segmap/run.h>
#include <stdlib.h>
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

/* ---- what parses asks of what runs ---- */

struct request {
	enum {
		RUN_PROGRAM, /* prepare to run @path; there is no reply */
		RUN_TO,	     /* let it go on to @moment */
		END_RUN,     /* kill it; there is no reply */
		END,	     /* there is nothing more to be run */
	} what;
	enum segmap_moment moment;
	char path[PATH_MAX];
};

/* How it went; addresses of what is linked follow. */
struct reply {
	struct segmap_stop stop;
	bool failed;
	enum segmap_error_code code;
	char name[PATH_MAX], why[512]; /* of the error */
};

static struct segmap_error *runner_is_gone(void)
{
	return segmap_error_new(SEGMAP_ERROR_SYSTEM, "--verify",
				"the process that runs programs has ended");
}

static bool ask(const struct apart *runner, const struct request *request)
{
	return apart_tell(runner, request, sizeof(*request));
}

/* Let the program go on. *@linked is what the stop points to, to be freed. */
static struct segmap_error *run_to(const struct apart *runner, enum segmap_moment moment,
				   struct segmap_stop *stop, uint64_t **linked)
{
	struct request request = { .what = RUN_TO, .moment = moment };
	struct reply reply;

	if (!ask(runner, &request) || !apart_hear(runner, &reply, sizeof(reply)))
		return runner_is_gone();
	if (reply.failed)
		return segmap_error_new(reply.code, reply.name, "%s", reply.why);
	*linked = reallocarray(NULL, reply.stop.n_linked + 1, sizeof(**linked));
	if (!*linked)
		return segmap_error_no_memory();
	if (!apart_hear(runner, *linked, reply.stop.n_linked * sizeof(**linked)))
		return runner_is_gone();
	*stop = reply.stop;
	stop->linked = *linked;
	return NULL;
}

static struct segmap_error *verify_moment(const struct apart *runner, struct segmap_files *files,
					  struct segmap_layout *predicted)
{
	struct segmap_layout *real = NULL;
	uint64_t *linked = NULL;
	struct segmap_stop stop;
	struct segmap_error *error = run_to(runner, predicted->moment, &stop, &linked);

	if (!error && stop.state == SEGMAP_RUN_STOPPED)
		error = read_map(stop.pid, predicted->moment, files, &real);
	if (!error)
		error = segmap_compare_prediction(predicted, real, &stop, &predicted->comparison);
	segmap_layout_free(real);
	if (!error)
		error = take_notes(predicted, &stop);
	free(linked);
	return error;
}

struct segmap_error *verify(const struct apart *runner, const char *path,
			    struct segmap_files *files, struct segmap_layout *const *layouts,
			    size_t n)
{
	static const enum segmap_moment moments[] = { SEGMAP_MOMENT_EXEC, SEGMAP_MOMENT_ENTRY };
	struct request request = { .what = RUN_PROGRAM };
	struct segmap_error *error = NULL;

	if (snprintf(request.path, sizeof(request.path), "%s", path) >= PATH_MAX)
		return segmap_error_system(ENAMETOOLONG, path, "run it");
	if (!ask(runner, &request))
		return runner_is_gone();
	/* In the order in which they come, whatever the order in which they are shown. */
	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++)
		for (size_t j = 0; j < n && !error; j++)
			if (layouts[j]->moment == moments[i])
				error = verify_moment(runner, files, layouts[j]);
	request.what = END_RUN;
	if (!ask(runner, &request) && !error)
		error = runner_is_gone();
	return error;
}

void verify_end(const struct apart *runner)
{
	struct request request = { .what = END };

	ask(runner, &request);
}

/* ---- what runs ---- */

/* Whether @name, a word of the command line, stands for @path. */
static struct segmap_error *stands_for(const struct segmap_world *world, const char *name,
				       const char *path, bool *ret)
{
	const char *slash = strrchr(path, '/');
	struct segmap_error *error;
	bool from_here;
	char *found;

	*ret = strcmp(name, path) == 0;
	if (strchr(name, '/') || strcmp(name, slash ? slash + 1 : path) != 0)
		return NULL;
	/* Of all files of that name, it is the one that --explain finds. */
	error = find_program(world, name, &found, &from_here);
	if (error)
		return error;
	*ret = strcmp(found, path) == 0;
	free(found);
	return NULL;
}

/* The other process could have become somebody else's: @path has to be in the command line. */
static struct segmap_error *check_named(const struct options *options,
					const struct segmap_world *world, const char *path)
{
	bool named = false;

	for (int i = 0; i < options->n_targets && !named; i++) {
		struct segmap_error *error = stands_for(world, options->targets[i], path, &named);

		if (error)
			return error;
	}
	return named ? NULL : segmap_error_new(SEGMAP_ERROR_PERMISSION, path,
					       "run it: the command line does not name it");
}

static struct segmap_error *begin_run(const struct options *options,
				      const struct segmap_world *world,
				      const struct request *request, struct segmap_run **ret)
{
	struct segmap_run_options run_options = {
		.path = request->path,
		.no_aslr = options->predict.no_aslr,
		.apart = true,
		.seconds = SECONDS,
	};

	struct segmap_error *error = check_named(options, world, request->path);

	return error ? error : segmap_run_new(&run_options, ret);
}

static bool tell_stop(const struct apart *apart, struct segmap_error *error,
		      const struct segmap_stop *stop)
{
	struct reply reply = { .failed = error != NULL };

	if (error) {
		reply.code = error->code;
		snprintf(reply.name, sizeof(reply.name), "%s", error->what);
		snprintf(reply.why, sizeof(reply.why), "%s", error->why);
		segmap_error_free(error);
	} else {
		reply.stop = *stop;
	}
	return apart_tell(apart, &reply, sizeof(reply)) &&
	       apart_tell(apart, stop->linked, reply.stop.n_linked * sizeof(*stop->linked));
}

/* Go on to the moment that is asked for. @error: it could not be prepared. */
static bool go_on(const struct apart *apart, struct segmap_run *run, enum segmap_moment moment,
		  struct segmap_error *error)
{
	struct segmap_stop stop = { 0 };

	if (!error)
		error = segmap_run_to(run, moment, &stop);
	return tell_stop(apart, error, &stop);
}

bool verify_serve(const struct options *options, const struct segmap_world *world,
		  const struct apart *apart)
{
	struct request request, program;
	struct segmap_error *error = NULL;
	struct segmap_run *run = NULL;
	bool going = true;

	while (going && apart_hear(apart, &request, sizeof(request)) && request.what != END) {
		switch (request.what) {
		case RUN_PROGRAM:
			program = request; /* the run's path is in it */
			program.path[PATH_MAX - 1] = '\0';
			segmap_error_free(error);
			error = run ? NULL : begin_run(options, world, &program, &run);
			break;
		case RUN_TO:
			going = run || error;
			if (going)
				going = go_on(apart, run, request.moment, error);
			error = NULL;
			break;
		default:
			segmap_run_free(run);
			run = NULL;
			break;
		}
	}
	segmap_error_free(error);
	segmap_run_free(run);
	return going && request.what == END;
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
