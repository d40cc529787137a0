/* src/predict/forecast.c - from the space that a replay has left to a layout. */
#include "base/range.h"
#include "base/scope.h"
#include "predict/predictor.h"
#include <elf.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

/* Whether the bias that the model has for object @object is the one that a run will have. */
static bool is_floating(const struct predictor *predictor, size_t object)
{
	if (predictor->is_library)
		return true;
	if (object == PROGRAM && elf_of(predictor, object)->type == ET_EXEC)
		return false;
	if (object == PROGRAM)
		return !is_still(predictor) || predictor->exec.program_unsure;
	/* Where libraries go depends on what ld.so has mapped for itself in between. */
	return !is_still(predictor) || predictor->exec.interp_unsure || object > INTERPRETER ||
	       !predictor->plan.has_interpreter;
}

/* Whether the kernel's own pages have the model's addresses: they are below what mmap placed. */
static bool areas_are_still(const struct predictor *predictor)
{
	return is_still(predictor) && !predictor->exec.program_unsure &&
	       !predictor->exec.interp_unsure;
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

	/* One more for the vdso; and no array is of nothing, which calloc() may have no memory for. */
	layout->images = calloc(n + 1, sizeof(*layout->images));
	layout->backings = calloc(n + 1, sizeof(*layout->backings));
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
	*forecast = (struct segmap_forecast){ .needed_by = -1,
					     .floating = !areas_are_still(predictor) };
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
		bool fixed = is_fixed(area), known = fixed || areas_are_still(predictor);
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
	bool needs_exec = predictor->moment == SEGMAP_MOMENT_ENTRY &&
			  predictor->plan.stack_needs_exec;

	if (space_find(&predictor->space, start) < predictor->space.n_vmas)
		return; /* the program has put something there */
	if (needs_exec)
		prot |= PROT_EXEC;
	add_vma(predictor->layout,
		(struct segmap_vma){ .start = start, .end = predictor->space.limits.task_size,
				     .prot = (uint8_t)prot, .name = "[stack]" },
		(struct segmap_placement){
			.origin = still ? 0 : start,
			.base = still ? SEGMAP_BASE_NONE : SEGMAP_BASE_STACK,
			.base_name = still ? "" : "S",
			.group = GROUP_STACK,
			.label = needs_exec ? "its last pages, arguments and environment, can stay rw-" :
				 predictor->stack_is_cut ? NULL : "larger with long arguments",
		});
}

/*
 * Whether the heap starts at a known place: not that of an ET_DYN without interpreter
 * before 6.15, whose rule (commit 11854fe263eb) some kernels of older series have, too
 * (6.1.140, 6.6.92).
 */
static bool heap_is_still(const struct predictor *predictor)
{
	const struct segmap_world *world = predictor->world;

	return is_still(predictor) &&
	       (!predictor->exec.brk_moved || world->kernel_major > 6 ||
		(world->kernel_major == 6 && world->kernel_minor >= 15));
}

/*
 * Where the heap starts without randomization: behind the program, or for an
 * ET_DYN without interpreter at ELF_ET_DYN_BASE: two thirds of a 64-bit address
 * space, not rounded before.
 */
static uint64_t still_heap(const struct predictor *predictor)
{
	if (!predictor->exec.brk_moved)
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
	bool is_static = !program->interp, still = heap_is_still(predictor);
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

bool forecast(struct predictor *predictor)
{
	size_t n_calls = predictor->space.n_calls;

	if (!add_images(predictor) || !add_vmas(predictor) || predictor->space.failed)
		return false;
	take_calls(predictor, n_calls);
	name_linker(predictor);
	predictor->layout->read_implies_exec = predictor->space.read_implies_exec;
	return true;
}
