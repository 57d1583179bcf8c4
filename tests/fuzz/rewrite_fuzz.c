/* SPDX-License-Identifier: ISC */
/*
 * Any text as an address. A second pass can still add our domain, to what was
 * "user@host." with its dot; a third changes nothing. (A source route behind a
 * source route is a route of its own.)
 */
#include "lib/mail/rewrite.h"

#include <string.h>

#include "lib/base/ensure.h"
#include "lib/mail/mail_address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct rewrite_rules rules = {
		.swap_bangpath = true,
		.allow_percent_hack = true,
		.append_at_myorigin = true,
		.append_dot_mydomain = true,
		.myorigin = "origin.test",
		.mydomain = "domain.test",
	};
	struct span text = { (const char *)data, size };
	struct arena *a = arena_new();
	const char *once;
	const char *twice;

	/* as it comes off the wire of our own protocol */
	text = span_take(text, span_find(text, '\0'));
	once = rewrite_address(&rules, text, a);
	ensure(strlen(once) <= text.n + strlen("@origin.test.domain.test"));
	if (*once != '\0' && *once != '@') {
		twice = rewrite_address(&rules, span_of(once), a);
		ensure(*twice == '@' ||
		    strcmp(rewrite_address(&rules, span_of(twice), a), twice) ==
			0);
	}
	ensure(*once == '\0' || mail_address_split(span_of(once), NULL, NULL));
	arena_free(&a);
	return 0;
}
