/* SPDX-License-Identifier: ISC */
/* Messages of all shapes, in files, sent through a socket pair. */
#include "pop3d/session.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/fdio.h"

struct collector {
	int fd;
	struct buf got;
};

static void *
collect_all(void *argument)
{
	struct collector *c = argument;
	char chunk[8192];
	ssize_t n;

	while ((n = read(c->fd, chunk, sizeof(chunk))) > 0)
		buf_add(&c->got, chunk, (size_t)n);
	return NULL;
}

/* What a client receives, and how many bytes were counted. */
static struct buf
transmit(struct span content, bool crlf, uint64_t lines, uint64_t *counted)
{
	struct collector c = { .got = BUF_INIT(64 << 20) };
	struct store_blob blob = { .length = (int64_t)content.n, .crlf = crlf };
	FILE *f = tmpfile();
	struct stream *io;
	pthread_t reader;
	int pair[2];

	fwrite(content.p, 1, content.n, f);
	fflush(f);
	blob.fd = fileno(f);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	c.fd = pair[1];
	pthread_create(&reader, NULL, collect_all, &c);
	fd_nonblocking(pair[0], true);
	io = stream_new(pair[0]);
	*counted = 0;
	assert_int_equal(send_message(io, &blob, lines, counted), IO_OK);
	assert_int_equal(stream_flush(io), IO_OK);
	stream_free(&io);
	pthread_join(reader, NULL);
	close(pair[1]);
	fclose(f);
	return c.got;
}

/* The rules, one byte at a time: slow, and plainly right. */
static struct buf
expected(struct span content)
{
	struct buf b = BUF_INIT(64 << 20);
	char last = '\n';

	for (size_t i = 0; i < content.n; i++) {
		char c = content.p[i];

		if (last == '\n' && c == '.')
			buf_add_char(&b, '.');
		if (c == '\n' && last != '\r')
			buf_add_char(&b, '\r');
		buf_add_char(&b, c);
		last = c;
	}
	if (last == '\r')
		buf_add_char(&b, '\n');
	else if (last != '\n')
		buf_add_text(&b, "\r\n");
	buf_add_text(&b, ".\r\n");
	return b;
}

static void
check(const char *name, struct span content, bool crlf)
{
	struct buf want = expected(content);
	uint64_t counted;
	struct buf got = transmit(content, crlf, UINT64_MAX, &counted);

	if (!span_equal(buf_span(&got), buf_span(&want)))
		fail_msg("%s: %zu bytes, %zu wanted", name, got.n, want.n);
	buf_fini(&got);
	buf_fini(&want);
}

static void
test_shapes(void **state)
{
	static const struct span rows[] = {
		SPAN(""),
		SPAN("."),
		SPAN(".\r\n"),
		SPAN("\r\n"),
		SPAN("a"),
		SPAN("a\r"),
		SPAN("Subject: x\n\n.\n..\n.a\nb"),
		SPAN("Subject: x\r\n\r\n.\r\n..\r\n.a\r\nb\r\n"),
		SPAN("a\n\n.\r\n.\n\r\n.\r.\n"),
		SPAN("nul\0inside\n.\n"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(rows[i].p, rows[i], false);
	check("crlf", rows[7], true);
}

/*
 * Line ends, dots and long lines at each place around the chunks' border,
 * in both forms.
 */
static void
test_borders(void **state)
{
	static const char *const middles[] = { "\r\n.", "\r\n.\r\n", ".\r\n..",
		"\r\n\r\n." };
	char *text = malloc(200001);

	(void)state;
	for (size_t m = 0; m < 4; m++)
		for (size_t at = 65536 - 6; at <= 65536 + 2; at++) {
			memset(text, 'x', 200000);
			memcpy(text + at, middles[m], strlen(middles[m]));
			memcpy(text + 131072 - 2, "\r\n.", 3);
			memcpy(text + 199998, "\r\n", 2);
			check("border", (struct span){ text, 200000 }, true);
			check("border", (struct span){ text, 200000 }, false);
		}
	free(text);
}

static void
test_large_blocks(void **state)
{
	size_t n = 5 << 20;
	char *text = malloc(n);

	(void)state;
	for (size_t i = 0; i < n; i++)
		text[i] = i % 80 == 78 ? '\r' : i % 80 == 79 ? '\n' : 'a';
	memcpy(text + n - 2, "\r\n", 2);
	check("no dots", (struct span){ text, n }, true);
	for (size_t i = 80 * 1000; i + 80 < n; i += 80 * 1000)
		text[i] = '.';
	check("some dots", (struct span){ text, n }, true);
	free(text);
}

static void
test_top(void **state)
{
	static const struct {
		const char *content;
		uint64_t lines;
		const char *sent;
	} rows[] = {
		{ "A: b\n\n1\n2\n3\n", 0, "A: b\r\n\r\n.\r\n" },
		{ "A: b\n\n1\n2\n3\n", 2, "A: b\r\n\r\n1\r\n2\r\n.\r\n" },
		{ "A: b\n\n1\n2\n3\n", 9, "A: b\r\n\r\n1\r\n2\r\n3\r\n.\r\n" },
		{ "A: b\r\n\r\n.1\r\n2\r\n", 1, "A: b\r\n\r\n..1\r\n.\r\n" },
		{ "A: b\n\n\n\n3\n", 2, "A: b\r\n\r\n\r\n\r\n.\r\n" },
		{ "no body\n", 5, "no body\r\n.\r\n" },
		{ "", 5, ".\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int crlf = 0; crlf < 2; crlf++) {
			uint64_t counted;
			struct buf got = transmit(span_of(rows[i].content),
			    crlf && strchr(rows[i].content, '\r') != NULL,
			    rows[i].lines, &counted);

			assert_string_equal(buf_text(&got), rows[i].sent);
			buf_fini(&got);
		}
}

static void
test_count_is_size_without_dots(void **state)
{
	uint64_t counted;
	struct buf got =
	    transmit(SPAN("A: b\n\n.x\nend"), false, UINT64_MAX, &counted);

	(void)state;
	assert_int_equal(counted, strlen("A: b\r\n\r\n.x\r\nend\r\n"));
	buf_fini(&got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_borders),
		cmocka_unit_test(test_large_blocks),
		cmocka_unit_test(test_top),
		cmocka_unit_test(test_count_is_size_without_dots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
