/* src/correlate/account.c - the pages of a process shared out among its pieces. */
#include "base/range.h"
#include "base/scope.h"
#include <segmap/summary.h>

/*
 * A page belongs to the pieces that lie on it, each with as many bytes as it has
 * there, so that nothing is counted twice and the pieces add up to their VMA:
 *
 *      page    |        present         |         absent         |
 *      pieces  |  .got  | .data  |     .bss        |   [anon]    |
 *      rss     |  1 KiB | 1 KiB  | 2 KiB           |   0         |
 */

/*
 * The share of @bytes on pages that @sharers map, in 4096ths of a byte, rounded
 * as the kernel does it page by page (fs/proc/task_mmu.c:smaps_account).
 */
static uint64_t share_of(uint64_t bytes, uint32_t sharers, uint64_t page_size)
{
	uint64_t of_page = (page_size << 12) / sharers;

	return bytes / page_size * of_page + bytes % page_size * of_page / page_size;
}

/* @memory->pss is in 4096ths of a byte here. */
static void add_bytes(struct segmap_piece_memory *memory, const struct segmap_page_run *run,
		      uint64_t bytes, uint64_t page_size)
{
	uint32_t flags = run->flags;

	if (flags & SEGMAP_PAGE_SWAPPED)
		memory->swap += bytes;
	if (!(flags & SEGMAP_PAGE_PRESENT))
		return;
	memory->rss += bytes;
	*(flags & SEGMAP_PAGE_FILE ? &memory->file : &memory->anonymous) += bytes;
	if (flags & SEGMAP_PAGE_EXCLUSIVE)
		memory->exclusive += bytes;
	memory->pss = segmap_figure_add(
		memory->pss, flags & SEGMAP_PAGE_EXCLUSIVE ? bytes << 12 :
			     run->sharers		   ? share_of(bytes, run->sharers, page_size) :
							     SEGMAP_NO_FIGURE);
}

static uint64_t run_end(const struct segmap_page_run *run, uint64_t page_size)
{
	return run->start + run->n_pages * page_size;
}

/* Give @piece its bytes on the runs from *@at on; *@at stays at the last that reaches beyond. */
static void account_piece(const struct segmap_pages *pages, uint64_t page_size,
			  const struct segmap_piece *piece, size_t *at,
			  struct segmap_piece_memory *ret)
{
	while (*at < pages->n_runs && run_end(&pages->runs[*at], page_size) <= piece->start)
		++*at;
	for (size_t i = *at; i < pages->n_runs && pages->runs[i].start < piece->end; i++) {
		const struct segmap_page_run *run = &pages->runs[i];

		add_bytes(ret, run,
			  min_u64(run_end(run, page_size), piece->end) -
				  max_u64(run->start, piece->start),
			  page_size);
		*at = i;
	}
}

/* Whether the kernel has said the same of the VMA as a whole. */
static bool adds_up(const struct segmap_memory *memory, size_t vma,
		    const struct segmap_piece_memory *sum)
{
	return sum->rss == segmap_memory_known(memory, vma, SEGMAP_FIGURE_RSS) &&
	       sum->anonymous == segmap_memory_known(memory, vma, SEGMAP_FIGURE_ANONYMOUS) &&
	       sum->swap == segmap_memory_known(memory, vma, SEGMAP_FIGURE_SWAP);
}

/*
 * What smaps says of the VMA alone can hold for each piece, too: pages that no
 * other process maps count in full, and all pages are dirty or none is.
 */
static void infer(const struct segmap_memory *memory, size_t vma, bool agrees,
		  struct segmap_piece_memory *piece)
{
	uint64_t dirty =
		segmap_figure_add(segmap_memory_known(memory, vma, SEGMAP_FIGURE_SHARED_DIRTY),
				  segmap_memory_known(memory, vma, SEGMAP_FIGURE_PRIVATE_DIRTY));

	if (piece->exclusive == piece->rss)
		piece->pss = piece->rss;
	else
		piece->pss = agrees && piece->pss != SEGMAP_NO_FIGURE ? piece->pss >> 12 :
									 SEGMAP_NO_FIGURE;
	piece->dirty = SEGMAP_NO_FIGURE;
	if (!piece->rss || !dirty)
		piece->dirty = 0;
	else if (dirty == segmap_memory_known(memory, vma, SEGMAP_FIGURE_RSS))
		piece->dirty = piece->rss;
}

/*
 * Whether the pages of VMA @vma, of the runs from @at on, have the Pss that
 * smaps says: who else maps a page can have changed since, and then the
 * pieces' shares would be guesses.
 */
