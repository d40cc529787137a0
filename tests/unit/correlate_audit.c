/* tests/unit/correlate_audit.c - what is found in maps and evidence that are made by hand. */
#include "builder.h"
#include "unit.h"
#include <elf.h>
#include <segmap/audit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A static program of constants, code, RELRO and data, and its map. */
static const struct plan program = {
	.path = "/p",
	.segments = { LOAD(R, 0, 0, 0x1000, 0x1000), LOAD(RX, 0x1000, 0x1000, 0x2000, 0x2000),
		      LOAD(RW, 0x3000, 0x3000, 0x2000, 0x3000), RELRO(0x3000, 0x3000, 0x1000) },
	.sections = { SECTION(".rodata", 0x400, 0x400, 0xc00),
		      SECTION(".text", 0x1000, 0x1000, 0x2000),
		      SECTION(".data.rel.ro", 0x3000, 0x3000, 0x1000),
		      SECTION(".data", 0x4000, 0x4000, 0x1000), NOBITS(".bss", 0x5000, 0, 0x1000) },
};

#define RODATA "10000-11000 r--p 00000000 fe:00 7 /p\n"
#define TEXT "11000-13000 r-xp 00001000 fe:00 7 /p\n"
#define PROTECTED "13000-14000 r--p 00003000 fe:00 7 /p\n"
#define DATA "14000-15000 rw-p 00004000 fe:00 7 /p\n15000-16000 rw-p 00000000 00:00 0 \n"
#define PROGRAM RODATA TEXT PROTECTED DATA

static void judge(struct world *world, const char *maps, const struct plan *const *plans)
{
	world_make(world, maps);
	for (size_t i = 0; plans[i]; i++)
		world_put(world, plans[i]);
	world->layout->source = SEGMAP_SOURCE_PROCESS;
	world->layout->exe_ino = 7;
	world_correlate(world);
}

/* The findings: "ID SEVERITY START-END", each on a line. */
static char *findings_of(const struct segmap_layout *layout)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(file);
	for (size_t i = 0; i < layout->audit->n_findings; i++) {
		const struct segmap_finding *finding = &layout->audit->findings[i];

		ck_assert(finding->reason && finding->expected && finding->actual);
		fprintf(file, "%s %s", segmap_finding_word(finding->id),
			segmap_severity_word(finding->severity));
		if (finding->start != finding->end)
			fprintf(file, " %jx-%jx", (uintmax_t)finding->start, (uintmax_t)finding->end);
		fputc('\n', file);
	}
	ck_assert_int_eq(fclose(file), 0);
	return text;
}

static void check_findings(const char *claim, const struct segmap_layout *layout,
			   const char *expected)
{
	char *found = findings_of(layout);

	ck_assert_msg(strcmp(found, expected) == 0, "%s: the findings are\n%snot\n%s", claim, found,
		      expected);
	free(found);
}

static const struct plan pcre = {
	.path = "/libpcre2-8.so.0",
	.segments = { LOAD(RX, 0, 0, 0x1000, 0x1000) },
};

static const struct plan omagic = {
	.path = "/p",
	.segments = { LOAD(RWX, 0, 0, 0x1000, 0x1000), RELRO(0x1000, 0x1000, 0x1000) },
};

static const struct plan code_bss = {
	.path = "/p",
	.segments = { LOAD(RX, 0, 0, 0x1000, 0x2000) },
};

/* Libraries with room between their segments; the first can be read, or executed. */
static const struct plan spread = {
	.path = "/s.so",
	.segments = { LOAD(R, 0, 0, 0x1000, 0x1000), LOAD(RX, 0x3000, 0x3000, 0x1000, 0x1000) },
};
static const struct plan spread_code = {
	.path = "/s.so",
	.segments = { LOAD(RX, 0, 0, 0x1000, 0x1000), LOAD(R, 0x3000, 0x3000, 0x1000, 0x1000) },
};

#define SPREAD(perms)                                                                   \
	"40000-41000 r--p 00000000 fe:00 9 /s.so\n41000-43000 " perms                   \
	" 00001000 fe:00 9 /s.so\n43000-44000 r-xp 00003000 fe:00 9 /s.so\n"
#define SPREAD_CODE(perms)                                                              \
	"40000-41000 r-xp 00000000 fe:00 9 /s.so\n41000-43000 " perms                   \
	" 00001000 fe:00 9 /s.so\n43000-44000 r--p 00003000 fe:00 9 /s.so\n"

