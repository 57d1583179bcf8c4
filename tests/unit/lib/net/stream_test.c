/* SPDX-License-Identifier: ISC */
#include "lib/net/stream.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/connect.h"
#include "lib/net/stream_pool.h"
#include "lib/task/task.h"

static struct stream *
over(int fd[2])
{
	struct stream *s;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	s = stream_new(fd[0]);
	stream_timeout(s, 5000);
	return s;
}

static void
put(int fd, const char *text, size_t n)
{
	assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), n);
}

static void
want_line(struct stream *s, const char *text, enum line_end ends)
{
	enum line_end end;
	struct span line;

	assert_int_equal(stream_line(s, 1000, &line, &end), IO_OK);
	if (!span_is(line, text))
		fail_msg("wanted \"%s\", got \"%.*s\"", text, SPAN_ARG(line));
	assert_int_equal(end, ends);
}

struct play {
	int fd;
	size_t split;
	const char *text;
	size_t n;
};

/* Sends the text in two parts, with a turn for the reader in between. */
static void
split_writer(void *argument)
{
	struct play *p = argument;

	put(p->fd, p->text, p->split);
	wait_until(clock_ms() + 1);
	put(p->fd, p->text + p->split, p->n - p->split);
	close(p->fd);
}

static void
what_is_kept_goes_back_when_told(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char there;
	char *a = stream_pool_get(), *was = a;

	(void)state;
	a[0] = 'x';
	stream_pool_put(&a);
	assert_int_equal(mincore(was, page, &there), 0);
	stream_pool_trim();
	assert_int_equal(mincore(was, page, &there), -1);
	assert_int_equal(errno, ENOMEM);
	a = stream_pool_get();
	a[0] = 'y';
	stream_pool_put(&a);
	assert_int_equal(stream_pool_used(), 0);
}

static const char lines_text[] =
    "first\r\n\r\nbare\nwith\rcr\r\n.\r\nlast\r\r\nhalf";

static void
line_reader(void *argument)
{
	struct stream *s = argument;
	struct span line;

	want_line(s, "first", LINE_CRLF);
	want_line(s, "", LINE_CRLF);
	want_line(s, "bare", LINE_LF);
	want_line(s, "with\rcr", LINE_CRLF);
	want_line(s, ".", LINE_CRLF);
	want_line(s, "last\r", LINE_CRLF);
	assert_int_equal(stream_line(s, 1000, &line, NULL), IO_EOF);
	assert_int_equal(stream_line(s, 1000, &line, NULL), IO_EOF);
	stream_free(&s);
}

static void
lines_split_anywhere_are_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines_text) - 1; i++) {
		struct play p = { .split = i,
			.text = lines_text,
			.n = sizeof(lines_text) - 1 };
		int fd[2];
		struct stream *s = over(fd);

		p.fd = fd[1];
		task_start(line_reader, s);
		task_start(split_writer, &p);
		task_loop();
	}
	assert_int_equal(stream_pool_used(), 0);
}

static void
lines_work_without_tasks(void **state)
{
	int fd[2];
	struct stream *s = over(fd);

	(void)state;
	put(fd[1], lines_text, sizeof(lines_text) - 1);
	close(fd[1]);
	line_reader(s);
}

