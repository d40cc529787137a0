/* src/read/leases.c - files that cannot be opened without somebody being told. */
#include "read/leases.h"
#include "base/scope.h"
#include "read/bytes.h"
#include <fcntl.h>
#include <segmap/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

void leases_free(struct leases *leases)
{
	free(leases->array);
}

bool lease_parse(const char *line, struct lease *ret)
{
	char what[8], state[12], kind[8];
	unsigned int major, minor;
	uintmax_t ino;

	if (sscanf(line, "%*u: %7s %11s %7s %*d %x:%x:%ju", what, state, kind, &major, &minor,
		   &ino) != 6 ||
	    (strcmp(what, "LEASE") != 0 && strcmp(what, "DELEG") != 0) ||
	    (strcmp(state, "ACTIVE") == 0 && strcmp(kind, "READ") == 0))
		return false;
	*ret = (struct lease){ .dev = makedev(major, minor), .ino = ino };
	return true;
}

/* Read the list anew. False if there is no memory. */
static bool read_all(struct leases *leases)
{
	scope_free char *text = NULL;
	size_t size;

	leases->n = 0;
	if (file_read_if_there(AT_FDCWD, "/proc/locks", SEGMAP_MAX_LOCKS, &text, &size))
		return false; /* the constant error, of which there is nothing to free */
	for (char *line = text, *rest; line; line = rest) {
		struct lease lease;

		rest = strchr(line, '\n');
		if (rest)
			*rest++ = '\0';
		if (!lease_parse(line, &lease))
			continue;
		if (!grow(&leases->array, &leases->capacity, leases->n, sizeof(lease)))
			return false;
		leases->array[leases->n++] = lease;
	}
	return true;
}

/* Whether @stat is of the file; a device without a number of its own is not known by it. */
static bool is_on(const struct lease *lease, const struct stat *stat)
{
	return lease->ino == stat->st_ino &&
	       (lease->dev == stat->st_dev || (!major(lease->dev) && !major(stat->st_dev)));
}

bool leases_find(struct leases *leases, const struct stat *stat, bool *ret)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!leases->read_at || leases->read_at != now.tv_sec) {
		if (!read_all(leases))
			return false;
		leases->read_at = now.tv_sec;
	}
	*ret = false;
	for (size_t i = 0; i < leases->n && !*ret; i++)
		*ret = is_on(&leases->array[i], stat);
	return true;
}
