/* SPDX-License-Identifier: ISC */
#include "imapd/parked_context.h"

#include <stdlib.h>

#include "lib/base/mem.h"

enum { UID = 1, SORTED = 2 };

static void
write_sorted(const struct parked_context *c, struct buf *out)
{
	uint32_t before = 0;

	packed_put_number(out, c->sort.count);
	for (size_t i = 0; i < c->sort.count; i++) {
		const struct sort_criterion *k = &c->sort.criteria[i];

		packed_put_number(out,
		    2 * (uint64_t)k->by + (k->reverse ? 1 : 0));
	}
	packed_put_number(out, c->count);
	/* up and down: twice the distance, odd downwards */
	for (uint64_t i = 0; i < c->count; i++) {
		uint32_t uid = c->order[i];

		packed_put_number(out,
		    uid >= before ? 2 * (uint64_t)(uid - before) :
				    2 * (uint64_t)(before - uid) + 1);
		before = uid;
	}
}

void
parked_context_write(const struct parked_context *c, struct buf *out)
{
	bool sorted = c->sort.count > 0;

	packed_put_number(out, (c->uid ? UID : 0) | (sorted ? SORTED : 0));
	packed_put_text(out, c->tag);
	packed_put_text(out, c->charset);
	packed_put_text(out, c->keys);
	packed_put_number(out, (uint64_t)c->now);
	packed_put_text(out, c->numbers);
	packed_put_set(out, &c->saved);
	if (sorted)
		write_sorted(c, out);
	else
		packed_put_set(out, &c->found);
}

static void
read_order(struct packed *p, struct parked_context *c)
{
	uint64_t count = packed_number(p, p->rest.n);
	int64_t uid = 0;

	c->order = mem_resize(NULL, (count + 1) * sizeof(*c->order));
	while (c->count < count && !p->bad) {
		int64_t n = (int64_t)packed_number(p, 2 * (uint64_t)UINT32_MAX);

		uid += n % 2 == 0 ? n / 2 : -(n / 2);
		if (uid < 1 || uid > UINT32_MAX)
			p->bad = true;
		else
			c->order[c->count++] = (uint32_t)uid;
	}
	for (uint64_t i = 0; i < c->count; i++)
		uid_set_add(&c->found, c->order[i]);
}

static void
read_sorted(struct packed *p, struct parked_context *c)
{
	const size_t most =
	    sizeof(c->sort.criteria) / sizeof(c->sort.criteria[0]);

	c->sort.count = (size_t)packed_number(p, most);
	for (size_t i = 0; i < c->sort.count; i++) {
		uint64_t n = packed_number(p, 2 * SORT_KEYS - 1);

		c->sort.criteria[i] =
		    (struct sort_criterion){ .by = (enum sort_by)(n / 2),
			    .reverse = n % 2 != 0 };
	}
	if (c->sort.count == 0)
		p->bad = true;
	read_order(p, c);
}

void
parked_context_read(struct packed *p, struct parked_context *out)
{
	uint64_t flags = packed_number(p, UID | SORTED);

	*out = (struct parked_context){ .uid = (flags & UID) != 0 };
	out->tag = packed_text(p);
	out->charset = packed_text(p);
	out->keys = packed_text(p);
	out->now = (int64_t)packed_number(p, INT64_MAX);
	out->numbers = packed_text(p);
	packed_set(p, &out->saved);
	if ((flags & SORTED) != 0)
		read_sorted(p, out);
	else
		packed_set(p, &out->found);
}

void
parked_context_fini(struct parked_context *c)
{
	uid_set_fini(&c->saved);
	uid_set_fini(&c->found);
	free(c->order);
	c->order = NULL;
}
