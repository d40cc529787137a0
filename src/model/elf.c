/* src/model/elf.c - labels: what each byte of an ELF object is. */
#include "model/elf.h"
#include "base/range.h"
#include "base/scope.h"
#include <elf.h>
#include <stdlib.h>
#include <string.h>

/* A section lies in one PT_LOAD, or by hand-written linker scripts in a few. */
enum { MOST_LOADS_OF_SECTION = 4 };

static int compare_labels(const void *a, const void *b)
{
	const struct segmap_label *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->section < y->section ? -1 : x->section > y->section;
}

/* Linkers write sections in the order of their addresses; then there is nothing to sort. */
static bool are_sorted(const struct segmap_label *labels, size_t n_labels)
{
	for (size_t i = 1; i < n_labels; i++)
		if (compare_labels(&labels[i - 1], &labels[i]) > 0)
			return false;
	return true;
}

/* Take the bytes before @at off @label. */
static void cut_head(struct segmap_label *label, uint64_t at)
{
	label->off += at - label->start;
	label->start = at;
}

/* Sort @labels and cut each where the one before it still goes on. Returns how many are left. */
static size_t cut_overlaps(struct segmap_label *labels, size_t n_labels)
{
	uint64_t covered = 0;
	size_t kept = 0;

	if (!are_sorted(labels, n_labels))
		qsort(labels, n_labels, sizeof(*labels), compare_labels);
	for (size_t i = 0; i < n_labels; i++) {
		struct segmap_label label = labels[i];

		if (label.end <= covered)
			continue;
		if (label.start < covered) {
			cut_head(&label, covered);
		}
		covered = label.end;
		labels[kept++] = label;
	}
	return kept;
}

/*
 * Put the labels of headers and of sections, each sorted and disjoint, together
 * in @ret. A header keeps its bytes:
 *
 *   section  |=====================|      |====|
 *   headers       |---|        |------|
 *   both     |====|---|========|------|   |====|
 *
 * @ret has room for both, and for one more for each header. Returns how many.
 */
static size_t merge_labels(const struct segmap_label *headers, size_t n_headers,
			   const struct segmap_label *sections, size_t n_sections,
			   struct segmap_label *ret)
{
	size_t header = 0, n = 0;

	for (size_t i = 0; i < n_sections; i++) {
		struct segmap_label rest = sections[i];

		while (rest.start < rest.end) {
			const struct segmap_label *next = &headers[header];

			if (header == n_headers || next->start >= rest.end) {
				ret[n++] = rest;
				break;
			}
			if (next->start > rest.start) {
				ret[n] = rest;
				ret[n++].end = next->start;
				cut_head(&rest, next->start);
			}
			if (next->end > rest.start)
				cut_head(&rest, min_u64(next->end, rest.end));
			if (next->end <= rest.start)
				ret[n++] = headers[header++];
		}
	}
	while (header < n_headers)
		ret[n++] = headers[header++];
	return n;
}

/*
 * Settle who has which byte among labels of headers and of sections, each in
 * any order. False if there is no memory.
 */
static bool settle_labels(struct segmap_label *headers, size_t n_headers,
			  struct segmap_label *sections, size_t n_sections,
			  struct segmap_label **ret, size_t *n_ret)
{
	n_headers = cut_overlaps(headers, n_headers);
	n_sections = cut_overlaps(sections, n_sections);
	*ret = reallocarray(NULL, 2 * n_headers + n_sections + 1, sizeof(**ret));
	if (!*ret)
		return false;
	*n_ret = merge_labels(headers, n_headers, sections, n_sections, *ret);
	return true;
}

/*
 * The PT_LOAD that loads @section's byte at @vaddr as its header says: at its
 * address, from its offset. NULL for a header that lies, or a section that
 * nothing loads.
 */
static const struct segmap_segment *load_of(const struct segmap_section *section, uint64_t vaddr,
					    struct segmap_segment *const *loads, size_t n_loads)
{
	/* PT_LOADs that overlap can make many candidates; no linker makes more than two. */
	enum { MOST_CANDIDATES = 64 };
	uint64_t off = section->off + (vaddr - section->vaddr);
	size_t low = 0, high = n_loads;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (loads[middle]->vaddr <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low; i > 0 && low - i < MOST_CANDIDATES; i--) {
		const struct segmap_segment *load = loads[i - 1];
		uint64_t into = vaddr - load->vaddr;

		if (into >= load->memsz)
			continue;
		if (section->nobits)
			return load;
		if (into < load->filesz && off == segmap_off(load, vaddr))
			return load;
	}
	return NULL;
}

