/* src/read/symbols.c - symbols and source lines by libdw, which is loaded when they are asked for. */
#include <segmap/symbols.h>
#include "base/scope.h"
#include "read/bytes.h"
#include "read/unpacked.h"
#include <dlfcn.h>
#include <errno.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <limits.h>
#include <segmap/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/*
 * Which of libdw's functions segmap uses. Most runs ask for no symbol, and to
 * load libdw takes longer than they do.
 */
#define LIBDW_FUNCTIONS(X)             \
	X(dwfl_begin)                  \
	X(dwfl_end)                    \
	X(dwfl_report_begin)           \
	X(dwfl_report_module)          \
	X(dwfl_report_end)             \
	X(dwfl_module_getelf)          \
	X(dwfl_module_getsymtab)       \
	X(dwfl_module_getsym_info)     \
	X(dwfl_module_getsrc)          \
	X(dwfl_lineinfo)               \
	X(dwfl_module_info)            \
	X(dwfl_build_id_find_debuginfo)

struct libdw {
	void *handle;
#define LIBDW_MEMBER(name) __typeof__(name) *name;
	LIBDW_FUNCTIONS(LIBDW_MEMBER)
#undef LIBDW_MEMBER
};

struct symbol {
	uint64_t start, end; /* ELF virtual addresses, [start, end); equal if it has no size */
	uint64_t furthest;   /* the greatest end among it and those before it */
	const char *name;    /* libdw's */
	unsigned char rank;  /* of its binding: the greater is preferred */
};

/* Of one image; read when it is first asked for. */
struct table {
	struct segmap_symbols *owner;
	bool read;
	bool no_memory; /* for all of it: then what is there is not told from what is not */
	Dwfl *dwfl; /* NULL: it has no symbols that can be read */
	Dwfl_Module *module;
	uint64_t dwfl_bias;	/* what libdw adds to ELF virtual addresses */
	void *bytes;		/* of an ELF object that is no file of its own */
	struct symbol *symbols; /* ascending by start; among equals the preferred one is last */
	size_t n, capacity;
	struct symbol **by_name;
};

struct segmap_symbols {
	const struct segmap_layout *layout;
	struct libdw libdw;
	Dwfl_Callbacks callbacks;
	char *debug_path;
	struct table *tables; /* one for each image */
};

static struct segmap_error *libdw_load(struct libdw *ret)
{
	struct libdw libdw;

	errno = 0;
	libdw.handle = dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!libdw.handle && errno == ENOMEM)
		return segmap_error_no_memory();
	if (!libdw.handle)
		return segmap_error_new(SEGMAP_ERROR_SYSTEM, "libdw",
					"%s; symbols need the library of elfutils: install libdw "
					"(Debian: libdw1)",
					dlerror());
