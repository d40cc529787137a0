/* src/correlate/audit_memory.c - permissions that no file calls for, and executable memory. */
#include "correlate/audit.h"
#include "base/scope.h"
#include "correlate/bias.h"
#include "correlate/kinds.h"
#include "correlate/labels.h"
#include "model/elf.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How it is known that a program generates code. */
enum jit {
	JIT_NOT,
	JIT_BY_NAME,	/* the VMA is called so */
	JIT_BY_MAP,	/* the process lists code in perf-PID.map */
	JIT_BY_ENGINE,	/* a file whose business it is to generate code is loaded */
	JIT_BY_LIBRARY, /* a library that can generate code is loaded, as in many programs */
	N_JITS,
};

/* Memory with generated code, told of together: there can be hundreds of such VMAs. */
struct generated {
	size_t n;
	uint64_t bytes;
	int64_t first; /* VMA */
};

struct looking {
	struct auditing *auditing;
	int32_t engine, library; /* images that generate code, see enum jit; -1 */
	struct generated executable[N_JITS], writable[N_JITS];
	uint64_t *displaced; /* bytes of each VMA that lie where an image's pages should be */
};

static bool begins_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Files that generate code. A program's name is whole, but for its version: python3.11, node-18. */
struct makers {
	const char *const *programs, *const *prefixes;
};

static const struct makers engines = {
	.programs = (const char *const[]){ "node", "nodejs", "chrome", "chromium", "electron", "luajit",
					   "pypy", NULL },
	.prefixes = (const char *const[]){ "libv8", "libnode.so", "libjvm.so", "libmozjs",
					   "libxul.so", "libjavascriptcore", "libQt5Qml",
					   "libQt6Qml", "libluajit", "libcoreclr.so", "libclrjit",
					   "libmono", "mono-", "beam.", "libjulia", "libpypy",
					   "qemu-", "libwasmtime", "libvk_swiftshader", NULL },
};
static const struct makers libraries = {
	.programs = (const char *const[]){ "php", NULL },
	.prefixes = (const char *const[]){ "libgccjit", "libLLVM", "libpcre2-", "libpcre.so",
					   "libffi.so", "libruby", "libgallium", "liborc-",
					   "libpixman-", NULL },
};

static bool is_program(const char *name, const char *program)
{
	unsigned char next;

	if (!begins_with(name, program))
		return false;
	next = (unsigned char)name[strlen(program)];
	return next != '_' && !isalpha(next);
}

/* Whether a file of this base name is one of @makers. */
static bool is_maker(const struct makers *makers, const char *name)
{
	for (const char *const *program = makers->programs; *program; program++)
		if (is_program(name, *program))
			return true;
	for (const char *const *prefix = makers->prefixes; *prefix; prefix++)
		if (begins_with(name, *prefix))
			return true;
	return false;
}

/* The first image that is one of @makers; -1. */
static int32_t find_maker(const struct segmap_layout *layout, const struct makers *makers)
{
	for (size_t i = 0; i < layout->n_images; i++)
		if (is_maker(makers, audit_image_name(layout, (int32_t)i)))
			return (int32_t)i;
	return -1;
}

/* Whether the VMA's name says that it holds generated code. */
static bool is_named_jit(const char *name)
{
	/* V8, SpiderMonkey, JavaScriptCore, ART, .NET, QEMU, libffi. */
	static const char *const prefixes[] = {
		"[anon:v8",
		"[anon:V8",
		"[anon:js-",
		"[anon:JS",
		"[anon:JIT",
		"[anon:jit",
		"[anon:dalvik-jit",
		"[anon_shmem:dalvik-jit",
		"/memfd:jit-",
		"/memfd:JavaScriptJ",
		"/memfd:doublemapper",
		"/memfd:tcg-jit",
		"/memfd:libffi",
		"[anon:CodeSpace",
		"[anon:code-",
	};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (begins_with(name, prefixes[i]))
			return true;
	return false;
}

