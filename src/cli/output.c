/* src/cli/output.c - where the output goes: standard output, or a file that is replaced whole. */
#include "cli/output.h"
#include <bsd/stdlib.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/*
 * New content is written to a file without a name (O_TMPFILE), so that an
 * interrupted run leaves nothing behind; a name beside the target exists only
 * between the last two steps, with signals held back. Where the file system
 * has no such files the content waits in memory and is copied at the end.
 */
enum { BUFFER_SIZE = 65536, MOST_LINKS = 40 };

static struct segmap_error *system_error(const char *name, const char *doing)
{
	return segmap_error_system(errno, name, doing);
}

/* The directory of @path, to be freed; NULL if there is no memory. */
static char *directory_of(const char *path)
{
	char *copy = strdup(path), *directory;

	if (!copy)
		return NULL;
	directory = strdup(dirname(copy));
	free(copy);
	return directory;
}

/*
 * Whether the symbolic link @path is one of /proc's: it leads to an open file,
 * whatever its text says.
 */
static bool is_of_proc(const char *path)
{
	char *directory = directory_of(path);
	struct statfs file_system;
	bool is_it = directory && statfs(directory, &file_system) == 0 &&
		     file_system.f_type == PROC_SUPER_MAGIC;

	free(directory);
	return is_it;
}

/*
 * Whether the symbolic link @link, which is @path, may lead away from there: in a directory
 * that everybody may write to, as /tmp is, only to where the user or the owner of the
 * directory has it lead. As with fs.protected_symlinks, fs/namei.c: may_follow_link().
 */
static bool may_follow(const char *path, const struct stat *link)
{
	char *directory = directory_of(path);
	struct stat around;
	bool may = directory && stat(directory, &around) == 0 &&
		   (link->st_uid == geteuid() || link->st_uid == around.st_uid ||
		    (around.st_mode & (S_ISVTX | S_IWOTH)) != (S_ISVTX | S_IWOTH));

	free(directory);
	return may;
}

/*
 * Where the symbolic link @path leads: the length of the text in @link. -1 if it is no link, or,
 * with EACCES, if it may not be followed.
 */
static ssize_t read_link(const char *path, char link[PATH_MAX])
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : readlinkat(fd, "", link, PATH_MAX - 1);
	struct stat stat;
	bool may = size < 0 || (fstat(fd, &stat) == 0 && may_follow(path, &stat));

	if (fd >= 0)
		close(fd);
	if (size >= 0)
		link[size] = '\0';
	errno = may ? EINVAL : EACCES;
	return may ? size : -1;
}

/*
 * Follow symbolic links at the end of @path, also to a file that is not there
 * yet, but none of /proc's.
 */
static char *follow_links(const char *path, bool *ret_is_of_proc)
{
	char *at = strdup(path);

	*ret_is_of_proc = false;
	for (int i = 0; at && i < MOST_LINKS; i++) {
		char link[PATH_MAX], *directory, *next;
		ssize_t size = read_link(at, link);

		if (size < 0 && errno == EACCES) {
			free(at);
			errno = EACCES;
			return NULL;
		}
		if (size < 0 || is_of_proc(at)) {
			*ret_is_of_proc = size >= 0;
			return at;
		}
		if (link[0] == '/') {
			next = strdup(link);
		} else {
			directory = directory_of(at);
			if (!directory || asprintf(&next, "%s/%s", directory, link) < 0)
				next = NULL;
			free(directory);
		}
		free(at);
		at = next;
	}
	free(at);
	errno = at ? ELOOP : ENOMEM;
	return NULL;
}

/* A nameless file to write to: in @target's directory, else in memory. */
static int open_nameless(const char *target)
{
	char *directory = directory_of(target);
	int fd;

	if (!directory)
		return -1;
	fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT) &&
	    access(directory, W_OK) == 0)
		fd = memfd_create("segmap output", MFD_CLOEXEC);
	free(directory);
	return fd;
}

/*
 * The descriptor of this process that @path, a link of /proc's to the file @wanted, leads to
 * (/dev/stdout, /dev/fd/N); -1 if it leads elsewhere.
 */
