/* src/base/idmap.c - from a pair of numbers to an index, in constant time. */
#include "base/idmap.h"
#include <stdlib.h>

void idmap_free(struct idmap *map)
{
	free(map->slots);
	*map = (struct idmap){ 0 };
}

/* The slot that has (@a, @b), or the free one where it belongs. Less than half are in use. */
static struct idmap_slot *find_slot(const struct idmap *map, uint64_t a, uint64_t b)
{
	/* Fibonacci hashing (Knuth, 6.4): the high bits of the product depend on all bits. */
	uint64_t hash = (a * 0x9e3779b97f4a7c15 ^ b) * 0x9e3779b97f4a7c15;
	size_t at = (size_t)(hash >> 32) & (map->n_slots - 1);

	while (map->slots[at].value_plus_1 && (map->slots[at].a != a || map->slots[at].b != b))
		at = (at + 1) & (map->n_slots - 1);
	return &map->slots[at];
}

static bool double_size(struct idmap *map)
{
	struct idmap bigger = { .n_slots = map->n_slots ? map->n_slots * 2 : 64 };

	bigger.slots = calloc(bigger.n_slots, sizeof(*bigger.slots));
	if (!bigger.slots)
		return false;
	bigger.n_used = map->n_used;
	for (size_t i = 0; i < map->n_slots; i++)
		if (map->slots[i].value_plus_1)
			*find_slot(&bigger, map->slots[i].a, map->slots[i].b) = map->slots[i];
	free(map->slots);
	*map = bigger;
	return true;
}

bool idmap_find_or_add(struct idmap *map, uint64_t a, uint64_t b, uint32_t fresh, uint32_t *ret)
{
	struct idmap_slot *slot;

	if (2 * map->n_used >= map->n_slots && !double_size(map))
		return false;
	slot = find_slot(map, a, b);
	if (!slot->value_plus_1) {
		*slot = (struct idmap_slot){ .a = a, .b = b, .value_plus_1 = fresh + 1 };
		map->n_used++;
	}
	*ret = slot->value_plus_1 - 1;
	return true;
}

void idmap_replace(struct idmap *map, uint64_t a, uint64_t b, uint32_t value)
{
	find_slot(map, a, b)->value_plus_1 = value + 1;
}

bool idmap_find(const struct idmap *map, uint64_t a, uint64_t b, uint32_t *ret)
{
	const struct idmap_slot *slot = map->n_slots ? find_slot(map, a, b) : NULL;

	if (!slot || !slot->value_plus_1)
		return false;
	*ret = slot->value_plus_1 - 1;
	return true;
}
