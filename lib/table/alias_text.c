/* SPDX-License-Identifier: ISC */
#include "lib/table/alias_text.h"

#include <string.h>

#include "lib/table/lines.h"

/* What is between the words of a header: a form feed is not. */
static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

enum token_kind { WORD, QUOTED, LITERAL, COMMENT, COMMA, OPERATOR };

struct token {
	enum token_kind kind;
	struct buf text; /* WORD and QUOTED: what is meant, not how written */
};

static bool
is_operator(char c)
{
	return c != '\0' && strchr("<>@.;:)]", c) != NULL;
}

static bool
ends_word(char c)
{
	return is_blank(c) || is_operator(c) || c == ',' || c == '"' ||
	    c == '(' || c == '[';
}

/* Must be in quotes to be read as one word again. */
static bool
needs_quotes(char c)
{
	return ends_word(c) || c == '\\' || (unsigned char)c < ' ' || c == 127;
}

/* "quoted": rest begins behind the quote. */
static void
cut_quoted(struct span *rest, struct buf *out)
{
	while (rest->n > 0 && rest->p[0] != '"') {
		if (rest->p[0] == '\\' && rest->n > 1)
			*rest = span_skip(*rest, 1);
		buf_add_char(out, is_blank(rest->p[0]) ? ' ' : rest->p[0]);
		*rest = span_skip(*rest, 1);
	}
	*rest = span_skip(*rest, 1);
}

/* (comment (with another)): as it is, to its end or the text's. */
static void
cut_comment(struct span *rest, struct buf *out)
{
	size_t depth = 0;
	size_t i = 0;

	do {
		if (rest->p[i] == '\\' && i + 1 < rest->n)
			i++;
		else if (rest->p[i] == '(')
			depth++;
		else if (rest->p[i] == ')')
			depth--;
		i++;
	} while (depth > 0 && i < rest->n);
	buf_add_span(out, span_take(*rest, i));
	*rest = span_skip(*rest, i);
}

static void
cut_literal(struct span *rest, struct buf *out)
{
	size_t end = span_find(*rest, ']');

	for (size_t i = 0; i < end; i++)
		buf_add_char(out, is_blank(rest->p[i]) ? ' ' : rest->p[i]);
	buf_add_char(out, ']');
	*rest = span_skip(*rest, end + 1);
}

static void
cut_word(struct span *rest, struct token *t)
{
	bool quote = false;

	while (rest->n > 0 && !ends_word(rest->p[0])) {
		if (rest->p[0] == '\\')
			*rest = span_skip(*rest, 1);
		if (rest->n == 0) /* a backslash before nothing */
			break;
		quote |= needs_quotes(rest->p[0]);
		buf_add_char(&t->text, is_blank(rest->p[0]) ? ' ' : rest->p[0]);
		*rest = span_skip(*rest, 1);
	}
	if (quote)
		t->kind = QUOTED;
}

static bool
next_token(struct span *rest, struct token *t)
{
	char c;

	while (rest->n > 0 && is_blank(rest->p[0]))
		*rest = span_skip(*rest, 1);
	if (rest->n == 0)
		return false;
	buf_reset(&t->text);
	c = rest->p[0];
	if (c == ',' || c == '|' || is_operator(c)) {
		t->kind = c == ',' ? COMMA : OPERATOR;
		buf_add_char(&t->text, c);
		*rest = span_skip(*rest, 1);
	} else if (c == '"') {
		t->kind = QUOTED;
		*rest = span_skip(*rest, 1);
		cut_quoted(rest, &t->text);
	} else if (c == '(') {
		t->kind = COMMENT;
		cut_comment(rest, &t->text);
	} else if (c == '[') {
		t->kind = LITERAL;
		cut_literal(rest, &t->text);
	} else {
		t->kind = WORD;
		cut_word(rest, t);
		return t->text.n > 0;
	}
	return true;
}

static void
write_quoted(struct span text, struct buf *out)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, text.p[i]);
	}
	buf_add_char(out, '"');
}

static bool
is_word(enum token_kind kind)
{
	return kind != COMMA && kind != OPERATOR;
}

static bool
is_operator_token(const struct token *t, char c)
{
	return t->kind == OPERATOR && t->text.p[0] == c;
}

/* Where a blank is between two tokens: words, and in front of <address>. */
static bool
is_apart(const struct token *t, bool behind_word, const struct buf *out)
{
	char last = out->n > 0 ? out->p[out->n - 1] : ' ';

	if (is_operator_token(t, '<'))
		return last != ' ' && (behind_word || last != '.');
	return behind_word && is_word(t->kind);
}

void
alias_text_value(struct span text, struct buf *out)
{
	struct token t = { .text = BUF_INIT(LINES_MAX) };
	bool behind_word = false;

	buf_reset(out);
	while (next_token(&text, &t)) {
		if (is_apart(&t, behind_word, out))
			buf_add_char(out, ' ');
		if (t.kind == QUOTED)
			write_quoted(buf_span(&t.text), out);
		else
			buf_add_span(out, buf_span(&t.text));
		if (t.kind == COMMA)
			buf_add_char(out, ' ');
		behind_word = is_word(t.kind);
	}
	buf_fini(&t.text);
}

enum alias_name
alias_text_name(struct span text, struct buf *out)
{
	struct token t = { .text = BUF_INIT(LINES_MAX) };
	enum alias_name result = ALIAS_NAME_FINE;
	bool behind_word = false;

	buf_reset(out);
	while (next_token(&text, &t)) {
		struct span s = buf_span(&t.text);

		if (is_apart(&t, behind_word, out))
			buf_add_char(out, ' ');
		buf_add_span(out, s);
		if (t.kind == COMMA)
			result = ALIAS_NAME_NONE;
		else if (result == ALIAS_NAME_FINE && t.kind != QUOTED &&
		    t.kind != COMMENT &&
		    (span_find(s, '@') < s.n || span_find(s, '%') < s.n))
			result = ALIAS_NAME_REMOTE;
		behind_word = is_word(t.kind);
	}
	buf_fini(&t.text);
	return out->n > 0 ? result : ALIAS_NAME_NONE;
}

bool
alias_text_split(struct span line, struct span *name, struct span *value)
{
	struct token t = { .text = BUF_INIT(LINES_MAX) };
	struct span rest = line;
	size_t before = 0;
	bool found = false;

	while (!found && next_token(&rest, &t)) {
		found = is_operator_token(&t, ':');
		if (!found)
			before = line.n - rest.n;
	}
	buf_fini(&t.text);
	if (found) {
		*name = span_take(line, before);
		*value = rest;
	}
	return found;
}
