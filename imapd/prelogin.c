/* SPDX-License-Identifier: ISC */
/*
 * Commands before the login: RFC 9051 sections 6.1 and 6.2, RFC 3501, RFC 4959
 * (SASL-IR), RFC 2971 (ID), RFC 5530 (codes).
 *
 * What was said in clear is forgotten when TLS begins: bytes sent behind
 * STARTTLS are thrown away with the reader that may have seen them, and
 * nothing before it has left any state. There is no PREAUTH greeting.
 */
#include "imapd/prelogin.h"

#include <stdio.h>
#include <string.h>

#include "imapd/client_id.h"
#include "lib/base/buf.h"
#include "lib/log/log.h"

enum {
	CAPABILITIES_MAX = 2000,
};

static const char *const announced[] = {
#define CAPABILITY(name) name,
#include "imapd/capabilities.def"
#undef CAPABILITY
};

/* "NO", "BAD" or "OK", and the rest of the line; the command is over. */
static void
reply(struct prelogin *p, const char *how, const char *text)
{
	stream_printf(p->login.io, "%s %s %s\r\n",
	    p->tag[0] == '\0' ? "*" : p->tag, how, text);
}

static void
bad(struct prelogin *p, const char *text)
{
	p->login.errors++;
	reply(p, "BAD", text);
}

void
prelogin_say(struct login *l, enum login_says what)
{
	static const struct {
		const char *how, *text;
	} words[LOGIN_SAYS_COUNT] = {
		[LOGIN_REFUSED] = { "NO",
		    "[AUTHENTICATIONFAILED] Authentication failed" },
		[LOGIN_LATER] = { "NO",
		    "[UNAVAILABLE] Temporary authentication failure" },
		[LOGIN_CANCELLED] = { "BAD", "Authentication cancelled" },
		[LOGIN_BAD_BASE64] = { "BAD", "Invalid base64 data" },
		[LOGIN_NO_MECHANISM] = { "NO",
		    "[CANNOT] Unsupported authentication mechanism" },
		[LOGIN_LONG_LINE] = { "BAD", "[TOOBIG] Line too long" },
		[LOGIN_NO_SESSION] = { "NO",
		    "[UNAVAILABLE] Cannot open the mailbox now,"
		    " try again later" },
		[LOGIN_CROWD] = { "BYE",
		    "[LIMIT] Too many connections from your address" },
	};
	struct prelogin *p = (struct prelogin *)l;

	if (what == LOGIN_CROWD)
		p->tag[0] = '\0';
	reply(p, words[what].how, words[what].text);
	if (what == LOGIN_NO_SESSION)
		stream_text(l->io, "* BYE Try again later\r\n");
}

/* What is true already, of what holds behind the login. */
static bool
holds_before_login(const char *name)
{
	static const char *const early[] = { "IMAP4rev1", "IMAP4rev2",
		"LITERAL+", "LITERAL-", "ENABLE", "IDLE" };

	for (size_t i = 0; i < sizeof(early) / sizeof(early[0]); i++)
		if (strcmp(name, early[i]) == 0)
			return true;
	return false;
}

static const char *
capabilities(const struct prelogin *p)
{
	static struct buf list = BUF_INIT(CAPABILITIES_MAX);
	struct span rest, name;

	buf_reset(&list);
	for (size_t i = 0; i < sizeof(announced) / sizeof(announced[0]); i++)
		if (holds_before_login(announced[i]))
			buf_printf(&list, "%s ", announced[i]);
	buf_add_text(&list, "SASL-IR ID");
	if (login_tls_offered(&p->login))
		buf_add_text(&list, " STARTTLS");
	if (!login_plaintext_allowed(&p->login)) {
		buf_add_text(&list, " LOGINDISABLED");
		return buf_text(&list);
	}
	rest = span_of(login_mechanisms(&p->login));
	while (span_cut(&rest, " ", true, &name))
		buf_printf(&list, " AUTH=%.*s", SPAN_ARG(name));
	return buf_text(&list);
}

/* login_mechanisms may wait, and others use the list meanwhile. */
static const char *
capabilities_now(const struct prelogin *p)
{
	(void)login_mechanisms(&p->login);
	return capabilities(p);
}

static bool
no_arguments(struct prelogin *p, const struct imap_command *c)
{
	if (c->count == 0)
		return true;
	bad(p, "No arguments are expected");
	return false;
}

static void
do_capability(struct prelogin *p, const struct imap_command *c)
{
	if (!no_arguments(p, c))
		return;
	stream_printf(p->login.io, "* CAPABILITY %s\r\n", capabilities_now(p));
	reply(p, "OK", "Capability completed.");
}

static void
do_noop(struct prelogin *p, const struct imap_command *c)
{
	if (no_arguments(p, c))
		reply(p, "OK", "NOOP completed.");
}

static void
do_logout(struct prelogin *p, const struct imap_command *c)
{
	if (!no_arguments(p, c))
		return;
	stream_text(p->login.io, "* BYE Logging out\r\n");
	reply(p, "OK", "Logout completed.");
	p->login.end = "logout";
	p->login.done = true;
}

static void
do_id(struct prelogin *p, const struct imap_command *c)
{
	struct buf told = BUF_INIT(CLIENT_ID_LOG_MAX);

	if (!client_id_read(c, &told)) {
		bad(p, "A list of names and values, or NIL, is expected");
	} else {
		if (told.n > 0)
			log_info("ID client=[%s], session=%s, %s",
			    p->login.client, p->login.id, buf_text(&told));
		stream_text(p->login.io, "* ID (\"name\" \"Posthaste\")\r\n");
		reply(p, "OK", "ID completed.");
	}
	buf_fini(&told);
}

