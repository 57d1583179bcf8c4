/* SPDX-License-Identifier: ISC */
#include "lib/mail/charset.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>

#include "lib/base/mem.h"

enum form { FORM_UTF8, FORM_WINDOWS_1252, FORM_ICONV };

struct known {
	const char *name;
	enum form form;
	const char *iconv; /* its name there */
};

/*
 * What is found in mail. ISO 8859-1 is read as windows-1252, as all who show
 * mail do: its own bytes 128 to 159 are controls that nobody means.
 */
static const struct known all_known[] = {
	{ "us-ascii", FORM_UTF8, NULL },
	{ "ascii", FORM_UTF8, NULL },
	{ "utf-8", FORM_UTF8, NULL },
	{ "utf8", FORM_UTF8, NULL },
	{ "ansi_x3.4-1968", FORM_UTF8, NULL },
	{ "unknown-8bit", FORM_UTF8, NULL },
	{ "iso-8859-1", FORM_WINDOWS_1252, NULL },
	{ "iso8859-1", FORM_WINDOWS_1252, NULL },
	{ "iso_8859-1", FORM_WINDOWS_1252, NULL },
	{ "latin1", FORM_WINDOWS_1252, NULL },
	{ "latin-1", FORM_WINDOWS_1252, NULL },
	{ "windows-1252", FORM_WINDOWS_1252, NULL },
	{ "cp1252", FORM_WINDOWS_1252, NULL },
	{ "iso-8859-2", FORM_ICONV, "ISO-8859-2" },
	{ "iso-8859-3", FORM_ICONV, "ISO-8859-3" },
	{ "iso-8859-4", FORM_ICONV, "ISO-8859-4" },
	{ "iso-8859-5", FORM_ICONV, "ISO-8859-5" },
	{ "iso-8859-6", FORM_ICONV, "ISO-8859-6" },
	{ "iso-8859-7", FORM_ICONV, "ISO-8859-7" },
	{ "iso-8859-8", FORM_ICONV, "ISO-8859-8" },
	{ "iso-8859-8-i", FORM_ICONV, "ISO-8859-8" },
	{ "iso-8859-9", FORM_ICONV, "ISO-8859-9" },
	{ "iso-8859-10", FORM_ICONV, "ISO-8859-10" },
	{ "iso-8859-11", FORM_ICONV, "ISO-8859-11" },
	{ "iso-8859-13", FORM_ICONV, "ISO-8859-13" },
	{ "iso-8859-14", FORM_ICONV, "ISO-8859-14" },
	{ "iso-8859-15", FORM_ICONV, "ISO-8859-15" },
	{ "iso-8859-16", FORM_ICONV, "ISO-8859-16" },
	{ "windows-874", FORM_ICONV, "CP874" },
	{ "windows-1250", FORM_ICONV, "CP1250" },
	{ "windows-1251", FORM_ICONV, "CP1251" },
	{ "windows-1253", FORM_ICONV, "CP1253" },
	{ "windows-1254", FORM_ICONV, "CP1254" },
	{ "windows-1255", FORM_ICONV, "CP1255" },
	{ "windows-1256", FORM_ICONV, "CP1256" },
	{ "windows-1257", FORM_ICONV, "CP1257" },
	{ "windows-1258", FORM_ICONV, "CP1258" },
	{ "cp1250", FORM_ICONV, "CP1250" },
	{ "cp1251", FORM_ICONV, "CP1251" },
	{ "cp866", FORM_ICONV, "CP866" },
	{ "ibm866", FORM_ICONV, "CP866" },
	{ "cp437", FORM_ICONV, "CP437" },
	{ "cp850", FORM_ICONV, "CP850" },
	{ "cp932", FORM_ICONV, "CP932" },
	{ "koi8-r", FORM_ICONV, "KOI8-R" },
	{ "koi8-u", FORM_ICONV, "KOI8-U" },
	{ "macintosh", FORM_ICONV, "MACINTOSH" },
	{ "tis-620", FORM_ICONV, "TIS-620" },
	{ "gb2312", FORM_ICONV, "GB18030" },
	{ "gbk", FORM_ICONV, "GB18030" },
	{ "gb18030", FORM_ICONV, "GB18030" },
	{ "big5", FORM_ICONV, "BIG5" },
	{ "big5-hkscs", FORM_ICONV, "BIG5-HKSCS" },
	{ "iso-2022-jp", FORM_ICONV, "ISO-2022-JP" },
	{ "shift_jis", FORM_ICONV, "CP932" },
	{ "shift-jis", FORM_ICONV, "CP932" },
	{ "sjis", FORM_ICONV, "CP932" },
	{ "windows-31j", FORM_ICONV, "CP932" },
	{ "euc-jp", FORM_ICONV, "EUC-JP" },
	{ "euc-kr", FORM_ICONV, "CP949" },
	{ "ks_c_5601-1987", FORM_ICONV, "CP949" },
	{ "iso-2022-kr", FORM_ICONV, "ISO-2022-KR" },
	{ "euc-tw", FORM_ICONV, "EUC-TW" },
	{ "utf-7", FORM_ICONV, "UTF-7" },
	{ "utf-16", FORM_ICONV, "UTF-16" },
	{ "utf-16le", FORM_ICONV, "UTF-16LE" },
	{ "utf-16be", FORM_ICONV, "UTF-16BE" },
};

