/* SPDX-License-Identifier: ISC */
/*
 * mbox files through store.h: what is read is what was delivered, and no
 * mail is lost, whatever stops the removal of other messages at which step,
 * and whatever other programs do meanwhile.
 */
#include "lib/store/mbox_store.h"

#include "tests/unit/lib/store/folder.h"

#include <errno.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "lib/base/buf.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/store/mbox_deliver.h"
#include "lib/store/mbox_lock.h"

#define FROM "From a@b  Sat Nov 21 13:25:01 2026\n"

/*
 * Calls that change files, counted: at the one wanted the process ends, after
 * half of what the call was to do, or the call fails.
 */
static int steps;
static int stop_at; /* 0: never */
static int fail_with; /* 0: end the process */
/* A cut where the process ends zeroes these sectors before it is there. */
static bool (*is_zeroed)(int64_t sector);

ssize_t __real_pwrite(int fd, const void *p, size_t n, off_t at);
ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t at);
int __real_ftruncate(int fd, off_t size);
int __wrap_ftruncate(int fd, off_t size);
int __wrap_fsync(int fd);

/* True: the call is to fail. */
static bool
step(void)
{
	if (++steps != stop_at)
		return false;
	if (fail_with == 0)
		_exit(7);
	errno = fail_with;
	return true;
}

ssize_t
__wrap_pwrite(int fd, const void *p, size_t n, off_t at)
{
	if (steps + 1 == stop_at)
		(void)!__real_pwrite(fd, p, n / 2, at);
	if (step())
		return -1;
	return __real_pwrite(fd, p, n, at);
}

enum { SECTOR = 512, BLOCK = 65536 };

static bool
every(int64_t sector)
{
	(void)sector;
	return true;
}

static bool
every_other(int64_t sector)
{
	return sector % 2 == 0;
}

static void
zero_to_end_of_block(int fd, int64_t at)
{
	static const char zeros[SECTOR];
	struct stat st;
	int64_t end = at - at % BLOCK + BLOCK;

	if (fstat(fd, &st) == -1 || at % BLOCK == 0)
		return;
	end = end < st.st_size ? end : st.st_size;
	while (at < end) {
		int64_t next = at - at % SECTOR + SECTOR;

		next = next < end ? next : end;
		if (is_zeroed(at / SECTOR))
			(void)!__real_pwrite(fd, zeros, (size_t)(next - at),
			    at);
		at = next;
	}
}

int
__wrap_ftruncate(int fd, off_t size)
{
	if (is_zeroed != NULL && steps + 1 == stop_at)
		zero_to_end_of_block(fd, size);
	return step() ? -1 : __real_ftruncate(fd, size);
}

int
__wrap_fsync(int fd)
{
	/* processes end here, no machine does: nothing need be on disk */
	(void)fd;
	return step() ? -1 : 0;
}

/* The mailbox "box", its journal "journal". */

static int dot_lock = -1;

