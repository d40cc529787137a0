/* src/render/reason.c - why a call is made, as a sentence with its numbers. */
#include "render/reason.h"
#include "render/say.h"
#include <string.h>

/* What the sentences about one call draw on. */
struct subject {
	const struct segmap_call *call;
	const struct segmap_elf *elf;
	const struct segmap_segment *segment; /* NULL for none */
	uint64_t start, end;		      /* vaddrs of the call's range */
	uint64_t page_size;
};

static bool is_musl(const struct subject *subject)
{
	return strncmp(subject->call->source, "ldso/", 5) == 0;
}

/* Append the names of the sections in [start, end) (vaddr); at most a line of them. */
static size_t say_some_sections(struct segmap_text *text, const struct subject *subject,
				uint64_t start, uint64_t end)
{
	enum { MOST = 14 };

	return say_sections(text, subject->elf, start, end, MOST);
}

/* "It holds .init .text." unless there is nothing to name. */
static void say_holds(struct segmap_text *text, const struct subject *subject, uint64_t start,
		      uint64_t end)
{
	size_t before = text->size;

	say(text, " It holds");
	if (say_some_sections(text, subject, start, end))
		segmap_text_append_char(text, '.');
	else
		text->size = before;
}

static void reason_span(struct segmap_text *text, const struct subject *subject)
{
	const uint64_t *n = subject->call->numbers;

	say(text, "One mapping for all of it: from the lowest PT_LOAD, at " HEX
		     ", to the end of the %s at " HEX " are " HEX " bytes in whole pages.",
	    n[1], subject->call->actor == SEGMAP_ACTOR_KERNEL || is_musl(subject) ?
			  "highest" : "last",
	    n[2], n[0]);
	if (subject->call->actor == SEGMAP_ACTOR_KERNEL)
		say(text, " Only so is a place sure that is large enough.");
	else
		say(text, " It has the offset and permissions of the %s one; the others are laid "
			     "over it.", is_musl(subject) ? "lowest" : "first");
	if (subject->segment)
		say_holds(text, subject, subject->segment->vaddr,
			  subject->segment->vaddr + subject->segment->filesz);
}

static void reason_span_rest(struct segmap_text *text, const struct subject *subject)
{
	const uint64_t *n = subject->call->numbers;

	say(text, "LOAD %u asks for p_filesz " HEX " bytes; a page is whole, so its own pages end at "
		     HEX ". The " HEX " bytes behind go back: the PT_LOADs that follow are mapped into "
		     "them, and what none of them takes stays unmapped.",
	    subject->segment ? subject->segment->index : 0, n[1], subject->start, n[0]);
}

static void reason_file_pages(struct segmap_text *text, const struct subject *subject)
{
	const uint64_t *n = subject->call->numbers;
	uint64_t size = subject->end - subject->start;

	if (subject->call->off & (subject->page_size - 1)) {
		say(text, "p_vaddr " HEX " and p_offset " HEX " do not agree within a page.", n[1],
		    n[0]);
		return;
	}
	if (n[3])
		say(text, "p_vaddr " HEX " and p_offset " HEX " are rounded down by " HEX
			     " to the start of a page: the first " HEX " bytes are what the file has "
			     "before the segment. ", n[1], n[0], n[3], n[3]);
	else
		say(text, "p_vaddr " HEX " and p_offset " HEX " begin a page. ", n[1], n[0]);
	if (is_musl(subject) && subject->segment && subject->segment->memsz != n[2])
		say(text, "musl maps as far as p_memsz " HEX " reaches, " HEX " bytes.",
		    subject->segment->memsz, size);
	else if (n[3] + n[2] == size)
		say(text, "p_filesz " HEX " ends with a page.", n[2]);
	else
		say(text, "p_filesz " HEX " bytes are asked for; a page is whole, so " HEX " come.",
		    n[2], size);
	say_holds(text, subject, n[1], n[1] + n[2]);
}

