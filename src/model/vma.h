/* src/model/vma.h - parsing a line of maps whose length is known. */
#ifndef MODEL_VMA_H
#define MODEL_VMA_H

#include <segmap/vma.h>

/* As segmap_vma_parse(); @end is where the line's NUL is. On error @ret is half filled in. */
SEGMAP_MUST_CHECK struct segmap_error *vma_parse(const char *line, const char *end,
						 struct segmap_vma *ret);

#endif
