/* SPDX-License-Identifier: ISC */
/*
 * Whatever the file and whatever is done to its entries: no other line of it
 * is lost or changed, and what stays is in order.
 */
#include <ctype.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "tools/cf_edit.h"

/* Entries that begin with these letters are acted on. */
static enum cf_action
decide(void *with, struct span line, struct buf *replacement)
{
	(void)with;
	switch (line.p[0]) {
	case 'R':
		buf_add_text(replacement, "Replaced");
		return CF_REPLACE;
	case 'D':
		return CF_REMOVE;
	case 'C':
		return CF_COMMENT;
	default:
		return CF_KEEP;
	}
}

static void
finish(void *with, struct buf *out)
{
	(void)with;
	buf_add_text(out, "Last\n");
}

static struct span
physical(struct span *rest)
{
	struct span line = span_take(*rest, span_find(*rest, '\n'));

	*rest = span_skip(*rest, line.n + 1);
	return line;
}

static bool
is_comment(struct span line)
{
	line = span_trim(line);
	return line.n == 0 || line.p[0] == '#';
}

/* The next line of *rest that is this one; others before it are new. */
static bool
found_later(struct span *rest, struct span line)
{
	while (rest->n > 0)
		if (span_equal(physical(rest), line))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cf_edit edit = { .decide = decide, .finish = finish };
	struct span before = { (const char *)data, size }, after, line;
	struct buf out = BUF_INIT(16 << 20);
	bool acted = false;

	if (size > 1 << 16 || memchr(data, '\0', size) != NULL)
		return 0;
	ensure(cf_edit_text(before, &edit, &out));
	ensure(!out.overflow);
	after = buf_span(&out);
	while (before.n > 0) {
		line = physical(&before);
		if (!is_comment(line) && !isspace((unsigned char)line.p[0]))
			acted = memchr("RDC", line.p[0], 3) != NULL;
		/* of an entry that was acted on only the comments stay */
		if (is_comment(line) || !acted)
			ensure(found_later(&after, line));
	}
	ensure(found_later(&after, SPAN("Last")));
	buf_fini(&out);
	return 0;
}
