/* src/cli/run.c - segmap --run: a program at defined moments of its life. */
#include "cli/run.h"
#include "cli/apart.h"
#include "cli/output.h"
#include "cli/show.h"
#include "cli/status.h"
#include "render/trace.h"
#include "render/verdict.h"
#include "render/words.h"
#include <errno.h>
#include <segmap/segmap.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* The program as it stood still: all of it is open, and nothing parsed. */
struct sight {
	struct segmap_layout *layout; /* NULL: it has not got there */
	struct segmap_stop stop;
	enum segmap_moment moment;
	bool ends_early; /* with --trace: it is about to end before its entry point */
};

/*
 * The tracer's work. It parses nothing: each sight is looked at in a process of its own,
 * which is in a sandbox (struct view).
 */
struct running {
	struct options *options;
	struct segmap_launch *launch;
	struct segmap_files *files;
	bool traced; /* the program runs without privileges that it would have otherwise */
	struct view {
		bool there;
		struct apart apart;
	} views[MOST_MOMENTS]; /* as options->moments, until they were shown */
	size_t n_shown; /* of them, from the first on, or passed over */
	bool any_shown;
	struct sight exec; /* with --trace: to be compared with the prediction */
	struct output output;

	/* Of a process that looks. */
	struct segmap_world *world;	   /* with --trace */
	struct segmap_comparison *at_exec; /* with --trace: prediction and reality; NULL: none */
};

static const char *name_of(const struct running *running)
{
	return running->options->targets[0];
}

/* ---- reading ---- */

static struct segmap_error *note_circumstances(struct segmap_layout *layout,
					       const struct segmap_stop *stop)
{
	struct segmap_error *error = NULL;

	if (stop->unprivileged)
		error = segmap_layout_note(
			layout, "it has set-user-ID, set-group-ID or capabilities, which have no "
				"effect while it is traced: it runs with the privileges of whoever "
				"started it");
	if (!error && stop->randomized)
		error = segmap_layout_note(layout,
					   "it has set-user-ID, set-group-ID or capabilities: --no-aslr "
					   "has no effect, the kernel randomizes it all the same");
	if (!error && stop->replaced)
		error = segmap_layout_note(layout, "before its entry point it executed another "
						   "program: this is the map of that");
	if (!error && stop->software && layout->moment == SEGMAP_MOMENT_ENTRY)
		error = segmap_layout_note(
			layout, "there is no hardware breakpoint here: it was stopped at its entry "
				"point by an instruction put there, which makes that page private");
	return error;
}

/* Figures of memory page by page, and answers to --at, where they are asked for. */
static struct segmap_error *look_closer(const struct options *options, const struct sight *sight)
{
	struct segmap_layout *layout = sight->layout;
	struct segmap_error *error = NULL;
	size_t n_missed;

	if (options->wanted & SEGMAP_WANT_PAGES) {
		error = segmap_layout_read_pages(layout, options->wanted & SEGMAP_WANT_ALL_PAGES ?
								 SEGMAP_PAGES_OF_ALL :
								 SEGMAP_PAGES_OF_IMAGES);
		if (!error)
			error = segmap_layout_account(layout);
	}
	if (error || !options->n_asked)
		return error;
	error = questions_answer(&options->questions, layout, NULL, &n_missed);
	if (!error && n_missed)
		report_missed(layout);
	return error;
}

/* The map of the program, which stands still at @moment, with its files open. */
static struct segmap_error *open_sight(struct running *running, const struct segmap_stop *stop,
				       enum segmap_moment moment, struct sight *ret)
{
	struct segmap_layout *layout;
	struct segmap_error *error = segmap_process_open_memory(
		stop->pid, running->files, running->options->wanted, &layout);

	if (error)
		return error;
	layout->source = SEGMAP_SOURCE_RUN;
	layout->moment = moment;
	layout->target = strdup(name_of(running));
	if (!layout->target) {
		segmap_layout_free(layout);
		return segmap_error_no_memory();
	}
	*ret = (struct sight){ .layout = layout, .stop = *stop, .moment = moment };
	return NULL;
}

static void sight_close(struct sight *sight)
{
	segmap_layout_free(sight->layout);
}

/* ---- with --trace: what was predicted ---- */

