/* SPDX-License-Identifier: ISC */
#include "lookup/masquerade.h"

#include "lib/conf/conf.h"
#include "lib/mail/mail_address.h"

/* Is the domain below the parent, with a dot between? */
static bool
is_below(struct span domain, struct span parent)
{
	size_t host;

	if (domain.n <= parent.n + 1)
		return false;
	host = domain.n - parent.n;
	return domain.p[host - 1] == '.' &&
	    span_equal_nocase(span_skip(domain, host), parent);
}

/*
 * The first entry that speaks of the domain decides: "!name" and an entry
 * that is the domain itself leave it as it is.
 */
static bool
find_parent(const char *list, struct span domain, struct span *parent)
{
	struct span rest = span_of(list), entry;
	bool hides;

	while (conf_list_next(&rest, &entry)) {
		hides = entry.p[0] != '!';
		*parent = span_skip(entry, hides ? 0 : 1);
		if (span_equal_nocase(*parent, domain))
			return false;
		if (is_below(domain, *parent))
			return hides;
	}
	return false;
}

static enum verdict
is_exception(struct maps *m, struct span local, bool *found, struct why *why)
{
	struct buf text = BUF_INIT(TABLE_VALUE_MAX);
	enum table_result r =
	    match_list_match(m->masquerade_exceptions, local, &text);
	enum verdict v = OK;

	*found = r == TABLE_FOUND;
	if (r != TABLE_FOUND && r != TABLE_NONE)
		v = maps_failed("masquerade_exceptions", local, &text, why);
	buf_fini(&text);
	return v;
}

enum verdict
masquerade(struct maps *m, enum rewrite_kind kind, struct arena *a,
    const char **address, struct why *why)
{
	struct span local, domain, parent;
	bool exception;
	enum verdict v;

	if (!(m->masquerade_classes & (1u << kind)) ||
	    m->own.masquerade_domains[0] == '\0' ||
	    !mail_address_split(span_of(*address), &local, &domain) ||
	    !find_parent(m->own.masquerade_domains, domain, &parent))
		return OK;
	v = is_exception(m, local, &exception, why);
	if (v == OK && !exception)
		*address = arena_printf(a, "%.*s@%.*s", SPAN_ARG(local),
		    SPAN_ARG(parent));
	return v;
}
