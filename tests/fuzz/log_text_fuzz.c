/* SPDX-License-Identifier: ISC */
/*
 * Whatever a program writes into the log pipe, one line of valid UTF-8
 * without control characters comes out, in each form.
 */
#include <stdint.h>
#include <unistr.h>

#include "lib/base/ensure.h"
#include "logd/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct buf *out, bool line)
{
	size_t n = out->n;

	ensure(!out->overflow);
	if (line)
		ensure(n > 0 && out->p[--n] == '\n');
	for (size_t i = 0; i < n; i++)
		ensure((unsigned char)out->p[i] >= ' ' && out->p[i] != 0x7f);
	ensure(u8_check((const uint8_t *)out->p, n) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct line_stamp stamp = { 1795267501123456, "mx" };
	struct line l = line_parse((struct span){ (const char *)data, size });
	struct buf out = BUF_INIT(1 << 20);

	line_text(&l, &stamp, &out);
	check(&out, true);
	buf_reset(&out);
	line_json(&l, &stamp, &out);
	check(&out, true);
	buf_reset(&out);
	line_syslog(&l, &stamp, 16, &out);
	check(&out, false);
	buf_fini(&out);
	return 0;
}
