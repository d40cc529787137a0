/* tests/unit/model_at.c - questions about addresses and names; permissions that are not known. */
#include "unit.h"
#include <segmap/at.h>
#include <string.h>

#define ADDRESS SEGMAP_QUESTION_ADDRESS
#define SYMBOL SEGMAP_QUESTION_SYMBOL
#define OFFSET SEGMAP_QUESTION_OFFSET
#define SECTION SEGMAP_QUESTION_SECTION

static const struct {
	const char *text;
	enum segmap_question_kind kind;
	uint64_t number;
	const char *image, *name;
} questions[] = {
	{ "0", ADDRESS, 0, NULL, NULL },
	{ "7fFf", ADDRESS, 0x7fff, NULL, NULL },
	{ "0x10", ADDRESS, 0x10, NULL, NULL },
	{ "0XaB", ADDRESS, 0xab, NULL, NULL },
	{ "0xffffffffffffffff", ADDRESS, UINT64_MAX, NULL, NULL },
	{ "00000000000000000000001", ADDRESS, 1, NULL, NULL },
	/* What begins with no digit is no address. */
	{ "feed", SYMBOL, 0, NULL, "feed" },
	{ "main", SYMBOL, 0, NULL, "main" },
	{ "operator+(int)", SYMBOL, 0, NULL, "operator+(int)" },
	{ "libc.so.6!main", SYMBOL, 0, "libc.so.6", "main" },
	{ "/a b/c!d!main", SYMBOL, 0, "/a b/c!d", "main" },
	{ "libc.so.6+0x10", OFFSET, 0x10, "libc.so.6", NULL },
	{ "/lib/g++/x+y+0xa", OFFSET, 0xa, "/lib/g++/x+y", NULL },
	{ "7z+0x1", OFFSET, 1, "7z", NULL },
	{ "7z!main", SYMBOL, 0, "7z", "main" },
	{ ".text", SECTION, 0, NULL, ".text" },
	{ "[vdso]!.text", SECTION, 0, "[vdso]", ".text" },
};

START_TEST(question_is_parsed)
{
	struct segmap_question question = { 0 };

	unit_no_error(segmap_question_parse(questions[_i].text, &question));
	ck_assert_msg(question.kind == questions[_i].kind, "%s", questions[_i].text);
	ck_assert_uint_eq(question.number, questions[_i].number);
	ck_assert_pstr_eq(question.image, questions[_i].image);
	ck_assert_pstr_eq(question.name, questions[_i].name);
	ck_assert_str_eq(question.asked, questions[_i].text);
	segmap_question_free(&question);
}
END_TEST

static const char *const none[] = {
	"", "12zz", "0x", "0xg", "10000000000000000", "1 ", "!", "a!", "!a", "+0x1", "a+0x", "a+0xzz",
	"a+0x10000000000000000", "0x1!",
};

START_TEST(what_is_no_question_is_an_error)
{
	struct segmap_question question = { 0 };

	unit_error(segmap_question_parse(none[_i], &question), SEGMAP_ERROR_FORMAT, NULL);
	ck_assert_ptr_null(question.asked);
}
END_TEST

static const struct {
	struct segmap_vma vma;
	const char *perms;
	int prot;	/* that is asked about */
	bool has, may_execute;
} perms[] = {
	{ { .prot = PROT_READ | PROT_EXEC }, "r-xp", PROT_READ | PROT_EXEC, true, true },
	{ { .prot = PROT_READ, .shared = true }, "r--s", PROT_READ | PROT_EXEC, false, false },
	{ { .prot = PROT_READ, .unknown_shared = true }, "r--?", PROT_READ, true, false },
	{ { .unknown_prot = SEGMAP_ALL_PROT }, "???p", PROT_WRITE, true, true },
	{ { .unknown_prot = SEGMAP_ALL_PROT, .unknown_shared = true }, "????", PROT_NONE, true,
	  true },
	{ { .unknown_prot = PROT_READ }, "?--p", PROT_NONE, true, false },
	{ { .unknown_prot = PROT_READ }, "?--p", PROT_READ, true, false },
	{ { .unknown_prot = PROT_READ }, "?--p", PROT_READ | PROT_WRITE, false, false },
	{ { .prot = PROT_EXEC, .unknown_prot = PROT_READ }, "?-xp", PROT_READ | PROT_EXEC, true,
	  true },
	{ { .prot = PROT_NONE }, "---p", PROT_READ, false, false },
};

START_TEST(permissions_that_are_not_known_are_question_marks_and_contradict_nothing)
{
	char text[5];

	segmap_vma_perms_format(&perms[_i].vma, text);
	ck_assert_str_eq(text, perms[_i].perms);
	ck_assert(segmap_vma_has_prot(&perms[_i].vma, perms[_i].prot) == perms[_i].has);
	ck_assert(segmap_vma_may_execute(&perms[_i].vma) == perms[_i].may_execute);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("at");
	TCase *tc = unit_case(suite, "questions");

	tcase_add_loop_test(tc, question_is_parsed, 0, N_ROWS(questions));
	tcase_add_loop_test(tc, what_is_no_question_is_an_error, 0, N_ROWS(none));
	tcase_add_loop_test(
		tc, permissions_that_are_not_known_are_question_marks_and_contradict_nothing, 0,
		N_ROWS(perms));
	return unit_run(suite);
}
