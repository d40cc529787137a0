/* include/segmap/limits.h - how much segmap believes of what it reads. */
#ifndef SEGMAP_LIMITS_H
#define SEGMAP_LIMITS_H

/*
 * Counts and sizes in a file are believed only as far as the file has bytes on
 * disk, and below these limits. They are far above what linkers make.
 */
enum {
	/* The kernel takes 64 KiB of program headers (fs/binfmt_elf.c:load_elf_phdrs). */
	SEGMAP_MAX_PHDRS_BYTES = 64 * 1024,
	SEGMAP_MAX_SECTIONS = 1 << 17,
	/* Of a section name table; also of all names of one file together. */
	SEGMAP_MAX_NAMES_BYTES = 64 * 1024 * 1024,
	SEGMAP_MAX_NOTES_BYTES = 64 * 1024, /* of one PT_NOTE */
	SEGMAP_MAX_NOTES = 16,		    /* PT_NOTEs looked at for a build-id */
	SEGMAP_MAX_BUILD_ID = 64,	    /* bytes; SHA-1 has 20 */
	SEGMAP_MAX_DYNAMIC_BYTES = 1024 * 1024,
	SEGMAP_MAX_HASH_BYTES = 16 * 1024 * 1024, /* read to count the dynamic symbols of one object */
	SEGMAP_MAX_SONAME = 4096,
	SEGMAP_MAX_NEEDED = 4096,	    /* DT_NEEDED of one object */
	SEGMAP_MAX_VERSIONS = 4096,	    /* symbol versions of one object, of each kind */
	SEGMAP_MAX_VERSIONS_BYTES = 16 * 1024, /* of DT_VERNEED, and of DT_VERDEF */
	SEGMAP_MAX_STRINGS_BYTES = 64 * 1024, /* a larger DT_STRTAB is read name by name */
	SEGMAP_MAX_OBJECTS = 8192,	    /* libraries of one program */
	SEGMAP_MAX_TRIES = 1 << 17, /* places in which the libraries of one program are looked for */
	SEGMAP_MAX_LINKER_BYTES = 16 * 1024 * 1024, /* of a dynamic linker's or ld.so.cache's file */
	/* ELF objects looked for in one file at mapped offsets other than 0, and the program
	 * headers and bytes that all of them may have together. */
	SEGMAP_MAX_EMBEDDED = 1024,
	SEGMAP_MAX_EMBEDDED_SEGMENTS = 1 << 14,
	SEGMAP_MAX_EMBEDDED_BYTES = 16 * 1024 * 1024, /* of other tables: many can share one */
	SEGMAP_MAX_VMAS = 1 << 22, /* of one map; the kernel's own limit is 65530 as a rule */
	/* Of the images of one map together: a file that is mapped often has its segments as often. */
	SEGMAP_MAX_IMAGE_SEGMENTS = 1 << 17,
	/* Of one map; VMAs behind so many are not cut. One VMA alone can have more. */
	SEGMAP_MAX_PIECES = 1 << 18,
	SEGMAP_LEAST_PAGE_SIZE = 4096, /* bytes; no Linux machine has smaller pages */
	SEGMAP_MOST_PAGE_SIZE = 16 * 1024 * 1024,
	SEGMAP_MAX_CORE_PHDRS = SEGMAP_MAX_VMAS, /* of a core: one for each VMA */
	SEGMAP_MAX_CORE_NOTE = 64 * 1024 * 1024, /* bytes; the kernel's NT_FILE has 16 MiB at most */
	SEGMAP_MAX_LINE = 1024 * 1024, /* bytes of a line of a saved map */
	SEGMAP_MAX_DOCUMENT = 64 * 1024 * 1024, /* bytes of a saved JSON document */
	SEGMAP_MAX_AUDITED = 1 << 24, /* pages of images that an audit looks at: 64 GiB */
	/* Of perf-PID.map, where a process lists the code that it generates; and its lines. */
	SEGMAP_MAX_LISTING = 16 * 1024 * 1024,
	SEGMAP_MAX_GENERATED = 1 << 20,
	SEGMAP_MAX_LOCKS = 1024 * 1024, /* bytes of /proc/locks, which anybody can lengthen */
	SEGMAP_MAX_THREADS = 4096, /* of a process, whose stacks are named */
	SEGMAP_MAX_COMMAND = 4 * 1024 * 1024, /* bytes of /proc/PID/cmdline */
	/* A table of at most this many bytes is read without asking how much of the file is
	 * on disk: file systems that compress or inline small files report few blocks. */
	SEGMAP_SMALL_TABLE = 64 * 1024,
	/* Compressed sections of a file may have so many bytes, unpacked, and so many for each
	 * byte of the file: debug information gets some ten times as short. */
	SEGMAP_SMALL_UNPACKED = 16 * 1024 * 1024,
	SEGMAP_MAX_RATIO = 64,
};

#endif