static int
open_box(void *with)
{
	int fd;

	(void)with;
	dot_lock = mbox_dotlock_take(AT_FDCWD, "box", 500);
	if (dot_lock == -1) {
		errno = errno == EEXIST ? EAGAIN : errno;
		return -1;
	}
	fd = open("box", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		mbox_dotlock_give_back(AT_FDCWD, "box", &dot_lock);
	return fd;
}

static void
unlock_box(void *with)
{
	(void)with;
	mbox_dotlock_give_back(AT_FDCWD, "box", &dot_lock);
}

static struct mbox_access *
reach(void)
{
	struct mbox_access *a = mem_new(sizeof(*a));

	a->open = open_box;
	a->unlock = unlock_box;
	a->locks = MBOX_FCNTL;
	a->journal = open("journal", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(a->journal >= 0);
	return a;
}

static void
leave(struct mbox_access **a)
{
	fd_close(&(*a)->journal);
	free(*a);
	*a = NULL;
}

static struct store *
open_store(struct mbox_access *a)
{
	struct store *s = NULL;
	struct why why;

	assert_int_equal(mbox_store_open(a, true, &s, &why), STORE_OK);
	assert_int_equal(access("box.lock", F_OK), -1);
	return s;
}

static void
deliver(const char *content)
{
	struct mbox_options o = { .locks = MBOX_FCNTL | MBOX_DOTLOCK,
		.attempts = 1,
		.stale_s = 500,
		.sender = "a@b",
		.subject = "mailbox" };
	struct deliver_source s = { .queue_id = "4a",
		.host = "h",
		.size = (off_t)strlen(content),
		.headers = SPAN("") };
	struct why why;

	file_put("q", content);
	s.fd = open("q", O_RDONLY);
	assert_int_equal(mbox_deliver(AT_FDCWD, "box", "box", &s, &o, &why),
	    OK);
	close(s.fd);
}

/* As a client receives it, dots left alone; NULL when it cannot be read. */
static char *
text_of(struct store *s, size_t i, size_t chunk)
{
	struct buf raw = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
	struct store_blob blob;
	struct why why;
	char *room = mem_new(chunk), last = '\n';
	int64_t n;

	if (store_fetch(s, i, &blob, &why) != STORE_OK) {
		free(room);
		return NULL;
	}
	while ((n = store_blob_read(&blob, room, chunk)) > 0)
		buf_add(&raw, room, (size_t)n);
	store_blob_close(&blob);
	free(room);
	for (size_t k = 0; k < raw.n; k++) {
		if (raw.p[k] == '\n' && last != '\r')
			buf_add_char(&out, '\r');
		buf_add_char(&out, last = raw.p[k]);
	}
	if (last != '\n')
		buf_add_text(&out, last == '\r' ? "\n" : "\r\n");
	buf_fini(&raw);
	if (n < 0) {
		buf_fini(&out);
		return NULL;
	}
	room = mem_text(buf_text(&out));
	buf_fini(&out);
	return room;
}

static void
expect_text(struct store *s, size_t i, const char *wanted)
{
	static const size_t chunks[] = { 9, 10, 13, 64, 4096 };
	struct why why;
	uint64_t size;

	for (size_t k = 0; k < sizeof(chunks) / sizeof(chunks[0]); k++) {
		char *text = text_of(s, i, chunks[k]);

		assert_non_null(text);
		assert_string_equal(text, wanted);
		free(text);
	}
	assert_int_equal(store_size(s, i, &size, &why), STORE_OK);
	assert_int_equal(size, strlen(wanted));
}

static const char *const contents[] = {
	"Subject: plain\r\n\r\ntext\r\n",
	"Subject: quoting\r\n\r\nFrom here\r\n>From there\r\n>>From x\r\n"
	">>\r\nFrom\r\n>From\r\n> From\r\nx>From y\r\n\r\n\r\n",
	"Subject: no body\r\n",
	"Subject: empty body\r\n\r\n",
	"Content-Length: 1\r\nSubject: lies\r\n\r\n\r\n\r\n"
	"From a@b  Sat Nov 21 13:25:01 2026\r\nnot a message\r\n\r\n",
	"\r\nno header\r\n.\r\n..\r\n",
	">From at the start: x\r\n\r\n>>>>>>>>>>>>>>>>>>From here\r\n>\r\n",
	"From the first line on\r\n",
};

enum { CONTENTS = sizeof(contents) / sizeof(contents[0]) };

static void
deliver_all(void)
{
	for (size_t i = 0; i < CONTENTS; i++)
		deliver(contents[i]);
}

static void
test_read_is_what_was_delivered(void **state)
{
	struct mbox_access *a = reach();
	struct store *s;

	(void)state;
	deliver_all();
	s = open_store(a);
	assert_int_equal(store_count(s), CONTENTS);
	for (size_t i = 0; i < CONTENTS; i++)
		expect_text(s, i, contents[i]);
	store_close(&s);
	leave(&a);
}

static void
test_other_writers(void **state)
{
	static const struct {
		const char *box;
		const char *texts[4];
	} rows[] = {
		{ "", { NULL } },
		{ FROM, { "" } },
		{ FROM "\n", { "" } },
		{ FROM "A: b\n\ntorn", { "A: b\r\n\r\ntorn\r\n" } },
		/* no empty line between them */
		{ FROM "A: b\n\nx\n" FROM "C: d\n",
		    { "A: b\r\n\r\nx\r\n", "C: d\r\n" } },
		/* unquoted words that are no separator */
		{ FROM "A: b\n\nFrom now on\nFrom x 13:25\n\n",
		    { "A: b\r\n\r\nFrom now on\r\nFrom x 13:25\r\n" } },
		/* other forms of the date */
		{ "From x Sat Nov 21 13:25:01 MET 2026\nA: b\n\n"
		  "From \"a b\"@c  Sat Nov  1  7:05 2026 remote from y\nC: d\n",
		    { "A: b\r\n", "C: d\r\n" } },
		{ "From x Sat Nov 21 13:25:01 2026\r\nA: b\r\n\r\nc\r\n\r\n"
		  "From x Sat Nov 21 13:25:01 2026\r\nC: d\r\n",
		    { "A: b\r\n\r\nc\r\n", "C: d\r\n" } },
		/* the internal message of UW's server is not mail */
		{ FROM "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL"
		       " DATA\nX-IMAP: 12 3\n\nx\n\n" FROM "C: d\n",
		    { "C: d\r\n" } },
		{ FROM "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL"
		       " DATA\n\n",
		    { "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL"
		      " DATA\r\n" } },
	};
	struct mbox_access *a = reach();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct store *s;
		size_t n = 0;

		file_put("box", rows[i].box);
		s = open_store(a);
		while (n < 4 && rows[i].texts[n] != NULL)
			n++;
		assert_int_equal(store_count(s), n);
		for (size_t k = 0; k < n; k++)
			expect_text(s, k, rows[i].texts[k]);
		store_close(&s);
	}
	leave(&a);
}

static void
test_no_mailbox(void **state)
{
	struct mbox_access *a = reach();
	struct store *s = open_store(a);
	struct why why;

	(void)state;
	assert_int_equal(store_count(s), 0);
	assert_int_equal(store_commit(s, &why), STORE_OK);
	store_close(&s);
	file_put("box", "Subject: this is a letter, not an mbox\n");
	assert_int_equal(mbox_store_open(a, true, &s, &why), STORE_FAILED);
	assert_non_null(strstr(why.text, "From "));
	assert_null(s);
	leave(&a);
}

static void
test_nul_and_long_lines(void **state)
{
	struct buf box = BUF_INIT(16 << 20);
	struct mbox_access *a = reach();
	struct store_blob blob;
	struct store *s;
	struct why why;
	char chunk[4096];
	int64_t n, total = 0;
	uint64_t size;
	FILE *f;

	(void)state;
	buf_add_text(&box, FROM "X-Long: ");
	for (int i = 0; i < 5 << 20; i++)
		buf_add_char(&box, (char)(i % 7 == 0 ? '\0' : '>'));
	buf_add_text(&box, "From \n\n" FROM "A: b\n");
	f = fopen("box", "w");
	assert_non_null(f);
	assert_int_equal(fwrite(box.p, 1, box.n, f), box.n);
	fclose(f);
	buf_fini(&box);
	s = open_store(a);
	assert_int_equal(store_count(s), 2);
	assert_int_equal(store_fetch(s, 0, &blob, &why), STORE_OK);
	while ((n = store_blob_read(&blob, chunk, sizeof(chunk))) > 0)
		total += n;
	store_blob_close(&blob);
	assert_int_equal(total, 8 + (5 << 20) + 6);
	assert_int_equal(store_size(s, 0, &size, &why), STORE_OK);
	assert_int_equal(size, total + 1);
	expect_text(s, 1, "A: b\r\n");
	store_close(&s);
	leave(&a);
}

/* Ids. */

static char *
ids(void)
{
	struct mbox_access *a = reach();
	struct store *s = open_store(a);
	struct buf all = BUF_INIT(1 << 20);
	char *text;

	for (size_t i = 0; i < store_count(s); i++)
		buf_printf(&all, "%s\n", store_unique(s, i));
	text = mem_text(buf_text(&all));
	buf_fini(&all);
	store_close(&s);
	leave(&a);
	return text;
}

static void
test_ids_are_stable(void **state)
{
	char *before, *after, *second;

	(void)state;
	file_put("box", FROM "A: 1\n\nx\n\n" FROM "A: 2\n\nx\n\n");
	before = ids();
	second = strchr(before, '\n') + 1;
	/* notes of other programs, another message, then one less */
	file_put("box",
	    FROM "Status: RO\nA: 1\nX-UID: 7\n 8\n\nx\n\n" FROM
		 "A: 2\nContent-Length: 2\nLines: 1\n\nx\n\n" FROM "A: 3\n\n");
	after = ids();
	assert_int_equal(strncmp(before, after, strlen(before)), 0);
	free(after);
	file_put("box", FROM "A: 2\n\nx\n\n" FROM "A: 3\n\n");
	after = ids();
	assert_int_equal(strncmp(second, after, strlen(second)), 0);
	free(after);
	free(before);
	/* a torn message keeps its id when mail comes behind it */
	file_put("box", FROM "A: 1\n\ntorn");
	before = ids();
	deliver("A: 2\r\n");
	after = ids();
	assert_int_equal(strncmp(before, after, strlen(before)), 0);
	free(after);
	free(before);
}

static void
test_ids_are_distinct(void **state)
{
	char *names[6], *text, *rest;

	(void)state;
	file_put("box",
	    FROM "A: 1\n\n" FROM "A: 1\n\n" FROM "X-UIDL: same\n\n" FROM
		 "X-UIDL: same\nB: 2\n\n" FROM "X-UIDL: not one\n\n" FROM
		 "X-UIDL: own.id-1\nB: 3\n\n");
	text = ids();
	rest = text;
	for (int i = 0; i < 6; i++) {
		names[i] = strsep(&rest, "\n");
		assert_non_null(names[i]);
		assert_true(strlen(names[i]) > 0 && strlen(names[i]) <= 70);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(names[i], names[k]);
	}
	assert_string_equal(names[2], "same");
	assert_string_equal(names[5], "own.id-1");
	free(text);
}

/* Of copies without number: a sender has put their names on others. */
static void
test_ids_of_copies_are_not_taken(void **state)
{
	enum { MANY = 8000 };
	struct buf text = BUF_INIT(MANY * 200);
	char *all, *end;

	(void)state;
	file_put("box", FROM "\nsame\n\n");
	all = ids();
	all[strcspn(all, "\n")] = '\0';
	for (int i = 0; i < MANY; i++)
		buf_printf(&text, FROM "X-UIDL: %s-%d\n\nsame\n\n", all,
		    MANY + i);
	free(all);
	for (int i = 0; i < MANY; i++)
		buf_add_text(&text, FROM "\nsame\n\n");
	file_put("box", buf_text(&text));
	all = ids();
	end = all + strlen(all) - strlen("-15999\n");
	assert_string_equal(end, "-15999\n");
	free(all);
	buf_fini(&text);
}

/* Removal. */

static void
expunge(struct store *s, const char *which)
{
	struct why why;

	for (size_t i = 0; which[i] != '\0'; i++)
		if (which[i] == 'x')
			assert_int_equal(store_expunge(s, i, &why), STORE_OK);
}

/* What is in the box: contents[] by their numbers, "12?": one not known. */
static void
summary(char out[64])
{
	struct mbox_access *a = reach();
	struct store *s = open_store(a);
	size_t n = store_count(s);

	memset(out, 0, 64);
	assert_true(n < 60);
	for (size_t i = 0; i < n; i++) {
		char *text = text_of(s, i, 100);

		assert_non_null(text);
		out[i] = '?';
		for (size_t k = 0; k < CONTENTS; k++)
			if (strcmp(text, contents[k]) == 0)
				out[i] = (char)('0' + k);
		free(text);
	}
	store_close(&s);
	leave(&a);
}

static void
expect_summary(const char *wanted)
{
	char found[64];

	summary(found);
	assert_string_equal(found, wanted);
}

static void
test_removal(void **state)
{
	static const char *const rows[][2] = {
		{ "x", "1234567" },
		{ ".x", "0234567" },
		{ ".......x", "0123456" },
		{ "......xx", "012345" },
		{ "x.x.x.x.", "1357" },
		{ ".x.x.x.x", "0246" },
		{ "xxxxxxx", "7" },
		{ "xxxxxxxx", "" },
		{ "...xx..x", "01256" },
	};
	struct stat before, after;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mbox_access *a = reach();
		struct store *s;
		struct why why;

		unlink("box");
		deliver_all();
		stat("box", &before);
		s = open_store(a);
		expunge(s, rows[i][0]);
		assert_int_equal(store_commit(s, &why), STORE_OK);
		assert_int_equal(access("box.lock", F_OK), -1);
		store_close(&s);
		leave(&a);
		expect_summary(rows[i][1]);
		stat("box", &after);
		assert_int_equal(before.st_ino, after.st_ino);
		stat("journal", &after);
		assert_int_equal(after.st_size, 0);
	}
}

