/* SPDX-License-Identifier: ISC */
#include "lib/table/regexp_cost.h"

#include <stddef.h>
#include <string.h>

/*
 * A part of a pattern as an automaton. Its states are bytes to be matched and
 * joints (parentheses, choices, loops, anchors), which need none. "Reached"
 * means: without a byte. Floating point, which grows without overflow.
 */
struct part {
	double states;
	double reached; /* from its beginning */
	double pairs; /* of a joint and what is reached from it */
	double leaving; /* joints from which its end is reached */
	double anchors; /* of these, anchors: what follows is copied for each */
	unsigned int kinds; /* of anchors, one bit each */
	unsigned int chain; /* anchors one after the other, without a byte */
	bool nullable;
};

static const struct part nothing = { .nullable = true };
static const struct part byte = { .states = 1, .reached = 1 };
static const struct part joint = { .states = 1,
	.reached = 1,
	.pairs = 1,
	.leaving = 1,
	.nullable = true };

/* Bytes: measured with glibc 2.36, 64 bits. */
enum {
	STATE_BYTES = 240,
	PAIR_BYTES = 16,
	COPIES_MAX = 64, /* of one state: as many kinds of conditions */
	/* Time doubles with each. This many are some tenths of a second. */
	CHAIN_MAX = 40,
	CHAIN_OF_LOOP = 4, /* times its own */
	REPEATED_MAX = 32767,
};

static double
bytes_of(const struct part *p)
{
	return p->states * STATE_BYTES + p->pairs * PAIR_BYTES;
}

/* Whole, or what has been read of it. */
static enum regexp_cost
judge(const struct part *p)
{
	if (p->chain > CHAIN_MAX)
		return REGEXP_SLOW;
	return bytes_of(p) > (double)REGEXP_MB_MAX * (1 << 20) ? REGEXP_LARGE :
								 REGEXP_FITS;
}

static bool
excessive(const struct part *p)
{
	return judge(p) != REGEXP_FITS;
}

static double
smaller(double a, double b)
{
	return a < b ? a : b;
}

static struct part
sequence(const struct part *x, const struct part *y)
{
	double copies = smaller(x->anchors, COPIES_MAX);
	double copied = copies * y->reached;
	struct part both = {
		.states = x->states + y->states + copied,
		.reached = x->reached + (x->nullable ? y->reached : 0),
		.pairs = x->pairs + y->pairs + x->leaving * y->reached +
		    copies * smaller(y->pairs, copied * y->reached),
		.leaving = y->leaving,
		.anchors = y->anchors,
		.kinds = y->kinds,
		.chain = y->chain,
		.nullable = x->nullable && y->nullable,
	};

	if (y->nullable) {
		both.leaving += x->leaving + copies * y->leaving;
		both.anchors += x->anchors;
		both.kinds |= x->kinds;
		both.chain += x->chain;
	}
	return both;
}

/* Alternatives of the same kinds add nothing: what they lead to is the same. */
static unsigned int
chain_of_choice(const struct part *x, const struct part *y)
{
	if ((x->kinds | y->kinds) != x->kinds &&
	    (x->kinds | y->kinds) != y->kinds)
		return x->chain + y->chain;
	return x->chain > y->chain ? x->chain : y->chain;
}

static struct part
choice(const struct part *x, const struct part *y)
{
	return (struct part){
		.states = 1 + x->states + y->states,
		.reached = 1 + x->reached + y->reached,
		.pairs = x->pairs + y->pairs + 1 + x->reached + y->reached,
		.leaving =
		    x->leaving + y->leaving + (x->nullable || y->nullable),
		.anchors = x->anchors + y->anchors,
		.kinds = x->kinds | y->kinds,
		.chain = chain_of_choice(x, y),
		.nullable = x->nullable || y->nullable,
	};
}

