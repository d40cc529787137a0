/* tests/unit/correlate_diff.c - what differs between two maps that are made by hand. */
#include "builder.h"
#include "model/memory.h"
#include "unit.h"
#include <elf.h>
#include <segmap/diff.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct plan program = {
	.path = "/p",
	.segments = { LOAD(R, 0, 0, 0x1000, 0x1000), LOAD(RX, 0x1000, 0x1000, 0x3000, 0x3000),
		      LOAD(RW, 0x4000, 0x4000, 0x2000, 0x4000), RELRO(0x4000, 0x4000, 0x1000) },
	.sections = { SECTION(".rodata", 0x400, 0x400, 0xc00),
		      SECTION(".init", 0x1000, 0x1000, 0x1000),
		      SECTION(".text", 0x2000, 0x2000, 0x2000),
		      SECTION(".data.rel.ro", 0x4000, 0x4000, 0x1000),
		      SECTION(".data", 0x5000, 0x5000, 0x1000), NOBITS(".bss", 0x6000, 0, 0x2000) },
};

/* Its map, at a base of which the last four digits are 0. */
#define RODATA(base) base "0000-" base "1000 r--p 00000000 fe:00 7 /p\n"
#define TEXT(base) base "1000-" base "4000 r-xp 00001000 fe:00 7 /p\n"
#define PROTECTED(base) base "4000-" base "5000 r--p 00004000 fe:00 7 /p\n"
#define DATA(base) base "5000-" base "6000 rw-p 00005000 fe:00 7 /p\n"
#define BSS(base) base "6000-" base "8000 rw-p 00000000 00:00 0 \n"
#define CONSTANT(base) RODATA(base) TEXT(base) PROTECTED(base)
#define PROGRAM(base) CONSTANT(base) DATA(base) BSS(base)

static const struct plan library = {
	.path = "/l",
	.segments = { LOAD(RX, 0, 0, 0x1000, 0x1000), LOAD(RW, 0x1000, 0x1000, 0x1000, 0x1000) },
	.sections = { SECTION(".text", 0x800, 0x800, 0x800), SECTION(".a", 0x1000, 0x1000, 0x100),
		      SECTION(".b", 0x1100, 0x1100, 0x100), SECTION(".c", 0x1300, 0x1300, 0x100),
		      SECTION(".d", 0x1400, 0x1400, 0x100), SECTION(".e", 0x1500, 0x1500, 0xb00) },
};
/* A page of address space is free behind the second segment; the last has pages further on. */
static const struct plan gapped = {
	.path = "/g",
	.segments = { LOAD(RX, 0, 0, 0x1000, 0x1000), LOAD(RX, 0x1000, 0x1000, 0x1000, 0x1000),
		      LOAD(RX, 0x2000, 0x3000, 0x1000, 0x1000),
		      LOAD(RX, 0x5000, 0x4000, 0x1000, 0x1000) },
};

/* The same object under two names, and in another file. */
#define ONE_PAGE .segments = { LOAD(RX, 0, 0, 0x1000, 0x1000) }
static const struct plan original = { .path = "/p", ONE_PAGE };
static const struct plan copy = { .path = "/q", ONE_PAGE };
static const struct plan other = { .path = "/l", ONE_PAGE };
static const struct plan longer = { .path = "/p", .segments = { LOAD(RX, 0, 0, 0x1000, 0x1001) } };
static const struct plan embedded = { .path = "/p", .elf_off = 0x3000, ONE_PAGE };

#define LIBRARY(base)                                    \
	base "0000-" base "1000 r-xp 00000000 fe:00 8 /l\n" \
	base "1000-" base "2000 rw-p 00001000 fe:00 8 /l\n"
#define CODE(base, ino, path) base "0000-" base "1000 r-xp 00000000 fe:00 " ino " " path "\n"
#define ANON(start, end) start "-" end " rw-p 00000000 00:00 0 \n"
#define NAMED(start, end, name) start "-" end " rw-p 00000000 00:00 0 " name "\n"
#define MAPPED(start, end, perms, off) start "-" end " " perms " " off " fe:00 9 /d\n"
#define VDSO(base) base "0000-" base "1000 r-xp 00000000 00:00 0 [vdso]\n"

/* One of the two maps. */
struct given {
	const char *maps;
	const struct plan *plans[3]; /* none: program */
	const char *build_id, *soname; /* of the first file */
	const char *build_id_of_second;
	enum segmap_status status;
	bool unreadable; /* the first file: it is an image of which nothing is known */
	bool has_vdso;	 /* [vdso] is an image */
	bool from_core;	 /* neither inodes are known nor what is shared */
	bool from_gdb;	 /* nor which of its VMAs that cannot be written to can be read */
	uint64_t unknown_prots; /* those of all VMAs from this address on; 0: of none */
	bool predicted;
	bool floating; /* the base of its first image is chosen at each run */
};

static struct segmap_prediction *make_prediction(const struct segmap_layout *layout)
{
	struct segmap_prediction *prediction = calloc(1, sizeof(*prediction));

	ck_assert_ptr_nonnull(prediction);
	prediction->placements = calloc(layout->n_vmas, sizeof(*prediction->placements));
	prediction->images = calloc(layout->n_images, sizeof(*prediction->images));
	ck_assert(prediction->placements && prediction->images);
	for (size_t i = 0; i < layout->n_vmas; i++)
		prediction->placements[i].base_name = "";
	prediction->n_images = layout->n_images;
	return prediction;
}

static void make(struct world *world, const struct given *given)
{
	static const struct plan vdso = { .path = "[vdso]", ONE_PAGE };
	static const struct plan *const usual[] = { &program, NULL };
	const struct plan *const *plans = given->plans[0] ? given->plans : usual;

	world_make(world, given->maps);
	for (size_t i = given->unreadable; i < 3 && plans[i]; i++)
		world_put(world, plans[i]);
	if (given->has_vdso)
		world->layout->vdso = plan_build(&vdso, PAGE);
	if (given->unreadable)
		world->layout->backings[0].status = SEGMAP_STATUS_UNREADABLE;
	world_correlate(world);
	if (given->build_id)
		world->elfs[0][0]->build_id = strdup(given->build_id);
	if (given->build_id_of_second)
		world->elfs[1][0]->build_id = strdup(given->build_id_of_second);
	if (given->soname)
		world->elfs[0][0]->soname = strdup(given->soname);
	if (given->status)
		world->layout->backings[0].status = given->status;
	for (size_t i = 0; i < world->layout->n_vmas; i++) {
		struct segmap_vma *vma = &world->layout->vmas[i];

		if (given->from_core) {
			vma->ino = vma->dev_major = vma->dev_minor = 0;
			vma->shared = false;
			vma->unknown_shared = true;
			world->layout->backings[0].ino = 0;
		}
		if (given->from_gdb && !(vma->prot & PROT_WRITE)) {
			vma->prot &= PROT_EXEC;
			vma->unknown_prot = PROT_READ;
		}
		if (given->unknown_prots && vma->start >= given->unknown_prots) {
			vma->prot = 0;
			vma->unknown_prot = SEGMAP_ALL_PROT;
		}
	}
	if (given->predicted)
		world->layout->prediction = make_prediction(world->layout);
	if (given->floating)
		world->layout->prediction->images[0].floating = true;
}

/* "WHAT NAME[ pROW]: A -> B[ (WHY)]", and notes, each on a line. */
static char *describe(const struct segmap_diff *diff)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(file);
	for (size_t i = 0; i < diff->found->n_changes; i++) {
		const struct segmap_change *change = &diff->found->changes[i];

		fprintf(file, "%s %s", segmap_change_word(change->what), change->image);
		if (change->segment >= 0)
			fprintf(file, " p%d", (int)change->segment);
		fprintf(file, ": %s -> %s", change->a ? change->a : "", change->b ? change->b : "");
		if (change->why)
			fprintf(file, " (%s)", change->why);
		fputc('\n', file);
	}
	for (size_t i = 0; i < diff->found->n_notes; i++)
		fprintf(file, "note %s\n", diff->found->notes[i]);
	ck_assert_int_eq(fclose(file), 0);
	return text;
}

