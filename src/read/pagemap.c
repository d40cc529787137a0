/* src/read/pagemap.c - which pages of a process are in memory or in swap, and how. */
#include "base/range.h"
#include "base/scope.h"
#include "read/bytes.h"
#include "read/pagemap.h"
#include <errno.h>
#include <segmap/summary.h>
#include <string.h>

enum { SCANNED_AT_ONCE = 1024, ENTRIES_AT_ONCE = 8192 };

struct reading {
	struct segmap_layout *layout;
	struct segmap_memory *memory;
	uint64_t page_size;
	struct scanned *scanned; /* SCANNED_AT_ONCE of them */
	uint64_t *entries;	 /* ENTRIES_AT_ONCE of them */
	uint64_t *counts;	 /* how often the page of each is mapped; 0: unknown */
	bool can_scan, knows_guards;
	int problem; /* errno of reading; 0: none */
	struct scanned *zeros; /* pages of zeros in the stretch being read */
	size_t n_zeros, cap_zeros;
	size_t n_left_out; /* VMAs whose pages are no usual ones */
};

static void reading_free(struct reading *reading)
{
	free(reading->scanned);
	free(reading->entries);
	free(reading->counts);
	free(reading->zeros);
}

/* Append @n pages, to the run before if it goes on; false if there is no memory. */
static bool add_run(struct reading *reading, uint64_t start, uint64_t n, uint32_t flags,
		    uint32_t sharers)
{
	struct segmap_pages *pages = &reading->memory->pages;

	if (!flags)
		return true;
	while (n) {
		struct segmap_page_run *last =
			pages->n_runs ? &pages->runs[pages->n_runs - 1] : NULL;
		uint32_t some = (uint32_t)min_u64(n, UINT32_MAX / 2);

		if (last && last->flags == flags && last->sharers == sharers &&
		    last->n_pages < UINT32_MAX / 2 &&
		    last->start + last->n_pages * reading->page_size == start) {
			last->n_pages += some;
		} else {
			if (!grow(&pages->runs, &pages->cap_runs, pages->n_runs,
				  sizeof(*pages->runs)))
				return false;
			pages->runs[pages->n_runs++] =
				(struct segmap_page_run){ start, some, flags, sharers };
		}
		start += some * reading->page_size;
		n -= some;
	}
	return true;
}

/*
 * Have the kernel tell of pages in [*@start, @end) that are of @any, into
 * @reading->scanned. Returns how many stretches, and moves *@start behind them;
 * -1 with errno.
 */
static int64_t scan_on(struct reading *reading, uint64_t *start, uint64_t end, uint64_t any)
{
	for (;;) {
		struct scan scan = {
			.size = sizeof(scan),
			.start = *start,
			.end = end,
			.vec = (uintptr_t)reading->scanned,
			.vec_len = SCANNED_AT_ONCE,
			.category_anyof_mask = any,
			.return_mask = SCAN_PRESENT | SCAN_SWAPPED | SCAN_FILE | SCAN_ZERO |
				       (reading->knows_guards ? SCAN_GUARD : 0),
		};
		int64_t n = ioctl(reading->memory->pagemap, SCAN_IOCTL, &scan);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EINVAL && reading->knows_guards) {
			reading->knows_guards = false;
			continue;
		}
		if (n >= 0)
			*start = n < SCANNED_AT_ONCE || scan.walk_end <= *start ? end : scan.walk_end;
		return n;
	}
}

/* An error that says that the kernel has no PAGEMAP_SCAN. */
static bool is_unknown(int errnum)
{
	return errnum == ENOTTY || errnum == EINVAL || errnum == EOPNOTSUPP || errnum == ENOSYS ||
	       errnum == EPERM;
}

/* The pages of zeros in [@start, @end). */
static struct segmap_error *find_zeros(struct reading *reading, uint64_t start, uint64_t end)
{
	reading->n_zeros = 0;
	while (reading->can_scan && start < end) {
		int64_t n = scan_on(reading, &start, end, SCAN_ZERO);

		if (n < 0) {
			reading->can_scan = false;
			if (!is_unknown(errno))
				reading->problem = errno;
		}
		for (int64_t i = 0; i < n; i++) {
			if (!grow(&reading->zeros, &reading->cap_zeros, reading->n_zeros,
				  sizeof(*reading->zeros)))
				return segmap_error_no_memory();
			reading->zeros[reading->n_zeros++] = reading->scanned[i];
		}
	}
	return NULL;
}

static uint32_t flags_of_entry(uint64_t entry)
{
	uint32_t exclusive = entry & ENTRY_EXCLUSIVE ? SEGMAP_PAGE_EXCLUSIVE : 0;

	switch (page_kind_of(entry)) {
	case PAGE_FILE:
		return SEGMAP_PAGE_PRESENT | SEGMAP_PAGE_FILE | exclusive;
	case PAGE_PRIVATE:
		return SEGMAP_PAGE_PRESENT | exclusive;
	case PAGE_SWAPPED:
		return SEGMAP_PAGE_SWAPPED;
	default:
		return 0;
	}
}

