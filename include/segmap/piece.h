/* include/segmap/piece.h - a range inside one VMA with one label. */
#ifndef SEGMAP_PIECE_H
#define SEGMAP_PIECE_H

#include <stdbool.h>
#include <stdint.h>

enum segmap_piece_kind {
	SEGMAP_PIECE_SECTION,
	SEGMAP_PIECE_EHDR,
	SEGMAP_PIECE_PHDRS,
	SEGMAP_PIECE_SHDRS,
	SEGMAP_PIECE_PART,    /* named from a program or dynamic header */
	SEGMAP_PIECE_PADDING, /* in the segment and in no section; the zeroed rest of a page */
	SEGMAP_PIECE_SPILL,   /* bytes outside the segment, mapped because pages are whole */
	SEGMAP_PIECE_GAP,     /* between segments */
	SEGMAP_PIECE_ANON,    /* pages merged into the VMA that belong to no segment */
};

#define SEGMAP_NO_OFF UINT64_MAX /* no bytes of a file */
#define SEGMAP_NO_PROT (-1)	 /* no permissions are called for */

struct segmap_piece {
	uint64_t start, end;	    /* runtime addresses, [start, end) */
	uint64_t off;		    /* into the file, of the byte at start; or SEGMAP_NO_OFF */
	const char *name;	    /* of the section, or in brackets; borrowed from the ELF object */
	enum segmap_piece_kind kind;
	int32_t image;		    /* index in the layout's images; -1 for an anonymous piece */
	int32_t segment;	    /* index in the ELF object's segments; -1 for none */
	int16_t expected_prot;	    /* what PT_LOAD and PT_GNU_RELRO call for; or SEGMAP_NO_PROT */
	bool comes_from;	    /* the section began in an earlier VMA */
	bool goes_on;		    /* the section goes on in a later VMA */
};

#endif
