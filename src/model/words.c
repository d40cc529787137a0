/* src/model/words.c - the words of documents. */
#include <segmap/words.h>
#include <segmap/layout.h>
#include <segmap/page_state.h>
#include <segmap/summary.h>
#include <string.h>

static const char *const kind_words[] = {
	[SEGMAP_KIND_SEGMENT] = "segment", [SEGMAP_KIND_RELRO] = "relro",
	[SEGMAP_KIND_BSS] = "bss",	   [SEGMAP_KIND_GAP] = "gap",
	[SEGMAP_KIND_REMAPPED] = "remapped", [SEGMAP_KIND_ALIAS] = "alias",
	[SEGMAP_KIND_FILE] = "file",	   [SEGMAP_KIND_HEAP] = "heap",
	[SEGMAP_KIND_STACK] = "stack",	   [SEGMAP_KIND_VDSO] = "vdso",
	[SEGMAP_KIND_VVAR] = "vvar",	   [SEGMAP_KIND_VSYSCALL] = "vsyscall",
	[SEGMAP_KIND_SHM] = "shm",	   [SEGMAP_KIND_DEVICE] = "device",
	[SEGMAP_KIND_ANON] = "anon",	   [SEGMAP_KIND_OTHER] = "other",
};

static const char *const piece_words[] = {
	[SEGMAP_PIECE_SECTION] = "section", [SEGMAP_PIECE_EHDR] = "ehdr",
	[SEGMAP_PIECE_PHDRS] = "phdrs",	    [SEGMAP_PIECE_SHDRS] = "shdrs",
	[SEGMAP_PIECE_PART] = "part",	    [SEGMAP_PIECE_PADDING] = "padding",
	[SEGMAP_PIECE_SPILL] = "spill",	    [SEGMAP_PIECE_GAP] = "gap",
	[SEGMAP_PIECE_ANON] = "anon",
};

static const char *const class_words[] = {
	[SEGMAP_CLASS_CODE] = "code",	[SEGMAP_CLASS_RODATA] = "rodata",
	[SEGMAP_CLASS_RELRO] = "relro", [SEGMAP_CLASS_DATA] = "data",
	[SEGMAP_CLASS_BSS] = "bss",	[SEGMAP_CLASS_OTHER] = "other",
};

static const char *const role_words[] = {
	[SEGMAP_ROLE_PROGRAM] = "program", [SEGMAP_ROLE_INTERPRETER] = "interpreter",
	[SEGMAP_ROLE_LIBRARY] = "library", [SEGMAP_ROLE_VDSO] = "vdso",
	[SEGMAP_ROLE_ALIAS] = "alias",
};

static const char *const status_words[] = {
	[SEGMAP_STATUS_OK] = "ok",
	[SEGMAP_STATUS_DELETED] = "deleted",
	[SEGMAP_STATUS_REPLACED] = "replaced",
	[SEGMAP_STATUS_REWRITTEN] = "rewritten",
	[SEGMAP_STATUS_TRUNCATED] = "truncated",
	[SEGMAP_STATUS_UNREADABLE] = "unreadable",
	[SEGMAP_STATUS_MALFORMED] = "malformed",
};

static const char *const opened_words[] = {
	[SEGMAP_OPENED_NOT] = NULL,	  [SEGMAP_OPENED_MAP_FILES] = "map_files",
	[SEGMAP_OPENED_EXE] = "exe",	  [SEGMAP_OPENED_FD] = "fd",
	[SEGMAP_OPENED_ROOT] = "root",	  [SEGMAP_OPENED_PATH] = "path",
	[SEGMAP_OPENED_MEMORY] = "memory", [SEGMAP_OPENED_CORE] = "core",
	[SEGMAP_OPENED_SELF] = "self",
};

static const char *const sections_words[] = {
	[SEGMAP_SECTIONS_HEADERS] = "headers",
	[SEGMAP_SECTIONS_PARTS] = "parts",
	[SEGMAP_SECTIONS_NONE] = "none",
};

static const char *const source_words[] = {
	[SEGMAP_SOURCE_PROCESS] = "process", [SEGMAP_SOURCE_RUN] = "run",
	[SEGMAP_SOURCE_MAPS] = "maps",	     [SEGMAP_SOURCE_CORE] = "core",
	[SEGMAP_SOURCE_PREDICTION] = "prediction",
};

static const char *const moment_words[] = {
	[SEGMAP_MOMENT_NONE] = NULL,	 [SEGMAP_MOMENT_EXEC] = "exec",
	[SEGMAP_MOMENT_ENTRY] = "entry", [SEGMAP_MOMENT_EXIT] = "exit",
};

static const char *const base_words[] = {
	[SEGMAP_BASE_NONE] = NULL,   [SEGMAP_BASE_IMAGE] = "image",
	[SEGMAP_BASE_HEAP] = "heap", [SEGMAP_BASE_STACK] = "stack",
	[SEGMAP_BASE_MMAP] = "mmap",
};

static const char *const page_words[] = {
	[SEGMAP_STATE_UNKNOWN] = NULL,	  [SEGMAP_STATE_ABSENT] = "absent",
	[SEGMAP_STATE_FILE] = "file",	  [SEGMAP_STATE_PRIVATE] = "private",
	[SEGMAP_STATE_SWAPPED] = "swapped", [SEGMAP_STATE_ZERO] = "zero",
};

static const char *const event_words[] = {
	[SEGMAP_EVENT_NONE] = NULL,	  [SEGMAP_EVENT_FIRST] = "first",
	[SEGMAP_EVENT_CHANGE] = "change", [SEGMAP_EVENT_EXEC] = "exec",
	[SEGMAP_EVENT_EXIT] = "exit",
};

struct words {
	const char *const *words;
	size_t n;
};

#define ALL_OF(array) { array, sizeof(array) / sizeof(array[0]) }

static const struct words all_words[] = {
	[SEGMAP_WORDS_KIND] = ALL_OF(kind_words),
	[SEGMAP_WORDS_PIECE] = ALL_OF(piece_words),
	[SEGMAP_WORDS_CLASS] = ALL_OF(class_words),
	[SEGMAP_WORDS_ROLE] = ALL_OF(role_words),
	[SEGMAP_WORDS_STATUS] = ALL_OF(status_words),
	[SEGMAP_WORDS_OPENED] = ALL_OF(opened_words),
	[SEGMAP_WORDS_SECTIONS] = ALL_OF(sections_words),
	[SEGMAP_WORDS_SOURCE] = ALL_OF(source_words),
	[SEGMAP_WORDS_MOMENT] = ALL_OF(moment_words),
	[SEGMAP_WORDS_BASE] = ALL_OF(base_words),
	[SEGMAP_WORDS_PAGE] = ALL_OF(page_words),
	[SEGMAP_WORDS_EVENT] = ALL_OF(event_words),
};

const char *segmap_word(enum segmap_words of, unsigned int value)
{
	return value < all_words[of].n ? all_words[of].words[value] : NULL;
}

int segmap_word_find(enum segmap_words of, const char *word)
{
	const struct words *words = &all_words[of];

	for (size_t i = 0; i < words->n; i++)
		if (words->words[i] && strcmp(words->words[i], word) == 0)
			return (int)i;
	return -1;
}
