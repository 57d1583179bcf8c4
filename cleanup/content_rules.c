/* SPDX-License-Identifier: ISC */
#include "cleanup/content_rules.h"

#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/mail/mime_walk.h"

struct content_rules {
	const struct settings *set;
	struct mime_walk *walk; /* NULL: structure does not matter */
	bool header; /* bytes above 127 in headers are refused, ... */
	bool body; /* ... in bodies that do not announce them */
	bool domain; /* encoded multiparts and messages are refused */
	const char *wrong; /* NULL: nothing so far */
};

/* RFC 2045 section 6.4, RFC 2046 sections 5.2.2.1 and 5.2.3. */
static bool
encoding_allowed(const struct mime_entity *e)
{
	if (e->composite)
		return e->encoding != MIME_BASE64 &&
		    e->encoding != MIME_QUOTED_PRINTABLE;
	return !e->fragment ||
	    (e->encoding != MIME_8BIT && e->encoding != MIME_BINARY);
}

static void
see_header(void *with, const struct mime_entity *e, struct span fields,
    bool empty)
{
	struct content_rules *r = with;

	(void)empty;
	if (r->wrong != NULL)
		return;
	if (r->header && !span_is_ascii(fields))
		r->wrong = "improper use of 8-bit data in message header";
	else if (r->domain && !encoding_allowed(e))
		r->wrong = "invalid message/* or multipart/* encoding domain";
	else if (e->too_deep)
		r->wrong = "MIME nesting exceeds safety limit";
}

/*
 * What a multipart says is of its parts: before and behind them there is text
 * of 7 bits.
 */
static bool
announced(const struct mime_entity *e)
{
	return !e->composite && e->encoding != MIME_7BIT &&
	    e->encoding != MIME_UNKNOWN;
}

static void
see_text(void *with, const struct mime_entity *e, struct span bytes)
{
	struct content_rules *r = with;

	if (r->wrong == NULL && r->body && !announced(e) &&
	    !span_is_ascii(bytes))
		r->wrong = "improper use of 8-bit data in message body";
}

static void
see_line_end(void *with, const struct mime_entity *e, bool crlf)
{
	(void)with;
	(void)e;
	(void)crlf;
}

static void
see_boundary(void *with, struct span line)
{
	(void)with;
	(void)line;
}

struct content_rules *
content_rules_new(const struct settings *set, bool smtputf8)
{
	static const struct mime_events events = {
		.header = see_header,
		.text = see_text,
		.line_end = see_line_end,
		.boundary = see_boundary,
	};
	const struct cleanup_params *p = &set->own;
	struct content_rules *r = mem_new(sizeof(*r));

	r->set = set;
	r->header = (p->strict_7bit_headers || p->strict_8bitmime) && !smtputf8;
	r->body = p->strict_8bitmime_body || p->strict_8bitmime;
	r->domain = p->strict_mime_encoding_domain;
	if (r->header || r->body || r->domain) {
		r->walk = mime_walk_new(&events, r);
		mime_walk_depth(r->walk,
		    (size_t)set->common.mime_nesting_limit);
	} else if (!set->rejected.any && !set->stripped.any) {
		content_rules_free(&r);
	}
	return r;
}

/* A limit of the walk: what could not be looked at does not pass. */
static enum verdict
judge(struct content_rules *r, bool whole, struct why *why)
{
	if (r->wrong == NULL && whole)
		return OK;
	return why_set(why, "5.6.0", "%s",
	    r->wrong != NULL ? r->wrong : "MIME nesting exceeds safety limit");
}

static enum verdict
keep(struct content_rules *r, struct span kept, line_ends_emit *emit,
    void *with, struct why *why)
{
	enum verdict v = OK;

	if (kept.n == 0)
		return OK;
	if (r->walk != NULL)
		v = judge(r, mime_walk_put(r->walk, kept), why);
	if (v == OK)
		emit(with, kept.p, kept.n);
	return v;
}

enum verdict
content_rules_feed(struct content_rules *r, struct span in,
    line_ends_emit *emit, void *with, struct why *why)
{
	const bool *rejected = r->set->rejected.has;
	const bool *stripped = r->set->stripped.has;
	enum verdict v = OK;
	size_t from = 0;

	for (size_t i = 0; i < in.n && v == OK; i++) {
		unsigned char c = (unsigned char)in.p[i];

		if (rejected[c])
			return why_set(why, "5.7.1", "disallowed character");
		if (!stripped[c])
			continue;
		v = keep(r, (struct span){ in.p + from, i - from }, emit, with,
		    why);
		from = i + 1;
	}
	return v != OK ?
	    v :
	    keep(r, (struct span){ in.p + from, in.n - from }, emit, with, why);
}

enum verdict
content_rules_end(struct content_rules *r, struct why *why)
{
	return r->walk == NULL ? OK : judge(r, mime_walk_end(r->walk), why);
}

void
content_rules_free(struct content_rules **r)
{
	if (*r == NULL)
		return;
	if ((*r)->walk != NULL)
		mime_walk_free(&(*r)->walk);
	free(*r);
	*r = NULL;
}