enum { HELD_MAX = 16 };

struct charset {
	enum form form;
	bool known;
	iconv_t cd;
	char held[HELD_MAX]; /* beginning of a character that was cut */
	size_t held_n;
};

static const char replacement[] = "\xef\xbf\xbd";

static const struct known *
find(struct span name)
{
	for (size_t i = 0; i < sizeof(all_known) / sizeof(all_known[0]); i++)
		if (span_is_nocase(name, all_known[i].name))
			return &all_known[i];
	return NULL;
}

bool
charset_known(struct span name)
{
	return name.n == 0 || find(name) != NULL;
}

struct charset *
charset_begin(struct span name)
{
	const struct known *k = find(name);
	struct charset *c = mem_new(sizeof(*c));

	c->known = k != NULL || name.n == 0;
	c->form = k != NULL ? k->form : FORM_UTF8;
	c->cd = (iconv_t)-1;
	if (c->form == FORM_ICONV) {
		c->cd = iconv_open("UTF-8", k->iconv);
		if (c->cd == (iconv_t)-1) {
			c->form = FORM_UTF8;
			c->known = false;
		}
	}
	return c;
}

void
charset_end(struct charset **cp)
{
	struct charset *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	if (c->cd != (iconv_t)-1)
		iconv_close(c->cd);
	free(c);
}

static size_t
ascii_length(struct span s)
{
	size_t n = 0;
	uint64_t word;

	while (n + 8 <= s.n) {
		memcpy(&word, s.p + n, 8);
		/* stops at 8-bit bytes and at NUL */
		if ((word | (word - 0x0101010101010101u)) & 0x8080808080808080u)
			break;
		n += 8;
	}
	while (n < s.n && s.p[n] > 0)
		n++;
	return n;
}

/* Adds what is there; the bytes of a character that is cut are left. */
static struct span
put_utf8(struct span s, struct buf *out)
{
	ucs4_t uc;

	while (s.n > 0) {
		size_t n = ascii_length(s);
		int length;

		buf_add_span(out, span_take(s, n));
		s = span_skip(s, n);
		if (s.n == 0)
			break;
		length = u8_mbtoucr(&uc, (const uint8_t *)s.p, s.n);
		if (length == -2)
			return s;
		if (length > 0 && uc != 0)
			buf_add(out, s.p, (size_t)length);
		else
			buf_add_text(out, replacement);
		s = span_skip(s, length > 0 ? (size_t)length : 1);
	}
	return s;
}

