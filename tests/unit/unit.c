/* tests/unit/unit.c - what the unit tests share. */
#include "unit.h"
#include <stdlib.h>
#include <string.h>

TCase *unit_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 120);
	suite_add_tcase(suite, tcase);
	return tcase;
}

int unit_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

void unit_no_error(struct segmap_error *error)
{
	if (error)
		ck_abort_msg("an error where none should be: %s: %s", error->what, error->why);
}

void unit_error(struct segmap_error *error, enum segmap_error_code code, const char *words)
{
	ck_assert_msg(error != NULL, "no error where one should be (%s)", words ? words : "any");
	ck_assert_msg(error->code == code, "error code %d, not %d: %s: %s", (int)error->code,
		      (int)code, error->what, error->why);
	ck_assert_msg(!words || strstr(error->why, words), "\"%s\" is not in \"%s\"", words,
		      error->why);
	segmap_error_free(error);
}

uint64_t unit_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1d;
}
