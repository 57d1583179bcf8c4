/* SPDX-License-Identifier: ISC */
#include "lib/mail/downgrade.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/ensure.h"
#include "lib/base/mem.h"
#include "lib/mail/encoded_word.h"
#include "lib/mail/header.h"
#include "lib/mail/mime_walk.h"

enum {
	QP_LINE = 76, /* RFC 2045 section 6.7 */
	BASE64_BYTES = 57, /* 76 characters */
	OUT_ROOM = 32768,
};

/* What the first pass found out about an entity's body. */
struct finding {
	bool eight; /* has bytes above 127 */
	bool not_utf8;
	bool multipart;
	unsigned char expected; /* continuation bytes to come */
};

struct downgrade {
	struct mime_walk *walk;
	size_t depth;
	struct finding *found;
	size_t count;
	const char *obstacle;

	/* second pass */
	downgrade_sink *sink;
	void *with;
	struct buf out;
	enum mime_encoding code; /* of the body now; MIME_7BIT: as it is */
	bool needs_blank; /* between header and body */
	size_t column;
	char blank; /* held back: the last of a line must be encoded */
	unsigned char bytes[BASE64_BYTES];
	size_t bytes_n;
	bool line_end_held; /* base64: it may belong to the boundary */
};

/* First pass. */

static struct finding *
finding_of(struct downgrade *d, const struct mime_entity *e)
{
	while (d->count <= e->number) {
		if (d->count % 64 == 0)
			d->found = mem_resize(d->found,
			    (d->count + 64) * sizeof(*d->found));
		memset(&d->found[d->count++], 0, sizeof(*d->found));
	}
	return &d->found[e->number];
}

static void
obstacle(struct downgrade *d, const char *why)
{
	if (d->obstacle == NULL)
		d->obstacle = why;
}

static void
look_header(void *with, const struct mime_entity *e, struct span fields,
    bool empty)
{
	struct downgrade *d = with;
	struct buf scratch = BUF_INIT(2 * MIME_HEADER_MAX);
	struct header_field f;

	(void)empty;
	(void)finding_of(d, e);
	if (!span_is_ascii(fields)) {
		if (e->header_signed)
			obstacle(d, "8-bit header under a signature");
		while (header_next(&fields, true, &f) == HEADER_FIELD)
			if (!encoded_word_field(&f, &scratch))
				obstacle(d,
				    "8-bit bytes in a structured "
				    "header field");
	}
	buf_fini(&scratch);
}

/* Follows UTF-8 across pieces, roughly: lengths, not ranges. */
static void
check_utf8(struct finding *f, unsigned char c)
{
	if (f->expected > 0) {
		f->expected--;
		if ((c & 0xc0) != 0x80)
			f->not_utf8 = true;
	} else if (c >= 0x80) {
		f->expected = (c & 0xe0) == 0xc0 ? 1 :
		    (c & 0xf0) == 0xe0           ? 2 :
		    (c & 0xf8) == 0xf0           ? 3 :
						   0;
		if (f->expected == 0)
			f->not_utf8 = true;
	}
}

static void
look_text(void *with, const struct mime_entity *e, struct span bytes)
{
	struct downgrade *d = with;
	struct finding *f = finding_of(d, e);

	if (f->expected == 0 && span_is_ascii(bytes))
		return;
	f->eight = true;
	f->multipart = e->kind == MIME_MULTIPART;
	for (size_t i = 0; i < bytes.n; i++)
		check_utf8(f, (unsigned char)bytes.p[i]);
	if (e->too_deep)
		obstacle(d,
		    "8-bit content, and MIME nesting exceeds "
		    "mime_nesting_limit");
	else if (e->kind == MIME_OPAQUE)
		obstacle(d, "8-bit content in a fragment");
	else if (e->signed_over)
		obstacle(d, "8-bit content under a signature");
	else if (e->encoding == MIME_UNKNOWN)
		obstacle(d, "8-bit content in an unknown encoding");
}

static void
look_line_end(void *with, const struct mime_entity *e, bool crlf)
{
	struct downgrade *d = with;

	(void)crlf;
	if (e != NULL && finding_of(d, e)->expected > 0) {
		finding_of(d, e)->not_utf8 = true;
		finding_of(d, e)->expected = 0;
	}
}

static void
look_boundary(void *with, struct span line)
{
	if (!span_is_ascii(line))
		obstacle(with, "8-bit bytes in a boundary");
}

struct downgrade *
downgrade_new(size_t depth)
{
	static const struct mime_events events = { look_header, look_text,
		look_line_end, look_boundary };
	struct downgrade *d = mem_new(sizeof(*d));

	d->depth = depth;
	d->walk = mime_walk_new(&events, d);
	mime_walk_depth(d->walk, depth);
	buf_init(&d->out, 4 * MIME_HEADER_MAX);
	return d;
}

