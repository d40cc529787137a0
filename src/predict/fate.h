/* src/predict/fate.h - what becomes of a program, and why. */
#ifndef PREDICT_FATE_H
#define PREDICT_FATE_H

#include <stdint.h>

enum fate_end {
	FATE_GOES_ON,
	FATE_REFUSED, /* execve returns errnum; whoever called it lives on */
	FATE_KILLED,  /* by signal: execve had gone too far to return, or a page is not there */
	FATE_EXITS,   /* the dynamic linker gives up, with a message and exit status 127 */
	FATE_LEFT_OUT, /* of a preloaded library: the dynamic linker says so and goes on */
};

/* Why; the segment is the one that it is about. */
enum fate_reason {
	FATE_NO_REASON,
	FATE_FOREIGN,		/* e_machine or byte order is not this machine's: ENOEXEC */
	FATE_BAD_INTERP_PATH,	/* PT_INTERP is no string of 1 to 4095 bytes: ENOEXEC */
	FATE_NO_INTERP,		/* the interpreter cannot be opened: the errnum that was given */
	FATE_INTERP_FOREIGN,	/* it is no ELF file for this machine: ELIBBAD */
	FATE_INTERP_NO_LOAD,	/* it has no PT_LOAD: EINVAL */
	FATE_UNALIGNED_OFF,	/* p_offset and p_vaddr differ within the page */
	FATE_FILESZ_OVER_MEMSZ, /* p_filesz > p_memsz */
	FATE_OUT_OF_RANGE,	/* its pages or its entry are no addresses of a process */
	FATE_NOT_MAPPED,	/* mmap or brk failed: errnum */
	FATE_ZERO_PAST_EOF,	/* .bss begins in a page that the file does not reach */
	FATE_NOT_WRITABLE,	/* musl: the rest of a writable segment's page is not writable */
	FATE_NO_LOAD,		/* a library without PT_LOAD */
	FATE_NO_DYNAMIC,	/* a library without PT_DYNAMIC, or with an empty one */
	FATE_NOT_A_LIBRARY,	/* ET_EXEC */
	FATE_ORDER,		/* glibc: the last PT_LOAD begins before the first one's end */
	FATE_RELRO_NOT_MAPPED,	/* PT_GNU_RELRO reaches over pages that are not there */
	FATE_TEXTREL_NOT_MAPPED,
};

struct fate {
	enum fate_end end;
	enum fate_reason reason;
	int errnum;	 /* errno value; 0 if there is none */
	int signal;	 /* FATE_KILLED: the signal */
	int32_t segment; /* index in the ELF object's segments; -1 for none */
};

#endif
