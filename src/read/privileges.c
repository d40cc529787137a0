/* src/read/privileges.c - what a file would give the program that is in it. */
#include "read/privileges.h"
#include "base/scope.h"
#include "read/bytes.h"
#include <endian.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

/*
 * Whether the map @path of a user namespace has all ids. A line of it is the first
 * id in the namespace, the first outside, and how many; there are at most 340
 * (user_namespaces(7)). Without such a file there are no user namespaces.
 */
static bool has_all_ids(const char *path)
{
	enum { MOST = 340 * 33 };
	uint64_t n_mapped = 0;
	uint32_t n;
	char text[MOST + 1];
	scope_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	int64_t size = fd < 0 ? -1 : fd_read(fd, text, MOST, 0);
	int used;

	if (size < 0)
		return true;
	text[size] = '\0';
	for (const char *at = text; sscanf(at, "%*u %*u %" SCNu32 "%n", &n, &used) == 1; at += used)
		n_mapped += n;
	/* The last number is no id: it is (uid_t)-1. */
	return n_mapped == UINT32_MAX;
}

void privileges_ask(struct privileges *ret)
{
	*ret = (struct privileges){
		.none_new = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1,
		.all_uids = has_all_ids("/proc/self/uid_map"),
		.all_gids = has_all_ids("/proc/self/gid_map"),
		.overflow_uid = (uid_t)setting_read("kernel/overflowuid", 65534),
		.overflow_gid = (gid_t)setting_read("kernel/overflowgid", 65534),
	};
}

/* Whether execve heeds set-user-ID and set-group-ID: where both owners are somebody here. */
static bool heeds_ids(const struct privileges *here, const struct stat *stat)
{
	return !here->none_new && (here->all_uids || stat->st_uid != here->overflow_uid) &&
	       (here->all_gids || stat->st_gid != here->overflow_gid);
}

/* set-group-ID without group execute permission is a mark of mandatory locking. */
static bool sets_group(const struct stat *stat)
{
	return (stat->st_mode & S_ISGID) && (stat->st_mode & S_IXGRP);
}

/* Another user or group. */
static bool sets_ids(const struct privileges *here, const struct stat *stat)
{
	return heeds_ids(here, stat) &&
	       (((stat->st_mode & S_ISUID) && stat->st_uid != getuid()) ||
		(sets_group(stat) && stat->st_gid != getgid()));
}

/* What capabilities the file has (xattr(7), struct vfs_cap_data). */
struct file_capabilities {
	bool permitted; /* some */
	bool effective; /* it has the mark that all it has are in effect at once, if it has any */
};

static struct file_capabilities read_capabilities(int fd)
{
	struct vfs_ns_cap_data data = { 0 };
	char link[32];
	ssize_t size;

	fd_name(fd, link);
	size = getxattr(link, "security.capability", &data, sizeof(data));
	/* With the number of its root come those of another user namespace
	 * (security/commoncap.c:cap_inode_getsecurity). */
	if (size < 0 || size == XATTR_CAPS_SZ_3)
		return (struct file_capabilities){ 0 };
	return (struct file_capabilities){
		.permitted = data.data[0].permitted || data.data[1].permitted,
		.effective = le32toh(data.magic_etc) & VFS_CAP_FLAGS_EFFECTIVE,
	};
}

bool privileges_are_secure(const struct privileges *here, int fd, const struct stat *stat)
{
	struct file_capabilities capabilities;

	if (fd_has_mount_flag(fd, ST_NOSUID))
		return false;
	if (sets_ids(here, stat))
		return true;
	/* Root has them already. Under no_new_privs the mark has its effect, and they have none. */
	if (getuid() == 0)
		return false;
	capabilities = read_capabilities(fd);
	return capabilities.effective || (capabilities.permitted && !here->none_new);
}

bool privileges_clear_personality(const struct privileges *here, int fd, const struct stat *stat)
{
	bool sets_id = (stat->st_mode & S_ISUID) || sets_group(stat);

	if (fd_has_mount_flag(fd, ST_NOSUID))
		return false;
	return (sets_id && heeds_ids(here, stat)) ||
	       (getuid() != 0 && read_capabilities(fd).permitted);
}

bool privileges_are_given(const struct privileges *here, int fd, const struct stat *stat)
{
	return !here->none_new && !fd_has_mount_flag(fd, ST_NOSUID) &&
	       (sets_ids(here, stat) || read_capabilities(fd).permitted);
}
