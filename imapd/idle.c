/* SPDX-License-Identifier: ISC */
/*
 * IDLE: RFC 2177, RFC 9051 section 6.3.13. Whatever comes instead of DONE, or
 * in one packet with it, is read like any other line.
 */
#include "imapd/basic.h"

#include "lib/base/clock.h"
#include "lib/net/stream.h"

static int64_t
next_notice(const struct imap_session *s)
{
	int64_t interval = s->params->imap_idle_notify_interval;

	return interval == 0 ? INT64_MAX : clock_in(interval);
}

/* Text of a message that comes behind it must not become commands. */
static void
not_done(struct imap_session *s, const struct imap_command *c)
{
	reply_bad(s, c, "DONE was expected");
	if (!imap_skip_line(s->reader))
		imap_session_bye(s, NULL, "This is too long",
		    "a line in IDLE could not be skipped");
}

static void
client_spoke(struct imap_session *s, const struct imap_command *c)
{
	struct span line;

	switch (imap_read_line(s->reader, &line)) {
	case IO_OK:
		if (span_is_nocase(line, "DONE"))
			reply_ok(s, c, NULL, "Idle completed.");
		else
			not_done(s, c);
		break;
	case IO_LONG:
		not_done(s, c);
		break;
	default:
		imap_session_end(s, stream_error(s->io));
		break;
	}
}

static void
wait_for_done(struct imap_session *s, const struct imap_command *c)
{
	int64_t notice = next_notice(s);

	while (s->state != IMAP_LOGGED_OUT) {
		switch (imap_wait(s, notice)) {
		case WAKE_CLIENT:
			client_spoke(s, c);
			return;
		case WAKE_CHANGE:
			imap_tell_now(s);
			if (s->out.n > 0)
				notice = next_notice(s);
			break;
		case WAKE_TIME:
			buf_add_text(&s->out, "* OK Still here\r\n");
			notice = next_notice(s);
			break;
		case WAKE_END:
			return;
		}
	}
}

static void
idle(struct imap_session *s, const struct imap_command *c)
{
	s->idle_tag = c->tag;
	wait_for_done(s, c);
	s->idle_tag = (struct span){ NULL, 0 };
}

/* One that was parked. */
void
imap_idle_again(struct imap_session *s, struct span tag)
{
	const struct imap_command c = { .tag = tag, .name = SPAN("IDLE") };

	if (s->mailbox != NULL)
		mailbox_watch(s->mailbox, true);
	imap_tell_now(s);
	idle(s, &c);
}

void
imap_idle(struct imap_session *s, const struct imap_command *c)
{
	if (c->count > 0) {
		reply_bad(s, c, "No arguments are expected");
		return;
	}
	if (s->mailbox != NULL)
		mailbox_watch(s->mailbox, true);
	s->looked = false;
	imap_tell(s, TELL_ALL); /* what came before the watch */
	buf_add_text(&s->out, "+ idling\r\n");
	idle(s, c);
}
