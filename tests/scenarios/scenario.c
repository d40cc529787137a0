/*
 * scenario.c - builds one situation that is hard for a correlator, in its own process, and waits.
 *
 *     scenario NAME [ARG...]
 *
 * What the test must know comes first on standard output, a line "key=value" for each fact; then
 * a line "ready"; then the process waits to be killed. The facts come from the dynamic linker and
 * the kernel, never from /proc/PID/maps, so that a test can hold them against what segmap made of
 * it. Status 77 and one line on standard error: this machine lacks what the situation needs.
 *
 * Addresses are hexadecimal with 0x, ranges are half-open.
 */
#define _GNU_SOURCE 1
#define _FILE_OFFSET_BITS 64 /* in 32 bits too */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

#ifndef SYS_memfd_secret
#define SYS_memfd_secret -1
#endif

#define STATUS_LACKING 77 /* as meson and automake have it */

/* Some pages of text with a name of its own, for situations that need text nobody runs. */
__asm__(".pushsection .scenario_text,\"ax\",%progbits\n"
	".balign 4096\n"
	"scenario_text: .fill 6 * 4096, 1, 0xc3\n"
	".size scenario_text, 6 * 4096\n"
	".popsection\n");
extern char scenario_text[];

/* More than the last page of the file, so that it has a VMA of its own, with the heap behind it. */
static char scenario_bss[3 * 4096];

typedef ElfW(Ehdr) Ehdr;
typedef ElfW(Phdr) Phdr;

static uintptr_t page_size;

/* Talking to the test. */

static __attribute__((format(printf, 1, 2))) _Noreturn void fail(const char *what, ...)
{
	const char *why = strerror(errno);
	va_list args;

	fprintf(stderr, "scenario: ");
	va_start(args, what);
	vfprintf(stderr, what, args);
	va_end(args);
	fprintf(stderr, ": %s\n", why);
	exit(EXIT_FAILURE);
}

/* The dynamic linker has words of its own. */
static _Noreturn void fail_to_load(void)
{
	fprintf(stderr, "scenario: %s\n", dlerror());
	exit(EXIT_FAILURE);
}

/* The machine lacks something; errno says why. */
static _Noreturn void lack(const char *what)
{
	fprintf(stderr, "scenario: needs %s: %s\n", what, strerror(errno));
	exit(STATUS_LACKING);
}

static void say_address(const char *key, uintptr_t address)
{
	printf("%s=0x%" PRIxPTR "\n", key, address);
}

static void say_range(const char *key, uintptr_t start, uintptr_t end)
{
	printf("%s=0x%" PRIxPTR "-0x%" PRIxPTR "\n", key, start, end);
}

static void say_number(const char *key, long value)
{
	printf("%s=%ld\n", key, value);
}

static void say_ready(void)
{
	puts("ready");
	fflush(stdout);
}

static _Noreturn void wait_for_end(void)
{
	for (;;)
		pause();
}

static void sleep_ms(long ms)
{
	const struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

/* A test that dies leaves nothing behind. Not inherited by fork. */
static void die_with_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* Addresses and files. */

static uintptr_t page_down(uintptr_t address)
{
	return address & -page_size;
}

static uintptr_t page_up(uintptr_t address)
{
	return page_down(address + page_size - 1);
}

static void *map(uintptr_t address, size_t size, int prot, int flags, int fd, off_t off)
{
	void *got = mmap((void *)address, size, prot, flags, fd, off);

	if (got == MAP_FAILED)
		fail("mmap of 0x%zx bytes", size);
	return got;
}

static void protect(uintptr_t start, uintptr_t end, int prot)
{
	if (mprotect((void *)start, end - start, prot))
		fail("mprotect of 0x%" PRIxPTR, start);
}

static int open_file(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0755);

	if (fd < 0)
		fail("%s", path);
	return fd;
}

static off_t file_size(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		fail("fstat");
	return st.st_size;
}

/* The bytes of @path over those of @to; what @to had more is cut off. */
static void copy_into(int to, const char *path)
{
	int from = open_file(path, O_RDONLY);
	off_t left = file_size(from);

	if (ftruncate(to, left))
		fail("truncating for %s", path);
	while (left > 0) {
		ssize_t n = sendfile(to, from, NULL, left);

		if (n <= 0)
			fail("copying %s", path);
		left -= n;
	}
	close(from);
}

static void write_text(const char *path, const char *text)
{
	int fd = open_file(path, O_WRONLY);

	if (write(fd, text, strlen(text)) < 0)
		fail("writing %s", path);
	close(fd);
}

/* Loaded objects. */

struct object {
	uintptr_t bias;
	const Phdr *phdrs;
	size_t n_phdrs;
};

/* One load as the dynamic linker sees it: @bias in, the rest out. */
static int match_object(struct dl_phdr_info *info, size_t size, void *data)
{
	struct object *object = data;

	(void)size;
	if (info->dlpi_addr != object->bias)
		return 0;
	object->phdrs = info->dlpi_phdr;
	object->n_phdrs = info->dlpi_phnum;
	return 1;
}

/* The program comes first. */
static int match_first(struct dl_phdr_info *info, size_t size, void *data)
{
	struct object *object = data;

	(void)size;
	object->bias = info->dlpi_addr;
	object->phdrs = info->dlpi_phdr;
	object->n_phdrs = info->dlpi_phnum;
	return 1;
}

static struct object this_program(void)
{
	struct object object = { 0 };

	dl_iterate_phdr(match_first, &object);
	return object;
}

