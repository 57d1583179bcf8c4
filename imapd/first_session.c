/* SPDX-License-Identifier: ISC */
/*
 * Sessions that can log in and out, for as long as the store and the real
 * ones are not in the build: goes with them.
 */
#include "imapd/session.h"

enum mail_result
mail_account_open(const struct mail_account_settings *settings,
    struct mail_account **out, struct why *why)
{
	static char nothing;

	(void)settings, (void)why;
	*out = (struct mail_account *)(void *)&nothing;
	return MAIL_OK;
}

void
mail_account_close(struct mail_account **a)
{
	*a = NULL;
}

/* False: the session is over. */
static bool
one(struct imap_session *s)
{
	struct imap_command c;
	const char *error;
	enum io io = IO_OK;

	switch (imap_read_command(s->reader, &c, &error, &io)) {
	case IMAP_READ_OK:
		if (span_is(c.name, "LOGOUT"))
			stream_text(s->io, "* BYE Logging out\r\n");
		if (span_is(c.name, "CAPABILITY"))
			stream_text(s->io, "* CAPABILITY IMAP4rev1\r\n");
		stream_printf(s->io, "%.*s OK done.\r\n", SPAN_ARG(c.tag));
		return !span_is(c.name, "LOGOUT");
	case IMAP_READ_BAD:
		stream_printf(s->io, "%.*s BAD %s\r\n", SPAN_ARG(c.tag), error);
		return true;
	default:
		s->end = io_name(io);
		if (io == IO_CANCELLED)
			stream_text(s->io, "* BYE The server stops\r\n");
		return false;
	}
}

void
imap_session_run(struct imap_session *s, const char *login_tag)
{
	stream_printf(s->io, "%s OK [CAPABILITY IMAP4rev1] Logged in\r\n",
	    login_tag);
	while (one(s))
		;
}
