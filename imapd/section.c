/* SPDX-License-Identifier: ISC */
#include "imapd/section.h"

#include <inttypes.h>
#include <string.h>

#include "lib/imap/imap_write.h"
#include "lib/mail/header.h"

enum { LABEL_MAX = 64 * 1024, NAMES_MAX = 256 };

static bool
take_text(struct span *s, const char *text)
{
	if (!span_starts_nocase(*s, text))
		return false;
	*s = span_skip(*s, strlen(text));
	return true;
}

static struct span
take_digits(struct span *s)
{
	struct span digits;
	size_t n = 0;

	while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
		n++;
	digits = span_take(*s, n);
	*s = span_skip(*s, n);
	return digits;
}

/* "1.2.3", and the dot behind it where a word follows. */
static bool
take_numbers(struct span *s, struct span *numbers)
{
	struct span start = *s;

	*numbers = span_take(*s, 0);
	for (;;) {
		struct span digits = take_digits(s);

		if (digits.n == 0) /* behind a dot: a word follows */
			return numbers->n == 0 || s->n > 0;
		if (digits.p[0] == '0' || digits.n > 10)
			return false;
		*numbers =
		    span_take(start, (size_t)(digits.p + digits.n - start.p));
		if (s->n == 0)
			return true;
		if (!take_text(s, "."))
			return false;
	}
}

static bool
take_name(struct arena *a, struct span *s, struct span *name)
{
	struct buf text = BUF_INIT(LABEL_MAX);
	size_t n = 0;

	if (s->n == 0 || s->p[0] != '"') {
		while (n < s->n && (unsigned char)s->p[n] > ' ' &&
		    s->p[n] != ')' && s->p[n] != '(')
			n++;
		*name = span_take(*s, n);
		*s = span_skip(*s, n);
		return n > 0;
	}
	for (n = 1; n < s->n && s->p[n] != '"'; n++) {
		n += s->p[n] == '\\' && n + 1 < s->n;
		buf_add_char(&text, s->p[n]);
	}
	*name = (struct span){ arena_span(a, buf_span(&text)), text.n };
	buf_fini(&text);
	if (n == s->n)
		return false;
	*s = span_skip(*s, n + 1);
	return true;
}

/* " (From To)" */
static bool
take_names(struct arena *a, struct span *s, struct section *out)
{
	struct span names[NAMES_MAX], *copy;
	size_t n = 0;

	if (!take_text(s, " ("))
		return false;
	do {
		if (n == sizeof(names) / sizeof(names[0]) ||
		    !take_name(a, s, &names[n++]))
			return false;
	} while (take_text(s, " "));
	copy = arena_alloc(a, n * sizeof(*copy));
	memcpy(copy, names, n * sizeof(*copy));
	out->names = copy;
	out->name_count = n;
	return take_text(s, ")");
}

static bool
take_what(struct arena *a, struct span *s, struct section *out)
{
	if (take_text(s, "HEADER.FIELDS.NOT")) {
		out->what = SECTION_FIELDS_NOT;
		return take_names(a, s, out);
	}
	if (take_text(s, "HEADER.FIELDS")) {
		out->what = SECTION_FIELDS;
		return take_names(a, s, out);
	}
	if (take_text(s, "HEADER"))
		out->what = SECTION_HEADER;
	else if (take_text(s, "TEXT"))
		out->what = SECTION_TEXT;
	else if (out->numbers.n > 0 && take_text(s, "MIME"))
		out->what = SECTION_MIME;
	return true;
}

/* "<0.500>" */
static bool
take_partial(struct span *s, struct section *out)
{
	if (s->n == 0)
		return true;
	out->partial = true;
	return take_text(s, "<") &&
	    span_u64(take_digits(s), INT64_MAX, &out->from) &&
	    take_text(s, ".") &&
	    span_u64(take_digits(s), INT64_MAX, &out->most) && out->most > 0 &&
	    take_text(s, ">");
}

static void
make_label(struct arena *a, struct section *s)
{
	static const char *const forms[] = { "BODY", "BINARY", "BINARY.SIZE" };
	static const char *const whats[] = { "", "HEADER", "HEADER.FIELDS",
		"HEADER.FIELDS.NOT", "TEXT", "MIME" };
	struct buf label = BUF_INIT(LABEL_MAX);

	buf_printf(&label, "%s[%.*s%s%s", forms[s->form], SPAN_ARG(s->numbers),
	    s->numbers.n > 0 && s->what != SECTION_WHOLE ? "." : "",
	    whats[s->what]);
	for (size_t i = 0; i < s->name_count; i++) {
		buf_add_text(&label, i == 0 ? " (" : " ");
		imap_write_astring(&label, s->names[i], false);
	}
	buf_add_text(&label, s->name_count > 0 ? ")]" : "]");
	if (s->partial)
		buf_printf(&label, "<%" PRIu64 ">", s->from);
	s->label = (struct span){ arena_span(a, buf_span(&label)), label.n };
	buf_fini(&label);
}