static const struct {
	const char *claim, *maps, *findings;
	const struct plan *plans[3];
	bool read_implies_exec;
	int stack_prot;
	bool is_glibc; /* the first plan's file defines its versions */
	const char *reason; /* of the first finding; NULL: not looked at */
} memories[] = {
	{ "all as promised", PROGRAM, "" },
	{ "code writable", RODATA "11000-13000 rwxp 00001000 fe:00 7 /p\n" PROTECTED DATA,
	  "text-writable medium 11000-13000\n" },
	{ "constants writable", "10000-11000 rw-p 00000000 fe:00 7 /p\n" TEXT PROTECTED DATA,
	  "perms-drift medium 10000-11000\n" },
	{ "constants executable", "10000-11000 r-xp 00000000 fe:00 7 /p\n" TEXT PROTECTED DATA,
	  "data-executable medium 10000-11000\n" },
	{ "RELRO of a static program", RODATA TEXT "13000-14000 rw-p 00003000 fe:00 7 /p\n" DATA,
	  "relro-not-applied low 13000-14000\n" },
	{ "less than promised", RODATA TEXT PROTECTED
	  "14000-15000 r--p 00004000 fe:00 7 /p\n15000-16000 rw-p 00000000 00:00 0 \n",
	  "perms-drift info 14000-15000\n" },
	{ ".bss executable", RODATA TEXT PROTECTED
	  "14000-15000 rw-p 00004000 fe:00 7 /p\n15000-16000 rwxp 00000000 00:00 0 \n",
	  "data-executable medium 15000-16000\n" },
	{ "anonymous, both rights", PROGRAM "20000-21000 rwxp 00000000 00:00 0 \n",
	  "wx-vma medium 20000-21000\n" },
	{ "anonymous code", PROGRAM "20000-21000 r-xp 00000000 00:00 0 \n",
	  "anon-executable medium 20000-21000\n" },
	{ "named as generated", PROGRAM "20000-21000 r-xp 00000000 00:00 0 [anon:v8]\n"
	  "30000-31000 rwxp 00000000 00:00 0 [anon:v8]\n",
	  "wx-vma low 30000-31000\nanon-executable info 20000-21000\n" },
	{ "with a library that generates code", PROGRAM
	  "20000-21000 r-xp 00000000 00:00 0 \n30000-31000 r-xp 00000000 fe:00 9 /libpcre2-8.so.0\n",
	  "anon-executable low 20000-21000\n", { &program, &pcre } },
	{ "many are told of as one", PROGRAM "20000-21000 rwxp 00000000 00:00 0 [anon:v8]\n"
	  "30000-31000 rwxp 00000000 00:00 0 [anon:v8]\n40000-41000 rwxp 00000000 00:00 0 [anon:v8]\n",
	  "wx-vma low 20000-21000\n" },
	{ "a file that is no ELF object", PROGRAM "20000-21000 r-xp 00000000 fe:00 8 /a.dll\n",
	  "file-executable medium 20000-21000\n" },
	{ "a data file", PROGRAM "20000-21000 r--p 00000000 fe:00 8 /a.dat\n", "" },
	{ "the kernel's own code", PROGRAM "20000-21000 r-xp 00000000 00:00 0 [uprobes]\n"
	  "30000-31000 r-xp 00000000 00:00 0 [vdso]\n"
	  "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n", "" },
	{ "the stack, and nobody asks", PROGRAM "20000-21000 rwxp 00000000 00:00 0 [stack]\n",
	  "stack-executable medium 20000-21000\n" },
	{ "the stack, and the program asks", PROGRAM "20000-21000 rwxp 00000000 00:00 0 [stack]\n",
	  "stack-executable medium 20000-21000\n", { &program }, .stack_prot = RWX },
	{ "asked for in vain", PROGRAM "20000-21000 rw-p 00000000 00:00 0 [stack]\n",
	  "stack-asked low\n", { &program }, .stack_prot = RWX },
	{ "no word of the stack", PROGRAM "20000-21000 rw-p 00000000 00:00 0 [stack]\n",
	  "stack-asked info\n", { &program }, .stack_prot = SEGMAP_NO_STACK },
	{ "one finding instead of one for each VMA",
	  "10000-11000 r-xp 00000000 fe:00 7 /p\n11000-13000 r-xp 00001000 fe:00 7 /p\n"
	  "13000-14000 r-xp 00003000 fe:00 7 /p\n14000-15000 rwxp 00004000 fe:00 7 /p\n"
	  "15000-16000 rwxp 00000000 00:00 0 \n20000-21000 rwxp 00000000 00:00 0 [stack]\n",
	  "read-implies-exec medium\n", .read_implies_exec = true },
	{ "a file that asks for both rights", "10000-11000 rwxp 00000000 fe:00 7 /p\n",
	  "wx-vma medium 10000-11000\n", { &omagic },
	  .reason = "memory is writable and executable, and p asks for it so (PT_LOAD with W and X)" },
	{ "a second mapping for which no file asks", PROGRAM "20000-21000 rwxp 00001000 fe:00 7 /p\n",
	  "wx-vma medium 20000-21000\n", .reason = "a second mapping of p is writable and executable" },
	{ "a .bss of the kernel's behind code", "10000-11000 r-xp 00000000 fe:00 7 /p\n"
	  "11000-12000 rwxp 00000000 00:00 0 \n", "wx-vma medium 11000-12000\n", { &code_bss },
	  .reason = "memory is writable and executable" },
	{ "memory over constants", "10000-11000 r--p 00000000 00:00 0 \n" TEXT PROTECTED DATA,
	  "text-anonymous medium 10000-11000\n",
	  .reason = "constants are on anonymous pages instead of the file's" },
	{ "a guard over constants", "10000-11000 ---p 00000000 00:00 0 \n" TEXT PROTECTED DATA,
	  "perms-drift info 10000-11000\n" },
	{ "other pages of the file over code", RODATA "11000-12000 r-xp 00001000 fe:00 7 /p\n"
	  "12000-13000 r-xp 00000000 fe:00 7 /p\n" PROTECTED DATA, "text-anonymous medium 12000-13000\n",
	  .reason = "code is on pages from elsewhere in the file" },
	{ "another file over constants", "10000-11000 r--p 00000000 fe:00 8 /q\n" TEXT PROTECTED DATA,
	  "text-anonymous medium 10000-11000\n", .reason = "constants are on pages of another file" },
	{ "shared memory over code, beside a compiler", RODATA "11000-12000 r-xp 00001000 fe:00 7 /p\n"
	  "12000-13000 r-xs 00000000 00:00 0 \n" PROTECTED DATA
	  "30000-31000 r-xp 00000000 fe:00 9 /libpcre2-8.so.0\n", "text-anonymous medium 12000-13000\n",
	  { &program, &pcre }, .reason = "code is on memory of no file instead of the file's pages" },
	{ "and behind it", RODATA TEXT PROTECTED "14000-15000 rw-p 00004000 fe:00 7 /p\n"
	  "15000-17000 rw-s 00000000 00:00 0 \n", "" },
	{ "a part of a file that is mapped alone", "10000-11000 r--p 00000000 fe:00 8 /q\n" TEXT, "" },
	{ "a gap", SPREAD("---p"), "", { &spread }, .is_glibc = true },
	{ "a gap with code", SPREAD("r-xp"), "perms-drift medium 41000-43000\n", { &spread },
	  .is_glibc = true },
	{ "a gap with both rights", SPREAD("rwxp"), "perms-drift medium 41000-43000\n", { &spread },
	  .is_glibc = true },
	{ "a writable gap", SPREAD("rw-p"), "perms-drift medium 41000-43000\n", { &spread },
	  .is_glibc = true },
	{ "a gap to read", SPREAD("r--p"), "perms-drift info 41000-43000\n", { &spread },
	  .is_glibc = true },
	{ "part of a gap", "40000-41000 r--p 00000000 fe:00 9 /s.so\n"
	  "41000-42000 r-xp 00001000 fe:00 9 /s.so\n42000-43000 ---p 00002000 fe:00 9 /s.so\n"
	  "43000-44000 r-xp 00003000 fe:00 9 /s.so\n", "perms-drift medium 41000-42000\n",
	  { &spread }, .is_glibc = true },
	{ "a gap that is one VMA with what is before it", "40000-43000 r-xp 00000000 fe:00 9 /s.so\n"
	  "43000-44000 r--p 00003000 fe:00 9 /s.so\n", "perms-drift medium 41000-43000\n",
	  { &spread_code }, .is_glibc = true },
	{ "a gap like the first segment", SPREAD_CODE("r-xp"), "perms-drift medium 41000-43000\n",
	  { &spread_code }, .is_glibc = true },
	{ "musl leaves it so", SPREAD_CODE("r-xp"), "", { &spread_code } },
	{ "or merged", "40000-43000 r-xp 00000000 fe:00 9 /s.so\n"
	  "43000-44000 r--p 00003000 fe:00 9 /s.so\n", "", { &spread_code } },
	{ "and not with more rights", SPREAD_CODE("rwxp"), "perms-drift medium 41000-43000\n",
	  { &spread_code } },
	{ "nor with code behind data", SPREAD("r-xp"), "perms-drift medium 41000-43000\n",
	  { &spread } },
};

