/* SPDX-License-Identifier: ISC */
/*
 * The text of a table in each syntax: whatever is found as an entry can be
 * looked up, and no key or value holds a line's end.
 */
#include "lib/table/text_source.h"

#include "lib/base/buf.h"
#include "lib/base/ensure.h"
#include "lib/log/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_entry(void *with, struct span key, struct span value, unsigned int line)
{
	size_t *count = with;

	ensure(key.n > 0 && value.n > 0 && line > 0);
	ensure(span_find(key, '\n') == key.n);
	ensure(span_find(value, '\n') == value.n);
	ensure(span_find(key, '\0') == key.n);
	(*count)++;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	const enum source_syntax each[] = {
		SOURCE_GUESS,
		SOURCE_MAP,
		SOURCE_ALIASES,
	};

	log_threshold(LEVEL_PANIC);
	for (size_t i = 0; i < 3; i++) {
		struct text_source_how how = { .syntax = each[i] };
		struct source_how reading = { .syntax = each[i] };
		size_t count = 0;
		struct text_map *m = text_source_parse("fuzz", text, &how);

		source_read("fuzz", text, &reading, check_entry, &count);
		ensure(text_map_count(m) <= count);
		for (size_t k = 0; k < text_map_count(m); k++) {
			struct span key;
			struct span value;
			struct span found;

			text_map_at(m, k, &key, &value);
			ensure(text_map_find(m, key, &found));
			ensure(span_equal(found, value));
		}
		text_map_free(&m);
	}
	return 0;
}
