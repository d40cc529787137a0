/* src/render/trace.c - the system calls by which a program's memory came about. */
#include "render/trace.h"
#include "render/say.h"
#include <stdio.h>
#include <string.h>

/* ---- segments and sections ---- */

static const struct segmap_segment *segment_of(const struct segmap_layout *layout, int32_t image,
					       int32_t segment)
{
	return image < 0 || segment < 0 || !layout->images[image].elf ?
		       NULL :
		       &layout->images[image].elf->segments[segment];
}

/* Sections that begin or end in the segment's own bytes, within the call's. */
static void say_contents(struct segmap_text *text, const struct segmap_layout *layout,
			 const struct segmap_call *call)
{
	const struct segmap_segment *segment = segment_of(layout, call->image, call->segment);
	const struct segmap_image *image = &layout->images[call->image];
	uint64_t start, end, until;
	enum { MOST = 4 };

	if (!segment)
		return;
	start = segmap_vaddr(call->start, image->bias);
	end = segmap_vaddr(call->end, image->bias);
	until = segment->vaddr + (call->anonymous ? segment->memsz : segment->filesz);
	say_sections(text, image->elf, start > segment->vaddr ? start : segment->vaddr,
		     end < until ? end : until, MOST);
}

/* What a call that is predicted is for; @layout is the prediction. */
static void say_predicted(struct segmap_text *text, const struct segmap_layout *layout,
			  const struct segmap_call *call)
{
	static const char *const words[SEGMAP_N_REASONS] = {
		[SEGMAP_REASON_SPAN] = ", in room for the whole image",
		[SEGMAP_REASON_SPAN_REST] = ", what it has no file pages for",
		[SEGMAP_REASON_ALIGN_ROOM] = " room in which its alignment is found",
		[SEGMAP_REASON_ALIGN_REST] = " room beside its aligned place",
		[SEGMAP_REASON_TAIL_WRITABLE] = ", its last page, to be zeroed",
		[SEGMAP_REASON_TAIL_RESTORED] = ", its last page, when it is zeroed",
		[SEGMAP_REASON_HOLES] = " gap between its segments",
		[SEGMAP_REASON_TEXTREL] = ", writable while it is relocated",
		[SEGMAP_REASON_TEXTREL_DONE] = ", when it is relocated",
		[SEGMAP_REASON_DONATED] = ", the rest of a page for malloc",
		[SEGMAP_REASON_STACK_EXEC] = ", which wants an executable stack",
		[SEGMAP_REASON_GIVEN_UP] = ", which cannot be loaded after all",
	};
	const struct segmap_segment *segment = segment_of(layout, call->image, call->segment);

	if (call->image < 0)
		return;
	if (call->reason == SEGMAP_REASON_RELRO)
		segmap_text_append_trusted(text, "RELRO of ");
	say_image_name(text, layout, call->image);
	if (segment && segment->type == SEGMAP_SEGMENT_LOAD && !words[call->reason])
		say(text, " LOAD %u", segment->index);
	else if (segment && segment->type == SEGMAP_SEGMENT_LOAD && words[call->reason][0] == ',')
		say(text, " LOAD %u", segment->index);
	if (call->reason == SEGMAP_REASON_FILE_PAGES || call->reason == SEGMAP_REASON_BSS ||
	    call->reason == SEGMAP_REASON_SPAN)
		say_contents(text, layout, call);
	if (words[call->reason])
		segmap_text_append_trusted(text, words[call->reason]);
}

/* ---- purposes ---- */

static void say_image_part(struct segmap_text *text, const struct segmap_layout *layout,
			   const struct segmap_traced *call)
{
	const struct segmap_segment *segment = segment_of(layout, call->image, call->segment);

	say_image_name(text, layout, call->image);
	if (segment)
		say(text, " LOAD %u", segment->index);
	segmap_text_append_trusted(text, ", not predicted");
}

static void say_mapping(struct segmap_text *text, const struct segmap_layout *layout,
			const struct segmap_traced *call)
{
	const struct segmap_traced *first = call;

	/* A change is named by what was mapped. */
	while (first->undoes >= 0 && !first->file)
		first = &layout->trace->calls[first->undoes];
	switch (call->purpose) {
	case SEGMAP_PURPOSE_CACHE:
		segmap_text_append_trusted(text, "ld.so.cache, where libraries are");
		break;
	case SEGMAP_PURPOSE_THREAD:
		segmap_text_append_trusted(text, "TLS block of the main thread");
		break;
	case SEGMAP_PURPOSE_LINKER:
		segmap_text_append_trusted(text, "the dynamic linker's own memory");
		break;
	case SEGMAP_PURPOSE_STACK:
		segmap_text_append_trusted(text, "stack");
		break;
	case SEGMAP_PURPOSE_GUARD:
		segmap_text_append_trusted(text, "pages held without access");
		break;
	case SEGMAP_PURPOSE_FILE:
		segmap_text_append_trusted(text, "file ");
		say_safe(text, first->file ? first->file : "of no known name");
		break;
	case SEGMAP_PURPOSE_CALLER:
		segmap_text_append_trusted(text, "memory for ");
		say_image_name(text, layout, call->image);
		break;
	default:
		segmap_text_append_trusted(text, "unexplained by any segment");
	}
}

