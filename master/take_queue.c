/* SPDX-License-Identifier: ISC */
#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/queue/queue_file.h"

/* The lock lives with this descriptor, so it is never closed. */
static int lock_fd = -1;

static bool
take_lock(struct buf *errors)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char text[32];
	int n;

	lock_fd = open("pid/master.pid",
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (lock_fd < 0) {
		buf_printf(errors, "cannot open pid/master.pid: %s\n",
		    strerror(errno));
		return false;
	}
	if (fcntl(lock_fd, F_SETLK, &lock) < 0) {
		buf_printf(errors,
		    "the Posthaste mail system is already "
		    "running\n");
		fd_close(&lock_fd);
		return false;
	}
	n = snprintf(text, sizeof(text), "%*d\n", 9, (int)getpid());
	if (ftruncate(lock_fd, 0) < 0 ||
	    fd_pwrite_all(lock_fd, text, (size_t)n, 0) < 0 ||
	    fchmod(lock_fd, 0644) < 0) {
		buf_printf(errors, "cannot write pid/master.pid: %s\n",
		    strerror(errno));
		return false;
	}
	return true;
}

bool
take_queue(const struct plan *p, struct buf *errors)
{
	const struct passwd *owner = getpwnam(p->common.mail_owner);
	const struct group *drop = getgrnam(p->common.setgid_group);
	const char *directory = p->common.queue_directory;

	/* without root nobody is asked for (plan.c has checked) */
	if (!queue_make_directories(directory,
		owner != NULL ? owner->pw_uid : (uid_t)-1,
		drop != NULL ? drop->gr_gid : (gid_t)-1, errors))
		return false;
	if (chdir(directory) < 0) {
		buf_printf(errors, "%s: %s\n", directory, strerror(errno));
		return false;
	}
	return take_lock(errors);
}
