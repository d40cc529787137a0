/* tests/unit/correlate_annotate.c - cutting the VMAs of images into pieces. */
#include "builder.h"
#include "plans.h"
#include "unit.h"
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct plan fixed = {
	.path = "/bin/fixed",
	.type = ET_EXEC,
	.segments = {
		LOAD(RX, 0, 0x400000, 0x1800, 0x1800),
		LOAD(RW, 0x1f00, 0x402f00, 0x200, 0x1300),
		RELRO(0x1f00, 0x402f00, 0x100),
	},
	.sections = {
		SECTION(".text", 0x401000, 0x1000, 0x800),
		SECTION(".got", 0x402f00, 0x1f00, 0x100),
		SECTION(".data", 0x403000, 0x2000, 0x100),
		NOBITS(".bss", 0x403100, 0x2100, 0x1100),
	},
	.size = 0x2100,
};

/* Each PT_LOAD has its own .bss; between them is one page of nothing. */
static const struct plan gappy = {
	.path = "/lib/gappy.so",
	.segments = {
		LOAD(RX, 0, 0, 0x1800, 0x1800),
		LOAD(RW, 0x1c00, 0x4c00, 0x400, 0x400),
	},
	.sections = { SECTION(".text", 0x800, 0x800, 0x1000),
		      SECTION(".data", 0x4c00, 0x1c00, 0x400) },
	.size = 0x2400,
};

/* musl's first mapping has the pages up to the last PT_LOAD too. */
static const struct plan musl = {
	.path = "/lib/musl.so",
	.segments = {
		LOAD(R, 0, 0, 0x800, 0x800),
		LOAD(RW, 0xc00, 0x3c00, 0x400, 0x400),
	},
	.sections = { SECTION(".rodata", 0x200, 0x200, 0x600),
		      SECTION(".data", 0x3c00, 0xc00, 0x400) },
	.size = 0x1200,
};

/* The same with the table the other way round. */
static const struct plan unsorted = {
	.path = "/lib/unsorted.so",
	.segments = {
		LOAD(RW, 0x1000, 0x3000, 0x200, 0x200),
		LOAD(R, 0, 0, 0x800, 0x800),
	},
	.sections = { SECTION(".rodata", 0x200, 0x200, 0x600),
		      SECTION(".data", 0x3000, 0x1000, 0x200) },
	.size = 0x1300,
};

/* Two pages of the file come before all that is loaded. */
static const struct plan shifted = {
	.path = "/lib/shifted.so",
	.segments = {
		LOAD(RX, 0x2000, 0, 0x1000, 0x1000),
		LOAD(RW, 0x3000, 0x1000, 0x1000, 0x1000),
	},
	.sections = { SECTION(".text", 0, 0x2000, 0x1000),
		      SECTION(".data", 0x1000, 0x3000, 0x1000) },
	.size = 0x4200,
};

/* A hole between read-only PT_LOADs, which musl fills with the file. */
static const struct plan perforated = {
	.path = "/lib/perforated.so",
	.segments = {
		LOAD(R, 0, 0, 0x1000, 0x1000),
		LOAD(R, 0x2000, 0x2000, 0x1000, 0x1000),
		LOAD(RX, 0x3000, 0x3000, 0x1000, 0x1000),
	},
	.sections = { SECTION(".dynsym", 0x800, 0x800, 0x800),
		      SECTION(".rodata", 0x2000, 0x2000, 0x1000),
		      SECTION(".text", 0x3000, 0x3000, 0x1000) },
};

/* RELRO's end falls into .got: the rest of .got stays writable. */
static const struct plan straddling = {
	.path = "/lib/straddling.so",
	.segments = {
		LOAD(RX, 0, 0, 0x1000, 0x1000),
		LOAD(RW, 0x1800, 0x2800, 0x1800, 0x1800),
		RELRO(0x1800, 0x2800, 0xc00),
	},
	.sections = {
		SECTION(".text", 0x400, 0x400, 0xc00),
		SECTION(".dynamic", 0x2800, 0x1800, 0x400),
		SECTION(".got", 0x2c00, 0x1c00, 0x800),
		SECTION(".data", 0x3400, 0x2400, 0xc00),
	},
};

/* .bss of the first goes up to the page where the second begins. */
static const struct plan lower = {
	.path = "/lib/lower.so",
	.segments = { LOAD(RX, 0, 0, 0x1000, 0x1000), LOAD(RW, 0x1000, 0x1000, 0x1000, 0x2800) },
	.sections = { SECTION(".text", 0x400, 0x400, 0xc00),
		      SECTION(".data", 0x1000, 0x1000, 0x1000),
		      NOBITS(".bss", 0x2000, 0x2000, 0x1800) },
};
static const struct plan upper = {
	.path = "/lib/upper.so",
	.segments = { LOAD(RW, 0, 0, 0, 0x1800), LOAD(RX, 0x2000, 0x2000, 0x1000, 0x1000) },
	.sections = { NOBITS(".bss", 0, 0, 0x1800), SECTION(".text", 0x2000, 0x2000, 0x1000) },
	.size = 0x3000,
};

/* lld's separate-loadable-segments: the kernel merges the two read-only PT_LOADs. */
static const struct plan merged = {
	.path = "/lib/merged.so",
	.segments = {
		LOAD(R, 0, 0, 0x1000, 0x1000),
		LOAD(R, 0x1000, 0x1000, 0x800, 0x800),
		LOAD(RX, 0x2000, 0x2000, 0x1000, 0x1000),
	},
	.sections = { SECTION(".rodata", 0x800, 0x800, 0x800),
		      SECTION(".eh_frame", 0x1000, 0x1000, 0x800),
		      SECTION(".text", 0x2000, 0x2000, 0x1000) },
};

/* The second PT_LOAD has the page on which the first's .bss ends. */
static const struct plan covering = {
	.path = "/lib/covering.so",
	.segments = {
		LOAD(RW, 0, 0, 0x1800, 0x2100),
		LOAD(R, 0x2200, 0x2200, 0x400, 0x400),
		LOAD(RX, 0x4000, 0x4000, 0x1000, 0x1000),
	},
	.sections = { SECTION(".data", 0x800, 0x800, 0x1000), NOBITS(".bss", 0x1800, 0x1800, 0x900),
		      SECTION(".rodata", 0x2200, 0x2200, 0x400),
		      SECTION(".text", 0x4000, 0x4000, 0x1000) },
};

/* The same with file bytes, and another page of the file. */
static const struct plan replacing = {
	.path = "/lib/replacing.so",
	.segments = { LOAD(RX, 0, 0, 0x1800, 0x1800), LOAD(RW, 0x2900, 0x1900, 0x200, 0x200) },
	.sections = { SECTION(".text", 0x800, 0x800, 0x1000),
		      SECTION(".data", 0x1900, 0x2900, 0x200),
		      UNLOADED(".comment", 0x2000, 0x400) },
	.size = 0x2c00,
};

static const struct plan guest = {
	.path = "/guest/program",
	.machine = EM_AARCH64,
	.foreign = true,
	.segments = { LOAD(RX, 0, 0, 0x1000, 0x1000), LOAD(RW, 0x1000, 0x1000, 0x1000, 0x1800) },
	.sections = { SECTION(".text", 0x400, 0x400, 0xc00),
		      SECTION(".data", 0x1000, 0x1000, 0x1000),
		      NOBITS(".bss", 0x2000, 0x2000, 0x800) },
};

