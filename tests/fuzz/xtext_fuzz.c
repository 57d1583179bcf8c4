/* SPDX-License-Identifier: ISC */
#include "lib/mail/xtext.h"

#include <stdint.h>

#include "lib/base/ensure.h"
#include "lib/mail/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
original_recipient(struct span in)
{
	struct buf out = BUF_INIT(ORCPT_MAX), text = BUF_INIT(4 * ORCPT_MAX);
	struct buf again = BUF_INIT(ORCPT_MAX);

	if (orcpt_decode(in, &out)) {
		ensure(orcpt_encode(buf_span(&out), false, &text));
		ensure(span_is_ascii(buf_span(&text)));
		ensure(orcpt_decode(buf_span(&text), &again));
		ensure(span_equal(buf_span(&out), buf_span(&again)));
	}
	buf_fini(&out);
	buf_fini(&text);
	buf_fini(&again);
}

static void
replies(struct span in)
{
	struct reply_line line;
	char dsn[WHY_DSN_MAX] = "";
	int code = 0;

	if (reply_parse_line(in, &line))
		ensure(line.text.n <= in.n);
	reply_take_codes(&in, &code, dsn);
	ensure(dsn[0] == '\0' || why_dsn_valid(dsn));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size };
	struct buf out = BUF_INIT(ENVID_MAX);

	if (envid_decode(in, &out))
		ensure(!span_has_break(buf_span(&out)));
	buf_fini(&out);
	original_recipient(in);
	replies(in);
	return 0;
}
