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
#include "qmgr/intake.h"
#include "qmgr/outcome.h"
#include "qmgr/scan.h"

enum { LOCK_POLL_MS = 20, LOCK_PATIENCE_MS = 5000 };

static int lock = -1;

void
life_open_lock(void)
{
	lock = open("pid/qmgr.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
	    0600);
	if (lock == -1)
		fatal("cannot open pid/qmgr.lock: %s", strerror(errno));
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
	if (!service_retiring())
		return true;
	flock(lock, LOCK_UN);
	return false;
}

void
life_retire(void)
{
	intake_stop();
	scan_stop();
	if (lock != -1)
		flock(lock, LOCK_UN);
	life_check();
}

void
life_check(void)
{
	if (service_retiring() && dispatch_busy() == 0 && outcome_busy() == 0)
		task_loop_stop();
}
