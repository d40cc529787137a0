/* tests/unit/correlate_compare.c - predictions against maps, by tables. */
#include "builder.h"
#include "unit.h"
#include <errno.h>
#include <inttypes.h>
#include <segmap/compare.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Files are told apart by inode: 1 is the program, 2 the interpreter, 3 and up libraries. */
static const struct plan program = {
	.path = "/p", .segments = { LOAD(R, 0, 0, 0x800, 0x800),
				    LOAD(RW, 0xdd0, 0x1dd0, 0x230, 0x3000),
				    RELRO(0xdd0, 0x1dd0, 0x230) },
};
static const struct plan interpreter = {
	.path = "/i", .segments = { LOAD(R, 0, 0, 0x800, 0x800) },
};
static const struct plan library = {
	.path = "/l", .segments = { LOAD(RX, 0, 0, 0x800, 0x800),
				    LOAD(RW, 0x1000, 0x1000, 16, 0x1800) },
};

enum { ENTRY = 0x500, MOST_CASE_LINKED = 6 };

struct comparison_case {
	const char *claim;
	const char *predicted, *real; /* maps text */
	uint64_t entry, base;	      /* AT_ENTRY, AT_BASE of the real one */
	uint64_t open_end;	      /* start of the predicted VMA whose end is open */
	bool absolute;		      /* predicted addresses are to be taken at their word */
	enum segmap_moment moment;    /* NONE: entry */
	uint64_t linked[MOST_CASE_LINKED];
	struct {
		const char *path, *soname, *needed;
	} needs[2];		      /* of files in reality */
	struct segmap_stop stop;
	struct segmap_outcome outcome;
	bool no_real;
	bool only_program; /* it is predicted, though no VMA has its file */
	const char *expected;	 /* one line for each change and note */
	size_t n_images, n_vmas; /* compared */
};

/* The usual map of the three as it is predicted, and as it is. */
#define PREDICTED_PROGRAM                       \
	"10000-11000 r--p 00000000 00:01 1 /p\n" \
	"11000-12000 r--p 00000000 00:01 1 /p\n" \
	"12000-15000 rw-p 00000000 00:00 0\n"
#define REAL_PROGRAM                                \
	"5550000-5551000 r--p 00000000 00:01 1 /p\n" \
	"5551000-5552000 r--p 00000000 00:01 1 /p\n" \
	"5552000-5555000 rw-p 00000000 00:00 0\n"
#define PREDICTED_LIBRARY                       \
	"30000-31000 r-xp 00000000 00:01 3 /l\n" \
	"31000-32000 rw-p 00001000 00:01 3 /l\n" \
	"32000-33000 rw-p 00000000 00:00 0\n"
#define REAL_LIBRARY                                \
	"7000000-7001000 r-xp 00000000 00:01 3 /l\n" \
	"7001000-7002000 rw-p 00001000 00:01 3 /l\n" \
	"7002000-7003000 rw-p 00000000 00:00 0\n"
#define PREDICTED_INTERPRETER "20000-21000 r--p 00000000 00:01 2 /i\n"
#define REAL_INTERPRETER "7800000-7801000 r--p 00000000 00:01 2 /i\n"
#define STACK "7ffe000-7fff000 rw-p 00000000 00:00 0 [stack]\n"
#define RUNS .outcome = { .by = SEGMAP_ACTOR_PROGRAM }
#define AT .entry = 0x5550000 + ENTRY, .base = 0x7800000

