/* src/predict/load.h - an ELF object that is being loaded, and the calls that loaders make of it. */
#ifndef PREDICT_LOAD_H
#define PREDICT_LOAD_H

#include "base/range.h"
#include "predict/fate.h"
#include "predict/space.h"
#include <segmap/elf.h>
#include <signal.h>

/* Everything is borrowed. */
struct load {
	struct space *space;
	const struct segmap_elf *elf;
	int32_t image; /* index of the image, for calls; its file is number image + 1 of the space */
	bool noexec;   /* its file system is mounted so */
	uint64_t bias; /* runtime address minus vaddr; set by what places the first segment */
};

static inline uint32_t load_file(const struct load *load)
{
	return ((uint32_t)load->image + 1) | (load->noexec ? SPACE_NOEXEC : 0);
}

static inline const struct segmap_segment *load_segment(const struct load *load, int32_t segment)
{
	return &load->elf->segments[segment];
}

/* The first segment at or after @from that is a @type; n_segments if there is none. */
static inline int32_t load_next(const struct load *load, int32_t from,
				enum segmap_segment_type type)
{
	while ((size_t)from < load->elf->n_segments && load->elf->segments[from].type != type)
		from++;
	return from;
}

/* For each PT_LOAD, by index, in table order. */
#define load_for_each(load, i)                                                   \
	for (int32_t i = load_next(load, 0, SEGMAP_SEGMENT_LOAD);                \
	     (size_t)(i) < (load)->elf->n_segments;                              \
	     (i) = load_next(load, (i) + 1, SEGMAP_SEGMENT_LOAD))

/* The PT_GNU_RELRO that counts, the last; -1 if there is none. */
static inline int32_t load_relro(const struct load *load)
{
	for (size_t i = load->elf->n_segments; i-- > 0;)
		if (load->elf->segments[i].type == SEGMAP_SEGMENT_RELRO)
			return (int32_t)i;
	return -1;
}

/* A call of @actor over [start, end) because of @segment (-1: of no one segment). */
static inline struct segmap_call load_call(const struct load *load, enum segmap_actor actor,
					   enum segmap_call_name name, uint64_t start, uint64_t end,
					   int32_t segment)
{
	return (struct segmap_call){
		.actor = actor,
		.name = name,
		.start = start,
		.end = end,
		.prot = segment >= 0 ? load_segment(load, segment)->prot : 0,
		.image = load->image,
		.segment = segment,
	};
}

/* Give @call its reason, the place of its rule, and the numbers of the reason. */
static inline void load_reason(struct segmap_call *call, enum segmap_reason reason,
			       const char *source, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	call->reason = reason;
	call->source = source;
	call->numbers[0] = a;
	call->numbers[1] = b;
	call->numbers[2] = c;
	call->numbers[3] = d;
}

/* FILE_PAGES and its numbers. */
static inline void load_reason_file(struct segmap_call *call, const char *source,
				    const struct segmap_segment *segment, uint64_t page_size)
{
	load_reason(call, SEGMAP_REASON_FILE_PAGES, source, segment->off, segment->vaddr,
		    segment->filesz, segment->vaddr & (page_size - 1));
}

/* BSS and its numbers. */
static inline void load_reason_bss(struct segmap_call *call, const char *source,
				   const struct segmap_segment *segment)
{
	load_reason(call, SEGMAP_REASON_BSS, source, segment->vaddr, segment->filesz,
		    segment->memsz, (uint64_t)segment->prot);
}

/*
 * Whether nothing of the file is in the page that holds @off: to touch it is
 * SIGBUS, for the kernel EFAULT (mm/filemap.c:filemap_fault).
 */
static inline bool load_is_past_eof(const struct load *load, uint64_t off)
{
	uint64_t page_size = load->space->limits.page_size;

	return page_down(off, page_size) >= page_up(load->elf->size, page_size);
}

static inline struct fate fate_of(enum fate_end end, enum fate_reason reason, int errnum,
				  int32_t segment)
{
	return (struct fate){ end, reason, errnum, end == FATE_KILLED ? SIGSEGV : 0, segment };
}

static inline struct fate fate_goes_on(void)
{
	return fate_of(FATE_GOES_ON, FATE_NO_REASON, 0, -1);
}

#endif
