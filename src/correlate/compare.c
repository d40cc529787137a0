/* src/correlate/compare.c - a predicted map against the real one, VMA by VMA. */
#include <segmap/compare.h>
#include "base/scope.h"
#include "model/change.h"
#include "model/layout.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What one comparison works with. */
struct comparing {
	const struct segmap_layout *predicted, *real;
	const struct segmap_stop *stop;
	struct segmap_comparison *result;
	int32_t *backings; /* for each predicted image its file's backing in reality; -1 */
	bool *compared;	   /* for each real VMA: it belongs to a predicted image */
	size_t *linked;	   /* for each real file: its place in the linker's list; SIZE_MAX */
	bool *startup;	   /* likewise: start-up has loaded it */
	bool failed;	   /* out of memory */
};

/* ---- taking down what differs ---- */

SEGMAP_PRINTF(2, 3) static char *format(struct comparing *comparing, const char *words, ...)
{
	va_list arguments;
	char *text = NULL;
	int length;

	va_start(arguments, words);
	length = vasprintf(&text, words, arguments);
	va_end(arguments);
	comparing->failed |= length < 0;
	return length < 0 ? NULL : text;
}

/* Add @change, which this takes with all its texts. */
static void add_change(struct comparing *comparing, struct segmap_change change)
{
	comparing->failed |= !comparison_add(comparing->result, change);
}

/* Likewise @note. */
static void add_note(struct comparing *comparing, char *note)
{
	comparing->failed |= !comparison_note(comparing->result, note);
}

/* ---- rows ---- */

/* A VMA of either side, with addresses as the image's own file has them. */
struct row {
	uint64_t start, end; /* vaddr, [start, end) */
	uint64_t off;	     /* 0 if anonymous */
	int prot;
	bool is_file;
	bool open_end;	 /* of the prediction */
	int32_t segment; /* index in the ELF object's segments; -1 */
	size_t index;	 /* of the VMA in its layout */
};

struct rows {
	struct row *array;
	size_t n, capacity;
};

static void rows_free(struct rows *rows)
{
	free(rows->array);
}

static char *describe(struct comparing *comparing, const struct row *row)
{
	struct stretch stretch = { .start = row->start,
				   .end = row->end,
				   .off = row->off,
				   .prot = row->prot,
				   .is_file = row->is_file };
	char *text = stretch_describe(&stretch);

	comparing->failed |= !text;
	return text;
}

