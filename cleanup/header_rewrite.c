/* SPDX-License-Identifier: ISC */
#include "cleanup/header_rewrite.h"

#include <stdlib.h>
#include <string.h>

#include "cleanup/ask_lookup.h"
#include "lib/mail/address_list.h"
#include "lib/mail/mail_address.h"

struct place {
	struct span spec; /* in the header */
	const char *was;
	const char *address;
};

/* The addresses of one header that may change. */
struct places {
	const struct header_rewriting *how;
	struct arena *arena;
	struct place *items;
	size_t count;
	size_t room;
};

static bool
collect(void *with, const struct listed_address *listed)
{
	struct places *p = with;
	const char *address, *complete;

	if (listed->address.n == 0 || listed->address.n > MAIL_ADDRESS_MAX)
		return true;
	complete =
	    rewrite_address_within(&p->how->rules, listed->address, p->arena);
	if (*complete == '\0')
		return true;
	if (p->count == p->room) {
		p->room = p->room ? 2 * p->room : 16;
		p->items = mem_resize(p->items, p->room * sizeof(*p->items));
	}
	address = arena_span(p->arena, listed->address);
	p->items[p->count++] =
	    (struct place){ listed->spec, address, complete };
	return true;
}

static enum verdict
ask_all(struct places *p, enum rewrite_kind kind, struct why *why)
{
	const char *addresses[ASK_MOST];
	enum verdict v = OK;
	size_t n;

	for (size_t from = 0; from < p->count && v == OK; from += n) {
		n = p->count - from < ASK_MOST ? p->count - from : ASK_MOST;
		for (size_t i = 0; i < n; i++)
			addresses[i] = p->items[from + i].address;
		v = ask_rewrite(p->arena, kind, addresses, n, why);
		for (size_t i = 0; i < n; i++)
			p->items[from + i].address = addresses[i];
	}
	return v;
}

/* What does not change keeps the form that its writer gave it. */
static void
put_together(const struct places *p, struct span value, struct buf *out)
{
	const char *at = value.p;
	const struct place *place;

	for (size_t i = 0; i < p->count; i++) {
		place = &p->items[i];
		if (strcmp(place->address, place->was) == 0)
			continue;
		buf_add(out, at, (size_t)(place->spec.p - at));
		mail_address_quote(span_of(place->address), out);
		at = place->spec.p + place->spec.n;
	}
	buf_add(out, at, (size_t)(value.p + value.n - at));
}

enum verdict
header_rewrite(struct span value, enum rewrite_kind kind,
    const struct header_rewriting *how, struct arena *a, struct buf *out,
    struct why *why)
{
	struct places p = { .how = how, .arena = a };
	size_t before = out->n;
	enum verdict v = OK;

	/* what cannot be understood stays; the rest is visited all the same */
	(void)address_list_each(value, collect, &p);
	if (p.count > 0 && how->mapped)
		v = ask_all(&p, kind, why);
	if (v == OK)
		put_together(&p, value, out);
	free(p.items);
	if (out->overflow) {
		out->overflow = false;
		out->n = before;
		buf_add_span(out, value);
	}
	return v;
}
