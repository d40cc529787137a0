/* src/correlate/diff.c - two maps, without their bases. */
#include <segmap/diff.h>
#include "base/range.h"
#include "base/scope.h"
#include "correlate/kinds.h"
#include "correlate/spans.h"
#include "model/change.h"
#include "model/elf.h"
#include <segmap/text.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One of the two maps. */
struct side {
	const struct segmap_layout *layout;
	struct spans spans; /* of images, by image and then by vaddr */
	struct belongings {
		struct belonging *array; /* what belongs to no image */
		size_t n, capacity;
	} others;
	bool no_shared;	 /* one of the two does not say what is shared */
	int no_prot; /* permissions that one of the two does not say where it says the others */
	bool plain_vdso; /* the other side knows nothing of what is in [vdso]: here it is no image, too */
	int32_t *partners; /* for each image the other side's; -1 */
	struct figures *figures; /* of each image */
};

/* What memory costs; SEGMAP_NO_FIGURE where that is not known. */
struct figures {
	uint64_t rss, anonymous, swap;
};

struct diffing {
	struct side a, b;
	bool predicted; /* one of them is a prediction */
	bool half_known; /* there are images whose headers are known on one side only */
	bool with_figures;
	struct segmap_diff *result;
	bool failed; /* out of memory */
};

/* Memory of no image. Those of one class, name and offset are compared with each other. */
struct belonging {
	enum class {
		ANONYMOUS, /* the name is "" or one that prctl(PR_SET_VMA) gave */
		AREA,	   /* [heap], [stack], [vdso] … */
		OF_FILE,
	} class;
	const char *name; /* not NUL-terminated: without the kernel's " (deleted)" */
	size_t name_size;
	uint64_t off, size; /* off: of a file */
	int prot;
	bool shared; /* false where either side does not know it */
	bool known_prot;
	char perms[5]; /* with ? for what is not known, or not compared */
	size_t vma;
	struct figures figures;
};

/* ---- taking down ---- */

SEGMAP_PRINTF(2, 3) static char *format(struct diffing *diffing, const char *words, ...)
{
	va_list arguments;
	char *text = NULL;

	va_start(arguments, words);
	if (vasprintf(&text, words, arguments) < 0)
		text = NULL;
	va_end(arguments);
	diffing->failed |= !text;
	return text;
}

static void add(struct diffing *diffing, struct segmap_change change)
{
	/* It is taken even without memory for all its texts: the others are freed with it. */
	diffing->failed |= !comparison_add(diffing->result->found, change) || !change.image;
}

static void note(struct diffing *diffing, char *text)
{
	diffing->failed |= !comparison_note(diffing->result->found, text);
}

static void add_move(struct diffing *diffing, struct segmap_move move)
{
	struct segmap_diff *result = diffing->result;

	if (!move.name || !grow(&result->moves, &result->cap_moves, result->n_moves,
				sizeof(*result->moves))) {
		diffing->failed = true;
		free(move.name);
		return;
	}
	result->moves[result->n_moves++] = move;
}

static const char *path_of(const struct side *side, size_t image)
{
	return segmap_layout_image_path(side->layout, (int32_t)image);
}

/* ---- figures ---- */

static void add_figures(struct figures *sum, const struct figures *more)
{
	sum->rss = segmap_figure_add(sum->rss, more->rss);
	sum->anonymous = segmap_figure_add(sum->anonymous, more->anonymous);
	sum->swap = segmap_figure_add(sum->swap, more->swap);
}

static struct figures figures_of_vma(const struct segmap_layout *layout, size_t vma)
{
	const struct segmap_memory *memory = layout->memory;
	struct figures unknown = { SEGMAP_NO_FIGURE, SEGMAP_NO_FIGURE, SEGMAP_NO_FIGURE };

	if (!memory || !memory->n_figures)
		return unknown;
	return (struct figures){ segmap_memory_known(memory, vma, SEGMAP_FIGURE_RSS),
				 segmap_memory_known(memory, vma, SEGMAP_FIGURE_ANONYMOUS),
				 segmap_memory_known(memory, vma, SEGMAP_FIGURE_SWAP) };
}

static struct figures figures_of_piece(const struct segmap_layout *layout, size_t piece)
{
	const struct segmap_memory *memory = layout->memory;
	struct figures unknown = { SEGMAP_NO_FIGURE, SEGMAP_NO_FIGURE, SEGMAP_NO_FIGURE };

	if (!memory || !memory->pieces)
		return unknown;
	return (struct figures){ memory->pieces[piece].rss, memory->pieces[piece].anonymous,
				 memory->pieces[piece].swap };
}

