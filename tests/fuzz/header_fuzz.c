/* SPDX-License-Identifier: ISC */
/* Cut anywhere, a header has the same fields and the body begins there. */
#include "lib/mail/header.h"

#include <stdint.h>

#include "lib/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As far as it is known from a beginning, that is how it stays. */
static void
envelope_line(struct span whole)
{
	struct span all = whole, part, kept;

	ensure(header_skip_envelope(&all, true));
	for (size_t n = 0; n < whole.n && n < 1200; n++) {
		part = kept = span_take(whole, n);
		if (header_skip_envelope(&part, false))
			ensure(part.p == all.p);
		else
			ensure(part.p == kept.p && part.n == kept.n);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span whole = { (const char *)data, size };
	struct span a = whole, b = span_take(whole, size / 2);
	struct header_field f, g;
	enum header_next r, q;

	do {
		r = header_next(&a, true, &f);
		q = header_next(&b, false, &g);
		if (q == HEADER_MORE) {
			b.n = (size_t)((const char *)data + size - b.p);
			q = header_next(&b, true, &g);
		}
		ensure(r == q);
		if (r == HEADER_FIELD)
			ensure(span_equal(f.whole, g.whole) && f.name.n > 0 &&
			    span_equal(f.value, g.value));
	} while (r == HEADER_FIELD);
	ensure(a.p == b.p);
	envelope_line(whole);
	return 0;
}