static void
limits_are_exact(void **state)
{
	static const struct {
		const char *text;
		enum io result;
	} rows[] = {
		{ "12345\r\n", IO_OK },
		{ "12345\n", IO_OK },
		{ "1234\r\r\n", IO_OK },
		{ "123456\r\n", IO_LONG },
		{ "123456\n", IO_LONG },
		{ "12345\r\r\n", IO_LONG },
		{ "12345\rx", IO_LONG },
		{ "123456", IO_LONG },
		{ "1234567", IO_LONG },
		{ "12345\r", IO_TIMEOUT },
		{ "12345", IO_TIMEOUT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd[2];
		struct stream *s = over(fd);
		struct span line;
		enum io got;

		stream_timeout(s, 20);
		put(fd[1], rows[i].text, strlen(rows[i].text));
		got = stream_line(s, 5, &line, NULL);
		if (got != rows[i].result)
			fail_msg("\"%s\": %s", rows[i].text, io_name(got));
		if (got == IO_LONG) /* all of it is still there */
			assert_int_equal(stream_buffered(s),
			    strlen(rows[i].text));
		stream_free(&s);
		close(fd[1]);
	}
}

static void
a_long_line_fills_no_more_than_the_limit(void **state)
{
	static char block[200000];
	int fd[2];
	struct stream *s = over(fd);
	struct span line;

	(void)state;
	memset(block, 'x', sizeof(block));
	assert_true(send(fd[1], block, sizeof(block), MSG_DONTWAIT) > 65536);
	assert_int_equal(stream_line(s, 65534, &line, NULL), IO_LONG);
	stream_free(&s);
	close(fd[1]);
}

/* One byte at a time never makes the line late beyond the time-out. */
static void
trickler(void *argument)
{
	int fd = *(int *)argument;

	while (send(fd, "x", 1, MSG_NOSIGNAL) == 1)
		if (wait_until(clock_ms() + 10) != WAIT_TIMEOUT)
			break;
	close(fd);
}

static void
patient_reader(void *argument)
{
	struct stream *s = argument;
	int64_t start = clock_ms();
	struct span line;

	stream_timeout(s, 100);
	assert_int_equal(stream_line(s, 1000, &line, NULL), IO_TIMEOUT);
	assert_in_range(clock_ms() - start, 100, 30000);
	assert_string_equal(stream_error(s), "timeout");
	stream_free(&s);
}

static void
a_trickle_is_no_escape_from_the_timeout(void **state)
{
	int fd[2];
	struct stream *s = over(fd);

	(void)state;
	task_start(patient_reader, s);
	task_start(trickler, &fd[1]);
	task_loop();
	assert_int_equal(stream_pool_used(), 0);
}

static void
deadline_bounds_every_read(void **state)
{
	int64_t start = clock_ms();
	int fd[2];
	struct stream *s = over(fd);
	struct span line;

	(void)state;
	stream_timeout(s, 60000);
	stream_deadline(s, start + 30);
	assert_int_equal(stream_line(s, 100, &line, NULL), IO_TIMEOUT);
	assert_in_range(clock_ms() - start, 30, 30000);
	stream_free(&s);
	close(fd[1]);
}

static void
pipelined_answers_leave_together(void **state)
{
	char answers[100];
	int fd[2];
	struct stream *s = over(fd);
	struct span line;

	(void)state;
	put(fd[1], "a\r\nb\r\nc\r\n", 9);
	for (char c = 'a'; c <= 'c'; c++) {
		assert_int_equal(stream_line(s, 10, &line, NULL), IO_OK);
		assert_int_equal(line.p[0], c);
		assert_int_equal(stream_printf(s, "250 %c\r\n", c), IO_OK);
		assert_int_equal(recv(fd[1], answers, 1, MSG_DONTWAIT), -1);
	}
	stream_timeout(s, 10);
	assert_int_equal(stream_line(s, 10, &line, NULL), IO_TIMEOUT);
	assert_int_equal(recv(fd[1], answers, sizeof(answers), MSG_DONTWAIT),
	    21);
	assert_memory_equal(answers, "250 a\r\n250 b\r\n250 c\r\n", 21);
	stream_free(&s);
	close(fd[1]);
}

static void
peek_and_consume(void **state)
{
	int fd[2];
	struct stream *s = over(fd);
	struct span b;
	char got[4];

	(void)state;
	put(fd[1], "abc", 3);
	assert_int_equal(stream_peek(s, &b), IO_OK);
	assert_true(span_is(b, "abc"));
	stream_consume(s, 1);
	assert_int_equal(stream_peek(s, &b), IO_OK);
	assert_true(span_is(b, "bc"));
	put(fd[1], "de\r\nf", 5);
	assert_int_equal(stream_peek_more(s, 2, &b), IO_OK);
	assert_true(span_is(b, "bcde\r\nf"));
	assert_int_equal(stream_read(s, got, 2), IO_OK);
	assert_memory_equal(got, "bc", 2);
	assert_int_equal(stream_line(s, 10, &b, NULL), IO_OK);
	assert_true(span_is(b, "de"));
	assert_int_equal(stream_buffered(s), 1);
	assert_int_equal(stream_discard(s), 1);
	assert_int_equal(stream_buffered(s), 0);
	stream_timeout(s, 10);
	assert_int_equal(stream_peek(s, &b), IO_TIMEOUT);
	assert_false(stream_readable(s));
	close(fd[1]);
	assert_true(stream_readable(s));
	assert_int_equal(stream_peek(s, &b), IO_EOF);
	stream_free(&s);
}

static void
peeking_ends_at_a_full_buffer(void **state)
{
	static char block[100000];
	int fd[2];
	struct stream *s = over(fd);
	struct span b = { NULL, 0 };
	enum io result = IO_OK;

	(void)state;
	put(fd[1], block, sizeof(block));
	while (result == IO_OK)
		result = stream_peek_more(s, b.n, &b);
	assert_int_equal(result, IO_LONG);
	assert_int_equal(b.n, STREAM_BUFFER_SIZE);
	stream_free(&s);
	close(fd[1]);
}

static void
a_waiting_stream_holds_no_buffer(void **state)
{
	int fd[2];
	struct stream *s = over(fd);
	struct span line;

	(void)state;
	put(fd[1], "HEL", 3);
	stream_timeout(s, 10);
	stream_text(s, "220 hello\r\n");
	assert_int_equal(stream_line(s, 100, &line, NULL), IO_TIMEOUT);
	/* half a line is remembered, but not in 64 KiB */
	assert_int_equal(stream_buffered(s), 3);
	put(fd[1], "O x\r\nMAIL", 9);
	assert_int_equal(stream_line(s, 100, &line, NULL), IO_OK);
	assert_true(span_is(line, "HELO x"));
	assert_int_equal(stream_line(s, 100, &line, NULL), IO_TIMEOUT);
	assert_int_equal(stream_pool_used(), 0);
	put(fd[1], "\r\n", 2);
	assert_int_equal(stream_line(s, 100, &line, NULL), IO_OK);
	assert_true(span_is(line, "MAIL"));
	stream_rest(s);
	assert_int_equal(stream_pool_used(), 0);
	stream_free(&s);
	close(fd[1]);
}

enum { BULK = 3000001 };

static char *
bulk(void)
{
	char *p = mem_new(BULK);

	for (size_t i = 0; i < BULK; i++)
		p[i] = (char)(i * 7 + (i >> 9));
	return p;
}

static void
bulk_writer(void *argument)
{
	struct stream *s = argument;
	char *p = bulk();

	for (size_t at = 0, n = 1; at < BULK; at += n, n = n * 3 + 1) {
		if (n > BULK - at)
			n = BULK - at;
		assert_int_equal(stream_write(s, p + at, n), IO_OK);
	}
	assert_int_equal(stream_flush(s), IO_OK);
	free(p);
	stream_free(&s);
}

static void
file_writer(void *argument)
{
	struct stream *s = argument;
	FILE *f = tmpfile();
	char *p = bulk();

	assert_int_equal(fwrite("skip", 1, 4, f), 4);
	assert_int_equal(fwrite(p + 2, 1, BULK - 2, f), BULK - 2);
	assert_int_equal(fflush(f), 0);
	assert_int_equal(stream_write(s, p, 2), IO_OK);
	assert_int_equal(stream_send_file(s, fileno(f), 4, BULK - 2), IO_OK);
	fclose(f);
	free(p);
	stream_free(&s);
}

static void
bulk_reader(void *argument)
{
	struct stream *s = argument;
	char *p = bulk(), *got = mem_new(BULK);
	struct span b;

	for (size_t at = 0, n = 1; at < BULK; at += n, n = n * 5 + 1) {
		if (n > BULK - at)
			n = BULK - at;
		assert_int_equal(stream_read(s, got + at, n), IO_OK);
	}
	assert_memory_equal(p, got, BULK);
	assert_int_equal(stream_peek(s, &b), IO_EOF);
	assert_string_equal(stream_error(s), "lost connection");
	free(p);
	free(got);
	stream_free(&s);
}

static void
run_bulk(task_function *writer)
{
	int fd[2];
	struct stream *s = over(fd);

	task_start(writer, s);
	task_start(bulk_reader, stream_new(fd[1]));
	task_loop();
	assert_int_equal(stream_pool_used(), 0);
}

static void
bulk_arrives_whole(void **state)
{
	(void)state;
	run_bulk(bulk_writer);
}

static void
a_file_arrives_whole(void **state)
{
	(void)state;
	run_bulk(file_writer);
}

static void
a_short_file_is_an_error(void **state)
{
	FILE *f = tmpfile();
	int fd[2];
	struct stream *s = over(fd);

	(void)state;
	assert_int_equal(fwrite("four", 1, 4, f), 4);
	assert_int_equal(fflush(f), 0);
	assert_int_equal(stream_send_file(s, fileno(f), 0, 5), IO_ERROR);
	assert_int_equal(stream_text(s, "x"), IO_ERROR);
	fclose(f);
	stream_free(&s);
	close(fd[1]);
}

static void
write_errors_stick(void **state)
{
	int fd[2];
	struct stream *s = over(fd);
	struct span line;

	(void)state;
	put(fd[1], "554 go away\r\n", 13);
	close(fd[1]);
	assert_int_equal(stream_text(s, "hello\r\n"), IO_OK);
	assert_int_equal(stream_flush(s), IO_ERROR);
	assert_string_equal(stream_error(s), "lost connection");
	assert_int_equal(stream_text(s, "again\r\n"), IO_ERROR);
	/* but what the peer said before it went is not lost */
	assert_int_equal(stream_line(s, 100, &line, NULL), IO_OK);
	assert_true(span_is(line, "554 go away"));
	stream_free(&s);
}

static void
a_full_peer_is_a_timeout(void **state)
{
	static char block[400000];
	int fd[2];
	struct stream *s = over(fd);
	enum io result = IO_OK;

	(void)state;
	stream_timeout(s, 20);
	for (int i = 0; i < 10 && result == IO_OK; i++)
		result = stream_write(s, block, sizeof(block));
	assert_int_equal(result, IO_TIMEOUT);
	assert_int_equal(stream_flush(s), IO_TIMEOUT);
	stream_free(&s);
	close(fd[1]);
	assert_int_equal(stream_pool_used(), 0);
}

enum { SLOW_PARTS = 12 };

static char large[SLOW_PARTS * 100000];

static void
large_writer(void *argument)
{
	struct stream *s = argument;

	assert_int_equal(stream_write(s, large, sizeof(large)), IO_OK);
	assert_int_equal(stream_flush(s), IO_OK);
	stream_free(&s);
}

/* All of it takes several times as long as one write may. */
static void
slow_reader(void *argument)
{
	int fd = *(int *)argument;
	size_t all = 0;
	ssize_t n;

	while ((n = recv(fd, large, 100000, MSG_DONTWAIT)) != 0) {
		if (n == -1)
			assert_int_equal(errno, EAGAIN);
		else
			all += (size_t)n;
		wait_until(clock_ms() + 250);
	}
	assert_int_equal(all, sizeof(large));
	close(fd);
}

static void
a_slow_peer_that_takes_is_none(void **state)
{
	int fd[2];
	struct stream *s = over(fd);

	(void)state;
	stream_timeout(s, 2000);
	task_start(large_writer, s);
	task_start(slow_reader, &fd[1]);
	task_loop();
	assert_int_equal(stream_pool_used(), 0);
}

static void
an_absolute_deadline_holds(void **state)
{
	int fd[2];
	struct stream *s = over(fd);
	enum io result = IO_OK;
	int64_t began = clock_ms();

	(void)state;
	stream_timeout(s, 60000);
	stream_deadline(s, began + 30);
	for (int i = 0; i < 10 && result == IO_OK; i++)
		result = stream_write(s, large, sizeof(large));
	assert_int_equal(result, IO_TIMEOUT);
	assert_true(clock_ms() - began < 30000);
	stream_free(&s);
	close(fd[1]);
}

static void
cancelled_reader(void *argument)
{
	struct stream *s = argument;
	struct span line;

	assert_int_equal(stream_line(s, 10, &line, NULL), IO_CANCELLED);
	/* a last word can still be said */
	assert_int_equal(stream_text(s, "421\r\n"), IO_OK);
	assert_int_equal(stream_flush(s), IO_OK);
	stream_free(&s);
}

static void
canceller(void *argument)
{
	wait_until(clock_ms() + 5);
	task_cancel(argument);
}

static void
a_cancelled_session_may_say_goodbye(void **state)
{
	char got[10];
	int fd[2];
	struct stream *s = over(fd);

	(void)state;
	task_start(canceller, task_start(cancelled_reader, s));
	task_loop();
	assert_int_equal(read(fd[1], got, sizeof(got)), 5);
	close(fd[1]);
}

static void
pipes_work(void **state)
{
	struct stream *r, *w;
	struct span line;
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	r = stream_new(fd[0]);
	w = stream_new(fd[1]);
	assert_int_equal(stream_text(w, "hi\n"), IO_OK);
	assert_int_equal(stream_flush(w), IO_OK);
	assert_int_equal(stream_line(r, 10, &line, NULL), IO_OK);
	assert_true(span_is(line, "hi"));
	stream_timeout(r, 10);
	assert_int_equal(stream_line(r, 10, &line, NULL), IO_TIMEOUT);
	stream_free(&w);
	assert_int_equal(stream_line(r, 10, &line, NULL), IO_EOF);
	stream_free(&r);
}

static void
released_descriptor_lives_on(void **state)
{
	int fd[2], kept;
	struct stream *s = over(fd);

	(void)state;
	kept = stream_release(&s);
	assert_null(s);
	assert_int_equal(kept, fd[0]);
	assert_int_equal(write(kept, "x", 1), 1);
	close(kept);
	close(fd[1]);
}

static void
connects_to_listener(void *argument)
{
	struct address *to = argument;
	int fd = connect_address(to, NULL, clock_in(60));

	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	wait_forget(fd);
	close(fd);
}

static void
connecting(void **state)
{
	struct address to = { .length = sizeof(to.v4) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	to.v4.sin_family = AF_INET;
	to.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, &to.any, to.length), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, &to.any, &to.length), 0);
	connects_to_listener(&to);
	task_start(connects_to_listener, &to);
	task_loop();
	close(fd);
	assert_int_equal(connect_address(&to, NULL, clock_in(60)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(connect_unix("/nonexistent/socket", clock_in(60)), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(connect_unix("", clock_in(60)), -1);
}

static void
formats_of_any_length(void **state)
{
	char big[5000], got[6000];
	int fd[2];
	struct stream *s = over(fd);

	(void)state;
	memset(big, 'y', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(stream_printf(s, "<%s>", big), IO_OK);
	assert_int_equal(stream_flush(s), IO_OK);
	assert_int_equal(read(fd[1], got, sizeof(got)), sizeof(big) + 1);
	assert_int_equal(got[sizeof(big)], '>');
	stream_free(&s);
	close(fd[1]);
}

/* Both ends of a TCP connection. */
static void
tcp_pair(int fd[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (struct sockaddr *)&a, n), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &n), 0);
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd[0], (struct sockaddr *)&a, n), 0);
	fd[1] = accept(listener, NULL, NULL);
	assert_true(fd[1] >= 0);
	close(listener);
}

