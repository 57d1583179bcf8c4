/* SPDX-License-Identifier: ISC */
#include "lib/store/maildir_size.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/store/maildir_deliver.h"

static void
files(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t bytes_limit, messages_limit;
		int64_t bytes, messages;
	} rows[] = {
		{ "1000S,10C\n500 2\n-100 -1\n", true, 1000, 10, 400, 1 },
		{ "10C,1000S\n0 0\n", true, 1000, 10, 0, 0 },
		{ "1000S\n         500            2\n", true, 1000, 0, 500, 2 },
		{ "\n5 1\n", true, 0, 0, 5, 1 },
		{ "1000S\n-5 -1\n", true, 1000, 0, -5, -1 },
		{ "", false, 0, 0, 0, 0 },
		{ "1000\n5 1\n", false, 0, 0, 0, 0 },
		{ "S\n", false, 0, 0, 0, 0 },
		{ "1000S\n5\n", false, 0, 0, 0, 0 },
		{ "1000S\n5 x\n", false, 0, 0, 0, 0 },
		{ "1S\n9223372036854775807 1\n1 1\n", false, 0, 0, 0, 0 },
	};
	struct maildir_size s;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (maildir_size_parse(span_of(rows[i].text), &s) !=
		    rows[i].good)
			fail_msg("%s", rows[i].text);
		if (!rows[i].good)
			continue;
		assert_int_equal(s.bytes_limit, rows[i].bytes_limit);
		assert_int_equal(s.messages_limit, rows[i].messages_limit);
		assert_int_equal(s.bytes, rows[i].bytes);
		assert_int_equal(s.messages, rows[i].messages);
	}
}

static void
limits(void **state)
{
	struct maildir_size s = { .bytes_limit = 100,
		.messages_limit = 2,
		.bytes = 60,
		.messages = 1 };

	(void)state;
	assert_true(maildir_size_allows(&s, 40, 1));
	assert_false(maildir_size_allows(&s, 41, 1));
	s.messages = 2;
	assert_false(maildir_size_allows(&s, 1, 1));
	s.messages_limit = 0;
	assert_true(maildir_size_allows(&s, 1, 1));
	s.bytes = 101;
	assert_false(maildir_size_allows(&s, 0, 1));
	s.bytes = -5;
	assert_true(maildir_size_allows(&s, 100, 1));
	s.bytes_limit = 0;
	assert_true(maildir_size_allows(&s, UINT64_MAX, 1));
}

static void
in_a_mailbox(void **state)
{
	char path[] = "/tmp/maildir_size_test.XXXXXX", name[100];
	int root, fd;

	(void)state;
	assert_non_null(mkdtemp(path));
	root = open(path, O_PATH | O_DIRECTORY);
	snprintf(name, sizeof(name), "%s/maildirsize", path);
	/* nobody counts: it is not begun */
	maildir_size_add(root, 50, 1);
	assert_true(maildir_size_room(root, 1 << 30));
	assert_int_equal(access(name, F_OK), -1);
	fd = open(name, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "100S\n10 1\n", 10), 10);
	close(fd);
	maildir_size_add(root, 50, 1);
	assert_true(maildir_size_room(root, 40));
	assert_false(maildir_size_room(root, 41));
	maildir_size_add(root, -50, -1);
	assert_true(maildir_size_room(root, 90));
	/* a link may lead anywhere */
	unlink(name);
	assert_int_equal(symlink("/etc/passwd", name), 0);
	assert_true(maildir_size_room(root, 1 << 30));
	unlink(name);
	close(root);
	rmdir(path);
}

/* What somebody else writes before our next line, and before the one behind. */
static const char *others[2];

/* A file that nobody may begin to count amid a line of less; NULL: none. */
static const char *shared_at;

static bool
is_shared(const char *path)
{
	int fd = open(path, O_RDONLY);
	bool shared = flock(fd, LOCK_EX | LOCK_NB) == -1;

	close(fd);
	return shared;
}

ssize_t write(int fd, const void *data, size_t n);

ssize_t
write(int fd, const void *data, size_t n)
{
	const char *other = others[0];

	if (shared_at != NULL && *(const char *)data == '-')
		assert_true(is_shared(shared_at));
	others[0] = others[1];
	others[1] = NULL;
	if (other != NULL)
		assert_int_equal(syscall(SYS_write, fd, other, strlen(other)),
		    (long)strlen(other));
	return syscall(SYS_write, fd, data, n);
}

static enum maildir_room
take(int root, uint64_t bytes, uint64_t messages)
{
	struct maildir_claim claim;
	enum maildir_room r = maildir_size_take(root, bytes, messages, &claim);

	maildir_claim_end(&claim);
	return r;
}

