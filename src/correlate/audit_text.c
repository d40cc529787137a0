/* src/correlate/audit_text.c - bytes of code and constants that are not those of the file. */
#include "correlate/audit.h"
#include <elf.h>
#include <stdio.h>
#include <string.h>

enum { MOST_SHOWN = 16 };

/* Bytes in memory from @at on, as far as the context has them; *@n is how many. */
static const unsigned char *bytes_at(const struct segmap_altered *altered, uint64_t at, size_t *n)
{
	if (at < altered->context || at - altered->context >= altered->n_context)
		return NULL;
	*n = altered->n_context - (at - altered->context);
	return altered->in_memory + (at - altered->context);
}

/* A jump or call as a hook consists of. */
struct jump {
	uint64_t end;	 /* address behind its last byte */
	uint64_t target; /* 0: not known */
};

static uint64_t word_of(const unsigned char *bytes, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)bytes[i] << 8 * i;
	return value;
}

/* mov reg, imm64; jmp reg. */
static bool decode_mov_jump(const unsigned char *b, size_t n, uint64_t at, struct jump *ret)
{
	bool high = b[0] == 0x49; /* r8 to r15 */
	size_t size = high ? 13 : 12;
	const unsigned char *jump = b + 10;

	if (n < size || (b[0] != 0x48 && !high) || (b[1] & 0xf8) != 0xb8)
		return false;
	if (high && *jump++ != 0x41)
		return false;
	if (jump[0] != 0xff || (jump[1] & 0xf8) != 0xe0 || (jump[1] & 7) != (b[1] & 7))
		return false;
	*ret = (struct jump){ at + size, word_of(b + 2, 8) };
	return true;
}

/* jmp [rip + displacement]: the target is known where the pointer stands right behind it. */
static bool decode_indirect(const unsigned char *b, size_t n, uint64_t at, bool is_64,
			    struct jump *ret)
{
	if (n < 6 || b[0] != 0xff || b[1] != 0x25)
		return false;
	*ret = (struct jump){ at + 6, 0 };
	if (is_64 && word_of(b + 2, 4) == 0 && n >= 14)
		*ret = (struct jump){ at + 14, word_of(b + 6, 8) };
	return true;
}

/* The jump of x86 that is @b, @n bytes at @at. */
static bool decode_x86(const unsigned char *b, size_t n, uint64_t at, bool is_64, struct jump *ret)
{
	uint64_t mask = is_64 ? UINT64_MAX : UINT32_MAX;

	if (n >= 5 && (b[0] == 0xe9 || b[0] == 0xe8)) {
		*ret = (struct jump){
			at + 5, (at + 5 + (uint64_t)(int64_t)(int32_t)word_of(b + 1, 4)) & mask
		};
		return true;
	}
	if (n >= 2 && b[0] == 0xeb) {
		*ret = (struct jump){ at + 2, (at + 2 + (uint64_t)(int64_t)(int8_t)b[1]) & mask };
		return true;
	}
	if (n >= 6 && b[0] == 0x68 && b[5] == 0xc3) { /* push, ret */
		*ret = (struct jump){ at + 6,
				      (uint64_t)(int64_t)(int32_t)word_of(b + 1, 4) & mask };
		return true;
	}
	if (!is_64 && n >= 7 && (b[0] & 0xf8) == 0xb8 && b[5] == 0xff && (b[6] & 0xf8) == 0xe0 &&
	    (b[6] & 7) == (b[0] & 7)) {
		*ret = (struct jump){ at + 7, word_of(b + 1, 4) };
		return true;
	}
	return (is_64 && decode_mov_jump(b, n, at, ret)) || decode_indirect(b, n, at, is_64, ret);
}

/* b, or ldr x16 or x17 with br. */
static bool decode_aarch64(const unsigned char *b, size_t n, uint64_t at, struct jump *ret)
{
	uint64_t first = n >= 4 ? word_of(b, 4) : 0;

	if (first >> 26 == 5) {
		int64_t distance = (int32_t)((uint32_t)first << 6) >> 4;

		*ret = (struct jump){ at + 4, at + (uint64_t)distance };
		return true;
	}
	if (n >= 16 && (first & ~UINT64_C(1)) == 0x58000050 &&
	    word_of(b + 4, 4) == (0xd61f0200 | (first & 1) << 5)) {
		*ret = (struct jump){ at + 16, word_of(b + 8, 8) };
		return true;
	}
	return false;
}

