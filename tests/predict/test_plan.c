/* tests/predict/test_plan.c - where libraries are found, by tables of small worlds. */
#include "fake_world.h"
#include "predict/cache.h"
#include "predict/plan.h"
#include <check.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

/* What dynamic linkers have among their constants; the release is the test's. */
#define GLIBC(minor) "\0ld.so (GNU libc) stable release version 2." minor ".\n\0" DEBIAN_DIRS
#define DEBIAN_DIRS "\0/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0\0"
#define FEDORA_DIRS "\0/dev/shm/\0/lib64/\0/usr/lib64/\0/proc/\0"
#define RELR "\0DT_RELR without GLIBC_ABI_DT_RELR dependency\0"
#define MUSL "\0musl libc (x86_64)\nVersion %s\n\0"

/* The ELF header of an object file for AArch64: no loader takes it, whatever its machine. */
#define ZEROS_8 "\0\0\0\0\0\0\0\0"
#define OBJECT(osabi, version) \
	"\177ELF\2\1\1" osabi ZEROS_8 "\1\0\267\0" version "\0\0\0" ZEROS_8 ZEROS_8 ZEROS_8 ZEROS_8 ZEROS_8

#define LD_SO "/lib64/ld-linux-x86-64.so.2"
#define LD_MUSL "/lib/ld-musl-x86_64.so.1"

enum { GLIBC_27, GLIBC_36, GLIBC_40, GLIBC_41, GLIBC_FEDORA, GLIBC_ARCH, GLIBC_OLD, MUSL_12, STRANGE };

static const struct {
	const char *path, *bytes;
	size_t size;
} linkers[] = {
	[GLIBC_27] = { LD_SO, GLIBC("27"), sizeof(GLIBC("27")) },
	[GLIBC_36] = { LD_SO, RELR GLIBC("36"), sizeof(RELR GLIBC("36")) },
	[GLIBC_40] = { LD_SO, GLIBC("40"), sizeof(GLIBC("40")) },
	[GLIBC_41] = { LD_SO, GLIBC("41"), sizeof(GLIBC("41")) },
	[GLIBC_FEDORA] = { LD_SO, "GLIBC_PRIVATE\0 release version 2.41." FEDORA_DIRS,
			   sizeof("GLIBC_PRIVATE\0 release version 2.41." FEDORA_DIRS) },
	[GLIBC_ARCH] = { LD_SO, "\0/usr/bin/\0\0 release version 2.41.\n\0/usr/lib/\0",
			 sizeof("\0/usr/bin/\0\0 release version 2.41.\n\0/usr/lib/\0") },
	[GLIBC_OLD] = { LD_SO, "\0GLIBC_2.2.5\0GLIBC_PRIVATE", 27 },
	[MUSL_12] = { LD_MUSL, MUSL, sizeof(MUSL) },
	[STRANGE] = { LD_SO, "\0a program\0", 11 },
};

/*
 * Libraries as "NAME PATH (FOUND)", what is missing as "-NAME: WHY", what is
 * noted as "*NOTE", what makes it refuse as "!WHY"; separated by semicolons.
 * The program is /app/prog; its linker is the row's.
 */
