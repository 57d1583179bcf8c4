/* SPDX-License-Identifier: ISC */
/*
 * The SMTP and LMTP client.
 *
 * SECURITY: runs as the network user in an empty root directory, many
 * deliveries in one process, each a task. Hears remote servers, and by way of
 * resolver DNS, which may say anything: replies are bounded and parsed before
 * use, and what goes out can hold no line end that was not meant as one. It can
 * open nothing: the message comes as an open descriptor, passwords and TLS
 * policies are asked of lookup, names of resolver, keys of client certificates
 * stay in keyd.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/ipc/proto_deliver.h"
#include "lib/log/log.h"
#include "lib/service/service.h"
#include "lib/mail/mail_address.h"
#include "smtp/cache.h"
#include "smtp/delivery.h"
#include "smtp/greet.h"
#include "smtp/hosts.h"
#include "smtp/settings.h"
#include "smtp/transaction.h"

enum { DNS_TIMEOUT_S = 60, ANSWER_TIMEOUT_S = 600 };

/* One destination of a request. */
struct attempt {
	struct delivery *d;
	const struct destination *to;
	bool chosen; /* by a setting, whatever the recipient */
	struct policy policy;
	const char *key; /* of the connection cache */
	size_t sessions;
	bool reached; /* some server let us get beyond its greeting */
};

static const char *
cache_key(const struct attempt *a)
{
	const struct smtp_params *p = &settings()->smtp;

	return arena_printf(a->d->arena, "%s|%d|%s|%s", a->to->text,
	    a->policy.level, a->policy.match != NULL ? a->policy.match : "",
	    p->smtp_sasl_auth_enable &&
		    p->smtp_sender_dependent_authentication ?
		a->d->request->sender :
		"");
}

/*
 * What is known must not be lost should this process die: qmgr is told before
 * the next wait. When all is known and the connection is kept, there is none
 * before the last word, which takes the rest along.
 */
static void
tell_qmgr(struct delivery *d, const struct peer *p)
{
	if (d->pending > 0 || !cache_keeps(p))
		(void)ipc_flush(d->qmgr, clock_in(ANSWER_TIMEOUT_S));
}

/* Over connections that other messages have used. */
static void
use_cached(struct attempt *a)
{
	struct peer *p;

	while (a->d->pending > 0 && (p = cache_take(a->key)) != NULL) {
		enum transaction_result result = transaction_run(a->d, p);

		tell_qmgr(a->d, p);
		if (result == TRANSACTION_ENDED)
			a->reached = true;
		cache_give(&p, a->key);
		if (result == TRANSACTION_ENDED && a->d->pending > 0)
			a->sessions++;
		if (result == TRANSACTION_ENDED)
			return;
	}
}

static struct greeting
greeting_of(const struct attempt *a)
{
	return (struct greeting){
		.arena = a->d->arena,
		.destination = a->to,
		.policy = &a->policy,
		.sender = a->d->request->sender,
	};
}

static void
talk(struct attempt *a, struct greeting *g, struct peer **p, enum verdict v,
    const struct why *why)
{
	a->reached = a->reached || g->handshake;
	if (g->handshake)
		a->sessions++;
	if (v != OK) {
		delivery_note_all(a->d, NULL, v, why, "");
		return;
	}
	(void)transaction_run(a->d, *p);
	tell_qmgr(a->d, *p);
	cache_give(p, a->key);
}

/* Else relayhost or a table named it, and a person may mend that. */
static bool
named_by_recipient(const struct delivery *d, const struct delivery_recipient *r)
{
	struct span local, domain;

	return mail_address_split(span_of(r->to->address), &local, &domain) &&
	    span_is_nocase(domain, d->request->nexthop);
}

/*
 * There is no such place, or it is ourselves. What a setting or a table names a
 * person may mend, and no mail ends because of it. True when no other mail has
 * to wait for it.
 */
static bool
not_found(struct attempt *a, enum verdict v, const struct why *why)
{
	struct delivery *d = a->d;
	struct why slip = *why;
	bool slipped = false;

	snprintf(slip.dsn, sizeof(slip.dsn), "4.3.5");
	for (size_t i = 0; i < d->count; i++) {
		struct delivery_recipient *r = &d->recipients[i];

		if (r->done)
			continue;
		if (v == NEVER && (a->chosen || !named_by_recipient(d, r))) {
			delivery_note(d, r, NULL, LATER, &slip, "");
			slipped = true;
		} else {
			delivery_note(d, r, NULL, v, why, "");
		}
	}
	if (slipped)
		log_warning("%s: %s is where a setting or a table sends mail: "
			    "%s",
		    d->request->queue_id, a->to->text, why->text);
	return v == NEVER && !slipped;
}

static void
try_hosts(struct attempt *a, const struct hosts *hosts)
{
	size_t limit = (size_t)settings()->smtp.smtp_mx_session_limit;

	for (size_t i = 0; i < hosts->count && a->d->pending > 0; i++) {
		struct greeting g = greeting_of(a);
		struct peer *p = NULL;
		struct why why;
		enum verdict v;

		if (limit > 0 && a->sessions >= limit) {
			log_info("%s: %zu sessions: no more hosts are "
				 "tried now (smtp_mx_session_limit)",
			    a->d->request->queue_id, a->sessions);
			break;
		}
		g.loop_check = hosts->loop_check && !settings()->lmtp;
		g.best = hosts->list[i].preference == hosts->best;
		v = greet_host(&g, &hosts->list[i], &p, &why);
		if (g.ourselves) {
			/* the rest is no better than we are */
			a->d->own_mx = true;
			(void)not_found(a, v, &why);
			break;
		}
		talk(a, &g, &p, v, &why);
	}
}