/* "[*]NAME A B", each on a line; * before an image's, ? for what is not known. */
static char *describe_moves(const struct segmap_diff *diff)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(file);
	for (size_t i = 0; i < diff->n_moves; i++) {
		const struct segmap_move *move = &diff->moves[i];

		fprintf(file, "%s%s", move->is_image ? "*" : "", move->name);
		fprintf(file, move->known_a ? " %jx" : " ?", (uintmax_t)move->a);
		fprintf(file, move->known_b ? " %jx\n" : " ?\n", (uintmax_t)move->b);
	}
	ck_assert_int_eq(fclose(file), 0);
	return text;
}

/* Compare, and fail where other things are said. @moves NULL: they are not looked at. */
static void check(const char *claim, const struct world *a, const struct world *b, bool figures,
		  const char *changes, const char *moves)
{
	struct segmap_diff *diff = NULL;
	char *found, *moved;

	unit_no_error(segmap_diff(a->layout, b->layout, figures, &diff));
	found = describe(diff);
	moved = describe_moves(diff);
	ck_assert_msg(strcmp(found, changes) == 0, "%s: what differs is\n%snot\n%s", claim, found,
		      changes);
	ck_assert_msg(!moves || strcmp(moved, moves) == 0, "%s: the bases are\n%snot\n%s", claim,
		      moved, moves);
	free(found);
	free(moved);
	segmap_diff_free(diff);
}

struct diff_case {
	const char *claim;
	struct given a, b;
	const char *changes;
	const char *moves; /* NULL: not looked at */
};

static void check_case(const struct diff_case *c)
{
	struct world a, b;

	make(&a, &c->a);
	make(&b, &c->b);
	check(c->claim, &a, &b, false, c->changes, c->moves);
	world_free(&a);
	world_free(&b);
}

/* ---- the pages of images ---- */

static const struct diff_case pages[] = {
	{ "no memory at all", { "" }, { "" }, "", "" },
	{ "the same map", { PROGRAM("1") }, { PROGRAM("1") }, "", "*/p 10000 10000\n" },
	{ "the same map at another base", { PROGRAM("1") }, { PROGRAM("55") }, "",
	  "*/p 10000 550000\n" },
	{ "at vaddr 0, and at the top", { PROGRAM("") }, { PROGRAM("fffffffffff0") }, "",
	  "*/p 0 fffffffffff00000\n" },
	{ "other permissions", { PROGRAM("1") },
	  { CONSTANT("5") "55000-56000 r--p 00005000 fe:00 7 /p\n" BSS("5") },
	  "perms /p p2: 0x5000-0x6000 rw-p offset 0x5000 -> "
	  "0x5000-0x6000 r--p offset 0x5000 (.data)\n" },
	{ "of a page in the middle", { PROGRAM("1") },
	  { RODATA("5")
	    "51000-52000 r-xp 00001000 fe:00 7 /p\n52000-53000 rwxp 00002000 fe:00 7 /p\n"
	    "53000-54000 r-xp 00003000 fe:00 7 /p\n" PROTECTED("5") DATA("5") BSS("5") },
	  "perms /p p1: 0x2000-0x3000 r-xp offset 0x2000 -> "
	  "0x2000-0x3000 rwxp offset 0x2000 (.text)\n" },
	{ "of two VMAs in the same way is one difference", { PROGRAM("1") },
	  { RODATA("5")
	    "51000-52000 rwxp 00001000 fe:00 7 /p\n52000-54000 rwxp 00002000 fe:00 7 /p\n"
	    PROTECTED("5") DATA("5") BSS("5") },
	  "perms /p p1: 0x1000-0x4000 r-xp offset 0x1000 -> "
	  "0x1000-0x4000 rwxp offset 0x1000 (.init .text)\n" },
	{ "of two VMAs in two ways are two", { PROGRAM("1") },
	  { RODATA("5")
	    "51000-52000 rwxp 00001000 fe:00 7 /p\n52000-54000 r--p 00002000 fe:00 7 /p\n"
	    PROTECTED("5") DATA("5") BSS("5") },
	  "perms /p p1: 0x1000-0x2000 r-xp offset 0x1000 -> "
	  "0x1000-0x2000 rwxp offset 0x1000 (.init)\n"
	  "perms /p p1: 0x2000-0x4000 r-xp offset 0x2000 -> "
	  "0x2000-0x4000 r--p offset 0x2000 (.text)\n" },
	{ "with the same between are two", { PROGRAM("1") },
	  { RODATA("5")
	    "51000-52000 rwxp 00001000 fe:00 7 /p\n52000-53000 r-xp 00002000 fe:00 7 /p\n"
	    "53000-54000 rwxp 00003000 fe:00 7 /p\n" PROTECTED("5") DATA("5") BSS("5") },
	  "perms /p p1: 0x1000-0x2000 r-xp offset 0x1000 -> "
	  "0x1000-0x2000 rwxp offset 0x1000 (.init)\n"
	  "perms /p p1: 0x3000-0x4000 r-xp offset 0x3000 -> "
	  "0x3000-0x4000 rwxp offset 0x3000 (.text)\n" },
	{ "file pages and memory are two", { PROGRAM("1") },
	  { CONSTANT("5")
	    "55000-56000 r--p 00005000 fe:00 7 /p\n56000-58000 r--p 00000000 00:00 0 \n" },
	  "perms /p p2: 0x5000-0x6000 rw-p offset 0x5000 -> "
	  "0x5000-0x6000 r--p offset 0x5000 (.data)\n"
	  "perms /p p2: 0x6000-0x8000 rw-p anonymous -> 0x6000-0x8000 r--p anonymous (.bss)\n" },
	{ "cut in two and no more", { PROGRAM("1") },
	  { RODATA("5")
	    "51000-52000 r-xp 00001000 fe:00 7 /p\n52000-54000 r-xp 00002000 fe:00 7 /p\n"
	    PROTECTED("5") DATA("5") BSS("5") }, "" },
	{ "a page that is no longer there", { PROGRAM("1") },
	  { RODATA("5")
	    "51000-52000 r-xp 00001000 fe:00 7 /p\n53000-54000 r-xp 00003000 fe:00 7 /p\n"
	    PROTECTED("5") DATA("5") BSS("5") },
	  "removed /p p1: 0x2000-0x3000 r-xp offset 0x2000 ->  (.text)\n" },
	{ "a page that was not there", { RODATA("1") "11000-13000 r-xp 00001000 fe:00 7 /p\n"
	    PROTECTED("1") DATA("1") BSS("1") }, { PROGRAM("5") },
	  "added /p p1:  -> 0x3000-0x4000 r-xp offset 0x3000 (.text)\n" },
	{ "two that are gone side by side", { PROGRAM("1") },
	  { RODATA("5") TEXT("5") "54000-55000 r--p 00004000 fe:00 7 /p\n" },
	  "removed /p p2: 0x5000-0x6000 rw-p offset 0x5000 ->  (.data)\n"
	  "removed /p p2: 0x6000-0x8000 rw-p anonymous ->  (.bss)\n" },
	{ "three that are gone, but not side by side in memory and in the file",
	  { "10000-11000 r-xp 00000000 fe:00 5 /g\n11000-12000 r-xp 00001000 fe:00 5 /g\n"
	    "13000-14000 r-xp 00002000 fe:00 5 /g\n14000-15000 r-xp 00005000 fe:00 5 /g\n",
	    { &gapped } },
	  { "50000-51000 r-xp 00000000 fe:00 5 /g\n", { &gapped } },
	  "removed /g p1: 0x1000-0x2000 r-xp offset 0x1000 -> \n"
	  "removed /g p2: 0x3000-0x4000 r-xp offset 0x2000 -> \n"
	  "removed /g p3: 0x4000-0x5000 r-xp offset 0x5000 -> \n" },
	{ "one is gone and one is new", { RODATA("1") "11000-12000 r-xp 00001000 fe:00 7 /p\n"
	    "13000-14000 r-xp 00003000 fe:00 7 /p\n" PROTECTED("1") DATA("1") BSS("1") },
	  { RODATA("5") "51000-53000 r-xp 00001000 fe:00 7 /p\n" PROTECTED("5") DATA("5")
	    BSS("5") },
	  "added /p p1:  -> 0x2000-0x3000 r-xp offset 0x2000 (.text)\n"
	  "removed /p p1: 0x3000-0x4000 r-xp offset 0x3000 ->  (.text)\n" },
	{ "a page that is shared now", { PROGRAM("1") },
	  { RODATA("5")
	    "51000-53000 r-xp 00001000 fe:00 7 /p\n53000-54000 r-xs 00003000 fe:00 7 /p\n"
	    PROTECTED("5") DATA("5") BSS("5") },
	  "perms /p p1: 0x3000-0x4000 r-xp offset 0x3000 -> "
	  "0x3000-0x4000 r-xs offset 0x3000 (.text)\n" },
	{ "shared and private are two", { PROGRAM("1") },
	  { RODATA("5")
	    "51000-52000 r-xp 00001000 fe:00 7 /p\n52000-53000 rwxp 00002000 fe:00 7 /p\n"
	    "53000-54000 rwxs 00003000 fe:00 7 /p\n" PROTECTED("5") DATA("5") BSS("5") },
	  "perms /p p1: 0x2000-0x3000 r-xp offset 0x2000 -> "
	  "0x2000-0x3000 rwxp offset 0x2000 (.text)\n"
	  "perms /p p1: 0x3000-0x4000 r-xp offset 0x3000 -> "
	  "0x3000-0x4000 rwxs offset 0x3000 (.text)\n" },
	{ "memory and file pages are two", { PROGRAM("1") },
	  { RODATA("5") "51000-52000 r-xp 00001000 fe:00 7 /p\n52000-53000 rwxp 00000000 00:00 0 \n"
	    "53000-54000 rwxp 00003000 fe:00 7 /p\n" PROTECTED("5") DATA("5") BSS("5") },
	  "perms /p p1: 0x2000-0x3000 r-xp offset 0x2000 -> 0x2000-0x3000 rwxp anonymous (.text)\n"
	  "perms /p p1: 0x3000-0x4000 r-xp offset 0x3000 -> "
	  "0x3000-0x4000 rwxp offset 0x3000 (.text)\n" },
	{ "a file's pages in the place of memory",
	  { RODATA("1") "11000-12000 r-xp 00001000 fe:00 7 /p\n12000-13000 r-xp 00000000 00:00 0 \n"
	    "13000-14000 r-xp 00003000 fe:00 7 /p\n" PROTECTED("1") DATA("1") BSS("1") },
	  { PROGRAM("5") },
	  "offset /p p1: 0x2000-0x3000 r-xp anonymous -> "
	  "0x2000-0x3000 r-xp offset 0x2000 (.text)\n" },
	{ "memory in the place of a file's pages", { PROGRAM("1") },
	  { RODATA("5") "51000-52000 r-xp 00001000 fe:00 7 /p\n52000-53000 r-xp 00000000 00:00 0 \n"
	    "53000-54000 r-xp 00003000 fe:00 7 /p\n" PROTECTED("5") DATA("5") BSS("5") },
	  "offset /p p1: 0x2000-0x3000 r-xp offset 0x2000 -> "
	  "0x2000-0x3000 r-xp anonymous (.text)\n" },
	{ "permissions are told rather than that", { PROGRAM("1") },
	  { RODATA("5") "51000-52000 r-xp 00001000 fe:00 7 /p\n52000-53000 rwxp 00000000 00:00 0 \n"
	    "53000-54000 r-xp 00003000 fe:00 7 /p\n" PROTECTED("5") DATA("5") BSS("5") },
	  "perms /p p1: 0x2000-0x3000 r-xp offset 0x2000 -> "
	  "0x2000-0x3000 rwxp anonymous (.text)\n" },
	{ "the heap merges with .bss, and does not",
	  { PROGRAM("1") "18000-1a000 rw-p 00000000 00:00 0 \n" },
	  { CONSTANT("5") DATA("5") "56000-5a000 rw-p 00000000 00:00 0 \n" }, "" },
	{ "sections of two VMAs are named together",
	  { RODATA("1")
	    "11000-12000 rwxp 00001000 fe:00 7 /p\n12000-14000 rwxp 00002000 fe:00 7 /p\n"
	    PROTECTED("1") DATA("1") BSS("1") }, { PROGRAM("5") },
	  "perms /p p1: 0x1000-0x4000 rwxp offset 0x1000 -> "
	  "0x1000-0x4000 r-xp offset 0x1000 (.init .text)\n" },
	{ "at most four are, and no padding", { LIBRARY("1"), { &library } },
	  { "50000-51000 r-xp 00000000 fe:00 8 /l\n51000-52000 r--p 00001000 fe:00 8 /l\n",
	    { &library } },
	  "perms /l p1: 0x1000-0x2000 rw-p offset 0x1000 -> 0x1000-0x2000 r--p offset 0x1000 "
	  "(.a .b .c .d ...)\n" },
	{ "other pages of the file", { PROGRAM("1") },
	  { RODATA("5")
	    "51000-52000 r-xp 00001000 fe:00 7 /p\n52000-53000 r-xp 00000000 fe:00 7 /p\n"
	    "53000-54000 r-xp 00003000 fe:00 7 /p\n" PROTECTED("5") DATA("5") BSS("5") },
	  "removed /p p1: 0x2000-0x3000 r-xp offset 0x2000 ->  (.text)\nadded /p:  -> r-xp 4K\n" },
	{ "other bytes of the file", { CODE("1", "7", "/p"), { &original } },
	  { "50000-51000 r-xp 00003000 fe:00 7 /p\n", { &embedded } },
	  "offset /p p0: 0x0-0x1000 r-xp offset 0x0 -> 0x0-0x1000 r-xp offset 0x3000 "
	  "([ELF header] [program headers])\n" },
};

