/* tests/fuzz/at.c - what --at asks: addresses, symbols, offsets and sections. */
#include <segmap/at.h>
#include "fuzz.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct segmap_question question;
	char *text = malloc(size + 1);

	FUZZ_CHECK(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (fuzz_ok(segmap_question_parse(text, &question))) {
		FUZZ_CHECK(strcmp(question.asked, text) == 0);
		FUZZ_CHECK(!question.image || question.image[0]);
		FUZZ_CHECK((question.kind == SEGMAP_QUESTION_SYMBOL ||
			    question.kind == SEGMAP_QUESTION_SECTION) == (question.name != NULL));
		FUZZ_CHECK(!question.name || question.name[0]);
		segmap_question_free(&question);
	}
	free(text);
	return 0;
}
