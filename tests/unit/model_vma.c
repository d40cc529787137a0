/* tests/unit/model_vma.c - one line of /proc/PID/maps. */
#include "unit.h"
#include <errno.h>
#include <segmap/vma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { R = PROT_READ, W = PROT_WRITE, X = PROT_EXEC };

/* In the order of a line. */
#define VMA(start_, end_, prot_, shared_, off_, major_, minor_, ino_, name_)            \
	{ .start = (start_), .end = (end_), .prot = (prot_), .shared = (shared_),        \
	  .off = (off_), .dev_major = (major_), .dev_minor = (minor_), .ino = (ino_),     \
	  .name = (name_) }

/* Lines as kernels print them (fs/proc/task_mmu.c:show_map_vma). */
static const struct {
	const char *line;
	struct segmap_vma vma;
} valid[] = {
	{ "55d0c0a00000-55d0c0a02000 r--p 00000000 fe:01 1835041                    /usr/bin/cat",
	  VMA(0x55d0c0a00000, 0x55d0c0a02000, R, false, 0, 0xfe, 1, 1835041, "/usr/bin/cat") },
	{ "55d0c0a02000-55d0c0a06000 r-xp 00002000 fe:01 1835041                    /usr/bin/cat",
	  VMA(0x55d0c0a02000, 0x55d0c0a06000, R | X, false, 0x2000, 0xfe, 1, 1835041,
	      "/usr/bin/cat") },
	{ "7ffff7fc9000-7ffff7fca000 rw-s 00000000 00:01 2048                       "
	  "/memfd:a b (deleted)",
	  VMA(0x7ffff7fc9000, 0x7ffff7fca000, R | W, true, 0, 0, 1, 2048, "/memfd:a b (deleted)") },
	{ "7ffffffde000-7ffffffff000 rwxp 00000000 00:00 0                          [stack]",
	  VMA(0x7ffffffde000, 0x7ffffffff000, R | W | X, false, 0, 0, 0, 0, "[stack]") },
	{ "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]",
	  VMA(0xffffffffff600000, 0xffffffffff601000, X, false, 0, 0, 0, 0, "[vsyscall]") },
	/* No name: the kernel writes nothing, or (with seq_pad before 3.19) blanks. */
	{ "7f0000000000-7f0000021000 rw-p 00000000 00:00 0",
	  VMA(0x7f0000000000, 0x7f0000021000, R | W, false, 0, 0, 0, 0, "") },
	{ "7f0000000000-7f0000021000 rw-p 00000000 00:00 0 ",
	  VMA(0x7f0000000000, 0x7f0000021000, R | W, false, 0, 0, 0, 0, "") },
	{ "7f0000000000-7f0000021000 ---p 00000000 00:00 0                          ",
	  VMA(0x7f0000000000, 0x7f0000021000, 0, false, 0, 0, 0, 0, "") },
	/* A 32-bit process: at least eight digits each. */
	{ "08048000-08049000 r-xp 00000000 08:01 17     /bin/a",
	  VMA(0x8048000, 0x8049000, R | X, false, 0, 8, 1, 17, "/bin/a") },
	{ "1000-2000 r-xp 00000000 fe:00 7   /a b (deleted)",
	  VMA(0x1000, 0x2000, R | X, false, 0, 0xfe, 0, 7, "/a b (deleted)") },
	{ "0-1000 r--p 00000000 00:00 0", VMA(0, 0x1000, R, false, 0, 0, 0, 0, "") },
	/* 5-level paging: 57-bit addresses. */
	{ "ff7fffff0000000-ff7fffff0001000 rw-p 00000000 00:00 0",
	  VMA(0xff7fffff0000000, 0xff7fffff0001000, R | W, false, 0, 0, 0, 0, "") },
	{ "fffffffffffff000-ffffffffffffffff r--p ffffffffffffffff ffff:ffffffff "
	  "18446744073709551615 /x",
	  VMA(0xfffffffffffff000, UINT64_MAX, R, false, UINT64_MAX, UINT16_MAX, UINT32_MAX,
	      UINT64_MAX, "/x") },
	/* Names are taken whole: whatever stands in them. */
	{ "1000-2000 r--p 00000000 00:2f 9 /tmp/a\\012b",
	  VMA(0x1000, 0x2000, R, false, 0, 0, 0x2f, 9, "/tmp/a\\012b") },
	{ "1000-2000 r--p 00000000 00:2f 9 /tmp/\\",
	  VMA(0x1000, 0x2000, R, false, 0, 0, 0x2f, 9, "/tmp/\\") },
	{ "1000-2000 r--p 00000000 00:2f 9 /tmp/a  b ",
	  VMA(0x1000, 0x2000, R, false, 0, 0, 0x2f, 9, "/tmp/a  b ") },
	{ "1000-2000 r--p 00000000 00:2f 9 /tmp/\t\033[31m\xff\xfe",
	  VMA(0x1000, 0x2000, R, false, 0, 0, 0x2f, 9, "/tmp/\t\033[31m\xff\xfe") },
	{ "1000-2000 r--p 00000000 00:2f 9 /3000-4000 r-xp 00000000 00:00 0 [heap]",
	  VMA(0x1000, 0x2000, R, false, 0, 0, 0x2f, 9, "/3000-4000 r-xp 00000000 00:00 0 [heap]") },
	{ "1000-2000 rw-p 00000000 00:00 0 [anon:a name, with (blanks)]",
	  VMA(0x1000, 0x2000, R | W, false, 0, 0, 0, 0, "[anon:a name, with (blanks)]") },
	{ "1000-2000 rw-s 00000000 00:01 5 [anon_shmem:x]",
	  VMA(0x1000, 0x2000, R | W, true, 0, 0, 1, 5, "[anon_shmem:x]") },
	{ "1000-2000 rw-s 00000000 00:0e 1040 anon_inode:[io_uring]",
	  VMA(0x1000, 0x2000, R | W, true, 0, 0, 0xe, 1040, "anon_inode:[io_uring]") },
	{ "1000-2000 r--p 00000000 00:2f 9 (unreachable)/lib/x",
	  VMA(0x1000, 0x2000, R, false, 0, 0, 0x2f, 9, "(unreachable)/lib/x") },
};

