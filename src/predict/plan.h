/* src/predict/plan.h - which files will be loaded, in which order, and why each of them. */
#ifndef PREDICT_PLAN_H
#define PREDICT_PLAN_H

#include <segmap/world.h>

/* Whose rules apply after execve. */
enum plan_libc {
	PLAN_LIBC_STATIC,  /* no dynamic linker */
	PLAN_LIBC_GLIBC,
	PLAN_LIBC_MUSL,
	PLAN_LIBC_UNKNOWN, /* an interpreter that is neither: libraries cannot be predicted */
};

struct plan_object {
	struct segmap_world_file file; /* .elf is never NULL */
	char *name;  /* as it was asked for: a DT_NEEDED or a word of LD_PRELOAD; owned */
	char *found; /* how it was found, a phrase: "RUNPATH $ORIGIN/../lib of prog",
			"LD_LIBRARY_PATH /opt/lib", "ld.so.cache", "default directory /lib",
			"its name has a slash", "LD_PRELOAD", "/etc/ld.so.preload"; owned; NULL for
			the program and its interpreter */
	int32_t needed_by; /* index of the object that asks for it; -1: none does */
	bool preloaded;
};

/* A library that is not found, or is found and cannot be taken. */
struct plan_missing {
	char *name;	   /* as it was asked for; owned */
	char *why;	   /* "no file of this name in RUNPATH …, ld.so.cache, …"; owned */
	int32_t needed_by; /* -1: preloaded, which is only left out, with a message */
};

/*
 * Zero-initialize, free with plan_free(). objects[0] is the program (or the
 * library that is explained), objects[1] its interpreter if it has one, and the
 * libraries follow in the order in which they are mapped. A library that is
 * explained has no interpreter there: whoever loads it has one, whose file is
 * only read for its rules.
 */
struct plan {
	enum plan_libc libc;
	unsigned int glibc_minor; /* 36 of 2.36; 0: unknown */
	bool has_interpreter;	  /* objects[1] is the interpreter */
	bool interpreter_is_needed; /* it is in the DT_NEEDED of some object; for musl as libc */
	bool bind_now, secure;
	bool stack_needs_exec; /* some library's PT_GNU_STACK makes the dynamic linker turn the stack
				  executable (see plan.c for the versions' rules) */
	size_t stack_object; /* that library's, where stack_needs_exec; 0: a tunable does */
	struct plan_object *objects;
	size_t n_objects, cap_objects;
	struct plan_missing *missing;
	size_t n_missing, cap_missing;
	char **notes; /* what a reader should know: LD_PRELOAD ignored and why, a tunable honoured… */
	size_t n_notes, cap_notes;
	char *refused; /* the dynamic linker gives up although all libraries are there (a symbol
			  version that is missing, say): why; NULL; owned */
};

struct plan_options {
	bool is_library; /* the file is explained as a library: its own DT_NEEDED, no program */
	bool no_deps;	 /* only the program and its interpreter */
	bool foreign;	 /* it is of another machine: nothing of this one's environment applies */
};

/*
 * Find what @program, already open, needs, as its dynamic linker would: glibc
 * (elf/dl-load.c:_dl_map_object, elf/dl-deps.c, elf/dl-cache.c, elf/rtld.c) or
 * musl (ldso/dynlink.c:load_library). Nothing is executed. The interpreter is
 * opened by PT_INTERP; *@interp_errnum says why where it cannot be, else it
 * becomes 0.
 *
 * ELF objects must have been parsed with SEGMAP_WANT_SONAME and
 * SEGMAP_WANT_LINKING. *@ret must be zero-initialized; on error it is empty.
 *
 * The error is for memory, or a count out of bounds; what is missing is no error.
 */
SEGMAP_MUST_CHECK struct segmap_error *plan_make(const struct segmap_world *world,
						 const struct plan_options *options,
						 const struct segmap_world_file *program,
						 int *interp_errnum, struct plan *ret);
void plan_free(struct plan *plan);

#endif