static void
test_reading_goes_on_after_removal(void **state)
{
	struct mbox_access *a = reach();
	struct store *s;
	struct why why;
	struct store_blob blob;

	(void)state;
	deliver_all();
	s = open_store(a);
	expunge(s, "x.x");
	assert_int_equal(store_commit(s, &why), STORE_OK);
	expect_text(s, 1, contents[1]);
	expect_text(s, 7, contents[7]);
	assert_int_equal(store_fetch(s, 0, &blob, &why), STORE_GONE);
	assert_int_equal(store_expunge(s, 2, &why), STORE_GONE);
	store_close(&s);
	leave(&a);
}

/* In a process that ends at the step. True: it came to its end before. */
static bool
remove_until(const char *which, int at)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct mbox_access *a = reach();
		struct store *s = open_store(a);
		struct why why;

		expunge(s, which);
		steps = 0;
		stop_at = at;
		if (store_commit(s, &why) != STORE_OK)
			_exit(8);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 7);
	return WEXITSTATUS(status) == 0;
}

static bool
recover_until(int at)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct mbox_access *a = reach();
		struct store *s = NULL;
		struct why why;

		steps = 0;
		stop_at = at;
		_exit(mbox_store_open(a, true, &s, &why) == STORE_OK ? 0 : 8);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 7);
	return WEXITSTATUS(status) == 0;
}

