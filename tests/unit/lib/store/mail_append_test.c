/* SPDX-License-Identifier: ISC */
#include "lib/store/mailbox.h"

#include <errno.h>
#include <sys/time.h>
#include <utime.h>

#include "lib/base/clock.h"
#include "lib/base/file_system.h"
#include "lib/store/mail_append.h"
#include "lib/store/mail_quota.h"
#include "lib/task/task.h"
#include "tests/unit/lib/store/folder.h"

static struct why why;
static struct mail_account *account;

static void
open_account(uint64_t bytes, uint64_t count)
{
	struct mail_account_settings settings = { .location = "maildir:m",
		.separator = '/',
		.quota_bytes = bytes,
		.quota_messages = count };

	assert_int_equal(mail_account_open(&settings, &account, &why), MAIL_OK);
}

static struct mailbox *
open_box(const char *name)
{
	struct mailbox *m;

	assert_int_equal(mailbox_open(account, span_of(name), &m, &why),
	    MAIL_OK);
	return m;
}

static enum mail_result
append(struct mailbox *m, const char *text, uint32_t flags, uint64_t keywords,
    uint32_t *uid)
{
	struct mail_append_message how = { .flags = flags,
		.keywords = keywords,
		.internal_date = 1234567890 };
	struct mail_append *a = mail_append_new(m);
	struct uid_set uids = { 0 };
	enum mail_result r;
	uint32_t validity = 0;

	r = mail_append_begin(a, &how, strlen(text), &why);
	if (r == MAIL_OK)
		r = mail_append_write(a, text, strlen(text), &why);
	if (r == MAIL_OK)
		r = mail_append_commit(a, &validity, &uids, &why);
	if (r == MAIL_OK) {
		*uid = uid_set_nth(&uids, 0);
		assert_int_not_equal(validity, 0);
	}
	uid_set_fini(&uids);
	mail_append_free(&a);
	return r;
}

static struct mail_message
message(struct mailbox *m, uint32_t uid)
{
	struct mail_message out;

	assert_int_equal(mailbox_message(m, uid,
			     WANT_DATE | WANT_SIZE | WANT_FORM, &out, &why),
	    MAIL_OK);
	return out;
}

static uint32_t
count(struct mailbox *m)
{
	struct mailbox_status status;

	assert_int_equal(mailbox_status(m, 0, &status, &why), MAIL_OK);
	return status.messages;
}

/* Kept as it is sent; the size is that with CRLF. */
static void
test_forms(void **state)
{
	static const struct {
		const char *text;
		size_t size;
		bool crlf;
	} rows[] = {
		{ "a: b\r\n\r\nc\r\n", 11, true },
		{ "a: b\n\nc\n", 11, false },
		{ "a: b\r\n\nc\r\n", 11, false },
		{ "a: b\r\n\r\nc", 9, true },
		{ "", 0, true },
	};
	struct mailbox *m;
	uint32_t uid;

	(void)state;
	open_account(0, 0);
	m = open_box("INBOX");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct store_blob blob;
		struct mail_message got;
		char text[64];

		assert_int_equal(append(m, rows[i].text, MAIL_SEEN | MAIL_DRAFT,
				     0, &uid),
		    MAIL_OK);
		assert_int_equal(uid, i + 1);
		got = message(m, uid);
		assert_int_equal(got.size, rows[i].size);
		assert_int_equal(got.crlf, rows[i].crlf);
		assert_int_equal(got.flags, MAIL_SEEN | MAIL_DRAFT);
		assert_int_equal(got.internal_date, 1234567890);
		assert_int_equal(mailbox_fetch(m, uid, &blob, &why), MAIL_OK);
		assert_int_equal(store_blob_read(&blob, text, sizeof(text)),
		    strlen(rows[i].text));
		assert_memory_equal(text, rows[i].text, strlen(rows[i].text));
		store_blob_close(&blob);
	}
	mailbox_close(&m);
	mail_account_close(&account);
	/* the date survives the index */
	assert_int_equal(system("rm m/posthaste.index*"), 0);
	open_account(0, 0);
	m = open_box("INBOX");
	assert_int_equal(message(m, 2).internal_date, 1234567890);
	assert_int_equal(message(m, 2).size, 11);
	mailbox_close(&m);
	mail_account_close(&account);
}

