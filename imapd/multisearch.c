/* SPDX-License-Identifier: ISC */
/* ESEARCH: a search in several mailboxes (RFC 7377). */
#include <stdlib.h>
#include <string.h>

#include "imapd/context.h"
#include "imapd/esearch.h"
#include "imapd/namespaces.h"
#include "imapd/search.h"

enum { SOURCES_MAX = 1000, NAMES_BYTES_MAX = 1 << 20 };

enum source_kind {
	SOURCE_SELECTED,
	SOURCE_INBOXES,
	SOURCE_PERSONAL,
	SOURCE_SUBSCRIBED,
	SOURCE_SUBTREE,
	SOURCE_SUBTREE_ONE,
	SOURCE_MAILBOXES,
};

static const struct {
	const char *name;
	enum source_kind kind;
	bool names; /* mailboxes follow */
} kinds[] = {
	{ "selected", SOURCE_SELECTED, false },
	{ "inboxes", SOURCE_INBOXES, false },
	{ "personal", SOURCE_PERSONAL, false },
	{ "subscribed", SOURCE_SUBSCRIBED, false },
	{ "subtree", SOURCE_SUBTREE, true },
	{ "subtree-one", SOURCE_SUBTREE_ONE, true },
	{ "mailboxes", SOURCE_MAILBOXES, true },
};

struct source {
	enum source_kind kind;
	struct span name; /* UTF-8 */
};

struct sources {
	struct arena *arena;
	struct source p[SOURCES_MAX];
	size_t count;
	bool selected, others;
	char separator;
	/* the folders they stand for, names with NULs between them */
	struct buf found;
};

static bool
add_source(struct sources *all, enum source_kind kind, struct span name)
{
	if (all->count == SOURCES_MAX)
		return false;
	all->p[all->count].kind = kind;
	all->p[all->count].name = name;
	all->count++;
	if (kind == SOURCE_SELECTED)
		all->selected = true;
	else
		all->others = true;
	return true;
}

static bool
add_named(struct imap_session *s, struct sources *all, enum source_kind kind,
    const struct imap_arg *a)
{
	struct buf name = BUF_INIT(4096);
	bool ok = imap_mailbox_text(s, a, &name) &&
	    add_source(all, kind,
		(struct span){ arena_span(all->arena, buf_span(&name)),
		    name.n });

	buf_fini(&name);
	return ok;
}

/* One mailbox, or a list of them. */
static bool
add_names(struct imap_session *s, struct sources *all, enum source_kind kind,
    const struct imap_arg *a)
{
	const struct imap_arg *list;

	if (!imap_arg_list(a, &list))
		return add_named(s, all, kind, a);
	if (list->type == IMAP_END)
		return false;
	for (; list->type != IMAP_END; list++)
		if (!add_named(s, all, kind, list))
			return false;
	return true;
}

/* "(mailboxes ("a" "b") subtree "c")". */
static bool
parse_sources(struct imap_session *s, const struct imap_arg *a,
    struct sources *all)
{
	const struct imap_arg *list;

	if (!imap_arg_list(a, &list))
		return false;
	while (list->type != IMAP_END) {
		size_t i;

		for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			if (imap_arg_is(list, kinds[i].name))
				break;
		if (i == sizeof(kinds) / sizeof(kinds[0]))
			return false;
		list++;
		if (!kinds[i].names) {
			if (!add_source(all, kinds[i].kind, SPAN("")))
				return false;
		} else if (list->type == IMAP_END ||
		    !add_names(s, all, kinds[i].kind, list++)) {
			return false;
		}
	}
	return all->count > 0;
}

static bool
take_sources(struct imap_session *s, struct search_request *r,
    struct sources *all)
{
	if (r->count > 0 && imap_arg_is(r->args, "IN")) {
		if (r->count < 2 || !parse_sources(s, r->args + 1, all)) {
			reply_bad(s, r->command, "Invalid search source");
			return false;
		}
		r->args += 2;
		r->count -= 2;
	} else {
		add_source(all, SOURCE_SELECTED, SPAN(""));
	}
	if (all->selected && s->mailbox == NULL) {
		reply_bad(s, r->command, "No mailbox selected");
		return false;
	}
	return true;
}

/* RFC 7377 section 2.2: what belongs to the selected mailbox alone. */
static bool
take_options(struct imap_session *s, struct search_request *r,
    const struct sources *all)
{
	if (!search_take_return(s, r))
		return false;
	if (!r->wants.given)
		r->wants.options = RETURN_ALL;
	if ((r->wants.options & RETURN_SAVE) != 0 && all->others) {
		reply_bad(s, r->command, "SAVE is for the selected mailbox");
		return false;
	}
	if ((r->wants.options & RETURN_UPDATE) != 0 && s->mailbox == NULL) {
		reply_bad(s, r->command, "No mailbox selected");
		return false;
	}
	return true;
}

/* Is it below "parent"? How many levels. */
static unsigned int
levels_below(const char *name, struct span parent, char separator)
{
	unsigned int levels = 0;

	if (strncmp(name, parent.p, parent.n) != 0 ||
	    name[parent.n] != separator)
		return 0;
	for (name += parent.n; *name != '\0'; name++)
		levels += *name == separator;
	return levels;
}

