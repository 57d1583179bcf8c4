/* SPDX-License-Identifier: ISC */
/*
 * resolver: asks name servers, for smtpd and smtp.
 *
 * SECURITY. Runs as the network user in an empty root directory. Hostile input:
 * what strangers' name servers say, by way of the site's own or anybody who can
 * send a datagram, and so the parsers of c-ares and lib/dns; and names that
 * smtpd and smtp were told, and may choose when they have been taken over. It
 * has sockets for UDP and TCP, TCP to the ports of name servers alone, holds no
 * secret, is connected to nobody, and is told nothing of the settings but the
 * common ones. Whoever takes it over can answer what he likes, which decides
 * where mail goes that no TLS policy or table says more of, and send datagrams
 * to anywhere.
 *
 * Each question is a task. All connections of a service together have a limit
 * of what may be under way (callers.h). A question counts until its answer has
 * left, and what of it was given up until c-ares has given it up too. What is
 * more waits with its connection, which is heard all the same, so that each has
 * its answer when it is due; a connection has a limit of both together.
 *
 * One that retires hears nothing more and declines what is under way: who is
 * busy asks the next one, and so other name servers, at once as well. Who takes
 * no answers is not waited for then.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/conf/common.h"
#include "lib/dns/dns_names.h"
#include "lib/ipc/proto_resolver.h"
#include "lib/log/log.h"
#include "lib/sandbox/sandbox.h"
#include "lib/service/ask_resolver.h"
#include "lib/service/service.h"
#include "resolver/callers.h"

enum {
	FIRST_S = 10, /* who connects has something to ask */
	QUIET_S = 60,
	LAST_WORDS_S = 5, /* to take what there is, when it retires */
	TURN_MAX = 64,
	HEARD_MAX = 1024, /* bytes of a question, or a greeting */
};

/* A connection; lives as long as its last question. */
struct line {
	struct line *next, **link; /* until it has ended */
	struct ipc *c; /* NULL: it has ended */
	struct caller *caller; /* NULL until master has said who it is */
	int64_t until; /* for the next question, with none under way */
	size_t questions; /* under way, and those that wait to be */
	struct question *waiting; /* the one that is due first is the first */
	struct wait_queue nudge; /* there is something to send */
	struct wait_queue sent; /* there is nothing left to send */
	unsigned int turn;
	bool heard; /* since the socket was waited for */
};

struct question {
	struct question *next; /* while it waits */
	struct line *line;
	uint64_t number;
	enum resolver_kind kind;
	int family;
	char name[DNS_NAME_MAX];
	struct address client;
	int64_t deadline;
};

static struct common_params common;
static struct line *lines;

static void
release(struct line *l)
{
	if (l->c != NULL || l->questions > 0)
		return;
	free(l);
}

typedef enum dns_result find_function(const struct question *q, struct arena *a,
    struct ipc_list *found);

static struct msg_name_record *
records(struct arena *a, size_t count, struct ipc_list *found)
{
	found->items = arena_alloc(a, count * sizeof(struct msg_name_record));
	found->count = count;
	memset(found->items, 0, count * sizeof(struct msg_name_record));
	return found->items;
}

static enum dns_result
find_mx(const struct question *q, struct arena *a, struct ipc_list *found)
{
	struct dns_mx *mx;
	size_t count;
	enum dns_result r = dns_mx(&q->line->caller->asker, a, q->name,
	    q->deadline, &mx, &count);
	struct msg_name_record *to;

	if (r != DNS_OK)
		return r;
	to = records(a, count, found);
	for (size_t i = 0; i < count; i++) {
		to[i].name = mx[i].host;
		to[i].preference = mx[i].preference;
	}
	return r;
}

static enum dns_result
find_addresses(const struct question *q, struct arena *a,
    struct ipc_list *found)
{
	struct address *list;
	size_t count;
	enum dns_result r = dns_addresses(&q->line->caller->asker, a, q->name,
	    q->family, 0, q->deadline, &list, &count);
	struct msg_name_record *to;

	if (r != DNS_OK)
		return r;
	to = records(a, count, found);
	for (size_t i = 0; i < count; i++)
		to[i].address = dns_address_bytes(&list[i]);
	return r;
}

static enum dns_result
find_client(const struct question *q, struct arena *a, struct ipc_list *found)
{
	const char *name, *unverified;
	enum dns_result r = dns_client_name(&q->line->caller->asker, a,
	    &q->client, q->deadline, &name, &unverified);

	if (unverified != NULL)
		records(a, 1, found)->name = unverified;
	return r;
}

