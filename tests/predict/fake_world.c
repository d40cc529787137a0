/* tests/predict/fake_world.c - a world of a few files, each described in a line. */
#include "fake_world.h"
#include <check.h>
#include <elf.h>
#include <errno.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static char *keep(struct segmap_linking *linking, const char *text, size_t length)
{
	linking->strings = reallocarray(linking->strings, linking->n_strings + 1,
					sizeof(*linking->strings));
	ck_assert_ptr_nonnull(linking->strings);
	return linking->strings[linking->n_strings++] = strndup(text, length);
}

/* The next of a list, or NULL. */
static char *next(struct segmap_linking *linking, const char **list)
{
	size_t length = strcspn(*list, ",");
	char *item = length ? keep(linking, *list, length) : NULL;

	*list += length + ((*list)[length] == ',');
	return item;
}

static void add_needed(struct segmap_linking *linking, const char *list,
		       enum segmap_needed_kind kind)
{
	for (char *name; (name = next(linking, &list));) {
		linking->needed = reallocarray(linking->needed, linking->n_needed + 1,
					       sizeof(*linking->needed));
		linking->needed[linking->n_needed++] = (struct segmap_needed){ name, kind };
	}
}

/* VERSION or FILE:VERSION; a question mark behind it: weak. */
static void add_versions(struct segmap_linking *linking, struct segmap_version **versions,
			 size_t *n, const char *list)
{
	for (char *name; (name = next(linking, &list)); (*n)++) {
		char *colon = strchr(name, ':'), *weak = strchr(name, '?');
		struct segmap_version version = { .name = name };

		if (weak)
			*weak = '\0';
		if (colon) {
			*colon = '\0';
			version.file = name;
			version.name = colon + 1;
		}
		version.weak = weak;
		version.hash = (uint32_t)elf_hash(version.name);
		*versions = reallocarray(*versions, *n + 1, sizeof(**versions));
		(*versions)[*n] = version;
	}
}

/* Take a word "@key=value"; NULL if it is another. */
static const char *value_of(const char *word, const char *key)
{
	size_t length = strlen(key);

	return strncmp(word, key, length) == 0 && word[length] == '=' ? word + length + 1 : NULL;
}

static void take_word(struct fake_world *fake, struct fake_slot *slot, const char *word)
{
	struct segmap_elf *elf = slot->elf;
	struct segmap_linking *linking = elf->linking;
	const char *value;

	if ((value = value_of(word, "soname")))
		elf->soname = strdup(value);
	else if ((value = value_of(word, "interp")))
		elf->interp = strdup(value);
	else if ((value = value_of(word, "needed")))
		add_needed(linking, value, SEGMAP_NEEDED);
	else if ((value = value_of(word, "filter")))
		add_needed(linking, value, SEGMAP_FILTER);
	else if ((value = value_of(word, "auxiliary")))
		add_needed(linking, value, SEGMAP_AUXILIARY);
	else if ((value = value_of(word, "rpath")))
		linking->rpath = keep(linking, value, strlen(value));
	else if ((value = value_of(word, "runpath")))
		linking->runpath = keep(linking, value, strlen(value));
	else if ((value = value_of(word, "defines"))) {
		linking->defines_versions = true;
		add_versions(linking, &linking->defined, &linking->n_defined, value);
	} else if ((value = value_of(word, "wants")))
		add_versions(linking, &linking->wanted, &linking->n_wanted, value);
	else if ((value = value_of(word, "osabi")))
		elf->osabi = (unsigned char)atoi(value);
	else if ((value = value_of(word, "abi-version")))
		elf->abi_version = (unsigned char)atoi(value);
	else if ((value = value_of(word, "errno")))
		slot->errnum = atoi(value);
	else if ((value = value_of(word, "same"))) {
		for (struct fake_slot *other = fake->slots; other < slot; other++)
			if (strcmp(fake->files[other - fake->slots].path, value) == 0)
				slot->file = other->file;
	} else if (strcmp(word, "32") == 0 || strcmp(word, "i386") == 0) {
		elf->class = 32;
		elf->ident_class = ELFCLASS32;
		if (word[0] == 'i')
			elf->machine = elf->header_machine = EM_386;
	} else if (strcmp(word, "aarch64") == 0)
		elf->machine = elf->header_machine = EM_AARCH64;
	else if (strcmp(word, "now") == 0)
		linking->bind_now = true;
	else if (strcmp(word, "exec") == 0)
		elf->type = ET_EXEC;
	else if (strcmp(word, "pie") == 0)
		linking->flags_1 |= 0x08000000;
	else if (strcmp(word, "relr") == 0)
		linking->has_relr = true;
	else if (strcmp(word, "nodeflib") == 0)
		linking->flags_1 |= DF_1_NODEFLIB;
	else if (strcmp(word, "suid") == 0)
		slot->file.set_user_id = true;
	else if (strcmp(word, "secure") == 0)
		slot->file.secure = true;
	else if (strcmp(word, "nostack") == 0)
		elf->stack_prot = SEGMAP_NO_STACK;
	else if (strcmp(word, "execstack") == 0)
		elf->stack_prot = PROT_READ | PROT_WRITE | PROT_EXEC;
	else if (strcmp(word, "-") == 0)
		slot->file.elf = NULL;
	else
		ck_abort_msg("what is %s?", word);
}

