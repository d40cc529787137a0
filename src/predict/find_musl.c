/* src/predict/find_musl.c - how musl's dynamic linker finds libraries (ldso/dynlink.c). */
#include "base/scope.h"
#include "model/elf.h"
#include "predict/planner.h"
#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* ---- paths ---- */

/*
 * DT_RUNPATH, or else DT_RPATH, with $ORIGIN replaced (fixup_rpath); no other
 * token is known, and one that is unknown spoils it all. NULL: there is none.
 */
static const char *rpath_of(struct planner *planner, int32_t object, const char **what)
{
	const struct segmap_linking *linking = planner->plan->objects[object].file.elf->linking;
	const char *realname = planner->known[object].realname, *slash = strrchr(realname, '/');
	__attribute__((cleanup(segmap_text_free))) struct segmap_text text = { 0 };
	const char *path = linking ? linking->runpath : NULL;

	*what = path ? "RUNPATH" : "RPATH";
	if (!path)
		path = linking ? linking->rpath : NULL;
	if (!path || !strchr(path, '$'))
		return path;
	if (planner->plan->secure && (object == 0 || realname[0] != '/'))
		return NULL;
	for (const char *at = path; *at;) {
		size_t token = strncmp(at, "$ORIGIN", 7) == 0	? 7 :
			       strncmp(at, "${ORIGIN}", 9) == 0 ? 9 :
								  0;

		if (*at == '$' && !token)
			return NULL;
		if (token && slash)
			segmap_text_append_bytes(&text, realname, (size_t)(slash - realname));
		else if (token)
			segmap_text_append_char(&text, '.');
		else
			segmap_text_append_char(&text, *at);
		at += token ? token : 1;
	}
	planner->failed |= text.failed;
	return planner_format(planner, "%.*s", (int)text.size, text.size ? text.bytes : "");
}

/* What /etc/ld-musl-ARCH.path two directories above the dynamic linker says, or the default. */
static const char *system_path(struct planner *planner, const char **what)
{
	const char *interp = planner->elf->interp ? planner->elf->interp : "/lib/ld-musl";
	const char *last = strrchr(interp, '/'), *prefix_end = interp;
	struct segmap_world_file file;
	const char *path;
	size_t size;
	char *text;
	int errnum;

	for (const char *at = interp; interp[0] == '/' && at < last; at++)
		if (*at == '/')
			prefix_end = at;
	path = planner_format(planner, "%.*s/etc/ld-musl-%s.path", (int)(prefix_end - interp),
			      interp, planner->linker.arch ? planner->linker.arch : "unknown");
	*what = "default directory";
	errnum = planner_open(planner, path, &file);
	if (errnum == ENOENT)
		return "/lib:/usr/local/lib:/usr/lib";
	*what = path;
	text = errnum ? NULL : planner_read_file(planner, path, &size);
	if (!text)
		return "";
	path = planner_format(planner, "%s", text);
	free(text);
	return path;
}

/* ---- trying files ---- */

/*
 * Open the first file of this name in @path, whatever it is: musl looks no
 * further for one of another class (path_open).
 */
static enum try_result try_path(struct planner *planner, const char *file_name,
				const char *path, const char *what, const char *of,
				struct attempt *attempt)
{
	for (path += strspn(path, ":\n"); *path; path += strspn(path, ":\n")) {
		int length = (int)strcspn(path, ":\n");
		const char *name = planner_format(planner, "%.*s/%s", length, path, file_name);
		const char *place = planner_format(planner, "%s %.*s%s%s", what, length, path,
						   of ? " of " : "", of ? of : "");

		if (!planner_may_try(planner))
			return TRY_FATAL;
		path += length;
		attempt->errnum = planner_open(planner, name, &attempt->file);
		attempt->realname = name;
		attempt->found = place;
		if (!attempt->errnum)
			return TRY_TAKEN;
		planner_tried(planner, "%s", place);
		if (attempt->errnum == ENOENT || attempt->errnum == ENOTDIR ||
		    attempt->errnum == EACCES || attempt->errnum == ENAMETOOLONG)
			continue;
		attempt->why = planner_format(planner, "%s: %s", name, strerror(attempt->errnum));
		return TRY_FATAL;
	}
	return TRY_NOT_THERE;
}

