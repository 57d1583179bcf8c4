/* SPDX-License-Identifier: ISC */
#include "imapd/namespaces.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "imapd/namespaces_internal.h"
#include "lib/base/ensure.h"
#include "lib/base/hash_table.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/store/mail_acl.h"

enum { NAME_ROOM = 65536 };

static struct namespace_settings conf;

/* Of the process, which is one user's. */
static struct mail_namespace *all[NAMESPACES_MAX];
static size_t all_count;
static struct mail_account_settings common;

/* ---- what there is ---- */

bool
namespaces_configure(const struct namespace_texts *texts, char separator,
    const char **setting, struct why *why)
{
	return namespace_settings_parse(texts, separator, &conf, setting, why);
}

bool
namespaces_of_others(void)
{
	return conf.shared != NULL || conf.count > 0;
}

bool
namespaces_sharing(void)
{
	return conf.shared != NULL;
}

const char *
namespaces_shared_name(void)
{
	return conf.shared_name;
}

bool
namespaces_public(size_t i, const char **name, const char **location)
{
	if (i >= conf.count)
		return false;
	*name = conf.trees[i].name;
	*location = conf.trees[i].location;
	return true;
}

static bool
is_public_owner(const char *user)
{
	for (size_t i = 0; conf.owners[i] != NULL; i++)
		if (strcmp(conf.owners[i], user) == 0)
			return true;
	return false;
}

/* LMDB cannot have one file open twice. */
static bool
is_given(const struct stat *st)
{
	struct stat own;

	if (stat(".", &own) == 0 && own.st_dev == st->st_dev &&
	    own.st_ino == st->st_ino)
		return true;
	for (size_t i = 0; i < all_count; i++)
		if (all[i]->inode == st->st_ino && all[i]->device == st->st_dev)
			return true;
	return false;
}

bool
namespaces_give(const char *user, const struct mail_given *g)
{
	struct mail_namespace *n;
	struct stat st;

	if (all_count == NAMESPACES_MAX || fstat(g->directory, &st) == -1 ||
	    is_given(&st))
		return false;
	n = mem_new(sizeof(*n));
	n->owner = g->owner == NULL ? NULL : mem_text(g->owner);
	n->prefix = g->owner == NULL ?
	    mem_printf("%s%c", g->tree, conf.separator) :
	    mem_printf("%s%s%c", conf.shared, g->owner, conf.separator);
	n->mine = g->owner == NULL && is_public_owner(user);
	n->directory = g->directory;
	n->location = mem_text(g->location);
	n->quota_bytes = g->quota_bytes;
	n->quota_messages = g->quota_messages;
	n->device = st.st_dev;
	n->inode = st.st_ino;
	all[all_count++] = n;
	return true;
}

void
namespaces_open_as(const struct mail_account_settings *settings)
{
	common = *settings;
	common.special = NULL;
	common.mbox = (struct mail_mbox_settings){ 0 }; /* the user's own */
}

void
namespaces_close(void)
{
	for (size_t i = 0; i < all_count; i++)
		mail_account_close(&all[i]->account);
}

/* NULL: it cannot be; said once. */
static struct mail_account *
account_of(struct mail_namespace *n)
{
	struct mail_account_settings wanted = common;
	struct why why;

	if (n->account != NULL || n->failed)
		return n->account;
	wanted.location = n->location;
	wanted.within = true;
	wanted.directory = n->directory;
	wanted.prefix = n->prefix;
	wanted.quota_bytes = n->quota_bytes;
	wanted.quota_messages = n->quota_messages;
	if (mail_account_open(&wanted, &n->account, &why) == MAIL_OK)
		return n->account;
	n->account = NULL;
	n->failed = true;
	log_warning("%s: the mailbox cannot be opened: %s", n->prefix,
	    why.text);
	return NULL;
}

struct mail_namespace *
namespaces_of(const struct mailbox *m)
{
	const struct mail_account *account = mailbox_account(m);

	for (size_t i = 0; i < all_count; i++)
		if (all[i]->account == account)
			return all[i];
	return NULL;
}

struct mail_namespace *
namespaces_at(size_t i)
{
	return i < all_count ? all[i] : NULL;
}

struct mail_account *
namespaces_account(struct mail_namespace *n)
{
	return account_of(n);
}

/* ---- names ---- */

/* "shared" and what is below it. */
static bool
is_below(struct span name, struct span root)
{
	return name.n >= root.n && memcmp(name.p, root.p, root.n) == 0 &&
	    (name.n == root.n || name.p[root.n] == conf.separator);
}

bool
namespaces_is_foreign(struct span name)
{
	if (conf.shared_name != NULL &&
	    is_below(name, span_of(conf.shared_name)))
		return true;
	for (size_t i = 0; i < conf.count; i++)
		if (is_below(name, span_of(conf.trees[i].name)))
			return true;
	return false;
}

