/* src/correlate/audit_files.c - what became of files, who knows of them, and what they promise. */
#include "correlate/audit.h"
#include "correlate/labels.h"
#include <elf.h>
#include <stdlib.h>
#include <string.h>

/* A phrase for a build-id. */
static const char *or_none(const char *build_id)
{
	return build_id ? build_id : "none";
}

static void judge_status(const struct segmap_backing *backing, const char *build_id,
			 struct verdict *verdict)
{
	verdict->severity = SEGMAP_SEVERITY_LOW;
	verdict->confidence = SEGMAP_CONFIDENCE_CERTAIN;
	switch (backing->status) {
	case SEGMAP_STATUS_DELETED:
		verdict->id = SEGMAP_FINDING_FILE_DELETED;
		verdict->benign = "it was upgraded or removed while it ran: restart the process";
		break;
	case SEGMAP_STATUS_REPLACED:
		verdict->id = SEGMAP_FINDING_FILE_REPLACED;
		verdict->benign = "it was upgraded while it ran: restart the process";
		if (build_id && backing->path_build_id &&
		    strcmp(build_id, backing->path_build_id) == 0) {
			verdict->severity = SEGMAP_SEVERITY_INFO;
			verdict->benign = "it was installed again: both have the same build-id";
		}
		break;
	case SEGMAP_STATUS_REWRITTEN:
		verdict->id = SEGMAP_FINDING_FILE_REWRITTEN;
		verdict->confidence = SEGMAP_CONFIDENCE_POSSIBLE;
		verdict->benign =
			"it was loaded only later (dlopen), or its owner, its rights or its "
			"links were changed and not its bytes";
		break;
	default:
		verdict->id = SEGMAP_FINDING_FILE_TRUNCATED;
		verdict->severity = SEGMAP_SEVERITY_MEDIUM;
		verdict->benign = NULL;
	}
}

static void add_status(struct auditing *auditing, const struct segmap_backing *backing,
		       int32_t image)
{
	const struct segmap_elf *elf = auditing->layout->images[image].elf;
	const char *build_id = elf ? elf->build_id : NULL;
	struct verdict verdict = { .vma = backing->n_vmas ? (int64_t)backing->vmas[0] : -1,
				   .image = image };
	struct segmap_finding *finding;

	judge_status(backing, build_id, &verdict);
	switch (verdict.id) {
	case SEGMAP_FINDING_FILE_DELETED:
		finding =
			audit_add(auditing, &verdict, "the file was unlinked after it was loaded");
		audit_expect(auditing, finding, "the file at its path");
		audit_actual(auditing, finding, "no file; mapped: build-id %s", or_none(build_id));
		break;
	case SEGMAP_FINDING_FILE_REPLACED:
		finding = audit_add(auditing, &verdict,
				    "another file has its path now than the one that is mapped");
		audit_expect(auditing, finding, "build-id %s (at the path)",
			     or_none(backing->path_build_id));
		audit_actual(auditing, finding, "build-id %s (mapped)", or_none(build_id));
		break;
	case SEGMAP_FINDING_FILE_REWRITTEN:
		finding = audit_add(
			auditing, &verdict,
			"the file has changed since the process began: it may not be what "
			"was mapped");
		audit_expect(auditing, finding, "a file older than the process");
		audit_actual(auditing, finding, "a younger one; build-id %s", or_none(build_id));
		break;
	default:
		finding = audit_add(auditing, &verdict,
				    "the file is shorter than what is mapped of it");
		audit_expect(auditing, finding, "all segments in the file");
		audit_actual(auditing, finding, "%ju bytes", (uintmax_t)backing->file->size);
	}
}

/* The first image of each file. */
static bool is_first_of_file(const struct segmap_layout *layout, size_t image)
{
	for (size_t i = 0; i < image; i++)
		if (layout->images[i].backing == layout->images[image].backing)
			return false;
	return layout->images[image].backing >= 0;
}

