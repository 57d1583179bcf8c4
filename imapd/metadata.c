/* SPDX-License-Identifier: ISC */
#include "imapd/metadata.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imapd/namespaces.h"
#include "imapd/notify.h"

enum { NAME_ROOM = 65536, OUT_ROOM = 16 << 20 };

struct entry {
	const char *name;
	struct span value;
	struct entry *next;
};

/* All there are of one folder. */
struct entries {
	struct arena *arena;
	struct entry *first;
	size_t count; /* of those that clients can see */
};

static bool
is_below(const char *name, const char *parent, unsigned int depth)
{
	size_t n = strlen(parent);
	unsigned int levels = 0;

	if (strncmp(name, parent, n) != 0)
		return false;
	if (name[n] == '\0')
		return true;
	if (name[n] != '/')
		return false;
	for (; name[n] != '\0'; n++)
		if (name[n] == '/' && levels++ == depth)
			return false;
	return true;
}

static bool
is_visible(const char *name)
{
	return is_below(name, "/private", UINT_MAX) ||
	    is_below(name, "/shared", UINT_MAX);
}

/*
 * RFC 5464 section 3.1: levels with "/" in front, none empty, no wildcards,
 * nothing but printable ASCII; letters in any case.
 */
static bool
entry_name(const struct imap_arg *a, struct arena *arena, const char **out)
{
	struct span text;
	char *name;

	if (!imap_arg_astring(a, &text) || text.n < 2 ||
	    text.n > METADATA_ENTRY_MAX || text.p[0] != '/' ||
	    text.p[text.n - 1] == '/')
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] <= ' ' || text.p[i] > '~' || text.p[i] == '*' ||
		    text.p[i] == '%' ||
		    (i > 0 && text.p[i] == '/' && text.p[i - 1] == '/'))
			return false;
	name = arena_span(arena, text);
	for (char *p = name; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
	*out = name;
	return is_visible(name);
}

bool
metadata_wanted_read(const struct imap_arg *a, struct arena *arena,
    struct metadata_wanted *w)
{
	const struct imap_arg *list;

	w->count = 0;
	if (!imap_arg_list(a, &list)) {
		w->count = 1;
		return entry_name(a, arena, &w->entries[0]);
	}
	for (; list->type != IMAP_END; list++)
		if (w->count == METADATA_WANTED_MAX ||
		    !entry_name(list, arena, &w->entries[w->count++]))
			return false;
	return w->count > 0;
}

static void
add_entry(struct entries *e, const char *name, struct span value)
{
	struct entry *n = arena_alloc(e->arena, sizeof(*n));
	char *copy = arena_alloc(e->arena, value.n + 1);

	if (value.n > 0)
		memcpy(copy, value.p, value.n);
	n->name = arena_text(e->arena, name);
	n->value = (struct span){ copy, value.n };
	n->next = e->first;
	e->first = n;
	e->count++;
}

static bool
collect(void *with, const char *name, struct span value)
{
	if (is_visible(name))
		add_entry(with, name, value);
	return true;
}

/* Of others' mailboxes: /private is each one's own, and the owner's. */
static bool
collect_shared(void *with, const char *name, struct span value)
{
	if (is_below(name, "/shared", UINT_MAX))
		add_entry(with, name, value);
	return true;
}

/* RFC 5464 section 3.3: "l", and one more of these. */
static enum mail_result
find_folder(struct imap_session *s, struct span folder, unsigned int needs,
    struct imap_place *place, struct why *why)
{
	const unsigned int any =
	    ACL_READ | ACL_SEEN | ACL_WRITE | ACL_INSERT | ACL_POST;
	enum mail_result r;

	r = namespaces_find(s, folder, ACL_LOOKUP | needs, place, why);
	return r == MAIL_OK && (place->rights & any) == 0 ? MAIL_NO_RIGHT : r;
}

static bool
collect_private(void *with, const char *name, struct span value)
{
	if (is_below(name, "/private", UINT_MAX))
		add_entry(with, name, value);
	return true;
}