/*
 * NULL: nobody's. With '.' between levels an owner's name has some as well, so
 * the longest counts.
 */
static struct mail_namespace *
holder_of(struct span name, struct span *inner)
{
	struct mail_namespace *best = NULL;
	size_t most = 0;

	for (size_t i = 0; i < all_count; i++) {
		size_t n = strlen(all[i]->prefix);

		if (n > most && name.n > n &&
		    span_starts(name, all[i]->prefix)) {
			best = all[i];
			most = n;
		}
	}
	*inner = span_skip(name, most);
	return best;
}

/* A public tree has folders alone: its own directory is none. */
static bool
is_inbox(struct span name)
{
	if (name.n > 0 && name.p[name.n - 1] == conf.separator)
		name.n--;
	return span_is_nocase(name, "INBOX");
}

/* ---- rights ---- */

const char *
namespaces_domain(const struct imap_session *s, const struct mail_namespace *in)
{
	const char *owner = in == NULL ? s->user : in->owner;
	const char *at = owner == NULL ? NULL : strrchr(owner, '@');

	return at == NULL ? NULL : at + 1;
}

bool
namespaces_is_public(const struct mail_namespace *in)
{
	return in != NULL && in->owner == NULL;
}

bool
namespaces_owner(const struct imap_session *s, const struct mail_namespace *in,
    size_t i, const char **owner)
{
	if (!namespaces_is_public(in)) {
		*owner = in == NULL ? s->user : in->owner;
		return i == 0;
	}
	*owner = i <= PUBLIC_OWNERS_MAX ? conf.owners[i] : NULL;
	return *owner != NULL;
}

static unsigned int
judge(const struct imap_session *s, struct mail_namespace *in,
    struct span inner, struct span text)
{
	struct arena *arena = arena_new();
	struct acl_list list;
	unsigned int rights;

	acl_list_parse(text, arena, &list);
	rights = acl_list_rights(&list, s->user, namespaces_domain(s, in));
	if (list.doubtful && !in->warned)
		log_warning("%s%.*s: its list of rights has lines that are not"
			    " understood: it lets nobody in",
		    in->prefix, SPAN_ARG(inner));
	in->warned = in->warned || list.doubtful;
	acl_list_fini(&list);
	arena_free(&arena);
	return rights;
}

enum mail_result
namespaces_rights_to(struct imap_session *s, struct mail_namespace *in,
    struct span inner, unsigned int *rights, struct why *why)
{
	struct buf text = BUF_INIT(MAIL_ACL_MAX);
	enum mail_result r;

	r = mail_acl_read(in->account, inner, &text, why);
	*rights = r != MAIL_OK ? 0 :
	    in->mine           ? ACL_ALL :
				 judge(s, in, inner, buf_span(&text));
	buf_fini(&text);
	return r;
}

unsigned int
namespaces_rights(struct imap_session *s, struct mailbox *m)
{
	struct mail_namespace *in = namespaces_of(m);
	struct buf text = BUF_INIT(MAIL_ACL_MAX);
	unsigned int rights = 0;
	struct why why;

	if (in == NULL || in->mine)
		return ACL_ALL;
	if (mail_acl_read_open(m, &text, &why) == MAIL_OK)
		rights =
		    judge(s, in, span_of(mailbox_name(m) + strlen(in->prefix)),
			buf_span(&text));
	buf_fini(&text);
	return rights;
}

/* Who may neither see nor read it is not told that it is there. */
static enum mail_result
permit(const struct imap_place *place, unsigned int needs, struct why *why)
{
	if ((place->rights & needs) == needs && place->rights != 0)
		return MAIL_OK;
	why_set(why, "5.7.1", "no right to do this");
	return (place->rights & (ACL_LOOKUP | ACL_READ)) != 0 ?
	    MAIL_NO_RIGHT :
	    MAIL_NONEXISTENT;
}

enum mail_result
namespaces_permit(struct imap_session *s, struct imap_place *place,
    int directory, unsigned int needs, struct buf *list, struct why *why)
{
	struct buf text = BUF_INIT(MAIL_ACL_MAX);
	enum mail_result r;

	r = mail_acl_read_at(place->account, directory, place->name, &text,
	    why);
	if (r == MAIL_OK) {
		place->rights = place->in == NULL || place->in->mine ?
		    ACL_ALL :
		    judge(s, place->in, place->name, buf_span(&text));
		r = permit(place, needs, why);
	}
	if (r == MAIL_OK && list != NULL)
		buf_add_span(list, buf_span(&text));
	buf_fini(&text);
	return r;
}

static bool
foreign_place(struct span name, struct imap_place *out, struct why *why)
{
	*out = (struct imap_place){ .rights = 0 };
	out->in = holder_of(name, &out->name);
	if (out->in != NULL)
		out->account = account_of(out->in);
	if (out->account != NULL &&
	    !(namespaces_is_public(out->in) && is_inbox(out->name)))
		return true;
	why_set(why, "5.2.0", "there is no such folder");
	return false;
}

