/* tests/unit/correlate_follow.c - what has become of each VMA between two maps of one process. */
#include "builder.h"
#include "unit.h"
#include <segmap/watch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY(start, end) ANON(start, end, "rw-p")
#define ANON(start, end, perms) start "-" end " " perms " 00000000 00:00 0 \n"
#define NAMED(start, end, name) start "-" end " rw-p 00000000 00:00 0 " name "\n"
#define MAPPED(start, end, off) start "-" end " r-xp " off " fe:01 7 /l\n"
#define COST(rss, anonymous, swap) \
	"Rss: " rss " kB\nPss: 1 kB\nAnonymous: " anonymous " kB\nSwap: " swap " kB\n"

/*
 * Before and after, and what is said: a word for each VMA of after with the index of the one
 * that it was, and behind "gone" those that are there no more.
 */
static const struct {
	const char *claim, *before, *after, *marks;
} cases[] = {
	{ "nothing before, nothing after", "", "", "" },
	{ "all is as it was", MEMORY("1000", "2000") MAPPED("5000", "6000", "00001000"),
	  MEMORY("1000", "2000") MAPPED("5000", "6000", "00001000"), "same 0, same 1" },
	{ "all is new", "", MEMORY("1000", "2000") MEMORY("4000", "5000"), "new, new" },
	{ "all is gone", MEMORY("1000", "2000") MEMORY("4000", "5000"), "", "gone 0 1" },
	{ "one more", MEMORY("3000", "4000"), MEMORY("1000", "2000") MEMORY("3000", "4000"),
	  "new, same 0" },
	{ "one less", MEMORY("1000", "2000") MEMORY("3000", "4000"), MEMORY("3000", "4000"),
	  "same 1, gone 0" },
	{ "it lies elsewhere", MEMORY("1000", "2000"), MEMORY("2000", "3000"), "new, gone 0" },

	{ "it ends later", MEMORY("1000", "2000"), MEMORY("1000", "3000"), "grown 0" },
	{ "it begins earlier", MEMORY("2000", "3000"), MEMORY("1000", "3000"), "grown 0" },
	{ "it ends earlier", MEMORY("1000", "3000"), MEMORY("1000", "2000"), "shrunk 0" },
	{ "it begins later", MEMORY("1000", "3000"), MEMORY("2000", "3000"), "shrunk 0" },
	{ "what has shrunk at one end and grown at the other has grown",
	  MEMORY("1000", "3000"), MEMORY("2000", "4000"), "grown 0" },
	{ "a hole is told once", MEMORY("1000", "4000"),
	  MEMORY("1000", "2000") MEMORY("3000", "4000"), "same 0, shrunk 0" },
	{ "a closed gap", MEMORY("1000", "2000") MEMORY("3000", "4000"),
	  MEMORY("1000", "4000"), "grown 1" },
	{ "cut in two and no more", MEMORY("1000", "4000"),
	  MEMORY("1000", "2000") MEMORY("2000", "4000"), "same 0, same 0" },
	{ "two become one and no more", MEMORY("1000", "2000") MEMORY("2000", "4000"),
	  MEMORY("1000", "4000"), "same 1" },
	{ "the upper half goes to the neighbour above",
	  MEMORY("1000", "3000") MEMORY("4000", "5000"),
	  MEMORY("1000", "2000") MEMORY("3000", "5000"), "shrunk 0, grown 1" },

	{ "other permissions", MEMORY("1000", "2000"), ANON("1000", "2000", "r--p"), "perms 0" },
	{ "permissions of the middle", MEMORY("1000", "4000"),
	  MEMORY("1000", "2000") ANON("2000", "3000", "---p") MEMORY("3000", "4000"),
	  "same 0, perms 0, same 0" },
	{ "a part with other permissions joins in",
	  ANON("1000", "2000", "r--p") MEMORY("2000", "3000"), MEMORY("1000", "3000"), "perms 0" },
	{ "and between two", MEMORY("1000", "2000") ANON("2000", "3000", "r--p") MEMORY("3000", "4000"),
	  MEMORY("1000", "4000"), "perms 1" },
	{ "permissions rather than growth", MEMORY("1000", "2000"), ANON("1000", "3000", "r--p"),
	  "perms 0" },
	{ "permissions rather than shrinking", MEMORY("1000", "3000"), ANON("1000", "2000", "r--p"),
	  "perms 0" },

	{ "file pages at their offsets", MAPPED("1000", "4000", "00000000"),
	  MAPPED("2000", "4000", "00001000"), "shrunk 0" },
	{ "file pages at another offset", MAPPED("1000", "2000", "00000000"),
	  MAPPED("1000", "2000", "00001000"), "new, gone 0" },
	{ "another file", "1000-2000 r--p 00000000 fe:01 7 /l\n",
	  "1000-2000 r--p 00000000 fe:01 8 /l\n", "new, gone 0" },
	{ "its major number", "1000-2000 r--p 00000000 fe:01 7 /l\n",
	  "1000-2000 r--p 00000000 fd:01 7 /l\n", "new, gone 0" },
	{ "its minor number", "1000-2000 r--p 00000000 fe:01 7 /l\n",
	  "1000-2000 r--p 00000000 fe:02 7 /l\n", "new, gone 0" },
	{ "deleted since", "1000-2000 r--p 00000000 fe:01 7 /l\n",
	  "1000-2000 r--p 00000000 fe:01 7 /l (deleted)\n", "same 0" },
	{ "mapped anew, shared", "1000-2000 r--p 00000000 fe:01 7 /l\n",
	  "1000-2000 r--s 00000000 fe:01 7 /l\n", "new, gone 0" },
	{ "memory where a file was", MAPPED("1000", "2000", "00000000"),
	  ANON("1000", "2000", "r-xp"), "new, gone 0" },
	{ "memory in the middle of a file", MAPPED("1000", "4000", "00000000"),
	  MAPPED("1000", "2000", "00000000") ANON("2000", "3000", "r-xp")
	  MAPPED("3000", "4000", "00002000"),
	  "same 0, new, shrunk 0" },
	{ "memory grows over a file", MEMORY("1000", "2000") MAPPED("2000", "3000", "00000000"),
	  MEMORY("1000", "3000"), "grown 0, gone 1" },

	{ "memory gets a name", MEMORY("1000", "2000"), NAMED("1000", "2000", "[anon:cache]"),
	  "same 0" },
	{ "and becomes the heap", NAMED("1000", "2000", "[anon:cache]"),
	  NAMED("1000", "2000", "[heap]"), "same 0" },
	{ "a stack is no other memory", NAMED("1000", "2000", "[stack]"), MEMORY("1000", "2000"),
	  "new, gone 0" },
	{ "and has its name", NAMED("1000", "2000", "[stack]"), NAMED("1000", "2000", "[stack]"),
	  "same 0" },
	{ "the kernel's areas are what they are called", NAMED("1000", "2000", "[vvar]"),
	  NAMED("1000", "2000", "[vdso]"), "new, gone 0" },
	{ "at both ends of the address space",
	  ANON("0", "1000", "---p") MEMORY("ffffffffffffe000", "fffffffffffff000"),
	  ANON("0", "2000", "---p") MEMORY("ffffffffffffd000", "fffffffffffff000"),
	  "grown 0, grown 1" },

	{ "the same cost", MEMORY("1000", "2000") COST("4", "4", "0"),
	  MEMORY("1000", "2000") COST("4", "4", "0"), "same 0" },
	{ "more pages", MEMORY("1000", "2000") COST("0", "4", "0"),
	  MEMORY("1000", "2000") COST("4", "4", "0"), "memory 0" },
	{ "other pages", MEMORY("1000", "2000") COST("4", "0", "0"),
	  MEMORY("1000", "2000") COST("4", "4", "0"), "memory 0" },
	{ "pages in swap", MEMORY("1000", "2000") COST("4", "4", "0"),
	  MEMORY("1000", "2000") COST("4", "4", "4"), "memory 0" },
	{ "other processes' doing", MEMORY("1000", "2000") "Rss: 4 kB\nPss: 4 kB\n",
	  MEMORY("1000", "2000") "Rss: 4 kB\nPss: 2 kB\n", "same 0" },
	{ "what was not known before", MEMORY("1000", "2000"),
	  MEMORY("1000", "2000") COST("4", "4", "0"), "same 0" },
	{ "what is not known now", MEMORY("1000", "2000") COST("4", "4", "0"),
	  MEMORY("1000", "2000"), "same 0" },
	{ "cost of the VMA that it was",
	  MEMORY("3000", "4000") COST("4", "4", "0"),
	  MEMORY("1000", "2000") COST("8", "8", "0") MEMORY("3000", "4000") COST("4", "4", "0"),
	  "new, same 0" },
	{ "growth rather than cost", MEMORY("1000", "2000") COST("4", "4", "0"),
	  MEMORY("1000", "3000") COST("8", "8", "0"), "grown 0" },
	{ "halves do not cost what the whole did", MEMORY("1000", "3000") COST("8", "8", "0"),
	  MEMORY("1000", "2000") COST("4", "4", "0") MEMORY("2000", "3000") COST("4", "4", "0"),
	  "same 0, same 0" },
	{ "nor does the whole what a half did",
	  MEMORY("1000", "2000") COST("4", "4", "0") MEMORY("2000", "3000") COST("4", "4", "0"),
	  MEMORY("1000", "3000") COST("8", "8", "0"), "same 1" },
};