static const struct comparison_case cases[] = {
	{ .claim = "bases alone make no difference",
	  .predicted = PREDICTED_PROGRAM PREDICTED_INTERPRETER PREDICTED_LIBRARY STACK,
	  .real = REAL_PROGRAM REAL_LIBRARY REAL_INTERPRETER STACK,
	  AT, RUNS, .expected = "", .n_images = 3, .n_vmas = 8 },
	{ .claim = "where they are is a difference if it was predicted",
	  .predicted = PREDICTED_PROGRAM PREDICTED_INTERPRETER,
	  .real = REAL_PROGRAM REAL_INTERPRETER,
	  AT, RUNS, .absolute = true,
	  .expected = "moved /p 0x10000 | 0x5550000 | its load bias\n"
		      "moved /i 0x20000 | 0x7800000 | its load bias\n",
	  .n_images = 2, .n_vmas = 4 },
	{ .claim = "permissions",
	  .predicted = PREDICTED_PROGRAM,
	  .real = "5550000-5551000 r--p 00000000 00:01 1 /p\n"
		  "5551000-5552000 rw-p 00000000 00:01 1 /p\n"
		  "5552000-5555000 rwxp 00000000 00:00 0\n",
	  AT, RUNS,
	  .expected = "perms /p 1 0x1000-0x2000 r--p offset 0x0 | 0x1000-0x2000 rw-p offset 0x0\n"
		      "perms /p 1 0x2000-0x5000 rw-p anonymous | 0x2000-0x5000 rwxp anonymous\n",
	  .n_images = 1, .n_vmas = 3 },
	{ .claim = "offset, and file against none",
	  .predicted = PREDICTED_PROGRAM,
	  .real = "5550000-5551000 r--p 00001000 00:01 1 /p\n"
		  "5551000-5552000 r--p 00000000 00:00 0\n"
		  "5552000-5555000 rw-p 00000000 00:00 0\n",
	  AT, RUNS,
	  .expected = "offset /p 0 0x0-0x1000 r--p offset 0x0 | 0x0-0x1000 r--p offset 0x1000\n"
		      "offset /p 1 0x1000-0x2000 r--p offset 0x0 | 0x1000-0x2000 r--p anonymous\n",
	  .n_images = 1, .n_vmas = 3 },
	{ .claim = "a later end",
	  .predicted = PREDICTED_PROGRAM,
	  .real = "5550000-5551000 r--p 00000000 00:01 1 /p\n"
		  "5551000-5552000 r--p 00000000 00:01 1 /p\n"
		  "5552000-5556000 rw-p 00000000 00:00 0\n",
	  AT, RUNS,
	  .expected = "resized /p 1 0x2000-0x5000 rw-p anonymous | 0x2000-0x6000 rw-p anonymous\n",
	  .n_images = 1, .n_vmas = 3 },
	{ .claim = "a later end where it was open is none",
	  .predicted = PREDICTED_LIBRARY,
	  .real = "7000000-7001000 r-xp 00000000 00:01 3 /l\n"
		  "7001000-7002000 rw-p 00001000 00:01 3 /l\n"
		  "7002000-7009000 rw-p 00000000 00:00 0\n",
	  RUNS, .open_end = 0x32000, .expected = "", .n_images = 1, .n_vmas = 3 },
	{ .claim = "an earlier end is a difference even there",
	  .predicted = "30000-31000 r-xp 00000000 00:01 3 /l\n32000-34000 rw-p 00000000 00:00 0\n",
	  .real = "7000000-7001000 r-xp 00000000 00:01 3 /l\n"
		  "7002000-7003000 rw-p 00000000 00:00 0\n",
	  RUNS, .open_end = 0x32000,
	  .expected = "resized /l 1 0x2000-0x4000 rw-p anonymous | 0x2000-0x3000 rw-p anonymous\n",
	  .n_images = 1, .n_vmas = 2 },
	{ .claim = "so are other permissions",
	  .predicted = PREDICTED_LIBRARY,
	  .real = "7000000-7001000 r-xp 00000000 00:01 3 /l\n"
		  "7001000-7002000 rw-p 00001000 00:01 3 /l\n"
		  "7002000-7009000 r--p 00000000 00:00 0\n",
	  RUNS, .open_end = 0x32000,
	  .expected = "perms /l 1 0x2000-0x3000 rw-p anonymous | 0x2000-0x9000 r--p anonymous\n",
	  .n_images = 1, .n_vmas = 3 },
	{ .claim = "a VMA that was cut in two",
	  .predicted = "30000-33000 r-xp 00000000 00:01 3 /l\n",
	  .real = "7000000-7001000 r-xp 00000000 00:01 3 /l\n"
		  "7001000-7003000 r--p 00001000 00:01 3 /l\n",
	  RUNS,
	  .expected = "resized /l 0 0x0-0x3000 r-xp offset 0x0 | 0x0-0x1000 r-xp offset 0x0\n"
		      "added /l - | 0x1000-0x3000 r--p offset 0x1000\n",
	  .n_images = 1, .n_vmas = 1 },
	{ .claim = "a VMA that is missing",
	  .predicted = PREDICTED_LIBRARY,
	  .real = "7000000-7001000 r-xp 00000000 00:01 3 /l\n"
		  "7002000-7003000 rw-p 00000000 00:00 0\n",
	  RUNS,
	  .expected = "removed /l 1 0x1000-0x2000 rw-p offset 0x1000 | -\n",
	  .n_images = 1, .n_vmas = 3 },
	{ .claim = "a library that is not loaded",
	  .predicted = PREDICTED_PROGRAM PREDICTED_LIBRARY, .real = REAL_PROGRAM,
	  AT, RUNS, .expected = "removed /l - | - | predicted, and not loaded\n",
	  .n_images = 1, .n_vmas = 3 },
	{ .claim = "a library that was not predicted",
	  .predicted = PREDICTED_PROGRAM, .real = REAL_PROGRAM REAL_LIBRARY,
	  AT, RUNS, .expected = "added /l - | - | loaded, and not predicted\n",
	  .n_images = 1, .n_vmas = 3 },
	{ .claim = "likewise in the dynamic linker's list, before one that was",
	  .predicted = PREDICTED_PROGRAM PREDICTED_LIBRARY,
	  .real = REAL_PROGRAM REAL_LIBRARY
		  "7100000-7101000 r-xp 00000000 00:01 4 /preloaded\n",
	  AT, RUNS, .linked = { 0x5551e00, 0x7100100, 0x7001100 },
	  .expected = "added /preloaded - | - | loaded, and not predicted\n",
	  .n_images = 2, .n_vmas = 6 },
	{ .claim = "behind all that were, a constructor has opened it",
	  .predicted = PREDICTED_PROGRAM PREDICTED_LIBRARY,
	  .real = REAL_PROGRAM REAL_LIBRARY
		  "7100000-7101000 r-xp 00000000 00:01 4 /opened\n",
	  AT, RUNS, .linked = { 0x5551e00, 0x7001100, 0x7100100 },
	  .expected = "note /opened: opened by a constructor (dlopen): it stands in the dynamic "
		      "linker's list behind all that start-up has loaded, and none of those needs "
		      "it\n",
	  .n_images = 2, .n_vmas = 6 },
	{ .claim = "but not if what was loaded needs it, or something that this needs",
	  .predicted = PREDICTED_PROGRAM PREDICTED_LIBRARY,
	  .real = REAL_PROGRAM REAL_LIBRARY
		  "7100000-7101000 r-xp 00000000 00:01 4 /lib/needed.so.1.2\n"
		  "7200000-7201000 r-xp 00000000 00:01 5 /lib/too.so\n"
		  "7300000-7301000 r-xp 00000000 00:01 6 /lib/opened.so\n",
	  AT, RUNS, .linked = { 0x5551e00, 0x7001100, 0x7100100, 0x7200100, 0x7300100 },
	  .needs = { { "/l", NULL, "needed.so.1" },
		     { "/lib/needed.so.1.2", "needed.so.1", "/lib/too.so" } },
	  .expected = "added /lib/needed.so.1.2 - | - | loaded, and not predicted\n"
		      "added /lib/too.so - | - | loaded, and not predicted\n"
		      "note /lib/opened.so: opened by a constructor (dlopen): it stands in the "
		      "dynamic linker's list behind all that start-up has loaded, and none of "
		      "those needs it\n",
	  .n_images = 2, .n_vmas = 6 },
	{ .claim = "data that is mapped is nobody's concern",
	  .predicted = PREDICTED_PROGRAM,
	  .real = REAL_PROGRAM "7100000-7101000 r--p 00000000 00:01 4 /locale-archive\n"
			       "7200000-7203000 rw-p 00000000 00:00 0\n",
	  AT, RUNS, .expected = "", .n_images = 1, .n_vmas = 3 },
	{ .claim = "at exec the kernel has mapped nothing but what was predicted",
	  .predicted = PREDICTED_PROGRAM,
	  .real = REAL_PROGRAM "7100000-7101000 r--p 00000000 00:01 4 /data\n",
	  AT, RUNS, .moment = SEGMAP_MOMENT_EXEC,
	  .expected = "added /data - | - | loaded, and not predicted\n",
	  .n_images = 1, .n_vmas = 3 },
	{ .claim = "a library mapped as data besides is found all the same",
	  .predicted = PREDICTED_LIBRARY,
	  .real = "6000000-6003000 r--p 00000000 00:01 3 /l\n" REAL_LIBRARY,
	  RUNS,
	  .expected = "note /l: mapped once more, which loading does not: by a constructor\n",
	  .n_images = 1, .n_vmas = 3 },
	{ .claim = "another file has its path",
	  .predicted = PREDICTED_LIBRARY,
	  .real = "7000000-7001000 r-xp 00000000 00:01 9 /l\n"
		  "7001000-7002000 rw-p 00001000 00:01 9 /l\n"
		  "7002000-7003000 rw-p 00000000 00:00 0\n",
	  RUNS, .expected = "image /l - | - | another file has this path now\n",
	  .n_images = 1, .n_vmas = 3 },
	{ .claim = "memory in a hole belongs to nobody",
	  .predicted = "30000-31000 r-xp 00000000 00:01 3 /l\n"
		       "33000-34000 rw-p 00001000 00:01 3 /l\n",
	  .real = "7000000-7001000 r-xp 00000000 00:01 3 /l\n"
		  "7001000-7002000 rw-p 00000000 00:00 0\n"
		  "7003000-7004000 rw-p 00001000 00:01 3 /l\n",
	  RUNS, .expected = "", .n_images = 1, .n_vmas = 2 },
	{ .claim = "a program of which nothing is in a file",
	  .predicted = "10000-11000 rw-p 00000000 00:00 0\n", .only_program = true,
	  .real = "5550000-5551000 rw-p 00000000 00:00 0\n" STACK,
	  AT, RUNS, .expected = "", .n_images = 1, .n_vmas = 1 },
	{ .claim = "stack, vdso and vvar",
	  .predicted = "10000-14000 r--p 00000000 00:00 0 [vvar]\n"
		       "14000-16000 r-xp 00000000 00:00 0 [vdso]\n" STACK,
	  .real = "7010000-7013000 r--p 00000000 00:00 0 [vvar]\n"
		  "7ff0000-7fff000 rwxp 00000000 00:00 0 [stack]\n",
	  RUNS,
	  .expected = "resized [vvar] 0x10000-0x14000 r--p anonymous | "
		      "0x7010000-0x7013000 r--p anonymous\n"
		      "removed [vdso] 0x14000-0x16000 r-xp anonymous | -\n"
		      "perms [stack] 0x7ffe000-0x7fff000 rw-p anonymous | "
		      "0x7ff0000-0x7fff000 rwxp anonymous\n",
	  .n_vmas = 3 },
	{ .claim = "a stack ends where it was said to",
	  .predicted = STACK, .real = "7ff0000-7ffe000 rw-p 00000000 00:00 0 [stack]\n",
	  RUNS, .absolute = true,
	  .expected = "moved [stack] 0x7ffe000-0x7fff000 rw-p anonymous | "
		      "0x7ff0000-0x7ffe000 rw-p anonymous\n",
	  .n_vmas = 1 },
	{ .claim = "a heap is where it was said to be, if it is there at all",
	  .predicted = "10000-31000 rw-p 00000000 00:00 0 [heap]\n",
	  .real = "11000-12000 rw-p 00000000 00:00 0 [heap]\n",
	  RUNS, .absolute = true,
	  .expected = "moved [heap] 0x10000-0x31000 rw-p anonymous | "
		      "0x11000-0x12000 rw-p anonymous\n" },
	{ .claim = "no heap is no difference",
	  .predicted = "10000-31000 rw-p 00000000 00:00 0 [heap]\n", .real = STACK,
	  RUNS, .absolute = true, .expected = "" },
	/* How it ends. */
	{ .claim = "refused as predicted", .predicted = STACK, .no_real = true,
	  .outcome = { .by = SEGMAP_ACTOR_KERNEL, .error = "ENOEXEC" },
	  .stop = { .state = SEGMAP_RUN_REFUSED, .errnum = ENOEXEC }, .expected = "" },
	{ .claim = "refused for another reason", .predicted = STACK, .no_real = true,
	  .outcome = { .by = SEGMAP_ACTOR_KERNEL, .error = "ENOEXEC" },
	  .stop = { .state = SEGMAP_RUN_REFUSED, .errnum = EACCES },
	  .expected = "image /target refused: ENOEXEC | refused: EACCES\n" },
	{ .claim = "killed as predicted", .predicted = STACK, .no_real = true,
	  .outcome = { .by = SEGMAP_ACTOR_KERNEL, .error = "SIGSEGV" },
	  .stop = { .state = SEGMAP_RUN_KILLED, .signal = SIGSEGV }, .expected = "" },
	{ .claim = "runs, and should be killed", .predicted = STACK, .real = STACK,
	  .outcome = { .by = SEGMAP_ACTOR_KERNEL, .error = "SIGSEGV" },
	  .expected = "image /target killed: SIGSEGV | runs\n", .n_vmas = 1 },
	{ .claim = "the dynamic linker gives up as predicted", .predicted = STACK, .no_real = true,
	  .outcome = { .by = SEGMAP_ACTOR_LDSO },
	  .stop = { .state = SEGMAP_RUN_EXITED, .status = 127 }, .expected = "" },
	{ .claim = "ends, and should run", .predicted = STACK, .no_real = true, RUNS,
	  .stop = { .state = SEGMAP_RUN_EXITED, .status = 127 },
	  .expected = "image /target runs | exits with status 127 | it ends before that moment: by "
		      "the dynamic linker, or by a constructor\n" },
	{ .claim = "is killed, and should run", .predicted = STACK, .no_real = true, RUNS,
	  .stop = { .state = SEGMAP_RUN_KILLED, .signal = SIGBUS },
	  .expected = "image /target runs | killed: SIGBUS | it ends before that moment: by "
		      "the dynamic linker, or by a constructor\n" },
	{ .claim = "a constructor exits", .predicted = STACK, .no_real = true, RUNS,
	  .stop = { .state = SEGMAP_RUN_EXITED, .status = 3 },
	  .expected = "unreached: exits with status 3\n" },
	{ .claim = "a constructor takes its time", .predicted = STACK, .no_real = true, RUNS,
	  .stop = { .state = SEGMAP_RUN_TIMED_OUT },
	  .expected = "unreached: it does not get there in time\n" },
	{ .claim = "another program takes over", .predicted = STACK, .no_real = true, RUNS,
	  .stop = { .state = SEGMAP_RUN_REPLACED },
	  .expected = "unreached: it executes another program\n" },
};

