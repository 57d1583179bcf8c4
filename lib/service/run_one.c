/* SPDX-License-Identifier: ISC */
/*
 * Programs that do one thing at a time: SERVICE_ONE, and SERVICE_OWN that
 * only waits for triggers.
 */
#include "lib/service/internal.h"

#include <limits.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/log/log.h"

enum { CONTROL = SERVICE_LISTENERS_MAX };

/*
 * Of several idle processes one wakes for a connection (EPOLLEXCLUSIVE);
 * it is the same one each time, while it is idle, so that the others grow old
 * and end.
 */
static int
watch(const struct running *r)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		fatal("epoll_create: %m");
	for (size_t i = 0; i < r->listener_count; i++) {
		e.data.u64 = i;
		if (epoll_ctl(fd, EPOLL_CTL_ADD, r->listeners[i], &e) < 0)
			fatal("epoll_ctl: %m");
	}
	e.events = EPOLLIN;
	e.data.u64 = CONTROL;
	if (epoll_ctl(fd, EPOLL_CTL_ADD, control_fd(), &e) < 0)
		fatal("epoll_ctl: %m");
	return fd;
}

/* The index of a listener, CONTROL, or -1 at the deadline. */
static int
wait_for(int epoll, int64_t deadline)
{
	struct epoll_event e;
	int64_t prune = pool_prune(), left;
	int n;

	left = (prune < deadline ? prune : deadline) - clock_ms();
	if (left > INT_MAX)
		left = INT_MAX;
	n = epoll_wait(epoll, &e, 1, left < 0 ? 0 : (int)left);
	if (n <= 0)
		return -1;
	if (e.data.u64 == CONTROL)
		control_read();
	return (int)e.data.u64;
}

static void
serve(struct running *r, int fd)
{
	slots_sessions(1);
	slots_state(SLOT_FULL);
	if (!slots_other_idle())
		control_full(1);
	r->spec->session(&r->service, fd);
	slots_sessions(-1);
	slots_state(SLOT_IDLE);
}

/*
 * A connection may have woken this process alone, in the moment in which it
 * decided to end: nobody else would come for it.
 */
static void
serve_the_rest(struct running *r)
{
	int fd;

	for (size_t i = 0; i < r->listener_count; i++)
		while ((fd = listener_accept(r, i)) >= 0) {
			serve(r, fd);
			slots_state(SLOT_RETIRING);
		}
}

void
run_one(struct running *r)
{
	int epoll = watch(r);
	int64_t end = clock_ms() + r->max_idle_ms;

	while (!control_retiring()) {
		int which = wait_for(epoll, end), fd;

		if (which >= 0 && which != CONTROL) {
			fd = listener_accept(r, (size_t)which);
			if (fd >= 0)
				serve(r, fd);
			end = clock_ms() + r->max_idle_ms;
			control_read();
		} else if (which < 0 && clock_ms() >= end) {
			break;
		}
	}
	slots_state(SLOT_RETIRING);
	close(epoll);
	serve_the_rest(r);
	listeners_close(r);
	if (r->spec->retire != NULL)
		r->spec->retire(&r->service);
}

/* A connection is the trigger; what it says does not matter. */
static void
take_triggers(struct running *r)
{
	char bytes[64];
	int fd;

	for (size_t i = 0; i < r->listener_count; i++)
		while ((fd = listener_accept(r, i)) >= 0) {
			(void)!read(fd, bytes, sizeof(bytes));
			close(fd);
		}
}

void
run_triggers(struct running *r)
{
	int epoll = watch(r);

	slots_state(SLOT_IDLE);
	while (!control_retiring()) {
		int which = wait_for(epoll, INT64_MAX);

		if (which < 0 || which == CONTROL)
			continue;
		take_triggers(r);
		slots_sessions(1);
		r->spec->trigger(&r->service);
		slots_sessions(-1);
		control_read();
	}
	close(epoll);
	listeners_close(r);
}
