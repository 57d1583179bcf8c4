/* SPDX-License-Identifier: ISC */
/* A message as lookup keys: none holds more than the message does. */
#include "tools/message_keys.h"

#include <stdint.h>

#include "lib/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sum {
	size_t bytes;
	size_t keys;
};

static void
add(void *with, struct span key)
{
	struct sum *s = with;

	s->bytes += key.n;
	s->keys++;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (unsigned int i = 1; i < 8; i++) {
		struct sum s = { 0, 0 };
		struct message_keys k = {
			.headers = i & 1,
			.bodies = i & 2,
			.mime = i & 4,
			.key = add,
			.with = &s,
		};

		message_keys(&k, (struct span){ (const char *)data, size });
		ensure(s.bytes <= size);
		/* one more: the empty line between a header and a body */
		ensure(s.keys <= size + 1);
		ensure(i != 4 || s.keys == 0);
	}
	return 0;
}
