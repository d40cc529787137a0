/* src/predict/predict.c - from a file and a world to the map it will have. */
#include "base/range.h"
#include "base/scope.h"
#include "predict/exec.h"
#include "predict/ldso.h"
#include "predict/musl.h"
#include "predict/outcome.h"
#include "predict/plan.h"
#include "predict/script.h"
#include <elf.h>
#include <errno.h>
#include <segmap/predict.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

enum { PROGRAM = 0, INTERPRETER = 1 };

/* In the space, the file of what is no file of an image. */
enum { STAND_IN = INT32_MAX };

/* One prediction being made. Images have the numbers of the plan's objects. */
struct predictor {
	const struct segmap_world *world;
	const struct segmap_predict_options *options;
	enum segmap_moment moment;
	bool is_library, foreign;
	bool not_executable; /* execve will refuse it for that: EACCES */
	struct plan plan;
	struct space space;
	struct load *loads; /* one for each object */
	bool *loaded;	    /* likewise: it stays mapped */
	struct exec_result exec;
	uint64_t stack_start; /* in the model; 0: there is no room for it */
	uint64_t areas_start; /* of the kernel's own pages; 0: there are none */
	struct fate fate; /* of the whole */
	int32_t fate_object;
	enum segmap_actor fate_actor;
	struct segmap_layout *layout;
};

static void predictor_free(struct predictor *predictor)
{
	plan_free(&predictor->plan);
	space_free(&predictor->space);
	free(predictor->loads);
	free(predictor->loaded);
	segmap_layout_free(predictor->layout);
}

/* ld.so is the only program that is made like a library, and is taken for one. */
static bool is_program(const struct segmap_elf *elf)
{
	bool says_pie = elf->linking && (elf->linking->flags_1 & DF_1_PIE);

	return elf->type == ET_EXEC || says_pie || (elf->interp && !elf->soname);
}

/* ---- the replay ---- */

static const struct segmap_elf *elf_of(const struct predictor *predictor, size_t object)
{
	return predictor->plan.objects[object].file.elf;
}

static bool is_musl(const struct predictor *predictor)
{
	return predictor->plan.libc == PLAN_LIBC_MUSL;
}

static size_t first_library(const struct predictor *predictor)
{
	return predictor->is_library ? 0 : predictor->plan.has_interpreter ? 2 : 1;
}

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

/* A program for another machine, whose interpreter would be on that machine. */
static bool lacks_foreign_interpreter(const struct predictor *predictor)
{
	return predictor->foreign && !predictor->is_library &&
	       elf_of(predictor, PROGRAM)->interp && !predictor->plan.has_interpreter;
}

/* What the model knows of this machine's bounds; those of another are not known. */
static void set_limits(struct predictor *predictor)
{
	const struct segmap_world *world = predictor->world;
	struct space_limits *limits = &predictor->space.limits;

	if (predictor->foreign)
		return;
	limits->pkeys = world->pkeys;
	limits->min_addr = world->min_addr;
	limits->commit = world->commit;
	limits->max_vmas = world->max_vmas;
}

/*
 * fs/exec.c:setup_arg_pages: 128 KiB more than the arguments and the environment
 * take, which are a page at least. It is above everything that is mapped later.
 */
static void replay_stack(struct predictor *predictor)
{
	enum { STACK_EXPAND = 131072 };
	struct space *space = &predictor->space;
	uint64_t page_size = space->limits.page_size;
	uint64_t size = page_up(STACK_EXPAND, page_size) + page_size;
	struct segmap_call call = {
		.actor = SEGMAP_ACTOR_KERNEL,
		.name = SEGMAP_CALL_MAP,
		.start = space->limits.task_size - size,
		.end = space->limits.task_size,
		.anonymous = true,
		.image = -1,
		.segment = -1,
	};

	load_reason(&call, SEGMAP_REASON_STACK, "fs/exec.c:setup_arg_pages", size - page_size,
		    elf_of(predictor, PROGRAM)->stack_prot != SEGMAP_NO_STACK, 0, 0);
	space_note(space, &call, false);
	predictor->stack_start = call.start;
}

static bool is_fixed(const struct segmap_area *area)
{
	return area->start != 0;
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
	}
	return true;
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
	if (fate.end != FATE_GOES_ON || !predictor->plan.has_interpreter)
		return;
	if (is_musl(predictor))
		fate = musl_relocate(&predictor->loads[INTERPRETER]);
	else if (ldso_protects_itself(predictor->plan.glibc_minor,
				      predictor->plan.interpreter_is_needed))
		fate = ldso_protect_itself(&predictor->loads[INTERPRETER]);
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

