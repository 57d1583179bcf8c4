/* SPDX-License-Identifier: ISC */
/*
 * What people who write main.cf mean, and it does not: comments behind a
 * value, quotes, a blank before a setting, which makes it part of the one
 * above. The value counts as it stands, as in Postfix; these are warnings.
 */
#include "lib/conf/conf_parts.h"

#include <ctype.h>
#include <string.h>

enum { SHOWN_MAX = 60 }; /* bytes of a value that are quoted */

static bool
blank(char c)
{
	return isspace((unsigned char)c) != 0;
}

static bool
name_byte(char c)
{
	return c == '_' || isalnum((unsigned char)c);
}

static void
say(const struct setting *s, struct buf *to, const char *what, struct span text)
{
	bool cut = text.n > SHOWN_MAX;

	buf_printf(to, "%s: %s: %s: \"%.*s%s\"\n", s->origin, s->name, what,
	    SPAN_ARG(span_take(text, SHOWN_MAX)), cut ? "..." : "");
}

static void
look_for_comment(const struct setting *s, struct span raw, struct buf *to)
{
	for (size_t i = 0; i < raw.n; i++)
		if (raw.p[i] == '#' && (i == 0 || blank(raw.p[i - 1]))) {
			say(s, to,
			    "#comment after other text is not allowed, it is "
			    "part of the value: give it a line of its own",
			    span_skip(raw, i));
			return;
		}
}

/* "name =" of a setting that is known, outside of braces. */
static void
look_for_setting(const struct setting *s, struct span raw, struct buf *to)
{
	int level = 0;

	for (size_t i = 0; i < raw.n; i++) {
		struct span name = span_skip(raw, i), rest;
		size_t n = 0;

		level += (raw.p[i] == '{') - (raw.p[i] == '}');
		if (level > 0 || i == 0 || !blank(raw.p[i - 1]))
			continue;
		while (n < name.n && name_byte(name.p[n]))
			n++;
		rest = span_trim(span_skip(name, n));
		name = span_take(name, n);
		if (n == 0 || rest.n == 0 || rest.p[0] != '=' ||
		    param_find(name) == NULL)
			continue;
		say(s, to,
		    "another setting stands in its value (a line that begins "
		    "with a blank continues the one before it)",
		    span_skip(raw, i));
		return;
	}
}

/* A shell command may begin with a quote. */
static void
look_for_quotes(const struct setting *s, struct span raw, struct buf *to)
{
	if (raw.n > 1 && (raw.p[0] == '"' || raw.p[0] == '\'') &&
	    !span_ends_nocase(span_of(s->name), "_command"))
		say(s, to, "the quotes are part of the value: leave them out",
		    raw);
}

/* Dovecot reads "setting = <FILE" as the file's content. */
static void
look_for_inclusion(const struct setting *s, struct span raw, struct buf *to)
{
	if (raw.n > 1 && raw.p[0] == '<' &&
	    span_trim(span_skip(raw, 1)).n > 0 &&
	    span_trim(span_skip(raw, 1)).p[0] == '/')
		say(s, to,
		    "the \"<\" before the file's name is Dovecot's, and part "
		    "of "
		    "the value here: leave it out",
		    raw);
}

static bool
is_list(const char *name)
{
	const struct param *p = param_find(span_of(name));

	return (p != NULL && p->type == PARAM_TABLES) ||
	    span_ends_nocase(span_of(name), "_restrictions");
}

static void
look_for_semicolon(const struct setting *s, struct span raw, struct buf *to)
{
	struct span word;

	if (!is_list(s->name))
		return;
	while (conf_list_next(&raw, &word))
		if (word.p[0] == ';' || word.p[word.n - 1] == ';') {
			say(s, to,
			    "blanks or commas separate words, \";\" does not",
			    word);
			return;
		}
}

/* What word processors and web pages put in the place of ASCII. */
static const struct {
	const char *bytes;
	const char *name;
} looks[] = {
	{ "\xc2\xa0", "a no-break space (U+00A0)" },
	{ "\xe2\x80\x8b", "an invisible blank (U+200B)" },
	{ "\xe2\x80\x93", "a dash that is no \"-\" (U+2013)" },
	{ "\xe2\x80\x98", "a quotation mark (U+2018)" },
	{ "\xe2\x80\x99", "a quotation mark (U+2019)" },
	{ "\xe2\x80\x9c", "a quotation mark (U+201C)" },
	{ "\xe2\x80\x9d", "a quotation mark (U+201D)" },
	{ "\xef\xbb\xbf", "a byte order mark (U+FEFF)" },
};

const char *
conf_look_alike(const char *text)
{
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++)
		if (strstr(text, looks[i].bytes) != NULL)
			return looks[i].name;
	return NULL;
}

void
conf_slips(const struct setting *s, struct buf *warnings)
{
	struct span raw = span_of(s->raw);
	const char *look = conf_look_alike(s->raw);

	look_for_comment(s, raw, warnings);
	look_for_setting(s, raw, warnings);
	look_for_quotes(s, raw, warnings);
	look_for_inclusion(s, raw, warnings);
	look_for_semicolon(s, raw, warnings);
	if (look != NULL)
		buf_printf(warnings, "%s: %s: there is %s in its value\n",
		    s->origin, s->name, look);
}
