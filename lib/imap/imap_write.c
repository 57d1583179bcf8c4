/* SPDX-License-Identifier: ISC */
#include "lib/imap/imap_write.h"

#include <string.h>
#include <time.h>

#include "lib/imap/imap_date.h"
#include "lib/imap/imap_utf7.h"
#include "lib/mail/mail_address.h"

enum {
	QUOTED_MOST = 1024, /* some clients' lines are short */
	UTF8_NAME_MAX = 4096,
};

/* What a text has in it, found in one go. */
struct look {
	bool breaks; /* CR, LF, NUL: no quoted string can hold them */
	bool escapes;
	bool ascii;
	bool atom;
};

enum { NO_ATOM = 1, BREAK = 2, ESCAPE = 4, EIGHT_BIT = 8 };

/* What a byte means for the text it is in; 0 for most. */
static const unsigned char classes[256] = {
	[0] = NO_ATOM | BREAK,
	[1 ... '\n' - 1] = NO_ATOM,
	['\n'] = NO_ATOM | BREAK,
	['\n' + 1 ... '\r' - 1] = NO_ATOM,
	['\r'] = NO_ATOM | BREAK,
	['\r' + 1 ... ' '] = NO_ATOM,
	['"'] = NO_ATOM | ESCAPE,
	['\\'] = NO_ATOM | ESCAPE,
	['('] = NO_ATOM,
	[')'] = NO_ATOM,
	['{'] = NO_ATOM,
	['%'] = NO_ATOM,
	['*'] = NO_ATOM,
	['['] = NO_ATOM, /* "BODY[" reads like a section */
	[']'] = NO_ATOM,
	[0x7f] = NO_ATOM,
	[0x80 ... 0xff] = NO_ATOM | EIGHT_BIT,
};

static struct look
look_at(struct span text)
{
	unsigned int seen = 0;

	for (size_t i = 0; i < text.n; i++)
		seen |= classes[(unsigned char)text.p[i]];
	return (struct look){
		.breaks = (seen & BREAK) != 0,
		.escapes = (seen & ESCAPE) != 0,
		.ascii = (seen & EIGHT_BIT) == 0,
		.atom = (seen & NO_ATOM) == 0 && text.n > 0,
	};
}

static void
put_literal(struct buf *out, struct span text)
{
	size_t at;

	buf_printf(out, "{%zu}\r\n", text.n);
	while ((at = span_find(text, '\0')) < text.n) {
		buf_add(out, text.p, at);
		buf_add_char(out, (char)0x80);
		text = span_skip(text, at + 1);
	}
	buf_add_span(out, text);
}

static void
put_quoted(struct buf *out, struct span text, bool escapes)
{
	buf_add_char(out, '"');
	if (!escapes)
		buf_add_span(out, text);
	for (size_t i = 0; escapes && i < text.n; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, text.p[i]);
	}
	buf_add_char(out, '"');
}

static void
put_string(struct buf *out, struct span text, struct look l, bool utf8)
{
	if (text.n > QUOTED_MOST || l.breaks ||
	    (!l.ascii && !(utf8 && mail_is_utf8(text))))
		put_literal(out, text);
	else
		put_quoted(out, text, l.escapes);
}

void
imap_write_string(struct buf *out, struct span text, bool utf8)
{
	put_string(out, text, look_at(text), utf8);
}

void
imap_write_nstring(struct buf *out, struct span text, bool utf8)
{
	if (text.p == NULL)
		buf_add_text(out, "NIL");
	else
		imap_write_string(out, text, utf8);
}

void
imap_write_astring(struct buf *out, struct span text, bool utf8)
{
	struct look l = look_at(text);

	if (l.atom && text.n <= QUOTED_MOST && !span_is_nocase(text, "NIL"))
		buf_add_span(out, text);
	else
		put_string(out, text, l, utf8);
}

void
imap_write_mailbox(struct buf *out, const char *name, bool utf8)
{
	struct buf wire = BUF_INIT(8 * UTF8_NAME_MAX);

	if (utf8 && mail_is_utf8(span_of(name))) {
		imap_write_astring(out, span_of(name), true);
		return;
	}
	imap_utf7_encode(&wire, span_of(name));
	imap_write_astring(out, buf_span(&wire), false);
	buf_fini(&wire);
}

void
imap_write_date_time(struct buf *out, int64_t seconds)
{
	time_t t = (time_t)seconds;
	char text[IMAP_DATE_MAX];
	struct tm tm;
	long east = 0;

	if (localtime_r(&t, &tm) != NULL)
		east = tm.tm_gmtoff / 60 * 60;
	imap_date_time_text(seconds, east, text);
	buf_printf(out, "\"%s\"", text);
}

void
imap_write_text(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++)
		buf_add_char(out,
		    *text >= ' ' && *text < 0x7f     ? *text :
			(unsigned char)*text >= 0x80 ? '?' :
						       ' ');
}

bool
imap_mailbox_name(struct span wire, bool utf8, struct buf *out)
{
	buf_reset(out);
	if (span_is_nocase(wire, "INBOX"))
		return buf_add_text(out, "INBOX");
	if (utf8)
		return mail_is_utf8(wire) && !span_has_control(wire) &&
		    (wire.n == 0 || buf_add_span(out, wire));
	return imap_utf7_decode(out, wire) && !span_has_control(buf_span(out));
}
