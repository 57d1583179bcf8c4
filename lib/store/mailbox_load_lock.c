/* SPDX-License-Identifier: ISC */
/*
 * Who fills a folder's rows gives up the index's lock now and then; this one
 * is kept to the end. It is a file that only the owner can open: a directory
 * others may read, and then lock, for ever.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/store/mailbox_internal.h"

enum {
	WAIT_MS = 30000, /* a folder of a million messages takes some */
	STEP_MS = 10,
};

enum mail_result
mailbox_load_lock(struct mailbox_folder *f, int *lock, struct why *why)
{
	*lock = openat(f->files.dir, "posthaste-load.lock",
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (*lock == -1)
		return mailbox_disk_failed("cannot lock the mailbox", why);
	if (flock(*lock, LOCK_EX | LOCK_NB) == 0)
		return MAIL_OK;
	why_errno(why, "4.2.0", "another process reads the mailbox");
	fd_close(lock);
	return MAIL_IN_USE;
}

enum mail_result
mailbox_load_wait(struct mailbox_folder *f, int64_t *deadline, struct why *why)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };
	enum mail_result r;
	int lock;

	if (*deadline == 0)
		*deadline = clock_ms() + WAIT_MS;
	while ((r = mailbox_load_lock(f, &lock, why)) == MAIL_IN_USE &&
	    clock_ms() < *deadline)
		(void)nanosleep(&step, NULL);
	fd_close(&lock);
	return r;
}
