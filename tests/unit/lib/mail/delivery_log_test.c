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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_significant_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