/* A CR at the end of one write, its LF at the beginning of the next. */
static void
test_cut_anywhere(void **state)
{
	struct mail_append_message how = { .internal_date = INT64_MIN };
	static const char text[] = "a: b\r\n\r\nx\ny\r\n";
	struct uid_set uids = { 0 };
	struct mail_append *a;
	uint32_t validity, uid = 0;
	struct mailbox *m;

	(void)state;
	open_account(0, 0);
	m = open_box("INBOX");
	a = mail_append_new(m);
	for (size_t step = 1; step < sizeof(text); step++) {
		assert_int_equal(mail_append_begin(a, &how, UINT64_MAX, &why),
		    MAIL_OK);
		for (size_t at = 0; at < sizeof(text) - 1; at += step) {
			size_t left = sizeof(text) - 1 - at;

			assert_int_equal(mail_append_write(a, text + at,
					     left < step ? left : step, &why),
			    MAIL_OK);
		}
	}
	/* nothing of it is to be seen before */
	assert_int_equal(count(m), 0);
	assert_int_equal(mail_append_commit(a, &validity, &uids, &why),
	    MAIL_OK);
	mail_append_free(&a);
	assert_int_equal(count(m), sizeof(text) - 1);
	while (uid_set_next(&uids, &uid)) {
		assert_int_equal(message(m, uid).size, sizeof(text));
		assert_false(message(m, uid).crlf);
	}
	uid_set_fini(&uids);
	/* dropped */
	a = mail_append_new(m);
	assert_int_equal(mail_append_begin(a, &how, 3, &why), MAIL_OK);
	assert_int_equal(mail_append_write(a, "abc", 3, &why), MAIL_OK);
	mail_append_free(&a);
	assert_string_equal(only_entry("m/tmp"), "");
	mailbox_close(&m);
	mail_account_close(&account);
}

/* More than stay open. */
static void
test_many(void **state)
{
	struct mail_append_message how = { .internal_date = 1234567890 };
	struct uid_set uids = { 0 };
	struct mail_append *a;
	struct mailbox *m;
	uint32_t validity;

	(void)state;
	open_account(0, 0);
	m = open_box("INBOX");
	a = mail_append_new(m);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(mail_append_begin(a, &how, 1, &why), MAIL_OK);
		assert_int_equal(mail_append_write(a, "x\r\n", 3, &why),
		    MAIL_OK);
	}
	assert_int_equal(mail_append_commit(a, &validity, &uids, &why),
	    MAIL_OK);
	mail_append_free(&a);
	assert_int_equal(uid_set_members(&uids), 100);
	assert_int_equal(count(m), 100);
	assert_int_equal(message(m, 1).internal_date, 1234567890);
	assert_string_equal(only_entry("m/tmp"), "");
	assert_int_not_equal(access("m/posthaste-arriving", F_OK), 0);
	uid_set_fini(&uids);
	mailbox_close(&m);
	mail_account_close(&account);
}

static void
test_quota(void **state)
{
	struct mail_quota q;
	struct mailbox *m;
	uint32_t uid;

	(void)state;
	open_account(100, 3);
	m = open_box("INBOX");
	assert_int_equal(append(m, "0123456789", 0, 0, &uid), MAIL_OK);
	assert_int_equal(mail_account_quota(account, &q, &why), MAIL_OK);
	assert_int_equal(q.bytes, 10);
	assert_int_equal(q.messages, 1);
	assert_int_equal(q.bytes_limit, 100);
	assert_int_equal(append(m,
			     "0123456789012345678901234567890123456789"
			     "0123456789012345678901234567890123456789"
			     "01234567890",
			     0, 0, &uid),
	    MAIL_OVER_QUOTA);
	assert_string_equal(why.text, "mailbox is full");
	assert_int_equal(append(m, "1", 0, 0, &uid), MAIL_OK);
	assert_int_equal(append(m, "2", 0, 0, &uid), MAIL_OK);
	assert_int_equal(append(m, "3", 0, 0, &uid), MAIL_OVER_QUOTA);
	assert_int_equal(mail_account_quota(account, &q, &why), MAIL_OK);
	assert_int_equal(q.bytes, 12);
	assert_int_equal(q.messages, 3);
	mailbox_close(&m);
	mail_account_close(&account);
}

