/* src/render/explain.c - what a program file says, and the story of its loading. */
#include "render/explain.h"
#include "render/reason.h"
#include "render/say.h"
#include <elf.h>
#include <stdio.h>

struct story {
	const struct segmap_layout *layout;
	const struct style *style;
	struct segmap_text text;     /* what is written */
	struct segmap_text sentence; /* one that is not wrapped yet */
};

/* A line that begins a part. */
static void say_title(struct story *story, const char *title)
{
	if (story->style->colour)
		segmap_text_append_trusted(&story->text, "\033[1m");
	segmap_text_append_trusted(&story->text, title);
	if (story->style->colour)
		segmap_text_append_trusted(&story->text, "\033[0m");
	segmap_text_append_char(&story->text, '\n');
}

/* The story's sentence, in lines that begin with @indent blanks. */
static void wrap_sentence(struct story *story, size_t indent)
{
	say_wrapped(&story->text, &story->sentence, indent, story->style->wrap);
}

/* ---- the file ---- */

static const char *type_words(const struct segmap_layout *layout)
{
	const struct segmap_elf *elf = layout->images[0].elf;

	if (elf->type == ET_EXEC)
		return "EXEC, a program for fixed addresses";
	if (layout->prediction->is_library)
		return "DYN, a shared library";
	return elf->interp ? "DYN, a position-independent program" :
			     "DYN, a static position-independent program";
}

/* Where @vaddr is: " in .text". */
static void say_section_of(struct segmap_text *text, const struct segmap_elf *elf, uint64_t vaddr)
{
	uint64_t until;
	const struct segmap_label *label =
		segmap_label_find(elf->by_vaddr, elf->n_by_vaddr, vaddr, &until);

	if (!label || label->kind != SEGMAP_LABEL_SECTION)
		return;
	segmap_text_append_trusted(text, " in ");
	say_safe(text, elf->sections[label->section].name);
}

static void say_stack(struct segmap_text *text, const struct segmap_elf *elf)
{
	char perms[5];

	if (elf->stack_prot == SEGMAP_NO_STACK)
		say(text, "  stack        no PT_GNU_STACK: the machine's default\n");
	else
		say(text, "  stack        %s (PT_GNU_STACK)\n", rwx(elf->stack_prot, perms));
}

static void say_segments(struct segmap_text *text, const struct segmap_elf *elf)
{
	char perms[5];

	say(text, "  PHDR TYPE      FLAGS %12s %18s %10s %10s %8s\n", "OFFSET", "VADDR", "FILESZ",
	    "MEMSZ", "ALIGN");
	for (size_t i = 0; i < elf->n_segments; i++) {
		const struct segmap_segment *segment = &elf->segments[i];

		say(text, "  %4u %-9s %-5s %#12" PRIx64 " %#18" PRIx64 " %#10" PRIx64 " %#10" PRIx64
			  " %#8" PRIx64 "\n",
		    segment->index, segment->type == SEGMAP_SEGMENT_LOAD ? "LOAD" : "GNU_RELRO",
		    rwx(segment->prot, perms), segment->off, segment->vaddr, segment->filesz,
		    segment->memsz, segment->align);
	}
}

static void tell_file(struct story *story)
{
	const struct segmap_layout *layout = story->layout;
	const struct segmap_elf *elf = layout->images[0].elf;
	const char *machine = segmap_machine_name(elf->machine);
	struct segmap_text *text = &story->text;

	say_safe(&story->sentence, segmap_layout_image_path(layout, 0));
	segmap_text_append_char(&story->sentence, '\0');
	if (!story->sentence.failed)
		say_title(story, story->sentence.bytes);
	story->sentence.size = 0;
	say(text, "  type         ELF %u-bit ", elf->class);
	if (machine)
		say(text, "%s, %s", machine, type_words(layout));
	else
		say(text, "machine %u, %s", elf->machine, type_words(layout));
	say(text, "\n  entry        " HEX, elf->entry);
	say_section_of(text, elf, elf->entry);
	segmap_text_append_char(text, '\n');
	if (elf->interp) {
		say(text, "  interpreter  ");
		say_safe(text, elf->interp);
		segmap_text_append_char(text, '\n');
	}
	say_stack(text, elf);
	say_segments(text, elf);
}