static void compare_figures(struct diffing *diffing, const char *name, size_t name_size,
			    const struct figures *a, const struct figures *b)
{
	const struct {
		const char *name;
		uint64_t a, b;
	} rows[] = { { "Rss", a->rss, b->rss },
		     { "Anonymous", a->anonymous, b->anonymous },
		     { "Swap", a->swap, b->swap } };

	for (size_t i = 0; diffing->with_figures && i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].a == rows[i].b || rows[i].a == SEGMAP_NO_FIGURE ||
		    rows[i].b == SEGMAP_NO_FIGURE)
			continue;
		add(diffing, (struct segmap_change){
				     .what = SEGMAP_CHANGE_MEMORY,
				     .image = format(diffing, "%.*s", (int)name_size, name),
				     .segment = -1,
				     .a = format(diffing, "%s %juK", rows[i].name,
						 (uintmax_t)(rows[i].a / 1024)),
				     .b = format(diffing, "%s %juK", rows[i].name,
						 (uintmax_t)(rows[i].b / 1024)),
			     });
	}
}

/* ---- what there is ---- */

static enum class class_of(const struct segmap_vma *vma)
{
	if (is_anonymous(vma) && strcmp(vma->name, "[heap]") != 0)
		return ANONYMOUS;
	return vma->name[0] == '[' && !vma->ino ? AREA : OF_FILE;
}

/* @name without the kernel's mark of a deleted file. */
static size_t size_of_name(const char *name)
{
	static const char mark[] = " (deleted)";
	size_t size = strlen(name), mark_size = sizeof(mark) - 1;

	return size > mark_size && strcmp(name + size - mark_size, mark) == 0 ? size - mark_size :
										size;
}

/* Whether @next, behind the last of @others, is the same mapping, cut in two by chance. */
static bool goes_on(const struct side *side, const struct belonging *next, uint64_t start)
{
	const struct belonging *last = side->others.n ? &side->others.array[side->others.n - 1] : NULL;
	const struct segmap_vma *vma = last ? &side->layout->vmas[last->vma] : NULL;

	return last && next->class == OF_FILE && vma->end == start &&
	       last->prot == next->prot && last->shared == next->shared &&
	       last->off + last->size == next->off && last->name_size == next->name_size &&
	       memcmp(last->name, next->name, next->name_size) == 0;
}

static bool add_belonging(struct side *side, size_t index, uint64_t start, uint64_t size,
			  struct figures figures)
{
	const struct segmap_vma *vma = &side->layout->vmas[index];
	struct segmap_vma compared = *vma;
	struct belonging belonging = {
		.class = class_of(vma),
		.name = vma->name,
		.name_size = size_of_name(vma->name),
		.size = size,
		.prot = vma->prot & ~side->no_prot,
		.shared = vma->shared && !side->no_shared,
		.known_prot = !(vma->unknown_prot & ~side->no_prot),
		.vma = index,
		.figures = figures,
	};

	compared.unknown_prot |= side->no_prot & SEGMAP_ALL_PROT;
	compared.unknown_shared |= side->no_shared;
	segmap_vma_perms_format(&compared, belonging.perms);
	if (belonging.class == OF_FILE)
		belonging.off = vma->off;
	if (goes_on(side, &belonging, start)) {
		struct belonging *last = &side->others.array[side->others.n - 1];

		last->size += size;
		last->vma = index;
		add_figures(&last->figures, &figures);
		return true;
	}
	if (!grow(&side->others.array, &side->others.capacity, side->others.n,
		  sizeof(*side->others.array)))
		return false;
	side->others.array[side->others.n++] = belonging;
	return true;
}

/* Pieces of VMA @index that are nobody's: memory that the kernel has merged with an image's. */
static bool collect_pieces(struct side *side, size_t index)
{
	const struct segmap_annotation *annotation = &side->layout->annotations[index];

	for (uint32_t i = 0; i < annotation->n_pieces; i++) {
		size_t at = annotation->first_piece + i;
		const struct segmap_piece *piece = &side->layout->pieces[at];
		struct figures figures = figures_of_piece(side->layout, at);

		if (piece->image >= 0)
			add_figures(&side->figures[piece->image], &figures);
		else if (!add_belonging(side, index, piece->start, piece->end - piece->start, figures))
			return false;
	}
	return true;
}

static bool has_vdso(const struct segmap_layout *layout)
{
	for (size_t i = 0; i < layout->n_images; i++)
		if (layout->images[i].role == SEGMAP_ROLE_VDSO)
			return true;
	return false;
}

/* A core does not say which of its VMAs are shared. */
static bool lacks_shared(const struct segmap_layout *layout)
{
	for (size_t i = 0; i < layout->n_vmas; i++)
		if (layout->vmas[i].unknown_shared)
			return true;
	return false;
}

/* gdb's does not say which can be read. */
static int lacking_prot(const struct segmap_layout *layout)
{
	int lacking = 0;

	for (size_t i = 0; i < layout->n_vmas; i++)
		if (layout->vmas[i].unknown_prot != SEGMAP_ALL_PROT)
			lacking |= layout->vmas[i].unknown_prot;
	return lacking;
}

