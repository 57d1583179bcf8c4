/* SPDX-License-Identifier: ISC */
#include "lib/store/folder_name.h"

#include <stdlib.h>
#include <string.h>
#include <uninorm.h>
#include <unistr.h>

#include "lib/base/hex.h"
#include "lib/base/mem.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstu"
			     "vwxyz0123456789+,";

/* The next character; false at the end, or where there is none. */
static bool
next_character(struct span *rest, ucs4_t *c)
{
	int n = rest->n == 0 ? -1 :
			       u8_mbtoucr(c, (const uint8_t *)rest->p, rest->n);

	if (n <= 0)
		return false;
	*rest = span_skip(*rest, (size_t)n);
	return true;
}

static bool
is_control(ucs4_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 ||
	    c == 0x2029;
}

/* Can it be shown, and be a level or a name? */
static bool
is_text(struct span s)
{
	ucs4_t c;

	while (s.n > 0)
		if (!next_character(&s, &c) || is_control(c))
			return false;
	return true;
}

static bool
is_level(struct span level)
{
	return level.n > 0 && !span_is(level, ".") && !span_is(level, "..") &&
	    is_text(level);
}

/* Bits that wait to be written six by six. */
struct bits {
	uint32_t value;
	unsigned int count;
};

static void
add_bits(struct bits *b, uint32_t unit, struct buf *out)
{
	b->value = (b->value << 16 | unit) & 0x3fffff;
	b->count += 16;
	while (b->count >= 6) {
		b->count -= 6;
		buf_add_char(out, digits[b->value >> b->count & 63]);
	}
}

static void
add_utf16(struct bits *b, ucs4_t c, struct buf *out)
{
	if (c < 0x10000) {
		add_bits(b, c, out);
		return;
	}
	add_bits(b, 0xd800 + ((c - 0x10000) >> 10), out);
	add_bits(b, 0xdc00 + ((c - 0x10000) & 0x3ff), out);
}

bool
folder_name_to_utf7(struct span utf8, struct buf *out)
{
	struct bits bits = { 0 };
	bool shifted = false;
	ucs4_t c;

	while (utf8.n > 0) {
		bool direct;

		if (!next_character(&utf8, &c))
			return false;
		direct = c >= 0x20 && c < 0x7f;
		if (shifted && direct) {
			if (bits.count > 0)
				buf_add_char(out,
				    digits[bits.value << (6 - bits.count) &
					63]);
			buf_add_char(out, '-');
			bits = (struct bits){ 0 };
		} else if (!shifted && !direct) {
			buf_add_char(out, '&');
		}
		shifted = !direct;
		if (!direct)
			add_utf16(&bits, c, out);
		else if (c == '&')
			buf_add_text(out, "&-");
		else
			buf_add_char(out, (char)c);
	}
	if (shifted && bits.count > 0)
		buf_add_char(out, digits[bits.value << (6 - bits.count) & 63]);
	if (shifted)
		buf_add_char(out, '-');
	return !out->overflow;
}

static bool
add_character(struct buf *out, ucs4_t c)
{
	uint8_t text[6];
	int n = u8_uctomb(text, c, sizeof(text));

	return n > 0 && buf_add(out, text, (size_t)n);
}

/* What stands between '&' and '-'. */
static bool
from_base64(struct span run, struct buf *out)
{
	uint32_t value = 0, high = 0;
	unsigned int count = 0;

	for (size_t i = 0; i < run.n; i++) {
		const char *digit = memchr(digits, run.p[i], 64);
		uint32_t unit;

		if (digit == NULL)
			return false;
		value = (value << 6 | (uint32_t)(digit - digits)) & 0x3fffff;
		count += 6;
		if (count < 16)
			continue;
		count -= 16;
		unit = value >> count & 0xffff;
		if (high == 0 && (unit & 0xfc00) == 0xd800) {
			high = unit;
			continue;
		}
		if (high != 0 && (unit & 0xfc00) != 0xdc00)
			return false;
		if (high != 0)
			unit =
			    0x10000 + ((high & 0x3ff) << 10) + (unit & 0x3ff);
		high = 0;
		if (!add_character(out, unit))
			return false;
	}
	return high == 0;
}

static bool
decode_utf7(struct span utf7, struct buf *out)
{
	while (utf7.n > 0) {
		char c = utf7.p[0];
		size_t end;

		utf7 = span_skip(utf7, 1);
		if (c < 0x20 || c > 0x7e)
			return false;
		if (c != '&') {
			buf_add_char(out, c);
			continue;
		}
		end = span_find(utf7, '-');
		if (end == utf7.n)
			return false;
		if (end == 0)
			buf_add_char(out, '&');
		else if (!from_base64(span_take(utf7, end), out))
			return false;
		utf7 = span_skip(utf7, end + 1);
	}
	return !out->overflow;
}

