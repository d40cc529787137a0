/* src/correlate/correlate.c - from VMAs and parsed files to images, and on to pieces. */
#include "base/idmap.h"
#include "base/range.h"
#include "base/scope.h"
#include "correlate/annotate.h"
#include "correlate/bias.h"
#include "correlate/displaced.h"
#include "correlate/kinds.h"
#include "correlate/labels.h"
#include "model/layout.h"
#include <elf.h>
#include <segmap/limits.h>
#include <string.h>

/* What one correlation works with. */
struct correlation {
	struct segmap_layout *layout;
	struct extents **extents; /* one for each ELF object; freed at the end */
	size_t n_extents, extents_capacity;
	const struct extents **of_image; /* for each image; NULL without an ELF object */
	size_t of_image_capacity;
	unsigned char *claimed; /* for each VMA */
	size_t lookups_left;	/* see MOST_LOOKUPS */
	size_t segments_left;	/* that images may have, all together */
	size_t cuts_left;	/* of VMAs into pieces */
};

static void correlation_free(struct correlation *correlation)
{
	for (size_t i = 0; i < correlation->n_extents; i++) {
		extents_free(correlation->extents[i]);
		free(correlation->extents[i]);
	}
	free(correlation->extents);
	free(correlation->of_image);
	free(correlation->claimed);
}

static bool add_image(struct correlation *correlation, struct segmap_image image,
		      const struct extents *extents)
{
	struct segmap_layout *layout = correlation->layout;

	if (!grow(&layout->images, &layout->cap_images, layout->n_images,
		  sizeof(*layout->images)) ||
	    !grow(&correlation->of_image, &correlation->of_image_capacity, layout->n_images,
		  sizeof(*correlation->of_image)))
		return false;
	correlation->of_image[layout->n_images] = extents;
	layout->images[layout->n_images++] = image;
	return true;
}

/* The extents of @elf; the correlation owns them. NULL if there is no memory. */
static struct extents *make_extents(struct correlation *correlation, const struct segmap_elf *elf)
{
	struct extents *extents = malloc(sizeof(*extents));

	if (!extents || !extents_make(elf, extents)) {
		free(extents);
		return NULL;
	}
	if (!grow(&correlation->extents, &correlation->extents_capacity, correlation->n_extents,
		  sizeof(struct extents *))) {
		extents_free(extents);
		free(extents);
		return NULL;
	}
	correlation->extents[correlation->n_extents++] = extents;
	return extents;
}

/*
 * A VMA of a loaded file that no load explains, alone and executable: a second
 * mapping of its code (V8 makes one in every node process). It becomes an
 * image of role alias with the bias that its file bytes would have.
 */
static bool add_aliases(struct correlation *correlation, int32_t backing_index,
			const struct extents *extents)
{
	struct segmap_layout *layout = correlation->layout;
	const struct segmap_backing *backing = &layout->backings[backing_index];
	const struct segmap_elf *elf = extents->elf;

	for (uint32_t i = 0; i < backing->n_vmas; i++) {
		const struct segmap_vma *vma = &layout->vmas[backing->vmas[i]];
		uint64_t off = vma->off - elf->elf_off;

		if (correlation->claimed[backing->vmas[i]] || !(vma->prot & PROT_EXEC) ||
		    vma->off < elf->elf_off)
			continue;
		if (!may_look(&correlation->lookups_left, elf->n_segments))
			break;
		for (size_t j = 0; j < elf->n_segments; j++) {
			const struct segmap_segment *load = &elf->segments[j];
			uint64_t into = off - load->map_off;

			if (load->type != SEGMAP_SEGMENT_LOAD || !load->mappable ||
			    !(load->prot & PROT_EXEC) || off < load->map_off ||
			    into >= load->file_end - load->map_start)
				continue;
			if (!may_look(&correlation->segments_left, elf->n_segments))
				return true;
			correlation->claimed[backing->vmas[i]] = 1;
			if (!add_image(correlation,
				       (struct segmap_image){
					       .elf = elf,
					       .backing = backing_index,
					       .role = SEGMAP_ROLE_ALIAS,
					       .alias_of = -1,
					       .bias = vma->start - (load->map_start + into),
					       .start = vma->start,
					       .end = vma->end,
				       },
				       extents))
				return false;
			break;
		}
	}
	return true;
}

/*
 * Where a load of @extents at @bias ends: behind its last PT_LOAD, or what musl
 * maps of the file behind that.
 */
