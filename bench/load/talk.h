/* SPDX-License-Identifier: ISC */
#ifndef BENCH_LOAD_TALK_H
#define BENCH_LOAD_TALK_H

/*
 * What a load client hears, on a stream of lib/net. Long answers are looked at
 * only where they may end and thrown away, so that the server is what is
 * measured. What is not the answer that was wanted ends the program with a
 * message: a bench with a refusal in it has measured nothing.
 */

#include "lib/base/span.h"
#include "lib/net/stream.h"

/* One line, which must begin so; valid until the next read. */
struct span talk_line(struct stream *io, const char *begin);

/* Lines until one that begins so, which must go on with "then". */
void talk_until(struct stream *io, const char *begin, const char *then);

/* POP3's answer of many lines, "+..." to the line that is a dot. */
void talk_dot(struct stream *io);

#endif
