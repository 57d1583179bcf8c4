/* SPDX-License-Identifier: ISC */
/*
 * STARTTLS: RFC 3207. Nothing that came before the handshake counts after
 * it: buffered bytes are thrown away (CVE-2011-0411), and the client begins
 * again with EHLO.
 */
#include "lib/log/log.h"
#include "smtpd/connect.h"
#include "smtpd/login.h"

void
verb_starttls(struct session *s, struct span arguments)
{
	size_t thrown;

	(void)arguments;
	if (s->tls_seen) {
		say_no(s, 554, "5.5.1", "Error: TLS already active");
		return;
	}
	if (s->config->tls == NULL || (s->discard & EHLO_STARTTLS)) {
		say_no(s, 502, "5.5.1", "Error: command not implemented");
		return;
	}
	if (!connect_tls_allowed(s)) {
		say_no(s, 454, "4.7.0",
		    "Error: too many new TLS sessions from %s",
		    s->client.address_text);
		return;
	}
	say(s, 220, "2.0.0", "Ready to start TLS");
	if (stream_flush(s->io) != IO_OK)
		return;
	thrown = stream_discard(s->io);
	if (thrown > 0)
		log_info("improper command pipelining after STARTTLS from "
			 "%s: %zu bytes thrown away",
		    s->client.full, thrown);
	session_forget(s);
	login_forget(s);
	connect_tls(s);
}
