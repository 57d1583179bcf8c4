/* SPDX-License-Identifier: ISC */
#include "lib/mail/header.h"

enum { ENVELOPE_LINE_MAX = 1000 };

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Bytes of the field's name, 0 if this begins no field. */
static size_t
name_length(struct span line, size_t *colon)
{
	size_t n = 0;
	size_t i;

	while (n < line.n && line.p[n] > ' ' && line.p[n] < 0x7f &&
	    line.p[n] != ':')
		n++;
	for (i = n; i < line.n && is_blank(line.p[i]); i++)
		continue;
	if (i == line.n || line.p[i] != ':')
		return 0;
	*colon = i;
	return n;
}

/*
 * Length of the field with its continuation lines, the first line of which
 * ends at "lf"; 0 if the end is not yet to be seen.
 */
static size_t
field_length(struct span in, size_t lf, bool last)
{
	size_t at = lf + 1;

	while (at < in.n && is_blank(in.p[at]))
		at += span_find(span_skip(in, at), '\n') + 1;
	if (at < in.n)
		return at;
	return last ? in.n : 0;
}

static struct span
without_line_end(struct span s)
{
	if (s.n > 0 && s.p[s.n - 1] == '\n') {
		s.n--;
		if (s.n > 0 && s.p[s.n - 1] == '\r')
			s.n--;
	}
	return s;
}

enum header_next
header_next(struct span *rest, bool last, struct header_field *field)
{
	size_t lf = span_find(*rest, '\n');
	struct span line = without_line_end(span_take(*rest, lf + 1));
	size_t name, colon, n;

	if (lf == rest->n && !last)
		return HEADER_MORE;
	if (line.n == 0) {
		*rest = span_skip(*rest, lf + 1);
		return HEADER_BODY;
	}
	name = name_length(line, &colon);
	if (name == 0)
		return HEADER_BROKEN;
	n = field_length(*rest, lf, last);
	if (n == 0)
		return HEADER_MORE;
	field->whole = span_take(*rest, n);
	field->name = span_take(*rest, name);
	field->value = span_skip(without_line_end(field->whole), colon + 1);
	*rest = span_skip(*rest, n);
	return HEADER_FIELD;
}

bool
header_skip_envelope(struct span *message, bool last)
{
	struct span line = span_take(*message, ENVELOPE_LINE_MAX);
	struct span text = span_skip(line, span_starts(line, ">"));
	struct span from = SPAN("From "), start = span_take(text, from.n);
	size_t lf = span_find(line, '\n'), colon;

	if (!span_equal(start, span_take(from, start.n)))
		return true;
	if (start.n < from.n)
		return last;
	if (lf == line.n)
		return last || line.n == ENVELOPE_LINE_MAX;
	/* "From : somebody" is a field, of the obsolete form */
	if (name_length(span_take(line, lf), &colon) == 0)
		*message = span_skip(*message, lf + 1);
	return true;
}

bool
header_is(const struct header_field *field, const char *name)
{
	return span_is_nocase(field->name, name);
}

bool
header_unfold(struct span value, struct buf *out)
{
	struct span part;

	value = span_trim(value);
	while (value.n > 0) {
		size_t lf = span_find(value, '\n');

		part = without_line_end(span_take(value, lf + 1));
		if (!buf_add_span(out, part))
			return false;
		value = span_skip(value, lf + 1);
	}
	return true;
}

bool
header_find(struct span message, const char *name, struct span *value)
{
	struct header_field field;

	while (header_next(&message, true, &field) == HEADER_FIELD)
		if (header_is(&field, name)) {
			*value = field.value;
			return true;
		}
	return false;
}
