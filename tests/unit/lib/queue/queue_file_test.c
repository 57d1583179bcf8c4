/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/file_system.h"
#include "lib/queue/queue_crc.h"
#include "lib/queue/queue_file.h"

static char root[] = "/tmp/queue_file_test.XXXXXX";
static int locks; /* how often one was asked for */

int
flock(int fd, int how)
{
	locks++;
	return (int)syscall(SYS_flock, fd, how);
}

static int
enter(void **state)
{
	struct buf error = BUF_INIT(4096);

	(void)state;
	assert_non_null(mkdtemp(root));
	assert_true(queue_make_directories(root, getuid(), getgid(), &error));
	/* again: nothing to do is no error */
	assert_true(queue_make_directories(root, getuid(), getgid(), &error));
	buf_fini(&error);
	return chdir(root);
}

static int
leave(void **state)
{
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		execlp("rm", "rm", "-rf", root, (char *)NULL);
		_exit(127);
	}
	return waitpid(child, NULL, 0) == child ? 0 : -1;
}

enum { ROOM = 16384, BLOCK = 4096, FOOTER = 64 };

static struct queue_recipient two[2];

static struct queue_envelope
sample(void)
{
	struct queue_envelope e = {
		.sender = "alice@example.test",
		.envid = "env id",
		.ret = 2,
		.flags = QUEUE_BODY_8BIT | QUEUE_HAS_PREFIX,
		.arrival = 1795268721123456,
		.client = "mail.example.test[192.0.2.1]",
		.recipients = two,
		.recipient_count = 2,
	};

	two[0] = (struct queue_recipient){ .address = "bob@example.test",
		.original = "bob@example.test",
		.orcpt = "" };
	two[1] = (struct queue_recipient){ .address = "carol@example.test",
		.original = "list@example.test",
		.orcpt = "rfc822;list@example.test",
		.notify = NOTIFY_SUCCESS | NOTIFY_DELAY };
	return e;
}

/* Writes "content" into incoming under a new id. 0 or -1. */
static int
write_file(const char *content, size_t n, struct queue_envelope *e,
    char id[QUEUE_ID_MAX])
{
	struct queue_writer *w;
	struct why why;
	int result, error;

	queue_id_mint(id);
	w = queue_writer_new("incoming", id, &why);
	assert_non_null(w);
	queue_writer_add(w, "Return-Path: <>\r\n", 17);
	queue_writer_content_begins(w);
	for (size_t done = 0; done < n; done += 50000)
		queue_writer_add(w, content + done,
		    n - done < 50000 ? n - done : 50000);
	result = queue_writer_commit(w, e);
	error = errno;
	queue_writer_free(&w);
	assert_null(w);
	errno = error;
	return result;
}

static void
assert_same(const struct queue_envelope *a, const struct queue_envelope *b)
{
	assert_string_equal(a->sender, b->sender);
	assert_string_equal(a->envid, b->envid);
	assert_string_equal(a->client, b->client);
	assert_int_equal(a->ret, b->ret);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->arrival, b->arrival);
	assert_int_equal(a->content_offset, b->content_offset);
	assert_int_equal(a->content_size, b->content_size);
	assert_int_equal(a->flags_offset, b->flags_offset);
	assert_int_equal(a->recipient_count, b->recipient_count);
	for (size_t i = 0; i < a->recipient_count; i++) {
		assert_string_equal(a->recipients[i].address,
		    b->recipients[i].address);
		assert_string_equal(a->recipients[i].original,
		    b->recipients[i].original);
		assert_string_equal(a->recipients[i].orcpt,
		    b->recipients[i].orcpt);
		assert_int_equal(a->recipients[i].notify,
		    b->recipients[i].notify);
		assert_int_equal(a->recipients[i].status,
		    b->recipients[i].status);
		assert_int_equal(a->recipients[i].offset,
		    b->recipients[i].offset);
	}
}

