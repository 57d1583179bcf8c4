/* SPDX-License-Identifier: ISC */
/*
 * $name, ${name}, $(name), ${name?text}, ${name?{text}:{text}}, ${name:text},
 * ${{text} op {text} ? {text} : {text}}, $$.
 *
 * Bounds: nesting is CONF_DEPTH_MAX deep, a result has CONF_VALUE_MAX bytes;
 * a setting is expanded once and kept, so that settings which refer to one
 * another in many ways cost no more than their own length.
 */
#include "lib/conf/conf_parts.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

struct expansion {
	struct conf *conf; /* NULL: only the caller's names are known */
	struct arena *arena; /* the conf's, or one of this call */
	struct buf *out;
	const char *error; /* in the arena, or the conf's */
	unsigned int depth;
	conf_resolver *resolve; /* names of the caller's, or NULL */
	conf_name_visitor *visit; /* names are told, and have no value */
	void *with;
};

static bool expand_text(struct expansion *x, struct span text);

static bool
failed(struct expansion *x, const char *format, struct span what)
{
	if (x->error == NULL)
		x->error = arena_printf(x->arena, format,
		    SPAN_ARG(span_take(what, 200)));
	return false;
}

/* "what" at the place where *rest begins, within all of "whole". */
static bool
misplaced(struct expansion *x, const char *what, struct span whole,
    struct span rest)
{
	size_t n = whole.n - rest.n, show = n < 20 ? n : 20;

	if (x->error == NULL)
		x->error = arena_printf(x->arena, "%s at: \"...%.*s>>>%.*s\"",
		    what, (int)show, whole.p + n - show,
		    SPAN_ARG(span_take(rest, 20)));
	return false;
}

static bool
is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static size_t
name_length(struct span s)
{
	size_t n = 0;

	while (n < s.n && is_name_char(s.p[n]))
		n++;
	return n;
}

/* Length of the bracketed text at the front, brackets included; 0: no end. */
static size_t
bracketed(struct span s, char open, char close)
{
	size_t level = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == open)
			level++;
		else if (s.p[i] == close && --level == 0)
			return i + 1;
	}
	return 0;
}

static void
skip_blanks(struct span *s)
{
	while (s->n > 0 && isspace((unsigned char)s->p[0]))
		*s = span_skip(*s, 1);
}

/* A "{text}" off the front of *s, without braces; its blanks count. */
static bool
take_braced(struct span *s, struct span *inside)
{
	size_t n = s->n > 0 && s->p[0] == '{' ? bracketed(*s, '{', '}') : 0;

	if (n == 0)
		return false;
	*inside = (struct span){ s->p + 1, n - 2 };
	*s = span_skip(*s, n);
	return true;
}

/* Expands into a text of its own; NULL on failure. */
static const char *
expand_apart(struct expansion *x, struct span text)
{
	struct buf side = BUF_INIT(CONF_VALUE_MAX);
	struct expansion inner = *x;
	const char *result = NULL;

	inner.out = &side;
	if (expand_text(&inner, text))
		result = arena_text(x->arena, buf_text(&side));
	x->error = inner.error;
	buf_fini(&side);
	return result;
}

/* "3.6" or "3.6.1" as one number; -1 when it is none. */
static int64_t
level_number(const char *text)
{
	struct span rest = span_of(text), part;
	int64_t number = 0;
	int parts = 0;

	while (span_cut(&rest, ".", false, &part)) {
		uint64_t value;

		if (++parts > 3 || !span_u64(part, 9999, &value))
			return -1;
		number = number * 10000 + (int64_t)value;
	}
	if (text[0] != '\0' && text[strlen(text) - 1] == '.')
		return -1;
	for (; parts > 0 && parts < 3; parts++)
		number *= 10000;
	return parts == 0 ? -1 : number;
}

static bool
all_digits(const char *text)
{
	return text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
}

static int
compare_numbers(const char *a, const char *b)
{
	size_t an, bn;

	a += strspn(a, "0");
	b += strspn(b, "0");
	an = strlen(a);
	bn = strlen(b);
	if (an != bn)
		return an < bn ? -1 : 1;
	return strcmp(a, b);
}

