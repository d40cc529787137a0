/* tests/unit/correlate_spans.c - stretches of VMAs and of images, and two lists side by side. */
#include "correlate/spans.h"
#include "builder.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 6 };

/* A stream for text, whose bytes are the caller's to free once it is closed. */
static FILE *open_text(char **text, size_t *size)
{
	FILE *file = open_memstream(text, size);

	ck_assert_ptr_nonnull(file);
	return file;
}

static void check_text(const char *claim, FILE *file, char **text, const char *expected)
{
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_msg(strcmp(*text, expected) == 0, "%s: it is\n%s\nnot\n%s", claim, *text,
		      expected);
	free(*text);
}

/* ---- which spans there are ---- */

/* "iIMAGE START-END PERMS OFF|anonymous sSEGMENT vVMA", each on a line. */
static void print_spans(FILE *file, const struct spans *spans)
{
	for (size_t i = 0; i < spans->n; i++) {
		const struct span *span = &spans->array[i];
		char perms[5];

		segmap_perms_format(span->prot, span->shared, perms);
		fprintf(file, "i%d %jx-%jx %s ", (int)span->image, (uintmax_t)span->start,
			(uintmax_t)span->end, span->unknown_prot ? "????" : perms);
		if (span->is_file)
			fprintf(file, "%jx", (uintmax_t)span->off);
		else
			fputs(span->off ? "with an offset" : "anonymous", file);
		fprintf(file, " s%d v%zu\n", (int)span->segment, span->vma);
	}
}

#define FILE_VMA(start_, end_, off_) \
	{ .start = (start_), .end = (end_), .prot = RX, .ino = 7, .off = (off_), .name = "/l" }
#define MEMORY(start_, end_) { .start = (start_), .end = (end_), .prot = RW, .name = "" }

static const struct {
	const char *claim;
	struct segmap_vma vmas[3];
	const char *spans;
} maps[] = {
	{ "no memory, no spans", { { 0 } }, "" },
	{ "each VMA is one, at its address",
	  { FILE_VMA(0x1000, 0x3000, 0x5000), MEMORY(0x3000, 0x4000) },
	  "i-1 1000-3000 r-xp 5000 s-1 v0\ni-1 3000-4000 rw-p anonymous s-1 v1\n" },
	{ "neighbours stay apart",
	  { FILE_VMA(0x1000, 0x2000, 0), FILE_VMA(0x2000, 0x3000, 0x1000) },
	  "i-1 1000-2000 r-xp 0 s-1 v0\ni-1 2000-3000 r-xp 1000 s-1 v1\n" },
	{ "from the lowest page to the highest",
	  { MEMORY(0, 0x1000), MEMORY(-0x2000UL, -0x1000UL) },
	  "i-1 0-1000 rw-p anonymous s-1 v0\n"
	  "i-1 ffffffffffffe000-fffffffffffff000 rw-p anonymous s-1 v1\n" },
	{ "what the map says, and what it does not",
	  { { .start = 0x1000, .end = 0x2000, .prot = R, .shared = true, .ino = 7, .name = "/l" },
	    { .start = 0x2000, .end = 0x3000, .unknown_prot = SEGMAP_ALL_PROT, .name = "" } },
	  "i-1 1000-2000 r--s 0 s-1 v0\ni-1 2000-3000 ???? anonymous s-1 v1\n" },
	{ "an offset of no file is none",
	  { { .start = 0x1000, .end = 0x2000, .prot = R, .off = 0x3000, .name = "[vvar]" } },
	  "i-1 1000-2000 r--p anonymous s-1 v0\n" },
};

START_TEST(vmas_are_spans)
{
	struct segmap_vma vmas[3];
	struct segmap_layout layout = { .vmas = vmas };
	struct spans spans = { 0 };
	char *text;
	size_t size;
	FILE *file = open_text(&text, &size);

	memcpy(vmas, maps[_i].vmas, sizeof(vmas));
	while (layout.n_vmas < 3 && vmas[layout.n_vmas].end)
		layout.n_vmas++;
	ck_assert(spans_of_vmas(&layout, &spans));
	print_spans(file, &spans);
	check_text(maps[_i].claim, file, &text, maps[_i].spans);
	spans_free(&spans);
	ck_assert(!spans.array && !spans.n && !spans.capacity);
}
END_TEST

