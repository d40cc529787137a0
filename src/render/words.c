/* src/render/words.c - the words for each enum: those of the JSON schema. */
#include "render/words.h"
#include <string.h>

const char *word_of_kind(enum segmap_kind kind)
{
	static const char *const words[] = {
		[SEGMAP_KIND_SEGMENT] = "segment", [SEGMAP_KIND_RELRO] = "relro",
		[SEGMAP_KIND_BSS] = "bss",	   [SEGMAP_KIND_GAP] = "gap",
		[SEGMAP_KIND_REMAPPED] = "remapped", [SEGMAP_KIND_ALIAS] = "alias",
		[SEGMAP_KIND_FILE] = "file",	   [SEGMAP_KIND_HEAP] = "heap",
		[SEGMAP_KIND_STACK] = "stack",	   [SEGMAP_KIND_VDSO] = "vdso",
		[SEGMAP_KIND_VVAR] = "vvar",	   [SEGMAP_KIND_VSYSCALL] = "vsyscall",
		[SEGMAP_KIND_SHM] = "shm",	   [SEGMAP_KIND_DEVICE] = "device",
		[SEGMAP_KIND_ANON] = "anon",	   [SEGMAP_KIND_OTHER] = "other",
	};

	return words[kind];
}

const char *word_of_piece(enum segmap_piece_kind kind)
{
	static const char *const words[] = {
		[SEGMAP_PIECE_SECTION] = "section", [SEGMAP_PIECE_EHDR] = "ehdr",
		[SEGMAP_PIECE_PHDRS] = "phdrs",	    [SEGMAP_PIECE_SHDRS] = "shdrs",
		[SEGMAP_PIECE_PART] = "part",	    [SEGMAP_PIECE_PADDING] = "padding",
		[SEGMAP_PIECE_SPILL] = "spill",	    [SEGMAP_PIECE_GAP] = "gap",
		[SEGMAP_PIECE_ANON] = "anon",
	};

	return words[kind];
}

const char *word_of_class(enum segmap_class class)
{
	static const char *const words[] = {
		[SEGMAP_CLASS_CODE] = "code",	[SEGMAP_CLASS_RODATA] = "rodata",
		[SEGMAP_CLASS_RELRO] = "relro", [SEGMAP_CLASS_DATA] = "data",
		[SEGMAP_CLASS_BSS] = "bss",	[SEGMAP_CLASS_OTHER] = "other",
	};

	return words[class];
}

const char *word_of_role(enum segmap_role role)
{
	static const char *const words[] = {
		[SEGMAP_ROLE_PROGRAM] = "program", [SEGMAP_ROLE_INTERPRETER] = "interpreter",
		[SEGMAP_ROLE_LIBRARY] = "library", [SEGMAP_ROLE_VDSO] = "vdso",
		[SEGMAP_ROLE_ALIAS] = "alias",
	};

	return words[role];
}

const char *word_of_status(enum segmap_status status)
{
	static const char *const words[] = {
		[SEGMAP_STATUS_OK] = "ok",
		[SEGMAP_STATUS_DELETED] = "deleted",
		[SEGMAP_STATUS_REPLACED] = "replaced",
		[SEGMAP_STATUS_REWRITTEN] = "rewritten",
		[SEGMAP_STATUS_TRUNCATED] = "truncated",
		[SEGMAP_STATUS_UNREADABLE] = "unreadable",
		[SEGMAP_STATUS_MALFORMED] = "malformed",
	};

	return words[status];
}

const char *word_of_opened(enum segmap_opened opened)
{
	static const char *const words[] = {
		[SEGMAP_OPENED_NOT] = NULL,	  [SEGMAP_OPENED_MAP_FILES] = "map_files",
		[SEGMAP_OPENED_EXE] = "exe",	  [SEGMAP_OPENED_FD] = "fd",
		[SEGMAP_OPENED_ROOT] = "root",	  [SEGMAP_OPENED_PATH] = "path",
		[SEGMAP_OPENED_MEMORY] = "memory", [SEGMAP_OPENED_CORE] = "core",
		[SEGMAP_OPENED_SELF] = "self",
	};

	return words[opened];
}

