/* src/predict/plan.c - which files will be loaded, in which order, and why each of them. */
#include "predict/plan.h"
#include "base/scope.h"
#include "predict/planner.h"
#include <elf.h>
#include <errno.h>
#include <segmap/limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- what the planner keeps ---- */

/* @string, which can be NULL, is the planner's from now on. */
static const char *keep(struct planner *planner, char *string)
{
	if (!string || !grow(&planner->strings, &planner->cap_strings, planner->n_strings,
			     sizeof(*planner->strings))) {
		planner->failed = true;
		free(string);
		return "";
	}
	return planner->strings[planner->n_strings++] = string;
}

/* vasprintf() that gives NULL where it fails. */
static SEGMAP_PRINTF(1, 0) char *format_new(const char *format, va_list arguments)
{
	char *string;

	return vasprintf(&string, format, arguments) < 0 ? NULL : string;
}

const char *planner_format(struct planner *planner, const char *format, ...)
{
	va_list arguments;
	char *string;

	va_start(arguments, format);
	string = format_new(format, arguments);
	va_end(arguments);
	return keep(planner, string);
}

void planner_note(struct planner *planner, const char *format, ...)
{
	struct plan *plan = planner->plan;
	va_list arguments;
	char *string;

	va_start(arguments, format);
	string = format_new(format, arguments);
	va_end(arguments);
	if (!string || !grow(&plan->notes, &plan->cap_notes, plan->n_notes, sizeof(*plan->notes))) {
		planner->failed = true;
		free(string);
		return;
	}
	plan->notes[plan->n_notes++] = string;
}

void planner_tried(struct planner *planner, const char *format, ...)
{
	va_list arguments;
	scope_free char *string = NULL;

	va_start(arguments, format);
	string = format_new(format, arguments);
	va_end(arguments);
	if (!string) {
		planner->failed = true;
		return;
	}
	if (planner->tried.size)
		segmap_text_append_trusted(&planner->tried, ", ");
	segmap_text_append_trusted(&planner->tried, string);
}

bool planner_may_try(struct planner *planner)
{
	if (planner->n_tries++ < SEGMAP_MAX_TRIES)
		return true;
	planner->limit = "its libraries would be looked for in too many places";
	return false;
}

const char *planner_not_found(struct planner *planner, const struct attempt *attempt)
{
	const struct segmap_text *tried = &planner->tried;

	return planner_format(planner, "%s %s%.*s",
			      attempt->other_kind ?
				      "only files for another kind of machine or process in" :
				      "no file of this name in",
			      tried->size ? "" : "any place", (int)tried->size,
			      tried->size ? tried->bytes : "");
}

static char *copy(struct planner *planner, const char *string)
{
	char *copied = strdup(string);

	planner->failed |= !copied;
	return copied;
}

/* ---- objects ---- */

