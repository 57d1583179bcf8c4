/* SPDX-License-Identifier: ISC */
/*
 * Parents of what CREATE and RENAME make are made as real folders: Outlook
 * files mail into folders that it saw, and what a server calls \Noselect it
 * takes for one.
 */
#include "imapd/folders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imapd/list.h"
#include "imapd/namespaces.h"
#include "imapd/notify.h"
#include "lib/store/mail_acl.h"

enum { NAME_ROOM = 65536 };

static bool
name_argument(struct imap_session *s, const struct imap_command *c, size_t i,
    struct buf *out)
{
	*out = BUF_INIT(NAME_ROOM);
	return imap_mailbox_argument(s, c, &c->args[i], out);
}

static bool
has_arguments(struct imap_session *s, const struct imap_command *c, size_t n)
{
	if (c->count == n)
		return true;
	reply_bad(s, c, "%.*s wants %zu mailbox name%s", SPAN_ARG(c->name), n,
	    n == 1 ? "" : "s");
	return false;
}

/*
 * "* LIST (...) "/" new ("OLDNAME" ("old"))": RFC 9051 section 6.3.9.7. Those
 * who speak revision 1 would not understand.
 */
static void
tell_old_name(struct imap_session *s, struct span old, struct span new)
{
	struct mail_folder f;
	char *text;

	if (!imap_enabled(s, ENABLED_REV2) ||
	    namespaces_folder(s, new, &f) != MAIL_OK)
		return;
	text = mem_span_text(old);
	list_write_old_name(s, &f, text, &s->out);
	free(text);
}

/* Names are kept in NFC. */
static bool
kept_as(struct imap_session *s, struct span name)
{
	struct mail_folder f;

	return namespaces_folder(s, name, &f) != MAIL_OK ||
	    span_is(name, f.name);
}

/*
 * Uses that a folder can be given. \All and \Flagged would be folders that
 * show messages of others, which there are none of: they are refused, as
 * those that nobody knows (RFC 6154 section 3).
 */
static unsigned int
use_of(const struct imap_arg *a)
{
	unsigned int bit;
	const char *name;

	for (unsigned int i = 0; (name = list_special_use(i, &bit)) != NULL;
	     i++)
		if (imap_arg_is(a, name))
			return bit & ~(SPECIAL_ALL | SPECIAL_FLAGGED);
	return 0;
}

/* "(USE (\Sent))"; an empty list of uses is none. */
static bool
use_argument(struct imap_session *s, const struct imap_command *c,
    unsigned int *special)
{
	const struct imap_arg *list, *uses;

	*special = 0;
	if (c->count == 1)
		return true;
	if (c->count != 2 || !imap_arg_list(&c->args[1], &list) ||
	    c->args[1].count != 2 || !imap_arg_is(list, "USE") ||
	    !imap_arg_list(&list[1], &uses)) {
		reply_bad(s, c,
		    "CREATE wants a mailbox name, then at most"
		    " (USE (...))");
		return false;
	}
	for (; uses->type != IMAP_END; uses++) {
		unsigned int bit = use_of(uses);

		if (bit == 0) {
			reply_no(s, c, "USEATTR",
			    "A mailbox cannot have this special use here");
			return false;
		}
		*special |= bit;
	}
	return true;
}

/* The id that RFC 8474 wants to be told at once. */
static void
reply_created(struct imap_session *s, const struct imap_command *c,
    const struct imap_place *place)
{
	char code[sizeof("MAILBOXID ()") + MAIL_ID_MAX];
	struct mailbox_status status;
	struct mailbox *m = NULL;
	struct why why = { 0 };
	enum mail_result r =
	    mailbox_open(place->account, place->name, &m, &why);

	if (r == MAIL_OK)
		r = mailbox_status(m, 0, &status, &why);
	mailbox_close(&m);
	if (r != MAIL_OK) {
		reply_result(s, c, r, &why);
		return;
	}
	snprintf(code, sizeof(code), "MAILBOXID (%s)", status.id);
	reply_ok(s, c, code, "Create completed.");
}

/*
 * RFC 4314 section 4: what is made anew has the rights of the parent that was
 * there; so have levels that were made on the way. Until it has, nobody else
 * has any.
 */
static enum mail_result
inherit(struct imap_session *s, const struct imap_place *place,
    struct span parent, struct why *why)
{
	struct span name = place->name;
	char separator = mail_account_separator(s->account);
	struct buf text = BUF_INIT(MAIL_ACL_MAX);
	enum mail_result r = MAIL_OK;

