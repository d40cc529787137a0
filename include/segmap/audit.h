/* include/segmap/audit.h - what is not as the files promise. */
#ifndef SEGMAP_AUDIT_H
#define SEGMAP_AUDIT_H

#include <segmap/layout.h>

/*
 * First what has to be read of a process beside its map: the evidence. It is
 * opened with the process (SEGMAP_WANT_AUDIT) and read, with pread(2) alone, when
 * it is known what its VMAs are. Nothing of the process is changed or stopped, and no page
 * is read that is not in memory.
 */

enum { SEGMAP_ALTERED_CONTEXT = 16, SEGMAP_ALTERED_BYTES = 64 };

/* Bytes of a file's page, not to be written to, that are other ones in the process's memory. */
struct segmap_altered {
	uint64_t start, end; /* runtime addresses, [start, end), of such bytes */
	uint64_t n_bytes;    /* so many of them differ: what lies between them can be the file's */
	uint64_t off;	     /* bytes into the file, of start */
	uint32_t piece;	     /* index in the layout's pieces */
	bool relocated;	     /* every one of them is of a DT_TEXTREL relocation */
	/* What is at @context and behind it, a little before start: n of each. */
	uint64_t context;
	size_t n_context;
	unsigned char in_file[SEGMAP_ALTERED_BYTES], in_memory[SEGMAP_ALTERED_BYTES];
	char *symbol; /* that holds start, raw; owned; NULL: none, or it was not looked for */
	uint64_t symbol_off; /* bytes from the symbol's start to start */
};

/* An entry of the dynamic linker's own list of what it has loaded: struct link_map. */
struct segmap_linked_object {
	uint64_t bias;	  /* l_addr */
	uint64_t dynamic; /* l_ld: runtime address */
	char *name;	  /* l_name, raw, cut short if very long; owned; NULL: it could not be read */
};

enum segmap_list_state {
	SEGMAP_LIST_NONE,     /* no dynamic linker, or it is not known where its list is */
	SEGMAP_LIST_NOT_YET,  /* the dynamic linker has not made it yet */
	SEGMAP_LIST_CHANGING, /* it is adding to it or removing from it just now */
	SEGMAP_LIST_BROKEN,   /* it does not end, or leads to where nothing is */
	SEGMAP_LIST_READ,
};

/* A breakpoint that the kernel is told of in tracefs: uprobe_events. */
struct segmap_probe {
	char *path; /* raw; owned */
	uint64_t off; /* bytes into the file */
};

/* Code that the process itself says that it has made: perf-PID.map. */
struct segmap_generated {
	uint64_t start, end; /* runtime addresses, [start, end) */
};

/* Owned by the layout. */
struct segmap_evidence {
	int mem, pagemap, maps; /* descriptors; -1: not open */
	int listing;	  /* of the process's perf-PID.map; -1: it has none */
	int mem_errno;	  /* why one of them is not open; 0 */
	int tracer;	  /* pid of who traces it; 0: nobody, or it is not known */
	struct segmap_probe *probes;
	size_t n_probes, cap_probes;

	/* From here on by segmap_layout_gather(). */
	struct segmap_generated *generated; /* ascending by start */
	size_t n_generated, cap_generated;
	bool compared;	    /* private pages were looked for and compared */
	uint64_t n_private; /* pages that are private copies, and could be compared */
	uint64_t n_swapped; /* pages that could not be: they are in swap */
	uint64_t n_unread;  /* nor could these: the file, or the memory, could not be read */
	struct segmap_altered *altered; /* ascending by start, for each VMA by piece */
	size_t n_altered, cap_altered;
	bool cut_short; /* there is more that differs than is told */
	enum segmap_list_state list;
	bool list_has_next; /* it has the lists of other namespaces too: glibc 2.35 */
	struct segmap_linked_object *linked; /* in the list's order */
	size_t n_linked, cap_linked;
};

/*
 * Read what an audit of @layout, correlated, asks for, if the process was opened with
 * SEGMAP_WANT_AUDIT. What cannot be read is no error but a note of the layout. Takes some 60 ms
 * longer where the dynamic linker's list is not as the map is, to see whether that stays so.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_layout_gather(struct segmap_layout *layout);

/* Find the symbols of bytes that differ; libdw is loaded if there are any. Without it: a note. */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_layout_name_altered(struct segmap_layout *layout);

SEGMAP_API void segmap_evidence_free(struct segmap_evidence *evidence);

/*
 * Then what is to be said of it: findings. What each means, when it is harmless
 * and how sure it is stands in docs/audit.md.
 */
