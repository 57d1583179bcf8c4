/* SPDX-License-Identifier: ISC */
/*
 * All mailboxes that the user may look up, as one list: his own, then those
 * of each namespace, with the levels above them. A parent that he may not
 * look up is a level of the hierarchy and no more (RFC 4314 section 4).
 *
 * Subscriptions are his own, whatever they name; so they are told of others'
 * mailboxes in the place where those are.
 */
#include "imapd/namespaces_internal.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/hash_table.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/login/session_stage.h"
#include "lib/store/mail_acl.h"

struct name {
	const char *text;
	bool told;
	UT_hash_handle hh;
};

struct folder {
	const char *inner;
	bool visible, readable, has_children;
	struct folder *next;
	UT_hash_handle hh;
};

struct listing {
	struct imap_session *s;
	struct arena *arena;
	mail_folder_visit *visit;
	void *with;
	char separator;
	bool ended; /* by the visit */
	struct name *subscribed; /* of others */
	struct name *levels; /* that were told */
	/* of the namespace under way */
	struct mail_namespace *in;
	struct folder *first, **last, *by_name;
};

static struct name *
find_name(struct name *in, const char *text)
{
	struct name *n;

	HASH_FIND_STR(in, text, n);
	return n;
}

static void
add_name(struct listing *l, struct name **to, const char *text)
{
	struct name *n = arena_alloc(l->arena, sizeof(*n));

	*n = (struct name){ .text = arena_text(l->arena, text) };
	HASH_ADD_KEYPTR(hh, *to, n->text, strlen(n->text), n);
}

static void
tell(struct listing *l, struct mail_folder *f)
{
	struct name *n = find_name(l->subscribed, f->name);

	f->subscribed = n != NULL;
	if (n != NULL)
		n->told = true;
	if (!l->ended)
		l->ended = !l->visit(l->with, f);
}

/* A folder of his own that has such a name is out of his reach. */
static void
warn_of(const char *name)
{
	static bool warned;

	if (!warned)
		log_warning("the folder %s is not seen: mail of others has"
			    " that name (mail_shared_prefix,"
			    " mail_public_folders)",
		    name);
	warned = true;
}

static bool
own(void *with, const struct mail_folder *f)
{
	struct listing *l = with;

	if (namespaces_is_foreign(span_of(f->name))) {
		if (f->subscribed)
			add_name(l, &l->subscribed, f->name);
		if (f->exists)
			warn_of(f->name);
		return true;
	}
	l->ended = !l->visit(l->with, f);
	return !l->ended;
}

/* ---- one namespace ---- */

static bool
foreign(void *with, const struct mail_folder *f)
{
	struct listing *l = with;
	struct folder *n;
	unsigned int rights = 0;
	struct why why;

	if (namespaces_is_public(l->in) && strcmp(f->name, "INBOX") == 0)
		return true;
	if (!f->exists && !f->has_children)
		return true; /* its owner subscribed to it */
	if (f->exists && f->selectable)
		(void)namespaces_rights_to(l->s, l->in, span_of(f->name),
		    &rights, &why);
	n = arena_alloc(l->arena, sizeof(*n));
	*n = (struct folder){ .inner = arena_text(l->arena, f->name),
		.visible = (rights & ACL_LOOKUP) != 0,
		.readable = (rights & ACL_READ) != 0 };
	*l->last = n;
	l->last = &n->next;
	HASH_ADD_KEYPTR(hh, l->by_name, n->inner, strlen(n->inner), n);
	return true;
}

static void
mark_parents(struct listing *l, const struct folder *f)
{
	for (size_t i = 1; f->inner[i] != '\0'; i++) {
		struct folder *parent;

		if (f->inner[i] != l->separator)
			continue;
		HASH_FIND(hh, l->by_name, f->inner, i, parent);
		if (parent != NULL)
			parent->has_children = true;
	}
}

/* "shared", "shared/bob@example.test", each once. */
static void
tell_levels(struct listing *l)
{
	const char *prefix = l->in->prefix;

	for (size_t i = 1; prefix[i] != '\0'; i++) {
		struct mail_folder level = { .has_children = true };

		if (prefix[i] != l->separator)
			continue;
		level.name = arena_span(l->arena, (struct span){ prefix, i });
		if (find_name(l->levels, level.name) != NULL)
			continue;
		add_name(l, &l->levels, level.name);
		tell(l, &level);
	}
}

static void
tell_folder(struct listing *l, const struct folder *f)
{
	struct mail_folder told = {
		.name = arena_printf(l->arena, "%s%s", l->in->prefix, f->inner),
		.exists = f->visible,
		.selectable = f->visible && f->readable,
		.has_children = f->has_children,
	};

	tell(l, &told);
}

static void
list_namespace(struct listing *l)
{
	struct mail_account *account = namespaces_account(l->in);
	bool any = false;
	struct why why;

	l->first = l->by_name = NULL;
	l->last = &l->first;
	if (account == NULL ||
	    mail_folder_each(account, foreign, l, &why) != MAIL_OK) {
		HASH_CLEAR(hh, l->by_name);
		return;
	}
	for (const struct folder *f = l->first; f != NULL; f = f->next)
		if (f->visible) {
			any = true;
			mark_parents(l, f);
		}
	if (any)
		tell_levels(l);
	for (const struct folder *f = l->first; f != NULL; f = f->next)
		if (f->visible || f->has_children)
			tell_folder(l, f);
	HASH_CLEAR(hh, l->by_name);
}

