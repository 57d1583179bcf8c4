/* SPDX-License-Identifier: ISC */
/* One text stands for one value: what decodes encodes to the same text. */
#include "lib/base/base64.h"

#include <stdint.h>

#include "lib/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size };
	struct buf text = BUF_INIT(2 * size + 8), bytes = BUF_INIT(size + 1);
	struct buf small = BUF_INIT(3);

	if (base64_decode(in, &bytes)) {
		ensure(base64_encode(buf_span(&bytes), &text));
		ensure(span_equal(buf_span(&text), in));
	} else {
		ensure(bytes.n == 0);
	}
	buf_reset(&text);
	buf_reset(&bytes);
	ensure(base64_encode(in, &text));
	ensure(text.n == (size + 2) / 3 * 4);
	ensure(base64_decode(buf_span(&text), &bytes));
	ensure(span_equal(buf_span(&bytes), in));
	/* what does not fit leaves nothing behind */
	ensure(base64_decode(in, &small) || small.n == 0);
	buf_fini(&text);
	buf_fini(&bytes);
	buf_fini(&small);
	return 0;
}
