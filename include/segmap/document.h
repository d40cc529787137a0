/* include/segmap/document.h - maps that were saved as JSON documents. */
#ifndef SEGMAP_DOCUMENT_H
#define SEGMAP_DOCUMENT_H

#include <segmap/layout.h>

/*
 * Read the map document (docs/segmap.schema.json) that the regular file @path holds: one, with
 * nothing behind it. The layout is correlated already. Its ELF objects are its
 * own and have no section tables: what sections there are stands in its pieces. Predicted
 * addresses count from a bias of 0. What a document says beside the map (calls, differences,
 * findings) is checked for its form and dropped.
 *
 * Nothing in it is believed unchecked: types, words, ranges, sizes, ids, the order of VMAs, and
 * that pieces cover. A key that the schema has not is refused, and so are keys that stand twice.
 *
 * Errors: SEGMAP_ERROR_SYSTEM where it cannot be read or json-c is missing, SEGMAP_ERROR_LIMIT
 * where it is larger than SEGMAP_MAX_DOCUMENT, SEGMAP_ERROR_FORMAT with the place
 * ("vmas[3].start: no address") where it is no such document.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *segmap_document_open(const char *path,
								       struct segmap_layout **ret);

/* The same for the @size bytes at @text; errors are about @name. */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_document_parse(const char *name, const char *text, size_t size, struct segmap_layout **ret);

#endif
