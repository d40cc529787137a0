/* src/cli/main.c - segmap: open all that was asked for, then parse, then show. */
#include "cli/all.h"
#include "cli/diff.h"
#include "cli/explain.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/run.h"
#include "cli/show.h"
#include "cli/status.h"
#include "cli/target.h"
#include "cli/watch.h"
#include <locale.h>
#include <segmap/segmap.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct run {
	struct options options;
	struct segmap_files *files;
	struct segmap_core *core; /* --core: open, and not read before the sandbox is entered */
	struct segmap_layout **layouts; /* one for each process to show; NULL once it was */
	size_t n_layouts;
	size_t n_failed; /* targets that could not be shown */
	bool missed;	 /* a question had no answer, and others had */
	bool found;	 /* an audit has found something */
};

/* Take @layout, which is of what the user calls @name. */
static struct segmap_error *add_layout(struct run *run, struct segmap_layout *layout,
				       const char *name)
{
	struct segmap_layout **layouts =
		reallocarray(run->layouts, run->n_layouts + 1, sizeof(*layouts));

	if (layouts)
		run->layouts = layouts;
	layout->target = strdup(name);
	if (!layouts || !layout->target) {
		segmap_layout_free(layout);
		return segmap_error_no_memory();
	}
	layouts[run->n_layouts++] = layout;
	return NULL;
}

static struct segmap_error *add_process(struct run *run, int pid, const char *name)
{
	uint64_t addrs[QUESTIONS_FEW];
	size_t n_addrs = questions_few(&run->options.questions, addrs);
	struct segmap_layout *layout;
	struct segmap_error *error =
		n_addrs ? segmap_process_open_at(pid, addrs, n_addrs, run->files, &layout) :
			  segmap_process_open_memory(pid, run->files, run->options.wanted, &layout);

	return error ? error : add_layout(run, layout, name);
}

/* --maps or --core. */
static void open_file(struct run *run)
{
	const struct options *options = &run->options;
	struct segmap_layout *layout;
	struct segmap_error *error =
		options->maps ? segmap_maps_open(options->maps, &options->elsewhere, run->files,
						 &layout) :
				segmap_core_read(run->core, run->files, &layout);

	if (!error)
		error = add_layout(run, layout, options->maps ? options->maps : options->core);
	if (error) {
		report(error);
		run->n_failed++;
	}
}

static void open_named(struct run *run, const char *name)
{
	int *pids = NULL;
	size_t n_pids = 0;
	struct segmap_error *error = segmap_process_find(name, &pids, &n_pids);

	if (!error && !n_pids)
		error = target_unnamed(name);
	if (error) {
		report(error);
		run->n_failed++;
	}
	for (size_t i = 0; i < n_pids; i++) {
		error = add_process(run, pids[i], name);
		if (error) {
			report(error);
			run->n_failed++;
		}
	}
	free(pids);
}

static void open_target(struct run *run, const char *name)
{
	struct segmap_error *error;
	int pid;

	if (!target_pid(name, &pid)) {
		open_named(run, name);
		return;
	}
	error = pid ? add_process(run, pid, name) : target_unknown(name);
	if (error) {
		report(error);
		run->n_failed++;
	}
}

/* Answer --at. Names that nothing has are errors; if there is no answer at all, nothing is shown. */
static struct segmap_error *answer(struct run *run, struct segmap_layout *layout)
{
	const struct options *options = &run->options;
	size_t n_missed;
	struct segmap_error *error = questions_answer(&options->questions, layout,
						      options->elsewhere.sysroot, &n_missed);

	if (error || !n_missed)
		return error;
	report_missed(layout);
	if (n_missed < layout->n_answers)
		run->missed = true;
	else
		run->n_failed++;
	return NULL;
}

static void show(struct run *run, struct output *output)
{
	FILE *file = output->file;
	struct segmap_error *held;
	bool parted = run->options.form == FORM_TABLE && run->options.style.frame;
	size_t n_shown = 0;
	bool failed = false;

	for (size_t i = 0; i < run->n_layouts && !failed; i++) {
		struct segmap_layout *layout = run->layouts[i];
		struct segmap_error *error = examine(&run->options, run->files, layout);

		if (!error && run->options.n_asked)
			error = answer(run, layout);
		if (!error && n_shown && parted)
			fputc('\n', file);
		if (!error)
			error = show_layout(&run->options, layout, file);
		failed = output_failed(output);
		if (error) {
			report(error);
			run->n_failed++;
		} else {
			report_notes(&run->options, layout);
			n_shown++;
			run->found |= layout->audit && layout->audit->n_serious;
		}
		/* Raw records of several processes are one table. */
		if (run->options.form == FORM_RAW)
			run->options.style.heading = false;
		segmap_layout_free(layout);
		run->layouts[i] = NULL;
	}
	held = show_held(&run->options, file);
	if (held) {
		report(held);
		run->n_failed += n_shown;
	}
}

static void open_all(struct run *run)
{
	if (run->options.n_sources)
		open_file(run);
	for (int i = 0; i < run->options.n_targets; i++)
		open_target(run, run->options.targets[i]);
}

/*
 * A core dump has to be parsed to know which files it is of, and where only the images of some
 * addresses of a process are read, so have their files: what is opened then is opened in a sandbox.
 */
