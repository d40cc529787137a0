/* src/read/query.c - asking the kernel for single VMAs: the ioctl PROCMAP_QUERY. */
#include "read/query.h"
#include "base/scope.h"
#include "model/layout.h"
#include "read/backing.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <segmap/process.h>
#include <segmap/text.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

/* Linux 6.11, <linux/fs.h>: headers can be older than the kernel. */
struct procmap_query_arguments {
	uint64_t size, flags, addr;
	uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
	uint32_t dev_major, dev_minor, name_size, build_id_size;
	uint64_t name_addr, build_id_addr;
};

#define PROCMAP_QUERY_IOCTL _IOWR('f', 17, struct procmap_query_arguments)

enum {
	QUERY_READABLE = 1,
	QUERY_WRITABLE = 2,
	QUERY_EXECUTABLE = 4,
	QUERY_SHARED = 8,
	QUERY_OR_NEXT = 16, /* where no VMA covers the address, the next one */
	QUERY_OF_FILE = 32, /* VMAs of files alone */
};

enum {
	MOST_VMAS = 4096,     /* an image in more parts is looked at in the whole map */
	MOST_NEIGHBOURS = 64, /* anonymous VMAs passed on the way to the file they could be of */
	MOST_QUESTIONS = 4096, /* by then it would have been quicker to read the whole map */
};

struct found_vma {
	uint64_t start, end, off, inode;
	uint32_t flags, dev_major, dev_minor;
	char *name; /* owned; as maps shows it */
	bool asked; /* for its own sake: it has an address in it, or is the neighbour of one */
	bool of_image; /* in the range of an image that was found */
};

struct query {
	int maps;
	struct found_vma *vmas; /* in the order found */
	size_t n, capacity;
	size_t n_questions;
	uint64_t image_start, image_end; /* range of the last image that was asked for; 0, 0: none */
	bool give_up;		/* only the whole map will do */
	bool failed;		/* no memory */
	char name[PATH_MAX];	/* by the kernel; cleared once: valgrind does not know that */
};

static void query_free(struct query *query)
{
	if (query->maps >= 0)
		close(query->maps);
	for (size_t i = 0; i < query->n; i++)
		free(query->vmas[i].name);
	free(query->vmas);
}

/* The name as maps has it: a newline is \012 there. */
static char *escape_newlines(const char *name)
{
	struct segmap_text text = { 0 };

	for (; *name; name++) {
		if (*name == '\n')
			segmap_text_append_trusted(&text, "\\012");
		else
			segmap_text_append_char(&text, *name);
	}
	segmap_text_append_char(&text, '\0');
	if (text.failed)
		segmap_text_free(&text);
	return text.bytes;
}

/* The index of the VMA that begins at @start, or query->n. */
static size_t find_start(const struct query *query, uint64_t start)
{
	size_t i = 0;

	while (i < query->n && query->vmas[i].start != start)
		i++;
	return i;
}

/*
 * Ask for the VMA at @addr, or by @flags for the one behind it. It is kept, and
 * *@ret is its index; false if there is none, or no answer.
 */
static bool ask(struct query *query, uint64_t addr, uint64_t flags, size_t *ret)
{
	struct procmap_query_arguments arguments = {
		.size = sizeof(arguments),
		.flags = flags,
		.addr = addr,
		.name_size = sizeof(query->name),
		.name_addr = (uintptr_t)query->name,
	};
	struct found_vma *vma;

	query->give_up |= query->n_questions++ == MOST_QUESTIONS;
	if (query->give_up || query->failed)
		return false;
	if (ioctl(query->maps, PROCMAP_QUERY_IOCTL, &arguments)) {
		/* ENOENT is an answer; a name too long, an old kernel or the like are none. */
		query->give_up = errno != ENOENT;
		return false;
	}
	*ret = find_start(query, arguments.vma_start);
	if (*ret < query->n)
		return true;
	if (query->n == MOST_VMAS) {
		query->give_up = true;
		return false;
	}
	query->failed = !grow(&query->vmas, &query->capacity, query->n, sizeof(*query->vmas));
	if (query->failed)
		return false;
	vma = &query->vmas[query->n];
	*vma = (struct found_vma){
		.start = arguments.vma_start,
		.end = arguments.vma_end,
		.off = arguments.vma_offset,
		.inode = arguments.inode,
		.flags = (uint32_t)arguments.vma_flags,
		.dev_major = arguments.dev_major,
		.dev_minor = arguments.dev_minor,
		.name = escape_newlines(arguments.name_size ? query->name : ""),
	};
	query->failed = !vma->name;
	if (query->failed)
		return false;
	query->n++;
	return true;
}