static const struct plan embedded = {
	.path = "/app/base.apk",
	.elf_off = 0x5000,
	.segments = { LOAD(R, 0, 0, 0x3c0, 0x3c0), LOAD(RX, 0x3c0, 0x13c0, 0x100, 0x100) },
	.sections = { SECTION(".rodata", 0x200, 0x200, 0x1c0),
		      SECTION(".text", 0x13c0, 0x3c0, 0x100) },
	.size = 0x600,
};

/* sstrip has been here. */
static const struct plan bare = {
	.path = "/bin/bare",
	.segments = { LOAD(R, 0, 0, 0x800, 0x800), LOAD(RX, 0x1000, 0x1000, 0x800, 0x800),
		      LOAD(RW, 0x1800, 0x2800, 0x200, 0x1000) },
	.size = 0x1a00,
};

/* A file that ends in the middle of its last page, and before: truncated since. */
static const struct plan truncated = {
	.path = "/lib/truncated.so",
	.segments = { LOAD(R, 0, 0, 0x800, 0x800), LOAD(RX, 0x1000, 0x1000, 0x3000, 0x3000) },
	.sections = { SECTION(".text", 0x1000, 0x1000, 0x800) },
	.size = 0x1900,
};

/* Text of several pages, for holes and patches in its middle. */
static const struct plan holey = {
	.path = "/lib/holey.so",
	.segments = { LOAD(RX, 0, 0, 0x4000, 0x4000), LOAD(RW, 0x4000, 0x4000, 0x1000, 0x1000) },
	.sections = { SECTION(".init", 0x800, 0x800, 0x800),
		      SECTION(".text", 0x1000, 0x1000, 0x2800),
		      SECTION(".fini", 0x3800, 0x3800, 0x800),
		      SECTION(".data", 0x4000, 0x4000, 0x1000) },
};

/* A section that says it is longer than everything, and one over a border. */
static const struct plan liar = {
	.path = "/lib/liar.so",
	.segments = { LOAD(R, 0, 0, 0x1000, 0x1000), LOAD(RX, 0x1000, 0x1000, 0x1000, 0x1000) },
	.sections = { SECTION(".long", 0x800, 0x800, 0x100000),
		      SECTION(".text", 0x1800, 0x1800, 0x100),
		      SECTION(".nowhere", 0x9000, 0x9000, 0x100) },
	.size = 0x2000,
};

static const struct plan vdso = {
	.path = "[vdso]",
	.segments = { LOAD(RX, 0, 0, 0xc00, 0xc00) },
	.sections = { SECTION(".text", 0x400, 0x400, 0x800), UNLOADED(".comment", 0xc00, 0x20) },
	.shdrs_off = 0xc40,
	.shdrs_size = 0x100,
	.size = 0x2000,
};

#define GNU_FIRST                                                                               \
	"10000-11000 r--p segment i0 s0 r-- | 10000 [ELF header], 10040 [program headers], "    \
	"10238 .note, 1025c [padding], 10260 .dynsym, 10500 spill [padding]\n"
#define GNU_TEXT                                                                                 \
	"11000-12000 r-xp segment i0 s1 r-x | 11000 .init, 11017 [padding], 11020 .text, "       \
	"11345 spill [padding]\n"
#define GNU_RODATA                                                                              \
	"12000-13000 r--p segment i0 s2 r-- | 12000 .rodata, 12400 .eh_frame, "                 \
	"12600 spill [padding], 12de8 spill .init_array, 12df0 spill .dynamic, 12fe0 spill .got\n"
#define GNU_RELRO_PIECES                                                                        \
	"13000 spill .rodata, 13400 spill .eh_frame, 13600 spill [padding], 13de8 .init_array, " \
	"13df0 .dynamic, 13fe0 .got"
#define GNU_RELRO "13000-14000 r--p relro i0 s3 r-- | " GNU_RELRO_PIECES "\n"
#define GNU_DATA "14000-15000 rw-p segment i0 s3 rw- | 14000 .data, 14030 .bss>\n"