static void
what_is_written_is_read(void **state)
{
	static const size_t sizes[] = { 0, 1, 4096, 131072, 131073, 1000000 };
	char *content = calloc(1, 1000000);
	char *back = malloc(1000000);
	struct arena *a = arena_new();
	struct queue_envelope e, r;
	char id[QUEUE_ID_MAX];
	int fd;

	(void)state;
	for (size_t i = 0; i < 1000000; i++)
		content[i] = (char)(i * 31 + i / 251);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		e = sample();
		assert_int_equal(write_file(content, sizes[i], &e, id), 0);
		assert_int_equal(e.content_offset, 17);
		assert_int_equal(e.content_size, sizes[i]);
		fd = queue_open("incoming", id, false);
		assert_int_not_equal(fd, -1);
		assert_int_equal(queue_read_envelope(fd, id, a, &r), QUEUE_OK);
		assert_same(&e, &r);
		assert_int_equal(fd_pread_all(fd, back, sizes[i],
				     r.content_offset),
		    0);
		assert_memory_equal(content, back, sizes[i]);
		/* under another name it is somebody's forgery */
		queue_id_mint(id);
		assert_int_equal(queue_read_envelope(fd, id, a, &r),
		    QUEUE_CORRUPT);
		assert_int_equal(queue_read_envelope(fd, NULL, a, &r),
		    QUEUE_OK);
		close(fd);
	}
	arena_free(&a);
	free(content);
	free(back);
}

static void
many_recipients(void **state)
{
	enum { MANY = 50000 };
	struct queue_recipient *all = mem_array(MANY + 1, sizeof(*all));
	struct queue_envelope e = sample(), r;
	struct arena *a = arena_new();
	char id[QUEUE_ID_MAX];
	int fd;

	(void)state;
	for (size_t i = 0; i <= MANY; i++) {
		all[i] = two[1];
		all[i].address = arena_printf(a, "user%zu@example.test", i);
	}
	e.recipients = all;
	e.recipient_count = MANY;
	assert_int_equal(write_file("x\r\n", 3, &e, id), 0);
	fd = queue_open("incoming", id, false);
	assert_int_equal(queue_read_envelope(fd, id, a, &r), QUEUE_OK);
	assert_same(&e, &r);
	close(fd);
	e.recipient_count = MANY + 1;
	assert_int_equal(write_file("x\r\n", 3, &e, id), -1);
	e.recipient_count = 0;
	assert_int_equal(write_file("x\r\n", 3, &e, id), -1);
	arena_free(&a);
	free(all);
}

/* Attack row: a value that would be read as another field or line. */
static void
breaks_are_refused_at_write(void **state)
{
	static const char *const bad[] = { "a\nb", "a\rb", "a\r\nb", "\n" };
	struct queue_envelope e;
	char id[QUEUE_ID_MAX];
	struct stat st;
	char path[QUEUE_PATH_MAX];
	const char **fields[] = { &e.sender, &e.envid, &e.client,
		&two[1].address, &two[1].original, &two[1].orcpt };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (size_t j = 0; j < sizeof(fields) / sizeof(*fields); j++) {
			e = sample();
			*fields[j] = bad[i];
			assert_int_equal(write_file("x\r\n", 3, &e, id), -1);
			assert_int_equal(errno, EINVAL);
			queue_path("incoming", id, path);
			assert_int_equal(stat(path, &st), -1);
		}
}

static void
long_fields_are_refused_at_write(void **state)
{
	char *text = mem_new(70000);
	struct queue_envelope e;
	char id[QUEUE_ID_MAX];

	(void)state;
	memset(text, 'a', 69999);
	e = sample();
	e.sender = text;
	assert_int_equal(write_file("x\r\n", 3, &e, id), -1);
	text[1025] = '\0';
	assert_int_equal(write_file("x\r\n", 3, &e, id), -1);
	text[1024] = '\0';
	assert_int_equal(write_file("x\r\n", 3, &e, id), 0);
	free(text);
}

