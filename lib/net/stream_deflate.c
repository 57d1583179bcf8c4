/* SPDX-License-Identifier: ISC */
/*
 * Compression of a stream (RFC 4978: raw deflate, RFC 1951), between the
 * buffers and the descriptor or TLS.
 *
 * SECURITY: what comes is inflated into the room that the reader has, never
 * more, so that a bomb fills no memory; the reader's limits hold.
 */
#include "lib/net/stream_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"

enum {
	WINDOW_BITS_OUT = -14, /* 64 KiB of memory with this level */
	WINDOW_BITS_IN = -15, /* whatever the peer uses */
	MEMORY_LEVEL = 7,
	COMPRESSED_ROOM = 16384,
	AT_ONCE = 16384,
};

struct stream_deflate {
	z_stream in;
	z_stream out;
	bool more_in; /* inflate had no room for all that it has */
	bool ended; /* the peer's last block is read */
	unsigned char received[COMPRESSED_ROOM]; /* in.next_in.. are unread */
	/* compressed, waits for the descriptor */
	unsigned char sending[COMPRESSED_ROOM];
	size_t send_at;
	size_t send_end;
	bool more_out; /* deflate holds more than fitted */
};

bool
stream_deflate(struct stream *s)
{
	struct stream_deflate *d;
	size_t early;

	ensure(s->deflate == NULL && s->out_used == 0);
	early = s->in_end - s->in_start;
	if (early > COMPRESSED_ROOM)
		return false;
	d = mem_new(sizeof(*d));
	if (inflateInit2(&d->in, WINDOW_BITS_IN) != Z_OK ||
	    deflateInit2(&d->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
		WINDOW_BITS_OUT, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		ensure(!"out of memory");
	if (early > 0)
		memcpy(d->received,
		    (s->in != NULL ? s->in : s->parked) + s->in_start, early);
	d->in.next_in = d->received;
	d->in.avail_in = (uInt)early;
	d->more_in = early > 0;
	stream_discard(s);
	s->deflate = d;
	return true;
}

void
stream_deflate_free(struct stream *s)
{
	if (s->deflate == NULL)
		return;
	inflateEnd(&s->deflate->in);
	deflateEnd(&s->deflate->out);
	free(s->deflate);
	s->deflate = NULL;
}

bool
stream_deflate_pending(const struct stream *s)
{
	return s->deflate != NULL && s->deflate->more_in;
}

static ssize_t
damaged(struct stream *s)
{
	s->error = errno = EPROTO;
	s->text = "compressed data is damaged";
	s->broken = true;
	return -1;
}

/* What inflate can give now; 0: it wants more input. */
static ssize_t
inflate_some(struct stream *s, void *to, size_t n)
{
	struct stream_deflate *d = s->deflate;
	int result;

	d->in.next_out = to;
	d->in.avail_out = (uInt)(n < AT_ONCE ? n : AT_ONCE);
	n = d->in.avail_out;
	result = inflate(&d->in, Z_SYNC_FLUSH);
	n -= d->in.avail_out;
	d->more_in = d->in.avail_in > 0 || d->in.avail_out == 0;
	if (result == Z_STREAM_END)
		d->ended = true;
	else if (result != Z_OK && result != Z_BUF_ERROR)
		return damaged(s);
	return (ssize_t)n;
}

ssize_t
stream_deflate_read(struct stream *s, void *to, size_t n, unsigned int *need)
{
	struct stream_deflate *d = s->deflate;
	ssize_t got;

	for (;;) {
		if (d->more_in && !d->ended) {
			got = inflate_some(s, to, n);
			if (got != 0)
				return got;
		}
		d->more_in = false;
		if (d->ended)
			return 0;
		got = stream_lower_read(s, d->received, COMPRESSED_ROOM, need);
		if (got <= 0)
			return got;
		d->in.next_in = d->received;
		d->in.avail_in = (uInt)got;
		d->more_in = true;
	}
}

bool
stream_deflate_unsent(const struct stream *s)
{
	return s->deflate != NULL &&
	    (s->deflate->send_at < s->deflate->send_end ||
		s->deflate->more_out);
}

/* Compressed bytes to the descriptor until none are left: 0, or -1. */
static int
send_compressed(struct stream *s, unsigned int *need)
{
	struct stream_deflate *d = s->deflate;

	while (d->send_at < d->send_end) {
		ssize_t sent = stream_lower_write(s, d->sending + d->send_at,
		    d->send_end - d->send_at, need);

		if (sent < 0)
			return -1;
		d->send_at += (size_t)sent;
	}
	d->send_at = d->send_end = 0;
	return 0;
}

static void
compress_some(struct stream_deflate *d)
{
	d->out.next_out = d->sending;
	d->out.avail_out = COMPRESSED_ROOM;
	/* the only failure is that there is nothing to do */
	(void)deflate(&d->out, Z_SYNC_FLUSH);
	d->send_end = COMPRESSED_ROOM - d->out.avail_out;
	d->more_out = d->out.avail_out == 0;
}

/*
 * With n 0: sends what is left; 0 when that is done. Else takes as much as
 * is compressed at once, and sends what the descriptor takes of it.
 */
ssize_t
stream_deflate_write(struct stream *s, const void *from, size_t n,
    unsigned int *need)
{
	struct stream_deflate *d = s->deflate;

	*need = 0;
	for (;;) {
		if (send_compressed(s, need) == -1)
			return -1;
		if (!d->more_out)
			break;
		d->out.avail_in = 0;
		compress_some(d);
	}
	if (n == 0)
		return 0;
	if (n > AT_ONCE / 2)
		n = AT_ONCE / 2; /* what it becomes fits, but for odd cases */
	d->out.next_in = (Bytef *)(uintptr_t)from;
	d->out.avail_in = (uInt)n;
	compress_some(d);
	n -= d->out.avail_in;
	ensure(n > 0); /* there was room */
	return (ssize_t)n;
}
