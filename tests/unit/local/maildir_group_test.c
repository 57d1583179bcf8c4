/* SPDX-License-Identifier: ISC */
#include "tests/unit/lib/store/folder.h"

#include <errno.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "lib/base/file_system.h"
#include "lib/store/maildir_deliver.h"
#include "local/maildir_group.h"

#define CONTENT "Subject: x\r\n\r\ntext\r\n"

enum { BOXES = 20, FEW = 3 };

static unsigned int became, restored;

void __wrap_identity_become(const char *name, uid_t uid, gid_t gid);
void __wrap_identity_restore(void);

void
__wrap_identity_become(const char *name, uid_t uid, gid_t gid)
{
	assert_null(name);
	assert_int_equal(uid % 100, gid);
	assert_int_equal(became, restored);
	became++;
}

void
__wrap_identity_restore(void)
{
	restored++;
	assert_int_equal(became, restored);
}

/* What was flushed, and what shall fail. */
static struct {
	unsigned int files, devices;
	int fail_file; /* of this number; 0: none */
	bool fail_device;
	int refuses; /* with this errno: changes */
	unsigned int asked, in_vain; /* not as the owner */
	unsigned int renamed_first; /* in new/ at the first flush */
} disk;

static unsigned int
in_new(void)
{
	unsigned int n = 0;
	char path[32];

	for (int i = 0; i < BOXES; i++) {
		snprintf(path, sizeof(path), "box%d/new", i);
		n += access(path, F_OK) == 0 && only_entry(path)[0] != '\0';
	}
	return n;
}

static void
first_flush(void)
{
	if (disk.files + disk.devices == 0)
		disk.renamed_first = in_new();
}

int __wrap_fsync(int fd);
int __wrap_syncfs(int fd);
int __wrap_futimens(int fd, const struct timespec times[2]);
int __wrap_file_system_takes_changes(int fd, dev_t device, enum file_time time);

int
__wrap_fsync(int fd)
{
	(void)fd;
	first_flush();
	if (++disk.files == (unsigned int)disk.fail_file) {
		errno = EIO;
		return -1;
	}
	return 0;
}

int
__wrap_syncfs(int fd)
{
	(void)fd;
	first_flush();
	disk.devices++;
	errno = EIO;
	return disk.fail_device ? -1 : 0;
}

static int
is_asked(void)
{
	disk.asked++;
	disk.in_vain += became == restored;
	errno = disk.refuses;
	return disk.refuses != 0 ? -1 : 0;
}

/* Behind all of a device. */
int
__wrap_futimens(int fd, const struct timespec times[2])
{
	(void)fd;
	assert_int_equal(times[1].tv_nsec, UTIME_OMIT);
	return is_asked();
}

int
__wrap_file_system_takes_changes(int fd, dev_t device, enum file_time time)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(device, st.st_dev);
	assert_int_equal(time, FILE_TIME_READ);
	return is_asked();
}

static enum verdict told[BOXES];
static unsigned int tellings;

void
request_outcome(struct request *r, size_t index, enum verdict v,
    const char *action, const struct why *why)
{
	(void)r;
	assert_in_range(index, 0, BOXES - 1);
	assert_string_equal(action, "delivered");
	assert_string_equal(why->dsn, v == OK ? "2.0.0" : "4.3.0");
	told[index] = v;
	tellings++;
}

static int
box(int i)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "box%d", i);
	fd = maildir_open(AT_FDCWD, path, true);
	assert_true(fd >= 0);
	return fd;
}

static void
add(struct maildir_group *g, int i, int maildir)
{
	struct deliver_source s = { .queue_id = "4abc",
		.host = "host",
		.fd = open("q", O_RDONLY),
		.size = (off_t)strlen(CONTENT),
		.headers = SPAN("Return-Path: <a@b>\r\n") };
	struct why why = { 0 };

	assert_true(s.fd >= 0);
	assert_int_equal(maildir_group_add(g, (size_t)i, maildir, 100, 0, &s,
			     DELIVER_CRLF, 0, &why),
	    OK);
	assert_true(maildir_group_tells(g, (size_t)i));
	assert_false(maildir_group_tells(g, (size_t)i + 1));
	close(s.fd);
}

static void
deliver(int boxes)
{
	struct maildir_group *g = maildir_group_new(NULL);

	file_put("q", CONTENT);
	memset(told, -1, sizeof(told));
	tellings = 0;
	for (int i = 0; i < boxes; i++) {
		int maildir = box(i);

		assert_false(maildir_group_must_flush(g, maildir));
		add(g, i, maildir);
		assert_true(maildir_group_must_flush(g, maildir));
		close(maildir);
	}
	assert_int_equal(tellings, 0);
	maildir_group_free(&g);
	assert_int_equal(tellings, boxes);
}

static bool
is_ordered(void)
{
	struct statfs fs;

	assert_int_equal(statfs(".", &fs), 0);
	return fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC;
}

static void
expect_flushes(unsigned int devices, unsigned int files)
{
	assert_int_equal(disk.devices, devices);
	assert_int_equal(disk.files, files);
}

