/* tests/unit/correlate_account.c - pages shared out among pieces, summed up and drawn; stacks named. */
#include "builder.h"
#include "correlate/labels.h"
#include "model/memory.h"
#include "unit.h"
#include <segmap/summary.h>
#include <stdlib.h>
#include <string.h>

/* A program of four segments: code, read-only data, RELRO, data and .bss. */
static const struct plan program = {
	.path = "/p",
	.segments = { LOAD(R, 0, 0, 0x1000, 0x1000), LOAD(RX, 0x1000, 0x1000, 0x2000, 0x2000),
		      LOAD(RW, 0x3000, 0x3000, 0x1800, 0x3000), RELRO(0x3000, 0x3000, 0x1000) },
	.sections = { SECTION(".rodata", 0x400, 0x400, 0xc00),
		      SECTION(".text", 0x1000, 0x1000, 0x2000),
		      SECTION(".data.rel.ro", 0x3000, 0x3000, 0x1000),
		      SECTION(".data", 0x4000, 0x4000, 0x800), NOBITS(".bss", 0x4800, 0, 0x1800) },
};

static const char program_maps[] =
	"10000-11000 r--p 00000000 fe:00 7 /p\n"
	"11000-13000 r-xp 00001000 fe:00 7 /p\n"
	"13000-14000 r--p 00003000 fe:00 7 /p\n"
	"14000-15000 rw-p 00004000 fe:00 7 /p\n"
	"15000-16000 rw-p 00000000 00:00 0 \n"
	"20000-24000 rw-p 00000000 00:00 0 [heap]\n"
	"30000-31000 ---p 00000000 00:00 0 \n"
	"31000-39000 rw-p 00000000 00:00 0 \n"
	"40000-48000 rw-p 00000000 00:00 0 \n";

enum { RODATA, TEXT, RELRO_VMA, DATA, BSS, HEAP, GUARD, STACK, OTHER, N_VMAS };

enum {
	FILE_PAGE = SEGMAP_PAGE_PRESENT | SEGMAP_PAGE_FILE,
	OWN_FILE_PAGE = FILE_PAGE | SEGMAP_PAGE_EXCLUSIVE,
	ANON_PAGE = SEGMAP_PAGE_PRESENT | SEGMAP_PAGE_EXCLUSIVE,
};

/* smaps' figure of a VMA. */
static void set(struct segmap_memory *memory, size_t vma, const char *name, uint64_t value)
{
	bool failed;
	int32_t figure = memory_find_or_add(memory, name, strlen(name), true, &failed);

	ck_assert(!failed && memory_reach(memory, N_VMAS - 1));
	memory->values[vma * memory->stride + (size_t)figure] = value;
}

static void set_all(struct segmap_memory *memory, size_t vma, uint64_t rss, uint64_t anonymous,
		    uint64_t swap, uint64_t dirty)
{
	set(memory, vma, "Rss", rss);
	set(memory, vma, "Pss", rss / 2);
	set(memory, vma, "Anonymous", anonymous);
	set(memory, vma, "Swap", swap);
	set(memory, vma, "Shared_Dirty", 0);
	set(memory, vma, "Private_Dirty", dirty);
	set(memory, vma, "Private_Clean", 0);
}

static void add_run(struct segmap_memory *memory, uint64_t start, uint32_t n, uint32_t flags)
{
	struct segmap_pages *pages = &memory->pages;

	pages->runs = reallocarray(pages->runs, pages->n_runs + 1, sizeof(*pages->runs));
	ck_assert_ptr_nonnull(pages->runs);
	pages->runs[pages->n_runs++] = (struct segmap_page_run){ start, n, flags, 0 };
}

