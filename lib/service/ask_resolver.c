/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: resolver reads what strangers' name servers say, and may have been
 * taken over by one. Its answers are names that could be a host's, and
 * addresses; another one ends the connection. What they say may be wrong, as
 * DNS may.
 */
#include "lib/service/ask_resolver.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/dns/dns_names.h"
#include "lib/ipc/proto_resolver.h"
#include "lib/log/log.h"
#include "lib/service/service.h"
#include "lib/task/task.h"

enum {
	GRACE_MS = 2000, /* for an answer that was given at the last moment */
	QUIET_MS = 5000,
	LOST_MAX = 3,
	DECLINED_MAX = 8, /* more are lost: none of ours is so often retired */
	APART_MS = 500,
};

enum state { UNDER_WAY, ANSWERED, DECLINED, LOST };

/* A question that resolver has; freed by who takes it off the list. */
struct asked {
	struct asked *next;
	uint64_t number;
	uint64_t kind;
	struct arena *arena; /* NULL: nobody waits for it any more */
	struct wait_queue done;
	int64_t due; /* by then resolver has an answer, or says so */
	enum state state;
	enum dns_result result;
	struct msg_name_record *records; /* in the arena */
	size_t count;
};

/* The connection of this process: all tasks', read by one of its own. */
static struct {
	struct ipc *c; /* NULL: none */
	bool connecting;
	struct wait_queue connected;
	struct wait_queue nudge; /* the reader: there is something to send */
	struct asked *first;
	struct asked **end;
	size_t count;
	struct wait_queue turn;
	uint64_t last_number;
	int64_t last_use;
	int64_t last_answer;
	bool silent; /* the reader: to be given up */
	bool declined; /* it retires, and none of what it has is the reason */
} line = { .end = &line.first };

static const char service[] = "resolver";

static void
take_off(struct asked **link)
{
	struct asked *q = *link;

	*link = q->next;
	if (line.end == &q->next)
		line.end = link;
	line.count--;
	(void)wait_wake_one(&line.turn);
}

/* It is off the list: who waits frees it, or nobody does. */
static void
settle(struct asked *q, enum state state)
{
	q->state = state;
	if (q->arena == NULL)
		free(q);
	else
		wait_wake_all(&q->done);
}

static bool
is_sound(uint64_t kind, const struct msg_name_record *r)
{
	bool host = dns_host_valid(r->name);

	if (kind == RESOLVER_ADDRESSES)
		return r->address.n == 4 || r->address.n == 16;
	return host || (kind == RESOLVER_MX && r->name[0] == '\0');
}

/* Where MX records have no host's name, they are a null MX, or one has. */
static bool
are_sound(uint64_t kind, const struct msg_name_record *list, size_t count)
{
	size_t named = 0;

	for (size_t i = 0; i < count; i++) {
		if (!is_sound(kind, &list[i]))
			return false;
		named += list[i].name[0] != '\0';
	}
	return kind != RESOLVER_MX || count == 1 || named > 0;
}

/* Copies what was found; false: no resolver of ours says that. */
static bool
take_records(struct asked *q, const struct msg_name_answer *m)
{
	const struct msg_name_record *from = m->records.items;

	q->result = (enum dns_result)m->result;
	q->count = m->records.count;
	if (q->count == 0)
		return q->result != DNS_OK;
	if (!are_sound(q->kind, from, q->count))
		return false;
	if (q->arena == NULL)
		return true;
	q->records = arena_alloc(q->arena, q->count * sizeof(*q->records));
	for (size_t i = 0; i < q->count; i++) {
		struct msg_name_record *to = &q->records[i];

		*to = from[i];
		to->name = arena_text(q->arena, from[i].name);
		to->address.p = arena_span(q->arena, from[i].address);
	}
	return true;
}

static struct asked **
find(uint64_t number)
{
	struct asked **link = &line.first;

	while (*link != NULL && (*link)->number != number)
		link = &(*link)->next;
	return *link != NULL ? link : NULL;
}

