/* SPDX-License-Identifier: ISC */
#include "imapd/parked_told.h"

enum { EXISTS = 1, SELECTABLE = 2, SUBSCRIBED = 4, WATCHED = 8, ALL = 15 };

/* Twice the distance, odd downwards. */
static void
put_step(struct buf *out, uint64_t *last, uint64_t n)
{
	packed_put_number(out,
	    n >= *last ? (n - *last) << 1 : (*last - n) << 1 | 1);
	*last = n;
}

static uint64_t
take_step(struct packed *in, uint64_t *last, uint64_t most)
{
	uint64_t step = packed_number(in, UINT64_MAX), n = step >> 1;

	if ((step & 1) != 0 ? n > *last : *last > most || n > most - *last)
		in->bad = true;
	else
		*last = (step & 1) != 0 ? *last - n : *last + n;
	return *last;
}

static size_t
in_common(struct span a, struct span b)
{
	size_t n = 0;

	while (n < a.n && n < b.n && a.p[n] == b.p[n])
		n++;
	return n;
}

static void
keep_name(struct parked_told *t, size_t same, struct span rest)
{
	if (t->name.max == 0)
		buf_init(&t->name, PARKED_NAME_MAX);
	t->name.n = same;
	buf_add_span(&t->name, rest);
}

void
parked_told_put(struct parked_told *t, const struct parked_folder *f)
{
	size_t same = in_common(buf_span(&t->name), f->name);
	struct span rest = span_skip(f->name, same);

	packed_put_number(t->out,
	    (f->exists ? EXISTS : 0) | (f->selectable ? SELECTABLE : 0) |
		(f->subscribed ? SUBSCRIBED : 0) | (f->watched ? WATCHED : 0));
	packed_put_number(t->out, same);
	packed_put_text(t->out, rest);
	keep_name(t, same, rest);
	if (!f->watched)
		return;
	put_step(t->out, &t->uidvalidity, f->uidvalidity);
	packed_put_number(t->out, f->uidnext);
	packed_put_number(t->out, f->messages);
	put_step(t->out, &t->modseq, f->modseq);
}

bool
parked_told_next(struct parked_told *t, struct parked_folder *out)
{
	struct packed *in = &t->in;
	uint64_t flags;
	size_t same;

	if (in->rest.n == 0 || in->bad)
		return false;
	flags = packed_number(in, ALL);
	*out = (struct parked_folder){
		.exists = (flags & EXISTS) != 0,
		.selectable = (flags & SELECTABLE) != 0,
		.subscribed = (flags & SUBSCRIBED) != 0,
		.watched = (flags & WATCHED) != 0,
	};
	same = (size_t)packed_number(in, t->name.n);
	keep_name(t, same, packed_text(in));
	out->name = buf_span(&t->name);
	if (out->watched) {
		out->uidvalidity =
		    (uint32_t)take_step(in, &t->uidvalidity, UINT32_MAX);
		out->uidnext = (uint32_t)packed_number(in, UINT32_MAX);
		out->messages = (uint32_t)packed_number(in, UINT32_MAX);
		out->modseq = take_step(in, &t->modseq, INT64_MAX);
	}
	if (t->name.overflow || out->name.n == 0 ||
	    span_find(out->name, '\0') < out->name.n)
		in->bad = true;
	return !in->bad;
}

void
parked_told_fini(struct parked_told *t)
{
	buf_fini(&t->name);
}
