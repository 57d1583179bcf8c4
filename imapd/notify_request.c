/* SPDX-License-Identifier: ISC */
#include "imapd/notify_request.h"

#include <string.h>

#include "imapd/namespaces.h"

enum { NAME_ROOM = 65536 };

static const struct {
	const char *name;
	unsigned int event;
} events[] = {
	{ "MessageNew", NOTIFY_NEW },
	{ "MessageExpunge", NOTIFY_EXPUNGE },
	{ "FlagChange", NOTIFY_FLAGS },
	{ "MailboxName", NOTIFY_NAME },
	{ "SubscriptionChange", NOTIFY_SUBSCRIPTION },
	{ "MailboxMetadataChange", NOTIFY_METADATA },
	{ "ServerMetadataChange", NOTIFY_SERVER_METADATA },
};

static const struct {
	const char *name;
	enum notify_filter filter;
	bool names;
} filters[] = {
	{ "INBOXES", NOTIFY_PERSONAL, false },
	{ "PERSONAL", NOTIFY_PERSONAL, false },
	{ "SUBSCRIBED", NOTIFY_SUBSCRIBED, false },
	{ "SUBTREE", NOTIFY_SUBTREE, true },
	{ "MAILBOXES", NOTIFY_MAILBOXES, true },
};

enum {
	EVENTS = sizeof(events) / sizeof(events[0]),
	FILTERS = sizeof(filters) / sizeof(filters[0]),
};

struct reading {
	const struct imap_session *s;
	struct arena *arena;
	struct notify_request *out;
	bool has_selected;
};

static unsigned int
event_of(const struct imap_arg *a)
{
	for (size_t i = 0; i < EVENTS; i++)
		if (imap_arg_is(a, events[i].name))
			return events[i].event;
	return 0;
}

/* MessageNew and MessageExpunge go together, FlagChange with both. */
static bool
whole(unsigned int set)
{
	unsigned int both = NOTIFY_NEW | NOTIFY_EXPUNGE;

	return (set & NOTIFY_MESSAGES) == 0 || (set & both) == both;
}

/* "(uid body.peek[...])" behind MessageNew, of the selected mailbox. */
static bool
read_items(struct reading *x, const struct imap_arg *a)
{
	const struct imap_arg args[2] = { *a, { .type = IMAP_END } };

	x->out->fetch = true;
	return fetch_plan_read(x->arena, args, false, &x->out->plan) == NULL &&
	    !x->out->plan.sets_seen;
}

static enum notify_read
read_events(struct reading *x, const struct imap_arg *a, bool selected,
    unsigned int *out)
{
	const struct imap_arg *list;
	unsigned int event;

	*out = 0;
	if (imap_arg_is(a, "NONE"))
		return NOTIFY_READ_OK;
	if (!imap_arg_list(a, &list) || list->type == IMAP_END)
		return NOTIFY_READ_BAD;
	for (; list->type != IMAP_END; list++) {
		event = event_of(list);
		if (event == 0)
			return list->type == IMAP_ATOM ? NOTIFY_READ_BADEVENT :
							 NOTIFY_READ_BAD;
		*out |= event;
		if (event != NOTIFY_NEW || list[1].type != IMAP_LIST)
			continue;
		if (!selected || !read_items(x, ++list))
			return NOTIFY_READ_BAD;
	}
	if (selected && (*out & ~(unsigned int)NOTIFY_MESSAGES) != 0)
		return NOTIFY_READ_BAD;
	return whole(*out) ? NOTIFY_READ_OK : NOTIFY_READ_BAD;
}

static bool
read_name(struct reading *x, const struct imap_arg *a, struct notify_group *g)
{
	struct buf name = BUF_INIT(NAME_ROOM);
	bool good =
	    g->count < NOTIFY_NAMES_MAX && imap_mailbox_text(x->s, a, &name);

	if (good)
		g->names[g->count++] = arena_span(x->arena, buf_span(&name));
	buf_fini(&name);
	return good;
}