/* The program with pages of all sorts: the kernel's figures agree with the page map. */
static void make(struct world *world)
{
	struct segmap_memory *memory;

	world_make(world, program_maps);
	world_put(world, &program);
	memory = world->layout->memory = memory_new();
	ck_assert_ptr_nonnull(memory);
	memory->pages.known = memory->pages.zero_known = true;
	for (size_t i = 0; i < N_VMAS; i++)
		set_all(memory, i, 0, 0, 0, 0);
	set_all(memory, TEXT, 0x1000, 0, 0, 0);
	set_all(memory, RELRO_VMA, 0x1000, 0x1000, 0, 0x1000);
	set_all(memory, DATA, 0x1000, 0x1000, 0, 0x1000);
	set_all(memory, BSS, 0, 0, 0x1000, 0);
	set_all(memory, HEAP, 0x2000, 0x2000, 0, 0x1000);
	add_run(memory, 0x12000, 1, FILE_PAGE);
	add_run(memory, 0x13000, 2, ANON_PAGE); /* across two VMAs */
	add_run(memory, 0x15000, 1, SEGMAP_PAGE_SWAPPED);
	add_run(memory, 0x20000, 1, ANON_PAGE);
	add_run(memory, 0x21000, 1, SEGMAP_PAGE_ZERO);
	add_run(memory, 0x23000, 1, ANON_PAGE);
}

static const struct segmap_piece_memory *memory_of(const struct world *world, const char *name,
						   uint64_t addr)
{
	const struct segmap_layout *layout = world->layout;

	for (size_t i = 0; i < layout->n_pieces; i++)
		if (strcmp(layout->pieces[i].name, name) == 0 && layout->pieces[i].start <= addr &&
		    addr < layout->pieces[i].end)
			return &layout->memory->pieces[i];
	ck_abort_msg("there is no %s", name);
}

static const struct {
	const char *name;
	uint64_t addr;
	uint64_t rss, anonymous, exclusive, swap, pss, dirty;
} pieces[] = {
	{ ".rodata", 0x10400, 0, 0, 0, 0, 0, 0 },
	/* One of its two pages, and that is shared: of Pss nothing is known. */
	{ ".text", 0x11000, 0x1000, 0, 0, 0, SEGMAP_NO_FIGURE, 0 },
	{ ".data.rel.ro", 0x13000, 0x1000, 0x1000, 0x1000, 0, 0x1000, 0x1000 },
	/* Two share a page, each with its own bytes. */
	{ ".data", 0x14000, 0x800, 0x800, 0x800, 0, 0x800, 0x800 },
	{ ".bss", 0x14800, 0x800, 0x800, 0x800, 0, 0x800, 0x800 },
	{ ".bss", 0x15000, 0, 0, 0, 0x1000, 0, 0 },
};

START_TEST(piece_has_its_own_bytes_of_each_page)
{
	struct world world = { 0 };
	const struct segmap_piece_memory *memory;

	make(&world);
	world_correlate(&world);
	unit_no_error(segmap_layout_account(world.layout));
	memory = memory_of(&world, pieces[_i].name, pieces[_i].addr);
	ck_assert(memory->rss == pieces[_i].rss && memory->anonymous == pieces[_i].anonymous);
	ck_assert(memory->exclusive == pieces[_i].exclusive && memory->swap == pieces[_i].swap);
	ck_assert(memory->file == memory->rss - memory->anonymous);
	ck_assert(memory->pss == pieces[_i].pss && memory->dirty == pieces[_i].dirty);
	for (size_t i = 0; i < world.layout->n_vmas; i++)
		ck_assert(!world.layout->memory->about[i]);
	ck_assert_uint_eq(world.layout->n_notes, 0);
	world_free(&world);
}
END_TEST

/* What the kernel says of the VMA is not what its pages say. */
static const struct {
	const char *figure;
	uint64_t value;
} changed[] = { { "Rss", 0x2000 }, { "Anonymous", 0 }, { "Swap", 0x1000 } };

START_TEST(pieces_that_do_not_add_up_are_about)
{
	struct world world = { 0 };

	make(&world);
	set(world.layout->memory, DATA, changed[_i].figure, changed[_i].value);
	world_correlate(&world);
	unit_no_error(segmap_layout_account(world.layout));
	for (size_t i = 0; i < world.layout->n_vmas; i++)
		ck_assert_int_eq(world.layout->memory->about[i], i == DATA);
	ck_assert_uint_eq(world.layout->n_notes, 1);
	world_free(&world);
}
END_TEST

