/* src/predict/ldso.c - glibc's dynamic linker: how it maps libraries and protects what is loaded. */
#include "predict/ldso.h"
#include <elf.h>
#include <errno.h>
#include <sys/mman.h>

#define MAP_SEGMENTS "elf/dl-map-segments.h:_dl_map_segments"
#define MAP_SEGMENT "elf/dl-map-segments.h:_dl_map_segment"
#define RELOCATE "elf/dl-reloc.c:_dl_relocate_object"

/* struct loadcmd of elf/dl-load.h: vaddrs but for mapoff. */
struct loadcmd {
	uint64_t mapstart, mapend; /* pages of the file */
	uint64_t dataend, allocend;
	uint64_t mapoff;
};

/* All loadcmds together. */
struct plan {
	int32_t first, last; /* indices of segments; by table order, not by address */
	uint64_t start, size; /* vaddr and bytes of the one mapping that spans them */
	uint64_t align;	      /* the largest power of two among the p_aligns */
	bool has_holes;
};

static struct loadcmd loadcmd_of(const struct load *load, int32_t index)
{
	const struct segmap_segment *segment = load_segment(load, index);
	uint64_t page_size = load->space->limits.page_size;

	return (struct loadcmd){
		.mapstart = page_down(segment->vaddr, page_size),
		.mapend = page_up(segment->vaddr + segment->filesz, page_size),
		.dataend = segment->vaddr + segment->filesz,
		.allocend = segment->vaddr + segment->memsz,
		.mapoff = page_down(segment->off, page_size),
	};
}

static struct fate make_plan(const struct load *load, struct plan *ret)
{
	uint64_t page_size = load->space->limits.page_size;
	struct plan plan = { .first = -1, .align = page_size };

	load_for_each(load, i) {
		const struct segmap_segment *segment = load_segment(load, i);

		if ((segment->vaddr - segment->off) & (page_size - 1))
			return fate_of(FATE_EXITS, FATE_UNALIGNED_OFF, 0, i);
		if (!(segment->align & (segment->align - 1)))
			plan.align = max_u64(plan.align, segment->align);
		if (plan.first < 0)
			plan.first = i;
		else if (loadcmd_of(load, plan.last).mapend != loadcmd_of(load, i).mapstart)
			plan.has_holes = true;
		plan.last = i;
	}
	if (plan.first < 0)
		return fate_of(FATE_EXITS, FATE_NO_LOAD, 0, -1);
	if (load->elf->type != ET_DYN)
		return fate_of(FATE_EXITS, FATE_NOT_A_LIBRARY, 0, -1);
	/* One that is empty is of a file of debugging information; glibc 2.35 and later. */
	if (!load->elf->dynamic_end || load->elf->has_empty_dynamic)
		return fate_of(FATE_EXITS, FATE_NO_DYNAMIC, 0, -1);
	plan.start = loadcmd_of(load, plan.first).mapstart;
	plan.size = loadcmd_of(load, plan.last).allocend - plan.start;
	*ret = plan;
	return fate_goes_on();
}

/* A system call of the dynamic linker's. */
static struct segmap_call call_of(const struct load *load, enum segmap_call_name name,
				  uint64_t start, uint64_t end, int32_t segment)
{
	return load_call(load, SEGMAP_ACTOR_LDSO, name, segmap_addr(start, load->bias),
			 segmap_addr(end, load->bias), segment);
}

/* Room in which an aligned place is sure to be, without access; what is around it goes back. */
static void reserve_aligned(struct load *load, const struct plan *plan, uint64_t size)
{
	uint64_t room = size >= plan->align ? size + plan->align : 2 * plan->align;
	uint64_t start = space_find_room(load->space, room);
	uint64_t at = page_up(start, plan->align);
	struct segmap_call call = load_call(load, SEGMAP_ACTOR_LDSO, SEGMAP_CALL_MMAP, start,
					    start + room, -1);

	load->bias = at - plan->start;
	load_reason(&call, SEGMAP_REASON_ALIGN_ROOM, MAP_SEGMENT, room, plan->align, 0, 0);
	space_mmap(load->space, &call, 0);
	call = load_call(load, SEGMAP_ACTOR_LDSO, SEGMAP_CALL_MUNMAP, start, at, -1);
	load_reason(&call, SEGMAP_REASON_ALIGN_REST, MAP_SEGMENT, at - start, plan->align, 0, 0);
	if (call.end > call.start)
		space_munmap(load->space, &call);
	call = load_call(load, SEGMAP_ACTOR_LDSO, SEGMAP_CALL_MUNMAP, at + size, start + room, -1);
	load_reason(&call, SEGMAP_REASON_ALIGN_REST, MAP_SEGMENT, start + room - at - size,
		    plan->align, 0, 0);
	space_munmap(load->space, &call);
}

/* a: one mapping of the first segment's permissions and offset over the whole span. */
static struct fate map_span(struct load *load, const struct plan *plan)
{
	uint64_t page_size = load->space->limits.page_size;
	uint64_t size = page_up(plan->size, page_size);
	struct segmap_call call;
	int errnum;

