/* src/predict/space.c - a model of an address space: system calls and what they leave. */
#include "predict/space.h"
#include "base/range.h"
#include "base/scope.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum { DEFAULT_MAX_VMAS = 65530 }; /* include/linux/mm.h:DEFAULT_MAX_MAP_COUNT */

void space_free(struct space *space)
{
	free(space->vmas);
	free(space->calls);
	free(space->causes);
	space->vmas = NULL;
	space->calls = NULL;
	space->causes = NULL;
	space->n_vmas = space->n_calls = space->n_causes = 0;
	space->cap_vmas = space->cap_calls = space->cap_causes = 0;
}

size_t space_find(const struct space *space, uint64_t addr)
{
	size_t low = 0, high = space->n_vmas;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (space->vmas[middle].end > addr)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* A node for @call after @a and @b; 0 if there is no memory, which @failed remembers. */
static uint32_t add_cause(struct space *space, uint32_t call, uint32_t a, uint32_t b)
{
	if (!space->n_causes) {
		if (!grow(&space->causes, &space->cap_causes, 0, sizeof(*space->causes)))
			goto failed;
		space->causes[space->n_causes++] = (struct space_cause){ 0 };
	}
	if (space->n_causes >= UINT32_MAX ||
	    !grow(&space->causes, &space->cap_causes, space->n_causes, sizeof(*space->causes)))
		goto failed;
	space->causes[space->n_causes] = (struct space_cause){ call, { a, b } };
	return (uint32_t)space->n_causes++;
failed:
	space->failed = true;
	return 0;
}

/* Keep @call as one that returns @errnum. Returns its index. */
static uint32_t keep_call(struct space *space, struct segmap_call *call, int errnum)
{
	call->errnum = errnum;
	if (!grow(&space->calls, &space->cap_calls, space->n_calls, sizeof(*space->calls))) {
		space->failed = true;
		return 0;
	}
	space->calls[space->n_calls] = *call;
	return (uint32_t)space->n_calls++;
}

/* Put @fresh at index @at. */
static void insert_vma(struct space *space, size_t at, struct space_vma fresh)
{
	if (!grow(&space->vmas, &space->cap_vmas, space->n_vmas, sizeof(*space->vmas))) {
		space->failed = true;
		return;
	}
	memmove(space->vmas + at + 1, space->vmas + at,
		(space->n_vmas - at) * sizeof(*space->vmas));
	space->vmas[at] = fresh;
	space->n_vmas++;
}

static void remove_vmas(struct space *space, size_t first, size_t last)
{
	if (first == last)
		return; /* not even an array, perhaps */
	memmove(space->vmas + first, space->vmas + last,
		(space->n_vmas - last) * sizeof(*space->vmas));
	space->n_vmas -= last - first;
}

/* Make a VMA begin at @addr where one is cut by it; both know the same calls. */
static void split_at(struct space *space, uint64_t addr)
{
	size_t at = space_find(space, addr);
	struct space_vma tail;

	if (at == space->n_vmas || space->vmas[at].start >= addr)
		return;
	tail = space->vmas[at];
	if (tail.file)
		tail.off += addr - tail.start;
	tail.start = addr;
	insert_vma(space, at + 1, tail);
	if (!space->failed)
		space->vmas[at].end = addr;
}

/* mm/vma.c:is_mergeable_anon_vma */
static bool anon_vmas_agree(const struct space_vma *a, const struct space_vma *b)
{
	return !a->anon_vma || !b->anon_vma || a->anon_vma == b->anon_vma;
}

/* Whether @left goes on in @right as the same mapping, whatever its permissions. */
static bool goes_on(const struct space_vma *left, const struct space_vma *right)
{
	return left->end == right->start && left->file == right->file &&
	       left->account == right->account &&
	       (!left->file || left->off + (left->end - left->start) == right->off);
}

/* mm/vma.c:can_vma_merge_before, can_vma_merge_after */
static bool can_merge(const struct space_vma *left, const struct space_vma *right)
{
	return goes_on(left, right) && left->prot == right->prot && anon_vmas_agree(left, right);
}

/* Make one VMA of the one at @at and the next. */
static void merge_with_next(struct space *space, size_t at)
{
	struct space_vma *left = &space->vmas[at], *right = left + 1;

	left->end = right->end;
	if (!left->anon_vma)
		left->anon_vma = right->anon_vma;
	left->cause = add_cause(space, UINT32_MAX, left->cause, right->cause);
	remove_vmas(space, at + 1, at + 2);
}

/*
 * Merge the VMA at @at with its neighbours: with both only where all three agree
 * (mm/vma.c:vma_merge_new_range, vma_merge_existing_range).
 */
static void merge_around(struct space *space, size_t at, bool with_next)
{
	struct space_vma *vma = &space->vmas[at];
	bool left = at > 0 && can_merge(vma - 1, vma);
	bool right = with_next && at + 1 < space->n_vmas && can_merge(vma, vma + 1) &&
		     (!left || anon_vmas_agree(vma - 1, vma + 1));

	if (right)
		merge_with_next(space, at);
	if (left)
		merge_with_next(space, at - 1);
}

/* Take [start, end) out of the space. */
static void clear_range(struct space *space, uint64_t start, uint64_t end)
{
	size_t first, last;

	split_at(space, start);
	split_at(space, end);
	first = space_find(space, start);
	for (last = first; last < space->n_vmas && space->vmas[last].start < end; last++)
		;
	remove_vmas(space, first, last);
}

static int implied_prot(const struct space *space, uint32_t file, int prot)
{
	bool implied = space->read_implies_exec && (prot & PROT_READ) && !(file & SPACE_NOEXEC);

	return implied ? prot | PROT_EXEC : prot;
}

/* Whether @size bytes more of private writable memory would be refused at once. */
static bool is_too_much(const struct space *space, uint64_t size)
{
	size_t most = space->limits.max_vmas ? space->limits.max_vmas : DEFAULT_MAX_VMAS;

	return space->n_vmas > most ||
	       (space->limits.commit && size > space->limits.commit);
}

/* The errno value for a range that cannot be a fixed mapping (mm/mmap.c:__get_unmapped_area). */
static int check_range(const struct space *space, uint64_t start, uint64_t end)
{
	const struct space_limits *limits = &space->limits;

	if (end <= start || end > limits->task_size)
		return ENOMEM;
	if ((start | end) & (limits->page_size - 1))
		return EINVAL;
	return start < limits->min_addr ? EPERM : 0;
}

/* Put what @call maps into its range, which nothing is in, and merge it. */
static void map_range(struct space *space, struct segmap_call *call, struct space_vma fresh,
		      bool with_next)
{
	size_t at = space_find(space, call->start);

	fresh.start = call->start;
	fresh.end = call->end;
	fresh.cause = add_cause(space, keep_call(space, call, 0), 0, 0);
	insert_vma(space, at, fresh);
	if (!space->failed)
		merge_around(space, at, with_next);
}

int space_mmap(struct space *space, struct segmap_call *call, uint32_t file)
{
	struct space_vma fresh = { .file = file, .prot = implied_prot(space, file, call->prot) };
	int errnum = 0;

	if (file && (call->off & (space->limits.page_size - 1)))
		errnum = EINVAL; /* mm/util.c:vm_mmap; the system call fails likewise */
	else if (file && call->off + (call->end - call->start) < call->off)
		errnum = EOVERFLOW;
	else
		errnum = check_range(space, call->start, call->end);
	if (!errnum && (file & SPACE_NOEXEC) && (fresh.prot & PROT_EXEC))
		errnum = EPERM;
	fresh.account = fresh.prot & PROT_WRITE;
	fresh.off = file ? call->off : 0;
	call->anonymous = !file;
	if (!errnum && is_too_much(space, fresh.account ? call->end - call->start : 0))
		errnum = ENOMEM;
	if (errnum) {
		keep_call(space, call, errnum);
		return errnum;
	}
	clear_range(space, call->start, call->end);
	map_range(space, call, fresh, true);
	return 0;
}

int space_brk(struct space *space, struct segmap_call *call)
{
	struct space_vma fresh = { .account = true };
	int errnum;

	if (call->start == call->end)
		return 0;
	call->prot = PROT_READ | PROT_WRITE | (call->prot & PROT_EXEC);
	call->anonymous = true;
	call->off = 0;
	fresh.prot = implied_prot(space, 0, call->prot);
	errnum = check_range(space, call->start, call->end);
	if (!errnum) {
		clear_range(space, call->start, call->end);
		if (is_too_much(space, call->end - call->start))
			errnum = ENOMEM;
	}
	if (errnum) {
		keep_call(space, call, errnum);
		return errnum;
	}
	map_range(space, call, fresh, false);
	return 0;
}

int space_munmap(struct space *space, struct segmap_call *call)
{
	int errnum = call->start < call->end && call->end <= space->limits.task_size ? 0 : EINVAL;

	keep_call(space, call, errnum);
	if (!errnum)
		clear_range(space, call->start, call->end);
	return errnum;
}

/* Give the VMA at @at, all of which is in @call's range, its permissions. */
static void protect_vma(struct space *space, size_t at, int prot, uint32_t call)
{
	struct space_vma *vma = &space->vmas[at];

	vma->prot = prot;
	if (prot & PROT_WRITE)
		vma->account = true;
	else if (!vma->file && !vma->anon_vma)
		vma->account = false; /* nothing was written: there is nothing to count */
	vma->cause = add_cause(space, call, vma->cause, 0);
	if (!space->failed)
		merge_around(space, at, true);
}

int space_mprotect(struct space *space, struct segmap_call *call)
{
	int errnum = 0;
	uint64_t addr = call->start;
	uint32_t index;

	if (call->end < call->start)
		errnum = ENOMEM;
	index = keep_call(space, call, errnum);
	while (!errnum && !space->failed && addr < call->end) {
		size_t at = space_find(space, addr);
		uint64_t end;
		int prot;

		if (at == space->n_vmas || space->vmas[at].start > addr) {
			errnum = ENOMEM;
			break;
		}
		prot = implied_prot(space, space->vmas[at].file, call->prot);
		if ((prot & PROT_EXEC) && (space->vmas[at].file & SPACE_NOEXEC)) {
			errnum = EACCES;
			break;
		}
		end = min_u64(space->vmas[at].end, call->end);
		if (space->vmas[at].prot != prot) {
			split_at(space, addr);
			split_at(space, end);
			if (!space->failed)
				protect_vma(space, space_find(space, addr), prot, index);
		}
		addr = end;
	}
	if (!space->failed)
		space->calls[index].errnum = call->errnum = errnum;
	return errnum;
}

/* Whether both have the key for execute-only memory, or none has it. */
static bool keys_agree(const struct space *space, const struct space_vma *a,
		       const struct space_vma *b)
{
	return !space->limits.pkeys || (a->prot == PROT_EXEC) == (b->prot == PROT_EXEC);
}

void space_touch(struct space *space, uint64_t start, uint64_t end)
{
	for (size_t i = space_find(space, start);
	     i < space->n_vmas && space->vmas[i].start < end; i++) {
		struct space_vma *vma = &space->vmas[i];

		if (vma->anon_vma)
			continue;
		if (i + 1 < space->n_vmas && goes_on(vma, vma + 1) &&
		    keys_agree(space, vma, vma + 1))
			vma->anon_vma = vma[1].anon_vma;
		if (!vma->anon_vma && i > 0 && goes_on(vma - 1, vma) &&
		    keys_agree(space, vma - 1, vma))
			vma->anon_vma = vma[-1].anon_vma;
		if (!vma->anon_vma)
			vma->anon_vma = ++space->last_anon_vma;
	}
}

void space_note(struct space *space, struct segmap_call *call, bool written)
{
	keep_call(space, call, 0);
	if (written)
		space_touch(space, call->start, call->end);
}

uint64_t space_find_room(const struct space *space, uint64_t size)
{
	uint64_t top = page_down(space->limits.mmap_base, space->limits.page_size);
	size_t above = space_find(space, top);

	/* The gap below each VMA, from the highest down. */
	if (above < space->n_vmas && space->vmas[above].start < top)
		top = space->vmas[above].start;
	for (size_t i = above;; i--) {
		uint64_t bottom = i ? space->vmas[i - 1].end : space->limits.min_addr;

		if (top > bottom && top - bottom >= size && top - size)
			return top - size;
		if (!i)
			return 0;
		top = space->vmas[i - 1].start;
	}
}

static int compare_u32(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return (a > b) - (a < b);
}

size_t space_causes(const struct space *space, const struct space_vma *vma, uint32_t *ret,
		    size_t max)
{
	scope_free unsigned char *seen = calloc(space->n_causes + 1, 1);
	/* A node is stacked once, when it is seen first. */
	scope_free uint32_t *stack = reallocarray(NULL, space->n_causes + 1, sizeof(*stack));
	scope_free uint32_t *found = reallocarray(NULL, space->n_causes + 1, sizeof(*found));
	size_t depth = 0, n = 0, unique = 0;

	if (!seen || !stack || !found)
		return SIZE_MAX;
	if (vma->cause)
		stack[depth++] = vma->cause;
	while (depth) {
		const struct space_cause *cause = &space->causes[stack[--depth]];

		if (cause->call != UINT32_MAX)
			found[n++] = cause->call;
		for (int i = 0; i < 2; i++) {
			if (cause->before[i] && !seen[cause->before[i]]) {
				seen[cause->before[i]] = 1;
				stack[depth++] = cause->before[i];
			}
		}
	}
	qsort(found, n, sizeof(*found), compare_u32);
	for (size_t i = 0; i < n; i++) {
		if (i && found[i] == found[i - 1])
			continue;
		if (unique < max)
			ret[unique] = found[i];
		unique++;
	}
	return unique;
}
