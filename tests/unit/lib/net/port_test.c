/* SPDX-License-Identifier: ISC */
#include "lib/net/port.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>

static const char services[] = "# name port/protocol alias\n"
			       "smtp\t\t2525/tcp\tmail\n"
			       "submissions 465/tcp ssmtp urd # TLS\n"
			       "echo 7/udp\n"
			       "qotd 17/tcp quote\r\n"
			       "odd\nodd 70000/tcp\nodd x/tcp\n"
			       "#dead 99/tcp\n"
			       "last 1234/tcp end";

static void
write_services(const char *path)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(services, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
by_number_and_by_name(void **state)
{
	static const struct {
		const char *text;
		uint16_t port; /* 0: there is none */
		uint16_t without; /* services(5) */
	} rows[] = {
		{ "26", 26, 26 },
		{ "65536", 0, 0 },
		{ "0", 0, 0 },
		{ "", 0, 0 },
		{ "smtp", 25, 25 },
		{ "SMTP", 25, 25 },
		{ "Submission", 587, 587 },
		{ "submissions", 465, 465 },
		{ "smtps", 465, 465 },
		{ "lmtp", 24, 24 },
		{ "mail", 2525, 0 },
		{ "ssmtp", 465, 0 },
		{ "urd", 465, 0 },
		{ "TLS", 0, 0 },
		{ "echo", 0, 0 },
		{ "quote", 17, 0 },
		{ "odd", 0, 0 },
		{ "dead", 0, 0 },
		{ "end", 1234, 0 },
		{ "ssmtp urd", 0, 0 },
		{ "465", 465, 465 },
	};
	const char *path = "port_test.services";

	(void)state;
	write_services(path);
	for (int i = 0; i < 2; i++) { /* anew: as it was */
		assert_int_equal(port_names_read(path), 0);
		for (size_t j = 0; j < sizeof(rows) / sizeof(rows[0]); j++)
			assert_int_equal(port_of(span_of(rows[j].text)),
			    rows[j].port);
	}
	assert_int_equal(remove(path), 0);
	assert_int_equal(port_names_read(path), ENOENT);
	for (size_t j = 0; j < sizeof(rows) / sizeof(rows[0]); j++)
		assert_int_equal(port_of(span_of(rows[j].text)),
		    rows[j].without);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_number_and_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
