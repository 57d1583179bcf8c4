/* SPDX-License-Identifier: ISC */
#include "tests/unit/lib/store/folder.h"

#include <errno.h>

#include "lib/store/beneath.h"
#include "lib/store/maildir_deliver.h"
#include "lib/store/maildir_trailer.h"

#define CONTENT "Subject: x\r\n\r\nFrom here\r\nlast"

static struct deliver_source
source(int fd, off_t offset, const char *content)
{
	return (struct deliver_source){ .queue_id = "4abc",
		.host = "a:b/c",
		.fd = fd,
		.offset = offset,
		.size = (off_t)strlen(content),
		.headers = SPAN("Return-Path: <a@b>\r\n") };
}

static bool frees_late = true; /* whatever the test's folder is on */
static char steps[16]; /* 'f' for a flush, 'c' for a cut */
static bool flush_fails;

int __real_ftruncate(int fd, off_t size);
int __wrap_ftruncate(int fd, off_t size);
int __wrap_fsync(int fd);

static void
step(char what)
{
	size_t n = strlen(steps);

	assert_in_range(n, 0, sizeof(steps) - 2);
	steps[n] = what;
	steps[n + 1] = '\0';
}

int
__wrap_ftruncate(int fd, off_t size)
{
	step('c');
	return __real_ftruncate(fd, size);
}

int
__wrap_fsync(int fd)
{
	assert_true(fd >= 0);
	step('f');
	errno = EIO;
	return flush_fails ? -1 : 0;
}

bool __wrap_file_system_frees_late(int fd);

bool
__wrap_file_system_frees_late(int fd)
{
	assert_true(fd >= 0);
	return frees_late;
}

static int
queue_file(const char *name, const char *text)
{
	int fd;

	file_put(name, text);
	fd = open(name, O_RDWR);
	assert_true(fd >= 0);
	return fd;
}

static void
test_copy(void **state)
{
	int fd = queue_file("q", "prefix" CONTENT "TRAILER");
	struct deliver_source s = source(fd, 6, CONTENT);
	int maildir = maildir_open(AT_FDCWD, "a/b/box", true);
	struct why why;
	char name[1024];

	(void)state;
	assert_true(maildir >= 0);
	assert_int_equal(maildir_copy(maildir, &s, DELIVER_CRLF, 0, &why), OK);
	snprintf(name, sizeof(name), "%s", only_entry("a/b/box/new"));
	assert_string_equal(file_get(name), "Return-Path: <a@b>\r\n" CONTENT);
	assert_non_null(strstr(name, "_4abc.a\\072b\\057c,S=49,W=49"));
	assert_string_equal(only_entry("a/b/box/tmp"), "");
	assert_int_equal(unlink(name), 0);
	assert_int_equal(maildir_copy(maildir, &s, DELIVER_LF, 0, &why), OK);
	snprintf(name, sizeof(name), "%s", only_entry("a/b/box/new"));
	assert_string_equal(file_get(name),
	    "Return-Path: <a@b>\nSubject: x\n\nFrom here\nlast\n");
	assert_non_null(strstr(name, ",S=46,W=49"));
	close(maildir);
	close(fd);
}

static void
test_limit_leaves_nothing(void **state)
{
	int fd = queue_file("q", CONTENT);
	struct deliver_source s = source(fd, 0, CONTENT);
	int maildir = maildir_open(AT_FDCWD, "box", true);
	struct why why;

	(void)state;
	assert_int_equal(maildir_copy(maildir, &s, DELIVER_CRLF, 20, &why),
	    NEVER);
	assert_string_equal(why.dsn, "5.2.2");
	assert_string_equal(only_entry("box/new"), "");
	assert_string_equal(only_entry("box/tmp"), "");
	close(maildir);
	close(fd);
}

