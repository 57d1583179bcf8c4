/* SPDX-License-Identifier: ISC */
/*
 * APPEND: RFC 9051 section 6.3.12, several messages (RFC 3502), UTF-8 headers
 * (RFC 6855 section 4), APPENDLIMIT (RFC 7889), APPENDUID (RFC 4315).
 *
 * A client that must wait for "+" is refused before it sends the message: size
 * and quota are judged by what the literal announces. One that does not wait
 * (RFC 7888) is refused as well, and what it sends is thrown away.
 *
 * RFC 6855 wants 8-bit headers refused while UTF8=ACCEPT is not enabled. They
 * are taken here: a message that somebody else was allowed to send can be
 * filed, and moved in from another server, by every client.
 */

#include "imapd/append.h"

#include <inttypes.h>
#include <string.h>

enum { NAME_ROOM = 4096 };

bool
append_bad(struct appending *a, const char *text)
{
	reply_bad(a->s, a->c, "%s", text);
	return false;
}

bool
append_refuse(struct appending *a, enum mail_result result,
    const struct why *why)
{
	if (result == MAIL_NONEXISTENT)
		reply_no(a->s, a->c, "TRYCREATE", "There is no such mailbox");
	else
		reply_result(a->s, a->c, result, why);
	return false;
}

static bool
too_big(struct appending *a, uint64_t more)
{
	int64_t limit = a->s->params->imap_append_limit;

	if (limit == 0 || more <= (uint64_t)limit - a->size)
		return false;
	reply_no(a->s, a->c, "TOOBIG", "The message is too large");
	return true;
}

bool
append_bytes(struct appending *a, struct span bytes)
{
	enum mail_result result;
	struct why why;

	if (too_big(a, bytes.n))
		return false;
	a->size += bytes.n;
	if (a->spooling) {
		a->nul |= memchr(bytes.p, '\0', bytes.n) != NULL;
		result = mail_spool_put(&a->spool, bytes, &why);
	} else {
		result = mail_append_write(a->append, bytes.p, bytes.n, &why);
	}
	return result == MAIL_OK || append_refuse(a, result, &why);
}

/* The connection is of no use any more: nobody hears an answer. */
static bool
lost(struct appending *a, const char *end)
{
	imap_session_end(a->s, end);
	return false;
}

/* What follows a literal. */
static bool
read_more(struct appending *a)
{
	const char *error;
	size_t count;
	enum io io;

	a->depth = 0;
	switch (imap_read_more(a->s->reader, &a->at, &count, &error, &io)) {
	case IMAP_READ_OK:
		return true;
	case IMAP_READ_BAD:
		return append_bad(a, error);
	case IMAP_READ_FATAL:
		buf_printf(&a->s->out, "* BYE %s\r\n", error);
		return lost(a, error);
	case IMAP_READ_END:
		break;
	}
	return lost(a, stream_error(a->s->io));
}

bool
append_literal(struct appending *a)
{
	struct span bytes;

	if (a->at->type != IMAP_PENDING)
		return append_bad(a, "Missing literal");
	if (too_big(a, a->at->size))
		return false;
	for (;;) {
		if (imap_read_literal(a->s->reader, &bytes) != IO_OK)
			return lost(a, stream_error(a->s->io));
		if (bytes.n == 0)
			return read_more(a);
		if (!append_bytes(a, bytes))
			return false;
	}
}

bool
append_enter(struct appending *a)
{
	if (a->at->type != IMAP_LIST || a->depth == APPEND_LISTS)
		return append_bad(a, "Missing parenthesis");
	a->up[a->depth++] = a->at + 1;
	a->at = a->at->list;
	return true;
}

bool
append_leave(struct appending *a)
{
	if (a->at->type == IMAP_CLOSE) {
		a->at++;
		return true;
	}
	if (a->at->type != IMAP_END || a->depth == 0)
		return append_bad(a, "Missing closing parenthesis");
	a->at = a->up[--a->depth];
	return true;
}

/* "UTF8 (~{n}": at is the list. */
bool
append_utf8(struct appending *a)
{
	if (!append_enter(a))
		return false;
	if (a->at->type != IMAP_PENDING || !a->at->binary)
		return append_bad(a, "Missing literal8");
	return append_literal(a) && append_leave(a);
}