/* Reads "bytes" as if they were the file of this id. */
static enum queue_read
read_bytes(const char *bytes, size_t n, const char *id,
    struct queue_envelope *e)
{
	static int fd = -1; /* a close behind each cut would flush it */
	struct arena *a = arena_new();
	enum queue_read result;

	if (fd == -1)
		fd = open("bytes", O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(fd_pwrite_all(fd, bytes, n, 0), 0);
	result = queue_read_envelope(fd, id, a, e);
	arena_free(&a);
	return result;
}

static size_t
load(const char *id, char *bytes, size_t room)
{
	int fd = queue_open("incoming", id, false);
	ssize_t n = read(fd, bytes, room);

	assert_true(n > 0 && (size_t)n < room);
	close(fd);
	return (size_t)n;
}

/* Where the zeros end. */
static size_t
first_field(const char *bytes, const struct queue_envelope *e)
{
	size_t at = (size_t)(e->content_offset + e->content_size);

	while (bytes[at] == '\0')
		at++;
	return at;
}

static void
every_changed_byte_is_seen(void **state)
{
	struct queue_envelope e = sample(), r;
	char id[QUEUE_ID_MAX], bytes[ROOM], was;
	size_t n, survived = 0;
	enum queue_read result;

	(void)state;
	assert_int_equal(write_file("hello\r\n", 7, &e, id), 0);
	n = load(id, bytes, sizeof(bytes));
	assert_int_equal(read_bytes(bytes, n, id, &r), QUEUE_OK);
	for (size_t i = (size_t)(e.content_offset + e.content_size); i < n; i++)
		for (int bit = 0; bit < 8; bit++) {
			was = bytes[i];
			bytes[i] ^= (char)(1 << bit);
			result = read_bytes(bytes, n, id, &r);
			/* only what is meant to change may */
			if (result == QUEUE_OK) {
				survived++;
				assert_true((off_t)i == two[0].offset ||
				    (off_t)i == two[1].offset ||
				    ((off_t)i >= e.flags_offset &&
					(off_t)i < e.flags_offset + 8));
			} else {
				assert_int_equal(result, QUEUE_CORRUPT);
			}
			bytes[i] = was;
		}
	assert_true(survived > 0);
}

static void
every_truncation_is_incomplete(void **state)
{
	struct queue_envelope e = sample(), r;
	char id[QUEUE_ID_MAX], bytes[ROOM];
	size_t n;

	(void)state;
	assert_int_equal(write_file("hello\r\n", 7, &e, id), 0);
	n = load(id, bytes, sizeof(bytes));
	for (size_t i = 0; i < n; i++)
		assert_int_equal(read_bytes(bytes, i, id, &r),
		    QUEUE_INCOMPLETE);
	/* and what follows the footer hides it */
	bytes[n] = 'x';
	assert_int_not_equal(read_bytes(bytes, n + 1, id, &r), QUEUE_OK);
}

/* Gives a changed footer the checksum that fits. */
static void
seal(char *bytes, size_t n, const struct queue_envelope *e)
{
	size_t begin = first_field(bytes, e);
	char trailer[500];
	uint32_t crc;

	assert_in_range(n - begin, 0, sizeof(trailer));
	memcpy(trailer, bytes + begin, n - begin);
	memset(trailer + e->flags_offset - begin, 0, 8);
	trailer[two[0].offset - begin] = trailer[two[1].offset - begin] = 0;
	crc = queue_crc(0, trailer, n - 4 - begin);
	for (size_t i = 0; i < 4; i++)
		bytes[n - 4 + i] = (char)(crc >> 8 * (3 - i));
}

/* Who moves it to a Maildir cuts it, and the power may leave that. */
static void
zeros_to_the_end_of_the_block_change_nothing(void **state)
{
	static const size_t ends[] = { 24, 25, BLOCK - 1, BLOCK, BLOCK + 1,
		2 * BLOCK - 300, 2 * BLOCK - 1, 2 * BLOCK };
	struct queue_envelope e, r;
	char id[QUEUE_ID_MAX], bytes[ROOM], cut[ROOM];
	char content[2 * BLOCK];
	size_t n, to;

	(void)state;
	memset(content, 'x', sizeof(content));
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		e = sample();
		assert_int_equal(write_file(content, ends[i] - 17, &e, id), 0);
		n = load(id, bytes, sizeof(bytes));
		to = (ends[i] + BLOCK - 1) / BLOCK * BLOCK;
		assert_int_equal(first_field(bytes, &e), to);
		memcpy(cut, bytes, n);
		memset(cut + ends[i], 0, to - ends[i]);
		assert_memory_equal(cut, bytes, n);
		assert_int_equal(read_bytes(cut, n, id, &r), QUEUE_OK);
		assert_int_equal(r.content_size, ends[i] - 17);
	}
	/* one that stays in the queue has no need of it */
	e = sample();
	e.flags = 0;
	assert_int_equal(write_file("hello\r\n", 7, &e, id), 0);
	assert_true(load(id, bytes, sizeof(bytes)) < 500);
	assert_int_equal(first_field(bytes, &e), 24);
}

