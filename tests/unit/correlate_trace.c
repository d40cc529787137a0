/* tests/unit/correlate_trace.c - which calls were predicted, and what the others are for. */
#include "builder.h"
#include "unit.h"
#include <segmap/trace.h>
#include <stdlib.h>
#include <string.h>

static const struct plan program = {
	.path = "/p", .segments = { LOAD(R, 0, 0, 0x800, 0x800), LOAD(RW, 0xdd0, 0x1dd0, 0x230, 0x230),
				    RELRO(0xdd0, 0x1dd0, 0x230) },
};
static const struct plan library = {
	.path = "/l", .segments = { LOAD(RX, 0, 0, 0x800, 0x800), LOAD(RW, 0x1000, 0x1000, 16, 0x1800) },
};

enum { P = 0x5550000, L = 0x7000000 };

#define PREDICTED_MAP                           \
	"10000-11000 r--p 00000000 00:01 1 /p\n" \
	"11000-12000 r--p 00000000 00:01 1 /p\n" \
	"30000-31000 r-xp 00000000 00:01 3 /l\n" \
	"31000-32000 rw-p 00001000 00:01 3 /l\n" \
	"32000-33000 rw-p 00000000 00:00 0\n"
#define REAL_MAP                                    \
	"5550000-5551000 r--p 00000000 00:01 1 /p\n" \
	"5551000-5552000 r--p 00000000 00:01 1 /p\n" \
	"7000000-7001000 r-xp 00000000 00:01 3 /l\n" \
	"7001000-7002000 rw-p 00001000 00:01 3 /l\n" \
	"7002000-7003000 rw-p 00000000 00:00 0\n"

#define BY_LDSO .actor = SEGMAP_ACTOR_LDSO, .source = "f:g"

/* Images as correlation has them: ascending. */
enum { PROGRAM, LIBRARY };

static const struct segmap_call predicted[] = {
	{ .actor = SEGMAP_ACTOR_KERNEL, .name = SEGMAP_CALL_MAP, .start = 0x10000, .end = 0x12000,
	  .prot = R, .image = PROGRAM, .segment = 0, .source = "f:g" },
	{ BY_LDSO, .name = SEGMAP_CALL_MMAP, .start = 0x30000, .end = 0x33000, .prot = RX,
	  .image = LIBRARY, .segment = 0, .reason = SEGMAP_REASON_SPAN },
	{ BY_LDSO, .name = SEGMAP_CALL_MMAP, .start = 0x31000, .end = 0x32000, .prot = RW, .off = 0x1000,
	  .image = LIBRARY, .segment = 1, .reason = SEGMAP_REASON_FILE_PAGES },
	{ BY_LDSO, .name = SEGMAP_CALL_MMAP, .start = 0x32000, .end = 0x33000, .prot = RW,
	  .anonymous = true, .image = LIBRARY, .segment = 1, .reason = SEGMAP_REASON_BSS },
	{ BY_LDSO, .name = SEGMAP_CALL_MPROTECT, .start = 0x11000, .end = 0x12000, .prot = R,
	  .image = PROGRAM, .segment = 2, .reason = SEGMAP_REASON_RELRO },
};

enum { N_PREDICTED = sizeof(predicted) / sizeof(predicted[0]), MOST_MADE = 6 };

struct trace_case {
	const char *claim;
	struct segmap_traced made[MOST_MADE];
	size_t n;
	int32_t matches[MOST_MADE]; /* index of the predicted call; -1 */
	enum segmap_purpose purposes[MOST_MADE]; /* of those that are not predicted */
	size_t n_made, n_more;
};

#define MADE_MMAP(start_, end_, prot_, off_) \
	{ .name = SEGMAP_CALL_MMAP, .start = (start_), .end = (end_), .prot = (prot_), .off = (off_), \
	  .flags = MAP_PRIVATE, .st_ino = 3, .result = (start_) }
#define MADE_MEMORY(start_, end_, prot_, flags_) \
	{ .name = SEGMAP_CALL_MMAP, .start = (start_), .end = (end_), .prot = (prot_), \
	  .flags = MAP_PRIVATE | MAP_ANONYMOUS | (flags_), .anonymous = true, .result = (start_) }
#define MADE_CHANGE(name_, start_, end_, prot_) \
	{ .name = (name_), .start = (start_), .end = (end_), .prot = (prot_), .anonymous = true }

