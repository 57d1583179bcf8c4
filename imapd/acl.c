/* SPDX-License-Identifier: ISC */
#include "imapd/acl.h"

#include <stdlib.h>
#include <string.h>

#include "imapd/acl_list.h"
#include "imapd/namespaces.h"
#include "lib/base/fdio.h"
#include "lib/store/mail_acl.h"

enum {
	NAME_ROOM = 65536,
	/* who has one of these is told which he has */
	ACL_TELLS = ACL_LOOKUP | ACL_READ | ACL_INSERT | ACL_CREATE |
	    ACL_DELETE_MAILBOX | ACL_ADMIN,
};

/* A command on the list of one folder. */
struct acl_work {
	struct imap_session *s;
	const struct imap_command *c;
	struct buf folder; /* as the client calls it */
	struct imap_place place;
	unsigned int needs; /* rights */
	bool locked; /* its account's lists */
	int directory; /* the folder, behind load(); else -1 */
	struct span who;
	struct arena *arena;
	struct acl_list list;
};

static bool
is_owner(const struct acl_work *w, struct span who)
{
	const char *domain = namespaces_domain(w->s, w->place.in), *owner;
	char *text = mem_span_text(who);
	bool is = strcmp(text, "owner") == 0;

	for (size_t i = 0;
	     !is && namespaces_owner(w->s, w->place.in, i, &owner); i++)
		is = acl_who_is(text, owner, domain);
	free(text);
	return is;
}

/* Who has taken rights has none of them; the owner cannot be named so. */
static bool
against_owner(const struct acl_work *w, struct span who)
{
	return who.n > 0 && who.p[0] == '-' && is_owner(w, span_skip(who, 1));
}

/* The name as it is kept, with what stands before it. */
static void
keep_name(struct acl_work *w, const char *kept)
{
	size_t prefix = w->folder.n - w->place.name.n;
	char *text =
	    mem_printf("%.*s%s", (int)prefix, buf_text(&w->folder), kept);

	buf_reset(&w->folder);
	buf_add_text(&w->folder, text);
	w->place.name = span_skip(buf_span(&w->folder), prefix);
	free(text);
}

static bool
folder_argument(struct acl_work *w, unsigned int needs)
{
	struct mail_folder f;
	enum mail_result r;
	struct why why = { 0 };

	if (!imap_mailbox_argument(w->s, w->c, &w->c->args[0], &w->folder))
		return false;
	r = namespaces_find(w->s, buf_span(&w->folder), needs, &w->place, &why);
	/* MYRIGHTS: RFC 4314 section 4 */
	if (r == MAIL_OK && (w->place.rights & ACL_TELLS) == 0)
		r = MAIL_NONEXISTENT;
	if (r == MAIL_OK)
		r = mail_folder_find(w->place.account, w->place.name, &f);
	if (r == MAIL_OK && !f.exists)
		r = MAIL_NONEXISTENT;
	if (r != MAIL_OK) {
		reply_result(w->s, w->c, r, &why);
		return false;
	}
	keep_name(w, f.name);
	return true;
}

/*
 * Folder and identifier, the first arguments of "count"; "needs": these rights.
 */
static bool
begin(struct acl_work *w, struct imap_session *s, const struct imap_command *c,
    size_t count, unsigned int needs)
{
	*w = (struct acl_work){ .s = s,
		.c = c,
		.folder = BUF_INIT(NAME_ROOM),
		.needs = needs,
		.directory = -1,
		.arena = arena_new(),
		.list.rest = BUF_INIT(0) };
	if (c->count != count ||
	    (count > 1 && !imap_arg_astring(&c->args[1], &w->who))) {
		reply_bad(s, c, "%.*s wants %s", SPAN_ARG(c->name),
		    count == 1     ? "a mailbox" :
			count == 2 ? "a mailbox and an identifier" :
				     "a mailbox, an identifier and rights");
		return false;
	}
	if (count > 1 && !acl_who_valid(w->who)) {
		reply_bad(s, c, "This can be no identifier");
		return false;
	}
	if (count > 1)
		w->who = span_of(acl_who_kept(w->who, w->arena));
	return folder_argument(w, needs);
}

static void
end(struct acl_work *w)
{
	if (w->locked)
		mail_acl_unlock(w->place.account);
	fd_close(&w->directory);
	buf_fini(&w->folder);
	acl_list_fini(&w->list);
	arena_free(&w->arena);
}