const char *word_of_sections(enum segmap_sections_from from)
{
	static const char *const words[] = {
		[SEGMAP_SECTIONS_HEADERS] = "headers",
		[SEGMAP_SECTIONS_PARTS] = "parts",
		[SEGMAP_SECTIONS_NONE] = "none",
	};

	return words[from];
}

const char *word_of_source(enum segmap_source source)
{
	static const char *const words[] = {
		[SEGMAP_SOURCE_PROCESS] = "process", [SEGMAP_SOURCE_RUN] = "run",
		[SEGMAP_SOURCE_MAPS] = "maps",	     [SEGMAP_SOURCE_CORE] = "core",
		[SEGMAP_SOURCE_PREDICTION] = "prediction",
	};

	return words[source];
}

const char *words_of_vm_flag(const char *flag)
{
	/* proc_pid_smaps(5), Linux Documentation/filesystems/proc.rst */
	static const struct {
		char flag[3];
		const char *words;
	} rows[] = {
		{ "rd", "readable" },		 { "wr", "writable" },
		{ "ex", "executable" },		 { "sh", "shared" },
		{ "mr", "may be readable" },	 { "mw", "may be writable" },
		{ "me", "may be executable" },	 { "ms", "may be shared" },
		{ "gd", "grows down" },		 { "pf", "page frames without bookkeeping" },
		{ "dw", "writing denied" },	 { "lo", "locked in memory" },
		{ "io", "device memory" },	 { "sr", "read in sequence" },
		{ "rr", "read at random" },	 { "dc", "not copied by fork" },
		{ "de", "cannot be expanded" },	 { "lf", "locked when touched" },
		{ "ac", "accounted" },		 { "nr", "no swap reserved" },
		{ "ht", "hugetlbfs" },		 { "sf", "faults are synchronous" },
		{ "ar", "of this architecture" }, { "wf", "zeros after fork" },
		{ "dd", "not in core dumps" },	 { "sd", "soft-dirty" },
		{ "mm", "mixed with page frames" }, { "hg", "huge pages wanted" },
		{ "nh", "no huge pages" },	 { "mg", "same pages may be merged" },
		{ "bt", "branch targets guarded" }, { "mt", "memory tags" },
		{ "um", "userfaultfd: missing" }, { "uw", "userfaultfd: write-protected" },
		{ "ui", "userfaultfd: minor" },	 { "ss", "shadow stack" },
		{ "sl", "sealed" },		 { "dp", "may be dropped" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].flag, flag) == 0)
			return rows[i].words;
	return flag;
}

const char *word_of_moment(enum segmap_moment moment)
{
	static const char *const words[] = {
		[SEGMAP_MOMENT_NONE] = NULL,	 [SEGMAP_MOMENT_EXEC] = "exec",
		[SEGMAP_MOMENT_ENTRY] = "entry", [SEGMAP_MOMENT_EXIT] = "exit",
	};

	return words[moment];
}

const char *word_of_base(enum segmap_base base)
{
	static const char *const words[] = {
		[SEGMAP_BASE_NONE] = NULL,   [SEGMAP_BASE_IMAGE] = "image",
		[SEGMAP_BASE_HEAP] = "heap", [SEGMAP_BASE_STACK] = "stack",
		[SEGMAP_BASE_MMAP] = "mmap",
	};

	return words[base];
}

const char *words_of_outcome(const struct segmap_outcome *outcome)
{
	bool killed = strncmp(outcome->error, "SIG", 3) == 0;

	if (outcome->by == SEGMAP_ACTOR_KERNEL)
		return killed ? "the kernel will kill it" : "the kernel will refuse it";
	return killed ? "it will die in the dynamic linker" : "the dynamic linker will give up";
}

const char *word_of_page(enum segmap_page_state page)
{
	static const char *const words[] = {
		[SEGMAP_STATE_UNKNOWN] = NULL,	  [SEGMAP_STATE_ABSENT] = "absent",
		[SEGMAP_STATE_FILE] = "file",	  [SEGMAP_STATE_PRIVATE] = "private",
		[SEGMAP_STATE_SWAPPED] = "swapped", [SEGMAP_STATE_ZERO] = "zero",
	};

	return words[page];
}
