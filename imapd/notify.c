/* SPDX-License-Identifier: ISC */
#include "imapd/notify.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "imapd/arguments_text.h"
#include "imapd/list.h"
#include "imapd/namespaces.h"
#include "imapd/notify_folders.h"
#include "imapd/parked_told.h"
#include "imapd/status.h"
#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "lib/login/session_stage.h"

enum {
	TEXT_MAX = 800, /* of a request that can be parked */
	/* and mailboxes beside the selected one, the tree: two points each */
	PARKED_MAX = (SESSION_POINTS_MAX - 2 * MAILBOX_POINTS) / MAILBOX_POINTS,
	WATCHED_MAX = 500, /* mailboxes of one connection */
	PENDING_MAX = 1 << 20, /* bytes of news that wait to be told */
	LOOK_MS = 3000, /* at a tree that cannot be watched */
	SETTLE_MS = 500, /* a directory becomes a folder bit by bit */
};

/* Another mailbox than the selected one. */
struct notify_watched {
	struct mailbox *mailbox;
	unsigned int events;
	struct mailbox_status told;
	bool found; /* while the list is gone through */
	struct notify_watched *next;
};

struct imap_notify {
	struct imap_session *s;
	struct arena *arena;
	struct notify_request request;
	struct buf text; /* the request as written; empty: not to be had */
	struct notify_folders folders;
	struct notify_watched *watched;
	size_t count;
	bool tree; /* events that need it were asked for */
	bool overflow;
	bool seen; /* the tree is watched: changes are told */
	unsigned int generation; /* of the tree, as last looked at */
	uint64_t changes; /* the same: mail_account_tree_changes */
	int64_t look_at; /* the tree, whatever was seen, clock_ms */
	struct buf pending; /* what others did */
	struct mailbox *selected; /* that "fetched" is of */
	uint32_t fetched; /* UIDs below need no FETCH any more */
	struct imap_notify *prev, *next; /* all of this process */
};

/* Of the process, which is one user's. */
static struct imap_notify *all;
static unsigned int tree_generation;

static char
separator(const struct imap_notify *n)
{
	return mail_account_separator(n->s->account);
}

static void
close_watched(struct imap_notify *n, struct notify_watched *w)
{
	LL_DELETE(n->watched, w);
	mailbox_close(&w->mailbox);
	free(w);
	n->count--;
}

static void
forget(struct imap_notify *n)
{
	while (n->watched != NULL)
		close_watched(n, n->watched);
	notify_folders_free(&n->folders);
	buf_reset(&n->pending);
	buf_fini(&n->text);
	arena_reset(n->arena);
	n->request = (struct notify_request){ 0 };
	n->tree = false;
}

void
notify_free(struct imap_session *s)
{
	struct imap_notify *n = s->notify;

	if (n == NULL)
		return;
	forget(n);
	DL_DELETE(all, n);
	buf_fini(&n->pending);
	arena_free(&n->arena);
	free(n);
	s->notify = NULL;
}

/* RFC 5465 section 5.8: as if NOTIFY NONE had been said. */
static void
overflow(struct imap_notify *n)
{
	forget(n);
	buf_add_text(&n->s->out,
	    "* OK [NOTIFICATIONOVERFLOW] Too much is happening\r\n");
	n->overflow = false;
}

/* Watching */

static unsigned int
events_of(const struct imap_notify *n, const char *name)
{
	return notify_request_events(&n->request, name,
	    notify_folders_subscribed(&n->folders, name), separator(n));
}

static struct notify_watched *
find_watched(struct imap_notify *n, const char *name)
{
	struct notify_watched *w;

	LL_FOREACH (n->watched, w)
		if (strcmp(mailbox_name(w->mailbox), name) == 0)
			return w;
	return NULL;
}

/* NULL: it cannot be opened. */
static struct notify_watched *
open_watched(struct imap_notify *n, const char *name)
{
	struct notify_watched *w = mem_new(sizeof(*w));
	struct why why;

	if (namespaces_open(n->s, span_of(name), ACL_LOOKUP | ACL_READ,
		&w->mailbox, NULL, &why) != MAIL_OK) {
		free(w);
		return NULL;
	}
	if (mailbox_status(w->mailbox, 0, &w->told, &why) != MAIL_OK) {
		mailbox_close(&w->mailbox);
		free(w);
		return NULL;
	}
	mailbox_watch(w->mailbox, true);
	w->found = true;
	LL_APPEND(n->watched, w);
	n->count++;
	return w;
}

