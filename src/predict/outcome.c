/* src/predict/outcome.c - what becomes of a program, in words. */
#include "predict/outcome.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The names of the few errors and signals that loading ends in. */
static const char *errno_name(int errnum)
{
	static const struct {
		int errnum;
		const char *name;
	} names[] = {
		{ EACCES, "EACCES" },	{ EFAULT, "EFAULT" },	  { EINVAL, "EINVAL" },
		{ EISDIR, "EISDIR" },	{ ELIBBAD, "ELIBBAD" },	  { ELOOP, "ELOOP" },
		{ ENOENT, "ENOENT" },	{ ENOEXEC, "ENOEXEC" },	  { ENOMEM, "ENOMEM" },
		{ ENOTDIR, "ENOTDIR" }, { EOVERFLOW, "EOVERFLOW" }, { EPERM, "EPERM" },
		{ EEXIST, "EEXIST" },	{ EIO, "EIO" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].errnum == errnum)
			return names[i].name;
	return "";
}

static void name_error(const struct fate *fate, struct segmap_outcome *ret)
{
	const char *name = "";

	if (fate->end == FATE_KILLED)
		name = fate->signal == SIGBUS ? "SIGBUS" : "SIGSEGV";
	else if (fate->errnum)
		name = errno_name(fate->errnum);
	snprintf(ret->error, sizeof(ret->error), "%s", name);
}

/* "LOAD 5 of ls", as readelf -l counts. */
static void name_segment(const struct segmap_world_file *file, int32_t index, char *ret,
			 size_t size)
{
	const char *slash = strrchr(file->path, '/');
	const struct segmap_segment *segment = &file->elf->segments[index];

	snprintf(ret, size, "%s %u of %s",
		 segment->type == SEGMAP_SEGMENT_LOAD ? "LOAD" : "GNU_RELRO", segment->index,
		 slash ? slash + 1 : file->path);
}

