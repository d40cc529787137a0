/* include/segmap/words.h - the words of docs/segmap.schema.json for each enum, both ways. */
#ifndef SEGMAP_WORDS_H
#define SEGMAP_WORDS_H

#include <segmap/error.h>

/* Whose values. */
enum segmap_words {
	SEGMAP_WORDS_KIND,	 /* enum segmap_kind */
	SEGMAP_WORDS_PIECE,	 /* enum segmap_piece_kind */
	SEGMAP_WORDS_CLASS,	 /* enum segmap_class */
	SEGMAP_WORDS_ROLE,	 /* enum segmap_role */
	SEGMAP_WORDS_STATUS,	/* enum segmap_status */
	SEGMAP_WORDS_OPENED,	/* enum segmap_opened */
	SEGMAP_WORDS_SECTIONS,	/* enum segmap_sections_from */
	SEGMAP_WORDS_SOURCE,	/* enum segmap_source */
	SEGMAP_WORDS_MOMENT,	/* enum segmap_moment */
	SEGMAP_WORDS_BASE,	 /* enum segmap_base */
	SEGMAP_WORDS_PAGE,	 /* enum segmap_page_state */
	SEGMAP_WORDS_EVENT,	 /* enum segmap_event */
};

/* The word for @value; NULL where there is none: of what is not opened, no moment, no base, no event. */
SEGMAP_API const char *segmap_word(enum segmap_words of, unsigned int value);

/* The value that @word stands for; -1 if it is none of them. */
SEGMAP_API int segmap_word_find(enum segmap_words of, const char *word);

#endif