/* The images that the prediction has, by its maps. */
static void make_prediction(const struct comparison_case *given, struct world *world)
{
	static const struct plan *const plans[] = { &program, &interpreter, &library };
	struct segmap_layout *layout = world->layout;

	layout->source = SEGMAP_SOURCE_PREDICTION;
	layout->target = strdup("/target");
	layout->prediction = calloc(1, sizeof(*layout->prediction));
	layout->images = calloc(3, sizeof(*layout->images));
	ck_assert(layout->target && layout->prediction && layout->images);
	layout->prediction->outcome = given->outcome;
	layout->prediction->placements =
		calloc(layout->n_vmas + 1, sizeof(*layout->prediction->placements));
	ck_assert_ptr_nonnull(layout->prediction->placements);
	for (size_t i = 0; i < layout->n_vmas; i++) {
		layout->annotations[i].image = -1;
		layout->prediction->placements[i].base = given->absolute ? SEGMAP_BASE_NONE :
									   SEGMAP_BASE_IMAGE;
		layout->prediction->placements[i].open_end =
			layout->vmas[i].start == given->open_end;
	}
	for (size_t i = 0; i < 3; i++) {
		for (size_t j = 0; j < layout->n_backings; j++) {
			const struct segmap_backing *backing = &layout->backings[j];
			uint64_t start = layout->vmas[backing->vmas[0]].start;
			struct segmap_elf *elf;

			if (strcmp(backing->path, plans[i]->path) != 0)
				continue;
			elf = plan_build(plans[i], PAGE);
			elf->entry = ENTRY;
			world->elfs[world->n_files][0] = elf;
			world->files[world->n_files] = (struct segmap_file){
				.fd = -1, .parsed = true, .n_elfs = 1,
				.elfs = world->elfs[world->n_files],
			};
			world->n_files++;
			layout->images[layout->n_images++] = (struct segmap_image){
				.elf = elf, .backing = (int32_t)j, .role = (enum segmap_role)i,
				.alias_of = -1, .bias = start, .start = start,
				.end = start + 0x8000,
			};
		}
	}
	if (given->only_program) {
		world->elfs[0][0] = plan_build(&program, PAGE);
		world->elfs[0][0]->entry = ENTRY;
		world->files[0] = (struct segmap_file){ .fd = -1, .n_elfs = 1,
							.elfs = world->elfs[0] };
		world->n_files = 1;
		layout->backings = calloc(1, sizeof(*layout->backings));
		ck_assert_ptr_nonnull(layout->backings);
		layout->backings[0] = (struct segmap_backing){ .path = strdup("/p"), .ino = 1 };
		layout->n_backings = 1;
		layout->images[layout->n_images++] = (struct segmap_image){
			.elf = world->elfs[0][0], .role = SEGMAP_ROLE_PROGRAM, .alias_of = -1,
			.bias = 0x10000, .start = 0x10000, .end = 0x18000,
		};
	}
	/* Segments are not what is tested: the first VMA is of the first, others of the second. */
	for (size_t i = 0; i < layout->n_images; i++)
		for (size_t j = 0; j < layout->n_vmas; j++)
			if (!layout->vmas[j].name[0] || layout->annotations[j].backing ==
								layout->images[i].backing) {
				const struct segmap_image *image = &layout->images[i];
				const struct segmap_vma *vma = &layout->vmas[j];

				if (vma->start < image->start || vma->start >= image->end)
					continue;
				layout->annotations[j].image = (int32_t)i;
				layout->annotations[j].segment = vma->start > image->start;
			}
}

