/* tests/unit/correlate_bias.c - which loads of an ELF object the VMAs of its file are. */
#include "correlate/bias.h"
#include "builder.h"
#include "plans.h"
#include "unit.h"
#include <elf.h>
#include <string.h>

/* ET_EXEC with GNU ld's older layout: RX, RW, and RELRO that static musl never applies. */
static const struct plan fixed = {
	.path = "/bin/fixed",
	.type = ET_EXEC,
	.segments = {
		LOAD(RX, 0, 0x400000, 0x1800, 0x1800),
		LOAD(RW, 0x1f00, 0x602f00, 0x200, 0x300),
		RELRO(0x1f00, 0x602f00, 0x100),
	},
	.sections = { SECTION(".text", 0x401000, 0x1000, 0x800),
		      SECTION(".data", 0x602f00, 0x1f00, 0x200) },
};

/* A program linked at an image base of its own: the lowest p_vaddr is not 0. */
static const struct plan based = {
	.path = "/bin/based",
	.segments = {
		LOAD(R, 0, 0x200000, 0x800, 0x800),
		LOAD(RX, 0x800, 0x201800, 0x400, 0x400),
		LOAD(RW, 0xc00, 0x202c00, 0x100, 0x100),
	},
	.sections = { SECTION(".text", 0x201800, 0x800, 0x400) },
};

/* Text first in memory, though not in the file: p_offset - p_vaddr differs in each PT_LOAD. */
static const struct plan shuffled = {
	.path = "/bin/shuffled",
	.segments = {
		LOAD(RX, 0x3000, 0x0, 0x1000, 0x1000),
		LOAD(R, 0x1000, 0x1000, 0x1000, 0x1000),
		LOAD(RW, 0x2000, 0x2000, 0x1000, 0x1000),
	},
	.sections = { SECTION(".text", 0, 0x3000, 0x1000),
		      SECTION(".rodata", 0x1000, 0x1000, 0x1000),
		      SECTION(".data", 0x2000, 0x2000, 0x1000) },
};

/* One PT_LOAD for everything, as old tools and the kernel's vdso have it. */
static const struct plan single = {
	.path = "/lib/single.so",
	.segments = { LOAD(RX, 0, 0, 0x1800, 0x1800) },
	.sections = { SECTION(".text", 0x1000, 0x1000, 0x800) },
};

/* A file of data alone: an ELF object without code (a resource library). */
static const struct plan codeless = {
	.path = "/lib/codeless.so",
	.segments = { LOAD(R, 0, 0, 0x1800, 0x1800), LOAD(RW, 0x2000, 0x2000, 0x100, 0x100) },
	.sections = { SECTION(".rodata", 0x1000, 0x1000, 0x800) },
};

/* ld.so of a system with huge pages: PT_LOADs 2 MiB apart. */
static const struct plan spread = {
	.path = "/lib/spread.so",
	.segments = { LOAD(RX, 0, 0, 0x1000, 0x1000), LOAD(RW, 0x1000, 0x201000, 0x1000, 0x1000) },
	.sections = { SECTION(".text", 0x800, 0x800, 0x800),
		      SECTION(".data", 0x201000, 0x1000, 0x1000) },
};

/* Two ELF objects in one file, as in an Android package; both are like the mold library. */
static const struct plan packed_first = {
	.path = "/app/base.apk",
	.elf_off = 0x5000,
	.segments = { LOAD(R, 0, 0, 0x3c0, 0x3c0), LOAD(RX, 0x3c0, 0x13c0, 0x100, 0x100),
		      LOAD(RW, 0x4c0, 0x24c0, 0x20, 0x20) },
	.sections = { SECTION(".text", 0x13c0, 0x3c0, 0x100) },
};
static const struct plan packed_second = {
	.path = "/app/base.apk",
	.elf_off = 0x9000,
	.segments = { LOAD(R, 0, 0, 0x3c0, 0x3c0), LOAD(RX, 0x3c0, 0x13c0, 0x100, 0x100),
		      LOAD(RW, 0x4c0, 0x24c0, 0x20, 0x20) },
	.sections = { SECTION(".text", 0x13c0, 0x3c0, 0x100) },
};

