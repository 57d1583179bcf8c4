/* SPDX-License-Identifier: ISC */
/*
 * What servers of socketmap:, tcp: and memcache: tables may say: no answer is
 * longer than its limit, and none that is malformed is taken for "found".
 */
#include "lib/table/wire_answers.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/table/table.h"

enum { LIMIT = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A stream whose peer has said all that and closed. */
static struct stream *
said(const uint8_t *data, size_t size)
{
	int ends[2];

	ensure(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	ensure(fd_write_all(ends[1], data, size) == 0);
	close(ends[1]);
	return stream_new(ends[0]);
}

static void
try_netstring(const uint8_t *data, size_t size)
{
	struct stream *s = said(data, size);
	struct buf out = BUF_INIT(4096), value = BUF_INIT(4096);
	int r;

	if (netstring_read(s, LIMIT, &out) == IO_OK) {
		ensure(out.n <= LIMIT && out.n < size);
		r = socketmap_answer(buf_span(&out), &value);
		ensure(r != TABLE_FOUND || span_starts(buf_span(&out), "OK"));
		ensure(r != TABLE_FOUND || value.n <= out.n);
	}
	stream_free(&s);
	buf_fini(&out);
	buf_fini(&value);
}

static void
try_tcp(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct buf value = BUF_INIT(1 << 20), coded = BUF_INIT(1 << 20);
	struct buf back = BUF_INIT(1 << 20);
	int r = tcp_answer(text, &value);

	ensure(r != TABLE_FOUND || span_starts(text, "200"));
	tcp_encode(text, &coded);
	ensure(coded.overflow || span_find(buf_span(&coded), '\n') == coded.n);
	ensure(coded.overflow || tcp_decode(buf_span(&coded), &back));
	ensure(coded.overflow || span_equal(buf_span(&back), text));
	buf_fini(&value);
	buf_fini(&coded);
	buf_fini(&back);
}

static void
try_memcache(const uint8_t *data, size_t size)
{
	const struct memcache_limits limits = { LIMIT, LIMIT };
	struct stream *s = said(data, size);
	struct buf value = BUF_INIT(4096), why = BUF_INIT(4096);
	bool found;
	enum io r =
	    memcache_read(s, &limits, SPAN("key"), &found, &value, &why);

	ensure(value.n <= LIMIT && why.n <= LIMIT);
	ensure(!found || r == IO_OK);
	stream_free(&s);
	buf_fini(&value);
	buf_fini(&why);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 32768)
		return 0;
	try_netstring(data, size);
	try_tcp(data, size);
	try_memcache(data, size);
	return 0;
}
