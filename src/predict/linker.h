/* src/predict/linker.h - what a dynamic linker's own file says of its rules. */
#ifndef PREDICT_LINKER_H
#define PREDICT_LINKER_H

#include "predict/plan.h"

/* What ld.so says when it refuses (elf/dl-version.c:_dl_check_map_versions). */
#define RELR_REFUSAL "DT_RELR without GLIBC_ABI_DT_RELR dependency"

/* Zero-initialize, free with linker_free(). */
struct linker {
	enum plan_libc libc;	  /* glibc, musl, or unknown */
	unsigned int glibc_minor; /* 36 of 2.36; 0: it does not say */
	bool checks_relr; /* glibc: it wants GLIBC_ABI_DT_RELR of whoever has DT_RELR (2.36, or earlier
			     where a distribution has it) */
	bool skips_machines; /* glibc: a file whose e_ident is wrong is passed over if it is for another
				machine, as by Debian's and Ubuntu's */
	/*
	 * The directories that are searched last, with a slash at the end each
	 * (glibc: SYSTEM_DIRS, which are also the only ones that a set-user-ID program's
	 * $ORIGIN may lead to).
	 */
	char **directories;
	size_t n_directories, cap_directories;
	char *lib;  /* what $LIB stands for: "lib/x86_64-linux-gnu", "lib64"; NULL if unknown */
	char *arch; /* musl: as in /etc/ld-musl-ARCH.path; NULL if unknown */
};

void linker_free(struct linker *linker);

/*
 * Read @file, the dynamic linker of programs like @elf. glibc's says its name
 * and release ("stable release version 2.36", elf/dl-usage.c) and has its
 * directories as one string after the other in read-only memory
 * (elf/dl-load.c:system_dirs); musl's has what it prints when it is called
 * without arguments (ldso/dynlink.c:__dls3). What it does not say is filled in
 * with what is usual for the machine. False: no memory.
 */
bool linker_read(const struct segmap_world *world, const struct segmap_world_file *file,
		 struct linker *ret);

/* Where programs for @elf's machine usually have glibc's dynamic linker; NULL if unknown. */
const char *linker_usual_glibc(const struct segmap_elf *elf);

/* Fill in the directories that are usual for @elf's machine. False: no memory. */
bool linker_usual_directories(const struct segmap_elf *elf, struct linker *ret);

#endif