/* One that has gone is not there any more, one that came is asked for. */
static bool
watch_one(struct imap_notify *n, const char *name)
{
	unsigned int events = events_of(n, name) & NOTIFY_MESSAGES;
	struct notify_watched *w;

	if (events == 0)
		return true;
	w = find_watched(n, name);
	if (w == NULL) {
		if (n->count == WATCHED_MAX)
			return false;
		w = open_watched(n, name);
		if (w == NULL)
			return true;
	}
	w->events = events;
	w->found = true;
	return true;
}

/* False: there are too many. */
static bool
watch_all(struct imap_notify *n)
{
	struct notify_folder *at = NULL;
	struct notify_watched *w, *next;
	const char *name;
	bool fits = true;

	LL_FOREACH (n->watched, w)
		w->found = false;
	while (fits && (name = notify_folders_next(&n->folders, &at)) != NULL)
		fits = watch_one(n, name);
	LL_FOREACH_SAFE (n->watched, w, next)
		if (!w->found)
			close_watched(n, w);
	return fits;
}

static uint64_t
tree_changes(const struct imap_notify *n)
{
	return mail_account_tree_changes(n->s->account);
}

/* The tree as it is now; what changed is told, or is known already. */
static void
look_at_tree(struct imap_notify *n, bool known)
{
	struct imap_session *s = n->s;
	struct why why;

	n->generation = tree_generation;
	n->look_at = clock_ms() +
	    (!n->seen                             ? LOOK_MS :
		    n->changes != tree_changes(n) ? SETTLE_MS :
						    INT32_MAX);
	n->changes = tree_changes(n);
	if (!n->tree)
		return;
	if (notify_folders_update(&n->folders, s, &n->request,
		known ? NULL : &s->out, &why) != MAIL_OK)
		log_warning("user=<%s>, session=%s: %s", s->user, s->id,
		    why.text);
	else if (!watch_all(n))
		n->overflow = true;
}

static bool
tree_is_due(const struct imap_notify *n)
{
	return n->tree &&
	    (n->generation != tree_generation ||
		n->changes != tree_changes(n) || clock_ms() >= n->look_at);
}

/* Telling */

/* RFC 5465 sections 5.1 to 5.3. */
static unsigned int
news_of(const struct imap_notify *n, const struct notify_watched *w,
    const struct mailbox_status *now)
{
	const struct mailbox_status *was = &w->told;
	bool condstore =
	    imap_enabled(n->s, ENABLED_CONDSTORE | ENABLED_QRESYNC);
	bool number =
	    was->uidnext != now->uidnext || was->messages != now->messages;
	unsigned int items = 0;

	if (was->uidvalidity != now->uidvalidity)
		items = STATUS_MESSAGES | STATUS_UIDNEXT;
	if (number)
		items |= STATUS_MESSAGES | STATUS_UIDNEXT;
	if ((w->events & NOTIFY_FLAGS) != 0 &&
	    was->highest_modseq != now->highest_modseq)
		items |= STATUS_UNSEEN;
	if (items == 0)
		return 0;
	return items | STATUS_UIDVALIDITY |
	    (condstore ? STATUS_HIGHESTMODSEQ : 0);
}

/* False: it is no more. */
static bool
tell_watched(struct imap_notify *n, struct notify_watched *w)
{
	struct imap_session *s = n->s;
	struct mailbox_status now;
	enum mail_result r;
	struct why why;
	const unsigned int both = ACL_LOOKUP | ACL_READ;
	unsigned int items;

	/* RFC 5465 section 5.2: "l" and "r", as long as it is watched */
	if ((namespaces_rights(s, w->mailbox) & both) != both)
		return false;
	r = mailbox_sync(w->mailbox, &why);
	if (r == MAIL_OK)
		r = mailbox_status(w->mailbox, 0, &now, &why);
	if (r == MAIL_NONEXISTENT)
		return false;
	if (r != MAIL_OK)
		return true;
	/* the selected one has its own rules (section 3.1) */
	if (s->mailbox != NULL &&
	    strcmp(mailbox_name(s->mailbox), mailbox_name(w->mailbox)) == 0) {
		w->told = now;
		return true;
	}
	items = news_of(n, w, &now);
	w->told = now;
	if (items != 0)
		(void)status_write_open(s, w->mailbox, items, &s->out, &why);
	return true;
}

