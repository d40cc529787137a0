/* src/cli/options.h - the command line. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "cli/at.h"
#include "render/columns.h"
#include "render/page.h"
#include "render/summary.h"
#include "render/table.h"
#include <segmap/predict.h>
#include <segmap/saved.h>

enum form {
	FORM_TABLE,
	FORM_RAW,
	FORM_JSON,
	FORM_SVG,
	FORM_HTML,
};

enum colour {
	COLOUR_AUTO,
	COLOUR_ALWAYS,
	COLOUR_NEVER,
};

/* exec, entry and exit. */
enum { MOST_MOMENTS = 3 };

struct options {
	char **targets; /* into argv */
	int n_targets;
	enum form form;
	struct page *page; /* the document that --svg and --html make; NULL for another form; owned */
	enum colour colour;
	bool legend; /* what colours and marks mean, before the first table */
	struct style style;
	struct selection selection; /* owned */
	bool summary;
	struct summary_selection summary_selection;
	struct range range;
	const char *maps, *core; /* a file instead of processes; NULL */
	int n_sources;		 /* how many such files were named */
	struct segmap_elsewhere elsewhere;
	const char **asked; /* --at, as it stands in argv; the array is owned */
	size_t n_asked;
	struct questions questions; /* --at; owned */
	bool has_range;
	const char *output_file; /* NULL: standard output */
	bool all;		 /* every process; there are no targets */
	bool audit;		 /* findings instead of the map */
	bool explain;		 /* targets are programs and libraries */
	bool quiz;		 /* the one target is a program to ask about */
	bool has_seed;		 /* --seed; without it a seed is found when the quiz begins */
	uint32_t seed;
	bool is_typed;		 /* answers to a quiz are typed on a terminal, which echoes them */
	struct segmap_predict_options predict;
	bool run;   /* targets are a program and its arguments */
	bool trace; /* with run: show the calls, too */
	enum segmap_moment moments[MOST_MOMENTS]; /* with explain and run: which maps, in order */
	size_t n_moments;
	double watch_seconds; /* look at the target so often; 0: once */
	bool diff;  /* targets are two maps, to be compared */
	bool verify;	  /* run the programs, and compare */
	bool all_moments; /* to be compared, since none was named: only entry is shown as a table */
	bool no_sandbox; /* for debugging segmap */
	bool help, version, list_columns;
	unsigned int wanted; /* SEGMAP_WANT_…: what the columns shown need */
};

/*
 * Read the command line. The error's text is one line that says what is wrong
 * with it.
 */
SEGMAP_MUST_CHECK struct segmap_error *options_parse(int argc, char **argv, struct options *ret);
void options_free(struct options *options);

/* The program that a target of --diff wants predicted, "explain:PROGRAM"; NULL: it is another target. */
const char *options_explained(const char *target);

/* What --help and --list-columns print. */
void options_print_help(FILE *file);
void options_print_columns(FILE *file);
void options_print_summary_columns(FILE *file);

#endif