static find_function *const finds[] = {
	[RESOLVER_MX] = find_mx,
	[RESOLVER_ADDRESSES] = find_addresses,
	[RESOLVER_CLIENT] = find_client,
};

/* It waits in one of these. */
static void
wake(struct line *l)
{
	wait_wake_all(&l->nudge);
	if (l->caller != NULL)
		wait_wake_all(&l->caller->room);
}

static void
say(struct line *l, const struct msg_name_answer *answer)
{
	if (l->c == NULL)
		return;
	if (ipc_send(l->c, &message_name_answer, answer, 0) == IPC_OK &&
	    !ipc_pending(l->c)) {
		wait_wake_all(&l->sent);
		return;
	}
	wake(l);
}

static void
answer(const struct question *q)
{
	struct msg_name_answer said = { .number = q->number };
	struct arena *a = arena_new();

	said.result = finds[q->kind](q, a, &said.records);
	say(q->line, &said);
	arena_free(&a);
}

static void
end(struct question *q)
{
	struct line *l = q->line;

	l->questions--;
	caller_ended(l->caller);
	release(l);
	free(q);
}

static void
question_task(void *argument)
{
	struct question *q = argument;
	struct line *l = q->line;

	answer(q);
	while (l->c != NULL && ipc_pending(l->c) &&
	    wait_on(&l->sent, INT64_MAX) == WAIT_READY)
		;
	end(q);
}

/* Nobody waits any more for what is past its deadline. */
static void
start(struct question *q)
{
	const struct msg_name_answer none = { .number = q->number,
		.result = DNS_AGAIN };
	struct line *l = q->line;

	caller_began(l->caller);
	if (clock_ms() < q->deadline && task_start(question_task, q) != NULL)
		return;
	say(l, &none);
	end(q);
}

static void
line_up(struct line *l, struct question *q)
{
	struct question **link = &l->waiting;

	while (*link != NULL && (*link)->deadline <= q->deadline)
		link = &(*link)->next;
	q->next = *link;
	*link = q;
	q->line = l;
	l->questions++;
}

/* What is too much for all of its service waits, until it is due. */
static void
start_waiting(struct line *l)
{
	struct question *q;

	while ((q = l->waiting) != NULL &&
	    (clock_ms() >= q->deadline || caller_has_room(l->caller))) {
		l->waiting = q->next;
		start(q);
	}
}

static void
forget_waiting(struct line *l)
{
	struct question *q;

	while ((q = l->waiting) != NULL) {
		l->waiting = q->next;
		l->questions--;
		free(q);
	}
}

/* NULL: no question, and the connection is over. */
static struct question *
take(struct ipc *c, const struct msg_name_question *m)
{
	static const int
	    families[] = { [0] = AF_UNSPEC, [4] = AF_INET, [6] = AF_INET6 };
	struct question *q = mem_new(sizeof(*q));
	int64_t last = clock_ms() + RESOLVER_PATIENCE_MS;

	q->number = m->number;
	q->kind = (enum resolver_kind)m->kind;
	q->family = families[m->family];
	q->deadline = (int64_t)m->deadline < last ? (int64_t)m->deadline : last;
	if ((m->family != 0 && q->family == AF_UNSPEC) ||
	    strlen(m->name) >= sizeof(q->name) ||
	    (q->kind == RESOLVER_CLIENT &&
		!dns_set_address(&q->client, m->client.p, m->client.n, 0))) {
		(void)ipc_refuse(c, "a question that nobody can ask");
		free(q);
		return NULL;
	}
	memcpy(q->name, m->name, strlen(m->name) + 1);
	return q;
}

/* It counts for its service from master's word on, before it says any. */
static bool
know_caller(struct line *l)
{
	const char *program;

	if (l->caller != NULL || !ipc_introduced(l->c))
		return true;
	program = ipc_caller(l->c);
	l->caller = caller_enter(program != NULL ? program : "",
	    ipc_caller_service(l->c));
	return l->caller != NULL;
}

/* False: until then the peer takes nothing, or the connection is over. */
static bool
flush(struct line *l, int64_t until)
{
	bool woken;

	if (wait_fd_or(ipc_fd(l->c), WAIT_WRITE, &l->nudge, until, &woken) !=
		WAIT_READY ||
	    ipc_flush(l->c, 0) != IPC_OK)
		return false;
	if (!ipc_pending(l->c))
		wait_wake_all(&l->sent);
	return true;
}