static const struct scenario scenarios[] = {
	{ .claim = "GNU ld's library: spills at both ends of the page that is mapped twice",
	  .plans = { &gnu },
	  .maps = GNU_MAPS("10000", "11000", "12000", "13000", "14000", "15000", "18000"),
	  .vmas = GNU_FIRST GNU_TEXT GNU_RODATA GNU_RELRO GNU_DATA
		  "15000-18000 rw-p bss i0 s3 rw- | 15000 >.bss, 171e8 [padding]\n" },
	{ .claim = "mold's library: sections by address, never by offset",
	  .plans = { &mold },
	  .maps = MOLD_MAPS("20000", "21000", "22000", "23000", "24000"),
	  .vmas = "20000-21000 r--p segment i0 s0 r-- | 20000 [ELF header], "
	  	  "20040 [program headers], "
		  "20158 [padding], 20200 .rodata, 203c0 spill .text, 204c0 spill .dynamic, "
		  "20640 spill .got, 20660 spill .data, 20680 spill [padding], "
		  "20900 spill [beyond file]\n"
		  "21000-22000 r-xp segment i0 s1 r-x | 21000 spill [ELF header], "
		  "21040 spill [program headers], 21158 spill [padding], 21200 spill .rodata, "
		  "213c0 .text, 214c0 spill .dynamic, 21640 spill .got, 21660 spill .data, "
		  "21680 spill [padding], 21900 spill [beyond file]\n"
		  "22000-23000 r--p relro i0 s2 r-- | 22000 spill [ELF header], "
		  "22040 spill [program headers], 22158 spill [padding], 22200 spill .rodata, "
		  "223c0 spill .text, 224c0 .dynamic, 22640 .got, 22660 .relro_padding\n"
		  "23000-24000 rw-p segment i0 s3 rw- | 23000 spill [ELF header], "
		  "23040 spill [program headers], 23158 spill [padding], 23200 spill .rodata, "
		  "233c0 spill .text, 234c0 spill .dynamic, 23640 spill .got, 23660 .data, "
		  "23680 .bss, 23688 [padding]\n" },
	{ .claim = "RELRO not applied yet: expected to be read-only, and is not",
	  .plans = { &gnu },
	  .maps = "10000-11000 r--p 00000000 08:01 7 /lib/gnu.so\n"
		  "11000-12000 r-xp 00001000 08:01 7 /lib/gnu.so\n"
		  "12000-13000 r--p 00002000 08:01 7 /lib/gnu.so\n"
		  "13000-15000 rw-p 00002000 08:01 7 /lib/gnu.so\n"
		  "15000-18000 rw-p 00000000 00:00 0\n",
	  .vmas = GNU_FIRST GNU_TEXT GNU_RODATA
		  "13000-15000 rw-p segment i0 s3 | 13000 spill .rodata =r--, "
		  "13400 spill .eh_frame =r--, "
		  "13600 spill [padding] =r--, 13de8 .init_array =r--, 13df0 .dynamic =r--, "
		  "13fe0 .got =r--, 14000 .data =rw-, 14030 .bss> =rw-\n"
		  "15000-18000 rw-p bss i0 s3 rw- | 15000 >.bss, 171e8 [padding]\n" },
	{ .claim = "RELRO of a whole PT_LOAD not applied: the VMA says what was expected",
	  .plans = { &mold },
	  .maps = "20000-21000 r--p 00000000 08:01 8 /lib/mold.so\n"
		  "21000-22000 r-xp 00000000 08:01 8 /lib/mold.so\n"
		  "22000-23000 rw-p 00000000 08:01 8 /lib/mold.so\n"
		  "23000-24000 rw-p 00000000 08:01 8 /lib/mold.so\n",
	  .vmas = "20000-21000 r--p segment i0 s0 r-- | 20000 [ELF header], "
	  	  "20040 [program headers], "
		  "20158 [padding], 20200 .rodata, 203c0 spill .text, 204c0 spill .dynamic, "
		  "20640 spill .got, 20660 spill .data, 20680 spill [padding], "
		  "20900 spill [beyond file]\n"
		  "21000-22000 r-xp segment i0 s1 r-x | 21000 spill [ELF header], "
		  "21040 spill [program headers], 21158 spill [padding], 21200 spill .rodata, "
		  "213c0 .text, 214c0 spill .dynamic, 21640 spill .got, 21660 spill .data, "
		  "21680 spill [padding], 21900 spill [beyond file]\n"
		  "22000-23000 rw-p segment i0 s2 r-- | 22000 spill [ELF header], "
		  "22040 spill [program headers], 22158 spill [padding], 22200 spill .rodata, "
		  "223c0 spill .text, 224c0 .dynamic, 22640 .got, 22660 .relro_padding\n"
		  "23000-24000 rw-p segment i0 s3 rw- | 23000 spill [ELF header], "
		  "23040 spill [program headers], 23158 spill [padding], 23200 spill .rodata, "
		  "233c0 spill .text, 234c0 spill .dynamic, 23640 spill .got, 23660 .data, "
		  "23680 .bss, 23688 [padding]\n" },
	{ .claim = "RELRO's end is rounded down: a section goes on in the writable VMA",
	  .plans = { &straddling },
	  .maps = "10000-11000 r-xp 00000000 08:01 7 /lib/straddling.so\n"
		  "12000-13000 r--p 00001000 08:01 7 /lib/straddling.so\n"
		  "13000-14000 rw-p 00002000 08:01 7 /lib/straddling.so\n",
	  .vmas = "10000-11000 r-xp segment i0 s0 r-x | 10000 [ELF header], "
	  	  "10040 [program headers], "
		  "100e8 [padding], 10400 .text\n"
		  "12000-13000 r--p relro i0 s1 r-- | 12000 spill [padding], 12800 .dynamic, "
		  "12c00 .got>\n"
		  "13000-14000 rw-p segment i0 s1 rw- | 13000 >.got, 13400 .data\n" },
	{ .claim = "RELRO not applied, its end in a section: both halves are in one VMA, none is "
		   "marked",
	  .plans = { &straddling },
	  .maps = "10000-11000 r-xp 00000000 08:01 7 /lib/straddling.so\n"
		  "12000-14000 rw-p 00001000 08:01 7 /lib/straddling.so\n",
	  .vmas = "10000-11000 r-xp segment i0 s0 r-x | 10000 [ELF header], "
	  	  "10040 [program headers], "
		  "100e8 [padding], 10400 .text\n"
		  "12000-14000 rw-p segment i0 s1 | 12000 spill [padding] =r--, "
		  "12800 .dynamic =r--, "
		  "12c00 .got =r--, 13000 .got =rw-, 13400 .data =rw-\n" },
	{ .claim = "ET_EXEC that never applies its RELRO (static musl)",
	  .plans = { &fixed },
	  .maps = "400000-402000 r-xp 00000000 08:01 5 /bin/fixed\n"
		  "402000-404000 rw-p 00001000 08:01 5 /bin/fixed\n"
		  "404000-405000 rw-p 00000000 00:00 0\n",
	  .vmas = "400000-402000 r-xp segment i0 s0 r-x | 400000 [ELF header], "
		  "400040 [program headers], 4000e8 [padding], 401000 .text, "
		  "401800 spill [padding], "
		  "401f00 spill .got\n"
		  "402000-404000 rw-p segment i0 s1 | 402000 spill .text =r--, "
		  "402800 spill [padding] =r--, 402f00 .got =r--, 403000 .data =rw-, "
		  "403100 .bss> =rw-\n"
		  "404000-405000 rw-p bss i0 s1 rw- | 404000 >.bss, 404200 [padding]\n" },
	{ .claim = ".bss merged with the heap: pieces part them, the name stays",
	  .plans = { &gnu },
	  .maps = "10000-11000 r--p 00000000 08:01 7 /lib/gnu.so\n"
		  "11000-12000 r-xp 00001000 08:01 7 /lib/gnu.so\n"
		  "12000-13000 r--p 00002000 08:01 7 /lib/gnu.so\n"
		  "13000-14000 r--p 00002000 08:01 7 /lib/gnu.so\n"
		  "14000-15000 rw-p 00003000 08:01 7 /lib/gnu.so\n"
		  "15000-38000 rw-p 00000000 00:00 0 [heap]\n",
	  .vmas = GNU_FIRST GNU_TEXT GNU_RODATA GNU_RELRO GNU_DATA
		  "15000-38000 rw-p bss i0 s3 | 15000 >.bss =rw-, 171e8 [padding] =rw-, "
		  "18000 [anon]\n" },
	{ .claim = "anonymous memory merged in front of .bss",
	  .plans = { &upper },
	  .maps = "e000-12000 rw-p 00000000 00:00 0\n"
		  "12000-13000 r-xp 00002000 08:01 7 /lib/upper.so\n",
	  .vmas = "e000-12000 rw-p bss i0 s0 | e000 [anon], 10000 .bss =rw-, 11800 [padding] =rw-\n"
		  "12000-13000 r-xp segment i0 s1 r-x | 12000 .text\n" },
	{ .claim = "anonymous memory on both sides of .bss",
	  .plans = { &lower },
	  .maps = "10000-11000 r-xp 00000000 08:01 7 /lib/lower.so\n"
		  "11000-12000 rw-p 00001000 08:01 7 /lib/lower.so\n"
		  "12000-20000 rw-p 00000000 00:00 0\n",
	  .vmas = "10000-11000 r-xp segment i0 s0 r-x | 10000 [ELF header], "
	  	  "10040 [program headers], "
		  "100b0 [padding], 10400 .text\n"
		  "11000-12000 rw-p segment i0 s1 rw- | 11000 .data\n"
		  "12000-20000 rw-p bss i0 s1 | 12000 .bss =rw-, 13800 [padding] =rw-, "
		  "14000 [anon]\n" },
	{ .claim = "two libraries' .bss in one VMA",
	  .plans = { &lower, &upper },
	  .maps = "10000-11000 r-xp 00000000 08:01 7 /lib/lower.so\n"
		  "11000-12000 rw-p 00001000 08:01 7 /lib/lower.so\n"
		  "12000-16000 rw-p 00000000 00:00 0\n"
		  "16000-17000 r-xp 00002000 08:01 8 /lib/upper.so\n",
	  .images = "library 10000 /lib/lower.so, library 14000 /lib/upper.so",
	  .vmas = "10000-11000 r-xp segment i0 s0 r-x | 10000 [ELF header], "
	  	  "10040 [program headers], "
		  "100b0 [padding], 10400 .text\n"
		  "11000-12000 rw-p segment i0 s1 rw- | 11000 .data\n"
		  "12000-16000 rw-p bss i0 s1 rw- | 12000 .bss, 13800 [padding], 14000 .bss i1 s0, "
		  "15800 [padding] i1 s0\n"
		  "16000-17000 r-xp segment i1 s1 r-x | 16000 .text\n" },
	{ .claim = "text on anonymous pages: remapped, with its sections by address",
	  .plans = { &gnu },
	  .maps = "10000-11000 r--p 00000000 08:01 7 /lib/gnu.so\n"
		  "11000-12000 r-xp 00000000 00:00 0\n"
		  "12000-13000 r--p 00002000 08:01 7 /lib/gnu.so\n"
		  "13000-14000 r--p 00002000 08:01 7 /lib/gnu.so\n"
		  "14000-15000 rw-p 00003000 08:01 7 /lib/gnu.so\n"
		  "15000-18000 rw-p 00000000 00:00 0\n",
	  .vmas = GNU_FIRST
		  "11000-12000 r-xp remapped i0 s1 r-x | 11000 .init, 11017 [padding], "
		  "11020 .text, "
		  "11345 [padding]\n" GNU_RODATA GNU_RELRO GNU_DATA
		  "15000-18000 rw-p bss i0 s3 rw- | 15000 >.bss, 171e8 [padding]\n" },
	{ .claim = "a file that is shorter than its segments: padding where its bytes would be",
	  .plans = { &truncated },
	  .maps = "10000-11000 r--p 00000000 08:01 7 /lib/truncated.so\n"
		  "11000-12000 r-xp 00001000 08:01 7 /lib/truncated.so\n"
		  "12000-13000 r-xp 00000000 00:00 0\n"
		  "13000-14000 r-xp 00003000 08:01 7 /lib/truncated.so\n",
	  .vmas = "10000-11000 r--p segment i0 s0 r-- | 10000 [ELF header], "
	  	  "10040 [program headers], "
		  "100b0 [padding], 10800 spill [padding]\n"
		  "11000-12000 r-xp segment i0 s1 r-x | 11000 .text, 11800 [padding]\n"
		  "12000-13000 r-xp remapped i0 s1 r-x | 12000 [padding]\n"
		  "13000-14000 r-xp segment i0 s1 r-x | 13000 [padding]\n" },
	{ .claim = "a section that says it is longer than everything is clipped, and takes no "
		   "label twice",
	  .plans = { &liar },
	  .maps = "10000-11000 r--p 00000000 08:01 7 /lib/liar.so\n"
		  "11000-12000 r-xp 00001000 08:01 7 /lib/liar.so\n",
	  .vmas = "10000-11000 r--p segment i0 s0 r-- | 10000 [ELF header], "
	  	  "10040 [program headers], "
		  "100b0 [padding], 10800 .long>\n"
		  "11000-12000 r-xp segment i0 s1 r-x | 11000 >.long>\n" },
	{ .claim = "a hole in the text: what is left keeps its sections",
	  .plans = { &holey },
	  .maps = "10000-12000 r-xp 00000000 08:01 7 /lib/holey.so\n"
		  "13000-14000 r-xp 00003000 08:01 7 /lib/holey.so\n"
		  "14000-15000 rw-p 00004000 08:01 7 /lib/holey.so\n",
	  .images = "library 10000 /lib/holey.so",
	  .vmas = "10000-12000 r-xp segment i0 s0 r-x | 10000 [ELF header], "
	  	  "10040 [program headers], "
		  "100b0 [padding], 10800 .init, 11000 .text>\n"
		  "13000-14000 r-xp segment i0 s0 r-x | 13000 >.text, 13800 .fini\n"
		  "14000-15000 rw-p segment i0 s1 rw- | 14000 .data\n" },
	{ .claim = "part of the text on anonymous pages: its section goes on in memory and back in "
		   "the file",
	  .plans = { &holey },
	  .maps = "10000-12000 r-xp 00000000 08:01 7 /lib/holey.so\n"
		  "12000-13000 r-xp 00000000 00:00 0\n"
		  "13000-14000 r-xp 00003000 08:01 7 /lib/holey.so\n"
		  "14000-15000 rw-p 00004000 08:01 7 /lib/holey.so\n",
	  .vmas = "10000-12000 r-xp segment i0 s0 r-x | 10000 [ELF header], "
	  	  "10040 [program headers], "
		  "100b0 [padding], 10800 .init, 11000 .text>\n"
		  "12000-13000 r-xp remapped i0 s0 r-x | 12000 >.text>\n"
		  "13000-14000 r-xp segment i0 s0 r-x | 13000 >.text, 13800 .fini\n"
		  "14000-15000 rw-p segment i0 s1 rw- | 14000 .data\n" },
	{ .claim = "mprotect in the middle of .data: expected_perms shows the drift",
	  .plans = { &gnu },
	  .maps = "10000-11000 r--p 00000000 08:01 7 /lib/gnu.so\n"
		  "11000-12000 r-xp 00001000 08:01 7 /lib/gnu.so\n"
		  "12000-13000 r--p 00002000 08:01 7 /lib/gnu.so\n"
		  "13000-14000 r--p 00002000 08:01 7 /lib/gnu.so\n"
		  "14000-15000 ---p 00003000 08:01 7 /lib/gnu.so\n"
		  "15000-16000 rw-p 00000000 00:00 0\n"
		  "16000-17000 r-xp 00000000 00:00 0\n"
		  "17000-18000 rw-p 00000000 00:00 0\n",
	  .vmas = GNU_FIRST GNU_TEXT GNU_RODATA GNU_RELRO
		  "14000-15000 ---p segment i0 s3 rw- | 14000 .data, 14030 .bss>\n"
		  "15000-16000 rw-p bss i0 s3 rw- | 15000 >.bss>\n"
		  "16000-17000 r-xp bss i0 s3 rw- | 16000 >.bss>\n"
		  "17000-18000 rw-p bss i0 s3 rw- | 17000 >.bss, 171e8 [padding]\n" },
	{ .claim = "RELRO made writable again by the program",
	  .plans = { &gnu },
	  .maps = "10000-11000 r--p 00000000 08:01 7 /lib/gnu.so\n"
		  "11000-12000 r-xp 00001000 08:01 7 /lib/gnu.so\n"
		  "12000-13000 r--p 00002000 08:01 7 /lib/gnu.so\n"
		  "13000-14000 rwxp 00002000 08:01 7 /lib/gnu.so\n"
		  "14000-15000 rw-p 00003000 08:01 7 /lib/gnu.so\n"
		  "15000-18000 rw-p 00000000 00:00 0\n",
	  .vmas = GNU_FIRST GNU_TEXT GNU_RODATA
		  "13000-14000 rwxp segment i0 s3 r-- | " GNU_RELRO_PIECES
		  "\n" GNU_DATA "15000-18000 rw-p bss i0 s3 rw- | 15000 >.bss, 171e8 [padding]\n" },
	{ .claim = "ld.so's gap between PT_LOADs is the image's, and no section",
	  .plans = { &gappy },
	  .maps = "10000-12000 r-xp 00000000 08:01 7 /lib/gappy.so\n"
		  "12000-14000 ---p 00002000 08:01 7 /lib/gappy.so\n"
		  "14000-15000 rw-p 00001000 08:01 7 /lib/gappy.so\n",
	  .vmas = "10000-12000 r-xp segment i0 s0 r-x | 10000 [ELF header], "
	  	  "10040 [program headers], "
		  "100b0 [padding], 10800 .text, 11800 spill [padding], 11c00 spill .data\n"
		  "12000-14000 ---p gap i0 | 12000 [gap]\n"
		  "14000-15000 rw-p segment i0 s1 rw- | 14000 spill .text, 14800 spill [padding], "
		  "14c00 .data\n" },
	{ .claim = "musl's first mapping goes on over the hole: file, then gap, in one VMA",
	  .plans = { &musl },
	  .maps = "10000-13000 r--p 00000000 08:01 7 /lib/musl.so\n"
		  "13000-14000 rw-p 00000000 08:01 7 /lib/musl.so\n",
	  .vmas = "10000-13000 r--p segment i0 s0 | 10000 [ELF header] =r--, "
		  "10040 [program headers] =r--, 100b0 [padding] =r--, 10200 .rodata =r--, "
		  "10800 spill [padding] =r--, 10c00 spill .data =r--, 11000 [gap]\n"
		  "13000-14000 rw-p segment i0 s1 rw- | 13000 spill [ELF header], "
		  "13040 spill [program headers], 130b0 spill [padding], 13200 spill .rodata, "
		  "13800 spill [padding], 13c00 .data\n" },
	{ .claim = "musl's holes have the lowest PT_LOAD's pages, and not those of the table's first",
	  .plans = { &unsorted },
	  .maps = "10000-13000 r--p 00000000 08:01 7 /lib/unsorted.so\n"
		  "13000-14000 rw-p 00001000 08:01 7 /lib/unsorted.so\n",
	  .vmas = "10000-13000 r--p segment i0 s1 | 10000 [ELF header] =r--, "
		  "10040 [program headers] =r--, 100b0 [padding] =r--, 10200 .rodata =r--, "
		  "10800 spill [padding] =r--, 11000 [gap]\n"
		  "13000-14000 rw-p segment i0 s0 rw- | 13000 .data, 13200 spill [padding], "
		  "13300 spill [beyond file]\n" },
	{ .claim = "behind the last PT_LOAD musl maps as much as the lowest's offset, and no more",
	  .plans = { &shifted },
	  .maps = "10000-11000 r-xp 00002000 08:01 7 /lib/shifted.so\n"
		  "11000-12000 rw-p 00003000 08:01 7 /lib/shifted.so\n"
		  "12000-15000 r-xp 00004000 08:01 7 /lib/shifted.so\n",
	  .images = "library 10000 /lib/shifted.so",
	  .vmas = "10000-11000 r-xp segment i0 s0 r-x | 10000 .text\n"
		  "11000-12000 rw-p segment i0 s1 rw- | 11000 .data\n"
		  "12000-15000 r-xp gap i0 | 12000 [gap], 14000 [anon]\n" },
	{ .claim = "other pages of the file behind the last PT_LOAD are not the image's",
	  .plans = { &shifted },
	  .maps = "10000-11000 r-xp 00002000 08:01 7 /lib/shifted.so\n"
		  "11000-12000 rw-p 00003000 08:01 7 /lib/shifted.so\n"
		  "12000-13000 r--p 00003000 08:01 7 /lib/shifted.so\n",
	  .images = "library 10000 /lib/shifted.so",
	  .vmas = "10000-11000 r-xp segment i0 s0 r-x | 10000 .text\n"
		  "11000-12000 rw-p segment i0 s1 rw- | 11000 .data\n"
		  "12000-13000 r--p file\n" },
	{ .claim = "a VMA that begins in the hole and goes on in a PT_LOAD is that PT_LOAD's",
	  .plans = { &perforated },
	  .maps = "10000-11000 rw-p 00000000 08:01 7 /lib/perforated.so\n"
		  "11000-13000 r--p 00001000 08:01 7 /lib/perforated.so\n"
		  "13000-14000 r-xp 00003000 08:01 7 /lib/perforated.so\n",
	  .vmas = "10000-11000 rw-p segment i0 s0 r-- | 10000 [ELF header], "
	  	  "10040 [program headers], "
		  "100e8 [padding], 10800 .dynsym\n"
		  "11000-13000 r--p segment i0 s1 | 11000 [gap], 12000 .rodata =r--\n"
		  "13000-14000 r-xp segment i0 s2 r-x | 13000 .text\n" },
	{ .claim = "two PT_LOADs merged in one VMA: pieces tell them apart",
	  .plans = { &merged },
	  .maps = "10000-12000 r--p 00000000 08:01 7 /lib/merged.so\n"
		  "12000-13000 r-xp 00002000 08:01 7 /lib/merged.so\n",
	  .vmas = "10000-12000 r--p segment i0 s0 r-- | 10000 [ELF header], "
	  	  "10040 [program headers], "
		  "100e8 [padding], 10800 .rodata, 11000 .eh_frame s1, 11800 spill [padding] s1\n"
		  "12000-13000 r-xp segment i0 s2 r-x | 12000 .text\n" },
	{ .claim = "an alias has the sections that its file bytes hold",
	  .plans = { &gnu },
	  .maps = GNU_MAPS("10000", "11000", "12000", "13000", "14000", "15000", "18000")
		  "50000-51000 r-xp 00001000 08:01 7 /lib/gnu.so\n",
	  .vmas = GNU_FIRST GNU_TEXT GNU_RODATA GNU_RELRO GNU_DATA
		  "15000-18000 rw-p bss i0 s3 rw- | 15000 >.bss, 171e8 [padding]\n"
		  "50000-51000 r-xp alias i1 s1 r-x | 50000 .init, 50017 spill [padding], "
		  "50020 .text, "
		  "50345 spill [padding]\n" },
	{ .claim = "another mapping inside the image's span is not the image's",
	  .plans = { &gappy },
	  .maps = "10000-12000 r-xp 00000000 08:01 7 /lib/gappy.so\n"
		  "12000-13000 rw-p 00000000 00:00 0\n"
		  "13000-14000 r--p 00000000 08:01 9 /etc/passwd\n"
		  "14000-15000 rw-p 00001000 08:01 7 /lib/gappy.so\n",
	  .vmas = "10000-12000 r-xp segment i0 s0 r-x | 10000 [ELF header], "
	  	  "10040 [program headers], "
		  "100b0 [padding], 10800 .text, 11800 spill [padding], 11c00 spill .data\n"
		  "12000-13000 rw-p anon\n"
		  "13000-14000 r--p file\n"
		  "14000-15000 rw-p segment i0 s1 rw- | 14000 spill .text, 14800 spill [padding], "
		  "14c00 .data\n" },
	{ .claim = "another file where the image's data was is that file's",
	  .plans = { &gappy },
	  .maps = "10000-12000 r-xp 00000000 08:01 7 /lib/gappy.so\n"
		  "14000-15000 rw-p 00001000 08:01 9 /tmp/x\n",
	  .vmas = "10000-12000 r-xp segment i0 s0 r-x | 10000 [ELF header], "
	  	  "10040 [program headers], "
		  "100b0 [padding], 10800 .text, 11800 spill [padding], 11c00 spill .data\n"
		  "14000-15000 rw-p file\n" },
	{ .claim = "the file itself at another offset inside the image's span is a file",
	  .plans = { &gappy },
	  .maps = "10000-12000 r-xp 00000000 08:01 7 /lib/gappy.so\n"
		  "14000-15000 r--p 00000000 08:01 7 /lib/gappy.so\n",
	  .vmas = "10000-12000 r-xp segment i0 s0 r-x | 10000 [ELF header], "
	  	  "10040 [program headers], "
		  "100b0 [padding], 10800 .text, 11800 spill [padding], 11c00 spill .data\n"
		  "14000-15000 r--p file\n" },
	{ .claim = "file pages over the end of another PT_LOAD's .bss: its bytes are gone",
	  .plans = { &covering },
	  .maps = "10000-12000 rw-p 00000000 08:01 7 /lib/covering.so\n"
		  "12000-13000 r--p 00002000 08:01 7 /lib/covering.so\n"
		  "14000-15000 r-xp 00004000 08:01 7 /lib/covering.so\n",
	  .vmas = "10000-12000 rw-p segment i0 s0 rw- | 10000 [ELF header], "
	  	  "10040 [program headers], "
		  "100e8 [padding], 10800 .data, 11800 .bss>\n"
		  "12000-13000 r--p segment i0 s1 r-- | 12000 spill [padding], 12200 .rodata, "
		  "12600 spill [padding]\n"
		  "14000-15000 r-xp segment i0 s2 r-x | 14000 .text\n" },
	{ .claim = "file pages over the end of another PT_LOAD's sections: named by what is there "
		   "now",
	  .plans = { &replacing },
	  .maps = "10000-11000 r-xp 00000000 08:01 7 /lib/replacing.so\n"
		  "11000-12000 rw-p 00002000 08:01 7 /lib/replacing.so\n",
	  .vmas = "10000-11000 r-xp segment i0 s0 r-x | 10000 [ELF header], "
	  	  "10040 [program headers], "
		  "100b0 [padding], 10800 .text>\n"
		  "11000-12000 rw-p segment i0 s1 rw- | 11000 spill .comment, "
		  "11400 spill [padding], "
		  "11900 .data, 11b00 spill [padding], 11c00 spill [beyond file]\n" },
	{ .claim = "a guest's permissions are not judged",
	  .plans = { &guest },
	  .maps = "10000-11000 r--p 00000000 08:01 7 /guest/program\n"
		  "11000-12000 rw-p 00001000 08:01 7 /guest/program\n"
		  "12000-13000 rw-p 00000000 00:00 0\n",
	  .vmas = "10000-11000 r--p segment i0 s0 | 10000 [ELF header], 10040 [program headers], "
		  "100b0 [padding], 10400 .text\n"
		  "11000-12000 rw-p segment i0 s1 | 11000 .data\n"
		  "12000-13000 rw-p bss i0 s1 | 12000 .bss, 12800 [padding]\n" },
	{ .claim = "an ELF object inside a file: offsets of pieces are the file's",
	  .plans = { &embedded },
	  .maps = "10000-11000 r--p 00005000 08:01 7 /app/base.apk\n"
		  "11000-12000 r-xp 00005000 08:01 7 /app/base.apk\n",
	  .vmas = "10000-11000 r--p segment i0 s0 r-- | 10000 [ELF header], "
	  	  "10040 [program headers], "
		  "100b0 [padding], 10200 .rodata, 103c0 spill .text, 104c0 spill [padding], "
		  "10600 spill [beyond file]\n"
		  "11000-12000 r-xp segment i0 s1 r-x | 11000 spill [ELF header], "
		  "11040 spill [program headers], 110b0 spill [padding], 11200 spill .rodata, "
		  "113c0 .text, 114c0 spill [padding], 11600 spill [beyond file]\n" },
	{ .claim = "no section headers: segments all the same",
	  .plans = { &bare },
	  .maps = "10000-11000 r--p 00000000 08:01 7 /bin/bare\n"
		  "11000-12000 r-xp 00001000 08:01 7 /bin/bare\n"
		  "12000-13000 rw-p 00001000 08:01 7 /bin/bare\n"
		  "13000-14000 rw-p 00000000 00:00 0\n",
	  .vmas = "10000-11000 r--p segment i0 s0 r-- | 10000 [ELF header], "
	  	  "10040 [program headers], "
		  "100e8 [padding], 10800 spill [padding]\n"
		  "11000-12000 r-xp segment i0 s1 r-x | 11000 [padding], 11800 spill [padding], "
		  "11a00 spill [beyond file]\n"
		  "12000-13000 rw-p segment i0 s2 rw- | 12000 spill [padding], 12800 [padding]\n"
		  "13000-14000 rw-p bss i0 s2 rw- | 13000 [padding]\n" },
	{ .claim = "the kernel's .bss is rw- whatever p_flags say, a library's is what they say",
	  .plans = { &(const struct plan){ .path = "/lib/odd.so", .size = 0x2000,
		     .segments = { LOAD(RX, 0, 0, 0x1000, 0x1000),
				   LOAD(R, 0x1000, 0x1000, 0x1000, 0x2000) },
		     .sections = { SECTION(".text", 0x400, 0x400, 0xc00),
				   SECTION(".rodata", 0x1000, 0x1000, 0x1000),
				   NOBITS(".robss", 0x2000, 0x2000, 0x1000) } },
		     &(const struct plan){ .path = "/bin/odd", .size = 0x2000,
		     .segments = { LOAD(RX, 0, 0, 0x1000, 0x1000),
				   LOAD(R, 0x1000, 0x1000, 0x1000, 0x2000) },
		     .sections = { SECTION(".text", 0x400, 0x400, 0xc00),
				   SECTION(".rodata", 0x1000, 0x1000, 0x1000),
				   NOBITS(".robss", 0x2000, 0x2000, 0x1000) } } },
	  .maps = "10000-11000 r-xp 00000000 08:01 7 /lib/odd.so\n"
		  "11000-12000 r--p 00001000 08:01 7 /lib/odd.so\n"
		  "12000-13000 r--p 00000000 00:00 0\n"
		  "20000-21000 r-xp 00000000 08:01 8 /bin/odd\n"
		  "21000-22000 r--p 00001000 08:01 8 /bin/odd\n"
		  "22000-23000 rw-p 00000000 00:00 0\n",
	  .auxv_phdr = 0x20040,
	  .vmas = "10000-11000 r-xp segment i0 s0 r-x | 10000 [ELF header], "
	  	  "10040 [program headers], "
		  "100b0 [padding], 10400 .text\n"
		  "11000-12000 r--p segment i0 s1 r-- | 11000 .rodata\n"
		  "12000-13000 r--p bss i0 s1 r-- | 12000 .robss\n"
		  "20000-21000 r-xp segment i1 s0 r-x | 20000 [ELF header], "
		  "20040 [program headers], "
		  "200b0 [padding], 20400 .text\n"
		  "21000-22000 r--p segment i1 s1 r-- | 21000 .rodata\n"
		  "22000-23000 rw-p bss i1 s1 rw- | 22000 .robss\n" },
	{ .claim = "READ_IMPLIES_EXEC: what is expected has x, so nothing drifts",
	  .plans = { &lower },
	  .maps = "10000-11000 r-xp 00000000 08:01 7 /lib/lower.so\n"
		  "11000-12000 rwxp 00001000 08:01 7 /lib/lower.so\n"
		  "12000-14000 rwxp 00000000 00:00 0\n",
	  .read_implies_exec = true,
	  .vmas = "10000-11000 r-xp segment i0 s0 r-x | 10000 [ELF header], "
	  	  "10040 [program headers], "
		  "100b0 [padding], 10400 .text\n"
		  "11000-12000 rwxp segment i0 s1 rwx | 11000 .data\n"
		  "12000-14000 rwxp bss i0 s1 rwx | 12000 .bss, 13800 [padding]\n" },
	{ .claim = "the vdso is an image with sections",
	  .vdso = &vdso,
	  .maps = "10000-14000 r--p 00000000 00:00 0 [vvar]\n"
		  "14000-16000 r-xp 00000000 00:00 0 [vdso]\n"
		  "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n",
	  .images = "vdso 14000 [vdso]",
	  .vmas = "10000-14000 r--p vvar\n"
		  "14000-16000 r-xp vdso i0 s0 r-x | 14000 [ELF header], 14040 [program headers], "
		  "14078 [padding], 14400 .text, 14c00 spill .comment, 14c20 spill [padding], "
		  "14c40 spill [section headers], 14d40 spill [padding], 15000 [gap]\n"
		  "ffffffffff600000-ffffffffff601000 --xp vsyscall\n" },
	{ .claim = "the vdso at another address than it was linked for",
	  .vdso = &(const struct plan){ .path = "[vdso]", .size = 0x1000,
		  .segments = { LOAD(RX, 0, 0xffffffffff700000, 0x800, 0x800) },
		  .sections = { SECTION(".text", 0xffffffffff700400, 0x400, 0x400) } },
	  .maps = "7fff00000000-7fff00001000 r-xp 00000000 00:00 0 [vdso]\n",
	  .images = "vdso 7fff00900000 [vdso]",
	  .vmas = "7fff00000000-7fff00001000 r-xp vdso i0 s0 r-x | 7fff00000000 [ELF header], "
		  "7fff00000040 [program headers], 7fff00000078 [padding], 7fff00000400 .text, "
		  "7fff00000800 spill [padding]\n" },
	{ .claim = "without its bytes the vdso is only a label",
	  .maps = "14000-16000 r-xp 00000000 00:00 0 [vdso]\n",
	  .images = "",
	  .vmas = "14000-16000 r-xp vdso\n" },
	{ .claim = "heap, stack and others without an image have no pieces",
	  .plans = { &mold },
	  .maps = "10000-11000 rw-p 00000000 00:00 0 [heap]\n"
		  "11000-12000 ---p 00000000 00:00 0\n"
		  "12000-13000 rw-s 00000000 00:00 0\n"
		  "13000-14000 rw-p 00000000 00:00 0 [anon:x]\n"
		  "14000-15000 rw-p 00000000 00:00 0 [stack]\n",
	  .vmas = "10000-11000 rw-p heap\n"
		  "11000-12000 ---p anon\n"
		  "12000-13000 rw-s shm\n"
		  "13000-14000 rw-p anon\n"
		  "14000-15000 rw-p stack\n" },
	{ .claim = "named anonymous memory can be .bss (glibc names it since 2.42)",
	  .plans = { &lower },
	  .maps = "10000-11000 r-xp 00000000 08:01 7 /lib/lower.so\n"
		  "11000-12000 rw-p 00001000 08:01 7 /lib/lower.so\n"
		  "12000-14000 rw-p 00000000 00:00 0 [anon: glibc: .bss /lib/lower.so]\n",
	  .vmas = "10000-11000 r-xp segment i0 s0 r-x | 10000 [ELF header], "
	  	  "10040 [program headers], "
		  "100b0 [padding], 10400 .text\n"
		  "11000-12000 rw-p segment i0 s1 rw- | 11000 .data\n"
		  "12000-14000 rw-p bss i0 s1 rw- | 12000 .bss, 13800 [padding]\n" },
	{ .claim = "shared anonymous memory where .bss was is not the image's",
	  .plans = { &lower },
	  .maps = "10000-11000 r-xp 00000000 08:01 7 /lib/lower.so\n"
		  "11000-12000 rw-p 00001000 08:01 7 /lib/lower.so\n"
		  "12000-14000 rw-s 00000000 00:01 9 /dev/zero (deleted)\n",
	  .vmas = "10000-11000 r-xp segment i0 s0 r-x | 10000 [ELF header], "
	  	  "10040 [program headers], "
		  "100b0 [padding], 10400 .text\n"
		  "11000-12000 rw-p segment i0 s1 rw- | 11000 .data\n"
		  "12000-14000 rw-s shm\n" },
};

