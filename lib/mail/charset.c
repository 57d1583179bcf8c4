/* SPDX-License-Identifier: ISC */
#include "lib/mail/charset.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>

#include "lib/base/mem.h"

enum charset_kind { KIND_UTF8, KIND_BYTES, KIND_SYSTEM };

enum { REPLACEMENT = 0xfffd, HALF = 128, PIECE = 4096 };

struct known {
	const char *name;
	const char *system; /* the C library's name */
	const char *aliases; /* separated by blanks */
	enum charset_kind kind;
};

/*
 * Mail says "iso-8859-1" for windows-1252, "gb2312" for its supersets, and so
 * on: the wider set reads both.
 */
static const struct known charsets[] = {
	{ "UTF-8", NULL, "utf8 unicode-1-1-utf-8", KIND_UTF8 },
	{ "US-ASCII", NULL,
	    "ascii ansi_x3.4-1968 iso646-us 646 unknown-8bit x-unknown binary",
	    KIND_UTF8 },
	{ "ISO-8859-1", "WINDOWS-1252",
	    "latin1 iso8859-1 iso_8859-1 l1 cp819 ibm819 iso88591",
	    KIND_BYTES },
	{ "ISO-8859-2", "ISO-8859-2", "latin2 iso8859-2 iso_8859-2 l2",
	    KIND_BYTES },
	{ "ISO-8859-3", "ISO-8859-3", "latin3 iso8859-3", KIND_BYTES },
	{ "ISO-8859-4", "ISO-8859-4", "latin4 iso8859-4", KIND_BYTES },
	{ "ISO-8859-5", "ISO-8859-5", "cyrillic iso8859-5", KIND_BYTES },
	{ "ISO-8859-6", "ISO-8859-6", "arabic iso8859-6 iso-8859-6-i",
	    KIND_BYTES },
	{ "ISO-8859-7", "ISO-8859-7", "greek iso8859-7", KIND_BYTES },
	{ "ISO-8859-8", "ISO-8859-8",
	    "hebrew iso8859-8 iso-8859-8-i iso-8859-8-e", KIND_BYTES },
	{ "ISO-8859-9", "WINDOWS-1254", "latin5 iso8859-9", KIND_BYTES },
	{ "ISO-8859-10", "ISO-8859-10", "latin6 iso8859-10", KIND_BYTES },
	{ "ISO-8859-11", "ISO-8859-11", "iso8859-11", KIND_BYTES },
	{ "ISO-8859-13", "ISO-8859-13", "latin7 iso8859-13", KIND_BYTES },
	{ "ISO-8859-14", "ISO-8859-14", "latin8 iso8859-14", KIND_BYTES },
	{ "ISO-8859-15", "ISO-8859-15", "latin9 iso8859-15 iso_8859-15",
	    KIND_BYTES },
	{ "ISO-8859-16", "ISO-8859-16", "latin10 iso8859-16", KIND_BYTES },
	{ "WINDOWS-1250", "WINDOWS-1250", "cp1250", KIND_BYTES },
	{ "WINDOWS-1251", "WINDOWS-1251", "cp1251", KIND_BYTES },
	{ "WINDOWS-1252", "WINDOWS-1252", "cp1252 ansi", KIND_BYTES },
	{ "WINDOWS-1253", "WINDOWS-1253", "cp1253", KIND_BYTES },
	{ "WINDOWS-1254", "WINDOWS-1254", "cp1254", KIND_BYTES },
	{ "WINDOWS-1255", "WINDOWS-1255", "cp1255", KIND_BYTES },
	{ "WINDOWS-1256", "WINDOWS-1256", "cp1256", KIND_BYTES },
	{ "WINDOWS-1257", "WINDOWS-1257", "cp1257", KIND_BYTES },
	{ "WINDOWS-1258", "WINDOWS-1258", "cp1258", KIND_BYTES },
	{ "WINDOWS-874", "CP874", "cp874 tis-620 tis620", KIND_BYTES },
	{ "KOI8-R", "KOI8-R", "koi8r koi8", KIND_BYTES },
	{ "KOI8-U", "KOI8-U", "koi8u", KIND_BYTES },
	{ "MACINTOSH", "MACINTOSH", "macroman x-mac-roman mac", KIND_BYTES },
	{ "IBM850", "IBM850", "cp850", KIND_BYTES },
	{ "IBM866", "IBM866", "cp866", KIND_BYTES },
	{ "GB18030", "GB18030", "gb2312 gbk cp936 x-gbk euc-cn gb_2312-80",
	    KIND_SYSTEM },
	{ "BIG5", "BIG5-HKSCS", "big5-hkscs cp950 x-x-big5 big-5",
	    KIND_SYSTEM },
	{ "SHIFT_JIS", "CP932",
	    "sjis shift-jis x-sjis ms_kanji cp932 windows-31j", KIND_SYSTEM },
	{ "EUC-JP", "EUC-JP", "eucjp x-euc-jp", KIND_SYSTEM },
	{ "ISO-2022-JP", "ISO-2022-JP-2",
	    "iso-2022-jp-1 iso-2022-jp-2 csiso2022jp", KIND_SYSTEM },
	{ "EUC-KR", "UHC", "euckr ks_c_5601-1987 ksc5601 cp949 korean",
	    KIND_SYSTEM },
	{ "ISO-2022-KR", "ISO-2022-KR", "csiso2022kr", KIND_SYSTEM },
	{ "ISO-2022-CN", "ISO-2022-CN", "iso-2022-cn-ext", KIND_SYSTEM },
	{ "EUC-TW", "EUC-TW", "euctw", KIND_SYSTEM },
	{ "UTF-7", "UTF-7", "utf7 unicode-1-1-utf-7", KIND_SYSTEM },
	{ "UTF-16", "UTF-16", "utf16", KIND_SYSTEM },
	{ "UTF-16LE", "UTF-16LE", "", KIND_SYSTEM },
	{ "UTF-16BE", "UTF-16BE", "ucs-2", KIND_SYSTEM },
	{ "UTF-32", "UTF-32", "utf32", KIND_SYSTEM },
};

