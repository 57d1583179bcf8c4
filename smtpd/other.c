/* SPDX-License-Identifier: ISC */
/* The commands that change little: RSET NOOP VRFY HELP QUIT. */
#include <stdlib.h>

#include "lib/mail/mail_address.h"
#include "lib/mail/smtp_path.h"
#include "smtpd/resolve_cache.h"
#include "smtpd/session.h"

void
verb_rset(struct session *s, struct span arguments)
{
	(void)arguments;
	transaction_free(s);
	say(s, 250, "2.0.0", "Ok");
}

void
verb_noop(struct session *s, struct span arguments)
{
	(void)arguments;
	say(s, 250, "2.0.0", "Ok");
}

void
verb_help(struct session *s, struct span arguments)
{
	(void)arguments;
	say(s, 214, "2.0.0",
	    "Commands: HELO EHLO MAIL RCPT DATA BDAT RSET "
	    "NOOP VRFY HELP QUIT%s%s",
	    s->config->tls ? " STARTTLS" : "",
	    s->p->smtpd_sasl_auth_enable ? " AUTH" : "");
}

void
verb_quit(struct session *s, struct span arguments)
{
	(void)arguments;
	say(s, 221, "2.0.0", "Bye");
	s->closing = true;
}

/*
 * RFC 5321 section 3.5.3: 252 says that we would take it, and no more. The
 * lists of RCPT are asked, so that VRFY tells nothing that RCPT would not.
 */
static bool
verify(struct session *s, struct span arguments, struct buf *address,
    struct evaluation *e)
{
	static const enum stage stages[] = { STAGE_CLIENT, STAGE_HELO,
		STAGE_RELAY, STAGE_RECIPIENT };
	unsigned int flags = s->p->smtputf8_enable ? PATH_UTF8 : 0;

	/* "SMTPUTF8" may follow, RFC 6531 section 3.7.4.2 */
	if (smtp_path_parse(&arguments, flags, address) != SMTP_PATH_OK) {
		say_no(s, 501, "5.1.3", "Bad recipient address syntax");
		return false;
	}
	e->s = s;
	e->sender = "";
	e->recipient = buf_text(address);
	e->helo = s->helo;
	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++)
		if (restrictions_evaluate(e, stages[i]) == REFUSE)
			goto refused;
	if (check_listed_recipient(e, true) != REFUSE &&
	    restrictions_conclude(e) != REFUSE)
		return true;
refused:
	say_refusal(s, &e->refusal, NULL, e->recipient);
	return false;
}

void
verb_vrfy(struct session *s, struct span arguments)
{
	struct buf address = BUF_INIT(MAIL_ADDRESS_MAX);
	struct buf quoted = BUF_INIT(MAIL_ADDRESS_MAX * 2);
	struct evaluation *e;

	if (s->p->disable_vrfy_command) {
		say_no(s, 502, "5.5.1", "VRFY command is disabled");
		return;
	}
	if (arguments.n == 0) {
		say_no(s, 501, "5.5.4", "Syntax: VRFY address%s",
		    s->p->smtputf8_enable ? " [SMTPUTF8]" : "");
		return;
	}
	e = evaluation_new();
	if (verify(s, arguments, &address, e)) {
		mail_address_quote(buf_span(&address), &quoted);
		say(s, 252, "2.0.0", "%s", buf_text(&quoted));
	}
	evaluation_free(e);
	if (s->mail == NULL)
		resolve_cache_free(&s->resolved);
	buf_fini(&address);
	buf_fini(&quoted);
}