static uint64_t end_of_image(const struct segmap_layout *layout, int32_t backing,
			     const struct extents *extents, uint64_t bias)
{
	uint64_t last = extents->array[extents->n - 1].end, end = segmap_addr(last, bias);
	int64_t at = segmap_layout_find(layout, end);

	if (at < 0 || layout->annotations[at].backing != backing ||
	    !bias_is_reserved(extents, &layout->vmas[at], end, bias))
		return end;
	return end + min_u64(layout->vmas[at].end - end, extents->span_end - last);
}

/* All images of the ELF objects in one file. */
static bool find_images(struct correlation *correlation, int32_t backing_index)
{
	struct segmap_layout *layout = correlation->layout;
	const struct segmap_backing *backing = &layout->backings[backing_index];
	const struct segmap_file *file = backing->file;

	for (size_t i = 0; file && i < file->n_elfs; i++) {
		struct extents *extents = make_extents(correlation, file->elfs[i]);
		__attribute__((cleanup(biases_free))) struct biases biases = { 0 };

		if (!extents ||
		    !biases_find(layout, backing, extents, correlation->claimed,
				 &correlation->lookups_left, &biases))
			return false;
		for (size_t j = 0; j < biases.n &&
				   may_look(&correlation->segments_left, extents->elf->n_segments);
		     j++) {
			struct segmap_image image = {
				.elf = file->elfs[i],
				.backing = backing_index,
				.role = SEGMAP_ROLE_LIBRARY,
				.alias_of = -1,
				.bias = biases.array[j],
				.start = segmap_addr(extents->array[0].start, biases.array[j]),
				.end = end_of_image(layout, backing_index, extents,
						    biases.array[j]),
			};

			if (!add_image(correlation, image, extents))
				return false;
		}
		if (biases.n && !add_aliases(correlation, backing_index, extents))
			return false;
	}
	return true;
}

static bool add_vdso(struct correlation *correlation)
{
	struct segmap_layout *layout = correlation->layout;
	const struct segmap_vma *vma;
	struct extents *extents;

	if (!layout->vdso || layout->vdso_vma < 0)
		return true;
	extents = make_extents(correlation, layout->vdso);
	if (!extents)
		return false;
	if (!extents->n)
		return true;
	vma = &layout->vmas[layout->vdso_vma];
	return add_image(correlation,
			 (struct segmap_image){
				 .elf = layout->vdso,
				 .backing = -1,
				 .role = SEGMAP_ROLE_VDSO,
				 .alias_of = -1,
				 .bias = vma->start - extents->array[0].start,
				 .start = vma->start,
				 .end = vma->end,
			 },
			 extents);
}

/* Files with code that could not be read or parsed are images too, of which nothing is known. */
static bool add_unknown(struct correlation *correlation, int32_t backing_index)
{
	struct segmap_layout *layout = correlation->layout;
	const struct segmap_backing *backing = &layout->backings[backing_index];

	if ((backing->file && backing->file->n_elfs) ||
	    (backing->status != SEGMAP_STATUS_UNREADABLE &&
	     backing->status != SEGMAP_STATUS_MALFORMED &&
	     backing->status != SEGMAP_STATUS_REPLACED &&
	     backing->status != SEGMAP_STATUS_TRUNCATED) ||
	    !backing_has_code(layout, backing))
		return true;
	return add_image(correlation,
			 (struct segmap_image){
				 .backing = backing_index,
				 .role = SEGMAP_ROLE_LIBRARY,
				 .alias_of = -1,
				 .start = layout->vmas[backing->vmas[0]].start,
				 .end = layout->vmas[backing->vmas[backing->n_vmas - 1]].end,
			 },
			 NULL);
}

/* The images of a prediction are known: only where each begins and ends is not. */
static bool take_images(struct correlation *correlation)
{
	struct segmap_layout *layout = correlation->layout;

	for (size_t i = 0; i < layout->n_images; i++) {
		struct segmap_image *image = &layout->images[i];
		struct extents *extents = make_extents(correlation, image->elf);

		if (!extents || !grow(&correlation->of_image, &correlation->of_image_capacity, i,
				      sizeof(*correlation->of_image)))
			return false;
		correlation->of_image[i] = extents;
		image->start = image->end = image->bias;
		if (!extents->n)
			continue;
		image->start = segmap_addr(extents->array[0].start, image->bias);
		image->end = end_of_image(layout, image->backing, extents, image->bias);
	}
	return true;
}

/* An image and its extents, for sorting them together. */
struct sortable {
	struct segmap_image image;
	const struct extents *extents;
	uint32_t given; /* its index before */
};

static int compare_images(const void *a, const void *b)
{
	const struct segmap_image *x = &((const struct sortable *)a)->image;
	const struct segmap_image *y = &((const struct sortable *)b)->image;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->backing > y->backing) - (x->backing < y->backing);
}

