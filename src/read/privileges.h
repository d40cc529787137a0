/* src/read/privileges.h - what a file would give the program that is in it. */
#ifndef READ_PRIVILEGES_H
#define READ_PRIVILEGES_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/* What of segmap's own state an execve would heed. */
struct privileges {
	bool none_new; /* no_new_privs */
	/* Whether all users and groups of the system have numbers in this user namespace. stat()
	 * shows those without one as overflow_uid and overflow_gid. */
	bool all_uids, all_gids;
	uid_t overflow_uid;
	gid_t overflow_gid;
};

/* Before segmap gives up its own, and confines itself. */
void privileges_ask(struct privileges *ret);

/*
 * Whether the program of the file that @fd names would run with AT_SECURE: it
 * becomes another user or group, or has capabilities of its file. @fd can be an
 * O_PATH descriptor; @stat describes it (fs/exec.c:bprm_fill_uid,
 * security/commoncap.c:cap_bprm_creds_from_file).
 */
bool privileges_are_secure(const struct privileges *here, int fd, const struct stat *stat);

/*
 * Whether execve takes PER_CLEAR_ON_SETID from the program's personality: for the identity of
 * the file, be it the user's own (fs/exec.c:bprm_fill_uid), and for capabilities that are
 * gained, or would be but for no_new_privs (security/commoncap.c:cap_bprm_creds_from_file).
 */
bool privileges_clear_personality(const struct privileges *here, int fd, const struct stat *stat);

/* Whether it gets another user or group or capabilities. */
bool privileges_are_given(const struct privileges *here, int fd, const struct stat *stat);

#endif
