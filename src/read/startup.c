/* src/read/startup.c - how a program that has just been executed starts up. */
#include "read/startup.h"
#include "base/range.h"
#include "base/scope.h"
#include "read/auxv.h"
#include "read/bytes.h"
#include "read/elf.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/syscall.h>

/* The kernel does not load a program with more (fs/binfmt_elf.c:load_elf_phdrs). */
enum { MOST_PHDRS = 65536 };

struct segmap_error *startup_without_aslr(const char *program)
{
	int old = personality(0xffffffff);

	if (old != -1 && personality((unsigned long)old | ADDR_NO_RANDOMIZE) != -1)
		return NULL;
	if (errno != EPERM && errno != EACCES)
		return segmap_error_system(errno, program, "run it without randomization");
	return segmap_error_new(SEGMAP_ERROR_PERMISSION, program,
				"run it without randomization: %s (the sandbox of a container may "
				"forbid personality(2): try without --no-aslr)",
				strerror(errno));
}

static int open_of(pid_t pid, const char *name)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

bool startup_lost_no_aslr(pid_t pid)
{
	scope_close int fd = open_of(pid, "personality");
	char text[16] = "";
	unsigned int persona;

	return fd >= 0 && fd_read(fd, text, sizeof(text) - 1, 0) > 0 &&
	       sscanf(text, "%x", &persona) == 1 && !(persona & ADDR_NO_RANDOMIZE);
}

/* One program header in the form of the 64-bit ones. */
static Elf64_Phdr phdr_at(const unsigned char *bytes, bool is_64)
{
	Elf64_Phdr wide;
	Elf32_Phdr narrow;

	if (is_64) {
		memcpy(&wide, bytes, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, bytes, sizeof(narrow));
	return (Elf64_Phdr){ .p_type = narrow.p_type, .p_vaddr = narrow.p_vaddr,
			     .p_memsz = narrow.p_memsz };
}

static void take_phdrs(const unsigned char *phdrs, size_t count, uint64_t bias, uint64_t page_size,
		       struct startup *startup)
{
	size_t step = startup->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);

	for (size_t i = 0; i < count; i++) {
		Elf64_Phdr phdr = phdr_at(phdrs + i * step, startup->is_64);

		if (phdr.p_type == PT_DYNAMIC)
			startup->dynamic = bias + phdr.p_vaddr;
		if (phdr.p_type != PT_GNU_RELRO)
			continue;
		startup->relro_start = page_down(bias + phdr.p_vaddr, page_size);
		startup->relro_end = page_down(bias + phdr.p_vaddr + phdr.p_memsz, page_size);
	}
}

/* As much as there is of an ELF header: the kernel takes the rest for zeros. */
union ehdr {
	unsigned char start[sizeof(Elf64_Ehdr)];
	Elf64_Ehdr wide;
	Elf32_Ehdr narrow;
};

/* The program headers of the file that is executed; startup->entry is known. */
static void read_headers(int exe, const union ehdr *header, uint64_t page_size,
			 struct startup *startup)
{
	scope_free unsigned char *phdrs = NULL;
	uint64_t entry, off;
	size_t size, count;

	entry = startup->is_64 ? header->wide.e_entry : header->narrow.e_entry;
	off = startup->is_64 ? header->wide.e_phoff : header->narrow.e_phoff;
	count = startup->is_64 ? header->wide.e_phnum : header->narrow.e_phnum;
	size = count * (startup->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr));
	if (size > MOST_PHDRS)
		return;
	phdrs = malloc(size + 1);
	if (phdrs && fd_read(exe, phdrs, size, off) == (int64_t)size)
		take_phdrs(phdrs, count, startup->entry - entry, page_size, startup);
}

/* AT_ENTRY and AT_BASE, from a vector in the program's own word size. */
static void read_auxv(int fd, struct startup *startup)
{
	unsigned char bytes[4096];
	int64_t size = fd_read(fd, bytes, sizeof(bytes), 0);
	struct auxv auxv = auxv_parse(bytes, size > 0 ? (size_t)size : 0, startup->is_64 ? 8 : 4,
				      false);

	startup->entry = auxv.entry;
	startup->has_linker = auxv.base;
}

void startup_read_from(int exe, int auxv, uint64_t page_size, struct startup *ret)
{
	struct startup startup = { 0 };
	union ehdr header = { 0 };

	if (exe >= 0 && auxv >= 0 && fd_read(exe, &header, sizeof(header), 0) > 0 &&
	    elf_has_magic(header.start, sizeof(header))) {
		startup.is_64 = elf_class_as_loaded(header.start, sizeof(header)) == ELFCLASS64;
		read_auxv(auxv, &startup);
		read_headers(exe, &header, page_size, &startup);
	}
	*ret = startup;
}

