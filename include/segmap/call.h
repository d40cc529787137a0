/* include/segmap/call.h - one thing that is done to an address space, and why. */
#ifndef SEGMAP_CALL_H
#define SEGMAP_CALL_H

#include <segmap/error.h>
#include <stdbool.h>
#include <stdint.h>

/* Who does it. */
enum segmap_actor {
	SEGMAP_ACTOR_KERNEL,  /* in execve */
	SEGMAP_ACTOR_LDSO,    /* the dynamic linker, before the program's first instruction */
	SEGMAP_ACTOR_STARTUP, /* a static program's own start-up code, after its entry point */
	SEGMAP_ACTOR_PROGRAM,
};

enum segmap_call_name {
	SEGMAP_CALL_MAP,  /* the kernel's own mapping: no system call */
	SEGMAP_CALL_ZERO, /* bytes of a page are overwritten with zeros: no system call */
	SEGMAP_CALL_MMAP,
	SEGMAP_CALL_MUNMAP,
	SEGMAP_CALL_MPROTECT,
	SEGMAP_CALL_MREMAP,
	SEGMAP_CALL_BRK,
	SEGMAP_CALL_EXECVE,
};

enum { SEGMAP_CALL_NUMBERS = 4 };

/*
 * Why it is done. Behind each reason stand the numbers that a sentence about
 * it needs, in the order in which segmap_call.numbers has them; segment is the
 * PT_LOAD or PT_GNU_RELRO that they are of, where there is one.
 */
enum segmap_reason {
	/* Room for the whole image: bytes of room, lowest vaddr, highest vaddr (exclusive). */
	SEGMAP_REASON_SPAN,
	/* The room past the first segment's file pages is given back: bytes, the first's p_filesz. */
	SEGMAP_REASON_SPAN_REST,
	/* Room in which an alignment can be found: bytes, p_align. */
	SEGMAP_REASON_ALIGN_ROOM,
	/* What lies around the aligned place is given back: bytes, p_align. */
	SEGMAP_REASON_ALIGN_REST,
	/* Whole pages hold the segment's file bytes: p_offset, p_vaddr, p_filesz, bytes by which
	 * offset and address were rounded down. */
	SEGMAP_REASON_FILE_PAGES,
	/* .bss begins in the segment's last file page: first zeroed vaddr, bytes, p_filesz, p_memsz. */
	SEGMAP_REASON_ZERO_TAIL,
	/* The same, but the page is not writable, so file bytes stay: the same numbers. */
	SEGMAP_REASON_JUNK_TAIL,
	/* The page is made writable for a moment to be zeroed, and then protected again: the same. */
	SEGMAP_REASON_TAIL_WRITABLE,
	SEGMAP_REASON_TAIL_RESTORED,
	/* The rest of p_memsz that no file holds: p_vaddr, p_filesz, p_memsz, prot of p_flags. */
	SEGMAP_REASON_BSS,
	/* Address space between segments is held without access: bytes, end of the first
	 * segment's pages, start of the last's (vaddr). */
	SEGMAP_REASON_HOLES,
	/* DT_TEXTREL: read-only segments are writable while relocated: p_vaddr, p_memsz, and
	 * the prot of p_flags. */
	SEGMAP_REASON_TEXTREL,
	SEGMAP_REASON_TEXTREL_DONE,
	/* Relocations are done: vaddr and end of PT_GNU_RELRO, bytes by which its start and its
	 * end were rounded down. */
	SEGMAP_REASON_RELRO,
	/* What a writable segment does not use of a page becomes heap: p_vaddr, p_memsz. */
	SEGMAP_REASON_DONATED,
	/*
	 * Room for the stack: bytes beyond the arguments, 1 if PT_GNU_STACK decided on prot, and
	 * RLIMIT_STACK if that leaves less room.
	 */
	SEGMAP_REASON_STACK,
	/* The library wants an executable stack; the range is a page of that: 1 if its PT_GNU_STACK
	 * says so, 0 if it has none. */
	SEGMAP_REASON_STACK_EXEC,
	/* The kernel's own pages: bytes. */
	SEGMAP_REASON_AREAS,
	/* The library cannot be loaded after all: bytes. */
	SEGMAP_REASON_GIVEN_UP,
	SEGMAP_N_REASONS,
};

/* Addresses are runtime addresses. Immutable once made; belongs to the list that it is in. */
struct segmap_call {
	enum segmap_actor actor;
	enum segmap_call_name name;
	uint64_t start, end; /* [start, end); page-aligned but for SEGMAP_CALL_ZERO */
	int prot;	     /* what is asked for, as PROT_*; of no meaning for munmap and zero */
	uint64_t off;	     /* bytes into the file of start; 0 if anonymous */
	bool anonymous;	     /* maps no file */
	int32_t image;	     /* index in the images of whoever made the calls; -1 for none: stack, vdso */
	int32_t segment;     /* index in the ELF object's segments; -1 for none */
	enum segmap_reason reason;
	uint64_t numbers[SEGMAP_CALL_NUMBERS]; /* see the reason; 0 where it has fewer */
	const char *source; /* where the rule stands, "file:function"; constant */
	int errnum;	    /* of a call that fails, an errno value; else 0 */
};

/*
 * Whether its range says something of where the image will be: room for an
 * alignment lies around the image by chance, in a prediction anywhere.
 */
static inline bool segmap_call_has_place(const struct segmap_call *call)
{
	return call->reason != SEGMAP_REASON_ALIGN_ROOM && call->reason != SEGMAP_REASON_ALIGN_REST;
}

/* The words of the JSON schema: "ld.so", "mprotect". */
SEGMAP_API const char *segmap_actor_word(enum segmap_actor actor);
SEGMAP_API const char *segmap_call_word(enum segmap_call_name name);

/* A word for @reason, "file-pages", and of its number @i, "p_filesz"; NULL if it has fewer. */
SEGMAP_API const char *segmap_reason_word(enum segmap_reason reason);
SEGMAP_API const char *segmap_reason_number(enum segmap_reason reason, unsigned int i);

#endif
