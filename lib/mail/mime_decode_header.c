/* SPDX-License-Identifier: ISC */
/*
 * Encoded words (RFC 2047): "=?charset?B?...?=". Words side by side in the
 * same charset are joined before they are converted, for those who cut
 * characters in two.
 */
#include "lib/mail/mime_decode.h"

#include <string.h>

#include "lib/base/hex.h"
#include "lib/mail/charset.h"
#include "lib/mail/header.h"

enum { WORDS_MAX = 512 * 1024 };

struct word {
	struct span whole, charset, text;
	bool base64;
};

/* One at the front? RFC 2231 section 5 allows a language behind "*". */
static bool
take_word(struct span s, struct word *w)
{
	struct span rest = span_skip(s, 2);
	size_t n = span_find(rest, '?'), end;

	if (!span_starts(s, "=?") || n + 3 >= rest.n || rest.p[n + 2] != '?')
		return false;
	w->charset = span_take(rest, n);
	w->charset = span_take(w->charset, span_find(w->charset, '*'));
	w->base64 = (rest.p[n + 1] | 0x20) == 'b';
	if (!w->base64 && (rest.p[n + 1] | 0x20) != 'q')
		return false;
	rest = span_skip(rest, n + 3);
	end = span_find(rest, '?');
	if (end + 1 >= rest.n || rest.p[end + 1] != '=')
		return false;
	w->text = span_take(rest, end);
	w->whole = span_take(s, (size_t)(w->text.p + end + 2 - s.p));
	return memchr(w->charset.p, ' ', w->charset.n) == NULL;
}

static void
add_decoded(const struct word *w, struct buf *out)
{
	struct mime_decoder d;
	struct span s = w->text;

	if (w->base64) {
		mime_decoder_init(&d, DECODE_BASE64);
		mime_decoder_put(&d, s, out);
		mime_decoder_end(&d, out);
		return;
	}
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '=' && i + 2 < s.n &&
		    hex_digit(s.p[i + 1]) >= 0 && hex_digit(s.p[i + 2]) >= 0) {
			buf_add_char(out,
			    (char)(hex_digit(s.p[i + 1]) * 16 +
				hex_digit(s.p[i + 2])));
			i += 2;
		} else {
			buf_add_char(out, s.p[i] == '_' ? ' ' : s.p[i]);
		}
	}
}

/* Words with nothing but blanks between them; gives what is behind them. */
static struct span
put_words(struct span s, struct word w, struct buf *bytes, struct buf *out)
{
	struct span charset = w.charset, ahead;

	buf_reset(bytes);
	for (;;) {
		add_decoded(&w, bytes);
		s = span_skip(s, w.whole.n);
		ahead = s;
		while (ahead.n > 0 && (ahead.p[0] == ' ' || ahead.p[0] == '\t'))
			ahead = span_skip(ahead, 1);
		if (!take_word(ahead, &w))
			break;
		s = ahead; /* the blanks between two do not count */
		if (!span_equal_nocase(w.charset, charset)) {
			charset_to_utf8(charset, buf_span(bytes), out);
			buf_reset(bytes);
			charset = w.charset;
		}
	}
	charset_to_utf8(charset, buf_span(bytes), out);
	return s;
}

void
mime_decode_header(struct span value, struct buf *out)
{
	struct buf flat = BUF_INIT(WORDS_MAX), bytes = BUF_INIT(WORDS_MAX);
	struct span s;
	struct word w;

	header_unfold(value, &flat);
	s = buf_span(&flat);
	while (s.n > 0) {
		const char *at = memmem(s.p, s.n, "=?", 2);
		size_t n = at == NULL ? s.n : (size_t)(at - s.p);

		charset_to_utf8(SPAN(""), span_take(s, n), out);
		s = span_skip(s, n);
		if (s.n == 0)
			break;
		if (take_word(s, &w)) {
			s = put_words(s, w, &bytes, out);
		} else {
			buf_add_text(out, "=?");
			s = span_skip(s, 2);
		}
	}
	buf_fini(&flat);
	buf_fini(&bytes);
}
