/* SPDX-License-Identifier: ISC */
/* What servers announce, and what policies mean. */
#include "smtp/greet.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "smtp/settings.h"

static void
set_text(const char **field, const char *value)
{
	*field = value;
}

/* The settings are const for all but this. */
static struct smtp_params *
params(void)
{
	return settings_params[1].into;
}

static void
extensions(void **state)
{
	static const struct {
		const char *line;
		unsigned int features;
		unsigned int mechanisms;
		uint64_t size;
	} rows[] = {
		{ "PIPELINING", PEER_PIPELINING, 0, 0 },
		{ "pipelining", PEER_PIPELINING, 0, 0 },
		{ "PIPELINING2", 0, 0, 0 },
		{ "SIZE", PEER_SIZE, 0, 0 },
		{ "SIZE 1000", PEER_SIZE, 0, 1000 },
		{ "SIZE -5", PEER_SIZE, 0, 0 },
		{ "SIZE 99999999999999999999999", PEER_SIZE, 0, 0 },
		{ "AUTH PLAIN LOGIN", PEER_AUTH, PEER_PLAIN | PEER_LOGIN, 0 },
		{ "AUTH=login", PEER_AUTH, PEER_LOGIN, 0 },
		{ "AUTH", PEER_AUTH, 0, 0 },
		{ "AUTH PLAINEST", PEER_AUTH, 0, 0 },
		{ "8BITMIME", PEER_8BITMIME, 0, 0 },
		{ "", 0, 0, 0 },
		{ "   ", 0, 0, 0 },
	};

	(void)state;
	set_text(&params()->smtp_discard_ehlo_keywords, "");
	set_text(&params()->smtp_sasl_mechanism_filter, "");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peer p = { 0 };

		greet_extension(&p, span_of(rows[i].line), false);
		assert_int_equal(p.features, rows[i].features);
		assert_int_equal(p.mechanisms, rows[i].mechanisms);
		assert_int_equal(p.size_limit, rows[i].size);
	}
}

static void
the_first_line_names_the_server(void **state)
{
	struct peer p = { 0 };

	(void)state;
	greet_extension(&p, SPAN("DSN.example.test"), true);
	greet_extension(&p, SPAN("DSN"), true);
	assert_int_equal(p.features, 0);
}

static void
keywords_can_be_ignored(void **state)
{
	struct peer p = { 0 };

	(void)state;
	set_text(&params()->smtp_discard_ehlo_keywords, "dsn, silent-discard");
	set_text(&params()->smtp_sasl_mechanism_filter, "!plain, login");
	greet_extension(&p, SPAN("DSN"), false);
	greet_extension(&p, SPAN("AUTH PLAIN LOGIN"), false);
	assert_int_equal(p.features, PEER_AUTH);
	assert_int_equal(p.mechanisms, PEER_LOGIN);
}

static void
policies(void **state)
{
	static const struct {
		const char *text;
		bool valid;
		enum tls_level level;
		const char *match;
	} rows[] = {
		{ "none", true, TLS_NONE, NULL },
		{ "MAY", true, TLS_MAY, NULL },
		{ "encrypt", true, TLS_ENCRYPT, NULL },
		{ "verify", true, TLS_VERIFY, "hostname" },
		{ "secure", true, TLS_VERIFY, "nexthop, dot-nexthop" },
		{ "secure match=mx.x.test", true, TLS_VERIFY, "mx.x.test|" },
		{ "verify match=nexthop:.x.test  match=y.test", true,
		    TLS_VERIFY, "nexthop|.x.test|y.test|" },
		{ "fingerprint", true, TLS_ENCRYPT, "" },
		{ "fingerprint match=00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:"
		  "ee:ff|0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f",
		    true, TLS_ENCRYPT,
		    "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff|"
		    "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f|" },
		{ "fingerprint match=00:11", false, TLS_NONE, NULL },
		{ "fingerprint match=mx.x.test", false, TLS_NONE, NULL },
		{ "dane", false, TLS_NONE, NULL },
		{ "", false, TLS_NONE, NULL },
		{ "secure match=", false, TLS_NONE, NULL },
		{ "secure match=:", false, TLS_NONE, NULL },
		{ "encrypt match=a", false, TLS_NONE, NULL },
		{ "encrypt ciphers=low", false, TLS_NONE, NULL },
	};
	struct tls_params *tls = settings_params[2].into;
	struct arena *a = arena_new();

	(void)state;
	set_text(&tls->smtp_tls_fingerprint_cert_match, "");
	set_text(&tls->smtp_tls_verify_cert_match, "hostname");
	set_text(&tls->smtp_tls_secure_cert_match, "nexthop, dot-nexthop");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy p = { 0 };

		if (policy_parse(a, span_of(rows[i].text), &p) != rows[i].valid)
			fail_msg("%s", rows[i].text);
		if (!rows[i].valid)
			continue;
		assert_int_equal(p.level, rows[i].level);
		assert_int_equal(p.match != NULL, rows[i].match != NULL);
		if (p.match != NULL)
			assert_string_equal(p.match, rows[i].match);
	}
	arena_free(&a);
}

static void
fingerprints(void **state)
{
	(void)state;
	assert_true(policy_has_fingerprint("AA:BB", "AA:BB"));
	assert_true(policy_has_fingerprint("01:02, aa:bb", "AA:BB"));
	assert_true(policy_has_fingerprint("01:02|aabb|", "AA:BB"));
	assert_false(policy_has_fingerprint("", "AA:BB"));
	assert_false(policy_has_fingerprint("AA", "AA:BB"));
	assert_false(policy_has_fingerprint("AA:BB:CC", "AA:BB"));
	assert_false(policy_has_fingerprint("AA:BC", "AA:BB"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(extensions),
		cmocka_unit_test(the_first_line_names_the_server),
		cmocka_unit_test(keywords_can_be_ignored),
		cmocka_unit_test(policies),
		cmocka_unit_test(fingerprints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