static void
put_number(char *to, uint64_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (char)(value >> 8 * (n - 1 - i));
}

/* The file with so many zeros instead, and what follows from that. */
static size_t
pad(char *bytes, size_t n, size_t zeros, struct queue_envelope *e)
{
	size_t end = (size_t)(e->content_offset + e->content_size);
	size_t from = first_field(bytes, e);
	size_t now = n - from + end + zeros;
	off_t by = (off_t)(end + zeros) - (off_t)from;

	memmove(bytes + end + zeros, bytes + from, n - from);
	memset(bytes + end, 0, zeros);
	put_number(bytes + now - FOOTER + 40, now - FOOTER - end, 8);
	e->flags_offset += by;
	two[0].offset += by;
	two[1].offset += by;
	seal(bytes, now, e);
	return now;
}

static void
any_number_of_zeros_below_the_limit_is_read(void **state)
{
	static const struct {
		size_t zeros;
		enum queue_read result;
	} rows[] = { { 0, QUEUE_OK }, { 1, QUEUE_OK }, { 511, QUEUE_OK },
		{ 65535, QUEUE_OK }, { 65536, QUEUE_OK },
		{ 65537, QUEUE_CORRUPT }, { 70000, QUEUE_CORRUPT } };
	struct queue_envelope e = sample(), r;
	char id[QUEUE_ID_MAX], *bytes = mem_new(80000);
	size_t n;

	(void)state;
	assert_int_equal(write_file("hello\r\n", 7, &e, id), 0);
	n = load(id, bytes, ROOM);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		n = pad(bytes, n, rows[i].zeros, &e);
		assert_int_equal(read_bytes(bytes, n, id, &r), rows[i].result);
		if (rows[i].result != QUEUE_OK)
			continue;
		assert_int_equal(r.content_size, 7);
		assert_int_equal(r.flags_offset, e.flags_offset);
	}
	free(bytes);
}

/*
 * Offsets, counts and sizes at their limits, with a checksum that fits: the
 * reader must refuse by bounds, not by luck.
 */
static void
hostile_footers(void **state)
{
	static const uint64_t values[] = { 0, 1, 63, 64, 65535, 65537,
		0x7fffffff, 0xffffffff, 0x7fffffffffffffff, 0xffffffffffffffff,
		0xffffffffffffffc0 };
	struct queue_envelope e = sample(), r;
	char id[QUEUE_ID_MAX], bytes[ROOM], copy[ROOM];
	static const struct {
		size_t at, size;
	} numbers[] = { { 16, 4 }, { 20, 4 }, { 24, 8 }, { 32, 8 }, { 40, 8 },
		{ 48, 8 }, { 56, 4 } };
	size_t n;

	(void)state;
	assert_int_equal(write_file("hello\r\n", 7, &e, id), 0);
	n = load(id, bytes, sizeof(bytes));
	memcpy(copy, bytes, n);
	seal(copy, n, &e);
	assert_memory_equal(copy, bytes, n);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		for (size_t j = 0; j < sizeof(values) / sizeof(*values); j++) {
			char *p = copy + n - FOOTER + numbers[i].at;

			memcpy(copy, bytes, n);
			put_number(p, values[j], numbers[i].size);
			if (memcmp(copy, bytes, n) == 0 ||
			    (numbers[i].at == 24 && values[j] <= 24))
				continue;
			seal(copy, n, &e);
			assert_int_equal(read_bytes(copy, n, id, &r),
			    QUEUE_CORRUPT);
		}
}

