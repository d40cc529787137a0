/* src/cli/quiz.h - segmap --quiz: questions on a terminal, and as a worksheet. */
#ifndef CLI_QUIZ_H
#define CLI_QUIZ_H

#include "cli/options.h"
#include "cli/output.h"

/* Ask the system what a quiz needs: a seed, and whether answers are typed. Before the sandbox. */
void prepare_quiz(struct options *options);

/*
 * Ask about the program of which @exec and @entry are the predictions: answers
 * come from standard input, a line each, until it ends. As JSON or with --quiet
 * nobody is asked. The error is for a program that will not run, or for memory.
 */
SEGMAP_MUST_CHECK struct segmap_error *hold_quiz(const struct options *options,
						 const struct segmap_layout *exec,
						 const struct segmap_layout *entry,
						 struct output *output);

#endif
