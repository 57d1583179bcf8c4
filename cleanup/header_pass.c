/* SPDX-License-Identifier: ISC */
#include "cleanup/header_pass.h"

#include <string.h>
#include <time.h>

#include "lib/base/base64.h"
#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "lib/mail/address_list.h"
#include "lib/mail/header.h"
#include "lib/mail/mail_address.h"

enum {
	SENDER = 1, /* addresses to rewrite as sender, ... */
	RECIPIENT = 2, /* ... as recipient */
	EXTRACT = 4, /* sendmail -t takes recipients from it */
	RESENT = 8,
	VISIBLE = 16, /* tells who the message is for */
	HOP = 32,
	ID = 64,
};

/* The first of these have fixed bits in "seen". */
enum { MAILBOX_LINE_MAX = 2048 };

enum {
	FROM,
	DATE,
	MESSAGE_ID,
	RESENT_FROM,
	RESENT_DATE,
	RESENT_MESSAGE_ID,
	DELIVERED_TO
};

static const struct known {
	const char *name;
	unsigned int what;
} fields[] = {
	[FROM] = { "From", SENDER },
	[DATE] = { "Date", 0 },
	[MESSAGE_ID] = { "Message-ID", ID },
	[RESENT_FROM] = { "Resent-From", SENDER | RESENT },
	[RESENT_DATE] = { "Resent-Date", RESENT },
	[RESENT_MESSAGE_ID] = { "Resent-Message-ID", ID | RESENT },
	[DELIVERED_TO] = { "Delivered-To", 0 },
	{ "Received", HOP },
	{ "Sender", SENDER },
	{ "Reply-To", SENDER },
	{ "Errors-To", SENDER },
	{ "Return-Receipt-To", SENDER },
	{ "Disposition-Notification-To", SENDER },
	{ "Mail-Followup-To", SENDER },
	{ "Apparently-To", RECIPIENT },
	{ "To", RECIPIENT | EXTRACT | VISIBLE },
	{ "Cc", RECIPIENT | EXTRACT | VISIBLE },
	{ "Bcc", RECIPIENT | EXTRACT },
	{ "Resent-Sender", SENDER | RESENT },
	{ "Resent-Reply-To", SENDER | RESENT },
	{ "Resent-To", RECIPIENT | EXTRACT | RESENT | VISIBLE },
	{ "Resent-Cc", RECIPIENT | EXTRACT | RESENT | VISIBLE },
	{ "Resent-Bcc", RECIPIENT | EXTRACT | RESENT },
};

enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

void
header_pass_init(struct header_pass *p, const struct header_facts *facts,
    struct arena *a, header_pass_store *store, void *with)
{
	*p = (struct header_pass){ .facts = facts,
		.arena = a,
		.store = store,
		.with = with,
		.hops = facts->hops };
	p->scratch = arena_new();
	buf_init(&p->held,
	    (size_t)facts->set->own.header_size_limit + HEADER_PIECE_MAX);
}

void
header_pass_fini(struct header_pass *p)
{
	buf_fini(&p->held);
	arena_free(&p->scratch);
	recipient_set_free(&p->extracted);
	recipient_set_free(&p->resent);
}

bool
header_pass_delivered(const struct header_pass *p)
{
	return p->facts->delivered || (p->seen >> DELIVERED_TO & 1) != 0;
}

static void
store_span(struct header_pass *p, struct span s)
{
	p->store(p->with, s.p, s.n);
}

static const struct known *
find(const struct header_field *f)
{
	for (size_t i = 0; i < FIELDS; i++)
		if (header_is(f, fields[i].name))
			return &fields[i];
	return NULL;
}

static uint64_t
bit_of(const struct known *k)
{
	return UINT64_C(1) << (k - fields);
}

static bool
dropped(const struct header_pass *p, const struct header_field *f)
{
	struct span rest = span_of(p->facts->set->own.message_drop_headers);
	struct span name;

	while (span_cut(&rest, ", \t\r\n", true, &name))
		if (span_equal_nocase(name, f->name))
			return true;
	return false;
}

static enum verdict
count_hop(struct header_pass *p, struct why *why)
{
	if (++p->hops < (uint64_t)p->facts->set->own.hopcount_limit)
		return OK;
	log_warning("%s: too many Received: headers (hopcount_limit)",
	    p->facts->queue_id);
	return why_set(why, "5.4.0", "too many hops");
}

