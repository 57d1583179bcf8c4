/* SPDX-License-Identifier: ISC */
/* A pcre: or regexp: file, and behind a NUL the key to look up in it. */
#include "lib/table/pattern.h"

#include <stdint.h>
#include <stdlib.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The C library takes any time for \1, and does not say so. */
static bool
has_back_reference(struct span text)
{
	for (size_t i = 0; i + 1 < text.n; i++)
		if (text.p[i] == '\\' && text.p[i + 1] >= '1' &&
		    text.p[i + 1] <= '9')
			return true;
	return false;
}

static void
try_one(const struct pattern_engine *engine, struct span text, struct span key)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	enum table_result r = pattern_try(engine, text, key, &value);

	ensure(r == TABLE_FOUND || r == TABLE_NONE || r == TABLE_BROKEN);
	ensure(r != TABLE_NONE || value.n == 0);
	ensure(r != TABLE_BROKEN || value.n > 0);
	buf_fini(&value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = { (const char *)data, size };
	struct span text = span_take(all, span_rfind(all, '\0'));
	struct span key = span_skip(all, text.n + 1);
	/* what checks regexec(3) looks for its end, whatever REG_STARTEND is */
	char *copy = mem_span_text(key);

	key.p = copy;
	log_threshold(LEVEL_PANIC);
	try_one(&pattern_engine_pcre, text, key);
	if (!has_back_reference(text))
		try_one(&pattern_engine_regexp, text, key);
	free(copy);
	return 0;
}
