/* SPDX-License-Identifier: ISC */
/*
 * OAUTHBEARER and XOAUTH2: what any client may send gives an error, or a name
 * and a token that can stand in a line.
 */
#include "lib/sasl/bearer.h"

#include <stdint.h>
#include <string.h>

#include "lib/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
one(enum bearer_kind kind, struct span message)
{
	const char *error = NULL;
	struct bearer b;

	if (!bearer_parse(kind, message, &b, &error)) {
		ensure(error != NULL);
		return;
	}
	ensure(error == NULL);
	ensure(b.token.n > 0 && b.token.n <= BEARER_TOKEN_MAX);
	ensure(b.token.p >= message.p &&
	    b.token.p + b.token.n < message.p + message.n);
	ensure(memchr(b.user, '\0', sizeof(b.user)) != NULL);
	for (size_t i = 0; i < b.token.n; i++)
		ensure(b.token.p[i] > ' ' && b.token.p[i] < 0x7f &&
		    strchr("\"\\,:<>", b.token.p[i]) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span message = { (const char *)data, size };

	one(BEARER_OAUTHBEARER, message);
	one(BEARER_XOAUTH2, message);
	return 0;
}
