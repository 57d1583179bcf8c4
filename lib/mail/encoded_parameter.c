/* SPDX-License-Identifier: ISC */
#include "lib/mail/encoded_parameter.h"

#include <string.h>

#include "lib/mail/mail_address.h"

enum {
	LINE_AIM = 76,
	NAME_MAX_LENGTH = 32, /* so that a line has room for a value */
	VALUE_MAX = 512 * 1024,
};

/* Bytes up to the next ";" that is not within quotes. */
static size_t
parameter_length(struct span s)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < s.n && (quoted || s.p[i] != ';'); i++) {
		if (s.p[i] == '"')
			quoted = !quoted;
		else if (quoted && s.p[i] == '\\' && i + 1 < s.n)
			i++;
	}
	return i;
}

/* RFC 2231 section 7, attribute-char; fewer than there could be. */
static bool
is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z') || c == '.' || c == '-' || c == '_';
}

static size_t
encoded_length(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += is_plain(s.p[i]) ? 1 : 3;
	return n;
}

/* As much of *value as a line has room for. */
static void
add_line(struct buf *out, struct span *value, size_t room)
{
	size_t n;

	for (; value->n > 0; *value = span_skip(*value, 1)) {
		n = is_plain(value->p[0]) ? 1 : 3;
		if (n > room)
			break;
		room -= n;
		if (n == 1)
			buf_add_char(out, value->p[0]);
		else
			buf_printf(out, "%%%02X", (unsigned char)value->p[0]);
	}
}

static void
add_encoded(struct buf *out, struct span name, struct span value)
{
	const char *charset = mail_is_utf8(value) ? "utf-8" : "unknown-8bit";
	size_t room = LINE_AIM - name.n - strlen(" *000*=''unknown-8bit;");
	bool one = encoded_length(value) <= room;

	for (unsigned int i = 0; value.n > 0; i++) {
		buf_add_text(out, ";\r\n ");
		buf_add_span(out, name);
		if (!one)
			buf_printf(out, "*%u", i);
		buf_add_text(out, "*=");
		if (i == 0)
			buf_printf(out, "%s''", charset);
		add_line(out, &value, room);
	}
}

/* The bytes between quotes. False unless that is all there is. */
static bool
unquote(struct span s, struct buf *out)
{
	size_t i;

	for (i = 1; i < s.n && s.p[i] != '"'; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		buf_add_char(out, s.p[i]);
	}
	return i + 1 == s.n;
}

static bool
is_name(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f ||
		    strchr("()<>@,;:\\\"/[]?=*'%", s.p[i]) != NULL)
			return false;
	return s.n > 0 && s.n <= NAME_MAX_LENGTH;
}

/* One parameter that has 8-bit bytes. */
static bool
encode(struct span parameter, struct buf *out)
{
	size_t equal = span_find(parameter, '=');
	struct span name = span_trim(span_take(parameter, equal));
	struct span value = span_trim(span_skip(parameter, equal + 1));
	struct buf inner = BUF_INIT(VALUE_MAX);
	bool ok = is_name(name) && !span_is_nocase(name, "boundary");

	if (ok && value.n > 0 && value.p[0] == '"') {
		ok = unquote(value, &inner);
		value = buf_span(&inner);
	}
	if (ok)
		add_encoded(out, name, value);
	buf_fini(&inner);
	return ok;
}

bool
encoded_parameters(struct span value, struct buf *out)
{
	size_t n = parameter_length(value);
	struct span parameter;

	if (!span_is_ascii(span_take(value, n)))
		return false;
	buf_add_span(out, span_take(value, n));
	while (n < value.n) {
		value = span_skip(value, n + 1);
		n = parameter_length(value);
		parameter = span_take(value, n);
		if (span_is_ascii(parameter)) {
			buf_add_char(out, ';');
			buf_add_span(out, parameter);
		} else if (!encode(parameter, out)) {
			return false;
		}
	}
	return true;
}
