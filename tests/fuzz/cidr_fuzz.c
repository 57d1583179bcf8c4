/* SPDX-License-Identifier: ISC */
/* A cidr: file, and behind a NUL the key that is looked up in it. */
#include "lib/table/cidr.h"

#include <stdint.h>

#include "lib/base/ensure.h"
#include "lib/log/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = { (const char *)data, size };
	struct span text = span_take(all, span_rfind(all, '\0'));
	struct span key = span_skip(all, text.n + 1);
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	enum table_result r;

	log_threshold(LEVEL_PANIC);
	r = cidr_try(text, key, &value);
	ensure(r == TABLE_FOUND || r == TABLE_NONE);
	ensure((r == TABLE_FOUND) == (value.n > 0));
	buf_fini(&value);
	return 0;
}
