/* SPDX-License-Identifier: ISC */
/*
 * TLS of a stream, between compression and the descriptor. All that streams
 * have of OpenSSL is here, and reached through the stream's table: a program
 * that never begins TLS is linked without it.
 */
#include "lib/net/stream_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "lib/base/ensure.h"
#include "lib/task/task.h"
#include "lib/tls/tls_internal.h"

/*
 * OpenSSL's own socket BIO writes with write(2), whose SIGPIPE would end a
 * program that serves others. This one goes through the functions of
 * stream_raw.c.
 */
static int
bio_read(BIO *bio, char *to, int n)
{
	ssize_t got = stream_plain_read(BIO_get_data(bio), to, (size_t)n);

	BIO_clear_retry_flags(bio);
	if (got < 0 && errno == EAGAIN)
		BIO_set_retry_read(bio);
	if (got == 0)
		BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
	return (int)got;
}

static int
bio_write(BIO *bio, const char *from, int n)
{
	ssize_t sent = stream_plain_write(BIO_get_data(bio), from, (size_t)n);

	BIO_clear_retry_flags(bio);
	if (sent < 0 && errno == EAGAIN)
		BIO_set_retry_write(bio);
	return (int)sent;
}

static long
bio_control(BIO *bio, int command, long number, void *pointer)
{
	(void)number, (void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH:
	case BIO_CTRL_DUP:
		return 1;
	case BIO_CTRL_EOF:
		return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
	default:
		return 0;
	}
}

static BIO *
bio_new(struct stream *s)
{
	static BIO_METHOD *method;
	BIO *bio;

	if (method == NULL) {
		method =
		    BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(),
			"stream");
		ensure(method != NULL);
		BIO_meth_set_read(method, bio_read);
		BIO_meth_set_write(method, bio_write);
		BIO_meth_set_ctrl(method, bio_control);
	}
	bio = BIO_new(method);
	ensure(bio != NULL);
	BIO_set_data(bio, s);
	BIO_set_init(bio, 1);
	return bio;
}