/* What /shared of the server says, settings say (RFC 5464 section 6.2.1). */
static void
add_of_server(const struct imapd_params *settings, struct entries *e)
{
	const char *admin = settings->imap_server_admin;
	const char *comment = settings->imap_server_comment;

	if (admin[0] != '\0')
		add_entry(e, "/shared/admin", span_of(admin));
	if (comment[0] != '\0')
		add_entry(e, "/shared/comment", span_of(comment));
}

static enum mail_result
read_entries(struct imap_session *s, struct span folder, struct entries *e,
    struct why *why)
{
	struct imap_place place;
	enum mail_result r = find_folder(s, folder, 0, &place, why);

	if (r != MAIL_OK)
		return r;
	if (folder.n == 0)
		add_of_server(s->params, e);
	return mail_metadata_each(place.account, place.name,
	    folder.n == 0        ? collect_private :
		place.in == NULL ? collect :
				   collect_shared,
	    e, why);
}

/* Where there is a NUL, only literal8 will do (RFC 5464 section 5). */
static void
write_value(struct imap_session *s, struct span value, struct buf *out)
{
	if (value.n > 0 && memchr(value.p, '\0', value.n) != NULL) {
		buf_printf(out, "~{%zu}\r\n", value.n);
		buf_add_span(out, value);
	} else {
		imap_write_string(out, value, imap_utf8(s));
	}
}

static void
write_one(struct imap_session *s, const struct entry *e,
    struct metadata_wanted *w, size_t *told, struct buf *out)
{
	if (e->value.n > w->max_size) {
		if (e->value.n > w->longest)
			w->longest = e->value.n;
		return;
	}
	if ((*told)++ > 0)
		buf_add_char(out, ' ');
	imap_write_astring(out, span_of(e->name), false);
	buf_add_char(out, ' ');
	if (e->value.p == NULL)
		buf_add_text(out, "NIL");
	else
		write_value(s, e->value, out);
}

/* Asked for before, by the same name or by one above it. */
static bool
is_repeated(const struct metadata_wanted *w, size_t i, const char *name)
{
	while (i-- > 0)
		if (is_below(name, w->entries[i], w->depth))
			return true;
	return false;
}

static void
write_wanted(struct imap_session *s, const struct entries *e,
    struct metadata_wanted *w, size_t *told, struct buf *out)
{
	for (size_t i = 0; i < w->count; i++) {
		struct entry none = { .name = w->entries[i] };
		bool found = false;

		for (const struct entry *n = e->first; n != NULL; n = n->next)
			if (is_below(n->name, w->entries[i], w->depth)) {
				if (!is_repeated(w, i, n->name))
					write_one(s, n, w, told, out);
				found = true;
			}
		if (!found && w->depth == 0 &&
		    !is_repeated(w, i, w->entries[i]))
			write_one(s, &none, w, told, out);
	}
}

enum mail_result
metadata_write(struct imap_session *s, struct span folder,
    struct metadata_wanted *w, struct buf *out, struct why *why)
{
	struct entries e = { .arena = arena_new() };
	enum mail_result r = read_entries(s, folder, &e, why);
	struct buf list = BUF_INIT(OUT_ROOM);
	size_t told = 0;

	if (r == MAIL_OK)
		write_wanted(s, &e, w, &told, &list);
	if (list.overflow) {
		why_set(why, "5.3.4", "these entries are too large together");
		r = MAIL_LIMIT;
	} else if (told > 0) {
		buf_add_text(out, "* METADATA ");
		if (folder.n == 0)
			buf_add_text(out, "\"\"");
		else
			imap_write_mailbox(out, arena_span(e.arena, folder),
			    imap_utf8(s));
		buf_add_text(out, " (");
		buf_add_span(out, buf_span(&list));
		buf_add_text(out, ")\r\n");
	}
	buf_fini(&list);
	arena_free(&e.arena);
	return r;
}

/* "" is the server. */
static bool
folder_argument(struct imap_session *s, const struct imap_command *c,
    const struct imap_arg *a, struct buf *out)
{
	struct span text;

	if (imap_arg_astring(a, &text) && text.n == 0) {
		buf_reset(out);
		return true;
	}
	return imap_mailbox_argument(s, c, a, out);
}

