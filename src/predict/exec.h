/* src/predict/exec.h - execve: what the kernel makes of a program and its interpreter. */
#ifndef PREDICT_EXEC_H
#define PREDICT_EXEC_H

#include "predict/load.h"

/* The kernel's rules by the version that brought them. */
enum exec_kernel {
	/*
	 * Each PT_LOAD gets its own .bss, right after its file pages, in program and
	 * interpreter alike (fs/binfmt_elf.c:elf_load, commit 585a018627b4). Only
	 * this kernel is implemented; older ones keep two running maxima.
	 */
	EXEC_KERNEL_6_7,
};

struct exec_params {
	enum exec_kernel kernel;
	uint64_t dyn_base; /* where an ET_DYN with an interpreter goes: ELF_ET_DYN_BASE and its
			      random part; aligned to p_align here */
	int interp_errnum; /* why the interpreter cannot be opened; 0: it can */
	bool interp_unknown; /* it is not here to look at: only the program is loaded */
	bool foreign_too;  /* a program for another machine is loaded as its own kernel would */
};

/* Of no meaning beyond fate if that is FATE_REFUSED. */
struct exec_result {
	struct fate fate;
	uint64_t entry;	    /* runtime address of the first instruction */
	uint64_t start_brk; /* where [heap] would start, were it not random */
	bool brk_moved;	    /* ET_DYN without interpreter: the heap starts at ELF_ET_DYN_BASE */
	int stack_prot;	    /* of [stack] */
	/* Of program and interpreter: mmap has chosen the place, and the file's own file system can
	 * want another even without randomization, a multiple of 2 MiB (mm/huge_memory.c:
	 * thp_get_unmapped_area). */
	bool program_unsure, interp_unsure;
};

/*
 * Below which address mmap puts what has no place of its own: the stack has
 * room for @stack_limit bytes (RLIMIT_STACK, UINT64_MAX for none) and its guard
 * above, but no less than 128 MiB and no more than five sixths of all
 * (arch/x86/mm/mmap.c:mmap_base, since 4.14, without randomization).
 */
uint64_t exec_mmap_base(const struct space_limits *limits, uint64_t stack_limit);

/*
 * The numbers of an x86 process without address space randomization and with a
 * stack of the usual size, for a program of @elf's class
 * (arch/x86/include/asm/elf.h, page_64_types.h). On other machines they are as
 * good as any base that is only named.
 */
void exec_defaults(const struct segmap_elf *elf, uint64_t page_size, struct space_limits *limits,
		   struct exec_params *params);

/*
 * Replay fs/binfmt_elf.c:load_elf_binary for @program and @interp (NULL: the
 * program has none, or it cannot be read) on an empty space; sets their biases
 * and the space's read_implies_exec. When the program is killed, the space has
 * what was mapped until then.
 */
void exec_program(const struct exec_params *params, struct load *program, struct load *interp,
		  struct exec_result *ret);

#endif
