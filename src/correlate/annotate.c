/* src/correlate/annotate.c - cutting the VMAs of images into pieces. */
#include "correlate/annotate.h"
#include "base/range.h"
#include "base/scope.h"
#include "correlate/bias.h"
#include "correlate/kinds.h"

/*
 * A VMA is cut twice. First into fragments, each of one nature: where does the
 * layout of which image put these pages?
 *
 *   VMA        |-------------- rw-p libfoo.so --------------|
 *   PT_LOAD      |<---------- p_filesz --------->|<- p_memsz
 *   fragments  |---- read-only after RELRO ----|--- data ---|
 *
 * Then each fragment into pieces, by the labels of the ELF object:
 *
 *   pieces     |s|.init_array|.dynamic|.got|pad|.data| .bss |p|
 *               ^ bytes of the page before the segment (spill)  ^ zeroed rest of the page
 */
enum fragment_kind {
	FRAGMENT_FILE,	   /* pages of the file, in their PT_LOAD */
	FRAGMENT_ANON,	   /* the anonymous rest of a PT_LOAD */
	FRAGMENT_REMAPPED, /* anonymous pages where a PT_LOAD has file pages */
	FRAGMENT_GAP,	   /* pages of the file that only reserve room for PT_LOADs */
	FRAGMENT_ALIAS,	   /* pages of the file where no load of it put them */
	FRAGMENT_NONE,	   /* none of the image's */
};

struct fragment {
	uint64_t start, end; /* addresses */
	enum fragment_kind kind;
	int32_t image;	     /* -1 for FRAGMENT_NONE */
	int32_t segment;     /* -1 for FRAGMENT_NONE and FRAGMENT_GAP */
	int16_t expected;    /* permissions, or SEGMAP_NO_PROT */
	bool relro;	     /* RELRO calls for read-only pages where the PT_LOAD is writable */
};

/* What the cutting of one layout needs at every step. */
struct cutter {
	struct segmap_layout *layout;
	const struct extents *const *extents; /* for each image */
	uint64_t *furthest; /* for each image, the greatest end among it and those before it */
	size_t *cuts_left;
};

/* One VMA under the knife. */
struct work {
	const struct segmap_vma *vma;
	int32_t backing;
	bool anonymous;
	bool uncut; /* there are so many pieces already that it becomes one alone */
};

static int16_t expected_prot(const struct cutter *cutter, const struct segmap_image *image,
			     const struct segmap_segment *segment, bool anonymous, bool relro)
{
	int prot = segment->prot;

	if (image->elf->foreign)
		return SEGMAP_NO_PROT;
	if (relro) {
		prot = PROT_READ;
	} else if (anonymous && (image->role == SEGMAP_ROLE_PROGRAM ||
				 image->role == SEGMAP_ROLE_INTERPRETER)) {
		/* The kernel's own .bss ignores p_flags but for PF_X: fs/binfmt_elf.c:elf_load
		 * calls vm_brk_flags(). */
		prot = PROT_READ | PROT_WRITE | (prot & PROT_EXEC);
	}
	return (int16_t)prot_implied(cutter->layout, prot);
}