static bool
read_option(const struct imap_arg *a, struct metadata_wanted *w)
{
	if (imap_arg_is(a, "MAXSIZE"))
		return imap_arg_number(&a[1], UINT32_MAX, &w->max_size);
	if (!imap_arg_is(a, "DEPTH"))
		return false;
	if (imap_arg_is(&a[1], "0"))
		w->depth = 0;
	else if (imap_arg_is(&a[1], "1"))
		w->depth = 1;
	else if (imap_arg_is(&a[1], "infinity"))
		w->depth = UINT_MAX;
	else
		return false;
	return true;
}

static bool
read_options(const struct imap_arg *a, struct metadata_wanted *w)
{
	const struct imap_arg *list;

	if (!imap_arg_list(a, &list))
		return false;
	for (; list->type != IMAP_END; list += 2)
		if (!read_option(list, w))
			return false;
	return true;
}

/* Options stand in front of the mailbox, in some examples behind it. */
static const struct imap_arg *
get_arguments(const struct imap_command *c, struct arena *arena,
    struct metadata_wanted *w)
{
	const struct imap_arg *a = c->args, *folder;

	if (c->count > 0 && a->type == IMAP_LIST) {
		if (!read_options(a++, w))
			return NULL;
		folder = a++;
	} else {
		folder = a;
		if (c->count == 3 && !read_options(++a, w))
			return NULL;
		a++;
	}
	if (c->count < 2 || c->count > 3 || a != &c->args[c->count - 1] ||
	    !metadata_wanted_read(a, arena, w))
		return NULL;
	return folder;
}

static void
get(struct imap_session *s, const struct imap_command *c, struct span folder,
    struct metadata_wanted *w)
{
	char code[64];
	struct why why = { 0 };
	enum mail_result r = metadata_write(s, folder, w, &s->out, &why);

	snprintf(code, sizeof(code), "METADATA LONGENTRIES %" PRIu64,
	    w->longest);
	if (r != MAIL_OK)
		reply_result(s, c, r, &why);
	else
		reply_ok(s, c, w->longest > 0 ? code : NULL,
		    "Getmetadata completed.");
}

void
getmetadata_command(struct imap_session *s, const struct imap_command *c)
{
	struct metadata_wanted w = { .max_size = UINT64_MAX };
	struct buf name = BUF_INIT(NAME_ROOM);
	struct arena *arena = arena_new();
	const struct imap_arg *folder = get_arguments(c, arena, &w);

	if (folder == NULL)
		reply_bad(s, c,
		    "GETMETADATA wants a mailbox and entries, which"
		    " begin with /private/ or /shared/");
	else if (folder_argument(s, c, folder, &name))
		get(s, c, buf_span(&name), &w);
	arena_free(&arena);
	buf_fini(&name);
}

/* What SETMETADATA is to do. */
struct change {
	struct imap_session *s;
	const struct imap_command *c;
	struct span folder;
	struct imap_place place; /* of it */
	struct entries old; /* as it was */
	struct entry set[METADATA_WANTED_MAX]; /* value.p NULL: removed */
	size_t count;
};

static const struct entry *
old_entry(const struct change *x, const char *name)
{
	for (const struct entry *e = x->old.first; e != NULL; e = e->next)
		if (strcmp(e->name, name) == 0)
			return e;
	return NULL;
}

/* BYTES of literal8 are fine as well. */
static bool
value_argument(const struct imap_arg *a, struct span *out)
{
	if (a->type == IMAP_LITERAL8) {
		*out = a->text;
		if (out->p == NULL)
			*out = SPAN("");
		return true;
	}
	return imap_arg_nstring(a, out);
}

static bool
set_arguments(struct change *x, const struct imap_arg *a)
{
	const struct imap_arg *list;

	if (x->c->count != 2 || !imap_arg_list(a, &list) ||
	    list->type == IMAP_END)
		return false;
	for (; list->type != IMAP_END; list += 2) {
		struct entry *e = &x->set[x->count++];

		if (x->count > METADATA_WANTED_MAX ||
		    !entry_name(list, x->old.arena, &e->name) ||
		    strchr(e->name + 1, '/') == NULL ||
		    !value_argument(&list[1], &e->value))
			return false;
	}
	return true;
}