/* x* leads back to its own joint. */
static struct part
loop(const struct part *x)
{
	double reached = 1 + x->reached;
	double copies = smaller(x->anchors, COPIES_MAX);

	return (struct part){
		.states = 1 + x->states + copies * reached,
		.reached = reached,
		.pairs = x->pairs + reached * (1 + x->leaving) +
		    copies * reached * reached,
		.leaving = (1 + x->leaving) * (1 + copies),
		.anchors = x->anchors,
		.kinds = x->kinds,
		.chain = x->chain * CHAIN_OF_LOOP,
		.nullable = true,
	};
}

static struct part
group(const struct part *x)
{
	struct part open = sequence(&joint, x);

	return sequence(&open, &joint);
}

/* x{least,most}; most below zero: without end. */
static struct part
repeated(const struct part *x, long least, long most)
{
	struct part sum = nothing, rest = nothing;

	for (long i = 0; i < least && !excessive(&sum); i++)
		sum = sequence(&sum, x);
	if (most < 0)
		rest = loop(x);
	for (long i = least; i < most && !excessive(&rest); i++) {
		rest = sequence(&rest, x);
		rest = choice(&rest, &nothing);
	}
	return sequence(&sum, &rest);
}

/* What is open: branches that ended, what stands before the last thing. */
struct level {
	struct part branches;
	struct part before;
	struct part last; /* that a repetition is of */
	bool chosen; /* there are branches */
};

struct reading {
	struct level levels[REGEXP_DEPTH_MAX + 1];
	size_t depth;
	enum regexp_cost result;
};

static struct level *
open_level(struct reading *r)
{
	return &r->levels[r->depth];
}

static void
start_level(struct level *l)
{
	*l = (struct level){ nothing, nothing, nothing, false };
}

static void
append(struct reading *r, const struct part *p)
{
	struct level *l = open_level(r);

	l->before = sequence(&l->before, &l->last);
	l->last = *p;
}

/* \b is a choice of two. */
static void
append_anchor(struct reading *r, char c)
{
	static const char kinds[] = "^$<>B`'b";
	unsigned int i = (unsigned int)(strchr(kinds, c) - kinds);
	struct part p = joint;

	p.anchors = 1;
	p.chain = c == 'b' ? 2 : 1;
	p.kinds = 1u << i;
	append(r, &p);
}

static void
end_branch(struct level *l)
{
	struct part branch = sequence(&l->before, &l->last);

	l->branches = l->chosen ? choice(&l->branches, &branch) : branch;
	l->chosen = true;
	l->before = nothing;
	l->last = nothing;
}

/* All of a level as one; the level is used up. */
static struct part
end_level(struct level *l)
{
	end_branch(l);
	return l->branches;
}

static long
cut_number(struct span *rest)
{
	long number = 0;

	while (rest->n > 0 && rest->p[0] >= '0' && rest->p[0] <= '9') {
		if (number <= REPEATED_MAX)
			number = number * 10 + (rest->p[0] - '0');
		*rest = span_skip(*rest, 1);
	}
	return number;
}

/* What ends a repetition: } or, of basic patterns, \} */
static void
skip_brace(struct span *rest)
{
	size_t escape = rest->n > 1 && rest->p[0] == '\\';

	if (rest->n > escape && rest->p[escape] == '}')
		*rest = span_skip(*rest, escape + 1);
}

/* {3}, {3,}, {,5} or {3,5}, behind the brace. */
static void
repeat_braced(struct reading *r, struct span *rest)
{
	struct level *l = open_level(r);
	long least = cut_number(rest), most = least;

	if (rest->n > 0 && rest->p[0] == ',') {
		*rest = span_skip(*rest, 1);
		most = rest->n > 0 && rest->p[0] >= '0' && rest->p[0] <= '9' ?
		    cut_number(rest) :
		    -1;
	}
	skip_brace(rest);
	l->last = repeated(&l->last, least, most);
}

