/* SPDX-License-Identifier: ISC */
#include "lib/imap/imap_set.h"

/* A number of a set off the front; 0 for "*". */
static bool
take_number(struct span *s, uint64_t *out)
{
	size_t n = 0;

	if (s->n > 0 && s->p[0] == '*') {
		*out = 0;
		*s = span_skip(*s, 1);
		return true;
	}
	while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
		n++;
	if (!span_u64(span_take(*s, n), UINT32_MAX, out) || *out == 0)
		return false;
	*s = span_skip(*s, n);
	return true;
}

/* "3", "3:5", "*", "5:*", "*:5"; and the comma behind it. */
static bool
take_range(struct span *s, uint64_t *a, uint64_t *b)
{
	if (!take_number(s, a))
		return false;
	*b = *a;
	if (s->n > 0 && s->p[0] == ':') {
		*s = span_skip(*s, 1);
		if (!take_number(s, b))
			return false;
	}
	if (s->n == 0)
		return true;
	if (s->p[0] != ',' || s->n == 1)
		return false;
	*s = span_skip(*s, 1);
	return true;
}

static void
add(struct uid_set *out, uint64_t a, uint64_t b, uint32_t star)
{
	if ((a == 0 || b == 0) && star == 0)
		return; /* an empty mailbox has no last message */
	a = a == 0 ? star : a;
	b = b == 0 ? star : b;
	uid_set_add_range(out, (uint32_t)(a < b ? a : b),
	    (uint32_t)(a < b ? b : a));
}

bool
imap_set_parse(struct span text, uint32_t star, struct uid_set *out)
{
	uint64_t a, b;

	uid_set_fini(out);
	if (text.n == 0)
		return false;
	while (text.n > 0) {
		if (!take_range(&text, &a, &b))
			return false;
		add(out, a, b, star);
	}
	return true;
}

bool
imap_set_beyond(struct span text, uint32_t most)
{
	uint64_t a, b;

	while (text.n > 0 && take_range(&text, &a, &b))
		if (a > most || b > most || ((a == 0 || b == 0) && most == 0))
			return true;
	return false;
}
