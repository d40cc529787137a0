/* src/correlate/follow.c - two maps of one process, by addresses. */
#include <segmap/watch.h>
#include "base/range.h"
#include "base/scope.h"
#include "correlate/kinds.h"
#include "correlate/spans.h"
#include <string.h>

struct following {
	const struct segmap_layout *before, *after;
	struct segmap_followed *result;
	uint64_t *fresh;  /* bytes of each VMA of after that were not mapped before */
	uint64_t *gone;	  /* bytes of each VMA of before that are mapped no more */
	uint32_t *became; /* of each VMA of before: one that has some of it still */
	bool failed;	  /* out of memory */
};

/* Whether both are the same mapping, as far as both cover the same addresses. */
static bool is_same(const struct following *following, const struct span *a, const struct span *b)
{
	const struct segmap_vma *x = &following->before->vmas[a->vma];
	const struct segmap_vma *y = &following->after->vmas[b->vma];

	if (x->ino != y->ino || x->dev_major != y->dev_major || x->dev_minor != y->dev_minor ||
	    x->shared != y->shared)
		return false;
	if (x->ino)
		return a->off - a->start == b->off - b->start;
	return (is_anonymous(x) && is_anonymous(y)) || strcmp(x->name, y->name) == 0;
}

/*
 * Add a stretch, or let one of the last two go on: of addresses that one VMA has lost another can
 * have gained some.
 */
static void add_stretch(struct following *following, struct segmap_stretch stretch)
{
	struct segmap_followed *result = following->result;

	for (size_t i = 1; i <= 2 && i <= result->n_stretches; i++) {
		struct segmap_stretch *last = &result->stretches[result->n_stretches - i];

		if (last->mark == stretch.mark && last->before == stretch.before &&
		    last->after == stretch.after && last->end == stretch.start) {
			last->end = stretch.end;
			return;
		}
	}
	if (following->failed || !grow(&result->stretches, &result->cap_stretches,
				       result->n_stretches, sizeof(*result->stretches))) {
		following->failed = true;
		return;
	}
	result->stretches[result->n_stretches++] = stretch;
}

/* What is not there any more, or not as it was; @a may be NULL. */
static void visit_lost(struct following *following, uint64_t start, uint64_t end,
		       const struct span *a)
{
	if (!a)
		return;
	following->gone[a->vma] += end - start;
	add_stretch(following, (struct segmap_stretch){ SEGMAP_MARK_GONE, start, end,
							(uint32_t)a->vma, UINT32_MAX });
}

static void visit_won(struct following *following, uint64_t start, uint64_t end,
		      const struct span *b)
{
	if (!b)
		return;
	following->fresh[b->vma] += end - start;
	add_stretch(following, (struct segmap_stretch){ SEGMAP_MARK_NEW, start, end, UINT32_MAX,
							(uint32_t)b->vma });
}

static void visit(void *context, uint64_t start, uint64_t end, const struct span *a,
		  const struct span *b)
{
	struct following *following = context;
	struct segmap_marked *marked;

	if (!a || !b || !is_same(following, a, b)) {
		visit_lost(following, start, end, a);
		visit_won(following, start, end, b);
		return;
	}
	marked = &following->result->marks[b->vma];
	following->became[a->vma] = (uint32_t)b->vma;
	if (a->prot != b->prot || !marked->mark)
		marked->before = (uint32_t)a->vma;
	if (a->prot == b->prot)
		return;
	marked->mark = SEGMAP_MARK_PERMS;
	add_stretch(following, (struct segmap_stretch){ marked->mark, start, end, marked->before,
							(uint32_t)b->vma });
}

static bool costs_other(const struct following *following, size_t before, size_t after)
{
	static const enum segmap_known_figure figures[] = { SEGMAP_FIGURE_RSS,
							    SEGMAP_FIGURE_ANONYMOUS,
							    SEGMAP_FIGURE_SWAP };
	const struct segmap_memory *x = following->before->memory, *y = following->after->memory;

	for (size_t i = 0; x && y && i < sizeof(figures) / sizeof(figures[0]); i++)
		if (segmap_memory_known(x, before, figures[i]) !=
		    segmap_memory_known(y, after, figures[i]))
			return true;
	return false;
}

