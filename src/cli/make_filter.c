/*
 * src/cli/make_filter.c - writes the seccomp filters of src/cli/sandbox.c, when segmap is built.
 *
 *	make_filter MACHINE		on standard output, a C header
 *
 * libseccomp makes them, for whichever machine is named (as meson names it): to make
 * one takes longer than segmap takes. The program itself only hands the finished
 * filter to the kernel.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of machines: what libseccomp calls them, and where their numbers differ from the usual ones. */
struct machine {
	const char *name;    /* of meson */
	const char *seccomp; /* of libseccomp */
	enum numbers {
		USUAL,
		POWERPC, /* ioctl(2) has three bits of direction */
		MIPS,	 /* and O_CREAT and SIGSYS are others */
	} numbers;
};

static const struct machine machines[] = {
	{ "x86_64", "x86_64", USUAL },	   { "x86", "x86", USUAL },
	{ "aarch64", "aarch64", USUAL },   { "arm", "arm", USUAL },
	{ "riscv64", "riscv64", USUAL },   { "loongarch64", "loongarch64", USUAL },
	{ "s390x", "s390x", USUAL },	   { "ppc64", "ppc64", POWERPC },
	{ "ppc64le", "ppc64le", POWERPC }, { "ppc", "ppc", POWERPC },
	{ "mips", "mips", MIPS },	   { "mipsel", "mipsel", MIPS },
	{ "mips64", "mips64", MIPS },	   { "mips64el", "mipsel64", MIPS },
};

/* O_CREAT */
static uint64_t creates(const struct machine *machine)
{
	return machine->numbers == MIPS ? 0x100 : 0100;
}

/* SIGSYS */
static uint64_t violation(const struct machine *machine)
{
	return machine->numbers == MIPS ? 12 : 31;
}

/* _IOC_READ | _IOC_WRITE, in their place */
static uint64_t both_ways(const struct machine *machine)
{
	return machine->numbers == USUAL ? UINT64_C(3) << 30 : UINT64_C(6) << 29;
}

/* Numbers of the kernel's interface; the machine that builds may have other ones. */
enum {
	MAY_EXECUTE = 4,	    /* PROT_EXEC */
	OF_DESCRIPTOR = 0x1000,	    /* AT_EMPTY_PATH */
	DUPLICATE = 0,		    /* F_DUPFD */
	DUPLICATE_CLOEXEC = 1030,   /* F_DUPFD_CLOEXEC */
	GET_DESCRIPTOR_FLAGS = 1,   /* F_GETFD */
	SET_DESCRIPTOR_FLAGS = 2,   /* F_SETFD */
	GET_STATUS_FLAGS = 3,	    /* F_GETFL */
	WRITES = 3,		    /* O_ACCMODE */
	NOT_DUMPABLE = 4,	    /* PR_SET_DUMPABLE */
	NO_NEW_PRIVILEGES = 38,	    /* PR_SET_NO_NEW_PRIVS */
	OF_MEMORY = 0x53564d41,	    /* PR_SET_VMA */
	NAME_OF_MEMORY = 0,	    /* PR_SET_VMA_ANON_NAME */
	TRUNCATES = 01000,	    /* O_TRUNC */
	PAGEMAP_SCAN = 'f' << 8 | 16 | 96 << 16,   /* without its direction */
	PROCMAP_QUERY = 'f' << 8 | 17 | 104 << 16,
};

/* ---- what is allowed ---- */

/* In every mode: reading and writing what is open, memory, and the end. */
static const char *const always[] = {
	"read",		"pread64",	"readv",	"write",	"writev",
	"lseek",	"_llseek",	"close",	"fstat",	"fstat64",
	"brk",		"munmap",	"mremap",	"madvise",	"futex",
	"futex_time64", "getrandom",	"clock_gettime", "clock_gettime64", "gettimeofday",
	"sysinfo",	"rt_sigprocmask", "rt_sigreturn", "sigreturn",	"restart_syscall",
	"getpid",	"gettid",	"wait4",	"exit",
	"exit_group",	"nanosleep",	"clock_nanosleep", "clock_nanosleep_time64",
};

/* Where files are found while others are parsed: to look at them, and where paths lead. */
static const char *const looking[] = {
	"newfstatat",	"fstatat64",	"stat",		"stat64",	"lstat",
	"lstat64",	"statx",	"statfs",	"statfs64",	"fstatfs",
	"fstatfs64",	"readlink",	"readlinkat",	"access",	"faccessat",
	"faccessat2",	"getdents64",	"getdents",	"getcwd",	"getxattr",
	"fgetxattr",	"lgetxattr",	"uname",	"capget",	"getuid",
	"getuid32",	"geteuid",	"geteuid32",	"getgid",	"getgid32",
	"getegid",	"getegid32",	"sched_getaffinity",
};

/* To confine itself further. It can only be to less. */
static const char *const confining[] = {
	"seccomp",	"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self",
	"capset",
};

