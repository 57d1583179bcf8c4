/* SPDX-License-Identifier: ISC */
/*
 * The loop: reads commands, runs them, sends what they say.
 *
 * SECURITY. Hostile input: an authenticated user's commands. What may run
 * when is in verbs.def; nothing else is looked at. Output is gathered, and
 * leaves only after what it announces is durable (imap_send); so commands
 * that came in one packet share a flush to the disk.
 */
#include "imapd/session.h"

#include <string.h>

#include "imapd/basic.h"
#include "imapd/acl.h"
#include "imapd/changing.h"
#include "imapd/fetch.h"
#include "imapd/folders.h"
#include "imapd/list.h"
#include "imapd/metadata.h"
#include "imapd/namespace.h"
#include "imapd/namespaces.h"
#include "imapd/park.h"
#include "imapd/notify.h"
#include "imapd/quota.h"
#include "imapd/search.h"
#include "imapd/status.h"
#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "lib/login/session_stage.h"

enum {
	OUT_MAX = 64 << 20, /* of one reply, before it is sent */
	OUT_AT_ONCE = 16384,
};

static const struct imap_verb verbs[] = {
#define VERB(name, function, states, uid, tell) \
	{ { name, sizeof(name) - 1 }, states, uid, tell, function },
#include "imapd/verbs.def"
#undef VERB
};

enum { VERBS = sizeof(verbs) / sizeof(verbs[0]) };

