/* include/segmap/trace.h - the system calls by which a program's memory came about. */
#ifndef SEGMAP_TRACE_H
#define SEGMAP_TRACE_H

#include <segmap/call.h>
#include <segmap/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct segmap_layout;

/* What a call is for. Of a call that is predicted, the prediction says it. */
enum segmap_purpose {
	SEGMAP_PURPOSE_UNKNOWN,	  /* no segment explains it */
	SEGMAP_PURPOSE_PREDICTED, /* see the predicted call */
	SEGMAP_PURPOSE_PROGRAM,	  /* execve: the kernel loads the program */
	SEGMAP_PURPOSE_CACHE,	  /* ld.so.cache: where libraries are */
	SEGMAP_PURPOSE_THREAD,	  /* the main thread's descriptor is in it (set_tid_address(2)), and
				     TLS with it */
	SEGMAP_PURPOSE_LINKER,	  /* the dynamic linker's own memory: its code makes the call */
	SEGMAP_PURPOSE_IMAGE,	  /* a part of an ELF object that is not predicted */
	SEGMAP_PURPOSE_HEAP_END,  /* brk: asks where the heap ends */
	SEGMAP_PURPOSE_HEAP,	  /* brk: moves the end of the heap */
	SEGMAP_PURPOSE_STACK,	  /* of a thread (MAP_STACK), or a part of it */
	SEGMAP_PURPOSE_GUARD,	  /* pages without access that nothing else explains */
	SEGMAP_PURPOSE_FILE,	  /* a file that is no ELF object of the map */
	SEGMAP_PURPOSE_CALLER,	  /* memory for the image whose code makes the call */
};

/*
 * One call, as it was made. read/ fills in what the kernel says of it,
 * correlation what it means. Ranges are runtime addresses, [start, end).
 */
struct segmap_traced {
	enum segmap_call_name name;
	/*
	 * What it is about, in whole pages as the kernel rounds it. mmap, mremap: where it came to
	 * lie, or what was asked for if it failed. brk: what the heap has won or lost; empty, at its
	 * end, if nothing. execve: 0, 0.
	 */
	uint64_t start, end;
	int prot, flags;    /* PROT_* of mmap and mprotect; MAP_* of mmap */
	uint64_t off;	    /* bytes into the file; 0 if anonymous */
	bool anonymous;	    /* mmap: of no file */
	uint64_t result;    /* 0 if it failed */
	int errnum;	    /* of a call that failed; else 0 */
	uint64_t counter;   /* address of the instruction behind the call */
	char *file;	    /* of mmap and execve: which, raw; owned; NULL for none or unknown */
	dev_t st_dev;	    /* of that file, as fstat says */
	ino_t st_ino;	    /* 0: unknown */

	/* From here on by segmap_layout_take_trace(). */
	enum segmap_actor actor;
	enum segmap_purpose purpose;
	int32_t image;	   /* in the layout's images: that it is about, or that asks for it; -1 */
	int32_t segment;   /* index in that image's ELF object's segments; -1 */
	int32_t predicted; /* index in the prediction's calls; -1: none is this one */
	int32_t undoes;	   /* index of the call whose mapping it changes or removes; -1 */
};

struct segmap_trace {
	struct segmap_traced *calls; /* in the order in which they were made */
	size_t n_calls, cap_calls;
	uint64_t thread; /* address that set_tid_address(2) was given; 0: it was not called */
	bool incomplete; /* there was no memory for all of them */

	/* From here on by segmap_layout_take_trace(). */
	struct segmap_layout *prediction; /* NULL: there is none; owned */
	bool *made;	     /* for each predicted call whether it was made */
	size_t n_predicted;  /* system calls of user space that the prediction has */
	size_t n_made;	     /* of these, that were made */
	size_t n_more;	     /* calls that were made and are not predicted, execve apart */
};

SEGMAP_API void segmap_trace_free(struct segmap_trace *trace);

/*
 * Find out what each call of @trace is for, and make it part of @layout, the
 * correlated map at the entry point. @prediction, correlated, is of the same program at
 * its entry point, or NULL. Both are taken, also on error. Pure.
 *
 * A predicted call was made if there is one of the same name, range, permissions,
 * and offset, once it is known where its image is: from what the kernel has loaded, and for a
 * library from the mapping of its file that begins it. What lies around an aligned
 * place is left to chance, so that it need not be made.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_layout_take_trace(struct segmap_layout *layout, struct segmap_trace *trace,
			 struct segmap_layout *prediction);

/* Whether @call is a system call of user space, and has to be made where it is predicted. */
static inline bool segmap_call_must_be_made(const struct segmap_call *call)
{
	return call->actor != SEGMAP_ACTOR_KERNEL && call->name != SEGMAP_CALL_ZERO &&
	       call->name != SEGMAP_CALL_MAP && call->reason != SEGMAP_REASON_ALIGN_REST;
}

#endif
