/* src/model/memory.h - making figures. */
#ifndef MODEL_MEMORY_H
#define MODEL_MEMORY_H

#include <segmap/memory.h>

/* Without any figure; NULL if there is no memory. */
struct segmap_memory *memory_new(void);

/*
 * The figure called by the @size bytes at @name, made if there is none yet.
 * -1: there are too many (then *@failed is false) or there is no memory.
 */
int32_t memory_find_or_add(struct segmap_memory *memory, const char *name, size_t size, bool bytes,
			   bool *failed);

/* Room for the figures of VMA @vma; rows before it that were not filled have none. */
bool memory_reach(struct segmap_memory *memory, size_t vma);

/* The bit of the VmFlags word @word, made if it is new; -1 if there are too many. Looked for behind
 * bit @after first (-1: from the beginning). */
int memory_flag_bit(struct segmap_memory *memory, const char word[static 2], int after);

#endif