/* What a TLS operation that gave "result" <= 0 means; as the raw calls. */
static ssize_t
tls_outcome(struct stream *s, int result, unsigned int *need)
{
	int error = errno;

	switch (SSL_get_error(s->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		*need = WAIT_READ;
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_WANT_WRITE:
		*need = WAIT_WRITE;
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		if (error == 0 || error == EAGAIN)
			error = ECONNRESET;
		ERR_clear_error();
		stream_raw_failed(s, error, NULL);
		return -1;
	default:
		break;
	}
	/* a connection cut without close_notify: the end, but not a clean one
	 */
	if (ERR_GET_REASON(ERR_peek_error()) ==
	    SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		ERR_clear_error();
		stream_raw_failed(s, ECONNRESET, "lost connection");
		return -1;
	}
	snprintf(s->tls_text, sizeof(s->tls_text), "%s", tls_failure(s->tls));
	stream_raw_failed(s, EPROTO, s->tls_text);
	return -1;
}

/*
 * A server with Nagle's rule on its socket (Postfix) sends its session ticket,
 * and holds its next answer back until that is acknowledged, which the kernel
 * of a client that has just said something does 40 ms later. The ticket ends
 * the first wait for an answer; the option, set then, sends the acknowledgement
 * that is due.
 */
static void
acknowledge(struct stream *s)
{
	int one = 1;

	s->acknowledge = false;
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
}

static ssize_t
tls_read(struct stream *s, void *to, size_t n, unsigned int *need)
{
	int got;

	if (s->broken) {
		errno = s->error;
		return -1;
	}
	if (s->acknowledge)
		acknowledge(s);
	ERR_clear_error();
	errno = 0;
	got = SSL_read(s->ssl, to, (int)n);
	return got > 0 ? got : tls_outcome(s, got, need);
}

static ssize_t
tls_write(struct stream *s, const void *from, size_t n, unsigned int *need)
{
	ssize_t sent;

	if (s->broken) {
		errno = s->error;
		return -1;
	}
	ERR_clear_error();
	errno = 0;
	sent = SSL_write(s->ssl, from, (int)n);
	if (sent > 0)
		return sent;
	sent = tls_outcome(s, (int)sent, need);
	if (sent == 0) { /* closed by the peer while we wrote */
		stream_raw_failed(s, EPIPE, NULL);
		sent = -1;
	}
	return sent;
}

static size_t
tls_decoded(const struct stream *s)
{
	return (size_t)SSL_pending(s->ssl);
}

static bool
tls_has_pending(const struct stream *s)
{
	return SSL_has_pending(s->ssl) != 0;
}

static void
tls_close(struct stream *s)
{
	if (!s->broken && SSL_is_init_finished(s->ssl)) {
		ERR_clear_error();
		/* our close_notify; we do not wait for the other one */
		(void)SSL_shutdown(s->ssl);
		ERR_clear_error();
	}
	s->ssl = NULL;
	tls_session_free(&s->tls);
}

static const struct stream_tls_layer layer = {
	.read = tls_read,
	.write = tls_write,
	.decoded = tls_decoded,
	.has_pending = tls_has_pending,
	.close = tls_close,
};

static enum io
handshake(struct stream *s)
{
	int64_t deadline = stream_until(s);
	unsigned int need = 0;
	enum io result;
	int done;

	for (;;) {
		ERR_clear_error();
		errno = 0;
		done = SSL_do_handshake(s->ssl);
		if (done == 1)
			return IO_OK;
		if (tls_outcome(s, done, &need) == 0) {
			stream_raw_failed(s, ECONNRESET, "lost connection");
			return IO_ERROR;
		}
		if (errno != EAGAIN)
			return IO_ERROR;
		result = stream_wait(s, need, deadline);
		if (result != IO_OK) {
			s->broken = true;
			return result;
		}
	}
}

static bool
plain_and_empty(struct stream *s)
{
	/*
	 * What came in clear must not be taken for something said in TLS: an
	 * attacker may have put it there (CVE-2011-0411).
	 */
	if (s->tls == NULL && stream_buffered(s) == 0)
		return true;
	stream_raw_failed(s, EPROTO,
	    "plaintext sent ahead of the TLS handshake");
	return false;
}

/* The session becomes the stream's; NULL: it could not be made. */
static enum io
start_tls(struct stream *s, struct tls_session *session)
{
	BIO *bio;

	s->tls = session;
	if (s->tls == NULL) {
		stream_raw_failed(s, EPROTO, "cannot set up TLS");
		return IO_ERROR;
	}
	s->ssl = tls_session_ssl(s->tls);
	s->tls_layer = &layer;
	bio = bio_new(s);
	SSL_set_bio(s->ssl, bio, bio);
	SSL_set_options(s->ssl, SSL_OP_NO_RENEGOTIATION);
	SSL_set_mode(s->ssl,
	    SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_set_read_ahead(s->ssl, 1);
	return handshake(s);
}

static enum io
ready_for_tls(struct stream *s)
{
	enum io result = stream_flush(s);

	if (result == IO_OK && !plain_and_empty(s))
		result = IO_ERROR;
	return result;
}

enum io
stream_tls_accept(struct stream *s, struct tls_context *context)
{
	enum io result = ready_for_tls(s);

	return result != IO_OK ?
	    result :
	    start_tls(s, tls_session_new(context, true, NULL));
}

static enum io
connected(struct stream *s, enum io result)
{
	s->acknowledge = result == IO_OK;
	return result;
}

enum io
stream_tls_connect(struct stream *s, struct tls_context *context,
    const char *host)
{
	enum io result = ready_for_tls(s);

	return result != IO_OK ?
	    result :
	    connected(s, start_tls(s, tls_session_new(context, false, host)));
}

enum io
stream_tls_connect_to(struct stream *s, struct tls_context *context,
    const struct tls_target *target)
{
	enum io result = ready_for_tls(s);

	return result != IO_OK ?
	    result :
	    connected(s, start_tls(s, tls_session_new_to(context, target)));
}
