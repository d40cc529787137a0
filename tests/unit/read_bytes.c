/* tests/unit/read_bytes.c - reading from descriptors, buffers and other processes' memory. */
#include "read/bytes.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct {
	uint64_t off;
	size_t size, got;
} reads[] = {
	{ 0, 0, 0 },   { 0, 1, 1 },   { 0, 10, 10 },	 { 0, 11, 10 },
	{ 9, 1, 1 },   { 9, 2, 1 },   { 10, 1, 0 },	 { 11, 1, 0 },
	{ 5, 100, 5 }, { 1000, 0, 0 }, { 1ull << 40, 8, 0 },
};

START_TEST(buffer_is_read_up_to_its_end)
{
	struct bytes bytes = { .memory = "0123456789", .size = 10 };
	char *to = malloc(reads[_i].size + 1);

	ck_assert_ptr_nonnull(to);
	ck_assert_int_eq(bytes_read_buffer(&bytes, to, reads[_i].size, reads[_i].off),
			 (int64_t)reads[_i].got);
	ck_assert(memcmp(to, &"0123456789"[reads[_i].off % 10], reads[_i].got) == 0);
	ck_assert_int_eq(bytes_read_buffer(&bytes, to, reads[_i].size, UINT64_MAX), 0);
	free(to);
}
END_TEST

START_TEST(file_is_read_up_to_its_end_and_wherever_it_stands)
{
	int fd = memfd_create("segmap test", MFD_CLOEXEC);
	struct bytes bytes = { .fd = fd };
	char *to = malloc(reads[_i].size + 1);

	ck_assert(to && fd >= 0 && write(fd, "0123456789", 10) == 10);
	ck_assert_int_eq(bytes_read_fd(&bytes, to, reads[_i].size, reads[_i].off),
			 (int64_t)reads[_i].got);
	ck_assert(memcmp(to, &"0123456789"[reads[_i].off % 10], reads[_i].got) == 0);
	free(to);
	close(fd);
}
END_TEST

START_TEST(read_that_fails_is_a_negative_errno)
{
	char to[8];

	ck_assert_int_eq(fd_read(-1, to, sizeof(to), 0), -EBADF);
}
END_TEST

/* A file of four pages that this process has mapped twice; two pages are in its memory. */
struct mapped {
	int fd, process_dir;
	size_t page_size;
	char *first, *second;
	struct segmap_vma vmas[3];
};

static void mapped_make(struct mapped *mapped)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int prot = PROT_READ | PROT_WRITE;

	mapped->page_size = page;
	mapped->fd = memfd_create("segmap test", MFD_CLOEXEC);
	mapped->process_dir = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert(mapped->fd >= 0 && mapped->process_dir >= 0);
	ck_assert_int_eq(ftruncate(mapped->fd, (off_t)(4 * page)), 0);
	mapped->first = mmap(NULL, 3 * page, prot, MAP_PRIVATE, mapped->fd, 0);
	mapped->second = mmap(NULL, page, prot, MAP_PRIVATE, mapped->fd, (off_t)(3 * page));
	ck_assert(mapped->first != MAP_FAILED && mapped->second != MAP_FAILED);
	/* A page that is written to comes alone; one that is read brings its neighbours. */
	memset(mapped->first, 'a', page);
	memset(mapped->first + page, 'b', page);
	memset(mapped->second, 'd', page);
	mapped->vmas[0] = (struct segmap_vma){ .start = (uintptr_t)mapped->first,
					       .end = (uintptr_t)mapped->first + 3 * page,
					       .prot = PROT_READ };
	mapped->vmas[1] = (struct segmap_vma){ .start = (uintptr_t)mapped->second,
					       .end = (uintptr_t)mapped->second + page,
					       .off = 3 * page, .prot = PROT_READ };
	/* No access, as a library's gaps have none: not to be read. */
	mapped->vmas[2] = (struct segmap_vma){ .start = (uintptr_t)mapped->first,
					       .end = (uintptr_t)mapped->first + page,
					       .off = 4 * page };
}

static void mapped_free(struct mapped *mapped)
{
	munmap(mapped->first, 3 * mapped->page_size);
	munmap(mapped->second, mapped->page_size);
	close(mapped->fd);
	close(mapped->process_dir);
}

START_TEST(of_a_process_only_pages_that_are_in_memory_are_read)
{
	static const uint32_t all[] = { 0, 1, 2 };
	struct mapped mapped;
	struct file_memory *memory;
	struct bytes bytes = { .read = bytes_read_file_memory };
	size_t page;
	char *to;

	mapped_make(&mapped);
	page = mapped.page_size;
	to = malloc(5 * page);
	ck_assert_ptr_nonnull(to);
	memory = file_memory_open(mapped.process_dir, mapped.vmas, all, 3, page);
	ck_assert_ptr_nonnull(memory);
	bytes.memory = memory;
	for (int round = 0; round < 2; round++) {
		/* The third page was never touched; reading does not change that. */
		ck_assert_int_eq(bytes_read_file_memory(&bytes, to, 4 * page, 0),
				 2 * (int64_t)page);
		ck_assert(to[0] == 'a' && to[page - 1] == 'a' && to[page] == 'b' &&
			  to[2 * page - 1] == 'b');
		ck_assert_int_eq(bytes_read_file_memory(&bytes, to, 1, 2 * page), 0);
	}
	/* Across the border of pages, by the file's offset and not by addresses. */
	ck_assert_int_eq(bytes_read_file_memory(&bytes, to, 2, page - 1), 2);
	ck_assert(to[0] == 'a' && to[1] == 'b');
	ck_assert_int_eq(bytes_read_file_memory(&bytes, to, page, 3 * page), (int64_t)page);
	ck_assert(to[0] == 'd' && to[page - 1] == 'd');
	ck_assert_int_eq(bytes_read_file_memory(&bytes, to, 2 * page, 3 * page), (int64_t)page);
	ck_assert_int_eq(bytes_read_file_memory(&bytes, to, 8, 4 * page), 0);
	ck_assert_int_eq(bytes_read_file_memory(&bytes, to, 8, UINT64_MAX - 3), 0);
	file_memory_close(memory);
	free(to);
	mapped_free(&mapped);
}
END_TEST

