/* SPDX-License-Identifier: ISC */
#include "imapd/parked_state.h"

#include "imapd/packed.h"

enum { VERSION = 5, EXAMINED = 1, COMPRESSED = 2 };

bool
parked_state_write(const struct parked_state *s, struct buf *out)
{
	packed_put_number(out, VERSION);
	packed_put_number(out,
	    (s->examined ? EXAMINED : 0) | (s->compressed ? COMPRESSED : 0));
	packed_put_number(out, s->enabled);
	packed_put_number(out, s->uidvalidity);
	packed_put_number(out, s->uidnext);
	packed_put_number(out, s->modseq);
	packed_put_number(out, s->removals);
	packed_put_number(out, s->first_recent);
	packed_put_number(out, s->keywords_told);
	packed_put_number(out, s->rights);
	packed_put_number(out, s->received);
	packed_put_number(out, s->sent);
	packed_put_text(out, s->user);
	packed_put_text(out, s->idle_tag);
	packed_put_text(out, s->name);
	packed_put_text(out, s->mailbox_id);
	packed_put_text(out, s->saved);
	packed_put_text(out, s->notify);
	packed_put_text(out, s->told);
	packed_put_text(out, s->contexts);
	return !out->overflow;
}

bool
parked_state_read(struct span bytes, struct parked_state *out)
{
	struct packed p = { .rest = bytes };
	uint64_t version = packed_number(&p, UINT64_MAX);
	uint64_t flags = packed_number(&p, EXAMINED | COMPRESSED);
	struct parked_state s = {
		.examined = (flags & EXAMINED) != 0,
		.compressed = (flags & COMPRESSED) != 0,
	};

	s.enabled = (uint32_t)packed_number(&p, UINT32_MAX);
	s.uidvalidity = (uint32_t)packed_number(&p, UINT32_MAX);
	s.uidnext = (uint32_t)packed_number(&p, UINT32_MAX);
	s.modseq = packed_number(&p, UINT64_MAX);
	s.removals = packed_number(&p, s.modseq);
	s.first_recent = (uint32_t)packed_number(&p, UINT32_MAX);
	s.keywords_told = (uint32_t)packed_number(&p, UINT32_MAX);
	s.rights = (uint32_t)packed_number(&p, UINT32_MAX);
	s.received = packed_number(&p, UINT64_MAX);
	s.sent = packed_number(&p, UINT64_MAX);
	s.user = packed_text(&p);
	s.idle_tag = packed_text(&p);
	s.name = packed_text(&p);
	s.mailbox_id = packed_text(&p);
	s.saved = packed_text(&p);
	s.notify = packed_text(&p);
	s.told = packed_text(&p);
	s.contexts = packed_text(&p);
	if (version != VERSION || !packed_end(&p))
		return false;
	*out = s;
	return true;
}