/* RFC 5464 section 4.3: on others' mailboxes nothing private is kept. */
static bool
wants_private(const struct change *x)
{
	for (size_t i = 0; x->place.in != NULL && i < x->count; i++)
		if (!is_below(x->set[i].name, "/shared", UINT_MAX))
			return true;
	return false;
}

/* Nobody here may speak for the server (RFC 5464 section 4.1). */
static bool
is_read_only(const struct change *x, const char *name)
{
	return x->folder.n == 0 && is_below(name, "/shared", UINT_MAX);
}

static bool
within_limits(const struct change *x)
{
	uint64_t most = (uint64_t)x->s->params->imap_metadata_max_size;
	size_t count = x->old.count;
	char code[64];

	for (size_t i = 0; i < x->count; i++) {
		const struct entry *e = &x->set[i];

		if (is_read_only(x, e->name)) {
			reply_no(x->s, x->c, "NOPERM", "%s cannot be changed",
			    e->name);
			return false;
		}
		if (e->value.n > most) {
			snprintf(code, sizeof(code),
			    "METADATA MAXSIZE %" PRIu64, most);
			reply_no(x->s, x->c, code, "A value is too long");
			return false;
		}
		count += e->value.p != NULL && old_entry(x, e->name) == NULL;
	}
	if (count > x->old.count &&
	    count > (size_t)x->s->params->imap_metadata_max_entries) {
		reply_no(x->s, x->c, "METADATA TOOMANY", "Too many entries");
		return false;
	}
	return true;
}

static void
tell_others(const struct change *x)
{
	struct buf names = BUF_INIT(METADATA_WANTED_MAX * METADATA_ENTRY_MAX);
	char *folder = mem_span_text(x->folder);

	for (size_t i = 0; i < x->count; i++) {
		if (i > 0)
			buf_add_char(&names, ' ');
		imap_write_astring(&names, span_of(x->set[i].name), false);
	}
	notify_metadata(x->s, folder, buf_text(&names));
	free(folder);
	buf_fini(&names);
}

/* All or nothing (RFC 5464 section 4.3). */
static void
set(struct change *x)
{
	struct mail_account *account = x->place.account;
	enum mail_result r = MAIL_OK;
	struct why why = { 0 }, again;
	size_t i;

	for (i = 0; i < x->count && r == MAIL_OK; i++)
		r = mail_metadata_set(account, x->place.name, x->set[i].name,
		    x->set[i].value, &why);
	if (r == MAIL_OK) {
		tell_others(x);
		reply_ok(x->s, x->c, NULL, "Setmetadata completed.");
		return;
	}
	while (i-- > 0) {
		const struct entry *e = old_entry(x, x->set[i].name);
		struct span value = { NULL, 0 };

		if (e != NULL)
			value = e->value;
		if (mail_metadata_set(account, x->place.name, x->set[i].name,
			value, &again) != MAIL_OK)
			break;
	}
	/* a special use that cannot be given (RFC 6154 section 5.4) */
	if (r == MAIL_NOT_ALLOWED)
		reply_no(x->s, x->c, "USEATTR", "%s", why.text);
	else
		reply_result(x->s, x->c, r, &why);
}

void
setmetadata_command(struct imap_session *s, const struct imap_command *c)
{
	struct change x = { .s = s, .c = c, .old.arena = arena_new() };
	struct buf name = BUF_INIT(NAME_ROOM);
	struct why why = { 0 };
	enum mail_result r;

	if (c->count != 2 || !set_arguments(&x, &c->args[1])) {
		reply_bad(s, c,
		    "SETMETADATA wants a mailbox and a list of"
		    " entries and values");
	} else if (folder_argument(s, c, &c->args[0], &name)) {
		x.folder = buf_span(&name);
		/* what all see is the mailbox's, as its flags are */
		r = find_folder(s, x.folder, ACL_WRITE, &x.place, &why);
		if (r == MAIL_OK)
			r = read_entries(s, x.folder, &x.old, &why);
		if (r != MAIL_OK)
			reply_result(s, c, r, &why);
		else if (wants_private(&x))
			reply_no(s, c, "METADATA NOPRIVATE",
			    "Private entries are kept on your own mailboxes");
		else if (within_limits(&x))
			set(&x);
	}
	arena_free(&x.old.arena);
	buf_fini(&name);
}