static bool agrees_in_pss(const struct segmap_layout *layout, size_t vma, size_t at)
{
	struct segmap_piece whole = { .start = layout->vmas[vma].start, .end = layout->vmas[vma].end };
	struct segmap_piece_memory sum = { 0 };

	if (!layout->annotations[vma].n_pieces)
		return false;
	account_piece(&layout->memory->pages, layout->page_size, &whole, &at, &sum);
	return sum.pss != SEGMAP_NO_FIGURE &&
	       page_down(sum.pss >> 12, 1024) ==
		       segmap_memory_known(layout->memory, vma, SEGMAP_FIGURE_PSS);
}

/* Account the pieces of VMA @vma; whether they add up to it. */
static bool account_vma(const struct segmap_layout *layout, size_t vma, size_t *at)
{
	const struct segmap_annotation *annotation = &layout->annotations[vma];
	const struct segmap_memory *memory = layout->memory;
	struct segmap_piece_memory sum = { 0 };
	bool agrees = agrees_in_pss(layout, vma, *at);

	for (uint32_t i = 0; i < annotation->n_pieces; i++) {
		struct segmap_piece_memory *piece = &memory->pieces[annotation->first_piece + i];

		account_piece(&memory->pages, layout->page_size,
			      &layout->pieces[annotation->first_piece + i], at, piece);
		infer(memory, vma, agrees, piece);
		sum.rss += piece->rss;
		sum.anonymous += piece->anonymous;
		sum.swap += piece->swap;
	}
	return !annotation->n_pieces || adds_up(memory, vma, &sum);
}

struct segmap_error *segmap_layout_account(struct segmap_layout *layout)
{
	struct segmap_memory *memory = layout->memory;
	size_t at = 0, n_about = 0;

	if (!memory || !memory->pages.known)
		return NULL;
	memory->pieces = calloc(layout->n_pieces + 1, sizeof(*memory->pieces));
	memory->about = calloc(layout->n_vmas + 1, 1);
	if (!memory->pieces || !memory->about)
		return segmap_error_no_memory();
	for (size_t i = 0; i < layout->n_vmas; i++) {
		if (memory->pages.mixed_only && !segmap_vma_is_mixed(layout, i))
			continue;
		memory->about[i] = !account_vma(layout, i, &at);
		n_about += memory->about[i];
	}
	if (!n_about || memory->pages.mixed_only) /* who wants them alone sees to that */
		return NULL;
	return segmap_layout_note(layout,
				  "the pieces of %zu VMA%s are \"about\" (~): they do not add up to "
				  "what the kernel says of the VMA%s",
				  n_about, n_about == 1 ? "" : "s",
				  memory->pages.zero_known ?
					  ", since the process ran on, or swapped shared memory" :
					  "; before Linux 6.7 a page of zeros looks like any other");
}

/* The first run that ends behind @at. */
static size_t find_run(const struct segmap_layout *layout, uint64_t at)
{
	const struct segmap_pages *pages = &layout->memory->pages;
	size_t low = 0, high = pages->n_runs;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (run_end(&pages->runs[middle], layout->page_size) <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static unsigned char cell_of_run(const struct segmap_page_run *run)
{
	if (run->flags & SEGMAP_PAGE_SWAPPED)
		return SEGMAP_CELL_SWAPPED;
	if (run->flags & SEGMAP_PAGE_ZERO)
		return SEGMAP_CELL_ZERO;
	return run->flags & SEGMAP_PAGE_FILE ? SEGMAP_CELL_FILE : SEGMAP_CELL_PRIVATE;
}

/* What is in [@start, @end), of the runs from *@run on, which stays at the last that is needed. */
static unsigned char look_at_cell(const struct segmap_layout *layout, uint64_t start, uint64_t end,
				  size_t *run)
{
	const struct segmap_pages *pages = &layout->memory->pages;
	unsigned char cell = 0;

	while (start < end) {
		const struct segmap_page_run *at =
			*run < pages->n_runs ? &pages->runs[*run] : NULL;

		if (!at || at->start >= end)
			return cell | SEGMAP_CELL_ABSENT;
		if (at->start > start)
			cell |= SEGMAP_CELL_ABSENT;
		cell |= cell_of_run(at);
		start = run_end(at, layout->page_size);
		if (start <= end)
			++*run;
	}
	return cell;
}

size_t segmap_layout_strip(const struct segmap_layout *layout, uint64_t start, uint64_t end,
			   size_t most, unsigned char *ret)
{
	uint64_t page_size = layout->page_size, n_pages, per_cell;
	size_t n_cells = 0, run;

	start = page_down(start, page_size);
	n_pages = (end - start + page_size - 1) / page_size;
	per_cell = (n_pages + most - 1) / most;
	run = find_run(layout, start);
	for (uint64_t page = 0; page < n_pages; page += per_cell)
		ret[n_cells++] = look_at_cell(
			layout, start + page * page_size,
			start + min_u64(page + per_cell, n_pages) * page_size, &run);
	return n_cells;
}
