/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_NAMESPACES_INTERNAL_H
#define IMAPD_NAMESPACES_INTERNAL_H

/* Between namespaces*.c. */

#include <sys/types.h>

#include "imapd/namespaces.h"

struct mail_namespace {
	char *prefix; /* "shared/bob@example.test/", "Public/" */
	char *owner; /* NULL: public */
	bool mine; /* public, and the user is one of its owners */
	int directory;
	char *location;
	uint64_t quota_bytes, quota_messages;
	dev_t device;
	ino_t inode;
	struct mail_account *account; /* NULL: not open (yet) */
	bool failed; /* it cannot be opened */
	bool warned; /* of a list of rights that is not understood */
};

struct mail_namespace *namespaces_at(size_t i); /* NULL at the end */
/* Opened if need be; NULL: it cannot be. */
struct mail_account *namespaces_account(struct mail_namespace *n);
/* To a folder by its name there; 0 where it is not. */
enum mail_result
namespaces_rights_to(struct imap_session *s, struct mail_namespace *in,
    struct span inner, unsigned int *rights, struct why *why);

#endif
