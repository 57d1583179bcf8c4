/* SPDX-License-Identifier: ISC */
#include "lib/imap/imap_parse.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/mail/mail_address.h"

enum { SECTION_MAX = 65536 };

void
imap_parse_init(struct imap_parse *p, struct arena *arena,
    const struct imap_limits *limits)
{
	*p = (struct imap_parse){ .arena = arena, .limits = limits };
	buf_init(&p->section, SECTION_MAX);
}

void
imap_parse_fini(struct imap_parse *p)
{
	free(p->stack);
	p->stack = NULL;
	buf_fini(&p->section);
}

static bool
fail(struct imap_parse *p, const char *error)
{
	p->error = error;
	return false;
}

static struct imap_arg *
push(struct imap_parse *p, enum imap_arg_type type, struct span text)
{
	if (p->used == p->room) {
		p->room = p->room == 0 ? 16 : p->room * 2;
		p->stack = mem_resize(p->stack, p->room * sizeof(p->stack[0]));
	}
	p->stack[p->used] = (struct imap_arg){ .type = type, .text = text };
	return &p->stack[p->used++];
}

static bool
add(struct imap_parse *p, enum imap_arg_type type, struct span text)
{
	if (p->args >= p->limits->args)
		return fail(p, "[LIMIT] Too many arguments");
	p->args++;
	p->after_value = true;
	push(p, type, text);
	return true;
}

static bool
open_list(struct imap_parse *p)
{
	struct imap_arg *list;

	if (p->depth + p->outer >= p->limits->depth)
		return fail(p, "[LIMIT] Too many parentheses");
	if (!add(p, IMAP_LIST, SPAN("")))
		return false;
	list = &p->stack[p->used - 1];
	list->count = p->open;
	p->open = p->used;
	p->depth++;
	p->after_value = false;
	return true;
}

/* What lies on the stack from there on, to stay. */
static const struct imap_arg *
keep(struct imap_parse *p, size_t from)
{
	size_t n = p->used - from;
	struct imap_arg *list =
	    arena_alloc(p->arena, (n + 1) * sizeof(list[0]));

	if (n > 0)
		memcpy(list, p->stack + from, n * sizeof(list[0]));
	list[n].type = IMAP_END;
	return list;
}

static void
close_innermost(struct imap_parse *p)
{
	struct imap_arg *list = &p->stack[p->open - 1];
	size_t around = list->count;

	list->list = keep(p, p->open);
	list->count = p->used - p->open;
	p->used = p->open;
	p->open = around;
	p->depth--;
}

static bool
close_list(struct imap_parse *p)
{
	p->after_value = true;
	if (p->depth > 0) {
		close_innermost(p);
		return true;
	}
	if (p->outer == 0)
		return fail(p, "There is a \")\" too much");
	p->outer--;
	return add(p, IMAP_CLOSE, SPAN(""));
}

/* Undoes the escapes in place; *at is at the opening quote, then behind. */
static bool
quoted(struct imap_parse *p, char *text, size_t n, size_t *at)
{
	size_t from = *at + 1, i = from, to = from;
	bool ascii = true;

	for (; i < n && text[i] != '"'; i++) {
		if (text[i] == '\\' && ++i < n && text[i] != '"' &&
		    text[i] != '\\')
			return fail(p,
			    "In quotes only \\\" and \\\\ may be escaped");
		if (i >= n)
			break;
		if (text[i] == '\r')
			return fail(p, "There is a CR in a quoted string");
		ascii &= (unsigned char)text[i] < 0x80;
		text[to++] = text[i];
	}
	if (i >= n)
		return fail(p, "A quoted string has no end");
	*at = i + 1;
	if (!ascii &&
	    !(p->limits->utf8 &&
		mail_is_utf8((struct span){ text + from, to - from })))
		return fail(p, "A quoted string holds what is not UTF-8");
	return add(p, IMAP_QUOTED, (struct span){ text + from, to - from });
}

/* FETCH items with a section in brackets, which may hold spaces and lists. */
static bool
has_section(struct span name)
{
	static const char *const names[] = { "BODY", "BODY.PEEK", "BINARY",
		"BINARY.PEEK", "BINARY.SIZE" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_is_nocase(name, names[i]))
			return true;
	return false;
}

/*
 * From behind the "[" or anywhere in the brackets to behind the "]"; at the
 * end of the text where there is none.
 */
static bool
section(struct imap_parse *p, const char *text, size_t n, size_t *at)
{
	bool in_quotes = false;
	size_t i;

	for (i = *at; i < n && (in_quotes || text[i] != ']'); i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return fail(p, "There is a control character");
		if ((unsigned char)text[i] >= 0x80 || text[i] == '{')
			return fail(p, "What is in the brackets is not right");
		if (text[i] == '"')
			in_quotes = !in_quotes;
		else if (in_quotes && text[i] == '\\' && i + 1 < n)
			i++;
	}
	p->in_section = i >= n;
	if (in_quotes)
		return fail(p, "A quoted string has no end");
	*at = i < n ? i + 1 : n;
	return true;
}

static bool
add_atom(struct imap_parse *p, struct span text)
{
	return add(p, span_is_nocase(text, "NIL") ? IMAP_NIL : IMAP_ATOM, text);
}

static bool
is_atom_end(char c)
{
	return c == ' ' || c == '(' || c == ')';
}