static bool decode_at(const struct segmap_elf *elf, const struct segmap_altered *altered,
		      uint64_t at, struct jump *ret)
{
	size_t n = 0;
	const unsigned char *bytes = bytes_at(altered, at, &n);

	if (!bytes)
		return false;
	switch (elf->machine) {
	case EM_X86_64:
		return decode_x86(bytes, n, at, true, ret);
	case EM_386:
		return decode_x86(bytes, n, at, false, ret);
	case EM_AARCH64:
		return decode_aarch64(bytes, n, at, ret);
	default:
		return false;
	}
}

/* Whether a function begins with the landing pad that a hook leaves in place: endbr64, endbr32. */
static bool has_landing_pad(const struct segmap_altered *altered, uint64_t start)
{
	size_t n = 0;
	const unsigned char *bytes = bytes_at(altered, start, &n);

	return bytes && n >= 4 && memcmp(bytes, "\xf3\x0f\x1e", 3) == 0 &&
	       (bytes[3] == 0xfa || bytes[3] == 0xfb);
}

/*
 * Whether what was changed is a jump to executable memory, beginning at or a little before the
 * first byte that differs: its first ones can be the same by chance. *@at_function: where its
 * function begins.
 */
static bool find_hook(const struct auditing *auditing, const struct segmap_image *image,
		      const struct segmap_altered *altered, struct jump *ret, bool *at_function)
{
	const struct segmap_layout *layout = auditing->layout;
	uint64_t function = altered->start - altered->symbol_off, candidates[5];
	size_t n = 0;

	if (altered->symbol) {
		candidates[n++] = function;
		if (has_landing_pad(altered, function))
			candidates[n++] = function + 4;
	}
	for (uint64_t i = 0; i < 3; i++)
		candidates[n++] = altered->start - i;
	for (size_t i = 0; i < n; i++) {
		int64_t vma;

		if (!decode_at(image->elf, altered, candidates[i], ret) ||
		    candidates[i] > altered->start || ret->end <= altered->start)
			continue;
		vma = ret->target ? segmap_layout_find(layout, ret->target) : -1;
		if (ret->target && (vma < 0 || !(layout->vmas[vma].prot & PROT_EXEC)))
			continue;
		*at_function = altered->symbol &&
			       (candidates[i] == function || candidates[i] == function + 4);
		/* An indirect jump whose target is not known is believed only there. */
		if (ret->target || *at_function)
			return true;
	}
	return false;
}

/* Whether the instruction at byte @i of the context is a breakpoint; its length, or 0. */
static size_t breakpoint_at(const struct segmap_elf *elf, const struct segmap_altered *altered,
			    size_t i)
{
	const unsigned char *bytes = altered->in_memory + i;

	if (elf->machine == EM_X86_64 || elf->machine == EM_386)
		return bytes[0] == 0xcc;
	/* brk #imm16 */
	if (elf->machine == EM_AARCH64 && (altered->context + i) % 4 == 0 &&
	    i + 4 <= altered->n_context && (word_of(bytes, 4) & 0xffe0001f) == 0xd4200000)
		return 4;
	return 0;
}

/* Whether all that differs are breakpoints, each for itself. */
static bool is_breakpoints(const struct segmap_elf *elf, const struct segmap_altered *altered)
{
	size_t end = altered->end - altered->context;
	bool after_one = false;

	if (end > altered->n_context)
		return false;
	for (size_t i = 0; i < end;) {
		size_t size =
			altered->in_memory[i] == altered->in_file[i] && elf->machine != EM_AARCH64 ?
				0 :
				breakpoint_at(elf, altered, i);

		if (!size && altered->in_memory[i] != altered->in_file[i])
			return false;
		/* A row of int3 is no breakpoint but padding that somebody has written. */
		if (size && after_one)
			return false;
		after_one = size == 1;
		i += size ? size : 1;
	}
	return true;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/*
 * Whether the kernel was told by tracefs to break where @altered begins. It repeats the path that
 * it was given, which can lead through links: /bin/bash for /usr/bin/bash.
 */
static bool is_registered(const struct auditing *auditing, const struct segmap_altered *altered,
			  int32_t image)
{
	const struct segmap_evidence *evidence = auditing->evidence;
	const char *name = audit_image_name(auditing->layout, image);

	for (size_t i = 0; i < evidence->n_probes; i++)
		if (evidence->probes[i].off == altered->off &&
		    strcmp(base_name(evidence->probes[i].path), name) == 0)
			return true;
	return false;
}

/* The page on which the kernel steps over instructions that uprobes have replaced. */
static bool has_uprobes(const struct segmap_layout *layout)
{
	for (size_t i = 0; i < layout->n_vmas; i++)
		if (strcmp(layout->vmas[i].name, "[uprobes]") == 0)
			return true;
	return false;
}

/* "_start+0x4", or "" where no symbol is known. */
static void format_symbol(const struct segmap_altered *altered, char *ret, size_t size)
{
	ret[0] = '\0';
	if (altered->symbol)
		snprintf(ret, size, " in %s+0x%jx", altered->symbol,
			 (uintmax_t)altered->symbol_off);
}

static void format_bytes(const unsigned char *bytes, size_t n, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*ret++ = digits[bytes[i] >> 4];
		*ret++ = digits[bytes[i] & 15];
		*ret++ = ' ';
	}
	ret[n ? -1 : 0] = '\0';
}