/* What dead processes left in tmp goes when it is old. */
static void
test_tmp(void **state)
{
	struct mailbox *m;
	uint32_t uid;

	(void)state;
	open_account(0, 0);
	m = open_box("INBOX");
	file_put("m/tmp/1.new", "x");
	file_put("m/tmp/1.old", "x");
	assert_int_equal(utime("m/tmp/1.old", &(struct utimbuf){ 1000, 1000 }),
	    0);
	assert_int_equal(append(m, "x", 0, 0, &uid), MAIL_OK);
	/* its time of change is of now: it may be somebody's restored file */
	assert_int_equal(access("m/tmp/1.old", F_OK), 0);
	assert_int_equal(access("m/tmp/1.new", F_OK), 0);
	mailbox_close(&m);
	mail_account_close(&account);
}

/* ---- tasks that commit together ---- */

enum { TASKS = 20 };

static struct {
	struct mailbox *box[2];
	unsigned int good;
	struct uid_set uids[2];
} shared;

static void
append_in_task(void *argument)
{
	size_t i = (size_t)(uintptr_t)argument;
	uint32_t uid;

	if (append(shared.box[i % 2], "a: b\r\n\r\nc\r\n", 0, 0, &uid) !=
	    MAIL_OK)
		return;
	shared.good++;
	assert_false(uid_set_has(&shared.uids[i % 2], uid));
	uid_set_add(&shared.uids[i % 2], uid);
}

static void
test_together(void **state)
{
	(void)state;
	open_account(0, 0);
	assert_int_equal(mail_folder_create(account, SPAN("other"), 0, &why),
	    MAIL_OK);
	shared.box[0] = open_box("INBOX");
	shared.box[1] = open_box("other");
	for (size_t i = 0; i < TASKS; i++)
		assert_non_null(
		    task_start(append_in_task, (void *)(uintptr_t)i));
	task_loop();
	assert_int_equal(shared.good, TASKS);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(count(shared.box[i]), TASKS / 2);
		assert_int_equal(uid_set_members(&shared.uids[i]), TASKS / 2);
		uid_set_fini(&shared.uids[i]);
		mailbox_close(&shared.box[i]);
	}
	mail_account_close(&account);
}

/* ---- copies ---- */

static int
keyword(struct mailbox *m, const char *name)
{
	int bit = mailbox_keyword(m, span_of(name), true, &why);

	assert_true(bit >= 0);
	return bit;
}

static bool
has_keyword(struct mailbox *m, uint32_t uid, const char *name)
{
	int bit = mailbox_keyword(m, span_of(name), false, &why);

	return bit >= 0 && (message(m, uid).keywords >> bit & 1) != 0;
}

static void
copy(struct mailbox *from, const char *set, struct mailbox *to, bool move,
    const char *expected_from, const char *expected_to)
{
	struct mail_copies copies;
	struct uid_set uids = { 0 };
	struct buf text = BUF_INIT(1000);
	unsigned int first, last;

	assert_int_equal(sscanf(set, "%u:%u", &first, &last), 2);
	uid_set_add_range(&uids, first, last);
	assert_int_equal(mailbox_copy(from, &uids, to,
			     &(struct mail_copying){ .move = move }, &copies,
			     &why),
	    MAIL_OK);
	uid_set_text(&copies.from, &text);
	assert_string_equal(buf_text(&text), expected_from);
	buf_reset(&text);
	uid_set_text(&copies.to, &text);
	assert_string_equal(buf_text(&text), expected_to);
	assert_int_equal(copies.count, uid_set_members(&copies.to));
	mail_copies_fini(&copies);
	uid_set_fini(&uids);
	buf_fini(&text);
}

