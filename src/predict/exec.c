/* src/predict/exec.c - execve: what the kernel makes of a program and its interpreter. */
#include "predict/exec.h"
#include <elf.h>
#include <errno.h>
#include <sys/mman.h>

#define ELF_MAP "fs/binfmt_elf.c:elf_map"
#define ELF_LOAD "fs/binfmt_elf.c:elf_load"

uint64_t exec_mmap_base(const struct space_limits *limits, uint64_t stack_limit)
{
	enum { GUARD_PAGES = 256, LEAST_GAP = 128 << 20 }; /* stack_guard_gap, SIZE_128M */
	uint64_t gap = stack_limit, most = limits->task_size / 6 * 5;

	if (gap + GUARD_PAGES * limits->page_size > gap)
		gap += GUARD_PAGES * limits->page_size;
	gap = min_u64(max_u64(gap, LEAST_GAP), most);
	return page_up(limits->task_size - gap, limits->page_size);
}

void exec_defaults(const struct segmap_elf *elf, uint64_t page_size, struct space_limits *limits,
		   struct exec_params *params)
{
	bool is_64 = elf->class == 64;

	*limits = (struct space_limits){
		.page_size = page_size,
		.task_size = is_64 ? (1ULL << 47) - page_size : 0xffffe000,
	};
	limits->mmap_base = exec_mmap_base(limits, 0);
	*params = (struct exec_params){
		.kernel = EXEC_KERNEL_6_7,
		.dyn_base = is_64 ? 0x555555554000 : 0x56555000,
	};
}

/* All PT_LOADs of an object together (total_mapping_size, maximum_alignment). */
struct extent_of_loads {
	uint64_t start, end; /* vaddr: page of the lowest, end of the highest's memory */
	uint64_t size;	     /* whole pages */
	uint64_t align;	     /* the largest power of two among the p_aligns; 0 if there is none */
	int32_t first;	     /* -1: there is no PT_LOAD */
};

static struct extent_of_loads measure(const struct load *load)
{
	uint64_t page_size = load->space->limits.page_size;
	struct extent_of_loads all = { .start = UINT64_MAX, .first = -1 };

	load_for_each(load, i) {
		const struct segmap_segment *segment = load_segment(load, i);

		if (all.first < 0)
			all.first = i;
		all.start = min_u64(all.start, page_down(segment->vaddr, page_size));
		all.end = max_u64(all.end, segment->vaddr + segment->memsz);
		if (segment->align && !(segment->align & (segment->align - 1)))
			all.align = max_u64(all.align, segment->align);
	}
	if (all.first < 0)
		return (struct extent_of_loads){ .first = -1 };
	if (all.align)
		all.align = max_u64(all.align, page_size);
	all.size = page_up(all.end - all.start, page_size);
	return all;
}

/*
 * elf_map: whole pages of the file at @at. With @all, the object's first
 * segment takes room for all and gives back what is past its own pages.
 */
static int map_file(struct load *load, int32_t index, uint64_t at,
		    const struct extent_of_loads *all)
{
	const struct segmap_segment *segment = load_segment(load, index);
	uint64_t page_size = load->space->limits.page_size;
	uint64_t slack = segment->vaddr & (page_size - 1);
	uint64_t size = page_up(segment->filesz + slack, page_size);
	uint64_t length = all ? all->size : size;
	struct segmap_call call = load_call(load, SEGMAP_ACTOR_KERNEL, SEGMAP_CALL_MAP, at,
					    at + length, index);
	int errnum;

	call.off = segment->off - slack;
	if (all && all->size > size)
		load_reason(&call, SEGMAP_REASON_SPAN, ELF_MAP, all->size, all->start, all->end,
			    0);
	else
		load_reason_file(&call, ELF_MAP, segment, page_size);
	errnum = space_mmap(load->space, &call, load_file(load));
	if (!errnum && all && all->size > size) {
		struct segmap_call rest = load_call(load, SEGMAP_ACTOR_KERNEL, SEGMAP_CALL_MUNMAP,
						    at + size, at + all->size, index);

		load_reason(&rest, SEGMAP_REASON_SPAN_REST, ELF_MAP, all->size - size,
			    segment->filesz, 0, 0);
		space_munmap(load->space, &rest);
	}
	return errnum;
}

/*
 * padzero: zeros from the end of the segment's file bytes to the end of the
 * page. It fails where the page is not writable, which the kernel lets pass,
 * and where the file does not reach: EFAULT.
 */
