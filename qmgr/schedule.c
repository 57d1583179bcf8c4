/* SPDX-License-Identifier: ISC */
#include "qmgr/schedule.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "lib/base/ensure.h"

static struct {
	struct transport *by_name;
	size_t dead;
} all;

struct transport *
transport_find(const char *name)
{
	struct transport *t;

	HASH_FIND(by_name, all.by_name, name, strlen(name), t);
	return t;
}

struct transport *
transport_new(const char *name, const struct transport_limits *limits)
{
	struct transport *t = mem_new(sizeof(*t));

	ensure(limits->recipients > 0 && limits->processes > 0);
	t->name = mem_text(name);
	t->limits = *limits;
	HASH_ADD_KEYPTR(by_name, all.by_name, t->name, strlen(t->name), t);
	return t;
}

void
transport_each(void (*visit)(void *with, struct transport *t), void *with)
{
	struct transport *t, *next;

	HASH_ITER (by_name, all.by_name, t, next)
		visit(with, t);
}

struct destination *
destination_get(struct transport *t, const char *key, const char *nexthop)
{
	size_t key_size = strlen(key) + 1, nexthop_size = strlen(nexthop) + 1;
	struct destination *d;
	char *texts;

	HASH_FIND(by_key, t->by_key, key, key_size - 1, d);
	if (d != NULL)
		return d;
	d = mem_new(sizeof(*d) + key_size + nexthop_size);
	texts = (char *)(d + 1);
	memcpy(texts, key, key_size);
	memcpy(texts + key_size, nexthop, nexthop_size);
	d->transport = t;
	d->key = texts;
	d->nexthop = texts + key_size;
	window_init(&d->window, &t->limits.window);
	HASH_ADD_KEYPTR(by_key, t->by_key, d->key, key_size - 1, d);
	return d;
}

void
destination_revive(struct destination *d)
{
	if (d->dead_until == 0)
		return;
	d->dead_until = 0;
	all.dead--;
	reason_free(&d->dead_reason);
	window_init(&d->window, &d->transport->limits.window);
}

void
transport_revive(struct transport *t)
{
	t->dead_until = 0;
	reason_free(&t->dead_reason);
}

bool
transport_back_soon(const struct transport *t)
{
	return t->failures == 1;
}

struct reason *
destination_dead(struct destination *d, int64_t now)
{
	struct transport *t = d->transport;

	if (t->dead_until != 0 && t->dead_until <= now)
		transport_revive(t);
	if (t->dead_until != 0)
		return t->dead_reason;
	if (d->dead_until != 0 && d->dead_until <= now)
		destination_revive(d);
	return d->dead_until != 0 ? d->dead_reason : NULL;
}

void
destination_kill(struct destination *d, struct reason *r, int64_t until)
{
	ensure(until > 0);
	r->users++;
	destination_revive(d);
	d->dead_until = until;
	d->dead_reason = r;
	all.dead++;
}

void
transport_kill(struct transport *t, struct reason *r, int64_t until)
{
	ensure(until > 0);
	r->users++;
	transport_revive(t);
	t->dead_until = until;
	t->dead_reason = r;
}

size_t
schedule_dead_count(void)
{
	return all.dead;
}

/* Into the ring, or out of it, as waiting groups and the window demand. */
static void
settle(struct destination *d)
{
	bool ready = d->waiting > 0 && d->in_flight < d->window.size;
	struct transport *t = d->transport;

	if (ready && !d->in_ring)
		DL_APPEND(t->ring, d);
	if (!ready && d->in_ring)
		DL_DELETE(t->ring, d);
	d->in_ring = ready;
}

static enum lane
lane_of(const struct group *g, bool again)
{
	uint32_t most = g->destination->transport->limits.recipients;

	if (g->end - g->at > SCHEDULE_BULK_REQUESTS * most)
		return LANE_BULK;
	return again ? LANE_AGAIN : LANE_NEW;
}

static void
lane_add(struct group *g)
{
	struct destination *d = g->destination;

	DL_APPEND(d->lanes[g->lane], g);
	d->waiting++;
}