static void reason_tail(struct segmap_text *text, const struct subject *subject)
{
	const uint64_t *n = subject->call->numbers;

	say(text, "The file's bytes end at " HEX ": p_filesz is " HEX ", p_memsz " HEX ". ", n[0],
	    n[2], n[3]);
	switch (subject->call->reason) {
	case SEGMAP_REASON_JUNK_TAIL:
		say(text, "To write zeros to the end of the page fails, since it is not writable, and "
			     "the kernel lets that pass: the last " HEX " bytes stay what the file has "
			     "there.", n[1]);
		break;
	case SEGMAP_REASON_TAIL_WRITABLE:
		say(text, "Their page is made writable, so that the rest of it can be zeroed.");
		break;
	case SEGMAP_REASON_TAIL_RESTORED:
		say(text, "It is zeroed, and has the permissions of its segment again.");
		break;
	default:
		say(text, "The other " HEX " bytes of the page become zeros: .bss begins in the same "
			     "page.", n[1]);
	}
}

static void reason_bss(struct segmap_text *text, const struct subject *subject)
{
	const uint64_t *n = subject->call->numbers;
	int prot = (int)n[3];
	char asked[5];

	if (!n[1])
		say(text, "The segment has no bytes in the file: p_memsz " HEX " is all anonymous "
			     "memory, of zeros.", n[2]);
	else
		say(text, "p_memsz " HEX " is " HEX " more than p_filesz " HEX ". What of it lies "
			     "past the file's last page is anonymous memory: .bss, which no file "
			     "holds.", n[2], n[2] - n[1], n[1]);
	if (subject->call->actor == SEGMAP_ACTOR_KERNEL && (prot & 3) != 3)
		say(text, " The kernel makes it readable and writable, though p_flags say %s.",
		    rwx(prot, asked));
}

static void reason_holes(struct segmap_text *text, const struct subject *subject)
{
	const uint64_t *n = subject->call->numbers;

	say(text, "There are gaps between the segments. From the end of the first one's pages, " HEX
		     ", to the start of the last, " HEX ", no access is left; the PT_LOADs that follow "
		     "are mapped over it. What they leave is a ---p VMA of the file in every map.",
	    n[1], n[2]);
}

static void reason_textrel(struct segmap_text *text, const struct subject *subject)
{
	if (is_musl(subject))
		say(text, "DT_TEXTREL: code has to be changed. musl makes all of the library "
			     "readable, writable and executable, and leaves it so.");
	else if (subject->call->reason == SEGMAP_REASON_TEXTREL)
		say(text, "DT_TEXTREL: relocations change this read-only segment, so it is writable "
			     "while they are made.");
	else
		say(text, "Relocations are made: the segment has its own permissions again.");
}

/* Whether writable pages of a PT_LOAD are left before or behind the call's range. */
static bool cuts_segment(const struct subject *subject)
{
	for (size_t i = 0; i < subject->elf->n_segments; i++) {
		const struct segmap_segment *segment = &subject->elf->segments[i];

		if (segment->type == SEGMAP_SEGMENT_LOAD && segment->mappable &&
		    segment->map_start <= subject->start && subject->end <= segment->file_end)
			return segment->map_start < subject->start ||
			       subject->end < segment->file_end;
	}
	return false;
}

static void reason_relro(struct segmap_text *text, const struct subject *subject)
{
	const uint64_t *n = subject->call->numbers;
	size_t before;

	say(text, "Relocations are done. GNU_RELRO goes from " HEX " to " HEX, n[0], n[1]);
	if (n[2] && n[3])
		say(text, "; both ends are rounded down to a page, by " HEX " and " HEX, n[2],
		    n[3]);
	else if (n[2] || n[3])
		say(text, "; its %s is rounded down to a page, by " HEX, n[2] ? "start" : "end",
		    n[2] + n[3]);
	say(text, ".");
	if (cuts_segment(subject))
		say(text, " That cuts what was one VMA in two.");
	before = text->size;
	say(text, " Read-only from now on:");
	if (say_some_sections(text, subject, subject->start, subject->end))
		say(text, ".");
	else
		text->size = before;
	if (n[3])
		say(text, " The last " HEX " bytes of it stay writable.", n[3]);
}

static void reason_donated(struct segmap_text *text, const struct subject *subject)
{
	say(text, "What the segment, " HEX " bytes at " HEX ", does not use of its page is given to "
		     "malloc.", subject->call->numbers[1], subject->call->numbers[0]);
}

