/* SPDX-License-Identifier: ISC */
/*
 * What tables of servers have in common: % in questions and results, which
 * server is asked and when again, and the file of settings.
 */
#include "lib/table/key_format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "lib/table/server_set.h"
#include "lib/table/table_settings.h"

static const struct {
	const char *format, *value, *key; /* key NULL: a question */
	const char *want; /* NULL: unfit */
} formats[] = {
	{ "%s", "bob@a.test", NULL, "bob@a.test" },
	{ "%S", "bob@a.test", NULL, "bob@a.test" },
	{ "x='%u' and y='%d'", "bob@a.test", NULL, "x='bob' and y='a.test'" },
	{ "%u", "bob", NULL, "bob" },
	{ "%d", "bob", NULL, NULL },
	{ "%u", "@a.test", NULL, NULL },
	{ "%d", "@a.test", NULL, "a.test" },
	{ "%d", "bob@", NULL, NULL },
	{ "%u|%d", "a@b@c.test", NULL, "a@b|c.test" },
	{ "%1.%2.%3", "bob@mail.example.com", NULL, "com.example.mail" },
	{ "%4", "bob@mail.example.com", NULL, NULL },
	{ "%1", "mail.example.com", NULL, NULL },
	{ "%1", "bob@com", NULL, "com" },
	{ "%2", "bob@com", NULL, NULL },
	{ "%1", "bob@com.", NULL, NULL },
	{ "100%%", "x", NULL, "100%" },
	{ "plain", "x", NULL, "plain" },
	{ "%s", "", NULL, NULL },
	{ "%", "x", NULL, "%" },
	{ "%s", "o'brien", NULL, "o''brien" },
	{ "%u@%D", "bob", "team@a.test", "bob@a.test" },
	{ "%S>%s", "bob", "team@a.test", "team@a.test>bob" },
	{ "%U", "bob@b.test", "team@a.test", "team" },
	{ "%d", "bob@b.test", "team@a.test", "b.test" },
	{ "%D", "bob@b.test", "team", NULL },
	{ "%1", "bob@b.example", "team@a.test", "test" },
};

/* As SQL's: quotes are doubled; "!" cannot be quoted at all. */
static size_t
quote(void *with, char *to, size_t room, struct span from)
{
	size_t n = 0;

	assert_null(with);
	assert_true(room >= 4 * from.n + 1);
	for (size_t i = 0; i < from.n; i++) {
		if (from.p[i] == '!')
			return SIZE_MAX;
		if (from.p[i] == '\'')
			to[n++] = '\'';
		to[n++] = from.p[i];
	}
	return n;
}

static void
formats_are_expanded(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct buf out = BUF_INIT(1024);
		struct span key = span_of(formats[i].key);
		enum key_format_result r = key_format_expand(formats[i].format,
		    span_of(formats[i].value),
		    formats[i].key != NULL ? &key : NULL, quote, NULL, &out);

		if (formats[i].want == NULL) {
			assert_int_equal(r, KEY_UNFIT);
		} else {
			assert_int_equal(r, KEY_FORMATTED);
			assert_string_equal(buf_text(&out), formats[i].want);
		}
		buf_fini(&out);
	}
}

static void
what_cannot_be_quoted_is_nowhere(void **state)
{
	struct buf out = BUF_INIT(1024), small = BUF_INIT(8);

	(void)state;
	assert_int_equal(key_format_expand("%s", SPAN("a!b"), NULL, quote, NULL,
			     &out),
	    KEY_UNFIT);
	assert_int_equal(key_format_expand("%s", SPAN("a\0b"), NULL, quote,
			     NULL, &out),
	    KEY_UNFIT);
	assert_int_equal(key_format_expand("%s", SPAN("abcdefgh"), NULL, quote,
			     NULL, &small),
	    KEY_LONG);
	buf_fini(&out);
	buf_fini(&small);
}