static const char *const words[] = {
	[SEGMAP_MARK_SAME] = "same",	 [SEGMAP_MARK_NEW] = "new",
	[SEGMAP_MARK_GROWN] = "grown",	 [SEGMAP_MARK_SHRUNK] = "shrunk",
	[SEGMAP_MARK_PERMS] = "perms",	 [SEGMAP_MARK_MEMORY] = "memory",
	[SEGMAP_MARK_GONE] = "gone",
};

static char *describe(const struct segmap_followed *followed, size_t n_vmas)
{
	char *text = NULL;
	size_t size = 0, n_gone = 0;
	FILE *file = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(file);
	for (size_t i = 0; i < n_vmas; i++) {
		fprintf(file, "%s%s", i ? ", " : "", words[followed->marks[i].mark]);
		if (followed->marks[i].before != UINT32_MAX)
			fprintf(file, " %u", (unsigned int)followed->marks[i].before);
	}
	for (size_t i = 0; i < followed->n_stretches; i++)
		if (followed->stretches[i].mark == SEGMAP_MARK_GONE)
			fprintf(file, "%s %u", n_gone++ ? "" : n_vmas ? ", gone" : "gone",
				(unsigned int)followed->stretches[i].before);
	ck_assert_int_eq(fclose(file), 0);
	return text;
}

