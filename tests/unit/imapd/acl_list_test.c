/* SPDX-License-Identifier: ISC */
#include "imapd/acl_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
rights(void **state)
{
	static const struct {
		const char *text, *told; /* NULL: no rights */
	} rows[] = {
		{ "", "" },
		{ "lrs", "lrs" },
		{ "srl", "lrs" },
		/* RFC 4314 section 2.1.1 */
		{ "lrswida", "lrswitead" },
		{ "lrswikda", "lrswikteacd" },
		{ "c", "kxc" },
		{ "x", "xc" },
		{ "t", "td" },
		{ "lrswipkxtea", "lrswipkxteacd" },
		{ "lrz", NULL },
		{ "L", NULL },
		{ "l r", NULL },
		{ "l1", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = BUF_INIT(100);
		unsigned int bits;

		if (acl_rights_parse(span_of(rows[i].text), &bits) !=
		    (rows[i].told != NULL))
			fail_msg("\"%s\"", rows[i].text);
		if (rows[i].told == NULL)
			continue;
		acl_rights_write(bits, &out);
		assert_string_equal(buf_text(&out), rows[i].told);
		buf_fini(&out);
	}
}

static const char file[] = "# ours\n"
			   "user=fred lrs\n"
			   "  anyone l\n"
			   "-user=bad :read write-seen\n"
			   "\"user=a b\" lr :expunge\n"
			   "group=staff lrwt\n"
			   "strange=x lr\n"
			   "user=eve lrQ\n"
			   "\n"
			   "owner lrswipkxtea\n";

static void
a_file(void **state)
{
	struct buf out = BUF_INIT(1000);
	struct arena *arena = arena_new();
	struct acl_list l;

	(void)state;
	acl_list_parse(span_of(file), arena, &l);
	assert_int_equal(acl_list_find(&l, SPAN("fred"))->rights, 7);
	assert_int_equal(acl_list_find(&l, SPAN("-bad"))->rights, 2 | 4);
	assert_non_null(acl_list_find(&l, SPAN("a b")));
	assert_non_null(acl_list_find(&l, SPAN("$staff")));
	assert_int_equal(acl_list_find(&l, SPAN("owner"))->rights, ACL_ALL);
	assert_null(acl_list_find(&l, SPAN("eve")));
	acl_list_set(&l, SPAN("fred"), 0);
	acl_list_set(&l, SPAN("anyone"), 3);
	acl_list_set(&l, SPAN("carol"), 1);
	acl_list_write(&l, &out);
	/* what was not understood is still there */
	assert_string_equal(buf_text(&out),
	    "anyone lr\n"
	    "-user=bad rs\n"
	    "\"user=a b\" lre\n"
	    "group=staff lrwt\n"
	    "owner lrswipkxtea\n"
	    "user=carol l\n"
	    "# ours\n"
	    "strange=x lr\n"
	    "user=eve lrQ\n");
	acl_list_fini(&l);
	arena_free(&arena);
	buf_fini(&out);
}

static void
identifiers(void **state)
{
	(void)state;
	assert_true(acl_who_valid(SPAN("bob@example.test")));
	assert_true(acl_who_valid(SPAN("-bob")));
	assert_false(acl_who_valid(SPAN("")));
	assert_false(acl_who_valid(SPAN("-")));
	assert_false(acl_who_valid(SPAN("--bob")));
	/* would be another line */
	assert_false(acl_who_valid(SPAN("bob\nanyone")));
	assert_false(acl_who_valid(SPAN("bo\"b")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rights),
		cmocka_unit_test(a_file),
		cmocka_unit_test(identifiers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
