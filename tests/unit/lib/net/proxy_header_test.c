/* SPDX-License-Identifier: ISC */
#include "lib/net/proxy_header.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define FOUR "\xc0\0\2\1\xc0\0\2\x19\x9c\x40\0\x19"
#define BYTES(text) \
	{ \
		text, sizeof(text) - 1 \
	}

static const char *
host(const struct address *a)
{
	static char text[ADDRESS_TEXT_MAX];

	address_host(a, text);
	return text;
}

static void
well_formed(void **state)
{
	static const struct {
		struct span bytes;
		size_t length;
		const char *client; /* NULL: direct */
		const char *server;
		unsigned int port;
	} rows[] = {
		{ BYTES("PROXY TCP4 192.0.2.1 192.0.2.25 40000 25\r\nQUIT"), 42,
		    "192.0.2.1", "192.0.2.25", 40000 },
		{ BYTES("PROXY TCP6 2001:db8::1 ::1 0 65535\r\n"), 36,
		    "2001:db8::1", "::1", 0 },
		{ BYTES(SIGNATURE "\x21\x11\0\x0c" FOUR "EHLO"), 28,
		    "192.0.2.1", "192.0.2.25", 40000 },
		/* with an extension */
		{ BYTES(SIGNATURE "\x21\x11\0\x10" FOUR "\x04\0\1x"), 32,
		    "192.0.2.1", "192.0.2.25", 40000 },
		{ BYTES(SIGNATURE "\x20\0\0\0"), 16, NULL, NULL, 0 },
		{ BYTES(SIGNATURE "\x20\x11\0\x0c" FOUR), 28, NULL, NULL, 0 },
	};
	struct proxy_header h;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(proxy_header_parse(rows[i].bytes, &h, &why),
		    PROXY_HEADER_OK);
		assert_int_equal(h.length, rows[i].length);
		assert_int_equal(h.direct, rows[i].client == NULL);
		if (h.direct)
			continue;
		assert_string_equal(host(&h.client), rows[i].client);
		assert_string_equal(host(&h.server), rows[i].server);
		assert_int_equal(address_port(&h.client), rows[i].port);
	}
}

static void
not_a_header(void **state)
{
	static const struct span rows[] = {
		BYTES("EHLO x\r\n"),
		BYTES("PROXY\r\n"),
		BYTES("PROXY UNKNOWN\r\n"),
		BYTES("PROXY TCP4 192.0.2.1 192.0.2.25 40000 25\n"),
		BYTES("PROXY TCP4 192.0.2.1 192.0.2.25 40000 25 1\r\n"),
		BYTES("PROXY TCP4 192.0.2.1 192.0.2.25 40000\r\n"),
		BYTES("PROXY TCP4 192.0.2.1 192.0.2.25 65536 25\r\n"),
		BYTES("PROXY TCP4 192.0.2.1 192.0.2.25 -1 25\r\n"),
		BYTES("PROXY TCP4 192.0.2.1 192.0.2.25 025 25\r\n"),
		BYTES("PROXY TCP4  192.0.2.1 192.0.2.25 40000 25\r\n"),
		BYTES("PROXY TCP4 2001:db8::1 ::1 40000 25\r\n"),
		BYTES("PROXY TCP6 192.0.2.1 192.0.2.25 40000 25\r\n"),
		BYTES("PROXY TCP4 localhost 192.0.2.25 40000 25\r\n"),
		BYTES("PROXY UDP4 192.0.2.1 192.0.2.25 40000 25\r\n"),
		BYTES(SIGNATURE "\x11\x11\0\x0c" FOUR), /* version */
		BYTES(SIGNATURE "\x22\x11\0\x0c" FOUR), /* command */
		BYTES(SIGNATURE "\x21\0\0\0"), /* unknown */
		BYTES(SIGNATURE "\x21\x12\0\x0c" FOUR), /* UDP */
		BYTES(SIGNATURE "\x21\x31\0\x0c" FOUR), /* UNIX */
		BYTES(SIGNATURE "\x21\x11\0\x0b" FOUR), /* short */
		BYTES(SIGNATURE "\x21\x21\0\x0c" FOUR), /* short */
		BYTES(SIGNATURE "\x21\x11\xff\xff"),
	};
	struct proxy_header h;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *why = NULL;

		assert_int_equal(proxy_header_parse(rows[i], &h, &why),
		    PROXY_HEADER_BAD);
		assert_non_null(why);
	}
}

static void
a_line_has_an_end(void **state)
{
	char line[200] = "PROXY TCP4 ";
	struct proxy_header h;
	const char *why;

	(void)state;
	memset(line + 11, '1', sizeof(line) - 11);
	for (size_t n = 0; n < 107; n++)
		assert_int_equal(proxy_header_parse((struct span){ line, n },
				     &h, &why),
		    PROXY_HEADER_MORE);
	assert_int_equal(proxy_header_parse((struct span){ line, 107 }, &h,
			     &why),
	    PROXY_HEADER_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(well_formed),
		cmocka_unit_test(not_a_header),
		cmocka_unit_test(a_line_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