/*
 * Count how often the pages of the first @n entries are mapped, for root:
 * /proc/kpagecount has a word for each page frame. Frames that follow one
 * another, as those of a file mostly do, are read in one go.
 */
static void count_sharers(struct reading *reading, size_t n)
{
	memset(reading->counts, 0, n * sizeof(*reading->counts));
	for (size_t i = 0, end; i < n && reading->memory->kpagecount >= 0; i = end) {
		uint64_t entry = reading->entries[i], frame = entry & ENTRY_FRAME;
		size_t size;

		end = i + 1;
		if (entry & ENTRY_EXCLUSIVE) {
			reading->counts[i] = 1;
			continue;
		}
		if (!(entry & ENTRY_PRESENT) || !frame)
			continue;
		while (end < n && reading->entries[end] & ENTRY_PRESENT &&
		       !(reading->entries[end] & ENTRY_EXCLUSIVE) &&
		       (reading->entries[end] & ENTRY_FRAME) == frame + (end - i))
			end++;
		size = (end - i) * sizeof(*reading->counts);
		if (fd_read(reading->memory->kpagecount, &reading->counts[i], size,
			    frame * sizeof(*reading->counts)) != (int64_t)size)
			memset(&reading->counts[i], 0, size);
	}
}

/*
 * Whether of a short range as many pages are present as smaps has counted: then
 * none is a page of zeros, and there is no need to ask. Its words are then in
 * @reading->entries.
 */
static bool is_all_counted(struct reading *reading, uint64_t start, uint64_t end, uint64_t rss)
{
	enum { SHORT = 256 };
	uint64_t n = (end - start) / reading->page_size, n_present = 0;
	size_t size = n * sizeof(*reading->entries);

	reading->n_zeros = 0;
	if (n > SHORT ||
	    fd_read(reading->memory->pagemap, reading->entries, size,
		    start / reading->page_size * sizeof(*reading->entries)) != (int64_t)size)
		return false;
	for (size_t i = 0; i < n; i++)
		n_present += (reading->entries[i] & ENTRY_PRESENT) != 0;
	return n_present * reading->page_size == rss;
}

/* Read the page map of [@start, @end) word by word: it alone says who else maps a page. */
static struct segmap_error *read_entries(struct reading *reading, uint64_t start, uint64_t end,
					 uint64_t rss)
{
	bool is_read = is_all_counted(reading, start, end, rss);
	struct segmap_error *error = is_read ? NULL : find_zeros(reading, start, end);
	size_t zero = 0;

	while (!error && start < end) {
		uint64_t n = min_u64((end - start) / reading->page_size, ENTRIES_AT_ONCE);
		size_t size = n * sizeof(*reading->entries);
		ssize_t got = is_read ? (ssize_t)size :
					pread(reading->memory->pagemap, reading->entries, size,
					      (off_t)(start / reading->page_size *
						      sizeof(*reading->entries)));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < (ssize_t)sizeof(*reading->entries)) {
			/* Nothing: the process has ended, and its memory is gone. */
			reading->problem = got < 0 ? errno : ESRCH;
			return NULL;
		}
		count_sharers(reading, (size_t)got / sizeof(*reading->entries));
		for (size_t i = 0; i < (size_t)got / sizeof(*reading->entries); i++) {
			uint32_t flags = flags_of_entry(reading->entries[i]);
			uint64_t sharers = reading->counts[i];

			while (zero < reading->n_zeros && reading->zeros[zero].end <= start)
				zero++;
			if (zero < reading->n_zeros && reading->zeros[zero].start <= start &&
			    flags & SEGMAP_PAGE_PRESENT)
				flags = SEGMAP_PAGE_ZERO;
			if (!add_run(reading, start, 1, flags,
				     sharers > UINT32_MAX ? 0 : (uint32_t)sharers))
				return segmap_error_no_memory();
			start += reading->page_size;
		}
	}
	return error;
}

static uint32_t flags_of_categories(uint64_t categories)
{
	if (categories & SCAN_GUARD)
		return 0;
	if (categories & SCAN_ZERO)
		return SEGMAP_PAGE_ZERO;
	if (categories & SCAN_PRESENT)
		return SEGMAP_PAGE_PRESENT | (categories & SCAN_FILE ? SEGMAP_PAGE_FILE : 0);
	return categories & SCAN_SWAPPED ? SEGMAP_PAGE_SWAPPED : 0;
}

/*
 * The pages of [@start, @end) by the stretch: however much address space is
 * reserved, this takes time for what is there. Who else maps them is not told.
 */