/* Keep what lies in [start, end), an image's range: each of its VMAs leads to the same. */
static void ask_range(struct query *query, uint64_t start, uint64_t end)
{
	size_t index;

	if (start == query->image_start && end == query->image_end)
		return;
	query->image_start = start;
	query->image_end = end;
	while (start < end && ask(query, start, QUERY_OR_NEXT, &index) &&
	       query->vmas[index].start < end) {
		query->vmas[index].of_image = true;
		start = query->vmas[index].end;
	}
}

/* Keep all that is of files. */
static void ask_files(struct query *query)
{
	size_t index;

	for (uint64_t start = 0; ask(query, start, QUERY_OR_NEXT | QUERY_OF_FILE, &index);)
		start = query->vmas[index].end;
}

/*
 * The last VMA before @addr, where nothing is mapped. The kernel looks forward
 * only, so this bisects: what a place leads to lies before @addr or behind it.
 */
static void ask_before(struct query *query, uint64_t addr)
{
	uint64_t low = 0, high = addr;
	size_t index;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (ask(query, middle, QUERY_OR_NEXT, &index) && query->vmas[index].start < addr)
			low = query->vmas[index].end;
		else
			high = middle;
		if (query->give_up || query->failed)
			return;
	}
}

/*
 * Anonymous memory can be an image's: its .bss, or what has replaced its pages.
 * Then the image's file is mostly mapped beside it, without a hole.
 */
static void ask_beside(struct query *query, size_t index)
{
	size_t at = index;

	query->vmas[index].asked = true;

	for (int i = 0; i < MOST_NEIGHBOURS && !query->vmas[at].inode && query->vmas[at].start; i++)
		if (!ask(query, query->vmas[at].start - 1, 0, &at))
			break;
	for (at = index; !query->vmas[at].inode;)
		if (!ask(query, query->vmas[at].end, 0, &at) || at == index ||
		    query->vmas[at].start > query->vmas[index].end + MOST_NEIGHBOURS * 4096)
			break;
}

/* The VMA of @addr, or those on either side, with what is beside them. */
static void ask_address(struct query *query, uint64_t addr)
{
	size_t index;

	if (ask(query, addr, 0, &index)) {
		ask_beside(query, index);
		return;
	}
	/* [vsyscall] is in maps and in no answer. */
	if (addr >= UINT64_C(0xffffffff00000000)) {
		query->give_up = true;
		return;
	}
	if (ask(query, addr, QUERY_OR_NEXT, &index))
		ask_beside(query, index);
	else
		query->give_up = true; /* behind it there could be [vsyscall] */
	ask_before(query, addr);
	for (size_t i = 0, n = query->n; i < n; i++)
		if (query->vmas[i].end <= addr && !query->vmas[i].inode)
			ask_beside(query, i);
}

