/* SPDX-License-Identifier: ISC */
#include "lib/task/task_internal.h"

#include <ev.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/mem.h"

/*
 * One watcher for each descriptor ever waited for. It stays started when the
 * wait is over: a session that answers and reads on costs no epoll_ctl(2)
 * at all. An event that nobody waits for stops it (or narrows its mask).
 *
 * These watchers do not keep the loop alive (ev_unref); tasks do.
 */
struct watch {
	ev_io io;
	struct task *reader;
	struct task *writer;
};

static struct watch **watches; /* by descriptor */
static size_t room;
static int epoll_of_loop = -1;

static void
watch_stop(struct watch *w)
{
	if (!ev_is_active(&w->io))
		return;
	ev_ref(task_ev_loop());
	ev_io_stop(task_ev_loop(), &w->io);
}

static void
watch_start(struct watch *w, int events)
{
	if (ev_is_active(&w->io) &&
	    (w->io.events & (EV_READ | EV_WRITE)) == events)
		return;
	watch_stop(w);
	/* unlike ev_io_set, this does not force a system call */
	ev_io_modify(&w->io, events);
	ev_io_start(task_ev_loop(), &w->io);
	ev_unref(task_ev_loop());
}

static int
wanted(const struct watch *w)
{
	return (w->reader != NULL ? EV_READ : 0) |
	    (w->writer != NULL ? EV_WRITE : 0);
}

static void
ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct watch *w = (struct watch *)io->data;

	if (!ev_is_active(io)) /* EV_ERROR: the loop has stopped it */
		ev_ref(loop);
	if ((events & EV_READ) && w->reader != NULL)
		task_wake(w->reader, WAIT_READY);
	if ((events & EV_WRITE) && w->writer != NULL)
		task_wake(w->writer, WAIT_READY);
	if ((events & (EV_READ | EV_WRITE) & ~wanted(w)) == 0)
		return;
	if (wanted(w) == 0)
		watch_stop(w);
	else
		watch_start(w, wanted(w));
}

static struct watch *
watch_of(int fd)
{
	size_t i = (size_t)fd;

	ensure(fd >= 0);
	if (i >= room) {
		size_t old = room;

		room = i < 64 ? 128 : i * 2;
		watches = mem_resize(watches, room * sizeof(struct watch *));
		while (old < room)
			watches[old++] = NULL;
	}
	if (watches[i] == NULL) {
		watches[i] = mem_new(sizeof(struct watch));
		ev_io_init(&watches[i]->io, ready, fd, 0);
		watches[i]->io.data = watches[i];
	}
	return watches[i];
}

static enum wait_result
poll_for(int fd, unsigned int events, int64_t deadline)
{
	struct pollfd p = { .fd = fd };
	int64_t left;
	int n;

	p.events = (short)(((events & WAIT_READ) ? POLLIN : 0) |
	    ((events & WAIT_WRITE) ? POLLOUT : 0));
	do {
		left = deadline == INT64_MAX ? -1 : deadline - clock_ms();
		if (left < 0 && deadline != INT64_MAX)
			left = 0;
		n = poll(&p, 1, left > INT_MAX ? INT_MAX : (int)left);
		if (n > 0)
			return WAIT_READY;
	} while ((n < 0 && errno == EINTR) || (n == 0 && left > INT_MAX));
	return WAIT_TIMEOUT;
}

enum wait_result
wait_fd(int fd, unsigned int events, int64_t deadline)
{
	struct task *t = task_current();
	enum wait_result result;
	struct watch *w;

	ensure(
	    events != 0 && (events & ~(unsigned)(WAIT_READ | WAIT_WRITE)) == 0);
	if (t == NULL)
		return poll_for(fd, events, deadline);
	if (t->cancelled)
		return WAIT_CANCELLED;
	if (deadline <= clock_ms())
		return poll_for(fd, events, 0);
	w = watch_of(fd);
	if (events & WAIT_READ) {
		ensure(w->reader == NULL);
		w->reader = t;
	}
	if (events & WAIT_WRITE) {
		ensure(w->writer == NULL);
		w->writer = t;
	}
	watch_start(w, wanted(w));
	result = task_suspend(deadline);
	if (events & WAIT_READ)
		w->reader = NULL;
	if (events & WAIT_WRITE)
		w->writer = NULL;
	return result;
}

void
wait_forget(int fd)
{
	struct watch *w;

	if (fd < 0 || (size_t)fd >= room || (w = watches[fd]) == NULL)
		return;
	ensure(w->reader == NULL && w->writer == NULL);
	watch_stop(w);
	/* the number may come back as another file: tell the kernel anew */
	ev_io_set(&w->io, fd, 0);
}

void
wait_release(int fd)
{
	struct epoll_event none = { 0 };

	if (fd < 0 || (size_t)fd >= room || watches[fd] == NULL)
		return;
	wait_forget(fd);
	if (epoll_of_loop >= 0)
		epoll_ctl(epoll_of_loop, EPOLL_CTL_DEL, fd, &none);
}

/*
 * libev does not tell its epoll descriptor, and forgets descriptors only by
 * their being closed. One that lives on in another process would go on to
 * report here, so its number is found out when the loop is made: it is the
 * lowest one that was free. -1 when that cannot be proven.
 */
static int
epoll_if_so(int fd)
{
	struct epoll_event none = { 0 };
	int other = eventfd(0, EFD_CLOEXEC);
	bool is_epoll;

	if (fd < 0 || other < 0)
		return -1;
	is_epoll =
	    epoll_ctl(fd, EPOLL_CTL_DEL, other, &none) == -1 && errno == ENOENT;
	close(other);
	return is_epoll ? fd : -1;
}

struct ev_loop *
task_ev_loop(void)
{
	static struct ev_loop *loop;
	int lowest;

	if (loop != NULL)
		return loop;
	lowest = epoll_create1(EPOLL_CLOEXEC);
	if (lowest >= 0)
		close(lowest);
	loop = ev_default_loop(EVBACKEND_EPOLL | EVFLAG_NOENV |
	    EVFLAG_NOINOTIFY | EVFLAG_NOTIMERFD);
	ensure(loop != NULL);
	epoll_of_loop = epoll_if_so(lowest);
	return loop;
}