/* Sort them by address. @given, if not NULL, becomes the index that each had before. */
static bool sort_images(struct correlation *correlation, uint32_t *given)
{
	struct segmap_layout *layout = correlation->layout;
	scope_free struct sortable *sorted =
		reallocarray(NULL, layout->n_images + 1, sizeof(*sorted));

	if (!sorted)
		return false;
	for (size_t i = 0; i < layout->n_images; i++)
		sorted[i] = (struct sortable){ layout->images[i], correlation->of_image[i],
					       (uint32_t)i };
	qsort(sorted, layout->n_images, sizeof(*sorted), compare_images);
	for (size_t i = 0; i < layout->n_images; i++) {
		layout->images[i] = sorted[i].image;
		correlation->of_image[i] = sorted[i].extents;
		if (given)
			given[i] = sorted[i].given;
	}
	return true;
}

/*
 * A saved map tells of neither. A program has a fixed address, or it names an
 * interpreter and has no name as a library; the interpreter is the image that has
 * the name that the program has for it.
 */
static void guess_roles(struct segmap_layout *layout)
{
	const char *interp = NULL;

	for (size_t i = 0; i < layout->n_images && !interp; i++) {
		struct segmap_image *image = &layout->images[i];
		const struct segmap_elf *elf = image->elf;

		if (!elf || image->role != SEGMAP_ROLE_LIBRARY ||
		    (elf->type != ET_EXEC && (!elf->interp || elf->soname)))
			continue;
		image->role = SEGMAP_ROLE_PROGRAM;
		interp = elf->interp ? elf->interp : "";
	}
	interp = interp ? strrchr(interp, '/') : NULL;
	for (size_t i = 0; i < layout->n_images && interp; i++) {
		struct segmap_image *image = &layout->images[i];
		const char *path = segmap_layout_image_path(layout, (int32_t)i);
		const char *base = strrchr(path, '/'), *soname;

		if (!image->elf || image->role != SEGMAP_ROLE_LIBRARY || !base)
			continue;
		/* The file can be known by its own name: interp is a link then. musl's is its
		 * libc. */
		soname = image->elf->soname ? image->elf->soname : "";
		if (strcmp(base, interp) == 0 || strcmp(soname, interp + 1) == 0 ||
		    (strncmp(interp, "/ld-musl-", 9) == 0 && strcmp(base, "/libc.so") == 0)) {
			image->role = SEGMAP_ROLE_INTERPRETER;
			break;
		}
	}
}

/*
 * Which image is the program, which the interpreter. The auxiliary vector says
 * where the kernel put both; without it /proc/PID/exe knows the program's file.
 */
static void assign_roles(struct segmap_layout *layout)
{
	bool has_program = false;

	for (size_t i = 0; i < layout->n_images; i++) {
		struct segmap_image *image = &layout->images[i];

		if (image->role != SEGMAP_ROLE_LIBRARY)
			continue;
		if (layout->auxv_phdr >= image->start && layout->auxv_phdr < image->end) {
			image->role = SEGMAP_ROLE_PROGRAM;
			has_program = true;
		} else if (layout->auxv_base && image->elf && image->bias == layout->auxv_base) {
			image->role = SEGMAP_ROLE_INTERPRETER;
		}
	}
	if (!layout->auxv_phdr && !layout->exe_ino &&
	    (layout->source == SEGMAP_SOURCE_MAPS || layout->source == SEGMAP_SOURCE_CORE)) {
		guess_roles(layout);
		return;
	}
	for (size_t i = 0; i < layout->n_images && !has_program && layout->exe_ino; i++) {
		struct segmap_image *image = &layout->images[i];

		if (image->role == SEGMAP_ROLE_LIBRARY && image->backing >= 0 &&
		    layout->backings[image->backing].ino == layout->exe_ino) {
			image->role = SEGMAP_ROLE_PROGRAM;
			break;
		}
	}
}

/* An alias is one of the first load of the same ELF object. */
static bool link_aliases(struct segmap_layout *layout)
{
	struct idmap firsts = { 0 };
	bool done = true;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < layout->n_images && done; i++) {
			struct segmap_image *image = &layout->images[i];
			uint32_t first;

			if (!image->elf || (image->role == SEGMAP_ROLE_ALIAS) != (pass == 1))
				continue;
			done = idmap_find_or_add(&firsts, (uintptr_t)image->elf, 0, (uint32_t)i,
						 &first);
			if (done && pass == 1)
				image->alias_of = (int32_t)first;
		}
	}
	idmap_free(&firsts);
	return done;
}

static void rename_image(int32_t *image, const uint32_t *given)
{
	if (*image >= 0)
		*image = (int32_t)given[*image];
}