static enum verdict
take_room(int root, off_t bytes, const struct deliver_source *s,
    struct why *why)
{
	struct maildir_claim claim;
	enum verdict v = maildir_take_room(root, bytes, s, &claim, why);

	maildir_claim_end(&claim);
	return v;
}

/* Somebody else's line comes between the question for room and ours. */
static void
room_is_taken_once(void **state)
{
	static const struct {
		const char *others[2];
		enum maildir_room room;
		const char *text; /* behind "100S\n10 1\n" */
	} rows[] = {
		{ { NULL, NULL }, MAILDIR_ROOM_TAKEN, "60 1\n" },
		{ { "60 1\n", NULL }, MAILDIR_ROOM_CONTENDED,
		    "60 1\n60 1\n-60 -1\n" },
		{ { "30 1\n", NULL }, MAILDIR_ROOM_TAKEN, "30 1\n60 1\n" },
		/* which is taken back */
		{ { "60 1\n", "-60 -1\n" }, MAILDIR_ROOM_TAKEN,
		    "60 1\n60 1\n-60 -1\n-60 -1\n60 1\n" },
		{ { "no line\n", NULL }, MAILDIR_ROOM_TAKEN,
		    "no line\n60 1\n" },
	};
	char path[] = "/tmp/maildir_size_test.XXXXXX", name[100], text[100];
	int root, fd;
	ssize_t n;

	(void)state;
	assert_non_null(mkdtemp(path));
	root = open(path, O_PATH | O_DIRECTORY);
	snprintf(name, sizeof(name), "%s/maildirsize", path);
	/* nobody counts */
	assert_int_equal(take(root, 1 << 30, 1), MAILDIR_ROOM_TAKEN);
	assert_int_equal(access(name, F_OK), -1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
		assert_int_equal(write(fd, "100S\n10 1\n", 10), 10);
		memcpy(others, rows[i].others, sizeof(others));
		assert_int_equal(take(root, 60, 1), rows[i].room);
		n = pread(fd, text, sizeof(text) - 1, 10);
		assert_true(n > 0);
		text[n] = '\0';
		assert_string_equal(text, rows[i].text);
		close(fd);
	}
	unlink(name);
	close(root);
	rmdir(path);
}

static void
assert_file(const char *name, const char *expected)
{
	char text[100];
	int fd = open(name, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	assert_true(n >= 0);
	text[n] = '\0';
	close(fd);
	assert_string_equal(text, expected);
}

static void
begin_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* What did not come is given back, and counted anew where others counted. */
static void
claim_is_settled(void **state)
{
	char path[] = "/tmp/maildir_size_test.XXXXXX", name[100];
	static const struct maildir_size limits = { .bytes_limit = 100,
		.messages_limit = 5 };
	static const char *const unknown[] = { NULL, "100S\n10 1\n",
		"100S,5C\n", "100S,5C\n10 1\n-20 -1\n", "100S,5C\nx\n" };
	struct maildir_claim claim = { .fd = -1 };
	int root;

	(void)state;
	assert_non_null(mkdtemp(path));
	root = open(path, O_PATH | O_DIRECTORY);
	snprintf(name, sizeof(name), "%s/maildirsize", path);
	begin_file(name, "100S,5C\n10 1\n");
	assert_int_equal(maildir_size_claim(root, &limits, 10, 5, &claim),
	    MAILDIR_ROOM_NONE);
	assert_int_equal(claim.fd, -1);
	assert_int_equal(maildir_size_claim(root, &limits, 90, 4, &claim),
	    MAILDIR_ROOM_TAKEN);
	assert_int_equal(take(root, 1, 1), MAILDIR_ROOM_NONE);
	maildir_claim_settle(&claim, root, 90, 4);
	assert_file(name, "100S,5C\n10 1\n90 4\n");
	maildir_claim_settle(&claim, root, 40, 2);
	assert_file(name, "100S,5C\n10 1\n90 4\n-50 -2\n");
	maildir_claim_settle(&claim, root, 0, 0);
	assert_file(name, "100S,5C\n10 1\n90 4\n-50 -2\n-40 -2\n");
	maildir_claim_end(&claim);
	/* somebody counts while a part is there: to be counted anew */
	assert_int_equal(maildir_size_claim(root, &limits, 80, 3, &claim),
	    MAILDIR_ROOM_TAKEN);
	unlink(name);
	begin_file(name, "100S,5C\n30 2\n");
	maildir_claim_settle(&claim, root, 80, 3);
	assert_int_equal(access(name, F_OK), -1);
	maildir_claim_end(&claim);
	/* and so where nothing came of it */
	begin_file(name, "100S,5C\n30 2\n");
	assert_int_equal(maildir_size_claim(root, &limits, 10, 1, &claim),
	    MAILDIR_ROOM_TAKEN);
	unlink(name);
	begin_file(name, "100S,5C\n100 5\n");
	maildir_claim_settle(&claim, root, 0, 0);
	assert_int_equal(access(name, F_OK), -1);
	maildir_claim_end(&claim);
	/* what is no count by these limits is left alone */
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		if (unknown[i] != NULL)
			begin_file(name, unknown[i]);
		assert_int_equal(maildir_size_claim(root, &limits, 10, 1,
				     &claim),
		    MAILDIR_ROOM_UNKNOWN);
		assert_int_equal(claim.fd, -1);
		if (unknown[i] != NULL)
			assert_file(name, unknown[i]);
		unlink(name);
	}
	/* taken of none, it is a line */
	begin_file(name, "100S,5C\n10 1\n");
	maildir_claim_settle(&claim, root, 20, 1);
	assert_file(name, "100S,5C\n10 1\n20 1\n");
	maildir_claim_settle(&claim, root, 0, 0);
	assert_file(name, "100S,5C\n10 1\n20 1\n-20 -1\n");
	maildir_claim_end(&claim);
	unlink(name);
	close(root);
	rmdir(path);
}

