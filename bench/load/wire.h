/* SPDX-License-Identifier: ISC */
#ifndef BENCH_LOAD_WIRE_H
#define BENCH_LOAD_WIRE_H

/*
 * One connection of a load client to a server on this machine, plain or TLS
 * from its first byte. What is received is looked at only where an answer may
 * end and thrown away, so that the server is what is measured.
 *
 * What fails ends the program with a message: a bench with a refusal in it has
 * measured nothing.
 */

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WIRE_ROOM = 1 << 18 };

struct wire {
	int fd;
	SSL *tls; /* NULL: plain */
	size_t have;
	uint64_t bytes; /* received in all */
	char in[WIRE_ROOM];
};

/* Prints the message, ends the program with status 1. */
void wire_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));

/* A context for clients that trust any certificate; sessions are kept by it
 * only if the caller arranges for that. */
SSL_CTX *wire_tls_context(void);

/* Connects, to 127.0.0.1; with a context, TLS follows at once. A session of
 * before may be resumed. */
void wire_dial(struct wire *w, int port, SSL_CTX *context, SSL_SESSION *before);

void wire_close(struct wire *w);

void wire_send(struct wire *w, const char *data, size_t length);

void wire_say(struct wire *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Receives more, behind what is in "in" already; what is no longer needed for
 * finding an end goes. */
void wire_more(struct wire *w);

/* Forgets what was received, waits for a last line that begins so, which must
 * go on with "then". */
void wire_expect(struct wire *w, const char *begin, const char *then);

/* Waits for a line that is a dot, at the end of an answer that must begin with
 * "+"; or for an answer of one line, if that is a refusal: ends the program. */
void wire_expect_dot(struct wire *w);

#endif
