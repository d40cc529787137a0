/* tests/unit/builder.c - ELF objects and layouts made by hand. */
#include "builder.h"
#include "describe.h"
#include "model/elf.h"
#include "render/words.h"
#include "unit.h"
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How far the headers of @plan reach into the file. */
static uint64_t size_needed(const struct segmap_elf *elf, const struct elf_headers *headers)
{
	uint64_t size = headers->phdrs_off + headers->phdrs_size;

	if (headers->shdrs_off + headers->shdrs_size > size)
		size = headers->shdrs_off + headers->shdrs_size;
	for (size_t i = 0; i < elf->n_segments; i++)
		if (elf->segments[i].off + elf->segments[i].filesz > size)
			size = elf->segments[i].off + elf->segments[i].filesz;
	for (size_t i = 0; i < elf->n_sections; i++)
		if (!elf->sections[i].nobits &&
		    elf->sections[i].off + elf->sections[i].size > size)
			size = elf->sections[i].off + elf->sections[i].size;
	return size;
}

struct segmap_elf *plan_build(const struct plan *plan, uint64_t page_size)
{
	struct segmap_elf *elf = calloc(1, sizeof(*elf));
	struct elf_headers headers = {
		.ehdr_size = sizeof(Elf64_Ehdr),
		.phdrs_off = sizeof(Elf64_Ehdr),
		.shdrs_off = plan->shdrs_off,
		.shdrs_size = plan->shdrs_size,
	};

	ck_assert_ptr_nonnull(elf);
	elf->class = 64;
	elf->machine = plan->machine ? plan->machine : EM_X86_64;
	elf->type = plan->type ? plan->type : ET_DYN;
	elf->foreign = plan->foreign;
	elf->elf_off = plan->elf_off;
	elf->segments = calloc(MAX_SEGMENTS, sizeof(*elf->segments));
	elf->sections = calloc(MAX_SECTIONS, sizeof(*elf->sections));
	ck_assert(elf->segments && elf->sections);
	while (elf->n_segments < MAX_SEGMENTS &&
	       (plan->segments[elf->n_segments].memsz || plan->segments[elf->n_segments].filesz)) {
		struct segmap_segment *segment = &elf->segments[elf->n_segments];

		*segment = plan->segments[elf->n_segments];
		segment->index = (unsigned int)elf->n_segments++;
		segmap_segment_expand(segment, page_size);
	}
	for (; elf->n_sections < MAX_SECTIONS && plan->sections[elf->n_sections].name;
	     elf->n_sections++)
		elf->sections[elf->n_sections] = plan->sections[elf->n_sections];
	headers.phdrs_size = (plan->n_phdrs ? plan->n_phdrs : elf->n_segments) * sizeof(Elf64_Phdr);
	elf->size = plan->size ? plan->size : size_needed(elf, &headers);
	elf->sections_from = elf->n_sections ? SEGMAP_SECTIONS_HEADERS : SEGMAP_SECTIONS_NONE;
	ck_assert(elf_label(elf, &headers));
	return elf;
}

void world_make(struct world *world, const char *maps)
{
	char *text = strdup(maps);
	size_t taken;

	memset(world, 0, sizeof(*world));
	ck_assert_ptr_nonnull(text);
	unit_no_error(segmap_layout_new(&world->layout));
	world->layout->source = SEGMAP_SOURCE_MAPS;
	world->layout->page_size = PAGE;
	unit_no_error(segmap_layout_parse_maps(world->layout, "maps", text, strlen(text), true,
					       &taken));
	free(text);
}

struct segmap_file *world_file(struct world *world, const char *path)
{
	struct segmap_file *file = NULL;

	for (size_t i = 0; i < world->layout->n_backings && !file; i++)
		if (strcmp(world->layout->backings[i].path, path) == 0)
			file = world->layout->backings[i].file;
	if (!file) {
		ck_assert_uint_lt(world->n_files, MAX_FILES);
		file = &world->files[world->n_files];
		*file = (struct segmap_file){
			.fd = -1,
			.parsed = true,
			.elfs = world->elfs[world->n_files++],
		};
	}
	for (size_t i = 0; i < world->layout->n_backings; i++) {
		struct segmap_backing *backing = &world->layout->backings[i];

		if (strcmp(backing->path, path) == 0) {
			backing->file = file;
			backing->opened = SEGMAP_OPENED_PATH;
			backing->status = SEGMAP_STATUS_OK;
		}
	}
	return file;
}

void world_put(struct world *world, const struct plan *plan)
{
	struct segmap_file *file = world_file(world, plan->path);

	ck_assert_uint_lt(file->n_elfs, MAX_ELFS);
	file->elfs[file->n_elfs] = plan_build(plan, world->layout->page_size);
	file->size = plan->elf_off + file->elfs[file->n_elfs]->size;
	file->on_disk = file->size;
	file->n_elfs++;
}

void world_correlate(struct world *world)
{
	unit_no_error(segmap_layout_correlate(world->layout));
	world_check(world->layout);
}