static const struct {
	const char *claim;
	int linker;
	const char *program; /* its spec, without interp= */
	struct fake_file files[12];
	const char *environment[4];
	const char *plan;
} cases[] = {
	{ "rpath_of_the_loader_comes_before_that_of_the_program", GLIBC_40,
	  "needed=liba.so rpath=/p", { { .path = "/p/liba.so", .spec = "needed=libb.so rpath=/a" },
	  { .path = "/a/libb.so", .spec = "" }, { .path = "/p/libb.so", .spec = "" } }, { NULL },
	  "liba.so /p/liba.so (RPATH /p of prog); libb.so /a/libb.so (RPATH /a of liba.so)" },
	{ "rpath_is_inherited_over_generations", GLIBC_40,
	  "needed=liba.so rpath=/p", { { .path = "/p/liba.so", .spec = "needed=libb.so" },
	  { .path = "/p/libb.so", .spec = "needed=libc1.so" },
	  { .path = "/p/libc1.so", .spec = "" } },
	  { NULL },
	  "liba.so /p/liba.so (RPATH /p of prog); libb.so /p/libb.so (RPATH /p of prog); "
	  "libc1.so /p/libc1.so (RPATH /p of prog)" },
	{ "rpath_of_a_loader_with_runpath_does_not_count_for_its_own", GLIBC_40,
	  "needed=liba.so rpath=/p", { { .path = "/p/liba.so",
					 .spec = "needed=libb.so rpath=/p runpath=/r" },
	  { .path = "/p/libb.so", .spec = "" }, { .path = "/r/libb.so", .spec = "" } }, { NULL },
	  "liba.so /p/liba.so (RPATH /p of prog); libb.so /r/libb.so (RUNPATH /r of liba.so)" },
	{ "rpath_of_a_loader_counts_for_the_loaded_of_the_loaded", GLIBC_40,
	  "needed=/x/liba.so", { { .path = "/x/liba.so", .spec = "needed=/x/libb.so rpath=/a" },
	  { .path = "/x/libb.so", .spec = "needed=libc1.so" },
	  { .path = "/a/libc1.so", .spec = "" } },
	  { NULL },
	  "/x/liba.so /x/liba.so (its name has a slash); /x/libb.so /x/libb.so (its name has a "
	  "slash); libc1.so /a/libc1.so (RPATH /a of liba.so)" },
	{ "rpath_beside_a_runpath_counts_for_nobody", GLIBC_40,
	  "needed=/x/liba.so rpath=/p runpath=/q",
	  { { .path = "/x/liba.so", .spec = "needed=libb.so" },
	  { .path = "/p/libb.so", .spec = "" }, { .path = "/lib/libb.so", .spec = "" } }, { NULL },
	  "/x/liba.so /x/liba.so (its name has a slash); libb.so /lib/libb.so (default directory "
	  "/lib)" },
	{ "each_place_is_looked_at_once_and_each_name_is_missed_once", GLIBC_ARCH,
	  "needed=/x/liba.so,libb.so rpath=/p",
	  { { .path = "/x/liba.so", .spec = "needed=libb.so" } },
	  { NULL },
	  "/x/liba.so /x/liba.so (its name has a slash); -libb.so: no file of this name in RPATH "
	  "/p of prog, default directory /usr/lib" },
	{ "features_make_no_directories_since_2_37", GLIBC_40,
	  "needed=liba.so runpath=/1:/2", { { .path = "/1/haswell/liba.so", .spec = "" },
	  { .path = "/2/liba.so", .spec = "" } }, { NULL },
	  "liba.so /2/liba.so (RUNPATH /2 of prog)" },
	{ "an_underscore_makes_a_longer_word", GLIBC_40,
	  "needed=liba.so runpath=$ORIGIN_/x", { { .path = "/app_/x/liba.so", .spec = "" },
	  { .path = "$ORIGIN_/x/liba.so", .spec = "" } }, { NULL },
	  "liba.so $ORIGIN_/x/liba.so (RUNPATH $ORIGIN_/x of prog ($ORIGIN_/x))" },
	{ "another_machine_of_the_same_class_is_passed_over", GLIBC_40,
	  "needed=liba.so runpath=/1:/2", { { .path = "/1/liba.so", .spec = "aarch64" },
	  { .path = "/2/liba.so", .spec = "" } }, { NULL },
	  "liba.so /2/liba.so (RUNPATH /2 of prog)" },
	{ "what_cannot_be_loaded_is_passed_over_for_its_machine", GLIBC_ARCH,
	  "needed=liba.so runpath=/1:/2", { { "/1/liba.so", "-", OBJECT("\0", "\1"), 64 },
	  { .path = "/2/liba.so", .spec = "" } }, { NULL },
	  "liba.so /2/liba.so (RUNPATH /2 of prog)" },
	{ "what_cannot_be_loaded_is_not_passed_over_for_its_machine_if_its_ident_is_odd", GLIBC_ARCH,
	  "needed=liba.so runpath=/1:/2", { { "/1/liba.so", "-", OBJECT("\11", "\1"), 64 },
	  { .path = "/2/liba.so", .spec = "" } }, { NULL },
	  "-liba.so: /1/liba.so: it is no ELF file that can be loaded" },
	{ "nor_if_its_version_is", GLIBC_ARCH,
	  "needed=liba.so runpath=/1:/2", { { "/1/liba.so", "-", OBJECT("\0", "\2"), 64 },
	  { .path = "/2/liba.so", .spec = "" } }, { NULL },
	  "-liba.so: /1/liba.so: it is no ELF file that can be loaded" },
	{ "one_directory_is_enough", GLIBC_ARCH,
	  "needed=liba.so runpath=/x/$LIB", { { .path = "/x/lib/liba.so", .spec = "" } }, { NULL },
	  "liba.so /x/lib/liba.so (RUNPATH /x/$LIB of prog (/x/lib))" },
	{ "a_secure_programs_origin_must_stand_alone", GLIBC_40,
	  "secure needed=liba.so runpath=/lib/$ORIGIN:$ORIGINx", { { .path = "/lib//app/liba.so",
								   .spec = "" },
	  { .path = "/lib/liba.so", .spec = "" } }, { NULL },
	  "liba.so /lib/liba.so (default directory /lib)" },
	{ "a_secure_program_names_nothing_by_tokens", GLIBC_40,
	  "secure needed=$LIB/liba.so", { { .path = "lib/x86_64-linux-gnu/liba.so", .spec = "" } },
	  { NULL },
	  "-$LIB/liba.so: a program that runs with other rights may not name it by $ORIGIN, $LIB "
	  "or $PLATFORM" },
	{ "musl_trusts_no_environment_and_no_origin_of_a_secure_program", MUSL_12,
	  "secure needed=liba.so runpath=$ORIGIN/r", { { .path = "/app/r/liba.so", .spec = "" },
	  { .path = "/e/liba.so", .spec = "" }, { .path = "/lib/liba.so", .spec = "" } },
	  { "LD_LIBRARY_PATH=/e", "LD_PRELOAD=/e/liba.so" },
	  "liba.so /lib/liba.so (default directory /lib); *LD_LIBRARY_PATH is ignored: the program "
	  "would run with other rights than the user's; *LD_PRELOAD is ignored: the program would "
	  "run with other rights than the user's" },
	{ "musl_takes_the_first_of_any_class", MUSL_12,
	  "needed=liba.so runpath=/1:/2", { { .path = "/1/liba.so", .spec = "32" },
	  { .path = "/2/liba.so", .spec = "" } }, { NULL },
	  "-liba.so: /1/liba.so: it is for another kind of machine or process, and musl looks no "
	  "further" },
	{ "an_empty_runpath_still_hides_rpath", GLIBC_40,
	  "needed=liba.so rpath=/p runpath=", { { .path = "/p/liba.so", .spec = "" } }, { NULL },
	  "-liba.so: no file of this name in default directory /lib/x86_64-linux-gnu, default "
	  "directory /usr/lib/x86_64-linux-gnu, default directory /lib, default directory "
	  "/usr/lib" },
	{ "library_path_comes_after_rpath", GLIBC_40,
	  "needed=liba.so,libb.so rpath=/p", { { .path = "/p/liba.so", .spec = "" },
	  { .path = "/e/liba.so", .spec = "" }, { .path = "/e/libb.so", .spec = "" } },
	  { "LD_LIBRARY_PATH=/none;/e/" },
	  "liba.so /p/liba.so (RPATH /p of prog); libb.so /e/libb.so (LD_LIBRARY_PATH /e/)" },
	{ "library_path_comes_before_runpath", GLIBC_40,
	  "needed=liba.so runpath=/p", { { .path = "/p/liba.so", .spec = "" },
	  { .path = "/e/liba.so", .spec = "" } }, { "LD_LIBRARY_PATH=/e" },
	  "liba.so /e/liba.so (LD_LIBRARY_PATH /e)" },
	{ "an_empty_element_is_the_working_directory", GLIBC_40,
	  "needed=liba.so", { { .path = "liba.so", .spec = "needed=libb.so runpath=$ORIGIN/x" },
	  { .path = "/here/x/libb.so", .spec = "" } }, { "LD_LIBRARY_PATH=/none:" },
	  "liba.so liba.so (LD_LIBRARY_PATH (an empty element: the working directory)); "
	  "libb.so /here/x/libb.so (RUNPATH $ORIGIN/x of liba.so (/here/x))" },
	{ "tokens_stand_for_places", GLIBC_40,
	  "needed=liba.so,libb.so,libc1.so,libd.so "
	  "runpath=$ORIGIN/o:${ORIGIN}/../l:/x/$LIB:/y/${PLATFORM}z",
	  { { .path = "/app/o/liba.so", .spec = "" }, { .path = "/app/../l/libb.so", .spec = "" },
	    { .path = "/x/lib/x86_64-linux-gnu/libc1.so", .spec = "" },
	    { .path = "/y/haswellz/libd.so", .spec = "" } }, { NULL },
	  "liba.so /app/o/liba.so (RUNPATH $ORIGIN/o of prog (/app/o)); "
	  "libb.so /app/../l/libb.so (RUNPATH ${ORIGIN}/../l of prog (/app/../l)); "
	  "libc1.so /x/lib/x86_64-linux-gnu/libc1.so (RUNPATH /x/$LIB of prog "
	  "(/x/lib/x86_64-linux-gnu)); libd.so /y/haswellz/libd.so (RUNPATH /y/${PLATFORM}z of "
	  "prog (/y/haswellz))" },
	{ "a_longer_word_is_no_token", GLIBC_40,
	  "needed=liba.so runpath=$ORIGINAL:${ORIGIN:$ORIGIN_", { { .path = "$ORIGINAL/liba.so",
								     .spec = "" } }, { NULL },
	  "liba.so $ORIGINAL/liba.so (RUNPATH $ORIGINAL of prog ($ORIGINAL))" },
	{ "directories_are_those_of_the_linker", GLIBC_FEDORA,
	  "needed=liba.so,libb.so runpath=/x/$LIB", { { .path = "/usr/lib64/liba.so", .spec = "" },
	  { .path = "/x/lib64/libb.so", .spec = "" }, { .path = "/lib/liba.so", .spec = "" } },
	  { NULL },
	  "liba.so /usr/lib64/liba.so (default directory /usr/lib64); libb.so /x/lib64/libb.so "
	  "(RUNPATH /x/$LIB of prog (/x/lib64))" },
	{ "a_linker_that_names_none_has_the_usual_ones", GLIBC_OLD,
	  "needed=liba.so", { { .path = "/usr/lib64/liba.so", .spec = "" } }, { NULL },
	  "liba.so /usr/lib64/liba.so (default directory /usr/lib64)" },
	{ "another_class_or_machine_is_passed_over", GLIBC_40,
	  "needed=liba.so,libb.so runpath=/1:/2:/3", { { .path = "/1/liba.so", .spec = "i386" },
	  { .path = "/2/liba.so", .spec = "32" }, { .path = "/3/liba.so", .spec = "" },
	  { .path = "/1/libb.so", .spec = "i386" } }, { NULL },
	  "liba.so /3/liba.so (RUNPATH /3 of prog); -libb.so: only files for another kind of "
	  "machine or process in RUNPATH /1 of prog, RUNPATH /2 of prog, RUNPATH /3 of prog, "
	  "default directory /lib/x86_64-linux-gnu, default directory "
	  "/usr/lib/x86_64-linux-gnu, default directory /lib, default directory /usr/lib" },
	{ "what_is_no_elf_file_ends_the_search", GLIBC_40,
	  "needed=liba.so runpath=/1:/2", { { .path = "/1/liba.so", .spec = "-" },
	  { .path = "/2/liba.so", .spec = "" } }, { NULL },
	  "-liba.so: /1/liba.so: it is no ELF file that can be loaded" },
	{ "what_may_not_be_read_is_passed_over", GLIBC_40,
	  "needed=liba.so runpath=/1:/2", { { .path = "/1/liba.so", .spec = "errno=13" },
	  { .path = "/2/liba.so", .spec = "" } }, { NULL },
	  "liba.so /2/liba.so (RUNPATH /2 of prog)" },
	{ "another_error_ends_the_list_but_not_the_search", GLIBC_40,
	  "needed=liba.so runpath=/1:/2", { { .path = "/1/liba.so", .spec = "errno=40" },
	  { .path = "/2/liba.so", .spec = "" }, { .path = "/lib/liba.so", .spec = "" } }, { NULL },
	  "liba.so /lib/liba.so (default directory /lib)" },
	{ "hwcaps_come_first_in_each_directory", GLIBC_40,
	  "needed=liba.so,libb.so runpath=/1:/2", {
	  { .path = "/1/glibc-hwcaps/x86-64-v2/liba.so", .spec = "" },
	  { .path = "/1/glibc-hwcaps/x86-64-v4/liba.so", .spec = "" },
	  { .path = "/1/haswell/liba.so", .spec = "" }, { .path = "/1/libb.so", .spec = "" },
	  { .path = "/2/glibc-hwcaps/x86-64-v3/libb.so", .spec = "" } }, { NULL },
	  "liba.so /1/glibc-hwcaps/x86-64-v2/liba.so (RUNPATH /1 of prog, "
	  "glibc-hwcaps/x86-64-v2); libb.so /1/libb.so (RUNPATH /1 of prog)" },
	{ "a_tunable_takes_hwcaps_away", GLIBC_40,
	  "needed=liba.so runpath=/1", { { .path = "/1/glibc-hwcaps/x86-64-v3/liba.so",
					   .spec = "" },
	  { .path = "/1/glibc-hwcaps/x86-64-v2/liba.so", .spec = "" } },
	  { "GLIBC_TUNABLES=glibc.x=1:glibc.cpu.hwcaps=-ERMS,-AVX2" },
	  "liba.so /1/glibc-hwcaps/x86-64-v2/liba.so (RUNPATH /1 of prog, "
	  "glibc-hwcaps/x86-64-v2); *GLIBC_TUNABLES: glibc.cpu.hwcaps makes the processor one "
	  "below x86-64-v3: libraries for that and later ones are passed over" },
	{ "until_2_36_features_make_directories_too", GLIBC_36,
	  "needed=liba.so,libb.so runpath=/1", { { .path = "/1/haswell/liba.so", .spec = "" },
	  { .path = "/1/tls/x86_64/liba.so", .spec = "" }, { .path = "/1/x86_64/libb.so",
							     .spec = "" } }, { NULL },
	  "liba.so /1/tls/x86_64/liba.so (RUNPATH /1 of prog, tls/x86_64); libb.so "
	  "/1/x86_64/libb.so (RUNPATH /1 of prog, x86_64)" },
	{ "the_order_is_breadth_first_and_nothing_comes_twice", GLIBC_40,
	  "needed=liba.so,libb.so", { { .path = "/lib/liba.so", .spec = "needed=libc1.so,libb.so" },
	  { .path = "/lib/libb.so", .spec = "needed=liba.so,libd.so" },
	  { .path = "/lib/libc1.so", .spec = "" }, { .path = "/lib/libd.so", .spec = "" } },
	  { NULL },
	  "liba.so /lib/liba.so (default directory /lib); libb.so /lib/libb.so (default directory "
	  "/lib); libc1.so /lib/libc1.so (default directory /lib); libd.so /lib/libd.so (default "
	  "directory /lib)" },
	{ "a_soname_is_a_name", GLIBC_40,
	  "needed=/x/liba.so,libb.so soname=libself.so",
	  { { .path = "/x/liba.so", .spec = "soname=libb.so needed=libself.so" },
	  { .path = "/lib/libb.so", .spec = "" } }, { NULL },
	  "/x/liba.so /x/liba.so (its name has a slash)" },
	{ "the_same_file_is_the_same_library", GLIBC_40,
	  "needed=liba.so,libb.so", { { .path = "/lib/liba.so", .spec = "" },
	  { .path = "/lib/libb.so", .spec = "same=/lib/liba.so" } }, { NULL },
	  "liba.so /lib/liba.so (default directory /lib)" },
	{ "the_linker_is_there_already", GLIBC_40,
	  "needed=ld-linux-x86-64.so.2," LD_SO ",linux-vdso.so.1", { { 0 } }, { NULL }, "+" },
	{ "preloaded_libraries_and_their_needs", GLIBC_40,
	  "needed=liba.so", { { .path = "/lib/liba.so", .spec = "" },
	  { .path = "/x/libp.so", .spec = "needed=libq.so" },
	  { .path = "/lib/libq.so", .spec = "" },
	  { .path = "/etc/ld.so.preload", .spec = "-", .bytes = "# /x/libn.so\n libr.so:" },
	  { .path = "/lib/libr.so", .spec = "" } }, { "LD_PRELOAD=:/x/libp.so libnone.so" },
	  "/x/libp.so /x/libp.so (LD_PRELOAD); libr.so /lib/libr.so (/etc/ld.so.preload, default "
	  "directory /lib); liba.so /lib/liba.so (default directory /lib); libq.so /lib/libq.so "
	  "(default directory /lib); -libnone.so: no file of this name in default directory "
	  "/lib/x86_64-linux-gnu, default directory /usr/lib/x86_64-linux-gnu, default directory "
	  "/lib, default directory /usr/lib" },
	{ "secure_programs_ignore_the_environment", GLIBC_40,
	  "secure needed=liba.so", { { .path = "/lib/liba.so", .spec = "" },
	  { .path = "/e/liba.so", .spec = "" }, { .path = "/lib/libs.so", .spec = "suid" },
	  { .path = "/lib/libn.so", .spec = "" } },
	  { "LD_LIBRARY_PATH=/e", "LD_PRELOAD=/e/liba.so libs.so libn.so" },
	  "libs.so /lib/libs.so (LD_PRELOAD, default directory /lib); liba.so /lib/liba.so "
	  "(default directory /lib); -libn.so: no file of this name in default directory "
	  "/lib/x86_64-linux-gnu, default directory /usr/lib/x86_64-linux-gnu, default directory "
	  "/lib, default directory /usr/lib; *LD_LIBRARY_PATH is ignored: the program would run "
	  "with other rights than the user's; *LD_PRELOAD /e/liba.so is ignored: the program "
	  "would run with other rights than the user's" },
	{ "a_secure_programs_origin_must_be_trusted", GLIBC_40,
	  "secure needed=liba.so,libb.so runpath=$ORIGIN/x:$ORIGIN/../usr/lib/y:/z$ORIGIN",
	  { { .path = "/app/x/liba.so", .spec = "" },
	    { .path = "/app/../usr/lib/y/libb.so", .spec = "" },
	    { .path = "/lib/liba.so", .spec = "" } }, { NULL },
	  "liba.so /lib/liba.so (default directory /lib); libb.so /app/../usr/lib/y/libb.so "
	  "(RUNPATH $ORIGIN/../usr/lib/y of prog (/app/../usr/lib/y))" },
	{ "nodeflib_excludes_the_default_directories", GLIBC_40,
	  "nodeflib needed=liba.so", { { .path = "/lib/liba.so", .spec = "" } }, { NULL },
	  "-liba.so: no file of this name in any place" },
	{ "filters_come_before_the_next", GLIBC_40,
	  "needed=liba.so,libb.so", { { .path = "/lib/liba.so",
					.spec = "filter=libf.so auxiliary=libnone.so" },
	  { .path = "/lib/libb.so", .spec = "needed=libc1.so" },
	  { .path = "/lib/libf.so", .spec = "needed=libg.so" },
	  { .path = "/lib/libg.so", .spec = "" },
	  { .path = "/lib/libc1.so", .spec = "" } }, { NULL },
	  "liba.so /lib/liba.so (default directory /lib); libb.so /lib/libb.so (default directory "
	  "/lib); libf.so /lib/libf.so (default directory /lib); libg.so /lib/libg.so (default "
	  "directory /lib); libc1.so /lib/libc1.so (default directory /lib)" },
	{ "a_program_is_no_library", GLIBC_40,
	  "needed=liba.so,libb.so", { { .path = "/lib/liba.so", .spec = "exec" },
	  { .path = "/lib/libb.so", .spec = "pie" } }, { NULL },
	  "-liba.so: /lib/liba.so: it is a program, which cannot be loaded as a library; "
	  "-libb.so: /lib/libb.so: it is a program, which cannot be loaded as a library" },
	{ "a_version_that_is_missing_refuses", GLIBC_40,
	  "needed=liba.so,libb.so wants=libb.so:V9,liba.so:V1,liba.so:V2?,liba.so:V3", {
	  { .path = "/lib/liba.so", .spec = "soname=liba.so defines=V1" },
	  { .path = "/lib/libb.so", .spec = "" } }, { NULL },
	  "liba.so /lib/liba.so (default directory /lib); libb.so /lib/libb.so (default directory "
	  "/lib); !/lib/liba.so: version V3 not found, which prog requires" },
	{ "an_executable_stack_is_asked_for_by_a_library", GLIBC_40,
	  "needed=liba.so", { { .path = "/lib/liba.so", .spec = "execstack" } }, { NULL },
	  "liba.so /lib/liba.so (default directory /lib); x" },
	{ "or_by_one_that_says_nothing", GLIBC_40,
	  "needed=liba.so", { { .path = "/lib/liba.so", .spec = "nostack" } }, { NULL },
	  "liba.so /lib/liba.so (default directory /lib); x" },
	{ "but_not_if_the_program_has_said_so", GLIBC_40,
	  "nostack needed=liba.so", { { .path = "/lib/liba.so", .spec = "execstack" } }, { NULL },
	  "liba.so /lib/liba.so (default directory /lib)" },
	{ "a_tunable_of_2_41_forbids_it", GLIBC_41,
	  "needed=liba.so", { { .path = "/lib/liba.so", .spec = "execstack" } },
	  { "GLIBC_TUNABLES=glibc.rtld.execstack=0" },
	  "-liba.so: it wants an executable stack, which glibc.rtld.execstack=0 in GLIBC_TUNABLES "
	  "forbids" },
	{ "and_2_40_does_not_know_it", GLIBC_40,
	  "needed=liba.so", { { .path = "/lib/liba.so", .spec = "execstack" } },
	  { "GLIBC_TUNABLES=glibc.rtld.execstack=0" },
	  "liba.so /lib/liba.so (default directory /lib); x" },
	{ "a_tunable_of_2_41_forces_it", GLIBC_41,
	  "", { { 0 } }, { "GLIBC_TUNABLES=glibc.rtld.execstack=2" },
	  "*GLIBC_TUNABLES: glibc.rtld.execstack=2 makes the stack executable; x" },
	{ "a_tunable_of_2_41_refuses_the_program", GLIBC_41,
	  "execstack", { { 0 } }, { "GLIBC_TUNABLES=glibc.rtld.execstack=0" },
	  "!executable stack is not allowed: glibc.rtld.execstack=0 in GLIBC_TUNABLES" },
	{ "another_systems_abi_ends_the_search", GLIBC_40,
	  "needed=liba.so rpath=/1:/2", { { .path = "/1/liba.so", .spec = "osabi=9" },
	  { .path = "/2/liba.so", .spec = "" } }, { NULL },
	  "-liba.so: /1/liba.so: \"ELF file OS ABI invalid\"" },
	{ "of_another_class_it_does_not_matter", GLIBC_40,
	  "needed=liba.so rpath=/1:/2", { { .path = "/1/liba.so", .spec = "i386 osabi=9" },
	  { .path = "/2/liba.so", .spec = "osabi=3 abi-version=3" } }, { NULL },
	  "liba.so /2/liba.so (RPATH /2 of prog)" },
	{ "an_abi_that_is_too_new_is_refused", GLIBC_40,
	  "needed=liba.so rpath=/1", { { .path = "/1/liba.so", .spec = "osabi=3 abi-version=4" } },
	  { NULL }, "-liba.so: /1/liba.so: \"ELF file ABI version invalid\"" },
	{ "glibc_before_2_28_knew_one_less", GLIBC_27,
	  "needed=liba.so,libb.so rpath=/1", {
	  { .path = "/1/liba.so", .spec = "osabi=3 abi-version=2" },
	  { .path = "/1/libb.so", .spec = "osabi=3 abi-version=3" } }, { NULL },
	  "liba.so /1/liba.so (RPATH /1 of prog); -libb.so: /1/libb.so: \"ELF file ABI version "
	  "invalid\"" },
	{ "musl_does_not_look_at_the_abi", MUSL_12,
	  "needed=liba.so rpath=/1", { { .path = "/1/liba.so", .spec = "osabi=9" } }, { NULL },
	  "liba.so /1/liba.so (RPATH /1 of prog)" },
	{ "relr_is_refused_where_the_linker_checks_it", GLIBC_36,
	  "relr needed=libc.so.6 wants=libc.so.6:GLIBC_2.34",
	  { { .path = "/lib/libc.so.6", .spec = "" } }, { NULL },
	  "libc.so.6 /lib/libc.so.6 (default directory /lib); !/app/prog: \"DT_RELR without "
	  "GLIBC_ABI_DT_RELR dependency\"" },
	{ "relr_is_refused_in_a_library_too", GLIBC_36,
	  "needed=liba.so", {
	  { .path = "/lib/liba.so", .spec = "relr needed=libc.so.6 wants=libc.so.6:GLIBC_2.34" },
	  { .path = "/lib/libc.so.6", .spec = "" } }, { NULL },
	  "liba.so /lib/liba.so (default directory /lib); libc.so.6 /lib/libc.so.6 (default "
	  "directory /lib); !/lib/liba.so: \"DT_RELR without GLIBC_ABI_DT_RELR dependency\"" },
	{ "relr_is_nothing_to_a_linker_that_does_not_know_it", GLIBC_40,
	  "relr needed=libc.so.6 wants=libc.so.6:GLIBC_2.34",
	  { { .path = "/lib/libc.so.6", .spec = "" } }, { NULL },
	  "libc.so.6 /lib/libc.so.6 (default directory /lib)" },
	{ "relr_may_be_with_its_version", GLIBC_36,
	  "relr needed=libc.so.6 wants=libc.so.6:GLIBC_2.34,libc.so.6:GLIBC_ABI_DT_RELR",
	  { { .path = "/lib/libc.so.6", .spec = "" } }, { NULL },
	  "libc.so.6 /lib/libc.so.6 (default directory /lib)" },
	{ "relr_may_be_without_versions", GLIBC_36,
	  "relr needed=libc.so.6", { { .path = "/lib/libc.so.6", .spec = "" } }, { NULL },
	  "libc.so.6 /lib/libc.so.6 (default directory /lib)" },
	{ "relr_may_be_without_libc", GLIBC_36,
	  "relr needed=liba.so filter=libc.so.6 wants=liba.so:V1",
	  { { .path = "/lib/liba.so", .spec = "" }, { .path = "/lib/libc.so.6", .spec = "" } },
	  { NULL },
	  "liba.so /lib/liba.so (default directory /lib); libc.so.6 /lib/libc.so.6 (default "
	  "directory /lib)" },
	{ "a_strange_linker_tells_nothing", STRANGE,
	  "needed=liba.so", { { .path = "/lib/liba.so", .spec = "" } }, { NULL },
	  "-liba.so: its dynamic linker " LD_SO " is neither glibc's nor musl's: where it looks is "
	  "not known" },
	{ "musls_own_names_are_itself", MUSL_12,
	  "needed=libc.so,libpthread.so.0,libm.so.6,libc.musl-x86_64.so.1," LD_MUSL ",libcrypt.so",
	  { { .path = "/usr/lib/libcrypt.so", .spec = "" } }, { NULL },
	  "libcrypt.so /usr/lib/libcrypt.so (default directory /usr/lib); +" },
	{ "musl_has_runpath_for_the_loaded_too_after_library_path", MUSL_12,
	  "needed=liba.so rpath=/no runpath=$ORIGIN/r", {
	  { .path = "/app/r/liba.so", .spec = "needed=libb.so,libc1.so" },
	  { .path = "/app/r/libb.so", .spec = "" }, { .path = "/e/libb.so", .spec = "" },
	  { .path = "/app/r/libc1.so", .spec = "" } }, { "LD_LIBRARY_PATH=/none:/e" },
	  "liba.so /app/r/liba.so (RUNPATH /app/r of prog); libb.so /e/libb.so (LD_LIBRARY_PATH "
	  "/e); libc1.so /app/r/libc1.so (RUNPATH /app/r of prog)" },
	{ "musl_does_not_know_lib", MUSL_12,
	  "needed=liba.so runpath=$ORIGIN/r:$LIB", { { .path = "/app/r/liba.so", .spec = "" } },
	  { NULL },
	  "-liba.so: no file of this name in default directory /lib, default directory "
	  "/usr/local/lib, default directory /usr/lib" },
	{ "musls_path_file_replaces_the_default", MUSL_12,
	  "needed=liba.so,libb.so", { { .path = "/etc/ld-musl-x86_64.path", .spec = "-",
					.bytes = "/one\n/two:/three\n" },
	  { .path = "/two/liba.so", .spec = "" },
	  { .path = "/lib/libb.so", .spec = "" } }, { NULL },
	  "liba.so /two/liba.so (/etc/ld-musl-x86_64.path /two); -libb.so: no file of this name in "
	  "/etc/ld-musl-x86_64.path /one, /etc/ld-musl-x86_64.path /two, "
	  "/etc/ld-musl-x86_64.path /three" },
	{ "musl_takes_the_first_of_any_kind", MUSL_12,
	  "needed=liba.so runpath=/1:/2", { { .path = "/1/liba.so", .spec = "i386" },
	  { .path = "/2/liba.so", .spec = "" } }, { NULL },
	  "-liba.so: /1/liba.so: it is for another kind of machine or process, and musl looks no "
	  "further" },
	{ "musl_does_not_know_a_library_by_its_soname", MUSL_12,
	  "needed=/x/liba.so,libb.so", { { .path = "/x/liba.so", .spec = "soname=libb.so" },
	  { .path = "/lib/libb.so", .spec = "" } }, { NULL },
	  "/x/liba.so /x/liba.so (its name has a slash); libb.so /lib/libb.so (default directory "
	  "/lib)" },
	{ "musl_preloads", MUSL_12,
	  "needed=liba.so", { { .path = "/lib/liba.so", .spec = "" },
	  { .path = "/x/libp.so", .spec = "" } }, { "LD_PRELOAD=/x/libp.so:libnone.so\tliba.so" },
	  "/x/libp.so /x/libp.so (LD_PRELOAD); liba.so /lib/liba.so (LD_PRELOAD, default directory "
	  "/lib); -libnone.so: no file of this name in default directory /lib, default directory "
	  "/usr/local/lib, default directory /usr/lib" },
};

