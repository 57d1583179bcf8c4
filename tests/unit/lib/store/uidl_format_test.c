/* SPDX-License-Identifier: ISC */
#include "lib/store/uidl_format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const struct {
	const char *format;
	const char *made; /* NULL: refused */
	bool wants_uid;
} rows[] = {
	{ "%08Xu%08Xv", "0000002a0000beef", true },
	{ "%08XUu", "0000002A", true },
	{ "%v.%u", "48879.42", true },
	{ "UID%u-%v", "UID42-48879", true },
	{ "%u", "42", true },
	{ "%5u", NULL, false }, /* cut */
	{ "%5u%f", "421.aB,S=3", true },
	{ "%10u", "42", true },
	{ "%05u", "00042", true },
	{ "%01u", "42", true }, /* filled, never cut */
	{ "%8Xu", "2a", true },
	{ "%7Xu", NULL, false },
	{ "%UXu", "2A", true },
	{ "%f", "1.aB,S=3", false },
	{ "%Lf-%Uf", "1.ab,s=3-1.AB,S=3", false },
	{ "%3f", NULL, false },
	{ "%g", "guid", false },
	{ "100%%%g", "100%guid", false },
	{ "%Mf", "93dedfed3a36aa2b1c830a5a69f0d27d", false },
	{ "%v", NULL, false },
	{ "same", NULL, false },
	{ "%u here", NULL, false },
	{ "%m", NULL, false },
	{ "%Xf", NULL, false },
	{ "%x", NULL, false },
	{ "%u%", NULL, false },
	{ "%u%L", NULL, false },
	{ "%{uid}", NULL, false },
	{ "%99999999999999999999u", NULL, false },
	{ "%LULULUu", NULL, false },
};

static void
formats(void **state)
{
	static const struct uidl_parts parts = {
		.uid = 42,
		.uidvalidity = 0xbeef,
		.base = SPAN("1.aB,S=3"),
		.guid = SPAN("guid"),
	};
	char out[STORE_UNIQUE_MAX];
	struct uidl_format f;
	struct why why;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool good = uidl_format_parse(rows[i].format, &f, &why);

		if (good != (rows[i].made != NULL))
			fail_msg("%s: %s", rows[i].format, why.text);
		if (!good) {
			assert_non_null(strstr(why.text, "pop3_uidl_format"));
			continue;
		}
		assert_int_equal(f.wants_uid, rows[i].wants_uid);
		uidl_format_make(&f, &parts, out);
		assert_string_equal(out, rows[i].made);
	}
	assert_true(uidl_format_parse("", &f, &why));
	assert_false(f.wants_uid);
}

/* Whatever a name is, an id is 1 to 70 printable characters. */
static void
names_that_are_no_ids(void **state)
{
	static const char *const names[] = { "a b", "\xc3\xa4", "",
		"0123456789012345678901234567890123456789"
		"0123456789012345678901234567890" };
	char out[STORE_UNIQUE_MAX];
	struct uidl_format f;
	struct why why;

	(void)state;
	assert_true(uidl_format_parse("%f", &f, &why));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct uidl_parts parts = { .base = span_of(names[i]) };

		uidl_format_make(&f, &parts, out);
		assert_int_equal(strlen(out), 64);
		uidl_own_name(parts.base, out);
		assert_int_equal(strlen(out), 64);
	}
	uidl_own_name(SPAN("1.a,S=3"), out);
	assert_string_equal(out, "1.a");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats),
		cmocka_unit_test(names_that_are_no_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
