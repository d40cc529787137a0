/* src/render/quiz.c - questions about a predicted map, with their key. */
#include "render/quiz.h"
#include "render/reason.h"
#include "render/say.h"
#include <stdlib.h>
#include <string.h>

enum {
	MOST_QUESTIONS = 10,
	MOST_SECTIONS = 12, /* more are not asked for: nobody likes to type them */
};

/* A question in the making. */
struct making {
	const struct segmap_layout *exec, *entry;
	const struct segmap_elf *elf; /* of the program, image 0 */
	struct question *question;
	struct segmap_text *text, *explanation;
};

const char *word_of_question(enum question_kind kind)
{
	static const char *const words[N_QUESTION_KINDS] = {
		[QUESTION_ROWS] = "rows",
		[QUESTION_ROWS_AT_EXEC] = "rows-at-exec",
		[QUESTION_ROWS_WITH_LINKER] = "rows-with-interpreter",
		[QUESTION_ANONYMOUS] = "anonymous",
		[QUESTION_RELRO_END] = "relro-end",
		[QUESTION_PERMS] = "perms",
		[QUESTION_OFFSET] = "offset",
		[QUESTION_SECTIONS] = "sections",
		[QUESTION_SEGMENT] = "segment",
	};

	return words[kind];
}

/* ---- what there is to ask ---- */

/* The interpreter's image; -1 for none. */
static int32_t find_interpreter(const struct segmap_layout *layout)
{
	for (size_t i = 0; i < layout->n_images; i++)
		if (layout->images[i].role == SEGMAP_ROLE_INTERPRETER)
			return (int32_t)i;
	return -1;
}

/* The program's RELRO; NULL where it is not applied. */
static const struct segmap_call *find_relro(const struct segmap_layout *layout)
{
	const struct segmap_prediction *prediction = layout->prediction;

	for (size_t i = 0; i < prediction->n_calls; i++)
		if (prediction->calls[i].reason == SEGMAP_REASON_RELRO &&
		    prediction->calls[i].image == 0)
			return &prediction->calls[i];
	return NULL;
}

/* The rows that show the path of @image. */
static uint64_t count_rows(const struct segmap_layout *layout, int32_t image)
{
	uint64_t n = 0;

	for (size_t i = 0; i < layout->n_vmas; i++)
		n += layout->annotations[i].image == image && layout->vmas[i].ino;
	return n;
}

static bool is_anonymous(const struct segmap_layout *layout, size_t vma)
{
	return layout->annotations[vma].image == 0 && !layout->vmas[vma].ino;
}

/* Whether it is known how many anonymous bytes the program has: a library's can grow. */
static bool has_sure_ends(const struct segmap_layout *layout)
{
	for (size_t i = 0; i < layout->n_vmas; i++)
		if (is_anonymous(layout, i) && layout->prediction->placements[i].open_end)
			return false;
	return true;
}

/* Whether @name can be typed as one word. */
static bool is_typable(const char *name)
{
	for (const char *at = name; *at; at++)
		if (*at <= ' ' || *at > '~' || *at == ',')
			return false;
	return name[0] != '\0';
}

/* The names of the sections in a row, each once, into @ret; how many; 0: not to be asked for. */
static size_t list_sections(const struct segmap_layout *layout, size_t vma,
			    const char *ret[static MOST_SECTIONS])
{
	const struct segmap_annotation *annotation = &layout->annotations[vma];
	const struct segmap_piece *pieces = segmap_layout_pieces(layout, annotation);
	size_t n = 0;

	for (uint32_t i = 0; i < annotation->n_pieces; i++) {
		const char *name = pieces[i].name;
		size_t same = 0;

		if (pieces[i].kind != SEGMAP_PIECE_SECTION)
			continue;
		while (same < n && strcmp(ret[same], name) != 0)
			same++;
		if (same < n)
			continue;
		if (n == MOST_SECTIONS || !is_typable(name))
			return 0;
		ret[n++] = name;
	}
	return n;
}

