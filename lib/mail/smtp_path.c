/* SPDX-License-Identifier: ISC */
#include "lib/mail/smtp_path.h"

#include <string.h>

#include "lib/mail/mail_address.h"

struct parse {
	struct span in;
	struct buf *out;
	bool strict;
	bool quoted_at; /* the local part has an "@" of its own */
};

static bool
next_is(const struct parse *p, char c)
{
	return p->in.n > 0 && p->in.p[0] == c;
}

static bool
accept(struct parse *p, char c)
{
	if (!next_is(p, c))
		return false;
	p->in = span_skip(p->in, 1);
	return true;
}

/* Atoms and dots. The finer rules about dots are the caller's. */
static struct span
take_dot_atom(struct parse *p)
{
	struct span word = p->in;
	size_t n = 0;

	while (
	    n < word.n && (word.p[n] == '.' || mail_address_is_atom(word.p[n])))
		n++;
	p->in = span_skip(p->in, n);
	return span_take(word, n);
}

/* The inside of a quoted string; RFC 5321 has printable bytes there only. */
static bool
take_quoted(struct parse *p)
{
	while (p->in.n > 0) {
		char c = p->in.p[0];

		p->in = span_skip(p->in, 1);
		if (c == '"')
			return true;
		if (c == '\\') {
			if (p->in.n == 0)
				return false;
			c = p->in.p[0];
			p->in = span_skip(p->in, 1);
		}
		if ((unsigned char)c < ' ' || c == 0x7f)
			return false;
		p->quoted_at |= c == '@';
		buf_add_char(p->out, c);
	}
	return false;
}

/* Words and quoted strings in a row: more than the RFC has, as seen. */
static bool
local_part(struct parse *p)
{
	size_t before = p->out->n;
	struct span word;

	if (accept(p, '"')) {
		if (!take_quoted(p))
			return false;
	} else {
		word = take_dot_atom(p);
		if (p->strict && !mail_address_is_dot_atom(word))
			return false;
		buf_add_span(p->out, word);
	}
	if (next_is(p, '"') ||
	    (p->in.n > 0 && p->strict && mail_address_is_atom(p->in.p[0])))
		return false;
	return p->out->n > before || p->out->overflow;
}

static bool
literal(struct parse *p, struct span *domain)
{
	size_t n = span_find(p->in, ']');

	if (n == p->in.n)
		return false;
	*domain = span_take(p->in, n + 1);
	p->in = span_skip(p->in, n + 1);
	return mail_literal_valid(*domain);
}

static bool
domain_part(struct parse *p, struct span *domain)
{
	if (next_is(p, '['))
		return literal(p, domain);
	*domain = take_dot_atom(p);
	if (domain->n > 1 && !p->strict && domain->p[domain->n - 1] == '.')
		domain->n--;
	return domain->n <= MAIL_HOSTNAME_MAX &&
	    mail_address_is_dot_atom(*domain);
}

/* "@one,@two:" before the mailbox: obsolete, ignored. */
static bool
skip_route(struct parse *p)
{
	struct span domain;

	if (!next_is(p, '@'))
		return true;
	do {
		if (!accept(p, '@') || !domain_part(p, &domain))
			return false;
	} while (accept(p, ','));
	return accept(p, ':');
}

static bool
mailbox(struct parse *p)
{
	struct span domain;

	if (!skip_route(p) || !local_part(p))
		return false;
	if (!accept(p, '@'))
		return !p->quoted_at;
	if (!domain_part(p, &domain))
		return false;
	buf_add_char(p->out, '@');
	buf_add_span(p->out, domain);
	return true;
}

static bool
path(struct parse *p, unsigned int flags)
{
	bool bracket;

	if (!p->strict)
		while (accept(p, ' ') || accept(p, '\t'))
			continue;
	bracket = accept(p, '<');
	if (!bracket && p->strict)
		return false;
	if (bracket && (flags & PATH_NULL) && next_is(p, '>')) {
		accept(p, '>');
	} else {
		if (!mailbox(p) || (bracket && !accept(p, '>')))
			return false;
	}
	return p->in.n == 0 || next_is(p, ' ') || next_is(p, '\t');
}

enum smtp_path_result
smtp_path_parse(struct span *rest, unsigned int flags, struct buf *address)
{
	struct parse p = { *rest, address, flags & PATH_STRICT, false };
	struct span done;

	if (!path(&p, flags) || span_has_break(buf_span(address)))
		return SMTP_PATH_SYNTAX;
	if (address->overflow || address->n > SMTP_PATH_MAX)
		return SMTP_PATH_LONG;
	done = buf_span(address);
	if (!span_is_ascii(done)) {
		if (!mail_is_utf8(done))
			return SMTP_PATH_SYNTAX;
		if (!(flags & PATH_UTF8))
			return SMTP_PATH_NEEDS_UTF8;
	}
	*rest = p.in;
	return SMTP_PATH_OK;
}
