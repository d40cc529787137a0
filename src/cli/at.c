/* src/cli/at.c - --at: the questions of the command line, and answering them. */
#include "cli/at.h"
#include <errno.h>
#include <segmap/page_state.h>
#include <segmap/symbols.h>
#include <stdlib.h>
#include <string.h>

void questions_free(struct questions *questions)
{
	for (size_t i = 0; i < questions->n; i++)
		segmap_question_free(&questions->array[i]);
	free(questions->array);
	*questions = (struct questions){ 0 };
}

static struct segmap_error *add_one(struct questions *questions, const char *text)
{
	if (questions->n == questions->capacity) {
		size_t bigger = questions->capacity ? questions->capacity * 2 : 16;
		struct segmap_question *array =
			reallocarray(questions->array, bigger, sizeof(*array));

		if (!array)
			return segmap_error_no_memory();
		questions->array = array;
		questions->capacity = bigger;
	}
	return segmap_question_parse(text, &questions->array[questions->n]);
}

/* @error with the number of its line. */
static struct segmap_error *name_line(struct segmap_error *error, size_t number)
{
	struct segmap_error *named;

	if (error->code == SEGMAP_ERROR_NO_MEMORY)
		return error;
	named = segmap_error_new(error->code, "standard input", "line %zu: \"%s\": %s", number,
				 error->what, error->why);
	segmap_error_free(error);
	return named;
}

static struct segmap_error *add_lines(struct questions *questions, FILE *input)
{
	struct segmap_error *error = NULL;
	size_t capacity = 0, number = 0;
	char *line = NULL;
	ssize_t size;

	while (!error && (size = getline(&line, &capacity, input)) >= 0) {
		char *text = line + strspn(line, " \t");

		number++;
		if (memchr(line, '\0', (size_t)size))
			error = segmap_error_new(SEGMAP_ERROR_FORMAT, "",
						 "there is a NUL byte in it");
		text[strcspn(text, "\r\n")] = '\0';
		for (size_t end = strlen(text); end && strchr(" \t", text[end - 1]); end--)
			text[end - 1] = '\0';
		if (!error && text[0]) {
			error = add_one(questions, text);
			questions->n += !error;
		}
		if (error)
			error = name_line(error, number);
	}
	free(line);
	if (!error && ferror(input))
		return segmap_error_system(errno, "standard input", "read");
	return error;
}

struct segmap_error *questions_add(struct questions *questions, const char *text, FILE *input)
{
	struct segmap_error *error;

	if (strcmp(text, "-") == 0)
		return add_lines(questions, input);
	error = add_one(questions, text);
	questions->n += !error;
	return error;
}

size_t questions_few(const struct questions *questions, uint64_t *addrs)
{
	if (questions->n > QUESTIONS_FEW)
		return 0;
	for (size_t i = 0; i < questions->n; i++) {
		if (questions->array[i].kind != SEGMAP_QUESTION_ADDRESS)
			return 0;
		addrs[i] = questions->array[i].number;
	}
	return questions->n;
}

/* What answering works with. */
struct answering {
	struct segmap_layout *layout;
	struct segmap_symbols *symbols; /* NULL: not there */
	const struct segmap_question *question; /* at the moment */
	size_t capacity;
};

static struct segmap_answer *new_answer(struct answering *answering)
{
	struct segmap_layout *layout = answering->layout;

	if (layout->n_answers == answering->capacity) {
		size_t bigger = answering->capacity ? answering->capacity * 2 : 16;
		struct segmap_answer *answers =
			reallocarray(layout->answers, bigger, sizeof(*answers));

		if (!answers)
			return NULL;
		layout->answers = answers;
		answering->capacity = bigger;
	}
	return &layout->answers[layout->n_answers];
}

/* Symbol and source line. A second mapping of code has no symbols of its own. */
static struct segmap_error *name_answer(struct answering *answering, struct segmap_answer *answer)
{
	const struct segmap_layout *layout = answering->layout;

	if (!answering->symbols || answer->image < 0 ||
	    layout->images[answer->image].role == SEGMAP_ROLE_ALIAS)
		return NULL;
	return segmap_symbols_name(answering->symbols, answer->image, answer->addr,
				   answer->in_section ? answer->addr - answer->section_off :
							answer->addr,
				   &answer->symbol, &answer->symbol_off, &answer->source);
}