static const struct comparison {
	const char *text;
	bool less, equal, greater; /* which outcomes make it true */
} operators[] = {
	{ "==", false, true, false },
	{ "!=", true, false, true },
	{ "<=", true, true, false },
	{ ">=", false, true, true },
	{ "<", true, false, false },
	{ ">", false, false, true },
};

/* All that looks like an operator, so that "===" is none. */
static const struct comparison *
take_operator(struct span *s)
{
	struct span sign = span_take(*s, 0);

	while (
	    sign.n < s->n && memchr("<>!=?+-*/~&|%", s->p[sign.n], 13) != NULL)
		sign.n++;
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		if (!span_is(sign, operators[i].text))
			continue;
		*s = span_skip(*s, sign.n);
		return &operators[i];
	}
	return NULL;
}

/* "level" behind an operator, or nothing; false: another word. */
static bool
take_suffix(struct span *s, bool *levels)
{
	struct span word = span_take(*s, 0);

	while (word.n < s->n && isalnum((unsigned char)s->p[word.n]))
		word.n++;
	*levels = span_is(word, "level");
	if (word.n > 0 && !*levels)
		return false;
	*s = span_skip(*s, word.n);
	return true;
}

static bool
compare_levels(struct expansion *x, const char *left, const char *right,
    int *order)
{
	int64_t a = level_number(left), b = level_number(right);

	if (a < 0)
		return failed(x,
		    "malformed compatibility level syntax: \"%.*s\"",
		    span_of(left));
	if (b < 0)
		return failed(x,
		    "malformed compatibility level syntax: \"%.*s\"",
		    span_of(right));
	*order = a < b ? -1 : a > b;
	return true;
}

static bool
holds(struct expansion *x, const struct comparison *op, bool levels,
    const char *left, const char *right, bool *result)
{
	int order = 0;

	if (levels) {
		if (!compare_levels(x, left, right, &order))
			return false;
	} else if (all_digits(left) && all_digits(right)) {
		order = compare_numbers(left, right);
	} else {
		order = strcmp(left, right);
	}
	*result = (order < 0 && op->less) || (order == 0 && op->equal) ||
	    (order > 0 && op->greater);
	return true;
}

/* "{left} op {right}" off the front of *s. */
static bool
condition(struct expansion *x, struct span *s, bool *result)
{
	struct span whole = *s, left, right;
	const struct comparison *op;
	const char *a, *b;
	bool levels;

	if (!take_braced(s, &left))
		return failed(x,
		    "unbalanced {} in attribute expression: \"%.*s\"", whole);
	skip_blanks(s);
	op = take_operator(s);
	if (op == NULL)
		return misplaced(x,
		    "\"==\" or \"!=\" or \"<\" or \"<=\" or \">=\" or "
		    "\">\" expected",
		    whole, *s);
	if (!take_suffix(s, &levels))
		return misplaced(x, "bad operator suffix", whole, *s);
	skip_blanks(s);
	if (s->n == 0 || s->p[0] != '{')
		return misplaced(x, "\"{expression}\" expected", whole, *s);
	if (!take_braced(s, &right))
		return failed(x,
		    "unbalanced {} in attribute expression: \"%.*s\"", *s);
	a = expand_apart(x, left);
	b = a != NULL || x->visit ? expand_apart(x, right) : NULL;
	if (x->visit != NULL)
		return a != NULL && b != NULL;
	return b != NULL && holds(x, op, levels, a, b, result);
}

/* Behind a "?" or ":": text in braces, or all that is left. */
static bool
take_branch(struct expansion *x, struct span *s, struct span *text)
{
	*text = *s = span_skip(*s, 1);
	skip_blanks(s);
	if (s->n > 0 && s->p[0] == '{') {
		if (!take_braced(s, text))
			return failed(x,
			    "unbalanced {} in attribute expression: "
			    "\"%.*s\"",
			    *s);
		skip_blanks(s);
		return true;
	}
	*s = span_skip(*s, s->n);
	return true;
}

