/* src/correlate/census.c - what the memory of many processes is made of. */
#include <segmap/census.h>
#include "base/idmap.h"
#include "base/scope.h"
#include "correlate/summary.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NO_FILE = UINT32_MAX };

/* A file that some process has mapped. */
struct counted {
	char *path; /* owned */
	enum segmap_status status; /* deleted or replaced in some process; else ok */
	uint32_t next; /* another file of this device and inode, by another path; NO_FILE: none */
};

/* Rows while processes are added; a row's path is settled at the end, since it is of a file. */
struct segmap_counting {
	struct idmap by_id; /* (device, inode) to the first such file */
	struct counted *files;
	size_t n_files, cap_files;
	struct idmap rows; /* (group, class) to row */
	struct idmap notes; /* (two hashes) to note */
	size_t cap_rows, cap_stale, cap_notes;
};

struct segmap_error *segmap_census_new(struct segmap_census **ret)
{
	struct segmap_census *census = calloc(1, sizeof(*census));

	if (!census || !(census->counting = calloc(1, sizeof(*census->counting)))) {
		free(census);
		return segmap_error_no_memory();
	}
	*ret = census;
	return NULL;
}

void segmap_census_free(struct segmap_census *census)
{
	struct segmap_counting *counting = census ? census->counting : NULL;

	if (!census)
		return;
	for (size_t i = 0; i < counting->n_files; i++)
		free(counting->files[i].path);
	free(counting->files);
	idmap_free(&counting->by_id);
	idmap_free(&counting->rows);
	idmap_free(&counting->notes);
	free(counting);
	for (size_t i = 0; i < census->n_notes; i++)
		free(census->notes[i]);
	free(census->notes);
	free(census->stale);
	segmap_summary_free(&census->summary);
	free(census);
}

/* The file of this device, inode and path; NO_FILE if there is no memory. */
static uint32_t find_file(struct segmap_counting *counting, uint64_t dev, uint64_t ino,
			  const char *path)
{
	uint32_t fresh = (uint32_t)counting->n_files, found = NO_FILE, added;
	char *copy;

	for (bool any = idmap_find(&counting->by_id, dev, ino, &found); any;
	     found = counting->files[found].next) {
		if (strcmp(counting->files[found].path, path) == 0)
			return found;
		if (counting->files[found].next == NO_FILE)
			break;
	}
	if (!grow(&counting->files, &counting->cap_files, fresh, sizeof(*counting->files)))
		return NO_FILE;
	copy = strdup(path);
	if (!copy || (found == NO_FILE &&
		      !idmap_find_or_add(&counting->by_id, dev, ino, fresh, &added))) {
		free(copy);
		return NO_FILE;
	}
	counting->files[fresh] = (struct counted){ copy, SEGMAP_STATUS_OK, NO_FILE };
	if (found != NO_FILE)
		counting->files[found].next = fresh;
	counting->n_files++;
	return fresh;
}

static uint32_t find_backing(struct segmap_counting *counting, const struct segmap_backing *backing)
{
	return find_file(counting, (uint64_t)backing->dev_major << 32 | backing->dev_minor,
			 backing->ino, backing->path);
}

/* Inode 0 is no file's: the vdso of a process is the same as any other's. */
static uint32_t file_of_row(struct segmap_counting *counting, const struct segmap_layout *layout,
			    const struct segmap_summary_row *row)
{
	int32_t backing = layout->images[row->image].backing;

	return backing < 0 ? find_file(counting, 0, 0, row->path) :
			     find_backing(counting, &layout->backings[backing]);
}

/* The row of the census that @row of one process is part of; a fresh one is of no process yet. */
static bool find_row(struct segmap_census *census, const struct segmap_layout *layout,
		     const struct segmap_summary_row *row, uint32_t *ret)
{
	struct segmap_counting *counting = census->counting;
	struct segmap_summary *summary = &census->summary;
	struct segmap_summary_row fresh = { .image = -1, .kind = row->kind, .class = row->class };
	uint32_t file;

	fresh.group = (uint64_t)row->kind;
	if (row->path) {
		file = file_of_row(counting, layout, row);
		if (file == NO_FILE)
			return false;
		fresh.group = SUMMARY_FIRST_BACKING + file;
	}
	if (!grow(&summary->rows, &counting->cap_rows, summary->n_rows, sizeof(fresh)) ||
	    !idmap_find_or_add(&counting->rows, fresh.group, fresh.class,
			       (uint32_t)summary->n_rows, ret))
		return false;
	if (*ret == summary->n_rows)
		summary->rows[summary->n_rows++] = fresh;
	return true;
}

static bool add_stale(struct segmap_census *census, const struct segmap_layout *layout,
		      const struct segmap_backing *backing)
{
	struct segmap_counting *counting = census->counting;
	struct segmap_stale *stale;
	uint32_t file;

	if (backing->status != SEGMAP_STATUS_DELETED && backing->status != SEGMAP_STATUS_REPLACED)
		return true;
	file = find_backing(counting, backing);
	if (file == NO_FILE ||
	    !grow(&census->stale, &counting->cap_stale, census->n_stale, sizeof(*stale)))
		return false;
	stale = &census->stale[census->n_stale++];
	*stale = (struct segmap_stale){ .status = backing->status, .pid = layout->pid,
					.file = file };
	if (layout->comm)
		snprintf(stale->comm, sizeof(stale->comm), "%s", layout->comm);
	return true;
}