	if (parent.n > 0 &&
	    mail_acl_read(place->account, parent, &text, why) != MAIL_OK)
		buf_reset(&text);
	for (size_t i = parent.n + 1; text.n > 0 && r == MAIL_OK && i <= name.n;
	     i++)
		if (i == name.n || name.p[i] == separator)
			r = mail_acl_write(place->account, span_take(name, i),
			    buf_span(&text), why);
	buf_fini(&text);
	return r;
}

/* The nearest one that is there; empty: none. */
static struct span
own_parent(struct imap_session *s, struct span name)
{
	char separator = mail_account_separator(s->account);
	struct span parent = name;

	while (parent.n > 0) {
		size_t n = span_rfind(parent, separator);

		parent.n = n < parent.n ? n : 0;
		if (parent.n > 0 &&
		    mail_folder_find(s->account, parent, NULL) == MAIL_OK)
			break;
	}
	return parent;
}

/*
 * The lists are locked: what is the parent stays it, and levels that get its
 * list are new.
 */
static enum mail_result
make_locked(struct imap_session *s, struct span name, unsigned int special,
    struct imap_place *place, struct why *why)
{
	struct span parent;
	enum mail_result r;

	r = namespaces_find_new(s, name, place, &parent, why);
	if (r == MAIL_OK && place->in != NULL && special != 0) {
		why_set(why, "5.2.0",
		    "special uses are for your own mailboxes");
		return MAIL_NOT_ALLOWED;
	}
	if (r == MAIL_OK && place->in == NULL && namespaces_sharing())
		parent = own_parent(s, name);
	if (r == MAIL_OK)
		r = mail_folder_create(place->account, place->name, special,
		    why);
	if (r == MAIL_OK)
		r = inherit(s, place, parent, why);
	return r;
}

static enum mail_result
make(struct imap_session *s, struct span name, unsigned int special,
    struct imap_place *place, struct why *why)
{
	struct span parent;
	struct mail_account *account;
	enum mail_result r;

	r = namespaces_find_new(s, name, place, &parent, why);
	account = place->account;
	if (r == MAIL_OK)
		r = mail_acl_lock(account, why);
	if (r != MAIL_OK)
		return r;
	r = make_locked(s, name, special, place, why);
	mail_acl_unlock(account);
	return r;
}

static void
create(struct imap_session *s, const struct imap_command *c, struct span name,
    unsigned int special)
{
	struct why why = { 0 };
	struct imap_place place;
	enum mail_result r = make(s, name, special, &place, &why);

	if (r == MAIL_NOT_ALLOWED && special != 0) {
		reply_no(s, c, "USEATTR", "%s", why.text);
		return;
	}
	if (r != MAIL_OK) {
		reply_result(s, c, r, &why);
		return;
	}
	notify_tree_changed(s);
	if (!kept_as(s, name))
		tell_old_name(s, name, name);
	reply_created(s, c, &place);
}

void
create_command(struct imap_session *s, const struct imap_command *c)
{
	unsigned int special;
	struct buf name;

	if (c->count == 0) {
		reply_bad(s, c, "CREATE wants a mailbox name");
		return;
	}
	if (name_argument(s, c, 0, &name) && use_argument(s, c, &special))
		create(s, c, buf_span(&name), special);
	buf_fini(&name);
}

/* What is to be done to a folder of others, once it cannot change any more. */
struct intent {
	struct imap_session *s;
	struct imap_place *place;
	struct span to; /* its new name; p NULL: it is to go */
};

static enum mail_result
may_change(void *with, int directory, struct why *why)
{
	const struct intent *i = with;
	struct imap_place new;
	struct span parent;
	enum mail_result r;

	r = namespaces_permit(i->s, i->place, directory, ACL_DELETE_MAILBOX,
	    NULL, why);
	return r == MAIL_OK && i->to.p != NULL ?
	    namespaces_find_new(i->s, i->to, &new, &parent, why) :
	    r;
}

static enum mail_result
remove_folder(struct imap_session *s, struct span name, struct why *why)
{
	struct imap_place place;
	struct intent intent = { .s = s, .place = &place };
	const struct mail_permit permit = { may_change, &intent };
	enum mail_result r;

	r = namespaces_find(s, name, ACL_DELETE_MAILBOX, &place, why);
	return r == MAIL_OK ? mail_folder_delete_if(place.account, place.name,
				  place.in == NULL ? NULL : &permit, why) :
			      r;
}