/* The fragment of @work's VMA that begins at @addr, as far as image @index has a say in it. */
static struct fragment classify(const struct cutter *cutter, const struct work *work,
				int32_t index, uint64_t addr)
{
	const struct segmap_image *image = &cutter->layout->images[index];
	const struct extents *extents = cutter->extents[index];
	struct fragment fragment = { .start = addr, .kind = FRAGMENT_NONE, .image = -1,
				     .segment = -1, .expected = SEGMAP_NO_PROT };
	uint64_t vaddr = segmap_vaddr(addr, image->bias), until, relro_until;
	const struct segmap_segment *segment;
	const struct extent *extent;

	if (image->role == SEGMAP_ROLE_ALIAS) {
		fragment.end = min_u64(image->end, work->vma->end);
		fragment.kind = FRAGMENT_ALIAS;
		fragment.image = index;
		extent = extents_find(extents, vaddr, &until);
		if (extent) {
			fragment.segment = (int32_t)extent->segment;
			fragment.expected = expected_prot(
				cutter, image, &image->elf->segments[extent->segment], false, false);
		}
		return fragment;
	}
	extent = extents_find(extents, vaddr, &until);
	fragment.end = until - vaddr < work->vma->end - addr ? addr + (until - vaddr) :
							       work->vma->end;
	if (!extent) {
		if (!work->anonymous && bias_is_reserved(extents, work->vma, addr, image->bias)) {
			fragment.end = min_u64(fragment.end, addr + (extents->span_end - vaddr));
			fragment.kind = FRAGMENT_GAP;
			fragment.image = index;
		}
		return fragment;
	}
	segment = &image->elf->segments[extent->segment];
	if (!work->anonymous) {
		if (!bias_is_consistent(image->elf, segment, work->vma, addr, image->bias))
			return fragment;
		fragment.kind = FRAGMENT_FILE;
	} else {
		fragment.kind = extent->file ? FRAGMENT_REMAPPED : FRAGMENT_ANON;
	}
	fragment.image = index;
	fragment.segment = (int32_t)extent->segment;
	fragment.relro = extents_in_relro(extents, vaddr, &relro_until) &&
			 (segment->prot & PROT_WRITE);
	if (relro_until - vaddr < fragment.end - addr)
		fragment.end = addr + (relro_until - vaddr);
	fragment.expected = expected_prot(cutter, image, segment, !extent->file, fragment.relro);
	return fragment;
}

