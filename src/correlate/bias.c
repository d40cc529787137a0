/* src/correlate/bias.c - which loads of an ELF object the VMAs of its file are. */
#include "correlate/bias.h"
#include "base/scope.h"

/*
 * Offset and permissions only propose. Small libraries of lld and mold have
 * four VMAs that all begin at offset 0 of the file, and GNU ld's RELRO page has
 * the offset of the last page of .rodata. So each VMA that begins where some
 * PT_LOAD is mapped votes for the bias that this would mean:
 *
 *   bias = vma.start - map_start    where vma.off == map_off, same permissions
 *
 * and the bias with the most votes is tried first. A load is believed if its
 * executable PT_LOADs are where the bias puts them, or at least no other part
 * of the file is there.
 */
struct vote {
	uint64_t bias;
	uint32_t count;
};

/* PT_LOADs that map bytes of the file, by map_off. */
struct load_list {
	const struct segmap_segment **array;
	size_t n;
};

static int compare_map_off(const void *a, const void *b)
{
	const struct segmap_segment *const *x = a, *const *y = b;

	return ((*x)->map_off > (*y)->map_off) - ((*x)->map_off < (*y)->map_off);
}

static bool list_loads(const struct segmap_elf *elf, struct load_list *ret)
{
	struct load_list list = { 0 };

	list.array = reallocarray(NULL, elf->n_segments + 1, sizeof(*list.array));
	if (!list.array)
		return false;
	for (size_t i = 0; i < elf->n_segments; i++) {
		const struct segmap_segment *segment = &elf->segments[i];

		if (segment->type == SEGMAP_SEGMENT_LOAD && segment->mappable && segment->filesz)
			list.array[list.n++] = segment;
	}
	if (list.n > 1)
		qsort(list.array, list.n, sizeof(*list.array), compare_map_off);
	*ret = list;
	return true;
}

