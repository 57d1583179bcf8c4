/* SPDX-License-Identifier: ISC */
#include "imapd/search_plain.h"

#include <string.h>

#include "lib/mail/header.h"

enum { BLOCK = 16, ASCII_END = 0x80 };

/* As many bytes as a processor takes at once. */
typedef unsigned char bytes __attribute__((vector_size(BLOCK)));
typedef uint64_t words __attribute__((vector_size(BLOCK)));

static bool
is_ascii(struct span s)
{
	words all = { 0 };
	unsigned char rest = 0;
	size_t i;

	for (i = 0; i + BLOCK <= s.n; i += BLOCK) {
		words w;

		memcpy(&w, s.p + i, BLOCK);
		all |= w;
	}
	for (; i < s.n; i++)
		rest |= (unsigned char)s.p[i];
	return rest < ASCII_END &&
	    ((all[0] | all[1]) & 0x8080808080808080ULL) == 0;
}

bool
search_plain_bytes(struct span s)
{
	return s.n == 0 || (is_ascii(s) && memchr(s.p, '\0', s.n) == NULL);
}

bool
search_plain_value(struct span value)
{
	const char *p = value.p, *end = value.p + value.n;

	if (!search_plain_bytes(value))
		return false;
	while (p < end && (p = memchr(p, '=', (size_t)(end - p))) != NULL)
		if (++p < end && *p == '?')
			return false;
	return true;
}

/*
 * How much of it is a whole encoded word, of which "=" is not there any more:
 * what looks like the start of another one in it ("==?=") is none. On one line,
 * and not from a field's name into its value.
 */
static size_t
word_in_utf8(struct span s)
{
	const size_t named = strlen("?utf-8?"), begun = named + strlen("B?");
	struct span text = span_skip(s, begun);
	size_t n = span_find(text, '?');

	if (n + 1 >= text.n || text.p[n + 1] != '=' ||
	    strchr("BbQq", s.p[named]) == NULL || s.p[named + 1] != '?' ||
	    memchr(text.p, '\n', n) != NULL || memchr(text.p, ':', n) != NULL)
		return 0;
	return begun + n + strlen("?=");
}

/* Are its encoded words in UTF-8, all of them? */
static bool
encoded_in_utf8(struct span fields)
{
	const char *p = fields.p, *end = fields.p + fields.n;

	while (p < end && (p = memchr(p, '=', (size_t)(end - p))) != NULL) {
		struct span s;

		p++;
		s = (struct span){ p, (size_t)(end - p) };
		if (!span_starts(s, "?"))
			continue;
		if (!span_starts_nocase(s, "?utf-8?"))
			return false;
		p += word_in_utf8(s);
	}
	return true;
}

bool
search_plain_fields(struct span fields)
{
	return search_plain_bytes(fields) && encoded_in_utf8(fields);
}

/* One that changes nothing about ASCII. */
static bool
plain_parameter(struct span p)
{
	static const char *const charsets[] = { "us-ascii", "utf-8",
		"iso-8859-1", "\"us-ascii\"", "\"utf-8\"", "\"iso-8859-1\"" };

	if (span_is_nocase(p, "format=flowed"))
		return true;
	if (!span_starts_nocase(p, "charset="))
		return p.n == 0;
	p = span_skip(p, strlen("charset="));
	for (size_t i = 0; i < sizeof(charsets) / sizeof(charsets[0]); i++)
		if (span_is_nocase(p, charsets[i]))
			return true;
	return false;
}

static bool
plain_type(struct span value)
{
	struct span rest = value, type, part;

	if (!span_cut(&rest, ";", false, &type) ||
	    !span_starts_nocase(span_trim(type), "text/"))
		return false;
	while (span_cut(&rest, ";", false, &part))
		if (!plain_parameter(span_trim(part)))
			return false;
	return true;
}

static bool
plain_encoding(struct span value)
{
	value = span_trim(value);
	return span_is_nocase(value, "7bit") || span_is_nocase(value, "8bit") ||
	    span_is_nocase(value, "binary");
}

bool
search_plain_message(struct span message, struct span *fields,
    struct span *text)
{
	struct span rest = message, header = message;
	enum header_next next;
	struct header_field f;
	bool type = false, encoding = false;

	while ((next = header_next(&rest, true, &f)) == HEADER_FIELD) {
		header = rest;
		if (!span_starts_nocase(f.name, "Content-T"))
			continue;
		if (header_is(&f, "Content-Type")) {
			if (type || !plain_type(f.value))
				return false;
			type = true;
		} else if (header_is(&f, "Content-Transfer-Encoding")) {
			if (encoding || !plain_encoding(f.value))
				return false;
			encoding = true;
		}
	}
	*fields = span_take(message, (size_t)(header.p - message.p));
	*text = rest;
	return search_plain_bytes(rest);
}

static bytes
fold(bytes b)
{
	bytes small = (bytes)(b - (unsigned char)'a' < 26);
	bytes end = (bytes)(b == '\n');

	b -= small & ('a' - 'A');
	return (b & ~end) | (end & ' ');
}

static void
fold_line(struct span s, char *to)
{
	size_t i;

	for (i = 0; i + BLOCK <= s.n; i += BLOCK) {
		bytes b;

		memcpy(&b, s.p + i, BLOCK);
		b = fold(b);
		memcpy(to + i, &b, BLOCK);
	}
	if (i < s.n) {
		bytes b = { 0 };

		memcpy(&b, s.p + i, s.n - i);
		b = fold(b);
		memcpy(to + i, &b, s.n - i);
	}
}

void
search_plain_fold(struct span text, struct buf *out)
{
	char *to = buf_reserve(out, text.n), *at = to;

	if (to == NULL)
		return;
	while (text.n > 0) {
		size_t n = span_find(text, '\r');
		bool ends = n + 1 < text.n && text.p[n + 1] == '\n';

		if (n < text.n && !ends)
			n++; /* one that ends no line is text */
		fold_line(span_take(text, n), at);
		at += n;
		text = span_skip(text, n + ends);
	}
	buf_added(out, (size_t)(at - to));
}
