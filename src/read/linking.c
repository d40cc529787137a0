/* src/read/linking.c - what the dynamic section tells the dynamic linker, read from a file. */
#include "read/linking.h"
#include "base/range.h"
#include "base/scope.h"
#include "model/elf.h"
#include <elf.h>
#include <segmap/limits.h>
#include <string.h>

#ifndef DT_RELR
#define DT_RELR 36
#endif

/* DT_STRTAB as it stands in the file. */
struct strings {
	const struct linking_source *source;
	uint64_t off, size; /* from the ELF header; as far as the file has it */
	const char *all;    /* all of it, where it is small; belongs to @linking */
	struct segmap_linking *linking;
};

/* The value of the last entry with @tag; false if there is none. */
static bool find_entry(const struct linking_source *source, int64_t tag, uint64_t *ret)
{
	for (size_t i = source->n_entries; i-- > 0;) {
		if (source->entries[i].tag == tag) {
			*ret = source->entries[i].value;
			return true;
		}
	}
	return false;
}

/* Read @size bytes at @off from the ELF header on, all of them. */
static struct segmap_error *read_at(const struct linking_source *source, void *buffer,
				    uint64_t size, uint64_t off)
{
	const struct bytes *bytes = source->bytes;
	int64_t got = bytes_read(bytes, buffer, size, source->elf_off + off);

	if (got < 0)
		return segmap_error_system((int)-got, bytes->name, "read");
	if ((uint64_t)got < size)
		return segmap_error_new(SEGMAP_ERROR_FORMAT, bytes->name,
					"it was truncated while it was read");
	return NULL;
}

/* Where pointer @tag of the dynamic section leads to in the file, and how much is there. */
static bool find_table(const struct linking_source *source, int64_t tag, uint64_t *off,
		       uint64_t *size)
{
	uint64_t value, at;

	if (!find_entry(source, tag, &value))
		return false;
	/* glibc adds the bias to pointers in memory (elf/get-dynamic-info.h). */
	if (source->bytes->loaded && !elf_off_of_vaddr(source->elf, value, &at))
		value -= source->bytes->bias;
	if (!elf_off_of_vaddr(source->elf, value, &at) || at >= source->size)
		return false;
	*off = at;
	*size = source->size - at;
	return true;
}

/* Give @string to the linking, which frees it. */
static struct segmap_error *keep_string(struct segmap_linking *linking, char *string)
{
	if (!grow(&linking->strings, &linking->cap_strings, linking->n_strings,
		  sizeof(*linking->strings))) {
		free(string);
		return segmap_error_no_memory();
	}
	linking->strings[linking->n_strings++] = string;
	return NULL;
}

static struct segmap_error *open_strings(const struct linking_source *source,
					 struct segmap_linking *linking, struct strings *ret)
{
	struct strings strings = { .source = source, .linking = linking };
	struct segmap_error *error;
	uint64_t size;
	char *all;

	*ret = strings;
	if (!find_entry(source, DT_STRSZ, &size) ||
	    !find_table(source, DT_STRTAB, &strings.off, &strings.size))
		return NULL;
	strings.size = min_u64(strings.size, size);
	*ret = strings;
	if (!strings.size || strings.size > SEGMAP_MAX_STRINGS_BYTES)
		return NULL;
	all = malloc(strings.size);
	if (!all)
		return segmap_error_no_memory();
	error = read_at(source, all, strings.size, strings.off);
	if (error) {
		free(all);
		return error;
	}
	ret->all = all;
	return keep_string(linking, all);
}

/* The string at @index, of at most SEGMAP_MAX_SONAME bytes; *@ret NULL if there is none. */
static struct segmap_error *get_string(const struct strings *strings, uint64_t index,
				       const char **ret)
{
	/* Mostly enough; a name that is longer is read a second time. */
	enum { SHORT = 128 };
	uint64_t left = index < strings->size ? strings->size - index : 0;
	uint64_t most = min_u64(left, SEGMAP_MAX_SONAME);

	*ret = NULL;
	if (strings->all) {
		if (memchr(strings->all + index * !!most, '\0', most))
			*ret = strings->all + index;
		return NULL;
	}
	for (uint64_t size = min_u64(most, SHORT); size; size = most) {
		char *string = malloc(size);
		struct segmap_error *error;

		if (!string)
			return segmap_error_no_memory();
		error = read_at(strings->source, string, size, strings->off + index);
		if (!error && memchr(string, '\0', size)) {
			*ret = string;
			return keep_string(strings->linking, string);
		}
		free(string);
		if (error || size == most)
			return error;
	}
	return NULL;
}

static struct segmap_error *get_tagged(const struct strings *strings, int64_t tag,
				       const char **ret)
{
	uint64_t index;

	return find_entry(strings->source, tag, &index) ? get_string(strings, index, ret) : NULL;
}