START_TEST(pages_of_images_are_compared)
{
	check_case(&pages[_i]);
}
END_TEST

/* ---- which image is which ---- */

#define OF_PAGE(...) __VA_ARGS__, { &original }
#define OF_COPY(...) __VA_ARGS__, { &copy }
#define OF_BOTH(...) __VA_ARGS__, { &original, &copy }

static const struct diff_case files[] = {
	{ "one that only a has", { OF_BOTH(CODE("1", "7", "/p") CODE("2", "8", "/q")) },
	  { OF_PAGE(CODE("5", "7", "/p")) }, "removed /q: 4K in 1 area -> \n",
	  "*/p 10000 50000\n" },
	{ "one that only b has", { OF_PAGE(CODE("1", "7", "/p")) },
	  { CODE("5", "7", "/p") LIBRARY("6"), { &original, &library } },
	  "added /l:  -> 8K in 2 areas\n", "*/p 10000 50000\n" },
	{ "the order of addresses is chance",
	  { OF_BOTH(CODE("1", "7", "/p") CODE("2", "8", "/q")) },
	  { OF_BOTH(CODE("5", "8", "/q") CODE("6", "7", "/p")) }, "",
	  "*/p 10000 60000\n*/q 20000 50000\n" },
	{ "the first load is the first, the second is more", { OF_PAGE(CODE("1", "7", "/p")) },
	  { OF_PAGE(CODE("5", "7", "/p") CODE("6", "7", "/p")) }, "added /p:  -> 4K in 1 area\n",
	  "*/p 10000 50000\n" },
	{ "two loads are two and two", { OF_PAGE(CODE("1", "7", "/p") CODE("2", "7", "/p")) },
	  { OF_PAGE(CODE("5", "7", "/p") CODE("7", "7", "/p")) }, "",
	  "*/p 10000 50000\n*/p 20000 70000\n" },
	{ "path rather than inode", { OF_BOTH(CODE("1", "7", "/p") CODE("2", "8", "/q")) },
	  { OF_BOTH(CODE("5", "8", "/p") CODE("6", "7", "/q")) }, "",
	  "*/p 10000 50000\n*/q 20000 60000\n" },
	{ "path rather than build-id",
	  { .maps = CODE("1", "7", "/p") CODE("2", "8", "/q"), { &original, &copy },
	    .build_id = "aa" },
	  { .maps = CODE("5", "8", "/q") CODE("6", "7", "/p"), { &copy, &original },
	    .build_id = "aa" },
	  "", "*/p 10000 60000\n*/q 20000 50000\n" },
	{ "inode, where the path is another", { OF_PAGE(CODE("1", "7", "/p")) },
	  { OF_COPY(CODE("5", "7", "/q")) }, "image /p: /p -> /q (its path)\n",
	  "*/p 10000 50000\n" },
	{ "inode rather than build-id",
	  { .maps = CODE("1", "7", "/p"), { &original }, .build_id = "aa" },
	  { .maps = CODE("5", "9", "/l") CODE("6", "7", "/q"), { &other, &copy },
	    .build_id = "aa" },
	  "image /p: /p -> /q (its path)\nadded /l:  -> 4K in 1 area\n" },
	{ "the inode of another device is another's", { OF_PAGE(CODE("1", "7", "/p")) },
	  { OF_COPY("50000-51000 r-xp 00000000 fd:00 7 /q\n") },
	  "removed /p: 4K in 1 area -> \nadded /q:  -> 4K in 1 area\n" },
	{ "by its minor number, too", { OF_PAGE(CODE("1", "7", "/p")) },
	  { OF_COPY("50000-51000 r-xp 00000000 fe:01 7 /q\n") },
	  "removed /p: 4K in 1 area -> \nadded /q:  -> 4K in 1 area\n" },
	{ "build-id", { OF_PAGE(CODE("1", "7", "/p")), .build_id = "aa" },
	  { OF_COPY(CODE("5", "8", "/q")), .build_id = "aa" }, "image /p: /p -> /q (its path)\n" },
	{ "build-id rather than soname",
	  { .maps = CODE("1", "7", "/p"), { &original }, .build_id = "aa", .soname = "s" },
	  { .maps = CODE("5", "8", "/q") CODE("6", "9", "/l"), { &other, &copy }, .build_id = "bb",
	    .soname = "s", .build_id_of_second = "aa" },
	  "image /p: /p -> /q (its path)\nadded /l:  -> 4K in 1 area\n" },
	{ "soname", { OF_PAGE(CODE("1", "7", "/p")), .soname = "s" },
	  { OF_COPY(CODE("5", "8", "/q")), .soname = "s" }, "image /p: /p -> /q (its path)\n" },
	{ "nothing", { OF_PAGE(CODE("1", "7", "/p")), .build_id = "aa", .soname = "s" },
	  { OF_COPY(CODE("5", "8", "/q")), .build_id = "bb", .soname = "t" },
	  "removed /p: 4K in 1 area -> \nadded /q:  -> 4K in 1 area\n", "" },
	{ "nothing is known of it, but its path", { CODE("1", "7", "/p"), .unreadable = true },
	  { CODE("5", "8", "/p"), .unreadable = true }, "", "" },
	{ "nor even that", { CODE("1", "7", "/p"), .unreadable = true },
	  { CODE("5", "8", "/q"), .unreadable = true },
	  "removed /p: r-xp 4K -> \nadded /q:  -> r-xp 4K\n", "" },
	{ "nothing is known of it in a", { CODE("1", "7", "/p"), .unreadable = true },
	  { OF_PAGE(CODE("5", "7", "/p")) },
	  "note /p: not compared: its headers are known on one side only\n", "" },
	{ "nothing is known of it in b", { OF_PAGE(CODE("1", "7", "/p")) },
	  { CODE("5", "7", "/p"), .unreadable = true },
	  "note /p: not compared: its headers are known on one side only\n", "" },
	{ "data of files that both know is told all the same",
	  { .maps = CODE("1", "7", "/p") CODE("2", "8", "/q"), { &original, &copy },
	    .unreadable = true },
	  { CODE("5", "7", "/p") CODE("6", "8", "/q") "90000-91000 r--p 00000000 fe:00 8 /q\n",
	    { &original, &copy } },
	  "added /q:  -> r--p 4K\n"
	  "note /p: not compared: its headers are known on one side only\n", "*/q 20000 60000\n" },
	{ "a second mapping of code has no base",
	  { PROGRAM("1") "90000-91000 r-xp 00001000 fe:00 7 /p\n" },
	  { PROGRAM("5") "a0000-a1000 r-xp 00001000 fe:00 7 /p\n" }, "", "*/p 10000 50000\n" },
	{ "and is not the first", { "8000-9000 r-xp 00001000 fe:00 7 /p\n" PROGRAM("1") },
	  { PROGRAM("5") }, "removed /p: 4K in 1 area -> \n", "*/p 10000 50000\n" },
	{ "nor the other way round", { PROGRAM("1") },
	  { "8000-9000 r-xp 00001000 fe:00 7 /p\n" PROGRAM("5") }, "added /p:  -> 4K in 1 area\n",
	  "*/p 10000 50000\n" },

	{ "of another build that alone is told", { PROGRAM("1"), .build_id = "aa" },
	  { CONSTANT("5"), .build_id = "bb" }, "image /p: aa -> bb (its build-id)\n",
	  "*/p 10000 50000\n" },
	{ "of one build headers do not matter", { OF_PAGE(CODE("1", "7", "/p")), .build_id = "aa" },
	  { .maps = CODE("5", "7", "/p"), { &longer }, .build_id = "aa" }, "" },
	{ "without a build-id they do", { OF_PAGE(CODE("1", "7", "/p")) },
	  { CODE("5", "7", "/p"), { &longer } },
	  "image /p: one file -> another (its program headers)\n" },
	{ "and with one on one side", { OF_PAGE(CODE("1", "7", "/p")), .build_id = "aa" },
	  { CODE("5", "7", "/p"), { &longer } },
	  "image /p: one file -> another (its program headers)\n" },
	{ "a build-id on one side is no difference", { PROGRAM("1"), .build_id = "aa" },
	  { PROGRAM("5") },
	  "" },
	{ "deleted", { PROGRAM("1") }, { PROGRAM("5"), .status = SEGMAP_STATUS_DELETED },
	  "image /p: at its path -> deleted (what became of its file)\n" },
	{ "replaced, in a", { PROGRAM("1"), .status = SEGMAP_STATUS_REPLACED }, { PROGRAM("5") },
	  "image /p: deleted -> at its path (what became of its file)\n" },
	{ "gone on both sides", { PROGRAM("1"), .status = SEGMAP_STATUS_REPLACED },
	  { PROGRAM("5"), .status = SEGMAP_STATUS_DELETED }, "" },
	{ "written to is not gone", { PROGRAM("1"), .status = SEGMAP_STATUS_REWRITTEN },
	  { PROGRAM("5"), .status = SEGMAP_STATUS_TRUNCATED }, "" },

	{ "the vdso is an image", { VDSO("1"), .has_vdso = true }, { VDSO("5"), .has_vdso = true },
	  "",
	  "*[vdso] 10000 50000\n" },
	{ "or, where one side does not know it, an area", { VDSO("1"), .has_vdso = true },
	  { VDSO("5") },
	  "", "" },
	{ "of whichever side", { VDSO("1") }, { VDSO("5"), .has_vdso = true }, "", "" },
	{ "it can be gone", { VDSO("1"), .has_vdso = true }, { "" },
	  "removed [vdso]: r-xp 4K -> \n" },
	{ "and new", { "" }, { VDSO("5"), .has_vdso = true }, "added [vdso]:  -> r-xp 4K\n" },
};

