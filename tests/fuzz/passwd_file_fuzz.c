/* SPDX-License-Identifier: ISC */
/* Lines of an accounts file: any bytes give an entry, a reason, or nothing. */
#include "auth/passwd_file.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span line = { (const char *)data, size };
	struct arena *a = arena_new();
	struct passwd_entry e;
	const char *error;

	if (passwd_line_parse(line, a, &e, &error)) {
		ensure(account_name_valid(span_of(e.user)));
		ensure(strlen(e.password) + strlen(e.uid) + strlen(e.gid) +
			strlen(e.home) + strlen(e.mail) + strlen(e.allow_nets) +
			strlen(e.quota) <=
		    size);
		for (const char *c = e.user; *c != '\0'; c++)
			ensure(!(*c >= 'A' && *c <= 'Z') && *c != '/');
	}
	if (memchr(data, 0, size) == NULL) {
		account_text_parse("bob", line, a, &e, &error);
		ensure(strlen(e.password) + strlen(e.uid) + strlen(e.gid) +
			strlen(e.home) + strlen(e.mail) + strlen(e.allow_nets) +
			strlen(e.quota) <=
		    size);
	}
	arena_free(&a);
	return 0;
}