/* What MessageNew wants to be known of those that were told by EXISTS. */
static void
fetch_arrived(struct imap_notify *n)
{
	struct imap_session *s = n->s;
	struct uid_set uids = { 0 };

	if (s->mailbox == NULL || n->selected != s->mailbox ||
	    n->fetched >= s->view.uidnext)
		return;
	uid_set_add_range(&uids, n->fetched, s->view.uidnext - 1);
	uid_set_intersect(&uids, &s->view.uids);
	n->fetched = s->view.uidnext;
	if (n->request.fetch && !uid_set_empty(&uids))
		fetch_unasked(s, &n->request.plan, &uids);
	uid_set_fini(&uids);
}

static void
tell_selected(struct imap_notify *n)
{
	struct imap_session *s = n->s;

	if (s->mailbox == NULL || n->request.selected == 0)
		return;
	/* in IDLE they may be told (section 6.1.2) */
	imap_tell(s,
	    n->request.delayed && s->verb == NULL ? TELL_NO_EXPUNGE : TELL_ALL);
	fetch_arrived(n);
}

void
notify_wake(struct imap_session *s)
{
	struct imap_notify *n = s->notify;
	struct notify_watched *w, *next;

	tell_selected(n);
	/* what did not fit whole ends in the middle of a line */
	if (n->pending.overflow)
		n->overflow = true;
	else
		buf_add_span(&s->out, buf_span(&n->pending));
	buf_fini(&n->pending);
	n->pending = BUF_INIT(PENDING_MAX);
	if (tree_is_due(n))
		look_at_tree(n, false);
	LL_FOREACH_SAFE (n->watched, w, next)
		if (!tell_watched(n, w))
			close_watched(n, w);
	if (n->overflow)
		overflow(n);
}

/* The selected mailbox may be another one now. */
static void
take_selected(struct imap_notify *n, bool anew)
{
	struct imap_session *s = n->s;

	if (!anew && n->selected == s->mailbox)
		return;
	n->selected = s->mailbox;
	if (s->mailbox == NULL)
		return;
	n->fetched = s->view.uidnext;
	if (n->request.selected != 0)
		mailbox_watch(s->mailbox, true);
}

static bool
is_one_of(const struct imap_verb *v, const char *const *names)
{
	for (; *names != NULL; names++)
		if (v != NULL && span_is(v->name, *names))
			return true;
	return false;
}

static const char *const tree_verbs[] = { "CREATE", "DELETE", "RENAME",
	"SUBSCRIBE", "UNSUBSCRIBE", NULL };

void
notify_before(struct imap_session *s, const struct imap_verb *verb)
{
	struct imap_notify *n = s->notify;

	if (is_one_of(verb, tree_verbs) && n->tree)
		look_at_tree(n, false);
}

void
notify_after(struct imap_session *s, const struct imap_verb *verb)
{
	static const char *const selects[] = { "SELECT", "EXAMINE", NULL };
	static const char *const adds[] = { "APPEND", "COPY", "MOVE", "REPLACE",
		NULL };
	struct imap_notify *n = s->notify;

	take_selected(n, is_one_of(verb, selects));
	/* RFC 5465 section 5.2: what the client has made itself it knows */
	if (is_one_of(verb, adds) && s->mailbox != NULL)
		n->fetched = s->view.uidnext;
	if (is_one_of(verb, tree_verbs))
		look_at_tree(n, true);
	fetch_arrived(n);
}

int64_t
notify_wake_at(const struct imap_session *s)
{
	const struct imap_notify *n = s->notify;

	if (!n->tree)
		return INT64_MAX;
	/* who looked at a mailbox may have read what was seen of the tree */
	return tree_is_due(n) ? 0 : n->look_at;
}

bool
notify_wants_flags(const struct imap_session *s)
{
	return (s->notify->request.selected & NOTIFY_FLAGS) != 0;
}

/* What other connections did */

void
notify_tree_changed(struct imap_session *s)
{
	(void)s;
	tree_generation++;
	imap_wake_all();
}

void
notify_renamed(struct imap_session *s, const char *from, const char *to)
{
	struct imap_notify *n;
	struct mail_folder f;

	DL_FOREACH (all, n) {
		notify_folders_rename(&n->folders, from, to, separator(n));
		if (n->s == s || (events_of(n, to) & NOTIFY_NAME) == 0 ||
		    namespaces_folder(n->s, span_of(to), &f) != MAIL_OK)
			continue;
		list_write_old_name(n->s, &f, from, &n->pending);
	}
	notify_tree_changed(s);
}

