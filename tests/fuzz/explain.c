/*
 * tests/fuzz/explain.c - a whole file through --explain: planned, replayed, correlated, audited, asked
 * about, and shown in every form, in a world that has nothing but the input's parts.
 *
 * Parts: each file under its path, "program" the one that is explained; and, if they are there,
 * "environment" (a variable a line), "vdso" and "options" (byte 0: the page size, 12 bits and more;
 * byte 1: flags, see below; byte 2: the minor version of Linux 6).
 */
#include "fuzz.h"
#include "read/bytes.h"
#include "read/files.h"
#include "render/json.h"
#include "render/quiz.h"
#include <elf.h>
#include <errno.h>
#include <segmap/predict.h>
#include <segmap/world.h>
#include <string.h>
#include <sys/stat.h>

enum { /* of byte 1 */
	AS_PROGRAM = 1, AS_LIBRARY = 2, NO_DEPS = 4, NO_ASLR = 8, TRACED = 16, SECURE = 32,
	FIXED = 64, BOUNDED = 128,
};
enum { MOST_VARIABLES = 16 };

struct place {
	const uint8_t *data; /* the whole input */
	size_t size;
	struct fuzz_input *input;
	struct segmap_files *files;
	const char *environment[MOST_VARIABLES + 1];
};

static int open_part(void *context, const char *path, struct segmap_world_file *ret)
{
	struct place *place = context;
	struct fuzz_part *part = fuzz_input_find(place->input, path);
	struct segmap_file *file;
	struct stat stat;

	if (!part)
		return ENOENT;
	FUZZ_CHECK(fstat(fuzz_part_file(part), &stat) == 0);
	FUZZ_CHECK(fuzz_ok(files_open(place->files, part->fd, &stat, part->name, &file)));
	FUZZ_CHECK(fuzz_ok(files_parse_start(place->files, file, part->name)));
	*ret = (struct segmap_world_file){
		.file = file,
		.elf = file->n_elfs ? file->elfs[0] : NULL,
		.path = part->name,
		.noexec = strstr(part->name, "noexec"),
	};
	return 0;
}

static int open_program(void *context, const char *path, struct segmap_world_file *ret)
{
	const struct place *place = context;
	int errnum = open_part(context, path, ret);

	ret->secure = fuzz_option(place->input, 1) & SECURE;
	return errnum;
}

static int64_t read_part(void *context, const struct segmap_world_file *file, void *buffer,
			 size_t size, uint64_t off)
{
	(void)context;
	return fd_read(file->file->fd, buffer, size, off);
}

/* A directory is what a file is in. */
static bool is_directory(void *context, const char *path)
{
	const struct place *place = context;
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		length--;
	for (size_t i = 0; i < place->input->n; i++)
		if (length && strncmp(place->input->parts[i].name, path, length) == 0 &&
		    (place->input->parts[i].name[length] == '/' || length == 1))
			return true;
	return false;
}

static void take_environment(struct place *place)
{
	struct fuzz_part *part = fuzz_input_find(place->input, "environment");
	char *rest = part ? (char *)part->bytes : NULL, *variable;
	size_t n = 0;

	while (n < MOST_VARIABLES && (variable = strsep(&rest, "\n")))
		if (strchr(variable, '='))
			place->environment[n++] = variable;
	place->environment[n] = NULL;
}

/* The map at @moment, shown; NULL if the file cannot be explained. */
static struct segmap_layout *explain(const struct segmap_world *world, enum segmap_moment moment)
{
	const struct place *place = world->context;
	unsigned int flags = fuzz_option(place->input, 1);
	struct segmap_predict_options options = {
		.as = flags & AS_PROGRAM ? SEGMAP_AS_PROGRAM :
		      flags & AS_LIBRARY ? SEGMAP_AS_LIBRARY :
					   SEGMAP_AS_IT_IS,
		.no_deps = flags & NO_DEPS, .no_aslr = flags & NO_ASLR, .traced = flags & TRACED,
	};
	struct segmap_layout *layout;

	if (!fuzz_ok(segmap_predict(world, "program", &options, moment, &layout)))
		return NULL;
	FUZZ_CHECK(layout->prediction && layout->prediction->n_images == layout->n_images);
	FUZZ_CHECK(fuzz_ok(segmap_layout_correlate(layout)));
	fuzz_check_layout(layout);
	fuzz_render(layout, place->data, place->size);
	return layout;
}

