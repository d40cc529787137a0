/* tests/unit/correlate_summary.c - summaries and the census, where memory ends at any request. */
#include "builder.h"
#include "unit.h"
#include <segmap/census.h>
#include <segmap/summary.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Requests that fail, counted from 1; 0: none. The linker puts these in the
 * place of the library's calls (ld(1), --wrap).
 */
static unsigned long request, failing;

void *__real_reallocarray(void *array, size_t n, size_t size);
void *__wrap_reallocarray(void *array, size_t n, size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);

static bool fails(void)
{
	return ++request == failing;
}

void *__wrap_reallocarray(void *array, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(array, n, size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

/* A file whose data and .bss are in one VMA, so that two rows are of one VMA. */
#define FILE_OF(path_)                                                                       \
	{ .path = (path_),                                                                   \
	  .segments = { LOAD(R, 0, 0, 0x1000, 0x1000), LOAD(RX, 0x1000, 0x1000, 0x1000, 0x1000), \
			LOAD(RW, 0x2000, 0x2000, 0x800, 0x1000) },                           \
	  .sections = { SECTION(".rodata", 0x400, 0x400, 0xc00),                             \
			SECTION(".text", 0x1000, 0x1000, 0x1000),                            \
			SECTION(".data", 0x2000, 0x2000, 0x800),                             \
			NOBITS(".bss", 0x2800, 0, 0x800) } }

static const struct plan files[MAX_FILES] = { FILE_OF("/a"), FILE_OF("/b"), FILE_OF("/c"),
					      FILE_OF("/d"), FILE_OF("/e"), FILE_OF("/f") };

enum { VMAS_OF_FILE = 3 };

static void make(struct world *world)
{
	char maps[2048];
	size_t size = 0;

	for (unsigned int i = 0; i < MAX_FILES; i++) {
		const char *const prot[VMAS_OF_FILE] = { "r--p", "r-xp", "rw-p" };

		for (unsigned int j = 0; j < VMAS_OF_FILE; j++) {
			unsigned int start = 0x10000 * (i + 1) + 0x1000 * j;

			size += (size_t)snprintf(maps + size, sizeof(maps) - size,
						 "%x-%x %s %08x fe:00 %u %s\n", start,
						 start + 0x1000, prot[j], 0x1000 * j, i + 7,
						 files[i].path);
		}
	}
	world_make(world, maps);
	for (size_t i = 0; i < MAX_FILES; i++)
		world_put(world, &files[i]);
	world_correlate(world);
}

/* The sum of all rows, which is that of the totals. */
static void check_sum(const struct segmap_summary *summary, uint64_t size)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < summary->n_rows; i++) {
		ck_assert_uint_gt(summary->rows[i].processes, 0);
		sum += summary->rows[i].figures.of[SEGMAP_SUMMARY_SIZE];
	}
	ck_assert_uint_eq(sum, size);
	ck_assert_uint_eq(summary->totals.of[SEGMAP_SUMMARY_SIZE], size);
}

/* From each VMA on, so that the array of rows is full at each of them once. */
START_TEST(every_request_for_memory_can_fail)
{
	struct world world;
	uint64_t low;
	bool done = false;

	make(&world);
	low = world.layout->vmas[_i].start;
	for (failing = 1; !done; failing++) {
		struct segmap_summary summary = { 0 };
		struct segmap_error *error;

		request = 0;
		error = segmap_layout_summarize(world.layout, low, UINT64_MAX, &summary);
		done = request < failing;
		ck_assert((error != NULL) == !done);
		if (error)
			unit_error(error, SEGMAP_ERROR_NO_MEMORY, NULL);
		else
			check_sum(&summary, (world.layout->n_vmas - (size_t)_i) * PAGE);
		segmap_summary_free(&summary);
	}
	failing = 0;
	world_free(&world);
}
END_TEST

/* A process that there is no memory for is not counted in any row; the one after it is. */
START_TEST(process_is_counted_as_a_whole_or_not_at_all)
{
	struct world world;
	uint64_t low;
	bool done = false;

	make(&world);
	world.layout->backings[0].status = SEGMAP_STATUS_DELETED;
	low = world.layout->vmas[_i].start;
	for (unsigned long n = 1; !done; n++) {
		struct segmap_census *census;
		struct segmap_error *error;
		uint64_t end = world.layout->vmas[VMAS_OF_FILE - 1].start, size = 0;

		unit_no_error(segmap_census_new(&census));
		request = 0;
		failing = n;
		error = segmap_census_add(census, world.layout, low, UINT64_MAX);
		failing = 0;
		done = request < n;
		ck_assert((error != NULL) == !done);
		if (error)
			unit_error(error, SEGMAP_ERROR_NO_MEMORY, NULL);
		else
			size = (world.layout->n_vmas - (size_t)_i) * PAGE;
		ck_assert_uint_eq(census->n_stale, done);
		unit_no_error(segmap_census_add(census, world.layout, 0, end));
		unit_no_error(segmap_census_finish(census));
		check_sum(&census->summary, size + (uint64_t)VMAS_OF_FILE * PAGE);
		ck_assert_uint_eq(census->summary.n_processes, 1U + done);
		ck_assert_uint_eq(census->n_stale, 1U + done);
		segmap_census_free(census);
	}
	world_free(&world);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("correlate/summary");
	TCase *all = unit_case(suite, "memory ends");

	tcase_add_loop_test(all, every_request_for_memory_can_fail, 0, VMAS_OF_FILE * MAX_FILES);
	tcase_add_loop_test(all, process_is_counted_as_a_whole_or_not_at_all, 0,
			    VMAS_OF_FILE * MAX_FILES);
	return unit_run(suite);
}
