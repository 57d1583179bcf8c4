/* SPDX-License-Identifier: ISC */
/* What is in a folder: taken up from the disk, changed, told to a view. */
#include "lib/store/mailbox_view.h"

#include "tests/unit/lib/store/folder.h"
#include "tests/unit/lib/store/account.h"

#include "lib/base/clock.h"
#include "lib/store/mailbox_internal.h"

static void
new_mail_gets_uids_in_the_order_of_its_times(void **state)
{
	struct mailbox_status status;
	struct mail_message message;
	struct mail_account *a;
	struct mailbox *m;

	(void)state;
	account_mail("new/200.b", "b\r\n");
	account_mail("new/100.a,S=3,W=3", "a\r\n");
	account_mail("cur/150.c:2,FS", "c\n");
	a = account_open();
	m = account_inbox(a);
	assert_int_equal(mailbox_status(m, STATUS_SIZE, &status, &why),
	    MAIL_OK);
	assert_int_equal(status.messages, 3);
	assert_int_equal(status.unseen, 2);
	assert_int_equal(status.uidnext, 4);
	assert_int_equal(status.size, 9);
	assert_int_equal(status.first_unseen, 2);
	/* cur was there first; then by time */
	assert_true(account_has("cur/150.c,U=1:2,FS"));
	assert_true(account_has("cur/100.a,S=3,W=3,U=2:2,"));
	assert_true(account_has("cur/200.b,U=3:2,"));
	assert_int_equal(mailbox_message(m, 1,
			     WANT_SIZE | WANT_FORM | WANT_DATE | WANT_ID,
			     &message, &why),
	    MAIL_OK);
	assert_int_equal(message.flags, MAIL_FLAGGED | MAIL_SEEN);
	assert_int_equal(message.size, 3);
	assert_false(message.crlf);
	assert_true(message.email_id[0] == 'M');
	assert_true(message.internal_date > 1000000000);
	assert_int_equal(mailbox_message(m, 4, 0, &message, &why), MAIL_GONE);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
uids_survive_everything(void **state)
{
	struct mailbox_status before, after;
	struct mail_account *a;
	struct mailbox *m;

	(void)state;
	account_mail("new/1.a", "a\r\n");
	account_mail("new/2.b", "b\r\n");
	a = account_open();
	m = account_inbox(a);
	assert_int_equal(mailbox_status(m, 0, &before, &why), MAIL_OK);
	account_flag(m, 2, MAIL_DELETED);
	assert_int_equal(account_expunge(m), 1);
	mailbox_close(&m);
	mail_account_close(&a);
	assert_int_equal(unlink("Maildir/posthaste.index"), 0);
	account_mail("new/3.c", "c\r\n");
	a = account_open();
	m = account_inbox(a);
	assert_int_equal(mailbox_status(m, 0, &after, &why), MAIL_OK);
	assert_int_equal(after.uidvalidity, before.uidvalidity);
	assert_string_equal(after.id, before.id);
	assert_true(after.highest_modseq > before.highest_modseq);
	assert_true(account_has("cur/1.a,U=1:2,"));
	/* UID 2 was told, and never comes again */
	assert_false(account_has("cur/3.c,U=2:2,"));
	assert_int_equal(after.messages, 2);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
flags_are_in_names_and_counted(void **state)
{
	struct mailbox_status status;
	struct uid_set set = { 0 }, failed = { 0 };
	struct flag_change change = { .action = FLAGS_ADD,
		.flags = MAIL_SEEN,
		.unchanged_since = UINT64_MAX };
	struct mail_account *a;
	struct mailbox *m;
	uint64_t modseq, first;

	(void)state;
	account_mail("cur/1.a:2,P", "a\r\n");
	account_mail("cur/2.b:2,", "b\r\n");
	a = account_open();
	m = account_inbox(a);
	uid_set_add_range(&set, 1, 9);
	assert_int_equal(mailbox_change_flags(m, &set, &change, &first, &failed,
			     &why),
	    MAIL_OK);
	assert_true(first > 0);
	assert_true(account_has("cur/1.a,U=1:2,PS"));
	assert_true(account_has("cur/2.b,U=2:2,S"));
	assert_int_equal(mailbox_change_flags(m, &set, &change, &modseq, NULL,
			     &why),
	    MAIL_OK);
	assert_int_equal(modseq, 0);
	change = (struct flag_change){ .action = FLAGS_REPLACE,
		.flags = MAIL_DRAFT,
		.unchanged_since = first };
	uid_set_remove_range(&set, 1, 1);
	assert_int_equal(mailbox_change_flags(m, &set, &change, &modseq, NULL,
			     &why),
	    MAIL_OK);
	assert_int_equal(modseq, first + 1);
	change.flags = MAIL_FLAGGED;
	uid_set_add(&set, 1);
	assert_int_equal(mailbox_change_flags(m, &set, &change, &modseq,
			     &failed, &why),
	    MAIL_OK);
	assert_int_equal(uid_set_members(&failed), 1);
	assert_true(uid_set_has(&failed, 2));
	assert_true(account_has("cur/1.a,U=1:2,FP"));
	assert_true(account_has("cur/2.b,U=2:2,D"));
	assert_int_equal(mailbox_status(m, 0, &status, &why), MAIL_OK);
	assert_int_equal(status.unseen, 2);
	assert_int_equal(status.highest_modseq, modseq);
	assert_int_equal(mail_account_settle(a, &why), MAIL_OK);
	uid_set_fini(&set);
	uid_set_fini(&failed);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
what_others_change_is_taken_up(void **state)
{
	struct uid_set changed = { 0 }, gone = { 0 };
	struct mailbox_status before, after;
	struct mail_account *a;
	struct mailbox *m;
	bool complete;

	(void)state;
	account_mail("cur/1.a:2,", "a\r\n");
	account_mail("cur/2.b:2,", "b\r\n");
	account_mail("cur/3.c:2,", "c\r\n");
	a = account_open();
	m = account_inbox(a);
	assert_int_equal(mailbox_status(m, 0, &before, &why), MAIL_OK);
	account_rename("cur/1.a,U=1:2,", "cur/1.a,U=1:2,Sa");
	assert_int_equal(unlink("Maildir/cur/2.b,U=2:2,"), 0);
	/* from another folder, with a UID that is not its own here */
	account_mail("cur/4.d,U=3:2,", "d\r\n");
	account_mail("new/5.e", "e\r\n");
	assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	assert_int_equal(mailbox_status(m, 0, &after, &why), MAIL_OK);
	assert_int_equal(after.messages, 4);
	assert_int_equal(after.unseen, 3);
	assert_true(account_has("cur/4.d,U=4:2,"));
	assert_true(account_has("cur/5.e,U=5:2,"));
	assert_int_equal(mailbox_changed(m, before.highest_modseq, &changed,
			     &why),
	    MAIL_OK);
	assert_int_equal(uid_set_members(&changed), 3);
	assert_false(uid_set_has(&changed, 3));
	assert_int_equal(mailbox_expunged(m, before.highest_modseq, &gone,
			     &complete, &why),
	    MAIL_OK);
	assert_true(complete);
	assert_int_equal(uid_set_members(&gone), 1);
	assert_true(uid_set_has(&gone, 2));
	assert_int_equal(mailbox_expunged(m, 1, &gone, &complete, &why),
	    MAIL_OK);
	assert_false(complete);
	assert_string_equal(mailbox_keywords(m)[0], "keyword-a");
	uid_set_fini(&changed);
	uid_set_fini(&gone);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
a_view_changes_when_it_is_told(void **state)
{
	struct mailbox_view v, old;
	struct mailbox_update u;
	struct mail_account *a;
	struct mailbox *m;

	(void)state;
	account_mail("cur/1.a:2,", "a\r\n");
	account_mail("cur/2.b:2,", "b\r\n");
	account_mail("cur/3.c:2,", "c\r\n");
	a = account_open();
	m = account_inbox(a);
	assert_int_equal(mailbox_view_open(&v, m, &why), MAIL_OK);
	assert_int_equal(mailbox_view_count(&v), 3);
	assert_int_equal(mailbox_view_open(&old, m, &why), MAIL_OK);
	account_flag(m, 1, MAIL_DELETED);
	account_flag(m, 3, MAIL_SEEN);
	assert_int_equal(account_expunge(m), 1);
	account_mail("new/4.d", "d\r\n");
	assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	assert_int_equal(mailbox_view_number(&v, 3), 3);
	assert_int_equal(mailbox_view_update(&v, false, &u, &why), MAIL_OK);
	assert_int_equal(u.expunged.count, 0);
	assert_int_equal(uid_set_members(&u.changed), 1);
	assert_true(uid_set_has(&u.arrived, 4));
	mailbox_view_apply(&v, &u);
	mailbox_update_fini(&u);
	assert_int_equal(mailbox_view_count(&v), 4);
	assert_int_equal(mailbox_view_update(&v, true, &u, &why), MAIL_OK);
	assert_int_equal(uid_set_members(&u.expunged), 1);
	assert_true(uid_set_has(&u.expunged, 1));
	assert_int_equal(u.changed.count, 0);
	mailbox_view_apply(&v, &u);
	mailbox_update_fini(&u);
	assert_int_equal(mailbox_view_count(&v), 3);
	assert_int_equal(mailbox_view_number(&v, 3), 2);
	mailbox_view_fini(&v);
	/* a session that comes back knows what it knew */
	assert_int_equal(mailbox_view_restore(&v, m, old.modseq, old.uidnext,
			     &why),
	    MAIL_OK);
	assert_int_equal(mailbox_view_count(&v), 3);
	assert_int_equal(mailbox_view_uid(&v, 1), 1);
	assert_int_equal(mailbox_view_update(&v, true, &u, &why), MAIL_OK);
	assert_true(uid_set_has(&u.expunged, 1));
	assert_true(uid_set_has(&u.changed, 3));
	assert_true(uid_set_has(&u.arrived, 4));
	mailbox_update_fini(&u);
	mailbox_view_fini(&v);
	assert_int_equal(mailbox_view_restore(&v, m, 5, 1, &why), MAIL_GONE);
	mailbox_view_fini(&old);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
a_watch_tells_own_changes_from_others(void **state)
{
	struct mailbox_status status;
	struct mail_account *a;
	struct mailbox *m;
	int fd;

	(void)state;
	account_mail("cur/1.a:2,", "a\r\n");
	a = account_open();
	m = account_inbox(a);
	mailbox_watch(m, true);
	fd = mail_account_watch_fd(a);
	assert_true(fd >= 0);
	assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	account_flag(m, 1, MAIL_SEEN);
	mail_account_heed(a);
	assert_false(account_readable(fd));
	assert_true(mailbox_watch_quiet(m));
	account_mail("new/2.b", "b\r\n");
	assert_true(account_readable(fd));
	mail_account_heed(a);
	assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	assert_int_equal(mailbox_status(m, 0, &status, &why), MAIL_OK);
	assert_int_equal(status.messages, 2);
	mailbox_watch(m, false);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
what_dovecot_knew_stays(void **state)
{
	struct mailbox_status status;
	struct mail_message message;
	struct mail_account *a;
	struct mailbox *m;

	(void)state;
	account_mail("cur/1.a:2,a", "a\r\n");
	account_mail("cur/2.b:2,b", "b\r\n");
	account_mail("new/3.c", "c\r\n");
	file_put("Maildir/dovecot-uidlist",
	    "3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1\n"
	    "17 :2.b\n"
	    "25006 W2481 Pname :1.a:2,\n");
	file_put("Maildir/dovecot-keywords", "0 $Forwarded\n1 NonJunk\n");
	a = account_open();
	m = account_inbox(a);
	assert_int_equal(mailbox_status(m, 0, &status, &why), MAIL_OK);
	assert_int_equal(status.uidvalidity, 1275660208);
	assert_int_equal(status.uidnext, 25023);
	assert_string_equal(status.id, "F3085f01b7f11094c501100008c4a11c1");
	assert_int_equal(mailbox_message(m, 17, 0, &message, &why), MAIL_OK);
	assert_int_equal(message.keywords, 2);
	assert_int_equal(mailbox_message(m, 25006, 0, &message, &why), MAIL_OK);
	assert_int_equal(message.keywords, 1);
	assert_string_equal(mailbox_keywords(m)[1], "NonJunk");
	assert_int_equal(mailbox_keyword(m, SPAN("nonjunk"), true, &why), 1);
	assert_int_equal(mailbox_keyword(m, SPAN("Later"), true, &why), 2);
	assert_string_equal(file_get("Maildir/dovecot-keywords"),
	    "0 $Forwarded\n1 NonJunk\n2 Later\n");
	/* names stay; what is new has both a name and a line */
	assert_true(account_has("cur/2.b:2,b"));
	assert_true(account_has("cur/3.c,U=25022:2,"));
	assert_non_null(strstr(file_get("Maildir/dovecot-uidlist"),
	    "25022 P3.c :3.c,U=25022\n"));
	account_flag(m, 17, MAIL_SEEN);
	assert_true(account_has("cur/2.b:2,Sb"));
	mailbox_close(&m);
	/* and for the next who looks */
	m = account_inbox(a);
	assert_int_equal(mailbox_message(m, 25022, 0, &message, &why), MAIL_OK);
	/* Dovecot was here meanwhile */
	account_mail("cur/4.d:2,", "d\r\n");
	file_put("Maildir/dovecot-uidlist",
	    "3 V1275660208 N25025\n17 :2.b\n25006 :1.a\n25024 :4.d\n");
	assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	assert_int_equal(mailbox_status(m, 0, &status, &why), MAIL_OK);
	assert_int_equal(status.messages, 4);
	assert_int_equal(status.uidnext, 25025);
	assert_int_equal(mailbox_message(m, 25024, 0, &message, &why), MAIL_OK);
	assert_int_equal(mailbox_message(m, 25022, 0, &message, &why), MAIL_OK);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
more_keywords_than_letters_last(void **state)
{
	struct flag_change change = { .action = FLAGS_ADD,
		.unchanged_since = UINT64_MAX };
	struct mail_message message;
	struct mail_account *a;
	struct mailbox *m;
	struct uid_set set = { 0 };
	uint64_t modseq;
	char name[16];

	(void)state;
	account_mail("cur/1.a:2,", "a\r\n");
	a = account_open();
	m = account_inbox(a);
	for (int i = 0; i < MAIL_KEYWORDS_MAX; i++) {
		snprintf(name, sizeof(name), "Word%d", i);
		assert_int_equal(mailbox_keyword(m, span_of(name), true, &why),
		    i);
	}
	assert_int_equal(mailbox_keyword(m, SPAN("Word64"), true, &why), -1);
	assert_int_equal(mailbox_keyword(m, SPAN("a b"), true, &why), -1);
	uid_set_add(&set, 1);
	change.keywords = UINT64_C(1) << 63 | UINT64_C(1) << 30 | 2;
	assert_int_equal(mailbox_change_flags(m, &set, &change, &modseq, NULL,
			     &why),
	    MAIL_OK);
	change = (struct flag_change){ .action = FLAGS_REMOVE,
		.keywords = UINT64_C(1) << 30,
		.unchanged_since = UINT64_MAX };
	assert_int_equal(mailbox_change_flags(m, &set, &change, &modseq, NULL,
			     &why),
	    MAIL_OK);
	mailbox_close(&m);
	mail_account_close(&a);
	assert_int_equal(unlink("Maildir/posthaste.index"), 0);
	a = account_open();
	m = account_inbox(a);
	assert_int_equal(mailbox_message(m, 1, 0, &message, &why), MAIL_OK);
	assert_int_equal(message.keywords, UINT64_C(1) << 63 | 2);
	assert_string_equal(mailbox_keywords(m)[63], "Word63");
	uid_set_fini(&set);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
what_was_computed_is_kept(void **state)
{
	struct mail_account *a;
	struct mailbox *m;
	struct span found;

	(void)state;
	account_mail("cur/1.a:2,", "a\r\n");
	a = account_open();
	m = account_inbox(a);
	mailbox_cache(m, 1, CACHE_ENVELOPE, SPAN("one"));
	mailbox_hold(m);
	found = mailbox_cached(m, 1, CACHE_ENVELOPE);
	assert_true(span_is(found, "one"));
	assert_null(mailbox_cached(m, 1, CACHE_BODY).p);
	mailbox_release(m);
	mailbox_close(&m);
	mail_account_close(&a);
	a = account_open();
	m = account_inbox(a);
	mailbox_hold(m);
	assert_true(span_is(mailbox_cached(m, 1, CACHE_ENVELOPE), "one"));
	mailbox_release(m);
	account_flag(m, 1, MAIL_DELETED);
	assert_int_equal(account_expunge(m), 1);
	mailbox_hold(m);
	assert_null(mailbox_cached(m, 1, CACHE_ENVELOPE).p);
	mailbox_release(m);
	mailbox_close(&m);
	mail_account_close(&a);
}

static off_t
index_size(void)
{
	struct stat st;

	assert_int_equal(stat("Maildir/posthaste.index", &st), 0);
	return st.st_size;
}

static void
much_is_written_at_rest(void **state)
{
	static const char text[CACHE_VALUE_MAX];
	struct span much = { text, sizeof(text) };
	struct mail_account *a;
	struct mailbox *m;
	off_t before;

	(void)state;
	account_mail("cur/1.a:2,", "a\r\n");
	a = account_open();
	m = account_inbox(a);
	before = index_size();
	mailbox_cache(m, 1, CACHE_ENVELOPE, span_take(much, 20000));
	mailbox_rest(m);
	assert_int_equal(index_size(), before);
	for (int slot = CACHE_BODYSTRUCTURE; slot <= CACHE_SORT; slot++)
		mailbox_cache(m, 1, slot, much);
	mailbox_hold(m);
	mailbox_rest(m); /* somebody reads */
	mailbox_release(m);
	assert_int_equal(index_size(), before);
	mailbox_rest(m);
	assert_true(index_size() > before + 5 * (off_t)much.n);
	mailbox_hold(m);
	assert_true(span_equal(mailbox_cached(m, 1, CACHE_SORT), much));
	assert_int_equal(mailbox_cached(m, 1, CACHE_ENVELOPE).n, 20000);
	mailbox_release(m);
	mailbox_rest(m); /* with nothing to write */
	mailbox_close(&m);
	mail_account_close(&a);
}

/* What a fetch gives of a message, and whether it was read at once. */
static void
starts_as(struct mailbox *m, uint32_t uid, const char *text, bool at_once)
{
	struct store_blob blob;
	char start[16], rest[32] = "";
	size_t n = strlen(text);
	struct span read;

	assert_int_equal(mailbox_fetch_start(m, uid, &blob, start,
			     sizeof(start), &read, &why),
	    MAIL_OK);
	assert_int_equal(blob.length, n);
	assert_int_equal(blob.next, at_once ? n : 0);
	assert_true(span_is(read, at_once ? text : ""));
	if (!at_once)
		assert_int_equal(store_blob_read(&blob, rest, sizeof(rest)), n);
	if (!at_once)
		assert_string_equal(rest, text);
	store_blob_close(&blob);
}

static void
a_small_message_is_read_at_once_where_its_name_is_right(void **state)
{
	struct mail_account *a;
	struct mailbox *m;
	struct store_blob blob;
	struct span read;
	char start[16];

	(void)state;
	account_mail("cur/1.right,S=4:2,", "ab\r\n");
	account_mail("cur/2.longer,S=4:2,", "ab\r\nc\r\n");
	account_mail("cur/3.shorter,S=9:2,", "ab\r\n");
	account_mail("cur/4.silent:2,", "ab\r\n");
	account_mail("cur/5.just,S=15:2,", "123456789abcd\r\n");
	account_mail("cur/6.large,S=16:2,", "123456789abcde\r\n");
	account_mail("cur/7.empty,S=0:2,", "");
	assert_int_equal(mkfifo("Maildir/cur/8.pipe,S=0:2,", 0600), 0);
	a = account_open();
	m = account_inbox(a);
	/* the first look also learns its date, and more */
	starts_as(m, 1, "ab\r\n", false);
	for (uint32_t uid = 2; uid <= 7; uid++) {
		assert_int_equal(mailbox_fetch(m, uid, &blob, &why), MAIL_OK);
		store_blob_close(&blob);
	}
	starts_as(m, 1, "ab\r\n", true);
	starts_as(m, 2, "ab\r\nc\r\n", false);
	starts_as(m, 3, "ab\r\n", false);
	starts_as(m, 4, "ab\r\n", false);
	starts_as(m, 5, "123456789abcd\r\n", true);
	starts_as(m, 6, "123456789abcde\r\n", false);
	starts_as(m, 7, "", true);
	assert_int_equal(mailbox_fetch_start(m, 8, &blob, start, sizeof(start),
			     &read, &why),
	    MAIL_FAILED);
	mailbox_close(&m);
	mail_account_close(&a);
}

#define IN_FOLDER(test) \
	cmocka_unit_test_setup_teardown(test, folder_enter, folder_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(new_mail_gets_uids_in_the_order_of_its_times),
		IN_FOLDER(uids_survive_everything),
		IN_FOLDER(flags_are_in_names_and_counted),
		IN_FOLDER(what_others_change_is_taken_up),
		IN_FOLDER(a_view_changes_when_it_is_told),
		IN_FOLDER(a_watch_tells_own_changes_from_others),
		IN_FOLDER(what_dovecot_knew_stays),
		IN_FOLDER(more_keywords_than_letters_last),
		IN_FOLDER(what_was_computed_is_kept),
		IN_FOLDER(much_is_written_at_rest),
		IN_FOLDER(
		    a_small_message_is_read_at_once_where_its_name_is_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