/* A client that deletes what it has selected has nothing selected then. */
void
delete_command(struct imap_session *s, const struct imap_command *c)
{
	struct why why = { 0 };
	enum mail_result r;
	struct buf name;

	if (!has_arguments(s, c, 1))
		return;
	if (name_argument(s, c, 0, &name)) {
		r = remove_folder(s, buf_span(&name), &why);
		/* by whatever name it was called */
		if (r == MAIL_OK && s->mailbox != NULL &&
		    mailbox_is_deleted(s->mailbox)) {
			imap_unselect(s);
			if (imap_enabled(s, ENABLED_REV2 | ENABLED_QRESYNC))
				buf_add_text(&s->out,
				    "* OK [CLOSED] The mailbox is no more\r\n");
		}
		if (r == MAIL_OK) {
			notify_tree_changed(s);
			reply_ok(s, c, NULL, "Delete completed.");
		} else if (r == MAIL_HAS_CHILDREN)
			reply_no(s, c, "HASCHILDREN",
			    "There are mailboxes below it");
		else
			reply_result(s, c, r, &why);
	}
	buf_fini(&name);
}

/* A new folder came out of INBOX; all others have another name now. */
static void
tell_others(struct imap_session *s, struct span from, struct span to)
{
	char *old, *new;

	if (span_is(from, "INBOX")) {
		notify_tree_changed(s);
		return;
	}
	old = mem_span_text(from);
	new = mem_span_text(to);
	notify_renamed(s, old, new);
	free(old);
	free(new);
}

/* Within one account: its UIDs go along. */
static enum mail_result
rename_folder(struct imap_session *s, struct span from, struct span to,
    struct why *why)
{
	struct imap_place old, new;
	struct intent intent = { .s = s, .place = &old, .to = to };
	const struct mail_permit permit = { may_change, &intent };
	struct span parent;
	enum mail_result r;

	r = namespaces_find(s, from, ACL_DELETE_MAILBOX, &old, why);
	if (r == MAIL_OK)
		r = namespaces_find_new(s, to, &new, &parent, why);
	if (r != MAIL_OK)
		return r;
	if (old.account != new.account) {
		why_set(why, "5.2.0",
		    "mailboxes cannot be renamed from one account to another");
		return MAIL_NOT_ALLOWED;
	}
	return mail_folder_rename_if(old.account, old.name, new.name,
	    old.in == NULL ? NULL : &permit, why);
}

void
rename_command(struct imap_session *s, const struct imap_command *c)
{
	struct buf from = BUF_INIT(0), to = BUF_INIT(0);
	struct why why = { 0 };
	enum mail_result r;

	if (!has_arguments(s, c, 2))
		return;
	if (name_argument(s, c, 0, &from) && name_argument(s, c, 1, &to)) {
		r = rename_folder(s, buf_span(&from), buf_span(&to), &why);
		if (r == MAIL_OK) {
			tell_others(s, buf_span(&from), buf_span(&to));
			/* INBOX is still there (RFC 9051 section 6.3.6) */
			if (!span_is(buf_span(&from), "INBOX"))
				tell_old_name(s, buf_span(&from),
				    buf_span(&to));
			reply_ok(s, c, NULL, "Rename completed.");
		} else {
			reply_result(s, c, r, &why);
		}
	}
	buf_fini(&from);
	buf_fini(&to);
}

static void
subscribe(struct imap_session *s, const struct imap_command *c, bool on)
{
	struct why why = { 0 };
	enum mail_result r;
	struct buf name;

	if (!has_arguments(s, c, 1))
		return;
	if (name_argument(s, c, 0, &name)) {
		r = mail_folder_subscribe(s->account, buf_span(&name), on,
		    &why);
		if (r == MAIL_OK) {
			notify_tree_changed(s);
			reply_ok(s, c, NULL, "%s completed.",
			    on ? "Subscribe" : "Unsubscribe");
		} else
			reply_result(s, c, r, &why);
	}
	buf_fini(&name);
}

void
subscribe_command(struct imap_session *s, const struct imap_command *c)
{
	subscribe(s, c, true);
}

void
unsubscribe_command(struct imap_session *s, const struct imap_command *c)
{
	subscribe(s, c, false);
}
