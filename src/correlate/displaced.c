/* src/correlate/displaced.c - pages that lie where an image's code or constants should be. */
#include "correlate/displaced.h"
#include "base/range.h"
#include "base/scope.h"
#include "correlate/audit.h"
#include "correlate/bias.h"
#include "model/layout.h"

/*
 * An image says for each page which one of its file belongs there. What is there instead has been
 * mapped over it:
 *
 *   PT_LOADs   |-- R --|------- R E -------|--- R ---|-- RW --|
 *   VMAs       |-- 0 --|- 3 -|//9//|-- 5 --|--- 16 --|-- 1c --|   by their offsets
 *                            |displ|
 */
struct looking {
	struct segmap_layout *layout;
	int32_t index; /* of the image */
	const struct extents *extents;
	size_t *lookups_left;
};

static bool add_displaced(const struct looking *looking, const struct extent *extent, size_t vma,
			  uint64_t start, uint64_t end)
{
	/* What is told of is dearer than what is only looked at. */
	enum { LOOKUPS = 64 };
	struct segmap_layout *layout = looking->layout;

	if (!may_look(looking->lookups_left, LOOKUPS))
		return true;
	if (!grow(&layout->displaced, &layout->cap_displaced, layout->n_displaced,
		  sizeof(*layout->displaced)))
		return false;
	layout->displaced[layout->n_displaced++] = (struct segmap_displaced){
		.start = start,
		.end = end,
		.vma = (uint32_t)vma,
		.image = looking->index,
		.segment = (int32_t)extent->segment,
	};
	return true;
}

/*
 * Look at the VMAs where the file's pages of @extent should be. *@in_place: some are. What has the
 * place of writable data is the program's own affair.
 */
static bool look_at_extent(const struct looking *looking, const struct extent *extent,
			   bool *in_place)
{
	const struct segmap_layout *layout = looking->layout;
	const struct segmap_image *image = &layout->images[looking->index];
	const struct segmap_segment *segment = &image->elf->segments[extent->segment];
	uint64_t start = segmap_addr(extent->start, image->bias);
	uint64_t end = segmap_addr(extent->end, image->bias);

	*in_place = false;
	for (size_t i = layout_first_behind(layout, start);
	     i < layout->n_vmas && layout->vmas[i].start < end && may_look(looking->lookups_left, 1);
	     i++) {
		const struct segmap_vma *vma = &layout->vmas[i];
		uint64_t low = max_u64(start, vma->start);

		if (layout->annotations[i].backing == image->backing &&
		    bias_is_consistent(image->elf, segment, vma, low, image->bias))
			*in_place = true;
		else if (!(segment->prot & PROT_WRITE) &&
			 !add_displaced(looking, extent, i, low, min_u64(end, vma->end)))
			return false;
	}
	return true;
}

/*
 * Of an image of several segments two have to be there: a piece of a file that somebody
 * has mapped alone looks like a load whose other segments are gone.
 */
static bool look_at_image(const struct looking *looking)
{
	size_t n_before = looking->layout->n_displaced;
	uint32_t first = UINT32_MAX; /* segment that is in place */
	bool is_one = true, two_in_place = false;

	for (size_t i = 0; i < looking->extents->n; i++) {
		const struct extent *extent = &looking->extents->array[i];
		bool in_place;

		if (!extent->file)
			continue;
		if (!look_at_extent(looking, extent, &in_place))
			return false;
		is_one = is_one && extent->segment == looking->extents->array[0].segment;
		if (in_place && first == UINT32_MAX)
			first = extent->segment;
		two_in_place |= in_place && extent->segment != first;
	}
	if (!is_one && !two_in_place)
		looking->layout->n_displaced = n_before;
	return true;
}

bool displaced_find(struct segmap_layout *layout, const struct extents *const *extents,
		    size_t *lookups_left)
{
	struct looking looking = { .layout = layout, .lookups_left = lookups_left };

	for (size_t i = 0; i < layout->n_images; i++) {
		looking.index = (int32_t)i;
		looking.extents = extents[i];
		if (audit_is_loaded(&layout->images[i]) && !look_at_image(&looking))
			return false;
	}
	return true;
}
