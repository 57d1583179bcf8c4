/* SPDX-License-Identifier: ISC */
#include "lib/table/key_format.h"

#include <string.h>

/* An address, taken apart; a domain of length 0 is none. */
struct parts {
	struct span whole;
	struct span user; /* the whole if it is no address */
	struct span domain;
};

static struct parts
part(struct span text)
{
	size_t at = span_rfind(text, '@');

	return (
	    struct parts){ text, span_take(text, at), span_skip(text, at + 1) };
}

bool
key_format_valid(const char *format, struct buf *error)
{
	for (const char *p = strchr(format, '%'); p != NULL;
	     p = strchr(p + 2, '%')) {
		if (p[1] != '\0' && strchr("%sudSUD123456789", p[1]) != NULL)
			continue;
		buf_printf(error,
		    "\"%%%.1s\" is none of %%%% %%s %%u %%d %%S %%U %%D %%1 to "
		    "%%9",
		    p + 1);
		return false;
	}
	return true;
}

/* The n-th label from the end, n from 1; empty if there is none. */
static struct span
label(struct span domain, int n)
{
	const struct span none = { domain.p, 0 };
	size_t dot;

	for (; n > 1; n--) {
		dot = span_rfind(domain, '.');
		if (dot == domain.n)
			return none;
		domain = span_take(domain, dot);
	}
	dot = span_rfind(domain, '.');
	return dot == domain.n ? domain : span_skip(domain, dot + 1);
}

static struct span
meant(char c, const struct parts *value, const struct parts *key)
{
	switch (c) {
	case 's':
		return value->whole;
	case 'u':
		return value->user;
	case 'd':
		return value->domain;
	case 'S':
		return key->whole;
	case 'U':
		return key->user;
	case 'D':
		return key->domain;
	default:
		return label(key->domain, c - '0');
	}
}

static enum key_format_result
add(struct buf *out, struct span text, key_format_quote *quote, void *with)
{
	size_t room = text.n * 4 + 1, n;
	char *to;

	if (text.n == 0 || span_find(text, '\0') < text.n)
		return KEY_UNFIT;
	if (quote == NULL)
		return buf_add_span(out, text) ? KEY_FORMATTED : KEY_LONG;
	to = buf_reserve(out, room);
	if (to == NULL)
		return KEY_LONG;
	n = quote(with, to, room, text);
	if (n == SIZE_MAX)
		return KEY_UNFIT;
	buf_added(out, n);
	return KEY_FORMATTED;
}

enum key_format_result
key_format_expand(const char *format, struct span value, const struct span *key,
    key_format_quote *quote, void *with, struct buf *out)
{
	const struct parts of_value = part(value);
	const struct parts of_key = key != NULL ? part(*key) : of_value;
	enum key_format_result r = KEY_FORMATTED;

	if (value.n == 0)
		return KEY_UNFIT;
	for (const char *p = format; *p != '\0' && r == KEY_FORMATTED; p++) {
		if (*p != '%' || p[1] == '\0')
			r = buf_add_char(out, *p) ? KEY_FORMATTED : KEY_LONG;
		else if (*++p == '%')
			r = buf_add_char(out, '%') ? KEY_FORMATTED : KEY_LONG;
		else
			r = add(out, meant(*p, &of_value, &of_key), quote,
			    with);
	}
	return r;
}
