/*
 * tests/fuzz/script.c - #! lines. The file that is opened n-th, from 0 on, is what the input has from
 * byte n * 256 on; one that begins as an ELF file does ends the chain.
 */
#include "predict/script.h"
#include "fuzz.h"
#include <elf.h>
#include <errno.h>
#include <string.h>

struct chain {
	const uint8_t *data;
	size_t size, n_opened;
};

static size_t begin(const struct chain *chain)
{
	size_t at = (chain->n_opened - 1) * SCRIPT_LINE;

	return at < chain->size ? at : chain->size;
}

static int open_next(void *context, const char *path, struct segmap_world_file *ret)
{
	static const struct segmap_elf elf;
	struct chain *chain = context;
	size_t at;

	/* What is to be executed has a name, of one line and without blanks around it. */
	FUZZ_CHECK(path[0] && strlen(path) < SCRIPT_LINE && !strpbrk(path, " \t\n"));
	chain->n_opened++;
	at = begin(chain);
	*ret = (struct segmap_world_file){ .path = "script" };
	if (chain->size - at >= SELFMAG && memcmp(chain->data + at, ELFMAG, SELFMAG) == 0)
		ret->elf = &elf;
	return at == chain->size && chain->n_opened > 1 ? ENOENT : 0;
}

static int64_t read_it(void *context, const struct segmap_world_file *file, void *buffer, size_t size,
		       uint64_t off)
{
	const struct chain *chain = context;
	size_t at = begin(chain), left = chain->size - at;

	(void)file;
	FUZZ_CHECK(off == 0);
	size = size < left ? size : left;
	memcpy(buffer, chain->data + at, size);
	return (int64_t)size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct chain chain = { .data = data, .size = size };
	struct segmap_world world = { .context = &chain, .open = open_next,
				      .open_program = open_next, .read = read_it };
	struct segmap_world_file file;
	struct segmap_layout *layout;
	struct script script = { 0 };
	int errnum = script_follow(&world, "script", false, &file, &script);

	FUZZ_CHECK(chain.n_opened <= SCRIPT_DEPTH + 1 && script.depth <= SCRIPT_DEPTH + 1);
	FUZZ_CHECK(errnum == 0 || errnum == ENOENT || errnum == ENOEXEC || errnum == ELOOP);
	FUZZ_CHECK(fuzz_ok(segmap_layout_new(&layout)));
	layout->target = strdup("script");
	FUZZ_CHECK(fuzz_ok(script_note(&script, layout)));
	segmap_layout_free(layout);
	return 0;
}
