/* src/model/call.c - the words for calls and their reasons. */
#include <segmap/call.h>
#include <stddef.h>

static const char *const actors[] = {
	[SEGMAP_ACTOR_KERNEL] = "kernel",
	[SEGMAP_ACTOR_LDSO] = "ld.so",
	[SEGMAP_ACTOR_STARTUP] = "start-up",
	[SEGMAP_ACTOR_PROGRAM] = "program",
};

static const char *const names[] = {
	[SEGMAP_CALL_MAP] = "map",	     [SEGMAP_CALL_ZERO] = "zero",
	[SEGMAP_CALL_MMAP] = "mmap",	     [SEGMAP_CALL_MUNMAP] = "munmap",
	[SEGMAP_CALL_MPROTECT] = "mprotect", [SEGMAP_CALL_MREMAP] = "mremap",
	[SEGMAP_CALL_BRK] = "brk",	     [SEGMAP_CALL_EXECVE] = "execve",
};

#define TAIL { "vaddr", "bytes", "p_filesz", "p_memsz" }

static const struct {
	const char *word;
	const char *numbers[SEGMAP_CALL_NUMBERS];
} reasons[SEGMAP_N_REASONS] = {
	[SEGMAP_REASON_SPAN] = { "span", { "bytes", "lowest", "highest" } },
	[SEGMAP_REASON_SPAN_REST] = { "span-rest", { "bytes", "p_filesz" } },
	[SEGMAP_REASON_ALIGN_ROOM] = { "align-room", { "bytes", "p_align" } },
	[SEGMAP_REASON_ALIGN_REST] = { "align-rest", { "bytes", "p_align" } },
	[SEGMAP_REASON_FILE_PAGES] = { "file-pages", { "p_offset", "p_vaddr", "p_filesz",
						       "rounded" } },
	[SEGMAP_REASON_ZERO_TAIL] = { "zero-tail", TAIL },
	[SEGMAP_REASON_JUNK_TAIL] = { "junk-tail", TAIL },
	[SEGMAP_REASON_TAIL_WRITABLE] = { "tail-writable", TAIL },
	[SEGMAP_REASON_TAIL_RESTORED] = { "tail-restored", TAIL },
	[SEGMAP_REASON_BSS] = { "bss", { "p_vaddr", "p_filesz", "p_memsz", "prot" } },
	[SEGMAP_REASON_HOLES] = { "holes", { "bytes", "first_end", "last_start" } },
	[SEGMAP_REASON_TEXTREL] = { "textrel", { "p_vaddr", "p_memsz", "prot" } },
	[SEGMAP_REASON_TEXTREL_DONE] = { "textrel-done", { "p_vaddr", "p_memsz", "prot" } },
	[SEGMAP_REASON_RELRO] = { "relro", { "vaddr", "end", "start_rounded", "end_rounded" } },
	[SEGMAP_REASON_DONATED] = { "donated", { "p_vaddr", "p_memsz" } },
	[SEGMAP_REASON_STACK] = { "stack", { "bytes", "has_gnu_stack" } },
	[SEGMAP_REASON_STACK_EXEC] = { "stack-exec", { "has_gnu_stack" } },
	[SEGMAP_REASON_AREAS] = { "kernel-pages", { "bytes" } },
	[SEGMAP_REASON_GIVEN_UP] = { "given-up", { "bytes" } },
};

const char *segmap_actor_word(enum segmap_actor actor)
{
	return actors[actor];
}

const char *segmap_call_word(enum segmap_call_name name)
{
	return names[name];
}

const char *segmap_reason_word(enum segmap_reason reason)
{
	return reasons[reason].word;
}

const char *segmap_reason_number(enum segmap_reason reason, unsigned int i)
{
	return i < SEGMAP_CALL_NUMBERS ? reasons[reason].numbers[i] : NULL;
}
