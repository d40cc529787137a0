/* src/predict/musl.c - musl's dynamic linker: how it maps libraries and protects what is loaded. */
#include "predict/musl.h"
#include <errno.h>
#include <sys/mman.h>

#define MAP_LIBRARY "ldso/dynlink.c:map_library"

/* The one mapping that spans all segments. */
struct span {
	int32_t lowest;	     /* index of the segment that starts lowest, the first of these; -1 */
	uint64_t start, end; /* vaddr, page-aligned; end is past the highest p_memsz */
	uint64_t off;	     /* page-aligned offset of the lowest */
	uint64_t size;	     /* bytes mapped */
};

static struct span measure(const struct load *load)
{
	uint64_t page_size = load->space->limits.page_size;
	struct span span = { .lowest = -1, .start = UINT64_MAX };

	load_for_each(load, i) {
		const struct segmap_segment *segment = load_segment(load, i);

		if (segment->vaddr < span.start) {
			span.start = segment->vaddr;
			span.off = segment->off;
			span.lowest = i;
		}
		span.end = max_u64(span.end, segment->vaddr + segment->memsz);
	}
	span.start = page_down(span.start, page_size);
	span.end = page_up(span.end, page_size);
	span.off = page_down(span.off, page_size);
	span.size = span.end - span.start + span.off;
	return span;
}

static struct segmap_call call_of(const struct load *load, enum segmap_call_name name,
				  uint64_t start, uint64_t end, int32_t segment)
{
	return load_call(load, SEGMAP_ACTOR_LDSO, name, segmap_addr(start, load->bias),
			 segmap_addr(end, load->bias), segment);
}

static struct fate map_span(struct load *load, const struct span *span)
{
	uint64_t at = space_find_room(load->space, span->size);
	struct segmap_call call;

	load->bias = (at ? at : load->space->limits.task_size) - span->start;
	call = call_of(load, SEGMAP_CALL_MMAP, span->start, span->start + span->size,
		       span->lowest);
	call.off = span->off;
	load_reason(&call, SEGMAP_REASON_SPAN, MAP_LIBRARY, span->size, span->start, span->end, 0);
	if (!space_mmap(load->space, &call, load_file(load)))
		return fate_goes_on();
	load->bias = 0; /* nothing is mapped that could be given up */
	return fate_of(FATE_EXITS, FATE_NOT_MAPPED, call.errnum, span->lowest);
}

/* A writable segment's .bss: zeros in its last file page, then anonymous pages. */
static struct fate map_bss(struct load *load, int32_t index, uint64_t end)
{
	const struct segmap_segment *segment = load_segment(load, index);
	uint64_t page_size = load->space->limits.page_size;
	uint64_t data_end = segment->vaddr + segment->filesz;
	uint64_t start = page_up(data_end, page_size);
	struct segmap_call call = call_of(load, SEGMAP_CALL_ZERO, data_end, start, index);

	if (start > data_end) {
		load_reason(&call, SEGMAP_REASON_ZERO_TAIL, MAP_LIBRARY, data_end,
			    start - data_end, segment->filesz, segment->memsz);
		if (load_is_past_eof(load, segment->off + segment->filesz)) {
			struct fate fate = fate_of(FATE_KILLED, FATE_ZERO_PAST_EOF, 0, index);

			fate.signal = SIGBUS;
			return fate;
		}
		space_note(load->space, &call, true);
	}
	if (start >= end)
		return fate_goes_on();
	call = call_of(load, SEGMAP_CALL_MMAP, start, end, index);
	load_reason_bss(&call, MAP_LIBRARY, segment);
	if (space_mmap(load->space, &call, 0))
		return fate_of(FATE_EXITS, FATE_NOT_MAPPED, call.errnum, index);
	return fate_goes_on();
}

static struct fate map_segment(struct load *load, const struct span *span, int32_t index)
{
	const struct segmap_segment *segment = load_segment(load, index);
	uint64_t page_size = load->space->limits.page_size;
	uint64_t start = page_down(segment->vaddr, page_size);
	uint64_t end = page_up(segment->vaddr + segment->memsz, page_size);
	struct segmap_call call = call_of(load, SEGMAP_CALL_MMAP, start, end, index);

	call.off = page_down(segment->off, page_size);
	load_reason_file(&call, MAP_LIBRARY, segment, page_size);
	/* Whatever starts in the lowest page is taken for mapped by the span. */
	if (start != span->start && start < end &&
	    space_mmap(load->space, &call, load_file(load)))
		return fate_of(FATE_EXITS, FATE_NOT_MAPPED, call.errnum, index);
	if (segment->memsz > segment->filesz && (segment->prot & PROT_WRITE))
		return map_bss(load, index, end);
	return fate_goes_on();
}

/* The range (vaddr) of the PT_GNU_RELRO that counts, which is there: both ends rounded down. */
static const struct segmap_segment *find_relro(const struct load *load, uint64_t *start,
					       uint64_t *end)
{
	const struct segmap_segment *relro = load_segment(load, load_relro(load));

	*start = page_down(relro->vaddr, load->space->limits.page_size);
	*end = page_down(relro->vaddr + relro->memsz, load->space->limits.page_size);
	return relro;
}

static struct fate allow_text(struct load *load, const struct span *span)
{
	struct segmap_call call = call_of(load, SEGMAP_CALL_MPROTECT, span->start,
					  span->start + span->size, -1);