/* [=x=], [.x.] and [:x:] within brackets: to its end, or where it stands. */
static size_t
named_end(struct span text, size_t i)
{
	char kind = i + 1 < text.n ? text.p[i + 1] : '\0';
	size_t end = i + 2;

	if (kind != '=' && kind != '.' && kind != ':')
		return i + 1;
	while (
	    end + 1 < text.n && (text.p[end] != kind || text.p[end + 1] != ']'))
		end++;
	return end + 2;
}

/* To the bracket that ends the set, as regcomp(3) sees it. */
static void
skip_bracket(struct span *rest)
{
	size_t i = rest->n > 0 && rest->p[0] == '^' ? 1 : 0;

	if (i < rest->n && rest->p[i] == ']')
		i++;
	while (i < rest->n && rest->p[i] != ']')
		i = rest->p[i] == '[' ? named_end(*rest, i) : i + 1;
	*rest = span_skip(*rest, i + 1 < rest->n ? i + 1 : rest->n);
}

static void
open_group(struct reading *r)
{
	if (r->depth == REGEXP_DEPTH_MAX)
		r->result = REGEXP_DEEP;
	else
		start_level(&r->levels[++r->depth]);
}

static void
close_group(struct reading *r)
{
	struct part all;

	if (r->depth == 0) {
		append(r, &byte);
		return;
	}
	all = end_level(open_level(r));
	r->depth--;
	all = group(&all);
	append(r, &all);
}

static void
repeat(struct reading *r, long least, long most)
{
	struct level *l = open_level(r);

	l->last = repeated(&l->last, least, most);
}

/* What something does that is more than a byte. */
static void
weigh(struct reading *r, char c, struct span *rest)
{
	switch (c) {
	case '(':
		open_group(r);
		break;
	case ')':
		close_group(r);
		break;
	case '|':
		end_branch(open_level(r));
		break;
	case '{':
		repeat_braced(r, rest);
		break;
	case '*':
		repeat(r, 0, -1);
		break;
	case '+':
		repeat(r, 1, -1);
		break;
	case '?':
		repeat(r, 0, 1);
		break;
	case '^':
	case '$':
	case '<':
	case '>':
	case 'b':
	case 'B':
	case '`':
	case '\'':
		append_anchor(r, c);
		break;
	case '[':
		skip_bracket(rest);
		/* fallthrough */
	default:
		append(r, &byte);
	}
}

/* What stands for itself, or means something with or without a backslash. */
static char
meaning(char c, bool escaped, bool extended)
{
	switch (c) {
	case '(':
	case ')':
	case '{':
	case '|':
	case '+':
	case '?':
		/* of basic patterns these mean something when escaped */
		return escaped != extended ? c : ' ';
	case '*':
	case '[':
	case '^':
	case '$':
		return escaped ? ' ' : c;
	case '<':
	case '>':
	case 'b':
	case 'B':
	case '`':
	case '\'':
		return escaped ? c : ' ';
	default:
		return ' ';
	}
}

static bool
outgrown(struct reading *r)
{
	const struct level *l = open_level(r);

	if (r->result == REGEXP_FITS)
		r->result = judge(&l->branches);
	if (r->result == REGEXP_FITS)
		r->result = judge(&l->before);
	if (r->result == REGEXP_FITS)
		r->result = judge(&l->last);
	return r->result != REGEXP_FITS;
}

enum regexp_cost
regexp_cost(struct span pattern, bool extended, double *bytes)
{
	struct reading r = { .result = REGEXP_FITS };
	struct part all;

	start_level(&r.levels[0]);
	while (pattern.n > 0 && !outgrown(&r)) {
		bool escaped = pattern.p[0] == '\\' && pattern.n > 1;
		char c = pattern.p[escaped];

		pattern = span_skip(pattern, escaped ? 2 : 1);
		weigh(&r, meaning(c, escaped, extended), &pattern);
	}
	while (r.depth > 0 && r.result == REGEXP_FITS)
		close_group(&r);
	all = end_level(open_level(&r));
	if (r.result == REGEXP_FITS)
		r.result = judge(&all);
	if (bytes != NULL)
		*bytes = bytes_of(&all);
	return r.result;
}