/* The path of the program in @layout; NULL if there is none. */
static const char *program_path(const struct segmap_layout *layout)
{
	for (size_t i = 0; i < layout->n_images; i++)
		if (layout->images[i].role == SEGMAP_ROLE_PROGRAM)
			return segmap_layout_image_path(layout, (int32_t)i);
	return NULL;
}

static struct segmap_error *predict(struct running *running, const struct segmap_layout *real,
				    enum segmap_moment moment, struct segmap_layout **ret)
{
	struct segmap_predict_options options = {
		.as = SEGMAP_AS_PROGRAM,
		.no_aslr = running->options->predict.no_aslr,
		.traced = running->traced,
	};
	const char *path = program_path(real);
	struct segmap_layout *layout;
	struct segmap_error *error;

	if (!path)
		return segmap_error_new(SEGMAP_ERROR_FORMAT, name_of(running),
					"its map has no program in it");
	error = segmap_predict(running->world, path, &options, moment, &layout);
	if (error)
		return error;
	error = segmap_layout_correlate(layout);
	if (error)
		segmap_layout_free(layout);
	else
		*ret = layout;
	return error;
}

/* The kernel's own mappings are no system calls: the map at exec is compared. */
static struct segmap_error *compare_exec(struct running *running)
{
	struct segmap_layout *predicted, *real = running->exec.layout;
	struct segmap_error *error = segmap_files_parse(running->files, real);

	if (!error)
		error = segmap_layout_correlate(real);
	if (!error)
		error = predict(running, real, SEGMAP_MOMENT_EXEC, &predicted);
	if (error)
		return error;
	error = segmap_compare_prediction(predicted, real, &running->exec.stop,
					  &running->at_exec);
	segmap_layout_free(predicted);
	return error;
}

/* As a note of @layout; @text is used up. */
static struct segmap_error *take_note(struct segmap_layout *layout, struct segmap_text *text)
{
	struct segmap_error *error;

	if (text->failed)
		error = segmap_error_no_memory();
	else
		error = segmap_layout_note(layout, "%.*s", (int)text->size, text->bytes);
	segmap_text_free(text);
	*text = (struct segmap_text){ 0 };
	return error;
}

static struct segmap_error *note_exec(const struct running *running, struct segmap_layout *layout)
{
	const struct segmap_comparison *comparison = running->at_exec;
	struct segmap_error *error;

	if (!comparison)
		return NULL;
	if (!comparison->n_changes)
		return segmap_layout_note(layout, "trace: at exec, what the kernel has mapped is as "
						  "predicted (%zu VMAs compared)", comparison->n_vmas);
	error = segmap_layout_note(layout, "trace: at exec, what the kernel has mapped differs from "
					   "the prediction:");
	for (size_t i = 0; i < comparison->n_changes && !error; i++) {
		struct segmap_text text = { 0 };

		append_change(&text, &comparison->changes[i]);
		error = take_note(layout, &text);
	}
	return error;
}

/* Predicted calls that were not made, each a note. */
static struct segmap_error *note_missing(struct segmap_layout *layout)
{
	const struct segmap_prediction *prediction = layout->trace->prediction->prediction;
	struct segmap_error *error = NULL;

	for (size_t i = 0; i < prediction->n_calls && !error; i++) {
		struct segmap_text text = { 0 };

		if (layout->trace->made[i] || !segmap_call_must_be_made(&prediction->calls[i]))
			continue;
		segmap_text_append_trusted(&text, "trace: predicted and not made: ");
		append_missing(&text, layout, &prediction->calls[i]);
		error = take_note(layout, &text);
	}
	return error;
}

static struct segmap_error *note_calls(const struct running *running, struct segmap_layout *layout)
{
	const struct segmap_trace *trace = layout->trace;
	struct segmap_error *error = note_exec(running, layout);

	if (!error && trace->incomplete)
		error = segmap_layout_note(layout, "trace: there are more calls than are listed");
	if (error || !trace->prediction)
		return error;
	error = segmap_layout_note(
		layout, "trace: %zu of %zu predicted calls were made; %zu more were made, which no "
			"segment needs by the prediction",
		trace->n_made, trace->n_predicted, trace->n_more);
	return error ? error : note_missing(layout);
}

/* Make the calls up to the entry point part of the map there. */
static struct segmap_error *take_trace(struct running *running, struct segmap_layout *layout)
{
	struct segmap_trace *trace = segmap_launch_take_trace(running->launch);
	struct segmap_layout *prediction = NULL;
	struct segmap_error *error;