static void
test_copy(void **state)
{
	struct mailbox *inbox, *other;
	uint64_t late;
	uint32_t uid;
	char name[16];

	(void)state;
	open_account(0, 0);
	assert_int_equal(mail_folder_create(account, SPAN("x"), 0, &why),
	    MAIL_OK);
	inbox = open_box("INBOX");
	other = open_box("x");
	keyword(other, "first");
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "k%d", i);
		late = UINT64_C(1) << keyword(inbox, name);
	}
	assert_int_equal(append(inbox, "a\r\n", MAIL_FLAGGED, 1, &uid),
	    MAIL_OK);
	assert_int_equal(append(inbox, "b\n", 0, late | 1, &uid), MAIL_OK);
	assert_int_equal(append(inbox, "c\r\n", MAIL_SEEN, 0, &uid), MAIL_OK);
	/* keywords by their names, late ones too; dates and sizes */
	copy(inbox, "1:4000000000", other, false, "1:3", "1:3");
	assert_int_equal(count(other), 3);
	assert_int_equal(count(inbox), 3);
	assert_int_equal(message(other, 1).flags, MAIL_FLAGGED);
	assert_true(has_keyword(other, 1, "k0"));
	assert_true(has_keyword(other, 2, "k0"));
	assert_true(has_keyword(other, 2, "k29"));
	assert_false(has_keyword(other, 1, "first"));
	assert_int_equal(message(other, 2).size, 3);
	assert_int_equal(message(other, 2).internal_date, 1234567890);
	/* of nothing, of what is not there, into itself */
	copy(inbox, "7:9", other, false, "", "");
	copy(inbox, "2:2", inbox, false, "2", "4");
	copy(inbox, "2:3", inbox, true, "2:3", "5:6");
	assert_int_equal(count(inbox), 4);
	copy(inbox, "1:100", other, true, "1,4:6", "4:7");
	assert_int_equal(count(inbox), 0);
	assert_int_equal(count(other), 7);
	assert_int_equal(mail_account_settle(account, &why), MAIL_OK);
	mailbox_close(&other);
	mailbox_close(&inbox);
	mail_account_close(&account);
	/* all of that is in the files */
	assert_int_equal(system("rm m/posthaste.index*"), 0);
	open_account(0, 0);
	other = open_box("x");
	assert_int_equal(count(other), 7);
	assert_true(has_keyword(other, 2, "k29"));
	assert_true(has_keyword(other, 2, "k0"));
	mailbox_close(&other);
	mail_account_close(&account);
}

/* A file that another program removed, or renamed, without our seeing it. */
static void
test_copy_under_our_hands(void **state)
{
	struct mailbox *inbox, *other;
	uint32_t uid;

	(void)state;
	open_account(0, 0);
	assert_int_equal(mail_folder_create(account, SPAN("x"), 0, &why),
	    MAIL_OK);
	inbox = open_box("INBOX");
	other = open_box("x");
	for (int i = 0; i < 3; i++)
		assert_int_equal(append(inbox, "a\r\n", 0, 0, &uid), MAIL_OK);
	assert_int_equal(system("rm m/cur/*,U=2:2,"), 0);
	assert_int_equal(system("f=$(echo m/cur/*,U=3:2,); mv $f ${f}F"), 0);
	copy(inbox, "1:3", other, true, "1,3", "1,3");
	assert_int_equal(count(other), 2);
	/* the flag that it was renamed for came along */
	assert_int_equal(message(other, 3).flags, MAIL_FLAGGED);
	mailbox_close(&other);
	mailbox_close(&inbox);
	mail_account_close(&account);
}

/* A folder that is a link to another file system. */
static void
test_other_device(void **state)
{
	char path[] = "/dev/shm/store.XXXXXX", command[200];
	struct mailbox *inbox, *other;
	struct stat here, there;
	uint32_t uid;

	(void)state;
	if (mkdtemp(path) == NULL || stat(path, &there) != 0 ||
	    stat(".", &here) != 0 || here.st_dev == there.st_dev)
		skip();
	open_account(0, 0);
	assert_int_equal(symlink(path, "m/.far"), 0);
	inbox = open_box("INBOX");
	other = open_box("far");
	for (int i = 0; i < 3; i++)
		assert_int_equal(append(inbox, "a\r\n", 0, 0, &uid), MAIL_OK);
	copy(inbox, "1:2", other, false, "1:2", "1:2");
	assert_int_equal(message(other, 1).internal_date, 1234567890);
	copy(inbox, "1:3", other, true, "1:3", "3:5");
	assert_int_equal(count(inbox), 0);
	assert_int_equal(count(other), 5);
	assert_int_equal(message(other, 5).size, 3);
	mailbox_close(&other);
	mailbox_close(&inbox);
	mail_account_close(&account);
	snprintf(command, sizeof(command), "rm -rf %s", path);
	assert_int_equal(system(command), 0);
}

/* ---- moves whose folders are, or seem to be, apart ---- */

static bool refuse_moves, refuse_flush;
static int flushed_at, unlinked_at, calls;