/* Whether all of the row is of one program header. */
static bool is_of_one_segment(const struct segmap_layout *layout, size_t vma)
{
	const struct segmap_annotation *annotation = &layout->annotations[vma];
	const struct segmap_piece *pieces = segmap_layout_pieces(layout, annotation);

	for (uint32_t i = 0; i < annotation->n_pieces; i++)
		if (pieces[i].segment >= 0 && pieces[i].segment != annotation->segment)
			return false;
	return annotation->segment >= 0;
}

/* Whether @kind can be asked; @vma is -1 for the kinds that are about the file. */
static bool can_ask(const struct making *making, enum question_kind kind, int64_t vma)
{
	const struct segmap_layout *entry = making->entry;
	const char *sections[MOST_SECTIONS];

	switch (kind) {
	case QUESTION_ROWS_AT_EXEC:
		return making->exec->n_images > 0;
	case QUESTION_ROWS_WITH_LINKER:
		return find_interpreter(entry) >= 0;
	case QUESTION_ANONYMOUS:
		return has_sure_ends(entry);
	case QUESTION_RELRO_END:
		return find_relro(entry) != NULL;
	case QUESTION_OFFSET:
		return entry->vmas[vma].ino && is_of_one_segment(entry, (size_t)vma);
	case QUESTION_SECTIONS:
		return making->elf->sections_from == SEGMAP_SECTIONS_HEADERS &&
		       list_sections(entry, (size_t)vma, sections) > 0;
	case QUESTION_SEGMENT:
		return is_of_one_segment(entry, (size_t)vma);
	default:
		return true;
	}
}

static void ask(struct quiz *quiz, const struct making *making, enum question_kind kind,
		int64_t vma)
{
	if (can_ask(making, kind, vma))
		quiz->questions[quiz->n_questions++] = (struct question){ .kind = kind, .vma = vma };
}

/* All that can be asked, in a fixed order. */
static struct segmap_error *ask_all(struct quiz *quiz, const struct making *making)
{
	const struct segmap_layout *entry = making->entry;

	quiz->questions = reallocarray(NULL, (entry->n_vmas + 1) * N_QUESTION_KINDS,
				       sizeof(*quiz->questions));
	if (!quiz->questions)
		return segmap_error_no_memory();
	for (enum question_kind kind = QUESTION_ROWS; kind < QUESTION_PERMS; kind++)
		ask(quiz, making, kind, -1);
	for (size_t i = 0; i < entry->n_vmas; i++)
		for (enum question_kind kind = QUESTION_PERMS; kind < N_QUESTION_KINDS; kind++)
			if (entry->annotations[i].image == 0)
				ask(quiz, making, kind, (int64_t)i);
	return NULL;
}

/* splitmix64 (Sebastiano Vigna, public domain): the same numbers on every machine. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Shuffle all behind the first (Fisher and Yates), and keep the first few. */
static void choose(struct quiz *quiz)
{
	uint64_t state = quiz->seed;

	for (size_t i = quiz->n_questions; i > 2; i--) {
		size_t other = 1 + next_random(&state) % (i - 1);
		struct question kept = quiz->questions[i - 1];

		quiz->questions[i - 1] = quiz->questions[other];
		quiz->questions[other] = kept;
	}
	if (quiz->n_questions > MOST_QUESTIONS)
		quiz->n_questions = MOST_QUESTIONS;
}

/* ---- rows of the file ---- */

/* "B+0x1000-0x2000". */
static void say_row(struct segmap_text *text, const struct segmap_layout *layout, size_t vma)
{
	say_range_from(text, segmap_layout_placement(layout, vma), layout->vmas[vma].start,
		       layout->vmas[vma].end);
}

