/* SPDX-License-Identifier: ISC */
/*
 * Bytes of messages: BODY[...], BINARY[...] and their kin.
 *
 * A literal is announced only when its length is certain. What lies in the
 * window is copied to the output; larger pieces in CRLF form go from the file
 * to the connection, those with LF through fetch_pump.h. When a file changes
 * after the announcement, the connection ends: nobody must take what follows
 * for the rest of a message.
 */
#include "imapd/fetch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "imapd/fetch_pump.h"

/* " BODY[1.2]<0> " */
void
fetch_section_begin(struct fetch_message *m, const struct section *x)
{
	struct buf *out = &m->s->out;

	if (m->begun)
		buf_add_char(out, ' ');
	m->begun = true;
	buf_add_span(out, x->label);
	buf_add_char(out, ' ');
}

static void
write_nil(struct fetch_message *m, const struct section *x)
{
	fetch_section_begin(m, x);
	buf_add_text(&m->s->out, "NIL");
}

/* Empty ones are quoted: some clients cannot read an empty literal. */
static void
announce(struct fetch_message *m, const struct section *x, uint64_t n,
    bool binary)
{
	fetch_section_begin(m, x);
	if (n == 0) {
		buf_add_text(&m->s->out, "\"\"");
		return;
	}
	buf_add_text(&m->s->out, binary ? "~{" : "{");
	buf_add_u64(&m->s->out, n);
	buf_add_text(&m->s->out, "}\r\n");
}

/* What of "total" bytes is asked for. */
static void
cut(const struct section *x, uint64_t total, uint64_t *from, uint64_t *most)
{
	*from = 0;
	*most = total;
	if (!x->partial)
		return;
	*from = x->from < total ? x->from : total;
	*most = total - *from < x->most ? total - *from : x->most;
}

static enum mail_result
broken(struct fetch_message *m, enum io *io)
{
	*io = IO_ERROR;
	imap_session_end(m->s, "a message changed while it was sent");
	return MAIL_FAILED;
}

/* A text in memory, with CRLF already. */
static enum io
write_text(struct fetch_message *m, const struct section *x, struct span text)
{
	uint64_t from, most;
	enum io io = IO_OK;

	cut(x, text.n, &from, &most);
	announce(m, x, most, false);
	text = span_take(span_skip(text, (size_t)from), (size_t)most);
	while (text.n > 0 && io == IO_OK) {
		struct span piece = span_take(text, FETCH_OUT);
		size_t start = m->s->out.n;

		buf_add_span(&m->s->out, piece);
		pump_clean(m->s, start);
		text = span_skip(text, piece.n);
		if (text.n == 0)
			break;
		m->sent = true;
		io = fetch_send(m->s);
	}
	return io;
}

/* Ends of lines without CR, one byte after the other. */
static size_t
count_bare_bytes(struct span s, char before)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; before = s.p[i++])
		n += s.p[i] == '\n' && before != '\r';
	return n;
}

/* The same, as many at once as a processor takes. */
static size_t
count_bare(struct span s)
{
	enum { BLOCK = 16, ROUNDS = 255 }; /* a sum fits a byte */
	typedef unsigned char bytes __attribute__((vector_size(BLOCK)));
	size_t n = count_bare_bytes(span_take(s, 1), '\n'), i = 1;

	while (i + BLOCK <= s.n) {
		bytes sums = { 0 };

		for (int k = 0; k < ROUNDS && i + BLOCK <= s.n; k++) {
			bytes at, before;

			memcpy(&at, s.p + i, BLOCK);
			memcpy(&before, s.p + i - 1, BLOCK);
			/* true is -1 */
			sums -= (bytes)((at == '\n') & (before != '\r'));
			i += BLOCK;
		}
		for (int k = 0; k < BLOCK; k++)
			n += sums[k];
	}
	return n +
	    (i < s.n ? count_bare_bytes(span_skip(s, i), s.p[i - 1]) : 0);
}