static bool
parse_old(struct span text, struct section *out)
{
	if (span_is_nocase(text, "RFC822")) {
		out->label = SPAN("RFC822");
	} else if (span_is_nocase(text, "RFC822.HEADER")) {
		out->label = SPAN("RFC822.HEADER");
		out->what = SECTION_HEADER;
		out->peek = true;
	} else if (span_is_nocase(text, "RFC822.TEXT")) {
		out->label = SPAN("RFC822.TEXT");
		out->what = SECTION_TEXT;
	} else {
		return false;
	}
	return true;
}

static bool
take_form(struct span *text, struct section *out)
{
	static const struct {
		const char *name;
		enum section_form form;
		bool peek;
	} forms[] = {
		{ "BODY[", SECTION_BODY, false },
		{ "BODY.PEEK[", SECTION_BODY, true },
		{ "BINARY[", SECTION_BINARY, false },
		{ "BINARY.PEEK[", SECTION_BINARY, true },
		{ "BINARY.SIZE[", SECTION_BINARY_SIZE, true },
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (take_text(text, forms[i].name)) {
			out->form = forms[i].form;
			out->peek = forms[i].peek;
			return true;
		}
	return false;
}

bool
section_parse(struct arena *a, struct span text, struct section *out)
{
	memset(out, 0, sizeof(*out));
	if (parse_old(text, out))
		return true;
	/* numbers and names are parts of it */
	text = (struct span){ arena_span(a, text), text.n };
	if (!take_form(&text, out))
		return false;
	{
		/* the bracket that closes; names may hold one in quotes */
		const char *close = memrchr(text.p, ']', text.n);
		struct span inside, behind;

		if (close == NULL)
			return false;
		inside = span_take(text, (size_t)(close - text.p));
		behind = span_skip(text, inside.n + 1);
		if (!take_numbers(&inside, &out->numbers))
			return false;
		if (out->form == SECTION_BODY && inside.n > 0 &&
		    !take_what(a, &inside, out))
			return false;
		if (inside.n > 0 || !take_partial(&behind, out) || behind.n > 0)
			return false;
	}
	if (out->form == SECTION_BINARY_SIZE && out->partial)
		return false;
	make_label(a, out);
	return true;
}

bool
section_needs_tree(const struct section *s)
{
	return s->numbers.n > 0;
}

static void
set_header(const struct mime_part *p, struct section_range *out)
{
	*out = (struct section_range){ p->header_at, p->header_size,
		p->header_sent };
}

static void
set_body(const struct mime_part *p, struct section_range *out)
{
	*out = (struct section_range){ p->body_at, p->body_size, p->body_sent };
}

bool
section_locate(const struct section *s, const struct mime_tree *t,
    struct section_range *out, const struct mime_part **part)
{
	const struct mime_part *p = mime_tree_root(t);

	if (part != NULL)
		*part = NULL;
	if (s->numbers.n > 0) {
		p = mime_tree_find(t, s->numbers);
		if (p == NULL)
			return false;
		if (part != NULL)
			*part = p;
		if (s->what == SECTION_WHOLE) {
			set_body(p, out);
			return true;
		}
		if (s->what == SECTION_MIME) {
			set_header(p, out);
			return true;
		}
		/* the others are of a message within */
		if (!p->message)
			return false;
		p = p->children;
	} else if (s->what == SECTION_WHOLE) {
		*out = (struct section_range){ 0, mime_tree_size(t),
			mime_tree_sent(t) };
		return true;
	}
	if (s->what == SECTION_TEXT)
		set_body(p, out);
	else
		set_header(p, out);
	return true;
}

static bool
is_named(const struct section *s, const struct header_field *f)
{
	for (size_t i = 0; i < s->name_count; i++)
		if (span_equal_nocase(s->names[i], f->name))
			return true;
	return false;
}

/* With CRLF; the last line of a message may have no end. */
static void
add_lines(struct buf *out, struct span lines)
{
	while (lines.n > 0) {
		size_t n = span_find(lines, '\n');
		struct span line = span_take(lines, n);

		lines = span_skip(lines, n + 1);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		buf_add_span(out, line);
		buf_add_text(out, "\r\n");
	}
}

void
section_filter(const struct section *s, struct span header, struct buf *out)
{
	bool wanted = s->what == SECTION_FIELDS;
	struct span rest = header;
	struct header_field f;
	enum header_next next;

	(void)header_skip_envelope(&rest, true);
	while ((next = header_next(&rest, true, &f)) == HEADER_FIELD)
		if (is_named(s, &f) == wanted)
			add_lines(out, f.whole);
	/* was there an empty line? */
	if (next == HEADER_BODY && header.n > 0 &&
	    header.p[header.n - 1] == '\n' &&
	    (header.n == 1 || header.p[header.n - 2] == '\n' ||
		(header.p[header.n - 2] == '\r' &&
		    (header.n == 2 || header.p[header.n - 3] == '\n'))))
		buf_add_text(out, "\r\n");
}
