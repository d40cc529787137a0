/* src/render/words.h - the words for each enum: those of the JSON schema, and others. */
#ifndef RENDER_WORDS_H
#define RENDER_WORDS_H

#include <segmap/at.h>
#include <segmap/summary.h>
#include <segmap/words.h>

static inline const char *word_of_kind(enum segmap_kind kind)
{
	return segmap_word(SEGMAP_WORDS_KIND, kind);
}

static inline const char *word_of_class(enum segmap_class class)
{
	return segmap_word(SEGMAP_WORDS_CLASS, class);
}

static inline const char *word_of_piece(enum segmap_piece_kind kind)
{
	return segmap_word(SEGMAP_WORDS_PIECE, kind);
}

static inline const char *word_of_role(enum segmap_role role)
{
	return segmap_word(SEGMAP_WORDS_ROLE, role);
}

static inline const char *word_of_status(enum segmap_status status)
{
	return segmap_word(SEGMAP_WORDS_STATUS, status);
}

/* NULL for not opened. */
static inline const char *word_of_opened(enum segmap_opened opened)
{
	return segmap_word(SEGMAP_WORDS_OPENED, opened);
}

static inline const char *word_of_sections(enum segmap_sections_from from)
{
	return segmap_word(SEGMAP_WORDS_SECTIONS, from);
}

/* NULL for unknown. */
static inline const char *word_of_page(enum segmap_page_state page)
{
	return segmap_word(SEGMAP_WORDS_PAGE, page);
}

static inline const char *word_of_source(enum segmap_source source)
{
	return segmap_word(SEGMAP_WORDS_SOURCE, source);
}

/* NULL for none. */
static inline const char *word_of_moment(enum segmap_moment moment)
{
	return segmap_word(SEGMAP_WORDS_MOMENT, moment);
}

/* NULL for none. */
static inline const char *word_of_base(enum segmap_base base)
{
	return segmap_word(SEGMAP_WORDS_BASE, base);
}

/* NULL for none. */
static inline const char *word_of_event(enum segmap_event event)
{
	return segmap_word(SEGMAP_WORDS_EVENT, event);
}

/* What becomes of a program that does not run, as the beginning of a sentence. */
const char *words_of_outcome(const struct segmap_outcome *outcome);

/* What a word of VmFlags means; the word itself where this version does not know it. */
const char *words_of_vm_flag(const char *flag);

#endif