static void look_at_status(struct auditing *auditing, size_t index)
{
	const struct segmap_layout *layout = auditing->layout;
	const struct segmap_image *image = &layout->images[index];
	const struct segmap_backing *backing = &layout->backings[image->backing];
	struct verdict verdict = {
		.id = SEGMAP_FINDING_IMAGE_IN_MEMORY,
		.severity = SEGMAP_SEVERITY_MEDIUM,
		.confidence = SEGMAP_CONFIDENCE_CERTAIN,
		.vma = backing->n_vmas ? (int64_t)backing->vmas[0] : -1,
		.image = (int32_t)index,
		.benign =
			"container runtimes (runc) and some launchers seal a copy of themselves so",
	};
	struct segmap_finding *finding;

	if (strncmp(backing->path, "/memfd:", 7) == 0) {
		finding = audit_add(auditing, &verdict,
				    "it was loaded from memory (memfd): no file system has it");
		audit_expect(auditing, finding, "a file");
		audit_actual(auditing, finding, "a memfd; build-id %s",
			     or_none(image->elf ? image->elf->build_id : NULL));
	} else if (backing->status != SEGMAP_STATUS_OK &&
		   backing->status < SEGMAP_STATUS_UNREADABLE) {
		add_status(auditing, backing, (int32_t)index);
	}
}

/* Whether the byte of image @image at @addr can be written to now; its VMA into *@vma. */
static bool is_writable(const struct segmap_layout *layout, int32_t image, uint64_t addr,
			int64_t *vma, const char **section)
{
	const struct segmap_piece *piece = audit_piece_at(layout, addr, vma);

	if (!piece || piece->image != image || layout->vmas[*vma].unknown_prot)
		return false;
	*section = piece->name;
	return layout->vmas[*vma].prot & PROT_WRITE;
}

/* The PT_GNU_RELRO that counts, the last; NULL: there is none. */
static const struct segmap_segment *find_relro(const struct segmap_elf *elf)
{
	for (size_t i = elf->n_segments; i-- > 0;)
		if (elf->segments[i].type == SEGMAP_SEGMENT_RELRO)
			return &elf->segments[i];
	return NULL;
}

/* Whether RELRO has a whole page: of less nothing becomes read-only. */
static bool protects_pages(const struct segmap_segment *relro)
{
	return relro && relro->map_start < relro->mem_end;
}

static bool has_data(const struct segmap_elf *elf)
{
	for (size_t i = 0; i < elf->n_segments; i++)
		if (elf->segments[i].type == SEGMAP_SEGMENT_LOAD &&
		    elf->segments[i].prot & PROT_WRITE)
			return true;
	return false;
}

static struct verdict promise(enum segmap_finding_id id, enum segmap_severity severity,
			      int32_t image, const char *benign)
{
	return (struct verdict){
		.id = id,
		.severity = severity,
		.confidence = SEGMAP_CONFIDENCE_CERTAIN,
		.vma = -1,
		.image = image,
		.benign = benign,
	};
}

/* Whether the tables that RELRO is for can be written to; the VMA and section of one of them. */
static bool has_writable_tables(const struct segmap_layout *layout, int32_t index, int64_t *vma,
				const char **section)
{
	const struct segmap_image *image = &layout->images[index];
	const struct segmap_elf *elf = image->elf;

	if (!elf->dynamic)
		return image->role == SEGMAP_ROLE_PROGRAM && has_data(elf);
	if (is_writable(layout, index, segmap_addr(elf->dynamic, image->bias), vma, section))
		return true;
	return elf->linking && elf->linking->plt_got &&
	       is_writable(layout, index, segmap_addr(elf->linking->plt_got, image->bias), vma,
			   section);
}