/* Sizes and figures, of those whose permissions are as they were. */
static void mark_others(struct following *following)
{
	struct segmap_followed *result = following->result;

	for (size_t i = 0; i < following->after->n_vmas; i++) {
		struct segmap_marked *marked = &result->marks[i];

		if (marked->before == UINT32_MAX)
			marked->mark = SEGMAP_MARK_NEW;
		else if (!marked->mark && following->fresh[i])
			marked->mark = SEGMAP_MARK_GROWN;
	}
	for (size_t i = 0; i < following->before->n_vmas; i++) {
		uint32_t became = following->became[i];

		if (became != UINT32_MAX && following->gone[i] && !result->marks[became].mark)
			result->marks[became].mark = SEGMAP_MARK_SHRUNK;
	}
	for (size_t i = 0; i < following->after->n_vmas; i++) {
		struct segmap_marked *marked = &result->marks[i];
		const struct segmap_vma *now = &following->after->vmas[i];
		const struct segmap_vma *then =
			marked->mark ? NULL : &following->before->vmas[marked->before];

		/* Of one that was cut in two the figures are not those of the whole. */
		if (then && then->start == now->start && then->end == now->end &&
		    costs_other(following, marked->before, i)) {
			marked->mark = SEGMAP_MARK_MEMORY;
			add_stretch(following,
				    (struct segmap_stretch){ marked->mark, now->start, now->end,
							     marked->before, (uint32_t)i });
		}
		result->n_marked += marked->mark != SEGMAP_MARK_SAME;
	}
}

/* Stretches that are not the whole of their VMA: it has grown or shrunk by them. */
static void tell_parts(struct following *following)
{
	struct segmap_followed *result = following->result;

	for (size_t i = 0; i < result->n_stretches; i++) {
		struct segmap_stretch *stretch = &result->stretches[i];

		if (stretch->mark == SEGMAP_MARK_GONE)
			stretch->after = following->became[stretch->before];
		else if (stretch->mark == SEGMAP_MARK_NEW)
			stretch->before = result->marks[stretch->after].before;
		else
			continue;
		if (stretch->before != UINT32_MAX && stretch->after != UINT32_MAX)
			stretch->mark = stretch->mark == SEGMAP_MARK_GONE ? SEGMAP_MARK_SHRUNK :
									    SEGMAP_MARK_GROWN;
	}
}

static bool make(struct following *following)
{
	size_t n_before = following->before->n_vmas, n_after = following->after->n_vmas;
	struct segmap_followed *result = calloc(1, sizeof(*result));

	following->result = result;
	following->fresh = calloc(n_after + 1, sizeof(*following->fresh));
	following->gone = calloc(n_before + 1, sizeof(*following->gone));
	following->became = reallocarray(NULL, n_before + 1, sizeof(*following->became));
	if (!result || !following->fresh || !following->gone || !following->became)
		return false;
	result->marks = calloc(n_after + 1, sizeof(*result->marks));
	if (!result->marks)
		return false;
	for (size_t i = 0; i < n_after; i++)
		result->marks[i].before = UINT32_MAX;
	for (size_t i = 0; i < n_before; i++)
		following->became[i] = UINT32_MAX;
	return true;
}

struct segmap_error *segmap_layout_follow(const struct segmap_layout *before,
					  const struct segmap_layout *after,
					  struct segmap_followed **ret)
{
	struct following following = { .before = before, .after = after };
	struct spans a = { 0 }, b = { 0 };
	bool made = make(&following) && spans_of_vmas(before, &a) && spans_of_vmas(after, &b);

	if (made) {
		spans_walk(&a, -1, &b, -1, visit, &following);
		tell_parts(&following);
		mark_others(&following);
	}
	spans_free(&a);
	spans_free(&b);
	free(following.fresh);
	free(following.gone);
	free(following.became);
	if (!made || following.failed) {
		segmap_followed_free(following.result);
		return segmap_error_no_memory();
	}
	*ret = following.result;
	return NULL;
}
