/* SPDX-License-Identifier: ISC */
#include "qmgr/life.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/log/log.h"
#include "lib/service/service.h"
#include "lib/task/task.h"
#include "qmgr/dispatch.h"
#include "qmgr/entry.h"
#include "qmgr/entry_file.h"
#include "qmgr/intake.h"
#include "qmgr/outcome.h"
#include "qmgr/scan.h"
#include "qmgr/soon.h"

enum { LOCK_POLL_MS = 20, LOCK_PATIENCE_MS = 5000, FOLLOW_MS = 500 };

static int lock = -1; /* its holder schedules */
static int retiring = -1; /* shared by those that finish */
static bool scheduling;
static bool leaving;
static bool handed_over;

static int
open_lock(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd == -1)
		fatal("cannot open %s: %s", path, strerror(errno));
	return fd;
}

void
life_open_lock(void)
{
	lock = open_lock("pid/qmgr.lock");
	retiring = open_lock("pid/qmgr.retiring");
}

bool
life_take_lock(void)
{
	int64_t complain = clock_ms() + LOCK_PATIENCE_MS;

	while (flock(lock, LOCK_EX | LOCK_NB) == -1) {
		if (wait_until(clock_ms() + LOCK_POLL_MS) == WAIT_CANCELLED)
			return false;
		if (clock_ms() > complain) {
			log_warning("another queue manager is still at work");
			complain = clock_ms() + 60000;
		}
	}
	scheduling = !service_retiring();
	if (!scheduling)
		flock(lock, LOCK_UN);
	return scheduling;
}

/* Only the holder of the lock asks, so nobody meets this one by mistake. */
bool
life_others_finish(void)
{
	if (flock(retiring, LOCK_EX | LOCK_NB) == -1)
		return errno == EWOULDBLOCK;
	flock(retiring, LOCK_UN);
	return false;
}

static void
follow(void *nothing)
{
	(void)nothing;
	do {
		scan_incoming();
		(void)wait_until(clock_ms() + FOLLOW_MS);
		if (task_cancelled() || service_retiring())
			return;
	} while (life_others_finish());
	scan_recover_soon();
	scan_incoming();
	scan_deferred();
	soon_hurry();
}

static void
start(task_function *function)
{
	if (task_start(function, NULL) == NULL)
		fatal("no memory for a task");
}

void
life_follow(void)
{
	if (life_others_finish())
		start(follow);
}

static void
hold(void *with, struct entry *e)
{
	(void)with;
	if (e->hold == -1) /* else a report is being made */
		entry_file_hold(e);
}

/* All that took mail up has been told to end, and does at its next step. */
static void
hand_over(void *nothing)
{
	(void)nothing;
	while ((intake_busy() || scan_busy()) && wait_yield() != WAIT_CANCELLED)
		;
	if (scheduling) {
		dispatch_withdraw();
		entry_each(hold, NULL);
		flock(retiring, LOCK_SH);
		flock(lock, LOCK_UN);
	}
	handed_over = true;
	life_check();
}

void
life_retire(void)
{
	if (leaving)
		return; /* told a second time, to hurry */
	leaving = true;
	intake_stop();
	scan_stop();
	start(hand_over);
}

void
life_check(void)
{
	if (handed_over && dispatch_busy() == 0 && outcome_busy() == 0)
		task_loop_stop();
}