static void
marks_are_read_back(void **state)
{
	struct queue_envelope e = sample(), r;
	struct arena *a = arena_new();
	char id[QUEUE_ID_MAX];
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(write_file("hello\r\n", 7, &e, id), 0);
	fd = queue_open("incoming", id, true);
	assert_int_equal(queue_mark(fd, two[0].offset, QUEUE_RECIPIENT_DONE),
	    0);
	assert_int_equal(queue_mark(fd, two[1].offset,
			     QUEUE_RECIPIENT_REPORTING),
	    0);
	assert_int_equal(queue_mark_flags(fd, &e, e.flags | QUEUE_WARNED), 0);
	assert_int_equal(queue_read_envelope(fd, id, a, &r), QUEUE_OK);
	assert_int_equal(r.recipients[0].status, QUEUE_RECIPIENT_DONE);
	assert_int_equal(r.recipients[1].status, QUEUE_RECIPIENT_REPORTING);
	assert_int_equal(r.flags, e.flags | QUEUE_WARNED);
	assert_int_equal(queue_mark(fd, two[1].offset, 'X'), 0);
	assert_int_equal(queue_read_envelope(fd, id, a, &r), QUEUE_CORRUPT);
	assert_int_equal(queue_set_retry(fd, 1234567890), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mtime, 1234567890);
	close(fd);
	arena_free(&a);
}