static void
last_words_come_with_the_end(void **state)
{
	struct stream *s;
	char bytes[20];
	int fd[2];

	(void)state;
	tcp_pair(fd);
	s = stream_new(fd[0]);
	assert_int_equal(stream_text(s, "221 Bye\r\n"), IO_OK);
	assert_int_equal(stream_finish(s), IO_OK);
	/* they wait for it */
	assert_int_equal(recv(fd[1], bytes, sizeof(bytes), MSG_DONTWAIT), -1);
	stream_free(&s);
	assert_int_equal(recv(fd[1], bytes, sizeof(bytes), MSG_WAITALL), 9);
	assert_memory_equal(bytes, "221 Bye\r\n", 9);
	close(fd[1]);
}

struct pair {
	int fd[2];
	size_t n;
	const char *text;
};

/* What comes back is compressed as it went out. */
static void
echo_compressed(void *argument)
{
	struct pair *p = argument;
	struct stream *s = stream_new(p->fd[1]);
	struct span bytes;

	assert_true(stream_deflate(s));
	while (stream_peek(s, &bytes) == IO_OK) {
		size_t n = bytes.n;

		assert_int_equal(stream_write(s, bytes.p, n), IO_OK);
		stream_consume(s, n);
	}
	stream_free(&s);
}