static void look_at_relro(struct auditing *auditing, int32_t index)
{
	const struct segmap_layout *layout = auditing->layout;
	const struct segmap_segment *relro = find_relro(layout->images[index].elf);
	struct verdict verdict =
		promise(SEGMAP_FINDING_RELRO_ABSENT, SEGMAP_SEVERITY_LOW, index,
			relro ? "it was linked for smaller pages, or by a linker that does not "
				"let RELRO end with a page" :
				"it was linked without -z relro, as other languages' linkers "
				"do by default");
	const char *section = NULL;
	struct segmap_finding *finding;

	if (protects_pages(relro) ||
	    !has_writable_tables(layout, index, &verdict.vma, &section))
		return;
	finding = audit_add(auditing, &verdict,
			    relro ? "its PT_GNU_RELRO has no whole page, so its tables of "
				    "addresses stay writable" :
				    "it has no PT_GNU_RELRO: its tables of addresses stay writable");
	finding->section = section;
	audit_expect(auditing, finding, "r--p after start-up");
	audit_actual(auditing, finding, "rw-p");
}

static bool is_static(const struct segmap_image *image)
{
	return image->role == SEGMAP_ROLE_PROGRAM && !image->elf->interp;
}

/* Functions that are bound when they are first called. */
static void look_at_binding(struct auditing *auditing, int32_t index)
{
	const struct segmap_image *image = &auditing->layout->images[index];
	const struct segmap_linking *linking = image->elf->linking;
	struct verdict lazy = promise(SEGMAP_FINDING_NO_BIND_NOW, SEGMAP_SEVERITY_INFO, index,
				      "lazy binding is the default of GNU ld; musl never does it");
	struct segmap_finding *finding;

	/* The dynamic linker binds itself at once, and a static program needs nobody. */
	if (!linking || !linking->n_plt || linking->bind_now ||
	    image->role == SEGMAP_ROLE_INTERPRETER || is_static(image))
		return;
	finding = audit_add(auditing, &lazy,
			    "it does not ask for BIND_NOW: its %ju functions of others can be "
			    "bound as late as they are first called",
			    (uintmax_t)linking->n_plt);
	audit_expect(auditing, finding, "BIND_NOW");
	audit_actual(auditing, finding, "lazy");
}

/*
 * The last word of the table of function addresses: a vaddr. Behind three slots of the dynamic
 * linker's own (psABI) there is one for each function. Some machines have less than three, and
 * relocations can be for places elsewhere: the table does not go on behind its section.
 */
static uint64_t last_slot(const struct segmap_elf *elf)
{
	uint64_t word = elf->class / 8, first = elf->linking->plt_got;
	uint64_t last = first + (2 + elf->linking->n_plt) * word, until;
	const struct segmap_label *label =
		segmap_label_find(elf->by_vaddr, elf->n_by_vaddr, first, &until);

	if (label && label->end - first >= word && last - first > label->end - first - word)
		return label->end - word;
	return last;
}

/*
 * Slots of functions that stay writable, bound at once or not. Those that RELRO has are its own
 * affair: it can be still to come, or undone.
 */
static void look_at_slots(struct auditing *auditing, int32_t index)
{
	const struct segmap_layout *layout = auditing->layout;
	const struct segmap_image *image = &layout->images[index];
	const struct segmap_linking *linking = image->elf->linking;
	struct verdict partial = promise(SEGMAP_FINDING_RELRO_PARTIAL, SEGMAP_SEVERITY_INFO, index,
					 "it is what -z relro without -z now gives");
	const struct segmap_segment *relro = find_relro(image->elf);
	struct segmap_finding *finding;
	const char *section = NULL;
	uint64_t slot;

	if (!linking || !linking->n_plt || !linking->plt_got || !protects_pages(relro))
		return;
	slot = last_slot(image->elf);
	if ((slot >= relro->map_start && slot < relro->mem_end) ||
	    !is_writable(layout, index, segmap_addr(slot, image->bias), &partial.vma, &section))
		return;
	if (linking->bind_now) {
		partial.severity = SEGMAP_SEVERITY_LOW;
		partial.benign = "it was linked for smaller pages, or by a linker that does not "
				 "let RELRO end with a page";
	}
	finding = audit_add(auditing, &partial,
			    "RELRO leaves the table of function addresses (%s) writable", section);
	finding->section = section;
	audit_expect(auditing, finding, "r--p");
	audit_actual(auditing, finding, "rw-p");
}

