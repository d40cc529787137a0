/* src/correlate/spans.c - stretches of memory of one nature, side by side. */
#include "correlate/spans.h"
#include "base/range.h"
#include "base/scope.h"
#include "correlate/kinds.h"

static bool add_span(struct spans *spans, struct span span)
{
	struct span *last = spans->n ? &spans->array[spans->n - 1] : NULL;

	/* Addresses of an image that no bias fits can wrap: there is nothing to compare. */
	if (span.start >= span.end)
		return true;
	if (last && last->vma == span.vma && last->image == span.image && last->end == span.start &&
	    last->segment == span.segment) {
		last->end = span.end;
		return true;
	}
	if (!grow(&spans->array, &spans->capacity, spans->n, sizeof(*spans->array)))
		return false;
	spans->array[spans->n++] = span;
	return true;
}

static int compare_spans(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->image != y->image)
		return x->image < y->image ? -1 : 1;
	return (x->start > y->start) - (x->start < y->start);
}

static struct span span_of_vma(const struct segmap_layout *layout, size_t index)
{
	const struct segmap_vma *vma = &layout->vmas[index];
	bool is_file = is_of_file(vma);

	return (struct span){ .start = vma->start,
			      .end = vma->end,
			      .off = is_file ? vma->off : 0,
			      .image = -1,
			      .segment = -1,
			      .vma = index,
			      .prot = vma->prot,
			      .unknown_prot = vma->unknown_prot,
			      .shared = vma->shared,
			      .unknown_shared = vma->unknown_shared,
			      .is_file = is_file };
}

/* The pieces of VMA @index that belong to an image. */
static bool add_pieces(const struct segmap_layout *layout, size_t index, struct spans *spans)
{
	const struct segmap_annotation *annotation = &layout->annotations[index];
	const struct segmap_vma *vma = &layout->vmas[index];

	for (uint32_t i = 0; i < annotation->n_pieces; i++) {
		const struct segmap_piece *piece = &layout->pieces[annotation->first_piece + i];
		struct span span = span_of_vma(layout, index);
		uint64_t bias;

		if (piece->image < 0)
			continue;
		bias = layout->images[piece->image].bias;
		span.image = piece->image;
		span.segment = piece->segment;
		span.start = segmap_vaddr(piece->start, bias);
		span.end = segmap_vaddr(piece->end, bias);
		if (span.is_file)
			span.off += piece->start - vma->start;
		if (!add_span(spans, span))
			return false;
	}
	return true;
}

bool spans_of_images(const struct segmap_layout *layout, struct spans *ret)
{
	for (size_t i = 0; i < layout->n_vmas; i++)
		if (!add_pieces(layout, i, ret))
			return false;
	if (ret->n)
		qsort(ret->array, ret->n, sizeof(*ret->array), compare_spans);
	return true;
}

bool spans_of_vmas(const struct segmap_layout *layout, struct spans *ret)
{
	for (size_t i = 0; i < layout->n_vmas; i++)
		if (!add_span(ret, span_of_vma(layout, i)))
			return false;
	return true;
}

void spans_free(struct spans *spans)
{
	free(spans->array);
	*spans = (struct spans){ 0 };
}

/* The first of the spans, which ascend by image, whose image is not before @image. */
static size_t first_from(const struct spans *spans, int64_t image)
{
	size_t low = 0, high = spans->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (spans->array[middle].image < image)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t spans_find(const struct spans *spans, int32_t image, size_t *n)
{
	size_t first = first_from(spans, image);

	*n = first_from(spans, (int64_t)image + 1) - first;
	return first;
}

/* Spans that are still to come. */
struct rest {
	const struct span *at, *end;
};

static struct rest rest_of(const struct spans *spans, int32_t image)
{
	size_t n, first = spans_find(spans, image, &n);

	return n ? (struct rest){ spans->array + first, spans->array + first + n } :
		   (struct rest){ NULL, NULL };
}

/* The span at @addr, or NULL; *@until is lowered to where that changes. */
static const struct span *span_at(struct rest *rest, uint64_t addr, uint64_t *until)
{
	while (rest->at < rest->end && rest->at->end <= addr)
		rest->at++;
	if (rest->at == rest->end)
		return NULL;
	if (rest->at->start > addr) {
		*until = min_u64(*until, rest->at->start);
		return NULL;
	}
	*until = min_u64(*until, rest->at->end);
	return rest->at;
}

void spans_walk(const struct spans *a, int32_t of_a, const struct spans *b, int32_t of_b,
		void (*visit)(void *context, uint64_t start, uint64_t end, const struct span *a,
			      const struct span *b),
		void *context)
{
	struct rest rest_a = rest_of(a, of_a), rest_b = rest_of(b, of_b);
	uint64_t at = 0;

	while (rest_a.at < rest_a.end || rest_b.at < rest_b.end) {
		uint64_t until = UINT64_MAX;
		const struct span *x = span_at(&rest_a, at, &until);
		const struct span *y = span_at(&rest_b, at, &until);

		if (x || y)
			visit(context, at, until, x, y);
		at = until;
	}
}
