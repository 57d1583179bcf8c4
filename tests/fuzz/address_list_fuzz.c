/* SPDX-License-Identifier: ISC */
#include "lib/mail/address_list.h"

#include <stdint.h>

#include "lib/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
inside(struct span outer, struct span inner)
{
	if (inner.n > 0)
		ensure(inner.p >= outer.p &&
		    inner.p + inner.n <= outer.p + outer.n);
}

static bool
check(void *with, const struct listed_address *a)
{
	struct span text = *(struct span *)with;

	inside(text, a->whole);
	inside(a->whole, a->spec);
	inside(text, a->name);
	inside(text, a->group);
	ensure(!span_has_break(a->address));
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };

	address_list_each(text, check, &text);
	return 0;
}