/* Flags and date, both optional. */
static bool
take_options(struct appending *a, struct mail_append_message *m)
{
	*m = (struct mail_append_message){ .internal_date = INT64_MIN };
	if (a->at->type == IMAP_LIST) {
		if (!imap_flags_argument(a->s, a->c, a->target, a->rights,
			a->at, 1, KEYWORDS_THAT_FIT, &m->flags, &m->keywords,
			NULL))
			return false;
		a->at++;
	}
	if (a->at->type == IMAP_QUOTED) {
		if (!imap_arg_date_time(a->at, &m->internal_date))
			return append_bad(a, "This is no date");
		a->at++;
	}
	return true;
}

/* The literal that is the whole message; NULL: it is made of parts. */
static const struct imap_arg *
whole(const struct appending *a)
{
	const struct imap_arg *at = a->at;

	if (imap_arg_is(at, "UTF8") && at[1].type == IMAP_LIST)
		at = at[1].list;
	return at->type == IMAP_PENDING ? at : NULL;
}

static bool
begin(struct appending *a)
{
	struct mail_append_message m;
	const struct imap_arg *literal;
	enum mail_result result;
	struct why why;
	uint64_t size;

	if (!take_options(a, &m))
		return false;
	a->size = 0;
	literal = whole(a);
	size = literal != NULL ? literal->size : UINT64_MAX;
	/* RFC 3502 section 6.3.11 */
	if (size == 0) {
		reply_no(a->s, a->c, NULL, "An empty message is none");
		return false;
	}
	if (size != UINT64_MAX && too_big(a, size))
		return false;
	if (literal == NULL || literal->binary)
		append_spool(a);
	result = mail_append_begin(a->append, &m, size, &why);
	return result == MAIL_OK || append_refuse(a, result, &why);
}

static bool
take_text(struct appending *a)
{
	if (imap_arg_is(a->at, "UTF8")) {
		a->at++;
		return append_utf8(a);
	}
	if (imap_arg_is(a->at, "CATENATE")) {
		a->at++;
		return append_catenate(a);
	}
	return append_literal(a);
}

static bool
one_message(struct appending *a)
{
	return begin(a) && take_text(a) && append_spooled(a);
}

static bool
open_target(struct appending *a, const struct imap_arg *name)
{
	struct buf utf8 = BUF_INIT(NAME_ROOM);

	if (imap_mailbox_argument(a->s, a->c, name, &utf8))
		a->target =
		    changing_target(a->s, a->c, buf_span(&utf8), &a->rights);
	buf_fini(&utf8);
	if (a->target == NULL)
		return false;
	a->append = mail_append_new(a->target);
	return true;
}

static bool
take_all(struct appending *a, const struct imap_arg *name, unsigned int most)
{
	unsigned int n = 0;

	if (!open_target(a, name))
		return false;
	do {
		if (most != 0 && n++ == most)
			return append_bad(a, "One message is enough");
		if (!one_message(a))
			return false;
	} while (a->at->type != IMAP_END);
	return true;
}

void
append_skip(struct appending *a)
{
	if (a->s->state != IMAP_LOGGED_OUT && !imap_skip_command(a->s->reader))
		lost(a, stream_error(a->s->io));
}

bool
append_messages(struct appending *a, const struct imap_arg *name,
    const struct imap_arg *at, unsigned int most)
{
	a->at = at;
	if (take_all(a, name, most))
		return true;
	append_skip(a);
	return false;
}

bool
append_commit(struct appending *a, struct buf *code)
{
	struct uid_set uids = { 0 };
	enum mail_result result;
	uint32_t uidvalidity;
	struct why why;

	result = mail_append_commit(a->append, &uidvalidity, &uids, &why);
	if (result == MAIL_OK) {
		buf_printf(code, "APPENDUID %" PRIu32 " ", uidvalidity);
		uid_set_text(&uids, code);
	}
	uid_set_fini(&uids);
	return result == MAIL_OK || append_refuse(a, result, &why);
}

void
append_fini(struct appending *a)
{
	append_spool_fini(a);
	mail_append_free(&a->append);
	mailbox_close(&a->target);
}

void
imap_append(struct imap_session *s, const struct imap_command *c)
{
	struct appending a = { .s = s, .c = c };
	struct buf code = BUF_INIT(SIZE_MAX);

	if (c->count < 2) {
		reply_bad(s, c, "Missing arguments of APPEND");
		append_skip(&a);
	} else if (append_messages(&a, &c->args[0], &c->args[1], 0) &&
	    append_commit(&a, &code)) {
		reply_ok(s, c, buf_text(&code), "Append completed");
	}
	append_fini(&a);
	buf_fini(&code);
}
