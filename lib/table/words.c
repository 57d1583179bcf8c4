/* SPDX-License-Identifier: ISC */
#include "lib/table/words.h"

static bool
separates(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',';
}

bool
words_next(struct span *rest, struct span *word)
{
	size_t depth = 0;
	size_t i = 0;

	while (rest->n > 0 && separates(rest->p[0]))
		*rest = span_skip(*rest, 1);
	if (rest->n == 0)
		return false;
	for (; i < rest->n; i++) {
		if (rest->p[i] == '{')
			depth++;
		else if (rest->p[i] == '}' && depth > 0)
			depth--;
		else if (depth == 0 && separates(rest->p[i]))
			break;
	}
	*word = span_take(*rest, i);
	*rest = span_skip(*rest, i);
	return true;
}

bool
words_unbrace(struct span text, struct span *inner)
{
	text = span_trim(text);
	if (text.n < 2 || text.p[0] != '{' || text.p[text.n - 1] != '}')
		return false;
	*inner = span_take(span_skip(text, 1), text.n - 2);
	return true;
}

bool
words_braced(struct span text, struct span *inner, struct buf *error)
{
	size_t depth = 0;
	size_t i = 0;

	if (text.n == 0 || text.p[0] != '{') {
		buf_printf(error, "no '{' at start of text in \"%.*s\"",
		    SPAN_ARG(text));
		return false;
	}
	do {
		if (text.p[i] == '{')
			depth++;
		else if (text.p[i] == '}')
			depth--;
		i++;
	} while (depth > 0 && i < text.n);
	if (depth > 0 || i < text.n) {
		buf_printf(error, "%s in \"%.*s\"",
		    depth > 0 ? "missing '}'" : "syntax error after '}'",
		    SPAN_ARG(text));
		return false;
	}
	*inner = span_take(span_skip(text, 1), text.n - 2);
	return true;
}