static uintptr_t bias_of(void *handle)
{
	struct link_map *link_map;

	if (dlinfo(handle, RTLD_DI_LINKMAP, &link_map))
		fail_to_load();
	return link_map->l_addr;
}

static struct object load_quietly(const char *path, void **handle)
{
	struct object object = { 0 };

	*handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!*handle)
		fail_to_load();
	object.bias = bias_of(*handle);
	dl_iterate_phdr(match_object, &object);
	return object;
}

/* Load @path and say its bias as @key. */
static struct object load(const char *path, const char *key)
{
	void *handle;
	struct object object = load_quietly(path, &handle);

	say_address(key, object.bias);
	return object;
}

/* The end of its last page. */
static uintptr_t end_of(const struct object *object)
{
	uintptr_t end = 0;

	for (size_t i = 0; i < object->n_phdrs; i++) {
		const Phdr *phdr = &object->phdrs[i];

		if (phdr->p_type == PT_LOAD && phdr->p_vaddr + phdr->p_memsz > end)
			end = phdr->p_vaddr + phdr->p_memsz;
	}
	return page_up(object->bias + end);
}

/* The first program header of @type that has all of @flags. */
static const Phdr *find_phdr(const struct object *object, uint32_t type, uint32_t flags)
{
	for (size_t i = 0; i < object->n_phdrs; i++) {
		const Phdr *phdr = &object->phdrs[i];

		if (phdr->p_type == type && (phdr->p_flags & flags) == flags)
			return phdr;
	}
	errno = ENOENT;
	fail("program header of type %" PRIu32 " with flags %" PRIu32, type, flags);
}

/* Where in the program's file an address of its text comes from. */
static off_t offset_of(uintptr_t address)
{
	struct object self = this_program();
	const Phdr *text = find_phdr(&self, PT_LOAD, PF_X);

	return address - self.bias - text->p_vaddr + text->p_offset;
}

/* Pages [*start, *end) from the middle of its text: some are left on both sides. */
static void middle_of_text(const struct object *object, uintptr_t *start, uintptr_t *end)
{
	const Phdr *text = find_phdr(object, PT_LOAD, PF_X);

	*start = page_down(object->bias + text->p_vaddr) + 2 * page_size;
	*end = *start + 2 * page_size;
	if (*end > object->bias + text->p_vaddr + text->p_filesz - page_size) {
		errno = ERANGE;
		fail("text of the library");
	}
}

/* Situations without anything special: what stands in the way is outside of the process. */

static void plain(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		char key[64] = "bias";

		if (i)
			snprintf(key, sizeof(key), "bias_%d", i);
		load(argv[i], key);
	}
}

static void ignore_arguments(int argc, char **argv)
{
	(void)argc;
	(void)argv;
}

static void hostile_comm(int argc, char **argv)
{
	(void)argc;
	if (prctl(PR_SET_NAME, argv[0]))
		fail("PR_SET_NAME");
}

static void not_dumpable(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (prctl(PR_SET_DUMPABLE, 0))
		fail("PR_SET_DUMPABLE");
}

/* Start again without address randomization, with the rest of the arguments. */
static void no_randomization(int argc, char **argv)
{
	(void)argc;
	if (personality(ADDR_NO_RANDOMIZE) < 0)
		fail("personality");
	execv("/proc/self/exe", argv - 1);
	fail("execv");
}

/* The heap, which without randomization starts right behind .bss. */
static void heap(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (sbrk(4 * page_size) == (void *)-1)
		fail("sbrk");
	say_address("heap", (uintptr_t)sbrk(0) - page_size);
	say_range("bss", (uintptr_t)scenario_bss, (uintptr_t)scenario_bss + sizeof(scenario_bss));
}

/* What happens to a file after it was mapped. */

static void deleted_program(int argc, char **argv)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	(void)argc;
	(void)argv;
	if (n < 0)
		fail("/proc/self/exe");
	path[n] = '\0';
	if (unlink(path))
		fail("unlinking %s", path);
}

static void deleted_library(int argc, char **argv)
{
	(void)argc;
	load(argv[0], "bias");
	if (unlink(argv[0]))
		fail("unlinking %s", argv[0]);
}

/* Unlinked, but a descriptor of it is still open. */
static void deleted_library_held_open(int argc, char **argv)
{
	open_file(argv[0], O_RDONLY);
	deleted_library(argc, argv);
}

static void replaced_library(int argc, char **argv)
{
	(void)argc;
	load(argv[0], "bias");
	if (rename(argv[1], argv[0]))
		fail("renaming %s to %s", argv[1], argv[0]);
}

static void replaced_by_fifo(int argc, char **argv)
{
	deleted_library(argc, argv);
	if (mkfifo(argv[0], 0666))
		fail("mkfifo %s", argv[0]);
}

/*
 * The kernel tells a process's start in clock ticks since boot, and the time of boot in seconds:
 * only what happens some seconds later is certain to be later.
 */
static void wait_until_later(void)
{
	sleep_ms(2100);
}

static void rewritten_library(int argc, char **argv)
{
	int fd;

	(void)argc;
	load(argv[0], "bias");
	wait_until_later();
	fd = open_file(argv[0], O_WRONLY);
	copy_into(fd, argv[1]);
	close(fd);
}

static void truncated_library(int argc, char **argv)
{
	(void)argc;
	load(argv[0], "bias");
	wait_until_later();
	if (truncate(argv[0], atol(argv[1])))
		fail("truncating %s", argv[0]);
}

/* Other views of the file system. */

