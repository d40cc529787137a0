/* src/render/quiz_page.c - a quiz as text: what is known, the questions, the answers. */
#include "render/explain.h"
#include "render/quiz.h"
#include "render/say.h"
#include <string.h>

static void say_section(struct segmap_text *text, const struct segmap_section *section)
{
	enum { NAME_WIDTH = 26 };
	size_t before = text->size, columns;

	say_safe(text, section->name);
	columns = segmap_text_columns(text->bytes + before, text->size - before);
	if (columns < NAME_WIDTH)
		say_blanks(text, NAME_WIDTH - columns);
	say(text, " %#12" PRIx64 " %#10" PRIx64 "%s\n", section->vaddr, section->size,
	    section->nobits && section->tls ? "  takes no place" :
	    section->nobits		    ? "  no bytes in the file" :
					      "");
}

/* Those that are loaded; of very many, the first. */
static void say_section_table(struct segmap_text *text, const struct segmap_elf *elf)
{
	enum { MOST = 64 };
	size_t n = 0;

	say(text, "\n  %-26s %12s %10s\n", "SECTION", "ADDRESS", "SIZE");
	for (size_t i = 0; i < elf->n_sections; i++) {
		if (!elf->sections[i].alloc || n++ >= MOST)
			continue;
		say(text, "  ");
		say_section(text, &elf->sections[i]);
	}
	if (n > MOST)
		say(text, "  and %zu more\n", n - MOST);
}

struct segmap_error *render_quiz_head(const struct quiz *quiz, const struct style *style,
				      FILE *file)
{
	const struct segmap_layout *entry = quiz->entry;
	const char *base = entry->prediction->images[0].base;
	struct segmap_error *error = render_program_file(entry, style, file);
	struct segmap_text text = { 0 }, sentence = { 0 };

	if (error)
		return error;
	if (entry->images[0].elf->sections_from == SEGMAP_SECTIONS_HEADERS)
		say_section_table(&text, entry->images[0].elf);
	say(&sentence, "\nA page has " HEX " bytes.", entry->page_size);
	if (base[0]) {
		say(&sentence, " %s is where ", base);
		say_image_name(&sentence, entry, 0);
		say(&sentence, " will be loaded: %s+0x1000 is the place of address 0x1000 in the "
			       "tables above.", base);
	}
	say(&sentence, " The same seed asks the same again: --seed %" PRIu32 ".", quiz->seed);
	say_wrapped(&text, &sentence, 0, style->wrap);
	segmap_text_free(&sentence);
	return write_text(&text, file);
}

struct segmap_error *render_question(const struct quiz *quiz, size_t index,
				     const struct style *style, FILE *file)
{
	struct segmap_text text = { 0 }, sentence = { 0 };

	say(&sentence, "%zu. ", index + 1);
	segmap_text_append_trusted(&sentence, quiz->questions[index].text);
	segmap_text_append_char(&text, '\n');
	say_wrapped(&text, &sentence, 0, style->wrap);
	segmap_text_free(&sentence);
	return write_text(&text, file);
}

struct segmap_error *render_question_key(const struct question *question, bool right,
					 const struct style *style, FILE *file)
{
	struct segmap_text text = { 0 }, sentence = { 0 };

	say(&sentence, right ? "Right: " : "No, it is ");
	say_key(&sentence, question);
	say(&sentence, ". ");
	segmap_text_append_trusted(&sentence, question->explanation);
	say_wrapped(&text, &sentence, 3, style->wrap);
	segmap_text_free(&sentence);
	return write_text(&text, file);
}