START_TEST(vmas_are_cut_into_pieces)
{
	scenario_check(&scenarios[_i]);
}
END_TEST

/* What the short text leaves out: offsets are those of the file, and those of .bss are none. */
START_TEST(pieces_have_the_offset_of_their_first_byte)
{
	static const struct {
		uint64_t addr, off;
	} rows[] = {
		{ 0x10000, 0 },	    { 0x10040, 0x40 },	   { 0x10238, 0x238 },
		{ 0x11020, 0x1020 }, { 0x12000, 0x2000 },   { 0x12de8, 0x2de8 },
		{ 0x13000, 0x2000 }, { 0x13de8, 0x2de8 },   { 0x13fe0, 0x2fe0 },
		{ 0x14000, 0x3000 }, { 0x14030, SEGMAP_NO_OFF }, { 0x15000, SEGMAP_NO_OFF },
		{ 0x171e8, SEGMAP_NO_OFF },
	};
	struct world world;

	world_make(&world,
		   GNU_MAPS("10000", "11000", "12000", "13000", "14000", "15000", "18000"));
	world_put(&world, &gnu);
	world_correlate(&world);
	for (int i = 0; i < N_ROWS(rows); i++) {
		bool found = false;

		for (size_t j = 0; j < world.layout->n_pieces; j++) {
			const struct segmap_piece *piece = &world.layout->pieces[j];

			if (piece->start != rows[i].addr)
				continue;
			found = true;
			ck_assert_msg(piece->off == rows[i].off, "%jx %s: offset %jx, not %jx",
				      (uintmax_t)piece->start, piece->name, (uintmax_t)piece->off,
				      (uintmax_t)rows[i].off);
		}
		ck_assert_msg(found, "no piece begins at %jx", (uintmax_t)rows[i].addr);
	}
	world_free(&world);
}
END_TEST