/* Whether the process says that some code it has generated is in @vma. */
static bool has_generated(const struct segmap_evidence *evidence, const struct segmap_vma *vma)
{
	size_t low = 0, high = evidence ? evidence->n_generated : 0;

	while (low < high) { /* the first that begins in or behind it */
		size_t middle = low + (high - low) / 2;

		if (evidence->generated[middle].start >= vma->start)
			high = middle;
		else
			low = middle + 1;
	}
	return evidence && low < evidence->n_generated && evidence->generated[low].start < vma->end;
}

static enum jit jit_of(const struct looking *looking, size_t vma)
{
	const struct segmap_layout *layout = looking->auditing->layout;

	if (is_named_jit(layout->vmas[vma].name))
		return JIT_BY_NAME;
	if (has_generated(looking->auditing->evidence, &layout->vmas[vma]))
		return JIT_BY_MAP;
	if (looking->engine >= 0)
		return JIT_BY_ENGINE;
	return looking->library >= 0 ? JIT_BY_LIBRARY : JIT_NOT;
}

static void count(struct generated *generated, const struct segmap_layout *layout, size_t vma)
{
	if (!generated->n++)
		generated->first = (int64_t)vma;
	generated->bytes += segmap_vma_size(&layout->vmas[vma]);
}

/* A stretch of pieces of one VMA that have other permissions than their loader leaves them with. */
struct drift {
	size_t vma;
	int32_t image;
	int expected, actual;
	bool of_code, of_relro, of_gap;
	uint64_t start, end;
	const char *section;
};

/* What became of RELRO, as far as can be told. */
static void judge_relro(const struct auditing *auditing, const struct drift *drift,
			struct verdict *verdict)
{
	const struct segmap_layout *layout = auditing->layout;
	const struct segmap_image *image = &layout->images[drift->image];
	bool started = auditing->evidence && auditing->evidence->list >= SEGMAP_LIST_CHANGING;

	verdict->id = SEGMAP_FINDING_RELRO_NOT_APPLIED;
	verdict->severity = SEGMAP_SEVERITY_MEDIUM;
	if (auditing->evidence && auditing->evidence->list == SEGMAP_LIST_NOT_YET) {
		verdict->severity = SEGMAP_SEVERITY_INFO;
		verdict->benign = "the dynamic linker has not begun yet: it comes to it";
	} else if (image->role == SEGMAP_ROLE_INTERPRETER) {
		verdict->severity = SEGMAP_SEVERITY_LOW;
		verdict->benign =
			"musl and glibc before 2.41 protect their dynamic linker only in programs "
			"that need libc, and none does before start-up is over";
	} else if (image->role == SEGMAP_ROLE_PROGRAM && !image->elf->interp) {
		verdict->severity = SEGMAP_SEVERITY_LOW;
		verdict->benign = "a static program protects itself as it starts, or never: musl's "
				  "do not, nor do those of glibc before 2.31";
	} else if (started) {
		verdict->benign = "the program undid it by mprotect(2), to change its own tables";
	} else {
		verdict->benign = "the process was stopped before its dynamic linker came to it";
	}
}

/* Memory between segments: to read it does no harm, there are only bytes of the file. */
static void judge_gap(const struct auditing *auditing, const struct drift *drift,
		      struct verdict *verdict)
{
	if (!(drift->actual & ~drift->expected & (PROT_WRITE | PROT_EXEC)))
		verdict->severity = SEGMAP_SEVERITY_INFO;
	else if (!auditing->is_glibc && auditing->layout->images[drift->image].elf->textrel)
		verdict->benign = "musl leaves a library with text relocations so";
}

static void judge_drift(const struct auditing *auditing, const struct drift *drift,
			struct verdict *verdict)
{
	const struct segmap_elf *elf = auditing->layout->images[drift->image].elf;
	int gained = drift->actual & ~drift->expected;