void
downgrade_free(struct downgrade **dp)
{
	struct downgrade *d = *dp;

	if (d == NULL)
		return;
	*dp = NULL;
	mime_walk_free(&d->walk);
	buf_fini(&d->out);
	free(d->found);
	free(d);
}

void
downgrade_look(struct downgrade *d, struct span in)
{
	if (!mime_walk_put(d->walk, in))
		obstacle(d, "header too long, or too many parts");
}

const char *
downgrade_obstacle(struct downgrade *d)
{
	if (!mime_walk_end(d->walk))
		obstacle(d, "header too long, or too many parts");
	/* preambles may suffer, but this is all that there is */
	if (d->count > 0 && d->found[d->count - 1].multipart)
		obstacle(d, "8-bit content, and none of the parts announced");
	return d->obstacle;
}

/* Second pass: out. */

static void
give(struct downgrade *d)
{
	/*
	 * A last look at each byte: the promise is that none has eight bits.
	 * What could come here with one was found by the first pass.
	 */
	for (size_t i = 0; i < d->out.n; i++)
		if ((unsigned char)d->out.p[i] >= 0x80)
			d->out.p[i] = '?';
	if (d->out.n > 0)
		d->sink(d->with, buf_span(&d->out));
	buf_reset(&d->out);
}

static void
give_much(struct downgrade *d)
{
	if (d->out.n >= OUT_ROOM)
		give(d);
}

/* Quoted-printable. */

static void
qp_code(struct downgrade *d, unsigned char c)
{
	if (d->column + 3 > QP_LINE - 1) {
		buf_add_text(&d->out, "=\r\n");
		d->column = 0;
	}
	buf_printf(&d->out, "=%02X", c);
	d->column += 3;
}

static void
qp_plain(struct downgrade *d, char c)
{
	if (d->column + 1 > QP_LINE - 1) {
		buf_add_text(&d->out, "=\r\n");
		d->column = 0;
	}
	buf_add_char(&d->out, c);
	d->column++;
}

static void
qp_byte(struct downgrade *d, unsigned char c)
{
	if (d->blank != 0)
		qp_plain(d, d->blank);
	d->blank = 0;
	if (c == ' ' || c == '\t')
		d->blank = (char)c;
	else if (c > ' ' && c < 0x7f && c != '=')
		qp_plain(d, (char)c);
	else
		qp_code(d, c);
}

static void
qp_line_end(struct downgrade *d)
{
	if (d->blank != 0)
		qp_code(d, (unsigned char)d->blank);
	d->blank = 0;
	buf_add_text(&d->out, "\r\n");
	d->column = 0;
}

/* Base 64. */

static void
base64_line(struct downgrade *d)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < d->bytes_n; i += 3) {
		size_t n = d->bytes_n - i;
		unsigned int v = (unsigned int)d->bytes[i] << 16;

		v |= n > 1 ? (unsigned int)d->bytes[i + 1] << 8 : 0;
		v |= n > 2 ? d->bytes[i + 2] : 0;
		buf_add_char(&d->out, digits[v >> 18]);
		buf_add_char(&d->out, digits[v >> 12 & 63]);
		buf_add_char(&d->out, n > 1 ? digits[v >> 6 & 63] : '=');
		buf_add_char(&d->out, n > 2 ? digits[v & 63] : '=');
	}
	if (d->bytes_n > 0)
		buf_add_text(&d->out, "\r\n");
	d->bytes_n = 0;
}

static void
base64_byte(struct downgrade *d, unsigned char c)
{
	d->bytes[d->bytes_n++] = c;
	if (d->bytes_n == BASE64_BYTES)
		base64_line(d);
}

static void
base64_held(struct downgrade *d)
{
	if (!d->line_end_held)
		return;
	d->line_end_held = false;
	base64_byte(d, '\r');
	base64_byte(d, '\n');
}

/* The body of the part that was being encoded is over. */
static void
end_body(struct downgrade *d, bool at_boundary)
{
	if (d->code == MIME_QUOTED_PRINTABLE && d->blank != 0)
		qp_code(d, (unsigned char)d->blank);
	if (d->code == MIME_BASE64) {
		if (!at_boundary)
			base64_held(d);
		base64_line(d);
	}
	d->blank = 0;
	d->column = 0;
	d->line_end_held = false;
	d->code = MIME_7BIT;
}

/* Is the body of this entity to be encoded, and how? */
static enum mime_encoding
code_for(const struct downgrade *d, const struct mime_entity *e)
{
	if ((e->kind != MIME_TEXT && e->kind != MIME_OTHER) ||
	    e->encoding > MIME_BINARY || e->number >= d->count ||
	    !d->found[e->number].eight)
		return MIME_7BIT;
	return e->kind == MIME_TEXT ? MIME_QUOTED_PRINTABLE : MIME_BASE64;
}

/*
 * What holds others is 7bit now; but where an encoding is named that nobody
 * knows, its bytes mean what that says, and it stays, as with Postfix.
 */