	/* Wrapped around: the last segment in the table ends before the first begins. */
	if (!size || size > load->space->limits.task_size)
		return fate_of(FATE_EXITS, FATE_NOT_MAPPED, size ? ENOMEM : EINVAL, plan->first);
	load->bias = space_find_room(load->space, size) - plan->start;
	if (plan->align > page_size)
		reserve_aligned(load, plan, size);
	call = call_of(load, SEGMAP_CALL_MMAP, plan->start, plan->start + size, plan->first);
	call.off = loadcmd_of(load, plan->first).mapoff;
	load_reason(&call, SEGMAP_REASON_SPAN, MAP_SEGMENTS, size, plan->start,
		    plan->start + plan->size, 0);
	errnum = space_mmap(load->space, &call, load_file(load));
	return errnum ? fate_of(FATE_EXITS, FATE_NOT_MAPPED, errnum, plan->first) :
			fate_goes_on();
}

/* b: no access from the end of the first segment's file pages to the last's start. */
static struct fate close_holes(struct load *load, const struct plan *plan)
{
	uint64_t start = loadcmd_of(load, plan->first).mapend;
	uint64_t end = loadcmd_of(load, plan->last).mapstart;
	struct segmap_call call = call_of(load, SEGMAP_CALL_MPROTECT, start, end, -1);

	if (!plan->has_holes)
		return fate_goes_on();
	if (end < start) /* 2.36, commit 2c0915cbf5 */
		return fate_of(FATE_EXITS, FATE_ORDER, 0, plan->last);
	load_reason(&call, SEGMAP_REASON_HOLES, MAP_SEGMENTS, end - start, start, end, 0);
	if (space_mprotect(load->space, &call))
		return fate_of(FATE_EXITS, FATE_NOT_MAPPED, call.errnum, -1);
	return fate_goes_on();
}

/* Make the page with the start of a read-only segment's .bss writable, or as it was. */
static void protect_tail(struct load *load, int32_t index, struct segmap_call *zero, bool writable)
{
	uint64_t page_size = load->space->limits.page_size;
	uint64_t page = page_down(zero->start, page_size);
	struct segmap_call call = load_call(load, SEGMAP_ACTOR_LDSO, SEGMAP_CALL_MPROTECT, page,
					    page + page_size, index);

	if (load_segment(load, index)->prot & PROT_WRITE)
		return;
	if (writable)
		call.prot |= PROT_WRITE;
	load_reason(&call, writable ? SEGMAP_REASON_TAIL_WRITABLE : SEGMAP_REASON_TAIL_RESTORED,
		    MAP_SEGMENTS, zero->numbers[0], zero->numbers[1], zero->numbers[2],
		    zero->numbers[3]);
	space_mprotect(load->space, &call);
}

/* d, first half: zeros to the end of the segment's last file page. */
static struct fate zero_tail(struct load *load, int32_t index)
{
	const struct segmap_segment *segment = load_segment(load, index);
	uint64_t page_size = load->space->limits.page_size;
	struct loadcmd cmd = loadcmd_of(load, index);
	uint64_t end = min_u64(page_up(cmd.dataend, page_size), cmd.allocend);
	struct segmap_call call = call_of(load, SEGMAP_CALL_ZERO, cmd.dataend, end, index);

	if (end <= cmd.dataend)
		return fate_goes_on();
	load_reason(&call, SEGMAP_REASON_ZERO_TAIL, MAP_SEGMENTS, cmd.dataend, end - cmd.dataend,
		    segment->filesz, segment->memsz);
	protect_tail(load, index, &call, true);
	if (load_is_past_eof(load, segment->off + segment->filesz)) {
		struct fate fate = fate_of(FATE_KILLED, FATE_ZERO_PAST_EOF, 0, index);

		fate.signal = SIGBUS;
		return fate;
	}
	space_note(load->space, &call, true);
	protect_tail(load, index, &call, false);
	return fate_goes_on();
}

/* c and d: a segment's file pages (the span has the first's already) and its .bss. */
static struct fate map_segment(struct load *load, const struct plan *plan, int32_t index)
{
	const struct segmap_segment *segment = load_segment(load, index);
	uint64_t page_size = load->space->limits.page_size;
	struct loadcmd cmd = loadcmd_of(load, index);
	struct segmap_call call = call_of(load, SEGMAP_CALL_MMAP, cmd.mapstart, cmd.mapend, index);
	struct fate fate = fate_goes_on();

