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
	assert_true(l.doubtful);
	acl_list_remove(&l, SPAN("fred"));
	acl_list_set(&l, SPAN("dave"), 0);
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
	    "user=dave \n"
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
	/* groups without a name */
	assert_false(acl_who_valid(SPAN("$")));
	assert_false(acl_who_valid(SPAN("!$")));
	assert_false(acl_who_valid(SPAN("-$")));
	assert_false(acl_who_valid(SPAN("-!$")));
}

/* What can be an identifier is understood when it is read again. */
static void
read_again(void **state)
{
	static const char *const rows[] = { "bob", "-bob", "$s", "!$s", "-$s",
		"-!$s", "$-", "$$", "!$!$", "-$-", "!", "!x", "user=x", "a b",
		"#x", "anyone", "-owner", "=", ":" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena *arena = arena_new();
		struct buf out = BUF_INIT(100);
		struct acl_list l;

		if (!acl_who_valid(span_of(rows[i])))
			fail_msg("%s", rows[i]);
		acl_list_parse(SPAN(""), arena, &l);
		acl_list_set(&l, span_of(rows[i]), ACL_READ);
		acl_list_write(&l, &out);
		acl_list_fini(&l);
		acl_list_parse(buf_span(&out), arena, &l);
		if (l.doubtful || acl_list_find(&l, span_of(rows[i])) == NULL)
			fail_msg("%s: %s", rows[i], buf_text(&out));
		acl_list_fini(&l);
		buf_fini(&out);
		arena_free(&arena);
	}
}

/* Who gets what of a list: rows 146 and 148 of what broke elsewhere. */
static void
judged(void **state)
{
	static const struct {
		const char *list, *rights;
	} rows[] = {
		{ "", "" },
		{ "user=alice@a.test lr\n", "lr" },
		{ "user=alice lr\n", "lr" }, /* of the owner's domain */
		{ "user=alice@b.test lr\n", "" },
		{ "user=alice@a.tes lr\nuser=alic lr\n", "" },
		/* accounts have small letters */
		{ "user=Alice lr\n", "lr" },
		{ "-user=Alice@A.Test r\nanyone lr\n", "l" },
		{ "-user=Alice r\n-user=alice s\nanyone lrs\n", "l" },
		{ "anyone l\n", "l" },
		{ "authenticated lr\nanyone lrswi\n", "lr" },
		/* the closest counts, and is not added to */
		{ "anyone lrswi\nuser=alice@a.test l\n", "l" },
		{ "anyone lrswi\nuser=alice@a.test \n", "" },
		{ "user=alice@a.test\nanyone lrs\n", "" },
		{ "user=alice l\nuser=alice@a.test r\n", "lr" },
		/* what is taken is taken, wherever it stands */
		{ "-anyone w\nuser=alice@a.test lrw\n", "lr" },
		{ "-user=alice@a.test s\nanyone lrs\n", "lr" },
		{ "anyone lrs\n-authenticated r\n-user=alice l\n", "s" },
		{ "-user=carol@a.test lr\nanyone lr\n", "lr" },
		{ "-user=alice@a.test lrs\n", "" },
		/* groups give nothing, and take from all */
		{ "group=staff lrs\n", "" },
		{ "group=staff lrs\nanyone l\n", "l" },
		{ "-group=staff w\nanyone lrw\n", "lr" },
		{ "group-override=staff l\nanyone lrw\n", "l" },
		{ "-group-override=staff l\nanyone lrw\n", "rw" },
		/* the owner is somebody else */
		{ "owner lrswipkxtea\n", "" },
		/* nobody is everybody by his name */
		{ "user=anyone lr\n", "" },
		{ "user=Anyone lr\n", "" },
		{ "-user=Anyone w\nanyone lr\n", "" },
		/* nor is anything taken by one's name */
		{ "user=-alice lr\nanyone l\n", "" },
		{ "user=$staff lr\nanyone l\n", "" },
		/* what is not understood might have taken something */
		{ "-strange=alice lr\nanyone lr\n", "" },
		{ "anyone lr\nuser=alice lrQ\n", "" },
		{ "# -user=alice lr\nanyone lr\n", "lr" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena *arena = arena_new();
		struct buf told = BUF_INIT(100);
		struct acl_list l;
		unsigned int bits, wanted;

		acl_list_parse(span_of(rows[i].list), arena, &l);
		bits = acl_list_rights(&l, "alice@a.test", "a.test");
		assert_true(acl_rights_parse(span_of(rows[i].rights), &wanted));
		if (bits != wanted)
			fail_msg("%s: 0x%x", rows[i].list, bits);
		acl_list_fini(&l);
		/* written and read again it means the same */
		acl_list_parse(span_of(rows[i].list), arena, &l);
		acl_list_write(&l, &told);
		acl_list_fini(&l);
		acl_list_parse(buf_span(&told), arena, &l);
		assert_int_equal(acl_list_rights(&l, "alice@a.test", "a.test"),
		    wanted);
		acl_list_fini(&l);
		buf_fini(&told);
		arena_free(&arena);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rights),
		cmocka_unit_test(a_file),
		cmocka_unit_test(identifiers),
		cmocka_unit_test(read_again),
		cmocka_unit_test(judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