static SEGMAP_PRINTF(3, 4) void append(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list arguments;

	used += (size_t)snprintf(text + used, size - used, "%s", used ? "; " : "");
	va_start(arguments, format);
	vsnprintf(text + used, size - used, format, arguments);
	va_end(arguments);
}

static void describe(const struct plan *plan, char *text, size_t size)
{
	text[0] = '\0';
	for (size_t i = 1; i < plan->n_objects; i++)
		if (plan->objects[i].found)
			append(text, size, "%s %s (%s)", plan->objects[i].name,
			       plan->objects[i].file.path, plan->objects[i].found);
	for (size_t i = 0; i < plan->n_missing; i++)
		append(text, size, "-%s: %s", plan->missing[i].name, plan->missing[i].why);
	for (size_t i = 0; i < plan->n_notes; i++)
		append(text, size, "*%s", plan->notes[i]);
	if (plan->refused)
		append(text, size, "!%s", plan->refused);
	if (plan->interpreter_is_needed)
		append(text, size, "+");
	if (plan->stack_needs_exec)
		append(text, size, "x");
}

/* A plan for /app/prog in @fake, which has its other files; the dump into @text. */
static void plan_program(struct fake_world *fake, int linker, const char *spec,
			 const struct plan_options *options, char *text, size_t size)
{
	struct segmap_world_file program;
	struct plan plan = { 0 };
	char whole[512];
	int interp_errnum;
	size_t n = 0;

	while (fake->files[n].path)
		n++;
	snprintf(whole, sizeof(whole), "%s interp=%s", spec, linkers[linker].path);
	fake->files[n++] = (struct fake_file){ .path = "/app/prog", .spec = whole };
	fake->files[n++] = (struct fake_file){ linkers[linker].path,
					       linker == MUSL_12 ? "soname=libc.so" :
								   "soname=ld-linux-x86-64.so.2",
					       linkers[linker].bytes, linkers[linker].size };
	fake_world_make(fake);
	ck_assert_int_eq(fake->world.open(fake, "/app/prog", &program), 0);
	ck_assert_ptr_null(plan_make(&fake->world, options, &program, &interp_errnum, &plan));
	ck_assert_int_eq(interp_errnum, 0);
	describe(&plan, text, size);
	plan_free(&plan);
	fake_world_free(fake);
}