	if (!trace)
		return NULL;
	error = predict(running, layout, SEGMAP_MOMENT_ENTRY, &prediction);
	/* Without one the calls are of use all the same. */
	if (error && error->code != SEGMAP_ERROR_NO_MEMORY) {
		struct segmap_error *problem =
			segmap_layout_note(layout, "trace: there is no prediction: %s", error->why);

		segmap_error_free(error);
		error = problem;
	}
	if (error) {
		segmap_trace_free(trace);
		return error;
	}
	error = segmap_layout_take_trace(layout, trace, prediction);
	return error ? error : note_calls(running, layout);
}

/* ---- showing ---- */

static bool is_framed(const struct options *options)
{
	return options->form == FORM_TABLE && options->style.frame;
}

static struct segmap_error *show_one(struct running *running, const struct segmap_layout *layout)
{
	struct options *options = running->options;
	FILE *file = running->output.file;
	struct segmap_error *error = NULL;

	if (running->any_shown && is_framed(options))
		fputc('\n', file);
	if (options->form == FORM_TABLE)
		error = render_trace(layout, &options->style, file);
	if (!error)
		error = show_layout(options, layout, file);
	if (!error)
		error = show_held(options, file);
	if (error)
		return error;
	running->any_shown = true;
	if (options->form == FORM_RAW)
		options->style.heading = false;
	report_notes(options, layout);
	return NULL;
}

/* ---- a process that looks ---- */

/* To be shown now. */
struct turn {
	bool any_shown; /* another map before it */
	bool heading;
};

/* How that went. Nothing pads it. */
struct told {
	int shown;   /* 1; 0: it could not be */
	int problem; /* of writing */
};

/* What is needed from here on is to read what is open; with more to look at, to open that. */
static struct segmap_error *confine_view(struct running *running)
{
	const struct options *options = running->options;
	struct segmap_error *error = NULL;

	if (options->trace) {
		error = segmap_world_new(running->files, &running->world);
		return error ? error : confine(options, NULL, SANDBOX_PROGRAMS, "/");
	}
	return options->n_asked ? confine(options, NULL, SANDBOX_BELOW, "/usr/lib/debug") :
				  confine(options, NULL, SANDBOX_OPENED, NULL);
}

static struct segmap_error *look(struct running *running, const struct sight *sight)
{
	struct segmap_layout *layout = sight->layout;
	struct segmap_error *error = confine_view(running);

	if (!error)
		error = segmap_files_parse(running->files, layout);
	if (!error)
		error = segmap_layout_correlate(layout);
	if (!error)
		error = look_closer(running->options, sight);
	if (!error)
		error = note_circumstances(layout, &sight->stop);
	if (!error && sight->ends_early)
		error = segmap_layout_note(layout, "it ends before its entry point");
	if (!error && running->exec.layout && sight->moment != SEGMAP_MOMENT_EXEC)
		error = compare_exec(running);
	if (!error && (sight->ends_early || sight->moment == SEGMAP_MOMENT_ENTRY))
		error = take_trace(running, layout);
	return error;
}

/* Look while the program stands still, then wait for the turn to show what was seen. */
static _Noreturn void view(struct running *running, const struct sight *sight,
			   const struct apart *apart)
{
	struct segmap_error *error = look(running, sight);
	struct told told = { 0 };
	bool ready = !error;
	struct turn turn;

	if (apart_tell(apart, &ready, sizeof(ready)) && ready &&
	    apart_hear(apart, &turn, sizeof(turn))) {
		running->any_shown = turn.any_shown;
		running->options->style.heading = turn.heading;
		error = show_one(running, sight->layout);
		fflush(running->output.file);
		output_failed(&running->output);
		told = (struct told){ .shown = !error, .problem = running->output.problem };
		apart_tell(apart, &told, sizeof(told));
	}
	if (error)
		report(error);
	_exit(0);
}

/* Have a process look at @sight, which it has done when this returns. *@ret: it could. */
static struct segmap_error *begin_view(struct running *running, const struct sight *sight,
				       struct view *view_of_it)
{
	struct segmap_error *error = apart_begin(name_of(running), &view_of_it->apart);

