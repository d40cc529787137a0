/* src/predict/find_glibc.c - how glibc's dynamic linker finds libraries. */
#include "base/scope.h"
#include "model/elf.h"
#include "predict/planner.h"
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#ifndef DF_1_PIE
#define DF_1_PIE 0x08000000
#endif

enum { EXEC = 4 }; /* PROT_EXEC, the same on every machine */

/* ---- which subdirectories ---- */

static void add_subdirectory(struct planner *planner, const char *before, const char *name,
			     const char *after)
{
	char *subdirectory;

	if (!grow(&planner->subdirectories, &planner->cap_subdirectories,
		  planner->n_subdirectories, sizeof(*planner->subdirectories)) ||
	    asprintf(&subdirectory, "%s%s%s", before, name, after) < 0) {
		planner->failed = true;
		return;
	}
	planner->subdirectories[planner->n_subdirectories++] = subdirectory;
}

/* The value of tunable @name in GLIBC_TUNABLES; *@length 0 and NULL if it is not set. */
static const char *find_tunable(const struct planner *planner, const char *name, size_t *length)
{
	const char *at = planner_getenv(planner, "GLIBC_TUNABLES"), *found = NULL;
	size_t name_length = strlen(name);

	*length = 0;
	for (; at && *at && !planner->plan->secure; at += strcspn(at, ":"), at += *at == ':') {
		if (strncmp(at, name, name_length) == 0 && at[name_length] == '=') {
			found = at + name_length + 1;
			*length = strcspn(found, ":");
		}
	}
	return found;
}

/* Whether glibc.cpu.hwcaps takes @feature from the processor (sysdeps/x86/cpu-tunables.c). */
static bool is_taken_away(const struct planner *planner, const char *feature)
{
	size_t left, length = strlen(feature);
	const char *at = find_tunable(planner, "glibc.cpu.hwcaps", &left);

	while (left) {
		size_t word = strcspn(at, ",:");

		if (*at == '-' && word == length + 1 && memcmp(at + 1, feature, length) == 0)
			return true;
		word += word < left; /* the comma */
		at += word;
		left -= word;
	}
	return false;
}

/* Below which level of x86-64 GLIBC_TUNABLES holds the processor; 5: it does not. */
static unsigned int find_level_limit(struct planner *planner)
{
	static const struct {
		const char *name;
		unsigned int level;
	} features[] = {
		/* Those of the first level are wanted for all others, too. */
		{ "CMOV", 2 },	   { "CX8", 2 },      { "SSE2", 2 },
		{ "POPCNT", 2 },   { "SSSE3", 2 },    { "SSE4_1", 2 },	 { "SSE4_2", 2 },
		{ "AVX", 3 },	   { "AVX2", 3 },     { "BMI1", 3 },	 { "BMI2", 3 },
		{ "FMA", 3 },	   { "LZCNT", 3 },    { "MOVBE", 3 },	 { "OSXSAVE", 3 },
		{ "AVX512F", 4 },  { "AVX512BW", 4 }, { "AVX512CD", 4 }, { "AVX512DQ", 4 },
		{ "AVX512VL", 4 },
	};
	unsigned int limit = 5;

	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (planner->elf->machine == EM_X86_64 && features[i].level < limit &&
		    is_taken_away(planner, features[i].name))
			limit = features[i].level;
	if (limit < 5)
		planner_note(planner,
			     "GLIBC_TUNABLES: glibc.cpu.hwcaps makes the processor one below "
			     "x86-64-v%u: libraries for that and later ones are passed over",
			     limit);
	return limit;
}

/* What glibc calls a processor, and what that takes (sysdeps/x86/cpu-features.c, dl-hwcap.h). */
struct hwcap {
	const char *name;
	uint64_t bit; /* of glibc.cpu.hwcap_mask; 0: it is a platform, which that has no say in */
	const char *features[8];
};

static const struct hwcap hwcap_haswell = {
	"haswell", 0, { "AVX2", "BMI1", "BMI2", "FMA", "LZCNT", "MOVBE", "POPCNT" }
};
static const struct hwcap legacy_hwcaps[] = {
	{ "sse2", 1 << 0, { "SSE2" } },
	{ "x86_64", 1 << 1, { NULL } },
	{ "avx512_1", 1 << 2, { "AVX512BW", "AVX512CD", "AVX512DQ", "AVX512VL" } },
};

static bool lacks_feature(const struct planner *planner, const struct hwcap *hwcap)
{
	for (size_t i = 0; hwcap->features[i]; i++)
		if (is_taken_away(planner, hwcap->features[i]))
			return true;
	return false;
}

/* glibc.cpu.hwcap_mask, which LD_HWCAP_MASK is, too (elf/dl-tunables.list). */
static uint64_t find_hwcap_mask(const struct planner *planner)
{
	size_t length;
	const char *value = find_tunable(planner, "glibc.cpu.hwcap_mask", &length);

	if (!value && !planner->plan->secure)
		value = planner_getenv(planner, "LD_HWCAP_MASK");
	return value ? strtoull(value, NULL, 0) : UINT64_MAX;
}

static bool has_hwcap(const struct planner *planner, const char *name, uint64_t mask)
{
	for (size_t i = 0; i < sizeof(legacy_hwcaps) / sizeof(legacy_hwcaps[0]); i++)
		if (strcmp(legacy_hwcaps[i].name, name) == 0)
			return (legacy_hwcaps[i].bit & mask) && !lacks_feature(planner, &legacy_hwcaps[i]);
	return true;
}

/* What $PLATFORM is for programs of the planner's kind; NULL: unknown. "haswell" has 64 bits. */
static const char *find_platform(const struct planner *planner)
{
	const char *platform = planner->world->platform;

	if (!planner->has_environment)
		return NULL;
	if (planner->elf->machine == EM_386)
		return "i686";
	return platform && strcmp(platform, hwcap_haswell.name) == 0 &&
			       lacks_feature(planner, &hwcap_haswell) ?
		       "x86_64" :
		       platform;
}

