/* SPDX-License-Identifier: ISC */
/*
 * Any message: what is converted has no 8-bit byte and does not depend on how
 * the input was split; what was converted once needs no conversion again.
 */
#include "lib/mail/downgrade.h"
#include "lib/mail/mime_walk.h"

#include <stdint.h>
#include <stdlib.h>

#include "lib/base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
collect(void *with, struct span bytes)
{
	if (!span_is_ascii(bytes))
		abort();
	buf_add_span(with, bytes);
}

static bool
convert(struct span message, size_t step, struct buf *out)
{
	struct downgrade *d = downgrade_new(MIME_DEPTH_MAX);
	struct span in;
	bool ok;

	for (in = message; in.n > 0; in = span_skip(in, step))
		downgrade_look(d, span_take(in, step));
	ok = downgrade_obstacle(d) == NULL;
	if (ok) {
		downgrade_begin(d, collect, out);
		for (in = message; in.n > 0; in = span_skip(in, step))
			downgrade_convert(d, span_take(in, step));
		downgrade_end(d);
	}
	downgrade_free(&d);
	return ok;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf one = BUF_INIT(1 << 24), other = BUF_INIT(1 << 24);
	struct span in = { (const char *)data, size };
	bool ok;

	if (size < 1 || size > 65536)
		return 0;
	in = span_skip(in, 1);
	ok = convert(in, 1000000, &one);
	if (convert(in, data[0] % 61U + 1, &other) != ok ||
	    !span_equal(buf_span(&one), buf_span(&other)))
		abort();
	buf_reset(&other);
	if (ok && !convert(buf_span(&one), 1000, &other))
		abort();
	buf_fini(&one);
	buf_fini(&other);
	return 0;
}
