/* SPDX-License-Identifier: ISC */
#include "lib/table/pattern_needs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "lib/base/buf.h"

#define BOTH PATTERN_OPAQUE /* of the rows: it is the same in both */

static const struct {
	enum pattern_form form;
	const char *pattern;
	const char *head;
	const char *inside;
} rows[] = {
	{ BOTH, "", "", "" },
	{ BOTH, "abc", "", "abc" },
	{ BOTH, "^abc", "abc", "" },
	{ BOTH, "^User7\\+.*@(a|b)\\.example\\.test$", "user7+",
	    ".example.test" },
	{ BOTH, "^a|bcd", "", "" },
	{ BOTH, "^(a|bc)def", "", "def" },
	{ BOTH, "^ab?c", "a", "c" },
	{ BOTH, "^ab*c", "a", "c" },
	{ BOTH, "^ab+c", "ab", "c" },
	{ BOTH, "^ab{2}c", "a", "c" },
	{ BOTH, "^ab{0,1}c", "a", "c" },
	{ BOTH, "^ab+?cd", "a", "cd" },
	{ BOTH, "a^bc", "", "bc" },
	{ BOTH, "^^ab", "", "ab" },
	{ BOTH, "ab$cde", "", "cde" },
	{ BOTH, "[^]x]abc", "", "abc" },
	{ BOTH, "[[:alpha:]]ab", "", "ab" },
	{ BOTH, "[a[:digit:]-]ab", "", "ab" },
	{ BOTH, "[[.a.]]ab", "", "" },
	{ BOTH, "[\\]]ab", "", "" },
	{ BOTH, "(x[)]y)abc", "", "abc" },
	{ BOTH, "(a(b)c)?def", "", "def" },
	{ BOTH, "(ab", "", "" },
	{ BOTH, "ab)", "", "" },
	{ BOTH, "\\bab\\wcde", "", "cde" },
	{ BOTH, "ab\\1", "", "" },
	{ BOTH, "ab\\", "", "" },
	{ BOTH, "\\<ab", "", "" },
	{ BOTH, "a{b|c}de", "", "" },
	{ BOTH, "ab\xc3\xa9", "", "" },
	{ BOTH, "(?i)ab", "", "" },
	{ BOTH, "(?:x)ab", "", "ab" },
	{ BOTH, "(x(?#()ab", "", "" },
	{ BOTH, "\\Qa.b\\E", "", "" },
	{ PATTERN_POSIX, "a\\dbc", "", "" },
	{ PATTERN_PERL, "a\\dbc", "", "bc" },
	{ BOTH, "0123456789012345678901234567890123456789", "",
	    "01234567890123456789012345678901" },
};

static void
check(size_t i, enum pattern_form form)
{
	struct pattern_manner m = { .form = form, .folds = true };
	struct arena *a = arena_new();
	struct pattern_needs n;

	pattern_needs_of(span_of(rows[i].pattern), &m, a, &n);
	if (!span_is(n.head, rows[i].head) ||
	    !span_is(n.inside, rows[i].inside))
		fail_msg("%s: \"%.*s\", \"%.*s\"", rows[i].pattern,
		    SPAN_ARG(n.head), SPAN_ARG(n.inside));
	arena_free(&a);
}

static void
what_is_needed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].form != PATTERN_PERL)
			check(i, PATTERN_POSIX);
		if (rows[i].form != PATTERN_POSIX)
			check(i, PATTERN_PERL);
	}
}

/* ^ may be in the midst of it, case may count, nothing may be known. */
static void
as_it_is_meant(void **state)
{
	struct pattern_manner m = { .form = PATTERN_POSIX, .lines = true };
	struct arena *a = arena_new();
	struct pattern_needs n;

	(void)state;
	pattern_needs_of(SPAN("^Abc"), &m, a, &n);
	assert_false(n.folds);
	assert_int_equal(n.head.n, 0);
	assert_true(span_is(n.inside, "Abc"));
	assert_true(pattern_needs_met(&n, SPAN("x\nAbc")));
	assert_false(pattern_needs_met(&n, SPAN("x\nabc")));
	m.form = PATTERN_OPAQUE;
	pattern_needs_of(SPAN("^Abc"), &m, a, &n);
	assert_true(pattern_needs_met(&n, SPAN("")));
	arena_free(&a);
}

/* The head is not taken for what is to be behind it. */
static void
one_after_the_other(void **state)
{
	struct pattern_manner m = { .form = PATTERN_POSIX };
	struct arena *a = arena_new();
	struct pattern_needs n;

	(void)state;
	pattern_needs_of(SPAN("^ab.*ab"), &m, a, &n);
	assert_false(pattern_needs_met(&n, SPAN("ab")));
	assert_false(pattern_needs_met(&n, SPAN("abxa")));
	assert_true(pattern_needs_met(&n, SPAN("abab")));
	arena_free(&a);
}