/* Everything but what was to go; or everything, nothing having happened. */
static void
expect_either(const char *removed, const char *all, const char *more)
{
	char found[64], first[64], second[64];

	snprintf(first, sizeof(first), "%s%s", removed, more);
	snprintf(second, sizeof(second), "%s%s", all, more);
	summary(found);
	if (strcmp(found, first) != 0 && strcmp(found, second) != 0)
		fail_msg("found %s, wanted %s or %s", found, first, second);
}

static void
test_crash_at_each_step(void **state)
{
	bool done = false;
	int at;

	(void)state;
	for (at = 1; !done; at++) {
		unlink("box");
		unlink("journal");
		deliver_all();
		done = remove_until("x..x.x..", at);
		expect_either("12467", "01234567", "");
		/* and it works as before */
		deliver(contents[0]);
		expect_either("12467", "01234567", "0");
	}
	assert_true(at > 8);
}

static void
test_mail_between_crash_and_repair(void **state)
{
	bool done = false;

	(void)state;
	for (int at = 1; !done; at++) {
		unlink("box");
		unlink("journal");
		deliver_all();
		done = remove_until("x..x.x..", at);
		for (int i = 0; i < 12; i++)
			deliver(contents[1]);
		expect_either("12467", "01234567", "111111111111");
	}
}

