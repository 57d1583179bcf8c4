/* SPDX-License-Identifier: ISC */
/* A base subject is its own base subject, and no reply any more. */
#include "lib/mail/base_subject.h"

#include <stdint.h>

#include "lib/base/ensure.h"
#include "lib/mail/collate.h"
#include "lib/mail/mime_decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span whole = { (const char *)data, size };
	struct buf text = BUF_INIT(1 << 20), base = BUF_INIT(1 << 20),
		   again = BUF_INIT(1 << 20), folded = BUF_INIT(1 << 22);

	mime_decode_header(whole, &text);
	base_subject(buf_span(&text), &base);
	ensure(base.n <= text.n);
	ensure(!base_subject(buf_span(&base), &again));
	ensure(span_equal(buf_span(&base), buf_span(&again)));
	collate_fold(buf_span(&base), &folded);
	buf_fini(&text);
	buf_fini(&base);
	buf_fini(&again);
	buf_fini(&folded);
	return 0;
}
