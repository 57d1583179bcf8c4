/* SPDX-License-Identifier: ISC */
/* From root to the owner of a mailbox. */
#include "lib/login/session_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/file_system.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/sandbox/sandbox.h"

static void
act_as(const struct session_owner *owner)
{
	gid_t gid = (gid_t)owner->gid;

	if (setgroups(1, &gid) == -1 || setegid(gid) == -1 ||
	    seteuid((uid_t)owner->uid) == -1)
		fatal("cannot act as user %u: %m", (unsigned)owner->uid);
}

/* errno stays. */
static void
act_as_root(void)
{
	int error = errno;

	if (seteuid(0) == -1 || setegid(0) == -1)
		fatal("cannot be root again: %m");
	errno = error;
}

static bool
go_as_owner(const char *path, const struct session_owner *owner)
{
	bool gone;

	act_as(owner);
	gone = chdir(path) == 0;
	act_as_root();
	return gone;
}

/* mkdir -p */
static bool
make(const char *path)
{
	char *part = mem_text(path);
	bool good;

	for (char *slash = part + 1; *slash != '\0'; slash++) {
		if (*slash != '/')
			continue;
		*slash = '\0';
		/* what we may not make may be there: the last one tells */
		(void)mkdir(part, 0700);
		*slash = '/';
	}
	good = mkdir(part, 0700) == 0 || errno == EEXIST;
	free(part);
	return good;
}

bool
session_make(const struct session_stage *stage,
    const struct session_owner *owner, const char *path)
{
	struct stat st;
	bool good;

	if (stat(path, &st) == 0)
		return true;
	if (!stage->separated)
		return make(path);
	act_as(owner);
	good = make(path);
	act_as_root();
	return good;
}

/*
 * Root could be led by a user's link past directories that are closed to
 * that user; so the user goes. Mailboxes below directories that are closed
 * to their owners are entered where they are the owner's.
 */
static void
go(const char *path, const struct session_owner *owner)
{
	struct stat st;

	if (go_as_owner(path, owner))
		return;
	if (errno != EACCES || chdir(path) == -1 || stat(".", &st) == -1)
		fatal("user=<%s>: %s: %m", owner->user, path);
	if (st.st_uid != (uid_t)owner->uid)
		fatal("user=<%s>: %s is not the user's, who cannot reach it",
		    owner->user, path);
}

void
session_enter(const struct session_stage *stage,
    const struct session_owner *owner, const char *path)
{
	if (stage->separated)
		go(path, owner);
	else if (chdir(path) == -1)
		fatal("user=<%s>: %s: %m", owner->user, path);
	file_system_know(AT_FDCWD);
}

static int
open_directory(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* As in go(): where root may go, and its owner may not, it must be his. */
static int
open_as_owner(const char *path, const struct session_owner *owner)
{
	struct stat st;
	int fd;

	act_as(owner);
	fd = open_directory(path);
	act_as_root();
	if (fd != -1 || errno != EACCES)
		return fd;
	fd = open_directory(path);
	if (fd != -1 &&
	    (fstat(fd, &st) == -1 || st.st_uid != (uid_t)owner->uid)) {
		fd_close(&fd);
		errno = EACCES;
	}
	return fd;
}

/*
 * A mount that hangs nowhere: its root is the end of all ways up. False where
 * we may not mount (in a container, or without root).
 */
static bool
cut_off(int *fd)
{
	/* older headers know no such mount */
#ifdef OPEN_TREE_CLONE
	int mount = (int)syscall(SYS_open_tree, *fd, "",
	    AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (mount != -1) {
		fd_close(fd);
		*fd = mount;
		return true;
	}
#endif
	return false;
}

int
session_open_other(const struct session_stage *stage,
    const struct session_owner *user, const struct session_owner *owner,
    const char *path, struct why *why)
{
	uid_t uid = stage->separated ? (uid_t)user->uid : geteuid();
	bool apart = false;
	struct stat st;
	int fd;

	fd = stage->separated ? open_as_owner(path, owner) :
				open_directory(path);
	if (fd == -1 || fstat(fd, &st) == -1) {
		why_errno(why, "4.2.0", "%s cannot be opened", path);
		fd_close(&fd);
		return -1;
	}
	if (st.st_uid != uid) {
		why_set(why, "4.2.0",
		    "%s belongs to the system user %u, not to %u", path,
		    (unsigned)st.st_uid, (unsigned)uid);
		fd_close(&fd);
		return -1;
	}
	file_system_know(fd);
	if (stage->separated)
		apart = cut_off(&fd);
	if (!sandbox_beneath_too(fd) && !apart) {
		why_set(why, "4.2.0",
		    "%s cannot be kept apart from what is beside it: the kernel"
		    " has no Landlock",
		    path);
		fd_close(&fd);
	}
	return fd;
}

void
session_become(const struct session_stage *stage,
    const struct session_owner *owner)
{
	if (!stage->separated)
		return;
	sandbox_root(".");
	sandbox_become((uid_t)owner->uid, (gid_t)owner->gid);
}