/* FNV-1a, from @basis on. */
static uint64_t hash(const char *text, uint64_t basis)
{
	for (; *text; text++)
		basis = (basis ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return basis;
}

/* Take @note over, unless there is one like it. */
static bool keep_note(struct segmap_census *census, char *note)
{
	struct segmap_counting *counting = census->counting;
	uint32_t found, fresh = (uint32_t)census->n_notes;

	if (!note || !grow(&census->notes, &counting->cap_notes, fresh, sizeof(*census->notes)) ||
	    !idmap_find_or_add(&counting->notes, hash(note, UINT64_C(0xcbf29ce484222325)),
			       hash(note, UINT64_C(0x9e3779b97f4a7c15)), fresh, &found)) {
		free(note);
		return false;
	}
	if (found == fresh)
		census->notes[census->n_notes++] = note;
	else
		free(note);
	return true;
}

struct segmap_error *segmap_census_note(struct segmap_census *census, const char *format, ...)
{
	va_list arguments;
	char *note;
	int length;

	va_start(arguments, format);
	length = vasprintf(&note, format, arguments);
	va_end(arguments);
	return keep_note(census, length < 0 ? NULL : note) ? NULL : segmap_error_no_memory();
}

/* All of adding @one, of @layout, that needs memory; @rows get the indices of its rows. */
static bool make_room(struct segmap_census *census, const struct segmap_layout *layout,
		      const struct segmap_summary *one, uint32_t *rows)
{
	bool done = true;

	for (size_t i = 0; i < one->n_rows && done; i++)
		done = find_row(census, layout, &one->rows[i], &rows[i]);
	for (size_t i = 0; i < layout->n_backings && done; i++)
		done = add_stale(census, layout, &layout->backings[i]);
	for (size_t i = 0; i < layout->n_notes && done; i++)
		done = keep_note(census, strdup(layout->notes[i]));
	return done;
}

struct segmap_error *segmap_census_add(struct segmap_census *census,
				       const struct segmap_layout *layout, uint64_t low,
				       uint64_t high)
{
	__attribute__((cleanup(segmap_summary_free))) struct segmap_summary one = { 0 };
	scope_free uint32_t *rows = NULL;
	struct segmap_error *error = summary_of_process(layout, low, high, &one);
	struct segmap_summary *sum = &census->summary;
	size_t n_stale = census->n_stale;

	if (error)
		return error;
	rows = reallocarray(NULL, one.n_rows + 1, sizeof(*rows));
	if (!rows || !make_room(census, layout, &one, rows)) {
		census->n_stale = n_stale;
		return segmap_error_no_memory();
	}
	for (size_t i = 0; i < one.n_rows; i++) {
		sum->rows[rows[i]].processes++;
		summary_add_figures(&sum->rows[rows[i]].figures, &one.rows[i].figures);
	}
	for (size_t i = n_stale; i < census->n_stale; i++)
		census->counting->files[census->stale[i].file].status = census->stale[i].status;
	summary_add_figures(&sum->totals, &one.totals);
	sum->n_processes++;
	return NULL;
}

/* Rows of no process are of one that there was no memory for. */
static void drop_empty_rows(struct segmap_summary *summary)
{
	size_t n_kept = 0;

	for (size_t i = 0; i < summary->n_rows; i++)
		if (summary->rows[i].processes)
			summary->rows[n_kept++] = summary->rows[i];
	summary->n_rows = n_kept;
}

static int compare_stale(const void *a, const void *b)
{
	const struct segmap_stale *x = a, *y = b;
	int order = strcmp(x->path, y->path);

	if (!order)
		order = (x->file > y->file) - (x->file < y->file);
	return order ? order : (x->pid > y->pid) - (x->pid < y->pid);
}

struct segmap_error *segmap_census_finish(struct segmap_census *census)
{
	const struct counted *files = census->counting->files;
	struct segmap_summary *summary = &census->summary;

	drop_empty_rows(summary);
	for (size_t i = 0; i < summary->n_rows; i++) {
		struct segmap_summary_row *row = &summary->rows[i];

		if (row->group < SUMMARY_FIRST_BACKING)
			continue;
		row->path = files[row->group - SUMMARY_FIRST_BACKING].path;
		row->status = files[row->group - SUMMARY_FIRST_BACKING].status;
	}
	for (size_t i = 0; i < census->n_stale; i++)
		census->stale[i].path = files[census->stale[i].file].path;
	if (census->n_stale)
		qsort(census->stale, census->n_stale, sizeof(*census->stale), compare_stale);
	return summary_sort_rows(summary->rows, summary->n_rows, SEGMAP_SUMMARY_PSS) ?
		       NULL :
		       segmap_error_no_memory();
}
