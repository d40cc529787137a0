/* src/predict/ldso.h - glibc's dynamic linker: how it maps libraries and protects what is loaded. */
#ifndef PREDICT_LDSO_H
#define PREDICT_LDSO_H

#include "predict/load.h"

/*
 * Map a library: elf/dl-load.c:_dl_map_object_from_fd,
 * elf/dl-map-segments.h:_dl_map_segments (2.36 to 2.42 agree). Sets its bias.
 * One mapping of the first segment's file offset spans it all; what lies
 * between segments is held without access:
 *
 *   first mmap   |R===================================================|
 *   mprotect          |---------------------------------|
 *   then              |RX====|           |RW===|bss=====|
 *   result       |R===|RX====|-----------|RW===|bss=====|
 *
 * A library that cannot be mapped is an error for whoever needs it; one of
 * LD_PRELOAD is left out, and what was mapped of it stays.
 */
struct fate ldso_map(struct load *load, bool preloaded);

/*
 * What relocation leaves: elf/dl-reloc.c:_dl_relocate_object makes read-only
 * segments writable for DT_TEXTREL and then as they were, and
 * _dl_protect_relro makes PT_GNU_RELRO read-only, both ends rounded down.
 * For the program and for libraries alike.
 *
 * Not modelled: a program of which two segments hold the program headers. The
 * kernel's AT_PHDR is then of the last (fs/binfmt_elf.c), and the dynamic
 * linker, which computes its load address from it, protects other pages. Nor
 * what lies behind an image: a RELRO that reaches past its last page meets
 * whatever is there.
 */
struct fate ldso_relocate(struct load *load);

/*
 * Whether the dynamic linker protects its own RELRO: glibc 2.41 and later
 * always (commit c1560f3f75), before that only if some object has it in its
 * DT_NEEDED, as libc.so.6 has (elf/rtld.c:rtld_multiple_ref). @minor is 36 of 2.36.
 */
bool ldso_protects_itself(unsigned int minor, bool is_needed);
struct fate ldso_protect_itself(struct load *load);

/*
 * The RELRO of a static program, which start-up code of glibc 2.31 and later
 * applies after the entry point (elf/dl-support.c:_dl_non_dynamic_init).
 */
struct fate ldso_start_static(struct load *load);

#endif
