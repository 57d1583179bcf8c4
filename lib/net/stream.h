/* SPDX-License-Identifier: ISC */
#ifndef LIB_NET_STREAM_H
#define LIB_NET_STREAM_H

/*
 * A buffered two-way byte stream over a descriptor, plain or TLS. Works the
 * same inside a task and, with poll(2), outside.
 *
 * Reading flushes what was written before it waits, so a dialogue needs no
 * explicit flush, and answers to pipelined commands leave in one segment.
 * Limits are hard. The stream owns the descriptor.
 *
 * An idle stream gives its input and output buffers back to a common pool.
 *
 * A program that sends files (sendfile(2) knows no MSG_NOSIGNAL) or writes to
 * what is no socket ignores SIGPIPE.
 */

#include <stdbool.h>
#include <stdint.h>
#include "lib/base/buf.h"

struct stream;
struct tls_context;
struct tls_target;

enum io {
	IO_OK,
	IO_EOF, /* the peer closed, nothing is left to read */
	IO_TIMEOUT,
	IO_LONG, /* longer than the limit that was given */
	IO_ERROR, /* errno says; a TLS failure is EPROTO, text below */
	IO_CANCELLED, /* this task was cancelled */
};

enum line_end { LINE_CRLF, LINE_LF };

struct stream *stream_new(int fd);
/* Closes the descriptor; sends nothing more. NULL is fine. */
void stream_free(struct stream **s);
int stream_fd(const struct stream *s);
/*
 * Hands the descriptor over; *s is gone, and its compression. Only while not
 * in TLS.
 */
int stream_release(struct stream **s);

/*
 * Longest time for one of the reads or writes that follow, in milliseconds:
 * for a whole line, however slowly its bytes trickle in. 300 s at first.
 */
void stream_timeout(struct stream *s, int64_t ms);
/*
 * One point in time no read or write goes beyond, whatever the timeout;
 * 0 for none.
 */
void stream_deadline(struct stream *s, int64_t deadline);

/*
 * Reads one line of at most "limit" bytes without its end (CRLF or bare LF;
 * *end says which, and may be NULL). A CR elsewhere stays in the line.
 * *line is valid until the next read. IO_LONG leaves the rest unread.
 */
enum io stream_line(struct stream *s, size_t limit, struct span *line,
    enum line_end *end);
/*
 * What has arrived, waiting for at least one byte; at most 64 KiB. It stays
 * unread until stream_consume. Valid until the next read.
 */
enum io stream_peek(struct stream *s, struct span *bytes);
/* The same, but waits until there are more than "have" bytes unread. */
enum io stream_peek_more(struct stream *s, size_t have, struct span *bytes);
void stream_consume(struct stream *s, size_t n);
/*
 * Bytes that somebody else has read from the descriptor before: they come
 * first. Once, for a new stream; at most 64 KiB.
 */
void stream_early(struct stream *s, struct span bytes);
/* Exactly n bytes. */
enum io stream_read(struct stream *s, void *to, size_t n);
/* Bytes already here, in our buffer or in TLS's. */
size_t stream_buffered(const struct stream *s);
/*
 * The caller has waited for the descriptor by itself, and it is readable: the
 * next read does not wait first.
 */
void stream_expect(struct stream *s);
/* Bytes of the descriptor so far, as they were on the way. */
uint64_t stream_received(const struct stream *s);
uint64_t stream_sent(const struct stream *s);
/* Throws away what is buffered (before a TLS handshake); how much it was. */
size_t stream_discard(struct stream *s);
/*
 * For a stream that is set aside without being read: gives the buffer of the
 * last line back now.
 */
void stream_rest(struct stream *s);
/* Has the peer closed or sent something? No wait. */
bool stream_readable(struct stream *s);

/* Buffers up to 64 KiB, then sends. Errors stick and show at the next call. */
enum io stream_write(struct stream *s, const void *data, size_t n);
enum io stream_text(struct stream *s, const char *text);
enum io stream_printf(struct stream *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum io stream_flush(struct stream *s);
/*
 * The same without a wait, for those who hold what others wait for. False: the
 * peer did not take all, the rest stays for the next flush, or it failed.
 */
bool stream_offer(struct stream *s);
/*
 * The last flush, when stream_free follows without a wait: what is sent may
 * leave in one segment with the end of the connection.
 */
enum io stream_finish(struct stream *s);
/* Bytes of a file: sendfile(2) when plain, read and write when TLS. */
enum io stream_send_file(struct stream *s, int fd, int64_t offset, size_t n);

/*
 * From now on both directions are compressed (RFC 4978). What was written
 * before must be flushed; what was received and not read is taken for the
 * start of what is compressed. False: there is too much of that.
 */
bool stream_deflate(struct stream *s);
/*
 * What is needed to go on with compression on another stream of this
 * descriptor: the last 32 KiB that the peer sent, themselves compressed
 * (STREAM_DEFLATE_SAVED bytes at most); ours begins anew. Changes nothing.
 * False: something is unread or unsent, or the peer's last block has no end
 * yet. True and nothing added: the stream is not compressed.
 */
enum { STREAM_DEFLATE_SAVED = 33000 };
bool stream_deflate_save(struct stream *s, struct buf *out);
/*
 * On a new stream, before anything is read or written. False for what
 * stream_deflate_save has not made.
 */
bool stream_deflate_again(struct stream *s, struct span saved);

/* The handshake, as server or client. What was buffered must be discarded. */
enum io stream_tls_accept(struct stream *s, struct tls_context *context);
/* "host": name sent as SNI and, where the context verifies, checked; or NULL.
 */
enum io stream_tls_connect(struct stream *s, struct tls_context *context,
    const char *host);
enum io stream_tls_connect_to(struct stream *s, struct tls_context *context,
    const struct tls_target *target);
/* NULL while plain. Lasts as long as the stream. */
struct tls_session *stream_tls(struct stream *s);
/* Why the last call failed, for a log line: "lost connection", ... */
const char *stream_error(const struct stream *s);
const char *io_name(enum io result);

#endif
