/* SPDX-License-Identifier: ISC */
#include "lib/mail/address_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/buf.h"

struct row {
	const char *text;
	bool good;
	/* each address as "address|spec|name|group" and ";" */
	const char *found;
};

static const struct row rows[] = {
	{ "", true, "" },
	{ "bob@c", true, "bob@c|bob@c||;" },
	{ "bob@c, <carol@d>,,", true, "bob@c|bob@c||;carol@d|carol@d||;" },
	{ "Bob Smith <bob@c>", true, "bob@c|bob@c|Bob Smith|;" },
	{ "\"Smith, Bob\" <bob@c>", true, "bob@c|bob@c|\"Smith, Bob\"|;" },
	{ "J. R. Smith <bob@c>", true, "bob@c|bob@c|J. R. Smith|;" },
	{ "bob@c (Bob (the) Smith)", true, "bob@c|bob@c|Bob (the) Smith|;" },
	{ "bob (x) @ (y) c . d", true, "bob@c.d|bob (x) @ (y) c . d|y|;" },
	{ "\"two words\"@c", true, "two words@c|\"two words\"@c||;" },
	{ "\"a@b\"@c", true, "a@b@c|\"a@b\"@c||;" },
	{ "\"a@b\"", false, "" },
	{ "<@a,@b:user@c>", true, "user@c|@a,@b:user@c||;" },
	{ "<>", true, "|||;" },
	{ "Staff: bob@c, Carol <carol@d>; dave@e", true,
	    "bob@c|bob@c||Staff;carol@d|carol@d|Carol|Staff;dave@e|dave@e||;" },
	{ "undisclosed-recipients:;", true, "" },
	{ "undisclosed recipients: ;", true, "" },
	{ "bob", true, "bob|bob||;" },
	{ "bob alice", false, "" },
	{ "bob alice, carol@d", false, "carol@d|carol@d||;" },
	{ "bob@c\r\n (fold),\r\n\tcarol@d", true,
	    "bob@c|bob@c|fold|;carol@d|carol@d||;" },
	{ "bob@[192.0.2.1]", true, "bob@[192.0.2.1]|bob@[192.0.2.1]||;" },
	{ "bob@c (open", false, "" },
	{ "bob@c (open\\", false, "" },
	{ "\"open", false, "" },
	{ "\"open\\", false, "" },
	{ "bob@[open", false, "" },
	{ "<bob@c", false, "" },
	{ "bob@", false, "" },
	{ "@c", false, "" },
	{ "a@b@c", false, "" },
	{ "a@b <c@d> e@f", false, "" },
	{ "=?utf-8?q?B=C3=B6b?= <bob@c>", true,
	    "bob@c|bob@c|=?utf-8?q?B=C3=B6b?=|;" },
	{ ">, bob@c", false, "bob@c|bob@c||;" },
};

static bool
note(void *with, const struct listed_address *a)
{
	struct buf *out = with;

	buf_add_span(out, a->address);
	buf_add_char(out, '|');
	buf_add_span(out, a->spec);
	buf_add_char(out, '|');
	buf_add_span(out, a->name);
	buf_add_char(out, '|');
	buf_add_span(out, a->group);
	return buf_add_char(out, ';');
}

static void
lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf found = BUF_INIT(4096);
		bool good =
		    address_list_each(span_of(rows[i].text), note, &found);

		if (good != rows[i].good)
			print_error("%s\n", rows[i].text);
		assert_int_equal(good, rows[i].good);
		assert_string_equal(buf_text(&found), rows[i].found);
		buf_fini(&found);
	}
}

static bool
stop(void *with, const struct listed_address *a)
{
	(void)a;
	return ++*(int *)with < 2;
}

static void
visit_can_stop(void **state)
{
	int seen = 0;

	(void)state;
	assert_false(address_list_each(SPAN("a@b, c@d, e@f"), stop, &seen));
	assert_int_equal(seen, 2);
}

static bool
count(void *with, const struct listed_address *a)
{
	assert_true(a->spec.p >= a->whole.p);
	assert_true(a->spec.p + a->spec.n <= a->whole.p + a->whole.n);
	++*(size_t *)with;
	return true;
}

/* Deep nesting and many addresses are linear work. */
static void
large(void **state)
{
	struct buf text = BUF_INIT(4 << 20);
	size_t seen = 0;

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_add_text(&text, "Bob <bob@c>, ");
	assert_true(address_list_each(buf_span(&text), count, &seen));
	assert_int_equal(seen, 100000);
	buf_reset(&text);
	for (int i = 0; i < 1000000; i++)
		buf_add_char(&text, '(');
	assert_false(address_list_each(buf_span(&text), count, &seen));
	buf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(visit_can_stop),
		cmocka_unit_test(large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
