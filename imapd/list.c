/* SPDX-License-Identifier: ISC */
#include "imapd/list.h"

#include <string.h>

#include "imapd/acl.h"
#include "imapd/list_request.h"
#include "imapd/namespaces.h"
#include "imapd/status.h"
#include "lib/base/hash_table.h"

enum { SEND_AT = 4096, MORE_ROOM = 16 << 20 };

static const struct {
	unsigned int bit;
	const char *name;
} special_uses[] = {
#define SPECIAL_USE(name, use) { use, "\\" name },
#include "lib/store/special_uses.def"
#undef SPECIAL_USE
};

enum { SPECIAL_USES = sizeof(special_uses) / sizeof(special_uses[0]) };

/* A folder that is told of, or one that may turn out to be. */
struct node {
	struct mail_folder folder; /* its name is the arena's */
	bool matches; /* a pattern */
	bool selected; /* by the selection options */
	/* for parents: there is one below that is selected; and one of those
	 * is not told of itself */
	bool selected_below, hidden_below;
	struct node *next;
	UT_hash_handle hh;
};

struct listing {
	struct imap_session *s;
	const struct list_request *request;
	bool parents; /* those that are not selected may be told of as well */
	struct arena *arena;
	bool too_much; /* for some what goes with the name was left out */
	struct node *first, **last;
	struct node *names; /* with parents only */
};

const char *
list_special_use(unsigned int i, unsigned int *bit)
{
	if (i >= SPECIAL_USES)
		return NULL;
	*bit = special_uses[i].bit;
	return special_uses[i].name;
}

static void
write_attribute(struct buf *out, const char *name)
{
	if (out->p[out->n - 1] != '(')
		buf_add_char(out, ' ');
	buf_add_text(out, name);
}

/*
 * \NonExistent implies \Noselect, which those who do not know the first must
 * be told instead.
 */
static void
write_attributes(const struct mail_folder *f, bool subscribed, bool extended,
    struct buf *out)
{
	buf_add_char(out, '(');
	if (!f->exists && extended)
		write_attribute(out, "\\NonExistent");
	else if (!f->exists || !f->selectable)
		write_attribute(out, "\\Noselect");
	write_attribute(out,
	    f->has_children ? "\\HasChildren" : "\\HasNoChildren");
	if (subscribed && f->subscribed)
		write_attribute(out, "\\Subscribed");
	for (size_t i = 0; i < SPECIAL_USES; i++)
		if ((f->special & special_uses[i].bit) != 0)
			write_attribute(out, special_uses[i].name);
	buf_add_char(out, ')');
}

void
list_write_folder(struct imap_session *s, const struct mail_folder *f,
    bool subscribed, bool extended, struct buf *out)
{
	write_attributes(f, subscribed, extended, out);
	buf_printf(out, " \"%c\" ", mail_account_separator(s->account));
	imap_write_mailbox(out, f->name, imap_utf8(s));
}

void
list_write_old_name(struct imap_session *s, const struct mail_folder *f,
    const char *old, struct buf *out)
{
	buf_add_text(out, "* LIST ");
	list_write_folder(s, f, true, true, out);
	buf_add_text(out, " (\"OLDNAME\" (");
	imap_write_mailbox(out, old, imap_utf8(s));
	buf_add_text(out, "))\r\n");
}

static bool
is_selected(const struct list_request *r, const struct mail_folder *f)
{
	if ((r->select & LIST_SPECIAL_USE) != 0 && f->special == 0)
		return false;
	return r->lsub || (r->select & LIST_SUBSCRIBED) != 0 ?
	    f->subscribed :
	    f->exists || f->has_children;
}

static struct node *
add_node(struct listing *l, const struct mail_folder *f)
{
	struct node *n = arena_alloc(l->arena, sizeof(*n));

	n->folder = *f;
	n->folder.name = arena_text(l->arena, f->name);
	n->matches = list_request_matches(l->request, f->name);
	n->selected = is_selected(l->request, f);
	*l->last = n;
	l->last = &n->next;
	if (l->parents)
		HASH_ADD_KEYPTR(hh, l->names, n->folder.name,
		    strlen(n->folder.name), n);
	return n;
}

static bool
collect(void *with, const struct mail_folder *f)
{
	struct listing *l = with;

	if (l->parents ||
	    (is_selected(l->request, f) &&
		list_request_matches(l->request, f->name)))
		add_node(l, f);
	return true;
}

/* One that nobody has is a level of the hierarchy all the same. */
static struct node *
parent_node(struct listing *l, const char *name, size_t n)
{
	struct mail_folder none = { 0 };
	struct node *found;

	HASH_FIND(hh, l->names, name, n, found);
	if (found != NULL)
		return found;
	none.name = arena_span(l->arena, (struct span){ name, n });
	return add_node(l, &none);
}

