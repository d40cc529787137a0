/* src/predict/replay.c - the calls by which a program and what it needs are loaded. */
#include "base/range.h"
#include "predict/ldso.h"
#include "predict/musl.h"
#include "predict/predictor.h"
#include <sys/mman.h>

/* What happens to object @object ends the program. */
static void end_with(struct predictor *predictor, struct fate fate, size_t object,
		     enum segmap_actor actor)
{
	predictor->fate = fate;
	predictor->fate_object = (int32_t)object;
	predictor->fate_actor = actor;
}

/* Which of the two files, and whose fault, execve's refusal is about. */
static size_t object_of_exec(const struct predictor *predictor, struct fate fate)
{
	switch (fate.reason) {
	case FATE_INTERP_FOREIGN:
	case FATE_INTERP_NO_LOAD:
		return predictor->plan.has_interpreter ? INTERPRETER : PROGRAM;
	default:
		/* The interpreter comes second: once it has a VMA, it is the one. */
		for (size_t i = 0; i < predictor->space.n_calls; i++)
			if (predictor->space.calls[i].image == INTERPRETER &&
			    predictor->plan.has_interpreter && fate.segment >= 0)
				return INTERPRETER;
		return PROGRAM;
	}
}

/* What the model knows of this machine's bounds; those of another are not known. */
static void set_limits(struct predictor *predictor)
{
	enum { USUAL_STACK = 8 << 20 }; /* _STK_LIM */
	const struct segmap_world *world = predictor->world;
	struct space_limits *limits = &predictor->space.limits;

	if (predictor->foreign)
		return;
	limits->pkeys = world->pkeys;
	limits->min_addr = world->min_addr;
	limits->commit = world->commit;
	limits->max_vmas = world->max_vmas;
	/* fs/exec.c:begin_new_exec: other privileges come with no more than the usual limit. */
	limits->mmap_base = exec_mmap_base(limits, predictor->plan.secure ?
							   min_u64(world->stack_limit, USUAL_STACK) :
							   world->stack_limit);
}

/*
 * Bytes that RLIMIT_STACK leaves the stack, in whole pages and at least one, without which
 * execve fails; UINT64_MAX: no limit is known.
 */
static uint64_t most_of_stack(const struct predictor *predictor)
{
	uint64_t page_size = predictor->space.limits.page_size;

	if (predictor->foreign || !predictor->world->stack_limit)
		return UINT64_MAX;
	return max_u64(page_down(predictor->world->stack_limit, page_size), page_size);
}

/*
 * fs/exec.c:setup_arg_pages: 128 KiB more than the arguments and the environment
 * take, which are a page at least, and no more than RLIMIT_STACK. It is above
 * everything that is mapped later.
 */
static void replay_stack(struct predictor *predictor)
{
	enum { STACK_EXPAND = 131072 };
	struct space *space = &predictor->space;
	uint64_t page_size = space->limits.page_size, most = most_of_stack(predictor);
	uint64_t usual = page_up(STACK_EXPAND, page_size) + page_size, size = min_u64(usual, most);
	struct segmap_call call = {
		.actor = SEGMAP_ACTOR_KERNEL,
		.name = SEGMAP_CALL_MAP,
		.start = space->limits.task_size - size,
		.end = space->limits.task_size,
		.anonymous = true,
		.image = -1,
		.segment = -1,
	};

	load_reason(&call, SEGMAP_REASON_STACK, "fs/exec.c:setup_arg_pages", usual - page_size,
		    elf_of(predictor, PROGRAM)->stack_prot != SEGMAP_NO_STACK,
		    size < usual ? most : 0, 0);
	predictor->stack_is_cut = size < usual;
	space_note(space, &call, false);
	predictor->stack_start = call.start;
}

static uint64_t size_of_areas(const struct segmap_world *world)
{
	uint64_t total = 0;

	for (size_t i = 0; i < world->n_areas; i++)
		total += is_fixed(&world->areas[i]) ? 0 : world->areas[i].size;
	return total;
}