/* The real files have their names and needs. */
static void make_needs(const struct comparison_case *given, struct world *world)
{
	for (size_t i = 0; i < 2 && given->needs[i].path; i++) {
		const struct plan plan = { .path = given->needs[i].path,
					   .segments = { LOAD(R, 0, 0, 0x800, 0x800) } };
		struct segmap_elf *elf;

		world_put(world, &plan);
		elf = world->elfs[i][0];
		elf->linking = calloc(1, sizeof(*elf->linking));
		ck_assert_ptr_nonnull(elf->linking);
		elf->linking->needed = calloc(1, sizeof(*elf->linking->needed));
		ck_assert_ptr_nonnull(elf->linking->needed);
		elf->linking->needed[0].name = given->needs[i].needed;
		elf->linking->n_needed = 1;
		elf->soname = given->needs[i].soname ? strdup(given->needs[i].soname) : NULL;
	}
}

static char *text_of(const struct segmap_comparison *comparison)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(file);
	for (size_t i = 0; i < comparison->n_changes; i++) {
		const struct segmap_change *change = &comparison->changes[i];

		fprintf(file, "%s %s ", segmap_change_word(change->what), change->image);
		if (change->segment >= 0)
			fprintf(file, "%d ", (int)change->segment);
		fprintf(file, "%s | %s", change->a ? change->a : "-", change->b ? change->b : "-");
		if (change->why)
			fprintf(file, " | %s", change->why);
		fputc('\n', file);
	}
	for (size_t i = 0; i < comparison->n_notes; i++)
		fprintf(file, "note %s\n", comparison->notes[i]);
	if (comparison->unreached)
		fprintf(file, "unreached: %s\n", comparison->unreached);
	ck_assert_int_eq(fclose(file), 0);
	return text;
}