/*
 * Until 2.36 the platform and names of features made subdirectories too, in all
 * their combinations, the longest first (elf/dl-hwcaps.c:_dl_important_hwcaps;
 * dropped by commit 3bd80bb1ac of 2.37):
 *
 *   tls/haswell/x86_64/ tls/haswell/ tls/x86_64/ tls/ haswell/x86_64/ haswell/ x86_64/
 */
static void add_legacy_subdirectories(struct planner *planner)
{
	enum { MOST = 4 };
	static const char *const i386[] = { "sse2", NULL };
	const char *const *words = planner->elf->machine == EM_386 ? i386 :
								     planner->world->legacy_hwcaps;
	const char *names[MOST + 1] = { "tls", find_platform(planner) };
	uint64_t mask = find_hwcap_mask(planner);
	size_t n = 1 + (names[1] != NULL);

	for (; words && *words && n <= MOST; words++)
		if (has_hwcap(planner, *words, mask))
			names[n++] = *words;
	for (unsigned int set = (1U << n) - 1; set; set--) {
		char subdirectory[256] = "";

		for (size_t i = 0; i < n; i++) {
			size_t used = strlen(subdirectory);

			if (set & 1U << (n - 1 - i))
				snprintf(subdirectory + used, sizeof(subdirectory) - used, "%s/",
					 names[i]);
		}
		add_subdirectory(planner, "", subdirectory, "");
	}
}

/* "x86-64-v3" is level 3; 0 for a name that says no level. */
static unsigned int level_of_hwcap(const char *name)
{
	unsigned int level;

	return sscanf(name, "x86-64-v%u", &level) == 1 ? level : 0;
}

static void find_subdirectories(struct planner *planner)
{
	/* i386 has none of its own. */
	const char *const *hwcaps = planner->has_environment && planner->elf->machine != EM_386 ?
					    planner->world->hwcaps :
					    NULL;
	unsigned int minor = planner->linker.glibc_minor, limit = find_level_limit(planner);

	for (; hwcaps && *hwcaps && (!minor || minor >= 33); hwcaps++) {
		if (level_of_hwcap(*hwcaps) >= limit)
			continue;
		add_subdirectory(planner, "glibc-hwcaps/", *hwcaps, "/");
		if (!grow(&planner->hwcaps, &planner->cap_hwcaps, planner->n_hwcaps + 1,
			  sizeof(*planner->hwcaps))) {
			planner->failed = true;
			return;
		}
		planner->hwcaps[planner->n_hwcaps++] = *hwcaps;
		planner->hwcaps[planner->n_hwcaps] = NULL;
	}
	if (minor && minor < 37 && planner->has_environment)
		add_legacy_subdirectories(planner);
	add_subdirectory(planner, "", "", "");
}

/* ---- $ORIGIN, $LIB, $PLATFORM ---- */

/*
 * How long the token @name is at @at, behind its dollar; 0 if it is not there.
 * "$ORIGINAL" is none (elf/dl-load.c:is_dst).
 */
static size_t match_token(const char *at, const char *name)
{
	size_t length = strlen(name);
	bool braces = *at == '{';
	char next;

	if (strncmp(at + braces, name, length) != 0)
		return 0;
	next = at[braces + length];
	if (braces)
		return next == '}' ? length + 2 : 0;
	if ((next >= 'A' && next <= 'Z') || (next >= 'a' && next <= 'z') ||
	    (next >= '0' && next <= '9') || next == '_')
		return 0;
	return length;
}

/*
 * Where an object is: the directory of the path by which it was found, links
 * not followed. The program's path is the kernel's, without links
 * (elf/dl-object.c:_dl_new_object, dl-origin.c). NULL if it cannot be known.
 */
static const char *find_origin(struct planner *planner, int32_t object)
{
	const char *path = planner->known[object].realname, *slash = strrchr(path, '/');
	const char *here = planner->world->directory;

	if (*path == '/')
		return slash == path ? "/" : planner_format(planner, "%.*s", (int)(slash - path),
							    path);
	if (!here)
		return NULL;
	if (!slash)
		return here;
	return planner_format(planner, "%s/%.*s", strcmp(here, "/") == 0 ? "" : here,
			      (int)(slash - path), path);
}

/* Whether @path without ".", ".." and "//" begins with a directory that is trusted. */
static bool is_trusted(const struct planner *planner, const char *path, size_t length)
{
	scope_free char *clean = malloc(length + 2);
	size_t used = 0;

	if (!clean)
		return false;
	while (*path) {
		size_t dots = path[0] == '/' && path[1] == '.' ? 1 + (path[2] == '.') : 0;

		if (dots && (path[1 + dots] == '/' || !path[1 + dots])) {
			while (dots == 2 && used && clean[--used] != '/')
				;
			path += 1 + dots;
		} else if (*path == '/' && used && clean[used - 1] == '/') {
			path++;
		} else {
			clean[used++] = *path++;
		}
	}
	if (!used || clean[used - 1] != '/')
		clean[used++] = '/';
	clean[used] = '\0';
	for (size_t i = 0; i < planner->linker.n_directories; i++)
		if (strncmp(clean, planner->linker.directories[i],
			    strlen(planner->linker.directories[i])) == 0)
			return true;
	return false;
}

/*
 * @input with its tokens replaced (elf/dl-load.c:_dl_dst_substitute), of the
 * planner. NULL: it has a token that stands for nothing here, so it is left out.
 */