int __real_renameat(int from, const char *old, int to, const char *new);
int __wrap_renameat(int from, const char *old, int to, const char *new);
int __real_unlinkat(int directory, const char *name, int flags);
int __wrap_unlinkat(int directory, const char *name, int flags);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_file_system_commit(int fd, dev_t device, enum file_time time);
int __wrap_file_system_commit(int fd, dev_t device, enum file_time time);
bool __wrap_file_system_is_loose(int fd);
int __wrap_file_system_settle_folder(int at, const char *path);
int __wrap_file_system_takes_changes(int fd, dev_t device, enum file_time time);

static bool given_up, loose;
static int commits, settled_back;
static ino_t moved[2], first_flushed; /* of these; 0: none yet */

int
__wrap_file_system_commit(int fd, dev_t device, enum file_time time)
{
	assert_int_equal(time, FILE_TIME_READ);
	assert_int_equal(device, 0);
	commits++;
	errno = EROFS;
	return given_up ? -1 : __real_file_system_commit(fd, device, time);
}

int
__wrap_file_system_takes_changes(int fd, dev_t device, enum file_time time)
{
	struct stat st;

	/* time and stamp of "cur" stay */
	assert_int_equal(time, FILE_TIME_READ);
	assert_int_equal(device, 0);
	assert_int_equal(fstatat(fd, "cur", &st, 0), 0);
	errno = EROFS;
	return given_up ? -1 : 0;
}

bool
__wrap_file_system_is_loose(int fd)
{
	(void)fd;
	return loose;
}

int
__wrap_file_system_settle_folder(int at, const char *path)
{
	(void)at;
	if (strcmp(path, "tmp") != 0) { /* where folders are made */
		assert_string_equal(path, "cur");
		settled_back++;
	}
	return 0;
}

/* As over a bind mount: from one folder to another it is refused. */
int
__wrap_renameat(int from, const char *old, int to, const char *new)
{
	if (refuse_moves && strncmp(old, "cur/", 4) == 0) {
		errno = EXDEV;
		return -1;
	}
	return __real_renameat(from, old, to, new);
}

int
__wrap_unlinkat(int directory, const char *name, int flags)
{
	calls++;
	if (strncmp(name, "cur/", 4) == 0 && unlinked_at == 0)
		unlinked_at = calls;
	return __real_unlinkat(directory, name, flags);
}

int
__wrap_fsync(int fd)
{
	struct stat st;

	calls++;
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		if (refuse_flush) {
			errno = EIO;
			return -1;
		}
		flushed_at = calls;
		if (first_flushed == 0 &&
		    (st.st_ino == moved[0] || st.st_ino == moved[1]))
			first_flushed = st.st_ino;
	}
	return __real_fsync(fd);
}

/* INBOX with three messages, all on disk, and an empty folder "x". */
static void
open_two(struct mailbox **inbox, struct mailbox **other)
{
	uint32_t uid;

	open_account(0, 0);
	assert_int_equal(mail_folder_create(account, SPAN("x"), 0, &why),
	    MAIL_OK);
	*inbox = open_box("INBOX");
	*other = open_box("x");
	for (int i = 0; i < 3; i++)
		assert_int_equal(append(*inbox, "a\r\n", 0, 0, &uid), MAIL_OK);
	assert_int_equal(mail_account_settle(account, &why), MAIL_OK);
}

static void
test_refused_rename(void **state)
{
	struct mailbox *inbox, *other;
	struct mail_copies copies;
	struct uid_set two = { 0 };

	(void)state;
	open_two(&inbox, &other);
	refuse_moves = true;
	/* copies that may not stay: no source goes, and no copy is left */
	refuse_flush = true;
	uid_set_add_range(&two, 1, 2);
	assert_int_equal(mailbox_copy(inbox, &two, other,
			     &(struct mail_copying){ .move = true }, &copies,
			     &why),
	    MAIL_FAILED);
	uid_set_fini(&two);
	refuse_flush = false;
	assert_int_equal(mailbox_sync(other, &why), MAIL_OK);
	assert_int_equal(mailbox_sync(inbox, &why), MAIL_OK);
	assert_int_equal(count(inbox), 3);
	assert_int_equal(count(other), 0);
	calls = flushed_at = unlinked_at = 0;
	copy(inbox, "1:2", other, true, "1:2", "1:2");
	assert_true(flushed_at > 0 && unlinked_at > flushed_at);
	assert_int_equal(count(inbox), 1);
	assert_int_equal(count(other), 2);
	refuse_moves = false;
	mailbox_close(&other);
	mailbox_close(&inbox);
	mail_account_close(&account);
}

