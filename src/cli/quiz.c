/* src/cli/quiz.c - segmap --quiz: questions on a terminal, and as a worksheet. */
#include "cli/quiz.h"
#include "render/json.h"
#include "render/quiz.h"
#include "render/words.h"
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* Short enough to be typed again. */
static uint32_t any_seed(void)
{
	enum { SEEDS = 1000000 };
	uint32_t seed;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = (uint32_t)time(NULL);
	return seed % SEEDS;
}

void prepare_quiz(struct options *options)
{
	if (!options->has_seed)
		options->seed = any_seed();
	options->is_typed = isatty(STDIN_FILENO);
	/* To make a buffer, the C library asks what a device is: a call that the sandbox has not. */
	setvbuf(stdin, NULL, _IONBF, 0);
}

/* A line of standard input without its newline, as far as there is room; false at its end. */
static bool read_line(char *line, size_t size)
{
	size_t used = 0;
	int c;

	while ((c = getchar()) != EOF && c != '\n')
		if (used + 1 < size)
			line[used++] = (char)c;
	line[used] = '\0';
	return c != EOF || used;
}

/* What was answered, where it is not on the terminal anyway. */
static struct segmap_error *echo(const char *answer, FILE *file)
{
	__attribute__((cleanup(segmap_text_free))) struct segmap_text text = { 0 };

	segmap_text_append_safe(&text, answer, strlen(answer));
	segmap_text_append_char(&text, '\n');
	if (text.failed)
		return segmap_error_no_memory();
	fwrite(text.bytes, 1, text.size, file);
	return NULL;
}

/* Ask one after the other until input ends or output fails. */
static struct segmap_error *ask_each(const struct quiz *quiz, const struct options *options,
				     struct output *output)
{
	const struct style *style = &options->style;
	size_t n_right = 0, n_answered = 0;
	bool ended = false;
	FILE *file = output->file;
	char answer[4096];

	for (size_t i = 0; i < quiz->n_questions && !output_failed(output); i++) {
		const struct question *question = &quiz->questions[i];
		struct segmap_error *error = render_question(quiz, i, style, file);
		bool right;

		if (error)
			return error;
		fputs("> ", file);
		fflush(file);
		ended = !read_line(answer, sizeof(answer));
		if (ended || !options->is_typed)
			error = echo(answer, file);
		if (error)
			return error;
		if (ended)
			break;
		right = question_is_right(question, answer);
		n_right += right;
		n_answered++;
		error = render_question_key(question, right, style, file);
		if (error)
			return error;
	}
	fprintf(file, "\n%zu of %zu right", n_right, n_answered);
	if (ended)
		fprintf(file, "; %zu left", quiz->n_questions - n_answered);
	fputs(".\n", file);
	return NULL;
}

static struct segmap_error *print_questions(const struct quiz *quiz, const struct style *style,
					    FILE *file)
{
	for (size_t i = 0; i < quiz->n_questions; i++) {
		struct segmap_error *error = render_question(quiz, i, style, file);

		if (error)
			return error;
	}
	return NULL;
}

struct segmap_error *hold_quiz(const struct options *options, const struct segmap_layout *exec,
			       const struct segmap_layout *entry, struct output *output)
{
	__attribute__((cleanup(quiz_free))) struct quiz quiz = { 0 };
	const struct segmap_outcome *outcome = &entry->prediction->outcome;
	struct segmap_error *error;

	if (outcome->reason)
		return segmap_error_new(SEGMAP_ERROR_FORMAT, entry->target, "%s: %s",
					words_of_outcome(outcome), outcome->reason);
	error = quiz_make(exec, entry, options->seed, &quiz);
	if (error)
		return error;
	if (options->form == FORM_JSON)
		return render_quiz_json(&quiz, output->file);
	error = render_quiz_head(&quiz, &options->style, output->file);
	if (error)
		return error;
	return options->style.frame ? ask_each(&quiz, options, output) :
				      print_questions(&quiz, &options->style, output->file);
}
