/* SPDX-License-Identifier: ISC */
/*
 * Commands of the AUTHORIZATION state: RFC 1939 section 4, RFC 2449, RFC 2595
 * section 4, RFC 5034.
 */
#include "pop3d/authorization.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "pop3d/command.h"

static void
refuse_plaintext(struct authorization *a)
{
	stream_text(a->login.io,
	    "-ERR [AUTH] Plaintext authentication disallowed"
	    " on non-secure (SSL/TLS) connections.\r\n");
}

static void
do_capa(struct authorization *a, const struct command *c)
{
	const char *mechanisms;

	(void)c;
	stream_text(a->login.io,
	    "+OK Capability list follows\r\n"
	    "TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n"
	    "EXPIRE NEVER\r\nLOGIN-DELAY 0\r\n");
	if (login_tls_offered(&a->login))
		stream_text(a->login.io, "STLS\r\n");
	if (login_plaintext_allowed(&a->login)) {
		stream_text(a->login.io, "USER\r\n");
		mechanisms = login_mechanisms(&a->login);
		if (mechanisms[0] != '\0')
			stream_printf(a->login.io, "SASL %s\r\n", mechanisms);
	}
	stream_printf(a->login.io, "IMPLEMENTATION %s\r\n.\r\n",
	    a->login.stage->common->mail_name);
}

static void
do_stls(struct authorization *a, const struct command *c)
{
	(void)c;
	if (a->login.secure) {
		stream_text(a->login.io, "-ERR TLS is already active\r\n");
	} else if (!login_tls_offered(&a->login)) {
		stream_text(a->login.io, "-ERR TLS is not available\r\n");
	} else if (login_start_tls(&a->login, "STLS",
		       "+OK Begin TLS negotiation now\r\n")) {
		free(a->user);
		a->user = NULL;
	}
}

/* Any name will do: whether it exists shows with the password. */
static void
do_user(struct authorization *a, const struct command *c)
{
	if (!login_plaintext_allowed(&a->login)) {
		refuse_plaintext(a);
		return;
	}
	if (c->rest.n == 0) {
		stream_text(a->login.io, "-ERR Whose mailbox?\r\n");
		return;
	}
	free(a->user);
	a->user = mem_span_text(c->rest);
	stream_text(a->login.io, "+OK Send your password\r\n");
}

static void
do_pass(struct authorization *a, const struct command *c)
{
	if (!login_plaintext_allowed(&a->login))
		refuse_plaintext(a);
	else if (a->user == NULL)
		stream_text(a->login.io, "-ERR USER comes first\r\n");
	else
		login_password(&a->login, "USER", span_of(a->user), c->rest);
}

/* Without an argument: the list that older clients ask for so. */
static void
list_mechanisms(struct authorization *a)
{
	struct span rest = span_of(login_mechanisms(&a->login)), name;

	stream_text(a->login.io, "+OK Mechanisms follow\r\n");
	while (span_cut(&rest, " ", true, &name))
		stream_printf(a->login.io, "%.*s\r\n", SPAN_ARG(name));
	stream_text(a->login.io, ".\r\n");
}

static void
do_auth(struct authorization *a, const struct command *c)
{
	struct span rest = c->rest, mechanism, initial = { NULL, 0 };

	if (!login_plaintext_allowed(&a->login)) {
		refuse_plaintext(a);
		return;
	}
	if (!command_argument(&rest, &mechanism)) {
		list_mechanisms(a);
		return;
	}
	(void)command_argument(&rest, &initial);
	login_exchange(&a->login, mechanism, initial);
}

static void
do_quit(struct authorization *a, const struct command *c)
{
	(void)c;
	stream_text(a->login.io, "+OK Good bye\r\n");
	a->login.end = "quit";
	a->login.done = true;
}

static const struct verb {
	const char *keyword;
	void (*act)(struct authorization *a, const struct command *c);
} verbs[] = {
#define TRANSACTION(...)
#define AUTHORIZATION(keyword, act) { keyword, act },
#include "pop3d/verbs.def"
#undef AUTHORIZATION
#undef TRANSACTION
};

static bool
act(struct authorization *a, const struct command *c)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (span_is_nocase(c->keyword, verbs[i].keyword)) {
			verbs[i].act(a, c);
			return true;
		}
	return false;
}

static void
too_many(struct authorization *a, const char *what, const char *setting)
{
	stream_printf(a->login.io, "-ERR Too many %s, good bye\r\n", what);
	login_too_many(&a->login, what, setting);
}

static void
one_command(struct authorization *a, struct span line)
{
	struct login *l = &a->login;
	struct span rest = line, word;
	struct command c;

	if (span_cut(&rest, " ", true, &word) && login_is_http(l, word))
		return;
	if (!command_parse(line, &c) || !act(a, &c)) {
		l->errors++;
		stream_text(l->io, "-ERR Unknown command\r\n");
	}
	if (l->done)
		return;
	if (l->errors > a->params->pop3_error_limit)
		too_many(a, "errors", "pop3_error_limit");
	else if (l->refused >= a->params->pop3_login_limit)
		too_many(a, "failed logins", "pop3_login_limit");
}

void
authorization_dialogue(struct login *l)
{
	struct authorization *a = (struct authorization *)l;
	struct span line;
	enum io r = IO_OK;

	stream_text(l->io, "+OK Posthaste ready\r\n");
	while (!l->done &&
	    (r = stream_line(l->io, COMMAND_LINE_MAX, &line, NULL)) == IO_OK)
		one_command(a, line);
	if (r == IO_LONG)
		stream_text(l->io, "-ERR Line too long\r\n");
	else if (r == IO_TIMEOUT)
		stream_text(l->io, "-ERR Timeout, good bye\r\n");
	if (r != IO_OK)
		login_broken(l, r);
}

void
authorization_say(struct login *l, enum login_says what)
{
	static const char *const words[LOGIN_SAYS_COUNT] = {
		[LOGIN_REFUSED] = "[AUTH] Authentication failed",
		[LOGIN_LATER] = "[SYS/TEMP] Temporary authentication failure",
		[LOGIN_CANCELLED] = "Authentication cancelled",
		[LOGIN_BAD_BASE64] = "Invalid base64 data",
		[LOGIN_NO_MECHANISM] = "Unknown mechanism",
		[LOGIN_LONG_LINE] = "Line too long",
		[LOGIN_NO_SESSION] = "[SYS/TEMP] Cannot open the mailbox now,"
				     " try again later",
		[LOGIN_CROWD] =
		    "[SYS/TEMP] Too many connections from your address",
	};

	stream_printf(l->io, "-ERR %s\r\n", words[what]);
}