START_TEST(images_are_matched_and_told_apart)
{
	check_case(&files[_i]);
}
END_TEST

/* Two builds of one path in one process: the file was replaced between its two loads. */
START_TEST(build_id_and_path_rather_than_path)
{
	static const char maps[] = CODE("1", "7", "/p") CODE("2", "8", "/p");
	static const char *const ids[2][2] = { { "aa", "bb" }, { "bb", "aa" } };
	struct world worlds[2];

	for (size_t i = 0; i < 2; i++) {
		struct segmap_backing *backings;

		world_make(&worlds[i], maps);
		backings = worlds[i].layout->backings;
		ck_assert_uint_eq(worlds[i].layout->n_backings, 2);
		for (size_t j = 0; j < 2; j++) {
			/* One file of that path at a time is known to the builder. */
			backings[j].path[1] = 'p';
			backings[!j].path[1] = 'x';
			world_put(&worlds[i], &original);
			worlds[i].elfs[j][0]->build_id = strdup(ids[i][j]);
		}
		backings[0].path[1] = 'p';
		world_correlate(&worlds[i]);
	}
	check("two builds", &worlds[0], &worlds[1], false, "",
	      "*/p 10000 20000\n*/p 20000 10000\n");
	world_free(&worlds[0]);
	world_free(&worlds[1]);
}
END_TEST