#define PIECE(start_, end_, image_, segment_) \
	{ .start = (start_), .end = (end_), .image = (image_), .segment = (segment_) }

static const struct {
	const char *claim;
	struct segmap_vma vmas[3];
	struct segmap_piece pieces[MOST]; /* of the VMAs in whose range they lie */
	uint64_t biases[3];
	const char *spans;
} images[] = {
	{ "pieces of one segment are one span, by vaddr", { FILE_VMA(0x11000, 0x14000, 0x1000) },
	  { PIECE(0x11000, 0x11800, 0, 1), PIECE(0x11800, 0x14000, 0, 1) }, { 0x10000 },
	  "i0 1000-4000 r-xp 1000 s1 v0\n" },
	{ "two segments in one VMA are two", { FILE_VMA(0x11000, 0x14000, 0x1000) },
	  { PIECE(0x11000, 0x12000, 0, 1), PIECE(0x12000, 0x14000, 0, 2) }, { 0x10000 },
	  "i0 1000-2000 r-xp 1000 s1 v0\ni0 2000-4000 r-xp 2000 s2 v0\n" },
	{ "one segment in two VMAs is two",
	  { FILE_VMA(0x11000, 0x12000, 0x1000), FILE_VMA(0x12000, 0x13000, 0x2000) },
	  { PIECE(0x11000, 0x12000, 0, 1), PIECE(0x12000, 0x13000, 0, 1) }, { 0x10000 },
	  "i0 1000-2000 r-xp 1000 s1 v0\ni0 2000-3000 r-xp 2000 s1 v1\n" },
	{ "memory between two pieces parts them", { MEMORY(0x11000, 0x14000) },
	  { PIECE(0x11000, 0x12000, 0, 1), PIECE(0x12000, 0x13000, -1, -1),
	    PIECE(0x13000, 0x14000, 0, 1) }, { 0x10000 },
	  "i0 1000-2000 rw-p anonymous s1 v0\ni0 3000-4000 rw-p anonymous s1 v0\n" },
	{ "two images in one VMA are two, even where their vaddrs meet",
	  { MEMORY(0x11000, 0x13000) },
	  { PIECE(0x11000, 0x12000, 0, 1), PIECE(0x12000, 0x13000, 1, 1) }, { 0x10000, 0x10000 },
	  "i0 1000-2000 rw-p anonymous s1 v0\ni1 2000-3000 rw-p anonymous s1 v0\n" },
	{ "they ascend by image, and then by vaddr",
	  { FILE_VMA(0x11000, 0x12000, 0), FILE_VMA(0x12000, 0x13000, 0),
	    FILE_VMA(0x13000, 0x14000, 0) },
	  { PIECE(0x11000, 0x12000, 1, 0), PIECE(0x12000, 0x13000, 0, 1),
	    PIECE(0x13000, 0x14000, 0, 0) }, { 0x13000, 0x11000 },
	  "i0 0-1000 r-xp 0 s0 v2\ni1 0-1000 r-xp 0 s0 v0\n" },
	{ "memory that is no image's is left out",
	  { MEMORY(0x11000, 0x13000), MEMORY(0x15000, 0x16000) },
	  { PIECE(0x11000, 0x12000, 0, 1), PIECE(0x12000, 0x13000, -1, -1) }, { 0x10000 },
	  "i0 1000-2000 rw-p anonymous s1 v0\n" },
	{ "the highest vaddr is below the end", { FILE_VMA(0x1000, 0x2000, 0) },
	  { PIECE(0x1000, 0x2000, 0, 0) }, { 0x3000 },
	  "i0 ffffffffffffe000-fffffffffffff000 r-xp 0 s0 v0\n" },
	{ "nothing is no span", { FILE_VMA(0x1000, 0x2000, 0) },
	  { PIECE(0x1000, 0x1000, 0, 0), PIECE(0x1000, 0x2000, 1, 0) }, { 0 },
	  "i1 1000-2000 r-xp 0 s0 v0\n" },
	{ "addresses that wrap are no span",
	  { FILE_VMA(0x1000, 0x3000, 0), FILE_VMA(0x4000, 0x5000, 0x3000),
	    FILE_VMA(0x6000, 0x7000, 0x5000) },
	  { PIECE(0x1000, 0x3000, 0, 0), PIECE(0x4000, 0x5000, 1, 0), PIECE(0x6000, 0x7000, 1, 0) },
	  { 0x2000, 0x5000 }, "i1 1000-2000 r-xp 5000 s0 v2\n" },
};