static struct segmap_error *read_scan(struct reading *reading, uint64_t start, uint64_t end)
{
	while (reading->can_scan && start < end) {
		int64_t n = scan_on(reading, &start, end, SCAN_PRESENT | SCAN_SWAPPED);

		if (n < 0) {
			if (!is_unknown(errno)) {
				reading->problem = errno;
				return NULL;
			}
			reading->can_scan = false;
		}
		for (int64_t i = 0; i < n; i++) {
			const struct scanned *scanned = &reading->scanned[i];

			if (!add_run(reading, scanned->start,
				     (scanned->end - scanned->start) / reading->page_size,
				     flags_of_categories(scanned->categories), 0))
				return segmap_error_no_memory();
		}
	}
	return start < end ? read_entries(reading, start, end, SEGMAP_NO_FIGURE) : NULL;
}

/* Whether pages of VMA @index are to be read. smaps has said which VMAs have any. */
static bool is_wanted(struct reading *reading, size_t index, enum segmap_pages_of which)
{
	const struct segmap_memory *memory = reading->memory;

	if (which == SEGMAP_PAGES_OF_IMAGES && !reading->layout->annotations[index].n_pieces)
		return false;
	if (which == SEGMAP_PAGES_OF_MIXED && !segmap_vma_is_mixed(reading->layout, index))
		return false;
	if (segmap_memory_leaves_out(memory, index)) {
		/* [vvar] is in every process: it is worth no note. */
		reading->n_left_out += reading->layout->vmas[index].name[0] != '[';
		return false;
	}
	return segmap_memory_known(memory, index, SEGMAP_FIGURE_RSS) ||
	       segmap_memory_known(memory, index, SEGMAP_FIGURE_SWAP);
}

/* The pages of all VMAs that are wanted; neighbours of one sort in one go. */
static struct segmap_error *read_all(struct reading *reading, enum segmap_pages_of which)
{
	const struct segmap_layout *layout = reading->layout;
	struct segmap_error *error = NULL;

	for (size_t i = 0; i < layout->n_vmas && !error && !reading->problem;) {
		bool has_pieces = layout->annotations[i].n_pieces;
		uint64_t start = layout->vmas[i].start, end = layout->vmas[i].end;
		uint64_t rss = segmap_memory_known(reading->memory, i, SEGMAP_FIGURE_RSS);
		bool wanted = is_wanted(reading, i, which);

		for (i++; wanted && i < layout->n_vmas && layout->vmas[i].start == end &&
			  has_pieces == (layout->annotations[i].n_pieces > 0) &&
			  is_wanted(reading, i, which);
		     i++) {
			end = layout->vmas[i].end;
			rss = segmap_figure_add(
				rss, segmap_memory_known(reading->memory, i, SEGMAP_FIGURE_RSS));
		}
		if (wanted)
			error = has_pieces ? read_entries(reading, start, end, rss) :
					     read_scan(reading, start, end);
	}
	return error;
}

static struct segmap_error *note_problem(struct segmap_layout *layout, int errnum)
{
	struct segmap_error *why;
	struct segmap_error *error;

	if (errnum == ESRCH)
		return segmap_layout_note(layout, "its pages are not known: it ended meanwhile");
	why = segmap_error_system(errnum, "", "read pagemap");
	error = segmap_layout_note(layout, "its pages are not known: %s", why->why);
	segmap_error_free(why);
	return error;
}

struct segmap_error *segmap_layout_read_pages(struct segmap_layout *layout,
					      enum segmap_pages_of which)
{
	__attribute__((cleanup(reading_free))) struct reading reading = {
		.layout = layout,
		.memory = layout->memory,
		.page_size = layout->page_size,
		.can_scan = true,
		.knows_guards = true,
	};
	struct segmap_error *error;

	if (!layout->memory || !layout->memory->n_figures)
		return NULL; /* there is a note already */
	if (layout->memory->pagemap < 0)
		return note_problem(layout, layout->memory->pagemap_problem);
	/* Cleared: valgrind does not know that the ioctl fills it. Once, that costs nothing. */
	reading.scanned = calloc(SCANNED_AT_ONCE, sizeof(*reading.scanned));
	reading.entries = reallocarray(NULL, ENTRIES_AT_ONCE, sizeof(*reading.entries));
	reading.counts = reallocarray(NULL, ENTRIES_AT_ONCE, sizeof(*reading.counts));
	if (!reading.scanned || !reading.entries || !reading.counts)
		return segmap_error_no_memory();
	error = read_all(&reading, which);
	if (error)
		return error;
	if (reading.problem) {
		layout->memory->pages.n_runs = 0;
		return note_problem(layout, reading.problem);
	}
	layout->memory->pages.zero_known = reading.can_scan;
	layout->memory->pages.known = true;
	layout->memory->pages.mixed_only = which == SEGMAP_PAGES_OF_MIXED;
	if (!reading.n_left_out)
		return NULL;
	return segmap_layout_note(layout,
				  "%zu VMA%s huge pages of hugetlbfs or frames of devices, which "
				  "are not in Rss: their pages are left out",
				  reading.n_left_out, reading.n_left_out == 1 ? " has" : "s have");
}