static bool parses_to_open(const struct options *options)
{
	uint64_t addrs[QUESTIONS_FEW];

	return options->core || (!options->maps && questions_few(&options->questions, addrs));
}

static struct segmap_error *open_confined(struct run *run, struct output *output)
{
	const struct options *options = &run->options;
	const char *root = options->elsewhere.sysroot ? options->elsewhere.sysroot : "/";
	struct segmap_error *error = NULL;

	if (options->core)
		error = segmap_core_begin(options->core, &options->elsewhere, &run->core);
	if (!error)
		error = confine(options, output,
				options->core ? SANDBOX_BELOW : SANDBOX_PROCESSES, root);
	if (!error)
		open_all(run);
	return error;
}

/* From here on nothing is opened, but debug files where symbols are asked for. */
static struct segmap_error *confine_parsing(struct run *run, struct output *output)
{
	const char *sysroot = run->options.elsewhere.sysroot;
	struct segmap_error *error;
	char *debug_files;

	if (!run->options.n_asked && !run->options.audit)
		return confine(&run->options, output, SANDBOX_OPENED, NULL);
	if (asprintf(&debug_files, "%s/usr/lib/debug", sysroot ? sysroot : "") < 0)
		return segmap_error_no_memory();
	error = confine(&run->options, output, SANDBOX_BELOW, debug_files);
	free(debug_files);
	return error;
}

static int show_targets(struct run *run)
{
	bool late = parses_to_open(&run->options);
	struct segmap_error *error;
	struct output output;
	size_t n_asked;

	if (!late)
		open_all(run);
	if (!late && !run->n_layouts)
		return STATUS_NOT_SHOWN;
	error = show_open(&run->options, &output);
	if (error) {
		report(error);
		return STATUS_NOT_SHOWN;
	}
	if (late)
		error = open_confined(run, &output);
	n_asked = run->n_layouts + run->n_failed;
	if (!error && run->n_layouts)
		error = confine_parsing(run, &output);
	if (error) {
		report(error);
		n_asked = run->n_failed = 1;
	} else {
		show(run, &output);
	}
	error = output_commit(&output, run->n_failed < n_asked);
	if (error)
		report(error);
	if (run->found)
		return STATUS_DIFFERS;
	if (error)
		return STATUS_NOT_SHOWN;
	if (!run->n_failed)
		return run->missed ? STATUS_SOME : STATUS_SHOWN;
	return run->n_failed < n_asked ? STATUS_SOME : STATUS_NOT_SHOWN;
}

static void run_free(struct run *run)
{
	for (size_t i = 0; i < run->n_layouts; i++)
		segmap_layout_free(run->layouts[i]);
	free(run->layouts);
	segmap_core_free(run->core);
	segmap_files_free(run->files);
	options_free(&run->options);
}

/* --legend, and nothing to be shown beside it. */
static int show_legend(struct options *options)
{
	struct output output;
	struct segmap_error *error = show_open(options, &output);

	if (!error)
		error = output_commit(&output, true);
	if (!error)
		return STATUS_SHOWN;
	report(error);
	return STATUS_NOT_SHOWN;
}

static int print_and_check(void (*print)(FILE *file))
{
	struct segmap_error *error;
	struct output output;

	error = output_open(NULL, &output);
	if (!error) {
		print(output.file);
		error = output_commit(&output, true);
	}
	if (!error)
		return STATUS_SHOWN;
	report(error);
	return STATUS_NOT_SHOWN;
}

static void print_version(FILE *file)
{
	fputs("segmap " SEGMAP_VERSION "\n", file);
	sandbox_describe(file);
}

int main(int argc, char **argv)
{
	__attribute__((cleanup(run_free))) struct run run = { 0 };
	void (*pipe_handler)(int);
	struct segmap_error *error;

	/* Only the character set is of interest; the other categories are a dozen files to load. */
	setlocale(LC_CTYPE, "");
	/* A closed pipe ends segmap silently, even where the parent ignores the signal. */
	pipe_handler = signal(SIGPIPE, SIG_DFL);
	error = options_parse(argc, argv, &run.options);
	if (error && error->code == SEGMAP_ERROR_NO_MEMORY) {
		report(error);
		return STATUS_NOT_SHOWN;
	}
	if (error) {
		report(error);
		fputs("Try 'segmap --help'\n", stderr);
		return STATUS_USAGE;
	}
	escape_letters(run.options.form);
	if (run.options.help)
		return print_and_check(options_print_help);
	if (run.options.version)
		return print_and_check(print_version);
	if (run.options.list_columns)
		return print_and_check(run.options.summary ? options_print_summary_columns :
							     options_print_columns);
	if (run.options.legend && !run.options.n_targets && !run.options.all &&
	    !run.options.n_sources)
		return show_legend(&run.options);
	if (run.options.run)
		return run_program(&run.options, pipe_handler);
	raise_file_limit();
	if (run.options.explain || run.options.quiz)
		return explain(&run.options);
	if (run.options.all)
		return show_all(&run.options);
	if (run.options.watch_seconds > 0)
		return watch_process(&run.options);
	if (run.options.diff)
		return show_diff(&run.options);
	error = segmap_files_new((uint64_t)sysconf(_SC_PAGESIZE),
				 wanted_of_files(&run.options), &run.files);
	if (error) {
		report(error);
		return STATUS_NOT_SHOWN;
	}
	return show_targets(&run);
}