static int own_descriptor(const char *path, const struct stat *wanted)
{
	const char *name = strrchr(path, '/'), *problem = "invalid";
	int number = name ? (int)strtonum(name + 1, 0, INT_MAX, &problem) : -1;
	struct stat found;

	return !problem && fstat(number, &found) == 0 && found.st_dev == wanted->st_dev &&
			       found.st_ino == wanted->st_ino ?
		       number :
		       -1;
}

/*
 * Another descriptor for @number, which has a place in its file where others go on; the file
 * may have no name any more, or another file may have its name. What is open since this program
 * began closes on exec: those are the files that it looks at, and to the user they are not open.
 * What was handed over to be read is not opened anew to be written: whoever did so may have
 * meant it, and a shell's >&N would not either.
 */
static int open_handed_over(int number)
{
	int flags = fcntl(number, F_GETFD), mode = fcntl(number, F_GETFL);

	if (flags < 0 || flags & FD_CLOEXEC || mode < 0 || (mode & O_ACCMODE) == O_RDONLY) {
		errno = EBADF;
		return -1;
	}
	return fcntl(number, F_DUPFD_CLOEXEC, 3);
}

/* Open @path, which is there, to write through it. */
static int open_through(const char *path, const struct stat *wanted, bool is_of_proc)
{
	int number = is_of_proc ? own_descriptor(path, wanted) : -1;

	if (number >= 0)
		return open_handed_over(number);
	return open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | (is_of_proc ? O_APPEND : 0));
}

static struct segmap_error *open_file(const char *path, struct output *output)
{
	const char *doing = "open for writing";
	struct segmap_error *error;
	struct stat stat_of_path;
	bool is_of_proc;
	int fd = -1;

	output->target = follow_links(path, &is_of_proc);
	if (output->target && stat(output->target, &stat_of_path) == 0 &&
	    (is_of_proc || !S_ISREG(stat_of_path.st_mode))) {
		fd = open_through(output->target, &stat_of_path, is_of_proc);
		free(output->target);
		output->target = NULL;
	} else if (output->target) {
		doing = "make a new file in its directory";
		fd = open_nameless(output->target);
	}
	/* What goes to a stream that is closed is not the output's. */
	fd = above_streams(fd);
	output->file = fd < 0 ? NULL : fdopen(fd, "w");
	if (output->file)
		return NULL;
	error = system_error(path, doing);
	free(output->target);
	return error;
}

struct segmap_error *output_open(const char *path, struct output *ret)
{
	struct output output = { .file = stdout, .name = path ? path : "standard output" };
	struct segmap_error *error = path ? open_file(path, &output) : NULL;

	if (error)
		return error;
	setvbuf(output.file, NULL, _IOFBF, BUFFER_SIZE);
	*ret = output;
	return NULL;
}

/* The permissions the new file gets: those of the one it replaces, or the usual ones. */
static void take_over_mode(int fd, const char *target)
{
	struct stat old, now;
	mode_t mask = umask(0), mode;

	umask(mask);
	if (stat(target, &old) < 0) {
		(void)!fchmod(fd, 0666 & ~mask);
		return;
	}
	mode = old.st_mode & 07777;
	/*
	 * Only root can give the file to its old owner; without, it is the writer's. The group
	 * can be kept by its members; no other gets its rights.
	 */
	if (fchown(fd, old.st_uid, old.st_gid))
		(void)!fchown(fd, (uid_t)-1, old.st_gid);
	if (fstat(fd, &now) || now.st_gid != old.st_gid)
		mode &= 0707;
	else if (now.st_uid != old.st_uid)
		mode &= ~(mode_t)S_ISUID;
	(void)!fchmod(fd, mode);
}