static unsigned int
metadata_event(const struct imap_notify *n, const char *folder)
{
	unsigned int set = 0;

	if (folder[0] != '\0')
		return events_of(n, folder) & NOTIFY_METADATA;
	/* of the server: whichever group it stands in */
	for (size_t i = 0; i < n->request.count; i++)
		set |= n->request.groups[i].events;
	return set & NOTIFY_SERVER_METADATA;
}

void
notify_metadata(struct imap_session *s, const char *folder, const char *entries)
{
	struct imap_notify *n;

	DL_FOREACH (all, n) {
		if (n->s == s || metadata_event(n, folder) == 0)
			continue;
		buf_add_text(&n->pending, "* METADATA ");
		if (folder[0] == '\0')
			buf_add_text(&n->pending, "\"\"");
		else
			imap_write_mailbox(&n->pending, folder,
			    imap_utf8(n->s));
		buf_printf(&n->pending, " %s\r\n", entries);
	}
	imap_wake_all();
}

/* The command */

static void
tell_first(struct imap_notify *n)
{
	struct imap_session *s = n->s;
	struct notify_watched *w;
	struct why why;

	LL_FOREACH (n->watched, w) {
		unsigned int items = STATUS_MESSAGES;

		if (s->mailbox != NULL &&
		    strcmp(mailbox_name(s->mailbox),
			mailbox_name(w->mailbox)) == 0)
			continue;
		if ((w->events & NOTIFY_NEW) != 0)
			items |= STATUS_UIDNEXT | STATUS_UIDVALIDITY;
		if ((w->events & NOTIFY_FLAGS) != 0)
			items |= STATUS_UIDVALIDITY | STATUS_HIGHESTMODSEQ;
		(void)status_write_open(s, w->mailbox, items, &s->out, &why);
	}
}

static struct imap_notify *
begin(struct imap_session *s)
{
	struct imap_notify *n = s->notify;

	if (n != NULL) {
		forget(n);
		return n;
	}
	n = mem_new(sizeof(*n));
	n->s = s;
	n->arena = arena_new();
	n->pending = BUF_INIT(PENDING_MAX);
	n->text = BUF_INIT(TEXT_MAX);
	DL_APPEND(all, n);
	s->notify = n;
	return n;
}

/* The new request holds from here on; the old one is gone. */
static bool
set_up(struct imap_notify *n)
{
	n->tree = n->request.count > 0;
	n->seen = n->tree && mail_account_watch_tree(n->s->account);
	look_at_tree(n, true);
	if (n->overflow) {
		n->overflow = false;
		forget(n);
		return false;
	}
	take_selected(n, true);
	if (n->request.status)
		tell_first(n);
	return true;
}

static enum notify_read
is_understood(struct imap_session *s, const struct imap_command *c)
{
	struct arena *arena = arena_new();
	struct notify_request request;
	enum notify_read r = notify_request_read(s, c, arena, &request);

	arena_free(&arena);
	return r;
}

void
notify_command(struct imap_session *s, const struct imap_command *c)
{
	struct imap_notify *n;

	/* one that is refused changes nothing */
	switch (is_understood(s, c)) {
	case NOTIFY_READ_BAD:
		reply_bad(s, c,
		    "NOTIFY wants NONE, or SET and groups of a"
		    " filter and events");
		return;
	case NOTIFY_READ_BADEVENT:
		reply_no(s, c, "BADEVENT (" NOTIFY_EVENT_NAMES ")",
		    "This event is not known here");
		return;
	case NOTIFY_READ_OK:
		break;
	}
	n = begin(s);
	(void)notify_request_read(s, c, n->arena, &n->request);
	if (!arguments_text_write(c->args, &n->text))
		buf_fini(&n->text);
	if (set_up(n))
		reply_ok(s, c, NULL, "Notify completed.");
	else
		reply_no(s, c, "NOTIFICATIONOVERFLOW", "Too many mailboxes");
}

/* Parking */

/* Whose changes by others nobody could tell when the session comes back. */
static bool
wants_metadata(const struct imap_notify *n)
{
	unsigned int set = 0;

	for (size_t i = 0; i < n->request.count; i++)
		set |= n->request.groups[i].events;
	return (set & (NOTIFY_METADATA | NOTIFY_SERVER_METADATA)) != 0;
}