START_TEST(libraries_are_found_where_the_linker_would)
{
	static struct fake_world fake;
	const struct plan_options options = { 0 };
	char text[4096];

	memset(&fake, 0, sizeof(fake));
	memcpy(fake.files, cases[_i].files, sizeof(cases[_i].files));
	fake.world.environment = cases[_i].environment;
	plan_program(&fake, cases[_i].linker, cases[_i].program, &options, text, sizeof(text));
	ck_assert_msg(strcmp(text, cases[_i].plan) == 0, "%s:\n  is     %s\n  wanted %s",
		      cases[_i].claim, text, cases[_i].plan);
}
END_TEST

START_TEST(a_foreign_program_has_nothing_of_this_machine)
{
	static struct fake_world fake;
	const struct plan_options options = { .foreign = true };
	const char *environment[] = { "LD_LIBRARY_PATH=/e", "LD_PRELOAD=/e/liba.so", NULL };
	char text[1024];

	memset(&fake, 0, sizeof(fake));
	fake.files[0] = (struct fake_file){ .path = "/e/liba.so", .spec = "" };
	fake.files[1] = (struct fake_file){ .path = "/lib/liba.so", .spec = "" };
	fake.files[2] = (struct fake_file){ .path = "/lib/glibc-hwcaps/x86-64-v2/liba.so",
					    .spec = "" };
	fake.files[3] = (struct fake_file){ .path = "/etc/ld.so.preload", .spec = "-",
					    .bytes = "/e/liba.so" };
	fake.world.environment = environment;
	plan_program(&fake, GLIBC_40, "needed=liba.so", &options, text, sizeof(text));
	ck_assert_str_eq(text, "liba.so /lib/liba.so (default directory /lib)");
}
END_TEST