struct charset {
	const struct known *from; /* NULL: nobody said */
	iconv_t handle; /* (iconv_t)-1: none */
	char rest[16]; /* begin of a character */
	size_t n;
};

enum { COUNT = sizeof(charsets) / sizeof(charsets[0]) };

/* What has been loaded; stays for the life of the process. */
static struct {
	bool tried;
	uint16_t *upper; /* of sets of bytes: what 0x80 to 0xff mean */
	iconv_t held; /* so that opening it again needs no file */
} loaded[COUNT];

static size_t
place(const struct known *c)
{
	return (size_t)(c - charsets);
}

/* What each byte of the upper half means. */
static void
load_table(size_t i, iconv_t handle)
{
	static uint16_t tables[COUNT][HALF];

	for (int k = 0; k < HALF; k++) {
		char byte = (char)(HALF + k), *in = &byte;
		uint16_t unit[4];
		char *out = (char *)unit;
		size_t left = 1, room = sizeof(unit);

		iconv(handle, NULL, NULL, NULL, NULL);
		if (iconv(handle, &in, &left, &out, &room) == (size_t)-1)
			tables[i][k] = REPLACEMENT;
		else
			tables[i][k] = unit[0];
		/* one that waits to be combined (windows-1258) */
		if (room == sizeof(unit)) {
			iconv(handle, NULL, NULL, &out, &room);
			tables[i][k] =
			    room < sizeof(unit) ? unit[0] : REPLACEMENT;
		}
	}
	loaded[i].upper = tables[i];
}

static void
load(size_t i)
{
	const struct known *c = &charsets[i];
	iconv_t handle;

	loaded[i].tried = true;
	loaded[i].held = (iconv_t)-1;
	if (c->kind == KIND_UTF8)
		return;
	handle =
	    iconv_open(c->kind == KIND_BYTES ? "UTF-16LE" : "UTF-8", c->system);
	if (handle == (iconv_t)-1)
		return;
	if (c->kind == KIND_SYSTEM) {
		loaded[i].held = handle;
		return;
	}
	load_table(i, handle);
	iconv_close(handle);
}

void
charset_prepare(void)
{
	for (size_t i = 0; i < COUNT; i++)
		if (!loaded[i].tried)
			load(i);
}