static int compare_vmas(const void *a, const void *b)
{
	const struct found_vma *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* Make @layout's VMAs of what was found, by way of the text that maps would have. */
static struct segmap_error *make_vmas(struct query *query, struct segmap_layout *layout)
{
	scope_free char *text = NULL;
	size_t size = 0, taken;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return segmap_error_no_memory();
	if (query->n)
		qsort(query->vmas, query->n, sizeof(*query->vmas), compare_vmas);
	for (size_t i = 0; i < query->n; i++) {
		const struct found_vma *vma = &query->vmas[i];

		fprintf(file, "%08jx-%08jx %c%c%c%c %08jx %02x:%02x %ju %s\n",
			(uintmax_t)vma->start, (uintmax_t)vma->end,
			vma->flags & QUERY_READABLE ? 'r' : '-',
			vma->flags & QUERY_WRITABLE ? 'w' : '-',
			vma->flags & QUERY_EXECUTABLE ? 'x' : '-',
			vma->flags & QUERY_SHARED ? 's' : 'p', (uintmax_t)vma->off, vma->dev_major,
			vma->dev_minor, (uintmax_t)vma->inode, vma->name);
	}
	/* Where the text cannot be cut to its size, glibc frees it and says nothing. */
	if (fclose(file) || !text)
		return segmap_error_no_memory();
	return segmap_layout_parse_maps(layout, "PROCMAP_QUERY", text, size, true, &taken);
}

/* Whether the file of @vma has the right bytes of @load at its place under @bias. */
static bool is_in_place(struct query *query, const struct segmap_vma *vma,
			const struct segmap_elf *elf, const struct segmap_segment *load,
			uint64_t bias)
{
	uint64_t addr = segmap_addr(load->map_start, bias);
	const struct found_vma *there;
	size_t index;

	if (!ask(query, addr, 0, &index))
		return false;
	there = &query->vmas[index];
	return there->inode == vma->ino && there->dev_minor == vma->dev_minor &&
	       there->dev_major == vma->dev_major &&
	       there->off + (addr - there->start) == elf->elf_off + load->map_off;
}

/*
 * If @vma is part of @load, the image lies at one bias. The other PT_LOADs'
 * places confirm it; then all of the image is asked for.
 */
static bool try_load(struct query *query, const struct segmap_vma *vma,
		     const struct segmap_elf *elf, const struct segmap_segment *load)
{
	uint64_t into = vma->off - elf->elf_off - load->map_off, bias, start = UINT64_MAX, end = 0;
	bool alone = true, confirmed = false;

	bias = vma->start - (load->map_start + into);
	for (size_t i = 0; i < elf->n_segments && !query->give_up; i++) {
		const struct segmap_segment *other = &elf->segments[i];

		if (other->type != SEGMAP_SEGMENT_LOAD || !other->mappable)
			continue;
		start = other->map_start < start ? other->map_start : start;
		end = other->mem_end > end ? other->mem_end : end;
		if (other == load || !other->filesz)
			continue;
		alone = false;
		confirmed = confirmed || is_in_place(query, vma, elf, other, bias);
	}
	if (!alone && !confirmed)
		return false;
	ask_range(query, segmap_addr(start, bias), segmap_addr(end, bias));
	return true;
}

/* Ask for the image that a VMA of a file is part of, whichever of its PT_LOADs it is. */
static void ask_image(struct query *query, const struct segmap_vma *vma,
		      const struct segmap_file *file)
{
	bool any = false, has_elf = false;

	for (size_t i = 0; i < file->n_elfs; i++) {
		const struct segmap_elf *elf = file->elfs[i];

		for (size_t j = 0; j < elf->n_segments && !query->give_up; j++) {
			const struct segmap_segment *load = &elf->segments[j];

			if (load->type != SEGMAP_SEGMENT_LOAD || !load->mappable ||
			    vma->off < elf->elf_off + load->map_off)
				continue;
			has_elf = true;
			any = try_load(query, vma, elf, load) || any;
		}
	}
	/* Code that no load explains can still be a second mapping of one. */
	if (has_elf && !any && (vma->prot & PROT_EXEC))
		query->give_up = true;
}

/* Open and parse the files of what was found so far, and ask for the images they are. */
static struct segmap_error *ask_images(struct query *query, int process_dir, uint64_t page_size,
				       struct segmap_files *files)
{
	scope_layout struct segmap_layout *layout = NULL;
	struct segmap_error *error = segmap_layout_new(&layout);

	if (error)
		return error;
	layout->source = SEGMAP_SOURCE_PROCESS;
	layout->page_size = page_size;
	error = make_vmas(query, layout);
	if (!error)
		error = backings_open(layout, process_dir, files);
	if (!error)
		error = segmap_files_parse(files, layout);
	if (error)
		return error;
	for (size_t i = 0; i < layout->n_vmas; i++) {
		int32_t backing = layout->annotations[i].backing;

		if (backing >= 0 && layout->backings[backing].file)
			ask_image(query, &layout->vmas[i], layout->backings[backing].file);
	}
	return NULL;
}

/*
 * Whether there is anonymous memory that was asked for and that no image was found for. It can
 * be the .bss of one whose file is far away: a PT_LOAD of its own, or cut in very many VMAs.
 */
static bool is_unexplained(const struct query *query)
{
	for (size_t i = 0; i < query->n; i++) {
		const struct found_vma *vma = &query->vmas[i];

		if (vma->asked && !vma->of_image && !vma->inode &&
		    (!vma->name[0] || strncmp(vma->name, "[anon:", strlen("[anon:")) == 0))
			return true;
	}
	return false;
}

struct segmap_error *query_vmas(struct segmap_layout *layout, int process_dir,
				const uint64_t *addrs, size_t n, struct segmap_files *files,
				bool *ret)
{
	__attribute__((cleanup(query_free))) struct query query = { .maps = -1 };
	struct segmap_error *error;

	*ret = false;
	query.maps = openat(process_dir, "maps", O_RDONLY | O_CLOEXEC);
	if (query.maps < 0)
		return NULL; /* reading it will say why */
	for (size_t i = 0; i < n && !query.give_up; i++)
		ask_address(&query, addrs[i]);
	if (query.failed)
		return segmap_error_no_memory();
	if (query.give_up || !query.n)
		return NULL;
	error = ask_images(&query, process_dir, layout->page_size, files);
	if (!error && is_unexplained(&query)) {
		ask_files(&query);
		error = ask_images(&query, process_dir, layout->page_size, files);
	}
	if (error)
		return error;
	if (query.failed)
		return segmap_error_no_memory();
	if (query.give_up)
		return NULL;
	*ret = true;
	return make_vmas(&query, layout);
}