static bool collect(struct side *side)
{
	const struct segmap_layout *layout = side->layout;

	side->partners = reallocarray(NULL, layout->n_images + 1, sizeof(*side->partners));
	side->figures = calloc(layout->n_images + 1, sizeof(*side->figures));
	if (!side->partners || !side->figures || !spans_of_images(layout, &side->spans))
		return false;
	for (size_t i = 0; i < layout->n_images; i++)
		side->partners[i] = -1;
	for (size_t i = 0; i < layout->n_vmas; i++) {
		bool whole = !layout->annotations[i].n_pieces ||
			     (side->plain_vdso && layout->annotations[i].kind == SEGMAP_KIND_VDSO);

		if (whole ? !add_belonging(side, i, layout->vmas[i].start,
					   segmap_vma_size(&layout->vmas[i]),
					   figures_of_vma(layout, i)) :
			    !collect_pieces(side, i))
			return false;
	}
	return true;
}

static void side_free(struct side *side)
{
	spans_free(&side->spans);
	free(side->others.array);
	free(side->partners);
	free(side->figures);
}

/* ---- which image is which ---- */

static const struct segmap_backing *backing_of(const struct side *side, size_t image)
{
	int32_t backing = side->layout->images[image].backing;

	return backing < 0 ? NULL : &side->layout->backings[backing];
}

static const char *build_id_of(const struct side *side, size_t image)
{
	const struct segmap_elf *elf = side->layout->images[image].elf;

	return elf ? elf->build_id : NULL;
}

/* Ways in which two images can be the same, the surest first. */
enum sameness { BY_BUILD_AND_PATH, BY_PATH, BY_INODE, BY_BUILD, BY_SONAME, N_SAMENESSES };

/* By what an image is found on the other side; what does not count is "" or 0. */
struct identity {
	bool alias;
	const char *build, *path, *soname;
	uint64_t dev_major, dev_minor, ino;
	size_t image;
};

/* False if the image has nothing by which it could be found in this way. */
static bool identify(const struct side *side, size_t image, enum sameness how,
		     struct identity *ret)
{
	const struct segmap_backing *backing = how == BY_INODE ? backing_of(side, image) : NULL;
	const struct segmap_elf *elf = side->layout->images[image].elf;
	bool by_build = how == BY_BUILD_AND_PATH || how == BY_BUILD;
	bool by_path = how == BY_BUILD_AND_PATH || how == BY_PATH;

	*ret = (struct identity){
		.alias = side->layout->images[image].role == SEGMAP_ROLE_ALIAS,
		.build = by_build ? build_id_of(side, image) : "",
		.path = by_path ? path_of(side, image) : "",
		.soname = how != BY_SONAME ? "" : elf ? elf->soname : NULL,
		.image = image,
	};
	if (backing) {
		ret->dev_major = backing->dev_major;
		ret->dev_minor = backing->dev_minor;
		ret->ino = backing->ino;
	}
	return ret->build && ret->soname && (how != BY_INODE || ret->ino);
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_identities(const struct identity *a, const struct identity *b)
{
	int order = compare_numbers(a->alias, b->alias);

	order = order ? order : compare_numbers(a->ino, b->ino);
	order = order ? order : compare_numbers(a->dev_major, b->dev_major);
	order = order ? order : compare_numbers(a->dev_minor, b->dev_minor);
	order = order ? order : strcmp(a->build, b->build);
	order = order ? order : strcmp(a->path, b->path);
	return order ? order : strcmp(a->soname, b->soname);
}

/* For qsort(): those that are the same in the order of the layout. */
static int compare_sorted(const void *a, const void *b)
{
	const struct identity *x = a, *y = b;
	int order = compare_identities(x, y);

	return order ? order : compare_numbers(x->image, y->image);
}

/* Those of @side's images that have no partner yet into @identities, sorted; how many. */
static size_t sort_identities(const struct side *side, enum sameness how,
			      struct identity *identities)
{
	size_t n = 0;