static const char *expand(struct planner *planner, int32_t object, const char *input,
			  bool *had_tokens)
{
	__attribute__((cleanup(segmap_text_free))) struct segmap_text text = { 0 };
	bool secure = planner->plan->secure, must_be_trusted = false;

	*had_tokens = false;
	if (!strchr(input, '$'))
		return input;
	for (const char *at = input; *at;) {
		const char *value = NULL;
		size_t length;

		if (*at != '$') {
			segmap_text_append_char(&text, *at++);
			continue;
		}
		if ((length = match_token(at + 1, "ORIGIN"))) {
			bool alone = at == input && (!at[1 + length] || at[1 + length] == '/');

			value = secure && !alone ? NULL : find_origin(planner, object);
			must_be_trusted = secure && object == 0;
		} else if ((length = match_token(at + 1, "PLATFORM"))) {
			value = find_platform(planner);
		} else if ((length = match_token(at + 1, "LIB"))) {
			value = planner->linker.lib;
		}
		if (length && !value)
			return NULL;
		*had_tokens |= length;
		segmap_text_append_trusted(&text, length ? value : "$");
		at += 1 + length;
	}
	if (must_be_trusted && !is_trusted(planner, planner_format(planner, "%.*s", (int)text.size,
								   text.bytes), text.size))
		return NULL;
	planner->failed |= text.failed;
	return planner_format(planner, "%.*s", (int)text.size, text.size ? text.bytes : "");
}

/* ---- lists of directories ---- */

/* The directory with this prefix, once for all lists; -1 without memory. */
static int64_t find_directory(struct planner *planner, const char *prefix)
{
	struct directory *directory;

	for (size_t i = 0; i < planner->n_directories; i++)
		if (strcmp(planner->directories[i].prefix, prefix) == 0)
			return (int64_t)i;
	if (!grow(&planner->directories, &planner->cap_directories, planner->n_directories,
		  sizeof(*planner->directories))) {
		planner->failed = true;
		return -1;
	}
	directory = &planner->directories[planner->n_directories];
	directory->prefix = strdup(prefix);
	directory->known = calloc(planner->n_subdirectories, sizeof(*directory->known));
	if (!directory->prefix || !directory->known) {
		planner->failed = true;
		free(directory->prefix);
		free(directory->known);
		return -1;
	}
	return (int64_t)planner->n_directories++;
}

/* Add a directory to a list, as it is written and as it is meant; not twice. */
static void add_directory(struct planner *planner, struct search_path *path, const char *written,
			  const char *meant)
{
	size_t length = strlen(meant);
	int64_t directory;

	while (length > 1 && meant[length - 1] == '/')
		length--;
	directory = find_directory(planner,
				   planner_format(planner, "%.*s%s", (int)length, meant,
						  length && meant[length - 1] != '/' ? "/" : ""));
	for (size_t i = 0; i < path->n; i++)
		if (path->elements[i].directory == directory)
			return;
	if (directory < 0 ||
	    !grow(&path->elements, &path->capacity, path->n, sizeof(*path->elements))) {
		planner->failed = true;
		return;
	}
	path->elements[path->n].directory = (uint32_t)directory;
	path->elements[path->n].written = strdup(written);
	if (path->elements[path->n].written)
		path->n++;
	else
		planner->failed = true;
}

/*
 * Take @text apart at @separators (elf/dl-load.c:fillin_rpath). An empty
 * element is the working directory; one that expands to nothing is left out.
 */
static void split_path(struct planner *planner, struct search_path *path, const char *text,
		       const char *separators, int32_t object)
{
	for (bool more = true; more;) {
		size_t length = strcspn(text, separators);
		const char *written = planner_format(planner, "%.*s", (int)length, text), *meant;
		bool had_tokens;

		meant = expand(planner, object, written, &had_tokens);
		if (meant && (*meant || !*written))
			add_directory(planner, path, written, meant);
		more = text[length];
		text += length + more;
	}
}

/* An object's DT_RPATH or DT_RUNPATH. */
static const struct search_path *object_path(struct planner *planner, int32_t object, bool run)
{
	const struct segmap_linking *linking = planner->plan->objects[object].file.elf->linking;
	struct known *known = &planner->known[object];
	struct search_path *path = run ? &known->runpath : &known->rpath;
	const char *text;

	if (path->made)
		return path;
	path->made = true;
	path->what = run ? "RUNPATH" : "RPATH";
	path->of = planner_base_name(planner, object);
	text = !linking ? NULL : run ? linking->runpath : linking->rpath;
	/* With a RUNPATH the RPATH of the same object does not count. */
	if (text && *text && (run || !linking->runpath))
		split_path(planner, path, text, ":", object);
	return path;
}

static void make_paths(struct planner *planner)
{
	const char *text = planner_getenv(planner, "LD_LIBRARY_PATH");

	planner->defaults.what = "default directory";
	for (size_t i = 0; i < planner->linker.n_directories; i++) {
		const char *directory = planner->linker.directories[i];
		size_t length = strlen(directory);

		add_directory(planner, &planner->defaults,
			      planner_format(planner, "%.*s", (int)(length - (length > 1)),
					     directory),
			      directory);
	}
	planner->environment.what = "LD_LIBRARY_PATH";
	if (!text || !*text)
		return;
	if (planner->plan->secure)
		planner_note(planner, "LD_LIBRARY_PATH is ignored: the program would run with "
				      "other rights than the user's");
	else
		split_path(planner, &planner->environment, text, ":;", 0);
}

/* ---- trying files ---- */

/*
 * What open_verify says of a library's e_ident, which neither the kernel nor musl
 * looks at; NULL: nothing (sysdeps/gnu/ldsodefs.h). The versions of the ABI are
 * those of libc-abis; ABSOLUTE came with 2.28. Arm and MIPS have rules of their own.
 */
static const char *refuse_ident(const struct planner *planner, const struct segmap_elf *elf)
{
	const struct segmap_elf *program = planner->elf;
	unsigned int minor = planner->linker.glibc_minor;
	unsigned int abi_versions = minor && minor < 28 ? 3 : 4;
	bool is_own = program->machine == EM_ARM || program->machine == EM_MIPS;

	if (elf->ident_data != (program->big_endian ? ELFDATA2MSB : ELFDATA2LSB))
		return program->big_endian ? "ELF file data encoding not big-endian" :
					     "ELF file data encoding not little-endian";
	if (elf->ident_version != EV_CURRENT)
		return "ELF file version ident does not match current one";
	if (!is_own && elf->osabi != ELFOSABI_SYSV && elf->osabi != ELFOSABI_GNU)
		return "ELF file OS ABI invalid";
	if (!is_own && elf->abi_version &&
	    (elf->osabi != ELFOSABI_GNU || elf->abi_version >= abi_versions))
		return "ELF file ABI version invalid";
	return elf->ident_padded ? "nonzero padding in e_ident" : NULL;
}