/* The labels of a section: one, but where it goes on in the next PT_LOAD. */
static size_t label_section_addresses(const struct segmap_section *section, uint32_t index,
				      struct segmap_segment *const *loads, size_t n_loads,
				      struct segmap_label labels[static MOST_LOADS_OF_SECTION])
{
	uint64_t vaddr = section->vaddr, end = section->vaddr + section->size;
	size_t n = 0;

	while (n < MOST_LOADS_OF_SECTION && vaddr < end) {
		const struct segmap_segment *load = load_of(section, vaddr, loads, n_loads);
		uint64_t load_end;

		if (!load)
			break;
		load_end = load->vaddr + (section->nobits ? load->memsz : load->filesz);
		labels[n++] = (struct segmap_label){
			.start = vaddr,
			.end = min_u64(end, load_end),
			.kind = SEGMAP_LABEL_SECTION,
			.section = index,
			.off = section->off + (vaddr - section->vaddr),
			.nobits = section->nobits,
		};
		vaddr = load_end;
	}
	return n;
}

static int compare_loads(const void *a, const void *b)
{
	const struct segmap_segment *const *x = a, *const *y = b;

	if ((*x)->vaddr != (*y)->vaddr)
		return (*x)->vaddr < (*y)->vaddr ? -1 : 1;
	return (*x)->index < (*y)->index ? -1 : 1;
}

/* A header of the file at [off, off + size), where PT_LOADs map it. */
static size_t label_header_addresses(const struct segmap_elf *elf, enum segmap_label_kind kind,
				     uint64_t off, uint64_t size, struct segmap_label *labels)
{
	size_t n = 0;

	for (size_t i = 0; i < elf->n_segments; i++) {
		const struct segmap_segment *load = &elf->segments[i];
		uint64_t start = max_u64(off, load->off);
		uint64_t end = min_u64(off + size, load->off + load->filesz);

		if (load->type != SEGMAP_SEGMENT_LOAD || start >= end)
			continue;
		labels[n++] = (struct segmap_label){
			.start = load->vaddr + (start - load->off),
			.end = load->vaddr + (end - load->off),
			.kind = kind,
			.off = start,
		};
	}
	return n;
}

static bool label_addresses(struct segmap_elf *elf, const struct elf_headers *headers)
{
	scope_free struct segmap_segment **loads =
		reallocarray(NULL, elf->n_segments + 1, sizeof(*loads));
	scope_free struct segmap_label *of_headers =
		reallocarray(NULL, 3 * elf->n_segments + 1, sizeof(*of_headers));
	scope_free struct segmap_label *of_sections =
		reallocarray(NULL, MOST_LOADS_OF_SECTION * elf->n_sections + 1,
			     sizeof(*of_sections));
	size_t n_loads = 0, n_headers = 0, n_sections = 0;

	if (!loads || !of_headers || !of_sections)
		return false;
	for (size_t i = 0; i < elf->n_segments; i++)
		if (elf->segments[i].type == SEGMAP_SEGMENT_LOAD)
			loads[n_loads++] = &elf->segments[i];
	qsort(loads, n_loads, sizeof(*loads), compare_loads);

	n_headers += label_header_addresses(elf, SEGMAP_LABEL_EHDR, 0, headers->ehdr_size,
					    of_headers + n_headers);
	n_headers += label_header_addresses(elf, SEGMAP_LABEL_PHDRS, headers->phdrs_off,
					    headers->phdrs_size, of_headers + n_headers);
	n_headers += label_header_addresses(elf, SEGMAP_LABEL_SHDRS, headers->shdrs_off,
					    headers->shdrs_size, of_headers + n_headers);
	for (size_t i = 0; i < elf->n_sections; i++) {
		const struct segmap_section *section = &elf->sections[i];

		if (section->alloc && section->size && !(section->tls && section->nobits))
			n_sections += label_section_addresses(section, (uint32_t)i, loads, n_loads,
							      of_sections + n_sections);
	}
	return settle_labels(of_headers, n_headers, of_sections, n_sections, &elf->by_vaddr,
			     &elf->n_by_vaddr);
}

