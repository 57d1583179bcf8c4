/* SPDX-License-Identifier: ISC */
/* Content comes out the same however it is split; the first byte says how. */
#include "lib/mail/smtp_content.h"

#include <stdint.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
feed(struct smtp_content *c, struct span in, struct buf *to, size_t *left)
{
	enum smtp_content_event event;
	struct span out;

	while ((event = smtp_content_next(c, &in, &out)) == CONTENT_DATA)
		buf_add_span(to, out);
	*left = in.n;
	return event == CONTENT_END;
}

static void
finish(struct smtp_content *c, struct buf *to)
{
	struct span out;

	if (smtp_content_finish(c, &out))
		buf_add_span(to, out);
	ensure(to->n == 0 || to->p[to->n - 1] == '\n');
}

/* No bare CR or LF, ever. */
static void
is_clean(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\n')
			ensure(i > 0 && s.p[i - 1] == '\r');
		if (s.p[i] == '\r' && i + 1 < s.n)
			ensure(s.p[i + 1] == '\n');
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data + 1, size - 1 };
	struct buf whole = BUF_INIT(1 << 24), pieces = BUF_INIT(1 << 24);
	struct smtp_content a = { 0 }, b = { 0 };
	size_t step, left = 0;
	bool end_a, end_b = false;

	if (size == 0)
		return 0;
	step = data[0] % 16 + 1;
	a.counted = b.counted = data[0] & 16;
	end_a = feed(&a, in, &whole, &left);
	for (size_t at = 0; at < in.n && !end_b; at += step)
		end_b = feed(&b, span_take(span_skip(in, at), step), &pieces,
		    &left);
	ensure(end_a == end_b && a.bare_lf == b.bare_lf);
	ensure(!(a.counted && end_a));
	if (a.counted) {
		finish(&a, &whole);
		finish(&b, &pieces);
	}
	ensure(span_equal(buf_span(&whole), buf_span(&pieces)));
	is_clean(buf_span(&whole));
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
