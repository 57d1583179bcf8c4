/* SPDX-License-Identifier: ISC */
#include "bench/load/talk.h"

#include "bench/load/dial.h"

#include <string.h>

enum { LINE_MAX_BYTES = 8192, KEEP = 4096, SHOWN = 300 };

__attribute__((noreturn)) static void
lost(const struct stream *io)
{
	die("connection lost: %s", stream_error(io));
}

__attribute__((noreturn)) static void
refused(struct span said)
{
	die("refused: %.*s", SPAN_ARG(span_take(said, SHOWN)));
}

struct span
talk_line(struct stream *io, const char *begin)
{
	struct span line;

	if (stream_line(io, LINE_MAX_BYTES, &line, NULL) != IO_OK)
		lost(io);
	if (!span_starts(line, begin))
		refused(line);
	return line;
}

/*
 * More of an answer, behind the end of what was looked at before; what is no
 * longer needed to find an end goes.
 */
static struct span
more(struct stream *io, struct span seen)
{
	size_t kept = seen.n < KEEP ? seen.n : KEEP;
	struct span bytes;

	stream_consume(io, seen.n - kept);
	if (stream_peek_more(io, kept, &bytes) != IO_OK)
		lost(io);
	return bytes;
}

/* The last line, when a whole line is what the bytes end with. */
static struct span
last_line(struct span bytes)
{
	const char *before;

	if (bytes.n == 0 || bytes.p[bytes.n - 1] != '\n')
		return (struct span){ 0 };
	before = memrchr(bytes.p, '\n', bytes.n - 1);
	return before == NULL ?
	    bytes :
	    span_skip(bytes, (size_t)(before + 1 - bytes.p));
}

void
talk_until(struct stream *io, const char *begin, const char *then)
{
	struct span bytes = { 0 }, line;

	do {
		bytes = more(io, bytes);
		line = last_line(bytes);
	} while (line.n == 0 || !span_starts(line, begin));
	if (!span_starts(span_skip(line, strlen(begin)), then))
		refused(line);
	stream_consume(io, bytes.n);
}

static bool
ends_with_dot(struct span bytes)
{
	return bytes.n >= 5 &&
	    memcmp(bytes.p + bytes.n - 5, "\r\n.\r\n", 5) == 0;
}

void
talk_dot(struct stream *io)
{
	struct span bytes = more(io, (struct span){ 0 });

	if (bytes.p[0] != '+')
		refused(bytes);
	while (!ends_with_dot(bytes))
		bytes = more(io, bytes);
	stream_consume(io, bytes.n);
}
