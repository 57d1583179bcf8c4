/* SPDX-License-Identifier: ISC */
#include "cleanup/recipient_set.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup/ask_lookup.h"
#include "lib/base/hash_table.h"
#include "lib/mail/mail_address.h"
#include "lib/queue/queue_file.h"

enum {
	MOST = 50000, /* what a queue file and qmgr's messages can hold */
};

void
recipient_set_add(struct recipient_set *s, const struct recipient *r)
{
	if (s->count == s->room) {
		s->room = s->room ? 2 * s->room : 16;
		s->items = mem_resize(s->items, s->room * sizeof(*s->items));
	}
	s->items[s->count++] = *r;
}

void
recipient_set_free(struct recipient_set *s)
{
	free(s->items);
	*s = (struct recipient_set){ 0 };
}

/* The copies that settings add to a message. */
struct copies {
	struct recipient_set *set;
	struct arena *arena;
	size_t given; /* recipients that came from outside; copies follow */
};

/*
 * One for this address, unless there is one. The address is mapped like any
 * recipient's; what it becomes before aliases is what it counts as sent to.
 */
static enum verdict
add_copy(const struct copies *c, const char *address, struct why *why)
{
	struct recipient r = { .address = address,
		.original = address,
		.orcpt = "",
		.notify = NOTIFY_NEVER };
	enum verdict v = ask_rewrite(c->arena, REWRITE_ENVELOPE_RECIPIENT,
	    &r.original, 1, why);

	for (size_t i = c->given; i < c->set->count; i++)
		if (strcasecmp(c->set->items[i].original, r.original) == 0)
			return v;
	recipient_set_add(c->set, &r);
	return v;
}

static enum verdict
add_mapped(const struct copies *c, const char *tables, const char *address,
    struct why *why)
{
	const char *value = NULL;
	enum verdict v;

	if (tables[0] == '\0' || address[0] == '\0')
		return OK;
	v = ask_address_query(c->arena, tables, address, &value, why);
	if (v == OK && value != NULL && value[0] != '\0')
		v = add_copy(c, value, why);
	return v;
}

/*
 * The given recipients as canonical mapping has them, before aliases; for
 * those that are final that is their address.
 */
static enum verdict
canonical_forms(const struct copies *c, const char **forms, struct why *why)
{
	const char *some[ASK_MOST];
	size_t indices[ASK_MOST];
	enum verdict v = OK;
	size_t n = 0;

	for (size_t i = 0; i < c->given && v == OK; i++) {
		forms[i] = c->set->items[i].address;
		if (!c->set->items[i].final) {
			some[n] = forms[i];
			indices[n++] = i;
		}
		if (n == 0 || (n < ASK_MOST && i + 1 < c->given))
			continue;
		v = ask_rewrite(c->arena, REWRITE_ENVELOPE_RECIPIENT, some, n,
		    why);
		while (n > 0) {
			n--;
			forms[indices[n]] = some[n];
		}
	}
	return v;
}

static enum verdict
add_for_recipients(const struct copies *c, const char *tables, struct why *why)
{
	const char **forms;
	enum verdict v;

	if (tables[0] == '\0' || c->given == 0)
		return OK;
	forms = arena_alloc(c->arena, c->given * sizeof(*forms));
	v = canonical_forms(c, forms, why);
	for (size_t i = 0; i < c->given && v == OK; i++)
		v = add_mapped(c, tables, forms[i], why);
	return v;
}

enum verdict
recipient_set_add_copies(struct recipient_set *s, struct arena *a,
    const struct settings *set, const char *sender, struct why *why)
{
	const struct copies c = { s, a, s->count };
	enum verdict v = OK;

	if (set->own.always_bcc[0] != '\0')
		v = add_copy(&c, set->own.always_bcc, why);
	if (v == OK)
		v = add_mapped(&c, set->own.sender_bcc_maps, sender, why);
	if (v == OK)
		v = add_for_recipients(&c, set->own.recipient_bcc_maps, why);
	return v;
}