	verdict->id = SEGMAP_FINDING_PERMS_DRIFT;
	verdict->severity = SEGMAP_SEVERITY_MEDIUM;
	verdict->confidence = SEGMAP_CONFIDENCE_CERTAIN;
	verdict->benign = "the program made it so on purpose";
	if (drift->of_gap) {
		judge_gap(auditing, drift, verdict);
	} else if (drift->of_relro && gained & PROT_WRITE) {
		judge_relro(auditing, drift, verdict);
	} else if (drift->of_code && gained & PROT_WRITE) {
		verdict->id = SEGMAP_FINDING_TEXT_WRITABLE;
		verdict->benign = elf->textrel ?
					  "musl leaves a library with text relocations so" :
					  "the program patches its own code, or is being relocated";
	} else if (gained & PROT_EXEC) {
		verdict->id = SEGMAP_FINDING_DATA_EXECUTABLE;
		verdict->benign =
			"the program generates code there, or nested functions of C need it";
	} else if (!(gained & PROT_WRITE)) {
		verdict->severity = SEGMAP_SEVERITY_INFO; /* less can be done than was promised */
		verdict->benign = "the program protects its own data, or guards a page";
	}
}

static const char *words_of_drift(const struct drift *drift, enum segmap_finding_id id)
{
	if (drift->of_gap)
		return drift->actual & PROT_EXEC ?
			       "memory between segments is executable, and no program header "
			       "calls for it" :
			       "memory between segments has other permissions than the dynamic "
			       "linker leaves it with";
	switch (id) {
	case SEGMAP_FINDING_RELRO_NOT_APPLIED:
		return "RELRO promises these pages read-only once it is relocated, and they are "
		       "writable";
	case SEGMAP_FINDING_TEXT_WRITABLE:
		return "code is writable";
	case SEGMAP_FINDING_DATA_EXECUTABLE:
		return "data is executable";
	default:
		return "permissions are not those that the program headers call for";
	}
}

static void add_drift(struct auditing *auditing, const struct drift *drift)
{
	struct verdict verdict = {
		.vma = (int64_t)drift->vma,
		.image = drift->image,
		.start = drift->start,
		.end = drift->end,
	};
	struct segmap_finding *finding;
	char expected[5], actual[5];

	judge_drift(auditing, drift, &verdict);
	segmap_perms_format(drift->expected, false, expected); /* loaders map privately */
	segmap_vma_perms_format(&auditing->layout->vmas[drift->vma], actual);
	finding = audit_add(auditing, &verdict, "%s", words_of_drift(drift, verdict.id));
	finding->section = drift->section;
	audit_expect(auditing, finding, "%s", expected);
	audit_actual(auditing, finding, "%s", actual);
}

/*
 * What lies between the segments of a library was mapped together with the lowest of them. glibc
 * takes all rights away there (elf/dl-map-segments.h:_dl_map_segments), musl leaves it so
 * (ldso/dynlink.c:map_library); where it is not known which of them has loaded it, both are right.
 */
static int16_t gap_prot(const struct auditing *auditing, const struct segmap_elf *elf, int actual)
{
	uint32_t lowest = elf_lowest_load(elf);

	if (auditing->is_glibc || actual == PROT_NONE || lowest == UINT32_MAX)
		return PROT_NONE;
	return (int16_t)prot_implied(auditing->layout, elf->segments[lowest].prot);
}

/* The permissions that @piece should have in VMA @vma; SEGMAP_NO_PROT: others say nothing. */
static int16_t prot_of_piece(const struct auditing *auditing, size_t vma,
			     const struct segmap_piece *piece)
{
	const struct segmap_layout *layout = auditing->layout;
	const struct segmap_image *image = piece->image < 0 ? NULL : &layout->images[piece->image];

	if (!image || image->role == SEGMAP_ROLE_ALIAS)
		return SEGMAP_NO_PROT;
	if (piece->segment >= 0)
		return piece->expected_prot;
	if (piece->kind != SEGMAP_PIECE_GAP || !audit_is_loaded(image) || image->elf->foreign)
		return SEGMAP_NO_PROT;
	return gap_prot(auditing, image->elf, layout->vmas[vma].prot);
}

