/* SPDX-License-Identifier: ISC */
/* regexp: POSIX patterns, by the C library. */
#include "lib/table/pattern.h"

#include <regex.h>
#include <stdlib.h>

#include "lib/base/mem.h"

static bool
flag(char letter, uint32_t *options, struct buf *warning)
{
	(void)warning;
	switch (letter) {
	case 'i':
		*options ^= REG_ICASE;
		return true;
	case 'm':
		*options ^= REG_NEWLINE;
		return true;
	case 'x':
		*options ^= REG_EXTENDED;
		return true;
	default:
		return false;
	}
}

/*
 * The C library unfolds x{9} to nine x and x+ to xx*, and descends into each
 * parenthesis: a short pattern could take all memory, or the stack.
 */
enum { DEPTH_MAX = 100, SIZE_LIMIT = 20000, FACTOR_MAX = 100000 };

struct estimate {
	size_t sums[DEPTH_MAX + 1]; /* so far, of what is open */
	size_t depth;
	size_t last; /* of the last thing alone, that a repetition is of */
	bool excess;
};

static void
grow(struct estimate *e, size_t n)
{
	e->sums[e->depth] += n;
	if (e->sums[e->depth] > SIZE_LIMIT)
		e->excess = true;
}

static void
repeat(struct estimate *e, size_t factor)
{
	if (factor > 1)
		grow(e, e->last * (factor - 1));
	e->last *= factor > 1 ? factor : 1;
}

/* The larger number of {3}, {3,} or {3,5}; *rest begins behind the brace. */
static size_t
cut_factor(struct span *rest)
{
	size_t largest = 1;
	size_t number = 0;

	while (rest->n > 0 &&
	    (rest->p[0] == ',' || (rest->p[0] >= '0' && rest->p[0] <= '9'))) {
		if (rest->p[0] == ',')
			number = 0;
		else if (number < FACTOR_MAX)
			number = number * 10 + (size_t)(rest->p[0] - '0');
		if (number > largest)
			largest = number;
		*rest = span_skip(*rest, 1);
	}
	return largest;
}

static void
skip_bracket(struct span *rest)
{
	size_t i = rest->n > 0 && rest->p[0] == '^' ? 1 : 0;

	if (i < rest->n && rest->p[i] == ']')
		i++;
	while (i < rest->n && rest->p[i] != ']')
		i++;
	*rest = span_skip(*rest, i + 1);
}

/* What a byte that means something does to the estimate. */
static void
weigh(struct estimate *e, char c, struct span *rest)
{
	switch (c) {
	case '(':
		if (e->depth == DEPTH_MAX)
			e->excess = true;
		else
			e->sums[++e->depth] = 1;
		break;
	case ')':
		if (e->depth > 0) {
			e->last = e->sums[e->depth--];
			grow(e, e->last);
		}
		break;
	case '{':
		repeat(e, cut_factor(rest));
		break;
	case '+':
		repeat(e, 2);
		break;
	case '[':
		skip_bracket(rest);
		/* fallthrough */
	default:
		e->last = 1;
		grow(e, 1);
	}
}

static bool
fits(struct span pattern, bool extended)
{
	struct estimate e = { .last = 1 };

	while (pattern.n > 0 && !e.excess) {
		char c = pattern.p[0];
		bool escaped = c == '\\' && pattern.n > 1;

		if (escaped)
			c = pattern.p[1];
		pattern = span_skip(pattern, escaped ? 2 : 1);
		/* of basic patterns these mean something when escaped */
		if (c != '[' && escaped == extended)
			c = ' ';
		else if (c == '[' && escaped)
			c = ' ';
		weigh(&e, c, &pattern);
	}
	return !e.excess;
}

static void *
compile(struct span pattern, uint32_t options, unsigned int *groups,
    struct buf *error)
{
	regex_t *compiled;
	char *text;
	char why[256];
	int number;

	if (!fits(pattern, options & REG_EXTENDED)) {
		buf_printf(error,
		    "more than %d parentheses within each other, or too large",
		    DEPTH_MAX);
		return NULL;
	}
	compiled = mem_new(sizeof(*compiled));
	text = mem_span_text(pattern);
	number = regcomp(compiled, text, (int)options);
	free(text);
	if (number != 0) {
		regerror(number, compiled, why, sizeof(why));
		free(compiled);
		buf_add_text(error, why);
		return NULL;
	}
	*groups = compiled->re_nsub < PATTERN_GROUPS ?
	    (unsigned int)compiled->re_nsub :
	    PATTERN_GROUPS - 1;
	return compiled;
}

static enum pattern_match
match(const void *compiled, struct span key, struct pattern_groups *groups,
    struct buf *error)
{
	const regex_t *r = compiled;
	regmatch_t at[PATTERN_GROUPS];
	unsigned int count = r->re_nsub < PATTERN_GROUPS ?
	    (unsigned int)r->re_nsub + 1 :
	    PATTERN_GROUPS;
	int result;

	at[0].rm_so = 0;
	at[0].rm_eo = (regoff_t)key.n;
	result = regexec(r, key.p, count, at, REG_STARTEND);
	if (result == REG_NOMATCH)
		return PATTERN_NO;
	if (result != 0) {
		char text[256];

		regerror(result, r, text, sizeof(text));
		buf_add_text(error, text);
		return PATTERN_FAILED;
	}
	groups->count = count;
	for (unsigned int i = 0; i < count; i++) {
		groups->from[i] = at[i].rm_so;
		groups->to[i] = at[i].rm_eo;
	}
	return PATTERN_YES;
}

static void
release(void *compiled)
{
	regfree(compiled);
	free(compiled);
}

const struct pattern_engine pattern_engine_regexp = {
	.name = "regexp",
	.second = true,
	.usual = REG_EXTENDED | REG_ICASE,
	.flag = flag,
	.compile = compile,
	.match = match,
	.release = release,
};

static bool
open_regexp(struct table *t, struct span argument, struct buf *error)
{
	return pattern_open(t, argument, &pattern_engine_regexp, error);
}

const struct table_ops table_regexp_ops = {
	.folds = false,
	.partial = false,
	.open = open_regexp,
	.lookup = pattern_lookup,
	.owner = pattern_owner,
	.close = pattern_close,
};
