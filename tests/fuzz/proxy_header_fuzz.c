/* SPDX-License-Identifier: ISC */
/* The header of a proxy, whole and byte by byte. */
#include "lib/net/proxy_header.c"

#include <stdint.h>

#include "lib/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = { (const char *)data, size };
	enum proxy_header_result r, sooner = PROXY_HEADER_MORE;
	struct proxy_header h, early;
	const char *why = NULL;

	r = proxy_header_parse(all, &h, &why);
	ensure((r == PROXY_HEADER_BAD) == (why != NULL));
	ensure(r != PROXY_HEADER_MORE || size < PROXY_HEADER_MOST);
	if (r == PROXY_HEADER_OK) {
		ensure(h.length <= size && h.length <= PROXY_HEADER_MOST);
		ensure(h.direct || address_is_ip(&h.client));
		ensure(h.direct ||
		    h.client.any.sa_family == h.server.any.sa_family);
	}
	/* however it comes in, it comes to the same */
	for (size_t n = 0; n <= size && sooner == PROXY_HEADER_MORE; n++)
		sooner = proxy_header_parse(span_take(all, n), &early, &why);
	ensure(sooner == r);
	ensure(r != PROXY_HEADER_OK || early.length == h.length);
	return 0;
}
