/* SPDX-License-Identifier: ISC */
#include "smtp/header_stream.h"

void
header_stream_init(struct header_stream *h,
    void (*field)(void *with, const struct header_field *f),
    void (*other)(void *with, struct span bytes), void *with)
{
	*h = (struct header_stream){ .field = field,
		.other = other,
		.with = with };
	/* and a part of content behind a field that just fits */
	buf_init(&h->held, (size_t)2 * HEADER_STREAM_MAX);
}

void
header_stream_fini(struct header_stream *h)
{
	buf_fini(&h->held);
}

/* Gives out the fields that are whole. */
static void
take(struct header_stream *h, bool last)
{
	struct span rest = buf_span(&h->held), before;
	enum header_next next = HEADER_FIELD;
	struct header_field f;

	while (next == HEADER_FIELD && rest.n > 0) {
		before = rest;
		next = header_next(&rest, last, &f);
		if (next == HEADER_FIELD)
			h->field(h->with, &f);
		else if (next != HEADER_MORE || rest.n > HEADER_STREAM_MAX) {
			/* with the empty line, which belongs to neither */
			h->done = true;
			h->other(h->with, before);
			rest = (struct span){ before.p, 0 };
		}
	}
	buf_drop(&h->held, h->done ? h->held.n : h->held.n - rest.n);
}

void
header_stream_put(struct header_stream *h, struct span in)
{
	struct span part;

	while (!h->done && in.n > 0) {
		part = span_take(in, HEADER_STREAM_MAX / 2);
		in = span_skip(in, part.n);
		buf_add_span(&h->held, part);
		take(h, false);
	}
	if (in.n > 0)
		h->other(h->with, in);
}

void
header_stream_end(struct header_stream *h)
{
	if (!h->done)
		take(h, true);
}
