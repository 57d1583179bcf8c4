/* SPDX-License-Identifier: ISC */
/* MAIL: RFC 5321 section 4.1.1.2. */
#include <stdlib.h>

#include "lib/log/log.h"
#include "lib/mail/esmtp.h"
#include "lib/mail/reply.h"
#include "smtpd/limits.h"
#include "smtpd/session.h"
#include "smtpd/whose_headers.h"

static void
begin(struct session *s, const struct esmtp_mail *m, bool ours)
{
	struct transaction *t;

	transaction_begin(s);
	t = s->mail;
	t->sender = arena_text(t->arena, m->sender);
	t->envid = arena_text(t->arena, m->envid);
	t->ret = m->ret;
	t->body = m->body;
	t->smtputf8 = m->smtputf8;
	t->ours = ours;
	t->size = m->has_size ? m->size : 0;
	session_state(s, STATE_SENDER);
	say(s, 250, "2.1.0", "Ok");
}

/* Without smtpd_delay_reject the sender is judged now. */
static bool
allowed(struct session *s, const char *sender)
{
	return s->p->smtpd_delay_reject ||
	    say_unless_allowed(s, STAGE_SENDER, sender, NULL, s->helo);
}

static bool
within_rate(struct session *s)
{
	if (limits_allow(s, LIMIT_MESSAGE))
		return true;
	log_warning("Message delivery request rate limit exceeded: from %s "
		    "for service %s (smtpd_client_message_rate_limit)",
	    s->client.full, s->config->service->name);
	say_no(s, 450, "4.7.1", "Error: too much mail from %s",
	    s->client.address_text);
	return false;
}

/*
 * Whose headers they are is known from here on: at the end of data, where a
 * connection to cleanup is held, nothing is asked. Where it cannot be told, the
 * client comes again, rather than that its mail goes on in the other form.
 */
static bool
headers_known(struct session *s, bool *ours)
{
	enum table_result r = whose_headers_ours(s);
	struct refusal no = {
		.code = 451,
		.dsn = "4.3.0",
		.text = "Temporary lookup error",
	};

	*ours = r == TABLE_FOUND;
	if (r == TABLE_FOUND || r == TABLE_NONE)
		return true;
	if (r == TABLE_BROKEN)
		no = (struct refusal){ 451, "4.3.5",
			"Server configuration error", false };
	say_refusal(s, &no, NULL, NULL);
	return false;
}

static struct mem_pool parsed = MEM_POOL(struct esmtp_mail);

void
verb_mail(struct session *s, struct span arguments)
{
	struct esmtp_rules rules = {
		.strict = s->p->strict_rfc821_envelopes,
		.utf8 = s->p->smtputf8_enable && !(s->discard & EHLO_SMTPUTF8),
		.strict_utf8 = s->p->strict_smtputf8,
		.dsn = !(s->discard & EHLO_DSN),
		.size_limit = (uint64_t)s->config->common->message_size_limit,
	};
	struct esmtp_mail *m = mem_pool_get(&parsed);
	struct buf reply = BUF_INIT(REPLY_LINE_MAX);
	bool ours;

	s->author_match = AUTHOR_ANY;
	if (!esmtp_parse_mail(arguments, &rules, m, &reply)) {
		if (rules.size_limit > 0 && m->size > rules.size_limit)
			log_info("%s: reject: MAIL from %s: %s; from=<%s> "
				 "proto=%s helo=<%s> (message_size_limit)",
			    session_id(s), s->client.full, buf_text(&reply),
			    m->sender, s->esmtp ? "ESMTP" : "SMTP",
			    s->helo != NULL ? s->helo : "");
		say_bad_path(s, arguments, buf_text(&reply));
	} else if (within_rate(s) && allowed(s, m->sender) &&
	    headers_known(s, &ours)) {
		begin(s, m, ours);
	}
	buf_fini(&reply);
	mem_pool_put(&parsed, m);
}