	load_reason_file(&call, MAP_SEGMENTS, segment, page_size);
	call.off = cmd.mapoff;
	if (index != plan->first && cmd.mapend > cmd.mapstart &&
	    space_mmap(load->space, &call, load_file(load)))
		return fate_of(FATE_EXITS, FATE_NOT_MAPPED, call.errnum, index);
	if (cmd.allocend <= cmd.dataend)
		return fate;
	fate = zero_tail(load, index);
	if (fate.end != FATE_GOES_ON || cmd.allocend <= page_up(cmd.dataend, page_size))
		return fate;
	call = call_of(load, SEGMAP_CALL_MMAP, page_up(cmd.dataend, page_size),
		       page_up(cmd.allocend, page_size), index);
	load_reason_bss(&call, MAP_SEGMENTS, segment);
	if (space_mmap(load->space, &call, 0))
		return fate_of(FATE_EXITS, FATE_NOT_MAPPED, call.errnum, index);
	return fate;
}

struct fate ldso_map(struct load *load, bool preloaded)
{
	struct plan plan = { .first = -1 };
	struct fate fate = make_plan(load, &plan);

	if (fate.end == FATE_GOES_ON)
		fate = map_span(load, &plan);
	if (fate.end == FATE_GOES_ON)
		fate = close_holes(load, &plan);
	load_for_each(load, i)
		if (fate.end == FATE_GOES_ON)
			fate = map_segment(load, &plan, i);
	if (fate.end == FATE_EXITS && preloaded)
		fate.end = FATE_LEFT_OUT;
	/* Its pointers are made addresses in place (elf/get-dynamic-info.h), unless it is read-only. */
	if (fate.end == FATE_GOES_ON && load->elf->dynamic_writable)
		space_touch(load->space, segmap_addr(load->elf->dynamic, load->bias),
			    segmap_addr(load->elf->dynamic_end, load->bias));
	return fate;
}

/* All that a read-only segment has in memory, writable or as its flags say. */
static struct fate protect_segment(struct load *load, int32_t index, bool writable)
{
	const struct segmap_segment *segment = load_segment(load, index);
	uint64_t page_size = load->space->limits.page_size;
	struct segmap_call call =
		call_of(load, SEGMAP_CALL_MPROTECT, page_down(segment->vaddr, page_size),
			page_up(segment->vaddr + segment->memsz, page_size), index);

	if (segment->prot & PROT_WRITE)
		return fate_goes_on();
	if (writable)
		call.prot |= PROT_WRITE;
	load_reason(&call, writable ? SEGMAP_REASON_TEXTREL : SEGMAP_REASON_TEXTREL_DONE, RELOCATE,
		    segment->vaddr, segment->memsz, (uint64_t)segment->prot, 0);
	if (space_mprotect(load->space, &call))
		return fate_of(FATE_EXITS, FATE_TEXTREL_NOT_MAPPED, call.errnum, index);
	return fate_goes_on();
}

/* Writable in table order, then as they were from the last to the first. */
static struct fate relocate_text(struct load *load)
{
	struct fate fate = fate_goes_on();

	load_for_each(load, i)
		if (fate.end == FATE_GOES_ON)
			fate = protect_segment(load, i, true);
	for (size_t i = load->elf->n_segments; i-- > 0 && fate.end == FATE_GOES_ON;)
		if (load->elf->segments[i].type == SEGMAP_SEGMENT_LOAD)
			fate = protect_segment(load, (int32_t)i, false);
	return fate;
}

static struct fate protect_relro(struct load *load, enum segmap_actor actor, const char *source)
{
	uint64_t page_size = load->space->limits.page_size, start, end;
	int32_t index = load_relro(load);
	const struct segmap_segment *relro;
	struct segmap_call call;

	if (index < 0)
		return fate_goes_on();
	relro = load_segment(load, index);
	start = page_down(relro->vaddr, page_size);
	end = page_down(relro->vaddr + relro->memsz, page_size);
	if (!relro->memsz || start == end)
		return fate_goes_on();
	call = call_of(load, SEGMAP_CALL_MPROTECT, start, end, index);
	call.actor = actor;
	call.prot = PROT_READ;
	load_reason(&call, SEGMAP_REASON_RELRO, source, relro->vaddr, relro->vaddr + relro->memsz,
		    relro->vaddr - start, relro->vaddr + relro->memsz - end);
	if (space_mprotect(load->space, &call))
		return fate_of(FATE_EXITS, FATE_RELRO_NOT_MAPPED, call.errnum, index);
	return fate_goes_on();
}

struct fate ldso_relocate(struct load *load)
{
	struct fate fate = load->elf->textrel ? relocate_text(load) : fate_goes_on();

	if (fate.end == FATE_GOES_ON)
		fate = protect_relro(load, SEGMAP_ACTOR_LDSO, "elf/dl-reloc.c:_dl_protect_relro");
	return fate;
}

bool ldso_protects_itself(unsigned int minor, bool is_needed)
{
	return minor >= 41 || is_needed;
}

struct fate ldso_protect_itself(struct load *load)
{
	return protect_relro(load, SEGMAP_ACTOR_LDSO, "elf/dl-reloc.c:_dl_protect_relro");
}

struct fate ldso_start_static(struct load *load)
{
	return protect_relro(load, SEGMAP_ACTOR_STARTUP,
			     "elf/dl-support.c:_dl_non_dynamic_init");
}