/*
 * What follows a name or condition: "?{a}:{b}", "?{a}", "?a", ":{b}", ":b".
 * The text that is not chosen is not looked at, unless all names are wanted.
 */
static bool
choose(struct expansion *x, struct span s, bool truth)
{
	struct span whole = s, yes = SPAN(""), no = SPAN("");

	if (s.p[0] == '?') {
		if (!take_branch(x, &s, &yes))
			return false;
		if (x->visit != NULL && !expand_text(x, yes))
			return false;
		if (s.n > 0 && s.p[0] != ':')
			return misplaced(x, "\":\" expected", whole, s);
	}
	if (s.n > 0 && !take_branch(x, &s, &no))
		return false;
	if (x->visit != NULL && !expand_text(x, no))
		return false;
	if (s.n > 0)
		return misplaced(x, "unexpected input", whole, s);
	return x->visit != NULL || expand_text(x, truth ? yes : no);
}

static const char *
own_name(struct conf *c, struct span name)
{
	if (span_is(name, "process_id"))
		return arena_printf(c->arena, "%ld", (long)getpid());
	if (span_is(name, "process_name"))
		return arena_text(c->arena, program_invocation_short_name);
	if (span_is(name, "service_name"))
		return "";
	return NULL;
}

/* The value of a name; "" when nobody knows it; NULL on failure. */
static const char *
value_of(struct expansion *x, struct span name)
{
	const char *value = x->resolve ? x->resolve(x->with, name) : NULL;
	struct setting *s;

	if (value != NULL)
		return value;
	if (x->visit != NULL) {
		x->visit(x->with, name);
		return "";
	}
	if (x->conf == NULL)
		return "";
	s = conf_setting(x->conf, name);
	/* named by a table's text, not by a setting: not for this program */
	if (s->withheld)
		return "";
	if (s->raw == NULL && (value = own_name(x->conf, name)) != NULL)
		return value;
	if (s->expanding) {
		failed(x, "unreasonable macro call nesting: \"%.*s\"", name);
		return NULL;
	}
	value = conf_evaluate(x->conf, s, x->depth + 1);
	if (s->error != NULL) {
		if (x->error == NULL)
			x->error = s->error;
		return NULL;
	}
	return value != NULL ? value : "";
}

/*
 * Has the name a value, for "?" and ":"? One that only expands to nothing is a
 * value too, as in Postfix; it is not looked into.
 */
static bool
is_set(struct expansion *x, struct span name)
{
	const char *value = x->resolve ? x->resolve(x->with, name) : NULL;
	struct setting *s;

	if (value == NULL && x->visit == NULL && x->conf != NULL) {
		s = conf_setting(x->conf, name);
		if (s->withheld)
			return false;
		value = conf_foreign(s) ? NULL : s->raw;
		if (value == NULL)
			value = own_name(x->conf, name);
		if (value == NULL && s->expanding)
			return true;
		if (value == NULL) {
			/* finding a default out may ask for its own name */
			s->expanding = true;
			value = conf_fallback(x->conf, s->name);
			s->expanding = false;
		}
	} else if (value == NULL && x->visit != NULL) {
		x->visit(x->with, name);
	}
	return value != NULL && value[0] != '\0';
}

static bool
add(struct expansion *x, struct span text)
{
	if (buf_add_span(x->out, text))
		return true;
	return failed(x, "the value becomes too long at \"%.*s\"",
	    span_take(text, 40));
}

static bool
named(struct expansion *x, struct span s)
{
	size_t n = name_length(s);
	struct span name = span_take(s, n), rest = span_skip(s, n);
	const char *value;

	if (n > CONF_NAME_MAX)
		return failed(x, "the name is too long: \"%.*s\"", name);
	skip_blanks(&rest);
	/* "${ }" is a name without letters; nobody can set it */
	if (rest.n > 0 && rest.p[0] != '?' && rest.p[0] != ':')
		return misplaced(x, "attribute name syntax error", s, rest);
	if (rest.n > 0)
		return choose(x, rest, is_set(x, name));
	value = value_of(x, name);
	return value != NULL && add(x, span_of(value));
}