static bool needed_kind(int64_t tag, enum segmap_needed_kind *ret)
{
	*ret = tag == DT_FILTER	   ? SEGMAP_FILTER :
	       tag == DT_AUXILIARY ? SEGMAP_AUXILIARY :
				     SEGMAP_NEEDED;
	return tag == DT_NEEDED || tag == DT_FILTER || tag == DT_AUXILIARY;
}

static struct segmap_error *parse_needed(const struct strings *strings)
{
	const struct linking_source *source = strings->source;
	struct segmap_linking *linking = strings->linking;
	enum segmap_needed_kind kind;
	size_t capacity = 0;

	for (size_t i = 0; i < source->n_entries; i++) {
		struct segmap_error *error;
		const char *name;

		if (!needed_kind(source->entries[i].tag, &kind))
			continue;
		if (linking->n_needed == SEGMAP_MAX_NEEDED)
			return segmap_error_new(SEGMAP_ERROR_LIMIT, source->bytes->name,
						"it needs more than %d libraries",
						SEGMAP_MAX_NEEDED);
		error = get_string(strings, source->entries[i].value, &name);
		if (error)
			return error;
		if (!name)
			continue;
		if (!grow(&linking->needed, &capacity, linking->n_needed,
			  sizeof(*linking->needed)))
			return segmap_error_no_memory();
		linking->needed[linking->n_needed++] = (struct segmap_needed){ name, kind };
	}
	return NULL;
}

/* A table of the file by its address and size, two tags of the dynamic section. */
static struct segmap_relocations find_relocations(const struct linking_source *source, int64_t tag,
						  int64_t size_tag)
{
	struct segmap_relocations found = { 0 };

	if (!find_entry(source, tag, &found.vaddr) || !find_entry(source, size_tag, &found.size))
		return (struct segmap_relocations){ 0 };
	return found;
}

static void parse_relocations(const struct linking_source *source, struct segmap_linking *linking)
{
	bool is_64 = source->elf->class == 64;
	uint64_t size_of_rel = is_64 ? sizeof(Elf64_Rel) : sizeof(Elf32_Rel);
	uint64_t size_of_rela = is_64 ? sizeof(Elf64_Rela) : sizeof(Elf32_Rela), value;

	linking->rel = find_relocations(source, DT_REL, DT_RELSZ);
	linking->rela = find_relocations(source, DT_RELA, DT_RELASZ);
	linking->n_plt = find_relocations(source, DT_JMPREL, DT_PLTRELSZ).size /
			 (find_entry(source, DT_PLTREL, &value) && value == DT_REL ?
				  size_of_rel :
				  size_of_rela);
	if (find_entry(source, DT_PLTGOT, &value))
		linking->plt_got = value;
	linking->debug_entry = -1;
	for (size_t i = 0; i < source->n_entries; i++)
		if (source->entries[i].tag == DT_DEBUG)
			linking->debug_entry = (int64_t)i;
}

static void parse_flags(const struct linking_source *source, struct segmap_linking *linking)
{
	static const int64_t arrays[] = { DT_INIT_ARRAYSZ, DT_PREINIT_ARRAYSZ };
	uint64_t value;

	if (find_entry(source, DT_FLAGS, &value))
		linking->flags = value;
	if (find_entry(source, DT_FLAGS_1, &value))
		linking->flags_1 = value;
	linking->bind_now = find_entry(source, DT_BIND_NOW, &value) ||
			    (linking->flags & DF_BIND_NOW) || (linking->flags_1 & DF_1_NOW);
	parse_relocations(source, linking);
	linking->has_relr = find_entry(source, DT_RELR, &value);
	linking->has_audit = find_entry(source, DT_AUDIT, &value) ||
			     find_entry(source, DT_DEPAUDIT, &value);
	linking->has_constructors = find_entry(source, DT_INIT, &value) && value;
	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
		if (find_entry(source, arrays[i], &value) && value)
			linking->has_constructors = true;
}

/*
 * Tables of symbol versions are chains: each record says how many bytes on the
 * next is, and where its first name is. Elf32 and Elf64 records are the same.
 */
struct versions {
	const struct strings *strings;
	unsigned char *bytes;
	size_t size;
	size_t left; /* so many records more are believed */
	struct segmap_version **list;
	size_t *n, capacity;
};

static bool version_record(const struct versions *versions, uint64_t at, void *record, size_t size)
{
	if (at > versions->size || versions->size - at < size)
		return false;
	memcpy(record, versions->bytes + at, size);
	return true;
}

static uint32_t word(const struct versions *versions, uint32_t value)
{
	return versions->strings->source->swapped ? __builtin_bswap32(value) : value;
}

static uint16_t half(const struct versions *versions, uint16_t value)
{
	return versions->strings->source->swapped ? __builtin_bswap16(value) : value;
}

