/* src/correlate/summary.c - what the memory of a process is made of, by file and by use. */
#include <segmap/summary.h>
#include "base/idmap.h"
#include "base/scope.h"
#include <sys/mman.h>

/* Rows while they are filled. */
struct summing {
	const struct segmap_layout *layout;
	struct idmap rows; /* (group, class) to index in array */
	struct segmap_summary_row *array;
	size_t n, capacity;
	struct segmap_summary_figures totals;
	bool whole; /* all VMAs are summed up */
};

static void summing_free(struct summing *summing)
{
	idmap_free(&summing->rows);
	free(summing->array);
}

void segmap_summary_free(struct segmap_summary *summary)
{
	free(summary->rows);
	*summary = (struct segmap_summary){ 0 };
}

/*
 * The class of a piece goes by its segment: what is mapped executable is there
 * for its code, whatever else the linker put beside it. RELRO is what should be
 * read-only in a segment that is writable.
 */
static enum segmap_class class_of_piece(const struct segmap_layout *layout,
					const struct segmap_piece *piece)
{
	const struct segmap_elf *elf = layout->images[piece->image].elf;
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

/* The row that @piece of @vma belongs to, or the whole VMA if @piece is NULL; -1: no memory. */
static int64_t find_row(struct summing *summing, size_t vma, const struct segmap_piece *piece)
{
	/* A file that is loaded twice is one group: images of one backing. The vdso has none. */
	enum { OF_KINDS, OF_BACKINGS };
	const struct segmap_layout *layout = summing->layout;
	struct segmap_summary_row row = { .image = -1, .class = SEGMAP_CLASS_OTHER };
	uint64_t group;
	uint32_t found;

	row.kind = layout->annotations[vma].kind;
	if (piece && piece->image >= 0) {
		row.image = piece->image;
		row.class = class_of_piece(layout, piece);
	} else if (piece) {
		row.kind = SEGMAP_KIND_ANON;
	} else {
		row.image = layout->annotations[vma].image;
	}
	group = row.image < 0 ? (uint64_t)row.kind << 1 | OF_KINDS :
				(uint64_t)(layout->images[row.image].backing + 1) << 1 |
					OF_BACKINGS;
	if (!grow(&summing->array, &summing->capacity, summing->n, sizeof(*summing->array)) ||
	    !idmap_find_or_add(&summing->rows, group, row.class, (uint32_t)summing->n, &found))
		return -1;
	if (found == summing->n)
		summing->array[summing->n++] = row;
	return found;
}

/* What is not known of one part is not known of the sum. */
static void add_figures(struct segmap_summary_figures *sum,
			const struct segmap_summary_figures *figures)
{
	for (size_t i = 0; i < SEGMAP_N_SUMMARY_FIGURES; i++)
		sum->of[i] = segmap_figure_add(sum->of[i], figures->of[i]);
}

static struct segmap_summary_figures figures_of_vma(const struct segmap_layout *layout, size_t vma)
{
	const struct segmap_memory *memory = layout->memory;
	struct segmap_summary_figures figures;
	uint64_t rss, anonymous;

	for (size_t i = 0; i < SEGMAP_N_SUMMARY_FIGURES; i++)
		figures.of[i] = SEGMAP_NO_FIGURE;
	figures.of[SEGMAP_SUMMARY_SIZE] = segmap_vma_size(&layout->vmas[vma]);
	if (!memory)
		return figures;
	rss = segmap_memory_known(memory, vma, SEGMAP_FIGURE_RSS);
	anonymous = segmap_memory_known(memory, vma, SEGMAP_FIGURE_ANONYMOUS);
	figures.of[SEGMAP_SUMMARY_RSS] = rss;
	figures.of[SEGMAP_SUMMARY_PSS] = segmap_memory_known(memory, vma, SEGMAP_FIGURE_PSS);
	figures.of[SEGMAP_SUMMARY_DIRTY] =
		segmap_figure_add(segmap_memory_known(memory, vma, SEGMAP_FIGURE_SHARED_DIRTY),
				  segmap_memory_known(memory, vma, SEGMAP_FIGURE_PRIVATE_DIRTY));
	figures.of[SEGMAP_SUMMARY_ANONYMOUS] = anonymous;
	figures.of[SEGMAP_SUMMARY_PRIVATE] =
		segmap_figure_add(segmap_memory_known(memory, vma, SEGMAP_FIGURE_PRIVATE_CLEAN),
				  segmap_memory_known(memory, vma, SEGMAP_FIGURE_PRIVATE_DIRTY));
	if (rss != SEGMAP_NO_FIGURE && anonymous <= rss)
		figures.of[SEGMAP_SUMMARY_FILE] = rss - anonymous;
	figures.of[SEGMAP_SUMMARY_SWAP] = segmap_memory_known(memory, vma, SEGMAP_FIGURE_SWAP);
	return figures;
}

static struct segmap_summary_figures figures_of_piece(const struct segmap_layout *layout,
						      const struct segmap_piece *piece)
{
	const struct segmap_piece_memory *memory = NULL;
	struct segmap_summary_figures figures;

	for (size_t i = 0; i < SEGMAP_N_SUMMARY_FIGURES; i++)
		figures.of[i] = SEGMAP_NO_FIGURE;
	figures.of[SEGMAP_SUMMARY_SIZE] = piece->end - piece->start;
	if (layout->memory && layout->memory->pieces)
		memory = &layout->memory->pieces[piece - layout->pieces];
	if (!memory)
		return figures;
	figures.of[SEGMAP_SUMMARY_RSS] = memory->rss;
	figures.of[SEGMAP_SUMMARY_PSS] = memory->pss;
	figures.of[SEGMAP_SUMMARY_DIRTY] = memory->dirty;
	figures.of[SEGMAP_SUMMARY_ANONYMOUS] = memory->anonymous;
	figures.of[SEGMAP_SUMMARY_PRIVATE] = memory->exclusive;
	figures.of[SEGMAP_SUMMARY_FILE] = memory->file;
	figures.of[SEGMAP_SUMMARY_SWAP] = memory->swap;
	return figures;
}

/* Share VMA @vma out among the rows of its pieces. */
static bool sum_vma(struct summing *summing, size_t vma)
{
	const struct segmap_layout *layout = summing->layout;
	const struct segmap_annotation *annotation = &layout->annotations[vma];
	const struct segmap_piece *pieces =
		annotation->n_pieces ? &layout->pieces[annotation->first_piece] : NULL;
	struct segmap_summary_figures figures = figures_of_vma(layout, vma);
	bool one_row = true;
	int64_t first = -1;

	add_figures(&summing->totals, &figures);
	for (uint32_t i = 0; i < annotation->n_pieces; i++) {
		int64_t row = find_row(summing, vma, &pieces[i]);

		if (row < 0)
			return false;
		one_row &= i == 0 || row == first;
		first = row;
	}
	if (!annotation->n_pieces && (first = find_row(summing, vma, NULL)) < 0)
		return false;
	if (one_row) { /* the kernel's own figures are whole */
		add_figures(&summing->array[first].figures, &figures);
		return true;
	}
	for (uint32_t i = 0; i < annotation->n_pieces; i++) {
		int64_t row = find_row(summing, vma, &pieces[i]); /* it can move the array */

		if (row < 0)
			return false;
		figures = figures_of_piece(layout, &pieces[i]);
		add_figures(&summing->array[row].figures, &figures);
	}
	return true;
}

/* Rows with how much their group has in memory. */
struct sortable {
	struct segmap_summary_row row;
	uint64_t group_rss;
	uint64_t group; /* rows of one group stay together */
	size_t index;
};

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_rows(const void *a, const void *b)
{
	const struct sortable *x = a, *y = b;
	int order = compare_numbers(y->group_rss, x->group_rss);

	if (!order)
		order = compare_numbers(x->group, y->group);
	if (!order)
		order = compare_numbers(x->row.class, y->row.class);
	return order ? order : compare_numbers(x->index, y->index);
}

static uint64_t group_of(const struct segmap_layout *layout, const struct segmap_summary_row *row)
{
	return row->image < 0 ? (uint64_t)row->kind :
				UINT32_MAX + (uint64_t)(layout->images[row->image].backing + 1);
}

/* The greatest group first: it answers most of the question. */
static bool sort_rows(struct summing *summing)
{
	scope_free struct sortable *sorted =
		reallocarray(NULL, summing->n + 1, sizeof(*sorted));
	struct idmap groups = { 0 };
	bool done = sorted;

	for (size_t i = 0; i < summing->n && done; i++) {
		const struct segmap_summary_row *row = &summing->array[i];
		uint32_t first;

		sorted[i] = (struct sortable){ .row = *row, .index = i };
		sorted[i].group = group_of(summing->layout, row);
		done = idmap_find_or_add(&groups, sorted[i].group, 0, (uint32_t)i, &first);
		if (done && row->figures.of[SEGMAP_SUMMARY_RSS] != SEGMAP_NO_FIGURE)
			sorted[first].group_rss += row->figures.of[SEGMAP_SUMMARY_RSS];
	}
	for (size_t i = 0; i < summing->n && done; i++) {
		uint32_t first;

		done = idmap_find_or_add(&groups, sorted[i].group, 0, (uint32_t)i, &first);
		if (done)
			sorted[i].group_rss = sorted[first].group_rss;
	}
	idmap_free(&groups);
	if (!done)
		return false;
	qsort(sorted, summing->n, sizeof(*sorted), compare_rows);
	for (size_t i = 0; i < summing->n; i++)
		summing->array[i] = sorted[i].row;
	return true;
}

/*
 * smaps cuts Pss off to KiB in each VMA; the kernel's own sum over all of them
 * does so once. It is taken where it is of the same moment.
 */
static void take_rollup(struct summing *summing)
{
	const struct segmap_memory *memory = summing->layout->memory;
	uint64_t *totals = summing->totals.of;

	if (summing->whole && memory && memory->rollup_rss != SEGMAP_NO_FIGURE &&
	    memory->rollup_rss == totals[SEGMAP_SUMMARY_RSS])
		totals[SEGMAP_SUMMARY_PSS] = memory->rollup_pss;
}

struct segmap_error *segmap_layout_summarize(const struct segmap_layout *layout, uint64_t low,
					     uint64_t high, struct segmap_summary *ret)
{
	__attribute__((cleanup(summing_free))) struct summing summing = { .layout = layout,
									  .whole = true };

	for (size_t i = 0; i < layout->n_vmas; i++) {
		const struct segmap_vma *vma = &layout->vmas[i];

		if (vma->start > high || vma->end - 1 < low)
			summing.whole = false;
		else if (!sum_vma(&summing, i))
			return segmap_error_no_memory();
	}
	if (!sort_rows(&summing))
		return segmap_error_no_memory();
	take_rollup(&summing);
	*ret = (struct segmap_summary){ return_ptr(summing.array), summing.n, summing.totals };
	return NULL;
}
