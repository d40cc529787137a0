/* src/read/world.c - this machine, as a prediction asks for it. */
#include "base/scope.h"
#include "read/bytes.h"
#include "read/files.h"
#include "read/privileges.h"
#include "model/vma.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <segmap/world.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

enum { MAX_HWCAPS = 4 };

/* The world and what it owns. */
struct here {
	struct segmap_world world; /* first: the context of its own calls */
	struct segmap_files *files; /* borrowed */
	struct segmap_elf *vdso;
	struct privileges privileges;
	char *directory;
	char **paths; /* that were given away */
	size_t n_paths, cap_paths;
	const char *hwcaps[MAX_HWCAPS], *legacy_hwcaps[MAX_HWCAPS];
};

/* ---- files ---- */

/* The path of what @fd names, as maps would show it; or @path where it cannot be had. */
static char *find_path(int fd, const char *path)
{
	char link[32], target[PATH_MAX];
	ssize_t length;

	fd_name(fd, link);
	length = readlink(link, target, sizeof(target));
	if (length <= 0 || (size_t)length == sizeof(target))
		return strdup(path);
	return strndup(target, (size_t)length);
}

/*
 * Open what @path names without opening it: a device or FIFO could act on that.
 * The descriptor, or a negative errno value.
 */
static int open_regular(const char *path, struct stat *stat)
{
	scope_close int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0 || fstat(fd, stat) < 0)
		return -errno;
	if (S_ISDIR(stat->st_mode))
		return -EISDIR;
	return S_ISREG(stat->st_mode) ? return_fd(&fd) : -EACCES;
}

/* The file that @path_fd names, opened for reading and parsed. 0 or an errno value. */
static int take_file(struct here *here, int path_fd, const struct stat *stat, const char *path,
		     struct segmap_world_file *ret)
{
	scope_error struct segmap_error *error = NULL;
	scope_free char *name = find_path(path_fd, path);
	struct segmap_file *file = NULL;

	if (!name || !grow(&here->paths, &here->cap_paths, here->n_paths, sizeof(*here->paths)))
		return ENOMEM;
	error = files_open(here->files, path_fd, stat, name, &file);
	if (!error && files_open_errno(file))
		return files_open_errno(file);
	if (!error)
		error = files_parse_start(here->files, file, name);
	if (error)
		return ENOMEM;
	*ret = (struct segmap_world_file){
		.file = file,
		.elf = file->n_elfs && !file->elfs[0]->elf_off ? file->elfs[0] : NULL,
		.path = name,
		.set_user_id = stat->st_mode & S_ISUID,
		.noexec = fd_has_mount_flag(path_fd, ST_NOEXEC),
	};
	here->paths[here->n_paths++] = return_ptr(name);
	return 0;
}

static int open_file(void *context, const char *path, struct segmap_world_file *ret)
{
	struct stat stat;
	scope_close int fd = open_regular(path, &stat);

	return fd < 0 ? -fd : take_file(context, fd, &stat, path, ret);
}

/* As open_regular(), where it may be executed. */
static int open_executable(const char *path, struct stat *stat)
{
	char link[32];
	scope_close int fd = open_regular(path, stat);

	if (fd < 0)
		return fd;
	fd_name(fd, link);
	/* With the effective identity, as execve; it knows of noexec too. */
	if (faccessat(AT_FDCWD, link, X_OK, AT_EACCESS) < 0)
		return -errno;
	return return_fd(&fd);
}

static int open_program(void *context, const char *path, struct segmap_world_file *ret)
{
	const struct here *here = context;
	struct stat stat;
	scope_close int fd = open_executable(path, &stat);
	int errnum;

	if (fd < 0)
		return -fd;
	errnum = take_file(context, fd, &stat, path, ret);
	if (errnum)
		return errnum;
	ret->secure = privileges_are_secure(&here->privileges, fd, &stat);
	ret->clears_personality = privileges_clear_personality(&here->privileges, fd, &stat);
	return 0;
}

static int look(void *context, const char *path, bool to_execute)
{
	struct stat stat;
	scope_close int fd = to_execute ? open_executable(path, &stat) :
					  open_regular(path, &stat);

	(void)context;
	return fd < 0 ? -fd : 0;
}

