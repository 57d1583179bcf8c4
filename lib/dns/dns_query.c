/* SPDX-License-Identifier: ISC */
#include "lib/dns/dns_query.h"

#include <ares.h>
#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/hash_table.h"
#include "lib/dns/dns_answer.h"
#include "lib/dns/dns_channel.h"
#include "lib/dns/dns_names.h"
#include "lib/task/task.h"

enum {
	UDP_CHANNELS = 2,
	TURNS = 15, /* of a channel for UDP, while one question may last */
};

/*
 * UDP channels take turns, so that no source port is there for long to be
 * found out: one that had its turn gets no more questions, and closes its
 * sockets with the last answer, at the latest when that question is given up.
 * Until then the other one may be kept in use by a single silent question: no
 * port lives longer than twice the patience.
 */
struct lane {
	struct dns_channel *udp[UDP_CHANNELS];
	struct dns_channel *tcp; /* for what is too long for UDP */
	size_t turn;
	int64_t until; /* for another turn */
};

/* What makes questions equal. */
struct question {
	struct dns_asker *asker;
	int type;
	char name[DNS_NAME_MAX]; /* in small letters */
};

/*
 * A question that servers have, or its answer. All equal ones are one, so that
 * a forger has one number to guess (RFC 5452 section 5). Lives until it was
 * answered and all who wait have left.
 */
struct flight {
	struct dns_asked asked; /* the first */
	UT_hash_handle hh; /* in flights, until done */
	struct question question;
	size_t waiting; /* queries; 0: in vain */
	struct wait_queue done_queue;
	bool by_tcp;
	bool done;
	enum dns_result result;
	unsigned char *message;
	int length;
};

struct dns_query {
	struct flight *flight;
	bool joined; /* one that was under way before */
};

static struct lane lanes[DNS_LANES];
static struct flight *flights;
static int64_t turn_ms;
static uint16_t known_ports[DNS_PORTS_MAX];
static size_t known_count; /* of these */

void
dns_open(const char *servers, int patience_ms)
{
	size_t count = dns_channel_servers(servers, known_ports, DNS_PORTS_MAX);

	known_count = count < DNS_PORTS_MAX ? count : DNS_PORTS_MAX;
	turn_ms = patience_ms / TURNS;
	for (size_t i = 0; i < DNS_LANES; i++) {
		struct lane *l = &lanes[i];

		ensure(l->tcp == NULL);
		for (size_t j = 0; j < UDP_CHANNELS; j++)
			l->udp[j] = dns_channel_new(servers, count, DNS_UDP,
			    patience_ms);
		l->tcp = dns_channel_new(servers, count, DNS_TCP, patience_ms);
	}
}

size_t
dns_ports(uint16_t ports[DNS_PORTS_MAX])
{
	memcpy(ports, known_ports, known_count * sizeof(ports[0]));
	return known_count;
}

static struct lane *
lane_of(const struct question *q)
{
	return &lanes[q->asker != NULL ? q->asker->lane : 0];
}

static struct dns_channel *
udp_channel(struct lane *l)
{
	size_t next = (l->turn + 1) % UDP_CHANNELS;
	int64_t now = clock_ms();

	if (now >= l->until && dns_channel_load(l->udp[next]) == 0) {
		l->turn = next;
		l->until = now + turn_ms;
	}
	return l->udp[l->turn];
}

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
release(struct flight *f)
{
	free(f->message);
	free(f);
}

static void
one_less_in_vain(struct dns_asker *asker)
{
	if (asker == NULL)
		return;
	asker->in_vain--;
	if (asker->freed != NULL)
		asker->freed(asker);
}

