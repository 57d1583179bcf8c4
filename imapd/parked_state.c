/* SPDX-License-Identifier: ISC */
#include "imapd/parked_state.h"

#include <string.h>

enum { VERSION = 4, EXAMINED = 1, COMPRESSED = 2 };

static void
put_number(struct buf *out, uint64_t n, size_t bytes)
{
	while (bytes-- > 0)
		buf_add_char(out, (char)(n >> (8 * bytes)));
}

static void
put_text(struct buf *out, struct span text)
{
	put_number(out, text.n, 2);
	buf_add_span(out, text);
}

bool
parked_state_write(const struct parked_state *s, struct buf *out)
{
	if (s->user.n > UINT16_MAX || s->idle_tag.n > UINT16_MAX ||
	    s->name.n > UINT16_MAX || s->mailbox_id.n > UINT16_MAX ||
	    s->saved.n > UINT16_MAX || s->notify.n > UINT16_MAX)
		return false;
	put_number(out, VERSION, 1);
	put_number(out,
	    (s->examined ? EXAMINED : 0) | (s->compressed ? COMPRESSED : 0), 1);
	put_number(out, s->enabled, 4);
	put_number(out, s->uidvalidity, 4);
	put_number(out, s->uidnext, 4);
	put_number(out, s->modseq, 8);
	put_number(out, s->removals, 8);
	put_number(out, s->first_recent, 4);
	put_number(out, s->keywords_told, 4);
	put_number(out, s->rights, 4);
	put_number(out, s->received, 8);
	put_number(out, s->sent, 8);
	put_text(out, s->user);
	put_text(out, s->idle_tag);
	put_text(out, s->name);
	put_text(out, s->mailbox_id);
	put_text(out, s->saved);
	put_text(out, s->notify);
	return !out->overflow;
}

/* Of what is not there: 0, and *good is false. */
static uint64_t
number(struct span *rest, size_t bytes, bool *good)
{
	uint64_t n = 0;

	if (rest->n < bytes) {
		*good = false;
		return 0;
	}
	for (size_t i = 0; i < bytes; i++)
		n = n << 8 | (unsigned char)rest->p[i];
	*rest = span_skip(*rest, bytes);
	return n;
}

static struct span
text(struct span *rest, bool *good)
{
	size_t n = (size_t)number(rest, 2, good);
	struct span s = SPAN("");

	if (n > rest->n)
		*good = false;
	if (!*good)
		return s;
	s = span_take(*rest, n);
	*rest = span_skip(*rest, n);
	return s;
}

bool
parked_state_read(struct span bytes, struct parked_state *out)
{
	bool good = true;
	uint64_t version = number(&bytes, 1, &good);
	uint64_t flags = number(&bytes, 1, &good);
	struct parked_state s = {
		.examined = (flags & EXAMINED) != 0,
		.compressed = (flags & COMPRESSED) != 0,
	};

	s.enabled = (uint32_t)number(&bytes, 4, &good);
	s.uidvalidity = (uint32_t)number(&bytes, 4, &good);
	s.uidnext = (uint32_t)number(&bytes, 4, &good);
	s.modseq = number(&bytes, 8, &good);
	s.removals = number(&bytes, 8, &good);
	s.first_recent = (uint32_t)number(&bytes, 4, &good);
	s.keywords_told = (uint32_t)number(&bytes, 4, &good);
	s.rights = (uint32_t)number(&bytes, 4, &good);
	s.received = number(&bytes, 8, &good);
	s.sent = number(&bytes, 8, &good);
	s.user = text(&bytes, &good);
	s.idle_tag = text(&bytes, &good);
	s.name = text(&bytes, &good);
	s.mailbox_id = text(&bytes, &good);
	s.saved = text(&bytes, &good);
	s.notify = text(&bytes, &good);
	if (!good || version != VERSION || flags > (EXAMINED | COMPRESSED) ||
	    s.removals > s.modseq || bytes.n > 0)
		return false;
	*out = s;
	return true;
}