/* A name without a slash; @loader -1: of LD_PRELOAD. */
static enum try_result search_name(struct planner *planner, int32_t loader, const char *name,
				   struct attempt *attempt)
{
	const char *environment = planner_getenv(planner, "LD_LIBRARY_PATH"), *path, *what;
	enum try_result result = TRY_NOT_THERE;

	planner->tried.size = 0;
	if (environment && !planner->plan->secure)
		result = try_path(planner, name, environment, "LD_LIBRARY_PATH", NULL,
				  attempt);
	for (int32_t object = loader; object >= 0 && result == TRY_NOT_THERE;
	     object = planner->known[object].loader) {
		path = rpath_of(planner, object, &what);
		if (path)
			result = try_path(planner, name, path, what,
					  planner_base_name(planner, object), attempt);
	}
	if (result == TRY_NOT_THERE) {
		path = system_path(planner, &what);
		result = try_path(planner, name, path, what, NULL, attempt);
	}
	if (result == TRY_NOT_THERE)
		attempt->why = planner_not_found(planner, attempt);
	return result;
}

static enum try_result try_name(struct planner *planner, int32_t loader, const char *name,
				struct attempt *attempt)
{
	if (strlen(name) > NAME_MAX && !strchr(name, '/')) {
		attempt->why = "its name is too long";
		return TRY_FATAL;
	}
	if (!strchr(name, '/'))
		return search_name(planner, loader, name, attempt);
	attempt->errnum = planner_open(planner, name, &attempt->file);
	attempt->realname = planner_format(planner, "%s", name);
	attempt->found = "its name has a slash";
	if (attempt->errnum)
		attempt->why = strerror(attempt->errnum);
	return attempt->errnum ? TRY_NOT_THERE : TRY_TAKEN;
}

/* ---- loading ---- */

/* musl is all the libraries of C at once, whatever they are called: libc.so, libpthread.so.0 … */
static bool is_self(const struct planner *planner, const char *name)
{
	static const char *const reserved[] = { "c.",  "pthread.", "rt.",   "m.",
						"dl.", "util.",	   "xnet." };
	const char *interp = planner->elf->interp;

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (strncmp(name, "lib", 3) == 0 &&
		    strncmp(name + 3, reserved[i], strlen(reserved[i])) == 0)
			return true;
	return interp && strcmp(name, interp) == 0;
}

/* The library that was found by this name before, by a search. */
static int32_t find_by_name(const struct planner *planner, const char *name)
{
	for (size_t i = 1; i < planner->n_known; i++)
		if (planner_has_name(planner, (int32_t)i, name))
			return (int32_t)i;
	return -1;
}

/* Why the file cannot be mapped as a library; NULL if it can. */
static const char *refuse(struct planner *planner, const struct attempt *attempt)
{
	const struct segmap_elf *elf = attempt->file.elf;

	if (!elf || elf->size < elf_header_size(planner->elf->class == 64))
		return planner_format(planner, "%s: it is no ELF file that can be loaded",
				      attempt->realname);
	if (elf->class != planner->elf->class || elf->machine != planner->elf->machine)
		return planner_format(planner,
				      "%s: it is for another kind of machine or process, and "
				      "musl looks no further",
				      attempt->realname);
	return NULL;
}

/*
 * What was loaded by its path, and is found again by a search, gets a name by which it is
 * found from then on: the base name of that path, whatever was looked for.
 */
static void name_by_path(struct planner *planner, int32_t object)
{
	const char *slash = strrchr(planner->known[object].realname, '/');

	if (slash)
		planner_add_name(planner, object, slash + 1);
}

