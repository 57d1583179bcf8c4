/* SPDX-License-Identifier: ISC */
#include "smtpd/gate.h"

#include <ctype.h>
#include <poll.h>
#include <stdlib.h>

#include "lib/log/log.h"
#include "lib/mail/mail_address.h"
#include "smtpd/ask.h"

enum { SHOWN_MAX = 100 };

/* A stranger's bytes for the log: printable only. */
static void
printable(struct span in, char out[SHOWN_MAX + 1])
{
	size_t n = in.n < SHOWN_MAX ? in.n : SHOWN_MAX;

	for (size_t i = 0; i < n; i++)
		out[i] = isprint((unsigned char)in.p[i]) ? in.p[i] : '?';
	out[n] = '\0';
}

void
gate_bare_newline(struct session *s)
{
	int code = (int)s->p->smtpd_forbid_bare_newline_reject_code;

	log_info("%s: reject: bare <LF> received after %s from %s; "
		 "see smtpd_forbid_bare_newline",
	    session_id(s), s->where, s->client.full);
	say_no(s, code, code < 500 ? "4.5.2" : "5.5.2",
	    "%s Error: bare <LF> received", s->config->common->myhostname);
	stream_flush(s->io);
	s->dropped = s->closing = true;
}

/*
 * It has sent on, which reject_unauth_pipelining will know of from here on:
 * said once, and with smtpd_forbid_unauth_pipelining the end of it.
 */
static bool
speaks_too_soon(struct session *s)
{
	char shown[SHOWN_MAX + 1];
	struct span bytes;

	if (s->improper || stream_peek(s->io, &bytes) != IO_OK)
		return true;
	printable(bytes, shown);
	log_info("improper command pipelining after %s from %s: %s", s->where,
	    s->client.full, shown);
	s->improper = true;
	if (!s->p->smtpd_forbid_unauth_pipelining)
		return true;
	say_no(s, 554, "5.5.0", "Error: SMTP protocol synchronization");
	stream_flush(s->io);
	s->dropped = s->closing = true;
	return false;
}

bool
gate_synchronised(struct session *s)
{
	return stream_buffered(s->io) == 0 || speaks_too_soon(s);
}

bool
gate_silent(struct session *s)
{
	struct pollfd p = { .fd = stream_fd(s->io), .events = POLLIN };

	if (!s->p->smtpd_forbid_unauth_pipelining ||
	    (stream_buffered(s->io) == 0 && poll(&p, 1, 0) != 1))
		return true;
	return speaks_too_soon(s);
}

/* "Subject: ..." where a command should be: a web form's doing. */
static bool
is_header(struct span name)
{
	return name.n > 1 && name.p[name.n - 1] == ':' &&
	    span_find(name, ':') == name.n - 1;
}

static bool
is_forbidden(struct session *s, struct span name)
{
	struct span rest = span_of(s->p->smtpd_forbidden_commands), item;
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	bool found = is_header(name);

	while (!found && conf_list_next(&rest, &item)) {
		if (span_find(item, ':') == item.n) {
			found = span_equal_nocase(item, name);
			continue;
		}
		char *table = mem_span_text(item);

		found = ask_tables(table, &name, 1, &value) == TABLE_FOUND;
		free(table);
	}
	buf_fini(&value);
	return found;
}

static bool
in_list(const char *list, struct span name)
{
	struct span rest = span_of(list), item;

	while (conf_list_next(&rest, &item))
		if (span_equal_nocase(item, name))
			return true;
	return false;
}

static bool
unknown(struct session *s, struct span name, struct span line)
{
	char shown[SHOWN_MAX + 1];

	if (name.n > 0 && in_list(s->p->smtpd_noop_commands, name)) {
		say(s, 250, "2.0.0", "Ok");
		return false;
	}
	if (is_forbidden(s, name)) {
		printable(line, shown);
		log_warning("non-SMTP command from %s: %s", s->client.full,
		    shown);
		say(s, 221, "2.7.0", "Error: I can break rules, too. Goodbye.");
		s->accepted = false;
		s->dropped = s->closing = true;
		return false;
	}
	say_no(s, 500, "5.5.2", "Error: command not recognized");
	return false;
}

/* A command for the log; arguments of AUTH are passwords. */
static void
command_shown(struct span line, bool secret, char out[SHOWN_MAX + 1])
{
	size_t n = 0;

	while (n < line.n && line.p[n] != ' ' && line.p[n] != '\t')
		n++;
	printable(secret ? span_take(line, n) : line, out);
}

static bool
is_auth(struct span line)
{
	return span_equal_nocase(span_take(line, 4), SPAN("AUTH"));
}

bool
gate_filter(struct session *s, struct span *line, struct buf *value)
{
	const char *maps = s->p->smtpd_command_filter;
	char shown[SHOWN_MAX + 1], instead[SHOWN_MAX + 1];
	bool secret;

	/* Postfix's tables see no blanks in front either, but those behind */
	while (line->n > 0 && (line->p[0] == ' ' || line->p[0] == '\t'))
		*line = span_skip(*line, 1);
	if (maps[0] == '\0')
		return true;
	switch (ask_tables(maps, line, 1, value)) {
	case TABLE_FOUND:
		secret = is_auth(*line) || is_auth(buf_span(value));
		command_shown(*line, secret, shown);
		command_shown(buf_span(value), secret, instead);
		log_info("%s: smtpd_command_filter: \"%s\" for \"%s\"",
		    s->client.full, instead, shown);
		*line = buf_span(value);
		return true;
	case TABLE_NONE:
		return true;
	default:
		log_warning("smtpd_command_filter: %s", buf_text(value));
		say_goodbye(s, "4.3.0", "%s Server local error",
		    s->config->common->myhostname);
		return false;
	}
}

bool
gate_command(struct session *s, const struct verb *verb, struct span name,
    struct span line)
{
	if (name.n == 0 || span_has_break(line)) {
		say_no(s, 500, "5.5.2", "Error: bad syntax");
		return false;
	}
	if (!span_is_ascii(line) && !mail_is_utf8(line)) {
		say_no(s, 500, "5.5.2", "Error: bad UTF-8 syntax");
		return false;
	}
	if (s->denied != NULL && (verb == NULL || verb->index != VERB_QUIT)) {
		say_no(s, 503, "5.7.0", "Error: access denied for %s",
		    s->client.full);
		return false;
	}
	if (verb == NULL || in_list(s->p->smtpd_noop_commands, name))
		return unknown(s, name, line);
	if (s->config->tls_required && !s->tls_seen &&
	    !(verb->flags & VERB_CLEAR)) {
		say_no(s, 530, "5.7.0", "Must issue a STARTTLS command first");
		return false;
	}
	/*
	 * RFC 2920: who did not say EHLO may not send on at all; what follows
	 * BDAT belongs to it.
	 */
	if ((verb->flags & VERB_CHUNK) ||
	    (s->esmtp && !(verb->flags & VERB_LAST)))
		return true;
	return gate_synchronised(s);
}
