/* tests/unit/base_range.c - sizes and page-aligned ranges that cannot wrap unnoticed. */
#include "unit.h"
#include "base/range.h"

static const struct {
	uint64_t a, b;
	bool fits;
	uint64_t sum;
} sums[] = {
	{ 0, 0, true, 0 },
	{ 1, 2, true, 3 },
	{ UINT64_MAX, 0, true, UINT64_MAX },
	{ UINT64_MAX - 1, 1, true, UINT64_MAX },
	{ UINT64_MAX, 1, false, 0 },
	{ 1, UINT64_MAX, false, 0 },
	{ UINT64_MAX, UINT64_MAX, false, 0 },
	{ 1ull << 63, 1ull << 63, false, 0 },
	{ 1ull << 63, (1ull << 63) - 1, true, UINT64_MAX },
};

START_TEST(sum_that_does_not_fit_is_refused)
{
	uint64_t sum = 0xdead;

	ck_assert_int_eq(checked_add(sums[_i].a, sums[_i].b, &sum), sums[_i].fits);
	ck_assert_uint_eq(sum, sums[_i].fits ? sums[_i].sum : 0xdead);
}
END_TEST

static const struct {
	uint64_t value, page_size, down, up;
} pages[] = {
	{ 0, 4096, 0, 0 },
	{ 1, 4096, 0, 4096 },
	{ 4095, 4096, 0, 4096 },
	{ 4096, 4096, 4096, 4096 },
	{ 4097, 4096, 4096, 8192 },
	{ 0x7ffff7fff123, 4096, 0x7ffff7fff000, 0x7ffff8000000 },
	{ 0x12345, 65536, 0x10000, 0x20000 },
	{ 0x12345, 16384, 0x10000, 0x14000 },
	{ 0x12345, 1, 0x12345, 0x12345 },
	{ 0xffffffffffffe001, 4096, 0xffffffffffffe000, 0xfffffffffffff000 },
	/* The last page of the address space ends at 0. */
	{ 0xfffffffffffff001, 4096, 0xfffffffffffff000, 0 },
	{ UINT64_MAX, 4096, 0xfffffffffffff000, 0 },
};

START_TEST(rounds_to_pages)
{
	ck_assert_uint_eq(page_down(pages[_i].value, pages[_i].page_size), pages[_i].down);
	ck_assert_uint_eq(page_up(pages[_i].value, pages[_i].page_size), pages[_i].up);
}
END_TEST

START_TEST(least_and_greatest)
{
	ck_assert_uint_eq(min_u64(1, 2), 1);
	ck_assert_uint_eq(min_u64(2, 1), 1);
	ck_assert_uint_eq(min_u64(UINT64_MAX, 0), 0);
	ck_assert_uint_eq(max_u64(1, 2), 2);
	ck_assert_uint_eq(max_u64(2, 1), 2);
	ck_assert_uint_eq(max_u64(UINT64_MAX, 0), UINT64_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base/range");
	TCase *tcase = unit_case(suite, "range");

	tcase_add_loop_test(tcase, sum_that_does_not_fit_is_refused, 0, N_ROWS(sums));
	tcase_add_loop_test(tcase, rounds_to_pages, 0, N_ROWS(pages));
	tcase_add_test(tcase, least_and_greatest);
	return unit_run(suite);
}
