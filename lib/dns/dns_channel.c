/* SPDX-License-Identifier: ISC */
#include "lib/dns/dns_channel.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <ev.h>
#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/task/task.h"

/* c-ares says which of its sockets it wants watched; libev watches them. */
struct socket_watch {
	ev_io io; /* the first: libev calls with it */
	struct socket_watch *next;
};

struct dns_channel {
	ares_channel ares;
	struct socket_watch *sockets;
	ev_timer timer;
	double first_wait_s; /* no try of a question is waited for less */
	size_t asked;
	size_t in_vain; /* of these */
};

static void
set_timer(struct dns_channel *c, double seconds)
{
	ev_timer_stop(task_ev_loop(), &c->timer);
	ev_timer_set(&c->timer, seconds, 0.0);
	ev_timer_start(task_ev_loop(), &c->timer);
}

/*
 * After c-ares has run. What it sent just now is not due before the shortest
 * wait is over, so nothing that is under way needs to be looked at here.
 */
static void
settle(struct dns_channel *c)
{
	if (c->asked > 0 && c->asked == c->in_vain)
		ares_cancel(c->ares);
	if (c->asked == 0)
		ev_timer_stop(task_ev_loop(), &c->timer);
	else if (!ev_is_active(&c->timer) ||
	    ev_timer_remaining(task_ev_loop(), &c->timer) > c->first_wait_s)
		set_timer(c, c->first_wait_s);
}

static void
socket_ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct dns_channel *c = io->data;
	int fd = io->fd;

	(void)loop;
	/* which may close it, and with it the watch goes */
	ares_process_fd(c->ares, (events & EV_READ) ? fd : ARES_SOCKET_BAD,
	    (events & EV_WRITE) ? fd : ARES_SOCKET_BAD);
	settle(c);
}

/* ares_timeout looks at all questions: here alone, and for many at once. */
static void
time_passed(struct ev_loop *loop, ev_timer *timer, int events)
{
	enum { TOGETHER_MS = 10 };
	struct dns_channel *c = timer->data;
	struct timeval tv, *left;

	(void)loop, (void)events;
	ares_process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	settle(c);
	if (c->asked == 0)
		return;
	left = ares_timeout(c->ares, NULL, &tv);
	if (left != NULL)
		set_timer(c,
		    (double)left->tv_sec + (double)left->tv_usec / 1e6 +
			TOGETHER_MS / 1e3);
}

static struct socket_watch *
watch_new(struct dns_channel *c, int fd)
{
	struct socket_watch *w = mem_new(sizeof(*w));

	ev_io_init(&w->io, socket_ready, fd, 0);
	w->io.data = c;
	w->next = c->sockets;
	c->sockets = w;
	return w;
}

/* c-ares: this socket is to be watched so from now on. */
static void
socket_state(void *argument, ares_socket_t fd, int readable, int writable)
{
	struct dns_channel *c = argument;
	struct socket_watch **link = &c->sockets, *w;

	while (*link != NULL && (*link)->io.fd != fd)
		link = &(*link)->next;
	w = *link;
	if (w != NULL)
		ev_io_stop(task_ev_loop(), &w->io);
	if (readable || writable) {
		if (w == NULL)
			w = watch_new(c, fd);
		ev_io_set(&w->io, fd,
		    (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
		ev_io_start(task_ev_loop(), &w->io);
	} else if (w != NULL) {
		*link = w->next;
		free(w);
	}
}

static ares_channel
open_channel(const char *servers, struct ares_options *options, int given)
{
	ares_channel channel = NULL;
	int status = ares_library_init(ARES_LIB_INIT_ALL);

	if (status == ARES_SUCCESS)
		status = ares_init_options(&channel, options, given);
	if (status == ARES_SUCCESS && servers != NULL && servers[0] != '\0')
		status = ares_set_servers_ports_csv(channel, servers);
	if (status != ARES_SUCCESS)
		fatal("cannot set up name service: %s", ares_strerror(status));
	return channel;
}

size_t
dns_channel_servers(const char *servers, uint16_t *ports, size_t max)
{
	enum { USUAL = 53 };
	ares_channel channel = open_channel(servers, NULL, 0);
	struct ares_addr_port_node *all = NULL;
	size_t n = 0;

	if (ares_get_servers_ports(channel, &all) != ARES_SUCCESS)
		fatal("cannot tell which name servers there are");
	for (const struct ares_addr_port_node *s = all; s != NULL; s = s->next)
		if (n++ < max)
			ports[n - 1] =
			    (uint16_t)(s->tcp_port != 0 ? s->tcp_port : USUAL);
	ares_free_data(all);
	ares_destroy(channel);
	return n;
}

/*
 * c-ares asks each server so often, one after the other, and waits twice as
 * long in each round: altogether the patience that is asked for. One server is
 * waited for 2, 4, 8 and 16 of 30 seconds. By TCP it asks a server again only
 * when the connection broke.
 */
static void
set_patience(struct ares_options *options, enum dns_transport transport,
    int patience_ms, size_t servers)
{
	int n = servers > 0 ? (int)servers : 1;

	if (transport == DNS_TCP || n > 3)
		options->tries = 2;
	else
		options->tries = n == 1 ? 4 : 3;
	options->timeout = patience_ms / n / ((1 << options->tries) - 1);
}

struct dns_channel *
dns_channel_new(const char *servers, size_t count, enum dns_transport transport,
    int patience_ms)
{
	struct dns_channel *c = mem_new(sizeof(*c));
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES |
		    (transport == DNS_TCP ? ARES_FLAG_USEVC : ARES_FLAG_IGNTC),
		.sock_state_cb = socket_state,
		.sock_state_cb_data = c,
	};
	int given = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
	    ARES_OPT_SOCK_STATE_CB;

	set_patience(&options, transport, patience_ms, count);
	/* since 1.31 it keeps answers, which strangers could fill it with */
#ifdef ARES_OPT_QUERY_CACHE
	options.qcache_max_ttl = 0;
	given |= ARES_OPT_QUERY_CACHE;
#endif
	c->ares = open_channel(servers, &options, given);
	c->first_wait_s = options.timeout / 1e3;
	ev_timer_init(&c->timer, time_passed, 0.0, 0.0);
	c->timer.data = c;
	return c;
}

static void
heard(void *argument, int status, int timeouts, unsigned char *message,
    int length)
{
	struct dns_asked *a = argument;

	(void)timeouts;
	a->channel->asked--;
	if (a->in_vain)
		a->channel->in_vain--;
	a->channel = NULL;
	a->answered(a, status, message, length);
}

void
dns_channel_ask(struct dns_channel *c, const char *name, int type,
    struct dns_asked *a)
{
	/* c-ares looks for an unused one of 65536 numbers until it has one */
	enum { ASKED_MAX = 30000 };

	a->channel = c;
	a->in_vain = false;
	if (++c->asked > ASKED_MAX)
		heard(a, ARES_ENOMEM, 0, NULL, 0);
	else
		ares_query(c->ares, name, ns_c_in, type, heard, a);
	settle(c);
}

size_t
dns_channel_load(const struct dns_channel *c)
{
	return c->asked;
}

void
dns_channel_in_vain(struct dns_asked *a, bool in_vain)
{
	struct dns_channel *c = a->channel;

	if (a->in_vain == in_vain)
		return;
	a->in_vain = in_vain;
	if (in_vain)
		c->in_vain++;
	else
		c->in_vain--;
	settle(c);
}