/* To wait for the process, keys, signals and time. */
static const char *const waiting[] = {
	"poll", "ppoll", "ppoll_time64", "rt_sigpending", "sigpending",
};

/* What a terminal is asked for and told: tcgetattr(3), TCSADRAIN of tcsetattr(3), and its size. */
static const uint32_t terminal[][5] = {
	/* TCGETS, TCSETSW, TIOCGWINSZ, and since glibc 2.42 TCGETS2, TCSETSW2 */
	[USUAL] = { 0x5401, 0x5403, 0x5413, 0x802c542a, 0x402c542c },
	[POWERPC] = { 0x402c7413, 0x802c7415, 0x40087468 },
	[MIPS] = { 0x540d, 0x540f, 0x40087468, 0x402c542a, 0x802c542c },
};

struct filter {
	scmp_filter_ctx context;
	uint32_t arch;
	const struct machine *machine;
	int problem; /* negative errno of libseccomp; 0: none */
};

/* Allow @name where all @n of @tests are true. */
static void allow_if(struct filter *filter, uint32_t action, const char *name, unsigned int n,
		     const struct scmp_arg_cmp *tests)
{
	int number = seccomp_syscall_resolve_name(name);

	/* Not every machine has every call, nor does an older libseccomp know all. */
	if (filter->problem || number == __NR_SCMP_ERROR ||
	    seccomp_syscall_resolve_name_arch(filter->arch, name) < 0)
		return;
	filter->problem = seccomp_rule_add_array(filter->context, action, number, n, tests);
	/* A call that an earlier list has allowed already. */
	if (filter->problem == -EEXIST)
		filter->problem = 0;
}

#define ALLOW_ALL(filter, names)                                               \
	do {                                                                   \
		for (size_t i_ = 0; i_ < sizeof(names) / sizeof((names)[0]); i_++) \
			allow_if(filter, SCMP_ACT_ALLOW, (names)[i_], 0, NULL);  \
	} while (0)

/* Allow @name where argument @arg is @value in the bits of @mask. */
static void allow_where(struct filter *filter, const char *name, unsigned int arg, uint64_t mask,
			uint64_t value)
{
	struct scmp_arg_cmp test = { arg, SCMP_CMP_MASKED_EQ, mask, value };

	allow_if(filter, SCMP_ACT_ALLOW, name, 1, &test);
}

static void allow_always(struct filter *filter)
{
	const uint64_t word = 0xffffffff;
	static const int commands[] = { DUPLICATE, DUPLICATE_CLOEXEC, GET_DESCRIPTOR_FLAGS,
					SET_DESCRIPTOR_FLAGS, GET_STATUS_FLAGS };
	const struct scmp_arg_cmp naming[] = { { 0, SCMP_CMP_MASKED_EQ, word, OF_MEMORY },
					       { 1, SCMP_CMP_EQ, NAME_OF_MEMORY, 0 } };

	ALLOW_ALL(filter, always);
	/* glibc 2.39: malloc names its memory under GLIBC_TUNABLES=glibc.mem.decorate_maps=1. */
	allow_if(filter, SCMP_ACT_ALLOW, "prctl", 2, naming);
	/* Memory that can be executed is there from the beginning, and no more of it is needed. */
	allow_where(filter, "mmap", 2, MAY_EXECUTE, 0);
	allow_where(filter, "mmap2", 2, MAY_EXECUTE, 0);
	allow_where(filter, "mprotect", 2, MAY_EXECUTE, 0);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		allow_where(filter, "fcntl", 1, word, (uint64_t)commands[i]);
		allow_where(filter, "fcntl64", 1, word, (uint64_t)commands[i]);
	}
	allow_where(filter, "ioctl", 1, word, both_ways(filter->machine) | PAGEMAP_SCAN);
	allow_where(filter, "ioctl", 1, word, both_ways(filter->machine) | PROCMAP_QUERY);
}

/* fstat(3) is one of these in many C libraries. */
static void allow_fstat(struct filter *filter)
{
	allow_where(filter, "newfstatat", 3, OF_DESCRIPTOR, OF_DESCRIPTOR);
	allow_where(filter, "fstatat64", 3, OF_DESCRIPTOR, OF_DESCRIPTOR);
	allow_where(filter, "statx", 2, OF_DESCRIPTOR, OF_DESCRIPTOR);
}

static void allow_reading(struct filter *filter)
{
	uint64_t writing = WRITES | TRUNCATES | creates(filter->machine);
	struct scmp_arg_cmp no_limit = { 2, SCMP_CMP_EQ, 0, 0 };

	struct scmp_arg_cmp no_dumps[] = { { 0, SCMP_CMP_EQ, NOT_DUMPABLE, 0 },
					   { 1, SCMP_CMP_EQ, 0, 0 } };

	ALLOW_ALL(filter, looking);
	ALLOW_ALL(filter, confining);
	allow_where(filter, "rt_sigaction", 0, 0xffffffff, violation(filter->machine));
	allow_where(filter, "prctl", 0, 0xffffffff, NO_NEW_PRIVILEGES);
	allow_if(filter, SCMP_ACT_ALLOW, "prctl", 2, no_dumps);
	allow_where(filter, "open", 1, writing, 0);
	allow_where(filter, "openat", 2, writing, 0);
	allow_where(filter, "personality", 0, 0xffffffff, 0xffffffff); /* to ask, not to set */
	allow_if(filter, SCMP_ACT_ALLOW, "prlimit64", 1, &no_limit);
}

