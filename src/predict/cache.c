/* src/predict/cache.c - /etc/ld.so.cache. */
#include "predict/cache.h"
#include "base/range.h"
#include <elf.h>
#include <endian.h>
#include <limits.h>
#include <string.h>

/* Sizes and places in the file; glibc sysdeps/generic/dl-cache.h. */
enum {
	OLD_HEADER = 16, /* magic of 11 bytes, padding, number of entries */
	OLD_ENTRY = 12,	 /* flags, key, value */
	NEW_HEADER = 48, /* magic of 20 bytes, entries, bytes of strings, flags, extension */
	NEW_ENTRY = 24,	 /* flags, key, value, OS version, hwcap of 8 bytes */
	EXTENSION_SECTION = 16,
	FLAGS_AT = 28,
	EXTENSION_AT = 32,
	HWCAPS_SECTION = 1, /* the tag of the section with names of glibc-hwcaps directories */
};

#define OLD_MAGIC "ld.so-1.7.0"
#define NEW_MAGIC "glibc-ld.so.cache1.1"
#define EXTENSION_MAGIC 0xeaa42174U /* (uint32_t)-358342284 */

/* A table of entries; offsets of strings count from @strings. */
struct table {
	struct cache cache;
	size_t entries; /* where they begin */
	uint32_t n;
	uint32_t entry_size;
	size_t strings;
	size_t hwcaps; /* where the numbers of hwcaps names are; 0: nowhere */
	uint32_t n_hwcaps;
};

static uint32_t word_at(const struct cache *cache, size_t at)
{
	uint32_t word;

	memcpy(&word, cache->bytes + at, sizeof(word));
	return word;
}

/* The string at @at, or NULL where there is none of a path's length that ends within the file. */
static const char *string_at(const struct cache *cache, uint64_t at)
{
	if (at >= cache->size ||
	    !memchr(cache->bytes + at, '\0', min_u64(cache->size - at, PATH_MAX)))
		return NULL;
	return cache->bytes + at;
}

static bool has_magic(const struct cache *cache, size_t at, const char *magic)
{
	return cache->size - at >= strlen(magic) &&
	       memcmp(cache->bytes + at, magic, strlen(magic)) == 0;
}

/* Whether the new table at @at has this machine's byte order, or does not say. */
static bool is_this_byte_order(const struct cache *cache, size_t at)
{
	unsigned char flags = (unsigned char)cache->bytes[at + FLAGS_AT];

	return !flags || (flags & 3) == (BYTE_ORDER == LITTLE_ENDIAN ? 2 : 3);
}

/* The extension directory leads to the names that entries with a hwcap have the numbers of. */
static void find_hwcaps(struct table *table, size_t header)
{
	const struct cache *cache = &table->cache;
	uint64_t at = word_at(cache, header + EXTENSION_AT);
	uint32_t n;

	/* Offsets in it count from the start of the file. */
	if (!at || at % 4 || at > cache->size || cache->size - at < 8 ||
	    word_at(cache, at) != EXTENSION_MAGIC)
		return;
	n = word_at(cache, at + 4);
	if (n > (cache->size - at - 8) / EXTENSION_SECTION)
		return;
	for (at += 8; n--; at += EXTENSION_SECTION) {
		uint64_t off = word_at(cache, at + 8), size = word_at(cache, at + 12);

		if (off > cache->size || cache->size - off < size)
			return;
		if (word_at(cache, at) != HWCAPS_SECTION || !size || off % 4 || size % 4)
			continue;
		table->hwcaps = off;
		table->n_hwcaps = (uint32_t)(size / 4);
	}
}

static bool open_new(const struct cache *cache, size_t header, struct table *ret)
{
	uint32_t n;

	if (cache->size < header || cache->size - header <= NEW_HEADER ||
	    !has_magic(cache, header, NEW_MAGIC))
		return false;
	n = word_at(cache, header + 20);
	if (n > (cache->size - header - NEW_HEADER) / NEW_ENTRY)
		return false;
	*ret = (struct table){
		.cache = *cache,
		.entries = header + NEW_HEADER,
		.n = is_this_byte_order(cache, header) ? n : 0,
		.entry_size = NEW_ENTRY,
		.strings = header,
	};
	find_hwcaps(ret, header);
	return true;
}

static bool open_table(const struct cache *cache, struct table *ret)
{
	uint32_t n;
	size_t end;

	if (open_new(cache, 0, ret))
		return true;
	if (cache->size <= OLD_HEADER || !has_magic(cache, 0, OLD_MAGIC))
		return false;
	n = word_at(cache, 12);
	if (n > (cache->size - OLD_HEADER) / OLD_ENTRY)
		return false;
	end = OLD_HEADER + (size_t)n * OLD_ENTRY;
	if (open_new(cache, (end + 7) & ~(size_t)7, ret))
		return true;
	*ret = (struct table){
		.cache = *cache,
		.entries = OLD_HEADER,
		.n = n,
		.entry_size = OLD_ENTRY,
		.strings = end,
	};
	return true;
}

/*
 * The order of the table: as strcmp(), but digits together are a number, and a
 * digit comes after anything else (elf/dl-cache.c:_dl_cache_libcmp).
 */
