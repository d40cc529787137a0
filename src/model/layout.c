/* src/model/layout.c - VMAs, images and pieces together. */
#include "model/layout.h"
#include "base/scope.h"
#include <segmap/at.h>
#include <segmap/audit.h>
#include <segmap/compare.h>
#include <segmap/summary.h>
#include <segmap/trace.h>
#include <segmap/watch.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct segmap_error *segmap_layout_new(struct segmap_layout **ret)
{
	struct segmap_layout *layout = calloc(1, sizeof(*layout));

	if (!layout)
		return segmap_error_no_memory();
	layout->vdso_vma = -1;
	layout->pagemap = -1;
	*ret = layout;
	return NULL;
}

static void prediction_free(struct segmap_prediction *prediction)
{
	if (!prediction)
		return;
	for (size_t i = 0; i < prediction->n_images; i++) {
		free(prediction->images[i].found);
		free(prediction->images[i].asked);
	}
	free(prediction->images);
	free(prediction->placements);
	free(prediction->calls);
	free(prediction->causes);
	free(prediction->outcome.reason);
	free(prediction);
}

void segmap_layout_free(struct segmap_layout *layout)
{
	if (!layout)
		return;
	for (size_t i = 0; i < layout->n_backings; i++) {
		free(layout->backings[i].path);
		free(layout->backings[i].path_build_id);
		segmap_error_free(layout->backings[i].error);
	}
	for (size_t i = 0; i < layout->n_notes; i++)
		free(layout->notes[i]);
	for (size_t i = 0; i < layout->n_labels; i++)
		free(layout->labels[i].text);
	free(layout->labels);
	free(layout->displaced);
	free(layout->threads);
	prediction_free(layout->prediction);
	segmap_comparison_free(layout->comparison);
	segmap_trace_free(layout->trace);
	segmap_followed_free(layout->followed);
	segmap_evidence_free(layout->evidence);
	segmap_audit_free(layout->audit);
	segmap_elf_free(layout->vdso);
	for (size_t i = 0; i < layout->n_elfs; i++)
		segmap_elf_free(layout->elfs[i]);
	free(layout->elfs);
	free(layout->vdso_bytes);
	free(layout->comm);
	free(layout->command);
	free(layout->target);
	free(layout->vmas);
	free(layout->dumped);
	for (size_t i = 0; i < layout->n_answers; i++)
		segmap_answer_free(&layout->answers[i]);
	free(layout->answers);
	free(layout->annotations);
	free(layout->backings);
	free(layout->images);
	free(layout->pieces);
	free(layout->notes);
	for (struct segmap_names *names = layout->names, *next; names; names = next) {
		next = names->next;
		free(names);
	}
	free(layout->vma_lists);
	segmap_memory_free(layout->memory);
	if (layout->pagemap >= 0)
		close(layout->pagemap);
	free(layout);
}

struct segmap_error *segmap_layout_note(struct segmap_layout *layout, const char *format, ...)
{
	va_list arguments;
	char *note;
	int length;

	if (!grow(&layout->notes, &layout->cap_notes, layout->n_notes, sizeof(*layout->notes)))
		return segmap_error_no_memory();
	va_start(arguments, format);
	length = vasprintf(&note, format, arguments);
	va_end(arguments);
	if (length < 0)
		return segmap_error_no_memory();
	layout->notes[layout->n_notes++] = note;
	return NULL;
}

size_t layout_first_behind(const struct segmap_layout *layout, uint64_t addr)
{
	size_t low = 0, high = layout->n_vmas;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (layout->vmas[middle].end > addr)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

int64_t segmap_layout_find(const struct segmap_layout *layout, uint64_t addr)
{
	size_t at = layout_first_behind(layout, addr);

	return at < layout->n_vmas && layout->vmas[at].start <= addr ? (int64_t)at : -1;
}

const char *segmap_layout_label(const struct segmap_layout *layout, size_t vma)
{
	size_t low = 0, high = layout->n_labels;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (layout->labels[middle].vma < vma)
			low = middle + 1;
		else
			high = middle;
	}
	return low < layout->n_labels && layout->labels[low].vma == vma ? layout->labels[low].text :
									  NULL;
}

