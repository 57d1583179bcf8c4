/* SPDX-License-Identifier: ISC */
#include "lib/imap/imap_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct good {
	const char *url, *mailbox;
	uint32_t uidvalidity, uid;
	const char *section;
	uint64_t offset, length; /* length 0: no partial */
};

static void
names_of_messages(void **state)
{
	static const struct good rows[] = {
		{ "/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER",
		    "Drafts", 385759045, 20, "HEADER", 0, 0 },
		{ "/Drafts;UIDVALIDITY=385759045/;UID=30", "Drafts", 385759045,
		    30, "", 0, 0 },
		{ "/Drafts/;UID=3002", "Drafts", 0, 3002, "", 0, 0 },
		{ "/a/b%20c%3b/;uid=1/;SECTION=1.2.MIME", "a/b c;", 0, 1,
		    "1.2.MIME", 0, 0 },
		{ ";UID=7/;SECTION=TEXT/;PARTIAL=5.100", "", 0, 7, "TEXT", 5,
		    100 },
		{ ";UID=7/;PARTIAL=5", "", 0, 7, "", 5, UINT64_MAX },
		{ "/%D0%98/;UID=4294967295", "\xD0\x98", 0, UINT32_MAX, "", 0,
		    0 },
		{ "/x/;UID=1/;SECTION=HEADER.FIELDS%20(DATE%20FROM)", "x", 0, 1,
		    "HEADER.FIELDS (DATE FROM)", 0, 0 },
	};
	struct imap_url u;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(imap_url_parse(span_of(rows[i].url), &u));
		assert_string_equal(buf_text(&u.mailbox), rows[i].mailbox);
		assert_int_equal(u.uidvalidity, rows[i].uidvalidity);
		assert_int_equal(u.uid, rows[i].uid);
		assert_string_equal(buf_text(&u.section), rows[i].section);
		assert_int_equal(u.partial, rows[i].length != 0);
		if (u.partial) {
			assert_int_equal(u.offset, rows[i].offset);
			assert_int_equal(u.length, rows[i].length);
		}
		imap_url_fini(&u);
	}
}

static void
others_are_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"/",
		"//",
		"imap://host/Drafts/;UID=1",
		"//host/Drafts/;UID=1",
		"/Drafts",
		"/Drafts;UIDVALIDITY=1",
		"/Drafts;UIDVALIDITY=0/;UID=1",
		"/Drafts;UIDVALIDITY=1;X=2/;UID=1",
		"/Drafts/;UID=0",
		"/Drafts/;UID=4294967296",
		"/Drafts/;UID=-1",
		"/Drafts/;UID=1x",
		"/Drafts/;UID=",
		"/;UID=1",
		"Drafts/;UID=1",
		"/a%00b/;UID=1",
		"/a%0/;UID=1",
		"/a%zz/;UID=1",
		"/a/;SECTION=1/;UID=1",
		"/a/;UID=1/;UID=2",
		"/a/;UID=1/;SECTION=",
		"/a/;UID=1/;PARTIAL=1.0",
		"/a/;UID=1/;PARTIAL=",
		"/a/;UID=1/;PARTIAL=1/;SECTION=1",
		"/a/;UID=1;URLAUTH=anonymous",
		"/a/;UID=1/;URLAUTH=anonymous:INTERNAL:abc",
		"/a?SUBJECT%20x",
	};
	struct imap_url u;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (imap_url_parse(span_of(rows[i]), &u))
			fail_msg("accepted: %s", rows[i]);
		imap_url_fini(&u);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_messages),
		cmocka_unit_test(others_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