static void reason_align(struct segmap_text *text, const struct subject *subject)
{
	const uint64_t *n = subject->call->numbers;

	if (subject->call->reason == SEGMAP_REASON_ALIGN_ROOM)
		say(text, "p_align " HEX " is more than a page: in " HEX " bytes there is an aligned "
			     "place for sure.", n[1], n[0]);
	else
		say(text, HEX " bytes beside the place that is aligned to " HEX " go back.", n[0],
		    n[1]);
}

static void reason_stack(struct segmap_text *text, const struct subject *subject)
{
	say(text, "The stack: the arguments and the environment, a page at least, and " HEX
		     " bytes more", subject->call->numbers[0]);
	if (subject->call->numbers[2])
		say(text, ", of which RLIMIT_STACK leaves " HEX " bytes in all.",
		    subject->call->numbers[2]);
	else
		say(text, ". It grows down when it is used.");
	if (subject->call->numbers[1])
		say(text, " PT_GNU_STACK has its permissions.");
	else
		say(text, " There is no PT_GNU_STACK: it has the machine's default permissions.");
}

static void reason_stack_exec(struct segmap_text *text, const struct subject *subject)
{
	say(text, subject->call->numbers[0] ?
			  "Its PT_GNU_STACK wants an executable stack." :
			  "It has no PT_GNU_STACK: it may want an executable stack.");
	say(text, " The page in which the stack began is made so, and with PROT_GROWSDOWN all below "
		  "it. What lies above, arguments and environment, stays as it is.");
}

static void reason_areas(struct segmap_text *text, const struct subject *subject)
{
	say(text, "The kernel's own pages, " HEX " bytes: data in [vvar], and in [vdso] a small "
		     "library that reads it, so that asking for the time needs no system call.",
	    subject->call->numbers[0]);
}

static void reason_given_up(struct segmap_text *text, const struct subject *subject)
{
	say(text, "It cannot be loaded after all: its " HEX " bytes go back.",
	    subject->call->numbers[0]);
}

void append_reason(struct segmap_text *text, const struct segmap_layout *layout,
		   const struct segmap_call *call)
{
	static void (*const reasons[SEGMAP_N_REASONS])(struct segmap_text *text,
						       const struct subject *subject) = {
		[SEGMAP_REASON_SPAN] = reason_span,
		[SEGMAP_REASON_SPAN_REST] = reason_span_rest,
		[SEGMAP_REASON_ALIGN_ROOM] = reason_align,
		[SEGMAP_REASON_ALIGN_REST] = reason_align,
		[SEGMAP_REASON_FILE_PAGES] = reason_file_pages,
		[SEGMAP_REASON_ZERO_TAIL] = reason_tail,
		[SEGMAP_REASON_JUNK_TAIL] = reason_tail,
		[SEGMAP_REASON_TAIL_WRITABLE] = reason_tail,
		[SEGMAP_REASON_TAIL_RESTORED] = reason_tail,
		[SEGMAP_REASON_BSS] = reason_bss,
		[SEGMAP_REASON_HOLES] = reason_holes,
		[SEGMAP_REASON_TEXTREL] = reason_textrel,
		[SEGMAP_REASON_TEXTREL_DONE] = reason_textrel,
		[SEGMAP_REASON_RELRO] = reason_relro,
		[SEGMAP_REASON_DONATED] = reason_donated,
		[SEGMAP_REASON_STACK] = reason_stack,
		[SEGMAP_REASON_STACK_EXEC] = reason_stack_exec,
		[SEGMAP_REASON_AREAS] = reason_areas,
		[SEGMAP_REASON_GIVEN_UP] = reason_given_up,
	};
	struct subject subject = { .call = call, .start = call->start,
				   .end = call->end, .page_size = layout->page_size };

	if (call->image >= 0) {
		const struct segmap_image *image = &layout->images[call->image];

		subject.elf = image->elf;
		if (call->segment >= 0)
			subject.segment = &image->elf->segments[call->segment];
		subject.start = segmap_vaddr(call->start, image->bias);
		subject.end = segmap_vaddr(call->end, image->bias);
	}
	reasons[call->reason](text, &subject);
	if (call->errnum)
		say(text, " It fails: %s.", strerror(call->errnum));
}