START_TEST(permissions_and_code_are_judged)
{
	static const struct plan *const usual[] = { &program, NULL };
	struct segmap_version version = { .name = "GLIBC_2.2.5" };
	struct segmap_linking linking = { .defined = &version, .n_defined = 1 };
	struct world world;

	judge(&world, memories[_i].maps, memories[_i].plans[0] ? memories[_i].plans : usual);
	if (memories[_i].read_implies_exec) {
		/* What is expected takes it into account. */
		world_free(&world);
		world_make(&world, memories[_i].maps);
		world_put(&world, &program);
		world.layout->exe_ino = 7;
		world.layout->read_implies_exec = true;
		world_correlate(&world);
	}
	world.elfs[0][0]->stack_prot = memories[_i].stack_prot;
	world.elfs[0][0]->linking = memories[_i].is_glibc ? &linking : NULL;
	unit_no_error(segmap_layout_audit(world.layout));
	check_findings(memories[_i].claim, world.layout, memories[_i].findings);
	if (memories[_i].reason)
		ck_assert_str_eq(world.layout->audit->findings[0].reason, memories[_i].reason);
	world.elfs[0][0]->linking = NULL;
	world_free(&world);
}
END_TEST

/* Bytes of .text, of the file and of memory, and what they are found to be. */
static const struct {
	const char *claim;
	unsigned int machine; /* 0: x86-64 */
	const char *in_file, *in_memory; /* in hex, at 11100 */
	int symbol;		 /* offset of the function's start among them; -1: unknown */
	const char *finding, *confidence;
	int tracer;
	bool uprobes, trampoline, registered, relocated;
} patches[] = {
	{ "jump at a function", 0, "5548 89e590 90", "e9fb0e0000 90", 0, "text-hook", "likely" },
	{ "jump in its middle", 0, "90 5548 89e590 90", "90 e9fa0e0000 90", -1, "text-hook", "possible" },
	{ "its first byte was one", 0, "e900000000", "e9fb0e0000", -1, "text-hook", "possible" },
	{ "a short one", 0, "5548", "eb10", 0, "text-hook", "likely" },
	{ "call", 0, "5548 89e590 90", "e8fb0e0000 90", 0, "text-hook", "likely" },
	{ "behind a landing pad", 0, "f30f1efa 55 48 89 e5 90", "f30f1efa e9f70e0000", 0, "text-hook",
	  "likely" },
	{ "to an absolute address", 0, "000000000000000000000000", "48b80020010000000000ffe0", 0,
	  "text-hook", "likely" },
	{ "by r11", 0, "00000000000000000000000000", "49bb002001000000000041ffe3", 0, "text-hook",
	  "likely" },
	{ "by another register than was loaded", 0, "000000000000000000000000",
	  "48b80020010000000000ffe3", 0, "text-modified", "certain" },
	{ "by push and ret", 0, "000000000000", "6800200100c3", 0, "text-hook", "likely" },
	{ "through a pointer behind it", 0, "0000000000000000000000000000",
	  "ff25000000000020010000000000", 0, "text-hook", "likely" },
	{ "through a pointer elsewhere", 0, "000000000000", "ff2534120000", 0, "text-hook", "likely" },
	{ "the same where no function begins", 0, "000000000000", "ff2534120000", -1, "text-modified",
	  "certain" },
	{ "to nowhere", 0, "5548 89e590 90", "e9fb0e0070 90", 0, "text-modified", "certain" },
	{ "to data", 0, "5548 89e590 90", "e9fb2e0000 90", 0, "text-modified", "certain" },
	{ "of i386", EM_386, "00000000000000", "b800200100ffe0", 0, "text-hook", "likely" },
	{ "of aarch64", EM_AARCH64, "1f2003d5", "c0030014", 0, "text-hook", "likely" },
	{ "of aarch64, absolute", EM_AARCH64, "00000000000000000000000000000000",
	  "5100005820021fd60020010000000000", 0, "text-hook", "likely" },
	{ "of a machine that is not known", EM_RISCV, "5548 89e590 90", "e9fb0e0000 90", 0,
	  "text-modified", "certain" },
	{ "breakpoint", 0, "55", "cc", 0, "text-breakpoint", "possible" },
	{ "with a debugger", 0, "55", "cc", 0, "text-breakpoint", "likely", .tracer = 5 },
	{ "of aarch64", EM_AARCH64, "1f2003d5", "000020d4", 0, "text-breakpoint", "possible" },
	{ "two", 0, "55 48 90", "cc 48 cc", 0, "text-breakpoint", "possible" },
	{ "a row of them", 0, "55 48 90", "cc cc cc", 0, "text-modified", "certain" },
	{ "uprobe", 0, "55", "cc", 0, "text-uprobe", "likely", .uprobes = true },
	{ "or a debugger's", 0, "55", "cc", 0, "text-breakpoint", "likely", 5, .uprobes = true },
	{ "registered", 0, "55", "cc", 0, "text-uprobe", "certain", 5, .registered = true },
	{ "optimized", 0, "0f1f440000", "e8fbee0000", 0, "text-uprobe", "certain",
	  .trampoline = true },
	{ "relocation", 0, "00000000", "00200100", -1, "text-relocated", "certain",
	  .relocated = true },
	{ "anything else", 0, "0102030405060708", "1112131415161718", -1, "text-modified", "certain" },
};