/* Asks about these of the set (indices), and adds what comes of them. */
static enum verdict
expand_some(const struct recipient_set *from, const size_t *indices,
    size_t count, struct recipient_set *to, struct arena *a, const char *sender,
    bool mapped, struct why *why)
{
	const char *addresses[ASK_MOST];
	struct expansion *out;
	struct recipient r;
	size_t n = 0;
	enum verdict v;

	for (size_t i = 0; i < count; i++)
		addresses[i] = from->items[indices[i]].address;
	v = ask_expand(a, sender, mapped, addresses, count, &out, &n, why);
	for (size_t i = 0; i < n && v == OK; i++) {
		r = from->items[indices[out[i].index]];
		r.address = out[i].address;
		r.transport = out[i].transport;
		r.nexthop = out[i].nexthop;
		r.final = true;
		recipient_set_add(to, &r);
	}
	return v;
}

static enum verdict
expand(struct recipient_set *s, struct arena *a, const char *sender,
    bool mapped, struct why *why)
{
	struct recipient_set to = { 0 };
	size_t indices[ASK_MOST];
	enum verdict v = OK;
	size_t n = 0;

	for (size_t i = 0; i < s->count && v == OK; i++) {
		if (s->items[i].final)
			recipient_set_add(&to, &s->items[i]);
		else
			indices[n++] = i;
		if (n == ASK_MOST || (n > 0 && i + 1 == s->count)) {
			v = expand_some(s, indices, n, &to, a, sender, mapped,
			    why);
			n = 0;
		}
	}
	free(s->items);
	*s = to;
	return v;
}

struct seen {
	UT_hash_handle hh;
	char key[];
};

/*
 * What makes two recipients the same: with enable_original_recipient the
 * original address and the wishes for reports count as well.
 */
static struct seen *
seen_key(const struct recipient *r, bool with_original)
{
	size_t address = strlen(r->address);
	size_t original = with_original ? strlen(r->original) : 0;
	size_t orcpt = with_original ? strlen(r->orcpt) : 0;
	struct seen *s = mem_new(sizeof(*s) + address + original + orcpt + 4);
	char *p = s->key;

	for (size_t i = 0; i < address; i++)
		*p++ = (char)tolower((unsigned char)r->address[i]);
	*p++ = '\n';
	for (size_t i = 0; i < original; i++)
		*p++ = (char)tolower((unsigned char)r->original[i]);
	*p++ = '\n';
	memcpy(p, r->orcpt, orcpt);
	p += orcpt;
	*p = with_original ? (char)('0' + r->notify) : '0';
	return s;
}

static void
drop_duplicates(struct recipient_set *s, const struct settings *set)
{
	struct seen *all = NULL, *one, *same, *next;
	size_t limit = (size_t)set->own.duplicate_filter_limit;
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++) {
		one =
		    seen_key(&s->items[i], set->own.enable_original_recipient);
		HASH_FIND_STR(all, one->key, same);
		if (same == NULL)
			s->items[kept++] = s->items[i];
		if (same == NULL && (limit == 0 || HASH_COUNT(all) < limit))
			HASH_ADD_STR(all, key, one);
		else
			free(one);
	}
	s->count = kept;
	HASH_ITER (hh, all, one, next) {
		HASH_DEL(all, one);
		free(one);
	}
}

enum verdict
recipient_set_resolve(struct recipient_set *s, struct arena *a,
    const struct settings *set, const char *sender, bool mapped,
    struct why *why)
{
	bool final = true;
	enum verdict v;

	for (size_t i = 0; i < s->count; i++)
		final = final && s->items[i].final;
	if (!final) {
		v = expand(s, a, sender, mapped, why);
		if (v != OK)
			return v;
	}
	if (s->count > 1)
		drop_duplicates(s, set);
	if (s->count > MOST)
		return why_set(why, "5.5.3", "too many recipients");
	if (s->count == 0)
		return why_set(why, "5.1.0", "no recipients specified");
	return OK;
}