static bool
is_meant(const struct sources *all, const struct source *src,
    const struct mail_folder *f)
{
	unsigned int levels;

	switch (src->kind) {
	case SOURCE_SELECTED:
		return false; /* it is searched as it is */
	case SOURCE_INBOXES:
		return strcmp(f->name, "INBOX") == 0;
	case SOURCE_PERSONAL:
		return !namespaces_is_foreign(span_of(f->name));
	case SOURCE_SUBSCRIBED:
		return f->subscribed;
	default:
		break;
	}
	if (span_is(src->name, f->name))
		return true;
	levels = levels_below(f->name, src->name, all->separator);
	return (src->kind == SOURCE_SUBTREE && levels > 0) ||
	    (src->kind == SOURCE_SUBTREE_ONE && levels == 1);
}

static bool
collect(void *with, const struct mail_folder *f)
{
	struct sources *all = with;

	if (!f->exists || !f->selectable)
		return true;
	for (size_t i = 0; i < all->count; i++)
		if (is_meant(all, &all->p[i], f)) {
			buf_add(&all->found, f->name, strlen(f->name) + 1);
			break;
		}
	return true;
}

/* How much has to be found in each. */
static uint64_t
most(const struct search_request *r, bool *backward)
{
	return search_return_most(&r->wants, backward);
}

/* RFC 7377 section 2.1: nothing is said of mailboxes without a match. */
static enum mail_result
search_in(struct imap_session *s, struct search_request *r, struct mailbox *m,
    const struct mailbox_view *view, struct uid_set *found, struct why *why)
{
	struct search_scope scope = { .mailbox = m,
		.view = view,
		.saved = m == s->mailbox ? &s->saved : NULL,
		.progress = search_progress,
		.with = r };
	struct mailbox_status status;
	enum mail_result result;

	scope.most = most(r, &scope.backward);
	result = search_run(r->program, &scope, found, why);
	if (result != MAIL_OK || found->count == 0)
		return result;
	result = mailbox_status(m, 0, &status, why);
	if (result != MAIL_OK)
		return result;
	if (r->wants.options == RETURN_SAVE)
		return MAIL_OK;
	esearch_begin_in(s, r->command->tag, mailbox_name(m),
	    status.uidvalidity);
	search_write_items(s, r, m, found, found);
	return MAIL_OK;
}

static enum mail_result
search_selected(struct imap_session *s, struct search_request *r, bool *told,
    struct why *why)
{
	struct uid_set found = { 0 };
	enum mail_result result;

	result = search_in(s, r, s->mailbox, &s->view, &found, why);
	if (result == MAIL_OK) {
		search_save(s, r, &found);
		if ((r->wants.options & RETURN_UPDATE) != 0)
			*told = context_begin(s, r, NULL, &found);
	}
	uid_set_fini(&found);
	return result;
}

/* A folder that is not there, or not any more, is passed over. */
static enum mail_result
search_folder(struct imap_session *s, struct search_request *r,
    const char *name, struct why *why)
{
	struct uid_set found = { 0 };
	struct mailbox_view view;
	enum mail_result result;
	struct mailbox *m;

	if (namespaces_open(s, span_of(name), ACL_READ, &m, NULL, why) !=
	    MAIL_OK)
		return MAIL_OK;
	result = mailbox_view_open(&view, m, why);
	if (result == MAIL_OK) {
		result = search_in(s, r, m, &view, &found, why);
		mailbox_view_fini(&view);
	}
	if (result == MAIL_NONEXISTENT)
		result = MAIL_OK;
	uid_set_fini(&found);
	mailbox_close(&m);
	return result;
}

static enum mail_result
search_all(struct imap_session *s, struct search_request *r,
    struct sources *all, bool *told, struct why *why)
{
	bool update = (r->wants.options & RETURN_UPDATE) != 0;
	const char *selected =
	    s->mailbox != NULL ? mailbox_name(s->mailbox) : "";
	const char *end, *name;
	enum mail_result result = MAIL_OK;

	if (all->others)
		result = namespaces_each(s, collect, all, why);
	name = all->found.p;
	end = name != NULL ? name + all->found.n : NULL;
	for (; result == MAIL_OK && name < end; name += strlen(name) + 1) {
		if (strcmp(name, selected) == 0)
			all->selected = true; /* as it is known there */
		else
			result = search_folder(s, r, name, why);
	}
	/* the last: with UPDATE it keeps the program */
	if (result == MAIL_OK && all->selected)
		return search_selected(s, r, told, why);
	*told = *told && !update;
	return result;
}

static void
answer(struct imap_session *s, struct search_request *r, struct sources *all)
{
	struct why why = { 0 };
	enum mail_result result;
	bool told = true;

	result = search_all(s, r, all, &told, &why);
	if (s->state == IMAP_LOGGED_OUT) /* that is why it ended */
		return;
	if (result != MAIL_OK)
		reply_result(s, r->command, result, &why);
	else
		reply_ok(s, r->command, NULL,
		    told ? "Search completed" :
			   "Search completed, will not notify");
}

void
imap_multisearch(struct imap_session *s, const struct imap_command *c)
{
	struct sources *all = mem_new(sizeof(*all));
	struct search_request r;

	all->arena = arena_new();
	all->separator = mail_account_separator(s->account);
	buf_init(&all->found, NAMES_BYTES_MAX);
	if (search_begin(s, c, &r)) {
		r.uid = true;
		if (take_sources(s, &r, all) && take_options(s, &r, all) &&
		    search_take_program(s, &r))
			answer(s, &r, all);
		search_end(&r);
	}
	buf_fini(&all->found);
	arena_free(&all->arena);
	free(all);
}