static void
test_crash_in_the_repair(void **state)
{
	bool done = false, repaired;

	(void)state;
	for (int at = 1; !done; at++)
		for (int then = 1;; then++) {
			unlink("box");
			unlink("journal");
			deliver_all();
			done = remove_until("x..x.x..", at);
			deliver(contents[3]);
			repaired = recover_until(then);
			deliver(contents[4]);
			expect_either("12467", "01234567", "34");
			if (repaired)
				break;
		}
}

/* '?': a message that has got empty lines at its end. */
static bool
is_like(const char *found, const char *left, const char *more)
{
	char wanted[64];

	snprintf(wanted, sizeof(wanted), "%s%s", left, more);
	for (size_t i = 0; found[i] != '\0' && wanted[i] != '\0'; i++)
		if (found[i] == '?')
			wanted[i] = '?';
	return strcmp(found, wanted) == 0;
}

static void
expect_like(const char *left, const char *all, const char *more)
{
	char found[64];

	summary(found);
	if (!is_like(found, left, more) && !is_like(found, all, more))
		fail_msg("found %s, wanted %s or %s, then %s", found, left, all,
		    more);
}

/*
 * The power goes when the file was to be cut: its old end is there, and some
 * of the block in which the new one is are zeros. Mail that comes then ends
 * what seems to be a torn message with an empty line.
 */