static enum ipc_result
take_answer(struct ipc *c)
{
	const struct msg_name_answer *m;
	const void *message;
	enum ipc_result r = ipc_expect(c, &message_name_answer, &message, 0);
	struct asked **link, *q;

	line.declined = r == IPC_CLOSED;
	if (r != IPC_OK)
		return r;
	m = message;
	link = find(m->number);
	if (link == NULL)
		return ipc_refuse(c, "an answer that nobody asked for");
	q = *link;
	if (!take_records(q, m))
		return ipc_refuse(c, "an answer that no question has");
	line.last_answer = line.last_use = clock_ms();
	take_off(link);
	settle(q, ANSWERED);
	return IPC_OK;
}

/* False: the connection is over. */
static bool
read_on(struct ipc *c)
{
	unsigned int events = WAIT_READ;
	enum wait_result waited;
	enum ipc_result r;
	bool woken;

	for (r = ipc_poll(c); r == IPC_OK; r = ipc_poll_again(c))
		if (take_answer(c) != IPC_OK)
			return false;
	if (r != IPC_TIMEOUT)
		return false;
	r = ipc_flush(c, 0);
	if (r != IPC_OK)
		/* its last word may have come meanwhile */
		return r == IPC_CLOSED && ipc_poll(c) == IPC_OK;
	if (ipc_pending(c))
		events |= WAIT_WRITE;
	waited = wait_fd_or(ipc_fd(c), events, &line.nudge,
	    line.first != NULL ? INT64_MAX : line.last_use + QUIET_MS, &woken);
	return waited == WAIT_READY ||
	    (waited == WAIT_TIMEOUT && line.first != NULL);
}

static void
reader(void *argument)
{
	struct ipc *c = argument;
	enum state state;

	while (!line.silent && read_on(c))
		;
	state = line.declined ? DECLINED : LOST;
	line.c = NULL;
	line.silent = line.declined = false;
	while (line.first != NULL) {
		struct asked *q = line.first;

		take_off(&line.first);
		settle(q, state);
	}
	ipc_free(&c);
}

static void
connect_line(int64_t deadline)
{
	struct ipc *c;

	line.connecting = true;
	c = service_ask_anew(service, &protocol_resolver, deadline);
	line.connecting = false;
	if (c != NULL) {
		ipc_never_wait_to_send(c);
		if (task_start(reader, c) == NULL)
			ipc_free(&c);
	}
	line.c = c;
	line.last_use = clock_ms();
	wait_wake_all(&line.connected);
}

/* Waits for the connection, and for a turn. */
static bool
is_open(int64_t deadline)
{
	while (line.c == NULL || line.count >= RESOLVER_AT_ONCE) {
		if (line.c != NULL) {
			if (wait_on(&line.turn, deadline) != WAIT_READY)
				return false;
		} else if (line.connecting) {
			if (wait_on(&line.connected, deadline) != WAIT_READY)
				return false;
		} else {
			connect_line(deadline);
			if (line.c == NULL)
				return false;
		}
	}
	return true;
}

static struct asked *
put(struct arena *a, struct msg_name_question *m, int64_t deadline)
{
	struct asked *q = mem_new(sizeof(*q));
	int64_t now = clock_ms(), last = now + RESOLVER_PATIENCE_MS;

	q->arena = a;
	q->kind = m->kind;
	q->number = m->number = ++line.last_number;
	q->due = deadline < last ? deadline : last;
	m->deadline = (uint64_t)q->due;
	*line.end = q;
	line.end = &q->next;
	line.count++;
	line.last_use = now;
	/* what goes wrong the reader sees, which has the end of it */
	if (ipc_send(line.c, &message_name_question, m, 0) != IPC_OK ||
	    ipc_pending(line.c))
		wait_wake_all(&line.nudge);
	return q;
}

/*
 * A resolver says at the latest when a question is due that it has no answer.
 * One that has said nothing at all since then hangs: what else it was asked is
 * lost, and asked of another.
 */