/* A guest's program under qemu-user: its text is not executable on the host. */
static const struct plan guest = {
	.path = "/guest/program",
	.machine = EM_AARCH64,
	.foreign = true,
	.segments = { LOAD(RX, 0, 0, 0x1800, 0x1800), LOAD(RW, 0x1e00, 0x11e00, 0x200, 0x300),
		      RELRO(0x1e00, 0x11e00, 0x200) },
	.sections = { SECTION(".text", 0x1000, 0x1000, 0x800) },
};

/* One PT_LOAD, of a guest and of an object without code. */
static const struct plan small_guest = {
	.path = "/guest/small",
	.machine = EM_AARCH64,
	.foreign = true,
	.segments = { LOAD(RX, 0, 0, 0x1800, 0x1800) },
};
static const struct plan resource = {
	.path = "/lib/resource.so",
	.segments = { LOAD(R, 0, 0, 0x1800, 0x1800) },
};

/* A library that is relocated in its code, and has no RELRO. */
static const struct plan textrel = {
	.path = "/lib/textrel.so",
	.segments = { LOAD(R, 0, 0, 0x1000, 0x1000), LOAD(RX, 0x1000, 0x1000, 0x1000, 0x1000),
		      LOAD(RW, 0x2000, 0x2000, 0x1000, 0x1000) },
	.sections = { SECTION(".text", 0x1000, 0x1000, 0x1000) },
};

