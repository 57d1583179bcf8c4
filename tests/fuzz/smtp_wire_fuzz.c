/* SPDX-License-Identifier: ISC */
/*
 * Any content, split anywhere: one message goes out, and read back by the
 * server's side it is one message.
 */
#include "lib/mail/smtp_wire.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/mail/smtp_content.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
collect(void *with, struct span bytes)
{
	buf_add_span(with, bytes);
}

static void
check_lines(struct span out, size_t limit)
{
	size_t length = 0;

	for (size_t i = 0; i < out.n; i++) {
		char c = out.p[i];

		if (c == '\r' && (i + 1 == out.n || out.p[i + 1] != '\n'))
			abort();
		if (c == '\n' && (i == 0 || out.p[i - 1] != '\r'))
			abort();
		if (c == '\n')
			length = 0;
		else if (c != '\r' && ++length > limit + 1) /* stuffed */
			abort();
	}
	if (out.n > 0 && out.p[out.n - 1] != '\n')
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out = BUF_INIT(1 << 22);
	struct smtp_content c = { 0 };
	struct smtp_wire w;
	struct span in, part;
	enum smtp_content_event event;

	if (size < 2 || size > 65536)
		return 0;
	smtp_wire_init(&w, 8U + data[0], collect, &out);
	in = (struct span){ (const char *)data + 2, size - 2 };
	for (size_t step = data[1] % 16U + 1; in.n > 0; step = step * 5 % 97) {
		smtp_wire_put(&w, span_take(in, step));
		in = span_skip(in, step);
	}
	smtp_wire_end(&w);
	check_lines(buf_span(&out), 8U + data[0]);
	buf_add_text(&out, ".\r\n");
	in = buf_span(&out);
	while ((event = smtp_content_next(&c, &in, &part)) == CONTENT_DATA)
		;
	if (event != CONTENT_END || in.n != 0 || c.bare_cr || c.bare_lf)
		abort();
	buf_fini(&out);
	return 0;
}