/* vvar and vdso come after the interpreter (arch_setup_additional_pages), where mmap likes. */
static void replay_areas(struct predictor *predictor)
{
	struct space *space = &predictor->space;
	uint64_t size = size_of_areas(predictor->world), start;
	struct segmap_call call;

	if (predictor->foreign || !size ||
	    space->limits.page_size != predictor->world->page_size)
		return;
	start = space_find_room(space, size);
	if (!start)
		return;
	call = (struct segmap_call){ .actor = SEGMAP_ACTOR_KERNEL, .name = SEGMAP_CALL_MAP,
				     .start = start, .end = start + size, .prot = PROT_READ,
				     .image = -1, .segment = -1 };
	load_reason(&call, SEGMAP_REASON_AREAS, "arch/x86/entry/vdso/vma.c:map_vdso", size, 0, 0,
		    0);
	if (!space_mmap(space, &call, STAND_IN))
		predictor->areas_start = start;
	if (space->n_calls)
		space->calls[space->n_calls - 1].anonymous = true;
}

/* As the stack's permissions are decided by the program's headers, and then by its libraries'. */
static void settle_stack(struct predictor *predictor)
{
	struct segmap_call *call = predictor->space.calls;

	if (!predictor->space.failed && call && call->reason == SEGMAP_REASON_STACK)
		call->prot = predictor->exec.stack_prot;
}

static void replay_exec(struct predictor *predictor, int interp_errnum)
{
	struct load *program = &predictor->loads[PROGRAM];
	struct load *interp =
		predictor->plan.has_interpreter ? &predictor->loads[INTERPRETER] : NULL;
	struct exec_params params;

	exec_defaults(program->elf, predictor->layout->page_size, &predictor->space.limits,
		      &params);
	set_limits(predictor);
	params.interp_errnum = interp_errnum;
	params.foreign_too = predictor->foreign;
	params.interp_unknown = lacks_foreign_interpreter(predictor);
	replay_stack(predictor);
	exec_program(&params, program, interp, &predictor->exec);
	settle_stack(predictor);
	/* Refused before anything of the old program was given up. */
	if (predictor->exec.fate.end == FATE_REFUSED)
		predictor->space.n_calls = 0;
	if (predictor->exec.fate.end == FATE_GOES_ON)
		replay_areas(predictor);
	else
		end_with(predictor, predictor->exec.fate,
			 object_of_exec(predictor, predictor->exec.fate), SEGMAP_ACTOR_KERNEL);
	predictor->loaded[PROGRAM] = true;
	if (interp)
		predictor->loaded[INTERPRETER] = true;
}

/*
 * glibc makes the stack executable for library @object: the page in which it began, here the last,
 * and by PROT_GROWSDOWN all below (elf/dl-load.c, sysdeps/unix/sysv/linux/dl-execstack.c).
 */
static void replay_exec_stack(struct predictor *predictor, size_t object)
{
	struct space *space = &predictor->space;
	struct segmap_call call = {
		.actor = SEGMAP_ACTOR_LDSO,
		.name = SEGMAP_CALL_MPROTECT,
		.start = space->limits.task_size - space->limits.page_size,
		.end = space->limits.task_size,
		.prot = PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN,
		.image = (int32_t)object,
		.segment = -1,
	};

	load_reason(&call, SEGMAP_REASON_STACK_EXEC, "elf/dl-execstack.c:_dl_make_stack_executable",
		    elf_of(predictor, object)->stack_prot != SEGMAP_NO_STACK, 0, 0, 0);
	space_note(space, &call, false);
}