/* A tree that has just changed is not all there yet. */
static bool
can_be_left(const struct imap_notify *n)
{
	return !n->tree ||
	    (n->seen && n->count <= PARKED_MAX && !wants_metadata(n) &&
		!tree_is_due(n) && n->look_at > clock_in(LOOK_MS / 1000));
}

bool
notify_text(const struct imap_session *s, struct span *text)
{
	const struct imap_notify *n = s->notify;

	*text = buf_span(&n->text);
	return n->text.n > 0 && n->pending.n == 0 && !n->overflow &&
	    can_be_left(n);
}

bool
notify_wants_selected(const struct imap_session *s)
{
	return s->notify != NULL && s->notify->request.selected != 0;
}

bool
notify_wants_others(const struct imap_session *s)
{
	return s->notify != NULL && s->notify->tree;
}

struct mailbox *
notify_watched(const struct imap_session *s, const struct notify_watched **at)
{
	*at = *at == NULL ? s->notify->watched : (*at)->next;
	return *at == NULL ? NULL : (*at)->mailbox;
}

/* What the next look at the tree compares with. */
static bool
matters(const struct imap_notify *n, const struct notify_known *k)
{
	for (size_t i = 0; i < n->request.count; i++)
		if (n->request.groups[i].filter == NOTIFY_SUBSCRIBED)
			return true;
	return events_of(n, k->name) != 0;
}

static struct parked_folder
folder_told(struct imap_notify *n, const struct notify_known *k)
{
	const struct notify_watched *w = find_watched(n, k->name);
	struct parked_folder f = {
		.name = span_of(k->name),
		.exists = k->exists,
		.selectable = k->selectable,
		.subscribed = k->subscribed,
		.watched = w != NULL,
	};

	if (w != NULL) {
		f.uidvalidity = w->told.uidvalidity;
		f.uidnext = w->told.uidnext;
		f.messages = w->told.messages;
		f.modseq = w->told.highest_modseq;
	}
	return f;
}

bool
notify_told(const struct imap_session *s, struct buf *out)
{
	struct imap_notify *n = s->notify;
	struct parked_told told = { .out = out };
	struct notify_folder *at = NULL;
	struct parked_folder f;
	struct notify_known k;

	while (!out->overflow && notify_folders_step(&n->folders, &at, &k)) {
		if (!matters(n, &k))
			continue;
		f = folder_told(n, &k);
		parked_told_put(&told, &f);
	}
	parked_told_fini(&told);
	return !out->overflow;
}

/* One that cannot be opened any more is missed when the tree is looked at. */
static void
folder_again(struct imap_notify *n, const struct parked_folder *f)
{
	char *name = mem_span_text(f->name);
	const struct notify_known k = { name, f->exists, f->selectable,
		f->subscribed };
	struct notify_watched *w = NULL;

	notify_folders_put(&n->folders, &k);
	if (f->watched && n->count < WATCHED_MAX)
		w = open_watched(n, name);
	if (w != NULL) {
		w->events = events_of(n, name) & NOTIFY_MESSAGES;
		w->told.uidvalidity = f->uidvalidity;
		w->told.uidnext = f->uidnext;
		w->told.messages = f->messages;
		w->told.highest_modseq = f->modseq;
	}
	free(name);
}

static bool
others_again(struct imap_notify *n, struct span text)
{
	struct parked_told told = { .in.rest = text };
	struct parked_folder f;

	n->tree = n->request.count > 0;
	n->seen = n->tree && mail_account_watch_tree(n->s->account);
	while (n->tree && parked_told_next(&told, &f))
		folder_again(n, &f);
	parked_told_fini(&told);
	/* and then at all that happened meanwhile */
	n->generation = tree_generation - 1;
	return packed_end(&told.in);
}

bool
notify_again(struct imap_session *s, struct span text, struct span told)
{
	struct imap_notify *n = begin(s);
	struct imap_command c = { .name = SPAN("NOTIFY") };

	buf_add_span(&n->text, text);
	if (!arguments_text_read(text, n->arena, &c.args, &c.count) ||
	    notify_request_read(s, &c, n->arena, &n->request) !=
		NOTIFY_READ_OK ||
	    !others_again(n, told))
		return false;
	take_selected(n, true);
	return true;
}