static void
test_move(void **state)
{
	int fd = queue_file("q", CONTENT "TRAILER");
	struct deliver_source s = source(fd, 0, CONTENT);
	int maildir = maildir_open(AT_FDCWD, "box", true);
	const struct maildir_place *to = maildir_place(*state, "box", getuid());
	struct stat st, before;
	char name[1024];

	assert_non_null(to);
	assert_int_equal(fstat(fd, &before), 0);
	assert_int_equal(maildir_move(to, &s, "q", s.size, getuid(), getgid()),
	    MAILDIR_MOVED);
	assert_int_equal(access("q", F_OK), -1);
	snprintf(name, sizeof(name), "%s", only_entry("box/new"));
	assert_string_equal(file_get(name), CONTENT);
	assert_non_null(strstr(name, ",S=29,W=29"));
	assert_int_equal(stat(name, &st), 0);
	assert_int_equal(st.st_ino, before.st_ino);
	assert_int_equal(st.st_mode & 07777, 0600);
	close(maildir);
	close(fd);
}

/* Where a cut may be on disk before the rename is. */
static void
test_flushed_before_and_behind_the_cut(void **state)
{
	static const struct {
		bool late, fails;
		const char *steps, *text;
	} rows[] = { { true, false, "c", CONTENT },
		{ false, false, "fcf", CONTENT },
		{ false, true, "f", CONTENT "TRAILER" } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = queue_file("q", CONTENT "TRAILER");
		struct deliver_source s = source(fd, 0, CONTENT);
		int maildir = maildir_open(AT_FDCWD, "box", true);
		const struct maildir_place *to =
		    maildir_place(*state, "box", getuid());
		const char *name;

		assert_non_null(to);
		frees_late = rows[i].late;
		flush_fails = rows[i].fails;
		steps[0] = '\0';
		assert_int_equal(maildir_move(to, &s, "q", s.size, getuid(),
				     getgid()),
		    MAILDIR_MOVED);
		assert_string_equal(steps, rows[i].steps);
		name = only_entry("box/new");
		assert_string_equal(file_get(name), rows[i].text);
		assert_int_equal(unlink(name), 0);
		close(maildir);
		close(fd);
	}
	frees_late = true;
	flush_fails = false;
}

/* By who reads the message of a move that was cut short. */
static void
test_trailer_is_cut_by_a_reader(void **state)
{
	static const struct {
		bool late, fails;
		const char *steps, *text;
	} rows[] = { { true, false, "c", CONTENT },
		{ false, false, "fcf", CONTENT },
		{ false, true, "f", CONTENT "TRAILER" } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = queue_file("q", CONTENT "TRAILER");
		struct stat st;

		assert_int_equal(fstat(fd, &st), 0);
		frees_late = rows[i].late;
		flush_fails = rows[i].fails;
		steps[0] = '\0';
		maildir_trailer_cut(&fd, "q", sizeof(CONTENT) - 1, &st);
		assert_int_equal(fd, -1);
		assert_string_equal(steps, rows[i].steps);
		assert_string_equal(file_get("q"), rows[i].text);
		assert_int_equal(st.st_size, strlen(rows[i].text));
	}
	frees_late = true;
	flush_fails = false;
}

static uid_t
owner_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(name, &st), 0);
	return st.st_uid;
}

/* A crash after the owner changed, and before the rename. */
static void
test_half_a_move_is_undone(void **state)
{
	int fd = queue_file("q", CONTENT), other = queue_file("other", CONTENT);

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chown("q", 65534, (gid_t)-1), 0);
	maildir_move_undo(".", "other", fd);
	assert_int_equal(owner_of("q"), 65534);
	maildir_move_undo(".", "q", other);
	assert_int_equal(owner_of("q"), 65534);
	assert_int_equal(link("q", "second"), 0);
	maildir_move_undo(".", "q", fd);
	assert_int_equal(owner_of("q"), 65534);
	assert_int_equal(unlink("second"), 0);
	maildir_move_undo(".", "q", fd);
	assert_int_equal(owner_of("q"), 0);
	close(fd);
	close(other);
}