/*
 * Whether $ORIGIN is at @at: of all tokens only it stands for an absolute directory. $LIB and
 * $PLATFORM are names, and another is what it is, "$ORIGINAL" too (glibc elf/dl-load.c:is_dst).
 */
static bool is_origin(const char *at)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_";

	return strncmp(at, "${ORIGIN}", 9) == 0 ||
	       (strncmp(at, "$ORIGIN", 7) == 0 && strspn(at + 7, letters) == 0);
}

/* RPATH and RUNPATH with a part that the working directory decides on. */
static const char *relative_part(const char *path, size_t *size)
{
	/* One that is all empty is not looked at (glibc elf/dl-load.c:decompose_rpath). */
	for (const char *at = path; path && *path; at += *size + 1) {
		*size = strcspn(at, ":");
		if (*at != '/' && !is_origin(at))
			return at;
		if (!at[*size])
			break;
	}
	return NULL;
}

static void look_at_runpath(struct auditing *auditing, int32_t index)
{
	const struct segmap_image *image = &auditing->layout->images[index];
	const struct segmap_linking *linking = image->elf->linking;
	struct verdict verdict =
		promise(SEGMAP_FINDING_RUNPATH_RELATIVE, SEGMAP_SEVERITY_LOW, index,
			"it is only run where that directory is what it should be");
	const char *path = linking ? linking->runpath ? linking->runpath : linking->rpath : NULL;
	struct segmap_finding *finding;
	const char *part;
	size_t size;

	part = is_static(image) ? NULL : relative_part(path, &size);
	if (!part)
		return;
	finding = audit_add(auditing, &verdict,
			    "libraries are looked for in the working directory: %s has \"%.*s\"",
			    linking->runpath ? "RUNPATH" : "RPATH", (int)size, part);
	audit_expect(auditing, finding, "absolute directories");
	audit_actual(auditing, finding, "%s", path);
}

static bool stack_is_executable(const struct segmap_layout *layout)
{
	for (size_t i = 0; i < layout->n_vmas; i++)
		if (layout->vmas[i].prot & PROT_EXEC && is_stack(layout, i))
			return true;
	return false;
}

/* Where the stack is executable already, the finding on that names who asks. */
static void look_at_stack(struct auditing *auditing, int32_t index)
{
	int prot = auditing->layout->images[index].elf->stack_prot;
	bool lacks = prot == SEGMAP_NO_STACK;
	struct verdict verdict =
		promise(SEGMAP_FINDING_STACK_ASKED,
			lacks ? SEGMAP_SEVERITY_INFO : SEGMAP_SEVERITY_LOW, index,
			lacks ? "its linker just does not write that header" :
				"the dynamic linker or the kernel did not give way");
	struct segmap_finding *finding;

	if ((!lacks && !(prot & PROT_EXEC)) || stack_is_executable(auditing->layout))
		return;
	finding = audit_add(auditing, &verdict,
			    lacks ? "it has no PT_GNU_STACK, which can mean that it needs an "
				    "executable stack" :
				    "it asks for an executable stack");
	audit_expect(auditing, finding, "PT_GNU_STACK rw-");
	audit_actual(auditing, finding, lacks ? "no PT_GNU_STACK" : "PT_GNU_STACK with x");
}