START_TEST(pieces_of_images_are_spans)
{
	struct segmap_vma vmas[3];
	struct segmap_piece pieces[MOST];
	struct segmap_annotation annotations[3] = { 0 };
	struct segmap_image loads[3] = { 0 };
	struct segmap_layout layout = { .vmas = vmas, .annotations = annotations, .images = loads,
					.n_images = 3, .pieces = pieces };
	struct spans spans = { 0 };
	char *text;
	size_t size;
	FILE *file = open_text(&text, &size);

	memcpy(vmas, images[_i].vmas, sizeof(vmas));
	memcpy(pieces, images[_i].pieces, sizeof(pieces));
	for (size_t i = 0; i < 3; i++)
		loads[i].bias = images[_i].biases[i];
	while (layout.n_vmas < 3 && vmas[layout.n_vmas].end) {
		size_t vma = layout.n_vmas++;

		annotations[vma].first_piece = (uint32_t)layout.n_pieces;
		while (layout.n_pieces < MOST && pieces[layout.n_pieces].end &&
		       pieces[layout.n_pieces].end <= vmas[vma].end) {
			annotations[vma].n_pieces++;
			layout.n_pieces++;
		}
	}
	ck_assert(spans_of_images(&layout, &spans));
	print_spans(file, &spans);
	check_text(images[_i].claim, file, &text, images[_i].spans);
	spans_free(&spans);
}
END_TEST

START_TEST(spans_of_an_image_are_found)
{
	struct span array[] = { { .image = 0 }, { .image = 0 }, { .image = 2 },
				{ .image = 2 }, { .image = 2 }, { .image = 5 },
				{ .image = INT32_MAX } };
	static const struct {
		int32_t image;
		size_t first, n;
	} rows[] = { { -1, 0, 0 }, { 0, 0, 2 }, { 1, 2, 0 }, { 2, 2, 3 }, { 3, 5, 0 }, { 5, 5, 1 },
		     { 6, 6, 0 }, { INT32_MAX, 6, 1 } };
	struct spans spans = { .array = array, .n = sizeof(array) / sizeof(array[0]) };
	struct spans none = { 0 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = 99;

		ck_assert_uint_eq(spans_find(&spans, rows[i].image, &n), rows[i].first);
		ck_assert_uint_eq(n, rows[i].n);
		ck_assert_uint_eq(spans_find(&none, rows[i].image, &n), 0);
		ck_assert_uint_eq(n, 0);
	}
}
END_TEST

/* ---- two lists side by side ---- */

#define OF(image_, start_, end_) { .image = (image_), .start = (start_), .end = (end_) }

