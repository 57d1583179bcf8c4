/* SPDX-License-Identifier: ISC */
/*
 * Programs that answer requests of many connections, one at a time.
 *
 * SECURITY: the peers hear strangers. A message is read only when all of it is
 * here, so that half a message holds up nobody; after a few answers the other
 * connections have their turn; answers that a peer does not take wait in
 * memory, nothing more is read from it meanwhile, and in the end it is dropped.
 */
#include "lib/service/internal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"

enum {
	CROWDED = 8, /* connections; from here on another process may help */
	CONNECTIONS_MAX = 4096,
	OTHER_FILES = 64, /* descriptors that are no connections */
	TOO_MANY_LOG_MS = 60000,
	TURN_MAX = 16, /* requests before the others have their turn */
	DEAF_MS = 60000, /* longest wait for a peer to take answers */
	DEAF_LOOK_MS = 1000,
	EVENTS = 64,
	ENDING_MS = 3000,
};

struct connection {
	struct connection *next, **link;
	struct ipc *c;
	void *state;
	bool more; /* a whole message is in its buffer */
	int64_t deaf_since; /* answers wait; 0: none do */
};

static struct {
	struct connection *all;
	size_t count;
	size_t most;
	bool listening; /* the listeners are watched */
	int epoll;
	int64_t last_full;
	bool more; /* somebody has */
	size_t deaf; /* connections that take no answers */
	bool leaving; /* takes nothing more, by its own choice */
	int watched; /* of the program itself; -1: none */
	void (*watched_ready)(void);
} requests = { .watched = -1 };

/* What an event is about: a connection, or one of these. */
static char listener_marks[SERVICE_LISTENERS_MAX];
static char control_mark;
static char watched_mark;