START_TEST(memory_that_cannot_be_opened_is_none)
{
	int dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct segmap_vma vma = { .start = 0x1000, .end = 0x2000, .prot = PROT_READ };
	static const uint32_t first = 0;

	ck_assert_ptr_null(file_memory_open(dir, &vma, &first, 1, 4096));
	file_memory_close(NULL);
	close(dir);
}
END_TEST

/* A dump with the alphabet in it, of which a file has ranges. */
static struct file_memory *memory_of_alphabet(size_t most)
{
	int fd = memfd_create("segmap test", MFD_CLOEXEC);
	struct file_memory *memory;

	ck_assert(fd >= 0 && write(fd, "abcdefghijklmnopqrstuvwxyz", 26) == 26);
	memory = file_memory_new(shared_fd_new(fd), most, 4096);
	ck_assert_ptr_nonnull(memory);
	return memory;
}

START_TEST(of_ranges_that_overlap_the_first_has_the_bytes)
{
	static const struct {
		uint64_t off, size, addr, at;
	} ranges[] = {
		{ 8, 4, 0x1000, 20 },  /* 8 u, 9 v, 10 w, 11 x */
		{ 0, 3, 0x2000, 0 },   /* 0 a, 1 b, 2 c */
		{ 2, 4, 0x3000, 8 },   /* … 3 j, 4 k, 5 l */
		{ 2, 2, 0x4000, 16 },  /* nothing: the one before has it */
		{ 11, 2, 0x5000, 24 }, /* … 12 z */
		{ 8, 4, 0x6000, 0 },   /* nothing: another of the same offset is lower */
	};
	struct file_memory *memory = memory_of_alphabet(N_ROWS(ranges));
	struct bytes bytes = { .memory = memory };
	char to[32];

	for (int i = 0; i < N_ROWS(ranges); i++)
		file_memory_add(memory, ranges[i].off, ranges[i].size, ranges[i].addr,
				ranges[i].at);
	file_memory_sort(memory);
	ck_assert_uint_eq(memory->first_addr, 0x1000);
	ck_assert_int_eq(bytes_read_file_memory(&bytes, to, sizeof(to), 0), 6);
	ck_assert_mem_eq(to, "abcjkl", 6);
	ck_assert_int_eq(bytes_read_file_memory(&bytes, to, sizeof(to), 6), 0);
	ck_assert_int_eq(bytes_read_file_memory(&bytes, to, sizeof(to), 8), 5);
	ck_assert_mem_eq(to, "uvwxz", 5);
	file_memory_close(memory);
}
END_TEST

/* To look through a million ranges for each of so many pages would take minutes. */
START_TEST(file_that_is_mapped_very_often_is_read_as_fast)
{
	enum { TIMES = 1 << 20, SIZE = 1 << 22, PAGE_SIZE = 16 };
	struct file_memory *memory = memory_of_alphabet(TIMES + 1);
	struct bytes bytes = { .memory = memory };
	char *to = malloc(SIZE);

	ck_assert(to && ftruncate(memory->mem->fd, SIZE) == 0);
	memory->page_size = PAGE_SIZE;
	for (uint64_t i = 0; i < TIMES; i++)
		file_memory_add(memory, SIZE + i * PAGE_SIZE, PAGE_SIZE, i * PAGE_SIZE, 0);
	file_memory_add(memory, 0, SIZE, TIMES * PAGE_SIZE, 0);
	file_memory_sort(memory);
	ck_assert_int_eq(bytes_read_file_memory(&bytes, to, SIZE, 0), SIZE);
	ck_assert_mem_eq(to, "abcdefghijklmnopqrstuvwxyz", 26);
	free(to);
	file_memory_close(memory);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("read/bytes");
	TCase *tcase = unit_case(suite, "bytes");

	tcase_add_loop_test(tcase, buffer_is_read_up_to_its_end, 0, N_ROWS(reads));
	tcase_add_loop_test(tcase, file_is_read_up_to_its_end_and_wherever_it_stands, 0,
			    N_ROWS(reads));
	tcase_add_test(tcase, read_that_fails_is_a_negative_errno);
	tcase_add_test(tcase, of_a_process_only_pages_that_are_in_memory_are_read);
	tcase_add_test(tcase, memory_that_cannot_be_opened_is_none);
	tcase_add_test(tcase, of_ranges_that_overlap_the_first_has_the_bytes);
	tcase_add_test(tcase, file_that_is_mapped_very_often_is_read_as_fast);
	return unit_run(suite);
}
