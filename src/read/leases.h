/* src/read/leases.h - files that cannot be opened without somebody being told. */
#ifndef READ_LEASES_H
#define READ_LEASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

/*
 * A lease for writing, or one that is being broken: whoever opens the file, to read it too,
 * has the kernel send its holder a signal, which ends a process that does not await it
 * (fcntl(2), F_SETLEASE; fs/locks.c: __break_lease()).
 */
struct lease {
	uint64_t dev, ino; /* of the file system itself, which on btrfs is not as stat() has it */
};

/* Those there are, as /proc/locks lists them for the readers of this PID namespace. */
struct leases {
	struct lease *array; /* owned */
	size_t n, capacity;
	time_t read_at; /* second of CLOCK_MONOTONIC; 0: not yet */
};

void leases_free(struct leases *leases);

/* Whether @line of /proc/locks (fs/locks.c: lock_get_status()) is such a lease: *@ret. */
bool lease_parse(const char *line, struct lease *ret);

/*
 * Whether there is one on the file with @stat: *@ret. Reading the list has the kernel wait for
 * all processors, some 10 ms, so it is read at most once a second. What cannot be read says
 * nothing. False if there is no memory.
 */
bool leases_find(struct leases *leases, const struct stat *stat, bool *ret);

#endif
