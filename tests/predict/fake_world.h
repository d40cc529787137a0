/* tests/predict/fake_world.h - a world of a few files, each described in a line. */
#ifndef FAKE_WORLD_H
#define FAKE_WORLD_H

#include <segmap/world.h>

enum { FAKE_MAX_FILES = 24 };

/*
 * Words of @spec, separated by blanks, lists by commas: soname=, needed=,
 * filter=, auxiliary=, rpath=, runpath=, defines= and wants=FILE:VERSION (symbol
 * versions), same=PATH (another name of that file), errno=, osabi= and abi-version=
 * with a number, and 32, i386, aarch64, now, exec, pie, relr, nodeflib, suid, secure,
 * nostack, execstack. "-" is no ELF file. An interpreter is an interp= path. @bytes is
 * what can be read of it.
 */
struct fake_file {
	const char *path, *spec;
	const char *bytes;
	size_t size; /* of bytes; 0: strlen() */
};

struct fake_world {
	struct segmap_world world;
	struct fake_file files[FAKE_MAX_FILES];
	struct fake_slot {
		struct segmap_world_file file;
		struct segmap_file identity;
		struct segmap_elf *elf;
		int errnum;
	} slots[FAKE_MAX_FILES];
	unsigned int opened; /* how often open() was called */
};

/* @fake->files up to the first without a path; fills in the rest. x86-64, 4 KiB pages. */
void fake_world_make(struct fake_world *fake);
void fake_world_free(struct fake_world *fake);

#endif
