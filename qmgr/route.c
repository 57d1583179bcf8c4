/* SPDX-License-Identifier: ISC */
#include "qmgr/route.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/mail/delivery_log.h"
#include "qmgr/schedule.h"
#include "qmgr/settings.h"

/* Recipients are sorted by destination, so that each has a range of them. */
struct placed {
	struct destination *destination; /* NULL: not to be delivered */
	struct entry_recipient recipient;
};

char *
route_recipient_key(const char *address, const char *delimiters)
{
	const char *at = strrchr(address, '@');
	const char *end = at != NULL ? at : address + strlen(address);
	const char *cut = end;
	char *key;

	for (const char *p = address + 1; p < end; p++)
		if (strchr(delimiters, *p) != NULL) {
			cut = p;
			break;
		}
	key = mem_printf("%.*s%s", (int)(cut - address), address, end);
	for (char *p = key; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return key;
}

static struct destination *
find_destination(const struct entry_recipient *r, const struct route *to)
{
	struct transport *t = settings_transport(to->transport);
	struct destination *d;
	char *key;

	if (t->limits.recipients > 1)
		return destination_get(t, to->nexthop, to->nexthop);
	key = route_recipient_key(r->address,
	    settings_common()->recipient_delimiter);
	d = destination_get(t, key, to->nexthop);
	free(key);
	return d;
}

static void
log_failed(const struct entry *e, const struct entry_recipient *r)
{
	const struct delivery_log line = {
		.queue_id = e->id,
		.address = r->address,
		.original = r->original,
		.relay = "none",
		.arrival = e->arrival,
		.active = e->active,
		.started = clock_wall_us(),
		.dsn = r->reason->dsn,
		.status = delivery_log_status(r->reason->verdict, false,
		    settings_common()->soft_bounce),
		.text = r->reason->text,
	};

	delivery_log(&line);
}

/* soft_bounce: what was said stands, but it is not the end. */
static void
soften(struct entry_recipient *r)
{
	struct why why;
	struct reason *soft;

	why_set(&why, r->reason->dsn, "%s", r->reason->text);
	why_soften(&why);
	soft = reason_new(LATER, "delayed", why.dsn, why.text, "", "");
	entry_set_reason(r, soft);
	reason_free(&soft);
}

void
route_fail(struct entry *e, uint32_t first, uint32_t count, struct reason *r)
{
	for (uint32_t i = first; i < first + count; i++) {
		entry_set_reason(&e->recipients[i], r);
		log_failed(e, &e->recipients[i]);
		if (r->verdict == NEVER && !(e->flags & QUEUE_VERIFY) &&
		    settings_common()->soft_bounce)
			soften(&e->recipients[i]);
	}
}

/* defer_transports: only on request. */
static bool
waits_for_request(const struct entry *e, const char *transport)
{
	struct span rest = span_of(settings_params()->defer_transports), item;

	while (!e->urgent && conf_list_next(&rest, &item))
		if (span_is(item, transport))
			return true;
	return false;
}

static struct destination *
place_nowhere(struct entry *e, uint32_t i, enum verdict verdict,
    const char *dsn, const char *text)
{
	struct reason *r = reason_new(verdict,
	    verdict == LATER ? "delayed" : "failed", dsn, text, "", "");

	route_fail(e, i, 1, r);
	reason_free(&r);
	return NULL;
}

/* The destination, or a reason and NULL. */
static struct destination *
place(struct entry *e, uint32_t i, const struct route *to, int64_t now)
{
	struct reason *r;
	struct destination *d;

	if (to->verdict != OK)
		return place_nowhere(e, i, to->verdict, to->dsn, to->text);
	if (waits_for_request(e, to->transport))
		return place_nowhere(e, i, LATER, "4.3.2",
		    "deferred transport");
	d = find_destination(&e->recipients[i], to);
	r = destination_dead(d, now);
	if (r == NULL)
		return d;
	route_fail(e, i, 1, r);
	if (r == d->transport->dead_reason && transport_back_soon(d->transport))
		e->soon = true;
	/* with a dead transport only, and no group of this entry can have it */
	destination_forget(d);
	return NULL;
}

static int
by_destination(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;

	if (x->destination != y->destination)
		return x->destination < y->destination ? -1 : 1;
	return x->recipient.offset < y->recipient.offset ?
	    -1 :
	    x->recipient.offset > y->recipient.offset;
}

static void
make_groups(struct entry *e, const struct placed *placed, bool again)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < e->waiting; i++)
		if (placed[i].destination != NULL &&
		    (i == 0 ||
			placed[i].destination != placed[i - 1].destination))
			count++;
	e->groups = mem_array(count, sizeof(*e->groups));
	for (uint32_t i = 0; i < e->waiting; i++) {
		struct group *g = &e->groups[e->group_count];

		if (placed[i].destination == NULL)
			continue;
		g->entry = e;
		g->at = i;
		while (i + 1 < e->waiting &&
		    placed[i + 1].destination == placed[i].destination)
			i++;
		g->end = i + 1;
		e->group_count++;
		schedule_wait(g, placed[i].destination, again);
	}
}

void
route_entry(struct entry *e, const struct route *routes, bool again)
{
	struct placed *placed = mem_array(e->waiting, sizeof(*placed));
	int64_t now = clock_ms();

	for (uint32_t i = 0; i < e->waiting; i++) {
		placed[i].destination = place(e, i, &routes[i], now);
		placed[i].recipient = e->recipients[i];
	}
	if (e->waiting > 1)
		qsort(placed, e->waiting, sizeof(*placed), by_destination);
	for (uint32_t i = 0; i < e->waiting; i++)
		e->recipients[i] = placed[i].recipient;
	make_groups(e, placed, again);
	free(placed);
}
