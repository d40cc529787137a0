/* include/segmap/layout.h - VMAs, images and pieces together: the answer. */
#ifndef SEGMAP_LAYOUT_H
#define SEGMAP_LAYOUT_H

#include <segmap/call.h>
#include <segmap/file.h>
#include <segmap/image.h>
#include <segmap/memory.h>
#include <segmap/piece.h>
#include <segmap/vma.h>
#include <time.h>

enum segmap_source {
	SEGMAP_SOURCE_PROCESS,
	SEGMAP_SOURCE_RUN,
	SEGMAP_SOURCE_MAPS,
	SEGMAP_SOURCE_CORE,
	SEGMAP_SOURCE_PREDICTION,
};

/* At which moment of a program's life. */
enum segmap_moment {
	SEGMAP_MOMENT_NONE,  /* whenever it was looked at */
	SEGMAP_MOMENT_EXEC,  /* execve has returned: the kernel alone has acted */
	SEGMAP_MOMENT_ENTRY, /* at its entry point, or after the start-up of a static program */
	SEGMAP_MOMENT_EXIT,  /* as its last thread ends */
};

/* Why a map of a process that is watched is shown once more. */
enum segmap_event {
	SEGMAP_EVENT_NONE, /* it is not watched, or all is as it was */
	SEGMAP_EVENT_FIRST,
	SEGMAP_EVENT_CHANGE,
	SEGMAP_EVENT_EXEC, /* it executes another program */
	SEGMAP_EVENT_EXIT, /* it has ended: there is no map any more */
};

/* What predicted addresses count from where they are not known before the run. */
enum segmap_base {
	SEGMAP_BASE_NONE, /* they are addresses */
	SEGMAP_BASE_IMAGE, /* where the image is loaded: they are ELF virtual addresses */
	SEGMAP_BASE_HEAP,
	SEGMAP_BASE_STACK, /* its lowest page */
	SEGMAP_BASE_MMAP,  /* the lowest page of a group that is mapped together */
};

/* What a VMA is. */
enum segmap_kind {
	SEGMAP_KIND_SEGMENT,  /* file pages of a PT_LOAD, or of several that the kernel merged */
	SEGMAP_KIND_RELRO,    /* the part of a PT_LOAD that PT_GNU_RELRO made read-only */
	SEGMAP_KIND_BSS,      /* anonymous pages with the rest of a PT_LOAD */
	SEGMAP_KIND_GAP,      /* address space between segments, held without access */
	SEGMAP_KIND_REMAPPED, /* anonymous pages where file pages of an image are expected */
	SEGMAP_KIND_ALIAS,    /* see enum segmap_role */
	SEGMAP_KIND_FILE,     /* a mapped file that is no loaded image */
	SEGMAP_KIND_HEAP,
	SEGMAP_KIND_STACK,
	SEGMAP_KIND_VDSO,
	SEGMAP_KIND_VVAR,
	SEGMAP_KIND_VSYSCALL,
	SEGMAP_KIND_SHM,
	SEGMAP_KIND_DEVICE,
	SEGMAP_KIND_ANON,
	SEGMAP_KIND_OTHER,
};

struct segmap_answer; /* <segmap/at.h> */

/* How one process (or core, or saved map) relates to one file that it has mapped. */
struct segmap_backing {
	uint32_t dev_major, dev_minor; /* as maps prints them */
	uint64_t ino;
	char *path; /* as maps shows it, without the kernel's " (deleted)"; owned */
	struct segmap_file *file; /* borrowed from the files of the run; NULL if unreadable */
	enum segmap_opened opened;
	enum segmap_status status;
	struct segmap_error *error; /* why it is unreadable or malformed; owned; NULL if neither */
	struct segmap_file *path_file; /* that has the path now, where it is another; or NULL */
	struct segmap_file *twin; /* of its inode on another device, see docs/how-it-works.md; or NULL */
	char *path_build_id;	  /* of path_file; or NULL */
	uint32_t *vmas;	     /* indices of its VMAs, ascending; borrowed from the layout */
	uint32_t n_vmas;
};

/* What correlation found out about the VMA of the same index. */
struct segmap_annotation {
	int32_t backing; /* index in backings; -1 for none */
	int32_t image;	 /* index in images, of the first where there are several; -1 for none */
	int32_t segment; /* index in its ELF object's segments, of the first; -1 for none */
	int16_t expected_prot; /* or SEGMAP_NO_PROT: no image, or pieces differ */
	enum segmap_kind kind : 16; /* with expected_prot one word: see struct segmap_vma */
	uint32_t first_piece, n_pieces; /* in the layout's pieces */
};

/* Where a predicted VMA lies, as far as that can be known. */
struct segmap_placement {
	uint64_t origin; /* in a layout's own addresses: what the shown ones count from */
	uint32_t group;	 /* VMAs are shown group by group: in the order of loading */
	enum segmap_base base;
	const char *base_name; /* a short name for the base, "B" or "L3"; "" where there is none */
	bool open_end;	 /* it ends here or later: the dynamic linker's pages can merge behind it */
	bool unsure;	 /* it may not be there at all */
	const char *label; /* what should be known of it; constant; NULL */
	uint32_t first_cause, n_causes; /* in the prediction's causes */
};

