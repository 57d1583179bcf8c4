/* SPDX-License-Identifier: ISC */
#include "lib/mail/encoded_word.h"

#include <ctype.h>
#include <string.h>

#include "lib/mail/encoded_parameter.h"
#include "lib/mail/mail_address.h"

enum {
	WORD_MAX = 75, /* RFC 2047 section 2 */
	FIELD_MAX = 512 * 1024,
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_8bit(char c)
{
	return ((unsigned char)c & 0x80) != 0;
}

/* Bytes of the character at the front of valid UTF-8. */
static size_t
character(struct span s)
{
	size_t n = 1;

	while (n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n++;
	return n;
}

static void
add_q(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == ' ')
			buf_add_char(out, '_');
		else if (isalnum(c) && c < 0x80) /* fit for phrases as well */
			buf_add_char(out, (char)c);
		else
			buf_printf(out, "=%02X", c);
	}
}

/* The text as one or more encoded words on lines of their own. */
static void
add_words(struct buf *out, struct span text)
{
	bool utf8 = mail_is_utf8(text);
	const char *open = utf8 ? "=?utf-8?Q?" : "=?unknown-8bit?Q?";
	size_t room = WORD_MAX - strlen(open) - 2;

	while (text.n > 0) {
		size_t used = 0;

		buf_add_text(out, open);
		while (text.n > 0) {
			size_t n = utf8 ? character(text) : 1;

			if (used + 3 * n > room)
				break;
			add_q(out, span_take(text, n));
			used += 3 * n;
			text = span_skip(text, n);
		}
		buf_add_text(out, "?=");
		if (text.n > 0)
			buf_add_text(out, "\r\n ");
	}
}

/*
 * Free text: from the first word with 8-bit bytes to the last one becomes
 * encoded words; blanks between them are part of it.
 */
static void
add_free_text(struct buf *out, struct span s)
{
	size_t first = 0, last = s.n;

	while (first < s.n && !is_8bit(s.p[first]))
		first++;
	if (first == s.n) {
		buf_add_span(out, s);
		return;
	}
	while (!is_8bit(s.p[last - 1]))
		last--;
	while (first > 0 && !is_blank(s.p[first - 1]))
		first--;
	while (last < s.n && !is_blank(s.p[last]))
		last++;
	buf_add_span(out, span_take(s, first));
	add_words(out, span_skip(span_take(s, last), first));
	buf_add_span(out, span_skip(s, last));
}

/* Length of "(comment)" or "\"string\"" at the front, 0 if it is open. */
static size_t
enclosed(struct span s)
{
	int depth = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\') {
			i++;
		} else if (s.p[0] == '"') {
			if (i > 0 && s.p[i] == '"')
				return i + 1;
		} else if (s.p[i] == '(') {
			depth++;
		} else if (s.p[i] == ')' && --depth == 0) {
			return i + 1;
		}
	}
	return 0;
}

static void
unquote(struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		buf_add_char(out, s.p[i]);
	}
}

static bool
add_enclosed(struct buf *out, struct span s)
{
	struct buf inner = BUF_INIT(FIELD_MAX);

	if (span_is_ascii(s)) {
		buf_add_span(out, s);
		return true;
	}
	unquote(span_skip(span_take(s, s.n - 1), 1), &inner);
	if (s.p[0] == '(') {
		buf_add_char(out, '(');
		add_words(out, buf_span(&inner));
		buf_add_char(out, ')');
	} else {
		add_words(out, buf_span(&inner));
	}
	buf_fini(&inner);
	return true;
}

/* Is what comes next not the rest of an address? */
static bool
phrase_ends(struct span rest)
{
	return rest.n == 0 || rest.p[0] != '@';
}

/*
 * Addresses: encoded words may stand for the words of a name and in
 * comments, not within the address.
 */
static bool
add_addresses(struct buf *out, struct span s)
{
	while (s.n > 0) {
		size_t n = 0;

		if (s.p[0] == '"' || s.p[0] == '(') {
			n = enclosed(s);
			if (n == 0 ||
			    (!span_is_ascii(span_take(s, n)) &&
				!phrase_ends(span_skip(s, n))) ||
			    !add_enclosed(out, span_take(s, n)))
				return false;
		} else if (s.p[0] == '<') {
			n = span_find(s, '>');
			n += n < s.n;
			if (!span_is_ascii(span_take(s, n)))
				return false;
			buf_add_span(out, span_take(s, n));
		} else {
			while (n < s.n && strchr("\"(<,;:@", s.p[n]) == NULL)
				n++;
			if (!span_is_ascii(span_take(s, n)) &&
			    !phrase_ends(span_skip(s, n)))
				return false;
			add_free_text(out, span_take(s, n));
			if (n < s.n && strchr(",;:@", s.p[n]) != NULL)
				buf_add_char(out, s.p[n++]);
		}
		s = span_skip(s, n);
	}
	return true;
}

static bool
is_addresses(const struct header_field *f)
{
	static const char *const names[] = { "From", "To", "Cc", "Bcc",
		"Sender", "Reply-To", "Resent-From", "Resent-To", "Resent-Cc",
		"Resent-Sender", "Mail-Followup-To",
		"Disposition-Notification-To" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (header_is(f, names[i]))
			return true;
	return false;
}

static bool
is_parameterised(const struct header_field *f)
{
	return header_is(f, "Content-Type") ||
	    header_is(f, "Content-Disposition");
}

/*
 * Fields made of tokens, by the RFCs that define them, or under a signature.
 * Whatever else is not a list of addresses is free text, as RFC 2047 section
 * 5 has it for all extension fields.
 */
static bool
is_structured(const struct header_field *f)
{
	static const char *const names[] = { "Received", "Return-Path", "Date",
		"Resent-Date", "Message-ID", "Resent-Message-ID", "In-Reply-To",
		"References", "MIME-Version", "Content-Transfer-Encoding",
		"Content-ID", "Content-Location", "Authentication-Results",
		"Received-SPF", "DKIM-Signature", "DomainKey-Signature" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (header_is(f, names[i]))
			return true;
	return span_starts_nocase(f->name, "List-") ||
	    span_starts_nocase(f->name, "ARC-");
}

bool
encoded_word_field(const struct header_field *field, struct buf *out)
{
	struct buf value = BUF_INIT(FIELD_MAX);
	bool ok = true;

	if (span_is_ascii(field->whole))
		return buf_add_span(out, field->whole);
	buf_add_span(out, field->name);
	buf_add_text(out, ": ");
	ok = header_unfold(field->value, &value);
	if (is_parameterised(field))
		ok = ok && encoded_parameters(buf_span(&value), out);
	else if (is_addresses(field))
		ok = ok && add_addresses(out, buf_span(&value));
	else if (is_structured(field))
		ok = false;
	else
		add_free_text(out, buf_span(&value));
	buf_add_text(out, "\r\n");
	buf_fini(&value);
	return ok && !out->overflow;
}