/* What the story tells, and no memory of it any more. */
static struct segmap_error *write_story(struct story *story, FILE *file)
{
	story->text.failed |= story->sentence.failed;
	segmap_text_free(&story->sentence);
	return write_text(&story->text, file);
}

struct segmap_error *render_program_file(const struct segmap_layout *layout,
					 const struct style *style, FILE *file)
{
	struct story story = { .layout = layout, .style = style };

	tell_file(&story);
	return write_story(&story, file);
}

/* ---- the calls ---- */

static void say_actor(struct story *story, enum segmap_actor actor)
{
	const struct segmap_prediction *prediction = story->layout->prediction;
	char title[128];

	switch (actor) {
	case SEGMAP_ACTOR_KERNEL:
		say_title(story, "The kernel, in execve");
		break;
	case SEGMAP_ACTOR_LDSO:
		snprintf(title, sizeof(title), "The dynamic linker%s%s%s%s",
			 prediction->linker[0] ? " of " : "", prediction->linker,
			 prediction->is_library ? "" : ", before the program's first instruction",
			 prediction->is_library ? ", when something needs the library" : "");
		say_title(story, title);
		break;
	default:
		say_title(story, "The program's own start-up code, before main");
	}
}

/* Which file the next calls are about, and how it came to be. */
static void say_image(struct story *story, int32_t index, bool again)
{
	const struct segmap_layout *layout = story->layout;
	const struct segmap_forecast *forecast = &layout->prediction->images[index];
	struct segmap_text *text = &story->sentence;

	say_image_name(text, layout, index);
	if (forecast->base[0] && !again)
		say(text, " (%s)", forecast->base);
	if (again) {
		segmap_text_append_trusted(text, ", again");
	} else if (layout->images[index].role == SEGMAP_ROLE_INTERPRETER) {
		segmap_text_append_trusted(text, ", the interpreter");
	} else if (layout->images[index].role == SEGMAP_ROLE_PROGRAM) {
		segmap_text_append_trusted(text, ", the program");
	} else if (forecast->found) {
		if (forecast->needed_by >= 0) {
			segmap_text_append_trusted(text, ", needed by ");
			say_image_name(text, layout, forecast->needed_by);
		}
		segmap_text_append_trusted(text, ", found: ");
		say_safe(text, forecast->found);
	}
	segmap_text_append_trusted(text, ":");
	wrap_sentence(story, 2);
}

/* "B+0x3000-0x5000"; [start, end). */
static void say_range(struct segmap_text *text, const struct segmap_layout *layout,
		      const struct segmap_call *call)
{
	struct segmap_placement placement = segmap_layout_call_placement(layout, call);

	if (!segmap_call_has_place(call)) {
		say(text, "somewhere");
		return;
	}
	say_range_from(text, &placement, call->start, call->end);
}

static void say_subject(struct segmap_text *text, const struct segmap_layout *layout,
			const struct segmap_call *call)
{
	const struct segmap_segment *segment =
		call->segment < 0 ? NULL :
				    &layout->images[call->image].elf->segments[call->segment];

	if (segment && segment->type == SEGMAP_SEGMENT_LOAD)
		say(text, "LOAD %-3u", segment->index);
	else
		say(text, "%-8s",
		    segment ? "RELRO" :
		    call->reason == SEGMAP_REASON_STACK ||
				    call->reason == SEGMAP_REASON_STACK_EXEC ? "stack" :
		    call->reason == SEGMAP_REASON_AREAS ? "vdso" : "");
}

