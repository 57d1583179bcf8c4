/* SPDX-License-Identifier: ISC */
/*
 * Folders that are mbox files: UIDs, flags, keywords are in the file and stay
 * what they were told to be, whatever other programs do, and wherever a
 * process that changes the file is killed.
 */
#include "tests/unit/lib/store/account.h"

#include <errno.h>
#include <sys/wait.h>

#include "lib/base/buf.h"
#include "lib/base/fdio.h"
#include "lib/base/file_system.h"
#include "lib/base/mem.h"
#include "lib/store/mbox_lock.h"
#include "lib/store/mbox_store.h"

#define FROM "From a@b  Sat Nov 21 13:25:01 2026\n"

/* Calls that change files: at the one wanted the process ends. */
static int steps, stop_at;

ssize_t __real_pwrite(int fd, const void *p, size_t n, off_t at);
ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t at);
int __real_ftruncate(int fd, off_t size);
int __wrap_ftruncate(int fd, off_t size);
int __real_fsync(int fd);
int __wrap_fsync(int fd);

static bool given_up;

int __wrap_file_system_takes_changes(int fd, dev_t device, enum file_time time);

/* Before the look that takes note of the mailbox's times. */
int
__wrap_file_system_takes_changes(int fd, dev_t device, enum file_time time)
{
	assert_true(fd >= 0);
	assert_int_equal(time, FILE_TIME_WRITTEN);
	assert_int_equal(device, 0);
	errno = EROFS;
	return given_up ? -1 : 0;
}

/* A clock too coarse to tell that the file was changed. */
static struct timespec frozen;

int __real_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st);

int
__wrap_fstat(int fd, struct stat *st)
{
	int result = __real_fstat(fd, st);

	if (result == 0 && frozen.tv_sec != 0)
		st->st_ctim = frozen;
	return result;
}

static void
freeze(void)
{
	struct stat st;

	assert_int_equal(stat("mail/Box", &st), 0);
	frozen = st.st_ctim;
}

static void
step(void)
{
	if (++steps == stop_at)
		_exit(7);
}

ssize_t
__wrap_pwrite(int fd, const void *p, size_t n, off_t at)
{
	if (steps + 1 == stop_at)
		(void)!__real_pwrite(fd, p, n / 2, at);
	step();
	return __real_pwrite(fd, p, n, at);
}

int
__wrap_ftruncate(int fd, off_t size)
{
	step();
	return __real_ftruncate(fd, size);
}

int
__wrap_fsync(int fd)
{
	step();
	return __real_fsync(fd);
}

static struct mail_account *
open_mbox(void)
{
	const struct mail_account_settings settings = {
		.location = "mbox:mail",
		.separator = '/',
		.flush_flags = true,
	};
	struct mail_account *a;

	if (mail_account_open(&settings, &a, &why) != MAIL_OK)
		fail_msg("%s", why.text);
	return a;
}

static struct mailbox *
open_box(struct mail_account *a, const char *name)
{
	struct mailbox *m;

	if (mailbox_open(a, span_of(name), &m, &why) != MAIL_OK)
		fail_msg("%s\n%s", why.text, file_get("mail/Box"));
	return m;
}

static void
put_box(const char *text)
{
	(void)!mkdir("mail", 0700);
	file_put("mail/Box", text);
}

static void
add_to_box(const char *text)
{
	FILE *f = fopen("mail/Box", "a");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
sync_box(struct mailbox *m)
{
	if (mailbox_sync(m, &why) != MAIL_OK)
		fail_msg("%s", why.text);
}

/* "1 3 4" */
static const char *
uids_of(struct mailbox *m)
{
	static char text[1000];
	struct uid_set all = { 0 };
	uint32_t uid = 0;
	int n = 0;

	assert_int_equal(mailbox_uids(m, 0, &all, &why), MAIL_OK);
	text[0] = '\0';
	while (uid_set_next(&all, &uid))
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%u",
		    n > 0 ? " " : "", uid);
	uid_set_fini(&all);
	return text;
}

static const char *
text_of(struct mailbox *m, uint32_t uid)
{
	static char text[100000];
	struct mail_message info;
	struct store_blob blob;
	int64_t n;

	if (mailbox_fetch(m, uid, &blob, &why) != MAIL_OK)
		fail_msg("UID %u of %s: %s\n%s", uid, uids_of(m), why.text,
		    file_get("mail/Box"));
	n = store_blob_read(&blob, text, sizeof(text) - 1);
	assert_int_equal(n, blob.length);
	text[n] = '\0';
	store_blob_close(&blob);
	assert_int_equal(mailbox_message(m, uid, WANT_SIZE, &info, &why),
	    MAIL_OK);
	assert_int_equal(info.size, n);
	return text;
}

