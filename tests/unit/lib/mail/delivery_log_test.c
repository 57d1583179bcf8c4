/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/mail/delivery_log.h"

static void
two_significant_digits(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} rows[] = {
		{ -1, "0" },
		{ 0, "0" },
		{ 4999, "0" },
		{ 5000, "0.01" },
		{ 50000, "0.05" },
		{ 500000, "0.5" },
		{ 994999, "0.99" },
		{ 995000, "1" },
		{ 1000000, "1" },
		{ 1249999, "1.2" },
		{ 1250000, "1.3" },
		{ 9949999, "9.9" },
		{ 10000000, "10" },
		{ 100499999, "100" },
		{ INT64_C(432000000000), "432000" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[DELIVERY_LOG_DELAY_MAX];

		delivery_log_delay(rows[i].us, out);
		assert_string_equal(out, rows[i].text);
	}
}

/* delay_logging_resolution_limit */
static void
as_many_as_are_asked_for(void **state)
{
	static const struct {
		int digits;
		int64_t us;
		const char *text;
	} rows[] = {
		{ 0, 499999, "0" },
		{ 0, 1600000, "2" },
		{ 1, 40000, "0" },
		{ 1, 60000, "0.1" },
		{ 1, 1240000, "1.2" },
		{ 4, 1234567, "1.2" },
		{ 4, 123456, "0.12" },
		{ 4, 12345, "0.012" },
		{ 4, 1234, "0.0012" },
		{ 4, 40, "0" },
		{ 6, 1234, "0.0012" },
		{ 6, 123, "0.00012" },
		{ 6, 12, "0.000012" },
		{ 6, 1, "0.000001" },
		{ 6, 12345678, "12" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[DELIVERY_LOG_DELAY_MAX];

		delivery_log_resolution(rows[i].digits);
		delivery_log_delay(rows[i].us, out);
		assert_string_equal(out, rows[i].text);
	}
	delivery_log_resolution(2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_significant_digits),
		cmocka_unit_test(as_many_as_are_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