enum segmap_finding_id {
	SEGMAP_FINDING_TEXT_HOOK,
	SEGMAP_FINDING_TEXT_MODIFIED,
	SEGMAP_FINDING_TEXT_BREAKPOINT,
	SEGMAP_FINDING_TEXT_UPROBE,
	SEGMAP_FINDING_TEXT_RELOCATED,
	SEGMAP_FINDING_RODATA_MODIFIED,
	SEGMAP_FINDING_HEADERS_MODIFIED,
	SEGMAP_FINDING_IMAGE_UNLISTED,
	SEGMAP_FINDING_LISTED_NOT_MAPPED,
	SEGMAP_FINDING_LIST_BROKEN,
	SEGMAP_FINDING_RELRO_NOT_APPLIED,
	SEGMAP_FINDING_TEXT_WRITABLE,
	SEGMAP_FINDING_DATA_EXECUTABLE,
	SEGMAP_FINDING_PERMS_DRIFT,
	SEGMAP_FINDING_READ_IMPLIES_EXEC,
	SEGMAP_FINDING_STACK_EXECUTABLE,
	SEGMAP_FINDING_WX_VMA,
	SEGMAP_FINDING_ANON_EXECUTABLE,
	SEGMAP_FINDING_FILE_EXECUTABLE,
	SEGMAP_FINDING_TEXT_ANONYMOUS,
	SEGMAP_FINDING_IMAGE_IN_MEMORY,
	SEGMAP_FINDING_FILE_REPLACED,
	SEGMAP_FINDING_FILE_DELETED,
	SEGMAP_FINDING_FILE_REWRITTEN,
	SEGMAP_FINDING_FILE_TRUNCATED,
	SEGMAP_FINDING_HEADER_MISLEADS,
	SEGMAP_FINDING_NO_PIE,
	SEGMAP_FINDING_RELRO_ABSENT,
	SEGMAP_FINDING_TEXTREL,
	SEGMAP_FINDING_STACK_ASKED,
	SEGMAP_FINDING_RUNPATH_RELATIVE,
	SEGMAP_FINDING_RELRO_PARTIAL,
	SEGMAP_FINDING_NO_BIND_NOW,
	SEGMAP_N_FINDING_IDS,
};

enum segmap_severity {
	SEGMAP_SEVERITY_INFO, /* as linkers leave it by default, or known to be ordinary: nothing is
				 out of order */
	SEGMAP_SEVERITY_LOW,  /* a file promises little, or has changed beside the process */
	SEGMAP_SEVERITY_MEDIUM, /* memory allows what it should not */
	SEGMAP_SEVERITY_HIGH, /* what runs is not what the file holds, or is hidden */
};

enum segmap_confidence {
	SEGMAP_CONFIDENCE_POSSIBLE, /* this is one explanation of what was seen, among others */
	SEGMAP_CONFIDENCE_LIKELY,   /* the usual explanation */
	SEGMAP_CONFIDENCE_CERTAIN,  /* it was seen */
};

/* Texts are raw, since they can hold names of files. */
struct segmap_finding {
	enum segmap_finding_id id;
	enum segmap_severity severity;
	enum segmap_confidence confidence;
	uint64_t start, end; /* the layout's own addresses, [start, end); 0, 0: no range */
	int64_t vma;	     /* index in VMAs that holds start; -1 */
	int32_t image;	     /* index in images; -1 */
	const char *section; /* borrowed from the layout; NULL */
	const struct segmap_altered *altered; /* bytes that it is about; borrowed; NULL */
	char *expected, *actual; /* owned; NULL */
	char *reason;		 /* one sentence, what is there; owned */
	const char *benign;	 /* when that is harmless; constant; NULL: there is no such case */
};

/* Most severe first, then by image and address. Owned by the layout. */
struct segmap_audit {
	struct segmap_finding *findings;
	size_t n_findings, cap_findings;
	size_t n_serious; /* of these, that are more than information */
};

/*
 * Judge @layout, correlated, by its files and its evidence, if it has any: into
 * @layout->audit. Pure.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_layout_audit(struct segmap_layout *layout);

SEGMAP_API void segmap_audit_free(struct segmap_audit *audit);

/* The words of the JSON schema: "text-hook", "high", "certain". */
SEGMAP_API const char *segmap_finding_word(enum segmap_finding_id id);
SEGMAP_API const char *segmap_severity_word(enum segmap_severity severity);
SEGMAP_API const char *segmap_confidence_word(enum segmap_confidence confidence);

#endif
