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

enum { ACL_ALL = (1 << 11) - 1, ACL_WHO_MAX = 255 };

struct acl_entry {
	const char *who;
	unsigned int rights;
	struct acl_entry *next;
};

struct acl_list {
	struct arena *arena; /* the caller's */
	struct acl_entry *first;
	struct buf rest; /* lines that are not understood, kept as they are */
};

/* Letters, "c" (k and x) and "d" (e and t) too; false for all others. */
bool acl_rights_parse(struct span text, unsigned int *out);
/* With "c" and "d" where those are due (section 2.1.1). */
void acl_rights_write(unsigned int rights, struct buf *out);
/* Can this be an identifier? */
bool acl_who_valid(struct span who);

void acl_list_parse(struct span text, struct arena *arena, struct acl_list *l);
void acl_list_fini(struct acl_list *l);
/* NULL: not in it. */
struct acl_entry *acl_list_find(const struct acl_list *l, struct span who);
/* No rights: leaves the list. */
void acl_list_set(struct acl_list *l, struct span who, unsigned int rights);
void acl_list_write(const struct acl_list *l, struct buf *out);

#endif