bool
folder_name_from_utf7(struct span utf7, struct buf *out)
{
	struct buf text = BUF_INIT(FOLDER_PATH_MAX);
	struct buf again = BUF_INIT(FOLDER_PATH_MAX);
	bool good = decode_utf7(utf7, &text) &&
	    folder_name_to_utf7(buf_span(&text), &again) &&
	    span_equal(buf_span(&again), utf7) &&
	    buf_add_span(out, buf_span(&text));

	buf_fini(&text);
	buf_fini(&again);
	return good;
}

/* Levels and limits. */
static bool
check(const struct folder_naming *n, struct span name, struct buf *out)
{
	const char separator[2] = { n->separator, '\0' };
	struct span rest = name, level;
	size_t levels = 0;

	while (span_cut(&rest, separator, false, &level)) {
		if (!is_level(level) || ++levels > FOLDER_LEVELS_MAX)
			return false;
		if (levels == 1 && span_is_nocase(level, "INBOX"))
			level = SPAN("INBOX");
		if (levels > 1)
			buf_add_char(out, n->separator);
		buf_add_span(out, level);
	}
	return levels > 0 && !out->overflow && out->n <= FOLDER_NAME_MAX;
}

bool
folder_name_check(const struct folder_naming *n, struct span name,
    struct buf *out)
{
	buf_reset(out);
	if (name.n > 0 && name.p[name.n - 1] == n->separator)
		name.n--;
	/* span_cut sees no empty level at the very end */
	if (name.n == 0 || name.p[name.n - 1] == n->separator)
		return false;
	return check(n, name, out);
}

bool
folder_name_clean(const struct folder_naming *n, struct span name,
    struct buf *out)
{
	uint8_t *normal;
	size_t length;
	bool good;

	if (span_is_ascii(name))
		return folder_name_check(n, name, out);
	buf_reset(out);
	if (name.n > FOLDER_NAME_MAX || !is_text(name))
		return false;
	normal = u8_normalize(UNINORM_NFC, (const uint8_t *)name.p, name.n,
	    NULL, &length);
	if (normal == NULL)
		return false;
	good =
	    folder_name_check(n, (struct span){ (char *)normal, length }, out);
	free(normal);
	return good;
}

static bool
is_maildir_part(struct span level)
{
	return span_is(level, "cur") || span_is(level, "new") ||
	    span_is(level, "tmp");
}

/* A file or directory that a mailbox has for itself. */
static bool
is_reserved(struct span level)
{
	static const char *const names[] = { "subscriptions", "maildirfolder",
		"maildirsize" };
	static const char *const starts[] = { "dovecot.", "dovecot-",
		"posthaste.", "posthaste-", "courier" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (span_is(level, names[i]))
			return true;
	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++)
		if (span_starts(level, starts[i]))
			return true;
	return is_maildir_part(level);
}

/* A backslash, two digits, and what they stand for is ASCII. */
static bool
is_escape(struct span s, char *c)
{
	int high, low;

	if (s.n < 3 || s.p[0] != '\\' || (high = hex_lower_digit(s.p[1])) < 0 ||
	    (low = hex_lower_digit(s.p[2])) < 0)
		return false;
	if (high < 2 || high > 7)
		return false;
	*c = (char)(high << 4 | low);
	return true;
}

static bool
must_escape(const struct folder_naming *n, struct span level, size_t i,
    size_t number, enum folder_form form)
{
	char c = level.p[i], ignored;

	if (c == '/' || (c == '.' && (!n->fs || i == 0)))
		return true;
	if (c == '~' && i == 0 && number == 0)
		return true;
	if (c == '\\')
		return form == FOLDER_FORM_ESCAPED ||
		    is_escape(span_skip(level, i), &ignored);
	if (n->mbox)
		return i + 5 == level.n &&
		    span_is(span_skip(level, i), ".lock");
	return i == 0 && n->fs && is_reserved(level);
}

static void
escape_level(const struct folder_naming *n, struct span level, size_t number,
    enum folder_form form, struct buf *out)
{
	for (size_t i = 0; i < level.n; i++)
		if (must_escape(n, level, i, number, form))
			buf_printf(out, "\\%02x", (unsigned char)level.p[i]);
		else
			buf_add_char(out, level.p[i]);
}

/* One level in its form; *out is added to. */
static bool
write_level(const struct folder_naming *n, struct span level, size_t number,
    enum folder_form form, struct buf *out)
{
	struct buf escaped = BUF_INIT(4 * FOLDER_NAME_MAX);
	size_t before = out->n;
	bool good = true;

