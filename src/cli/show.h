/* src/cli/show.h - one map in the form that was asked for, and what goes to standard error. */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include "cli/options.h"
#include "cli/output.h"
#include "cli/sandbox.h"
#include <segmap/process.h>

/*
 * Have letters of names escaped where @form is text and the character set is not UTF-8
 * (segmap_text_escape_letters()); returns whether they were before.
 */
bool escape_letters(enum form form);

/* "segmap: WHAT: WHY" on standard error, and free @error. */
void report(struct segmap_error *error);

/* Decide what hangs on where the output goes: colours, widths. */
void settle_style(struct options *options, FILE *file);

/*
 * output_open(), and what comes first: decide what hangs on where the output goes (colours,
 * widths), and write the legend if it was asked for.
 */
SEGMAP_MUST_CHECK struct segmap_error *show_open(struct options *options, struct output *ret);

/* Write one map, or add it to the document of --svg and --html. Errors of writing stay in @file. */
SEGMAP_MUST_CHECK struct segmap_error *show_layout(const struct options *options,
						   const struct segmap_layout *layout, FILE *file);

/* After the last map: write the document that was made of them, if there is one. */
SEGMAP_MUST_CHECK struct segmap_error *show_held(const struct options *options, FILE *file);

/* The same for a summary of many processes. */
SEGMAP_MUST_CHECK struct segmap_error *show_census(const struct options *options,
						   struct segmap_census *census, FILE *file);

/*
 * Load what is otherwise loaded on demand, and enter the sandbox, unless --no-sandbox says
 * not to: @what and @directory are sandbox_enter()'s. @output can still be committed then (NULL: another
 * process does that).
 * Errors: something needed cannot be loaded, or no process made.
 */
SEGMAP_MUST_CHECK struct segmap_error *confine(const struct options *options, struct output *output,
					       enum sandbox what, const char *directory);

/* What of ELF objects is to be parsed for @options: enum segmap_want. */
unsigned int wanted_of_files(const struct options *options);

/* Parse what @layout's VMAs map, find out what they are, what is wanted of their memory, and what is
 * out of order. */
SEGMAP_MUST_CHECK struct segmap_error *examine(const struct options *options,
					       struct segmap_files *files,
					       struct segmap_layout *layout);

/*
 * Notes are part of a document and of a framed table; elsewhere they would break
 * the form, and go to standard error.
 */
void report_notes(const struct options *options, const struct segmap_layout *layout);
void report_census(const struct options *options, const struct segmap_census *census);

/* --at: names that nothing in @layout has. */
void report_missed(const struct segmap_layout *layout);

/* A file stays open until it is parsed, and some processes have very many. */
void raise_file_limit(void);

#endif