static size_t from_hex(const char *hex, unsigned char *bytes)
{
	size_t n = 0;

	for (const char *at = hex; *at; at += at[0] == ' ' ? 1 : 2) {
		unsigned int byte;

		if (*at == ' ')
			continue;
		ck_assert_int_eq(sscanf(at, "%2x", &byte), 1);
		bytes[n++] = (unsigned char)byte;
	}
	return n;
}

/* The piece that holds @addr. */
static uint32_t piece_at(const struct segmap_layout *layout, uint64_t addr)
{
	for (uint32_t i = 0; i < layout->n_pieces; i++)
		if (addr >= layout->pieces[i].start && addr < layout->pieces[i].end)
			return i;
	ck_abort_msg("no piece");
}

START_TEST(stack_of_a_thread_that_is_executable_is_a_stack)
{
	struct world world;

	world_make(&world, PROGRAM "20000-21000 rwxp 00000000 00:00 0 \n");
	world_put(&world, &program);
	world.layout->exe_ino = 7;
	world.layout->threads = calloc(1, sizeof(*world.layout->threads));
	ck_assert_ptr_nonnull(world.layout->threads);
	world.layout->threads[world.layout->n_threads++] = (struct segmap_thread){ 5, 0x20ff0 };
	world_correlate(&world);
	unit_no_error(segmap_layout_audit(world.layout));
	check_findings("one of a thread", world.layout, "stack-executable medium 20000-21000\n");
	world_free(&world);
}
END_TEST

