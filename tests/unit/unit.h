/* tests/unit/unit.h - what the unit tests share. */
#ifndef UNIT_H
#define UNIT_H

#include <check.h>
#include <segmap/error.h>
#include <stddef.h>
#include <stdint.h>

/* Check's loop tests count in int. */
#define N_ROWS(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* A new test case in @suite with time enough for a sanitizer on a busy machine. */
TCase *unit_case(Suite *suite, const char *name);

/* Run @suite, print Check's summary; what main() returns. */
int unit_run(Suite *suite);

/* There was no error; else fail with its text. */
void unit_no_error(struct segmap_error *error);

/* @error is there, has this code, and its text holds @words (NULL: any). Frees it. */
void unit_error(struct segmap_error *error, enum segmap_error_code code, const char *words);

/*
 * Numbers that look random and are the same on every machine (xorshift64*,
 * Vigna 2014). *@state is not 0.
 */
uint64_t unit_random(uint64_t *state);

#endif