static uint32_t
flags_of(struct mailbox *m, uint32_t uid)
{
	struct mail_message info;

	assert_int_equal(mailbox_message(m, uid, 0, &info, &why), MAIL_OK);
	return info.flags;
}

static uint64_t
keywords_of(struct mailbox *m, uint32_t uid)
{
	struct mail_message info;

	assert_int_equal(mailbox_message(m, uid, 0, &info, &why), MAIL_OK);
	return info.keywords;
}

static size_t piece = 1; /* bytes that come at a time */

static enum mail_result
try_append(struct mailbox *m, const char *text, uint32_t flags,
    struct uid_set *uids)
{
	const struct mail_append_message how = { .flags = flags,
		.internal_date = 1000000000 };
	struct mail_append *a = mail_append_new(m);
	enum mail_result r;
	uint32_t validity;

	assert_int_equal(mail_append_begin(a, &how, strlen(text), &why),
	    MAIL_OK);
	for (size_t at = 0, n; at < strlen(text); at += n) {
		n = strlen(text) - at < piece ? strlen(text) - at : piece;
		assert_int_equal(mail_append_write(a, text + at, n, &why),
		    MAIL_OK);
	}
	r = mail_append_commit(a, &validity, uids, &why);
	mail_append_free(&a);
	return r;
}

static uint32_t
append(struct mailbox *m, const char *text, uint32_t flags)
{
	struct uid_set uids = { 0 };
	uint32_t uid = 0;

	if (try_append(m, text, flags, &uids) != MAIL_OK)
		fail_msg("%s", why.text);
	assert_true(uid_set_next(&uids, &uid));
	uid_set_fini(&uids);
	return uid;
}

static void
keyword(struct mailbox *m, uint32_t uid, const char *name)
{
	int bit = mailbox_keyword(m, span_of(name), true, &why);
	struct flag_change change = { .action = FLAGS_ADD,
		.keywords = UINT64_C(1) << bit,
		.unchanged_since = UINT64_MAX };
	struct uid_set set = { 0 };
	uint64_t modseq;

	assert_true(bit >= 0);
	uid_set_add(&set, uid);
	if (mailbox_change_flags(m, &set, &change, &modseq, NULL, &why) !=
	    MAIL_OK)
		fail_msg("%s", why.text);
	uid_set_fini(&set);
}

static void
lose_index(void)
{
	assert_int_equal(system("rm -f mail/.posthaste/posthaste.index*"), 0);
}

static void
lose_all_but_the_file(void)
{
	assert_int_equal(system("rm -rf mail/.posthaste"), 0);
}

static const char three[] =
    FROM "Subject: one\n\n1\n\n" FROM "Subject: two\n\n>From 2\n\n" FROM
	 "Subject: three\n\n3\n\n";

