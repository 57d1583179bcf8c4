/* SPDX-License-Identifier: ISC */
/* Each name has one spelling: what is decoded encodes to what was there. */
#include "lib/imap/imap_utf7.h"

#include <stddef.h>
#include <stdint.h>

#include "lib/base/ensure.h"
#include "lib/mail/mail_address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 1 << 22 };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct buf there = BUF_INIT(OUT_MAX), back = BUF_INIT(OUT_MAX);

	if (imap_utf7_decode(&there, text)) {
		ensure(mail_is_utf8(buf_span(&there)));
		imap_utf7_encode(&back, buf_span(&there));
		ensure(span_equal(buf_span(&back), text));
	}
	buf_reset(&there);
	buf_reset(&back);
	imap_utf7_encode(&there, text);
	ensure(span_is_ascii(buf_span(&there)));
	ensure(imap_utf7_decode(&back, buf_span(&there)));
	ensure(!mail_is_utf8(text) || span_equal(buf_span(&back), text));
	buf_fini(&there);
	buf_fini(&back);
	return 0;
}
