/* src/render/caption.h - what a picture and the table beneath it say: the same words for both. */
#ifndef RENDER_CAPTION_H
#define RENDER_CAPTION_H

#include "render/picture.h"

/* All of these append markup: names are escaped. */

/* "7f12a0001000", or in a prediction "L3+00001000": @addr, which lies in VMA @vma or ends it. */
void caption_address(struct segmap_text *markup, const struct segmap_layout *layout, size_t vma,
		     uint64_t addr);

/* The file name of @image, without directories; cut to @columns. */
void caption_image(struct segmap_text *markup, const struct segmap_layout *layout, int32_t image,
		   size_t columns);

/* What a VMA is called that belongs to no image: "[heap]", a file's base name, "[anon]". */
void caption_vma(struct segmap_text *markup, const struct segmap_layout *layout, size_t vma,
		 size_t columns);

/* "bash: program, 5 VMAs", "libc.so.6: library, base L1, 5 VMAs", "12 VMAs of no ELF file: …". */
void caption_group(struct segmap_text *markup, const struct picture *picture,
		   const struct picture_group *group);

/* What is to be known of a VMA beside address, size and permissions: "LOAD 3", a label. */
void caption_role(struct segmap_text *markup, const struct segmap_layout *layout, size_t vma);

/* What is to be known of a piece: "code", "mapped twice: also at …", "no file holds this". */
void caption_piece(struct segmap_text *markup, const struct picture *picture, uint32_t piece);

/* The same for a part of the file: "loaded by LOAD 3: code", "no segment loads it". */
void caption_part(struct segmap_text *markup, const struct picture *picture,
		  const struct picture_group *group, const struct picture_part *part);

/* What the whole map is of, on one line: "4242: bash -i". */
void caption_map(struct segmap_text *markup, const struct segmap_layout *layout);

/* What is to be said of every picture: which side is which, and that it is not to scale. */
extern const char caption_scale[];

#endif
