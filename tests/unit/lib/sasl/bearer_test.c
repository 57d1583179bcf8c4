/* SPDX-License-Identifier: ISC */
#include "lib/sasl/bearer.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "lib/base/buf.h"

/* A row's message, whatever bytes it has. */
#define S(text) \
	{ \
		text, sizeof(text) - 1 \
	}

static const struct {
	enum bearer_kind kind;
	struct span message;
	const char *user; /* NULL: refused */
	const char *token;
} rows[] = {
	/* RFC 7628 section 4.1 */
	{ BEARER_OAUTHBEARER,
	    S("n,a=user@example.com,\1host=server.example.com\1port=143\1"
	      "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1"),
	    "user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==" },
	{ BEARER_OAUTHBEARER, S("n,,\1auth=Bearer x\1\1"), "", "x" },
	{ BEARER_OAUTHBEARER, S("y,a=a=2Cb=3Dc,\1auth=bearer  -._~+/\1\1"),
	    "a,b=c", "-._~+/" },
	{ BEARER_XOAUTH2, S("user=bob\1auth=Bearer x=\1\1"), "bob", "x=" },
	{ BEARER_XOAUTH2, S("auth=Bearer x\1user=bob\1\1"), "bob", "x" },
	{ BEARER_XOAUTH2, S("n,a=bob,\1auth=Bearer x\1\1"), NULL, NULL },
	{ BEARER_XOAUTH2, S("auth=Bearer x\1\1"), NULL, NULL },
	{ BEARER_XOAUTH2, S("user=bob\1user=eve\1auth=Bearer x\1\1"), NULL,
	    NULL },
	{ BEARER_XOAUTH2, S("user=b\0b\1auth=Bearer x\1\1"), NULL, NULL },
	{ BEARER_OAUTHBEARER, S("user=bob\1auth=Bearer x\1\1"), NULL, NULL },
	{ BEARER_OAUTHBEARER, S(""), NULL, NULL },
	{ BEARER_OAUTHBEARER, S("\1"), NULL, NULL },
	{ BEARER_OAUTHBEARER, S("n,,\1\1"), NULL, NULL },
	{ BEARER_OAUTHBEARER, S("n,,auth=Bearer x\1\1"), NULL, NULL },
	{ BEARER_OAUTHBEARER, S("n,a=,\1auth=Bearer x\1\1"), NULL, NULL },
	{ BEARER_OAUTHBEARER, S("n,a=b=2,\1auth=Bearer x\1\1"), NULL, NULL },
	{ BEARER_OAUTHBEARER, S("n,a=b=41,\1auth=Bearer x\1\1"), NULL, NULL },
	{ BEARER_OAUTHBEARER, S("n,b=bob,\1auth=Bearer x\1\1"), NULL, NULL },
	{ BEARER_OAUTHBEARER, S("p=tls-unique,,\1auth=Bearer x\1\1"), NULL,
	    NULL },
	/* the end is the end */
	{ BEARER_OAUTHBEARER, S("n,,\1auth=Bearer x\1"), NULL, NULL },
	{ BEARER_OAUTHBEARER, S("n,,\1auth=Bearer x"), NULL, NULL },
	{ BEARER_OAUTHBEARER, S("n,,\1auth=Bearer x\1\1\1"), NULL, NULL },
	{ BEARER_OAUTHBEARER, S("n,,\1auth=Bearer x\1\1a=b\1"), NULL, NULL },
	{ BEARER_OAUTHBEARER, S("n,,\1auth=Bearer x\1auth=Bearer y\1\1"), NULL,
	    NULL },
	/* tokens that would be something else somewhere */
	{ BEARER_OAUTHBEARER, S("n,,\1auth=Bearer \1\1"), NULL, NULL },
	{ BEARER_OAUTHBEARER, S("n,,\1auth=Bearer ==\1\1"), NULL, NULL },
	{ BEARER_OAUTHBEARER, S("n,,\1auth=Bearer a=b\1\1"), NULL, NULL },
	{ BEARER_OAUTHBEARER, S("n,,\1auth=Bearer a\nuser=eve\1\1"), NULL,
	    NULL },
	{ BEARER_OAUTHBEARER, S("n,,\1auth=Bearer a\0b\1\1"), NULL, NULL },
	{ BEARER_OAUTHBEARER, S("n,,\1auth=Bearer a b\1\1"), NULL, NULL },
	{ BEARER_OAUTHBEARER, S("n,,\1auth=Basic x\1\1"), NULL, NULL },
	{ BEARER_OAUTHBEARER, S("n,,\1=x\1auth=Bearer x\1\1"), NULL, NULL },
	{ BEARER_OAUTHBEARER, S("n,,\1x\1auth=Bearer x\1\1"), NULL, NULL },
};