/* A piece of the window. */
static enum io
write_window(struct fetch_message *m, const struct section *x,
    const struct section_range *r)
{
	struct span text =
	    span_take((struct span){ m->window + r->at, m->window_n - r->at },
		r->size);
	size_t bare = m->blob.crlf ? 0 : count_bare(text), start;
	struct buf lines;
	enum io io;

	if (bare == 0)
		return write_text(m, x, text);
	if (!x->partial) {
		announce(m, x, text.n + bare, false);
		start = m->s->out.n;
		pump_convert(text, '\n', &m->s->out);
		pump_clean(m->s, start);
		return IO_OK;
	}
	buf_init(&lines, 2 * FETCH_WINDOW);
	pump_convert(text, '\n', &lines);
	io = write_text(m, x, buf_span(&lines));
	buf_fini(&lines);
	return io;
}

/* What cannot go from the file: it has NULs in it, or is no file. */
static enum io
put_chunk(struct fetch_message *m, const char *chunk, size_t n)
{
	size_t start = m->s->out.n;

	buf_add(&m->s->out, chunk, n);
	pump_clean(m->s, start);
	return fetch_send(m->s);
}

/*
 * From the file to the connection. NUL cannot stand in a literal, so all is
 * looked at; a chunk without any goes by sendfile(2).
 */
static enum mail_result
stream(struct fetch_message *m, uint64_t at, uint64_t n, enum io *io)
{
	struct imap_session *s = m->s;
	char *chunk = mem_resize(NULL, FETCH_CHUNK);

	m->sent = true;
	*io = imap_send(s);
	while (n > 0 && *io == IO_OK) {
		size_t want = n < FETCH_CHUNK ? (size_t)n : FETCH_CHUNK;

		if (fetch_read(m, at, chunk, want) != (int64_t)want)
			break;
		if (m->blob.fd == -1 || memchr(chunk, '\0', want) != NULL)
			*io = put_chunk(m, chunk, want);
		else
			*io = imap_send_file(s, m->blob.fd, (int64_t)at, want);
		at += want;
		n -= want;
	}
	free(chunk);
	return *io == IO_OK && n > 0 ? broken(m, io) : MAIL_OK;
}

static enum mail_result
write_range(struct fetch_message *m, const struct section *x,
    const struct section_range *r, enum io *io)
{
	uint64_t from, most;
	struct pump p = { .m = m, .at = r->at, .size = r->size };

	if (r->at + r->size <= m->window_n) {
		*io = write_window(m, x, r);
		return MAIL_OK;
	}
	cut(x, r->sent, &from, &most);
	announce(m, x, most, false);
	if (most == 0)
		return MAIL_OK;
	if (r->sent == r->size)
		return stream(m, r->at + from, most, io);
	p.convert = true;
	p.from = from;
	p.most = most;
	if (pump_send(&p, false, io) != MAIL_OK)
		return broken(m, io);
	return MAIL_OK;
}

/* Fields of a header, which must be in memory for that. */
static enum mail_result
write_fields(struct fetch_message *m, const struct section *x,
    struct span header, enum io *io)
{
	struct buf lines = BUF_INIT(4 * MIME_TREE_HEADER_MAX);

	section_filter(x, header, &lines);
	if (fetch_fields_keeps(x))
		fetch_fields_keep(m, x, buf_span(&lines));
	*io = write_text(m, x, buf_span(&lines));
	buf_fini(&lines);
	return MAIL_OK;
}

static bool
wants_fields(const struct section *x)
{
	return x->what == SECTION_FIELDS || x->what == SECTION_FIELDS_NOT;
}

/* Fields of the message within that the range is the header of. */
static enum mail_result
write_fields_of(struct fetch_message *m, const struct section *x,
    const struct section_range *r, enum io *io)
{
	size_t n = r->size < MIME_TREE_HEADER_MAX ? (size_t)r->size :
						    MIME_TREE_HEADER_MAX;
	char *header;
	int64_t got;
	enum mail_result result;

	if (r->at + n <= m->window_n)
		return write_fields(m, x, (struct span){ m->window + r->at, n },
		    io);
	header = mem_resize(NULL, n);
	got = fetch_read(m, r->at, header, n);
	if (got != (int64_t)n) {
		why_set(&m->why, "4.2.0",
		    "a message changed while it was read");
		result = MAIL_FAILED;
	} else {
		result = write_fields(m, x, (struct span){ header, n }, io);
	}
	free(header);
	return result;
}

