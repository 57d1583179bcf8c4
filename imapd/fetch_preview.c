/* SPDX-License-Identifier: ISC */
/*
 * PREVIEW (RFC 8970): the first words of the first text that is shown. Only
 * the beginning of the message is looked at.
 *
 * SECURITY: reads HTML of strangers. Tags are only skipped, entities looked
 * up in a small table; memory and time go with PREVIEW_SOURCE.
 */
#include "imapd/fetch.h"

#include <string.h>

#include "lib/mail/charset.h"
#include "lib/mail/mime_decode.h"

enum {
	PREVIEW_CHARACTERS = 200, /* section 3.1 */
	PREVIEW_SOURCE = 16384, /* bytes of a part that are looked at */
	ENTITY_MAX = 10,
};

static const struct {
	const char *name, *text;
} entities[] = {
	{ "amp", "&" },
	{ "lt", "<" },
	{ "gt", ">" },
	{ "quot", "\"" },
	{ "apos", "'" },
	{ "nbsp", " " },
	{ "shy", "" },
	{ "zwnj", "" },
	{ "zwj", "" },
	{ "copy", "\xc2\xa9" },
	{ "reg", "\xc2\xae" },
	{ "euro", "\xe2\x82\xac" },
	{ "hellip", "\xe2\x80\xa6" },
	{ "mdash", "\xe2\x80\x94" },
	{ "ndash", "\xe2\x80\x93" },
	{ "lsquo", "\xe2\x80\x98" },
	{ "rsquo", "\xe2\x80\x99" },
	{ "ldquo", "\xe2\x80\x9c" },
	{ "rdquo", "\xe2\x80\x9d" },
	{ "auml", "\xc3\xa4" },
	{ "ouml", "\xc3\xb6" },
	{ "uuml", "\xc3\xbc" },
	{ "Auml", "\xc3\x84" },
	{ "Ouml", "\xc3\x96" },
	{ "Uuml", "\xc3\x9c" },
	{ "szlig", "\xc3\x9f" },
	{ "eacute", "\xc3\xa9" },
	{ "egrave", "\xc3\xa8" },
};

static void
add_character(struct buf *out, uint32_t c)
{
	if (c < 0x20 || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff ||
	    (c >= 0x7f && c < 0xa0)) {
		buf_add_char(out, ' ');
	} else if (c < 0x80) {
		buf_add_char(out, (char)c);
	} else if (c < 0x800) {
		buf_add_char(out, (char)(0xc0 | c >> 6));
		buf_add_char(out, (char)(0x80 | (c & 0x3f)));
	} else {
		if (c < 0x10000) {
			buf_add_char(out, (char)(0xe0 | c >> 12));
		} else {
			buf_add_char(out, (char)(0xf0 | c >> 18));
			buf_add_char(out, (char)(0x80 | (c >> 12 & 0x3f)));
		}
		buf_add_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_add_char(out, (char)(0x80 | (c & 0x3f)));
	}
}

/* "#65", "#x41" */
static bool
numeric(struct span name, uint32_t *out)
{
	uint32_t n = 0;
	bool hex = name.n > 1 && (name.p[1] | 0x20) == 'x';

	name = span_skip(name, hex ? 2 : 1);
	if (name.n == 0 || name.n > 7)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i] | 0x20;

		if (name.p[i] >= '0' && name.p[i] <= '9')
			n = n * (hex ? 16 : 10) + (uint32_t)(name.p[i] - '0');
		else if (hex && c >= 'a' && c <= 'f')
			n = n * 16 + (uint32_t)(c - 'a') + 10;
		else
			return false;
	}
	*out = n;
	return true;
}

/* "&name;" at the front; how many bytes it is. */
static size_t
take_entity(struct span s, struct buf *out)
{
	size_t n = span_find(span_take(s, ENTITY_MAX), ';');
	struct span name = span_skip(span_take(s, n), 1);
	uint32_t c;

	if (n >= s.n || s.p[n] != ';' || name.n == 0) {
		buf_add_char(out, '&');
		return 1;
	}
	if (name.p[0] == '#' && numeric(name, &c)) {
		add_character(out, c);
		return n + 1;
	}
	for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++)
		if (span_is(name, entities[i].name)) {
			buf_add_text(out, entities[i].text);
			return n + 1;
		}
	buf_add_char(out, '&');
	return 1;
}

/* Bytes up to and with the text, or all there is. */
static size_t
up_to(struct span s, const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i + n <= s.n; i++)
		if (s.p[i] == text[0] &&
		    span_starts_nocase(span_skip(s, i), text))
			return i + n;
	return s.n;
}