	for (size_t i = 0; i < side->layout->n_images; i++)
		n += side->partners[i] < 0 && identify(side, i, how, &identities[n]);
	qsort(identities, n, sizeof(*identities), compare_sorted);
	return n;
}

/* Of those that are the same the first of one side belongs to the first of the other. */
static void match_images(struct diffing *diffing)
{
	struct side *a = &diffing->a, *b = &diffing->b;
	scope_free struct identity *of_a =
		reallocarray(NULL, a->layout->n_images + 1, sizeof(*of_a));
	scope_free struct identity *of_b =
		reallocarray(NULL, b->layout->n_images + 1, sizeof(*of_b));

	diffing->failed |= !of_a || !of_b;
	for (int how = 0; of_a && of_b && how < N_SAMENESSES; how++) {
		size_t n_a = sort_identities(a, (enum sameness)how, of_a), i = 0;
		size_t n_b = sort_identities(b, (enum sameness)how, of_b), j = 0;

		while (i < n_a && j < n_b) {
			int order = compare_identities(&of_a[i], &of_b[j]);

			if (!order) {
				a->partners[of_a[i].image] = (int32_t)of_b[j].image;
				b->partners[of_b[j].image] = (int32_t)of_a[i].image;
			}
			i += order <= 0;
			j += order >= 0;
		}
	}
}

/* ---- images ---- */

/* "132K in 5 areas" */
static char *describe_image(struct diffing *diffing, const struct side *side, size_t image)
{
	size_t n, first = spans_find(&side->spans, (int32_t)image, &n);
	uint64_t size = 0;

	for (size_t i = first; i < first + n; i++)
		size += side->spans.array[i].end - side->spans.array[i].start;
	return format(diffing, "%juK in %zu area%s", (uintmax_t)(size / 1024), n, n == 1 ? "" : "s");
}

static void add_image(struct diffing *diffing, const struct side *side, size_t image)
{
	bool is_a = side == &diffing->a;
	char *text;

	/* Of one without headers no pieces are known: its VMAs are told of as those of a file. */
	if (!side->layout->images[image].elf ||
	    (side->plain_vdso && side->layout->images[image].role == SEGMAP_ROLE_VDSO))
		return;
	text = describe_image(diffing, side, image);
	add(diffing, (struct segmap_change){
			     .what = is_a ? SEGMAP_CHANGE_REMOVED : SEGMAP_CHANGE_ADDED,
			     .image = format(diffing, "%s", path_of(side, image)),
			     .segment = -1,
			     .a = is_a ? text : NULL,
			     .b = is_a ? NULL : text,
		     });
}

static void change_image(struct diffing *diffing, size_t image, const char *a, const char *b,
			 const char *why)
{
	add(diffing, (struct segmap_change){
			     .what = SEGMAP_CHANGE_IMAGE,
			     .image = format(diffing, "%s", path_of(&diffing->a, image)),
			     .segment = -1,
			     .a = format(diffing, "%s", a),
			     .b = format(diffing, "%s", b),
			     .why = format(diffing, "%s", why),
		     });
}

/* Whether two images are of one build of a file; if not, that is told. */
static bool is_one_build(struct diffing *diffing, size_t a, size_t b)
{
	const struct segmap_elf *elf_a = diffing->a.layout->images[a].elf;
	const struct segmap_elf *elf_b = diffing->b.layout->images[b].elf;
	const char *build_a = build_id_of(&diffing->a, a), *build_b = build_id_of(&diffing->b, b);

	if (!elf_a || !elf_b) {
		if (!elf_a == !elf_b)
			return false;
		diffing->half_known = true;
		note(diffing, format(diffing,
				     "%s: not compared: its headers are known on one side only",
				     path_of(&diffing->a, a)));
		return false;
	}
	if (build_a && build_b) {
		if (strcmp(build_a, build_b) == 0)
			return true;
		change_image(diffing, a, build_a, build_b, "its build-id");
	} else {
		if (elf_has_same_segments(elf_a, elf_b))
			return true;
		change_image(diffing, a, "one file", "another", "its program headers");
	}
	return false;
}

/* A file that has lost its path since it was mapped. */
static bool is_gone(const struct side *side, size_t image)
{
	enum segmap_status status = segmap_layout_image_status(side->layout, (int32_t)image);

	return status == SEGMAP_STATUS_DELETED || status == SEGMAP_STATUS_REPLACED;
}

static void compare_files(struct diffing *diffing, size_t a, size_t b)
{
	const char *path_a = path_of(&diffing->a, a), *path_b = path_of(&diffing->b, b);

	if (strcmp(path_a, path_b) != 0)
		change_image(diffing, a, path_a, path_b, "its path");
	if (is_gone(&diffing->a, a) != is_gone(&diffing->b, b))
		change_image(diffing, a, is_gone(&diffing->a, a) ? "deleted" : "at its path",
			     is_gone(&diffing->b, b) ? "deleted" : "at its path",
			     "what became of its file");
}

/* ---- the pages of an image ---- */

/* What differs and may go on: the next stretch can differ in the same way. */
struct pending {
	struct diffing *diffing;
	size_t image; /* of a */
	bool any;
	enum segmap_change_what what;
	struct stretch a, b;
	const struct span *span; /* of which the segment and the sections are told */
	const struct side *side; /* the one that it is of */
};

/* The part [@start, @end) of @span. */
static struct stretch part_of(const struct span *span, uint64_t start, uint64_t end)
{
	return (struct stretch){ .start = start,
				 .end = end,
				 .off = span->is_file ? span->off + (start - span->start) : 0,
				 .prot = span->prot,
				 .unknown_prot = span->unknown_prot,
				 .shared = span->shared,
				 .is_file = span->is_file };
}

/* The names of what is in [@start, @end) of the image that @span is of, at most a few. */
static char *name_sections(struct pending *pending, uint64_t start, uint64_t end)
{
	enum { MOST = 4 };
	__attribute__((cleanup(segmap_text_free))) struct segmap_text text = { 0 };
	const struct segmap_layout *layout = pending->side->layout;
	const struct segmap_annotation *annotation = &layout->annotations[pending->span->vma];
	const struct segmap_piece *pieces_end = layout->pieces + layout->n_pieces;
	uint64_t bias = layout->images[pending->span->image].bias;
	int n = 0;

	/* It can go on in the next VMAs, as the other side has them in one. */
	for (const struct segmap_piece *piece = layout->pieces + annotation->first_piece;
	     piece < pieces_end && piece->start < segmap_addr(end, bias) && n <= MOST; piece++) {
		if (piece->kind == SEGMAP_PIECE_PADDING || piece->end <= segmap_addr(start, bias))
			continue;
		segmap_text_append_trusted(&text, n ? " " : "");
		segmap_text_append_trusted(&text, n == MOST ? "..." : piece->name);
		n++;
	}
	segmap_text_append_char(&text, '\0');
	pending->diffing->failed |= text.failed;
	return text.failed || !n ? NULL : format(pending->diffing, "%s", text.bytes);
}

static void flush(struct pending *pending)
{
	struct diffing *diffing = pending->diffing;
	const struct segmap_elf *elf;
	struct segmap_change change;
	bool has_a = pending->a.end, has_b = pending->b.end;

	if (!pending->any)
		return;
	pending->any = false;
	elf = pending->side->layout->images[pending->span->image].elf;
	change = (struct segmap_change){
		.what = pending->what,
		.image = format(diffing, "%s", path_of(&diffing->a, pending->image)),
		.segment = pending->span->segment < 0 ?
				   -1 :
				   (int32_t)elf->segments[pending->span->segment].index,
		.a = has_a ? stretch_describe(&pending->a) : NULL,
		.b = has_b ? stretch_describe(&pending->b) : NULL,
		.why = name_sections(pending, has_a ? pending->a.start : pending->b.start,
				     has_a ? pending->a.end : pending->b.end),
	};
	diffing->failed |= (has_a && !change.a) || (has_b && !change.b);
	add(diffing, change);
}

/*
 * Whether @fresh goes on where @before has ended, alike in all else. What is not there, on one side,
 * is all 0, and goes on.
 */
static bool continues(const struct stretch *before, const struct stretch *fresh)
{
	return before->end == fresh->start && before->prot == fresh->prot &&
	       before->unknown_prot == fresh->unknown_prot && before->shared == fresh->shared &&
	       before->is_file == fresh->is_file &&
	       (!before->is_file || before->off + (before->end - before->start) == fresh->off);
}

/* What is different about the stretch that both cover; false: nothing. */
static bool differ(const struct span *a, const struct span *b, enum segmap_change_what *ret)
{
	if (!a || !b)
		*ret = a ? SEGMAP_CHANGE_REMOVED : SEGMAP_CHANGE_ADDED;
	else if (((a->prot ^ b->prot) & ~(a->unknown_prot | b->unknown_prot)) ||
		 (!a->unknown_shared && !b->unknown_shared && a->shared != b->shared))
		*ret = SEGMAP_CHANGE_PERMS;
	else if (a->is_file != b->is_file ||
		 (a->is_file && a->off - a->start != b->off - b->start))
		*ret = SEGMAP_CHANGE_OFFSET;
	else
		return false;
	return true;
}

static void visit(void *context, uint64_t start, uint64_t end, const struct span *a,
		  const struct span *b)
{
	struct pending *pending = context;
	struct stretch none = { 0 };
	struct stretch part_a = a ? part_of(a, start, end) : none;
	struct stretch part_b = b ? part_of(b, start, end) : none;
	enum segmap_change_what what;

	if (!differ(a, b, &what))
		return;
	if (pending->any && pending->what == what && continues(&pending->a, &part_a) &&
	    continues(&pending->b, &part_b)) {
		pending->a.end = part_a.end;
		pending->b.end = part_b.end;
		return;
	}
	flush(pending);
	*pending = (struct pending){ .diffing = pending->diffing,
				     .image = pending->image,
				     .any = true,
				     .what = what,
				     .a = part_a,
				     .b = part_b,
				     .span = a ? a : b,
				     .side = a ? &pending->diffing->a : &pending->diffing->b };
}

static void compare_images(struct diffing *diffing, size_t a, size_t b)
{
	struct pending pending = { .diffing = diffing, .image = a };
	const struct segmap_layout *x = diffing->a.layout, *y = diffing->b.layout;
	const char *path = path_of(&diffing->a, a);

	if (x->images[a].elf && y->images[b].elf && x->images[a].role != SEGMAP_ROLE_ALIAS)
		add_move(diffing, (struct segmap_move){
					  .name = format(diffing, "%s", path),
					  .is_image = true,
					  .known_a = !x->prediction || !x->prediction->images[a].floating,
					  .known_b = !y->prediction || !y->prediction->images[b].floating,
					  .a = x->images[a].bias,
					  .b = y->images[b].bias,
				  });
	if (is_one_build(diffing, a, b)) {
		compare_files(diffing, a, b);
		spans_walk(&diffing->a.spans, (int32_t)a, &diffing->b.spans, (int32_t)b, visit,
			   &pending);
		flush(&pending);
	}
	compare_figures(diffing, path, strlen(path), &diffing->a.figures[a], &diffing->b.figures[b]);
	diffing->result->found->n_images++;
}

/* ---- what belongs to no image ---- */

static int compare_belongings(const void *a, const void *b)
{
	const struct belonging *x = a, *y = b;
	int order;

	if (x->class != y->class)
		return x->class < y->class ? -1 : 1;
	if (x->name_size != y->name_size)
		return x->name_size < y->name_size ? -1 : 1;
	order = memcmp(x->name, y->name, x->name_size);
	if (order)
		return order;
	if (x->off != y->off)
		return x->off < y->off ? -1 : 1;
	if (x->prot != y->prot)
		return x->prot < y->prot ? -1 : 1;
	if (x->shared != y->shared)
		return x->shared ? 1 : -1;
	return (x->size > y->size) - (x->size < y->size);
}

/* Whether two stand for the same thing, whatever its size and permissions. */
static bool is_one_thing(const struct belonging *x, const struct belonging *y)
{
	return x->class == y->class && x->off == y->off && x->name_size == y->name_size &&
	       memcmp(x->name, y->name, x->name_size) == 0;
}

/* All of one thing that have the same permissions. */
struct amount {
	uint64_t size;
	size_t n;
	const struct belonging *first;
};

/* The next run of @of->array from *@at on, below @end, that has one set of permissions. */
static struct amount take_amount(const struct belongings *of, size_t *at, size_t end)
{
	struct amount amount = { .first = &of->array[*at] };