/* What headers of one build can differ in. */
enum header_field {
	CLASS, MACHINE, TYPE, N_SEGMENTS, INDEX, KIND, PROT, OFF, VADDR, FILESZ, ALIGN, MEMSZ,
	N_FIELDS,
};

START_TEST(any_header_field_makes_another_build)
{
	struct world a, b;
	struct given given = { PROGRAM("1") };
	struct segmap_elf *elf;
	struct segmap_segment *last;

	make(&a, &given);
	make(&b, &given);
	elf = b.elfs[0][0];
	last = &elf->segments[elf->n_segments - 1];
	switch ((enum header_field)_i) {
	case CLASS:
		elf->class = 32;
		break;
	case MACHINE:
		elf->machine = EM_AARCH64;
		break;
	case TYPE:
		elf->type = ET_EXEC;
		break;
	case N_SEGMENTS:
		elf->n_segments--;
		break;
	case INDEX:
		last->index++;
		break;
	case KIND:
		last->type = SEGMAP_SEGMENT_LOAD;
		break;
	case PROT:
		last->prot = RW;
		break;
	case OFF:
		last->off++;
		break;
	case VADDR:
		last->vaddr++;
		break;
	case FILESZ:
		last->filesz++;
		break;
	case ALIGN:
		last->align *= 2;
		break;
	default:
		last->memsz++;
	}
	check("a field", &a, &b, false, "image /p: one file -> another (its program headers)\n",
	      NULL);
	world_free(&a);
	world_free(&b);
}
END_TEST

/* ---- what belongs to no image ---- */

static const struct diff_case others[] = {
	{ "it is the sum that counts", { ANON("1000", "2000") ANON("5000", "7000") },
	  { ANON("3000", "6000") }, "" },
	{ "a greater one", { ANON("1000", "2000") ANON("5000", "7000") }, { ANON("3000", "7000") },
	  "resized [anon]: rw-p 12K in 2 areas -> rw-p 16K\n" },
	{ "new memory", { PROGRAM("1") }, { PROGRAM("5") ANON("70000", "71000") },
	  "added [anon]:  -> rw-p 4K (behind /p)\n" },
	{ "memory that is gone", { PROGRAM("1") ANON("20000", "21000") ANON("30000", "31000") },
	  { PROGRAM("5") }, "removed [anon]: rw-p 8K in 2 areas -> \n" },
	{ "in front of all images", { ANON("1000", "2000") PROGRAM("1") }, { PROGRAM("5") },
	  "removed [anon]: rw-p 4K -> \n" },
	{ "behind the nearest", { PROGRAM("1") LIBRARY("2"), { &program, &library } },
	  { PROGRAM("5") LIBRARY("6") NAMED("70000", "71000", "[heap]") ANON("80000", "81000")
	    CODE("9", "3", "/q"), { &program, &library, &copy } },
	  "added /q:  -> 4K in 1 area\nadded [anon]:  -> rw-p 4K (behind /l)\n"
	  "added [heap]:  -> rw-p 4K\n" },
	{ "other permissions of the whole", { ANON("1000", "3000") },
	  { "5000-6000 r--p 00000000 00:00 0 \n7000-8000 r--p 00000000 00:00 0 \n" },
	  "perms [anon]: rw-p 8K -> r--p 8K in 2 areas\n" },
	{ "other permissions and another size", { ANON("1000", "3000") },
	  { "5000-6000 r--p 00000000 00:00 0 \n" },
	  "added [anon]:  -> r--p 4K\nremoved [anon]: rw-p 8K -> \n" },
	{ "other permissions of a part", { ANON("1000", "3000") },
	  { "1000-2000 r--p 00000000 00:00 0 \n" ANON("2000", "3000") },
	  "added [anon]:  -> r--p 4K\nresized [anon]: rw-p 8K -> rw-p 4K\n" },
	{ "other permissions of the rest",
	  { "1000-2000 r--p 00000000 00:00 0 \n" ANON("2000", "3000") },
	  { "1000-2000 r--p 00000000 00:00 0 \n2000-3000 -wxp 00000000 00:00 0 \n" },
	  "perms [anon]: rw-p 4K -> -wxp 4K\n" },
	{ "no more than one for one", { "1000-2000 r--p 00000000 00:00 0 \n" },
	  { ANON("1000", "2000") "5000-6000 rwxp 00000000 00:00 0 \n" },
	  "removed [anon]: r--p 4K -> \nadded [anon]:  -> rw-p 4K\nadded [anon]:  -> rwxp 4K\n" },
	{ "nor one for two", { ANON("1000", "2000") "5000-6000 rwxp 00000000 00:00 0 \n" },
	  { "1000-2000 r--p 00000000 00:00 0 \n" },
	  "added [anon]:  -> r--p 4K\nremoved [anon]: rw-p 4K -> \nremoved [anon]: rwxp 4K -> \n" },
	{ "each set of permissions for itself",
	  { "1000-2000 ---p 00000000 00:00 0 \n" ANON("2000", "4000")
	    "5000-6000 r-xp 00000000 00:00 0 \n" },
	  { "1000-2000 r-xp 00000000 00:00 0 \n" ANON("2000", "3000")
	    "5000-6000 ---p 00000000 00:00 0 \n"
	    ANON("7000", "8000") }, "" },
	{ "names are kept apart",
	  { NAMED("1000", "2000", "[anon:a]") NAMED("5000", "6000", "[anon:b]") },
	  { NAMED("1000", "2000", "[anon:b]") NAMED("5000", "7000", "[anon:a]") },
	  "resized [anon:a]: rw-p 4K -> rw-p 8K\n" },
	{ "of one length and of another",
	  { NAMED("1000", "2000", "[anon:a]") NAMED("3000", "4000", "[anon:bb]")
	    ANON("5000", "6000") },
	  { NAMED("1000", "2000", "[anon:c]") NAMED("3000", "4000", "[anon:bb]")
	    ANON("5000", "6000") },
	  "removed [anon:a]: rw-p 4K -> \nadded [anon:c]:  -> rw-p 4K\n" },

	{ "the heap", { NAMED("1000", "2000", "[heap]") }, { NAMED("5000", "7000", "[heap]") },
	  "resized [heap]: rw-p 4K -> rw-p 8K\n", "[heap] 1000 5000\n" },
	{ "a heap that only one has has no base", { NAMED("1000", "2000", "[heap]") }, { "" },
	  "removed [heap]: rw-p 4K -> \n", "" },
	{ "and none the other way round", { "" }, { NAMED("1000", "2000", "[heap]") },
	  "added [heap]:  -> rw-p 4K\n", "" },
	{ "a heap with a guard below it",
	  { "1000-2000 ---p 00000000 00:00 0 [heap]\n" NAMED("2000", "3000", "[heap]") },
	  { "5000-6000 ---p 00000000 00:00 0 [heap]\n" NAMED("6000", "7000", "[heap]") }, "",
	  "[heap] 1000 5000\n" },
	{ "a stack is where it ends, and three pages are chance",
	  { NAMED("1000", "2000", "[stack]") },
	  { NAMED("5000", "9000", "[stack]") }, "", "[stack] 2000 9000\n" },
	{ "and less as well", { NAMED("5000", "9000", "[stack]") },
	  { NAMED("1000", "2000", "[stack]") }, "",
	  "[stack] 9000 2000\n" },
	{ "four are not", { NAMED("1000", "2000", "[stack]") },
	  { NAMED("5000", "a000", "[stack]") },
	  "resized [stack]: rw-p 4K -> rw-p 20K\n" },
	{ "nor are three of other areas", { NAMED("1000", "2000", "[stick]") },
	  { NAMED("5000", "9000", "[stick]") }, "resized [stick]: rw-p 4K -> rw-p 16K\n" },
	{ "nor of a file that is called so", { "1000-2000 rw-p 00000000 fe:00 9 [stack]\n" },
	  { "5000-7000 rw-p 00000000 fe:00 9 [stack]\n" },
	  "resized [stack]: rw-p 4K -> rw-p 8K\n" },
	{ "an offset of no file is none", { "1000-2000 r--p 00001000 00:00 0 [vvar]\n" },
	  { "1000-2000 r--p 00003000 00:00 0 [vvar]\n" }, "" },
	{ "areas of the kernel", { NAMED("1000", "2000", "[vvar]") },
	  { NAMED("1000", "3000", "[vvar]") },
	  "resized [vvar]: rw-p 4K -> rw-p 8K\n", "" },

	{ "a data file", { MAPPED("1000", "2000", "r--p", "00000000") },
	  { MAPPED("5000", "6000", "r--p", "00000000") }, "" },
	{ "more of it", { MAPPED("1000", "2000", "r--p", "00000000") },
	  { MAPPED("5000", "7000", "r--p", "00000000") }, "resized /d: r--p 4K -> r--p 8K\n" },
	{ "other permissions", { MAPPED("1000", "2000", "r--p", "00000000") },
	  { MAPPED("5000", "6000", "rw-p", "00000000") }, "perms /d: r--p 4K -> rw-p 4K\n" },
	{ "shared", { MAPPED("1000", "2000", "r--p", "00000000") },
	  { MAPPED("5000", "6000", "r--s", "00000000") }, "perms /d: r--p 4K -> r--s 4K\n" },
	{ "shared and private are two", { MAPPED("1000", "2000", "r--p", "00000000") },
	  { MAPPED("1000", "2000", "r--s", "00000000") MAPPED("5000", "6000", "r--p", "00000000") },
	  "added /d:  -> r--s 4K\n" },
	{ "another part of it", { MAPPED("1000", "2000", "r--p", "00000000") },
	  { MAPPED("5000", "6000", "r--p", "00001000") },
	  "removed /d: r--p 4K -> \nadded /d:  -> r--p 4K\n" },
	{ "cut in two by chance", { MAPPED("1000", "4000", "r--p", "00000000") },
	  { MAPPED("5000", "6000", "r--p", "00000000") MAPPED("6000", "7000", "r--p", "00001000")
	    MAPPED("7000", "8000", "r--p", "00002000") }, "" },
	{ "cut in two by an address", { MAPPED("1000", "3000", "r--p", "00000000") },
	  { MAPPED("5000", "6000", "r--p", "00000000") MAPPED("7000", "8000", "r--p", "00001000") },
	  "resized /d: r--p 8K -> r--p 4K\nadded /d:  -> r--p 4K\n" },
	{ "by permissions", { MAPPED("1000", "3000", "r--p", "00000000") },
	  { MAPPED("5000", "6000", "r--p", "00000000") MAPPED("6000", "7000", "rw-p", "00001000") },
	  "resized /d: r--p 8K -> r--p 4K\nadded /d:  -> rw-p 4K\n" },
	{ "by sharing", { MAPPED("1000", "3000", "r--p", "00000000") },
	  { MAPPED("5000", "6000", "r--p", "00000000") MAPPED("6000", "7000", "r--s", "00001000") },
	  "resized /d: r--p 8K -> r--p 4K\nadded /d:  -> r--s 4K\n" },
	{ "by an offset", { MAPPED("1000", "3000", "r--p", "00000000") },
	  { MAPPED("5000", "6000", "r--p", "00000000") MAPPED("6000", "7000", "r--p", "00002000") },
	  "resized /d: r--p 8K -> r--p 4K\nadded /d:  -> r--p 4K\n" },
	{ "by another file", { MAPPED("1000", "3000", "r--p", "00000000") },
	  { MAPPED("5000", "6000", "r--p", "00000000") "6000-7000 r--p 00001000 fe:00 3 /e\n" },
	  "resized /d: r--p 8K -> r--p 4K\nadded /e:  -> r--p 4K\n" },
	{ "of a name of another length", { MAPPED("1000", "3000", "r--p", "00000000") },
	  { MAPPED("5000", "6000", "r--p", "00000000") "6000-7000 r--p 00001000 fe:00 3 /dd\n" },
	  "resized /d: r--p 8K -> r--p 4K\nadded /dd:  -> r--p 4K\n" },
	{ "of a name of which it is the beginning", { MAPPED("1000", "3000", "r--p", "00000000") },
	  { "5000-6000 r--p 00000000 fe:00 3 /dd\n" MAPPED("6000", "7000", "r--p", "00001000") },
	  "removed /d: r--p 8K -> \nadded /d:  -> r--p 4K\nadded /dd:  -> r--p 4K\n" },
	{ "each for itself, though one's name begins with the other's",
	  { MAPPED("1000", "2000", "r--p", "00000000") "5000-6000 rw-p 00000000 fe:00 3 /dd\n" },
	  { MAPPED("1000", "2000", "rw-p", "00000000") "5000-6000 r--p 00000000 fe:00 3 /dd\n" },
	  "perms /d: r--p 4K -> rw-p 4K\nperms /dd: rw-p 4K -> r--p 4K\n" },
	{ "memory next to it is no file",
	  { MAPPED("1000", "2000", "rw-p", "00000000") ANON("5000", "6000") },
	  { MAPPED("1000", "2000", "rw-p", "00000000") ANON("2000", "3000") }, "" },
	{ "deleted is no other name", { MAPPED("1000", "2000", "r--p", "00000000") },
	  { "5000-6000 r--p 00000000 fe:00 9 /d (deleted)\n" }, "" },
	{ "a file that is called nothing but that",
	  { "1000-2000 r--p 00000000 fe:00 9 (deleted)\n" },
	  { "" }, "removed (deleted): r--p 4K -> \n" },
	{ "a file and an area of one name are two", { "1000-2000 rw-p 00000000 fe:00 9 [vvar]\n" },
	  { NAMED("1000", "2000", "[vvar]") },
	  "added [vvar]:  -> rw-p 4K\nremoved [vvar]: rw-p 4K -> \n" },
	{ "memory that is shared without a name is no private memory",
	  { "1000-2000 rw-s 00000000 00:00 0 \n" }, { ANON("1000", "2000") },
	  "added [anon]:  -> rw-p 4K\nremoved [anon]: rw-s 4K -> \n" },
};