/* In a user namespace of its own an ordinary user may do the rest, too. */
static void enter_namespaces(int flags)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map_line[64];

	if (uid)
		flags |= CLONE_NEWUSER;
	if (unshare(flags))
		lack("namespaces");
	if (uid) {
		write_text("/proc/self/setgroups", "deny");
		snprintf(map_line, sizeof(map_line), "0 %u 1", uid);
		write_text("/proc/self/uid_map", map_line);
		snprintf(map_line, sizeof(map_line), "0 %u 1", gid);
		write_text("/proc/self/gid_map", map_line);
	}
	if (flags & CLONE_NEWNS && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		fail("making mounts private");
}

static void bind_mount(const char *from, const char *to)
{
	if (mount(from, to, NULL, MS_BIND, NULL))
		fail("bind mount of %s on %s", from, to);
}

static void bind_mounted_over(int argc, char **argv)
{
	(void)argc;
	load(argv[0], "bias");
	enter_namespaces(CLONE_NEWNS);
	bind_mount(argv[1], argv[0]);
}

static void other_mount_namespace(int argc, char **argv)
{
	(void)argc;
	enter_namespaces(CLONE_NEWNS);
	bind_mount(argv[0], argv[1]);
	load(argv[2], "bias");
}

static void in_chroot(int argc, char **argv)
{
	(void)argc;
	if (geteuid())
		enter_namespaces(CLONE_NEWNS);
	if (chroot(argv[0]) || chdir("/"))
		fail("chroot to %s", argv[0]);
	load(argv[1], "bias");
}

static void on_overlay(int argc, char **argv)
{
	char options[8192];

	(void)argc;
	enter_namespaces(CLONE_NEWNS);
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s", argv[0], argv[1],
		 argv[2]);
	if (mount("overlay", argv[3], "overlay", 0, options))
		lack("overlayfs");
	load(argv[4], "bias");
}

/* The child is in the new namespace, the parent is its keeper: "pid" is the child's, out here. */
static void pid_namespace(int argc, char **argv)
{
	pid_t child;
	int pipe_fds[2];
	char byte;

	(void)argc;
	enter_namespaces(CLONE_NEWPID);
	if (pipe(pipe_fds))
		fail("pipe");
	child = fork();
	if (child < 0)
		fail("fork");
	if (!child) {
		die_with_parent();
		load(argv[0], "bias");
		say_number("inner_pid", getpid());
		fflush(stdout);
		if (write(pipe_fds[1], "", 1) != 1)
			fail("pipe");
		wait_for_end();
	}
	close(pipe_fds[1]);
	if (read(pipe_fds[0], &byte, 1) != 1)
		fail("the process in the namespace");
	say_number("pid", child);
}

/* Files without a path. */

static int copy_to_memfd(const char *path, unsigned int flags)
{
	int fd = memfd_create("in memory", flags);

	if (fd < 0)
		lack("memfd_create");
	copy_into(fd, path);
	return fd;
}

static void memfd_library(int argc, char **argv)
{
	char path[64];
	int fd = copy_to_memfd(argv[0], MFD_CLOEXEC);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	load(path, "bias");
	if (argc > 1)
		close(fd);
}

/* The program itself once more, from a file in memory, with the rest of the arguments. */
static void memfd_program(int argc, char **argv)
{
	int fd = copy_to_memfd("/proc/self/exe", MFD_CLOEXEC);

	(void)argc;
	fexecve(fd, argv - 1, environ);
	fail("fexecve");
}

/* A file that is mapped more than once, or not as an image. */

static void loaded_twice(int argc, char **argv)
{
	(void)argc;
	load(argv[0], "bias");
#ifdef LM_ID_NEWLM
	void *handle = dlmopen(LM_ID_NEWLM, argv[0], RTLD_NOW | RTLD_LOCAL);

	if (!handle)
		fail_to_load();
	say_address("another_bias", bias_of(handle));
#else
	errno = ENOSYS;
	lack("dlmopen");
#endif
}