/* Add the version whose name is at @index; *@whole becomes false if it cannot be read. */
static struct segmap_error *add_version(struct versions *versions, struct segmap_version version,
					uint32_t index, bool *whole)
{
	struct segmap_error *error = get_string(versions->strings, index, &version.name);

	if (error)
		return error;
	if (!version.name || !versions->left) {
		*whole = false;
		return NULL;
	}
	versions->left--;
	if (!grow(versions->list, &versions->capacity, *versions->n, sizeof(**versions->list)))
		return segmap_error_no_memory();
	(*versions->list)[(*versions->n)++] = version;
	return NULL;
}

/* What is wanted of one file: the chain of names at @at. */
static struct segmap_error *parse_vernauxs(struct versions *versions, uint64_t at,
					   const char *file, bool *whole)
{
	struct segmap_error *error = NULL;
	Elf64_Vernaux aux;

	do {
		if (!version_record(versions, at, &aux, sizeof(aux))) {
			*whole = false;
			return NULL;
		}
		error = add_version(versions,
				    (struct segmap_version){
					    .file = file,
					    .hash = word(versions, aux.vna_hash),
					    .weak = half(versions, aux.vna_flags) & VER_FLG_WEAK,
				    },
				    word(versions, aux.vna_name), whole);
		at += word(versions, aux.vna_next);
	} while (!error && *whole && aux.vna_next);
	return error;
}

static struct segmap_error *parse_verneeds(struct versions *versions, bool *whole)
{
	struct segmap_error *error;
	uint64_t at = 0, records = 0;
	Elf64_Verneed need;
	const char *file;

	do {
		*whole = version_record(versions, at, &need, sizeof(need)) &&
			 half(versions, need.vn_version) == 1 && records++ < SEGMAP_MAX_NEEDED;
		if (!*whole)
			return NULL;
		error = get_string(versions->strings, word(versions, need.vn_file), &file);
		if (error)
			return error;
		*whole = file;
		if (file)
			error = parse_vernauxs(versions, at + word(versions, need.vn_aux), file,
					       whole);
		at += word(versions, need.vn_next);
	} while (!error && *whole && need.vn_next);
	return error;
}

static struct segmap_error *parse_verdefs(struct versions *versions, bool *whole)
{
	struct segmap_error *error = NULL;
	uint64_t at = 0;
	Elf64_Verdef def;
	Elf64_Verdaux aux;

	do {
		*whole = version_record(versions, at, &def, sizeof(def)) &&
			 half(versions, def.vd_version) == 1 &&
			 version_record(versions, at + word(versions, def.vd_aux), &aux,
					sizeof(aux));
		if (!*whole)
			return NULL;
		error = add_version(versions,
				    (struct segmap_version){
					    .hash = word(versions, def.vd_hash),
				    },
				    word(versions, aux.vda_name), whole);
		at += word(versions, def.vd_next);
	} while (!error && *whole && def.vd_next);
	return error;
}

/* The table that @tag points to, by @parse. */
static struct segmap_error *
parse_versions(const struct strings *strings, int64_t tag, struct segmap_version **list, size_t *n,
	       struct segmap_error *(*parse)(struct versions *versions, bool *whole))
{
	scope_free unsigned char *bytes = NULL;
	struct versions versions = { .strings = strings, .left = SEGMAP_MAX_VERSIONS,
				     .list = list, .n = n };
	struct segmap_error *error;
	bool whole = true;
	uint64_t off, size;

	if (!find_table(strings->source, tag, &off, &size)) {
		strings->linking->versions_cut_short |= find_entry(strings->source, tag, &off);
		return NULL;
	}
	versions.size = min_u64(size, SEGMAP_MAX_VERSIONS_BYTES);
	versions.bytes = bytes = malloc(versions.size);
	if (!bytes)
		return segmap_error_no_memory();
	error = read_at(strings->source, bytes, versions.size, off);
	if (!error)
		error = parse(&versions, &whole);
	strings->linking->versions_cut_short |= !whole;
	return error;
}

static struct segmap_error *fill(const struct linking_source *source,
				 struct segmap_linking *linking)
{
	struct strings strings;
	struct segmap_error *error = open_strings(source, linking, &strings);
	uint64_t value;

	parse_flags(source, linking);
	linking->defines_versions = find_entry(source, DT_VERDEF, &value);
	if (!error)
		error = parse_needed(&strings);
	if (!error)
		error = get_tagged(&strings, DT_RPATH, &linking->rpath);
	if (!error)
		error = get_tagged(&strings, DT_RUNPATH, &linking->runpath);
	if (!error)
		error = parse_versions(&strings, DT_VERNEED, &linking->wanted, &linking->n_wanted,
				       parse_verneeds);
	if (!error)
		error = parse_versions(&strings, DT_VERDEF, &linking->defined,
				       &linking->n_defined, parse_verdefs);
	return error;
}

struct segmap_error *linking_parse(const struct linking_source *source,
				   struct segmap_linking **ret)
{
	struct segmap_linking *linking = calloc(1, sizeof(*linking));

	if (!linking)
		return segmap_error_no_memory();
	/* What there is of it goes with the ELF object, whatever happens. */
	*ret = linking;
	return fill(source, linking);
}
