/* src/read/evidence.c - what an audit reads of a process beside its map. */
#include "read/evidence.h"
#include "base/range.h"
#include "base/scope.h"
#include "model/elf.h"
#include "read/bytes.h"
#include "read/ladder.h"
#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <segmap/limits.h>
#include <segmap/symbols.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The number behind "\nKEY:" in /proc/PID/status, the last of its line; 0 if it is not there. */
static int status_number(const char *status, const char *key)
{
	const char *line = strstr(status, key), *end, *last;

	if (!line)
		return 0;
	line += strlen(key);
	end = line + strcspn(line, "\n");
	for (last = end; last > line && isdigit((unsigned char)last[-1]); last--)
		;
	return (int)strtol(last, NULL, 10);
}

/* "p:group/event /path/of/file:0x1136", a line of uprobe_events (Linux trace/uprobetracer.rst). */
static bool add_probe(struct segmap_evidence *evidence, const char *line)
{
	const char *path = strchr(line, '/'), *colon;
	size_t size = strcspn(line, "\n");
	struct segmap_probe probe;

	/* The first slash is the group's. */
	path = path ? strstr(path, " /") : NULL;
	if ((line[0] != 'p' && line[0] != 'r') || !path || path >= line + size)
		return true;
	path++;
	colon = strstr(path, ":0x");
	if (!colon || colon >= line + size)
		return true;
	if (!grow(&evidence->probes, &evidence->cap_probes, evidence->n_probes, sizeof(probe)))
		return false;
	probe.off = strtoull(colon + 1, NULL, 16);
	probe.path = strndup(path, (size_t)(colon - path));
	if (!probe.path)
		return false;
	evidence->probes[evidence->n_probes++] = probe;
	return true;
}

/* The breakpoints that root has the kernel set; only root may know them. */
static struct segmap_error *read_probes(struct segmap_evidence *evidence)
{
	static const char *const places[] = { "/sys/kernel/tracing/uprobe_events",
					      "/sys/kernel/debug/tracing/uprobe_events" };
	enum { MOST = 1 << 20 };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		scope_free char *text = NULL;
		struct segmap_error *error;
		size_t size;

		error = file_read_if_there(AT_FDCWD, places[i], MOST, &text, &size);
		for (const char *line = text; !error && line && *line;
		     line = strchr(line, '\n'), line += !!line)
			if (!add_probe(evidence, line))
				error = segmap_error_no_memory();
		if (error || text)
			return error;
	}
	return NULL;
}

/*
 * Open /tmp/perf-PID.map, in which the process says where it has generated code; -1 if there is
 * none. Anybody can make a file of that name, so it counts only if it is a regular
 * file of the process's owner @uid or of root; perf(1) asks much the same.
 */
static int open_listing(int dir, int pid, uid_t uid, struct segmap_files *files)
{
	struct ladder ladder = {
		.process_dir = dir, .map_files = -1, .root = -1, .exe = -1
	};
	scope_close int named = -1;
	struct stat stat;
	char path[64];

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", pid);
	named = ladder_open_root(&ladder, path, O_NOFOLLOW, &stat);
	ladder_close(&ladder);
	if (named < 0 || !S_ISREG(stat.st_mode) || (stat.st_uid != uid && stat.st_uid != 0))
		return -1;
	return files_open_for_reading(files, named, &stat);
}