START_TEST(pieces_of_an_embedded_object_have_offsets_of_the_outer_file)
{
	struct world world;

	world_make(&world, "10000-11000 r--p 00005000 08:01 7 /app/base.apk\n"
			   "11000-12000 r-xp 00005000 08:01 7 /app/base.apk\n");
	world_put(&world, &embedded);
	world_correlate(&world);
	for (size_t i = 0; i < world.layout->n_pieces; i++) {
		const struct segmap_piece *piece = &world.layout->pieces[i];
		uint64_t in_page = piece->start & (PAGE - 1);

		if (piece->off != SEGMAP_NO_OFF)
			ck_assert_uint_eq(piece->off, 0x5000 + in_page);
	}
	world_free(&world);
}
END_TEST

/* ------------------------------------------------------- whatever a file and a map say */

/* PT_LOADs and sections that no linker makes, on a few dozen pages. */
static struct plan random_plan(uint64_t *state, const char *path)
{
	struct plan plan = { .path = path };
	uint64_t n = 1 + unit_random(state) % 6;

	for (uint64_t i = 0; i < n; i++) {
		static const int prots[] = { R, RX, RW, RWX, NO, RX, RW, R };
		uint64_t random = unit_random(state);
		uint64_t vaddr = random % (24 * PAGE), filesz = (random >> 20) % (6 * PAGE);
		uint64_t off = (random >> 40) % 8 * PAGE + (vaddr & (PAGE - 1));

		if (random >> 60 == 0)
			off += 8; /* no loader can map it */
		if (random >> 60 == 1)
			filesz = 0;
		plan.segments[i] = (struct segmap_segment)LOAD(
			prots[(random >> 50) % 8], off, vaddr, filesz,
			filesz + (random >> 55) % 3 * 0x900 + !filesz);
		if (i && random >> 61 == 7)
			plan.segments[i] = (struct segmap_segment)RELRO(off, vaddr, filesz + 1);
	}
	for (uint64_t i = 0; i < unit_random(state) % MAX_SECTIONS; i++) {
		uint64_t random = unit_random(state);

		plan.sections[i] = (struct segmap_section){
			.name = i % 3 ? ".a" : ".b",
			.vaddr = random % (30 * PAGE),
			.size = (random >> 20) % (3 * PAGE),
			.alloc = random >> 62,
			.nobits = (random >> 58) % 4 == 0,
			.tls = (random >> 56) % 4 == 0,
		};
		plan.sections[i].off = plan.sections[i].vaddr;
	}
	plan.size = 0x400 + unit_random(state) % (20 * PAGE);
	return plan;
}