START_TEST(parses_what_kernels_print)
{
	const struct segmap_vma *expected = &valid[_i].vma;
	char *line = strdup(valid[_i].line);
	struct segmap_vma vma = { 0 };

	unit_no_error(segmap_vma_parse(line, &vma));
	ck_assert_uint_eq(vma.start, expected->start);
	ck_assert_uint_eq(vma.end, expected->end);
	ck_assert_uint_eq(segmap_vma_size(&vma), expected->end - expected->start);
	ck_assert_uint_eq(vma.off, expected->off);
	ck_assert_uint_eq(vma.ino, expected->ino);
	ck_assert_uint_eq(vma.dev_major, expected->dev_major);
	ck_assert_uint_eq(vma.dev_minor, expected->dev_minor);
	ck_assert_int_eq(vma.prot, expected->prot);
	ck_assert_int_eq(vma.shared, expected->shared);
	ck_assert_str_eq(vma.name, expected->name);
	/* The name is part of the line, not a copy. */
	ck_assert(vma.name >= line && vma.name <= line + strlen(line));
	free(line);
}
END_TEST

static const struct {
	const char *line, *problem; /* words of the error */
} malformed[] = {
	{ "", "address range" },
	{ " ", "address range" },
	{ "x", "address range" },
	{ "-2000 r--p 00000000 00:00 0", "address range" },
	{ "1000 r--p 00000000 00:00 0", "address range" },
	{ "1000- r--p 00000000 00:00 0", "address range" },
	{ "1000 -2000 r--p 00000000 00:00 0", "address range" },
	{ " 1000-2000 r--p 00000000 00:00 0", "address range" },
	{ "0x1000-0x2000 r--p 00000000 00:00 0", "address range" },
	{ "+1000-2000 r--p 00000000 00:00 0", "address range" },
	{ "-1000-2000 r--p 00000000 00:00 0", "address range" },
	{ "g0000000-h0000000 r--p 00000000 00:00 0", "address range" },
	{ "10000000-1000o000 r--p 00000000 00:00 0", "turned round" },
	{ "7fff0000g000-7fff00010000 r--p 00000000 00:00 0", "address range" },
	{ "7fff00000000-7fff0000/000 r--p 00000000 00:00 0", "turned round" },
	{ "7fff00000000-7fff0000:000 r--p 00000000 00:00 0", "turned round" },
	{ "7fff00000000-7fff0000`000 r--p 00000000 00:00 0", "turned round" },
	{ "7fff00000000-7fff0000@000 r--p 00000000 00:00 0", "turned round" },
	{ "1A000-1B000 r--p 00000000 00:00 0", "address range" },
	{ "10000000000000000-20000000000000000 r--p 00000000 00:00 0", "address range" },
	{ "1000-20000000000000000 r--p 00000000 00:00 0", "address range" },
	{ "2000-1000 r--p 00000000 00:00 0", "empty or turned round" },
	{ "1000-1000 r--p 00000000 00:00 0", "empty or turned round" },
	{ "0-0 r--p 00000000 00:00 0", "empty or turned round" },
	{ "1000-2000", "permissions" },
	{ "1000-2000 ", "permissions" },
	{ "1000-2000 r", "permissions" },
	{ "1000-2000 r--", "permissions" },
	{ "1000-2000  r--p 00000000 00:00 0", "permissions" },
	{ "1000-2000\tr--p 00000000 00:00 0", "permissions" },
	{ "1000-2000 x--p 00000000 00:00 0", "permissions" },
	{ "1000-2000 rwx 00000000 00:00 0", "permissions" },
	{ "1000-2000 r--q 00000000 00:00 0", "permissions" },
	{ "1000-2000 R--P 00000000 00:00 0", "permissions" },
	{ "1000-2000 -w-- 00000000 00:00 0", "permissions" },
	{ "1000-2000 r--p", "offset" },
	{ "1000-2000 r--p ", "offset" },
	{ "1000-2000 r--px 00000000 00:00 0", "offset" },
	{ "1000-2000 r--p -1 00:00 0", "offset" },
	{ "1000-2000 r--p 11111111111111111 00:00 0", "offset" },
	{ "1000-2000 r--p 00000000", "device" },
	{ "1000-2000 r--p 00000000 ", "device" },
	{ "1000-2000 r--p 00000000 00", "device" },
	{ "1000-2000 r--p 00000000 00:", "device" },
	{ "1000-2000 r--p 00000000 :00 0", "device" },
	{ "1000-2000 r--p 00000000 00-00 0", "device" },
	{ "1000-2000 r--p 00000000 100000000:00 0", "device" },
	{ "1000-2000 r--p 00000000 00:100000000 0", "device" },
	{ "1000-2000 r--p 00000000 00:00", "inode" },
	{ "1000-2000 r--p 00000000 00:00 ", "inode" },
	{ "1000-2000 r--p 00000000 00:00 /x", "inode" },
	{ "1000-2000 r--p 00000000 00:00 -1 /x", "inode" },
	{ "1000-2000 r--p 00000000 00:00 18446744073709551616 /x", "inode" },
	{ "1000-2000 r--p 00000000 00:00 99999999999999999999 /x", "inode" },
	{ "1000-2000 r--p 00000000 00:00 0x", "follows the inode" },
	{ "1000-2000 r--p 00000000 00:00 7/lib", "follows the inode" },
	{ "1000-2000 r--p 00000000 00:00 7\t/lib", "follows the inode" },
	/* pmap's and smaps' lines are none of maps' */
	{ "4242:   cat", "address range" },
	{ "Size:                  8 kB", "address range" },
	{ "000055d0c0a00000      8K r---- cat", "address range" },
};