/* "B+0x1000-0x2000 r-xp (LOAD 3), " of every row of the program's file. */
static void say_rows(struct segmap_text *text, const struct segmap_layout *layout)
{
	const struct segmap_elf *elf = layout->images[0].elf;
	const char *before = "";
	char perms[5];

	for (size_t i = 0; i < layout->n_vmas; i++) {
		const struct segmap_annotation *annotation = &layout->annotations[i];

		if (annotation->image != 0 || !layout->vmas[i].ino)
			continue;
		segmap_vma_perms_format(&layout->vmas[i], perms);
		segmap_text_append_trusted(text, before);
		say_row(text, layout, i);
		say(text, " %s", perms);
		if (annotation->segment >= 0)
			say(text, " (LOAD %u%s)", elf->segments[annotation->segment].index,
			    annotation->kind == SEGMAP_KIND_RELRO ? ", RELRO" : "");
		else
			say(text, " (a gap)");
		before = ", ";
	}
	segmap_text_append_char(text, '.');
}

static void explain_rows(struct making *making, const struct segmap_layout *layout)
{
	const struct segmap_call *relro = find_relro(layout);
	unsigned int loads = 0;
	bool any_anonymous = false;

	for (size_t i = 0; i < making->elf->n_segments; i++)
		loads += making->elf->segments[i].type == SEGMAP_SEGMENT_LOAD;
	for (size_t i = 0; i < layout->n_vmas; i++)
		any_anonymous |= is_anonymous(layout, i);
	say(making->explanation, "Of %u PT_LOAD%s come ", loads, loads == 1 ? "" : "s");
	say_rows(making->explanation, layout);
	if (any_anonymous)
		say(making->explanation,
		    " The memory behind the file's pages, which segmap shows by the file's name, has no "
		    "name there.");
	if (relro) {
		segmap_text_append_char(making->explanation, ' ');
		append_reason(making->explanation, layout, relro);
	}
}

static void make_rows(struct making *making)
{
	making->question->number = count_rows(making->entry, 0);
	say(making->text, "How many rows of /proc/PID/maps will show the file ");
	say_image_name(making->text, making->entry, 0);
	say(making->text, making->entry->prediction->is_library ?
				  " once it is loaded?" :
				  " when it is at its entry point?");
	explain_rows(making, making->entry);
}

static void make_rows_at_exec(struct making *making)
{
	making->question->number = count_rows(making->exec, 0);
	say(making->text, "How many rows of /proc/PID/maps show the file ");
	say_image_name(making->text, making->exec, 0);
	say(making->text, " right after execve, when the kernel alone has acted?");
	explain_rows(making, making->exec);
	if (find_relro(making->entry))
		say(making->explanation, " RELRO is not the kernel's doing: it comes later.");
}

static void make_rows_with_linker(struct making *making)
{
	const struct segmap_layout *entry = making->entry;
	int32_t linker = find_interpreter(entry);
	uint64_t own = count_rows(entry, 0), others = count_rows(entry, linker);

	making->question->number = own + others;
	say(making->text, "Its interpreter is ");
	say_safe(making->text, segmap_layout_image_path(entry, linker));
	say(making->text,
	    ". How many rows of /proc/PID/maps show one of these two files at the entry point?");
	say_image_name(making->explanation, entry, 0);
	say(making->explanation, " has %" PRIu64 ", ", own);
	say_image_name(making->explanation, entry, linker);
	say(making->explanation, " has %" PRIu64 ": it is mapped by the same rules.", others);
}

static void make_anonymous(struct making *making)
{
	const struct segmap_layout *entry = making->entry;
	const char *before = " In all: ";

	say(making->text, "How many bytes of whole pages does it get behind its file's pages, "
			  "anonymous memory that no file holds? (0 if there are none)");
	for (size_t i = 0; i < entry->prediction->n_calls; i++) {
		const struct segmap_call *call = &entry->prediction->calls[i];

		if (call->image != 0 || call->reason != SEGMAP_REASON_BSS)
			continue;
		if (making->explanation->size)
			segmap_text_append_char(making->explanation, ' ');
		append_reason(making->explanation, entry, call);
	}
	for (size_t i = 0; i < entry->n_vmas; i++) {
		if (!is_anonymous(entry, i))
			continue;
		making->question->number += segmap_vma_size(&entry->vmas[i]);
		segmap_text_append_trusted(making->explanation, before);
		say_row(making->explanation, entry, i);
		before = ", ";
	}
	say(making->explanation, making->question->number ?
					 "." :
					 "No segment's p_memsz reaches past the last page that its "
					 "p_filesz bytes need.");
}