/* In each case the queue file must stay where and as it is. */
static void
test_not_moved(void **state)
{
	int fd = queue_file("q", CONTENT "TRAILER");
	int other = queue_file("other", CONTENT);
	struct deliver_source s = source(fd, 0, CONTENT);
	int maildir = maildir_open(AT_FDCWD, "box", true);
	const struct maildir_place *to = maildir_place(*state, "box", getuid());
	const struct maildir_place elsewhere = { to->new, to->device + 1 };
	struct stat st;

	/* it is on another file system */
	assert_int_equal(maildir_move(&elsewhere, &s, "q", s.size, getuid(),
			     getgid()),
	    MAILDIR_NOT_MOVED);
	/* the name is not the file we hold */
	assert_int_equal(maildir_move(to, &s, "other", s.size, getuid(),
			     getgid()),
	    MAILDIR_NOT_MOVED);
	assert_int_equal(symlink("q", "link"), 0);
	assert_int_equal(maildir_move(to, &s, "link", s.size, getuid(),
			     getgid()),
	    MAILDIR_NOT_MOVED);
	/* the folder is no more */
	assert_int_equal(rmdir("box/new"), 0);
	assert_int_equal(maildir_move(to, &s, "q", s.size, getuid(), getgid()),
	    MAILDIR_NOT_MOVED);
	assert_int_equal(mkdir("box/new", 0700), 0);
	to = maildir_place(*state, "box", getuid());
	assert_non_null(to);
	/* somebody holds a second link */
	assert_int_equal(link("q", "second"), 0);
	assert_int_equal(maildir_move(to, &s, "q", s.size, getuid(), getgid()),
	    MAILDIR_NOT_MOVED);
	assert_string_equal(only_entry("box/new"), "");
	assert_string_equal(file_get("q"), CONTENT "TRAILER");
	assert_int_equal(stat("q", &st), 0);
	assert_int_equal(st.st_uid, getuid());
	close(maildir);
	close(other);
	close(fd);
}

static void
make_box(const char *path)
{
	int fd = maildir_open(AT_FDCWD, path, true);

	assert_true(fd >= 0);
	close(fd);
}

/* Is the place the folder that has this name now? */
static void
expect_place(const struct maildir_place *p, const char *name)
{
	struct stat st, named;

	assert_non_null(p);
	assert_int_equal(fstat(p->new, &st), 0);
	assert_int_equal(stat(name, &named), 0);
	assert_int_equal(st.st_ino, named.st_ino);
	assert_int_equal(p->device, named.st_dev);
}

static void
test_place_is_kept_as_long_as_it_is_what_it_was(void **state)
{
	const struct maildir_place *p;
	int kept;

	errno = 0;
	assert_null(maildir_place(*state, "box", getuid()));
	assert_int_equal(errno, ENOENT);
	assert_null(maildir_place("relative", "box", getuid()));
	make_box("box");
	p = maildir_place(*state, "box", getuid());
	expect_place(p, "box/new");
	kept = p->new;
	assert_int_equal(maildir_place(*state, "box", getuid())->new, kept);
	/* another one has its name now */
	assert_int_equal(rename("box", "old"), 0);
	make_box("box");
	expect_place(maildir_place(*state, "box", getuid()), "box/new");
	/* removed */
	assert_int_equal(rename("box", "gone"), 0);
	errno = 0;
	assert_null(maildir_place(*state, "box", getuid()));
	assert_int_equal(errno, ENOENT);
	/* and back again */
	assert_int_equal(rename("gone", "box"), 0);
	expect_place(maildir_place(*state, "box", getuid()), "box/new");
}

static void
test_place_is_its_owners_and_no_link(void **state)
{
	make_box("box");
	make_box("other");
	assert_non_null(maildir_place(*state, "box", getuid()));
	errno = 0;
	assert_null(maildir_place(*state, "box", getuid() + 1));
	assert_int_equal(errno, EPERM);
	if (getuid() == 0) {
		assert_int_equal(chown("box/new", 1, (gid_t)-1), 0);
		assert_null(maildir_place(*state, "box", 0));
		assert_non_null(maildir_place(*state, "box", 1));
		assert_int_equal(chown("box/new", 0, (gid_t)-1), 0);
		assert_null(maildir_place(*state, "box", 1));
	}
	assert_non_null(maildir_place(*state, "box", getuid()));
	assert_int_equal(rename("box/new", "elsewhere"), 0);
	assert_int_equal(symlink("../other/new", "box/new"), 0);
	assert_null(maildir_place(*state, "box", getuid()));
	/* a link of the table's, to where it may lead */
	assert_int_equal(symlink("other", "alias"), 0);
	expect_place(maildir_place(*state, "alias", getuid()), "other/new");
	assert_int_equal(symlink("/tmp", "out"), 0);
	assert_null(maildir_place(*state, "out", getuid()));
}