/* Who binds at once, and who is secure. */
static const struct {
	const char *program, *environment;
	bool foreign, is_library, bind_now, secure, old;
} flags[] = {
	{ "", NULL, false, false, false, false },
	{ "now", NULL, false, false, true, false },
	{ "", "LD_BIND_NOW=1", false, false, true, false },
	{ "", "LD_BIND_NOW=", false, false, false, false },
	{ "secure", "LD_BIND_NOW=1", false, false, false, true },
	{ "secure", "LD_BIND_NOW=1", false, false, true, true, .old = true },
	{ "secure", NULL, true, false, false, false },
	{ "secure", NULL, false, true, false, false },
};

START_TEST(a_plan_says_who_binds_at_once_and_who_is_secure)
{
	static struct fake_world fake;
	const struct plan_options options = { .foreign = flags[_i].foreign,
					      .is_library = flags[_i].is_library };
	const char *environment[] = { flags[_i].environment, NULL };
	struct segmap_world_file program;
	struct plan plan = { 0 };
	int linker = flags[_i].old ? GLIBC_36 : GLIBC_40;
	char spec[64];
	int interp_errnum;

	memset(&fake, 0, sizeof(fake));
	snprintf(spec, sizeof(spec), "%s interp=" LD_SO, flags[_i].program);
	fake.files[0] = (struct fake_file){ .path = "/app/prog", .spec = spec };
	fake.files[1] = (struct fake_file){ LD_SO, "", linkers[linker].bytes,
					    linkers[linker].size };
	fake.world.environment = environment;
	fake_world_make(&fake);
	ck_assert_int_eq(fake.world.open(&fake, "/app/prog", &program), 0);
	ck_assert_ptr_null(plan_make(&fake.world, &options, &program, &interp_errnum, &plan));
	ck_assert(plan.bind_now == flags[_i].bind_now);
	ck_assert(plan.secure == flags[_i].secure);
	plan_free(&plan);
	fake_world_free(&fake);
}
END_TEST

