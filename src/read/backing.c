/* src/read/backing.c - which file is behind a VMA, and what became of it. */
#include "read/backing.h"
#include "base/scope.h"
#include "model/layout.h"
#include "model/vma.h"
#include "read/files.h"
#include "read/ladder.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

static const char deleted_mark[] = PATH_DELETED_MARK;

/* What one backing's search has come upon. */
struct search {
	int fd; /* O_PATH, of the mapped file; -1 */
	struct stat stat;
	int path_fd; /* O_PATH, of another file at its path; -1 */
	struct stat path_stat;
};

static void search_close(struct search *search)
{
	if (search->fd >= 0)
		close(search->fd);
	if (search->path_fd >= 0)
		close(search->path_fd);
}

bool path_is_marked(const char *name)
{
	size_t size = strlen(name), mark = sizeof(deleted_mark) - 1;

	return size > mark && strcmp(name + size - mark, deleted_mark) == 0;
}

char *path_decode(const char *name)
{
	char *decoded = strdup(name), *to = decoded;

	for (const char *at = name; decoded && *at; to++) {
		bool is_newline = strncmp(at, "\\012", 4) == 0;

		*to = is_newline ? '\n' : *at;
		at += is_newline ? 4 : 1;
	}
	if (decoded)
		*to = '\0';
	return decoded;
}

/* Whether @stat is the mapped file's: by what maps shows, or by the file where there is one. */
static bool is_found(const struct search *search, const struct segmap_backing *backing,
		     const struct stat *stat)
{
	return is_same_file(stat, backing) ||
	       (search->fd >= 0 && stat->st_dev == search->stat.st_dev &&
		stat->st_ino == search->stat.st_ino);
}

/*
 * Look at @path. If the mapped file has it, keep its descriptor unless there
 * is one already; if another has, keep that. Whether the mapped file has it.
 */
static bool look_at(struct ladder *ladder, const struct segmap_backing *backing,
		    struct search *search, const char *path)
{
	struct stat stat;
	scope_close int fd = -1;

	/* Mostly the file is found already, and at its path still. */
	if (search->fd >= 0 && ladder_stat_root(ladder, path, &stat) &&
	    is_found(search, backing, &stat))
		return true;
	fd = ladder_open_root(ladder, path, 0, &stat);
	if (fd < 0)
		return false;
	if (is_found(search, backing, &stat)) {
		if (search->fd < 0) {
			search->fd = return_fd(&fd);
			search->stat = stat;
		}
		return true;
	}
	if (search->path_fd < 0) {
		search->path_fd = return_fd(&fd);
		search->path_stat = stat;
	}
	return false;
}

/*
 * maps shows a path as its reader sees it, and that can lead to the file where
 * the process itself is in a chroot.
 */
static bool look_from_here(struct ladder *ladder, struct segmap_backing *backing,
			   struct search *search)
{
	struct stat stat;
	scope_close int fd = -1;

	if (ladder_root_is_ours(ladder))
		return false;
	fd = open(backing->path, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &stat) || !is_found(search, backing, &stat))
		return false;
	if (search->fd < 0) {
		search->fd = return_fd(&fd);
		search->stat = stat;
		backing->opened = SEGMAP_OPENED_PATH;
	}
	return true;
}

/*
 * Find the name of the mapped file: as it stands, or with its newlines decoded;
 * with " (deleted)" as part of the name, where that name is the file's, or
 * else as the kernel's mark. False if there is no memory.
 */
static bool find_path(struct ladder *ladder, struct segmap_backing *backing, struct search *search)
{
	scope_free char *decoded = strstr(backing->path, "\\012") ?
					   path_decode(backing->path) :
					   NULL;
	size_t mark = sizeof(deleted_mark) - 1;
	bool marked = path_is_marked(backing->path);

	ladder->failed |= !decoded && strstr(backing->path, "\\012");
	if (marked && (look_at(ladder, backing, search, backing->path) ||
		       (decoded && look_at(ladder, backing, search, decoded))))
		return true;
	if (marked) {
		/* Whatever has the name with its mark has nothing to do with the file. */
		if (search->path_fd >= 0)
			close(search->path_fd);
		search->path_fd = -1;
		backing->path[strlen(backing->path) - mark] = '\0';
		if (decoded)
			decoded[strlen(decoded) - mark] = '\0';
		backing->status = SEGMAP_STATUS_DELETED;
	}
	if (look_at(ladder, backing, search, backing->path) ||
	    (decoded && look_at(ladder, backing, search, decoded)) ||
	    look_from_here(ladder, backing, search)) {
		/* Linked again, or another link to it was put there. */
		backing->status = SEGMAP_STATUS_OK;
		if (search->path_fd >= 0)
			close(search->path_fd);
		search->path_fd = -1;
	} else if (search->path_fd >= 0 &&
		   (search->fd >= 0 || search->path_stat.st_ino != backing->ino)) {
		backing->status = SEGMAP_STATUS_REPLACED;
	}
	return true;
}

bool backing_is_memory_object(const struct segmap_layout *layout,
			      const struct segmap_backing *backing)
{
	enum segmap_kind kind;

	if (backing->path[0] == '[' || strncmp(backing->path, "anon_inode:", 11) == 0)
		return true;
	for (uint32_t i = 0; i < backing->n_vmas; i++)
		if (!vma_is_memory_object(&layout->vmas[backing->vmas[i]], &kind))
			return false;
	return backing->n_vmas;
}

/* Climb until the mapped file is found; says in @backing by which rung. */
static void climb(struct ladder *ladder, const struct segmap_layout *layout,
		  struct segmap_backing *backing, struct search *search)
{
	/* A memfd's name is a path by its looks only. */
	bool has_path = backing->path[0] == '/' && strncmp(backing->path, "/memfd:", 7) != 0;

