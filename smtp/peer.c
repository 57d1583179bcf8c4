/* SPDX-License-Identifier: ISC */
#include "smtp/peer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/mail/reply.h"
#include "smtp/ask_lookup.h"
#include "smtp/settings.h"

enum {
	COMMAND_MAX = 4096,
	FILTERED_MAX = 1024, /* longest key of a table */
};

static struct peer *
make(int fd, const char *name)
{
	struct peer *p = mem_new(sizeof(*p));

	p->io = stream_new(fd);
	p->opened = clock_ms();
	snprintf(p->name, sizeof(p->name), "%s", name);
	return p;
}

struct peer *
peer_new(int fd, const char *name, const struct address *a)
{
	struct peer *p = make(fd, name);
	char host[ADDRESS_TEXT_MAX];

	address_host(a, host);
	snprintf(p->address, sizeof(p->address), "%s", host);
	snprintf(p->shown, sizeof(p->shown), "%s[%s]", p->name, host);
	snprintf(p->relay, sizeof(p->relay), "%s:%u", p->shown,
	    address_port(a));
	return p;
}

struct peer *
peer_new_unix(int fd, const char *path)
{
	struct peer *p = make(fd, settings()->common.myhostname);

	snprintf(p->shown, sizeof(p->shown), "%s[%.100s]", p->name, path);
	snprintf(p->relay, sizeof(p->relay), "%s", p->shown);
	snprintf(p->address, sizeof(p->address), "%s", path);
	return p;
}

void
peer_free(struct peer **pp)
{
	struct peer *p = *pp;

	if (p == NULL)
		return;
	*pp = NULL;
	stream_free(&p->io);
	free(p->key);
	free(p);
}

void
peer_say(struct peer *p, int64_t timeout_s, const char *format, ...)
{
	char command[COMMAND_MAX];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(command, sizeof(command) - 2, format, ap);
	va_end(ap);
	/*
	 * A line end inside would be another command. Addresses come without
	 * any; this is the last place to make sure.
	 */
	if (n < 0 || (size_t)n >= sizeof(command) - 2 ||
	    span_has_break(span_of(command))) {
		log_warning("%s: command with a line end, or too long: not "
			    "sent",
		    p->shown);
		p->broken = true;
		return;
	}
	log_debug("> %s: %s", p->shown, command);
	memcpy(command + n, "\r\n", 3);
	stream_timeout(p->io, timeout_s * 1000);
	(void)stream_write(p->io, command, (size_t)n + 2);
}

enum verdict
peer_failed(struct peer *p, enum io result, const char *doing, struct why *why)
{
	p->broken = true;
	switch (result) {
	case IO_TIMEOUT:
		return why_set(why, "4.4.2",
		    "conversation with %s timed out while %s", p->shown, doing);
	case IO_LONG:
		return why_set(why, "4.5.0",
		    "host %s sent an over-long reply while %s", p->shown,
		    doing);
	case IO_CANCELLED:
		return why_set(why, "4.3.2",
		    "this mail system is going down, while %s", doing);
	default:
		p->lost = true;
		return why_set(why, "4.4.2", "lost connection with %s while %s",
		    p->shown, doing);
	}
}

static enum verdict
protocol_error(struct peer *p, struct span line, const char *doing,
    struct why *why)
{
	p->broken = true;
	return why_set(why, "4.5.0",
	    "protocol error: host %s sent \"%.*s\" while %s", p->shown,
	    (int)(line.n > 100 ? 100 : line.n), line.p, doing);
}

/* Printable, on one line. */
static void
add_text(struct buf *b, struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		buf_add_char(b,
		    c == '\t'                ? ' ' :
			c < ' ' || c == 0x7f ? '?' :
					       (char)c);
	}
}

/* The enhanced code, where it fits the code; else one of no meaning. */
static void
settle_dsn(struct peer_reply *r, struct span text)
{
	char dsn[WHY_DSN_MAX] = "";

	if (reply_take_dsn(&text, dsn) && dsn[0] - '0' == r->code / 100)
		snprintf(r->dsn, sizeof(r->dsn), "%s", dsn);
	else
		snprintf(r->dsn, sizeof(r->dsn), "%d.0.0",
		    r->code / 100 == 2 || r->code / 100 == 5 ? r->code / 100 :
							       4);
}

/*
 * smtp_reply_filter: what the table has takes the line's place. False: the
 * table did not answer. What became of a message that the server has is taken
 * as the server said it then: to be in doubt would send it once more.
 */
