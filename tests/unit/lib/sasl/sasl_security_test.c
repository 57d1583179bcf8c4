/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/sasl/sasl_security.h"

static const struct {
	const char *options, *mechanism;
	bool allowed;
} rows[] = {
	{ "", "PLAIN", true },
	{ "", "NEW-ONE", true },
	{ "noanonymous", "PLAIN", true },
	{ "noanonymous", "ANONYMOUS", false },
	{ "noanonymous", "NEW-ONE", false },
	{ "noanonymous, noplaintext", "plain", false },
	{ "noplaintext", "LOGIN", false },
	{ "noplaintext", "OAUTHBEARER", false },
	{ "NoPlaintext", "CRAM-MD5", true },
	{ "noplaintext noanonymous", "SCRAM-SHA-256", true },
	{ "noactive", "CRAM-MD5", false },
	{ "noactive", "SCRAM-SHA-1", true },
	{ "mutual_auth", "CRAM-MD5", false },
	{ "nodictionary", "SCRAM-SHA-1", false },
	{ "forward_secrecy", "SCRAM-SHA-256", false },
};

static void
test_what_is_allowed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (sasl_security_allows(rows[i].options,
			span_of(rows[i].mechanism)) != rows[i].allowed)
			fail_msg("\"%s\": %s", rows[i].options,
			    rows[i].mechanism);
}

static void
test_words(void **state)
{
	struct span bad;

	(void)state;
	assert_true(sasl_security_valid("noanonymous,noplaintext", &bad));
	assert_true(sasl_security_valid("", &bad));
	assert_false(sasl_security_valid("noanonymous, noplain", &bad));
	assert_true(span_is(bad, "noplain"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_allowed),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