static char *random_maps(uint64_t *state, const struct plan *plans, size_t n_plans)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	uint64_t addr = 0x10000;

	ck_assert_ptr_nonnull(file);
	for (int i = 0; i < 24; i++) {
		static const char *const perms[] = { "r--p", "r-xp", "rw-p",
						     "rw-s", "---p", "rwxp" };
		static const char *const labels[] = { "", "[heap]", "[stack]", "[anon:x]",
						      "[vdso]" };
		uint64_t random = unit_random(state), pages = 1 + (random >> 8) % 4;
		const struct plan *plan = &plans[(random >> 16) % n_plans];

		addr += random % 4 == 0 ? ((random >> 24) % 3) * PAGE : 0;
		fprintf(file, "%jx-%jx %s ", (uintmax_t)addr, (uintmax_t)(addr + pages * PAGE),
			perms[(random >> 30) % 6]);
		if ((random >> 40) % 3)
			fprintf(file, "%jx 08:01 %u %s\n", (uintmax_t)((random >> 44) % 10 * PAGE),
				7 + (unsigned int)(plan - plans), plan->path);
		else
			fprintf(file, "00000000 00:00 0 %s\n", labels[(random >> 50) % 5]);
		addr += pages * PAGE;
	}
	ck_assert_int_eq(fclose(file), 0);
	return text;
}