static void
own_place(struct imap_session *s, struct span name, struct imap_place *out)
{
	*out = (struct imap_place){ .account = s->account,
		.name = name,
		.rights = ACL_ALL };
}

enum mail_result
namespaces_find(struct imap_session *s, struct span name, unsigned int needs,
    struct imap_place *out, struct why *why)
{
	enum mail_result r;

	if (!namespaces_is_foreign(name)) {
		own_place(s, name, out);
		return MAIL_OK;
	}
	if (!foreign_place(name, out, why))
		return MAIL_NONEXISTENT;
	r = namespaces_rights_to(s, out->in, out->name, &out->rights, why);
	if (r == MAIL_BAD_NAME)
		return MAIL_NONEXISTENT;
	return r == MAIL_OK ? permit(out, needs, why) : r;
}

enum mail_result
namespaces_find_new(struct imap_session *s, struct span name,
    struct imap_place *out, struct span *parent, struct why *why)
{
	enum mail_result r = MAIL_NONEXISTENT;

	if (!namespaces_is_foreign(name)) {
		own_place(s, name, out);
		*parent = (struct span){ name.p, 0 };
		return MAIL_OK;
	}
	/* as where one may not make anything */
	if (!foreign_place(name, out, why))
		return MAIL_NO_RIGHT;
	*parent = out->name;
	if (parent->n > 0 && parent->p[parent->n - 1] == conf.separator)
		parent->n--;
	while (r == MAIL_NONEXISTENT && parent->n > 0) {
		size_t n = span_rfind(*parent, conf.separator);

		parent->n = n < parent->n ? n : 0;
		if (parent->n > 0)
			r = namespaces_rights_to(s, out->in, *parent,
			    &out->rights, why);
	}
	if (r != MAIL_OK && r != MAIL_NONEXISTENT)
		return r == MAIL_BAD_NAME ? MAIL_NO_RIGHT : r;
	if (parent->n == 0)
		out->rights = out->in->mine ? ACL_ALL : 0;
	if ((out->rights & ACL_CREATE) != 0)
		return MAIL_OK;
	why_set(why, "5.7.1", "no right to do this");
	return MAIL_NO_RIGHT;
}

enum mail_result
namespaces_open(struct imap_session *s, struct span name, unsigned int needs,
    struct mailbox **mailbox, struct imap_place *out, struct why *why)
{
	struct imap_place place;
	enum mail_result r = namespaces_find(s, name, needs, &place, why);

	*mailbox = NULL;
	if (r == MAIL_OK)
		r = mailbox_open(place.account, place.name, mailbox, why);
	/* another may have got the name meanwhile: what is open counts */
	if (r == MAIL_OK && place.in != NULL) {
		place.rights = namespaces_rights(s, *mailbox);
		r = permit(&place, needs, why);
		if (r != MAIL_OK)
			mailbox_close(mailbox);
	}
	if (out != NULL)
		*out = place;
	return r;
}

/* ---- the selected mailbox ---- */

/* RFC 4314 section 5.1.1: rights that changed are told by what they permit. */
static void
tell_flags(struct imap_session *s)
{
	buf_add_text(&s->out, "* FLAGS ");
	imap_write_known_flags(s, &s->out, false);
	buf_add_text(&s->out, "\r\n* OK [PERMANENTFLAGS ");
	imap_write_known_flags(s, &s->out, true);
	buf_add_text(&s->out, "] Rights have changed.\r\n");
}

bool
namespaces_heed(struct imap_session *s)
{
	unsigned int rights;

	if (s->mailbox == NULL || s->rights_looked || all_count == 0 ||
	    namespaces_of(s->mailbox) == NULL)
		return true;
	s->rights_looked = true;
	rights = namespaces_rights(s, s->mailbox);
	if (rights == s->rights)
		return true;
	if ((rights & ACL_READ) == 0) {
		imap_session_bye(s, NULL,
		    "You may not read the selected mailbox any more",
		    "rights to the selected mailbox were taken");
		return false;
	}
	imap_take_rights(s, rights);
	tell_flags(s);
	return true;
}

/* ---- of all that are open ---- */

enum mail_result
namespaces_settle(struct why *why)
{
	enum mail_result r = MAIL_OK;

	for (size_t i = 0; i < all_count && r == MAIL_OK; i++)
		if (all[i]->account != NULL)
			r = mail_account_settle(all[i]->account, why);
	return r;
}

uint64_t
namespaces_changes(void)
{
	uint64_t n = 0;

	for (size_t i = 0; i < all_count; i++)
		if (all[i]->account != NULL)
			n += mail_account_changes(all[i]->account);
	return n;
}

struct mail_account *
namespaces_opened(size_t i)
{
	for (size_t n = 0; n < all_count; n++)
		if (all[n]->account != NULL && i-- == 0)
			return all[n]->account;
	return NULL;
}
