/* SPDX-License-Identifier: ISC */
#include "imapd/body_structure.h"

#include <inttypes.h>
#include <string.h>

#include "imapd/envelope.h"
#include "lib/imap/imap_write.h"

struct style {
	bool extensible, rev2;
	struct buf *out;
};

static const char rev1_extended[] = "*\" \"utf-8''";
static const char rev1_global[] = "\"message\" \"global\"";

static void
add_parameter(const struct style *s, const struct mime_parameter *p)
{
	struct buf name;

	if (p->extended.p == NULL) {
		imap_write_string(s->out, p->name, false);
		buf_add_char(s->out, ' ');
		imap_write_string(s->out, p->value, false);
		return;
	}
	buf_init(&name, p->name.n + 1);
	buf_add_span(&name, p->name);
	buf_add_char(&name, '*');
	imap_write_string(s->out, buf_span(&name), false);
	buf_fini(&name);
	buf_add_char(s->out, ' ');
	imap_write_string(s->out, s->rev2 ? p->value : p->extended, false);
}

/* "charset": text without one is US-ASCII (RFC 2046 section 4.1.2). */
static void
add_parameters(const struct style *s, const struct mime_parameter *p, size_t n,
    bool charset)
{
	bool first = true;

	for (size_t i = 0; i < n; i++) {
		charset = charset && !span_is(p[i].name, "charset");
		buf_add_char(s->out, first ? '(' : ' ');
		add_parameter(s, &p[i]);
		first = false;
	}
	if (charset)
		buf_printf(s->out, "%s\"charset\" \"us-ascii\"",
		    first ? "(" : " ");
	buf_add_text(s->out, first && !charset ? "NIL" : ")");
}

/* NIL, a string, or a list (RFC 3282). */
static void
add_language(const struct style *s, struct span language)
{
	struct span rest = language, one;
	size_t n = 0;

	while (span_cut(&rest, ", \t\r\n", true, &one))
		n += one.n > 0;
	if (n == 0) {
		buf_add_text(s->out, "NIL");
		return;
	}
	buf_add_char(s->out, '(');
	rest = language;
	for (bool first = true; span_cut(&rest, ", \t\r\n", true, &one);
	     first = false) {
		if (!first)
			buf_add_char(s->out, ' ');
		imap_write_string(s->out, one, false);
	}
	buf_add_char(s->out, ')');
}

/* Disposition, language, location. */
static void
add_extension(const struct style *s, const struct mime_part *p)
{
	buf_add_char(s->out, ' ');
	if (p->disposition.p == NULL) {
		buf_add_text(s->out, "NIL");
	} else {
		buf_add_char(s->out, '(');
		imap_write_string(s->out, p->disposition, false);
		buf_add_char(s->out, ' ');
		add_parameters(s, p->disposition_parameters,
		    p->disposition_parameter_count, false);
		buf_add_char(s->out, ')');
	}
	buf_add_char(s->out, ' ');
	add_language(s, p->language);
	buf_add_char(s->out, ' ');
	imap_write_nstring(s->out, p->location, false);
}

static void add_body(const struct style *s, const struct mime_part *p);

static void
add_multipart(const struct style *s, const struct mime_part *p)
{
	buf_add_char(s->out, '(');
	for (const struct mime_part *c = p->children; c != NULL; c = c->next)
		add_body(s, c);
	buf_add_char(s->out, ' ');
	imap_write_string(s->out, p->subtype, false);
	if (s->extensible) {
		buf_add_char(s->out, ' ');
		add_parameters(s, p->parameters, p->parameter_count, false);
		add_extension(s, p);
	}
	buf_add_char(s->out, ')');
}

static bool
shows_message(const struct style *s, const struct mime_part *p)
{
	return p->message && p->children != NULL &&
	    (s->rev2 || span_is(p->subtype, "rfc822"));
}

static void
add_basic_fields(const struct style *s, const struct mime_part *p, bool text)
{
	imap_write_string(s->out, p->type, false);
	buf_add_char(s->out, ' ');
	imap_write_string(s->out, p->subtype, false);
	buf_add_char(s->out, ' ');
	add_parameters(s, p->parameters, p->parameter_count, text);
	buf_add_char(s->out, ' ');
	imap_write_nstring(s->out, p->id, false);
	buf_add_char(s->out, ' ');
	imap_write_nstring(s->out, p->description, false);
	buf_add_char(s->out, ' ');
	imap_write_string(s->out,
	    p->encoding.n > 0 ? p->encoding : SPAN("7bit"), false);
	buf_printf(s->out, " %" PRIu64, p->body_sent);
}

static void
add_leaf(const struct style *s, const struct mime_part *p)
{
	bool text = span_is(p->type, "text");

	buf_add_char(s->out, '(');
	add_basic_fields(s, p, text);
	if (shows_message(s, p)) {
		buf_add_char(s->out, ' ');
		envelope_write(p->children->envelope, s->out);
		buf_add_char(s->out, ' ');
		add_body(s, p->children);
		buf_printf(s->out, " %" PRIu64, p->body_lines);
	} else if (text) {
		buf_printf(s->out, " %" PRIu64, p->body_lines);
	}
	if (s->extensible) {
		buf_add_char(s->out, ' ');
		imap_write_nstring(s->out, p->md5, false);
		add_extension(s, p);
	}
	buf_add_char(s->out, ')');
}

/* As deep as the tree is: MIME_TREE_DEPTH_MAX. */
static void
add_body(const struct style *s, const struct mime_part *p)
{
	if (p->multipart)
		add_multipart(s, p);
	else
		add_leaf(s, p);
}

void
body_structure_write(const struct mime_tree *t, bool extensible, bool rev2,
    struct buf *out)
{
	struct style s = { .extensible = extensible, .rev2 = rev2, .out = out };

	add_body(&s, mime_tree_root(t));
}

bool
body_structure_differs(struct span kept)
{
	return memmem(kept.p, kept.n, rev1_extended,
		   sizeof(rev1_extended) - 1) != NULL ||
	    memmem(kept.p, kept.n, rev1_global, sizeof(rev1_global) - 1) !=
	    NULL;
}