static size_t label_header_offset(enum segmap_label_kind kind, uint64_t off, uint64_t size,
				  struct segmap_label *labels)
{
	if (!size)
		return 0;
	labels[0] = (struct segmap_label){
		.start = off, .end = off + size, .kind = kind, .off = off,
	};
	return 1;
}

static bool label_offsets(struct segmap_elf *elf, const struct elf_headers *headers)
{
	scope_free struct segmap_label *of_sections =
		reallocarray(NULL, elf->n_sections + 1, sizeof(*of_sections));
	struct segmap_label of_headers[3];
	size_t n_headers = 0, n_sections = 0;

	if (!of_sections)
		return false;
	n_headers += label_header_offset(SEGMAP_LABEL_EHDR, 0, headers->ehdr_size,
					 of_headers + n_headers);
	n_headers += label_header_offset(SEGMAP_LABEL_PHDRS, headers->phdrs_off,
					 headers->phdrs_size, of_headers + n_headers);
	n_headers += label_header_offset(SEGMAP_LABEL_SHDRS, headers->shdrs_off,
					 headers->shdrs_size, of_headers + n_headers);
	for (size_t i = 0; i < elf->n_sections; i++) {
		const struct segmap_section *section = &elf->sections[i];

		if (section->nobits || !section->size || section->off >= elf->size)
			continue;
		of_sections[n_sections++] = (struct segmap_label){
			.start = section->off,
			.end = section->off + section->size,
			.kind = SEGMAP_LABEL_SECTION,
			.section = (uint32_t)i,
			.off = section->off,
		};
	}
	return settle_labels(of_headers, n_headers, of_sections, n_sections, &elf->by_off,
			     &elf->n_by_off);
}

bool elf_label(struct segmap_elf *elf, const struct elf_headers *headers)
{
	return label_addresses(elf, headers) && label_offsets(elf, headers);
}

const struct segmap_label *segmap_label_find(const struct segmap_label *labels, size_t n_labels,
					     uint64_t at, uint64_t *until)
{
	size_t low = 0, high = n_labels;

	/* The first label that ends after @at. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (labels[middle].end > at)
			high = middle;
		else
			low = middle + 1;
	}
	if (low < n_labels && labels[low].start <= at) {
		*until = labels[low].end;
		return &labels[low];
	}
	*until = low < n_labels ? labels[low].start : UINT64_MAX;
	return NULL;
}

uint64_t segmap_usual_page_size(unsigned int machine)
{
	/* What distributions' kernels are built with (arch/<machine>/Kconfig). */
	static const struct {
		unsigned int machine;
		uint64_t size;
	} others[] = {
		{ EM_PPC64, 65536 }, { EM_IA_64, 16384 },    { EM_MIPS, 16384 },
		{ EM_ALPHA, 8192 },  { EM_SPARCV9, 8192 },   { EM_LOONGARCH, 16384 },
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i].machine == machine)
			return others[i].size;
	return 4096;
}

#define MACHINE(name) { EM_##name, #name }
static const struct {
	unsigned int number;
	const char *name;
} machines[] = {
	MACHINE(X86_64), MACHINE(386),	     MACHINE(AARCH64), MACHINE(ARM),
	MACHINE(RISCV),	 MACHINE(PPC64),     MACHINE(PPC),     MACHINE(S390),
	MACHINE(MIPS),	 MACHINE(SPARC),     MACHINE(SPARCV9), MACHINE(SPARC32PLUS),
	MACHINE(IA_64),	 MACHINE(68K),	     MACHINE(SH),      MACHINE(ALPHA),
	MACHINE(PARISC), MACHINE(LOONGARCH), MACHINE(OPENRISC), MACHINE(XTENSA),
	MACHINE(MICROBLAZE), MACHINE(ARC_COMPACT), MACHINE(CSKY),
	MACHINE(BPF),
};
#undef MACHINE

