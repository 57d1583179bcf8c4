/* SPDX-License-Identifier: ISC */
#include "imapd/envelope.h"

#include <string.h>

#include "lib/imap/imap_write.h"
#include "lib/mail/address_list.h"
#include "lib/mail/header.h"
#include "lib/mail/mail_address.h"

enum { NAME_MAX_LENGTH = 64 * 1024 };

/*
 * What is missing in an address cannot be NIL, which stands for groups; these
 * are the words that clients know from other servers.
 */
static const char no_mailbox[] = "MISSING_MAILBOX";
static const char no_domain[] = "MISSING_DOMAIN";

/* Unfolded; NIL where there is no such field. */
static void
add_field(struct buf *out, struct span value)
{
	struct buf flat;

	if (value.p == NULL ||
	    (memchr(value.p, '\n', value.n) == NULL &&
		memchr(value.p, '\t', value.n) == NULL)) {
		imap_write_nstring(out, span_trim(value), false);
		return;
	}
	buf_init(&flat, MIME_TREE_HEADER_MAX);
	buf_add_text(&flat, "");
	header_unfold(value, &flat);
	for (size_t i = 0; i < flat.n; i++)
		if (flat.p[i] == '\t') /* the mark of a fold, for some */
			flat.p[i] = ' ';
	imap_write_string(out, buf_span(&flat), false);
	buf_fini(&flat);
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Behind the comment that begins at i. */
static size_t
skip_comment(struct span s, size_t i)
{
	size_t depth = 0;

	for (; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return s.n;
}

/*
 * A phrase, or a comment's text, as it is meant: without quotes, comments
 * and folds; runs of blanks outside of quotes are one.
 */
static void
unquote(struct span s, bool comment, struct buf *out)
{
	bool quoted = comment, blank = false;
	size_t i = 0;

	while (i < s.n) {
		char c = s.p[i];

		if (c == '(' && !quoted) {
			i = skip_comment(s, i);
			continue;
		}
		i++;
		if (c == '"' && !comment) {
			quoted = !quoted;
			if (quoted && blank && out->n > 0)
				buf_add_char(out, ' ');
			blank = false;
			continue;
		}
		if (c == '\r' || c == '\n')
			continue;
		if (is_space(c) && !quoted) {
			blank = true;
			continue;
		}
		if (c == '\\' && i < s.n)
			c = s.p[i++];
		if (blank && out->n > 0)
			buf_add_char(out, ' ');
		blank = false;
		buf_add_char(out, c == '\t' ? ' ' : c);
	}
}

static void
add_phrase(struct buf *out, struct span s, bool comment, bool empty_is_nil)
{
	struct buf name;

	/* mostly there is nothing to undo */
	if (s.n > 0 && !comment && memchr(s.p, '"', s.n) == NULL &&
	    memchr(s.p, '(', s.n) == NULL && memchr(s.p, '\\', s.n) == NULL &&
	    memchr(s.p, '\t', s.n) == NULL && memchr(s.p, '\n', s.n) == NULL &&
	    memmem(s.p, s.n, "  ", 2) == NULL) {
		imap_write_string(out, s, false);
		return;
	}
	buf_init(&name, NAME_MAX_LENGTH);
	unquote(s, comment, &name);
	if (name.n == 0 && empty_is_nil)
		buf_add_text(out, "NIL");
	else
		imap_write_string(out, buf_span(&name), false);
	buf_fini(&name);
}

struct list {
	struct buf *out;
	size_t from; /* where it begins */
	bool any;
};

static void
begin_item(struct list *l)
{
	if (!l->any)
		buf_add_char(l->out, '(');
	l->any = true;
}

/* "<@route,@route:a@b>": the part before the colon, else NIL. */
static void
add_route(struct buf *out, struct span spec)
{
	struct span route = span_trim(spec);
	size_t n = span_find(route, ':');

	if (route.n == 0 || route.p[0] != '@' || n == route.n)
		buf_add_text(out, "NIL");
	else
		add_phrase(out, span_take(route, n), false, true);
}

static bool
add_address(void *with, const struct listed_address *a)
{
	struct list *l = with;
	struct span local, domain;

	begin_item(l);
	buf_add_char(l->out, '(');
	add_phrase(l->out, a->name, a->name_is_comment, true);
	buf_add_char(l->out, ' ');
	add_route(l->out, a->spec);
	buf_add_char(l->out, ' ');
	mail_address_split(a->address, &local, &domain);
	imap_write_string(l->out, local.n > 0 ? local : span_of(no_mailbox),
	    false);
	buf_add_char(l->out, ' ');
	imap_write_string(l->out, domain.n > 0 ? domain : span_of(no_domain),
	    false);
	buf_add_char(l->out, ')');
	return l->out->n - l->from < ENVELOPE_LIST_MAX;
}

/* RFC 9051: a group is an address without a host, its end one of NILs. */
static void
add_group(void *with, struct span name)
{
	struct list *l = with;

	begin_item(l);
	buf_add_text(l->out, "(NIL NIL ");
	if (name.p == NULL)
		buf_add_text(l->out, "NIL");
	else
		add_phrase(l->out, name, false, false);
	buf_add_text(l->out, " NIL)");
}

/* What nobody can read as an address is shown as the name of one. */
static void
add_unreadable(struct list *l, struct span value)
{
	begin_item(l);
	buf_add_char(l->out, '(');
	add_field(l->out, value);
	buf_printf(l->out, " NIL \"%s\" \"%s\")", no_mailbox, no_domain);
}

/* False: it is NIL. */
static bool
add_list(struct buf *out, struct span value)
{
	struct list l = { .out = out, .from = out->n };

	if (value.p != NULL && out->n < ENVELOPE_ROOM) {
		address_list_walk(value, add_address, add_group, &l);
		if (!l.any && span_trim(value).n > 0)
			add_unreadable(&l, value);
	}
	buf_add_text(out, l.any ? ")" : "NIL");
	return l.any;
}

/* Sender and Reply-To, which are as From where they are missing or empty. */
static void
add_list_or_from(struct buf *out, struct span value, size_t from, size_t n)
{
	size_t at = out->n;
	char *room;

	if (add_list(out, value))
		return;
	out->n = at; /* not the NIL */
	room = buf_reserve(out, n);
	if (room == NULL)
		return;
	memcpy(room, out->p + from, n);
	buf_added(out, n);
}

void
envelope_write(const struct mime_envelope *e, struct buf *out)
{
	static const struct mime_envelope none;
	size_t from, n;

	if (e == NULL)
		e = &none;
	buf_add_char(out, '(');
	add_field(out, e->date);
	buf_add_char(out, ' ');
	add_field(out, e->subject);
	buf_add_char(out, ' ');
	from = out->n;
	add_list(out, e->from);
	n = out->n - from;
	buf_add_char(out, ' ');
	add_list_or_from(out, e->sender, from, n);
	buf_add_char(out, ' ');
	add_list_or_from(out, e->reply_to, from, n);
	buf_add_char(out, ' ');
	add_list(out, e->to);
	buf_add_char(out, ' ');
	add_list(out, e->cc);
	buf_add_char(out, ' ');
	add_list(out, e->bcc);
	buf_add_char(out, ' ');
	add_field(out, e->in_reply_to);
	buf_add_char(out, ' ');
	add_field(out, e->message_id);
	buf_add_char(out, ')');
}