/* The bytes of the file and of memory, the first few. */
static void show_bytes(struct auditing *auditing, struct segmap_finding *finding,
		       const struct segmap_altered *altered)
{
	size_t at = altered->start - altered->context, n = altered->n_context - at;
	char expected[3 * MOST_SHOWN + 1], actual[3 * MOST_SHOWN + 1];
	uint64_t size = altered->end - altered->start;
	const char *more = size > MOST_SHOWN ? " ..." : "";

	if (n > size)
		n = size;
	if (n > MOST_SHOWN)
		n = MOST_SHOWN;
	format_bytes(altered->in_file + at, n, expected);
	format_bytes(altered->in_memory + at, n, actual);
	audit_expect(auditing, finding, "%s%s", expected, more);
	audit_actual(auditing, finding, "%s%s", actual, more);
}

static const char tool_benign[] =
	"a debugger, a tracer or a profiler (bpftrace, perf, SystemTap, valgrind, a sanitizer's "
	"interceptor) is at work in it";

/* What @altered is found to be; its reason into @reason of @size bytes. */
static void judge_breakpoint(const struct auditing *auditing, const struct segmap_altered *altered,
			     struct verdict *verdict, char *reason, size_t size)
{
	bool uprobes = has_uprobes(auditing->layout), is_one = altered->n_bytes == 1;
	int tracer = auditing->evidence->tracer;
	const char *what = is_one ? "a breakpoint instruction replaces the file's byte" :
				    "breakpoint instructions replace bytes of the file";

	verdict->id = SEGMAP_FINDING_TEXT_BREAKPOINT;
	verdict->severity = tracer ? SEGMAP_SEVERITY_LOW : SEGMAP_SEVERITY_MEDIUM;
	verdict->confidence = tracer ? SEGMAP_CONFIDENCE_LIKELY : SEGMAP_CONFIDENCE_POSSIBLE;
	verdict->benign =
		tracer ? "the debugger is yours" :
			 "a debugger was killed before it took its breakpoints out, or the "
			 "kernel has set it for perf or BPF (a uprobe)";
	if (is_registered(auditing, altered, verdict->image) || (uprobes && !tracer)) {
		verdict->id = SEGMAP_FINDING_TEXT_UPROBE;
		verdict->severity = SEGMAP_SEVERITY_LOW;
		verdict->confidence = is_registered(auditing, altered, verdict->image) ?
					      SEGMAP_CONFIDENCE_CERTAIN :
					      SEGMAP_CONFIDENCE_LIKELY;
		verdict->benign = "it is your tracing";
		snprintf(reason, size, "%s: a uprobe, set through the kernel by root", what);
	} else if (tracer) {
		snprintf(reason, size, "%s: process %d traces it", what, tracer);
	} else {
		snprintf(reason, size, "%s, and no debugger is attached", what);
	}
}

/* Where a jump leads, for a reader: the name of the image or of the VMA there. */
static const char *name_target(const struct segmap_layout *layout, uint64_t target)
{
	int64_t vma = segmap_layout_find(layout, target);
	int32_t image = layout->annotations[vma].image;

	if (image >= 0)
		return audit_image_name(layout, image);
	return layout->vmas[vma].name[0] ? layout->vmas[vma].name : "anonymous memory";
}

static void judge_hook(const struct auditing *auditing, const struct jump *jump, bool at_function,
		       struct verdict *verdict, char *reason, size_t size)
{
	const char *name = jump->target ? name_target(auditing->layout, jump->target) : NULL;

