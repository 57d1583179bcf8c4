/* SPDX-License-Identifier: ISC */
#include "smtp/transaction.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/queue/queue_file.h"
#include "lib/task/task.h"
#include "smtp/commands.h"
#include "smtp/content.h"
#include "smtp/settings.h"

/*
 * Replies to this many commands may be under way at once: they fit in the
 * socket's buffers, so that neither side waits for the other to read.
 */
enum { PIPELINE_MAX = 100 };

struct transaction {
	struct delivery *d;
	struct peer *p;
	struct content_plan plan;
	bool utf8; /* SMTPUTF8 is said */
	bool stale; /* see TRANSACTION_STALE */
	bool any_reply;
	bool failed; /* MAIL or DATA was refused; all is noted */
	bool data_open; /* 354 was heard: content must follow */
	size_t accepted;
	struct why why;
};

static const struct smtp_params *
set(void)
{
	return &settings()->smtp;
}

/*
 * The next reply. When the session breaks, all that are pending get that as
 * their reason.
 */
static bool
hear(struct transaction *t, int64_t timeout_s, const char *doing,
    struct peer_reply *r)
{
	enum verdict v = peer_hear(t->p, timeout_s, doing, r, NULL, &t->why);

	if (v == OK) {
		t->any_reply = true;
		return true;
	}
	if (t->p->lost && !t->any_reply && t->p->uses > 1)
		t->stale = true;
	else
		delivery_note_all(t->d, t->p, v, &t->why, "");
	t->failed = true;
	return false;
}

/* Addresses as they are said to the server. */
static const char *
said(const struct delivery *d, const char *address)
{
	return generic_address(d->generic, address);
}

static void
say_mail(struct transaction *t)
{
	command_mail(t->p, t->d->request, said(t->d, t->d->request->sender),
	    t->utf8);
}

static void
say_rcpt(struct transaction *t, const struct delivery_recipient *r)
{
	command_rcpt(t->p, r->to, said(t->d, r->to->address), t->utf8);
}

static bool
has_8bit_address(const struct delivery *d)
{
	if (!span_is_ascii(span_of(said(d, d->request->sender))))
		return true;
	for (size_t i = 0; i < d->count; i++)
		if (!d->recipients[i].done &&
		    !span_is_ascii(
			span_of(said(d, d->recipients[i].to->address))))
			return true;
	return false;
}

/* *why is set: an answer for all, without a word to the server. */
static void
refuse(struct transaction *t, enum verdict v)
{
	delivery_finish_all(t->d, t->p, v, &t->why, "");
	t->failed = true;
}

static void
plan_content(struct transaction *t)
{
	int error;

	t->plan = content_plan(t->d->request, t->d->generic,
	    t->p->features & PEER_8BITMIME, &error);
	if (error != 0)
		refuse(t,
		    why_set(&t->why, "4.3.0", "cannot read the queue file: %s",
			strerror(error)));
	else if (t->plan.obstacle != NULL)
		refuse(t,
		    why_set(&t->why, "5.6.3",
			"host %s does not accept "
			"8-bit content, and it cannot be converted: %s",
			t->p->shown, t->plan.obstacle));
}

/* What this server cannot take at all, before a word is said. */
static void
check_fit(struct transaction *t)
{
	const struct msg_deliver *m = t->d->request;
	unsigned int features = t->p->features;

	if (t->p->size_limit > 0 && m->content_size > t->p->size_limit) {
		refuse(t,
		    why_set(&t->why, "5.3.4",
			"message size %llu "
			"exceeds size limit %llu of server %s",
			(unsigned long long)m->content_size,
			(unsigned long long)t->p->size_limit, t->p->shown));
		return;
	}
	if ((m->flags & QUEUE_SMTPUTF8) && !(features & PEER_SMTPUTF8) &&
	    (has_8bit_address(t->d) || content_has_8bit_header(m))) {
		refuse(t,
		    why_set(&t->why, "5.6.7",
			"SMTPUTF8 is required, but "
			"was not offered by host %s",
			t->p->shown));
		return;
	}
	t->utf8 = (m->flags & QUEUE_SMTPUTF8) && (features & PEER_SMTPUTF8);
	plan_content(t);
}

/* With soft_bounce another host may take what this one refuses. */
static bool
is_last_word(const struct transaction *t, enum verdict v)
{
	return v == NEVER &&
	    (!settings()->common.soft_bounce ||
		(t->d->request->flags & QUEUE_VERIFY));
}

/* The whole message is refused: for good, or until another host is tried. */
static void
all_refused(struct transaction *t, const struct peer_reply *r,
    const char *command)
{
	enum verdict v = peer_refused(t->p, r, command, &t->why);

	t->failed = true;
	if (is_last_word(t, v))
		delivery_finish_all(t->d, t->p, v, &t->why, r->text);
	else
		delivery_note_all(t->d, t->p, v, &t->why, r->text);
}