static struct segmap_error *replay(struct predictor *predictor, int interp_errnum)
{
	size_t n = predictor->plan.n_objects;

	predictor->loads = calloc(n, sizeof(*predictor->loads));
	predictor->loaded = calloc(n, sizeof(*predictor->loaded));
	if (!predictor->loads || !predictor->loaded)
		return segmap_error_no_memory();
	for (size_t i = 0; i < n; i++)
		predictor->loads[i] = (struct load){ .space = &predictor->space,
						     .elf = elf_of(predictor, i),
						     .image = (int32_t)i };
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

/* ---- from the space to a layout ---- */

/* Whether the kernel puts everything where it always does. */
static bool is_still(const struct predictor *predictor)
{
	return !predictor->foreign &&
	       (predictor->options->no_aslr || !predictor->world->randomizes);
}

/* Whether the bias that the model has for object @object is the one that a run will have. */
static bool is_floating(const struct predictor *predictor, size_t object)
{
	if (predictor->is_library)
		return true;
	if (object == PROGRAM && elf_of(predictor, object)->type == ET_EXEC)
		return false;
	/* Where libraries go depends on what ld.so has mapped for itself in between. */
	return !is_still(predictor) || object > INTERPRETER ||
	       (object == INTERPRETER && !predictor->plan.has_interpreter);
}

static void name_base(struct segmap_forecast *forecast, const struct predictor *predictor,
		      size_t object)
{
	size_t first = first_library(predictor);

	if (!forecast->floating)
		return;
	if (object >= first && !predictor->is_library)
		snprintf(forecast->base, sizeof(forecast->base), "L%u",
			 (unsigned int)(object - first + 1));
	else if (object == PROGRAM)
		snprintf(forecast->base, sizeof(forecast->base), "B");
	else if (predictor->is_library)
		snprintf(forecast->base, sizeof(forecast->base), "L%u", (unsigned int)object);
	else
		snprintf(forecast->base, sizeof(forecast->base), "I");
}

static enum segmap_role role_of(const struct predictor *predictor, size_t object)
{
	if (object == PROGRAM && !predictor->is_library)
		return SEGMAP_ROLE_PROGRAM;
	return object < first_library(predictor) ? SEGMAP_ROLE_INTERPRETER : SEGMAP_ROLE_LIBRARY;
}

static bool copy_string(char **ret, const char *string)
{
	*ret = string ? strdup(string) : NULL;
	return *ret || !string;
}

/* Which objects are part of the answer: at exec no library is. */
static size_t n_shown(const struct predictor *predictor)
{
	if (predictor->moment == SEGMAP_MOMENT_EXEC)
		return first_library(predictor);
	return predictor->plan.n_objects;
}

static bool add_image(struct predictor *predictor, size_t object)
{
	struct segmap_layout *layout = predictor->layout;
	const struct plan_object *planned = &predictor->plan.objects[object];
	struct segmap_backing *backing = &layout->backings[layout->n_backings];
	struct segmap_forecast *forecast = &layout->prediction->images[layout->n_images];
	const struct segmap_file *file = planned->file.file;

	layout->images[layout->n_images++] = (struct segmap_image){
		.elf = planned->file.elf,
		.backing = (int32_t)layout->n_backings++,
		.role = role_of(predictor, object),
		.alias_of = -1,
		.bias = predictor->loads[object].bias,
	};
	layout->prediction->n_images = layout->n_images;
	*backing = (struct segmap_backing){
		.dev_major = major(file->st_dev),
		.dev_minor = minor(file->st_dev),
		.ino = file->st_ino,
		.file = planned->file.file,
		.opened = SEGMAP_OPENED_PATH,
	};
	forecast->needed_by = planned->needed_by;
	forecast->floating = is_floating(predictor, object);
	name_base(forecast, predictor, object);
	return copy_string(&backing->path, planned->file.path) &&
	       copy_string(&forecast->found, planned->found) &&
	       copy_string(&forecast->asked, planned->name);
}

static bool add_images(struct predictor *predictor)
{
	struct segmap_layout *layout = predictor->layout;
	size_t n = n_shown(predictor);

	/* One more for the vdso. */
	layout->images = calloc(n + 1, sizeof(*layout->images));
	layout->backings = calloc(n, sizeof(*layout->backings));
	layout->prediction->images = calloc(n + 1, sizeof(*layout->prediction->images));
	if (!layout->images || !layout->backings || !layout->prediction->images)
		return false;
	layout->cap_images = n + 1;
	for (size_t i = 0; i < n; i++)
		if (!add_image(predictor, i))
			return false;
	return true;
}

/* Append a VMA and where it lies; there is room. */
static void add_vma(struct segmap_layout *layout, struct segmap_vma vma,
		    struct segmap_placement placement)
{
	layout->prediction->placements[layout->n_vmas] = placement;
	layout->vmas[layout->n_vmas++] = vma;
}

/* Groups of VMAs, in the order in which they are shown; images are their own number + FIRST. */
enum group {
	GROUP_PROGRAM,
	GROUP_HEAP,
	GROUP_FIRST_IMAGE, /* of image 1 */
	GROUP_AREAS = 1 << 30,
	GROUP_STACK,
	GROUP_FIXED,
};

/* The anonymous end of a library: the dynamic linker's own memory can merge behind it. */
static bool has_open_end(const struct predictor *predictor, const struct space_vma *vma,
			 size_t object)
{
	return object >= first_library(predictor) && !vma->file &&
	       vma->prot == (PROT_READ | PROT_WRITE);
}

/* Keep which calls made @vma; false if there is no memory. */
static bool add_causes(struct predictor *predictor, const struct space_vma *vma,
		       struct segmap_placement *placement)
{
	enum { MOST = 64 };
	struct segmap_prediction *prediction = predictor->layout->prediction;
	uint32_t calls[MOST];
	size_t n = space_causes(&predictor->space, vma, calls, MOST);

