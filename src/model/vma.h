/* src/model/vma.h - parsing a line of maps whose length is known. */
#ifndef MODEL_VMA_H
#define MODEL_VMA_H

#include <segmap/layout.h>

/* As segmap_vma_parse(); @end is where the line's NUL is. On error @ret is half filled in. */
SEGMAP_MUST_CHECK struct segmap_error *vma_parse(const char *line, const char *end,
						 struct segmap_vma *ret);

/*
 * Whether @vma is of a file that the kernel itself made, on a file system without a mount
 * point, and what that is: System V shared memory (ipc/shm.c:newseg), shared anonymous memory
 * (mm/shmem.c:shmem_zero_setup), huge pages (HUGETLB_ANON_FILE), memfd_secret(2). A deleted
 * file can have such a name, but hardly device 0:N, and no program is mapped shared.
 */
bool vma_is_memory_object(const struct segmap_vma *vma, enum segmap_kind *ret);

#endif
