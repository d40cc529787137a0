/*
 * tests/fuzz/correlate.c - a whole map: its text and the files that it speaks of, through parsing,
 * correlation, accounting and an audit to every form of output.
 *
 * Parts: "maps", the text of maps or smaps; each file under its path; and, if they are there, "options"
 * (byte 0: the page size, 12 bits and more; byte 1: flags, see below), "comm", "command", "vdso", "pages"
 * (four bytes each: pages that are absent, pages of one nature, flags, how many share them), "at"
 * (questions, one a line), "memory" (for an audit: an address of eight bytes, a size of four, what is
 * there, and so on) and "then" (the text of the same process's maps later on).
 */
#include "cli/at.h"
#include "fuzz.h"
#include "read/files.h"
#include "render/watch.h"
#include <segmap/audit.h>
#include <segmap/process.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OF_A_PROCESS = 1, AUDITED = 2 }; /* of byte 1 */

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

/* Read all but the files of the map in part @name; false where it is refused. */
static bool take_map(struct fuzz_input *input, const char *name, struct segmap_layout *layout)
{
	const struct fuzz_part *maps = fuzz_input_find(input, name);
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
		FUZZ_CHECK(fuzz_ok(questions_answer(&questions, layout, fuzz_empty_directory(),
						    &n_missed)));
		FUZZ_CHECK(n_missed <= layout->n_answers);
		fuzz_render(layout, data, size);
	}
	fclose(file);
	questions_free(&questions);
}

/* ---- audits ---- */

/* The number of @size bytes at @bytes, in little-endian order. */
static uint64_t number_at(const uint8_t *bytes, size_t size)
{
	uint64_t number = 0;

	for (size_t i = 0; i < size; i++)
		number |= (uint64_t)bytes[i] << 8 * i;
	return number;
}

/* Say in the page map that [@start, @end) is private and in memory. */
static void map_pages(int pagemap, uint64_t start, uint64_t end, uint64_t page_size)
{
	static const uint64_t present = UINT64_C(1) << 63;

	for (uint64_t page = start / page_size; page * page_size < end; page++)
		FUZZ_CHECK(pwrite(pagemap, &present, sizeof(present),
				  (off_t)(page * sizeof(present))) == sizeof(present));
}

/* Memory and page map as of /proc/PID, in files that are mostly holes. */
static void take_memory(struct fuzz_input *input, struct segmap_layout *layout)
{
	enum { HEAD = 12, LONGEST = 65536 };
	const uint64_t highest = UINT64_C(1) << 47;
	const struct fuzz_part *part = fuzz_input_find(input, "memory");
	struct segmap_evidence *evidence = calloc(1, sizeof(*evidence));
	size_t used = 0;

	FUZZ_CHECK(evidence);
	layout->evidence = evidence;
	evidence->mem = fuzz_file("", 0);
	evidence->pagemap = fuzz_file("", 0);
	evidence->maps = evidence->listing = -1;
	while (part && part->size - used > HEAD) {
		uint64_t start = number_at(part->bytes + used, 8) % highest;
		size_t size = number_at(part->bytes + used + 8, 4) % LONGEST;

		used += HEAD;
		if (size > part->size - used)
			size = part->size - used;
		FUZZ_CHECK(pwrite(evidence->mem, part->bytes + used, size, (off_t)start) ==
			   (ssize_t)size);
		map_pages(evidence->pagemap, start, start + size, layout->page_size);
		used += size;
	}
}

static void audit(struct fuzz_input *input, struct segmap_layout *layout)
{
	if (layout->source == SEGMAP_SOURCE_PROCESS) {
		take_memory(input, layout);
		FUZZ_CHECK(fuzz_ok(segmap_layout_gather(layout)));
	}
	fuzz_audit(layout);
}

/* ---- all ---- */

/* Step two, for the map that was taken. */
static void correlate(struct fuzz_input *input, struct segmap_files *files,
		      struct segmap_layout *layout)
{
	for (size_t i = 0; i < layout->n_backings; i++)
		open_backing(input, files, &layout->backings[i]);
	FUZZ_CHECK(fuzz_ok(segmap_files_parse(files, layout)));
	FUZZ_CHECK(fuzz_ok(segmap_layout_correlate(layout)));
	fuzz_check_layout(layout);
}

struct followed {
	const struct segmap_layout *before, *after;
};

static void write_followed(const void *context, FILE *file)
{
	static const struct style style = { .wrap = 80 };
	static const struct range everywhere = { .high = UINT64_MAX };
	const struct followed *followed = context;
	const struct segmap_followed *changes = followed->after->followed;
	struct segmap_text text = { 0 };

	FUZZ_CHECK(append_followed(&text, followed->before, followed->after, &everywhere, &style) ==
		   changes->n_stretches);
	FUZZ_CHECK(!text.failed);
	if (text.size)
		fwrite(text.bytes, 1, text.size, file);
	segmap_text_free(&text);
}

/* What has become of it later on. */
static void follow(struct fuzz_input *input, struct segmap_files *files,
		   const struct segmap_layout *before, const uint8_t *data, size_t size)
{
	struct segmap_layout *after;

	FUZZ_CHECK(fuzz_ok(segmap_layout_new(&after)));
	if (take_map(input, "then", after)) {
		correlate(input, files, after);
		FUZZ_CHECK(fuzz_ok(segmap_layout_follow(before, after, &after->followed)));
		FUZZ_CHECK(after->followed->n_marked <= after->n_vmas);
		FUZZ_CHECK(after->followed->n_marked <= after->followed->n_stretches);
		fuzz_render(after, data, size);
		fuzz_write(write_followed, &(struct followed){ before, after });
	}
	segmap_layout_free(after);
}

static void show(struct fuzz_input *input, struct segmap_files *files, struct segmap_layout *layout,
		 const uint8_t *data, size_t size)
{
	correlate(input, files, layout);
	take_pages(input, layout);
	check_account(layout);
	fuzz_render(layout, data, size);
	follow(input, files, layout, data, size);
	if (fuzz_option(input, 1) & AUDITED)
		audit(input, layout);
	ask(input, layout, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct segmap_layout *layout;
	struct segmap_files *files;
	struct fuzz_input input;

	fuzz_input_take(data, size, &input);
	FUZZ_CHECK(fuzz_ok(segmap_files_new(4096, SEGMAP_WANT_SONAME | SEGMAP_WANT_LINKING,
					    &files)));
	FUZZ_CHECK(fuzz_ok(segmap_layout_new(&layout)));
	if (take_map(&input, "maps", layout))
		show(&input, files, layout, data, size);
	segmap_layout_free(layout);
	segmap_files_free(files);
	fuzz_input_free(&input);
	return 0;
}