/*
 * Who may see this list, or change it, it says itself: the folder may be
 * another than the one that was found.
 */
static bool
load(struct acl_work *w)
{
	struct buf text = BUF_INIT(MAIL_ACL_MAX);
	struct why why = { 0 };
	enum mail_result r;

	r = mail_acl_open(w->place.account, w->place.name, &w->directory, &why);
	if (r == MAIL_OK)
		r = namespaces_permit(w->s, &w->place, w->directory, w->needs,
		    &text, &why);
	if (r == MAIL_OK)
		acl_list_parse(buf_span(&text), w->arena, &w->list);
	else
		reply_result(w->s, w->c, r, &why);
	buf_fini(&text);
	return r == MAIL_OK;
}

/* To change it: what others change at the same time is kept. */
static bool
load_locked(struct acl_work *w)
{
	struct why why = { 0 };
	enum mail_result r = mail_acl_lock(w->place.account, &why);

	w->locked = r == MAIL_OK;
	if (r != MAIL_OK)
		reply_result(w->s, w->c, r, &why);
	return w->locked && load(w);
}

/* "given": who has some right now. */
static void
save(struct acl_work *w, bool given)
{
	struct buf text = BUF_INIT(MAIL_ACL_MAX);
	enum mail_result r = MAIL_LIMIT;
	struct why why = { 0 };

	acl_list_write(&w->list, &text);
	if (!text.overflow)
		r = mail_acl_write_at(w->place.account, w->directory,
		    w->place.name, buf_span(&text), &why);
	buf_fini(&text);
	if (r != MAIL_OK) {
		reply_result(w->s, w->c, r, &why);
		return;
	}
	namespaces_tell_share(w->s, w->place.in, w->who, given);
	w->s->rights_looked = false;
	if (namespaces_sharing() || w->place.in != NULL)
		reply_ok(w->s, w->c, NULL, "%.*s completed.",
		    SPAN_ARG(w->c->name));
	else
		reply_ok(w->s, w->c, NULL,
		    "Kept; mailboxes are not shared with others here.");
}

static void
write_rights(struct imap_session *s, const char *who, unsigned int rights)
{
	struct buf *out = &s->out;

	buf_add_char(out, ' ');
	imap_write_astring(out, span_of(who), imap_utf8(s));
	buf_add_char(out, ' ');
	if (rights == 0)
		buf_add_text(out, "\"\"");
	acl_rights_write(rights, out);
}

static void
tell_list(struct acl_work *w)
{
	struct buf *out = &w->s->out;
	const char *owner;

	buf_add_text(out, "* ACL ");
	imap_write_mailbox(out, buf_text(&w->folder), imap_utf8(w->s));
	for (size_t i = 0; namespaces_owner(w->s, w->place.in, i, &owner); i++)
		write_rights(w->s, owner, ACL_ALL);
	for (const struct acl_entry *e = w->list.first; e != NULL; e = e->next)
		if (!is_owner(w, span_of(e->who)))
			write_rights(w->s, e->who, e->rights);
	buf_add_text(out, "\r\n");
}

void
getacl_command(struct imap_session *s, const struct imap_command *c)
{
	struct acl_work w;

	if (begin(&w, s, c, 1, ACL_ADMIN) && load(&w)) {
		tell_list(&w);
		reply_ok(s, c, NULL, "Getacl completed.");
	}
	end(&w);
}

/* "lrs", or "+t" and "-w" to what there is. */
static bool
rights_argument(struct acl_work *w, char *sign, unsigned int *rights)
{
	struct span text;

	*sign = '\0';
	if (!imap_arg_astring(&w->c->args[2], &text)) {
		reply_bad(w->s, w->c, "SETACL wants rights");
		return false;
	}
	if (text.n > 0 && (text.p[0] == '+' || text.p[0] == '-')) {
		*sign = text.p[0];
		text = span_skip(text, 1);
	}
	if (!acl_rights_parse(text, rights)) {
		reply_bad(w->s, w->c, "Rights are of " ACL_LETTERS "cd");
		return false;
	}
	return true;
}

static unsigned int
changed(unsigned int old, char sign, unsigned int rights)
{
	return sign == '+' ? old | rights :
	    sign == '-'    ? old & ~rights :
			     rights;
}