static int compare_names(const char *a, const char *b)
{
	while (*a) {
		bool a_digit = *a >= '0' && *a <= '9', b_digit = *b >= '0' && *b <= '9';
		/* Unsigned: names can have more digits than a number. */
		unsigned int a_value = 0, b_value = 0;

		if (a_digit != b_digit)
			return a_digit ? 1 : -1;
		if (!a_digit) {
			if (*a != *b)
				return *a - *b;
			a++;
			b++;
			continue;
		}
		for (; *a >= '0' && *a <= '9'; a++)
			a_value = a_value * 10 + (unsigned int)(*a - '0');
		for (; *b >= '0' && *b <= '9'; b++)
			b_value = b_value * 10 + (unsigned int)(*b - '0');
		if (a_value != b_value)
			return (int)(a_value - b_value);
	}
	return *a - *b;
}

static size_t entry_at(const struct table *table, uint32_t index)
{
	return table->entries + (size_t)index * table->entry_size;
}

static const char *name_at(const struct table *table, uint32_t index)
{
	const struct cache *cache = &table->cache;

	return string_at(cache, (uint64_t)table->strings +
					word_at(cache, entry_at(table, index) + 4));
}

static const char *path_at(const struct table *table, uint32_t index)
{
	const struct cache *cache = &table->cache;

	return string_at(cache, (uint64_t)table->strings +
					word_at(cache, entry_at(table, index) + 8));
}

/*
 * The flags that entries for the program have: 3 for a library of glibc, and
 * bits for the ABI (sysdeps/.../dl-cache.h). Some also take another value.
 */
static void wanted_flags(const struct segmap_elf *elf, int32_t *usual, int32_t *other)
{
	static const struct {
		unsigned int machine, class;
		int32_t usual, other;
	} abis[] = {
		{ EM_X86_64, 64, 0x303, 0x303 },  { EM_X86_64, 32, 0x803, 0x803 },
		{ EM_AARCH64, 64, 0xa03, 0xa03 }, { EM_ARM, 32, 0x903, 3 },
		{ EM_RISCV, 64, 0x1003, 0xf03 },  { EM_PPC64, 64, 0x503, 0x503 },
		{ EM_S390, 64, 0x403, 0x403 },
	};

	*usual = 3;
	*other = 1;
	for (size_t i = 0; i < sizeof(abis) / sizeof(abis[0]); i++) {
		if (abis[i].machine == elf->machine && abis[i].class == elf->class) {
			*usual = abis[i].usual;
			*other = abis[i].other;
		}
	}
}

/* Which of the wanted hwcaps number @index of the cache's names is, from 1 on; 0: none. */
static unsigned int hwcap_rank(const struct table *table, uint32_t index,
			       const struct cache_wants *wants)
{
	const char *name;

	if (index >= table->n_hwcaps)
		return 0;
	/* These offsets count from the start of the file. */
	name = string_at(&table->cache,
			 word_at(&table->cache, table->hwcaps + (size_t)index * 4));
	for (unsigned int i = 0; name && wants->hwcaps && wants->hwcaps[i]; i++)
		if (strcmp(name, wants->hwcaps[i]) == 0)
			return i + 1;
	return 0;
}

/*
 * Whether the entry's hwcap can be used: 0 no, UINT32_MAX for an entry without
 * one, else the rank of its directory, the lower the better. The upper word
 * has bit 30 where the lower one is the number of a name; its last ten bits are
 * the ISA level of the library itself (dl_cache_hwcap_isa_level_compatible).
 */
static uint32_t rank_entry(const struct table *table, uint32_t index,
			   const struct cache_wants *wants)
{
	size_t at = entry_at(table, index);
	uint32_t low, high;

	if (table->entry_size < NEW_ENTRY)
		return UINT32_MAX;
	low = word_at(&table->cache, at + (BYTE_ORDER == LITTLE_ENDIAN ? 16 : 20));
	high = word_at(&table->cache, at + (BYTE_ORDER == LITTLE_ENDIAN ? 20 : 16));
	if ((high & ~0x3ffU) == 1U << 30)
		return (high & 0x3ff) <= wants->isa_level ? hwcap_rank(table, low, wants) : 0;
	/* The older kind of hwcap, which glibc 2.37 dropped. */
	return low || high ? 0 : UINT32_MAX;
}

/* The best of the entries from @index on that have the wanted name. */
static const char *choose(const struct table *table, uint32_t index,
			  const struct cache_wants *wants)
{
	const char *best = NULL, *name;
	uint32_t best_rank = UINT32_MAX;
	int32_t usual, other;

	wanted_flags(wants->elf, &usual, &other);
	for (; index < table->n && (name = name_at(table, index)) &&
	       compare_names(wants->name, name) == 0;
	     index++) {
		int32_t flags = (int32_t)word_at(&table->cache, entry_at(table, index));
		const char *path = path_at(table, index);
		uint32_t rank;

		if ((flags != usual && flags != other) || !path)
			continue;
		rank = rank_entry(table, index, wants);
		/* Entries with a hwcap come first: once one was good enough, it is taken. */
		if (rank == UINT32_MAX && best && table->entry_size >= NEW_ENTRY)
			break;
		if (!rank || (rank != UINT32_MAX && rank >= best_rank))
			continue;
		best = path;
		best_rank = rank;
		if (rank == UINT32_MAX && flags == usual)
			break;
	}
	return best;
}

const char *cache_find(const struct cache *cache, const struct cache_wants *wants)
{
	uint32_t low = 0, high;
	struct table table;

	if (!open_table(cache, &table))
		return NULL;
	/* The order is descending. Find the first entry that is not before the name. */
	for (high = table.n; low < high;) {
		uint32_t middle = low + (high - low) / 2;
		const char *name = name_at(&table, middle);

		if (!name)
			return NULL;
		if (compare_names(wants->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return choose(&table, low, wants);
}