START_TEST(without_dependencies_there_are_none)
{
	static struct fake_world fake;
	const struct plan_options options = { .no_deps = true };
	char text[1024];

	memset(&fake, 0, sizeof(fake));
	fake.files[0] = (struct fake_file){ .path = "/lib/liba.so", .spec = "" };
	plan_program(&fake, GLIBC_40, "needed=liba.so,libb.so", &options, text, sizeof(text));
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(an_interpreter_that_is_not_there_leaves_all_missing)
{
	static struct fake_world fake;
	const struct plan_options options = { 0 };
	struct segmap_world_file program;
	struct plan plan = { 0 };
	int interp_errnum;

	memset(&fake, 0, sizeof(fake));
	fake.files[0] = (struct fake_file){ .path = "/app/prog",
					    .spec = "needed=liba.so interp=/none" };
	fake.files[1] = (struct fake_file){ .path = "/lib/liba.so", .spec = "" };
	fake_world_make(&fake);
	ck_assert_int_eq(fake.world.open(&fake, "/app/prog", &program), 0);
	ck_assert_ptr_null(plan_make(&fake.world, &options, &program, &interp_errnum, &plan));
	ck_assert_int_eq(interp_errnum, ENOENT);
	ck_assert(plan.libc == PLAN_LIBC_UNKNOWN && !plan.has_interpreter && plan.n_objects == 1);
	ck_assert_uint_eq(plan.n_missing, 1);
	ck_assert_str_eq(plan.missing[0].why,
			 "its dynamic linker /none cannot be opened: No such file or directory");
	plan_free(&plan);
	fake_world_free(&fake);
}
END_TEST

/* A library by itself: by which rules, and what it needs. */
static const struct {
	const char *spec;
	enum plan_libc libc;
	const char *plan;
} libraries[] = {
	{ "needed=libm.so.6,libc.so.6,ld-linux-x86-64.so.2", PLAN_LIBC_GLIBC,
	  "libm.so.6 /lib/libm.so.6 (default directory /lib); "
	  "libc.so.6 /lib/libc.so.6 (default directory /lib); +" },
	{ "needed=libb.so,libc.musl-x86_64.so.1", PLAN_LIBC_MUSL,
	  "libb.so /usr/lib/libb.so (default directory /usr/lib); +" },
	{ "needed=libc.so", PLAN_LIBC_MUSL, "+" },
	{ "interp=" LD_MUSL, PLAN_LIBC_MUSL, "" },
	{ "soname=libself.so needed=libself.so", PLAN_LIBC_GLIBC, "" },
	{ "", PLAN_LIBC_GLIBC, "" },
};

START_TEST(a_library_by_itself_has_the_rules_of_its_libc)
{
	static struct fake_world fake;
	const struct plan_options options = { .is_library = true };
	struct segmap_world_file library;
	struct plan plan = { 0 };
	char text[1024];
	int interp_errnum;

	memset(&fake, 0, sizeof(fake));
	fake.files[0] = (struct fake_file){ .path = "/app/liba.so", .spec = libraries[_i].spec };
	fake.files[1] = (struct fake_file){ .path = "/lib/libm.so.6", .spec = "needed=libc.so.6" };
	fake.files[2] = (struct fake_file){ .path = "/lib/libc.so.6", .spec = "" };
	fake.files[3] = (struct fake_file){ .path = "/usr/lib/libb.so", .spec = "" };
	fake.files[4] = (struct fake_file){ LD_SO, "", linkers[GLIBC_40].bytes,
					    linkers[GLIBC_40].size };
	fake.files[5] = (struct fake_file){ LD_MUSL, "", linkers[MUSL_12].bytes,
					    linkers[MUSL_12].size };
	fake_world_make(&fake);
	ck_assert_int_eq(fake.world.open(&fake, "/app/liba.so", &library), 0);
	ck_assert_ptr_null(plan_make(&fake.world, &options, &library, &interp_errnum, &plan));
	describe(&plan, text, sizeof(text));
	ck_assert_int_eq(plan.libc, libraries[_i].libc);
	ck_assert(!plan.has_interpreter);
	ck_assert_str_eq(text, libraries[_i].plan);
	plan_free(&plan);
	fake_world_free(&fake);
}
END_TEST

/* ---- ld.so.cache ---- */

enum { LEGACY = 100 }; /* a hwcap of the older kind */

struct cache_row {
	int32_t flags;
	const char *name, *path;
	uint32_t hwcap; /* 1 and on: number of the hwcaps name; 0: none */
	uint32_t level; /* the ISA level that its ELF notes say */
};

/* A cache with these rows, which are in its order: descending. */
struct made_cache {
	unsigned char bytes[2048];
	size_t size, header;
};

static void put(struct made_cache *made, size_t at, uint32_t word)
{
	memcpy(made->bytes + at, &word, sizeof(word));
}

static uint32_t put_string(struct made_cache *made, const char *string)
{
	size_t at = made->size;

	memcpy(made->bytes + at, string, strlen(string) + 1);
	made->size += strlen(string) + 1;
	return (uint32_t)at;
}

static void make_cache(struct made_cache *made, const struct cache_row *rows, uint32_t n,
		       bool behind_old)
{
	static const char *const names[] = { "x86-64-v2", "x86-64-v3", "x86-64-v4" };
	size_t extension;

	memset(made, 0, sizeof(*made));
	if (behind_old) {
		memcpy(made->bytes, "ld.so-1.7.0", 11);
		made->header = 16;
	}
	memcpy(made->bytes + made->header, "glibc-ld.so.cache1.1", 20);
	put(made, made->header + 20, n);
	made->bytes[made->header + 28] = 2;
	made->size = made->header + 48 + (size_t)n * 24;
	for (uint32_t i = 0; i < n; i++) {
		size_t at = made->header + 48 + (size_t)i * 24;

		put(made, at, (uint32_t)rows[i].flags);
		put(made, at + 4, put_string(made, rows[i].name) - (uint32_t)made->header);
		put(made, at + 8, put_string(made, rows[i].path) - (uint32_t)made->header);
		if (rows[i].hwcap == LEGACY) {
			put(made, at + 16, 4);
		} else if (rows[i].hwcap) {
			put(made, at + 16, rows[i].hwcap - 1);
			put(made, at + 20, 1U << 30 | rows[i].level);
		}
	}
	uint32_t strings[3];

	for (size_t i = 0; i < 3; i++)
		strings[i] = put_string(made, names[i]);
	extension = made->size = (made->size + 3) & ~(size_t)3;
	put(made, made->header + 32, (uint32_t)extension);
	put(made, extension, 0xeaa42174U);
	put(made, extension + 4, 1);
	put(made, extension + 8, 1);
	put(made, extension + 16, (uint32_t)extension + 24);
	put(made, extension + 20, sizeof(strings));
	memcpy(made->bytes + extension + 24, strings, sizeof(strings));
	made->size = extension + 24 + sizeof(strings);
}

static const struct cache_row rows[] = {
	{ 0x303, "lib9.so", "/lib/lib9.so", 0, 0 },
	{ 0x303, "libz.so.10", "/lib/libz.so.10", 0, 0 },
	{ 0x303, "libz.so.9", "/lib/libz.so.9", 0, 0 },
	{ 0x303, "libh.so", "/lib/glibc-hwcaps/x86-64-v4/libh.so", 3, 3 },
	{ 0x303, "libh.so", "/lib/glibc-hwcaps/x86-64-v2/libh.so", 1, 1 },
	{ 0x303, "libh.so", "/lib/glibc-hwcaps/x86-64-v3/libh.so", 2, 2 },
	{ 0x303, "libh.so", "/lib/libh.so", 0, 0 },
	{ 0x303, "libgg.so", "/lib/glibc-hwcaps/x86-64-v3/libgg.so", 2, 1 },
	{ 0x303, "libgg.so", "/lib/glibc-hwcaps/x86-64-v2/libgg.so", 1, 1 },
	{ 0x303, "libgg.so", "/lib/libgg.so", 0, 0 },
	{ 0x303, "libg.so", "/lib/glibc-hwcaps/x86-64-v2/libg.so", 1, 3 },
	{ 0x303, "libg.so", "/lib/libg.so", 0, 0 },
	{ 0x303, "libe.so", "/lib/haswell/libe.so", LEGACY, 0 },
	{ 0x303, "libe.so", "/lib/libe.so", 0, 0 },
	{ 0x803, "libc.so.6", "/libx32/libc.so.6", 0, 0 },
	{ 0x303, "libc.so.6", "/lib/libc.so.6", 0, 0 },
	{ 3, "libc.so.6", "/lib32/libc.so.6", 0, 0 },
	{ 3, "liba.so", "/lib32/liba.so", 0, 0 },
};

static const char *const two_levels[] = { "x86-64-v3", "x86-64-v2", NULL };

static const struct {
	const char *name;
	unsigned int machine, class;
	bool hwcaps;
	const char *path;
} lookups[] = {
	{ "libz.so.10", EM_X86_64, 64, true, "/lib/libz.so.10" },
	{ "libz.so.9", EM_X86_64, 64, true, "/lib/libz.so.9" },
	{ "libz.so", EM_X86_64, 64, true, NULL },
	{ "libh.so", EM_X86_64, 64, true, "/lib/glibc-hwcaps/x86-64-v3/libh.so" },
	{ "libh.so", EM_X86_64, 64, false, "/lib/libh.so" },
	{ "libg.so", EM_X86_64, 64, true, "/lib/libg.so" },
	{ "libgg.so", EM_X86_64, 64, true, "/lib/glibc-hwcaps/x86-64-v3/libgg.so" },
	{ "libe.so", EM_X86_64, 64, true, "/lib/libe.so" },
	{ "lib9.so", EM_X86_64, 64, true, "/lib/lib9.so" },
	{ "libc.so.6", EM_X86_64, 64, true, "/lib/libc.so.6" },
	{ "libc.so.6", EM_X86_64, 32, true, "/libx32/libc.so.6" },
	{ "libc.so.6", EM_386, 32, true, "/lib32/libc.so.6" },
	{ "liba.so", EM_386, 32, true, "/lib32/liba.so" },
	{ "liba.so", EM_X86_64, 64, true, NULL },
	{ "libzz.so", EM_X86_64, 64, true, NULL },
	{ "", EM_X86_64, 64, true, NULL },
};

static const char *look_up(const struct cache *cache, size_t i)
{
	const struct segmap_elf elf = { .class = lookups[i].class, .machine = lookups[i].machine };
	const struct cache_wants wants = {
		.name = lookups[i].name,
		.elf = &elf,
		.hwcaps = lookups[i].hwcaps ? two_levels : NULL,
		.isa_level = lookups[i].hwcaps ? 2 : 0,
	};

	return cache_find(cache, &wants);
}

START_TEST(the_cache_has_paths_by_name_abi_and_hwcap)
{
	struct made_cache made;
	const struct cache cache = { (const char *)made.bytes, sizeof(made.bytes) };

	for (int behind_old = 0; behind_old < 2; behind_old++) {
		const char *found;

		make_cache(&made, rows, N_ROWS(rows), behind_old);
		found = look_up(&cache, (size_t)_i);
		ck_assert_msg(!found == !lookups[_i].path &&
				      (!found || strcmp(found, lookups[_i].path) == 0),
			      "%s: %s", lookups[_i].name, found ? found : "nothing");
	}
}
END_TEST

START_TEST(a_cache_of_another_byte_order_has_nothing)
{
	struct made_cache made;
	const struct cache cache = { (const char *)made.bytes, sizeof(made.bytes) };

	make_cache(&made, rows, N_ROWS(rows), false);
	made.bytes[28] = 3;
	ck_assert_ptr_null(look_up(&cache, 0));
	made.bytes[28] = 0; /* it does not say */
	ck_assert_ptr_nonnull(look_up(&cache, 0));
}
END_TEST

/* Programs and what of the cache they may have. */
static const struct {
	int linker;
	const char *program, *environment, *plan;
} cached[] = {
	{ GLIBC_40, "needed=libo.so,libl.so", NULL,
	  "libo.so /opt/libo.so (ld.so.cache, /opt/libo.so); libl.so /lib/x/libl.so (ld.so.cache, "
	  "/lib/x/libl.so)" },
	{ GLIBC_40, "nodeflib needed=libo.so,libl.so", NULL,
	  "libo.so /opt/libo.so (ld.so.cache, /opt/libo.so); -libl.so: no file of this name in "
	  "ld.so.cache (but for /lib/x/libl.so, a default directory, which prog excludes by "
	  "DF_1_NODEFLIB)" },
	{ GLIBC_ARCH, "secure", "LD_PRELOAD=libo.so",
	  "-libo.so: no file of this name in default directory /usr/lib" },
	{ GLIBC_ARCH, "", "LD_PRELOAD=libo.so",
	  "libo.so /opt/libo.so (LD_PRELOAD, ld.so.cache, /opt/libo.so)" },
	{ GLIBC_ARCH, "needed=libg.so", NULL,
	  "-libg.so: no file of this name in ld.so.cache (it has /opt/libg.so), default directory "
	  "/usr/lib" },
};

START_TEST(plans_ask_the_cache)
{
	static const struct cache_row few[] = {
		{ 0x303, "libo.so", "/opt/libo.so", 0, 0 },
		{ 0x303, "libl.so", "/lib/x/libl.so", 0, 0 },
		{ 0x303, "libg.so", "/opt/libg.so", 0, 0 },
	};
	static struct fake_world fake;
	static struct made_cache made;
	const struct plan_options options = { 0 };
	const char *environment[] = { cached[_i].environment, NULL };
	char text[1024];

	memset(&fake, 0, sizeof(fake));
	make_cache(&made, few, N_ROWS(few), false);
	fake.files[0] = (struct fake_file){ "/etc/ld.so.cache", "-", (const char *)made.bytes,
					    made.size };
	fake.files[1] = (struct fake_file){ .path = "/opt/libo.so", .spec = "suid" };
	fake.files[2] = (struct fake_file){ .path = "/lib/x/libl.so", .spec = "" };
	fake.world.environment = environment;
	plan_program(&fake, cached[_i].linker, cached[_i].program, &options, text,
		     sizeof(text));
	ck_assert_str_eq(text, cached[_i].plan);
}
END_TEST

/* Whatever is in it, what is found is a string in it. */
static void look_up_all(const unsigned char *bytes, size_t size)
{
	/* A copy of just this size, for the sanitizer. */
	char *copy = malloc(size ? size : 1);
	const struct cache cache = { copy, size };

	memcpy(copy, bytes, size);
	for (size_t i = 0; i < N_ROWS(lookups); i++) {
		const char *found = look_up(&cache, i);

		if (found)
			ck_assert(found >= copy && found + strlen(found) < copy + size);
	}
	free(copy);
}

START_TEST(a_cache_cut_anywhere_is_harmless)
{
	struct made_cache made;

	make_cache(&made, rows, N_ROWS(rows), _i);
	for (size_t size = 0; size <= made.size; size++)
		look_up_all(made.bytes, size);
}
END_TEST

START_TEST(a_cache_with_any_byte_changed_is_harmless)
{
	static const unsigned char values[] = { 0, 1, 0x7f, 0x80, 0xff };
	struct made_cache made;

	make_cache(&made, rows, N_ROWS(rows), _i);
	for (size_t at = 0; at < made.size; at++) {
		unsigned char before = made.bytes[at];

		for (size_t i = 0; i < sizeof(values); i++) {
			made.bytes[at] = values[i];
			look_up_all(made.bytes, made.size);
		}
		made.bytes[at] = before;
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plan");
	TCase *tcase = tcase_create("plan"), *cache = tcase_create("cache");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, libraries_are_found_where_the_linker_would, 0, N_ROWS(cases));
	tcase_add_test(tcase, a_foreign_program_has_nothing_of_this_machine);
	tcase_add_loop_test(tcase, a_plan_says_who_binds_at_once_and_who_is_secure, 0,
			    N_ROWS(flags));
	tcase_add_test(tcase, without_dependencies_there_are_none);
	tcase_add_loop_test(cache, plans_ask_the_cache, 0, N_ROWS(cached));
	tcase_add_test(tcase, an_interpreter_that_is_not_there_leaves_all_missing);
	tcase_add_loop_test(tcase, a_library_by_itself_has_the_rules_of_its_libc, 0,
			    N_ROWS(libraries));
	tcase_add_loop_test(cache, the_cache_has_paths_by_name_abi_and_hwcap, 0, N_ROWS(lookups));
	tcase_add_test(cache, a_cache_of_another_byte_order_has_nothing);
	tcase_add_loop_test(cache, a_cache_cut_anywhere_is_harmless, 0, 2);
	tcase_add_loop_test(cache, a_cache_with_any_byte_changed_is_harmless, 0, 2);
	tcase_set_timeout(cache, 60);
	suite_add_tcase(suite, tcase);
	suite_add_tcase(suite, cache);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