const char *planner_base_name(const struct planner *planner, int32_t object)
{
	const char *path = planner->plan->objects[object].file.path, *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

void planner_add_name(struct planner *planner, int32_t object, const char *name)
{
	struct known *known = &planner->known[object];

	if (!name || planner_has_name(planner, object, name))
		return;
	if (!grow(&known->names, &known->cap_names, known->n_names, sizeof(*known->names)))
		planner->failed = true;
	else
		known->names[known->n_names++] = name;
}

bool planner_has_name(const struct planner *planner, int32_t object, const char *name)
{
	const struct known *known = &planner->known[object];

	for (size_t i = 0; i < known->n_names; i++)
		if (strcmp(known->names[i], name) == 0)
			return true;
	return false;
}

int32_t planner_find_file(const struct planner *planner, const struct segmap_world_file *file)
{
	for (size_t i = 0; i < planner->n_known; i++)
		if (planner->known[i].has_identity &&
		    planner->plan->objects[i].file.file == file->file)
			return (int32_t)i;
	return -1;
}

int32_t planner_add(struct planner *planner, const struct segmap_world_file *file, const char *name,
		    const char *found, int32_t needed_by)
{
	struct plan *plan = planner->plan;
	struct plan_object *object;

	if (plan->n_objects == SEGMAP_MAX_OBJECTS) {
		planner->limit = "it would load too many libraries";
		return -1;
	}
	if (!grow(&plan->objects, &plan->cap_objects, plan->n_objects, sizeof(*plan->objects)) ||
	    !grow(&planner->known, &planner->cap_known, planner->n_known,
		  sizeof(*planner->known))) {
		planner->failed = true;
		return -1;
	}
	object = &plan->objects[plan->n_objects++];
	*object = (struct plan_object){
		.file = *file,
		.name = copy(planner, name),
		.found = found ? copy(planner, found) : NULL,
		.needed_by = needed_by,
	};
	planner->known[planner->n_known++] = (struct known){ .loader = -1 };
	return (int32_t)plan->n_objects - 1;
}

void planner_add_missing(struct planner *planner, const char *name, const char *why,
			 int32_t needed_by)
{
	struct plan *plan = planner->plan;

	for (size_t i = 0; i < plan->n_missing; i++)
		if (plan->missing[i].name && strcmp(plan->missing[i].name, name) == 0)
			return;
	if (!grow(&plan->missing, &plan->cap_missing, plan->n_missing, sizeof(*plan->missing))) {
		planner->failed = true;
		return;
	}
	plan->missing[plan->n_missing++] = (struct plan_missing){
		.name = copy(planner, name),
		.why = copy(planner, why),
		.needed_by = needed_by,
	};
}

const char *planner_getenv(const struct planner *planner, const char *name)
{
	return planner->has_environment ? segmap_world_getenv(planner->world, name) : NULL;
}

int planner_open(struct planner *planner, const char *path, struct segmap_world_file *ret)
{
	int errnum = planner->world->open(planner->world->context, path, ret);

	planner->failed |= errnum == ENOMEM;
	return errnum;
}

char *planner_read_file(struct planner *planner, const char *path, size_t *size)
{
	const struct segmap_world *world = planner->world;
	struct segmap_world_file file;
	scope_free char *bytes = NULL;
	int64_t got;

	if (planner_open(planner, path, &file) || !file.file || !file.file->size ||
	    file.file->size > SEGMAP_MAX_LINKER_BYTES)
		return NULL;
	bytes = malloc(file.file->size + 1);
	if (!bytes) {
		planner->failed = true;
		return NULL;
	}
	got = world->read(world->context, &file, bytes, file.file->size, 0);
	if (got <= 0)
		return NULL;
	bytes[got] = '\0';
	*size = (size_t)got;
	return return_ptr(bytes);
}

/* ---- the plan ---- */

static void path_free(struct search_path *path)
{
	for (size_t i = 0; i < path->n; i++)
		free(path->elements[i].written);
	free(path->elements);
}

static void planner_free(struct planner *planner)
{
	for (size_t i = 0; i < planner->n_known; i++) {
		free(planner->known[i].names);
		path_free(&planner->known[i].rpath);
		path_free(&planner->known[i].runpath);
	}
	free(planner->known);
	for (size_t i = 0; i < planner->n_directories; i++) {
		free(planner->directories[i].prefix);
		free(planner->directories[i].known);
	}
	free(planner->directories);
	for (size_t i = 0; i < planner->n_subdirectories; i++)
		free(planner->subdirectories[i]);
	free(planner->subdirectories);
	free(planner->hwcaps);
	path_free(&planner->environment);
	path_free(&planner->defaults);
	free(planner->cache_bytes);
	for (size_t i = 0; i < planner->n_strings; i++)
		free(planner->strings[i]);
	free(planner->strings);
	segmap_text_free(&planner->tried);
	segmap_text_free(&planner->path);
	linker_free(&planner->linker);
}

void plan_free(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_objects; i++) {
		free(plan->objects[i].name);
		free(plan->objects[i].found);
	}
	free(plan->objects);
	for (size_t i = 0; i < plan->n_missing; i++) {
		free(plan->missing[i].name);
		free(plan->missing[i].why);
	}
	free(plan->missing);
	for (size_t i = 0; i < plan->n_notes; i++)
		free(plan->notes[i]);
	free(plan->notes);
	free(plan->refused);
	*plan = (struct plan){ 0 };
}

/* The path of the dynamic linker that whoever loads a library has, by what the library needs. */
static const char *linker_of_library(struct planner *planner)
{
	static const char musl[] = "libc.musl-";
	const struct segmap_linking *linking = planner->elf->linking;

	if (planner->elf->interp)
		return planner->elf->interp;
	for (size_t i = 0; linking && i < linking->n_needed; i++) {
		const char *name = linking->needed[i].name;

		/* Alpine gives its musl this name; elsewhere it is libc.so. */
		if (strncmp(name, musl, strlen(musl)) == 0) {
			size_t arch = strcspn(name + strlen(musl), ".");

			return planner_format(planner, "/lib/ld-musl-%.*s.so.1", (int)arch,
					      name + strlen(musl));
		}
		if (strcmp(name, "libc.so") == 0 && planner->elf->machine == EM_X86_64)
			return "/lib/ld-musl-x86_64.so.1";
		if (strcmp(name, "libc.so") == 0 && planner->elf->machine == EM_AARCH64)
			return "/lib/ld-musl-aarch64.so.1";
	}
	return linker_usual_glibc(planner->elf);
}

/*
 * A library's rules, by a dynamic linker that is only read. Without one on this
 * machine they are glibc's, with the directories that are usual.
 */