static void
log_id(const struct header_pass *p, const struct known *k, struct span value)
{
	struct buf text = BUF_INIT(1000);

	header_unfold(value, &text);
	log_info("%s: %smessage-id=%s", p->facts->queue_id,
	    k->what & RESENT ? "resent-" : "", buf_text(&text));
	buf_fini(&text);
}

struct extraction {
	struct recipient_set *to;
	struct arena *arena;
	size_t limit;
	unsigned int notify;
	bool too_many;
};

static bool
extract_one(void *with, const struct listed_address *listed)
{
	struct extraction *e = with;
	struct recipient r = { .orcpt = "", .notify = e->notify };

	if (listed->address.n == 0 || listed->address.n > MAIL_ADDRESS_MAX)
		return true;
	if (e->limit > 0 && e->to->count >= e->limit) {
		e->too_many = true;
		return false;
	}
	r.address = r.original = arena_span(e->arena, listed->address);
	recipient_set_add(e->to, &r);
	return true;
}

static enum verdict
extract(struct header_pass *p, const struct known *k, struct span value,
    struct why *why)
{
	struct extraction e = {
		.to = k->what & RESENT ? &p->resent : &p->extracted,
		.arena = p->arena,
		.limit = (size_t)p->facts->set->own.extract_recipient_limit,
		.notify = p->facts->extract_notify,
	};

	(void)address_list_each(value, extract_one, &e);
	if (!e.too_many)
		return OK;
	log_warning("%s: too many recipients in message headers "
		    "(extract_recipient_limit)",
	    p->facts->queue_id);
	return why_set(why, "5.5.3", "too many recipients in message headers");
}

/* Stores a field, its addresses rewritten. */
static enum verdict
store_rewritten(struct header_pass *p, const struct known *k,
    const struct header_field *f, struct why *why)
{
	struct buf out = BUF_INIT(4 * f->value.n + 65536);
	struct span before = { f->whole.p, (size_t)(f->value.p - f->whole.p) };
	enum rewrite_kind kind =
	    k->what & SENDER ? REWRITE_HEADER_SENDER : REWRITE_HEADER_RECIPIENT;
	enum verdict v;

	buf_add_span(&out, before);
	v = header_rewrite(f->value, kind, p->facts->rewrite, p->scratch, &out,
	    why);
	arena_reset(p->scratch);
	buf_add(&out, "\r\n", 2);
	if (v == OK)
		store_span(p, buf_span(&out));
	buf_fini(&out);
	return v;
}

static enum verdict
take_field(struct header_pass *p, const struct header_field *f, struct why *why)
{
	const struct known *k = find(f);
	enum verdict v = OK;

	if (k != NULL) {
		if ((k->what & ID) && !(p->seen & bit_of(k)))
			log_id(p, k, f->value);
		p->seen |= bit_of(k);
		if (k->what & HOP)
			v = count_hop(p, why);
		if (v == OK && (k->what & EXTRACT) && p->facts->extract)
			v = extract(p, k, f->value, why);
	}
	if (v != OK || dropped(p, f))
		return v;
	author_check_see(p->facts->authors, f);
	if (k != NULL && (k->what & (SENDER | RECIPIENT)) &&
	    p->facts->rewrite != NULL)
		return store_rewritten(p, k, f, why);
	store_span(p, f->whole);
	if (f->whole.p[f->whole.n - 1] != '\n')
		p->store(p->with, "\r\n", 2);
	return OK;
}

/* "=?utf-8?B?...?=" words (RFC 2047), for a name that is not ASCII. */
static void
add_encoded_name(struct buf *out, struct span name)
{
	enum { WORD = 45 }; /* bytes; a word has at most 75 characters */
	struct span word;
	size_t n;

	for (; name.n > 0; name = span_skip(name, n)) {
		n = name.n < WORD ? name.n : WORD;
		/* not in the middle of a character */
		while (n < name.n && n > 1 && (name.p[n] & 0xc0) == 0x80)
			n--;
		word = span_take(name, n);
		buf_add_text(out, "=?utf-8?B?");
		base64_encode(word, out);
		buf_add_text(out, n < name.n ? "?= " : "?=");
	}
}

static void
add_name(struct buf *out, struct span name)
{
	bool plain = true;

	for (size_t i = 0; i < name.n; i++)
		plain = plain &&
		    (name.p[i] == ' ' || mail_address_is_atom(name.p[i]));
	if (!span_is_ascii(name)) {
		add_encoded_name(out, name);
	} else if (plain) {
		buf_add_span(out, name);
	} else {
		buf_add_char(out, '"');
		for (size_t i = 0; i < name.n; i++) {
			if (name.p[i] == '"' || name.p[i] == '\\')
				buf_add_char(out, '\\');
			buf_add_char(out, name.p[i]);
		}
		buf_add_char(out, '"');
	}
}