static const struct trace_case cases[] = {
	{ .claim = "a library is where its first mapping is, and all else relative to that",
	  .made = { MADE_MMAP(L, L + 0x3000, RX, 0), MADE_MMAP(L + 0x1000, L + 0x2000, RW, 0x1000),
		    MADE_MEMORY(L + 0x2000, L + 0x3000, RW, MAP_FIXED),
		    MADE_CHANGE(SEGMAP_CALL_MPROTECT, P + 0x1000, P + 0x2000, R) },
	  .n = 4, .matches = { 1, 2, 3, 4 }, .n_made = 4 },
	{ .claim = "without it nothing of the library is predicted",
	  .made = { MADE_MMAP(L + 0x1000, L + 0x2000, RW, 0x1000),
		    MADE_MMAP(L, L + 0x3000, RX, 0x1000), MADE_MMAP(L, L + 0x2000, RX, 0),
		    MADE_MMAP(L, L + 0x3000, RWX, 0) },
	  .n = 4, .matches = { -1, -1, -1, -1 },
	  .purposes = { SEGMAP_PURPOSE_IMAGE, SEGMAP_PURPOSE_IMAGE, SEGMAP_PURPOSE_IMAGE,
			SEGMAP_PURPOSE_IMAGE },
	  .n_more = 4 },
	{ .claim = "a call is predicted once",
	  .made = { MADE_CHANGE(SEGMAP_CALL_MPROTECT, P + 0x1000, P + 0x2000, R),
		    MADE_CHANGE(SEGMAP_CALL_MPROTECT, P + 0x1000, P + 0x2000, R) },
	  .n = 2, .matches = { 4, -1 }, .purposes = { 0, SEGMAP_PURPOSE_IMAGE }, .n_made = 1,
	  .n_more = 1 },
	{ .claim = "other permissions, another end, another call are not what was predicted",
	  .made = { MADE_CHANGE(SEGMAP_CALL_MPROTECT, P + 0x1000, P + 0x2000, RW),
		    MADE_CHANGE(SEGMAP_CALL_MPROTECT, P + 0x1000, P + 0x3000, R),
		    MADE_CHANGE(SEGMAP_CALL_MUNMAP, P + 0x1000, P + 0x2000, 0) },
	  .n = 3, .matches = { -1, -1, -1 },
	  .purposes = { SEGMAP_PURPOSE_IMAGE, SEGMAP_PURPOSE_IMAGE, SEGMAP_PURPOSE_IMAGE },
	  .n_more = 3 },
	{ .claim = "memory is for the thread, a stack, nothing, or nobody knows",
	  .made = { MADE_MEMORY(0x9000000, 0x9002000, RW, 0),
		    MADE_MEMORY(0x9100000, 0x9200000, RW, MAP_STACK),
		    MADE_CHANGE(SEGMAP_CALL_MPROTECT, 0x9100000, 0x9101000, NO),
		    MADE_MEMORY(0x9300000, 0x9301000, NO, 0), MADE_MEMORY(0x9400000, 0x9401000, RW, 0),
		    MADE_CHANGE(SEGMAP_CALL_MUNMAP, 0x8000000, 0x8001000, 0) },
	  .n = 6, .matches = { -1, -1, -1, -1, -1, -1 },
	  .purposes = { SEGMAP_PURPOSE_THREAD, SEGMAP_PURPOSE_STACK, SEGMAP_PURPOSE_STACK,
			SEGMAP_PURPOSE_GUARD, SEGMAP_PURPOSE_UNKNOWN, SEGMAP_PURPOSE_UNKNOWN },
	  .n_more = 6 },
};

enum { N_CASES = sizeof(cases) / sizeof(cases[0]) };

/* The same files in both, as files that one run has opened are. */
static void put_files(struct world *world, struct world *real)
{
	world_put(world, &program);
	world_put(world, &library);
	world_file(world, "/p")->st_ino = 1;
	world_file(world, "/l")->st_ino = 3;
	for (size_t i = 0; world != real && i < world->layout->n_backings; i++)
		world->layout->backings[i].file = world_file(real, world->layout->backings[i].path);
}

static struct segmap_prediction *make_prediction(const struct segmap_layout *layout)
{
	struct segmap_prediction *prediction = calloc(1, sizeof(*prediction));

	prediction->placements = calloc(layout->n_vmas, sizeof(*prediction->placements));
	for (size_t i = 0; i < layout->n_vmas; i++)
		prediction->placements[i].base_name = "";
	prediction->images = calloc(layout->n_images, sizeof(*prediction->images));
	prediction->n_images = layout->n_images;
	prediction->calls = malloc(sizeof(predicted));
	memcpy(prediction->calls, predicted, sizeof(predicted));
	prediction->n_calls = N_PREDICTED;
	return prediction;
}

START_TEST(calls_are_matched)
{
	const struct trace_case *c = &cases[_i];
	struct segmap_trace *trace = calloc(1, sizeof(*trace));
	struct world real, world;
	struct segmap_layout *prediction;

	world_make(&real, REAL_MAP);
	put_files(&real, &real);
	real.layout->auxv_entry = P;
	real.layout->exe_ino = 1;
	world_correlate(&real);
	world_make(&world, PREDICTED_MAP);
	put_files(&world, &real);
	world.layout->exe_ino = 1;
	world_correlate(&world);
	prediction = world.layout;
	prediction->images[PROGRAM].role = real.layout->images[PROGRAM].role = SEGMAP_ROLE_PROGRAM;
	prediction->prediction = make_prediction(prediction);

	trace->thread = 0x9001000;
	trace->calls = malloc(sizeof(c->made));
	memcpy(trace->calls, c->made, sizeof(c->made));
	trace->n_calls = c->n;
	ck_assert_ptr_null(segmap_layout_take_trace(real.layout, trace, prediction));
	world.layout = NULL; /* it belongs to the trace now */

	for (size_t i = 0; i < c->n; i++) {
		ck_assert_msg(trace->calls[i].predicted == c->matches[i], "%s: call %zu is %d", c->claim,
			      i, trace->calls[i].predicted);
		ck_assert_msg(c->matches[i] >= 0 || trace->calls[i].purpose == c->purposes[i],
			      "%s: call %zu is for %d", c->claim, i, trace->calls[i].purpose);
	}
	/* What the kernel maps in execve is no call. */
	ck_assert_uint_eq(trace->n_predicted, N_PREDICTED - 1);
	ck_assert_msg(trace->n_made == c->n_made && trace->n_more == c->n_more, "%s: %zu made, %zu more",
		      c->claim, trace->n_made, trace->n_more);
	world_free(&real);
	world_free(&world);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("correlate/trace");
	TCase *tcase = unit_case(suite, "trace");

	tcase_add_loop_test(tcase, calls_are_matched, 0, N_CASES);
	return unit_run(suite);
}
