/* SPDX-License-Identifier: ISC */
#include "smtp/delivery.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/mail/delivery_log.h"
#include "lib/mail/status_filter.h"
#include "lib/queue/queue_file.h"
#include "smtp/ask_lookup.h"
#include "smtp/settings.h"

static bool
verifies(const struct delivery *d)
{
	return d->request->flags & QUEUE_VERIFY;
}

/* RFC 3464 section 2.3.3. */
static const char *
action(const struct peer *peer, enum verdict v)
{
	if (v == LATER)
		return "delayed";
	if (v == NEVER)
		return "failed";
	return peer != NULL && !(peer->features & PEER_DSN) &&
		settings()->lmtp && settings()->smtp.lmtp_assume_final ?
	    "delivered" :
	    "relayed";
}

static void
log_line(const struct delivery *d, const struct delivery_recipient *r,
    const struct peer *peer, enum verdict v, const struct why *why)
{
	char relay[sizeof(r->relay) + 32];
	struct delivery_log line = {
		.queue_id = d->request->queue_id,
		.address = r->to->address,
		.original = r->to->original,
		.relay = relay,
		.arrival = (int64_t)d->request->arrival,
		.active = (int64_t)d->request->active,
		.started = d->began,
		.connected = d->connected,
		.dsn = why->dsn,
		.status = delivery_log_status(v, verifies(d),
		    settings()->common.soft_bounce),
		.text = why->text,
	};

	if (peer != NULL && peer->uses > 1)
		snprintf(relay, sizeof(relay), "%s, conn_use=%u", peer->relay,
		    peer->uses);
	else
		snprintf(relay, sizeof(relay), "%s",
		    peer != NULL            ? peer->relay :
			r->relay[0] != '\0' ? r->relay :
					      "none");
	delivery_log(&line);
}

/* The site's last word: smtp_delivery_status_filter. */
static void
filter(struct delivery *d, enum verdict *v, struct why *why)
{
	const char *setting = settings()->lmtp ? "lmtp_delivery_status_filter" :
						 "smtp_delivery_status_filter";
	const char *table = settings()->smtp.smtp_delivery_status_filter;
	const char *asked, *answer;
	struct buf key;

	if (table[0] == '\0')
		return;
	status_filter_key(why, &key);
	asked = buf_text(&key);
	/*
	 * A table that does not answer keeps no mail from its end, nor qmgr
	 * for long from knowing it: until then it would be sent again.
	 */
	if (ask_table_within(ASK_BRIEFLY_S, d->arena, setting, table, &asked, 1,
		&answer) == TABLE_FOUND)
		(void)status_filter_take(setting, span_of(answer), v, why);
	buf_fini(&key);
}

void
delivery_finish(struct delivery *d, struct delivery_recipient *r,
    const struct peer *peer, enum verdict v, const struct why *why,
    const char *reply)
{
	struct why told = *why;
	struct msg_delivered answer = {
		.index = (uint64_t)(r - d->recipients),
		.dsn = told.dsn,
		.text = told.text,
		.mta = told.mta,
		.mta_reply = reply,
		.dsn_passed =
		    v == OK && peer != NULL && (peer->features & PEER_DSN),
	};

	ensure(!r->done && d->pending > 0);
	r->done = true;
	r->accepted = false;
	d->pending--;
	filter(d, &v, &told);
	log_line(d, r, peer, v, &told);
	if (v == NEVER && !verifies(d) && settings()->common.soft_bounce) {
		why_soften(&told);
		v = LATER;
	}
	answer.verdict = v;
	answer.action = action(peer, v);
	ipc_put(d->qmgr, &message_delivered, &answer);
}

void
delivery_note(struct delivery *d, struct delivery_recipient *r,
    const struct peer *peer, enum verdict v, const struct why *why,
    const char *reply)
{
	(void)d;
	r->accepted = false;
	r->verdict = v;
	r->why = *why;
	snprintf(r->reply, sizeof(r->reply), "%s", reply);
	snprintf(r->relay, sizeof(r->relay), "%s",
	    peer != NULL ? peer->relay : "");
}

void
delivery_note_all(struct delivery *d, const struct peer *peer, enum verdict v,
    const struct why *why, const char *reply)
{
	for (size_t i = 0; i < d->count; i++)
		if (!d->recipients[i].done)
			delivery_note(d, &d->recipients[i], peer, v, why,
			    reply);
}

void
delivery_finish_all(struct delivery *d, const struct peer *peer, enum verdict v,
    const struct why *why, const char *reply)
{
	for (size_t i = 0; i < d->count; i++)
		if (!d->recipients[i].done)
			delivery_finish(d, &d->recipients[i], peer, v, why,
			    reply);
}

void
delivery_give_up(struct delivery *d)
{
	for (size_t i = 0; i < d->count; i++) {
		struct delivery_recipient *r = &d->recipients[i];

		if (!r->done)
			delivery_finish(d, r, NULL, r->verdict, &r->why,
			    r->reply);
	}
}
