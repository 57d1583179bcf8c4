/* SPDX-License-Identifier: ISC */
#include "imapd/notify_folders.h"

#include <stdlib.h>
#include <string.h>

#include "imapd/list.h"
#include "imapd/namespaces.h"
#include "lib/base/hash_table.h"

struct notify_folder {
	char *name;
	bool exists, selectable, subscribed;
	UT_hash_handle hh;
};

struct updating {
	struct imap_session *s;
	const struct notify_request *request;
	struct notify_folder *now; /* a hash */
	struct buf *out; /* NULL: nothing is told */
};

static void
add(struct notify_folder **to, struct notify_folder *n)
{
	HASH_ADD_KEYPTR(hh, *to, n->name, strlen(n->name), n);
}

static bool
collect(void *with, const struct mail_folder *f)
{
	struct updating *u = with;
	struct notify_folder *n = mem_new(sizeof(*n));

	n->name = mem_text(f->name);
	n->exists = f->exists;
	n->selectable = f->exists && f->selectable;
	n->subscribed = f->subscribed;
	add(&u->now, n);
	return true;
}

static void
free_hash(struct notify_folder **hash)
{
	struct notify_folder *n, *next;

	HASH_ITER (hh, *hash, n, next) {
		HASH_DEL(*hash, n);
		free(n->name);
		free(n);
	}
}

void
notify_folders_free(struct notify_folders *f)
{
	free_hash(&f->byname);
}

static struct notify_folder *
find(struct notify_folder *hash, const char *name)
{
	struct notify_folder *n;

	HASH_FIND_STR(hash, name, n);
	return n;
}

/* "* LIST (...) "/" name", of one that may be no more. */
static void
tell(struct updating *u, const char *name)
{
	struct mail_folder f = { 0 };

	if (namespaces_folder(u->s, span_of(name), &f) != MAIL_OK)
		f = (struct mail_folder){ .name = name };
	buf_add_text(u->out, "* LIST ");
	list_write_folder(u->s, &f, true, true, u->out);
	buf_add_text(u->out, "\r\n");
}

static unsigned int
wanted(const struct updating *u, const char *name, bool subscribed)
{
	return notify_request_events(u->request, name, subscribed,
	    mail_account_separator(u->s->account));
}

/* RFC 5465 section 5.4: the direct parent of one that came or went too. */
static void
tell_parent(struct updating *u, const char *name)
{
	char separator = mail_account_separator(u->s->account);
	const char *end = strrchr(name, separator);
	const struct notify_folder *n;
	char *parent;

	if (end == NULL || end == name)
		return;
	parent = mem_span_text((struct span){ name, (size_t)(end - name) });
	n = find(u->now, parent);
	if ((wanted(u, parent, n != NULL && n->subscribed) & NOTIFY_NAME) != 0)
		tell(u, parent);
	free(parent);
}

/* "was", "is": NULL where there is none. */
static void
compare(struct updating *u, const struct notify_folder *was,
    const struct notify_folder *is)
{
	const char *name = is != NULL ? is->name : was->name;
	bool before = was != NULL && was->subscribed;
	bool now = is != NULL && is->subscribed;
	unsigned int events = wanted(u, name, before || now);
	bool came_or_went =
	    (was != NULL && was->exists) != (is != NULL && is->exists);

	if (came_or_went && (events & NOTIFY_NAME) != 0) {
		tell(u, name);
		tell_parent(u, name);
	} else if (before != now && (events & NOTIFY_SUBSCRIPTION) != 0) {
		tell(u, name);
	}
}

static void
compare_all(struct updating *u, struct notify_folder *was)
{
	struct notify_folder *n, *next;

	HASH_ITER (hh, u->now, n, next)
		compare(u, find(was, n->name), n);
	HASH_ITER (hh, was, n, next)
		if (find(u->now, n->name) == NULL)
			compare(u, n, NULL);
}

enum mail_result
notify_folders_update(struct notify_folders *f, struct imap_session *s,
    const struct notify_request *r, struct buf *out, struct why *why)
{
	struct updating u = { .s = s, .request = r, .out = out };
	enum mail_result result;

	result = namespaces_each(s, collect, &u, why);
	if (result != MAIL_OK) {
		free_hash(&u.now);
		return result;
	}
	if (out != NULL)
		compare_all(&u, f->byname);
	free_hash(&f->byname);
	f->byname = u.now;
	return MAIL_OK;
}

void
notify_folders_rename(struct notify_folders *f, const char *from,
    const char *to, char separator)
{
	size_t n = strlen(from);
	struct notify_folder *one, *next, *moved = NULL;

	HASH_ITER (hh, f->byname, one, next) {
		char *name;

		if (strncmp(one->name, from, n) != 0 ||
		    (one->name[n] != '\0' && one->name[n] != separator))
			continue;
		HASH_DEL(f->byname, one);
		name = mem_printf("%s%s", to, one->name + n);
		free(one->name);
		one->name = name;
		/* what was there under that name gives way */
		add(&moved, one);
	}
	HASH_ITER (hh, moved, one, next) {
		struct notify_folder *old = find(f->byname, one->name);

		if (old != NULL) {
			HASH_DEL(f->byname, old);
			free(old->name);
			free(old);
		}
		HASH_DEL(moved, one);
		add(&f->byname, one);
	}
}

bool
notify_folders_subscribed(const struct notify_folders *f, const char *name)
{
	const struct notify_folder *n = find(f->byname, name);

	return n != NULL && n->subscribed;
}

void
notify_folders_put(struct notify_folders *f, const struct notify_known *k)
{
	struct notify_folder *n = mem_new(sizeof(*n));

	n->name = mem_text(k->name);
	n->exists = k->exists;
	n->selectable = k->selectable;
	n->subscribed = k->subscribed;
	add(&f->byname, n);
}

bool
notify_folders_step(const struct notify_folders *f, struct notify_folder **at,
    struct notify_known *out)
{
	struct notify_folder *n = *at == NULL ? f->byname : (*at)->hh.next;

	*at = n;
	if (n == NULL)
		return false;
	*out = (struct notify_known){ n->name, n->exists, n->selectable,
		n->subscribed };
	return true;
}

const char *
notify_folders_next(const struct notify_folders *f, struct notify_folder **at)
{
	struct notify_folder *n = *at == NULL ? f->byname : (*at)->hh.next;

	while (n != NULL && !n->selectable)
		n = n->hh.next;
	*at = n;
	return n == NULL ? NULL : n->name;
}