	if (error)
		return error;
	if (!view_of_it->apart.pid)
		view(running, sight, &view_of_it->apart);
	if (!apart_hear(&view_of_it->apart, &view_of_it->there, sizeof(view_of_it->there)))
		view_of_it->there = false; /* it was ended; by its sandbox, then it has said so */
	if (!view_of_it->there)
		apart_end(&view_of_it->apart);
	return NULL;
}

static void end_view(struct view *view_of_it)
{
	if (view_of_it->there)
		apart_end(&view_of_it->apart);
	view_of_it->there = false;
}

static void show_view(struct running *running, struct view *view_of_it)
{
	struct options *options = running->options;
	struct turn turn = { running->any_shown, options->style.heading };
	struct told told = { 0 };

	if (apart_tell(&view_of_it->apart, &turn, sizeof(turn)) &&
	    apart_hear(&view_of_it->apart, &told, sizeof(told))) {
		running->any_shown |= told.shown;
		running->output.problem = told.problem;
	}
	if (told.shown && options->form == FORM_RAW)
		options->style.heading = false;
	end_view(view_of_it);
}

/* Show what is there, in the order that was asked for; with @all what comes behind a gap, too. */
static void show_ready(struct running *running, bool all)
{
	for (size_t i = running->n_shown; i < running->options->n_moments; i++) {
		if (!running->views[i].there && !all)
			break;
		if (running->views[i].there)
			show_view(running, &running->views[i]);
		running->n_shown++;
	}
}

/* ---- the program's way ---- */

static size_t index_of(const struct options *options, enum segmap_moment moment)
{
	size_t i = 0;

	while (i < options->n_moments && options->moments[i] != moment)
		i++;
	return i;
}

static const char *words_of_moment(enum segmap_moment moment)
{
	return moment == SEGMAP_MOMENT_ENTRY ? "before its entry point" :
	       moment == SEGMAP_MOMENT_EXIT  ? "before its end could be seen" :
					       "before it was executed";
}

/* It has ended before @moment: how. */
static void report_end(const struct running *running, const struct segmap_stop *stop,
		       enum segmap_moment moment)
{
	const char *when = words_of_moment(moment);

	if (stop->state == SEGMAP_RUN_EXITED)
		report(segmap_error_new(SEGMAP_ERROR_NO_PROCESS, name_of(running),
					"it ended with status %d %s", stop->status, when));
	if (stop->state == SEGMAP_RUN_KILLED)
		report(segmap_error_new(SEGMAP_ERROR_NO_PROCESS, name_of(running),
					"it was killed by signal %d (%s) %s", stop->signal,
					strsignal(stop->signal), when));
	if (stop->state == SEGMAP_RUN_REPLACED)
		report(segmap_error_new(SEGMAP_ERROR_NO_PROCESS, name_of(running),
					"another of its threads than the main one executed a "
					"program %s: it goes on, and is not seen any more",
					when));
}

/*
 * With --trace: it is about to end before its entry point. What has led to that is
 * shown with the map that it has now; then it ends.
 */
static struct segmap_error *show_early_end(struct running *running, struct segmap_stop *stop)
{
	struct view view_of_it = { 0 };
	struct sight sight;
	struct segmap_error *error = open_sight(running, stop, SEGMAP_MOMENT_EXIT, &sight);

	if (error)
		return error;
	sight.ends_early = true;
	error = begin_view(running, &sight, &view_of_it);
	if (!error && view_of_it.there)
		show_view(running, &view_of_it);
	sight_close(&sight);
	return error ? error : segmap_launch_to(running->launch, SEGMAP_MOMENT_ENTRY, stop);
}

/* It stands still at @moment: have a process look at it. *@ret: it could. */
static struct segmap_error *take_sight(struct running *running, const struct segmap_stop *stop,
				       enum segmap_moment moment, bool *ret)
{
	size_t index = index_of(running->options, moment);
	struct sight sight;
	struct segmap_error *error = open_sight(running, stop, moment, &sight);

	if (error)
		return error;
	if (index < running->options->n_moments) {
		error = begin_view(running, &sight, &running->views[index]);
		*ret = running->views[index].there;
	}
	if (!error && running->options->trace && moment == SEGMAP_MOMENT_EXEC)
		running->exec = sight;
	else
		sight_close(&sight);
	if (!error)
		show_ready(running, false);
	return error;
}

