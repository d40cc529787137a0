/* src/base/error.c - errors as values. */
#include <errno.h>
#include <segmap/error.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct segmap_error no_memory = {
	.code = SEGMAP_ERROR_NO_MEMORY,
	.what = "memory",
	.why = "there is not enough",
};

struct segmap_error *segmap_error_no_memory(void)
{
	return &no_memory;
}

struct segmap_error *segmap_error_new(enum segmap_error_code code, const char *what,
				      const char *why_format, ...)
{
	struct segmap_error *error;
	size_t what_size = strlen(what) + 1;
	va_list arguments;
	int why_length;
	char *texts;

	va_start(arguments, why_format);
	why_length = vsnprintf(NULL, 0, why_format, arguments);
	va_end(arguments);
	if (why_length < 0)
		return &no_memory;

	/* One block: the error, then its two texts. */
	error = malloc(sizeof(*error) + what_size + (size_t)why_length + 1);
	if (!error)
		return &no_memory;
	texts = (char *)(error + 1);
	memcpy(texts, what, what_size);
	va_start(arguments, why_format);
	vsnprintf(texts + what_size, (size_t)why_length + 1, why_format, arguments);
	va_end(arguments);
	*error = (struct segmap_error){ .code = code, .what = texts, .why = texts + what_size };
	return error;
}

struct segmap_error *segmap_error_system(int errnum, const char *what, const char *doing)
{
	char words[128];
	const char *text = strerror_r(errnum, words, sizeof(words));

	switch (errnum) {
	case ENOMEM:
		return &no_memory;
	case EACCES:
	case EPERM:
		return segmap_error_new(SEGMAP_ERROR_PERMISSION, what,
					"%s: %s (root or the owner may)", doing, text);
	case EMFILE:
	case ENFILE:
		return segmap_error_new(SEGMAP_ERROR_LIMIT, what,
					"%s: %s (raise the limit with ulimit -n)", doing, text);
	default:
		return segmap_error_new(SEGMAP_ERROR_SYSTEM, what, "%s: %s", doing, text);
	}
}

void segmap_error_free(struct segmap_error *error)
{
	if (error != &no_memory)
		free(error);
}