static void
lane_remove(struct group *g)
{
	struct destination *d = g->destination;

	DL_DELETE(d->lanes[g->lane], g);
	d->waiting--;
}

void
schedule_wait(struct group *g, struct destination *d, bool again)
{
	ensure(g->destination == NULL && g->at < g->end);
	g->destination = d;
	g->lane = (uint8_t)lane_of(g, again);
	g->entry->busy++;
	lane_add(g);
	settle(d);
}

bool
schedule_ready(const struct transport *t)
{
	return t->ring != NULL;
}

/* New mail gets every other turn; empty lanes pass theirs on. */
static struct group *
next_group(struct destination *d)
{
	static const enum lane turns[] = { LANE_NEW, LANE_AGAIN, LANE_NEW,
		LANE_BULK };
	enum { TURNS = sizeof(turns) / sizeof(turns[0]) };

	for (;;) {
		struct group *g = d->lanes[turns[d->turn++ % TURNS]];

		if (g != NULL)
			return g;
	}
}

bool
schedule_next(struct transport *t, struct pick *out)
{
	struct destination *d = t->ring;
	struct group *g;
	uint32_t left;

	if (d == NULL)
		return false;
	g = next_group(d);
	left = g->end - g->at;
	out->group = g;
	out->destination = d;
	out->first = g->at;
	out->count = left < t->limits.recipients ? left : t->limits.recipients;
	g->at += out->count;
	g->in_flight++;
	d->in_flight++;
	lane_remove(g);
	if (g->at < g->end)
		lane_add(g); /* behind the others of its lane */
	DL_DELETE(t->ring, d);
	d->in_ring = false;
	settle(d); /* behind the other destinations */
	return true;
}

bool
group_idle(const struct group *g)
{
	return g->at == g->end && g->in_flight == 0;
}

static void
group_over(struct group *g)
{
	ensure(g->entry->busy > 0);
	g->entry->busy--;
	g->destination = NULL;
}

bool
schedule_finish(const struct pick *p, enum reached reached)
{
	struct destination *d = p->destination;
	const struct window_limits *lim = &d->transport->limits.window;
	bool dead = false;

	ensure(p->group->in_flight > 0 && d->in_flight > 0);
	p->group->in_flight--;
	if (d->transport->limits.destination_delay_ms == 0)
		d->in_flight--;
	if (group_idle(p->group))
		group_over(p->group);
	if (reached == REACHED) {
		destination_revive(d);
		window_success(&d->window, lim, d->in_flight);
	} else if (reached == NOT_REACHED && d->dead_until == 0) {
		dead = window_failure(&d->window, lim);
	}
	settle(d);
	if (!dead)
		destination_forget(d);
	return dead;
}

void
schedule_cooled(struct destination *d)
{
	ensure(d->in_flight > 0);
	d->in_flight--;
	settle(d);
	destination_forget(d);
}

bool
schedule_drain(struct destination *d, struct pick *out)
{
	struct group *g = NULL;

	for (int i = 0; i < LANES && g == NULL; i++)
		g = d->lanes[i];
	if (g == NULL)
		return false;
	lane_remove(g);
	settle(d);
	*out = (struct pick){ g, d, g->at, g->end - g->at };
	g->at = g->end;
	if (group_idle(g))
		group_over(g);
	return true;
}

static bool
idle(const struct destination *d)
{
	return d->waiting == 0 && d->in_flight == 0 && d->dead_until == 0;
}

static void
destination_free(struct destination *d)
{
	struct destination *gone = d;

	ensure(!d->in_ring);
	HASH_DELETE(by_key, d->transport->by_key, gone);
	free(d);
}

void
destination_forget(struct destination *d)
{
	if (idle(d) && d->window.failed == 0)
		destination_free(d);
}

static void
sweep_transport(void *with, struct transport *t)
{
	struct destination *d, *next;
	const int64_t *now = with;

	HASH_ITER (by_key, t->by_key, d, next) {
		if (d->dead_until != 0 && d->dead_until <= *now)
			destination_revive(d);
		if (idle(d))
			destination_free(d);
	}
}

void
schedule_sweep(int64_t now)
{
	transport_each(sweep_transport, &now);
}
