/*
 * tests/fuzz/correlate.c - a whole map: its text and the files that it speaks of, through parsing,
 * correlation and accounting to every form of output.
 *
 * Parts: "maps", the text of maps or smaps; each file under its path; and, if they are there, "options"
 * (byte 0: the page size, 12 bits and more; bit 0 of byte 1: of a process, not saved), "comm", "command",
 * "vdso", "pages" (four bytes each: pages that are absent, pages of one nature, flags, how many share
 * them) and "at" (questions, one a line).
 */
#include "cli/at.h"
#include "fuzz.h"
#include "read/files.h"
#include <segmap/process.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { OF_A_PROCESS = 1 };

static void open_backing(struct fuzz_input *input, struct segmap_files *files,
			 struct segmap_backing *backing)
{
	struct fuzz_part *part = fuzz_input_find(input, backing->path);
	struct stat stat;

	if (!part) {
		backing->status = SEGMAP_STATUS_UNREADABLE;
		backing->error = segmap_error_new(SEGMAP_ERROR_SYSTEM, backing->path,
						  "it is not there");
		return;
	}
	FUZZ_CHECK(fstat(fuzz_part_file(part), &stat) == 0);
	FUZZ_CHECK(fuzz_ok(files_open(files, part->fd, &stat, backing->path, &backing->file)));
	backing->opened = SEGMAP_OPENED_PATH;
}

static void take_names(struct fuzz_input *input, struct segmap_layout *layout)
{
	const struct fuzz_part *comm = fuzz_input_find(input, "comm");
	const struct fuzz_part *command = fuzz_input_find(input, "command");
	const struct fuzz_part *vdso = fuzz_input_find(input, "vdso");

	layout->target = strdup("map");
	if (comm)
		layout->comm = strndup((const char *)comm->bytes, comm->size);
	if (command && command->size) {
		layout->command = malloc(command->size + 1);
		memcpy(layout->command, command->bytes, command->size + 1);
		layout->command_size = command->size;
	}
	if (vdso && vdso->size) {
		layout->vdso_bytes = malloc(vdso->size);
		memcpy(layout->vdso_bytes, vdso->bytes, vdso->size);
		layout->vdso_size = vdso->size;
	}
}

/* Read all but the files; false where the map is refused. */
static bool take_map(struct fuzz_input *input, struct segmap_layout *layout)
{
	const struct fuzz_part *maps = fuzz_input_find(input, "maps");
	bool is_process = fuzz_option(input, 1) & OF_A_PROCESS;
	size_t taken;

	layout->source = is_process ? SEGMAP_SOURCE_PROCESS : SEGMAP_SOURCE_MAPS;
	if (is_process || fuzz_option(input, 0))
		layout->page_size = UINT64_C(4096) << fuzz_option(input, 0) % 5;
	take_names(input, layout);
	return maps && fuzz_ok(segmap_layout_parse_maps(layout, "maps", (char *)maps->bytes, maps->size,
							true, &taken)) && layout->n_vmas;
}

/* Pages as the kernel's page map has them: ascending runs inside VMAs. */
static void take_pages(struct fuzz_input *input, struct segmap_layout *layout)
{
	const struct fuzz_part *part = fuzz_input_find(input, "pages");
	struct segmap_pages *pages = layout->memory ? &layout->memory->pages : NULL;
	uint64_t size = layout->page_size;
	size_t used = 0;

	if (!part || !pages)
		return;
	pages->known = true;
	pages->runs = calloc(part->size / 4 + 1, sizeof(*pages->runs));
	FUZZ_CHECK(pages->runs);
	for (size_t i = 0; i < layout->n_vmas && part->size - used >= 4; i++) {
		uint64_t at = layout->vmas[i].start;

		for (; part->size - used >= 4; used += 4) {
			const uint8_t *four = part->bytes + used;
			uint64_t start = at + four[0] * size, end = start + (four[1] + 1U) * size;

			if (end > layout->vmas[i].end || end < start)
				break;
			pages->runs[pages->n_runs++] = (struct segmap_page_run){
				.start = start, .n_pages = four[1] + 1U, .flags = four[2] & 31,
				.sharers = four[3],
			};
			at = end;
		}
	}
	FUZZ_CHECK(fuzz_ok(segmap_layout_account(layout)));
}

/* Pieces cannot have more than there is. */
static void check_account(const struct segmap_layout *layout)
{
	const struct segmap_piece_memory *pieces = layout->memory ? layout->memory->pieces : NULL;

	for (size_t i = 0; pieces && i < layout->n_pieces; i++) {
		uint64_t size = layout->pieces[i].end - layout->pieces[i].start;

		FUZZ_CHECK(pieces[i].rss <= size && pieces[i].swap <= size);
		FUZZ_CHECK(pieces[i].anonymous <= pieces[i].rss);
	}
}

static void ask(struct fuzz_input *input, struct segmap_layout *layout, const uint8_t *data, size_t size)
{
	const struct fuzz_part *part = fuzz_input_find(input, "at");
	struct questions questions = { 0 };
	size_t n_missed;
	FILE *file;

	if (!part || !part->size)
		return;
	file = fmemopen(part->bytes, part->size, "r");
	FUZZ_CHECK(file);
	if (fuzz_ok(questions_add(&questions, "-", file)) && questions.n) {
		FUZZ_CHECK(fuzz_ok(questions_answer(&questions, layout, NULL,
						    fuzz_empty_directory(), &n_missed)));
		FUZZ_CHECK(n_missed <= layout->n_answers);
		fuzz_render(layout, data, size);
	}
	fclose(file);
	questions_free(&questions);
}

/* Step two and all behind it. */
static void show(struct fuzz_input *input, struct segmap_files *files, struct segmap_layout *layout,
		 const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < layout->n_backings; i++)
		open_backing(input, files, &layout->backings[i]);
	FUZZ_CHECK(fuzz_ok(segmap_files_parse(files, layout)));
	FUZZ_CHECK(fuzz_ok(segmap_layout_correlate(layout)));
	fuzz_check_layout(layout);
	take_pages(input, layout);
	check_account(layout);
	fuzz_render(layout, data, size);
	ask(input, layout, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct segmap_layout *layout;
	struct segmap_files *files;
	struct fuzz_input input;

	fuzz_input_take(data, size, &input);
	FUZZ_CHECK(fuzz_ok(segmap_files_new(4096, SEGMAP_WANT_SONAME, &files)));
	FUZZ_CHECK(fuzz_ok(segmap_layout_new(&layout)));
	if (take_map(&input, layout))
		show(&input, files, layout, data, size);
	segmap_layout_free(layout);
	segmap_files_free(files);
	fuzz_input_free(&input);
	return 0;
}