static struct drift drift_of(const struct segmap_layout *layout, size_t vma,
			     const struct segmap_piece *piece, int expected)
{
	bool of_gap = piece->segment < 0;
	int prot = of_gap ? PROT_NONE :
			    layout->images[piece->image].elf->segments[piece->segment].prot;

	return (struct drift){
		.vma = vma,
		.image = piece->image,
		.expected = expected,
		.actual = layout->vmas[vma].prot,
		.of_code = prot & PROT_EXEC,
		.of_relro = prot & PROT_WRITE && !(expected & PROT_WRITE),
		.of_gap = of_gap,
		.start = piece->start,
		.end = piece->end,
	};
}

/*
 * Before the dynamic linker has run nothing is read-only for RELRO's sake, nor ever in a program
 * that is predicted not to get that far.
 */
static bool is_too_early(const struct segmap_layout *layout, const struct drift *drift)
{
	return drift->of_relro &&
	       (layout->moment == SEGMAP_MOMENT_EXEC ||
		(layout->prediction && layout->prediction->outcome.reason));
}

/* Whether the VMA differs anywhere from what its image calls for. */
static bool look_for_drift(struct auditing *auditing, size_t vma)
{
	const struct segmap_layout *layout = auditing->layout;
	const struct segmap_annotation *annotation = &layout->annotations[vma];
	const struct segmap_piece *pieces = segmap_layout_pieces(layout, annotation);
	bool any = false;

	for (uint32_t i = 0; i < annotation->n_pieces;) {
		int16_t expected = prot_of_piece(auditing, vma, &pieces[i]);
		struct drift drift;

		if (expected == SEGMAP_NO_PROT ||
		    segmap_vma_has_prot(&layout->vmas[vma], expected)) {
			i++;
			continue;
		}
		drift = drift_of(layout, vma, &pieces[i], expected);
		for (; i < annotation->n_pieces && pieces[i].image == drift.image &&
		       (pieces[i].segment < 0) == drift.of_gap &&
		       prot_of_piece(auditing, vma, &pieces[i]) == expected;
		     i++) {
			drift.end = pieces[i].end;
			if (!drift.section && pieces[i].kind == SEGMAP_PIECE_SECTION)
				drift.section = pieces[i].name;
		}
		any = true;
		if (!is_too_early(layout, &drift))
			add_drift(auditing, &drift);
	}
	return any;
}

/* Whether @image asks for an executable stack, by its header or (@implied) for lack of one. */
static bool asks_for_stack(const struct segmap_image *image, bool implied)
{
	return audit_is_loaded(image) &&
	       (implied ? image->elf->stack_prot == SEGMAP_NO_STACK :
			  image->elf->stack_prot > 0 && image->elf->stack_prot & PROT_EXEC);
}

/* The first image that asks for an executable stack; -1. */
static int32_t who_asks(const struct segmap_layout *layout, bool *implied)
{
	for (int pass = 0; pass < 2; pass++) {
		*implied = pass;
		for (size_t i = 0; i < layout->n_images; i++)
			if (asks_for_stack(&layout->images[i], pass))
				return (int32_t)i;
	}
	return -1;
}

static void add_stack(struct auditing *auditing, size_t vma)
{
	const struct segmap_layout *layout = auditing->layout;
	struct verdict verdict = {
		.id = SEGMAP_FINDING_STACK_EXECUTABLE,
		.severity = SEGMAP_SEVERITY_MEDIUM,
		.confidence = SEGMAP_CONFIDENCE_CERTAIN,
		.vma = (int64_t)vma,
		.benign =
			"it runs code that its compiler puts on the stack (nested functions of C); "
			"mostly an assembler file only lacks its .note.GNU-stack",
	};
	struct segmap_finding *finding;
	bool implied;

	verdict.image = who_asks(layout, &implied);
	if (verdict.image < 0)
		finding = audit_add(
			auditing, &verdict,
			"the stack is executable, and no file that is loaded asks for it");
	else
		finding = audit_add(
			auditing, &verdict,
			implied ? "the stack is executable: %s has no PT_GNU_STACK, which "
				  "means that it may need it" :
				  "the stack is executable: %s asks for it (PT_GNU_STACK "
				  "with X)",
			audit_image_name(layout, verdict.image));
	audit_expect(auditing, finding, "rw-p");
	audit_actual(auditing, finding, "rwxp");
}

