/* src/read/bytes.c - reading from descriptors, buffers and other processes' memory. */
#include "read/bytes.h"
#include "base/range.h"
#include "base/scope.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

int fd_above_streams(int fd)
{
	int above, problem;

	if (fd < 0 || fd > 2)
		return fd;
	above = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	problem = errno;
	close(fd);
	errno = problem;
	return above;
}

void fd_name(int fd, char ret[static 32])
{
	snprintf(ret, 32, "/proc/self/fd/%d", fd);
}

bool fd_has_mount_flag(int fd, unsigned long flag)
{
	struct statvfs fs;

	return fstatvfs(fd, &fs) == 0 && (fs.f_flag & flag);
}

int64_t fd_read(int fd, void *buffer, size_t size, uint64_t off)
{
	size_t got = 0;

	while (got < size) {
		ssize_t n = pread(fd, (char *)buffer + got, size - got, (off_t)(off + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (int64_t)got;
}

int file_read_whole(int dir, const char *name, size_t most, char **ret, size_t *ret_size)
{
	scope_free char *bytes = NULL;
	scope_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	size_t size = 0, capacity = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t got;

		if (capacity - size < 512) {
			/* Mostly a few bytes, of which a large buffer would take whole pages;
			 * doubling keeps copying linear. */
			char *moved = realloc(bytes, (capacity = capacity ? capacity * 2 : 1024));

			if (!moved)
				return -ENOMEM;
			bytes = moved;
		}
		got = read(fd, bytes + size, capacity - size - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		size += (size_t)got;
		if (got == 0 || size > most)
			break;
	}
	if (size > most)
		size = most;
	bytes[size] = '\0';
	*ret = return_ptr(bytes);
	*ret_size = size;
	return 0;
}

struct segmap_error *file_read_if_there(int dir, const char *name, size_t most, char **ret,
					size_t *ret_size)
{
	return file_read_whole(dir, name, most, ret, ret_size) == -ENOMEM ?
		       segmap_error_no_memory() :
		       NULL;
}

uint64_t setting_read(const char *name, uint64_t otherwise)
{
	char path[64], text[32] = "";
	unsigned long long value;
	scope_close int fd = -1;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fd_read(fd, text, sizeof(text) - 1, 0) <= 0 ||
	    sscanf(text, "%llu", &value) != 1)
		return otherwise;
	return value;
}

uint64_t bytes_word(const void *at, size_t width, bool swapped)
{
	uint64_t wide;
	uint32_t narrow;

	if (width == sizeof(wide)) {
		memcpy(&wide, at, sizeof(wide));
		return swapped ? __builtin_bswap64(wide) : wide;
	}
	memcpy(&narrow, at, sizeof(narrow));
	return swapped ? __builtin_bswap32(narrow) : narrow;
}

int64_t bytes_read_fd(const struct bytes *bytes, void *buffer, size_t size, uint64_t off)
{
	return fd_read(bytes->fd, buffer, size, off);
}

int64_t bytes_read_buffer(const struct bytes *bytes, void *buffer, size_t size, uint64_t off)
{
	if (off >= bytes->size)
		return 0;
	size = (size_t)min_u64(size, bytes->size - off);
	memcpy(buffer, (const char *)bytes->memory + off, size);
	return (int64_t)size;
}

struct shared_fd *shared_fd_new(int fd)
{
	struct shared_fd *shared = fd >= 0 ? malloc(sizeof(*shared)) : NULL;

	if (shared)
		*shared = (struct shared_fd){ .fd = fd, .n_users = 1 };
	else if (fd >= 0)
		close(fd);
	return shared;
}

struct shared_fd *shared_fd_share(struct shared_fd *shared)
{
	shared->n_users++;
	return shared;
}

void shared_fd_let_go(struct shared_fd *shared)
{
	if (!shared || --shared->n_users)
		return;
	close(shared->fd);
	free(shared);
}

struct file_memory *file_memory_new(struct shared_fd *mem, size_t most, uint64_t page_size)
{
	struct file_memory *memory = calloc(1, sizeof(*memory));

	if (!memory) {
		shared_fd_let_go(mem);
		return NULL;
	}
	memory->mem = mem;
	memory->pagemap = -1;
	memory->page_size = page_size;
	memory->most_ranges = most;
	memory->ranges = reallocarray(NULL, most + 1, sizeof(*memory->ranges));
	if (!mem || !memory->ranges) {
		file_memory_close(memory);
		return NULL;
	}
	return memory;
}

void file_memory_add(struct file_memory *memory, uint64_t off, uint64_t size, uint64_t addr,
		     uint64_t at)
{
	uint64_t end;

	if (memory->n_ranges == memory->most_ranges || !checked_add(off, size, &end))
		return;
	if (!memory->n_ranges)
		memory->first_addr = addr;
	memory->ranges[memory->n_ranges++] = (struct file_range){ off, end, addr, at };
}

static int compare_ranges(const void *a, const void *b)
{
	const struct file_range *x = a, *y = b;

	if (x->off != y->off)
		return x->off < y->off ? -1 : 1;
	return (x->addr > y->addr) - (x->addr < y->addr);
}

void file_memory_sort(struct file_memory *memory)
{
	uint64_t covered = 0;
	size_t n = 0;

	qsort(memory->ranges, memory->n_ranges, sizeof(*memory->ranges), compare_ranges);
	for (size_t i = 0; i < memory->n_ranges; i++) {
		struct file_range range = memory->ranges[i];
		uint64_t cut = covered > range.off ? covered - range.off : 0;

		if (range.end <= covered)
			continue;
		range.off += cut;
		range.addr += cut;
		range.at += cut;
		covered = range.end;
		memory->ranges[n++] = range;
	}
	memory->n_ranges = n;
}

/* The range with the file's byte at @off; NULL if there is none. */
static const struct file_range *find_range(const struct file_memory *memory, uint64_t off)
{
	size_t low = 0, high = memory->n_ranges;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memory->ranges[middle].end > off)
			high = middle;
		else
			low = middle + 1;
	}
	return low < memory->n_ranges && memory->ranges[low].off <= off ? &memory->ranges[low] :
									  NULL;
}

