/* SPDX-License-Identifier: ISC */
#include "lib/mail/mime_parameter.h"

#include <string.h>

#include "lib/base/hex.h"
#include "lib/mail/charset.h"

enum {
	VALUE_MAX = 64 * 1024, /* of one parameter, continuations joined */
	SECTION_MAX = 999,
};

/* One as it is written: "name*1*=value". */
struct written {
	struct span name; /* up to the first "*" */
	int section; /* -1: not continued */
	bool extended;
	struct span value; /* in quotes if "quoted" */
	bool quoted, used;
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
skip_comment(struct span *s)
{
	size_t depth = 0, i;

	for (i = 0; i < s->n; i++) {
		if (s->p[i] == '\\')
			i++;
		else if (s->p[i] == '(')
			depth++;
		else if (s->p[i] == ')' && --depth == 0)
			break;
	}
	*s = span_skip(*s, i + 1 < s->n ? i + 1 : s->n);
}

void
mime_skip_space(struct span *s)
{
	while (s->n > 0) {
		if (is_space(s->p[0]))
			*s = span_skip(*s, 1);
		else if (s->p[0] == '(')
			skip_comment(s);
		else
			return;
	}
}

/* RFC 2045 section 5.1: no CTLs, space or tspecials; 8-bit bytes pass. */
static bool
is_token(char c)
{
	return (unsigned char)c > ' ' && c != 0x7f &&
	    memchr("()<>@,;:\\\"/[]?=", c, 15) == NULL;
}

struct span
mime_take_token(struct span *s)
{
	struct span token;
	size_t n = 0;

	mime_skip_space(s);
	while (n < s->n && is_token(s->p[n]))
		n++;
	token = span_take(*s, n);
	*s = span_skip(*s, n);
	return token;
}

bool
mime_take_char(struct span *s, char c)
{
	mime_skip_space(s);
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = span_skip(*s, 1);
	return true;
}

struct span
mime_copy(struct arena *a, struct span s, size_t *budget)
{
	if (s.n > *budget)
		return (struct span){ NULL, 0 };
	*budget -= s.n;
	return (struct span){ arena_span(a, s), s.n };
}

struct span
mime_copy_lower(struct arena *a, struct span s, size_t *budget)
{
	char *p;

	if (s.n > *budget)
		return (struct span){ NULL, 0 };
	*budget -= s.n;
	p = arena_span(a, s);
	for (size_t i = 0; i < s.n; i++)
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] += 'a' - 'A';
	return (struct span){ p, s.n };
}

/* A quoted string, or what there is up to the next ";" or blank. */
static void
take_value(struct span *s, struct written *w)
{
	size_t n = 0;

	mime_skip_space(s);
	w->quoted = s->n > 0 && s->p[0] == '"';
	if (w->quoted) {
		*s = span_skip(*s, 1);
		for (; n < s->n && s->p[n] != '"'; n++)
			n += s->p[n] == '\\' && n + 1 < s->n;
		w->value = span_take(*s, n);
		*s = span_skip(*s, n + (n < s->n));
		return;
	}
	while (n < s->n && s->p[n] != ';' && !is_space(s->p[n]))
		n++;
	w->value = span_take(*s, n);
	*s = span_skip(*s, n);
}

/* "*0*", "*0", "*" behind a name. False: none of that, it is the name. */
static bool
read_marks(struct span marks, struct written *w)
{
	uint64_t section;

	if (marks.p[marks.n - 1] == '*') {
		w->extended = true;
		marks.n--;
	}
	if (marks.n == 0)
		return true;
	marks = span_skip(marks, 1);
	if (!span_u64(marks, SECTION_MAX, &section))
		return false;
	w->section = (int)section;
	return true;
}

static bool
take_written(struct span *s, struct written *w)
{
	struct span name = mime_take_token(s);
	size_t star = span_find(name, '*');

	if (name.n == 0 || !mime_take_char(s, '='))
		return false;
	*w = (struct written){ .name = name, .section = -1 };
	take_value(s, w);
	if (star > 0 && star < name.n) {
		w->name = span_take(name, star);
		if (!read_marks(span_skip(name, star), w)) {
			w->name = name;
			w->section = -1;
			w->extended = false;
		}
	}
	return true;
}

static size_t
take_all(struct span text, struct written *all)
{
	size_t n = 0;

	while (text.n > 0 && n < MIME_PARAMETERS_MAX) {
		size_t before = text.n;

		mime_take_char(&text, ';');
		if (take_written(&text, &all[n]))
			n++;
		else if (text.n == before && text.n > 0)
			text = span_skip(text, 1);
	}
	return n;
}