static bool add_row(struct comparing *comparing, struct rows *rows, struct row row)
{
	if (!grow(&rows->array, &rows->capacity, rows->n, sizeof(*rows->array))) {
		comparing->failed = true;
		return false;
	}
	rows->array[rows->n++] = row;
	return true;
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* Memory of no file: without a name, or with one that prctl(PR_SET_VMA) or the kernel gives it. */
static bool is_plain(const struct segmap_vma *vma)
{
	return !vma->ino && (!vma->name[0] || strcmp(vma->name, "[heap]") == 0 ||
			     strncmp(vma->name, "[anon:", 6) == 0);
}

static struct row make_row(const struct segmap_layout *layout, size_t index, uint64_t bias,
			   bool is_file)
{
	const struct segmap_vma *vma = &layout->vmas[index];

	return (struct row){
		.start = segmap_vaddr(vma->start, bias),
		.end = segmap_vaddr(vma->end, bias),
		.off = is_file ? vma->off : 0,
		.prot = vma->prot,
		.is_file = is_file,
		.segment = -1,
		.index = index,
	};
}

/* The rows of image @index that are predicted, ascending. */
static void predicted_rows(struct comparing *comparing, size_t index, struct rows *ret)
{
	const struct segmap_layout *layout = comparing->predicted;
	const struct segmap_image *image = &layout->images[index];

	for (size_t i = 0; i < layout->n_vmas; i++) {
		const struct segmap_annotation *annotation = &layout->annotations[i];
		const struct segmap_vma *vma = &layout->vmas[i];
		bool is_file = vma->ino && annotation->backing == image->backing;
		bool inside = vma->start >= image->start && vma->start < image->end;
		struct row row;

		if (!is_file && (vma->ino || vma->name[0] ||
				 (annotation->image != (int32_t)index && !inside)))
			continue;
		row = make_row(layout, i, image->bias, is_file);
		row.open_end = layout->prediction->placements[i].open_end;
		if (annotation->image == (int32_t)index)
			row.segment = annotation->segment;
		if (!add_row(comparing, ret, row))
			return;
	}
	if (ret->n)
		qsort(ret->array, ret->n, sizeof(*ret->array), compare_rows);
}

/*
 * The rows that reality has between the first and the last of @predicted: of
 * the file, and what is anonymous. Memory of others can lie in a hole that the
 * kernel leaves in what it loads: that belongs to nobody.
 */
static void real_rows(struct comparing *comparing, int32_t backing, uint64_t bias,
		      const struct rows *predicted, struct rows *ret)
{
	const struct segmap_layout *layout = comparing->real;
	uint64_t low = predicted->array[0].start, high = predicted->array[predicted->n - 1].end;

	for (size_t i = 0; i < layout->n_vmas; i++) {
		bool is_file = backing >= 0 && layout->annotations[i].backing == backing;
		struct row row = make_row(layout, i, bias, is_file);
		bool overlaps = is_file;

		if ((!is_file && !is_plain(&layout->vmas[i])) || row.start >= high ||
		    row.end <= low || row.start >= row.end)
			continue;
		for (size_t j = 0; j < predicted->n && !overlaps; j++)
			overlaps = row.start < predicted->array[j].end &&
				   row.end > predicted->array[j].start;
		if (overlaps && !add_row(comparing, ret, row))
			return;
	}
}

/* ---- two lists of rows ---- */

/* NULL in @a or @b: only the other side has the row. */
static void change_row(struct comparing *comparing, size_t image, enum segmap_change_what what,
		       const struct row *a, const struct row *b)
{
	const struct segmap_layout *layout = comparing->predicted;
	const struct segmap_elf *elf = layout->images[image].elf;
	struct segmap_change change = {
		.what = what,
		.image = format(comparing, "%s", segmap_layout_image_path(layout, (int32_t)image)),
		.segment = a && a->segment >= 0 && elf ? (int32_t)elf->segments[a->segment].index :
							 -1,
		.a = a ? describe(comparing, a) : NULL,
		.b = b ? describe(comparing, b) : NULL,
	};

	add_change(comparing, change);
}

/* What is different about two rows that stand for each other. False: nothing. */
static bool differ(const struct row *a, const struct row *b, enum segmap_change_what *what)
{
	bool merged = a->open_end && !a->is_file && !b->is_file && b->end > a->end;

	if (a->start != b->start)
		*what = SEGMAP_CHANGE_MOVED;
	else if (a->end != b->end && !merged)
		*what = SEGMAP_CHANGE_RESIZED;
	else if (a->prot != b->prot)
		*what = SEGMAP_CHANGE_PERMS;
	else if (a->is_file != b->is_file || a->off != b->off)
		*what = SEGMAP_CHANGE_OFFSET;
	else
		return false;
	return true;
}

/*
 * Pair rows that overlap and report how pairs differ, and what has no partner.
 * With @report false differences are only counted. Returns their number.
 */
static size_t compare_lists(struct comparing *comparing, size_t image, const struct rows *predicted,
			    const struct rows *real, bool report)
{
	size_t i = 0, j = 0, n = 0;

	while (i < predicted->n || j < real->n) {
		const struct row *a = i < predicted->n ? &predicted->array[i] : NULL;
		const struct row *b = j < real->n ? &real->array[j] : NULL;
		enum segmap_change_what what;
		bool differs = true;

		if (a && b && b->end <= a->start)
			a = NULL;
		else if (a && b && a->end <= b->start)
			b = NULL;
		if (a && b)
			differs = differ(a, b, &what);
		else
			what = a ? SEGMAP_CHANGE_REMOVED : SEGMAP_CHANGE_ADDED;
		i += a != NULL;
		j += b != NULL;
		n += differs;
		if (differs && report)
			change_row(comparing, image, what, a, b);
	}
	return n;
}

/* ---- where an image is in reality ---- */

static bool is_same_file(const struct segmap_backing *a, const struct segmap_backing *b)
{
	if (a->file && a->file == b->file)
		return true;
	return a->ino && a->ino == b->ino && a->dev_major == b->dev_major &&
	       a->dev_minor == b->dev_minor;
}

/* The backing in reality of the file at @wanted. *@replaced: it is another file of that path. */
static int32_t find_backing(const struct segmap_layout *real, const struct segmap_backing *wanted,
			    bool *replaced)
{
	int32_t by_path = -1;

	*replaced = false;
	for (size_t i = 0; i < real->n_backings; i++) {
		if (is_same_file(wanted, &real->backings[i]))
			return (int32_t)i;
		if (strcmp(wanted->path, real->backings[i].path) == 0)
			by_path = (int32_t)i;
	}
	*replaced = by_path >= 0;
	return by_path;
}

/* How much is different about the image if its bias is @bias. */
static size_t count_differences(struct comparing *comparing, size_t image, uint64_t bias,
				const struct rows *predicted)
{
	__attribute__((cleanup(rows_free))) struct rows real = { 0 };

	real_rows(comparing, comparing->backings[image], bias, predicted, &real);
	return compare_lists(comparing, image, predicted, &real, false);
}

/*
 * The bias of a library: from one of its file's VMAs at the offset of its first
 * file pages. There can be several, if it is mapped as data besides; the one that
 * leaves the least unexplained is it.
 */
static bool find_library_bias(struct comparing *comparing, size_t image,
			      const struct rows *predicted, uint64_t *ret)
{
	const struct segmap_layout *real = comparing->real;
	const struct segmap_backing *backing = &real->backings[comparing->backings[image]];
	const struct row *first = NULL;
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < predicted->n && !first; i++)
		if (predicted->array[i].is_file)
			first = &predicted->array[i];
	for (uint32_t i = 0; first && i < backing->n_vmas; i++) {
		const struct segmap_vma *vma = &real->vmas[backing->vmas[i]];
		uint64_t bias = vma->start - first->start;
		size_t n;

		/* If none has the offset, the lowest: reality is then told to differ. */
		if (vma->off != first->off && (best != SIZE_MAX || i))
			continue;
		n = count_differences(comparing, image, bias, predicted);
		if (vma->off != first->off)
			n = SIZE_MAX - 1;
		if (n < best) {
			best = n;
			*ret = bias;
		}
	}
	return best != SIZE_MAX;
}

