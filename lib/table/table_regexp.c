/* SPDX-License-Identifier: ISC */
/* regexp: POSIX patterns, by the C library. */
#include "lib/table/pattern.h"

#include <regex.h>
#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/table/regexp_cost.h"

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

static bool
affordable(struct span pattern, uint32_t options, struct buf *error)
{
	switch (regexp_cost(pattern, options & REG_EXTENDED, NULL)) {
	case REGEXP_DEEP:
		buf_printf(error, "more than %d parentheses within each other",
		    REGEXP_DEPTH_MAX);
		return false;
	case REGEXP_LARGE:
		buf_printf(error,
		    "too large: compiled it would take more than %d MB",
		    REGEXP_MB_MAX);
		return false;
	case REGEXP_SLOW:
		buf_add_text(error,
		    "too many anchors (^ $ \\b) that follow each other");
		return false;
	case REGEXP_FITS:
	default:
		return true;
	}
}

static void *
compile(struct span pattern, uint32_t options, unsigned int *groups,
    bool *costly, struct buf *error)
{
	regex_t *compiled;
	char *text;
	char why[256];
	int number;

	*costly = !affordable(pattern, options, error);
	if (*costly)
		return NULL;
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

static struct pattern_manner
manner(uint32_t options)
{
	return (struct pattern_manner){
		.form = options & REG_EXTENDED ? PATTERN_POSIX : PATTERN_OPAQUE,
		.folds = options & REG_ICASE,
		.lines = options & REG_NEWLINE,
	};
}

/*
 * Where the groups are is asked of those that match alone, by a second call:
 * the C library keeps a log of all states for who asks, most rules do not
 * match, and it stops sooner for who only wants to know that.
 */
static int
search(const regex_t *r, struct span key, regmatch_t *at, unsigned int count)
{
	int result;

	at[0].rm_so = 0;
	at[0].rm_eo = (regoff_t)key.n;
	result = regexec(r, key.p, 0, at, REG_STARTEND);
	return result != 0 || count == 0 ?
	    result :
	    regexec(r, key.p, count, at, REG_STARTEND);
}

static enum pattern_match
match(const void *compiled, struct span key, struct pattern_groups *groups,
    struct buf *error)
{
	const regex_t *r = compiled;
	regmatch_t at[PATTERN_GROUPS];
	unsigned int count = groups == NULL ? 0 :
	    r->re_nsub < PATTERN_GROUPS     ? (unsigned int)r->re_nsub + 1 :
					      PATTERN_GROUPS;
	int result = search(r, key, at, count);

	if (result == REG_NOMATCH)
		return PATTERN_NO;
	if (result != 0) {
		char text[256];

		regerror(result, r, text, sizeof(text));
		buf_add_text(error, text);
		return PATTERN_FAILED;
	}
	if (groups != NULL)
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
	.manner = manner,
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
	.check = pattern_check,
	.close = pattern_close,
};
