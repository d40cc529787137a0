/* src/predict/linker.c - what a dynamic linker's own file says of its rules. */
#include "predict/linker.h"
#include "base/range.h"
#include "base/scope.h"
#include <ctype.h>
#include <elf.h>
#include <segmap/limits.h>
#include <stdio.h>
#include <string.h>

/* A machine, and what glibc's ports to it call things. */
struct port {
	unsigned int machine, class;
	const char *linker;    /* path of glibc's dynamic linker */
	const char *multiarch; /* Debian's directory below /lib and /usr/lib */
	bool lib64;	       /* others have its libraries in lib64 */
};

static const struct port ports[] = {
	{ EM_X86_64, 64, "/lib64/ld-linux-x86-64.so.2", "x86_64-linux-gnu", true },
	{ EM_X86_64, 32, "/libx32/ld-linux-x32.so.2", "x86_64-linux-gnux32", false },
	{ EM_386, 32, "/lib/ld-linux.so.2", "i386-linux-gnu", false },
	{ EM_AARCH64, 64, "/lib/ld-linux-aarch64.so.1", "aarch64-linux-gnu", true },
	{ EM_ARM, 32, "/lib/ld-linux-armhf.so.3", "arm-linux-gnueabihf", false },
	{ EM_RISCV, 64, "/lib/ld-linux-riscv64-lp64d.so.1", "riscv64-linux-gnu", true },
	{ EM_PPC64, 64, "/lib64/ld64.so.2", "powerpc64le-linux-gnu", true },
	{ EM_S390, 64, "/lib/ld64.so.1", "s390x-linux-gnu", true },
};

static const struct port *find_port(const struct segmap_elf *elf)
{
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		if (ports[i].machine == elf->machine && ports[i].class == elf->class)
			return &ports[i];
	return NULL;
}

const char *linker_usual_glibc(const struct segmap_elf *elf)
{
	const struct port *port = find_port(elf);

	return port ? port->linker : NULL;
}

void linker_free(struct linker *linker)
{
	for (size_t i = 0; i < linker->n_directories; i++)
		free(linker->directories[i]);
	free(linker->directories);
	free(linker->lib);
	free(linker->arch);
	*linker = (struct linker){ 0 };
}

/* @directory becomes the linker's; NULL: no memory. */
static bool take_directory(struct linker *linker, char *directory)
{
	if (!directory || !grow(&linker->directories, &linker->cap_directories,
				linker->n_directories, sizeof(*linker->directories))) {
		free(directory);
		return false;
	}
	linker->directories[linker->n_directories++] = directory;
	return true;
}

bool linker_usual_directories(const struct segmap_elf *elf, struct linker *ret)
{
	const struct port *port = find_port(elf);
	const char *const parents[] = { "/lib", "/usr/lib" };

	for (size_t i = 0; port && i < 2; i++) {
		char *directory;

		if (asprintf(&directory, "%s/%s/", parents[i], port->multiarch) < 0 ||
		    !take_directory(ret, directory))
			return false;
	}
	for (size_t i = 0; port && port->lib64 && i < 2; i++) {
		char *directory;

		if (asprintf(&directory, "%s64/", parents[i]) < 0 ||
		    !take_directory(ret, directory))
			return false;
	}
	return take_directory(ret, strdup("/lib/")) && take_directory(ret, strdup("/usr/lib/"));
}

/* ---- strings in a file ---- */

struct blob {
	const char *bytes;
	size_t size;
};

static const char *find_in(const struct blob *blob, const char *from, const char *words)
{
	return memmem(from, (size_t)(blob->bytes + blob->size - from), words, strlen(words));
}

/* Whether the string at @at is an absolute directory of libraries that ends with a slash. */
static bool is_directory_string(const char *at, const char *end)
{
	const char *nul = memchr(at, '\0', (size_t)(end - at));

	if (*at != '/' || !nul || nul - at < 2 || nul[-1] != '/')
		return false;
	for (const char *c = at; c < nul; c++)
		if (!isgraph((unsigned char)*c))
			return false;
	return memmem(at, (size_t)(nul - at), "lib", 3);
}

/* The longest run of such strings, one right behind the other: its start and how many. */
static const char *find_directories(const struct blob *blob, size_t *ret)
{
	const char *end = blob->bytes + blob->size, *best = NULL;

	*ret = 0;
	for (const char *at = blob->bytes; (at = memmem(at, (size_t)(end - at), "\0/", 2));) {
		const char *start = ++at;
		size_t n = 0;

		for (; at < end && is_directory_string(at, end); n++)
			at += strlen(at) + 1;
		if (n > *ret) {
			*ret = n;
			best = start;
		}
	}
	return best;
}

/*
 * The file's segments that are read-only data, one behind the other; where there
 * are none (old linkers put it beside the code), all that is not writable. NULL:
 * no memory.
 */