/* Whether glibc takes the file for one of another class: it goes by EI_CLASS. */
static bool has_other_class(const struct planner *planner, const struct segmap_elf *elf)
{
	return elf->ident_class != (planner->elf->class == 64 ? ELFCLASS64 : ELFCLASS32);
}

/* What is wrong with the file up to there, as far as glibc looks; NULL: nothing. */
static const char *refuse_start(const struct planner *planner, const struct segmap_world_file *file)
{
	const struct segmap_elf *elf = file->elf;

	if (elf && elf->size < elf_header_size(planner->elf->class == 64))
		return "file too short";
	if (elf)
		return has_other_class(planner, elf) ? NULL : refuse_ident(planner, elf);
	return file->file && file->file->error ? file->file->error->why :
						 "it is no ELF file that can be loaded";
}

/* Whether nothing is wrong with the ELF header at @start but e_machine, which is another one. */
static bool is_for_other_machine(const struct planner *planner, const unsigned char *start)
{
	static const unsigned char padding[EI_NIDENT - EI_PAD];
	const struct segmap_elf *program = planner->elf;
	const unsigned char *machine = start + offsetof(Elf64_Ehdr, e_machine);
	const unsigned char *version = start + offsetof(Elf64_Ehdr, e_version);
	const struct segmap_elf header = {
		.ident_data = start[EI_DATA],
		.ident_version = start[EI_VERSION],
		.osabi = start[EI_OSABI],
		.abi_version = start[EI_ABIVERSION],
		.ident_padded = memcmp(start + EI_PAD, padding, sizeof(padding)) != 0,
	};

	if (program->machine == (unsigned int)(program->big_endian ? machine[0] << 8 | machine[1] :
								     machine[1] << 8 | machine[0]))
		return false;
	return planner->linker.skips_machines ||
	       (!refuse_ident(planner, &header) &&
		memcmp(version, program->big_endian ? "\0\0\0\1" : "\1\0\0\0", 4) == 0);
}

/*
 * Whether the dynamic linker goes on behind a file that cannot be loaded: it is of another class,
 * or its e_machine is another one, which Debian's asks first. That is read in the program's byte
 * order, as it stands there.
 */
static bool skips(const struct planner *planner, const struct segmap_world_file *file)
{
	const struct segmap_elf *program = planner->elf;
	int64_t size = (int64_t)elf_header_size(program->class == 64);
	unsigned char start[sizeof(Elf64_Ehdr)];

	if (planner->world->read(planner->world->context, file, start, (size_t)size, 0) != size ||
	    memcmp(start, ELFMAG, SELFMAG) != 0)
		return false;
	return start[EI_CLASS] != (program->class == 64 ? ELFCLASS64 : ELFCLASS32) ||
	       is_for_other_machine(planner, start);
}

/* elf/dl-load.c:open_verify, and what _dl_map_object_from_fd refuses without a look at segments. */
static enum try_result try_file(struct planner *planner, const char *path, struct attempt *attempt)
{
	const struct segmap_elf *elf;
	const char *refusal;
	bool other_kind;

	attempt->errnum = planner_open(planner, path, &attempt->file);
	if (attempt->errnum == EISDIR)
		attempt->why = planner_format(planner, "%s is a directory", path);
	if (attempt->errnum)
		return attempt->errnum == EISDIR ? TRY_FATAL : TRY_NOT_THERE;
	elf = attempt->file.elf;
	refusal = refuse_start(planner, &attempt->file);
	other_kind = refusal ? skips(planner, &attempt->file) :
			       has_other_class(planner, elf) ||
				       elf->header_machine != planner->elf->machine;
	if (!refusal && !has_other_class(planner, elf) && elf->other_version) {
		refusal = "ELF file version does not match current one";
		other_kind = false;
	} else if (!refusal && !other_kind && elf->class != planner->elf->class) {
		refusal = "ELF file's phentsize not the expected size";
	}
	if (other_kind) {
		attempt->other_kind = true;
		attempt->errnum = ENOENT;
		return TRY_NOT_THERE;
	}
	if (refusal) {
		attempt->why = planner_format(planner, elf ? "%s: \"%s\"" : "%s: %s", path,
					      refusal);
		return TRY_FATAL;
	}
	attempt->realname = planner_format(planner, "%s", path);
	return TRY_TAKEN;
}

/* Whether subdirectory @index of a directory is there; asked once. */
static bool is_there(struct planner *planner, struct directory *directory, size_t index)
{
	const struct segmap_world *world = planner->world;
	const char *name;

	/* A relative one is never given up: the working directory can change. */
	if (directory->prefix[0] != '/')
		return true;
	if (!directory->known[index]) {
		name = planner_format(planner, "%s%s", directory->prefix,
				      planner->subdirectories[index]);
		directory->known[index] = world->is_directory(world->context, name) ? 1 : 2;
	}
	return directory->known[index] == 1;
}

/* "RUNPATH $ORIGIN/lib of prog (/opt/lib), glibc-hwcaps/x86-64-v3" */
static const char *describe(struct planner *planner, const struct search_path *path,
			    const struct search_element *element, const char *subdirectory)
{
	const char *prefix = planner->directories[element->directory].prefix;
	const char *written = element->written;
	bool expanded = strchr(written, '$');
	int length = (int)strlen(prefix), below = (int)strlen(subdirectory);

	length -= length > 1;
	return planner_format(planner, "%s %s%s%s%s%.*s%s%s%.*s", path->what,
			      *written ? written : "(an empty element: the working directory)",
			      path->of ? " of " : "", path->of ? path->of : "",
			      expanded ? " (" : "", expanded ? length : 0, prefix,
			      expanded ? ")" : "", below ? ", " : "", below ? below - 1 : 0,
			      subdirectory);
}