static void make_relro_end(struct making *making)
{
	const struct segmap_call *relro = find_relro(making->entry);
	struct segmap_placement placement = segmap_layout_call_placement(making->entry, relro);

	making->question->number = relro->end - placement.origin;
	say(making->text, "GNU_RELRO becomes read-only. At which address do these pages end%s%s?",
	    placement.base_name[0] ? ", counted from " : "", placement.base_name);
	append_reason(making->explanation, making->entry, relro);
}

/* ---- one row ---- */

/* "Row B+0x1000-0x2000: ". */
static void say_about(struct making *making)
{
	say(making->text, "Row ");
	say_row(making->text, making->entry, (size_t)making->question->vma);
	say(making->text, ": ");
}

static const struct segmap_annotation *annotation_of(const struct making *making)
{
	return &making->entry->annotations[making->question->vma];
}

/* NULL for none: a gap. */
static const struct segmap_segment *segment_of(const struct making *making)
{
	int32_t segment = annotation_of(making)->segment;

	return segment < 0 ? NULL : &making->elf->segments[segment];
}

/* Append the reasons that the calls behind the row have for its permissions. */
static void explain_perms_by_calls(struct making *making)
{
	const struct segmap_prediction *prediction = making->entry->prediction;
	const struct segmap_placement *placement = &prediction->placements[making->question->vma];

	for (uint32_t i = 0; i < placement->n_causes; i++) {
		const struct segmap_call *call =
			&prediction->calls[prediction->causes[placement->first_cause + i]];

		if (call->reason != SEGMAP_REASON_RELRO && call->reason != SEGMAP_REASON_BSS &&
		    call->reason != SEGMAP_REASON_HOLES && call->reason != SEGMAP_REASON_TEXTREL)
			continue;
		segmap_text_append_char(making->explanation, ' ');
		append_reason(making->explanation, making->entry, call);
	}
}

static void make_perms(struct making *making)
{
	const struct segmap_segment *segment = segment_of(making);
	char flags[5];

	making->question->number = making->entry->vmas[making->question->vma].prot;
	say_about(making);
	say(making->text, "which permissions has it?");
	if (segment)
		say(making->explanation, "LOAD %u has p_flags %s, and what is loaded is mapped private: p.",
		    segment->index, rwx(segment->prot, flags));
	else
		say(making->explanation, "No PT_LOAD is here.");
	if (making->entry->read_implies_exec)
		say(making->explanation, " It asks for no stack that cannot be executed, and in such a "
					 "32-bit program all that is readable is executable.");
	explain_perms_by_calls(making);
}

static void make_offset(struct making *making)
{
	const struct segmap_layout *entry = making->entry;
	const struct segmap_vma *vma = &entry->vmas[making->question->vma];
	const struct segmap_segment *segment = segment_of(making);
	uint64_t skipped = segmap_vaddr(vma->start, entry->images[0].bias) - segment->map_start;

	making->question->number = vma->off;
	say_about(making);
	say(making->text, "at which offset of the file does it begin?");
	say(making->explanation, "LOAD %u has p_offset " HEX, segment->index, segment->off);
	if (segment->off == segment->map_off)
		say(making->explanation, ", where a page of " HEX " bytes begins.",
		    entry->page_size);
	else
		say(making->explanation, "; rounded down to a page of " HEX " bytes that is " HEX ".",
		    entry->page_size, segment->map_off);
	if (skipped)
		say(making->explanation, " The row begins " HEX " bytes behind the segment's first page.",
		    skipped);
}

