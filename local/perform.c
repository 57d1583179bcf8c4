/* SPDX-License-Identifier: ISC */
/*
 * Carries out a plan. What can fail for a while comes first and ends it, new
 * messages come last and are all one submission: then a second attempt
 * repeats as little as can be.
 */
#include "local/local_state.h"

#include <stdio.h>
#include <string.h>

static const char *
what(enum action_kind kind)
{
	switch (kind) {
	case ACTION_MAILBOX:
		return "mailbox";
	case ACTION_COMMAND:
		return "command";
	case ACTION_FILE:
		return "file";
	case ACTION_FORWARD:
		return "address";
	case ACTION_TRANSPORT:
		return "transport";
	}
	return "";
}

static enum verdict
perform_one(struct plan *p, const struct action *a)
{
	enum verdict v = OK;

	p->r->sender = a->sender;
	switch (a->kind) {
	case ACTION_MAILBOX:
		v = deliver_mailbox(p, a);
		break;
	case ACTION_COMMAND:
		v = deliver_command(p, a, a->text, a->person, true);
		break;
	case ACTION_FILE:
		v = deliver_file(p, a);
		break;
	case ACTION_TRANSPORT:
		v = deliver_transport(p, a);
		break;
	case ACTION_FORWARD:
		break;
	}
	p->r->sender = p->r->m->sender;
	return v;
}

static enum verdict
only_tell(struct plan *p)
{
	if (p->count == 1)
		return why_set(p->why, "2.0.0", "delivers to %s: %s",
		    what(p->first->kind), p->first->text);
	return why_set(p->why, "2.0.0", "expands to %zu destinations",
	    p->count);
}

/*
 * The first failure for good is told; the others still get theirs. With
 * soft_bounce it is the end of this attempt, as long as nobody has it yet.
 */
enum verdict
plan_perform(struct plan *p)
{
	struct why failed = { 0 };
	enum verdict worst = OK, v;

	if (p->r->verify)
		return only_tell(p);
	for (const struct action *a = p->first; a != NULL; a = a->next) {
		v = perform_one(p, a);
		if (v == LATER ||
		    (v == NEVER && p->r->agent->common.soft_bounce &&
			!p->r->partly))
			return v; /* all of it once more */
		p->r->partly |= v == OK && a->kind != ACTION_FORWARD;
		if (v == NEVER && worst == OK) {
			failed = *p->why;
			worst = NEVER;
		}
	}
	v = p->forwards > 0 ? deliver_forwards(p) : OK;
	if (v == LATER)
		return LATER;
	if (worst == NEVER)
		*p->why = failed;
	else if (v == OK && p->count > 1 && p->forwards != p->count)
		why_set(p->why, "2.0.0", "delivered to %zu destinations",
		    p->count);
	return worst == NEVER ? NEVER : v;
}