static bool
usable(size_t i)
{
	if (!loaded[i].tried)
		load(i);
	return charsets[i].kind == KIND_UTF8 || loaded[i].upper != NULL ||
	    loaded[i].held != (iconv_t)-1;
}

static bool
has_name(const struct known *c, struct span name)
{
	struct span rest = span_of(c->aliases), alias;

	if (span_is_nocase(name, c->name))
		return true;
	while (span_cut(&rest, " ", true, &alias))
		if (span_equal_nocase(alias, name))
			return true;
	return false;
}

static const struct known *
find(struct span name)
{
	/* mail comes in runs of one charset */
	static _Thread_local size_t last;

	if (name.n == 0)
		return NULL;
	if (has_name(&charsets[last], name))
		return &charsets[last];
	for (size_t i = 0; i < COUNT; i++)
		if (has_name(&charsets[i], name) && usable(i)) {
			last = i;
			return &charsets[i];
		}
	return NULL;
}

bool
charset_known(struct span name)
{
	return name.n == 0 || find(name) != NULL;
}

const char *const *
charset_names(void)
{
	static const char *names[COUNT + 1];
	size_t n = 0;

	for (size_t i = 0; i < COUNT; i++)
		if (usable(i))
			names[n++] = charsets[i].name;
	names[n] = NULL;
	return names;
}

static void
add_character(struct buf *out, ucs4_t c)
{
	uint8_t utf8[6];
	int n = c != 0 ? u8_uctomb(utf8, c, sizeof(utf8)) : -1;

	if (n < 0)
		n = u8_uctomb(utf8, REPLACEMENT, sizeof(utf8));
	buf_add(out, utf8, (size_t)n);
}

/* Bytes from 1 to 127 at the front, eight at a time. */
static size_t
ascii_run(struct span s)
{
	size_t i = 0;
	uint64_t word;

	for (; i + sizeof(word) <= s.n; i += sizeof(word)) {
		memcpy(&word, s.p + i, sizeof(word));
		if (((word | (word - 0x0101010101010101ULL)) &
			0x8080808080808080ULL) != 0)
			break;
	}
	while (i < s.n && (signed char)s.p[i] > 0)
		i++;
	return i;
}

static void
put_bytes(const uint16_t *upper, struct span in, struct buf *out)
{
	while (in.n > 0) {
		size_t n = ascii_run(in);

		buf_add(out, in.p, n);
		in = span_skip(in, n);
		if (in.n > 0) {
			unsigned char c = (unsigned char)in.p[0];

			add_character(out, c >= HALF ? upper[c - HALF] : 0);
			in = span_skip(in, 1);
		}
	}
}

/* What one byte means that is no UTF-8. */
static ucs4_t
odd_byte(const struct charset *c, unsigned char byte)
{
	const struct known *guess;

	if (c->from == &charsets[0] || byte < HALF)
		return REPLACEMENT;
	guess = find(SPAN("windows-1252"));
	return guess != NULL ? loaded[place(guess)].upper[byte - HALF] :
			       REPLACEMENT;
}

/* "last": an open character at the end is an error, and not kept. */
static size_t
put_utf8(const struct charset *c, struct span in, bool last, struct buf *out)
{
	size_t whole = in.n;

	while (in.n > 0) {
		size_t run = ascii_run(in);
		ucs4_t character;
		int n;

		buf_add(out, in.p, run);
		in = span_skip(in, run);
		if (in.n == 0)
			break;
		n = u8_mbtoucr(&character, (const uint8_t *)in.p, in.n);
		if (n == -2 && !last)
			break;
		if (n > 0 && character != 0) {
			buf_add(out, in.p, (size_t)n);
		} else {
			add_character(out, odd_byte(c, (unsigned char)*in.p));
			n = 1;
		}
		in = span_skip(in, (size_t)n);
	}
	return whole - in.n;
}

/* NULs may come out of it. */
static void
add_clean(struct buf *out, const char *p, size_t n)
{
	const char *nul;

	while ((nul = memchr(p, '\0', n)) != NULL) {
		buf_add(out, p, (size_t)(nul - p));
		add_character(out, REPLACEMENT);
		n -= (size_t)(nul - p) + 1;
		p = nul + 1;
	}
	buf_add(out, p, n);
}

