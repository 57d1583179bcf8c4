/* SPDX-License-Identifier: ISC */
#include "qmgr/dispatch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/ipc/proto_deliver.h"
#include "lib/log/log.h"
#include "lib/task/task.h"
#include "qmgr/entry_file.h"
#include "qmgr/life.h"
#include "qmgr/outcome.h"
#include "qmgr/route.h"
#include "qmgr/scan.h"
#include "qmgr/settings.h"
#include "qmgr/soon.h"

enum {
	CONNECT_TIMEOUT_S = 60,
	SEND_TIMEOUT_S = 60,
	/*
	 * How long a request waits for a task that is at work to become free
	 * before another agent is woken: most deliveries on this machine take
	 * less, and a process that need not run costs the others nothing.
	 */
	PATIENCE_MS = 1,
	TURN_MAX = 16, /* messages before the others have their turn */
};

static size_t workers;

/* A task that asks one agent after the other. */
struct worker {
	struct transport *transport;
	struct ipc *agent; /* from its last request, or NULL */
	unsigned int heard; /* messages, of all its requests */
};

/* One request to an agent. */
struct request {
	struct pick pick;
	struct entry *entry;
	int file; /* for the agent */
	bool take; /* it may move the file away, and gets it for writing */
	int marks; /* for us; -1 until needed */
	bool *answered;
	uint32_t answers;
	bool done; /* deliver_done came */
	int64_t began;
	enum reached reached;
	struct reason *site; /* NOT_REACHED: why */
};

static void work(void *transport);

size_t
dispatch_busy(void)
{
	return workers;
}

void
dispatch_kick(struct transport *t)
{
	if (service_retiring() || t->starting > 0 ||
	    t->workers >= t->limits.processes || !schedule_ready(t))
		return;
	t->starting++;
	t->workers++;
	workers++;
	task_start(work, t);
}

void
dispatch_entry(struct entry *e)
{
	for (uint32_t i = 0; i < e->group_count; i++)
		if (e->groups[i].destination != NULL)
			dispatch_kick(e->groups[i].destination->transport);
}

/*
 * The lasting mark, for messages that have other recipients: a lone one's
 * file is unlinked instead. Not synced: after a crash of the machine a copy
 * may go out twice.
 */
static void
mark(struct request *q, const struct entry_recipient *r, char status)
{
	if (q->marks == -1)
		q->marks = entry_file_open_for_marks(q->entry);
	if (q->marks == -1 || queue_mark(q->marks, r->offset, status) == -1)
		log_error("%s: cannot mark a recipient as done: %s",
		    q->entry->id, strerror(errno));
}

/* The sender was told that it waits, and is to be told that it went. */
static bool
clears_delay(const struct entry *e, const struct entry_recipient *r)
{
	return e->flags & QUEUE_WARNED &&
	    settings_params()->confirm_delay_cleared &&
	    (r->notify == NOTIFY_DEFAULT || r->notify & NOTIFY_DELAY);
}

static bool
success_wanted(const struct entry *e, const struct entry_recipient *r)
{
	return (r->notify & NOTIFY_SUCCESS && !r->dsn_passed) ||
	    e->flags & QUEUE_TRACE || clears_delay(e, r);
}

static void
take_answer(struct request *q, const struct msg_delivered *m)
{
	struct entry *e = q->entry;
	struct entry_recipient *r = &e->recipients[q->pick.first + m->index];
	struct reason *reason;

	q->answered[m->index] = true;
	q->answers++;
	r->dsn_passed = m->dsn_passed;
	if (m->verdict == OK && !(e->flags & QUEUE_VERIFY) &&
	    !success_wanted(e, r)) {
		r->settled = true;
		if (!e->lone)
			mark(q, r, QUEUE_RECIPIENT_DONE);
		return;
	}
	reason = reason_new((enum verdict)m->verdict, m->action, m->dsn,
	    m->text, m->mta, m->mta_reply);
	entry_set_reason(r, reason);
	reason_free(&reason);
	if (m->verdict == OK && !(e->flags & QUEUE_VERIFY))
		mark(q, r, QUEUE_RECIPIENT_SUCCESS);
}