static ino_t
inode(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

/* Where a name may be lost with the old one: whatever was opened first. */
static void
test_moved_names_are_flushed_first(void **state)
{
	struct mailbox *inbox, *other;
	struct mail_copies copies;
	struct uid_set one = { 0 };

	(void)state;
	open_two(&inbox, &other);
	moved[0] = inode("m/cur");
	moved[1] = inode("m/.x/cur");
	loose = true;
	first_flushed = 0;
	copy(inbox, "1:2", other, true, "1:2", "1:2");
	assert_int_equal(mail_account_settle(account, &why), MAIL_OK);
	assert_int_equal(first_flushed, moved[1]);
	first_flushed = 0;
	copy(other, "1:2", inbox, true, "1:2", "4:5");
	assert_int_equal(mail_account_settle(account, &why), MAIL_OK);
	assert_int_equal(first_flushed, moved[0]);
	/* what goes back has moved as well; alone, or with others */
	for (uint32_t n = 1; n <= 2; n++) {
		refuse_flush = true;
		settled_back = 0;
		uid_set_add_range(&one, 3, 2 + n);
		assert_int_equal(mailbox_copy(inbox, &one, other,
				     &(struct mail_copying){ .move = true },
				     &copies, &why),
		    MAIL_FAILED);
		refuse_flush = false;
		assert_int_equal(settled_back, 1);
	}
	uid_set_fini(&one);
	assert_int_equal(mailbox_sync(inbox, &why), MAIL_OK);
	assert_int_equal(count(inbox), 3);
	loose = false;
	mailbox_close(&other);
	mailbox_close(&inbox);
	mail_account_close(&account);
}

/* Flushed, and then its device takes no changes any more. */
static void
test_a_device_that_was_given_up(void **state)
{
	struct mailbox *m, *to;
	uint32_t uid;

	(void)state;
	open_account(0, 0);
	m = open_box("INBOX");
	given_up = true;
	assert_int_equal(append(m, "a\r\n", 0, 0, &uid), MAIL_READ_ONLY);
	given_up = false;
	assert_int_equal(count(m), 0);
	assert_int_equal(append(m, "a\r\n", 0, 0, &uid), MAIL_OK);
	assert_int_equal(mail_folder_create(account, SPAN("x"), 0, &why),
	    MAIL_OK);
	to = open_box("x");
	copy(m, "1:1", to, false, "1", "1");
	given_up = true;
	assert_int_not_equal(mail_account_settle(account, &why), MAIL_OK);
	given_up = false;
	/* nor anything more */
	assert_int_equal(mail_account_settle(account, &why), MAIL_FAILED);
	mailbox_close(&to);
	mailbox_close(&m);
	mail_account_close(&account);
}

/* Another process was killed; we have had the account open all along. */
static void
test_part_of_a_dead_one(void **state)
{
	struct mailbox *inbox, *other;
	char journal[256];
	uint32_t uid;

	(void)state;
	open_account(0, 0);
	assert_int_equal(mail_folder_create(account, SPAN("x"), 0, &why),
	    MAIL_OK);
	inbox = open_box("INBOX");
	other = open_box("x");
	assert_int_equal(append(inbox, "a\r\n", 0, 0, &uid), MAIL_OK);
	file_put("m/.x/cur/1.part,U=1:2,", "a\r\n");
	snprintf(journal, sizeof(journal),
	    "posthaste-arriving 2\nboot\t%s\nto\t.x\ncopy\t0.part,U=1:2,\n"
	    "end\ncopy\t1.part,U=1:2,\nend\ncopy\t2.pa",
	    mail_index_boot());
	file_put("m/posthaste-arriving", journal);
	assert_int_equal(mailbox_sync(other, &why), MAIL_OK);
	assert_int_equal(count(other), 0);
	assert_int_not_equal(access("m/posthaste-arriving", F_OK), 0);
	mailbox_close(&other);
	mailbox_close(&inbox);
	mail_account_close(&account);
}

/* Who is told how far a copy is. */
struct listener {
	unsigned int calls, held;
	uint64_t last;
	unsigned int end_at; /* calls; 0: never */
};

static bool
hear(void *with, uint64_t done, uint64_t all, bool held)
{
	struct listener *l = with;

	assert_true(done >= l->last && done <= all);
	assert_int_equal(all, 1000);
	l->last = done;
	l->held += held;
	return ++l->calls != l->end_at;
}

/* From "from" to "to", 1,000 messages: what is told meanwhile. */
static void
tell_of_copies(struct mailbox *from, struct mailbox *to)
{
	struct listener held = { 0 }, free = { 0 }, ended = { .end_at = 1 };
	struct mail_copying how = { .tell = hear, .with = &held };
	struct mail_copies copies;
	struct uid_set all = { 0 };
	uint32_t before = count(to);

	assert_int_equal(mailbox_uids(from, 0, &all, &why), MAIL_OK);
	assert_int_equal(mailbox_copy(from, &all, to, &how, &copies, &why),
	    MAIL_OK);
	mail_copies_fini(&copies);
	assert_true(held.calls >= 4 && held.held == held.calls);
	assert_true(held.last >= 500);
	how.with = &free;
	assert_int_equal(mailbox_copy_across(from, &all, to, &how, &copies,
			     &why),
	    MAIL_OK);
	mail_copies_fini(&copies);
	assert_true(free.calls >= 4 && free.held == 0);
	assert_true(free.last >= 500);
	/* that one may end it, and then there is nothing of it */
	how.with = &ended;
	assert_int_equal(mailbox_copy_across(from, &all, to, &how, &copies,
			     &why),
	    MAIL_FAILED);
	mail_copies_fini(&copies);
	assert_int_equal(ended.calls, 1);
	assert_int_equal(count(to), before + 2000);
	uid_set_fini(&all);
}

/* The number is only told: machines differ. */
static void
test_thousand(void **state)
{
	struct mail_append_message how = { .internal_date = INT64_MIN };
	struct mailbox *inbox, *other;
	struct uid_set uids = { 0 };
	struct mail_append *a;
	uint32_t validity;
	int64_t start;

	(void)state;
	open_account(0, 0);
	assert_int_equal(mail_folder_create(account, SPAN("x"), 0, &why),
	    MAIL_OK);
	inbox = open_box("INBOX");
	other = open_box("x");
	commits = 0;
	a = mail_append_new(inbox);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(mail_append_begin(a, &how, 1, &why), MAIL_OK);
		assert_int_equal(mail_append_write(a, "x\r\n", 3, &why),
		    MAIL_OK);
	}
	assert_int_equal(mail_append_commit(a, &validity, &uids, &why),
	    MAIL_OK);
	/* its device is asked for all */
	assert_int_equal(commits, 1);
	mail_append_free(&a);
	uid_set_fini(&uids);
	start = clock_wall_us();
	copy(inbox, "1:1000", other, true, "1:1000", "1:1000");
	assert_int_equal(mail_account_settle(account, &why), MAIL_OK);
	print_message("1,000 moved in %lld us\n",
	    (long long)(clock_wall_us() - start));
	start = clock_wall_us();
	copy(other, "1:1000", inbox, false, "1:1000", "1001:2000");
	assert_int_equal(mail_account_settle(account, &why), MAIL_OK);
	print_message("1,000 copied in %lld us\n",
	    (long long)(clock_wall_us() - start));
	assert_int_equal(count(inbox), 1000);
	assert_int_equal(count(other), 1000);
	tell_of_copies(other, inbox);
	mailbox_close(&other);
	mailbox_close(&inbox);
	mail_account_close(&account);
}

#define IN_FOLDER(test) \
	cmocka_unit_test_setup_teardown(test, folder_enter, folder_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(test_forms),
		IN_FOLDER(test_cut_anywhere),
		IN_FOLDER(test_many),
		IN_FOLDER(test_quota),
		IN_FOLDER(test_tmp),
		IN_FOLDER(test_together),
		IN_FOLDER(test_copy),
		IN_FOLDER(test_copy_under_our_hands),
		IN_FOLDER(test_other_device),
		IN_FOLDER(test_refused_rename),
		IN_FOLDER(test_moved_names_are_flushed_first),
		IN_FOLDER(test_a_device_that_was_given_up),
		IN_FOLDER(test_part_of_a_dead_one),
		IN_FOLDER(test_thousand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