static void
add_to_epoll(int fd, uint32_t events, void *what)
{
	struct epoll_event e = { .events = events, .data.ptr = what };

	if (epoll_ctl(requests.epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		fatal("epoll_ctl: %m");
}

static bool
no_more(void)
{
	return control_retiring() || requests.leaving;
}

static void
update_state(void)
{
	bool crowded = requests.count >= CROWDED;

	if (no_more()) {
		slots_state(SLOT_RETIRING);
		return;
	}
	slots_state(crowded ? SLOT_FULL : SLOT_IDLE);
	if (crowded && clock_ms() - requests.last_full >= 1000 &&
	    !slots_other_idle()) {
		requests.last_full = clock_ms();
		control_full((unsigned int)requests.count);
	}
}

static void
drop(struct running *r, struct connection *k)
{
	if (r->spec->closed != NULL)
		r->spec->closed(&r->service, k->state);
	*k->link = k->next;
	if (k->next != NULL)
		k->next->link = k->link;
	if (k->deaf_since != 0)
		requests.deaf--;
	/*
	 * By name: a process that the program has just forked may still hold
	 * the descriptor, and closing it here would not end its events.
	 */
	(void)epoll_ctl(requests.epoll, EPOLL_CTL_DEL, ipc_fd(k->c), NULL);
	ipc_free(&k->c);
	free(k);
	requests.count--;
	rest_after_work();
	slots_sessions(-1);
	update_state();
}

/* One of our own programs is out of its mind, or somebody else's. */
static void
too_many(void)
{
	static int64_t next;

	if (clock_ms() < next)
		return;
	next = clock_ms() + TOO_MANY_LOG_MS;
	log_warning("%zu connections: further ones wait", requests.count);
}

/*
 * Who is too many waits in the listener's queue, for one here to end or for
 * another process; nobody looks at the queue in vain meanwhile.
 */
static void
listen_or_not(const struct running *r)
{
	bool room = requests.count < requests.most;

	if (room == requests.listening)
		return;
	requests.listening = room;
	if (!room)
		too_many();
	for (size_t i = 0; i < r->listener_count; i++) {
		if (room)
			add_to_epoll(r->listeners[i], EPOLLIN | EPOLLEXCLUSIVE,
			    &listener_marks[i]);
		else
			(void)epoll_ctl(requests.epoll, EPOLL_CTL_DEL,
			    r->listeners[i], NULL);
	}
}

/* False: there is none, or no room. */
static bool
take_connection(struct running *r, size_t index)
{
	struct connection *k;
	int fd;

	if (requests.count >= requests.most)
		return false;
	fd = listener_accept(r, index);
	if (fd < 0)
		return false;
	k = mem_new(sizeof(*k));
	k->c = ipc_new(fd, r->spec->protocol, "client");
	ipc_never_wait_to_send(k->c);
	k->link = &requests.all;
	k->next = requests.all;
	if (k->next != NULL)
		k->next->link = &k->next;
	requests.all = k;
	requests.count++;
	slots_sessions(1);
	add_to_epoll(fd, EPOLLIN, k);
	update_state();
	return true;
}

/* Waits to write as long as answers are pending, and to read otherwise. */
static void
note_deafness(struct connection *k)
{
	bool deaf = ipc_pending(k->c);
	struct epoll_event e = { .events = deaf ? EPOLLOUT : EPOLLIN,
		.data.ptr = k };

	if (deaf == (k->deaf_since != 0))
		return;
	k->deaf_since = deaf ? clock_ms() : 0;
	requests.deaf += deaf ? 1 : (size_t)-1;
	if (epoll_ctl(requests.epoll, EPOLL_CTL_MOD, ipc_fd(k->c), &e) < 0)
		fatal("epoll_ctl: %m");
}

/*
 * Only answers: a peer that closed behind messages which have none must not
 * find its last ones dropped because our greeting came too late for it.
 */
static bool
send_answers(struct connection *k)
{
	return !ipc_pending(k->c) || ipc_flush(k->c, 0) == IPC_OK;
}

/* False: the connection is to be dropped. */
static bool
turn(struct running *r, struct connection *k)
{
	enum ipc_result result = IPC_OK;

	if (!send_answers(k))
		return false;
	for (int i = 0; i < TURN_MAX && !ipc_pending(k->c); i++) {
		result = i == 0 ? ipc_poll(k->c) : ipc_poll_again(k->c);
		if (result != IPC_OK)
			break;
		if (!r->spec->request(&r->service, k->c, &k->state) ||
		    !send_answers(k))
			return false;
	}
	note_deafness(k);
	k->more = result == IPC_OK && k->deaf_since == 0;
	requests.more |= k->more;
	return result == IPC_OK || result == IPC_TIMEOUT;
}

static void
serve(struct running *r, struct connection *k)
{
	if (!turn(r, k))
		drop(r, k);
}

static void
hear_master(void)
{
	control_read();
	if (control_gone())
		(void)epoll_ctl(requests.epoll, EPOLL_CTL_DEL, control_fd(),
		    NULL);
}

static void
handle(struct running *r, struct epoll_event *e)
{
	char *mark = e->data.ptr;

	if (mark == &control_mark)
		hear_master();
	else if (mark == &watched_mark)
		requests.watched_ready();
	else if (mark >= listener_marks &&
	    mark < listener_marks + SERVICE_LISTENERS_MAX)
		(void)take_connection(r, (size_t)(mark - listener_marks));
	else
		serve(r, e->data.ptr);
}

static void
serve_buffered(struct running *r)
{
	struct connection *next;

	requests.more = false;
	for (struct connection *k = requests.all; k != NULL; k = next) {
		next = k->next;
		if (k->more)
			serve(r, k);
	}
}

static void
drop_deaf(struct running *r)
{
	struct connection *next;

	for (struct connection *k = requests.all; k != NULL; k = next) {
		next = k->next;
		if (k->deaf_since == 0 || clock_ms() - k->deaf_since < DEAF_MS)
			continue;
		log_warning("a client takes no answers: dropped");
		drop(r, k);
	}
}

/* Events of one wait, then those whose next message is here already. */
static void
round_of_events(struct running *r, int64_t deadline)
{
	struct epoll_event events[EVENTS];
	int64_t prune = pool_prune(), rest = rest_if_due(), left;
	int n;

	if (rest < prune)
		prune = rest;
	left = (prune < deadline ? prune : deadline) - clock_ms();
	left = left < 0 || requests.more ? 0 : left > INT_MAX ? INT_MAX : left;
	if (requests.deaf > 0 && left > DEAF_LOOK_MS)
		left = DEAF_LOOK_MS;
	n = epoll_wait(requests.epoll, events, EVENTS, (int)left);
	for (int i = 0; i < n; i++)
		handle(r, &events[i]);
	if (requests.more)
		serve_buffered(r);
	if (requests.deaf > 0)
		drop_deaf(r);
}

void
service_watch(int fd, void (*ready)(void))
{
	ensure(requests.watched == -1);
	requests.watched = fd;
	requests.watched_ready = ready;
}

static size_t
connections_most(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 ||
	    files.rlim_cur >= CONNECTIONS_MAX + OTHER_FILES)
		return CONNECTIONS_MAX;
	return files.rlim_cur > 2 * OTHER_FILES ?
	    (size_t)files.rlim_cur - OTHER_FILES :
	    OTHER_FILES;
}

static void
set_up(struct running *r)
{
	requests.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (requests.epoll < 0)
		fatal("epoll_create: %m");
	add_to_epoll(control_fd(), EPOLLIN, &control_mark);
	if (requests.watched >= 0)
		add_to_epoll(requests.watched, EPOLLIN, &watched_mark);
	requests.most = connections_most();
	listen_or_not(r);
}

/*
 * A listener is shared with the processes that go on: closed, it would still
 * be in our epoll, and each connection that woke us alone (EPOLLEXCLUSIVE)
 * would be lost to them. What woke us until now is ours to serve.
 */
static void
leave_listeners(struct running *r)
{
	for (size_t i = 0; i < r->listener_count; i++) {
		(void)epoll_ctl(requests.epoll, EPOLL_CTL_DEL, r->listeners[i],
		    NULL);
		while (take_connection(r, i))
			;
	}
	listeners_close(r);
}

/* Before the listeners are left: master looks whether to start another one. */
void
requests_leave(void)
{
	if (no_more())
		return;
	requests.leaving = true;
	slots_state(SLOT_RETIRING);
	control_full((unsigned int)requests.count);
}

/* Clients close what they do not use within seconds. */
static void
retire(struct running *r)
{
	int64_t end = 0;

	/*
	 * If it is one too many, or was idle for too long: what it still takes
	 * may keep it alive, and master must not count on it meanwhile.
	 */
	requests_leave();
	slots_state(SLOT_RETIRING);
	leave_listeners(r);
	if (r->spec->retire != NULL)
		r->spec->retire(&r->service);
	while (requests.count > 0) {
		if (control_ending_now() && end == 0)
			end = clock_ms() + ENDING_MS;
		if (end != 0 && clock_ms() >= end)
			break;
		round_of_events(r, end != 0 ? end : INT64_MAX);
	}
	while (requests.all != NULL)
		drop(r, requests.all);
}

void
run_requests(struct running *r)
{
	int64_t since = clock_ms(), look = since;

	ensure(r->spec->protocol != NULL);
	set_up(r);
	while (!no_more()) {
		round_of_events(r, look);
		listen_or_not(r);
		/* the first process stays: its answers are waited for */
		if (requests.count > 0 || slots_first())
			since = clock_ms();
		if (rest_too_many(r, since, &look))
			break;
	}
	retire(r);
	close(requests.epoll);
}