/* May the agent rename the file into a mailbox? Not if we need it later. */
static bool
may_take(const struct request *q)
{
	const struct entry *e = q->entry;

	return e->count == 1 && !(e->flags & (QUEUE_VERIFY | QUEUE_TRACE)) &&
	    !(e->recipients[0].notify & NOTIFY_SUCCESS) &&
	    !clears_delay(e, &e->recipients[0]) && q->pick.count == 1;
}

static void
take_end(struct request *q, const struct msg_deliver_done *m)
{
	char *text;

	q->done = true;
	q->entry->taken =
	    m->taken && q->take && q->entry->recipients[0].settled;
	q->reached = m->site_down ? NOT_REACHED : REACHED;
	if (!m->site_down)
		return;
	text = mem_printf("delivery temporarily suspended: %s", m->text);
	q->site = reason_new(LATER, "delayed",
	    m->dsn[0] != '\0' ? m->dsn : "4.4.1", text, "", "");
	free(text);
}

/* False: the connection is of no more use. */
static bool
take_message(struct request *q, struct ipc *agent, const struct ipc_message *m,
    const void *message)
{
	const struct msg_delivered *answer = message;

	if (m == &message_deliver_done) {
		if (q->answers < q->pick.count)
			return ipc_refuse(agent, "%u of %u recipients answered",
				   q->answers, q->pick.count) == IPC_OK;
		take_end(q, message);
		return true;
	}
	if (m != &message_delivered || answer->index >= q->pick.count ||
	    q->answered[answer->index])
		return ipc_refuse(agent, "unexpected \"%s\"", m->name) ==
		    IPC_OK;
	take_answer(q, answer);
	return true;
}

static struct msg_deliver_recipient *
make_recipients(const struct request *q)
{
	struct msg_deliver_recipient *out =
	    mem_array(q->pick.count, sizeof(*out));

	for (uint32_t i = 0; i < q->pick.count; i++) {
		const struct entry_recipient *r =
		    &q->entry->recipients[q->pick.first + i];

		out[i] = (struct msg_deliver_recipient){
			.address = r->address,
			.original = r->original,
			.orcpt = r->orcpt,
			.notify = r->notify,
		};
	}
	return out;
}

static enum ipc_result
send_request(struct request *q, struct ipc *agent)
{
	const struct entry *e = q->entry;
	struct msg_deliver_recipient *recipients = make_recipients(q);
	const struct msg_deliver m = {
		.queue_id = e->id,
		.queue = e->queue,
		.content = q->file,
		.content_offset = (uint64_t)e->content_offset,
		.content_size = (uint64_t)e->content_size,
		.sender = e->sender,
		.envid = e->envid,
		.ret = e->ret,
		.flags = e->flags,
		.arrival = (uint64_t)e->arrival,
		.active = (uint64_t)e->active,
		.transport = q->pick.destination->transport->name,
		.nexthop = q->pick.destination->nexthop,
		.take = q->take,
		.trace = (e->flags & (QUEUE_VERIFY | QUEUE_TRACE)) != 0,
		.recipients = { recipients, q->pick.count },
	};
	enum ipc_result result =
	    ipc_send(agent, &message_deliver, &m, clock_in(SEND_TIMEOUT_S));

	free(recipients);
	return result;
}

/*
 * Nobody waits for an agent that says all at once, or before it was asked. Not
 * even a cancelled task leaves what was said: mail would be delivered again. It
 * is no more than was asked for.
 */
static void
let_others_run(struct worker *w)
{
	if (++w->heard % TURN_MAX == 0)
		(void)wait_yield();
}