/* Of the message itself, where its form says all that must be known. */
static enum mail_result
write_simple(struct fetch_message *m, const struct section *x, enum io *io)
{
	struct buf own = BUF_INIT(MIME_TREE_HEADER_MAX);
	struct section_range r = { 0, (uint64_t)m->blob.length,
		(uint64_t)m->blob.length };
	enum mail_result result = MAIL_OK;
	struct span header = { NULL, 0 };

	if (x->what != SECTION_WHOLE)
		result = fetch_header(m, &own, &header);
	if (result == MAIL_OK && wants_fields(x)) {
		result = write_fields(m, x, header, io);
	} else if (result == MAIL_OK) {
		if (x->what == SECTION_HEADER)
			r.size = r.sent = header.n;
		if (x->what == SECTION_TEXT) {
			r.at = header.n;
			r.size = r.sent = r.size - header.n;
		}
		result = write_range(m, x, &r, io);
	}
	buf_fini(&own);
	return result;
}

/*
 * Large files with LF need all sizes counted; larger headers than what is
 * looked at have ends that only the tree knows.
 */
static bool
is_simple(const struct fetch_message *m, const struct section *x)
{
	if (section_needs_tree(x))
		return false;
	return m->whole || wants_fields(x) ||
	    (x->what == SECTION_WHOLE && m->blob.crlf);
}

/* It is shorter than what would be sent at once: no wait. */
static bool
write_kept(struct fetch_message *m, const struct section *x)
{
	struct span text;
	bool found;

	mailbox_hold(m->s->mailbox);
	found = fetch_fields_find(m, x, &text);
	if (found)
		(void)write_text(m, x, text);
	mailbox_release(m->s->mailbox);
	return found;
}

enum mail_result
fetch_section(struct fetch_message *m, const struct section *x, enum io *io)
{
	enum mail_result result;
	struct section_range r;

	*io = IO_OK;
	if (!m->open && fetch_fields_keeps(x) && write_kept(m, x))
		return MAIL_OK;
	result = fetch_open(m);
	if (result == MAIL_OK && is_simple(m, x))
		return write_simple(m, x, io);
	if (result == MAIL_OK)
		result = fetch_tree(m, false);
	if (result != MAIL_OK)
		return result;
	if (!section_locate(x, m->tree, &r, NULL)) {
		write_nil(m, x);
		return MAIL_OK;
	}
	if (wants_fields(x))
		return write_fields_of(m, x, &r, io);
	return write_range(m, x, &r, io);
}

/* RFC 3516: the part with its transfer encoding undone. */
enum mail_result
fetch_binary(struct fetch_message *m, const struct section *x, enum io *io)
{
	enum mail_result result = fetch_tree(m, false);
	const struct mime_part *part;
	struct section_range r;
	struct pump p = { .m = m };
	uint64_t total;
	bool nul;

	*io = IO_OK;
	if (result != MAIL_OK)
		return result;
	if (!section_locate(x, m->tree, &r, &part)) {
		if (x->form == SECTION_BINARY) {
			write_nil(m, x);
			return MAIL_OK;
		}
		fetch_section_begin(m, x);
		buf_add_char(&m->s->out, '0');
		return MAIL_OK;
	}
	p.at = r.at;
	p.size = r.size;
	p.convert = r.sent != r.size;
	/* what holds parts is given as it is */
	if (part != NULL && !part->multipart && !part->message)
		p.decoding = mime_decoding(part->encoding);
	if (p.decoding == DECODE_UNKNOWN)
		return MAIL_NOT_ALLOWED;
	result = pump_count(&p, &total, &nul);
	if (result != MAIL_OK)
		return result;
	if (x->form == SECTION_BINARY_SIZE) {
		fetch_section_begin(m, x);
		buf_printf(&m->s->out, "%" PRIu64, total);
		return MAIL_OK;
	}
	cut(x, total, &p.from, &p.most);
	announce(m, x, p.most, nul);
	if (p.most > 0 && pump_send(&p, nul, io) != MAIL_OK)
		return broken(m, io);
	return MAIL_OK;
}
