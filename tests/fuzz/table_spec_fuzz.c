/* SPDX-License-Identifier: ISC */
/*
 * Tables whose text is in their name, as a setting has it. Types that read
 * files or speak to somebody are left out.
 */
#include "lib/table/table.h"

#include <stdint.h>

#include "lib/base/ensure.h"
#include "lib/log/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
has(struct span text, const char *word)
{
	for (size_t i = 0; i < text.n; i++)
		if (span_starts(span_skip(text, i), word))
			return true;
	return false;
}

static bool
is_harmless(struct span spec)
{
	static const char *const first[] = { "inline:{",
		"static:", "fail:", "unionmap:{", "pipemap:{", "randmap:{",
		"debug:", "regexp:{", "pcre:{", "cidr:{" };
	static const char *const others[] = { "hash:", "btree:", "cdb:",
		"lmdb:", "texthash:", "unix:", "ldap:", "mysql:", "pgsql:",
		"redis:", "sqlite:", "tcp:", "socketmap:", "memcache:",
		"regexp:/", "pcre:/", "cidr:/" };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (has(spec, others[i]))
			return false;
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		if (span_starts(spec, first[i]))
			return true;
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const keys[] = { "a", "A@b.c", "192.0.2.1", "" };
	struct span spec = { (const char *)data, size };
	struct buf text = BUF_INIT(1 << 20);
	struct table *t;

	log_threshold(LEVEL_PANIC);
	if (!is_harmless(spec) || span_find(spec, '\0') < spec.n)
		return 0;
	t = table_open_flags(spec, TABLE_EMPTY_KEYS, &text);
	/* it is one, or it says why not */
	ensure(t != NULL || text.n > 0);
	for (size_t i = 0; t != NULL && i < 4; i++) {
		enum table_result r = table_lookup(t, span_of(keys[i]), &text);

		ensure(r != TABLE_AGAIN || text.n > 0);
		ensure(r != TABLE_BROKEN || text.n > 0);
	}
	table_free(&t);
	buf_fini(&text);
	return 0;
}
