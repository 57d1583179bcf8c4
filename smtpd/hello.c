/* SPDX-License-Identifier: ISC */
/* HELO and EHLO: RFC 5321 section 4.1.1.1. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "smtpd/login.h"
#include "smtpd/session.h"

enum { HELO_MAX = 255, EHLO_LINES = 16 };

/* Any word a client calls itself; checks of its form are restrictions. */
static char *
clean_name(struct span name)
{
	char *text;

	text = mem_span_text(span_take(name, HELO_MAX));
	for (char *p = text; *p != '\0'; p++)
		if (!isgraph((unsigned char)*p) && (unsigned char)*p < 0x80)
			*p = '?';
	return text;
}

/* Without smtpd_delay_reject, client and HELO are judged now. */
static bool
allowed(struct session *s, const char *helo)
{
	struct evaluation *e;
	bool fine = true;

	if (s->p->smtpd_delay_reject)
		return true;
	e = mem_new(sizeof(*e));
	e->s = s;
	e->helo = helo;
	if (restrictions_evaluate(e, STAGE_HELO) == REFUSE ||
	    restrictions_conclude(e) == REFUSE) {
		say_refusal(s, &e->refusal, NULL, NULL);
		fine = false;
	}
	free(e);
	return fine;
}

static bool
begin(struct session *s, struct span name, bool esmtp)
{
	char *helo;

	if (name.n == 0) {
		say_no(s, 501, NULL, "Syntax: %s hostname", s->where);
		return false;
	}
	helo = clean_name(name);
	if (!allowed(s, helo)) {
		free(helo);
		return false;
	}
	session_forget(s);
	s->helo = helo;
	s->esmtp = esmtp;
	session_state(s, STATE_READY);
	return true;
}

void
verb_helo(struct session *s, struct span arguments)
{
	if (begin(s, arguments, false))
		say(s, 250, NULL, "%s", s->config->common->myhostname);
}

struct offer {
	char lines[EHLO_LINES][80];
	char auth[1100];
	size_t count;
};

static void
offer(struct offer *o, const struct session *s, unsigned int keyword,
    const char *text)
{
	if (s->config->discard & keyword)
		return;
	snprintf(o->lines[o->count++], sizeof(o->lines[0]), "%s", text);
}

static void
collect(struct offer *o, struct session *s)
{
	char size[40];

	offer(o, s, EHLO_PIPELINING, "PIPELINING");
	snprintf(size, sizeof(size), s->config->common->message_size_limit > 0 ?
	    "SIZE %lld" : "SIZE",
	    (long long)s->config->common->message_size_limit);
	offer(o, s, EHLO_SIZE, size);
	if (!s->p->disable_vrfy_command)
		offer(o, s, EHLO_VRFY, "VRFY");
	if (s->config->tls != NULL && !s->tls_seen)
		offer(o, s, EHLO_STARTTLS, "STARTTLS");
	offer(o, s, EHLO_ENHANCEDSTATUSCODES, "ENHANCEDSTATUSCODES");
	offer(o, s, EHLO_8BITMIME, "8BITMIME");
	offer(o, s, EHLO_DSN, "DSN");
	if (s->p->smtputf8_enable)
		offer(o, s, EHLO_SMTPUTF8, "SMTPUTF8");
}

void
verb_ehlo(struct session *s, struct span arguments)
{
	struct offer o = { .count = 0 };
	char mechanisms[1024] = "";

	if (!begin(s, arguments, true))
		return;
	collect(&o, s);
	if (!(s->config->discard & EHLO_AUTH))
		login_mechanisms(s, mechanisms, sizeof(mechanisms));
	say_line(s, 250, false, s->config->common->myhostname);
	if (mechanisms[0] != '\0') {
		snprintf(o.auth, sizeof(o.auth), "AUTH %s", mechanisms);
		say_line(s, 250, false, o.auth);
		if (s->p->broken_sasl_auth_clients) {
			o.auth[4] = '=';
			say_line(s, 250, false, o.auth);
		}
	}
	if (o.count == 0)
		say_line(s, 250, true, "HELP");
	for (size_t i = 0; i < o.count; i++)
		say_line(s, 250, i + 1 == o.count, o.lines[i]);
}
