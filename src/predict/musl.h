/* src/predict/musl.h - musl's dynamic linker: how it maps libraries and protects what is loaded. */
#ifndef PREDICT_MUSL_H
#define PREDICT_MUSL_H

#include "predict/load.h"

/*
 * Map a library (ldso/dynlink.c:map_library); sets its bias. One mapping of the
 * lowest segment's permissions and offset spans it all, and stays wherever no
 * other segment is laid over it, in holes too. The span is too long by the
 * lowest segment's offset. Others are mapped from the file up to p_memsz; only
 * if writable do segments get anonymous pages past p_filesz. With DT_TEXTREL
 * all of it stays rwx. Then what readable and writable segments leave of their
 * first and last page is cleared for malloc (reclaim_gaps), which kills the
 * process where another segment has that page and it is not writable; not for
 * an object whose program headers no segment maps.
 */
struct fate musl_map(struct load *load, bool preloaded);

/*
 * RELRO, both ends rounded down (ldso/dynlink.c:reloc_all); for the program,
 * libraries, and libc.so itself where one of them needs it: only then is it
 * relocated a second time. Static programs have none.
 */
struct fate musl_relocate(struct load *load);

#endif
