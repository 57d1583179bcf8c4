/* SPDX-License-Identifier: ISC */
#include "lib/table/source.h"

#include "lib/log/log.h"
#include "lib/table/lines.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/*
 * Where the first byte that "ends" says yes to is, outside double quotes and
 * not behind a backslash; false for quotes that do not end.
 */
static bool
unquoted(struct span line, bool (*ends)(char c), size_t *at)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < line.n; i++) {
		if (line.p[i] == '\\' && i + 1 < line.n)
			i++;
		else if (line.p[i] == '"')
			quoted = !quoted;
		else if (!quoted && ends(line.p[i]))
			break;
	}
	*at = i < line.n ? i : line.n;
	return !quoted;
}

static bool
is_colon(char c)
{
	return c == ':';
}

/*
 * "name : value", where what is before the colon is one word or quoted, and
 * the colon is the word's end. "name:value" without a blank can be nothing
 * else; in "2001:db8::1 value" the first colon ends no word.
 */
static bool
looks_like_alias(struct span line)
{
	size_t colon;
	size_t blank;

	if (!unquoted(line, is_colon, &colon) || colon == line.n || colon == 0)
		return false;
	if (unquoted(line, is_blank, &blank) && blank == line.n)
		return true;
	if (!unquoted(span_trim(span_take(line, colon)), is_blank, &blank))
		return false;
	if (blank != span_trim(span_take(line, colon)).n)
		return false;
	return colon + 1 == line.n || is_blank(line.p[colon + 1]) ||
	    line.p[colon + 1] == ':' || line.p[colon + 1] == '"' ||
	    is_blank(line.p[colon - 1]);
}

static enum source_syntax
guess(const char *path, struct span text)
{
	struct lines l;
	struct span line;
	size_t aliases = 0;
	size_t all = 0;

	lines_init(&l, text);
	while (lines_next(&l, path, &line)) {
		all++;
		aliases += looks_like_alias(line);
	}
	lines_fini(&l);
	return aliases * 2 > all ? SOURCE_ALIASES : SOURCE_MAP;
}

static bool
map_entry(const char *path, unsigned int number, struct span line,
    struct span *key, struct span *value)
{
	size_t end;

	if (is_blank(line.p[0])) {
		log_warning("%s, line %u: logical line must not start with "
			    "whitespace",
		    path, number);
		return false;
	}
	if (!unquoted(line, is_blank, &end)) {
		log_warning("%s, line %u: unbalanced '\"' in '%.*s' -- "
			    "ignoring this line",
		    path, number, SPAN_ARG(line));
		return false;
	}
	*key = span_take(line, end);
	*value = span_trim(span_skip(line, end));
	if (value->n == 0) {
		log_warning("%s, line %u: expected format: key whitespace "
			    "value",
		    path, number);
		return false;
	}
	if (key->p[key->n - 1] == ':')
		log_warning("%s, line %u: record is in \"key: value\" format; "
			    "is this an alias file?",
		    path, number);
	return true;
}

/* Takes quotes and backslashes off a name. False: it is more than one. */
static bool
unquote(struct span text, struct buf *out)
{
	bool quoted = false;

	buf_reset(out);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\\' && i + 1 < text.n)
			buf_add_char(out, text.p[++i]);
		else if (text.p[i] == '"')
			quoted = !quoted;
		else if (!quoted && is_blank(text.p[i]))
			return false;
		else
			buf_add_char(out, text.p[i]);
	}
	return !quoted && out->n > 0;
}

static bool
alias_entry(const char *path, unsigned int number, struct span line,
    struct buf *name, struct span *value)
{
	size_t colon;

	if (is_blank(line.p[0])) {
		log_warning("%s, line %u: logical line must not start with "
			    "whitespace",
		    path, number);
		return false;
	}
	if (!unquoted(line, is_colon, &colon) || colon == line.n) {
		log_warning("%s, line %u: need name:value pair", path, number);
		return false;
	}
	*value = span_trim(span_skip(line, colon + 1));
	if (!unquote(span_trim(span_take(line, colon)), name) ||
	    value->n == 0) {
		log_warning("%s, line %u: need name:value pair", path, number);
		return false;
	}
	if (span_find(buf_span(name), '@') < name->n) {
		log_warning("%s, line %u: name must be local", path, number);
		return false;
	}
	return true;
}

size_t
source_read(const char *path, struct span text, enum source_syntax syntax,
    source_entry *entry, void *with)
{
	struct lines l;
	struct span line;
	struct span value = { NULL, 0 };
	struct buf name = BUF_INIT(LINES_MAX);
	size_t bad = 0;

	if (syntax == SOURCE_GUESS)
		syntax = guess(path, text);
	lines_init(&l, text);
	while (lines_next(&l, path, &line)) {
		struct span key = { NULL, 0 };
		bool good;

		if (syntax == SOURCE_ALIASES) {
			good = alias_entry(path, l.first, line, &name, &value);
			key = buf_span(&name);
		} else {
			good = map_entry(path, l.first, line, &key, &value);
		}
		if (good)
			entry(with, key, value, l.first);
		else
			bad++;
	}
	lines_fini(&l);
	buf_fini(&name);
	return bad;
}