	verdict->id = SEGMAP_FINDING_TEXT_HOOK;
	verdict->severity = SEGMAP_SEVERITY_HIGH;
	verdict->confidence = at_function ? SEGMAP_CONFIDENCE_LIKELY : SEGMAP_CONFIDENCE_POSSIBLE;
	verdict->benign = tool_benign;
	if (name && strcmp(name, "[uprobes-trampoline]") == 0) { /* Linux 6.18 */
		verdict->id = SEGMAP_FINDING_TEXT_UPROBE;
		verdict->severity = SEGMAP_SEVERITY_LOW;
		verdict->confidence = SEGMAP_CONFIDENCE_CERTAIN;
		verdict->benign = "it is your tracing";
		snprintf(reason, size,
			 "a uprobe, set through the kernel by root, calls its trampoline");
	} else if (name) {
		snprintf(reason, size, "%s a jump to 0x%jx in %s",
			 at_function ? "the function was made to begin with" :
				       "code was overwritten by",
			 (uintmax_t)jump->target, name);
	} else {
		snprintf(reason, size,
			 "the function was made to begin with a jump through a pointer");
	}
}

/* Neither breakpoint nor jump nor relocation. */
static void judge_other(const struct segmap_piece *piece, const struct segmap_segment *segment,
			struct verdict *verdict, char *reason, size_t size)
{
	bool is_header = piece->kind == SEGMAP_PIECE_EHDR || piece->kind == SEGMAP_PIECE_PHDRS;
	bool is_code = segment->prot & PROT_EXEC;

	verdict->id = is_header ? SEGMAP_FINDING_HEADERS_MODIFIED :
		      is_code	? SEGMAP_FINDING_TEXT_MODIFIED :
				  SEGMAP_FINDING_RODATA_MODIFIED;
	verdict->severity = is_header || is_code ? SEGMAP_SEVERITY_HIGH : SEGMAP_SEVERITY_MEDIUM;
	verdict->confidence = SEGMAP_CONFIDENCE_CERTAIN;
	verdict->benign =
		is_header ? NULL :
		is_code	  ? "the program patches itself (static keys, tracing points, a packer), "
			    "or a tool does" :
			    "the program or a tool writes to its own constants on purpose";
	snprintf(reason, size, "%s in memory are not those of the file",
		 is_header ? "the file's headers" :
		 is_code   ? "instructions" :
			     "constants");
}

static void judge(struct auditing *auditing, const struct segmap_altered *altered)
{
	const struct segmap_layout *layout = auditing->layout;
	const struct segmap_piece *piece = &layout->pieces[altered->piece];
	const struct segmap_image *image = &layout->images[piece->image];
	const struct segmap_segment *segment = &image->elf->segments[piece->segment];
	struct verdict verdict = {
		.vma = segmap_layout_find(layout, altered->start),
		.image = piece->image,
		.start = altered->start,
		.end = altered->end,
	};
	struct segmap_finding *finding;
	bool at_function = false;
	char reason[512], symbol[512];
	struct jump jump;

	if (altered->relocated) {
		verdict.id = SEGMAP_FINDING_TEXT_RELOCATED;
		verdict.severity = SEGMAP_SEVERITY_LOW;
		verdict.confidence = SEGMAP_CONFIDENCE_CERTAIN;
		verdict.benign = "the file declares text relocations (DT_TEXTREL), and only those "
				 "places differ";
		snprintf(reason, sizeof(reason), "the dynamic linker has relocated it in place");
	} else if (segment->prot & PROT_EXEC && is_breakpoints(image->elf, altered)) {
		judge_breakpoint(auditing, altered, &verdict, reason, sizeof(reason));
	} else if (segment->prot & PROT_EXEC &&
		   find_hook(auditing, image, altered, &jump, &at_function)) {
		judge_hook(auditing, &jump, at_function, &verdict, reason, sizeof(reason));
	} else {
		judge_other(piece, segment, &verdict, reason, sizeof(reason));
	}
	format_symbol(altered, symbol, sizeof(symbol));
	finding = audit_add(auditing, &verdict, "%s%s: %ju byte%s", reason, symbol,
			    (uintmax_t)altered->n_bytes, altered->n_bytes == 1 ? "" : "s");
	finding->section = piece->name;
	finding->altered = altered;
	show_bytes(auditing, finding, altered);
}

void audit_text(struct auditing *auditing)
{
	for (size_t i = 0; auditing->evidence && i < auditing->evidence->n_altered; i++)
		judge(auditing, &auditing->evidence->altered[i]);
}
