/* include/segmap/error.h - errors as values. */
#ifndef SEGMAP_ERROR_H
#define SEGMAP_ERROR_H

#if defined(__GNUC__)
#define SEGMAP_API __attribute__((visibility("default")))
#define SEGMAP_MUST_CHECK __attribute__((warn_unused_result))
#define SEGMAP_PRINTF(at, first) __attribute__((format(printf, at, first)))
#else
#define SEGMAP_API
#define SEGMAP_MUST_CHECK
#define SEGMAP_PRINTF(at, first)
#endif

/* What a caller may want to tell apart; everything else is in the text. */
enum segmap_error_code {
	SEGMAP_ERROR_NO_MEMORY,
	SEGMAP_ERROR_SYSTEM,	   /* a system call failed */
	SEGMAP_ERROR_NO_PROCESS,   /* there is none, or it has ended */
	SEGMAP_ERROR_NO_MEMORY_MAP, /* a zombie or a kernel thread: a process without memory */
	SEGMAP_ERROR_PERMISSION,   /* root or the owner could */
	SEGMAP_ERROR_FORMAT,	   /* the bytes are not what they should be */
	SEGMAP_ERROR_LIMIT,	   /* more than segmap believes, see segmap/limits.h */
};

/*
 * An error: while doing something to @what, this went wrong: @why.
 *
 * Functions that can fail return NULL for success or an error that the caller
 * frees; their output parameters are then untouched. Both texts are raw: they
 * can hold hostile bytes from a file name, so print them with
 * segmap_text_append_safe().
 */
struct segmap_error {
	enum segmap_error_code code;
	const char *what; /* the file, pid or option; "" if there is none */
	const char *why;  /* one sentence without a full stop, with what would help */
};

/*
 * Make an error about @what. Running out of memory here yields the constant
 * out-of-memory error instead, so the result is never NULL.
 */
SEGMAP_API struct segmap_error *segmap_error_new(enum segmap_error_code code, const char *what,
						 const char *why_format, ...) SEGMAP_PRINTF(3, 4);

/* An error for errno value @errnum: the system's words for it, and what would help. */
SEGMAP_API struct segmap_error *segmap_error_system(int errnum, const char *what,
						    const char *doing);

/* The constant error for running out of memory. */
SEGMAP_API struct segmap_error *segmap_error_no_memory(void);

/* Free an error. NULL and the constant error are allowed. */
SEGMAP_API void segmap_error_free(struct segmap_error *error);

#endif
