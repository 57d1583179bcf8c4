/* SPDX-License-Identifier: ISC */
#include "lib/imap/imap_url.h"

#include "lib/base/hex.h"

enum { URL_MAX = 8192 };

/* "%20" and the like; false for what is broken, and for NUL. */
static bool
decode(struct span text, struct buf *out)
{
	int high, low;
	size_t i;

	for (i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '%') {
			if (text.n - i < 3 ||
			    (high = hex_digit(text.p[i + 1])) < 0 ||
			    (low = hex_digit(text.p[i + 2])) < 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		}
		if (c == '\0')
			return false;
		buf_add_char(out, c);
	}
	return !out->overflow;
}

static bool
number(struct span text, uint32_t *out)
{
	uint64_t n;

	if (!span_u64(text, UINT32_MAX, &n) || n == 0)
		return false;
	*out = (uint32_t)n;
	return true;
}

/* "0.1024" or "512" */
static bool
partial(struct span text, struct imap_url *out)
{
	size_t dot = span_find(text, '.');

	out->partial = true;
	out->length = UINT64_MAX;
	if (!span_u64(span_take(text, dot), INT64_MAX, &out->offset))
		return false;
	if (dot == text.n)
		return true;
	return span_u64(span_skip(text, dot + 1), INT64_MAX, &out->length) &&
	    out->length > 0;
}

/* "UID=20", and the others; each once, in this order. */
static bool
take_field(struct span field, unsigned int *seen, struct imap_url *out)
{
	static const char *const names[] = { "UID=", "SECTION=", "PARTIAL=" };
	struct span value;
	unsigned int i;

	for (i = *seen; i < 3; i++)
		if (span_starts_nocase(field, names[i]))
			break;
	if (i == 3 || (*seen == 0 && i != 0))
		return false;
	*seen = i + 1;
	value = span_skip(field, span_find(field, '=') + 1);
	switch (i) {
	case 0:
		return number(value, &out->uid);
	case 1:
		return value.n > 0 && decode(value, &out->section);
	default:
		return partial(value, out);
	}
}

/* Where "/;" is, or the end. */
static size_t
field_end(struct span text)
{
	size_t i;

	for (i = 0; i + 1 < text.n; i++)
		if (text.p[i] == '/' && text.p[i + 1] == ';')
			return i;
	return text.n;
}

/* "Drafts;UIDVALIDITY=385759045" */
static bool
take_mailbox(struct span text, struct imap_url *out)
{
	size_t at = span_find(text, ';');
	struct span more = span_skip(text, at);

	if (at == 0 || !decode(span_take(text, at), &out->mailbox))
		return false;
	if (more.n == 0)
		return true;
	if (!span_starts_nocase(more, ";UIDVALIDITY="))
		return false;
	return number(span_skip(more, sizeof(";UIDVALIDITY=") - 1),
	    &out->uidvalidity);
}

bool
imap_url_parse(struct span text, struct imap_url *out)
{
	unsigned int seen = 0;
	size_t n;

	*out = (struct imap_url){ .mailbox = BUF_INIT(URL_MAX),
		.section = BUF_INIT(URL_MAX) };
	if (text.n > URL_MAX)
		return false;
	if (span_starts(text, "/")) {
		text = span_skip(text, 1);
		n = field_end(text);
		if (n == text.n || span_starts(text, "/") ||
		    !take_mailbox(span_take(text, n), out))
			return false;
		text = span_skip(text, n + 2);
	} else if (span_starts(text, ";")) {
		text = span_skip(text, 1);
	} else {
		return false;
	}
	while (text.n > 0) {
		n = field_end(text);
		if (!take_field(span_take(text, n), &seen, out))
			return false;
		text = span_skip(text, n + 2 < text.n ? n + 2 : text.n);
	}
	return out->uid != 0;
}

void
imap_url_fini(struct imap_url *u)
{
	buf_fini(&u->mailbox);
	buf_fini(&u->section);
}