/* Whether a segment in VMA @vma, of the image that the VMA is called after, asks for both rights. */
static bool asks_for_both(const struct segmap_layout *layout, size_t vma)
{
	const struct segmap_annotation *annotation = &layout->annotations[vma];
	const struct segmap_piece *pieces = segmap_layout_pieces(layout, annotation);
	int both = PROT_WRITE | PROT_EXEC;

	for (uint32_t i = 0; i < annotation->n_pieces; i++) {
		const struct segmap_piece *piece = &pieces[i];

		if (piece->image == annotation->image && piece->image >= 0 && piece->segment >= 0 &&
		    (layout->images[piece->image].elf->segments[piece->segment].prot & both) ==
			    both)
			return true;
	}
	return false;
}

static void add_writable(struct looking *looking, size_t vma, enum jit jit)
{
	struct auditing *auditing = looking->auditing;
	const struct segmap_layout *layout = auditing->layout;
	struct verdict verdict = {
		.id = SEGMAP_FINDING_WX_VMA,
		.severity = SEGMAP_SEVERITY_MEDIUM,
		.confidence = SEGMAP_CONFIDENCE_CERTAIN,
		.vma = (int64_t)vma,
		.image = layout->annotations[vma].image,
		.benign = "code is generated there by a compiler that is not known to segmap",
	};
	struct segmap_finding *finding;
	char perms[5];

	if (jit != JIT_NOT) {
		count(&looking->writable[jit], layout, vma);
		return;
	}
	if (verdict.image >= 0 && layout->images[verdict.image].role == SEGMAP_ROLE_ALIAS) {
		finding = audit_add(auditing, &verdict,
				    "a second mapping of %s is writable and executable",
				    audit_image_name(layout, verdict.image));
	} else if (asks_for_both(layout, vma)) {
		verdict.benign = "a linker made one segment of all (-N, --omagic), or a packer did";
		finding = audit_add(auditing, &verdict,
				    "memory is writable and executable, and %s "
				    "asks for it so (PT_LOAD with W and X)",
				    audit_image_name(layout, verdict.image));
	} else {
		finding = audit_add(auditing, &verdict, "memory is writable and executable");
	}
	segmap_vma_perms_format(&layout->vmas[vma], perms);
	audit_expect(auditing, finding, "not both w and x");
	audit_actual(auditing, finding, "%s", perms);
}

/* Executable memory that belongs to no loaded image. */
static void add_foreign_code(struct looking *looking, size_t vma, enum jit jit)
{
	struct auditing *auditing = looking->auditing;
	const struct segmap_layout *layout = auditing->layout;
	const struct segmap_annotation *annotation = &layout->annotations[vma];
	const struct segmap_backing *backing =
		annotation->backing < 0 ? NULL : &layout->backings[annotation->backing];
	bool is_file =
		annotation->kind == SEGMAP_KIND_FILE || annotation->kind == SEGMAP_KIND_DEVICE;
	struct verdict verdict = {
		.id = is_file ? SEGMAP_FINDING_FILE_EXECUTABLE : SEGMAP_FINDING_ANON_EXECUTABLE,
		.severity = SEGMAP_SEVERITY_MEDIUM,
		.confidence = SEGMAP_CONFIDENCE_CERTAIN,
		.vma = (int64_t)vma,
		.image = -1,
		.benign = "code is generated there by a compiler that is not known to segmap",
	};
	struct segmap_finding *finding;

	if (jit == JIT_BY_NAME || (jit != JIT_NOT && !is_file)) {
		count(&looking->executable[jit], layout, vma);
		return;
	}
	if (is_file && backing && backing->status == SEGMAP_STATUS_UNREADABLE) {
		verdict.severity = SEGMAP_SEVERITY_INFO;
		verdict.benign = "it is a library that may not be read";
	} else if (is_file) {
		verdict.benign =
			"a file of another format with code in it (PE of Wine or .NET), or one "
			"mapped with more rights than it needs";
	}
	finding = audit_add(auditing, &verdict,
			    is_file ? "a file is executable that is no loaded ELF object" :
				      "memory without a file is executable, and no known compiler "
				      "is in the process");
	audit_expect(auditing, finding, "code of a loaded file");
	audit_actual(auditing, finding, "%s",
		     layout->vmas[vma].name[0] ? layout->vmas[vma].name : "anonymous memory");
}