void startup_read(pid_t pid, uint64_t page_size, struct startup *ret)
{
	scope_close int exe = open_of(pid, "exe"), auxv = open_of(pid, "auxv");

	startup_read_from(exe, auxv, page_size, ret);
}

bool startup_is_relro(const struct startup *startup, const struct trace_place *place)
{
	enum { MPROTECT_OF_I386 = 125 };

	return place->call == (place->is_i386 ? MPROTECT_OF_I386 : SYS_mprotect) &&
	       startup->relro_start < startup->relro_end &&
	       place->arguments[0] == startup->relro_start &&
	       place->arguments[1] == startup->relro_end - startup->relro_start;
}

/*
 * What glibc (csu/libc-start.c, csu/libc-tls.c, elf/dl-support.c) and musl
 * (src/env/__libc_start_main.c) do before main: thread and TLS set-up, the
 * stack's limit, the program's own name, random bytes for malloc, RELRO.
 */
static const int start_calls[] = {
	SYS_brk, SYS_mprotect, SYS_set_tid_address, SYS_set_robust_list, SYS_prlimit64,
	SYS_readlinkat, SYS_getrandom, SYS_uname,
#ifdef SYS_arch_prctl
	SYS_arch_prctl,
#endif
#ifdef SYS_set_thread_area
	SYS_set_thread_area,
#endif
#ifdef SYS_rseq
	SYS_rseq,
#endif
#ifdef SYS_readlink
	SYS_readlink,
#endif
#ifdef SYS_getrlimit
	SYS_getrlimit,
#endif
#ifdef SYS_ugetrlimit
	SYS_ugetrlimit,
#endif
};

/* The same under the numbers of i386 (arch/x86/entry/syscalls/syscall_32.tbl of the kernel). */
static const int start_calls_of_i386[] = {
	45 /* brk */, 125 /* mprotect */, 258 /* set_tid_address */, 311 /* set_robust_list */,
	340 /* prlimit64 */, 305 /* readlinkat */, 355 /* getrandom */, 122 /* uname */,
	384 /* arch_prctl */, 243 /* set_thread_area */, 386 /* rseq */, 85 /* readlink */,
	76 /* getrlimit */, 191 /* ugetrlimit */,
};

static bool is_in(uint64_t call, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (call == (uint64_t)calls[i])
			return true;
	return false;
}

bool startup_makes(const struct trace_place *place)
{
	if (place->is_i386)
		return is_in(place->call, start_calls_of_i386,
			     sizeof(start_calls_of_i386) / sizeof(start_calls_of_i386[0]));
	return is_in(place->call, start_calls, sizeof(start_calls) / sizeof(start_calls[0]));
}

static bool read_word(pid_t pid, const struct startup *startup, uint64_t addr, uint64_t *ret)
{
	unsigned char bytes[8];

	if (!trace_read(pid, addr, bytes, startup->is_64 ? 8 : 4))
		return false;
	*ret = bytes_word(bytes, startup->is_64 ? 8 : 4, false);
	return true;
}

/* The value of DT_DEBUG: where the dynamic linker's struct r_debug is. */
static bool find_debug(pid_t pid, const struct startup *startup, uint64_t *ret)
{
	enum { MOST_ENTRIES = 1024 };
	uint64_t word = startup->is_64 ? 8 : 4;

	for (uint64_t i = 0; startup->dynamic && i < MOST_ENTRIES; i++) {
		uint64_t at = startup->dynamic + i * 2 * word, tag;

		if (!read_word(pid, startup, at, &tag) || tag == DT_NULL)
			return false;
		if (tag == DT_DEBUG)
			return read_word(pid, startup, at + word, ret);
	}
	return false;
}

size_t startup_linked(pid_t pid, const struct startup *startup, uint64_t *ret, size_t most)
{
	/* struct r_debug: a version, then r_map. struct link_map: l_addr, l_name, l_ld, l_next. */
	uint64_t word = startup->is_64 ? 8 : 4, debug, map;
	size_t n = 0;

	if (!find_debug(pid, startup, &debug) || !debug ||
	    !read_word(pid, startup, debug + word, &map))
		return 0;
	while (map && n < most) {
		if (!read_word(pid, startup, map + 2 * word, &ret[n]))
			break;
		n++;
		if (!read_word(pid, startup, map + 3 * word, &map))
			break;
	}
	return n;
}
