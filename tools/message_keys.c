/* SPDX-License-Identifier: ISC */
#include "tools/message_keys.h"

#include "lib/base/mem.h"
#include "lib/mail/mime_parameter.h"

enum place { HEADER, BODY };
enum content { SINGLE, MULTIPART, MESSAGE };

enum { DEPTH_MAX = 100, FIELD_MAX = 1 << 20 };

/* Where we are in a message. */
struct reading {
	const struct message_keys *to;
	enum place place;
	bool primary; /* the header of the message itself */
	struct buf field; /* the header field under way */
	enum content content; /* of the entity whose header this is */
	struct span boundary; /* the arena's */
	struct span open[DEPTH_MAX]; /* boundaries, the innermost last */
	bool digest[DEPTH_MAX]; /* parts are messages unless they say else */
	bool is_digest;
	size_t depth;
	struct arena *memory;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* A field's name, blanks, a colon (RFC 5322 section 2.2). */
static bool
is_field(struct span line)
{
	size_t name = 0;
	size_t i;

	while (name < line.n && line.p[name] > ' ' && line.p[name] < 127 &&
	    line.p[name] != ':')
		name++;
	for (i = name; i < line.n && is_blank(line.p[i]);)
		i++;
	return name > 0 && i < line.n && line.p[i] == ':';
}

static void
read_type(struct reading *r, struct span value)
{
	size_t budget = FIELD_MAX;
	size_t count;
	struct span major;
	struct span minor;
	const struct mime_parameter *p;

	mime_skip_space(&value);
	major = mime_take_token(&value);
	minor = (struct span){ NULL, 0 };
	if (mime_take_char(&value, '/')) {
		mime_skip_space(&value);
		minor = mime_take_token(&value);
	}
	r->content = SINGLE;
	if (span_is_nocase(major, "message") &&
	    (span_is_nocase(minor, "rfc822") ||
		span_is_nocase(minor, "global")))
		r->content = MESSAGE;
	if (!span_is_nocase(major, "multipart"))
		return;
	r->is_digest = span_is_nocase(minor, "digest");
	p = mime_parameters(r->memory, value, &count, &budget);
	for (size_t i = 0; i < count; i++) {
		if (!span_is(p[i].name, "boundary") || p[i].value.p == NULL)
			continue;
		r->content = MULTIPART;
		r->boundary = p[i].value;
		break;
	}
}

static void
end_field(struct reading *r)
{
	struct span field = buf_span(&r->field);
	size_t colon = span_find(field, ':');

	if (field.n == 0)
		return;
	if (r->to->headers)
		r->to->key(r->to->with, field);
	/* of two types the first counts, as where mail is checked */
	if (r->to->mime && r->boundary.n == 0 &&
	    span_is_nocase(span_trim(span_take(field, colon)), "content-type"))
		read_type(r, span_skip(field, colon + 1));
	buf_reset(&r->field);
}

static void
begin_header(struct reading *r, enum content otherwise)
{
	r->place = HEADER;
	r->primary = false;
	r->content = otherwise;
	r->boundary = (struct span){ NULL, 0 };
}

static void
body_key(struct reading *r, struct span line)
{
	if (r->to->bodies)
		r->to->key(r->to->with, line);
}

static void
end_header(struct reading *r)
{
	end_field(r);
	r->place = BODY;
	if (r->content == MESSAGE)
		begin_header(r, SINGLE);
	else if (r->content == MULTIPART && r->depth < DEPTH_MAX) {
		r->digest[r->depth] = r->is_digest;
		r->open[r->depth++] = r->boundary;
	}
}

/* A line that parts bodies ends all that is inside of what it belongs to. */
static void
look_for_boundary(struct reading *r, struct span line)
{
	struct span rest = span_skip(line, 2);

	if (!r->to->mime || !span_starts(line, "--"))
		return;
	for (size_t i = r->depth; i > 0; i--) {
		size_t n = r->open[i - 1].n;

		if (rest.n < n ||
		    !span_equal(span_take(rest, n), r->open[i - 1]))
			continue;
		r->depth = i;
		if (span_starts(span_skip(rest, n), "--"))
			r->depth--;
		else
			begin_header(r, r->digest[i - 1] ? MESSAGE : SINGLE);
		return;
	}
}

static void
body_line(struct reading *r, struct span line)
{
	body_key(r, line);
	look_for_boundary(r, line);
}

/* Blanks before the colon (RFC 5322 section 4.5) are no part of the key. */
static void
begin_field(struct reading *r, struct span line)
{
	size_t colon = span_find(line, ':');

	buf_add_span(&r->field, span_trim(span_take(line, colon)));
	buf_add_span(&r->field, span_skip(line, colon));
}

static void
header_line(struct reading *r, struct span line)
{
	if (r->field.n > 0 && line.n > 0 && is_blank(line.p[0])) {
		buf_add_char(&r->field, '\n');
		buf_add_span(&r->field, line);
		return;
	}
	end_field(r);
	if (is_field(line)) {
		begin_field(r, line);
		return;
	}
	/* the empty line is the body's first */
	if (line.n == 0) {
		body_key(r, line);
		end_header(r);
		return;
	}
	if (r->primary)
		body_key(r, span_take(line, 0));
	end_header(r);
	r->place = BODY;
	body_line(r, line);
}

void
message_keys(const struct message_keys *k, struct span message)
{
	struct reading r = {
		.to = k,
		.place = HEADER,
		.primary = true,
		.field = BUF_INIT(FIELD_MAX),
		.memory = arena_new(),
	};

	while (message.n > 0) {
		size_t end = span_find(message, '\n');
		struct span line = span_take(message, end);

		message = span_skip(message, end + 1);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (r.place == HEADER)
			header_line(&r, line);
		else
			body_line(&r, line);
	}
	end_field(&r);
	buf_fini(&r.field);
	arena_free(&r.memory);
}