/* What stands between ${ and }, or $( and ). */
static bool
expression(struct expansion *x, struct span s)
{
	struct span whole;
	bool truth = false;

	skip_blanks(&s);
	whole = s;
	if (s.n == 0 || s.p[0] != '{')
		return named(x, s);
	if (!condition(x, &s, &truth))
		return false;
	skip_blanks(&s);
	if (s.n == 0)
		return !truth || add(x, SPAN("true"));
	if (s.p[0] != '?' && s.p[0] != ':')
		return misplaced(x, "\"?\" or \":\" expected", whole, s);
	return choose(x, s, truth);
}

/* At a "$": expands what it stands for, and takes it off *s. */
static bool
dollar(struct expansion *x, struct span whole, struct span *s)
{
	struct span at = span_skip(*s, 1);
	char c = at.n > 0 ? at.p[0] : '\0';
	size_t n;

	if (c == '$') {
		*s = span_skip(at, 1);
		return add(x, SPAN("$"));
	}
	if (c == '{' || c == '(') {
		n = bracketed(at, c, c == '{' ? '}' : ')');
		if (n == 0)
			return failed(x, "truncated macro reference: \"%.*s\"",
			    whole);
		if (n == 2)
			return failed(x, "empty macro name: \"%.*s\"", whole);
		*s = span_skip(at, n);
		return expression(x, (struct span){ at.p + 1, n - 2 });
	}
	n = name_length(at);
	if (n == 0)
		return failed(x, "empty macro name: \"%.*s\"", whole);
	*s = span_skip(at, n);
	return named(x, span_take(at, n));
}

static bool
expand_text(struct expansion *x, struct span text)
{
	struct span whole = text;
	bool ok = true;

	if (x->depth >= CONF_DEPTH_MAX)
		return failed(x, "unreasonable macro call nesting: \"%.*s\"",
		    text);
	x->depth++;
	while (ok && text.n > 0) {
		size_t n = span_find(text, '$');

		ok = n == 0 || add(x, span_take(text, n));
		text = span_skip(text, n);
		if (ok && text.n > 0)
			ok = dollar(x, whole, &text);
	}
	x->depth--;
	return ok;
}

/* Expands; what it needs itself is gone afterwards. */
static bool
expand_for_caller(struct expansion *x, const char *text, struct buf *error)
{
	bool ok;

	x->arena = arena_new();
	ok = expand_text(x, span_of(text));
	if (!ok && error != NULL)
		buf_printf(error, "%s\n", x->error);
	arena_free(&x->arena);
	return ok;
}

bool
conf_expand_with(struct conf *c, const char *text, conf_resolver *resolve,
    void *with, struct buf *out, struct buf *error)
{
	struct expansion x = { .conf = c,
		.out = out,
		.resolve = resolve,
		.with = with };

	return expand_for_caller(&x, text, error);
}

bool
conf_expand_names(const char *text, conf_resolver *resolve, void *with,
    struct buf *out, struct buf *error)
{
	struct expansion x = { .out = out, .resolve = resolve, .with = with };

	return expand_for_caller(&x, text, error);
}

bool
conf_scan(struct conf *c, const char *text, conf_name_visitor *visit,
    void *with, struct buf *error)
{
	struct buf out = BUF_INIT(CONF_VALUE_MAX);
	struct expansion x = { .conf = c,
		.out = &out,
		.visit = visit,
		.with = with };
	bool ok = expand_for_caller(&x, text, error);

	buf_fini(&out);
	return ok;
}

bool
conf_expand_into(struct conf *c, const char *text, unsigned int depth,
    struct buf *out, const char **error)
{
	struct expansion x = { .conf = c,
		.arena = c->arena,
		.out = out,
		.depth = depth };
	bool ok = expand_text(&x, span_of(text));

	*error = x.error;
	return ok;
}
