/* SPDX-License-Identifier: ISC */
#include "lib/base/span.h"

#include <string.h>
#include <strings.h>

struct span
span_of(const char *text)
{
	return (struct span){ text, text ? strlen(text) : 0 };
}

bool
span_equal(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
span_equal_nocase(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

bool
span_is(struct span s, const char *text)
{
	return span_equal(s, span_of(text));
}

bool
span_is_nocase(struct span s, const char *text)
{
	return span_equal_nocase(s, span_of(text));
}

bool
span_starts(struct span s, const char *text)
{
	struct span t = span_of(text);

	return s.n >= t.n && span_equal(span_take(s, t.n), t);
}

bool
span_starts_nocase(struct span s, const char *text)
{
	struct span t = span_of(text);

	return s.n >= t.n && span_equal_nocase(span_take(s, t.n), t);
}

bool
span_ends_nocase(struct span s, const char *text)
{
	struct span t = span_of(text);

	return s.n >= t.n && span_equal_nocase(span_skip(s, s.n - t.n), t);
}

size_t
span_find(struct span s, char c)
{
	const char *at = s.n > 0 ? memchr(s.p, c, s.n) : NULL;

	return at ? (size_t)(at - s.p) : s.n;
}

size_t
span_rfind(struct span s, char c)
{
	const char *at = s.n > 0 ? memrchr(s.p, c, s.n) : NULL;

	return at ? (size_t)(at - s.p) : s.n;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span
span_trim(struct span s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = span_skip(s, 1);
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool
span_cut(struct span *rest, const char *separators, bool skip_empty,
    struct span *part)
{
	size_t i = 0;

	while (skip_empty && rest->n > 0 && strchr(separators, rest->p[0]) &&
	    rest->p[0] != '\0')
		*rest = span_skip(*rest, 1);
	if (rest->n == 0)
		return false;
	while (i < rest->n &&
	    (rest->p[i] == '\0' || !strchr(separators, rest->p[i])))
		i++;
	*part = span_take(*rest, i);
	*rest = span_skip(*rest, i + 1);
	return true;
}

bool
span_u64(struct span s, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;

	if (s.n == 0 || s.n > 20)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned int digit = (unsigned char)s.p[i] - '0';

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (value > max)
		return false;
	*out = value;
	return true;
}

bool
span_has_break(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\0' || s.p[i] == '\r' || s.p[i] == '\n')
			return true;
	return false;
}

bool
span_has_control(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return true;
	return false;
}

bool
span_is_ascii(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}