/* The dialogue. False: the connection is of no more use. */
static bool
converse(struct request *q, struct worker *w)
{
	const struct ipc_message *m;
	const void *message;
	int64_t patience = settings_common()->ipc_timeout;

	if (send_request(q, w->agent) != IPC_OK)
		return false;
	while (!q->done) {
		if (ipc_receive(w->agent, &m, &message, clock_in(patience)) !=
			IPC_OK ||
		    !take_message(q, w->agent, m, message))
			return false;
		let_others_run(w);
	}
	return true;
}

/* What waits for a dead destination is deferred at once. */
static void
drain(struct destination *d, struct reason *r, bool soon)
{
	struct pick rest;

	while (schedule_drain(d, &rest)) {
		struct entry *e = rest.group->entry;

		route_fail(e, rest.first, rest.count, r);
		if (soon)
			e->soon = true;
		if (e->busy == 0)
			outcome_settle(e);
	}
}

static void
suspend_destination(struct destination *d, struct reason *r)
{
	int64_t pause = settings_params()->minimal_backoff_time;
	size_t most = (size_t)settings_params()->qmgr_message_recipient_limit;

	if (schedule_dead_count() < most)
		destination_kill(d, r, clock_in(pause));
	drain(d, r, false);
	destination_forget(d);
}

/* Several may find so at a time. */
static void
count_failure(struct transport *t)
{
	if (t->dead_until == 0 || t->dead_until <= clock_ms())
		t->failures++;
}

/*
 * The service is not there: its mail waits on disk, not in memory. It may be
 * a moment's matter, as with a reload, and is then no reason for a long delay.
 */
static void
suspend_transport(struct transport *t)
{
	int64_t pause = settings_params()->transport_retry_time;
	bool soon = transport_back_soon(t);
	struct reason *r = reason_new(LATER, "delayed", "4.3.0",
	    "mail transport unavailable", "", "");
	struct destination *d, *next;

	log_warning("transport %s is not available: its mail is deferred",
	    t->name);
	if (soon && pause > SOON_S)
		pause = SOON_S;
	transport_kill(t, r, clock_in(pause));
	HASH_ITER (by_key, t->by_key, d, next) {
		drain(d, r, soon);
		destination_forget(d);
	}
	reason_free(&r);
}

/* Recipients that got no answer. */
static void
give_up(struct request *q, const char *text, bool soon)
{
	struct reason *r = reason_new(LATER, "delayed", "4.3.0", text, "", "");

	for (uint32_t i = 0; i < q->pick.count; i++)
		if (!q->answered[i])
			route_fail(q->entry, q->pick.first + i, 1, r);
	if (soon)
		q->entry->soon = true;
	reason_free(&r);
}

static bool
open_file(struct request *q)
{
	q->take = q->pick.destination->transport->limits.takes && may_take(q);
	q->file = entry_file_open(q->entry, q->take);
	if (q->file != -1)
		return true;
	if (errno == ENOENT) {
		q->entry->gone = true;
	} else if (errno == EWOULDBLOCK) { /* postsuper has it */
		q->entry->withdrawn = true;
		soon_again(q->entry->queue, q->entry->id);
	} else {
		log_warning("%s: cannot open the queue file: %s", q->entry->id,
		    strerror(errno));
		give_up(q, "queue file unavailable", true);
	}
	return false;
}

/*
 * For another agent. The one that died may have moved the file into a mailbox
 * before it could say so: then there is nothing left to deliver, though our
 * descriptor still shows it.
 */
static bool
open_file_again(struct request *q)
{
	int before = q->file;
	bool there = open_file(q);

	fd_close(&before); /* now: it was locked all the time */
	return there;
}

/*
 * An agent may have ended since its last request (a reload, long idleness), or
 * just as we spoke to it: one that has served before, whoever asked it, and
 * says nothing at all is replaced, by one that is new and so serves at least
 * one request. So nobody looks before whether it is still there.
 */