static struct segmap_error *answer_address(void *context, uint64_t addr)
{
	struct answering *answering = context;
	struct segmap_answer *answer = new_answer(answering);
	struct segmap_error *error;

	if (!answer)
		return segmap_error_no_memory();
	error = segmap_layout_locate(answering->layout, answering->question->asked, addr, answer);
	if (error)
		return error;
	answering->layout->n_answers++;
	if (answer->vma >= 0)
		answer->page = segmap_page_state_at(answering->layout, addr);
	return name_answer(answering, answer);
}

/* The sections of this name, where they are mapped. */
static struct segmap_error *answer_section(struct answering *answering, int32_t index)
{
	const struct segmap_image *image = &answering->layout->images[index];
	struct segmap_error *error = NULL;

	for (size_t i = 0; image->elf && i < image->elf->n_sections && !error; i++) {
		const struct segmap_section *section = &image->elf->sections[i];
		const struct segmap_label *label;
		uint64_t until;

		if (strcmp(section->name, answering->question->name) != 0)
			continue;
		/* Only what a PT_LOAD maps has an address. */
		label = segmap_label_find(image->elf->by_vaddr, image->elf->n_by_vaddr,
					  section->vaddr, &until);
		if (label && label->kind == SEGMAP_LABEL_SECTION && label->section == i)
			error = answer_address(answering, segmap_addr(section->vaddr, image->bias));
	}
	return error;
}

static struct segmap_error *answer_image(struct answering *answering, int32_t index)
{
	const struct segmap_question *question = answering->question;
	const struct segmap_image *image = &answering->layout->images[index];

	switch (question->kind) {
	case SEGMAP_QUESTION_OFFSET:
		return answer_address(answering, image->start + question->number);
	case SEGMAP_QUESTION_SECTION:
		return answer_section(answering, index);
	default:
		return answering->symbols && image->role != SEGMAP_ROLE_ALIAS ?
			       segmap_symbols_find(answering->symbols, index, question->name,
						   answer_address, answering) :
			       NULL;
	}
}

/* An answer that says that there is none. */
static struct segmap_error *miss(struct answering *answering)
{
	struct segmap_answer *answer = new_answer(answering);

	if (!answer)
		return segmap_error_no_memory();
	*answer = (struct segmap_answer){ .vma = -1, .image = -1, .segment = -1,
					  .off = SEGMAP_NO_OFF };
	answer->asked = strdup(answering->question->asked);
	if (!answer->asked)
		return segmap_error_no_memory();
	answering->layout->n_answers++;
	return NULL;
}

static struct segmap_error *answer_question(struct answering *answering, size_t *n_missed)
{
	const struct segmap_question *question = answering->question;
	struct segmap_layout *layout = answering->layout;
	size_t before = layout->n_answers;
	struct segmap_error *error = NULL;

	if (question->kind == SEGMAP_QUESTION_ADDRESS)
		return answer_address(answering, question->number);
	for (size_t i = 0; i < layout->n_images && !error; i++)
		if (segmap_question_is_about(question, layout, (int32_t)i))
			error = answer_image(answering, (int32_t)i);
	if (error || layout->n_answers > before)
		return error;
	(*n_missed)++;
	return miss(answering);
}

static struct segmap_error *answer_all(struct answering *answering,
				       const struct questions *questions, size_t *n_missed)
{
	struct segmap_error *error = NULL;

	for (size_t i = 0; i < questions->n && !error; i++) {
		answering->question = &questions->array[i];
		error = answer_question(answering, n_missed);
	}
	return error;
}

struct segmap_error *questions_answer(const struct questions *questions,
				      struct segmap_layout *layout, const char *sysroot,
				      size_t *n_missed)
{
	struct answering answering = { .layout = layout };
	struct segmap_error *error = segmap_symbols_new(layout, sysroot, &answering.symbols);

	*n_missed = 0;
	layout->is_asked = true;
	if (error && error->code == SEGMAP_ERROR_NO_MEMORY)
		return error;
	if (error) {
		/* All but the symbols can be said without libdw. */
		struct segmap_error *noted =
			segmap_layout_note(layout, "%s: %s", error->what, error->why);

		segmap_error_free(error);
		if (noted)
			return noted;
	}
	error = answer_all(&answering, questions, n_missed);
	segmap_symbols_free(answering.symbols);
	return error;
}