START_TEST(memory_of_no_image_is_compared_by_its_sum)
{
	check_case(&others[_i]);
}
END_TEST

/* ---- what one side does not say ---- */

#define GUARDED(perms) \
	"30000-31000 " perms " 00000000 00:00 0 \n31000-39000 rw-p 00000000 00:00 0 \n"
#define SHARED(start, end) MAPPED(start, end, "r--s", "00000000")

static const struct diff_case unknowns[] = {
	{ "a core has files without inodes", { PROGRAM("1"), .from_core = true },
	  { PROGRAM("5") }, "" },
	{ "of whichever side", { PROGRAM("1") }, { PROGRAM("5"), .from_core = true }, "" },
	{ "and no inode is no proof of a file",
	  { CODE("1", "7", "/p"), { &original }, .from_core = true },
	  { CODE("5", "8", "/q"), { &copy }, .from_core = true },
	  "removed /p: 4K in 1 area -> \nadded /q:  -> 4K in 1 area\n" },
	{ "memory in their place is told all the same", { PROGRAM("1"), .from_core = true },
	  { RODATA("5") "51000-52000 r-xp 00001000 fe:00 7 /p\n52000-54000 r-xp 00000000 00:00 0 \n"
	    PROTECTED("5") DATA("5") BSS("5") },
	  "offset /p p1: 0x2000-0x4000 r-xp offset 0x2000 -> "
	  "0x2000-0x4000 r-xp anonymous (.text)\n" },
	{ "nor does it say what is shared", { SHARED("1000", "2000"), .from_core = true },
	  { SHARED("5000", "6000") }, "" },
	{ "in b", { SHARED("1000", "2000") }, { SHARED("5000", "6000"), .from_core = true }, "" },
	{ "and so it is not told", { SHARED("1000", "3000") },
	  { SHARED("5000", "6000"), .from_core = true }, "resized /d: r--? 8K -> r--? 4K\n" },
	{ "what is shared and what is not are one then",
	  { SHARED("1000", "2000") MAPPED("3000", "4000", "r--p", "00000000") },
	  { SHARED("1000", "2000") MAPPED("3000", "4000", "r--p", "00000000"),
	    .from_core = true }, "" },
	{ "a shared page of an image is private to a core",
	  { RODATA("1")
	    "11000-13000 r-xp 00001000 fe:00 7 /p\n13000-14000 r-xs 00003000 fe:00 7 /p\n" },
	  { RODATA("5") TEXT("5"), .from_core = true }, "" },
	{ "permissions of pages can be unknown", { PROGRAM("1"), .unknown_prots = 1 },
	  { PROGRAM("5") }, "" },
	{ "those of b", { PROGRAM("1") }, { PROGRAM("5"), .unknown_prots = 1 }, "" },
	{ "what is known and what is not are two", { PROGRAM("1") },
	  { RODATA("5") "51000-52000 r-xp 00001000 fe:00 7 /p\n52000-53000 ---p 00000000 00:00 0 \n"
	    "53000-54000 ---p 00000000 00:00 0 \n" PROTECTED("5") DATA("5") BSS("5"),
	    .unknown_prots = 0x53000 },
	  "perms /p p1: 0x2000-0x3000 r-xp offset 0x2000 -> 0x2000-0x3000 ---p anonymous (.text)\n"
	  "offset /p p1: 0x3000-0x4000 r-xp offset 0x3000 -> "
	  "0x3000-0x4000 ???p anonymous (.text)\n" },
	{ "what can be read can be unknown", { PROGRAM("1"), .from_gdb = true }, { PROGRAM("5") }, "" },
	{ "the other permissions are known then", { PROGRAM("1"), .from_gdb = true },
	  { RODATA("5") "51000-54000 rwxp 00001000 fe:00 7 /p\n" PROTECTED("5") DATA("5") BSS("5") },
	  "perms /p p1: 0x1000-0x4000 ?-xp offset 0x1000 -> 0x1000-0x4000 rwxp offset 0x1000 "
	  "(.init .text)\n" },
	{ "a guard is then what can only be read", { GUARDED("---p"), .from_gdb = true },
	  { GUARDED("r--p") }, "" },
	{ "in b", { GUARDED("---p") }, { GUARDED("r--p"), .from_gdb = true }, "" },
	{ "but not what can be executed", { GUARDED("---p"), .from_gdb = true },
	  { GUARDED("r-xp") }, "removed [anon]: ?--p 4K -> \nadded [anon]:  -> ?-xp 4K\n" },
	{ "permissions of files can be unknown", { SHARED("1000", "2000"), .unknown_prots = 1 },
	  { SHARED("5000", "6000") }, "" },
	{ "those of b", { SHARED("1000", "2000") },
	  { SHARED("5000", "6000"), .unknown_prots = 1 }, "" },
	{ "another size is told all the same", { SHARED("1000", "2000"), .unknown_prots = 1 },
	  { SHARED("5000", "7000") }, "resized /d: ???s 4K -> r--s 8K\n" },
};