static void
test_first_look_gives_uids(void **state)
{
	struct mailbox_status before, after;
	struct mail_account *a;
	struct mailbox *m;

	(void)state;
	put_box(three);
	a = open_mbox();
	m = open_box(a, "Box");
	assert_string_equal(uids_of(m), "1 2 3");
	assert_string_equal(text_of(m, 1), "Subject: one\r\n\r\n1\r\n");
	assert_string_equal(text_of(m, 2), "Subject: two\r\n\r\nFrom 2\r\n");
	assert_string_equal(text_of(m, 3), "Subject: three\r\n\r\n3\r\n");
	assert_non_null(strstr(file_get("mail/Box"), "X-IMAPbase: "));
	assert_non_null(strstr(file_get("mail/Box"), " 0000000003"));
	assert_non_null(strstr(file_get("mail/Box"), "\nX-UID: 2\n"));
	assert_int_equal(access("mail/Box.lock", F_OK), -1);
	assert_int_equal(mailbox_status(m, 0, &before, &why), MAIL_OK);
	mailbox_close(&m);
	mail_account_close(&a);
	/* all of it is in the file */
	lose_all_but_the_file();
	a = open_mbox();
	m = open_box(a, "Box");
	assert_string_equal(uids_of(m), "1 2 3");
	assert_int_equal(mailbox_status(m, 0, &after, &why), MAIL_OK);
	assert_int_equal(before.uidvalidity, after.uidvalidity);
	assert_int_equal(after.uidnext, 4);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
test_flags_stay(void **state)
{
	struct mail_account *a;
	struct mailbox *m;
	struct stat first, second;

	(void)state;
	put_box(three);
	a = open_mbox();
	m = open_box(a, "Box");
	assert_int_equal(stat("mail/Box", &first), 0);
	account_flag(m, 2, MAIL_SEEN | MAIL_FLAGGED);
	account_flag(m, 3, MAIL_ANSWERED | MAIL_DRAFT | MAIL_DELETED);
	keyword(m, 1, "$Forwarded");
	keyword(m, 2, "Junk");
	assert_int_equal(stat("mail/Box", &second), 0);
	/* there was room for all of that */
	assert_int_equal(first.st_size, second.st_size);
	assert_int_equal(first.st_ino, second.st_ino);
	assert_non_null(strstr(file_get("mail/Box"),
	    "0000000003 $Forwarded "
	    "Junk"));
	mailbox_close(&m);
	mail_account_close(&a);
	lose_all_but_the_file();
	a = open_mbox();
	m = open_box(a, "Box");
	assert_int_equal(flags_of(m, 1), 0);
	assert_int_equal(flags_of(m, 2), MAIL_SEEN | MAIL_FLAGGED);
	assert_int_equal(flags_of(m, 3),
	    MAIL_ANSWERED | MAIL_DRAFT | MAIL_DELETED);
	assert_int_equal(keywords_of(m, 1),
	    1 << mailbox_keyword(m, SPAN("$forwarded"), false, &why));
	assert_int_equal(keywords_of(m, 2),
	    1 << mailbox_keyword(m, SPAN("Junk"), false, &why));
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
test_keywords_that_have_no_room(void **state)
{
	char name[64];
	struct mail_account *a;
	struct mailbox *m;

	(void)state;
	put_box(three);
	a = open_mbox();
	m = open_box(a, "Box");
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "a-long-keyword-%d", i);
		keyword(m, 2, name);
	}
	keyword(m, 1, "a-long-keyword-7");
	lose_index();
	assert_string_equal(text_of(m, 1), "Subject: one\r\n\r\n1\r\n");
	assert_string_equal(text_of(m, 3), "Subject: three\r\n\r\n3\r\n");
	mailbox_close(&m);
	mail_account_close(&a);
	lose_all_but_the_file();
	a = open_mbox();
	m = open_box(a, "Box");
	assert_string_equal(uids_of(m), "1 2 3");
	assert_int_equal(keywords_of(m, 2), (1 << 30) - 1);
	assert_int_equal(keywords_of(m, 1), 1 << 7);
	assert_int_equal(keywords_of(m, 3), 0);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
test_expunge(void **state)
{
	struct mailbox_status s;
	struct mail_account *a;
	struct mailbox *m;

	(void)state;
	put_box(three);
	a = open_mbox();
	m = open_box(a, "Box");
	account_flag(m, 3, MAIL_SEEN);
	/* the first one has what belongs to the folder */
	account_flag(m, 1, MAIL_DELETED);
	assert_int_equal(account_expunge(m), 1);
	assert_string_equal(uids_of(m), "2 3");
	assert_string_equal(text_of(m, 2), "Subject: two\r\n\r\nFrom 2\r\n");
	assert_string_equal(text_of(m, 3), "Subject: three\r\n\r\n3\r\n");
	account_flag(m, 3, MAIL_DELETED);
	assert_int_equal(account_expunge(m), 1);
	lose_index();
	mailbox_close(&m);
	mail_account_close(&a);
	a = open_mbox();
	m = open_box(a, "Box");
	assert_string_equal(uids_of(m), "2");
	assert_int_equal(mailbox_status(m, 0, &s, &why), MAIL_OK);
	assert_int_equal(s.uidnext, 4);
	account_flag(m, 2, MAIL_DELETED);
	assert_int_equal(account_expunge(m), 1);
	assert_string_equal(file_get("mail/Box"), "");
	add_to_box(FROM "Subject: four\n\n4\n\n");
	lose_index();
	mailbox_close(&m);
	mail_account_close(&a);
	a = open_mbox();
	m = open_box(a, "Box");
	/* never one that was given before */
	assert_true(strtoul(uids_of(m), NULL, 10) >= 4);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
test_append(void **state)
{
	static const char *const texts[] = {
		"Subject: plain\r\n\r\ntext\r\n",
		"Subject: quoting\r\n\r\nFrom here\r\n>From there\r\n>>From x"
		"\r\n>>\r\nFrom\r\n>From\r\n> From\r\nx>From y\r\n\r\n\r\n",
		"Subject: no body\r\n",
		"Subject: empty body\r\n\r\n",
		"Subject: no end\r\n\r\nx",
		"\r\nno header\r\n.\r\n",
		"From the first line on\r\n",
		">>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>From here: "
		"x\r\n\r\n\r\n",
		"X-Long: 3456789012345678901234567890123456789\r\n x\r\n\r\n",
	};
	struct mail_account *a = open_mbox();
	struct mail_message info;
	struct mailbox *m;
	char want[1000];

	(void)state;
	put_box("");
	m = open_box(a, "Box");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(append(m, texts[i], MAIL_SEEN), i + 1);
		snprintf(want, sizeof(want), "%s%s", texts[i],
		    texts[i][strlen(texts[i]) - 1] == '\n' ? "" : "\r\n");
		assert_string_equal(text_of(m, (uint32_t)i + 1), want);
	}
	/* what others keep their notes in is not the sender's to write */
	assert_int_equal(append(m,
			     "Status: RO\r\nX-UID: 99\r\nX-IMAPbase: 1 99\r\n"
			     " more\r\nSubject: x\r\nX-Status: D\r\n\r\ny\r\n",
			     0),
	    10);
	assert_string_equal(text_of(m, 10), "Subject: x\r\n\r\ny\r\n");
	assert_int_equal(flags_of(m, 10), 0);
	assert_int_equal(flags_of(m, 1), MAIL_SEEN);
	assert_int_equal(mailbox_message(m, 3, WANT_DATE, &info, &why),
	    MAIL_OK);
	assert_int_equal(info.internal_date, 1000000000);
	mailbox_close(&m);
	mail_account_close(&a);
	lose_all_but_the_file();
	a = open_mbox();
	m = open_box(a, "Box");
	assert_string_equal(uids_of(m), "1 2 3 4 5 6 7 8 9 10");
	assert_int_equal(flags_of(m, 9), MAIL_SEEN);
	mailbox_close(&m);
	mail_account_close(&a);
}

/* CRs where a line ends: what ends the header, and what does not. */
static void
test_append_odd_line_ends(void **state)
{
	static const char *const texts[][2] = {
		{ "Subject: x\r\n\r\r\nX-Foo: y\r\n\r\nbody\r\n", NULL },
		{ "X: y\r\r\n\r\r\r\n\r\n\r\r\n\rx\r\ry\r\r\n", NULL },
		{ "Subject: z\r\n\r", "Subject: z\r\n\r\n" },
		{ "Subject: z\r", "Subject: z\r\n" },
		{ "Subject: z\r\n\r\r", "Subject: z\r\n\r\r\n" },
		{ "\r", "\r\n" },
		{ "\r\n\r", "\r\n\r\n" },
		{ "X-UID: 1\r\n\r\r\nStatus: RO\r\n\r\nx\r",
		    "\r\r\n\r\nx\r\n" },
	};
	const size_t count = sizeof(texts) / sizeof(texts[0]);
	struct mail_account *a = open_mbox();
	struct mailbox *m;

	(void)state;
	put_box("");
	m = open_box(a, "Box");
	for (size_t i = 0; i < 2 * count; i++) {
		const char *const *text = texts[i / 2];
		uint32_t uid = (uint32_t)i + 1;

		piece = i % 2 == 0 ? 1 : 1000;
		assert_int_equal(append(m, text[0], MAIL_FLAGGED), uid);
		assert_string_equal(text_of(m, uid),
		    text[1] == NULL ? text[0] : text[1]);
		assert_int_equal(flags_of(m, uid), MAIL_FLAGGED);
	}
	piece = 1;
	mailbox_close(&m);
	mail_account_close(&a);
	lose_all_but_the_file();
	a = open_mbox();
	m = open_box(a, "Box");
	assert_string_equal(uids_of(m),
	    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16");
	mailbox_close(&m);
	mail_account_close(&a);
}

/* All was flushed, and then the device takes no changes any more. */
static void
test_a_device_that_was_given_up(void **state)
{
	struct mail_account *a = open_mbox();
	struct uid_set uids = { 0 };
	struct mailbox *m;

	(void)state;
	put_box(three);
	m = open_box(a, "Box");
	given_up = true;
	assert_int_not_equal(try_append(m, "Subject: x\r\n\r\n", 0, &uids),
	    MAIL_OK);
	given_up = false;
	assert_true(uid_set_empty(&uids));
	mailbox_close(&m);
	mail_account_close(&a);
	/* what it has then is once there, or not at all */
	a = open_mbox();
	m = open_box(a, "Box");
	(void)append(m, "Subject: y\r\n\r\n", 0);
	assert_in_range(strlen(uids_of(m)), strlen("1 2 3 4"),
	    strlen("1 2 3 4 5"));
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
test_others_at_work(void **state)
{
	struct mail_account *a;
	struct mailbox *m;
	char *text;

	(void)state;
	put_box(three);
	a = open_mbox();
	m = open_box(a, "Box");
	/* a delivery, with fields that a stranger has chosen */
	add_to_box(FROM "X-UID: 2\nX-IMAPbase: 1 4000000000\nStatus: RO\n\n"
			"4\n\n");
	sync_box(m);
	assert_string_equal(uids_of(m), "1 2 3 4");
	assert_string_equal(text_of(m, 4), "\r\n4\r\n");
	assert_string_equal(text_of(m, 2), "Subject: two\r\n\r\nFrom 2\r\n");
	/* a program that knows nothing of X-UID writes all anew */
	put_box(FROM "Subject: two\n\n>From 2\n\n" FROM
		     "Subject: five\n\n5\n\n" FROM "Subject: three\n\n3\n\n");
	sync_box(m);
	assert_string_equal(uids_of(m), "2 3 5");
	assert_string_equal(text_of(m, 3), "Subject: three\r\n\r\n3\r\n");
	assert_string_equal(text_of(m, 5), "Subject: five\r\n\r\n5\r\n");
	/* a text that was edited is another message */
	text = mem_text(file_get("mail/Box"));
	*strstr(text, "five") = 'F';
	file_put("mail/Box", text);
	free(text);
	sync_box(m);
	assert_string_equal(uids_of(m), "2 3 6");
	/* a flag that was set by one that knows them */
	text = mem_text(file_get("mail/Box"));
	memcpy(strstr(text, "Status: ") + 8, "RO", 2);
	file_put("mail/Box", text);
	free(text);
	sync_box(m);
	assert_int_equal(flags_of(m, 2), MAIL_SEEN);
	/* it goes, and comes again */
	assert_int_equal(unlink("mail/Box"), 0);
	sync_box(m);
	assert_string_equal(uids_of(m), "");
	put_box(FROM "Subject: one\n\n1\n\n");
	sync_box(m);
	assert_string_equal(uids_of(m), "7");
	mailbox_close(&m);
	mail_account_close(&a);
}

/*
 * As a program does that writes in place: the second of three messages goes,
 * another one of its size comes, and what is added "behind".
 */
static void
replace_second(const char *behind)
{
	struct buf text = BUF_INIT(100000);
	struct span all = span_of(file_get("mail/Box"));
	size_t second = (size_t)(strstr(all.p + 1, "\nFrom ") + 1 - all.p);
	size_t third = (size_t)(strstr(all.p + second, "\nFrom ") + 1 - all.p);

	buf_add_span(&text, span_take(all, second));
	buf_add_span(&text, span_skip(all, third));
	buf_add_text(&text, FROM "Subject: other\n\n");
	assert_true(text.n + 2 < all.n);
	while (text.n + 2 < all.n)
		buf_add_char(&text, 'x');
	buf_add_text(&text, "\n\n");
	buf_add_text(&text, behind);
	file_put("mail/Box", buf_text(&text));
	buf_fini(&text);
}

static void
test_rewritten_in_place_and_grown(void **state)
{
	struct mail_account *a;
	struct mailbox *m;

	(void)state;
	put_box(three);
	a = open_mbox();
	m = open_box(a, "Box");
	replace_second(FROM "Subject: last\n\nlast\n\n");
	sync_box(m);
	assert_string_equal(uids_of(m), "1 3 4 5");
	assert_string_equal(text_of(m, 3), "Subject: three\r\n\r\n3\r\n");
	account_flag(m, 4, MAIL_DELETED);
	assert_int_equal(account_expunge(m), 1);
	assert_string_equal(text_of(m, 3), "Subject: three\r\n\r\n3\r\n");
	assert_string_equal(text_of(m, 5), "Subject: last\r\n\r\nlast\r\n");
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
test_rewritten_and_not_told(void **state)
{
	struct mail_account *a;
	struct mailbox *m;

	(void)state;
	put_box(three);
	a = open_mbox();
	m = open_box(a, "Box");
	account_flag(m, 2, MAIL_DELETED);
	freeze();
	sync_box(m);
	replace_second("");
	/* what is to go is not there any more: nothing does */
	assert_int_equal(account_expunge(m), 0);
	assert_string_equal(uids_of(m), "1 3 4");
	assert_string_equal(text_of(m, 3), "Subject: three\r\n\r\n3\r\n");
	assert_non_null(strstr(file_get("mail/Box"), "Subject: other\n"));
	/* a flag finds its message where it is now */
	sync_box(m);
	replace_second("");
	account_flag(m, 4, MAIL_FLAGGED);
	assert_string_equal(text_of(m, 1), "Subject: one\r\n\r\n1\r\n");
	keyword(m, 4, "a-keyword-that-is-longer-than-the-room-for-it-is-now");
	frozen.tv_sec = 0;
	mailbox_close(&m);
	mail_account_close(&a);
}

/* A flag that another program has set counts, also when mail came since. */
static void
test_flags_of_others_and_mail(void **state)
{
	struct mail_account *a;
	struct mailbox *m;
	char *text, *second;

	(void)state;
	put_box(three);
	a = open_mbox();
	m = open_box(a, "Box");
	text = mem_text(file_get("mail/Box"));
	second = strstr(text, "Subject: two");
	memcpy(strstr(second, "\nStatus: ") + 9, "RO", 2);
	memcpy(strstr(second, "\nX-Status: ") + 11, "AF", 2);
	file_put("mail/Box", text);
	free(text);
	add_to_box(FROM "Subject: four\n\n4\n\n");
	sync_box(m);
	assert_string_equal(uids_of(m), "1 2 3 4");
	assert_int_equal(flags_of(m, 2),
	    MAIL_SEEN | MAIL_ANSWERED | MAIL_FLAGGED);
	keyword(m, 2, "Junk");
	lose_index();
	mailbox_close(&m);
	mail_account_close(&a);
	a = open_mbox();
	m = open_box(a, "Box");
	assert_int_equal(flags_of(m, 2),
	    MAIL_SEEN | MAIL_ANSWERED | MAIL_FLAGGED);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
test_locked(void **state)
{
	struct mail_account *a;
	struct mailbox *m;
	int lock;

	(void)state;
	put_box(three);
	a = open_mbox();
	m = open_box(a, "Box");
	lock = mbox_dotlock_take(AT_FDCWD, "mail/Box", 500);
	assert_true(lock >= 0);
	/* reading needs no lock where nothing has changed */
	sync_box(m);
	assert_string_equal(text_of(m, 3), "Subject: three\r\n\r\n3\r\n");
	mbox_dotlock_give_back(AT_FDCWD, "mail/Box", &lock);
	account_flag(m, 1, MAIL_SEEN);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
test_copy_and_move(void **state)
{
	struct mail_copies copies;
	struct mail_account *a;
	struct mailbox *m, *to;
	struct uid_set uids = { 0 };

	(void)state;
	put_box(three);
	a = open_mbox();
	m = open_box(a, "Box");
	account_flag(m, 2, MAIL_SEEN);
	keyword(m, 2, "Junk");
	assert_int_equal(mail_folder_create(a, SPAN("a/b"), 0, &why), MAIL_OK);
	assert_int_equal(mail_folder_create(a, SPAN("Box/b"), 0, &why),
	    MAIL_NOT_ALLOWED);
	to = open_box(a, "a/b");
	uid_set_add_range(&uids, 2, 3);
	assert_int_equal(mailbox_copy(m, &uids, to,
			     &(struct mail_copying){ .move = false }, &copies,
			     &why),
	    MAIL_OK);
	mail_copies_fini(&copies);
	assert_int_equal(mailbox_copy(m, &uids, to,
			     &(struct mail_copying){ .move = true }, &copies,
			     &why),
	    MAIL_OK);
	mail_copies_fini(&copies);
	assert_string_equal(uids_of(m), "1");
	assert_string_equal(uids_of(to), "1 2 3 4");
	assert_string_equal(text_of(to, 3), "Subject: two\r\n\r\nFrom 2\r\n");
	assert_int_equal(flags_of(to, 3), MAIL_SEEN);
	assert_true(keywords_of(to, 1) != 0);
	assert_int_equal(mail_folder_rename(a, SPAN("a"), SPAN("c"), &why),
	    MAIL_OK);
	sync_box(to);
	assert_string_equal(mailbox_name(to), "c/b");
	assert_string_equal(uids_of(to), "1 2 3 4");
	account_flag(to, 4, MAIL_SEEN);
	assert_int_equal(mail_folder_delete(a, SPAN("c/b"), &why), MAIL_OK);
	assert_int_equal(access("mail/c/b", F_OK), -1);
	uid_set_fini(&uids);
	mailbox_close(&to);
	mailbox_close(&m);
	mail_account_close(&a);
}

/* More than there may be files open, and more than is kept in memory. */
static void
test_many_at_once(void **state)
{
	const struct mail_append_message how = { .internal_date = 1 };
	struct mail_account *a;
	struct mail_append *many;
	struct uid_set uids = { 0 };
	char text[2000];
	uint32_t validity;
	struct mailbox *m;

	(void)state;
	put_box("");
	a = open_mbox();
	m = open_box(a, "Box");
	many = mail_append_new(m);
	for (int i = 1; i <= 1500; i++) {
		int n = snprintf(text, sizeof(text), "Subject: %d\r\n\r\n", i);

		memset(text + n, 'x', 1500);
		memcpy(text + n + 1500, "\r\n", 3);
		assert_int_equal(mail_append_begin(many, &how, strlen(text),
				     &why),
		    MAIL_OK);
		assert_int_equal(mail_append_write(many, text, strlen(text),
				     &why),
		    MAIL_OK);
	}
	assert_int_equal(mail_append_commit(many, &validity, &uids, &why),
	    MAIL_OK);
	mail_append_free(&many);
	assert_int_equal(uid_set_members(&uids), 1500);
	assert_memory_equal(text_of(m, 1), "Subject: 1\r\n", 12);
	assert_memory_equal(text_of(m, 900), "Subject: 900\r\n", 14);
	assert_string_equal(text_of(m, 1500), text);
	uid_set_fini(&uids);
	mailbox_close(&m);
	mail_account_close(&a);
}

/* What is called as files of ours in a Maildir is mail here. */
static void
test_names_mean_nothing(void **state)
{
	static const char *const names[] = { "maildirsize",
		"posthaste-arriving", "tmp/posthaste-removed.1", "new", "cur" };
	struct mail_account *a;
	char path[100];

	(void)state;
	put_box(three);
	assert_int_equal(mkdir("mail/tmp", 0700), 0);
	for (size_t i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "mail/%s", names[i]);
		file_put(path, three);
	}
	a = open_mbox();
	assert_int_equal(mail_folder_create(a, SPAN("x"), 0, &why), MAIL_OK);
	assert_int_equal(mail_folder_delete(a, SPAN("x"), &why), MAIL_OK);
	assert_int_equal(mail_folder_find(a, SPAN(".posthaste"), NULL),
	    MAIL_NONEXISTENT);
	assert_int_equal(mail_folder_delete(a, SPAN(".posthaste/x"), &why),
	    MAIL_NONEXISTENT);
	/* this one would lock another */
	assert_int_equal(mail_folder_create(a, SPAN("new.lock"), 0, &why),
	    MAIL_OK);
	assert_int_equal(access("mail/new.lock", F_OK), -1);
	for (size_t i = 0; i < 5; i++) {
		struct mailbox *m = open_box(a, names[i]);

		assert_string_equal(uids_of(m), "1 2 3");
		mailbox_close(&m);
	}
	mail_account_close(&a);
}

/* ---- killed ---- */

static void
give_flags(struct mailbox *m)
{
	account_flag(m, 2, MAIL_SEEN);
}

static void
give_keywords(struct mailbox *m)
{
	keyword(m, 1,
	    "a-keyword-that-is-longer-than-the-room-that-there-is-for-it");
}

static void
remove_first(struct mailbox *m)
{
	account_flag(m, 1, MAIL_DELETED);
	(void)account_expunge(m);
}

static void
append_one(struct mailbox *m)
{
	(void)append(m, "Subject: new\r\n\r\nnew\r\n", 0);
}

static void
take_delivery(struct mailbox *m)
{
	add_to_box(FROM "Subject: new\n\nnew\n\n");
	sync_box(m);
}

static void
only_look(struct mailbox *m)
{
	sync_box(m);
}

/* True: it came to its end. */
static bool
killed_at(int n, void (*what)(struct mailbox *m))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct mail_account *a;
		struct mailbox *m;

		steps = 0;
		if (what == only_look)
			stop_at = n;
		a = open_mbox();
		m = open_box(a, "Box");
		if (what != only_look)
			steps = 0;
		stop_at = n;
		what(m);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) != 0)
		assert_int_equal(WEXITSTATUS(status), 7);
	return WEXITSTATUS(status) == 0;
}

static void
expect_whole(struct mailbox *m, uint32_t uid, const char *text)
{
	if (strcmp(text_of(m, uid), text) != 0)
		fail_msg("UID %u is not what it was: %s\n%s", uid,
		    text_of(m, uid), file_get("mail/Box"));
}

/* UIDs that nobody was told may be lost. */
static void
check_first_look(struct mailbox *m)
{
	char *all = mem_text(uids_of(m)), *at = all;

	expect_whole(m, (uint32_t)strtoul(at, &at, 10),
	    "Subject: one\r\n\r\n1\r\n");
	expect_whole(m, (uint32_t)strtoul(at, &at, 10),
	    "Subject: two\r\n\r\nFrom 2\r\n");
	expect_whole(m, (uint32_t)strtoul(at, &at, 10),
	    "Subject: three\r\n\r\n3\r\n");
	assert_string_equal(at, "");
	free(all);
}

/* Every message has its UID and its text; at most one is new, or gone. */
static void
check_after(void (*what)(struct mailbox *m), bool mail_first)
{
	struct mail_account *a;
	struct mailbox *m;
	const char *all;

	if (mail_first) {
		(void)system("rm -f mail/Box.lock");
		add_to_box(FROM "Subject: late\n\nlate\n\n");
	}
	a = open_mbox();
	m = open_box(a, "Box");
	all = uids_of(m);
	if (what == only_look) {
		check_first_look(m);
		mailbox_close(&m);
		mail_account_close(&a);
		return;
	}
	if (what != remove_first || strncmp(all, "1 ", 2) == 0)
		expect_whole(m, 1, "Subject: one\r\n\r\n1\r\n");
	expect_whole(m, 2, "Subject: two\r\n\r\nFrom 2\r\n");
	expect_whole(m, 3, "Subject: three\r\n\r\n3\r\n");
	all = uids_of(m);
	if (strstr(all, " 4") != NULL) {
		const char *text = text_of(m, 4);

		assert_true(strcmp(text, "Subject: new\r\n\r\nnew\r\n") == 0 ||
		    (mail_first &&
			strcmp(text, "Subject: late\r\n\r\nlate\r\n") == 0));
	}
	all = uids_of(m);
	if (mail_first) {
		uint32_t last =
		    (uint32_t)strtoul(strrchr(all, ' ') + 1, NULL, 10);

		expect_whole(m, last, "Subject: late\r\n\r\nlate\r\n");
	} else if (what == take_delivery) {
		assert_non_null(strstr(all, " 4"));
	}
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
killed_everywhere(void (*what)(struct mailbox *m), bool with_mail)
{
	bool done = false;
	int n;

	for (n = 1; !done; n++) {
		if (getenv("TEST_SHOW") != NULL)
			print_message("step %d\n", n);
		assert_int_equal(system("rm -rf mail"), 0);
		put_box(three);
		if (what != only_look) {
			struct mail_account *a = open_mbox();
			struct mailbox *m = open_box(a, "Box");

			mailbox_close(&m);
			mail_account_close(&a);
		}
		done = killed_at(n, what);
		check_after(what, with_mail);
	}
	if (n <= 2)
		fail_msg("nothing was killed in %p", (void *)(uintptr_t)what);
}

static void
test_killed(void **state)
{
	static void (*const all[])(struct mailbox * m) = { only_look,
		give_flags, give_keywords, remove_first, append_one,
		take_delivery };

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		killed_everywhere(all[i], false);
	for (size_t i = 1; i < sizeof(all) / sizeof(all[0]); i++)
		killed_everywhere(all[i], true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_first_look_gives_uids,
		    folder_enter, folder_leave),
		cmocka_unit_test_setup_teardown(test_flags_stay, folder_enter,
		    folder_leave),
		cmocka_unit_test_setup_teardown(test_keywords_that_have_no_room,
		    folder_enter, folder_leave),
		cmocka_unit_test_setup_teardown(test_expunge, folder_enter,
		    folder_leave),
		cmocka_unit_test_setup_teardown(test_append, folder_enter,
		    folder_leave),
		cmocka_unit_test_setup_teardown(test_append_odd_line_ends,
		    folder_enter, folder_leave),
		cmocka_unit_test_setup_teardown(test_a_device_that_was_given_up,
		    folder_enter, folder_leave),
		cmocka_unit_test_setup_teardown(test_others_at_work,
		    folder_enter, folder_leave),
		cmocka_unit_test_setup_teardown(
		    test_rewritten_in_place_and_grown, folder_enter,
		    folder_leave),
		cmocka_unit_test_setup_teardown(test_rewritten_and_not_told,
		    folder_enter, folder_leave),
		cmocka_unit_test_setup_teardown(test_flags_of_others_and_mail,
		    folder_enter, folder_leave),
		cmocka_unit_test_setup_teardown(test_locked, folder_enter,
		    folder_leave),
		cmocka_unit_test_setup_teardown(test_copy_and_move,
		    folder_enter, folder_leave),
		cmocka_unit_test_setup_teardown(test_many_at_once, folder_enter,
		    folder_leave),
		cmocka_unit_test_setup_teardown(test_names_mean_nothing,
		    folder_enter, folder_leave),
		cmocka_unit_test_setup_teardown(test_killed, folder_enter,
		    folder_leave),
	};

	mail_account_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