static bool
filter_line(const struct peer *p, struct arena *a, struct span *text)
{
	const char *table = settings()->smtp.smtp_reply_filter;
	const char *key, *value;
	enum table_result r;

	if (table[0] == '\0' || text->n > FILTERED_MAX ||
	    memchr(text->p, '\0', text->n) != NULL)
		return true;
	key = arena_span(a, *text);
	r = ask_table_within(p->decisive ? ASK_BRIEFLY_S : ASK_PATIENTLY_S, a,
	    settings()->lmtp ? "lmtp_reply_filter" : "smtp_reply_filter", table,
	    &key, 1, &value);
	if (r == TABLE_FOUND)
		*text = span_of(value);
	return r == TABLE_FOUND || r == TABLE_NONE || p->decisive;
}

static enum verdict
hear_line(struct peer *p, const char *doing, struct reply_line *line,
    struct arena *a, struct why *why)
{
	struct span text;
	enum io result = stream_line(p->io, PEER_REPLY_LINE, &text, NULL);

	if (result != IO_OK)
		return peer_failed(p, result, doing, why);
	log_debug("< %s: %.*s", p->shown, (int)(text.n > 500 ? 500 : text.n),
	    text.p);
	if (!filter_line(p, a, &text)) {
		p->broken = true;
		return why_set(why, "4.3.0", "%s_reply_filter lookup error",
		    settings()->lmtp ? "lmtp" : "smtp");
	}
	if (!reply_parse_line(text, line))
		return protocol_error(p, text, doing, why);
	return OK;
}

enum verdict
peer_hear(struct peer *p, int64_t timeout_s, const char *doing,
    struct peer_reply *r, peer_line *each, struct why *why)
{
	struct buf text = BUF_INIT(PEER_REPLY_TEXT - 1);
	struct reply_line line = { .more = true };
	struct arena *a = NULL; /* lines that the filter made */
	enum verdict v = OK;

	memset(r, 0, sizeof(*r));
	if (p->broken)
		return peer_failed(p, IO_ERROR, doing, why);
	if (settings()->smtp.smtp_reply_filter[0] != '\0')
		a = arena_new();
	/* for all lines together: a trickle of them is no escape */
	stream_timeout(p->io, timeout_s * 1000);
	stream_deadline(p->io, clock_in(timeout_s));
	for (int lines = 0; line.more; lines++) {
		if (lines == PEER_REPLY_LINES) {
			v = peer_failed(p, IO_LONG, doing, why);
			break;
		}
		if ((v = hear_line(p, doing, &line, a, why)) != OK)
			break;
		if (lines == 0) {
			r->code = line.code;
			settle_dsn(r, line.text);
			buf_printf(&text, "%d ", line.code);
		} else if (line.code != r->code) {
			v = protocol_error(p, line.text, doing, why);
			break;
		} else {
			buf_add_char(&text, ' ');
		}
		add_text(&text, line.text);
		if (each != NULL)
			each(p, line.text, lines == 0);
	}
	stream_deadline(p->io, 0);
	snprintf(r->text, sizeof(r->text), "%.*s",
	    SPAN_ARG(span_trim(buf_span(&text))));
	buf_fini(&text);
	arena_free(&a);
	if (r->code == 421)
		p->broken = true;
	return v;
}

enum verdict
peer_verdict(const struct peer_reply *r)
{
	return r->code / 100 == 2 ? OK : r->code / 100 == 5 ? NEVER : LATER;
}

enum verdict
peer_refused(const struct peer *p, const struct peer_reply *r,
    const char *command, struct why *why)
{
	char dsn[WHY_DSN_MAX];

	snprintf(dsn, sizeof(dsn), "%s", r->dsn);
	if (peer_verdict(r) == OK || r->code / 100 == 3)
		snprintf(dsn, sizeof(dsn), "4.5.0"); /* out of place */
	why_set(why, dsn, "host %s said: %s (in reply to %s command)", p->shown,
	    r->text, command);
	snprintf(why->mta, sizeof(why->mta), "%s", p->name);
	return dsn[0] == '5' ? NEVER : LATER;
}

void
peer_quit(struct peer **pp, bool wait)
{
	const struct smtp_params *set = &settings()->smtp;
	struct peer *p = *pp;
	struct peer_reply r;
	struct why why;

	if (p == NULL)
		return;
	if (!p->broken) {
		wait = wait && !set->smtp_skip_quit_response;
		/* what does not leave at once is not worth waiting for */
		peer_say(p, wait ? set->smtp_quit_timeout : 1, "QUIT");
		if (wait)
			(void)peer_hear(p, set->smtp_quit_timeout,
			    "sending QUIT command", &r, NULL, &why);
		else
			(void)stream_flush(p->io);
	}
	peer_free(pp);
}
