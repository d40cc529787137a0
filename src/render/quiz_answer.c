/* src/render/quiz_answer.c - what is right: the key, and what was typed. */
#include "render/quiz.h"
#include "render/say.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char blank[] = " \t\r\n";

void say_key(struct segmap_text *text, const struct question *question)
{
	char perms[5];

	switch (question->kind) {
	case QUESTION_PERMS:
		segmap_perms_format((int)question->number, false, perms);
		segmap_text_append_trusted(text, perms);
		break;
	case QUESTION_SECTIONS:
		for (size_t i = 0; i < question->n_sections; i++) {
			say(text, i ? " " : "");
			say_safe(text, question->sections[i]);
		}
		break;
	case QUESTION_ANONYMOUS:
	case QUESTION_RELRO_END:
	case QUESTION_OFFSET:
		say(text, HEX, question->number);
		break;
	default:
		segmap_text_append_decimal(text, question->number);
	}
}

/* "rw-p", "rw-", "rw". */
static bool are_perms(const char *answer, uint64_t prot)
{
	uint64_t found = 0;
	bool any = false;

	for (; *answer; answer++) {
		switch (tolower((unsigned char)*answer)) {
		case 'r':
			found |= PROT_READ;
			break;
		case 'w':
			found |= PROT_WRITE;
			break;
		case 'x':
			found |= PROT_EXEC;
			break;
		case '-':
		case 'p':
			break;
		default:
			if (strchr(blank, *answer))
				continue;
			return false;
		}
		any = true;
	}
	return any && found == prot;
}

/* Whether all of @digits is a number of @base, with @unit behind it or not, and that is @number. */
static bool is_number(const char *digits, int base, const char *unit, uint64_t number)
{
	uint64_t value, factor = 1;
	char *end;

	if (!isxdigit((unsigned char)digits[0]))
		return false;
	value = strtoull(digits, &end, base);
	if (tolower((unsigned char)*end) == unit[0] && unit[0]) {
		end++;
		factor = 1024;
	}
	return end != digits && !end[strspn(end, blank)] && !(number % factor) &&
	       value == number / factor;
}

/* A size, offset or address: nobody should be wrong for 2000 or 8192 instead of 0x2000. */
static bool is_amount(const char *answer, uint64_t amount)
{
	const char *base = strrchr(answer, '+'); /* B+0x4000 */

	if (base)
		answer = base + 1 + strspn(base + 1, blank);
	return is_number(answer, 16, "", amount) || is_number(answer, 10, "k", amount);
}

/* A count, or "LOAD 3". */
static bool is_count(const char *answer, uint64_t count)
{
	static const char word[] = "load";

	if (strncasecmp(answer, word, strlen(word)) == 0)
		answer += strlen(word) + strspn(answer + strlen(word), blank);
	return is_number(answer, 10, "", count);
}

/* Whether the @size bytes at @word are @name; its first dot can be left out. */
static bool is_name(const char *word, size_t size, const char *name)
{
	if (name[0] == '.' && word[0] != '.')
		name++;
	return strlen(name) == size && memcmp(name, word, size) == 0;
}

/* The next word at *@at, which is moved behind it; its size; 0 at the end. */
static size_t next_word(const char **at, const char **word)
{
	static const char between[] = " \t\r\n,";
	size_t size;

	*word = *at + strspn(*at, between);
	size = strcspn(*word, between);
	*at = *word + size;
	return size;
}

static bool has_word(const char *answer, const char *name)
{
	const char *word;
	size_t size;

	while ((size = next_word(&answer, &word)))
		if (is_name(word, size, name))
			return true;
	return false;
}

/* Each section is a word, and each word is a section. */
static bool are_sections(const char *answer, const struct question *question)
{
	const char *word;
	size_t size;

	for (size_t i = 0; i < question->n_sections; i++)
		if (!has_word(answer, question->sections[i]))
			return false;
	while ((size = next_word(&answer, &word))) {
		size_t i = 0;

		while (i < question->n_sections && !is_name(word, size, question->sections[i]))
			i++;
		if (i == question->n_sections)
			return false;
	}
	return true;
}

bool question_is_right(const struct question *question, const char *answer)
{
	answer += strspn(answer, blank);
	switch (question->kind) {
	case QUESTION_PERMS:
		return are_perms(answer, question->number);
	case QUESTION_SECTIONS:
		return are_sections(answer, question);
	case QUESTION_ANONYMOUS:
	case QUESTION_RELRO_END:
	case QUESTION_OFFSET:
		return is_amount(answer, question->number);
	default:
		return is_count(answer, question->number);
	}
}