static const struct scenario scenarios[] = {
	{ .claim = "musl makes all of a library with text relocations writable code",
	  .plans = { &textrel },
	  .maps = "10000-13000 rwxp 00000000 08:01 5 /lib/textrel.so\n",
	  .images = "library 10000 /lib/textrel.so" },
	{ .claim = "as data it is none, writable or not",
	  .plans = { &textrel },
	  .maps = "10000-13000 rw-p 00000000 08:01 5 /lib/textrel.so\n",
	  .images = "" },
	{ .claim = "GNU ld: two r--p at one offset, and one bias",
	  .plans = { &gnu },
	  .maps = GNU_MAPS("10000", "11000", "12000", "13000", "14000", "15000", "18000"),
	  .images = "library 10000 /lib/gnu.so" },
	{ .claim = "mold: four VMAs at offset 0, and one bias",
	  .plans = { &mold },
	  .maps = MOLD_MAPS("20000", "21000", "22000", "23000", "24000"),
	  .images = "library 20000 /lib/mold.so" },
	{ .claim = "mold before RELRO is applied",
	  .plans = { &mold },
	  .maps = "20000-21000 r--p 00000000 08:01 8 /lib/mold.so\n"
		  "21000-22000 r-xp 00000000 08:01 8 /lib/mold.so\n"
		  "22000-23000 rw-p 00000000 08:01 8 /lib/mold.so\n"
		  "23000-24000 rw-p 00000000 08:01 8 /lib/mold.so\n",
	  .images = "library 20000 /lib/mold.so" },
	{ .claim = "a library loaded twice is two images",
	  .plans = { &gnu },
	  .maps = GNU_MAPS("10000", "11000", "12000", "13000", "14000", "15000", "18000")
		  GNU_MAPS("50000", "51000", "52000", "53000", "54000", "55000", "58000"),
	  .images = "library 10000 /lib/gnu.so, library 50000 /lib/gnu.so" },
	{ .claim = "a library loaded twice, side by side with all VMAs at offset 0",
	  .plans = { &mold },
	  .maps = MOLD_MAPS("20000", "21000", "22000", "23000", "24000")
		  MOLD_MAPS("24000", "25000", "26000", "27000", "28000"),
	  .images = "library 20000 /lib/mold.so, library 24000 /lib/mold.so" },
	{ .claim = "a library loaded three times, and mapped as data between",
	  .plans = { &gnu },
	  .maps = GNU_MAPS("10000", "11000", "12000", "13000", "14000", "15000", "18000")
		  "20000-24000 r--p 00000000 08:01 7 /lib/gnu.so\n"
		  GNU_MAPS("50000", "51000", "52000", "53000", "54000", "55000", "58000")
		  GNU_MAPS("90000", "91000", "92000", "93000", "94000", "95000", "98000"),
	  .images = "library 10000 /lib/gnu.so, library 50000 /lib/gnu.so, "
		    "library 90000 /lib/gnu.so" },
	{ .claim = "a file mapped whole as data is no image",
	  .plans = { &gnu },
	  .maps = "10000-14000 r--p 00000000 08:01 7 /lib/gnu.so\n",
	  .images = "",
	  .vmas = "10000-14000 r--p file\n" },
	{ .claim = "nor mapped whole and shared",
	  .plans = { &gnu },
	  .maps = "10000-14000 r--s 00000000 08:01 7 /lib/gnu.so\n",
	  .images = "",
	  .vmas = "10000-14000 r--s file\n" },
	{ .claim = "nor mapped whole and writable, to be changed",
	  .plans = { &gnu },
	  .maps = "10000-14000 rw-p 00000000 08:01 7 /lib/gnu.so\n",
	  .images = "" },
	{ .claim = "nor its first page alone",
	  .plans = { &gnu },
	  .maps = "10000-11000 r--p 00000000 08:01 7 /lib/gnu.so\n",
	  .images = "",
	  .vmas = "10000-11000 r--p file\n" },
	{ .claim = "nor the first page of a small library",
	  .plans = { &mold },
	  .maps = "20000-21000 r--p 00000000 08:01 8 /lib/mold.so\n",
	  .images = "" },
	{ .claim = "nor some pages of it here and there",
	  .plans = { &gnu },
	  .maps = "10000-11000 r--p 00000000 08:01 7 /lib/gnu.so\n"
		  "31000-32000 r--p 00002000 08:01 7 /lib/gnu.so\n"
		  "41000-43000 r--p 00001000 08:01 7 /lib/gnu.so\n",
	  .images = "" },
	{ .claim = "nor pieces of it where its PT_LOADs would be, with other bytes where the code "
		   "would be",
	  .plans = { &gnu },
	  .maps = "10000-11000 r--p 00000000 08:01 7 /lib/gnu.so\n"
		  "11000-12000 r--p 00000000 08:01 7 /lib/gnu.so\n"
		  "12000-13000 r--p 00002000 08:01 7 /lib/gnu.so\n",
	  .images = "" },
	{ .claim = "nor shared mappings of all its PT_LOADs: every loader maps them private",
	  .plans = { &gnu },
	  .maps = "10000-11000 r--s 00000000 08:01 7 /lib/gnu.so\n"
		  "11000-12000 r-xs 00001000 08:01 7 /lib/gnu.so\n"
		  "12000-13000 r--s 00002000 08:01 7 /lib/gnu.so\n"
		  "13000-15000 rw-s 00002000 08:01 7 /lib/gnu.so\n",
	  .images = "" },
	{ .claim = "a part of the one PT_LOAD of an object without code is no image",
	  .plans = { &resource },
	  .maps = "10000-11000 r--p 00000000 08:01 9 /lib/resource.so\n",
	  .images = "" },
	{ .claim = "a guest's one PT_LOAD, all of it",
	  .plans = { &small_guest },
	  .maps = "10000-12000 r--p 00000000 08:01 6 /guest/small\n",
	  .images = "library 10000 /guest/small" },
	{ .claim = "a part of a guest's one PT_LOAD is no image",
	  .plans = { &small_guest },
	  .maps = "10000-11000 r--p 00000000 08:01 6 /guest/small\n",
	  .images = "" },
	{ .claim = "a file of one PT_LOAD mapped as data is no image",
	  .plans = { &single },
	  .maps = "10000-12000 r--p 00000000 08:01 9 /lib/single.so\n",
	  .images = "" },
	{ .claim = "a file of one PT_LOAD that is loaded is one",
	  .plans = { &single },
	  .maps = "10000-12000 r-xp 00000000 08:01 9 /lib/single.so\n",
	  .images = "library 10000 /lib/single.so" },
	{ .claim = "an ELF object without code, loaded",
	  .plans = { &codeless },
	  .maps = "10000-12000 r--p 00000000 08:01 9 /lib/codeless.so\n"
		  "12000-13000 rw-p 00002000 08:01 9 /lib/codeless.so\n",
	  .images = "library 10000 /lib/codeless.so" },
	{ .claim = "an ELF object without code, mapped as data",
	  .plans = { &codeless },
	  .maps = "10000-13000 r--p 00000000 08:01 9 /lib/codeless.so\n",
	  .images = "" },
	{ .claim = "a second mapping of the text is an alias of the load",
	  .plans = { &gnu },
	  .maps = GNU_MAPS("10000", "11000", "12000", "13000", "14000", "15000", "18000")
		  "50000-51000 r-xp 00001000 08:01 7 /lib/gnu.so\n",
	  .images = "library 10000 /lib/gnu.so, alias 4f000 /lib/gnu.so of 0" },
	{ .claim = "an alias below the load",
	  .plans = { &gnu },
	  .maps = "5000-6000 r-xp 00001000 08:01 7 /lib/gnu.so\n"
		  GNU_MAPS("10000", "11000", "12000", "13000", "14000", "15000", "18000"),
	  .images = "alias 4000 /lib/gnu.so of 1, library 10000 /lib/gnu.so" },
	{ .claim = "a second mapping of the text of a small library",
	  .plans = { &mold },
	  .maps = MOLD_MAPS("20000", "21000", "22000", "23000", "24000")
		  "50000-51000 r-xp 00000000 08:01 8 /lib/mold.so\n",
	  .images = "library 20000 /lib/mold.so, alias 4f000 /lib/mold.so of 0" },
	{ .claim = "part of the text mapped again, from the middle on",
	  .plans = { &fixed },
	  .maps = "400000-402000 r-xp 00000000 08:01 5 /bin/fixed\n"
		  "602000-604000 rw-p 00001000 08:01 5 /bin/fixed\n"
		  "900000-901000 r-xp 00001000 08:01 5 /bin/fixed\n",
	  .images = "program 0 /bin/fixed, alias 4ff000 /bin/fixed of 0" },
	{ .claim = "a second mapping of data is a file",
	  .plans = { &gnu },
	  .maps = GNU_MAPS("10000", "11000", "12000", "13000", "14000", "15000", "18000")
		  "50000-51000 r--p 00002000 08:01 7 /lib/gnu.so\n"
		  "60000-64000 r--s 00000000 08:01 7 /lib/gnu.so\n",
	  .images = "library 10000 /lib/gnu.so" },
	{ .claim = "ET_EXEC has bias 0",
	  .plans = { &fixed },
	  .maps = "400000-402000 r-xp 00000000 08:01 5 /bin/fixed\n"
		  "602000-603000 r--p 00001000 08:01 5 /bin/fixed\n"
		  "603000-604000 rw-p 00002000 08:01 5 /bin/fixed\n",
	  .auxv_phdr = 0x400040,
	  .images = "program 0 /bin/fixed" },
	{ .claim = "ET_EXEC that never applies its RELRO",
	  .plans = { &fixed },
	  .maps = "400000-402000 r-xp 00000000 08:01 5 /bin/fixed\n"
		  "602000-604000 rw-p 00001000 08:01 5 /bin/fixed\n",
	  .images = "program 0 /bin/fixed" },
	{ .claim = "the lowest p_vaddr is not 0: the bias is not the first address",
	  .plans = { &based },
	  .maps = "555555600000-555555601000 r--p 00000000 08:01 5 /bin/based\n"
		  "555555601000-555555602000 r-xp 00000000 08:01 5 /bin/based\n"
		  "555555602000-555555603000 rw-p 00000000 08:01 5 /bin/based\n",
	  .auxv_phdr = 0x555555600040,
	  .images = "program 555555400000 /bin/based" },
	{ .claim = "loaded below its p_vaddr: the bias is negative",
	  .plans = { &based },
	  .maps = "100000-101000 r--p 00000000 08:01 5 /bin/based\n"
		  "101000-102000 r-xp 00000000 08:01 5 /bin/based\n"
		  "102000-103000 rw-p 00000000 08:01 5 /bin/based\n",
	  .images = "library fffffffffff00000 /bin/based" },
	{ .claim = "p_offset is not p_vaddr, and the text comes first",
	  .plans = { &shuffled },
	  .maps = "10000-11000 r-xp 00003000 08:01 5 /bin/shuffled\n"
		  "11000-12000 r--p 00001000 08:01 5 /bin/shuffled\n"
		  "12000-13000 rw-p 00002000 08:01 5 /bin/shuffled\n",
	  .images = "library 10000 /bin/shuffled",
	  .vmas = "10000-11000 r-xp segment i0 s0 r-x | 10000 .text\n"
		  "11000-12000 r--p segment i0 s1 r-- | 11000 .rodata\n"
		  "12000-13000 rw-p segment i0 s2 rw- | 12000 .data\n" },
	{ .claim = "PT_LOADs far apart, with an unmapped hole between (the kernel's own loading)",
	  .plans = { &spread },
	  .maps = "10000-11000 r-xp 00000000 08:01 5 /lib/spread.so\n"
		  "211000-212000 rw-p 00001000 08:01 5 /lib/spread.so\n",
	  .images = "library 10000 /lib/spread.so" },
	{ .claim = "other files between its VMAs",
	  .plans = { &spread, &mold },
	  .maps = "10000-11000 r-xp 00000000 08:01 5 /lib/spread.so\n"
		  MOLD_MAPS("20000", "21000", "22000", "23000", "24000")
		  "211000-212000 rw-p 00001000 08:01 5 /lib/spread.so\n",
	  .images = "library 10000 /lib/spread.so, library 20000 /lib/mold.so" },
	{ .claim = "a library in the hole of another: both have their VMAs",
	  .plans = { &spread, &single },
	  .maps = "10000-11000 r-xp 00000000 08:01 5 /lib/spread.so\n"
		  "20000-22000 r-xp 00000000 08:01 9 /lib/single.so\n"
		  "211000-212000 rw-p 00001000 08:01 5 /lib/spread.so\n",
	  .images = "library 10000 /lib/spread.so, library 20000 /lib/single.so",
	  .vmas = "10000-11000 r-xp segment i0 s0 r-x | 10000 [ELF header], "
	  	  "10040 [program headers], "
		  "100b0 [padding], 10800 .text\n"
		  "20000-22000 r-xp segment i1 s0 r-x | 20000 [ELF header], "
		  "20040 [program headers], "
		  "20078 [padding], 21000 .text, 21800 spill [beyond file]\n"
		  "211000-212000 rw-p segment i0 s1 rw- | 211000 .data\n" },
	{ .claim = "text that is gone: the other VMAs are the image all the same",
	  .plans = { &gnu },
	  .maps = "10000-11000 r--p 00000000 08:01 7 /lib/gnu.so\n"
		  "12000-13000 r--p 00002000 08:01 7 /lib/gnu.so\n"
		  "13000-14000 r--p 00002000 08:01 7 /lib/gnu.so\n"
		  "14000-15000 rw-p 00003000 08:01 7 /lib/gnu.so\n",
	  .images = "library 10000 /lib/gnu.so" },
	{ .claim = "text on anonymous pages: the others decide",
	  .plans = { &gnu },
	  .maps = "10000-11000 r--p 00000000 08:01 7 /lib/gnu.so\n"
		  "11000-12000 r-xp 00000000 00:00 0\n"
		  "12000-13000 r--p 00002000 08:01 7 /lib/gnu.so\n"
		  "13000-14000 r--p 00002000 08:01 7 /lib/gnu.so\n"
		  "14000-15000 rw-p 00003000 08:01 7 /lib/gnu.so\n",
	  .images = "library 10000 /lib/gnu.so" },
	{ .claim = "text made writable by the program itself",
	  .plans = { &gnu },
	  .maps = "10000-11000 r--p 00000000 08:01 7 /lib/gnu.so\n"
		  "11000-12000 rwxp 00001000 08:01 7 /lib/gnu.so\n"
		  "12000-13000 r--p 00002000 08:01 7 /lib/gnu.so\n"
		  "13000-14000 r--p 00002000 08:01 7 /lib/gnu.so\n"
		  "14000-15000 rw-p 00003000 08:01 7 /lib/gnu.so\n",
	  .images = "library 10000 /lib/gnu.so" },
	{ .claim = "execute-only text",
	  .plans = { &gnu },
	  .maps = "10000-11000 r--p 00000000 08:01 7 /lib/gnu.so\n"
		  "11000-12000 --xp 00001000 08:01 7 /lib/gnu.so\n"
		  "12000-13000 r--p 00002000 08:01 7 /lib/gnu.so\n"
		  "13000-15000 rw-p 00002000 08:01 7 /lib/gnu.so\n",
	  .images = "library 10000 /lib/gnu.so" },
	{ .claim = "everything readable is executable (READ_IMPLIES_EXEC)",
	  .plans = { &gnu },
	  .maps = "10000-11000 r-xp 00000000 08:01 7 /lib/gnu.so\n"
		  "11000-12000 r-xp 00001000 08:01 7 /lib/gnu.so\n"
		  "12000-13000 r-xp 00002000 08:01 7 /lib/gnu.so\n"
		  "13000-14000 r-xp 00002000 08:01 7 /lib/gnu.so\n"
		  "14000-15000 rwxp 00003000 08:01 7 /lib/gnu.so\n"
		  "15000-18000 rwxp 00000000 00:00 0\n",
	  .read_implies_exec = true,
	  .images = "library 10000 /lib/gnu.so" },
	{ .claim = "an ELF object inside a file",
	  .plans = { &packed_first },
	  .maps = "10000-11000 r--p 00005000 08:01 6 /app/base.apk\n"
		  "11000-12000 r-xp 00005000 08:01 6 /app/base.apk\n"
		  "12000-13000 rw-p 00005000 08:01 6 /app/base.apk\n",
	  .images = "library 10000 /app/base.apk" },
	{ .claim = "two ELF objects inside one file, and the file as data",
	  .plans = { &packed_first, &packed_second },
	  .maps = "10000-11000 r--p 00005000 08:01 6 /app/base.apk\n"
		  "11000-12000 r-xp 00005000 08:01 6 /app/base.apk\n"
		  "12000-13000 rw-p 00005000 08:01 6 /app/base.apk\n"
		  "40000-4a000 r--s 00000000 08:01 6 /app/base.apk\n"
		  "80000-81000 r--p 00009000 08:01 6 /app/base.apk\n"
		  "81000-82000 r-xp 00009000 08:01 6 /app/base.apk\n"
		  "82000-83000 rw-p 00009000 08:01 6 /app/base.apk\n",
	  .images = "library 10000 /app/base.apk, library 80000 /app/base.apk" },
	{ .claim = "a guest of an emulator, whose text is not executable here",
	  .plans = { &guest },
	  .maps = "10000-12000 r--p 00000000 08:01 6 /guest/program\n"
		  "21000-22000 r--p 00001000 08:01 6 /guest/program\n"
		  "22000-23000 rw-p 00002000 08:01 6 /guest/program\n",
	  .images = "library 10000 /guest/program" },
	{ .claim = "a guest's file mapped as data",
	  .plans = { &guest },
	  .maps = "10000-13000 r--s 00000000 08:01 6 /guest/program\n",
	  .images = "" },
	{ .claim = "the program by AT_PHDR, the interpreter by AT_BASE",
	  .plans = { &based, &gnu, &mold },
	  .maps = GNU_MAPS("10000", "11000", "12000", "13000", "14000", "15000", "18000")
		  MOLD_MAPS("20000", "21000", "22000", "23000", "24000")
		  "555555600000-555555601000 r--p 00000000 08:01 5 /bin/based\n"
		  "555555601000-555555602000 r-xp 00000000 08:01 5 /bin/based\n"
		  "555555602000-555555603000 rw-p 00000000 08:01 5 /bin/based\n",
	  .auxv_phdr = 0x555555600040,
	  .auxv_base = 0x20000,
	  .images = "library 10000 /lib/gnu.so, interpreter 20000 /lib/mold.so, "
		    "program 555555400000 /bin/based" },
	{ .claim = "AT_BASE is the interpreter's bias, not its first address",
	  .plans = { &based },
	  .maps = "555555600000-555555601000 r--p 00000000 08:01 5 /bin/based\n"
		  "555555601000-555555602000 r-xp 00000000 08:01 5 /bin/based\n"
		  "555555602000-555555603000 rw-p 00000000 08:01 5 /bin/based\n",
	  .auxv_base = 0x555555400000,
	  .images = "interpreter 555555400000 /bin/based" },
	{ .claim = "the program's file loaded a second time is a library",
	  .plans = { &based },
	  .maps = "300000-301000 r--p 00000000 08:01 5 /bin/based\n"
		  "301000-302000 r-xp 00000000 08:01 5 /bin/based\n"
		  "302000-303000 rw-p 00000000 08:01 5 /bin/based\n"
		  "555555600000-555555601000 r--p 00000000 08:01 5 /bin/based\n"
		  "555555601000-555555602000 r-xp 00000000 08:01 5 /bin/based\n"
		  "555555602000-555555603000 rw-p 00000000 08:01 5 /bin/based\n",
	  .auxv_phdr = 0x555555600040,
	  .exe_ino = 5,
	  .images = "library 100000 /bin/based, program 555555400000 /bin/based" },
	{ .claim = "the program by the inode of exe, where there is no AT_PHDR",
	  .plans = { &based, &gnu },
	  .maps = GNU_MAPS("10000", "11000", "12000", "13000", "14000", "15000", "18000")
		  "555555600000-555555601000 r--p 00000000 08:01 5 /bin/based\n"
		  "555555601000-555555602000 r-xp 00000000 08:01 5 /bin/based\n"
		  "555555602000-555555603000 rw-p 00000000 08:01 5 /bin/based\n",
	  .exe_ino = 5,
	  .images = "library 10000 /lib/gnu.so, program 555555400000 /bin/based" },
	{ .claim = "the same offsets in another file are another file's",
	  .plans = { &gnu },
	  .maps = "10000-11000 r--p 00000000 08:01 7 /lib/gnu.so\n"
		  "11000-12000 r-xp 00001000 08:02 7 /lib/other.so\n"
		  "12000-13000 r--p 00002000 08:02 7 /lib/other.so\n",
	  .images = "" },
	{ .claim = "an object of no segments is no image",
	  .plans = { &(const struct plan){ .path = "/lib/empty", .size = 0x1000 } },
	  .maps = "10000-11000 r-xp 00000000 08:01 7 /lib/empty\n",
	  .images = "" },
	{ .claim = "an object whose only segment no loader can map is no image",
	  .plans = { &(const struct plan){ .path = "/lib/odd",
					   .segments = { LOAD(RX, 0x10, 0, 0x1000, 0x1000) } } },
	  .maps = "10000-11000 r-xp 00000000 08:01 7 /lib/odd\n",
	  .images = "" },
	{ .claim = "at the end of the address space",
	  .plans = { &mold },
	  .maps = MOLD_MAPS("ffffffffffff0000", "ffffffffffff1000", "ffffffffffff2000",
			    "ffffffffffff3000", "ffffffffffff4000"),
	  .images = "library ffffffffffff0000 /lib/mold.so" },
};

