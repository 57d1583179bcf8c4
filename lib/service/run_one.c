/* SPDX-License-Identifier: ISC */
/*
 * Programs that do one thing at a time: SERVICE_ONE, and SERVICE_OWN that
 * only waits for triggers.
 */
#include "lib/service/internal.h"

#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/log/log.h"

enum {
	CONTROL = SERVICE_LISTENERS_MAX,
	TURN_MS = 100, /* of a busy peer while others wait */
	QUIET_MS = 20, /* of a peer that then counts as idle */
	QUIET_CROWDED_MS = 1,
	QUIET_FIRST_MS = 1000, /* it has only just come to its turn */
};

/* The session at hand, and whoever comes after it. */
static struct {
	struct running *running; /* NULL: none of this style */
	int64_t turn_ends;
	bool began; /* it has spoken */
	bool slow; /* its last pause was longer than that of an idle one */
	bool crowded; /* the last look found somebody waiting */
	bool looked; /* for master's word, in this turn */
	int next; /* connection accepted meanwhile, -1: none */
} turn = { .next = -1 };

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

/* What is done while nobody asks; when again. It may be told to retire. */
static int64_t
idle(const struct running *r)
{
	int64_t prune = pool_prune(), rest = rest_if_due();
	int64_t own = r->spec->idle != NULL ? r->spec->idle() : INT64_MAX;

	if (rest < prune)
		prune = rest;
	return own < prune ? own : prune;
}

/* The index of a listener, CONTROL, or -1 at the deadline, or earlier. */
static int
wait_for(const struct running *r, int epoll, int64_t deadline)
{
	struct epoll_event e;
	int64_t next = idle(r), left;
	int n;

	if (control_retiring())
		return -1;
	left = (next < deadline ? next : deadline) - clock_ms();
	if (left > INT_MAX)
		left = INT_MAX;
	n = epoll_wait(epoll, &e, 1, left < 0 ? 0 : (int)left);
	if (n <= 0)
		return -1;
	if (e.data.u64 == CONTROL)
		control_read();
	return (int)e.data.u64;
}

/* Somebody waits, and there is nor will be another process for it. */
static bool
accept_next(void)
{
	struct running *r = turn.running;

	turn.turn_ends = clock_ms() + TURN_MS;
	turn.crowded = false;
	if (r == NULL || slots_other_idle() ||
	    !slots_at_limit(r->service.maxproc))
		return false;
	for (size_t i = 0; i < r->listener_count && turn.next < 0; i++)
		turn.next = listener_accept(r, i);
	turn.crowded = turn.next >= 0;
	return turn.crowded;
}

/*
 * From now on the peer's sends fail. What it sent before is served; it cannot
 * tell that from silence.
 */
static bool
hear_last_words(const struct ipc *c)
{
	int n = 0;

	(void)shutdown(ipc_fd(c), SHUT_RD);
	return ipc_buffered(c) ||
	    (ioctl(ipc_fd(c), FIONREAD, &n) == 0 && n > 0);
}

/*
 * Until the peer, master, or with "all" a listener has something; whether the
 * peer has. What master says is heard meanwhile.
 */
static bool
wait_for_any(const struct ipc *c, int64_t deadline, bool all)
{
	static struct pollfd p[2 + SERVICE_LISTENERS_MAX];
	int64_t left = deadline - clock_ms();
	nfds_t n = 0;

	p[n++] = (struct pollfd){ .fd = ipc_fd(c), .events = POLLIN };
	p[n++] = (struct pollfd){ .fd = control_retiring() ? -1 : control_fd(),
		.events = POLLIN };
	for (size_t i = 0;
	     all && turn.running != NULL && i < turn.running->listener_count;
	     i++)
		p[n++] = (struct pollfd){ .fd = turn.running->listeners[i],
			.events = POLLIN };
	turn.looked = true;
	if (left < 0)
		left = 0;
	if (poll(p, n, left > INT_MAX ? INT_MAX : (int)left) <= 0)
		return false;
	if (p[1].revents != 0)
		control_read();
	return p[0].revents != 0;
}

/* So long, whatever master says meanwhile. */
static bool
wait_for_peer(const struct ipc *c, int64_t ms)
{
	int64_t until = clock_ms() + ms;

	do
		if (wait_for_any(c, until, false))
			return true;
	while (clock_ms() < until);
	return false;
}

static int64_t
patience(void)
{
	if (!turn.began)
		return QUIET_FIRST_MS;
	return turn.crowded ? QUIET_CROWDED_MS : QUIET_MS;
}

/*
 * A wait that ends early, only to be followed by another one, is spared with a
 * peer whose last pause was long. Whoever else has something meanwhile finds
 * that wait before him, as ever.
 */
static bool
wait_for_slow(const struct ipc *c, int64_t deadline)
{
	int64_t since = clock_ms();
	bool came = wait_for_any(c, deadline, true);

	turn.slow = clock_ms() - since >= QUIET_MS;
	return came;
}

/*
 * Somebody waits, or master has said that this process is to end. That is
 * looked for by each wait; a turn may have had none.
 */
static bool
turn_is_over(void)
{
	bool looked = turn.looked;

	if (clock_ms() < turn.turn_ends)
		return false;
	turn.looked = false;
	return accept_next() ||
	    (looked ? control_retiring() : service_retiring());
}

bool
service_next(struct ipc *c, int64_t deadline)
{
	bool came;

	if (turn.next >= 0)
		return false; /* its last words were heard */
	if (turn.began && (control_retiring() || turn_is_over()))
		return hear_last_words(c);
	came = ipc_buffered(c) || ipc_poll_again(c) != IPC_TIMEOUT;
	if (turn.slow && !came)
		came = wait_for_slow(c, deadline);
	while (!came && !wait_for_peer(c, patience())) {
		turn.slow = turn.began;
		if (accept_next() || control_retiring() ||
		    clock_ms() >= deadline)
			return hear_last_words(c);
		came = wait_for_any(c, deadline, true);
	}
	(void)ipc_poll(c); /* what a wait has told of */
	turn.began = true;
	return true;
}

static void
serve(struct running *r, int fd)
{
	slots_state(SLOT_FULL);
	for (; fd >= 0; fd = turn.next) {
		slots_sessions(1);
		turn.next = -1;
		turn.running = r;
		turn.began = turn.slow = turn.looked = false;
		turn.turn_ends = clock_ms() + TURN_MS;
		if (!slots_other_idle())
			control_full(1);
		r->spec->session(&r->service, fd);
		slots_sessions(-1);
	}
	rest_after_work();
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
	int64_t since = clock_ms(), look = since;

	while (!control_retiring()) {
		int which, fd;

		if (clock_ms() >= look && rest_too_many(r, since, &look))
			break;
		which = wait_for(r, epoll, look);

		if (which >= 0 && which != CONTROL) {
			fd = listener_accept(r, (size_t)which);
			if (fd >= 0)
				serve(r, fd);
			since = look = clock_ms();
			control_read();
		}
	}
	slots_state(SLOT_RETIRING);
	close(epoll);
	serve_the_rest(r);
	listeners_close(r);
	(void)idle(r);
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
		int which = wait_for(r, epoll, INT64_MAX);

		if (which < 0 || which == CONTROL)
			continue;
		take_triggers(r);
		slots_sessions(1);
		r->spec->trigger(&r->service);
		slots_sessions(-1);
		rest_after_work();
		control_read();
	}
	close(epoll);
	listeners_close(r);
}
