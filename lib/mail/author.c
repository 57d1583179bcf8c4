/* SPDX-License-Identifier: ISC */
#include "lib/mail/author.h"

#include "lib/mail/address_list.h"
#include "lib/mail/mail_address.h"

struct reading {
	author_visit *visit;
	void *with;
	size_t count;
	bool good;
};

static bool
has_encoded_word(struct span address)
{
	for (size_t i = 0; i + 1 < address.n; i++)
		if (address.p[i] == '=' && address.p[i + 1] == '?')
			return true;
	return false;
}

static bool
take(void *with, const struct listed_address *listed)
{
	struct reading *r = with;
	struct span address = listed->address;

	if (address.n == 0 || address.n > MAIL_ADDRESS_MAX ||
	    has_encoded_word(address) || span_has_control(address) ||
	    !mail_is_utf8(address)) {
		r->good = false;
		return false;
	}
	r->visit(r->with, address);
	r->count++;
	return true;
}

/* An "@" outside of quoted strings and comments. */
static bool
has_bare_at(struct span name)
{
	bool quoted = false;
	size_t depth = 0;

	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (c == '\\')
			i++;
		else if (c == '"' && depth == 0)
			quoted = !quoted;
		else if (c == '(' && !quoted)
			depth++;
		else if (c == ')' && !quoted && depth > 0)
			depth--;
		else if (c == '@' && !quoted && depth == 0)
			return true;
	}
	return false;
}

/* A name that some reader takes for the address counts as one. */
static void
take_name(struct reading *r, struct span name)
{
	if (has_bare_at(name) && !address_list_each(name, take, r))
		r->good = false;
}

static bool
take_listed(void *with, const struct listed_address *listed)
{
	struct reading *r = with;

	if (!listed->name_is_comment)
		take_name(r, listed->name);
	return r->good && take(r, listed);
}

static void
take_group(void *with, struct span name)
{
	if (name.p != NULL)
		take_name(with, name);
}

bool
author_each(struct span value, author_visit *visit, void *with)
{
	struct reading r = { .visit = visit, .with = with, .good = true };

	return address_list_walk(value, take_listed, take_group, &r) &&
	    r.good && r.count > 0;
}

static bool
find_address(void *with, const struct listed_address *listed)
{
	bool *found = with;

	*found |= listed->address.n > 0;
	return true;
}

bool
author_names_nobody(struct span value)
{
	bool found = false;

	(void)address_list_each(value, find_address, &found);
	return !found && span_find(value, '@') == value.n &&
	    !has_encoded_word(value);
}

bool
author_owners_have(const char *owners, const char *login)
{
	struct span rest = span_of(owners), name;

	while (login != NULL && span_cut(&rest, ", \t", true, &name))
		if (span_is_nocase(name, login))
			return true;
	return false;
}