/* A tag, and all that nobody sees, at the front. */
static size_t
skip_tag(struct span s)
{
	static const struct {
		const char *open, *close;
	} unseen[] = {
		{ "<!--", "-->" },
		{ "<style", "</style" },
		{ "<script", "</script" },
		{ "<head>", "</head" },
		{ "<title", "</title" },
	};
	size_t n = 0;
	char quote = '\0';

	for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++)
		if (span_starts_nocase(s, unseen[i].open)) {
			n = up_to(s, unseen[i].close);
			if (i == 0)
				return n;
			break;
		}
	for (; n < s.n; n++) {
		if (quote != '\0')
			quote = s.p[n] == quote ? '\0' : quote;
		else if (s.p[n] == '>')
			return n + 1;
		else if ((s.p[n] == '"' || s.p[n] == '\'') && n > 0 &&
		    s.p[n - 1] == '=')
			quote = s.p[n];
	}
	return n;
}

static void
strip_html(struct span s, struct buf *out)
{
	while (s.n > 0) {
		size_t n = 1;
		bool tag = s.p[0] == '<' && s.n > 1 &&
		    (s.p[1] == '/' || s.p[1] == '!' || s.p[1] == '?' ||
			((s.p[1] | 0x20) >= 'a' && (s.p[1] | 0x20) <= 'z'));

		if (tag) {
			n = skip_tag(s);
			buf_add_char(out, ' ');
		} else if (s.p[0] == '&') {
			n = take_entity(s, out);
		} else {
			buf_add_char(out, s.p[0]);
		}
		s = span_skip(s, n);
	}
}

/* Runs of blanks become one; characters are counted. */
static void
add_words(struct span s, struct buf *out)
{
	size_t count = 0;
	bool blank = false;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		/* U+00A0 is a blank as well */
		if (c == 0xc2 && i + 1 < s.n && s.p[i + 1] == '\xa0') {
			blank = true;
			i++;
			continue;
		}
		if (c <= ' ' || c == 0x7f) {
			blank = true;
			continue;
		}
		if ((c & 0xc0) != 0x80) {
			count += 1 + (blank && out->n > 0);
			if (count > PREVIEW_CHARACTERS)
				return;
		}
		if (blank && out->n > 0)
			buf_add_char(out, ' ');
		blank = false;
		buf_add_char(out, (char)c);
	}
}

static bool
is_shown(const struct mime_part *p)
{
	return span_is(p->type, "text") &&
	    (p->disposition.p == NULL ||
		!span_is_nocase(p->disposition, "attachment"));
}

/* The first one there is, in the order in which they lie. */
static const struct mime_part *
next_shown(const struct mime_part *p)
{
	while (p != NULL) {
		if (p->children != NULL) {
			p = p->children;
		} else {
			while (p != NULL && p->next == NULL)
				p = p->parent;
			p = p != NULL ? p->next : NULL;
		}
		if (p != NULL && !p->multipart && !p->message && is_shown(p))
			return p;
	}
	return NULL;
}

static void
add_part(const struct mime_part *p, struct span source, struct buf *out)
{
	struct buf decoded = BUF_INIT(2 * PREVIEW_SOURCE);
	struct buf text = BUF_INIT(4 * PREVIEW_SOURCE);
	struct buf plain = BUF_INIT(8 * PREVIEW_SOURCE);
	struct mime_decoder d;

	mime_decoder_init(&d, mime_decoding(p->encoding));
	if (d.decoding != DECODE_UNKNOWN) {
		mime_decoder_put(&d, source, &decoded);
		mime_decoder_end(&d, &decoded);
	}
	charset_to_utf8(mime_part_parameter(p, "charset"), buf_span(&decoded),
	    &text);
	if (span_is(p->subtype, "html")) {
		strip_html(buf_span(&text), &plain);
		add_words(buf_span(&plain), out);
	} else {
		add_words(buf_span(&text), out);
	}
	buf_fini(&decoded);
	buf_fini(&text);
	buf_fini(&plain);
}

/* The message up to there, as a tree of its own. */
static struct mime_tree *
beginning(struct span text)
{
	struct mime_tree_builder *b = mime_tree_begin();

	mime_tree_put(b, text);
	return mime_tree_end(&b);
}

enum mail_result
fetch_preview(struct fetch_message *m, struct buf *out)
{
	enum mail_result result = fetch_open(m);
	struct span text = { m->window, m->window_n };
	const struct mime_part *p;
	struct mime_tree *t;

	if (result != MAIL_OK)
		return result;
	t = beginning(text);
	p = mime_tree_root(t);
	if (p->children != NULL || !is_shown(p))
		p = next_shown(p);
	for (; p != NULL && out->n == 0; p = next_shown(p))
		add_part(p,
		    span_take(span_take(span_skip(text, (size_t)p->body_at),
				  (size_t)p->body_size),
			PREVIEW_SOURCE),
		    out);
	mime_tree_free(&t);
	return MAIL_OK;
}