static bool
hear_mail(struct transaction *t)
{
	struct peer_reply r;

	if (!hear(t, set()->smtp_mail_timeout, "sending MAIL FROM", &r))
		return false;
	if (peer_verdict(&r) != OK)
		all_refused(t, &r, "MAIL FROM");
	return true;
}

static bool
hear_rcpt(struct transaction *t, struct delivery_recipient *to)
{
	struct peer_reply r;
	enum verdict v;

	if (!hear(t, set()->smtp_rcpt_timeout, "sending RCPT TO", &r))
		return false;
	if (t->failed || to->done)
		return true; /* MAIL was refused; this only follows from it */
	if (peer_verdict(&r) == OK) {
		to->accepted = true;
		t->accepted++;
		snprintf(to->reply, sizeof(to->reply), "%s", r.text);
		snprintf(to->why.dsn, sizeof(to->why.dsn), "%s", r.dsn);
		return true;
	}
	v = peer_refused(t->p, &r, "RCPT TO", &t->why);
	if (r.code == 552) { /* RFC 5321 section 4.5.3.1.10: too many */
		why_soften(&t->why);
		v = LATER;
	}
	if (is_last_word(t, v))
		delivery_finish(t->d, to, t->p, v, &t->why, r.text);
	else
		delivery_note(t->d, to, t->p, v, &t->why, r.text);
	return true;
}

static void
say_data(struct transaction *t)
{
	peer_say(t->p, set()->smtp_data_init_timeout, "DATA");
}

static bool
hear_data(struct transaction *t)
{
	struct peer_reply r;

	if (!hear(t, set()->smtp_data_init_timeout, "sending DATA command", &r))
		return false;
	t->data_open = r.code == 354;
	if (t->data_open || t->failed || t->accepted == 0)
		return true;
	/* 2xx instead of 354 makes no sense, and takes nothing on */
	all_refused(t, &r, "DATA");
	return true;
}

/* The recipients of the request that are pending, from *at on. */
static struct delivery_recipient *
next_pending(struct delivery *d, size_t *at)
{
	while (*at < d->count) {
		struct delivery_recipient *r = &d->recipients[(*at)++];

		if (!r->done)
			return r;
	}
	return NULL;
}

static bool
verify_only(const struct transaction *t)
{
	return t->d->request->flags & QUEUE_VERIFY;
}

/* MAIL, RCPT and DATA, each after the answer to the one before. */
static bool
envelope_in_steps(struct transaction *t)
{
	struct delivery_recipient *r;
	size_t at = 0;

	say_mail(t);
	if (!hear_mail(t) || t->failed)
		return !t->p->broken;
	while (!t->p->broken && (r = next_pending(t->d, &at)) != NULL) {
		say_rcpt(t, r);
		if (!hear_rcpt(t, r))
			return false;
	}
	if (t->accepted == 0 || verify_only(t) || t->p->broken)
		return !t->p->broken;
	say_data(t);
	return hear_data(t);
}

/* RFC 2920: a batch of commands, then their answers. */
static bool
envelope_pipelined(struct transaction *t)
{
	struct delivery_recipient *batch[PIPELINE_MAX];
	bool mail = true, data = false;
	size_t at = 0, n;

	while (!data) {
		n = 0;
		if (mail)
			say_mail(t);
		while (n < PIPELINE_MAX &&
		    (batch[n] = next_pending(t->d, &at)) != NULL)
			say_rcpt(t, batch[n++]);
		data = n < PIPELINE_MAX;
		if (data && !verify_only(t))
			say_data(t);
		if (mail && !hear_mail(t))
			return false;
		mail = false;
		for (size_t i = 0; i < n; i++)
			if (!hear_rcpt(t, batch[i]))
				return false;
		if (t->failed && !data)
			return !t->p->broken;
	}
	return verify_only(t) || hear_data(t);
}

/* What became of an accepted recipient, by the answer to its content. */
static void
settle(struct transaction *t, struct delivery_recipient *to,
    const struct peer_reply *r)
{
	enum verdict v = peer_verdict(r);

	if (v == OK) {
		why_set(&t->why, r->dsn, "%s", r->text);
		snprintf(t->why.mta, sizeof(t->why.mta), "%s", t->p->name);
		delivery_finish(t->d, to, t->p, OK, &t->why, r->text);
		return;
	}
	v = peer_refused(t->p, r, "end of DATA", &t->why);
	if (is_last_word(t, v))
		delivery_finish(t->d, to, t->p, v, &t->why, r->text);
	else
		delivery_note(t->d, to, t->p, v, &t->why, r->text);
}

/*
 * The content is out, and the answer did not come: nobody knows whether the
 * server has it. Another host now would make a second copy likely; so this
 * is the end of today's attempts.
 */