/* The kernel's word on it, else what the file's pages say. */
static bool find_bias(struct comparing *comparing, size_t image, const struct rows *predicted,
		      uint64_t *ret)
{
	const struct segmap_image *of = &comparing->predicted->images[image];

	if (of->role == SEGMAP_ROLE_PROGRAM && comparing->real->auxv_entry) {
		*ret = comparing->real->auxv_entry - of->elf->entry;
		return true;
	}
	if (of->role == SEGMAP_ROLE_INTERPRETER && comparing->real->auxv_base) {
		*ret = comparing->real->auxv_base;
		return true;
	}
	return comparing->backings[image] >= 0 &&
	       find_library_bias(comparing, image, predicted, ret);
}

/* ---- an image ---- */

static void change_image(struct comparing *comparing, const char *path,
			 enum segmap_change_what what, char *a, char *b, const char *why)
{
	add_change(comparing, (struct segmap_change){
				      .what = what,
				      .image = format(comparing, "%s", path),
				      .segment = -1,
				      .a = a,
				      .b = b,
				      .why = why ? format(comparing, "%s", why) : NULL,
			      });
}

/* The whole image lies where it was said to, if that could be said. */
static void compare_place(struct comparing *comparing, size_t image, const struct rows *predicted,
			  uint64_t bias)
{
	const struct segmap_layout *layout = comparing->predicted;
	const struct segmap_placement *placement =
		&layout->prediction->placements[predicted->array[0].index];
	uint64_t wanted = layout->images[image].bias;

	if (placement->base == SEGMAP_BASE_NONE && wanted != bias)
		change_image(comparing, segmap_layout_image_path(layout, (int32_t)image),
			     SEGMAP_CHANGE_MOVED, format(comparing, "0x%" PRIx64, wanted),
			     format(comparing, "0x%" PRIx64, bias), "its load bias");
}