const char *layout_keep_name(struct segmap_layout *layout, const char *name)
{
	enum { BLOCK_SIZE = 16384 };
	struct segmap_names *names = layout->names;
	size_t size = strlen(name) + 1;
	char *kept;

	if (!name[0])
		return "";
	if (!names || names->size - names->used < size) {
		size_t block = size > BLOCK_SIZE ? size : BLOCK_SIZE;

		names = malloc(sizeof(*names) + block);
		if (!names)
			return NULL;
		*names = (struct segmap_names){ .next = layout->names, .size = block };
		layout->names = names;
	}
	kept = memcpy(names->bytes + names->used, name, size);
	names->used += size;
	return kept;
}

bool backing_has_code(const struct segmap_layout *layout, const struct segmap_backing *backing)
{
	for (uint32_t i = 0; i < backing->n_vmas; i++)
		if (segmap_vma_may_execute(&layout->vmas[backing->vmas[i]]))
			return true;
	return false;
}

struct segmap_placement segmap_layout_call_placement(const struct segmap_layout *layout,
						     const struct segmap_call *call)
{
	struct segmap_placement nowhere = { .base_name = "" };
	const struct segmap_forecast *forecast;

	if (call->image < 0 || call->reason == SEGMAP_REASON_STACK_EXEC) {
		for (size_t i = 0; i < layout->n_vmas; i++)
			if (layout->vmas[i].start <= call->start &&
			    call->start < layout->vmas[i].end)
				return layout->prediction->placements[i];
		return nowhere;
	}
	forecast = &layout->prediction->images[call->image];
	if (!forecast->floating)
		return nowhere;
	return (struct segmap_placement){ .origin = layout->images[call->image].bias,
					  .base = SEGMAP_BASE_IMAGE,
					  .base_name = forecast->base };
}

const char *segmap_layout_image_path(const struct segmap_layout *layout, int32_t index)
{
	int32_t backing = layout->images[index].backing;

	return backing < 0 ? "[vdso]" : layout->backings[backing].path;
}

enum segmap_status segmap_layout_image_status(const struct segmap_layout *layout, int32_t index)
{
	int32_t backing = layout->images[index].backing;

	return backing < 0 ? SEGMAP_STATUS_OK : layout->backings[backing].status;
}

enum segmap_class segmap_piece_class(const struct segmap_layout *layout,
				     const struct segmap_piece *piece)
{
	const struct segmap_elf *elf = piece->image < 0 ? NULL : layout->images[piece->image].elf;
	int prot;

	if (!elf || piece->segment < 0 || piece->kind == SEGMAP_PIECE_GAP)
		return SEGMAP_CLASS_OTHER;
	prot = elf->segments[piece->segment].prot;
	if (prot & PROT_EXEC)
		return SEGMAP_CLASS_CODE;
	if (!(prot & PROT_WRITE))
		return SEGMAP_CLASS_RODATA;
	if (piece->expected_prot != SEGMAP_NO_PROT && !(piece->expected_prot & PROT_WRITE))
		return SEGMAP_CLASS_RELRO;
	return piece->off == SEGMAP_NO_OFF ? SEGMAP_CLASS_BSS : SEGMAP_CLASS_DATA;
}

bool segmap_vma_is_mixed(const struct segmap_layout *layout, size_t vma)
{
	const struct segmap_annotation *annotation = &layout->annotations[vma];
	const struct segmap_piece *pieces = segmap_layout_pieces(layout, annotation), *last;
	enum segmap_class first;

	if (annotation->n_pieces < 2)
		return false;
	last = pieces + annotation->n_pieces - 1;
	/* Mostly all are of one segment that cannot be written to: then it is that one's class. */
	first = segmap_piece_class(layout, pieces);
	if ((first == SEGMAP_CLASS_CODE || first == SEGMAP_CLASS_RODATA) &&
	    last->image == pieces->image && last->segment == pieces->segment)
		return false;
	for (const struct segmap_piece *piece = pieces + 1; piece <= last; piece++)
		if (piece->image != pieces->image || segmap_piece_class(layout, piece) != first)
			return true;
	return false;
}