/* A map as the plan asks for it, so that there are images to cut; then some of it is spoilt. */
static char *loaded_maps(uint64_t *state, const struct segmap_elf *elf, const char *path)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	uint64_t addr = 0, bias = 0x10000;

	ck_assert_ptr_nonnull(file);
	/* Page by page, the last PT_LOAD wins. */
	for (uint64_t vaddr = 0; vaddr < 40 * PAGE; vaddr += PAGE) {
		const struct segmap_segment *owner = NULL;
		uint64_t random = unit_random(state);
		char perms[5];

		for (size_t i = 0; i < elf->n_segments; i++) {
			const struct segmap_segment *segment = &elf->segments[i];

			if (segment->type == SEGMAP_SEGMENT_LOAD && segment->mappable &&
			    vaddr >= segment->map_start && vaddr < segment->mem_end)
				owner = segment;
		}
		addr = vaddr + bias;
		if (!owner || random % 16 == 0) /* nothing, or a hole */
			continue;
		segmap_perms_format(random % 16 == 1 ? R : owner->prot, false, perms);
		if (vaddr < owner->file_end && random % 16 != 2)
			fprintf(file, "%jx-%jx %s %jx 08:01 7 %s\n", (uintmax_t)addr,
				(uintmax_t)(addr + PAGE), perms,
				(uintmax_t)(vaddr - owner->map_start + owner->map_off), path);
		else
			fprintf(file, "%jx-%jx %s 0 00:00 0\n", (uintmax_t)addr,
				(uintmax_t)(addr + PAGE), perms);
	}
	ck_assert_int_eq(fclose(file), 0);
	return text;
}