/* What is wrong, as one sentence. NULL: no memory. */
static char *why(const struct fate *fate, const struct segmap_world_file *file,
		 const struct segmap_elf *program)
{
	const struct segmap_segment *segment =
		fate->segment >= 0 ? &file->elf->segments[fate->segment] : NULL;
	const char *interp = program->interp ? program->interp : "";
	char about[300] = "";
	char *text = NULL;
	int length = -1;

	if (segment)
		name_segment(file, fate->segment, about, sizeof(about));
	switch (fate->reason) {
	case FATE_NO_REASON:
		length = asprintf(&text, "it ends");
		break;
	case FATE_FOREIGN:
		length = asprintf(&text, "it is a program for another machine");
		break;
	case FATE_BAD_INTERP_PATH:
		length = asprintf(&text, "PT_INTERP is no path: it must be 2 to 4096 bytes that "
					 "end with a NUL (fs/binfmt_elf.c:load_elf_binary)");
		break;
	case FATE_NO_INTERP:
		length = asprintf(&text, "its interpreter %s cannot be opened: %s", interp,
				  strerror(fate->errnum));
		break;
	case FATE_INTERP_FOREIGN:
		length = asprintf(&text, "its interpreter %s is no ELF file for the same machine",
				  interp);
		break;
	case FATE_INTERP_NO_LOAD:
		length = asprintf(&text, "its interpreter %s has nothing to load: no PT_LOAD with "
					 "p_memsz", interp);
		break;
	case FATE_UNALIGNED_OFF:
		length = asprintf(&text,
				  "%s cannot be mapped: p_offset 0x%" PRIx64 " and p_vaddr 0x%" PRIx64
				  " do not agree within a page", about, segment->off,
				  segment->vaddr);
		break;
	case FATE_FILESZ_OVER_MEMSZ:
		length = asprintf(&text, "%s: p_filesz 0x%" PRIx64 " is more than p_memsz 0x%" PRIx64,
				  about, segment->filesz, segment->memsz);
		break;
	case FATE_OUT_OF_RANGE:
		if (!segment)
			length = asprintf(&text, "its entry point is no address that a process has");
		else
			length = asprintf(&text,
					  "%s: p_vaddr 0x%" PRIx64 " with p_memsz 0x%" PRIx64
					  " reaches past the addresses that a process has", about,
					  segment->vaddr, segment->memsz);
		break;
	case FATE_NOT_MAPPED:
		length = asprintf(&text, "%s%scannot be mapped: %s%s", about,
				  segment ? " " : "a range ", strerror(fate->errnum),
				  fate->errnum == EPERM && file->noexec ?
					  ", since its file system is mounted noexec" : "");
		break;
	case FATE_ZERO_PAST_EOF:
		length = asprintf(&text, "%s: the page in which .bss begins lies behind the end of "
					 "the file, so it cannot be zeroed", about);
		break;
	case FATE_NOT_WRITABLE:
		length = asprintf(&text, "%s: musl gives what it leaves of a page to malloc, and "
					 "another segment has made that page read-only", about);
		break;
	case FATE_NO_LOAD:
		length = asprintf(&text, "%s has no PT_LOAD: \"object file has no loadable segments\"",
				  file->path);
		break;
	case FATE_NO_DYNAMIC:
		length = asprintf(&text,
				  "%s has %s PT_DYNAMIC: \"object file has no dynamic section\"",
				  file->path, file->elf->dynamic_end ? "an empty" : "no");
		break;
	case FATE_NOT_A_LIBRARY:
		length = asprintf(&text, "%s is ET_EXEC: \"cannot dynamically load executable\"",
				  file->path);
		break;
	case FATE_ORDER:
		length = asprintf(&text, "%s begins before the end of the first PT_LOAD: \"ELF load "
					 "command address/offset not page-aligned\" (glibc 2.36)", about);
		break;
	case FATE_RELRO_NOT_MAPPED:
		length = asprintf(&text, "%s reaches over pages that are not mapped: \"cannot apply "
					 "additional memory protection after relocation\"", about);
		break;
	case FATE_TEXTREL_NOT_MAPPED:
		length = asprintf(&text, "DT_TEXTREL: a read-only segment of %s is not mapped all "
					 "over: \"cannot make segment writable for relocation\"",
				  file->path);
		break;
	}
	return length < 0 ? NULL : text;
}

/* @text, which this takes, is the reason. */
static struct segmap_error *finish(struct segmap_outcome *ret, enum segmap_actor by, char *text)
{
	if (!text)
		return segmap_error_no_memory();
	ret->by = by;
	ret->reason = text;
	return NULL;
}

struct segmap_error *outcome_of_fate(const struct fate *fate, enum segmap_actor actor,
				     const struct segmap_world_file *file,
				     const struct segmap_elf *program, struct segmap_outcome *ret)
{
	name_error(fate, ret);
	return finish(ret, actor == SEGMAP_ACTOR_KERNEL ? actor : SEGMAP_ACTOR_LDSO,
		      why(fate, file, program));
}

struct segmap_error *outcome_of_permission(const char *path, struct segmap_outcome *ret)
{
	char *text;

	if (asprintf(&text, "%s may not be executed: it lacks the permission, or its file system is "
			    "mounted noexec", path) < 0)
		text = NULL;
	snprintf(ret->error, sizeof(ret->error), "EACCES");
	return finish(ret, SEGMAP_ACTOR_KERNEL, text);
}

struct segmap_error *outcome_of_missing(const char *name, const char *needed_by,
					struct segmap_outcome *ret)
{
	char *text;

	if (asprintf(&text, "%s, which %s needs, is not found", name, needed_by) < 0)
		text = NULL;
	return finish(ret, SEGMAP_ACTOR_LDSO, text);
}

struct segmap_error *outcome_of_refusal(const char *reason, struct segmap_outcome *ret)
{
	return finish(ret, SEGMAP_ACTOR_LDSO, strdup(reason));
}
