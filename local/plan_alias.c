/* SPDX-License-Identifier: ISC */
/* Aliases as the tables have them, and who owns them. */
#include "local/local_state.h"

#include <string.h>
#include <strings.h>

#include "lib/mail/mail_address.h"
#include "local/destinations.h"

enum verdict
plan_find_alias(struct plan *p, const char *name, const char **value,
    uid_t *owner)
{
	struct buf found = BUF_INIT(TABLE_VALUE_MAX);
	enum verdict v = OK;

	*value = NULL;
	for (size_t i = 0;
	     v == OK && *value == NULL && i < p->state->alias_count; i++) {
		struct table *a = p->state->aliases[i];
		enum table_result t = table_lookup(a, span_of(name), &found);

		*owner = table_owner(a);
		if (t == TABLE_FOUND)
			*value = arena_text(p->r->arena, buf_text(&found));
		else if (t != TABLE_NONE)
			v = agent_table_failed(p->why, t, table_name(a),
			    buf_text(&found));
	}
	buf_fini(&found);
	return v;
}

enum verdict
plan_take_owner(struct plan *p, const char *name)
{
	const struct local_params *own = &p->r->agent->own;
	const char *owner_name = strncasecmp(name, "owner-", 6) == 0 ?
	    "owner-owner" :
	    arena_printf(p->r->arena, "owner-%s", name);
	struct buf one = BUF_INIT(MAIL_ADDRESS_MAX);
	enum destination_kind kind;
	const char *value;
	struct span rest;
	enum verdict v;
	uid_t uid;

	v = plan_find_alias(p, owner_name, &value, &uid);
	if (v == OK && value == NULL && own->reset_owner_alias) {
		p->sender = p->r->m->sender;
		p->owner = false;
	}
	if (v != OK || value == NULL)
		return v;
	rest = span_of(value);
	if (own->expand_owner_alias && destinations_count(value, 2) == 1 &&
	    destinations_next(&rest, &kind, &one) &&
	    kind == DESTINATION_ADDRESS)
		owner_name = arena_text(p->r->arena, buf_text(&one));
	buf_fini(&one);
	p->sender = strchr(owner_name, '@') ?
	    owner_name :
	    arena_printf(p->r->arena, "%s@%s", owner_name,
		p->r->agent->common.myorigin);
	p->owner = true;
	return OK;
}