START_TEST(one_bias_decides)
{
	scenario_check(&scenarios[_i]);
}
END_TEST

START_TEST(unreadable_file_with_code_is_an_image_of_which_nothing_is_known)
{
	static const struct {
		enum segmap_status status;
		const char *maps;
		size_t n_images;
	} rows[] = {
		{ SEGMAP_STATUS_UNREADABLE, "10000-11000 r--p 00000000 08:01 7 /x\n"
					    "11000-12000 r-xp 00001000 08:01 7 /x\n", 1 },
		{ SEGMAP_STATUS_MALFORMED, "10000-11000 r-xp 00000000 08:01 7 /x\n", 1 },
		{ SEGMAP_STATUS_UNREADABLE, "10000-11000 r--p 00000000 08:01 7 /x\n", 0 },
		{ SEGMAP_STATUS_OK, "10000-11000 r-xp 00000000 08:01 7 /x\n", 0 },
	};
	struct world world;

	world_make(&world, rows[_i].maps);
	world.layout->backings[0].status = rows[_i].status;
	world_correlate(&world);
	ck_assert_uint_eq(world.layout->n_images, rows[_i].n_images);
	if (rows[_i].n_images) {
		ck_assert_ptr_null(world.layout->images[0].elf);
		ck_assert_uint_eq(world.layout->images[0].start, 0x10000);
		ck_assert_str_eq(segmap_layout_image_path(world.layout, 0), "/x");
	}
	world_free(&world);
}
END_TEST