static void tell_call(struct story *story, size_t number, const struct segmap_call *call)
{
	enum { INDENT = 6, RANGE_WIDTH = 26 };
	struct segmap_text *text = &story->text;
	size_t start;
	char perms[5];

	say(text, "%4zu  ", number);
	say_subject(text, story->layout, call);
	say(text, "  %-8s  ", segmap_call_word(call->name));
	start = text->size;
	say_range(text, story->layout, call);
	if (call->name != SEGMAP_CALL_ZERO && call->name != SEGMAP_CALL_MUNMAP &&
	    call->reason != SEGMAP_REASON_AREAS) {
		if (text->size - start < RANGE_WIDTH)
			say_blanks(text, RANGE_WIDTH - (text->size - start));
		segmap_perms_format(call->prot, false, perms);
		say(text, "  %s", perms);
		if (call->name != SEGMAP_CALL_MPROTECT) {
			if (call->anonymous)
				say(text, "  anonymous");
			else if (call->off > INT64_MAX)
				say(text, "  file -" HEX, -call->off); /* asked for, and refused */
			else
				say(text, "  file " HEX, call->off);
		}
	}
	segmap_text_append_char(text, '\n');
	append_reason(&story->sentence, story->layout, call);
	if (call->source) {
		say(&story->sentence, " (");
		segmap_text_append_trusted(&story->sentence, call->source);
		say(&story->sentence, ")");
	}
	wrap_sentence(story, INDENT);
}

/* Calls that say the same of one place, as for each page that is aligned, stand for themselves. */
static void tell_calls(struct story *story)
{
	const struct segmap_prediction *prediction = story->layout->prediction;
	enum segmap_actor actor = SEGMAP_ACTOR_PROGRAM;
	int32_t image = -1, furthest = -1;

	for (size_t i = 0; i < prediction->n_calls; i++) {
		const struct segmap_call *call = &prediction->calls[i];

		if (!i || call->actor != actor) {
			if (i)
				segmap_text_append_char(&story->text, '\n');
			say_actor(story, call->actor);
			image = -1;
		}
		if (call->image != image && call->image >= 0)
			say_image(story, call->image, call->image <= furthest);
		actor = call->actor;
		image = call->image >= 0 ? call->image : image;
		furthest = image > furthest ? image : furthest;
		tell_call(story, i + 1, call);
	}
	if (prediction->n_calls)
		segmap_text_append_char(&story->text, '\n');
}

/* ---- what comes of it ---- */

struct count {
	unsigned int loads, of_file, without, gaps, relro;
};

static struct count count_vmas(const struct segmap_layout *layout, int32_t image)
{
	const struct segmap_elf *elf = layout->images[image].elf;
	struct count count = { 0 };

	for (size_t i = 0; i < elf->n_segments; i++)
		count.loads += elf->segments[i].type == SEGMAP_SEGMENT_LOAD;
	for (size_t i = 0; i < layout->n_vmas; i++) {
		if (layout->annotations[i].image != image)
			continue;
		if (layout->vmas[i].ino)
			count.of_file++;
		else
			count.without++;
		count.gaps += layout->annotations[i].kind == SEGMAP_KIND_GAP;
		count.relro += layout->annotations[i].kind == SEGMAP_KIND_RELRO;
	}
	return count;
}

static void tell_result(struct story *story)
{
	const struct segmap_layout *layout = story->layout;

	if (!layout->prediction->n_calls)
		return;
	say_title(story, "What comes of it");
	for (size_t i = 0; i < layout->n_images; i++) {
		struct segmap_text *text = &story->sentence;
		struct count count;

		if (layout->images[i].role == SEGMAP_ROLE_VDSO)
			continue;
		count = count_vmas(layout, (int32_t)i);
		if (!count.of_file && !count.without)
			continue; /* it did not get that far */
		say_image_name(text, layout, (int32_t)i);
		say(text, ": %u PT_LOAD%s become%s %u VMA%s of the file", count.loads,
		    count.loads == 1 ? "" : "s", count.loads == 1 ? "s" : "", count.of_file,
		    count.of_file == 1 ? "" : "s");
		if (count.relro)
			say(text, ", one of them by RELRO");
		if (count.gaps)
			say(text, ", %u of them %s", count.gaps,
			    count.gaps == 1 ? "a gap" : "gaps");
		if (count.without)
			say(text, ", and %u without a file", count.without);
		wrap_sentence(story, 2);
	}
	segmap_text_append_char(&story->text, '\n');
}

struct segmap_error *render_explanation(const struct segmap_layout *layout,
					const struct style *style, FILE *file)
{
	struct story story = { .layout = layout, .style = style };

	/* At exec there is nothing of a library to tell; nor of a file that is not known. */
	if (layout->n_images && layout->images[0].elf) {
		tell_file(&story);
		segmap_text_append_char(&story.text, '\n');
	}
	tell_calls(&story);
	tell_result(&story);
	return write_story(&story, file);
}