static int64_t read_file(void *context, const struct segmap_world_file *file, void *buffer,
			 size_t size, uint64_t off)
{
	(void)context;
	return file->file && file->file->fd >= 0 ? fd_read(file->file->fd, buffer, size, off) :
						   -EBADF;
}

static bool is_directory(void *context, const char *path)
{
	struct stat found;

	(void)context;
	return stat(path, &found) == 0 && S_ISDIR(found.st_mode);
}

/* ---- the processor ---- */

#if defined(__x86_64__) || defined(__i386__)
/* Words of CPUID that the levels are made of. */
struct cpuid {
	unsigned int basic_c;	 /* leaf 1, ECX */
	unsigned int extended_b; /* leaf 7, EBX */
	unsigned int extended_c; /* leaf 7, ECX */
	unsigned int amd_c;	 /* leaf 0x80000001, ECX */
	uint64_t enabled;	 /* XCR0: register state that the kernel keeps */
	bool intel;
};

static struct cpuid ask_cpuid(void)
{
	struct cpuid cpu = { 0 };
	unsigned int a, b, c, d;

	if (__get_cpuid(0, &a, &b, &c, &d))
		cpu.intel = b == signature_INTEL_ebx && c == signature_INTEL_ecx;
	if (__get_cpuid(1, &a, &b, &c, &d))
		cpu.basic_c = c;
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
		cpu.extended_b = b;
		cpu.extended_c = c;
	}
	if (__get_cpuid(0x80000001, &a, &b, &c, &d))
		cpu.amd_c = c;
	if (cpu.basic_c & bit_OSXSAVE) {
		__asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
		cpu.enabled = a | (uint64_t)d << 32;
	}
	return cpu;
}

static bool has_all(unsigned int word, unsigned int bits)
{
	return (word & bits) == bits;
}

/*
 * The levels of the x86-64 psABI that the processor reaches, as glibc tests
 * them (sysdeps/x86/get-isa-level.h): 1 is the baseline.
 */
static int x86_64_level(const struct cpuid *cpu)
{
	enum { AVX_STATE = 0x6, AVX512_STATE = 0xe6, LAHF = 1 << 0 };
	bool avx = (cpu->enabled & AVX_STATE) == AVX_STATE;
	bool avx512 = (cpu->enabled & AVX512_STATE) == AVX512_STATE;

	if (!has_all(cpu->basic_c, bit_CMPXCHG16B | bit_POPCNT | bit_SSE3 | bit_SSSE3 |
					   bit_SSE4_1 | bit_SSE4_2) ||
	    !has_all(cpu->amd_c, LAHF))
		return 1;
	if (!avx || !has_all(cpu->basic_c, bit_AVX | bit_F16C | bit_FMA | bit_MOVBE) ||
	    !has_all(cpu->extended_b, bit_AVX2 | bit_BMI | bit_BMI2) ||
	    !has_all(cpu->amd_c, bit_LZCNT))
		return 2;
	return avx512 && has_all(cpu->extended_b, bit_AVX512F | bit_AVX512BW | bit_AVX512CD |
							  bit_AVX512DQ | bit_AVX512VL) ?
		       4 :
		       3;
}

static void ask_processor(struct here *here)
{
	static const char *const levels[] = { "x86-64-v2", "x86-64-v3", "x86-64-v4" };
	struct cpuid cpu = ask_cpuid();
	int level = x86_64_level(&cpu);
	size_t n = 0;

	for (int i = level - 2; i >= 0; i--)
		here->hwcaps[n++] = levels[i];
	/* glibc sysdeps/x86/cpu-features.c: "haswell" is what Intel's processors of level 3 are. */
	if (cpu.intel && level >= 3)
		here->world.platform = "haswell";
	n = 0;
	if (cpu.intel && level >= 4)
		here->legacy_hwcaps[n++] = "avx512_1";
	here->legacy_hwcaps[n] = "x86_64";
	/* Bit 4 says that the kernel has switched them on (CR4.PKE). */
	here->world.pkeys = cpu.extended_c & 1U << 4;
}
#else
static void ask_processor(struct here *here)
{
	(void)here;
}
#endif

/* ---- the kernel ---- */

