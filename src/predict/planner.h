/* src/predict/planner.h - what the parts of a plan in the making share. */
#ifndef PREDICT_PLANNER_H
#define PREDICT_PLANNER_H

#include "predict/cache.h"
#include "predict/linker.h"
#include "predict/plan.h"
#include <segmap/text.h>

/* A directory that files are looked for in, as it is put before their names. */
struct directory {
	char *prefix;	 /* "/usr/lib/", "" for the working directory; owned */
	uint32_t *known; /* by number of subdirectory: is it there? 0 not asked, 1 yes, 2 no; owned */
};

/* A list of directories, as some text gives it. */
struct search_path {
	bool made;
	const char *what; /* "RUNPATH", "LD_LIBRARY_PATH" …; constant, or of the planner */
	const char *of;	  /* the object whose it is, base name; NULL for none */
	struct search_element {
		uint32_t directory; /* index in directories */
		char *written;	    /* as the text has it; owned */
	} *elements;
	size_t n, capacity;
};

/* What the planner keeps of a plan's object with the same index. */
struct known {
	const char **names; /* by which it is found again; owned by others */
	size_t n_names, cap_names;
	const char *realname; /* the path by which it was found; of the planner */
	int32_t loader;	      /* who had it loaded; -1: none */
	bool has_identity;    /* the dynamic linker has opened it itself, and knows its inode */
	struct search_path rpath, runpath;
};

/*
 * Lack of memory is remembered in @failed and checked once, at the end: until
 * then every step does as if there were nothing more to do.
 */
struct planner {
	const struct segmap_world *world;
	const struct plan_options *options;
	struct plan *plan;
	const struct segmap_elf *elf; /* of objects[0]: which class and machine all must have */
	struct linker linker;
	bool has_environment; /* of this machine: not for a foreign program */
	bool failed;
	const char *limit; /* what was more than is believed: the plan has failed; NULL */
	size_t n_tries;	   /* places in which libraries were looked for */
	struct known *known;
	size_t n_known, cap_known;
	struct directory *directories;
	size_t n_directories, cap_directories;
	char **subdirectories; /* tried in each directory: "glibc-hwcaps/x86-64-v3/", the last "" */
	size_t n_subdirectories, cap_subdirectories;
	const char **hwcaps; /* of the world, as far as they may be used; NULL at the end */
	size_t n_hwcaps, cap_hwcaps;
	struct search_path environment, defaults;
	struct cache cache;
	bool cache_asked;
	char *cache_bytes;
	char **strings; /* that live as long as the planner */
	size_t n_strings, cap_strings;
	struct segmap_text tried; /* where the current name was looked for */
	struct segmap_text path; /* of the file that is tried; NUL-terminated */
};

/* What became of one try to open a file. */
enum try_result {
	TRY_NOT_THERE, /* or it is of another class or machine: the search goes on */
	TRY_TAKEN,
	TRY_FATAL, /* this file ends the search */
};

struct attempt {
	struct segmap_world_file file; /* TRY_TAKEN */
	const char *realname;	       /* by which it was found; of the planner */
	const char *found;	       /* the phrase; of the planner */
	const char *why;	       /* TRY_FATAL; of the planner */
	int errnum;		       /* TRY_NOT_THERE: why it could not be opened; 0 if it could */
	bool other_kind;	       /* a file of another class or machine was passed over */
};

/* A formatted string that lives as long as the planner; "" without memory. */
const char *planner_format(struct planner *planner, const char *format, ...) SEGMAP_PRINTF(2, 3);

/* A note for the reader. */
void planner_note(struct planner *planner, const char *format, ...) SEGMAP_PRINTF(2, 3);

/* Add an object; its index, or -1. */
int32_t planner_add(struct planner *planner, const struct segmap_world_file *file, const char *name,
		    const char *found, int32_t needed_by);
void planner_add_name(struct planner *planner, int32_t object, const char *name);
bool planner_has_name(const struct planner *planner, int32_t object, const char *name);

/* The library with @file's inode, among those that were opened as libraries; -1 for none. */
int32_t planner_find_file(const struct planner *planner, const struct segmap_world_file *file);

/* @name is not found, or cannot be taken; only once for each name. */
void planner_add_missing(struct planner *planner, const char *name, const char *why,
			 int32_t needed_by);

/* The base name of an object's path. */
const char *planner_base_name(const struct planner *planner, int32_t object);

/* A variable of the environment, unless it does not count; NULL. */
const char *planner_getenv(const struct planner *planner, const char *name);

/* Whether one more place may be looked at; else the plan has failed. */
bool planner_may_try(struct planner *planner);

/* One more place where the current name was looked for. */
void planner_tried(struct planner *planner, const char *format, ...) SEGMAP_PRINTF(2, 3);

/* "no file of this name in A, B"; of the planner. */
const char *planner_not_found(struct planner *planner, const struct attempt *attempt);

/* The world's open(). That there is no memory is no answer, but fails the plan. */
int planner_open(struct planner *planner, const char *path, struct segmap_world_file *ret);

/* All of the file at @path, if it can be read and is not larger than is believed; NUL-terminated
 * and the caller's. NULL: there is none. */
char *planner_read_file(struct planner *planner, const char *path, size_t *size);

/* The libraries, by the rules of each (find_glibc.c, find_musl.c). */
void planner_load_glibc(struct planner *planner);
void planner_load_musl(struct planner *planner);

#endif