	if (n == SIZE_MAX)
		return false;
	placement->first_cause = (uint32_t)prediction->n_causes;
	for (size_t i = 0; i < n && i < MOST; i++) {
		if (!grow(&prediction->causes, &prediction->cap_causes, prediction->n_causes,
			  sizeof(*prediction->causes)))
			return false;
		prediction->causes[prediction->n_causes++] = calls[i];
		placement->n_causes++;
	}
	return n > 0;
}

static bool add_space_vmas(struct predictor *predictor)
{
	struct segmap_layout *layout = predictor->layout;

	for (size_t i = 0; i < predictor->space.n_vmas; i++) {
		const struct space_vma *from = &predictor->space.vmas[i];
		struct segmap_placement placement = { 0 };
		size_t object;
		struct segmap_vma vma = { .start = from->start, .end = from->end, .off = from->off,
					  .prot = (uint8_t)from->prot, .name = "" };

		if (from->file == STAND_IN)
			continue;
		if (!add_causes(predictor, from, &placement))
			return false;
		object = (size_t)predictor->space.calls[
			layout->prediction->causes[placement.first_cause]].image;
		if (from->file) {
			const struct segmap_backing *backing = &layout->backings[object];

			vma.ino = backing->ino;
			vma.dev_major = (uint16_t)backing->dev_major;
			vma.dev_minor = backing->dev_minor;
			vma.name = backing->path;
		}
		bool floating = layout->prediction->images[object].floating;

		placement.origin = floating ? predictor->loads[object].bias : 0;
		placement.base = floating ? SEGMAP_BASE_IMAGE : SEGMAP_BASE_NONE;
		placement.base_name = layout->prediction->images[object].base;
		placement.group = object ? GROUP_FIRST_IMAGE + (uint32_t)object : GROUP_PROGRAM;
		placement.open_end = has_open_end(predictor, from, object);
		add_vma(layout, vma, placement);
	}
	return true;
}

/* A free place of the model for @size bytes; it is only a stand-in. */
static uint64_t stand_in(struct predictor *predictor, uint64_t size)
{
	uint64_t start = space_find_room(&predictor->space, size);
	struct segmap_call call = { .start = start, .end = start + size, .image = -1,
				    .prot = PROT_READ };

	if (start)
		space_mmap(&predictor->space, &call, STAND_IN);
	return start;
}

/* The last VMA added is the vdso, an image with the short name @base. */
static void place_vdso(struct segmap_layout *layout, uint64_t start, const char *base)
{
	struct segmap_placement *placement =
		&layout->prediction->placements[layout->n_vmas - 1];

	placement->origin = start;
	placement->base = SEGMAP_BASE_IMAGE;
	placement->base_name = base;
}

/* The vdso is an image: segmap's own is the same, where it is of the same class. */
static void add_vdso(struct predictor *predictor, uint64_t start)
{
	struct segmap_layout *layout = predictor->layout;
	struct segmap_forecast *forecast = &layout->prediction->images[layout->n_images];

	layout->images[layout->n_images++] = (struct segmap_image){
		.elf = predictor->world->vdso,
		.backing = -1,
		.role = SEGMAP_ROLE_VDSO,
		.alias_of = -1,
		.bias = start,
	};
	layout->vdso_opened = SEGMAP_OPENED_SELF;
	layout->prediction->n_images = layout->n_images;
	*forecast = (struct segmap_forecast){ .needed_by = -1, .floating = !is_still(predictor) };
	if (!forecast->floating)
		return;
	snprintf(forecast->base, sizeof(forecast->base), "V");
	place_vdso(layout, start, forecast->base);
}

/* vvar, vdso and vsyscall: the same for each program of a class on one kernel. */
static void add_areas(struct predictor *predictor)
{
	const struct segmap_world *world = predictor->world;
	bool own_class = elf_of(predictor, PROGRAM)->class == sizeof(void *) * 8;
	uint64_t at = predictor->areas_start;

	for (size_t i = 0; i < world->n_areas && at; i++) {
		const struct segmap_area *area = &world->areas[i];
		bool fixed = is_fixed(area), known = fixed || is_still(predictor);
		uint64_t start = fixed ? area->start : at;

		if (fixed && !own_class)
			continue;
		add_vma(predictor->layout,
			(struct segmap_vma){ .start = start, .end = start + area->size,
					     .prot = (uint8_t)area->prot, .name = area->name },
			(struct segmap_placement){
				.origin = known ? 0 : predictor->areas_start,
				.base = known ? SEGMAP_BASE_NONE : SEGMAP_BASE_MMAP,
				.base_name = known ? "" : "M",
				.group = fixed ? GROUP_FIXED : GROUP_AREAS,
			});
		if (strcmp(area->name, "[vdso]") == 0 && own_class && world->vdso)
			add_vdso(predictor, start);
		if (!fixed)
			at += area->size;
	}
}

static void add_stack(struct predictor *predictor)
{
	bool still = is_still(predictor);
	uint64_t start = predictor->stack_start;
	int prot = predictor->exec.stack_prot;

	if (space_find(&predictor->space, start) < predictor->space.n_vmas)
		return; /* the program has put something there */
	if (predictor->moment == SEGMAP_MOMENT_ENTRY && predictor->plan.stack_needs_exec)
		prot |= PROT_EXEC;
	add_vma(predictor->layout,
		(struct segmap_vma){ .start = start, .end = predictor->space.limits.task_size,
				     .prot = (uint8_t)prot, .name = "[stack]" },
		(struct segmap_placement){
			.origin = still ? 0 : start,
			.base = still ? SEGMAP_BASE_NONE : SEGMAP_BASE_STACK,
			.base_name = still ? "" : "S",
			.group = GROUP_STACK,
			.label = "larger with long arguments",
		});
}

/*
 * Where the heap starts without randomization: behind the program, or for an
 * ET_DYN without interpreter, since 6.15, at ELF_ET_DYN_BASE (commit
 * 11854fe263eb): two thirds of a 64-bit address space, not rounded before.
 */
static uint64_t still_heap(const struct predictor *predictor)
{
	const struct segmap_world *world = predictor->world;
	bool moved = predictor->exec.brk_moved &&
		     (world->kernel_major > 6 ||
		      (world->kernel_major == 6 && world->kernel_minor >= 15));

	if (!moved)
		return predictor->exec.start_brk;
	if (elf_of(predictor, PROGRAM)->class == 32)
		return 0x56555000;
	return page_up(predictor->space.limits.task_size / 3 * 2,
		       predictor->space.limits.page_size);
}

/* Whether and how far the heap is grown by then is not in the headers. */
static void add_heap(struct predictor *predictor)
{
	enum { FIRST_STEP = 0x21000 }; /* of glibc's malloc: M_TOP_PAD and a page */
	const struct segmap_elf *program = elf_of(predictor, PROGRAM);
	bool is_static = !program->interp, still = is_still(predictor);
	uint64_t size = page_up(FIRST_STEP, predictor->layout->page_size);
	uint64_t start = still ? still_heap(predictor) : stand_in(predictor, size);

	if (predictor->moment != SEGMAP_MOMENT_ENTRY || !start)
		return;
	add_vma(predictor->layout,
		(struct segmap_vma){ .start = start, .end = start + size,
				     .prot = PROT_READ | PROT_WRITE, .name = "[heap]" },
		(struct segmap_placement){
			.origin = still ? 0 : start,
			.base = still ? SEGMAP_BASE_NONE : SEGMAP_BASE_HEAP,
			.base_name = still ? "" : "H",
			.group = GROUP_HEAP,
			.open_end = true,
			.unsure = !is_static || !program->abi_note,
			.label = !is_static ?
				"perhaps: if a constructor allocates" :
				program->abi_note ? "as its start-up allocates" :
						    "perhaps: if its start-up allocates",
		});
}

static int compare_starts(const void *a, const void *b)
{
	const struct segmap_vma *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* A VMA with its placement, for sorting them together. */
struct placed {
	struct segmap_vma vma;
	struct segmap_placement placement;
};

static bool sort_vmas(struct segmap_layout *layout)
{
	struct segmap_placement *placements = layout->prediction->placements;
	scope_free struct placed *sorted = reallocarray(NULL, layout->n_vmas + 1, sizeof(*sorted));

	if (!sorted)
		return false;
	for (size_t i = 0; i < layout->n_vmas; i++)
		sorted[i] = (struct placed){ layout->vmas[i], placements[i] };
	qsort(sorted, layout->n_vmas, sizeof(*sorted), compare_starts); /* vma is the first member */
	for (size_t i = 0; i < layout->n_vmas; i++) {
		layout->vmas[i] = sorted[i].vma;
		placements[i] = sorted[i].placement;
	}
	return true;
}

static bool add_vmas(struct predictor *predictor)
{
	struct segmap_layout *layout = predictor->layout;
	/* And heap, stack and the areas. */
	size_t most = predictor->space.n_vmas + SEGMAP_MAX_AREAS + 2;

	layout->vmas = calloc(most, sizeof(*layout->vmas));
	layout->annotations = calloc(most, sizeof(*layout->annotations));
	layout->prediction->placements =
		calloc(most, sizeof(*layout->prediction->placements));
	if (!layout->vmas || !layout->annotations || !layout->prediction->placements)
		return false;
	layout->cap_vmas = most;
	if (!add_space_vmas(predictor))
		return false;
	if (!predictor->is_library && predictor->fate.end != FATE_REFUSED) {
		add_areas(predictor);
		add_stack(predictor);
		if (predictor->fate.end == FATE_GOES_ON)
			add_heap(predictor);
	}
	if (!sort_vmas(layout))
		return false;
	for (size_t i = 0; i < layout->n_vmas; i++)
		layout->annotations[i].backing = -1;
	for (size_t i = 0; i < layout->n_vmas; i++)
		for (size_t j = 0; j < layout->n_backings && layout->vmas[i].ino; j++)
			if (layout->vmas[i].name == layout->backings[j].path)
				layout->annotations[i].backing = (int32_t)j;
	return true;
}

/* The calls that loading made; the stand-ins are no calls of anyone. */
static void take_calls(struct predictor *predictor, size_t n_calls)
{
	struct segmap_prediction *prediction = predictor->layout->prediction;

	prediction->calls = predictor->space.calls;
	prediction->n_calls = n_calls;
	predictor->space.calls = NULL;
	predictor->space.n_calls = predictor->space.cap_calls = 0;
}

/* ---- what is said beside the map ---- */

static struct segmap_error *note_missing(struct predictor *predictor)
{
	struct segmap_layout *layout = predictor->layout;

	if (lacks_foreign_interpreter(predictor))
		return NULL; /* nothing was looked for */

	for (size_t i = 0; i < predictor->plan.n_missing; i++) {
		const struct plan_missing *missing = &predictor->plan.missing[i];
		struct segmap_error *error = segmap_layout_note(
			layout, "%s, %s%s: %s", missing->name,
			missing->needed_by < 0 ? "to be preloaded" : "needed by ",
			missing->needed_by < 0 ? "" :
				predictor->plan.objects[missing->needed_by].file.path,
			missing->why);

		if (error)
			return error;
	}
	return NULL;
}

static struct segmap_error *note_plan(struct predictor *predictor)
{
	struct segmap_layout *layout = predictor->layout;
	struct segmap_error *error = NULL;

	for (size_t i = 0; i < predictor->plan.n_notes && !error; i++)
		error = segmap_layout_note(layout, "%s", predictor->plan.notes[i]);
	for (size_t i = first_library(predictor); i < n_shown(predictor) && !error; i++)
		if (!predictor->loaded[i] && predictor->fate.end == FATE_GOES_ON)
			error = segmap_layout_note(
				layout, "%s: cannot be mapped as a library, so the dynamic linker "
				"says so and goes on without it",
				predictor->plan.objects[i].file.path);
	return error;
}

static bool has_open_ends(const struct segmap_layout *layout)
{
	for (size_t i = 0; i < layout->n_vmas; i++)
		if (layout->prediction->placements[i].open_end && !layout->vmas[i].name[0])
			return true;
	return false;
}

/* What cannot be known before the run. */
static struct segmap_error *note_unknowns(struct predictor *predictor)
{
	struct segmap_layout *layout = predictor->layout;
	struct segmap_error *error = NULL;
	bool linked = predictor->moment == SEGMAP_MOMENT_ENTRY && !predictor->is_library &&
		      elf_of(predictor, PROGRAM)->interp;

	if (predictor->fate.end != FATE_GOES_ON)
		return NULL;
	if (lacks_foreign_interpreter(predictor))
		return segmap_layout_note(layout,
					  "its interpreter %s is not here: the program alone is "
					  "explained, as execve leaves it",
					  elf_of(predictor, PROGRAM)->interp);
	if (linked && predictor->plan.libc == PLAN_LIBC_UNKNOWN)
		return segmap_layout_note(layout,
					  "%s is neither glibc's nor musl's dynamic linker: what it "
					  "will do is not known, this is the map as execve leaves it",
					  elf_of(predictor, PROGRAM)->interp);
	if (linked)
		error = segmap_layout_note(
			layout, "not known before the run: two or three unnamed pages that the "
				"dynamic linker takes for itself%s",
			has_open_ends(layout) ?
				"; where they come to lie right behind a .bss (+), they are one VMA "
				"with it" :
				"");
	if (!error && linked && predictor->world->kernel_major &&
	    (predictor->world->kernel_major < 6 || (predictor->world->kernel_major == 6 &&
						    predictor->world->kernel_minor < 7)))
		error = segmap_layout_note(layout,
					   "predicted by the rules of Linux 6.7 and later: before, a "
					   ".bss that is not in the last PT_LOAD was mapped otherwise");
	return error;
}

/* Missing libraries and whatever else the plan knows to be the end. */
static struct segmap_error *decide_outcome(struct predictor *predictor)
{
	struct segmap_outcome *outcome = &predictor->layout->prediction->outcome;
	const struct plan *plan = &predictor->plan;

	outcome->by = SEGMAP_ACTOR_PROGRAM;
	if (predictor->fate.end != FATE_GOES_ON && predictor->fate.end != FATE_LEFT_OUT) {
		const struct plan_object *object = &plan->objects[predictor->fate_object];

		return outcome_of_fate(&predictor->fate, predictor->fate_actor, &object->file,
				       plan->objects[PROGRAM].file.elf, outcome);
	}
	if (predictor->not_executable && !predictor->is_library)
		return outcome_of_permission(plan->objects[PROGRAM].file.path, outcome);
	if (predictor->moment != SEGMAP_MOMENT_ENTRY || predictor->foreign)
		return NULL;
	for (size_t i = 0; i < plan->n_missing; i++)
		if (plan->missing[i].needed_by >= 0)
			return outcome_of_missing(plan->missing[i].name,
						  plan->objects[plan->missing[i].needed_by].file.path,
						  outcome);
	return plan->refused ? outcome_of_refusal(plan->refused, outcome) : NULL;
}

static void name_linker(struct predictor *predictor)
{
	char *ret = predictor->layout->prediction->linker;
	const size_t size = sizeof(predictor->layout->prediction->linker);

	if (predictor->plan.libc == PLAN_LIBC_MUSL)
		snprintf(ret, size, "musl");
	else if (predictor->plan.libc == PLAN_LIBC_GLIBC && predictor->plan.glibc_minor)
		snprintf(ret, size, "glibc 2.%u", predictor->plan.glibc_minor);
	else if (predictor->plan.libc == PLAN_LIBC_GLIBC)
		snprintf(ret, size, "glibc");
}

static struct segmap_error *make_layout(struct predictor *predictor)
{
	size_t n_calls = predictor->space.n_calls;
	struct segmap_error *error;

	if (!add_images(predictor) || !add_vmas(predictor) || predictor->space.failed)
		return segmap_error_no_memory();
	take_calls(predictor, n_calls);
	name_linker(predictor);
	predictor->layout->read_implies_exec = predictor->space.read_implies_exec;
	error = decide_outcome(predictor);
	if (!error)
		error = note_missing(predictor);
	if (!error)
		error = note_plan(predictor);
	return error ? error : note_unknowns(predictor);
}

static struct segmap_error *start_layout(struct predictor *predictor, const char *path)
{
	struct segmap_layout *layout;
	struct segmap_error *error = segmap_layout_new(&predictor->layout);

	if (error)
		return error;
	layout = predictor->layout;
	layout->source = SEGMAP_SOURCE_PREDICTION;
	layout->moment = predictor->moment;
	layout->page_size = predictor->world->page_size;
	layout->prediction = calloc(1, sizeof(*layout->prediction));
	if (!layout->prediction || !copy_string(&layout->target, path))
		return segmap_error_no_memory();
	layout->prediction->is_library = predictor->is_library;
	return NULL;
}

/* Why @file cannot be explained. */
static struct segmap_error *no_elf(const char *path, const struct segmap_world_file *file)
{
	const struct segmap_error *why = file->file ? file->file->error : NULL;

	return segmap_error_new(SEGMAP_ERROR_FORMAT, path, "%s",
				why ? why->why :
				      "it is neither an ELF program nor a library, nor a script "
				      "that begins with #!");
}

/*
 * The file that will be loaded. One that may not be executed is explained all
 * the same, and the outcome says that it is refused.
 */
static int open_target(struct predictor *predictor, const char *path,
		       struct segmap_world_file *file, struct script *script)
{
	bool as_library = predictor->options->as == SEGMAP_AS_LIBRARY;
	int errnum = script_follow(predictor->world, path, as_library, file, script);

	if (errnum == EACCES && !as_library && !script->depth) {
		predictor->not_executable = true;
		errnum = script_follow(predictor->world, path, true, file, script);
	}
	return errnum;
}

struct segmap_error *segmap_predict(const struct segmap_world *world, const char *path,
				    const struct segmap_predict_options *options,
				    enum segmap_moment moment, struct segmap_layout **ret)
{
	__attribute__((cleanup(predictor_free))) struct predictor predictor = {
		.world = world, .options = options, .moment = moment,
	};
	struct plan_options plan_options = { .no_deps = options->no_deps };
	struct segmap_world_file file = { 0 };
	struct script script = { 0 };
	struct segmap_error *error;
	int errnum, interp_errnum = 0;

	errnum = open_target(&predictor, path, &file, &script);
	if (errnum == EACCES)
		return segmap_error_new(SEGMAP_ERROR_PERMISSION, script.path[0] ? script.path : path,
					"it may not be read, or is no regular file");
	if (errnum)
		return segmap_error_system(errnum, script.path[0] ? script.path : path, "open");
	if (!file.elf)
		return no_elf(script.path[0] ? script.path : path, &file);
	predictor.foreign = file.elf->foreign;
	predictor.is_library = options->as == SEGMAP_AS_LIBRARY ||
			       (options->as == SEGMAP_AS_IT_IS && !is_program(file.elf));
	error = start_layout(&predictor, path);
	if (error)
		return error;
	plan_options.is_library = predictor.is_library;
	plan_options.foreign = predictor.foreign;
	error = plan_make(world, &plan_options, &file, &interp_errnum, &predictor.plan);
	if (!error)
		error = replay(&predictor, interp_errnum);
	if (!error)
		error = make_layout(&predictor);
	if (!error && file.secure && options->traced)
		error = segmap_layout_note(predictor.layout,
					   "%s would have other privileges than its user (set-user-ID, "
					   "set-group-ID or capabilities): under a tracer it has not, but "
					   "the dynamic linker is as careful as if it had", path);
	if (!error)
		error = script_note(&script, predictor.layout);
	if (!error)
		*ret = return_ptr(predictor.layout);
	return error;
}