START_TEST(refuses_what_no_kernel_prints)
{
	struct segmap_vma untouched, vma;
	struct segmap_error *error;

	memset(&untouched, 0x5a, sizeof(untouched));
	memcpy(&vma, &untouched, sizeof(vma));
	error = segmap_vma_parse(malformed[_i].line, &vma);
	ck_assert_msg(error != NULL, "\"%s\" was parsed", malformed[_i].line);
	ck_assert_str_eq(error->what, "");
	unit_error(error, SEGMAP_ERROR_FORMAT, malformed[_i].problem);
	ck_assert_msg(memcmp(&vma, &untouched, sizeof(vma)) == 0, "*ret was touched");
}
END_TEST

START_TEST(line_cut_at_any_place_is_parsed_or_refused)
{
	static const char whole[] =
		"7f1234567000-7f1234569000 r-xp 0001f000 103:02 1234567890 /usr/lib/libx y.so";
	const size_t end_of_inode = strstr(whole, " /usr") - whole;

	for (size_t size = 0; size < sizeof(whole); size++) {
		char *line = strndup(whole, size); /* of exactly this size, for the sanitizer */
		struct segmap_vma vma;
		struct segmap_error *error = segmap_vma_parse(line, &vma);
		/* From the first digit of the inode on it is a line. */
		bool is_line = size > (size_t)(strstr(whole, " 123456") - whole) + 1;

		ck_assert_msg((error == NULL) == is_line, "\"%s\"", line);
		if (!error && size >= end_of_inode)
			ck_assert_uint_eq(vma.ino, 1234567890);
		segmap_error_free(error);
		free(line);
	}
}
END_TEST