static void
talk_compressed(void *argument)
{
	struct pair *p = argument;
	struct stream *s = stream_new(p->fd[0]);
	char *back = mem_new(p->n + 1);

	assert_true(stream_deflate(s));
	/* in parts, so that neither side's socket need hold all of it */
	for (size_t at = 0; at < p->n;) {
		size_t part = p->n - at < 40000 ? p->n - at : 40000;

		assert_int_equal(stream_write(s, p->text + at, part), IO_OK);
		assert_int_equal(stream_read(s, back + at, part), IO_OK);
		at += part;
	}
	assert_memory_equal(back, p->text, p->n);
	free(back);
	stream_free(&s);
}

static void
play_compressed(const char *text, size_t n)
{
	struct pair p = { .n = n, .text = text };

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p.fd), 0);
	task_start(echo_compressed, &p);
	task_start(talk_compressed, &p);
	task_loop();
}

static void
compressed_both_ways(void **state)
{
	size_t n = 1000003;
	char *text = mem_new(n);
	uint64_t noise = 88172645463325252u;

	(void)state;
	play_compressed("a NOOP\r\n", 8);
	memset(text, 'x', n);
	play_compressed(text, n);
	for (size_t i = 0; i < n; i++) {
		noise ^= noise << 13;
		noise ^= noise >> 7;
		noise ^= noise << 17;
		text[i] = (char)noise;
	}
	play_compressed(text, n);
	free(text);
}