static void
test_power_cut_amid_the_cut(void **state)
{
	static const struct {
		const char *removed, *all, *left;
	} rows[] = {
		{ ".......x", "01234567", "0123456" },
		{ ".....xxx", "01234567", "01234" },
		{ "x..x.x..", "01234567", "12467" },
		{ "xxxxxxxx", "01234567", "" },
	};
	static bool (*const zeroed[])(int64_t) = { every, every_other };
	char *whole;
	bool done, repaired;

	(void)state;
	deliver_all();
	whole = mem_text(file_get("box"));
	for (size_t i = 0; i < 4 * sizeof(rows) / sizeof(rows[0]); i++) {
		const char *all = rows[i / 4].all, *left = rows[i / 4].left;
		const char *more = i % 4 < 2 ? "" : "34";

		done = false;
		for (int at = 1; !done; at++)
			for (int then = i % 5 == 0 ? 1 : INT_MAX;; then++) {
				unlink("box");
				unlink("journal");
				file_put("box", whole);
				is_zeroed = zeroed[i % 2];
				done = remove_until(rows[i / 4].removed, at);
				if (*more != '\0')
					deliver(contents[3]);
				repaired = recover_until(then);
				is_zeroed = NULL;
				if (*more != '\0')
					deliver(contents[4]);
				if (*more == '\0')
					expect_either(left, all, more);
				else
					expect_like(left, all, more);
				if (repaired)
					break;
			}
	}
	free(whole);
}

/* Every message is there at least once. */
static void
test_rewritten_by_another_program_after_a_crash(void **state)
{
	bool done = false;

	(void)state;
	for (int at = 1; !done; at++) {
		char found[64];

		unlink("box");
		unlink("journal");
		deliver_all();
		done = remove_until("x..x.x..", at);
		if (done)
			break;
		/* it has read all, removed what was first, added one */
		file_put("box", FROM "Subject: plain\n\ntext\n\n");
		summary(found);
		if (strlen(found) == 1)
			continue; /* before the commit: nothing was begun */
		assert_int_equal(found[0], '0');
		for (const char *p = "12467"; *p != '\0'; p++)
			assert_non_null(strchr(found, *p));
	}
}

static void
test_full_disk_at_each_step(void **state)
{
	static const int errors[] = { ENOSPC, EIO };
	struct store *s;
	struct why why;

	(void)state;
	for (size_t e = 0; e < 2; e++)
		for (int at = 1;; at++) {
			struct mbox_access *a = reach();
			enum store_result r;

			unlink("box");
			(void)!ftruncate(a->journal, 0);
			deliver_all();
			s = open_store(a);
			expunge(s, "x..x.x..");
			steps = 0;
			stop_at = at;
			fail_with = errors[e];
			r = store_commit(s, &why);
			stop_at = fail_with = 0;
			store_close(&s);
			leave(&a);
			deliver(contents[0]);
			if (r == STORE_OK) {
				expect_summary("124670");
				break;
			}
			assert_true(why.text[0] != '\0');
			expect_either("12467", "01234567", "0");
		}
}

/* Other programs. */

