/* SPDX-License-Identifier: ISC */
/* Any bytes as an alias list, include file or .forward. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "local/destinations.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = { (const char *)data, size };
	struct buf one = BUF_INIT(65536);
	enum destination_kind kind;
	size_t left = rest.n + 1;

	while (destinations_next(&rest, &kind, &one)) {
		/* it always gets on, and never gives out a hidden byte */
		ensure(rest.n < left);
		left = rest.n;
		ensure(kind == DESTINATION_BAD ||
		    (one.n > 0 && memchr(one.p, '\0', one.n) == NULL));
		if (kind == DESTINATION_INCLUDE || kind == DESTINATION_FILE)
			ensure(one.p[0] == '/');
	}
	buf_fini(&one);
	return 0;
}
