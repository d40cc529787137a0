/* src/render/words.h - the words for each enum: those of the JSON schema. */
#ifndef RENDER_WORDS_H
#define RENDER_WORDS_H

#include <segmap/at.h>
#include <segmap/summary.h>

const char *word_of_kind(enum segmap_kind kind);
const char *word_of_class(enum segmap_class class);
const char *word_of_piece(enum segmap_piece_kind kind);
const char *word_of_role(enum segmap_role role);
const char *word_of_status(enum segmap_status status);
const char *word_of_opened(enum segmap_opened opened); /* NULL for not opened */
const char *word_of_sections(enum segmap_sections_from from);
const char *word_of_page(enum segmap_page_state page); /* NULL for unknown */
const char *word_of_source(enum segmap_source source);
const char *word_of_moment(enum segmap_moment moment); /* NULL for none */
const char *word_of_base(enum segmap_base base);       /* NULL for none */

/* What becomes of a program that does not run, as the beginning of a sentence. */
const char *words_of_outcome(const struct segmap_outcome *outcome);

/* What a word of VmFlags means; the word itself where this version does not know it. */
const char *words_of_vm_flag(const char *flag);

#endif