/* Bytes that came before compression was turned on are of it. */
static void
compressed_early(void **state)
{
	/* raw deflate of "hello\n", ended by an empty block */
	static const char wire[] =
	    "a\r\n\xca\x48\xcd\xc9\xc9\xe7\x02\0\0\0\xff\xff";
	struct stream *s;
	int fd[2];

	(void)state;
	s = over(fd);
	put(fd[1], wire, sizeof(wire) - 1);
	want_line(s, "a", LINE_CRLF);
	assert_true(stream_deflate(s));
	want_line(s, "hello", LINE_LF);
	put(fd[1], "\xff\xff\xff\xff", 4);
	assert_int_equal(stream_line(s, 10, &(struct span){ NULL, 0 }, NULL),
	    IO_ERROR);
	assert_string_equal(stream_error(s), "compressed data is damaged");
	stream_free(&s);
	close(fd[1]);
}

/* A client's side of compression, for as long as its connection lasts. */
struct zlib_peer {
	int fd;
	z_stream out, in;
};

static void
peer_begin(struct zlib_peer *p, int fd)
{
	memset(p, 0, sizeof(*p));
	p->fd = fd;
	assert_int_equal(deflateInit2(&p->out, 9, Z_DEFLATED, -15, 9,
			     Z_DEFAULT_STRATEGY),
	    Z_OK);
	assert_int_equal(inflateInit2(&p->in, -15), Z_OK);
}