/* Evidence with nothing in it. */
static struct segmap_evidence *give_evidence(struct segmap_layout *layout)
{
	struct segmap_evidence *evidence = calloc(1, sizeof(*evidence));

	ck_assert_ptr_nonnull(evidence);
	evidence->mem = evidence->pagemap = evidence->maps = evidence->listing = -1;
	evidence->compared = true;
	layout->evidence = evidence;
	return evidence;
}

/* What was seen of pages that lie over code or constants. */
static const struct {
	const char *claim, *file, *findings; /* the file that is at 12000 */
	uint64_t n_differing, n_unknown;
	const char *reason;
} displacements[] = {
	{ "the same bytes", "00:00 0 ", "text-anonymous info 12000-13000\n",
	  .reason = "code is on anonymous pages instead of the file's; byte by byte it is the file's" },
	{ "others, which are told one by one", "00:00 0 ", "text-anonymous medium 12000-13000\n", 5, 0,
	  "code is on anonymous pages instead of the file's; not all of it is the file's" },
	{ "not all were there to be compared", "00:00 0 ", "text-anonymous medium 12000-13000\n", 0, 2,
	  "code is on anonymous pages instead of the file's; 2 pages could not be compared with the file" },
	{ "the same bytes of another file", "fe:00 8 /q", "text-anonymous info 12000-13000\n",
	  .reason = "code is on pages of another file; byte by byte it is the file's" },
	{ "others", "fe:00 8 /q", "text-modified high 12000-13000\n", 5, 2,
	  "code is on pages of another file; not all of it is the file's" },
};

START_TEST(pages_over_code_are_judged_by_their_bytes)
{
	static const struct plan *const plans[] = { &program, NULL };
	struct world world;
	char maps[1024];

	snprintf(maps, sizeof(maps), RODATA "11000-12000 r-xp 00001000 fe:00 7 /p\n"
		 "12000-13000 r-xp 00000000 %s\n" PROTECTED DATA, displacements[_i].file);
	judge(&world, maps, plans);
	give_evidence(world.layout);
	ck_assert_uint_eq(world.layout->n_displaced, 1);
	world.layout->displaced[0].n_differing = displacements[_i].n_differing;
	world.layout->displaced[0].n_unknown = displacements[_i].n_unknown;
	unit_no_error(segmap_layout_audit(world.layout));
	check_findings(displacements[_i].claim, world.layout, displacements[_i].findings);
	ck_assert_str_eq(world.layout->audit->findings[0].reason, displacements[_i].reason);
	world_free(&world);
}
END_TEST

/* Bytes that differ from @at on; at most the context's. */
static struct segmap_altered *give_altered(struct segmap_layout *layout, uint64_t at,
					   const char *in_file, const char *in_memory)
{
	struct segmap_evidence *evidence = layout->evidence;
	struct segmap_altered *altered = calloc(1, sizeof(*altered));
	size_t n;

	ck_assert_ptr_nonnull(altered);
	evidence->altered = altered;
	evidence->n_altered = 1;
	altered->context = at;
	altered->n_context = n = from_hex(in_file, altered->in_file);
	ck_assert_uint_eq(from_hex(in_memory, altered->in_memory), n);
	altered->piece = piece_at(layout, at);
	for (size_t i = 0; i < n; i++) {
		if (altered->in_file[i] == altered->in_memory[i])
			continue;
		if (!altered->n_bytes++)
			altered->start = at + i;
		altered->end = at + i + 1;
	}
	altered->off = layout->pieces[altered->piece].off +
		       (altered->start - layout->pieces[altered->piece].start);
	return altered;
}

static void give_probe(struct segmap_evidence *evidence, const char *path, uint64_t off)
{
	evidence->probes = calloc(1, sizeof(*evidence->probes));
	ck_assert_ptr_nonnull(evidence->probes);
	evidence->probes[0].path = strdup(path);
	evidence->probes[0].off = off;
	evidence->n_probes = 1;
}

START_TEST(changed_code_is_told_apart)
{
	static const struct plan *const plans[] = { &program, NULL };
	const uint64_t at = 0x11100;
	char maps[1024];
	struct world world;
	struct segmap_evidence *evidence;
	struct segmap_altered *altered;
	const struct segmap_finding *finding;

	snprintf(maps, sizeof(maps), PROGRAM "%s%s",
		 patches[_i].trampoline ?
			 "20000-21000 r-xp 00000000 00:00 0 [uprobes-trampoline]\n" : "",
		 patches[_i].uprobes ? "30000-31000 --xp 00000000 00:00 0 [uprobes]\n" : "");
	judge(&world, maps, plans);
	if (patches[_i].machine)
		world.elfs[0][0]->machine = patches[_i].machine;
	evidence = give_evidence(world.layout);
	evidence->tracer = patches[_i].tracer;
	altered = give_altered(world.layout, at, patches[_i].in_file, patches[_i].in_memory);
	altered->relocated = patches[_i].relocated;
	if (patches[_i].symbol >= 0) {
		altered->symbol = strdup("f");
		altered->symbol_off = altered->start - at - (uint64_t)patches[_i].symbol;
	}
	if (patches[_i].registered)
		give_probe(evidence, "/p", 0x1100);
	unit_no_error(segmap_layout_audit(world.layout));
	ck_assert_uint_eq(world.layout->audit->n_findings, 1);
	finding = &world.layout->audit->findings[0];
	ck_assert_msg(strcmp(segmap_finding_word(finding->id), patches[_i].finding) == 0 &&
			      strcmp(segmap_confidence_word(finding->confidence),
				     patches[_i].confidence) == 0,
		      "%s: it is %s, %s: %s", patches[_i].claim, segmap_finding_word(finding->id),
		      segmap_confidence_word(finding->confidence), finding->reason);
	ck_assert_str_eq(finding->section, ".text");
	world_free(&world);
}
END_TEST