static bool zero_tail(struct load *load, int32_t index)
{
	const struct segmap_segment *segment = load_segment(load, index);
	uint64_t page_size = load->space->limits.page_size;
	uint64_t start = segmap_addr(segment->vaddr + segment->filesz, load->bias);
	bool writable = segment->prot & PROT_WRITE;
	struct segmap_call call = load_call(load, SEGMAP_ACTOR_KERNEL, SEGMAP_CALL_ZERO, start,
					    page_up(start, page_size), index);

	if (call.start == call.end)
		return true;
	load_reason(&call, writable ? SEGMAP_REASON_ZERO_TAIL : SEGMAP_REASON_JUNK_TAIL,
		    "fs/binfmt_elf.c:padzero", segmap_vaddr(start, load->bias),
		    call.end - call.start, segment->filesz, segment->memsz);
	if (writable && load_is_past_eof(load, segment->off + segment->filesz))
		return false;
	space_note(load->space, &call, writable);
	return true;
}

/* The anonymous pages of the segment from @start on. */
static int map_bss(struct load *load, int32_t index, uint64_t start)
{
	const struct segmap_segment *segment = load_segment(load, index);
	uint64_t page_size = load->space->limits.page_size;
	uint64_t end = page_up(segmap_addr(segment->vaddr + segment->memsz, load->bias),
			       page_size);
	struct segmap_call call = load_call(load, SEGMAP_ACTOR_KERNEL, SEGMAP_CALL_MAP, start, end,
					    index);

	load_reason_bss(&call, ELF_LOAD, segment);
	return space_brk(load->space, &call);
}

/*
 * elf_load: one PT_LOAD. What fails here fails past the point of no return, and
 * the program is killed (fs/exec.c:bprm_execve).
 */
static struct fate load_one(struct load *load, int32_t index, const struct extent_of_loads *all)
{
	const struct segmap_segment *segment = load_segment(load, index);
	uint64_t page_size = load->space->limits.page_size;
	uint64_t start = page_down(segmap_addr(segment->vaddr, load->bias), page_size);
	uint64_t bss = start;
	int errnum;

	if (segment->filesz) {
		errnum = map_file(load, index, start, all);
		if (errnum)
			return fate_of(FATE_KILLED,
				       !((segment->vaddr - segment->off) & (page_size - 1)) ?
						FATE_NOT_MAPPED : FATE_UNALIGNED_OFF,
				       errnum, index);
		bss = page_up(segmap_addr(segment->vaddr + segment->filesz, load->bias),
			      page_size);
	}
	if (segment->memsz <= segment->filesz)
		return fate_goes_on();
	if (segment->filesz && !zero_tail(load, index))
		return fate_of(FATE_KILLED, FATE_ZERO_PAST_EOF, EFAULT, index);
	errnum = map_bss(load, index, bss);
	return errnum ? fate_of(FATE_KILLED, FATE_NOT_MAPPED, errnum, index) : fate_goes_on();
}

/* The checks that come after a segment is mapped; @at is what counts as its address. */
static struct fate check_one(const struct load *load, int32_t index, uint64_t at, int errnum)
{
	const struct segmap_segment *segment = load_segment(load, index);
	uint64_t task_size = load->space->limits.task_size;

	if (segment->filesz > segment->memsz)
		return fate_of(FATE_KILLED, FATE_FILESZ_OVER_MEMSZ, errnum, index);
	if (at >= task_size || segment->memsz > task_size || task_size - segment->memsz < at)
		return fate_of(FATE_KILLED, FATE_OUT_OF_RANGE, errnum, index);
	return fate_goes_on();
}

/*
 * Room for an object that says nothing of its place; where there is none, the mapping will fail.
 * *@unsure: it is large enough for huge pages, which many file systems have an eye to.
 */
static uint64_t find_room(const struct load *load, const struct extent_of_loads *all, bool *unsure)
{
	enum { HUGE_PAGE = 2 << 20 };
	uint64_t room = space_find_room(load->space, all->size);

	*unsure = load->elf->class == 64 && all->size >= HUGE_PAGE;
	return room ? room : load->space->limits.task_size;
}

/*
 * The bias of a program. With an interpreter an ET_DYN goes to ELF_ET_DYN_BASE.
 * Without (static-pie, or ld.so itself as program) it goes where mmap likes,
 * aligned since 6.10; but nothing asks mmap where the first segment has no file
 * bytes, and then it is address 0.
 */
static uint64_t place_program(const struct exec_params *params, const struct load *program,
			      const struct extent_of_loads *all, bool with_interp, bool *unsure)
{
	const struct segmap_segment *first = load_segment(program, all->first);
	uint64_t page_size = program->space->limits.page_size;
	uint64_t align = max_u64(all->align, page_size), base = params->dyn_base;

	if (program->elf->type != ET_DYN)
		return 0;
	if (!with_interp) {
		base = first->filesz ? find_room(program, all, unsure) : 0;
		if (align == page_size && base)
			return base - page_down(first->vaddr, page_size);
	}
	return page_down((base & ~(align - 1)) - first->vaddr, page_size);
}