static bool
read_names(struct reading *x, const struct imap_arg *a, struct notify_group *g)
{
	const struct imap_arg *list;

	if (!imap_arg_list(a, &list)) {
		g->names = arena_alloc(x->arena, sizeof(*g->names));
		return read_name(x, a, g);
	}
	g->names = arena_alloc(x->arena, (a->count + 1) * sizeof(*g->names));
	for (; list->type != IMAP_END; list++)
		if (!read_name(x, list, g))
			return false;
	return g->count > 0;
}

static enum notify_read
read_selected(struct reading *x, const struct imap_arg *a)
{
	if (x->has_selected || a[1].type == IMAP_END || a[2].type != IMAP_END)
		return NOTIFY_READ_BAD;
	x->has_selected = true;
	x->out->delayed = imap_arg_is(a, "SELECTED-DELAYED");
	return read_events(x, &a[1], true, &x->out->selected);
}

static enum notify_read
read_group(struct reading *x, const struct imap_arg *a)
{
	struct notify_group *g = &x->out->groups[x->out->count];
	enum notify_read r;

	if (imap_arg_is(a, "SELECTED") || imap_arg_is(a, "SELECTED-DELAYED"))
		return read_selected(x, a);
	for (size_t i = 0; i < FILTERS; i++) {
		if (!imap_arg_is(a, filters[i].name))
			continue;
		g->filter = filters[i].filter;
		a++;
		if (filters[i].names && !read_names(x, a++, g))
			return NOTIFY_READ_BAD;
		if (a->type == IMAP_END || a[1].type != IMAP_END)
			return NOTIFY_READ_BAD;
		r = read_events(x, a, false, &g->events);
		x->out->count++;
		return r;
	}
	return NOTIFY_READ_BAD;
}

enum notify_read
notify_request_read(const struct imap_session *s, const struct imap_command *c,
    struct arena *arena, struct notify_request *out)
{
	struct reading x = { .s = s, .arena = arena, .out = out };
	const struct imap_arg *a = c->args, *list;
	enum notify_read r = NOTIFY_READ_OK;

	*out = (struct notify_request){ 0 };
	if (imap_arg_is(a, "NONE") && c->count == 1)
		return NOTIFY_READ_OK;
	if (!imap_arg_is(a++, "SET"))
		return NOTIFY_READ_BAD;
	out->status = imap_arg_is(a, "STATUS");
	a += out->status;
	if (a->type == IMAP_END || c->count > NOTIFY_GROUPS_MAX)
		return NOTIFY_READ_BAD;
	out->groups = arena_alloc(arena, c->count * sizeof(*out->groups));
	for (; a->type != IMAP_END && r == NOTIFY_READ_OK; a++)
		r = imap_arg_list(a, &list) ? read_group(&x, list) :
					      NOTIFY_READ_BAD;
	return r;
}

static bool
is_below(const char *name, const char *parent, char separator)
{
	size_t n = strlen(parent);

	return strncmp(name, parent, n) == 0 &&
	    (name[n] == '\0' || name[n] == separator);
}

static bool
group_has(const struct notify_group *g, const char *name, bool subscribed,
    char separator)
{
	if (g->filter == NOTIFY_PERSONAL)
		return !namespaces_is_foreign(span_of(name));
	if (g->filter == NOTIFY_SUBSCRIBED)
		return subscribed;
	for (size_t i = 0; i < g->count; i++)
		if (g->filter == NOTIFY_SUBTREE ?
			is_below(name, g->names[i], separator) :
			strcmp(name, g->names[i]) == 0)
			return true;
	return false;
}

unsigned int
notify_request_events(const struct notify_request *r, const char *name,
    bool subscribed, char separator)
{
	unsigned int set = 0;

	for (size_t i = 0; i < r->count; i++)
		if (group_has(&r->groups[i], name, subscribed, separator))
			set |= r->groups[i].events;
	return set;
}