START_TEST(probe_elsewhere_is_not_this_breakpoint)
{
	static const struct plan *const plans[] = { &program, NULL };
	static const struct {
		const char *path;
		uint64_t off;
	} others[] = { { "/p", 0x1101 }, { "/q", 0x1100 } };
	struct world world;

	judge(&world, PROGRAM, plans);
	give_probe(give_evidence(world.layout), others[_i].path, others[_i].off);
	give_altered(world.layout, 0x11100, "55", "cc");
	unit_no_error(segmap_layout_audit(world.layout));
	check_findings(others[_i].path, world.layout, "text-breakpoint medium 11100-11101\n");
	world_free(&world);
}
END_TEST

START_TEST(long_change_is_shown_by_its_first_bytes)
{
	static const struct plan *const plans[] = { &program, NULL };
	struct world world;
	struct segmap_altered *altered;

	judge(&world, PROGRAM, plans);
	give_evidence(world.layout);
	altered = give_altered(world.layout, 0x10500, "00000000", "11223344");
	altered->end = 0x10700;
	altered->n_bytes = 0x200;
	unit_no_error(segmap_layout_audit(world.layout));
	check_findings("constants", world.layout, "rodata-modified medium 10500-10700\n");
	ck_assert_str_eq(world.layout->audit->findings[0].actual, "11 22 33 44 ...");
	world_free(&world);
}
END_TEST

/* A library that the dynamic linker can have in its list, by its dynamic section. */
static const struct plan library = {
	.path = "/lib.so",
	.segments = { LOAD(RX, 0, 0, 0x1000, 0x1000), LOAD(RW, 0x1000, 0x1000, 0x2000, 0x2000),
		      RELRO(0x1000, 0x1000, 0x1008) },
	.sections = { SECTION(".got", 0x1f00, 0x1f00, 0x100),
		      SECTION(".got.plt", 0x2000, 0x2000, 0x100) },
};

#define LIBRARY                                                                         \
	"40000-41000 r-xp 00000000 fe:00 8 /lib.so\n"                                   \
	"41000-42000 r--p 00001000 fe:00 8 /lib.so\n42000-43000 rw-p 00002000 fe:00 8 /lib.so\n"

static const struct {
	const char *claim;
	uint64_t dynamic; /* of the entry; 0: there is none */
	enum segmap_list_state state;
	const char *findings;
} lists[] = {
	{ "listed", 0x41800, SEGMAP_LIST_READ, "" },
	{ "not listed", 0, SEGMAP_LIST_READ, "image-unlisted high 40000-43000\n" },
	{ "another is listed", 0x90000, SEGMAP_LIST_READ,
	  "image-unlisted high 40000-43000\nlisted-not-mapped medium\n" },
	{ "in another load", 0x14800, SEGMAP_LIST_READ, "image-unlisted high 40000-43000\n" },
	{ "no dynamic linker", 0, SEGMAP_LIST_NONE, "" },
	{ "just changing", 0, SEGMAP_LIST_CHANGING, "" },
	{ "not yet made", 0, SEGMAP_LIST_NOT_YET, "" },
	{ "without an end", 0x41800, SEGMAP_LIST_BROKEN, "list-broken medium\n" },
};

START_TEST(linkers_list_and_images_are_compared)
{
	static const struct plan *const plans[] = { &program, &library, NULL };
	struct world world;
	struct segmap_evidence *evidence;

	judge(&world, PROGRAM LIBRARY, plans);
	world.elfs[1][0]->dynamic = 0x1800;
	evidence = give_evidence(world.layout);
	evidence->list = lists[_i].state;
	evidence->linked = calloc(1, sizeof(*evidence->linked));
	ck_assert_ptr_nonnull(evidence->linked);
	if (lists[_i].dynamic) {
		evidence->linked[0].dynamic = lists[_i].dynamic;
		evidence->n_linked = 1;
	}
	unit_no_error(segmap_layout_audit(world.layout));
	check_findings(lists[_i].claim, world.layout, lists[_i].findings);
	world_free(&world);
}
END_TEST