/* Those that are not there, or that he may not look up: they look the same. */
static void
tell_missing(struct listing *l)
{
	struct name *n, *next;

	HASH_ITER (hh, l->subscribed, n, next) {
		struct mail_folder f = { .name = n->text };

		if (!n->told)
			tell(l, &f);
	}
}

enum mail_result
namespaces_each(struct imap_session *s, mail_folder_visit *visit, void *with,
    struct why *why)
{
	struct listing l = { .s = s,
		.visit = visit,
		.with = with,
		.separator = mail_account_separator(s->account) };
	enum mail_result r;

	l.arena = arena_new();
	r = mail_folder_each(s->account, own, &l, why);
	for (size_t i = 0; r == MAIL_OK && !l.ended; i++) {
		l.in = namespaces_at(i);
		if (l.in == NULL)
			break;
		list_namespace(&l);
	}
	if (r == MAIL_OK && !l.ended)
		tell_missing(&l);
	HASH_CLEAR(hh, l.subscribed);
	HASH_CLEAR(hh, l.levels);
	arena_free(&l.arena);
	return r;
}

/* ---- one folder ---- */

struct looking {
	struct span name;
	struct mail_folder *out;
	bool found;
};

static bool
is_it(void *with, const struct mail_folder *f)
{
	static char *kept; /* until the next one is asked for */
	struct looking *l = with;

	if (!span_is(l->name, f->name))
		return true;
	free(kept);
	kept = mem_text(f->name);
	*l->out = *f;
	l->out->name = kept;
	l->found = f->exists || f->has_children;
	return false;
}

enum mail_result
namespaces_folder(struct imap_session *s, struct span name,
    struct mail_folder *out)
{
	struct looking l = { .name = name, .out = out };
	struct why why;
	enum mail_result r;

	if (!namespaces_is_foreign(name))
		return mail_folder_find(s->account, name, out);
	if (name.n > 0 &&
	    name.p[name.n - 1] == mail_account_separator(s->account))
		l.name.n--;
	r = namespaces_each(s, is_it, &l, &why);
	return r == MAIL_OK && !l.found ? MAIL_NONEXISTENT : r;
}

/* ---- with whom the user shares ---- */

struct telling {
	struct imap_session *s;
	struct arena *arena;
	struct name *told;
};

/* "alice" of a user's list is alice of the same domain. */
static char *
full_name(const char *domain, struct span who)
{
	if (domain == NULL || span_find(who, '@') < who.n)
		return mem_span_text(who);
	return mem_printf("%.*s@%s", SPAN_ARG(who), domain);
}

static bool
lets_in(const struct acl_entry *e)
{
	return e->rights != 0 && e->who[0] != '-' &&
	    !acl_who_special(span_of(e->who));
}

/* Who is let in by one folder, to "visit". */
static void
each_grantee(struct imap_session *s, const char *folder,
    void (*visit)(void *with, const char *who), void *with)
{
	struct buf text = BUF_INIT(MAIL_ACL_MAX);
	struct arena *arena = arena_new();
	struct acl_list list;
	struct why why;

	if (mail_acl_read(s->account, span_of(folder), &text, &why) ==
		MAIL_OK &&
	    text.n > 0) {
		acl_list_parse(buf_span(&text), arena, &list);
		for (const struct acl_entry *e = list.first; e != NULL;
		     e = e->next) {
			char *who;

			if (!lets_in(e))
				continue;
			who = full_name(namespaces_domain(s, NULL),
			    span_of(e->who));
			visit(with, who);
			free(who);
		}
		acl_list_fini(&list);
	}
	buf_fini(&text);
	arena_free(&arena);
}

static void
tell_grantee(void *with, const char *who)
{
	struct telling *t = with;
	struct name *n = find_name(t->told, who);

	if (n != NULL)
		return;
	n = arena_alloc(t->arena, sizeof(*n));
	*n = (struct name){ .text = arena_text(t->arena, who) };
	HASH_ADD_KEYPTR(hh, t->told, n->text, strlen(n->text), n);
	session_share("", who, true);
}

static bool
tell_of_folder(void *with, const struct mail_folder *f)
{
	struct telling *t = with;

	if (f->exists)
		each_grantee(t->s, f->name, tell_grantee, t);
	return true;
}

void
namespaces_tell_shares(struct imap_session *s)
{
	struct telling t = { .s = s };
	struct why why;

	if (!namespaces_sharing())
		return;
	t.arena = arena_new();
	(void)mail_folder_each(s->account, tell_of_folder, &t, &why);
	HASH_CLEAR(hh, t.told);
	arena_free(&t.arena);
}

struct asking {
	struct imap_session *s;
	const char *who;
	bool found;
};

static void
compare_grantee(void *with, const char *who)
{
	struct asking *a = with;

	a->found = a->found || strcmp(who, a->who) == 0;
}

static bool
ask_folder(void *with, const struct mail_folder *f)
{
	struct asking *a = with;

	if (f->exists)
		each_grantee(a->s, f->name, compare_grantee, a);
	return !a->found;
}

void
namespaces_tell_share(struct imap_session *s, const struct mail_namespace *in,
    struct span who, bool given)
{
	struct asking a = { .s = s };
	struct why why;
	char *full;

	if (!namespaces_sharing() || namespaces_is_public(in) ||
	    span_starts(who, "-") || acl_who_special(who))
		return;
	full = full_name(namespaces_domain(s, in), who);
	a.who = full;
	if (given)
		session_share(in == NULL ? "" : in->owner, full, true);
	else if (in == NULL &&
	    mail_folder_each(s->account, ask_folder, &a, &why) == MAIL_OK &&
	    !a.found)
		session_share("", full, false);
	free(full);
}
