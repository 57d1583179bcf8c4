/* SPDX-License-Identifier: ISC */
/* Lines of a file of app passwords: what is read prints as it was. */
#include "auth/app_password.h"

#include <stdint.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span line = { (const char *)data, size };
	unsigned char digest[APP_PASSWORD_DIGEST];
	struct arena *a = arena_new();
	struct buf text = BUF_INIT(size + 1000);
	struct app_password p, again;
	const char *error;

	if (app_password_parse(line, a, &p, &error)) {
		app_password_print(&p, &text);
		ensure(
		    app_password_parse(span_take(buf_span(&text), text.n - 1),
			a, &again, &error));
		ensure(strcmp(p.user, again.user) == 0);
		ensure(strcmp(p.label, again.label) == 0);
		ensure(memcmp(p.digest, again.digest, sizeof(p.digest)) == 0);
		ensure(p.protocols == again.protocols &&
		    p.created == again.created && p.expires == again.expires);
	}
	(void)app_password_digest(line, digest);
	buf_fini(&text);
	arena_free(&a);
	return 0;
}