static void make_sections(struct making *making)
{
	const struct segmap_annotation *annotation = annotation_of(making);
	const struct segmap_piece *pieces = segmap_layout_pieces(making->entry, annotation);
	const struct segmap_segment *segment = segment_of(making);
	const char *before = " Its pages show more of the file, which does not count:";

	say_about(making);
	say(making->text, "which sections of its segment lie in it, whole or in part?");
	if (segment)
		say(making->explanation, "LOAD %u goes from p_vaddr " HEX " to " HEX "; what of it lies in "
					 "the row counts.",
		    segment->index, segment->vaddr, segment->vaddr + segment->memsz);
	for (uint32_t i = 0; i < annotation->n_pieces; i++) {
		if (pieces[i].kind != SEGMAP_PIECE_SPILL || pieces[i].name[0] == '[')
			continue;
		say(making->explanation, "%s ", before);
		say_safe(making->explanation, pieces[i].name);
		before = "";
	}
	if (!before[0])
		segmap_text_append_char(making->explanation, '.');
	making->question->sections = reallocarray(NULL, MOST_SECTIONS, sizeof(char *));
	if (making->question->sections)
		making->question->n_sections =
			list_sections(making->entry, (size_t)making->question->vma,
				      making->question->sections);
	else
		making->text->failed = true;
}

static void make_segment(struct making *making)
{
	const struct segmap_segment *segment = segment_of(making);

	making->question->number = segment->index;
	say_about(making);
	say(making->text, "which program header is it of? (its number, PHDR)");
	say(making->explanation, "LOAD %u goes from p_vaddr " HEX " to " HEX "; in whole pages that is "
				 HEX "-" HEX ".",
	    segment->index, segment->vaddr, segment->vaddr + segment->memsz, segment->map_start,
	    segment->mem_end);
}

/* ---- the quiz ---- */

/* What @text holds, as a string that the caller owns; NULL if there is no memory. */
static char *take_string(struct segmap_text *text)
{
	segmap_text_append_char(text, '\0');
	if (text->failed) {
		segmap_text_free(text);
		return NULL;
	}
	return text->bytes;
}

static struct segmap_error *make_question(struct making *making, struct question *question)
{
	static void (*const makers[N_QUESTION_KINDS])(struct making *making) = {
		[QUESTION_ROWS] = make_rows,
		[QUESTION_ROWS_AT_EXEC] = make_rows_at_exec,
		[QUESTION_ROWS_WITH_LINKER] = make_rows_with_linker,
		[QUESTION_ANONYMOUS] = make_anonymous,
		[QUESTION_RELRO_END] = make_relro_end,
		[QUESTION_PERMS] = make_perms,
		[QUESTION_OFFSET] = make_offset,
		[QUESTION_SECTIONS] = make_sections,
		[QUESTION_SEGMENT] = make_segment,
	};
	struct segmap_text text = { 0 }, explanation = { 0 };

	making->question = question;
	making->text = &text;
	making->explanation = &explanation;
	makers[question->kind](making);
	question->text = take_string(&text);
	question->explanation = take_string(&explanation);
	return question->text && question->explanation ? NULL : segmap_error_no_memory();
}

struct segmap_error *quiz_make(const struct segmap_layout *exec, const struct segmap_layout *entry,
			       uint32_t seed, struct quiz *ret)
{
	struct making making = { .exec = exec, .entry = entry, .elf = entry->images[0].elf };
	struct quiz quiz = { .exec = exec, .entry = entry, .seed = seed };
	struct segmap_error *error = ask_all(&quiz, &making);

	if (error)
		return error;
	choose(&quiz);
	for (size_t i = 0; i < quiz.n_questions && !error; i++)
		error = make_question(&making, &quiz.questions[i]);
	if (error)
		quiz_free(&quiz);
	else
		*ret = quiz;
	return error;
}

void quiz_free(struct quiz *quiz)
{
	for (size_t i = 0; i < quiz->n_questions; i++) {
		free(quiz->questions[i].text);
		free(quiz->questions[i].explanation);
		free(quiz->questions[i].sections);
	}
	free(quiz->questions);
	*quiz = (struct quiz){ 0 };
}
