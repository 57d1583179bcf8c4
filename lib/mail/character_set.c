/* SPDX-License-Identifier: ISC */
#include "lib/mail/character_set.h"

#include <string.h>

static bool
octal(char c)
{
	return c >= '0' && c <= '7';
}

/* Behind a backslash; takes it off *rest. -1: unknown. */
static int
escape(struct span *rest)
{
	static const char names[] = "abfnrtv\\", values[] = "\a\b\f\n\r\t\v\\";
	const char *at;
	int value = 0;
	size_t n = 0;

	while (n < 3 && n < rest->n && octal(rest->p[n]))
		value = value * 8 + rest->p[n++] - '0';
	if (n == 0 && rest->n > 0 && rest->p[0] != '\0' &&
	    (at = strchr(names, rest->p[0])) != NULL) {
		value = values[at - names];
		n = 1;
	}
	*rest = span_skip(*rest, n);
	return n > 0 && value < 256 ? value : -1;
}

bool
character_set_parse(struct span text, struct character_set *out)
{
	memset(out, 0, sizeof(*out));
	while (text.n > 0) {
		int c = (unsigned char)text.p[0];

		text = span_skip(text, 1);
		if (c == '\\' && (c = escape(&text)) < 0)
			return false;
		if (c != '\r' && c != '\n')
			out->any = out->has[c] = true;
	}
	return true;
}
