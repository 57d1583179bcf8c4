/* SPDX-License-Identifier: ISC */
#include "lib/mail/address_list.h"
#include "lib/mail/author.h"
#include "lib/mail/mail_address.h"

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

struct authors {
	size_t count;
	struct span last;
	bool has;
};

static void
author(void *with, struct span address)
{
	struct authors *found = with;

	ensure(address.n > 0 && address.n <= MAIL_ADDRESS_MAX);
	ensure(!span_has_control(address) && mail_is_utf8(address));
	found->count++;
	found->has |= span_equal(address, found->last);
}

/* What a lenient reader finds is among what the strict one told of. */
static bool
is_author(void *with, const struct listed_address *a)
{
	struct span text = *(struct span *)with;
	struct authors found = { .last = a->address };

	ensure(author_each(text, author, &found) && found.has);
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct authors found = { .count = 0 };

	address_list_each(text, check, &text);
	if (author_each(text, author, &found)) {
		ensure(found.count > 0);
		/* all pairs of them are compared: not of long lists */
		if (size < 4096)
			ensure(address_list_each(text, is_author, &text));
	}
	return 0;
}
