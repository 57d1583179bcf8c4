/* SPDX-License-Identifier: ISC */
/* What a parked session left: what is read is what was written of it. */
#include "imapd/parked_state.h"

#include <stddef.h>
#include <stdint.h>

#include "imapd/parked_context.h"
#include "imapd/parked_told.h"
#include "lib/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of a state, not of anything else in memory. */
static void
inside(struct span part, const uint8_t *data, size_t size)
{
	const uint8_t *p = (const uint8_t *)part.p;

	ensure(part.n == 0 ||
	    (p >= data && part.n <= size && p <= data + (size - part.n)));
}

/* Searches: as far as they are some, they come back. */
static void
read_contexts(struct span text)
{
	struct packed p = { .rest = text }, p2;
	struct parked_context c, again;
	struct buf out = BUF_INIT(1 << 20);

	while (p.rest.n > 0 && !p.bad) {
		parked_context_read(&p, &c);
		if (!p.bad) {
			buf_reset(&out);
			parked_context_write(&c, &out);
			p2 = (struct packed){ .rest = buf_span(&out) };
			parked_context_read(&p2, &again);
			ensure(packed_end(&p2) && again.uid == c.uid &&
			    again.now == c.now && again.count == c.count &&
			    again.sort.count == c.sort.count &&
			    span_equal(again.tag, c.tag) &&
			    span_equal(again.keys, c.keys) &&
			    span_equal(again.numbers, c.numbers) &&
			    uid_set_members(&again.found) ==
				uid_set_members(&c.found) &&
			    uid_set_members(&again.saved) ==
				uid_set_members(&c.saved));
			parked_context_fini(&again);
		}
		parked_context_fini(&c);
	}
	buf_fini(&out);
}

/* Mailboxes: likewise. */
static void
read_told(struct span text)
{
	struct parked_told t = { .in.rest = text }, t2;
	struct buf out = BUF_INIT(1 << 20);
	struct parked_folder f, again;

	while (parked_told_next(&t, &f)) {
		struct parked_told writer = { .out = &out };

		buf_reset(&out);
		parked_told_put(&writer, &f);
		parked_told_fini(&writer);
		t2 = (struct parked_told){ .in.rest = buf_span(&out) };
		ensure(parked_told_next(&t2, &again) && packed_end(&t2.in));
		ensure(span_equal(again.name, f.name) &&
		    again.exists == f.exists &&
		    again.selectable == f.selectable &&
		    again.subscribed == f.subscribed &&
		    again.watched == f.watched &&
		    again.uidvalidity == f.uidvalidity &&
		    again.uidnext == f.uidnext &&
		    again.messages == f.messages && again.modseq == f.modseq);
		parked_told_fini(&t2);
	}
	parked_told_fini(&t);
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes = { (const char *)data, size };
	struct buf out = BUF_INIT(65536);
	struct parked_state s, again;

	read_contexts(bytes);
	read_told(bytes);
	if (parked_state_read(bytes, &s)) {
		inside(s.user, data, size);
		inside(s.idle_tag, data, size);
		inside(s.name, data, size);
		inside(s.mailbox_id, data, size);
		inside(s.saved, data, size);
		inside(s.notify, data, size);
		inside(s.told, data, size);
		inside(s.contexts, data, size);
		read_contexts(s.contexts);
		read_told(s.told);
		if (parked_state_write(&s, &out)) {
			ensure(parked_state_read(buf_span(&out), &again));
			ensure(span_equal(again.user, s.user) &&
			    span_equal(again.name, s.name) &&
			    span_equal(again.saved, s.saved) &&
			    span_equal(again.idle_tag, s.idle_tag) &&
			    span_equal(again.mailbox_id, s.mailbox_id) &&
			    again.uidvalidity == s.uidvalidity &&
			    again.uidnext == s.uidnext &&
			    again.modseq == s.modseq &&
			    again.enabled == s.enabled &&
			    again.compressed == s.compressed &&
			    again.examined == s.examined &&
			    again.rights == s.rights &&
			    span_equal(again.notify, s.notify) &&
			    span_equal(again.told, s.told) &&
			    span_equal(again.contexts, s.contexts));
		}
	}
	buf_fini(&out);
	return 0;
}
