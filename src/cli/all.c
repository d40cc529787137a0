/* src/cli/all.c - every process that can be read, one after the other. */
#include "cli/all.h"
#include "cli/output.h"
#include "cli/show.h"
#include "cli/status.h"
#include <malloc.h>
#include <segmap/segmap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * A process is opened, shown or added up, and dropped before the next: what is
 * held in memory are the files, each parsed once, and the sums.
 */
struct walk {
	struct options *options;
	struct segmap_files *files;
	struct segmap_census *census; /* NULL: each process is shown by itself */
	struct output *output;
	size_t most_open; /* files */
	size_t n_shown, n_failed;
	size_t n_blocks; /* of those that are shown, that have taken lines */
	size_t n_refused; /* processes of others */
	size_t n_without; /* kernel threads and zombies */
	size_t n_found; /* processes in which an audit has found something */
};

static void walk_free(struct walk *walk)
{
	segmap_census_free(walk->census);
	segmap_files_free(walk->files);
}

static struct segmap_error *begin(struct walk *walk)
{
	const struct options *options = walk->options;
	struct segmap_error *error;
	struct rlimit limit;

#ifdef M_TRIM_THRESHOLD
	/* What one process took is kept for the next: to give it back and ask again costs more. */
	mallopt(M_TRIM_THRESHOLD, 64 * 1024 * 1024);
	mallopt(M_TOP_PAD, 1024 * 1024);
#endif
	/* Half of what may be open is left to the process that is being read. */
	walk->most_open = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur / 2 : 512;
	error = segmap_files_new((uint64_t)sysconf(_SC_PAGESIZE),
				 SEGMAP_WANT_KNOWN_PATHS | wanted_of_files(options), &walk->files);
	if (!error && options->summary)
		error = segmap_census_new(&walk->census);
	return error;
}

static struct segmap_error *show_one(struct walk *walk, const struct segmap_layout *layout)
{
	struct options *options = walk->options;
	struct segmap_error *error;

	/* Of an audit as a table, only processes of which there is something to say. */
	if (options->audit && options->form == FORM_TABLE && !layout->audit->n_serious)
		return NULL;
	if (walk->n_blocks++ && options->form == FORM_TABLE && options->style.frame)
		fputc('\n', walk->output->file);
	error = show_layout(options, layout, walk->output->file);
	if (error)
		return error;
	report_notes(options, layout);
	/* Raw records of several processes are one table. */
	if (options->form == FORM_RAW)
		options->style.heading = false;
	return NULL;
}

static struct segmap_error *open_one(struct walk *walk, int pid, struct segmap_layout **ret)
{
	struct segmap_error *error =
		segmap_process_open_memory(pid, walk->files, walk->options->wanted, ret);
	char target[16];

	if (error)
		return error;
	snprintf(target, sizeof(target), "%d", pid);
	(*ret)->target = strdup(target);
	return (*ret)->target ? NULL : segmap_error_no_memory();
}

/* Count what is no failure: it has ended, has no memory, or is not ours to read. */
static void account_for(struct walk *walk, struct segmap_error *error)
{
	switch (error->code) {
	case SEGMAP_ERROR_NO_PROCESS:
		break;
	case SEGMAP_ERROR_NO_MEMORY_MAP:
		walk->n_without++;
		break;
	case SEGMAP_ERROR_PERMISSION:
		walk->n_refused++;
		break;
	default:
		walk->n_failed++;
		report(error);
		return;
	}
	segmap_error_free(error);
}

static void visit(struct walk *walk, int pid)
{
	const struct options *options = walk->options;
	struct segmap_layout *layout = NULL;
	struct segmap_error *error = open_one(walk, pid, &layout);

	if (!error)
		error = examine(options, walk->files, layout);
	if (!error && walk->census)
		error = segmap_census_add(walk->census, layout, options->range.low,
					  options->range.high);
	else if (!error)
		error = show_one(walk, layout);
	if (!error && layout->audit)
		walk->n_found += layout->audit->n_serious > 0;
	if (error)
		account_for(walk, error);
	else
		walk->n_shown++;
	segmap_layout_free(layout);
	segmap_files_let_go(walk->files, walk->most_open);
}

/* Processes that are left out are said to be. */
static struct segmap_error *note_left_out(const struct walk *walk)
{
	struct segmap_error *error = NULL;

	if (walk->n_without)
		error = segmap_census_note(walk->census,
					   "left out, having no memory: %zu kernel threads "
					   "and zombies",
					   walk->n_without);
	if (!error && walk->n_refused && walk->options->form == FORM_JSON)
		error = segmap_census_note(walk->census, "left out without permission: %zu",
					   walk->n_refused);
	return error;
}

/* Not a failure: --all is what can be read. But nobody should take it for everything. */
static void report_refused(const struct walk *walk)
{
	if (walk->n_refused)
		report(segmap_error_new(SEGMAP_ERROR_PERMISSION, "--all",
					"processes left out for want of permission: %zu%s",
					walk->n_refused,
					geteuid() ? " (root could read those of other users)" :
						    ""));
}

/* How many of all processes have something out of order. */
static void close_audit(const struct walk *walk)
{
	if (walk->options->form != FORM_TABLE || !walk->options->style.frame)
		return;
	fprintf(walk->output->file, "%sprocesses: %zu, with findings: %zu\n",
		walk->n_blocks ? "\n" : "", walk->n_shown, walk->n_found);
}

static struct segmap_error *end(struct walk *walk)
{
	struct segmap_error *error = NULL;

	report_refused(walk);
	if (!walk->n_shown)
		return walk->n_failed ? NULL :
					segmap_error_new(SEGMAP_ERROR_NO_PROCESS, "--all",
							 "no process can be read");
	if (walk->options->audit)
		close_audit(walk);
	if (!walk->census)
		return NULL;
	error = note_left_out(walk);
	if (!error)
		error = segmap_census_finish(walk->census);
	if (!error)
		error = show_census(walk->options, walk->census, walk->output->file);
	if (!error)
		report_census(walk->options, walk->census);
	return error;
}

/* Visit all; whether something was shown. */
static bool walk_all(struct walk *walk)
{
	int *pids = NULL;
	size_t n_pids = 0;
	struct segmap_error *error = begin(walk);

	if (!error)
		error = segmap_process_list(&pids, &n_pids);
	for (size_t i = 0; !error && i < n_pids && !output_failed(walk->output); i++)
		visit(walk, pids[i]);
	free(pids);
	if (!error)
		error = end(walk);
	if (!error)
		return walk->n_shown;
	report(error);
	return false;
}

int show_all(struct options *options)
{
	__attribute__((cleanup(walk_free))) struct walk walk = { .options = options };
	struct segmap_error *error;
	struct output output;
	bool shown;

	error = show_open(options, &output);
	if (error) {
		report(error);
		return STATUS_NOT_SHOWN;
	}
	walk.output = &output;
	error = confine(options, &output, SANDBOX_PROCESSES, NULL);
	if (error)
		report(error);
	shown = !error && walk_all(&walk);
	error = output_commit(&output, shown);
	if (error)
		report(error);
	if (shown && walk.n_found)
		return STATUS_DIFFERS;
	if (!shown || error)
		return STATUS_NOT_SHOWN;
	return walk.n_failed ? STATUS_SOME : STATUS_SHOWN;
}