static void
test_messages(void **state)
{
	const char *error;
	struct bearer b;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool good =
		    bearer_parse(rows[i].kind, rows[i].message, &b, &error);

		if (good != (rows[i].user != NULL))
			fail_msg("row %zu: %s", i, error);
		if (!good)
			continue;
		assert_string_equal(b.user, rows[i].user);
		assert_true(span_is(b.token, rows[i].token));
	}
}

static void
test_limits(void **state)
{
	struct buf text = BUF_INIT(20000);
	const char *error;
	struct bearer b;

	(void)state;
	for (size_t n = BEARER_TOKEN_MAX; n <= BEARER_TOKEN_MAX + 1; n++) {
		buf_reset(&text);
		buf_add_text(&text, "n,,\1auth=Bearer ");
		for (size_t i = 0; i < n; i++)
			buf_add_char(&text, 'x');
		buf_add_text(&text, "\1\1");
		assert_int_equal(bearer_parse(BEARER_OAUTHBEARER,
				     buf_span(&text), &b, &error),
		    n == BEARER_TOKEN_MAX);
	}
	for (size_t n = BEARER_USER_MAX - 1; n <= BEARER_USER_MAX; n++) {
		buf_reset(&text);
		buf_add_text(&text, "n,a=");
		for (size_t i = 0; i < n; i++)
			buf_add_char(&text, 'x');
		buf_add_text(&text, ",\1auth=Bearer x\1\1");
		assert_int_equal(bearer_parse(BEARER_OAUTHBEARER,
				     buf_span(&text), &b, &error),
		    n == BEARER_USER_MAX - 1);
	}
	buf_reset(&text);
	buf_add_text(&text, "n,,\1");
	for (size_t i = 0; i < BEARER_PAIRS_MAX; i++)
		buf_add_text(&text, "a=b\1");
	buf_add_text(&text, "auth=Bearer x\1\1");
	assert_false(
	    bearer_parse(BEARER_OAUTHBEARER, buf_span(&text), &b, &error));
	buf_fini(&text);
}

static void
test_refusals(void **state)
{
	struct buf text = BUF_INIT(1000);

	(void)state;
	bearer_refusal(BEARER_OAUTHBEARER, "invalid_token", "mail",
	    "https://example.com/.well-known/openid-configuration", &text);
	assert_string_equal(buf_text(&text),
	    "{\"status\":\"invalid_token\",\"scope\":\"mail\","
	    "\"openid-configuration\":"
	    "\"https://example.com/.well-known/openid-configuration\"}");
	bearer_refusal(BEARER_OAUTHBEARER, "invalid_request", "", "", &text);
	assert_string_equal(buf_text(&text),
	    "{\"status\":\"invalid_request\"}");
	bearer_refusal(BEARER_XOAUTH2, "invalid_token", "a\"b\\c\td", "",
	    &text);
	assert_string_equal(buf_text(&text),
	    "{\"status\":\"401\",\"schemes\":\"Bearer\","
	    "\"scope\":\"a\\\"b\\\\c\\u0009d\"}");
	bearer_refusal(BEARER_XOAUTH2, "invalid_request", "", "", &text);
	assert_string_equal(buf_text(&text),
	    "{\"status\":\"400\",\"schemes\":\"Bearer\"}");
	bearer_refusal(BEARER_XOAUTH2, "insufficient_scope", "", "", &text);
	assert_string_equal(buf_text(&text),
	    "{\"status\":\"403\",\"schemes\":\"Bearer\"}");
	buf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