static void
try_unix(struct attempt *a)
{
	struct greeting g = greeting_of(a);
	struct peer *p = NULL;
	struct why why;
	enum verdict v = greet_unix(&g, &p, &why);

	talk(a, &g, &p, v, &why);
}

/* True when some server let us get beyond its greeting. */
static bool
try_destination(struct delivery *d, const struct destination *to, bool chosen)
{
	struct attempt a = { .d = d, .to = to, .chosen = chosen };
	struct hosts hosts;
	struct why why;
	enum verdict v;

	v = policy_find(d->arena, to, &a.policy, &why);
	if (v != OK) {
		delivery_note_all(d, NULL, v, &why, "");
		return true; /* ours, not the destination's fault */
	}
	a.key = cache_key(&a);
	use_cached(&a);
	if (d->pending == 0)
		return a.reached;
	if (to->path != NULL) {
		try_unix(&a);
		return a.reached;
	}
	v = hosts_find(d->arena, to, clock_in(DNS_TIMEOUT_S), &hosts, &why);
	d->own_mx = d->own_mx || hosts.ours;
	if (v != OK)
		return not_found(&a, v, &why);
	try_hosts(&a, &hosts);
	return a.reached;
}

static bool
try_list(struct delivery *d, const char *nexthop, bool chosen)
{
	struct destination *list =
	    arena_alloc(d->arena, DESTINATIONS_MAX * sizeof(*list));
	struct span bad = SPAN("");
	bool reached = false;
	struct why why;
	size_t n;

	n = destination_parse(d->arena, nexthop, settings()->lmtp,
	    settings()->port, list, &bad);
	if (n == 0) {
		struct destination nowhere = { .text = nexthop };
		struct attempt a = { .d = d, .to = &nowhere, .chosen = chosen };
		enum verdict v = why_set(&why, "5.4.4",
		    "Host or domain name "
		    "not found: \"%.*s\" is no valid destination",
		    SPAN_ARG(bad));

		return not_found(&a, v, &why);
	}
	for (size_t i = 0; i < n && d->pending > 0; i++)
		reached |= try_destination(d, &list[i], chosen);
	return reached;
}

static void
prepare(struct delivery *d, const struct msg_deliver *m)
{
	const struct msg_deliver_recipient *to = m->recipients.items;

	d->request = m;
	d->arena = arena_new();
	d->count = d->pending = m->recipients.count;
	d->recipients =
	    arena_alloc(d->arena, d->count * sizeof(*d->recipients) + 1);
	d->began = clock_wall_us();
	for (size_t i = 0; i < d->count; i++) {
		d->recipients[i].to = &to[i];
		d->recipients[i].verdict = why_set(&d->recipients[i].why,
		    "4.3.0", "no server was tried");
	}
}

/* What qmgr should know about the destination rather than the message. */
static void
explain(const struct delivery *d, bool reached, struct msg_deliver_done *done)
{
	done->dsn = done->text = "";
	if (reached || d->pending == 0)
		return;
	for (size_t i = 0; i < d->count; i++)
		if (!d->recipients[i].done &&
		    d->recipients[i].verdict == LATER) {
			done->site_down = true;
			done->dsn = d->recipients[i].why.dsn;
			done->text = d->recipients[i].why.text;
			return;
		}
}

/* True when it does not seem to be the destination's fault. */
static bool
try_all(struct delivery *d)
{
	const char *fallback = settings()->smtp.smtp_fallback_relay;
	struct why why;
	bool reached;

	if (generic_new(d->request, &d->generic, &why) != OK) {
		delivery_note_all(d, NULL, LATER, &why, "");
		return true;
	}
	reached = try_list(d, d->request->nexthop, false);
	/* to the MX hosts it would come back from there */
	if (d->pending > 0 && fallback[0] != '\0' && !d->own_mx)
		reached |= try_list(d, fallback, true);
	return reached;
}

static bool
deliver(struct ipc *qmgr, const struct msg_deliver *m)
{
	struct delivery d = { .qmgr = qmgr };
	struct msg_deliver_done done = { 0 };
	enum ipc_result result;
	int content = m->content;

	prepare(&d, m);
	explain(&d, try_all(&d), &done);
	delivery_give_up(&d);
	result = ipc_send(qmgr, &message_deliver_done, &done,
	    clock_in(ANSWER_TIMEOUT_S));
	generic_free(&d.generic);
	arena_free(&d.arena);
	fd_close(&content);
	return result == IPC_OK;
}

static void
session(const struct service *s, int fd)
{
	struct ipc *qmgr = ipc_new(fd, &protocol_deliver, "qmgr");
	const void *message;

	(void)s;
	while (
	    ipc_expect(qmgr, &message_deliver, &message, INT64_MAX) == IPC_OK)
		if (!deliver(qmgr, message) || service_retiring())
			break;
	ipc_free(&qmgr);
}

static void
retire(const struct service *s)
{
	(void)s;
	cache_close();
}

int
main(int argc, char **argv)
{
	static const struct service_spec spec = {
		.program = "smtp",
		.style = SERVICE_TASKS,
		.params = settings_params,
		.protocol = &protocol_deliver,
		.before = settings_before,
		.session = session,
		.retire = retire,
	};

	return service_run(&spec, argc, argv);
}
