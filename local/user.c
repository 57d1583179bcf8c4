/* SPDX-License-Identifier: ISC */
/* local: recipients of this machine's own domains. */
#include "local/local_state.h"

#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/store/mbox_deliver.h"

static struct local_state state;

static noreturn void
unusable(const char *name, struct buf *error)
{
	fatal("%s: %.*s", name, SPAN_ARG(span_trim(buf_span(error))));
}

static struct table_list *
open_list(const char *name, const char *specs)
{
	struct buf error = BUF_INIT(4096);
	struct table_list *l =
	    table_list_open_flags(specs, TABLE_NO_SUBSTITUTION, &error);

	if (l == NULL)
		unusable(name, &error);
	buf_fini(&error);
	return l;
}

static void
open_aliases(const char *specs)
{
	struct buf error = BUF_INIT(4096);
	struct span rest = span_of(specs), item;

	while (conf_list_next(&rest, &item)) {
		struct table *t = table_open_flags(item,
		    TABLE_NO_SUBSTITUTION | TABLE_ALIASES, &error);

		if (t == NULL)
			unusable("alias_maps", &error);
		state.aliases = mem_resize(state.aliases,
		    (state.alias_count + 1) * sizeof(*state.aliases));
		state.aliases[state.alias_count++] = t;
	}
	buf_fini(&error);
}

/* Whose rights commands and files of root's aliases get. */
static void
find_default_person(const char *name, const char *queue_owner)
{
	struct arena *for_ever = arena_new();
	struct why why = { 0 };

	person_by_name(for_ever, name, &state.default_person, &why);
	if (state.default_person == NULL)
		fatal("default_privs: no user is named %s", name);
	if (state.default_person->uid == 0 || strcmp(name, queue_owner) == 0)
		fatal("default_privs: %s has too many rights", name);
}

/* Which transports are such services as this one. */
static void
read_services(struct conf *c)
{
	struct buf errors = BUF_INIT(65536);

	state.services = master_cf_read(conf_directory(c), c, &errors, NULL);
	if (state.services == NULL)
		log_warning("%.*s", SPAN_ARG(span_trim(buf_span(&errors))));
	buf_fini(&errors);
}

void
local_set_up(struct agent *a)
{
	const struct local_params *own = &a->own;
	struct buf error = BUF_INIT(4096);

	if (!mbox_locks_parse(own->mailbox_delivery_lock, &state.locks))
		fatal("mailbox_delivery_lock: unknown kind of lock: %s",
		    own->mailbox_delivery_lock);
	if (own->mailbox_size_limit != 0 &&
	    (a->common.message_size_limit == 0 ||
		own->mailbox_size_limit < a->common.message_size_limit))
		fatal("mailbox_size_limit is smaller than "
		      "message_size_limit");
	state.rules = rewrite_rules_of(a->service->conf, &a->common);
	state.propagate =
	    conf_value(a->service->conf, "propagate_unmatched_extensions");
	find_default_person(a->common.default_privs, a->common.mail_owner);
	open_aliases(own->alias_maps);
	state.mailbox_transport_maps =
	    open_list("mailbox_transport_maps", own->mailbox_transport_maps);
	state.mailbox_command_maps =
	    open_list("mailbox_command_maps", own->mailbox_command_maps);
	state.fallback_transport_maps =
	    open_list("fallback_transport_maps", own->fallback_transport_maps);
	read_services(a->service->conf);
	state.destination =
	    match_list_open(a->common.mydestination, MATCH_DOMAIN, &error);
	if (state.destination == NULL)
		unusable("mydestination", &error);
	buf_fini(&error);
}

static enum verdict
deliver_one(struct plan *p)
{
	enum verdict v;

	if (request_loops(p->r, p->to->address))
		return why_set(p->why, "5.4.6", "mail forwarding loop for %s",
		    p->to->address);
	v = plan_make(p);
	return v == OK ? plan_perform(p) : v;
}

void
local_deliver(struct request *r)
{
	for (size_t i = 0; i < r->m->recipients.count; i++) {
		struct why why = { 0 };
		struct plan p = { .state = &state,
			.r = r,
			.why = &why,
			.to = request_recipient(r, i) };
		enum verdict v = deliver_one(&p);

		request_outcome(r, i, v,
		    p.count == p.forwards ? "expanded" : "delivered", &why);
		r->dsn_passed = r->partly = false;
	}
}