static void
test_mail_that_comes_meanwhile(void **state)
{
	struct mbox_access *a = reach();
	struct store *s;
	struct why why;

	(void)state;
	deliver_all();
	s = open_store(a);
	deliver(contents[5]);
	assert_int_equal(store_count(s), CONTENTS);
	expect_text(s, 7, contents[7]);
	expunge(s, "xxxxxxx");
	deliver(contents[6]);
	assert_int_equal(store_commit(s, &why), STORE_OK);
	store_close(&s);
	leave(&a);
	expect_summary("756");
}

static void
test_changed_by_another_program(void **state)
{
	struct mbox_access *a = reach();
	struct store_blob blob;
	struct store *s;
	struct why why;

	(void)state;
	file_put("box",
	    FROM "A: 1\n\n1\n\n" FROM "A: 2\n\n2\n\n" FROM "A: 3\n\n3\n\n");
	s = open_store(a);
	/* it removes the first, marks the second, appends one */
	file_put("box",
	    FROM "A: 2\nStatus: RO\n\n2\n\n" FROM "A: 3\n\n3\n\n" FROM
		 "A: 4\n\n4\n\n");
	assert_int_equal(store_fetch(s, 0, &blob, &why), STORE_GONE);
	expect_text(s, 2, "A: 3\r\n\r\n3\r\n");
	assert_int_equal(store_expunge(s, 0, &why), STORE_GONE);
	assert_int_equal(store_expunge(s, 2, &why), STORE_OK);
	assert_int_equal(store_commit(s, &why), STORE_OK);
	store_close(&s);
	assert_string_equal(file_get("box"),
	    FROM "A: 2\nStatus: RO\n\n2\n\n" FROM "A: 4\n\n4\n\n");
	/* and one that writes a new file */
	s = open_store(a);
	file_put("new", FROM "A: 4\n\n4\n\n" FROM "A: 5\n\n5\n\n");
	rename("new", "box");
	assert_int_equal(store_expunge(s, 1, &why), STORE_OK);
	assert_int_equal(store_commit(s, &why), STORE_OK);
	store_close(&s);
	assert_string_equal(file_get("box"), FROM "A: 5\n\n5\n\n");
	leave(&a);
}

static void
test_changed_while_it_is_read(void **state)
{
	struct mbox_access *a = reach();
	struct store_blob blob;
	struct store *s;
	struct why why;
	char room[64];
	int64_t n;

	(void)state;
	for (int how = 0; how < 3; how++) {
		file_put("box",
		    FROM "A: 1\n\n0123456789012345678901234567890123"
			 "456789012345678901234567890123456789"
			 "0123456789\n\n");
		s = open_store(a);
		assert_int_equal(store_fetch(s, 0, &blob, &why), STORE_OK);
		assert_true(store_blob_read(&blob, room, 20) > 0);
		if (how == 0)
			assert_int_equal(truncate("box", 50), 0);
		else if (how == 1)
			assert_int_equal(truncate("box", 0), 0);
		else
			file_put("box",
			    FROM "A: 1\n\n012345678901234567890123456789012"
				 "345678901234567890123456789012345678X"
				 "0123456789\n\n");
		while ((n = store_blob_read(&blob, room, sizeof(room))) > 0)
			;
		assert_int_equal(n, -1);
		assert_int_equal(errno, ESTALE);
		store_blob_close(&blob);
		store_close(&s);
	}
	leave(&a);
}

