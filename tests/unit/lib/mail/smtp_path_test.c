/* SPDX-License-Identifier: ISC */
#include "lib/mail/smtp_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "lib/mail/mail_address.h"

struct row {
	const char *text;
	unsigned int flags;
	enum smtp_path_result result;
	const char *address;
	const char *rest;
};

static const struct row rows[] = {
	{ "<bob@example.test>", 0, SMTP_PATH_OK, "bob@example.test", "" },
	{ "<bob@example.test> SIZE=1", 0, SMTP_PATH_OK, "bob@example.test",
	    " SIZE=1" },
	{ " <bob@example.test>", 0, SMTP_PATH_OK, "bob@example.test", "" },
	{ " <bob@example.test>", PATH_STRICT, SMTP_PATH_SYNTAX, "", "" },
	{ "bob@example.test X=1", 0, SMTP_PATH_OK, "bob@example.test", " X=1" },
	{ "bob@example.test", PATH_STRICT, SMTP_PATH_SYNTAX, "", "" },
	{ "<bob>", 0, SMTP_PATH_OK, "bob", "" },
	{ "<>", PATH_NULL, SMTP_PATH_OK, "", "" },
	{ "<>", 0, SMTP_PATH_SYNTAX, "", "" },
	{ "", PATH_NULL, SMTP_PATH_SYNTAX, "", "" },
	{ "<@>", PATH_NULL, SMTP_PATH_SYNTAX, "", "" },
	{ "<\"\">", PATH_NULL, SMTP_PATH_SYNTAX, "", "" },
	{ "<\"\"@d>", PATH_NULL, SMTP_PATH_SYNTAX, "", "" },
	{ "<@a,@b:user@c>", 0, SMTP_PATH_OK, "user@c", "" },
	{ "<@a:user@c>", PATH_STRICT, SMTP_PATH_OK, "user@c", "" },
	{ "<@a,b:user@c>", 0, SMTP_PATH_SYNTAX, "", "" },
	{ "<@a>", 0, SMTP_PATH_SYNTAX, "", "" },
	{ "<\"two words\"@c>", 0, SMTP_PATH_OK, "two words@c", "" },
	{ "<\"a\\\"b\\\\\"@c>", 0, SMTP_PATH_OK, "a\"b\\@c", "" },
	{ "<\"a@b\"@c>", 0, SMTP_PATH_OK, "a@b@c", "" },
	{ "<\"a@b\">", 0, SMTP_PATH_SYNTAX, "", "" },
	{ "<\"a>b\"@c> X", 0, SMTP_PATH_OK, "a>b@c", " X" },
	{ "<\"open@c>", 0, SMTP_PATH_SYNTAX, "", "" },
	{ "<\"open\\", 0, SMTP_PATH_SYNTAX, "", "" },
	{ "<two words@c>", 0, SMTP_PATH_SYNTAX, "", "" },
	{ "<a..b.@c>", 0, SMTP_PATH_OK, "a..b.@c", "" },
	{ "<a..b@c>", PATH_STRICT, SMTP_PATH_SYNTAX, "", "" },
	{ "<a@c.>", 0, SMTP_PATH_OK, "a@c", "" },
	{ "<a@.c>", 0, SMTP_PATH_SYNTAX, "", "" },
	{ "<a@c..d>", 0, SMTP_PATH_SYNTAX, "", "" },
	{ "<a@>", 0, SMTP_PATH_SYNTAX, "", "" },
	{ "<a@b@c>", 0, SMTP_PATH_SYNTAX, "", "" },
	{ "<a@[192.0.2.1]>", 0, SMTP_PATH_OK, "a@[192.0.2.1]", "" },
	{ "<a@[IPv6:2001:db8::1]>", 0, SMTP_PATH_OK, "a@[IPv6:2001:db8::1]",
	    "" },
	{ "<a@[192.0.2.999]>", 0, SMTP_PATH_SYNTAX, "", "" },
	{ "<a@[x]>", 0, SMTP_PATH_SYNTAX, "", "" },
	{ "<a@[", 0, SMTP_PATH_SYNTAX, "", "" },
	{ "<a@c>x", 0, SMTP_PATH_SYNTAX, "", "" },
	{ "<a@c", 0, SMTP_PATH_SYNTAX, "", "" },
	{ "<user%foreign@local>", 0, SMTP_PATH_OK, "user%foreign@local", "" },
	{ "<a!b@c>", 0, SMTP_PATH_OK, "a!b@c", "" },
	{ "<j\xc3\xb6rg@c>", PATH_UTF8, SMTP_PATH_OK, "j\xc3\xb6rg@c", "" },
	{ "<j\xc3\xb6rg@c>", 0, SMTP_PATH_NEEDS_UTF8, "", "" },
	{ "<j\xc3@c>", PATH_UTF8, SMTP_PATH_SYNTAX, "", "" },
	{ "<j\xff@c>", 0, SMTP_PATH_SYNTAX, "", "" },
	{ "<a\x01@c>", 0, SMTP_PATH_SYNTAX, "", "" },
	{ "<a\x7f@c>", 0, SMTP_PATH_SYNTAX, "", "" },
	{ "<\"a\x01\"@c>", 0, SMTP_PATH_SYNTAX, "", "" },
};

