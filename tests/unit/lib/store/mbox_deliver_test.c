/* SPDX-License-Identifier: ISC */
#include "tests/unit/lib/store/folder.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <utime.h>

#include "lib/base/fdio.h"
#include "lib/base/file_system.h"
#include "lib/store/mbox_deliver.h"

#define CONTENT "Subject: x\r\n\r\nFrom here\r\nlast"

/* What was done, in its order: a letter each. */
static char done[16];

static void
did(char what)
{
	size_t n = strlen(done);

	assert_in_range(n, 0, sizeof(done) - 2);
	done[n] = what;
	done[n + 1] = '\0';
}

int __wrap_ftruncate(int fd, off_t size);
int __wrap_futimens(int fd, const struct timespec times[2]);
int __wrap_fdatasync(int fd);
int __wrap_file_system_commit(int fd, dev_t device, enum file_time time);
int __real_ftruncate(int fd, off_t size);
int __real_futimens(int fd, const struct timespec times[2]);

static bool cuts_fail; /* of the mailbox */

int
__wrap_ftruncate(int fd, off_t size)
{
	struct stat here, box;

	did('t');
	if (cuts_fail && fstat(fd, &here) == 0 && stat("box", &box) == 0 &&
	    here.st_ino == box.st_ino) {
		errno = EIO;
		return -1;
	}
	return __real_ftruncate(fd, size);
}

int
__wrap_futimens(int fd, const struct timespec times[2])
{
	did('u');
	return __real_futimens(fd, times);
}

int
__wrap_fdatasync(int fd)
{
	(void)fd;
	did('d');
	return 0;
}

/* By its time of access others know whether mail is new. */
static bool given_up;

int
__wrap_file_system_commit(int fd, dev_t device, enum file_time time)
{
	struct stat st;

	did('f');
	assert_int_equal(time, FILE_TIME_WRITTEN);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(device, st.st_dev);
	errno = EROFS;
	return given_up ? -1 : 0;
}

static struct mbox_options
options(void)
{
	return (struct mbox_options){ .locks = MBOX_FCNTL | MBOX_DOTLOCK,
		.attempts = 1,
		.delay_s = 0,
		.stale_s = 500,
		.owner_only = true,
		.owner = getuid(),
		.sender = "a@b",
		.subject = "mailbox" };
}

static enum verdict
attempt(const struct mbox_options *o, struct why *why)
{
	struct deliver_source s = { .queue_id = "4a",
		.host = "h",
		.size = (off_t)strlen(CONTENT),
		.headers = SPAN("Delivered-To: x@y\r\n") };
	enum verdict v;

	file_put("q", CONTENT);
	s.fd = open("q", O_RDONLY);
	done[0] = '\0';
	v = mbox_deliver(AT_FDCWD, "box", "/x/box", &s, o, why);
	close(s.fd);
	return v;
}

static enum verdict
deliver(const struct mbox_options *o, struct why *why)
{
	enum verdict v = attempt(o, why);

	assert_int_equal(access("box.lock", F_OK), -1);
	return v;
}

/* By access before the change readers and shells know of new mail. */
static void
test_new_mail_shows_in_its_times(void **state)
{
	struct mbox_options o = options();
	struct utimbuf times[] = { { .actime = 2000, .modtime = 1000 },
		{ .actime = 1000, .modtime = 2000 } };
	struct stat st;
	struct why why;

	(void)state;
	for (int i = 0; i < 2; i++) {
		file_put("box", "From a  b\n\nread\n\n");
		assert_int_equal(utime("box", &times[i]), 0);
		assert_int_equal(deliver(&o, &why), OK);
		assert_int_equal(stat("box", &st), 0);
		assert_int_equal(st.st_atime, times[i].actime);
		assert_true(st.st_mtime > 2000);
	}
}

/* The note in the lock goes, then one flush is for both. */
static void
test_flushes(void **state)
{
	struct mbox_options o = options();
	struct why why;
	int here = open(".", O_RDONLY | O_DIRECTORY), lock, elsewhere;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(deliver(&o, &why), OK);
		assert_string_equal(done,
		    fd_is_ordered(here) && !file_system_is_loose(here) ? "tuf" :
									 "tdf");
	}
	/* a mailbox elsewhere has a journal of its own */
	lock = mbox_dotlock_take(AT_FDCWD, "box", 500);
	elsewhere = memfd_create("box", MFD_CLOEXEC);
	assert_true(lock >= 0 && elsewhere >= 0);
	done[0] = '\0';
	assert_int_equal(mbox_dotlock_appended(lock, elsewhere), 0);
	assert_string_equal(done, "td");
	mbox_dotlock_give_back(AT_FDCWD, "box", &lock);
	close(elsewhere);
	/* without a dot-lock there is no note */
	o.locks = MBOX_FCNTL;
	assert_int_equal(deliver(&o, &why), OK);
	assert_string_equal(done, "f");
	close(here);
}