/* Whole and read-only, as package scanners and debuggers do; as a third argument also loaded. */
static void mapped_as_data(int argc, char **argv)
{
	int fd = open_file(argv[0], O_RDONLY);
	off_t size = file_size(fd);
	uintptr_t private, shared;

	if (argc > 1)
		load(argv[0], "bias");
	private = (uintptr_t)map(0, size, PROT_READ, MAP_PRIVATE, fd, 0);
	shared = (uintptr_t)map(0, size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	say_range("private", private, page_up(private + size));
	say_range("shared", shared, page_up(shared + size));
}

/* As V8 does with its embedded builtins: a part of the program's text somewhere else once more. */
static void text_alias(int argc, char **argv)
{
	uintptr_t of = (uintptr_t)scenario_text + page_size;
	uintptr_t start, size = 4 * page_size;
	int fd = open_file("/proc/self/exe", O_RDONLY);

	(void)argc;
	(void)argv;
	start = (uintptr_t)map(0, size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, offset_of(of));
	close(fd);
	say_range("alias", start, start + size);
	say_address("of", of);
}

/* As tools for huge pages do: text copied away, anonymous pages put in its place, copied back. */
static void remapped_text(int argc, char **argv)
{
	struct object object = load(argv[0], "bias");
	uintptr_t start, end;
	void *copy;

	(void)argc;
	middle_of_text(&object, &start, &end);
	copy = malloc(end - start);
	if (!copy)
		fail("malloc");
	memcpy(copy, (void *)start, end - start);
	map(start, end - start, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
	    0);
	memcpy((void *)start, copy, end - start);
	protect(start, end, PROT_READ | PROT_EXEC);
	free(copy);
	say_range("remapped", start, end);
}

/*
 * A page of LIB, at VADDR, is another's: of "anonymous" or "shared" memory, or of the file FROM at
 * OFFSET. PERMS is r-- or r-x; its bytes are not in memory.
 */
static void mapped_over(int argc, char **argv)
{
	struct object object = load(argv[0], "bias");
	uintptr_t start = object.bias + strtoul(argv[1], NULL, 16);
	bool is_shared = strcmp(argv[3], "shared") == 0;
	bool is_file = !is_shared && strcmp(argv[3], "anonymous") != 0;
	int fd = is_file ? open_file(argv[3], O_RDONLY) : -1;

	(void)argc;
	map(start, page_size, argv[2][2] == 'x' ? PROT_READ | PROT_EXEC : PROT_READ,
	    (is_shared ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED | (is_file ? 0 : MAP_ANONYMOUS), fd,
	    (off_t)strtoul(argv[4], NULL, 16));
	if (fd >= 0)
		close(fd);
	say_range("displaced", start, start + page_size);
}

static void hole_in_text(int argc, char **argv)
{
	struct object object = load(argv[0], "bias");
	uintptr_t start, end;

	(void)argc;
	middle_of_text(&object, &start, &end);
	if (munmap((void *)start, end - start))
		fail("munmap");
	say_range("hole", start, end);
}

/* Protection that nobody's program header asked for. */

static void text_writable(int argc, char **argv)
{
	struct object object = load(argv[0], "bias");
	uintptr_t start, end;

	(void)argc;
	middle_of_text(&object, &start, &end);
	protect(start, end, PROT_READ | PROT_WRITE | PROT_EXEC);
	say_range("changed", start, end);
}

/* A page in the middle of LIB's data gets the permissions @prot. */
static void change_data(const char *path, int prot)
{
	struct object object = load(path, "bias");
	const Phdr *data = NULL;
	uintptr_t start;

	/* The last writable one: lld and mold have one for RELRO before it. */
	for (size_t i = 0; i < object.n_phdrs; i++)
		if (object.phdrs[i].p_type == PT_LOAD && object.phdrs[i].p_flags & PF_W)
			data = &object.phdrs[i];
	if (!data)
		fail("data segment");
	start = page_down(object.bias + data->p_vaddr + data->p_filesz) - 3 * page_size;
	protect(start, start + page_size, prot);
	say_range("changed", start, start + page_size);
}

static void data_read_only(int argc, char **argv)
{
	(void)argc;
	change_data(argv[0], PROT_READ);
}

static void data_executable(int argc, char **argv)
{
	(void)argc;
	change_data(argv[0], PROT_READ | PROT_WRITE | PROT_EXEC);
}

static void relro_writable(int argc, char **argv)
{
	struct object object = load(argv[0], "bias");
	const Phdr *relro = find_phdr(&object, PT_GNU_RELRO, 0);
	uintptr_t start = page_down(object.bias + relro->p_vaddr);
	uintptr_t end = page_down(object.bias + relro->p_vaddr + relro->p_memsz);

	(void)argc;
	protect(start, end, PROT_READ | PROT_WRITE);
	say_range("changed", start, end);
}

/* Code where LIB's file has nothing: between its first two segments. PERMS as below. */
static void gap_executable(int argc, char **argv)
{
	struct object object = load(argv[0], "bias");
	const Phdr *first = find_phdr(&object, PT_LOAD, 0);
	uintptr_t start = page_up(object.bias + first->p_vaddr + first->p_filesz);
	bool writes = argc > 1 && strcmp(argv[1], "rwx") == 0;

	protect(start, start + page_size, PROT_READ | PROT_WRITE);
	*(unsigned char *)start = 0xc3;
	protect(start, start + page_size, PROT_READ | PROT_EXEC | (writes ? PROT_WRITE : 0));
	say_range("changed", start, start + page_size);
}

/* Executable memory that no file has: PERMS is rwx or r-x. */
static void anon_executable(int argc, char **argv)
{
	bool writes = argc > 0 && strcmp(argv[0], "rwx") == 0;
	void *page = map(0, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*(unsigned char *)page = 0xc3;
	protect((uintptr_t)page, (uintptr_t)page + page_size,
		PROT_READ | PROT_EXEC | (writes ? PROT_WRITE : 0));
	say_range("generated", (uintptr_t)page, (uintptr_t)page + page_size);
}

/* The entry that the dynamic linker's list has for LIB, which is loaded first. */
static struct link_map *list_entry(const char *path)
{
	struct link_map *map;
	void *handle;
	struct object object = load_quietly(path, &handle);

	if (dlinfo(handle, RTLD_DI_LINKMAP, &map))
		fail("dlinfo");
	say_address("bias", object.bias);
	return map;
}

/* As a rootkit in user space does: the list is made to forget LIB. */
static void unlisted_library(int argc, char **argv)
{
	struct link_map *map = list_entry(argv[0]);

	(void)argc;
	map->l_prev->l_next = map->l_next;
	if (map->l_next)
		map->l_next->l_prev = map->l_prev;
}

/* The other way round: the list has an entry for what is not there. */
static void listed_not_mapped(int argc, char **argv)
{
	static char name[] = "/nowhere/libgone.so";
	static struct link_map entry = { .l_name = name };
	struct link_map *map = list_entry(argv[0]);

	(void)argc;
	entry.l_addr = page_size;
	entry.l_ld = (void *)(2 * page_size);
	entry.l_next = map->l_next;
	entry.l_prev = map;
	map->l_next = &entry;
}

/* A list that comes back to where it was. */
static void endless_list(int argc, char **argv)
{
	struct link_map *map = list_entry(argv[0]);

	(void)argc;
	map->l_next = map;
}

/* A byte of text written as a debugger does: the page becomes private, its bytes stay the same. */
static void poked_text(int argc, char **argv)
{
	int fd = open_file("/proc/self/mem", O_RDWR);

	(void)argc;
	(void)argv;
	if (pwrite(fd, scenario_text + page_size, 1, (uintptr_t)scenario_text + page_size) != 1)
		lack("writing text through /proc/self/mem");
	close(fd);
	say_address("poked", (uintptr_t)scenario_text + page_size);
}

/* In .bss: 16 pages that are only read, 8 that are written to, 8 that are written to and given to
 * swap, where there is any; 32 that nobody touches. */
enum { READ_PAGES = 16, WRITTEN_PAGES = 8, SWAPPED_PAGES = 8, ALL_PAGES = 64 };

static char touched[ALL_PAGES * 4096] __attribute__((aligned(4096)));

static void touched_bss(int argc, char **argv)
{
	char *written = touched + READ_PAGES * 4096, *swapped = written + WRITTEN_PAGES * 4096;

	(void)argc;
	(void)argv;
	for (size_t i = 0; i < READ_PAGES; i++)
		(void)*(volatile char *)&touched[i * 4096];
	memset(written, 1, (WRITTEN_PAGES + SWAPPED_PAGES) * 4096);
	/* What is in memory then is for the test to find out. */
	(void)!madvise(swapped, SWAPPED_PAGES * 4096, MADV_PAGEOUT);
	say_range("touched", (uintptr_t)touched, (uintptr_t)touched + sizeof(touched));
}

/* Address space without memory behind it, but for the first pages. */
static void reserved(int argc, char **argv)
{
	size_t size = (size_t)strtoull(argv[0], NULL, 10) << 30;
	size_t touched_size = (size_t)strtoull(argv[1], NULL, 10) << 20;
	char *start = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	(void)argc;
	if (start == MAP_FAILED)
		lack("that much address space");
	memset(start, 1, touched_size);
	say_range("reserved", (uintptr_t)start, (uintptr_t)start + size);
}

/*
 * Anonymous memory right behind a library's .bss: the kernel makes one VMA of the two. Mappings are
 * placed downwards into the highest hole that is large enough, so room is occupied in that hole
 * until the library lies below it. A hole too small for both is full then, and the next try has
 * another.
 */
static void bss_merged(int argc, char **argv)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	void *handle;
	struct object object = load_quietly(argv[0], &handle);
	size_t size = end_of(&object) - object.bias;
	uintptr_t room, end;

	(void)argc;
	do {
		dlclose(handle);
		room = (uintptr_t)map(0, size, PROT_NONE, flags, -1, 0);
		object = load_quietly(argv[0], &handle);
		end = end_of(&object);
	} while (end != room);
	if (munmap((void *)room, size))
		fail("munmap");
	map(end, 2 * page_size, PROT_READ | PROT_WRITE, flags | MAP_FIXED_NOREPLACE, -1, 0);
	say_address("bias", object.bias);
	say_range("anonymous", end, end + 2 * page_size);
}

/* A dynamic linker of our own, as Android's, which loads from the middle of an archive. */

static bool read_elf(int fd, off_t at, Ehdr *ehdr, Phdr *phdrs, size_t max)
{
	size_t size;

	if (pread(fd, ehdr, sizeof(*ehdr), at) != sizeof(*ehdr) ||
	    memcmp(ehdr->e_ident, ELFMAG, SELFMAG) || ehdr->e_phnum > max)
		return false;
	size = ehdr->e_phnum * sizeof(*phdrs);
	return pread(fd, phdrs, size, at + ehdr->e_phoff) == (ssize_t)size;
}

/* Without @touch no byte of it is read or written, so that no page of it is in memory. */
static uintptr_t load_by_hand(int fd, off_t at, bool touch)
{
	Phdr phdrs[64];
	Ehdr ehdr;
	uintptr_t low = UINTPTR_MAX, high = 0, bias;

	if (!read_elf(fd, at, &ehdr, phdrs, 64))
		fail("ELF file at offset %jd", (intmax_t)at);
	for (size_t i = 0; i < ehdr.e_phnum; i++) {
		if (phdrs[i].p_type != PT_LOAD)
			continue;
		if (page_down(phdrs[i].p_vaddr) < low)
			low = page_down(phdrs[i].p_vaddr);
		if (page_up(phdrs[i].p_vaddr + phdrs[i].p_memsz) > high)
			high = page_up(phdrs[i].p_vaddr + phdrs[i].p_memsz);
	}
	/* A page more, so that its .bss and other memory do not become one VMA. */
	bias = (uintptr_t)map(0, high - low + (touch ? 0 : page_size), PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) -
	       low;
	for (size_t i = 0; i < ehdr.e_phnum; i++) {
		const Phdr *phdr = &phdrs[i];
		uintptr_t start = page_down(bias + phdr->p_vaddr);
		uintptr_t file_end = bias + phdr->p_vaddr + phdr->p_filesz;
		uintptr_t end = page_up(bias + phdr->p_vaddr + phdr->p_memsz);
		int prot = (phdr->p_flags & PF_R ? PROT_READ : 0) |
			   (phdr->p_flags & PF_W ? PROT_WRITE : 0) |
			   (phdr->p_flags & PF_X ? PROT_EXEC : 0);

		if (phdr->p_type != PT_LOAD)
			continue;
		map(start, page_up(file_end) - start, prot, MAP_PRIVATE | MAP_FIXED, fd,
		    at + page_down(phdr->p_offset));
		if (touch && phdr->p_memsz > phdr->p_filesz && prot & PROT_WRITE)
			memset((void *)file_end, 0, page_up(file_end) - file_end);
		if (end > page_up(file_end))
			map(page_up(file_end), end - page_up(file_end), prot,
			    MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
	}
	for (size_t i = 0; i < ehdr.e_phnum; i++)
		if (phdrs[i].p_type == PT_GNU_RELRO)
			protect(page_down(bias + phdrs[i].p_vaddr),
				page_down(bias + phdrs[i].p_vaddr + phdrs[i].p_memsz), PROT_READ);
	return bias;
}

static void by_hand(int argc, char **argv)
{
	int fd = open_file(argv[0], O_RDONLY);

	for (int i = 1; i < argc; i++) {
		char key[64];

		snprintf(key, sizeof(key), "bias_%d", i - 1);
		say_address(key, load_by_hand(fd, atol(argv[i]), true));
	}
	close(fd);
}

static void by_hand_untouched(int argc, char **argv)
{
	int fd = open_file(argv[0], O_RDONLY);

	(void)argc;
	say_address("bias", load_by_hand(fd, 0, false));
	close(fd);
}

/* Threads. */

static void *wait_in_thread(void *data)
{
	int *tid_pipe = data;
	uintptr_t facts[2] = { (uintptr_t)gettid(), (uintptr_t)__builtin_frame_address(0) };

	if (write(tid_pipe[1], facts, sizeof(facts)) != sizeof(facts))
		fail("pipe");
	wait_for_end();
}

static void threads(int argc, char **argv)
{
	int tid_pipe[2];

	(void)argc;
	if (pipe(tid_pipe))
		fail("pipe");
	for (int i = 0; i < atoi(argv[0]); i++) {
		uintptr_t facts[2];
		pthread_t thread;
		char key[64];

		if (pthread_create(&thread, NULL, wait_in_thread, tid_pipe) ||
		    read(tid_pipe[0], facts, sizeof(facts)) != sizeof(facts))
			fail("thread");
		snprintf(key, sizeof(key), "stack_of_%" PRIuPTR, facts[0]);
		say_address(key, facts[1]);
	}
}

/* In a thread: say "ready" when the main thread is a zombie, not before. */
static void *outlive_main(void *data)
{
	char path[64], line[512];

	(void)data;
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", getpid());
	for (;;) {
		FILE *file = fopen(path, "re");
		const char *end = NULL;

		if (file && fgets(line, sizeof(line), file))
			end = strrchr(line, ')');
		if (file)
			fclose(file);
		if (end && end[2] == 'Z')
			break;
		sleep_ms(1);
	}
	say_number("living", gettid());
	say_ready();
	wait_for_end();
}

static void main_thread_gone(int argc, char **argv)
{
	pthread_t thread;

	(void)argc;
	load(argv[0], "bias");
	if (pthread_create(&thread, NULL, outlive_main, NULL))
		fail("thread");
	pthread_exit(NULL);
}

/* Kinds of memory. Each is said under its name if the kernel gives it; nothing is said if not. */

static void say_kind(const char *key, void *address)
{
	if (address != MAP_FAILED)
		say_address(key, (uintptr_t)address);
}

static void map_kind(const char *key, int fd, int prot, int flags, off_t off)
{
	if (fd >= 0)
		say_kind(key, mmap(NULL, page_size, prot, flags, fd, off));
}

/* The first block device that is there: mapped and never touched. */
static int open_block_device(void)
{
	static const char *const paths[] = { "/dev/loop0", "/dev/ram0", "/dev/vda", "/dev/sda",
					     "/dev/nvme0n1" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		int fd = open(paths[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);

		if (fd >= 0)
			return fd;
	}
	return -1;
}

static int open_shm(void)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/segmap-scenario-%d", getpid());
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd >= 0) {
		shm_unlink(name);
		if (ftruncate(fd, page_size))
			fail("shm_open");
	}
	return fd;
}

static void memory_kinds(int argc, char **argv)
{
	struct perf_event_attr perf = { .type = PERF_TYPE_SOFTWARE,
					.size = sizeof(perf),
					.config = PERF_COUNT_SW_DUMMY,
					.exclude_kernel = 1 };
	union bpf_attr bpf = { .map_type = BPF_MAP_TYPE_ARRAY,
			       .key_size = 4,
			       .value_size = 4096,
			       .max_entries = 1,
			       .map_flags = BPF_F_MMAPABLE };
	const int read_write = PROT_READ | PROT_WRITE;
	struct io_uring_params ring;
	int memory = memfd_create("no ELF file", MFD_CLOEXEC);
	int secret = syscall(SYS_memfd_secret, 0);
	int zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
	int id = shmget(IPC_PRIVATE, page_size, IPC_CREAT | 0600);
	char *named;

	(void)argc;
	(void)argv;
	memset(&ring, 0, sizeof(ring));
	if (id >= 0) {
		say_kind("sysv", shmat(id, NULL, 0));
		shmctl(id, IPC_RMID, NULL);
	}
	map_kind("zero_shared", zero, read_write, MAP_SHARED, 0);
	map_kind("zero_private", zero, read_write, MAP_PRIVATE, 0);
	if (memory >= 0 && ftruncate(memory, page_size))
		fail("memfd");
	map_kind("memfd", memory, read_write, MAP_SHARED, 0);
	if (secret >= 0 && ftruncate(secret, page_size))
		fail("memfd_secret");
	map_kind("secret", secret, read_write, MAP_SHARED, 0);
	map_kind("posix_shm", open_shm(), read_write, MAP_SHARED, 0);
	map_kind("perf", syscall(SYS_perf_event_open, &perf, 0, -1, -1, PERF_FLAG_FD_CLOEXEC),
		 PROT_READ, MAP_SHARED, 0);
	map_kind("io_uring", syscall(SYS_io_uring_setup, 4, &ring), read_write, MAP_SHARED,
		 IORING_OFF_SQ_RING);
	map_kind("bpf", syscall(SYS_bpf, BPF_MAP_CREATE, &bpf, sizeof(bpf)), read_write, MAP_SHARED,
		 0);
	map_kind("block_device", open_block_device(), PROT_READ, MAP_SHARED, 0);
	say_kind("anonymous_shared",
		 mmap(NULL, page_size, read_write, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	/* Not reserved, so that it exists where there is no huge page at all. */
	say_kind("huge", mmap(NULL, 2 << 20, read_write,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1, 0));
	named = map(0, page_size, read_write, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, named, page_size, "a name"))
		say_kind("named", named);
}

/* A breakpoint by the kernel: its page for stepping over the instruction is the VMA [uprobes]. */

static __attribute__((noinline)) int probed(int x)
{
	__asm__ volatile("" : "+r"(x));
	return x + 1;
}

static void uprobe(int argc, char **argv)
{
	FILE *file = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	struct perf_event_attr perf = { .size = sizeof(perf) };
	uint32_t type;

	(void)argc;
	(void)argv;
	if (!file || fscanf(file, "%" SCNu32, &type) != 1)
		lack("uprobes");
	fclose(file);
	perf.type = type;
	perf.uprobe_path = (uintptr_t) "/proc/self/exe";
	perf.probe_offset = offset_of((uintptr_t)probed);
	if (syscall(SYS_perf_event_open, &perf, 0, -1, -1, PERF_FLAG_FD_CLOEXEC) < 0)
		lack("uprobes");
	say_number("answer", probed(41));
	say_address("probed", (uintptr_t)probed);
}

/* So many VMAs that anything quadratic shows. */
static void many_vmas(int argc, char **argv)
{
	size_t count = strtoul(argv[0], NULL, 10);
	uintptr_t start = (uintptr_t)map(0, count * page_size, PROT_NONE,
					 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	(void)argc;
	for (size_t i = 0; i < count; i += 2)
		protect(start + i * page_size, start + (i + 1) * page_size, PROT_READ);
	say_range("many", start, start + count * page_size);
}

/* Processes that do not wait: "ready", then the same again and again until they are killed. */

static void map_loop(int argc, char **argv)
{
	int fd = open_file(argv[0], O_RDONLY);

	(void)argc;
	say_ready();
	for (;;) {
		void *handle = dlopen(argv[0], RTLD_NOW | RTLD_LOCAL);
		void *data = map(0, 3 * page_size, PROT_READ, MAP_PRIVATE, fd, 0);

		if (!handle)
			fail_to_load();
		protect((uintptr_t)data + page_size, (uintptr_t)data + 2 * page_size, PROT_NONE);
		munmap(data, 3 * page_size);
		dlclose(handle);
	}
}

/*
 * exec-loop SELF LIB OTHER OTHER_LIB: SELF, with LIB loaded, executes OTHER, which loads OTHER_LIB
 * and executes SELF, and so on. An answer that has both programs, or both libraries, mixes two
 * moments.
 */
static void exec_loop(int argc, char **argv)
{
	/* argv[-1] is this situation's name; the last is any: there has been a round before. */
	char *next[] = { argv[2], argv[-1], argv[2], argv[3], argv[0], argv[1], argv[0], NULL };

	/* What later rounds say, nobody reads. */
	if (argc < 5) {
		say_ready();
		if (!freopen("/dev/null", "w", stdout))
			fail("/dev/null");
	}
	if (!dlopen(argv[1], RTLD_NOW | RTLD_LOCAL))
		fail_to_load();
	/* Just long enough to be seen: the more often it execs, the more readers meet one. */
	usleep(200);
	execv(argv[2], next);
	fail("%s", argv[2]);
}

/* Ends by itself, some microseconds after it has loaded a library. */
static void short_lived(int argc, char **argv)
{
	(void)argc;
	load(argv[0], "bias");
	usleep(atoi(argv[1]));
	exit(EXIT_SUCCESS);
}

/* [ARG] can be left out, ARG... is any number. */
static const struct situation {
	const char *name, *args, *help;
	void (*build)(int argc, char **argv); /* gets ARGs only */
} situations[] = {
	{ "plain", "[LIB]...", "these libraries are loaded; \"bias\", \"bias_1\"...", plain },
	{ "arguments", "[ARG]...", "a command line with these arguments", ignore_arguments },
	{ "hostile-comm", "NAME", "comm is NAME", hostile_comm },
	{ "not-dumpable", "", "belongs to root in /proc", not_dumpable },
	{ "no-randomization", "NAME [ARG]...", "situation NAME without address randomization",
	  no_randomization },
	{ "heap", "", "has a heap", heap },

	{ "deleted-program", "", "its own file is unlinked", deleted_program },
	{ "deleted-library", "LIB", "LIB is loaded, then unlinked", deleted_library },
	{ "deleted-library-held-open", "LIB", "the same, with a descriptor left open",
	  deleted_library_held_open },
	{ "replaced-library", "LIB NEW", "LIB is loaded, then NEW is renamed to its path",
	  replaced_library },
	{ "replaced-by-fifo", "LIB", "LIB is loaded, then its path is a FIFO", replaced_by_fifo },
	{ "rewritten-library", "LIB NEW", "LIB is loaded, then has NEW's bytes, in place",
	  rewritten_library },
	{ "truncated-library", "LIB SIZE", "LIB is loaded, then cut to SIZE bytes",
	  truncated_library },

	{ "bind-mounted-over", "LIB OTHER", "LIB is loaded, then OTHER is mounted over it",
	  bind_mounted_over },
	{ "mount-namespace", "DIR ON LIB", "LIB is loaded where DIR is mounted on ON",
	  other_mount_namespace },
	{ "chroot", "DIR LIB", "LIB is loaded with DIR as root", in_chroot },
	{ "overlay", "LOWER UPPER WORK ON LIB", "LIB is loaded from an overlay on ON", on_overlay },
	{ "pid-namespace", "LIB", "a process in another pid namespace; \"pid\" is its pid here",
	  pid_namespace },
	{ "memfd-library", "LIB [closed]", "a copy of LIB in memory is loaded", memfd_library },
	{ "memfd-program", "NAME [ARG]...", "situation NAME, of a program in memory",
	  memfd_program },

	{ "loaded-twice", "LIB", "LIB is loaded twice, in two namespaces of ld.so", loaded_twice },
	{ "mapped-as-data", "FILE [loaded]", "FILE is mapped whole, read-only", mapped_as_data },
	{ "text-alias", "", "part of its text is mapped a second time", text_alias },
	{ "remapped-text", "LIB", "text of LIB lies on anonymous pages", remapped_text },
	{ "mapped-over", "LIB VADDR PERMS FROM OFFSET", "a page of LIB is one of FROM's", mapped_over },
	{ "hole-in-text", "LIB", "text of LIB is unmapped in the middle", hole_in_text },
	{ "text-writable", "LIB", "text of LIB is writable in the middle", text_writable },
	{ "data-read-only", "LIB", "data of LIB is read-only in the middle", data_read_only },
	{ "data-executable", "LIB", "data of LIB is executable in the middle", data_executable },
	{ "relro-writable", "LIB", "RELRO of LIB is writable again", relro_writable },
	{ "gap-executable", "LIB PERMS", "memory between segments of LIB is executable", gap_executable },
	{ "anon-executable", "PERMS", "anonymous memory is executable", anon_executable },
	{ "unlisted-library", "LIB", "LIB is not in the dynamic linker's list", unlisted_library },
	{ "listed-not-mapped", "LIB", "that list has an entry for nothing", listed_not_mapped },
	{ "endless-list", "LIB", "that list does not end", endless_list },
	{ "poked-text", "", "a page of its text is private, as with a breakpoint", poked_text },
	{ "touched-bss", "", "pages of its .bss were read, written to, given to swap", touched_bss },
	{ "reserved", "GIB MIB", "GIB of address space, MIB of it in memory", reserved },
	{ "bss-merged", "LIB", "LIB's .bss and other memory are one VMA", bss_merged },
	{ "by-hand-untouched", "FILE",
	  "as by-hand, at offset 0; no page of it is in memory; \"bias\"", by_hand_untouched },
	{ "by-hand", "FILE [OFFSET]...",
	  "ELF files in FILE are loaded without ld.so; \"bias_0\", \"bias_1\"...", by_hand },

	{ "threads", "COUNT", "has COUNT threads more", threads },
	{ "main-thread-gone", "LIB", "only a thread other than the main one lives",
	  main_thread_gone },
	{ "memory-kinds", "", "every kind of memory that the kernel gives", memory_kinds },
	{ "uprobe", "", "a uprobe was hit", uprobe },
	{ "many-vmas", "COUNT", "has COUNT VMAs more", many_vmas },

	{ "map-loop", "LIB", "maps and unmaps all the time", map_loop },
	{ "exec-loop", "SELF LIB OTHER OTHER_LIB [again]", "execs all the time", exec_loop },
	{ "short-lived", "LIB USEC", "exits after USEC microseconds", short_lived },
};

/* How many ARGs a situation cannot do without. */
static int least_arguments(const char *args)
{
	int count = 0;

	while (*args && *args != '[') {
		count++;
		args += strcspn(args, " ");
		args += strspn(args, " ");
	}
	return count;
}

static void usage(FILE *to)
{
	fprintf(to, "Usage: scenario NAME [ARG...]\n\n");
	for (size_t i = 0; i < sizeof(situations) / sizeof(*situations); i++)
		fprintf(to, "  %s %s\n      %s\n", situations[i].name, situations[i].args,
			situations[i].help);
}

int main(int argc, char **argv)
{
	page_size = sysconf(_SC_PAGESIZE);
	die_with_parent();
	/* A line at a time: what is said is out before a fork or an exec. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 2 && !strcmp(argv[1], "--help")) {
		usage(stdout);
		return EXIT_SUCCESS;
	}
	for (size_t i = 0; argc > 1 && i < sizeof(situations) / sizeof(*situations); i++) {
		const struct situation *situation = &situations[i];

		if (strcmp(situation->name, argv[1]) || argc - 2 < least_arguments(situation->args))
			continue;
		say_address("program_bias", this_program().bias);
		situation->build(argc - 2, argv + 2);
		say_ready();
		wait_for_end();
	}
	usage(stderr);
	return 2;
}
