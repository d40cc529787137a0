/* tests/unit/base_error.c - errors as values. */
#include "unit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

START_TEST(error_says_what_and_why)
{
	struct segmap_error *error =
		segmap_error_new(SEGMAP_ERROR_FORMAT, "file", "line %d: %s", 7, "it is odd");

	ck_assert_int_eq(error->code, SEGMAP_ERROR_FORMAT);
	ck_assert_str_eq(error->what, "file");
	ck_assert_str_eq(error->why, "line 7: it is odd");
	segmap_error_free(error);
}
END_TEST

START_TEST(error_owns_its_texts)
{
	char what[] = "name", why[] = "reason";
	struct segmap_error *error = segmap_error_new(SEGMAP_ERROR_LIMIT, what, "%s", why);

	memset(what, 'x', sizeof(what) - 1);
	memset(why, 'x', sizeof(why) - 1);
	ck_assert_str_eq(error->what, "name");
	ck_assert_str_eq(error->why, "reason");
	segmap_error_free(error);
}
END_TEST

START_TEST(texts_can_be_empty_or_long)
{
	size_t size = 100000;
	char *name = malloc(size + 1);
	struct segmap_error *error;

	ck_assert_ptr_nonnull(name);
	memset(name, 'n', size);
	name[size] = '\0';
	error = segmap_error_new(SEGMAP_ERROR_SYSTEM, name, "%s", name);
	ck_assert_uint_eq(strlen(error->what), size);
	ck_assert_uint_eq(strlen(error->why), size);
	segmap_error_free(error);
	error = segmap_error_new(SEGMAP_ERROR_SYSTEM, "", "%s", "");
	ck_assert_str_eq(error->what, "");
	ck_assert_str_eq(error->why, "");
	segmap_error_free(error);
	free(name);
}
END_TEST

START_TEST(name_with_percent_signs_is_not_a_format)
{
	struct segmap_error *error = segmap_error_new(SEGMAP_ERROR_SYSTEM, "%s%n%d", "%s", "%n%s");

	ck_assert_str_eq(error->what, "%s%n%d");
	ck_assert_str_eq(error->why, "%n%s");
	segmap_error_free(error);
	error = segmap_error_system(ENOENT, "%s", "%n");
	ck_assert_str_eq(error->what, "%s");
	ck_assert_ptr_nonnull(strstr(error->why, "%n: "));
	segmap_error_free(error);
}
END_TEST

static const struct {
	int errnum;
	enum segmap_error_code code;
	const char *help; /* what the text must hold beside the system's own words */
} system_errors[] = {
	{ EACCES, SEGMAP_ERROR_PERMISSION, "root or the owner" },
	{ EPERM, SEGMAP_ERROR_PERMISSION, "root or the owner" },
	{ EMFILE, SEGMAP_ERROR_LIMIT, "ulimit -n" },
	{ ENFILE, SEGMAP_ERROR_LIMIT, "ulimit -n" },
	{ EIO, SEGMAP_ERROR_SYSTEM, "" },
	{ ENOSPC, SEGMAP_ERROR_SYSTEM, "" },
	{ 123456, SEGMAP_ERROR_SYSTEM, "" },
};

START_TEST(system_error_says_what_would_help)
{
	struct segmap_error *error = segmap_error_system(system_errors[_i].errnum, "file", "open");
	char *words = strdup(strerror(system_errors[_i].errnum));

	ck_assert_int_eq(error->code, system_errors[_i].code);
	ck_assert_str_eq(error->what, "file");
	ck_assert_msg(strncmp(error->why, "open: ", 6) == 0, "%s", error->why);
	ck_assert_msg(strstr(error->why, words) != NULL, "%s", error->why);
	ck_assert_msg(strstr(error->why, system_errors[_i].help) != NULL, "%s", error->why);
	free(words);
	segmap_error_free(error);
}
END_TEST

START_TEST(lack_of_memory_is_one_constant_error)
{
	struct segmap_error *error = segmap_error_no_memory();

	ck_assert_int_eq(error->code, SEGMAP_ERROR_NO_MEMORY);
	ck_assert_ptr_eq(error, segmap_error_system(ENOMEM, "file", "open"));
	segmap_error_free(error);
	segmap_error_free(error); /* nothing is freed */
	ck_assert_str_ne(error->why, "");
}
END_TEST

START_TEST(no_error_can_be_freed)
{
	segmap_error_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base/error");
	TCase *tcase = unit_case(suite, "error");

	tcase_add_test(tcase, error_says_what_and_why);
	tcase_add_test(tcase, error_owns_its_texts);
	tcase_add_test(tcase, texts_can_be_empty_or_long);
	tcase_add_test(tcase, name_with_percent_signs_is_not_a_format);
	tcase_add_loop_test(tcase, system_error_says_what_would_help, 0, N_ROWS(system_errors));
	tcase_add_test(tcase, lack_of_memory_is_one_constant_error);
	tcase_add_test(tcase, no_error_can_be_freed);
	return unit_run(suite);
}