struct file_memory *file_memory_open(int process_dir, const struct segmap_vma *vmas,
				     const uint32_t *indices, uint32_t n, uint64_t page_size)
{
	struct file_memory *memory = file_memory_new(
		shared_fd_new(openat(process_dir, "mem", O_RDONLY | O_CLOEXEC)), n, page_size);

	if (!memory)
		return NULL;
	memory->pagemap = openat(process_dir, "pagemap", O_RDONLY | O_CLOEXEC);
	if (memory->pagemap < 0) {
		file_memory_close(memory);
		return NULL;
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct segmap_vma *vma = &vmas[indices[i]];

		if (vma->prot & PROT_READ)
			file_memory_add(memory, vma->off, segmap_vma_size(vma), vma->start,
					vma->start);
	}
	file_memory_sort(memory);
	return memory;
}

void file_memory_close(struct file_memory *memory)
{
	if (!memory)
		return;
	shared_fd_let_go(memory->mem);
	if (memory->pagemap >= 0)
		close(memory->pagemap);
	free(memory->ranges);
	free(memory);
}

/* Whether the page at @addr is in memory now: bit 63 of its pagemap entry (proc(5)). */
static bool is_resident(const struct file_memory *memory, uint64_t addr)
{
	uint64_t entry;

	if (memory->pagemap < 0)
		return true;
	return fd_read(memory->pagemap, &entry, sizeof(entry),
		       addr / memory->page_size * sizeof(entry)) == sizeof(entry) &&
	       entry >> 63;
}

int64_t bytes_read_file_memory(const struct bytes *bytes, void *buffer, size_t size, uint64_t off)
{
	const struct file_memory *memory = bytes->memory;
	size_t got = 0;

	while (got < size) {
		uint64_t at = off + got, addr, step;
		const struct file_range *range = find_range(memory, at);
		int64_t n;

		if (!range)
			break;
		addr = range->addr + (at - range->off);
		if (!is_resident(memory, addr))
			break;
		step = min_u64(memory->page_size - addr % memory->page_size, range->end - at);
		step = min_u64(step, size - got);
		n = fd_read(memory->mem->fd, (char *)buffer + got, step,
			    range->at + (at - range->off));
		if (n < 0)
			return n;
		if ((uint64_t)n < step)
			break;
		got += step;
	}
	return (int64_t)got;
}
