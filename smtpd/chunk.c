/* SPDX-License-Identifier: ISC */
/*
 * BDAT: RFC 3030. The bytes behind the command are read in every case: what
 * a refused chunk holds must not be taken for commands.
 */
#include "smtpd/chunk.h"

#include "lib/log/log.h"
#include "smtpd/reception.h"

enum {
	SMALL_CHUNK = 512, /* many of these are no way to send mail */
	SHOWN_MAX = 100, /* bytes of a wrong command in the log */
};

struct chunk {
	uint64_t size;
	bool last;
};

/* "count" or "count LAST". */
static bool
parse(struct span arguments, struct chunk *c)
{
	struct span word;

	if (!span_cut(&arguments, " \t", true, &word) ||
	    !span_u64(word, INT64_MAX, &c->size))
		return false;
	arguments = span_trim(arguments);
	c->last = span_is_nocase(arguments, "LAST");
	return c->last || arguments.n == 0;
}

/* Where its content ends is not known: nothing after it can be trusted. */
static void
bad_syntax(struct session *s, struct span arguments)
{
	log_warning("%s: malformed BDAT command syntax from %s: BDAT %.*s",
	    session_id(s), s->client.full,
	    (int)(arguments.n < SHOWN_MAX ? arguments.n : SHOWN_MAX),
	    arguments.p);
	say_no(s, 521, "5.5.4", "Syntax: BDAT count [LAST]");
	stream_flush(s->io);
	s->dropped = s->closing = true;
}

/* The bytes of a chunk, into r or, if that is NULL, nowhere. */
static enum io
receive(struct session *s, uint64_t left, struct reception *r)
{
	struct span bytes, in;
	enum io result;

	while (left > 0) {
		result = r != NULL ? reception_peek(s, r, &bytes) :
				     stream_peek(s->io, &bytes);
		if (result != IO_OK)
			return result;
		if (bytes.n > left)
			bytes.n = (size_t)left;
		in = bytes;
		if (r != NULL)
			reception_take(r, &in);
		stream_consume(s->io, bytes.n);
		left -= bytes.n;
	}
	return IO_OK;
}

static void
skip(struct session *s, uint64_t size)
{
	enum io result;

	stream_deadline(s->io, 0);
	stream_timeout(s->io, s->p->smtpd_timeout * 1000);
	result = receive(s, size, NULL);
	if (result != IO_OK)
		session_lost(s, result);
}

void
chunk_skip(struct session *s, struct span arguments)
{
	struct chunk c;

	if (s->closing)
		return;
	if (parse(arguments, &c))
		skip(s, c.size);
	else
		bad_syntax(s, arguments);
}

static void
conclude(struct session *s, struct reception *r, const struct chunk *c)
{
	if (c->last) {
		reception_finish(s, r);
		transaction_free(s);
	} else if (submission_refused(r->submission)) {
		reception_fail(s, r);
		transaction_free(s);
	} else {
		session_state(s, STATE_CHUNKS);
		say(s, 250, "2.0.0", "Ok: %llu bytes",
		    (unsigned long long)c->size);
	}
}

void
verb_bdat(struct session *s, struct span arguments)
{
	struct reception *r;
	struct chunk c;
	enum io result;

	if (!parse(arguments, &c)) {
		bad_syntax(s, arguments);
		return;
	}
	if (s->mail->chunks == NULL) {
		if (!reception_allowed(s)) {
			skip(s, c.size);
			/* those behind it are no message without it, whatever
			 * the policy says then */
			transaction_free(s);
			return;
		}
		s->mail->chunks = reception_new(s, true);
	}
	r = s->mail->chunks;
	if (!c.last && c.size < SMALL_CHUNK)
		session_junk(s);
	result = receive(s, c.size, r);
	if (result != IO_OK)
		reception_lost(s, r, result);
	else
		conclude(s, r, &c);
}