/* The obsolete form: addr (Name). */
static void
add_comment(struct buf *out, struct span name)
{
	buf_add_text(out, " (");
	if (!span_is_ascii(name))
		add_encoded_name(out, name);
	else
		for (size_t i = 0; i < name.n; i++) {
			if (strchr("()\\", name.p[i]) != NULL)
				buf_add_char(out, '\\');
			buf_add_char(out, name.p[i]);
		}
	buf_add_char(out, ')');
}

static void
add_from(const struct header_pass *p, struct buf *out)
{
	const struct header_facts *f = p->facts;
	struct span sender =
	    span_of(f->sender[0] ? f->sender : "MAILER-DAEMON");
	struct span name = span_trim(span_of(f->full_name));

	if (f->sender[0] == '\0' || name.n == 0 || span_has_break(name) ||
	    !mail_is_utf8(name)) {
		mail_address_quote(sender, out);
	} else if (span_is(span_of(f->set->own.header_from_format),
		       "standard")) {
		add_name(out, name);
		buf_add_text(out, " <");
		mail_address_quote(sender, out);
		buf_add_char(out, '>');
	} else {
		mail_address_quote(sender, out);
		add_comment(out, name);
	}
}

static void
add_message_id(const struct header_pass *p, struct buf *out)
{
	time_t now = (time_t)(p->facts->arrival / 1000000);
	char stamp[32];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%d%H%M%S", &tm);
	buf_printf(out, "<%s.%s@%s>", stamp, p->facts->queue_id,
	    p->facts->set->common.myhostname);
}

/* Mail that says it is resent lacks the headers of the resending. */
static bool
is_resent(const struct header_pass *p)
{
	for (size_t i = 0; i < FIELDS; i++)
		if ((fields[i].what & RESENT) && (p->seen >> i & 1))
			return true;
	return false;
}

static void
add_missing(struct header_pass *p)
{
	bool resent = is_resent(p);
	const char *prefix = resent ? "Resent-" : "";
	uint64_t seen = resent ? p->seen >> RESENT_FROM : p->seen;
	struct buf out = BUF_INIT(16384);
	char date[CLOCK_DATE_MAX];

	if (!(seen >> MESSAGE_ID & 1)) {
		buf_printf(&out, "%sMessage-Id: ", prefix);
		add_message_id(p, &out);
		log_info("%s: %smessage-id=%s", p->facts->queue_id,
		    resent ? "resent-" : "", strchr(buf_text(&out), '<'));
		buf_add_text(&out, "\r\n");
	}
	if (!(seen >> DATE & 1)) {
		clock_mail_date(p->facts->arrival / 1000000, date);
		buf_printf(&out, "%sDate: %s\r\n", prefix, date);
	}
	if (!(seen >> FROM & 1)) {
		buf_printf(&out, "%sFrom: ", prefix);
		add_from(p, &out);
		buf_add_text(&out, "\r\n");
	}
	store_span(p, buf_span(&out));
	buf_fini(&out);
}

static bool
tells_recipients(const struct header_pass *p)
{
	for (size_t i = 0; i < FIELDS; i++)
		if ((fields[i].what & VISIBLE) && (p->seen >> i & 1))
			return true;
	return false;
}

/* The setting may name any field: it is seen like one that came. */
static void
add_undisclosed(struct header_pass *p)
{
	struct span to =
	    span_of(p->facts->set->own.undisclosed_recipients_header);
	struct span rest = to;
	struct header_field f;
	const struct known *k;

	if (to.n == 0 || tells_recipients(p))
		return;
	k = header_next(&rest, true, &f) == HEADER_FIELD ? find(&f) : NULL;
	if (k != NULL)
		p->seen |= bit_of(k);
	store_span(p, to);
	p->store(p->with, "\r\n", 2);
}

/* The end of the header; what is left of the piece is body. */
static void
end_header(struct header_pass *p, struct span rest)
{
	if (p->facts->add_missing)
		add_missing(p);
	else if (!(p->seen >> MESSAGE_ID & 1))
		log_info("%s: message-id=<>", p->facts->queue_id);
	add_undisclosed(p);
	p->store(p->with, "\r\n", 2);
	store_span(p, rest);
	buf_fini(&p->held);
	p->done = true;
}

