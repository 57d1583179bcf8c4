/* SPDX-License-Identifier: ISC */
#include "lib/dns/dns_query.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <ev.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/dns/dns_names.h"
#include "lib/log/log.h"
#include "lib/task/task.h"

/*
 * c-ares says which of its sockets it wants watched. In a program with tasks
 * libev watches them and its callbacks wake the task that asked; without, the
 * one who asks polls them until the answer is there.
 */
enum {
	SOCKETS_MAX = 64,
	/* c-ares looks for an unused one of 65536 numbers until it has one */
	IN_FLIGHT_MAX = 30000,
};

struct dns_query {
	struct dns_asker *asker;
	struct wait_queue waiting;
	bool done;
	bool abandoned; /* the callback frees it */
	enum dns_result result;
	unsigned char *message;
	int length;
};

struct socket_watch {
	ev_io io;
	int fd; /* -1: free */
	int events; /* EV_READ, EV_WRITE */
};

static ares_channel channel;
static struct socket_watch sockets[SOCKETS_MAX];
static ev_timer timer;
static bool in_loop; /* libev watches */
static unsigned int in_flight;
static unsigned int in_vain; /* of these, those that nobody waits for */

static void set_timer(void);

static void
socket_ready(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop;
	ares_process_fd(channel, (events & EV_READ) ? io->fd : ARES_SOCKET_BAD,
	    (events & EV_WRITE) ? io->fd : ARES_SOCKET_BAD);
	set_timer();
}

static void
time_passed(struct ev_loop *loop, ev_timer *t, int events)
{
	(void)loop, (void)t, (void)events;
	ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_timer();
}

static void
set_timer(void)
{
	struct timeval tv, *left;

	if (!in_loop)
		return;
	ev_timer_stop(task_ev_loop(), &timer);
	if (in_flight == 0)
		return;
	left = ares_timeout(channel, NULL, &tv);
	if (left == NULL)
		return;
	ev_timer_init(&timer, time_passed,
	    (double)left->tv_sec + (double)left->tv_usec / 1e6 + 0.001, 0.0);
	ev_timer_start(task_ev_loop(), &timer);
}

static struct socket_watch *
watch_for(int fd, bool make)
{
	struct socket_watch *unused = NULL;

	for (size_t i = 0; i < SOCKETS_MAX; i++) {
		if (sockets[i].fd == fd)
			return &sockets[i];
		if (sockets[i].fd < 0)
			unused = &sockets[i];
	}
	return make ? unused : NULL;
}

static void
start_watch(struct socket_watch *w)
{
	ev_io_init(&w->io, socket_ready, w->fd, w->events);
	ev_io_start(task_ev_loop(), &w->io);
}

/* c-ares: this socket is to be watched so from now on. */
static void
socket_state(void *unused, ares_socket_t fd, int readable, int writable)
{
	struct socket_watch *w = watch_for(fd, readable || writable);

	(void)unused;
	if (w == NULL)
		return; /* a server that is never heard: times out */
	if (w->fd == fd && in_loop)
		ev_io_stop(task_ev_loop(), &w->io);
	w->events = (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0);
	w->fd = w->events != 0 ? fd : -1;
	if (w->fd >= 0 && in_loop)
		start_watch(w);
}

/* The first question out of a task: libev takes over. */
static void
enter_loop(void)
{
	if (in_loop || task_current() == NULL)
		return;
	in_loop = true;
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		if (sockets[i].fd >= 0)
			start_watch(&sockets[i]);
}

static void
make_channel(const char *servers, struct ares_options *options, int given)
{
	int status = ares_init_options(&channel, options, given);

	if (status == ARES_SUCCESS && servers != NULL && servers[0] != '\0')
		status = ares_set_servers_ports_csv(channel, servers);
	if (status != ARES_SUCCESS)
		fatal("cannot set up name service: %s", ares_strerror(status));
}

/*
 * c-ares asks each server so often, one after the other, and waits twice as
 * long in each round: altogether the patience that is asked for. One server is
 * waited for 2, 4, 8 and 16 of 30 seconds.
 */
static void
set_patience(struct ares_options *options, int patience_ms, int servers)
{
	options->tries = servers == 1 ? 4 : servers <= 3 ? 3 : 2;
	options->timeout = patience_ms / servers / ((1 << options->tries) - 1);
}

void
dns_open(const char *servers, int patience_ms)
{
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
		.sock_state_cb = socket_state,
	};
	int given = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
	    ARES_OPT_SOCK_STATE_CB;
	uint16_t ports[DNS_PORTS_MAX];
	size_t count;

	ensure(channel == NULL);
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		sockets[i].fd = -1;
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		fatal("cannot set up name service");
	make_channel(servers, NULL, 0);
	count = dns_ports(ports);
	ares_destroy(channel);
	set_patience(&options, patience_ms, count > 0 ? (int)count : 1);
	/* since 1.31 it keeps answers, which strangers could fill it with */
#ifdef ARES_OPT_QUERY_CACHE
	options.qcache_max_ttl = 0;
	given |= ARES_OPT_QUERY_CACHE;
#endif
	make_channel(servers, &options, given);
}

