/* src/correlate/kinds.h - what a VMA without an image is, by its name and its file. */
#ifndef CORRELATE_KINDS_H
#define CORRELATE_KINDS_H

#include <segmap/layout.h>

/* @backing is NULL where the VMA has no inode. */
enum segmap_kind kind_of_vma(const struct segmap_vma *vma, const struct segmap_backing *backing);

/* Whether the VMA is private memory that no file backs, as .bss and the heap are. */
bool is_anonymous(const struct segmap_vma *vma);

/* Whether a file backs the VMA. A core has the names of files, and not their inodes. */
bool is_of_file(const struct segmap_vma *vma);

#endif
