/* SPDX-License-Identifier: ISC */
/*
 * A part of a message is cut off an mbox, and the power goes: whatever is on
 * disk at any moment (doc/DURABILITY.md, "The power"), the message before is
 * what it was for whoever reads next, and when mail has come.
 */
#include "tests/unit/lib/store/folder.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "lib/base/mem.h"
#include "lib/store/mbox_deliver.h"
#include "lib/store/mbox_end.h"
#include "lib/store/mbox_rewrite.h"
#include "lib/store/mbox_scan.h"

enum {
	SECTOR = 512,
	BLOCK = 4096,
	SIZE_MAX_BOX = 40000,
	IMAGES_MAX = 200,
};

#define FROM "From x@y  Sat Nov 21 13:25:01 2026\n"
#define NEW "Subject: new\n\nnew\n"

/* What may be on disk. */
struct image {
	size_t n;
	char bytes[SIZE_MAX_BOX];
};

static struct image seen[IMAGES_MAX];
static size_t count, since; /* those behind the last flush */
static bool recording;

/* Which of the calls for the box fail: the first is 1, 0 is none. */
static struct {
	int flush, cut;
	bool all_flushes;
} failing;

int __real_ftruncate(int fd, off_t size);
int __wrap_ftruncate(int fd, off_t size);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);

static bool
is_box(int fd)
{
	struct stat here, box;

	return recording && fstat(fd, &here) == 0 && stat("box", &box) == 0 &&
	    here.st_ino == box.st_ino;
}

static bool
fails(int *left)
{
	errno = EIO;
	return *left > 0 && --*left == 0;
}

static void
add(const struct image *image)
{
	for (size_t i = since; i < count; i++)
		if (seen[i].n == image->n &&
		    memcmp(seen[i].bytes, image->bytes, image->n) == 0)
			return;
	assert_true(count < IMAGES_MAX);
	seen[count++] = *image;
}

static void
add_as_it_is(int fd)
{
	static struct image now;
	ssize_t n = pread(fd, now.bytes, sizeof(now.bytes), 0);

	assert_in_range(n, 0, sizeof(now.bytes) - 1);
	now.n = (size_t)n;
	add(&now);
}

/* Sectors of the block of the cut, all, or every other one. */
static void
add_zeroed(const struct image *from, size_t size, size_t step, size_t first)
{
	static struct image zeroed;
	size_t end = size - size % BLOCK + BLOCK;

	zeroed = *from;
	if (size % BLOCK == 0)
		return;
	end = end < from->n ? end : from->n;
	for (size_t at = size, n = 0; at < end; n++) {
		size_t next = at - at % SECTOR + SECTOR;

		next = next < end ? next : end;
		if (n % step == first)
			memset(zeroed.bytes + at, '\0', next - at);
		at = next;
	}
	add(&zeroed);
}

int
__wrap_ftruncate(int fd, off_t size)
{
	static struct image shorter;
	size_t before;

	if (!is_box(fd))
		return __real_ftruncate(fd, size);
	if (fails(&failing.cut))
		return -1;
	if (since == count)
		add_as_it_is(fd);
	before = count;
	for (size_t i = since; i < before; i++) {
		if (seen[i].n <= (size_t)size)
			continue;
		add_zeroed(&seen[i], (size_t)size, 1, 0);
		add_zeroed(&seen[i], (size_t)size, 2, 0);
		add_zeroed(&seen[i], (size_t)size, 2, 1);
		shorter = seen[i];
		shorter.n = (size_t)size;
		add(&shorter);
	}
	return __real_ftruncate(fd, size);
}

int
__wrap_fsync(int fd)
{
	if (!is_box(fd))
		return 0;
	if (fails(&failing.flush) || failing.all_flushes)
		return -1;
	since = count;
	add_as_it_is(fd);
	return 0;
}

int
__wrap_fdatasync(int fd)
{
	(void)fd;
	return 0;
}

/* Not over what is there: ext4 writes that at once, when it is closed. */
static FILE *
anew(const char *name)
{
	FILE *f;

	unlink(name);
	f = fopen(name, "w");
	assert_non_null(f);
	return f;
}