static char *read_constants(const struct segmap_world *world,
			    const struct segmap_world_file *file, int unwanted, size_t *ret)
{
	const struct segmap_elf *elf = file->elf;
	size_t size = 0, used = 0;
	char *bytes = NULL;

	for (int pass = 0; pass < 2; pass++) {
		bytes = pass ? malloc(size + 1) : bytes;
		if (pass && !bytes)
			return NULL;
		for (size_t i = 0; i < elf->n_segments; i++) {
			const struct segmap_segment *load = &elf->segments[i];
			uint64_t off = load->off, want = 0;
			int64_t got = 0;

			if (load->type != SEGMAP_SEGMENT_LOAD || (load->prot & unwanted) ||
			    off >= elf->size)
				continue;
			want = min_u64(load->filesz, elf->size - off);
			want = min_u64(want, SEGMAP_MAX_LINKER_BYTES - (pass ? used : size));
			if (!pass)
				size += want;
			else if (want <= size - used)
				got = world->read(world->context, file, bytes + used, want,
						  elf->elf_off + off);
			used += got > 0 ? (size_t)got : 0;
		}
	}
	*ret = used;
	return bytes;
}

/* ---- glibc ---- */

/* "lib/x86_64-linux-gnu" of "/usr/lib/x86_64-linux-gnu/", which is how it is configured. */
static char *lib_of(const char *directory)
{
	const char *start = strncmp(directory, "/usr/", 5) == 0 ? directory + 5 : directory + 1;
	size_t length = strlen(start);

	return strndup(start, length ? length - 1 : 0);
}

static bool read_glibc(const struct blob *blob, const struct segmap_elf *elf, struct linker *ret)
{
	/* "ld.so (…) stable release version 2.36." */
	const char *version = find_in(blob, blob->bytes, " release version 2.");
	size_t n;
	const char *directory = find_directories(blob, &n);

	ret->libc = PLAN_LIBC_GLIBC;
	if (version && version + 22 < blob->bytes + blob->size)
		ret->glibc_minor = (unsigned int)atoi(version + strlen(" release version 2."));
	/* "ld.so (Debian GLIBC 2.36-9) stable release version 2.36." */
	ret->skips_machines = find_in(blob, blob->bytes, " (Debian GLIBC ") ||
			      find_in(blob, blob->bytes, " (Ubuntu GLIBC ");
	ret->checks_relr = find_in(blob, blob->bytes, RELR_REFUSAL);
	if (!n && !linker_usual_directories(elf, ret))
		return false;
	for (size_t i = 0; i < n; i++, directory += strlen(directory) + 1)
		if (!take_directory(ret, strdup(directory)))
			return false;
	ret->lib = lib_of(ret->directories[0]);
	return ret->lib;
}

/* ---- musl ---- */

static bool read_musl(const char *banner, const struct blob *blob, struct linker *ret)
{
	static const char *const directories[] = { "/lib", "/usr/local/lib", "/usr/lib" };
	const char *arch = banner + strlen("musl libc ("), *end = arch;

	ret->libc = PLAN_LIBC_MUSL;
	while (end < blob->bytes + blob->size && (isalnum((unsigned char)*end) || *end == '_' ||
						  *end == '-'))
		end++;
	ret->arch = strndup(arch, (size_t)(end - arch));
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		if (!take_directory(ret, strdup(directories[i])))
			return false;
	return ret->arch;
}

/* Look for either in what the file has without any of the permissions @unwanted. */
static bool read_without(const struct segmap_world *world, const struct segmap_world_file *file,
			 int unwanted, struct linker *ret)
{
	size_t size = 0;
	scope_free char *bytes = read_constants(world, file, unwanted, &size);
	struct blob blob = { bytes, size };
	const char *banner;

	if (!bytes)
		return false;
	if (!size)
		return true;
	banner = find_in(&blob, blob.bytes, "musl libc (");
	if (banner)
		return read_musl(banner, &blob, ret);
	if (find_in(&blob, blob.bytes, " release version 2.") ||
	    find_in(&blob, blob.bytes, "GLIBC_PRIVATE"))
		return read_glibc(&blob, file->elf, ret);
	return true;
}

bool linker_read(const struct segmap_world *world, const struct segmap_world_file *file,
		 struct linker *ret)
{
	/* PROT_WRITE 2 and PROT_EXEC 4 are the same on every machine. */
	enum { WRITE = 2, EXEC = 4 };

	ret->libc = PLAN_LIBC_UNKNOWN;
	if (!read_without(world, file, WRITE | EXEC, ret))
		return false;
	/* The banner decides; a linker before 2.33 has only its symbol versions to tell by. */
	if (ret->libc != PLAN_LIBC_UNKNOWN && (ret->libc != PLAN_LIBC_GLIBC || ret->glibc_minor))
		return true;
	linker_free(ret);
	ret->libc = PLAN_LIBC_UNKNOWN;
	return read_without(world, file, WRITE, ret);
}