static void make_slot(struct fake_world *fake, size_t index)
{
	struct fake_file *file = &fake->files[index];
	struct fake_slot *slot = &fake->slots[index];
	char *words = strdup(file->spec), *rest = words, *word;

	if (file->bytes && !file->size)
		file->size = strlen(file->bytes);
	slot->elf = calloc(1, sizeof(*slot->elf));
	slot->elf->linking = calloc(1, sizeof(*slot->elf->linking));
	slot->elf->segments = calloc(1, sizeof(*slot->elf->segments));
	slot->elf->class = 64;
	slot->elf->ident_class = ELFCLASS64;
	slot->elf->ident_data = ELFDATA2LSB;
	slot->elf->ident_version = EV_CURRENT;
	slot->elf->machine = slot->elf->header_machine = EM_X86_64;
	slot->elf->type = ET_DYN;
	slot->elf->stack_prot = PROT_READ | PROT_WRITE;
	slot->elf->size = file->size < sizeof(Elf64_Ehdr) ? sizeof(Elf64_Ehdr) : file->size;
	slot->elf->n_segments = 1;
	slot->elf->segments[0] = (struct segmap_segment){ .prot = PROT_READ,
							  .filesz = file->size };
	/* An ELF file has a header, although it cannot be read. */
	slot->identity = (struct segmap_file){ .size = slot->elf->size, .fd = -1 };
	slot->file = (struct segmap_world_file){ .file = &slot->identity, .elf = slot->elf,
						 .path = file->path };
	while ((word = strsep(&rest, " ")))
		if (*word)
			take_word(fake, slot, word);
	free(words);
}

static int fake_open(void *context, const char *path, struct segmap_world_file *ret)
{
	struct fake_world *fake = context;

	fake->opened++;
	for (size_t i = 0; i < FAKE_MAX_FILES && fake->files[i].path; i++) {
		if (strcmp(fake->files[i].path, path) != 0)
			continue;
		if (!fake->slots[i].errnum)
			*ret = fake->slots[i].file;
		return fake->slots[i].errnum;
	}
	return ENOENT;
}

static int64_t fake_read(void *context, const struct segmap_world_file *file, void *buffer,
			 size_t size, uint64_t off)
{
	struct fake_world *fake = context;

	for (size_t i = 0; i < FAKE_MAX_FILES && fake->files[i].path; i++) {
		const struct fake_file *given = &fake->files[i];

		if (&fake->slots[i].identity != file->file || off > given->size)
			continue;
		if (size > given->size - off)
			size = given->size - off;
		if (size)
			memcpy(buffer, given->bytes + off, size);
		return (int64_t)size;
	}
	return -EIO;
}

/* A directory is what a file is in. */
static bool fake_is_directory(void *context, const char *path)
{
	struct fake_world *fake = context;
	size_t length = strlen(path);

	for (size_t i = 0; i < FAKE_MAX_FILES && fake->files[i].path; i++)
		if (strncmp(fake->files[i].path, path, length) == 0 &&
		    (path[length - 1] == '/' || fake->files[i].path[length] == '/'))
			return true;
	return false;
}

void fake_world_make(struct fake_world *fake)
{
	static const char *const hwcaps[] = { "x86-64-v3", "x86-64-v2", NULL };
	static const char *const legacy[] = { "x86_64", NULL };

	fake->world.context = fake;
	fake->world.open = fake->world.open_program = fake_open;
	fake->world.read = fake_read;
	fake->world.is_directory = fake_is_directory;
	fake->world.page_size = 4096;
	fake->world.machine = EM_X86_64;
	fake->world.directory = "/here";
	fake->world.platform = "haswell";
	fake->world.hwcaps = hwcaps;
	fake->world.legacy_hwcaps = legacy;
	for (size_t i = 0; i < FAKE_MAX_FILES && fake->files[i].path; i++)
		make_slot(fake, i);
}

void fake_world_free(struct fake_world *fake)
{
	for (size_t i = 0; i < FAKE_MAX_FILES; i++)
		segmap_elf_free(fake->slots[i].elf);
}