START_TEST(unknown_is_no_difference)
{
	check_case(&unknowns[_i]);
}
END_TEST

/* ---- predictions ---- */

static const struct diff_case forecasts[] = {
	{ "memory, heap and data files are not foretold", { PROGRAM("1"), .predicted = true },
	  { PROGRAM("5") ANON("90000", "91000") NAMED("a0000", "a1000", "[heap]")
	    MAPPED("b0000", "b1000", "r--p", "00000000") }, "", "*/p 10000 50000\n" },
	{ "of whichever side",
	  { PROGRAM("5") ANON("90000", "91000") NAMED("a0000", "a1000", "[heap]") },
	  { PROGRAM("1"), .predicted = true }, "", "*/p 50000 10000\n" },
	{ "code is", { PROGRAM("1"), .predicted = true },
	  { PROGRAM("5") MAPPED("b0000", "b1000", "r-xp", "00000000") },
	  "added /d:  -> r-xp 4K\n" },
	{ "and so are other areas", { NAMED("1000", "2000", "[vvar]"), .predicted = true },
	  { NAMED("5000", "7000", "[vvar]") NAMED("8000", "9000", "[hexp]")
	    NAMED("9000", "a000", "[h") },
	  "added [h:  -> rw-p 4K\nadded [hexp]:  -> rw-p 4K\n"
	  "resized [vvar]: rw-p 4K -> rw-p 8K\n" },
	{ "a stack can be of any size", { NAMED("1000", "2000", "[stack]"), .predicted = true },
	  { NAMED("50000", "90000", "[stack]") }, "", "[stack] 2000 90000\n" },
	{ "but not with any permissions", { NAMED("1000", "2000", "[stack]"), .predicted = true },
	  { "5000-6000 rwxp 00000000 00:00 0 [stack]\n" }, "perms [stack]: rw-p 4K -> rwxp 4K\n" },
	{ "a base can be chosen at each run", { PROGRAM("1"), .predicted = true, .floating = true },
	  { PROGRAM("5") }, "", "*/p ? 50000\n" },
	{ "in b, too", { PROGRAM("1") }, { PROGRAM("5"), .predicted = true, .floating = true }, "",
	  "*/p 10000 ?\n" },
};

START_TEST(prediction_lacks_what_no_rule_foretells)
{
	check_case(&forecasts[_i]);
}
END_TEST

/* What a prediction counts from the heap's or the stack's base has no address. */
START_TEST(floating_area_has_no_base)
{
	struct given given = { NAMED("1000", "2000", "[stack]"), .predicted = true };
	struct given real = { NAMED("5000", "6000", "[stack]") };
	struct world a, b;

	make(&a, &given);
	make(&b, &real);
	check("known", &a, &b, false, "", "[stack] 2000 6000\n");
	a.layout->prediction->placements[0].base = SEGMAP_BASE_STACK;
	check("in a", &a, &b, false, "", "");
	check("in b", &b, &a, false, "", "");
	world_free(&a);
	world_free(&b);
}
END_TEST

/* ---- figures ---- */

#define COST(rss, anonymous, swap) \
	"Rss: " rss " kB\nAnonymous: " anonymous " kB\nSwap: " swap " kB\n"
#define NOT_COMPARED(who) "note memory use was not compared: " who " figures of it\n"

static const struct {
	struct diff_case c;
	bool not_asked;
} costs[] = {
	{ { "the same cost", { ANON("1000", "9000") COST("4", "4", "0") },
	    { ANON("1000", "9000") COST("4", "4", "0") }, "" } },
	{ { "pages in memory", { NAMED("1000", "9000", "[heap]") COST("4", "4", "0") },
	    { NAMED("1000", "9000", "[heap]") COST("8", "4", "0") },
	    "memory [heap]: Rss 4K -> Rss 8K\n" } },
	{ { "all three", { ANON("1000", "9000") COST("4", "8", "12") },
	    { ANON("1000", "9000") COST("8", "12", "1028") },
	    "memory [anon]: Rss 4K -> Rss 8K\nmemory [anon]: Anonymous 8K -> Anonymous 12K\n"
	    "memory [anon]: Swap 12K -> Swap 1028K\n" } },
	{ { "only on demand", { ANON("1000", "9000") COST("4", "8", "12") },
	    { ANON("1000", "9000") COST("8", "12", "16") }, "" }, .not_asked = true },
	{ { "it is the sum that counts",
	    { ANON("1000", "2000") COST("4", "0", "0") ANON("3000", "4000") COST("4", "0", "0") },
	    { ANON("1000", "3000") COST("8", "0", "0") }, "" } },
	{ { "of all permissions",
	    { ANON("1000", "2000") COST("4", "0", "0") "3000-4000 r--p 00000000 00:00 0 \n"
	      COST("8", "0", "0") },
	    { ANON("1000", "2000") COST("8", "0", "0") "3000-4000 r--p 00000000 00:00 0 \n"
	      COST("8", "0", "0") },
	    "memory [anon]: Rss 12K -> Rss 16K\n" } },
	{ { "of a file that is cut in two",
	    { MAPPED("1000", "2000", "r--p", "00000000") COST("4", "0", "0")
	      MAPPED("2000", "3000", "r--p", "00001000") COST("4", "0", "0") },
	    { MAPPED("1000", "3000", "r--p", "00000000") COST("12", "0", "0") },
	    "memory /d: Rss 8K -> Rss 12K\n" } },
	{ { "not known in a", { ANON("1000", "2000") },
	    { ANON("1000", "2000") COST("4", "0", "0") }, NOT_COMPARED("the first has no") } },
	{ { "not known in b", { ANON("1000", "2000") COST("4", "0", "0") },
	    { ANON("1000", "2000") }, NOT_COMPARED("the second has no") } },
	{ { "not known in both", { ANON("1000", "2000") }, { ANON("1000", "2000") },
	    NOT_COMPARED("neither has") } },
	{ { "not known of a part",
	    { ANON("1000", "2000") COST("4", "0", "0") ANON("3000", "4000") },
	    { ANON("1000", "2000") COST("4", "0", "0") ANON("3000", "4000") COST("4", "0", "0") },
	    "" } },
	{ { "one of them is not known", { ANON("1000", "2000") "Rss: 4 kB\n" },
	    { ANON("1000", "2000") "Rss: 8 kB\nSwap: 4 kB\n" },
	    "memory [anon]: Rss 4K -> Rss 8K\n" } },
	{ { "what is new is told of once", { NAMED("1000", "2000", "[vvar]") COST("4", "0", "0") },
	    { NAMED("1000", "2000", "[vvar]") COST("4", "0", "0") ANON("5000", "6000")
	      COST("4", "4", "0") },
	    "added [anon]:  -> rw-p 4K\n" } },
	{ { "and what is gone",
	    { ANON("1000", "2000") COST("4", "0", "0") NAMED("5000", "6000", "[vvar]")
	      COST("4", "0", "0") },
	    { NAMED("1000", "2000", "[vvar]") COST("4", "0", "0") },
	    "removed [anon]: rw-p 4K -> \n" } },
	{ { "size and cost are two", { ANON("1000", "2000") COST("4", "0", "0") },
	    { ANON("1000", "3000") COST("8", "0", "0") },
	    "resized [anon]: rw-p 4K -> rw-p 8K\nmemory [anon]: Rss 4K -> Rss 8K\n" } },
	{ { "nothing is foretold of it",
	    { ANON("1000", "2000") COST("4", "0", "0"), .predicted = true },
	    { ANON("1000", "2000") COST("8", "0", "0") }, "" } },
};