/* Rights are changed where the owner changes, and given back in the end. */
static void
test_one_owner_after_the_same(void **state)
{
	static const uid_t owners[] = { 101, 101, 101, 202, 101, 101 };
	struct maildir_group *g = maildir_group_new(NULL);

	(void)state;
	became = restored = 0;
	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++)
		maildir_group_act_as(g, owners[i], owners[i] % 100);
	assert_int_equal(became, 3);
	assert_int_equal(restored, 2);
	maildir_group_act_as_ourselves(g);
	maildir_group_act_as_ourselves(g);
	assert_int_equal(restored, 3);
	maildir_group_act_as(g, 101, 1);
	maildir_group_free(&g);
	assert_int_equal(became, 4);
	assert_int_equal(restored, 4);
	/* those that wait get their names as their owner */
	memset(&disk, 0, sizeof(disk));
	deliver(BOXES);
	assert_int_equal(became, 5);
	assert_int_equal(restored, 5);
}

/* All names are there when the first flush comes: it is one commit for all. */
static void
test_many_are_one_flush(void **state)
{
	(void)state;
	memset(&disk, 0, sizeof(disk));
	deliver(BOXES);
	if (!is_ordered()) {
		expect_flushes(0, 2 * BOXES);
		return;
	}
	expect_flushes(1, 1);
	assert_int_equal(disk.renamed_first, BOXES);
	assert_int_equal(in_new(), BOXES);
	for (int i = 0; i < BOXES; i++)
		assert_int_equal(told[i], OK);
}

static void
test_few_are_flushed_each(void **state)
{
	(void)state;
	memset(&disk, 0, sizeof(disk));
	deliver(FEW);
	expect_flushes(0, is_ordered() ? FEW : 2 * FEW);
	if (is_ordered())
		assert_int_equal(disk.renamed_first, FEW);
}

static void
test_a_device_that_fails_is_flushed_file_by_file(void **state)
{
	(void)state;
	if (!is_ordered())
		skip();
	disk = (typeof(disk)){ .fail_device = true, .fail_file = 5 };
	deliver(BOXES);
	expect_flushes(1, BOXES);
	assert_int_equal(in_new(), BOXES - 1);
	for (int i = 0; i < BOXES; i++)
		assert_int_equal(told[i], i == 4 ? LATER : OK);
	assert_string_equal(only_entry("box4/new"), "");
	assert_string_equal(only_entry("box4/tmp"), "");
}

/* As of a journal that was lost, of which syncfs says nothing. */
static void
test_a_device_whose_file_fails_is_flushed_file_by_file(void **state)
{
	(void)state;
	if (!is_ordered())
		skip();
	disk = (typeof(disk)){ .fail_file = 1 };
	deliver(BOXES);
	expect_flushes(1, 1 + BOXES);
	for (int i = 0; i < BOXES; i++)
		assert_int_equal(told[i], OK);
}

/* Each flush says that it is well; nothing is believed. */
static void
test_a_device_that_is_given_up(void **state)
{
	static const int boxes[] = { BOXES, FEW, 1 },
			 errors[] = { EROFS, EIO, ESHUTDOWN };

	(void)state;
	for (size_t i = 0; i < sizeof(boxes) / sizeof(boxes[0]); i++) {
		disk = (typeof(disk)){ .refuses = errors[i] };
		deliver(boxes[i]);
		for (int n = 0; n < boxes[i]; n++)
			assert_int_equal(told[n], LATER);
		assert_int_equal(in_new(), 0);
		assert_int_equal(disk.in_vain, 0);
	}
}

/* Few, of one device: behind the last. */
static void
test_a_device_is_asked_once(void **state)
{
	(void)state;
	memset(&disk, 0, sizeof(disk));
	deliver(FEW);
	assert_int_equal(disk.asked, 1);
	for (int n = 0; n < FEW; n++)
		assert_int_equal(told[n], OK);
}

static void
test_a_full_group_is_flushed_first(void **state)
{
	struct maildir_group *g = maildir_group_new(NULL);
	char path[32];

	(void)state;
	memset(&disk, 0, sizeof(disk));
	file_put("q", CONTENT);
	for (int i = 0; i < MAILDIR_GROUP_MAX; i++) {
		int maildir;

		snprintf(path, sizeof(path), "full%d", i);
		maildir = maildir_open(AT_FDCWD, path, true);
		assert_false(maildir_group_must_flush(g, maildir));
		add(g, i % BOXES, maildir);
		close(maildir);
	}
	assert_true(maildir_group_must_flush(g, AT_FDCWD));
	tellings = 0;
	maildir_group_flush(g);
	assert_int_equal(tellings, MAILDIR_GROUP_MAX);
	assert_false(maildir_group_must_flush(g, AT_FDCWD));
	maildir_group_free(&g);
	assert_int_equal(tellings, MAILDIR_GROUP_MAX);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_enter, folder_leave)
	const struct CMUnitTest tests[] = {
		TEST(test_one_owner_after_the_same),
		TEST(test_many_are_one_flush),
		TEST(test_few_are_flushed_each),
		TEST(test_a_device_that_fails_is_flushed_file_by_file),
		TEST(test_a_device_whose_file_fails_is_flushed_file_by_file),
		TEST(test_a_device_that_is_given_up),
		TEST(test_a_device_is_asked_once),
		TEST(test_a_full_group_is_flushed_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