static void
ids_are_unique_ordered_and_strict(void **state)
{
	static const char *const bad[] = { "", ".", "..", "../x", "incoming",
		"0123456789", "zzzzzzzzzzz", "4bTnXJ1234z00000000",
		"4bTnXJ1234z0000000000", "4bTnXJ/234z000000000",
		"4bTnXJ1234y000000000", "4bTnXJ1234z00000000z",
		"4bTnXJzzzzz000000000", "4bTnXJ1234z00000000\n" };
	char last[QUEUE_ID_MAX] = "", id[QUEUE_ID_MAX];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		queue_id_mint(id);
		assert_true(queue_id_valid(id));
		assert_true(strncmp(last, id, 10) < 0);
		memcpy(last, id, sizeof(id));
	}
	assert_true(queue_id_time(id) > 1700000000000000);
	assert_true(queue_id_valid("4bTnXJ1234z000000000"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(queue_id_valid(bad[i]));
}

static bool
count(void *with, const char *id)
{
	assert_true(queue_id_valid(id));
	return ++*(int *)with < 100;
}

static void
files_are_found_after_the_depth_changed(void **state)
{
	struct queue_envelope e = sample();
	char id[QUEUE_ID_MAX];
	int found = 0, fd;

	(void)state;
	assert_int_equal(write_file("x\r\n", 3, &e, id), 0);
	assert_int_equal(queue_move(id, "hold", "deferred"), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(queue_move(id, "incoming", "deferred"), 0);
	assert_int_equal(queue_open("incoming", id, false), -1);
	queue_hash_depth(3);
	fd = queue_open("deferred", id, false);
	assert_int_not_equal(fd, -1);
	close(fd);
	assert_int_equal(queue_scan("deferred", count, &found), 0);
	assert_int_equal(found, 1);
	assert_int_equal(queue_move(id, "deferred", "hold"), 0);
	assert_int_equal(queue_move(id, "hold", "deferred"), 0);
	queue_hash_depth(0);
	assert_int_equal(queue_remove("deferred", id), 0);
	found = 0;
	assert_int_equal(queue_scan("deferred", count, &found), 0);
	assert_int_equal(found, 0);
	queue_hash_depth(1);
}

/* A program that was taken over may submit under somebody else's id. */
static void
a_move_replaces_nothing(void **state)
{
	struct queue_envelope e = sample();
	char id[QUEUE_ID_MAX], path[QUEUE_PATH_MAX], held[QUEUE_PATH_MAX];
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(write_file("first\r\n", 7, &e, id), 0);
	assert_int_equal(queue_move(id, "incoming", "hold"), 0);
	queue_path("incoming", id, path);
	queue_path("hold", id, held);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_int_not_equal(fd, -1);
	close(fd);
	assert_int_equal(queue_move(id, "incoming", "hold"), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(stat(held, &st), 0);
	assert_true(st.st_size > 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(queue_remove("incoming", id), 0);
	/* a power cut has left the name that it had before */
	assert_int_equal(link(held, path), 0);
	assert_int_equal(queue_move(id, "incoming", "hold"), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(stat(held, &st), 0);
	assert_true(st.st_size > 0);
	assert_int_equal(queue_remove("hold", id), 0);
}

/* Who owns the queue must not be able to change sockets of other programs. */
static void
private_sockets_are_roots(void **state)
{
	char other[] = "/tmp/queue_owner_test.XXXXXX";
	struct buf error = BUF_INIT(4096);
	char path[256];
	struct stat st;
	pid_t child;
	int status;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(other));
	assert_true(queue_make_directories(other, 4711, 4712, &error));
	snprintf(path, sizeof(path), "%s/private", other);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	snprintf(path, sizeof(path), "%s/incoming", other);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 4711);
	/* the queue's owner may look again, and leaves root's alone */
	child = fork();
	if (child == 0)
		_exit(chmod(other, 0755) == 0 && setgid(4711) == 0 &&
			    setuid(4711) == 0 &&
			    queue_make_directories(other, 4711, 4712, &error) ?
			0 :
			1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	buf_fini(&error);
	child = fork();
	if (child == 0) {
		execlp("rm", "rm", "-rf", other, (char *)NULL);
		_exit(127);
	}
	waitpid(child, NULL, 0);
}

static void
links_and_pipes_are_not_opened(void **state)
{
	char id[QUEUE_ID_MAX], path[QUEUE_PATH_MAX];

	(void)state;
	queue_id_mint(id);
	queue_path("incoming", id, path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(queue_open("incoming", id, false), -1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(queue_open("incoming", id, false), -1);
	assert_int_equal(unlink(path), 0);
}

static void
an_id_is_written_once(void **state)
{
	struct queue_envelope e = sample();
	char id[QUEUE_ID_MAX];
	struct why why;
	int fd;

	(void)state;
	assert_int_equal(write_file("x\r\n", 3, &e, id), 0);
	assert_null(queue_writer_new("incoming", id, &why));
	assert_int_equal(why.error, EEXIST);
	assert_int_equal(why.dsn[0], '4');
	fd = queue_open("incoming", id, false);
	assert_int_not_equal(fd, -1);
	close(fd);
}

static void
age(const char *path, int64_t seconds)
{
	struct timespec t[2];

	clock_gettime(CLOCK_REALTIME, &t[0]);
	t[0].tv_sec -= seconds;
	t[1] = t[0];
	assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

static void
only_abandoned_files_are_removed(void **state)
{
	struct queue_envelope e = sample();
	char id[QUEUE_ID_MAX], path[QUEUE_PATH_MAX];
	struct queue_writer *w;
	struct why why;
	int fd;

	(void)state;
	/* committed */
	assert_int_equal(write_file("x\r\n", 3, &e, id), 0);
	queue_path("incoming", id, path);
	age(path, 3600);
	assert_int_equal(queue_remove_incomplete("incoming", id), 0);
	assert_int_equal(unlink(path), 0);
	/* being written */
	queue_id_mint(id);
	w = queue_writer_new("incoming", id, &why);
	queue_path("incoming", id, path);
	age(path, 3600);
	assert_int_equal(queue_remove_incomplete("incoming", id), 0);
	queue_writer_free(&w);
	assert_int_equal(access(path, F_OK), -1);
	/* young, then old */
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(fd_write_all(fd, path, strlen(path)), 0);
	close(fd);
	locks = 0;
	assert_int_equal(queue_remove_incomplete("incoming", id), 0);
	assert_int_equal(locks, 0); /* who makes it would find it locked */
	age(path, 3600);
	assert_int_equal(queue_remove_incomplete("incoming", id), 1);
	assert_int_equal(locks, 1);
	assert_int_equal(access(path, F_OK), -1);
}

static void
a_full_disk_leaves_nothing(void **state)
{
	struct queue_envelope e = sample();
	char id[QUEUE_ID_MAX], path[QUEUE_PATH_MAX];
	struct queue_writer *w;
	struct rlimit was, small = { 300000, RLIM_INFINITY };
	char block[5000] = { 0 };
	struct why why;

	(void)state;
	/* a limit on file sizes fails the same way, half way through */
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	small.rlim_max = was.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	queue_id_mint(id);
	w = queue_writer_new("incoming", id, &why);
	for (int i = 0; i < 100; i++)
		queue_writer_add(w, block, sizeof(block));
	assert_int_equal(queue_writer_commit(w, &e), -1);
	assert_int_equal(errno, EFBIG);
	queue_writer_free(&w);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	queue_path("incoming", id, path);
	assert_int_equal(access(path, F_OK), -1);
}

/* Flushed, and then it turns out that its device takes no changes any more. */
static bool given_up;

int __real_file_system_commit(int fd, dev_t device, enum file_time time);
int __wrap_file_system_commit(int fd, dev_t device, enum file_time time);

int
__wrap_file_system_commit(int fd, dev_t device, enum file_time time)
{
	struct stat st;

	assert_int_equal(time, FILE_TIME_READ);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(device, st.st_dev);
	errno = EROFS;
	return given_up ? -1 : __real_file_system_commit(fd, device, time);
}

static void
a_device_that_was_given_up_accepts_nothing(void **state)
{
	struct queue_envelope e = sample();
	char id[QUEUE_ID_MAX], path[QUEUE_PATH_MAX];

	(void)state;
	given_up = true;
	assert_int_equal(write_file("x\r\n", 3, &e, id), -1);
	assert_int_equal(errno, EROFS);
	given_up = false;
	queue_path("incoming", id, path);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(write_file("x\r\n", 3, &e, id), 0);
}

static void
crc_is_castagnoli(void **state)
{
	(void)state;
	assert_int_equal(queue_crc(0, "123456789", 9), 0xe3069283);
	assert_int_equal(queue_crc(queue_crc(0, "1234", 4), "56789", 5),
	    0xe3069283);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc_is_castagnoli),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(many_recipients),
		cmocka_unit_test(breaks_are_refused_at_write),
		cmocka_unit_test(long_fields_are_refused_at_write),
		cmocka_unit_test(every_changed_byte_is_seen),
		cmocka_unit_test(every_truncation_is_incomplete),
		cmocka_unit_test(zeros_to_the_end_of_the_block_change_nothing),
		cmocka_unit_test(any_number_of_zeros_below_the_limit_is_read),
		cmocka_unit_test(hostile_footers),
		cmocka_unit_test(marks_are_read_back),
		cmocka_unit_test(ids_are_unique_ordered_and_strict),
		cmocka_unit_test(files_are_found_after_the_depth_changed),
		cmocka_unit_test(a_move_replaces_nothing),
		cmocka_unit_test(private_sockets_are_roots),
		cmocka_unit_test(links_and_pipes_are_not_opened),
		cmocka_unit_test(an_id_is_written_once),
		cmocka_unit_test(only_abandoned_files_are_removed),
		cmocka_unit_test(a_full_disk_leaves_nothing),
		cmocka_unit_test(a_device_that_was_given_up_accepts_nothing),
	};
	return cmocka_run_group_tests(tests, enter, leave);
}