static void
peer_end(struct zlib_peer *p)
{
	deflateEnd(&p->out);
	inflateEnd(&p->in);
}

/* "flush": Z_SYNC_FLUSH, or Z_PARTIAL_FLUSH, which ends amid a byte. */
static void
peer_says(struct zlib_peer *p, const char *text, size_t n, int flush)
{
	static char wire[100000];

	p->out.next_in = (Bytef *)(uintptr_t)text;
	p->out.avail_in = (uInt)n;
	p->out.next_out = (Bytef *)wire;
	p->out.avail_out = sizeof(wire);
	assert_int_equal(deflate(&p->out, flush), Z_OK);
	put(p->fd, wire, sizeof(wire) - p->out.avail_out);
}

static void
peer_hears(struct zlib_peer *p, const char *text)
{
	char wire[4096], got[4096];
	ssize_t n = recv(p->fd, wire, sizeof(wire), 0);

	assert_true(n > 0);
	p->in.next_in = (Bytef *)wire;
	p->in.avail_in = (uInt)n;
	p->in.next_out = (Bytef *)got;
	p->in.avail_out = sizeof(got);
	assert_int_equal(inflate(&p->in, Z_SYNC_FLUSH), Z_OK);
	assert_int_equal(sizeof(got) - p->in.avail_out, strlen(text));
	assert_memory_equal(got, text, strlen(text));
}

