/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_NAMESPACES_H
#define IMAPD_NAMESPACES_H

/*
 * Where a mailbox's name leads, and what the user may do there: the one place
 * where lists of rights (RFC 4314) are judged. Every command that takes a name
 * goes through here.
 *
 *	the user's own	any name that is none of the others; all rights
 *	shared		PREFIX/OWNER/NAME: mail_shared_prefix
 *	public		TREE/NAME: mail_public_folders
 *
 * A process can reach the mail of those whose directories it was given before
 * it was confined, and no other. Accounts are opened when they are first asked
 * for, and stay open until the process ends.
 *
 * SECURITY. Whether a mailbox is there is told only to those who may look it
 * up or read it (RFC 4314 section 6); to all others every command answers as
 * if it were not.
 */

#include "imapd/acl_list.h"
#include "imapd/session.h"
#include "lib/store/namespace_settings.h"

enum { NAMESPACES_MAX = 200 };

/* A foreign one; the user's own has none. */
struct mail_namespace;

/* ---- what there is ---- */

/* As namespace_settings_parse, for all that follows. */
bool namespaces_configure(const struct namespace_texts *texts, char separator,
    const char **setting, struct why *why);
bool namespaces_of_others(void); /* is anything of others' offered at all? */
bool namespaces_sharing(void); /* is there a prefix for others' folders? */
const char *namespaces_shared_name(void); /* "shared", or NULL */
/* The trees of the settings: name and location, by number; false: no more. */
bool namespaces_public(size_t i, const char **name, const char **location);

/* Mail that the process was given: an account as mail_account_open wants it. */
struct mail_given {
	const char *owner; /* the account; NULL: public */
	const char *tree; /* its name; NULL: shared */
	int directory; /* open from now on */
	const char *location; /* seen from there */
	uint64_t quota_bytes, quota_messages;
};

/* Texts are copied. False: it was given before, or is the user's own mail. */
bool namespaces_give(const char *user, const struct mail_given *g);
/* How to open them: what all have in common. */
void namespaces_open_as(const struct mail_account_settings *common);
/* The process ends. */
void namespaces_close(void);

/* ---- names ---- */

/* Can this be no folder of the user's own? */
bool namespaces_is_foreign(struct span name);

struct imap_place {
	struct mail_account *account;
	struct span name; /* there: a part of the name that was asked for */
	unsigned int rights; /* of enum acl_right */
	struct mail_namespace *in; /* NULL: the user's own */
};

/*
 * Where this is. MAIL_OK: the user has all rights in "needs"; of his own it
 * is not said whether it exists. MAIL_NO_RIGHT: he knows of it, and lacks one.
 * MAIL_NONEXISTENT: there is no such mailbox, or he is not to know.
 */
enum mail_result namespaces_find(struct imap_session *s, struct span name,
    unsigned int needs, struct imap_place *out, struct why *why);
/*
 * Where a mailbox of this name could be made: the rights are those to its
 * nearest parent that exists, whose name is a part of *out's, "" without one.
 */
enum mail_result namespaces_find_new(struct imap_session *s, struct span name,
    struct imap_place *out, struct span *parent, struct why *why);
/*
 * Of a place that was found, to a folder there whose directory is open: it
 * counts whatever has the name by now. "list", unless NULL, gets its list.
 */
enum mail_result
namespaces_permit(struct imap_session *s, struct imap_place *place,
    int directory, unsigned int needs, struct buf *list, struct why *why);
/* namespaces_find, then mailbox_open. "out" may be NULL. */
enum mail_result
namespaces_open(struct imap_session *s, struct span name, unsigned int needs,
    struct mailbox **mailbox, struct imap_place *out, struct why *why);
/* In a list: mail_folder_find, mail_folder_each. */
enum mail_result namespaces_folder(struct imap_session *s, struct span name,
    struct mail_folder *out);
enum mail_result namespaces_each(struct imap_session *s,
    mail_folder_visit *visit, void *with, struct why *why);

/* ---- rights ---- */

/* Whose mailboxes these are, for lists of rights; false: nobody more. */
bool namespaces_owner(const struct imap_session *s,
    const struct mail_namespace *in, size_t i, const char **owner);
/* "example.test" of its owner, or NULL. */
const char *namespaces_domain(const struct imap_session *s,
    const struct mail_namespace *in);
bool namespaces_is_public(const struct mail_namespace *in);
/* To a mailbox that is open, as they are now; 0 when they cannot be read. */
unsigned int namespaces_rights(struct imap_session *s, struct mailbox *m);
struct mail_namespace *namespaces_of(const struct mailbox *m);
/*
 * To the selected mailbox: looks whether they have changed. False: the user
 * may not read it any more, and the session ends.
 */
bool namespaces_heed(struct imap_session *s);

/*
 * For the parent: with whom the user shares. "all" at the process's beginning;
 * else after "who" got or lost rights to a folder of "in".
 */
void namespaces_tell_shares(struct imap_session *s);
void namespaces_tell_share(struct imap_session *s,
    const struct mail_namespace *in, struct span who, bool given);

/* ---- of all that are open ---- */

enum mail_result namespaces_settle(struct why *why);
uint64_t namespaces_changes(void);
struct mail_account *namespaces_opened(size_t i); /* NULL at the end */

#endif