static void
new_reader(struct prelogin *p)
{
	imap_reader_free(&p->reader);
	p->reader = imap_reader_new(p->login.io, &imap_limits_login);
}

static void
do_starttls(struct prelogin *p, const struct imap_command *c)
{
	char answer[IMAP_TAG_MAX + 64];

	if (!no_arguments(p, c))
		return;
	if (p->login.secure) {
		bad(p, "TLS is active already");
		return;
	}
	if (!login_tls_offered(&p->login)) {
		reply(p, "NO", "[UNAVAILABLE] TLS is not available");
		return;
	}
	snprintf(answer, sizeof(answer), "%s OK Begin TLS negotiation now.\r\n",
	    p->tag);
	if (login_start_tls(&p->login, "STARTTLS", answer))
		new_reader(p);
}

static bool
plaintext_allowed(struct prelogin *p)
{
	if (login_plaintext_allowed(&p->login))
		return true;
	reply(p, "NO",
	    "[PRIVACYREQUIRED] Plaintext authentication disallowed"
	    " on non-secure (SSL/TLS) connections.");
	return false;
}

static void
do_login(struct prelogin *p, const struct imap_command *c)
{
	struct span user, password;

	/* "bob*support": clients do not know that the * wants quotes */
	if (c->count != 2 || !imap_arg_list_mailbox(&c->args[0], &user) ||
	    !imap_arg_astring(&c->args[1], &password))
		bad(p, "A name and a password are expected");
	else if (plaintext_allowed(p))
		login_password(&p->login, "LOGIN", user, password);
}

static bool
is_offered(const struct prelogin *p, struct span mechanism)
{
	struct span rest = span_of(login_mechanisms(&p->login)), name;

	while (span_cut(&rest, " ", true, &name))
		if (span_equal_nocase(name, mechanism))
			return true;
	return false;
}

static void
do_authenticate(struct prelogin *p, const struct imap_command *c)
{
	struct span mechanism, initial = { NULL, 0 };

	if (c->count < 1 || c->count > 2 ||
	    !imap_arg_atom(&c->args[0], &mechanism) ||
	    (c->count == 2 && !imap_arg_atom(&c->args[1], &initial)))
		bad(p, "A mechanism, and maybe a response, are expected");
	else if (!plaintext_allowed(p))
		return;
	else if (!is_offered(p, mechanism))
		prelogin_say(&p->login, LOGIN_NO_MECHANISM);
	else
		login_exchange(&p->login, mechanism, initial);
}

static const struct {
	const char *name;
	void (*run)(struct prelogin *p, const struct imap_command *c);
} verbs[] = {
	{ "CAPABILITY", do_capability },
	{ "NOOP", do_noop },
	{ "ID", do_id },
	{ "LOGOUT", do_logout },
	{ "STARTTLS", do_starttls },
	{ "LOGIN", do_login },
	{ "AUTHENTICATE", do_authenticate },
};

static bool
take_tag(struct prelogin *p, const struct imap_command *c)
{
	size_t n = c->tag.n <= IMAP_TAG_MAX ? c->tag.n : 0;

	if (n > 0)
		memcpy(p->tag, c->tag.p, n);
	p->tag[n] = '\0';
	return n > 0;
}

static void
run(struct prelogin *p, const struct imap_command *c)
{
	if (c->tag.n > IMAP_TAG_MAX) {
		bad(p, "The tag is too long");
		return;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!c->uid && span_is(c->name, verbs[i].name)) {
			verbs[i].run(p, c);
			return;
		}
	bad(p, "Unknown command, or one for after the login");
}

static void
too_many(struct prelogin *p, const char *what, const char *setting)
{
	stream_printf(p->login.io, "* BYE Too many %s, good bye\r\n", what);
	login_too_many(&p->login, what, setting);
}

static void
enforce_limits(struct prelogin *p)
{
	if (p->login.done)
		return;
	if (p->login.errors > p->params->imap_error_limit)
		too_many(p, "errors", "imap_error_limit");
	else if (p->login.refused >= p->params->imap_login_limit)
		too_many(p, "failed logins", "imap_login_limit");
}

static void
ended(struct prelogin *p, enum io result)
{
	static const struct {
		enum io result;
		const char *text;
	} words[] = {
		{ IO_TIMEOUT, "Timeout, good bye" },
		{ IO_LONG, "Line too long" },
		{ IO_CANCELLED, "The server stops" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].result == result)
			stream_printf(p->login.io, "* BYE %s\r\n",
			    words[i].text);
	login_broken(&p->login, result);
	p->login.done = true;
}

static void
one_command(struct prelogin *p)
{
	const char *error = "";
	struct imap_command c;
	enum io io = IO_OK;

	switch (imap_read_command(p->reader, &c, &error, &io)) {
	case IMAP_READ_OK:
		(void)take_tag(p, &c);
		if (!login_is_http(&p->login, c.tag))
			run(p, &c);
		break;
	case IMAP_READ_BAD:
		(void)take_tag(p, &c);
		if (!login_is_http(&p->login, c.tag))
			bad(p, error);
		break;
	case IMAP_READ_END:
		ended(p, io);
		break;
	case IMAP_READ_FATAL:
		stream_printf(p->login.io, "* BYE %s\r\n", error);
		p->login.end = error;
		p->login.done = true;
		break;
	}
	enforce_limits(p);
}

void
prelogin_dialogue(struct login *l)
{
	struct prelogin *p = (struct prelogin *)l;

	l->tag = p->tag;
	new_reader(p);
	stream_printf(l->io, "* OK [CAPABILITY %s] Posthaste ready.\r\n",
	    capabilities_now(p));
	while (!l->done)
		one_command(p);
	imap_reader_free(&p->reader);
}