/* Give images the indices back that they had: @given[i] is that of the i-th by address. */
static bool restore_images(struct segmap_layout *layout, const uint32_t *given)
{
	scope_free struct segmap_image *restored =
		reallocarray(NULL, layout->n_images + 1, sizeof(*restored));

	if (!restored)
		return false;
	for (size_t i = 0; i < layout->n_images; i++)
		restored[given[i]] = layout->images[i];
	memcpy(layout->images, restored, layout->n_images * sizeof(*restored));
	for (size_t i = 0; i < layout->n_vmas; i++)
		rename_image(&layout->annotations[i].image, given);
	for (size_t i = 0; i < layout->n_pieces; i++)
		rename_image(&layout->pieces[i].image, given);
	return true;
}

/* A predicted VMA and all that is known of it, for sorting them together. */
struct shown_vma {
	struct segmap_vma vma;
	struct segmap_annotation annotation;
	struct segmap_placement placement;
};

static int compare_shown(const void *a, const void *b)
{
	const struct shown_vma *x = a, *y = b;

	if (x->placement.group != y->placement.group)
		return x->placement.group < y->placement.group ? -1 : 1;
	return (x->vma.start > y->vma.start) - (x->vma.start < y->vma.start);
}

/* Predicted VMAs are shown in the order of loading, group by group. */
static bool group_vmas(struct segmap_layout *layout)
{
	struct segmap_placement *placements = layout->prediction->placements;
	scope_free struct shown_vma *sorted =
		reallocarray(NULL, layout->n_vmas + 1, sizeof(*sorted));

	if (!sorted)
		return false;
	for (size_t i = 0; i < layout->n_vmas; i++)
		sorted[i] = (struct shown_vma){ layout->vmas[i], layout->annotations[i],
						placements[i] };
	qsort(sorted, layout->n_vmas, sizeof(*sorted), compare_shown);
	for (size_t i = 0; i < layout->n_vmas; i++) {
		layout->vmas[i] = sorted[i].vma;
		layout->annotations[i] = sorted[i].annotation;
		placements[i] = sorted[i].placement;
	}
	return true;
}

/* Of a prediction images and roles are known, and the order is that of loading. */
static bool correlate_prediction(struct correlation *correlation)
{
	struct segmap_layout *layout = correlation->layout;
	scope_free uint32_t *given = reallocarray(NULL, layout->n_images + 1, sizeof(*given));

	return given && take_images(correlation) && sort_images(correlation, given) &&
	       annotate(layout, correlation->of_image, &correlation->cuts_left) && restore_images(layout, given) &&
	       group_vmas(layout);
}

/* Say what was left out because there was too much of it. */
static struct segmap_error *note_bounds(const struct correlation *correlation)
{
	struct segmap_layout *layout = correlation->layout;
	struct segmap_error *error = NULL;

	if (!correlation->lookups_left || !correlation->segments_left)
		error = segmap_layout_note(layout,
					   "a file is mapped in too many ways to try them all: "
					   "some of its VMAs are shown as plain files");
	if (!error && !correlation->cuts_left)
		error = segmap_layout_note(layout, "there are more than %d sections in its VMAs: "
						   "the last VMAs are not cut into them",
					   SEGMAP_MAX_PIECES);
	return error;
}

struct segmap_error *segmap_layout_correlate(struct segmap_layout *layout)
{
	__attribute__((cleanup(correlation_free))) struct correlation correlation = {
		.layout = layout,
		.lookups_left = MOST_LOOKUPS,
		.segments_left = SEGMAP_MAX_IMAGE_SEGMENTS,
		.cuts_left = SEGMAP_MAX_PIECES,
	};

	if (layout->prediction)
		return correlate_prediction(&correlation) ? note_bounds(&correlation) :
							    segmap_error_no_memory();
	correlation.claimed = calloc(layout->n_vmas + 1, 1);
	if (!correlation.claimed)
		return segmap_error_no_memory();
	for (size_t i = 0; i < layout->n_backings; i++)
		if (!find_images(&correlation, (int32_t)i) || !add_unknown(&correlation, (int32_t)i))
			return segmap_error_no_memory();
	if (!add_vdso(&correlation) || !sort_images(&correlation, NULL))
		return segmap_error_no_memory();
	assign_roles(layout);
	if (!link_aliases(layout) || !annotate(layout, correlation.of_image, &correlation.cuts_left) ||
	    !displaced_find(layout, correlation.of_image, &correlation.lookups_left) ||
	    !label_threads(layout))
		return segmap_error_no_memory();
	return note_bounds(&correlation);
}
