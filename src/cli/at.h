/* src/cli/at.h - --at: the questions of the command line, and answering them. */
#ifndef CLI_AT_H
#define CLI_AT_H

#include <segmap/at.h>
#include <stdio.h>

struct questions {
	struct segmap_question *array;
	size_t n, capacity;
};

void questions_free(struct questions *questions);

/* Add what --at was given: @text, or with "-" each line of @input that is not empty. */
SEGMAP_MUST_CHECK struct segmap_error *questions_add(struct questions *questions, const char *text,
						     FILE *input);

/*
 * The addresses, if it is worth asking for each alone: there are few of them, and
 * nothing else is asked. Else 0. @addrs has room for QUESTIONS_FEW.
 */
enum { QUESTIONS_FEW = 32 };
size_t questions_few(const struct questions *questions, uint64_t *addrs);

/*
 * Answer @questions about @layout, which is correlated. Debug files are looked for below
 * @sysroot (NULL: the root). *@n_missed becomes the number of names that nothing has, each
 * with its answer.
 */
SEGMAP_MUST_CHECK struct segmap_error *questions_answer(const struct questions *questions,
							struct segmap_layout *layout,
							const char *sysroot, size_t *n_missed);

#endif
