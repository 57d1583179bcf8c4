/* SPDX-License-Identifier: ISC */
#include "lib/table/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/log/log.h"
#include "lib/table/cidr.h"

#define P (&pattern_engine_pcre)
#define R (&pattern_engine_regexp)
#define CIDR NULL

static const struct {
	const char *name;
	const struct pattern_engine *engine;
	const char *text;
	const char *key;
	const char *value; /* NULL: not found */
} rows[] = {
	{ "first wins", P, "/b/ one\n/b/ two\n", "abc", "one" },
	{ "case does not matter", P, "/B/ one\n", "abc", "one" },
	{ "flag i turns it round", P, "/B/i one\n", "abc", NULL },
	{ "negated", P, "!/x/ none\n", "abc", "none" },
	{ "negated, no", P, "!/b/ none\n", "abc", NULL },
	{ "dollar one", P, "/^(a)(b)/ $2$1\n", "abc", "ba" },
	{ "dollar braces", P, "/^(a)(b)/ x${2}1$(1)\n", "abc", "xb1a" },
	{ "dollar zero", P, "/b./ <$0>\n/b/ next\n", "abc", "next" },
	{ "doubly negated", P, "!! /b/ x\n/b/ y\n", "abc", "x" },
	{ "indented first line", P, "  /b/ x\n/b/ y\n", "abc", "y" },
	{ "dollar dollar", P, "/b/ $$1\n", "abc", "$1" },
	{ "group without part", P, "/(x)?(b)/ <$1$2>\n", "abc", "<b>" },
	{ "too large a group", P, "/(b)/ $2\n/b/ next\n", "abc", "next" },
	{ "group in negated", P, "!/(x)/ $1\n/b/ next\n", "abc", "next" },
	{ "bad dollar", P, "/(b)/ ${x}\n/b/ next\n", "abc", "next" },
	{ "open brace", P, "/(b)/ ${1\n/b/ next\n", "abc", "next" },
	{ "other delimiter", P, "!!b! x\n", "abc", NULL },
	{ "delimiter #", P, " x\n%b% y\n", "abc", "y" },
	{ "escaped delimiter", P, "/a\\/b/ y\n", "a/b", "y" },
	{ "no closing delimiter", P, "/b x\n/b/ y\n", "b", "y" },
	{ "bad pattern", P, "/(b/ x\n/b/ y\n", "b", "y" },
	{ "bad flag", P, "/b/q x\n/b/ y\n", "b", "y" },
	{ "continuation", P, "/b/ x\n  y\n", "b", "x  y" },
	{ "no text", P, "/b/\n", "b", "" },
	{ "if true", P, "if /a/\n/b/ x\nendif\n/b/ y\n", "ab", "x" },
	{ "if false", P, "if /c/\n/b/ x\nendif\n/b/ y\n", "ab", "y" },
	{ "if not", P, "if !/c/\n/b/ x\nendif\n/b/ y\n", "ab", "x" },
	{ "if nested", P, "if /a/\nif /z/\n/b/ x\nendif\n/b/ y\nendif\n/b/ z\n",
	    "ab", "y" },
	{ "if without blank", P, "IF/c/\n/b/ x\nENDIF\n/b/ y\n", "ab", "y" },
	{ "endif alone", P, "endif\n/b/ y\n", "b", "y" },
	{ "if never ends", P, "if /z/\n/b/ y\n", "b", NULL },
	{ "broken if hides its block", P, "if /(/\n/b/ x\nendif\n/b/ y\n", "b",
	    "y" },
	{ "multi-line off", P, "/^b/ x\n", "a\nb", NULL },
	{ "multi-line on", P, "/^b/m x\n", "a\nb", "x" },
	{ "extended", P, "/a b/x x\n", "ab", "x" },
	{ "ungreedy", P, "/a(.*)/U <$1>\n", "abc", "<>" },
	{ "anchored", P, "/b/A x\n", "ab", NULL },
	{ "flag X is no error", P, "/b/X x\n", "ab", "x" },

	{ "regexp", R, "/^(a)(b)/ $2$1\n", "ABC", "BA" },
	{ "regexp case", R, "/B/i one\n", "abc", NULL },
	{ "regexp basic", R, "/a+/x one\n", "a+", "one" },
	{ "regexp not", R, "!/x/ one\n", "abc", "one" },
	{ "regexp second", R, "/a/!/b/ one\n", "ab", NULL },
	{ "regexp second, yes", R, "/(a)/!/b/ $1\n", "ac", "a" },
	{ "regexp if", R, "if /a/\n/b/ x\nendif\n", "ab", "x" },
	{ "regexp bad", R, "/[/ x\n/b/ y\n", "b", "y" },
	{ "regexp flag", R, "/b/s x\n/b/ y\n", "b", "y" },
	{ "pcre has no second", P, "/a/!/b/ x\n/a/ y\n", "ac", "y" },

	{ "cidr address", CIDR, "192.0.2.1 x\n", "192.0.2.1", "x" },
	{ "cidr other", CIDR, "192.0.2.1 x\n", "192.0.2.2", NULL },
	{ "cidr net", CIDR, "192.0.2.0/25 x y\n", "192.0.2.127", "x y" },
	{ "cidr net's end", CIDR, "192.0.2.0/25 x\n", "192.0.2.128", NULL },
	{ "cidr all", CIDR, "0.0.0.0/0 x\n", "203.0.113.7", "x" },
	{ "cidr families", CIDR, "0.0.0.0/0 x\n::/0 y\n", "2001:db8::1", "y" },
	{ "cidr v6", CIDR, "2001:db8:8000::/33 x\n", "2001:DB8:ffff::1", "x" },
	{ "cidr v6 other", CIDR, "2001:db8:8000::/33 x\n", "2001:db8::1",
	    NULL },
	{ "cidr host bits", CIDR, "192.0.2.1/24 x\n0.0.0.0/0 y\n", "192.0.2.1",
	    "y" },
	{ "cidr long prefix", CIDR, "192.0.2.1/33 x\n", "192.0.2.1", NULL },
	{ "cidr first", CIDR, "192.0.2.0/24 x\n192.0.2.1 y\n", "192.0.2.1",
	    "x" },
	{ "cidr not", CIDR, "!192.0.2.0/24 x\n", "198.51.100.1", "x" },
	{ "cidr if", CIDR,
	    "if 192.0.2.0/24\n0.0.0.0/0 x\nendif\n"
	    "0.0.0.0/0 y\n",
	    "198.51.100.1", "y" },
	{ "cidr if, in", CIDR,
	    "if 192.0.2.0/24\n0.0.0.0/0 x\nendif\n"
	    "0.0.0.0/0 y\n",
	    "192.0.2.1", "x" },
	{ "cidr if not", CIDR, "if !192.0.2.0/24\n0.0.0.0/0 x\nendif\n",
	    "192.0.2.1", NULL },
	{ "cidr broken if", CIDR,
	    "if 192.0.2\n0.0.0.0/0 x\nendif\n"
	    "0.0.0.0/0 y\n",
	    "192.0.2.1", "y" },
	{ "cidr no value", CIDR, "192.0.2.1\n0.0.0.0/0 y\n", "192.0.2.1", "y" },
	{ "cidr name", CIDR, "0.0.0.0/0 y\n", "example.com", NULL },
};