	while (*at < end && of->array[*at].prot == amount.first->prot &&
	       of->array[*at].shared == amount.first->shared) {
		amount.size += of->array[*at].size;
		amount.n++;
		++*at;
	}
	return amount;
}

/* "rw-p 132K", "rw-p 264K in 2 areas" */
static char *describe_amount(struct diffing *diffing, const struct amount *amount)
{
	const char *perms = amount->first->perms;

	if (amount->n == 1)
		return format(diffing, "%s %juK", perms, (uintmax_t)(amount->size / 1024));
	return format(diffing, "%s %juK in %zu areas", perms, (uintmax_t)(amount->size / 1024),
		      amount->n);
}

static const char *name_of(const struct belonging *belonging, int *size)
{
	static const char anonymous[] = "[anon]";

	*size = belonging->name_size ? (int)belonging->name_size : (int)sizeof(anonymous) - 1;
	return belonging->name_size ? belonging->name : anonymous;
}

/* The file that a single area lies next to; NULL: that says nothing of it. */
static char *name_neighbour(struct diffing *diffing, const struct side *side,
			    const struct amount *amount)
{
	const struct segmap_layout *layout = side->layout;

	if (amount->n != 1 || amount->first->class != ANONYMOUS)
		return NULL;
	for (size_t i = amount->first->vma; i-- > 0;) {
		int32_t image = layout->annotations[i].image;

		if (image >= 0)
			return format(diffing, "behind %s", segmap_layout_image_path(layout, image));
	}
	return NULL;
}

static void change_amount(struct diffing *diffing, enum segmap_change_what what,
			  const struct amount *a, const struct amount *b)
{
	const struct amount *any = a ? a : b;
	int size;
	const char *name = name_of(any->first, &size);

	add(diffing, (struct segmap_change){
			     .what = what,
			     .image = format(diffing, "%.*s", size, name),
			     .segment = -1,
			     .a = a ? describe_amount(diffing, a) : NULL,
			     .b = b ? describe_amount(diffing, b) : NULL,
			     .why = a && b ? NULL :
					     name_neighbour(diffing, a ? &diffing->a : &diffing->b, any),
		     });
}

/*
 * Where in its lowest page a stack begins is random, by up to two pages (Linux
 * arch/x86/kernel/process.c:arch_align_stack): so many more may be needed.
 */
static bool is_same_size(const struct diffing *diffing, const struct amount *a,
			 const struct amount *b)
{
	enum { PAGES = 3 };
	uint64_t difference = a->size > b->size ? a->size - b->size : b->size - a->size;
	bool is_stack = a->first->class == AREA && a->first->name_size == strlen("[stack]") &&
			memcmp(a->first->name, "[stack]", a->first->name_size) == 0;

	if (is_stack && diffing->predicted)
		return true;
	return is_stack ? difference <= PAGES * diffing->a.layout->page_size : !difference;
}

/* Which comes first; 0: they are the same, or that is not known. */
static int compare_perms(const struct belonging *a, const struct belonging *b)
{
	if (!a->known_prot || !b->known_prot)
		return 0;
	return a->prot != b->prot ? a->prot - b->prot : a->shared - b->shared;
}

/* Amounts of one thing, [@i, @i_end) of a and [@j, @j_end) of b, each sorted by permissions. */
static void compare_amounts(struct diffing *diffing, size_t i, size_t i_end, size_t j, size_t j_end)
{
	const struct belongings *of_a = &diffing->a.others, *of_b = &diffing->b.others;

	while (i < i_end || j < j_end) {
		struct amount a = { 0 }, b = { 0 };
		size_t next_i = i, next_j = j;
		int order;

		if (i < i_end)
			a = take_amount(of_a, &next_i, i_end);
		if (j < j_end)
			b = take_amount(of_b, &next_j, j_end);
		order = !a.n ? 1 : !b.n ? -1 : compare_perms(a.first, b.first);
		/* The whole has other permissions now, if that is all that there is on either side. */
		if (order && a.n && b.n && a.size == b.size && next_i == i_end && next_j == j_end) {
			change_amount(diffing, SEGMAP_CHANGE_PERMS, &a, &b);
			return;
		}
		if (!order && !is_same_size(diffing, &a, &b))
			change_amount(diffing, SEGMAP_CHANGE_RESIZED, &a, &b);
		else if (order < 0)
			change_amount(diffing, SEGMAP_CHANGE_REMOVED, &a, NULL);
		else if (order > 0)
			change_amount(diffing, SEGMAP_CHANGE_ADDED, NULL, &b);
		i = order <= 0 ? next_i : i;
		j = order >= 0 ? next_j : j;
	}
}

/* Whether no rule foretells @belonging, so that a prediction lacks it. */
static bool is_unforetold(const struct belonging *belonging)
{
	if (belonging->class == OF_FILE)
		return !(belonging->prot & PROT_EXEC);
	return belonging->class == ANONYMOUS ||
	       (belonging->name_size == strlen("[heap]") &&
		memcmp(belonging->name, "[heap]", belonging->name_size) == 0);
}

/* Whether @thing is of an image that is not compared, as a note says: only one side knows it. */
static bool is_half_known(const struct diffing *diffing, const struct belonging *thing)
{
	const struct segmap_layout *a = diffing->a.layout, *b = diffing->b.layout;

	for (size_t i = 0; diffing->half_known && thing->class == OF_FILE && i < a->n_images; i++) {
		int32_t j = diffing->a.partners[i];
		const char *path;

		if (j < 0 || !a->images[i].elf == !b->images[j].elf)
			continue;
		path = a->images[i].elf ? path_of(&diffing->b, (size_t)j) : path_of(&diffing->a, i);
		if (strlen(path) == thing->name_size &&
		    memcmp(path, thing->name, thing->name_size) == 0)
			return true;
	}
	return false;
}

/* The end of those in @of, from @at on, that are one thing with @thing; what they cost into @ret. */
static size_t find_end(const struct belongings *of, size_t at, const struct belonging *thing,
		       struct figures *ret)
{
	*ret = (struct figures){ 0 };
	while (at < of->n && is_one_thing(&of->array[at], thing))
		add_figures(ret, &of->array[at++].figures);
	return at;
}

static void compare_others(struct diffing *diffing)
{
	struct belongings *a = &diffing->a.others, *b = &diffing->b.others;
	size_t i = 0, j = 0;

	if (a->n)
		qsort(a->array, a->n, sizeof(*a->array), compare_belongings);
	if (b->n)
		qsort(b->array, b->n, sizeof(*b->array), compare_belongings);
	while (i < a->n || j < b->n) {
		const struct belonging *x = i < a->n ? &a->array[i] : NULL;
		const struct belonging *y = j < b->n ? &b->array[j] : NULL, *thing = x ? x : y;
		struct figures figures_a, figures_b;
		size_t i_end, j_end;
		int size;

		if (x && y && !is_one_thing(x, y) && compare_belongings(y, x) < 0)
			thing = y;
		i_end = find_end(a, i, thing, &figures_a);
		j_end = find_end(b, j, thing, &figures_b);
		if (!(diffing->predicted && is_unforetold(thing)) &&
		    !is_half_known(diffing, thing)) {
			const char *name = name_of(thing, &size);

			compare_amounts(diffing, i, i_end, j, j_end);
			if (i_end > i && j_end > j)
				compare_figures(diffing, name, (size_t)size, &figures_a, &figures_b);
		}
		i = i_end;
		j = j_end;
	}
}

/* The VMA called @name; -1. A musl heap has a guard below it that is called so, too. */
static int64_t find_area(const struct segmap_layout *layout, const char *name)
{
	for (size_t i = 0; i < layout->n_vmas; i++)
		if (strcmp(layout->vmas[i].name, name) == 0)
			return (int64_t)i;
	return -1;
}

/* Where the part of VMA @index begins that is no image's: a heap can be one VMA with .bss. */
static uint64_t start_of_area(const struct segmap_layout *layout, size_t index)
{
	const struct segmap_annotation *annotation = &layout->annotations[index];
	const struct segmap_piece *pieces = segmap_layout_pieces(layout, annotation);

	for (uint32_t i = 0; i < annotation->n_pieces; i++)
		if (pieces[i].image < 0)
			return pieces[i].start;
	return layout->vmas[index].start;
}

/* Where the kernel has put what has no file. */
static void compare_area(struct diffing *diffing, const char *name, bool grows_down)
{
	const struct segmap_layout *a = diffing->a.layout, *b = diffing->b.layout;
	int64_t i = find_area(a, name), j = find_area(b, name);

	if (i < 0 || j < 0 || segmap_layout_placement(a, (size_t)i)->base ||
	    segmap_layout_placement(b, (size_t)j)->base)
		return;
	add_move(diffing, (struct segmap_move){
				  .name = format(diffing, "%s", name),
				  .known_a = true,
				  .known_b = true,
				  .a = grows_down ? a->vmas[i].end : start_of_area(a, (size_t)i),
				  .b = grows_down ? b->vmas[j].end : start_of_area(b, (size_t)j),
			  });
}

/* ---- all ---- */

static bool has_figures(const struct segmap_layout *layout)
{
	return layout->memory && (layout->memory->n_figures || layout->memory->pieces);
}

/* What is not known is no difference, but it is not the same either. */
static void note_want_of_figures(struct diffing *diffing)
{
	bool a = has_figures(diffing->a.layout), b = has_figures(diffing->b.layout);

	if (diffing->with_figures && !(a && b))
		note(diffing, format(diffing, "memory use was not compared: %s figures of it",
				     a ? "the second has no" : b ? "the first has no" :
								   "neither has"));
}

static void compare(struct diffing *diffing)
{
	diffing->a.plain_vdso = !has_vdso(diffing->b.layout);
	diffing->b.plain_vdso = !has_vdso(diffing->a.layout);
	diffing->a.no_shared = diffing->b.no_shared = lacks_shared(diffing->a.layout) ||
						      lacks_shared(diffing->b.layout);
	diffing->a.no_prot = diffing->b.no_prot = lacking_prot(diffing->a.layout) |
						  lacking_prot(diffing->b.layout);
	if (!collect(&diffing->a) || !collect(&diffing->b)) {
		diffing->failed = true;
		return;
	}
	if (diffing->a.layout->page_size != diffing->b.layout->page_size)
		note(diffing, format(diffing, "their pages have %ju and %ju bytes",
				     (uintmax_t)diffing->a.layout->page_size,
				     (uintmax_t)diffing->b.layout->page_size));
	note_want_of_figures(diffing);
	match_images(diffing);
	for (size_t i = 0; i < diffing->a.layout->n_images; i++) {
		if (diffing->a.partners[i] < 0)
			add_image(diffing, &diffing->a, i);
		else
			compare_images(diffing, i, (size_t)diffing->a.partners[i]);
	}
	for (size_t i = 0; i < diffing->b.layout->n_images; i++)
		if (diffing->b.partners[i] < 0)
			add_image(diffing, &diffing->b, i);
	compare_area(diffing, "[heap]", false);
	compare_area(diffing, "[stack]", true);
	compare_others(diffing);
}

void segmap_diff_free(struct segmap_diff *diff)
{
	if (!diff)
		return;
	for (size_t i = 0; i < diff->n_moves; i++)
		free(diff->moves[i].name);
	free(diff->moves);
	segmap_comparison_free(diff->found);
	free(diff);
}

struct segmap_error *segmap_diff(const struct segmap_layout *a, const struct segmap_layout *b,
				 bool figures, struct segmap_diff **ret)
{
	struct diffing diffing = {
		.a.layout = a,
		.b.layout = b,
		.predicted = a->prediction || b->prediction,
		.with_figures = figures,
		.result = calloc(1, sizeof(*diffing.result)),
	};

	if (diffing.result)
		diffing.result->found = calloc(1, sizeof(*diffing.result->found));
	diffing.failed = !diffing.result || !diffing.result->found;
	if (!diffing.failed)
		compare(&diffing);
	side_free(&diffing.a);
	side_free(&diffing.b);
	if (diffing.failed) {
		segmap_diff_free(diffing.result);
		return segmap_error_no_memory();
	}
	*ret = diffing.result;
	return NULL;
}