static const struct {
	const char *claim;
	struct span a[MOST], b[MOST]; /* no end: ends them; all of image 1 are visited */
	const char *visits; /* "START-END aINDEX bINDEX" */
} walks[] = {
	{ "nothing", { { 0 } }, { { 0 } }, "" },
	{ "one side has none", { OF(1, 0x1000, 0x2000) }, { { 0 } }, "1000-2000 a0\n" },
	{ "nor has the other", { { 0 } }, { OF(1, 0x1000, 0x2000) }, "1000-2000 b0\n" },
	{ "the same on both", { OF(1, 0x1000, 0x3000) }, { OF(1, 0x1000, 0x3000) },
	  "1000-3000 a0 b0\n" },
	{ "the picture in the header", { OF(1, 0x1000, 0x3000), OF(1, 0x4000, 0x5000) },
	  { OF(1, 0x2000, 0x6000) },
	  "1000-2000 a0\n2000-3000 a0 b0\n3000-4000 b0\n4000-5000 a1 b0\n5000-6000 b0\n" },
	{ "its mirror image", { OF(1, 0x2000, 0x6000) },
	  { OF(1, 0x1000, 0x3000), OF(1, 0x4000, 0x5000) },
	  "1000-2000 b0\n2000-3000 a0 b0\n3000-4000 a0\n4000-5000 a0 b1\n5000-6000 a0\n" },
	{ "what nobody has is passed over", { OF(1, 0x1000, 0x2000) }, { OF(1, 0x7000, 0x8000) },
	  "1000-2000 a0\n7000-8000 b0\n" },
	{ "where one begins, another has ended",
	  { OF(1, 0x1000, 0x2000), OF(1, 0x2000, 0x3000) }, { OF(1, 0x2000, 0x3000) },
	  "1000-2000 a0\n2000-3000 a1 b0\n" },
	{ "one within the other", { OF(1, 0x1000, 0x9000) },
	  { OF(1, 0x2000, 0x3000), OF(1, 0x3000, 0x4000) },
	  "1000-2000 a0\n2000-3000 a0 b0\n3000-4000 a0 b1\n4000-9000 a0\n" },
	{ "from 0 to the last address", { OF(1, 0, UINT64_MAX) },
	  { OF(1, UINT64_MAX - 1, UINT64_MAX) },
	  "0-fffffffffffffffe a0\nfffffffffffffffe-ffffffffffffffff a0 b0\n" },
	{ "other images are not visited",
	  { OF(0, 0x1000, 0x2000), OF(1, 0x1000, 0x2000), OF(2, 0x3000, 0x4000) },
	  { OF(0, 0x5000, 0x6000), OF(1, 0x1800, 0x2000), OF(1, 0x2000, 0x3000) },
	  "1000-1800 a1\n1800-2000 a1 b1\n2000-3000 b2\n" },
};

struct visiting {
	FILE *file;
	const struct spans *a, *b;
};

static void visit(void *context, uint64_t start, uint64_t end, const struct span *a,
		  const struct span *b)
{
	const struct visiting *visiting = context;

	fprintf(visiting->file, "%jx-%jx", (uintmax_t)start, (uintmax_t)end);
	if (a)
		fprintf(visiting->file, " a%d", (int)(a - visiting->a->array));
	if (b)
		fprintf(visiting->file, " b%d", (int)(b - visiting->b->array));
	fputc('\n', visiting->file);
}

static size_t count(const struct span *spans)
{
	size_t n = 0;

	while (n < MOST && spans[n].end)
		n++;
	return n;
}

START_TEST(two_lists_are_walked_side_by_side)
{
	struct span array_a[MOST], array_b[MOST];
	struct spans a = { .array = array_a, .n = count(walks[_i].a) };
	struct spans b = { .array = array_b, .n = count(walks[_i].b) };
	struct visiting visiting = { .a = &a, .b = &b };
	char *text;
	size_t size;

	memcpy(array_a, walks[_i].a, sizeof(array_a));
	memcpy(array_b, walks[_i].b, sizeof(array_b));
	visiting.file = open_text(&text, &size);
	spans_walk(&a, 1, &b, 1, visit, &visiting);
	check_text(walks[_i].claim, visiting.file, &text, walks[_i].visits);
}
END_TEST

START_TEST(images_of_other_indices_are_walked)
{
	struct span array_a[] = { OF(0, 0x1000, 0x2000), OF(3, 0x5000, 0x6000) };
	struct span array_b[] = { OF(0, 0x5800, 0x6000), OF(3, 0x1000, 0x2000) };
	struct spans a = { .array = array_a, .n = 2 }, b = { .array = array_b, .n = 2 };
	struct visiting visiting = { .a = &a, .b = &b };
	char *text;
	size_t size;

	visiting.file = open_text(&text, &size);
	spans_walk(&a, 3, &b, 0, visit, &visiting);
	check_text("3 and 0", visiting.file, &text, "5000-5800 a1\n5800-6000 a1 b0\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("correlate/spans");
	TCase *tcase = unit_case(suite, "what there is");

	tcase_add_loop_test(tcase, vmas_are_spans, 0, N_ROWS(maps));
	tcase_add_loop_test(tcase, pieces_of_images_are_spans, 0, N_ROWS(images));
	tcase_add_test(tcase, spans_of_an_image_are_found);
	tcase = unit_case(suite, "side by side");
	tcase_add_loop_test(tcase, two_lists_are_walked_side_by_side, 0, N_ROWS(walks));
	tcase_add_test(tcase, images_of_other_indices_are_walked);
	return unit_run(suite);
}
