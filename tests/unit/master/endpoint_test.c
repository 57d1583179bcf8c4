/* SPDX-License-Identifier: ISC */
/* Where the services of a master.cf listen. */
#include "master/endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "master/absorbed.h"

static const struct row {
	const char *name;
	enum service_type type;
	const char *interfaces, *protocols;
	bool private;
	const char *found; /* separated by blanks, or NULL */
	const char *error;
} rows[] = {
	{ "smtp", SERVICE_INET, "all", "all", false, "0.0.0.0:25 [::]:25",
	    NULL },
	{ "2525", SERVICE_INET, "all", "ipv4", false, "0.0.0.0:2525", NULL },
	{ "2525", SERVICE_INET, "all", "ipv6", false, "[::]:2525", NULL },
	{ "2525", SERVICE_INET, "loopback-only", "all", false,
	    "127.0.0.1:2525 [::1]:2525", NULL },
	{ "2525", SERVICE_INET, "192.0.2.1, 2001:db8::1", "ipv4, ipv6", false,
	    "192.0.2.1:2525 [2001:db8::1]:2525", NULL },
	{ "2525", SERVICE_INET, "192.0.2.1 192.0.2.1", "all", false,
	    "192.0.2.1:2525", NULL },
	{ "2525", SERVICE_INET, "2001:db8::1", "ipv4", false, NULL,
	    "no address to listen on: see inet_interfaces and "
	    "inet_protocols" },
	{ "127.0.0.1:2525", SERVICE_INET, "all", "all", false, "127.0.0.1:2525",
	    NULL },
	{ "[::1]:2525", SERVICE_INET, "all", "all", false, "[::1]:2525", NULL },
	{ "[::1]:2525", SERVICE_INET, "all", "ipv4", false, NULL,
	    "this address is not of inet_protocols" },
	{ "127.0.0.1:smtp", SERVICE_INET, "all", "all", false, "127.0.0.1:25",
	    NULL },
	{ "65536", SERVICE_INET, "all", "all", false, NULL,
	    "\"65536\" is neither a port number nor a name in "
	    "/etc/services" },
	{ "0", SERVICE_INET, "all", "all", false, NULL,
	    "\"0\" is neither a port number nor a name in /etc/services" },
	{ "cleanup", SERVICE_UNIX, "all", "all", false, "public/cleanup",
	    NULL },
	{ "lookup", SERVICE_UNIX, "all", "all", true, "private/lookup", NULL },
	{ "pickup", SERVICE_FIFO, "all", "all", false, "public/pickup", NULL },
};

static void
check(const struct row *row)
{
	struct arena *arena = arena_new();
	struct buf error = BUF_INIT(1000), found = BUF_INIT(1000);
	struct common_params common = { .inet_interfaces = row->interfaces,
		.inet_protocols = row->protocols };
	struct master_entry e = { .type = row->type,
		.private_service = row->private };
	struct endpoints list;
	bool fine;

	e.name = arena_text(arena, row->name);
	fine = endpoints_find(&e, &common, arena, &list, &error);
	for (size_t i = 0; fine && i < list.count; i++)
		buf_printf(&found, "%s%s", i > 0 ? " " : "", list.list[i].text);
	if (row->found != NULL)
		assert_string_equal(buf_text(&found), row->found);
	else
		assert_string_equal(buf_text(&error), row->error);
	assert_int_equal(fine, row->found != NULL);
	buf_fini(&error);
	buf_fini(&found);
	arena_free(&arena);
}

static void
services_listen_where_they_should(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(&rows[i]);
}

static void
long_names_are_refused(void **state)
{
	char name[150];
	struct row row = { name, SERVICE_UNIX, "all", "all", true, NULL,
		"the name is too long for a socket" };

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	check(&row);
}

static void
commands_of_postfix_are_known(void **state)
{
	(void)state;
	assert_string_equal(absorbed_find("virtual")->program, "local");
	assert_string_equal(absorbed_find("lmtp")->program, "smtp");
	assert_int_equal(absorbed_find("trivial-rewrite")->kind, ABSORBED_IDLE);
	assert_int_equal(absorbed_find("qmqpd")->kind, ABSORBED_REFUSED);
	assert_null(absorbed_find("smtpd"));
	assert_null(absorbed_find(""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_listen_where_they_should),
		cmocka_unit_test(long_names_are_refused),
		cmocka_unit_test(commands_of_postfix_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