static void
answered(struct dns_asked *a, int status, const unsigned char *message,
    int length)
{
	struct flight *f = (struct flight *)a;

	if (f->waiting > 0 && !f->by_tcp && dns_answer_cut(message, length)) {
		f->by_tcp = true;
		dns_channel_ask(lane_of(&f->question)->tcp, f->question.name,
		    f->question.type, a);
		return;
	}
	HASH_DEL(flights, f);
	if (f->waiting == 0) {
		struct dns_asker *asker = f->question.asker;

		release(f);
		one_less_in_vain(asker);
		return;
	}
	f->result = result_of(status, message != NULL);
	if (f->result == DNS_OK && length > 0) {
		f->message = mem_new((size_t)length);
		memcpy(f->message, message, (size_t)length);
		f->length = length;
	}
	f->done = true;
	wait_wake_all(&f->done_queue);
}

static struct flight *
flight_new(void)
{
	struct flight *f = mem_new(sizeof(*f));

	f->waiting = 1;
	return f;
}

/* One that needs no server. */
static struct flight *
landed(enum dns_result result)
{
	struct flight *f = flight_new();

	f->done = true;
	f->result = result;
	return f;
}

static size_t
set_question(struct question *q, struct dns_asker *asker, const char *name,
    int type)
{
	size_t n = strlen(name);

	memset(q, 0, sizeof(*q));
	q->asker = asker;
	q->type = type;
	ensure(n < sizeof(q->name));
	for (size_t i = 0; i < n; i++)
		q->name[i] = (char)tolower((unsigned char)name[i]);
	return offsetof(struct question, name) + n;
}

static void
join(struct flight *f)
{
	if (f->waiting++ > 0)
		return;
	dns_channel_in_vain(&f->asked, false);
	one_less_in_vain(f->question.asker);
}

static struct flight *
begin(const struct question *question, size_t n)
{
	struct flight *f = flight_new();

	f->asked.answered = answered;
	f->question = *question;
	HASH_ADD_KEYPTR(hh, flights, &f->question, n, f);
	dns_channel_ask(udp_channel(lane_of(question)), f->question.name,
	    f->question.type, &f->asked);
	return f;
}

/* *joined: one that was under way. */
static struct flight *
board(struct dns_asker *asker, const char *name, int type, bool *joined)
{
	struct question question;
	struct flight *f;
	size_t n;

	*joined = false;
	if (!dns_name_fit(name))
		return landed(DNS_BAD);
	n = set_question(&question, asker, name, type);
	HASH_FIND(hh, flights, &question, n, f);
	if (f == NULL)
		return begin(&question, n);
	*joined = true;
	join(f);
	return f;
}

static void
leave(struct flight *f)
{
	if (--f->waiting > 0)
		return;
	if (f->done) {
		release(f);
		return;
	}
	if (f->question.asker != NULL)
		f->question.asker->in_vain++;
	dns_channel_in_vain(&f->asked, true); /* and it may be gone */
}

struct dns_query *
dns_query_start(struct dns_asker *asker, const char *name, int type)
{
	struct dns_query *q = mem_new(sizeof(*q));

	ensure(lanes[0].tcp != NULL && task_current() != NULL);
	q->flight = board(asker, name, type, &q->joined);
	return q;
}

/*
 * What had no answer may have been asked long before this query came, of
 * servers that were silent then: each query has one whole flight.
 */
static bool
fly_again(struct dns_query *q)
{
	struct flight *f = q->flight;
	bool joined;

	if (!q->joined || f->result != DNS_AGAIN)
		return false;
	q->flight = board(f->question.asker, f->question.name, f->question.type,
	    &joined);
	q->joined = false;
	leave(f);
	return true;
}

enum dns_result
dns_query_wait(struct dns_query *q, int64_t deadline,
    const unsigned char **message, int *length)
{
	do {
		while (!q->flight->done)
			if (wait_on(&q->flight->done_queue, deadline) !=
			    WAIT_READY)
				return DNS_AGAIN;
	} while (fly_again(q));
	*message = q->flight->message;
	*length = q->flight->length;
	return q->flight->result;
}

void
dns_query_free(struct dns_query **qp)
{
	struct dns_query *q = *qp;

	*qp = NULL;
	if (q == NULL)
		return;
	leave(q->flight);
	free(q);
}
