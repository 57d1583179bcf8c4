/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_ACL_LIST_H
#define IMAPD_ACL_LIST_H

/*
 * Rights (RFC 4314) and lists of who has which, to and from the text of
 * dovecot-acl files (lib/store/mail_acl.h). Pure.
 *
 * Identifiers are those of IMAP: "fred", "anyone", "authenticated", "owner",
 * "$group", "!$group", with "-" in front for rights that are taken. In the
 * file they are user=fred, anyone, authenticated, owner, group=,
 * group-override=.
 */

#include "lib/base/buf.h"
#include "lib/base/mem.h"

/* Bits in this order. */
#define ACL_LETTERS "lrswipkxtea"

enum acl_right {
	ACL_LOOKUP = 1 << 0,
	ACL_READ = 1 << 1,
	ACL_SEEN = 1 << 2,
	ACL_WRITE = 1 << 3,
	ACL_INSERT = 1 << 4,
	ACL_POST = 1 << 5,
	ACL_CREATE = 1 << 6,
	ACL_DELETE_MAILBOX = 1 << 7,
	ACL_DELETE_MESSAGE = 1 << 8,
	ACL_EXPUNGE = 1 << 9,
	ACL_ADMIN = 1 << 10,
	ACL_ALL = (1 << 11) - 1,
};

enum { ACL_WHO_MAX = 255 };

struct acl_entry {
	const char *who;
	unsigned int rights;
	struct acl_entry *next;
};

struct acl_list {
	struct arena *arena; /* the caller's */
	struct acl_entry *first;
	struct buf rest; /* comments and what is not understood, as it is */
	bool doubtful; /* there are lines that are not understood */
};

/* Letters, "c" (k and x) and "d" (e and t) too; false for all others. */
bool acl_rights_parse(struct span text, unsigned int *out);
/* With "c" and "d" where those are due (section 2.1.1). */
void acl_rights_write(unsigned int rights, struct buf *out);
/* Can this be an identifier? What it is written as can be read again. */
bool acl_who_valid(struct span who);
/*
 * As it is kept: users in small letters (of ASCII), as accounts are, so that
 * what is taken from "Fred" is taken from fred.
 */
const char *acl_who_kept(struct span who, struct arena *arena);

void acl_list_parse(struct span text, struct arena *arena, struct acl_list *l);
void acl_list_fini(struct acl_list *l);
/* NULL: not in it. */
struct acl_entry *acl_list_find(const struct acl_list *l, struct span who);
/* Also of no rights: that counts before what everybody has. */
void acl_list_set(struct acl_list *l, struct span who, unsigned int rights);
void acl_list_remove(struct acl_list *l, struct span who);
/*
 * What this user may, who is not the owner. As Dovecot judges it: the entry
 * that is closest counts (the user's, else "authenticated", else "anyone"),
 * and nothing is added from the others. Then what entries with "-" take is
 * taken, whichever of them concern the user. "domain" is that of the owner: a
 * name without one is of that domain; NULL: of none.
 *
 * Groups are not known here: what they are given nobody gets, and what is
 * taken from them is taken from all. A doubtful list gives nothing.
 */
unsigned int
acl_list_rights(const struct acl_list *l, const char *user, const char *domain);
/* Is this identifier that user? */
bool acl_who_is(const char *who, const char *user, const char *domain);
/* "anyone", "authenticated", "owner", "$group", with "-" or without? */
bool acl_who_special(struct span who);
void acl_list_write(const struct acl_list *l, struct buf *out);

#endif