static void check_piece(const struct segmap_layout *layout, const struct segmap_piece *piece)
{
	ck_assert_uint_lt(piece->start, piece->end);
	ck_assert_ptr_nonnull(piece->name);
	ck_assert_int_le(piece->kind, SEGMAP_PIECE_ANON);
	ck_assert(piece->expected_prot == SEGMAP_NO_PROT ||
		  (piece->expected_prot >= 0 && piece->expected_prot <= RWX));
	ck_assert_int_ge(piece->image, -1);
	ck_assert_int_lt(piece->image, (int64_t)layout->n_images);
	if (piece->kind == SEGMAP_PIECE_ANON)
		ck_assert(piece->image == -1 && piece->segment == -1);
	if (piece->kind == SEGMAP_PIECE_GAP)
		ck_assert_int_eq(piece->segment, -1);
	if (piece->segment >= 0) {
		ck_assert_int_ge(piece->image, 0);
		ck_assert_ptr_nonnull(layout->images[piece->image].elf);
		ck_assert_uint_lt((size_t)piece->segment,
				  layout->images[piece->image].elf->n_segments);
	}
}

static bool is_kind_of_image(enum segmap_kind kind)
{
	return kind == SEGMAP_KIND_SEGMENT || kind == SEGMAP_KIND_RELRO ||
	       kind == SEGMAP_KIND_BSS || kind == SEGMAP_KIND_GAP || kind == SEGMAP_KIND_REMAPPED ||
	       kind == SEGMAP_KIND_ALIAS;
}

static void check_vma(const struct segmap_layout *layout, size_t index)
{
	const struct segmap_annotation *annotation = &layout->annotations[index];
	const struct segmap_vma *vma = &layout->vmas[index];
	uint64_t at = vma->start;

	ck_assert_uint_le((uint64_t)annotation->first_piece + annotation->n_pieces,
			  layout->n_pieces);
	if (annotation->image < 0) {
		ck_assert_uint_eq(annotation->n_pieces, 0);
		ck_assert_int_eq(annotation->segment, -1);
		ck_assert_int_eq(annotation->expected_prot, SEGMAP_NO_PROT);
		ck_assert(!is_kind_of_image(annotation->kind));
		return;
	}
	ck_assert_uint_lt((size_t)annotation->image, layout->n_images);
	ck_assert(is_kind_of_image(annotation->kind) || annotation->kind == SEGMAP_KIND_VDSO);
	for (uint32_t i = 0; i < annotation->n_pieces; i++) {
		const struct segmap_piece *piece = &layout->pieces[annotation->first_piece + i];

		ck_assert_msg(piece->start == at, "VMA %jx: piece %s begins at %jx, not at %jx",
			      (uintmax_t)vma->start, piece->name, (uintmax_t)piece->start,
			      (uintmax_t)at);
		check_piece(layout, piece);
		at = piece->end;
	}
	ck_assert_msg(at == vma->end, "VMA %jx: its pieces end at %jx, not at %jx",
		      (uintmax_t)vma->start, (uintmax_t)at, (uintmax_t)vma->end);
}

void world_check(const struct segmap_layout *layout)
{
	for (size_t i = 0; i < layout->n_vmas; i++)
		check_vma(layout, i);
	for (size_t i = 0; i < layout->n_images; i++) {
		const struct segmap_image *image = &layout->images[i];

		ck_assert(i == 0 || image[-1].start <= image->start);
		ck_assert((image->role == SEGMAP_ROLE_ALIAS) == (image->alias_of >= 0));
		ck_assert_int_lt(image->alias_of, (int64_t)layout->n_images);
		ck_assert_int_lt(image->backing, (int64_t)layout->n_backings);
	}
}

char *world_text(const struct world *world)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(file);
	describe_short(world->layout, file);
	ck_assert_int_eq(fclose(file), 0);
	return text;
}

void world_free(struct world *world)
{
	segmap_layout_free(world->layout);
	for (size_t i = 0; i < world->n_files; i++)
		for (size_t j = 0; j < world->files[i].n_elfs; j++)
			segmap_elf_free(world->files[i].elfs[j]);
}

static char *images_text(const struct segmap_layout *layout)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(file);
	for (size_t i = 0; i < layout->n_images; i++) {
		const struct segmap_image *image = &layout->images[i];

		fprintf(file, "%s%s %jx %s", i ? ", " : "", word_of_role(image->role),
			(uintmax_t)image->bias, segmap_layout_image_path(layout, (int32_t)i));
		if (image->alias_of >= 0)
			fprintf(file, " of %d", (int)image->alias_of);
	}
	ck_assert_int_eq(fclose(file), 0);
	return text;
}

void scenario_check(const struct scenario *scenario)
{
	struct world world;
	char *images, *vmas;

	world_make(&world, scenario->maps);
	for (size_t i = 0; i < MAX_FILES && scenario->plans[i]; i++)
		world_put(&world, scenario->plans[i]);
	world.layout->auxv_phdr = scenario->auxv_phdr;
	world.layout->auxv_base = scenario->auxv_base;
	world.layout->exe_ino = scenario->exe_ino;
	world.layout->read_implies_exec = scenario->read_implies_exec;
	if (scenario->vdso)
		world.layout->vdso = plan_build(scenario->vdso, PAGE);
	world_correlate(&world);
	images = images_text(world.layout);
	vmas = world_text(&world);
	ck_assert_msg(!scenario->images || strcmp(images, scenario->images) == 0,
		      "%s: the images are\n%s\nnot\n%s\n%s", scenario->claim, images,
		      scenario->images, vmas);
	ck_assert_msg(!scenario->vmas || strcmp(vmas, scenario->vmas) == 0,
		      "%s: the VMAs are\n%s\nnot\n%s", scenario->claim, vmas, scenario->vmas);
	free(images);
	free(vmas);
	world_free(&world);
}