/* The kernel loads such a file; others see another one in it, or none. */
static void look_at_header(struct auditing *auditing, int32_t index)
{
	const struct segmap_elf *elf = auditing->layout->images[index].elf;
	struct verdict verdict = promise(SEGMAP_FINDING_HEADER_MISLEADS, SEGMAP_SEVERITY_MEDIUM,
					 index, "it was written by hand, to be as small as can be");
	struct segmap_finding *finding;

	if (!elf->header_misleads)
		return;
	finding = audit_add(auditing, &verdict,
			    "its ELF header says another class, byte order, version or machine "
			    "than the kernel loads, which hides it from debuggers");
	audit_expect(auditing, finding, "EI_CLASS %u, EI_DATA %u, EI_VERSION %u, e_machine %u",
		     elf->class == 64 ? ELFCLASS64 : ELFCLASS32,
		     elf->big_endian ? ELFDATA2MSB : ELFDATA2LSB, EV_CURRENT, elf->machine);
	audit_actual(auditing, finding, "EI_CLASS %u, EI_DATA %u, EI_VERSION %u, e_machine %u",
		     elf->ident_class, elf->ident_data, elf->ident_version, elf->header_machine);
}

static void look_at_promises(struct auditing *auditing, int32_t index)
{
	const struct segmap_image *image = &auditing->layout->images[index];
	struct verdict no_pie = promise(SEGMAP_FINDING_NO_PIE, SEGMAP_SEVERITY_LOW, index,
					"built so for speed or for old tools");
	struct verdict textrel = promise(SEGMAP_FINDING_TEXTREL, SEGMAP_SEVERITY_LOW, index,
					 "old assembler code without -fPIC");
	struct segmap_finding *finding;

	/* By its type, not its role: of a program that ld.so was told to run, ld.so has that. */
	if (image->role != SEGMAP_ROLE_INTERPRETER && image->elf->type == ET_EXEC && !image->bias) {
		finding = audit_add(auditing, &no_pie,
				    "the program is always at the same address (no PIE)");
		audit_expect(auditing, finding, "ET_DYN, another base at each run");
		audit_actual(auditing, finding, "ET_EXEC at 0x%jx", (uintmax_t)image->start);
	}
	if (image->elf->textrel) {
		finding = audit_add(auditing, &textrel,
				    "code is written to when it is loaded (DT_TEXTREL)");
		audit_expect(auditing, finding, "no text relocations");
		audit_actual(auditing, finding, "DT_TEXTREL");
	}
	look_at_header(auditing, index);
	look_at_relro(auditing, index);
	look_at_binding(auditing, index);
	look_at_slots(auditing, index);
	look_at_runpath(auditing, index);
	look_at_stack(auditing, index);
}

static bool has_code(const struct segmap_layout *layout, int32_t image)
{
	for (size_t i = 0; i < layout->n_vmas; i++)
		if (layout->annotations[i].image == image && layout->vmas[i].prot & PROT_EXEC)
			return true;
	return false;
}

/*
 * Whether the dynamic linker's list has every namespace: glibc's has since 2.35, where there is
 * more than one (dlmopen(3)); musl knows but one.
 */
static bool has_all_namespaces(const struct auditing *auditing)
{
	return auditing->evidence->list_has_next || !auditing->is_glibc ||
	       audit_has_version(auditing->layout, "GLIBC_2.35");
}

/* An image that the dynamic linker should know of; @all: its list has every namespace. */
static void look_for_entry(struct auditing *auditing, int32_t index, bool all)
{
	const struct segmap_evidence *evidence = auditing->evidence;
	const struct segmap_image *image = &auditing->layout->images[index];
	uint64_t dynamic = segmap_addr(image->elf->dynamic, image->bias);
	struct verdict verdict = {
		.id = SEGMAP_FINDING_IMAGE_UNLISTED,
		.severity = all ? SEGMAP_SEVERITY_HIGH : SEGMAP_SEVERITY_MEDIUM,
		.confidence = all ? SEGMAP_CONFIDENCE_LIKELY : SEGMAP_CONFIDENCE_POSSIBLE,
		.vma = -1,
		.image = index,
		.start = image->start,
		.end = image->end,
		.benign =
			all ? "the program loads objects by itself, without the dynamic linker" :
			      "it is in a namespace of its own (dlmopen), which this dynamic linker "
			      "does not list, or the program has loaded it by itself",
	};
	struct segmap_finding *finding;

	/* glibc strikes itself from the list where no object needs it by name (elf/rtld.c). */
	if (!image->elf->dynamic || image->elf->foreign || is_static(image) ||
	    image->role == SEGMAP_ROLE_INTERPRETER || !has_code(auditing->layout, index))
		return;
	for (size_t i = 0; i < evidence->n_linked; i++)
		if (evidence->linked[i].dynamic == dynamic)
			return;
	finding =
		audit_add(auditing, &verdict,
			  "its code is in memory, and the dynamic linker's list does not have it");
	audit_expect(auditing, finding, "an entry in link_map");
	audit_actual(auditing, finding, "%zu entries, none for 0x%jx", evidence->n_linked,
		     (uintmax_t)dynamic);
}

