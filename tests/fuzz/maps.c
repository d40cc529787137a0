/* tests/fuzz/maps.c - the text of /proc/PID/maps: line by line, whole, and as it comes from a read. */
#include "fuzz.h"
#include <stdlib.h>
#include <string.h>

/* The text in pieces of @step bytes, as segmap reads it; NULL where it is refused. */
static struct segmap_layout *parse(const uint8_t *data, size_t size, size_t step)
{
	struct segmap_layout *layout;
	char *text = malloc(size + 1);
	size_t used = 0, have = 0, taken = 0;
	bool fine = true;

	FUZZ_CHECK(text && fuzz_ok(segmap_layout_new(&layout)));
	layout->page_size = 4096;
	while (fine && used < size) {
		size_t more = size - used < step ? size - used : step;

		memcpy(text + have, data + used, more);
		used += more;
		have += more;
		fine = fuzz_ok(segmap_layout_parse_maps(layout, "maps", text, have, false, &taken));
		if (!fine)
			break;
		FUZZ_CHECK(taken <= have);
		have -= taken;
		memmove(text, text + taken, have);
	}
	fine = fine && fuzz_ok(segmap_layout_parse_maps(layout, "maps", text, have, true, &taken));
	free(text);
	if (fine)
		return layout;
	segmap_layout_free(layout);
	return NULL;
}

static void check_same(const struct segmap_layout *a, const struct segmap_layout *b)
{
	FUZZ_CHECK(!a == !b);
	if (!a)
		return;
	FUZZ_CHECK(a->n_vmas == b->n_vmas && a->n_backings == b->n_backings);
	for (size_t i = 0; i < a->n_vmas; i++) {
		const struct segmap_vma *x = &a->vmas[i], *y = &b->vmas[i];

		FUZZ_CHECK(x->start == y->start && x->end == y->end && x->off == y->off &&
			   x->ino == y->ino && x->prot == y->prot &&
			   strcmp(x->name, y->name) == 0);
		FUZZ_CHECK(x->start < x->end && (!i || x[-1].end <= x->start));
		FUZZ_CHECK(!strchr(x->name, '\n'));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct segmap_layout *whole = parse(data, size, size + !size);
	struct segmap_layout *in_pieces = parse(data, size, 61);

	check_same(whole, in_pieces);
	segmap_layout_free(whole);
	segmap_layout_free(in_pieces);
	return 0;
}
