/* SPDX-License-Identifier: ISC */
#include "imapd/packed.h"

enum { BITS = 7, MORE = 0x80, NUMBER_BITS = 64 };

void
packed_put_number(struct buf *out, uint64_t n)
{
	for (; n >= MORE; n >>= BITS)
		buf_add_char(out, (char)(n | MORE));
	buf_add_char(out, (char)n);
}

void
packed_put_text(struct buf *out, struct span text)
{
	packed_put_number(out, text.n);
	buf_add_span(out, text);
}

void
packed_put_set(struct buf *out, const struct uid_set *s)
{
	uint32_t before = 0;

	packed_put_number(out, s->count);
	for (size_t i = 0; i < s->count; i++) {
		const struct uid_range *r = &s->ranges[i];

		packed_put_number(out, r->first - before);
		packed_put_number(out, r->last - r->first);
		before = r->last;
	}
}

/* One that does not fit in 64 bits is none. */
static bool
take_number(struct span *rest, uint64_t *out)
{
	uint64_t n = 0;

	for (unsigned int shift = 0; rest->n > 0 && shift < NUMBER_BITS;
	     shift += BITS) {
		unsigned char c = (unsigned char)rest->p[0];
		uint64_t bits = c & (MORE - 1);

		*rest = span_skip(*rest, 1);
		if (bits << shift >> shift != bits)
			return false;
		n |= bits << shift;
		if (c < MORE) {
			*out = n;
			return true;
		}
	}
	return false;
}

uint64_t
packed_number(struct packed *p, uint64_t most)
{
	uint64_t n;

	if (!p->bad && take_number(&p->rest, &n) && n <= most)
		return n;
	p->bad = true;
	return 0;
}

struct span
packed_text(struct packed *p)
{
	size_t n = (size_t)packed_number(p, p->rest.n);
	struct span text = SPAN("");

	if (n > p->rest.n)
		p->bad = true;
	if (p->bad)
		return text;
	text = span_take(p->rest, n);
	p->rest = span_skip(p->rest, n);
	return text;
}

void
packed_set(struct packed *p, struct uid_set *out)
{
	size_t count = (size_t)packed_number(p, p->rest.n / 2);
	uint32_t first, last = 0;

	while (count-- > 0 && !p->bad) {
		first = last + (uint32_t)packed_number(p, UINT32_MAX - last);
		last = first + (uint32_t)packed_number(p, UINT32_MAX - first);
		if (first == 0)
			p->bad = true;
		else if (!p->bad)
			uid_set_add_range(out, first, last);
	}
}

bool
packed_end(const struct packed *p)
{
	return !p->bad && p->rest.n == 0;
}
