/* tests/unit/base_idmap.c - from a pair of numbers to an index. */
#include "unit.h"
#include "base/idmap.h"
#include <stdlib.h>

START_TEST(what_is_new_gets_the_fresh_value)
{
	struct idmap map = { 0 };
	uint32_t value = 99;

	ck_assert(idmap_find_or_add(&map, 1, 2, 0, &value));
	ck_assert_uint_eq(value, 0);
	ck_assert(idmap_find_or_add(&map, 2, 1, 1, &value));
	ck_assert_uint_eq(value, 1);
	ck_assert_uint_eq(map.n_used, 2);
	idmap_free(&map);
}
END_TEST

START_TEST(what_is_known_keeps_its_value)
{
	struct idmap map = { 0 };
	uint32_t value;

	ck_assert(idmap_find_or_add(&map, 7, 8, 41, &value));
	ck_assert(idmap_find_or_add(&map, 7, 8, 42, &value));
	ck_assert_uint_eq(value, 41);
	ck_assert_uint_eq(map.n_used, 1);
	idmap_free(&map);
}
END_TEST

START_TEST(both_numbers_count_with_all_their_bits)
{
	static const uint64_t pairs[][2] = {
		{ 0, 0 }, { 0, 1 }, { 1, 0 }, { 1, 1 }, { 0, UINT64_MAX }, { UINT64_MAX, 0 },
		{ UINT64_MAX, UINT64_MAX }, { 1ull << 32, 0 }, { 0, 1ull << 32 },
		{ 1ull << 63, 0 }, { 0, 1ull << 63 }, { 0xfe00000001, 7 }, { 0xfe00000002, 7 },
	};
	struct idmap map = { 0 };
	uint32_t value;

	for (uint32_t round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < N_ROWS(pairs); i++) {
			ck_assert(idmap_find_or_add(&map, pairs[i][0], pairs[i][1],
						    i + 1000 * round, &value));
			ck_assert_uint_eq(value, i);
		}
	}
	idmap_free(&map);
}
END_TEST

START_TEST(values_go_up_to_the_greatest_index)
{
	struct idmap map = { 0 };
	uint32_t value;

	ck_assert(idmap_find_or_add(&map, 1, 1, UINT32_MAX - 1, &value));
	ck_assert(idmap_find_or_add(&map, 1, 1, 0, &value));
	ck_assert_uint_eq(value, UINT32_MAX - 1);
	idmap_free(&map);
}
END_TEST

START_TEST(freed_map_is_empty_and_can_be_used_again)
{
	struct idmap map = { 0 };
	uint32_t value;

	idmap_free(&map);
	ck_assert(idmap_find_or_add(&map, 1, 1, 5, &value));
	idmap_free(&map);
	ck_assert(!map.slots && !map.n_slots && !map.n_used);
	ck_assert(idmap_find_or_add(&map, 1, 1, 6, &value));
	ck_assert_uint_eq(value, 6);
	idmap_free(&map);
}
END_TEST

/* A model that cannot be wrong: a table of all pairs there can be. */
START_TEST(agrees_with_a_table_of_all_pairs)
{
	/* Few keys make many finds, many keys make many growths. */
	static const uint32_t sides[] = { 8, 64, 512 };
	uint32_t side = sides[_i];
	uint32_t *model = calloc((size_t)side * side, sizeof(*model)); /* value + 1; 0: absent */
	uint64_t state = 0x1234567 + (uint64_t)_i;
	struct idmap map = { 0 };
	size_t distinct = 0;

	ck_assert_ptr_nonnull(model);
	for (uint32_t i = 0; i < 100000; i++) {
		uint64_t random = unit_random(&state);
		uint32_t a = (uint32_t)(random >> 40) % side, b = (uint32_t)random % side;
		uint32_t *expected = &model[a * side + b], value;

		if (!*expected) {
			*expected = i + 1;
			distinct++;
		}
		/* Spread out, as devices and inodes are: low bits that are all the same. */
		ck_assert(idmap_find_or_add(&map, (uint64_t)a << 20, (uint64_t)b << 32 | 1, i,
					    &value));
		ck_assert_uint_eq(value, *expected - 1);
	}
	ck_assert_uint_eq(map.n_used, distinct);
	ck_assert_uint_gt(map.n_slots, distinct);
	idmap_free(&map);
	free(model);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base/idmap");
	TCase *tcase = unit_case(suite, "idmap");

	tcase_add_test(tcase, what_is_new_gets_the_fresh_value);
	tcase_add_test(tcase, what_is_known_keeps_its_value);
	tcase_add_test(tcase, both_numbers_count_with_all_their_bits);
	tcase_add_test(tcase, values_go_up_to_the_greatest_index);
	tcase_add_test(tcase, freed_map_is_empty_and_can_be_used_again);
	tcase_add_loop_test(tcase, agrees_with_a_table_of_all_pairs, 0, 3);
	return unit_run(suite);
}
