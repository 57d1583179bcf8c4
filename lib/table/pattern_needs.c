/* SPDX-License-Identifier: ISC */
#include "lib/table/pattern_needs.h"

#include <string.h>

/* More of a text tells no more. */
enum { NEED_MAX = 32 };

struct text {
	char bytes[NEED_MAX];
	size_t n;
};

struct reading {
	const struct pattern_manner *manner;
	struct span rest;
	bool at_begin; /* nothing but ^ and bytes so far */
	struct text run; /* bytes that follow each other */
	struct text head;
	struct text longest;
};

static void
end_run(struct reading *r)
{
	if (r->at_begin)
		r->head = r->run;
	else if (r->run.n > r->longest.n)
		r->longest = r->run;
	r->run.n = 0;
	r->at_begin = false;
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Behind "[": to behind its end. False: the two kinds may differ here. */
static bool
skip_set(struct span *rest)
{
	size_t i = rest->n > 0 && rest->p[0] == '^';

	/* a bracket that comes first stands for itself */
	if (i < rest->n && rest->p[i] == ']')
		i++;
	while (i < rest->n && rest->p[i] != ']') {
		struct span here = span_skip(*rest, i);

		if (here.p[0] == '\\')
			return false;
		if (span_starts(here, "[:")) {
			size_t n = 2;

			while (n < here.n && is_letter(here.p[n]))
				n++;
			if (!span_starts(span_skip(here, n), ":]"))
				return false;
			i += n + 2;
		} else if (here.p[0] == '[') {
			return false;
		} else {
			i++;
		}
	}
	if (i >= rest->n)
		return false;
	*rest = span_skip(*rest, i + 1);
	return true;
}

/* A backslash and this letter are one byte's place, or none, of any kind. */
static bool
is_class(enum pattern_form form, char c)
{
	return c != '\0' &&
	    strchr(form == PATTERN_PERL ? "dDwWsSbB" : "wWsSbB", c) != NULL;
}

/*
 * Behind a backslash. False: not understood. *byte: what stands for itself, or
 * NUL.
 */
static bool
cut_escaped(struct reading *r, char *byte)
{
	char c = r->rest.n > 0 ? r->rest.p[0] : '\0';

	*byte = '\0';
	r->rest = span_skip(r->rest, 1);
	if (is_class(r->manner->form, c))
		return true;
	if (c <= ' ' || c > '~' || is_letter(c) || is_digit(c) || c == '<' ||
	    c == '>' || c == '`' || c == '\'')
		return false;
	*byte = c;
	return true;
}

/* Behind "(": to behind its end. */
static bool
skip_group(struct reading *r)
{
	size_t depth = 1;

	while (depth > 0 && r->rest.n > 0) {
		char c = r->rest.p[0], ignored;

		r->rest = span_skip(r->rest, 1);
		if (c == '\\' && !cut_escaped(r, &ignored))
			return false;
		if (c == '[' && !skip_set(&r->rest))
			return false;
		if (c == ')')
			depth--;
		if (c != '(')
			continue;
		/* (?i) and the like may mean anything */
		if (span_starts(r->rest, "*") ||
		    (span_starts(r->rest, "?") && !span_starts(r->rest, "?:")))
			return false;
		depth++;
	}
	return depth == 0;
}

/* What a pattern is a row of. */
enum thing {
	BYTE,
	ANY, /* something else, which takes bytes or does not */
	BEGIN,
	STRANGE, /* or a choice: nothing can be said of the whole */
};

static enum thing
cut_thing(struct reading *r, char *byte)
{
	char c = r->rest.p[0];

	*byte = c;
	r->rest = span_skip(r->rest, 1);
	switch (c) {
	case '\\':
		if (!cut_escaped(r, byte))
			return STRANGE;
		return *byte != '\0' ? BYTE : ANY;
	case '[':
		return skip_set(&r->rest) ? ANY : STRANGE;
	case '(':
		if (span_starts(r->rest, "*") ||
		    (span_starts(r->rest, "?") && !span_starts(r->rest, "?:")))
			return STRANGE;
		return skip_group(r) ? ANY : STRANGE;
	case '^':
		return BEGIN;
	case '.':
	case '$':
		return ANY;
	case '|':
	case ')':
	case '*':
	case '+':
	case '?':
	case '{':
	case '}':
	case ']':
		return STRANGE;
	default:
		return c >= ' ' && c <= '~' ? BYTE : STRANGE;
	}
}

/* How often what stands before it is wanted. */
enum times { ONCE, MORE, PERHAPS, UNKNOWN };

/* {2,3}, behind the brace: it may be none. */
static enum times
cut_braced(struct span *rest)
{
	size_t n = 0;

	while (n < rest->n && (is_digit(rest->p[n]) || rest->p[n] == ','))
		n++;
	if (n == 0 || n == rest->n || rest->p[n] != '}')
		return UNKNOWN;
	*rest = span_skip(*rest, n + 1);
	return PERHAPS;
}

/* All that follow each other: a+* may be none. */
static enum times
cut_times(struct span *rest)
{
	enum times t = ONCE, one = ONCE;

	while (rest->n > 0 && one != UNKNOWN) {
		char c = rest->p[0];

		if (c != '*' && c != '+' && c != '?' && c != '{')
			break;
		*rest = span_skip(*rest, 1);
		one = c == '{' ? cut_braced(rest) : c == '+' ? MORE : PERHAPS;
		if (one > t)
			t = one;
	}
	return t;
}

static void
add_byte(struct reading *r, char c, enum times t)
{
	if (r->run.n == NEED_MAX || t == PERHAPS)
		end_run(r);
	if (t == PERHAPS)
		return;
	r->run.bytes[r->run.n++] =
	    (char)(r->manner->folds && c >= 'A' && c <= 'Z' ? c | 0x20 : c);
	if (t == MORE)
		end_run(r);
}

/* False: nothing is known of the whole. */
static bool
take_thing(struct reading *r, bool first)
{
	char byte;
	enum thing thing = cut_thing(r, &byte);
	enum times times = cut_times(&r->rest);

	if (thing == STRANGE || times == UNKNOWN)
		return false;
	if (thing == BEGIN && times != ONCE)
		return false;
	if (thing == BEGIN && first)
		r->at_begin = !r->manner->lines;
	else if (thing == BYTE)
		add_byte(r, byte, times);
	else
		end_run(r);
	return true;
}

static struct span
kept(struct arena *a, const struct text *t)
{
	struct span s = { t->bytes, t->n };

	return t->n > 0 ? (struct span){ arena_span(a, s), t->n } : s;
}

void
pattern_needs_of(struct span pattern, const struct pattern_manner *m,
    struct arena *a, struct pattern_needs *out)
{
	struct reading r = { .manner = m, .rest = pattern };

	*out = (struct pattern_needs){ .folds = m->folds };
	if (m->form == PATTERN_OPAQUE)
		return;
	while (r.rest.n > 0)
		if (!take_thing(&r, r.rest.n == pattern.n))
			return;
	end_run(&r);
	out->head = kept(a, &r.head);
	out->inside = kept(a, &r.longest);
}

bool
pattern_needs_met(const struct pattern_needs *n, struct span key)
{
	if (n->head.n > key.n ||
	    (n->head.n > 0 && memcmp(key.p, n->head.p, n->head.n) != 0))
		return false;
	if (n->inside.n == 0)
		return true;
	key = span_skip(key, n->head.n);
	return key.n >= n->inside.n &&
	    memmem(key.p, key.n, n->inside.p, n->inside.n) != NULL;
}