static int compare_generated(const void *a, const void *b)
{
	const struct segmap_generated *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/*
 * Take the code that the lines of the @size bytes at @text list, as perf(1) reads them (Linux
 * tools/perf/Documentation/jit-interface.txt): "START SIZE name", in hex. What
 * is behind the last newline can be half a line. *@left: the lines are more than are taken.
 */
static struct segmap_error *take_generated(struct segmap_evidence *evidence, char *text,
					   size_t size, bool *left)
{
	const char *end = text + size;

	for (char *line = text, *newline; (newline = memchr(line, '\n', (size_t)(end - line)));
	     line = newline + 1) {
		struct segmap_generated generated;
		uint64_t bytes;

		*newline = '\0';
		if (sscanf(line, "%" SCNx64 " %" SCNx64, &generated.start, &bytes) != 2 ||
		    !checked_add(generated.start, bytes, &generated.end))
			continue;
		*left = evidence->n_generated == SEGMAP_MAX_GENERATED;
		if (*left)
			break;
		if (!grow(&evidence->generated, &evidence->cap_generated, evidence->n_generated,
			  sizeof(generated)))
			return segmap_error_no_memory();
		evidence->generated[evidence->n_generated++] = generated;
	}
	if (evidence->n_generated)
		qsort(evidence->generated, evidence->n_generated, sizeof(*evidence->generated),
		      compare_generated);
	return NULL;
}

/* Read what the process lists of code that it has generated. */
static struct segmap_error *read_listing(struct segmap_layout *layout)
{
	struct segmap_evidence *evidence = layout->evidence;
	scope_free char *text = NULL;
	struct segmap_error *error;
	struct stat stat;
	bool left = false;
	int64_t got;

	if (evidence->listing < 0 || fstat(evidence->listing, &stat) || stat.st_size <= 0)
		return NULL;
	got = (int64_t)min_u64((uint64_t)stat.st_size, SEGMAP_MAX_LISTING);
	text = malloc((size_t)got);
	if (!text)
		return segmap_error_no_memory();
	got = fd_read(evidence->listing, text, (size_t)got, 0);
	if (got < 0)
		return NULL;
	error = take_generated(evidence, text, (size_t)got, &left);
	if (error || (!left && stat.st_size <= SEGMAP_MAX_LISTING))
		return error;
	return segmap_layout_note(layout,
				  "its list of generated code, perf-PID.map, is longer than %d MiB or "
				  "%d lines: code that only the rest lists counts as not listed",
				  SEGMAP_MAX_LISTING >> 20, SEGMAP_MAX_GENERATED);
}

struct segmap_error *evidence_open(struct segmap_layout *layout, int dir,
				   struct segmap_files *files)
{
	struct segmap_evidence *evidence = calloc(1, sizeof(*evidence));
	scope_free char *status = NULL;
	struct segmap_error *error;
	struct stat stat;
	size_t size;

	if (!evidence)
		return segmap_error_no_memory();
	layout->evidence = evidence;
	evidence->listing = -1;
	evidence->mem = openat(dir, "mem", O_RDONLY | O_CLOEXEC);
	evidence->mem_errno = evidence->mem < 0 ? errno : 0;
	evidence->pagemap = openat(dir, "pagemap", O_RDONLY | O_CLOEXEC);
	if (evidence->pagemap < 0)
		evidence->mem_errno = errno;
	evidence->maps = openat(dir, "maps", O_RDONLY | O_CLOEXEC);
	error = read_probes(evidence);
	if (!error)
		error = file_read_if_there(dir, "status", 65536, &status, &size);
	if (!status || fstat(dir, &stat))
		return error;
	evidence->tracer = status_number(status, "\nTracerPid:");
	evidence->listing = open_listing(dir, status_number(status, "\nNStgid:"), stat.st_uid, files);
	return NULL;
}

enum page_kind page_window_at(struct page_window *window, uint64_t addr, uint64_t end)
{
	uint64_t page = page_down(addr, window->page_size);

	if (page < window->start || page >= window->end) {
		uint64_t most = sizeof(window->entries) / sizeof(window->entries[0]);
		uint64_t n =
			end > page ? (end - page + window->page_size - 1) / window->page_size : 1;
		int64_t got;

		/* A mapping can be as long as the address space, and have next to nothing in it. */
		window->exhausted |= n > 1 && window->n_read >= SEGMAP_MAX_AUDITED;
		if (n > 1 && window->exhausted)
			return PAGE_ABSENT;
		got = fd_read(window->pagemap, window->entries, min_u64(n, most) * sizeof(window->entries[0]),
			      page / window->page_size * sizeof(window->entries[0]));
		window->n_read += min_u64(n, most);
		window->start = window->end = page;
		if (got < (int64_t)sizeof(window->entries[0]))
			return PAGE_ABSENT;
		window->end += (uint64_t)got / sizeof(window->entries[0]) * window->page_size;
	}
	return page_kind_of(window->entries[(page - window->start) / window->page_size]);
}

bool evidence_read(const struct segmap_evidence *evidence, struct page_window *window, void *buffer,
		   size_t size, uint64_t addr)
{
	uint64_t end;

	if (!checked_add(addr, size, &end))
		return false;
	for (uint64_t page = page_down(addr, window->page_size); page < end;
	     page += window->page_size) {
		enum page_kind kind = page_window_at(window, page, end);

		if (kind != PAGE_FILE && kind != PAGE_PRIVATE)
			return false;
	}
	return fd_read(evidence->mem, buffer, size, addr) == (int64_t)size;
}

/* The comparison of one layout. */
struct comparing {
	struct segmap_layout *layout;
	struct segmap_evidence *evidence;
	struct page_window *window;
	/* Of the image that is being compared, if it has text relocations: ascending vaddr. */
	int32_t image;
	uint64_t *relocated;
	size_t n_relocated, cap_relocated;
	uint64_t last_page;		    /* that was counted */
	unsigned char *in_file, *in_memory; /* a page of each */
};

/* So many differences of one process are told; what more there is has the same cause. */
enum { MOST_ALTERED = 1000 };

/* Stretches of equal bytes of at most this length do not part one change from the next. */
enum { JOINED = 16 };

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Append where the relocations of @table, entries of @entry bytes, write to. */
static bool add_relocations(struct comparing *comparing, const struct segmap_image *image,
			    struct segmap_relocations table, size_t entry)
{
	enum { MOST = 1 << 22 }; /* entries */
	const struct segmap_elf *elf = image->elf;
	const struct segmap_file *file = comparing->layout->backings[image->backing].file;
	size_t word = elf->class / 8;
	unsigned char bytes[sizeof(Elf64_Rela)];
	uint64_t off;

	if (!elf_off_of_vaddr(elf, table.vaddr, &off))
		return true;
	for (uint64_t i = 0; i < min_u64(table.size / entry, MOST); i++) {
		uint64_t vaddr;

		if (fd_read(file->fd, bytes, entry, elf->elf_off + off + i * entry) !=
		    (int64_t)entry)
			break;
		/* r_offset; read for this machine's byte order alone */
		vaddr = bytes_word(bytes, word, false);
		if (!grow(&comparing->relocated, &comparing->cap_relocated, comparing->n_relocated,
			  sizeof(vaddr)))
			return false;
		comparing->relocated[comparing->n_relocated++] = vaddr;
	}
	return true;
}

/* Make ready for the image of @piece: where it is relocated, if text is. */
static bool choose_image(struct comparing *comparing, const struct segmap_piece *piece)
{
	const struct segmap_image *image = &comparing->layout->images[piece->image];
	const struct segmap_linking *linking = image->elf->linking;
	bool is_64 = image->elf->class == 64;

	if (comparing->image == piece->image)
		return true;
	comparing->image = piece->image;
	comparing->n_relocated = 0;
	if (!image->elf->textrel || !linking || image->elf->foreign)
		return true;
	if (!add_relocations(comparing, image, linking->rel,
			     is_64 ? sizeof(Elf64_Rel) : sizeof(Elf32_Rel)) ||
	    !add_relocations(comparing, image, linking->rela,
			     is_64 ? sizeof(Elf64_Rela) : sizeof(Elf32_Rela)))
		return false;
	if (comparing->n_relocated)
		qsort(comparing->relocated, comparing->n_relocated, sizeof(*comparing->relocated),
		      compare_numbers);
	return true;
}

/* Whether a relocation writes to @addr: a word from its place on. */
static bool is_relocated(const struct comparing *comparing, uint64_t addr)
{
	const struct segmap_image *image = &comparing->layout->images[comparing->image];
	uint64_t vaddr = segmap_vaddr(addr, image->bias);
	size_t low = 0, high = comparing->n_relocated;

	while (low < high) { /* the first place behind it */
		size_t middle = low + (high - low) / 2;

		if (comparing->relocated[middle] > vaddr)
			high = middle;
		else
			low = middle + 1;
	}
	return low && vaddr - comparing->relocated[low - 1] < image->elf->class / 8;
}

/* Where in its file the byte at @addr of @piece is; false if it is not to be compared. */
static bool place_in_file(const struct segmap_layout *layout, const struct segmap_piece *piece,
			  uint64_t addr, uint64_t *ret)
{
	const struct segmap_image *image = &layout->images[piece->image];
	const struct segmap_segment *segment = &image->elf->segments[piece->segment];
	uint64_t vaddr = segmap_vaddr(addr, image->bias);

	if (piece->off != SEGMAP_NO_OFF) {
		*ret = piece->off + (addr - piece->start);
		return true;
	}
	/* Anonymous pages that took the place of the file's. */
	*ret = image->elf->elf_off + segmap_off(segment, vaddr);
	return vaddr >= segment->vaddr && vaddr - segment->vaddr < segment->filesz;
}

/* Whether the bytes of @piece are to stay as they are in the file, and that can be looked at. */
static bool is_constant(const struct segmap_layout *layout, const struct segmap_piece *piece)
{
	const struct segmap_image *image = piece->image < 0 ? NULL : &layout->images[piece->image];
	const struct segmap_backing *backing =
		!image || image->backing < 0 ? NULL : &layout->backings[image->backing];

	return backing && backing->file && backing->file->fd >= 0 && image->elf &&
	       piece->segment >= 0 && piece->kind != SEGMAP_PIECE_GAP &&
	       !(image->elf->segments[piece->segment].prot & PROT_WRITE);
}

static void take_context(const struct comparing *comparing, struct segmap_altered *altered,
			 uint64_t low, uint64_t high)
{
	uint64_t context = altered->start - min_u64(altered->start - low, SEGMAP_ALTERED_CONTEXT);

	altered->context = context;
	altered->n_context = min_u64(high - context, SEGMAP_ALTERED_BYTES);
	memcpy(altered->in_file, comparing->in_file + (context - low), altered->n_context);
	memcpy(altered->in_memory, comparing->in_memory + (context - low), altered->n_context);
}

/* The byte at @addr, of the range [@low, @high) that is being compared, differs. */
static bool add_altered(struct comparing *comparing, uint32_t piece, uint64_t addr, uint64_t off,
			uint64_t low, uint64_t high)
{
	struct segmap_evidence *evidence = comparing->evidence;
	bool relocated = comparing->n_relocated && is_relocated(comparing, addr);
	struct segmap_altered *last =
		evidence->n_altered ? &evidence->altered[evidence->n_altered - 1] : NULL;

	if (last && last->piece == piece && last->relocated == relocated &&
	    (relocated || addr - last->end <= JOINED)) {
		last->end = addr + 1;
		last->n_bytes++;
		return true;
	}
	if (evidence->n_altered == MOST_ALTERED) {
		evidence->cut_short = true;
		return true;
	}
	if (!grow(&evidence->altered, &evidence->cap_altered, evidence->n_altered,
		  sizeof(*evidence->altered)))
		return false;
	last = &evidence->altered[evidence->n_altered++];
	*last = (struct segmap_altered){
		.start = addr,
		.end = addr + 1,
		.n_bytes = 1,
		.off = off,
		.piece = piece,
		.relocated = relocated,
	};
	take_context(comparing, last, low, high);
	return true;
}

/* Compare [@low, @high), on one private page, with the file byte by byte. */
static bool compare_range(struct comparing *comparing, uint32_t index, uint64_t low, uint64_t high)
{
	struct segmap_layout *layout = comparing->layout;
	const struct segmap_piece *piece = &layout->pieces[index];
	int32_t backing = layout->images[piece->image].backing;
	size_t size = high - low;
	uint64_t off;
	int64_t got;

	if (!place_in_file(layout, piece, low, &off))
		return true;
	got = fd_read(layout->backings[backing].file->fd, comparing->in_file, size, off);
	if (got < 0 ||
	    fd_read(comparing->evidence->mem, comparing->in_memory, size, low) != (int64_t)size) {
		comparing->evidence->n_unread++;
		return true;
	}
	/* Behind the end of the file a page is zeros. */
	memset(comparing->in_file + got, 0, size - (size_t)got);
	if (memcmp(comparing->in_file, comparing->in_memory, size) == 0)
		return true;
	for (size_t i = 0; i < size; i++)
		if (comparing->in_file[i] != comparing->in_memory[i] &&
		    !add_altered(comparing, index, low + i, off + i, low, high))
			return false;
	return true;
}

/* Compare what of @piece lies on private pages; @end is its VMA's. */
static bool compare_piece(struct comparing *comparing, uint32_t index, uint64_t end)
{
	const struct segmap_piece *piece = &comparing->layout->pieces[index];
	struct segmap_evidence *evidence = comparing->evidence;
	uint64_t page_size = comparing->layout->page_size;

	for (uint64_t page = page_down(piece->start, page_size);
	     page < piece->end && !comparing->window->exhausted; page += page_size) {
		enum page_kind kind = page_window_at(comparing->window, page, end);

		if (kind != PAGE_PRIVATE && kind != PAGE_SWAPPED)
			continue;
		if (page != comparing->last_page) {
			evidence->n_private += kind == PAGE_PRIVATE;
			evidence->n_swapped += kind == PAGE_SWAPPED;
		}
		comparing->last_page = page;
		if (kind == PAGE_PRIVATE &&
		    (!choose_image(comparing, piece) ||
		     !compare_range(comparing, index, max_u64(piece->start, page),
				    min_u64(piece->end, page + page_size))))
			return false;
	}
	return true;
}

static bool compare_all(struct comparing *comparing)
{
	const struct segmap_layout *layout = comparing->layout;

	for (size_t i = 0; i < layout->n_vmas; i++) {
		const struct segmap_annotation *annotation = &layout->annotations[i];

		/* What is shared is the file itself. */
		for (uint32_t j = 0; j < annotation->n_pieces && !layout->vmas[i].shared; j++) {
			uint32_t piece = annotation->first_piece + j;

			if (is_constant(layout, &layout->pieces[piece]) &&
			    !compare_piece(comparing, piece, layout->vmas[i].end))
				return false;
		}
	}
	return true;
}

/*
 * Read @size bytes of @displaced, from @page on; false if they are not to be had. What is not in
 * memory is what the file has there, if it is the image's own: another is not open.
 */
static bool read_displaced(const struct comparing *comparing,
			   const struct segmap_displaced *displaced, uint64_t page, size_t size)
{
	const struct segmap_layout *layout = comparing->layout;
	const struct segmap_vma *vma = &layout->vmas[displaced->vma];
	int32_t backing = layout->images[displaced->image].backing;

	switch (page_window_at(comparing->window, page, displaced->end)) {
	case PAGE_FILE:
	case PAGE_PRIVATE:
		return fd_read(comparing->evidence->mem, comparing->in_memory, size, page) ==
		       (int64_t)size;
	case PAGE_ABSENT:
		return !comparing->window->exhausted &&
		       layout->annotations[displaced->vma].backing == backing &&
		       fd_read(layout->backings[backing].file->fd, comparing->in_memory, size,
			       vma->off + (page - vma->start)) == (int64_t)size;
	default:
		return false;
	}
}

/* Compare a page of @displaced, from @page on, with what its image's file has for that place. */
static void compare_displaced_page(const struct comparing *comparing,
				   struct segmap_displaced *displaced, uint64_t page, size_t size)
{
	const struct segmap_layout *layout = comparing->layout;
	const struct segmap_image *image = &layout->images[displaced->image];
	const struct segmap_segment *segment = &image->elf->segments[displaced->segment];
	const struct segmap_file *file = layout->backings[image->backing].file;
	uint64_t vaddr = segmap_vaddr(page, image->bias);
	uint64_t before = vaddr < segment->vaddr ? segment->vaddr - vaddr : 0;
	uint64_t until = min_u64(segment->vaddr + segment->filesz - vaddr, size);

	if (!read_displaced(comparing, displaced, page, size) ||
	    fd_read(file->fd, comparing->in_file, size,
		    image->elf->elf_off + segmap_off(segment, vaddr)) < (int64_t)until) {
		displaced->n_unknown++;
		return;
	}
	/* What shares the page with the segment, before and behind it, is not looked at. */
	for (uint64_t i = before; i < until; i++)
		displaced->n_differing += comparing->in_file[i] != comparing->in_memory[i];
}

/* What is mapped over an image can hold the same bytes: code on huge pages does. */
static void compare_displaced(const struct comparing *comparing)
{
	struct segmap_layout *layout = comparing->layout;
	uint64_t page_size = layout->page_size;

	for (size_t i = 0; i < layout->n_displaced; i++) {
		struct segmap_displaced *displaced = &layout->displaced[i];
		int32_t backing = layout->images[displaced->image].backing;
		const struct segmap_file *file = layout->backings[backing].file;
		bool is_open = file && file->fd >= 0; /* else it is known from memory alone */
		uint64_t page = displaced->start;

		for (; is_open && page < displaced->end && !comparing->window->exhausted;
		     page += page_size)
			compare_displaced_page(comparing, displaced, page,
					       min_u64(page_size, displaced->end - page));
		if (page < displaced->end)
			displaced->n_unknown += (displaced->end - page + page_size - 1) / page_size;
	}
}

static struct segmap_error *compare_with_files(struct segmap_layout *layout,
					       struct page_window *window)
{
	scope_free unsigned char *pages = reallocarray(NULL, 2, layout->page_size);
	struct comparing comparing = {
		.layout = layout,
		.evidence = layout->evidence,
		.window = window,
		.image = -1,
		.last_page = UINT64_MAX,
		.in_file = pages,
		.in_memory = pages ? pages + layout->page_size : NULL,
	};
	bool enough = pages && compare_all(&comparing);

	if (enough)
		compare_displaced(&comparing);
	free(comparing.relocated);
	layout->evidence->compared = true;
	return enough ? NULL : segmap_error_no_memory();
}

/* What could not be looked at. */
static struct segmap_error *note_gaps(struct segmap_layout *layout,
				      const struct page_window *window)
{
	const struct segmap_evidence *evidence = layout->evidence;
	struct segmap_error *error = NULL;

	if (evidence->n_swapped)
		error = segmap_layout_note(
			layout,
			"%ju private pages of code and constants are in swap: they "
			"were not compared with the file",
			(uintmax_t)evidence->n_swapped);
	if (!error && evidence->n_unread)
		error = segmap_layout_note(layout,
					   "%ju private pages of code and constants could not be "
					   "read, and were not compared with the file",
					   (uintmax_t)evidence->n_unread);
	if (!error && evidence->cut_short)
		error = segmap_layout_note(
			layout,
			"more bytes differ from the files: the first %d stretches "
			"are told",
			MOST_ALTERED);
	if (!error && window->exhausted)
		error = segmap_layout_note(layout,
					   "more than %d pages of code and constants are mapped: the "
					   "others were not compared with the files",
					   SEGMAP_MAX_AUDITED);
	return error;
}

struct segmap_error *segmap_layout_gather(struct segmap_layout *layout)
{
	struct segmap_evidence *evidence = layout->evidence;
	scope_free struct page_window *window = calloc(1, sizeof(*window));
	struct segmap_error *error;

	if (!window)
		return segmap_error_no_memory();
	error = evidence ? read_listing(layout) : NULL;
	if (error)
		return error;
	if (!evidence || evidence->mem < 0 || evidence->pagemap < 0) {
		scope_error struct segmap_error *why = segmap_error_system(
			evidence ? evidence->mem_errno : ENOSYS, "", "read its memory");

		return segmap_layout_note(layout, "its memory was not looked at, only its map: %s",
					  evidence ? why->why : "there is no process");
	}
	window->pagemap = evidence->pagemap;
	window->page_size = layout->page_size;
	error = compare_with_files(layout, window);
	if (!error)
		error = link_map_read(layout, window);
	return error ? error : note_gaps(layout, window);
}

struct segmap_error *segmap_layout_name_altered(struct segmap_layout *layout)
{
	struct segmap_evidence *evidence = layout->evidence;
	struct segmap_symbols *symbols = NULL;
	struct segmap_error *error;

	if (!evidence || !evidence->n_altered)
		return NULL;
	error = segmap_symbols_new(layout, NULL, &symbols);
	if (error && error->code != SEGMAP_ERROR_NO_MEMORY) {
		scope_error struct segmap_error *why = error;

		return segmap_layout_note(layout, "%s: %s", why->what, why->why);
	}
	for (size_t i = 0; i < evidence->n_altered && !error; i++) {
		struct segmap_altered *altered = &evidence->altered[i];
		const struct segmap_piece *piece = &layout->pieces[altered->piece];
		char *source = NULL;

		if (layout->images[piece->image].role == SEGMAP_ROLE_ALIAS)
			continue;
		error = segmap_symbols_name(symbols, piece->image, altered->start, piece->start,
					    &altered->symbol, &altered->symbol_off, &source);
		free(source);
	}
	segmap_symbols_free(symbols);
	return error;
}