/* elf/dl-load.c:open_path; @with_mark: only files with the set-user-ID bit. */
static enum try_result try_path(struct planner *planner, const struct search_path *path,
				const char *name, bool with_mark, struct attempt *attempt)
{
	for (size_t i = 0; i < path->n; i++) {
		const struct search_element *element = &path->elements[i];
		struct directory *directory = &planner->directories[element->directory];
		enum try_result result;

		attempt->errnum = 0;
		for (size_t j = 0; j < planner->n_subdirectories; j++) {
			struct segmap_text *text = &planner->path;

			if (!planner_may_try(planner))
				return TRY_FATAL;
			if (!is_there(planner, directory, j))
				continue;
			text->size = 0;
			segmap_text_append_trusted(text, directory->prefix);
			segmap_text_append_trusted(text, planner->subdirectories[j]);
			segmap_text_append_trusted(text, name);
			segmap_text_append_char(text, '\0');
			if (text->failed)
				return TRY_FATAL;
			result = try_file(planner, text->bytes, attempt);
			if (result == TRY_TAKEN && with_mark && !attempt->file.set_user_id) {
				attempt->errnum = ENOENT;
				continue;
			}
			if (result == TRY_TAKEN)
				attempt->found = describe(planner, path, element,
							  planner->subdirectories[j]);
			if (result != TRY_NOT_THERE)
				return result;
		}
		planner_tried(planner, "%s", describe(planner, path, element, ""));
		/* Any other error than these ends the list, not the search. */
		if (attempt->errnum && attempt->errnum != ENOENT && attempt->errnum != EACCES &&
		    attempt->errnum != ENOTDIR)
			break;
	}
	return TRY_NOT_THERE;
}

static const char *ask_cache(struct planner *planner, const char *name)
{
	struct cache_wants wants = {
		.name = name,
		.elf = planner->elf,
		.hwcaps = planner->n_hwcaps ? planner->hwcaps : NULL,
		.isa_level = (unsigned int)planner->n_hwcaps,
	};

	if (!planner->cache_asked)
		planner->cache_bytes = planner_read_file(planner, "/etc/ld.so.cache",
							 &planner->cache.size);
	planner->cache_asked = true;
	planner->cache.bytes = planner->cache_bytes;
	return planner->cache_bytes ? cache_find(&planner->cache, &wants) : NULL;
}

/* DF_1_NODEFLIB of an object: neither the default directories nor the cache's files in them. */
static bool has_nodeflib(const struct planner *planner, int32_t object)
{
	const struct segmap_linking *linking = planner->plan->objects[object].file.elf->linking;

	return linking && (linking->flags_1 & DF_1_NODEFLIB);
}

static bool is_in_default_directory(const struct planner *planner, const char *path)
{
	for (size_t i = 0; i < planner->linker.n_directories; i++)
		if (strncmp(path, planner->linker.directories[i],
			    strlen(planner->linker.directories[i])) == 0)
			return true;
	return false;
}

static enum try_result try_cache(struct planner *planner, int32_t loader, const char *name,
				 struct attempt *attempt)
{
	const char *path = ask_cache(planner, name);
	enum try_result result;

	if (!planner->cache_bytes)
		return TRY_NOT_THERE;
	if (path && has_nodeflib(planner, loader) && is_in_default_directory(planner, path)) {
		planner_tried(planner, "ld.so.cache (but for %s, a default directory, which %s "
				       "excludes by DF_1_NODEFLIB)",
			      path, planner_base_name(planner, loader));
		return TRY_NOT_THERE;
	}
	result = path ? try_file(planner, path, attempt) : TRY_NOT_THERE;
	if (result == TRY_TAKEN)
		attempt->found = planner_format(planner, "ld.so.cache, %s", path);
	else if (result == TRY_NOT_THERE && path)
		planner_tried(planner, "ld.so.cache (it has %s)", path);
	else if (result == TRY_NOT_THERE)
		planner_tried(planner, "ld.so.cache");
	return result;
}

/* The DT_RPATH of who asks, of who asked for that, and so on; and the program's. */
static enum try_result try_rpaths(struct planner *planner, int32_t loader, const char *name,
				  bool with_mark, struct attempt *attempt)
{
	enum try_result result = TRY_NOT_THERE;
	bool did_program = false;

	for (int32_t object = loader; object >= 0 && result == TRY_NOT_THERE;
	     object = planner->known[object].loader) {
		const struct search_path *path = object_path(planner, object, false);

		result = try_path(planner, path, name, with_mark, attempt);
		did_program |= object == 0 && path->n;
	}
	if (result == TRY_NOT_THERE && !did_program)
		result = try_path(planner, object_path(planner, 0, false), name, with_mark,
				  attempt);
	return result;
}

/* A name without a slash: elf/dl-load.c:_dl_map_new_object. */
static enum try_result search(struct planner *planner, int32_t loader, const char *name,
			      bool with_mark, struct attempt *attempt)
{
	const struct segmap_linking *linking = planner->plan->objects[loader].file.elf->linking;
	enum try_result result = TRY_NOT_THERE;

	if (!linking || !linking->runpath)
		result = try_rpaths(planner, loader, name, with_mark, attempt);
	if (result == TRY_NOT_THERE)
		result = try_path(planner, &planner->environment, name, with_mark, attempt);
	if (result == TRY_NOT_THERE)
		result = try_path(planner, object_path(planner, loader, true), name, with_mark,
				  attempt);
	if (result == TRY_NOT_THERE && !with_mark)
		result = try_cache(planner, loader, name, attempt);
	if (result == TRY_NOT_THERE && !has_nodeflib(planner, loader))
		result = try_path(planner, &planner->defaults, name, with_mark, attempt);
	return result;
}

