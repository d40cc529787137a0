/* src/read/bytes.h - reading from descriptors, buffers and other processes' memory. */
#ifndef READ_BYTES_H
#define READ_BYTES_H

#include "model/bytes.h"
#include <segmap/vma.h>

/*
 * A descriptor for the same that is in no standard stream's place, where that is closed;
 * @fd is closed if it is another. -1 with errno, and for -1.
 */
int fd_above_streams(int fd);

/* "/proc/self/fd/N", which names what @fd does, if that is an O_PATH descriptor, too. */
void fd_name(int fd, char ret[static 32]);

/* Whether the file system of what @fd names is mounted with @flag, one of statvfs(3)'s. */
bool fd_has_mount_flag(int fd, unsigned long flag);

/* pread() until @size bytes have come or there are no more; or a negative errno value. */
int64_t fd_read(int fd, void *buffer, size_t size, uint64_t off);

/*
 * All of the file @name in @dir, at most @most bytes, with a NUL behind the
 * last. Returns a negative errno value or 0; on success the caller frees *@ret.
 */
int file_read_whole(int dir, const char *name, size_t most, char **ret, size_t *ret_size);

/*
 * The same of a file that may be missing or kept from us: *@ret is then untouched. The
 * error is lack of memory, which says nothing of the file.
 */
SEGMAP_MUST_CHECK struct segmap_error *file_read_if_there(int dir, const char *name, size_t most,
							  char **ret, size_t *ret_size);

/* The number in the file @name of /proc/sys; @otherwise where it cannot be read. */
uint64_t setting_read(const char *name, uint64_t otherwise);

/* The number that the @width bytes (4 or 8) at @at are; @swapped: in the other byte order. */
uint64_t bytes_word(const void *at, size_t width, bool swapped);

/* A struct bytes' read for an open file (its fd) and for a buffer (its memory). */
int64_t bytes_read_fd(const struct bytes *bytes, void *buffer, size_t size, uint64_t off);
int64_t bytes_read_buffer(const struct bytes *bytes, void *buffer, size_t size, uint64_t off);

/* An open descriptor that several have: the last to let it go closes it. */
struct shared_fd {
	int fd;
	size_t n_users;
};

/* With one user. Takes @fd, which can be -1: then, and if there is no memory, it is NULL. */
struct shared_fd *shared_fd_new(int fd);
struct shared_fd *shared_fd_share(struct shared_fd *shared); /* the same, with one more user */
void shared_fd_let_go(struct shared_fd *shared); /* one user less; can be NULL */

struct file_range {
	uint64_t off, end; /* [off, end) of the file */
	uint64_t addr;	   /* where it is */
	uint64_t at;	   /* where that is in mem */
};

/* The pages of one file in one process. */
struct file_memory {
	struct shared_fd *mem; /* /proc/PID/mem, or a core dump */
	int pagemap; /* /proc/PID/pagemap; -1: all of it is there */
	uint64_t page_size;
	struct file_range *ranges; /* once sorted: ascending, without overlap */
	size_t n_ranges, most_ranges;
	uint64_t first_addr; /* of the range that was added first */
};

/*
 * Open the memory that the VMAs @vmas[@indices[0..n)] have of their file, as
 * seen by /proc/PID open as @process_dir. NULL if it is not allowed, or there
 * is no memory for it.
 */
struct file_memory *file_memory_open(int process_dir, const struct segmap_vma *vmas,
				     const uint32_t *indices, uint32_t n, uint64_t page_size);

/*
 * The same for a core dump, open as @mem, of which this takes a user: room for @most
 * ranges. NULL if there is no memory, or @mem is NULL. file_memory_add() adds one:
 * @size bytes at @off of the file, which are at @addr of the process and at @at of
 * the dump. file_memory_sort() comes
 * behind the last of them, before anything is read: a file can be mapped very often.
 * Where ranges overlap, the one that begins first has the bytes, and of those that begin
 * alike the one with the lowest address.
 */
struct file_memory *file_memory_new(struct shared_fd *mem, size_t most, uint64_t page_size);
void file_memory_add(struct file_memory *memory, uint64_t off, uint64_t size, uint64_t addr,
		     uint64_t at);
void file_memory_sort(struct file_memory *memory);
void file_memory_close(struct file_memory *memory);

/*
 * A struct bytes' read for a struct file_memory (its memory). Only pages that
 * are resident are read, since to read one makes it so; the others are as if
 * past the end of the file.
 */
int64_t bytes_read_file_memory(const struct bytes *bytes, void *buffer, size_t size, uint64_t off);

#endif
