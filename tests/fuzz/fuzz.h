/* tests/fuzz/fuzz.h - what the fuzz targets share: inputs in parts, files that are none, invariants. */
#ifndef FUZZ_H
#define FUZZ_H

#include <segmap/layout.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What each target is: libFuzzer, AFL++ and replay.c call it. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* End the process, with the place, unless @condition holds. Not assert(): release builds keep it. */
#define FUZZ_CHECK(condition) \
	((condition) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #condition))
void fuzz_fail(const char *file, int line, const char *condition) __attribute__((noreturn));

/*
 * Whether all went well. An @error is freed; it must have a text, and not be about
 * memory: there is enough of it for whatever an input of this size asks for.
 */
bool fuzz_ok(struct segmap_error *error);

/* A named part of an input. */
struct fuzz_part {
	char name[256];
	uint8_t *bytes; /* memory of its own, so that a sanitizer sees its ends; a NUL is behind them */
	size_t size;
	int fd; /* a file with these bytes; -1 until fuzz_part_file() */
};

enum { FUZZ_MAX_PARTS = 16 };

struct fuzz_input {
	struct fuzz_part parts[FUZZ_MAX_PARTS];
	size_t n;
};

/*
 * Take an input apart: for each part a byte with the length of its name, the name,
 * four bytes with the size in little-endian order, the bytes. A size that is too
 * great means all that is left, so that every input has a meaning.
 */
void fuzz_input_take(const uint8_t *data, size_t size, struct fuzz_input *ret);
void fuzz_input_free(struct fuzz_input *input);

/* The part of this name, or NULL. */
struct fuzz_part *fuzz_input_find(struct fuzz_input *input, const char *name);

/* Byte @index of the part "options"; 0 if there is none. */
unsigned int fuzz_option(struct fuzz_input *input, size_t index);

/* A file in memory with these bytes, open for reading and writing. */
int fuzz_file(const void *bytes, size_t size);

/* The same for a part, made once; fuzz_input_free() closes it. */
int fuzz_part_file(struct fuzz_part *part);

/* The path of an empty directory, removed as the process ends: a sysroot in which nothing is found. */
const char *fuzz_empty_directory(void);

/* VMAs ascend, indices are in range, and pieces cover their VMA. @layout is correlated. */
void fuzz_check_layout(const struct segmap_layout *layout);

/* Nothing in the output can act on a terminal: valid UTF-8, and newlines the only controls. */
void fuzz_check_text(const char *bytes, size_t size);

/*
 * Write @layout, which came of the @size bytes at @data, and check what is written: as JSON and in one form
 * more that the bytes choose, or, where inputs are replayed, in every form. To write all takes ten times
 * as long as all that comes before it.
 */
void fuzz_render(const struct segmap_layout *layout, const uint8_t *data, size_t size);
extern bool fuzz_every_form;

/* Audit @layout, correlated, and write what was found, in every form. */
void fuzz_audit(struct segmap_layout *layout);

/* Write what @write writes of @context, and check it as text. */
void fuzz_write(void (*write)(const void *context, FILE *file), const void *context);

#endif