/* A claim that may be taken back is no reason to bounce. */
static void
collision_is_put_off(void **state)
{
	static const struct deliver_source source = { .full_bounces = true };
	char path[] = "/tmp/maildir_size_test.XXXXXX", name[100];
	struct why why = { 0 };
	int root, fd;

	(void)state;
	assert_non_null(mkdtemp(path));
	root = open(path, O_PATH | O_DIRECTORY);
	snprintf(name, sizeof(name), "%s/maildirsize", path);
	fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, "100S\n10 1\n", 10), 10);
	close(fd);
	others[0] = "60 1\n";
	assert_int_equal(take_room(root, 60, &source, &why), LATER);
	assert_string_equal(why.dsn, "4.2.2");
	assert_int_equal(take_room(root, 60, &source, &why), NEVER);
	assert_string_equal(why.dsn, "5.2.2");
	assert_int_equal(take_room(root, 30, &source, &why), OK);
	unlink(name);
	close(root);
	rmdir(path);
}

/* What a count leaves that ends amid a rename, which fails. */
static const char *counted_at, *counted;

int renameat2(int from_at, const char *from, int to_at, const char *to,
    unsigned int flags);

int
renameat2(int from_at, const char *from, int to_at, const char *to,
    unsigned int flags)
{
	if (counted_at == NULL)
		return (
		    int)syscall(SYS_renameat2, from_at, from, to_at, to, flags);
	if (counted != NULL) {
		unlink(counted_at);
		begin_file(counted_at, counted);
	}
	errno = EIO;
	return -1;
}

/* Once, and from no count that has not seen it. */
static void
room_of_what_fails_is_given_back(void **state)
{
	static const struct {
		const char *before, *counted, *after; /* NULL: none */
	} rows[] = {
		{ "100S\n10 1\n", NULL, "100S\n10 1\n9 1\n-9 -1\n" },
		{ "100S\n10 1\n", "100S\n10 1\n", NULL },
		{ NULL, "100S\n10 1\n", "100S\n10 1\n" },
		{ NULL, NULL, NULL },
	};
	char path[] = "/tmp/maildir_size_test.XXXXXX", name[100], queued[100];
	struct deliver_source s = { .queue_id = "4abc",
		.host = "a",
		.size = 9 };
	struct why why;
	int root;

	(void)state;
	assert_non_null(mkdtemp(path));
	root = maildir_open_path(path);
	assert_true(root >= 0);
	snprintf(name, sizeof(name), "%s/maildirsize", path);
	snprintf(queued, sizeof(queued), "%s/queued", path);
	begin_file(queued, "a: b\n\nx\n\n");
	s.fd = open(queued, O_RDONLY);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].before != NULL)
			begin_file(name, rows[i].before);
		counted_at = shared_at = name;
		counted = rows[i].counted;
		assert_int_equal(maildir_copy(root, &s, DELIVER_CRLF, 0, &why),
		    LATER);
		counted_at = shared_at = NULL;
		if (rows[i].after != NULL)
			assert_file(name, rows[i].after);
		else
			assert_int_equal(access(name, F_OK), -1);
		unlink(name);
	}
	close(s.fd);
	close(root);
	unlink(queued);
	snprintf(name, sizeof(name), "rm -r %s", path);
	assert_int_equal(system(name), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files),
		cmocka_unit_test(limits),
		cmocka_unit_test(in_a_mailbox),
		cmocka_unit_test(room_is_taken_once),
		cmocka_unit_test(claim_is_settled),
		cmocka_unit_test(collision_is_put_off),
		cmocka_unit_test(room_of_what_fails_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