/* It is not told as delivered, and cut off as far as that can be done. */
static void
test_a_device_that_was_given_up(void **state)
{
	struct mbox_options o = options();
	struct why why;

	(void)state;
	file_put("box", "From x\n\nold\n\n");
	given_up = true;
	assert_int_equal(deliver(&o, &why), LATER);
	given_up = false;
	assert_string_equal(file_get("box"), "From x\n\nold\n\n");
}

/*
 * Not taken, amid it or when all of it was written, and there to stay: under
 * its lock, until one comes who can cut it off.
 */
static void
test_what_cannot_be_cut_off(void **state)
{
	static const char old[] = "From x\n\nold\n\n";
	struct mbox_options o = options();
	char *left;
	struct why why;

	(void)state;
	for (int all = 0; all < 2; all++) {
		file_put("box", old);
		cuts_fail = true;
		given_up = all;
		o.limit = all ? 0 : 40;
		assert_int_equal(attempt(&o, &why), LATER);
		assert_non_null(strstr(why.text, "truncating"));
		assert_int_equal(access("box.lock", F_OK), 0);
		left = strdup(file_get("box"));
		assert_int_equal(strncmp(left + strlen(old), "From a@b  ", 10),
		    0);
		given_up = false;
		o.limit = 0;
		assert_int_equal(attempt(&o, &why), LATER);
		assert_non_null(strstr(why.text, "unable to lock"));
		assert_string_equal(file_get("box"), left);
		free(left);
		cuts_fail = false;
		assert_int_equal(deliver(&o, &why), OK);
		left = strdup(file_get("box"));
		assert_int_equal(strncmp(left, old, strlen(old)), 0);
		assert_int_equal(strncmp(left + strlen(old), "From a@b  ", 10),
		    0);
		assert_null(strstr(left + strlen(old) + 1, "From a@b  "));
		free(left);
	}
}