const char *segmap_machine_name(unsigned int machine)
{
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
		if (machines[i].number == machine)
			return machines[i].name;
	return NULL;
}

bool elf_machine_find(const char *name, unsigned int *ret)
{
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		if (strcmp(machines[i].name, name) == 0) {
			*ret = machines[i].number;
			return true;
		}
	}
	return false;
}

bool elf_has_same_segments(const struct segmap_elf *a, const struct segmap_elf *b)
{
	bool same = a->class == b->class && a->machine == b->machine && a->type == b->type &&
		    a->n_segments == b->n_segments;

	for (size_t i = 0; same && i < a->n_segments; i++) {
		const struct segmap_segment *x = &a->segments[i], *y = &b->segments[i];

		same = x->index == y->index && x->type == y->type && x->prot == y->prot &&
		       x->off == y->off && x->vaddr == y->vaddr && x->filesz == y->filesz &&
		       x->memsz == y->memsz && x->align == y->align;
	}
	return same;
}

uint32_t elf_lowest_load(const struct segmap_elf *elf)
{
	uint32_t lowest = UINT32_MAX;

	for (uint32_t i = 0; i < elf->n_segments; i++)
		if (elf->segments[i].type == SEGMAP_SEGMENT_LOAD && elf->segments[i].mappable &&
		    (lowest == UINT32_MAX || elf->segments[i].vaddr < elf->segments[lowest].vaddr))
			lowest = i;
	return lowest;
}

/* Where the file's bytes in @load's pages end: what is behind them in .bss is zeros. */
static uint64_t data_end_of(const struct segmap_segment *load)
{
	return load->mappable && load->memsz <= load->filesz ? load->file_end :
							       load->vaddr + load->filesz;
}

bool elf_range_at_vaddr(const struct segmap_elf *elf, uint64_t vaddr, uint64_t *off, uint64_t *size)
{
	uint64_t end = UINT64_MAX;

	/* Each is mapped over those before it. */
	for (size_t i = elf->n_segments; i-- > 0;) {
		const struct segmap_segment *load = &elf->segments[i];
		uint64_t start = load->mappable ? load->map_start : load->vaddr;

		if (load->type != SEGMAP_SEGMENT_LOAD)
			continue;
		if (vaddr >= start && vaddr < data_end_of(load)) {
			*off = load->off + (vaddr - load->vaddr);
			*size = min_u64(data_end_of(load), end) - vaddr;
			return true;
		}
		if (load->mappable && vaddr >= start && vaddr < load->mem_end)
			return false;
		if (vaddr < start)
			end = min_u64(end, start);
	}
	return false;
}

bool elf_off_of_vaddr(const struct segmap_elf *elf, uint64_t vaddr, uint64_t *ret)
{
	uint64_t size;

	return elf_range_at_vaddr(elf, vaddr, ret, &size);
}

static void linking_free(struct segmap_linking *linking)
{
	if (!linking)
		return;
	for (size_t i = 0; i < linking->n_strings; i++)
		free(linking->strings[i]);
	free(linking->strings);
	free(linking->needed);
	free(linking->wanted);
	free(linking->defined);
	free(linking);
}

uint64_t elf_header_size(bool is_64)
{
	return is_64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
}

bool elf_runs_on(unsigned int machine, unsigned int kernel)
{
	static const struct {
		unsigned int bits_64, bits_32;
	} pairs[] = {
		{ EM_X86_64, EM_386 }, { EM_AARCH64, EM_ARM },	   { EM_PPC64, EM_PPC },
		{ EM_SPARCV9, EM_SPARC }, { EM_SPARCV9, EM_SPARC32PLUS },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if ((machine == pairs[i].bits_64 && kernel == pairs[i].bits_32) ||
		    (machine == pairs[i].bits_32 && kernel == pairs[i].bits_64))
			return true;
	return machine == kernel;
}

void segmap_elf_free(struct segmap_elf *elf)
{
	if (!elf)
		return;
	free(elf->segments);
	free(elf->sections);
	free(elf->by_vaddr);
	free(elf->by_off);
	free(elf->build_id);
	free(elf->soname);
	free(elf->interp);
	free(elf->names);
	linking_free(elf->linking);
	free(elf);
}
