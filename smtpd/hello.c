/* SPDX-License-Identifier: ISC */
/* HELO and EHLO: RFC 5321 section 4.1.1.1. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "smtpd/ask.h"
#include "smtpd/attributes.h"
#include "smtpd/login.h"
#include "smtpd/session.h"

enum { HELO_MAX = 255, OFFER_MAX = 1032 };

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
	return s->p->smtpd_delay_reject ||
	    say_unless_allowed(s, STAGE_HELO, NULL, NULL, helo);
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

/* The lines of the answer; the last one gets a blank for its hyphen. */
struct offer {
	struct buf text;
	size_t last;
	unsigned int discard;
};

static void
offer(struct offer *o, unsigned int keyword, const char *name,
    const char *value)
{
	if (o->discard & keyword)
		return;
	o->last = o->text.n;
	buf_add_text(&o->text, "250-");
	buf_add_text(&o->text, name);
	buf_add_text(&o->text, value);
	buf_add_text(&o->text, "\r\n");
}

static void
offer_auth(struct offer *o, struct session *s)
{
	char mechanisms[OFFER_MAX - 8] = "";

	if (!(o->discard & EHLO_AUTH))
		(void)login_mechanisms(s, mechanisms, sizeof(mechanisms));
	if (mechanisms[0] == '\0')
		return;
	offer(o, EHLO_AUTH, "AUTH ", mechanisms);
	if (s->p->broken_sasl_auth_clients)
		offer(o, EHLO_AUTH, "AUTH=", mechanisms);
}

/* To those alone who may use them. */
static void
offer_attributes(struct offer *o, const struct session *s)
{
	struct buf names = BUF_INIT(OFFER_MAX - 16);

	if (s->client.may_xclient) {
		attributes_names(FOR_XCLIENT, &names);
		offer(o, EHLO_XCLIENT, "XCLIENT ", buf_text(&names));
	}
	buf_reset(&names);
	if (s->client.may_xforward) {
		attributes_names(FOR_XFORWARD, &names);
		offer(o, EHLO_XFORWARD, "XFORWARD ", buf_text(&names));
	}
	buf_fini(&names);
}

static void
collect(struct offer *o, struct session *s)
{
	long long size = s->config->common->message_size_limit;
	char limit[24] = "";

	offer(o, 0, "", s->config->common->myhostname);
	offer(o, EHLO_PIPELINING, "PIPELINING", "");
	if (size > 0)
		snprintf(limit, sizeof(limit), " %lld", size);
	offer(o, EHLO_SIZE, "SIZE", limit);
	if (!s->p->disable_vrfy_command)
		offer(o, EHLO_VRFY, "VRFY", "");
	if (s->config->tls != NULL && !s->tls_seen)
		offer(o, EHLO_STARTTLS, "STARTTLS", "");
	offer_auth(o, s);
	offer_attributes(o, s);
	offer(o, EHLO_ENHANCEDSTATUSCODES, "ENHANCEDSTATUSCODES", "");
	offer(o, EHLO_8BITMIME, "8BITMIME", "");
	offer(o, EHLO_DSN, "DSN", "");
	if (s->p->smtputf8_enable)
		offer(o, EHLO_SMTPUTF8, "SMTPUTF8", "");
	offer(o, EHLO_CHUNKING, "CHUNKING", "");
}

/*
 * What is not announced to this client:
 * smtpd_discard_ehlo_keyword_address_maps, else smtpd_discard_ehlo_keywords.
 * False: that cannot be known, answered.
 */
static bool
choose_discarded(struct session *s)
{
	static const char setting[] = "smtpd_discard_ehlo_keyword_address_maps";
	const char *maps = s->p->smtpd_discard_ehlo_keyword_address_maps;
	struct buf value = BUF_INIT(TABLE_VALUE_MAX), error = BUF_INIT(4096);
	struct span address = span_of(s->client.address_text);
	const char *list = s->p->smtpd_discard_ehlo_keywords;
	enum table_result r = TABLE_NONE;

	s->discard = s->config->discard;
	if (maps[0] != '\0')
		r = ask_tables(maps, &address, 1, &value);
	if (r == TABLE_FOUND) {
		list = buf_text(&value);
		s->discard = smtpd_ehlo_keywords(setting, list, &error);
		if (error.n > 0)
			log_warning("%s", buf_text(&error));
	} else if (r != TABLE_NONE) {
		log_warning("%s: %s", setting, buf_text(&value));
		say_no(s, 450, "4.3.0", "Error: temporary lookup failure");
	}
	if (s->discard != 0 && !(s->discard & EHLO_SILENT))
		log_info("discarding EHLO keywords: %s", list);
	buf_fini(&value);
	buf_fini(&error);
	return r == TABLE_NONE || r == TABLE_FOUND;
}

void
verb_ehlo(struct session *s, struct span arguments)
{
	struct offer o = { .text = BUF_INIT(8192) };

	if (!choose_discarded(s) || !begin(s, arguments, true))
		return;
	o.discard = s->discard;
	collect(&o, s);
	o.text.p[o.last + 3] = ' ';
	stream_write(s->io, o.text.p, o.text.n);
	buf_fini(&o.text);
}
