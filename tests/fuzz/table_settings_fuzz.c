/* SPDX-License-Identifier: ISC */
/*
 * The file of a table's settings, and the % in it: values hold no line's end,
 * numbers are within bounds; a quoted key stays quoted whatever the format is.
 */
#include "lib/table/table_settings.h"

#include <string.h>

#include "lib/base/ensure.h"
#include "lib/log/log.h"
#include "lib/table/key_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct module_setting rows[] = {
	{ "hosts", MODULE_TEXT, "", 0, 0, NULL },
#define COMMON(...) { __VA_ARGS__ },
#define NETWORK(...) { __VA_ARGS__ },
#define SQL(...) { __VA_ARGS__ },
#include "lib/table/client_settings.def"
#undef COMMON
#undef NETWORK
#undef SQL
	{ "limit", MODULE_COUNT, "0", 0, 100, NULL },
	{ "bind", MODULE_BOOL, "no", 0, 1, NULL },
	{ "scope", MODULE_WORD, "sub", 0, 0, "sub one base" },
	{ NULL, MODULE_TEXT, NULL, 0, 0, NULL },
};

/* Each byte becomes "<" byte ">"... of what may be in a key: quotes go. */
static size_t
quote(void *with, char *to, size_t room, struct span from)
{
	size_t n = 0;

	(void)with;
	ensure(room >= 4 * from.n + 1);
	for (size_t i = 0; i < from.n; i++) {
		if (from.p[i] == '\'')
			to[n++] = '\\';
		to[n++] = from.p[i] == '\'' ? 'q' : from.p[i];
	}
	return n;
}

static void
try_format(const char *format, struct span key)
{
	struct buf out = BUF_INIT(1 << 16), error = BUF_INIT(1024);
	size_t quotes = 0, found = 0;

	if (key_format_valid(format, &error) &&
	    key_format_expand(format, key, NULL, quote, NULL, &out) ==
		KEY_FORMATTED) {
		for (const char *p = format; *p != '\0'; p++)
			quotes += *p == '\'';
		for (size_t i = 0; i < out.n; i++)
			found += out.p[i] == '\'';
		ensure(found == quotes);
	}
	buf_fini(&out);
	buf_fini(&error);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct module_setting *const lists[] = { rows, NULL };
	struct span text = { (const char *)data, size };
	struct settings_told told;
	struct table_settings *s;

	settings_told_init(&told);
	log_threshold(LEVEL_PANIC);
	s = table_settings_parse("fuzz", text, lists, &told);
	if (told.errors.n == 0) {
		ensure(table_settings_number(s, "timeout") >= 1);
		ensure(table_settings_number(s, "timeout") <= 600);
		ensure(table_settings_number(s, "limit") <= 100);
	}
	ensure(strchr(table_settings_text(s, "query"), '\n') == NULL);
	try_format(table_settings_text(s, "result_format"),
	    SPAN("it's'@a'b.c.example"));
	try_format(table_settings_text(s, "query"), text);
	table_settings_free(&s);
	settings_told_fini(&told);
	return 0;
}