START_TEST(pieces_cover_whatever_files_and_maps_say)
{
	uint64_t state = 0xc0ffee + (uint64_t)_i;

	for (int round = 0; round < 100; round++) {
		struct plan plans[] = { random_plan(&state, "/a"), random_plan(&state, "/b") };
		struct world world;
		char *maps;

		if (round & 1) {
			struct segmap_elf *elf = plan_build(&plans[0], PAGE);

			maps = loaded_maps(&state, elf, "/a");
			segmap_elf_free(elf);
		} else {
			maps = random_maps(&state, plans, 2);
		}
		world_make(&world, maps);
		world_put(&world, &plans[0]);
		world_put(&world, &plans[1]);
		if (round % 4 == 0)
			world.layout->vdso = plan_build(&plans[1], PAGE);
		world_correlate(&world); /* checks that they do */
		world_free(&world);
		free(maps);
	}
}
END_TEST

/* The same, where the last page of the address space is near and p_filesz is more than p_memsz. */
START_TEST(pieces_cover_at_the_end_of_the_address_space)
{
	static const struct plan plans[] = {
		{ .path = "/a", .size = 0x4000,
		  .segments = { LOAD(RX, 0, 0, 0x1000, 0x1000),
				LOAD(RW, 0x1000, 0xffffffffffffe000, 0x1fff, 0x10) } },
		{ .path = "/a", .size = 0x4000,
		  .segments = { LOAD(RX, 0, 0, 0x1000, 0x1000),
				LOAD(RW, 0x1000, 0xffffffffffffd000, 0x1000, 0x1800) } },
		{ .path = "/a", .size = 0x4000,
		  .segments = { LOAD(RX, 0, 0, 0x3000, 0x10) } },
	};
	struct world world;

	world_make(&world, "10000-11000 r-xp 00000000 08:01 7 /a\n"
			   "20000-21000 rw-p 00000000 00:00 0\n"
			   "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n");
	world_put(&world, &plans[_i]);
	world_correlate(&world);
	/* Memory elsewhere is not the file's, whatever its headers say. */
	ck_assert_int_eq(world.layout->annotations[1].kind, SEGMAP_KIND_ANON);
	world_free(&world);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("correlate/annotate");
	TCase *tcase = unit_case(suite, "annotate"), *hostile = unit_case(suite, "hostile");

	tcase_add_loop_test(tcase, vmas_are_cut_into_pieces, 0, N_ROWS(scenarios));
	tcase_add_test(tcase, pieces_have_the_offset_of_their_first_byte);
	tcase_add_test(tcase, pieces_of_an_embedded_object_have_offsets_of_the_outer_file);
	tcase_add_loop_test(hostile, pieces_cover_whatever_files_and_maps_say, 0, 20);
	tcase_add_loop_test(hostile, pieces_cover_at_the_end_of_the_address_space, 0, 3);
	return unit_run(suite);
}