static enum try_result try_name(struct planner *planner, int32_t loader, const char *name,
				bool with_mark, struct attempt *attempt)
{
	enum try_result result;
	const char *path;
	bool had_tokens;

	planner->tried.size = 0;
	if (!strchr(name, '/')) {
		result = search(planner, loader, name, with_mark, attempt);
		if (result == TRY_NOT_THERE)
			attempt->why = planner_not_found(planner, attempt);
		return result;
	}
	path = expand(planner, loader, name, &had_tokens);
	if (!path || !*path) {
		attempt->why = "it is named by a token that stands for nothing here";
		return TRY_NOT_THERE;
	}
	result = try_file(planner, path, attempt);
	attempt->found = had_tokens ? planner_format(planner, "its name has a slash (%s)", path) :
				      "its name has a slash";
	if (result == TRY_NOT_THERE)
		attempt->why = attempt->other_kind ?
				       "it is for another kind of machine or process" :
				       strerror(attempt->errnum);
	return result;
}

/* ---- loading ---- */

/* Why what is found is no library (elf/dl-load.c:_dl_map_object_from_fd); NULL: it is one. */
static const char *refuse(struct planner *planner, const struct attempt *attempt)
{
	const struct segmap_elf *elf = attempt->file.elf;
	bool is_pie = elf->linking && (elf->linking->flags_1 & DF_1_PIE);

	if (elf->type == ET_EXEC || is_pie)
		return planner_format(planner, "%s: it is a program, which cannot be loaded as a "
					       "library",
				      attempt->realname);
	return NULL;
}

/* Whether the stack would have to become executable for @elf (loader-wise; elf/dl-load.c). */
static bool wants_exec_stack(const struct segmap_elf *elf)
{
	/* DEFAULT_STACK_PROT_PERMS of the machines that have x in it (stackinfo.h). */
	bool usual = elf->machine == EM_X86_64 || elf->machine == EM_386 ||
		     elf->machine == EM_ARM || elf->machine == EM_S390 || elf->machine == EM_MIPS;

	return elf->stack_prot == SEGMAP_NO_STACK ? usual : elf->stack_prot & EXEC;
}

/*
 * A library that wants an executable stack gets one unless the program's own
 * flags said so already; since 2.41 (commit 58272284b6) glibc.rtld.execstack=0
 * forbids it. NULL: it can be loaded.
 */
static const char *decide_stack(struct planner *planner, const struct segmap_elf *elf)
{
	size_t length;
	const char *tunable = find_tunable(planner, "glibc.rtld.execstack", &length);
	bool forbidden = planner->linker.glibc_minor >= 41 && length == 1 && *tunable == '0';

	if (!wants_exec_stack(elf) || planner->plan->stack_needs_exec ||
	    wants_exec_stack(planner->elf))
		return NULL;
	if (forbidden)
		return "it wants an executable stack, which glibc.rtld.execstack=0 in "
		       "GLIBC_TUNABLES forbids";
	planner->plan->stack_needs_exec = true;
	planner->plan->stack_object = planner->plan->n_objects; /* it is the next */
	return NULL;
}

/* The object with this name, if it is loaded already (elf/dl-load.c:_dl_lookup_map). */
static int32_t find_loaded(struct planner *planner, const char *name)
{
	for (size_t i = 0; i < planner->n_known; i++) {
		const char *soname = planner->plan->objects[i].file.elf->soname;

		if (planner_has_name(planner, (int32_t)i, name) ||
		    (soname && strcmp(soname, name) == 0))
			return (int32_t)i;
	}
	return -1;
}

/* What a name is, seen by who asks for it. */
enum outcome {
	OUTCOME_LOADED,	 /* now or before; *ret is the object */
	OUTCOME_ELSEWHERE, /* it is the vdso, or the dynamic linker, which is no object here */
	OUTCOME_MISSING, /* with a reason */
};

/* Names of what every process has and no file is looked for. */
static bool is_elsewhere(struct planner *planner, const char *name)
{
	const struct plan *plan = planner->plan;
	const char *usual = linker_usual_glibc(planner->elf), *base = usual ? strrchr(usual, '/') :
									      NULL;

	if (strcmp(name, "linux-vdso.so.1") == 0 || strcmp(name, "linux-gate.so.1") == 0)
		return true;
	return !plan->has_interpreter && base &&
	       (strcmp(name, usual) == 0 || strcmp(name, base + 1) == 0);
}

static void add_loaded(struct planner *planner, const struct attempt *attempt, const char *name,
		       int32_t loader, int32_t *ret)
{
	*ret = planner_add(planner, &attempt->file, name, attempt->found, loader);
	if (*ret < 0)
		return;
	planner->known[*ret].loader = loader;
	planner->known[*ret].has_identity = true;
	planner->known[*ret].realname = attempt->realname;
	planner_add_name(planner, *ret, name);
	planner_add_name(planner, *ret, attempt->realname);
}

/* elf/dl-load.c:_dl_map_object. *@why is set where it is missing. */
static enum outcome load(struct planner *planner, int32_t loader, const char *name, bool with_mark,
			 int32_t *ret, const char **why)
{
	struct attempt attempt = { 0 };

	*ret = find_loaded(planner, name);
	if (*ret >= 0)
		return OUTCOME_LOADED;
	if (is_elsewhere(planner, name))
		return OUTCOME_ELSEWHERE;
	if (try_name(planner, loader, name, with_mark, &attempt) != TRY_TAKEN) {
		*why = attempt.why ? attempt.why : "";
		return OUTCOME_MISSING;
	}
	*ret = planner_find_file(planner, &attempt.file);
	if (*ret >= 0) {
		planner_add_name(planner, *ret, planner_format(planner, "%s", name));
		return OUTCOME_LOADED;
	}
	*why = refuse(planner, &attempt);
	if (!*why)
		*why = decide_stack(planner, attempt.file.elf);
	if (*why)
		return OUTCOME_MISSING;
	add_loaded(planner, &attempt, name, loader, ret);
	return *ret < 0 ? OUTCOME_ELSEWHERE : OUTCOME_LOADED;
}

/* ---- LD_PRELOAD and /etc/ld.so.preload ---- */