START_TEST(comparison_finds_what_differs_and_nothing_else)
{
	const struct comparison_case *given = &cases[_i];
	struct segmap_comparison *comparison;
	struct segmap_stop stop = given->stop;
	struct world predicted, real;
	char *text;

	world_make(&predicted, given->predicted);
	make_prediction(given, &predicted);
	world_make(&real, given->real ? given->real : STACK);
	real.layout->source = SEGMAP_SOURCE_RUN;
	make_needs(given, &real);
	real.layout->moment = given->moment ? given->moment : SEGMAP_MOMENT_ENTRY;
	real.layout->auxv_entry = given->entry;
	real.layout->auxv_base = given->base;
	stop.linked = given->linked;
	while (stop.n_linked < MOST_CASE_LINKED && given->linked[stop.n_linked])
		stop.n_linked++;
	unit_no_error(segmap_compare_prediction(predicted.layout,
						given->no_real ? NULL : real.layout, &stop,
						&comparison));
	text = text_of(comparison);
	ck_assert_msg(strcmp(text, given->expected) == 0, "%s: found\n%snot\n%s",
		      given->claim, text, given->expected);
	ck_assert_msg(comparison->n_images == given->n_images &&
			      comparison->n_vmas == given->n_vmas,
		      "%s: %zu images and %zu VMAs were compared", given->claim,
		      comparison->n_images, comparison->n_vmas);
	free(text);
	segmap_comparison_free(comparison);
	world_free(&predicted);
	world_free(&real);
}
END_TEST

START_TEST(comparison_belongs_to_its_layout)
{
	struct world world;

	world_make(&world, STACK);
	world.layout->comparison = calloc(1, sizeof(*world.layout->comparison));
	ck_assert_ptr_nonnull(world.layout->comparison);
	world_free(&world);
	segmap_comparison_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("correlate/compare");
	TCase *tcase = unit_case(suite, "compare");

	tcase_add_loop_test(tcase, comparison_finds_what_differs_and_nothing_else, 0,
			    N_ROWS(cases));
	tcase_add_test(tcase, comparison_belongs_to_its_layout);
	return unit_run(suite);
}
