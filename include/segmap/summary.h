/* include/segmap/summary.h - what the memory of a process is made of, by file and by use. */
#ifndef SEGMAP_SUMMARY_H
#define SEGMAP_SUMMARY_H

#include <segmap/layout.h>

/* What a loaded file's memory is for. */
enum segmap_class {
	SEGMAP_CLASS_CODE,   /* of a PT_LOAD that is executable */
	SEGMAP_CLASS_RODATA, /* of one that can only be read */
	SEGMAP_CLASS_RELRO,  /* relocated, then made read-only */
	SEGMAP_CLASS_DATA,   /* writable, with bytes in the file */
	SEGMAP_CLASS_BSS,    /* writable, without */
	SEGMAP_CLASS_OTHER,  /* gaps; all that is of no loaded file */
};

enum segmap_summary_figure {
	SEGMAP_SUMMARY_SIZE,
	SEGMAP_SUMMARY_RSS,
	SEGMAP_SUMMARY_PSS,
	SEGMAP_SUMMARY_DIRTY,
	SEGMAP_SUMMARY_ANONYMOUS,
	SEGMAP_SUMMARY_PRIVATE,
	SEGMAP_SUMMARY_FILE,
	SEGMAP_SUMMARY_SWAP,
	SEGMAP_N_SUMMARY_FIGURES,
};

/* Bytes; SEGMAP_NO_FIGURE where a figure cannot be known exactly. */
struct segmap_summary_figures {
	uint64_t of[SEGMAP_N_SUMMARY_FIGURES];
};

/* One class of one file, or one kind of memory that is of no loaded file. */
struct segmap_summary_row {
	int32_t image; /* one that has the group's path; -1: the row is of a kind, or of a census */
	const char *path; /* of the file, as maps shows it; "[vdso]"; NULL: the row is of a kind.
			     Borrowed from the layout, or from the census */
	enum segmap_kind kind; /* of a row without a path */
	enum segmap_class class;
	enum segmap_status status; /* in a census: deleted or replaced in some process; else ok */
	uint64_t group;	  /* the same in all rows of one file or kind, of no other meaning */
	uint32_t processes; /* that have such memory; 1 unless in a census */
	struct segmap_summary_figures figures;
};

struct segmap_summary {
	struct segmap_summary_row *rows; /* the group with the most in memory first */
	size_t n_rows;
	struct segmap_summary_figures totals; /* of all VMAs, as smaps_rollup has them */
	size_t n_processes; /* 1 unless in a census */
};

/*
 * The class of @piece of @layout goes by its segment: what is mapped executable
 * is there for its code, whatever else the linker put beside it. RELRO is what
 * should be read-only in a segment that is writable. A piece without an image
 * is of class other.
 */
SEGMAP_API enum segmap_class segmap_piece_class(const struct segmap_layout *layout,
						const struct segmap_piece *piece);

/* Whether the pieces of VMA @vma belong to more than one file or class. */
SEGMAP_API bool segmap_vma_is_mixed(const struct segmap_layout *layout, size_t vma);

/*
 * Sum up the VMAs of @layout that overlap [@low, @high], both included. Its
 * pieces are accounted. Pure.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_layout_summarize(const struct segmap_layout *layout, uint64_t low, uint64_t high,
			struct segmap_summary *ret);
SEGMAP_API void segmap_summary_free(struct segmap_summary *summary);

#endif