/* Its flags are in memory, where a filter cannot see them. Without it, openat(2) is used. */
static void hide_openat2(struct filter *filter)
{
	allow_if(filter, SCMP_ACT_ERRNO(ENOSYS), "openat2", 0, NULL);
}

static void make_open(struct filter *filter)
{
	allow_always(filter);
	allow_fstat(filter);
}

static void make_reading(struct filter *filter)
{
	allow_always(filter);
	allow_reading(filter);
	hide_openat2(filter);
}

static void make_watching(struct filter *filter)
{
	const uint32_t *commands = terminal[filter->machine->numbers];

	make_reading(filter);
	ALLOW_ALL(filter, waiting);
	for (size_t i = 0; i < sizeof(terminal[0]) / sizeof(terminal[0][0]) && commands[i]; i++)
		allow_where(filter, "ioctl", 1, 0xffffffff, commands[i]);
}

/* With a Landlock by which nothing can be opened but for reading, or truncated, however. */
static void make_landlocked(struct filter *filter)
{
	allow_always(filter);
	allow_reading(filter);
	allow_if(filter, SCMP_ACT_ALLOW, "openat2", 0, NULL);
}

/* ---- writing them ---- */

static void fail(const char *doing, int problem)
{
	fprintf(stderr, "make_filter: %s: %s\n", doing, strerror(problem));
	exit(1);
}

/* The bytes of the finished filter, as the kernel of that machine takes them. */
static void print_filter(const struct filter *filter, const char *name)
{
	FILE *file = tmpfile();
	int byte, problem;
	size_t n = 0;

	if (!file)
		fail("make a temporary file", errno);
	problem = seccomp_export_bpf(filter->context, fileno(file));
	if (problem)
		fail("export a filter", -problem);
	rewind(file);
	printf("static const unsigned char filter_%s[] __attribute__((aligned(8))) = {", name);
	while ((byte = getc(file)) != EOF)
		printf("%s%d,", n++ % 24 ? "" : "\n", byte);
	printf("\n};\n");
	fclose(file);
}

static void print_filters(const struct machine *machine, uint32_t arch)
{
	static const struct {
		const char *name;
		void (*make)(struct filter *filter);
	} filters[] = {
		{ "open", make_open },
		{ "reading", make_reading },
		{ "landlocked", make_landlocked },
		{ "watching", make_watching },
	};

	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		struct filter filter = { .context = seccomp_init(SCMP_ACT_TRAP), .arch = arch,
					 .machine = machine };

		if (!filter.context)
			fail("begin a filter", ENOMEM);
		/* The kernel walks it once for every call when it takes it: faster as a tree. */
		seccomp_attr_set(filter.context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
		if (arch != seccomp_arch_native()) {
			seccomp_arch_remove(filter.context, SCMP_ARCH_NATIVE);
			filter.problem = seccomp_arch_add(filter.context, arch);
		}
		filters[i].make(&filter);
		if (filter.problem)
			fail(filters[i].name, -filter.problem);
		print_filter(&filter, filters[i].name);
		seccomp_release(filter.context);
	}
}

/* The names of calls, in an array without pointers, which would have to be relocated. */
static void print_names(uint32_t arch)
{
	enum { MOST = 8192, LONGEST = 40 };
	int first = -1;

	for (int number = 0; number < MOST; number++) {
		char *name = seccomp_syscall_resolve_num_arch(arch, number);

		if (name && strlen(name) < LONGEST) {
			if (first < 0)
				printf("static const char call_names[][%d] = {\n", LONGEST);
			if (first < 0)
				first = number;
			printf("[%d] = \"%s\",\n", number - first, name);
		}
		free(name);
	}
	printf("};\nenum { FIRST_CALL = %d };\n", first);
}

int main(int argc, char **argv)
{
	const struct machine *machine = NULL;
	uint32_t arch;

	for (size_t i = 0; argc == 2 && i < sizeof(machines) / sizeof(machines[0]); i++)
		if (strcmp(argv[1], machines[i].name) == 0)
			machine = &machines[i];
	arch = machine ? seccomp_arch_resolve_name(machine->seccomp) : 0;
	if (!arch) {
		fputs("make_filter: MACHINE: this machine is not known\n", stderr);
		return 1;
	}
	printf("/* Made by make_filter for %s. */\n", machine->name);
	print_filters(machine, arch);
	print_names(arch);
	return fflush(stdout) || ferror(stdout);
}