/* Two map the page of .text; what smaps says decides whether that is still so. */
START_TEST(shared_page_counts_in_part_if_it_is_known_how_many_share_it)
{
	static const struct {
		uint32_t sharers;
		uint64_t pss_of_vma, pss;
	} shared[] = {
		{ 2, 0x800, 0x800 },
		{ 3, 0x400, 0x1000 / 3 }, /* the kernel shows whole KiB */
		{ 3, 0x800, SEGMAP_NO_FIGURE },
		{ 0, 0x800, SEGMAP_NO_FIGURE },
	};

	for (int i = 0; i < N_ROWS(shared); i++) {
		struct world world = { 0 };

		make(&world);
		world.layout->memory->pages.runs[0].sharers = shared[i].sharers;
		set(world.layout->memory, TEXT, "Pss", shared[i].pss_of_vma);
		world_correlate(&world);
		unit_no_error(segmap_layout_account(world.layout));
		ck_assert_msg(memory_of(&world, ".text", 0x11000)->pss == shared[i].pss, "row %d", i);
		world_free(&world);
	}
}
END_TEST

static const struct {
	bool of_image;
	enum segmap_kind kind;
	enum segmap_class class;
	uint64_t size, rss, swap, pss;
} rows[] = {
	/* Of 12 KiB in memory each; what is in memory decides, then the class. */
	{ true, 0, SEGMAP_CLASS_CODE, 0x2000, 0x1000, 0, 0x800 },
	{ true, 0, SEGMAP_CLASS_RODATA, 0x1000, 0, 0, 0 },
	{ true, 0, SEGMAP_CLASS_RELRO, 0x1000, 0x1000, 0, 0x800 },
	/* Their VMA is of two classes, and its pages are nobody else's. */
	{ true, 0, SEGMAP_CLASS_DATA, 0x800, 0x800, 0, 0x800 },
	{ true, 0, SEGMAP_CLASS_BSS, 0x1800, 0x800, 0x1000, 0x800 },
	{ false, SEGMAP_KIND_HEAP, SEGMAP_CLASS_OTHER, 0x4000, 0x2000, 0, 0x1000 },
	/* A thread's stack among it: where others stand that are running is not known. */
	{ false, SEGMAP_KIND_ANON, SEGMAP_CLASS_OTHER, 0x11000, 0, 0, 0 },
};

START_TEST(summary_has_a_row_for_each_class_and_kind)
{
	struct segmap_summary summary;
	struct segmap_thread *thread = malloc(sizeof(*thread));
	struct world world = { 0 };
	uint64_t size = 0;

	ck_assert_ptr_nonnull(thread);
	*thread = (struct segmap_thread){ 8, 0x38ff0 };
	make(&world);
	world.layout->threads = thread;
	world.layout->n_threads = 1;
	world_correlate(&world);
	unit_no_error(segmap_layout_account(world.layout));
	unit_no_error(segmap_layout_summarize(world.layout, 0, UINT64_MAX, &summary));
	ck_assert_uint_eq(summary.n_rows, (size_t)N_ROWS(rows));
	for (int i = 0; i < N_ROWS(rows); i++) {
		const struct segmap_summary_row *row = &summary.rows[i];

		ck_assert_msg((row->image >= 0) == rows[i].of_image && row->class == rows[i].class &&
				      (rows[i].of_image || row->kind == rows[i].kind),
			      "row %d is another", i);
		ck_assert_uint_eq(row->figures.of[SEGMAP_SUMMARY_SIZE], rows[i].size);
		ck_assert_uint_eq(row->figures.of[SEGMAP_SUMMARY_RSS], rows[i].rss);
		ck_assert_uint_eq(row->figures.of[SEGMAP_SUMMARY_SWAP], rows[i].swap);
		ck_assert_uint_eq(row->figures.of[SEGMAP_SUMMARY_PSS], rows[i].pss);
		size += row->figures.of[SEGMAP_SUMMARY_SIZE];
	}
	ck_assert_uint_eq(summary.totals.of[SEGMAP_SUMMARY_SIZE], size);
	ck_assert_uint_eq(summary.totals.of[SEGMAP_SUMMARY_RSS], 0x5000);
	segmap_summary_free(&summary);
	/* The kernel's own sum is taken if it is of the same moment; for all VMAs only. */
	world.layout->memory->rollup_rss = 0x5000;
	world.layout->memory->rollup_pss = 0x2c00;
	unit_no_error(segmap_layout_summarize(world.layout, 0, UINT64_MAX, &summary));
	ck_assert_uint_eq(summary.totals.of[SEGMAP_SUMMARY_PSS], 0x2c00);
	segmap_summary_free(&summary);
	unit_no_error(segmap_layout_summarize(world.layout, 0x13fff, 0x14000, &summary));
	ck_assert_uint_eq(summary.totals.of[SEGMAP_SUMMARY_SIZE], 0x2000);
	ck_assert_uint_eq(summary.totals.of[SEGMAP_SUMMARY_PSS], 0x1000);
	segmap_summary_free(&summary);
	world_free(&world);
}
END_TEST

