/* SPDX-License-Identifier: ISC */
#include "lib/table/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log/log.h"

enum { YES = TABLE_FOUND, NO = TABLE_NONE, AGAIN = TABLE_AGAIN };

static const struct {
	const char *patterns;
	enum match_kind kind;
	const char *name;
	const char *address;
	int result;
} rows[] = {
	{ "", MATCH_TEXT, "a.example", NULL, NO },
	{ "a.example, b.example", MATCH_TEXT, "B.Example", NULL, YES },
	{ "example", MATCH_TEXT, "b.example", NULL, NO },
	{ ".example", MATCH_TEXT, "b.example", NULL, NO },
	{ "!a.example static:all", MATCH_TEXT, "a.example", NULL, NO },
	{ "!a.example static:all", MATCH_TEXT, "b.example", NULL, YES },
	{ "a.example !a.example", MATCH_TEXT, "a.example", NULL, YES },
	{ "inline:{a.example=x, b.example=y}", MATCH_TEXT, "B.example", NULL,
	    YES },
	{ "fail:x a.example", MATCH_TEXT, "a.example", NULL, AGAIN },
	{ "a.example fail:x", MATCH_TEXT, "a.example", NULL, YES },
	{ "!fail:x", MATCH_TEXT, "a.example", NULL, AGAIN },
	{ ".example", MATCH_DOMAIN, "b.example", NULL, YES },
	{ ".example", MATCH_DOMAIN, "example", NULL, NO },
	{ "example", MATCH_DOMAIN, "b.example", NULL, NO },
	{ "example", MATCH_DOMAIN, "example", NULL, YES },
	{ "inline:{.example=x}", MATCH_DOMAIN, "a.b.example", NULL, YES },
	{ "inline:{example=x}", MATCH_DOMAIN, "a.b.example", NULL, NO },
	{ "example", MATCH_DOMAIN_PARENTS, "a.b.example", NULL, YES },
	{ "example", MATCH_DOMAIN_PARENTS, "bexample", NULL, NO },
	{ "b.example", MATCH_DOMAIN_PARENTS, "a.b.example", NULL, YES },
	{ "inline:{b.example=x}", MATCH_DOMAIN_PARENTS, "a.b.example", NULL,
	    YES },
	{ "/FILE", MATCH_TEXT, "one.example", NULL, YES },
	{ "/FILE", MATCH_TEXT, "three.example", NULL, NO },
	{ "!/FILE static:all", MATCH_TEXT, "one.example", NULL, NO },
	{ "/FILE static:all", MATCH_TEXT, "not.example", NULL, YES },
	{ "/nowhere/at/all", MATCH_TEXT, "one.example", NULL, AGAIN },
	{ "127.0.0.0/8 [::1]/128", MATCH_HOST, "unknown", "127.1.2.3", YES },
	{ "127.0.0.0/8 [::1]/128", MATCH_HOST, "unknown", "::1", YES },
	{ "127.0.0.0/8 ::1", MATCH_HOST, "unknown", "::1", YES },
	{ "2001:db8::/32", MATCH_HOST, "unknown", "2001:db8:1::2", YES },
	{ "127.0.0.0/8 [::1]/128", MATCH_HOST, "unknown", "192.0.2.1", NO },
	{ "!192.0.2.1 192.0.2.0/24", MATCH_HOST, "x", "192.0.2.1", NO },
	{ "!192.0.2.1 192.0.2.0/24", MATCH_HOST, "x", "192.0.2.2", YES },
	{ "mx.example", MATCH_HOST, "mx.example", "192.0.2.2", YES },
	{ "example", MATCH_HOST, "mx.example", "192.0.2.2", YES },
	{ "inline:{192.0.2.2=x}", MATCH_HOST, "mx.example", "192.0.2.2", YES },
	{ "inline:{example=x}", MATCH_HOST, "mx.example", "192.0.2.2", YES },
};

static char file[] = "/tmp/match_list_test.XXXXXX";

static char *
with_file(const char *patterns)
{
	const char *at = strstr(patterns, "/FILE");
	char *text = NULL;

	if (at == NULL)
		assert_true(asprintf(&text, "%s", patterns) >= 0);
	else
		assert_true(asprintf(&text, "%.*s%s%s", (int)(at - patterns),
				patterns, file, at + 5) >= 0);
	return text;
}

static void
each_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf why = BUF_INIT(1000);
		char *patterns = with_file(rows[i].patterns);
		struct match_list *l =
		    match_list_open(patterns, rows[i].kind, &why);
		enum table_result r;

		if (l == NULL)
			fail_msg("%s: %s", patterns, buf_text(&why));
		r = rows[i].address == NULL ?
		    match_list_match(l, span_of(rows[i].name), &why) :
		    match_list_match_host(l, span_of(rows[i].name),
			span_of(rows[i].address), &why);
		if ((int)r != rows[i].result)
			fail_msg("%s and %s: %d", patterns, rows[i].name, r);
		assert_true(
		    (why.n > 0) == (r == TABLE_AGAIN) || r == TABLE_FOUND);
		match_list_free(&l);
		free(patterns);
		buf_fini(&why);
	}
}

static void
bad_patterns_are_refused(void **state)
{
	static const char *const bad[] = {
		"!",
		"192.0.2.1/24",
		"[192.0.2.1",
		"192.0.2.0/33",
		"nis:/etc/x",
		"nonsense:x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf error = BUF_INIT(1000);
		struct match_list *l =
		    match_list_open(bad[i], MATCH_HOST, &error);

		if (l != NULL)
			fail_msg("%s was taken", bad[i]);
		assert_true(error.n > 0);
		buf_fini(&error);
	}
}