	if (form == FOLDER_FORM_RAW) {
		good = span_find(level, '/') == level.n &&
		    (n->fs || span_find(level, '.') == level.n) &&
		    !(n->fs && is_maildir_part(level));
		buf_add_span(out, level);
	} else {
		escape_level(n, level, number, form, &escaped);
		if (n->utf8)
			buf_add_span(out, buf_span(&escaped));
		else
			good = folder_name_to_utf7(buf_span(&escaped), out);
	}
	good = good && !escaped.overflow && !out->overflow &&
	    out->n - before <= FOLDER_LEVEL_MAX;
	buf_fini(&escaped);
	return good;
}

bool
folder_name_path(const struct folder_naming *n, struct span name,
    enum folder_form form, struct buf *out)
{
	const char separator[2] = { n->separator, '\0' };
	struct span rest = name, level;
	size_t number = 0;

	buf_reset(out);
	if (span_is(name, "INBOX") || name.n == 0 || name.n > FOLDER_NAME_MAX)
		return false;
	while (span_cut(&rest, separator, false, &level)) {
		if (!is_level(level))
			return false;
		if (!n->fs)
			buf_add_char(out, '.');
		else if (number > 0)
			buf_add_char(out, '/');
		if (!write_level(n, level, number++, form, out))
			return false;
	}
	return number > 0 && out->n <= FOLDER_PATH_MAX &&
	    (n->fs || out->n <= FOLDER_LEVEL_MAX);
}

static void
unescape(struct span level, struct buf *out)
{
	while (level.n > 0) {
		char c = level.p[0];
		bool escape = is_escape(level, &c);

		buf_add_char(out, c);
		level = span_skip(level, escape ? 3 : 1);
	}
}

/* With "raw" nothing is decoded. */
static bool
read_levels(const struct folder_naming *n, struct span path, bool raw,
    struct buf *out)
{
	struct buf plain = BUF_INIT(FOLDER_PATH_MAX);
	struct buf level = BUF_INIT(FOLDER_PATH_MAX);
	struct span rest = path, part;
	bool good = true;

	while (good && span_cut(&rest, n->fs ? "/" : ".", false, &part)) {
		buf_reset(&plain);
		buf_reset(&level);
		if (raw) {
			buf_add_span(&level, part);
		} else if (n->utf8) {
			unescape(part, &level);
		} else {
			good = folder_name_from_utf7(part, &plain);
			unescape(buf_span(&plain), &level);
		}
		good = good && is_level(buf_span(&level)) &&
		    span_find(buf_span(&level), n->separator) == level.n;
		if (out->n > 0)
			buf_add_char(out, n->separator);
		buf_add_span(out, buf_span(&level));
	}
	buf_fini(&plain);
	buf_fini(&level);
	return good && out->n > 0 && !out->overflow;
}

/* Leads the name back to the directory? */
static bool
leads_to(const struct folder_naming *n, struct span name, struct span path,
    enum folder_form form)
{
	struct buf again = BUF_INIT(2 * FOLDER_PATH_MAX);
	bool same = folder_name_path(n, name, form, &again) &&
	    span_equal(buf_span(&again), path);

	buf_fini(&again);
	return same;
}

/* INBOX has its own directory, and no other case of its letters is one. */
static bool
is_kept_form(const struct folder_naming *n, struct span name)
{
	struct buf again = BUF_INIT(2 * FOLDER_NAME_MAX);
	bool same = folder_name_check(n, name, &again) &&
	    span_equal(buf_span(&again), name) && !span_is(name, "INBOX");

	buf_fini(&again);
	return same;
}

bool
folder_name_of(const struct folder_naming *n, struct span path, struct buf *out)
{
	struct span levels = path;

	buf_reset(out);
	if (!n->fs) {
		if (path.n < 2 || path.p[0] != '.' || path.p[path.n - 1] == '.')
			return false;
		levels = span_skip(path, 1);
	} else if (path.n == 0 || path.p[path.n - 1] == '/') {
		return false;
	}
	if (read_levels(n, levels, false, out) &&
	    is_kept_form(n, buf_span(out)) &&
	    (leads_to(n, buf_span(out), path, FOLDER_FORM_OURS) ||
		leads_to(n, buf_span(out), path, FOLDER_FORM_ESCAPED)))
		return true;
	buf_reset(out);
	return read_levels(n, levels, true, out) &&
	    is_kept_form(n, buf_span(out)) &&
	    leads_to(n, buf_span(out), path, FOLDER_FORM_RAW);
}

bool
folder_name_below(const struct folder_naming *n, struct span name,
    struct span parent)
{
	return name.n > parent.n && name.p[parent.n] == n->separator &&
	    span_equal(span_take(name, parent.n), parent);
}

struct span
folder_name_parent(const struct folder_naming *n, struct span name)
{
	size_t at = span_rfind(name, n->separator);

	return at == name.n ? span_take(name, 0) : span_take(name, at);
}