static const struct {
	const char *claim;
	uint64_t start, end;
	size_t most, n_cells;
	unsigned char cells[8];
} strips[] = {
	{ "a cell for each page", 0x20000, 0x24000, 8, 4,
	  { SEGMAP_CELL_PRIVATE, SEGMAP_CELL_ZERO, SEGMAP_CELL_ABSENT, SEGMAP_CELL_PRIVATE } },
	{ "two pages a cell", 0x20000, 0x24000, 2, 2,
	  { SEGMAP_CELL_PRIVATE | SEGMAP_CELL_ZERO, SEGMAP_CELL_ABSENT | SEGMAP_CELL_PRIVATE } },
	{ "the last cell has fewer", 0x20000, 0x24000, 3, 2,
	  { SEGMAP_CELL_PRIVATE | SEGMAP_CELL_ZERO, SEGMAP_CELL_ABSENT | SEGMAP_CELL_PRIVATE } },
	{ "one for all", 0x11000, 0x16000, 1, 1,
	  { SEGMAP_CELL_ABSENT | SEGMAP_CELL_FILE | SEGMAP_CELL_PRIVATE | SEGMAP_CELL_SWAPPED } },
	{ "a run that goes through cells", 0x12000, 0x16000, 4, 4,
	  { SEGMAP_CELL_FILE, SEGMAP_CELL_PRIVATE, SEGMAP_CELL_PRIVATE, SEGMAP_CELL_SWAPPED } },
	{ "pages of which a piece has a part", 0x14800, 0x15010, 4, 2,
	  { SEGMAP_CELL_PRIVATE, SEGMAP_CELL_SWAPPED } },
	{ "nothing there", 0x40000, 0x48000, 4, 4,
	  { SEGMAP_CELL_ABSENT, SEGMAP_CELL_ABSENT, SEGMAP_CELL_ABSENT, SEGMAP_CELL_ABSENT } },
};

START_TEST(strip_says_all_that_is_in_a_cell)
{
	struct world world = { 0 };
	unsigned char cells[8];

	make(&world);
	ck_assert_uint_eq(segmap_layout_strip(world.layout, strips[_i].start, strips[_i].end,
					      strips[_i].most, cells),
			  strips[_i].n_cells);
	ck_assert_msg(memcmp(cells, strips[_i].cells, strips[_i].n_cells) == 0, "%s",
		      strips[_i].claim);
	world_free(&world);
}
END_TEST

static const struct {
	const char *claim;
	uint64_t sps[10];
	const char *stack, *guard; /* labels, NULL for none */
} threads[] = {
	{ "one thread", { 0x38ff0 }, "thread stack of 100", "guard" },
	{ "at the lowest byte", { 0x31000 }, "thread stack of 100", "guard" },
	{ "two on one", { 0x38ff0, 0x32000 }, "thread stacks of 100, 101", "guard" },
	{ "very many",
	  { 0x31010, 0x31020, 0x31030, 0x31040, 0x31050, 0x31060, 0x31070, 0x31080, 0x31090, 0x310a0 },
	  "thread stacks of 100, 101, 102, 103, 104, 105, 106, 107 and 2 more", "guard" },
	{ "nowhere", { 0x50000, 0x39000 }, NULL, NULL },
	{ "on the heap", { 0x20010 }, NULL, NULL },
	{ "in .bss", { 0x15010 }, NULL, NULL },
};

START_TEST(stacks_are_named_by_stack_pointers)
{
	struct world world = { 0 };
	const char *label;

	world_make(&world, program_maps);
	world_put(&world, &program);
	world.layout->threads = calloc(10, sizeof(*world.layout->threads));
	ck_assert_ptr_nonnull(world.layout->threads);
	for (int i = 0; i < 10 && threads[_i].sps[i]; i++)
		world.layout->threads[world.layout->n_threads++] =
			(struct segmap_thread){ 100 + i, threads[_i].sps[i] };
	world_correlate(&world);
	label = segmap_layout_label(world.layout, STACK);
	ck_assert_pstr_eq(label, threads[_i].stack);
	ck_assert_int_eq(world.layout->annotations[STACK].kind, SEGMAP_KIND_ANON);
	ck_assert_int_eq(is_stack(world.layout, STACK), !!label);
	ck_assert(!is_stack(world.layout, GUARD));
	ck_assert_pstr_eq(segmap_layout_label(world.layout, GUARD), threads[_i].guard);
	ck_assert_int_eq(world.layout->annotations[GUARD].kind, SEGMAP_KIND_ANON);
	ck_assert_ptr_null(segmap_layout_label(world.layout, OTHER));
	ck_assert_ptr_null(segmap_layout_label(world.layout, HEAP));
	world_free(&world);
}
END_TEST

