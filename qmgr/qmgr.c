/* SPDX-License-Identifier: ISC */
/*
 * qmgr: owner and schedule of the queue.
 *
 * SECURITY. Runs as the queue's owner, confined to the queue directory, and
 * speaks to no network: only to other programs of the suite, through
 * connections that master makes. New mail is announced by cleanup alone;
 * people reach the public socket and may ask for attempts, no more. Queue
 * files hold strangers' text: they are read by lib/queue, which believes
 * nothing, and a bad one is moved aside. Delivery agents get a descriptor
 * open for reading (virtual, which is root, for writing as well, where it may
 * keep the file) and what they answer is text for the log; no answer names a
 * file.
 */
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/queue/queue_file.h"
#include "lib/service/service.h"
#include "lib/task/task.h"
#include "qmgr/asked.h"
#include "qmgr/intake.h"
#include "qmgr/life.h"
#include "qmgr/scan.h"
#include "qmgr/settings.h"

static void
before(const struct service *s)
{
	settings_load(s->conf);
	life_open_lock();
	asked_open();
}

static void
begin(void *nothing)
{
	(void)nothing;
	if (!life_take_lock())
		return;
	scan_start();
	intake_start();
	life_follow();
}

static void
run(const struct service *s)
{
	(void)s;
	srandom((unsigned int)clock_wall_us());
	queue_hash_depth((unsigned int)settings_common()->hash_queue_depth);
	task_start(begin, NULL);
	service_ready();
	task_loop();
}

static void
retire(const struct service *s)
{
	(void)s;
	life_retire();
}

int
main(int argc, char **argv)
{
	static const struct service_spec spec = {
		.program = "qmgr",
		.style = SERVICE_OWN,
		.params = settings_groups,
		.before = before,
		.retire = retire,
		.run = run,
	};

	return service_run(&spec, argc, argv);
}