static void
add_plain(struct buf *out, const struct written *w)
{
	for (size_t i = 0; i < w->value.n; i++) {
		char c = w->value.p[i];

		if (w->quoted && c == '\\' && i + 1 < w->value.n)
			c = w->value.p[++i];
		if (c != '\r' && c != '\n' && c != '\0')
			buf_add_char(out, c);
	}
}

static void
add_percent(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%' && i + 2 < s.n &&
		    hex_digit(s.p[i + 1]) >= 0 && hex_digit(s.p[i + 2]) >= 0) {
			buf_add_char(out,
			    (char)(hex_digit(s.p[i + 1]) * 16 +
				hex_digit(s.p[i + 2])));
			i += 2;
		} else {
			buf_add_char(out, s.p[i]);
		}
	}
}

/* Takes "charset'language'" off the front of the first section. */
static struct span
take_charset(struct span *value)
{
	size_t first = span_find(*value, '\'');
	struct span rest = span_skip(*value, first + 1);
	size_t second = span_find(rest, '\'');
	struct span charset = SPAN("");

	if (first < value->n && second < rest.n) {
		charset = span_take(*value, first);
		*value = span_skip(rest, second + 1);
	}
	return charset;
}

/* RFC 2231 section 7: what need not be encoded. */
static bool
is_attribute_char(char c)
{
	return is_token(c) && (unsigned char)c < 0x80 && c != '*' &&
	    c != '\'' && c != '%';
}

static void
add_extended(struct buf *out, struct span value)
{
	buf_add_text(out, "utf-8''");
	for (size_t i = 0; i < value.n; i++) {
		if (is_attribute_char(value.p[i]))
			buf_add_char(out, value.p[i]);
		else
			buf_printf(out, "%%%02X", (unsigned char)value.p[i]);
	}
}

struct joining {
	struct arena *arena;
	size_t *budget;
	struct written *all;
	size_t count;
	struct buf raw, text; /* bytes in the charset; UTF-8 */
};

static bool
continues(const struct written *w, struct span name, int section)
{
	return !w->used && w->section == section &&
	    span_equal_nocase(w->name, name);
}

/* The next section; they mostly follow each other. */
static struct written *
find_section(struct joining *j, struct span name, int section, size_t near)
{
	for (size_t i = 0; i < j->count; i++) {
		struct written *w = &j->all[(near + i) % j->count];

		if (continues(w, name, section))
			return w;
	}
	return NULL;
}

/* The parameter that begins with j->all[i]. */
static void
join(struct joining *j, size_t i, struct mime_parameter *out)
{
	struct written *w = &j->all[i];
	struct span charset = SPAN("");
	bool extended = w->extended;
	int section = w->section;

	buf_reset(&j->raw);
	buf_reset(&j->text);
	if (w->extended)
		charset = take_charset(&w->value);
	do {
		w->used = true;
		if (w->extended)
			add_percent(&j->raw, w->value);
		else
			add_plain(&j->raw, w);
		if (section >= 0)
			w = find_section(j, w->name, ++section,
			    (size_t)(w - j->all) + 1);
	} while (section >= 0 && w != NULL);
	out->name = mime_copy_lower(j->arena, j->all[i].name, j->budget);
	if (!extended) {
		out->value = mime_copy(j->arena, buf_span(&j->raw), j->budget);
		return;
	}
	charset_to_utf8(charset, buf_span(&j->raw), &j->text);
	out->value = mime_copy(j->arena, buf_span(&j->text), j->budget);
	buf_reset(&j->raw);
	add_extended(&j->raw, out->value);
	out->extended = mime_copy(j->arena, buf_span(&j->raw), j->budget);
}

/* A plain and an extended one of the same name may stand side by side. */
static bool
repeated(const struct mime_parameter *p, size_t n, const struct written *w)
{
	for (size_t i = 0; i < n; i++)
		if ((p[i].extended.p != NULL) == w->extended &&
		    span_equal_nocase(p[i].name, w->name))
			return true;
	return false;
}

const struct mime_parameter *
mime_parameters(struct arena *a, struct span text, size_t *count,
    size_t *budget)
{
	struct written all[MIME_PARAMETERS_MAX];
	struct joining j = { .arena = a, .budget = budget, .all = all };
	struct mime_parameter *out, *next;

	*count = 0;
	j.count = take_all(text, all);
	if (j.count == 0)
		return NULL;
	buf_init(&j.raw, VALUE_MAX);
	buf_init(&j.text, VALUE_MAX);
	out = next = arena_alloc(a, j.count * sizeof(*out));
	for (size_t i = 0; i < j.count; i++) {
		if (all[i].used || all[i].section > 0 ||
		    repeated(out, *count, &all[i]))
			continue;
		join(&j, i, next);
		if (next->name.p == NULL || next->value.p == NULL)
			break; /* beyond the budget */
		next++;
		++*count;
	}
	buf_fini(&j.raw);
	buf_fini(&j.text);
	return out;
}