/* Let it go on to @moment, and look at it there. *@ret: it has got there. */
static struct segmap_error *reach(struct running *running, enum segmap_moment moment, bool *ret)
{
	struct segmap_stop stop;
	struct segmap_error *error = segmap_launch_to(running->launch, moment, &stop);

	if (!error && stop.state == SEGMAP_RUN_STOPPED && stop.leaving)
		error = show_early_end(running, &stop);
	if (error)
		return error;
	*ret = stop.state == SEGMAP_RUN_STOPPED;
	if (*ret)
		return take_sight(running, &stop, moment, ret);
	report_end(running, &stop, moment);
	return NULL;
}

static bool is_wanted(const struct options *options, enum segmap_moment moment)
{
	return index_of(options, moment) < options->n_moments ||
	       (options->trace && moment == SEGMAP_MOMENT_EXEC);
}

static struct segmap_error *go_through(struct running *running)
{
	struct segmap_error *error = NULL;
	bool alive = true;

	for (int moment = SEGMAP_MOMENT_EXEC; moment <= SEGMAP_MOMENT_EXIT; moment++) {
		if (!is_wanted(running->options, (enum segmap_moment)moment))
			continue;
		error = reach(running, (enum segmap_moment)moment, &alive);
		if (error || !alive)
			break;
	}
	if (!error)
		show_ready(running, true);
	return error;
}

/* ---- two sides ---- */

static void running_free(struct running *running)
{
	for (size_t i = 0; i < MOST_MOMENTS; i++)
		end_view(&running->views[i]);
	sight_close(&running->exec);
	segmap_comparison_free(running->at_exec);
	segmap_launch_free(running->launch);
	segmap_world_free(running->world);
	segmap_files_free(running->files);
}

/* What can be refused is done before anything is executed. */
static struct segmap_error *prepare(struct running *running)
{
	struct options *options = running->options;
	unsigned int wants = options->trace ? SEGMAP_WANT_SONAME | SEGMAP_WANT_LINKING : 0;
	struct segmap_error *error = segmap_launch_attach(running->launch);
	int fd;

	if (!error)
		error = segmap_files_new((uint64_t)sysconf(_SC_PAGESIZE), wants, &running->files);
	if (!error)
		error = show_open(options, &running->output);
	if (error)
		return error;
	running->output.outlives_reader = true;
	fd = fileno(running->output.file);
	segmap_launch_close_others(running->launch, fd);
	/* Whoever reads the program's output must not have to wait for segmap. */
	if (fd > 2 && index_of(options, SEGMAP_MOMENT_EXIT) < options->n_moments)
		close(STDOUT_FILENO);
	raise_file_limit();
	return NULL;
}

static int trace_program(struct running *running)
{
	struct segmap_error *error = prepare(running), *problem;

	if (error) {
		report(error);
		return STATUS_NOT_SHOWN;
	}
	segmap_launch_begin(running->launch);
	error = go_through(running);
	if (error)
		report(error);
	/* A closed pipe is no error: nobody wants to see it any more. */
	problem = output_commit(&running->output, running->any_shown);
	if (problem && running->output.problem == EPIPE)
		segmap_error_free(problem);
	else if (problem)
		report(problem);
	return STATUS_SHOWN;
}

static _Noreturn void become_program(struct running *running, void (*pipe_handler)(int))
{
	struct segmap_error *error;

	signal(SIGPIPE, pipe_handler);
	error = segmap_launch_become(running->launch);
	if (error)
		report(error);
	/* It is traced, which not all that could be done at an exit likes; and there is nothing. */
	_exit(STATUS_NOT_SHOWN);
}

int run_program(struct options *options, void (*pipe_handler)(int))
{
	__attribute__((cleanup(running_free))) struct running running = {
		.options = options,
		.traced = !segmap_run_keeps_privileges(),
	};
	struct segmap_launch_options launch_options = {
		.arguments = options->targets,
		.no_aslr = options->predict.no_aslr,
		.to_exit = index_of(options, SEGMAP_MOMENT_EXIT) < options->n_moments,
		.calls = options->trace,
	};
	enum segmap_side side;
	struct segmap_error *error =
		segmap_launch_split(&launch_options, &running.launch, &side);

	if (error) {
		report(error);
		return STATUS_NOT_SHOWN;
	}
	if (side == SEGMAP_SIDE_PROGRAM)
		become_program(&running, pipe_handler);
	return trace_program(&running);
}