static void write_quiz(const void *context, FILE *file)
{
	static const struct style style = { .wrap = 80 };
	const struct quiz *quiz = context;

	FUZZ_CHECK(fuzz_ok(render_quiz_head(quiz, &style, file)));
	for (size_t i = 0; i < quiz->n_questions; i++) {
		const struct question *question = &quiz->questions[i];
		struct segmap_text key = { 0 };

		FUZZ_CHECK(fuzz_ok(render_question(quiz, i, &style, file)));
		FUZZ_CHECK(fuzz_ok(render_question_key(question, i % 2, &style, file)));
		say_key(&key, question);
		segmap_text_append_char(&key, '\0');
		FUZZ_CHECK(!key.failed && question_is_right(question, key.bytes));
		segmap_text_free(&key);
	}
	FUZZ_CHECK(fuzz_ok(render_quiz_json(quiz, file)));
}

/* Questions about it, whose own answers are right. */
static void quiz_about(const struct segmap_layout *exec, const struct segmap_layout *entry,
		       uint32_t seed)
{
	struct quiz quiz;

	if (exec->prediction->outcome.reason || entry->prediction->outcome.reason)
		return;
	FUZZ_CHECK(fuzz_ok(quiz_make(exec, entry, seed, &quiz)));
	fuzz_write(write_quiz, &quiz);
	quiz_free(&quiz);
}

/* At both moments. */
static void explain_all(const struct segmap_world *world)
{
	const struct place *place = world->context;
	struct segmap_layout *exec = explain(world, SEGMAP_MOMENT_EXEC);
	struct segmap_layout *entry = explain(world, SEGMAP_MOMENT_ENTRY);

	if (exec && entry)
		quiz_about(exec, entry, (uint32_t)place->size);
	if (entry)
		fuzz_audit(entry);
	segmap_layout_free(exec);
	segmap_layout_free(entry);
}

static void explain_in(struct place *place)
{
	static const char *const hwcaps[] = { "x86-64-v3", "x86-64-v2", NULL };
	static const char *const legacy[] = { "x86_64", NULL };
	const struct fuzz_part *vdso = fuzz_input_find(place->input, "vdso");
	unsigned int flags = fuzz_option(place->input, 1);
	struct segmap_world world = {
		.context = place, .open = open_part, .open_program = open_program,
		.read = read_part, .is_directory = is_directory,
		.environment = place->environment, .directory = "/work", .hwcaps = hwcaps,
		.legacy_hwcaps = legacy, .platform = "haswell",
		.page_size = UINT64_C(4096) << fuzz_option(place->input, 0) % 5,
		.machine = EM_X86_64, .kernel_major = 6,
		.kernel_minor = fuzz_option(place->input, 2), .pkeys = true,
		.randomizes = !(flags & FIXED), .min_addr = 65536,
		.commit = flags & BOUNDED ? UINT64_C(1) << 34 : 0,
		.max_vmas = flags & BOUNDED ? 1000 : 65530,
		.stack_limit = flags & BOUNDED ? UINT64_MAX : 8 << 20,
		.areas = { { "[vvar]", 16384, 0, 1 }, { "[vdso]", 8192, 0, 5 },
			   { "[vsyscall]", 4096, 0xffffffffff600000, 4 } },
		.n_areas = 3,
	};
	struct segmap_elf *elf = NULL;

	take_environment(place);
	FUZZ_CHECK(fuzz_ok(segmap_files_new(world.page_size,
					    SEGMAP_WANT_SONAME | SEGMAP_WANT_LINKING,
					    &place->files)));
	if (vdso)
		FUZZ_CHECK(fuzz_ok(files_parse_vdso(place->files, vdso->bytes, vdso->size, &elf)));
	world.vdso = elf;
	explain_all(&world);
	segmap_elf_free(elf);
	segmap_files_free(place->files);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input;
	struct place place = { .data = data, .size = size, .input = &input };

	fuzz_input_take(data, size, &input);
	explain_in(&place);
	fuzz_input_free(&input);
	return 0;
}
