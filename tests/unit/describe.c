/* tests/unit/describe.c - an annotated layout as text. */
#include "describe.h"
#include "render/words.h"
#include <inttypes.h>
#include <segmap/text.h>
#include <string.h>

static const struct segmap_elf *elf_of(const struct segmap_layout *layout, int32_t image)
{
	return image < 0 ? NULL : layout->images[image].elf;
}

/* Names can hold anything; as in the program's own output they become safe. */
static void print_name(FILE *file, const char *name)
{
	struct segmap_text text = { 0 };

	segmap_text_append_safe(&text, name, strlen(name));
	fprintf(file, "%.*s", (int)text.size, text.bytes ? text.bytes : "");
	segmap_text_free(&text);
}

static void print_prot(FILE *file, int prot)
{
	char perms[5];

	segmap_perms_format(prot, false, perms);
	fprintf(file, "%.3s", perms);
}

/* " i0 s1 r-x": only what there is, and of a piece only what differs from its VMA. */
static void print_place(FILE *file, const struct segmap_layout *layout, int32_t image,
			int32_t segment, int expected, const struct segmap_annotation *of_vma)
{
	if (image >= 0 && (!of_vma || image != of_vma->image))
		fprintf(file, " i%" PRId32, image);
	if (segment >= 0 && elf_of(layout, image) &&
	    (!of_vma || segment != of_vma->segment || image != of_vma->image))
		fprintf(file, " s%u", elf_of(layout, image)->segments[segment].index);
	if (expected != SEGMAP_NO_PROT && (!of_vma || expected != of_vma->expected_prot)) {
		fputs(of_vma ? " =" : " ", file);
		print_prot(file, expected);
	}
}

static void print_piece_name(FILE *file, const struct segmap_piece *piece)
{
	if (piece->kind == SEGMAP_PIECE_SPILL || piece->kind == SEGMAP_PIECE_PART)
		fprintf(file, "%s ", word_of_piece(piece->kind));
	if (piece->comes_from)
		fputc('>', file);
	print_name(file, piece->name);
	if (piece->goes_on)
		fputc('>', file);
}

void describe_short(const struct segmap_layout *layout, FILE *file)
{
	for (size_t i = 0; i < layout->n_vmas; i++) {
		const struct segmap_annotation *annotation = &layout->annotations[i];
		const struct segmap_vma *vma = &layout->vmas[i];
		char perms[5];

		segmap_perms_format(vma->prot, vma->shared, perms);
		fprintf(file, "%" PRIx64 "-%" PRIx64 " %s %s", vma->start, vma->end, perms,
			word_of_kind(annotation->kind));
		print_place(file, layout, annotation->image, annotation->segment,
			    annotation->expected_prot, NULL);
		for (uint32_t j = 0; j < annotation->n_pieces; j++) {
			const struct segmap_piece *piece =
				&layout->pieces[annotation->first_piece + j];

			fprintf(file, "%s %" PRIx64 " ", j ? "," : " |", piece->start);
			print_piece_name(file, piece);
			print_place(file, layout, piece->image, piece->segment,
				    piece->expected_prot, annotation);
		}
		fputc('\n', file);
	}
}

static void describe_image(const struct segmap_layout *layout, int32_t index, FILE *file)
{
	const struct segmap_image *image = &layout->images[index];

	fprintf(file, "image %" PRId32 ": %s ", index, word_of_role(image->role));
	print_name(file, segmap_layout_image_path(layout, index));
	if (image->alias_of >= 0)
		fprintf(file, ", of image %" PRId32, image->alias_of);
	fprintf(file, ", %s", word_of_status(segmap_layout_image_status(layout, index)));
	if (image->elf) {
		fprintf(file, ", bias %" PRIx64, image->bias);
		if (image->elf->elf_off)
			fprintf(file, ", at offset %" PRIx64, image->elf->elf_off);
		if (image->elf->build_id)
			fprintf(file, ", build-id %s", image->elf->build_id);
		if (image->elf->foreign)
			fputs(", foreign", file);
	}
	fprintf(file, ", [%" PRIx64 ", %" PRIx64 ")\n", image->start, image->end);
}

static void describe_vma(const struct segmap_layout *layout, size_t index, FILE *file)
{
	const struct segmap_annotation *annotation = &layout->annotations[index];
	const struct segmap_vma *vma = &layout->vmas[index];
	char perms[5];

	segmap_perms_format(vma->prot, vma->shared, perms);
	fprintf(file, "%" PRIx64 "-%" PRIx64 " %s %" PRIx64 " ", vma->start, vma->end, perms,
		vma->off);
	print_name(file, vma->name[0] ? vma->name : "(no name)");
	fprintf(file, "\n  %s", word_of_kind(annotation->kind));
	print_place(file, layout, annotation->image, annotation->segment, annotation->expected_prot,
		    NULL);
	fputc('\n', file);
	for (uint32_t i = 0; i < annotation->n_pieces; i++) {
		const struct segmap_piece *piece = &layout->pieces[annotation->first_piece + i];

		fprintf(file, "    %" PRIx64 "-%" PRIx64 " ", piece->start, piece->end);
		if (piece->off == SEGMAP_NO_OFF)
			fputs("- ", file);
		else
			fprintf(file, "%" PRIx64 " ", piece->off);
		print_piece_name(file, piece);
		print_place(file, layout, piece->image, piece->segment, piece->expected_prot,
			    annotation);
		fputc('\n', file);
	}
}

void describe_full(const struct segmap_layout *layout, FILE *file)
{
	for (size_t i = 0; i < layout->n_images; i++)
		describe_image(layout, (int32_t)i, file);
	if (layout->n_images)
		fputc('\n', file);
	for (size_t i = 0; i < layout->n_vmas; i++)
		describe_vma(layout, i, file);
	for (size_t i = 0; i < layout->n_notes; i++) {
		fputs("note: ", file);
		print_name(file, layout->notes[i]);
		fputc('\n', file);
	}
}