static void
give_up(struct asked *q)
{
	q->arena = NULL;
	if (line.silent || line.last_answer >= q->due)
		return;
	log_warning("no answer from %s: it says nothing; another one is asked",
	    service);
	line.silent = true;
	wait_wake_all(&line.nudge);
}

/* What became of it; the records of an answer are in the arena. */
static enum state
ask_once(struct arena *a, struct msg_name_question *m, int64_t deadline,
    struct asked *found)
{
	struct asked *q = put(a, m, deadline);
	enum wait_result waited = WAIT_READY;

	while (q->state == UNDER_WAY && waited == WAIT_READY)
		waited = wait_on(&q->done, q->due + GRACE_MS);
	*found = *q;
	if (q->state != UNDER_WAY)
		free(q);
	else if (waited == WAIT_TIMEOUT)
		give_up(q);
	else
		q->arena = NULL;
	return found->state;
}

static enum dns_result
ask(struct arena *a, struct msg_name_question *m, int64_t deadline,
    struct asked *found)
{
	int lost = 0, declined = 0;

	*found = (struct asked){ .result = DNS_AGAIN };
	while (is_open(deadline)) {
		enum state state = ask_once(a, m, deadline, found);

		if (state == ANSWERED)
			return found->result;
		if (state == UNDER_WAY)
			break;
		if (state == DECLINED && ++declined <= DECLINED_MAX)
			continue;
		if (++lost == LOST_MAX) {
			log_warning("no answer from %s: it ended %d times",
			    service, lost);
			break;
		}
		/* one of those that were lost together may be why */
		(void)wait_apart(APART_MS);
	}
	found->count = 0;
	return DNS_AGAIN;
}

enum dns_result
resolver_mx(struct arena *a, const char *name, int64_t deadline,
    struct dns_mx **mx, size_t *count)
{
	struct msg_name_question m = { .kind = RESOLVER_MX, .name = name };
	enum dns_result result;
	struct asked found;

	if (!dns_name_fit(name))
		return DNS_BAD;
	result = ask(a, &m, deadline, &found);
	if (result != DNS_OK)
		return result;
	*mx = arena_alloc(a, found.count * sizeof(**mx));
	for (size_t i = 0; i < found.count; i++) {
		(*mx)[i].preference = (uint16_t)found.records[i].preference;
		(*mx)[i].host = found.records[i].name;
	}
	*count = found.count;
	return DNS_OK;
}

enum dns_result
resolver_addresses(struct arena *a, const char *name, int family, uint16_t port,
    int64_t deadline, struct address **out, size_t *count)
{
	struct msg_name_question m = { .kind = RESOLVER_ADDRESSES,
		.name = name };
	enum dns_result result;
	struct asked found;

	if (dns_is_localhost(name)) {
		dns_localhost(a, family, port, out, count);
		return DNS_OK;
	}
	if (!dns_name_fit(name))
		return DNS_BAD;
	if (family != AF_UNSPEC)
		m.family = family == AF_INET ? 4 : 6;
	result = ask(a, &m, deadline, &found);
	if (result != DNS_OK)
		return result;
	*out = arena_alloc(a, found.count * sizeof(**out));
	for (size_t i = 0; i < found.count; i++)
		(void)dns_set_address(&(*out)[i], found.records[i].address.p,
		    found.records[i].address.n, port);
	*count = found.count;
	return DNS_OK;
}

enum dns_result
resolver_client_name(struct arena *a, const struct address *client,
    int64_t deadline, const char **name, const char **unverified)
{
	struct msg_name_question m = { .kind = RESOLVER_CLIENT,
		.client = dns_address_bytes(client) };
	enum dns_result result;
	struct asked found;

	*name = *unverified = NULL;
	if (address_is_loopback(client)) {
		*name = *unverified = "localhost";
		return DNS_OK;
	}
	if (m.client.n == 0)
		return DNS_NO_NAME;
	result = ask(a, &m, deadline, &found);
	if (found.count > 0)
		*unverified = found.records[0].name;
	if (result == DNS_OK)
		*name = *unverified;
	return result;
}
