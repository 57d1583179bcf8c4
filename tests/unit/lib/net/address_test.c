/* SPDX-License-Identifier: ISC */
#include "lib/net/address.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

static struct address
parsed(const char *text, uint16_t port)
{
	struct address a;

	assert_true(address_parse_ip(span_of(text), port, &a));
	return a;
}

static void
parses_and_prints(void **state)
{
	static const struct {
		const char *text;
		const char *host; /* NULL: not an address */
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "0.0.0.0", "0.0.0.0" },
		{ "2001:DB8:0::1", "2001:db8::1" },
		{ "::1", "::1" },
		{ "192.0.2", NULL },
		{ "192.0.2.256", NULL },
		{ "192.0.2.01x", NULL },
		{ "[::1]", NULL },
		{ "::1%lo", NULL },
		{ "", NULL },
		{ " 192.0.2.1", NULL },
		{ "2001:db8:1111:2222:3333:4444:5555:6666:7777:8888:9999",
		    NULL },
	};
	char host[ADDRESS_TEXT_MAX];
	struct address a;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool ok = address_parse_ip(span_of(rows[i].text), 25, &a);

		assert_int_equal(ok, rows[i].host != NULL);
		if (!ok)
			continue;
		address_host(&a, host);
		assert_string_equal(host, rows[i].host);
		assert_int_equal(address_port(&a), 25);
		assert_true(address_is_ip(&a));
	}
	assert_false(address_parse_ip((struct span){ "1.2.3.4\0", 8 }, 0, &a));
}

static void
mapped_addresses_become_ipv4(void **state)
{
	struct address a = parsed("::ffff:192.0.2.7", 2525);
	struct address plain = parsed("192.0.2.7", 25);

	(void)state;
	assert_false(address_equal_host(&a, &plain));
	address_normalise(&a);
	assert_int_equal(a.any.sa_family, AF_INET);
	assert_int_equal(address_port(&a), 2525);
	assert_true(address_equal_host(&a, &plain));
	a = parsed("2001:db8::1", 1);
	address_normalise(&a);
	assert_int_equal(a.any.sa_family, AF_INET6);
}

static void
unix_sockets_have_no_host(void **state)
{
	struct address a = { .length = sizeof(a.un) };
	char host[ADDRESS_TEXT_MAX];
	bool valid;

	(void)state;
	a.un.sun_family = AF_UNIX;
	address_host(&a, host);
	assert_string_equal(host, "unknown");
	assert_int_equal(address_port(&a), 0);
	assert_false(address_is_ip(&a));
	assert_false(address_is_loopback(&a));
	assert_false(address_equal_host(&a, &a));
	assert_false(address_in_network(&a, SPAN("0.0.0.0/0"), &valid));
	assert_true(valid);
}

static void
loopback_is_known(void **state)
{
	struct address a;

	(void)state;
	a = parsed("127.255.0.1", 0);
	assert_true(address_is_loopback(&a));
	a = parsed("128.0.0.1", 0);
	assert_false(address_is_loopback(&a));
	a = parsed("::1", 0);
	assert_true(address_is_loopback(&a));
	a = parsed("::2", 0);
	assert_false(address_is_loopback(&a));
}

static void
networks_match(void **state)
{
	static const struct {
		const char *host;
		const char *pattern;
		int result; /* 1 in, 0 not, -1 pattern not valid */
	} rows[] = {
		{ "192.0.2.1", "192.0.2.0/24", 1 },
		{ "192.0.3.1", "192.0.2.0/24", 0 },
		{ "192.0.3.1", "192.0.2.0/23", 1 },
		{ "192.0.2.1", "192.0.2.1", 1 },
		{ "192.0.2.2", "192.0.2.1", 0 },
		{ "10.0.0.1", "0.0.0.0/0", 1 },
		{ "::1", "0.0.0.0/0", 0 },
		{ "2001:db8::5", "[2001:db8::]/32", 1 },
		{ "2001:db9::5", "[2001:db8::]/32", 0 },
		{ "2001:db8::5", "2001:db8::/32", 1 },
		{ "::1", "[::1]/128", 1 },
		{ "::1", "[::1]", 1 },
		{ "::2", "::/127", 0 },
		{ "::1", "::/127", 1 },
		{ "192.0.2.1", "192.0.2.1/24", -1 }, /* bits beyond */
		{ "192.0.2.1", "192.0.2.0/33", -1 },
		{ "192.0.2.1", "192.0.2.0/", -1 },
		{ "192.0.2.1", "192.0.2.0/-1", -1 },
		{ "192.0.2.1", "example.com", -1 },
		{ "192.0.2.1", "[192.0.2.1", -1 },
		{ "192.0.2.1", "", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address a = parsed(rows[i].host, 0);
		bool valid;
		bool in =
		    address_in_network(&a, span_of(rows[i].pattern), &valid);

		if (valid != (rows[i].result >= 0) ||
		    in != (rows[i].result == 1))
			fail_msg("%s in %s: %d, valid %d", rows[i].host,
			    rows[i].pattern, in, valid);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_and_prints),
		cmocka_unit_test(mapped_addresses_become_ipv4),
		cmocka_unit_test(unix_sockets_have_no_host),
		cmocka_unit_test(loopback_is_known),
		cmocka_unit_test(networks_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
