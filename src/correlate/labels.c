/* src/correlate/labels.c - what is known of a VMA beyond its name. */
#include "correlate/labels.h"
#include "base/scope.h"
#include <segmap/text.h>
#include <stdlib.h>
#include <string.h>

/* A thread and the VMA that its stack pointer is in. */
struct standing {
	uint32_t vma;
	int tid;
};

static int compare_standings(const void *a, const void *b)
{
	const struct standing *x = a, *y = b;

	if (x->vma != y->vma)
		return x->vma < y->vma ? -1 : 1;
	return (x->tid > y->tid) - (x->tid < y->tid);
}

/* Memory that a program can have made a stack of; [stack] is known by its name. */
static bool can_be_stack(const struct segmap_layout *layout, size_t vma)
{
	return layout->annotations[vma].image < 0 &&
	       layout->annotations[vma].kind == SEGMAP_KIND_ANON && !layout->vmas[vma].shared;
}

/*
 * pthread_attr_setguardsize(3): pages without access right below the stack,
 * where it grows to (glibc nptl/allocatestack.c, musl src/thread/pthread_create.c).
 */
static bool is_guard(const struct segmap_layout *layout, size_t vma)
{
	return can_be_stack(layout, vma) && !layout->vmas[vma].prot && !layout->vmas[vma].name[0] &&
	       layout->vmas[vma].end == layout->vmas[vma + 1].start;
}

static bool add_label(struct segmap_layout *layout, size_t vma, struct segmap_text *text)
{
	struct segmap_vma_label *labels =
		reallocarray(layout->labels, layout->n_labels + 1, sizeof(*labels));
	char *copy = text->failed ? NULL : strndup(text->bytes, text->size);

	if (labels)
		layout->labels = labels;
	if (!labels || !copy) {
		free(copy);
		return false;
	}
	labels[layout->n_labels++] = (struct segmap_vma_label){ (uint32_t)vma, copy };
	return true;
}

/*
 * "thread stack of 7", "thread stacks of 7, 8": without guards between them the kernel merges them,
 * and with other memory, too. What is larger than stacks are, @bytes, "holds the stack of 7".
 */
static void name_stack(struct segmap_text *text, const struct standing *first, size_t n,
		       uint64_t bytes)
{
	enum { MOST = 8, LARGE = 64 << 20 }; /* threads, bytes of one stack */
	bool holds = bytes / n > LARGE;

	text->size = 0;
	segmap_text_append_trusted(text, holds ? "holds the stack" : "thread stack");
	segmap_text_append_trusted(text, n > 1 ? "s of " : " of ");
	for (size_t i = 0; i < n && i < MOST; i++) {
		if (i)
			segmap_text_append_trusted(text, ", ");
		segmap_text_append_decimal(text, (uint64_t)first[i].tid);
	}
	if (n > MOST) {
		segmap_text_append_trusted(text, " and ");
		segmap_text_append_decimal(text, n - MOST);
		segmap_text_append_trusted(text, " more");
	}
}

/* Label the stack that the @n threads from @first on stand on, and its guard before it. */
static bool label_stack(struct segmap_layout *layout, struct segmap_text *text,
			const struct standing *first, size_t n)
{
	size_t vma = first->vma;

	if (vma && is_guard(layout, vma - 1)) {
		text->size = 0;
		segmap_text_append_trusted(text, "guard");
		if (!add_label(layout, vma - 1, text))
			return false;
	}
	name_stack(text, first, n, segmap_vma_size(&layout->vmas[vma]));
	return add_label(layout, vma, text);
}

bool is_stack(const struct segmap_layout *layout, size_t vma)
{
	const char *label = segmap_layout_label(layout, vma);

	return layout->annotations[vma].kind == SEGMAP_KIND_STACK || (label && strstr(label, "stack"));
}

bool label_threads(struct segmap_layout *layout)
{
	__attribute__((cleanup(segmap_text_free))) struct segmap_text text = { 0 };
	scope_free struct standing *standings =
		reallocarray(NULL, layout->n_threads + 1, sizeof(*standings));
	size_t n = 0;

	if (!standings)
		return false;
	for (size_t i = 0; i < layout->n_threads; i++) {
		int64_t vma = segmap_layout_find(layout, layout->threads[i].sp);

		if (vma >= 0 && can_be_stack(layout, (size_t)vma))
			standings[n++] = (struct standing){ (uint32_t)vma, layout->threads[i].tid };
	}
	qsort(standings, n, sizeof(*standings), compare_standings);
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i; end < n && standings[end].vma == standings[i].vma; end++)
			;
		if (!label_stack(layout, &text, &standings[i], end - i))
			return false;
	}
	return true;
}