static const struct imap_verb *
verb_find(struct span name)
{
	for (size_t i = 0; i < VERBS; i++)
		if (span_equal(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

/* Behind the mailbox, and with REPLACE the message: messages of any size. */
static size_t
takes_literals(struct span name)
{
	return span_is(name, "APPEND") ? 1 : span_is(name, "REPLACE") ? 2 : 0;
}

void
imap_session_end(struct imap_session *s, const char *why)
{
	if (s->state != IMAP_LOGGED_OUT)
		s->end = why;
	s->state = IMAP_LOGGED_OUT;
}

void
imap_session_bye(struct imap_session *s, const char *code, const char *text,
    const char *why)
{
	if (s->state == IMAP_LOGGED_OUT)
		return;
	buf_add_text(&s->out, "* BYE ");
	if (code != NULL)
		buf_printf(&s->out, "[%s] ", code);
	imap_write_text(&s->out, text);
	buf_add_text(&s->out, "\r\n");
	imap_session_end(s, why);
}

/*
 * What could not be made durable must not be announced: all that was gathered
 * is thrown away, and the client has to find out what there is; so have the
 * user's other ones, each as it is about to be told something. Who comes next
 * is served by another process, which looks at the mail anew.
 */
static void
not_durable(struct imap_session *s, const struct why *why)
{
	log_warning("user=<%s>, session=%s: %s", s->user, s->id, why->text);
	session_retire();
	imap_wake_all();
	buf_reset(&s->out);
	/* also where another BYE was among what is thrown away */
	buf_add_text(&s->out,
	    "* BYE [UNAVAILABLE] Changes cannot be saved now\r\n");
	imap_session_end(s, "changes could not be saved");
}

enum io
imap_send(struct imap_session *s)
{
	struct why why;
	enum io io;

	if (s->broken) {
		buf_reset(&s->out);
		return IO_ERROR;
	}
	if (s->out.n == 0)
		return IO_OK;
	if (mail_account_settle(s->account, &why) != MAIL_OK ||
	    namespaces_settle(&why) != MAIL_OK) {
		not_durable(s, &why);
		s->broken = true;
	} else if (s->out.overflow) {
		log_warning("user=<%s>, session=%s: a reply is too large",
		    s->user, s->id);
		buf_reset(&s->out);
		imap_session_bye(s, "SERVERBUG", "The reply is too large",
		    "reply too large");
		s->broken = true;
	}
	io = stream_write(s->io, s->out.p, s->out.n);
	buf_reset(&s->out);
	if (io != IO_OK)
		imap_session_end(s, stream_error(s->io));
	return s->broken ? IO_ERROR : io;
}

enum io
imap_send_file(struct imap_session *s, int fd, int64_t offset, size_t n)
{
	enum io io = imap_send(s);

	return io == IO_OK ? stream_send_file(s->io, fd, offset, n) : io;
}

static bool
before_wait(void *with, const char *text)
{
	struct imap_session *s = with;

	s->looked = s->rights_looked = false;
	if (text != NULL)
		buf_add_text(&s->out, text);
	return imap_send(s) == IO_OK;
}

/* RFC 9586: message numbers are not for those who do without them. */
static bool
needs_uid(const struct imap_session *s, const struct imap_verb *v,
    const struct imap_command *c)
{
	return imap_enabled(s, ENABLED_UIDONLY) && v->uid && !c->uid &&
	    !span_is(v->name, "EXPUNGE");
}

static void
run(struct imap_session *s, const struct imap_command *c)
{
	const struct imap_verb *v = verb_find(c->name);

	s->verb = v;
	s->told_progress = 0;
	if (s->notify != NULL)
		notify_before(s, v);
	if (v == NULL || (c->uid && !v->uid))
		reply_bad(s, c, "Unknown command");
	else if ((v->states & s->state) == 0)
		reply_bad(s, c, "No mailbox is selected");
	else if (needs_uid(s, v, c))
		reply_bad(s, c, "[UIDREQUIRED] Message numbers are off");
	/* those that leave the mailbox ask for nothing of it */
	else if (v->tell == TELL_NOTHING || namespaces_heed(s))
		v->run(s, c);
	s->verb = NULL;
	/* at once: a session may be parked before it reads again */
	if (s->state != IMAP_LOGGED_OUT && !imap_skip_command(s->reader))
		imap_session_end(s, "a refused message could not be skipped");
	if (s->notify != NULL && s->state != IMAP_LOGGED_OUT)
		notify_after(s, v);
	imap_wake_others(s);
}

static void
reading_ended(struct imap_session *s, enum io io)
{
	if (io == IO_TIMEOUT)
		imap_session_bye(s, NULL, "Disconnected for inactivity",
		    "timeout: see imap_timeout");
	else if (io == IO_CANCELLED)
		imap_session_bye(s, NULL, "The server stops",
		    "the server stops");
	else
		imap_session_end(s, stream_error(s->io));
}

static void
one_command(struct imap_session *s)
{
	struct imap_command c;
	const char *error = "";
	enum io io = IO_OK;

	switch (imap_read_command(s->reader, &c, &error, &io)) {
	case IMAP_READ_OK:
		run(s, &c);
		break;
	case IMAP_READ_BAD:
		reply_bad(s, &c, "%s", error);
		break;
	case IMAP_READ_END:
		reading_ended(s, io);
		break;
	case IMAP_READ_FATAL:
		imap_session_bye(s, NULL, error, error);
		break;
	}
	if (s->errors > s->params->imap_error_limit)
		imap_session_bye(s, NULL, "Too many errors",
		    "too many errors: see imap_error_limit");
}

/* Between two commands: nothing is kept that memory would be needed for. */
static void
next_command(struct imap_session *s)
{
	int64_t deadline = clock_in(s->params->imap_timeout);

	while (stream_buffered(s->io) == 0 && s->state != IMAP_LOGGED_OUT) {
		switch (imap_wait(s, deadline)) {
		case WAKE_CLIENT:
			one_command(s);
			return;
		case WAKE_CHANGE: /* it will be told with an answer */
			if (mail_account_failed(s->account))
				imap_session_bye(s, "UNAVAILABLE",
				    "Changes cannot be saved now",
				    "changes could not be saved");
			else if (s->notify != NULL)
				notify_wake(s);
			break;
		case WAKE_TIME:
			reading_ended(s, IO_TIMEOUT);
			return;
		case WAKE_END:
			return;
		}
	}
	if (s->state != IMAP_LOGGED_OUT)
		one_command(s);
}

static void
greet(struct imap_session *s, const char *login_tag)
{
	buf_printf(&s->out, "%s OK [CAPABILITY %s] Logged in\r\n",
	    login_tag[0] == '\0' ? "*" : login_tag, imap_capabilities(s));
}

static void
go_on(struct imap_session *s)
{
	struct span tag;

	if (!imap_unpark(s, &tag))
		return;
	if (tag.n == 0) {
		if (s->notify != NULL)
			notify_wake(s);
		return;
	}
	s->verb = verb_find(SPAN("IDLE"));
	imap_idle_again(s, tag);
	s->verb = NULL;
}

void
imap_session_run(struct imap_session *s, const char *login_tag)
{
	struct imap_limits limits = imap_limits_session;

	limits.line = (size_t)s->params->imap_max_line_length;
	imap_reader_limits(s->reader, &limits);
	buf_init(&s->out, OUT_MAX);
	imap_reader_streaming(s->reader, takes_literals);
	imap_reader_before_wait(s->reader, before_wait, s);
	if (s->connection != NULL && s->connection->state.n > 0)
		go_on(s);
	else
		greet(s, login_tag);
	while (s->state != IMAP_LOGGED_OUT) {
		next_command(s);
		if (s->out.n >= OUT_AT_ONCE)
			(void)imap_send(s);
	}
	(void)imap_send(s);
	notify_free(s);
	imap_unselect(s);
	buf_fini(&s->out);
	stream_finish(s->io);
}
