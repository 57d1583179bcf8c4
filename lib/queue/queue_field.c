/* SPDX-License-Identifier: ISC */
#include "lib/queue/queue_field.h"

#include <string.h>

#include "lib/base/ensure.h"

void
queue_put_number(unsigned char *to, uint64_t value, size_t bytes)
{
	while (bytes-- > 0) {
		to[bytes] = (unsigned char)value;
		value >>= 8;
	}
}

uint64_t
queue_get_number(const void *from, size_t bytes)
{
	const unsigned char *p = from;
	uint64_t value = 0;

	while (bytes-- > 0)
		value = value << 8 | *p++;
	return value;
}

bool
queue_field_put(struct buf *b, const char *name, struct span value)
{
	size_t n = strlen(name);
	unsigned char *p;

	ensure(n > 0 && n < 256);
	if (value.n > QUEUE_FIELD_MAX || span_has_break(value))
		return false;
	p = (unsigned char *)buf_reserve(b, 1 + n + 2 + value.n);
	if (p == NULL)
		return false;
	p[0] = (unsigned char)n;
	memcpy(p + 1, name, n);
	queue_put_number(p + 1 + n, value.n, 2);
	if (value.n > 0)
		memcpy(p + 3 + n, value.p, value.n);
	buf_added(b, 3 + n + value.n);
	return true;
}

bool
queue_field_next(struct span *rest, struct queue_field *f)
{
	struct span s = *rest;
	size_t n, length;

	if (s.n < 1)
		return false;
	n = (unsigned char)s.p[0];
	if (n == 0 || s.n < 1 + n + 2)
		return false;
	length = queue_get_number(s.p + 1 + n, 2);
	if (s.n - (3 + n) < length)
		return false;
	f->name = (struct span){ s.p + 1, n };
	f->value = (struct span){ s.p + 3 + n, length };
	if (span_has_break(f->value))
		return false;
	*rest = span_skip(s, 3 + n + length);
	return true;
}

bool
queue_field_if(struct span *rest, const char *name, struct span *value)
{
	struct span after = *rest;
	struct queue_field f;

	if (!queue_field_next(&after, &f) || !span_is(f.name, name))
		return false;
	*value = f.value;
	*rest = after;
	return true;
}