/*
 * Code of a file that whoever asks had the right to read, and could not: nothing says that it is
 * the file's. Whoever made the file unreadable can have changed the code, too.
 */
static void add_hidden_code(struct auditing *auditing, size_t vma)
{
	const struct segmap_annotation *annotation = &auditing->layout->annotations[vma];
	const struct verdict verdict = {
		.id = SEGMAP_FINDING_FILE_EXECUTABLE,
		.severity = SEGMAP_SEVERITY_MEDIUM,
		.confidence = SEGMAP_CONFIDENCE_CERTAIN,
		.vma = (int64_t)vma,
		.image = annotation->image,
		.benign = "its file system or its disk has failed, or keeps the file from root",
	};
	struct segmap_finding *finding = audit_add(
		auditing, &verdict, "a file is executable that can be compared with nothing");

	audit_expect(auditing, finding, "a file that can be opened");
	audit_actual(auditing, finding, "%s",
		     auditing->layout->backings[annotation->backing].error->why);
}

/* Whether @vma is of a file of this machine that could not be opened, and not for want of a right. */
static bool is_hidden(const struct segmap_layout *layout, size_t vma)
{
	int32_t index = layout->annotations[vma].backing;
	const struct segmap_backing *backing = index < 0 ? NULL : &layout->backings[index];

	return layout->source == SEGMAP_SOURCE_PROCESS && backing && backing->error &&
	       (backing->error->code == SEGMAP_ERROR_SYSTEM ||
		backing->error->code == SEGMAP_ERROR_LIMIT) &&
	       (backing->status == SEGMAP_STATUS_UNREADABLE ||
		backing->opened == SEGMAP_OPENED_MEMORY);
}

/* Whether code is to be there: the kernel's own, or what is looked at elsewhere. */
static bool is_known_code(const struct segmap_layout *layout, size_t vma)
{
	enum segmap_kind kind = layout->annotations[vma].kind;

	return layout->annotations[vma].image >= 0 || kind == SEGMAP_KIND_VDSO ||
	       kind == SEGMAP_KIND_VVAR || kind == SEGMAP_KIND_VSYSCALL ||
	       (kind == SEGMAP_KIND_OTHER && layout->vmas[vma].name[0] == '[');
}

static void look_at_code(struct looking *looking, size_t vma)
{
	const struct segmap_layout *layout = looking->auditing->layout;
	int prot = layout->vmas[vma].prot;
	bool drifts = look_for_drift(looking->auditing, vma), is_known;
	enum jit jit;

	if (!(prot & PROT_EXEC) || layout->read_implies_exec)
		return;
	is_known = is_known_code(layout, vma) ||
		   looking->displaced[vma] >= segmap_vma_size(&layout->vmas[vma]);
	jit = is_known ? JIT_NOT : jit_of(looking, vma);
	if (is_stack(layout, vma))
		add_stack(looking->auditing, vma);
	else if (prot & PROT_WRITE && !drifts)
		add_writable(looking, vma, jit);
	else if (is_hidden(layout, vma))
		add_hidden_code(looking->auditing, vma);
	else if (!is_known)
		add_foreign_code(looking, vma, jit);
}

/* What lies there instead of the pages that should. */
static const char *words_of_displaced(const struct segmap_layout *layout,
				      const struct segmap_displaced *displaced)
{
	const struct segmap_annotation *annotation = &layout->annotations[displaced->vma];

	if (is_anonymous(&layout->vmas[displaced->vma]))
		return "anonymous pages instead of the file's";
	if (annotation->kind == SEGMAP_KIND_SHM || annotation->kind == SEGMAP_KIND_ANON)
		return "memory of no file instead of the file's pages";
	return annotation->backing == layout->images[displaced->image].backing ?
		       "pages from elsewhere in the file" :
		       "pages of another file";
}

