/* SPDX-License-Identifier: ISC */
#include "local/destinations.h"

#include <string.h>

#include "lib/mail/address_list.h"
#include "lib/mail/mail_address.h"

static bool
is_separator(char c)
{
	return c == ',' || c == '\n' || c == '\r';
}

static void
skip_between(struct span *rest)
{
	while (rest->n > 0) {
		if (rest->p[0] == '#')
			*rest = span_skip(*rest, span_find(*rest, '\n'));
		else if (is_separator(rest->p[0]) || rest->p[0] == ' ' ||
		    rest->p[0] == '\t')
			*rest = span_skip(*rest, 1);
		else
			return;
	}
}

/*
 * Up to the next separator that is not within quotes, comments or brackets.
 * A quote that is never closed ends with its line.
 */
static struct span
take_item(struct span *rest)
{
	bool quoted = false;
	size_t i = 0, depth = 0;
	struct span item;

	for (; i < rest->n; i++) {
		char c = rest->p[i];

		if (c == '\n' || (c == ',' && !quoted && depth == 0))
			break;
		if (c == '\\' && i + 1 < rest->n && rest->p[i + 1] != '\n')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && c == '(')
			depth++;
		else if (!quoted && c == ')' && depth > 0)
			depth--;
	}
	item = span_trim(span_take(*rest, i));
	*rest = span_skip(*rest, i);
	return item;
}

/* Is the whole item one quoted string? Then its text goes to *out. */
static bool
unquote_whole(struct span item, struct buf *out)
{
	if (item.n < 2 || item.p[0] != '"' || item.p[item.n - 1] != '"')
		return false;
	for (size_t i = 1; i < item.n - 1; i++) {
		if (item.p[i] == '"')
			return false;
		if (item.p[i] == '\\' && i + 1 < item.n - 1)
			i++;
		buf_add_char(out, item.p[i]);
	}
	return true;
}

static bool
is_special(struct span s)
{
	return s.n > 0 &&
	    (s.p[0] == '|' || s.p[0] == '/' || s.p[0] == '\\' ||
		span_starts_nocase(s, ":include:"));
}

struct found {
	struct buf *out;
	size_t count;
};

static bool
take_address(void *with, const struct listed_address *a)
{
	struct found *f = with;

	if (f->count++ == 0) {
		buf_reset(f->out);
		buf_add_span(f->out, a->address);
	}
	return true;
}

/* "Name <user@domain> (comment)" or any other form of one address. */
static enum destination_kind
address(struct span item, struct buf *out)
{
	struct found f = { .out = out };

	if (!address_list_each(item, take_address, &f) || f.count != 1 ||
	    out->n == 0 || span_has_break(buf_span(out)))
		return DESTINATION_BAD;
	return DESTINATION_ADDRESS;
}

/* Takes the mark off the front, and says which it was. */
static enum destination_kind
special(struct buf *out)
{
	enum destination_kind kind = DESTINATION_FILE;
	size_t mark = 0;

	if (out->p[0] == '|') {
		kind = DESTINATION_COMMAND;
		mark = 1;
	} else if (out->p[0] == '\\') {
		kind = DESTINATION_DIRECT;
		mark = 1;
	} else if (out->p[0] == ':') {
		kind = DESTINATION_INCLUDE;
		mark = strlen(":include:");
	}
	while (mark < out->n && (out->p[mark] == ' ' || out->p[mark] == '\t'))
		mark++;
	buf_drop(out, mark);
	if (out->n == 0 || (kind == DESTINATION_INCLUDE && out->p[0] != '/'))
		return DESTINATION_BAD;
	return kind;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* "a@x b@y" is two addresses without their comma; the other is left. */
static struct span
first_address(struct span item, struct span *rest)
{
	const char *end = rest->p + rest->n;
	size_t n = 0, next;

	for (size_t i = 0; i < item.n; i++)
		if (strchr("\"<>():;[]\\", item.p[i]) != NULL)
			return item;
	while (n < item.n && !is_blank(item.p[n]))
		n++;
	next = n;
	while (next < item.n && is_blank(item.p[next]))
		next++;
	if (next == item.n || item.p[next] == '@' || item.p[n - 1] == '@')
		return item;
	*rest = (struct span){ item.p + next, (size_t)(end - item.p) - next };
	return span_take(item, n);
}

bool
destinations_next(struct span *rest, enum destination_kind *kind,
    struct buf *out)
{
	struct span item;

	skip_between(rest);
	if (rest->n == 0)
		return false;
	item = take_item(rest);
	buf_reset(out);
	if (unquote_whole(item, out) && is_special(buf_span(out))) {
		*kind = special(out);
	} else if (is_special(item)) {
		buf_reset(out);
		buf_add_span(out, item);
		*kind = special(out);
	} else {
		buf_reset(out);
		item = first_address(item, rest);
		*kind = address(item, out);
	}
	if (out->n > 0 && memchr(out->p, '\0', out->n) != NULL)
		*kind = DESTINATION_BAD;
	if (*kind == DESTINATION_BAD) {
		buf_reset(out);
		buf_add_span(out, span_take(item, 200));
	}
	return true;
}

size_t
destinations_count(const char *text, size_t most)
{
	struct span rest = span_of(text);
	struct buf one = BUF_INIT(65536);
	enum destination_kind kind;
	size_t n = 0;

	while (n < most && destinations_next(&rest, &kind, &one))
		n++;
	buf_fini(&one);
	return n;
}