static void compare_image(struct comparing *comparing, size_t image)
{
	__attribute__((cleanup(rows_free))) struct rows predicted = { 0 }, real = { 0 };
	const struct segmap_layout *layout = comparing->predicted;
	const char *path = segmap_layout_image_path(layout, (int32_t)image);
	int32_t *backing = &comparing->backings[image];
	bool replaced;
	uint64_t bias;

	*backing = find_backing(comparing->real, &layout->backings[layout->images[image].backing],
				&replaced);
	if (replaced)
		change_image(comparing, path, SEGMAP_CHANGE_IMAGE, NULL, NULL,
			     "another file has this path now");
	predicted_rows(comparing, image, &predicted);
	if (!predicted.n || comparing->failed)
		return;
	if (!find_bias(comparing, image, &predicted, &bias)) {
		change_image(comparing, path, SEGMAP_CHANGE_REMOVED, NULL, NULL,
			     "predicted, and not loaded");
		return;
	}
	real_rows(comparing, *backing, bias, &predicted, &real);
	for (size_t i = 0; i < real.n; i++)
		comparing->compared[real.array[i].index] = true;
	compare_lists(comparing, image, &predicted, &real, true);
	compare_place(comparing, image, &predicted, bias);
	comparing->result->n_images++;
	comparing->result->n_vmas += predicted.n;
}

/* ---- what is no image ---- */

/* The VMA with this name; -1 if there is none. */
static int64_t find_named(const struct segmap_layout *layout, const char *name)
{
	for (size_t i = 0; i < layout->n_vmas; i++)
		if (strcmp(layout->vmas[i].name, name) == 0)
			return (int64_t)i;
	return -1;
}

/* The kernel's own areas, and the stack without its size: permissions, and the place if that was
 * predicted. */
static void compare_area(struct comparing *comparing, const char *name, bool with_size)
{
	const struct segmap_layout *a = comparing->predicted, *b = comparing->real;
	int64_t i = find_named(a, name), j = find_named(b, name);
	enum segmap_change_what what = SEGMAP_CHANGE_PERMS;
	struct row wanted, got;
	bool differs;

	if (i < 0)
		return;
	wanted = make_row(a, (size_t)i, 0, false);
	comparing->result->n_vmas++;
	if (j < 0) {
		change_image(comparing, name, SEGMAP_CHANGE_REMOVED, describe(comparing, &wanted),
			     NULL, NULL);
		return;
	}
	got = make_row(b, (size_t)j, 0, false);
	differs = wanted.prot != got.prot;
	if (with_size && wanted.end - wanted.start != got.end - got.start) {
		what = SEGMAP_CHANGE_RESIZED;
		differs = true;
	} else if (a->prediction->placements[i].base == SEGMAP_BASE_NONE &&
		   (with_size ? wanted.start != got.start : wanted.end != got.end)) {
		/* A stack grows downwards: its end is its place. */
		what = SEGMAP_CHANGE_MOVED;
		differs = true;
	}
	if (differs)
		change_image(comparing, name, what, describe(comparing, &wanted),
			     describe(comparing, &got), NULL);
}

/* Whether there is a heap is seldom known, and how far it reaches never: only where it begins. */
static void compare_heap(struct comparing *comparing)
{
	const struct segmap_layout *a = comparing->predicted, *b = comparing->real;
	int64_t i = find_named(a, "[heap]"), j = find_named(b, "[heap]");
	struct row wanted, got;

	if (i < 0 || j < 0 || a->prediction->placements[i].base != SEGMAP_BASE_NONE)
		return;
	wanted = make_row(a, (size_t)i, 0, false);
	got = make_row(b, (size_t)j, 0, false);
	if (wanted.start != got.start)
		change_image(comparing, "[heap]", SEGMAP_CHANGE_MOVED, describe(comparing, &wanted),
			     describe(comparing, &got), NULL);
}

