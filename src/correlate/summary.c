/* src/correlate/summary.c - what the memory of a process is made of, by file and by use. */
#include <segmap/summary.h>
#include "base/idmap.h"
#include "base/scope.h"
#include "correlate/summary.h"
#include <string.h>
#include <sys/mman.h>

/* Rows while they are filled. */
struct summing {
	const struct segmap_layout *layout;
	struct idmap rows; /* (group, class) to index in array */
	struct segmap_summary_row *array;
	size_t n, capacity;
	struct segmap_summary_figures totals;
	bool whole; /* all VMAs are summed up */
	bool shares_out; /* what is not known of a piece is shared out, see share_out() */
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

/* A file that is loaded twice is one group: images of one backing. The vdso has none. */
static uint64_t group_of(const struct segmap_layout *layout, const struct segmap_summary_row *row)
{
	return row->image < 0 ? (uint64_t)row->kind :
				SUMMARY_FIRST_BACKING +
					(uint64_t)(int64_t)layout->images[row->image].backing;
}

/*
 * The row that @piece of @vma belongs to, or the whole VMA if @piece is NULL,
 * as its index in the array. False if there is no memory for a row that was
 * not there.
 */
SEGMAP_MUST_CHECK static bool find_row(struct summing *summing, size_t vma,
				       const struct segmap_piece *piece, uint32_t *ret)
{
	const struct segmap_layout *layout = summing->layout;
	struct segmap_summary_row row = { .image = -1, .class = SEGMAP_CLASS_OTHER,
					  .processes = 1 };

	row.kind = layout->annotations[vma].kind;
	if (piece && piece->image >= 0) {
		row.image = piece->image;
		row.class = segmap_piece_class(layout, piece);
	} else if (piece) {
		/* Behind .bss in one VMA: before Linux 6.1 the kernel merged the heap with it. */
		row.kind = strcmp(layout->vmas[vma].name, "[heap]") == 0 ? SEGMAP_KIND_HEAP :
									   SEGMAP_KIND_ANON;
	} else {
		row.image = layout->annotations[vma].image;
	}
	row.group = group_of(layout, &row);
	if (idmap_find(&summing->rows, row.group, row.class, ret))
		return true;
	if (row.image >= 0)
		row.path = segmap_layout_image_path(layout, row.image);
	if (!grow(&summing->array, &summing->capacity, summing->n, sizeof(*summing->array)) ||
	    !idmap_find_or_add(&summing->rows, row.group, row.class, (uint32_t)summing->n, ret))
		return false;
	summing->array[summing->n++] = row;
	return true;
}

/* What is not known of one part is not known of the sum. */
void summary_add_figures(struct segmap_summary_figures *sum,
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

/*
 * What is not known of some pieces of @vma, the Pss of pages that others map
 * too and which of the pages are dirty, shared out in proportion, so that sums
 * over many processes are not empty for the sake of one page. Of @ret, the
 * figures of @piece.
 */
static void share_out(const struct segmap_layout *layout, size_t vma,
		      const struct segmap_piece *piece, struct segmap_summary_figures *ret)
{
	const struct segmap_annotation *annotation = &layout->annotations[vma];
	const struct segmap_piece_memory *pieces = layout->memory->pieces;
	const struct segmap_piece_memory *own = &pieces[piece - layout->pieces];
	struct segmap_summary_figures whole = figures_of_vma(layout, vma);
	uint64_t pss = whole.of[SEGMAP_SUMMARY_PSS], dirty = whole.of[SEGMAP_SUMMARY_DIRTY];
	double exclusive = 0, rss = 0, shared;

	for (uint32_t i = 0; i < annotation->n_pieces; i++) {
		exclusive += (double)pieces[annotation->first_piece + i].exclusive;
		rss += (double)pieces[annotation->first_piece + i].rss;
	}
	shared = (double)pss > exclusive ? (double)pss - exclusive : 0;
	if (pss != SEGMAP_NO_FIGURE && own->pss == SEGMAP_NO_FIGURE)
		ret->of[SEGMAP_SUMMARY_PSS] =
			own->exclusive + (uint64_t)(shared * (double)(own->rss - own->exclusive) /
						    (rss - exclusive));
	if (dirty != SEGMAP_NO_FIGURE && own->dirty == SEGMAP_NO_FIGURE)
		ret->of[SEGMAP_SUMMARY_DIRTY] = (uint64_t)((double)dirty * (double)own->rss / rss);
}

/* Share VMA @vma out among the rows of its pieces, whose pages are known. */
static bool sum_pieces(struct summing *summing, size_t vma)
{
	const struct segmap_layout *layout = summing->layout;
	const struct segmap_annotation *annotation = &layout->annotations[vma];

	for (uint32_t i = 0; i < annotation->n_pieces; i++) {
		const struct segmap_piece *piece = &layout->pieces[annotation->first_piece + i];
		struct segmap_summary_figures figures = figures_of_piece(layout, piece);
		uint32_t row;

		if (summing->shares_out)
			share_out(layout, vma, piece, &figures);
		if (!find_row(summing, vma, piece, &row))
			return false;
		summary_add_figures(&summing->array[row].figures, &figures);
	}
	return true;
}

static bool has_pages(const struct segmap_layout *layout, size_t vma)
{
	const struct segmap_memory *memory = layout->memory;

	return memory && memory->pieces && !memory->about[vma];
}

/* The greatest piece of @vma: where pages are not known, or have changed since smaps was read, all
 * of the VMA counts as that. */
static const struct segmap_piece *greatest_piece(const struct segmap_layout *layout, size_t vma)
{
	const struct segmap_annotation *annotation = &layout->annotations[vma];
	const struct segmap_piece *pieces = &layout->pieces[annotation->first_piece];
	const struct segmap_piece *greatest = pieces;

	for (uint32_t i = 1; i < annotation->n_pieces; i++)
		if (pieces[i].end - pieces[i].start > greatest->end - greatest->start)
			greatest = &pieces[i];
	return greatest;
}

static bool sum_vma(struct summing *summing, size_t vma)
{
	const struct segmap_layout *layout = summing->layout;
	const struct segmap_annotation *annotation = &layout->annotations[vma];
	const struct segmap_piece *pieces =
		annotation->n_pieces ? &layout->pieces[annotation->first_piece] : NULL;
	struct segmap_summary_figures figures = figures_of_vma(layout, vma);
	bool one_row = true, mixed = segmap_vma_is_mixed(layout, vma);
	uint32_t first = 0;

	summary_add_figures(&summing->totals, &figures);
	if (!pieces && !find_row(summing, vma, NULL, &first))
		return false;
	/* One row for all of it, most often; a file loaded twice makes more pieces than rows. */
	for (uint32_t i = 0; i < (mixed ? annotation->n_pieces : annotation->n_pieces > 0); i++) {
		uint32_t row;

		if (i && pieces[i].image == pieces[i - 1].image &&
		    segmap_piece_class(layout, &pieces[i]) ==
			    segmap_piece_class(layout, &pieces[i - 1]))
			continue;
		if (!find_row(summing, vma, &pieces[i], &row))
			return false;
		one_row &= i == 0 || row == first;
		first = row;
	}
	if (!one_row && summing->shares_out && !has_pages(layout, vma)) {
		if (!find_row(summing, vma, greatest_piece(layout, vma), &first))
			return false;
		one_row = true;
	}
	if (!one_row)
		return sum_pieces(summing, vma);
	/* The kernel's own figures are whole. */
	summary_add_figures(&summing->array[first].figures, &figures);
	return true;
}

/* Rows with how much their group has in memory. */
struct sortable {
	struct segmap_summary_row row;
	uint64_t group_sum;
	size_t index;
};

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_rows(const void *a, const void *b)
{
	const struct sortable *x = a, *y = b;
	int order = compare_numbers(y->group_sum, x->group_sum);

	if (!order)
		order = compare_numbers(x->row.group, y->row.group);
	if (!order)
		order = compare_numbers(x->row.class, y->row.class);
	return order ? order : compare_numbers(x->index, y->index);
}

bool summary_sort_rows(struct segmap_summary_row *rows, size_t n_rows,
		       enum segmap_summary_figure by)
{
	scope_free struct sortable *sorted = reallocarray(NULL, n_rows + 1, sizeof(*sorted));
	struct idmap groups = { 0 };
	bool done = sorted;

	for (size_t i = 0; i < n_rows && done; i++) {
		uint32_t first;

		sorted[i] = (struct sortable){ .row = rows[i], .index = i };
		done = idmap_find_or_add(&groups, rows[i].group, 0, (uint32_t)i, &first);
		if (done && rows[i].figures.of[by] != SEGMAP_NO_FIGURE)
			sorted[first].group_sum += rows[i].figures.of[by];
	}
	for (size_t i = 0; i < n_rows && done; i++) {
		uint32_t first;

		done = idmap_find_or_add(&groups, rows[i].group, 0, (uint32_t)i, &first);
		if (done)
			sorted[i].group_sum = sorted[first].group_sum;
	}
	idmap_free(&groups);
	if (!done)
		return false;
	qsort(sorted, n_rows, sizeof(*sorted), compare_rows);
	for (size_t i = 0; i < n_rows; i++)
		rows[i] = sorted[i].row;
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

/* All but the order of the rows. */
static struct segmap_error *sum_up(const struct segmap_layout *layout, uint64_t low, uint64_t high,
				   bool shares_out, struct segmap_summary *ret)
{
	__attribute__((cleanup(summing_free))) struct summing summing = {
		.layout = layout, .whole = true, .shares_out = shares_out,
	};

	for (size_t i = 0; i < layout->n_vmas; i++) {
		const struct segmap_vma *vma = &layout->vmas[i];

		if (vma->start > high || vma->end - 1 < low)
			summing.whole = false;
		else if (!sum_vma(&summing, i))
			return segmap_error_no_memory();
	}
	take_rollup(&summing);
	*ret = (struct segmap_summary){ return_ptr(summing.array), summing.n, summing.totals, 1 };
	return NULL;
}

struct segmap_error *summary_of_process(const struct segmap_layout *layout, uint64_t low,
					uint64_t high, struct segmap_summary *ret)
{
	return sum_up(layout, low, high, true, ret);
}

struct segmap_error *segmap_layout_summarize(const struct segmap_layout *layout, uint64_t low,
					     uint64_t high, struct segmap_summary *ret)
{
	struct segmap_summary summary = { 0 };
	struct segmap_error *error = sum_up(layout, low, high, false, &summary);

	if (error)
		return error;
	if (!summary_sort_rows(summary.rows, summary.n_rows, SEGMAP_SUMMARY_RSS)) {
		segmap_summary_free(&summary);
		return segmap_error_no_memory();
	}
	*ret = summary;
	return NULL;
}