static void
in_doubt(struct transaction *t)
{
	for (size_t i = 0; i < t->d->count; i++)
		if (!t->d->recipients[i].done && t->d->recipients[i].accepted)
			delivery_finish(t->d, &t->d->recipients[i], t->p, LATER,
			    &t->why, "");
}

static void
hear_end(struct transaction *t)
{
	static const char doing[] =
	    "sending end of data -- message may be sent more than once";
	bool each = settings()->lmtp;
	struct peer_reply r = { 0 };
	bool heard = false;

	t->p->decisive = true;
	for (size_t i = 0; i < t->d->count; i++) {
		struct delivery_recipient *to = &t->d->recipients[i];

		if (to->done || !to->accepted)
			continue;
		if (!heard || each) {
			if (peer_hear(t->p, set()->smtp_data_done_timeout,
				doing, &r, NULL, &t->why) != OK) {
				in_doubt(t);
				return;
			}
			heard = true;
		}
		settle(t, to, &r);
	}
	t->p->decisive = false;
	t->p->dirty = false; /* RFC 5321 section 4.1.1.4: all is cleared */
}

/*
 * The server closed or refused while we were sending: what it said first,
 * if anything, is the reason.
 */
static void
content_failed(struct transaction *t, enum io result)
{
	struct peer_reply r;
	struct why why;

	if (result == IO_ERROR &&
	    peer_hear(t->p, 5, "sending message body", &r, NULL, &why) == OK &&
	    peer_verdict(&r) != OK) {
		all_refused(t, &r, "DATA");
		t->p->broken = true;
		return;
	}
	peer_failed(t->p, result, "sending message body", &t->why);
	delivery_note_all(t->d, t->p, LATER, &t->why, "");
}

static void
send_content(struct transaction *t)
{
	enum io result;
	int error = 0;

	stream_timeout(t->p->io, set()->smtp_data_xfer_timeout * 1000);
	result = content_send(t->d->request, &t->plan, t->p->io, &error);
	if (result == IO_OK && task_cancelled())
		result = IO_CANCELLED; /* without its end it is no message */
	if (error != 0) {
		/* our own file: the server must not take half of it */
		t->p->broken = true;
		why_set(&t->why, "4.3.0", "cannot read the queue file: %s",
		    strerror(error));
		delivery_note_all(t->d, t->p, LATER, &t->why, "");
		return;
	}
	if (result != IO_OK) {
		content_failed(t, result);
		return;
	}
	task_shield(true);
	(void)stream_write(t->p->io, ".\r\n", 3);
	hear_end(t);
	task_shield(false);
}

/* 354 without any recipient (RFC 2920 section 3.1): an empty message. */
static void
send_nothing(struct transaction *t)
{
	struct peer_reply r;

	(void)stream_write(t->p->io, ".\r\n", 3);
	if (peer_hear(t->p, set()->smtp_data_done_timeout,
		"sending end of data", &r, NULL, &t->why) == OK &&
	    peer_verdict(&r) == OK)
		t->p->broken = true; /* what did it take that for? */
}

static void
verified(struct transaction *t)
{
	for (size_t i = 0; i < t->d->count; i++) {
		struct delivery_recipient *r = &t->d->recipients[i];
		char dsn[WHY_DSN_MAX];

		if (r->done || !r->accepted)
			continue;
		snprintf(dsn, sizeof(dsn), "%s", r->why.dsn);
		why_set(&t->why, dsn, "%s", r->reply);
		delivery_finish(t->d, r, t->p, OK, &t->why, r->reply);
	}
}

static void
reset(struct peer *p)
{
	struct peer_reply r;
	struct why why;

	if (p->broken || !p->dirty)
		return;
	peer_say(p, set()->smtp_rset_timeout, "RSET");
	if (peer_hear(p, set()->smtp_rset_timeout, "sending RSET", &r, NULL,
		&why) != OK ||
	    peer_verdict(&r) != OK)
		p->broken = true;
	p->dirty = false;
}

static void
converse(struct transaction *t)
{
	bool ok;

	t->p->dirty = true;
	ok = (t->p->features & PEER_PIPELINING) ? envelope_pipelined(t) :
						  envelope_in_steps(t);
	if (ok && t->data_open && !t->failed && t->accepted > 0)
		send_content(t);
	else if (ok && t->data_open)
		send_nothing(t);
	else if (ok && !t->failed && verify_only(t))
		verified(t);
}

enum transaction_result
transaction_run(struct delivery *d, struct peer *p)
{
	struct transaction t = { .d = d, .p = p };

	p->uses++;
	d->connected = clock_wall_us();
	for (size_t i = 0; i < d->count; i++)
		d->recipients[i].accepted = false;
	check_fit(&t);
	if (!t.failed)
		converse(&t);
	content_plan_fini(&t.plan);
	if (t.stale)
		return TRANSACTION_STALE;
	reset(p);
	return TRANSACTION_ENDED;
}