/* The slow and plain way: strspn() finds the digits, strtoull() reads them. */
static bool read_number(const char **at, const char *digits, int base, size_t most, uint64_t *ret)
{
	size_t size = strspn(*at, digits);

	if (!size || size > most)
		return false;
	errno = 0;
	*ret = strtoull(*at, NULL, base);
	*at += size;
	return errno == 0;
}

static bool read_character(const char **at, const char *allowed, char *ret)
{
	if (!**at || !strchr(allowed, **at))
		return false;
	*ret = *(*at)++;
	return true;
}

static bool read_line(const char *at, struct segmap_vma *ret)
{
	static const char hex[] = "0123456789abcdef";
	uint64_t major, minor, off, ino;
	char c, perms[4];

	if (!read_number(&at, hex, 16, 16, &ret->start) || !read_character(&at, "-", &c) ||
	    !read_number(&at, hex, 16, 16, &ret->end) || ret->start >= ret->end ||
	    !read_character(&at, " ", &c) || !read_character(&at, "r-", &perms[0]) ||
	    !read_character(&at, "w-", &perms[1]) || !read_character(&at, "x-", &perms[2]) ||
	    !read_character(&at, "ps", &perms[3]) || !read_character(&at, " ", &c) ||
	    !read_number(&at, hex, 16, 16, &off) || !read_character(&at, " ", &c) ||
	    !read_number(&at, hex, 16, 4, &major) || !read_character(&at, ":", &c) ||
	    !read_number(&at, hex, 16, 8, &minor) || !read_character(&at, " ", &c) ||
	    !read_number(&at, "0123456789", 10, 1000, &ino) || (*at && *at != ' '))
		return false;
	ret->off = off;
	ret->ino = ino;
	ret->dev_major = (uint16_t)major;
	ret->dev_minor = (uint32_t)minor;
	ret->prot = (perms[0] == 'r' ? R : 0) | (perms[1] == 'w' ? W : 0) |
		    (perms[2] == 'x' ? X : 0);
	ret->shared = perms[3] == 's';
	ret->name = at + strspn(at, " ");
	return true;
}

/* A line as a kernel could print it, of numbers of all lengths. */
static size_t random_line(uint64_t *state, char *line, size_t size)
{
	static const char *const perms[] = { "r--p", "rw-p", "r-xp", "---p", "rwxs", "--xp" };
	static const char *const names[] = { "", " ", "                /lib/a b", " [heap]" };
	uint64_t random = unit_random(state);
	uint64_t off = unit_random(state) >> (random >> 50 & 63);
	uint64_t ino = unit_random(state) >> (random >> 40 & 63);
	bool has_off = random >> 60, has_file = random >> 60 > 3;
	uint64_t start = unit_random(state) >> (unit_random(state) & 63);
	uint64_t end = start + (unit_random(state) >> (unit_random(state) & 63));

	return (size_t)snprintf(line, size, "%0*jx-%0*jx %s %0*jx %02x:%02x %ju%s",
				(int)(random & 15), (uintmax_t)start, (int)(random & 15),
				(uintmax_t)end, perms[(random >> 4) % 6], (int)(random >> 8 & 8),
				(uintmax_t)(has_off ? off : 0),
				(unsigned int)(has_file ? random >> 16 & 0xfff : 0),
				(unsigned int)(has_file ? random >> 28 & 0xfffff : 0),
				(uintmax_t)(has_file ? ino : 0), names[(random >> 12) % 4]);
}