/* ---- files that were not predicted ---- */

/* Where in the dynamic linker's list the file of @backing stands; SIZE_MAX if it does not. */
static size_t find_linked(const struct comparing *comparing, int32_t backing)
{
	const struct segmap_stop *stop = comparing->stop;

	for (size_t i = 0; i < stop->n_linked; i++) {
		int64_t at = segmap_layout_find(comparing->real, stop->linked[i]);

		if (at >= 0 && comparing->real->annotations[at].backing == backing)
			return i;
	}
	return SIZE_MAX;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Whether the file of @asking has @wanted's in its DT_NEEDED, by file name or soname. */
static bool needs(const struct segmap_backing *asking, const struct segmap_backing *wanted)
{
	const struct segmap_file *file = wanted->file;
	const char *soname = file && file->n_elfs ? file->elfs[0]->soname : NULL;
	const struct segmap_linking *linking =
		asking->file && asking->file->n_elfs ? asking->file->elfs[0]->linking : NULL;

	for (size_t i = 0; linking && i < linking->n_needed; i++) {
		const char *name = base_name(linking->needed[i].name);

		if (strcmp(name, base_name(wanted->path)) == 0 ||
		    (soname && strcmp(name, soname) == 0))
			return true;
	}
	return false;
}

/* Whether some object that start-up has loaded needs the file of @index. */
static bool is_needed(const struct comparing *comparing, size_t index)
{
	const struct segmap_layout *real = comparing->real;

	for (size_t i = 0; i < real->n_backings; i++)
		if (comparing->startup[i] && needs(&real->backings[i], &real->backings[index]))
			return true;
	return false;
}

/*
 * Which files start-up has loaded: those that were predicted, what any of those
 * needs, and whatever stands in the dynamic linker's list before one of them.
 */
static void find_startup(struct comparing *comparing)
{
	size_t n = comparing->real->n_backings, last = 0;
	bool more = true;

	for (size_t i = 0; i < comparing->predicted->n_images; i++)
		if (comparing->backings[i] >= 0)
			comparing->startup[comparing->backings[i]] = true;
	for (size_t i = 0; i < n; i++)
		comparing->linked[i] = find_linked(comparing, (int32_t)i);
	while (more) {
		more = false;
		for (size_t i = 0; i < n; i++)
			if (comparing->startup[i] && comparing->linked[i] != SIZE_MAX &&
			    comparing->linked[i] > last)
				last = comparing->linked[i];
		for (size_t i = 0; i < n; i++) {
			if (comparing->startup[i] || comparing->linked[i] == SIZE_MAX ||
			    (comparing->linked[i] > last && !is_needed(comparing, i)))
				continue;
			comparing->startup[i] = more = true;
		}
	}
}

static bool has_compared(const struct comparing *comparing, const struct segmap_backing *backing)
{
	for (uint32_t i = 0; i < backing->n_vmas; i++)
		if (!comparing->compared[backing->vmas[i]])
			return false;
	return true;
}

static bool is_predicted(const struct comparing *comparing, int32_t backing)
{
	for (size_t i = 0; i < comparing->predicted->n_images; i++)
		if (comparing->backings[i] == backing)
			return true;
	return false;
}

/*
 * A file that no prediction has. Data is nobody's concern: a locale archive, a
 * cache. Code was loaded by start-up, and then the prediction is wrong; or a
 * constructor has opened it, which can be proved.
 */
static void judge_file(struct comparing *comparing, int32_t index)
{
	const struct segmap_backing *backing = &comparing->real->backings[index];
	bool is_linked = comparing->linked[index] != SIZE_MAX;

	if (!backing_has_code(comparing->real, backing) && !is_linked &&
	    comparing->real->moment != SEGMAP_MOMENT_EXEC)
		return;
	if (is_linked && !comparing->startup[index])
		add_note(comparing,
			 format(comparing,
				"%s: opened by a constructor (dlopen): it stands in the dynamic "
				"linker's list behind all that start-up has loaded, and none of "
				"those needs it",
				backing->path));
	else
		change_image(comparing, backing->path, SEGMAP_CHANGE_ADDED, NULL, NULL,
			     "loaded, and not predicted");
}

static void judge_files(struct comparing *comparing)
{
	find_startup(comparing);
	for (size_t i = 0; i < comparing->real->n_backings; i++) {
		const struct segmap_backing *backing = &comparing->real->backings[i];

		/* A device or shared memory is no file with a path. */
		if (backing->path[0] != '/' || has_compared(comparing, backing))
			continue;
		if (!is_predicted(comparing, (int32_t)i))
			judge_file(comparing, (int32_t)i);
		else if (comparing->real->moment == SEGMAP_MOMENT_EXEC)
			change_image(comparing, backing->path, SEGMAP_CHANGE_ADDED, NULL, NULL,
				     "mapped once more");
		else
			add_note(comparing, format(comparing,
						   "%s: mapped once more, which loading does not: "
						   "by a constructor",
						   backing->path));
	}
}

static void compare_layouts(struct comparing *comparing)
{
	static const char *const areas[] = { "[vvar]", "[vvar_vclock]", "[vdso]", "[vsyscall]" };
	const struct segmap_layout *predicted = comparing->predicted;

	comparing->backings = calloc(predicted->n_images + 1, sizeof(*comparing->backings));
	comparing->compared = calloc(comparing->real->n_vmas + 1, sizeof(*comparing->compared));
	comparing->linked = calloc(comparing->real->n_backings + 1, sizeof(*comparing->linked));
	comparing->startup = calloc(comparing->real->n_backings + 1, sizeof(*comparing->startup));
	if (!comparing->backings || !comparing->compared || !comparing->linked ||
	    !comparing->startup) {
		comparing->failed = true;
		return;
	}
	for (size_t i = 0; i < predicted->n_images; i++)
		comparing->backings[i] = -1;
	for (size_t i = 0; i < predicted->n_images && !comparing->failed; i++)
		if (predicted->images[i].backing >= 0)
			compare_image(comparing, i);
	for (size_t i = 0; i < sizeof(areas) / sizeof(areas[0]); i++)
		compare_area(comparing, areas[i], true);
	compare_area(comparing, "[stack]", false);
	compare_heap(comparing);
	judge_files(comparing);
}

/* ---- how it ends ---- */

/* "ENOENT" and so on, of what execve and a fault can end in; NULL for others. */
static const char *name_of(const int *numbers, const char *const *names, size_t n, int number)
{
	for (size_t i = 0; i < n; i++)
		if (numbers[i] == number)
			return names[i];
	return NULL;
}

static const char *errno_name(int errnum)
{
	static const int numbers[] = { E2BIG,	EACCES,	 EAGAIN,  EFAULT,  EINVAL,	 EIO,
				       EISDIR,	ELIBBAD, ELOOP,	  EMFILE,  ENAMETOOLONG, ENFILE,
				       ENOENT,	ENOEXEC, ENOMEM,  ENOTDIR, EOVERFLOW,	 EPERM,
				       ETXTBSY, EEXIST };
	static const char *const names[] = { "E2BIG",	"EACCES",  "EAGAIN", "EFAULT",
					     "EINVAL",	"EIO",	   "EISDIR", "ELIBBAD",
					     "ELOOP",	"EMFILE",  "ENAMETOOLONG", "ENFILE",
					     "ENOENT",	"ENOEXEC", "ENOMEM", "ENOTDIR",
					     "EOVERFLOW", "EPERM", "ETXTBSY", "EEXIST" };

	return name_of(numbers, names, sizeof(numbers) / sizeof(numbers[0]), errnum);
}

static const char *signal_name(int signal)
{
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGILL, SIGKILL, SIGABRT,
				       SIGTRAP, SIGFPE, SIGSYS, SIGTERM };
	static const char *const names[] = { "SIGSEGV", "SIGBUS", "SIGILL", "SIGKILL", "SIGABRT",
					     "SIGTRAP", "SIGFPE", "SIGSYS", "SIGTERM" };

	return name_of(numbers, names, sizeof(numbers) / sizeof(numbers[0]), signal);
}