static void
test_locks(void **state)
{
	struct mbox_access *a = reach(), *b = reach();
	struct store *s, *t;
	struct why why;
	int fd, lock;

	(void)state;
	deliver_all();
	s = open_store(a);
	/* another session: of this process, and of another one */
	assert_int_equal(mbox_store_open(a, true, &t, &why), STORE_IN_USE);
	assert_int_equal(mbox_store_open(b, true, &t, &why), STORE_IN_USE);
	/* deliveries are not held up */
	deliver(contents[0]);
	store_close(&s);
	s = open_store(b);
	store_close(&s);
	/* a lock that its program left behind is known at once */
	if (fork() == 0)
		_exit(mbox_dotlock_take(AT_FDCWD, "box", 500) == -1);
	wait(NULL);
	assert_int_equal(access("box.lock", F_OK), 0);
	s = open_store(a);
	store_close(&s);
	/* one that is held, or another program's, is not */
	lock = mbox_dotlock_take(AT_FDCWD, "box", 500);
	assert_true(lock >= 0);
	assert_int_equal(mbox_dotlock_take(AT_FDCWD, "box", 500), -1);
	assert_int_equal(errno, EEXIST);
	mbox_dotlock_give_back(AT_FDCWD, "box", &lock);
	file_put("box.lock", "123\n");
	assert_int_equal(mbox_dotlock_take(AT_FDCWD, "box", 500), -1);
	assert_int_equal(errno, EEXIST);
	/* its time may be a tick ahead of time(2), in the next second */
	lock = mbox_dotlock_take(AT_FDCWD, "box", -2);
	assert_true(lock >= 0);
	mbox_dotlock_give_back(AT_FDCWD, "box", &lock);
	/* fcntl, as others have it */
	fd = open("box", O_RDWR);
	assert_int_equal(mbox_kernel_lock(fd, MBOX_FCNTL), 0);
	if (fork() == 0) {
		struct flock whole = { .l_type = F_WRLCK };
		int mine = open("box", O_RDWR);

		_exit(fcntl(mine, F_SETLK, &whole) == 0);
	}
	wait(&lock);
	assert_int_equal(lock, 0);
	close(fd);
	leave(&a);
	leave(&b);
}

/* A program of ours at work, for however long; then a lock of others'. */
static void
test_age_of_locks(void **state)
{
	static const struct timespec old[2] = { { .tv_sec = 1 },
		{ .tv_sec = 1 } };
	int lock = mbox_dotlock_take(AT_FDCWD, "box", 500), status;

	(void)state;
	assert_true(lock >= 0);
	assert_int_equal(utimensat(AT_FDCWD, "box.lock", old, 0), 0);
	if (fork() == 0)
		_exit(mbox_dotlock_take(AT_FDCWD, "box", 500) != -1 ||
		    errno != EEXIST);
	wait(&status);
	assert_int_equal(status, 0);
	assert_int_equal(access("box.lock", F_OK), 0);
	mbox_dotlock_give_back(AT_FDCWD, "box", &lock);
	file_put("box.lock", "1234\n");
	assert_int_equal(mbox_dotlock_take(AT_FDCWD, "box", 500), -1);
	assert_int_equal(utimensat(AT_FDCWD, "box.lock", old, 0), 0);
	lock = mbox_dotlock_take(AT_FDCWD, "box", 500);
	assert_true(lock >= 0);
	mbox_dotlock_give_back(AT_FDCWD, "box", &lock);
	unlink("box.lock");
	assert_int_equal(symlink("/nowhere", "box.lock"), 0);
	assert_int_equal(mbox_dotlock_take(AT_FDCWD, "box", 500), -1);
	assert_int_equal(utimensat(AT_FDCWD, "box.lock", old,
			     AT_SYMLINK_NOFOLLOW),
	    0);
	lock = mbox_dotlock_take(AT_FDCWD, "box", 500);
	assert_true(lock >= 0);
	mbox_dotlock_give_back(AT_FDCWD, "box", &lock);
}

#define T(name) \
	cmocka_unit_test_setup_teardown(name, folder_enter, folder_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_read_is_what_was_delivered),
		T(test_other_writers),
		T(test_no_mailbox),
		T(test_nul_and_long_lines),
		T(test_ids_are_stable),
		T(test_ids_are_distinct),
		T(test_ids_of_copies_are_not_taken),
		T(test_removal),
		T(test_reading_goes_on_after_removal),
		T(test_crash_at_each_step),
		T(test_mail_between_crash_and_repair),
		T(test_crash_in_the_repair),
		T(test_power_cut_amid_the_cut),
		T(test_rewritten_by_another_program_after_a_crash),
		T(test_full_disk_at_each_step),
		T(test_mail_that_comes_meanwhile),
		T(test_changed_by_another_program),
		T(test_changed_while_it_is_read),
		T(test_locks),
		T(test_age_of_locks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