/* The first image whose range ends behind @addr; images before it cannot reach it. */
static size_t first_image(const struct cutter *cutter, uint64_t addr)
{
	size_t low = 0, high = cutter->layout->n_images;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (cutter->furthest[middle] > addr)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* The fragment of @work's VMA that begins at @addr: the first image that owns it has it. */
static struct fragment next_fragment(const struct cutter *cutter, const struct work *work,
				     uint64_t addr)
{
	/* So many images' ranges are looked at; of real ones two overlap at most. */
	enum { MOST_IMAGES = 1024 };
	const struct segmap_layout *layout = cutter->layout;
	struct fragment none = { .start = addr, .end = work->vma->end, .kind = FRAGMENT_NONE,
				 .image = -1, .segment = -1, .expected = SEGMAP_NO_PROT };

	for (size_t i = first_image(cutter, addr), n = 0;
	     i < layout->n_images && n < MOST_IMAGES; i++, n++) {
		const struct segmap_image *image = &layout->images[i];
		struct fragment fragment;

		if (image->start >= none.end)
			break;
		if (image->end <= addr || !cutter->extents[i] ||
		    (!work->anonymous && image->backing != work->backing))
			continue;
		if (image->start > addr) {
			none.end = image->start;
			break;
		}
		fragment = classify(cutter, work, (int32_t)i, addr);
		if (fragment.kind != FRAGMENT_NONE)
			return fragment;
		none.end = min_u64(none.end, fragment.end);
	}
	return none;
}

/* Append a piece of @fragment over [start, end); joins what only a fragment's end had cut. */
static bool add_piece(struct cutter *cutter, const struct work *work,
		      const struct fragment *fragment, struct segmap_piece piece)
{
	struct segmap_layout *layout = cutter->layout;
	const struct segmap_annotation *annotation =
		&layout->annotations[work->vma - layout->vmas];

	piece.image = fragment->image;
	piece.segment = fragment->segment;
	piece.expected_prot = fragment->expected;
	if (layout->n_pieces > annotation->first_piece) {
		struct segmap_piece *before = &layout->pieces[layout->n_pieces - 1];

		if (before->name == piece.name && before->kind == piece.kind &&
		    before->image == piece.image && before->segment == piece.segment &&
		    before->expected_prot == piece.expected_prot &&
		    (before->off == SEGMAP_NO_OFF) == (piece.off == SEGMAP_NO_OFF)) {
			before->end = piece.end;
			before->goes_on = piece.goes_on;
			return true;
		}
	}
	if (!grow(&layout->pieces, &layout->cap_pieces, layout->n_pieces,
		  sizeof(*layout->pieces)))
		return false;
	layout->pieces[layout->n_pieces++] = piece;
	return true;
}

static const char *const label_names[] = {
	[SEGMAP_LABEL_EHDR] = "[ELF header]",
	[SEGMAP_LABEL_PHDRS] = "[program headers]",
	[SEGMAP_LABEL_SHDRS] = "[section headers]",
};
static const char padding_name[] = "[padding]";
static const char beyond_name[] = "[beyond file]";
static const char gap_name[] = "[gap]";
static const char anon_name[] = "[anon]";
static const char uncut_name[] = "[uncut]";

/* The bytes being named, in one domain: virtual addresses, or for an alias offsets. */
struct place {
	uint64_t at;   /* the first of them */
	uint64_t most; /* how many there are at most */
	uint64_t off;  /* of the first, from the ELF header; SEGMAP_NO_OFF on anonymous pages */
	uint64_t vma_start, vma_end; /* their VMA */
};

/* Give @piece the name and kind of @label. */
static void put_label(struct segmap_piece *piece, const struct segmap_elf *elf,
		      const struct segmap_label *label)
{
	static const enum segmap_piece_kind kinds[] = {
		[SEGMAP_LABEL_SECTION] = SEGMAP_PIECE_SECTION,
		[SEGMAP_LABEL_EHDR] = SEGMAP_PIECE_EHDR,
		[SEGMAP_LABEL_PHDRS] = SEGMAP_PIECE_PHDRS,
		[SEGMAP_LABEL_SHDRS] = SEGMAP_PIECE_SHDRS,
	};

	piece->kind = kinds[label->kind];
	if (label->kind != SEGMAP_LABEL_SECTION) {
		piece->name = label_names[label->kind];
		return;
	}
	piece->name = elf->sections[label->section].name;
	if (elf->sections[label->section].part)
		piece->kind = SEGMAP_PIECE_PART;
}

/*
 * Mark a section, which lies at [start, end), that the VMA does not hold whole.
 * By distances from a byte in both: the VMA can begin below virtual address 0.
 */
static void mark_clipped(struct segmap_piece *piece, const struct place *place, uint64_t start,
			 uint64_t end)
{
	piece->comes_from = place->at - start > place->at - place->vma_start;
	piece->goes_on = end - place->at > place->vma_end - place->at;
}

/* Name file bytes that no PT_LOAD put here by what they are in the file. */
static uint64_t label_spill(struct segmap_piece *piece, const struct segmap_elf *elf,
			    const struct place *place)
{
	const struct segmap_label *label;
	uint64_t until;

	piece->kind = SEGMAP_PIECE_SPILL;
	if (place->off >= elf->size) {
		piece->name = beyond_name;
		piece->off = SEGMAP_NO_OFF;
		return place->most;
	}
	label = segmap_label_find(elf->by_off, elf->n_by_off, place->off, &until);
	piece->name = padding_name;
	if (label)
		put_label(piece, elf, label);
	piece->kind = SEGMAP_PIECE_SPILL;
	return min_u64(place->most, min_u64(until, elf->size) - place->off);
}

/* Name bytes in pages of @segment. Returns how many have that name. */
static uint64_t label_segment(struct segmap_piece *piece, const struct segmap_elf *elf,
			      const struct segmap_segment *segment, const struct place *whole)
{
	uint64_t memory_end = segment->vaddr + segment->memsz;
	struct place place = *whole;
	bool in_segment = place.at >= segment->vaddr && place.at < memory_end;
	const struct segmap_section *section;
	const struct segmap_label *label;
	uint64_t until;

	/* Nothing may reach over an end of the segment. */
	if (place.at < segment->vaddr)
		place.most = min_u64(place.most, segment->vaddr - place.at);
	else if (in_segment)
		place.most = min_u64(place.most, memory_end - place.at);
	label = segmap_label_find(elf->by_vaddr, elf->n_by_vaddr, place.at, &until);
	if (label && !in_segment && label->nobits)
		label = NULL;
	/* The same page twice: these are that section's bytes only if they are at its offset. */
	if (label && !label->nobits && place.off != SEGMAP_NO_OFF &&
	    label->off + (place.at - label->start) != place.off)
		label = NULL;
	if (label) {
		put_label(piece, elf, label);
		if (label->nobits)
			piece->off = SEGMAP_NO_OFF;
		if (label->kind == SEGMAP_LABEL_SECTION) {
			section = &elf->sections[label->section];
			mark_clipped(piece, &place, section->vaddr,
				     section->vaddr + section->size);
		}
		return min_u64(place.most, until - place.at);
	}
	if (in_segment || place.off == SEGMAP_NO_OFF ||
	    (place.at >= memory_end && segment->memsz > segment->filesz)) {
		/* Behind p_memsz the loader has zeroed the page, where there is .bss at all. */
		piece->kind = SEGMAP_PIECE_PADDING;
		piece->name = padding_name;
		if (place.at >= segment->vaddr + segment->filesz)
			piece->off = SEGMAP_NO_OFF;
		return until > place.at ? min_u64(place.most, until - place.at) : place.most;
	}
	return label_spill(piece, elf, &place);
}

/* As label_segment() for a second mapping: only the file's offsets count. */
static uint64_t label_alias(struct segmap_piece *piece, const struct segmap_elf *elf,
			    const struct place *place)
{
	const struct segmap_section *section;
	uint64_t until;
	const struct segmap_label *label =
		segmap_label_find(elf->by_off, elf->n_by_off, place->off, &until);

	if (!label || place->off >= elf->size || label->kind != SEGMAP_LABEL_SECTION ||
	    !elf->sections[label->section].alloc)
		return label_spill(piece, elf, place);
	put_label(piece, elf, label);
	section = &elf->sections[label->section];
	mark_clipped(piece, place, section->off, section->off + section->size);
	return min_u64(place->most, until - place->off);
}

static uint64_t label_at(struct segmap_piece *piece, const struct cutter *cutter,
			 const struct work *work, const struct fragment *fragment, uint64_t addr)
{
	const struct segmap_image *image = &cutter->layout->images[fragment->image];
	const struct segmap_elf *elf = image->elf;
	uint64_t vma_off = work->vma->off - elf->elf_off;
	uint64_t off = vma_off + (addr - work->vma->start);
	struct place place = {
		.at = segmap_vaddr(addr, image->bias),
		.most = fragment->end - addr,
		.off = off,
		.vma_start = segmap_vaddr(work->vma->start, image->bias),
		.vma_end = segmap_vaddr(work->vma->end, image->bias),
	};

	piece->off = elf->elf_off + off;
	switch (fragment->kind) {
	case FRAGMENT_GAP:
		piece->kind = SEGMAP_PIECE_GAP;
		piece->name = gap_name;
		piece->off = SEGMAP_NO_OFF;
		return place.most;
	case FRAGMENT_ALIAS:
		place.at = off;
		place.vma_start = vma_off;
		place.vma_end = vma_off + segmap_vma_size(work->vma);
		return label_alias(piece, elf, &place);
	case FRAGMENT_FILE:
		break;
	default:
		place.off = piece->off = SEGMAP_NO_OFF;
	}
	return label_segment(piece, elf, &elf->segments[fragment->segment], &place);
}

/*
 * Whether all of @fragment is of one class (see segmap_piece_class()), whatever its sections.
 * RELRO is one only where it is expected: not in an image of another machine.
 */
static bool is_one_class(const struct cutter *cutter, const struct fragment *fragment)
{
	const struct segmap_elf *elf;

	if (fragment->segment < 0)
		return false;
	elf = cutter->layout->images[fragment->image].elf;
	return (fragment->relro && fragment->expected != SEGMAP_NO_PROT) ||
	       fragment->kind == FRAGMENT_ANON ||
	       !(elf->segments[fragment->segment].prot & PROT_WRITE);
}

/* All of @fragment as one piece. */
static bool add_whole(struct cutter *cutter, const struct work *work,
		      const struct fragment *fragment, enum segmap_piece_kind kind,
		      const char *name)
{
	struct segmap_piece piece = { .start = fragment->start, .end = fragment->end,
				      .off = SEGMAP_NO_OFF, .name = name, .kind = kind };

	return add_piece(cutter, work, fragment, piece);
}

/* Pieces count before some of them are joined: it is the cutting that takes time. */
static void count_cut(struct cutter *cutter)
{
	*cutter->cuts_left -= *cutter->cuts_left > 0;
}

static bool cut_fragment(struct cutter *cutter, const struct work *work,
			 const struct fragment *fragment)
{
	uint64_t addr = fragment->start;

	count_cut(cutter);
	if (cutter->layout->brief && is_one_class(cutter, fragment))
		return add_whole(cutter, work, fragment, SEGMAP_PIECE_SECTION, "");
	if (fragment->kind == FRAGMENT_NONE)
		return add_whole(cutter, work, fragment, SEGMAP_PIECE_ANON, anon_name);
	if (work->uncut)
		return add_whole(cutter, work, fragment, SEGMAP_PIECE_PART, uncut_name);
	while (addr < fragment->end) {
		struct segmap_piece piece = { .start = addr, .off = SEGMAP_NO_OFF };

		count_cut(cutter);
		addr += label_at(&piece, cutter, work, fragment, addr);
		piece.end = addr;
		if (!add_piece(cutter, work, fragment, piece))
			return false;
	}
	return true;
}

/* What the VMA is as a whole, by its first fragment that is an image's. */
static enum segmap_kind kind_of_fragment(const struct work *work, const struct fragment *fragment)
{
	switch (fragment->kind) {
	case FRAGMENT_FILE:
	case FRAGMENT_ANON:
		if (fragment->relro && !(work->vma->prot & PROT_WRITE))
			return SEGMAP_KIND_RELRO;
		return fragment->kind == FRAGMENT_FILE ? SEGMAP_KIND_SEGMENT : SEGMAP_KIND_BSS;
	case FRAGMENT_REMAPPED:
		return SEGMAP_KIND_REMAPPED;
	case FRAGMENT_GAP:
		return SEGMAP_KIND_GAP;
	default:
		return SEGMAP_KIND_ALIAS;
	}
}

/* A VMA without an image. */
static void annotate_plain(struct segmap_layout *layout, size_t index, enum segmap_kind kind)
{
	struct segmap_annotation *annotation = &layout->annotations[index];

	annotation->image = annotation->segment = -1;
	annotation->expected_prot = SEGMAP_NO_PROT;
	annotation->first_piece = (uint32_t)layout->n_pieces;
	annotation->kind = kind;
}

static bool cut_vma(struct cutter *cutter, size_t index)
{
	struct segmap_layout *layout = cutter->layout;
	struct segmap_annotation *annotation = &layout->annotations[index];
	const struct segmap_vma *vma = &layout->vmas[index];
	struct work work = {
		.vma = vma,
		.backing = annotation->backing,
		.anonymous = is_anonymous(vma),
		.uncut = !*cutter->cuts_left,
	};
	struct fragment fragment;
	bool same = true;

	annotate_plain(layout, index,
		       kind_of_vma(vma, work.backing < 0 ? NULL : &layout->backings[work.backing]));
	if (!work.anonymous && work.backing < 0)
		return true;
	for (uint64_t addr = vma->start; addr < vma->end; addr = fragment.end) {
		fragment = next_fragment(cutter, &work, addr);
		if (annotation->image < 0) {
			/* Nothing of an image up to here: most VMAs are one such fragment. */
			if (fragment.image < 0)
				continue;
			if (addr > vma->start) {
				struct fragment before = { .start = vma->start, .end = addr,
							   .kind = FRAGMENT_NONE, .image = -1,
							   .segment = -1,
							   .expected = SEGMAP_NO_PROT };

				same = false;
				if (!cut_fragment(cutter, &work, &before))
					return false;
			}
			if (work.uncut)
				fragment.end = vma->end;
			annotation->image = fragment.image;
			annotation->kind = kind_of_fragment(&work, &fragment);
			annotation->expected_prot = fragment.expected;
		}
		if (annotation->kind == SEGMAP_KIND_GAP && fragment.kind == FRAGMENT_FILE)
			annotation->kind = kind_of_fragment(&work, &fragment);
		if (annotation->segment < 0)
			annotation->segment = fragment.segment;
		same = same && fragment.expected == annotation->expected_prot;
		if (!cut_fragment(cutter, &work, &fragment))
			return false;
	}
	if (!same)
		annotation->expected_prot = SEGMAP_NO_PROT;
	annotation->n_pieces = (uint32_t)layout->n_pieces - annotation->first_piece;
	return true;
}

/* The vdso is one VMA, all of its PT_LOAD. */
static bool cut_vdso(struct cutter *cutter, size_t index, int32_t image)
{
	struct segmap_annotation *annotation = &cutter->layout->annotations[index];
	const struct segmap_vma *vma = &cutter->layout->vmas[index];
	struct work work = { .vma = vma, .backing = -1 };
	struct fragment fragment;

	annotation->kind = SEGMAP_KIND_VDSO;
	annotation->image = image;
	annotation->segment = -1;
	annotation->expected_prot = SEGMAP_NO_PROT;
	annotation->first_piece = (uint32_t)cutter->layout->n_pieces;
	for (uint64_t addr = vma->start; addr < vma->end; addr = fragment.end) {
		fragment = classify(cutter, &work, image, addr);
		if (fragment.kind == FRAGMENT_NONE) {
			fragment.kind = FRAGMENT_GAP;
			fragment.image = image;
		}
		if (annotation->segment < 0) {
			annotation->segment = fragment.segment;
			annotation->expected_prot = fragment.expected;
		}
		if (!cut_fragment(cutter, &work, &fragment))
			return false;
	}
	annotation->n_pieces = (uint32_t)cutter->layout->n_pieces - annotation->first_piece;
	return true;
}

bool annotate(struct segmap_layout *layout, const struct extents *const *extents,
	      size_t *cuts_left)
{
	scope_free uint64_t *furthest = reallocarray(NULL, layout->n_images + 1, sizeof(*furthest));
	struct cutter cutter = { .layout = layout, .extents = extents, .furthest = furthest,
				 .cuts_left = cuts_left };
	size_t nearest = 0;
	int32_t vdso = -1;

	if (!furthest)
		return false;
	for (size_t i = 0; i < layout->n_images; i++) {
		furthest[i] = max_u64(layout->images[i].end, i ? furthest[i - 1] : 0);
		if (layout->images[i].role == SEGMAP_ROLE_VDSO)
			vdso = (int32_t)i;
	}
	for (size_t i = 0; i < layout->n_vmas; i++) {
		const struct segmap_vma *vma = &layout->vmas[i];
		bool is_vdso;

		/* Both lists ascend: images that end before this VMA are done with. */
		while (nearest < layout->n_images && furthest[nearest] <= vma->start)
			nearest++;
		if (!vma->ino && !vma->name[0] &&
		    (nearest == layout->n_images || layout->images[nearest].start >= vma->end)) {
			/* Most of a map with very many VMAs. */
			annotate_plain(layout, i, vma->shared ? SEGMAP_KIND_SHM : SEGMAP_KIND_ANON);
			continue;
		}
		is_vdso = vdso >= 0 && vma->start == layout->images[vdso].start;
		if (!(is_vdso ? cut_vdso(&cutter, i, vdso) : cut_vma(&cutter, i)))
			return false;
	}
	return true;
}