/* The machine by uname(2)'s name for it; that of segmap itself where it is not known. */
static unsigned int find_machine(const char *name)
{
	static const struct {
		const char *name;
		unsigned int machine;
	} machines[] = {
		{ "x86_64", EM_X86_64 },     { "i386", EM_386 },	{ "i486", EM_386 },
		{ "i586", EM_386 },	     { "i686", EM_386 },	{ "aarch64", EM_AARCH64 },
		{ "riscv64", EM_RISCV },     { "riscv32", EM_RISCV },	{ "ppc64", EM_PPC64 },
		{ "ppc64le", EM_PPC64 },     { "s390x", EM_S390 },	{ "mips", EM_MIPS },
		{ "mips64", EM_MIPS },	     { "ppc", EM_PPC },
#ifdef EM_LOONGARCH
		{ "loongarch64", EM_LOONGARCH },
#endif
	};

	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
		if (strcmp(name, machines[i].name) == 0)
			return machines[i].machine;
	return strncmp(name, "arm", 3) == 0 ? EM_ARM : EM_NONE;
}

/* Whether CAP_SYS_RAWIO is in effect, which may map below vm.mmap_min_addr. */
static bool may_map_low(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return !syscall(SYS_capget, &header, data) &&
	       (data[CAP_SYS_RAWIO / 32].effective & 1U << CAP_SYS_RAWIO % 32);
}

static void ask_bounds(struct segmap_world *world)
{
	struct sysinfo info;

	if (!may_map_low())
		world->min_addr = setting_read("vm/mmap_min_addr", 65536);
	world->max_vmas = setting_read("vm/max_map_count", 65530);
	/* 0: what is more than all memory and swap is refused (mm/util.c:__vm_enough_memory). */
	if (setting_read("vm/overcommit_memory", 0) == 0 && sysinfo(&info) == 0)
		world->commit = ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
}

/*
 * Whether the numbers of the prediction are this machine's: an x86 with a 64-bit kernel.
 * Under personality(PER_LINUX32) that calls itself i686, too.
 */
static bool is_64_bit_x86(const struct segmap_world *world)
{
	return world->machine == EM_X86_64 || (world->machine == EM_386 && sizeof(void *) == 8);
}

/*
 * Where mappings go (arch/x86/mm/mmap.c). Before 4.14 an unlimited stack
 * meant the bottom-up layout, and no guard was added to a limit.
 */
static void ask_layout(struct segmap_world *world, int told)
{
	enum { LEAST_GAP = 127 << 20 }; /* a stack up to this is always given more */
	bool is_old = world->kernel_major < 4 ||
		      (world->kernel_major == 4 && world->kernel_minor < 14);
	struct rlimit limit;

	if (getrlimit(RLIMIT_STACK, &limit) == 0)
		world->stack_limit = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
	world->other_layout =
		!is_64_bit_x86(world) ||
		(told != -1 && (told & (ADDR_COMPAT_LAYOUT | ADDR_LIMIT_3GB))) ||
		setting_read("vm/legacy_va_layout", 0) ||
		(is_old && world->stack_limit > LEAST_GAP);
}

static void ask_kernel(struct here *here)
{
	struct segmap_world *world = &here->world;
	struct utsname name;
	int told;

	if (uname(&name) == 0) {
		world->machine = find_machine(name.machine);
		if (sscanf(name.release, "%u.%u", &world->kernel_major, &world->kernel_minor) != 2)
			world->kernel_major = world->kernel_minor = 0;
	}
	/* What segmap has been told, a program that it starts has been told, too. -1: no answer. */
	told = personality(0xffffffff);
	world->randomizes = setting_read("kernel/randomize_va_space", 2);
	world->not_randomized = told != -1 && (told & ADDR_NO_RANDOMIZE);
	ask_bounds(world);
	ask_layout(world, told);
}

/* Whether @name is of an area that every process of a class has. */
static bool is_area(const char *name)
{
	return strncmp(name, "[vvar", 5) == 0 || strcmp(name, "[vdso]") == 0 ||
	       strcmp(name, "[vsyscall]") == 0 || strcmp(name, "[sigpage]") == 0 ||
	       strcmp(name, "[vectors]") == 0;
}

