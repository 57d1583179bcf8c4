/* SPDX-License-Identifier: ISC */
/*
 * error, retry and discard: services that deliver nothing. Their nexthop is
 * the reason: "5.1.2 no such domain", a text alone, or nothing.
 */
#include "local/agent.h"

#include <string.h>

#include "lib/mail/reply.h"

/* The text, with an enhanced code of the class at its front taken off. */
static void
split_reason(const char *nexthop, char class, struct why *why, const char *code,
    const char *text)
{
	struct span all = span_trim(span_of(nexthop)), rest = all;
	char dsn[WHY_DSN_MAX];

	if (reply_take_dsn(&rest, dsn) && dsn[0] == class) {
		code = dsn;
		all = rest;
	}
	if (all.n > 0)
		why_set(why, code, "%.*s", SPAN_ARG(all));
	else
		why_set(why, code, "%s", text);
}

static void
later(struct request *r)
{
	struct why why = { 0 };

	split_reason(r->m->nexthop, '4', &why, "4.0.0", "unspecified reason");
	request_outcome_all(r, LATER, "", &why);
}

/* "retry unix - - n - - error": the service's name decides. */
void
error_deliver(struct request *r)
{
	struct why why = { 0 };

	if (strcmp(r->agent->service->name, "retry") == 0) {
		later(r);
		return;
	}
	split_reason(r->m->nexthop, '5', &why, "5.0.0", "unspecified error");
	request_outcome_all(r, NEVER, "", &why);
}

void
discard_deliver(struct request *r)
{
	struct why why = { 0 };

	split_reason(r->m->nexthop, '2', &why, "2.0.0", "discarded");
	request_outcome_all(r, OK, "delivered", &why);
}
