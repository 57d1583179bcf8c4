/* SPDX-License-Identifier: ISC */
#include "smtpd/client_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/log/log.h"
#include "smtpd/ask.h"

/* lookup for this test: "test:x" holds the key x; "test:down" is down. */
enum table_result
ask_tables(const char *tables, const struct span *keys, size_t count,
    struct buf *value)
{
	(void)value;
	assert_int_equal(count, 1);
	if (strcmp(tables, "test:down") == 0)
		return TABLE_AGAIN;
	return span_is(keys[0], strchr(tables, ':') + 1) ? TABLE_FOUND :
							   TABLE_NONE;
}

struct row {
	const char *list;
	const char *address;
	const char *name;
	enum table_result result;
};

static const struct row rows[] = {
	{ "", "192.0.2.1", "unknown", TABLE_NONE },
	{ "192.0.2.0/24", "192.0.2.1", "unknown", TABLE_FOUND },
	{ "192.0.2.0/24", "192.0.3.1", "unknown", TABLE_NONE },
	{ "192.0.2.1", "192.0.2.1", "unknown", TABLE_FOUND },
	{ "!192.0.2.1, 192.0.2.0/24", "192.0.2.1", "unknown", TABLE_NONE },
	{ "!192.0.2.1 192.0.2.0/24", "192.0.2.2", "unknown", TABLE_FOUND },
	{ "192.0.2.0/24, !192.0.2.1", "192.0.2.1", "unknown", TABLE_FOUND },
	{ "[2001:db8::]/32", "2001:db8::7", "unknown", TABLE_FOUND },
	{ "[2001:db8::]/32", "2001:db9::7", "unknown", TABLE_NONE },
	{ "[2001:db8::]/32", "192.0.2.1", "unknown", TABLE_NONE },
	{ "host.example.test", "192.0.2.1", "host.example.test", TABLE_FOUND },
	{ ".example.test", "192.0.2.1", "host.example.test", TABLE_FOUND },
	{ ".example.test", "192.0.2.1", "example.test", TABLE_NONE },
	{ ".example.test", "192.0.2.1", "badexample.test", TABLE_NONE },
	{ "example.test", "192.0.2.1", "host.example.test", TABLE_FOUND },
	{ "example.test", "192.0.2.1", "badexample.test", TABLE_NONE },
	{ "192.0.2.1", "192.0.2.9", "192.0.2.1", TABLE_NONE },
	{ "test:192.0.2.1", "192.0.2.1", "unknown", TABLE_FOUND },
	{ "test:host.test", "192.0.2.1", "host.test", TABLE_FOUND },
	{ "test:x", "192.0.2.1", "unknown", TABLE_NONE },
	{ "!test:192.0.2.1, 192.0.2.0/24", "192.0.2.1", "x", TABLE_NONE },
	{ "test:down, 192.0.2.0/24", "192.0.2.1", "x", TABLE_AGAIN },
	{ "192.0.2.0/24, test:down", "192.0.2.1", "x", TABLE_FOUND },
	{ "127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128", "127.0.0.1", "x",
	    TABLE_FOUND },
};

static enum table_result
match(const struct client_list *l, const char *ip, const char *name)
{
	struct address a;

	assert_true(address_parse_ip(span_of(ip), 0, &a));
	return client_list_match(l, &a, span_of(ip), span_of(name));
}

static void
lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf error = BUF_INIT(4096);
		struct client_list *l =
		    client_list_new("list", rows[i].list, true, &error);

		assert_string_equal(buf_text(&error), "");
		if (match(l, rows[i].address, rows[i].name) != rows[i].result)
			print_error("%s, %s\n", rows[i].list, rows[i].address);
		assert_int_equal(match(l, rows[i].address, rows[i].name),
		    rows[i].result);
		buf_fini(&error);
	}
}

static void
files_are_read(void **state)
{
	char path[] = "/tmp/client-list-XXXXXX", text[200];
	int fd = mkstemp(path);
	struct buf error = BUF_INIT(4096);
	struct client_list *l;

	(void)state;
	assert_true(fd >= 0);
	assert_true(dprintf(fd,
			"# ours\n192.0.2.0/24\n\n!198.51.100.1\n"
			"198.51.100.0/24\n") > 0);
	close(fd);
	l = client_list_new("list", path, false, &error);
	assert_int_equal(match(l, "192.0.2.7", "x"), TABLE_FOUND);
	assert_int_equal(match(l, "198.51.100.1", "x"), TABLE_NONE);
	assert_int_equal(match(l, "198.51.100.2", "x"), TABLE_FOUND);
	assert_string_equal(buf_text(&error), "");
	snprintf(text, sizeof(text), "!%s", path);
	l = client_list_new("list", text, false, &error);
	assert_int_equal(match(l, "192.0.2.7", "x"), TABLE_NONE);
	assert_int_equal(match(l, "198.51.100.1", "x"), TABLE_FOUND);
	unlink(path);
	l = client_list_new("list", path, false, &error);
	assert_true(client_list_empty(l));
	assert_non_null(strstr(buf_text(&error), "No such file"));
	buf_fini(&error);
}

static void
mistakes_are_named(void **state)
{
	static const char *const bad[] = { "192.0.2.0/33", "[2001:db8::]/129",
		"[::1", "300.0.0.0/8" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf error = BUF_INIT(4096);

		client_list_new("mynetworks", bad[i], false, &error);
		assert_non_null(strstr(buf_text(&error), bad[i]));
		assert_non_null(strstr(buf_text(&error), "mynetworks"));
		buf_fini(&error);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(files_are_read),
		cmocka_unit_test(mistakes_are_named),
	};

	log_threshold(LEVEL_PANIC);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