/* Who will refuse or kill a program. */
struct segmap_outcome {
	enum segmap_actor by; /* SEGMAP_ACTOR_PROGRAM: nobody, it runs */
	char error[24];	      /* errno or signal name; "" if there is none */
	char *reason;	      /* owned; NULL where it runs */
};

/* What a prediction has beside each image. */
struct segmap_forecast {
	char *found;	/* how a library was found, a phrase; owned; NULL where that is no question */
	char *asked;	/* as it was asked for: a DT_NEEDED, a word of LD_PRELOAD; owned; or NULL */
	int32_t needed_by; /* image that asks for it; -1 for none */
	bool floating;	/* its bias is chosen at each run: the layout's own is only a stand-in */
	char base[12];	/* short name of where it is loaded, "B" or "L3"; "" where that is known */
};

/* What a prediction has beside its map. Addresses are the layout's own, as in its VMAs. */
struct segmap_prediction {
	struct segmap_outcome outcome;
	struct segmap_placement *placements; /* one for each VMA */
	struct segmap_call *calls;	     /* in the order they are made, up to the moment */
	size_t n_calls;
	uint32_t *causes; /* which calls made each VMA: ascending indices in calls */
	size_t n_causes, cap_causes;
	struct segmap_forecast *images; /* one for each image */
	size_t n_images;
	bool is_library; /* images[0] is a library, explained by itself */
	char linker[32]; /* whose rules the dynamic linker follows, "glibc 2.36"; "" where none does */
	const char *unknown; /* the layout's note of what no prediction knows; NULL: it has none */
};

struct segmap_comparison;
struct segmap_trace;
struct segmap_followed; /* <segmap/watch.h> */
struct segmap_evidence;
struct segmap_audit;

/* A thread of the process, and where it was. */
struct segmap_thread {
	int tid;
	uint64_t sp; /* stack pointer: a runtime address */
};

/* What is known of a VMA beyond its name: "thread stack of 7", "guard". */
struct segmap_vma_label {
	uint32_t vma; /* index */
	char *text;   /* owned */
};

/* Pages of others where the file's pages of a segment that is not writable should be. */
struct segmap_displaced {
	uint64_t start, end; /* runtime addresses, [start, end), in one VMA and one PT_LOAD */
	uint32_t vma;	     /* index, of what is there */
	int32_t image, segment; /* indices, of what should be: a loaded image and its PT_LOAD */
	/* By segmap_layout_gather(), which compares memory with what should be there. */
	uint64_t n_differing; /* bytes */
	uint64_t n_unknown;   /* pages that are not in memory, or could not be read */
};

/* A block of names. */
struct segmap_names {
	struct segmap_names *next;
	size_t used, size;
	char bytes[];
};

/*
 * The map of one process at one moment, from whatever source. Owns all of it
 * but the files, which must outlive it.
 */
struct segmap_layout {
	enum segmap_source source;
	enum segmap_moment moment;
	enum segmap_event event;
	int pid; /* 0 if there is none */
	char *comm;    /* raw bytes; NULL if unknown */
	char *command; /* arguments, each with its NUL; NULL if unknown */
	size_t command_size;
	char *target; /* what the user named */
	struct timespec time;	 /* when it was read; 0 if unknown */
	struct timespec started; /* the latest moment at which the process can have begun; 0: unknown */
	uint64_t page_size; /* bytes; 0 until the files are parsed, where only they tell */
	unsigned int machine; /* EM_X86_64 … that it is of; 0: this one */
	bool changed;	    /* the process changed while it was read */
	bool brief; /* read for a summary: pieces without names, one for what is of one class */
	bool read_implies_exec; /* personality: what is readable is executable */

	struct segmap_vma *vmas;
	size_t n_vmas;
	uint64_t *dumped; /* for each VMA, the bytes of it that a core holds; NULL: no core; owned */
	struct segmap_annotation *annotations; /* n_vmas of them */
	struct segmap_backing *backings;
	size_t n_backings;
	struct segmap_image *images; /* ascending by start; of a prediction in the order of loading */
	size_t n_images;
	struct segmap_vma_label *labels; /* ascending by VMA; few have one */
	size_t n_labels;
	struct segmap_displaced *displaced; /* by image and address; few have any; none of a prediction */
	size_t n_displaced;
	struct segmap_piece *pieces; /* of all VMAs, in their order */
	size_t n_pieces;
	struct segmap_memory *memory; /* what all this costs; NULL: not asked for, or not known */
	char **notes; /* what could not be read, and why */
	size_t n_notes;

