/*
 * tests/unit/plans.h - ELF objects as linkers lay them out. Numbers are small
 * so that they can be read: the first page of file /lib/gnu.so at bias 0x10000
 * is 10000-11000.
 */
#ifndef PLANS_H
#define PLANS_H

#include "builder.h"

/*
 * GNU ld with -z separate-code: R, RX, R, RW. The last page of .rodata and the
 * RELRO page have the same offset. .bss goes on behind the last file page.
 */
static const struct plan gnu __attribute__((unused)) = {
	.path = "/lib/gnu.so",
	.segments = {
		LOAD(R, 0, 0, 0x500, 0x500),
		LOAD(RX, 0x1000, 0x1000, 0x345, 0x345),
		LOAD(R, 0x2000, 0x2000, 0x600, 0x600),
		LOAD(RW, 0x2de8, 0x3de8, 0x248, 0x3400),
		RELRO(0x2de8, 0x3de8, 0x218),
	},
	.n_phdrs = 9,
	.sections = {
		SECTION(".note", 0x238, 0x238, 0x24),
		SECTION(".dynsym", 0x260, 0x260, 0x2a0),
		SECTION(".init", 0x1000, 0x1000, 0x17),
		SECTION(".text", 0x1020, 0x1020, 0x325),
		SECTION(".rodata", 0x2000, 0x2000, 0x400),
		SECTION(".eh_frame", 0x2400, 0x2400, 0x200),
		SECTION(".init_array", 0x3de8, 0x2de8, 8),
		SECTION(".dynamic", 0x3df0, 0x2df0, 0x1f0),
		SECTION(".got", 0x3fe0, 0x2fe0, 0x20),
		SECTION(".data", 0x4000, 0x3000, 0x30),
		NOBITS(".bss", 0x4030, 0x3030, 0x31b8),
		UNLOADED(".comment", 0x3030, 0x20),
	},
	.shdrs_off = 0x3050,
	.shdrs_size = 0x340,
};
#define GNU_MAPS(a, b, c, d, e, f, g)                          \
	a "-" b " r--p 00000000 08:01 7 /lib/gnu.so\n"        \
	b "-" c " r-xp 00001000 08:01 7 /lib/gnu.so\n"        \
	c "-" d " r--p 00002000 08:01 7 /lib/gnu.so\n"        \
	d "-" e " r--p 00002000 08:01 7 /lib/gnu.so\n"        \
	e "-" f " rw-p 00003000 08:01 7 /lib/gnu.so\n"        \
	f "-" g " rw-p 00000000 00:00 0\n"

/*
 * mold (and lld for a small library): consecutive PT_LOADs share one page of
 * the file at different addresses, so every VMA has offset 0. The RELRO
 * PT_LOAD is filled up to its page with a NOBITS section.
 */
static const struct plan mold __attribute__((unused)) = {
	.path = "/lib/mold.so",
	.segments = {
		LOAD(R, 0, 0, 0x3c0, 0x3c0),
		LOAD(RX, 0x3c0, 0x13c0, 0x100, 0x100),
		LOAD(RW, 0x4c0, 0x24c0, 0x1a0, 0xb40),
		LOAD(RW, 0x660, 0x3660, 0x20, 0x28),
		RELRO(0x4c0, 0x24c0, 0xb40),
	},
	.sections = {
		SECTION(".rodata", 0x200, 0x200, 0x1c0),
		SECTION(".text", 0x13c0, 0x3c0, 0x100),
		SECTION(".dynamic", 0x24c0, 0x4c0, 0x180),
		SECTION(".got", 0x2640, 0x640, 0x20),
		NOBITS(".relro_padding", 0x2660, 0x660, 0x9a0),
		SECTION(".data", 0x3660, 0x660, 0x20),
		NOBITS(".bss", 0x3680, 0x680, 8),
	},
	.size = 0x900,
};
#define MOLD_MAPS(a, b, c, d, e)                               \
	a "-" b " r--p 00000000 08:01 8 /lib/mold.so\n"       \
	b "-" c " r-xp 00000000 08:01 8 /lib/mold.so\n"       \
	c "-" d " r--p 00000000 08:01 8 /lib/mold.so\n"       \
	d "-" e " rw-p 00000000 08:01 8 /lib/mold.so\n"

#endif