static void
add_point(struct buf *out, unsigned int point)
{
	if (point < 0x800) {
		buf_add_char(out, (char)(0xc0 | point >> 6));
	} else {
		buf_add_char(out, (char)(0xe0 | point >> 12));
		buf_add_char(out, (char)(0x80 | (point >> 6 & 0x3f)));
	}
	buf_add_char(out, (char)(0x80 | (point & 0x3f)));
}

static struct span
put_windows_1252(struct span s, struct buf *out)
{
	static const uint16_t high[32] = { 0x20ac, 0xfffd, 0x201a, 0x0192,
		0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039,
		0x0152, 0xfffd, 0x017d, 0xfffd, 0xfffd, 0x2018, 0x2019, 0x201c,
		0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a,
		0x0153, 0xfffd, 0x017e, 0x0178 };

	while (s.n > 0) {
		size_t n = ascii_length(s);
		unsigned char c;

		buf_add_span(out, span_take(s, n));
		s = span_skip(s, n);
		if (s.n == 0)
			break;
		c = (unsigned char)s.p[0];
		add_point(out, c == 0 ? 0xfffd : c < 0xa0 ? high[c - 0x80] : c);
		s = span_skip(s, 1);
	}
	return s;
}

/* NULs may come out of it. */
static void
add_clean(struct buf *out, const char *p, size_t n)
{
	const char *nul;

	while ((nul = memchr(p, '\0', n)) != NULL) {
		buf_add(out, p, (size_t)(nul - p));
		buf_add_text(out, replacement);
		n -= (size_t)(nul - p) + 1;
		p = nul + 1;
	}
	buf_add(out, p, n);
}

static struct span
put_iconv(struct charset *c, struct span s, struct buf *out)
{
	char text[4096];

	while (s.n > 0) {
		char *in = (char *)(uintptr_t)s.p, *to = text;
		size_t left = s.n, room = sizeof(text);
		size_t r = iconv(c->cd, &in, &left, &to, &room);

		add_clean(out, text, (size_t)(to - text));
		s = span_skip(s, s.n - left);
		if (r != (size_t)-1 || errno == E2BIG)
			continue;
		if (errno == EINVAL && s.n < HELD_MAX)
			break;
		buf_add_text(out, replacement);
		s = span_skip(s, 1);
	}
	return s;
}

static struct span
put(struct charset *c, struct span s, struct buf *out)
{
	switch (c->form) {
	case FORM_UTF8:
		return put_utf8(s, out);
	case FORM_WINDOWS_1252:
		return put_windows_1252(s, out);
	default:
		return put_iconv(c, s, out);
	}
}

void
charset_put(struct charset *c, struct span text, struct buf *out)
{
	struct span left;

	/* a character that was cut is finished byte by byte */
	while (c->held_n > 0 && text.n > 0) {
		c->held[c->held_n++] = text.p[0];
		text = span_skip(text, 1);
		left = put(c, (struct span){ c->held, c->held_n }, out);
		memmove(c->held, left.p, left.n);
		c->held_n = left.n;
		if (c->held_n == HELD_MAX)
			charset_flush(c, out);
	}
	if (text.n == 0)
		return;
	left = put(c, text, out);
	memcpy(c->held, left.p, left.n);
	c->held_n = left.n;
}

void
charset_flush(struct charset *c, struct buf *out)
{
	if (c->held_n > 0)
		buf_add_text(out, replacement);
	c->held_n = 0;
	if (c->form == FORM_ICONV)
		iconv(c->cd, NULL, NULL, NULL, NULL);
}

bool
charset_to_utf8(struct span charset, struct span text, struct buf *out)
{
	struct charset *c;
	bool known;

	if (charset.n == 0 || ascii_length(text) == text.n) {
		const struct known *k = find(charset);

		if (charset.n == 0 || (k != NULL && k->form != FORM_ICONV)) {
			if (put_utf8(text, out).n > 0)
				buf_add_text(out, replacement);
			return true;
		}
	}
	c = charset_begin(charset);
	charset_put(c, text, out);
	charset_flush(c, out);
	known = c->known;
	charset_end(&c);
	return known;
}
