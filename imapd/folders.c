/* SPDX-License-Identifier: ISC */
/*
 * Parents of what CREATE and RENAME make are made as real folders: Outlook
 * files mail into folders that it saw, and what a server calls \Noselect it
 * takes for one (needs.md R45).
 */
#include "imapd/folders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imapd/list.h"
#include "imapd/notify.h"

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
	    mail_folder_find(s->account, new, &f) != MAIL_OK)
		return;
	text = mem_span_text(old);
	list_write_old_name(s, &f, text, &s->out);
	free(text);
}

/* Names are kept in NFC, without a separator at their end. */
static struct span
without_separator(struct imap_session *s, struct span name)
{
	if (name.n > 1 &&
	    name.p[name.n - 1] == mail_account_separator(s->account))
		name.n--;
	return name;
}

static bool
kept_as(struct imap_session *s, struct span name)
{
	struct mail_folder f;

	return mail_folder_find(s->account, name, &f) != MAIL_OK ||
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
    struct span name)
{
	char code[sizeof("MAILBOXID ()") + MAIL_ID_MAX];
	struct mailbox_status status;
	struct mailbox *m = NULL;
	struct why why = { 0 };
	enum mail_result r = mailbox_open(s->account, name, &m, &why);

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

static void
create(struct imap_session *s, const struct imap_command *c, struct span name,
    unsigned int special)
{
	struct why why = { 0 };
	enum mail_result r =
	    mail_folder_create(s->account, name, special, &why);
	struct span kept = without_separator(s, name);

	if (r == MAIL_NOT_ALLOWED && special != 0) {
		reply_no(s, c, "USEATTR", "%s", why.text);
		return;
	}
	if (r != MAIL_OK) {
		reply_result(s, c, r, &why);
		return;
	}
	notify_tree_changed(s);
	if (!kept_as(s, kept))
		tell_old_name(s, kept, kept);
	reply_created(s, c, kept);
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

static bool
is_selected(const struct imap_session *s, struct span name)
{
	return s->mailbox != NULL && span_is(name, mailbox_name(s->mailbox));
}

/* A client that deletes what it has selected has nothing selected then. */
void
delete_command(struct imap_session *s, const struct imap_command *c)
{
	struct why why = { 0 };
	enum mail_result r;
	struct buf name;
	bool selected;

	if (!has_arguments(s, c, 1))
		return;
	if (name_argument(s, c, 0, &name)) {
		selected = is_selected(s, buf_span(&name));
		r = mail_folder_delete(s->account, buf_span(&name), &why);
		if (r == MAIL_OK && selected) {
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
	old = mem_span_text(without_separator(s, from));
	new = mem_span_text(without_separator(s, to));
	notify_renamed(s, old, new);
	free(old);
	free(new);
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
		r = mail_folder_rename(s->account, buf_span(&from),
		    buf_span(&to), &why);
		if (r == MAIL_OK) {
			tell_others(s, buf_span(&from), buf_span(&to));
			/* INBOX is still there (RFC 9051 section 6.3.6) */
			if (!span_is(buf_span(&from), "INBOX"))
				tell_old_name(s,
				    without_separator(s, buf_span(&from)),
				    without_separator(s, buf_span(&to)));
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
		r = mail_folder_subscribe(s->account,
		    without_separator(s, buf_span(&name)), on, &why);
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
