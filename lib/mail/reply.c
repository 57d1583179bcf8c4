/* SPDX-License-Identifier: ISC */
#include "lib/mail/reply.h"

#include <string.h>

static void
add_clean(struct buf *out, struct span text)
{
	size_t at = out->n;

	if (!buf_add_span(out, text))
		return;
	for (; at < out->n; at++) {
		unsigned char c = (unsigned char)out->p[at];

		if (c < ' ' || c == 0x7f)
			out->p[at] = '?';
	}
}

static void
add_codes(struct buf *out, int code, char behind, const char *dsn)
{
	char head[] = { (char)('0' + code / 100 % 10),
		(char)('0' + code / 10 % 10), (char)('0' + code % 10), behind };

	buf_add(out, head, sizeof(head));
	if (dsn == NULL || dsn[0] == '\0')
		return;
	buf_add_text(out, dsn);
	buf_add_char(out, ' ');
}

/* Cut so that no UTF-8 sequence is torn. */
static struct span
cut(struct span text, size_t most)
{
	if (text.n <= most)
		return text;
	while (most > 0 && ((unsigned char)text.p[most] & 0xc0) == 0x80)
		most--;
	return span_take(text, most);
}

bool
reply_format(struct buf *out, int code, const char *dsn, const char *text)
{
	struct span rest = span_of(text);
	bool last;

	do {
		size_t n = span_find(rest, '\n');
		size_t before = out->n;

		last = n == rest.n;
		add_codes(out, code, last ? ' ' : '-', dsn);
		add_clean(out,
		    cut(span_take(rest, n),
			REPLY_LINE_MAX - 2 - (out->n - before)));
		buf_add_text(out, "\r\n");
		rest = span_skip(rest, n + 1);
	} while (!last);
	return !out->overflow;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool
reply_parse_line(struct span line, struct reply_line *out)
{
	if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' ||
	    !is_digit(line.p[1]) || !is_digit(line.p[2]))
		return false;
	if (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-')
		return false;
	out->code =
	    (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + line.p[2] - '0';
	out->more = line.n > 3 && line.p[3] == '-';
	out->text = span_skip(line, 4);
	return true;
}

static size_t
word_length(struct span s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] != ' ' && s.p[n] != '\t')
		n++;
	return n;
}

static struct span
skip_word(struct span s, size_t n)
{
	s = span_skip(s, n);
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_skip(s, 1);
	return s;
}

bool
reply_take_dsn(struct span *text, char dsn[WHY_DSN_MAX])
{
	char word[WHY_DSN_MAX];
	size_t n = word_length(*text);

	if (n == 0 || n >= sizeof(word) || memchr(text->p, '\0', n) != NULL)
		return false;
	memcpy(word, text->p, n);
	word[n] = '\0';
	if (!why_dsn_valid(word))
		return false;
	memcpy(dsn, word, n + 1);
	*text = skip_word(*text, n);
	return true;
}

void
reply_take_codes(struct span *text, int *code, char dsn[WHY_DSN_MAX])
{
	uint64_t number;

	if (word_length(*text) == 3 &&
	    span_u64(span_take(*text, 3), 599, &number) && number >= 200) {
		*code = (int)number;
		*text = skip_word(*text, 3);
	}
	reply_take_dsn(text, dsn);
}