static struct fate load_program(const struct exec_params *params, struct load *program,
				bool with_interp, struct exec_result *ret)
{
	struct extent_of_loads all = measure(program);
	bool first = true;

	if (all.first >= 0)
		program->bias = place_program(params, program, &all, with_interp,
					      &ret->program_unsure);
	load_for_each(program, i) {
		const struct segmap_segment *segment = load_segment(program, i);
		struct fate fate = load_one(program, i,
					    first && program->elf->type == ET_DYN ? &all : NULL);

		if (fate.end == FATE_GOES_ON)
			fate = check_one(program, i, segment->vaddr, EINVAL);
		if (fate.end != FATE_GOES_ON)
			return fate;
		first = false;
	}
	ret->start_brk = page_up(segmap_addr(all.end, program->bias),
				 program->space->limits.page_size);
	return fate_goes_on();
}

/*
 * load_elf_interp. An interpreter is placed as a program without one, but not
 * aligned; only where the program is ET_EXEC is its own address a wish.
 */
static uint64_t place_interp(const struct load *interp, const struct extent_of_loads *all,
			     uint64_t program_bias, bool *unsure)
{
	const struct segmap_segment *first = load_segment(interp, all->first);
	const struct space *space = interp->space;
	uint64_t wish = page_down(first->vaddr, space->limits.page_size);
	size_t at = space_find(space, wish);

	if (interp->elf->type != ET_DYN)
		return 0;
	if (!first->filesz)
		return program_bias ? page_down(-first->vaddr, space->limits.page_size) : 0;
	if (!program_bias && wish && wish >= space->limits.min_addr &&
	    all->size <= space->limits.task_size && wish <= space->limits.task_size - all->size &&
	    (at == space->n_vmas || wish + all->size <= space->vmas[at].start))
		return 0;
	return find_room(interp, all, unsure) - wish;
}

static struct fate load_interp(struct load *interp, uint64_t program_bias, bool *unsure)
{
	struct extent_of_loads all = measure(interp);
	const struct extent_of_loads *room = &all;

	if (!all.size)
		return fate_of(FATE_KILLED, FATE_INTERP_NO_LOAD, EINVAL, -1);
	interp->bias = place_interp(interp, &all, program_bias, unsure);
	load_for_each(interp, i) {
		struct fate fate = load_one(interp, i, room);

		if (fate.end == FATE_GOES_ON)
			fate = check_one(interp, i,
					 segmap_addr(load_segment(interp, i)->vaddr, interp->bias),
					 ENOMEM);
		if (fate.end != FATE_GOES_ON)
			return fate;
		room = NULL;
	}
	return fate_goes_on();
}

/* What is refused while execve can still return. */
static struct fate check_files(const struct exec_params *params, const struct load *program,
			       const struct load *interp)
{
	if (program->elf->foreign && !params->foreign_too)
		return fate_of(FATE_REFUSED, FATE_FOREIGN, ENOEXEC, -1);
	if (program->elf->bad_interp)
		return fate_of(FATE_REFUSED, FATE_BAD_INTERP_PATH, ENOEXEC, -1);
	if (params->interp_unknown)
		return fate_goes_on();
	if (program->elf->interp && params->interp_errnum)
		return fate_of(FATE_REFUSED, FATE_NO_INTERP, params->interp_errnum, -1);
	if (program->elf->interp &&
	    (!interp || interp->elf->machine != program->elf->machine ||
	     interp->elf->class != program->elf->class))
		return fate_of(FATE_REFUSED, FATE_INTERP_FOREIGN, ELIBBAD, -1);
	return fate_goes_on();
}

/*
 * The stack's permissions, and READ_IMPLIES_EXEC
 * (arch/x86/include/asm/elf.h:elf_read_implies_exec).
 */
static int decide_stack(struct space *space, const struct segmap_elf *elf)
{
	bool none = elf->stack_prot == SEGMAP_NO_STACK;

	space->read_implies_exec = none && elf->machine == EM_386;
	if (none ? space->read_implies_exec : (elf->stack_prot & PROT_EXEC) != 0)
		return PROT_READ | PROT_WRITE | PROT_EXEC;
	return PROT_READ | PROT_WRITE;
}

void exec_program(const struct exec_params *params, struct load *program, struct load *interp,
		  struct exec_result *ret)
{
	const struct load *starts = program->elf->interp && interp ? interp : program;

	*ret = (struct exec_result){ .fate = check_files(params, program, interp) };
	if (ret->fate.end != FATE_GOES_ON)
		return;
	ret->stack_prot = decide_stack(program->space, program->elf);
	ret->brk_moved = program->elf->type == ET_DYN && !program->elf->interp;
	ret->fate = load_program(params, program, program->elf->interp, ret);
	if (ret->fate.end == FATE_GOES_ON && program->elf->interp && interp)
		ret->fate = load_interp(interp, program->bias, &ret->interp_unsure);
	if (ret->fate.end != FATE_GOES_ON)
		return;
	ret->entry = segmap_addr(starts->elf->entry, starts->bias);
	if (ret->entry >= program->space->limits.task_size)
		ret->fate = fate_of(FATE_KILLED, FATE_OUT_OF_RANGE, EINVAL, -1);
}
