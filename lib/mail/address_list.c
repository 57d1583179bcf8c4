/* SPDX-License-Identifier: ISC */
#include "lib/mail/address_list.h"

#include "lib/base/buf.h"
#include "lib/mail/mail_address.h"

enum token {
	TOKEN_END,
	TOKEN_ATOM,
	TOKEN_QUOTED, /* text: the inside, quoted pairs as written */
	TOKEN_LITERAL, /* [domain literal], with the brackets */
	TOKEN_COMMENT, /* the inside */
	TOKEN_SPECIAL, /* one of <>@,;:. or a byte with no meaning */
	TOKEN_BROKEN, /* never closed: reaches to the end of the text */
};

struct scan {
	struct span in;
	enum token token;
	struct span whole; /* the token as written */
	struct span text;
};

/* One mailbox while its tokens come in. */
struct mailbox {
	struct span whole;
	struct span spec;
	struct span name;
	struct span comment;
	struct buf address;
	bool glued; /* the next word continues the address: behind . or @ */
	bool has_at; /* a real one, not one out of a quoted string */
	bool quoted_at;
	bool phrase; /* words in a row: a name, or nothing at all */
	bool bad;
	bool seen; /* anything but comments */
	bool bracket; /* its address came in brackets */
};

struct walk {
	struct scan scan;
	struct mailbox box;
	struct span group;
	bool in_group;
	address_list_visit *visit;
	address_list_group *tell_group; /* or NULL */
	void *with;
	bool good;
	bool stopped;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* From an opening byte to its closing one; pairs skipped, "nests" counted. */
static size_t
enclosed(struct span in, char open, char close, bool nests)
{
	size_t depth = 1;

	for (size_t i = 1; i < in.n; i++) {
		if (in.p[i] == '\\')
			i++;
		else if (in.p[i] == close && --depth == 0)
			return i + 1;
		else if (nests && in.p[i] == open)
			depth++;
	}
	return 0;
}

static void
set_enclosed(struct scan *s, enum token token, size_t n)
{
	if (n == 0) {
		s->token = TOKEN_BROKEN;
		s->whole = s->text = s->in;
		return;
	}
	s->token = token;
	s->whole = span_take(s->in, n);
	s->text = span_take(span_skip(s->in, 1), n - 2);
	if (token == TOKEN_LITERAL)
		s->text = s->whole;
}

static void
next(struct scan *s)
{
	size_t n = 0;

	while (s->in.n > 0 && is_blank(s->in.p[0]))
		s->in = span_skip(s->in, 1);
	s->token = TOKEN_END;
	s->whole = s->text = span_take(s->in, 0);
	if (s->in.n == 0)
		return;
	if (s->in.p[0] == '"') {
		set_enclosed(s, TOKEN_QUOTED, enclosed(s->in, '"', '"', false));
	} else if (s->in.p[0] == '(') {
		set_enclosed(s, TOKEN_COMMENT, enclosed(s->in, '(', ')', true));
	} else if (s->in.p[0] == '[') {
		set_enclosed(s, TOKEN_LITERAL,
		    enclosed(s->in, '[', ']', false));
	} else {
		while (n < s->in.n && mail_address_is_atom(s->in.p[n]))
			n++;
		s->token = n > 0 ? TOKEN_ATOM : TOKEN_SPECIAL;
		s->whole = s->text = span_take(s->in, n > 0 ? n : 1);
	}
	s->in = span_skip(s->in, s->whole.n);
}

/* From the start of a to the end of b, both in the same text. */
static struct span
cover(struct span a, struct span b)
{
	if (a.p == NULL || a.n == 0)
		return b;
	return (struct span){ a.p, (size_t)(b.p + b.n - a.p) };
}

static void
clear_box(struct mailbox *m)
{
	struct buf address = m->address;

	buf_reset(&address);
	*m = (struct mailbox){ .address = address };
}

/* A word: part of an address, or of a name if it does not join on. */
static void
add_word(struct mailbox *m, const struct scan *s)
{
	if (m->address.n > 0 && !m->glued)
		m->phrase = true;
	m->glued = false;
	if (s->token == TOKEN_QUOTED) {
		for (size_t i = 0; i < s->text.n; i++) {
			if (s->text.p[i] == '\\' && i + 1 < s->text.n)
				i++;
			m->quoted_at |= s->text.p[i] == '@';
			buf_add_char(&m->address, s->text.p[i]);
		}
	} else {
		buf_add_span(&m->address, s->text);
	}
	m->spec = cover(m->spec, s->whole);
}

static void
add_glue(struct mailbox *m, const struct scan *s)
{
	if (s->text.p[0] == '@') {
		m->bad |= m->has_at;
		m->has_at = true;
	}
	m->glued = true;
	buf_add_span(&m->address, s->text);
	m->spec = cover(m->spec, s->whole);
}

/* Everything so far was a display name; the address begins anew. */
static void
words_were_name(struct mailbox *m)
{
	m->name = m->spec;
	m->spec = (struct span){ NULL, 0 };
	m->glued = m->has_at = m->quoted_at = m->phrase = false;
	buf_reset(&m->address);
}

/* Between "<" and ">"; a route ends with ":" and is dropped. */
static void
bracketed(struct walk *w)
{
	struct scan *s = &w->scan;
	struct mailbox *m = &w->box;
	const char *from = s->in.p;

	m->bad |= m->bracket;
	m->bracket = true;
	words_were_name(m);
	for (next(s); s->token != TOKEN_END && s->token != TOKEN_BROKEN;
	     next(s)) {
		char c = s->token == TOKEN_SPECIAL ? s->text.p[0] : '\0';

		if (s->token == TOKEN_COMMENT)
			continue;
		if (c == '>') {
			m->spec =
			    (struct span){ from, (size_t)(s->whole.p - from) };
			m->whole = cover(m->whole, s->whole);
			m->glued = false;
			m->bad |= m->phrase;
			return;
		}
		if (c == ':' || c == ',') {
			m->bad |= m->address.n > 0 && m->address.p[0] != '@';
			words_were_name(m);
			m->name = (struct span){ NULL, 0 };
		} else if (c == '@' || c == '.') {
			add_glue(m, s);
		} else if (c == '\0') {
			add_word(m, s);
		} else {
			m->bad = true;
		}
	}
	m->bad = true;
}

static bool
usable(const struct mailbox *m)
{
	struct span a = buf_span(&m->address);

	if (m->bad || m->address.overflow || m->glued ||
	    (m->phrase && !m->bracket) || span_has_break(a))
		return false;
	if (a.n == 0)
		return m->bracket;
	if (m->has_at)
		return a.p[0] != '@';
	return !m->quoted_at;
}

static void
finish(struct walk *w)
{
	struct mailbox *m = &w->box;

	if (m->seen && !usable(m))
		w->good = false;
	if (m->seen && usable(m)) {
		struct listed_address a = {
			.whole = m->whole,
			.spec = m->spec,
			.name = m->name.n > 0 ? m->name : m->comment,
			.name_is_comment = m->name.n == 0,
			.group = w->group,
			.address = buf_span(&m->address),
		};
		w->stopped = !w->visit(w->with, &a);
	}
	clear_box(m);
}

static void
end_group(struct walk *w)
{
	w->group = (struct span){ NULL, 0 };
	if (w->in_group && w->tell_group != NULL)
		w->tell_group(w->with, w->group);
	w->in_group = false;
}

static void
begin_group(struct walk *w)
{
	struct span name = w->box.spec;

	end_group(w);
	w->group = name;
	w->in_group = true;
	if (name.p == NULL)
		name = SPAN("");
	if (w->tell_group != NULL)
		w->tell_group(w->with, name);
}

static void
special(struct walk *w, char c)
{
	switch (c) {
	case ',':
		finish(w);
		return;
	case ';':
		finish(w);
		if (!w->stopped)
			end_group(w);
		return;
	case ':':
		begin_group(w);
		w->good &= !w->box.bracket;
		clear_box(&w->box);
		return;
	case '<':
		w->box.seen = true;
		w->box.whole = cover(w->box.whole, w->scan.whole);
		bracketed(w);
		return;
	case '@':
	case '.':
		/* "J. R. Smith <...>": dots within names, RFC 5322 4.1 */
		w->box.seen = true;
		w->box.bad |= w->box.bracket;
		w->box.whole = cover(w->box.whole, w->scan.whole);
		add_glue(&w->box, &w->scan);
		return;
	default:
		w->box.seen = w->box.bad = true;
	}
}

static void
step(struct walk *w)
{
	struct mailbox *m = &w->box;

	switch (w->scan.token) {
	case TOKEN_COMMENT:
		m->comment = w->scan.text;
		if (m->seen)
			m->whole = cover(m->whole, w->scan.whole);
		break;
	case TOKEN_SPECIAL:
		special(w, w->scan.text.p[0]);
		break;
	case TOKEN_BROKEN:
		m->seen = m->bad = true;
		break;
	default:
		m->seen = true;
		m->bad |= m->bracket;
		m->whole = cover(m->whole, w->scan.whole);
		add_word(m, &w->scan);
	}
}

bool
address_list_each(struct span text, address_list_visit *visit, void *with)
{
	return address_list_walk(text, visit, NULL, with);
}

bool
address_list_walk(struct span text, address_list_visit *visit,
    address_list_group *group, void *with)
{
	struct walk w = {
		.scan = { .in = text },
		.visit = visit,
		.tell_group = group,
		.with = with,
		.good = true,
	};

	buf_init(&w.box.address, MAIL_ADDRESS_MAX);
	for (next(&w.scan); !w.stopped && w.scan.token != TOKEN_END;
	     next(&w.scan))
		step(&w);
	if (!w.stopped)
		finish(&w);
	if (!w.stopped)
		end_group(&w);
	buf_fini(&w.box.address);
	return w.good && !w.stopped;
}
