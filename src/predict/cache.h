/* src/predict/cache.h - /etc/ld.so.cache. */
#ifndef PREDICT_CACHE_H
#define PREDICT_CACHE_H

#include <segmap/elf.h>

/*
 * The file's bytes, which may be hostile. It has a sorted table of names and
 * the paths of the files that have them (elf/cache.c writes it, elf/dl-cache.c
 * reads it), in the format of glibc 2.2 and later:
 *
 *   |glibc-ld.so.cache1.1|n|…|entry 0|…|entry n-1|strings|extension|
 *
 * or behind the one of libc5 in the same file, whose strings it then stands in.
 */
struct cache {
	const char *bytes;
	size_t size;
};

/* What an entry must be to be taken. */
struct cache_wants {
	const char *name;
	const struct segmap_elf *elf; /* the program: class and machine */
	const char *const *hwcaps;    /* directories below glibc-hwcaps, best first; NULL at the end */
	unsigned int isa_level;	      /* 0 for the baseline of the machine, 1 for x86-64-v2 … */
};

/* The path that the cache has for it; NULL if it has none. Points into the cache. */
const char *cache_find(const struct cache *cache, const struct cache_wants *wants);

#endif