static void
test_append(void **state)
{
	struct mbox_options o = options();
	struct why why;
	const char *text;
	struct stat st;

	(void)state;
	assert_int_equal(deliver(&o, &why), OK);
	text = file_get("box");
	assert_int_equal(strncmp(text, "From a@b  ", 10), 0);
	assert_string_equal(strchr(text, '\n'),
	    "\nDelivered-To: x@y\n"
	    "Subject: x\n\n>From here\nlast\n\n");
	assert_int_equal(stat("box", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	o.sender = "";
	assert_int_equal(deliver(&o, &why), OK);
	assert_non_null(
	    strstr(file_get("box"), "last\n\nFrom MAILER-DAEMON  "));
}

static void
test_torn_message(void **state)
{
	struct mbox_options o = options();
	struct why why;

	(void)state;
	file_put("box", "From x\n\nhalf a li");
	assert_int_equal(deliver(&o, &why), OK);
	assert_non_null(strstr(file_get("box"), "half a li\n\nFrom a@b  "));
}

/* Killed in the middle: who locks next cuts off what there is of it. */
static void
test_killed(void **state)
{
	static char content[200000];
	struct mbox_options o = options();
	struct deliver_source s = { .queue_id = "4a",
		.host = "h",
		.size = sizeof(content),
		.headers = SPAN("Delivered-To: x@y\r\n") };
	struct why why;
	int status, lock;

	(void)state;
	memset(content, 'x', sizeof(content));
	s.fd = open("q", O_RDWR | O_CREAT, 0600);
	assert_int_equal(write(s.fd, content, sizeof(content)),
	    sizeof(content));
	for (int special = 0; special < 2; special++) {
		o.any_type = special;
		file_put("box", "From x\n\nold");
		if (fork() == 0) {
			struct rlimit none = { 0, 0 }, some = { 90000, 90000 };

			setrlimit(RLIMIT_CORE, &none);
			setrlimit(RLIMIT_FSIZE, &some);
			mbox_deliver(AT_FDCWD, "box", "/x/box", &s, &o, &why);
			_exit(0);
		}
		wait(&status);
		assert_true(WIFSIGNALED(status));
		assert_true(strlen(file_get("box")) > 60000);
		lock = mbox_dotlock_take(AT_FDCWD, "box", 500);
		assert_true(lock >= 0);
		mbox_dotlock_give_back(AT_FDCWD, "box", &lock);
		/* in a file that is no mailbox nobody knows whose it is */
		if (special)
			assert_true(strlen(file_get("box")) > 60000);
		else
			assert_string_equal(file_get("box"), "From x\n\nold");
	}
	close(s.fd);
}

static void
test_limit(void **state)
{
	struct mbox_options o = options();
	struct why why;

	(void)state;
	file_put("box", "old\n");
	o.limit = 40;
	assert_int_equal(deliver(&o, &why), NEVER);
	assert_string_equal(why.dsn, "5.2.2");
	assert_string_equal(file_get("box"), "old\n");
	o.limit = 3;
	assert_int_equal(deliver(&o, &why), NEVER);
	assert_string_equal(file_get("box"), "old\n");
}

static void
test_hostile(void **state)
{
	struct mbox_options o = options();
	struct why why;

	(void)state;
	file_put("victim", "precious\n");
	assert_int_equal(symlink("victim", "box"), 0);
	assert_int_equal(deliver(&o, &why), NEVER);
	assert_non_null(strstr(why.text, "symbolic link"));
	unlink("box");
	assert_int_equal(link("victim", "box"), 0);
	assert_int_equal(deliver(&o, &why), NEVER);
	assert_non_null(strstr(why.text, "more than one link"));
	unlink("box");
	assert_string_equal(file_get("victim"), "precious\n");
	assert_int_equal(mkfifo("box", 0600), 0);
	assert_int_not_equal(deliver(&o, &why), OK);
	o.any_type = true;
	assert_int_not_equal(deliver(&o, &why), OK);
	unlink("box");
	assert_int_equal(mkdir("box", 0700), 0);
	assert_int_equal(deliver(&o, &why), NEVER);
	rmdir("box");
	file_put("box", "");
	o = options();
	o.owner = getuid() + 1;
	assert_int_equal(deliver(&o, &why), LATER);
	assert_non_null(strstr(why.text, "not owned by recipient"));
	assert_string_equal(file_get("box"), "");
}

static enum verdict
deliver_raw(const struct mbox_options *o, struct why *why)
{
	struct deliver_source s = { .queue_id = "4a", .host = "h" };
	enum verdict v;

	file_put("q", "");
	s.fd = open("q", O_RDONLY);
	v = mbox_deliver(AT_FDCWD, "box", "/x/box", &s, o, why);
	close(s.fd);
	return v;
}

static void
test_dot_lock(void **state)
{
	struct mbox_options o = options();
	struct utimbuf old = { 1000, 1000 };
	struct why why;

	(void)state;
	file_put("box.lock", "");
	assert_int_equal(deliver_raw(&o, &why), LATER);
	assert_string_equal(why.dsn, "4.2.0");
	assert_int_equal(access("box.lock", F_OK), 0);
	/* one that nobody holds any more */
	assert_int_equal(utime("box.lock", &old), 0);
	o.attempts = 2;
	assert_int_equal(deliver_raw(&o, &why), OK);
	assert_int_equal(access("box.lock", F_OK), -1);
}

static void
test_fcntl_lock(void **state)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct mbox_options o = options();
	struct why why;
	int ready[2], status, fd;
	pid_t child;
	char byte;

	(void)state;
	file_put("box", "old\n");
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		fd = open("box", O_RDWR);
		if (fcntl(fd, F_SETLK, &whole) != 0)
			_exit(1);
		(void)!write(ready[1], "x", 1);
		pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(deliver(&o, &why), LATER);
	assert_string_equal(file_get("box"), "old\n");
	kill(child, 9);
	waitpid(child, &status, 0);
	assert_int_equal(deliver(&o, &why), OK);
	close(ready[0]);
	close(ready[1]);
}

static void
test_lock_words(void **state)
{
	unsigned int locks = 0;

	(void)state;
	assert_true(mbox_locks_parse("flock, dotlock", &locks));
	assert_int_equal(locks, MBOX_FLOCK | MBOX_DOTLOCK);
	assert_false(mbox_locks_parse("fcntl lockf", &locks));
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_enter, folder_leave)
	const struct CMUnitTest tests[] = {
		TEST(test_append),
		TEST(test_new_mail_shows_in_its_times),
		TEST(test_flushes),
		TEST(test_a_device_that_was_given_up),
		TEST(test_what_cannot_be_cut_off),
		TEST(test_torn_message),
		TEST(test_killed),
		TEST(test_limit),
		TEST(test_hostile),
		TEST(test_dot_lock),
		TEST(test_fcntl_lock),
		cmocka_unit_test(test_lock_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