/* How the program has ended; "it runs" if it has not. */
static char *describe_end(struct comparing *comparing)
{
	const struct segmap_stop *stop = comparing->stop;
	const char *name;

	switch (stop->state) {
	case SEGMAP_RUN_REFUSED:
		name = errno_name(stop->errnum);
		return name ? format(comparing, "refused: %s", name) :
			      format(comparing, "refused: errno %d", stop->errnum);
	case SEGMAP_RUN_KILLED:
		name = signal_name(stop->signal);
		return name ? format(comparing, "killed: %s", name) :
			      format(comparing, "killed: signal %d", stop->signal);
	case SEGMAP_RUN_EXITED:
		return format(comparing, "exits with status %d", stop->status);
	case SEGMAP_RUN_REPLACED:
		return format(comparing, "it executes another program");
	case SEGMAP_RUN_TIMED_OUT:
		return format(comparing, "it does not get there in time");
	case SEGMAP_RUN_STOPPED:
		break;
	}
	return format(comparing, "runs");
}

/* The same of the prediction. The dynamic linker gives up with status 127. */
static char *describe_outcome(struct comparing *comparing, const struct segmap_outcome *outcome)
{
	if (outcome->by == SEGMAP_ACTOR_PROGRAM)
		return format(comparing, "runs");
	if (strncmp(outcome->error, "SIG", 3) == 0)
		return format(comparing, "killed: %s", outcome->error);
	if (outcome->by == SEGMAP_ACTOR_KERNEL)
		return format(comparing, "refused: %s", outcome->error);
	return format(comparing, "exits with status 127");
}

