/* include/segmap/memory.h - what VMAs and their pieces cost: the kernel's figures. */
#ifndef SEGMAP_MEMORY_H
#define SEGMAP_MEMORY_H

#include <segmap/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEGMAP_NO_FIGURE UINT64_MAX /* not known, or it does not apply */

/* Figures that segmap itself computes with; the others are passed through. */
enum segmap_known_figure {
	SEGMAP_FIGURE_RSS,
	SEGMAP_FIGURE_PSS,
	SEGMAP_FIGURE_SHARED_DIRTY,
	SEGMAP_FIGURE_PRIVATE_CLEAN,
	SEGMAP_FIGURE_PRIVATE_DIRTY,
	SEGMAP_FIGURE_ANONYMOUS,
	SEGMAP_FIGURE_SWAP,
	SEGMAP_FIGURE_SHARED_HUGETLB,
	SEGMAP_FIGURE_PRIVATE_HUGETLB,
	SEGMAP_N_KNOWN_FIGURES,
};

/* A field of smaps, whether this version has heard of it or not. */
struct segmap_figure {
	char *name;  /* as the kernel prints it: "Private_Dirty"; owned */
	size_t size; /* of the name, in bytes */
	char head[17]; /* how its line begins: name, colon, blanks up to sixteen bytes */
	bool bytes;  /* the kernel prints kB, and the values are bytes; else they are as printed */
	bool sums;   /* of several VMAs make sense */
};

/* A stretch of pages of one nature, see struct segmap_pages. */
struct segmap_page_run {
	uint64_t start; /* runtime address, page-aligned */
	uint32_t n_pages;
	uint32_t flags; /* SEGMAP_PAGE_… */
	uint32_t sharers; /* how often each is mapped on the whole machine; 0: unknown */
};

enum {
	SEGMAP_PAGE_PRESENT = 1 << 0, /* in memory, and counted in Rss */
	SEGMAP_PAGE_FILE = 1 << 1,    /* of a file or of shared memory; else anonymous */
	SEGMAP_PAGE_EXCLUSIVE = 1 << 2, /* mapped once on the whole machine */
	SEGMAP_PAGE_SWAPPED = 1 << 3,
	SEGMAP_PAGE_ZERO = 1 << 4, /* the kernel's one page of zeros: no memory of the process */
};

/* Pages that are present or swapped; the others are absent. Ascending, no overlap. */
struct segmap_pages {
	struct segmap_page_run *runs;
	size_t n_runs, cap_runs;
	bool known;	 /* they were asked for, and could be read */
	bool mixed_only; /* SEGMAP_PAGES_OF_MIXED */
	bool zero_known; /* else a page of zeros counts as present: Linux before 6.7 */
};

/*
 * Of a piece: how many of its own bytes lie on such pages. Bytes, so that the
 * pieces of a VMA add up to the VMA's figures.
 */
struct segmap_piece_memory {
	uint64_t rss;	      /* in memory; a page of zeros is not */
	uint64_t anonymous;   /* of those: no file's bytes, so private copies and .bss */
	uint64_t exclusive;   /* of rss: mapped by this process alone */
	uint64_t file;	      /* of rss: pages of a file */
	uint64_t swap;
	/* SEGMAP_NO_FIGURE where they cannot be known exactly: pss if others map some of its pages and
	 * how many is not known (only root is told), dirty if some of the VMA's pages are dirty and
	 * some not. */
	uint64_t pss, dirty;
};

enum { SEGMAP_MAX_FIGURES = 128, SEGMAP_MAX_VM_FLAGS = 64 };

/*
 * The figures of one layout, in arrays beside its VMAs and pieces: they exist
 * only where they were asked for. Owned by the layout.
 */
struct segmap_memory {
	struct segmap_figure figures[SEGMAP_MAX_FIGURES];
	size_t n_figures;
	int32_t known[SEGMAP_N_KNOWN_FIGURES]; /* indices in figures; -1: smaps has no such field */

	uint64_t *values; /* of VMA i: stride of them from i * stride on */
	size_t stride, n_rows, cap_rows;
	uint64_t *vm_flags; /* of each VMA, bits that are indices in flag_words; NULL: unknown */
	size_t cap_vm_flags, n_vm_flags;
	char flag_words[SEGMAP_MAX_VM_FLAGS][3];
	size_t n_flag_words;
	char last_flags[2][128]; /* what VmFlags said last, and what it means: often the same again */
	uint64_t last_bits[2];
	unsigned int oldest_flags;
	size_t next; /* the figure that the next line of smaps is expected to have */
	bool left_out; /* a field of smaps had no number, or there were too many */

