/* SPDX-License-Identifier: ISC */
#include "qmgr/entry_file.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/log/log.h"
#include "lib/queue/queue_file.h"
#include "lib/queue/queue_reason.h"

static int
open_anywhere(const struct entry *e, bool for_marks)
{
	int fd = queue_open(e->queue, e->id, for_marks);

	if (fd == -1 && errno == ENOENT && for_marks)
		fd = queue_open("hold", e->id, true);
	return fd;
}

int
entry_file_open(const struct entry *e, bool to_take)
{
	int fd = queue_open(e->queue, e->id, to_take);

	if (fd != -1 && flock(fd, LOCK_SH | LOCK_NB) == -1)
		fd_close(&fd);
	return fd;
}

void
entry_file_hold(struct entry *e)
{
	e->hold = entry_file_open(e, false);
	if (e->hold == -1 && errno != ENOENT)
		log_warning("%s: cannot lock the queue file: %s", e->id,
		    strerror(errno));
}

int
entry_file_open_for_marks(const struct entry *e)
{
	return open_anywhere(e, true);
}

bool
entry_file_in_use(int fd)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == -1)
		return errno == EWOULDBLOCK;
	flock(fd, LOCK_UN);
	return false;
}

void
entry_file_remove(const struct entry *e)
{
	if (!e->taken && queue_remove(e->queue, e->id) == -1 &&
	    (errno != ENOENT || queue_remove("hold", e->id) == -1) &&
	    errno != ENOENT)
		log_error("%s: cannot remove %s/%s: %s", e->id, e->queue, e->id,
		    strerror(errno));
	if (e->noted)
		queue_reason_remove(e->id);
}

int
entry_file_defer(struct entry *e, int64_t when)
{
	int fd = queue_open(e->queue, e->id, false);
	int result;

	if (fd == -1)
		return -1;
	result = queue_set_retry(fd, when);
	/* a delivery died when it had given the file away: who may write to
	 * it may say "now", and then it waits for the next run */
	if (result == -1 && errno == EPERM) {
		log_warning("%s: the queue file belongs to another user",
		    e->id);
		result = futimens(fd, NULL);
	}
	fd_close(&fd);
	if (result == 0 && strcmp(e->queue, "deferred") != 0) {
		result = queue_move(e->id, e->queue, "deferred");
		if (result == 0)
			e->queue = "deferred";
	}
	return result;
}

void
entry_file_leave(const struct entry *e, bool now)
{
	int fd = -1;

	if (!now || strcmp(e->queue, "deferred") != 0)
		return;
	fd = queue_open(e->queue, e->id, false);
	if (fd != -1 && queue_set_retry(fd, clock_wall_us() / 1000000) == -1)
		log_warning("%s: cannot set the time of the next attempt: %s",
		    e->id, strerror(errno));
	fd_close(&fd);
}
