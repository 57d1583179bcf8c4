/* SPDX-License-Identifier: ISC */
#include "lib/table/network_order.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

/* An address as a number; an IPv4 one has the upper half zero. */
struct number {
	uint64_t high, low;
};

/* A network while it is put into its place. */
struct stretch {
	struct number from, to; /* both belong to it */
	unsigned int bits;
	size_t place; /* in the array */
};

/* From here to the next cut. */
struct cut {
	struct number from;
	size_t first; /* NETWORK_NONE */
};

struct family {
	struct cut *cuts; /* by from; the first begins at zero */
	size_t count;
};

struct network_order {
	struct family v4, v6;
};

static uint64_t
big_endian(const uint8_t *p, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = sum << 8 | p[i];
	return sum;
}

static struct number
number_of(const struct network *n)
{
	if (n->length == 4)
		return (struct number){ 0, big_endian(n->bytes, 4) };
	return (struct number){ big_endian(n->bytes, 8),
		big_endian(n->bytes + 8, 8) };
}

static int
compare(struct number a, struct number b)
{
	if (a.high != b.high)
		return a.high < b.high ? -1 : 1;
	return a.low == b.low ? 0 : a.low < b.low ? -1 : 1;
}

static uint64_t
ones(unsigned int n)
{
	return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

/* Its last address. */
static struct number
end_of(const struct network *n)
{
	unsigned int free_bits = n->length * 8 - n->bits;
	struct number end = number_of(n);

	end.low |= ones(free_bits);
	if (free_bits > 64)
		end.high |= ones(free_bits - 64);
	return end;
}

/* False: it was the last of all. */
static bool
next_number(struct number *n)
{
	n->low++;
	if (n->low == 0)
		n->high++;
	return n->low != 0 || n->high != 0;
}

/* The wider before what lies within it; of the same, the first. */
static int
by_place(const void *a, const void *b)
{
	const struct stretch *x = a, *y = b;
	int order = compare(x->from, y->from);

	if (order != 0)
		return order;
	if (x->bits != y->bits)
		return x->bits < y->bits ? -1 : 1;
	return x->place < y->place ? -1 : x->place > y->place;
}

static void
cut(struct family *f, struct number from, size_t first)
{
	struct cut *last = f->count > 0 ? &f->cuts[f->count - 1] : NULL;

	if (last != NULL && compare(last->from, from) == 0)
		last->first = first;
	else
		f->cuts[f->count++] = (struct cut){ from, first };
}

/* Those that are open, the widest first: at most as many as there are bits. */
struct nest {
	const struct stretch *in[129];
	size_t first[129]; /* of it and those around it */
	size_t depth;
};

static size_t
first_in(const struct nest *n)
{
	return n->depth > 0 ? n->first[n->depth - 1] : NETWORK_NONE;
}

/* Leaves what ends before this; NULL: all. */
static void
leave(struct family *f, struct nest *n, const struct number *before)
{
	while (n->depth > 0) {
		struct number behind = n->in[n->depth - 1]->to;

		if (before != NULL && compare(*before, behind) <= 0)
			return;
		n->depth--;
		if (next_number(&behind))
			cut(f, behind, first_in(n));
	}
}

static void
enter(struct family *f, struct nest *n, const struct stretch *s)
{
	size_t around = first_in(n);

	/* the same once more changes nothing: it comes later */
	if (n->depth > 0 && n->in[n->depth - 1]->bits == s->bits)
		return;
	n->in[n->depth] = s;
	n->first[n->depth] = s->place < around ? s->place : around;
	n->depth++;
	cut(f, s->from, first_in(n));
}

static void
build(struct family *f, struct stretch *all, size_t count)
{
	struct nest n = { .depth = 0 };

	f->cuts = mem_array(2 * count + 1, sizeof(*f->cuts));
	cut(f, (struct number){ 0, 0 }, NETWORK_NONE);
	qsort(all, count, sizeof(*all), by_place);
	for (size_t i = 0; i < count; i++) {
		leave(f, &n, &all[i].from);
		enter(f, &n, &all[i]);
	}
	leave(f, &n, NULL);
}

static void
build_family(struct family *f, const struct network *all, size_t count,
    unsigned int length)
{
	struct stretch *some = mem_array(count + 1, sizeof(*some));
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		if (all[i].length == length)
			some[n++] = (struct stretch){ number_of(&all[i]),
				end_of(&all[i]), all[i].bits, i };
	build(f, some, n);
	free(some);
}

struct network_order *
network_order_new(const struct network *all, size_t count)
{
	struct network_order *o = mem_new(sizeof(*o));

	build_family(&o->v4, all, count, 4);
	build_family(&o->v6, all, count, 16);
	return o;
}

void
network_order_free(struct network_order **o)
{
	if (*o == NULL)
		return;
	free((*o)->v4.cuts);
	free((*o)->v6.cuts);
	free(*o);
	*o = NULL;
}

size_t
network_order_first(const struct network_order *o,
    const struct network *address)
{
	const struct family *f = address->length == 4 ? &o->v4 : &o->v6;
	struct number wanted = number_of(address);
	size_t low = 0, high = f->count;

	/* cuts[low] is at or before it, cuts[high] behind */
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (compare(f->cuts[middle].from, wanted) <= 0)
			low = middle;
		else
			high = middle;
	}
	return f->cuts[low].first;
}