/* Whether the program itself, not what loads it, has kept it from getting to the moment. */
static bool is_own_doing(const struct segmap_stop *stop)
{
	enum { LINKER_GIVES_UP = 127 };

	return stop->state == SEGMAP_RUN_REPLACED || stop->state == SEGMAP_RUN_TIMED_OUT ||
	       (stop->state == SEGMAP_RUN_EXITED && stop->status != LINKER_GIVES_UP);
}

static void compare_ends(struct comparing *comparing)
{
	const struct segmap_layout *predicted = comparing->predicted;
	const struct segmap_outcome *outcome = &predicted->prediction->outcome;
	char *wanted, *got = describe_end(comparing);

	if (outcome->by == SEGMAP_ACTOR_PROGRAM && is_own_doing(comparing->stop)) {
		comparing->result->unreached = got;
		return;
	}
	wanted = describe_outcome(comparing, outcome);
	if (!wanted || !got || strcmp(wanted, got) == 0) {
		free(wanted);
		free(got);
		return;
	}
	change_image(comparing, predicted->target ? predicted->target : "", SEGMAP_CHANGE_IMAGE,
		     wanted, got,
		     outcome->by == SEGMAP_ACTOR_PROGRAM ?
			     "it ends before that moment: by the dynamic linker, or by a "
			     "constructor" :
			     outcome->reason);
}

struct segmap_error *segmap_compare_prediction(const struct segmap_layout *predicted,
					       const struct segmap_layout *real,
					       const struct segmap_stop *stop,
					       struct segmap_comparison **ret)
{
	struct comparing comparing = { .predicted = predicted, .real = real, .stop = stop };

	comparing.result = calloc(1, sizeof(*comparing.result));
	if (!comparing.result)
		return segmap_error_no_memory();
	compare_ends(&comparing);
	if (real && stop->state == SEGMAP_RUN_STOPPED)
		compare_layouts(&comparing);
	free(comparing.backings);
	free(comparing.compared);
	free(comparing.linked);
	free(comparing.startup);
	if (comparing.failed) {
		segmap_comparison_free(comparing.result);
		return segmap_error_no_memory();
	}
	*ret = comparing.result;
	return NULL;
}
