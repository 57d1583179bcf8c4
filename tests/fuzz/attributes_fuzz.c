/* SPDX-License-Identifier: ISC */
/* Arguments of XCLIENT and XFORWARD; the first byte says which. */
#include "smtpd/attributes.c"

#include <stdint.h>

#include "lib/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct attributes said;
	struct buf reply = BUF_INIT(4096);
	struct span in = { (const char *)data + 1, size - 1 };
	bool good;

	/* smtpd passes no line with a break in it */
	if (size == 0 || span_has_break(in))
		return 0;
	good = attributes_parse(in, data[0] & 1 ? FOR_XCLIENT : FOR_XFORWARD,
	    &said, &reply);
	ensure(good == (reply.n == 0));
	ensure(
	    good || (reply.p[0] == '5' && !span_has_break(buf_span(&reply))));
	for (int i = 0; good && i < ATTRIBUTE_COUNT; i++) {
		struct attribute *a = &said.list[i];

		ensure(strlen(a->text) <= ATTRIBUTE_MAX);
		ensure(!span_has_control(span_of(a->text)));
		ensure(!a->given || a->unavailable == (a->text[0] == '\0'));
	}
	buf_fini(&reply);
	return 0;
}