/* Whether something that can be an ELF object is at @addr. */
static bool is_in_image(const struct segmap_layout *layout, uint64_t addr)
{
	int64_t vma = segmap_layout_find(layout, addr);

	return vma >= 0 &&
	       (layout->annotations[vma].image >= 0 || layout->annotations[vma].backing >= 0 ||
		layout->annotations[vma].kind == SEGMAP_KIND_VDSO);
}

static void look_for_image(struct auditing *auditing, const struct segmap_linked_object *object)
{
	struct verdict verdict = {
		.id = SEGMAP_FINDING_LISTED_NOT_MAPPED,
		.severity = SEGMAP_SEVERITY_MEDIUM,
		.confidence = SEGMAP_CONFIDENCE_LIKELY,
		.vma = -1,
		.image = -1,
		.benign = "its file could not be read, or it lies on memory without a file",
	};
	struct segmap_finding *finding;

	if (!object->dynamic || is_in_image(auditing->layout, object->dynamic))
		return;
	finding = audit_add(auditing, &verdict,
			    "the dynamic linker's list has \"%s\", and no loaded file is there",
			    object->name ? object->name : "");
	audit_expect(auditing, finding, "an image at 0x%jx", (uintmax_t)object->bias);
	audit_actual(auditing, finding,
		     segmap_layout_find(auditing->layout, object->dynamic) < 0 ?
			     "nothing is mapped" :
			     "no image");
}

static void look_at_list(struct auditing *auditing)
{
	const struct segmap_layout *layout = auditing->layout;
	const struct segmap_evidence *evidence = auditing->evidence;
	struct verdict broken = {
		.id = SEGMAP_FINDING_LIST_BROKEN,
		.severity = SEGMAP_SEVERITY_MEDIUM,
		.confidence = SEGMAP_CONFIDENCE_LIKELY,
		.vma = -1,
		.image = -1,
		.benign = "the program is being debugged or is crashing",
	};
	bool all;

	if (!evidence)
		return;
	if (evidence->list == SEGMAP_LIST_BROKEN) {
		struct segmap_finding *finding =
			audit_add(auditing, &broken,
				  "the dynamic linker's list leads to where nothing is, or "
				  "does not end");

		audit_expect(auditing, finding, "a list that ends");
		audit_actual(auditing, finding, "%zu entries", evidence->n_linked);
	}
	if (evidence->list != SEGMAP_LIST_READ)
		return;
	all = has_all_namespaces(auditing);
	for (size_t i = 0; i < layout->n_images; i++)
		if (audit_is_loaded(&layout->images[i]))
			look_for_entry(auditing, (int32_t)i, all);
	for (size_t i = 0; i < evidence->n_linked; i++)
		look_for_image(auditing, &evidence->linked[i]);
}

void audit_files(struct auditing *auditing)
{
	const struct segmap_layout *layout = auditing->layout;

	look_at_list(auditing);
	for (size_t i = 0; i < layout->n_images; i++) {
		if (is_first_of_file(layout, i))
			look_at_status(auditing, i);
		if (audit_is_loaded(&layout->images[i]) && is_first_of_file(layout, i))
			look_at_promises(auditing, (int32_t)i);
	}
}