#define LIBDW_FIND(name)                                                                           \
	libdw.name = (__typeof__(libdw.name))(uintptr_t)dlsym(libdw.handle, #name);               \
	if (!libdw.name) {                                                                         \
		dlclose(libdw.handle);                                                             \
		return segmap_error_new(SEGMAP_ERROR_SYSTEM, "libdw", "it has no " #name);         \
	}
	LIBDW_FUNCTIONS(LIBDW_FIND)
#undef LIBDW_FIND
	*ret = libdw;
	return NULL;
}

struct segmap_error *segmap_symbols_preload(void)
{
	struct libdw libdw;

	return libdw_load(&libdw); /* it is never unloaded: handles are counted */
}

static const struct segmap_backing *backing_of(const struct segmap_symbols *symbols, size_t image)
{
	int32_t backing = symbols->layout->images[image].backing;

	return backing < 0 ? NULL : &symbols->layout->backings[backing];
}

/* How long a file of @on_disk bytes may be: some file systems keep them compressed. */
static uint64_t most_honest(uint64_t on_disk)
{
	enum { COMPRESSED = 8 };

	return SEGMAP_SMALL_TABLE + on_disk * COMPRESSED;
}

/* Of the file that an image is from, or of what is in memory. */
static uint64_t bytes_on_disk(const struct segmap_symbols *symbols, size_t image)
{
	const struct segmap_backing *backing = backing_of(symbols, image);

	return backing && backing->file ? backing->file->on_disk :
					  symbols->layout->images[image].elf->size;
}

/* The ELF object at @ident says itself what the kernel takes it for. */
static void correct_ident(const struct segmap_elf *elf, unsigned char *ident)
{
	ident[EI_CLASS] = elf->class == 64 ? ELFCLASS64 : ELFCLASS32;
	ident[EI_DATA] = elf->big_endian ? ELFDATA2MSB : ELFDATA2LSB;
	ident[EI_VERSION] = EV_CURRENT;
}

/*
 * An Elf that reads by pread(), so that a file that shrinks meanwhile is an error and
 * no SIGBUS. An object inside a file, or in memory, is read whole first, and so is
 * one whose e_ident would mislead libelf.
 */
static Elf *open_elf(struct segmap_symbols *symbols, size_t index, struct table *table, int *fd)
{
	enum { MOST = 256 * 1024 * 1024 };
	const struct segmap_backing *backing = backing_of(symbols, index);
	const struct segmap_elf *elf = symbols->layout->images[index].elf;
	int from = backing && backing->file ? backing->file->fd : -1;

	*fd = -1;
	elf_version(EV_CURRENT);
	if (!backing)
		return symbols->layout->vdso_bytes ?
			       elf_memory(symbols->layout->vdso_bytes,
					  symbols->layout->vdso_size) :
			       NULL;
	if (from < 0)
		return NULL;
	if (!elf->elf_off && !elf->header_misleads) {
		*fd = fcntl(from, F_DUPFD_CLOEXEC, 0);
		return *fd < 0 ? NULL : elf_begin(*fd, ELF_C_READ, NULL);
	}
	if (elf->size > MOST || elf->size > most_honest(bytes_on_disk(symbols, index)))
		return NULL;
	table->bytes = malloc(elf->size);
	if (!table->bytes || fd_read(from, table->bytes, elf->size, elf->elf_off) !=
				     (int64_t)elf->size)
		return NULL;
	correct_ident(elf, table->bytes);
	return elf_memory(table->bytes, elf->size);
}

/* ---- what libdw asks for; the userdata is the table ---- */

/*
 * libdw takes what it has no memory for as not there, and seldom says so; but
 * malloc sets errno, which is 0 before libdw is called, and what a callback does
 * must not hide it.
 */
static void note_memory(struct table *table)
{
	table->no_memory |= errno == ENOMEM;
}

static int find_elf(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
		    char **file_name, Elf **elf)
{
	struct table *table = *userdata;
	struct segmap_symbols *symbols = table->owner;
	size_t image = (size_t)(table - symbols->tables);
	int fd = -1;

	(void)module, (void)name, (void)base;
	note_memory(table);
	*file_name = NULL;
	*elf = open_elf(symbols, image, table, &fd);
	if (*elf)
		elf_unpacks_within_bounds(*elf, bytes_on_disk(symbols, image), true);
	note_memory(table);
	if (*elf && fd < 0)
		return -1; /* there is no file, and none is needed */
	return fd;
}

/* Whether what libdw will make of a debug file, if there is one, is in proportion to what is on disk. */
static bool is_honest_debug_file(const char *path)
{
	scope_close int named = open(path, O_PATH | O_CLOEXEC), fd = -1;
	struct stat stat;
	uint64_t on_disk;
	Elf *elf;
	bool result;

	if (named < 0 || fstat(named, &stat) || !S_ISREG(stat.st_mode))
		return named < 0;
	on_disk = (uint64_t)stat.st_blocks * 512;
	if ((uint64_t)stat.st_size > most_honest(on_disk))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	result = elf && elf_unpacks_within_bounds(elf, on_disk, false);
	elf_end(elf);
	return result;
}

/* By build-id alone; libdw's usual way also asks servers on the net. */
static int find_debuginfo(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
			  const char *file_name, const char *link, GElf_Word checksum, char **ret)
{
	struct table *table = *userdata;
	const struct segmap_symbols *symbols = table->owner;
	const struct segmap_elf *elf = symbols->layout->images[table - symbols->tables].elf;
	scope_free char *path = NULL;
	int fd = -1;

	note_memory(table);
	/* libdw opens it itself, and unpacks all of it then. */
	if (elf->build_id && asprintf(&path, "%s/.build-id/%.2s/%s.debug", symbols->debug_path,
				      elf->build_id, elf->build_id + 2) < 0)
		path = NULL;
	if (path && is_honest_debug_file(path))
		fd = symbols->libdw.dwfl_build_id_find_debuginfo(module, userdata, name, base,
								 file_name, link, checksum, ret);
	note_memory(table);
	return fd;
}

static int compare_symbols(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	/* One with a size says more; then the one that others can see. */
	if ((x->end > x->start) != (y->end > y->start))
		return x->end > x->start ? 1 : -1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return strcmp(y->name, x->name);
}

static int compare_names(const void *a, const void *b)
{
	const struct symbol *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* "$x" and "$d" tell disassemblers what kind of bytes follow (ELF for the Arm architecture). */
static bool is_mapping_symbol(unsigned int machine, const char *name)
{
	return (machine == EM_ARM || machine == EM_AARCH64 || machine == EM_RISCV) &&
	       name[0] == '$' && name[1] && (!name[2] || name[2] == '.');
}

static bool is_wanted(const GElf_Sym *sym, const char *name, unsigned int machine)
{
	switch (GELF_ST_TYPE(sym->st_info)) {
	case STT_NOTYPE:
	case STT_OBJECT:
	case STT_FUNC:
	case STT_GNU_IFUNC:
		return name && name[0] && sym->st_shndx != SHN_UNDEF &&
		       sym->st_shndx != SHN_ABS && !is_mapping_symbol(machine, name);
	default:
		return false;
	}
}

static unsigned char rank_of(const GElf_Sym *sym)
{
	switch (GELF_ST_BIND(sym->st_info)) {
	case STB_GLOBAL:
	case STB_GNU_UNIQUE:
		return 3;
	case STB_WEAK:
		return 2;
	default:
		return 1;
	}
}

static bool collect(struct segmap_symbols *symbols, struct table *table, unsigned int machine)
{
	const struct libdw *libdw = &symbols->libdw;
	uint64_t furthest = 0;
	int n;

	errno = 0;
	n = libdw->dwfl_module_getsymtab(table->module);
	note_memory(table);
	for (int i = 1; i < n; i++) {
		GElf_Addr addr;
		GElf_Sym sym;
		const char *name = libdw->dwfl_module_getsym_info(table->module, i, &sym, &addr,
								  NULL, NULL, NULL);
		struct symbol *symbol;

		if (!is_wanted(&sym, name, machine))
			continue;
		if (!grow(&table->symbols, &table->capacity, table->n, sizeof(*table->symbols)))
			return false;
		symbol = &table->symbols[table->n++];
		*symbol = (struct symbol){ .name = name, .rank = rank_of(&sym) };
		symbol->start = addr - table->dwfl_bias;
		/* The lowest bit of a function's address says that it is Thumb code. */
		if (machine == EM_ARM && GELF_ST_TYPE(sym.st_info) == STT_FUNC)
			symbol->start &= ~UINT64_C(1);
		if (__builtin_add_overflow(symbol->start, sym.st_size, &symbol->end))
			symbol->end = symbol->start;
	}
	if (table->n)
		qsort(table->symbols, table->n, sizeof(*table->symbols), compare_symbols);
	table->by_name = reallocarray(NULL, table->n + 1, sizeof(struct symbol *));
	if (!table->by_name)
		return false;
	for (size_t i = 0; i < table->n; i++) {
		if (table->symbols[i].end > furthest)
			furthest = table->symbols[i].end;
		table->symbols[i].furthest = furthest;
		table->by_name[i] = &table->symbols[i];
	}
	if (table->n)
		qsort(table->by_name, table->n, sizeof(struct symbol *), compare_names);
	return true;
}

/* Report the image to libdw as its one module, in its own Dwfl. */
static void open_module(struct segmap_symbols *symbols, size_t index, struct table *table)
{
	const struct libdw *libdw = &symbols->libdw;
	const struct segmap_image *image = &symbols->layout->images[index];
	void **userdata = NULL;
	GElf_Addr bias;

	table->owner = symbols;
	errno = 0;
	table->dwfl = libdw->dwfl_begin(&symbols->callbacks);
	if (!table->dwfl) {
		note_memory(table);
		return;
	}
	libdw->dwfl_report_begin(table->dwfl);
	table->module = libdw->dwfl_report_module(
		table->dwfl, segmap_layout_image_path(symbols->layout, (int32_t)index),
		image->start, image->end);
	libdw->dwfl_report_end(table->dwfl, NULL, NULL);
	if (table->module)
		libdw->dwfl_module_info(table->module, &userdata, NULL, NULL, NULL, NULL, NULL,
					NULL);
	if (userdata) {
		*userdata = table;
		if (libdw->dwfl_module_getelf(table->module, &bias)) {
			table->dwfl_bias = bias;
			note_memory(table);
			return;
		}
	}
	note_memory(table);
	libdw->dwfl_end(table->dwfl);
	table->dwfl = NULL;
	table->module = NULL;
}

/* Whether libdw, which believes what headers say, may read the file. */
static bool is_honest(const struct segmap_elf *elf, uint64_t on_disk)
{
	uint64_t most = most_honest(on_disk);

	return elf->size <= most && elf->claimed <= most && !elf->sections_problem;
}

/* The symbols of image @index; *@ret has none where there are none to be read. */
static struct segmap_error *table_of(struct segmap_symbols *symbols, int32_t index,
				     struct table **ret)
{
	struct table *table = &symbols->tables[index];
	const struct segmap_elf *elf = symbols->layout->images[index].elf;

	*ret = table;
	if (!table->read && elf && is_honest(elf, bytes_on_disk(symbols, (size_t)index))) {
		open_module(symbols, (size_t)index, table);
		if (table->module && !collect(symbols, table, elf->machine))
			table->no_memory = true;
	}
	table->read = true;
	return table->no_memory ? segmap_error_no_memory() : NULL;
}

/*
 * The symbol for @vaddr, see segmap_symbols_name(). @furthest says when to stop
 * looking at symbols that begin earlier, so nested ones cost what they are.
 */
static const struct symbol *find_symbol(const struct table *table, uint64_t vaddr, uint64_t lowest)
{
	size_t low = 0, high = table->n;
	uint64_t ended = lowest; /* no label counts from before the end of another symbol */

	while (low < high) { /* the first symbol behind it */
		size_t middle = low + (high - low) / 2;

		if (table->symbols[middle].start > vaddr)
			high = middle;
		else
			low = middle + 1;
	}
	for (size_t i = low; i-- > 0 && table->symbols[i].furthest > vaddr;)
		if (table->symbols[i].end > vaddr)
			return &table->symbols[i];
	for (size_t i = low; i-- > 0 && table->symbols[i].start >= ended;) {
		const struct symbol *symbol = &table->symbols[i];

		if (symbol->end == symbol->start)
			return symbol->furthest > symbol->start ? NULL : symbol;
		if (symbol->end > ended)
			ended = symbol->end;
	}
	return NULL;
}

/* Where the debug information has @vaddr: "file:line". */
static struct segmap_error *find_source(const struct segmap_symbols *symbols, struct table *table,
					uint64_t vaddr, char **ret)
{
	const struct libdw *libdw = &symbols->libdw;
	const char *file;
	Dwfl_Line *line;
	int number = 0;

	*ret = NULL;
	errno = 0;
	line = libdw->dwfl_module_getsrc(table->module, vaddr + table->dwfl_bias);
	file = line ? libdw->dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL) : NULL;
	note_memory(table);
	if (table->no_memory)
		return segmap_error_no_memory();
	if (file && asprintf(ret, "%s:%d", file, number) < 0) {
		*ret = NULL;
		return segmap_error_no_memory();
	}
	return NULL;
}

struct segmap_error *segmap_symbols_name(struct segmap_symbols *symbols, int32_t image,
					 uint64_t addr, uint64_t lowest, char **ret,
					 uint64_t *symbol_off, char **source)
{
	uint64_t bias = symbols->layout->images[image].bias, vaddr = segmap_vaddr(addr, bias);
	const struct symbol *symbol;
	struct segmap_error *error;
	struct table *table;
	char *name = NULL;

	error = table_of(symbols, image, &table);
	if (error)
		return error;
	*ret = *source = NULL;
	if (!table->module)
		return NULL;
	symbol = find_symbol(table, vaddr, segmap_vaddr(lowest, bias));
	if (symbol && !(name = strdup(symbol->name)))
		return segmap_error_no_memory();
	error = find_source(symbols, table, vaddr, source);
	if (error) {
		free(name);
		return error;
	}
	*symbol_off = symbol ? vaddr - symbol->start : 0;
	*ret = name;
	return NULL;
}

struct segmap_error *segmap_symbols_find(struct segmap_symbols *symbols, int32_t image,
					 const char *name,
					 struct segmap_error *(*found)(void *context, uint64_t addr),
					 void *context)
{
	uint64_t bias = symbols->layout->images[image].bias;
	struct table *table;
	struct segmap_error *error = table_of(symbols, image, &table);
	size_t low = 0, high = table->n, first;

	while (low < high && !error) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(table->by_name[middle]->name, name) >= 0)
			high = middle;
		else
			low = middle + 1;
	}
	first = low;
	for (; low < table->n && !error && strcmp(table->by_name[low]->name, name) == 0; low++) {
		bool again = false;

		/* .symtab and .dynsym both have it. */
		for (size_t i = first; i < low && !again; i++)
			again = table->by_name[i]->start == table->by_name[low]->start;
		if (!again)
			error = found(context, segmap_addr(table->by_name[low]->start, bias));
	}
	return error;
}

