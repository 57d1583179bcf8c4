/* SPDX-License-Identifier: ISC */
#include "lib/store/mbox_scan.h"

#include <string.h>

#include "lib/base/ensure.h"

static const char quoted[] = ">From ";

enum { QUOTED = sizeof(quoted) - 1 };

/* Is p[i] at the start of a line, but for ">"? */
static bool
at_start(const struct mbox_unquote *u, const char *p, size_t i)
{
	while (i > 0 && p[i - 1] == '>')
		i--;
	return i == 0 ? !u->inside : p[i - 1] == '\n';
}

/* Bytes at the end that may begin a ">From ". */
static size_t
undecided(const char *p, size_t n)
{
	for (size_t k = n < QUOTED - 1 ? n : QUOTED - 1; k > 0; k--)
		if (memcmp(p + n - k, quoted, k) == 0)
			return k;
	return 0;
}

/* p[0..n) less the ">" that the writer has put there; its new length. */
static size_t
strip(const struct mbox_unquote *u, char *p, size_t n)
{
	size_t from = 0, to = 0;
	const char *found;

	while ((found = memmem(p + from, n - from, quoted, QUOTED)) != NULL) {
		size_t i = (size_t)(found - p);
		bool drop;

		/* bytes before "from" are moved, so look only behind it */
		drop = at_start(u, p, i);
		memmove(p + to, p + from, i - from);
		to += i - from;
		if (!drop)
			p[to++] = '>';
		from = i + 1;
	}
	memmove(p + to, p + from, n - from);
	return to + n - from;
}

struct span
mbox_unquote(struct mbox_unquote *u, char *bytes, size_t n, bool last)
{
	char *p = bytes + MBOX_UNQUOTE_ROOM - u->kept;
	struct mbox_unquote next = { .inside = u->inside };
	size_t use;

	memcpy(p, u->held, u->kept);
	n += u->kept;
	next.kept = last ? 0 : (unsigned char)undecided(p, n);
	use = n - next.kept;
	memcpy(next.held, p + use, next.kept);
	if (use > 0)
		next.inside = !at_start(u, p, use);
	n = strip(u, p, use);
	*u = next;
	return (struct span){ p, n };
}