static const struct {
	const char *tables;
	const char *address;
	bool local;
	const char *value; /* "value extension", NULL: none */
} addresses[] = {
	{ "inline:{u+x@d=1, u@d=2, u=3, @d=4}", "u+x@d", true, "1 " },
	{ "inline:{u@d=2, u+x=3, @d=4}", "U+X@D", true, "2 +X" },
	{ "inline:{u+x=3, u=4, @d=5}", "u+x@d", true, "3 " },
	{ "inline:{u=4, @d=5}", "u+x@d", true, "4 +x" },
	{ "inline:{u=4, @d=5}", "u+x@d", false, "5 " },
	{ "inline:{u=4}", "u+x@d", false, NULL },
	{ "inline:{u=4}", "u@d", true, "4 " },
	{ "inline:{@d=5}", "u@d", true, "5 " },
	{ "inline:{u=4}", "u+x", false, "4 +x" },
	{ "inline:{u+x=3, u=4}", "u+x", false, "3 " },
	{ "inline:{u@d=1}, inline:{@d=2}", "u@d", false, "1 " },
	{ "inline:{@d=2}, inline:{u@d=1}", "u@d", false, "1 " },
	{ "inline:{owner=1}", "owner-list@d", true, NULL },
	{ "inline:{owner-list=1}", "owner-list@d", true, "1 " },
	{ "inline:{mailer=1}", "mailer-daemon@d", true, NULL },
	{ "inline:{a@b@d=1}", "a@b@d", false, "1 " },
};

static void
addresses_part_by_part(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct buf value = BUF_INIT(1000);
		struct buf extension = BUF_INIT(1000);
		struct table_list *l =
		    table_list_open(addresses[i].tables, &value);
		enum table_result r;

		assert_non_null(l);
		r = table_list_lookup_address(l, span_of(addresses[i].address),
		    "+-", addresses[i].local, &value, &extension);
		buf_printf(&value, " %s", buf_text(&extension));
		if (addresses[i].value == NULL ? r != TABLE_NONE :
						 r != TABLE_FOUND ||
			    strcmp(buf_text(&value), addresses[i].value) != 0)
			fail_msg("%s in %s: %d %s", addresses[i].address,
			    addresses[i].tables, r, buf_text(&value));
		table_list_free(&l);
		buf_fini(&value);
		buf_fini(&extension);
	}
}

/* A catch-all pattern must not see parts of addresses. */
static void
patterns_see_whole_addresses(void **state)
{
	char name[] = "/tmp/match_list_test.XXXXXX";
	int fd = mkstemp(name);
	struct buf value = BUF_INIT(1000);
	struct buf extension = BUF_INIT(1000);
	struct table_list *l;

	(void)state;
	assert_true(dprintf(fd, "/^@d/ catch-all\n/^u@d/ user\n") > 0);
	close(fd);
	buf_printf(&value, "pcre:%s", name);
	l = table_list_open(buf_text(&value), &extension);
	assert_non_null(l);
	assert_int_equal(table_list_lookup_address(l, SPAN("u+x@d"), "+", true,
			     &value, &extension),
	    TABLE_NONE);
	assert_int_equal(table_list_lookup_address(l, SPAN("u@d"), "+", true,
			     &value, &extension),
	    TABLE_FOUND);
	table_list_free(&l);
	unlink(name);
	buf_fini(&value);
	buf_fini(&extension);
}

static void
an_error_ends_the_search(void **state)
{
	struct buf value = BUF_INIT(1000);
	struct buf extension = BUF_INIT(1000);
	struct table_list *l =
	    table_list_open("fail:x, inline:{u@d=1}", &value);

	(void)state;
	assert_int_equal(table_list_lookup(l, SPAN("u@d"), &value),
	    TABLE_AGAIN);
	assert_int_equal(table_list_lookup_address(l, SPAN("u@d"), "", false,
			     &value, &extension),
	    TABLE_AGAIN);
	assert_true(value.n > 0);
	table_list_free(&l);
	buf_fini(&value);
	buf_fini(&extension);
}

static void
test_extensions(void **state)
{
	static const struct {
		const char *user;
		const char *delimiter;
		size_t special, plain; /* owner_request_special: yes, no */
	} extensions[] = {
		{ "joe+x", "+", 3, 3 },
		{ "joe+x", "", 5, 5 },
		{ "joe-x+y", "+-", 3, 3 },
		{ "+joe", "+", 4, 4 },
		{ "owner-list", "-", 10, 5 },
		{ "list-request", "-", 12, 4 },
		{ "owner+list", "+", 5, 5 },
		{ "double-bounce", "-", 13, 13 },
		{ "MAILER-DAEMON", "-", 13, 13 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]);
	     i++) {
		struct span user = span_of(extensions[i].user);

		assert_int_equal(table_extension(user, extensions[i].delimiter),
		    extensions[i].special);
		table_owner_request_special(false);
		assert_int_equal(table_extension(user, extensions[i].delimiter),
		    extensions[i].plain);
		table_owner_request_special(true);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_extensions),
		cmocka_unit_test(each_row),
		cmocka_unit_test(bad_patterns_are_refused),
		cmocka_unit_test(addresses_part_by_part),
		cmocka_unit_test(patterns_see_whole_addresses),
		cmocka_unit_test(an_error_ends_the_search),
	};
	int fd = mkstemp(file);
	int failed;

	assert_true(dprintf(fd,
			"# domains\none.example two.example\n"
			"!not.example\n") > 0);
	close(fd);
	log_threshold(LEVEL_PANIC);
	failed = cmocka_run_group_tests_name("match_list", tests, NULL, NULL);
	unlink(file);
	return failed;
}
