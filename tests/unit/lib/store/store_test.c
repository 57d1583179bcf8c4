/* SPDX-License-Identifier: ISC */
#include "lib/store/store.h"

#include "tests/unit/lib/store/folder.h"

#include "lib/store/maildir_list.h"

static const char here[] = "maildir:box";

static void
put(const char *name, const char *content)
{
	char path[512];
	FILE *f;

	mkdir("box", 0700);
	mkdir("box/new", 0700);
	mkdir("box/cur", 0700);
	mkdir("box/tmp", 0700);
	snprintf(path, sizeof(path), "box/%s", name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(content, f);
	fclose(f);
}

static struct store *
open_store(void)
{
	struct store *s = NULL;
	struct why why;

	assert_int_equal(store_open(here, true, NULL, &s, &why), STORE_OK);
	return s;
}

static void
test_sizes(void **state)
{
	static const struct {
		const char *name;
		const char *content;
		uint64_t size;
	} rows[] = {
		{ "cur/1.a,S=100,W=104:2,S", "not looked at", 104 },
		{ "cur/2.b:2,", "one\ntwo\n", 10 },
		{ "cur/3.c:2,", "one\r\ntwo\n", 10 },
		{ "cur/4.d:2,", "no end", 8 },
		{ "cur/5.e:2,", "cr at end\r", 11 },
		{ "cur/6.f,S=8:2,", "one\ntwo\n", 10 },
		{ "cur/7.g,W=x,S=-1:2,", "one\n", 5 },
		{ "cur/8.h:2,", "", 0 },
	};
	struct store *s;
	struct why why;
	uint64_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		put(rows[i].name, rows[i].content);
	for (int again = 0; again < 2; again++) {
		s = open_store();
		assert_int_equal(store_count(s), 8);
		for (size_t i = 0; i < 8; i++) {
			assert_int_equal(store_size(s, i, &size, &why),
			    STORE_OK);
			assert_int_equal(size, rows[i].size);
		}
		store_close(&s);
		/* from the notes: the files need not be read again */
		assert_int_equal(access("box/posthaste-sizes", F_OK), 0);
		if (again == 0)
			put(rows[3].name, "longer now, and not looked at");
	}
}

static void
test_order_and_names(void **state)
{
	char long_name[300], path[320];
	struct store *s;

	(void)state;
	put("cur/100.x:2,", "a");
	put("new/99.y", "b");
	put("cur/100.w,S=1:2,S", "c");
	put("cur/.hidden", "d");
	snprintf(long_name, sizeof(long_name), "101.%0150d", 7);
	snprintf(path, sizeof(path), "cur/%s:2,", long_name);
	put(path, "e");
	put("cur/102.sp ace:2,", "f");
	s = open_store();
	assert_int_equal(store_count(s), 5);
	assert_string_equal(store_unique(s, 0), "99.y");
	assert_string_equal(store_unique(s, 1), "100.w");
	assert_string_equal(store_unique(s, 2), "100.x");
	/* too long or not printable: a digest */
	assert_int_equal(strlen(store_unique(s, 3)), 64);
	assert_int_equal(strlen(store_unique(s, 4)), 64);
	assert_string_not_equal(store_unique(s, 3), store_unique(s, 4));
	assert_int_equal(access("box/cur/99.y:2,", F_OK), 0);
	store_close(&s);
}

static void
test_lock(void **state)
{
	struct store *one, *two = NULL;
	struct why why;

	(void)state;
	put("new/1.a", "x");
	one = open_store();
	assert_int_equal(store_open(here, true, NULL, &two, &why),
	    STORE_IN_USE);
	assert_null(two);
	assert_int_equal(store_open(here, false, NULL, &two, &why), STORE_OK);
	store_close(&two);
	store_close(&one);
	one = open_store();
	store_close(&one);
}

static void
test_missing(void **state)
{
	struct store *s = NULL;
	struct why why;

	(void)state;
	assert_int_equal(store_open("maildir:nowhere", true, NULL, &s, &why),
	    STORE_OK);
	assert_int_equal(store_count(s), 0);
	store_close(&s);
	assert_int_equal(store_open("mbox:nowhere", true, NULL, &s, &why),
	    STORE_FAILED);
	assert_non_null(strstr(why.text, "mbox:nowhere"));
	assert_int_equal(store_open("maildir:", true, NULL, &s, &why),
	    STORE_FAILED);
	assert_null(s);
}

static void
test_flags_and_removal(void **state)
{
	struct store_blob blob;
	struct store *s;
	struct why why;
	char text[8];

	(void)state;
	put("cur/1.a:2,F", "one");
	put("cur/2.b:2,", "two");
	put("cur/3.c", "three");
	s = open_store();
	assert_int_equal(store_add_flags(s, 0, STORE_SEEN, &why), STORE_OK);
	assert_int_equal(access("box/cur/1.a:2,FS", F_OK), 0);
	assert_int_equal(store_add_flags(s, 2, STORE_SEEN, &why), STORE_OK);
	assert_int_equal(access("box/cur/3.c:2,S", F_OK), 0);
	/* renamed by somebody else meanwhile */
	rename("box/cur/1.a:2,FS", "box/cur/1.a:2,RS");
	assert_int_equal(store_fetch(s, 0, &blob, &why), STORE_OK);
	assert_int_equal(store_blob_read(&blob, text, sizeof(text)), 3);
	assert_int_equal(store_blob_read(&blob, text, sizeof(text)), 0);
	store_blob_close(&blob);
	assert_int_equal(store_expunge(s, 0, &why), STORE_OK);
	assert_int_equal(access("box/cur/1.a:2,RS", F_OK), -1);
	assert_int_equal(store_expunge(s, 0, &why), STORE_GONE);
	unlink("box/cur/2.b:2,");
	assert_int_equal(store_fetch(s, 1, &blob, &why), STORE_GONE);
	store_close(&s);
}

static void
test_name_flags(void **state)
{
	char out[256];

	(void)state;
	maildir_name_with("1.a:2,SF", 3, "TS", out);
	assert_string_equal(out, "1.a:2,FST");
	maildir_name_with("1.a", 3, "", out);
	assert_string_equal(out, "1.a:2,");
	maildir_name_with("1.a:1,x", 3, "S", out);
	assert_string_equal(out, "1.a:2,S");
	assert_true(maildir_name_has("1.S:2,FS", 'S'));
	assert_false(maildir_name_has("1.S:2,F", 'S'));
}

/* Of IMAP: a UID in the name is no part of what a message is known by. */
static void
test_name_uid(void **state)
{
	struct maildir_message m;
	struct maildir_note note;
	uint64_t uid;
	char out[256];

	(void)state;
	assert_true(span_is(maildir_name_base(SPAN("1.a,S=4,U=12:2,S"), &uid),
	    "1.a,S=4"));
	assert_int_equal(uid, 12);
	assert_true(
	    span_is(maildir_name_base(SPAN("1.a,U=x:2,"), &uid), "1.a,U=x"));
	assert_int_equal(uid, 0);
	assert_true(span_is(maildir_name_base(SPAN("1.a,U=1,S=4"), &uid),
	    "1.a,U=1,S=4"));
	assert_int_equal(uid, 0);
	assert_true(maildir_name_parse(SPAN("1.a,S=4,U=12:2,"), &m));
	assert_int_equal(m.stored, 4);
	maildir_name_with("1.a,S=4,U=12:2,", m.stem, "S", out);
	assert_string_equal(out, "1.a,S=4,U=12:2,S");
	assert_true(maildir_uidlist_line(SPAN("7 :1.a,U=7:2,"), &note));
	assert_true(span_is(note.base, "1.a"));
}

static void
test_uidlist_lines(void **state)
{
	struct maildir_note note;
	uint64_t v = 0;

	(void)state;
	assert_true(
	    maildir_uidlist_header(SPAN("3 V1275660208 N25022 G3085f01b"), &v));
	assert_int_equal(v, 1275660208);
	assert_true(maildir_uidlist_header(SPAN("1 1275660208 25022"), &v));
	assert_false(maildir_uidlist_header(SPAN("2 V1"), &v));
	assert_false(maildir_uidlist_header(SPAN("3 N1"), &v));
	assert_true(
	    maildir_uidlist_line(SPAN("7 W24 Pab :1.x,S=2:2,S"), &note));
	assert_int_equal(note.uid, 7);
	assert_int_equal(note.size, 24);
	assert_true(span_is(note.pop3_name, "ab"));
	assert_true(span_is(note.base, "1.x,S=2"));
	assert_true(maildir_uidlist_line(SPAN("8 1.y"), &note));
	assert_true(span_is(note.base, "1.y"));
	assert_false(maildir_uidlist_line(SPAN("0 :1.y"), &note));
	assert_false(maildir_uidlist_line(SPAN("x :1.y"), &note));
	assert_false(maildir_uidlist_line(SPAN("8"), &note));
	assert_false(maildir_uidlist_line(SPAN("8 :"), &note));
}

int
main(void)
{
#define IN_FOLDER(test) \
	cmocka_unit_test_setup_teardown(test, folder_enter, folder_leave)
	const struct CMUnitTest tests[] = {
		IN_FOLDER(test_sizes),
		IN_FOLDER(test_order_and_names),
		IN_FOLDER(test_lock),
		IN_FOLDER(test_missing),
		IN_FOLDER(test_flags_and_removal),
		cmocka_unit_test(test_name_flags),
		cmocka_unit_test(test_name_uid),
		cmocka_unit_test(test_uidlist_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
