/* SPDX-License-Identifier: ISC */
#include "bench/load/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KEEP = 1024, LINE = 4096 };

void
wire_fail(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

SSL_CTX *
wire_tls_context(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (context == NULL)
		wire_fail("no TLS context");
	SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_mode(context, SSL_MODE_AUTO_RETRY);
	return context;
}

static void
start_tls(struct wire *w, SSL_CTX *context, SSL_SESSION *before)
{
	w->tls = SSL_new(context);
	if (w->tls == NULL || SSL_set_fd(w->tls, w->fd) != 1)
		wire_fail("no TLS connection");
	if (before != NULL)
		SSL_set_session(w->tls, before);
	if (SSL_connect(w->tls) != 1)
		wire_fail("TLS handshake failed");
}

void
wire_dial(struct wire *w, int port, SSL_CTX *context, SSL_SESSION *before)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1;

	w->tls = NULL;
	w->have = 0;
	w->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (w->fd < 0 ||
	    connect(w->fd, (const struct sockaddr *)&to, sizeof(to)) != 0)
		wire_fail("connect: %s", strerror(errno));
	setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (context != NULL)
		start_tls(w, context, before);
}

void
wire_close(struct wire *w)
{
	if (w->tls != NULL) {
		SSL_shutdown(w->tls);
		SSL_free(w->tls);
		w->tls = NULL;
	}
	close(w->fd);
	w->fd = -1;
}

void
wire_send(struct wire *w, const char *data, size_t length)
{
	ssize_t n;

	for (; length > 0; data += n, length -= (size_t)n) {
		n = w->tls == NULL ? send(w->fd, data, length, MSG_NOSIGNAL) :
				     SSL_write(w->tls, data, (int)length);
		if (n <= 0)
			wire_fail("send: %s", strerror(errno));
	}
}

void
wire_say(struct wire *w, const char *format, ...)
{
	char line[LINE];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	if (n < 0 || n >= LINE)
		wire_fail("a command is too long");
	wire_send(w, line, (size_t)n);
}

void
wire_more(struct wire *w)
{
	ssize_t n;

	if (w->have == WIRE_ROOM) {
		memmove(w->in, w->in + WIRE_ROOM - KEEP, KEEP);
		w->have = KEEP;
	}
	n = w->tls == NULL ?
	    recv(w->fd, w->in + w->have, WIRE_ROOM - w->have, 0) :
	    SSL_read(w->tls, w->in + w->have, (int)(WIRE_ROOM - w->have));
	if (n <= 0)
		wire_fail("connection lost after: %.*s",
		    (int)(w->have > 300 ? 300 : w->have), w->in);
	w->have += (size_t)n;
	w->bytes += (uint64_t)n;
}

/* The beginning of the last line, when a whole line is what it ends with. */
static const char *
last_line(const struct wire *w)
{
	size_t i;

	if (w->have < 2 || w->in[w->have - 1] != '\n')
		return NULL;
	for (i = w->have - 1; i > 0 && w->in[i - 1] != '\n'; i--)
		;
	return w->in + i;
}

void
wire_expect(struct wire *w, const char *begin, const char *then)
{
	const char *line;
	size_t n = strlen(begin);

	w->have = 0;
	do
		wire_more(w);
	while ((line = last_line(w)) == NULL || strncmp(line, begin, n) != 0);
	if (strncmp(line + n, then, strlen(then)) != 0)
		wire_fail("refused: %.*s", (int)(w->in + w->have - line), line);
}

void
wire_expect_dot(struct wire *w)
{
	w->have = 0;
	do {
		wire_more(w);
		if (w->in[0] == '-' && last_line(w) != NULL)
			wire_fail("refused: %.*s",
			    (int)(w->have > 300 ? 300 : w->have), w->in);
	} while (
	    w->have < 5 || memcmp(w->in + w->have - 5, "\r\n.\r\n", 5) != 0);
}
