/* SPDX-License-Identifier: ISC */
/*
 * Commands of the AUTHORIZATION state: RFC 1939 section 4, RFC 2449, RFC 2595
 * section 4, RFC 5034.
 */
#include "pop3d/login_stage.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"

static void
refuse_plaintext(struct login_stage *s)
{
	stream_text(s->io,
	    "-ERR [AUTH] Plaintext authentication disallowed"
	    " on non-secure (SSL/TLS) connections.\r\n");
}

bool
login_plaintext_allowed(const struct login_stage *s)
{
	return s->secure || !s->params->disable_plaintext_auth;
}

static void
do_capa(struct login_stage *s, const struct command *c)
{
	const char *mechanisms;

	(void)c;
	stream_text(s->io,
	    "+OK Capability list follows\r\n"
	    "TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n"
	    "EXPIRE NEVER\r\nLOGIN-DELAY 0\r\n");
	if (s->tls != NULL && !s->secure)
		stream_text(s->io, "STLS\r\n");
	if (login_plaintext_allowed(s)) {
		stream_text(s->io, "USER\r\n");
		mechanisms = login_mechanisms(s->secure);
		if (mechanisms[0] != '\0')
			stream_printf(s->io, "SASL %s\r\n", mechanisms);
	}
	stream_printf(s->io, "IMPLEMENTATION %s\r\n.\r\n",
	    s->common->mail_name);
}

/*
 * What was sent in clear behind STLS, maybe by somebody in between, is
 * thrown away before the first byte of TLS (row 13 of what broke elsewhere).
 */
static void
do_stls(struct login_stage *s, const struct command *c)
{
	size_t early;

	(void)c;
	if (s->secure || s->tls == NULL) {
		stream_text(s->io,
		    s->secure ? "-ERR TLS is already active\r\n" :
				"-ERR TLS is not available\r\n");
		return;
	}
	early = stream_discard(s->io);
	if (early > 0)
		log_warning("%zu bytes sent behind STLS by [%s] are ignored,"
			    " session=%s",
		    early, s->client, s->id);
	stream_text(s->io, "+OK Begin TLS negotiation now\r\n");
	if (stream_flush(s->io) == IO_OK &&
	    stream_tls_accept(s->io, s->tls) == IO_OK) {
		s->secure = true;
		free(s->user);
		s->user = NULL;
		return;
	}
	log_info("TLS handshake failed: client=[%s], session=%s: %s", s->client,
	    s->id, stream_error(s->io));
	s->end = "no TLS";
	s->done = true;
}

/* Any name will do: whether it exists shows with the password. */
static void
do_user(struct login_stage *s, const struct command *c)
{
	if (!login_plaintext_allowed(s)) {
		refuse_plaintext(s);
		return;
	}
	if (c->rest.n == 0) {
		stream_text(s->io, "-ERR Whose mailbox?\r\n");
		return;
	}
	free(s->user);
	s->user = mem_span_text(c->rest);
	stream_text(s->io, "+OK Send your password\r\n");
}

static void
do_pass(struct login_stage *s, const struct command *c)
{
	if (!login_plaintext_allowed(s))
		refuse_plaintext(s);
	else if (s->user == NULL)
		stream_text(s->io, "-ERR USER comes first\r\n");
	else
		login_password(s, c->rest);
}

/* Without an argument: the list that older clients ask for so. */
static void
list_mechanisms(struct login_stage *s)
{
	struct span rest = span_of(login_mechanisms(s->secure)), name;

	stream_text(s->io, "+OK Mechanisms follow\r\n");
	while (span_cut(&rest, " ", true, &name))
		stream_printf(s->io, "%.*s\r\n", SPAN_ARG(name));
	stream_text(s->io, ".\r\n");
}

static void
do_auth(struct login_stage *s, const struct command *c)
{
	struct span rest = c->rest, mechanism, initial = { NULL, 0 };

	if (!login_plaintext_allowed(s)) {
		refuse_plaintext(s);
		return;
	}
	if (!command_argument(&rest, &mechanism)) {
		list_mechanisms(s);
		return;
	}
	(void)command_argument(&rest, &initial);
	login_exchange(s, mechanism, initial);
}

static void
do_quit(struct login_stage *s, const struct command *c)
{
	(void)c;
	stream_text(s->io, "+OK Good bye\r\n");
	s->end = "quit";
	s->done = true;
}

static const struct verb {
	const char *keyword;
	void (*act)(struct login_stage *s, const struct command *c);
} verbs[] = {
	{ "CAPA", do_capa },
	{ "STLS", do_stls },
	{ "USER", do_user },
	{ "PASS", do_pass },
	{ "AUTH", do_auth },
	{ "QUIT", do_quit },
};

bool
login_command(struct login_stage *s, const struct command *c)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (span_is_nocase(c->keyword, verbs[i].keyword)) {
			verbs[i].act(s, c);
			return true;
		}
	return false;
}