START_TEST(vmas_are_followed)
{
	struct segmap_followed *followed = NULL;
	struct world before, after;
	size_t n_marked = 0;
	char *text;

	world_make(&before, cases[_i].before);
	world_make(&after, cases[_i].after);
	unit_no_error(segmap_layout_follow(before.layout, after.layout, &followed));
	text = describe(followed, after.layout->n_vmas);
	ck_assert_msg(strcmp(text, cases[_i].marks) == 0, "%s: it is \"%s\", not \"%s\"",
		      cases[_i].claim, text, cases[_i].marks);
	for (size_t i = 0; i < after.layout->n_vmas; i++)
		n_marked += followed->marks[i].mark != SEGMAP_MARK_SAME;
	ck_assert_uint_eq(followed->n_marked, n_marked);
	free(text);
	segmap_followed_free(followed);
	world_free(&before);
	world_free(&after);
}
END_TEST

/* What has happened where: "WORD START-END BEFORE>AFTER", with "-" for no VMA. */
static const struct {
	const char *claim, *before, *after, *stretches;
} places[] = {
	{ "nothing", MEMORY("1000", "2000"), MEMORY("1000", "2000"), "" },
	{ "new and gone", MEMORY("1000", "2000"), MEMORY("4000", "6000"),
	  "gone 1000-2000 0>-, new 4000-6000 ->0" },
	{ "what has grown", MEMORY("1000", "2000"), MEMORY("1000", "4000"), "grown 2000-4000 0>0" },
	{ "at both ends", MEMORY("2000", "3000"), MEMORY("1000", "4000"),
	  "grown 1000-2000 0>0, grown 3000-4000 0>0" },
	{ "what has shrunk", MEMORY("1000", "4000"), MEMORY("1000", "2000"), "shrunk 2000-4000 0>0" },
	{ "a hole", MEMORY("1000", "b000"), MEMORY("1000", "4000") MEMORY("5000", "b000"),
	  "shrunk 4000-5000 0>1" },
	{ "a closed gap", MEMORY("1000", "2000") MEMORY("3000", "4000"), MEMORY("1000", "4000"),
	  "grown 2000-3000 1>0" },
	{ "lost at one end, won at the other", MEMORY("1000", "3000"), MEMORY("2000", "4000"),
	  "shrunk 1000-2000 0>0, grown 3000-4000 0>0" },
	{ "permissions of the middle", MEMORY("1000", "4000"),
	  MEMORY("1000", "2000") ANON("2000", "3000", "---p") MEMORY("3000", "4000"),
	  "perms 2000-3000 0>1" },
	{ "and back", MEMORY("1000", "2000") ANON("2000", "3000", "---p") MEMORY("3000", "4000"),
	  MEMORY("1000", "4000"), "perms 2000-3000 1>0" },
	{ "of two with others", ANON("1000", "2000", "---p") ANON("2000", "3000", "r--p"),
	  MEMORY("1000", "3000"), "perms 1000-2000 0>0, perms 2000-3000 1>0" },
	{ "permissions and growth", MEMORY("1000", "2000"), ANON("1000", "3000", "r--p"),
	  "perms 1000-2000 0>0, grown 2000-3000 0>0" },
	{ "one in place of others", MEMORY("1000", "2000") MEMORY("2000", "4000"),
	  MAPPED("1000", "4000", "00000000"), "gone 1000-2000 0>-, new 1000-4000 ->0, gone 2000-4000 1>-" },
	{ "others in place of one", MAPPED("1000", "4000", "00000000"),
	  MEMORY("1000", "2000") ANON("2000", "4000", "r--p"),
	  "gone 1000-4000 0>-, new 1000-2000 ->0, new 2000-4000 ->1" },
	{ "cost comes last", MEMORY("1000", "2000") COST("4", "4", "0") MEMORY("3000", "4000"),
	  MEMORY("1000", "2000") COST("8", "8", "0"), "gone 3000-4000 1>-, memory 1000-2000 0>0" },
};