/* True: it is about the owner, and was answered. */
static bool
about_owner(struct acl_work *w, unsigned int rights)
{
	if (against_owner(w, w->who) ||
	    (is_owner(w, w->who) && rights != ACL_ALL)) {
		reply_no(w->s, w->c, "CANNOT",
		    "The owner of a mailbox keeps all rights");
		return true;
	}
	if (!is_owner(w, w->who))
		return false;
	reply_ok(w->s, w->c, NULL, "The owner has all rights.");
	return true;
}

/*
 * To whom nothing can be given: groups, which are not known here; and a
 * person's mailboxes to everybody at once, which would be seen by all without
 * their asking (as Dovecot has it without acl_anyone).
 */
static bool
cannot_be_given(struct acl_work *w, unsigned int rights)
{
	struct span who = w->who;
	const char *text = NULL;

	if (rights == 0 || span_starts(who, "-") ||
	    (!namespaces_sharing() && w->place.in == NULL))
		return false;
	if (span_starts(who, "$") || span_starts(who, "!$"))
		text = "Groups are not known here";
	else if (acl_who_special(who) && !namespaces_is_public(w->place.in))
		text = "This mailbox can be shared with single users";
	if (text != NULL)
		reply_no(w->s, w->c, "CANNOT", "%s", text);
	return text != NULL;
}

/* Rights of nobody stand where they keep somebody from those of all. */
static void
set_rights(struct acl_work *w, unsigned int rights)
{
	if (rights == 0 && acl_list_find(&w->list, SPAN("anyone")) == NULL &&
	    acl_list_find(&w->list, SPAN("authenticated")) == NULL)
		acl_list_remove(&w->list, w->who);
	else
		acl_list_set(&w->list, w->who, rights);
}

void
setacl_command(struct imap_session *s, const struct imap_command *c)
{
	struct acl_work w;
	unsigned int rights;
	char sign;

	if (begin(&w, s, c, 3, ACL_ADMIN) &&
	    rights_argument(&w, &sign, &rights) &&
	    !about_owner(&w, changed(ACL_ALL, sign, rights)) &&
	    load_locked(&w)) {
		const struct acl_entry *e = acl_list_find(&w.list, w.who);

		rights = changed(e == NULL ? 0 : e->rights, sign, rights);
		if (!cannot_be_given(&w, rights)) {
			set_rights(&w, rights);
			save(&w, rights != 0);
		}
	}
	end(&w);
}

void
deleteacl_command(struct imap_session *s, const struct imap_command *c)
{
	struct acl_work w;

	if (begin(&w, s, c, 2, ACL_ADMIN) && !about_owner(&w, 0) &&
	    load_locked(&w)) {
		acl_list_remove(&w.list, w.who);
		save(&w, false);
	}
	end(&w);
}

/* The first string is what one always has; the others can be given singly. */
void
listrights_command(struct imap_session *s, const struct imap_command *c)
{
	struct acl_work w;
	struct buf *out = &s->out;

	if (begin(&w, s, c, 2, ACL_ADMIN)) {
		buf_add_text(out, "* LISTRIGHTS ");
		imap_write_mailbox(out, buf_text(&w.folder), imap_utf8(s));
		buf_add_char(out, ' ');
		imap_write_astring(out, w.who, imap_utf8(s));
		buf_add_char(out, ' ');
		if (is_owner(&w, w.who))
			acl_rights_write(ACL_ALL, out);
		else if (against_owner(&w, w.who))
			buf_add_text(out, "\"\"");
		else
			buf_add_text(out, "\"\" l r s w i p k x t e a c d");
		buf_add_text(out, "\r\n");
		reply_ok(s, c, NULL, "Listrights completed.");
	}
	end(&w);
}

void
acl_write_my_rights(struct imap_session *s, const char *name,
    unsigned int rights, struct buf *out)
{
	buf_add_text(out, "* MYRIGHTS ");
	imap_write_mailbox(out, name, imap_utf8(s));
	buf_add_char(out, ' ');
	acl_rights_write(rights, out);
	buf_add_text(out, "\r\n");
}

void
myrights_command(struct imap_session *s, const struct imap_command *c)
{
	struct acl_work w;

	if (begin(&w, s, c, 1, 0)) {
		acl_write_my_rights(s, buf_text(&w.folder), w.place.rights,
		    &s->out);
		reply_ok(s, c, NULL, "Myrights completed.");
	}
	end(&w);
}
