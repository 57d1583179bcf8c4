/* SPDX-License-Identifier: ISC */
#include "imapd/list_pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static bool
match(const char *pattern, const char *name, char separator)
{
	struct list_pattern *p = list_pattern_new(span_of(pattern), separator);
	bool is = p != NULL && list_pattern_match(p, name);

	list_pattern_free(&p);
	return is;
}

static void
rows(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool is;
	} rows[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "a", "a", true },
		{ "a", "ab", false },
		{ "*", "a/b/c", true },
		{ "%", "a", true },
		{ "%", "a/b", false },
		{ "%/%", "a/b", true },
		{ "%/%", "a/b/c", false },
		{ "a*c", "a/b/c", true },
		{ "a%c", "a/c", false },
		{ "a%c", "abbc", true },
		{ "%*", "a/b", true },
		{ "*%", "a/b", true },
		{ "%%", "ab", true },
		{ "%%", "a/b", false },
		{ "*2", "foo2/bar2", true },
		{ "*2", "foo2/bar1", false },
		/* INBOX is one name in all cases of letters; others are not */
		{ "inbox", "INBOX", true },
		{ "iNb%", "INBOX", true },
		{ "inbox/%", "INBOX/a", true },
		{ "inbox/A", "INBOX/a", false },
		{ "Sent", "SENT", false },
		{ "inboxes", "INBOXES", false },
		/* bytes above 127 are bytes */
		{ "%\xc3\xa9", "caf\xc3\xa9", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (match(rows[i].pattern, rows[i].name, '/') != rows[i].is)
			fail_msg("\"%s\" and \"%s\"", rows[i].pattern,
			    rows[i].name);
	assert_true(match("a.%", "a.b", '.'));
	assert_false(match("%", "a.b", '.'));
	assert_true(match("%", "a/b", '.'));
}

/* What it means, said so that nobody can doubt it: every way is tried. */
static bool
model(const char *p, const char *n)
{
	if (*p == '\0')
		return *n == '\0';
	if (*p == '*' || *p == '%')
		return model(p + 1, n) ||
		    (*n != '\0' && !(*p == '%' && *n == '/') &&
			model(p, n + 1));
	return *p == *n && model(p + 1, n + 1);
}

static void
draw(const char *letters, char *out, size_t most)
{
	size_t n = (size_t)rand() % (most + 1);

	for (size_t i = 0; i < n; i++)
		out[i] = letters[(size_t)rand() % strlen(letters)];
	out[n] = '\0';
}

static void
agrees_with_the_model(void **state)
{
	char pattern[16], name[16];
	unsigned int yes = 0;

	(void)state;
	srand(1);
	for (int i = 0; i < 200000; i++) {
		bool is;

		draw("ab/*%", pattern, 9);
		draw("ab/", name, 9);
		is = model(pattern, name);
		yes += is;
		if (match(pattern, name, '/') != is)
			fail_msg("\"%s\" and \"%s\"", pattern, name);
	}
	assert_true(yes > 10000);
}

/* The same across the words of a long pattern. */
static void
long_ones(void **state)
{
	char pattern[700], name[700];

	(void)state;
	srand(2);
	for (int i = 0; i < 20000; i++) {
		size_t pad = (size_t)rand() % 600;
		bool is;

		memset(pattern, 'x', pad);
		memset(name, 'x', pad);
		draw("ab/*%", pattern + pad, 9);
		draw("ab/", name + pad, 9);
		is = model(pattern + pad, name + pad);
		if (match(pattern, name, '/') != is)
			fail_msg("\"%s\" and \"%s\"", pattern, name);
	}
}

/* Trying would take longer than the universe is going to last. */
static void
stars_cost_nothing(void **state)
{
	char pattern[LIST_PATTERN_MAX + 2], name[1001];
	struct list_pattern *p;
	clock_t start = clock();

	(void)state;
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = i % 2 == 0 ? '*' : 'a';
	pattern[LIST_PATTERN_MAX - 1] = 'b';
	pattern[LIST_PATTERN_MAX] = '\0';
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	p = list_pattern_new(span_of(pattern), '/');
	assert_non_null(p);
	for (int i = 0; i < 1000; i++)
		assert_false(list_pattern_match(p, name));
	list_pattern_free(&p);
	assert_true(clock() - start < 15 * CLOCKS_PER_SEC);
}

static void
too_long_is_nothing(void **state)
{
	char pattern[LIST_PATTERN_MAX + 2];

	(void)state;
	memset(pattern, '*', sizeof(pattern) - 1);
	pattern[sizeof(pattern) - 1] = '\0';
	assert_true(match(pattern, "a", '/'));
	memset(pattern, 'a', sizeof(pattern) - 1);
	assert_false(match(pattern, pattern, '/'));
	pattern[sizeof(pattern) - 2] = '\0';
	assert_true(match(pattern, pattern, '/'));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows),
		cmocka_unit_test(agrees_with_the_model),
		cmocka_unit_test(long_ones),
		cmocka_unit_test(stars_cost_nothing),
		cmocka_unit_test(too_long_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