	call.prot = PROT_READ | PROT_WRITE | PROT_EXEC;
	load_reason(&call, SEGMAP_REASON_TEXTREL, MAP_LIBRARY, span->start, span->size,
		    (uint64_t)call.prot, 0);
	if (space_mprotect(load->space, &call))
		return fate_of(FATE_EXITS, FATE_TEXTREL_NOT_MAPPED, call.errnum, -1);
	return fate_goes_on();
}

/* reclaim: clear [@start, @end) (vaddr, within a page) for malloc, as far as RELRO leaves it. */
static struct fate donate(struct load *load, int32_t index, uint64_t start, uint64_t end)
{
	const struct segmap_segment *segment = load_segment(load, index);
	uint64_t page_size = load->space->limits.page_size, relro_start, relro_end;
	const struct space_vma *vma;
	struct segmap_call call;
	struct fate fate;
	size_t at;

	if (load_relro(load) >= 0) {
		find_relro(load, &relro_start, &relro_end);
		if (start >= relro_start && start < relro_end)
			start = relro_end;
		if (end >= relro_start && end < relro_end)
			end = relro_start;
	}
	if (start >= end)
		return fate_goes_on();
	call = call_of(load, SEGMAP_CALL_ZERO, start, end, index);
	load_reason(&call, SEGMAP_REASON_DONATED, "ldso/dynlink.c:reclaim_gaps", segment->vaddr,
		    segment->memsz, 0, 0);
	at = space_find(load->space, call.start);
	vma = &load->space->vmas[at];
	if (at == load->space->n_vmas || vma->start > call.start || !(vma->prot & PROT_WRITE))
		return fate_of(FATE_KILLED, FATE_NOT_WRITABLE, 0, index);
	fate = fate_of(FATE_KILLED, FATE_ZERO_PAST_EOF, 0, index);
	fate.signal = SIGBUS;
	if (vma->file && load_is_past_eof(load, vma->off + (page_down(call.start, page_size) -
							    vma->start)))
		return fate;
	space_note(load->space, &call, true);
	return fate_goes_on();
}

/* musl looks for the program headers in memory; where no segment has them, it has none. */
static bool has_headers(const struct load *load)
{
	load_for_each(load, i) {
		const struct segmap_segment *segment = load_segment(load, i);

		if (segment->off <= load->elf->phdrs &&
		    load->elf->phdrs_end <= segment->off + segment->filesz)
			return true;
	}
	return false;
}

static struct fate donate_gaps(struct load *load)
{
	uint64_t page_size = load->space->limits.page_size;
	struct fate fate = fate_goes_on();

	if (!has_headers(load))
		return fate;
	load_for_each(load, i) {
		const struct segmap_segment *segment = load_segment(load, i);
		uint64_t end = segment->vaddr + segment->memsz;

		if ((segment->prot & (PROT_READ | PROT_WRITE)) != (PROT_READ | PROT_WRITE))
			continue;
		fate = donate(load, i, page_down(segment->vaddr, page_size), segment->vaddr);
		if (fate.end == FATE_GOES_ON)
			fate = donate(load, i, end, page_up(end, page_size));
		if (fate.end != FATE_GOES_ON)
			break;
	}
	return fate;
}

static void unmap_span(struct load *load, const struct span *span)
{
	struct segmap_call call = call_of(load, SEGMAP_CALL_MUNMAP, span->start,
					  span->start + span->size, -1);

	load_reason(&call, SEGMAP_REASON_GIVEN_UP, "ldso/dynlink.c:unmap_library", span->size, 0, 0,
		    0);
	space_munmap(load->space, &call);
}

struct fate musl_map(struct load *load, bool preloaded)
{
	struct span span = measure(load);
	struct fate fate = fate_goes_on();

	if (!load->elf->dynamic_end)
		fate = fate_of(FATE_EXITS, FATE_NO_DYNAMIC, ENOEXEC, -1);
	else if (span.lowest < 0)
		fate = fate_of(FATE_EXITS, FATE_NO_LOAD, ENOEXEC, -1);
	else
		fate = map_span(load, &span);
	load_for_each(load, i)
		if (fate.end == FATE_GOES_ON)
			fate = map_segment(load, &span, i);
	if (fate.end == FATE_GOES_ON && load->elf->textrel)
		fate = allow_text(load, &span);
	if (fate.end == FATE_EXITS && span.lowest >= 0 && load->elf->dynamic_end &&
	    load->bias)
		unmap_span(load, &span);
	if (fate.end == FATE_GOES_ON)
		fate = donate_gaps(load);
	if (fate.end == FATE_EXITS && preloaded)
		fate.end = FATE_LEFT_OUT;
	return fate;
}

struct fate musl_relocate(struct load *load)
{
	int32_t index = load_relro(load);
	const struct segmap_segment *relro;
	uint64_t start, end;
	struct segmap_call call;

	if (index < 0)
		return fate_goes_on();
	relro = find_relro(load, &start, &end);
	if (start == end)
		return fate_goes_on();
	call = call_of(load, SEGMAP_CALL_MPROTECT, start, end, index);
	call.prot = PROT_READ;
	load_reason(&call, SEGMAP_REASON_RELRO, "ldso/dynlink.c:reloc_all", relro->vaddr,
		    relro->vaddr + relro->memsz, relro->vaddr - start,
		    relro->vaddr + relro->memsz - end);
	if (space_mprotect(load->space, &call))
		return fate_of(FATE_EXITS, FATE_RELRO_NOT_MAPPED, call.errnum, index);
	return fate_goes_on();
}
