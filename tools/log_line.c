/* SPDX-License-Identifier: ISC */
#include "tools/log_line.h"

#include <ctype.h>
#include <string.h>

enum { ID_LEAST = 6, ID_MOST = 40 };

static bool
is_id(struct span s)
{
	if (s.n < ID_LEAST || s.n > ID_MOST)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum((unsigned char)s.p[i]))
			return false;
	return true;
}

/* "Nov 21 13:25:01" or "2026-11-21T13:25:01.123456+00:00" */
static size_t
time_length(struct span line)
{
	if (line.n > 20 && isdigit((unsigned char)line.p[0]) &&
	    line.p[4] == '-' && line.p[10] == 'T')
		return span_find(line, ' ');
	if (line.n > 16 && isupper((unsigned char)line.p[0]) &&
	    line.p[3] == ' ' && line.p[9] == ':' && line.p[15] == ' ')
		return 15;
	return 0;
}

/* "tag[pid]" at the start of *rest, which is put behind "]: ". */
static bool
take_tag(struct span *rest, struct log_line *l)
{
	size_t open = span_find(*rest, '[');
	size_t blank = span_find(*rest, ' ');
	size_t close;

	if (open >= rest->n || blank < open)
		return false;
	l->tag = span_take(*rest, open);
	*rest = span_skip(*rest, open + 1);
	close = span_find(*rest, ']');
	l->pid = span_take(*rest, close);
	*rest = span_skip(*rest, close);
	if (!span_starts(*rest, "]: ") || l->tag.n == 0)
		return false;
	*rest = span_skip(*rest, 3);
	return true;
}

bool
log_line_parse(struct span line, struct log_line *out)
{
	struct log_line l = { 0 };
	struct span rest;
	size_t n = time_length(line);

	if (n == 0 || n >= line.n)
		return false;
	l.time = span_take(line, n);
	rest = span_skip(line, n + 1);
	n = span_find(rest, ' ');
	l.host = span_take(rest, n);
	rest = span_skip(rest, n + 1);
	if (!take_tag(&rest, &l))
		return false;
	n = span_find(rest, ':');
	if (n + 1 < rest.n && rest.p[n + 1] == ' ' &&
	    is_id(span_take(rest, n)) && !span_starts(rest, "warning") &&
	    !span_starts(rest, "NOQUEUE")) {
		l.id = span_take(rest, n);
		rest = span_skip(rest, n + 2);
	}
	l.text = rest;
	*out = l;
	return true;
}

struct span
log_line_program(const struct log_line *l)
{
	size_t at = span_rfind(l->tag, '/');

	return at < l->tag.n ? span_skip(l->tag, at + 1) : l->tag;
}

/* Position behind "needle" in s; s.n where it is not. */
static size_t
behind(struct span s, const char *needle)
{
	size_t n = strlen(needle);
	const char *at = s.n > 0 ? memmem(s.p, s.n, needle, n) : NULL;

	return at != NULL ? (size_t)(at - s.p) + n : s.n;
}

bool
log_line_value(const struct log_line *l, const char *name, struct span *value)
{
	struct span rest = l->text;
	size_t n = strlen(name);

	while (rest.n > n) {
		const char *end;

		if (span_starts(rest, name) && rest.p[n] == '=') {
			rest = span_skip(rest, n + 1);
			end = memmem(rest.p, rest.n, ", ", 2);
			*value = end ? span_take(rest, (size_t)(end - rest.p)) :
				       span_take(rest, span_find(rest, ' '));
			if (value->n > 1 && value->p[0] == '<' &&
			    span_find(*value, '>') < value->n)
				*value = span_take(span_skip(*value, 1),
				    span_find(*value, '>') - 1);
			return true;
		}
		end = memmem(rest.p, rest.n, ", ", 2);
		if (end == NULL)
			return false;
		rest = span_skip(rest, (size_t)(end - rest.p) + 2);
	}
	return false;
}

bool
log_line_child(const struct log_line *l, struct span *id)
{
	static const char *const signs[] = {
		"notification: ",
		"forwarded as ",
		"queued as ",
		"resubmitted as ",
	};

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		struct span rest =
		    span_skip(l->text, behind(l->text, signs[i]));
		size_t n = 0;

		while (n < rest.n && isalnum((unsigned char)rest.p[n]))
			n++;
		*id = span_take(rest, n);
		if (is_id(*id))
			return true;
	}
	return false;
}

bool
log_line_client(const struct log_line *l, struct span *client)
{
	static const char *const signs[] = {
		"disconnect from ",
		"connect from ",
		"connection established from ",
		"lost connection after ",
		"timeout after ",
		" from ",
		"client=",
	};

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		struct span rest =
		    span_skip(l->text, behind(l->text, signs[i]));
		size_t open = span_find(rest, '[');
		size_t close = span_find(rest, ']');
		size_t from = behind(rest, " from ");

		if (from < open)
			rest = span_skip(rest, from);
		open = span_find(rest, '[');
		close = span_find(rest, ']');
		if (open < close && close < rest.n &&
		    span_find(rest, ' ') > open) {
			*client = span_take(rest, close + 1);
			return true;
		}
	}
	return false;
}