/* Where separate debug files are: absolute, or libdw would look beside each file. */
static struct segmap_error *debug_path_below(const char *sysroot, char **ret)
{
	scope_free char *root = sysroot ? realpath(sysroot, NULL) : NULL;
	char *path;

	if (sysroot && !root)
		return segmap_error_system(errno, sysroot, "look for debug files below it");
	if (asprintf(&path, "%s/usr/lib/debug", root && strcmp(root, "/") != 0 ? root : "") < 0)
		return segmap_error_no_memory();
	*ret = path;
	return NULL;
}

struct segmap_error *segmap_symbols_new(const struct segmap_layout *layout, const char *sysroot,
					struct segmap_symbols **ret)
{
	struct segmap_symbols *symbols = calloc(1, sizeof(*symbols));
	struct segmap_error *error;

	if (!symbols)
		return segmap_error_no_memory();
	symbols->layout = layout;
	error = debug_path_below(sysroot, &symbols->debug_path);
	if (!error)
		error = libdw_load(&symbols->libdw);
	symbols->tables = error ? NULL : calloc(layout->n_images + 1, sizeof(*symbols->tables));
	if (!error && !symbols->tables)
		error = segmap_error_no_memory();
	if (error) {
		segmap_symbols_free(symbols);
		return error;
	}
	symbols->callbacks = (Dwfl_Callbacks){
		.find_elf = find_elf,
		.find_debuginfo = find_debuginfo,
		.debuginfo_path = &symbols->debug_path,
	};
	*ret = symbols;
	return NULL;
}

void segmap_symbols_free(struct segmap_symbols *symbols)
{
	if (!symbols)
		return;
	for (size_t i = 0; symbols->tables && i < symbols->layout->n_images; i++) {
		struct table *table = &symbols->tables[i];

		if (table->dwfl)
			symbols->libdw.dwfl_end(table->dwfl);
		free(table->symbols);
		free(table->by_name);
		free(table->bytes);
	}
	free(symbols->tables);
	free(symbols->debug_path);
	if (symbols->libdw.handle)
		dlclose(symbols->libdw.handle);
	free(symbols);
}