/*
 * The stream is set aside, and another one goes on; twice in between. Not so
 * where the peer has begun a block: *times counts.
 */
static struct stream *
set_aside(struct stream *s, int *times)
{
	for (int i = 0; i < 2; i++) {
		struct buf saved = BUF_INIT(STREAM_DEFLATE_SAVED);
		int fd;

		if (!stream_deflate_save(s, &saved))
			return s;
		assert_true(saved.n > 0);
		++*times;
		fd = stream_release(&s);
		s = stream_new(fd);
		assert_true(stream_deflate_again(s, buf_span(&saved)));
		buf_fini(&saved);
	}
	return s;
}

static int
compression_goes_on(int flush)
{
	enum { LONG = 30000 };
	static char text[LONG + 1];
	struct zlib_peer p;
	struct stream *s;
	int fd[2], times = 0;

	s = over(fd);
	peer_begin(&p, fd[1]);
	assert_true(stream_deflate(s));
	s = set_aside(s, &times);
	for (size_t i = 0; i < LONG; i++)
		text[i] = (char)('!' + (i * i / 7 + i) % 90);
	text[LONG - 1] = '\n';
	for (int i = 0; i < 40; i++) {
		/* refers to what came 30,000 bytes before */
		size_t n = i % 5 == 0 ? LONG : 7 + (size_t)i;
		const char *from = text + LONG - n;
		struct span line;

		peer_says(&p, from, n, flush);
		assert_int_equal(stream_line(s, LONG, &line, NULL), IO_OK);
		assert_int_equal(line.n, n - 1);
		assert_memory_equal(line.p, from, n - 1);
		assert_int_equal(stream_text(s, "same answer\r\n"), IO_OK);
		assert_int_equal(stream_flush(s), IO_OK);
		peer_hears(&p, "same answer\r\n");
		s = set_aside(s, &times);
	}
	stream_free(&s);
	peer_end(&p);
	close(fd[1]);
	return times;
}

static void
compression_is_set_aside(void **state)
{
	(void)state;
	assert_int_equal(compression_goes_on(Z_SYNC_FLUSH), 82);
	/* amid the empty block that ends it, mostly */
	assert_in_range(compression_goes_on(Z_PARTIAL_FLUSH), 3, 82);
}

/* Amid a block, or with something unread, it stays where it is. */
static void
compression_stays(void **state)
{
	struct buf saved = BUF_INIT(STREAM_DEFLATE_SAVED);
	struct zlib_peer p;
	struct stream *s;
	struct span bytes;
	int fd[2];

	(void)state;
	s = over(fd);
	assert_true(stream_deflate_save(s, &saved));
	assert_int_equal(saved.n, 0);
	peer_begin(&p, fd[1]);
	assert_true(stream_deflate(s));
	peer_says(&p, "a\r\nb\r\n", 6, Z_SYNC_FLUSH);
	want_line(s, "a", LINE_CRLF);
	assert_false(stream_deflate_save(s, &saved));
	want_line(s, "b", LINE_CRLF);
	assert_true(stream_deflate_save(s, &saved));
	buf_reset(&saved);
	/* a stored block of five bytes, of which three have come */
	put(fd[1],
	    "\0\5\0\xfa\xff"
	    "abc",
	    8);
	assert_int_equal(stream_peek(s, &bytes), IO_OK);
	stream_consume(s, bytes.n);
	assert_false(stream_deflate_save(s, &saved));
	stream_free(&s);
	peer_end(&p);
	buf_fini(&saved);
	close(fd[1]);
}

