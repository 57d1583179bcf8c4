/* SPDX-License-Identifier: ISC */
/* RCPT: RFC 5321 section 4.1.1.3. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log/log.h"
#include "lib/mail/esmtp.h"
#include "lib/mail/reply.h"
#include "smtpd/limits.h"
#include "smtpd/resolve_cache.h"
#include "smtpd/room.h"
#include "smtpd/session.h"
#include "smtpd/xforward.h"

/* The message gets its name with the first recipient. */
static void
name_message(struct session *s)
{
	struct transaction *t = s->mail;
	char login[600] = "", origin[FORWARDED_ORIGIN_MAX] = "";

	if (t->queue_id[0] != '\0')
		return;
	queue_id_mint(t->queue_id);
	if (s->user != NULL)
		snprintf(login, sizeof(login),
		    ", sasl_method=%s, sasl_username=%s", s->mechanism,
		    s->user);
	forwarded_origin(s->forwarded, origin);
	log_info("%s: client=%s%s%s", t->queue_id, s->client.full, origin,
	    login);
}

static void
add(struct session *s, const struct esmtp_rcpt *r)
{
	struct transaction *t = s->mail;
	const struct msg_resolved_item *answer =
	    resolve_recipient(s, r->recipient);
	struct recipient *to;

	name_message(s);
	if (t->count == t->room) {
		t->room = t->room ? t->room * 2 : 4;
		t->recipients =
		    mem_resize(t->recipients, t->room * sizeof(*t->recipients));
	}
	to = &t->recipients[t->count++];
	*to = (struct recipient){
		.original = arena_text(t->arena, r->recipient),
		.orcpt = arena_text(t->arena, r->orcpt),
		.notify = r->notify,
		.final =
		    answer != NULL && answer->verdict == OK && answer->final,
	};
	to->address =
	    to->final ? arena_text(t->arena, answer->address) : to->original;
	to->transport =
	    to->final ? arena_text(t->arena, answer->transport) : "";
	to->nexthop = to->final ? arena_text(t->arena, answer->nexthop) : "";
	session_state(s, STATE_RECIPIENTS);
	say(s, 250, "2.1.5", "Ok");
}

static bool
within_limit(struct session *s)
{
	struct transaction *t = s->mail;

	if (t->count < (size_t)s->p->smtpd_recipient_limit)
		return true;
	if (t->overshoot++ == 0)
		log_info("%s: too many recipients from %s "
			 "(smtpd_recipient_limit)",
		    session_id(s), s->client.full);
	if (t->overshoot > (size_t)s->p->smtpd_recipient_overshoot_limit) {
		if (t->overshoot ==
		    (size_t)s->p->smtpd_recipient_overshoot_limit + 1)
			log_info("%s: further recipients from %s count as "
				 "errors (smtpd_recipient_overshoot_limit)",
			    session_id(s), s->client.full);
		s->errors++;
	}
	/* no error of the client: it sends the others in another message */
	say(s, 452, "4.5.3", "Error: too many recipients");
	return false;
}

static bool
within_rate(struct session *s)
{
	if (limits_allow(s, LIMIT_RECIPIENT))
		return true;
	log_warning("Recipient address rate limit exceeded: from %s for "
		    "service %s (smtpd_client_recipient_rate_limit)",
	    s->client.full, s->config->service->name);
	say_no(s, 450, "4.7.1", "Error: too many recipients from %s",
	    s->client.address_text);
	return false;
}

/* The lists that smtpd_delay_reject has put off, and those of RCPT. */
static enum decision
evaluate(struct session *s, struct evaluation *e)
{
	static const enum stage orders[2][5] = {
		{ STAGE_CLIENT, STAGE_HELO, STAGE_SENDER, STAGE_RECIPIENT,
		    STAGE_RELAY },
		{ STAGE_CLIENT, STAGE_HELO, STAGE_SENDER, STAGE_RELAY,
		    STAGE_RECIPIENT },
	};
	const enum stage *order =
	    orders[s->p->smtpd_relay_before_recipient_restrictions];

	for (size_t i = s->p->smtpd_delay_reject ? 0 : 3; i < 5; i++)
		if (restrictions_evaluate(e, order[i]) == REFUSE)
			return REFUSE;
	if (s->p->smtpd_reject_unlisted_sender &&
	    check_unlisted_sender(e, NULL) == REFUSE)
		return REFUSE;
	if (check_listed_recipient(e, s->p->smtpd_reject_unlisted_recipient) ==
	    REFUSE)
		return REFUSE;
	if (restrictions_conclude(e) == REFUSE)
		return REFUSE;
	return check_room(e);
}

static bool
allowed(struct session *s, const char *recipient)
{
	struct evaluation *e = evaluation_new();
	bool fine;

	e->s = s;
	e->sender = s->mail->sender;
	e->recipient = recipient;
	e->helo = s->helo;
	fine = evaluate(s, e) != REFUSE;
	if (!fine)
		say_refusal(s, &e->refusal, e->sender, recipient);
	evaluation_free(e);
	return fine;
}

static struct mem_pool parsed = MEM_POOL(struct esmtp_rcpt);

void
verb_rcpt(struct session *s, struct span arguments)
{
	struct esmtp_rules rules = {
		.strict = s->p->strict_rfc821_envelopes,
		.utf8 = s->mail->smtputf8 ||
		    (s->p->smtputf8_enable && !s->p->strict_smtputf8),
		.dsn = !(s->discard & EHLO_DSN),
	};
	struct esmtp_rcpt *r = mem_pool_get(&parsed);
	struct buf reply = BUF_INIT(REPLY_LINE_MAX);

	if (!within_limit(s) || !within_rate(s))
		;
	else if (!esmtp_parse_rcpt(arguments, &rules, r, &reply))
		say_bad_path(s, arguments, buf_text(&reply));
	else if (allowed(s, r->recipient))
		add(s, r);
	buf_fini(&reply);
	mem_pool_put(&parsed, r);
}