static struct segmap_error *add_area(struct here *here, const struct segmap_vma *vma)
{
	struct segmap_world *world = &here->world;
	struct segmap_area *area = &world->areas[world->n_areas];
	struct segmap_error *error = NULL;
	bool fixed = strcmp(vma->name, "[vsyscall]") == 0 || strcmp(vma->name, "[vectors]") == 0;

	if (!is_area(vma->name) || world->n_areas == SEGMAP_MAX_AREAS ||
	    strlen(vma->name) >= sizeof(area->name))
		return NULL;
	*area = (struct segmap_area){
		.size = segmap_vma_size(vma),
		.start = fixed ? vma->start : 0,
		.prot = vma->prot,
	};
	strcpy(area->name, vma->name);
	world->n_areas++;
	if (strcmp(vma->name, "[vdso]") == 0 && vma->start == getauxval(AT_SYSINFO_EHDR))
		error = files_parse_vdso(here->files, (const void *)(uintptr_t)vma->start,
					 segmap_vma_size(vma), &here->vdso);
	world->vdso = here->vdso;
	return error;
}

/* The areas of segmap's own process. The error is for memory alone. */
static struct segmap_error *ask_own_maps(struct here *here)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	struct segmap_error *error = NULL;
	scope_free char *line = NULL;
	size_t capacity = 0;
	ssize_t length;

	if (!maps) {
		here->world.areas_errnum = errno;
		return errno == ENOMEM ? segmap_error_no_memory() : NULL;
	}
	errno = 0;
	while (!error && (length = getline(&line, &capacity, maps)) > 0) {
		struct segmap_vma vma;

		if (line[length - 1] == '\n')
			line[length - 1] = '\0';
		error = segmap_vma_parse(line, &vma);
		if (!error)
			error = add_area(here, &vma);
		if (error && error->code != SEGMAP_ERROR_NO_MEMORY) {
			segmap_error_free(error);
			error = NULL;
		}
	}
	if (!error && length < 0)
		here->world.areas_errnum = errno;
	if (!error && errno == ENOMEM)
		error = segmap_error_no_memory();
	fclose(maps);
	return error;
}

/* ---- the whole ---- */

struct segmap_error *segmap_world_use(struct segmap_world *world, struct segmap_files *files)
{
	struct here *here = (struct here *)world; /* its first member */

	here->files = files;
	segmap_elf_free(here->vdso);
	here->vdso = NULL;
	world->vdso = NULL;
	world->n_areas = 0;
	world->page_size = files_page_size(files);
	if (world->page_size == (uint64_t)sysconf(_SC_PAGESIZE))
		return ask_own_maps(here);
	return NULL;
}

struct segmap_error *segmap_world_new(struct segmap_files *files, struct segmap_world **ret)
{
	struct here *here = calloc(1, sizeof(*here));
	struct segmap_error *error = NULL;
	bool no_directory;

	if (!here)
		return segmap_error_no_memory();
	here->directory = getcwd(NULL, 0);
	no_directory = !here->directory && errno == ENOMEM;
	here->world = (struct segmap_world){
		.context = here,
		.open = open_file,
		.open_program = open_program,
		.look = look,
		.read = read_file,
		.is_directory = is_directory,
		.environment = (const char *const *)environ,
		/* "(unreachable)/…" is no path. */
		.directory = here->directory && here->directory[0] == '/' ? here->directory : NULL,
		.hwcaps = here->hwcaps,
		.legacy_hwcaps = here->legacy_hwcaps,
		.platform = (const char *)(uintptr_t)getauxval(AT_PLATFORM),
	};
	privileges_ask(&here->privileges);
	ask_processor(here);
	ask_kernel(here);
	error = segmap_world_use(&here->world, files);
	if (!error && no_directory)
		error = segmap_error_no_memory();
	if (error)
		segmap_world_free(&here->world);
	else
		*ret = &here->world;
	return error;
}

void segmap_world_free(struct segmap_world *world)
{
	struct here *here = (struct here *)world; /* its first member */

	if (!here)
		return;
	for (size_t i = 0; i < here->n_paths; i++)
		free(here->paths[i]);
	free(here->paths);
	free(here->directory);
	segmap_elf_free(here->vdso);
	free(here);
}