/* A name for @vma's pages from @addr on: a file and the offset in it. */
static void name_pages(struct auditing *auditing, struct segmap_finding *finding,
		       const struct segmap_displaced *displaced)
{
	const struct segmap_layout *layout = auditing->layout;
	const struct segmap_vma *vma = &layout->vmas[displaced->vma];
	const struct segmap_image *image = &layout->images[displaced->image];
	const struct segmap_segment *segment = &image->elf->segments[displaced->segment];

	audit_expect(auditing, finding, "%s from 0x%jx",
		     segmap_layout_image_path(layout, displaced->image),
		     (uintmax_t)(image->elf->elf_off +
				 segmap_off(segment, segmap_vaddr(displaced->start, image->bias))));
	if (is_anonymous(vma))
		audit_actual(auditing, finding, "anonymous pages");
	else
		audit_actual(auditing, finding, "%s from 0x%jx",
			     vma->name[0] ? vma->name : "memory",
			     (uintmax_t)(vma->off + (displaced->start - vma->start)));
}

/* Code or constants that are not on the pages of their file. */
static void look_at_displaced(struct auditing *auditing, const struct segmap_displaced *displaced)
{
	const struct segmap_layout *layout = auditing->layout;
	const struct segmap_vma *vma = &layout->vmas[displaced->vma];
	const struct segmap_elf *elf = layout->images[displaced->image].elf;
	bool is_code = elf->segments[displaced->segment].prot & PROT_EXEC;
	bool looked = auditing->evidence && auditing->evidence->compared;
	bool compared = looked && !displaced->n_unknown, same = compared && !displaced->n_differing;
	struct verdict verdict = {
		.id = SEGMAP_FINDING_TEXT_ANONYMOUS,
		.severity = same ? SEGMAP_SEVERITY_INFO : SEGMAP_SEVERITY_MEDIUM,
		.confidence = compared ? SEGMAP_CONFIDENCE_CERTAIN : SEGMAP_CONFIDENCE_POSSIBLE,
		.vma = displaced->vma,
		.image = displaced->image,
		.start = displaced->start,
		.end = displaced->end,
		.benign = "the program has moved itself to huge pages, as node does, or was packed",
	};
	char how[64] = "";

	/* Without any right it can be neither run nor read: a guard. */
	if (vma->unknown_prot || !vma->prot)
		return;
	if (same)
		snprintf(how, sizeof(how), "; byte by byte %s the file's", is_code ? "it is" : "they are");
	else if (displaced->n_differing)
		snprintf(how, sizeof(how), "; not all of it is the file's");
	else if (looked)
		snprintf(how, sizeof(how), "; %ju page%s could not be compared with the file",
			 (uintmax_t)displaced->n_unknown, displaced->n_unknown == 1 ? "" : "s");
	/* Of anonymous pages each place that differs is a finding of its own. */
	if (displaced->n_differing && !is_anonymous(vma)) {
		verdict.id = is_code ? SEGMAP_FINDING_TEXT_MODIFIED : SEGMAP_FINDING_RODATA_MODIFIED;
		verdict.severity = is_code ? SEGMAP_SEVERITY_HIGH : SEGMAP_SEVERITY_MEDIUM;
		verdict.confidence = SEGMAP_CONFIDENCE_CERTAIN;
		verdict.benign = "the program replaces parts of its own files on purpose";
	}
	name_pages(auditing,
		   audit_add(auditing, &verdict, "%s on %s%s", is_code ? "code is" : "constants are",
			     words_of_displaced(layout, displaced), how),
		   displaced);
}

static const char *words_of_jit(const struct looking *looking, enum jit jit)
{
	switch (jit) {
	case JIT_BY_NAME:
		return "the name that it has given to the memory";
	case JIT_BY_MAP:
		return "its own list in /tmp/perf-PID.map";
	default:
		return audit_image_name(looking->auditing->layout,
					jit == JIT_BY_ENGINE ? looking->engine : looking->library);
	}
}