static void preload(struct planner *planner, const char *name, const char *where)
{
	size_t before = planner->plan->n_objects;
	bool secure = planner->plan->secure;
	const char *why;
	int32_t object;
	struct plan_object *added;
	char *found;

	if (load(planner, 0, name, secure, &object, &why) == OUTCOME_MISSING) {
		planner_add_missing(planner, name, why, -1);
		return;
	}
	if (planner->plan->n_objects == before)
		return;
	added = &planner->plan->objects[object];
	added->preloaded = true;
	added->needed_by = -1;
	if (asprintf(&found, "%s%s%s", where, strchr(name, '/') ? "" : ", ",
		     strchr(name, '/') ? "" : added->found) < 0) {
		planner->failed = true;
		return;
	}
	free(added->found);
	added->found = found;
}

/* elf/rtld.c:handle_preload_list: blanks and colons separate. */
static void preload_environment(struct planner *planner)
{
	const char *at = planner_getenv(planner, "LD_PRELOAD");

	while (at && *at) {
		size_t length = strcspn(at, " :");
		const char *name = planner_format(planner, "%.*s", (int)length, at);

		if (length && planner->plan->secure && strchr(name, '/'))
			planner_note(planner, "LD_PRELOAD %s is ignored: the program would run "
					      "with other rights than the user's",
				     name);
		else if (length && length < PATH_MAX)
			preload(planner, name, "LD_PRELOAD");
		at += length + (at[length] != '\0');
	}
}

/* elf/rtld.c:dl_main: names between blanks, colons and newlines; from # on a line is a comment. */
static void preload_file(struct planner *planner)
{
	size_t size;
	scope_free char *text = planner_read_file(planner, "/etc/ld.so.preload", &size);

	for (char *at = text; at && at < text + size; at++)
		if (*at == '#')
			while (at < text + size && *at != '\n')
				*at++ = ' ';
	for (char *at = text; at && *at;) {
		size_t length = strcspn(at, ": \t\n");

		if (length)
			preload(planner, planner_format(planner, "%.*s", (int)length, at),
				"/etc/ld.so.preload");
		at += length;
		at += *at != '\0';
	}
}

/* ---- the order ---- */

/* The objects whose needs are looked at, one after the other (elf/dl-deps.c). */
struct queue {
	int32_t *objects;
	size_t n, capacity;
	size_t at; /* whose turn it is */
};

/*
 * Put @object at @index, unless it is in the queue before; if it is behind, it moves. Whether
 * it is at @index now.
 */
static bool queue_insert(struct planner *planner, struct queue *queue, size_t index, int32_t object)
{
	size_t i;

	for (i = 0; i < queue->n && queue->objects[i] != object; i++)
		;
	if (i < queue->n && i < index)
		return false;
	if (i == queue->n) {
		if (!grow(&queue->objects, &queue->capacity, queue->n, sizeof(*queue->objects))) {
			planner->failed = true;
			return false;
		}
		queue->n++;
	}
	memmove(queue->objects + index + 1, queue->objects + index,
		(i - index) * sizeof(*queue->objects));
	queue->objects[index] = object;
	return true;
}

/* A DT_NEEDED's name with tokens, which secure programs may not have. NULL: *@why it is missing. */
static const char *needed_name(struct planner *planner, int32_t object, const char *name,
			       const char **why)
{
	const char *expanded;
	bool had_tokens;

	if (!strchr(name, '$'))
		return name;
	expanded = expand(planner, object, name, &had_tokens);
	*why = "it is named by a token that stands for nothing here";
	if (had_tokens && planner->plan->secure)
		*why = "a program that runs with other rights may not name it by $ORIGIN, $LIB or "
		       "$PLATFORM";
	return !expanded || !*expanded || (had_tokens && planner->plan->secure) ? NULL : expanded;
}

/* What one object needs. What it has as filters goes before those that follow it. */
static void load_needed(struct planner *planner, struct queue *queue, int32_t object)
{
	const struct segmap_linking *linking = planner->plan->objects[object].file.elf->linking;
	size_t filters = 0;

	for (size_t i = 0;
	     linking && i < linking->n_needed && !planner->failed && !planner->limit; i++) {
		const struct segmap_needed *needed = &linking->needed[i];
		bool is_filter = needed->kind != SEGMAP_NEEDED;
		const char *why, *name = needed_name(planner, object, needed->name, &why);
		enum outcome outcome = OUTCOME_MISSING;
		int32_t found;

		if (name)
			outcome = load(planner, object, name, false, &found, &why);
		if (outcome == OUTCOME_MISSING && needed->kind != SEGMAP_AUXILIARY)
			planner_add_missing(planner, needed->name, why, object);
		if (outcome == OUTCOME_ELSEWHERE)
			planner->plan->interpreter_is_needed |= strncmp(name, "linux-", 6) != 0;
		if (outcome != OUTCOME_LOADED)
			continue;
		if (found == 1 && planner->plan->has_interpreter)
			planner->plan->interpreter_is_needed = true;
		if (queue_insert(planner, queue, is_filter ? queue->at + 1 + filters : queue->n,
				 found))
			filters += is_filter;
	}
}

static void load_in_order(struct planner *planner)
{
	struct plan *plan = planner->plan;
	struct queue queue = { 0 };

	queue_insert(planner, &queue, 0, 0);
	for (size_t i = 1 + plan->has_interpreter; i < plan->n_objects; i++)
		queue_insert(planner, &queue, queue.n, (int32_t)i);
	for (; queue.at < queue.n && !planner->failed && !planner->limit; queue.at++)
		load_needed(planner, &queue, queue.objects[queue.at]);
	free(queue.objects);
}

/* ---- symbol versions ---- */

/* Whether @elf lacks the version (elf/dl-version.c:match_symbol). */
static bool lacks_version(const struct segmap_elf *elf, const struct segmap_version *version)
{
	const struct segmap_linking *linking = elf->linking;

	/* Without any versions of its own all that comes is a warning. */
	if (!linking || !linking->defines_versions || linking->versions_cut_short ||
	    version->weak)
		return false;
	for (size_t i = 0; i < linking->n_defined; i++)
		if (linking->defined[i].hash == version->hash &&
		    strcmp(linking->defined[i].name, version->name) == 0)
			return false;
	return true;
}