	backing->opened = SEGMAP_OPENED_MAP_FILES;
	search->fd = ladder_open_map_files(ladder, layout, backing, &search->stat);
	if (search->fd < 0) {
		backing->opened = SEGMAP_OPENED_EXE;
		search->fd = ladder_open_exe(ladder, backing, &search->stat);
	}
	if (search->fd < 0)
		backing->opened = SEGMAP_OPENED_ROOT;
	/* Its path is looked at in any case: it tells what became of the file. */
	if (has_path)
		find_path(ladder, backing, search);
	else if (path_is_marked(backing->path))
		backing->path[strlen(backing->path) - (sizeof(deleted_mark) - 1)] = '\0';
	if (search->fd < 0) {
		backing->opened = SEGMAP_OPENED_FD;
		search->fd = ladder_open_fd(ladder, backing, &search->stat);
	}
	if (search->fd < 0)
		backing->opened = SEGMAP_OPENED_NOT;
}

/*
 * The file itself cannot be read. Its headers can be in the process's memory,
 * where they tell of segments and parts, if not of sections. Only code is
 * worth that, and a note: data files have nothing to annotate.
 */
static struct segmap_error *fall_back(struct segmap_layout *layout, struct ladder *ladder,
				      struct segmap_files *files, struct segmap_backing *backing,
				      enum segmap_error_code code, const char *why)
{
	struct file_memory *memory;

	backing->error = segmap_error_new(code, backing->path, "%s", why);
	if (!backing_has_code(layout, backing)) {
		backing->status = SEGMAP_STATUS_UNREADABLE;
		return NULL;
	}
	memory = file_memory_open(ladder->process_dir, layout->vmas, backing->vmas,
				  backing->n_vmas, layout->page_size);
	if (memory) {
		backing->opened = SEGMAP_OPENED_MEMORY;
		return files_add_memory(files, memory, &backing->file);
	}
	backing->opened = SEGMAP_OPENED_NOT;
	backing->status = SEGMAP_STATUS_UNREADABLE;
	return segmap_layout_note(layout, "%s: %s", backing->path, why);
}

static struct segmap_error *open_found(struct segmap_layout *layout, struct ladder *ladder,
				       struct segmap_files *files,
				       struct segmap_backing *backing,
				       const struct search *search)
{
	struct segmap_file *file = NULL;
	struct segmap_error *error =
		files_open(files, search->fd, &search->stat, backing->path, &file);

	if (error)
		return error;
	if (file->fd < 0 && file->error)
		return fall_back(layout, ladder, files, backing, file->error->code,
				 file->error->why);
	backing->file = file;
	if (search->stat.st_nlink == 0 && backing->status == SEGMAP_STATUS_OK &&
	    strncmp(backing->path, "/memfd:", 7) != 0)
		backing->status = SEGMAP_STATUS_DELETED;
	return NULL;
}

/* Whether the next process that sees paths alike can do without looking for the file. */
static bool is_worth_remembering(const struct segmap_backing *backing, const struct stat *stat)
{
	return backing->file && backing->status == SEGMAP_STATUS_OK && backing->path[0] == '/' &&
	       !backing->path_file && !backing->twin && is_same_file(stat, backing) &&
	       (backing->opened == SEGMAP_OPENED_MAP_FILES ||
		backing->opened == SEGMAP_OPENED_ROOT);
}

static struct segmap_error *open_backing(struct segmap_layout *layout, struct ladder *ladder,
					 struct segmap_files *files,
					 struct segmap_backing *backing)
{
	__attribute__((cleanup(search_close))) struct search search = { .fd = -1, .path_fd = -1 };
	struct segmap_error *error = NULL;

	if (files_recall(files, &ladder->view, backing) || backing_is_memory_object(layout, backing))
		return NULL;
	climb(ladder, layout, backing, &search);
	if (search.fd >= 0)
		error = open_found(layout, ladder, files, backing, &search);
	else if (ladder->map_files_refused)
		error = fall_back(layout, ladder, files, backing, SEGMAP_ERROR_PERMISSION,
				  "the mapped file is not at its path any more; root could read it");
	else
		error = fall_back(layout, ladder, files, backing, SEGMAP_ERROR_SYSTEM,
				  "nothing leads to the mapped file any more");
	if (!error && is_worth_remembering(backing, &search.stat) &&
	    !files_remember(files, &ladder->view, backing))
		return segmap_error_no_memory();
	if (error || search.path_fd < 0 || !S_ISREG(search.path_stat.st_mode) ||
	    !backing_has_code(layout, backing))
		return error;
	/* Another file at its path: to be named by its build-id, or the same on a device
	 * with two numbers. */
	if (search.fd < 0 && search.path_stat.st_ino == backing->ino)
		return files_open(files, search.path_fd, &search.path_stat, backing->path,
				  &backing->twin);
	return files_open(files, search.path_fd, &search.path_stat, backing->path,
			  &backing->path_file);
}

struct segmap_error *backings_open(struct segmap_layout *layout, int process_dir,
				   struct segmap_files *files)
{
	__attribute__((cleanup(ladder_close))) struct ladder ladder = {
		.process_dir = process_dir, .map_files = -1, .root = -1, .exe = -1,
	};

	if (files_want_known_paths(files))
		ladder_take_view(&ladder);
	for (size_t i = 0; i < layout->n_backings; i++) {
		struct segmap_error *error =
			open_backing(layout, &ladder, files, &layout->backings[i]);

		if (!error && ladder.failed)
			error = segmap_error_no_memory();
		if (error)
			return error;
	}
	return NULL;
}