static void
no_other_words_than_ours(void **state)
{
	static const struct span wrong[] = { SPAN(""), SPAN("\0"),
		SPAN("\1\1damaged"), SPAN("\10\0") };
	struct stream *s;
	int fd[2];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		s = over(fd);
		assert_false(stream_deflate_again(s, wrong[i]));
		stream_free(&s);
		close(fd[1]);
	}
}

/* What a full peer does not take now is sent by the next flush. */
static void
offer(bool compressed)
{
	char filler[4096] = "", got[65536];
	struct stream *s, *peer;
	ssize_t filled = 0, n;
	int fd[2];

	s = over(fd);
	peer = stream_new(fd[1]);
	assert_true(stream_offer(s)); /* there is nothing */
	if (compressed) {
		assert_true(stream_deflate(s));
		assert_true(stream_deflate(peer));
	}
	while ((n = send(fd[0], filler, sizeof(filler), MSG_DONTWAIT)) > 0)
		filled += n;
	assert_int_equal(stream_text(s, "one\r\n"), IO_OK);
	assert_false(stream_offer(s));
	while (filled > 0 && (n = recv(fd[1], got, sizeof(got), 0)) > 0)
		filled -= n;
	assert_int_equal(filled, 0);
	assert_int_equal(stream_flush(s), IO_OK);
	want_line(peer, "one", LINE_CRLF);
	assert_int_equal(stream_text(s, "two\r\n"), IO_OK);
	assert_true(stream_offer(s));
	want_line(peer, "two", LINE_CRLF);
	stream_free(&peer);
	assert_int_equal(stream_text(s, "three\r\n"), IO_OK);
	assert_false(stream_offer(s));
	assert_int_equal(stream_flush(s), IO_ERROR);
	stream_free(&s);
}

static void
an_offer_does_not_wait(void **state)
{
	(void)state;
	offer(false);
	offer(true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_kept_goes_back_when_told),
		cmocka_unit_test(compression_is_set_aside),
		cmocka_unit_test(compression_stays),
		cmocka_unit_test(no_other_words_than_ours),
		cmocka_unit_test(compressed_both_ways),
		cmocka_unit_test(compressed_early),
		cmocka_unit_test(lines_split_anywhere_are_the_same),
		cmocka_unit_test(lines_work_without_tasks),
		cmocka_unit_test(limits_are_exact),
		cmocka_unit_test(a_long_line_fills_no_more_than_the_limit),
		cmocka_unit_test(a_trickle_is_no_escape_from_the_timeout),
		cmocka_unit_test(deadline_bounds_every_read),
		cmocka_unit_test(pipelined_answers_leave_together),
		cmocka_unit_test(peek_and_consume),
		cmocka_unit_test(peeking_ends_at_a_full_buffer),
		cmocka_unit_test(a_waiting_stream_holds_no_buffer),
		cmocka_unit_test(bulk_arrives_whole),
		cmocka_unit_test(a_file_arrives_whole),
		cmocka_unit_test(a_short_file_is_an_error),
		cmocka_unit_test(write_errors_stick),
		cmocka_unit_test(a_full_peer_is_a_timeout),
		cmocka_unit_test(a_slow_peer_that_takes_is_none),
		cmocka_unit_test(an_absolute_deadline_holds),
		cmocka_unit_test(a_cancelled_session_may_say_goodbye),
		cmocka_unit_test(pipes_work),
		cmocka_unit_test(last_words_come_with_the_end),
		cmocka_unit_test(released_descriptor_lives_on),
		cmocka_unit_test(connecting),
		cmocka_unit_test(formats_of_any_length),
		cmocka_unit_test(an_offer_does_not_wait),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
