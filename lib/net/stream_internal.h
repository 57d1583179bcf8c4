/* SPDX-License-Identifier: ISC */
#ifndef LIB_NET_STREAM_INTERNAL_H
#define LIB_NET_STREAM_INTERNAL_H

/*
 * Shared only by stream.c (input), stream_output.c, stream_raw.c (descriptor)
 * and stream_tls.c.
 */

#include <sys/types.h>
#include "lib/net/stream.h"

struct ssl_st;

/* How a stream that is in TLS goes through it; as the functions below. */
struct stream_tls_layer {
	ssize_t (
	    *read)(struct stream *s, void *to, size_t n, unsigned int *need);
	ssize_t (*write)(struct stream *s, const void *from, size_t n,
	    unsigned int *need);
	/* Bytes that can be read without the descriptor. */
	size_t (*decoded)(const struct stream *s);
	/* Those, or some that were received and are not decoded. */
	bool (*has_pending)(const struct stream *s);
	void (*close)(struct stream *s);
};

struct stream {
	int fd;
	bool not_socket; /* a pipe or terminal: no recv(2), no send(2) */
	bool broken; /* nothing more may be written, TLS not even closed */
	bool at_end;
	bool last; /* only the end follows what is written now */
	bool acknowledge; /* our side began TLS, and has not read since */
	bool more_likely; /* the last read filled its room: read, then wait */
	unsigned int reads; /* since the last wait */
	struct tls_session *tls;
	struct ssl_st *ssl;
	const struct stream_tls_layer *tls_layer; /* NULL: plain */

	/* Bytes read and not consumed are in[in_start..in_end). */
	char *in; /* from the pool, or NULL */
	char *parked; /* a small rest while waiting, on the heap */
	size_t in_start;
	size_t in_end;
	size_t scanned; /* no LF before this one */

	struct stream_deflate *deflate; /* compression, or NULL */

	char *out; /* from the pool, or NULL */
	size_t out_used;
	enum io write_status; /* sticks */

	uint64_t received; /* of the descriptor */
	uint64_t sent;

	int64_t timeout;
	int64_t limit; /* stream_deadline, or 0 */
	int error; /* errno of the last failure */
	const char *text; /* in words; NULL: strerror(error) */
	char tls_text[256];
};

/*
 * One attempt on the descriptor or through TLS: bytes moved (> 0), 0 at the
 * end of input, or -1: errno EAGAIN and *need what to wait for, or a failure
 * that stream_raw_failed has noted in s.
 */
ssize_t
stream_raw_read(struct stream *s, void *to, size_t n, unsigned int *need);
ssize_t stream_raw_write(struct stream *s, const void *from, size_t n,
    unsigned int *need);
/* The same below compression. */
ssize_t
stream_lower_read(struct stream *s, void *to, size_t n, unsigned int *need);
ssize_t stream_lower_write(struct stream *s, const void *from, size_t n,
    unsigned int *need);
/* The same in compression (stream_deflate.c). */
ssize_t
stream_deflate_read(struct stream *s, void *to, size_t n, unsigned int *need);
/* With n 0: the rest of what is compressed already; 0 when there is none. */
ssize_t stream_deflate_write(struct stream *s, const void *from, size_t n,
    unsigned int *need);
bool stream_deflate_unsent(const struct stream *s);
bool stream_deflate_pending(const struct stream *s);
void stream_deflate_free(struct stream *s);
/* The same on the descriptor itself; errno is the system's. */
ssize_t stream_plain_read(struct stream *s, void *to, size_t n);
ssize_t stream_plain_write(struct stream *s, const void *from, size_t n);
/* Notes a failure. "text" in words, or NULL: strerror(error). */
void stream_raw_failed(struct stream *s, int error, const char *text);
/* Might TLS or compression hold bytes that were received and not read? */
bool stream_raw_pending(const struct stream *s);
/* Ends TLS, if any. */
void stream_raw_close(struct stream *s);

/* Waits for the descriptor until the deadline. */
enum io stream_wait(struct stream *s, unsigned int events, int64_t deadline);
/* The deadline of an operation that begins now. */
int64_t stream_until(const struct stream *s);

#endif