static void
each_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf value = BUF_INIT(1000);
		struct span text = span_of(rows[i].text);
		struct span key = span_of(rows[i].key);
		enum table_result r = rows[i].engine ?
		    pattern_try(rows[i].engine, text, key, &value) :
		    cidr_try(text, key, &value);
		bool good = rows[i].value == NULL ? r == TABLE_NONE :
						    r == TABLE_FOUND &&
			span_is(buf_span(&value), rows[i].value);

		if (!good)
			fail_msg("%s: result %d, \"%s\"", rows[i].name, r,
			    buf_text(&value));
		buf_fini(&value);
	}
}

/* A stranger's key must not buy him minutes of our time. */
static void
hostile_key_is_broken_and_soon(void **state)
{
	struct buf value = BUF_INIT(1000);
	char key[60];
	clock_t begin = clock();

	(void)state;
	memset(key, 'a', sizeof(key));
	assert_int_equal(pattern_try(P, SPAN("/^(a+)+$/ x\n/b/ y\n"),
			     (struct span){ key, 40 }, &value),
	    TABLE_FOUND);
	key[40] = '!';
	buf_reset(&value);
	assert_int_equal(pattern_try(P, SPAN("/^(a+)+$/ x\n/./ y\n"),
			     (struct span){ key, 41 }, &value),
	    TABLE_BROKEN);
	assert_true(clock() - begin < 3 * CLOCKS_PER_SEC);
	buf_fini(&value);
}