	/* What correlation asks of the process beside its VMAs; 0 if unknown. */
	struct segmap_thread *threads; /* those that were met in a system call, or stopped */
	size_t n_threads;
	uint64_t auxv_phdr;	 /* AT_PHDR: address of the program's headers */
	uint64_t auxv_base;	 /* AT_BASE: bias of the dynamic linker */
	unsigned int word_size;	 /* of the auxiliary vector: 8 or 4 bytes */
	uint64_t auxv_entry;	 /* AT_ENTRY: address of the program's entry point */
	uint64_t exe_ino;	 /* of /proc/PID/exe */
	int64_t vdso_vma;	 /* index of [vdso]; -1 if there is none */
	void *vdso_bytes;	 /* what it holds, vdso_size bytes; NULL if unknown; owned */
	size_t vdso_size;
	struct segmap_elf *vdso; /* the same parsed; NULL if there is none; owned */
	enum segmap_opened vdso_opened;
	int pagemap; /* descriptor of its page map, for segmap_page_state_at(); -1: none; owned */

	/* ELF objects of a map that was read from a document: of no file; owned. */
	struct segmap_elf **elfs;
	size_t n_elfs;

	struct segmap_answer *answers; /* --at, in the order asked; owned */
	size_t n_answers;
	bool is_asked;	/* there were questions: only what answers them is of interest */
	struct segmap_prediction *prediction; /* NULL unless source is prediction; owned */
	/* What comparing this prediction with a run has found (segmap/compare.h); NULL; owned. */
	struct segmap_comparison *comparison;
	/* What has changed since it was looked at before; NULL unless it is watched; owned. */
	struct segmap_followed *followed;
	/* The system calls that brought it about (segmap/trace.h); NULL unless traced; owned. */
	struct segmap_trace *trace;
	/* What an audit is made of, and what it has found (segmap/audit.h); NULL; owned. */
	struct segmap_evidence *evidence;
	struct segmap_audit *audit;

	struct segmap_names *names; /* what vmas[].name point into, and other names of its own */
	uint32_t *vma_lists;	    /* what backings[].vmas point into */
	size_t n_lines;		    /* of maps, parsed so far */
	size_t cap_vmas, cap_pieces, cap_images, cap_notes, cap_displaced;
};

SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *segmap_layout_new(struct segmap_layout **ret);
SEGMAP_API void segmap_layout_free(struct segmap_layout *layout);

/*
 * Parse maps or smaps text into @layout->vmas as it comes, and the fields of
 * smaps into @layout->memory: @text of @size bytes is changed, and not needed
 * afterwards. A line that is not whole waits for the
 * next call; *@taken becomes how many bytes were used. Call with @last for the
 * end of the text: then its last line needs no newline, all is used, and VMAs
 * are grouped by file. An error names @name and the line's number.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_layout_parse_maps(struct segmap_layout *layout, const char *name, char *text, size_t size,
			 bool last, size_t *taken);

/* Add a note; @format as for printf. */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_layout_note(struct segmap_layout *layout, const char *format, ...) SEGMAP_PRINTF(2, 3);

/* The first of an annotated VMA's n_pieces pieces; NULL if there are none in the layout. */
static inline const struct segmap_piece *
segmap_layout_pieces(const struct segmap_layout *layout, const struct segmap_annotation *annotation)
{
	return layout->pieces ? &layout->pieces[annotation->first_piece] : NULL;
}

/* The index of the VMA that holds @addr, or -1. Not for predictions, which are in another order. */
SEGMAP_API int64_t segmap_layout_find(const struct segmap_layout *layout, uint64_t addr);

/*
 * Find out which load each VMA belongs to and cut the VMAs of images into
 * pieces: fills images, pieces and annotations. A prediction's images are known;
 * its VMAs, ascending before, are grouped by image in the order of loading. Pure: depends on the layout
 * and its parsed files alone.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_layout_correlate(struct segmap_layout *layout);

/* What is known of VMA @vma beyond its name; NULL for nothing. */
SEGMAP_API const char *segmap_layout_label(const struct segmap_layout *layout, size_t vma);

/*
 * Where VMA @index lies in a prediction; for every other layout a placement that says
 * nothing: no origin, no base.
 */
static inline const struct segmap_placement *
segmap_layout_placement(const struct segmap_layout *layout, size_t index)
{
	static const struct segmap_placement nowhere = { .base_name = "" };

	return layout->prediction ? &layout->prediction->placements[index] : &nowhere;
}

/* What the addresses of @call, one of @layout's prediction, count from when they are shown. */
SEGMAP_API struct segmap_placement
segmap_layout_call_placement(const struct segmap_layout *layout, const struct segmap_call *call);

/* The name of image @index's file as maps shows it; "[vdso]" for the vdso. */
SEGMAP_API const char *segmap_layout_image_path(const struct segmap_layout *layout, int32_t index);

/* What is known of image @index's file. */
SEGMAP_API enum segmap_status segmap_layout_image_status(const struct segmap_layout *layout,
							 int32_t index);

#endif
