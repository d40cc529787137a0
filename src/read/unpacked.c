/* src/read/unpacked.c - how much the compressed parts of an ELF file are, unpacked. */
#include "read/unpacked.h"
#include <dlfcn.h>
#include <gelf.h>
#include <segmap/limits.h>
#include <string.h>
#ifdef HAVE_LZMA
#include <lzma.h>

/* Those of liblzma's functions that are used. libdw, which unpacks it all again, has loaded it, or cannot. */
struct liblzma {
	void *handle;
	__typeof__(lzma_auto_decoder) *auto_decoder;
	__typeof__(lzma_code) *code;
	__typeof__(lzma_end) *end;
};

static bool liblzma_load(struct liblzma *ret)
{
	*ret = (struct liblzma){ .handle = dlopen("liblzma.so.5", RTLD_NOW | RTLD_NOLOAD) };
	if (!ret->handle)
		return false;
	ret->auto_decoder = (__typeof__(ret->auto_decoder))(uintptr_t)dlsym(ret->handle,
									   "lzma_auto_decoder");
	ret->code = (__typeof__(ret->code))(uintptr_t)dlsym(ret->handle, "lzma_code");
	ret->end = (__typeof__(ret->end))(uintptr_t)dlsym(ret->handle, "lzma_end");
	if (ret->auto_decoder && ret->code && ret->end)
		return true;
	dlclose(ret->handle);
	return false;
}

/* What @data says of its size is for who believes it: unpack it, until there are more bytes than @most. */
static uint64_t unpack(const struct liblzma *liblzma, const Elf_Data *data, uint64_t most)
{
	enum { MEMORY = 128 * 1024 * 1024 }; /* `xz -9` asks for 65 MiB */
	lzma_stream stream = { .next_in = data->d_buf, .avail_in = data->d_size };
	uint8_t out[32 * 1024];
	lzma_ret result = liblzma->auto_decoder(&stream, MEMORY, 0);

	while (result == LZMA_OK && stream.total_out <= most) {
		stream.next_out = out;
		stream.avail_out = sizeof(out);
		result = liblzma->code(&stream, LZMA_FINISH);
	}
	liblzma->end(&stream);
	return result == LZMA_MEM_ERROR || result == LZMA_MEMLIMIT_ERROR ? UINT64_MAX :
									   stream.total_out;
}
#endif

/* Of .gnu_debugdata, an ELF file in an xz file. Without liblzma it is too much. */
static uint64_t size_of_xz(Elf_Scn *scn, uint64_t most)
{
#ifdef HAVE_LZMA
	const Elf_Data *data = elf_rawdata(scn, NULL);
	struct liblzma liblzma;
	uint64_t size = UINT64_MAX;

	if (!data || !data->d_buf)
		return 0;
	if (liblzma_load(&liblzma)) {
		size = unpack(&liblzma, data, most);
		dlclose(liblzma.handle);
	}
	return size;
#else
	(void)scn, (void)most;
	return UINT64_MAX;
#endif
}

/* Of .zdebug_*, as GNU tools made it before SHF_COMPRESSED: "ZLIB", and the size in big-endian order. */
static uint64_t size_of_zdebug(Elf_Scn *scn)
{
	enum { MAGIC = 4, HEADER = 12 };
	const Elf_Data *data = elf_rawdata(scn, NULL);
	uint64_t size = 0;

	if (!data || !data->d_buf || data->d_size < HEADER || memcmp(data->d_buf, "ZLIB", MAGIC) != 0)
		return 0;
	for (int i = MAGIC; i < HEADER; i++)
		size = size << 8 | ((const unsigned char *)data->d_buf)[i];
	return size;
}

/* How many bytes libdw makes of a section; more than @most is as good as the truth. */
static uint64_t unpacked_size(Elf_Scn *scn, const GElf_Shdr *shdr, const char *name, uint64_t most)
{
	GElf_Chdr chdr;

	if (shdr->sh_flags & SHF_COMPRESSED)
		return gelf_getchdr(scn, &chdr) ? chdr.ch_size : 0;
	if (strncmp(name, ".zdebug", 7) == 0)
		return size_of_zdebug(scn);
	return strcmp(name, ".gnu_debugdata") == 0 ? size_of_xz(scn, most) : 0;
}

bool elf_unpacks_within_bounds(Elf *elf, uint64_t on_disk, bool hide)
{
	uint64_t left = SEGMAP_SMALL_UNPACKED + on_disk * SEGMAP_MAX_RATIO;
	bool within = true;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return true; /* nobody can find a section by its name */
	for (Elf_Scn *scn = elf_nextscn(elf, NULL); scn; scn = elf_nextscn(elf, scn)) {
		GElf_Shdr shdr;
		const char *name = gelf_getshdr(scn, &shdr) ? elf_strptr(elf, names, shdr.sh_name) :
							      NULL;
		uint64_t size = name ? unpacked_size(scn, &shdr, name, left) : 0;

		if (size <= left) {
			left -= size;
			continue;
		}
		within = false;
		shdr.sh_name = 0;
		if (!hide || !gelf_update_shdr(scn, &shdr))
			return false;
	}
	return within;
}