static void
unknown_letters_are_told(void **state)
{
	struct buf error = BUF_INIT(1024);

	(void)state;
	assert_true(key_format_valid("%%%s%u%d%S%U%D%1%9", &error));
	assert_false(key_format_valid("%s %x", &error));
	assert_non_null(strstr(buf_text(&error), "\"%x\""));
	assert_false(key_format_valid("%0", &error));
	assert_false(key_format_valid("%", &error));
	buf_fini(&error);
}

static void
local_and_connected_servers_come_first(void **state)
{
	struct server_set s;
	struct server *first, *second, *third;

	(void)state;
	server_set_init(&s, SPAN("a, b unix:/c"), "none");
	assert_int_equal(s.count, 3);
	server_set_begin(&s);
	first = server_set_next(&s, 0, 1);
	assert_string_equal(first->name, "unix:/c");
	second = server_set_next(&s, 0, 1);
	assert_int_equal(server_set_untried(&s, 0), 1);
	third = server_set_next(&s, 0, 1);
	assert_int_equal(server_set_untried(&s, 0), 0);
	assert_ptr_not_equal(second, third);
	assert_null(server_set_next(&s, 0, 1));
	third->connection = &s;
	server_set_begin(&s);
	assert_ptr_equal(server_set_next(&s, 0, 7), third);
	third->connection = NULL;
	server_set_fini(&s);
}

static void
equal_servers_share_the_work(void **state)
{
	struct server_set s;
	size_t count[3] = { 0 };

	(void)state;
	server_set_init(&s, SPAN("a b c"), "none");
	for (uint32_t noise = 0; noise < 3000; noise++) {
		server_set_begin(&s);
		count[server_set_next(&s, 0, noise * 2654435761u) -
		    s.servers]++;
	}
	for (size_t i = 0; i < 3; i++)
		assert_in_range(count[i], 700, 1300);
	server_set_fini(&s);
}

/* A tenth of the time at most; a refusal costs next to nothing. */
static void
dead_servers_are_left_alone_for_a_while(void **state)
{
	struct server_set s;
	struct server *server;

	(void)state;
	server_set_init(&s, SPAN(""), "fallback");
	assert_string_equal(s.servers[0].name, "fallback");
	server_set_begin(&s);
	server = server_set_next(&s, 1000, 0);
	server_failed(server, 1001, 1, 60000);
	server_set_begin(&s);
	assert_null(server_set_next(&s, 1100, 0));
	assert_ptr_equal(server_set_next(&s, 1001 + SERVER_DOWN_MIN_MS, 0),
	    server);
	server_failed(server, 10000, 2000, 60000);
	server_set_begin(&s);
	assert_null(server_set_next(&s, 29999, 0));
	assert_ptr_equal(server_set_next(&s, 30000, 0), server);
	server_failed(server, 30000, 10000, 5000);
	assert_int_equal(server->down_until, 35000);
	server_set_fini(&s);
}

static const struct module_setting rows[] = {
	{ "hosts", MODULE_TEXT, "localhost", 0, 0, NULL },
	{ "query", MODULE_TEXT, "", 0, 0, NULL },
	{ "timeout", MODULE_TIME, "10", 1, 60, NULL },
	{ "limit", MODULE_COUNT, "0", 0, 100, NULL },
	{ "depth", MODULE_LIMIT, "9", 0, 1000, NULL },
	{ "bind", MODULE_BOOL, "yes", 0, 1, NULL },
	{ "scope", MODULE_WORD, "sub", 0, 0, "sub one base" },
	{ NULL, MODULE_TEXT, NULL, 0, 0, NULL },
};

static const struct module_setting *const lists[] = { rows, NULL };

static struct table_settings *
parse(const char *text, struct settings_told *told)
{
	settings_told_init(told);
	return table_settings_parse("f", span_of(text), lists, told);
}

