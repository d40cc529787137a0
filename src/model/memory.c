/* src/model/memory.c - figures of VMAs: a table whose columns are found as they come. */
#include "model/memory.h"
#include "base/scope.h"
#include <string.h>

/*
 * Words of VmFlags in the order of the kernel's bits, in which it prints them
 * (Linux 6.18 fs/proc/task_mmu.c:show_smap_vma_flags, include/linux/mm.h).
 * Others come behind them as they are met.
 */
static const char flag_words[][3] = {
	"rd", "wr", "ex", "sh", "mr", "mw", "me", "ms", "gd", "um", "pf", "dw", "uw",
	"lo", "io", "sr", "rr", "dc", "de", "lf", "ac", "nr", "ht", "sf", "ar", "wf",
	"dd", "bt", "sd", "mm", "hg", "nh", "mg", "mt", "ui", "ss", "dp", "sl",
};

static const char *const known_names[SEGMAP_N_KNOWN_FIGURES] = {
	[SEGMAP_FIGURE_RSS] = "Rss",
	[SEGMAP_FIGURE_PSS] = "Pss",
	[SEGMAP_FIGURE_SHARED_DIRTY] = "Shared_Dirty",
	[SEGMAP_FIGURE_PRIVATE_CLEAN] = "Private_Clean",
	[SEGMAP_FIGURE_PRIVATE_DIRTY] = "Private_Dirty",
	[SEGMAP_FIGURE_ANONYMOUS] = "Anonymous",
	[SEGMAP_FIGURE_SWAP] = "Swap",
	[SEGMAP_FIGURE_SHARED_HUGETLB] = "Shared_Hugetlb",
	[SEGMAP_FIGURE_PRIVATE_HUGETLB] = "Private_Hugetlb",
};

struct segmap_memory *memory_new(void)
{
	struct segmap_memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return NULL;
	for (size_t i = 0; i < SEGMAP_N_KNOWN_FIGURES; i++)
		memory->known[i] = -1;
	memcpy(memory->flag_words, flag_words, sizeof(flag_words));
	memory->n_flag_words = sizeof(flag_words) / sizeof(flag_words[0]);
	memory->pagemap = memory->kpagecount = -1;
	memory->rollup_rss = memory->rollup_pss = SEGMAP_NO_FIGURE;
	return memory;
}

void segmap_memory_free(struct segmap_memory *memory)
{
	if (!memory)
		return;
	for (size_t i = 0; i < memory->n_figures; i++)
		free(memory->figures[i].name);
	free(memory->values);
	free(memory->vm_flags);
	free(memory->pages.runs);
	free(memory->pieces);
	free(memory->about);
	if (memory->pagemap >= 0)
		close(memory->pagemap);
	if (memory->kpagecount >= 0)
		close(memory->kpagecount);
	free(memory);
}

int32_t segmap_memory_find(const struct segmap_memory *memory, const char *name)
{
	for (size_t i = 0; i < memory->n_figures; i++)
		if (strcmp(memory->figures[i].name, name) == 0)
			return (int32_t)i;
	return -1;
}

bool segmap_memory_leaves_out(const struct segmap_memory *memory, size_t vma)
{
	if (vma >= memory->n_vm_flags)
		return false;
	for (size_t i = 0; i < memory->n_flag_words; i++)
		if (memory->vm_flags[vma] >> i & 1 &&
		    (strcmp(memory->flag_words[i], "ht") == 0 ||
		     strcmp(memory->flag_words[i], "pf") == 0))
			return true;
	return false;
}

/* Page sizes of several VMAs add up to nothing. */
static bool sums(const char *name, bool bytes)
{
	return bytes && strcmp(name, "KernelPageSize") != 0 && strcmp(name, "MMUPageSize") != 0;
}

/* Give each row room for more figures: those that a later VMA is the first to have. */
static bool widen(struct segmap_memory *memory)
{
	size_t stride = memory->stride ? memory->stride * 2 : 32;
	uint64_t *values = NULL;

	if (memory->cap_rows) {
		values = reallocarray(NULL, memory->cap_rows, stride * sizeof(*values));
		if (!values)
			return false;
	}
	for (size_t row = 0; row < memory->n_rows; row++)
		for (size_t i = 0; i < stride; i++)
			values[row * stride + i] =
				i < memory->stride ? memory->values[row * memory->stride + i] :
						     SEGMAP_NO_FIGURE;
	free(memory->values);
	memory->values = values;
	memory->stride = stride;
	return true;
}

int32_t memory_find_or_add(struct segmap_memory *memory, const char *name, size_t size, bool bytes,
			   bool *failed)
{
	struct segmap_figure *figure = &memory->figures[memory->n_figures];
	char *copy;

	*failed = false;
	for (size_t i = 0; i < memory->n_figures; i++)
		if (memory->figures[i].size == size &&
		    memcmp(memory->figures[i].name, name, size) == 0)
			return (int32_t)i;
	if (memory->n_figures == SEGMAP_MAX_FIGURES)
		return -1;
	*failed = true;
	if (memory->n_figures >= memory->stride && !widen(memory))
		return -1;
	copy = strndup(name, size);
	if (!copy)
		return -1;
	*failed = false;
	*figure = (struct segmap_figure){ copy, size, "", bytes, sums(copy, bytes) };
	memset(figure->head, ' ', sizeof(figure->head) - 1);
	if (size < sizeof(figure->head) - 1) {
		memcpy(figure->head, copy, size);
		figure->head[size] = ':';
	}
	for (size_t i = 0; i < SEGMAP_N_KNOWN_FIGURES; i++)
		if (strcmp(known_names[i], copy) == 0)
			memory->known[i] = (int32_t)memory->n_figures;
	return (int32_t)memory->n_figures++;
}

bool memory_reach(struct segmap_memory *memory, size_t vma)
{
	if (vma >= memory->cap_rows) {
		size_t capacity = memory->cap_rows ? memory->cap_rows * 2 : 64;
		uint64_t *values;

		while (capacity <= vma)
			capacity *= 2;
		values = reallocarray(memory->values, capacity, memory->stride * sizeof(*values));
		if (!values)
			return false;
		memory->values = values;
		memory->cap_rows = capacity;
	}
	for (; memory->n_rows <= vma; memory->n_rows++)
		memset(&memory->values[memory->n_rows * memory->stride], 0xff,
		       memory->stride * sizeof(*memory->values));
	return true;
}

int memory_flag_bit(struct segmap_memory *memory, const char word[static 2], int after)
{
	char (*words)[3] = memory->flag_words;

	/* The kernel has them in this order. */
	for (size_t i = (size_t)(after + 1); i < memory->n_flag_words; i++)
		if (words[i][0] == word[0] && words[i][1] == word[1])
			return (int)i;
	for (size_t i = 0; i < memory->n_flag_words; i++)
		if (words[i][0] == word[0] && words[i][1] == word[1])
			return (int)i;
	if (memory->n_flag_words == SEGMAP_MAX_VM_FLAGS)
		return -1;
	words[memory->n_flag_words][0] = word[0];
	words[memory->n_flag_words][1] = word[1];
	return (int)memory->n_flag_words++;
}