/* Marks the parents of what is selected. New nodes join at the end. */
static void
mark_parents(struct listing *l)
{
	char separator = mail_account_separator(l->s->account);

	for (struct node *n = l->first; n != NULL; n = n->next) {
		const char *name = n->folder.name;

		if (!n->selected)
			continue;
		for (size_t i = 1; name[i] != '\0'; i++) {
			struct node *parent;

			if (name[i] != separator)
				continue;
			parent = parent_node(l, name, i);
			parent->selected_below = true;
			if (!n->matches)
				parent->hidden_below = true;
		}
	}
}

/* Room was made, so that all comes whole or not at all. */
static void
tell_lsub(struct listing *l, const struct node *n)
{
	struct mail_folder level = n->folder;
	struct buf *out = &l->s->out;

	buf_add_text(out, "* LSUB ");
	/* RFC 3501 section 6.3.9: a level that is not subscribed */
	level.exists = level.selectable = n->selected;
	list_write_folder(l->s, &level, false, false, out);
	buf_add_text(out, "\r\n");
}

/* Those that go with a name which is there and was asked for itself. */
static void
tell_more(struct listing *l, struct node *n, struct buf *more)
{
	struct metadata_wanted metadata = l->request->metadata;
	const struct list_request *r = l->request;
	struct span name = span_of(n->folder.name);
	struct imap_place place;
	enum mail_result result;
	struct why why;

	if ((r->returns & RETURN_STATUS) != 0) {
		result = status_write(l->s, name, r->status, more, &why);
		/* gone meanwhile: said so (RFC 5819 section 2) */
		if (result == MAIL_NONEXISTENT)
			n->folder.exists = n->folder.selectable = false;
	}
	if (!n->folder.exists)
		return;
	if ((r->returns & RETURN_MYRIGHTS) != 0 &&
	    namespaces_find(l->s, name, 0, &place, &why) == MAIL_OK)
		acl_write_my_rights(l->s, n->folder.name, place.rights, more);
	/* one that cannot be read is left out (RFC 9590 section 3) */
	if ((r->returns & RETURN_METADATA) != 0)
		(void)metadata_write(l->s, name, &metadata, more, &why);
}

static void
tell_list(struct listing *l, struct node *n)
{
	const struct list_request *r = l->request;
	struct buf *out = &l->s->out;
	struct buf more = BUF_INIT(MORE_ROOM);

	if (n->selected && n->folder.exists && n->folder.selectable)
		tell_more(l, n, &more);
	buf_add_text(out, "* LIST ");
	list_write_folder(l->s, &n->folder,
	    (r->returns & RETURN_SUBSCRIBED) != 0, r->extended, out);
	if ((r->select & LIST_RECURSIVEMATCH) != 0 && n->selected_below)
		buf_add_text(out, " (\"CHILDINFO\" (\"SUBSCRIBED\"))");
	buf_add_text(out, "\r\n");
	/* half of it could end within a literal */
	if (more.overflow)
		l->too_much = true;
	else
		buf_add_span(out, buf_span(&more));
	buf_fini(&more);
}

static bool
tell_nodes(struct listing *l)
{
	for (struct node *n = l->first; n != NULL; n = n->next) {
		if (!n->matches || !(n->selected || n->hidden_below))
			continue;
		if (l->request->lsub)
			tell_lsub(l, n);
		else
			tell_list(l, n);
		if (l->s->out.n >= SEND_AT && imap_send(l->s) != IO_OK)
			return false;
	}
	return true;
}

static bool
has_levels(const struct list_request *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (list_pattern_levels(r->patterns[i]))
			return true;
	return false;
}

static enum mail_result
run(struct imap_session *s, const struct list_request *r, struct why *why)
{
	struct listing l = { .s = s, .request = r, .last = &l.first };
	enum mail_result result;

	l.parents = (r->select & LIST_RECURSIVEMATCH) != 0 ||
	    (r->lsub && has_levels(r));
	l.arena = arena_new();
	result = namespaces_each(s, collect, &l, why);
	if (result == MAIL_OK) {
		if (l.parents)
			mark_parents(&l);
		tell_nodes(&l);
	}
	if (l.too_much) {
		why_set(why, "5.3.4", "this is too much of one mailbox");
		result = MAIL_LIMIT;
	}
	HASH_CLEAR(hh, l.names);
	arena_free(&l.arena);
	return result;
}

static void
list(struct imap_session *s, const struct imap_command *c, bool lsub)
{
	const char *verb = lsub ? "LSUB" : "LIST";
	enum mail_result result = MAIL_OK;
	struct list_request r;
	struct why why = { 0 };

	if (!list_request_read(s, c, lsub, &r)) {
		list_request_fini(&r);
		return;
	}
	if (r.root)
		buf_printf(&s->out, "* %s (\\Noselect) \"%c\" \"\"\r\n", verb,
		    mail_account_separator(s->account));
	else if (r.count > 0)
		result = run(s, &r, &why);
	list_request_fini(&r);
	if (result == MAIL_OK)
		reply_ok(s, c, NULL, "%s completed.", lsub ? "Lsub" : "List");
	else
		reply_result(s, c, result, &why);
}

void
list_command(struct imap_session *s, const struct imap_command *c)
{
	list(s, c, false);
}

void
lsub_command(struct imap_session *s, const struct imap_command *c)
{
	list(s, c, true);
}