/* The same program, of another machine: emulators do as they like about RELRO. */
static struct plan emulated_program(void)
{
	struct plan plan = program;

	plan.foreign = true;
	return plan;
}

START_TEST(brief_look_sums_up_the_same)
{
	struct plan plans[] = { program, emulated_program() };

	for (int i = 0; i < N_ROWS(plans); i++) {
		struct segmap_summary summaries[2];

		for (int brief = 0; brief < 2; brief++) {
			struct world world = { 0 };

			world_make(&world, program_maps);
			world_put(&world, &plans[i]);
			world.layout->brief = brief;
			unit_no_error(segmap_layout_correlate(world.layout));
			unit_no_error(segmap_layout_summarize(world.layout, 0, UINT64_MAX,
							      &summaries[brief]));
			world_free(&world);
		}
		ck_assert_uint_eq(summaries[0].n_rows, summaries[1].n_rows);
		for (size_t j = 0; j < summaries[0].n_rows; j++) {
			ck_assert_int_eq(summaries[0].rows[j].class, summaries[1].rows[j].class);
			ck_assert_uint_eq(summaries[0].rows[j].figures.of[SEGMAP_SUMMARY_SIZE],
					  summaries[1].rows[j].figures.of[SEGMAP_SUMMARY_SIZE]);
		}
		segmap_summary_free(&summaries[0]);
		segmap_summary_free(&summaries[1]);
	}
}
END_TEST

START_TEST(memory_much_larger_than_stacks_holds_them)
{
	static const struct {
		const char *maps, *label;
		int n_threads;
	} larges[] = {
		{ "1000000-5000000 rw-p 00000000 00:00 0 \n", "thread stack of 100", 1 },
		{ "1000000-5001000 rw-p 00000000 00:00 0 \n", "holds the stack of 100", 1 },
		{ "1000000-9000000 rw-p 00000000 00:00 0 \n", "thread stacks of 100, 101", 2 },
		{ "1000000-9002000 rw-p 00000000 00:00 0 \n", "holds the stacks of 100, 101", 2 },
	};

	for (size_t i = 0; i < N_ROWS(larges); i++) {
		struct world world = { 0 };

		world_make(&world, larges[i].maps);
		world.layout->threads = calloc(2, sizeof(*world.layout->threads));
		ck_assert_ptr_nonnull(world.layout->threads);
		for (int j = 0; j < larges[i].n_threads; j++)
			world.layout->threads[world.layout->n_threads++] =
				(struct segmap_thread){ 100 + j, 0x1800000 };
		world_correlate(&world);
		ck_assert_pstr_eq(segmap_layout_label(world.layout, 0), larges[i].label);
		ck_assert(is_stack(world.layout, 0));
		world_free(&world);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("correlate/account");
	TCase *tcase = unit_case(suite, "account");

	tcase_add_loop_test(tcase, piece_has_its_own_bytes_of_each_page, 0, N_ROWS(pieces));
	tcase_add_loop_test(tcase, pieces_that_do_not_add_up_are_about, 0, N_ROWS(changed));
	tcase_add_test(tcase, shared_page_counts_in_part_if_it_is_known_how_many_share_it);
	tcase_add_test(tcase, summary_has_a_row_for_each_class_and_kind);
	tcase_add_loop_test(tcase, strip_says_all_that_is_in_a_cell, 0, N_ROWS(strips));
	tcase_add_test(tcase, brief_look_sums_up_the_same);
	tcase_add_test(tcase, memory_much_larger_than_stacks_holds_them);
	tcase_add_loop_test(tcase, stacks_are_named_by_stack_pointers, 0, N_ROWS(threads));
	return unit_run(suite);
}