static void
paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf address = BUF_INIT(MAIL_ADDRESS_MAX);
		struct span rest = span_of(rows[i].text);
		enum smtp_path_result r =
		    smtp_path_parse(&rest, rows[i].flags, &address);

		if (r != rows[i].result)
			print_error("%s\n", rows[i].text);
		assert_int_equal(r, rows[i].result);
		if (r == SMTP_PATH_OK) {
			assert_string_equal(buf_text(&address),
			    rows[i].address);
			assert_true(span_is(rest, rows[i].rest));
		}
		buf_fini(&address);
	}
}

static void
long_paths(void **state)
{
	char text[SMTP_PATH_MAX + 8] = "<";
	struct buf address = BUF_INIT(MAIL_ADDRESS_MAX);
	struct span rest;

	(void)state;
	memset(text + 1, 'a', SMTP_PATH_MAX);
	text[SMTP_PATH_MAX - 1] = '@';
	memcpy(text + SMTP_PATH_MAX + 1, ">", 2);
	rest = span_of(text);
	assert_int_equal(smtp_path_parse(&rest, 0, &address), SMTP_PATH_OK);
	assert_int_equal(address.n, SMTP_PATH_MAX);
	memcpy(text + SMTP_PATH_MAX + 1, "a>", 3);
	rest = span_of(text);
	buf_reset(&address);
	assert_int_equal(smtp_path_parse(&rest, 0, &address), SMTP_PATH_LONG);
	buf_fini(&address);
}

/* What is quoted is read back as what it was. */
static void
quoting_round_trip(void **state)
{
	static const char *const addresses[] = { "bob@example.test",
		"two words@c", "a\"b\\@c", "a@b@c", ".a.@c", "a..b@c", "a>b@c",
		"<>@c", "j\xc3\xb6rg@c", "bob" };

	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct buf path = BUF_INIT(256), back = BUF_INIT(256);
		struct span rest;

		buf_add_char(&path, '<');
		assert_true(mail_address_quote(span_of(addresses[i]), &path));
		buf_add_char(&path, '>');
		rest = buf_span(&path);
		assert_int_equal(smtp_path_parse(&rest, PATH_UTF8, &back),
		    SMTP_PATH_OK);
		assert_string_equal(buf_text(&back), addresses[i]);
		buf_fini(&path);
		buf_fini(&back);
	}
}

static void
hostnames(void **state)
{
	static const struct {
		const char *name;
		bool valid;
	} names[] = { { "example.test", true }, { "a", true }, { "", false },
		{ "a..b", false }, { ".a", false }, { "a.", false },
		{ "-a.b", false }, { "a-.b", false }, { "a_b.c", true },
		{ "1.2.3.4", false }, { "1.2.3.x", true }, { "a b", false },
		{ "b\xc3\xbc"
		  "cher.test",
		    false },
		{ "[1.2.3.4]", false } };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(mail_hostname_valid(span_of(names[i].name),
				     false),
		    names[i].valid);
	assert_true(mail_hostname_valid(SPAN("b\xc3\xbc"
					     "cher.test"),
	    true));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths),
		cmocka_unit_test(long_paths),
		cmocka_unit_test(quoting_round_trip),
		cmocka_unit_test(hostnames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
