/* SPDX-License-Identifier: ISC */
#ifndef SMTP_HEADER_STREAM_H
#define SMTP_HEADER_STREAM_H

/*
 * Content as it streams by, its header field by field. Holds one field; one
 * that is longer than HEADER_STREAM_MAX ends the header as far as this is
 * concerned, and all that follows passes as it is.
 */

#include "lib/base/buf.h"
#include "lib/mail/header.h"

enum { HEADER_STREAM_MAX = 1 << 20 };

struct header_stream {
	void (*field)(void *with, const struct header_field *f);
	void (*other)(void *with, struct span bytes); /* body, empty line */
	void *with;
	struct buf held;
	bool done; /* the header is over */
};

void header_stream_init(struct header_stream *h,
    void (*field)(void *with, const struct header_field *f),
    void (*other)(void *with, struct span bytes), void *with);
void header_stream_fini(struct header_stream *h);
void header_stream_put(struct header_stream *h, struct span in);
void header_stream_end(struct header_stream *h);

#endif
