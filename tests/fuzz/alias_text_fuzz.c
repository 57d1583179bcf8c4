/* SPDX-License-Identifier: ISC */
/*
 * A side of an alias as it is stored: to store that again changes nothing.
 */
#include "lib/table/alias_text.h"

#include "lib/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct buf once = BUF_INIT(1 << 22);
	struct buf twice = BUF_INIT(1 << 22);
	struct buf name = BUF_INIT(1 << 22);

	alias_text_value(text, &once);
	alias_text_value(buf_span(&once), &twice);
	/* "a |b" and "a|b" are two things, and become one */
	if (span_find(text, '|') == text.n)
		ensure(span_equal(buf_span(&once), buf_span(&twice)));
	if (alias_text_name(text, &name) == ALIAS_NAME_FINE)
		ensure(name.n > 0 && name.n <= size * 2);
	buf_fini(&once);
	buf_fini(&twice);
	buf_fini(&name);
	return 0;
}
