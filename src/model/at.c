/* src/model/at.c - questions about addresses, and their answers. */
#include <segmap/at.h>
#include "base/scope.h"
#include <string.h>

void segmap_question_free(struct segmap_question *question)
{
	free(question->asked);
	free(question->image);
	*question = (struct segmap_question){ 0 };
}

void segmap_answer_free(struct segmap_answer *answer)
{
	free(answer->asked);
	free(answer->symbol);
	free(answer->source);
	free(answer->before);
	free(answer->after);
}

/* Hexadecimal digits in either case, with or without 0x; all of @text. */
static bool parse_hex(const char *text, uint64_t *ret)
{
	uint64_t value = 0;
	size_t size;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	size = strspn(text, "0123456789abcdefABCDEF");
	if (!size || text[size])
		return false;
	for (; *text; text++) {
		unsigned int digit = *text <= '9' ? (unsigned int)(*text - '0') :
						    (unsigned int)((*text | 32) - 'a' + 10);

		if (value >> 60)
			return false;
		value = value << 4 | digit;
	}
	*ret = value;
	return true;
}

/* image!name, image+0xoff, or a name. */
static bool parse_name(struct segmap_question *question)
{
	char *bang = strrchr(question->asked, '!'), *plus = strrchr(question->asked, '+');
	const char *end = NULL;

	if (bang) {
		end = bang;
		question->name = bang + 1;
	} else if (plus && plus[1] == '0' && (plus[2] == 'x' || plus[2] == 'X')) {
		end = plus;
		question->kind = SEGMAP_QUESTION_OFFSET;
		if (!parse_hex(plus + 1, &question->number))
			return false;
	} else {
		question->name = question->asked;
	}
	if (question->name) {
		if (!question->name[0])
			return false;
		question->kind = question->name[0] == '.' ? SEGMAP_QUESTION_SECTION :
							     SEGMAP_QUESTION_SYMBOL;
	}
	return end != question->asked;
}

struct segmap_error *segmap_question_parse(const char *text, struct segmap_question *ret)
{
	__attribute__((cleanup(segmap_question_free))) struct segmap_question question = {
		.asked = strdup(text),
	};
	const char *end;

	if (!question.asked)
		return segmap_error_no_memory();
	if (text[0] >= '0' && text[0] <= '9' && !strpbrk(text, "!+")) {
		question.kind = SEGMAP_QUESTION_ADDRESS;
		if (!parse_hex(text, &question.number))
			return segmap_error_new(SEGMAP_ERROR_FORMAT, text,
						"an address is 1 to 16 hexadecimal digits");
	} else if (!text[0] || !parse_name(&question)) {
		return segmap_error_new(SEGMAP_ERROR_FORMAT, text,
					"it is an address, symbol, image!symbol, image+0xoff or "
					".section");
	}
	end = question.kind == SEGMAP_QUESTION_OFFSET ? strrchr(question.asked, '+') :
	      question.name && question.name > question.asked ? question.name - 1 :
								NULL;
	if (end) {
		question.image = strndup(question.asked, (size_t)(end - question.asked));
		if (!question.image)
			return segmap_error_no_memory();
	}
	*ret = question;
	question = (struct segmap_question){ 0 };
	return NULL;
}

bool segmap_question_is_about(const struct segmap_question *question,
			      const struct segmap_layout *layout, int32_t index)
{
	const struct segmap_image *image = &layout->images[index];
	const char *path, *slash;

	if (!question->image)
		return image->role != SEGMAP_ROLE_ALIAS;
	path = segmap_layout_image_path(layout, index);
	slash = strrchr(path, '/');
	return strcmp(path, question->image) == 0 ||
	       (slash && strcmp(slash + 1, question->image) == 0) ||
	       (image->elf && image->elf->soname && strcmp(image->elf->soname, question->image) == 0);
}
