/* SPDX-License-Identifier: ISC */
/* Restrictions that need no table: constants, the client, the session. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/task/task.h"
#include "smtpd/checks.h"

enum { SLEEP_MAX_S = 300 };

enum decision
refuse_stage(struct evaluation *e, enum stage about, int code, const char *dsn,
    const char *words)
{
	struct buf subject = BUF_INIT(REFUSAL_TEXT_MAX);
	enum decision d;

	stage_subject(e, about, &subject);
	d = refuse_with(e, code, dsn, "%s: %s", buf_text(&subject), words);
	buf_fini(&subject);
	return d;
}

enum decision
check_permit(struct evaluation *e, const char *argument)
{
	(void)e;
	(void)argument;
	return PERMIT;
}

enum decision
check_reject(struct evaluation *e, const char *argument)
{
	(void)argument;
	return refuse_stage(e, e->stage, (int)e->s->p->reject_code, "5.7.1",
	    "Access denied");
}

enum decision
check_defer(struct evaluation *e, const char *argument)
{
	(void)argument;
	return refuse_stage(e, e->stage, (int)e->s->p->defer_code, "4.3.2",
	    "Try again later");
}

enum decision
check_defer_if_permit(struct evaluation *e, const char *argument)
{
	struct buf subject = BUF_INIT(REFUSAL_TEXT_MAX);
	enum decision d;

	(void)argument;
	stage_subject(e, e->stage, &subject);
	d = defer_if_permit(e, "4.7.0", "%s: defer_if_permit requested",
	    buf_text(&subject));
	buf_fini(&subject);
	return d;
}

enum decision
check_defer_if_reject(struct evaluation *e, const char *argument)
{
	(void)argument;
	return defer_if_reject(e, e->stage, "4.7.0",
	    "defer_if_reject requested");
}

/* Compiled away: it marks the restriction behind it. */
enum decision
check_warn_if_reject(struct evaluation *e, const char *argument)
{
	(void)e;
	(void)argument;
	return DUNNO;
}

enum decision
check_sleep(struct evaluation *e, const char *argument)
{
	uint64_t seconds;

	if (!span_u64(span_of(argument), SLEEP_MAX_S, &seconds))
		return refuse_configuration(e, "sleep: bad time: %s", argument);
	stream_flush(e->s->io);
	wait_until(clock_in((int64_t)seconds));
	return DUNNO;
}

enum decision
check_inet_interfaces(struct evaluation *e, const char *argument)
{
	struct address here = e->s->client.server;

	(void)argument;
	if (address_is_loopback(&e->s->client.address))
		return PERMIT;
	/* a client that talks to itself comes from the address it talks to */
	if (here.length == 0) {
		here.length = sizeof(here.v6);
		if (getsockname(stream_fd(e->s->io), &here.any, &here.length) <
		    0)
			return DUNNO;
		address_normalise(&here);
	}
	return address_is_ip(&here) &&
		address_equal_host(&here, &e->s->client.address) ?
	    PERMIT :
	    DUNNO;
}

enum decision
check_mynetworks(struct evaluation *e, const char *argument)
{
	(void)argument;
	if (e->s->client.mynetworks)
		return PERMIT;
	if (e->s->client.mynetworks_trouble)
		return defer_if_permit(e, "4.3.0",
		    "<%s>: Client host rejected: Temporary lookup failure",
		    e->s->client.full);
	return DUNNO;
}

enum decision
check_authenticated(struct evaluation *e, const char *argument)
{
	(void)argument;
	return e->s->user != NULL ? PERMIT : DUNNO;
}

/* What came too soon counts at whatever stage, and all through the session. */
enum decision
check_pipelining(struct evaluation *e, const char *argument)
{
	(void)argument;
	if (!e->s->improper)
		return DUNNO;
	return refuse_stage(e, e->stage, 503, "5.5.0",
	    "Improper use of SMTP command pipelining");
}

enum decision
check_plaintext(struct evaluation *e, const char *argument)
{
	(void)argument;
	if (e->s->tls_seen)
		return DUNNO;
	return refuse_with(e, (int)e->s->p->plaintext_reject_code, "4.7.1",
	    "Session encryption is required");
}

enum decision
check_bounce(struct evaluation *e, const char *argument)
{
	const struct transaction *t = e->s->mail;
	size_t count = t ? t->count : 0;

	(void)argument;
	if (e->sender == NULL || e->sender[0] != '\0')
		return DUNNO;
	/* at RCPT the one at hand is not yet among them */
	if (e->stage < STAGE_DATA && e->recipient != NULL)
		count++;
	if (count < 2)
		return DUNNO;
	return refuse_stage(e,
	    e->stage >= STAGE_DATA ? e->stage : STAGE_RECIPIENT,
	    (int)e->s->p->multi_recipient_bounce_reject_code, "5.5.3",
	    "Multi-recipient bounce");
}

enum decision
check_client_name(struct evaluation *e, const char *argument)
{
	const struct client *c = &e->s->client;

	(void)argument;
	if (strcmp(c->name, "unknown") != 0)
		return DUNNO;
	return refuse_with(e,
	    c->name_trouble ? 450 : (int)e->s->p->unknown_client_reject_code,
	    "4.7.25", "Client host rejected: cannot find your hostname, [%s]",
	    c->address_text);
}

enum decision
check_reverse_name(struct evaluation *e, const char *argument)
{
	const struct client *c = &e->s->client;

	(void)argument;
	if (strcmp(c->unverified_name, "unknown") != 0)
		return DUNNO;
	return refuse_with(e,
	    c->name_trouble ? 450 : (int)e->s->p->unknown_client_reject_code,
	    "4.7.1",
	    "Client host rejected: cannot find your reverse hostname, [%s]",
	    c->address_text);
}