static void say_outcome(struct segmap_text *text, const struct segmap_traced *call)
{
	if (call->errnum)
		say(text, " (fails: %s)", strerror(call->errnum));
	else if (call->undoes >= 0 && call->name == SEGMAP_CALL_MUNMAP)
		segmap_text_append_trusted(text, ": no longer needed");
	else if (call->undoes >= 0 && call->name == SEGMAP_CALL_MPROTECT)
		segmap_text_append_trusted(text, ": other permissions");
	else if (call->name == SEGMAP_CALL_MREMAP)
		segmap_text_append_trusted(text, ": of another size, or elsewhere");
}

void append_purpose(struct segmap_text *text, const struct segmap_layout *layout,
		    const struct segmap_traced *call)
{
	const struct segmap_layout *prediction = layout->trace->prediction;

	switch (call->purpose) {
	case SEGMAP_PURPOSE_PREDICTED:
		say_predicted(text, prediction, &prediction->prediction->calls[call->predicted]);
		break;
	case SEGMAP_PURPOSE_PROGRAM:
		segmap_text_append_trusted(text, "the program ");
		say_safe(text, call->file ? call->file : "of no known name");
		break;
	case SEGMAP_PURPOSE_HEAP_END:
		segmap_text_append_trusted(text, "asks where the heap ends");
		break;
	case SEGMAP_PURPOSE_HEAP:
		segmap_text_append_trusted(text, "the heap");
		break;
	case SEGMAP_PURPOSE_IMAGE:
		say_image_part(text, layout, call);
		break;
	default:
		say_mapping(text, layout, call);
	}
	say_outcome(text, call);
}

void append_missing(struct segmap_text *text, const struct segmap_layout *layout,
		    const struct segmap_call *call)
{
	segmap_text_append_trusted(text, segmap_call_word(call->name));
	segmap_text_append_char(text, ' ');
	say_predicted(text, layout->trace->prediction, call);
}

/* ---- the table ---- */

static void say_call(struct segmap_text *text, const struct segmap_layout *layout, size_t index)
{
	const struct segmap_traced *call = &layout->trace->calls[index];
	bool has_perms = call->name == SEGMAP_CALL_MMAP || call->name == SEGMAP_CALL_MPROTECT;
	char perms[5] = "";

	say(text, "%4zu  %-8s  ", index + 1, segmap_call_word(call->name));
	if (call->name == SEGMAP_CALL_EXECVE)
		say(text, "%-33s", "");
	else
		say(text, "%016" PRIx64 " %016" PRIx64, call->start, call->end);
	if (has_perms)
		segmap_perms_format(call->prot, call->flags & MAP_SHARED, perms);
	say(text, "  %-4s  ", perms);
	if (call->name == SEGMAP_CALL_MMAP && !call->anonymous)
		say(text, "%8" PRIx64, call->off);
	else
		say(text, "%8s", call->name == SEGMAP_CALL_MMAP ? "-" : "");
	say(text, "  %-9s  ", !layout->trace->prediction || call->name == SEGMAP_CALL_EXECVE ? "-" :
			      call->predicted >= 0				     ? "yes" :
											"no");
	append_purpose(text, layout, call);
	segmap_text_append_char(text, '\n');
}

static void say_heading(struct segmap_text *text, const struct style *style)
{
	if (style->colour)
		segmap_text_append_trusted(text, "\033[1m");
	say(text, "%4s  %-8s  %-16s %-16s  %-4s  %8s  %-9s  %s", "NR", "CALL", "START", "END", "PERM",
	    "OFFSET", "PREDICTED", "FOR");
	if (style->colour)
		segmap_text_append_trusted(text, "\033[0m");
	segmap_text_append_char(text, '\n');
}

struct segmap_error *render_trace(const struct segmap_layout *layout, const struct style *style,
				  FILE *file)
{
	struct segmap_text text = { 0 };
	bool failed;

	if (!layout->trace)
		return NULL;
	if (style->heading)
		say_heading(&text, style);
	for (size_t i = 0; i < layout->trace->n_calls; i++)
		say_call(&text, layout, i);
	if (style->frame)
		segmap_text_append_char(&text, '\n');
	failed = text.failed;
	if (!failed && text.size)
		fwrite(text.bytes, 1, text.size, file);
	segmap_text_free(&text);
	return failed ? segmap_error_no_memory() : NULL;
}