static bool
becomes_7bit(const struct mime_entity *e)
{
	return (e->kind == MIME_MULTIPART || e->kind == MIME_MESSAGE) &&
	    e->encoding != MIME_UNKNOWN;
}

static void
add_new_fields(struct downgrade *d, const struct mime_entity *e,
    enum mime_encoding code)
{
	if (code != MIME_7BIT && e->message && !e->has_version)
		buf_add_text(&d->out, "MIME-Version: 1.0\r\n");
	if (code != MIME_7BIT && !e->has_type)
		buf_printf(&d->out, "Content-Type: text/plain; charset=%s\r\n",
		    d->found[e->number].not_utf8 ? "unknown-8bit" : "utf-8");
	if (code == MIME_QUOTED_PRINTABLE)
		buf_add_text(&d->out,
		    "Content-Transfer-Encoding: quoted-printable\r\n");
	else if (code == MIME_BASE64)
		buf_add_text(&d->out, "Content-Transfer-Encoding: base64\r\n");
	else if (e->has_encoding && becomes_7bit(e))
		buf_add_text(&d->out, "Content-Transfer-Encoding: 7bit\r\n");
}

static bool
encoding_changes(const struct mime_entity *e, enum mime_encoding code)
{
	return code != MIME_7BIT || becomes_7bit(e);
}

static void
convert_header(void *with, const struct mime_entity *e, struct span fields,
    bool empty)
{
	struct downgrade *d = with;
	enum mime_encoding code = code_for(d, e);
	struct header_field f;

	while (header_next(&fields, true, &f) == HEADER_FIELD) {
		if (encoding_changes(e, code) &&
		    header_is(&f, "Content-Transfer-Encoding"))
			continue;
		(void)encoded_word_field(&f, &d->out);
		give_much(d);
	}
	add_new_fields(d, e, code);
	d->needs_blank = !empty;
	if (empty)
		buf_add_text(&d->out, "\r\n");
	d->code = code;
	give_much(d);
}

/* A body without an empty line before it gets one. */
static void
add_blank(struct downgrade *d)
{
	if (d->needs_blank)
		buf_add_text(&d->out, "\r\n");
	d->needs_blank = false;
}

/* Bytes that are given out as they are, but for what has eight bits. */
static void
plain_bytes(struct downgrade *d, const struct mime_entity *e, struct span bytes)
{
	if (e->encoding != MIME_QUOTED_PRINTABLE || span_is_ascii(bytes)) {
		buf_add_span(&d->out, bytes); /* give() sees to the rest */
		return;
	}
	for (size_t i = 0; i < bytes.n; i++) {
		unsigned char c = (unsigned char)bytes.p[i];

		if (c < 0x80)
			buf_add_char(&d->out, (char)c);
		else
			buf_printf(&d->out, "=%02X", c);
	}
}

static void
convert_text(void *with, const struct mime_entity *e, struct span bytes)
{
	struct downgrade *d = with;

	add_blank(d);
	while (bytes.n > 0) {
		struct span part = span_take(bytes, 4096);

		bytes = span_skip(bytes, part.n);
		if (d->code == MIME_7BIT)
			plain_bytes(d, e, part);
		if (d->code == MIME_BASE64)
			base64_held(d);
		for (size_t i = 0; d->code != MIME_7BIT && i < part.n; i++) {
			if (d->code == MIME_BASE64)
				base64_byte(d, (unsigned char)part.p[i]);
			else
				qp_byte(d, (unsigned char)part.p[i]);
		}
		give_much(d);
	}
}

static void
convert_line_end(void *with, const struct mime_entity *e, bool crlf)
{
	struct downgrade *d = with;

	(void)crlf;
	if (e != NULL)
		add_blank(d);
	if (e == NULL || d->code == MIME_7BIT) {
		buf_add_text(&d->out, "\r\n");
	} else if (d->code == MIME_QUOTED_PRINTABLE) {
		qp_line_end(d);
	} else {
		base64_held(d);
		d->line_end_held = true;
	}
	give_much(d);
}

static void
convert_boundary(void *with, struct span line)
{
	struct downgrade *d = with;

	end_body(d, true);
	add_blank(d); /* an empty part */
	buf_add_span(&d->out, line);
	give_much(d);
}

void
downgrade_begin(struct downgrade *d, downgrade_sink *sink, void *with)
{
	static const struct mime_events events = { convert_header, convert_text,
		convert_line_end, convert_boundary };

	ensure(d->obstacle == NULL);
	mime_walk_free(&d->walk);
	d->walk = mime_walk_new(&events, d);
	mime_walk_depth(d->walk, d->depth);
	d->sink = sink;
	d->with = with;
	d->code = MIME_7BIT;
}

void
downgrade_convert(struct downgrade *d, struct span in)
{
	(void)mime_walk_put(d->walk, in);
}

void
downgrade_end(struct downgrade *d)
{
	(void)mime_walk_end(d->walk);
	end_body(d, false);
	give(d);
}