static void
queue(const char *text)
{
	FILE *f = anew("q");

	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static const char *sender = "a@b";

static enum verdict
deliver_queued(off_t limit)
{
	struct deliver_source s = { .queue_id = "4a",
		.host = "h",
		.headers = SPAN("Delivered-To: x@y\r\n") };
	struct mbox_options o = { .locks = MBOX_FCNTL | MBOX_DOTLOCK,
		.attempts = 1,
		.stale_s = 500,
		.owner_only = true,
		.owner = getuid(),
		.sender = sender,
		.limit = limit,
		.subject = "mailbox" };
	enum verdict v;
	struct why why;

	s.fd = open("q", O_RDONLY);
	s.size = lseek(s.fd, 0, SEEK_END);
	v = mbox_deliver(AT_FDCWD, "box", "/x/box", &s, &o, &why);
	close(s.fd);
	return v;
}

static enum verdict
deliver(const char *text, off_t limit)
{
	queue(text);
	return deliver_queued(limit);
}

/* A mailbox of one message, so long. */
static void
put_old(struct image *old, size_t size)
{
	FILE *f = anew("box");

	memset(old->bytes, 'x', size);
	if (size > 0) {
		memcpy(old->bytes, FROM "A: b\n\n",
		    sizeof(FROM "A: b\n\n") - 1);
		memcpy(old->bytes + size - 2, "\n\n", 2);
	}
	old->n = size;
	assert_int_equal(fwrite(old->bytes, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

/* What comes then and is not taken, or is left by a delivery that dies. */
static const char *
long_text(size_t n)
{
	static char text[SIZE_MAX_BOX];

	memset(text, 't', n);
	for (size_t i = 60; i < n; i += 60)
		text[i] = '\n';
	memcpy(text, "A: b\n\n", 6);
	text[n] = '\0';
	return text;
}

static void
refuse(size_t old, size_t part)
{
	recording = true;
	assert_int_equal(deliver(long_text(30000), (off_t)(old + part)), NEVER);
}

static void
die_and_lock(size_t old, size_t part)
{
	int status, lock;

	queue(long_text(30000));
	if (fork() == 0) {
		struct rlimit none = { 0, 0 },
			      some = { old + part, old + part };

		setrlimit(RLIMIT_CORE, &none);
		setrlimit(RLIMIT_FSIZE, &some);
		(void)deliver_queued(0);
		_exit(0);
	}
	wait(&status);
	assert_true(WIFSIGNALED(status));
	recording = true;
	lock = mbox_dotlock_take(AT_FDCWD, "box", 500);
	assert_true(lock >= 0);
	mbox_dotlock_give_back(AT_FDCWD, "box", &lock);
}

static int
append_and_cut(size_t old, size_t part)
{
	int box = open("box", O_RDWR | O_APPEND), result;

	assert_true(
	    dprintf(box, "From %s  Sun Nov 22 10:00:00 2026\n", sender) > 0);
	assert_int_equal(write(box, long_text(part), part), part);
	recording = true;
	result = mbox_end_cut(box, (off_t)old);
	recording = false;
	close(box);
	return result;
}

static void
cut_off(size_t old, size_t part)
{
	assert_int_equal(append_and_cut(old, part), 0);
}

/* What a power cut has left of a line. */
static void
take_torn_away(size_t old, size_t part)
{
	int box = open("box", O_RDWR | O_APPEND);

	assert_true(dprintf(box, "From %s", sender) > (int)part);
	assert_int_equal(__real_ftruncate(box, (off_t)(old + part)), 0);
	recording = true;
	assert_int_equal(mbox_end_mend(box, (off_t)(old + part)), old);
	close(box);
}

/* Messages in front of the last "behind" ones: the old one and one part. */
static void
judge(const struct image *old, size_t behind)
{
	struct arena *names = arena_new();
	struct mbox_scan *scan = mbox_scan_new(names);
	static struct image found;
	const struct mbox_message *m;
	FILE *f = fopen("box", "r");
	size_t n, left, mails = old->n > 0;

	found.n = fread(found.bytes, 1, sizeof(found.bytes), f);
	fclose(f);
	assert_true(mbox_scan_feed(scan, found.bytes, found.n));
	assert_true(mbox_scan_end(scan));
	m = mbox_scan_messages(scan, &n);
	assert_true(n >= mails + behind);
	left = n - mails - behind;
	assert_in_range(left, 0, 1);
	if (mails > 0 &&
	    (m[0].end != (int64_t)old->n ||
		memcmp(found.bytes, old->bytes, old->n) != 0))
		fail_msg("%lld bytes, not %zu: %.20s", (long long)m[0].end,
		    old->n, found.bytes + old->n);
	if (behind > 0) {
		m += n - 1;
		assert_int_equal(m->end - m->text,
		    sizeof("Delivered-To: x@y\n" NEW));
	}
	mbox_scan_free(&scan);
	arena_free(&names);
}

static void
lay_out(const struct image *image)
{
	FILE *f = anew("box");

	assert_int_equal(fwrite(image->bytes, 1, image->n, f), image->n);
	assert_int_equal(fclose(f), 0);
}

static void
recover(void)
{
	int box = open("box", O_RDWR);
	int journal = open("journal", O_RDWR | O_CREAT, 0600);
	struct why why;

	assert_int_equal(mbox_recover(box, journal, &why), 0);
	close(journal);
	close(box);
}

static void
try(void (*cut)(size_t, size_t), size_t size, size_t part)
{
	static struct image old;

	count = since = 0;
	put_old(&old, size);
	cut(size, part);
	recording = false;
	assert_true(count > 0);
	/* that it is gone is on disk by then */
	assert_int_equal(count - since, 1);
	assert_int_equal(seen[since].n, size);
	for (size_t i = 0; i < count; i++) {
		lay_out(&seen[i]);
		recover();
		judge(&old, 0);
		lay_out(&seen[i]);
		assert_int_equal(deliver(NEW, 0), OK);
		judge(&old, 1);
	}
}

static void
test_at_each_place_of_a_sector(void **state)
{
	(void)state;
	for (size_t size = 2 * SECTOR; size <= 3 * SECTOR; size++)
		try(cut_off, size, 9000);
	for (size_t size = 2 * SECTOR; size <= 3 * SECTOR; size += 9)
		try(cut_off, size, 500);
	for (size_t size = BLOCK - 40; size < BLOCK + 40; size += 3)
		try(cut_off, size, 9000);
	try(cut_off, 0, 9000);
	try(cut_off, 0, 10);
}

static void
test_by_deliveries(void **state)
{
	(void)state;
	for (size_t size = 2 * SECTOR; size <= 3 * SECTOR; size += 51) {
		try(refuse, size, 60);
		try(die_and_lock, size, 9000);
	}
}

/* Wherever its line is torn, it is known for one of ours. */
static void
test_senders(void **state)
{
	static char quoted[1300] = "\"a b  \\\" \\\\\"@c";
	static char plain[1300];

	(void)state;
	sender = quoted;
	for (size_t size = 3 * SECTOR - 30; size <= 3 * SECTOR; size++)
		try(cut_off, size, 9000);
	try(cut_off, 0, 9000);
	memset(quoted + 1, 'q', sizeof(quoted) - 2);
	memcpy(quoted + sizeof(quoted) - 6, " \"@c", 5);
	memset(plain, 'p', sizeof(plain) - 1);
	for (int i = 0; i < 2; i++, sender = plain) {
		for (size_t size = 2 * SECTOR; size <= 3 * SECTOR; size += 57)
			try(cut_off, size, 9000);
		try(cut_off, 2 * SECTOR, 400);
		try(cut_off, 3 * SECTOR - 1, 9000);
		try(cut_off, 0, 9000);
		try(take_torn_away, 3 * SECTOR - 20, 2 * SECTOR + 20);
		try(refuse, 3 * SECTOR - 9, 2000);
		try(die_and_lock, 3 * SECTOR - 9, 9000);
	}
	sender = "a@b";
}

static off_t
size_of_box(void)
{
	struct stat st;

	assert_int_equal(stat("box", &st), 0);
	return st.st_size;
}

/* Whatever fails before it: the last cut is made. */
static void
test_a_disk_that_fails(void **state)
{
	enum { SIZE = 3 * SECTOR - 20, STEPS = 3 };
	static struct image old;

	(void)state;
	for (int at = 1; at <= STEPS; at++)
		for (int is_cut = 0; is_cut < 2; is_cut++) {
			count = since = 0;
			put_old(&old, SIZE);
			failing.flush = is_cut ? 0 : at;
			failing.cut = is_cut ? at : 0;
			/* the last cut of all is the third */
			if (is_cut && at == STEPS) {
				assert_int_equal(append_and_cut(SIZE, 9000),
				    -1);
				assert_int_equal(errno, EIO);
				assert_true(size_of_box() > SIZE);
			} else {
				assert_int_equal(append_and_cut(SIZE, 9000), 0);
				assert_int_equal(size_of_box(), SIZE);
			}
			assert_int_equal(failing.flush, 0);
			assert_int_equal(failing.cut, 0);
		}
}

/*
 * A journal whose mailbox another program has written anew; appending it fails.
 */
static void
test_a_repair_that_fails(void **state)
{
	static struct image old;
	struct mbox_range first = { .end = 3 * SECTOR };
	struct why why;
	int box, journal = open("journal", O_RDWR | O_CREAT, 0600);

	(void)state;
	put_old(&old, 3 * SECTOR);
	queue(long_text(9000));
	assert_int_equal(deliver_queued(0), OK);
	box = open("box", O_RDWR);
	recording = failing.all_flushes = true;
	assert_int_equal(mbox_remove(box, journal, &first, 1, &why), -1);
	recording = false;
	close(box);
	put_old(&old, 2 * SECTOR - 20);
	box = open("box", O_RDWR);
	recording = true;
	assert_int_equal(mbox_recover(box, journal, &why), -1);
	assert_int_equal(why.error, EIO);
	recording = failing.all_flushes = false;
	assert_int_equal(size_of_box(), old.n);
	assert_int_equal(mbox_recover(box, journal, &why), 0);
	assert_true(size_of_box() > (off_t)old.n + 9000);
	judge(&old, 0);
	close(box);
	close(journal);
}

/* What is nothing that we have left. */
static void
test_is_left(void **state)
{
	static const struct {
		size_t size;
		char end[SECTOR];
	} rows[] = {
		{ 3 * SECTOR, "" },
		{ 3 * SECTOR, "\n" },
		{ 3 * SECTOR, "\n\n" },
		{ 3 * SECTOR, "\nFrom a@b" },
		{ 3 * SECTOR, "\n\nFrom a@b\n" },
		{ 3 * SECTOR, "\n\nFroM" },
		{ 3 * SECTOR, "\n\nFrom here on" },
		{ 3 * SECTOR, "\n\nx" },
		{ 3 * SECTOR, "\n\nFrom \"a b\" on" },
		{ 3 * SECTOR, "\n\nFrom \"a\\\"\" on" },
		{ 3 * SECTOR, "\n\nFrom a\\ b@c" },
		{ 3 * SECTOR - 1, "\n\nFrom a@b  Sun" },
		{ 3 * SECTOR + 1, "\n\nFrom a@b  Sun" },
		{ 0, "" },
	};
	static struct image box;
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put_old(&box, rows[i].size);
		fd = open("box", O_RDWR);
		if (rows[i].size > 0)
			assert_true(pwrite(fd, rows[i].end, strlen(rows[i].end),
					(off_t)(rows[i].size -
					    strlen(rows[i].end))) >= 0);
		assert_int_equal(mbox_end_mend(fd, (off_t)rows[i].size),
		    rows[i].size);
		close(fd);
	}
}

/* No more than one sector of them. */
static void
test_zeros(void **state)
{
	static const struct {
		size_t size, zeros;
		bool gone;
	} rows[] = {
		{ 3 * SECTOR, 1, true },
		{ 3 * SECTOR, SECTOR, true },
		{ 3 * SECTOR, SECTOR + 1, false },
		{ 3 * SECTOR + 9, 9, true },
		{ 3 * SECTOR + 9, 10, false },
		{ 3 * SECTOR - 1, SECTOR - 1, true },
		{ 3 * SECTOR - 1, SECTOR, false },
	};
	static const char zeros[2 * SECTOR];
	static struct image box;
	struct stat st;
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t text = rows[i].size - rows[i].zeros;
		size_t left = rows[i].gone ? text : rows[i].size;

		put_old(&box, rows[i].size);
		fd = open("box", O_RDWR);
		assert_int_equal(pwrite(fd, zeros, rows[i].zeros, (off_t)text),
		    rows[i].zeros);
		assert_int_equal(mbox_end_mend(fd, (off_t)rows[i].size), left);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_size, left);
		close(fd);
	}
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_enter, folder_leave)
	const struct CMUnitTest tests[] = {
		TEST(test_at_each_place_of_a_sector),
		TEST(test_by_deliveries),
		TEST(test_senders),
		TEST(test_a_disk_that_fails),
		TEST(test_a_repair_that_fails),
		TEST(test_is_left),
		TEST(test_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