static void
deliver(struct request *q, struct worker *w)
{
	struct transport *t = w->transport;

	if (w->agent == NULL)
		w->agent = service_ask_at_once(t->name, &protocol_deliver,
		    clock_in(CONNECT_TIMEOUT_S));
	while (w->agent != NULL) {
		bool used = ipc_greeted(w->agent);

		if (converse(q, w)) {
			t->failures = 0;
			return;
		}
		ipc_free(&w->agent);
		if (!used || q->answers > 0 || task_cancelled()) {
			log_warning("%s: lost connection with delivery "
				    "service %s",
			    q->entry->id, t->name);
			give_up(q, "delivery agent ended unexpectedly", true);
			return;
		}
		if (!open_file_again(q))
			return;
		w->agent = service_ask_anew(t->name, &protocol_deliver,
		    clock_in(CONNECT_TIMEOUT_S));
	}
	count_failure(t);
	give_up(q, "mail transport unavailable", transport_back_soon(t));
	suspend_transport(t);
}

static void
withdraw(void *with, struct transport *t)
{
	struct destination *d, *next;
	struct pick rest;

	(void)with;
	HASH_ITER (by_key, t->by_key, d, next)
		while (schedule_drain(d, &rest)) {
			struct entry *e = rest.group->entry;

			e->withdrawn = true;
			if (e->busy == 0)
				outcome_settle(e);
		}
}

void
dispatch_withdraw(void)
{
	transport_each(withdraw, NULL);
}

struct cooling {
	struct destination *destination;
	struct transport *transport;
};

static void
cool(void *argument)
{
	struct cooling *c = argument;

	wait_until(clock_ms() + c->transport->limits.destination_delay_ms);
	schedule_cooled(c->destination);
	dispatch_kick(c->transport);
	free(c);
}

/* The request is over: window, the entry's end, what waits behind it. */
static void
finish(struct request *q, struct transport *t)
{
	struct destination *d = q->pick.destination;
	struct entry *e = q->entry;
	struct cooling *c;
	bool dead, over;
	int file = q->file; /* locked until what the agent said is settled */

	fd_close(&q->marks);
	free(q->answered);
	/* who asked for a new attempt knows more of the site than this one */
	if (q->reached == NOT_REACHED && q->began <= scan_flushed())
		q->reached = NO_OPINION;
	dead = schedule_finish(&q->pick, q->reached);
	over = e->busy == 0;
	if (dead) {
		log_warning("destination %s of transport %s is suspended: %s",
		    d->key, t->name, q->site->text);
		suspend_destination(d, q->site);
	}
	reason_free(&q->site);
	if (over)
		outcome_settle(e);
	fd_close(&file);
	if (t->limits.destination_delay_ms > 0) {
		c = mem_new(sizeof(*c));
		*c = (struct cooling){ d, t };
		task_start(cool, c);
	}
}

static void
serve(const struct pick *p, struct worker *w)
{
	struct request q = {
		.pick = *p,
		.entry = p->group->entry,
		.marks = -1,
		.began = clock_ms(),
		.reached = NO_OPINION,
		.answered = mem_array(p->count, sizeof(bool)),
	};

	if (open_file(&q))
		deliver(&q, w);
	finish(&q, w->transport);
}

static void
work(void *transport)
{
	struct transport *t = transport;
	struct worker w = { .transport = t };
	struct pick p;

	if (t->workers > 1)
		wait_until(clock_ms() + PATIENCE_MS);
	t->starting--;
	while (!service_retiring() && schedule_next(t, &p)) {
		dispatch_kick(t); /* there may be work for one more */
		serve(&p, &w);
		if (t->limits.transport_delay_ms > 0)
			wait_until(clock_ms() + t->limits.transport_delay_ms);
	}
	service_done(t->name, &w.agent, true);
	t->workers--;
	workers--;
	dispatch_kick(t);
	life_check();
}