static char *describe_stretches(const struct segmap_followed *followed)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(file);
	for (size_t i = 0; i < followed->n_stretches; i++) {
		const struct segmap_stretch *stretch = &followed->stretches[i];
		char before[16] = "-", after[16] = "-";

		if (stretch->before != UINT32_MAX)
			snprintf(before, sizeof(before), "%u", (unsigned int)stretch->before);
		if (stretch->after != UINT32_MAX)
			snprintf(after, sizeof(after), "%u", (unsigned int)stretch->after);
		fprintf(file, "%s%s %jx-%jx %s>%s", i ? ", " : "", words[stretch->mark],
			(uintmax_t)stretch->start, (uintmax_t)stretch->end, before, after);
	}
	ck_assert_int_eq(fclose(file), 0);
	return text;
}

START_TEST(what_happens_is_told_of_where_it_happens)
{
	struct segmap_followed *followed = NULL;
	struct world before, after;
	char *text;

	world_make(&before, places[_i].before);
	world_make(&after, places[_i].after);
	unit_no_error(segmap_layout_follow(before.layout, after.layout, &followed));
	text = describe_stretches(followed);
	ck_assert_msg(strcmp(text, places[_i].stretches) == 0, "%s: it is \"%s\", not \"%s\"",
		      places[_i].claim, text, places[_i].stretches);
	free(text);
	segmap_followed_free(followed);
	world_free(&before);
	world_free(&after);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("correlate/follow");
	TCase *tcase = unit_case(suite, "follow");

	tcase_add_loop_test(tcase, vmas_are_followed, 0, N_ROWS(cases));
	tcase_add_loop_test(tcase, what_happens_is_told_of_where_it_happens, 0, N_ROWS(places));
	return unit_run(suite);
}
