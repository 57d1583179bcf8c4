/* SPDX-License-Identifier: ISC */
/*
 * The line that ends a command: RFC 9051 section 7.1, codes of RFC 5530.
 */
#include "imapd/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/log/log.h"

enum { TEXT_MAX = 1200 };

/* Which changes may be told with this command's answer. */
static enum imap_tell
may_tell(const struct imap_session *s, const struct imap_command *c)
{
	if (s->verb == NULL)
		return TELL_NOTHING;
	return c->uid && s->verb->tell != TELL_NOTHING ? TELL_ALL :
							 s->verb->tell;
}

static void
put(struct imap_session *s, const struct imap_command *c, const char *how,
    const char *code, const char *format, va_list ap)
{
	char text[TEXT_MAX];

	vsnprintf(text, sizeof(text), format, ap);
	if (c->tag.n > 0)
		buf_add_span(&s->out, c->tag);
	else
		buf_add_char(&s->out, '*');
	buf_printf(&s->out, " %s ", how);
	if (code != NULL) {
		buf_add_char(&s->out, '[');
		buf_add_text(&s->out, code);
		buf_add_text(&s->out, "] ");
	}
	imap_write_text(&s->out, text[0] == '\0' ? "-" : text);
	buf_add_text(&s->out, "\r\n");
}

void
reply_ok(struct imap_session *s, const struct imap_command *c, const char *code,
    const char *format, ...)
{
	va_list ap;

	s->errors = 0;
	imap_tell(s, may_tell(s, c));
	va_start(ap, format);
	put(s, c, "OK", code, format, ap);
	va_end(ap);
}

void
reply_no(struct imap_session *s, const struct imap_command *c, const char *code,
    const char *format, ...)
{
	va_list ap;

	s->errors = 0;
	imap_tell(s, may_tell(s, c));
	va_start(ap, format);
	put(s, c, "NO", code, format, ap);
	va_end(ap);
}

void
reply_bad(struct imap_session *s, const struct imap_command *c,
    const char *format, ...)
{
	va_list ap;

	s->errors++;
	va_start(ap, format);
	put(s, c, "BAD", NULL, format, ap);
	va_end(ap);
}

void
reply_result(struct imap_session *s, const struct imap_command *c,
    enum mail_result result, const struct why *why)
{
	static const struct {
		const char *code, *text;
	} rows[] = {
		[MAIL_OK] = { NULL, "Nothing went wrong" },
		[MAIL_NONEXISTENT] = { "NONEXISTENT",
		    "There is no such mailbox" },
		[MAIL_EXISTS] = { "ALREADYEXISTS",
		    "There is a mailbox of that name" },
		[MAIL_BAD_NAME] = { "CANNOT", "No mailbox can have that name" },
		[MAIL_HAS_CHILDREN] = { "HASCHILDREN",
		    "The mailbox has others below it" },
		[MAIL_NOT_ALLOWED] = { "CANNOT", NULL },
		[MAIL_NO_RIGHT] = { "NOPERM",
		    "You have not the right to do this" },
		[MAIL_GONE] = { "EXPUNGEISSUED",
		    "Some of the messages have been expunged" },
		[MAIL_OVER_QUOTA] = { "OVERQUOTA",
		    "The mailbox is full: quota exceeded" },
		[MAIL_LIMIT] = { "LIMIT", NULL },
		[MAIL_READ_ONLY] = { "NOPERM", "The mailbox is read-only" },
		[MAIL_IN_USE] = { "INUSE",
		    "Another program has the mailbox, try again later" },
		[MAIL_NO_ROOM] = { "UNAVAILABLE",
		    "No room on the server's disk, try again later" },
		[MAIL_FAILED] = { "UNAVAILABLE",
		    "Internal error, try again later" },
	};
	const char *text = rows[result].text;
	unsigned long left_out;

	if (result == MAIL_NO_ROOM &&
	    mail_account_log_full(s->account, why->text, &left_out))
		log_warning("user=<%s>, session=%s: %.*s: %s (and %lu times"
			    " before)",
		    s->user, s->id, SPAN_ARG(c->name), why->text, left_out);
	if (result == MAIL_FAILED)
		log_warning("user=<%s>, session=%s: %.*s: %s", s->user, s->id,
		    SPAN_ARG(c->name), why->text);
	reply_no(s, c, rows[result].code, "%s",
	    text != NULL ? text : why->text);
}