/* Patterns of such pieces, for texts of such letters. */
static const char *const pieces[] = { "a", "b", "A", "ab", "ba", "-", ".",
	"\\.", "\\-", "^", "$", "*", "+", "?", "{2}", "{0,1}", "{1,}", "{", "}",
	"|", "(", ")", "(a|b)", "(ab)", "(?:a)", "(?i)", "[ab]", "[^a]", "[]a]",
	"[[:alpha:]]", "[a\\]", "\\b", "\\w", "\\W", "\\<", "\\1", "\\d", "\\Q",
	"\\E", "]", "a*", "b?", "b+", "a+*", "#", " ", "\n" };
static const char letters[] = "abAB-.# \n{]1";

static unsigned int
any(unsigned int below)
{
	static uint64_t seed = 20;

	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned int)(seed >> 33) % below;
}

static void
random_pattern(struct buf *b)
{
	unsigned int n = 1 + any(6);

	buf_reset(b);
	if (any(3) == 0)
		buf_add_char(b, '^');
	while (n-- > 0)
		buf_add_text(b, pieces[any(sizeof(pieces) / sizeof(*pieces))]);
}

static struct span
random_key(char *room, size_t max)
{
	size_t n = any((unsigned int)max);

	for (size_t i = 0; i < n; i++)
		room[i] = letters[any(any(2) ? 4 : sizeof(letters) - 1)];
	room[n] = '\0';
	return (struct span){ room, n };
}

static bool
met(const struct pattern_needs *n, struct span key)
{
	char folded[32];

	for (size_t i = 0; i < key.n; i++) {
		char c = key.p[i];

		folded[i] =
		    (char)(n->folds && c >= 'A' && c <= 'Z' ? c | 0x20 : c);
	}
	return pattern_needs_met(n, (struct span){ folded, key.n });
}

enum { PATTERNS = 20000, KEYS = 30 };

/* How many were ruled out; none of them matches by itself. */
static unsigned int
try_posix(const char *text, const struct pattern_needs *n, int options)
{
	regex_t r;
	unsigned int ruled_out = 0;

	if (regcomp(&r, text, REG_EXTENDED | REG_NOSUB | options) != 0)
		return 0;
	for (int i = 0; i < KEYS; i++) {
		char room[16];
		struct span key = random_key(room, sizeof(room));

		if (met(n, key))
			continue;
		ruled_out++;
		if (regexec(&r, room, 0, NULL, 0) == 0)
			fail_msg("regexp %s (%d) matches \"%s\"", text, options,
			    room);
	}
	regfree(&r);
	return ruled_out;
}

static unsigned int
try_perl(const char *text, const struct pattern_needs *n, uint32_t options)
{
	int number;
	PCRE2_SIZE at;
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)text,
	    PCRE2_ZERO_TERMINATED, options, &number, &at, NULL);
	pcre2_match_data *data;
	unsigned int ruled_out = 0;

	if (code == NULL)
		return 0;
	data = pcre2_match_data_create(50, NULL);
	for (int i = 0; i < KEYS; i++) {
		char room[16];
		struct span key = random_key(room, sizeof(room));

		if (met(n, key))
			continue;
		ruled_out++;
		if (pcre2_match(code, (PCRE2_SPTR)room, key.n, 0, 0, data,
			NULL) >= 0)
			fail_msg("pcre %s (%u) matches \"%s\"", text, options,
			    room);
	}
	pcre2_match_data_free(data);
	pcre2_code_free(code);
	return ruled_out;
}

static void
what_is_ruled_out_does_not_match(void **state)
{
	struct buf text = BUF_INIT(200);
	unsigned int posix = 0, perl = 0;

	(void)state;
	for (int i = 0; i < PATTERNS; i++) {
		struct arena *a = arena_new();
		struct pattern_needs n;
		struct pattern_manner m = { .form = PATTERN_POSIX,
			.folds = any(2),
			.lines = any(2) };

		random_pattern(&text);
		pattern_needs_of(buf_span(&text), &m, a, &n);
		posix += try_posix(buf_text(&text), &n,
		    (m.folds ? REG_ICASE : 0) | (m.lines ? REG_NEWLINE : 0));
		m.form = PATTERN_PERL;
		pattern_needs_of(buf_span(&text), &m, a, &n);
		perl += try_perl(buf_text(&text), &n,
		    (m.folds ? PCRE2_CASELESS : 0) |
			(m.lines ? PCRE2_MULTILINE : 0));
		arena_free(&a);
	}
	/* or this would have tried nothing */
	assert_in_range(posix, PATTERNS, PATTERNS * KEYS);
	assert_in_range(perl, PATTERNS, PATTERNS * KEYS);
	buf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_needed),
		cmocka_unit_test(as_it_is_meant),
		cmocka_unit_test(one_after_the_other),
		cmocka_unit_test(what_is_ruled_out_does_not_match),
	};

	return cmocka_run_group_tests_name("pattern_needs", tests, NULL, NULL);
}