/*
 * An atom, or the rest of one whose section a literal had interrupted.
 * Wildcards, and a backslash at the start, are for the one who asks what it
 * is.
 */
static bool
atom(struct imap_parse *p, const char *text, size_t n, size_t *at)
{
	size_t from = *at, i = from;

	for (; i < n && !is_atom_end(text[i]); i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < ' ' || c == 0x7f)
			return fail(p, "There is a control character");
		if (c >= 0x80)
			return fail(p,
			    "An 8-bit character has to be in a string");
		if (c == '"' || c == '{' || (c == '\\' && i > from))
			return fail(p, "An atom has a character it must not");
		if (c != '[' ||
		    !has_section((struct span){ text + from, i - from }))
			continue;
		i++;
		if (!section(p, text, n, &i))
			return false;
		i--; /* at the bracket, or the last of what is here */
	}
	*at = i;
	if (!p->in_section)
		return add_atom(p, (struct span){ text + from, i - from });
	if (!buf_add(&p->section, text + from, i - from))
		return fail(p, "[LIMIT] What is in the brackets is too long");
	return true;
}

/* On with a section behind its literal; then the atom is whole. */
static bool
section_goes_on(struct imap_parse *p, const char *text, size_t n, size_t *at)
{
	size_t i = *at;
	char *whole;

	if (!section(p, text, n, &i))
		return false;
	while (!p->in_section && i < n && !is_atom_end(text[i]) &&
	    (unsigned char)text[i] > ' ' && (unsigned char)text[i] < 0x7f &&
	    text[i] != '"' && text[i] != '{' && text[i] != '\\')
		i++;
	if (!buf_add(&p->section, text + *at, i - *at))
		return fail(p, "[LIMIT] What is in the brackets is too long");
	*at = i;
	if (p->in_section)
		return true;
	whole = arena_span(p->arena, buf_span(&p->section));
	if (!add_atom(p, (struct span){ whole, p->section.n }))
		return false;
	buf_fini(&p->section);
	return true;
}

static bool
value(struct imap_parse *p, char *text, size_t n, size_t *at)
{
	if (p->after_value)
		return fail(p, "There is no space between two arguments");
	if (text[*at] == '(') {
		++*at;
		return open_list(p);
	}
	if (text[*at] == '"')
		return quoted(p, text, n, at);
	return atom(p, text, n, at);
}

bool
imap_parse_line(struct imap_parse *p, struct span line, bool literal)
{
	/* the line is ours: imap_parse.h */
	char *text = (char *)(uintptr_t)line.p;
	size_t i = 0;

	if (p->in_section && !section_goes_on(p, text, line.n, &i))
		return false;
	while (i < line.n) {
		if (text[i] == ' ') {
			p->after_value = false;
			i++;
		} else if (text[i] == ')') {
			i++;
			if (!close_list(p))
				return false;
		} else if (!value(p, text, line.n, &i)) {
			return false;
		}
	}
	if (literal && p->after_value && !p->in_section)
		return fail(p, "There is no space before a literal");
	if (!literal && p->in_section)
		return fail(p, "There is no \"]\"");
	return true;
}

/* A header field's name as a literal: quoted, which it could have been. */
static bool
quote_into_section(struct imap_parse *p, struct span text)
{
	buf_add_char(&p->section, '"');
	for (size_t i = 0; i < text.n; i++) {
		if ((unsigned char)text.p[i] < ' ' ||
		    (unsigned char)text.p[i] >= 0x7f)
			return fail(p, "This can be no header field's name");
		if (text.p[i] == '"' || text.p[i] == '\\')
			buf_add_char(&p->section, '\\');
		buf_add_char(&p->section, text.p[i]);
	}
	buf_add_char(&p->section, '"');
	if (p->section.overflow)
		return fail(p, "[LIMIT] What is in the brackets is too long");
	return true;
}

bool
imap_parse_literal(struct imap_parse *p, struct span text, bool binary)
{
	if (!binary && text.n > 0 && memchr(text.p, '\0', text.n) != NULL)
		return fail(p, "There is a NUL in a literal");
	if (p->in_section)
		return quote_into_section(p, text);
	return add(p, binary ? IMAP_LITERAL8 : IMAP_LITERAL, text);
}

bool
imap_parse_end(struct imap_parse *p, const struct imap_arg **args,
    size_t *count)
{
	if (p->depth > 0 || p->outer > 0)
		return fail(p, "There is no \")\"");
	*args = keep(p, 0);
	*count = p->used;
	return true;
}

bool
imap_parse_pause(struct imap_parse *p, const struct imap_arg *pending,
    const struct imap_arg **args, size_t *count)
{
	unsigned int open = p->depth;

	if (p->in_section)
		return fail(p, "A literal may not be here");
	if (!add(p, IMAP_PENDING, SPAN("")))
		return false;
	p->stack[p->used - 1] = *pending;
	p->stack[p->used - 1].type = IMAP_PENDING;
	while (p->depth > 0)
		close_innermost(p);
	p->outer += open;
	*args = keep(p, 0);
	*count = p->used;
	return true;
}

void
imap_parse_resume(struct imap_parse *p, struct arena *arena)
{
	p->arena = arena;
	p->used = 0;
	p->args = 0;
	p->after_value = true; /* behind the literal */
}
