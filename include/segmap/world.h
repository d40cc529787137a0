/* include/segmap/world.h - the machine that a prediction is for: its files, environment, kernel. */
#ifndef SEGMAP_WORLD_H
#define SEGMAP_WORLD_H

#include <segmap/file.h>
#include <stdbool.h>

/* A file as open(2) finds it by some path. Everything is borrowed from the world. */
struct segmap_world_file {
	struct segmap_file *file; /* identity and size; parsed; NULL where there is no regular file */
	const struct segmap_elf *elf; /* that it begins with; NULL if it is none: file->error can say why */
	const char *path; /* as maps would show it: absolute, without links */
	bool secure;	  /* set-user-ID, set-group-ID or capabilities: run, it would have AT_SECURE,
			     and ld.so ignores most of its environment. Not where the user has that
			     identity already. Only from open_program() */
	bool clears_personality; /* run, it is randomized whatever personality(2) says: the kernel takes
				    PER_CLEAR_ON_SETID from what has set-user-ID or set-group-ID,
				    whosever it is, or gains capabilities. Only from open_program() */
	bool noexec;	  /* its file system is mounted so: no page of it can be executable */
	bool set_user_id; /* it has the set-user-ID bit, whatever that would do */
};

/* A special area that the kernel puts beside the interpreter, in the order of addresses. */
struct segmap_area {
	char name[24];	/* "[vvar]", "[vdso]" … as in maps */
	uint64_t size;	/* bytes */
	uint64_t start; /* its address where it is always the same ([vsyscall]); else 0 */
	int prot;
};

enum { SEGMAP_MAX_AREAS = 8 };

/*
 * What is asked of the world. Pure code calls it, reading code fills it in, a
 * test fakes it. Strings that are passed in are raw bytes.
 */
struct segmap_world {
	void *context;
	/*
	 * Open and parse the file at @path (absolute, or relative to the working
	 * directory). 0, or an errno value as open(2) gives it; a directory is EISDIR, a
	 * device or a FIFO EACCES and is not opened. To open it a second time, by
	 * whatever path, gives the same file.
	 */
	int (*open)(void *context, const char *path, struct segmap_world_file *ret);
	/* As open(), but as execve(2) does: EACCES also without execute permission or on a
	 * file system mounted noexec. */
	int (*open_program)(void *context, const char *path, struct segmap_world_file *ret);
	/* What open(), or with @to_execute open_program(), says as far as can be told without
	 * opening the file. */
	int (*look)(void *context, const char *path, bool to_execute);
	/* Up to @size bytes from @off on. Returns their number, or a negative errno value. */
	int64_t (*read)(void *context, const struct segmap_world_file *file, void *buffer,
			size_t size, uint64_t off);
	bool (*is_directory)(void *context, const char *path);

	const char *const *environment; /* "NAME=VALUE", NULL at the end */
	const char *directory; /* the working directory, absolute; NULL if unknown */
	const char *const *hwcaps; /* directories below glibc-hwcaps that this processor can use,
				      best first, NULL at the end */
	/* What glibc before 2.37 made directory names of beside the platform, "x86_64" say, in the
	 * order in which they follow one another and it in a path; NULL at the end. */
	const char *const *legacy_hwcaps;
	const char *platform; /* what $PLATFORM is for glibc, "haswell" say; NULL if unknown */
	uint64_t page_size;	   /* bytes; of the files, which need not be this machine's */
	unsigned int machine;	   /* EM_X86_64 … of the kernel */
	unsigned int kernel_major, kernel_minor; /* 6, 18; 0, 0 if unknown */
	/* Bounds of a process that the user starts; 0: none, or not known. */
	uint64_t min_addr; /* lowest address that can be mapped (vm.mmap_min_addr, where it binds) */
	uint64_t commit;   /* bytes of private writable memory in one call (vm.overcommit_memory) */
	uint64_t max_vmas; /* vm.max_map_count */
	uint64_t stack_limit; /* bytes: RLIMIT_STACK, UINT64_MAX for none; decides where mmap begins,
				 and how long [stack] can be */
	bool pkeys;		   /* the processor has protection keys, and the kernel uses them */
	bool randomizes;	   /* kernel.randomize_va_space is not 0 */
	bool not_randomized;	   /* personality(2) has ADDR_NO_RANDOMIZE, which programs inherit */
	bool other_layout; /* mappings go bottom-up or below 3 GiB (vm.legacy_va_layout, ADDR_COMPAT_LAYOUT,
			      ADDR_LIMIT_3GB), the kernel is older than its rule for stack_limit, or it
			      is not one of a 64-bit x86, whose numbers the prediction has:
			      where they come to lie is not predicted, even without randomization */
	struct segmap_area areas[SEGMAP_MAX_AREAS]; /* of a 64-bit process on this machine, if
						       its pages are of that size */
	size_t n_areas;
	int areas_errnum; /* why they are not known, or not all; 0 if they are */
	const struct segmap_elf *vdso; /* of a process of segmap's own class; NULL if unknown */
};

/* This machine. @files opens and parses what is asked for; it must outlive the world. */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *segmap_world_new(struct segmap_files *files,
								   struct segmap_world **ret);
/*
 * The same machine with other files, which can be for pages of another size. What it was found
 * to be stays, whatever privileges there are now to ask for it: only /proc/self/maps is read again.
 * The error is for memory alone; the world then has the other files all the same.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *segmap_world_use(struct segmap_world *world,
								   struct segmap_files *files);
SEGMAP_API void segmap_world_free(struct segmap_world *world);

/* The value of NAME in the world's environment; NULL if it is not there. */
SEGMAP_API const char *segmap_world_getenv(const struct segmap_world *world, const char *name);

#endif
