/* src/read/sysroot.c - files found by their paths below a directory. */
#include "read/sysroot.h"
#include "base/scope.h"
#include "read/backing.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct segmap_error *sysroot_open(const struct segmap_elsewhere *elsewhere, struct sysroot *ret)
{
	const char *name = elsewhere->sysroot ? elsewhere->sysroot : "/";
	scope_close int root = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *copy;

	if (root < 0)
		return segmap_error_system(errno, name, "open as a directory");
	copy = strdup(elsewhere->sysroot ? elsewhere->sysroot : "");
	if (!copy)
		return segmap_error_no_memory();
	*ret = (struct sysroot){
		.ladder = { .process_dir = -1, .map_files = -1, .root = return_fd(&root), .exe = -1 },
		.name = copy,
	};
	return NULL;
}

void sysroot_close(struct sysroot *sysroot)
{
	ladder_close(&sysroot->ladder);
	free(sysroot->name);
}

/* As it stands, or with its newlines decoded. */
static int find(struct sysroot *sysroot, const char *path, struct stat *stat)
{
	scope_free char *decoded = NULL;
	int fd = ladder_open_root(&sysroot->ladder, path, 0, stat);

	if (fd >= 0 || !strstr(path, "\\012"))
		return fd;
	decoded = path_decode(path);
	return decoded ? ladder_open_root(&sysroot->ladder, decoded, 0, stat) : -1;
}

int sysroot_find(struct sysroot *sysroot, struct segmap_backing *backing, struct stat *stat,
		 bool *deleted)
{
	int fd = find(sysroot, backing->path, stat);

	*deleted = false;
	if (fd >= 0 || !path_is_marked(backing->path))
		return fd;
	backing->path[strlen(backing->path) - strlen(PATH_DELETED_MARK)] = '\0';
	*deleted = true;
	/* A memfd's name is a path by its looks only. */
	return strncmp(backing->path, "/memfd:", 7) == 0 ? -1 :
							   find(sysroot, backing->path, stat);
}
