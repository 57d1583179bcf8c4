/* SPDX-License-Identifier: ISC */
#include "lib/table/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>

#include "lib/base/base64.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/table/alias_text.h"
#include "lib/table/lines.h"
#include "lib/table/words.h"

enum {
	SHOWN_MAX = 200, /* bytes of a bad line */
	CONTENTS_MAX = 1 << 20, /* of files that are a value */
};

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
	if (unquoted(line, lines_blank, &blank) && blank == line.n)
		return true;
	if (!unquoted(lines_trim(span_take(line, colon)), lines_blank, &blank))
		return false;
	if (blank != lines_trim(span_take(line, colon)).n)
		return false;
	return colon + 1 == line.n || lines_blank(line.p[colon + 1]) ||
	    line.p[colon + 1] == ':' || line.p[colon + 1] == '"' ||
	    lines_blank(line.p[colon - 1]);
}

static void complain(const struct source_how *how, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
complain(const struct source_how *how, const char *format, ...)
{
	char *text = NULL;
	va_list ap;

	if (how->silent)
		return;
	va_start(ap, format);
	if (vasprintf(&text, format, ap) >= 0)
		log_warning("%s", text);
	va_end(ap);
	free(text);
}

static enum source_syntax
guess(const char *path, struct span text)
{
	struct lines l;
	struct span line;
	size_t aliases = 0;
	size_t all = 0;

	lines_init(&l, text);
	l.silent = true; /* they are read again */
	while (lines_next(&l, path, &line)) {
		all++;
		aliases += looks_like_alias(line);
	}
	lines_fini(&l);
	return aliases * 2 > all ? SOURCE_ALIASES : SOURCE_MAP;
}

static bool
map_entry(const struct source_how *how, const char *path, unsigned int number,
    struct span line, struct span *key, struct span *value)
{
	size_t end;

	if (!unquoted(line, lines_blank, &end)) {
		complain(how,
		    "%s, line %u: unbalanced '\"' in '%.*s' -- "
		    "ignoring this line",
		    path, number, SPAN_ARG(line));
		return false;
	}
	*key = span_take(line, end);
	*value = lines_trim(span_skip(line, end));
	if (value->n == 0) {
		complain(how,
		    "%s, line %u: expected format: key whitespace "
		    "value -- ignoring this line",
		    path, number);
		return false;
	}
	if (key->p[key->n - 1] == ':')
		complain(how,
		    "%s, line %u: record is in \"key: value\" format; "
		    "is this an alias file?",
		    path, number);
	return true;
}

static bool
alias_entry(const struct source_how *how, const char *path, unsigned int number,
    struct span line, struct buf *name, struct buf *value)
{
	struct span left;
	struct span right;
	enum alias_name n;

	if (!alias_text_split(line, &left, &right)) {
		complain(how, "%s, line %u: need name:value pair", path,
		    number);
		return false;
	}
	n = alias_text_name(left, name);
	alias_text_value(right, value);
	if (n == ALIAS_NAME_NONE || value->n == 0)
		complain(how, "%s, line %u: need name:value pair", path,
		    number);
	else if (n == ALIAS_NAME_REMOTE)
		complain(how, "%s, line %u: name must be local", path, number);
	else
		return true;
	return false;
}

static bool
is_text(const struct source_how *how, const char *path, unsigned int number,
    struct span line)
{
	char room[SHOWN_MAX];

	if (span_is_ascii(line) ||
	    u8_check((const uint8_t *)line.p, line.n) == NULL)
		return true;
	line = lines_shown(line, room, sizeof(room));
	complain(how,
	    "%s, line %u: non-UTF-8 input \"%.*s\" -- ignoring this "
	    "line",
	    path, number, SPAN_ARG(line));
	return false;
}

bool
source_contents(struct span names, struct buf *out, struct buf *error)
{
	struct span name;
	bool first = true;
	bool good = true;

	while (good && words_next(&names, &name)) {
		char *path = mem_span_text(name);
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

		if (!first)
			buf_add_char(out, '\n');
		first = false;
		good = fd >= 0 && fd_read_whole(fd, out) == 0;
		if (!good)
			buf_printf(error, "open %s: %s", path, strerror(errno));
		if (fd >= 0)
			fd_close(&fd);
		free(path);
	}
	return good;
}

/* Puts the contents, in base64, in the place of the files' names. */
static bool
replace_value(const struct source_how *how, const char *path,
    unsigned int number, struct span *value, struct buf *made)
{
	struct buf text = BUF_INIT(CONTENTS_MAX);
	struct buf error = BUF_INIT(4096);
	bool good = source_contents(*value, &text, &error);

	if (!good)
		complain(how, "%s, line %u: %s: skipping this entry", path,
		    number, buf_text(&error));
	buf_reset(made);
	if (good)
		base64_encode(buf_span(&text), made);
	*value = buf_span(made);
	buf_fini(&text);
	buf_fini(&error);
	return good;
}

size_t
source_read(const char *path, struct span text, const struct source_how *how,
    source_entry *entry, void *with)
{
	struct lines l;
	struct span line;
	struct buf name = BUF_INIT(LINES_MAX);
	struct buf made = BUF_INIT(LINES_MAX * 2);
	enum source_syntax syntax = how->syntax;
	size_t bad = 0;

	if (syntax == SOURCE_GUESS)
		syntax = guess(path, text);
	lines_init(&l, text);
	l.silent = how->silent;
	while (lines_next(&l, path, &line)) {
		struct span key = { NULL, 0 };
		struct span value = { NULL, 0 };
		bool good = how->bytes || is_text(how, path, l.first, line);

		if (!good) {
			/* said */
		} else if (syntax == SOURCE_ALIASES) {
			good =
			    alias_entry(how, path, l.first, line, &name, &made);
			key = buf_span(&name);
			value = buf_span(&made);
		} else {
			good =
			    map_entry(how, path, l.first, line, &key, &value);
		}
		if (good && how->contents)
			good = replace_value(how, path, l.first, &value, &made);
		if (good)
			entry(with, key, value, l.first);
		else
			bad++;
	}
	lines_fini(&l);
	buf_fini(&name);
	buf_fini(&made);
	return bad;
}
