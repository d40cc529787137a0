/* src/model/bytes.h - something that bytes can be read from: a file, a process's memory, a core. */
#ifndef MODEL_BYTES_H
#define MODEL_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
	/*
	 * Read up to @size bytes at @off into @buffer. Returns how many came (fewer
	 * only at the end), or a negative errno value.
	 */
	int64_t (*read)(const struct bytes *bytes, void *buffer, size_t size, uint64_t off);
	const char *name; /* for errors */
	uint64_t size;	  /* bytes it says it has */
	uint64_t on_disk; /* bytes that are really held somewhere: a sparse file has few */
	int fd;
	const void *memory;
	/*
	 * The bytes are those of a loaded image: what the loader did not map is not
	 * there, so section headers are not looked for, and the dynamic linker can
	 * have added @bias to the pointers in the dynamic section.
	 */
	bool loaded;
	uint64_t bias;
	uint64_t *counted; /* bytes_read() adds what it asks for; NULL: that is counted nowhere */
};

static inline int64_t bytes_read(const struct bytes *bytes, void *buffer, size_t size,
				 uint64_t off)
{
	if (bytes->counted)
		*bytes->counted += size;
	return bytes->read(bytes, buffer, size, off);
}

#endif