/* biases_find() alone: what it claims, and that it leaves what others have claimed. */
START_TEST(claimed_vmas_make_no_second_load)
{
	unsigned char claimed[12] = { 0 };
	size_t lookups_left = MOST_LOOKUPS, few = 6;
	struct biases biases = { 0 };
	struct extents extents;
	struct world world;

	world_make(&world,
		   GNU_MAPS("10000", "11000", "12000", "13000", "14000", "15000", "18000"));
	world_put(&world, &gnu);
	ck_assert(extents_make(world.files[0].elfs[0], &extents));
	ck_assert(biases_find(world.layout, &world.layout->backings[0], &extents, claimed,
			      &lookups_left, &biases));
	ck_assert_uint_eq(biases.n, 1);
	ck_assert_uint_eq(biases.array[0], 0x10000);
	ck_assert(lookups_left && lookups_left < MOST_LOOKUPS);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(claimed[i], 1);
	ck_assert_int_eq(claimed[5], 0); /* it is no VMA of the file */
	biases_free(&biases);
	ck_assert(biases_find(world.layout, &world.layout->backings[0], &extents, claimed,
			      &lookups_left, &biases));
	ck_assert_uint_eq(biases.n, 0);
	biases_free(&biases);
	memset(claimed, 0, sizeof(claimed));
	ck_assert(biases_find(world.layout, &world.layout->backings[0], &extents, claimed, &few,
			      &biases));
	ck_assert_uint_eq(few, 0);
	ck_assert_uint_eq(biases.n, 0);
	biases_free(&biases);
	extents_free(&extents);
	world_free(&world);
}
END_TEST