/* However deep: the innermost rule needs them all, and what follows none. */
static void
ifs_nested_deeply(void **state)
{
	static const struct {
		const struct pattern_engine *engine;
		const char *yes, *no, *rule, *behind;
		const char *key;
	} kinds[] = {
		{ P, "if /a/\n", "if /b/\n", "/./ x\n", "/./ y\n", "a" },
		{ R, "if /a/\n", "if /b/\n", "/./ x\n", "/./ y\n", "a" },
		{ CIDR, "if 192.0.2.0/24\n", "if 192.0.3.0/24\n",
		    "0.0.0.0/0 x\n", "0.0.0.0/0 y\n", "192.0.2.1" },
	};
	enum { DEEP = 10000, KINDS = sizeof(kinds) / sizeof(kinds[0]) };

	(void)state;
	for (int i = 0; i < 2 * KINDS; i++) {
		bool false_one = i % 2 == 1;
		struct buf text = BUF_INIT(1 << 20), value = BUF_INIT(1000);
		struct span key = span_of(kinds[i / 2].key);
		const struct pattern_engine *e = kinds[i / 2].engine;

		for (int k = 0; k < DEEP; k++)
			buf_add_text(&text,
			    false_one && k == DEEP - 1 ? kinds[i / 2].no :
							 kinds[i / 2].yes);
		buf_add_text(&text, kinds[i / 2].rule);
		for (int k = 0; k < DEEP; k++)
			buf_add_text(&text, "endif\n");
		buf_add_text(&text, kinds[i / 2].behind);
		assert_false(text.overflow);
		assert_int_equal(e ?
			pattern_try(e, buf_span(&text), key, &value) :
			cidr_try(buf_span(&text), key, &value),
		    TABLE_FOUND);
		assert_string_equal(buf_text(&value), false_one ? "y" : "x");
		buf_fini(&text);
		buf_fini(&value);
	}
}

static void
results_that_name_files_take_nothing_from_keys(void **state)
{
	struct buf error = BUF_INIT(1000);
	struct buf value = BUF_INIT(1000);
	char name[] = "/tmp/pattern_test.XXXXXX";
	int fd = mkstemp(name);
	struct table *t;

	(void)state;
	assert_int_equal(dprintf(fd, "/(.*)/ |cat $1\n/b/ plain\n") > 0, 1);
	close(fd);
	buf_printf(&error, "pcre:%s", name);
	t = table_open_flags(buf_span(&error), TABLE_NO_SUBSTITUTION, &error);
	assert_non_null(t);
	assert_false(table_takes_partial(t));
	assert_int_equal(table_lookup(t, SPAN("b"), &value), TABLE_FOUND);
	assert_string_equal(buf_text(&value), "plain");
	table_free(&t);
	unlink(name);
	buf_fini(&error);
	buf_fini(&value);
}

/* The rules in the name itself, as Postfix's smtpd_forbidden_commands. */
static void
inlined_rules(void **state)
{
	static const struct {
		const char *table;
		const char *key;
		const char *value;
	} inlined[] = {
		{ "regexp:{{/^[^A-Z]/ Bogus}}", ".foo", "Bogus" },
		{ "regexp:{{/^[^A-Z]/ Bogus}}", "foo", NULL },
		{ "pcre:{{/^a{2}$/ two}, { /b/ bee }}", "aa", "two" },
		{ "pcre:{{/^a{2}$/ two}, { /b/ bee }}", "xb", "bee" },
		{ "cidr:{{192.0.2.0/24 net}}", "192.0.2.7", "net" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(inlined) / sizeof(inlined[0]); i++) {
		struct buf error = BUF_INIT(1024), value = BUF_INIT(1024);
		struct table *t = table_open(span_of(inlined[i].table), &error);

		assert_non_null(t);
		assert_int_equal(table_lookup(t, span_of(inlined[i].key),
				     &value),
		    inlined[i].value ? TABLE_FOUND : TABLE_NONE);
		if (inlined[i].value != NULL)
			assert_string_equal(buf_text(&value), inlined[i].value);
		table_free(&t);
		buf_fini(&error);
		buf_fini(&value);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row),
		cmocka_unit_test(hostile_key_is_broken_and_soon),
		cmocka_unit_test(ifs_nested_deeply),
		cmocka_unit_test(inlined_rules),
		cmocka_unit_test(
		    results_that_name_files_take_nothing_from_keys),
	};

	log_threshold(LEVEL_PANIC);
	return cmocka_run_group_tests_name("pattern", tests, NULL, NULL);
}
