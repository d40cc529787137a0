/* src/render/quiz.h - questions about a predicted map, with their key. */
#ifndef RENDER_QUIZ_H
#define RENDER_QUIZ_H

#include "render/columns.h"
#include <stdio.h>

enum question_kind {
	QUESTION_ROWS,		   /* how many rows the file has at the entry point */
	QUESTION_ROWS_AT_EXEC,	   /* likewise right after execve */
	QUESTION_ROWS_WITH_LINKER, /* likewise with its interpreter, at the entry point */
	QUESTION_ANONYMOUS,	   /* bytes of its rows that no file holds */
	QUESTION_RELRO_END,	   /* where what RELRO makes read-only ends */
	/* The others are about one row. */
	QUESTION_PERMS,
	QUESTION_OFFSET,
	QUESTION_SECTIONS,
	QUESTION_SEGMENT, /* which program header maps it */
	N_QUESTION_KINDS,
};

struct question {
	enum question_kind kind;
	int64_t vma;	   /* index of its row at the entry point; -1: it is about the file */
	char *text;	   /* owned, and safe to print */
	char *explanation; /* likewise */
	/* The answer. PROT_* for permissions, an ELF virtual address for RELRO's end; 0 for sections. */
	uint64_t number;
	const char **sections; /* names, each once; the array is owned, the bytes are the file's */
	size_t n_sections;     /* 0 unless sections are asked for */
};

/* Borrowed from the two layouts that it was made of. */
struct quiz {
	const struct segmap_layout *exec, *entry;
	uint32_t seed;
	struct question *questions; /* owned */
	size_t n_questions;
};

/*
 * Make a quiz of the predictions of one program for the moments exec and
 * entry; both run (their outcome has no reason). Questions and their order
 * depend on @seed and the program alone: a splitmix64 generator shuffles all
 * that can be asked, and the first are taken. How many rows the file has is
 * always asked first.
 */
SEGMAP_MUST_CHECK struct segmap_error *quiz_make(const struct segmap_layout *exec,
						 const struct segmap_layout *entry, uint32_t seed,
						 struct quiz *ret);
void quiz_free(struct quiz *quiz);

/* A word for @kind, as JSON has it. */
const char *word_of_question(enum question_kind kind);

/* Append the right answer as one would type it. */
void say_key(struct segmap_text *text, const struct question *question);

/*
 * Whether what was typed is right. Permissions with or without p and dashes;
 * offsets, sizes and addresses in hexadecimal with or without 0x, in decimal or
 * with a K; names of sections in any order, parted by blanks or commas.
 */
bool question_is_right(const struct question *question, const char *answer);

/* Write what the file says, on which the answers are built. */
SEGMAP_MUST_CHECK struct segmap_error *render_quiz_head(const struct quiz *quiz,
							const struct style *style, FILE *file);

/* Write question @index. */
SEGMAP_MUST_CHECK struct segmap_error *render_question(const struct quiz *quiz, size_t index,
						       const struct style *style, FILE *file);

/* Write whether its answer was @right, what would be, and why. */
SEGMAP_MUST_CHECK struct segmap_error *render_question_key(const struct question *question,
							   bool right, const struct style *style,
							   FILE *file);

#endif