START_TEST(consistent_means_the_same_byte)
{
	struct segmap_elf *elf = plan_build(&gnu, PAGE);
	const struct segmap_segment *data = &elf->segments[3]; /* page 0x3000 is at 0x2000 */
	struct segmap_vma vma = { .start = 0x13000, .end = 0x15000, .off = 0x2000 };

	ck_assert(bias_is_consistent(elf, data, &vma, 0x13000, 0x10000));
	ck_assert(bias_is_consistent(elf, data, &vma, 0x14000, 0x10000));
	ck_assert(!bias_is_consistent(elf, data, &vma, 0x13000, 0x11000));
	ck_assert(!bias_is_consistent(elf, &elf->segments[2], &vma, 0x13000, 0x10000));
	vma.off = 0x2000 + 0x5000;
	ck_assert(!bias_is_consistent(elf, data, &vma, 0x13000, 0x10000));
	elf->elf_off = 0x5000;
	ck_assert(bias_is_consistent(elf, data, &vma, 0x13000, 0x10000));
	segmap_elf_free(elf);
}
END_TEST

START_TEST(reading_implies_executing_only_under_that_personality)
{
	struct segmap_layout layout = { 0 };

	ck_assert_int_eq(prot_implied(&layout, R), R);
	layout.read_implies_exec = true;
	ck_assert_int_eq(prot_implied(&layout, R), RX);
	ck_assert_int_eq(prot_implied(&layout, RW), RWX);
	ck_assert_int_eq(prot_implied(&layout, W), W);
	ck_assert_int_eq(prot_implied(&layout, NO), NO);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("correlate/bias");
	TCase *tcase = unit_case(suite, "bias");

	tcase_add_loop_test(tcase, one_bias_decides, 0, N_ROWS(scenarios));
	tcase_add_loop_test(tcase, unreadable_file_with_code_is_an_image_of_which_nothing_is_known,
			    0, 4);
	tcase_add_test(tcase, claimed_vmas_make_no_second_load);
	tcase_add_test(tcase, consistent_means_the_same_byte);
	tcase_add_test(tcase, reading_implies_executing_only_under_that_personality);
	return unit_run(suite);
}
