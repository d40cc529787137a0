/* src/cli/target.c - the process that a word on the command line means. */
#include "cli/target.h"
#include <bsd/stdlib.h>
#include <segmap/process.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool target_pid(const char *name, int *ret)
{
	const char *problem, *text = name;
	char digits[16];
	size_t size;

	if (strcmp(name, "/proc/self") == 0 || strcmp(name, "/proc/self/") == 0) {
		*ret = getpid();
		return true;
	}
	if (strncmp(text, "/proc/", 6) == 0)
		text += 6;
	size = strspn(text, "0123456789");
	if (!size || (text[size] && strcmp(text + size, "/") != 0))
		return false;
	*ret = 0;
	if (size < sizeof(digits)) {
		memcpy(digits, text, size);
		digits[size] = '\0';
		*ret = (int)strtonum(digits, 1, INT32_MAX, &problem);
	}
	return true;
}

struct segmap_error *target_unknown(const char *pid)
{
	return segmap_error_new(SEGMAP_ERROR_NO_PROCESS, pid, "there is no such process");
}

struct segmap_error *target_unnamed(const char *name)
{
	return segmap_error_new(SEGMAP_ERROR_NO_PROCESS, name, "no process has this name");
}

struct segmap_error *target_one(const char *name, int *ret)
{
	struct segmap_error *error;
	int *pids = NULL;
	size_t n = 0;

	if (target_pid(name, ret))
		return *ret ? NULL : target_unknown(name);
	error = segmap_process_find(name, &pids, &n);
	if (!error && !n)
		error = target_unnamed(name);
	else if (!error && n > 1)
		error = segmap_error_new(SEGMAP_ERROR_NO_PROCESS, name,
					 "%zu processes have this name: say which by its pid", n);
	else if (!error)
		*ret = pids[0];
	free(pids);
	return error;
}
