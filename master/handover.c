/* SPDX-License-Identifier: ISC */
/*
 * From the processes of one generation to those of the next: the old ones of
 * a service serve until a new one is ready. If the new one does not start
 * (a certificate that cannot be read, a table that is broken), the old ones
 * simply go on.
 *
 * Programs of which there is only one, and which own something (the queue,
 * the log), are not held back like this: the old one must let go first.
 */
#include "master/master.h"

#include "lib/log/log.h"

static bool
may_overlap(const struct served *s)
{
	return s->plan != NULL && s->program->style != SERVICE_OWN;
}

static void
retire_old(struct served *s, bool all)
{
	unsigned int now = s->master->plan->generation;

	for (struct child *c = s->children; c != NULL; c = c->next)
		if (!c->retiring && (all || c->generation != now))
			child_retire(c, false);
}

static bool
has_old(const struct served *s)
{
	for (const struct child *c = s->children; c != NULL; c = c->next)
		if (!c->retiring)
			return true;
	return false;
}

void
handover_begin(struct master *m)
{
	for (struct served *s = m->services; s != NULL; s = s->next) {
		s->handover = may_overlap(s) && has_old(s) ? HANDOVER_WAITS :
							     HANDOVER_NONE;
		if (s->handover == HANDOVER_NONE)
			retire_old(s, true);
	}
}

void
handover_ready(struct child *c)
{
	struct served *s = c->service;

	if (s->handover == HANDOVER_NONE ||
	    c->generation != s->master->plan->generation)
		return;
	s->handover = HANDOVER_NONE;
	retire_old(s, false);
}

void
handover_failed(struct child *c)
{
	struct served *s = c->service;

	if (s->handover != HANDOVER_WAITS || !has_old(s) ||
	    c->generation != s->master->plan->generation)
		return;
	s->handover = HANDOVER_FAILED;
	log_error("service %s: %s does not start with the new settings: those "
		  "of the old generation go on",
	    s->key, s->program->name);
}

/* One that is told to end still takes what comes in the same moment. */
static bool
takes_connections(const struct child *c)
{
	uint32_t state = c->service->page->slots[c->slot].state;

	if (c->program->style == SERVICE_TASKS)
		return state != SLOT_RETIRING && state != SLOT_FREE;
	return state == SLOT_IDLE || state == SLOT_STARTING;
}

static bool
old_one_takes_connections(const struct served *s)
{
	for (const struct child *c = s->children; c != NULL; c = c->next)
		if (c->generation != s->master->plan->generation &&
		    takes_connections(c))
			return true;
	return false;
}

enum handover
handover_state(const struct master *m, struct buf *text)
{
	enum handover state = HANDOVER_NONE;

	for (const struct served *s = m->services; s != NULL; s = s->next) {
		if (!may_overlap(s))
			continue;
		if (s->handover == HANDOVER_FAILED) {
			state = HANDOVER_FAILED;
			buf_printf(text,
			    "service %s: %s does not start with the new "
			    "settings, the log says why; those of the old "
			    "generation go on\n",
			    s->key, s->program->name);
		} else if (state == HANDOVER_NONE &&
		    (s->handover == HANDOVER_WAITS ||
			old_one_takes_connections(s))) {
			state = HANDOVER_WAITS;
		}
	}
	return state;
}
