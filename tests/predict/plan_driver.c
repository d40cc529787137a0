/*
 * tests/predict/plan_driver.c - the plan of a program, as text.
 *
 *     plan-driver [--library] [--no-deps] [--foreign] [--repeat=N] [--env=NAME=VALUE...] PROGRAM...
 *     plan-driver --world [PATH...]
 *
 * With several programs each begins with a line "program PATH". Lines: "libc glibc
 * 36", flags that are set by name, then for each object "object INDEX NEEDED_BY NAME
 * PATH: FOUND", "missing NEEDED_BY NAME: WHY", "note TEXT", "refused TEXT". --repeat
 * makes the plan N times and prints the CPU time of one in microseconds, with
 * everything opened anew. The plan's environment is what --env says and nothing else.
 */
#include "predict/plan.h"
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void check(struct segmap_error *error)
{
	if (error)
		errx(1, "%s: %s", error->what, error->why);
}

static void print_plan(const struct plan *plan, int interp_errnum)
{
	static const char *const libcs[] = { "static", "glibc", "musl", "unknown" };

	printf("libc %s %u\n", libcs[plan->libc], plan->glibc_minor);
	if (interp_errnum)
		printf("interp %s\n", strerror(interp_errnum));
	printf("%s%s%s%s", plan->interpreter_is_needed ? "interpreter-is-needed\n" : "",
	       plan->bind_now ? "bind-now\n" : "", plan->secure ? "secure\n" : "",
	       plan->stack_needs_exec ? "stack-needs-exec\n" : "");
	for (size_t i = 0; i < plan->n_objects; i++) {
		const struct plan_object *object = &plan->objects[i];

		printf("object %zu %" PRId32 "%s %s %s: %s\n", i, object->needed_by,
		       object->preloaded ? " preloaded" : "", object->name, object->file.path,
		       object->found ? object->found : "-");
	}
	for (size_t i = 0; i < plan->n_missing; i++)
		printf("missing %" PRId32 " %s: %s\n", plan->missing[i].needed_by,
		       plan->missing[i].name, plan->missing[i].why);
	for (size_t i = 0; i < plan->n_notes; i++)
		printf("note %s\n", plan->notes[i]);
	if (plan->refused)
		printf("refused %s\n", plan->refused);
}

/* What the world says of this machine, and of the files at @paths, a line each. */
static void print_world(char **paths)
{
	struct segmap_files *files;
	struct segmap_world *world;

	check(segmap_files_new((uint64_t)sysconf(_SC_PAGESIZE),
			       SEGMAP_WANT_SONAME | SEGMAP_WANT_LINKING, &files));
	check(segmap_world_new(files, &world));
	printf("machine %u\nkernel %u.%u\npage-size %" PRIu64 "\nrandomizes %d\npkeys %d\n",
	       world->machine, world->kernel_major, world->kernel_minor, world->page_size,
	       world->randomizes, world->pkeys);
	printf("platform %s\ndirectory %s\nvdso %s\n", world->platform ? world->platform : "-",
	       world->directory, world->vdso ? world->vdso->soname : "-");
	for (size_t i = 0; world->hwcaps[i]; i++)
		printf("hwcap %s\n", world->hwcaps[i]);
	for (size_t i = 0; i < world->n_areas; i++)
		printf("area %s %" PRIu64 " %" PRIx64 " %d\n", world->areas[i].name,
		       world->areas[i].size, world->areas[i].start, world->areas[i].prot);
	for (; *paths; paths++) {
		struct segmap_world_file file = { 0 };
		int as_file = world->open(world->context, *paths, &file);
		int as_program = world->open_program(world->context, *paths, &file);

		printf("file %d %d %s %s\n", as_file, as_program,
		       file.secure ? "secure" : "-", file.path ? file.path : "-");
	}
	segmap_world_free(world);
	segmap_files_free(files);
}

enum { MAX_VARIABLES = 16 };

/* What the programs are planned with. */
struct request {
	struct plan_options options;
	const char *environment[MAX_VARIABLES + 1];
};

static void make(const char *path, const struct request *request, bool print)
{
	const struct plan_options *options = &request->options;
	struct segmap_files *files;
	struct segmap_world *world;
	struct segmap_world_file program;
	struct plan plan = { 0 };
	int errnum, interp_errnum;

	check(segmap_files_new((uint64_t)sysconf(_SC_PAGESIZE),
			       SEGMAP_WANT_SONAME | SEGMAP_WANT_LINKING, &files));
	check(segmap_world_new(files, &world));
	world->environment = request->environment;
	errnum = options->is_library || options->foreign ?
			 world->open(world->context, path, &program) :
			 world->open_program(world->context, path, &program);
	if (errnum)
		errx(3, "%s: %s", path, strerror(errnum));
	if (!program.elf)
		errx(3, "%s: no ELF file", path);
	check(plan_make(world, options, &program, &interp_errnum, &plan));
	if (print)
		print_plan(&plan, interp_errnum);
	plan_free(&plan);
	segmap_world_free(world);
	segmap_files_free(files);
}

int main(int argc, char **argv)
{
	struct request request = { 0 };
	struct plan_options *options = &request.options;
	size_t n_variables = 0;
	int repeat = 0, i, first;
	clock_t start;

	if (argc > 1 && strcmp(argv[1], "--world") == 0) {
		print_world(argv + 2);
		return 0;
	}
	for (i = 1; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
		if (strcmp(argv[i], "--library") == 0)
			options->is_library = true;
		else if (strcmp(argv[i], "--no-deps") == 0)
			options->no_deps = true;
		else if (strcmp(argv[i], "--foreign") == 0)
			options->foreign = true;
		else if (strncmp(argv[i], "--repeat=", 9) == 0)
			repeat = atoi(argv[i] + 9);
		else if (strncmp(argv[i], "--env=", 6) == 0 && n_variables < MAX_VARIABLES)
			request.environment[n_variables++] = argv[i] + 6;
		else
			errx(2, "%s: unknown option", argv[i]);
	}
	if (i >= argc)
		errx(2, "no program");
	for (first = i; i < argc; i++) {
		if (argc - first > 1)
			printf("program %s\n", argv[i]);
		if (!repeat) {
			make(argv[i], &request, true);
			continue;
		}
		start = clock();
		for (int n = 0; n < repeat; n++)
			make(argv[i], &request, false);
		printf("%.1f\n", (double)(clock() - start) / repeat / CLOCKS_PER_SEC * 1e6);
	}
	return 0;
}