/* Every byte counts: with one of them changed, added or lost, a line is another or none. */
START_TEST(agrees_with_strtoull_on_lines_that_are_spoilt)
{
	uint64_t state = 0x57a7e + (uint64_t)_i;

	for (int round = 0; round < 5000; round++) {
		static const char bytes[] = "0123456789abcdefghijklmno`/:@AF -rwxps"
					    "\t\1\x7f\x80\xff";
		struct segmap_vma expected = { 0 }, vma = { 0 };
		char whole[512], *line;
		size_t size = random_line(&state, whole, sizeof(whole));
		uint64_t spoil = unit_random(&state);
		struct segmap_error *error;
		size_t at = (spoil >> 8) % size;
		bool is_line;

		if ((spoil & 3) == 1) {
			whole[at] = bytes[(spoil >> 40) % (sizeof(bytes) - 1)];
		} else if ((spoil & 3) == 2) {
			memmove(whole + at, whole + at + 1, size - at);
		} else if ((spoil & 3) == 3) {
			memmove(whole + at + 1, whole + at, size - at + 1);
			whole[at] = bytes[(spoil >> 40) % (sizeof(bytes) - 1)];
		}
		line = strdup(whole); /* of exactly this size, for the sanitizer */
		is_line = read_line(line, &expected);
		error = segmap_vma_parse(line, &vma);
		ck_assert_msg((error == NULL) == is_line, "\"%s\" is %sa line", line,
			      is_line ? "" : "not ");
		if (is_line)
			ck_assert_msg(vma.start == expected.start && vma.end == expected.end &&
					      vma.off == expected.off && vma.ino == expected.ino &&
					      vma.dev_major == expected.dev_major &&
					      vma.dev_minor == expected.dev_minor &&
					      vma.prot == expected.prot &&
					      vma.shared == expected.shared &&
					      vma.name == expected.name,
				      "\"%s\" is parsed in another way", line);
		segmap_error_free(error);
		free(line);
	}
}
END_TEST

START_TEST(name_of_any_length_is_whole)
{
	static const size_t lengths[] = { 1, 255, 4095, 4096, 4097, 6000, 70000 };
	static const char fields[] = "1000-2000 r--p 00000000 08:01 7 ";
	char *line = malloc(sizeof(fields) + lengths[_i]);
	struct segmap_vma vma;

	ck_assert_ptr_nonnull(line);
	memcpy(line, fields, sizeof(fields));
	memset(line + sizeof(fields) - 1, '/', lengths[_i]);
	line[sizeof(fields) - 1 + lengths[_i]] = '\0';
	unit_no_error(segmap_vma_parse(line, &vma));
	ck_assert_uint_eq(strlen(vma.name), lengths[_i]);
	free(line);
}
END_TEST

static const struct {
	int prot;
	bool shared;
	const char *text;
} permissions[] = {
	{ 0, false, "---p" },	      { 0, true, "---s" },
	{ R, false, "r--p" },	      { W, false, "-w-p" },
	{ X, false, "--xp" },	      { R | W, true, "rw-s" },
	{ R | X, false, "r-xp" },     { W | X, false, "-wxp" },
	{ R | W | X, false, "rwxp" }, { R | W | X, true, "rwxs" },
};

START_TEST(permissions_read_as_in_maps)
{
	char text[5], line[64] = "1000-2000 ";
	struct segmap_vma vma;

	segmap_perms_format(permissions[_i].prot, permissions[_i].shared, text);
	ck_assert_str_eq(text, permissions[_i].text);
	strcat(line, text);
	strcat(line, " 00000000 00:00 0");
	unit_no_error(segmap_vma_parse(line, &vma));
	ck_assert_int_eq(vma.prot, permissions[_i].prot);
	ck_assert_int_eq(vma.shared, permissions[_i].shared);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("model/vma");
	TCase *tcase = unit_case(suite, "vma");

	tcase_add_loop_test(tcase, parses_what_kernels_print, 0, N_ROWS(valid));
	tcase_add_loop_test(tcase, refuses_what_no_kernel_prints, 0, N_ROWS(malformed));
	tcase_add_test(tcase, line_cut_at_any_place_is_parsed_or_refused);
	tcase_add_loop_test(tcase, agrees_with_strtoull_on_lines_that_are_spoilt, 0, 10);
	tcase_add_loop_test(tcase, name_of_any_length_is_whole, 0, 7);
	tcase_add_loop_test(tcase, permissions_read_as_in_maps, 0, N_ROWS(permissions));
	return unit_run(suite);
}