/* Why not all versions that the object wants are there; NULL: they are. */
static const char *find_missing_version(struct planner *planner, int32_t object)
{
	const struct plan_object *objects = planner->plan->objects;
	const struct segmap_linking *linking = objects[object].file.elf->linking;

	for (size_t i = 0; linking && i < linking->n_wanted; i++) {
		const struct segmap_version *version = &linking->wanted[i];
		int32_t by = find_loaded(planner, version->file);

		if (by >= 0 && lacks_version(objects[by].file.elf, version))
			return planner_format(planner, "%s: version %s not found, which %s requires",
					      objects[by].file.path, version->name,
					      planner_base_name(planner, object));
	}
	return NULL;
}

/*
 * Whether @linking has relocations that a glibc before 2.36 would pass over, and does not
 * say so: it wants versions, needs libc, and does not want GLIBC_ABI_DT_RELR of it.
 */
static bool has_unmarked_relr(const struct segmap_linking *linking)
{
	enum { HASH_OF_NAME = 0xfd0e42 };

	if (!linking || !linking->has_relr || !linking->n_wanted || linking->versions_cut_short)
		return false;
	for (size_t i = 0; i < linking->n_wanted; i++)
		if (linking->wanted[i].hash == HASH_OF_NAME &&
		    strcmp(linking->wanted[i].name, "GLIBC_ABI_DT_RELR") == 0)
			return false;
	for (size_t i = 0; i < linking->n_needed; i++)
		if (linking->needed[i].kind == SEGMAP_NEEDED &&
		    strncmp(linking->needed[i].name, "libc.so.", strlen("libc.so.")) == 0)
			return true;
	return false;
}

/* ld.so gives up for the reason @why. */
static void refuse_plan(struct planner *planner, const char *why)
{
	planner->plan->refused = strdup(why);
	planner->failed |= !planner->plan->refused;
}

/* elf/dl-version.c:_dl_check_all_versions */
static void check_versions(struct planner *planner)
{
	struct plan *plan = planner->plan;

	for (size_t i = 0; i < plan->n_objects && !plan->refused && !planner->failed; i++) {
		const struct segmap_world_file *file = &plan->objects[i].file;
		const char *why = find_missing_version(planner, (int32_t)i);

		if (!why && planner->linker.checks_relr && has_unmarked_relr(file->elf->linking))
			why = planner_format(planner, "%s: \"" RELR_REFUSAL "\"", file->path);
		if (why)
			refuse_plan(planner, why);
	}
}

/* ---- levels of x86-64 ---- */

/* What the processor has of them, a bit for each, whatever GLIBC_TUNABLES says. */
static uint32_t find_isa(const struct segmap_world *world)
{
	const char *best = world->hwcaps && world->hwcaps[0] ? world->hwcaps[0] : "";
	unsigned int level = level_of_hwcap(best);

	return (1U << (level ? level : 1)) - 1;
}

/* Since 2.33, of all objects but the dynamic linker (sysdeps/x86/dl-prop.h:dl_isa_level_check). */
static void check_isa(struct planner *planner)
{
	struct plan *plan = planner->plan;
	uint32_t lacking = ~find_isa(planner->world);

	if (planner->linker.glibc_minor < 33 || !planner->has_environment)
		return;
	for (size_t i = 0; i < plan->n_objects && !plan->refused && !planner->failed; i++)
		if ((plan->objects[i].file.elf->isa_needed & lacking) &&
		    !(i == 1 && plan->has_interpreter))
			refuse_plan(planner,
				    planner_format(planner,
						   "%s: \"CPU ISA level is lower than required\"",
						   plan->objects[i].file.path));
}

/* ---- the whole ---- */

/* LD_AUDIT, and since 2.32 what the program itself asks for (elf/rtld.c:dl_main). */
static void note_audit(struct planner *planner)
{
	const struct segmap_linking *linking = planner->elf->linking;
	unsigned int minor = planner->linker.glibc_minor;
	const char *audit = planner_getenv(planner, "LD_AUDIT"), *by = NULL;

	if (audit && *audit)
		by = "LD_AUDIT is set";
	else if (linking && linking->has_audit && !planner->options->is_library &&
		 (!minor || minor >= 32))
		by = "the program has a DT_AUDIT or DT_DEPAUDIT";
	if (by)
		planner_note(planner, "%s: what auditing libraries load and change is not "
				      "predicted", by);
}

static void read_environment(struct planner *planner)
{
	struct plan *plan = planner->plan;
	unsigned int minor = planner->linker.glibc_minor;
	const char *now = planner_getenv(planner, "LD_BIND_NOW");
	size_t length;
	const char *tunable = find_tunable(planner, "glibc.rtld.execstack", &length);

	/* A secure program ignores it since 2.39 (elf/rtld.c:process_envvars_secure). */
	if (now && *now && !(plan->secure && minor >= 39))
		plan->bind_now = true;
	note_audit(planner);
	if (minor < 41 || length != 1 || planner->options->is_library)
		return;
	if (*tunable == '2') {
		plan->stack_needs_exec = true;
		planner_note(planner, "GLIBC_TUNABLES: glibc.rtld.execstack=2 makes the stack "
				      "executable");
	}
	if (*tunable == '0' && wants_exec_stack(planner->elf))
		refuse_plan(planner, "executable stack is not allowed: glibc.rtld.execstack=0 in "
				     "GLIBC_TUNABLES");
}

void planner_load_glibc(struct planner *planner)
{
	struct plan *plan = planner->plan;

	read_environment(planner);
	find_subdirectories(planner);
	make_paths(planner);
	if (plan->has_interpreter)
		planner_add_name(planner, 1, planner->elf->interp);
	if (planner->options->is_library) {
		planner->known[0].has_identity = true;
		planner_add_name(planner, 0, plan->objects[0].file.path);
	} else {
		preload_environment(planner);
		if (planner->has_environment)
			preload_file(planner);
	}
	load_in_order(planner);
	if (!plan->refused && !plan->n_missing)
		check_versions(planner);
	if (!plan->refused && !plan->n_missing)
		check_isa(planner);
}