/* The index of the first PT_LOAD in the list with at least this map_off. */
static size_t lower_bound(const struct load_list *loads, uint64_t map_off)
{
	size_t low = 0, high = loads->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (loads->array[middle]->map_off >= map_off)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Whether @vma can be the first VMA of @load: with its permissions, or those RELRO gives. */
static bool has_right_prot(const struct segmap_layout *layout, const struct extents *extents,
			   const struct segmap_segment *load, const struct segmap_vma *vma)
{
	int prot = load->prot;
	uint64_t until;

	if (vma->shared)
		return false;
	/* An emulator reads its guest's code; the host never executes it. */
	if (extents->elf->foreign)
		prot &= ~PROT_EXEC;
	if (segmap_vma_has_prot(vma, prot_implied(layout, prot)))
		return true;
	/*
	 * So musl leaves all of a library with text relocations (ldso/dynlink.c:map_library). Whether
	 * it has any is not always known, and what else makes code of a file so has loaded it, too.
	 */
	if (vma->prot == (PROT_READ | PROT_WRITE | PROT_EXEC))
		return true;
	return (load->prot & PROT_WRITE) &&
	       extents_in_relro(extents, load->map_start, &until) &&
	       segmap_vma_has_prot(vma, prot_implied(layout, PROT_READ));
}

static int compare_biases(const void *a, const void *b)
{
	const struct vote *x = a, *y = b;

	return (x->bias > y->bias) - (x->bias < y->bias);
}

static int compare_votes(const void *a, const void *b)
{
	const struct vote *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return compare_biases(a, b);
}

/* All proposals, each bias once, most votes first. The caller frees *@ret. */
static bool collect_votes(const struct segmap_layout *layout, const struct segmap_backing *backing,
			  const struct extents *extents, const struct load_list *loads,
			  const unsigned char *claimed, size_t *lookups_left, struct vote **ret,
			  size_t *n_ret)
{
	scope_free struct vote *votes = NULL;
	size_t n = 0, capacity = 0, distinct = 0;

	for (uint32_t i = 0; i < backing->n_vmas; i++) {
		const struct segmap_vma *vma = &layout->vmas[backing->vmas[i]];
		uint64_t off = vma->off - extents->elf->elf_off;

		if (vma->off < extents->elf->elf_off || claimed[backing->vmas[i]])
			continue;
		if (!may_look(lookups_left, 1))
			break;
		for (size_t j = lower_bound(loads, off);
		     j < loads->n && loads->array[j]->map_off == off; j++) {
			if (!may_look(lookups_left, 1))
				break;
			if (!has_right_prot(layout, extents, loads->array[j], vma))
				continue;
			if (!grow(&votes, &capacity, n, sizeof(*votes)))
				return false;
			votes[n++] = (struct vote){ vma->start - loads->array[j]->map_start, 1 };
		}
	}
	if (n > 1) {
		qsort(votes, n, sizeof(*votes), compare_biases);
		for (size_t i = 1; i < n; i++) {
			if (votes[i].bias == votes[distinct].bias)
				votes[distinct].count++;
			else
				votes[++distinct] = votes[i];
		}
		n = distinct + 1;
		qsort(votes, n, sizeof(*votes), compare_votes);
	}
	*ret = return_ptr(votes);
	*n_ret = n;
	return true;
}

bool bias_is_consistent(const struct segmap_elf *elf, const struct segmap_segment *load,
			const struct segmap_vma *vma, uint64_t addr, uint64_t bias)
{
	uint64_t expected = elf->elf_off + load->map_off +
			    (segmap_vaddr(addr, bias) - load->map_start);

	return vma->off + (addr - vma->start) == expected;
}

bool bias_is_reserved(const struct extents *extents, const struct segmap_vma *vma, uint64_t addr,
		      uint64_t bias)
{
	const struct segmap_segment *segments = extents->elf->segments;
	uint64_t vaddr = segmap_vaddr(addr, bias);

	if (!extents->n || vaddr < extents->array[0].start || vaddr >= extents->span_end)
		return false;
	return bias_is_consistent(extents->elf, &segments[extents->lowest_load], vma, addr, bias) ||
	       (vaddr < extents->array[extents->n - 1].end &&
		bias_is_consistent(extents->elf, &segments[extents->first_load], vma, addr, bias));
}

/* What is where a bias puts the PT_LOADs. */
struct evidence {
	unsigned int strong; /* a VMA begins there with the right offset and permissions */
	unsigned int present; /* the right bytes of the file, whatever the permissions */
	unsigned int code;    /* of the executable ones: the right bytes, executable */
	unsigned int code_without_x; /* the right bytes, but not executable */
	unsigned int code_elsewhere; /* this file, but other bytes of it */
	unsigned int exec_loads;
	bool whole; /* each strong VMA ends where its PT_LOAD does */
};

static struct evidence weigh(const struct segmap_layout *layout,
			     const struct segmap_backing *backing, const struct extents *extents,
			     const struct load_list *loads, const unsigned char *claimed,
			     uint64_t bias)
{
	struct evidence found = { .whole = true };

	for (size_t i = 0; i < loads->n; i++) {
		const struct segmap_segment *load = loads->array[i];
		uint64_t addr = segmap_addr(load->map_start, bias);
		int64_t at = segmap_layout_find(layout, addr);
		const struct segmap_vma *vma = at < 0 ? NULL : &layout->vmas[at];
		bool is_ours = vma && layout->annotations[at].backing >= 0 &&
			       &layout->backings[layout->annotations[at].backing] == backing;
		bool is_right = is_ours &&
				bias_is_consistent(extents->elf, load, vma, addr, bias);

		found.exec_loads += (load->prot & PROT_EXEC) != 0;
		found.present += is_right && !vma->shared;
		if (is_right && vma->start == addr && !claimed[at] &&
		    has_right_prot(layout, extents, load, vma)) {
			found.strong++;
			if (vma->end != segmap_addr(load->file_end, bias))
				found.whole = false;
		}
		if (!(load->prot & PROT_EXEC) || !is_ours)
			continue;
		if (!is_right)
			found.code_elsewhere++;
		else if (segmap_vma_may_execute(vma))
			found.code++;
		else
			found.code_without_x++;
	}
	return found;
}

/*
 * Whether the evidence makes a load. The cases that are none: a file mapped
 * whole as data has its first PT_LOAD in place and its code readable; a
 * second mapping of the text alone has nothing but code.
 */
static bool is_load(const struct evidence *found, const struct load_list *loads, bool foreign,
		    bool is_first)
{
	if (!found->strong || found->code_elsewhere)
		return false;
	if (loads->n == 1)
		return found->code ? true : found->whole && (foreign || !found->exec_loads);
	if (found->code)
		return found->present > 1 || is_first;
	return found->strong > 1;
}

/* Mark the VMAs that a load at @bias explains. */
static void claim(const struct segmap_layout *layout, const struct segmap_backing *backing,
		  const struct extents *extents, uint64_t bias, unsigned char *claimed,
		  size_t *lookups_left)
{
	uint64_t start = segmap_addr(extents->array[0].start, bias);
	uint64_t size = extents->span_end - extents->array[0].start;
	uint32_t low = 0, high = backing->n_vmas;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (layout->vmas[backing->vmas[middle]].start >= start)
			high = middle;
		else
			low = middle + 1;
	}
	for (; low < backing->n_vmas; low++) {
		const struct segmap_vma *vma = &layout->vmas[backing->vmas[low]];
		const struct extent *extent;
		uint64_t until;

		if (vma->start - start >= size || !may_look(lookups_left, 1))
			break;
		extent = extents_find(extents, segmap_vaddr(vma->start, bias), &until);
		if (extent ? bias_is_consistent(extents->elf,
						&extents->elf->segments[extent->segment], vma,
						vma->start, bias) :
			     bias_is_reserved(extents, vma, vma->start, bias))
			claimed[backing->vmas[low]] = 1;
	}
}

bool biases_find(const struct segmap_layout *layout, const struct segmap_backing *backing,
		 const struct extents *extents, unsigned char *claimed, size_t *lookups_left,
		 struct biases *ret)
{
	scope_free const struct segmap_segment **loads_array = NULL;
	scope_free struct vote *votes = NULL;
	struct load_list loads;
	size_t n_votes = 0;

	if (!extents->n)
		return true;
	if (!list_loads(extents->elf, &loads))
		return false;
	loads_array = loads.array;
	if (!collect_votes(layout, backing, extents, &loads, claimed, lookups_left, &votes,
			   &n_votes))
		return false;
	for (size_t i = 0; i < n_votes; i++) {
		struct evidence found;

		if (!may_look(lookups_left, loads.n))
			break;
		found = weigh(layout, backing, extents, &loads, claimed, votes[i].bias);
		if (!is_load(&found, &loads, extents->elf->foreign, ret->n == 0))
			continue;
		if (!grow(&ret->array, &ret->capacity, ret->n, sizeof(*ret->array)))
			return false;
		ret->array[ret->n++] = votes[i].bias;
		claim(layout, backing, extents, votes[i].bias, claimed, lookups_left);
	}
	return true;
}

void biases_free(struct biases *biases)
{
	free(biases->array);
	*biases = (struct biases){ 0 };
}
