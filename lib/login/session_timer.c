/* SPDX-License-Identifier: ISC */
#include "lib/login/session_internal.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lib/log/log.h"

void
session_timer_set(struct session_timer *t, int64_t at)
{
	struct itimerspec time = { .it_value = { .tv_sec = at / 1000,
				       .tv_nsec = at % 1000 * 1000000 } };

	if (at >= t->at)
		return;
	t->at = at;
	if (timerfd_settime(t->fd, TFD_TIMER_ABSTIME, &time, NULL) == -1)
		log_warning("timerfd: %m");
}

static bool
ready(struct session_watch *w, unsigned int events)
{
	struct session_timer *t = (struct session_timer *)w;
	uint64_t times;

	(void)events;
	if (read(t->fd, &times, sizeof(times)) == -1 && errno != EAGAIN)
		log_warning("timerfd: %m");
	t->at = INT64_MAX;
	t->rings();
	return true;
}

void
session_timer_setup(struct session_timer *t, void (*rings)(void))
{
	t->watch.ready = ready;
	t->rings = rings;
	t->at = INT64_MAX;
	t->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (t->fd == -1 || !session_watch_add(t->fd, EPOLLIN, &t->watch))
		fatal("timerfd: %m");
}