/* The dynamic linker maps libraries in order. False: it gives up. */
static bool map_libraries(struct predictor *predictor)
{
	for (size_t i = first_library(predictor); i < predictor->plan.n_objects; i++) {
		struct load *load = &predictor->loads[i];
		bool preloaded = predictor->plan.objects[i].preloaded;
		struct fate fate = is_musl(predictor) ? musl_map(load, preloaded) :
							ldso_map(load, preloaded);

		if (fate.end == FATE_KILLED || fate.end == FATE_EXITS) {
			end_with(predictor, fate, i, SEGMAP_ACTOR_LDSO);
			return false;
		}
		predictor->loaded[i] = fate.end == FATE_GOES_ON;
		if (predictor->plan.stack_needs_exec && i == predictor->plan.stack_object &&
		    predictor->loaded[i] && !predictor->is_library)
			replay_exec_stack(predictor, i);
	}
	return true;
}

/* Whether the dynamic linker makes its own RELRO read-only. */
static bool protects_itself(const struct predictor *predictor)
{
	const struct plan *plan = &predictor->plan;

	return is_musl(predictor) ?
		       plan->interpreter_is_needed :
		       ldso_protects_itself(plan->glibc_minor, plan->interpreter_is_needed);
}

/* Relocation and RELRO, from the last object to the first, and the dynamic linker itself. */
static void relocate_all(struct predictor *predictor)
{
	struct fate fate = fate_goes_on();

	for (size_t i = predictor->plan.n_objects; i-- > 0 && fate.end == FATE_GOES_ON;) {
		struct load *load = &predictor->loads[i];

		if (!predictor->loaded[i] || (!predictor->is_library && i == INTERPRETER &&
					      predictor->plan.has_interpreter))
			continue;
		fate = is_musl(predictor) ? musl_relocate(load) : ldso_relocate(load);
		if (fate.end != FATE_GOES_ON)
			end_with(predictor, fate, i, SEGMAP_ACTOR_LDSO);
	}
	if (fate.end != FATE_GOES_ON || !predictor->plan.has_interpreter ||
	    !protects_itself(predictor))
		return;
	fate = is_musl(predictor) ? musl_relocate(&predictor->loads[INTERPRETER]) :
				    ldso_protect_itself(&predictor->loads[INTERPRETER]);
	if (fate.end != FATE_GOES_ON)
		end_with(predictor, fate, INTERPRETER, SEGMAP_ACTOR_LDSO);
}

static void replay_linking(struct predictor *predictor)
{
	const struct segmap_elf *program = elf_of(predictor, PROGRAM);

	if (!predictor->is_library && !program->interp) {
		/* glibc's start-up protects RELRO; musl's and others' do not. */
		if (program->abi_note)
			end_with(predictor, ldso_start_static(&predictor->loads[PROGRAM]), PROGRAM,
				 SEGMAP_ACTOR_STARTUP);
		return;
	}
	if (predictor->plan.libc == PLAN_LIBC_UNKNOWN || lacks_foreign_interpreter(predictor))
		return;
	if (map_libraries(predictor))
		relocate_all(predictor);
}

struct segmap_error *replay(struct predictor *predictor, int interp_errnum)
{
	size_t n = predictor->plan.n_objects;

	predictor->loads = calloc(n, sizeof(*predictor->loads));
	predictor->loaded = calloc(n, sizeof(*predictor->loaded));
	if (!predictor->loads || !predictor->loaded)
		return segmap_error_no_memory();
	for (size_t i = 0; i < n; i++)
		predictor->loads[i] = (struct load){ .space = &predictor->space,
						     .elf = elf_of(predictor, i),
						     .image = (int32_t)i,
						     /* Of others execve says so itself. */
						     .noexec = i >= first_library(predictor) &&
							       predictor->plan.objects[i].file.noexec };
	predictor->fate = fate_goes_on();
	if (predictor->is_library) {
		struct exec_params params;

		exec_defaults(elf_of(predictor, PROGRAM), predictor->layout->page_size,
			      &predictor->space.limits, &params);
		set_limits(predictor);
	} else {
		replay_exec(predictor, interp_errnum);
	}
	if (predictor->fate.end == FATE_GOES_ON && predictor->moment == SEGMAP_MOMENT_ENTRY)
		replay_linking(predictor);
	return predictor->space.failed ? segmap_error_no_memory() : NULL;
}
