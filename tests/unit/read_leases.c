/* tests/unit/read_leases.c - which lines of /proc/locks tell of a lease that opening would break. */
#include "read/leases.h"
#include "unit.h"
#include <sys/sysmacros.h>

static const struct {
	const char *claim, *line;
	uint64_t ino; /* 0: none */
} lines[] = {
	{ "for writing", "1: LEASE  ACTIVE    WRITE 6602 fe:00:11485340 0 EOF", 11485340 },
	{ "being broken", "2: LEASE  BREAKING  UNLCK 6602 fe:00:7 0 EOF", 7 },
	{ "being broken to one for reading", "2: LEASE  BREAKING  READ 6602 fe:00:7 0 EOF", 7 },
	{ "of a server of files", "12: DELEG  ACTIVE    WRITE 0 fe:00:7 0 EOF", 7 },
	{ "of a process that is seen from elsewhere", "1: LEASE  ACTIVE    WRITE -1 fe:00:7 0 EOF", 7 },
	{ "for reading, which a reader leaves alone", "1: LEASE  ACTIVE    READ  1 fe:00:7 0 EOF", 0 },
	{ "no lease", "1: FLOCK  ADVISORY  WRITE 1 fe:00:7 0 EOF", 0 },
	{ "nor this", "1: POSIX  ADVISORY  WRITE 1 fe:00:7 0 EOF", 0 },
	{ "who waits has none", "1: -> LEASE  ACTIVE    WRITE 1 fe:00:7 0 EOF", 0 },
	{ "cut off", "1: LEASE  ACTIVE    WRITE 1 fe:00:", 0 },
	{ "of no file", "1: LEASE  ACTIVE    WRITE 1 <none>:0 0 EOF", 0 },
	{ "words that do not end", "1: LEASELEASELEASE ACTIVEACTIVEACTIVE WRITEWRITEWRITE 1 fe:00:7", 0 },
	{ "empty", "", 0 },
};

START_TEST(lease_is_told_from_other_locks)
{
	struct lease lease = { 0 };

	ck_assert_msg(lease_parse(lines[_i].line, &lease) == !!lines[_i].ino, "%s", lines[_i].claim);
	ck_assert_uint_eq(lease.ino, lines[_i].ino);
	ck_assert_uint_eq(lease.dev, lines[_i].ino ? makedev(0xfe, 0) : 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("read/leases");
	TCase *tcase = unit_case(suite, "leases");

	tcase_add_loop_test(tcase, lease_is_told_from_other_locks, 0, sizeof(lines) / sizeof(lines[0]));
	return unit_run(suite);
}