static bool
hear(struct line *l)
{
	const void *message;
	struct question *q;

	if (ipc_expect(l->c, &message_name_question, &message, 0) != IPC_OK ||
	    (q = take(l->c, message)) == NULL)
		return false;
	line_up(l, q);
	l->heard = true;
	l->until = clock_in(QUIET_S);
	if (++l->turn % TURN_MAX == 0)
		(void)wait_yield();
	return true;
}

/* When the next one that waits is due. */
static int64_t
due(const struct line *l)
{
	return l->waiting != NULL ? l->waiting->deadline : INT64_MAX;
}

/*
 * Until a message comes, or there is something to do: to send one, or to
 * start a question that waits.
 */
static bool
await(struct line *l)
{
	struct wait_queue *q =
	    l->waiting != NULL ? &l->caller->room : &l->nudge;
	int64_t until = l->questions > 0 ? clock_in(QUIET_S) : l->until;

	if (due(l) < until)
		until = due(l);
	/* what has come meanwhile, if it was woken, the next wait tells */
	switch (wait_fd_or(ipc_fd(l->c), WAIT_READ, q, until, &l->heard)) {
	case WAIT_READY:
		return true;
	case WAIT_TIMEOUT:
		return l->questions > 0;
	default:
		return false;
	}
}

/* As far as can be told of somebody who is not heard. */
static bool
is_gone(const struct line *l)
{
	struct pollfd p = { .fd = ipc_fd(l->c) };

	return poll(&p, 1, 0) == 1;
}

/* Who does not take answers, or has asked too much already, is not heard. */
static bool
serve(struct line *l)
{
	enum ipc_result r;

	if (l->questions >= RESOLVER_AT_ONCE && is_gone(l))
		return false;
	start_waiting(l);
	if (ipc_pending(l->c))
		return flush(l, INT64_MAX);
	if (l->questions >= RESOLVER_AT_ONCE)
		return wait_on(&l->caller->room, due(l)) != WAIT_CANCELLED;
	r = l->heard ? ipc_poll_again(l->c) : ipc_poll(l->c);
	if (!know_caller(l))
		return false;
	if (r == IPC_OK)
		return hear(l);
	return r == IPC_TIMEOUT && await(l);
}

/* What there is of answers leaves before, if they are taken. */
static void
decline(struct line *l)
{
	int64_t until = clock_in(LAST_WORDS_S);

	while (ipc_pending(l->c))
		if (clock_ms() >= until || !flush(l, until))
			return;
	ipc_decline(l->c);
}

static void
enter(struct line *l)
{
	l->link = &lines;
	l->next = lines;
	if (l->next != NULL)
		l->next->link = &l->next;
	lines = l;
}

static void
leave(struct line *l)
{
	*l->link = l->next;
	if (l->next != NULL)
		l->next->link = l->link;
	forget_waiting(l);
	ipc_free(&l->c);
	wait_wake_all(&l->sent);
	if (l->caller != NULL)
		caller_leave(l->caller);
	release(l);
}

static void
session(const struct service *s, int fd)
{
	struct line *l = mem_new(sizeof(*l));

	(void)s;
	enter(l);
	l->c = ipc_new(fd, &protocol_resolver, "client");
	ipc_never_wait_to_send(l->c);
	ipc_allow(l->c, HEARD_MAX);
	l->until = clock_in(FIRST_S);
	while (!service_retiring() && serve(l))
		;
	if (service_retiring())
		decline(l);
	leave(l);
}

static void
retire(const struct service *s)
{
	(void)s;
	for (struct line *l = lines; l != NULL; l = l->next)
		wake(l);
}

static void
before(const struct service *s)
{
	uint16_t ports[DNS_PORTS_MAX];

	(void)s;
	dns_open(common.dns_servers, DNS_PATIENCE_MS);
	sandbox_connect_to(ports, dns_ports(ports));
}

int
main(int argc, char **argv)
{
	static const struct service_params params[] = {
		{ &common_param_group, &common },
		{ NULL, NULL },
	};
	static const struct service_spec spec = {
		.program = "resolver",
		.style = SERVICE_TASKS,
		.params = params,
		.protocol = &protocol_resolver,
		.before = before,
		.session = session,
		.retire = retire,
	};

	return service_run(&spec, argc, argv);
}