static const struct {
	const char *claim;
	enum segmap_status status;
	const char *old_id, *new_id, *findings;
} statuses[] = {
	{ "deleted", SEGMAP_STATUS_DELETED, "aa", NULL, "file-deleted low 40000-41000\n" },
	{ "replaced", SEGMAP_STATUS_REPLACED, "aa", "bb", "file-replaced low 40000-41000\n" },
	{ "by the same", SEGMAP_STATUS_REPLACED, "aa", "aa", "file-replaced info 40000-41000\n" },
	{ "by something", SEGMAP_STATUS_REPLACED, "aa", NULL, "file-replaced low 40000-41000\n" },
	{ "rewritten", SEGMAP_STATUS_REWRITTEN, NULL, NULL, "file-rewritten low 40000-41000\n" },
	{ "truncated", SEGMAP_STATUS_TRUNCATED, "aa", NULL, "file-truncated medium 40000-41000\n" },
	{ "as it was", SEGMAP_STATUS_OK, "aa", NULL, "" },
};

START_TEST(what_became_of_a_file_is_told)
{
	static const struct plan *const plans[] = { &library, NULL };
	struct world world;

	judge(&world, LIBRARY, plans);
	world.layout->backings[0].status = statuses[_i].status;
	world.elfs[0][0]->build_id = statuses[_i].old_id ? strdup(statuses[_i].old_id) : NULL;
	world.layout->backings[0].path_build_id =
		statuses[_i].new_id ? strdup(statuses[_i].new_id) : NULL;
	unit_no_error(segmap_layout_audit(world.layout));
	check_findings(statuses[_i].claim, world.layout, statuses[_i].findings);
	world_free(&world);
}
END_TEST

/* How a library is bound, and what of that can be written to. */
static const struct {
	const char *claim;
	struct segmap_linking linking;
	const char *findings;
	const char *maps; /* NULL: after start-up */
} bindings[] = {
	{ "nothing to bind", { .plt_got = 0x2000 }, "" },
	{ "bound at once", { .plt_got = 0x1f00, .n_plt = 5, .bind_now = true }, "" },
	{ "more relocations than slots", { .plt_got = 0x1f00, .n_plt = 50, .bind_now = true }, "" },
	{ "in pages that RELRO does not have whole",
	  { .plt_got = 0x2000, .n_plt = 5, .bind_now = true }, "relro-partial low 42000-43000\n" },
	{ "bound at once, before RELRO is applied", { .plt_got = 0x1f00, .n_plt = 5, .bind_now = true },
	  "relro-not-applied medium 41000-42000\n", "40000-41000 r-xp 00000000 fe:00 8 /lib.so\n"
	  "41000-43000 rw-p 00001000 fe:00 8 /lib.so\n" },
	{ "lazily", { .plt_got = 0x2000, .n_plt = 5 },
	  "no-bind-now info\nrelro-partial info 42000-43000\n" },
	{ "lazily, by a table that is not writable", { .plt_got = 0x800, .n_plt = 5 },
	  "no-bind-now info\n" },
	{ "a table beyond the file", { .plt_got = UINT64_MAX, .n_plt = UINT64_MAX / 8 },
	  "no-bind-now info\n" },
	{ "no RUNPATH", { .runpath = "", .rpath = NULL }, "" },
	{ "absolute", { .runpath = "/lib:$ORIGIN/x:/y" }, "" },
	{ "the origin alone", { .runpath = "$ORIGIN:/y:${ORIGIN}" }, "" },
	{ "a name behind the origin", { .runpath = "$ORIGIN-x:${ORIGIN}x" }, "" },
	{ "a token that is a name", { .runpath = "$LIB/x" }, "runpath-relative low\n" },
	{ "another behind the origin", { .runpath = "$ORIGIN:${PLATFORM}" },
	  "runpath-relative low\n" },
	{ "no token", { .runpath = "$ORIGINAL/x" }, "runpath-relative low\n" },
	{ "braces that stay open", { .runpath = "${ORIGIN/x" }, "runpath-relative low\n" },
	{ "a token within an absolute one", { .runpath = "/x/$LIB" }, "" },
	{ "relative", { .runpath = "/lib:x:/y" }, "runpath-relative low\n" },
	{ "empty at its end", { .runpath = "/lib:" }, "runpath-relative low\n" },
	{ "only RPATH", { .rpath = "." }, "runpath-relative low\n" },
	{ "RUNPATH goes before RPATH", { .runpath = "/lib", .rpath = "." }, "" },
};

START_TEST(binding_and_search_paths_are_judged)
{
	static const struct plan *const plans[] = { &library, NULL };
	struct segmap_linking linking = bindings[_i].linking;
	struct world world;

	judge(&world, bindings[_i].maps ? bindings[_i].maps : LIBRARY, plans);
	world.elfs[0][0]->linking = &linking;
	unit_no_error(segmap_layout_audit(world.layout));
	check_findings(bindings[_i].claim, world.layout, bindings[_i].findings);
	world.elfs[0][0]->linking = NULL;
	world_free(&world);
}
END_TEST

/* As the library, but of RELRO nothing is left when its end is rounded down. */
static const struct plan rounded = {
	.path = "/lib.so",
	.segments = { LOAD(RX, 0, 0, 0x1000, 0x1000), LOAD(RW, 0x1000, 0x1000, 0x2000, 0x2000),
		      RELRO(0x1000, 0x1000, 0xff8) },
};