static bool copy_all(int from, int to)
{
	char buffer[BUFFER_SIZE];
	off_t at = 0;

	for (;;) {
		ssize_t got = pread(from, buffer, sizeof(buffer), at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0;
		for (ssize_t written = 0; written < got;) {
			ssize_t n = write(to, buffer + written, (size_t)(got - written));

			if (n < 0 && errno != EINTR)
				return false;
			written += n < 0 ? 0 : n;
		}
		at += got;
	}
}

/* Give the nameless file the name @temporary: by a link, or as a copy of it. */
static bool give_name(int fd, char *temporary)
{
	char link[64];
	size_t random_at = strlen(temporary) - 6;
	int named;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	/* mkostemp finds a free name; linkat cannot replace, so the name is freed again. */
	named = mkostemp(temporary, O_CLOEXEC);
	if (named < 0)
		return false;
	unlink(temporary);
	if (linkat(AT_FDCWD, link, AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) == 0) {
		close(named);
		return true;
	}
	close(named);
	memcpy(temporary + random_at, "XXXXXX", 6);
	named = mkostemp(temporary, O_CLOEXEC);
	if (named < 0)
		return false;
	if (!copy_all(fd, named) || fsync(named)) {
		int problem = errno;

		close(named);
		unlink(temporary);
		errno = problem;
		return false;
	}
	close(named);
	return true;
}

/* How replacing went. */
struct replaced {
	int problem;   /* an errno value; 0: it is done */
	bool renaming; /* the problem is with the last step */
};

static struct replaced replace_target(const struct output *output)
{
	struct replaced replaced = { 0 };
	char *directory = directory_of(output->target), *temporary = NULL;
	sigset_t all, before;

	if (!directory || asprintf(&temporary, "%s/.segmap-XXXXXX", directory) < 0) {
		free(directory);
		return (struct replaced){ .problem = ENOMEM };
	}
	take_over_mode(fileno(output->file), output->target);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	if (!give_name(fileno(output->file), temporary)) {
		replaced.problem = errno;
	} else if (rename(temporary, output->target)) {
		replaced = (struct replaced){ .problem = errno, .renaming = true };
		unlink(temporary);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	free(temporary);
	free(directory);
	return replaced;
}

/* ---- a process that does it ---- */

/* Replace the file when told to, and end with whoever could tell. */
static _Noreturn void serve(const struct output *output)
{
	struct replaced replaced;
	char word;

	if (apart_hear(&output->delegate, &word, sizeof(word))) {
		replaced = replace_target(output);
		apart_tell(&output->delegate, &replaced, sizeof(replaced));
	}
	_exit(0);
}

struct segmap_error *output_delegate(struct output *output)
{
	struct segmap_error *error;

	if (!output->target || output->has_delegate)
		return NULL;
	error = apart_begin(output->name, &output->delegate);
	if (error)
		return error;
	if (!output->delegate.pid)
		serve(output);
	output->has_delegate = true;
	return NULL;
}

static struct replaced have_replaced(const struct output *output)
{
	struct replaced replaced;

	if (apart_tell(&output->delegate, "", 1) &&
	    apart_hear(&output->delegate, &replaced, sizeof(replaced)))
		return replaced;
	return (struct replaced){ .problem = ECHILD };
}

static struct segmap_error *put_in_place(const struct output *output)
{
	struct replaced replaced = output->has_delegate ? have_replaced(output) :
								 replace_target(output);

	if (!replaced.problem)
		return NULL;
	return segmap_error_system(replaced.problem, output->name,
				   replaced.renaming ? "replace" : "write");
}

/* Whoever called has SIGPIPE blocked: it waits, and acts now. */
static void let_pipe_signal_act(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

bool output_failed(struct output *output)
{
	if (ferror(output->file) && !output->problem)
		output->problem = errno ? errno : EIO;
	if (output->problem == EPIPE && !output->outlives_reader)
		let_pipe_signal_act();
	return output->problem;
}

struct segmap_error *output_commit(struct output *output, bool keep)
{
	struct segmap_error *error = NULL;

	fflush(output->file);
	if (output_failed(output))
		error = segmap_error_system(output->problem, output->name, "write");
	else if (output->target && keep)
		error = put_in_place(output);
	/* NFS and quotas report what went wrong only now. */
	if (fclose(output->file) && !error && !output->target)
		error = system_error(output->name, "write");
	if (output->has_delegate)
		apart_end(&output->delegate);
	free(output->target);
	return error;
}
