/* SPDX-License-Identifier: ISC */
#include "imapd/fetch_pump.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/task/task.h"

enum { CHUNK = 65536, OUT_MAX = 4 * CHUNK };

/* Between two chunks: what is needed to go on from here. */
struct state {
	uint64_t in, out; /* bytes behind, and what came of them */
	char last; /* byte before */
	struct mime_decoder decoder;
};

/*
 * Clients take large parts piece by piece: where the last piece ended, so that
 * the next does not begin at the beginning. Of one message, that of whichever
 * session asked last.
 */
static struct place {
	dev_t device;
	ino_t inode;
	struct timespec changed;
	uint64_t at, size;
	bool convert;
	enum mime_decoding decoding;
	bool counted, nul;
	uint64_t total;
	struct state state;
} place;

struct run {
	const struct pump *p;
	struct state state;
	struct place place; /* its own: others may run while this one waits */
	struct buf converted, decoded;
	char *chunk;
	/* where it goes */
	bool counting, nul, binary;
	uint64_t left; /* still to be sent */
	enum io io;
};

void
pump_clean(struct imap_session *s, size_t start)
{
	char *p = s->out.p + start, *end = s->out.p + s->out.n;

	while (p < end && (p = memchr(p, '\0', (size_t)(end - p))) != NULL)
		*p++ = (char)0x80;
}

void
pump_convert(struct span text, char last, struct buf *out)
{
	const char *p = text.p, *end = text.p + text.n, *lf;
	/* worst: nothing but LF */
	char *to = buf_reserve(out, 2 * text.n), *at = to;

	if (to == NULL)
		return;
	while (p < end && (lf = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		size_t n = (size_t)(lf - p);

		memcpy(at, p, n);
		at += n;
		if ((lf > text.p ? lf[-1] : last) != '\r')
			*at++ = '\r';
		*at++ = '\n';
		p = lf + 1;
	}
	if (p < end)
		memcpy(at, p, (size_t)(end - p));
	at += end - p;
	buf_added(out, (size_t)(at - to));
}

/* What comes out at the end. */
static void
deliver(struct run *r, struct span s)
{
	struct imap_session *session = r->p->m->s;
	uint64_t before = r->state.out;
	size_t start = session->out.n;

	r->state.out += s.n;
	if (r->counting) {
		r->nul |= s.n > 0 && memchr(s.p, '\0', s.n) != NULL;
		(void)wait_yield();
		return;
	}
	if (before < r->p->from) {
		uint64_t skip = r->p->from - before;

		s = span_skip(s, skip < s.n ? (size_t)skip : s.n);
	}
	s = span_take(s, r->left < s.n ? (size_t)r->left : s.n);
	r->left -= s.n;
	buf_add_span(&session->out, s);
	if (!r->binary)
		pump_clean(session, start);
	if (session->out.n >= FETCH_OUT) {
		r->p->m->sent = true;
		r->io = fetch_send(session);
	}
}

/* A chunk as stored; its end is "last" when nothing follows. */
static void
pass(struct run *r, struct span s)
{
	if (r->p->convert) {
		buf_reset(&r->converted);
		pump_convert(s, r->state.last, &r->converted);
		r->state.last = s.p[s.n - 1];
		s = buf_span(&r->converted);
	}
	if (r->p->decoding == DECODE_QUOTED_PRINTABLE ||
	    r->p->decoding == DECODE_BASE64) {
		buf_reset(&r->decoded);
		mime_decoder_put(&r->state.decoder, s, &r->decoded);
		s = buf_span(&r->decoded);
	}
	deliver(r, s);
}

static void
finish(struct run *r)
{
	buf_reset(&r->decoded);
	mime_decoder_end(&r->state.decoder, &r->decoded);
	if (r->decoded.n > 0 && r->io == IO_OK)
		deliver(r, buf_span(&r->decoded));
}

/* The place that is remembered, if it is one of this; else a new one. */
static void
look_for_place(const struct pump *p, struct place *out)
{
	struct stat st = { 0 };

	if (p->m->blob.fd != -1 && fstat(p->m->blob.fd, &st) == 0 &&
	    place.device == st.st_dev && place.inode == st.st_ino &&
	    place.changed.tv_sec == st.st_mtim.tv_sec &&
	    place.changed.tv_nsec == st.st_mtim.tv_nsec && place.at == p->at &&
	    place.size == p->size && place.convert == p->convert &&
	    place.decoding == p->decoding) {
		*out = place;
		return;
	}
	*out = (struct place){ .device = st.st_dev,
		.inode = st.st_ino,
		.changed = st.st_mtim,
		.at = p->at,
		.size = p->size,
		.convert = p->convert,
		.decoding = p->decoding,
		.state.last = '\n' };
	mime_decoder_init(&out->state.decoder, p->decoding);
}

static enum mail_result
run(struct run *r)
{
	const struct pump *p = r->p;
	int64_t got = 1;

	while (r->state.in < p->size && got > 0 && r->io == IO_OK &&
	    (r->counting || r->left > 0)) {
		uint64_t left = p->size - r->state.in;

		if (!r->counting)
			r->place.state = r->state;
		got = fetch_read(p->m, p->at + r->state.in, r->chunk,
		    left < CHUNK ? (size_t)left : CHUNK);
		if (got > 0) {
			r->state.in += (uint64_t)got;
			pass(r, (struct span){ r->chunk, (size_t)got });
		}
	}
	if (got < 0) {
		why_errno(&p->m->why, "4.2.0", "reading a message");
		return MAIL_FAILED;
	}
	if (r->state.in == p->size)
		finish(r);
	if (got == 0 || (!r->counting && r->left > 0 && r->io == IO_OK)) {
		why_set(&p->m->why, "4.2.0",
		    "a message changed while it was read");
		return MAIL_FAILED;
	}
	return MAIL_OK;
}

static void
begin(struct run *r, const struct pump *p)
{
	memset(r, 0, sizeof(*r));
	r->p = p;
	r->io = IO_OK;
	r->state.last = '\n';
	mime_decoder_init(&r->state.decoder, p->decoding);
	buf_init(&r->converted, OUT_MAX);
	buf_init(&r->decoded, OUT_MAX);
	r->chunk = mem_resize(NULL, CHUNK);
	look_for_place(p, &r->place);
}

static void
end(struct run *r)
{
	/* without a file there is nothing to tell it by */
	if (r->place.inode != 0)
		place = r->place;
	buf_fini(&r->converted);
	buf_fini(&r->decoded);
	free(r->chunk);
}

enum mail_result
pump_count(const struct pump *p, uint64_t *total, bool *nul)
{
	enum mail_result result = MAIL_OK;
	struct run r;

	begin(&r, p);
	if (!r.place.counted) {
		r.counting = true;
		result = run(&r);
		r.place.counted = result == MAIL_OK;
		r.place.total = r.state.out;
		r.place.nul = r.nul;
	}
	*total = r.place.total;
	*nul = r.place.nul;
	end(&r);
	return result;
}

enum mail_result
pump_send(const struct pump *p, bool binary, enum io *io)
{
	enum mail_result result;
	struct run r;

	begin(&r, p);
	if (r.place.state.in > 0 && r.place.state.out <= p->from)
		r.state = r.place.state;
	r.binary = binary;
	r.left = p->most;
	result = run(&r);
	*io = r.io;
	end(&r);
	return result;
}