/* Takes the rest of a field that was cut off *rest. False: more may come. */
static bool
skip_field(struct span *rest)
{
	size_t lf;

	while (rest->n > 0) {
		lf = span_find(*rest, '\n');
		if (lf + 1 >= rest->n)
			return false;
		*rest = span_skip(*rest, lf + 1);
		if (rest->p[0] != ' ' && rest->p[0] != '\t')
			return true;
	}
	return false;
}

/* Would cutting it lose somebody? */
static bool
names_recipients(const struct header_field *f)
{
	const struct known *k = find(f);

	return k != NULL && (k->what & EXTRACT);
}

/*
 * "rest" begins with what is longer than a field may be: takes as much of it
 * as that. If that is no field, then all of it is body.
 */
static enum verdict
cut_field(struct header_pass *p, struct span rest, struct why *why)
{
	size_t limit = (size_t)p->facts->set->own.header_size_limit;
	struct span cut = span_take(rest, limit);
	struct header_field f;

	while (cut.n > 0 && strchr("\r\n", cut.p[cut.n - 1]) != NULL)
		cut.n--;
	if (header_next(&cut, true, &f) != HEADER_FIELD) {
		end_header(p, rest);
		return OK;
	}
	if (!p->told_of_cut)
		log_warning("%s: a header is longer than header_size_limit "
			    "(%zu), the rest of it is left out",
		    p->facts->queue_id, limit);
	p->told_of_cut = true;
	if (p->facts->extract && names_recipients(&f))
		return why_set(why, "5.3.4",
		    "header with recipients is longer than header_size_limit");
	return take_field(p, &f, why);
}

/* Fields of *rest as far as they are whole. */
static enum verdict
take_fields(struct header_pass *p, struct span *rest, bool last,
    struct why *why)
{
	size_t limit = (size_t)p->facts->set->own.header_size_limit;
	enum header_next next = HEADER_FIELD;
	struct header_field f;
	struct span before;
	enum verdict v = OK;

	while (v == OK && !p->done && next == HEADER_FIELD) {
		before = *rest;
		next = header_next(rest, last, &f);
		if (next == HEADER_FIELD)
			v = f.whole.n > limit ? cut_field(p, before, why) :
						take_field(p, &f, why);
		else if (next == HEADER_BODY || next == HEADER_BROKEN)
			end_header(p, *rest);
	}
	if (next != HEADER_MORE || v != OK || rest->n <= limit)
		return v;
	v = cut_field(p, *rest, why);
	/* the last byte stays, so that a line end in it is seen */
	if (!p->done)
		*rest = span_skip(*rest, rest->n - 1);
	p->skipping = true;
	return v;
}

/* "From ", "From bob", or the beginning of it. */
static bool
may_be_from(struct span line)
{
	return span_equal(span_take(line, 5), span_take(SPAN("From "), line.n));
}

/*
 * A message out of a mailbox file may begin with that file's "From " line,
 * quoted or not. It is no header field, and would make all of the header
 * body: it is kept under a name. False: more is needed to tell.
 */
static bool
name_mailbox_lines(struct header_pass *p, struct span *rest, bool last)
{
	size_t quotes, lf;

	while (!p->begun && (rest->n > 0 || !last)) {
		for (quotes = 0; quotes < rest->n && rest->p[quotes] == '>';)
			quotes++;
		lf = span_find(*rest, '\n');
		if (!may_be_from(span_skip(*rest, quotes)) ||
		    (lf == rest->n && (last || lf > MAILBOX_LINE_MAX)))
			break;
		if (lf == rest->n)
			return false;
		p->store(p->with, "X-Mailbox-Line: ", 16);
		store_span(p, span_take(*rest, lf + 1));
		*rest = span_skip(*rest, lf + 1);
	}
	p->begun = true;
	return true;
}

enum verdict
header_pass_feed(struct header_pass *p, bool last, struct why *why)
{
	struct span rest = buf_span(&p->held);
	enum verdict v;

	if (!name_mailbox_lines(p, &rest, last)) {
		buf_drop(&p->held, p->held.n - rest.n);
		return OK;
	}
	if (p->skipping) {
		p->skipping = !skip_field(&rest);
		if (p->skipping && last)
			rest.n = 0;
		else if (p->skipping && rest.n > 1)
			rest = span_skip(rest, rest.n - 1);
	}
	v = p->skipping && !last ? OK : take_fields(p, &rest, last, why);
	if (!p->done)
		buf_drop(&p->held, p->held.n - rest.n);
	return v;
}