static void
settings_are_read(void **state)
{
	struct settings_told told;
	struct table_settings *s = parse("# a comment\n"
					 "hosts = $x a # b\n"
					 "query = SELECT a\n"
					 "# within\n"
					 "  FROM b\n"
					 "timeout=1m\r\n"
					 "bind = NO\n",
	    &told);

	(void)state;
	assert_string_equal(buf_text(&told.errors), "");
	assert_string_equal(buf_text(&told.unknown), "");
	assert_string_equal(buf_text(&told.warnings), "");
	assert_string_equal(table_settings_text(s, "hosts"), "$x a # b");
	assert_string_equal(table_settings_text(s, "query"),
	    "SELECT a  FROM b");
	assert_int_equal(table_settings_number(s, "timeout"), 60);
	assert_int_equal(table_settings_number(s, "bind"), 0);
	assert_int_equal(table_settings_number(s, "limit"), 0);
	assert_string_equal(table_settings_text(s, "scope"), "sub");
	assert_true(table_settings_given(s, "bind"));
	assert_false(table_settings_given(s, "scope"));
	assert_false(table_settings_has(s, "other"));
	table_settings_free(&s);
	settings_told_fini(&told);
}

static void
mistakes_are_named_with_their_line(void **state)
{
	struct settings_told told;
	struct table_settings *s = parse("hosts = a\n"
					 "qeury = b\n"
					 "nothing like it = c\n"
					 "timeout = never\n"
					 "limit = -1\n"
					 "bind = maybe\n"
					 "scope = all\n"
					 "what is this\n",
	    &told);

	(void)state;
	assert_string_equal(buf_text(&told.unknown),
	    "f, line 2: unknown name \"qeury\", is \"query\" meant?\n"
	    "f, line 3: unknown name \"nothing like it\"\n");
	assert_string_equal(buf_text(&told.errors),
	    "f, line 4: timeout: wanted is seconds from 1 to 60\n"
	    "f, line 5: limit: wanted is a number from 0 to 100\n"
	    "f, line 6: bind: wanted is yes or no\n"
	    "f, line 7: scope: wanted is one of: sub one base\n"
	    "f, line 8: \"name = value\" is wanted\n");
	table_settings_free(&s);
	settings_told_fini(&told);
}

static void
what_is_too_much_is_as_much_as_there_can_be(void **state)
{
	struct settings_told told;
	struct table_settings *s = parse("timeout = 2m\n"
					 "depth = 5000\n"
					 "limit = 101\n",
	    &told);

	(void)state;
	assert_int_equal(table_settings_number(s, "timeout"), 60);
	assert_int_equal(table_settings_number(s, "depth"), 1000);
	assert_string_equal(buf_text(&told.warnings),
	    "f, line 1: timeout: 2m is more than 60, which is taken\n"
	    "f, line 2: depth: 5000 is more than 1000, which is taken\n");
	/* which of several it is, is no limit */
	assert_string_equal(buf_text(&told.errors),
	    "f, line 3: limit: wanted is a number from 0 to 100\n");
	table_settings_free(&s);
	settings_told_fini(&told);
}

static const char *
from_main(void *with, const char *name)
{
	assert_null(with);
	if (strcmp(name, "people_query") == 0)
		return "SELECT";
	return strcmp(name, "people_limit") == 0 ? "many" : NULL;
}

static void
settings_of_main_cf_are_gathered(void **state)
{
	struct settings_told told;
	struct table_settings *s;

	(void)state;
	settings_told_init(&told);
	s = table_settings_gather("people", from_main, NULL, lists, &told);
	assert_string_equal(table_settings_text(s, "query"), "SELECT");
	assert_string_equal(table_settings_text(s, "hosts"), "localhost");
	assert_string_equal(buf_text(&told.errors),
	    "people_limit: limit: wanted is a number from 0 to 100\n");
	table_settings_free(&s);
	settings_told_fini(&told);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_are_expanded),
		cmocka_unit_test(what_cannot_be_quoted_is_nowhere),
		cmocka_unit_test(unknown_letters_are_told),
		cmocka_unit_test(local_and_connected_servers_come_first),
		cmocka_unit_test(equal_servers_share_the_work),
		cmocka_unit_test(dead_servers_are_left_alone_for_a_while),
		cmocka_unit_test(settings_are_read),
		cmocka_unit_test(mistakes_are_named_with_their_line),
		cmocka_unit_test(what_is_too_much_is_as_much_as_there_can_be),
		cmocka_unit_test(settings_of_main_cf_are_gathered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
