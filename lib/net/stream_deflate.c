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
	unsigned char rest[2]; /* of the stream that this one goes on */
	unsigned char received[COMPRESSED_ROOM]; /* in.next_in.. are unread */
	/* compressed, waits for the descriptor */
	unsigned char sending[COMPRESSED_ROOM];
	size_t send_at;
	size_t send_end;
	bool more_out; /* deflate holds more than fitted */
};

static struct stream_deflate *
new_deflate(void)
{
	struct stream_deflate *d = mem_new(sizeof(*d));

	if (inflateInit2(&d->in, WINDOW_BITS_IN) != Z_OK ||
	    deflateInit2(&d->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
		WINDOW_BITS_OUT, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		ensure(!"out of memory");
	return d;
}

bool
stream_deflate(struct stream *s)
{
	struct stream_deflate *d;
	size_t early;

	ensure(s->deflate == NULL && s->out_used == 0);
	early = s->in_end - s->in_start;
	if (early > COMPRESSED_ROOM)
		return false;
	d = new_deflate();
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

/*
 * Setting aside. What we send ends at a byte's end after each flush, and what
 * follows need not refer to what was before; so ours can begin anew. What the
 * peer sends may refer to its last 32 KiB, and need not end with a byte: up to
 * seven bits of the last one may belong to the next block.
 */
enum {
	WINDOW = 32768,
	BITS = 7, /* of data_type */
	LAST_BLOCK = 64,
	BETWEEN_BLOCKS = 128,
};

static bool
can_be_saved(const struct stream *s)
{
	const struct stream_deflate *d = s->deflate;

	return !s->broken && s->in_end == s->in_start && s->out_used == 0 &&
	    !d->more_in && d->in.avail_in == 0 && !d->ended &&
	    !stream_deflate_unsent(s) &&
	    (d->in.total_in == 0 ||
		(d->in.data_type & (LAST_BLOCK | BETWEEN_BLOCKS)) ==
		    BETWEEN_BLOCKS);
}

/* How many bits of the last byte are left, and those. */
static void
find_rest(const struct stream_deflate *d, unsigned char rest[2])
{
	int bits = d->in.data_type & BITS;

	if (d->in.total_in == 0) {
		memcpy(rest, d->rest, sizeof(d->rest));
		return;
	}
	rest[0] = (unsigned char)bits;
	rest[1] =
	    bits == 0 ? 0 : (unsigned char)(d->in.next_in[-1] >> (8 - bits));
}

bool
stream_deflate_save(struct stream *s, struct buf *out)
{
	struct stream_deflate *d = s->deflate;
	unsigned char *window, rest[2];
	uInt length = 0;
	uLongf room;
	char *to;
	bool good;

	if (d == NULL)
		return true;
	if (!can_be_saved(s))
		return false;
	window = mem_resize(NULL, WINDOW);
	(void)inflateGetDictionary(&d->in, window, &length);
	find_rest(d, rest);
	buf_add(out, rest, sizeof(rest));
	room = compressBound(length);
	to = buf_reserve(out, room);
	good = to != NULL &&
	    compress2((Bytef *)to, &room, window, length, Z_BEST_SPEED) == Z_OK;
	if (good)
		buf_added(out, room);
	free(window);
	return good;
}

bool
stream_deflate_again(struct stream *s, struct span saved)
{
	unsigned char window[WINDOW];
	uLongf length = sizeof(window);
	struct stream_deflate *d;

	ensure(s->deflate == NULL && s->out_used == 0);
	if (saved.n < sizeof(d->rest) || (unsigned char)saved.p[0] > BITS)
		return false;
	d = s->deflate = new_deflate();
	memcpy(d->rest, saved.p, sizeof(d->rest));
	saved = span_skip(saved, sizeof(d->rest));
	return (d->rest[0] == 0 ||
		   inflatePrime(&d->in, d->rest[0], d->rest[1]) == Z_OK) &&
	    uncompress(window, &length, (const Bytef *)saved.p, saved.n) ==
	    Z_OK &&
	    inflateSetDictionary(&d->in, window, (uInt)length) == Z_OK;
}
