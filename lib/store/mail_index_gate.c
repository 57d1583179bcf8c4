/* SPDX-License-Identifier: ISC */
/* Which files an index is, while other processes may exchange them. */
#include "lib/store/mail_index_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"

int
index_gate_enter(int at, const char *path, int how)
{
	char *name = mem_printf("%s-gate", path);
	int r,
	    fd = openat(at, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
		0600);

	free(name);
	if (fd == -1)
		return -1;
	while ((r = flock(fd, how)) == -1 && errno == EINTR)
		;
	if (r == -1) {
		int error = errno;

		fd_close(&fd);
		errno = error;
	}
	return fd;
}

void
index_gate_leave(int *gate)
{
	fd_close(gate);
}

static struct index_identity
identity_at(int at, const char *path)
{
	struct stat st;

	if (fstatat(at, path, &st, 0) == -1)
		return (struct index_identity){ 0 };
	return (struct index_identity){ st.st_dev, st.st_ino };
}

/* LMDB's locks on it end when it is closed: so it is never opened here. */
static struct index_identity
lock_at(int at, const char *path)
{
	char *name = mem_printf("%s-lock", path);
	struct index_identity i = identity_at(at, name);

	free(name);
	return i;
}

static bool
same(const struct index_identity *a, const struct index_identity *b)
{
	return a->inode != 0 && a->inode == b->inode && a->device == b->device;
}

void
index_gate_identify(struct mail_index *x)
{
	x->data = identity_at(x->at, x->path);
	x->lock = lock_at(x->at, x->path);
}

bool
index_gate_current(const struct mail_index *x)
{
	struct index_identity data = identity_at(x->at, x->path);
	struct index_identity lock = lock_at(x->at, x->path);

	return same(&data, &x->data) && same(&lock, &x->lock);
}

static void
move_away(int at, const char *path)
{
	char *aside = mem_printf("%s.damaged", path);
	char *lock = mem_printf("%s-lock", path);

	/*
	 * Who still has it open must not share a lock with the new one; and
	 * the lock goes first, since a new file beside an old lock, left by
	 * a process that dies here, would be the worse pair.
	 */
	(void)!unlinkat(at, lock, 0);
	if (renameat(at, path, at, aside) == -1 &&
	    unlinkat(at, path, 0) == -1 && errno != ENOENT)
		log_warning("%s: cannot be set aside: %s", path,
		    strerror(errno));
	free(aside);
	free(lock);
}

void
index_gate_set_aside(const struct mail_index *x, const char *what)
{
	int gate = index_gate_enter(x->at, x->path, LOCK_EX);
	struct index_identity now;

	if (gate == -1) {
		log_warning("%s: %s, and cannot be set aside: %s", x->path,
		    what, strerror(errno));
		return;
	}
	now = identity_at(x->at, x->path);
	if (same(&now, &x->data)) {
		log_warning("%s: %s; it is set aside, and made anew from the "
			    "mail",
		    x->path, what);
		move_away(x->at, x->path);
	}
	index_gate_leave(&gate);
}