/* load_library() of what musl itself is not. NULL: it is loaded, as *@ret; else why not. */
static const char *load(struct planner *planner, int32_t loader, const char *name, int32_t *ret)
{
	bool by_path = strchr(name, '/');
	struct attempt attempt = { 0 };
	const char *why;

	*ret = by_path ? -1 : find_by_name(planner, name);
	if (*ret >= 0)
		return NULL;
	if (!*name)
		return "its name is empty";
	if (try_name(planner, loader, name, &attempt) != TRY_TAKEN)
		return attempt.why ? attempt.why : "";
	*ret = planner_find_file(planner, &attempt.file);
	if (*ret >= 0) {
		if (!by_path && !planner->known[*ret].n_names)
			name_by_path(planner, *ret);
		return NULL;
	}
	why = refuse(planner, &attempt);
	if (why)
		return why;
	*ret = planner_add(planner, &attempt.file, name, attempt.found, loader);
	if (*ret < 0)
		return NULL;
	planner->known[*ret].loader = loader;
	planner->known[*ret].has_identity = true;
	planner->known[*ret].realname = attempt.realname;
	if (!by_path)
		planner_add_name(planner, *ret, planner_format(planner, "%s", name));
	return NULL;
}

static void preload(struct planner *planner, const char *name)
{
	struct plan *plan = planner->plan;
	size_t before = plan->n_objects;
	struct plan_object *added;
	const char *why;
	int32_t object;
	char *found;

	if (is_self(planner, name)) {
		plan->interpreter_is_needed = true;
		return;
	}
	why = load(planner, -1, name, &object);
	if (why)
		planner_add_missing(planner, name, why, -1);
	if (plan->n_objects == before)
		return;
	added = &plan->objects[object];
	added->preloaded = true;
	if (asprintf(&found, "LD_PRELOAD%s%s", strchr(name, '/') ? "" : ", ",
		     strchr(name, '/') ? "" : added->found) < 0) {
		planner->failed = true;
		return;
	}
	free(added->found);
	added->found = found;
}

static void load_needed(struct planner *planner, int32_t object)
{
	const struct segmap_linking *linking = planner->plan->objects[object].file.elf->linking;

	for (size_t i = 0; linking && i < linking->n_needed && !planner->failed; i++) {
		const char *name = linking->needed[i].name, *why;
		int32_t found;

		if (linking->needed[i].kind != SEGMAP_NEEDED)
			continue;
		if (is_self(planner, name)) {
			planner->plan->interpreter_is_needed = true;
			continue;
		}
		why = load(planner, object, name, &found);
		if (why)
			planner_add_missing(planner, name, why, object);
	}
}

static void preload_environment(struct planner *planner)
{
	const char *at = planner_getenv(planner, "LD_PRELOAD");

	while (at && *at) {
		size_t length;

		while (isspace((unsigned char)*at) || *at == ':')
			at++;
		for (length = 0; at[length] && !isspace((unsigned char)at[length]) &&
				 at[length] != ':';)
			length++;
		if (length)
			preload(planner, planner_format(planner, "%.*s", (int)length, at));
		at += length;
	}
}

/* Whether a variable is ignored because the program would be secure: then a note says so. */
static void note_ignored(struct planner *planner, const char *name)
{
	const char *value = planner_getenv(planner, name);

	if (value && *value)
		planner_note(planner, "%s is ignored: the program would run with other rights than "
				      "the user's",
			     name);
}

void planner_load_musl(struct planner *planner)
{
	struct plan *plan = planner->plan;

	/* There is no lazy binding. */
	plan->bind_now = true;
	if (plan->secure) {
		note_ignored(planner, "LD_LIBRARY_PATH");
		note_ignored(planner, "LD_PRELOAD");
	}
	if (planner->options->is_library)
		planner->known[0].has_identity = true;
	else if (!plan->secure)
		preload_environment(planner);
	/* Each is asked in the order in which they are loaded; musl itself needs nothing. */
	for (size_t i = 0; i < plan->n_objects && !planner->failed && !planner->limit; i++)
		if (i != 1 || !plan->has_interpreter)
			load_needed(planner, (int32_t)i);
}
