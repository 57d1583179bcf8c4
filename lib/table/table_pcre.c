/* SPDX-License-Identifier: ISC */
/* pcre: Perl-compatible patterns, by PCRE2. */
#include "lib/table/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "lib/base/mem.h"

/*
 * Keys come from strangers; some patterns need time that grows with the
 * power of the key's length. Far above what sane patterns need.
 */
enum {
	MATCH_LIMIT = 1000000,
	DEPTH_LIMIT = 100000,
	HEAP_LIMIT_KIB = 32 * 1024,
};

/* Each letter turns its option the other way round. */
static const struct {
	char letter;
	uint32_t option;
} flags_known[] = {
	{ 'i', PCRE2_CASELESS }, { 'm', PCRE2_MULTILINE },
	{ 's', PCRE2_DOTALL }, { 'x', PCRE2_EXTENDED }, { 'A', PCRE2_ANCHORED },
	{ 'E', PCRE2_DOLLAR_ENDONLY }, { 'U', PCRE2_UNGREEDY },
	{ 'X', 0 }, /* an option of PCRE 1 that is always on in PCRE2 */
};

static bool
flag(char letter, uint32_t *options, struct buf *warning)
{
	const size_t known = sizeof(flags_known) / sizeof(flags_known[0]);
	size_t k = 0;

	while (k < known && flags_known[k].letter != letter)
		k++;
	if (k == known)
		return false;
	if (flags_known[k].option == 0)
		buf_printf(warning, "ignoring obsolete regexp option \"%c\"",
		    letter);
	*options ^= flags_known[k].option;
	return true;
}

static void *
compile(struct span pattern, uint32_t options, unsigned int *groups,
    bool *costly, struct buf *error)
{
	uint32_t count = 0;
	pcre2_code *code;
	PCRE2_SIZE at;
	int number;
	PCRE2_UCHAR text[256];

	(void)costly; /* the library has a limit, the same for everybody */
	code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, options, &number,
	    &at, NULL);
	if (code == NULL) {
		pcre2_get_error_message(number, text, sizeof(text));
		buf_printf(error, "error in regex at offset %zu: %s", at,
		    (const char *)text);
		return NULL;
	}
	pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &count);
	*groups = count < PATTERN_GROUPS ? count : PATTERN_GROUPS - 1;
	return code;
}

static struct pattern_manner
manner(uint32_t options)
{
	return (struct pattern_manner){
		.form =
		    options & PCRE2_EXTENDED ? PATTERN_OPAQUE : PATTERN_PERL,
		.folds = options & PCRE2_CASELESS,
		.lines = options & PCRE2_MULTILINE,
	};
}

/* Process lifetime: room and limits of all matches. */
static pcre2_match_data *room;
static pcre2_match_context *limits;

static void
prepare(void)
{
	room = pcre2_match_data_create(PATTERN_GROUPS, NULL);
	limits = pcre2_match_context_create(NULL);
	pcre2_set_match_limit(limits, MATCH_LIMIT);
	pcre2_set_depth_limit(limits, DEPTH_LIMIT);
	pcre2_set_heap_limit(limits, HEAP_LIMIT_KIB);
}

static enum pattern_match
match(const void *compiled, struct span key, struct pattern_groups *groups,
    struct buf *error)
{
	const PCRE2_SIZE *at;
	int count;

	if (room == NULL)
		prepare();
	count =
	    pcre2_match(compiled, (PCRE2_SPTR)key.p, key.n, 0, 0, room, limits);
	if (count == PCRE2_ERROR_NOMATCH)
		return PATTERN_NO;
	if (count < 0) {
		PCRE2_UCHAR text[256];

		pcre2_get_error_message(count, text, sizeof(text));
		buf_add_text(error, (const char *)text);
		return PATTERN_FAILED;
	}
	if (groups == NULL)
		return PATTERN_YES;
	groups->count = count > 0 ? (unsigned int)count : PATTERN_GROUPS;
	at = pcre2_get_ovector_pointer(room);
	for (unsigned int i = 0; i < groups->count; i++) {
		bool took_part = at[2 * i] != PCRE2_UNSET;

		groups->from[i] = took_part ? (ptrdiff_t)at[2 * i] : -1;
		groups->to[i] = took_part ? (ptrdiff_t)at[2 * i + 1] : -1;
	}
	return PATTERN_YES;
}

static void
release(void *compiled)
{
	pcre2_code_free(compiled);
}

const struct pattern_engine pattern_engine_pcre = {
	.name = "pcre",
	.second = false,
	.usual = PCRE2_CASELESS | PCRE2_DOTALL,
	.flag = flag,
	.compile = compile,
	.manner = manner,
	.match = match,
	.release = release,
};

static bool
open_pcre(struct table *t, struct span argument, struct buf *error)
{
	return pattern_open(t, argument, &pattern_engine_pcre, error);
}

const struct table_ops table_pcre_ops = {
	.folds = false,
	.partial = false,
	.open = open_pcre,
	.lookup = pattern_lookup,
	.owner = pattern_owner,
	.check = pattern_check,
	.close = pattern_close,
};