	int pagemap; /* descriptor of the process's page map; -1: none */
	int pagemap_problem; /* errno of opening it */
	int kpagecount; /* descriptor: how often page frames are mapped, which only root is told; -1: none */
	struct segmap_pages pages; /* those that were asked for */
	struct segmap_piece_memory *pieces; /* of each of the layout's pieces; NULL: unknown */
	uint64_t rollup_rss, rollup_pss; /* of all VMAs, from smaps_rollup; SEGMAP_NO_FIGURE */
	unsigned char *about; /* of each VMA: its pieces do not add up to it; NULL: none */
};

/* Which figures are wanted. Those of VMAs come with the pages and the sum, asked for or not. */
enum {
	SEGMAP_WANT_FIGURES = 1 << 0, /* of VMAs, from smaps */
	SEGMAP_WANT_ALL_PAGES = 1 << 3, /* and so does who reads them all: SEGMAP_PAGES_OF_ALL */
	SEGMAP_WANT_ROLLUP = 1 << 2,  /* their sum by the kernel, from smaps_rollup */
	SEGMAP_WANT_PAGES = 1 << 1,   /* the page map stays open for segmap_layout_read_pages() */
	/* What a census adds up, and no more: no command line, threads, vdso, nor what became of
	 * a file since it was mapped but its being deleted or replaced. */
	SEGMAP_WANT_BRIEF = 1 << 4,
	SEGMAP_WANT_AUDIT = 1 << 5, /* what segmap_layout_gather() needs stays open (audit.h) */
	SEGMAP_WANT_STATES = 1 << 6, /* so does what segmap_page_state_at() needs (page_state.h) */
};

struct segmap_layout;

/* Which pages are to be read. */
enum segmap_pages_of {
	SEGMAP_PAGES_OF_IMAGES, /* of VMAs that have pieces */
	SEGMAP_PAGES_OF_ALL,
	SEGMAP_PAGES_OF_MIXED, /* of VMAs that belong to several files or classes: no other needs
				  them for a summary */
};

/* The index of the figure called @name as the kernel has it; -1 if there is none. */
SEGMAP_API int32_t segmap_memory_find(const struct segmap_memory *memory, const char *name);

/* Figure @figure of VMA @vma; SEGMAP_NO_FIGURE where smaps has none, or @figure is -1. */
static inline uint64_t segmap_memory_figure(const struct segmap_memory *memory, size_t vma,
					    int32_t figure)
{
	if (figure < 0 || vma >= memory->n_rows)
		return SEGMAP_NO_FIGURE;
	return memory->values[vma * memory->stride + (size_t)figure];
}

/* The same for one that segmap knows. */
static inline uint64_t segmap_memory_known(const struct segmap_memory *memory, size_t vma,
					   enum segmap_known_figure known)
{
	return segmap_memory_figure(memory, vma, memory->known[known]);
}

/*
 * Whether the pages of VMA @vma are left out: huge pages of hugetlbfs and page
 * frames without bookkeeping (device memory) are in no Rss, and in the page map
 * they would look like pages.
 */
SEGMAP_API bool segmap_memory_leaves_out(const struct segmap_memory *memory, size_t vma);

/* What pages there are in a cell of a strip. */
enum {
	SEGMAP_CELL_ABSENT = 1 << 0,
	SEGMAP_CELL_FILE = 1 << 1,    /* in memory, of a file or of shared memory */
	SEGMAP_CELL_PRIVATE = 1 << 2, /* in memory, anonymous */
	SEGMAP_CELL_SWAPPED = 1 << 3,
	SEGMAP_CELL_ZERO = 1 << 4, /* a page of zeros */
};

/*
 * The pages of [@start, @end) in at most @most cells of the same number of
 * pages (the last can have fewer): into each of @ret, what is in it. Returns
 * how many cells there are. Pure; the pages were read.
 */
SEGMAP_API size_t segmap_layout_strip(const struct segmap_layout *layout, uint64_t start,
				      uint64_t end, size_t most, unsigned char *ret);

/* The sum of two figures; SEGMAP_NO_FIGURE if one is not known or the sum is too great. */
static inline uint64_t segmap_figure_add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	if (a == SEGMAP_NO_FIGURE || b == SEGMAP_NO_FIGURE || __builtin_add_overflow(a, b, &sum))
		return SEGMAP_NO_FIGURE;
	return sum;
}

/*
 * Read which pages of @layout are present or swapped, and how, into
 * @layout->memory->pages. To be called after segmap_layout_correlate(), so that
 * it is known which VMAs have pieces; what reading does to the process's pages
 * was then done before. A page map that cannot be read is no error: the layout
 * has a note, and the pages are empty.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_layout_read_pages(struct segmap_layout *layout, enum segmap_pages_of which);

/*
 * Share the pages that were read out among the pieces: fills
 * @layout->memory->pieces and marks VMAs whose pieces do not add up to the
 * kernel's figures, because the process ran on or the page map does not show
 * all. Pure.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_layout_account(struct segmap_layout *layout);

SEGMAP_API void segmap_memory_free(struct segmap_memory *memory);

#endif