static void add_generated(struct looking *looking, const struct generated *generated, enum jit jit,
			  bool writable)
{
	struct auditing *auditing = looking->auditing;
	struct verdict verdict = {
		.id = writable ? SEGMAP_FINDING_WX_VMA : SEGMAP_FINDING_ANON_EXECUTABLE,
		.severity = writable || jit == JIT_BY_LIBRARY ? SEGMAP_SEVERITY_LOW :
								SEGMAP_SEVERITY_INFO,
		.confidence = jit == JIT_BY_LIBRARY ? SEGMAP_CONFIDENCE_POSSIBLE :
			      jit == JIT_BY_ENGINE  ? SEGMAP_CONFIDENCE_LIKELY :
						      SEGMAP_CONFIDENCE_CERTAIN,
		.vma = generated->first,
		.image = -1,
		.benign =
			writable ?
				"its compiler writes code while it runs; some do so without taking "
				"either right away" :
				"its compiler writes code while it runs",
	};
	struct segmap_finding *finding;
	char perms[5];

	if (!generated->n)
		return;
	segmap_vma_perms_format(&auditing->layout->vmas[generated->first], perms);
	finding = audit_add(auditing, &verdict,
			    "generated code, by %s: %zu VMA%s, %ju KiB; this is the first",
			    words_of_jit(looking, jit), generated->n, generated->n == 1 ? "" : "s",
			    (uintmax_t)(generated->bytes / 1024));
	audit_expect(auditing, finding, writable ? "not both w and x" : "code of a loaded file");
	audit_actual(auditing, finding, "%s", perms);
}

/* The personality of old programs: what can be read can be executed. */
static void look_at_personality(struct auditing *auditing)
{
	const struct segmap_layout *layout = auditing->layout;
	struct verdict verdict = {
		.id = SEGMAP_FINDING_READ_IMPLIES_EXEC,
		.severity = SEGMAP_SEVERITY_MEDIUM,
		.confidence = SEGMAP_CONFIDENCE_CERTAIN,
		.vma = -1,
		.image = -1,
		.benign = "an old 32-bit program, or one of which an assembler file lacks its "
			  ".note.GNU-stack",
	};
	struct segmap_finding *finding;
	size_t n = 0;
	bool implied;

	if (!layout->read_implies_exec)
		return;
	for (size_t i = 0; i < layout->n_vmas; i++)
		n += (layout->vmas[i].prot & (PROT_WRITE | PROT_EXEC)) == (PROT_WRITE | PROT_EXEC);
	verdict.image = who_asks(layout, &implied);
	finding =
		audit_add(auditing, &verdict,
			  "all memory that can be read can be executed (READ_IMPLIES_EXEC), stack "
			  "and heap too%s",
			  implied && verdict.image >= 0 ? ": it has no PT_GNU_STACK" : "");
	audit_expect(auditing, finding, "x for code alone");
	audit_actual(auditing, finding, "%zu VMAs with both w and x", n);
}

void audit_memory(struct auditing *auditing)
{
	const struct segmap_layout *layout = auditing->layout;
	struct looking looking = {
		.auditing = auditing,
		.engine = find_maker(layout, &engines),
		.library = find_maker(layout, &libraries),
	};
	scope_free uint64_t *displaced = calloc(layout->n_vmas + 1, sizeof(*displaced));

	if (!displaced) {
		auditing->failed = true;
		return;
	}
	for (size_t i = 0; i < layout->n_displaced; i++)
		displaced[layout->displaced[i].vma] +=
			layout->displaced[i].end - layout->displaced[i].start;
	looking.displaced = displaced;
	look_at_personality(auditing);
	for (size_t i = 0; i < layout->n_vmas; i++) {
		if (!layout->vmas[i].unknown_prot)
			look_at_code(&looking, i);
	}
	for (size_t i = 0; i < layout->n_displaced; i++)
		look_at_displaced(auditing, &layout->displaced[i]);
	for (enum jit jit = JIT_BY_NAME; jit < N_JITS; jit++) {
		add_generated(&looking, &looking.executable[jit], jit, false);
		add_generated(&looking, &looking.writable[jit], jit, true);
	}
}
