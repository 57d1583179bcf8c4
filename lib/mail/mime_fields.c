/* SPDX-License-Identifier: ISC */
#include "lib/mail/mime_fields.h"

#include <string.h>

#include "lib/mail/header.h"

enum { NAME_MAX_LENGTH = 127 }; /* RFC 6838 section 4.2 */

enum field {
	FIELD_OTHER,
#define HEADER_FIELD(number, name) number,
#include "lib/mail/header_fields.def"
#undef HEADER_FIELD
	FIELDS,
};

static const struct span names[FIELDS] = {
#define HEADER_FIELD(number, name) [number] = SPAN(name),
#include "lib/mail/header_fields.def"
#undef HEADER_FIELD
};

static enum field
which(struct span name)
{
	for (int i = 1; i < FIELDS; i++)
		if (names[i].n == name.n &&
		    (name.p[0] | 0x20) == names[i].p[0] &&
		    span_equal_nocase(name, names[i]))
			return (enum field)i;
	return FIELD_OTHER;
}

/* The first of each, in its header. */
static void
find_fields(struct span header, struct span values[FIELDS])
{
	struct header_field f;

	while (header_next(&header, true, &f) == HEADER_FIELD) {
		enum field i = which(f.name);

		if (i != FIELD_OTHER && values[i].p == NULL)
			values[i] = f.value;
	}
}

static void
set_envelope(struct mime_envelope *e, const struct span values[FIELDS])
{
	*e = (struct mime_envelope){
		.date = values[FIELD_DATE],
		.subject = values[FIELD_SUBJECT],
		.from = values[FIELD_FROM],
		.sender = values[FIELD_SENDER],
		.reply_to = values[FIELD_REPLY_TO],
		.to = values[FIELD_TO],
		.cc = values[FIELD_CC],
		.bcc = values[FIELD_BCC],
		.in_reply_to = values[FIELD_IN_REPLY_TO],
		.message_id = values[FIELD_MESSAGE_ID],
		.references = values[FIELD_REFERENCES],
	};
}

void
mime_envelope_read(struct span header, struct mime_envelope *out)
{
	struct span values[FIELDS] = { { NULL, 0 } };

	(void)header_skip_envelope(&header, true);
	find_fields(header, values);
	set_envelope(out, values);
}

/* Copies of all that are there. */
static const struct mime_envelope *
copy_envelope(const struct mime_fields *f, const struct span values[FIELDS])
{
	struct mime_envelope *e = arena_alloc(f->arena, sizeof(*e));
	struct span copies[FIELDS] = { { NULL, 0 } };

	for (int i = FIELD_BCC; i <= FIELD_TO; i++)
		if (values[i].p != NULL)
			copies[i] = mime_copy(f->arena, values[i], f->budget);
	set_envelope(e, copies);
	return e;
}

static struct span
copy_unfolded(const struct mime_fields *f, struct span value)
{
	struct buf flat;
	struct span out;

	if (value.p == NULL)
		return value;
	if (memchr(value.p, '\n', value.n) == NULL)
		return mime_copy(f->arena, span_trim(value), f->budget);
	buf_init(&flat, MIME_TREE_HEADER_MAX);
	header_unfold(value, &flat);
	out = mime_copy(f->arena, buf_span(&flat), f->budget);
	buf_fini(&flat);
	return out;
}

static void
set_type(struct mime_part *p, const char *type, const char *subtype)
{
	p->type = span_of(type);
	p->subtype = span_of(subtype);
}

static bool
is_message(struct span subtype)
{
	return span_is(subtype, "rfc822") || span_is(subtype, "global");
}

/* RFC 2045 section 5.2: what cannot be understood is text/plain. */
static void
read_type(const struct mime_fields *f, struct span value, struct mime_part *p)
{
	struct span type = mime_take_token(&value), subtype = SPAN("");

	if (mime_take_char(&value, '/'))
		subtype = mime_take_token(&value);
	if (type.n == 0 || subtype.n == 0 || type.n > NAME_MAX_LENGTH ||
	    subtype.n > NAME_MAX_LENGTH)
		return;
	type = mime_copy_lower(f->arena, type, f->budget);
	subtype = mime_copy_lower(f->arena, subtype, f->budget);
	if (type.p == NULL || subtype.p == NULL)
		return;
	p->type = type;
	p->subtype = subtype;
	p->parameters =
	    mime_parameters(f->arena, value, &p->parameter_count, f->budget);
	p->multipart = span_is(type, "multipart");
	p->message = span_is(type, "message") && is_message(subtype);
}

static void
read_disposition(const struct mime_fields *f, struct span value,
    struct mime_part *p)
{
	struct span token;

	if (value.p == NULL)
		return;
	token = mime_take_token(&value);
	if (token.n == 0)
		return;
	p->disposition = mime_copy(f->arena, token, f->budget);
	p->disposition_parameters = mime_parameters(f->arena, value,
	    &p->disposition_parameter_count, f->budget);
}

struct span
mime_part_parameter(const struct mime_part *p, const char *name)
{
	struct span found = { NULL, 0 };

	for (size_t i = 0; i < p->parameter_count; i++)
		if (span_is(p->parameters[i].name, name) &&
		    (found.p == NULL || p->parameters[i].extended.p != NULL))
			found = p->parameters[i].value;
	return found;
}

static struct span
read_boundary(const struct mime_part *p)
{
	struct span b = mime_part_parameter(p, "boundary");

	/* RFC 2046 section 5.1.1: it does not end with a blank */
	while (b.n > 0 && (b.p[b.n - 1] == ' ' || b.p[b.n - 1] == '\t'))
		b.n--;
	return b.n > 0 ? b : (struct span){ NULL, 0 };
}

void
mime_fields_read(const struct mime_fields *f, struct span header,
    struct mime_part *p, struct span *boundary)
{
	struct span values[FIELDS] = { { NULL, 0 } }, encoding;

	find_fields(header, values);
	if (f->digest) {
		set_type(p, "message", "rfc822");
		p->message = true;
	} else {
		set_type(p, "text", "plain");
	}
	if (values[FIELD_TYPE].p != NULL) {
		if (f->digest) {
			set_type(p, "text", "plain");
			p->message = false;
		}
		read_type(f, values[FIELD_TYPE], p);
	}
	encoding = values[FIELD_ENCODING];
	if (encoding.p != NULL) {
		encoding = mime_take_token(&encoding);
		if (encoding.n > 0)
			p->encoding = mime_copy_lower(f->arena,
			    span_take(encoding, NAME_MAX_LENGTH), f->budget);
	}
	read_disposition(f, values[FIELD_DISPOSITION], p);
	p->id = copy_unfolded(f, values[FIELD_ID]);
	p->description = copy_unfolded(f, values[FIELD_DESCRIPTION]);
	p->md5 = copy_unfolded(f, values[FIELD_MD5]);
	p->location = copy_unfolded(f, values[FIELD_LOCATION]);
	p->language = copy_unfolded(f, values[FIELD_LANGUAGE]);
	if (f->message)
		p->envelope = copy_envelope(f, values);
	*boundary = (struct span){ NULL, 0 };
	if (p->multipart)
		*boundary = read_boundary(p);
}
