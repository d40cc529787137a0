/* src/read/linking.h - what the dynamic section tells the dynamic linker, read from a file. */
#ifndef READ_LINKING_H
#define READ_LINKING_H

#include "model/bytes.h"
#include <segmap/elf.h>

/* An entry of the dynamic section, in the machine's byte order. */
struct dynamic_entry {
	int64_t tag;
	uint64_t value;
};

/* Where it is read from. Everything is borrowed. */
struct linking_source {
	const struct bytes *bytes;
	uint64_t elf_off;	      /* of the ELF header in @bytes */
	uint64_t size;		      /* bytes there from the ELF header on */
	bool swapped;		      /* the file's byte order is not the machine's */
	const struct segmap_elf *elf; /* whose segments are known */
	const struct dynamic_entry *entries; /* without DT_NULL */
	size_t n_entries;
};

/*
 * The names are found through DT_STRTAB and the PT_LOAD that holds it, so no
 * section header is needed. What cannot be believed is left out; the error is
 * for memory, or a file that was cut short meanwhile.
 */
SEGMAP_MUST_CHECK struct segmap_error *linking_parse(const struct linking_source *source,
						     struct segmap_linking **ret);

#endif