static const struct {
	const char *claim;
	uint64_t dynamic, plt_got;
	const char *findings;
} roundings[] = {
	{ "the dynamic section is writable", 0x1800, 0, "relro-absent low 41000-43000\n" },
	{ "the table of functions is writable", 0x800, 0x1900, "relro-absent low 41000-43000\n" },
	{ "both are", 0x1800, 0x1900, "relro-absent low 41000-43000\n" },
	{ "there is nothing to protect", 0x800, 0x900, "" },
};

START_TEST(relro_of_no_whole_page_protects_nothing)
{
	static const struct plan *const plans[] = { &rounded, NULL };
	struct segmap_linking linking = { .plt_got = roundings[_i].plt_got, .n_plt = 5,
					  .bind_now = true };
	struct world world;

	judge(&world, "40000-41000 r-xp 00000000 fe:00 8 /lib.so\n"
		      "41000-43000 rw-p 00001000 fe:00 8 /lib.so\n", plans);
	world.elfs[0][0]->dynamic = roundings[_i].dynamic;
	world.elfs[0][0]->linking = &linking;
	unit_no_error(segmap_layout_audit(world.layout));
	check_findings(roundings[_i].claim, world.layout, roundings[_i].findings);
	world.elfs[0][0]->linking = NULL;
	world_free(&world);
}
END_TEST

/* A program with an address of its own. */
static const struct plan fixed = {
	.path = "/f",
	.type = ET_EXEC,
	.segments = { LOAD(RX, 0, 0x40000, 0x1000, 0x1000), LOAD(R, 0x1000, 0x41000, 0x1000, 0x1000) },
};

#define FIXED(start, middle, end, perms)                                                \
	start "-" middle " " perms " 00000000 fe:00 9 /f\n" middle "-" end              \
	" r--p 00001000 fe:00 9 /f\n"

static const struct {
	const char *claim, *maps, *findings;
} addresses[] = {
	{ "the program that another was told to run", PROGRAM FIXED("40000", "41000", "42000", "r-xp"),
	  "no-pie low\n" },
	{ "its file elsewhere", PROGRAM FIXED("50000", "51000", "52000", "r-xp"), "" },
	{ "its file as data", PROGRAM FIXED("40000", "41000", "42000", "r--p"), "" },
};

START_TEST(fixed_address_is_told_of_what_is_loaded_there)
{
	static const struct plan *const plans[] = { &program, &fixed, NULL };
	struct world world;

	judge(&world, addresses[_i].maps, plans);
	unit_no_error(segmap_layout_audit(world.layout));
	check_findings(addresses[_i].claim, world.layout, addresses[_i].findings);
	world_free(&world);
}
END_TEST

START_TEST(more_than_information_is_counted_and_comes_first)
{
	static const struct plan *const plans[] = { &fixed, NULL };
	const struct segmap_audit *audit;
	struct world world;

	judge(&world, "20000-21000 r-xp 00000000 00:00 0 [anon:v8]\n"
		      "30000-31000 rwxp 00000000 00:00 0 \n"
		      FIXED("40000", "41000", "42000", "r-xp"), plans);
	unit_no_error(segmap_layout_audit(world.layout));
	audit = world.layout->audit;
	check_findings("order", world.layout,
		       "wx-vma medium 30000-31000\nno-pie low\nanon-executable info 20000-21000\n");
	ck_assert_uint_eq(audit->n_serious, 2);
	unit_no_error(segmap_layout_audit(world.layout));
	ck_assert_uint_eq(world.layout->audit->n_findings, 3);
	world_free(&world);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("correlate/audit");
	TCase *tcase = unit_case(suite, "audit");

	tcase_add_loop_test(tcase, permissions_and_code_are_judged, 0, N_ROWS(memories));
	tcase_add_test(tcase, stack_of_a_thread_that_is_executable_is_a_stack);
	tcase_add_loop_test(tcase, pages_over_code_are_judged_by_their_bytes, 0,
			    N_ROWS(displacements));
	tcase_add_loop_test(tcase, changed_code_is_told_apart, 0, N_ROWS(patches));
	tcase_add_loop_test(tcase, probe_elsewhere_is_not_this_breakpoint, 0, 2);
	tcase_add_test(tcase, long_change_is_shown_by_its_first_bytes);
	tcase_add_loop_test(tcase, linkers_list_and_images_are_compared, 0, N_ROWS(lists));
	tcase_add_loop_test(tcase, what_became_of_a_file_is_told, 0, N_ROWS(statuses));
	tcase_add_loop_test(tcase, binding_and_search_paths_are_judged, 0, N_ROWS(bindings));
	tcase_add_loop_test(tcase, fixed_address_is_told_of_what_is_loaded_there, 0,
			    N_ROWS(addresses));
	tcase_add_loop_test(tcase, relro_of_no_whole_page_protects_nothing, 0, N_ROWS(roundings));
	tcase_add_test(tcase, more_than_information_is_counted_and_comes_first);
	return unit_run(suite);
}