/* How much of it was taken. */
static size_t
put_system(iconv_t handle, struct span in, struct buf *out)
{
	union {
		const char *from;
		char *iconv_wants;
	} at = { in.p };
	size_t left = in.n;

	while (left > 0) {
		char piece[PIECE], *to = piece;
		size_t room = sizeof(piece);
		size_t r = iconv(handle, &at.iconv_wants, &left, &to, &room);
		int error = errno;

		add_clean(out, piece, sizeof(piece) - room);
		if (r != (size_t)-1 || error == E2BIG)
			continue;
		if (error == EINVAL)
			break;
		add_character(out, REPLACEMENT);
		at.from++;
		left--;
	}
	return in.n - left;
}

static void
begin(struct charset *c, struct span name)
{
	*c = (struct charset){ .from = find(name), .handle = (iconv_t)-1 };
	if (c->from != NULL && c->from->kind == KIND_SYSTEM)
		c->handle = iconv_open("UTF-8", c->from->system);
	if (c->from != NULL && c->from->kind == KIND_SYSTEM &&
	    c->handle == (iconv_t)-1)
		c->from = NULL;
}

struct charset *
charset_begin(struct span name)
{
	struct charset *c = mem_new(sizeof(*c));

	begin(c, name);
	return c;
}

static size_t
put(struct charset *c, struct span in, bool last, struct buf *out)
{
	if (c->handle != (iconv_t)-1)
		return put_system(c->handle, in, out);
	return put_utf8(c, in, last, out);
}

/* Ends the character whose begin was kept; how much of "in" was taken. */
static size_t
finish_character(struct charset *c, struct span in, struct buf *out)
{
	size_t before = c->n, taken;
	size_t n =
	    in.n < sizeof(c->rest) - before ? in.n : sizeof(c->rest) - before;

	memcpy(c->rest + before, in.p, n);
	taken = put(c, (struct span){ c->rest, before + n }, false, out);
	if (taken <= before) { /* still open, or an end within what was kept */
		c->n = before + n - taken;
		memmove(c->rest, c->rest + taken, c->n);
		if (c->n == sizeof(c->rest)) /* no character is so long */
			c->n = 0;
		return n;
	}
	c->n = 0;
	return taken - before;
}

void
charset_put(struct charset *c, struct span text, struct buf *utf8)
{
	size_t taken;

	if (c->from != NULL && c->from->kind == KIND_BYTES) {
		put_bytes(loaded[place(c->from)].upper, text, utf8);
		return;
	}
	while (c->n > 0 && text.n > 0)
		text = span_skip(text, finish_character(c, text, utf8));
	taken = put(c, text, false, utf8);
	text = span_skip(text, taken);
	if (text.n > 0 && text.n < sizeof(c->rest)) {
		memcpy(c->rest, text.p, text.n);
		c->n = text.n;
	}
}

void
charset_flush(struct charset *c, struct buf *utf8)
{
	if (c->n > 0 && c->handle == (iconv_t)-1)
		put_utf8(c, (struct span){ c->rest, c->n }, true, utf8);
	else if (c->n > 0)
		add_character(utf8, REPLACEMENT);
	c->n = 0;
	if (c->handle != (iconv_t)-1)
		iconv(c->handle, NULL, NULL, NULL, NULL);
}

static void
end(struct charset *c)
{
	if (c->handle != (iconv_t)-1)
		iconv_close(c->handle);
}

void
charset_end(struct charset **cp)
{
	if (*cp == NULL)
		return;
	end(*cp);
	free(*cp);
	*cp = NULL;
}

bool
charset_to_utf8(struct span name, struct span text, struct buf *utf8)
{
	struct charset c;
	bool known;

	if (name.n == 0 && ascii_run(text) == text.n) {
		buf_add_span(utf8, text);
		return true;
	}
	begin(&c, name);
	known = c.from != NULL || name.n == 0;
	charset_put(&c, text, utf8);
	charset_flush(&c, utf8);
	end(&c);
	return known;
}