START_TEST(figures_are_compared_where_both_have_them)
{
	struct world a, b;

	make(&a, &costs[_i].c.a);
	make(&b, &costs[_i].c.b);
	check(costs[_i].c.claim, &a, &b, !costs[_i].not_asked, costs[_i].c.changes,
	      costs[_i].c.moves);
	world_free(&a);
	world_free(&b);
}
END_TEST

/* A page of each piece is in memory. */
static struct segmap_piece_memory *give_pages(struct segmap_layout *layout)
{
	struct segmap_piece_memory *paid = calloc(layout->n_pieces, sizeof(*paid));

	ck_assert_ptr_nonnull(paid);
	for (size_t i = 0; i < layout->n_pieces; i++)
		paid[i].rss = paid[i].anonymous = PAGE;
	layout->memory = memory_new();
	ck_assert_ptr_nonnull(layout->memory);
	return layout->memory->pieces = paid;
}

START_TEST(image_costs_what_its_pieces_do)
{
	/* The last piece is memory that the kernel has merged with .bss. */
	struct given given = { CONSTANT("1") DATA("1") "16000-19000 rw-p 00000000 00:00 0 \n" };
	struct segmap_piece_memory *paid;
	struct world a, b;
	size_t last;

	make(&a, &given);
	make(&b, &given);
	give_pages(a.layout);
	check("not known in b", &a, &b, true, NOT_COMPARED("the second has no"), NULL);
	check("not known in a", &b, &a, true, NOT_COMPARED("the first has no"), NULL);
	b.layout->memory = memory_new();
	ck_assert_ptr_nonnull(b.layout->memory);
	check("no page map in b", &a, &b, true, NOT_COMPARED("the second has no"), NULL);
	segmap_memory_free(b.layout->memory);
	paid = give_pages(b.layout);
	last = b.layout->n_pieces - 1;
	ck_assert_int_eq(b.layout->pieces[last].image, -1);
	/* Headers, and what lies between them and .rodata, are pieces like sections. */
	ck_assert_uint_eq(last, 9);
	check("the same", &a, &b, true, "", NULL);
	paid[last].rss += PAGE;
	check("nobody's piece", &a, &b, true, "memory [anon]: Rss 4K -> Rss 8K\n", NULL);
	paid[0].rss += PAGE;
	paid[last - 1].swap = PAGE;
	check("pieces of an image", &a, &b, true,
	      "memory /p: Rss 36K -> Rss 40K\nmemory /p: Swap 0K -> Swap 4K\n"
	      "memory [anon]: Rss 4K -> Rss 8K\n", NULL);
	check("on demand", &a, &b, false, "", NULL);
	a.elfs[0][0]->build_id = strdup("aa");
	b.elfs[0][0]->build_id = strdup("bb");
	paid[0].rss -= PAGE;
	check("of another build", &a, &b, true,
	      "image /p: aa -> bb (its build-id)\nmemory /p: Swap 0K -> Swap 4K\n"
	      "memory [anon]: Rss 4K -> Rss 8K\n", NULL);
	paid[1].swap = SEGMAP_NO_FIGURE;
	check("one piece's is not known", &a, &b, true,
	      "image /p: aa -> bb (its build-id)\nmemory [anon]: Rss 4K -> Rss 8K\n", NULL);
	world_free(&a);
	world_free(&b);
}
END_TEST

START_TEST(pages_of_other_sizes_are_noted)
{
	struct given small = { NAMED("10000", "14000", "[stack]") };
	struct given large = { NAMED("10000", "20000", "[stack]") };
	struct world a, b;

	make(&a, &small);
	make(&b, &large);
	b.layout->page_size = 16384;
	check("4096 and 16384", &a, &b, false,
	      "resized [stack]: rw-p 16K -> rw-p 64K\nnote their pages have 4096 and 16384 bytes\n",
	      NULL);
	/* Where a stack begins in its page is chance, and so is the number of pages. */
	check("16384 and 4096", &b, &a, false, "note their pages have 16384 and 4096 bytes\n",
	      NULL);
	world_free(&a);
	world_free(&b);
}
END_TEST

START_TEST(images_that_both_have_are_counted)
{
	struct given two = { CODE("1", "7", "/p") CODE("2", "8", "/q"), { &original, &copy } };
	struct given three = { CODE("1", "7", "/p") CODE("2", "7", "/p") CODE("3", "9", "/l"),
			       { &original, &other } };
	struct segmap_diff *diff;
	struct world a, b;

	make(&a, &two);
	make(&b, &three);
	unit_no_error(segmap_diff(a.layout, b.layout, false, &diff));
	ck_assert_uint_eq(diff->found->n_images, 1);
	segmap_diff_free(diff);
	segmap_diff_free(NULL);
	unit_no_error(segmap_diff(b.layout, b.layout, false, &diff));
	ck_assert_uint_eq(diff->found->n_images, 3);
	ck_assert_uint_eq(diff->found->n_changes, 0);
	segmap_diff_free(diff);
	world_free(&a);
	world_free(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("correlate/diff");
	TCase *tcase = unit_case(suite, "images");

	tcase_add_loop_test(tcase, pages_of_images_are_compared, 0, N_ROWS(pages));
	tcase_add_loop_test(tcase, images_are_matched_and_told_apart, 0, N_ROWS(files));
	tcase_add_test(tcase, build_id_and_path_rather_than_path);
	tcase_add_loop_test(tcase, any_header_field_makes_another_build, 0, N_FIELDS);
	tcase = unit_case(suite, "no images");
	tcase_add_loop_test(tcase, memory_of_no_image_is_compared_by_its_sum, 0, N_ROWS(others));
	tcase_add_loop_test(tcase, unknown_is_no_difference, 0, N_ROWS(unknowns));
	tcase = unit_case(suite, "predictions");
	tcase_add_loop_test(tcase, prediction_lacks_what_no_rule_foretells, 0, N_ROWS(forecasts));
	tcase_add_test(tcase, floating_area_has_no_base);
	tcase = unit_case(suite, "figures");
	tcase_add_loop_test(tcase, figures_are_compared_where_both_have_them, 0, N_ROWS(costs));
	tcase_add_test(tcase, image_costs_what_its_pieces_do);
	tcase = unit_case(suite, "all");
	tcase_add_test(tcase, pages_of_other_sizes_are_noted);
	tcase_add_test(tcase, images_that_both_have_are_counted);
	return unit_run(suite);
}
