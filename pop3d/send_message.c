/* SPDX-License-Identifier: ISC */
/*
 * A message as POP3 sends it: CRLF line ends, a dot in front of each line
 * that begins with one, and a line with a single dot at the end (RFC 1939
 * section 3). A stored message cannot end its own transmission early.
 */
#include "pop3d/session.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"

enum { CHUNK = 65536, LINES = 8192 /* bytes copied at a time */ };

struct sending {
	struct stream *io;
	struct store_blob *blob;
	bool cr_kept; /* at the end of the last chunk, for the next one */
	uint64_t sent; /* of the message, dots not counted */
	char last; /* byte before this one; LF at the start */
	bool in_body;
	uint64_t lines_left; /* of the body */
	char *lines; /* room for LINES, each with an LF or dot of two bytes */
};

static enum io
put(struct sending *s, const char *p, size_t n)
{
	s->sent += n;
	return n == 0 ? IO_OK : stream_write(s->io, p, n);
}

/* A part of one line: up to its LF, or up to the end of the chunk. */
static enum io
put_line(struct sending *s, const char *p, size_t n)
{
	bool ends = p[n - 1] == '\n';
	enum io r = IO_OK;
	char before;

	if (s->last == '\n' && p[0] == '.')
		r = stream_write(s->io, ".", 1);
	before = n > 1 ? p[n - 2] : s->last;
	if (ends && before != '\r') {
		if (r == IO_OK)
			r = put(s, p, n - 1);
		if (r == IO_OK)
			r = put(s, "\r\n", 2);
	} else if (r == IO_OK) {
		r = put(s, p, n);
	}
	s->last = p[n - 1];
	return r;
}

/* Header and body lines are told apart for TOP. False: enough was sent. */
static bool
wanted(struct sending *s, const char *p, size_t n)
{
	bool starts = s->last == '\n';
	bool blank = (n == 1 && p[0] == '\n') ||
	    (n == 2 && p[0] == '\r' && p[1] == '\n');

	if (!starts)
		return true;
	if (s->in_body) {
		if (s->lines_left == 0)
			return false;
		s->lines_left--;
	}
	if (blank)
		s->in_body = true;
	return true;
}

static enum io
put_lines(struct sending *s, const char *p, size_t n, bool *enough)
{
	enum io r = IO_OK;

	while (n > 0 && r == IO_OK) {
		const char *lf = memchr(p, '\n', n);
		size_t line = lf == NULL ? n : (size_t)(lf - p) + 1;

		if (!wanted(s, p, line)) {
			*enough = true;
			return IO_OK;
		}
		r = put_line(s, p, line);
		p += line;
		n -= line;
	}
	return r;
}

/*
 * A chunk in CRLF form: goes out as it is, but for the lines that begin with
 * a dot. A whole chunk without any is sent by the kernel from the file.
 */
static enum io
put_block(struct sending *s, const char *p, size_t n, int64_t at)
{
	const char *dot;
	enum io r = IO_OK;

	if (s->last == '\n' && p[0] == '.')
		r = stream_write(s->io, ".", 1);
	s->last = p[n - 1];
	if (n == CHUNK && s->blob->fd != -1 && memmem(p, n, "\n.", 2) == NULL) {
		s->sent += n;
		return r != IO_OK ? r :
				    stream_send_file(s->io, s->blob->fd, at, n);
	}
	while (r == IO_OK && (dot = memmem(p, n, "\n.", 2)) != NULL) {
		size_t part = (size_t)(dot - p) + 1;

		r = put(s, p, part);
		if (r == IO_OK)
			r = stream_write(s->io, ".", 1);
		p += part;
		n -= part;
	}
	return r != IO_OK ? r : put(s, p, n);
}

/* The line, or the part of it that ends at "stop", as it is sent. */
static char *
copy_line(struct sending *s, const char **from, const char *stop, char *to)
{
	const char *p = *from, *lf = memchr(p, '\n', (size_t)(stop - p));
	size_t n = (size_t)((lf == NULL ? stop : lf) - p);
	bool cr;

	if (s->last == '\n' && *p == '.')
		*to++ = '.';
	memcpy(to, p, n);
	if (n > 0)
		s->last = p[n - 1];
	*from = p + n;
	s->sent += n;
	if (lf == NULL)
		return to + n;
	to += n;
	cr = s->last != '\r';
	if (cr)
		*to++ = '\r';
	*to++ = '\n';
	s->sent += 1 + cr;
	s->last = '\n';
	*from = lf + 1;
	return to;
}

/* A chunk of which all is wanted: the stream is called once for many lines. */
static enum io
put_whole(struct sending *s, const char *p, size_t n)
{
	const char *end = p + n;
	enum io r = IO_OK;

	while (p < end && r == IO_OK) {
		const char *stop = end - p < LINES ? end : p + LINES;
		char *to = s->lines;

		while (p < stop)
			to = copy_line(s, &p, stop, to);
		r = stream_write(s->io, s->lines, (size_t)(to - s->lines));
	}
	return r;
}

/* Bytes of this chunk; one CR is kept for the next, where its LF may be. */
static int64_t
read_chunk(struct sending *s, char *chunk)
{
	size_t kept = s->cr_kept ? 1 : 0;
	int64_t n;

	if (kept > 0)
		chunk[0] = '\r';
	n = store_blob_read(s->blob, chunk + kept, CHUNK - kept);
	if (n < 0)
		return -1;
	s->cr_kept = n > 0 && chunk[kept + (size_t)n - 1] == '\r';
	return n + (int64_t)kept - s->cr_kept;
}

static enum io
put_all(struct sending *s, char *chunk)
{
	bool whole = s->lines_left == UINT64_MAX, enough = false;
	int64_t at = 0, n = 0;
	enum io r = IO_OK;

	while (r == IO_OK && !enough &&
	    ((n = read_chunk(s, chunk)) > 0 || s->cr_kept)) {
		if (n == 0)
			continue; /* a CR alone */
		if (s->blob->crlf && whole)
			r = put_block(s, chunk, (size_t)n, at);
		else if (whole)
			r = put_whole(s, chunk, (size_t)n);
		else
			r = put_lines(s, chunk, (size_t)n, &enough);
		at += n;
	}
	if (n < 0) {
		/* the client must not take half a message for a whole one */
		log_warning("reading a message: %m");
		return IO_ERROR;
	}
	return r;
}

enum io
send_message(struct stream *io, struct store_blob *blob, uint64_t lines,
    uint64_t *sent)
{
	struct sending s = {
		.io = io,
		.blob = blob,
		.last = '\n',
		.lines_left = lines,
	};
	char *chunk = mem_resize(NULL, CHUNK + 2 * LINES);
	enum io r;

	s.lines = chunk + CHUNK;
	r = put_all(&s, chunk);
	free(chunk);
	if (r == IO_OK && s.last != '\n')
		r = put(&s, s.last == '\r' ? "\n" : "\r\n",
		    s.last == '\r' ? 1 : 2);
	*sent += s.sent;
	return r != IO_OK ? r : stream_text(io, ".\r\n");
}
