/* src/cli/show.c - one map in the form that was asked for, and what goes to standard error. */
#include "cli/show.h"
#include "render/at.h"
#include "render/audit.h"
#include "render/json.h"
#include "render/legend.h"
#include <bsd/stdlib.h>
#include <langinfo.h>
#include <segmap/audit.h>
#include <segmap/json_c.h>
#include <segmap/symbols.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

bool escape_letters(enum form form)
{
	bool is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;

	/* JSON and pictures have their own character set. */
	return segmap_text_escape_letters(!is_utf8 && (form == FORM_TABLE || form == FORM_RAW));
}

void report(struct segmap_error *error)
{
	bool before = escape_letters(FORM_TABLE);
	struct segmap_text line = { 0 };

	segmap_text_append_trusted(&line, "segmap: ");
	if (error->what[0]) {
		segmap_text_append_safe(&line, error->what, strlen(error->what));
		segmap_text_append_trusted(&line, ": ");
	}
	segmap_text_append_safe(&line, error->why, strlen(error->why));
	segmap_text_append_char(&line, '\n');
	if (line.failed)
		fputs("segmap: memory: there is not enough\n", stderr);
	else
		fwrite(line.bytes, 1, line.size, stderr);
	segmap_text_free(&line);
	segmap_error_free(error);
	segmap_text_escape_letters(before);
}

/* How wide the terminal is that @file writes to; 0 if it is none. */
static size_t terminal_width(FILE *file)
{
	struct winsize size;

	if (!isatty(fileno(file)))
		return 0;
	if (ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col)
		return size.ws_col;
	return 80;
}

void settle_style(struct options *options, FILE *file)
{
	enum { WRAP = 80, NARROWEST = 40 };
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
	const char *columns_text = getenv("COLUMNS"), *problem = "";
	struct style *style = &options->style;
	bool is_terminal = isatty(fileno(file));
	size_t columns = 0;

	style->indent = options->form == FORM_TABLE;
	style->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	style->colour = options->colour == COLOUR_ALWAYS ||
			(options->colour == COLOUR_AUTO && is_terminal &&
			 !(no_colour && no_colour[0]) && !(term && strcmp(term, "dumb") == 0));
	if (columns_text)
		columns = (size_t)strtonum(columns_text, NARROWEST, 10000, &problem);
	style->width = columns ? columns : terminal_width(file);
	if (style->width && style->width < NARROWEST)
		style->width = NARROWEST;
	style->wrap = style->width ? style->width : WRAP;
}

struct segmap_error *show_open(struct options *options, struct output *ret)
{
	struct output output;
	struct segmap_error *error = output_open(options->output_file, &output);

	if (error)
		return error;
	settle_style(options, output.file);
	if (options->legend) {
		error = render_legend(&options->style, output.file);
		if (error) {
			segmap_error_free(output_commit(&output, false));
			return error;
		}
	}
	*ret = output;
	return NULL;
}

static struct segmap_error *render_summary(const struct options *options,
					   const struct summary_view *view, FILE *file)
{
	const struct summary_selection *selection = &options->summary_selection;
	struct segmap_error *error = summary_sort(view, selection, &options->style);

	if (error)
		return error;
	switch (options->form) {
	case FORM_JSON:
		return render_summary_json(view, file);
	case FORM_RAW:
		return render_summary_raw(view, selection, &options->style, file);
	default:
		return render_summary_table(view, selection, &options->style, file);
	}
}

static struct segmap_error *show_summary(const struct options *options,
					 const struct segmap_layout *layout, FILE *file)
{
	__attribute__((cleanup(segmap_summary_free))) struct segmap_summary summary = { 0 };
	struct segmap_error *error = segmap_layout_summarize(layout, options->range.low,
							     options->range.high, &summary);

	if (error)
		return error;
	return render_summary(options,
			      &(struct summary_view){ .summary = &summary, .layout = layout }, file);
}

struct segmap_error *show_census(const struct options *options, struct segmap_census *census,
				 FILE *file)
{
	return render_summary(
		options, &(struct summary_view){ .summary = &census->summary, .census = census },
		file);
}

struct segmap_error *show_layout(const struct options *options, const struct segmap_layout *layout,
				 FILE *file)
{
	if (layout->is_asked && options->form != FORM_JSON)
		return options->form == FORM_RAW ?
			       render_raw_answers(layout, &options->style, file) :
			       render_answers(layout, &options->style, file);
	if (options->summary)
		return show_summary(options, layout, file);
	if (options->audit && options->form != FORM_JSON)
		return options->form == FORM_RAW ? render_raw_audit(layout, &options->style, file) :
						   render_audit(layout, &options->style, file);
	switch (options->form) {
	case FORM_SVG:
	case FORM_HTML:
		return page_add(options->page, layout, &options->range);
	case FORM_JSON:
		return render_json(layout, &options->range, options->style.figures, file);
	case FORM_RAW:
		return render_raw(layout, &options->selection, &options->style, &options->range,
				  file);
	default:
		return render_table(layout, &options->selection, &options->style, &options->range,
				    file);
	}
}

struct segmap_error *show_held(const struct options *options, FILE *file)
{
	return options->page ? page_write(options->page, file) : NULL;
}

