/* SPDX-License-Identifier: ISC */
#ifndef BENCH_LOAD_DIAL_H
#define BENCH_LOAD_DIAL_H

/*
 * What the load programs share: connections on the loopback, as streams of
 * lib/net in tasks, and an end with a reason.
 */

#include <stdint.h>
#include "lib/net/stream.h"

/* A connection to 127.0.0.1, waiting up to 60 s; NULL with errno. */
struct stream *dial(uint16_t port);
/* Clients do not verify; resume_s as in struct tls_client_settings. */
struct tls_context *dial_tls(int64_t resume_s);
/* A server's, with the key and certificate in a file. */
struct tls_context *dial_tls_server(const char *chain);
/* Room for so many descriptors, as far as the machine allows. */
void dial_descriptors(unsigned int n);
/*
 * Stops the task loop at the end of standard input, and answers each line
 * there with a number: for a program that a bench asks how far it is.
 */
void dial_control(const uint64_t *number);
/*
 * A server on 127.0.0.1 and this port (0: any), which it prints: "each" is the
 * task of a connection, and owns its stream. Until dial_control(number) ends.
 */
void
dial_serve(uint16_t port, void (*each)(void *stream), const uint64_t *number);

__attribute__((format(printf, 1, 2), noreturn)) void
die(const char *format, ...);

#endif
