/* SPDX-License-Identifier: ISC */
#include "lib/mail/text_decode.h"

#include "lib/mail/charset_convert.h"

enum { CHARSET_MAX = 64, WORD_BYTES_MAX = 512 * 1024 };

struct word {
	struct span charset;
	struct span text;
	char encoding; /* 'q' or 'b' */
};

/* Encoded words that are not yet written: they may go on. */
struct joined {
	struct span charset;
	struct buf bytes;
	bool open;
};

/*
 * "=?charset*language?q?text?=" at the front: its length, 0 if that is none.
 * The text may hold blanks, against RFC 2047, since they are sent. Looks no
 * further than the next "?" of each part: linear over a whole value.
 */
static size_t
word_length(struct span s, struct word *w)
{
	size_t at = 2, n;

	if (s.n < 8 || s.p[0] != '=' || s.p[1] != '?')
		return 0;
	n = span_find(span_take(span_skip(s, at), CHARSET_MAX), '?');
	w->charset = span_take(span_skip(s, at), n);
	w->charset.n = span_find(w->charset, '*');
	at += n;
	if (n == 0 || at + 3 >= s.n || s.p[at] != '?' || s.p[at + 2] != '?')
		return 0;
	w->encoding = (char)(s.p[at + 1] | 0x20);
	if (w->encoding != 'q' && w->encoding != 'b')
		return 0;
	at += 3;
	w->text.p = s.p + at;
	w->text.n = span_find(span_skip(s, at), '?');
	at += w->text.n;
	if (at + 1 >= s.n || s.p[at + 1] != '=')
		return 0;
	return at + 2;
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
decode_q(struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '_') {
			buf_add_char(out, ' ');
		} else if (s.p[i] == '=' && i + 2 < s.n &&
		    hex(s.p[i + 1]) >= 0 && hex(s.p[i + 2]) >= 0) {
			buf_add_char(out,
			    (char)(hex(s.p[i + 1]) << 4 | hex(s.p[i + 2])));
			i += 2;
		} else {
			buf_add_char(out, s.p[i]);
		}
	}
}

static void
decode_word(const struct word *w, struct buf *out)
{
	struct text_decode d;

	if (w->encoding == 'q') {
		decode_q(w->text, out);
		return;
	}
	text_decode_begin(&d, TEXT_BASE64);
	text_decode_put(&d, w->text, out);
	text_decode_end(&d, out);
}

static void
write_joined(struct joined *j, struct buf *utf8)
{
	if (j->open)
		charset_text(charset_find(j->charset), buf_span(&j->bytes),
		    utf8);
	buf_reset(&j->bytes);
	j->open = false;
}

static void
join(struct joined *j, const struct word *w, struct buf *utf8)
{
	if (j->open && !span_equal_nocase(j->charset, w->charset))
		write_joined(j, utf8);
	j->open = true;
	j->charset = w->charset;
	decode_word(w, &j->bytes);
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Text as it is, but for the line ends of folds. */
static void
add_plain(struct span s, struct buf *utf8)
{
	while (s.n > 0) {
		size_t n = 0;

		while (n < s.n && s.p[n] != '\r' && s.p[n] != '\n')
			n++;
		charset_text(NULL, span_take(s, n), utf8);
		while (n < s.n && (s.p[n] == '\r' || s.p[n] == '\n'))
			n++;
		s = span_skip(s, n);
	}
}

/* Up to the next place where an encoded word may begin. */
static size_t
plain_length(struct span s, size_t from)
{
	while (from < s.n) {
		from += span_find(span_skip(s, from), '=');
		if (from + 1 >= s.n || s.p[from + 1] == '?')
			break;
		from++;
	}
	return from < s.n ? from : s.n;
}

void
text_decode_header(struct span value, struct buf *utf8)
{
	struct joined j = { .bytes = BUF_INIT(WORD_BYTES_MAX) };
	struct span rest = span_trim(value);
	struct word w;

	while (rest.n > 0) {
		size_t n = word_length(rest, &w), blanks;

		if (n > 0) {
			join(&j, &w, utf8);
			rest = span_skip(rest, n);
			continue;
		}
		/* blanks between two encoded words are no text */
		for (blanks = 0; blanks < rest.n && is_space(rest.p[blanks]);)
			blanks++;
		if (j.open && blanks > 0 &&
		    word_length(span_skip(rest, blanks), &w) > 0) {
			rest = span_skip(rest, blanks);
			continue;
		}
		write_joined(&j, utf8);
		n = plain_length(rest, blanks > 0 ? blanks : 1);
		add_plain(span_take(rest, n), utf8);
		rest = span_skip(rest, n);
	}
	write_joined(&j, utf8);
	buf_fini(&j.bytes);
}