static void
test_places_are_bounded(void **state)
{
	char path[16], name[32];
	int first;

	for (int i = 0; i < 3 * MAILDIR_PLACES_MAX; i++) {
		snprintf(path, sizeof(path), "box%d", i);
		make_box(path);
	}
	first = maildir_place(*state, "box0", getuid())->new;
	for (int i = 1; i < 3 * MAILDIR_PLACES_MAX; i++) {
		snprintf(path, sizeof(path), "box%d", i);
		snprintf(name, sizeof(name), "box%d/new", i);
		expect_place(maildir_place(*state, path, getuid()), name);
		/* what is in use stays */
		assert_int_equal(maildir_place(*state, "box0", getuid())->new,
		    first);
	}
	assert_true(dup(first) < MAILDIR_PLACES_MAX + 20);
}

static void
test_beneath(void **state)
{
	static const char *const bad[] = { "", "/etc", "..", "a/../b", "a//b",
		"./a", "a/.", "a\nb", "../x" };
	int base, fd;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(beneath_valid(bad[i]));
		assert_int_equal(beneath_open(AT_FDCWD, bad[i], O_RDONLY, 0),
		    -1);
		assert_int_equal(beneath_make(AT_FDCWD, bad[i], 0700), -1);
	}
	assert_true(beneath_valid("a/..b/c..") && beneath_valid("a/"));
	assert_int_equal(mkdir("base", 0700), 0);
	assert_int_equal(mkdir("out", 0700), 0);
	assert_int_equal(symlink("../out", "base/leak"), 0);
	base = open("base", O_PATH | O_DIRECTORY);
	assert_int_equal(beneath_make(base, "x/y/z", 0700), 0);
	fd = beneath_open(base, "x/y/z", O_PATH | O_DIRECTORY, 0);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(symlink("x/y", "base/within"), 0);
	fd = beneath_open(base, "within/z", O_PATH | O_DIRECTORY, 0);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(beneath_open(base, "leak", O_PATH, 0), -1);
	assert_int_equal(beneath_make(base, "leak/new", 0700), -1);
	assert_int_equal(access("out/new", F_OK), -1);
	close(base);
}

/* Every size around the copying buffer, lines of every length. */
static void
test_conversion_at_buffer_ends(void **state)
{
	static const char end[] = "\r\nX-IMAPbase: 9\r\nFrom a\r\n\r\n"
				  "From b\r\nStatus: D\r\nlone\rcr\r";
	static const char made[] = "\nX-Sender-X-IMAPbase: 9\n>From a\n\n"
				   ">From b\nStatus: D\nlone\rcr\r\n";
	char *in = malloc(200000), *want = malloc(200000);
	(void)state;

	for (size_t lead = 65526; lead < 65546; lead++) {
		struct deliver_source s;
		size_t n;
		int fd, out;

		memset(in, 'x', lead);
		memcpy(in + lead, end, sizeof(end));
		memset(want, 'x', lead);
		memcpy(want + lead, made, sizeof(made));
		fd = queue_file("q", in);
		s = source(fd, 0, in);
		s.headers = SPAN("");
		out = open("out", O_RDWR | O_CREAT | O_TRUNC, 0600);
		assert_int_equal(deliver_copy(&s, DELIVER_MBOX, 0, out), 0);
		n = strlen(want);
		assert_int_equal(lseek(out, 0, SEEK_END), n);
		assert_memory_equal(file_get("out"), want, n);
		close(out);
		close(fd);
	}
	free(in);
	free(want);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_enter, folder_leave)
	const struct CMUnitTest tests[] = {
		TEST(test_copy),
		TEST(test_limit_leaves_nothing),
		TEST(test_move),
		TEST(test_not_moved),
		TEST(test_flushed_before_and_behind_the_cut),
		TEST(test_trailer_is_cut_by_a_reader),
		TEST(test_half_a_move_is_undone),
		TEST(test_place_is_kept_as_long_as_it_is_what_it_was),
		TEST(test_place_is_its_owners_and_no_link),
		TEST(test_places_are_bounded),
		TEST(test_beneath),
		TEST(test_conversion_at_buffer_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