static void read_linker_of_library(struct planner *planner)
{
	const struct segmap_world *world = planner->world;
	const char *path = linker_of_library(planner);
	struct segmap_world_file file;

	if (path && planner_open(planner, path, &file) == 0 && file.elf &&
	    file.elf->machine == planner->elf->machine && file.elf->class == planner->elf->class)
		planner->failed |= !linker_read(world, &file, &planner->linker);
	if (planner->linker.libc != PLAN_LIBC_GLIBC && planner->linker.libc != PLAN_LIBC_MUSL) {
		planner->linker.libc = PLAN_LIBC_GLIBC;
		planner->failed |= !linker_usual_directories(planner->elf, &planner->linker);
	}
}

/* The program's own dynamic linker, which becomes objects[1]. */
static void open_interpreter(struct planner *planner, int *errnum)
{
	const struct segmap_world *world = planner->world;
	size_t header_size = planner->elf->class == 64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
	const char *path = planner->elf->interp;
	struct segmap_world_file file;

	/* Opened as a program, then a header is read (fs/binfmt_elf.c, open_exec, elf_read). */
	*errnum = world->open_program(world->context, path, &file);
	planner->failed |= *errnum == ENOMEM;
	planner->linker.libc = PLAN_LIBC_UNKNOWN;
	/* The header of the program's class: what is shorter cannot be judged. */
	if (!*errnum && file.file && file.file->size < header_size)
		*errnum = EIO;
	if (*errnum || !file.elf)
		return;
	planner_add(planner, &file, path, NULL, -1);
	planner->plan->has_interpreter = true;
	planner->failed |= !linker_read(world, &file, &planner->linker);
}

/* Nothing can be said of where the libraries are looked for. */
static void miss_all(struct planner *planner, int errnum)
{
	const struct segmap_linking *linking = planner->elf->linking;
	const char *interp = planner->elf->interp, *why;

	why = errnum ? planner_format(planner, "its dynamic linker %s cannot be opened: %s", interp,
				      strerror(errnum)) :
		       planner_format(planner,
				      "its dynamic linker %s is neither glibc's nor musl's: where "
				      "it looks is not known",
				      interp);
	for (size_t i = 0; linking && i < linking->n_needed; i++)
		planner_add_missing(planner, linking->needed[i].name, why, 0);
}

/* A linker before 2.33 does not say its version: its libc.so.6 has symbols of it. */
static void ask_libc_version(struct planner *planner)
{
	struct plan *plan = planner->plan;

	for (size_t i = 0; i < plan->n_objects && !plan->glibc_minor; i++) {
		const struct segmap_elf *elf = plan->objects[i].file.elf;

		if (!elf->soname || !elf->linking || strcmp(elf->soname, "libc.so.6") != 0)
			continue;
		for (size_t j = 0; j < elf->linking->n_defined; j++) {
			unsigned int minor;

			if (sscanf(elf->linking->defined[j].name, "GLIBC_2.%u", &minor) == 1 &&
			    minor > plan->glibc_minor)
				plan->glibc_minor = minor;
		}
	}
}

static void load_libraries(struct planner *planner, int interp_errnum)
{
	struct plan *plan = planner->plan;

	plan->libc = planner->linker.libc;
	plan->glibc_minor = planner->linker.glibc_minor;
	if (planner->options->no_deps)
		return;
	if (plan->libc == PLAN_LIBC_GLIBC)
		planner_load_glibc(planner);
	else if (plan->libc == PLAN_LIBC_MUSL)
		planner_load_musl(planner);
	else
		miss_all(planner, interp_errnum);
	ask_libc_version(planner);
}

static void fill(struct planner *planner, const struct segmap_world_file *program,
		 int *interp_errnum)
{
	const char *path = program->path, *slash = strrchr(path, '/');
	struct plan *plan = planner->plan;

	if (planner_add(planner, program, slash ? slash + 1 : path, NULL, -1) < 0)
		return;
	planner->known[0].realname = path;
	plan->secure = program->secure && planner->has_environment && !planner->options->is_library;
	plan->bind_now = program->elf->linking && program->elf->linking->bind_now;
	if (planner->options->is_library) {
		read_linker_of_library(planner);
	} else if (!program->elf->interp) {
		plan->libc = PLAN_LIBC_STATIC;
		return;
	} else {
		open_interpreter(planner, interp_errnum);
	}
	load_libraries(planner, *interp_errnum);
}

struct segmap_error *plan_make(const struct segmap_world *world, const struct plan_options *options,
			       const struct segmap_world_file *program, int *interp_errnum,
			       struct plan *ret)
{
	struct planner planner = {
		.world = world,
		.options = options,
		.plan = ret,
		.elf = program->elf,
		.has_environment = !options->foreign,
	};
	bool failed;

	*interp_errnum = 0;
	fill(&planner, program, interp_errnum);
	failed = planner.failed || planner.tried.failed || planner.path.failed;
	planner_free(&planner);
	if (!failed && !planner.limit)
		return NULL;
	plan_free(ret);
	return failed ? segmap_error_no_memory() :
			segmap_error_new(SEGMAP_ERROR_LIMIT, program->path, "%s", planner.limit);
}