unsigned int wanted_of_files(const struct options *options)
{
	if (options->audit)
		return SEGMAP_WANT_SONAME | SEGMAP_WANT_LINKING;
	return options->form == FORM_JSON || options->n_sources ? SEGMAP_WANT_SONAME : 0;
}

void report_notes(const struct options *options, const struct segmap_layout *layout)
{
	/* A core's pid says less than its file. */
	bool has_pid = layout->pid && layout->source != SEGMAP_SOURCE_CORE;
	char pid[16];

	if (options->form == FORM_JSON || options->form == FORM_HTML ||
	    (options->form == FORM_TABLE && options->style.frame))
		return;
	snprintf(pid, sizeof(pid), "%d", layout->pid);
	for (size_t i = 0; i < layout->n_notes; i++)
		report(segmap_error_new(SEGMAP_ERROR_FORMAT, has_pid ? pid : layout->target,
					"%s", layout->notes[i]));
}

void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

void report_missed(const struct segmap_layout *layout)
{
	for (size_t i = 0; i < layout->n_answers; i++) {
		const char *asked = layout->answers[i].asked;
		bool is_hex = !asked[strspn(asked, "0123456789abcdefABCDEF")];

		if (!layout->answers[i].found)
			report(segmap_error_new(SEGMAP_ERROR_FORMAT, asked,
						"nothing in %s has this name%s%s", layout->target,
						is_hex ? "; an address begins with a digit: 0x" : "",
						is_hex ? asked : ""));
	}
}

struct segmap_error *confine(const struct options *options, struct output *output,
			     enum sandbox what, const char *directory)
{
	struct segmap_error *error = NULL;
	struct segmap_json_c json_c;
	struct tm utc;

	if (options->form == FORM_JSON) {
		error = segmap_json_c_load(&json_c); /* for good: who loads it again finds it */
		gmtime_r(&(time_t){ 0 }, &utc); /* reads the time zone's file when first called */
	}
	if (error)
		return error;
	/* Without it there are answers still, and a note that says why they have no symbols. */
	if (options->n_asked || options->audit)
		error = segmap_symbols_preload();
	if (error && error->code == SEGMAP_ERROR_NO_MEMORY)
		return error;
	segmap_error_free(error);
	error = NULL;
	if (options->no_sandbox)
		return NULL;
	if (output)
		error = output_delegate(output);
	if (!error)
		sandbox_enter(what, directory);
	return error;
}

static struct segmap_error *audit(struct segmap_layout *layout)
{
	struct segmap_error *error = NULL;

	/* Of a program that does not run there is nothing more to read. */
	if (!layout->prediction)
		error = segmap_layout_gather(layout);
	if (!error)
		error = segmap_layout_name_altered(layout);
	return error ? error : segmap_layout_audit(layout);
}

/* Why the columns that were asked for are empty. */
static struct segmap_error *note_want_of_figures(const struct options *options,
						 struct segmap_layout *layout)
{
	bool is_maps = layout->source == SEGMAP_SOURCE_MAPS;

	if (!(options->wanted & SEGMAP_WANT_FIGURES) || options->summary || options->audit ||
	    (!is_maps && layout->source != SEGMAP_SOURCE_CORE) ||
	    (layout->memory && layout->memory->n_figures))
		return NULL;
	return segmap_layout_note(layout, "there are no figures of memory use here: %s",
				  is_maps ? "a saved maps has none, a saved smaps has" :
					    "a core has none");
}

struct segmap_error *examine(const struct options *options, struct segmap_files *files,
			     struct segmap_layout *layout)
{
	struct segmap_error *error = segmap_files_parse(files, layout);
	enum segmap_pages_of which = SEGMAP_PAGES_OF_IMAGES;

	if (options->wanted & SEGMAP_WANT_BRIEF)
		which = SEGMAP_PAGES_OF_MIXED;
	else if (options->wanted & SEGMAP_WANT_ALL_PAGES)
		which = SEGMAP_PAGES_OF_ALL;

	if (!error)
		error = segmap_layout_correlate(layout);
	if (!error && options->audit)
		error = audit(layout);
	if (!error)
		error = note_want_of_figures(options, layout);
	/* Only a process has pages to look at; saved smaps have figures of whole VMAs. */
	if (error || layout->source != SEGMAP_SOURCE_PROCESS ||
	    !(options->wanted & SEGMAP_WANT_PAGES))
		return error;
	error = segmap_layout_read_pages(layout, which);
	return error ? error : segmap_layout_account(layout);
}

void report_census(const struct options *options, const struct segmap_census *census)
{
	if (options->form == FORM_JSON || (options->form == FORM_TABLE && options->style.frame))
		return;
	for (size_t i = 0; i < census->n_stale; i++)
		report(segmap_error_new(SEGMAP_ERROR_FORMAT, census->stale[i].path,
					"%s; mapped by %d (%s)",
					census->stale[i].status == SEGMAP_STATUS_DELETED ?
						"deleted" :
						"replaced",
					census->stale[i].pid, census->stale[i].comm));
	for (size_t i = 0; i < census->n_notes; i++)
		report(segmap_error_new(SEGMAP_ERROR_FORMAT, "--all", "%s", census->notes[i]));
}
