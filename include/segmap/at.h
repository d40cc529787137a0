/* include/segmap/at.h - what is at an address, and where a symbol or section is. */
#ifndef SEGMAP_AT_H
#define SEGMAP_AT_H

#include <segmap/layout.h>

enum segmap_question_kind {
	SEGMAP_QUESTION_ADDRESS, /* 7f00, 0x7f00: begins with a digit */
	SEGMAP_QUESTION_SYMBOL,  /* symbol, image!symbol */
	SEGMAP_QUESTION_OFFSET,  /* image+0xoff: bytes from the image's first address */
	SEGMAP_QUESTION_SECTION, /* .section, image!.section */
};

/* Free with segmap_question_free(). */
struct segmap_question {
	enum segmap_question_kind kind;
	char *asked;	 /* as the user wrote it; owned */
	char *image;	 /* path, base name or soname; NULL: any; owned */
	const char *name; /* of the symbol or section; NULL if it is a number; part of asked */
	uint64_t number; /* address, or offset */
};

/* The error's text says what is wrong with @text. */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_question_parse(const char *text, struct segmap_question *ret);
SEGMAP_API void segmap_question_free(struct segmap_question *question);

/* Whether image @index of @layout is one that @question is about. */
SEGMAP_API bool segmap_question_is_about(const struct segmap_question *question,
					 const struct segmap_layout *layout, int32_t index);

/* What is behind a page of a process. */
enum segmap_page_state {
	SEGMAP_STATE_UNKNOWN,
	SEGMAP_STATE_ABSENT,
	SEGMAP_STATE_FILE,    /* in memory, of a file or shared memory */
	SEGMAP_STATE_PRIVATE, /* in memory, anonymous */
	SEGMAP_STATE_SWAPPED,
	SEGMAP_STATE_ZERO, /* the shared page of zeros */
};

/* The answer to one question; a name that several images have has several. */
struct segmap_answer {
	char *asked; /* owned */
	bool found;  /* false: nothing has this name, and nothing below means anything */
	uint64_t addr;
	int64_t vma;	   /* index in the layout's VMAs; -1: not mapped */
	int32_t image;	   /* index in images; -1: none */
	int32_t segment;   /* index in the ELF object's segments; -1: none */
	const struct segmap_piece *piece; /* that holds it; NULL: none */
	bool in_section;
	uint64_t section_off; /* bytes from the section's start; with in_section */
	uint64_t off;	      /* bytes into the file; SEGMAP_NO_OFF: none */
	char *symbol;	      /* raw bytes; owned; NULL: none */
	uint64_t symbol_off;  /* bytes from the symbol's start */
	char *source;	      /* file:line; owned; NULL if unknown */
	enum segmap_page_state page;
	char *before, *after; /* the neighbours of an address that is not mapped; owned; NULL */
};

SEGMAP_API void segmap_answer_free(struct segmap_answer *answer);

/*
 * What @layout, which is correlated, has at @addr: everything but symbol,
 * source and page, which take more than the layout to know.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_layout_locate(const struct segmap_layout *layout, const char *asked, uint64_t addr,
		     struct segmap_answer *ret);

#endif