size_t
dns_ports(uint16_t ports[DNS_PORTS_MAX])
{
	enum { USUAL = 53 };
	struct ares_addr_port_node *all = NULL;
	size_t n = 0;

	if (ares_get_servers_ports(channel, &all) != ARES_SUCCESS)
		return 0;
	for (const struct ares_addr_port_node *s = all;
	     s != NULL && n < DNS_PORTS_MAX; s = s->next)
		ports[n++] = (uint16_t)(s->tcp_port != 0 ? s->tcp_port : USUAL);
	ares_free_data(all);
	return n;
}

/*
 * ARES_EFORMERR is what a server says, and may be its own fault: a name that is
 * none was refused before, or is ARES_EBADNAME.
 */
static enum dns_result
result_of(int status, bool heard)
{
	switch (status) {
	case ARES_SUCCESS:
		return DNS_OK;
	case ARES_ENOTFOUND:
		return DNS_NO_NAME;
	case ARES_ENODATA:
		return DNS_NO_DATA;
	case ARES_EBADNAME:
		return DNS_BAD;
	case ARES_EFORMERR:
		/* a server that did not understand says nothing of the name */
		return heard ? DNS_AGAIN : DNS_BAD;
	default:
		return DNS_AGAIN;
	}
}

static void
release(struct dns_query *q)
{
	free(q->message);
	free(q);
}

/* The servers have done with one that nobody waits for. */
static void
forget(struct dns_query *q)
{
	struct dns_asker *asker = q->asker;

	in_vain--;
	release(q);
	if (asker == NULL)
		return;
	asker->in_vain--;
	if (asker->freed != NULL)
		asker->freed(asker);
}

static void
answered(void *argument, int status, int timeouts, unsigned char *message,
    int length)
{
	struct dns_query *q = argument;

	(void)timeouts;
	in_flight--;
	if (q->abandoned) {
		forget(q);
		return;
	}
	q->result = result_of(status, message != NULL);
	if (status == ARES_SUCCESS && length > 0) {
		q->message = mem_new((size_t)length);
		memcpy(q->message, message, (size_t)length);
		q->length = length;
	}
	q->done = true;
	wait_wake_all(&q->waiting);
}

struct dns_query *
dns_query_start(struct dns_asker *asker, const char *name, int type)
{
	struct dns_query *q = mem_new(sizeof(*q));

	q->asker = asker;
	ensure(channel != NULL);
	if (!dns_name_fit(name)) {
		q->done = true;
		q->result = DNS_BAD;
		return q;
	}
	if (in_flight >= IN_FLIGHT_MAX) {
		q->done = true;
		q->result = DNS_AGAIN;
		return q;
	}
	enter_loop();
	in_flight++;
	ares_query(channel, name, ns_c_in, type, answered, q);
	set_timer();
	return q;
}

/* Outside tasks: one round of polling what c-ares wants watched. */
static void
poll_once(int64_t deadline)
{
	struct pollfd p[SOCKETS_MAX];
	int64_t left = deadline - clock_ms();
	struct timeval tv, *next;
	nfds_t n = 0;

	for (size_t i = 0; i < SOCKETS_MAX; i++) {
		if (sockets[i].fd < 0)
			continue;
		p[n].fd = sockets[i].fd;
		p[n].revents = 0;
		p[n++].events =
		    (short)(((sockets[i].events & EV_READ) ? POLLIN : 0) |
			((sockets[i].events & EV_WRITE) ? POLLOUT : 0));
	}
	next = ares_timeout(channel, NULL, &tv);
	if (next != NULL && next->tv_sec * 1000 + next->tv_usec / 1000 < left)
		left = next->tv_sec * 1000 + next->tv_usec / 1000 + 1;
	if (left < 0)
		left = 0;
	if (poll(p, n, left > INT_MAX ? INT_MAX : (int)left) < 0)
		n = 0;
	for (nfds_t i = 0; i < n; i++)
		if (p[i].revents != 0)
			ares_process_fd(channel,
			    (p[i].revents & ~POLLOUT) ? p[i].fd :
							ARES_SOCKET_BAD,
			    (p[i].revents & POLLOUT) ? p[i].fd :
						       ARES_SOCKET_BAD);
	ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

enum dns_result
dns_query_wait(struct dns_query *q, int64_t deadline,
    const unsigned char **message, int *length)
{
	while (!q->done) {
		if (task_current() != NULL) {
			if (wait_on(&q->waiting, deadline) != WAIT_READY)
				return DNS_AGAIN;
			continue;
		}
		poll_once(deadline);
		if (!q->done && clock_ms() >= deadline)
			return DNS_AGAIN;
	}
	*message = q->message;
	*length = q->length;
	return q->result;
}

void
dns_query_free(struct dns_query **qp)
{
	struct dns_query *q = *qp;

	*qp = NULL;
	if (q == NULL)
		return;
	if (q->done) {
		release(q);
		return;
	}
	q->abandoned = true;
	in_vain++;
	if (q->asker != NULL)
		q->asker->in_vain++;
	if (in_vain == in_flight) { /* so that a program can end */
		ares_cancel(channel);
		set_timer();
	}
}
